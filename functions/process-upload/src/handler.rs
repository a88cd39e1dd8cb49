//! An event becomes calls: one walk for each file that arrived.

use crate::arrival::{Arrival, UploadedFile};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::walk::walk;
use aws_lambda_events::event::s3::S3Event;
use lambda_runtime::LambdaEvent;
use platform::feed::UploadStatus;
use platform::metrics::Invocation;

/// Repeating an event is safe: a file that was processed is not processed again, and one that was begun
/// is taken up where its plan stands.
pub(crate) async fn handle(event: LambdaEvent<S3Event>, feed: &Feed) -> Result<(), Failure> {
    for record in event.payload.records {
        match Arrival::of(record)? {
            Arrival::File(file) if file.bucket == feed.files.name() => process(feed, file).await?,
            Arrival::File(_) => return Err(Failure::MalformedEvent("it is about another bucket")),
            Arrival::Folder => {}
            Arrival::NoPortal => tracing::warn!("a file arrived that is under no portal's path"),
        }
    }
    Ok(())
}

/// One file, and the line that tells what became of it and what it cost.
async fn process(feed: &Feed, file: UploadedFile) -> Result<(), Failure> {
    let mut invocation = Invocation::begin("process-upload", feed.clock);
    invocation.property("portal_id", file.portal.to_string());
    let walked = match walk(feed, file).await {
        Err(Failure::Overtaken) => Ok(None),
        walked => walked,
    };
    invocation.count("failed", u64::from(walked.is_err()));
    if let Ok(Some(upload)) = &walked {
        invocation.property("upload_id", upload.upload_id.to_string());
        invocation.property("status", serde_json::json!(upload.status));
        invocation.property("rehearsal", upload.rehearsal);
        invocation.property("size_bytes", upload.size_bytes);
        invocation.count(
            "rejected",
            u64::from(upload.status == UploadStatus::Rejected),
        );
        invocation.count("rows_total", upload.rows.total);
        invocation.count("rows_created", upload.rows.created);
        invocation.count("rows_updated", upload.rows.updated);
        invocation.count("rows_unchanged", upload.rows.unchanged);
        invocation.count("rows_disabled", upload.rows.disabled);
        invocation.count("rows_enabled", upload.rows.enabled);
        invocation.count("rows_not_processed", upload.rows.not_processed);
        invocation.count("warnings", upload.warnings);
    }
    invocation.end();
    walked.map(|_| ())
}
