//! The walk of one file, top to bottom (`docs/architecture.md`, "The walk"). Each step stands in the file
//! of its name; what is decided on the way is decided in `mapping`.

use crate::arrival::UploadedFile;
use crate::claim::{Admission, admit, claim};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::progress::Progress;
use crate::{apply, finish, plan, report, scan};
use mapping::plan::{Exceptions, Plan};
use platform::feed::{UploadRecord, UploadStatus};

/// Walks a file to its end. `None`: it was processed before.
pub(crate) async fn walk(feed: &Feed, file: UploadedFile) -> Result<Option<UploadRecord>, Failure> {
    let Some((file, upload)) = claim(feed, file).await? else {
        return Ok(None);
    };
    let mut progress = Progress::new(feed, upload, file.size_bytes);
    let mapping = match admit(feed, &file, &mut progress).await? {
        Admission::Accepted(mapping) => mapping,
        Admission::Refused(problems) => {
            return finish::reject(feed, progress, problems).await.map(Some);
        }
    };

    // Nothing is written to a user before the whole file has been read, checked and planned, and the plan
    // is kept. A walk that is taken up again after that goes on with the kept plan; the roster may hold
    // half of it already, and is no ground to plan on.
    let plan = if progress.upload.status == UploadStatus::Applying {
        kept_plan(feed, &progress).await?
    } else {
        let scan = match scan::scan(feed, &file, &mapping, &mut progress).await? {
            Ok(scan) => scan,
            Err(problems) => return finish::reject(feed, progress, problems).await.map(Some),
        };
        let plan = plan::plan(feed, &file, &mapping, scan, &mut progress).await?;
        keep(feed, &progress, plan).await?
    };

    progress.at(UploadStatus::Applying, 0).await?;
    let exceptions = match file.rehearsal {
        true => Exceptions::new(),
        false => apply::apply(feed, &file, &mapping, &plan, &mut progress).await?,
    };
    let problems = report::write(feed, &file, &mapping, &plan, &exceptions, &mut progress).await?;
    finish::complete(feed, progress, plan.counts(&exceptions), problems)
        .await
        .map(Some)
}

/// The first plan that is kept is the one that counts, should two walks of the same file plan at once.
async fn keep(feed: &Feed, progress: &Progress<'_>, plan: Plan) -> Result<Plan, Failure> {
    let upload = &progress.upload;
    match feed
        .reports
        .keep_plan(upload.portal_id, upload.upload_id, plan.encode()?)
        .await?
    {
        true => Ok(plan),
        false => kept_plan(feed, progress).await,
    }
}

async fn kept_plan(feed: &Feed, progress: &Progress<'_>) -> Result<Plan, Failure> {
    let upload = &progress.upload;
    let bytes = feed
        .reports
        .kept_plan(upload.portal_id, upload.upload_id)
        .await?;
    Ok(Plan::decode(&bytes)?)
}
