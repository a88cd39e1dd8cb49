//! Who is told what of an upload: an event of every end, a mail where somebody has to act, and nothing personal in
//! either. What happens when they cannot be told is in the chaos tests.

use aws_sdk_s3::types::Object;
use end_to_end::{Listener, Mail, Portal, Upload};
use serde_json::{Value, json};

/// In every address, name, value and file name of these tests' files, and nowhere else.
const NEEDLE: &str = "Nadelheim";

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

fn row(n: u32) -> String {
    format!("{NEEDLE}.{n}@x.example,{NEEDLE},{NEEDLE},1,{NEEDLE},{NEEDLE}\n")
}

fn file(people: std::ops::Range<u32>) -> String {
    HEADER.to_owned() + &people.map(row).collect::<String>()
}

fn inactive(people: std::ops::Range<u32>) -> String {
    file(people).replace(",1,", ",0,")
}

/// A domain of the portal's own, for those who are told.
fn domain(portal: &Portal) -> String {
    format!("boss-{}.example", portal.id)
}

/// Ready, and two are told.
async fn portal() -> Portal {
    let portal = Portal::ready().await;
    tell(&portal, &["ann", "Bob"]).await;
    portal
}

async fn tell(portal: &Portal, names: &[&str]) {
    let domain = domain(portal);
    let emails: Vec<String> = names.iter().map(|it| format!("{it}@{domain}")).collect();
    portal
        .call(
            "PUT",
            "/feed/settings",
            Some(json!({"notify_emails": emails})),
        )
        .await
        .expect(200);
}

/// What the event of this end of an upload has to say.
fn detail(upload: &Upload, nth: u32, codes: &[&str]) -> Value {
    let record = &upload.record;
    json!({
        "notice_id": format!("{}.{nth}", upload.id()),
        "portal_id": record["portal_id"], "upload_id": record["upload_id"], "kind": "feed",
        "status": record["status"], "rehearsal": record["rehearsal"], "rows": record["rows"],
        "others": record["others"], "warnings": record["warnings"], "held": record["held"],
        "problem_codes": codes, "received_at": record["received_at"],
        "finished_at": record["finished_at"],
    })
}

fn told(event: &Value) -> &Value {
    assert_eq!(event["source"], "go1.user-feed");
    assert_eq!(event["detail-type"], "UploadFinished");
    &event["detail"]
}

/// Each mail has one recipient; these have had one of this upload.
fn recipients(mails: &[Mail], upload: &Upload) -> Vec<String> {
    let of_upload = mails.iter().filter(|it| it.text.contains(&upload.id()));
    let mut recipients: Vec<String> = of_upload
        .map(|mail| {
            assert_eq!(mail.to.len(), 1, "nobody sees who else is told");
            mail.to[0].split('@').next().unwrap().to_owned()
        })
        .collect();
    recipients.sort();
    recipients
}

fn nothing_personal(portal: &Portal, events: &[Value], mails: &[Mail]) {
    for event in events {
        let text = event.to_string();
        assert!(!text.contains(NEEDLE), "{text}");
        assert!(!text.contains('@'), "{text}");
    }
    for mail in mails {
        let text = format!("{}\n{}", mail.subject, mail.text);
        assert!(!text.contains(NEEDLE), "{text}");
        assert!(!text.contains('@'), "nobody's address: {text}");
        assert!(text.contains("A company"), "the portal's name: {text}");
        let page = portal.stack.output("PortalUrl");
        let link = format!("{page}/portals/{}/uploads/", portal.id);
        assert!(text.contains(&link), "{text}");
    }
}

