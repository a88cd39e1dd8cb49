//! The users of a portal as its administrators see and change them: lists, one user, and changes that the feed
//! has to respect. Each change asserts the whole item that is stored.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use end_to_end::{Portal, StoredUser};
use futures_util::future::join_all;
use mapping::identity::{Identity, UserId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";
const NOT_YET: &str = "2099-01-01T00:00:00.000Z";
const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn texts(values: &[&str]) -> AttributeValue {
    AttributeValue::Ss(values.iter().map(|value| (*value).to_owned()).collect())
}

fn numbers(values: &[u64]) -> AttributeValue {
    AttributeValue::Ns(values.iter().map(u64::to_string).collect())
}

/// A portal with the groups 7, 8 and 9, and with `ann`, `bob` and `eve`, each `@x.example`.
async fn portal_of_three() -> Portal {
    let portal = Portal::ready().await;
    let fields = json!([{"name": "job", "label": "Job"}, {"name": "site", "label": "Site"}]);
    let groups = json!([
        {"id": 7, "name": "Seven", "learning_ids": [70, 71]},
        {"id": 8, "name": "Eight", "learning_ids": [71, 80]},
        {"id": 9, "name": "Nine", "learning_ids": []},
    ]);
    let settings =
        json!({"name": "A company", "country": "AU", "custom_fields": fields, "groups": groups});
    portal.call("PUT", "", Some(settings)).await.expect(200);
    let rows =
        "Ann@x.example,Ann,Lee,1,Cook,\nbob@x.example,Bob,Ray,1,,\neve@x.example,Eve,Fox,1,,\n";
    portal.upload("people.csv", format!("{HEADER}{rows}")).await;
    portal.rests().await;
    portal
}

async fn user(portal: &Portal, email: &str) -> StoredUser {
    portal.users().await[email].clone()
}

fn id(user: &StoredUser) -> String {
    user.text("user_id").to_owned()
}

fn path(user: &StoredUser) -> String {
    format!("/users/{}", id(user))
}

async fn patch(portal: &Portal, user: &StoredUser, change: &Value) -> end_to_end::Answer {
    portal
        .call("PATCH", &path(user), Some(change.clone()))
        .await
}

/// An item whose sets are in order, without the moment at which it was changed.
fn comparable(mut item: HashMap<String, AttributeValue>) -> BTreeMap<String, AttributeValue> {
    item.remove("updated_at");
    for value in item.values_mut() {
        match value {
            AttributeValue::Ss(set) | AttributeValue::Ns(set) => set.sort(),
            _ => {}
        }
    }
    item.into_iter().collect()
}

/// Somebody who has everything that a user can have, inactive by the feed's hand.
async fn full(portal: &Portal) -> StoredUser {
    let users = portal.users().await;
    let mut ann = users["ann@x.example"].clone();
    ann.set_text("status", "inactive");
    ann.set_text("external_id", "E-1");
    ann.set_text("manager_granted_at", "2026-11-01T00:00:00.000Z");
    ann.set_text("disabled_by_upload", "01KAPTA7HZ0000000000000000");
    ann.put("roles", texts(&["Learner", "Administrator", "Manager"]));
    ann.put("feed_roles", texts(&["Manager", "Learner"]));
    ann.put("group_ids", numbers(&[9, 7]));
    ann.put("manager_ids", texts(&[&id(&users["bob@x.example"])]));
    portal.store(&ann).await;
    ann
}

async fn put_in_feed_table(portal: &Portal, sk: &str, attributes: &[(&str, AttributeValue)]) {
    let shard = portal.id.parse::<u64>().unwrap() % 4;
    let request = portal
        .stack
        .dynamodb()
        .put_item()
        .table_name(portal.stack.output("FeedTableName"));
    let item = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    request
        .set_item(Some(item.collect()))
        .item("pk", text(&portal.id))
        .item("sk", text(sk))
        .item("work_shard", text(&shard.to_string()))
        .send()
        .await
        .unwrap();
}

/// As a worker leaves it that holds the portal's lease until then.
async fn put_lease(portal: &Portal, expires_at: &str) {
    let lease = [
        ("token", AttributeValue::N("700".to_owned())),
        ("owner", text("a worker")),
        ("expires_at", text(expires_at)),
        ("due_at", text(NOT_YET)),
    ];
    put_in_feed_table(portal, "LEASE", &lease).await;
}

/// A place in the queue of an upload that is gone: whoever works on the queue takes it out. The sweep does not
/// come for it.
async fn put_in_queue(portal: &Portal, planned: bool) {
    let upload = "01KAPTA7HZ0000000000000000";
    let order = [("received_at", text(LONG_AGO)), ("key", text("gone.csv"))]
        .map(|(name, value)| (name.to_owned(), value));
    let entry = [
        ("upload_id", text(upload)),
        ("order", AttributeValue::M(order.into())),
        ("planned", AttributeValue::Bool(planned)),
        ("due_at", text(NOT_YET)),
    ];
    put_in_feed_table(portal, &format!("QUEUE#{LONG_AGO}#{upload}"), &entry).await;
}

async fn item_of_feed_table(portal: &Portal, sk: &str) -> HashMap<String, AttributeValue> {
    let request = portal
        .stack
        .dynamodb()
        .get_item()
        .table_name(portal.stack.output("FeedTableName"));
    let answer = request
        .key("pk", text(&portal.id))
        .key("sk", text(sk))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    answer.item.unwrap_or_default()
}

/// Waits until nothing is in the queue: somebody was woken.
async fn queue_is_worked_through(portal: &Portal) {
    let sk = format!("QUEUE#{LONG_AGO}#01KAPTA7HZ0000000000000000");
    let begun = Instant::now();
    while !item_of_feed_table(portal, &sk).await.is_empty() {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(30), "nobody was woken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// All ids of the list, page by page, and how many each page had.
async fn listed(portal: &Portal, query: &str) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("/users?{query}{cursor}");
        let page = portal.call("GET", &path, None).await.expect(200);
        let items = page["items"].as_array().unwrap();
        pages.push(items.len());
        ids.extend(
            items
                .iter()
                .map(|user| user["user_id"].as_str().unwrap().to_owned()),
        );
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (ids, pages),
        }
    }
}

