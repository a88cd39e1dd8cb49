//! A portal is given up: nothing is left of it but the audit trail, and its neighbours are as they were.

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Company, Portal, Traces, employee};
use fake_xero::wire::{Route, Scripted};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const HEAD: &str = "Email,First,Last,Status,Job,Site";

/// The last requests are waited for, half a minute.
const PATIENCE: Duration = Duration::from_secs(180);

const NOWHERE: [&str; 0] = [];

/// A portal with something of everything that there can be.
async fn lived_in(portal: &Portal) -> Value {
    let groups = json!([{"id": 7, "name": "Sales", "learning_ids": [1, 2]}]);
    let fields = json!([{"name": "job", "label": "Job"}, {"name": "site", "label": "Site"}]);
    let settings =
        json!({"name": "A company", "country": "AU", "custom_fields": fields, "groups": groups});
    portal.call("PUT", "", Some(settings)).await.expect(201);
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    let mut mapping = Portal::mapping();
    mapping["fields"][5] = json!({"field": "group", "column": "Site"});
    portal
        .call("PUT", "/feed/mapping", Some(mapping))
        .await
        .expect(201);
    let domain = format!("{}.example", portal.id);
    let people = |status: u32| -> String {
        let rows = (0..5).map(|n| format!("p{n}@{domain},P,Q{n},{status},,7\n"));
        format!(
            "{HEAD}\n{}not an address of {domain},A,B,,,\n",
            rows.collect::<String>()
        )
    };
    portal.upload("people.csv", people(1)).await;
    portal.put("people.csv", people(1)).await;
    let key = format!("{}/people.csv", portal.id);
    portal.processed(&key, 2).await;
    portal.upload("rehearsal/people.csv", people(1)).await;
    let held = portal.upload("leavers.csv", people(0)).await;
    assert_eq!(held.status(), "held");
    let administrator = json!({"email": format!("ann@{domain}")});
    portal
        .call("POST", "/administrators", Some(administrator))
        .await
        .expect(201);
    let begun = portal
        .stack
        .s3()
        .create_multipart_upload()
        .bucket(portal.stack.output("FeedBucketName"))
        .key(format!("{}/large.csv", portal.id));
    begun.send().await.unwrap();
    portal.rests().await;
    portal
        .call("POST", "/feed/credentials", None)
        .await
        .expect(201)
}

