//! The end of a walk: the record gets its counts and its last status.

use crate::failure::Failure;
use crate::feed::Feed;
use crate::progress::Progress;
use mapping::plan::Counts;
use mapping::problem::Problem;
use mapping::report::{SHOWN_PROBLEMS, rejection};
use platform::clock::stamp;
use platform::feed::{UploadRecord, UploadStatus};
use platform::objects::Document;

/// The file was processed.
pub(crate) async fn complete(
    feed: &Feed,
    mut progress: Progress<'_>,
    counts: Counts,
    problems: Vec<Problem>,
) -> Result<UploadRecord, Failure> {
    let clean = counts.rows.not_processed == 0 && counts.warnings == 0;
    progress.upload.rows = counts.rows;
    progress.upload.warnings = counts.warnings;
    progress.upload.problems = problems;
    let status = if clean {
        UploadStatus::Completed
    } else {
        UploadStatus::CompletedWithProblems
    };
    record(feed, progress, status).await
}

/// The file is refused as a whole; no user was written.
pub(crate) async fn reject(
    feed: &Feed,
    mut progress: Progress<'_>,
    mut problems: Vec<Problem>,
) -> Result<UploadRecord, Failure> {
    let upload = &progress.upload;
    let mut report = feed
        .reports
        .begin(upload.portal_id, upload.upload_id, Document::Report);
    report.write(&rejection(&problems)).await?;
    report.finish().await?;
    problems.truncate(SHOWN_PROBLEMS);
    progress.upload.problems = problems;
    record(feed, progress, UploadStatus::Rejected).await
}

async fn record(
    feed: &Feed,
    mut progress: Progress<'_>,
    status: UploadStatus,
) -> Result<UploadRecord, Failure> {
    progress.upload.finished_at = Some(stamp((feed.clock)()));
    progress.upload.report_ready = true;
    progress.at(status, 0).await?;
    Ok(progress.upload)
}
