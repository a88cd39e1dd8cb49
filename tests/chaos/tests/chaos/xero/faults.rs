//! AWS fails: nothing is lost, nothing is done twice, and what somebody was told is true.

use super::{Company, Scene, View, expected, hands, is, is_as, names, nth};
use chaos::{Call, Cloud, Faults, Kind, Settings};
use futures_util::future::join_all;
use serde_json::{Value, json};

type Which = fn(&Call) -> bool;

/// Whether an import is under way.
async fn is_under_way(company: &Company<'_>) -> bool {
    !company
        .portal
        .items("XERO_IMPORT")
        .await
        .iter()
        .all(|it| it["sk"] != "XERO_IMPORT")
}

/// What fails, how, and for which part of the calls.
type Case = (&'static str, Which, Kind, f64);

/// A service fails all the time while two attempts are made, or now and then.
#[tokio::test]
async fn an_import_among_faults_ends_like_one_without() {
    let dynamodb: Which = |call| call.service == "dynamodb";
    let transactions: Which = |call| is("dynamodb", "TransactWriteItems")(call);
    let creations: Which = |call| names(call, "places_taken < :all");
    let ends: Which = |call| names(call, "NOTICE#");
    let updates: Which = |call| is("dynamodb", "UpdateItem")(call);
    let tokens: Which = |call| call.service == "kms";
    let secret: Which = |call| call.service == "secretsmanager";
    let report: Which = |call| call.service == "s3";
    // Each row takes about as long as any other, and they are run side by side.
    let cases: [&[Case]; 4] = [
        &[
            ("the table", dynamodb, Kind::Throttled, 0.03),
            ("the end", ends, Kind::Lost, 1.0),
        ],
        &[
            ("the table", dynamodb, Kind::Reset, 0.03),
            ("updates", updates, Kind::Lost, 0.3),
        ],
        &[
            ("transactions", transactions, Kind::Lost, 0.2),
            ("creations", creations, Kind::Lost, 1.0),
            ("the secret", secret, Kind::ServerError, 1.0),
        ],
        &[
            ("tokens", tokens, Kind::ServerError, 1.0),
            ("tokens", tokens, Kind::Throttled, 1.0),
            ("the report", report, Kind::ServerError, 1.0),
        ],
    ];
    join_all(cases.map(among)).await;
}

async fn among(cases: &[Case]) {
    let (expected, _) = expected().await;
    let cloud = Cloud::create().await;
    let mut scene = Scene::start(&cloud).await;
    for &(step, which, kind, rate) in cases {
        let what = format!("{step}, {kind:?}, {rate}");
        let company = scene.company().await;
        scene.xero.expire_access(company.owner.user_id).await;
        scene.import(&company).await;
        // The secret is asked for once.
        scene.hands = scene.another(hands());
        scene.proxy.set(Faults::new(1, rate, &[kind]).only(which));
        for _ in 0..2 {
            // Whatever becomes of it.
            let _ = scene.wake(&company).await;
            scene.a_while_passes(&company).await;
        }
        let met = !scene.proxy.injected().is_empty();
        scene.proxy.clear();
        assert!(met, "{what}");
        if [Kind::ServerError, Kind::Throttled].contains(&kind) && rate > 0.9 {
            assert!(is_under_way(&company).await, "{what}");
        }
        scene.comes_to_rest(&company).await;
        is_as(&View::of(&company).await, expected, &what);
        assert!(scene.nothing_is_left_at_xero(&company).await, "{what}");
    }
    cloud.tear_down().await;
}

#[tokio::test]
async fn who_asks_for_an_import_is_told_whether_there_is_one() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let (expected, _) = expected().await;
    let asked = || json!({"assign_courses": true});
    let begins: Which =
        |call| is("dynamodb", "TransactWriteItems")(call) && names(call, "XERO_IMPORT\"");
    for (kind, once) in [
        (Kind::Lost, true),
        (Kind::Lost, false),
        (Kind::ServerError, false),
    ] {
        let what = format!("{kind:?}, once: {once}");
        let company = scene.company().await;
        let faults = Faults::new(1, 1.0, &[kind]);
        scene.proxy.set(match once {
            true => faults.only(nth(0, begins).0),
            false => faults.only(begins),
        });
        let told = scene.ask(&company, "POST", "xero/import", asked()).await;
        let met = !scene.proxy.injected().is_empty();
        scene.proxy.clear();
        assert!(met, "{what}");
        assert_eq!(
            told.status,
            if once { 202 } else { 500 },
            "{what}: {told:?}"
        );
        assert_eq!(is_under_way(&company).await, kind == Kind::Lost, "{what}");
        // Nobody has one made twice.
        let again = scene.ask(&company, "POST", "xero/import", asked()).await;
        match kind {
            Kind::Lost => assert_eq!((again.status, again.code()), (409, "import_running")),
            _ => assert_eq!(again.status, 202, "{what}: {again:?}"),
        }
        scene.comes_to_rest(&company).await;
        is_as(&View::of(&company).await, expected, &what);
    }
    cloud.tear_down().await;
}

#[tokio::test]
async fn an_import_is_made_although_nobody_can_be_woken() {
    let cloud = Cloud::create().await;
    let mut scene = Scene::start(&cloud).await;
    let (expected, _) = expected().await;
    let company = scene.company().await;
    // Neither the function itself, by who is asked for the import, nor who tells of its end.
    scene.desk = scene.another(Settings {
        failing_self_invocations: u64::MAX,
        ..hands()
    });
    scene.hands = scene.another(Settings {
        neighbour: None,
        ..hands()
    });
    scene.import(&company).await;
    assert!(is_under_way(&company).await);
    // The import has ended when that fails, and is not made again when the event is repeated.
    assert!(scene.wake(&company).await.is_err());
    assert!(!is_under_way(&company).await);
    assert_eq!(scene.wake(&company).await, Ok(Value::Null));
    assert!(scene.is_at_rest(&company).await);
    is_as(&View::of(&company).await, expected, "nobody is woken");
    assert!(scene.nothing_is_left_at_xero(&company).await);
    cloud.tear_down().await;
}

#[tokio::test]
async fn who_disconnects_is_told_whether_it_was_done() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    for (kind, once) in [
        (Kind::Lost, true),
        (Kind::Lost, false),
        (Kind::ServerError, false),
    ] {
        let what = format!("{kind:?}, once: {once}");
        let company = scene.company_of(super::staff()).await;
        scene.connect(&company).await;
        let (faults, writes) = (
            Faults::new(1, 1.0, &[kind]),
            is("dynamodb", "TransactWriteItems"),
        );
        scene.proxy.set(match once {
            true => faults.only(nth(0, writes).0),
            false => faults.only(writes),
        });
        let disconnect = || scene.ask(&company, "DELETE", "xero/connection", Value::Null);
        let told = disconnect().await;
        scene.proxy.clear();
        assert_eq!(
            told.status,
            if once { 204 } else { 500 },
            "{what}: {told:?}"
        );
        let overview = scene.ask(&company, "GET", "xero", Value::Null).await;
        let connected = overview.body["state"] != "not_connected";
        assert_eq!(connected, kind != Kind::Lost, "{what}: {overview:?}");
        assert_eq!(disconnect().await.status, 204, "{what}");
        scene.comes_to_rest(&company).await;
        assert!(scene.nothing_is_left_at_xero(&company).await, "{what}");
    }
    cloud.tear_down().await;
}
