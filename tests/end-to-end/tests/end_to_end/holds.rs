//! Holds: what ends them, who decides, and that nobody is touched before.

use end_to_end::{Portal, StoredUser, Upload};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const FIELDS: [(&str, &str); 3] = [
    ("email", "Email"),
    ("first_name", "First"),
    ("last_name", "Last"),
];

fn mapping() -> Value {
    let fields = FIELDS.map(|(field, column)| json!({"field": field, "column": column}));
    json!({"fields": fields, "auto_disable": true})
}

/// Each file is the whole population.
async fn portal() -> Portal {
    let portal = Portal::set_up().await;
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    portal
        .call("PUT", "/feed/mapping", Some(mapping()))
        .await
        .expect(201);
    portal
}

fn file(people: std::ops::Range<u32>, domain: &str) -> String {
    let rows = people.map(|n| format!("p{n}@{domain},Pat{n},Lee\n"));
    format!("Email,First,Last\n{}", rows.collect::<String>())
}

/// Ten people, of whom seven leave: more than half.
async fn held() -> (Portal, Upload, BTreeMap<String, StoredUser>) {
    let portal = portal().await;
    portal.upload("monday.csv", file(0..10, "x.example")).await;
    let upload = portal.upload("tuesday.csv", file(0..3, "x.example")).await;
    assert_eq!(upload.status(), "held");
    assert_eq!(upload.record["held"]["reason"], "too_many_disables");
    let users = portal.users().await;
    assert!(
        users
            .values()
            .all(|user| user.text("status") == "active" && user.number("version") == 1)
    );
    (portal, upload, users)
}

async fn decide(portal: &Portal, upload: &Upload, decision: &str) -> end_to_end::Answer {
    let path = format!("/uploads/{}/held-disables", upload.id());
    portal
        .call("POST", &path, Some(json!({"decision": decision})))
        .await
}

async fn seen(portal: &Portal, upload: &Upload) -> Value {
    portal
        .call("GET", &format!("/uploads/{}", upload.id()), None)
        .await
        .expect(200)
}

