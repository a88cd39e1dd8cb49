//! A portal in a test's own cloud: set up, mapped, and looked at past the function. Two portals that were
//! given the same files must look the same, whatever happened on the way.

use crate::cloud::Cloud;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

type Item = std::collections::HashMap<String, AttributeValue>;

/// A portal of a test.
pub struct Portal<'c> {
    cloud: &'c Cloud,
    /// Its number.
    pub id: String,
}

/// What a portal looks like when everything has come to rest, without what differs from run to run: ids and
/// times. Equal views mean that the same happened to the same people.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// By address: values, status, version, and what the last write came to.
    pub people: BTreeMap<String, Value>,
    /// Learning that was assigned: whom, what and because of which group.
    pub assignments: Vec<(String, u64, u64)>,
    /// By key and order of arrival: status, counts, warnings, problems.
    pub uploads: Vec<Value>,
    /// `report.csv` and `rejected.csv` of each upload.
    pub documents: Vec<(Option<String>, Option<String>)>,
}

impl<'c> Portal<'c> {
    /// Set up with the groups 7 and 8, authorised, and mapped to `Email,First,Last,Status,Job,Group`.
    pub async fn ready(cloud: &'c Cloud) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let portal = Portal {
            cloud,
            // No number that stands in an event for another reason, such as a year.
            id: (900_000_000 + NEXT.fetch_add(1, Ordering::Relaxed)).to_string(),
        };
        let mapping = json!({
            "version": 1,
            "columns": ["Email", "First", "Last", "Status", "Job", "Group"],
            "fields": [
                {"field": "email", "column": "Email"},
                {"field": "first_name", "column": "First"},
                {"field": "last_name", "column": "Last"},
                {"field": "status", "column": "Status"},
                {"field": "job", "column": "Job"},
                {"field": "group", "column": "Group"},
            ],
            "identity": "email", "auto_disable": false, "created_at": "2026-11-22T00:00:00.000Z",
        });
        let settings = json!({
            "name": "A company", "country": "AU", "external_id_enabled": false,
            "groups": [
                {"id": 7, "name": "Seven", "learning_ids": [70, 71]},
                {"id": 8, "name": "Eight", "learning_ids": [71, 80]},
            ],
            "custom_fields": [{"name": "job", "label": "Job"}], "revision": 1,
            "last_mapping_version": 1, "authorised_by": "admin@x.example",
            "authorised_at": "2026-11-22T00:00:00.000Z",
        });
        portal.store("PORTAL", settings).await;
        portal.store("MAPPING", mapping.clone()).await;
        portal.store("MAPPING#1", mapping).await;
        portal
    }

    async fn store(&self, sk: &str, value: Value) {
        let mut item: Item = serde_dynamo::to_item(value).unwrap();
        item.insert("pk".to_owned(), AttributeValue::S(self.id.clone()));
        item.insert("sk".to_owned(), AttributeValue::S(sk.to_owned()));
        let table = &self.cloud.feed_table;
        let request = self.cloud.dynamodb().put_item().table_name(table);
        request.set_item(Some(item)).send().await.unwrap();
    }

    /// Puts a file and gives the event of it; `nth` orders the portal's events in time.
    pub async fn put(&self, name: &str, bytes: impl Into<Vec<u8>>, nth: u32) -> Value {
        let key = format!("{}/{name}", self.id);
        let put = self.cloud.put(&key, bytes).await;
        let time = format!("2026-11-22T10:{:02}:{:02}.000Z", nth / 60, nth % 60);
        self.cloud.event(&key, &put, &format!("{nth:016X}"), &time)
    }

    /// The portal's users, as they are stored.
    pub async fn users(&self) -> Vec<Value> {
        let mut users = Vec::new();
        for shard in "0123456789abcdef".chars() {
            let pk = format!("{}#{shard}", self.id);
            users.extend(self.query(&self.cloud.users_table, pk, "").await);
        }
        users
    }

    /// Changes attributes of a user past the feed, as the portal does: the version goes up, the fingerprint
    /// goes. `None`: there is no such user yet, or somebody else was faster.
    pub async fn change(&self, email: &str, name: &str, value: &str) -> Option<()> {
        let user = self
            .users()
            .await
            .into_iter()
            .find(|user| user["email_key"] == email)?;
        let version = user["version"].as_u64().unwrap();
        let text = |value: &Value| AttributeValue::S(value.as_str().unwrap().to_owned());
        let request = self
            .cloud
            .dynamodb()
            .update_item()
            .table_name(&self.cloud.users_table);
        let changed = request
            .key("pk", text(&user["pk"]))
            .key("sk", text(&user["sk"]))
            .update_expression("SET #name = :value, version = :next REMOVE fingerprint")
            .condition_expression("version = :version")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .expression_attribute_values(":next", AttributeValue::N((version + 1).to_string()))
            .send()
            .await;
        changed.ok().map(|_| ())
    }

    /// The portal's upload records, oldest first.
    pub async fn uploads(&self) -> Vec<Value> {
        self.query(&self.cloud.feed_table, self.id.clone(), "UPLOAD#")
            .await
    }

    /// Whether an upload was begun and has not ended.
    pub async fn is_running(&self) -> bool {
        self.uploads().await.iter().any(|upload| {
            ["scanning", "planning", "applying"].contains(&upload["status"].as_str().unwrap())
        })
    }

    /// Whether so many uploads have ended, and nothing waits.
    pub async fn has_ended(&self, uploads: usize) -> bool {
        let queue = self
            .query(&self.cloud.feed_table, self.id.clone(), "QUEUE#")
            .await;
        let known = self.uploads().await;
        queue.is_empty()
            && known.len() == uploads
            && known.iter().all(|upload| !upload["finished_at"].is_null())
    }

    /// The token of the lease, which says how many held it.
    pub async fn lease_token(&self) -> u64 {
        let lease = self
            .query(&self.cloud.feed_table, self.id.clone(), "LEASE")
            .await;
        lease
            .first()
            .map_or(0, |lease| lease["token"].as_u64().unwrap())
    }

    /// Lets the time of the lease pass at once. Only sensible when its holder is dead.
    pub async fn expire_lease(&self) {
        let past = AttributeValue::S("2026-11-22T00:00:00.000Z".to_owned());
        let request = self
            .cloud
            .dynamodb()
            .update_item()
            .table_name(&self.cloud.feed_table);
        // Refused when nobody holds it.
        let _ = request
            .key("pk", AttributeValue::S(self.id.clone()))
            .key("sk", AttributeValue::S("LEASE".to_owned()))
            .update_expression("SET expires_at = :past, due_at = :past")
            .condition_expression("attribute_exists(expires_at)")
            .expression_attribute_values(":past", past)
            .send()
            .await;
    }

    /// What the portal looks like.
    pub async fn view(&self) -> View {
        let (mut people, mut uploads, mut documents) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut emails = BTreeMap::new();
        for mut user in self.users().await {
            let email = user["email_key"].as_str().unwrap().to_owned();
            emails.insert(user["user_id"].as_str().unwrap().to_owned(), email.clone());
            let fields = user.as_object_mut().unwrap();
            for of_the_run in [
                "pk",
                "sk",
                "user_id",
                "portal_id",
                "created_at",
                "updated_at",
                "last_upload_id",
                "last_write",
            ] {
                fields.remove(of_the_run);
            }
            assert!(people.insert(email, user).is_none(), "an address twice");
        }
        for upload in self.uploads().await {
            let id = upload["upload_id"].as_str().unwrap();
            documents.push((
                self.document(id, "report.csv").await,
                self.document(id, "rejected.csv").await,
            ));
            let shown = [
                "file_name",
                "status",
                "rows",
                "warnings",
                "problems",
                "report_ready",
                "progress_percent",
            ];
            uploads.push(shown.iter().map(|name| upload[name].clone()).collect());
        }
        let mut assignments = Vec::new();
        for shard in "0123456789abcdef".chars() {
            let pk = format!("{}#ASSIGNMENT#{shard}", self.id);
            for item in self.query(&self.cloud.feed_table, pk, "").await {
                let email = emails[item["user_id"].as_str().unwrap()].clone();
                let number = |name: &str| item[name].as_u64().unwrap();
                assignments.push((email, number("learning_id"), number("group_id")));
            }
        }
        assignments.sort();
        View {
            people,
            assignments,
            uploads,
            documents,
        }
    }

    async fn document(&self, upload: &str, name: &str) -> Option<String> {
        let key = format!("{}/{upload}/{name}", self.id);
        let request = self
            .cloud
            .s3()
            .get_object()
            .bucket(&self.cloud.reports_bucket)
            .key(key);
        let bytes = request
            .send()
            .await
            .ok()?
            .body
            .collect()
            .await
            .unwrap()
            .to_vec();
        Some(String::from_utf8(bytes).unwrap())
    }

    async fn query(&self, table: &str, pk: String, prefix: &str) -> Vec<Value> {
        let client = self.cloud.dynamodb();
        let mut request = client
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression(if prefix.is_empty() {
                "pk = :pk"
            } else {
                "pk = :pk AND begins_with(sk, :sk)"
            })
            .expression_attribute_values(":pk", AttributeValue::S(pk));
        if !prefix.is_empty() {
            request =
                request.expression_attribute_values(":sk", AttributeValue::S(prefix.to_owned()));
        }
        let (mut pages, mut values) = (request.into_paginator().items().send(), Vec::new());
        while let Some(item) = pages.next().await {
            let mut item = item.unwrap();
            // A set has no order.
            if let Some(AttributeValue::Ns(ids)) = item.get_mut("group_ids") {
                ids.sort();
            }
            // JSON has no bytes.
            if let Some(AttributeValue::B(bytes)) = item.get("fingerprint") {
                let text = format!("{:?}", bytes.as_ref());
                item.insert("fingerprint".to_owned(), AttributeValue::S(text));
            }
            values.push(serde_dynamo::from_item(item).unwrap());
        }
        values
    }
}
