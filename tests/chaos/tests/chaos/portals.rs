//! The files that portals are given, and the portal to which nothing happens: what the others must look like
//! in the end.

use chaos::{Cloud, Lambda, Portal, View};
use std::fmt::Write;
use std::time::Duration;

/// A debug build, two cores, many portals at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

const HEADER: &str = "Email,First,Last,Status,Job,Group\n";

/// Everybody is new; some rows have something wrong.
pub(crate) fn monday(people: usize) -> String {
    let mut file = HEADER.to_owned();
    for n in 0..people {
        let status = if n % 7 == 0 { "0" } else { "1" };
        let group = ["", "7", "8|99"][n % 3];
        writeln!(file, "p{n}@x.example,Pat{n},Lee,{status},Cook,{group}").unwrap();
    }
    file + "bad,Pat,Lee,1,Cook,\np1@x.example,Pat1,Lee,1,Cook,7\np2@x.example,Other,Lee,1,Cook,\n"
}

/// The same people and a third more: changed, made active, made inactive, unchanged and new ones.
pub(crate) fn tuesday(people: usize) -> String {
    let mut file = HEADER.to_owned();
    for n in 0..people + people / 3 {
        let status = if n % 5 == 0 { "0" } else { "1" };
        let job = if n % 3 == 0 { "Chef" } else { "Cook" };
        let group = ["8", "", "7|8", ""][n % 4];
        writeln!(file, "P{n}@x.example,Pat{n},Lee,{status},{job},{group}").unwrap();
    }
    file.replace("P1@", "p1@") + "p3@x.example,Pat3,,1,Chef,\n"
}

/// A seed for a run, printed so that it can be repeated.
#[expect(clippy::print_stdout, reason = "for the person who repeats the run")]
pub(crate) fn seed() -> u64 {
    let seed = number("CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("CHAOS_SEED={seed}");
    seed
}

/// How many runs a test makes: a few, unless somebody wants more.
pub(crate) fn runs(few: usize) -> usize {
    number("CHAOS_RUNS").map_or(few, |runs| usize::try_from(runs).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "how a person repeats a run")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What a portal looks like to which Monday's and Tuesday's files were given, and nothing else happened.
pub(crate) async fn undisturbed(cloud: &Cloud, lambda: &Lambda, people: usize) -> View {
    let portal = Portal::ready(cloud).await;
    for (nth, file) in [monday(people), tuesday(people)].into_iter().enumerate() {
        let nth = u32::try_from(nth).unwrap();
        let event = portal.put(&format!("{nth}.csv"), file, nth).await;
        assert_eq!(lambda.call(event).await, Ok(serde_json::Value::Null));
    }
    let view = portal.view().await;
    assert_eq!(view.people.len(), people + people / 3);
    let statuses: Vec<_> = view
        .uploads
        .iter()
        .map(|upload| upload[1].clone())
        .collect();
    assert_eq!(statuses, ["completed_with_problems"; 2]);
    assert!(
        view.documents
            .iter()
            .all(|(report, rejected)| report.is_some() && rejected.is_some())
    );
    view
}

/// Waits until so many uploads of the portal have ended, sweeping now and then as the schedule does.
pub(crate) async fn ended(portal: &Portal<'_>, lambda: &Lambda, uploads: usize) {
    wait(portal, lambda, uploads, true).await;
}

/// The same without a sweep: nobody comes to help.
pub(crate) async fn ended_by_itself(portal: &Portal<'_>, lambda: &Lambda, uploads: usize) {
    wait(portal, lambda, uploads, false).await;
}

async fn wait(portal: &Portal<'_>, lambda: &Lambda, uploads: usize, sweeping: bool) {
    let begun = std::time::Instant::now();
    let mut looks = 0;
    while !portal.has_ended(uploads).await {
        assert!(
            begun.elapsed() < PATIENCE,
            "portal {} has not ended: {:?}\n{}",
            portal.id,
            portal.uploads().await,
            lambda.output()
        );
        looks += 1;
        if sweeping && looks % 40 == 0 {
            lambda.invoke(serde_json::json!({"sweep": true}));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// In what two views differ, for the person who reads a failure.
pub(crate) fn difference(view: &View, expected: &View) -> String {
    let people: Vec<_> = expected
        .people
        .iter()
        .filter(|(email, user)| view.people.get(*email) != Some(user))
        .map(|(email, user)| (email, view.people.get(email), user))
        .take(3)
        .collect();
    format!(
        "people {people:?}\nuploads {:?}\nexpected {:?}\nreports alike: {}",
        view.uploads,
        expected.uploads,
        view.documents == expected.documents
    )
}
