//! One upload in the hands of one worker: the record, how far it has come, and the lease under which that is
//! stored. Stored often enough to watch and to go on from, rarely enough to cost nothing.

use crate::failure::Failure;
use crate::feed::Feed;
use jiff::{SignedDuration, Timestamp};
use mapping::plan::{Exceptions, Plan, encode_exceptions};
use platform::feed::{
    Lease, Left, ObjectVersion, QueueEntry, Saved, TakenUp, UploadRecord, UploadStatus,
};
use platform::objects::KeptBy;
use platform::time_limit::TimeLimit;

/// People who watch look about once a second.
const STORE_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// How often an upload is taken over without coming forward before it is given up.
const TAKEOVERS: u32 = 5;

/// An upload that is being processed.
pub(crate) struct Run<'r> {
    pub(crate) feed: &'r Feed,
    pub(crate) lease: &'r Lease,
    pub(crate) limit: &'r TimeLimit,
    pub(crate) entry: &'r QueueEntry,
    pub(crate) upload: UploadRecord,
    pub(crate) object: ObjectVersion,
    /// What is known to be applied, and stored.
    saved: Saved,
    /// Of the first run, if its hold is approved and this is the second.
    pub(crate) first: Option<Saved>,
    attempts: u32,
    came_forward: bool,
    stored_at: Option<Timestamp>,
}

impl<'r> Run<'r> {
    pub(crate) fn new(
        feed: &'r Feed,
        lease: &'r Lease,
        limit: &'r TimeLimit,
        entry: &'r QueueEntry,
        taken: TakenUp,
    ) -> Self {
        Run {
            feed,
            lease,
            limit,
            entry,
            upload: taken.record,
            object: taken.object,
            saved: taken.saved,
            first: taken.first,
            attempts: taken.attempts,
            came_forward: false,
            stored_at: None,
        }
    }

    /// Whether the upload was taken over so often without coming forward that it is given up.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.attempts > TAKEOVERS
    }

    /// What is known to be applied.
    pub(crate) fn saved(&self) -> Saved {
        self.saved
    }

    /// What is kept of a run of this upload, under a lease.
    pub(crate) fn kept_by(&self, run: u32, token: u64) -> KeptBy {
        KeptBy {
            portal: self.upload.portal_id,
            upload: self.upload.upload_id,
            run,
            token,
        }
    }

    /// In this stage, with so many bytes of the file behind it. Stored if the stage is another, or if it
    /// was not stored for a while.
    pub(crate) async fn at(&mut self, stage: UploadStatus, bytes: u64) -> Result<(), Failure> {
        let entered = self.enter(stage, bytes);
        if entered || self.is_due() {
            self.store().await
        } else {
            Ok(())
        }
    }

    /// The plan's first `applied` steps are done, with so many bytes of the file read, and these exceptions were
    /// met. Saved if nothing was stored for a while.
    pub(crate) async fn applied(
        &mut self,
        applied: u64,
        bytes: u64,
        exceptions: &Exceptions,
    ) -> Result<(), Failure> {
        self.enter(UploadStatus::Applying, bytes);
        if self.is_due() {
            self.save(applied, exceptions).await
        } else {
            Ok(())
        }
    }

    /// Saves how far the plan is applied.
    pub(crate) async fn save(
        &mut self,
        applied: u64,
        exceptions: &Exceptions,
    ) -> Result<(), Failure> {
        // Beside the plan, and before the position that counts on them. Later ones may be among them: a run
        // that goes on from here meets those rows again and puts right what is kept of them.
        if !exceptions.is_empty() || self.saved.exceptions_by.is_some() {
            let (token, kept) = (self.lease.token(), encode_exceptions(exceptions)?);
            let (by, reports) = (self.kept_by(self.saved.run, token), &self.feed.reports);
            reports.keep_exceptions(by, applied, kept).await?;
            self.saved.exceptions_by = Some(token);
        }
        self.came_forward |= applied > self.saved.applied;
        self.saved.applied = applied;
        self.store().await
    }

    /// Whether it is the second run, of what was held and is approved.
    pub(crate) fn is_approval(&self) -> bool {
        self.first.is_some()
    }

    /// Whether the file counts among the portal's: a rehearsal does not, nor does one without an accepted row, and
    /// an approved one has counted before.
    pub(crate) fn counts(&self, plan: &Plan) -> bool {
        !self.upload.rehearsal && plan.has_people && !self.is_approval()
    }

    /// The plan is kept: the upload is being applied from now on, and if it counts, no older file may follow.
    pub(crate) async fn planned(&mut self, plan: &Plan) -> Result<(), Failure> {
        self.enter(UploadStatus::Applying, 0);
        self.saved = Saved {
            run: self.saved.run,
            plan_by: Some(self.lease.token()),
            applied: 0,
            exceptions_by: None,
        };
        let before = crate::admit::planned_before(self).await?;
        let (counts, table) = (self.counts(plan), &self.feed.table);
        let stored = table.put_planned(
            &self.upload,
            self.saved,
            self.entry,
            &before,
            counts,
            self.lease,
        );
        self.owned(stored.await?)
    }

    /// The upload has ended like this, and leaves something with its portal.
    pub(crate) async fn finish(&mut self, status: UploadStatus, left: Left) -> Result<(), Failure> {
        self.enter(status, 0);
        let table = &self.feed.table;
        let stored = table.finish(&self.upload, self.saved, self.entry, left, self.lease);
        self.owned(stored.await?)
    }

    /// Whether the stage is another than before.
    fn enter(&mut self, stage: UploadStatus, bytes: u64) -> bool {
        // Taken up again, a walk passes through stages once more; what people see does not go back.
        let percent = percent(stage, bytes, self.upload.size_bytes);
        self.came_forward |= percent > self.upload.progress_percent;
        self.upload.progress_percent = self.upload.progress_percent.max(percent);
        let entered = self.upload.status != stage;
        self.upload.status = stage;
        entered
    }

    fn is_due(&self) -> bool {
        let now = (self.feed.clock)();
        self.stored_at
            .is_none_or(|stored| now.duration_since(stored) >= STORE_EVERY)
    }

    async fn store(&mut self) -> Result<(), Failure> {
        let table = &self.feed.table;
        let stored = table.put_progress(&self.upload, self.saved, self.came_forward, self.lease);
        self.owned(stored.await?)?;
        self.came_forward = false;
        self.stored_at = Some((self.feed.clock)());
        Ok(())
    }

    fn owned(&self, stored: bool) -> Result<(), Failure> {
        if stored {
            Ok(())
        } else {
            Err(Failure::LeaseLost)
        }
    }
}

/// Where each stage begins and ends, in percent of the whole.
fn percent(stage: UploadStatus, bytes: u64, of: u64) -> u8 {
    let (from, to) = match stage {
        UploadStatus::Queued => (0, 0),
        UploadStatus::Scanning => (0, 40),
        UploadStatus::Planning => (40, 60),
        UploadStatus::Applying => (60, 99),
        UploadStatus::Completed
        | UploadStatus::CompletedWithProblems
        | UploadStatus::Held
        | UploadStatus::Rejected
        | UploadStatus::Failed => (100, 100),
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
