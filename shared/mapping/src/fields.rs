//! The Go1 fields that a column can feed: the standard ones, and the custom fields that an operator
//! set up for a portal. Which column feeds which is the mapping's business.

use crate::group::Groups;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A field of a Go1 user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// Required; the identity, unless that is the external id.
    Email,
    /// Required.
    FirstName,
    /// Required.
    LastName,
    /// The identity where an operator has enabled it; mapped for nothing else.
    ExternalId,
    /// `1` active, `0` inactive, blank: unchanged.
    Status,
    /// Names of roles.
    Role,
    /// Numbers of groups that the user is added to.
    Group,
    /// Addresses of the user's managers.
    Manager,
    /// One of the portal's own.
    Custom(CustomFieldName),
}

impl Field {
    /// The fields that every portal has, in the order in which they are shown.
    pub const STANDARD: [Field; 8] = [
        Field::Email,
        Field::FirstName,
        Field::LastName,
        Field::ExternalId,
        Field::Status,
        Field::Role,
        Field::Group,
        Field::Manager,
    ];

    /// Whether a mapping without this field is refused.
    pub fn is_required(&self) -> bool {
        matches!(self, Field::Email | Field::FirstName | Field::LastName)
    }

    /// Whether a cell may hold several values, separated by `|`.
    pub fn takes_several(&self) -> bool {
        matches!(self, Field::Role | Field::Group | Field::Manager)
    }

    /// What people call a standard field; an operator has labelled the custom ones.
    pub fn standard_label(&self) -> Option<&'static str> {
        match self {
            Field::Email => Some("Email"),
            Field::FirstName => Some("First Name"),
            Field::LastName => Some("Last Name"),
            Field::ExternalId => Some("External ID"),
            Field::Status => Some("Status"),
            Field::Role => Some("Role"),
            Field::Group => Some("Group"),
            Field::Manager => Some("Manager"),
            Field::Custom(_) => None,
        }
    }

    /// The field's name in mappings and reports; custom fields by their bare name.
    pub fn as_str(&self) -> &str {
        match self {
            Field::Email => "email",
            Field::FirstName => "first_name",
            Field::LastName => "last_name",
            Field::ExternalId => "external_id",
            Field::Status => "status",
            Field::Role => "role",
            Field::Group => "group",
            Field::Manager => "manager",
            Field::Custom(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a user can sign in to the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Yes.
    Active,
    /// No.
    Inactive,
}

impl Status {
    /// From what is stored; `None` if it is none of ours.
    pub fn stored(text: &str) -> Option<Self> {
        [Status::Active, Status::Inactive]
            .into_iter()
            .find(|status| status.as_str() == text)
    }

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Inactive => "inactive",
        }
    }
}

/// The name of a custom field: a lower-case letter, then lower-case letters, digits and `_`, at most
/// [`CustomFieldName::MAX_BYTES`]; none of [`CustomFieldName::RESERVED`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomFieldName(String);

/// The text cannot name a custom field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAFieldName {
    /// Spelling.
    #[error(
        "a custom field's name is a lower-case letter followed by at most 63 lower-case letters, digits or underscores"
    )]
    Spelling,
    /// A custom field of this name could not be told from a standard field.
    #[error("this is the name of a standard field")]
    Reserved,
}

impl CustomFieldName {
    /// Long enough for a speaking name; it is repeated in every user's item.
    pub const MAX_BYTES: usize = 64;

    /// Names that mean something else in a mapping.
    pub const RESERVED: [&str; 8] = [
        "email",
        "first_name",
        "last_name",
        "external_id",
        "status",
        "role",
        "group",
        "manager",
    ];

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CustomFieldName {
    type Err = NotAFieldName;

    fn from_str(text: &str) -> Result<Self, NotAFieldName> {
        let spelled = matches!(text.as_bytes(), [b'a'..=b'z', rest @ ..]
            if rest.len() < Self::MAX_BYTES
                && rest.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_'));
        if !spelled {
            return Err(NotAFieldName::Spelling);
        }
        if Self::RESERVED.contains(&text) {
            return Err(NotAFieldName::Reserved);
        }
        Ok(CustomFieldName(text.to_owned()))
    }
}

impl TryFrom<String> for CustomFieldName {
    type Error = NotAFieldName;

    fn try_from(text: String) -> Result<Self, NotAFieldName> {
        text.parse()
    }
}

impl From<CustomFieldName> for String {
    fn from(name: CustomFieldName) -> String {
        name.0
    }
}

/// The fields that one portal can map.
#[derive(Clone, Debug, Default)]
pub struct FieldCatalogue {
    /// The portal's own, as an operator set them up.
    pub custom: Vec<CustomFieldName>,
    /// The portal's groups.
    pub groups: Groups,
    /// Whether people may be identified by external id.
    pub external_id: bool,
}

impl FieldCatalogue {
    /// The field of this name, if the portal has it.
    pub fn find(&self, name: &str) -> Option<Field> {
        Field::STANDARD
            .into_iter()
            .find(|field| field.as_str() == name)
            .or_else(|| {
                self.custom
                    .iter()
                    .find(|custom| custom.as_str() == name)
                    .cloned()
                    .map(Field::Custom)
            })
    }

    /// The fields that a column can feed: the standard ones, external id only where it is enabled, and then the
    /// portal's own.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        Field::STANDARD
            .into_iter()
            .filter(|field| self.external_id || *field != Field::ExternalId)
            .chain(self.custom.iter().cloned().map(Field::Custom))
    }

    /// The names of all of them, for a message.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.fields().map(|field| field.to_string()).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_field_name_is_lower_snake_case_and_not_a_standard_field() {
        for good in ["employee_id", "job_title", "a", "x9"] {
            assert_eq!(good.parse::<CustomFieldName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Employee",
            "9x",
            "_x",
            "a b",
            "a-b",
            "é",
            &"a".repeat(65),
        ] {
            assert_eq!(
                bad.parse::<CustomFieldName>(),
                Err(NotAFieldName::Spelling),
                "{bad:?}"
            );
        }
        assert_eq!(
            "role".parse::<CustomFieldName>(),
            Err(NotAFieldName::Reserved)
        );
        for field in Field::STANDARD {
            assert!(
                CustomFieldName::RESERVED.contains(&field.as_str()),
                "{field} is not in RESERVED"
            );
        }
    }
}
