//! Everything that the cloud keeps of a portal, wherever that is: what should be gone is looked for here.

use crate::stack::Stack;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the cloud keeps of portals whose numbers begin alike, by the place where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traces(pub BTreeMap<String, String>);

/// Whether a number stands in the text, and not as a part of a longer one.
pub fn names(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, _)| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        !digit(text[..at].chars().next_back()) && !digit(text[at + number.len()..].chars().next())
    })
}

impl Traces {
    /// Of all portals whose numbers begin like this: items, objects in every version, what was begun in parts, users
    /// of IAM and accounts.
    pub async fn of(stack: &Stack, number: &str) -> Self {
        let mut found = BTreeMap::new();
        let listed = query(stack, "FeedTableName", "PORTALS", number).await;
        let mut portals: BTreeSet<String> = listed.iter().map(|item| text(item, "sk")).collect();
        portals.insert(number.to_owned());
        let mut items: Vec<(&str, Item)> = Vec::new();
        items.extend(listed.into_iter().map(|item| ("FeedTableName", item)));
        let partitions = portals.iter().flat_map(|portal| partitions(portal));
        let read = partitions.map(async |(table, partition)| {
            let items = query(stack, table, &partition, "").await;
            items.into_iter().map(move |item| (table, item))
        });
        items.extend(join_all(read).await.into_iter().flatten());
        for (table, item) in items {
            let place = format!("{table}: {} / {}", text(&item, "pk"), text(&item, "sk"));
            found.insert(place, spelled(&AttributeValue::M(item)));
        }
        for bucket in ["FeedBucketName", "ReportsBucketName"] {
            for prefix in [number.to_owned(), format!("work/{number}")] {
                found.extend(objects(stack, bucket, &prefix).await);
            }
        }
        let users = stack.iam().list_users().path_prefix("/user-feed/");
        let mut users = users.into_paginator().items().send();
        while let Some(user) = users.next().await {
            let name = user.unwrap().user_name;
            if name.rsplit('-').next().unwrap().starts_with(number) {
                found.insert(format!("iam: {name}"), String::new());
            }
        }
        let accounts = stack
            .cognito()
            .list_users()
            .user_pool_id(stack.output("UserPoolId"));
        let mut accounts = accounts.into_paginator().items().send();
        while let Some(account) = accounts.next().await {
            let account = account.unwrap();
            let text = format!("{:?}", account.attributes());
            let portal = account
                .attributes()
                .iter()
                .find(|it| it.name() == "custom:portal_id");
            if portal
                .and_then(|it| it.value())
                .is_some_and(|it| it.starts_with(number))
            {
                found.insert(format!("account: {}", account.username().unwrap()), text);
            }
        }
        Traces(found)
    }

    /// Those that name this portal, by place or content.
    pub fn naming(&self, number: &str) -> Traces {
        let named = self
            .0
            .iter()
            .filter(|(place, content)| names(place, number) || names(content, number));
        Traces(
            named
                .map(|(place, content)| (place.clone(), content.clone()))
                .collect(),
        )
    }

    /// Without the audit trail, which stays.
    pub fn beside_the_trail(&self) -> Traces {
        let all = self.0.iter();
        let beside = all.filter(|(place, _)| !place.contains("/ AUDIT#"));
        Traces(
            beside
                .map(|(place, content)| (place.clone(), content.clone()))
                .collect(),
        )
    }

    /// The places whose content has this text, in any case.
    pub fn with(&self, text: &str) -> Vec<&String> {
        let text = text.to_lowercase();
        let has = self.0.iter().filter(|(place, content)| {
            place.to_lowercase().contains(&text) || content.to_lowercase().contains(&text)
        });
        has.map(|(place, _)| place).collect()
    }

    /// The places where the two differ.
    pub fn differing(&self, other: &Traces) -> Vec<String> {
        let both = self.0.keys().chain(other.0.keys());
        let differ = both.filter(|place| self.0.get(*place) != other.0.get(*place));
        differ.cloned().collect()
    }

    /// The places.
    pub fn places(&self) -> Vec<&String> {
        self.0.keys().collect()
    }
}

/// All partitions that a portal has, in both tables (`docs/architecture.md`, "Data").
fn partitions(portal: &str) -> Vec<(&'static str, String)> {
    let shards = "0123456789abcdef".chars();
    let mut partitions = vec![("FeedTableName", portal.to_owned())];
    for shard in shards {
        partitions.push(("FeedTableName", format!("{portal}#ASSIGNMENT#{shard}")));
        partitions.push(("UsersTableName", format!("{portal}#{shard}")));
    }
    partitions
}

type Item = HashMap<String, AttributeValue>;

fn text(item: &Item, name: &str) -> String {
    item[name].as_s().unwrap().clone()
}

/// A partition's items whose sort keys begin like this. No scan: the tables hold what other tests have made.
async fn query(stack: &Stack, table: &str, partition: &str, prefix: &str) -> Vec<Item> {
    let request = stack
        .dynamodb()
        .query()
        .table_name(stack.output(table))
        .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
        .consistent_read(true);
    let request = match prefix {
        "" => request.key_condition_expression("pk = :pk"),
        prefix => request
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned())),
    };
    let mut pages = request.into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.unwrap());
    }
    items
}

/// The same text for the same value: maps and sets have no order of their own.
pub(crate) fn spelled(value: &AttributeValue) -> String {
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts.join(", ")
    };
    match value {
        AttributeValue::M(map) => {
            let entries = map
                .iter()
                .map(|(name, value)| format!("{name}: {}", spelled(value)));
            format!("{{{}}}", sorted(entries.collect()))
        }
        AttributeValue::L(list) => format!("{:?}", list.iter().map(spelled).collect::<Vec<_>>()),
        AttributeValue::Ss(set) | AttributeValue::Ns(set) => sorted(set.clone()),
        other => format!("{other:?}"),
    }
}

async fn objects(stack: &Stack, bucket: &str, prefix: &str) -> Vec<(String, String)> {
    let (s3, name) = (stack.s3(), stack.output(bucket));
    let mut found = Vec::new();
    let versions = s3.list_object_versions().bucket(&name).prefix(prefix);
    let versions = versions.max_keys(1_000).send().await.unwrap();
    assert_ne!(versions.is_truncated, Some(true));
    for version in versions.versions() {
        let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
        let object = s3.get_object().bucket(&name).key(key);
        let object = object.set_version_id((id != "null").then(|| id.to_owned()));
        let bytes = object.send().await.unwrap().body.collect().await.unwrap();
        let bytes = String::from_utf8_lossy(&bytes.into_bytes()).into_owned();
        found.push((format!("{bucket}: {key} ({id})"), bytes));
    }
    for marker in versions.delete_markers() {
        found.push((
            format!("{bucket}: {} is deleted", marker.key().unwrap()),
            String::new(),
        ));
    }
    let begun = s3.list_multipart_uploads().bucket(&name).prefix(prefix);
    for upload in begun.send().await.unwrap().uploads() {
        found.push((
            format!("{bucket}: {} in parts", upload.key().unwrap()),
            String::new(),
        ));
    }
    found
}
