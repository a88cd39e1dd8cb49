//! A file that arrives goes into its portal's queue, once per version of an object.

use crate::arrival::UploadedFile;
use crate::failure::Failure;
use crate::feed::Feed;
use platform::feed::{Arrived, Claim, UploadRecord};

/// What became of a file.
pub(crate) enum Claimed {
    /// It is in the queue.
    Waiting,
    /// Somebody had begun with it.
    Running,
    /// It was processed before, or nobody's file it is.
    Ended,
}

/// Puts the file into the queue, unless it was processed before.
pub(crate) async fn claim(feed: &Feed, mut file: UploadedFile) -> Result<Claimed, Failure> {
    // An event of a bucket that keeps no versions names none; the current one is meant. If the object is
    // gone by now, the record says so when the file is read.
    if file.object.version_id.is_none()
        && let Some((current, size_bytes)) = feed.files.current_version(&file.object.key).await?
    {
        file.object = current;
        file.size_bytes = size_bytes;
    }
    // Before it is claimed: an event that is repeated would find it claimed and could not tell.
    if !file.rehearsal {
        let table = &feed.table;
        table.file_arrived(file.portal, file.received_at).await?;
    }
    let record = UploadRecord::new(
        file.portal,
        &file.object,
        file.size_bytes,
        file.rehearsal,
        file.received_at,
    );
    let arrived = Arrived::new(record, file.object, file.sequencer);
    match feed.table.claim(&arrived, (feed.clock)()).await? {
        Claim::New => Ok(Claimed::Waiting),
        Claim::NoPortal => {
            tracing::warn!("a file arrived of a portal that is not set up, or is being given up");
            Ok(Claimed::Ended)
        }
        Claim::Known(upload) if upload.status.is_final() => {
            tracing::info!(portal_id = %upload.portal_id, upload_id = %upload.upload_id, "already processed");
            Ok(Claimed::Ended)
        }
        Claim::Known(upload) if upload.status.is_running() => Ok(Claimed::Running),
        Claim::Known(_) => Ok(Claimed::Waiting),
    }
}
