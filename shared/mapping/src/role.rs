//! The roles of Go1 (`docs/rules.md`, "What a row does"). Which of a user's are the feed's is decided in
//! `user`.

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
