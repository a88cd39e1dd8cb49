//! From a sample to a mapping: what a portal can map, what a sample is taken for, resets and versions.

use crate::people::{sample, sample_json};
use end_to_end::{Answer, Portal, Stack};
use serde_json::{Value, json};

/// A sample, sent by an operator.
async fn inspect_as(kind: &str, portal: &Portal, sample: impl Into<Vec<u8>>) -> Answer {
    let path = format!("/portals/{}/feed/mapping/inspect", portal.id);
    let token = portal.stack.token("operator");
    let body = Some(sample.into());
    let stack = &portal.stack;
    stack
        .call_with(kind, "POST", &path, Some(&token), body)
        .await
}

async fn inspect(portal: &Portal, sample: impl Into<Vec<u8>>) -> Value {
    inspect_as("text/csv", portal, sample).await.expect(200)
}

/// Code, row and byte of every problem of a sample.
fn problems(seen: &Value) -> Vec<(String, Option<u64>, Option<u64>)> {
    let problems = seen["problems"].as_array().unwrap().iter();
    let place = |problem: &Value| {
        let code = problem["code"].as_str().unwrap().to_owned();
        (code, problem["row"].as_u64(), problem["byte"].as_u64())
    };
    problems.map(place).collect()
}

/// What is suggested, as the lines of a mapping; sorted.
fn lines(fields: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = fields.as_array().unwrap().iter();
    let mut lines: Vec<_> = fields
        .map(|line| (text(&line["field"]), text(&line["column"])))
        .collect();
    lines.sort();
    lines
}

/// All versions of the mapping, page by page: number, and whether it is the one in use.
async fn versions(portal: &Portal, limit: u8) -> Vec<(u64, bool)> {
    let (mut versions, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/feed/mapping/versions?limit={limit}&cursor={cursor}");
        let page = portal.call("GET", &path, None).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= usize::from(limit));
        let seen = |item: &Value| {
            let version = item["version"].as_u64().unwrap();
            (version, item["active"].as_bool().unwrap())
        };
        versions.extend(items.iter().map(seen));
        match page["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return versions,
        }
    }
}

#[tokio::test]
async fn a_portals_fields_are_listed() {
    let portal = Portal::set_up().await;
    let listed = portal.call("GET", "/feed/fields", None).await.expect(200);
    assert_eq!(listed["cursor"], Value::Null);
    let items = listed["items"].as_array().unwrap();
    let names: Vec<&str> = items
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    let expected = "email first_name last_name status role group manager job site";
    assert_eq!(names.join(" "), expected);
    let field = |name: &str, label: &str, required: bool, multiple: bool, custom: bool| json!({"name": name, "label": label, "required": required, "multiple": multiple, "custom": custom});
    assert_eq!(items[0], field("email", "Email", true, false, false));
    assert_eq!(items[6], field("manager", "Manager", false, true, false));
    assert_eq!(items[7], field("job", "Job", false, false, true));

    let mut settings = json!({"name": "A company", "country": "AU", "external_id_enabled": true});
    portal
        .call("PUT", "", Some(settings.clone()))
        .await
        .expect(200);
    let listed = portal.call("GET", "/feed/fields", None).await.expect(200);
    assert_eq!(listed["items"][3]["name"], "external_id");
    settings["external_id_enabled"] = json!(false);
    portal.call("PUT", "", Some(settings)).await.expect(200);
    let listed = portal.call("GET", "/feed/fields", None).await.expect(200);
    assert_eq!(listed["items"][3]["name"], "status");
}

