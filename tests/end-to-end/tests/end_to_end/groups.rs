//! Groups: a file adds people to them and never takes anybody out, and their learning is assigned once.

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Portal, Upload};
use serde_json::{Value, json};

const HEADER: &str = "Email,First,Last,Group\n";

fn settings(groups: &[(u64, &[u64])]) -> Value {
    let groups: Vec<Value> = groups
        .iter()
        .map(|(id, learning)| json!({"id": id, "name": format!("Group {id}"), "learning_ids": learning}))
        .collect();
    json!({"name": "A company", "country": "AU", "groups": groups})
}

async fn portal_with(groups: &[(u64, &[u64])]) -> Portal {
    let portal = Portal::unknown();
    portal
        .call("PUT", "", Some(settings(groups)))
        .await
        .expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let fields: Vec<Value> = [
        ("email", "Email"),
        ("first_name", "First"),
        ("last_name", "Last"),
        ("group", "Group"),
    ]
    .map(|(field, column)| json!({"field": field, "column": column}))
    .into();
    let mapping = json!({"fields": fields, "identity": "email"});
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(201);
    portal
}

fn file(rows: &[(&str, &str)]) -> String {
    let rows = rows
        .iter()
        .map(|(email, group)| format!("{email},Pat,Lee,{group}\n"));
    HEADER.to_owned() + &rows.collect::<String>()
}

/// Who is in which groups.
async fn members(portal: &Portal) -> Vec<(String, Vec<u64>)> {
    let users = portal.users().await;
    users
        .iter()
        .map(|(email, user)| (email.clone(), user.numbers("group_ids")))
        .collect()
}

/// Who was assigned what, because of which group.
async fn learning(portal: &Portal) -> Vec<(String, u64, u64)> {
    let users = portal.users().await;
    let email = |id: &str| {
        users
            .values()
            .find(|user| user.text("user_id") == id)
            .unwrap()
            .text("email_key")
            .to_owned()
    };
    let assigned = portal.assignments().await;
    let mut assigned: Vec<_> = assigned
        .iter()
        .map(|(id, learning, group, _)| (email(id), *learning, *group))
        .collect();
    assigned.sort();
    assigned
}

async fn lines(portal: &Portal, upload: &Upload) -> Vec<[String; 4]> {
    let report = portal.report(upload).await;
    let line = |line: &end_to_end::FieldLine| {
        ["identity", "outcome", "code", "value"].map(|column| line[column].clone())
    };
    report.iter().map(line).collect()
}

#[tokio::test]
async fn a_file_adds_to_groups_and_assigns_their_learning_once() {
    let portal = portal_with(&[(7, &[70, 71]), (8, &[71, 80])]).await;
    let monday = file(&[
        ("a@x.example", "7| 8|7"),
        ("b@x.example", "7|99|x"),
        ("c@x.example", ""),
    ]);
    let first = portal.upload("monday.csv", monday.clone()).await;
    assert_eq!(
        (first.rows("created"), &first.record["warnings"]),
        (3, &json!(2))
    );
    let of = |email: &str, groups: &[u64]| (email.to_owned(), groups.to_vec());
    assert_eq!(
        members(&portal).await,
        [
            of("a@x.example", &[7, 8]),
            of("b@x.example", &[7]),
            of("c@x.example", &[])
        ]
    );
    let assigned = |email: &str, learning, group| (email.to_owned(), learning, group);
    let after_monday = [
        assigned("a@x.example", 70, 7),
        assigned("a@x.example", 71, 7),
        assigned("a@x.example", 80, 8),
        assigned("b@x.example", 70, 7),
        assigned("b@x.example", 71, 7),
    ];
    assert_eq!(learning(&portal).await, after_monday);
    let line = |texts: [&str; 4]| texts.map(str::to_owned);
    assert_eq!(
        lines(&portal, &first).await,
        [
            line(["a@x.example", "created", "", ""]),
            line(["b@x.example", "warning", "group_not_found", "99"]),
            line(["b@x.example", "warning", "group_not_found", "x"]),
            line(["b@x.example", "created", "", ""]),
            line(["c@x.example", "created", "", ""]),
        ]
    );

    // The same again: the warnings, and nothing else.
    let (users, assignments) = (portal.users().await, portal.assignments().await);
    let again = portal.upload("again.csv", monday.clone()).await;
    assert_eq!(
        (again.rows("unchanged"), &again.record["warnings"]),
        (3, &json!(2))
    );
    assert_eq!(
        (portal.users().await, portal.assignments().await),
        (users.clone(), assignments.clone())
    );

    // A group that is not named any more stays; a new one comes.
    let tuesday = file(&[
        ("a@x.example", "8"),
        ("b@x.example", ""),
        ("c@x.example", "8"),
    ]);
    let second = portal.upload("tuesday.csv", tuesday).await;
    assert_eq!(
        ["updated", "unchanged"].map(|name| second.rows(name)),
        [1, 2]
    );
    assert_eq!(
        members(&portal).await,
        [
            of("a@x.example", &[7, 8]),
            of("b@x.example", &[7]),
            of("c@x.example", &[8])
        ]
    );
    let after = portal.users().await;
    assert_eq!(after["c@x.example"].number("version"), 2);
    for email in ["a@x.example", "b@x.example"] {
        assert_eq!(after[email].number("version"), 1, "{email}");
    }

    // A group that did not exist yesterday is set up: Monday's file finds it now.
    let more = settings(&[(7, &[70, 71]), (8, &[71, 80]), (99, &[990])]);
    portal.call("PUT", "", Some(more)).await.expect(200);
    let third = portal.upload("monday again.csv", monday.clone()).await;
    assert_eq!(
        ["updated", "unchanged"].map(|name| third.rows(name)),
        [1, 2]
    );
    assert_eq!(third.record["warnings"], 1);
    assert_eq!(members(&portal).await[1], of("b@x.example", &[7, 99]));
    assert!(
        learning(&portal)
            .await
            .contains(&assigned("b@x.example", 990, 99))
    );
}

/// Somebody is taken out of a group in the portal: the next file adds them again, and what was assigned once
/// is not assigned anew.
#[tokio::test]
async fn whoever_comes_into_a_group_again_is_assigned_nothing_twice() {
    let portal = portal_with(&[(7, &[70]), (8, &[])]).await;
    let rows = file(&[("a@x.example", "7"), ("b@x.example", "7")]);
    portal.upload("monday.csv", rows.clone()).await;
    let (before, assignments) = (portal.users().await, portal.assignments().await);
    let mut taken_out = before["a@x.example"].clone();
    taken_out.remove("group_ids");
    taken_out.remove("fingerprint");
    portal.store(&taken_out).await;
    // Somebody gave b another group: the feed does not mind.
    let mut given = before["b@x.example"].clone();
    given.put(
        "group_ids",
        AttributeValue::Ns(vec!["7".to_owned(), "8".to_owned()]),
    );
    given.remove("fingerprint");
    portal.store(&given).await;

    let upload = portal.upload("tuesday.csv", rows).await;
    assert_eq!(
        ["updated", "unchanged"].map(|name| upload.rows(name)),
        [1, 1]
    );
    let after = portal.users().await;
    assert_eq!(after["a@x.example"].numbers("group_ids"), [7]);
    assert_eq!(after["b@x.example"].numbers("group_ids"), [7, 8]);
    assert_eq!(
        after["b@x.example"].number("version"),
        given.number("version")
    );
    assert_eq!(portal.assignments().await, assignments);
}
