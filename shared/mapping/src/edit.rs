//! A change that somebody makes to a user in the portal: what is wrong with it, and what it does
//! (`docs/rules.md`, "Changes in the portal"). Who may make it, and how it is stored, is not decided here.

use crate::fields::Status;
use crate::group::Groups;
use crate::identity::{UserId, check_email};
use crate::problem::{Problem, ProblemCode};
use crate::record::{MAX_VALUE_CHARS, has_line_break};
use crate::role::Role;
use std::collections::BTreeSet;

/// Groups, and managers, that one change can add: all of them are looked up, and each group's learning is
/// assigned, while somebody waits.
pub const MAX_ADDED: usize = 100;

/// What of a user can be changed in the portal, and what follows from a change.
#[derive(Clone, PartialEq, Eq)]
pub struct Editable {
    /// As it was sent, trimmed.
    pub email: String,
    /// Not empty.
    pub first_name: String,
    /// Not empty.
    pub last_name: String,
    /// Whether the user can sign in.
    pub status: Status,
    /// Whoever gave them.
    pub roles: BTreeSet<Role>,
    /// Those that the feed gave.
    pub feed_roles: BTreeSet<Role>,
    /// The groups that the user is in.
    pub group_ids: BTreeSet<u64>,
    /// The user's managers.
    pub manager_ids: BTreeSet<UserId>,
    /// The upload that made the user inactive because of an absence.
    pub disabled_by_upload: Option<String>,
}

/// A change as it is sent. What is `None` is not part of it.
#[derive(Clone, Default)]
pub struct EditDraft {
    /// Not empty.
    pub first_name: Option<String>,
    /// Not empty.
    pub last_name: Option<String>,
    /// One address.
    pub email: Option<String>,
    /// All that the user is to have.
    pub roles: Option<Vec<String>>,
    /// All that the user is to be in.
    pub group_ids: Option<Vec<u64>>,
    /// All that the user is to have.
    pub manager_ids: Option<Vec<String>>,
    /// `active` or `inactive`.
    pub status: Option<String>,
}

/// A change that can be made.
#[derive(Default)]
pub struct Edit {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    roles: Option<BTreeSet<Role>>,
    group_ids: Option<BTreeSet<u64>>,
    manager_ids: Option<BTreeSet<UserId>>,
    status: Option<Status>,
}

impl EditDraft {
    /// The managers that the change would add, as far as what it names are ids. Whoever checks it has to know
    /// which of them exist.
    pub fn added_managers(&self, user: &Editable) -> BTreeSet<UserId> {
        let named = self.manager_ids.iter().flatten();
        named
            .filter_map(|id| UserId::spelled(id))
            .filter(|id| !user.manager_ids.contains(id))
            .collect()
    }
}

impl Editable {
    /// What differs, as a change spells it.
    pub fn changed_since(&self, before: &Editable) -> Vec<&'static str> {
        // In full, so that a new field does not compile until it is named.
        let Editable {
            email,
            first_name,
            last_name,
            status,
            roles,
            feed_roles: _,
            group_ids,
            manager_ids,
            disabled_by_upload: _,
        } = self;
        let fields = [
            ("email", *email != before.email),
            ("first_name", *first_name != before.first_name),
            ("last_name", *last_name != before.last_name),
            ("status", *status != before.status),
            ("roles", *roles != before.roles),
            ("group_ids", *group_ids != before.group_ids),
            ("manager_ids", *manager_ids != before.manager_ids),
        ];
        let changed = fields.into_iter().filter(|(_, differs)| *differs);
        changed.map(|(name, _)| name).collect()
    }
}

