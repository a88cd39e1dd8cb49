//! Events come more than once and walks are taken up again: an upload happens once, and nobody is written
//! twice.

use end_to_end::Portal;
use mapping::identity::{Identity, UserId};
use serde_json::json;

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

fn rows(count: usize, job: &str) -> String {
    let rows: String = (0..count)
        .map(|n| format!("p{n}@x.example,Pat{n},Lee,1,{job},Perth\n"))
        .collect();
    format!("{HEADER}{rows}bad,Pat,Lee,1,{job},Perth\n")
}

#[tokio::test]
async fn the_same_event_delivered_again_is_one_upload_and_writes_to_nobody() {
    let portal = Portal::ready().await;
    let first = portal.upload("people.csv", rows(60, "Cook")).await;
    let (users, report) = (portal.users().await, portal.report(&first).await);
    for _ in 0..2 {
        assert_eq!(portal.deliver(first.key()).await, None);
    }
    assert_eq!(portal.uploads().await, std::slice::from_ref(&first.record));
    assert_eq!(portal.users().await, users);
    assert_eq!(portal.report(&first).await, report);
}

#[tokio::test]
async fn an_event_delivered_many_times_at_once_is_one_upload() {
    let portal = Portal::ready().await;
    let key = portal.put("people.csv", rows(300, "Cook")).await;
    let deliveries = (0..4).map(|_| portal.deliver(&key));
    // A delivery may find another one claiming at that very moment; Lambda repeats it then.
    let (_, upload) = tokio::join!(
        futures_util::future::join_all(deliveries),
        portal.processed(&key, 1)
    );
    // What had ended first stays as it ended, whoever came to the end after that.
    assert_eq!(portal.uploads().await, std::slice::from_ref(&upload.record));
    assert_eq!(
        ["total", "created", "not_processed"].map(|name| upload.rows(name)),
        [301, 300, 1]
    );
    assert_eq!(portal.deliver(&key).await, None);
    assert_eq!(portal.uploads().await, std::slice::from_ref(&upload.record));
    let users = portal.users().await;
    assert_eq!(users.len(), 300);
    assert!(users.values().all(|user| user.number("version") == 1));
    let created = portal
        .report(&upload)
        .await
        .iter()
        .filter(|line| line["outcome"] == "created")
        .count();
    assert_eq!(created, 300);
}

/// As after a crash between the first user and the last: the kept plan is applied, and what is written
/// already is recognised.
#[tokio::test]
async fn a_walk_that_is_taken_up_again_ends_as_if_nothing_had_happened() {
    let portal = Portal::ready().await;
    portal.upload("monday.csv", rows(40, "Cook")).await;
    let tuesday = rows(60, "Chef").replacen(",1,Chef", ",0,Chef", 5);
    let upload = portal.upload("tuesday.csv", tuesday).await;
    assert_eq!(
        ["created", "updated", "disabled", "not_processed"].map(|name| upload.rows(name)),
        [20, 35, 5, 1]
    );
    let (users, report) = (portal.users().await, portal.report(&upload).await);

    // Half of the people are as they were before the run, the others as it left them.
    let lost: Vec<&String> = users.keys().filter(|email| email.len() % 2 == 0).collect();
    for email in &lost {
        portal.forget(&users[*email]).await;
    }
    portal.set_back(&upload, "applying").await;
    assert_eq!(portal.deliver(upload.key()).await, None);

    let again = portal.processed(upload.key(), 1).await;
    let unlike = |name: &str| again.record[name] != upload.record[name];
    for name in [
        "status",
        "rows",
        "warnings",
        "problems",
        "report_ready",
        "mapping_version",
    ] {
        assert!(!unlike(name), "{name}: {}", again.record);
    }
    assert_eq!(portal.report(&again).await, report);
    let after = portal.users().await;
    assert_eq!(after.len(), users.len());
    for (email, user) in &users {
        if lost.contains(&email) {
            assert_eq!(after[email].text("job"), user.text("job"), "{email}");
        } else {
            assert_eq!(&after[email], user, "{email} was not written again");
        }
    }
}

/// As after a crash before the plan was kept: nobody was written, and everything is planned anew.
#[tokio::test]
async fn a_walk_that_broke_off_while_scanning_starts_over() {
    let portal = Portal::ready().await;
    let upload = portal.upload("people.csv", rows(10, "Cook")).await;
    for user in portal.users().await.values() {
        portal.forget(user).await;
    }
    portal.set_back(&upload, "scanning").await;
    assert_eq!(portal.deliver(upload.key()).await, None);
    let again = portal.processed(upload.key(), 1).await;
    assert_eq!(
        (&again.record["rows"], again.status()),
        (&upload.record["rows"], upload.status())
    );
    assert_eq!(portal.users().await.len(), 10);
}

