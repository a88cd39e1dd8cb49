//! The upload record, once per version of an object, and whether the file may be read at all.

use crate::arrival::UploadedFile;
use crate::failure::Failure;
use crate::handler::Feed;
use crate::progress::Progress;
use mapping::mapping::Mapping;
use mapping::problem::{Problem, ProblemCode};
use platform::clock::stamp;
use platform::feed::{Claim, UploadRecord};

/// Claims the file. `None`: it was processed before, so nothing is left to do.
pub(crate) async fn claim(
    feed: &Feed,
    mut file: UploadedFile,
) -> Result<Option<(UploadedFile, UploadRecord)>, Failure> {
    // An event of a bucket that keeps no versions names none; the current one is meant. If the object is
    // gone by now, the record says so when the file is read.
    if file.object.version_id.is_none()
        && let Some(current) = feed.files.current_version(&file.object.key).await?
    {
        file.object = current;
    }
    let record = UploadRecord::new(
        file.portal,
        &file.object,
        file.size_bytes,
        file.rehearsal,
        file.received_at,
    );
    match feed.table.claim(record, &file.object).await? {
        Claim::New(upload) => Ok(Some((file, upload))),
        Claim::Known(upload) if upload.status.is_final() => {
            tracing::info!(portal_id = %file.portal, upload_id = %upload.upload_id, "already processed");
            Ok(None)
        }
        Claim::Known(upload) => {
            tracing::info!(portal_id = %file.portal, upload_id = %upload.upload_id, "taken up again");
            Ok(Some((file, upload)))
        }
    }
}

/// Whether the file may be read.
pub(crate) enum Admission {
    Accepted(Mapping),
    /// For all these reasons.
    Refused(Vec<Problem>),
}

/// Checks what can be checked without a byte of the file.
pub(crate) async fn admit(
    feed: &Feed,
    file: &UploadedFile,
    progress: &mut Progress<'_>,
) -> Result<Admission, Failure> {
    let portal = feed.table.portal(file.portal).await?;
    // A walk that is taken up again reads the file as it did the first time.
    if let Some(version) = progress.upload.mapping_version {
        let stored = feed
            .table
            .mapping_version(file.portal, version)
            .await?
            .ok_or(Failure::MappingGone)?;
        let catalogue = portal
            .map(|portal| portal.settings.catalogue())
            .unwrap_or_default();
        let mapping =
            Mapping::check(&stored.draft, &catalogue).map_err(|_| Failure::MappingGone)?;
        return Ok(Admission::Accepted(mapping));
    }
    progress.upload.started_at = Some(stamp((feed.clock)()));

    let mut problems = Vec::new();
    if portal
        .as_ref()
        .is_none_or(|portal| portal.authorisation.is_none())
    {
        problems.push(Problem::new(ProblemCode::FeedNotAuthorised));
    }
    if !file.object.key.to_ascii_lowercase().ends_with(".csv") {
        problems.push(Problem::new(ProblemCode::NotCsv));
    }
    if file.size_bytes > feed.max_file_bytes {
        let message = format!(
            "The file has {} bytes; the feed accepts {}.",
            file.size_bytes, feed.max_file_bytes
        );
        problems.push(Problem::new(ProblemCode::FileTooLarge).message(message));
    }
    let catalogue = portal
        .map(|portal| portal.settings.catalogue())
        .unwrap_or_default();
    let stored = feed.table.mapping(file.portal).await?;
    let mapping = match &stored {
        None => {
            problems.push(Problem::new(ProblemCode::NoMapping));
            None
        }
        Some(stored) => match Mapping::check(&stored.draft, &catalogue) {
            Ok(mapping) => Some((mapping, stored.version)),
            Err(wrong) => {
                problems.extend(wrong);
                None
            }
        },
    };
    match mapping {
        Some((mapping, version)) if problems.is_empty() => {
            progress.upload.mapping_version = Some(version);
            Ok(Admission::Accepted(mapping))
        }
        _ => Ok(Admission::Refused(problems)),
    }
}