impl Edit {
    /// Checks a change of `user`: `groups` are the portal's, `people` those of the
    /// [added managers](EditDraft::added_managers) who exist. Values are trimmed as those of rows are.
    ///
    /// A group and a manager that the user has already may be sent again, also if there is no such any more:
    /// whoever adds one to what was shown is not to be refused for the others.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, never empty.
    pub fn check(
        draft: &EditDraft,
        user_id: UserId,
        user: &Editable,
        groups: &Groups,
        people: &BTreeSet<UserId>,
    ) -> Result<Self, Vec<Problem>> {
        // In full, so that a new field does not compile until it is checked.
        let EditDraft {
            first_name,
            last_name,
            email,
            roles,
            group_ids,
            manager_ids,
            status,
        } = draft;
        let mut problems = Vec::new();
        let edit = Edit {
            first_name: name("first_name", first_name.as_deref(), &mut problems),
            last_name: name("last_name", last_name.as_deref(), &mut problems),
            email: address(email.as_deref(), &mut problems),
            roles: roles.as_ref().map(|roles| named(roles, &mut problems)),
            group_ids: group_ids.as_ref().map(|ids| {
                let ids = BTreeSet::from_iter(ids.iter().copied());
                check_groups(&ids, user, groups, &mut problems);
                ids
            }),
            manager_ids: manager_ids
                .as_ref()
                .map(|ids| managers(ids, user_id, user, people, &mut problems)),
            status: status.as_deref().and_then(|text| {
                let status = Status::stored(text.trim());
                if status.is_none() {
                    let message = "A status is active or inactive.";
                    problems.push(wrong("status", message).value(text));
                }
                status
            }),
        };
        if problems.is_empty() {
            Ok(edit)
        } else {
            Err(problems)
        }
    }

    /// The user as the change makes it; `None`: it changes nothing.
    ///
    /// Who says that a user is inactive, of one whom the feed made inactive, means it: that is a change, by
    /// which the feed does not enable the user again.
    pub fn apply(&self, user: &Editable) -> Option<Editable> {
        let Edit {
            first_name,
            last_name,
            email,
            roles,
            group_ids,
            manager_ids,
            status,
        } = self;
        let mut after = user.clone();
        replace(&mut after.first_name, first_name);
        replace(&mut after.last_name, last_name);
        replace(&mut after.email, email);
        replace(&mut after.roles, roles);
        replace(&mut after.group_ids, group_ids);
        replace(&mut after.manager_ids, manager_ids);
        replace(&mut after.status, status);
        let meant = *status == Some(Status::Inactive) && user.disabled_by_upload.is_some();
        if after == *user && !meant {
            return None;
        }
        after.disabled_by_upload = None;
        if roles.is_some() {
            // What is taken away here is not the feed's any more. What stays keeps its giver.
            after.feed_roles = &user.feed_roles & &after.roles;
        }
        Some(after)
    }
}

fn replace<T: Clone>(value: &mut T, by: &Option<T>) {
    if let Some(by) = by {
        value.clone_from(by);
    }
}

fn wrong(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::InvalidValue)
        .field(field)
        .message(message)
}

fn name(field: &str, text: Option<&str>, problems: &mut Vec<Problem>) -> Option<String> {
    let name = text?.trim();
    if name.is_empty() {
        problems.push(wrong(field, "A name is not empty."));
    } else if name.chars().count() > MAX_VALUE_CHARS {
        let message = "A name has at most 1,000 characters.";
        problems.push(wrong(field, message).value(name));
    } else if has_line_break(name) {
        let message = "A name has no line break and no NUL.";
        problems.push(wrong(field, message).value(name));
    }
    Some(name.to_owned())
}

fn address(text: Option<&str>, problems: &mut Vec<Problem>) -> Option<String> {
    let address = text?.trim();
    if check_email(address).is_err() {
        problems.push(wrong("email", "The value is not one e-mail address.").value(address));
    }
    Some(address.to_owned())
}

fn named(roles: &[String], problems: &mut Vec<Problem>) -> BTreeSet<Role> {
    let mut known = BTreeSet::new();
    for text in roles {
        match Role::named(text.trim()) {
            Some(role) => _ = known.insert(role),
            None => {
                let all = Role::ALL.map(Role::as_str).join(", ");
                problems.push(wrong("roles", format!("The roles are {all}.")).value(text));
            }
        }
    }
    known
}

fn check_groups(
    ids: &BTreeSet<u64>,
    user: &Editable,
    groups: &Groups,
    problems: &mut Vec<Problem>,
) {
    let added: Vec<u64> = ids.difference(&user.group_ids).copied().collect();
    if added.len() > MAX_ADDED {
        let message = format!("At most {MAX_ADDED} groups can be added at once.");
        return problems.push(wrong("group_ids", message));
    }
    for id in added.iter().filter(|id| groups.find(**id).is_none()) {
        let message = "The portal has no group of this number.";
        problems.push(wrong("group_ids", message).value(&id.to_string()));
    }
}