#[tokio::test]
async fn users_are_seen_and_changed_by_their_own_administrators_and_by_operators_alone() {
    let portal = portal_of_three().await;
    let before = portal.users().await;
    let ann = &before["ann@x.example"];
    let (stack, token) = (&portal.stack, portal.stack.token("administrator"));
    let change = json!({"first_name": "Anna"});
    for (method, path, body) in [
        ("GET", "/users".to_owned(), None),
        ("GET", "/users?email=ann@x.example".to_owned(), None),
        ("GET", path(ann), None),
        ("PATCH", path(ann), Some(change.clone())),
        ("PATCH", path(ann), Some(json!({"nonsense": 1}))),
    ] {
        let path = format!("/portals/{}{path}", portal.id);
        let nobody = stack.call(method, &path, None, body.clone()).await;
        assert_eq!(nobody.status, 401, "{method} {path}");
        let other = stack.call(method, &path, Some(&token), body).await;
        assert_eq!(other.refused(403).0, "forbidden", "{method} {path}");
    }
    // Nor is a user of this portal found in the portal that they may act for.
    for (method, body) in [("GET", None), ("PATCH", Some(change.clone()))] {
        let path = format!("/portals/{}{}", stack.administered_portal(), path(ann));
        let answer = stack.call(method, &path, Some(&token), body).await;
        let (code, _) = answer.refused(404);
        assert!(["user_not_found", "portal_not_found"].contains(&code.as_str()));
    }
    assert_eq!(portal.users().await, before);
    let changed = patch(&portal, ann, &change).await.expect(200);
    assert_eq!(changed["first_name"], "Anna");
}

