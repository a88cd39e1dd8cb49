//! Tokens: Xero has given others, and the answer is lost, or whoever has them dies, or cannot store them.

use super::{Answered, Company, Scene, is, names, nth, staff};
use chaos::{Call, Cloud, Faults, Kind};
use fake_xero::wire::{Route, Scripted};
use futures_util::future::join;
use serde_json::Value;

async fn preview(scene: &Scene<'_>, company: &Company<'_>) -> Answered {
    let preview = scene.ask(company, "GET", "xero/preview", Value::Null);
    preview.await
}

/// A company that is connected, with an access token that has expired.
async fn expired<'c>(scene: &Scene<'c>) -> Company<'c> {
    let company = scene.company_of(staff()).await;
    scene.connect(&company).await;
    scene.xero.expire_access(company.owner.user_id).await;
    company
}

/// Nobody has to connect again.
async fn goes_on(scene: &Scene<'_>, company: &Company<'_>, what: &str) {
    let seen = preview(scene, company).await;
    assert_eq!(seen.status, 200, "{what}: {seen:?}");
    let connection = &company.portal.items("XERO").await[0];
    assert_ne!(connection["reconnect_needed"], true, "{what}");
    assert!(connection["refreshing_by"].is_null(), "{what}");
    // What is stored is what works: also when the access token has expired once more.
    let owner = company.owner.user_id;
    scene.xero.advance(owner, 60 * 60).await;
    scene.xero.expire_access(owner).await;
    assert_eq!(preview(scene, company).await.status, 200, "{what}");
}

/// New tokens are stored.
fn stores_tokens(call: &Call) -> bool {
    is("dynamodb", "UpdateItem")(call) && names(call, "refresh_token = :refresh")
}

#[tokio::test]
async fn tokens_that_nobody_heard_of_are_got_again_with_the_ones_of_before() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let company = expired(&scene).await;
    let owner = company.owner.user_id;
    let lost = vec![Scripted::lost()];
    scene.xero.script_for_user(owner, Route::Token, lost).await;
    let before = scene.calls(&company, Route::Token).await;
    let seen = preview(&scene, &company).await;
    assert_eq!((seen.status, seen.code()), (503, "xero_unavailable"));
    // It was not repeated behind anybody's back: Xero counts each use.
    assert_eq!(scene.calls(&company, Route::Token).await, before + 1);
    let rotated = scene.xero.state(owner).await;
    assert_eq!(rotated.refresh_tokens_in_grace, 1);
    goes_on(&scene, &company, "lost").await;
    cloud.tear_down().await;
}

#[tokio::test]
async fn whoever_dies_with_new_tokens_leaves_the_ones_of_before_which_work() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    for done in [false, true] {
        let what = format!("stored: {done}");
        let company = expired(&scene).await;
        match done {
            true => scene.proxy.hold_answers(stores_tokens),
            false => scene.proxy.hold(stores_tokens),
        }
        let asked = scene.try_to_ask(&company, "GET", "xero/preview", Value::Null);
        let killed = async {
            scene.held("tokens to be stored").await;
            assert_eq!(scene.kill_everybody().await, 1);
        };
        let (answer, ()) = join(asked, killed).await;
        assert!(answer.is_err(), "{what}");
        let connection = &company.portal.items("XERO").await[0];
        assert_eq!(
            connection["tokens_version"],
            if done { 2 } else { 1 },
            "{what}"
        );
        scene.a_while_passes(&company).await;
        goes_on(&scene, &company, &what).await;
    }
    cloud.tear_down().await;
}

#[tokio::test]
async fn two_who_need_new_tokens_at_once_get_them_by_one_call() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let company = expired(&scene).await;
    let before = scene.calls(&company, Route::Token).await;
    let (owner, slow) = (company.owner.user_id, vec![Scripted::delay_ms(700)]);
    scene.xero.script_for_user(owner, Route::Token, slow).await;
    let both = join(preview(&scene, &company), preview(&scene, &company)).await;
    assert_eq!((both.0.status, both.1.status), (200, 200), "{both:?}");
    assert_eq!(scene.calls(&company, Route::Token).await, before + 1);
    let state = scene.xero.state(owner).await;
    assert_eq!(
        (state.refresh_tokens, state.refresh_tokens_in_grace),
        (1, 1)
    );
    goes_on(&scene, &company, "two at once").await;
    cloud.tear_down().await;
}

/// The first answer, then every answer to a call is lost, or the call does not work.
#[tokio::test]
async fn tokens_that_cannot_be_stored_or_sealed_are_got_again() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let begins = |call: &Call| names(call, "SET refreshing_by = :by");
    type Which = fn(&Call) -> bool;
    let cases: [(&str, Which, Kind, bool); 7] = [
        ("beginning, one answer", begins, Kind::Lost, true),
        ("beginning, every answer", begins, Kind::Lost, false),
        ("storing, one answer", stores_tokens, Kind::Lost, true),
        ("storing, every answer", stores_tokens, Kind::Lost, false),
        ("storing", stores_tokens, Kind::Throttled, false),
        (
            "opening",
            |call| is("kms", "Decrypt")(call),
            Kind::ServerError,
            false,
        ),
        (
            "sealing",
            |call| is("kms", "Encrypt")(call),
            Kind::Throttled,
            false,
        ),
    ];
    for (what, which, kind, once) in cases {
        let company = expired(&scene).await;
        let faults = Faults::new(1, 1.0, &[kind]);
        scene.proxy.set(match once {
            true => faults.only(nth(0, which).0),
            false => faults.only(which),
        });
        let seen = preview(&scene, &company).await;
        let met = !scene.proxy.injected().is_empty();
        scene.proxy.clear();
        assert!(met, "{what}");
        match once {
            // The SDK has asked again, and nobody has noticed.
            true => assert_eq!(seen.status, 200, "{what}: {seen:?}"),
            false => assert!(seen.status >= 500, "{what}: {seen:?}"),
        }
        scene.a_while_passes(&company).await;
        goes_on(&scene, &company, what).await;
    }
    cloud.tear_down().await;
}
