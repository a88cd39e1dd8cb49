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
            malformed: scan.malformed,
            approval: false,
        };
        joined.claim();
        joined.put_repetitions_aside();
        if mapping.identify_by() == IdentifyBy::ExternalId {
            joined.adopt();
        }
        for (number, claim) in (0..).zip(&joined.claims) {
            if let (Some(place), Standing::Used) = (claim.place, claim.standing) {
                joined.seen[place as usize] = Seen::By(number);
            }
        }
        for presence in &scan.presences {
            joined.count_as_present(presence);
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

    fn claim(&mut self) {
        let by_row = |row: &ScannedRow| Claim {
            place: self.roster.find(row.identity),
            standing: Standing::Used,
            terms: Terms::default(),
        };
        self.claims = self.rows.iter().map(by_row).collect();
    }

    /// The first row of a person counts.
    fn put_repetitions_aside(&mut self) {
        let rows = &self.rows;
        let mut order: Vec<u32> = (0..).take(rows.len()).collect();
        // Rows are in the file's order, so that of a person's rows the first comes first.
        order.sort_unstable_by_key(|number| (rows[*number as usize].identity, *number));
        let same = |a: &u32, b: &u32| rows[*a as usize].identity == rows[*b as usize].identity;
        for person in order.chunk_by(same).filter(|person| person.len() > 1) {
            let first = rows[person[0] as usize];
            for number in &person[1..] {
                let row = rows[*number as usize];
                self.claims[*number as usize].standing = Standing::Aside;
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