/// p0@x.example was somebody who has another address by now: whoever has it next is somebody else.
#[tokio::test]
async fn an_address_that_was_somebody_elses_makes_a_new_person() {
    let portal = Portal::ready().await;
    portal.upload("a.csv", rows(1, "Cook")).await;
    let mut moved = portal.users().await.remove("p0@x.example").unwrap();
    moved.set_text("email", "moved@x.example");
    moved.set_text("email_key", "moved@x.example");
    portal.store(&moved).await;
    let upload = portal.upload("b.csv", rows(1, "Cook")).await;
    assert_eq!(upload.rows("created"), 1);
    let users = portal.users().await;
    let id = |n| {
        UserId::of(
            portal.id.parse().unwrap(),
            &Identity::Email("p0@x.example"),
            n,
        )
        .to_string()
    };
    assert_eq!(users["moved@x.example"].text("user_id"), id(0));
    assert_eq!(users["moved@x.example"], moved);
    assert_eq!(users["p0@x.example"].text("user_id"), id(1));
}

/// Somebody was changed outside the feed: the fingerprint is gone, and the next file puts the values right.
#[tokio::test]
async fn drift_is_put_right_by_the_next_file() {
    let portal = Portal::ready().await;
    portal.upload("a.csv", rows(3, "Cook")).await;
    let before = portal.users().await;
    let mut drifted = before["p1@x.example"].clone();
    drifted.set_text("first_name", "Patricia");
    drifted.remove("fingerprint");
    portal.store(&drifted).await;
    let upload = portal.upload("b.csv", rows(3, "Cook")).await;
    assert_eq!(
        ["updated", "unchanged"].map(|name| upload.rows(name)),
        [1, 2]
    );
    let after = portal.users().await;
    assert_eq!(
        (
            after["p1@x.example"].text("first_name"),
            after["p1@x.example"].number("version")
        ),
        ("Pat1", 2)
    );
    for email in ["p0@x.example", "p2@x.example"] {
        assert_eq!(after[email], before[email]);
    }
}

