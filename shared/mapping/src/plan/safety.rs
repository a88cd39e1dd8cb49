//! The third step of planning: who is never made inactive, and when everybody stays active until somebody has
//! looked (`docs/rules.md`, "Protected people" and "Holds"). Decided before any user is looked at as a whole,
//! so that every row is compared on its final terms.

use super::join::{Joined, Seen, Standing};
use crate::fields::{Field, Status};
use crate::identity::{IdentityHash, PortalId, UserId};
use crate::problem::ProblemCode;
use crate::roster::{Place, Roster, RosterEntry};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What a plan depends on beside the file, the mapping and the people.
#[derive(Clone)]
pub struct Circumstances {
    /// Whose file it is.
    pub portal: PortalId,
    /// The address of the person who authorised the feed.
    pub authorised_by: Option<String>,
    /// When disables are held.
    pub limits: Limits,
    /// How many rows the last file had that counts for comparison.
    pub baseline_rows: Option<u64>,
}

impl Circumstances {
    pub(super) fn authoriser(&self, roster: &Roster) -> Option<Place> {
        let address = self.authorised_by.as_ref()?;
        roster.find_by_email(IdentityHash::of_email(address.trim()))
    }
}

/// When disables are held; a portal's settings (`docs/rules.md`, "Holds").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of the active people whom the feed manages, or of the rows; 0 to 100.
    pub disable_limit_percent: u8,
    /// As many never hold anything.
    pub disable_limit_floor: u32,
    /// Whether a row with a wrong number of cells does.
    pub hold_on_malformed_rows: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            disable_limit_percent: 10,
            disable_limit_floor: 20,
            hold_on_malformed_rows: true,
        }
    }
}

/// A smaller file than this was, and what is missing from the next, says nothing.
const SMALLEST_BASELINE: u64 = 20;

/// More than half of so many people are never made inactive without a look, however few that is.
const SMALLEST_HALF: u64 = 3;

impl Limits {
    fn exceeded(&self, count: u64, of: u64) -> bool {
        count > u64::from(self.disable_limit_floor)
            && count * 100 > u64::from(self.disable_limit_percent) * of
    }

    fn exceeded_by_people(&self, count: u64, active: u64) -> bool {
        self.exceeded(count, active) || (active >= SMALLEST_HALF && count * 2 > active)
    }
}

/// Why disables are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReason {
    /// More than the limit.
    TooManyDisables,
    /// The file is much smaller than the last.
    TooFewRows,
    /// More rows were refused than the limit allows.
    TooManyNotProcessed,
    /// A row has a wrong number of cells.
    MalformedRows,
    /// As many are new: perhaps they are the same people.
    IdentityChanged,
}

impl HoldReason {
    /// As it is told.
    pub fn code(self) -> ProblemCode {
        match self {
            HoldReason::TooManyDisables => ProblemCode::TooManyDisables,
            HoldReason::TooFewRows => ProblemCode::TooFewRows,
            HoldReason::TooManyNotProcessed => ProblemCode::TooManyNotProcessed,
            HoldReason::MalformedRows => ProblemCode::MalformedRows,
            HoldReason::IdentityChanged => ProblemCode::IdentityChanged,
        }
    }
}

/// What became of the people whom the file would make inactive.
#[derive(Default)]
pub(super) struct Safety {
    pub(super) hold: Option<HoldReason>,
    /// Made inactive, or held, because they are missing; sorted.
    pub(super) missing: Vec<Place>,
    /// Not made inactive, or left their role, although the file says so.
    pub(super) protected: HashSet<Place>,
    /// The claims whose status 0 is held.
    pub(super) held: HashSet<usize>,
}

