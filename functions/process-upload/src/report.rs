//! `report.csv` and `rejected.csv`, written in one go from the file, the plan and the exceptions, once every
//! step is applied and that is stored. A walk that is taken up again writes them again, and the same.

use crate::failure::Failure;
use crate::run::Run;
use mapping::mapping::Mapping;
use mapping::plan::{Exceptions, Plan};
use mapping::problem::Problem;
use mapping::report::Reporter;
use platform::feed::UploadStatus;
use platform::objects::{Document, DocumentWriter};

/// Writes the report. The first problems are returned for the upload record.
pub(crate) async fn write(
    run: &mut Run<'_>,
    mapping: &Mapping,
    plan: &Plan,
    exceptions: &Exceptions,
) -> Result<Vec<Problem>, Failure> {
    let (portal, upload) = (run.upload.portal_id, run.upload.upload_id);
    let mut report = run.feed.reports.begin(portal, upload, Document::Report);
    let mut rejected: Option<DocumentWriter> = None;
    let mut reporter = Reporter::new(mapping, plan, exceptions);

    // A file that changes nothing and has no problem is not read again to say so.
    let counts = plan.counts(exceptions);
    let silent = counts.rows.unchanged == counts.rows.total && counts.warnings == 0;
    let mut bytes = match silent {
        true => None,
        false => Some(run.feed.files.read(&run.object).await?),
    };
    let file_bytes = run.upload.size_bytes;
    while let Some(stream) = &mut bytes {
        match stream.next().await? {
            Some(chunk) => reporter.push(&chunk),
            None => {
                bytes = None;
                reporter.finish()
            }
        }
        .map_err(|_| Failure::FileChanged)?;
        report.write(&reporter.take_report()).await?;
        let rows = reporter.take_rejected();
        if !rows.is_empty() {
            let document = rejected
                .get_or_insert_with(|| run.feed.reports.begin(portal, upload, Document::Rejected));
            document.write(&rows).await?;
        }
        run.at(UploadStatus::Applying, file_bytes).await?;
    }
    report.write(&reporter.take_report()).await?;
    report.finish().await?;
    if let Some(rejected) = rejected {
        rejected.finish().await?;
    }
    Ok(reporter.into_problems())
}
