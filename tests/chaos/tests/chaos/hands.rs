//! Tests of the hands themselves: that the Lambda service treats its processes as Lambda does, and that the
//! proxy does what its faults say. They need the local cloud to be up.

use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementRequest, KeysAndAttributes, PutRequest, WriteRequest,
};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use chaos::{Cloud, FaultProxy, Faults, Kind, Lambda, Settings, Worker, process_upload, within};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn no_files() -> Value {
    json!({"Records": []})
}

/// A function before a proxy that holds every call, so that who gets a file's event stays busy with it.
struct Held {
    cloud: Cloud,
    proxy: FaultProxy,
    lambda: Lambda,
    event: Value,
}

impl Held {
    async fn start(settings: Settings) -> Self {
        let cloud = Cloud::create().await;
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        proxy.hold(|_| true);
        let environment = cloud.environment(&proxy.endpoint());
        let lambda = Lambda::start(process_upload(), environment, settings);
        let key = "1001/Happy Face+ café.csv";
        let put = cloud.put(key, "Email\n").await;
        let event = cloud.event(key, &put, "01", "2026-11-22T18:11:02.638Z");
        assert_eq!(
            event["Records"][0]["s3"]["object"]["key"],
            "1001/Happy+Face%2B+caf%C3%A9.csv"
        );
        Held {
            cloud,
            proxy,
            lambda,
            event,
        }
    }

    /// The one worker, once it is at its first call and other than the one before.
    async fn busy(&self, before: &str) -> Worker {
        within(PATIENCE, "worker at a held call", || {
            let worker = self.lambda.busy().pop()?;
            (worker.request_id() != before && self.proxy.held() > 0).then_some(worker)
        })
        .await
    }
}

#[tokio::test]
async fn an_event_is_answered_and_its_worker_kept_for_the_next() {
    let held = Held::start(Settings::default()).await;
    for _ in 0..3 {
        assert_eq!(held.lambda.call(no_files()).await, Ok(Value::Null));
    }
    held.lambda.invoke(no_files());
    held.lambda.wait_idle(PATIENCE).await;
    assert_eq!(held.lambda.workers(), 1);
    // Two at a time need two workers.
    held.lambda.invoke(held.event.clone());
    let busy = held.busy("").await;
    assert_eq!(held.lambda.call(no_files()).await, Ok(Value::Null));
    assert_eq!((held.lambda.workers(), busy.lives()), (2, true));
    held.proxy.release();
    held.lambda.wait_idle(PATIENCE).await;
    assert!(held.lambda.failures().is_empty());
    // What it printed is heard: the event is about a portal that nobody set up.
    assert!(held.lambda.output().contains("not set up"));
    held.cloud.tear_down().await;
}

#[tokio::test]
async fn events_wait_when_there_may_be_no_more_workers() {
    let settings = Settings {
        concurrency: Some(1),
        ..Settings::default()
    };
    let held = Held::start(settings).await;
    held.lambda.invoke(held.event.clone());
    held.busy("").await;
    for _ in 0..3 {
        held.lambda.invoke(no_files());
    }
    assert_eq!((held.lambda.workers(), held.lambda.is_idle()), (1, false));
    held.proxy.release();
    held.lambda.wait_idle(PATIENCE).await;
    assert_eq!(held.lambda.workers(), 1);
    held.cloud.tear_down().await;
}

#[tokio::test]
async fn a_killed_workers_event_is_repeated_as_another_request_and_then_given_up() {
    let settings = Settings {
        retries: vec![millis(50)],
        ..Settings::default()
    };
    let held = Held::start(settings).await;
    held.lambda.invoke(held.event.clone());
    let first = held.busy("").await;
    assert_eq!(first.payload(), &held.event);
    first.kill().await;
    let second = held.busy(first.request_id()).await;
    assert_ne!(first.pid(), second.pid());
    assert!(held.lambda.given_up().is_empty());
    second.kill().await;
    assert!(held.lambda.is_idle());
    assert_eq!(held.lambda.given_up(), vec![held.event.clone()]);
    assert_eq!(held.lambda.failures().len(), 2);
    // Its call goes with it and is never done.
    let gone = || (held.proxy.held() == 0).then_some(());
    within(PATIENCE, "end of the held calls", gone).await;
    let died = "the process died: signal: 9 (SIGKILL)";
    assert!(held.lambda.failures().iter().all(|error| error == died));
    held.cloud.tear_down().await;
}

