//! What somebody changes in the portal is respected by the feed: roles, managers, a user who was made inactive,
//! addresses that other portals have as well.

use end_to_end::{Portal, StoredUser, Upload};
use serde_json::{Value, json};

const COLUMNS: [(&str, &str); 6] = [
    ("external_id", "No"),
    ("email", "Email"),
    ("first_name", "First"),
    ("last_name", "Last"),
    ("manager", "Boss"),
    ("role", "Role"),
];

/// A portal with external ids; `role` is mapped or not.
async fn portal(role: bool, auto_disable: bool) -> Portal {
    let portal = Portal::unknown();
    let settings = json!({"name": "A company", "country": "AU", "external_id_enabled": true});
    portal.call("PUT", "", Some(settings)).await.expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let mapped = COLUMNS.iter().filter(|(field, _)| role || *field != "role");
    let fields: Vec<Value> = mapped
        .map(|(field, column)| json!({"field": field, "column": column}))
        .collect();
    let mapping =
        json!({"fields": fields, "identity": "external_id", "auto_disable": auto_disable});
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(201);
    portal
}

/// Rows are number, address, manager, roles.
async fn feed(portal: &Portal, name: &str, rows: &[(&str, &str, &str, &str)]) -> Upload {
    let rows = rows
        .iter()
        .map(|(no, email, boss, role)| format!("{no},{email},Pat,Lee,{boss},{role}\n"));
    let file = format!(
        "No,Email,First,Last,Boss,Role\n{}",
        rows.collect::<String>()
    );
    portal.upload(name, file).await
}

async fn user(portal: &Portal, no: &str) -> StoredUser {
    let users = portal.users().await.into_values();
    users
        .into_iter()
        .find(|user| user.text("external_id") == no)
        .unwrap()
}

fn roles(user: &StoredUser) -> Vec<String> {
    let mut roles = user.set("roles");
    roles.sort();
    roles
}

async fn patch(portal: &Portal, user: &StoredUser, change: Value) {
    let path = format!("/users/{}", user.text("user_id"));
    portal.call("PATCH", &path, Some(change)).await.expect(200);
}

#[tokio::test]
async fn roles_given_in_the_portal_stay_and_the_feeds_are_replaced() {
    let portal = portal(true, false).await;
    let own = |name: &str| format!("{name}@{}.example", portal.id);
    let ann = own("ann");
    feed(&portal, "1.csv", &[("1", &ann, "", "manager | Learner")]).await;
    let first = user(&portal, "1").await;
    assert_eq!(roles(&first), ["Learner", "Manager"]);
    patch(
        &portal,
        &first,
        json!({"roles": ["Learner", "Manager", "Administrator"]}),
    )
    .await;
    let upload = feed(
        &portal,
        "2.csv",
        &[("1", &ann, "", "Content administrator")],
    )
    .await;
    assert_eq!(upload.rows("updated"), 1);
    let second = user(&portal, "1").await;
    assert_eq!(roles(&second), ["Administrator", "Content administrator"]);
    assert_eq!(second.set("feed_roles"), ["Content administrator"]);
    // A blank cell keeps them.
    let upload = feed(&portal, "3.csv", &[("1", &ann, "", "")]).await;
    assert_eq!(
        (upload.rows("unchanged"), roles(&user(&portal, "1").await)),
        (1, roles(&second))
    );
    let upload = feed(&portal, "4.csv", &[("1", &ann, "", "Boss")]).await;
    assert_eq!(upload.problems(), [("unknown_role".to_owned(), Some(2))]);
}