/// Between plan and write, people are changed elsewhere. Whoever is still who they were is decided again;
/// whoever has another address by now is left to the next file, with a warning.
#[tokio::test]
async fn whoever_is_changed_while_the_plan_is_applied_is_decided_again() {
    let portal = Portal::ready().await;
    let monday = portal.upload("monday.csv", rows(5, "Cook")).await;
    let upload = portal.upload("tuesday.csv", rows(5, "Chef")).await;
    assert_eq!(upload.rows("updated"), 5);
    let mut users = portal.users().await;
    let mut elsewhere = |email: &str, name: &str, value: &str| {
        let mut user = users.remove(email).unwrap();
        user.set_text(name, value);
        // Not written by this upload yet.
        user.set_text("last_write", &format!("{}#1", monday.id()));
        user
    };
    // p0 was renamed by somebody; p1 was touched and is as the row says; p2 has another address.
    let mut renamed = elsewhere("p0@x.example", "first_name", "Patrick");
    renamed.remove("fingerprint");
    let touched = elsewhere("p1@x.example", "first_name", "Pat1");
    let mut moved = elsewhere("p2@x.example", "email", "moved@x.example");
    moved.set_text("email_key", "moved@x.example");
    // p3 was written by this upload already, and renamed after that.
    let mut later = users["p3@x.example"].clone();
    later.set_text("first_name", "Patience");
    later.remove("fingerprint");
    for user in [&renamed, &touched, &moved, &later] {
        portal.store(user).await;
    }
    portal.set_back(&upload, "applying").await;
    assert_eq!(portal.deliver(upload.key()).await, None);

    let again = portal.processed(upload.key(), 1).await;
    assert_eq!(
        ["total", "updated", "unchanged", "not_processed"].map(|name| again.rows(name)),
        [6, 3, 2, 1]
    );
    assert_eq!(again.record["warnings"], 1);
    let report = portal.report(&again).await;
    let lines: Vec<_> = report
        .iter()
        .map(|line| {
            (
                line["row"].as_str(),
                line["outcome"].as_str(),
                line["code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("2", "updated", ""),
            ("4", "warning", "changed_meanwhile"),
            ("5", "updated", ""),
            ("6", "updated", ""),
            ("7", "not_processed", "invalid_email"),
        ]
    );
    let after = portal.users().await;
    assert_eq!(after["p0@x.example"].text("first_name"), "Pat0");
    assert_eq!(
        after["p0@x.example"].number("version"),
        renamed.number("version") + 1
    );
    assert_eq!(after["p1@x.example"], touched);
    assert_eq!(after["moved@x.example"], moved);
    assert_eq!(
        after["p3@x.example"], later,
        "what came after our write stays"
    );
    assert_eq!(after["p4@x.example"], users["p4@x.example"]);
    assert_eq!(after.len(), 5);

    // The next file knows the person with p2's address: somebody new.
    let next = portal.upload("wednesday.csv", rows(5, "Chef")).await;
    // And p3 is as the file says again.
    assert_eq!(
        ["created", "updated", "unchanged"].map(|name| next.rows(name)),
        [1, 1, 3]
    );
}

/// The run created p0 and died; somebody gave p0 another address. The row is not anybody new.
#[tokio::test]
async fn a_person_who_moves_right_after_being_created_is_not_created_again() {
    let portal = Portal::ready().await;
    let upload = portal.upload("a.csv", rows(2, "Cook")).await;
    let users = portal.users().await;
    let mut moved = users["p0@x.example"].clone();
    moved.set_text("email", "moved@x.example");
    moved.set_text("email_key", "moved@x.example");
    moved.remove("fingerprint");
    portal.store(&moved).await;
    portal.set_back(&upload, "applying").await;
    assert_eq!(portal.deliver(upload.key()).await, None);
    let again = portal.processed(upload.key(), 1).await;
    assert_eq!(again.record["rows"], upload.record["rows"]);
    let after = portal.users().await;
    assert_eq!(after.len(), 2);
    assert_eq!(after["moved@x.example"], moved);
}

/// The same version of the file once more: a new upload, for which nothing is left to do.
#[tokio::test]
async fn an_upload_is_replayed_as_a_new_one_and_writes_to_nobody_again() {
    let portal = Portal::ready().await;
    let first = portal.upload("people.csv", rows(20, "Cook")).await;
    let users = portal.users().await;
    let path = format!("/uploads/{}/replay", first.id());
    let accepted = portal.call("POST", &path, None).await.expect(202);
    assert_ne!(accepted["upload_id"], first.record["upload_id"]);
    assert_eq!(accepted["status"], "queued");
    let again = portal.processed(first.key(), 2).await;
    assert_eq!(again.record["upload_id"], accepted["upload_id"]);
    assert_eq!(
        ["total", "created", "unchanged", "not_processed"].map(|name| again.rows(name)),
        [21, 0, 20, 1]
    );
    assert_eq!(portal.users().await, users);
    assert_eq!(portal.uploads().await.len(), 2);

    // A newer version of the file was processed meanwhile: the older one comes too late, once more.
    let newer = portal.upload("people.csv", rows(20, "Chef")).await;
    assert_eq!(newer.rows("updated"), 20);
    portal.call("POST", &path, None).await.expect(202);
    let late = portal.processed(first.key(), 4).await;
    assert_eq!(late.status(), "rejected");
    assert_eq!(
        late.problems(),
        [("superseded_by_newer_file".to_owned(), None)]
    );
    assert!(
        portal
            .users()
            .await
            .values()
            .all(|user| user.custom("job") == Some("Chef"))
    );
}

#[tokio::test]
async fn an_upload_that_has_not_ended_is_not_replayed() {
    let portal = Portal::ready().await;
    let upload = portal.upload("people.csv", rows(1, "Cook")).await;
    portal.set_back(&upload, "applying").await;
    let path = format!("/uploads/{}/replay", upload.id());
    let refused = portal.call("POST", &path, None).await.refused(409);
    assert_eq!(refused.0, "upload_not_finished");
}

/// The worker died, and the event is gone: the schedule's sweep finds the upload and wakes its portal, by an
/// invocation of its own.
#[tokio::test]
async fn the_sweep_takes_up_what_nobody_else_does() {
    let portal = Portal::ready().await;
    let upload = portal.upload("people.csv", rows(10, "Cook")).await;
    let (users, report) = (portal.users().await, portal.report(&upload).await);
    portal.set_back(&upload, "applying").await;
    portal.leave_to_the_sweep(&upload).await;
    assert_eq!(portal.invoke(json!({"sweep": true})).await, None);
    let again = portal.processed(upload.key(), 1).await;
    assert_eq!(again.record["rows"], upload.record["rows"]);
    assert_eq!(portal.users().await, users);
    assert_eq!(portal.report(&again).await, report);
}
