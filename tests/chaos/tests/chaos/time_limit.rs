//! A file that takes longer than an invocation may: it finishes over several, and is one upload.

use crate::portals::{ended_by_itself, runs};
use chaos::{Cloud, FaultProxy, Faults, Kind, Lambda, Portal, Settings, process_upload};
use std::fmt::Write;
use std::time::Duration;

fn people(rows: usize) -> String {
    let mut file = "Email,First,Last,Status,Job,Group\n".to_owned();
    for n in 0..rows {
        writeln!(file, "p{n}@x.example,Pat{n},Lee,1,Cook,").unwrap();
    }
    file
}

#[tokio::test]
async fn a_file_that_takes_longer_than_an_invocation_finishes_over_several() {
    // A hundred thousand in the long version; in the short one, writing is made slow instead.
    let rows = 500 * runs(10);
    let long = rows >= 100_000;
    let timeout = Duration::from_secs(if long { 13 } else { 8 });
    let cloud = Cloud::create().await;
    let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
    if !long {
        let slow = Faults::new(1, 1.0, &[Kind::SlowAnswer]);
        proxy.set(slow.only(|call| call.operation == "BatchExecuteStatement"));
    }
    let settings = Settings {
        timeout,
        ..Settings::default()
    };
    let lambda = Lambda::start(
        process_upload(),
        cloud.environment(&proxy.endpoint()),
        settings,
    );
    let portal = Portal::ready(&cloud).await;
    lambda.invoke(portal.put("people.csv", people(rows), 0).await);
    ended_by_itself(&portal, &lambda, 1).await;
    let view = portal.view().await;
    assert_eq!(view.uploads[0][1], "completed");
    assert_eq!(view.uploads[0][2]["created"], rows);
    assert_eq!(view.people.len(), rows);
    assert!(view.people.values().all(|user| user["version"] == 1));
    let report = view.documents[0].0.as_ref().unwrap();
    assert_eq!(report.lines().count(), rows + 1);
    println!(
        "{rows} rows took {} more invocations of {timeout:?}",
        lambda.self_invocations()
    );
    assert!(lambda.self_invocations() > 0);
    assert_eq!(lambda.given_up(), Vec::<serde_json::Value>::new());
    cloud.tear_down().await;
}

/// A continuation that cannot come forward is not continued for ever.
#[tokio::test]
async fn an_upload_that_never_comes_forward_is_given_up_and_says_so() {
    let cloud = Cloud::create().await;
    let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
    let settings = Settings {
        timeout: Duration::from_secs(8),
        ..Settings::default()
    };
    let lambda = Lambda::start(
        process_upload(),
        cloud.environment(&proxy.endpoint()),
        settings,
    );
    let portal = Portal::ready(&cloud).await;
    let event = portal.put("people.csv", people(100), 0).await;
    // The people can never be written.
    proxy.set(
        Faults::new(1, 1.0, &[Kind::ServerError])
            .only(|call| call.operation == "BatchExecuteStatement"),
    );
    lambda.invoke(event);
    ended_by_itself(&portal, &lambda, 1).await;
    let upload = portal.uploads().await.remove(0);
    assert_eq!(upload["status"], "failed");
    assert_eq!(upload["problems"][0]["code"], "processing_failed");
    assert_eq!(
        (lambda.self_invocations() >= 5, portal.users().await.len()),
        (true, 0)
    );
    assert_eq!(lambda.given_up(), Vec::<serde_json::Value>::new());
    // The next file is processed as ever.
    proxy.clear();
    lambda.invoke(portal.put("people.csv", people(100), 1).await);
    ended_by_itself(&portal, &lambda, 2).await;
    assert_eq!(portal.users().await.len(), 100);
    cloud.tear_down().await;
}