#[tokio::test]
async fn the_list_of_users_comes_in_pages_in_a_stable_order() {
    let portal = Portal::ready().await;
    assert_eq!(listed(&portal, "").await, (Vec::new(), vec![0]));
    let rows = (0..45).map(|n| format!("p{n}@x.example,Pat,No {n},,,\n"));
    let file = format!("{HEADER}{}", rows.collect::<String>());
    portal.upload("people.csv", file).await;
    let users = portal.users().await;
    let mut ids: Vec<String> = users.values().map(id).collect();
    ids.sort();
    for (query, pages) in [
        ("", vec![20, 20, 5]),
        ("limit=7", vec![7, 7, 7, 7, 7, 7, 3]),
        ("limit=15", vec![15, 15, 15]),
        ("limit=45", vec![45]),
        ("limit=100", vec![45]),
    ] {
        assert_eq!(
            listed(&portal, query).await,
            (ids.clone(), pages),
            "{query}"
        );
    }
    // Each as it is shown by itself, and pages go on where somebody was who is gone.
    let first = portal.call("GET", "/users?limit=1", None).await.expect(200);
    let alone = portal
        .call("GET", &format!("/users/{}", ids[0]), None)
        .await;
    assert_eq!(first["items"][0], alone.expect(200));
    let gone = "/users?limit=100&cursor=00000000-0000-5000-8000-000000000000";
    let all = portal.call("GET", gone, None).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 45);
    // Of a name, too.
    let (found, _) = listed(&portal, "limit=4&name=no%201").await;
    let expected = |n: u32| n == 1 || (10..20).contains(&n);
    let mut expected: Vec<String> = (0..45)
        .filter(|n| expected(*n))
        .map(|n| id(&users[&format!("p{n}@x.example")]))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn users_are_found_by_their_address_or_by_a_part_of_their_name() {
    let portal = Portal::ready().await;
    let rows =
        "Ann+hr@X.example,Ann,Lee,1,,\njosé@x.example,José,Leeds,1,,\nbob@x.example,Bob,Ray,1,,\n";
    portal.upload("people.csv", format!("{HEADER}{rows}")).await;
    let other = portal_of_three().await;
    for (query, found) in [
        ("email=ann%2Bhr@x.example", &["Ann"][..]),
        ("email=%20ANN%2BHR@X.EXAMPLE%20", &["Ann"]),
        ("email=JOSE%CC%81@x.example", &["José"]),
        ("email=ann@x.example", &[]),
        ("email=ann", &[]),
        ("email=@", &[]),
        ("email=&name=bob", &["Bob"]),
        ("email=bob@x.example&name=RAY", &["Bob"]),
        ("email=bob@x.example&name=lee", &[]),
        ("name=LEE", &["Ann", "José"]),
        ("name=n%20l", &["Ann"]),
        ("name=%20jose%CC%81%20l", &["José"]),
        ("name=nobody", &[]),
    ] {
        let page = portal
            .call("GET", &format!("/users?{query}"), None)
            .await
            .expect(200);
        let mut names: Vec<&str> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["first_name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(
            (names, &page["cursor"]),
            (found.to_vec(), &Value::Null),
            "{query}"
        );
    }
    let long = format!("/users?email={}@x.example&name={0}", "a".repeat(3_000));
    let none = portal.call("GET", &long, None).await.expect(200);
    assert_eq!(none["items"], json!([]));

    // The index lags: it names somebody who has the address no more, and does not know yet who has it.
    let mut ann = user(&other, "ann@x.example").await;
    ann.set_text("email", "elsewhere@x.example");
    other.store(&ann).await;
    let mut bob = user(&other, "bob@x.example").await;
    bob.remove("email_key");
    other.store(&bob).await;
    for (email, found) in [("ann@x.example", 0), ("bob@x.example", 1)] {
        let path = format!("/users?email={email}");
        let page = other.call("GET", &path, None).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{email}");
    }
}

/// A search of a large portal does a part of the work at a time: pages may be empty, and nobody is left out.
#[tokio::test]
async fn a_name_is_found_in_a_large_portal_page_by_page() {
    let portal = Portal::set_up().await;
    let (client, table) = (
        portal.stack.dynamodb(),
        portal.stack.output("UsersTableName"),
    );
    let person = |n: u32| {
        let shard = char::from_digit(n % 16, 16).unwrap();
        let id = format!("{shard}{n:07x}-0000-5000-8000-000000000000");
        let pk = format!("{}#{shard}", portal.id);
        let last = if n.is_multiple_of(1_300) {
            "Needle"
        } else {
            "Hay"
        };
        let mut item: HashMap<String, AttributeValue> = [
            ("pk", pk.as_str()),
            ("sk", &id),
            ("user_id", &id),
            ("portal_id", &portal.id),
            ("email", &format!("p{n}@x.example")),
            ("email_key", &format!("p{n}@x.example")),
            ("first_name", "Pat"),
            ("last_name", last),
            ("status", "active"),
        ]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into();
        item.insert("version".to_owned(), AttributeValue::N("1".to_owned()));
        PutRequest::builder().set_item(Some(item)).build().unwrap()
    };
    let people: Vec<WriteRequest> = (0..11_700)
        .map(|n| WriteRequest::builder().put_request(person(n)).build())
        .collect();
    for batch in people.chunks(25) {
        let request = client
            .batch_write_item()
            .request_items(&table, batch.into());
        let unprocessed = request.send().await.unwrap().unprocessed_items;
        assert!(unprocessed.unwrap_or_default().is_empty());
    }
    let (found, pages) = listed(&portal, "name=pat%20needle&limit=4").await;
    let mut expected: Vec<String> = (0..9)
        .map(|nth| person(nth * 1_300).item["sk"].as_s().unwrap().clone())
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    // A full page; then at most as many as one request looks at the rest for.
    assert!((3..=6).contains(&pages.len()), "{pages:?}");
    let (nobody, pages) = listed(&portal, "name=nobody").await;
    assert_eq!((nobody.len(), pages), (0, vec![0, 0, 0]));
}

