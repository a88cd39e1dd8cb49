//! Whether a file may be read at all: everything that can be said without a byte of it.

use crate::failure::Failure;
use crate::hold;
use crate::run::Run;
use mapping::fields::FieldCatalogue;
use mapping::mapping::Mapping;
use mapping::order::{Planned, superseded};
use mapping::problem::{Problem, ProblemCode};
use platform::clock::stamp;
use platform::feed::UploadRecord;

/// Whether the file may be read.
pub(crate) enum Admission {
    Accepted(Mapping),
    /// For all these reasons.
    Refused(Vec<Problem>),
    /// What was held is approved, and something has ended the hold between then and now.
    Superseded,
}

/// Checks what can be checked without a byte of the file.
pub(crate) async fn admit(run: &mut Run<'_>) -> Result<Admission, Failure> {
    let (feed, portal_id) = (run.feed, run.upload.portal_id);
    // A walk that is taken up again reads the file as it did the first time, whatever was changed since.
    if let Some(version) = run.upload.mapping_version {
        let stored = feed
            .table
            .mapping_version(portal_id, version)
            .await?
            .ok_or(Failure::MappingGone)?;
        let planned = run.saved().plan_by.is_some();
        if !planned && run.is_approval() {
            if hold::is_too_late(run).await? {
                return Ok(Admission::Superseded);
            }
        } else if !planned && comes_too_late(run, stored.draft.auto_disable).await? {
            let problem = Problem::new(ProblemCode::SupersededByNewerFile);
            return Ok(Admission::Refused(vec![problem]));
        }
        let portal = feed.table.portal(portal_id).await?;
        let catalogue = FieldCatalogue {
            groups: portal
                .map(|portal| portal.settings.catalogue().groups)
                .unwrap_or_default(),
            ..stored.draft.own_catalogue()
        };
        let mapping = Mapping::check(&stored.draft, &catalogue);
        return mapping
            .map(Admission::Accepted)
            .map_err(|_| Failure::MappingGone);
    }
    run.upload.started_at = Some(stamp((feed.clock)()));

    let portal = feed.table.portal(portal_id).await?;
    let authorised = portal
        .as_ref()
        .is_some_and(|portal| portal.authorisation.is_some());
    let mut problems = refusals(&run.upload, authorised, feed.max_file_bytes);
    let catalogue = portal
        .map(|portal| portal.settings.catalogue())
        .unwrap_or_default();
    let stored = feed.table.mapping(portal_id).await?;
    let auto_disable = stored
        .as_ref()
        .is_some_and(|stored| stored.draft.auto_disable);
    if comes_too_late(run, auto_disable).await? {
        problems.push(Problem::new(ProblemCode::SupersededByNewerFile));
    }
    let Some(stored) = stored else {
        problems.push(Problem::new(ProblemCode::NoMapping));
        return Ok(Admission::Refused(problems));
    };
    match Mapping::check(&stored.draft, &catalogue) {
        Ok(mapping) if problems.is_empty() => {
            run.upload.mapping_version = Some(stored.version);
            return Ok(Admission::Accepted(mapping));
        }
        Ok(_) => {}
        Err(_) => problems.push(Problem::new(ProblemCode::MappingOutdated)),
    }
    Ok(Admission::Refused(problems))
}

/// A rehearsal changes nobody, so it can come at any time.
async fn comes_too_late(run: &Run<'_>, auto_disable: bool) -> Result<bool, Failure> {
    Ok(!run.upload.rehearsal
        && superseded(&run.entry.order, &planned_before(run).await?, auto_disable))
}

/// What was planned before that can make this file come too late. Nobody else changes it while the lease is
/// held, and what is stored on the ground of it is stored only then.
pub(crate) async fn planned_before(run: &Run<'_>) -> Result<Planned, Failure> {
    let (table, portal) = (&run.feed.table, run.upload.portal_id);
    Ok(Planned {
        of_key: table.planned_of_key(portal, &run.upload.key).await?,
        of_portal: table
            .portal(portal)
            .await?
            .and_then(|portal| portal.newest_planned),
    })
}

/// What speaks against a file that nobody has looked into.
fn refusals(upload: &UploadRecord, authorised: bool, max_file_bytes: u64) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !authorised {
        problems.push(Problem::new(ProblemCode::FeedNotAuthorised));
    }
    if !upload.key.to_ascii_lowercase().ends_with(".csv") {
        problems.push(Problem::new(ProblemCode::NotCsv));
    }
    if upload.size_bytes > max_file_bytes {
        let message = format!(
            "The file has {} bytes; the feed accepts {max_file_bytes}.",
            upload.size_bytes
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
            let portal = "1".parse().unwrap();
            let upload =
                UploadRecord::new(portal, &object, size_bytes, false, Timestamp::UNIX_EPOCH);
            refusals(&upload, authorised, 100)
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
