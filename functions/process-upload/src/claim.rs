//! The upload record, once per version of an object, and whether the file may be read at all.

use crate::arrival::UploadedFile;
use crate::failure::Failure;
use crate::feed::Feed;
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
        && let Some((current, size_bytes)) = feed.files.current_version(&file.object.key).await?
    {
        file.object = current;
        file.size_bytes = size_bytes;
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
    // A walk that is taken up again reads the file as it did the first time, whatever was changed since.
    if let Some(version) = progress.upload.mapping_version {
        let stored = feed
            .table
            .mapping_version(file.portal, version)
            .await?
            .ok_or(Failure::MappingGone)?;
        let mapping = Mapping::check(&stored.draft, &stored.draft.own_catalogue());
        return mapping
            .map(Admission::Accepted)
            .map_err(|_| Failure::MappingGone);
    }
    progress.upload.started_at = Some(stamp((feed.clock)()));

    let portal = feed.table.portal(file.portal).await?;
    let authorised = portal
        .as_ref()
        .is_some_and(|portal| portal.authorisation.is_some());
    let mut problems = refusals(file, authorised, feed.max_file_bytes);
    let catalogue = portal
        .map(|portal| portal.settings.catalogue())
        .unwrap_or_default();
    let Some(stored) = feed.table.mapping(file.portal).await? else {
        problems.push(Problem::new(ProblemCode::NoMapping));
        return Ok(Admission::Refused(problems));
    };
    match Mapping::check(&stored.draft, &catalogue) {
        Ok(mapping) if problems.is_empty() => {
            progress.upload.mapping_version = Some(stored.version);
            return Ok(Admission::Accepted(mapping));
        }
        Ok(_) => {}
        Err(_) => problems.push(Problem::new(ProblemCode::MappingOutdated)),
    }
    Ok(Admission::Refused(problems))
}

/// What speaks against a file that nobody has looked into.
fn refusals(file: &UploadedFile, authorised: bool, max_file_bytes: u64) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !authorised {
        problems.push(Problem::new(ProblemCode::FeedNotAuthorised));
    }
    if !file.object.key.to_ascii_lowercase().ends_with(".csv") {
        problems.push(Problem::new(ProblemCode::NotCsv));
    }
    if file.size_bytes > max_file_bytes {
        let message = format!(
            "The file has {} bytes; the feed accepts {max_file_bytes}.",
            file.size_bytes
        );
        problems.push(Problem::new(ProblemCode::FileTooLarge).message(message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use platform::feed::ObjectVersion;

    #[test]
    fn a_file_is_refused_for_everything_that_speaks_against_it() {
        let codes = |key: &str, size_bytes, authorised| -> Vec<_> {
            let object = ObjectVersion {
                key: key.to_owned(),
                version_id: None,
                etag: String::new(),
            };
            let file = UploadedFile {
                portal: "1".parse().unwrap(),
                bucket: String::new(),
                object,
                size_bytes,
                received_at: Timestamp::UNIX_EPOCH,
                rehearsal: false,
            };
            refusals(&file, authorised, 100)
                .iter()
                .map(|problem| problem.code.as_str())
                .collect()
        };
        assert!(codes("1/a.csv", 100, true).is_empty());
        assert!(codes("1/A.CSV", 0, true).is_empty());
        assert_eq!(codes("1/a.csv", 101, true), ["file_too_large"]);
        assert_eq!(
            codes("1/a.csv.gz", 101, false),
            ["feed_not_authorised", "not_csv", "file_too_large"]
        );
        assert_eq!(codes("1/csv", 1, true), ["not_csv"]);
    }
}