/// The role comes with the first naming; an administrator takes it away; the next file does not bring it back.
#[tokio::test]
async fn a_manager_is_given_the_role_once() {
    let portal = portal(false, false).await;
    let own = |name: &str| format!("{name}@{}.example", portal.id);
    let (ann, bo) = (own("ann"), own("bo"));
    // In any order: the manager's row comes later.
    let rows = [
        ("1", ann.as_str(), bo.as_str(), ""),
        ("2", bo.as_str(), "", ""),
    ];
    let upload = feed(&portal, "1.csv", &rows).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 2));
    let boss = user(&portal, "2").await;
    assert_eq!(roles(&boss), ["Learner", "Manager"]);
    assert_eq!(
        user(&portal, "1").await.set("manager_ids"),
        [boss.text("user_id")]
    );
    patch(&portal, &boss, json!({"roles": ["Learner"]})).await;
    let taken = user(&portal, "2").await;
    let upload = feed(&portal, "2.csv", &rows).await;
    assert_eq!(
        (upload.status(), upload.rows("unchanged")),
        ("completed", 2)
    );
    let after = user(&portal, "2").await;
    assert_eq!(roles(&after), ["Learner"]);
    assert_eq!(
        (after.number("version"), after.text("updated_at")),
        (taken.number("version"), taken.text("updated_at"))
    );

    // Somebody without a row is a manager too, and counts among the others.
    let cy = own("cy");
    feed(&portal, "3.csv", &[("3", &cy, "", "")]).await;
    let upload = feed(&portal, "4.csv", &[("1", &ann, &cy, "")]).await;
    assert_eq!(
        (upload.rows("updated"), &upload.record["others"]),
        (1, &json!({"disabled": 0, "updated": 1}))
    );
    assert_eq!(roles(&user(&portal, "3").await), ["Learner", "Manager"]);
    assert_eq!(
        user(&portal, "1").await.set("manager_ids"),
        [user(&portal, "3").await.text("user_id")]
    );
}

#[tokio::test]
async fn whom_the_feed_made_inactive_comes_back_and_whom_somebody_made_inactive_does_not() {
    let portal = portal(false, true).await;
    let own = |n: usize| format!("p{n}@{}.example", portal.id);
    let addresses: Vec<String> = (0..8).map(own).collect();
    let numbers: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let rows = |people: std::ops::Range<usize>| -> Vec<(&str, &str, &str, &str)> {
        people
            .map(|n| (numbers[n].as_str(), addresses[n].as_str(), "", ""))
            .collect()
    };
    feed(&portal, "1.csv", &rows(0..8)).await;
    feed(&portal, "2.csv", &rows(0..6)).await;
    for no in ["6", "7"] {
        assert_eq!(user(&portal, no).await.text("status"), "inactive");
    }
    // Somebody means it.
    patch(
        &portal,
        &user(&portal, "7").await,
        json!({"status": "inactive"}),
    )
    .await;
    let meant = user(&portal, "7").await;
    let upload = feed(&portal, "3.csv", &rows(0..8)).await;
    assert_eq!((upload.rows("enabled"), upload.rows("unchanged")), (1, 7));
    assert_eq!(user(&portal, "6").await.text("status"), "active");
    let still = user(&portal, "7").await;
    assert_eq!(
        (still.text("status"), still.number("version")),
        ("inactive", meant.number("version"))
    );
}

/// Who authorised the feed, told by the address, is never made inactive.
#[tokio::test]
async fn who_authorised_the_feed_stays_active() {
    let portal = portal(false, true).await;
    let shown = portal.call("GET", "", None).await.expect(200);
    let authoriser = shown["feed"]["authorised_by"].as_str().unwrap().to_owned();
    let own = |n: usize| format!("p{n}@{}.example", portal.id);
    let (a, b, c) = (own(1), own(2), own(3));
    let others = [
        ("1", a.as_str(), "", ""),
        ("2", b.as_str(), "", ""),
        ("3", c.as_str(), "", ""),
    ];
    let mut all = others.to_vec();
    all.push(("4", &authoriser, "", ""));
    feed(&portal, "1.csv", &all).await;
    let upload = feed(&portal, "2.csv", &others).await;
    assert_eq!(upload.problems(), [("protected_user".to_owned(), None)]);
    assert_eq!(user(&portal, "4").await.text("status"), "active");
    let report = portal.report(&upload).await;
    assert_eq!((report.len(), report[0]["identity"].as_str()), (1, "4"));
}

