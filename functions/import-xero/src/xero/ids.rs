//! Xero's ids. All are GUIDs, and one in the place of another is answered with 403, so each is a type.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use uuid::Uuid;

/// The text is no id of Xero's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an id of Xero's is a GUID")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map($name).map_err(|_| NotAnId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// That our app may see an organisation. A connection is deleted by this id, and by no other.
    ConnectionId
}

id! {
    /// An organisation. It goes into the header `Xero-Tenant-Id`.
    TenantId
}

id! {
    /// One consent, in which one organisation or several may have been chosen.
    AuthEventId
}

id! {
    /// Somebody who signs in to Xero. Tokens are theirs, not an organisation's.
    XeroUserId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_and_serde_goes_through_the_one_constructor() {
        let id = "e1eede29-f875-4a5d-8470-17f6a29a88b1";
        let read = |json: &str| serde_json::from_str::<TenantId>(json);
        let tenant = read(&format!("\"{}\"", id.to_uppercase())).unwrap();
        assert_eq!(tenant.to_string(), id);
        assert_eq!(serde_json::to_string(&tenant).unwrap(), format!("\"{id}\""));
        assert!(read(r#""""#).is_err());
        assert!(read("null").is_err());
        assert_eq!("../Users".parse::<ConnectionId>(), Err(NotAnId));
    }
}
