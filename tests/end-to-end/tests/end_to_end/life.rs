//! A portal's life over eight files, person by person: who was touched, and that nobody else was.

use end_to_end::{FieldLine, Portal, StoredUser, Upload};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

const COLUMNS: [(&str, &str); 6] = [
    ("external_id", "No"),
    ("email", "Email"),
    ("first_name", "First"),
    ("last_name", "Last"),
    ("manager", "Boss"),
    ("job", "Job"),
];

/// An HR system's people by their numbers: address, last name, manager, job.
type People = BTreeMap<u32, [String; 4]>;

fn person(number: u32) -> [String; 4] {
    // Ten people each have the same manager; managers have none.
    let boss = match number % 10 {
        0 => String::new(),
        _ => address(number / 10 * 10),
    };
    [address(number), "Lee".to_owned(), boss, "Cook".to_owned()]
}

/// Nobody else's: an address that other portals have as well does not change.
fn address(number: u32) -> String {
    static BEGUN: LazyLock<u128> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap().as_micros()
    });
    format!("p{number}@life-{}.example", *BEGUN)
}

fn file(people: &People) -> String {
    let header = COLUMNS.map(|(_, column)| column).join(",");
    let rows = people.iter().map(|(number, [email, last, boss, job])| {
        format!("E{number},{email},Pat{number},{last},{boss},{job}\n")
    });
    format!("{header}\n{}", rows.collect::<String>())
}

/// The portal's users by external id.
async fn users(portal: &Portal) -> BTreeMap<String, StoredUser> {
    let users = portal.users().await.into_values();
    users
        .map(|user| (user.text("external_id").to_owned(), user))
        .collect()
}

/// Whose items are not the same, those included who came.
fn touched(
    before: &BTreeMap<String, StoredUser>,
    after: &BTreeMap<String, StoredUser>,
) -> BTreeSet<String> {
    let differs = |id: &&String| before.get(*id) != after.get(*id);
    assert!(
        before.keys().all(|id| after.contains_key(id)),
        "nobody goes"
    );
    after.keys().filter(differs).cloned().collect()
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
    numbers
        .into_iter()
        .map(|number| format!("E{number}"))
        .collect()
}

async fn feed(portal: &Portal, day: &str, people: &People) -> (Upload, BTreeSet<String>) {
    let before = users(portal).await;
    let upload = portal.upload(&format!("{day}.csv"), file(people)).await;
    let after = users(portal).await;
    let others = upload.record["others"].clone();
    let rows = &upload.record["rows"];
    assert_eq!(rows["total"], people.len(), "{rows} {others}");
    // Every row is accounted for: it has a line that says what it came to, or is counted as unchanged.
    let came_to = ["created", "updated", "enabled", "disabled", "not_processed"];
    let report = portal.report(&upload).await;
    let told: BTreeSet<&str> = report
        .iter()
        .filter(|line| came_to.contains(&line["outcome"].as_str()) && !line["row"].is_empty())
        .map(|line| line["row"].as_str())
        .collect();
    assert_eq!(
        told.len() as u64 + upload.rows("unchanged"),
        upload.rows("total")
    );
    (upload, touched(&before, &after))
}

/// The people of a report's lines of this outcome.
fn told(report: &[FieldLine], outcome: &str) -> BTreeSet<String> {
    let lines = report.iter().filter(|line| line["outcome"] == outcome);
    lines.map(|line| line["identity"].clone()).collect()
}

async fn held(portal: &Portal, upload: &Upload) -> Vec<Value> {
    let (mut people, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/uploads/{}/held-disables?limit=7{cursor}", upload.id());
        let page = portal.call("GET", &path, None).await.expect(200);
        people.extend(page["items"].as_array().unwrap().clone());
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return people,
        }
    }
}

