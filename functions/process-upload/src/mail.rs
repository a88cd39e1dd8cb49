//! The mail of a notice, as plain text: what happened, how much of it there is, what to do. Pure. It names the
//! portal and nobody: no row's values, no file, no person.

use mapping::problem::ProblemCode;
use platform::feed::{FileOverdue, News, UploadFinished, UploadKind, UploadStatus};
use std::fmt::Write;

/// A mail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// `url` is where the administrators' page is; without it the mail leads nowhere.
pub(crate) fn mail(portal_name: &str, url: Option<&str>, news: &News) -> Mail {
    let (happened, text, upload_id) = match news {
        News::UploadFinished(upload) => {
            let (happened, text) = of_upload(upload);
            (happened, text, upload.upload_id)
        }
        News::FileOverdue(overdue) => {
            let text = of_absence(overdue);
            ("no file has come", text, overdue.upload_id)
        }
    };
    let mut text = format!("The Go1 data feed of {portal_name}: {happened}.\n\n{text}\n");
    text.push_str(&format!("Upload: {upload_id}\n"));
    if let Some(url) = url {
        let portal_id = news.portal_id();
        text.push_str(&format!("{url}/portals/{portal_id}/uploads/{upload_id}\n"));
    }
    text.push_str(
        "\nYou have this mail because your address is among the settings of the data feed \
         (notify_emails). An administrator of the portal can take it out.\n",
    );
    Mail {
        subject: format!("{portal_name}: {happened} (Go1 data feed)"),
        text,
    }
}

fn of_upload(upload: &UploadFinished) -> (&'static str, String) {
    let (happened, meaning) = match upload.status {
        UploadStatus::Rejected if upload.kind == UploadKind::Xero => {
            ("an import from Xero was refused", "Nobody was imported.")
        }
        UploadStatus::Failed if upload.kind == UploadKind::Xero => (
            "an import from Xero did not come to its end",
            "Some people may have been imported; importing again goes on with the others.",
        ),
        UploadStatus::Held => (
            "a file waits for your decision",
            "Everything of the file is done but what the next lines count: it would affect so many \
             people that somebody has to look first. Nothing more happens until you approve or reject \
             it; a newer file takes its place.",
        ),
        UploadStatus::Rejected => (
            "a file was rejected",
            "The file was refused as a whole, and nobody was changed.",
        ),
        UploadStatus::Failed => (
            "a file was not processed to its end",
            "Something on our side kept it from that. Some of its people may have been changed.",
        ),
        UploadStatus::Completed
        | UploadStatus::CompletedWithProblems
        | UploadStatus::Queued
        | UploadStatus::Scanning
        | UploadStatus::Planning
        | UploadStatus::Applying => ("a file was processed", "There is nothing to do."),
    };
    let began = match upload.kind {
        UploadKind::Feed => "Arrived",
        UploadKind::Xero => "Asked for",
    };
    let mut text = format!("{meaning}\n\n{began}: {}\n", upload.received_at);
    if upload.status == UploadStatus::Held {
        count(
            &mut text,
            "People who would become inactive",
            upload.held.disables,
        );
        count(
            &mut text,
            "People who would be created",
            upload.held.creates,
        );
    }
    let rows = &upload.rows;
    if rows.total > 0 {
        count(&mut text, "Rows", rows.total);
        for (what, number) in [
            ("  created", rows.created),
            ("  updated", rows.updated),
            ("  unchanged", rows.unchanged),
            ("  made inactive", rows.disabled),
            ("  made active again", rows.enabled),
            ("  not processed", rows.not_processed),
        ] {
            count(&mut text, what, number);
        }
        count(&mut text, "Warnings", upload.warnings);
    }
    // What rows have wrong is in the report; it is not why a file is held.
    let codes = match upload.status {
        UploadStatus::Held => Vec::from_iter(upload.held.reason),
        _ => upload.problem_codes.clone(),
    };
    for code in codes {
        explain(&mut text, code);
    }
    (happened, text)
}

fn of_absence(overdue: &FileOverdue) -> String {
    let FileOverdue {
        expected_by,
        expect_file_every_hours: hours,
        ..
    } = overdue;
    let mut text = format!(
        "A file was expected by {expected_by}, because at most {hours} hours may pass without one. \
         None has come. Nobody was changed; you are told once, and again after the next file has come \
         and another stays away.\n"
    );
    explain(&mut text, ProblemCode::FileOverdue);
    text
}

