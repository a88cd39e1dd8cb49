//! A user of a portal as the feed sees one, and the one pure function that decides what a row does to
//! it. Keys, versions and the shape of the stored item belong to the table's own module.

use crate::fields::{CustomFieldName, Field, Status};
use crate::mapping::Mapping;
use crate::record::{Fingerprint, Person};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the feed owns of a user: the values that a row can set.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// As it was sent, trimmed.
    pub email: String,
    /// Not empty.
    pub first_name: String,
    /// Not empty.
    pub last_name: String,
    /// Whether the user can sign in.
    pub status: Status,
    /// The groups that the user is in.
    pub group_ids: BTreeSet<u64>,
    /// The portal's own fields; one without a value is absent.
    pub custom: BTreeMap<CustomFieldName, String>,
    /// A row of a file was accepted for this user once.
    pub feed_managed: bool,
    /// Of the row that was applied last; `None` after any other change.
    pub fingerprint: Option<Fingerprint>,
}

impl User {
    /// The user that a row creates.
    pub fn create(person: &Person) -> Self {
        let Person {
            email,
            first_name,
            last_name,
            status,
            groups,
            custom,
            fingerprint,
        } = person;
        let values = custom
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        User {
            email: email.clone(),
            first_name: first_name.clone(),
            last_name: last_name.clone(),
            status: status.unwrap_or(Status::Active),
            group_ids: groups.iter().copied().collect(),
            custom: values.collect(),
            feed_managed: true,
            fingerprint: Some(*fingerprint),
        }
    }
}

/// What happens to a user for whom a row is accepted.
#[derive(Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing differs.
    Unchanged,
    /// Every value is as the row says; only the fingerprint is stored anew, which is no change.
    Refresh(Fingerprint),
    /// Something differs: the user as it is to be, and how that is counted.
    Update(Box<User>, Change),
}

/// How an update is counted, and what it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The first that fits of enabled, disabled, updated.
    pub outcome: Updated,
    /// What differed.
    pub fields: ChangedFields,
}

/// The outcome of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Updated {
    /// Inactive before, active now.
    Enabled,
    /// Active before, inactive now.
    Disabled,
    /// Other values, status as before.
    StatusKept,
}

/// Which of a mapping's fields an update changed: one bit for each, in the mapping's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFields(u64);

impl ChangedFields {
    fn set(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the mapping's field in this place, counted from 0, changed.
    pub fn contains(self, index: usize) -> bool {
        index < 64 && self.0 & (1 << index) != 0
    }
}

/// Decides what an accepted row does to the user it is about (`docs/rules.md`, "What a row does").
/// Only mapped fields, only what differs; an empty cell keeps what is there unless the mapping clears it.
pub fn decide(mapping: &Mapping, person: &Person, user: &User) -> Decision {
    let fingerprint = person.fingerprint;
    if user.feed_managed && user.fingerprint == Some(fingerprint) {
        return Decision::Unchanged;
    }
    let mut after = user.clone();
    let mut fields = ChangedFields::default();
    for (index, mapped) in mapping.fields().iter().enumerate() {
        let differs = match &mapped.field {
            Field::Email => replace(&mut after.email, &person.email),
            Field::FirstName => replace(&mut after.first_name, &person.first_name),
            Field::LastName => replace(&mut after.last_name, &person.last_name),
            Field::Status => {
                after.status = person.status.unwrap_or(user.status);
                after.status != user.status
            }
            // Added to, never removed from.
            Field::Group => {
                after.group_ids.extend(&person.groups);
                after.group_ids.len() > user.group_ids.len()
            }
            Field::Custom(name) => match person.custom.iter().find(|(custom, _)| custom == name) {
                Some((_, Some(value))) => {
                    after.custom.insert(name.clone(), value.clone()).as_ref() != Some(value)
                }
                Some((_, None)) => after.custom.remove(name).is_some(),
                None => false,
            },
        };
        if differs {
            fields.set(index);
        }
    }
    after.feed_managed = true;
    after.fingerprint = Some(fingerprint);
    if fields.is_empty() && user.feed_managed {
        return Decision::Refresh(fingerprint);
    }
    let outcome = match (user.status, after.status) {
        (Status::Inactive, Status::Active) => Updated::Enabled,
        (Status::Active, Status::Inactive) => Updated::Disabled,
        _ => Updated::StatusKept,
    };
    Decision::Update(Box::new(after), Change { outcome, fields })
}

fn replace(value: &mut String, by: &str) -> bool {
    let differs = value != by;
    if differs {
        by.clone_into(value);
    }
    differs
}
