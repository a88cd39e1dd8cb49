//! A portal in a test's own cloud: set up, mapped, and looked at past the function. Two portals that were
//! given the same files must look the same, whatever happened on the way.

use crate::cloud::Cloud;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::aws::Aws;
use platform::feed::{ActingAs, Action, Deed, FeedTable};
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

impl View {
    /// With `x.example` in the place of a portal's own domain.
    fn without_domain(self, domain: &str) -> Self {
        let plain = |text: String| text.replace(domain, "x.example");
        let json = |value: Value| serde_json::from_str(&plain(value.to_string())).unwrap();
        let people = self.people.into_iter();
        let learning = self.assignments.into_iter();
        let documents = self.documents.into_iter();
        // People without a row stand in the order of their ids, which are each portal's own.
        let sorted = |text: String| {
            let mut lines: Vec<String> = plain(text).lines().map(str::to_owned).collect();
            lines.sort();
            lines.join("\n")
        };
        View {
            people: people
                .map(|(email, user)| (plain(email), json(user)))
                .collect(),
            assignments: learning
                .map(|(email, id, group)| (plain(email), id, group))
                .collect(),
            uploads: self.uploads.into_iter().map(json).collect(),
            documents: documents
                .map(|(report, rejected)| (report.map(sorted), rejected.map(plain)))
                .collect(),
        }
    }
}

impl<'c> Portal<'c> {
    /// Set up with the groups 7 and 8, authorised, and mapped to `Email,First,Last,Status,Job,Group`.
    pub async fn ready(cloud: &'c Cloud) -> Self {
        let columns = [
            ("email", "Email"),
            ("first_name", "First"),
            ("last_name", "Last"),
            ("status", "Status"),
            ("job", "Job"),
            ("group", "Group"),
        ];
        let portal = Portal::mapped(cloud, &columns, "email", false).await;
        // Their files make many people inactive, and nothing is held.
        portal.hold_nothing().await;
        portal
    }

    /// The portal of a number that others have chosen.
    pub fn numbered(cloud: &'c Cloud, id: &str) -> Self {
        Portal {
            cloud,
            id: id.to_owned(),
        }
    }

    /// What the feed table has of the portal whose sort keys begin like this.
    pub async fn items(&self, prefix: &str) -> Vec<Value> {
        self.query(&self.cloud.feed_table, self.id.clone(), prefix)
            .await
    }

    /// Learning that was assigned: whom by their id, and what.
    pub async fn learning(&self) -> Vec<(String, u64)> {
        let mut learning = Vec::new();
        for shard in "0123456789abcdef".chars() {
            let pk = format!("{}#ASSIGNMENT#{shard}", self.id);
            for item in self.query(&self.cloud.feed_table, pk, "").await {
                let user_id = item["user_id"].as_str().unwrap().to_owned();
                learning.push((user_id, item["learning_id"].as_u64().unwrap()));
            }
        }
        learning.sort();
        learning
    }

    async fn hold_nothing(&self) {
        let limits = json!({
            "disable_limit_percent": 100, "disable_limit_floor": 10_000_000,
            "hold_on_malformed_rows": false,
        });
        let request = self
            .cloud
            .dynamodb()
            .update_item()
            .table_name(&self.cloud.feed_table)
            .key("pk", AttributeValue::S(self.id.clone()))
            .key("sk", AttributeValue::S("PORTAL".to_owned()))
            .update_expression("SET limits = :limits")
            .expression_attribute_values(
                ":limits",
                serde_dynamo::to_attribute_value(limits).unwrap(),
            );
        request.send().await.unwrap();
    }

    /// These are told when somebody has to act.
    pub async fn tell(&self, emails: &[&str]) {
        let request = self
            .cloud
            .dynamodb()
            .update_item()
            .table_name(&self.cloud.feed_table)
            .key("pk", AttributeValue::S(self.id.clone()))
            .key("sk", AttributeValue::S("PORTAL".to_owned()))
            .update_expression("SET notify_emails = :emails")
            .expression_attribute_values(
                ":emails",
                serde_dynamo::to_attribute_value(emails).unwrap(),
            );
        request.send().await.unwrap();
    }

    /// What is still to be told.
    pub async fn outbox(&self) -> Vec<Value> {
        self.query(&self.cloud.feed_table, self.id.clone(), "NOTICE#")
            .await
    }

    /// What is still to be told is due now, and was written at this time.
    pub async fn outbox_is_due(&self, written_at: &str) {
        for notice in self.outbox().await {
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let request = self
                .cloud
                .dynamodb()
                .update_item()
                .table_name(&self.cloud.feed_table)
                .key("pk", text(&self.id))
                .key("sk", text(notice["sk"].as_str().unwrap()))
                .update_expression("SET due_at = :due, created_at = :created")
                .expression_attribute_values(":due", text("2026-01-01T00:00:00.000Z"))
                .expression_attribute_values(":created", text(written_at));
            request.send().await.unwrap();
        }
    }

