//! The first step of planning: which row is about whom. Rows and people are joined by identity; a row whose
//! person is new, the same as another row's, or to have another address, is known after this.

use super::{Action, PlannedRow};
use crate::identity::{IdentityHash, UserId};
use crate::mapping::{IdentifyBy, Mapping};
use crate::record::Presence;
use crate::roster::{Place, Roster};
use crate::scan::{ManagerCells, Scan, ScannedRow};
use crate::user::Terms;
use std::collections::HashSet;

/// What a row comes to, as far as other rows and addresses decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is applied.
    Used,
    /// An earlier row is about the same person, or the row has no part in this run.
    Aside,
    /// It wants an address that is somebody else's.
    Refused,
    /// Its person would be created, and that is held.
    Held,
}

/// Whom a row is about; beside each scanned row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// `None`: somebody new.
    pub(super) place: Option<Place>,
    pub(super) standing: Standing,
    pub(super) terms: Terms,
}

impl Claim {
    pub(super) fn is_used(&self) -> bool {
        self.standing == Standing::Used
    }

    pub(super) fn is_new(&self) -> bool {
        self.place.is_none() && self.is_used()
    }
}

/// Whether anybody's row speaks of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    No,
    /// In a row that is not processed, and has nothing to say.
    Present,
    /// In the claim of this number.
    By(u32),
}

/// Rows and people, joined.
pub struct Joined<'p> {
    pub(super) mapping: &'p Mapping,
    pub(super) roster: &'p Roster,
    /// In the file's order.
    pub(super) rows: Vec<ScannedRow>,
    /// One for each row.
    pub(super) claims: Vec<Claim>,
    /// One for each user, in the order of their places.
    pub(super) seen: Vec<Seen>,
    /// What is settled already.
    pub(super) settled: Vec<PlannedRow>,
    pub(super) managers: ManagerCells,
    pub(super) not_accepted: u64,
    pub(super) telling: Vec<u32>,
    pub(super) malformed: bool,
    pub(super) approval: bool,
}

impl<'p> Joined<'p> {
    /// Joins a file's rows, read with `mapping`, with the portal's people.
    pub fn new(scan: Scan, mapping: &'p Mapping, roster: &'p Roster) -> Self {
        let mut joined = Joined {
            mapping,
            roster,
            claims: Vec::with_capacity(scan.rows.len()),
            seen: vec![Seen::No; roster.len()],
            settled: Vec::new(),
            rows: scan.rows,
            managers: scan.managers,
            not_accepted: scan.not_accepted,
            telling: scan.telling,
            malformed: scan.malformed,
            approval: false,
        };
        joined.claim();
        if mapping.identify_by() == IdentifyBy::ExternalId {
            joined.adopt();
        }
        for (number, claim) in (0..).zip(&joined.claims) {
            if let (Some(place), Standing::Used) = (claim.place, claim.standing) {
                joined.seen[place as usize] = Seen::By(number);
            }
        }
        // A name that fills in for many, such as N/A, is looked up once.
        let mut names = HashSet::new();
        for mut presence in scan.presences {
            presence.names = presence.names.filter(|name| names.insert(*name));
            joined.count_as_present(&presence);
        }
        for number in 0..joined.rows.len() {
            // The others were counted with the first row of their person.
            if joined.claims[number].standing == Standing::Aside {
                let row = joined.rows[number];
                joined.count_as_present(&Presence {
                    identity: Some(row.identity),
                    email: Some(row.email),
                    ..Presence::default()
                });
            }
        }
        joined
    }

    /// For an approval: only these rows, whose creates were held, have a part in it.
    pub(super) fn only(mut self, held: &HashSet<u32>) -> Self {
        self.approval = true;
        self.settled.clear();
        for (row, claim) in self.rows.iter().zip(&mut self.claims) {
            let exists = claim.place.is_some();
            if !held.contains(&row.row) || !claim.is_used() || exists {
                claim.standing = Standing::Aside;
            }
            if exists && held.contains(&row.row) {
                self.settled
                    .push(PlannedRow::of(row.row, Action::LeftAlone));
            }
        }
        self
    }