#[tokio::test]
async fn errors_are_repeated_for_events_and_returned_to_callers() {
    let held = Held::start(Settings::default()).await;
    let error = held.lambda.call(json!({"Records": 1})).await.unwrap_err();
    assert!(error.contains("errorMessage"), "{error}");
    held.lambda.invoke(json!({"Records": 1}));
    held.lambda.wait_idle(PATIENCE).await;
    assert_eq!(held.lambda.failures().len(), 3);
    assert_eq!(held.lambda.given_up().len(), 1);
    assert_eq!(held.lambda.workers(), 1);
    held.cloud.tear_down().await;
}

#[tokio::test]
async fn a_process_that_does_not_start_is_a_failure() {
    let lambda = Lambda::start(process_upload(), [].into(), Settings::default());
    let error = lambda.call(no_files()).await.unwrap_err();
    assert!(error.contains("died"), "{error}");
    assert!(lambda.output().contains("FEED_BUCKET"));
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_but_not_while_a_test_has_stopped_it() {
    let settings = Settings {
        timeout: millis(3_000),
        retries: Vec::new(),
        ..Settings::default()
    };
    let held = Held::start(settings).await;
    // The function itself ends in time; a process that hangs does not.
    held.lambda.invoke(held.event.clone());
    let hanging = held.busy("").await;
    kill(Pid::from_raw(hanging.pid()), Signal::SIGSTOP).unwrap();
    held.lambda.wait_idle(PATIENCE).await;
    assert!(!hanging.lives());
    assert_eq!(held.lambda.failures(), ["timed out"]);

    held.lambda.invoke(held.event.clone());
    let worker = held.busy(hanging.request_id()).await;
    worker.stop();
    tokio::time::sleep(millis(6_000)).await;
    assert!(worker.lives());
    assert_eq!(held.lambda.failures().len(), 1);
    worker.resume();
    held.lambda.wait_idle(PATIENCE).await;
    assert!(worker.lives());
    assert!(held.lambda.failures()[1].contains("OutOfTime"));
    held.cloud.tear_down().await;
}

#[tokio::test]
async fn a_self_invocation_is_an_event_and_can_be_made_to_fail() {
    let settings = Settings {
        failing_self_invocations: 1,
        ..Settings::default()
    };
    let held = Held::start(settings).await;
    let http = reqwest::Client::new();
    let (endpoint, name) = (held.lambda.invoke_endpoint(), "chaos-process-upload");
    let invoke = async |name: &str, kind: &str| {
        let url = format!("{endpoint}/2015-03-31/functions/{name}/invocations");
        let request = http.post(url).header("X-Amz-Invocation-Type", kind);
        let request = request.body(held.event.to_string());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(invoke("another", "Event").await, 404);
    assert_eq!(invoke(name, "RequestResponse").await, 400);
    assert_eq!(invoke(name, "Event").await, 500);
    assert_eq!(held.lambda.self_invocations(), 0);
    assert_eq!(invoke(name, "Event").await, 202);
    assert_eq!(held.lambda.self_invocations(), 1);
    assert_eq!(held.busy("").await.payload(), &held.event);
    held.proxy.release();
    held.lambda.wait_idle(PATIENCE).await;
    held.cloud.tear_down().await;
}

#[tokio::test]
async fn what_a_function_invokes_is_counted_and_comes_to_nothing_if_a_test_says_so() {
    let settings = Settings {
        self_invocations_are_lost: true,
        neighbour: Some("chaos-neighbour"),
        ..Settings::default()
    };
    let held = Held::start(settings).await;
    let http = reqwest::Client::new();
    for name in ["chaos-process-upload", "chaos-neighbour"] {
        let endpoint = held.lambda.invoke_endpoint();
        let url = format!("{endpoint}/2015-03-31/functions/{name}/invocations");
        let request = http.post(url).header("X-Amz-Invocation-Type", "Event");
        let answer = request.body(held.event.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202, "{name}");
    }
    assert_eq!(held.lambda.self_invocations(), 1);
    assert_eq!(held.lambda.for_the_neighbour(), vec![held.event.clone()]);
    assert!(held.lambda.is_idle());
    assert_eq!(held.lambda.workers(), 0);
    held.cloud.tear_down().await;
}

/// Clients that try once, before a proxy.
struct Proxied {
    cloud: Cloud,
    proxy: FaultProxy,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
}

impl Proxied {
    async fn start() -> Self {
        let cloud = Cloud::create().await;
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        let config = cloud.config(&proxy.endpoint()).into_builder();
        let config = config.retry_config(RetryConfig::disabled()).build();
        Proxied {
            s3: aws_sdk_s3::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            cloud,
            proxy,
        }
    }

    fn always(&self, kind: Kind) {
        let mut faults = Faults::new(7, 1.0, &[kind]);
        (faults.silence, faults.delay) = (millis(300), millis(300));
        self.proxy.set(faults);
    }

    /// Puts an item. The error is the service's code, or empty if there was no answer.
    async fn put_item(&self, sk: &str) -> Result<(), String> {
        let request = self.dynamodb.put_item().table_name(&self.cloud.users_table);
        let put = request.set_item(Some(item(sk))).send().await;
        put.map(|_| ()).map_err(|error| {
            let code = error.into_service_error().meta().code().map(str::to_owned);
            code.unwrap_or_default()
        })
    }

    /// Whether there is an item, asked past the proxy.
    async fn has_item(&self, sk: &str) -> bool {
        let client = self.cloud.dynamodb();
        let request = client.get_item().table_name(&self.cloud.users_table);
        let got = request.set_key(Some(item(sk))).send().await.unwrap();
        got.item.is_some()
    }

    /// The bytes of an object, or where reading them failed.
    async fn get(&self, key: &str) -> Result<Vec<u8>, &'static str> {
        let request = self.s3.get_object().bucket(&self.cloud.feed_bucket);
        let got = request.key(key).send().await.map_err(|_| "no answer")?;
        let body = got.body.collect().await.map_err(|_| "half a body")?;
        Ok(body.to_vec())
    }
}

fn item(sk: &str) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    [("pk".into(), text("1001#0")), ("sk".into(), text(sk))].into()
}

