//! What rows do to people: which changed, which did not, and that the same rows again change nobody.

use end_to_end::{Portal, StoredUser};
use serde_json::json;
use std::collections::BTreeMap;

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

type Users = BTreeMap<String, StoredUser>;

/// Who is not as before, and by how many versions.
fn changed(before: &Users, after: &Users) -> Vec<(String, u64)> {
    let moved = after
        .iter()
        .filter(|(email, user)| before.get(*email) != Some(user));
    moved
        .map(|(email, user)| {
            let versions = user.number("version")
                - before
                    .get(email)
                    .map_or(0, |before| before.number("version"));
            (email.clone(), versions)
        })
        .collect()
}

fn named(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected
        .iter()
        .map(|(email, versions)| ((*email).to_owned(), *versions))
        .collect()
}

#[tokio::test]
async fn a_rows_mistake_costs_that_row_only() {
    let portal = Portal::ready().await;
    let file = format!(
        "{HEADER}a@x.example,Ann,Lee,1,Cook,Perth\n\
         not an address,Bo,Li,1,Cook,Perth\n\
         c@x.example,,Li,1,Cook,Perth\n\
         d@x.example,Di,Lo,maybe,Cook,Perth\n\
         e@x.example,Ed\n\
         f@x.example,Flo,Lu,1,{},Perth\n\
         \"g@x.example\",\"Gus\nJr\",Lu,1,Cook,Perth\n\
         h@x.example,Hal,Ly,1,Cook,Perth\n",
        "x".repeat(1_001)
    );
    let upload = portal.upload("people.csv", file).await;
    assert_eq!(upload.status(), "completed_with_problems");
    let problem = |code: &str, row| (code.to_owned(), Some(row));
    assert_eq!(
        upload.problems(),
        [
            problem("invalid_email", 3),
            problem("missing_value", 4),
            problem("invalid_status", 5),
            problem("wrong_field_count", 6),
            problem("value_too_long", 7),
            problem("forbidden_character", 8),
        ]
    );
    assert_eq!(upload.record["problems"][0]["column"], "Email");
    assert_eq!(upload.record["problems"][0]["field"], "email");
    assert_eq!(upload.record["problems"][0]["value"], "not an address");
    assert_eq!(
        (upload.rows("created"), upload.rows("not_processed")),
        (2, 6)
    );
    assert_eq!(
        portal.users().await.into_keys().collect::<Vec<_>>(),
        ["a@x.example", "h@x.example"]
    );
}

#[tokio::test]
async fn rejected_rows_corrected_and_dropped_again_work() {
    let portal = Portal::ready().await;
    let upload = portal
        .upload("people.csv", format!("{HEADER}bo,Bo,Li,1,=Cook,Perth\n"))
        .await;
    let rejected = String::from_utf8(portal.download(&upload, "rejected").await).unwrap();
    assert!(
        rejected.starts_with(
            "Email,First,Last,Status,Job,Site,feed_problem\r\nbo,Bo,Li,1,'=Cook,Perth,\"invalid_email: "
        ),
        "{rejected}"
    );
    let corrected = rejected.replacen("\nbo,", "\nbo@x.example,", 1);
    let again = portal.upload("corrected.csv", corrected).await;
    assert_eq!((again.status(), again.rows("created")), ("completed", 1));
    assert_eq!(
        portal.users().await["bo@x.example"].custom("job"),
        Some("=Cook")
    );
}

