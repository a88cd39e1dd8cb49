//! The only place where keys are made, for both tables (`docs/architecture.md`, "Data").

use aws_sdk_dynamodb::types::AttributeValue;
use mapping::identity::{PortalId, UserId};
use std::collections::HashMap;
use std::fmt;

/// The name of both tables' partition key.
pub const PK: &str = "pk";
/// The name of both tables' sort key.
pub const SK: &str = "sk";

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// Where an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Partition.
    pub pk: String,
    /// Place in the partition.
    pub sk: String,
}

impl Key {
    /// As the SDK wants it.
    pub fn item(&self) -> Item {
        let text = |value: &String| AttributeValue::S(value.clone());
        HashMap::from([
            (PK.to_owned(), text(&self.pk)),
            (SK.to_owned(), text(&self.sk)),
        ])
    }

    /// A user, in the users table.
    pub fn user(portal: PortalId, user_id: UserId) -> Self {
        Key {
            pk: user_shard(portal, user_id.shard()),
            sk: user_id.to_string(),
        }
    }

    /// A portal.
    pub fn portal(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "PORTAL".to_owned(),
        }
    }

    /// The line of a portal in the list of all of them.
    pub fn portal_in_list(portal: PortalId) -> Self {
        Key {
            pk: PORTALS.to_owned(),
            sk: portal.to_string(),
        }
    }

    /// The mapping that files are read with.
    pub fn mapping(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "MAPPING".to_owned(),
        }
    }

    /// A mapping as it was once saved.
    pub fn mapping_version(portal: PortalId, version: u64) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("MAPPING#{version}"),
        }
    }

    /// An upload; ids sort by time.
    pub fn upload(portal: PortalId, upload_id: impl fmt::Display) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{UPLOAD_PREFIX}{upload_id}"),
        }
    }

    /// A file that waits for its turn, or has it; sorts by time.
    pub fn queued(portal: PortalId, received_at: &str, upload_id: impl fmt::Display) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{QUEUE_PREFIX}{received_at}#{upload_id}"),
        }
    }

    /// Something that somebody did to the portal; ids sort by time.
    pub fn audit(portal: PortalId, audit_id: impl fmt::Display) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{AUDIT_PREFIX}{audit_id}"),
        }
    }

    /// Which key pair is the portal's, and whether one is being issued.
    pub fn credentials(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "CREDENTIALS".to_owned(),
        }
    }

    /// A portal that is being given up.
    pub fn off_boarding(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: OFF_BOARDING.to_owned(),
        }
    }

    /// An account that acts for the portal.
    pub fn administrator(portal: PortalId, account_id: &str) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{ADMINISTRATOR_PREFIX}{account_id}"),
        }
    }

    /// A person who was erased, while traces of them are left.
    pub fn erasure(portal: PortalId, user_id: UserId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{ERASURE_PREFIX}{user_id}"),
        }
    }

    /// Who works on the portal's files.
    pub fn lease(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "LEASE".to_owned(),
        }
    }

    /// The newest planned version of an object's key.
    pub fn newest_of_key(portal: PortalId, key_hash: &str) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("NEWEST#{key_hash}"),
        }
    }

    /// When the portal's next file is expected.
    pub fn expected_file(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "EXPECTED".to_owned(),
        }
    }

    /// What somebody is to be told of an upload; `nth` counts its ends.
    pub fn notice(portal: PortalId, upload_id: impl fmt::Display, nth: u32) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{NOTICE_PREFIX}{upload_id}#{nth}"),
        }
    }

    /// Learning that a user was assigned.
    pub fn assignment(portal: PortalId, user_id: UserId, learning_id: u64) -> Self {
        Key {
            pk: assignment_shard(portal, user_id.shard()),
            sk: format!("{user_id}#{learning_id}"),
        }
    }

    /// The portal's connection with Xero.
    pub fn xero(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "XERO".to_owned(),
        }
    }

    /// Somebody on the way to Xero and back.
    pub fn xero_attempt(portal: PortalId, state_hash: &str) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("XERO_STATE#{state_hash}"),
        }
    }

    /// A connection with Xero that is to be given back.
    pub fn xero_return(portal: PortalId, consent: &str) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{XERO_RETURN_PREFIX}{consent}"),
        }
    }

    /// The import from Xero that has not ended.
    pub fn xero_import(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "XERO_IMPORT".to_owned(),
        }
    }

    /// What all imports from Xero came to.
    pub fn xero_imported(portal: PortalId) -> Self {
        Key {
            pk: portal.to_string(),
            sk: "XERO_IMPORTED".to_owned(),
        }
    }

    /// Which user somebody of Xero's is.
    pub fn xero_employee(portal: PortalId, employee_id: impl fmt::Display) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("{XERO_EMPLOYEE_PREFIX}{employee_id}"),
        }
    }

    /// That a portal has tokens of a Xero user.
    pub fn xero_user(xero_user: &str, portal: PortalId) -> Self {
        Key {
            pk: Key::xero_user_partition(xero_user),
            sk: portal.to_string(),
        }
    }

    /// The portals that have tokens of a Xero user.
    pub fn xero_user_partition(xero_user: &str) -> String {
        format!("XERO_USER#{xero_user}")
    }

    /// Whose turn it is to ask an organisation of Xero's.
    pub fn xero_calls(tenant_id: &str) -> Self {
        Key {
            pk: format!("XERO_ORGANISATION#{tenant_id}"),
            sk: "CALLS".to_owned(),
        }
    }

    /// The version of an object that was claimed once. A key may be as long as a sort key (1,024 bytes),
    /// so it stands here as a hash.
    pub fn object(portal: PortalId, object_hash: &str) -> Self {
        Key {
            pk: portal.to_string(),
            sk: format!("OBJECT#{object_hash}"),
        }
    }
}

