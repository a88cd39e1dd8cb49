//! Two at once for one portal: a worker is stopped in the middle, another one takes its place, and the first wakes up,
//! or what it sent arrives late.

use super::{Scene, View, is, is_as, names, nth, undisturbed, woken};
use crate::portals::PATIENCE;
use chaos::{Call, Cloud, within};
use fake_xero::wire::Person;
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::atomic::Ordering;

/// Of 200; fewer are left than there are people for.
const TAKEN: u32 = 190;

/// When the first one wakes up.
#[derive(Clone, Copy, Debug)]
enum Wakes {
    /// When the other has come to the end.
    Afterwards,
    /// When the other is in the middle.
    Meanwhile,
    /// When its lease has run out by itself, and the other has come to the end.
    AfterItsLease,
}

fn creates(call: &Call) -> bool {
    is("dynamodb", "TransactWriteItems")(call) && names(call, "places_taken < :all")
}

#[tokio::test]
async fn of_two_workers_at_once_none_creates_anybody_twice_or_one_too_many() {
    let cloud = Cloud::create().await;
    let (expected, _) = undisturbed(&Scene::start(&cloud).await, TAKEN).await;
    let cases = [
        (0, false, Wakes::Afterwards),
        (5, true, Wakes::Afterwards),
        (9, false, Wakes::Afterwards),
        (1, false, Wakes::Meanwhile),
        (5, true, Wakes::Meanwhile),
        (5, false, Wakes::AfterItsLease),
    ];
    join_all(cases.map(|case| slept(&expected, case))).await;
    cloud.tear_down().await;
}

/// A worker is stopped when it creates the person of this number, before that is done or after.
async fn slept(expected: &View, (at, done, wakes): (usize, bool, Wakes)) {
    let what = format!("{at}, {done}, {wakes:?}");
    // A sweep wakes every portal that a cloud has.
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let company = scene.company().await;
    scene.take_places(&company, TAKEN).await;
    scene.import(&company).await;
    let (which, _) = nth(at, creates);
    match done {
        true => scene.proxy.hold_answers(which),
        false => scene.proxy.hold(which),
    }
    scene.hands.invoke(woken(&company));
    scene.held("creation").await;
    let sleeper = scene.hands.busy().remove(0);
    sleeper.stop();
    if !matches!(wakes, Wakes::AfterItsLease) {
        scene.a_while_passes(&company).await;
    }
    if matches!(wakes, Wakes::Meanwhile) {
        // The sleeper believes that it has the lease; both go on at once.
        let (which, came) = nth(1, creates);
        scene.proxy.hold(which);
        scene.hands.invoke(woken(&company));
        let came = || came.load(Ordering::Relaxed).then_some(());
        within(PATIENCE, "second creation", came).await;
        scene.proxy.release();
        sleeper.resume();
    } else {
        assert_eq!(scene.wake(&company).await, Ok(Value::Null), "{what}");
        assert!(scene.is_at_rest(&company).await, "{what}");
        is_as(&View::of(&company).await, expected, &what);
        scene.proxy.release();
        sleeper.resume();
    }
    scene.hands.wait_idle(PATIENCE).await;
    assert!(sleeper.lives(), "{what}");
    scene.comes_to_rest(&company).await;
    is_as(&View::of(&company).await, expected, &what);
    assert!(scene.nothing_is_left_at_xero(&company).await, "{what}");
    cloud.tear_down().await;
}

/// The two see other people, so what the second creates is nobody whom the first knows.
#[tokio::test]
async fn two_workers_who_see_other_people_at_xero_take_no_place_too_many() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let company = scene.company().await;
    scene.take_places(&company, TAKEN).await;
    scene.import(&company).await;
    scene.proxy.hold(nth(4, creates).0);
    scene.hands.invoke(woken(&company));
    scene.held("creation").await;
    let sleeper = scene.hands.busy().remove(0);
    sleeper.stop();
    let others = (0..20).map(|n| Person::named("Quin", "Lee", &format!("q{n}@x.example")));
    let others = others.collect();
    scene.xero.set_employees(company.tenant, others).await;
    scene.a_while_passes(&company).await;
    let (which, came) = nth(2, creates);
    scene.proxy.hold(which);
    scene.hands.invoke(woken(&company));
    let came = || came.load(Ordering::Relaxed).then_some(());
    within(PATIENCE, "second creation", came).await;
    // Both go on at once.
    scene.proxy.release();
    sleeper.resume();
    scene.hands.wait_idle(PATIENCE).await;
    scene.comes_to_rest(&company).await;
    let users = company.portal.users().await;
    let imported = users.iter().filter(|user| user["source"] == "xero");
    assert_eq!(imported.count() as u64, u64::from(200 - TAKEN));
    let emails: Vec<_> = users.iter().map(|user| user["email_key"].clone()).collect();
    let quins = emails
        .iter()
        .filter(|it| it.as_str().unwrap().starts_with('q'));
    assert_eq!(
        quins.count(),
        6,
        "four were created by the first: {emails:?}"
    );
    let places = &company.portal.items("XERO_IMPORTED").await[0]["places_taken"];
    assert_eq!(places, 200);
    assert!(scene.nothing_is_left_at_xero(&company).await);
    cloud.tear_down().await;
}