    /// The same, but each file is the whole population: mapped to `No,Email,First,Last,Boss,Job,Group`, with
    /// external ids, managers and auto-disable.
    pub async fn of_everybody(cloud: &'c Cloud) -> Self {
        let columns = [
            ("external_id", "No"),
            ("email", "Email"),
            ("first_name", "First"),
            ("last_name", "Last"),
            ("manager", "Boss"),
            ("job", "Job"),
            ("group", "Group"),
        ];
        Portal::mapped(cloud, &columns, "external_id", true).await
    }

    async fn mapped(
        cloud: &'c Cloud,
        columns: &[(&str, &str)],
        identity: &str,
        auto_disable: bool,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let portal = Portal {
            cloud,
            // No number that stands in an event for another reason, such as a year.
            id: (900_000_000 + NEXT.fetch_add(1, Ordering::Relaxed)).to_string(),
        };
        let fields = columns
            .iter()
            .map(|(field, column)| json!({"field": field, "column": column}));
        let mapping = json!({
            "version": 1,
            "columns": columns.iter().map(|(_, column)| column).collect::<Vec<_>>(),
            "fields": fields.collect::<Vec<_>>(),
            "identity": identity, "auto_disable": auto_disable,
            "created_at": "2026-11-22T00:00:00.000Z",
        });
        let settings = json!({
            "name": "A company", "country": "AU", "external_id_enabled": true,
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

    /// Approves the portal's open hold, as an administrator does, and gives the event that follows.
    pub async fn approve(&self) -> Value {
        let config = self.cloud.config(self.cloud.endpoint());
        let table = FeedTable::new(&Aws::from_config(&config), self.cloud.feed_table.clone());
        let portal = self.id.parse().unwrap();
        let hold = table.portal(portal).await.unwrap().unwrap().hold.unwrap();
        let now = platform::clock::system();
        let deed = Deed {
            by: "admin@x.example".to_owned(),
            acting_as: ActingAs::Administrator,
            at: now,
            action: Action::HoldApproved {
                upload_id: hold.upload_id,
            },
        };
        let entry = table.entry(portal, deed).unwrap();
        let approved = table.approve_hold(portal, hold.upload_id, now, entry);
        assert!(approved.await.unwrap(), "the hold is open");
        json!({"portal_id": self.id})
    }

    /// A domain of the portal's own: an address that other portals have as well does not change.
    pub fn domain(&self) -> String {
        format!("{}.example", self.id)
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
        let (mut emails, mut reports_to) = (BTreeMap::new(), Vec::new());
        for mut user in self.users().await {
            let email = user["email_key"].as_str().unwrap().to_owned();
            emails.insert(user["user_id"].as_str().unwrap().to_owned(), email.clone());
            let fields = user.as_object_mut().unwrap();
            if let Some(managers) = fields.remove("manager_ids") {
                reports_to.push((email.clone(), managers));
            }
            // Over ids and addresses, which are each portal's own.
            if let Some(fingerprint) = fields.get_mut("fingerprint") {
                *fingerprint = json!("some");
            }
            for (name, some) in [
                ("manager_granted_at", "once"),
                ("disabled_by_upload", "an upload"),
            ] {
                if let Some(value) = fields.get_mut(name) {
                    *value = json!(some);
                }
            }
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
        for (email, managers) in reports_to {
            let ids = managers.as_array().unwrap().iter();
            let mut managers: Vec<&String> = ids.map(|id| &emails[id.as_str().unwrap()]).collect();
            managers.sort();
            people.get_mut(&email).unwrap()["managers"] = json!(managers);
        }
        for upload in self.uploads().await {
            let id = upload["upload_id"].as_str().unwrap();
            // Of the second run, once that has ended.
            let run = if upload["held"]["decision"] == "approve" {
                "2/"
            } else {
                ""
            };
            documents.push((
                self.document(id, &format!("{run}report.csv")).await,
                self.document(id, &format!("{run}rejected.csv")).await,
            ));
            let shown = [
                "file_name",
                "status",
                "rows",
                "others",
                "held",
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
        let view = View {
            people,
            assignments,
            uploads,
            documents,
        };
        view.without_domain(&self.domain())
    }

    /// A document of an upload, if it was written.
    pub async fn document(&self, upload: &str, name: &str) -> Option<String> {
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
            for value in item.values_mut() {
                if let AttributeValue::Ns(values) | AttributeValue::Ss(values) = value {
                    values.sort();
                }
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