impl Joined<'_> {
    /// Works out whom the file would make inactive, and sets the terms of their rows.
    pub(super) fn make_safe(&mut self, circumstances: &Circumstances) -> Safety {
        let authoriser = circumstances.authoriser(self.roster);
        let mut by_status: Vec<Place> = self.said_inactive().collect();
        let mut missing = self.missing();
        let mut safety = Safety::default();

        let mut protect = |place: Place, by_status: &mut Vec<Place>, missing: &mut Vec<Place>| {
            let before = by_status.len() + missing.len();
            by_status.retain(|other| *other != place);
            missing.retain(|other| *other != place);
            let was_among = by_status.len() + missing.len() < before;
            if was_among {
                safety.protected.insert(place);
            }
            was_among
        };
        if let Some(authoriser) = authoriser {
            protect(authoriser, &mut by_status, &mut missing);
        }
        let disabled: HashSet<Place> = by_status.iter().chain(&missing).copied().collect();
        let last = self.last_administrator(&disabled, authoriser);
        if let Some(last) = last {
            protect(last, &mut by_status, &mut missing);
        }

        safety.hold = self.hold(circumstances, by_status.len(), missing.len());
        // What is held does not happen, and leaves its administrators where they are.
        let last = match safety.hold {
            None => last,
            Some(reason) => {
                if reason == HoldReason::IdentityChanged {
                    self.hold_creates();
                }
                self.last_administrator(&HashSet::new(), authoriser)
            }
        };
        if let Some(last) = last {
            safety.protected.insert(last);
            if let Seen::By(number) = self.seen[last as usize] {
                self.claims[number as usize].terms.keep_administrator = true;
            }
        }
        let kept: &[Place] = if safety.hold.is_some() {
            &by_status
        } else {
            &[]
        };
        for place in kept.iter().chain(&safety.protected) {
            if let Seen::By(number) = self.seen[*place as usize] {
                let status = self.rows[number as usize].status;
                let terms = &mut self.claims[number as usize].terms;
                terms.keep_active = status == Some(Status::Inactive);
            }
        }
        safety.held = kept
            .iter()
            .filter_map(|place| match self.seen[*place as usize] {
                Seen::By(number) => Some(number as usize),
                Seen::No | Seen::Present => None,
            })
            .collect();
        safety.missing = missing;
        safety
    }

    /// Active users whose row says status 0.
    fn said_inactive(&self) -> impl Iterator<Item = Place> {
        self.rows
            .iter()
            .zip(&self.claims)
            .filter_map(|(row, claim)| {
                let says_so = claim.is_used() && row.status == Some(Status::Inactive);
                claim
                    .place
                    .filter(|place| says_so && self.roster.at(*place).active)
            })
    }

    /// Active users of the feed whom no row speaks of, in a file in which everybody should be.
    fn missing(&self) -> Vec<Place> {
        if !self.mapping.auto_disable() || self.rows.is_empty() {
            return Vec::new();
        }
        (0..)
            .zip(self.roster.entries().iter().zip(&self.seen))
            .filter(|(_, (entry, seen))| entry.active && entry.feed_managed && **seen == Seen::No)
            .map(|(place, _)| place)
            .collect()
    }

    /// Who must stay, if nobody who is active would be administrator after the file, and somebody is before.
    /// `disabled` become inactive; rows that are used have their effect.
    pub(super) fn last_administrator(
        &self,
        disabled: &HashSet<Place>,
        authoriser: Option<Place>,
    ) -> Option<Place> {
        let mut lost: Vec<(UserId, Place)> = Vec::new();
        for (place, (entry, seen)) in (0..).zip(self.roster.entries().iter().zip(&self.seen)) {
            let number = match seen {
                Seen::By(number) if self.claims[*number as usize].is_used() => Some(*number),
                _ => None,
            };
            let before = entry.active && entry.administrator;
            let after = self.is_active_after(entry, number, disabled.contains(&place))
                && self.is_administrator_after(entry, number);
            match (before, after) {
                (_, true) => return None,
                (true, false) => lost.push((entry.user_id, place)),
                (false, false) => {}
            }
        }
        let created = self.rows.iter().zip(&self.claims).any(|(row, claim)| {
            claim.is_new()
                && row.administrator == Some(true)
                && row.status != Some(Status::Inactive)
        });
        if created {
            return None;
        }
        let is_authoriser = |(_, place): &&(UserId, Place)| Some(*place) == authoriser;
        let stays = lost.iter().find(is_authoriser).or(lost.iter().min());
        stays.map(|(_, place)| *place)
    }

    fn is_active_after(&self, entry: &RosterEntry, number: Option<u32>, disabled: bool) -> bool {
        if entry.active {
            return !disabled;
        }
        let Some(number) = number else {
            return false;
        };
        if self.mapping.maps(&Field::Status) {
            self.rows[number as usize].status == Some(Status::Active)
        } else {
            entry.disabled_by_absence
        }
    }

    fn is_administrator_after(&self, entry: &RosterEntry, number: Option<u32>) -> bool {
        let says = number.and_then(|number| self.rows[number as usize].administrator);
        match says {
            Some(true) => true,
            Some(false) => entry.administrator && !entry.administrator_by_feed,
            None => entry.administrator,
        }
    }

    fn hold(
        &self,
        circumstances: &Circumstances,
        by_status: usize,
        missing: usize,
    ) -> Option<HoldReason> {
        let disables = (by_status + missing) as u64;
        if disables == 0 {
            return None;
        }
        let limits = &circumstances.limits;
        let managed = |entry: &&RosterEntry| entry.active && entry.feed_managed;
        let active = self.roster.entries().iter().filter(managed).count() as u64;
        let rows = self.rows.len() as u64 + self.not_accepted;
        let refused = self.not_accepted
            + self
                .settled
                .iter()
                .filter(|planned| planned.action.is_refusal())
                .count() as u64;
        let small = |baseline: u64| baseline >= SMALLEST_BASELINE && rows * 2 < baseline;
        let reason = if limits.exceeded_by_people(disables, active) {
            HoldReason::TooManyDisables
        } else if circumstances.baseline_rows.is_some_and(small) {
            HoldReason::TooFewRows
        } else if limits.exceeded(refused, rows) {
            HoldReason::TooManyNotProcessed
        } else if limits.hold_on_malformed_rows && self.malformed && missing > 0 {
            HoldReason::MalformedRows
        } else {
            return None;
        };
        let creates = self.claims.iter().filter(|claim| claim.is_new()).count() as u64;
        Some(if limits.exceeded_by_people(creates, active) {
            HoldReason::IdentityChanged
        } else {
            reason
        })
    }

    fn hold_creates(&mut self) {
        for claim in self.claims.iter_mut().filter(|claim| claim.is_new()) {
            claim.standing = Standing::Held;
        }
    }
}