#[tokio::test]
async fn what_is_let_through_is_unchanged_and_counted_by_its_name() {
    let own = Proxied::start().await;
    let (bucket, key) = (&own.cloud.feed_bucket, "1001/a b+ü/c.csv");
    let bytes = "0123456789".repeat(600_000).into_bytes();
    let put = own.s3.put_object().bucket(bucket).key(key);
    put.body(bytes.clone().into()).send().await.unwrap();
    assert!(own.get(key).await == Ok(bytes.clone()));
    let head = own.s3.head_object().bucket(bucket).key(key);
    assert_eq!(head.send().await.unwrap().content_length(), Some(6_000_000));

    let begin = own.s3.create_multipart_upload().bucket(bucket).key(key);
    let upload = begin.send().await.unwrap().upload_id.unwrap();
    let part = own.s3.upload_part().bucket(bucket).key(key).part_number(1);
    let part = part.upload_id(&upload).body(bytes.into());
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.send().await.unwrap().e_tag);
    let parts = CompletedMultipartUpload::builder().parts(part.build());
    let complete = own.s3.complete_multipart_upload().bucket(bucket).key(key);
    let complete = complete.upload_id(&upload).multipart_upload(parts.build());
    complete.send().await.unwrap();
    let list = own.s3.list_objects_v2().bucket(bucket);
    assert_eq!(list.send().await.unwrap().contents()[0].key(), Some(key));

    let requests = own.proxy.requests();
    let counted: Vec<(&str, u64)> = requests.iter().map(|(name, n)| (&**name, *n)).collect();
    let each_once = [
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "GetObject",
        "HeadObject",
        "ListObjects",
        "PutObject",
        "UploadPart",
    ];
    assert_eq!(counted, each_once.map(|name| (name, 1)));
    own.cloud.tear_down().await;
}

#[tokio::test]
async fn each_kind_of_fault_does_what_it_says() {
    let own = Proxied::start().await;
    let bytes = "0123456789".repeat(10_000).into_bytes();
    own.cloud.put("file", bytes.clone()).await;
    assert_eq!(own.get("file").await.as_ref(), Ok(&bytes));

    for (kind, put, done, got) in [
        (
            Kind::Throttled,
            Err("ThrottlingException"),
            false,
            Err("no answer"),
        ),
        (Kind::Timeout, Err(""), false, Err("no answer")),
        (Kind::Reset, Err(""), false, Err("no answer")),
        (Kind::Lost, Err(""), true, Err("no answer")),
        (Kind::Truncated, Err(""), true, Err("half a body")),
        (Kind::SlowBody, Ok(()), true, Ok(())),
        (Kind::SlowAnswer, Ok(()), true, Ok(())),
        // Meets batches alone.
        (Kind::PartlyThrottled, Ok(()), true, Ok(())),
    ] {
        own.always(kind);
        let sk = format!("{kind:?}");
        let begun = Instant::now();
        assert_eq!(own.put_item(&sk).await, put.map_err(str::to_owned), "{sk}");
        assert_eq!(own.has_item(&sk).await, done, "{sk}");
        let slow = matches!(kind, Kind::Timeout | Kind::SlowBody | Kind::SlowAnswer);
        // How quick the others are is the machine's business.
        assert!(begun.elapsed() > millis(300) || !slow, "{sk}");
        assert_eq!(own.get("file").await, got.map(|()| bytes.clone()), "{sk}");
    }
    own.always(Kind::ServerError);
    let code = own.put_item("500").await.unwrap_err();
    assert!(["InternalServerError", "ServiceUnavailable"].contains(&code.as_str()));
    own.proxy.clear();
    assert_eq!(own.put_item("fine").await, Ok(()));

    assert_eq!(own.proxy.requests()["PutItem"], 10);
    assert_eq!(own.proxy.requests()["GetObject"], 9);
    let injected = own.proxy.injected();
    assert_eq!(injected[&("GetObject".to_owned(), Kind::Truncated)], 1);
    assert_eq!(injected.values().sum::<u64>(), 15);
    own.cloud.tear_down().await;
}

