//! Items as they are stored: as the JSON that they are answered with. Which conditions must hold is decided in
//! `dynamodb.rs`.

use crate::capacity::{Counts, item_bytes};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// An item taken apart.
pub(crate) type Attributes = Map<String, Value>;

/// A query's answer stops after the item that brings it to so many bytes.
const PAGE_BYTES: usize = 1024 * 1024;

/// What makes an entry in one of the indexes, in either table (`template.yaml`).
const INDEXES: [[&str; 2]; 2] = [["email_key", "portal_id"], ["work_shard", "due_at"]];

/// An item as it is answered with, and its size as it is billed.
pub(crate) struct Stored {
    pub(crate) text: Box<str>,
    pub(crate) bytes: usize,
}

/// Items by table and partition key, in the order of their sort keys.
#[derive(Default)]
pub(crate) struct Tables {
    partitions: HashMap<String, HashMap<String, Partition>>,
}

#[derive(Default)]
struct Partition {
    items: BTreeMap<String, Stored>,
    /// Answers to queries, until something is written here.
    pages: HashMap<String, Vec<Page>>,
}

/// An answer to a query, ready to be sent.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) body: axum::body::Bytes,
    /// Of the items it was made of.
    pub(crate) bytes: usize,
    /// The sort key before which it begins.
    pub(crate) after: Option<String>,
}

/// What a query asks for in a partition.
pub(crate) struct Asked<'q> {
    /// How the items' sort keys begin.
    pub(crate) prefix: &'q str,
    /// How many a page has at most.
    pub(crate) limit: usize,
    /// Everything that makes answers differ.
    pub(crate) question: &'q str,
}

/// What identifies an item.
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    /// From an item, or from a key alone.
    pub(crate) fn of(attributes: &Attributes) -> Option<Self> {
        let text = |name| attributes.get(name)?.get("S")?.as_str().map(str::to_owned);
        Some(Key {
            pk: text("pk")?,
            sk: text("sk")?,
        })
    }
}

impl Tables {
    pub(crate) fn get(&self, table: &str, key: &Key) -> Option<&Stored> {
        self.partitions.get(table)?.get(&key.pk)?.items.get(&key.sk)
    }

    /// Taken apart, to be looked at or changed.
    pub(crate) fn attributes(&self, table: &str, key: &Key) -> Option<Attributes> {
        serde_json::from_str(&self.get(table, key)?.text).ok()
    }

    /// Writes an item, or deletes it.
    pub(crate) fn put(
        &mut self,
        counts: &mut Counts,
        table: &str,
        key: Key,
        item: Option<&Attributes>,
        transaction: bool,
    ) {
        let before = self.attributes(table, &key);
        let changed = |entry: [&str; 2]| {
            let of = |item: Option<&Attributes>| {
                item.and_then(|item| {
                    Some([item.get(entry[0])?.clone(), item.get(entry[1])?.clone()])
                })
            };
            let (before, after) = (of(before.as_ref()), of(item));
            match before == after {
                true => 0,
                false => u64::from(before.is_some()) + u64::from(after.is_some()),
            }
        };
        let entries = INDEXES.into_iter().map(changed).sum();
        let bytes = item.map_or(0, item_bytes);
        let largest = bytes.max(before.as_ref().map_or(0, item_bytes));
        counts.write(table, largest, entries, transaction);

        let partitions = self.partitions.entry(table.to_owned()).or_default();
        let partition = partitions.entry(key.pk).or_default();
        partition.pages.clear();
        match item {
            Some(item) => {
                let text = Value::Object(item.clone()).to_string().into_boxed_str();
                partition.items.insert(key.sk, Stored { text, bytes });
            }
            None => _ = partition.items.remove(&key.sk),
        }
    }

    /// The page of a partition that follows a sort key. Kept.
    pub(crate) fn page(
        &mut self,
        table: &str,
        pk: &str,
        asked: &Asked<'_>,
        after: Option<&str>,
        shape: impl Fn(&str) -> String,
    ) -> Option<Page> {
        let partition = self.partitions.get_mut(table)?.get_mut(pk)?;
        if !partition.pages.contains_key(asked.question) {
            let pages = make_pages(pk, partition, asked, shape);
            partition.pages.insert(asked.question.to_owned(), pages);
        }
        let mut pages = partition.pages.get(asked.question)?.iter();
        pages.find(|page| page.after.as_deref() == after).cloned()
    }
}

fn make_pages(
    pk: &str,
    partition: &Partition,
    asked: &Asked<'_>,
    shape: impl Fn(&str) -> String,
) -> Vec<Page> {
    let mut pages = Vec::new();
    let mut after = None;
    let (mut items, mut bytes) = (Vec::new(), 0);
    let of_prefix = partition
        .items
        .range(asked.prefix.to_owned()..)
        .take_while(|(sk, _)| sk.starts_with(asked.prefix));
    for (sk, stored) in of_prefix {
        items.push(shape(&stored.text));
        bytes += stored.bytes;
        if bytes >= PAGE_BYTES || items.len() == asked.limit {
            let last = serde_json::json!({"pk": {"S": pk}, "sk": {"S": sk}}).to_string();
            pages.push(page(&items, bytes, after.take(), Some(&last)));
            after = Some(sk.clone());
            items.clear();
            bytes = 0;
        }
    }
    // Also when nothing is left: that the last page was the last is only known then.
    pages.push(page(&items, bytes, after, None));
    pages
}

fn page(items: &[String], bytes: usize, after: Option<String>, last: Option<&str>) -> Page {
    let last = last.map_or(String::new(), |last| {
        format!(",\"LastEvaluatedKey\":{last}")
    });
    let count = items.len();
    let items = items.join(",");
    let body = format!("{{\"Count\":{count},\"ScannedCount\":{count},\"Items\":[{items}]{last}}}");
    Page {
        body: body.into(),
        bytes,
        after,
    }
}