#[tokio::test]
async fn a_user_is_shown_with_what_there_is_and_without_what_is_not() {
    let portal = portal_of_three().await;
    let bob = user(&portal, "bob@x.example").await;
    let mut ann = full(&portal).await;
    let of = |user: &StoredUser, name: &str| user.text(name).to_owned();
    let plain = |user: &StoredUser, first: &str, last: &str| {
        json!({
            "user_id": of(user, "user_id"), "email": of(user, "email"), "first_name": first, "last_name": last,
            "status": "active", "roles": ["Learner"], "feed_roles": [], "group_ids": [], "manager_ids": [],
            "custom": {}, "feed_managed": true, "source": "feed", "version": 1,
            "created_at": of(user, "created_at"), "updated_at": of(user, "updated_at"),
            "last_upload_id": of(user, "last_upload_id"),
        })
    };
    let show = async |user: &StoredUser| portal.call("GET", &path(user), None).await.expect(200);
    assert_eq!(show(&bob).await, plain(&bob, "Bob", "Ray"));
    let mut expected = plain(&ann, "Ann", "Lee");
    expected["status"] = json!("inactive");
    expected["external_id"] = json!("E-1");
    expected["manager_granted_at"] = json!("2026-11-01T00:00:00.000Z");
    expected["disabled_by_upload"] = json!("01KAPTA7HZ0000000000000000");
    expected["roles"] = json!(["Learner", "Manager", "Administrator"]);
    expected["feed_roles"] = json!(["Learner", "Manager"]);
    expected["group_ids"] = json!([7, 9]);
    expected["manager_ids"] = json!([id(&bob)]);
    expected["custom"] = json!({"job": "Cook"});
    assert_eq!(show(&ann).await, expected);
    // NULL is nothing.
    for name in [
        "external_id",
        "manager_granted_at",
        "disabled_by_upload",
        "roles",
        "feed_roles",
        "group_ids",
        "manager_ids",
        "fingerprint",
    ] {
        ann.put(name, AttributeValue::Null(true));
    }
    portal.store(&ann).await;
    let mut expected = plain(&ann, "Ann", "Lee");
    expected["status"] = json!("inactive");
    expected["custom"] = json!({"job": "Cook"});
    expected["roles"] = json!([]);
    assert_eq!(show(&ann).await, expected);
    let changed = patch(&portal, &ann, &json!({"group_ids": [9]})).await;
    assert_eq!(changed.expect(200)["group_ids"], json!([9]));
    // Ids have one spelling.
    let loud = format!("/users/{}", id(&ann).to_uppercase());
    for path in [&loud, "/users/x", "/users/%25FF"] {
        let answer = portal.call("GET", path, None).await;
        assert_eq!(answer.refused(404).0, "user_not_found", "{path}");
    }
}

