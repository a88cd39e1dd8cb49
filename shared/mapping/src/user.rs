//! A user of a portal as the feed sees one, and the pure functions that decide what a row, or the want of
//! one, does to it. Keys, versions and the shape of the stored item belong to the table's own module.

use crate::fields::{CustomFieldName, Field, Status};
use crate::identity::UserId;
use crate::mapping::Mapping;
use crate::record::{Fingerprint, Person};
use crate::role::{Role, Roles};
use crate::roster::Brief;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the feed owns of a user: the values that a file can set.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// As it was sent, trimmed.
    pub email: String,
    /// Not empty.
    pub first_name: String,
    /// Not empty.
    pub last_name: String,
    /// Not empty; of people who were once identified by it.
    pub external_id: Option<String>,
    /// Whether the user can sign in.
    pub status: Status,
    /// All roles, whoever gave them.
    pub roles: Roles,
    /// Those of them that rows gave.
    pub feed_roles: Roles,
    /// The groups that the user is in.
    pub group_ids: BTreeSet<u64>,
    /// The user's managers.
    pub manager_ids: BTreeSet<UserId>,
    /// The portal's own fields; one without a value is absent.
    pub custom: BTreeMap<CustomFieldName, String>,
    /// A row of a file was accepted for this user once.
    pub feed_managed: bool,
    /// The user was named as a manager once: the role is not given for it again.
    pub manager_granted: bool,
    /// The upload from which the user was missing, if that is why the user is inactive.
    pub disabled_by_upload: Option<String>,
    /// Of the row that was applied last; `None` after any other change.
    pub fingerprint: Option<Fingerprint>,
}

/// What the plan has found out about a row's person that the row itself does not say. Kept with the plan: the
/// row is applied on these terms, whenever that happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The new address is not applied.
    pub keep_address: bool,
    /// Status 0 is not applied: it is held, or the person is protected.
    pub keep_active: bool,
    /// The role `Administrator` is not taken away.
    pub keep_administrator: bool,
    /// Somebody names the person as manager, and nobody did before.
    pub becomes_manager: bool,
}

impl Terms {
    /// Whether something that the row says is not applied.
    fn keep_something(self) -> bool {
        self.keep_address || self.keep_active || self.keep_administrator
    }
}

impl User {
    /// The user that a row creates.
    pub fn create(person: &Person, terms: Terms) -> Self {
        // In full, so that a new value does not compile until it is part of this.
        let Person {
            email,
            first_name,
            last_name,
            external_id,
            status,
            roles,
            groups,
            managers,
            custom,
            fingerprint,
        } = person;
        let values = custom
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let by_default = if roles.is_empty() {
            Roles::NONE.with(Role::Learner)
        } else {
            Roles::NONE
        };
        let as_manager = if terms.becomes_manager {
            Roles::NONE.with(Role::Manager)
        } else {
            Roles::NONE
        };
        User {
            email: email.clone(),
            first_name: first_name.clone(),
            last_name: last_name.clone(),
            external_id: external_id.clone(),
            status: status.unwrap_or(Status::Active),
            roles: roles.and(by_default).and(as_manager),
            feed_roles: *roles,
            group_ids: groups.iter().copied().collect(),
            manager_ids: managers.iter().copied().collect(),
            custom: values.collect(),
            feed_managed: true,
            manager_granted: terms.becomes_manager,
            disabled_by_upload: None,
            fingerprint: Some(*fingerprint),
        }
    }

    /// The user in brief.
    pub fn brief(&self, user_id: UserId) -> Brief<'_> {
        Brief {
            user_id,
            email: &self.email,
            external_id: self.external_id.as_deref(),
            status: self.status,
            roles: self.roles,
            feed_roles: self.feed_roles,
            feed_managed: self.feed_managed,
            manager_granted: self.manager_granted,
            disabled_by_absence: self.disabled_by_upload.is_some(),
            fingerprint: self.fingerprint,
        }
    }
}

/// What happens to a user.
#[derive(Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing differs.
    Unchanged,
    /// Every value is as it should be; what is stored anew beside the values is no change.
    Refresh(Refresh),
    /// Something differs: the user as it is to be, and how that is counted.
    Update(Box<User>, Change),
}

/// What can be stored anew of a user without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// As it is to be.
    pub fingerprint: Option<Fingerprint>,
    /// The user, who has the role already, was named as a manager for the first time.
    pub manager_granted: bool,
}

/// How an update is counted, and what it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The first that fits of enabled, disabled, updated.
    pub outcome: Updated,
    /// What differed.
    pub fields: ChangedFields,
    /// The role `Manager` was given to somebody whom others name as their manager.
    pub made_manager: bool,
}