#[tokio::test]
async fn an_update_touches_the_people_who_differ_and_nobody_else() {
    let portal = Portal::ready().await;
    let monday = "a@x.example,Ann,Lee,1,Cook,Perth\n\
                  b@x.example,Bo,Li,1,Cook,Perth\n\
                  c@x.example,Cy,Lo,1,Cook,Perth\n\
                  d@x.example,Di,Lu,0,Cook,Perth\n\
                  e@x.example,Ed,Ly,1,Cook,Perth\n\
                  f@x.example,Flo,Lay,1,Cook,Perth\n";
    let first = portal
        .upload("monday.csv", format!("{HEADER}{monday}"))
        .await;
    assert_eq!((first.status(), first.rows("created")), ("completed", 6));
    let before = portal.users().await;

    // b is renamed, c leaves, d returns, e's site is cleared, f's address changes its case; a stays, and g is new.
    let tuesday = "a@x.example,Ann,Lee,1,Cook,Perth\n\
                   b@x.example,Bob,Li,1,Chef,Perth\n\
                   c@x.example,Cy,Lo,0,Cook,Perth\n\
                   d@x.example,Di,Lu,1,Cook,Perth\n\
                   e@x.example,Ed,Ly,1,,\n\
                   F@x.example,Flo,Lay,1,Cook,Perth\n\
                   g@x.example,Guy,Loy,0,Cook,Perth\n";
    let second = portal
        .upload("tuesday.csv", format!("{HEADER}{tuesday}"))
        .await;
    let counts = [
        "created",
        "updated",
        "disabled",
        "enabled",
        "unchanged",
        "not_processed",
    ]
    .map(|name| second.rows(name));
    assert_eq!(counts, [1, 3, 1, 1, 1, 0], "{}", second.record);
    let after = portal.users().await;
    assert_eq!(
        changed(&before, &after),
        named(&[
            ("b@x.example", 1),
            ("c@x.example", 1),
            ("d@x.example", 1),
            ("e@x.example", 1),
            ("f@x.example", 1),
            ("g@x.example", 1)
        ])
    );
    assert_eq!(
        (
            after["b@x.example"].text("first_name"),
            after["b@x.example"].custom("job")
        ),
        ("Bob", Some("Chef"))
    );
    assert_eq!(
        (
            after["c@x.example"].text("status"),
            after["d@x.example"].text("status")
        ),
        ("inactive", "active")
    );
    assert_eq!(
        (
            after["e@x.example"].custom("job"),
            after["e@x.example"].custom("site")
        ),
        (Some("Cook"), None),
        "job keeps, site clears"
    );
    assert_eq!(after["f@x.example"].text("email"), "F@x.example");
    assert_eq!(
        after["f@x.example"].text("user_id"),
        before["f@x.example"].text("user_id")
    );
    for email in ["b@x.example", "f@x.example"] {
        assert_eq!(
            after[email].text("created_at"),
            before[email].text("created_at")
        );
        assert!(after[email].text("updated_at") > before[email].text("updated_at"));
        assert_eq!(after[email].text("last_upload_id"), second.id());
    }
    let report = portal.report(&second).await;
    let lines: Vec<_> = report
        .iter()
        .map(|line| {
            (
                line["identity"].as_str(),
                line["outcome"].as_str(),
                line["field"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("b@x.example", "updated", "first_name|job"),
            ("c@x.example", "disabled", "status"),
            ("d@x.example", "enabled", "status"),
            ("e@x.example", "updated", "site"),
            ("F@x.example", "updated", "email"),
            ("g@x.example", "created", ""),
        ]
    );

    let third = portal
        .upload("wednesday.csv", format!("{HEADER}{tuesday}"))
        .await;
    assert_eq!((third.status(), third.rows("unchanged")), ("completed", 7));
    assert_eq!(changed(&after, &portal.users().await), []);
    assert!(portal.report(&third).await.is_empty());
}

#[tokio::test]
async fn blank_cells_keep_what_is_there_and_count_as_no_change() {
    let portal = Portal::ready().await;
    portal
        .upload(
            "a.csv",
            format!("{HEADER}a@x.example,Ann,Lee,0,Cook,Perth\n"),
        )
        .await;
    let before = portal.users().await;
    let blank = portal
        .upload("b.csv", format!("{HEADER}a@x.example,Ann,Lee,,,Perth\n"))
        .await;
    assert_eq!((blank.status(), blank.rows("unchanged")), ("completed", 1));
    let after = portal.users().await;
    let (before, after) = (&before["a@x.example"], &after["a@x.example"]);
    for attribute in ["version", "updated_at", "status", "last_write"] {
        assert_eq!(
            (attribute, before.text(attribute)),
            (attribute, after.text(attribute))
        );
    }
    assert_eq!(
        (after.number("version"), after.custom("job")),
        (1, Some("Cook"))
    );
}

#[tokio::test]
async fn a_person_who_is_twice_in_a_file_is_one_user() {
    let portal = Portal::ready().await;
    let file = "a@x.example,Ann,Lee,1,Cook,Perth\nA@X.example,Anna,Lee,1,Cook,Perth\nb@x.example,Bo,Li,1,Cook,Perth\nb@x.example,Bo,Li,1,Cook,Perth\n";
    let upload = portal.upload("people.csv", format!("{HEADER}{file}")).await;
    assert_eq!(
        ["created", "not_processed", "unchanged"].map(|name| upload.rows(name)),
        [2, 1, 1]
    );
    assert_eq!(upload.record["warnings"], 1);
    assert_eq!(
        upload.problems(),
        [
            ("conflicting_row".to_owned(), Some(3)),
            ("duplicate_row".to_owned(), Some(5))
        ]
    );
    let users = portal.users().await;
    assert_eq!(users["a@x.example"].text("first_name"), "Ann");
    assert!(users.values().all(|user| user.number("version") == 1));
}

#[tokio::test]
async fn a_new_mapping_applies_to_the_next_file_and_changes_what_differs() {
    let portal = Portal::ready().await;
    let file = format!("{HEADER}a@x.example,Ann,Lee,1,Cook,Perth\n");
    portal.upload("a.csv", file.clone()).await;
    let mut mapping = Portal::mapping();
    mapping["fields"][4]["column"] = json!("Site");
    assert_eq!(
        portal
            .call("PUT", "/feed/mapping", Some(mapping))
            .await
            .expect(200)["version"],
        2
    );
    let upload = portal.upload("b.csv", file).await;
    assert_eq!(
        (upload.rows("updated"), &upload.record["mapping_version"]),
        (1, &json!(2))
    );
    assert_eq!(
        portal.users().await["a@x.example"].custom("job"),
        Some("Perth")
    );
}

#[tokio::test]
async fn a_rehearsal_is_reported_in_full_and_changes_nobody() {
    let portal = Portal::ready().await;
    portal
        .upload(
            "a.csv",
            format!("{HEADER}a@x.example,Ann,Lee,1,Cook,Perth\n"),
        )
        .await;
    let before = portal.users().await;
    let file =
        format!("{HEADER}a@x.example,Anna,Lee,1,Cook,Perth\nb@x.example,Bo,Li,1,Cook,Perth\n");
    let rehearsal = portal.upload("rehearsal/b.csv", file.clone()).await;
    assert_eq!(
        (
            rehearsal.rows("updated"),
            rehearsal.rows("created"),
            &rehearsal.record["rehearsal"]
        ),
        (1, 1, &json!(true))
    );
    assert_eq!(portal.users().await, before);
    let performance = portal.upload("b.csv", file).await;
    assert_eq!(
        portal.report(&performance).await,
        portal.report(&rehearsal).await
    );
    assert_eq!(
        changed(&before, &portal.users().await),
        named(&[("a@x.example", 1), ("b@x.example", 1)])
    );
}
