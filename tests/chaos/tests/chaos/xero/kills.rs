//! Whoever imports is killed at any of their calls, again and again, and whoever comes next brings it to the same end.

use super::{SOON, Scene, View, is_as, nth, undisturbed, woken};
use crate::portals::{PATIENCE, runs, seed};
use chaos::Cloud;
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Portals at a time, each with workers of its own.
const SIDE_BY_SIDE: u64 = 4;

#[tokio::test]
async fn an_import_that_is_killed_at_any_moment_ends_like_one_that_is_not() {
    let (seed, wanted) = (seed(), runs(12));
    let cloud = Cloud::create().await;
    let (expected, calls) = undisturbed(&Scene::start(&cloud).await, 0).await;
    let (hit, companies) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lanes = (0..SIDE_BY_SIDE).map(|lane| {
        let mut rng = Rng::with_seed(seed + lane);
        let (expected, hit, companies) = (&expected, &hit, &companies);
        async move {
            // A sweep wakes every portal that a cloud has.
            let cloud = Cloud::create().await;
            let scene = Scene::start(&cloud).await;
            while hit.load(Ordering::Relaxed) < wanted {
                let known = companies.fetch_add(1, Ordering::Relaxed);
                assert!(known < 20 * wanted, "hardly a kill hits anybody");
                let kills = killed(&scene, &mut rng, expected, calls).await;
                hit.fetch_add(kills, Ordering::Relaxed);
            }
            cloud.tear_down().await;
        }
    });
    join_all(lanes).await;
    println!("{hit:?} imports were killed, of {companies:?} companies, of {calls} calls each");
    cloud.tear_down().await;
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
