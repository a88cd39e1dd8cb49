//! A file that does not come: noticed once, in the history, by an event and by mail; and again after the next gap.

use crate::operators::listed;
use end_to_end::{Listener, Portal};
use serde_json::{Value, json};

const FILE: &str = "Email,First,Last,Status,Job,Site\nann@x.example,Ann,Lee,1,,\n";

/// Long ago, so that it is due; no sweep of the clock's own can have been before it.
const GONE: &str = "2026-01-02T03:04:05.678Z";

/// Ready, and a file is expected every day.
async fn portal() -> Portal {
    let portal = Portal::ready().await;
    set(&portal, json!(24)).await;
    portal
}

async fn set(portal: &Portal, hours: Value) {
    let emails = json!([format!("ann@late-{}.example", portal.id)]);
    let settings = json!({"expect_file_every_hours": hours, "notify_emails": emails});
    portal
        .call("PUT", "/feed/settings", Some(settings))
        .await
        .expect(200);
}

/// What the portal waits for, and since when it is overdue.
async fn awaited(portal: &Portal) -> (Value, Value) {
    let feed = portal.call("GET", "", None).await.expect(200)["feed"].clone();
    (feed["expected_by"].clone(), feed["overdue_since"].clone())
}

/// As the sweep does that finds the portal due.
async fn look(portal: &Portal) {
    assert_eq!(portal.invoke(json!({"portal_id": portal.id})).await, None);
}

#[tokio::test]
async fn a_file_that_does_not_come_is_noticed_once_and_again_after_the_next_gap() {
    let portal = portal().await;
    let mut listener = Listener::to(&portal).await;
    let upload = portal.upload("a.csv", FILE).await;
    listener.events(1).await;
    let (expected_by, overdue_since) = awaited(&portal).await;
    let a_day_later = |received_at: &Value| {
        let received_at = received_at.as_str().unwrap();
        let (day, rest) = (&received_at[..10], &received_at[10..]);
        let expected_by = expected_by.as_str().unwrap();
        expected_by > received_at && expected_by.ends_with(rest) && !expected_by.starts_with(day)
    };
    assert!(a_day_later(&upload.record["received_at"]), "{expected_by}");
    assert_eq!(overdue_since, Value::Null);
    look(&portal).await;
    assert_eq!(portal.uploads().await.len(), 1, "there is time");

    portal.make_due("EXPECTED", GONE).await;
    // The sweep finds it, and whoever else comes by changes nothing.
    assert_eq!(portal.invoke(json!({"sweep": true})).await, None);
    let events = listener.events(2).await;
    look(&portal).await;
    assert_eq!(awaited(&portal).await, (json!(GONE), json!(GONE)));
    // Operators see it, and the last file that there was.
    let line = listed(&portal).await;
    assert_eq!(line["overdue_since"], GONE);
    assert_eq!(line["last_file"]["upload_id"], upload.id());
    let uploads = portal.uploads().await;
    assert_eq!(uploads.len(), 2);
    let missing = uploads.last().unwrap();
    let id = missing["upload_id"].as_str().unwrap();
    for (field, expected) in [
        ("status", json!("rejected")),
        ("kind", json!("feed")),
        ("key", json!("")),
        ("file_name", json!("")),
        ("received_at", json!(GONE)),
        ("rehearsal", json!(false)),
        ("report_ready", json!(false)),
    ] {
        assert_eq!(missing[field], expected, "{field}");
    }
    assert_eq!(missing["problems"][0]["code"], "file_overdue");
    assert_eq!(missing["problems"][0]["severity"], "file");
    assert_eq!(events[1]["detail-type"], "FileOverdue");
    assert_eq!(
        events[1]["detail"],
        json!({
            "notice_id": format!("{id}.1"), "portal_id": portal.id, "upload_id": id,
            "expected_by": GONE, "expect_file_every_hours": 24,
        })
    );
    let domain = format!("late-{}.example", portal.id);
    let mails = listener.all_mails(&domain).await;
    assert_eq!(mails.len(), 1);
    assert!(mails[0].text.contains("(file_overdue)") && mails[0].text.contains("24 hours"));
    assert!(!mails[0].text.contains('@'));

    // A file that is rejected has come all the same.
    let next = portal.upload("b.csv", "").await;
    assert_eq!(next.status(), "rejected");
    let (expected_by, overdue_since) = awaited(&portal).await;
    assert!(expected_by.as_str() > next.record["received_at"].as_str());
    assert_eq!(overdue_since, Value::Null);
    assert_eq!(portal.uploads().await.len(), 3);

    let later = GONE.replace("2026-01-02", "2026-01-03");
    portal.make_due("EXPECTED", &later).await;
    look(&portal).await;
    let events = listener.events(4).await;
    assert_eq!(events[3]["detail"]["expected_by"], json!(later));
    assert_eq!(awaited(&portal).await, (json!(later), json!(later)));
    assert_eq!(portal.uploads().await.len(), 4);
    assert_eq!(listener.events(4).await.len(), 4);
}

