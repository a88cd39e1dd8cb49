//! One person is erased: with every trace, and nobody else's.

use end_to_end::{Portal, Traces, Upload};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// A portal with managers and groups, mapped to `Email,First,Last,Boss,Site,Job`.
async fn set_up() -> Portal {
    let portal = Portal::unknown();
    let groups = json!([{"id": 7, "name": "Sales", "learning_ids": [1, 2]}]);
    let fields = json!([{"name": "job", "label": "Job"}]);
    let settings =
        json!({"name": "A company", "country": "AU", "custom_fields": fields, "groups": groups});
    portal.call("PUT", "", Some(settings)).await.expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let line = |field: &str, column: &str| json!({"field": field, "column": column});
    let mapping = json!({
        "columns": ["Email", "First", "Last", "Boss", "Site", "Job"],
        "fields": [
            line("email", "Email"), line("first_name", "First"), line("last_name", "Last"),
            line("manager", "Boss"), line("group", "Site"), line("job", "Job"),
        ],
        "identity": "email", "auto_disable": true,
    });
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(201);
    portal
}

/// Rows of people of the portal's own domain: `name,boss,group,job`.
async fn drop(portal: &Portal, name: &str, rows: &[&str]) -> Upload {
    let at = |name: &str| match name {
        "" => String::new(),
        name => format!("{name}@{}.example", portal.id),
    };
    let mut file = "Email,First,Last,Boss,Site,Job\n".to_owned();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let [name, boss, group, job] = cells.try_into().unwrap();
        file.push_str(&format!(
            "{},{name},Lee-{name},{},{group},{job}\n",
            at(name),
            at(boss)
        ));
    }
    portal.upload(name, file).await
}

async fn user_id(portal: &Portal, name: &str) -> String {
    let query = format!("/users?email={name}@{}.example", portal.id);
    let found = portal.call("GET", &query, None).await.expect(200);
    found["items"][0]["user_id"].as_str().unwrap().to_owned()
}

