//! The users table, read as it is.

use crate::stack::Stack;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::{BTreeMap, HashMap};

/// A user's item.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredUser {
    item: HashMap<String, AttributeValue>,
}

impl StoredUser {
    /// A text.
    pub fn text(&self, name: &str) -> &str {
        self.item
            .get(name)
            .and_then(|value| value.as_s().ok())
            .map_or("", String::as_str)
    }

    /// A number.
    pub fn number(&self, name: &str) -> u64 {
        self.item[name].as_n().unwrap().parse().unwrap()
    }

    /// A set of texts.
    pub fn set(&self, name: &str) -> Vec<String> {
        self.item
            .get(name)
            .map(|value| value.as_ss().unwrap().clone())
            .unwrap_or_default()
    }

    /// A set of numbers, sorted.
    pub fn numbers(&self, name: &str) -> Vec<u64> {
        let numbers = self.item.get(name).map(|value| value.as_ns().unwrap());
        let mut numbers: Vec<u64> = numbers
            .into_iter()
            .flatten()
            .map(|number| number.parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// A custom field.
    pub fn custom(&self, name: &str) -> Option<&str> {
        self.item["custom"]
            .as_m()
            .unwrap()
            .get(name)
            .map(|value| value.as_s().unwrap().as_str())
    }

    /// Whether an attribute is true.
    pub fn is(&self, name: &str) -> bool {
        *self.item[name].as_bool().unwrap()
    }

    /// Sets a text.
    pub fn set_text(&mut self, name: &str, value: &str) {
        self.item
            .insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    }

    /// Sets an attribute.
    pub fn put(&mut self, name: &str, value: AttributeValue) {
        self.item.insert(name.to_owned(), value);
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, name: &str) {
        self.item.remove(name);
    }

    /// The whole item.
    pub fn item(&self) -> HashMap<String, AttributeValue> {
        self.item.clone()
    }

    /// The item's key.
    pub fn key(&self) -> HashMap<String, AttributeValue> {
        ["pk", "sk"]
            .map(|name| (name.to_owned(), self.item[name].clone()))
            .into()
    }

    /// With other values, and the version before.
    pub(crate) fn as_before(&self) -> Self {
        let mut before = self.clone();
        before.set_text("first_name", "Before");
        before.set_text("status", "active");
        before.set_text("last_write", "before#1");
        before.set_text("last_upload_id", "before");
        before.remove("fingerprint");
        let version = AttributeValue::N((self.number("version") - 1).to_string());
        before.item.insert("version".to_owned(), version);
        before
    }

    /// All attributes' names, sorted.
    pub fn attributes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.item.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

pub(crate) async fn users_of(stack: &Stack, portal: &str) -> BTreeMap<String, StoredUser> {
    let client = stack.dynamodb();
    let mut users = BTreeMap::new();
    for shard in "0123456789abcdef".chars() {
        let pk = format!("{portal}#{shard}");
        let mut items = client
            .query()
            .table_name(stack.output("UsersTableName"))
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        while let Some(item) = items.next().await {
            let user = StoredUser {
                item: item.unwrap(),
            };
            let id = user.text("user_id").to_owned();
            assert_eq!(user.text("sk"), id);
            assert!(id.starts_with(shard), "the shard is the id's first digit");
            assert!(
                users
                    .insert(user.text("email_key").to_owned(), user)
                    .is_none(),
                "an address twice"
            );
        }
    }
    users
}
