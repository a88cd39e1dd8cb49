//! Telling others: nothing is forgotten by a crash, and an EventBridge or an SES that is down, throttles or refuses
//! neither fails nor delays an upload.

use crate::portals::PATIENCE;
use chaos::{Cloud, FaultProxy, Faults, Kind, Lambda, Portal, Settings, process_upload, within};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Not CSV: rejected, so that somebody is told.
const FILE: &str = "no column of the mapping\n";

/// A function that sends mails, from an address of the test's own.
struct Stage {
    cloud: Cloud,
    proxy: FaultProxy,
    lambda: Lambda,
    sender: String,
}

impl Stage {
    async fn set(sender_is_known: bool) -> Self {
        let cloud = Cloud::create().await;
        let sender = format!("feed@{}.example", cloud.feed_bucket);
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        let mut environment = cloud.environment(&proxy.endpoint());
        environment.insert("NOTIFY_FROM".to_owned(), sender.clone());
        let lambda = Lambda::start(process_upload(), environment, Settings::default());
        let stage = Stage {
            cloud,
            proxy,
            lambda,
            sender,
        };
        if sender_is_known {
            stage.know_the_sender().await;
        }
        stage
    }

    /// SES takes mails from the sender from now on.
    async fn know_the_sender(&self) {
        let config = self.cloud.config(self.cloud.endpoint());
        let mails = aws_sdk_sesv2::Client::new(&config);
        let request = mails.create_email_identity().email_identity(&self.sender);
        request.send().await.unwrap();
    }

    /// Whom the sender's mails went to, oldest first.
    async fn recipients(&self) -> Vec<String> {
        let url = format!("{}/_ministack/ses/messages", self.cloud.endpoint());
        let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        let accounts = answer["messages"].as_object().unwrap().values();
        let mails = accounts.flat_map(|mails| mails.as_array().unwrap());
        let ours = mails.filter(|mail| mail["Source"] == self.sender.as_str());
        ours.map(|mail| {
            assert_eq!(mail["To"].as_array().unwrap().len(), 1);
            mail["To"][0].as_str().unwrap().to_owned()
        })
        .collect()
    }

    fn events_sent(&self) -> u64 {
        let requests = self.proxy.requests();
        requests.get("PutEvents").copied().unwrap_or(0)
    }

    /// The portal's outbox is due, and somebody looks.
    async fn look_again(&self, portal: &Portal<'_>, written_at: &str) {
        portal.outbox_is_due(written_at).await;
        let wake = json!({"portal_id": portal.id});
        assert_eq!(self.lambda.call(wake).await, Ok(Value::Null));
    }
}

fn now() -> String {
    platform::clock::stamp(platform::clock::system())
}

async fn portal<'c>(stage: &'c Stage, emails: &[&str]) -> Portal<'c> {
    let portal = Portal::ready(&stage.cloud).await;
    portal.tell(emails).await;
    portal
}

/// Between the end of the upload and its notice there is nothing but a moment.
#[tokio::test]
async fn a_worker_that_dies_before_it_tells_anybody_leaves_it_to_the_sweep() {
    let stage = Stage::set(true).await;
    let portal = portal(&stage, &["ann@x.example"]).await;
    // Its claim: the first thing that it does about the notice.
    stage.proxy.hold(|call| {
        let body = String::from_utf8_lossy(&call.body).into_owned();
        call.operation == "UpdateItem" && body.contains("NOTICE#")
    });
    stage.lambda.invoke(portal.put("a.csv", FILE, 1).await);
    within(PATIENCE, "claim", || (stage.proxy.held() > 0).then_some(())).await;
    assert!(portal.has_ended(1).await);
    for worker in stage.lambda.busy() {
        worker.kill().await;
    }
    stage.proxy.clear();
    stage.proxy.release();
    stage.lambda.wait_idle(PATIENCE).await;
    let begun = Instant::now();
    // What was sent before the kill may still arrive: then it is due later, as after any attempt.
    while !portal.outbox().await.is_empty() {
        assert!(begun.elapsed() < PATIENCE);
        portal.outbox_is_due(&now()).await;
        let sweep = stage.lambda.call(json!({"sweep": true})).await;
        assert_eq!(sweep, Ok(Value::Null));
        stage.lambda.wait_idle(PATIENCE).await;
    }
    assert_eq!(stage.recipients().await, ["ann@x.example"]);
    assert_eq!(stage.events_sent(), 1);
    stage.cloud.tear_down().await;
}