/// Until nothing is left to erase.
pub(crate) async fn traces_are_erased(portal: &Portal) -> Traces {
    let begun = Instant::now();
    loop {
        let traces = Traces::of(&portal.stack, &portal.id).await;
        if traces.with("ERASURE#").is_empty() {
            return traces;
        }
        assert!(begun.elapsed() < PATIENCE, "still being erased");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn erase(portal: &Portal, id: &str) -> end_to_end::Answer {
    portal.rests().await;
    portal.call("DELETE", &format!("/users/{id}"), None).await
}

#[tokio::test]
async fn a_person_is_erased_with_every_trace_and_nobody_else_is_changed() {
    let (portal, neighbour) = (set_up().await, set_up().await);
    for portal in [&portal, &neighbour] {
        let people = [
            "ann,bo,7,x",
            "bo,,7,x",
            "cem,ann,,x",
            "joann,ann,7,x",
            "dee,nobody,,x",
        ];
        drop(portal, "1.csv", &people).await;
        // The same address twice, and somebody who is managed by a person who is unknown.
        let people = [
            "ann,bo,7,y",
            "ann,bo,7,z",
            "bo,,7,y",
            "cem,ann,,y",
            "joann,ann,,y",
            "dee,nobody,,y",
        ];
        let upload = drop(portal, "2.csv", &people).await;
        assert!(
            upload
                .problems()
                .iter()
                .any(|(code, _)| code == "conflicting_row")
        );
        portal.rests().await;
    }
    let neighbours = Traces::of(&portal.stack, &neighbour.id).await;
    let address = format!("ann@{}.example", portal.id);
    let before = portal.users().await;
    let id = user_id(&portal, "ann").await;
    // Ann, and Joann whose address ends alike, whom nobody means.
    let traces = Traces::of(&portal.stack, &portal.id).await;
    assert!(
        traces.with(&address).len() > 6,
        "{:?}",
        traces.with(&address)
    );

    let answer = erase(&portal, &id).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (204, 0));
    let gone = portal.call("GET", &format!("/users/{id}"), None).await;
    assert_eq!(gone.refused(404).0, "user_not_found");
    assert!(
        portal
            .assignments()
            .await
            .iter()
            .all(|(user, ..)| *user != id)
    );

    let traces = traces_are_erased(&portal).await;
    let joann = format!("jo{address}");
    let of_ann = |place: &&&String| {
        traces.0[**place]
            .to_lowercase()
            .replace(&joann, "")
            .contains(&address)
    };
    let with = traces.with(&address);
    assert_eq!(
        with.iter().filter(of_ann).collect::<Vec<_>>(),
        Vec::<&&String>::new()
    );
    let trail = traces.with(&id);
    let of_the_trail = |place: &&String| place.contains("/ AUDIT#");
    assert!(
        trail.len() == 1 && trail.iter().all(of_the_trail),
        "{trail:?}"
    );
    // Joann, and what is said about Dee, are where they were.
    assert!(traces.with(&joann).len() > 2, "{:?}", traces.with(&joann));
    assert!(
        !traces
            .with(&format!("nobody@{}.example", portal.id))
            .is_empty()
    );

    // Whom Ann managed is managed by nobody; everybody else is as before.
    let after = portal.users().await;
    assert_eq!(after.len(), 4);
    for (key, user) in &after {
        if ["cem@", "joann@"].iter().any(|name| key.starts_with(name)) {
            assert!(user.set("manager_ids").is_empty());
            assert_eq!(user.number("version"), before[key].number("version") + 1);
            assert_eq!(user.text("last_write"), before[key].text("last_write"));
            assert!(!user.attributes().contains(&"fingerprint"));
        } else {
            assert_eq!(user, &before[key], "{key}");
        }
    }
    let neighbour = Traces::of(&portal.stack, &neighbour.id).await;
    assert_eq!(neighbour.differing(&neighbours), Vec::<String>::new());

    // Once more: there is no such user.
    assert_eq!(erase(&portal, &id).await.refused(404).0, "user_not_found");
    // A file that names the person again creates them anew, with what is theirs.
    let people = [
        "ann,bo,7,y",
        "bo,,7,y",
        "cem,ann,,y",
        "joann,ann,,y",
        "dee,nobody,,y",
    ];
    let upload = drop(&portal, "3.csv", &people).await;
    assert_eq!((upload.rows("created"), upload.rows("updated")), (1, 2));
    assert_eq!(user_id(&portal, "ann").await, id);
    let learning = portal.assignments().await;
    assert_eq!(learning.iter().filter(|(user, ..)| *user == id).count(), 2);
    let again = drop(&portal, "4.csv", &people).await;
    assert_eq!(again.rows("unchanged"), 5);
}

#[tokio::test]
async fn an_open_hold_can_be_decided_after_somebody_in_it_was_erased() {
    let portal = set_up().await;
    let all = ["ann,,,x", "bo,,,x", "cem,,,x", "dee,,,x"];
    drop(&portal, "1.csv", &all).await;
    let held = drop(&portal, "2.csv", &["dee,,,y"]).await;
    assert_eq!(held.status(), "held");
    let id = user_id(&portal, "ann").await;
    assert_eq!(erase(&portal, &id).await.status, 204);
    let traces = traces_are_erased(&portal).await;
    let address = format!("ann@{}.example", portal.id);
    assert!(
        traces.with(&address).is_empty(),
        "{:?}",
        traces.with(&address)
    );
    let path = format!("/uploads/{}/held-disables", held.id());
    let list = portal.call("GET", &path, None).await.expect(200);
    let named = |list: &Value| list["items"].as_array().unwrap().len();
    assert_eq!(named(&list), 2);
    let decision = json!({"decision": "approve"});
    portal.call("POST", &path, Some(decision)).await.expect(202);
    let upload = portal.processed(held.key(), 1).await;
    assert_eq!(upload.record["held"]["decision"], "approve");
    let users = portal.users().await;
    let inactive = users
        .values()
        .filter(|user| user.text("status") == "inactive");
    assert_eq!((users.len(), inactive.count()), (3, 2));
    let report = portal.download(&upload, "report").await;
    assert!(!String::from_utf8(report).unwrap().contains(&address));
}

/// The upload that claimed the file has ended; the one that repeats it waits.
#[tokio::test]
async fn a_file_whose_replay_waits_for_a_decision_stays_though_somebody_in_it_is_erased() {
    let portal = set_up().await;
    let all = ["ann,,,x", "bo,,,x", "cem,,,x", "dee,,,x"];
    drop(&portal, "1.csv", &all).await;
    let held = drop(&portal, "2.csv", &["ann,,,y"]).await;
    assert_eq!(held.status(), "held");
    let path = format!("/uploads/{}/held-disables", held.id());
    let decision = json!({"decision": "reject"});
    portal.call("POST", &path, Some(decision)).await.expect(200);
    let replay = format!("/uploads/{}/replay", held.id());
    portal.call("POST", &replay, None).await.expect(202);
    let again = portal.processed(held.key(), 2).await;
    assert_eq!(again.status(), "held");
    let id = user_id(&portal, "ann").await;
    assert_eq!(erase(&portal, &id).await.status, 204);
    let traces = traces_are_erased(&portal).await;
    let left = traces.with(&format!("ann@{}.example", portal.id));
    let place = format!("FeedBucketName: {} ", held.key());
    assert!(
        left.len() == 1 && left[0].starts_with(&place),
        "only the file that is needed: {left:?}"
    );
    let path = format!("/uploads/{}/held-disables", again.id());
    let decision = json!({"decision": "approve"});
    portal.call("POST", &path, Some(decision)).await.expect(202);
    portal.processed(held.key(), 2).await;
    portal.rests().await;
    let users = portal.users().await;
    assert_eq!(users.len(), 3);
    assert!(users.values().all(|user| user.text("status") == "inactive"));
}

#[tokio::test]
async fn who_authorised_the_feed_and_who_is_nobody_is_not_erased() {
    let portal = set_up().await;
    let file = "Email,First,Last,Boss,Site,Job\noperator@go1.example,Op,Era,,,\n";
    portal.upload("1.csv", file).await;
    let found = portal
        .call("GET", "/users?email=operator@go1.example", None)
        .await
        .expect(200);
    let id = found["items"][0]["user_id"].as_str().unwrap();
    assert_eq!(
        erase(&portal, id).await.refused(409).0,
        "authorised_the_feed"
    );
    for nobody in ["2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19", "x"] {
        assert_eq!(
            erase(&portal, nobody).await.refused(404).0,
            "user_not_found"
        );
    }
    portal
        .call("DELETE", "/feed/authorisation", None)
        .await
        .expect(204);
    assert_eq!(erase(&portal, id).await.status, 204);
    traces_are_erased(&portal).await;
}
