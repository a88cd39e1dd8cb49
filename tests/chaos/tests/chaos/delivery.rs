//! Events come twice, late, in any order and all at once; workers wake up when nobody expects them any more;
//! files are replaced and deleted under the run's hands.

use crate::portals::{PATIENCE, difference, ended, event_of, monday, undisturbed, week};
use chaos::{Cloud, FaultProxy, Faults, Lambda, Portal, Settings, Worker, process_upload, within};
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A function, and a proxy before it that can hold its calls.
struct Stage {
    cloud: Cloud,
    proxy: FaultProxy,
    lambda: Lambda,
}

impl Stage {
    async fn set() -> Self {
        Stage::with(None).await
    }

    /// With no more than so many workers at a time.
    async fn with(concurrency: Option<usize>) -> Self {
        let cloud = Cloud::create().await;
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        let environment = cloud.environment(&proxy.endpoint());
        let settings = Settings {
            timeout: Duration::from_secs(60),
            concurrency,
            ..Settings::default()
        };
        let lambda = Lambda::start(process_upload(), environment, settings);
        Stage {
            cloud,
            proxy,
            lambda,
        }
    }

    /// The worker that stands at a held call.
    async fn held(&self) -> Worker {
        within(PATIENCE, "worker at a held call", || {
            (self.proxy.held() > 0)
                .then(|| self.lambda.busy().pop())
                .flatten()
        })
        .await
    }
}

fn one(email: &str, job: &str) -> String {
    format!("Email,First,Last,Status,Job,Group\n{email},Pat,Lee,1,{job},7\n")
}

async fn jobs(portal: &Portal<'_>) -> Vec<(String, String)> {
    let view = portal.view().await;
    let job = |user: &Value| user["custom"]["job"].as_str().unwrap().to_owned();
    view.people
        .iter()
        .map(|(email, user)| (email.clone(), job(user)))
        .collect()
}