/// What the FAQ tells: download the sample, upload it, map, and the layout is what the feed takes.
#[tokio::test]
async fn the_template_is_downloaded_understood_mapped_and_accepted_by_the_feed() {
    let portal = Portal::unknown();
    let fields = json!([
        {"name": "employee_id", "label": "Employee ID"}, {"name": "manager_email", "label": "Manager Email"},
        {"name": "hire_date", "label": "Hire Date"}, {"name": "site", "label": "Site"}
    ]);
    let groups = json!([{"id": 12, "name": "Sales", "learning_ids": [1]}]);
    let settings =
        json!({"name": "A company", "country": "AU", "custom_fields": fields, "groups": groups});
    portal.call("PUT", "", Some(settings)).await.expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);

    let template = portal.call("GET", "/feed/template.csv", None).await;
    assert_eq!(template.status, 200);
    assert_eq!(template.content_type, "text/csv; charset=utf-8");
    let disposition = "attachment; filename=\"template.csv\"";
    assert_eq!(template.content_disposition, disposition);
    let header = b"email,first_name,last_name,status,role,group,manager,employee_id,manager_email,hire_date,site\r\n";
    assert!(template.bytes.starts_with(header));

    let seen = inspect(&portal, template.bytes.clone()).await;
    assert_eq!(problems(&seen), []);
    let columns = seen["columns"].as_array().unwrap();
    let names: Vec<&Value> = columns.iter().map(|column| &column["name"]).collect();
    assert_eq!(names.len(), 11);
    assert_eq!(seen["suggested"].as_array().unwrap().len(), 11);
    let mapping = json!({"columns": names, "fields": seen["suggested"]});
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(201);
    let upload = portal.upload("template.csv", template.bytes).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 2));
    let users = portal.users().await;
    let alex = &users["alex.sample@example.com"];
    let sam = &users["sam.sample@example.com"];
    assert_eq!(alex.numbers("group_ids"), [12]);
    assert_eq!(alex.set("manager_ids"), [sam.text("user_id")]);
}

#[tokio::test]
async fn a_sample_is_understood_and_nothing_of_it_is_stored() {
    let portal = Portal::unknown();
    let settings = sample_json("people.portal.json");
    portal.call("PUT", "", Some(settings)).await.expect(201);
    let seen = inspect(&portal, sample("people.csv")).await;
    // Two of its rows are cut off or too long, on purpose.
    let malformed = |row| ("wrong_field_count".to_owned(), Some(row), None);
    assert_eq!(problems(&seen), [malformed(196), malformed(394)]);
    // As the sample's own mapping, made by hand, has it.
    let by_hand = sample_json("people.mapping.json");
    assert_eq!(lines(&seen["suggested"]), lines(&by_hand["fields"]));
    let columns = seen["columns"].as_array().unwrap();
    let names: Vec<&Value> = columns.iter().map(|column| &column["name"]).collect();
    let expected: Vec<&Value> = by_hand["columns"].as_array().unwrap().iter().collect();
    assert_eq!(names, expected);
    assert_eq!(columns[0]["samples"].as_array().unwrap().len(), 3);
    assert_eq!(columns[1]["samples"][0], "Hoàng");

    let none = portal.call("GET", "/feed/mapping", None).await;
    assert_eq!(none.refused(404).0, "mapping_not_found");
    assert_eq!(versions(&portal, 20).await, []);
    assert!(portal.users().await.is_empty() && portal.uploads().await.is_empty());

    let header = inspect(&portal, "Emp ID,Supervisor Email,E-Mail (Work),Surname").await;
    let expected = [
        ("email", "E-Mail (Work)"),
        ("employee_id", "Emp ID"),
        ("last_name", "Surname"),
        ("manager", "Supervisor Email"),
    ];
    let expected = expected.map(|(field, column)| (field.to_owned(), column.to_owned()));
    assert_eq!(lines(&header["suggested"]), expected);
    assert_eq!(problems(&header), []);
    assert_eq!(
        header["columns"][0],
        json!({"name": "Emp ID", "samples": []})
    );
}