#[tokio::test]
async fn every_end_is_an_event_and_who_has_to_act_has_a_mail_of_their_own() {
    let portal = portal().await;
    let mut listener = Listener::to(&portal).await;
    let name = |n: &str| format!("{NEEDLE}-{n}.csv");

    let completed = portal.upload(&name("a"), file(0..6)).await;
    assert_eq!(completed.status(), "completed");
    let problems = file(0..6) + &format!("{NEEDLE},{NEEDLE},,5,,\n") + &row(1);
    let problems = portal.upload(&name("b"), problems).await;
    assert_eq!(problems.status(), "completed_with_problems");
    let rehearsal = portal
        .upload(&format!("rehearsal/{NEEDLE}.csv"), format!("{NEEDLE}\n"))
        .await;
    assert_eq!(rehearsal.status(), "rejected");
    let rejected = portal.upload(&name("c"), format!("{NEEDLE}\n1\n")).await;
    assert_eq!(rejected.status(), "rejected");
    let held = portal.upload(&name("d"), inactive(0..5)).await;
    assert_eq!(held.status(), "held");

    let events = listener.events(5).await;
    let mails = listener.all_mails(&domain(&portal)).await;
    let missing = &["missing_header"][..];
    for (upload, codes, to) in [
        (&completed, &[][..], &[][..]),
        (&problems, &["invalid_email", "duplicate_row"], &[]),
        (&rehearsal, missing, &[]),
        (&rejected, missing, &["Bob", "ann"]),
        (&held, &[], &["Bob", "ann"]),
    ] {
        let event = events
            .iter()
            .map(told)
            .find(|it| it["upload_id"] == upload.id());
        let mut event = event.unwrap().clone();
        let mut expected = detail(upload, 1, codes);
        // Which mistakes of a row are named first is the report's matter.
        for detail in [&mut event, &mut expected] {
            let codes = detail["problem_codes"].as_array_mut().unwrap();
            codes.sort_by_key(Value::to_string);
        }
        assert_eq!(event, expected);
        assert_eq!(recipients(&mails, upload), to, "{}", upload.status());
    }
    assert_eq!((events.len(), mails.len()), (5, 4));
    nothing_personal(&portal, &events, &mails);
    let of_hold = mails
        .iter()
        .find(|it| it.text.contains(&held.id()))
        .unwrap();
    for part in ["People who would become inactive: 5", "(too_many_disables)"] {
        assert!(of_hold.text.contains(part), "{}", of_hold.text);
    }

    // Nobody hears anything twice, whoever comes by.
    assert_eq!(portal.deliver(rejected.key()).await, None);
    portal.invoke(json!({"portal_id": portal.id})).await;
    assert_eq!(listener.events(5).await.len(), 5);
    assert_eq!(listener.all_mails(&domain(&portal)).await.len(), 4);
}

/// The first end of an upload was told as it was then; what was decided is another one.
#[tokio::test]
async fn what_became_of_a_hold_is_an_event_of_its_own_whoever_decided_it() {
    for decision in ["approve", "reject", "superseded"] {
        let portal = portal().await;
        portal.upload("a.csv", file(0..6)).await;
        let mut listener = Listener::to(&portal).await;
        let held = portal.upload("b.csv", inactive(0..5)).await;
        assert_eq!(held.status(), "held");
        listener.events(1).await;
        let path = format!("/uploads/{}/held-disables", held.id());
        if decision == "superseded" {
            let reset = portal.call("DELETE", "/feed/mapping", None).await;
            reset.expect(204);
            // As the sweep does that finds it due.
            portal.invoke(json!({"portal_id": portal.id})).await;
        } else {
            let body = json!({"decision": decision});
            let answer = portal.call("POST", &path, Some(body)).await;
            assert!(answer.status.is_success(), "{}", answer.body);
        }
        let events = listener.events(2).await;
        let done = portal.processed(held.key(), 1).await;
        assert_eq!(done.record["held"]["decision"], decision);
        assert_eq!(*told(&events[0]), detail(&held, 1, &[]));
        assert_eq!(*told(&events[1]), detail(&done, 2, &[]));
        assert_ne!(told(&events[1])["status"], "held");
        // There was something to do, and then there was not.
        assert_eq!(listener.all_mails(&domain(&portal)).await.len(), 2);
    }
}