#[tokio::test]
async fn a_change_in_the_portal_is_stored_and_takes_the_user_from_the_feeds_hands() {
    let portal = portal_of_three().await;
    let users = portal.users().await;
    let (bob, eve) = (&users["bob@x.example"], &users["eve@x.example"]);
    let bob_and_eve = texts(&[&id(bob), &id(eve)]);
    // What is sent, and which attributes are other ones afterwards; `None`: gone.
    type Case<'c> = (Value, Vec<(&'c str, Option<AttributeValue>)>);
    let cases: Vec<Case<'_>> = vec![
        (
            json!({"first_name": " Anna "}),
            vec![("first_name", Some(text("Anna")))],
        ),
        (
            json!({"last_name": "Li"}),
            vec![("last_name", Some(text("Li")))],
        ),
        (
            json!({"email": "ann@X.example"}),
            vec![("email", Some(text("ann@X.example")))],
        ),
        (
            json!({"email": " Anna@y.example "}),
            vec![
                ("email", Some(text("Anna@y.example"))),
                ("email_key", Some(text("anna@y.example"))),
            ],
        ),
        (
            json!({"roles": ["administrator", "Learner", "Content administrator"]}),
            vec![
                (
                    "roles",
                    Some(texts(&[
                        "Administrator",
                        "Content administrator",
                        "Learner",
                    ])),
                ),
                ("feed_roles", Some(texts(&["Learner"]))),
            ],
        ),
        (
            json!({"roles": ["Administrator"]}),
            vec![
                ("roles", Some(texts(&["Administrator"]))),
                ("feed_roles", None),
            ],
        ),
        (
            json!({"group_ids": [9, 8]}),
            vec![("group_ids", Some(numbers(&[8, 9])))],
        ),
        (json!({"group_ids": []}), vec![("group_ids", None)]),
        (
            json!({"manager_ids": [id(eve), id(bob), id(eve)]}),
            vec![("manager_ids", Some(bob_and_eve))],
        ),
        (json!({"manager_ids": []}), vec![("manager_ids", None)]),
        (
            json!({"status": "active"}),
            vec![("status", Some(text("active")))],
        ),
        // Inactive as before, but by the administrator's word now.
        (json!({"status": "inactive"}), vec![]),
        (
            json!({
                "first_name": "A", "last_name": "B", "email": "c@x.example", "roles": [], "group_ids": [7],
                "manager_ids": [id(eve)], "status": "active",
            }),
            vec![
                ("first_name", Some(text("A"))),
                ("last_name", Some(text("B"))),
                ("email", Some(text("c@x.example"))),
                ("email_key", Some(text("c@x.example"))),
                ("roles", None),
                ("feed_roles", None),
                ("group_ids", Some(numbers(&[7]))),
                ("manager_ids", Some(texts(&[&id(eve)]))),
                ("status", Some(text("active"))),
            ],
        ),
    ];
    for (change, differs) in cases {
        let before = full(&portal).await;
        let answer = patch(&portal, &before, &change).await.expect(200);
        let mut expected = before.item();
        expected.insert("version".to_owned(), AttributeValue::N("2".to_owned()));
        expected.remove("fingerprint");
        expected.remove("disabled_by_upload");
        for (name, value) in differs {
            match value {
                Some(value) => _ = expected.insert(name.to_owned(), value),
                None => _ = expected.remove(name),
            }
        }
        let stored = portal.users().await;
        let of_id = |user: &&StoredUser| id(user) == id(&before);
        let after = stored.values().find(of_id).unwrap();
        assert_eq!(comparable(after.item()), comparable(expected), "{change}");
        assert!(
            after.text("updated_at") > before.text("updated_at"),
            "{change}"
        );
        let shown = portal.call("GET", &path(after), None).await.expect(200);
        assert_eq!(answer, shown, "{change}");
        // The others are as they were, and the same again changes nothing.
        let others = stored.values().filter(|user| id(user) != id(&before));
        assert!(others.eq(users.values().filter(|user| id(user) != id(&before))));
        let again = patch(&portal, after, &change).await.expect(200);
        assert_eq!(again, answer, "{change}");
        assert_eq!(portal.users().await, stored, "{change}");
        portal.store(&users["ann@x.example"]).await;
    }
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let portal = portal_of_three().await;
    let bob = user(&portal, "bob@x.example").await;
    let ann = full(&portal).await;
    let before = portal.users().await;
    for change in [
        json!({}),
        json!({"first_name": "Ann ", "last_name": "Lee", "email": " Ann@x.example"}),
        json!({"roles": ["Manager", "learner", "Administrator", "Manager"]}),
        json!({"group_ids": [7, 9, 7], "manager_ids": [id(&bob)]}),
    ] {
        let answer = patch(&portal, &ann, &change).await.expect(200);
        assert_eq!(answer["version"], 1, "{change}");
        assert_eq!(answer["disabled_by_upload"], ann.text("disabled_by_upload"));
        assert_eq!(portal.users().await, before, "{change}");
    }
    // Nor does it write who was made inactive in the portal, and is once more.
    let answer = patch(&portal, &bob, &json!({"status": "inactive"})).await;
    assert_eq!(answer.expect(200)["version"], 2);
    let answer = patch(&portal, &bob, &json!({"status": "inactive"})).await;
    assert_eq!(answer.expect(200)["version"], 2);
    assert_eq!(portal.assignments().await, []);
}

#[tokio::test]
async fn whoever_is_added_to_a_group_in_the_portal_is_assigned_its_learning_once() {
    let portal = portal_of_three().await;
    let mut ann = user(&portal, "ann@x.example").await;
    // In a group that the portal has no more; and in 7, by hand: nothing is assigned for that.
    ann.put("group_ids", numbers(&[7, 99]));
    portal.store(&ann).await;
    let learning = async || {
        let assigned = portal.assignments().await;
        let assigned = assigned.into_iter();
        let what = assigned.map(|(user, learning, group, _)| (user, learning, group));
        what.collect::<Vec<_>>()
    };
    let change = json!({"group_ids": [7, 8, 9, 99]});
    let answer = patch(&portal, &ann, &change).await.expect(200);
    assert_eq!(answer["group_ids"], json!([7, 8, 9, 99]));
    let of_eight = vec![(id(&ann), 71, 8), (id(&ann), 80, 8)];
    assert_eq!(learning().await, of_eight);
    // Out, and in again with 7: what was assigned stays as it was.
    let assigned = portal.assignments().await;
    let out = patch(&portal, &ann, &json!({"group_ids": []})).await;
    out.expect(200);
    let back = patch(&portal, &ann, &json!({"group_ids": [7, 8]})).await;
    assert_eq!(back.expect(200)["version"], 4);
    let mut all = of_eight;
    all.insert(0, (id(&ann), 70, 7));
    assert_eq!(learning().await, all);
    let now = portal.assignments().await;
    assert!(assigned.iter().all(|known| now.contains(known)));
    // 99 is gone for good: the portal has no such group.
    let gone = patch(&portal, &ann, &json!({"group_ids": [99]})).await;
    assert_eq!(gone.refused(422).0, "invalid_value");
}

