//! Giving a connection back: in the end nothing is connected at Xero and no token is left here, and not before Xero has
//! confirmed it.

use super::{Company, Scene, is, nth, staff, woken};
use crate::portals::PATIENCE;
use chaos::{Call, Cloud, Faults, Kind, Portal};
use fake_xero::wire::{Route, Scripted};
use serde_json::Value;

/// A company that has just disconnected, and nobody has told Xero yet.
async fn disconnected<'c>(scene: &Scene<'c>) -> Company<'c> {
    let company = scene.company_of(staff()).await;
    scene.connect(&company).await;
    let disconnected = scene
        .ask(&company, "DELETE", "xero/connection", Value::Null)
        .await;
    assert_eq!(disconnected.status, 204);
    let overview = scene.ask(&company, "GET", "xero", Value::Null).await;
    assert_eq!(overview.body["state"], "not_connected");
    company
}

/// How many tokens are kept, to give back by them.
async fn kept(company: &Company<'_>) -> usize {
    assert!(
        company
            .portal
            .items("XERO")
            .await
            .iter()
            .all(|item| item["sk"] != "XERO")
    );
    company.portal.items("XERO_RETURN#").await.len()
}

/// Nothing is kept that Xero has not given up, nor given up here what is alive there.
async fn nothing_is_forgotten(scene: &Scene<'_>, company: &Company<'_>, what: &str) {
    if kept(company).await == 0 {
        assert!(scene.nothing_is_left_at_xero(company).await, "{what}");
    }
}

/// In the end.
async fn is_given_back(scene: &Scene<'_>, company: &Company<'_>, what: &str) {
    scene.comes_to_rest(company).await;
    assert!(scene.nothing_is_left_at_xero(company).await, "{what}");
    assert_eq!(kept(company).await, 0, "{what}");
    // And nobody calls Xero about it any more.
    let calls = || async { scene.xero.calls_of(company.owner.user_id).await.calls.len() };
    let before = calls().await;
    assert_eq!(scene.wake(company).await, Ok(Value::Null));
    assert_eq!(scene.sweep().await, Ok(Value::Null));
    assert_eq!(calls().await, before, "{what}");
}

#[tokio::test]
async fn a_connection_is_given_back_however_xero_answers_in_between() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let down = || {
        vec![
            Scripted::status(503),
            Scripted::reset(),
            Scripted::status(500),
        ]
    };
    let lost = || vec![Scripted::lost()];
    // With one token, and with another.
    let not_allowed = || vec![Scripted::status(403), Scripted::status(403)];
    // Not deleted, but revoked, is as good: that takes all.
    let cases: [(&str, Route, Vec<Scripted>, usize); 7] = [
        ("connections, down", Route::Connections, down(), 1),
        ("connections, refused", Route::Connections, not_allowed(), 1),
        ("delete, down", Route::DeleteConnection, down(), 0),
        ("delete, refused", Route::DeleteConnection, not_allowed(), 0),
        ("delete, lost", Route::DeleteConnection, lost(), 0),
        ("revocation, down", Route::Revocation, down(), 3),
        ("revocation, lost", Route::Revocation, lost(), 1),
    ];
    for (what, route, answers, attempts) in cases {
        let company = disconnected(&scene).await;
        let owner = company.owner.user_id;
        scene.xero.script_for_user(owner, route, answers).await;
        for attempt in 0..attempts {
            assert_eq!(scene.wake(&company).await, Ok(Value::Null), "{what}");
            assert_eq!(kept(&company).await, 1, "{what}, {attempt}: not confirmed");
            // Not before it is due.
            let calls = scene.calls(&company, route).await;
            assert_eq!(scene.wake(&company).await, Ok(Value::Null), "{what}");
            assert_eq!(scene.calls(&company, route).await, calls, "{what}");
            scene.a_while_passes(&company).await;
        }
        is_given_back(&scene, &company, what).await;
    }
    cloud.tear_down().await;
}

