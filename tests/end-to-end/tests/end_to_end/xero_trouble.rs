//! Imports while Xero does not answer as it should: tried again, or ended with a word that says what to do; and in the
//! end everybody is imported once.

use end_to_end::{Company, employee};
use fake_xero::wire::{Route, Scripted};
use serde_json::json;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Nobody asks twice: three are employed.
async fn company() -> Company {
    Company::employing((1..=3).map(employee).collect()).await
}

fn limit(problem: &str, seconds: &str) -> Scripted {
    Scripted::status(429)
        .header("Retry-After", seconds)
        .header("X-Rate-Limit-Problem", problem)
}

/// Once Xero was asked so often.
async fn asked(company: &Company, times: usize) {
    let begun = Instant::now();
    while company.asked(Route::Employees).await < times {
        assert!(begun.elapsed() < PATIENCE, "not asked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // And the worker has gone.
    company.portal.rests().await;
}

async fn everybody_is_imported_once(company: &Company) {
    let users = company.portal.users().await;
    let emails: Vec<_> = users.keys().collect();
    assert_eq!(emails, ["p1@x.example", "p2@x.example", "p3@x.example"]);
    assert!(users.values().all(|user| user.number("version") == 1));
    assert_eq!(company.portal.assignments().await.len(), 15);
    company.given_back().await;
    assert_eq!(company.overview().await["imported"], 3);
}

/// Requirement 7 of `docs/xero.md`.
#[tokio::test]
async fn an_import_waits_for_a_short_limit_and_goes_on() {
    let company = company().await;
    let script = vec![limit("minute", "2"), limit("concurrent", "1")];
    company.script(Route::Employees, script).await;
    let begun = Instant::now();
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed");
    assert!(begun.elapsed() >= Duration::from_secs(3));
    assert_eq!(company.asked(Route::Employees).await, 3);
    everybody_is_imported_once(&company).await;
}

/// Requirement 7 of `docs/xero.md`: nobody sleeps through a day.
#[tokio::test]
async fn an_import_that_meets_a_long_limit_ends_with_the_time_to_try_again() {
    let company = company().await;
    for (problem, seconds) in [("minute", "40"), ("day", "66975"), ("day", "2")] {
        company.after_the_limit().await;
        let before = company.asked(Route::Employees).await;
        company
            .script(Route::Employees, vec![limit(problem, seconds)])
            .await;
        let upload = company.import_all().await;
        assert_eq!(upload.status(), "failed", "{problem}");
        let told = &upload.record["problems"][0];
        assert_eq!(told["code"], "xero_busy");
        let message = told["message"].as_str().unwrap();
        assert!(
            message.contains("Try again at 20") && message.ends_with(" UTC."),
            "{message}"
        );
        assert_eq!(upload.record["report_ready"], false);
        assert_eq!(company.asked(Route::Employees).await, before + 1);
        assert_eq!(company.overview().await["state"], "connected");
        assert_eq!(company.portal.users().await.len(), 0);
    }
    // One that is asked for too early asks Xero nothing, and says the same.
    company.after_the_limit().await;
    company
        .script(Route::Employees, vec![limit("minute", "40")])
        .await;
    company.import_all().await;
    let before = company.asked(Route::Employees).await;
    let early = company.import_all().await;
    assert_eq!(early.record["problems"][0]["code"], "xero_busy");
    assert_eq!(company.asked(Route::Employees).await, before);
    // Later it works, with the connection that there is.
    company.after_the_limit().await;
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed");
    everybody_is_imported_once(&company).await;
}

#[tokio::test]
async fn an_import_that_payroll_refuses_is_rejected_and_works_once_that_is_put_right() {
    let company = company().await;
    for status in [401, 403, 404] {
        company
            .script(Route::Employees, vec![Scripted::status(status)])
            .await;
        let upload = company.import_all().await;
        assert_eq!(upload.status(), "rejected", "{status}");
        assert_eq!(
            upload.problems(),
            [("xero_payroll_unavailable".to_owned(), None)]
        );
        assert_eq!(upload.rows("total"), 0);
        let report = company.portal.report(&upload).await;
        assert_eq!(report.len(), 1);
        assert_eq!(report[0]["code"], "xero_payroll_unavailable");
    }
    assert_eq!(company.portal.users().await.len(), 0);
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed");
    everybody_is_imported_once(&company).await;
}

/// Requirement 5 of `docs/xero.md`.
#[tokio::test]
async fn an_import_from_an_organisation_that_was_disconnected_in_xero_is_rejected() {
    let company = company().await;
    company.xero.disconnect(company.tenant).await;
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "rejected");
    assert_eq!(
        upload.problems(),
        [("xero_reconnect_needed".to_owned(), None)]
    );
    assert_eq!(company.asked(Route::Employees).await, 0);
    assert_eq!(company.overview().await["state"], "reconnect_needed");
    // Connected again, it works.
    company.connect().await;
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed");
    everybody_is_imported_once(&company).await;
}

#[tokio::test]
async fn while_xero_is_down_an_import_waits_for_the_sweep_and_is_then_made() {
    let company = company().await;
    let down = vec![
        Scripted::status(500),
        Scripted::reset(),
        Scripted::malformed(),
        Scripted::status(503),
        Scripted::lost(),
    ];
    company.script(Route::Employees, down).await;
    let id = company.begin(json!({"assign_courses": true})).await;
    asked(&company, 2).await;
    let waiting = company.upload(&id).await;
    assert_eq!(waiting.record["finished_at"], json!(null));
    assert_eq!(waiting.status(), "scanning");
    assert_eq!(company.overview().await["state"], "importing");
    let another = json!({"assign_courses": true});
    let another = company.call("POST", "/import", Some(another)).await;
    assert_eq!(another.refused(409).0, "import_running");
    // Nothing is due for a minute; the next sweep after that tries again, in vain.
    for times in [3, 5] {
        company
            .portal
            .make_due("XERO_IMPORT", "2026-01-02T03:04:05.678Z")
            .await;
        company.sweep().await;
        asked(&company, times).await;
        assert_eq!(company.upload(&id).await.status(), "scanning");
        assert_eq!(company.portal.users().await.len(), 0);
    }
    company
        .portal
        .make_due("XERO_IMPORT", "2026-01-02T03:04:05.678Z")
        .await;
    company.sweep().await;
    let upload = company.ended(&id).await;
    assert_eq!(upload.status(), "completed");
    assert_eq!(upload.rows("created"), 3);
    assert_eq!(company.portal.uploads().await.len(), 1);
    everybody_is_imported_once(&company).await;
}

#[tokio::test]
async fn an_import_that_was_tried_five_times_in_vain_has_failed_and_can_be_asked_for_again() {
    let company = company().await;
    let down = (0..5).map(|_| Scripted::malformed()).collect();
    company.script(Route::Employees, down).await;
    let id = company.begin(json!({"assign_courses": true})).await;
    for times in 1..5 {
        asked(&company, times).await;
        assert_eq!(
            company.upload(&id).await.record["finished_at"],
            json!(null),
            "{times}"
        );
        company.wake().await;
    }
    let upload = company.ended(&id).await;
    assert_eq!(upload.status(), "failed");
    assert_eq!(upload.problems(), [("xero_unavailable".to_owned(), None)]);
    assert_eq!(company.asked(Route::Employees).await, 5);
    assert_eq!(company.overview().await["state"], "connected");
    assert_eq!(company.portal.users().await.len(), 0);
    // Nothing is left to do of it.
    company.wake().await;
    assert_eq!(company.upload(&id).await.record, upload.record);
    assert_eq!(company.asked(Route::Employees).await, 5);
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed");
    everybody_is_imported_once(&company).await;
}
