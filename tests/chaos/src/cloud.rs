//! A small cloud of a test's own inside the local cloud that is up: tables and buckets that the deployed
//! stack does not know, so that neither meets the other's work.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::types::{
    BucketVersioningStatus, Delete, ObjectIdentifier, VersioningConfiguration,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The workspace that the test runs in.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What S3 leaves as it is in the keys of its events. A space becomes `+` besides.
const KEPT_IN_KEYS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*')
    .remove(b'/');

/// The binary of `process-upload`, as it was deployed last.
pub fn process_upload() -> PathBuf {
    deployed("process-upload")
}

/// The same of another function.
pub fn deployed(function: &str) -> PathBuf {
    Path::new(WORKSPACE).join(format!("target/lambda/{function}/bootstrap"))
}

/// Two tables and two buckets of one test.
pub struct Cloud {
    /// The users table.
    pub users_table: String,
    /// The feed table.
    pub feed_table: String,
    /// The feed bucket, which keeps versions.
    pub feed_bucket: String,
    /// The reports bucket.
    pub reports_bucket: String,
    description: Value,
}

/// A version of an object, as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObject {
    /// Its version.
    pub version_id: String,
    /// Its `ETag`, without quotes.
    pub etag: String,
    /// Its length in bytes.
    pub size: usize,
}

impl Cloud {
    /// Makes the tables and buckets.
    pub async fn create() -> Self {
        let description = read_json("target/local/stack.json");
        let suffix = format!("{:016x}", fastrand::u64(..));
        let cloud = Cloud {
            users_table: format!("chaos-users-{suffix}"),
            feed_table: format!("chaos-feed-{suffix}"),
            feed_bucket: format!("chaos-{suffix}"),
            reports_bucket: format!("chaos-{suffix}-reports"),
            description,
        };
        let users_index = ["by_email", "email_key", "portal_id"];
        cloud.create_table(&cloud.users_table, users_index).await;
        let feed_index = ["work", "work_shard", "due_at"];
        cloud.create_table(&cloud.feed_table, feed_index).await;
        let s3 = cloud.s3();
        for bucket in [&cloud.feed_bucket, &cloud.reports_bucket] {
            s3.create_bucket().bucket(bucket).send().await.unwrap();
        }
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        s3.put_bucket_versioning()
            .bucket(&cloud.feed_bucket)
            .versioning_configuration(enabled.build())
            .send()
            .await
            .unwrap();
        cloud
    }

    /// Removes what was made, as far as that is possible: a test that got here has passed.
    pub async fn tear_down(self) {
        let (s3, dynamodb) = (self.s3(), self.dynamodb());
        for bucket in [&self.feed_bucket, &self.reports_bucket] {
            // What is deleted is gone from the list, so the first page is the next one.
            while let Ok(page) = s3.list_object_versions().bucket(bucket).send().await {
                let versions = page.versions().iter().map(|it| (it.key(), it.version_id()));
                let markers = page.delete_markers().iter();
                let markers = markers.map(|it| (it.key(), it.version_id()));
                let all: Vec<_> = versions
                    .chain(markers)
                    .map(|(key, version)| {
                        let object = ObjectIdentifier::builder().set_key(key.map(str::to_owned));
                        object.set_version_id(version.map(str::to_owned)).build()
                    })
                    .map(Result::unwrap)
                    .collect();
                if all.is_empty() {
                    break;
                }
                let delete = Delete::builder().set_objects(Some(all)).build().unwrap();
                let request = s3.delete_objects().bucket(bucket).delete(delete);
                let deleted = request.send().await;
                if !deleted.is_ok_and(|deleted| deleted.errors().is_empty()) {
                    break;
                }
            }
            let _ = s3.delete_bucket().bucket(bucket).send().await;
        }
        for table in [&self.users_table, &self.feed_table] {
            let _ = dynamodb.delete_table().table_name(table).send().await;
        }
    }

    /// Where the local cloud is.
    pub fn endpoint(&self) -> &str {
        self.text("endpoint")
    }

