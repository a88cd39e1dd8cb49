//! What a portal's administrators set of its feed. Attributes of `PORTAL`, written together.

use super::{Entry, FeedTable};
use crate::failure::CallFailed;
use aws_sdk_dynamodb::types::AttributeValue;
use mapping::identity::{EmailKey, PortalId, check_email};
use mapping::plan::Limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What a portal's administrators set of its feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedSettings {
    /// When disables are held.
    pub limits: Limits,
    /// How many hours may pass without a file; `None`: any number.
    pub expect_file_every_hours: Option<u16>,
    /// Who is told when something needs them.
    pub notify_emails: NotifyEmails,
}

/// Addresses, each once. `Debug` says how many they are and no more.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotifyEmails(Vec<String>);

/// What is wrong with one of the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongAddress {
    /// It is none.
    NotAnEmail(String),
    /// It is there already, perhaps spelled differently.
    Twice(String),
}

impl NotifyEmails {
    /// Addresses as somebody sends them, trimmed.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn of(addresses: &[String]) -> Result<Self, Vec<WrongAddress>> {
        let (mut kept, mut keys, mut wrong) = (Vec::new(), BTreeSet::new(), Vec::new());
        for address in addresses {
            let address = address.trim();
            if check_email(address).is_err() {
                wrong.push(WrongAddress::NotAnEmail(address.to_owned()));
            } else if !keys.insert(EmailKey::of(address)) {
                wrong.push(WrongAddress::Twice(address.to_owned()));
            } else {
                kept.push(address.to_owned());
            }
        }
        if wrong.is_empty() {
            Ok(NotifyEmails(kept))
        } else {
            Err(wrong)
        }
    }

    /// Those who have another address than this one.
    pub fn without(&self, gone: &EmailKey) -> Self {
        let others = self.0.iter().filter(|it| EmailKey::of(it) != *gone);
        NotifyEmails(others.cloned().collect())
    }

    /// In the order in which they were sent.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Debug for NotifyEmails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotifyEmails({})", self.0.len())
    }
}

impl FeedTable {
    /// Stores the settings. `false`: there is no such portal, or it is being changed at this moment.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn put_feed_settings(
        &self,
        portal: PortalId,
        settings: &FeedSettings,
        entry: Entry,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "store the settings";
        let attribute = |value: Result<AttributeValue, serde_dynamo::Error>| {
            value.map_err(CallFailed::malformed(WHAT))
        };
        let update = self
            .update_of(portal)
            .expression_attribute_values(
                ":limits",
                attribute(serde_dynamo::to_attribute_value(settings.limits))?,
            )
            .expression_attribute_values(
                ":emails",
                attribute(serde_dynamo::to_attribute_value(&settings.notify_emails))?,
            );
        let sets = "SET limits = :limits, notify_emails = :emails";
        let update = match settings.expect_file_every_hours {
            Some(hours) => update
                .update_expression(format!("{sets}, expect_file_every_hours = :hours"))
                .expression_attribute_values(":hours", AttributeValue::N(hours.to_string())),
            None => update.update_expression(format!("{sets} REMOVE expect_file_every_hours")),
        };
        self.update_with(WHAT, update, entry).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_each_is_there_once_however_it_is_spelled() {
        let of = |addresses: &[&str]| {
            let addresses: Vec<String> = addresses.iter().map(|it| (*it).to_owned()).collect();
            NotifyEmails::of(&addresses)
        };
        let kept = of(&[" Ann@x.example ", "bob@x.example"]).unwrap();
        assert_eq!(kept.as_slice(), ["Ann@x.example", "bob@x.example"]);
        assert_eq!(format!("{kept:?}"), "NotifyEmails(2)");
        assert_eq!(
            of(&["ann@x.example", "bob", "ANN@X.example", "a@b.c, d@e.f"]),
            Err(vec![
                WrongAddress::NotAnEmail("bob".to_owned()),
                WrongAddress::Twice("ANN@X.example".to_owned()),
                WrongAddress::NotAnEmail("a@b.c, d@e.f".to_owned()),
            ])
        );
        assert_eq!(of(&[]), Ok(NotifyEmails::default()));
    }
}