#[tokio::test]
async fn an_address_that_another_portal_has_too_is_not_changed_and_the_rest_is() {
    let (portal, other) = (portal(false, false).await, portal(false, false).await);
    let (shared, new) = (
        format!("ann@{}.example", portal.id),
        format!("new@{}.example", portal.id),
    );
    feed(&portal, "1.csv", &[("1", &shared, "", "")]).await;
    feed(&other, "1.csv", &[("9", &shared, "", "")]).await;
    let file = format!("No,Email,First,Last,Boss,Role\n1,{new},Patience,Lee,,\n");
    let upload = portal.upload("2.csv", file.clone()).await;
    assert_eq!(upload.status(), "completed_with_problems");
    assert_eq!(
        upload.problems(),
        [("email_shared_with_other_portal".to_owned(), Some(2))]
    );
    let ann = user(&portal, "1").await;
    assert_eq!(
        (ann.text("email"), ann.text("first_name")),
        (shared.as_str(), "Patience")
    );
    // The next file looks again: with a warning, and without a write.
    let upload = portal.upload("3.csv", file.clone()).await;
    assert_eq!(
        (upload.rows("unchanged"), &upload.record["warnings"]),
        (1, &json!(1))
    );
    assert_eq!(user(&portal, "1").await, ann);
    // The other portal's person has another address now.
    patch(
        &other,
        &user(&other, "9").await,
        json!({"email": format!("x@{}.example", other.id)}),
    )
    .await;
    let upload = portal.upload("4.csv", file).await;
    assert_eq!((upload.status(), upload.rows("updated")), ("completed", 1));
    assert_eq!(user(&portal, "1").await.text("email"), new);
}

#[tokio::test]
async fn a_portal_that_moves_to_external_ids_keeps_its_people() {
    let portal = Portal::unknown();
    let settings = |enabled: bool| json!({"name": "A company", "country": "AU", "external_id_enabled": enabled});
    portal
        .call("PUT", "", Some(settings(false)))
        .await
        .expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let fields = |columns: &[(&str, &str)]| -> Vec<Value> {
        columns
            .iter()
            .map(|(field, column)| json!({"field": field, "column": column}))
            .collect()
    };
    let by_email = json!({"fields": fields(&COLUMNS[1..4])});
    let by_id = json!({"fields": fields(&COLUMNS[..4]), "identity": "external_id"});
    portal
        .call("PUT", "/feed/mapping", Some(by_email))
        .await
        .expect(201);
    let refused = portal
        .call("PUT", "/feed/mapping", Some(by_id.clone()))
        .await;
    assert_eq!(refused.refused(422).0, "external_id_not_enabled");
    let file = format!(
        "No,Email,First,Last\nE1,ann@{0}.example,Ann,Lee\nE2,bo@{0}.example,Bo,Lee\n",
        portal.id
    );
    portal.upload("1.csv", file.clone()).await;
    let before = portal.users().await;
    portal
        .call("PUT", "", Some(settings(true)))
        .await
        .expect(200);
    portal
        .call("PUT", "/feed/mapping", Some(by_id))
        .await
        .expect(200);
    let upload = portal.upload("2.csv", file.clone()).await;
    assert_eq!((upload.rows("created"), upload.rows("updated")), (0, 2));
    let after = portal.users().await;
    for (email, user) in &after {
        assert_eq!(user.text("user_id"), before[email].text("user_id"));
        assert!(user.text("external_id").starts_with('E'));
    }
    let moved = file.replace("ann@", "ann.lee@");
    let upload = portal.upload("3.csv", moved).await;
    assert_eq!((upload.status(), upload.rows("updated")), ("completed", 1));
    // External ids cannot be switched off under the mapping that uses them.
    let refused = portal.call("PUT", "", Some(settings(false))).await;
    assert_eq!(refused.refused(422).0, "external_id_in_use");
}
