//! `report.csv`, `rejected.csv` and the list of those whom a hold is about, written in one go from the file, the
//! plan and the exceptions, once every step is applied and that is stored. A walk that is taken up again writes
//! them again, and the same.

use crate::failure::Failure;
use crate::run::Run;
use mapping::identity::PortalId;
use mapping::mapping::Mapping;
use mapping::plan::Applied;
use mapping::problem::Problem;
use mapping::report::Reporter;
use platform::failure::CallFailed;
use platform::feed::{UploadId, UploadStatus};
use platform::objects::{Document, DocumentWriter, ReportsBucket};

/// Writes the report. The first problems are returned for the upload record.
pub(crate) async fn write(
    run: &mut Run<'_>,
    mapping: &Mapping,
    applied: Applied<'_>,
    approved: Option<Applied<'_>>,
) -> Result<Vec<Problem>, Failure> {
    let reports = run.feed.reports.clone();
    let mut documents = Documents::begin(&reports, run);
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
        documents.take(&mut reporter).await?;
        run.at(UploadStatus::Applying, file_bytes).await?;
    }
    while reporter.write_others() {
        documents.take(&mut reporter).await?;
        run.at(UploadStatus::Applying, file_bytes).await?;
    }
    documents.take(&mut reporter).await?;
    documents.finish().await?;
    Ok(reporter.into_problems())
}

/// The documents of one upload. There is always a report; the others are begun with their first line.
struct Documents<'r> {
    reports: &'r ReportsBucket,
    portal: PortalId,
    upload: UploadId,
    run: u32,
    report: DocumentWriter,
    rejected: Option<DocumentWriter>,
    held: Option<DocumentWriter>,
}

impl<'r> Documents<'r> {
    fn begin(reports: &'r ReportsBucket, run: &Run<'_>) -> Self {
        let (portal, upload) = (run.upload.portal_id, run.upload.upload_id);
        let run = run.saved().run;
        Documents {
            reports,
            portal,
            upload,
            run,
            report: reports.begin(portal, upload, run, Document::Report),
            rejected: None,
            held: None,
        }
    }

    /// Writes what the reporter has written since the last time.
    async fn take(&mut self, reporter: &mut Reporter<'_>) -> Result<(), CallFailed> {
        self.report.write(&reporter.take_report()).await?;
        for (document, writer, lines) in [
            (
                Document::Rejected,
                &mut self.rejected,
                reporter.take_rejected(),
            ),
            (Document::Held, &mut self.held, reporter.take_held()),
        ] {
            if !lines.is_empty() {
                let begin = || {
                    self.reports
                        .begin(self.portal, self.upload, self.run, document)
                };
                writer.get_or_insert_with(begin).write(&lines).await?;
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), CallFailed> {
        self.report.finish().await?;
        for document in self.rejected.into_iter().chain(self.held) {
            document.finish().await?;
        }
        Ok(())
    }
}