/// The file is deleted for good once its hold is approved and planned; or its mapping is gone, as here.
#[tokio::test]
async fn an_upload_that_is_given_up_is_told() {
    let portal = portal().await;
    let mut listener = Listener::to(&portal).await;
    let upload = portal.upload("a.csv", file(0..2)).await;
    listener.events(1).await;
    portal.set_back(&upload, "applying").await;
    let objects = work_of(&portal, &upload).await;
    assert!(!objects.is_empty());
    for object in objects {
        let bucket = portal.stack.output("ReportsBucketName");
        let request = portal.stack.s3().put_object().bucket(bucket);
        let request = request
            .key(object.key().unwrap())
            .body(vec![0xff; 9].into());
        request.send().await.unwrap();
    }
    portal.leave_to_the_sweep(&upload).await;
    portal.invoke(json!({"portal_id": portal.id})).await;
    let failed = portal.processed(upload.key(), 1).await;
    assert_eq!(failed.status(), "failed");
    let events = listener.events(2).await;
    assert_eq!(
        *told(&events[1]),
        detail(&failed, 1, &["processing_failed"])
    );
    let mails = listener.all_mails(&domain(&portal)).await;
    assert_eq!(recipients(&mails, &failed), ["Bob", "ann"]);
    nothing_personal(&portal, &events, &mails);
}

async fn work_of(portal: &Portal, upload: &Upload) -> Vec<Object> {
    let request = portal.stack.s3().list_objects_v2();
    let request = request.bucket(portal.stack.output("ReportsBucketName"));
    let prefix = format!("work/{}/{}/", portal.id, upload.id());
    let answer = request.prefix(prefix).send().await.unwrap();
    answer.contents.unwrap_or_default()
}

#[tokio::test]
async fn who_is_told_is_a_setting_of_up_to_twenty_addresses() {
    let portal = Portal::ready().await;
    let put = async |settings: Value| portal.call("PUT", "/feed/settings", Some(settings)).await;
    let many: Vec<String> = (0..21).map(|n| format!("p{n}@x.example")).collect();
    let twenty = put(json!({"notify_emails": many[1..]})).await.expect(200);
    assert_eq!(twenty["notify_emails"], json!(many[1..]));
    let shown = portal.call("GET", "/feed/settings", None).await.expect(200);
    assert_eq!(shown, twenty);
    for (wrong, values) in [
        (
            json!(["ann@x.example", " ANN@x.EXAMPLE"]),
            &["ANN@x.EXAMPLE"][..],
        ),
        (
            json!(["ann", "a@b.example, c@d.example"]),
            &["ann", "a@b.example, c@d.example"],
        ),
        (json!(many), &["21"]),
    ] {
        let answer = put(json!({"notify_emails": wrong})).await.expect(422);
        let problems = answer["problems"].as_array().unwrap();
        let of: Vec<_> = problems
            .iter()
            .map(|it| it["value"].as_str().unwrap())
            .collect();
        assert_eq!(of, values);
        assert!(problems.iter().all(|it| it["field"] == "notify_emails"));
    }
    for hours in [json!(0), json!(8_761)] {
        let answer = put(json!({"expect_file_every_hours": hours}))
            .await
            .expect(422);
        assert_eq!(answer["problems"][0]["field"], "expect_file_every_hours");
    }
    for wrong in [
        json!({"expect_file_every_hours": 1.5}),
        json!({"expect_file_every_hours": -1}),
        json!({"notify_emails": "ann@x.example"}),
        json!({"notify_emails": [1]}),
        json!({"notify_emails": null}),
    ] {
        assert_eq!(put(wrong).await.refused(422).0, "invalid_request");
    }
    let unchanged = portal.call("GET", "/feed/settings", None).await.expect(200);
    assert_eq!(unchanged, twenty);
}
