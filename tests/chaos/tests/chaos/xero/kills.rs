//! Whoever imports is killed at any of their calls, again and again, and whoever comes next brings it to the same end.

use super::{SOON, Scene, View, expected, is_as, names, nth, woken};
use crate::portals::{PATIENCE, runs, seed};
use chaos::Cloud;
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Portals at a time, each with workers of its own.
const SIDE_BY_SIDE: u64 = 4;

#[tokio::test]
async fn an_import_that_is_killed_at_any_moment_ends_like_one_that_is_not() {
    let (seed, wanted) = (seed(), runs(4));
    let (expected, calls) = expected().await;
    let (hit, companies) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lanes = (0..SIDE_BY_SIDE).map(|lane| {
        let mut rng = Rng::with_seed(seed + lane);
        let (hit, companies) = (&hit, &companies);
        async move {
            // A sweep wakes every portal that a cloud has.
            let cloud = Cloud::create().await;
            let scene = Scene::start(&cloud).await;
            while hit.load(Ordering::Relaxed) < wanted {
                let known = companies.fetch_add(1, Ordering::Relaxed);
                assert!(known < 20 * wanted, "hardly a kill hits anybody");
                let kills = killed(&scene, &mut rng, expected, *calls).await;
                hit.fetch_add(kills, Ordering::Relaxed);
            }
            cloud.tear_down().await;
        }
    });
    join_all(lanes).await;
    println!("{hit:?} imports were killed, of {companies:?} companies, of {calls} calls each");
}

/// An import that is killed up to four times; how many kills hit it.
async fn killed(scene: &Scene<'_>, rng: &mut Rng, expected: &View, calls: usize) -> usize {
    let company = scene.company().await;
    if rng.bool() {
        // So that the tokens are refreshed on the way.
        scene.xero.expire_access(company.owner.user_id).await;
    }
    scene.import(&company).await;
    let mut hit = Vec::new();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..calls);
        // A call that is not done, or one whose answer nobody hears.
        let (which, came) = nth(at, |_| true);
        let done = rng.bool();
        match done {
            true => scene.proxy.hold_answers(which),
            false => scene.proxy.hold(which),
        }
        match rng.bool() {
            true => scene.hands.invoke(woken(&company)),
            false => scene.hands.invoke(json!({"sweep": true})),
        }
        let begun = Instant::now();
        while !came.load(Ordering::Relaxed) && !scene.hands.is_idle() {
            assert!(begun.elapsed() < PATIENCE, "{}", scene.hands.output());
            tokio::time::sleep(SOON).await;
        }
        if scene.kill_everybody().await > 0 {
            hit.push((at, done));
        }
        scene.hands.wait_idle(PATIENCE).await;
        scene.a_while_passes(&company).await;
    }
    scene.comes_to_rest(&company).await;
    let what = format!("killed at {hit:?}");
    is_as(&View::of(&company).await, expected, &what);
    assert!(scene.nothing_is_left_at_xero(&company).await, "{what}");
    hit.len()
}

/// Somebody has to look at it then; what was done stays, and is said.
#[tokio::test]
async fn an_import_whose_every_attempt_dies_is_given_up_and_the_next_one_goes_on() {
    let cloud = Cloud::create().await;
    let scene = Scene::start(&cloud).await;
    let (expected, _) = expected().await;
    let company = scene.company().await;
    scene.import(&company).await;
    for _ in 0..5 {
        // Each creates somebody and dies.
        let (which, _) = nth(0, |call| names(call, "places_taken < :all"));
        scene.proxy.hold_answers(which);
        scene.hands.invoke(woken(&company));
        scene.held("creation").await;
        assert_eq!(scene.kill_everybody().await, 1);
        scene.hands.wait_idle(PATIENCE).await;
        scene.a_while_passes(&company).await;
    }
    assert_eq!(scene.wake(&company).await, Ok(Value::Null));
    let uploads = company.portal.uploads().await;
    let import = uploads.iter().find(|it| it["kind"] == "xero").unwrap();
    let (status, problem) = (&import["status"], &import["problems"][0]);
    assert_eq!(
        (status, &problem["code"]),
        (&json!("failed"), &json!("processing_failed"))
    );
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("5 people were imported")
    );
    assert_eq!(import["rows"]["created"], 5);
    assert_eq!(company.portal.users().await.len(), 3 + 5);

    scene.import(&company).await;
    scene.comes_to_rest(&company).await;
    let mut ids = company.portal.users().await;
    ids.retain(|user| user["source"] == "xero");
    assert_eq!(ids.len() as u64, expected.places_taken);
    let imported = &company.portal.items("XERO_IMPORTED").await[0];
    assert_eq!(imported["places_taken"], expected.places_taken);
    let learning = company.portal.learning().await;
    assert_eq!(learning.len(), expected.learning.len());
    assert!(scene.nothing_is_left_at_xero(&company).await);
    cloud.tear_down().await;
}