#[tokio::test]
async fn an_address_that_is_somebody_elses_in_the_portal_is_refused() {
    let portal = portal_of_three().await;
    let other = portal_of_three().await;
    let users = portal.users().await;
    let ann = &users["ann@x.example"];
    for email in ["bob@x.example", " BOB@X.example "] {
        let change = json!({"email": email, "first_name": "Anna", "group_ids": [7]});
        let answer = patch(&portal, ann, &change).await;
        assert_eq!(answer.refused(409).0, "email_taken", "{email}");
    }
    assert_eq!(portal.users().await, users);
    // Learning is assigned for good, so not for a change that is refused.
    assert_eq!(portal.assignments().await, []);
    // The lease is free again.
    let lease = item_of_feed_table(&portal, "LEASE").await;
    assert!(!lease.contains_key("owner") && !lease.contains_key("expires_at"));

    // Once Bob has moved, the address is free; what another portal's people have does not matter.
    let bob = patch(
        &portal,
        &users["bob@x.example"],
        &json!({"email": "bobby@x.example"}),
    )
    .await;
    bob.expect(200);
    let moved = patch(&portal, ann, &json!({"email": "Bob@x.example"})).await;
    assert_eq!(moved.expect(200)["email"], "Bob@x.example");
    let back = patch(&portal, ann, &json!({"email": "ann@x.example"})).await;
    assert_eq!(back.expect(200)["version"], 3);

    // The index lags: it names somebody who has the address no more, and does not know yet who has it.
    let mut eve = user(&other, "eve@x.example").await;
    eve.set_text("email_key", "free@x.example");
    other.store(&eve).await;
    let ann = user(&other, "ann@x.example").await;
    let free = patch(&other, &ann, &json!({"email": "free@x.example"})).await;
    free.expect(200);
    let mut new = eve.clone();
    let new_id = UserId::of(
        other.id.parse().unwrap(),
        &Identity::Email("new@x.example"),
        0,
    )
    .to_string();
    new.set_text("user_id", &new_id);
    new.set_text("sk", &new_id);
    new.set_text("pk", &format!("{}#{}", other.id, &new_id[..1]));
    new.set_text("email", "New@x.example");
    new.remove("email_key");
    other.store(&new).await;
    let taken = patch(&other, &ann, &json!({"email": "new@x.example"})).await;
    assert_eq!(taken.refused(409).0, "email_taken");
}

#[tokio::test]
async fn nobody_gets_another_address_while_a_file_of_the_portal_is_processed() {
    let portal = portal_of_three().await;
    let ann = user(&portal, "ann@x.example").await;
    let change = json!({"email": "anna@x.example", "last_name": "Li"});
    put_lease(&portal, NOT_YET).await;
    let held = item_of_feed_table(&portal, "LEASE").await;
    let refused = patch(&portal, &ann, &change).await;
    assert_eq!(refused.refused(409).0, "feed_running");
    assert_eq!(user(&portal, "ann@x.example").await, ann);
    // Everything else is changed all the same, also how the address is spelled.
    for change in [
        json!({"first_name": "Anna"}),
        json!({"email": "ANN@x.example"}),
        json!({"status": "inactive", "group_ids": [7]}),
    ] {
        patch(&portal, &ann, &change).await.expect(200);
    }
    assert_eq!(item_of_feed_table(&portal, "LEASE").await, held);
    assert_eq!(user(&portal, "ann@x.example").await.number("version"), 4);

    // Its worker has died: the lease is taken over, and given back.
    put_lease(&portal, LONG_AGO).await;
    let moved = patch(&portal, &ann, &change).await.expect(200);
    assert_eq!(
        (&moved["email"], &moved["version"]),
        (&json!("anna@x.example"), &json!(5))
    );
    let lease = item_of_feed_table(&portal, "LEASE").await;
    assert_eq!(lease["token"], AttributeValue::N("701".to_owned()));
    for given_back in ["owner", "expires_at", "work_shard", "due_at"] {
        assert!(!lease.contains_key(given_back), "{given_back}");
    }
}