async fn statuses(portal: &Portal<'_>) -> Vec<String> {
    let uploads = portal.uploads().await;
    uploads
        .iter()
        .map(|upload| upload["status"].as_str().unwrap().to_owned())
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[tokio::test]
async fn ten_deliveries_at_once_for_one_portal_and_for_fifty_are_one_upload_each() {
    // Two cores run some dozens of processes; the other events wait, as Lambda's do.
    let stage = Stage::with(Some(24)).await;
    for portals in [1, 50] {
        let portals = join_all((0..portals).map(|_| Portal::ready(&stage.cloud))).await;
        let events = join_all(
            portals
                .iter()
                .map(|portal| portal.put("a.csv", monday(20), 0)),
        )
        .await;
        for _ in 0..10 {
            events
                .iter()
                .for_each(|event| stage.lambda.invoke(event.clone()));
        }
        for portal in &portals {
            ended(portal, &stage.lambda, 1).await;
        }
        stage.lambda.wait_idle(PATIENCE).await;
        for portal in &portals {
            let view = portal.view().await;
            assert_eq!((view.people.len(), view.uploads.len()), (20, 1));
            assert!(view.people.values().all(|user| user["version"] == 1));
        }
    }
    assert_eq!(stage.lambda.given_up(), Vec::<Value>::new());
    stage.cloud.tear_down().await;
}

#[tokio::test]
async fn files_of_different_keys_are_each_applied_whatever_their_order() {
    let stage = Stage::set().await;
    for late_first in [false, true] {
        let portal = Portal::ready(&stage.cloud).await;
        let mut events = vec![
            portal.put("a.csv", one("a@x.example", "Cook"), 1).await,
            portal.put("b.csv", one("b@x.example", "Chef"), 2).await,
        ];
        if late_first {
            events.reverse();
        }
        for event in events {
            assert_eq!(stage.lambda.call(event).await, Ok(Value::Null));
        }
        assert_eq!(
            jobs(&portal).await,
            pairs(&[("a@x.example", "Cook"), ("b@x.example", "Chef")])
        );
        assert_eq!(statuses(&portal).await, ["completed", "completed"]);
    }
    stage.cloud.tear_down().await;
}

/// Each file is the whole population: who is in the newer one alone stays, who is in the older one alone goes.
#[tokio::test]
async fn with_auto_disable_an_older_file_of_another_key_comes_too_late() {
    let stage = Stage::set().await;
    let header = "No,Email,First,Last,Boss,Job,Group";
    let row = |n: u32| format!("E{n},e{n}@x.example,Pat,Lee,,Cook,");
    let file = |rows: &[u32]| {
        let rows: Vec<String> = rows.iter().map(|n| row(*n)).collect();
        format!("{header}\n{}\n", rows.join("\n"))
    };
    for late_first in [false, true] {
        let portal = Portal::of_everybody(&stage.cloud).await;
        let first = portal.put("0.csv", file(&[1, 2, 3, 4]), 1).await;
        assert_eq!(stage.lambda.call(first).await, Ok(Value::Null));
        let mut events = vec![
            portal.put("a.csv", file(&[1, 2, 3, 5]), 2).await,
            portal.put("b.csv", file(&[1, 2, 4, 5]), 3).await,
        ];
        if late_first {
            events.reverse();
        }
        for event in events.iter().chain(&events.clone()) {
            assert_eq!(stage.lambda.call(event.clone()).await, Ok(Value::Null));
        }
        let people = portal.view().await.people;
        let status = |n: u32| people[&format!("e{n}@x.example")]["status"].clone();
        assert_eq!(
            [1, 2, 3, 4, 5].map(status),
            ["active", "active", "inactive", "active", "active"]
        );
        // In the first order p4 left and came back; in the other nobody ever left but p3.
        let version = people["e4@x.example"]["version"].as_u64();
        assert_eq!(version, Some(if late_first { 1 } else { 3 }));
        let mut ends = statuses(&portal).await;
        ends.sort();
        let late = if late_first { "rejected" } else { "completed" };
        assert_eq!(ends, ["completed", "completed", late]);
    }
    stage.cloud.tear_down().await;
}

#[tokio::test]
async fn an_older_version_of_a_key_is_not_applied_over_a_newer_one() {
    let stage = Stage::set().await;
    for late_first in [false, true] {
        let portal = Portal::ready(&stage.cloud).await;
        // In the same second: then the sequencer tells.
        let mut events = vec![
            portal.put("a.csv", one("a@x.example", "Cook"), 9).await,
            portal.put("a.csv", one("a@x.example", "Chef"), 10).await,
        ];
        let time = events[0]["Records"][0]["eventTime"].clone();
        events[1]["Records"][0]["eventTime"] = time;
        if late_first {
            events.reverse();
        }
        for event in events.iter().chain(&events.clone()) {
            assert_eq!(stage.lambda.call(event.clone()).await, Ok(Value::Null));
        }
        assert_eq!(jobs(&portal).await, pairs(&[("a@x.example", "Chef")]));
        let mut ends = statuses(&portal).await;
        ends.sort();
        assert_eq!(
            ends,
            [
                "completed",
                if late_first { "rejected" } else { "completed" }
            ]
        );
        let codes: Vec<_> = portal
            .uploads()
            .await
            .iter()
            .filter_map(|upload| upload["problems"][0]["code"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(
            codes,
            if late_first {
                vec!["superseded_by_newer_file"]
            } else {
                vec![]
            }
        );
    }
    stage.cloud.tear_down().await;
}

/// Both wait while a third is being processed; then they are taken in their order, not as they came.
#[tokio::test]
async fn files_that_wait_are_taken_in_the_order_of_their_events() {
    let stage = Stage::set().await;
    let portal = Portal::ready(&stage.cloud).await;
    stage
        .proxy
        .hold(|call| call.operation == "BatchExecuteStatement");
    stage
        .lambda
        .invoke(portal.put("first.csv", one("a@x.example", "Cook"), 1).await);
    stage.held().await;
    for (name, job, nth) in [("c.csv", "Third", 3), ("b.csv", "Second", 2)] {
        let event = portal.put(name, one("a@x.example", job), nth).await;
        assert_eq!(
            stage.lambda.call(event).await,
            Ok(Value::Null),
            "ends well, and waits"
        );
    }
    assert_eq!(statuses(&portal).await, ["applying", "queued", "queued"]);
    stage.proxy.release();
    ended(&portal, &stage.lambda, 3).await;
    assert_eq!(jobs(&portal).await, pairs(&[("a@x.example", "Third")]));
    assert_eq!(portal.lease_token().await, 1, "one worker did it all");
    stage.cloud.tear_down().await;
}

#[tokio::test]
async fn portals_do_not_wait_for_each_other() {
    let stage = Stage::set().await;
    let (slow, quick) = (
        Portal::ready(&stage.cloud).await,
        Portal::ready(&stage.cloud).await,
    );
    let id = slow.id.clone();
    stage.proxy.hold(move |call| {
        call.operation == "BatchExecuteStatement"
            && String::from_utf8_lossy(&call.body).contains(&id)
    });
    stage
        .lambda
        .invoke(slow.put("a.csv", one("a@x.example", "Cook"), 1).await);
    stage.held().await;
    let event = quick.put("a.csv", one("a@x.example", "Cook"), 1).await;
    assert_eq!(stage.lambda.call(event).await, Ok(Value::Null));
    assert_eq!(statuses(&quick).await, ["completed"]);
    assert_eq!(statuses(&slow).await, ["applying"]);
    stage.proxy.release();
    ended(&slow, &stage.lambda, 1).await;
    stage.cloud.tear_down().await;
}

/// A worker sleeps through its lease; another one brings its upload to the end, and a newer file after it.
/// When the first wakes up, nothing of what it still wanted to do happens.
#[tokio::test]
async fn a_worker_that_wakes_up_without_its_lease_changes_nothing() {
    let stage = Stage::set().await;
    for at in [
        "BatchExecuteStatement",
        "GetObject",
        "PutObject",
        "TransactWriteItems",
    ] {
        let portal = Portal::ready(&stage.cloud).await;
        let event = portal.put("a.csv", monday(300), 1).await;
        stage.proxy.hold_answers(move |call| {
            // The first transaction is the claim; whoever sleeps there has no lease yet.
            call.operation == at
                && (at != "TransactWriteItems"
                    || String::from_utf8_lossy(&call.body).contains("newest_planned"))
        });
        stage.lambda.invoke(event.clone());
        let sleeper = stage.held().await;
        sleeper.stop();
        stage.proxy.release();
        // The event comes again, waits for the lease to end, and takes over.
        stage.lambda.invoke(event);
        ended(&portal, &stage.lambda, 1).await;
        let newer = portal
            .put("b.csv", monday(300).replace("Cook", "Chef"), 2)
            .await;
        assert_eq!(stage.lambda.call(newer).await, Ok(Value::Null));
        // Who took over looks into the queue once more, and may take the lease for that.
        within(PATIENCE, "rest of all but the sleeper", || {
            (stage.lambda.busy().len() == 1).then_some(())
        })
        .await;
        let (before, token) = (portal.view().await, portal.lease_token().await);
        assert_eq!(before.uploads.len(), 2);

        sleeper.resume();
        stage.lambda.wait_idle(PATIENCE).await;
        assert!(portal.view().await == before, "woke up at {at}");
        assert_eq!(portal.lease_token().await, token, "{at}");
    }
    stage.cloud.tear_down().await;
}

/// A request is on its way for longer than anybody waits: another worker ends the upload, and a newer file
/// after it; then the request arrives.
#[tokio::test]
async fn a_request_that_arrives_late_changes_nothing() {
    // Side by side: each waits for a lease to end.
    let requests = [
        ("BatchExecuteStatement", "INSERT"),
        ("UpdateItem", "progress_percent"),
        ("TransactWriteItems", "newest_planned"),
        ("TransactWriteItems", "Delete"),
        ("PutObject", ""),
    ];
    join_all(requests.map(|(operation, part)| arrives_late(operation, part))).await;
}

async fn arrives_late(operation: &'static str, part: &'static str) {
    let stage = Stage::set().await;
    let portal = Portal::ready(&stage.cloud).await;
    let event = portal.put("a.csv", monday(100), 1).await;
    let first = AtomicBool::new(true);
    stage.proxy.hold(move |call| {
        call.operation == operation
            && String::from_utf8_lossy(&call.body).contains(part)
            && first.swap(false, Ordering::Relaxed)
    });
    stage.lambda.invoke(event.clone());
    let sleeper = stage.held().await;
    sleeper.stop();
    stage.lambda.invoke(event);
    ended(&portal, &stage.lambda, 1).await;
    let newer = monday(100).replace("Cook", "Chef");
    let newer = portal.put("b.csv", newer, 2).await;
    assert_eq!(stage.lambda.call(newer).await, Ok(Value::Null));
    let before = portal.view().await;

    stage.proxy.release();
    within(PATIENCE, "arrival", || {
        (stage.proxy.held() == 0).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        portal.view().await == before,
        "arrived late: {operation} {part}"
    );
    sleeper.resume();
    stage.lambda.wait_idle(PATIENCE).await;
    assert!(portal.view().await == before, "woke up: {operation} {part}");
    stage.cloud.tear_down().await;
}

/// Somebody approves before the worker that ended the first run has given its lease back: it takes the second run
/// up under the same lease, and dies: when its plan is kept and not yet counted on, or when people are written.
#[tokio::test]
async fn an_approval_while_the_worker_is_still_there_is_done_like_any_other() {
    let stage = Stage::set().await;
    let expected = undisturbed(&stage.cloud, &stage.lambda, 120).await;
    for dies_at in ["TransactWriteItems", "BatchExecuteStatement"] {
        let portal = Portal::of_everybody(&stage.cloud).await;
        let [monday, tuesday, wednesday, _] = week(&portal, 120);
        for (nth, day) in [monday, tuesday].into_iter().enumerate() {
            let event = event_of(&portal, nth, day).await;
            assert_eq!(stage.lambda.call(event).await, Ok(Value::Null));
        }
        stage.proxy.hold_answers(|call| {
            // The end of a run that leaves something with its portal.
            call.operation == "TransactWriteItems"
                && String::from_utf8_lossy(&call.body).contains("SET last_applied")
        });
        stage.lambda.invoke(event_of(&portal, 2, wednesday).await);
        stage.held().await;
        let token = portal.lease_token().await;
        portal.approve().await;
        stage.proxy.release();
        stage.proxy.hold(move |call| call.operation == dies_at);
        let worker = stage.held().await;
        assert_eq!(portal.lease_token().await, token, "nobody else came");
        worker.kill().await;
        stage.proxy.release();
        portal.expire_lease().await;
        ended(&portal, &stage.lambda, 3).await;
        let view = portal.view().await;
        assert!(
            view == expected,
            "{dies_at}: {}",
            difference(&view, &expected)
        );
    }
    stage.cloud.tear_down().await;
}

/// The feed speaks of the job; somebody gives the person another name, and a role, while the file is applied.
#[tokio::test]
async fn a_change_made_in_the_portal_in_the_middle_of_a_run_is_kept() {
    let stage = Stage::set().await;
    let portal = Portal::ready(&stage.cloud).await;
    let first = portal.put("a.csv", one("a@x.example", "Cook"), 1).await;
    assert_eq!(stage.lambda.call(first).await, Ok(Value::Null));
    stage
        .proxy
        .hold(|call| call.operation == "BatchExecuteStatement");
    stage
        .lambda
        .invoke(portal.put("b.csv", one("a@x.example", "Chef"), 2).await);
    stage.held().await;
    portal
        .change("a@x.example", "nickname", "Patty")
        .await
        .unwrap();
    stage.proxy.release();
    ended(&portal, &stage.lambda, 2).await;
    let view = portal.view().await;
    let user = &view.people["a@x.example"];
    assert_eq!(
        (&user["nickname"], &user["custom"]["job"]),
        (&"Patty".into(), &"Chef".into())
    );
    assert_eq!(user["version"], 3);
    assert_eq!(view.uploads[1][2]["updated"], 1);
    stage.cloud.tear_down().await;
}

/// The run reads the version that it claimed, whatever stands at the key by then.
#[tokio::test]
async fn a_file_that_is_overwritten_between_the_passes_is_applied_as_it_was() {
    let stage = Stage::set().await;
    let portal = Portal::ready(&stage.cloud).await;
    // Before the plan is kept, and so before the file is read for writing.
    stage.proxy.hold(|call| call.operation == "PutObject");
    stage
        .lambda
        .invoke(portal.put("a.csv", one("a@x.example", "Cook"), 1).await);
    stage.held().await;
    let second = portal.put("a.csv", one("b@x.example", "Chef"), 2).await;
    stage.proxy.release();
    ended(&portal, &stage.lambda, 1).await;
    assert_eq!(jobs(&portal).await, pairs(&[("a@x.example", "Cook")]));
    assert_eq!(stage.lambda.call(second).await, Ok(Value::Null));
    assert_eq!(statuses(&portal).await, ["completed", "completed"]);
    stage.cloud.tear_down().await;
}

#[tokio::test]
async fn a_file_that_is_deleted_is_rejected_before_anybody_is_written_and_failed_after() {
    let stage = Stage::set().await;
    for (hold, status, code) in [
        ("HeadObject", "rejected", "file_gone"),
        ("PutObject", "failed", "processing_failed"),
    ] {
        let portal = Portal::ready(&stage.cloud).await;
        let mut event = portal.put("a.csv", one("a@x.example", "Cook"), 1).await;
        let key = format!("{}/a.csv", portal.id);
        let put = chaos::PutObject {
            version_id: event["Records"][0]["s3"]["object"]["versionId"]
                .as_str()
                .unwrap()
                .to_owned(),
            etag: String::new(),
            size: 0,
        };
        if hold == "HeadObject" {
            // Deleted before the event arrives.
            stage.cloud.delete(&key, &put).await;
        } else {
            stage.proxy.hold(move |call| call.operation == hold);
        }
        event["Records"][0]["s3"]["object"]["sequencer"] = "01".into();
        stage.lambda.invoke(event);
        if hold == "PutObject" {
            stage.held().await;
            stage.cloud.delete(&key, &put).await;
            stage.proxy.release();
        }
        ended(&portal, &stage.lambda, 1).await;
        let upload = portal.uploads().await.remove(0);
        assert_eq!(
            (&upload["status"], &upload["problems"][0]["code"]),
            (&status.into(), &code.into())
        );
        assert_eq!(portal.users().await.len(), 0);
    }
    stage.cloud.tear_down().await;
}
