//! The roles of Go1 (`docs/rules.md`, "What a row does"). Which of a user's are the feed's is decided in
//! `user`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A role in a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Takes courses; what a new user is by default.
    Learner,
    /// Sees how others learn.
    Manager,
    /// Makes courses.
    #[serde(rename = "Content administrator")]
    ContentAdministrator,
    /// Runs the portal.
    Administrator,
}

impl Role {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Role; 4] = [
        Role::Learner,
        Role::Manager,
        Role::ContentAdministrator,
        Role::Administrator,
    ];

    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Learner => "Learner",
            Role::Manager => "Manager",
            Role::ContentAdministrator => "Content administrator",
            Role::Administrator => "Administrator",
        }
    }

    /// The role that a part of a cell names, in any case; `None`: there is no such role.
    pub fn named(part: &str) -> Option<Self> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(part))
    }
}

/// A set of roles.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles(u8);

impl Roles {
    /// No role.
    pub const NONE: Roles = Roles(0);

    /// Whether this role is one of them.
    pub fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// These and that one.
    pub fn with(self, role: Role) -> Self {
        Roles(self.0 | 1 << role as u8)
    }

    /// These and those.
    pub fn and(self, others: Roles) -> Self {
        Roles(self.0 | others.0)
    }

    /// These without those.
    pub fn without(self, others: Roles) -> Self {
        Roles(self.0 & !others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order in which they are shown.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL
            .into_iter()
            .filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Roles::NONE, Roles::with)
    }
}

impl From<Vec<Role>> for Roles {
    fn from(roles: Vec<Role>) -> Self {
        roles.into_iter().collect()
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.iter().collect()
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::subsequence;
    use std::collections::BTreeSet;

    #[test]
    fn roles_are_named_in_any_case() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.as_str()), Some(role));
            assert_eq!(Role::named(&role.as_str().to_uppercase()), Some(role));
            assert_eq!(
                serde_json::to_value(role).unwrap(),
                serde_json::json!(role.as_str())
            );
        }
        for none in ["", "Admin", "Learner ", "Content  administrator"] {
            assert_eq!(Role::named(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn roles_are_a_set(a in subsequence(&Role::ALL[..], 0..=4), b in subsequence(&Role::ALL[..], 0..=4)) {
            let set = |roles: Roles| roles.iter().collect::<BTreeSet<Role>>();
            let (left, right): (BTreeSet<_>, BTreeSet<_>) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (a, b): (Roles, Roles) = (a.into(), b.into());
            prop_assert_eq!(set(a), left.clone());
            prop_assert_eq!(set(a.and(b)), &left | &right);
            prop_assert_eq!(set(a.without(b)), &left - &right);
            prop_assert_eq!(a.is_empty(), left.is_empty());
            prop_assert_eq!(a == b, left == right);
            for role in Role::ALL {
                prop_assert_eq!(a.contains(role), left.contains(&role));
                prop_assert_eq!(a.with(role), a.and(Roles::NONE.with(role)));
            }
        }
    }

    #[test]
    fn roles_are_shown_and_stored_in_one_order() {
        let roles: Roles = [Role::Administrator, Role::Learner, Role::Administrator]
            .into_iter()
            .collect();
        let stored = serde_json::to_string(&roles).unwrap();
        assert_eq!(stored, r#"["Learner","Administrator"]"#);
        assert_eq!(serde_json::from_str::<Roles>(&stored).unwrap(), roles);
        assert_eq!(format!("{roles:?}"), "{Learner, Administrator}");
    }
}