#[tokio::test]
async fn nobody_is_erased_while_a_file_of_the_portal_is_processed() {
    let portal = portal_of_three().await;
    let ann = user(&portal, "ann@x.example").await;
    let path = format!("/users/{}", ann.text("user_id"));
    let erase = || portal.call("DELETE", &path, None);
    put_lease(&portal, NOT_YET).await;
    assert_eq!(erase().await.refused(409).0, "feed_running");
    put_lease(&portal, LONG_AGO).await;
    // Its plan is kept, and nobody has the lease.
    put_in_queue(&portal, true).await;
    assert_eq!(erase().await.refused(409).0, "feed_running");
    assert!(user(&portal, "ann@x.example").await == ann);
}

/// Its worker has died, or rests between two invocations: nobody has the lease.
#[tokio::test]
async fn nobody_gets_another_address_between_a_files_plan_and_its_end() {
    let portal = portal_of_three().await;
    let ann = user(&portal, "ann@x.example").await;
    let change = json!({"email": "anna@x.example"});
    put_in_queue(&portal, true).await;
    let refused = patch(&portal, &ann, &change).await;
    assert_eq!(refused.refused(409).0, "feed_running");
    assert_eq!(user(&portal, "ann@x.example").await, ann);
    // Whoever frees the lease wakes those who may have come for it.
    queue_is_worked_through(&portal).await;
}

#[tokio::test]
async fn a_file_that_came_while_an_address_changed_is_not_left_waiting() {
    let portal = portal_of_three().await;
    let ann = user(&portal, "ann@x.example").await;
    put_in_queue(&portal, false).await;
    let moved = patch(&portal, &ann, &json!({"email": "anna@x.example"})).await;
    assert_eq!(moved.expect(200)["email"], "anna@x.example");
    queue_is_worked_through(&portal).await;
}

#[tokio::test]
async fn the_next_file_looks_anew_at_whoever_was_changed_in_the_portal() {
    let portal = portal_of_three().await;
    let before = portal.users().await;
    let (ann, bob) = (&before["ann@x.example"], &before["bob@x.example"]);
    let change = json!({"last_name": "Li", "roles": ["Administrator"]});
    patch(&portal, ann, &change).await.expect(200);
    let moved = patch(&portal, bob, &json!({"email": "robert@x.example"})).await;
    moved.expect(200);
    let rows =
        "Ann@x.example,Ann,Lee,1,Cook,\nbob@x.example,Bob,Ray,1,,\neve@x.example,Eve,Fox,1,,\n";
    let next = portal.upload("next.csv", format!("{HEADER}{rows}")).await;
    assert_eq!(
        ["updated", "created", "unchanged"].map(|name| next.rows(name)),
        [1, 1, 1]
    );
    let after = portal.users().await;
    let ann = &after["ann@x.example"];
    assert_eq!((ann.text("last_name"), ann.number("version")), ("Lee", 3));
    assert_eq!(ann.set("roles"), ["Administrator"]);
    // Whoever moved keeps the account; who has the address now is somebody else.
    assert_eq!(id(&after["robert@x.example"]), id(bob));
    assert_ne!(id(&after["bob@x.example"]), id(bob));
    assert_eq!(after["eve@x.example"], before["eve@x.example"]);
}

