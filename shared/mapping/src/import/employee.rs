//! Somebody of a Xero organisation, as Xero has them. What is wrong with them is not looked at here.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use uuid::Uuid;

/// Xero's id of an employee, or of a user: a GUID, written in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmployeeId(Uuid);

/// The text is no id of an employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an employee id is 32 hexadecimal digits with hyphens, not all of them 0")]
pub struct NotAnEmployeeId;

/// The length of a GUID with hyphens. Of the forms that `Uuid` can read it is the only one of Xero's.
const GUID_CHARS: usize = 36;

impl FromStr for EmployeeId {
    type Err = NotAnEmployeeId;

    fn from_str(text: &str) -> Result<Self, NotAnEmployeeId> {
        let id = Uuid::try_parse(text).map_err(|_| NotAnEmployeeId)?;
        // The empty GUID is how .NET, in which Xero is written, spells that there is none.
        if text.len() != GUID_CHARS || id.is_nil() {
            return Err(NotAnEmployeeId);
        }
        Ok(EmployeeId(id))
    }
}

impl TryFrom<String> for EmployeeId {
    type Error = NotAnEmployeeId;

    fn try_from(text: String) -> Result<Self, NotAnEmployeeId> {
        text.parse()
    }
}

impl From<EmployeeId> for String {
    fn from(id: EmployeeId) -> String {
        id.to_string()
    }
}

impl fmt::Display for EmployeeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the people of an organisation are to Xero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Employees of its payroll.
    PayrollEmployees,
    /// Whoever has a login to it, employee or not: of some countries Xero has nobody else.
    XeroUsers,
}

/// Somebody of an organisation, as Xero has them. Anything may be missing or odd: that is one line among
/// those who cannot be imported, and holds up nobody else.
///
/// No `Debug`: names and addresses.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Employee {
    /// `None`: there is none, or it is no GUID.
    pub id: Option<EmployeeId>,
    /// As it was sent.
    pub first_name: Option<String>,
    /// As it was sent.
    pub last_name: Option<String>,
    /// As it was sent.
    pub email: Option<String>,
    /// As it was sent, also a value that Xero has not told us of; users have none.
    pub status: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_guid_in_any_case_and_has_one_spelling() {
        let id = "cdfb8371-0b21-4b8a-8903-1024df6c391e";
        for good in [id, &id.to_uppercase()] {
            assert_eq!(good.parse::<EmployeeId>().unwrap().to_string(), id);
        }
        for bad in [
            "",
            "ann",
            " cdfb8371-0b21-4b8a-8903-1024df6c391e",
            "cdfb8371-0b21-4b8a-8903-1024df6c391",
            "cdfb83710b214b8a89031024df6c391e",
            "{cdfb8371-0b21-4b8a-8903-1024df6c391e}",
            "urn:uuid:cdfb8371-0b21-4b8a-8903-1024df6c391e",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(bad.parse::<EmployeeId>(), Err(NotAnEmployeeId), "{bad:?}");
        }
    }

    #[test]
    fn serde_goes_through_the_one_constructor() {
        let read = |json: &str| serde_json::from_str::<EmployeeId>(json);
        let id = read(r#""CDFB8371-0B21-4B8A-8903-1024DF6C391E""#).unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, r#""cdfb8371-0b21-4b8a-8903-1024df6c391e""#);
        assert!(read(r#""00000000-0000-0000-0000-000000000000""#).is_err());
        assert!(read(r#""x""#).is_err());
        assert_eq!(
            serde_json::to_string(&Source::XeroUsers).unwrap(),
            r#""xero_users""#
        );
    }
}