async fn is_gone(portal: &Portal) {
    let begun = Instant::now();
    while portal.call("GET", "", None).await.status != 404 {
        assert!(
            begun.elapsed() < PATIENCE,
            "still there: {:?}",
            Traces::of(&portal.stack, &portal.id).await.places()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// As the sweep does when nothing that was given out for the number works any more: hours later.
async fn outlive(portal: &Portal) {
    let long_ago = "2026-01-01T00:00:00.000Z";
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let table = portal.stack.output("FeedTableName");
    let update = portal.stack.dynamodb().update_item().table_name(&table);
    let update = update
        .key("pk", text(&portal.id))
        .key("sk", text("OFF_BOARDING"));
    let update = update.update_expression("SET since = :then, due_at = :then");
    let update = update.condition_expression("attribute_exists(pk)");
    let update = update.expression_attribute_values(":then", text(long_ago));
    update.send().await.unwrap();
    let begun = Instant::now();
    loop {
        // Again and again, as the real one: a turn that finds somebody else at work leaves the rest to the next sweep.
        sweep(portal).await;
        let item = portal.stack.dynamodb().get_item().table_name(&table);
        let item = item
            .key("pk", text(&portal.id))
            .key("sk", text("OFF_BOARDING"));
        if item
            .consistent_read(true)
            .send()
            .await
            .unwrap()
            .item
            .is_none()
        {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the number is not free");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

async fn sweep(portal: &Portal) {
    let sweep = portal.stack.lambda().invoke();
    let sweep = sweep.function_name(portal.stack.output("EraseDataFunctionName"));
    let payload = aws_sdk_lambda::primitives::Blob::new(json!({"sweep": true}).to_string());
    let answer = sweep.payload(payload).send().await.unwrap();
    assert!(answer.function_error.is_none());
}

#[tokio::test]
async fn of_a_portal_that_is_given_up_nothing_is_left_but_the_audit_trail() {
    let mut portal = Portal::unknown();
    let mut neighbour = Portal::unknown();
    // Its neighbour's number begins with its own.
    portal.id = portal.id[1..].trim_start_matches('0').to_owned();
    neighbour.id = format!("{}7", portal.id);
    let credentials = lived_in(&portal).await;
    lived_in(&neighbour).await;
    let stack = &portal.stack;
    let link = json!({"file_name": "late.csv"});
    let link = portal
        .call("POST", "/uploads", Some(link))
        .await
        .expect(201);
    let link = link["url"].as_str().unwrap().to_owned();
    let before = Traces::of(stack, &portal.id).await;
    let neighbours = before.naming(&neighbour.id);
    assert!(before.naming(&portal.id).places().len() > 30 && neighbours.places().len() > 30);

    let begun = portal.call("DELETE", "", None).await.expect(202);
    // From this moment on nobody is let in.
    for (method, path, body) in [
        (
            "PUT",
            "",
            Some(json!({"name": "A company", "country": "AU"})),
        ),
        (
            "POST",
            "/administrators",
            Some(json!({"email": "bo@x.example"})),
        ),
        ("PUT", "/feed/authorisation", None),
        ("GET", "/feed/mapping", None),
        ("POST", "/feed/credentials", None),
        ("GET", "/uploads", None),
        ("GET", "/users", None),
        (
            "DELETE",
            "/users/2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19",
            None,
        ),
    ] {
        let refused = portal.call(method, path, body).await;
        assert_eq!(refused.refused(409).0, "off_boarding", "{method} {path}");
    }
    let shown = portal.call("GET", "", None).await.expect(200);
    assert_eq!(shown["off_boarding_since"], begun["off_boarding_since"]);
    assert_eq!(shown["feed"]["authorised"], false);
    // A file that comes meanwhile is nobody's.
    portal
        .put(
            "late.csv",
            format!("{HEAD}\nlate@{}.example,A,B,1,,\n", portal.id),
        )
        .await;
    let again = portal.call("DELETE", "", None).await.expect(202);
    assert_eq!(again, begun);

    is_gone(&portal).await;
    // A link that was given before works for a while; and nobody can have the number yet.
    let (_, put) = stack
        .put_from_a_page(&link, b"Email\nlate@x.example\n")
        .await;
    assert_eq!(put.as_u16(), 200);
    let anew = json!({"name": "Another", "country": "AU"});
    let refused = portal.call("PUT", "", Some(anew)).await;
    assert_eq!(refused.refused(409).0, "off_boarding");
    outlive(&portal).await;
    let after = Traces::of(stack, &portal.id).await;
    let left = after.naming(&portal.id);
    assert_eq!(left.beside_the_trail().places(), Vec::<&String>::new());
    let trail = portal.call("GET", "/audit", None).await.expect(200);
    assert_eq!(trail["items"][0]["action"], "off_boarding_begun");
    let earlier = before.naming(&portal.id);
    assert!(
        left.places().len() > earlier.places().len() - earlier.beside_the_trail().places().len()
    );
    assert!(after.with(&format!("@{}.example", portal.id)).is_empty());
    assert_eq!(after.naming(&neighbour.id).differing(&neighbours), NOWHERE);
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let config = stack.config_of(&text("access_key_id"), &text("secret_access_key"));
    let put = aws_sdk_s3::Client::new(&config)
        .put_object()
        .bucket(text("bucket"));
    let put = put
        .key(format!("{}/a.csv", portal.id))
        .body(Vec::new().into());
    assert!(put.send().await.is_err());
    assert_eq!(
        portal.call("DELETE", "", None).await.refused(404).0,
        "portal_not_found"
    );

    // The same number, set up anew, is a new portal; and can be given up in its turn.
    lived_in(&portal).await;
    assert_eq!(portal.users().await.len(), 5);
    assert_eq!(portal.uploads().await.len(), 4);
    portal.call("DELETE", "", None).await.expect(202);
    is_gone(&portal).await;
    outlive(&portal).await;
    let after = Traces::of(stack, &portal.id).await;
    let left = after.naming(&portal.id);
    assert_eq!(left.beside_the_trail().places(), Vec::<&String>::new());
    assert_eq!(after.naming(&neighbour.id).differing(&neighbours), NOWHERE);
}

#[tokio::test]
async fn an_off_boarding_that_was_cut_off_is_taken_up_by_the_sweep() {
    let portal = Portal::ready().await;
    portal
        .upload(
            "a.csv",
            format!("{HEAD}\nann@{}.example,A,B,1,,\n", portal.id),
        )
        .await;
    portal.rests().await;
    // As a worker leaves it that dies the moment after it was marked: nobody was woken.
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let client = portal.stack.dynamodb();
    let table = portal.stack.output("FeedTableName");
    let since = "2026-01-01T00:00:00.000Z";
    let mark = client
        .update_item()
        .table_name(&table)
        .key("pk", text(&portal.id));
    mark.key("sk", text("PORTAL"))
        .update_expression("SET off_boarding_since = :since")
        .expression_attribute_values(":since", text(since))
        .send()
        .await
        .unwrap();
    let shard = (portal.id.parse::<u64>().unwrap() % 4).to_string();
    let item = client
        .put_item()
        .table_name(&table)
        .item("pk", text(&portal.id));
    item.item("sk", text("OFF_BOARDING"))
        .item("since", text(since))
        .item("due_at", text(since))
        .item("work_shard", text(&shard))
        .send()
        .await
        .unwrap();
    sweep(&portal).await;
    is_gone(&portal).await;
    let left = Traces::of(&portal.stack, &portal.id).await;
    assert_eq!(left.beside_the_trail().places(), Vec::<&String>::new());
}

async fn asked_for_connections(company: &Company) -> usize {
    let calls = company.xero.calls_of(company.owner.user_id).await.calls;
    let asked = calls.iter().filter(|call| call.route == Route::Connections);
    asked.count()
}

/// Its tokens are kept for giving back until Xero has answered, even where nothing else is left of the portal.
#[tokio::test]
async fn a_portal_that_is_given_up_gives_its_connection_with_xero_back_and_forgets_who_was_imported()
 {
    let company = Company::employing((1..=3).map(employee).collect()).await;
    let portal = &company.portal;
    company.import_all().await;
    company.given_back().await;
    company.connect().await;
    portal.rests().await;
    let owner = company.owner.user_id;
    assert_eq!(company.xero.state(owner).await.connections.len(), 1);
    company
        .xero
        .script_for_user(owner, Route::Connections, vec![Scripted::status(503); 2])
        .await;
    let asked = asked_for_connections(&company).await;
    portal.call("DELETE", "", None).await.expect(202);
    for (method, path, body) in [
        ("GET", "", None),
        ("GET", "/preview", None),
        ("POST", "/connection", None),
        ("POST", "/import", Some(json!({"assign_courses": true}))),
    ] {
        let refused = company.call(method, path, body).await;
        assert_eq!(refused.refused(409).0, "off_boarding", "{method} {path}");
    }
    is_gone(portal).await;
    // Xero is down: the next sweep that finds it due tries again.
    let begun = Instant::now();
    while asked_for_connections(&company).await < asked + 2 {
        assert!(begun.elapsed() < PATIENCE, "not tried");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept: Vec<String> = company.kept().await.into_keys().collect();
    assert!(
        kept.len() == 1 && kept[0].starts_with("XERO_RETURN#"),
        "{kept:?}"
    );
    portal.make_due(&kept[0], "2026-01-02T03:04:05.678Z").await;
    company.sweep().await;
    company.given_back().await;
    outlive(portal).await;
    let left = Traces::of(&portal.stack, &portal.id).await;
    let left = left.naming(&portal.id).beside_the_trail();
    assert_eq!(left.places(), Vec::<&String>::new());
    let nobody: BTreeMap<String, String> = BTreeMap::new();
    assert_eq!(company.kept().await, nobody);
}