#[tokio::test]
async fn a_change_that_cannot_be_made_is_refused_with_everything_that_is_wrong() {
    let portal = portal_of_three().await;
    let ann = full(&portal).await;
    let before = portal.users().await;
    let nobody = "2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19";
    let many: Vec<u64> = (1_000..1_101).collect();
    let unknown: Vec<String> = (0..150).map(|n| format!("nobody {n}")).collect();
    for (change, problems) in [
        (json!({"first_name": "", "last_name": " "}), 2),
        (
            json!({"first_name": "A\nnn", "last_name": "é".repeat(1_001)}),
            2,
        ),
        (json!({"email": "ann"}), 1),
        (json!({"email": ""}), 1),
        (json!({"roles": ["Learner", "Boss", "Admin"]}), 2),
        (json!({"group_ids": [7, 1, 2]}), 2),
        (json!({"group_ids": many}), 1),
        (json!({"manager_ids": [id(&ann), nobody, "x"]}), 3),
        (json!({"manager_ids": unknown}), 1),
        (json!({"status": "1"}), 1),
        (
            json!({
                "first_name": "", "last_name": "", "email": "x", "roles": ["x"], "group_ids": [1],
                "manager_ids": ["x"], "status": "x",
            }),
            7,
        ),
    ] {
        let (code, all) = patch(&portal, &ann, &change).await.refused(422);
        assert_eq!(
            (code.as_str(), all.len()),
            ("invalid_value", problems),
            "{change}"
        );
    }
    for body in [
        json!({"first_name": null}),
        json!({"roles": "Learner"}),
        json!({"group_ids": ["7"]}),
        json!({"group_ids": [7.5]}),
        json!({"status": true}),
        json!({"version": 1}),
        json!({"custom": {"job": "Cook"}}),
        json!({"external_id": "E-2"}),
        json!([]),
        json!(["Anna"]),
        json!(null),
    ] {
        let answer = patch(&portal, &ann, &body).await;
        assert_eq!(answer.refused(422).0, "invalid_request", "{body}");
    }
    let token = portal.stack.token("operator");
    let raw = async |body: Vec<u8>| {
        let path = format!("/portals/{}{}", portal.id, path(&ann));
        let stack = &portal.stack;
        stack
            .call_raw("PATCH", &path, Some(&token), Some(body))
            .await
    };
    assert_eq!(raw(Vec::new()).await.refused(422).0, "invalid_request");
    let large = raw(vec![b' '; 1_000_001]).await;
    assert_eq!(large.refused(413).0, "body_too_large");
    let elsewhere = format!("/users/{nobody}");
    let answer = portal.call("PATCH", &elsewhere, Some(json!({}))).await;
    assert_eq!(answer.refused(404).0, "user_not_found");
    for (method, path) in [
        ("POST", "/users".to_owned()),
        ("PUT", path(&ann)),
        ("POST", path(&ann)),
    ] {
        let answer = portal.call(method, &path, None).await;
        assert_eq!(
            answer.refused(405).0,
            "method_not_allowed",
            "{method} {path}"
        );
    }
    let below = format!("{}/nothing", path(&ann));
    let answer = portal.call("GET", &below, None).await;
    assert_eq!(answer.refused(404).0, "not_found");
    for (query, problems) in [
        ("limit=0", 1),
        ("limit=101", 1),
        ("limit=x&cursor=x", 2),
        ("cursor=2F1C3A52-9D0E-5B7B-8A61-2E5DC0F47B19", 1),
        ("email=ann@x.example&cursor=x", 1),
    ] {
        let answer = portal.call("GET", &format!("/users?{query}"), None).await;
        let (code, all) = answer.refused(422);
        assert_eq!(
            (code.as_str(), all.len()),
            ("invalid_value", problems),
            "{query}"
        );
    }
    assert_eq!(portal.users().await, before);
}

#[tokio::test]
async fn two_changes_at_the_same_moment_are_both_made() {
    let portal = portal_of_three().await;
    let ann = user(&portal, "ann@x.example").await;
    for round in 1..=5 {
        let (first, last) = (format!("Ann {round}"), format!("Lee {round}"));
        let first_name = json!({"first_name": first});
        let last_name = json!({"last_name": last});
        let answers =
            join_all([&first_name, &last_name].map(|change| patch(&portal, &ann, change)));
        for answer in answers.await {
            answer.expect(200);
        }
        let after = user(&portal, "ann@x.example").await;
        assert_eq!(after.text("first_name"), first);
        assert_eq!(after.text("last_name"), last);
        assert_eq!(after.number("version"), 1 + 2 * round);
    }
}

/// Whoever is refused has changed nothing, whoever is not has raised the version by one.
#[tokio::test]
async fn of_many_changes_at_the_same_moment_each_is_made_once_or_refused() {
    let portal = portal_of_three().await;
    let users = portal.users().await;
    let ann = &users["ann@x.example"];
    let changes: Vec<Value> = (0..12)
        .map(|n| json!({"first_name": format!("Ann {n}")}))
        .collect();
    let answers = join_all(changes.iter().map(|change| patch(&portal, ann, change))).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(made > 0);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.refused(409).0, "conflict");
    }
    let after = user(&portal, "ann@x.example").await;
    assert_eq!(after.number("version"), 1 + made as u64);

    // Two people want one address at the same moment: one gets it.
    let want = json!({"email": "wanted@x.example"});
    let both = [&users["bob@x.example"], &users["eve@x.example"]];
    let answers = join_all(both.map(|user| patch(&portal, user, &want))).await;
    let (got, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((got.len(), refused.len()), (1, 1));
    for answer in refused {
        let (code, _) = answer.refused(409);
        assert!(
            ["feed_running", "email_taken"].contains(&code.as_str()),
            "{code}"
        );
    }
    // `users` fails if two had it.
    assert!(portal.users().await.contains_key("wanted@x.example"));
}
