//! A portal of a test's own, so that tests run side by side: set up by an operator, fed by a customer.

use crate::stack::{Answer, Stack};
use crate::users::{StoredUser, users_of};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A portal that no other test knows.
pub struct Portal {
    /// The stack that it is in.
    pub stack: Stack,
    /// Its number.
    pub id: String,
}

/// An upload whose history has come to an end.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The upload record.
    pub record: Value,
}

/// A line of `report.csv`, by column.
pub type FieldLine = BTreeMap<String, String>;

/// A debug build on a shared machine takes a second; this is for a very bad day.
const PATIENCE: Duration = Duration::from_secs(180);

/// Columns that the tests' files have unless a test says otherwise.
const COLUMNS: &str = "Email,First,Last,Status,Job,Site";

impl Portal {
    /// A number that was not used before.
    pub fn unknown() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let id = 100_000_000_000 + u64::try_from(now.as_micros()).unwrap() % 800_000_000_000;
        let id = (id + NEXT.fetch_add(1, Ordering::Relaxed)).to_string();
        Portal {
            stack: Stack::running(),
            id,
        }
    }

    /// The portal that the administrator's token is for. Only one test may use it.
    pub fn administered() -> Self {
        let stack = Stack::running();
        let id = stack.administered_portal();
        Portal { stack, id }
    }

    /// Set up, with the custom fields `job` and `site`.
    pub async fn set_up() -> Self {
        let portal = Portal::unknown();
        let fields = json!([{"name": "job", "label": "Job"}, {"name": "site", "label": "Site"}]);
        let settings = json!({"name": "A company", "country": "AU", "custom_fields": fields});
        portal.call("PUT", "", Some(settings)).await.expect(201);
        portal
    }

    /// Set up, authorised, and mapped to the columns of the tests' files; `site` is cleared by an empty cell.
    pub async fn ready() -> Self {
        let portal = Portal::set_up().await;
        portal
            .call("PUT", "/feed/authorisation", None)
            .await
            .expect(201);
        portal
            .call("PUT", "/feed/mapping", Some(Portal::mapping()))
            .await
            .expect(201);
        portal
    }

    /// The mapping of [`Portal::ready`].
    pub fn mapping() -> Value {
        json!({
            "columns": COLUMNS.split(',').collect::<Vec<_>>(),
            "fields": [
                {"field": "email", "column": "Email"},
                {"field": "first_name", "column": "First"},
                {"field": "last_name", "column": "Last"},
                {"field": "status", "column": "Status"},
                {"field": "job", "column": "Job"},
                {"field": "site", "column": "Site", "on_empty": "clear"},
            ],
            "identity": "email",
            "auto_disable": false,
        })
    }

    /// A request about this portal, by an operator.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let token = self.stack.token("operator");
        self.stack
            .call(
                method,
                &format!("/portals/{}{path}", self.id),
                Some(&token),
                body,
            )
            .await
    }

    /// Puts a file at `<portal_id>/<name>` and waits until it was processed.
    pub async fn upload(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Upload {
        let key = format!("{}/{name}", self.id);
        let uploads = self.uploads().await;
        let before = uploads.iter().filter(|it| it["key"] == key).count();
        self.put_at(&key, bytes).await;
        self.processed(&key, before + 1).await
    }

    /// Puts a file at `<portal_id>/<name>`.
    pub async fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) -> String {
        let key = format!("{}/{name}", self.id);
        self.put_at(&key, bytes).await;
        key
    }

    /// Puts a file anywhere in the feed bucket.
    pub async fn put_at(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let request = self
            .stack
            .s3()
            .put_object()
            .bucket(self.stack.output("FeedBucketName"))
            .key(key);
        request.body(bytes.into().into()).send().await.unwrap();
    }

    /// Delivers the put event of an object's current version (once more), and waits. The error, if the
    /// function failed.
    pub async fn deliver(&self, key: &str) -> Option<String> {
        self.invoke(self.put_event(key).await).await
    }

    /// The put event of an object's current version, as S3 sends it; its time and its sequencer are the
    /// sample's.
    pub async fn put_event(&self, key: &str) -> Value {
        let bucket = self.stack.output("FeedBucketName");
        let object = self
            .stack
            .s3()
            .head_object()
            .bucket(&bucket)
            .key(key)
            .send()
            .await
            .unwrap();
        let path = format!(
            "{}/../../events/process-upload.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut event: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let s3 = &mut event["Records"][0]["s3"];
        s3["bucket"]["name"] = bucket.into();
        s3["object"]["key"] = key.into();
        s3["object"]["size"] = object.content_length.into();
        s3["object"]["versionId"] = object.version_id.into();
        s3["object"]["eTag"] = object.e_tag.unwrap().trim_matches('"').into();
        event
    }

    /// Waits until the newest upload of this key is processed and there are `count` of it.
    pub async fn processed(&self, key: &str, count: usize) -> Upload {
        self.processed_within(key, count, PATIENCE).await
    }

    /// The same, with another patience.
    pub async fn processed_within(&self, key: &str, count: usize, patience: Duration) -> Upload {
        let begun = Instant::now();
        loop {
            let uploads = self.uploads().await;
            let of_key: Vec<&Value> = uploads
                .iter()
                .filter(|upload| upload["key"] == key)
                .collect();
            if of_key.len() >= count
                && let Some(record) = of_key
                    .first()
                    .filter(|record| !record["finished_at"].is_null())
            {
                return Upload {
                    record: (*record).clone(),
                };
            }
            assert!(
                begun.elapsed() < patience,
                "not processed: {key}: {uploads:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nobody has the portal's lease: a worker gives it back a moment after its last file has ended.
    pub async fn rests(&self) {
        let begun = Instant::now();
        loop {
            let request = self
                .stack
                .dynamodb()
                .get_item()
                .table_name(self.stack.output("FeedTableName"));
            let answer = request
                .key("pk", AttributeValue::S(self.id.clone()))
                .key("sk", AttributeValue::S("LEASE".to_owned()))
                .consistent_read(true)
                .send()
                .await
                .unwrap();
            if !answer.item.is_some_and(|lease| lease.contains_key("owner")) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the lease is still held");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An item of the portal in the feed table, as it is.
    pub async fn item(&self, sk: &str) -> Option<HashMap<String, AttributeValue>> {
        let request = self
            .stack
            .dynamodb()
            .get_item()
            .table_name(self.stack.output("FeedTableName"))
            .key("pk", AttributeValue::S(self.id.clone()))
            .key("sk", AttributeValue::S(sk.to_owned()));
        let answer = request.consistent_read(true).send().await.unwrap();
        answer.item
    }

    /// Everything in the portal's own partition of the feed table, by sort key.
    pub async fn items(&self) -> BTreeMap<String, HashMap<String, AttributeValue>> {
        let mut items = self
            .stack
            .dynamodb()
            .query()
            .table_name(self.stack.output("FeedTableName"))
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(self.id.clone()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut found = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.unwrap();
            found.insert(item["sk"].as_s().unwrap().clone(), item);
        }
        found
    }

    /// Sets a text of an item of the portal in the feed table, which has it.
    pub async fn set_text(&self, sk: &str, name: &str, value: &str) {
        let request = self
            .stack
            .dynamodb()
            .update_item()
            .table_name(self.stack.output("FeedTableName"))
            .key("pk", AttributeValue::S(self.id.clone()))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .update_expression("SET #name = :value")
            .condition_expression("attribute_exists(#name)")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()));
        request.send().await.unwrap();
    }

    /// The sort keys of what is still to be told.
    pub async fn outbox(&self) -> Vec<String> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self
            .stack
            .dynamodb()
            .query()
            .table_name(self.stack.output("FeedTableName"))
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(&self.id))
            .expression_attribute_values(":prefix", text("NOTICE#"));
        let answer = request.consistent_read(true).send().await.unwrap();
        let items = answer.items().iter();
        items
            .map(|item| item["sk"].as_s().unwrap().clone())
            .collect()
    }

    /// Makes an item of the portal due at this time.
    pub async fn make_due(&self, sk: &str, due_at: &str) {
        self.set_text(sk, "due_at", due_at).await;
    }

    /// The portal's history, newest first.
    pub async fn uploads(&self) -> Vec<Value> {
        self.call("GET", "/uploads?limit=100", None)
            .await
            .expect(200)["items"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Learning that users of the portal were assigned: who, what, by which group (0: by none) and when.
    pub async fn assignments(&self) -> Vec<(String, u64, u64, String)> {
        let mut assignments = Vec::new();
        for shard in "0123456789abcdef".chars() {
            let pk = AttributeValue::S(format!("{}#ASSIGNMENT#{shard}", self.id));
            let items = self
                .stack
                .dynamodb()
                .query()
                .table_name(self.stack.output("FeedTableName"))
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", pk)
                .consistent_read(true)
                .send()
                .await
                .unwrap();
            for item in items.items() {
                let text = |name: &str| item[name].as_s().unwrap().clone();
                let number = |name: &str| {
                    let number = item.get(name).map(|it| it.as_n().unwrap());
                    number.map_or(0, |number| number.parse::<u64>().unwrap())
                };
                assert_eq!(
                    text("sk"),
                    format!("{}#{}", text("user_id"), number("learning_id"))
                );
                assignments.push((
                    text("user_id"),
                    number("learning_id"),
                    number("group_id"),
                    text("assigned_at"),
                ));
            }
        }
        assignments.sort();
        assignments
    }

    /// The portal's users by e-mail key.
    pub async fn users(&self) -> BTreeMap<String, StoredUser> {
        users_of(&self.stack, &self.id).await
    }

    /// Makes an upload look as if its walk had broken off in this stage, before anything was saved.
    pub async fn set_back(&self, upload: &Upload, status: &str) {
        let forgotten = match status {
            "applying" => "REMOVE finished_at, applied, exceptions_by",
            _ => "REMOVE finished_at, applied, exceptions_by, plan_by",
        };
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self
            .stack
            .dynamodb()
            .update_item()
            .table_name(self.stack.output("FeedTableName"));
        request
            .key("pk", text(&self.id))
            .key("sk", text(&format!("UPLOAD#{}", upload.id())))
            .update_expression(format!(
                "SET #status = :status, report_ready = :no {forgotten}"
            ))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(status))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .send()
            .await
            .unwrap();
    }

    /// Puts an upload back into the queue, as if its event had never been heard of again: long due.
    pub async fn leave_to_the_sweep(&self, upload: &Upload) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let received_at = upload.record["received_at"].as_str().unwrap();
        let order = [
            ("received_at".to_owned(), text(received_at)),
            ("key".to_owned(), text(upload.key())),
        ];
        let shard = self.id.parse::<u64>().unwrap() % 4;
        let request = self
            .stack
            .dynamodb()
            .put_item()
            .table_name(self.stack.output("FeedTableName"));
        request
            .item("pk", text(&self.id))
            .item("sk", text(&format!("QUEUE#{received_at}#{}", upload.id())))
            .item("upload_id", text(&upload.id()))
            .item("order", AttributeValue::M(order.into()))
            .item("work_shard", text(&shard.to_string()))
            .item("due_at", text("2026-11-22T00:00:00.000Z"))
            .send()
            .await
            .unwrap();
    }

    /// Invokes `process-upload` with an event of its own, and waits. The error, if it failed.
    pub async fn invoke(&self, event: Value) -> Option<String> {
        self.invoke_function("ProcessUploadFunctionName", event)
            .await
    }

    /// Invokes the function of this output of the stack with an event of its own, and waits. The error, if it failed.
    pub async fn invoke_function(&self, name: &str, event: Value) -> Option<String> {
        let request = self
            .stack
            .lambda()
            .invoke()
            .function_name(self.stack.output(name));
        let answer = request
            .payload(Blob::new(event.to_string()))
            .send()
            .await
            .unwrap();
        answer.function_error.map(|error| {
            format!(
                "{error}: {}",
                String::from_utf8_lossy(answer.payload.unwrap().as_ref())
            )
        })
    }

    /// Makes a user look as before the last write: gone if it was the first, or with other values and the
    /// version before.
    pub async fn forget(&self, user: &StoredUser) {
        let (client, table) = (self.stack.dynamodb(), self.stack.output("UsersTableName"));
        if user.number("version") > 1 {
            return self.store(&user.as_before()).await;
        }
        let request = client
            .delete_item()
            .table_name(table)
            .set_key(Some(user.key()));
        request.send().await.unwrap();
    }

    /// Makes the feed look as if no event of a file of this portal had ever reached it. Its users stay.
    pub async fn forget_uploads(&self) {
        let (client, table) = (self.stack.dynamodb(), self.stack.output("FeedTableName"));
        let mut items = client
            .query()
            .table_name(&table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(self.id.clone()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        while let Some(item) = items.next().await {
            let mut item = item.unwrap();
            item.retain(|name, _| ["pk", "sk"].contains(&name.as_str()));
            let sk = item["sk"].as_s().unwrap();
            if ["UPLOAD#", "OBJECT#", "QUEUE#", "NEWEST#"]
                .iter()
                .any(|prefix| sk.starts_with(prefix))
            {
                let request = client.delete_item().table_name(&table);
                request.set_key(Some(item)).send().await.unwrap();
            }
        }
    }

    /// Stores a user as it is, past the feed.
    pub async fn store(&self, user: &StoredUser) {
        let request = self
            .stack
            .dynamodb()
            .put_item()
            .table_name(self.stack.output("UsersTableName"));
        request.set_item(Some(user.item())).send().await.unwrap();
    }

    /// `report.csv` of an upload.
    pub async fn report(&self, upload: &Upload) -> Vec<FieldLine> {
        self.document(upload, "report").await
    }

    /// `rejected.csv` of an upload.
    pub async fn rejected(&self, upload: &Upload) -> Vec<FieldLine> {
        self.document(upload, "rejected").await
    }

    /// The bytes of a document of an upload.
    pub async fn download(&self, upload: &Upload, name: &str) -> Vec<u8> {
        let link = self
            .call("GET", &format!("/uploads/{}/{name}", upload.id()), None)
            .await
            .expect(200);
        assert!(link["expires_at"].as_str().unwrap().ends_with('Z'));
        let (status, bytes) = self.stack.fetch(link["url"].as_str().unwrap()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        bytes
    }

    async fn document(&self, upload: &Upload, name: &str) -> Vec<FieldLine> {
        let bytes = self.download(upload, name).await;
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(&bytes[..]);
        reader.deserialize().map(|line| line.unwrap()).collect()
    }
}

impl Upload {
    /// Its id.
    pub fn id(&self) -> String {
        self.record["upload_id"].as_str().unwrap().to_owned()
    }

    /// The key of its file.
    pub fn key(&self) -> &str {
        self.record["key"].as_str().unwrap()
    }

    /// How it ended.
    pub fn status(&self) -> &str {
        self.record["status"].as_str().unwrap()
    }

    /// One of the counts of rows.
    pub fn rows(&self, outcome: &str) -> u64 {
        self.record["rows"][outcome].as_u64().unwrap()
    }

    /// Code and row of each problem that the record shows.
    pub fn problems(&self) -> Vec<(String, Option<u64>)> {
        let problems = self.record["problems"].as_array().unwrap();
        problems
            .iter()
            .map(|problem| {
                (
                    problem["code"].as_str().unwrap().to_owned(),
                    problem["row"].as_u64(),
                )
            })
            .collect()
    }
}