/// Also those that the gateway cannot hand over as text.
#[tokio::test]
async fn what_is_wrong_with_a_sample_is_said_with_its_place() {
    let portal = Portal::set_up().await;
    let utf16: Vec<u8> = "\u{FEFF}Email,First\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (sample, code, row, byte) in [
        (&b""[..], "empty_file", None, None),
        (
            b"Email;First;Last\na;b;c\n",
            "wrong_delimiter",
            Some(1),
            None,
        ),
        (
            b"Email,First,Last\na@x.io,J\xE9r\xF4me,Li\n",
            "invalid_utf8",
            Some(2),
            Some(25),
        ),
        (&utf16, "utf16", Some(1), Some(0)),
        (
            b"Email,First,Last\na@x.io,\"Ann,Lee\n",
            "unclosed_quote",
            Some(2),
            None,
        ),
        (
            b"Email,First,Last,EMAIL\n",
            "duplicate_header",
            Some(1),
            None,
        ),
    ] {
        for kind in [
            "text/csv",
            "text/csv; charset=utf-8",
            "application/octet-stream",
        ] {
            let seen = inspect_as(kind, &portal, sample).await.expect(200);
            let expected = [(code.to_owned(), row, byte)];
            assert_eq!(problems(&seen), expected, "{kind}");
        }
    }
}

#[tokio::test]
async fn of_a_long_sample_the_beginning_is_enough() {
    let portal = Portal::set_up().await;
    let mut sample = "Email,First,Last,Notes\n".to_owned();
    for n in 0..10_000 {
        sample.push_str(&format!("p{n}@x.example,Zoë,Lee,\"one,\n\"\"two\"\"\"\n"));
    }
    // In the middle of rows, cells and characters.
    for end in (262_100..262_140).chain([256_001, 200_000 + 56_789]) {
        let seen = inspect(&portal, &sample.as_bytes()[..end]).await;
        assert_eq!(problems(&seen), [], "{end}");
        assert_eq!(seen["columns"][0]["samples"][2], "p2@x.example");
    }
    sample.push_str(&"x".repeat(1_000_000 - sample.len()));
    let seen = inspect(&portal, sample.as_bytes()).await;
    assert_eq!(problems(&seen), []);
    sample.push('x');
    let refused = inspect_as("text/csv", &portal, sample).await;
    assert_eq!(refused.refused(413).0, "body_too_large");
}

#[tokio::test]
async fn a_reset_takes_the_mapping_away_and_nothing_else() {
    let portal = Portal::ready().await;
    let file = "Email,First,Last,Status,Job,Site\na@x.example,Ann,Lee,1,Cook,Perth\n";
    assert_eq!(portal.upload("1.csv", file).await.status(), "completed");
    let users = portal.users().await;
    let before = portal.call("GET", "", None).await.expect(200);
    for _ in 0..2 {
        let reset = portal.call("DELETE", "/feed/mapping", None).await;
        assert_eq!((reset.status.as_u16(), reset.bytes.len()), (204, 0));
    }
    let gone = portal.call("GET", "/feed/mapping", None).await;
    assert_eq!(gone.refused(404).0, "mapping_not_found");
    let mut after = portal.call("GET", "", None).await.expect(200);
    assert_eq!(after["feed"]["mapping_version"], Value::Null);
    after["feed"]["mapping_version"] = json!(1);
    assert_eq!(after, before, "the authorisation and all else stay");
    assert_eq!(versions(&portal, 20).await, [(1, false)]);

    let upload = portal.upload("2.csv", file).await;
    assert_eq!(upload.status(), "rejected");
    assert_eq!(upload.problems(), [("no_mapping".to_owned(), None)]);
    assert_eq!(portal.users().await, users);

    let saved = portal
        .call("PUT", "/feed/mapping", Some(Portal::mapping()))
        .await;
    assert_eq!(saved.expect(201)["version"], 2);
    assert_eq!(versions(&portal, 20).await, [(2, true), (1, false)]);
    let upload = portal.upload("3.csv", file).await;
    assert_eq!(
        (upload.status(), upload.rows("unchanged")),
        ("completed", 1)
    );
    assert_eq!(portal.users().await, users);
}

