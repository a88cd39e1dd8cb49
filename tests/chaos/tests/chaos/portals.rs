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

/// What happens to a portal in a week.
pub(crate) enum Day {
    /// A file comes.
    File(String),
    /// What the last file held is approved.
    Approve,
}

/// A week of a portal with external ids, managers and auto-disable: everybody is new; people change, move, swap
/// addresses, leave and come; then half of them leave and as many are new, which is held, and approved.
pub(crate) fn week(portal: &Portal<'_>, people: usize) -> [Day; 4] {
    let domain = portal.domain();
    [
        Day::File(monday_of_everybody(people, &domain)),
        Day::File(tuesday_of_everybody(people, &domain)),
        Day::File(wednesday_of_everybody(people, &domain)),
        Day::Approve,
    ]
}

/// The event of a day; `nth` orders the portal's events in time.
pub(crate) async fn event_of(portal: &Portal<'_>, nth: usize, day: Day) -> serde_json::Value {
    match day {
        Day::File(file) => {
            let nth = u32::try_from(nth).unwrap();
            portal.put(&format!("{nth}.csv"), file, nth).await
        }
        Day::Approve => portal.approve().await,
    }
}

/// How many uploads there are when the day of this number is over.
pub(crate) fn uploads_after(nth: usize) -> usize {
    (nth + 1).min(3)
}

const EVERYBODY: &str = "No,Email,First,Last,Boss,Job,Group\n";

fn monday_of_everybody(people: usize, domain: &str) -> String {
    let mut file = EVERYBODY.to_owned();
    for n in 0..people {
        let group = ["", "7", "8|99"][n % 3];
        let boss = if n % 10 == 0 {
            String::new()
        } else {
            format!("p{}@{domain}", n - n % 10)
        };
        writeln!(file, "E{n},p{n}@{domain},Pat{n},Lee,{boss},Cook,{group}").unwrap();
    }
    writeln!(file, "E1,p1@{domain},Pat1,Lee,p0@{domain},Cook,7").unwrap();
    writeln!(file, "E2,other@{domain},Other,Lee,,Cook,").unwrap();
    file + "E999999,bad,Pat,Lee,,Cook,\n"
}

fn tuesday_of_everybody(people: usize, domain: &str) -> String {
    let mut file = EVERYBODY.to_owned();
    let address = |n: usize| match n % 20 {
        // Two swap, one moves.
        1 => format!("P{}@{domain}", n + 1),
        2 => format!("p{}@{domain}", n - 1),
        11 => format!("q{n}@{domain}"),
        _ => format!("p{n}@{domain}"),
    };
    for n in (0..people + people / 3).filter(|n| n % 50 != 7) {
        let job = if n % 3 == 0 { "Chef" } else { "Cook" };
        let group = ["8", "", "7|8", ""][n % 4];
        // Managers one further, some of whom nobody is; two of them manage each other.
        let boss = match n {
            0 => address(10),
            10 => address(0),
            n if n % 97 == 0 => "nobody@x.example".to_owned(),
            n => address((n - n % 10 + 10) % people),
        };
        let mail = address(n);
        writeln!(file, "E{n},{mail},Pat{n},Lee,{boss},{job},{group}").unwrap();
    }
    // Somebody who has left, with a name alone; and somebody new with an address that is taken.
    writeln!(file, "E7,p7@{domain},,Lee,,Cook,").unwrap();
    writeln!(file, "E888888,p0@{domain},Pat,Lee,,Cook,").unwrap();
    file
}

fn wednesday_of_everybody(people: usize, domain: &str) -> String {
    let mut file = tuesday_of_everybody(people / 2, domain);
    for n in 2 * people..3 * people {
        let boss = format!("p{}@{domain}", n - n % 10);
        writeln!(file, "E{n},p{n}@{domain},Pat{n},Lee,{boss},Cook,7").unwrap();
    }
    file
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

/// What a portal looks like to which a week happened, and nothing else.
pub(crate) async fn undisturbed(cloud: &Cloud, lambda: &Lambda, people: usize) -> View {
    let portal = Portal::of_everybody(cloud).await;
    for (nth, day) in week(&portal, people).into_iter().enumerate() {
        let event = event_of(&portal, nth, day).await;
        assert_eq!(lambda.call(event).await, Ok(serde_json::Value::Null));
    }
    let view = portal.view().await;
    let statuses = view.uploads.iter().map(|upload| upload[1].clone());
    assert_eq!(statuses.collect::<Vec<_>>(), ["completed_with_problems"; 3]);
    assert!(
        view.documents
            .iter()
            .all(|(report, rejected)| report.is_some() && rejected.is_some())
    );
    // Everything that the rules have was met.
    let reports: String = view
        .documents
        .iter()
        .filter_map(|(report, _)| report.clone())
        .collect();
    for met in [
        "created,",
        "updated,",
        "disabled,",
        "email_taken",
        "manager_not_found",
        "manager_loop",
        "duplicate_row",
        "conflicting_row",
        "group_not_found",
    ] {
        assert!(reports.contains(met), "{met}");
    }
    let held = &view.uploads[2][4];
    assert_eq!(
        (&held["reason"], &held["decision"]),
        (&"identity_changed".into(), &"approve".into())
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
    let uploads = view.uploads.iter().zip(&expected.uploads);
    let uploads: Vec<_> = uploads.filter(|(is, expected)| is != expected).collect();
    let lines = |view: &View| -> Vec<String> {
        let documents = view
            .documents
            .iter()
            .flat_map(|(report, rejected)| [report, rejected]);
        let text: Vec<&str> = documents.flatten().flat_map(|text| text.lines()).collect();
        text.into_iter().map(str::to_owned).collect()
    };
    let (is, should) = (lines(view), lines(expected));
    let line = is.iter().zip(&should).find(|(is, should)| is != should);
    let shown = format!(
        "people {people:?}\nlines {}, {}: {line:?}\nuploads {uploads:?}",
        is.len(),
        should.len()
    );
    shown.chars().take(4_000).collect()
}
