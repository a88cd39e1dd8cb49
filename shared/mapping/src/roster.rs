//! The portal's people in brief: enough to tell who is new, who is missing, who is unchanged, and whom to
//! look at more closely. Whole users are not kept here; a million of them would not fit.

use crate::fields::Status;
use crate::identity::{Identity, IdentityHash, NamesHash, PortalId, UserId};
use crate::mapping::IdentifyBy;
use crate::record::Fingerprint;
use crate::role::{Role, Roles};
use std::sync::OnceLock;

/// What is read of one user.
#[derive(Clone, Copy)]
pub struct Brief<'u> {
    /// Who it is.
    pub user_id: UserId,
    /// The address, or its key.
    pub email: &'u str,
    /// Exactly.
    pub external_id: Option<&'u str>,
    /// Whether the user can sign in.
    pub status: Status,
    /// All roles.
    pub roles: Roles,
    /// Those that the feed gave.
    pub feed_roles: Roles,
    /// A row was accepted for the user once.
    pub feed_managed: bool,
    /// The user was named as a manager once.
    pub manager_granted: bool,
    /// The feed made the user inactive, because of an absence.
    pub disabled_by_absence: bool,
    /// Of the row that was applied last.
    pub fingerprint: Option<Fingerprint>,
}

/// One user in brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RosterEntry {
    /// By which rows find the user.
    pub identity: IdentityHash,
    /// The user's address.
    pub email: IdentityHash,
    /// Who it is.
    pub user_id: UserId,
    /// Of the row that was applied last; counts only for users whom the feed manages.
    pub fingerprint: Option<Fingerprint>,
    /// The user can sign in.
    pub active: bool,
    /// A row was accepted for the user once.
    pub feed_managed: bool,
    /// The user has an external id, whether or not people are identified by it.
    pub has_external_id: bool,
    /// The user has the role `Administrator`.
    pub administrator: bool,
    /// The feed gave it, so that the feed can take it away.
    pub administrator_by_feed: bool,
    /// The user was named as a manager once.
    pub manager_granted: bool,
    /// The feed made the user inactive, because of an absence.
    pub disabled_by_absence: bool,
}

impl RosterEntry {
    /// A user, told from others as the mapping says.
    pub fn new(user: Brief<'_>, identify_by: IdentifyBy) -> Self {
        let email = IdentityHash::of_email(user.email.trim());
        let identity = match (identify_by, user.external_id) {
            (IdentifyBy::ExternalId, Some(id)) => IdentityHash::of_external(id),
            // Without an external id, no row of such a mapping finds the user by identity.
            (IdentifyBy::ExternalId, None) | (IdentifyBy::Email, _) => email,
        };
        RosterEntry {
            identity,
            email,
            user_id: user.user_id,
            fingerprint: user.fingerprint,
            active: user.status == Status::Active,
            feed_managed: user.feed_managed,
            has_external_id: user.external_id.is_some(),
            administrator: user.roles.contains(Role::Administrator),
            administrator_by_feed: user.feed_roles.contains(Role::Administrator),
            manager_granted: user.manager_granted,
            disabled_by_absence: user.disabled_by_absence,
        }
    }
}

/// Where a user stands in the roster.
pub(crate) type Place = u32;

/// All of a portal's users in brief, found by identity, by address and by id.
#[derive(Default)]
pub struct Roster {
    /// Sorted by identity, then id: lists and a binary search take a fraction of a hash map's memory.
    entries: Vec<RosterEntry>,
    /// Places, sorted by user id; made when somebody is first looked for by it, which a file without new people
    /// never does.
    by_id: OnceLock<Vec<Place>>,
    /// Places, sorted by address, then id; empty where that is the identity.
    by_email: Vec<Place>,
    /// Sorted; empty where nobody has to be found by name.
    names: Vec<(NamesHash, UserId)>,
}

impl Roster {
    /// Of entries in any order.
    pub fn new(mut entries: Vec<RosterEntry>) -> Self {
        entries.sort_unstable_by(|a, b| {
            let by_id = || a.user_id.cmp(&b.user_id);
            a.identity.cmp(&b.identity).then_with(by_id)
        });
        let mut by_email = Vec::new();
        if entries.iter().any(|entry| entry.identity != entry.email) {
            by_email.extend((0..).take(entries.len()));
            by_email.sort_unstable_by_key(|place| {
                let entry = &entries[*place as usize];
                (entry.email, entry.user_id)
            });
        }
        Roster {
            entries,
            by_id: OnceLock::new(),
            by_email,
            names: Vec::new(),
        }
    }