/// Once nothing is mapped, no field is in use.
#[tokio::test]
async fn after_a_reset_a_field_that_the_mapping_used_can_be_taken_away() {
    let portal = Portal::ready().await;
    let fewer = json!({"name": "A company", "country": "AU"});
    let refused = portal.call("PUT", "", Some(fewer.clone())).await;
    assert_eq!(refused.refused(422).0, "field_in_use");
    portal
        .call("DELETE", "/feed/mapping", None)
        .await
        .expect(204);
    portal.call("PUT", "", Some(fewer)).await.expect(200);
}

#[tokio::test]
async fn every_version_of_the_mapping_is_kept_and_can_be_saved_again() {
    let portal = Portal::ready().await;
    let mut later = Portal::mapping();
    later["fields"].as_array_mut().unwrap().truncate(4);
    for version in 2..=12 {
        let saved = portal
            .call("PUT", "/feed/mapping", Some(later.clone()))
            .await;
        assert_eq!(saved.expect(200)["version"], version);
    }
    let expected: Vec<(u64, bool)> = (1..=12).rev().map(|n| (n, n == 12)).collect();
    for limit in [1, 5, 12, 100] {
        assert_eq!(versions(&portal, limit).await, expected, "{limit}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x"] {
        let path = format!("/feed/mapping/versions?{query}");
        let refused = portal.call("GET", &path, None).await;
        assert_eq!(refused.refused(422).0, "invalid_value", "{query}");
    }
    let path = "/feed/mapping/versions?cursor=2";
    let page = portal.call("GET", path, None).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let first = page["items"][0].clone();
    let saved = portal.call("PUT", "/feed/mapping", Some(first)).await;
    let saved = saved.expect(200);
    assert_eq!(saved["version"], 13);
    assert_eq!(saved["fields"], Portal::mapping()["fields"]);
    let other = Portal::ready().await;
    assert_eq!(versions(&other, 20).await, [(1, true)]);
}

/// A page has to fit into an answer of Lambda, however long the names of columns are.
#[tokio::test]
async fn pages_of_large_mappings_are_shorter() {
    let portal = Portal::ready().await;
    let mut large = Portal::mapping();
    let columns = large["columns"].as_array_mut().unwrap();
    columns.extend((0..330).map(|n| json!(format!("{n:\"<300}"))));
    for _ in 0..20 {
        portal
            .call("PUT", "/feed/mapping", Some(large.clone()))
            .await
            .expect(200);
    }
    let path = "/feed/mapping/versions?limit=100";
    let page = portal.call("GET", path, None).await;
    assert!(page.bytes.len() < 4_000_000);
    let page = page.expect(200);
    assert!((10..21).contains(&page["items"].as_array().unwrap().len()));
    assert!(page["cursor"].is_string());
    assert_eq!(versions(&portal, 100).await.len(), 21);
}

#[tokio::test]
async fn the_catalogue_of_codes_is_answered_without_a_sign_in() {
    let stack = Stack::running();
    for token in [None, Some("x"), Some(&*stack.token("administrator"))] {
        let answer = stack.call("GET", "/problem-codes", token, None).await;
        let items = answer.expect(200)["items"].as_array().unwrap().clone();
        let code = |code: &str| items.iter().find(|item| item["code"] == code).unwrap();
        assert_eq!(code("no_mapping")["severity"], "file");
        assert_eq!(code("hold_superseded")["severity"], "request");
        for item in &items {
            let text = |name: &str| item[name].as_str().unwrap();
            assert!(text("meaning").ends_with('.') && text("how_to_fix").ends_with('.'));
        }
    }
    for (method, path) in [("POST", "/problem-codes"), ("GET", "/problem-codes/x")] {
        let answer = stack.call(method, path, None, None).await;
        assert!([401, 404].contains(&answer.status.as_u16()), "{path}");
    }
}