#[tokio::test]
async fn what_is_rejected_is_not_done_and_the_next_file_is_judged_anew() {
    let (portal, upload, users) = held().await;
    let rejected = decide(&portal, &upload, "reject").await.expect(200);
    assert_eq!(
        (&rejected["status"], &rejected["held"]["decision"]),
        (&json!("completed"), &json!("reject"))
    );
    assert_eq!(portal.users().await, users);
    for decision in ["approve", "reject"] {
        assert_eq!(
            decide(&portal, &upload, decision).await.refused(409).0,
            "nothing_held"
        );
    }
    let again = portal
        .upload("wednesday.csv", file(0..3, "x.example"))
        .await;
    assert_eq!(again.status(), "held");
    assert_eq!(portal.users().await, users);
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_is_heard() {
    let (portal, upload, _) = held().await;
    let (first, second) = tokio::join!(
        decide(&portal, &upload, "approve"),
        decide(&portal, &upload, "approve")
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    let done = portal.processed(upload.key(), 1).await;
    assert_eq!(
        (done.status(), &done.record["others"]["disabled"]),
        ("completed", &json!(7))
    );
    let users = portal.users().await;
    for (email, user) in &users {
        let stays = ["p0@x.example", "p1@x.example", "p2@x.example"].contains(&email.as_str());
        let expected = if stays {
            ("active", 1)
        } else {
            ("inactive", 2)
        };
        assert_eq!(
            (user.text("status"), user.number("version")),
            expected,
            "{email}"
        );
    }
    // The approved file is what the next one is compared with, and it changes nobody.
    let again = portal
        .upload("wednesday.csv", file(0..3, "x.example"))
        .await;
    assert_eq!((again.status(), again.rows("unchanged")), ("completed", 3));
    assert_eq!(portal.users().await, users);
}

/// A mapping that is saved or reset, an authorisation that is withdrawn: what was held waited for something else.
#[tokio::test]
async fn a_hold_ends_with_a_new_mapping_or_a_withdrawn_authorisation() {
    for change in ["mapping", "reset", "authorisation"] {
        let (portal, upload, users) = held().await;
        match change {
            "mapping" => {
                _ = portal
                    .call("PUT", "/feed/mapping", Some(mapping()))
                    .await
                    .expect(200)
            }
            "reset" => {
                let reset = portal.call("DELETE", "/feed/mapping", None).await;
                assert_eq!(reset.status, 204);
            }
            _ => assert_eq!(
                portal
                    .call("DELETE", "/feed/authorisation", None)
                    .await
                    .status,
                204
            ),
        }
        let ended = seen(&portal, &upload).await;
        assert_eq!(
            (&ended["status"], &ended["held"]["decision"]),
            (&json!("completed"), &json!("superseded"))
        );
        assert_eq!(
            decide(&portal, &upload, "approve").await.refused(409).0,
            "hold_superseded"
        );
        assert_eq!(portal.users().await, users);
    }
}

/// The stop is meant for what waits too, also if somebody gives the authorisation again before it is looked at.
#[tokio::test]
async fn an_authorisation_that_was_withdrawn_and_given_again_does_not_bring_a_hold_back() {
    let (portal, upload, users) = held().await;
    let gone = portal.call("DELETE", "/feed/authorisation", None).await;
    assert_eq!(gone.status, 204);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let refused = decide(&portal, &upload, "approve").await;
    assert_eq!(refused.refused(409).0, "hold_superseded");
    assert_eq!(portal.users().await, users);
}

/// The replay of a held file holds the same again; only one of them can be decided.
#[tokio::test]
async fn a_replay_of_a_held_upload_takes_its_place() {
    let (portal, upload, users) = held().await;
    let path = format!("/uploads/{}/replay", upload.id());
    portal.call("POST", &path, None).await.expect(202);
    let again = portal.processed(upload.key(), 2).await;
    assert_eq!(
        (again.status(), &again.record["held"]["disables"]),
        ("held", &json!(7))
    );
    let first = seen(&portal, &upload).await;
    assert_eq!(first["held"]["decision"], "superseded");
    let refused = decide(&portal, &upload, "approve").await;
    assert_eq!(refused.refused(409).0, "hold_superseded");
    assert_eq!(portal.users().await, users);
    decide(&portal, &again, "approve").await.expect(202);
    let path = format!("/uploads/{}", again.id());
    let begun = std::time::Instant::now();
    while portal.call("GET", &path, None).await.expect(200)["finished_at"].is_null() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let inactive = |user: &&StoredUser| user.text("status") == "inactive";
    assert_eq!(portal.users().await.values().filter(inactive).count(), 7);
}

/// The list of whom a hold is about goes after 30 days, as reports do.
#[tokio::test]
async fn a_list_that_has_expired_says_so_and_a_made_up_cursor_finds_nobody() {
    let (portal, upload, _) = held().await;
    let path = format!("/uploads/{}/held-disables", upload.id());
    for cursor in ["1000000", "18446744073709551615"] {
        let page = portal
            .call("GET", &format!("{path}?cursor={cursor}"), None)
            .await;
        assert_eq!(page.expect(200), json!({"items": [], "cursor": null}));
    }
    let page = portal.call("GET", &format!("{path}?cursor=x"), None).await;
    assert_eq!(page.refused(422).0, "invalid_value");
    let key = format!("work/{}/{}/held.csv", portal.id, upload.id());
    let bucket = portal.stack.output("ReportsBucketName");
    let delete = portal.stack.s3().delete_object().bucket(bucket).key(key);
    delete.send().await.unwrap();
    let gone = portal.call("GET", &path, None).await;
    assert_eq!(gone.refused(404).0, "report_expired");
}

/// A new mail domain looks as if everybody left and others came.
#[tokio::test]
async fn with_a_new_mail_domain_creates_are_held_too_and_shown_and_approved() {
    let portal = portal().await;
    portal
        .upload("monday.csv", file(0..10, "old.example"))
        .await;
    let users = portal.users().await;
    let upload = portal
        .upload("tuesday.csv", file(0..10, "new.example"))
        .await;
    assert_eq!(upload.status(), "held");
    let expected = json!({"disables": 10, "creates": 10, "reason": "identity_changed"});
    assert_eq!(upload.record["held"], expected);
    assert_eq!((upload.rows("created"), upload.rows("unchanged")), (0, 10));
    assert_eq!(portal.users().await, users);

    let path = format!("/uploads/{}/held-disables?limit=100", upload.id());
    let held = portal.call("GET", &path, None).await.expect(200);
    let mut shown: Vec<(String, String, String)> = held["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap().to_owned();
            (text("action"), text("email"), text("first_name"))
        })
        .collect();
    shown.sort();
    let line = |action: &str, n: u32, domain: &str| {
        (
            action.to_owned(),
            format!("p{n}@{domain}"),
            format!("Pat{n}"),
        )
    };
    let mut expected: Vec<_> = (0..10).map(|n| line("create", n, "new.example")).collect();
    expected.extend((0..10).map(|n| line("disable", n, "old.example")));
    assert_eq!(shown, expected);

    decide(&portal, &upload, "approve").await.expect(202);
    let done = portal.processed(upload.key(), 1).await;
    assert_eq!(
        (done.rows("created"), &done.record["others"]["disabled"]),
        (10, &json!(10))
    );
    let after = portal.users().await;
    assert_eq!(after.len(), 20);
    for (email, user) in &after {
        let is_new = email.ends_with("new.example");
        let expected = if is_new {
            ("active", 1)
        } else {
            ("inactive", 2)
        };
        assert_eq!(
            (user.text("status"), user.number("version")),
            expected,
            "{email}"
        );
    }
    assert_eq!(portal.report(&done).await.len(), 20);
}

#[tokio::test]
async fn a_rehearsal_shows_what_would_be_held_and_neither_holds_nor_ends_a_hold() {
    let (portal, upload, users) = held().await;
    let rehearsal = portal
        .upload("rehearsal/all.csv", file(0..2, "x.example"))
        .await;
    assert_eq!(rehearsal.status(), "completed");
    assert_eq!(rehearsal.record["held"]["disables"], 8);
    let report = portal.report(&rehearsal).await;
    assert_eq!(
        report
            .iter()
            .filter(|line| line["outcome"] == "held")
            .count(),
        8
    );
    assert_eq!(portal.users().await, users);
    let path = format!("/uploads/{}/held-disables", rehearsal.id());
    assert_eq!(
        portal.call("GET", &path, None).await.expect(200)["items"],
        json!([])
    );
    assert_eq!(
        decide(&portal, &rehearsal, "approve").await.refused(409).0,
        "nothing_held"
    );
    assert_eq!(seen(&portal, &upload).await["status"], "held");
}

/// A file in which every row is wrong says nothing about who is there.
#[tokio::test]
async fn a_file_without_an_accepted_row_disables_nobody_and_ends_no_hold() {
    let (portal, upload, users) = held().await;
    let bad = portal
        .upload("bad.csv", "Email,First,Last\nnobody,No,Body\n")
        .await;
    assert_eq!(
        (bad.status(), bad.rows("not_processed")),
        ("completed_with_problems", 1)
    );
    assert_eq!(portal.users().await, users);
    assert_eq!(seen(&portal, &upload).await["status"], "held");
}

/// The event of a held file is delivered once more, and the sweep comes by: nothing happens.
#[tokio::test]
async fn a_held_upload_rests_until_it_is_decided() {
    let (portal, upload, users) = held().await;
    assert_eq!(portal.deliver(upload.key()).await, None);
    portal.invoke(json!({"sweep": true})).await;
    portal.invoke(json!({"portal_id": portal.id})).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(seen(&portal, &upload).await, upload.record);
    assert_eq!(portal.users().await, users);
}

/// The version of the file that was held is deleted before somebody approves: nothing can be done any more.
#[tokio::test]
async fn an_approval_whose_file_has_gone_comes_too_late() {
    let portal = portal().await;
    portal
        .upload("monday.csv", file(0..10, "old.example"))
        .await;
    let upload = portal
        .upload("tuesday.csv", file(0..10, "new.example"))
        .await;
    let users = portal.users().await;
    let (s3, bucket) = (portal.stack.s3(), portal.stack.output("FeedBucketName"));
    let head = s3
        .head_object()
        .bucket(&bucket)
        .key(upload.key())
        .send()
        .await
        .unwrap();
    let version = head.version_id.unwrap();
    let delete = s3.delete_object().bucket(&bucket).key(upload.key());
    delete.version_id(version).send().await.unwrap();
    decide(&portal, &upload, "approve").await.expect(202);
    let ended = portal.processed(upload.key(), 1).await;
    assert_eq!(ended.record["held"]["decision"], "superseded");
    assert_eq!(portal.users().await, users);
}

#[tokio::test]
async fn the_limits_are_settings_of_the_portal() {
    let portal = portal().await;
    let shown = portal.call("GET", "/feed/settings", None).await.expect(200);
    assert_eq!(
        shown,
        json!({
            "disable_limit_percent": 10, "disable_limit_floor": 20, "hold_on_malformed_rows": true,
            "expect_file_every_hours": null, "notify_emails": [],
        })
    );
    for (wrong, field) in [
        (
            json!({"disable_limit_percent": 101}),
            "disable_limit_percent",
        ),
        (
            json!({"disable_limit_floor": 10_000_001}),
            "disable_limit_floor",
        ),
    ] {
        let answer = portal.call("PUT", "/feed/settings", Some(wrong)).await;
        let problems = answer.expect(422)["problems"].clone();
        assert_eq!(problems[0]["field"], field);
    }
    for wrong in [
        json!({"disable_limit_percent": -1}),
        json!({"floor": 1}),
        json!([]),
    ] {
        let answer = portal.call("PUT", "/feed/settings", Some(wrong)).await;
        assert_eq!(answer.refused(422).0, "invalid_request");
    }
    // Two of ten are within the limits, until the limits are others.
    portal.upload("monday.csv", file(0..10, "x.example")).await;
    let strict = json!({
        "disable_limit_percent": 0, "disable_limit_floor": 1, "hold_on_malformed_rows": false,
        "expect_file_every_hours": null, "notify_emails": [],
    });
    let stored = portal
        .call("PUT", "/feed/settings", Some(strict.clone()))
        .await
        .expect(200);
    assert_eq!(stored, strict);
    let one = portal.upload("tuesday.csv", file(0..9, "x.example")).await;
    assert_eq!(
        (one.status(), &one.record["others"]["disabled"]),
        ("completed", &json!(1))
    );
    let two = portal
        .upload("wednesday.csv", file(0..7, "x.example"))
        .await;
    assert_eq!(
        (two.status(), &two.record["held"]["disables"]),
        ("held", &json!(2))
    );
}

/// A row with a wrong number of cells may be the missing person's.
#[tokio::test]
async fn somebody_who_is_missing_beside_a_malformed_row_is_held() {
    let portal = portal().await;
    portal.upload("monday.csv", file(0..10, "x.example")).await;
    let malformed = file(0..8, "x.example") + "p8@x.example,Pat8\n";
    let upload = portal.upload("tuesday.csv", malformed).await;
    assert_eq!(
        upload.record["held"],
        json!({"disables": 1, "creates": 0, "reason": "malformed_rows"})
    );
    // p8 counts as present; p9 waits.
    let path = format!("/uploads/{}/held-disables", upload.id());
    let held = portal.call("GET", &path, None).await.expect(200);
    assert_eq!(held["items"][0]["email"], "p9@x.example");
}