/// The partition that lists the portals.
pub const PORTALS: &str = "PORTALS";

/// What the sort keys of uploads begin with.
pub const UPLOAD_PREFIX: &str = "UPLOAD#";

/// What the sort keys of the audit trail begin with, which outlives its portal.
pub const AUDIT_PREFIX: &str = "AUDIT#";

/// What the sort keys of queue entries begin with.
pub const QUEUE_PREFIX: &str = "QUEUE#";

/// What the sort keys of notices begin with.
pub const NOTICE_PREFIX: &str = "NOTICE#";

/// The sort key of the portals that are being given up.
pub const OFF_BOARDING: &str = "OFF_BOARDING";

/// What the sort keys of administrators' accounts begin with.
pub const ADMINISTRATOR_PREFIX: &str = "ADMINISTRATOR#";

/// What the sort keys of erasures begin with.
pub const ERASURE_PREFIX: &str = "ERASURE#";

/// What the sort keys of everything about Xero begin with.
pub const XERO_PREFIX: &str = "XERO";

/// What the sort keys of connections begin with that are to be given back, which outlive their portal.
pub const XERO_RETURN_PREFIX: &str = "XERO_RETURN#";

/// What the sort keys of Xero's employees begin with.
pub const XERO_EMPLOYEE_PREFIX: &str = "XERO_EMPLOYEE#";

/// The partition key of the index `work`, which holds what is due some time.
pub const WORK_SHARD: &str = "work_shard";
/// The sort key of the index `work`.
pub const WORK_DUE_AT: &str = "due_at";

/// Partitions of the index `work`: one takes 1,000 writes a second, and a run renews its lease every 5 s.
const WORK_SHARDS: u64 = 4;

/// The partition that a portal's work is in.
pub fn work_shard(portal: PortalId) -> String {
    (portal.number() % WORK_SHARDS).to_string()
}

/// All partitions of the index.
pub fn work_shards() -> impl Iterator<Item = String> {
    (0..WORK_SHARDS).map(|shard| shard.to_string())
}

/// One of the 16 partitions of a portal's users: one partition takes 1,000 writes a second.
pub fn user_shard(portal: PortalId, shard: char) -> String {
    format!("{portal}#{shard}")
}

/// All of a portal's partitions of assignments.
pub fn assignment_shards(portal: PortalId) -> impl Iterator<Item = String> {
    "0123456789abcdef"
        .chars()
        .map(move |shard| assignment_shard(portal, shard))
}

/// One of the 16 partitions of what a portal's users were assigned.
pub fn assignment_shard(portal: PortalId, shard: char) -> String {
    format!("{portal}#ASSIGNMENT#{shard}")
}

/// All of a portal's partitions.
pub fn user_shards(portal: PortalId) -> impl Iterator<Item = String> {
    "0123456789abcdef"
        .chars()
        .map(move |shard| user_shard(portal, shard))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::identity::Identity;

    #[test]
    fn keys_are_spelled_as_documented() {
        let portal: PortalId = "1001".parse().unwrap();
        let user_id = UserId::of(portal, &Identity::Email("ann@x.example"), 0);
        let spelled = |key: Key| format!("{} / {}", key.pk, key.sk);
        assert_eq!(
            spelled(Key::user(portal, user_id)),
            format!("1001#2 / {user_id}")
        );
        assert_eq!(spelled(Key::portal(portal)), "1001 / PORTAL");
        assert_eq!(spelled(Key::mapping_version(portal, 3)), "1001 / MAPPING#3");
        assert_eq!(spelled(Key::upload(portal, "01J")), "1001 / UPLOAD#01J");
        assert_eq!(spelled(Key::audit(portal, "01J")), "1001 / AUDIT#01J");
        assert_eq!(
            spelled(Key::queued(portal, "2026-11-22T10:00:00.000Z", "01J")),
            "1001 / QUEUE#2026-11-22T10:00:00.000Z#01J"
        );
        assert_eq!(user_shards(portal).count(), 16);
        assert!(user_shards(portal).any(|shard| shard == Key::user(portal, user_id).pk));
    }
}
