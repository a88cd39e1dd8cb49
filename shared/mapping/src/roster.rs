//! The portal's people in brief: enough to tell who is new, who is unchanged, and whom to look at more
//! closely. Whole users are not kept here; a million of them would not fit.

use crate::identity::{EmailKey, IdentityHash, PortalId, UserId};
use crate::record::Fingerprint;

/// One user in brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RosterEntry {
    /// By which rows find the user.
    pub identity: IdentityHash,
    /// Who it is.
    pub user_id: UserId,
    /// Of the row that was applied last.
    pub fingerprint: Option<Fingerprint>,
    /// A fingerprint counts only for users whom the feed manages.
    pub feed_managed: bool,
}

/// All of a portal's users in brief, found by identity and by id.
#[derive(Default)]
pub struct Roster {
    /// Sorted by identity, then id: two lists and a binary search take a fraction of a hash map's memory.
    by_identity: Vec<RosterEntry>,
    /// Places in `by_identity`, sorted by user id.
    by_id: Vec<u32>,
}

impl Roster {
    /// Of entries in any order.
    pub fn new(mut entries: Vec<RosterEntry>) -> Self {
        entries.sort_unstable_by_key(|entry| (entry.identity, entry.user_id));
        let mut by_id: Vec<u32> = (0..).take(entries.len()).collect();
        by_id.sort_unstable_by_key(|place| entries[*place as usize].user_id);
        Roster {
            by_identity: entries,
            by_id,
        }
    }

    /// The user with this identity. Should two have it, always the same one.
    pub fn find(&self, identity: IdentityHash) -> Option<&RosterEntry> {
        let at = self
            .by_identity
            .partition_point(|entry| entry.identity < identity);
        self.by_identity
            .get(at)
            .filter(|entry| entry.identity == identity)
    }

    /// The user with this id.
    pub fn holder(&self, user_id: UserId) -> Option<&RosterEntry> {
        let entry = |place: &u32| &self.by_identity[*place as usize];
        let at = self
            .by_id
            .partition_point(|place| entry(place).user_id < user_id);
        self.by_id
            .get(at)
            .map(entry)
            .filter(|found| found.user_id == user_id)
    }

    /// The id of a person to be created with this address: the first that nobody holds under another
    /// identity. Somebody created as this address may have moved to another since; the next person to
    /// have it is somebody else (`docs/rules.md`, "User ids").
    pub fn next_user_id(&self, portal: PortalId, email: &EmailKey) -> UserId {
        let identity = IdentityHash::of_email(email.as_str());
        let mut n = 0;
        loop {
            let user_id = UserId::by_email(portal, email, n);
            match self.holder(user_id) {
                Some(holder) if holder.identity != identity => n += 1,
                _ => return user_id,
            }
        }
    }
}