fn count(text: &mut String, what: &str, number: u64) {
    // Into a text, which takes everything.
    let _ = writeln!(text, "{what}: {number}");
}

fn explain(text: &mut String, code: ProblemCode) {
    let (code, meaning, fix) = (code.as_str(), code.meaning(), code.how_to_fix());
    let _ = write!(text, "\n{meaning} ({code})\n{fix}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::plan::{Others, RowCounts};
    use platform::feed::Held;

    fn upload(status: UploadStatus, codes: &[ProblemCode]) -> UploadFinished {
        UploadFinished {
            portal_id: "1001".parse().unwrap(),
            upload_id: "01KAPTA7HZ0000000000000000".parse().unwrap(),
            kind: UploadKind::Feed,
            status,
            rehearsal: false,
            rows: RowCounts::default(),
            others: Others::default(),
            warnings: 0,
            held: Held::default(),
            problem_codes: codes.to_vec(),
            received_at: "2026-11-22T10:00:00.000Z".to_owned(),
            finished_at: None,
        }
    }

    #[test]
    fn a_mail_says_what_happened_and_what_to_do_and_where() {
        let codes = [ProblemCode::NotCsv, ProblemCode::NoMapping];
        let news = News::UploadFinished(Box::new(upload(UploadStatus::Rejected, &codes)));
        let sent = mail("Northwind", Some("https://feed.example"), &news);
        assert_eq!(
            sent.subject,
            "Northwind: a file was rejected (Go1 data feed)"
        );
        assert_eq!(
            sent.text,
            "The Go1 data feed of Northwind: a file was rejected.\n\n\
             The file was refused as a whole, and nobody was changed.\n\n\
             Arrived: 2026-11-22T10:00:00.000Z\n\n\
             The file's name does not end in .csv. (not_csv)\n\
             Export the file as CSV (UTF-8) and give it a name that ends in .csv.\n\n\
             The portal has no data mapping: none was saved yet, or it was reset. (no_mapping)\n\
             Map the columns of a sample file to Go1 fields; then drop the file again.\n\n\
             Upload: 01KAPTA7HZ0000000000000000\n\
             https://feed.example/portals/1001/uploads/01KAPTA7HZ0000000000000000\n\n\
             You have this mail because your address is among the settings of the data feed \
             (notify_emails). An administrator of the portal can take it out.\n"
        );
        let nowhere = mail("Northwind", None, &news);
        assert!(!nowhere.text.contains("https://"));
    }

    #[test]
    fn a_hold_counts_who_waits_and_says_why_and_nothing_of_rows_that_are_wrong() {
        let mut upload = upload(UploadStatus::Held, &[ProblemCode::MissingValue]);
        upload.held = Held {
            disables: 7,
            creates: 0,
            reason: Some(ProblemCode::TooManyDisables),
            decision: None,
        };
        upload.rows.total = 3;
        upload.rows.unchanged = 3;
        let sent = mail("Northwind", None, &News::UploadFinished(Box::new(upload)));
        for part in [
            "People who would become inactive: 7\n",
            "Rows: 3\n",
            "  unchanged: 3\n",
            "(too_many_disables)",
        ] {
            assert!(sent.text.contains(part), "{part}: {}", sent.text);
        }
        assert!(!sent.text.contains("missing_value"));
    }

    #[test]
    fn an_overdue_file_is_said_with_the_time_and_the_setting() {
        let news = News::FileOverdue(FileOverdue {
            portal_id: "1001".parse().unwrap(),
            upload_id: "01KAPTA7HZ0000000000000000".parse().unwrap(),
            expected_by: "2026-11-22T10:00:00.000Z".to_owned(),
            expect_file_every_hours: 26,
        });
        let sent = mail("Northwind", None, &news);
        assert_eq!(sent.subject, "Northwind: no file has come (Go1 data feed)");
        for part in ["2026-11-22T10:00:00.000Z", "26 hours", "(file_overdue)"] {
            assert!(sent.text.contains(part), "{part}: {}", sent.text);
        }
    }
}