/// The record stands in the history and has no part in anything else.
#[tokio::test]
async fn a_file_that_did_not_come_can_be_neither_replayed_nor_downloaded_nor_decided() {
    let portal = Portal::ready().await;
    set(&portal, json!(1)).await;
    let people = |status: u32| {
        let row = |n| format!("p{n}@x.example,Pat,Lee,{status},,\n");
        FILE.lines().next().unwrap().to_owned() + "\n" + &(0..6).map(row).collect::<String>()
    };
    portal.upload("a.csv", people(1)).await;
    let held = portal.upload("b.csv", people(0)).await;
    assert_eq!(held.status(), "held");
    let before = portal.item("PORTAL").await;
    portal.make_due("EXPECTED", GONE).await;
    look(&portal).await;
    let uploads = portal.uploads().await;
    assert_eq!(uploads.len(), 3);
    let path = format!("/uploads/{}", uploads[2]["upload_id"].as_str().unwrap());
    let call = async |method: &str, what: &str, body: Option<Value>| {
        portal.call(method, &format!("{path}{what}"), body).await
    };
    assert_eq!(call("GET", "", None).await.expect(200), uploads[2]);
    assert_eq!(
        call("POST", "/replay", None).await.refused(409).0,
        "file_gone"
    );
    for what in ["/report", "/rejected"] {
        assert_eq!(call("GET", what, None).await.refused(404).0, "no_report");
    }
    let nobody = call("GET", "/held-disables", None).await.expect(200);
    assert_eq!(nobody["items"], json!([]));
    let approve = json!({"decision": "approve"});
    let refused = call("POST", "/held-disables", Some(approve)).await;
    assert_eq!(refused.refused(409).0, "nothing_held");
    assert_eq!(portal.uploads().await, uploads);
    // Baseline, order and the open hold are as they were.
    assert_eq!(portal.item("PORTAL").await, before);
}

#[tokio::test]
async fn nobody_waits_for_a_file_while_the_feed_is_withdrawn_or_reset_or_the_setting_is_off() {
    for stop in ["withdrawn", "reset", "off"] {
        let portal = portal().await;
        let (method, path, body) = match stop {
            "withdrawn" => ("DELETE", "/feed/authorisation", None),
            "reset" => ("DELETE", "/feed/mapping", None),
            _ => ("PUT", "/feed/settings", Some(json!({}))),
        };
        let answer = portal.call(method, path, body).await;
        assert!(answer.status.is_success());
        assert_eq!(awaited(&portal).await, (Value::Null, Value::Null), "{stop}");
        if stop != "off" {
            portal.make_due("EXPECTED", GONE).await;
        }
        look(&portal).await;
        assert_eq!(portal.uploads().await, Vec::<Value>::new(), "{stop}");
        assert_eq!(portal.item("EXPECTED").await, None, "{stop}");

        // When it begins again, so does the waiting.
        match stop {
            "withdrawn" => {
                _ = portal
                    .call("PUT", "/feed/authorisation", None)
                    .await
                    .expect(201)
            }
            "reset" => {
                let mapping = Some(Portal::mapping());
                portal
                    .call("PUT", "/feed/mapping", mapping)
                    .await
                    .expect(201);
            }
            _ => set(&portal, json!(24)).await,
        }
        assert!(awaited(&portal).await.0.is_string(), "{stop}");
        portal.make_due("EXPECTED", GONE).await;
        look(&portal).await;
        assert_eq!(portal.uploads().await.len(), 1, "{stop}");
    }
}

#[tokio::test]
async fn files_authorising_and_another_setting_move_the_time_and_nothing_else_does() {
    let portal = portal().await;
    let by = async || awaited(&portal).await.0.as_str().unwrap().to_owned();
    let first = by().await;
    // None of these is a file that has come, or a feed that begins.
    portal.upload("rehearsal/a.csv", FILE).await;
    set(&portal, json!(24)).await;
    let mapping = Some(Portal::mapping());
    portal
        .call("PUT", "/feed/mapping", mapping)
        .await
        .expect(200);
    assert_eq!(by().await, first);

    let upload = portal.upload("a.csv", FILE).await;
    let second = by().await;
    assert!(second > first);
    let replay = format!("/uploads/{}/replay", upload.id());
    portal.call("POST", &replay, None).await.expect(202);
    portal.processed(upload.key(), 2).await;
    // Told late: its time was long before.
    portal.put("late.csv", FILE).await;
    portal
        .processed(&format!("{}/late.csv", portal.id), 1)
        .await;
    let third = by().await;
    assert!(third > second);
    assert_eq!(
        portal.deliver(&format!("{}/late.csv", portal.id)).await,
        None
    );
    assert_eq!(by().await, third);

    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(200);
    let fourth = by().await;
    assert!(fourth > third);
    set(&portal, json!(1)).await;
    assert!(by().await < fourth);

    // Overdue, and no file comes: who authorises anew begins anew.
    portal.make_due("EXPECTED", GONE).await;
    look(&portal).await;
    assert_eq!(awaited(&portal).await.1, json!(GONE));
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(200);
    assert_eq!(awaited(&portal).await.1, Value::Null);
}
