//! Faults between the function and the cloud, on every call that it makes: the run is slower, and ends as if
//! there had been none.

use crate::portals::{
    PATIENCE, difference, ended, event_of, monday, runs, seed, tuesday, undisturbed, uploads_after,
    week,
};
use chaos::{Cloud, FaultProxy, Faults, Kind, Lambda, Portal, Settings, process_upload, within};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const PEOPLE: usize = 300;

/// What can be thrown at a run, from a fault in a hundred calls to one in three.
const STORMS: [(f64, &[Kind]); 6] = [
    (0.3, &Kind::ALL),
    (0.1, &Kind::ALL),
    (0.01, &Kind::ALL),
    (0.3, &[Kind::ServerError, Kind::Reset, Kind::Lost]),
    (0.3, &[Kind::Throttled, Kind::PartlyThrottled]),
    (0.3, &[Kind::Truncated, Kind::SlowBody, Kind::SlowAnswer]),
];

/// The first of them, which have every kind, in many calls and in few.
const FEW_STORMS: usize = 2;

/// However long the long version is: a storm takes some 20 seconds.
const MOST_STORMS: usize = 4 * STORMS.len();

struct Storm {
    cloud: Cloud,
    proxy: FaultProxy,
    lambda: Lambda,
}

impl Storm {
    async fn start() -> Self {
        Storm::within(Settings::default().timeout).await
    }

    /// With another time limit than the default of 30 s.
    async fn within(timeout: Duration) -> Self {
        let settings = Settings {
            timeout,
            ..Settings::default()
        };
        let cloud = Cloud::create().await;
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        let environment = cloud.environment(&proxy.endpoint());
        let lambda = Lambda::start(process_upload(), environment, settings);
        Storm {
            cloud,
            proxy,
            lambda,
        }
    }
}

#[tokio::test]
async fn a_run_through_faults_of_every_kind_ends_like_one_without() {
    let (seed, storms) = (seed(), runs(FEW_STORMS).min(MOST_STORMS));
    let storm = Storm::start().await;
    let expected = undisturbed(&storm.cloud, &storm.lambda, PEOPLE).await;
    for nth in 0..storms {
        let (rate, kinds) = STORMS[nth % STORMS.len()];
        storm.proxy.set(Faults::new(seed + nth as u64, rate, kinds));
        let portal = Portal::of_everybody(&storm.cloud).await;
        for (nth, day) in week(&portal, PEOPLE).into_iter().enumerate() {
            storm.lambda.invoke(event_of(&portal, nth, day).await);
            ended(&portal, &storm.lambda, uploads_after(nth)).await;
        }
        storm.proxy.clear();
        storm.lambda.wait_idle(PATIENCE).await;
        let view = portal.view().await;
        let what = format!("rate {rate}, kinds {kinds:?}");
        assert!(view == expected, "{what}: {}", difference(&view, &expected));
    }
    let injected = storm.proxy.injected();
    println!("{} faults: {injected:?}", injected.values().sum::<u64>());
    let hit: BTreeSet<&str> = injected
        .keys()
        .map(|(operation, _)| operation.as_str())
        .collect();
    let called: BTreeSet<String> = storm.proxy.requests().into_keys().collect();
    let often = [
        "BatchExecuteStatement",
        "BatchGetItem",
        "GetItem",
        "GetObject",
        "PutItem",
        "PutObject",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    ];
    assert!(
        often.iter().all(|operation| hit.contains(operation)),
        "{hit:?} of {called:?}"
    );
    storm.cloud.tear_down().await;
}

/// Throttling is no error: nothing has to be repeated by anybody.
#[tokio::test]
async fn throttling_slows_a_run_and_fails_none() {
    let storm = Storm::within(2 * PATIENCE).await;
    let expected = undisturbed(&storm.cloud, &storm.lambda, PEOPLE).await;
    let kinds = [Kind::Throttled, Kind::PartlyThrottled];
    storm.proxy.set(Faults::new(seed(), 0.25, &kinds));
    let portal = Portal::of_everybody(&storm.cloud).await;
    for (nth, day) in week(&portal, PEOPLE).into_iter().enumerate() {
        let event = event_of(&portal, nth, day).await;
        assert_eq!(storm.lambda.call(event).await, Ok(Value::Null));
    }
    assert!(storm.proxy.injected().values().sum::<u64>() > 10);
    let view = portal.view().await;
    assert!(view == expected, "{}", difference(&view, &expected));
    storm.cloud.tear_down().await;
}

/// The answer to a write is lost, every second time: what was done is recognised.
#[tokio::test]
async fn writes_whose_answers_are_lost_are_done_once() {
    let storm = Storm::start().await;
    let expected = undisturbed(&storm.cloud, &storm.lambda, PEOPLE).await;
    let writes = |operation: &str| {
        operation.ends_with("Statement")
            || operation.ends_with("Items")
            || operation.ends_with("UpdateItem")
            || operation.starts_with("Put")
    };
    storm
        .proxy
        .set(Faults::new(seed(), 0.5, &[Kind::Lost]).only(move |call| writes(&call.operation)));
    let portal = Portal::of_everybody(&storm.cloud).await;
    for (nth, day) in week(&portal, PEOPLE).into_iter().enumerate() {
        storm.lambda.invoke(event_of(&portal, nth, day).await);
        ended(&portal, &storm.lambda, uploads_after(nth)).await;
    }
    let injected = storm.proxy.injected();
    assert!(injected.values().sum::<u64>() > 20, "{injected:?}");
    let view = portal.view().await;
    assert!(view == expected, "{}", difference(&view, &expected));
    storm.cloud.tear_down().await;
}

/// A roster that cannot be read is not an empty one: nobody is touched, and nobody is created twice.
#[tokio::test]
async fn a_roster_that_cannot_be_read_stops_the_run_and_changes_nobody() {
    let storm = Storm::start().await;
    let portal = Portal::ready(&storm.cloud).await;
    let first = portal.put("0.csv", monday(PEOPLE), 0).await;
    assert_eq!(storm.lambda.call(first).await, Ok(Value::Null));
    let before = portal.view().await;
    for kind in [Kind::ServerError, Kind::Truncated, Kind::Reset] {
        let users_table = storm.cloud.users_table.clone();
        let roster = move |call: &chaos::Call| {
            call.operation == "Query" && String::from_utf8_lossy(&call.body).contains(&users_table)
        };
        storm
            .proxy
            .set(Faults::new(seed(), 1.0, &[kind]).only(roster));
        storm
            .lambda
            .invoke(portal.put("1.csv", tuesday(PEOPLE), 1).await);
        let of_roster = |storm: &Storm| {
            storm
                .proxy
                .injected()
                .get(&("Query".to_owned(), kind))
                .copied()
        };
        within(
            Duration::from_secs(30),
            "attempts to read the roster",
            || of_roster(&storm).filter(|count| *count > 5),
        )
        .await;
        assert!(portal.is_running().await);
        assert_eq!(portal.view().await.people, before.people);
        for worker in storm.lambda.busy() {
            worker.kill().await;
        }
        portal.expire_lease().await;
    }
    storm.proxy.clear();
    ended(&portal, &storm.lambda, 4).await;
    let after = portal.view().await;
    assert_eq!(after.people.len(), PEOPLE + PEOPLE / 3);
    // The same people three times over, and each was written once for it.
    assert!(
        after
            .people
            .values()
            .all(|user| user["version"].as_u64().unwrap() <= 2)
    );
    storm.cloud.tear_down().await;
}