fn managers(
    ids: &[String],
    user_id: UserId,
    user: &Editable,
    people: &BTreeSet<UserId>,
    problems: &mut Vec<Problem>,
) -> BTreeSet<UserId> {
    let mut managers = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for text in ids {
        match UserId::spelled(text) {
            Some(id) => _ = managers.insert(id),
            None => _ = unknown.insert(text.clone()),
        }
    }
    let added: Vec<UserId> = managers.difference(&user.manager_ids).copied().collect();
    if added.len() + unknown.len() > MAX_ADDED {
        let message = format!("At most {MAX_ADDED} managers can be added at once.");
        problems.push(wrong("manager_ids", message));
        return managers;
    }
    if managers.contains(&user_id) {
        let message = "Nobody is their own manager.";
        problems.push(wrong("manager_ids", message).value(&user_id.to_string()));
    }
    let nobody = added
        .iter()
        .filter(|id| **id != user_id && !people.contains(id))
        .map(UserId::to_string);
    for text in nobody.chain(unknown) {
        let message = "The portal has no user of this id.";
        problems.push(wrong("manager_ids", message).value(&text));
    }
    managers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Group;
    use crate::identity::{Identity, PortalId};

    fn id(name: &str) -> UserId {
        let portal: PortalId = "1".parse().unwrap();
        UserId::of(portal, &Identity::Email(name), 0)
    }

    /// Inactive by the feed's hand, in the groups 7 and 9 (of which the portal has forgotten 9), managed by Bob.
    fn ann() -> Editable {
        Editable {
            email: "Ann@x.example".to_owned(),
            first_name: "Ann".to_owned(),
            last_name: "Lee".to_owned(),
            status: Status::Inactive,
            roles: [Role::Learner, Role::Manager].into(),
            feed_roles: [Role::Manager].into(),
            group_ids: [7, 9].into(),
            manager_ids: [id("bob")].into(),
            disabled_by_upload: Some("01J".to_owned()),
        }
    }

    fn check(draft: &EditDraft) -> Result<Edit, Vec<Problem>> {
        let groups = (1..=200).filter(|id| *id != 9).map(|id| Group {
            id,
            learning_ids: Vec::new(),
        });
        let groups = Groups::new(groups.collect());
        Edit::check(draft, id("ann"), &ann(), &groups, &[id("eve")].into())
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn list(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    /// What a change does: a draft, and how the user differs afterwards from [`ann`]; `None`: not at all.
    type Case = (EditDraft, Option<fn(&mut Editable)>);

    #[test]
    fn a_change_does_what_it_says_and_takes_the_disable_from_the_feed() {
        let none = EditDraft::default;
        let bob = id("bob").to_string();
        let eve = id("eve").to_string();
        let cases: Vec<Case> = vec![
            (none(), None),
            (
                EditDraft {
                    first_name: some(" Ann "),
                    last_name: some("Lee"),
                    email: some("Ann@x.example"),
                    roles: list(&["manager", "LEARNER", "Learner"]),
                    group_ids: Some(vec![9, 7, 7]),
                    manager_ids: list(&[&bob]),
                    ..none()
                },
                None,
            ),
            (
                EditDraft {
                    first_name: some("\u{A0}Anna "),
                    ..none()
                },
                Some(|user| user.first_name = "Anna".to_owned()),
            ),
            (
                EditDraft {
                    last_name: some("Li"),
                    email: some(" ann@X.example"),
                    ..none()
                },
                Some(|user| {
                    user.last_name = "Li".to_owned();
                    user.email = "ann@X.example".to_owned();
                }),
            ),
            (
                EditDraft {
                    roles: list(&["Learner", "administrator"]),
                    ..none()
                },
                Some(|user| {
                    user.roles = [Role::Learner, Role::Administrator].into();
                    user.feed_roles.clear();
                }),
            ),
            (
                EditDraft {
                    roles: list(&["Manager"]),
                    ..none()
                },
                Some(|user| user.roles = [Role::Manager].into()),
            ),
            (
                EditDraft {
                    roles: list(&[]),
                    group_ids: Some(Vec::new()),
                    manager_ids: list(&[]),
                    ..none()
                },
                Some(|user| {
                    user.roles.clear();
                    user.feed_roles.clear();
                    user.group_ids.clear();
                    user.manager_ids.clear();
                }),
            ),
            (
                EditDraft {
                    group_ids: Some(vec![9, 8]),
                    manager_ids: list(&[&eve, &bob]),
                    ..none()
                },
                Some(|user| {
                    user.group_ids = [8, 9].into();
                    user.manager_ids.insert(id("eve"));
                }),
            ),
            (
                EditDraft {
                    status: some("active"),
                    ..none()
                },
                Some(|user| user.status = Status::Active),
            ),
            // Inactive as before, but by an administrator's word now.
            (
                EditDraft {
                    status: some("inactive"),
                    ..none()
                },
                Some(|_| ()),
            ),
        ];
        for (nth, (draft, differs)) in cases.into_iter().enumerate() {
            let edit = check(&draft).unwrap_or_else(|problems| panic!("{nth}: {problems:?}"));
            let expected = differs.map(|differs| {
                let mut user = ann();
                differs(&mut user);
                user.disabled_by_upload = None;
                user
            });
            assert!(edit.apply(&ann()) == expected, "case {nth}");
            // And once more: nothing.
            if let Some(after) = expected {
                assert!(edit.apply(&after).is_none(), "case {nth}, again");
            }
        }
    }

    #[test]
    fn a_user_whom_nobody_disabled_is_inactive_already_and_stays_so() {
        let by_hand = Editable {
            disabled_by_upload: None,
            ..ann()
        };
        let draft = EditDraft {
            status: some("inactive"),
            ..EditDraft::default()
        };
        assert!(check(&draft).ok().unwrap().apply(&by_hand).is_none());
    }

    #[test]
    fn everything_that_is_wrong_with_a_change_is_listed() {
        let ann = id("ann").to_string();
        let nobody = id("nobody").to_string();
        let many: Vec<u64> = (100..=200).collect();
        let ids: Vec<String> = (0..=100).map(|n| id(&n.to_string()).to_string()).collect();
        let long = "é".repeat(1_001);
        let limit = "é".repeat(1_000);
        let draft = |field: &str, texts: &[&str]| {
            let mut draft = EditDraft::default();
            match field {
                "first_name" => draft.first_name = some(texts[0]),
                "last_name" => draft.last_name = some(texts[0]),
                "email" => draft.email = some(texts[0]),
                "roles" => draft.roles = list(texts),
                "group_ids" => {
                    draft.group_ids = Some(texts.iter().map(|text| text.parse().unwrap()).collect())
                }
                "manager_ids" => draft.manager_ids = list(texts),
                _ => draft.status = some(texts[0]),
            }
            draft
        };
        let many: Vec<String> = many.iter().map(u64::to_string).collect();
        fn refs(texts: &[String]) -> Vec<&str> {
            texts.iter().map(String::as_str).collect()
        }
        for (field, texts, problems) in [
            ("first_name", &[""][..], 1),
            ("first_name", &[" \u{2003}"], 1),
            ("first_name", &["An\nn"], 1),
            ("last_name", &["L\0e"], 1),
            ("last_name", &["L\u{2028}e"], 1),
            ("last_name", &[&long], 1),
            ("last_name", &[&limit], 0),
            ("last_name", &["L\te"], 0),
            ("email", &[""], 1),
            ("email", &["ann"], 1),
            ("email", &["ann@x.example, bob@x.example"], 1),
            ("roles", &["Learner", "Admin", ""], 2),
            ("group_ids", &["7", "9", "201", "202"], 2),
            ("group_ids", &refs(&many), 1),
            ("group_ids", &refs(&many[1..]), 0),
            ("manager_ids", &[&ann, &nobody, "x", ""], 4),
            ("manager_ids", &[&ann.to_uppercase()], 1),
            ("manager_ids", &refs(&ids), 1),
            ("status", &["Active"], 1),
            ("status", &["1"], 1),
            ("status", &[""], 1),
        ] {
            let found = check(&draft(field, texts)).err().unwrap_or_default();
            assert_eq!(found.len(), problems, "{field}: {texts:?}");
            for problem in found {
                assert_eq!(problem.code, ProblemCode::InvalidValue);
                assert_eq!(problem.field.as_deref(), Some(field));
                assert!(problem.message.ends_with('.'), "{}", problem.message);
            }
        }
        let all = EditDraft {
            first_name: some(""),
            last_name: some(""),
            email: some(""),
            roles: list(&["x"]),
            group_ids: Some(vec![0]),
            manager_ids: list(&["x"]),
            status: some("x"),
        };
        assert_eq!(check(&all).err().unwrap().len(), 7);
    }

    #[test]
    fn the_managers_to_look_up_are_those_that_are_new() {
        let draft = EditDraft {
            manager_ids: list(&[&id("bob").to_string(), &id("eve").to_string(), "x"]),
            ..EditDraft::default()
        };
        assert_eq!(draft.added_managers(&ann()), [id("eve")].into());
    }
}