/// Nothing can be revoked then: that would take the other's, too.
#[tokio::test]
async fn beside_another_portal_s_a_connection_is_kept_until_xero_has_deleted_it() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    for (what, answers) in [
        ("down", vec![Scripted::status(503)]),
        ("lost", vec![Scripted::lost()]),
        (
            "refused",
            vec![Scripted::status(403), Scripted::status(403)],
        ),
    ] {
        let beside = scene.company_of(staff()).await;
        scene.connect(&beside).await;
        let owner = beside.owner.clone();
        let made = scene.xero.australian(&owner, "Hill Café", staff()).await;
        let company = Company {
            portal: Portal::ready(&cloud).await,
            tenant: made.tenant_id,
            owner,
        };
        scene.connect(&company).await;
        scene
            .ask(&company, "DELETE", "xero/connection", Value::Null)
            .await;
        let (owner, route) = (company.owner.user_id, Route::DeleteConnection);
        scene.xero.script_for_user(owner, route, answers).await;
        assert_eq!(scene.wake(&company).await, Ok(Value::Null), "{what}");
        assert_eq!(kept(&company).await, 1, "{what}");
        scene.comes_to_rest(&company).await;
        let left = scene.xero.state(owner).await.connections;
        let left: Vec<_> = left.iter().map(|it| it.tenant_id).collect();
        assert_eq!(left, [beside.tenant], "{what}");
        assert_eq!(scene.calls(&company, Route::Revocation).await, 0, "{what}");
        let seen = scene.ask(&beside, "GET", "xero/preview", Value::Null).await;
        assert_eq!(seen.status, 200, "{what}: {seen:?}");
    }
    cloud.tear_down().await;
}

/// Between two of its calls to AWS there may be one to Xero, which was done.
#[tokio::test]
async fn whoever_gives_back_is_killed_at_any_call_and_whoever_comes_next_ends_it() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let mut calls = 0;
    // A process asks for the secret once; the second company's calls are as many as those of the others.
    for _ in 0..2 {
        let company = disconnected(&scene).await;
        let all = || scene.proxy.requests().values().sum::<u64>();
        let before = all();
        assert_eq!(scene.wake(&company).await, Ok(Value::Null));
        calls = usize::try_from(all() - before).unwrap();
        assert_eq!(kept(&company).await, 0);
    }
    assert!(calls > 5);
    for at in 0..=calls {
        // Before each is done, and after the last.
        let done = at == calls;
        let what = format!("killed at {at} of {calls}");
        let company = disconnected(&scene).await;
        let (which, _) = nth(at.min(calls - 1), |_| true);
        match done {
            true => scene.proxy.hold_answers(which),
            false => scene.proxy.hold(which),
        }
        scene.hands.invoke(woken(&company));
        scene.held(&what).await;
        assert_eq!(scene.kill_everybody().await, 1, "{what}");
        scene.hands.wait_idle(PATIENCE).await;
        nothing_is_forgotten(&scene, &company, &what).await;
        is_given_back(&scene, &company, &what).await;
    }
    cloud.tear_down().await;
}

#[tokio::test]
async fn a_connection_is_given_back_when_aws_has_failed_in_between() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    type Which = fn(&Call) -> bool;
    let cases: [(&str, Which, Kind); 5] = [
        (
            "reading",
            |call| is("dynamodb", "Query")(call),
            Kind::Throttled,
        ),
        (
            "claiming",
            |call| is("dynamodb", "UpdateItem")(call),
            Kind::Lost,
        ),
        (
            "opening",
            |call| is("kms", "Decrypt")(call),
            Kind::ServerError,
        ),
        (
            "forgetting",
            |call| is("dynamodb", "DeleteItem")(call),
            Kind::Throttled,
        ),
        (
            "forgetting",
            |call| is("dynamodb", "DeleteItem")(call),
            Kind::Lost,
        ),
    ];
    for (step, which, kind) in cases {
        let what = format!("{step}, {kind:?}");
        let company = disconnected(&scene).await;
        scene.proxy.set(Faults::new(1, 1.0, &[kind]).only(which));
        let _ = scene.wake(&company).await;
        let met = !scene.proxy.injected().is_empty();
        scene.proxy.clear();
        assert!(met, "{what}");
        nothing_is_forgotten(&scene, &company, &what).await;
        is_given_back(&scene, &company, &what).await;
    }
    cloud.tear_down().await;
}