/// Nobody has told SES that the sender is ours, or somebody has taken that back.
#[tokio::test]
async fn a_sender_that_ses_refuses_stops_no_upload_and_is_tried_again() {
    let stage = Stage::set(false).await;
    let portal = portal(&stage, &["ann@x.example", "bob@x.example"]).await;
    let event = portal.put("a.csv", FILE, 1).await;
    assert_eq!(stage.lambda.call(event).await, Ok(Value::Null));
    assert!(portal.has_ended(1).await);
    let outbox = portal.outbox().await;
    let (sent, attempts) = (&outbox[0]["event_sent"], &outbox[0]["attempts"]);
    assert_eq!((outbox.len(), sent, attempts), (1, &json!(true), &json!(1)));
    assert!(outbox[0]["due_at"].as_str().unwrap() > now().as_str());
    // Not before it is due.
    let wake = json!({"portal_id": portal.id});
    assert_eq!(stage.lambda.call(wake).await, Ok(Value::Null));
    assert_eq!(portal.outbox().await, outbox);

    stage.look_again(&portal, &now()).await;
    assert_eq!(portal.outbox().await[0]["attempts"], 2);
    stage.know_the_sender().await;
    stage.look_again(&portal, &now()).await;
    assert_eq!(portal.outbox().await, Vec::<Value>::new());
    assert_eq!(stage.recipients().await, ["ann@x.example", "bob@x.example"]);
    assert_eq!(stage.events_sent(), 1, "what was told is not told again");
    let output = stage.lambda.output();
    assert!(output.contains("MessageRejected"), "{output}");
    assert!(!output.contains("@x.example") && !output.contains(&stage.sender));
    stage.cloud.tear_down().await;
}

#[tokio::test]
async fn a_notice_is_given_up_after_a_day_and_says_so() {
    let stage = Stage::set(false).await;
    let portal = portal(&stage, &["ann@x.example"]).await;
    let event = portal.put("a.csv", FILE, 1).await;
    assert_eq!(stage.lambda.call(event).await, Ok(Value::Null));
    stage.look_again(&portal, "2026-01-01T00:00:00.000Z").await;
    assert_eq!(portal.outbox().await, Vec::<Value>::new());
    let output = stage.lambda.output();
    assert!(output.contains("\"notices_given_up\":1"), "{output}");
    assert!(output.contains("will not be"), "{output}");
    assert!(!output.contains("@x.example"));
    assert_eq!(stage.recipients().await, Vec::<String>::new());
    stage.cloud.tear_down().await;
}

/// Files come one after the other while nobody can be told; when it can be, each is told once.
#[tokio::test]
async fn services_that_are_down_delay_no_upload_and_everybody_is_told_in_the_end() {
    let stage = Stage::set(true).await;
    let down = |call: &chaos::Call| ["events", "ses"].contains(&call.service);
    for kind in [
        Kind::Throttled,
        Kind::ServerError,
        Kind::Reset,
        Kind::Timeout,
    ] {
        let before = stage.recipients().await.len();
        let portal = portal(&stage, &["ann@x.example", "bob@x.example"]).await;
        let mut faults = Faults::new(1, 1.0, &[kind]).only(down);
        faults.silence = Duration::from_secs(20);
        stage.proxy.set(faults);
        let begun = Instant::now();
        for nth in 1..=2 {
            let event = portal.put(&format!("{nth}.csv"), FILE, nth).await;
            stage.lambda.invoke(event);
            let uploads = usize::try_from(nth).unwrap();
            while !portal.has_ended(uploads).await {
                assert!(begun.elapsed() < PATIENCE, "{}", stage.lambda.output());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        // Somebody who waited for either service would wait for sixteen seconds.
        assert!(begun.elapsed() < Duration::from_secs(15), "{kind:?}");
        stage.lambda.wait_idle(PATIENCE).await;
        assert_eq!(stage.lambda.failures(), Vec::<String>::new(), "{kind:?}");
        assert_eq!(portal.outbox().await.len(), 2, "{kind:?}");
        stage.proxy.clear();
        stage.look_again(&portal, &now()).await;
        assert_eq!(portal.outbox().await, Vec::<Value>::new(), "{kind:?}");
        let told = stage.recipients().await.split_off(before);
        let twice = ["ann@x.example", "bob@x.example"].repeat(2);
        assert_eq!(told, twice, "{kind:?}");
    }
    stage.cloud.tear_down().await;
}

#[tokio::test]
async fn who_cannot_be_told_keeps_nobody_else_from_it_and_nobody_is_told_twice() {
    let stage = Stage::set(true).await;
    let portal = portal(&stage, &["ann@x.example", "bob@x.example"]).await;
    let to_bob = |call: &chaos::Call| {
        call.service == "ses" && String::from_utf8_lossy(&call.body).contains("bob@")
    };
    stage
        .proxy
        .set(Faults::new(1, 1.0, &[Kind::ServerError]).only(to_bob));
    let event = portal.put("a.csv", FILE, 1).await;
    assert_eq!(stage.lambda.call(event).await, Ok(Value::Null));
    assert_eq!(stage.recipients().await, ["ann@x.example"]);
    assert_eq!(portal.outbox().await[0]["told"], json!(["ann@x.example"]));
    // Somebody corrects whom to tell: it counts for what is still to be told.
    portal.tell(&["Ann@x.example", "carol@x.example"]).await;
    stage.proxy.clear();
    stage.look_again(&portal, &now()).await;
    assert_eq!(
        stage.recipients().await,
        ["ann@x.example", "carol@x.example"]
    );
    assert_eq!(stage.events_sent(), 1);
    stage.cloud.tear_down().await;
}
