//! How far a walk has come, in the upload record: often enough to watch, rarely enough to cost nothing.

use crate::failure::Failure;
use crate::feed::Feed;
use jiff::{SignedDuration, Timestamp};
use platform::feed::{UploadRecord, UploadStatus};

/// People who watch look about once a second.
const STORE_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// The upload record while the file is processed.
pub(crate) struct Progress<'f> {
    feed: &'f Feed,
    pub(crate) upload: UploadRecord,
    file_bytes: u64,
    stored_at: Option<Timestamp>,
}

impl<'f> Progress<'f> {
    pub(crate) fn new(feed: &'f Feed, upload: UploadRecord, file_bytes: u64) -> Self {
        Progress {
            feed,
            upload,
            file_bytes,
            stored_at: None,
        }
    }

    /// In this stage, with so many bytes of the file behind it. Stored if the stage is another, or if it
    /// was not stored for a while.
    pub(crate) async fn at(&mut self, stage: UploadStatus, bytes: u64) -> Result<(), Failure> {
        let entered = self.upload.status != stage;
        // Taken up again, a walk passes through stages once more; what people see does not go back.
        self.upload.progress_percent =
            self.upload
                .progress_percent
                .max(percent(stage, bytes, self.file_bytes));
        self.upload.status = stage;
        let now = (self.feed.clock)();
        let due = self
            .stored_at
            .is_none_or(|stored| now.duration_since(stored) >= STORE_EVERY);
        if entered || due {
            if !self.feed.table.put_progress(&self.upload).await? && !self.is_stored().await? {
                return Err(Failure::Overtaken);
            }
            self.stored_at = Some(now);
        }
        Ok(())
    }

    /// Whether the record stands as it is here: the answer to a write may be lost, and the SDK then repeats
    /// it against what it wrote itself.
    async fn is_stored(&self) -> Result<bool, Failure> {
        let stored = self
            .feed
            .table
            .upload(self.upload.portal_id, self.upload.upload_id)
            .await?;
        Ok(stored.is_some_and(|stored| stored == self.upload))
    }
}

/// Where each stage begins and ends, in percent of the whole.
fn percent(stage: UploadStatus, bytes: u64, of: u64) -> u8 {
    let (from, to) = match stage {
        UploadStatus::Queued => (0, 0),
        UploadStatus::Scanning => (0, 40),
        UploadStatus::Planning => (40, 60),
        UploadStatus::Applying => (60, 99),
        UploadStatus::Completed | UploadStatus::CompletedWithProblems | UploadStatus::Rejected => {
            (100, 100)
        }
    };
    let part = (bytes.min(of) * (to - from)).checked_div(of).unwrap_or(0);
    u8::try_from(from + part).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_goes_from_0_to_100_through_the_stages() {
        for (stage, bytes, expected) in [
            (UploadStatus::Queued, 0, 0),
            (UploadStatus::Scanning, 50, 20),
            (UploadStatus::Scanning, 500, 40),
            (UploadStatus::Planning, 0, 40),
            (UploadStatus::Applying, 100, 99),
            (UploadStatus::Completed, 0, 100),
        ] {
            assert_eq!(percent(stage, bytes, 100), expected);
        }
        assert_eq!(percent(UploadStatus::Scanning, 0, 0), 0);
    }
}
