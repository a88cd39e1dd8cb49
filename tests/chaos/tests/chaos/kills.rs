//! The process is killed at any moment of a run, and whoever comes next brings the upload to the same end.

use crate::portals::{
    PATIENCE, difference, ended, event_of, runs, seed, undisturbed, uploads_after, week,
};
use chaos::{Cloud, Lambda, Portal, Settings, View, process_upload};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use std::time::{Duration, Instant};

const PEOPLE: usize = 1_200;

/// Portals at a time. More would only wait for the two cores.
const SIDE_BY_SIDE: usize = 6;

/// About as long as a run takes; a kill after its end hits nobody, and does not count.
const RUN: Duration = Duration::from_millis(2_500);

#[tokio::test]
async fn a_run_that_is_killed_at_any_moment_ends_like_one_that_is_not() {
    let (seed, wanted) = (seed(), runs(12));
    let cloud = Cloud::create().await;
    let lambda = Lambda::start(
        process_upload(),
        cloud.environment(cloud.endpoint()),
        Settings::default(),
    );
    let expected = undisturbed(&cloud, &lambda, PEOPLE).await;
    let mut hit = 0;
    let mut portals = 0;
    while hit < wanted {
        assert!(portals < 20 * wanted, "hardly a kill hits anybody");
        let batch = stream::iter(portals..portals + SIDE_BY_SIDE).map(|nth| {
            killed(
                &cloud,
                &lambda,
                Rng::with_seed(seed + nth as u64),
                &expected,
            )
        });
        hit += batch
            .buffer_unordered(SIDE_BY_SIDE)
            .fold(0, async |sum, kills| sum + kills)
            .await;
        portals += SIDE_BY_SIDE;
        println!("{hit} running uploads were killed, in {portals} portals");
    }
    cloud.tear_down().await;
}

/// A portal whose week is killed once or twice each day; how many kills hit a running upload.
async fn killed(cloud: &Cloud, lambda: &Lambda, mut rng: Rng, expected: &View) -> usize {
    let portal = Portal::of_everybody(cloud).await;
    let mut hit = 0;
    for (nth, day) in week(&portal, PEOPLE).into_iter().enumerate() {
        let event = event_of(&portal, nth, day).await;
        lambda.invoke(event);
        for _ in 0..rng.usize(1..=2) {
            hit += usize::from(kill(&portal, lambda, &mut rng).await);
        }
        ended(&portal, lambda, uploads_after(nth)).await;
    }
    let view = portal.view().await;
    assert!(
        view == *expected,
        "portal {}: {}",
        portal.id,
        difference(&view, expected)
    );
    hit
}

/// Kills whoever works for the portal at some moment from now; whether that hit a running upload.
async fn kill(portal: &Portal<'_>, lambda: &Lambda, rng: &mut Rng) -> bool {
    let moment = Instant::now() + RUN.mul_f64(rng.f64());
    let token = portal.lease_token().await;
    // Not before somebody is at work (again).
    let begun = Instant::now();
    while portal.lease_token().await == token && begun.elapsed() < PATIENCE {
        if portal.has_ended(portal.uploads().await.len()).await && token > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep_until(moment.into()).await;
    let running = portal.is_running().await;
    let mine = lambda
        .busy()
        .into_iter()
        .filter(|worker| worker.payload().to_string().contains(&portal.id));
    let mut killed = false;
    for worker in mine.collect::<Vec<_>>() {
        worker.kill().await;
        killed = true;
    }
    let hit = killed && running && portal.is_running().await;
    // The holder is dead for certain; three in four times nobody waits for what is certain.
    if killed && rng.u8(..4) > 0 {
        portal.expire_lease().await;
    }
    hit
}
