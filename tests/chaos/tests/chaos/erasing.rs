//! Whoever erases is killed at any moment, or runs out of time, and whoever comes next brings it to its end.

use crate::portals::{PATIENCE, ended, event_of, runs, seed, uploads_after, week};
use aws_sdk_dynamodb::types::AttributeValue;
use chaos::{Cloud, Lambda, Portal, Settings, deployed, process_upload};
use fastrand::Rng;
use platform::aws::Aws;
use platform::feed::{ActingAs, Action, Deed, FeedTable};
use serde_json::json;
use std::time::{Duration, Instant};

const PEOPLE: usize = 600;

/// About as long as it takes; a kill after its end hits nobody, and does not count.
const RUN: Duration = Duration::from_millis(1_500);

/// A portal with some days behind it, and the same beside it.
async fn lived_in<'c>(cloud: &'c Cloud, lambda: &Lambda) -> Portal<'c> {
    let portal = Portal::of_everybody(cloud).await;
    for (nth, day) in week(&portal, PEOPLE).into_iter().take(2).enumerate() {
        let event = event_of(&portal, nth, day).await;
        lambda.invoke(event);
        ended(&portal, lambda, uploads_after(nth)).await;
    }
    portal
}

async fn give_up(cloud: &Cloud, portal: &Portal<'_>) {
    let config = cloud.config(cloud.endpoint());
    let table = FeedTable::new(&Aws::from_config(&config), cloud.feed_table.clone());
    // The last requests are over by now, and no link and no token works any more.
    let then = platform::clock::system() - Duration::from_secs(25 * 60 * 60);
    let id = portal.id.parse().unwrap();
    let deed = Deed {
        by: "operator@go1.example".to_owned(),
        acting_as: ActingAs::Operator,
        at: then,
        action: Action::OffBoardingBegun,
    };
    let entry = table.entry(id, deed).unwrap();
    table.begin_off_boarding(id, then, entry).await.unwrap();
}

/// How many items and objects name the portal, beside the audit trail, which stays.
async fn left(cloud: &Cloud, portal: &str) -> usize {
    let mut left = 0;
    for table in [&cloud.users_table, &cloud.feed_table] {
        let items = cloud
            .dynamodb()
            .scan()
            .table_name(table)
            .filter_expression("(begins_with(pk, :id) OR sk = :id) AND NOT begins_with(sk, :trail)")
            .expression_attribute_values(":trail", AttributeValue::S("AUDIT#".to_owned()))
            .expression_attribute_values(":id", AttributeValue::S(portal.to_owned()))
            .consistent_read(true);
        let mut pages = items.into_paginator().send();
        while let Some(page) = pages.next().await {
            left += page.unwrap().items().len();
        }
    }
    for bucket in [&cloud.feed_bucket, &cloud.reports_bucket] {
        for prefix in [format!("{portal}/"), format!("work/{portal}/")] {
            let listed = cloud.s3().list_object_versions().bucket(bucket);
            let listed = listed.prefix(prefix).send().await.unwrap();
            left += listed.versions().len() + listed.delete_markers().len();
        }
    }
    left
}

#[tokio::test]
async fn an_off_boarding_that_is_killed_at_any_moment_comes_to_its_end() {
    let (seed, wanted) = (seed(), runs(4));
    let cloud = Cloud::create().await;
    let environment = cloud.environment(cloud.endpoint());
    let processing = Lambda::start(process_upload(), environment, Settings::default());
    // Nobody repeats what was killed but the test.
    let settings = Settings {
        retries: Vec::new(),
        ..Settings::default()
    };
    let environment = cloud.environment(cloud.endpoint());
    let erasing = Lambda::start(deployed("erase-data"), environment, settings);
    let neighbour = lived_in(&cloud, &processing).await;
    let before = (neighbour.view().await, left(&cloud, &neighbour.id).await);
    let mut rng = Rng::with_seed(seed);
    let mut hit = 0;
    for _ in 0..20 * wanted {
        let portal = lived_in(&cloud, &processing).await;
        give_up(&cloud, &portal).await;
        let begun = Instant::now();
        for kills_left in (0..3).rev() {
            erasing.invoke(json!({"portal_id": portal.id}));
            if kills_left > 0 {
                tokio::time::sleep(RUN.mul_f64(rng.f64())).await;
                for worker in erasing.busy() {
                    worker.kill().await;
                    hit += usize::from(left(&cloud, &portal.id).await > 0);
                }
                portal.expire_lease().await;
            }
            erasing.wait_idle(PATIENCE).await;
        }
        assert_eq!(left(&cloud, &portal.id).await, 0, "{:?}", begun.elapsed());
        if hit >= wanted {
            break;
        }
    }
    assert!(hit >= wanted, "hardly a kill hits anybody");
    println!("{hit} off-boardings were killed");
    let after = (neighbour.view().await, left(&cloud, &neighbour.id).await);
    assert!(after == before, "the neighbour was changed");
    cloud.tear_down().await;
}
