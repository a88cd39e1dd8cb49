//! The sample file of 500 people: what the record counts, what the report says and who is in the table
//! agree exactly, person by person; and the same again changes nobody.

use end_to_end::Portal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn sample(name: &str) -> String {
    let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn sample_json(name: &str) -> Value {
    serde_json::from_str(&sample(name)).unwrap()
}

async fn people_portal() -> Portal {
    let portal = Portal::unknown();
    portal
        .call("PUT", "", Some(sample_json("people.portal.json")))
        .await
        .expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    portal
        .call(
            "PUT",
            "/feed/mapping",
            Some(sample_json("people.mapping.json")),
        )
        .await
        .expect(201);
    portal
}

#[tokio::test]
async fn record_report_and_table_agree_person_by_person() {
    let portal = people_portal().await;
    let expected = sample_json("people.expected.json");
    let upload = portal.upload("people.csv", sample("people.csv")).await;

    assert_eq!(upload.status(), "completed_with_problems");
    let of = |outcome| (outcome, upload.rows(outcome));
    assert_eq!(of("total").1, expected["rows"].as_u64().unwrap());
    assert_eq!(of("created").1, expected["created"].as_u64().unwrap());
    assert_eq!(
        of("not_processed").1,
        expected["not_processed"].as_array().unwrap().len() as u64
    );
    assert_eq!(
        of("unchanged").1,
        expected["duplicates"].as_array().unwrap().len() as u64
    );
    let sum: u64 = [
        "created",
        "updated",
        "unchanged",
        "disabled",
        "enabled",
        "not_processed",
    ]
    .map(|name| of(name).1)
    .iter()
    .sum();
    assert_eq!(sum, of("total").1);
    assert_eq!(
        upload.record["warnings"].as_u64().unwrap(),
        expected["duplicates"].as_array().unwrap().len() as u64
    );

    // The report: a line for each person and each problem.
    let report = portal.report(&upload).await;
    let lines = |outcome: &str| {
        report
            .iter()
            .filter(|line| line["outcome"] == outcome)
            .collect::<Vec<_>>()
    };
    let created: BTreeSet<String> = lines("created")
        .iter()
        .map(|line| line["identity"].trim_start_matches('\'').to_lowercase())
        .collect();
    assert_eq!(created.len() as u64, of("created").1);
    let place = |problem: &Value| {
        (
            problem["row"].as_u64().unwrap(),
            problem["code"].as_str().unwrap().to_owned(),
        )
    };
    let refused: Vec<_> = lines("not_processed")
        .iter()
        .map(|line| (line["row"].parse().unwrap(), line["code"].clone()))
        .collect();
    let mut places: Vec<_> = expected["not_processed"]
        .as_array()
        .unwrap()
        .iter()
        .map(place)
        .collect();
    places.sort();
    assert_eq!(refused, places);
    let duplicates: Vec<u64> = lines("warning")
        .iter()
        .map(|line| line["row"].parse().unwrap())
        .collect();
    assert_eq!(
        duplicates,
        expected["duplicates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["row"].as_u64().unwrap())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        report.len() as u64,
        of("created").1 + of("not_processed").1 + duplicates.len() as u64
    );
    assert_eq!(
        portal.rejected(&upload).await.len() as u64,
        of("not_processed").1
    );

    // The table: exactly these people, each as the file says.
    let users = portal.users().await;
    assert_eq!(users.keys().cloned().collect::<BTreeSet<_>>(), created);
    let inactive: BTreeSet<&str> = users
        .iter()
        .filter(|(_, user)| user.text("status") == "inactive")
        .map(|(email, _)| email.as_str())
        .collect();
    assert_eq!(
        inactive,
        expected["inactive"]
            .as_array()
            .unwrap()
            .iter()
            .map(|email| email.as_str().unwrap())
            .collect()
    );
    let mut seen = BTreeSet::new();
    let file = sample("people.csv");
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(file.trim_start_matches('\u{FEFF}').as_bytes());
    let header = reader.headers().unwrap().clone();
    for record in reader.records() {
        let record = record.unwrap();
        let cells: BTreeMap<&str, &str> = header.iter().zip(record.iter().map(str::trim)).collect();
        let email = cells.get("Work E-mail").copied().unwrap_or_default();
        // The first row of a person counts, and rows with mistakes belong to nobody.
        let Some(user) = users
            .get(&email.to_lowercase())
            .filter(|_| seen.insert(email.to_lowercase()))
        else {
            continue;
        };
        assert_eq!(user.text("email"), email);
        assert_eq!(user.text("first_name"), cells["Given Name"]);
        assert_eq!(user.text("last_name"), cells["Surname"]);
        for (field, column) in [
            ("employee_id", "Employee No"),
            ("job_title", "Job Title"),
            ("hire_date", "Hire Date"),
        ] {
            assert_eq!(
                user.custom(field).unwrap_or_default(),
                cells[column],
                "{email}: {field}"
            );
        }
    }
    assert_eq!(seen.len(), users.len());
}

#[tokio::test]
async fn a_new_user_has_every_attribute_that_is_documented() {
    let portal = Portal::ready().await;
    let upload = portal
        .upload(
            "a.csv",
            "Email,First,Last,Status,Job,Site\n Ann.Lee@X.example ,Ann,Lee,,Cook,\n",
        )
        .await;
    let users = portal.users().await;
    let ann = &users["ann.lee@x.example"];
    assert_eq!(
        ann.attributes(),
        [
            "created_at",
            "custom",
            "email",
            "email_key",
            "feed_managed",
            "fingerprint",
            "first_name",
            "last_name",
            "last_outcome",
            "last_upload_id",
            "last_write",
            "pk",
            "portal_id",
            "roles",
            "sk",
            "source",
            "status",
            "updated_at",
            "user_id",
            "version",
        ]
    );
    assert_eq!(ann.text("email"), "Ann.Lee@X.example");
    assert_eq!(
        (
            ann.text("status"),
            ann.text("source"),
            ann.number("version")
        ),
        ("active", "feed", 1)
    );
    assert_eq!(ann.set("roles"), ["Learner"]);
    assert!(ann.is("feed_managed"));
    assert_eq!(ann.text("last_upload_id"), upload.id());
    assert_eq!(ann.text("last_write"), format!("{}#1", upload.id()));
    assert_eq!(ann.text("last_outcome"), "created");
    assert_eq!(
        (ann.custom("job"), ann.custom("site")),
        (Some("Cook"), None)
    );
}

#[tokio::test]
async fn the_same_file_again_writes_to_nobody() {
    let portal = people_portal().await;
    portal.upload("monday.csv", sample("people.csv")).await;
    let before = portal.users().await;
    let again = portal.upload("tuesday.csv", sample("people.csv")).await;
    assert_eq!(
        (
            again.rows("created"),
            again.rows("updated"),
            again.rows("unchanged")
        ),
        (0, 0, 488)
    );
    // Whole items: version, updated_at and everything else.
    assert_eq!(portal.users().await, before);
}