    /// Finds each row's person. Rows and roster are gone through together, both in the order of identities: a look
    /// for each row would touch all of the roster's memory a million times. Of a person's rows the first counts.
    fn claim(&mut self) {
        let (rows, people) = (&self.rows, self.roster.entries());
        let mut order: Vec<u32> = (0..).take(rows.len()).collect();
        // Rows are in the file's order, so that of a person's rows the first comes first.
        order.sort_unstable_by_key(|number| (rows[*number as usize].identity, *number));
        let nobody = Claim {
            place: None,
            standing: Standing::Used,
            terms: Terms::default(),
        };
        self.claims = vec![nobody; rows.len()];
        let same = |a: &u32, b: &u32| rows[*a as usize].identity == rows[*b as usize].identity;
        let mut at = 0;
        for person in order.chunk_by(same) {
            let first = rows[person[0] as usize];
            while people
                .get(at)
                .is_some_and(|entry| entry.identity < first.identity)
            {
                at += 1;
            }
            let found = people
                .get(at)
                .is_some_and(|entry| entry.identity == first.identity);
            let place = found.then(|| Place::try_from(at).ok()).flatten();
            for (nth, number) in person.iter().enumerate() {
                let claim = &mut self.claims[*number as usize];
                claim.place = place;
                if nth == 0 {
                    continue;
                }
                claim.standing = Standing::Aside;
                let row = rows[*number as usize];
                let first_row = first.row;
                let action = if row.says == first.says {
                    Action::Duplicate { first_row }
                } else {
                    Action::Conflict { first_row }
                };
                self.settled.push(PlannedRow::of(row.row, action));
            }
        }
    }

    /// People without an external id get that of the first row with their address.
    fn adopt(&mut self) {
        let mut adopted = HashSet::new();
        for (row, claim) in self.rows.iter().zip(&mut self.claims) {
            if claim.place.is_some() || !claim.is_used() {
                continue;
            }
            claim.place = self
                .roster
                .find_by_email(row.email)
                .filter(|place| !self.roster.at(*place).has_external_id)
                .filter(|place| adopted.insert(*place));
        }
    }

    /// Whether any row is applied, or would be if it were not held. A file without one says nothing about who is
    /// there.
    pub(super) fn has_people(&self) -> bool {
        let counts = |claim: &Claim| matches!(claim.standing, Standing::Used | Standing::Held);
        self.claims.iter().any(counts)
    }

    fn count_as_present(&mut self, presence: &Presence) {
        let by_identity = presence.identity.and_then(|it| self.roster.find(it));
        let by_address = presence.email.and_then(|it| self.roster.find_by_email(it));
        let by_address = by_address.filter(|place| {
            let adoptable = by_identity.is_none() && !self.roster.at(*place).has_external_id;
            presence.malformed || presence.identity.is_none() || adoptable
        });
        let found = by_identity.into_iter().chain(by_address);
        let named = presence
            .names
            .into_iter()
            .flat_map(|it| self.roster.named(it));
        for place in found.chain(named) {
            let seen = &mut self.seen[place as usize];
            if *seen == Seen::No {
                *seen = Seen::Present;
            }
        }
    }

    /// People whose row has another address than they have. Whether the old one also belongs to a user of
    /// another portal decides if they may move; see [`Joined::keep_address`].
    pub fn movers(&self) -> impl Iterator<Item = UserId> {
        let roster = self.roster;
        (0..self.claims.len())
            .filter_map(|number| self.moves_from(number))
            .map(|place| roster.at(place).user_id)
    }

