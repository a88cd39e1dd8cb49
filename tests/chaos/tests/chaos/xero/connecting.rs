//! Connecting: whatever happens on the way back from Xero, a portal is connected by tokens that are stored, or not at all.

use super::{Company, Scene, is, names, nth, staff};
use chaos::{Call, Cloud, Faults, Kind};
use fake_xero::wire::{Route, Scripted};
use futures_util::future::join;
use serde_json::Value;

type Which = fn(&Call) -> bool;

/// Everything that a callback asks of AWS until the connection is stored, in its order.
const STEPS: [(&str, Which); 5] = [
    ("taking the state", |call| {
        is("dynamodb", "DeleteItem")(call)
    }),
    ("sealing", |call| is("kms", "Encrypt")(call)),
    ("keeping", |call| {
        is("dynamodb", "TransactWriteItems")(call) && !names(call, "\"XERO\"")
    }),
    ("reading the connection", |call| {
        is("dynamodb", "GetItem")(call) && names(call, "\"XERO\"")
    }),
    ("storing", |call| {
        is("dynamodb", "TransactWriteItems")(call) && names(call, "\"XERO\"")
    }),
];

async fn is_connected(company: &Company<'_>) -> bool {
    let items = company.portal.items("XERO").await;
    items.iter().any(|item| item["sk"] == "XERO")
}

/// Works, and is the only one.
async fn connecting_again_works(scene: &Scene<'_>, company: &Company<'_>, what: &str) {
    scene.connect(company).await;
    let seen = scene.ask(company, "GET", "xero/preview", Value::Null).await;
    assert_eq!(seen.status, 200, "{what}: {seen:?}");
    // One that was replaced is given back, and the new one goes on working.
    scene.a_while_passes(company).await;
    assert_eq!(scene.sweep().await, Ok(Value::Null), "{what}");
    assert!(is_connected(company).await, "{what}");
    let returns = company.portal.items("XERO_RETURN#").await;
    assert!(returns.is_empty(), "{what}");
    let seen = scene.ask(company, "GET", "xero/preview", Value::Null).await;
    assert_eq!(seen.status, 200, "{what}: {seen:?}");
    let state = scene.xero.state(company.owner.user_id).await;
    assert_eq!(state.connections.len(), 1, "{what}");
}

#[tokio::test]
async fn whoever_is_killed_on_the_way_back_leaves_no_half_of_a_connection() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    for (step, which) in STEPS {
        for done in [false, true] {
            let what = format!("{step}, done: {done}");
            let company = scene.company_of(staff()).await;
            let (callback, cookies) = scene.allowed(&company).await;
            match done {
                true => scene.proxy.hold_answers(which),
                false => scene.proxy.hold(which),
            }
            let killed = async {
                scene.held(&what).await;
                assert_eq!(scene.kill_everybody().await, 1, "{what}");
            };
            let (answer, ()) = join(scene.come_back(&callback, &cookies), killed).await;
            assert!(answer.is_err(), "{what}");
            let stored = step == "storing" && done;
            let taken = step != "taking the state" || done;
            let items = company.portal.items("XERO").await;
            let kinds: Vec<_> = items
                .iter()
                .map(|item| item["sk"].as_str().unwrap().split('#').next().unwrap())
                .collect();
            // What Xero has given is kept to be given back, until the portal is connected by it.
            let left: &[&str] = match (step, done) {
                ("taking the state", false) => &["XERO_STATE"],
                ("taking the state" | "sealing", _) | ("keeping", false) => &[],
                ("storing", true) => &["XERO"],
                _ => &["XERO_RETURN"],
            };
            assert_eq!(kinds, left, "{what}");
            if taken {
                // The browser goes there once more.
                let again = scene.come_back(&callback, &cookies).await.unwrap();
                assert_eq!(again.status, 400, "{what}");
                assert_eq!(is_connected(&company).await, stored, "{what}");
                connecting_again_works(&scene, &company, &what).await;
            } else {
                let again = scene.come_back(&callback, &cookies).await.unwrap();
                assert_eq!(again.status, 303, "{what}");
                assert!(is_connected(&company).await, "{what}");
            }
        }
    }
    cloud.tear_down().await;
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_is_so_and_can_connect_again() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    for (step, which) in STEPS {
        // Whether a read was answered matters as little as whether it was made.
        let writes = ["keeping", "storing"].contains(&step);
        let lost_and_throttled = [(Kind::Lost, false), (Kind::Throttled, false)];
        let always: &[_] = if writes { &lost_and_throttled } else { &[] };
        for &(kind, once) in [(Kind::Lost, true)].iter().chain(always) {
            let what = format!("{step}, {kind:?}, once: {once}");
            let company = scene.company_of(staff()).await;
            let (callback, cookies) = scene.allowed(&company).await;
            let faults = Faults::new(1, 1.0, &[kind]);
            scene.proxy.set(match once {
                true => faults.only(nth(0, which).0),
                false => faults.only(which),
            });
            let back = scene.come_back(&callback, &cookies).await.unwrap();
            let met = !scene.proxy.injected().is_empty();
            scene.proxy.clear();
            assert!(met, "{what}");
            let connected = is_connected(&company).await;
            match (step, kind, once) {
                // A state is taken once, and whether this was by us nobody knows then.
                ("taking the state", Kind::Lost, true) => assert_eq!(back.status, 400, "{what}"),
                // The SDK has asked again.
                (_, _, true) => assert_eq!(back.status, 303, "{what}"),
                (_, _, false) => assert_eq!(back.status, 500, "{what}"),
            }
            let stored = step == "storing" && kind == Kind::Lost;
            assert_eq!(connected, back.status == 303 || stored, "{what}");
            connecting_again_works(&scene, &company, &what).await;
        }
    }
    cloud.tear_down().await;
}

#[tokio::test]
async fn an_exchange_whose_answer_is_lost_connects_nothing() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let company = scene.company_of(staff()).await;
    let (callback, cookies) = scene.allowed(&company).await;
    let owner = company.owner.user_id;
    let lost = vec![Scripted::lost()];
    scene.xero.script_for_user(owner, Route::Token, lost).await;
    let back = scene.come_back(&callback, &cookies).await.unwrap();
    assert_eq!(back.status, 503);
    assert_eq!(scene.calls(&company, Route::Token).await, 1);
    assert!(!is_connected(&company).await);
    connecting_again_works(&scene, &company, "lost").await;
    cloud.tear_down().await;
}

#[tokio::test]
async fn without_the_secret_of_our_app_nobody_is_sent_to_xero() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let company = scene.company_of(staff()).await;
    for kind in [Kind::ServerError, Kind::Reset] {
        let secret = is("secretsmanager", "GetSecretValue");
        scene.proxy.set(Faults::new(1, 1.0, &[kind]).only(secret));
        let begun = scene
            .ask(&company, "POST", "xero/connection", Value::Null)
            .await;
        assert_eq!(begun.status, 500, "{kind:?}");
        assert!(begun.cookies.is_empty(), "{kind:?}");
        assert!(company.portal.items("XERO").await.is_empty(), "{kind:?}");
        scene.proxy.clear();
    }
    connecting_again_works(&scene, &company, "the secret is there").await;
    cloud.tear_down().await;
}