    /// What a function is started with: this cloud, as it is reached at `endpoint`.
    pub fn environment(&self, endpoint: &str) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", self.text("region")),
            ("AWS_ACCESS_KEY_ID", self.text("access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", self.text("secret_access_key")),
            ("FEED_BUCKET", &self.feed_bucket),
            ("REPORTS_BUCKET", &self.reports_bucket),
            ("USERS_TABLE", &self.users_table),
            ("FEED_TABLE", &self.feed_table),
            ("MAX_FILE_BYTES", "2147483648"),
            ("STAGE", "chaos"),
            ("TOKEN_HOURS", "1"),
            (
                "USER_POOL_ID",
                self.description["outputs"]["UserPoolId"].as_str().unwrap(),
            ),
            // Whoever is woken is the function itself.
            ("PROCESS_UPLOAD_FUNCTION", "chaos-process-upload"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// An output of the stack that is up.
    pub fn output(&self, name: &str) -> &str {
        self.description["outputs"][name].as_str().unwrap()
    }

    /// How a client with this key pair reaches the cloud.
    pub fn config_of(&self, access_key_id: &str, secret_access_key: &str) -> SdkConfig {
        let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "issued");
        let provider = SharedCredentialsProvider::new(credentials);
        let config = self.config(self.endpoint()).into_builder();
        config.credentials_provider(provider).build()
    }

    /// How a client reaches this cloud at `endpoint`.
    pub fn config(&self, endpoint: &str) -> SdkConfig {
        let credentials = Credentials::new(
            self.text("access_key_id"),
            self.text("secret_access_key"),
            None,
            None,
            "stack.json",
        );
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint)
            .region(Region::new(self.text("region").to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// An S3 client, past every proxy.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config(self.endpoint()))
    }

    /// A DynamoDB client, past every proxy.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config(self.endpoint()))
    }

    /// Puts an object into the feed bucket. Nobody is told: events are the test's to deliver.
    pub async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) -> PutObject {
        let bytes = bytes.into();
        let size = bytes.len();
        let request = self.s3().put_object().bucket(&self.feed_bucket).key(key);
        let answer = request.body(bytes.into()).send().await.unwrap();
        PutObject {
            version_id: answer.version_id.unwrap(),
            etag: answer.e_tag.unwrap().trim_matches('"').to_owned(),
            size,
        }
    }

    /// Deletes one version of an object of the feed bucket, for good.
    pub async fn delete(&self, key: &str, put: &PutObject) {
        let request = self.s3().delete_object().bucket(&self.feed_bucket).key(key);
        request.version_id(&put.version_id).send().await.unwrap();
    }

    /// The event that S3 sends when an object was put. `event_time` is RFC 3339.
    pub fn event(&self, key: &str, put: &PutObject, sequencer: &str, event_time: &str) -> Value {
        let mut event = read_json("events/process-upload.json");
        let record = &mut event["Records"][0];
        record["eventTime"] = event_time.into();
        let s3 = &mut record["s3"];
        s3["bucket"]["name"] = self.feed_bucket.as_str().into();
        s3["bucket"]["arn"] = format!("arn:aws:s3:::{}", self.feed_bucket).into();
        let encoded = utf8_percent_encode(key, KEPT_IN_KEYS).to_string();
        s3["object"]["key"] = encoded.replace("%20", "+").into();
        s3["object"]["size"] = put.size.into();
        s3["object"]["eTag"] = put.etag.as_str().into();
        s3["object"]["versionId"] = put.version_id.as_str().into();
        s3["object"]["sequencer"] = sequencer.into();
        event
    }

    fn text(&self, name: &str) -> &str {
        self.description[name].as_str().unwrap()
    }

    /// A table with `pk` and `sk`, and an index: its name and its keys.
    async fn create_table(&self, name: &str, [index, hash, range]: [&str; 3]) {
        let keys = |hash, range| {
            let key = |name: &str, kind| {
                let element = KeySchemaElement::builder().attribute_name(name);
                element.key_type(kind).build().unwrap()
            };
            Some(vec![key(hash, KeyType::Hash), key(range, KeyType::Range)])
        };
        let attributes = ["pk", "sk", hash, range].map(|name| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            let definition = definition.attribute_type(ScalarAttributeType::S);
            definition.build().unwrap()
        });
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly);
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .set_key_schema(keys(hash, range))
            .projection(projection.build());
        self.dynamodb()
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes.into()))
            .set_key_schema(keys("pk", "sk"))
            .global_secondary_indexes(index.build().unwrap())
            .send()
            .await
            .unwrap();
    }
}

/// A JSON file of the workspace.
fn read_json(path: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(WORKSPACE).join(path))
        .unwrap_or_else(|error| panic!("is no stack up? run `make up`: {path}: {error}"));
    serde_json::from_str(&text).unwrap()
}
