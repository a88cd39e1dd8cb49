//! A portal has both, files and imports: one waits for the other, and neither undoes what the other has done.

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Company, Portal, employee};
use fake_xero::wire::{Route, Scripted};
use serde_json::json;
use std::time::{Duration, Instant};

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

const PATIENCE: Duration = Duration::from_secs(120);

/// So far away that nothing is due meanwhile.
const NOT_YET: &str = "2099-01-01T00:00:00.000Z";

fn row(n: u32) -> String {
    format!("p{n}@x.example,P{n},Lee,1,Cook,\n")
}

fn file(numbers: impl IntoIterator<Item = u32>) -> String {
    HEADER.to_owned() + &numbers.into_iter().map(row).collect::<String>()
}

/// As a worker has it who processes a file.
async fn put_lease(portal: &Portal) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let request = portal.stack.dynamodb().put_item();
    let request = request.table_name(portal.stack.output("FeedTableName"));
    let request = request
        .item("pk", text(&portal.id))
        .item("sk", text("LEASE"))
        .item("token", AttributeValue::N("700".to_owned()))
        .item("owner", text("a worker"))
        .item("expires_at", text(NOT_YET));
    request.send().await.unwrap();
}

/// As the worker gives it back.
async fn give_lease_back(portal: &Portal) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let request = portal.stack.dynamodb().update_item();
    let request = request.table_name(portal.stack.output("FeedTableName"));
    let request = request
        .key("pk", text(&portal.id))
        .key("sk", text("LEASE"))
        .update_expression("REMOVE #owner, expires_at")
        .expression_attribute_names("#owner", "owner");
    request.send().await.unwrap();
}

#[tokio::test]
async fn an_import_waits_while_a_file_is_processed_and_nothing_of_it_can_be_changed_meanwhile() {
    let company = Company::employing((1..=3).map(employee).collect()).await;
    let portal = &company.portal;
    put_lease(portal).await;
    let id = company.begin(json!({"assign_courses": true})).await;
    // Nobody reads or writes; and who wants something else is told why not.
    let choice = json!({"tenant_id": company.tenant});
    for (method, path, body) in [
        ("POST", "/import", Some(json!({"assign_courses": true}))),
        ("POST", "/connection", None),
        ("DELETE", "/connection", None),
        (
            "PUT",
            "/organisation",
            Some(json!({"tenant_id": company.tenant})),
        ),
    ] {
        let answer = company.call(method, path, body).await;
        if path == "/organisation" {
            // The one that is chosen already: nothing is changed.
            assert_eq!(answer.expect(200)["tenant_id"], choice["tenant_id"]);
        } else {
            assert_eq!(answer.refused(409).0, "import_running", "{method} {path}");
        }
    }
    assert_eq!(company.overview().await["state"], "importing");
    let waiting = company.upload(&id).await;
    assert_eq!(waiting.status(), "queued");
    assert_eq!(waiting.record["started_at"], json!(null));
    assert_eq!(company.asked(Route::Employees).await, 0);
    give_lease_back(portal).await;
    let upload = company.ended(&id).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 3));
    assert_eq!(portal.users().await.len(), 3);
}

/// The place in the queue of a file whose plan is kept, and whose worker has died over it. The upload is gone, so that
/// whoever works on the queue takes it out.
async fn put_planned_file(portal: &Portal) -> String {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let (at, upload) = ("2026-01-01T00:00:00.000Z", "01KAPTA7HZ0000000000000000");
    let sk = format!("QUEUE#{at}#{upload}");
    let order = [("received_at", text(at)), ("key", text("gone.csv"))];
    let order = order.map(|(name, value)| (name.to_owned(), value));
    let request = portal.stack.dynamodb().put_item();
    let request = request.table_name(portal.stack.output("FeedTableName"));
    let request = request
        .item("pk", text(&portal.id))
        .item("sk", text(&sk))
        .item("upload_id", text(upload))
        .item("order", AttributeValue::M(order.into()))
        .item("planned", AttributeValue::Bool(true))
        .item("work_shard", text("0"))
        .item("due_at", text(NOT_YET));
    request.send().await.unwrap();
    sk
}

/// A kept plan knows nothing of people who come in between: it comes to its end first, though nobody has the lease.
#[tokio::test]
async fn an_import_waits_for_a_file_that_is_applied_in_part() {
    let company = Company::employing((1..=3).map(employee).collect()).await;
    let portal = &company.portal;
    let planned = put_planned_file(portal).await;
    let id = company.begin(json!({"assign_courses": false})).await;
    let begun = Instant::now();
    while portal.item(&planned).await.is_some() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "nobody was woken"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Whoever worked on the queue was woken by the import, which had done nothing.
    assert_eq!(company.asked(Route::Employees).await, 0);
    company.wake().await;
    let upload = company.ended(&id).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 3));
}