impl Change {
    fn without_field(outcome: Updated, made_manager: bool) -> Self {
        Change {
            outcome,
            fields: ChangedFields::default(),
            made_manager,
        }
    }
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
pub fn decide(mapping: &Mapping, person: &Person, terms: Terms, user: &User) -> Decision {
    let new_manager = terms.becomes_manager && !user.manager_granted;
    if user.feed_managed && user.fingerprint == Some(person.fingerprint) && !new_manager {
        return Decision::Unchanged;
    }
    let mut after = user.clone();
    let mut fields = ChangedFields::default();
    for (index, mapped) in mapping.fields().iter().enumerate() {
        if apply(&mapped.field, person, terms, user, &mut after) {
            fields.set(index);
        }
    }
    // Without a status in the file, being in it is what says that the person is there.
    if !mapping.maps(&Field::Status)
        && user.status == Status::Inactive
        && user.disabled_by_upload.is_some()
    {
        after.status = Status::Active;
    }
    if after.status == Status::Active {
        after.disabled_by_upload = None;
    }
    let made_manager = new_manager && make_manager(&mut after);
    after.feed_managed = true;
    after.fingerprint = Some(person.fingerprint).filter(|_| !terms.keep_something());
    let outcome = match (user.status, after.status) {
        (Status::Inactive, Status::Active) => Updated::Enabled,
        (Status::Active, Status::Inactive) => Updated::Disabled,
        _ => Updated::StatusKept,
    };
    let changed =
        !fields.is_empty() || !user.feed_managed || made_manager || outcome != Updated::StatusKept;
    if changed {
        let change = Change {
            outcome,
            fields,
            made_manager,
        };
        Decision::Update(Box::new(after), change)
    } else if after.fingerprint.is_some() || new_manager {
        Decision::Refresh(Refresh {
            fingerprint: after.fingerprint,
            manager_granted: new_manager,
        })
    } else {
        // Of the row something is not applied, and the rest is there already. An older fingerprint than the
        // row's says nothing of it.
        Decision::Unchanged
    }
}

/// Applies one field of a row; whether it differed.
fn apply(field: &Field, person: &Person, terms: Terms, user: &User, after: &mut User) -> bool {
    match field {
        Field::Email => !terms.keep_address && replace(&mut after.email, &person.email),
        Field::FirstName => replace(&mut after.first_name, &person.first_name),
        Field::LastName => replace(&mut after.last_name, &person.last_name),
        Field::ExternalId => {
            after.external_id.clone_from(&person.external_id);
            after.external_id != user.external_id
        }
        Field::Status => {
            let said = person
                .status
                .filter(|status| !(terms.keep_active && *status == Status::Inactive));
            after.status = said.unwrap_or(user.status);
            after.status != user.status
        }
        Field::Role => {
            if person.roles.is_empty() {
                return false;
            }
            let from_portal = user.roles.without(user.feed_roles);
            let mut said = person.roles;
            if terms.keep_administrator && user.feed_roles.contains(Role::Administrator) {
                said = said.with(Role::Administrator);
            }
            after.roles = from_portal.and(said);
            after.feed_roles = said.without(from_portal);
            after.roles != user.roles
        }
        // Added to, never removed from.
        Field::Group => {
            after.group_ids.extend(&person.groups);
            after.group_ids.len() > user.group_ids.len()
        }
        Field::Manager => {
            if !person.managers.is_empty() {
                after.manager_ids = person.managers.iter().copied().collect();
            }
            after.manager_ids != user.manager_ids
        }
        Field::Custom(name) => match person.custom.iter().find(|(custom, _)| custom == name) {
            Some((_, Some(value))) => {
                after.custom.insert(name.clone(), value.clone()).as_ref() != Some(value)
            }
            Some((_, None)) => after.custom.remove(name).is_some(),
            None => false,
        },
    }
}

/// Whether the role had to be given.
fn make_manager(user: &mut User) -> bool {
    user.manager_granted = true;
    let has_it = user.roles.contains(Role::Manager);
    user.roles = user.roles.with(Role::Manager);
    !has_it
}

/// What a file does to a user without a row that is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutRow {
    /// The user is missing from a file in which everybody should be.
    pub disable: bool,
    /// A row names the user as manager, and none did before.
    pub becomes_manager: bool,
}

/// Decides what a file does to a user without a row that is applied (`docs/rules.md`, "Leavers and returners"
/// and "Managers").
pub fn decide_without_row(what: WithoutRow, user: &User, upload_id: &str) -> Decision {
    let mut after = user.clone();
    let new_manager = what.becomes_manager && !user.manager_granted;
    let made_manager = new_manager && make_manager(&mut after);
    let disabled = what.disable && user.status == Status::Active && user.feed_managed;
    if disabled {
        after.status = Status::Inactive;
        after.disabled_by_upload = Some(upload_id.to_owned());
    }
    if disabled || made_manager {
        // Coming back with the same row is a change.
        after.fingerprint = None;
        let outcome = if disabled {
            Updated::Disabled
        } else {
            Updated::StatusKept
        };
        Decision::Update(
            Box::new(after),
            Change::without_field(outcome, made_manager),
        )
    } else if new_manager {
        Decision::Refresh(Refresh {
            fingerprint: user.fingerprint,
            manager_granted: true,
        })
    } else {
        Decision::Unchanged
    }
}

/// Decides what becomes of a user whose row says status 0, once that was approved (`docs/rules.md`, "Holds").
/// Everything else that the row says was applied before.
pub fn decide_approved(user: &User) -> Decision {
    if user.status == Status::Inactive {
        return Decision::Unchanged;
    }
    let mut after = user.clone();
    after.status = Status::Inactive;
    after.fingerprint = None;
    let change = Change::without_field(Updated::Disabled, false);
    Decision::Update(Box::new(after), change)
}

fn replace(value: &mut String, by: &str) -> bool {
    let differs = value != by;
    if differs {
        by.clone_into(value);
    }
    differs
}
