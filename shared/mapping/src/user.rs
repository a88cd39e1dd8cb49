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
    // Without a status in the file, being in it is what says that the person is there.
    let comes_back = !mapping.maps(&Field::Status)
        && user.status == Status::Inactive
        && user.disabled_by_upload.is_some();
    let same = user.feed_managed && user.fingerprint == Some(person.fingerprint);
    if same && !new_manager && !comes_back {
        return Decision::Unchanged;
    }
    let mut after = user.clone();
    let mut fields = ChangedFields::default();
    for (index, mapped) in mapping.fields().iter().enumerate() {
        if apply(&mapped.field, person, terms, user, &mut after) {
            fields.set(index);
        }
    }
    if comes_back {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{csv, id_by_email, mapping_of, person, user};

    /// Roles by their initials.
    fn roles(initials: &str) -> Roles {
        let role = |initial| match initial {
            'L' => Role::Learner,
            'M' => Role::Manager,
            'C' => Role::ContentAdministrator,
            'A' => Role::Administrator,
            other => panic!("{other}"),
        };
        initials.chars().map(role).collect()
    }

    /// The row of a file, applied to a user.
    fn decided(lines: &str, terms: Terms, user: &User) -> Decision {
        decide(
            &mapping_of(&csv(lines), false),
            &person(lines, &[]),
            terms,
            user,
        )
    }

    /// What is stored of a user after a decision.
    fn stored(decision: Decision, user: &User) -> User {
        match decision {
            Decision::Unchanged => user.clone(),
            Decision::Refresh(refresh) => User {
                fingerprint: refresh.fingerprint,
                manager_granted: user.manager_granted || refresh.manager_granted,
                ..user.clone()
            },
            Decision::Update(after, _) => *after,
        }
    }

    /// The change, if there is one.
    fn change(decision: &Decision) -> Option<Change> {
        match decision {
            Decision::Update(_, change) => Some(*change),
            Decision::Refresh(_) | Decision::Unchanged => None,
        }
    }

    fn with_roles(all: &str, by_feed: &str) -> User {
        User {
            roles: roles(all),
            feed_roles: roles(by_feed),
            ..user("a@x.io").1
        }
    }

    fn role_cell(initials: &str) -> String {
        let names: Vec<&str> = roles(initials).iter().map(Role::as_str).collect();
        format!("Email,Name,Role / a@x.io,Ann,{}", names.join("|"))
    }

    #[test]
    fn the_roles_of_the_row_replace_those_of_the_feed_and_the_portals_stay() {
        for (all, by_feed, row, all_after, by_feed_after) in [
            // The portal's own stay, and what a row adds is the feed's.
            ("L", "", "M", "LM", "M"),
            ("L", "", "L", "L", ""),
            ("LA", "", "M", "LAM", "M"),
            ("LA", "", "A", "LA", ""),
            // The feed's go and come.
            ("LM", "M", "C", "LC", "C"),
            ("M", "M", "L", "L", "L"),
            ("LMA", "MA", "A", "LA", "A"),
            ("MA", "A", "M", "M", ""),
            // A blank cell keeps.
            ("LM", "M", "", "LM", "M"),
            // A role that the feed gave and that was taken away in the portal is given again.
            ("L", "M", "M", "LM", "M"),
        ] {
            let before = with_roles(all, by_feed);
            let decision = decided(&role_cell(row), Terms::default(), &before);
            let after = stored(decision.clone(), &before);
            let case = format!("{all} of which the feed gave {by_feed}, then {row}");
            assert_eq!(after.roles, roles(all_after), "{case}");
            assert_eq!(
                change(&decision).is_some(),
                roles(all) != roles(all_after),
                "{case}"
            );
            if change(&decision).is_some() {
                assert_eq!(after.feed_roles, roles(by_feed_after), "{case}");
            }
            let again = decided(&role_cell(row), Terms::default(), &after);
            assert!(again == Decision::Unchanged, "{case}");
        }
    }

    #[test]
    fn a_new_user_has_the_rows_roles_or_is_a_learner_by_default() {
        for (row, all, by_feed) in [("", "L", ""), ("L", "L", "L"), ("MA", "MA", "MA")] {
            let created = User::create(&person(&role_cell(row), &[]), Terms::default());
            assert_eq!(created.roles, roles(all), "{row}");
            assert_eq!(created.feed_roles, roles(by_feed), "{row}");
            assert!(created.feed_managed && !created.manager_granted);
        }
    }

    #[test]
    fn roles_are_not_touched_where_they_are_not_mapped() {
        let before = with_roles("MA", "MA");
        let decision = decided("Email,Name / a@x.io,Bo", Terms::default(), &before);
        let after = stored(decision, &before);
        assert!(after.first_name == "Bo");
        assert_eq!(
            (after.roles, after.feed_roles),
            (before.roles, before.feed_roles)
        );
    }

    /// What is not applied leaves no fingerprint, so that the next file looks again.
    #[test]
    fn what_the_terms_keep_is_kept_and_the_rest_of_the_row_is_applied() {
        let before = User {
            external_id: Some("1".to_owned()),
            ..with_roles("LA", "A")
        };
        let keep_address = Terms {
            keep_address: true,
            ..Terms::default()
        };
        let keep_active = Terms {
            keep_active: true,
            ..Terms::default()
        };
        let keep_administrator = Terms {
            keep_administrator: true,
            ..Terms::default()
        };
        for (terms, row) in [
            (keep_address, "1,b@x.io,NAME,1,Administrator"),
            (keep_active, "1,a@x.io,NAME,0,Administrator"),
            (keep_administrator, "1,a@x.io,NAME,1,Learner"),
        ] {
            let lines = format!("Id,Email,Name,Status,Role / {row}");
            let same = decided(&lines.replace("NAME", "Ann"), terms, &before);
            assert!(same == Decision::Unchanged, "{row}");
            let decision = decided(&lines.replace("NAME", "Bo"), terms, &before);
            let outcome = change(&decision).map(|change| change.outcome);
            assert_eq!(outcome, Some(Updated::StatusKept), "{row}");
            let after = stored(decision, &before);
            assert!(after.first_name == "Bo" && after.email == "a@x.io", "{row}");
            assert_eq!(after.status, Status::Active, "{row}");
            assert_eq!(after.roles, roles("LA"), "{row}");
            assert_eq!(after.feed_roles, roles("A"), "{row}");
            assert_eq!(after.fingerprint, None, "{row}");
            // Without the terms the row has its whole effect.
            let whole = decided(&lines.replace("NAME", "Ann"), Terms::default(), &before);
            assert!(change(&whole).is_some(), "{row}");
        }
    }

    #[test]
    fn a_role_that_the_portal_gave_is_kept_whatever_the_terms() {
        let terms = Terms {
            keep_administrator: true,
            ..Terms::default()
        };
        let before = with_roles("LA", "");
        let after = stored(decided(&role_cell("M"), terms, &before), &before);
        assert_eq!(
            (after.roles, after.feed_roles),
            (roles("LAM"), roles("M")),
            "it does not become the feed's"
        );
    }

    #[test]
    fn who_is_named_as_manager_gets_the_role_once_and_silently_if_it_is_there() {
        let terms = Terms {
            becomes_manager: true,
            ..Terms::default()
        };
        let lines = "Email,Name / a@x.io,Ann";
        let fingerprint = Some(person(lines, &[]).fingerprint);
        for (text, is_change, roles_after) in [
            ("a@x.io", true, "LM"),
            ("a@x.io manager", false, "LM"),
            // Taken away by somebody: not given again.
            ("a@x.io granted", false, "L"),
        ] {
            for fingerprint in [None, fingerprint] {
                let before = User {
                    fingerprint,
                    ..user(text).1
                };
                let decision = decided(lines, terms, &before);
                let change = change(&decision);
                assert_eq!(change.is_some(), is_change, "{text}");
                assert!(
                    change.is_none_or(|change| change.made_manager && change.fields.is_empty()),
                    "{text}"
                );
                let after = stored(decision, &before);
                assert_eq!(after.roles, roles(roles_after), "{text}");
                assert_eq!(after.feed_roles, Roles::NONE, "{text}");
                assert!(after.manager_granted, "{text}");
                assert!(
                    decided(lines, terms, &after) == Decision::Unchanged,
                    "{text}"
                );
            }
        }
        let created = User::create(&person(lines, &[]), terms);
        assert_eq!(
            (created.roles, created.feed_roles, created.manager_granted),
            (roles("LM"), Roles::NONE, true)
        );
    }

    /// With an address that is kept there is no fingerprint to store, but there is the mark.
    #[test]
    fn the_silent_mark_is_stored_also_where_something_of_the_row_is_not() {
        let terms = Terms {
            keep_address: true,
            becomes_manager: true,
            ..Terms::default()
        };
        let before = user("a@x.io id=1 manager").1;
        let decision = decided("Id,Email,Name / 1,b@x.io,Ann", terms, &before);
        let refresh = Refresh {
            fingerprint: None,
            manager_granted: true,
        };
        assert!(decision == Decision::Refresh(refresh));
    }

    #[test]
    fn managers_are_replaced_by_those_who_were_found_and_kept_where_nobody_was() {
        let [b, c] = ["b@x.io", "c@x.io"].map(id_by_email);
        let before = User {
            manager_ids: [b].into(),
            ..user("a@x.io").1
        };
        let lines = "Email,Name,Manager / a@x.io,Ann,someone";
        let mapping = mapping_of(&csv(lines), false);
        for (found, after, is_change) in [(&[c][..], c, true), (&[b], b, false), (&[], b, false)] {
            let decision = decide(&mapping, &person(lines, found), Terms::default(), &before);
            assert_eq!(change(&decision).is_some(), is_change);
            assert!(stored(decision, &before).manager_ids == [after].into());
        }
    }

    #[test]
    fn who_is_missing_becomes_inactive_if_the_feed_manages_an_active_user() {
        let disable = WithoutRow {
            disable: true,
            ..WithoutRow::default()
        };
        for (text, disabled) in [
            ("a@x.io", true),
            ("a@x.io unmanaged", false),
            ("a@x.io inactive", false),
            ("a@x.io missed", false),
        ] {
            let before = User {
                fingerprint: Some(person("Email,Name / a@x.io,Ann", &[]).fingerprint),
                ..user(text).1
            };
            let decision = decide_without_row(disable, &before, "upload");
            let after = stored(decision.clone(), &before);
            if !disabled {
                assert!(decision == Decision::Unchanged, "{text}");
                continue;
            }
            let outcome = change(&decision).map(|change| change.outcome);
            assert_eq!(outcome, Some(Updated::Disabled), "{text}");
            assert_eq!(after.status, Status::Inactive, "{text}");
            assert_eq!(after.disabled_by_upload.as_deref(), Some("upload"));
            assert_eq!(after.fingerprint, None, "coming back is a change");
            let again = decide_without_row(disable, &after, "later");
            assert!(again == Decision::Unchanged, "{text}");
        }
    }

    #[test]
    fn a_manager_without_a_row_gets_the_role_once_and_may_be_disabled_too() {
        let fingerprint = Some(person("Email,Name / a@x.io,Ann", &[]).fingerprint);
        for (text, disable, expected) in [
            ("a@x.io", false, Some((Updated::StatusKept, true))),
            ("a@x.io manager", false, None),
            ("a@x.io granted", false, None),
            ("a@x.io", true, Some((Updated::Disabled, true))),
            ("a@x.io manager", true, Some((Updated::Disabled, false))),
            ("a@x.io inactive", true, Some((Updated::StatusKept, true))),
        ] {
            let what = WithoutRow {
                disable,
                becomes_manager: true,
            };
            let before = User {
                fingerprint,
                ..user(text).1
            };
            let decision = decide_without_row(what, &before, "upload");
            let counted = change(&decision).map(|change| (change.outcome, change.made_manager));
            assert_eq!(counted, expected, "{text}, {disable}");
            let after = stored(decision, &before);
            assert!(after.manager_granted, "{text}");
            assert_eq!(
                after.fingerprint.is_some(),
                expected.is_none(),
                "{text}: only a change removes the fingerprint"
            );
            let again = decide_without_row(what, &after, "upload");
            assert!(again == Decision::Unchanged, "{text}, {disable}");
        }
    }

    #[test]
    fn status_0_that_was_approved_is_no_absence() {
        let fingerprint = Some(person("Email,Name / a@x.io,Ann", &[]).fingerprint);
        let before = User {
            fingerprint,
            ..user("a@x.io").1
        };
        let decision = decide_approved(&before);
        let outcome = change(&decision).map(|change| change.outcome);
        assert_eq!(outcome, Some(Updated::Disabled));
        let after = stored(decision, &before);
        assert_eq!(after.status, Status::Inactive);
        assert_eq!(
            (after.disabled_by_upload.as_ref(), after.fingerprint),
            (None, None)
        );
        assert!(decide_approved(&after) == Decision::Unchanged);
        // So a file without statuses does not bring the user back.
        let back = decided("Email,Name / a@x.io,Ann", Terms::default(), &after);
        assert!(change(&back).is_none());
    }

    #[test]
    fn who_was_missing_comes_back_with_a_row_and_who_was_made_inactive_otherwise_does_not() {
        for (text, row, after, is_change) in [
            ("missed", "Email,Name / a@x.io,Ann", Status::Active, true),
            (
                "inactive",
                "Email,Name / a@x.io,Ann",
                Status::Inactive,
                false,
            ),
            // With a status in the file it is the status that says so.
            (
                "missed",
                "Email,Name,Status / a@x.io,Ann,",
                Status::Inactive,
                false,
            ),
            (
                "missed",
                "Email,Name,Status / a@x.io,Ann,0",
                Status::Inactive,
                false,
            ),
            (
                "inactive",
                "Email,Name,Status / a@x.io,Ann,1",
                Status::Active,
                true,
            ),
        ] {
            let before = user(&format!("a@x.io {text}")).1;
            let decision = decided(row, Terms::default(), &before);
            let outcome = change(&decision).map(|change| change.outcome);
            let expected = is_change.then_some(Updated::Enabled);
            assert_eq!(outcome, expected, "{text}, {row}");
            let stored = stored(decision, &before);
            assert_eq!(stored.status, after, "{text}, {row}");
            let of_absence = stored.disabled_by_upload.is_some();
            assert_eq!(of_absence, text == "missed" && after == Status::Inactive);
        }
    }

    #[test]
    fn somebody_without_an_external_id_gets_the_rows_and_keeps_the_rest() {
        let before = user("a@x.io").1;
        let decision = decided("Id,Email,Name / 1,a@x.io,Ann", Terms::default(), &before);
        assert!(change(&decision).is_some());
        let after = stored(decision, &before);
        assert_eq!(after.external_id.as_deref(), Some("1"));
        assert!(after.email == before.email && after.roles == before.roles);
    }
}