#[tokio::test]
async fn a_portals_life_over_eight_files() {
    let portal = Portal::unknown();
    let settings = json!({
        "name": "A company", "country": "AU", "external_id_enabled": true,
        "custom_fields": [{"name": "job", "label": "Job"}],
    });
    portal.call("PUT", "", Some(settings)).await.expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let fields = COLUMNS.map(|(field, column)| json!({"field": field, "column": column}));
    let mapping = json!({"fields": fields, "identity": "external_id", "auto_disable": true});
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(201);

    // First load. Managers may come after their people, and are managers from the first.
    let mut people: People = (0..40).map(|number| (number, person(number))).collect();
    let (upload, who) = feed(&portal, "1-first-load", &people).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 40));
    assert_eq!(who, ids(0..40));
    let first = users(&portal).await;
    for (id, user) in &first {
        let number: u32 = id[1..].parse().unwrap();
        let is_manager = number.is_multiple_of(10);
        let mut roles = user.set("roles");
        roles.sort();
        let expected: &[&str] = if is_manager {
            &["Learner", "Manager"]
        } else {
            &["Learner"]
        };
        assert_eq!(roles, expected, "{id}");
        assert_eq!(user.text("manager_granted_at").is_empty(), !is_manager);
        let boss = first[&format!("E{}", number / 10 * 10)]
            .text("user_id")
            .to_owned();
        let managers = if is_manager { Vec::new() } else { vec![boss] };
        assert_eq!(user.set("manager_ids"), managers, "{id}");
        assert_eq!((user.number("version"), user.text("status")), (1, "active"));
    }
    let (upload, who) = feed(&portal, "1-again", &people).await;
    assert_eq!((upload.rows("unchanged"), who), (40, ids([])));

    // Joiners, and a rename.
    people.extend((40..43).map(|number| (number, person(number))));
    people.get_mut(&5).unwrap()[1] = "Li".to_owned();
    let (upload, who) = feed(&portal, "2-joiners", &people).await;
    assert_eq!(
        ["created", "updated", "unchanged"].map(|it| upload.rows(it)),
        [3, 1, 39]
    );
    assert_eq!(who, ids([5, 40, 41, 42]));

    // Leavers, and another address.
    let (three, four) = (people.remove(&3).unwrap(), people.remove(&4).unwrap());
    people.get_mut(&6).unwrap()[0] = address(600);
    let (upload, who) = feed(&portal, "3-leavers", &people).await;
    assert_eq!((upload.status(), upload.rows("updated")), ("completed", 1));
    assert_eq!(
        upload.record["others"],
        json!({"disabled": 2, "updated": 0})
    );
    assert_eq!(who, ids([3, 4, 6]));
    let after = users(&portal).await;
    for id in ["E3", "E4"] {
        assert_eq!(after[id].text("status"), "inactive");
        assert_eq!(after[id].text("disabled_by_upload"), upload.id());
    }
    assert_eq!(after["E6"].text("email_key"), address(600));
    assert_eq!(after["E6"].text("user_id"), first["E6"].text("user_id"));
    let report = portal.report(&upload).await;
    assert_eq!(told(&report, "disabled"), ids([3, 4]));
    assert!(
        report
            .iter()
            .all(|line| line["outcome"] != "disabled" || line["row"].is_empty())
    );

    // One of them comes back.
    people.insert(3, three);
    let (upload, who) = feed(&portal, "4-returners", &people).await;
    assert_eq!((upload.rows("enabled"), who), (1, ids([3])));
    let after = users(&portal).await;
    assert_eq!(
        ["E3", "E4"].map(|id| (
            after[id].text("status").to_owned(),
            after[id].number("version")
        )),
        [("active".to_owned(), 3), ("inactive".to_owned(), 2)]
    );
    assert_eq!(after["E3"].text("disabled_by_upload"), "");

    // Two people swap addresses.
    people.get_mut(&7).unwrap()[0] = address(8);
    people.get_mut(&8).unwrap()[0] = address(7);
    let (upload, who) = feed(&portal, "5-swap", &people).await;
    assert_eq!((upload.rows("updated"), who), (2, ids([7, 8])));
    let after = users(&portal).await;
    assert_eq!(after["E7"].text("email"), address(8));
    assert_eq!(after["E8"].text("email"), address(7));

    // A mass leave is held; what else the file says goes through.
    let gone: People = people.split_off(&20);
    people.insert(50, person(50));
    people.get_mut(&9).unwrap()[3] = "Chef".to_owned();
    let (mass, who) = feed(&portal, "6-mass-leave", &people).await;
    assert_eq!(mass.status(), "held");
    assert_eq!(
        mass.record["held"],
        json!({"disables": 23, "creates": 0, "reason": "too_many_disables"})
    );
    assert_eq!(["created", "updated"].map(|it| mass.rows(it)), [1, 1]);
    assert_eq!(who, ids([9, 50]));
    let waiting = held(&portal, &mass).await;
    let emails: BTreeSet<_> = waiting
        .iter()
        .map(|it| it["email"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = gone.keys().map(|number| address(*number)).collect();
    assert_eq!(emails, expected.iter().map(String::as_str).collect());
    assert_eq!(
        (waiting.len(), &waiting[0]["action"]),
        (23, &json!("disable"))
    );
    assert_eq!(
        told(&portal.report(&mass).await, "held"),
        ids(gone.keys().copied())
    );

    // Somebody is changed in the portal before the decision, and stays as they are.
    let mut changed = users(&portal).await.remove("E30").unwrap();
    changed.set_text("first_name", "Patience");
    changed.put(
        "version",
        aws_sdk_dynamodb::types::AttributeValue::N("2".to_owned()),
    );
    changed.remove("fingerprint");
    portal.store(&changed).await;
    let before = users(&portal).await;
    let path = format!("/uploads/{}/held-disables", mass.id());
    let decision = json!({"decision": "approve"});
    let accepted = portal
        .call("POST", &path, Some(decision.clone()))
        .await
        .expect(202);
    assert_eq!(accepted["upload_id"], mass.record["upload_id"]);
    let mass = portal.processed(mass.key(), 1).await;
    assert_eq!(mass.status(), "completed_with_problems");
    assert_eq!(mass.record["held"]["decision"], "approve");
    assert_eq!(mass.record["others"], json!({"disabled": 22, "updated": 0}));
    let after = users(&portal).await;
    let mut expected = ids(gone.keys().copied());
    expected.remove("E30");
    assert_eq!(touched(&before, &after), expected);
    for id in &expected {
        assert_eq!(after[id].text("status"), "inactive");
        assert_eq!(
            after[id].number("version"),
            before[id].number("version") + 1
        );
        assert_eq!(after[id].text("last_write"), format!("{}#2", mass.id()));
    }
    let report = portal.report(&mass).await;
    assert_eq!(
        (told(&report, "held"), told(&report, "disabled")),
        (ids([]), expected)
    );
    assert_eq!(told(&report, "warning"), ids([30]));
    let again = portal
        .call("POST", &path, Some(decision.clone()))
        .await
        .expect(409);
    assert_eq!(again["code"], "nothing_held");

    // Half a file is held, and superseded by a whole one.
    people.insert(4, four);
    people.insert(30, gone[&30].clone());
    let whole = people.clone();
    let half: People = people.into_iter().take(8).collect();
    let (half, who) = feed(&portal, "7-half", &half).await;
    assert_eq!((half.status(), who), ("held", ids([4])));
    let (upload, who) = feed(&portal, "8-whole", &whole).await;
    assert_eq!(upload.status(), "completed");
    // p30 is as the file says again.
    assert_eq!(who, ids([30]));
    let half = portal.processed(half.key(), 1).await;
    assert_eq!(
        (half.status(), &half.record["held"]["decision"]),
        ("completed", &json!("superseded"))
    );
    let path = format!("/uploads/{}/held-disables", half.id());
    let refused = portal.call("POST", &path, Some(decision)).await.expect(409);
    assert_eq!(refused["code"], "hold_superseded");
    let (_, who) = feed(&portal, "8-again", &whole).await;
    assert_eq!(who, ids([]));
}