#[tokio::test]
async fn batches_are_done_in_part() {
    let own = Proxied::start().await;
    let table = &own.cloud.users_table;
    for number in 0..20 {
        own.put_item(&number.to_string()).await.unwrap();
    }
    own.always(Kind::PartlyThrottled);

    let keys = (0..20).map(|number| item(&number.to_string())).collect();
    let keys = KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(true);
    let request = own.dynamodb.batch_get_item();
    let got = request.request_items(table, keys.build().unwrap());
    let got = got.send().await.unwrap();
    let (read, left) = (
        &got.responses.unwrap()[table],
        &got.unprocessed_keys.unwrap()[table],
    );
    assert_eq!(read.len() + left.keys().len(), 20);
    assert!(!read.is_empty() && !left.keys().is_empty());
    assert_eq!(left.consistent_read(), Some(true));

    let put = PutRequest::builder().set_item(Some(item("batch"))).build();
    let write = WriteRequest::builder().put_request(put.unwrap()).build();
    let request = own.dynamodb.batch_write_item();
    let written = request.request_items(table, vec![write]).send().await;
    assert_eq!(written.unwrap().unprocessed_items.unwrap()[table].len(), 1);
    assert!(!own.has_item("batch").await);

    let statement = format!("INSERT INTO \"{table}\" VALUE {{'pk': '1001#0', 'sk': 'statement'}}");
    let statement = BatchStatementRequest::builder()
        .statement(statement)
        .build();
    let request = own.dynamodb.batch_execute_statement();
    let executed = request.statements(statement.unwrap()).send().await.unwrap();
    let error = executed.responses()[0].error().unwrap();
    assert_eq!(error.code().unwrap().as_str(), "ThrottlingError");
    assert!(!own.has_item("statement").await);
    own.cloud.tear_down().await;
}

#[tokio::test]
async fn the_seed_decides_who_is_hit_and_only_who_is_aimed_at() {
    let own = Proxied::start().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let faults = Faults::new(11, 0.5, &[Kind::Reset, Kind::Throttled]);
        let aimed = |call: &chaos::Call| call.operation == "PutItem" && call.service == "dynamodb";
        own.proxy.set(faults.only(aimed));
        let mut run = Vec::new();
        for number in 0..20 {
            own.cloud.put("file", "x").await;
            own.get("file").await.unwrap();
            run.push(own.put_item(&number.to_string()).await);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&Ok(())) && runs[0].contains(&Err(String::new())));
    own.cloud.tear_down().await;
}

#[tokio::test]
async fn held_calls_are_done_when_they_are_released_and_held_answers_before() {
    let own = Proxied::start().await;
    own.proxy.hold(|call| call.operation == "PutItem");
    let held = async |own: &Proxied| {
        within(PATIENCE, "held call", || {
            (own.proxy.held() > 0).then_some(())
        })
        .await;
        let done = own.has_item("held").await;
        own.proxy.release();
        done
    };
    let (put, done) = tokio::join!(own.put_item("held"), held(&own));
    assert_eq!((put, done), (Ok(()), false));
    own.proxy.hold_answers(|call| call.operation == "PutItem");
    let (put, done) = tokio::join!(own.put_item("held"), held(&own));
    assert_eq!((put, done), (Ok(()), true));
    assert_eq!(own.proxy.held(), 0);
    own.cloud.tear_down().await;
}

#[tokio::test]
async fn the_services_are_told_apart() {
    let own = Proxied::start().await;
    let config = own.cloud.config(&own.proxy.endpoint()).into_builder();
    let config = config.retry_config(RetryConfig::disabled()).build();
    let pool = aws_sdk_cognitoidentityprovider::Client::new(&config);
    let pools = pool.list_user_pools().max_results(1);
    let cognito = |call: &chaos::Call| call.service == "cognito";
    own.proxy
        .set(Faults::new(7, 1.0, &[Kind::Throttled]).only(cognito));
    let error = pools.send().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_requests_exception());
    assert_eq!(own.put_item("of another service").await, Ok(()));
    own.cloud.tear_down().await;
}
