//! `report.csv`, `rejected.csv` and the list of those whom a hold is about, written in one go from the file, the plan and the exceptions, once every
//! step is applied and that is stored. A walk that is taken up again writes them again, and the same.

use crate::failure::Failure;
use crate::run::Run;
use mapping::mapping::Mapping;
use mapping::plan::Applied;
use mapping::problem::Problem;
use mapping::report::Reporter;
use platform::feed::UploadStatus;
use platform::objects::{Document, DocumentWriter};

/// Writes the report. The first problems are returned for the upload record.
pub(crate) async fn write(
    run: &mut Run<'_>,
    mapping: &Mapping,
    applied: Applied<'_>,
    approved: Option<Applied<'_>>,
) -> Result<Vec<Problem>, Failure> {
    let (portal, upload) = (run.upload.portal_id, run.upload.upload_id);
    let mut report = run.feed.reports.begin(portal, upload, Document::Report);
    let mut rejected: Option<DocumentWriter> = None;
    let mut held: Option<DocumentWriter> = None;
    let mut reporter = Reporter::new(mapping, applied, approved);

    // A file that changes nothing and has no problem is not read again to say so.
    let mut bytes = match applied.has_nothing_to_say_of_rows() {
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
        let people = reporter.take_held();
        if !people.is_empty() {
            let document =
                held.get_or_insert_with(|| run.feed.reports.begin(portal, upload, Document::Held));
            document.write(&people).await?;
        }
        run.at(UploadStatus::Applying, file_bytes).await?;
    }
    loop {
        let more = reporter.write_others();
        report.write(&reporter.take_report()).await?;
        let people = reporter.take_held();
        if !people.is_empty() {
            let document =
                held.get_or_insert_with(|| run.feed.reports.begin(portal, upload, Document::Held));
            document.write(&people).await?;
        }
        if !more {
            break;
        }
        run.at(UploadStatus::Applying, file_bytes).await?;
    }
    report.finish().await?;
    for document in rejected.into_iter().chain(held) {
        document.finish().await?;
    }
    Ok(reporter.into_problems())
}