    /// With everybody's names, for rows that have nothing else by which their person can be told.
    pub fn with_names(mut self, mut names: Vec<(NamesHash, UserId)>) -> Self {
        names.sort_unstable();
        self.names = names;
        self
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, in the order of their places.
    pub(crate) fn entries(&self) -> &[RosterEntry] {
        &self.entries
    }

    pub(crate) fn at(&self, place: Place) -> &RosterEntry {
        &self.entries[place as usize]
    }

    /// The user with this identity. Should two have it, always the same one.
    pub(crate) fn find(&self, identity: IdentityHash) -> Option<Place> {
        let at = self
            .entries
            .partition_point(|entry| entry.identity < identity);
        let found = self.entries.get(at)?.identity == identity;
        found.then(|| Place::try_from(at).ok()).flatten()
    }

    /// The user with this address. Should two have it, always the same one.
    pub(crate) fn find_by_email(&self, email: IdentityHash) -> Option<Place> {
        if self.by_email.is_empty() {
            return self.find(email);
        }
        let at = self
            .by_email
            .partition_point(|place| self.at(*place).email < email);
        let place = *self.by_email.get(at)?;
        (self.at(place).email == email).then_some(place)
    }

    /// Everybody who has these names.
    pub(crate) fn named(&self, names: NamesHash) -> impl Iterator<Item = Place> {
        let from = self.names.partition_point(|(known, _)| *known < names);
        self.names[from..]
            .iter()
            .take_while(move |(known, _)| *known == names)
            .filter_map(|(_, user_id)| self.holder(*user_id))
    }

    /// The user with this id.
    pub(crate) fn holder(&self, user_id: UserId) -> Option<Place> {
        let by_id = self.by_id.get_or_init(|| {
            let mut places: Vec<Place> = (0..).take(self.len()).collect();
            places.sort_unstable_by_key(|place| self.at(*place).user_id);
            places
        });
        let at = by_id.partition_point(|place| self.at(*place).user_id < user_id);
        let place = *by_id.get(at)?;
        (self.at(place).user_id == user_id).then_some(place)
    }

    /// The id of a person to be created with this identity: the first that nobody holds under another one.
    /// Somebody created as this address may have moved to another since; the next person to have it is
    /// somebody else (`docs/rules.md`, "User ids").
    pub fn next_user_id(&self, portal: PortalId, identity: &Identity<'_>) -> UserId {
        let hash = identity.hash();
        let mut n = 0;
        loop {
            let user_id = UserId::of(portal, identity, n);
            match self.holder(user_id) {
                Some(holder) if self.at(holder).identity != hash => n += 1,
                _ => return user_id,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{by_email, id_by_email, user};

    fn roster(people: &[&str], identify_by: IdentifyBy) -> Roster {
        let people: Vec<_> = people.iter().map(|text| user(text)).collect();
        let entries = people
            .iter()
            .map(|(id, user)| RosterEntry::new(user.brief(*id), identify_by));
        let names = people
            .iter()
            .map(|(id, user)| (NamesHash::of(&user.first_name, &user.last_name), *id));
        Roster::new(entries.collect()).with_names(names.collect())
    }

    /// The ids of these people, in their order.
    fn ids(roster: &Roster, places: impl Iterator<Item = Place>) -> Vec<UserId> {
        places.map(|place| roster.at(place).user_id).collect()
    }

    const PEOPLE: [&str; 4] = ["a@x.io id=1", "B@x.io id=2", "c@x.io", "1@x.io id=a@x.io"];

    #[test]
    fn somebody_is_found_by_what_the_mapping_identifies_people_by() {
        let id = |n: usize| user(PEOPLE[n]).0;
        let external = IdentityHash::of_external;
        for (identify_by, identity, found) in [
            (IdentifyBy::Email, by_email("a@x.io"), Some(id(0))),
            (IdentifyBy::Email, by_email("b@X.io"), Some(id(1))),
            (IdentifyBy::Email, by_email("d@x.io"), None),
            (IdentifyBy::Email, external("1"), None),
            (IdentifyBy::ExternalId, external("1"), Some(id(0))),
            (IdentifyBy::ExternalId, external("a@x.io"), Some(id(3))),
            (IdentifyBy::ExternalId, external("3"), None),
        ] {
            let roster = roster(&PEOPLE, identify_by);
            let place = roster.find(identity);
            assert_eq!(ids(&roster, place.into_iter()), Vec::from_iter(found));
        }
    }

    #[test]
    fn everybody_is_found_by_address_and_by_id_however_people_are_identified() {
        for identify_by in [IdentifyBy::Email, IdentifyBy::ExternalId] {
            let roster = roster(&PEOPLE, identify_by);
            for text in PEOPLE {
                let (id, user) = user(text);
                let place = roster.find_by_email(by_email(&user.email));
                assert_eq!(ids(&roster, place.into_iter()), [id]);
                assert_eq!(roster.holder(id), place);
            }
            assert_eq!(roster.find_by_email(by_email("d@x.io")), None);
            assert_eq!(roster.holder(id_by_email("d@x.io")), None);
        }
    }

    #[test]
    fn of_two_with_one_identity_the_same_one_is_always_found() {
        let without = ["a@x.io was=b@x.io", "A@x.io was=c@x.io"];
        let with = ["a@x.io id=1", "A@x.io id=2"];
        for people in [without, [without[1], without[0]], with, [with[1], with[0]]] {
            let first = people.map(|text| user(text).0).into_iter().min();
            for identify_by in [IdentifyBy::Email, IdentifyBy::ExternalId] {
                let roster = roster(&people, identify_by);
                let place = roster.find_by_email(by_email("a@x.io"));
                assert_eq!(ids(&roster, place.into_iter()), Vec::from_iter(first));
            }
        }
    }

    #[test]
    fn everybody_of_a_name_is_found_by_it() {
        let people = ["a@x.io", "b@x.io name=BO", "c@x.io name=bo", "d@x.io"];
        let roster = roster(&people, IdentifyBy::Email);
        let found = |name: &str| {
            let mut found = ids(&roster, roster.named(NamesHash::of(name, name)));
            found.sort();
            found
        };
        let expected = |people: &[&str]| {
            let mut ids: Vec<UserId> = people.iter().map(|text| user(text).0).collect();
            ids.sort();
            ids
        };
        assert_eq!(found(" Bo "), expected(&people[1..3]));
        assert_eq!(found("ann"), expected(&["a@x.io", "d@x.io"]));
        assert_eq!(found("Cy"), []);
        assert_ne!(NamesHash::of("Ann", "Lee"), NamesHash::of("Lee", "Ann"));
        assert_ne!(NamesHash::of("AnnL", "ee"), NamesHash::of("Ann", "Lee"));
    }

    #[test]
    fn an_identity_that_somebody_else_was_created_with_gets_another_id() {
        let portal = "1001".parse().unwrap();
        let id = |identity: Identity<'_>, n| UserId::of(portal, &identity, n);
        let people = ["moved@x.io was=a@x.io", "c@x.io", "d@x.io id=1"];
        let roster = roster(&people, IdentifyBy::Email);
        for (identity, n) in [
            (Identity::Email("a@x.io"), 1),
            (Identity::Email("b@x.io"), 0),
            // Created already, by a run whose answer was lost.
            (Identity::Email("C@x.io"), 0),
        ] {
            assert_eq!(roster.next_user_id(portal, &identity), id(identity, n));
        }
        // The address is not what people are identified by any more, so nobody has that identity now.
        let by_external_id = self::roster(&people, IdentifyBy::ExternalId);
        for (identity, n) in [(Identity::External("1"), 0), (Identity::External("2"), 0)] {
            assert_eq!(
                by_external_id.next_user_id(portal, &identity),
                id(identity, n)
            );
        }
    }

    #[test]
    fn what_is_known_of_somebody_in_brief_is_what_the_user_has() {
        let entry = |text: &str| {
            let (id, user) = user(text);
            RosterEntry::new(user.brief(id), IdentifyBy::Email)
        };
        let plain = entry("a@x.io");
        assert!(plain.active && plain.feed_managed && !plain.has_external_id);
        assert!(!plain.administrator && !plain.manager_granted && !plain.disabled_by_absence);
        let by_portal = entry("a@x.io administrator");
        assert!(by_portal.administrator && !by_portal.administrator_by_feed);
        let by_feed = entry("a@x.io fed_administrator id=1 granted missed unmanaged");
        assert!(by_feed.administrator && by_feed.administrator_by_feed);
        assert!(by_feed.has_external_id && by_feed.manager_granted);
        assert!(by_feed.disabled_by_absence && !by_feed.active && !by_feed.feed_managed);
    }
}