#[tokio::test]
async fn an_import_that_has_waited_too_long_is_left_to_the_sweep() {
    let company = Company::employing((1..=3).map(employee).collect()).await;
    let portal = &company.portal;
    put_lease(portal).await;
    let id = company.begin(json!({"assign_courses": false})).await;
    // Comes by, waits for a while, and goes: as the one did whom the API has woken.
    let begun = Instant::now();
    company.wake().await;
    assert!(begun.elapsed() >= Duration::from_secs(20));
    assert_eq!(company.upload(&id).await.status(), "queued");
    assert_eq!(company.asked(Route::Employees).await, 0);
    give_lease_back(portal).await;
    company.sweep().await;
    let upload = company.ended(&id).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 3));
}

#[tokio::test]
async fn a_file_that_comes_during_an_import_is_processed_after_it() {
    let company = Company::employing((1..=3).map(employee).collect()).await;
    let portal = &company.portal;
    company
        .script(Route::Employees, vec![Scripted::delay_ms(3_000)])
        .await;
    let id = company.begin(json!({"assign_courses": true})).await;
    let begun = Instant::now();
    while company.asked(Route::Employees).await == 0 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let key = portal.put("a.csv", file(2..=4)).await;
    let fed = portal.processed(&key, 1).await;
    let import = company.upload(&id).await;
    assert_eq!(import.status(), "completed");
    assert!(import.record["finished_at"].as_str() <= fed.record["started_at"].as_str());
    // The file has found those whom the import had created, and manages them from now on.
    assert_eq!((fed.rows("created"), fed.rows("updated")), (1, 2));
    let users = portal.users().await;
    let managed = users.iter().filter(|(_, user)| user.is("feed_managed"));
    let managed: Vec<&str> = managed.map(|(email, _)| email.as_str()).collect();
    assert_eq!(managed, ["p2@x.example", "p3@x.example", "p4@x.example"]);
    assert_eq!(users["p1@x.example"].text("source"), "xero");
    assert_eq!(users["p2@x.example"].custom("job"), Some("Cook"));
}

#[tokio::test]
async fn whoever_a_file_has_not_named_yet_is_never_disabled_for_being_absent_from_it() {
    let company = Company::employing((1..=5).map(employee).collect()).await;
    let portal = &company.portal;
    let mut mapping = Portal::mapping();
    mapping["auto_disable"] = json!(true);
    let fields = mapping["fields"].as_array_mut().unwrap();
    fields.retain(|field| field["field"] != "status");
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(200);
    company.import_all().await;
    let imported = portal.users().await;
    portal.rests().await;

    // Night after night without them.
    for name in ["1.csv", "2.csv"] {
        let upload = portal.upload(name, file(10..=29)).await;
        assert_eq!(upload.status(), "completed");
        let users = portal.users().await;
        for (email, user) in &imported {
            assert_eq!(users[email], *user, "{email}");
        }
    }
    // A row is accepted for one of them, who is the feed's from then on.
    let with_one = file((10..=29).chain([2]));
    let upload = portal.upload("3.csv", with_one.clone()).await;
    assert_eq!(upload.rows("updated"), 1);
    let one = &portal.users().await["p2@x.example"];
    assert!(one.is("feed_managed") && one.text("source") == "xero");
    // Another import finds them so, and leaves them; the nightly file finds what it knows.
    company.given_back().await;
    company.connect().await;
    let before = portal.users().await;
    assert_eq!(company.import_all().await.rows("unchanged"), 5);
    assert_eq!(portal.users().await, before);
    portal.rests().await;
    let upload = portal.upload("4.csv", with_one).await;
    assert_eq!((upload.rows("unchanged"), upload.rows("total")), (21, 21));
    assert_eq!(portal.users().await, before);
    // Absent again: inactive, and nobody else of the imported is.
    let upload = portal.upload("5.csv", file(10..=29)).await;
    assert_eq!(upload.status(), "completed");
    let users = portal.users().await;
    let inactive = users
        .iter()
        .filter(|(_, user)| user.text("status") == "inactive");
    let inactive: Vec<&str> = inactive.map(|(email, _)| email.as_str()).collect();
    assert_eq!(inactive, ["p2@x.example"]);
    for n in [1, 3, 4, 5] {
        let email = format!("p{n}@x.example");
        assert_eq!(users[&email], imported[&email]);
    }
}