    /// This person's old address also belongs to a user of another portal, so it stays.
    pub fn keep_address(&mut self, user_id: UserId) {
        let place = self.roster.holder(user_id);
        if let Some(Seen::By(number)) = place.map(|place| self.seen[place as usize]) {
            self.claims[number as usize].terms.keep_address = true;
        }
    }

    /// The person of this claim, if the row moves them to another address.
    pub(super) fn moves_from(&self, number: usize) -> Option<Place> {
        let claim = self.claims[number];
        let place = claim.place?;
        let moves = claim.is_used()
            && !claim.terms.keep_address
            && self.roster.at(place).email != self.rows[number].email;
        moves.then_some(place)
    }

    /// The address that this claim's person has after the file.
    pub(super) fn address_after(&self, number: usize) -> Option<IdentityHash> {
        let claim = self.claims[number];
        match claim.place {
            None => claim.is_new().then(|| self.rows[number].email),
            Some(place) => Some(match self.moves_from(number) {
                Some(_) => self.rows[number].email,
                None => self.roster.at(place).email,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RowCounts;
    use crate::plan::testing::{Portal, as_planned, csv, mapping_of, told};

    #[test]
    fn the_first_row_of_a_person_counts() {
        let plan = Portal::of(&[])
            .plan("Email,Name / a@x.io,Ann / A@X.io ,Anna / A@x.io,Ann / b@x.io,Bo / a@x.io,Anna");
        assert_eq!(
            told(&plan),
            [
                "2 created",
                "3 conflict with 2",
                "4 duplicate of 2",
                "5 created",
                "6 conflict with 2"
            ]
        );
        let counts = plan.counts(as_planned());
        assert_eq!(
            counts.rows,
            RowCounts {
                total: 5,
                created: 2,
                unchanged: 1,
                not_processed: 2,
                ..RowCounts::default()
            }
        );
        assert_eq!(counts.warnings, 1);
    }

    /// The row that is not valid is no first row.
    #[test]
    fn the_first_valid_row_of_a_person_counts() {
        let plan = Portal::of(&[]).plan("Email,Name,Status / a@x.io,Ann,x / a@x.io,Ann,1");
        assert_eq!(told(&plan), ["3 created"]);
    }

    #[test]
    fn external_ids_are_compared_exactly_and_addresses_are_not() {
        let plan = Portal::of(&["a@x.io id=a"])
            .plan("Id,Email,Name / A,b@x.io,Ann / a ,A@X.IO,Bo / a,a@x.io,Bo");
        assert_eq!(told(&plan), ["2 created", "3 updated", "4 duplicate of 3"]);
    }

    #[test]
    fn somebody_without_an_external_id_gets_that_of_the_first_row_with_the_address() {
        for (people, rows, expected) in [
            (&["a@x.io"][..], "1,A@x.io,Ann", &["2 updated"][..]),
            (
                &["a@x.io"],
                "1,a@x.io,Ann / 2,a@x.io,Ann",
                &["2 updated", "3 address taken"],
            ),
            // Who has one is somebody else.
            (&["a@x.io id=2"], "1,a@x.io,Ann", &["2 address taken"]),
            // The external id finds its person first, wherever the row's address is.
            (
                &["a@x.io", "b@x.io id=1"],
                "1,a@x.io,Ann",
                &["2 address taken"],
            ),
            // Whoever is found moves away, which does not make the address free for somebody's new id.
            (
                &["a@x.io", "b@x.io id=1"],
                "1,n@x.io,Ann / 2,b@x.io,Ann / 3,a@x.io,Ann",
                &["2 updated", "3 created", "4 updated"],
            ),
        ] {
            let mut portal = Portal::of(people);
            let before: Vec<_> = portal.users.keys().copied().collect();
            let plan = portal.feed(&format!("Id,Email,Name / {rows}"));
            assert_eq!(told(&plan), expected, "{rows}");
            assert!(before.iter().all(|id| portal.users.contains_key(id)));
        }
        let mut portal = Portal::of(&["a@x.io"]);
        let id = portal.id("a@x.io");
        portal.feed("Id,Email,Name / 1,a@x.io,Ann");
        assert_eq!(portal.user("a@x.io").external_id.as_deref(), Some("1"));
        assert_eq!(portal.id("a@x.io"), id, "the user id is kept");
    }

    #[test]
    fn who_moves_is_asked_about_and_nobody_else() {
        let portal = Portal::of(&["a@x.io id=1", "b@x.io id=2", "c@x.io", "d@x.io id=4"]);
        let file = csv(
            "Id,Email,Name / 1,A@x.io,Ann / 2,n@x.io,Ann / 3,c@x.io,Ann / \
             5,e@x.io,Ann / 2,m@x.io,Ann / 4,n@x.io,",
        );
        let mapping = mapping_of(&file, false);
        let roster = portal.roster(&mapping);
        let scan = crate::plan::testing::scan(&mapping, &file);
        let mut joined = Joined::new(scan, &mapping, &roster);
        let b = portal.id("b@x.io");
        assert_eq!(joined.movers().collect::<Vec<_>>(), [b]);
        joined.keep_address(b);
        assert_eq!(joined.movers().count(), 0);
    }

    /// Who is left over is missing, and would become inactive.
    #[test]
    fn a_row_that_is_not_processed_counts_as_present() {
        let people = [
            "a@x.io",
            "b@x.io name=Bo",
            "c@x.io name=Bo",
            "d@x.io",
            "e@x.io",
        ];
        let stay = "d@x.io,Ann / e@x.io,Ann";
        for (row, missing) in [
            // By the address, whatever the name is.
            ("a@x.io,", &["b@x.io", "c@x.io"][..]),
            ("b@x.io,", &["a@x.io", "c@x.io"]),
            // By name: everybody who is called so.
            ("b,bO", &["a@x.io"]),
            // Nobody's.
            ("n@x.io,", &["a@x.io", "b@x.io", "c@x.io"]),
            // A wrong number of cells: by everything.
            ("a@x.io,Bo,more", &[]),
        ] {
            let mut portal = Portal::auto_disabling(&people);
            portal.circumstances.limits.hold_on_malformed_rows = false;
            let plan = portal.plan(&format!("Email,Name / {stay} / {row}"));
            let others: Vec<&str> = plan.others.iter().map(|it| &*it.identity).collect();
            let mut others = others;
            others.sort_unstable();
            assert_eq!(others, missing, "{row}");
        }
    }

    #[test]
    fn where_people_have_external_ids_the_address_tells_who_has_none_or_whose_cannot_be_read() {
        let people = ["a@x.io id=1", "b@x.io", "c@x.io id=3", "d@x.io id=4"];
        for (row, missing) in [
            ("1,a@x.io,", &["3", "b@x.io"][..]),
            // Somebody else's address does not make that person present.
            ("1,c@x.io,", &["3", "b@x.io"]),
            ("9,c@x.io,", &["1", "3", "b@x.io"]),
            // Who has no external id yet is told by the address.
            ("9,b@x.io,", &["1", "3"]),
            ("1,b@x.io,", &["3", "b@x.io"]),
            // Also in a row that another one refuses.
            ("9,n@x.io,Ann / 9,b@x.io,Ann", &["1", "3"]),
            // The external id cannot be read.
            (",c@x.io,Bo", &["1", "b@x.io"]),
            // By everything.
            ("1,c@x.io", &["b@x.io"]),
        ] {
            let mut portal = Portal::auto_disabling(&people);
            portal.circumstances.limits.hold_on_malformed_rows = false;
            let plan = portal.plan(&format!("Id,Email,Name / 4,d@x.io,Ann / {row}"));
            let mut others: Vec<&str> = plan.others.iter().map(|it| &*it.identity).collect();
            others.sort_unstable();
            assert_eq!(others, missing, "{row}");
        }
    }
}
