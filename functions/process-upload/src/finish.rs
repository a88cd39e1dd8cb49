//! The end of a walk: the record gets its counts and its last status.

use crate::failure::Failure;
use crate::run::Run;
use mapping::plan::Counts;
use mapping::problem::{Problem, ProblemCode};
use mapping::report::{SHOWN_PROBLEMS, rejection};
use platform::clock::stamp;
use platform::feed::UploadStatus;
use platform::objects::Document;

/// The file was processed.
pub(crate) async fn complete(
    run: &mut Run<'_>,
    counts: Counts,
    problems: Vec<Problem>,
) -> Result<(), Failure> {
    let clean = counts.rows.not_processed == 0 && counts.warnings == 0;
    run.upload.rows = counts.rows;
    run.upload.warnings = counts.warnings;
    run.upload.problems = problems;
    run.upload.report_ready = true;
    let status = if clean {
        UploadStatus::Completed
    } else {
        UploadStatus::CompletedWithProblems
    };
    end(run, status).await
}

/// The file is refused as a whole; no user was written.
pub(crate) async fn reject(run: &mut Run<'_>, mut problems: Vec<Problem>) -> Result<(), Failure> {
    let (portal, upload) = (run.upload.portal_id, run.upload.upload_id);
    let mut report = run.feed.reports.begin(portal, upload, Document::Report);
    report.write(&rejection(&problems)).await?;
    report.finish().await?;
    problems.truncate(SHOWN_PROBLEMS);
    run.upload.problems = problems;
    run.upload.report_ready = true;
    end(run, UploadStatus::Rejected).await
}

/// The file cannot be brought to its end. Nothing was lost that was applied; there is no report.
pub(crate) async fn fail(run: &mut Run<'_>, failure: &Failure) -> Result<(), Failure> {
    let what = match run.upload.status {
        UploadStatus::Applying if !run.upload.rehearsal => {
            "Some of its people may have been written."
        }
        _ => "Nobody was written.",
    };
    let message = format!("The file was not processed to its end: {failure}. {what}");
    run.upload.problems = vec![Problem::new(ProblemCode::ProcessingFailed).message(message)];
    end(run, UploadStatus::Failed).await
}

async fn end(run: &mut Run<'_>, status: UploadStatus) -> Result<(), Failure> {
    run.upload.finished_at = Some(stamp((run.feed.clock)()));
    run.finish(status).await
}
