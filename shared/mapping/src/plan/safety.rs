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
        if !self.mapping.auto_disable() || !self.has_people() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{Portal, as_planned, told};
    use crate::plan::{Counts, Plan};

    #[test]
    fn the_limit_is_exceeded_above_both_the_floor_and_the_percentage() {
        let limits = Limits::default();
        for (count, of, exceeded) in [
            (20, 20, false),
            (21, 21, true),
            // 10 percent of 210 are 21, which is not more.
            (21, 209, true),
            (21, 210, false),
            (21, 1_000, false),
            (100, 1_000, false),
            (101, 1_000, true),
            (0, 0, false),
        ] {
            assert_eq!(limits.exceeded(count, of), exceeded, "{count} of {of}");
        }
    }

    #[test]
    fn percentage_and_floor_are_the_portals() {
        let limits = |disable_limit_percent, disable_limit_floor| Limits {
            disable_limit_percent,
            disable_limit_floor,
            ..Limits::default()
        };
        for (limits, count, exceeded) in [
            (limits(0, 0), 0, false),
            (limits(0, 0), 1, true),
            (limits(0, 5), 5, false),
            (limits(0, 5), 6, true),
            (limits(50, 0), 50, false),
            (limits(50, 0), 51, true),
            (limits(100, 0), 100, false),
        ] {
            assert_eq!(limits.exceeded(count, 100), exceeded, "{limits:?} {count}");
        }
    }

    #[test]
    fn more_than_half_of_three_or_more_exceeds_the_limit_however_few_that_is() {
        let limits = Limits::default();
        for (count, active, exceeded) in [
            (1, 1, false),
            (2, 2, false),
            (1, 3, false),
            (2, 3, true),
            (2, 4, false),
            (3, 4, true),
            (20, 40, false),
            (20, 39, true),
        ] {
            assert_eq!(
                limits.exceeded_by_people(count, active),
                exceeded,
                "{count} of {active}"
            );
        }
    }

    /// People 1, 2, … of a portal.
    fn people(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
        numbers.map(|number| format!("p{number}@x.io")).collect()
    }

    fn portal(size: u32, auto_disable: bool) -> Portal {
        let people = people(1..=size);
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        Portal {
            auto_disable,
            ..Portal::of(&people)
        }
    }

    /// A file with rows of these people, and other rows.
    fn file(people: &[String], others: &[&str]) -> String {
        let rows = people.iter().map(|email| format!("{email},Ann"));
        let others = others.iter().map(|row| (*row).to_owned());
        let rows: Vec<String> = rows.chain(others).collect();
        format!("Email,Name / {}", rows.join(" / "))
    }

    /// Why disables are held, how many, how many creates with them, and how many people become inactive.
    fn held(plan: &Plan) -> (Option<HoldReason>, u64, u64, u64) {
        let Counts {
            rows,
            others,
            held_disables,
            held_creates,
            ..
        } = plan.counts(as_planned());
        let disabled = rows.disabled + others.disabled;
        (plan.hold, held_disables, held_creates, disabled)
    }

    #[test]
    fn too_many_disables_are_held_whether_by_absence_or_by_status() {
        for (size, missing, is_held) in [(210, 21, false), (209, 21, true), (100, 20, false)] {
            let expected = match is_held {
                true => (Some(HoldReason::TooManyDisables), missing, 0, 0),
                false => (None, 0, 0, missing),
            };
            let first = u32::try_from(missing).unwrap() + 1;
            let plan = portal(size, true).plan(&file(&people(first..=size), &[]));
            assert_eq!(held(&plan), expected, "{missing} of {size} missing");

            let rows = people(1..=first - 1);
            let rows: Vec<String> = rows.iter().map(|email| format!("{email},Ann,0")).collect();
            let by_status = format!("Email,Name,Status / {}", rows.join(" / "));
            let plan = portal(size, false).plan(&by_status);
            assert_eq!(held(&plan), expected, "{missing} of {size} by status");
        }
    }

    #[test]
    fn more_than_half_of_a_small_portal_is_held() {
        for (size, stays, reason) in [
            (3, 1, Some(HoldReason::TooManyDisables)),
            (3, 2, None),
            (4, 2, None),
            (2, 1, None),
        ] {
            let plan = portal(size, true).plan(&file(&people(1..=stays), &[]));
            assert_eq!(plan.hold, reason, "{stays} of {size} stay");
        }
        // Both of two, with somebody who is nobody of the portal's.
        let plan = portal(2, true).plan("Email,Name / n@x.io,Ann");
        assert_eq!(held(&plan), (None, 0, 0, 2));
    }

    #[test]
    fn people_whom_the_feed_does_not_manage_and_inactive_ones_are_not_counted() {
        let others = ["q1@x.io unmanaged", "q2@x.io unmanaged", "q3@x.io inactive"];
        let people = ["p1@x.io", "p2@x.io", "p3@x.io"];
        let portal = Portal::auto_disabling(&[&people[..], &others].concat());
        let plan = portal.plan("Email,Name / p1@x.io,Ann");
        assert_eq!(
            told(&plan),
            ["p2@x.io held", "p3@x.io held", "too_many_disables"]
        );
    }

    #[test]
    fn a_file_of_fewer_than_half_the_rows_of_the_baseline_disables_nobody() {
        for (baseline, rows, reason) in [
            (Some(20), 9, Some(HoldReason::TooFewRows)),
            (Some(20), 10, None),
            (Some(21), 10, Some(HoldReason::TooFewRows)),
            (Some(19), 9, None),
            (None, 9, None),
        ] {
            let mut portal = portal(12, true);
            portal.circumstances.baseline_rows = baseline;
            let plan = portal.plan(&file(&people(1..=rows), &[]));
            assert_eq!(plan.hold, reason, "{rows} rows after {baseline:?}");
            // Where nobody becomes inactive, nothing is held.
            portal.auto_disable = false;
            let plan = portal.plan(&file(&people(1..=rows), &[]));
            assert_eq!(plan.hold, None, "{rows} rows after {baseline:?}");
        }
        // Rows that are not processed are rows.
        let mut portal = portal(12, true);
        portal.circumstances.baseline_rows = Some(20);
        let plan = portal.plan(&file(&people(1..=9), &["n@x.io,"]));
        assert_eq!(plan.hold, None);
    }

    #[test]
    fn too_many_rows_that_are_not_processed_hold_disables() {
        let (bad, conflict) = ("n@x.io,", "p1@x.io,Bo");
        for (rows, reason) in [
            (&[bad, bad][..], None),
            (&[bad, bad, bad], Some(HoldReason::TooManyNotProcessed)),
            // Also those that another row refuses; a duplicate is no refusal.
            (&[bad, bad, conflict], Some(HoldReason::TooManyNotProcessed)),
            (&[bad, bad, "p1@x.io,Ann"], None),
        ] {
            let mut portal = portal(10, true);
            portal.circumstances.limits = Limits {
                disable_limit_percent: 20,
                disable_limit_floor: 2,
                ..Limits::default()
            };
            let plan = portal.plan(&file(&people(1..=9), rows));
            assert_eq!(plan.hold, reason, "{rows:?}");
        }
        // 20 percent of 15 rows are 3.
        let mut portal = portal(13, true);
        portal.circumstances.limits.disable_limit_percent = 20;
        portal.circumstances.limits.disable_limit_floor = 2;
        let plan = portal.plan(&file(&people(1..=12), &[bad, bad, bad]));
        assert_eq!(plan.hold, None);
    }

    #[test]
    fn a_row_with_a_wrong_number_of_cells_holds_who_is_missing_unless_the_portal_says_otherwise() {
        let missing = file(&people(1..=3), &["p1@x.io"]);
        let plan = portal(4, true).plan(&missing);
        assert_eq!(held(&plan), (Some(HoldReason::MalformedRows), 1, 0, 0));
        let mut lenient = portal(4, true);
        lenient.circumstances.limits.hold_on_malformed_rows = false;
        assert_eq!(held(&lenient.plan(&missing)), (None, 0, 0, 1));
        // Nobody is missing.
        let all = file(&people(1..=4), &["p1@x.io"]);
        assert_eq!(held(&portal(4, true).plan(&all)), (None, 0, 0, 0));
        // Somebody's row says so.
        let by_status = "Email,Name,Status / p1@x.io,Ann,0 / p2@x.io";
        assert_eq!(held(&portal(4, false).plan(by_status)), (None, 0, 0, 1));
    }

    #[test]
    fn the_first_fuse_is_the_reason() {
        let mut portal = portal(30, true);
        portal.circumstances.limits.disable_limit_floor = 0;
        portal.circumstances.limits.disable_limit_percent = 50;
        portal.circumstances.baseline_rows = Some(60);
        let refused: Vec<String> = (1..=29).map(|n| format!("n{n},")).collect();
        let mut others: Vec<&str> = refused.iter().map(String::as_str).collect();
        let mut plan = |stay: u32, others: &[&str], baseline: Option<u64>| {
            portal.circumstances.baseline_rows = baseline;
            portal.plan(&file(&people(1..=stay), others)).hold
        };
        let malformed = ["x"];
        assert_eq!(
            plan(14, &malformed, Some(60)),
            Some(HoldReason::TooManyDisables)
        );
        assert_eq!(plan(15, &malformed, Some(60)), Some(HoldReason::TooFewRows));
        assert_eq!(
            plan(28, &others, Some(20)),
            Some(HoldReason::TooManyNotProcessed)
        );
        others.truncate(2);
        others.push(malformed[0]);
        assert_eq!(plan(28, &others, Some(20)), Some(HoldReason::MalformedRows));
        assert_eq!(plan(28, &others[..2], Some(20)), None);
    }

    #[test]
    fn where_as_many_are_new_their_creation_is_held_too_for_they_may_be_the_same_people() {
        let new = ["n1@y.io,Ann", "n2@y.io,Ann", "n3@y.io,Ann"];
        let plan = portal(4, true).plan(&file(&people(1..=1), &new));
        assert_eq!(
            told(&plan),
            [
                "3 not created",
                "4 not created",
                "5 not created",
                "3: held",
                "4: held",
                "5: held",
                "p2@x.io held",
                "p3@x.io held",
                "p4@x.io held",
                "identity_changed"
            ]
        );
        let counts = plan.counts(as_planned());
        assert_eq!((counts.held_disables, counts.held_creates), (3, 3));
        assert_eq!((counts.rows.created, counts.rows.unchanged), (0, 4));
        // Fewer are created as ever.
        let plan = portal(4, true).plan(&file(&people(1..=1), &new[..2]));
        assert_eq!(held(&plan), (Some(HoldReason::TooManyDisables), 3, 0, 0));
        assert_eq!(plan.counts(as_planned()).rows.created, 2);
        // And so are as many where nothing else is held.
        let plan = portal(4, true).plan(&file(&people(1..=2), &new));
        assert_eq!(held(&plan), (None, 0, 0, 2));
    }

    #[test]
    fn identity_changed_comes_before_whatever_else_holds() {
        let new = ["n1@y.io,Ann", "n2@y.io,Ann", "n3@y.io,Ann"];
        let mut portal = portal(5, true);
        portal.circumstances.baseline_rows = Some(20);
        let plan = portal.plan(&file(&people(1..=4), &new));
        assert_eq!(held(&plan), (Some(HoldReason::IdentityChanged), 1, 3, 0));
    }

    #[test]
    fn what_a_row_says_beside_a_held_status_is_applied() {
        let mut portal = portal(3, false);
        let plan = portal.feed("Email,Name,Status / p1@x.io,Bo,0 / p2@x.io,Ann,0 / p3@x.io,Cy,1");
        assert_eq!(
            told(&plan),
            [
                "2 updated",
                "4 updated",
                "2: held",
                "3: held",
                "too_many_disables"
            ]
        );
        assert_eq!(portal.user("p1@x.io").first_name, "Bo");
        for email in ["p1@x.io", "p2@x.io"] {
            let user = portal.user(email);
            assert_eq!((user.status, user.fingerprint), (Status::Active, None));
        }
        assert!(portal.user("p3@x.io").fingerprint.is_some());
    }

    #[test]
    fn a_file_without_an_accepted_row_disables_nobody() {
        let plan = portal(1, true).plan("Email,Name / n@x.io,");
        assert_eq!(told(&plan), [""; 0]);
        assert!(!plan.has_people);
    }

    /// Ids of addresses are in no order that could be read.
    fn by_id<'e>(portal: &Portal, emails: [&'e str; 2]) -> [&'e str; 2] {
        let mut emails = emails;
        emails.sort_by_key(|email| portal.id(email));
        emails
    }

    #[test]
    fn of_two_administrators_who_leave_the_one_with_the_lower_id_stays() {
        let people = [
            "a@x.io administrator",
            "b@x.io administrator",
            "c@x.io",
            "d@x.io",
        ];
        let mut portal = Portal::auto_disabling(&people);
        let lines = "Email,Name / c@x.io,Ann / d@x.io,Ann";
        let [stays, leaves] = by_id(&portal, ["a@x.io", "b@x.io"]);
        let mut expected = [format!("{stays} protected"), format!("{leaves} disabled")];
        expected.sort();
        assert_eq!(told(&portal.feed(lines)), expected);
        assert_eq!(
            told(&portal.feed(lines)),
            [format!("{stays} protected")],
            "and stays"
        );
        assert_eq!(portal.user(stays).status, Status::Active);
        assert_eq!(portal.user(leaves).status, Status::Inactive);
    }

    #[test]
    fn who_authorised_the_feed_stays_and_is_the_administrator_who_stays() {
        let people = [
            "a@x.io administrator",
            "b@x.io administrator",
            "c@x.io",
            "d@x.io",
        ];
        for email in ["a@x.io", "b@x.io"] {
            let portal = Portal::auto_disabling(&people).authorised_by(&email.to_uppercase());
            let plan = portal.plan("Email,Name / c@x.io,Ann / d@x.io,Ann");
            let mut expected: Vec<String> = ["a@x.io", "b@x.io"]
                .map(|it| {
                    format!(
                        "{it} {}",
                        if it == email { "protected" } else { "disabled" }
                    )
                })
                .into();
            expected.sort();
            assert_eq!(told(&plan), expected);
        }
    }

    #[test]
    fn of_two_administrators_who_lose_the_role_the_one_who_authorised_the_feed_keeps_it() {
        let people = ["a@x.io fed_administrator", "b@x.io fed_administrator"];
        let lines = "Email,Name,Role / a@x.io,Ann,Learner / b@x.io,Ann,Learner";
        for (email, expected) in [
            ("a@x.io", ["3 updated", "2: protected"]),
            ("b@x.io", ["2 updated", "3: protected"]),
        ] {
            let plan = Portal::of(&people).authorised_by(email).plan(lines);
            assert_eq!(told(&plan), expected);
        }
    }

    #[test]
    fn an_administrator_who_comes_back_with_the_file_lets_the_other_go() {
        let people = [
            "a@x.io administrator",
            "b@x.io administrator missed",
            "c@x.io",
        ];
        let portal = Portal::auto_disabling(&people);
        let plan = portal.plan("Email,Name / b@x.io,Ann / c@x.io,Ann");
        assert_eq!(told(&plan), ["2 enabled", "a@x.io disabled"]);
    }

    #[test]
    fn who_authorised_the_feed_is_told_by_the_address_before_the_file() {
        let portal =
            Portal::of(&["a@x.io id=1", "b@x.io id=2", "c@x.io id=3"]).authorised_by("a@x.io");
        let plan = portal.plan("Id,Email,Name,Status / 1,n@x.io,Ann,0 / 2,a@x.io,Ann,0");
        assert_eq!(told(&plan), ["2 updated", "3 disabled", "2: protected"]);
    }

    #[test]
    fn the_last_administrator_keeps_status_and_role() {
        for (case, people, rows, expected) in [
            (
                "status 0",
                &["a@x.io administrator"][..],
                "a@x.io,Ann,0,",
                &["2: protected"][..],
            ),
            (
                "the feed's role",
                &["a@x.io fed_administrator"],
                "a@x.io,Ann,1,Learner",
                &["2: protected"],
            ),
            (
                "both, and another value",
                &["a@x.io fed_administrator"],
                "a@x.io,Bo,0,Learner",
                &["2 updated", "2: protected"],
            ),
            (
                "the portal's role, which a row does not take",
                &["a@x.io administrator"],
                "a@x.io,Ann,1,Learner",
                &[],
            ),
            (
                "there is another",
                &["a@x.io fed_administrator", "b@x.io administrator"],
                "a@x.io,Ann,0,Learner",
                &["2 disabled"],
            ),
            (
                "the other is inactive",
                &["a@x.io fed_administrator", "b@x.io administrator inactive"],
                "a@x.io,Ann,0,",
                &["2: protected"],
            ),
            (
                "the other is enabled by the file",
                &["a@x.io fed_administrator", "b@x.io administrator inactive"],
                "a@x.io,Ann,0, / b@x.io,Ann,1,",
                &["2 disabled", "3 enabled"],
            ),
            (
                "the other is given the role by the file",
                &["a@x.io fed_administrator", "b@x.io"],
                "a@x.io,Ann,1,Learner / b@x.io,Ann,1,administrator",
                &["2 updated", "3 updated"],
            ),
            (
                "the other is created by the file",
                &["a@x.io fed_administrator"],
                "a@x.io,Ann,0, / b@x.io,Ann,,administrator",
                &["2 disabled", "3 created"],
            ),
            (
                "the other is created inactive",
                &["a@x.io fed_administrator"],
                "a@x.io,Ann,0, / b@x.io,Ann,0,administrator",
                &["3 created", "2: protected"],
            ),
            (
                "nobody is administrator anyway",
                &["a@x.io", "b@x.io administrator inactive"],
                "a@x.io,Ann,0,",
                &["2 disabled"],
            ),
        ] {
            let mut portal = Portal::of(people);
            let plan = portal.feed(&format!("Email,Name,Status,Role / {rows}"));
            assert_eq!(told(&plan), expected, "{case}");
            if expected.contains(&"2: protected") {
                let kept = portal.user("a@x.io");
                assert_eq!(kept.status, Status::Active, "{case}");
                assert!(kept.roles.contains(crate::role::Role::Administrator));
                assert_eq!(kept.fingerprint, None, "{case}");
            }
        }
    }

    #[test]
    fn an_administrator_whose_creation_is_held_protects_nobody_from_losing_the_role() {
        let new: Vec<String> = (1..=3)
            .map(|n| format!("n{n}@x.io,Ann,Administrator"))
            .collect();
        let people = ["a@x.io fed_administrator", "b@x.io", "c@x.io", "d@x.io"];
        let portal = Portal::auto_disabling(&people);
        let lines = format!("Email,Name,Role / a@x.io,Ann,Learner / {}", new.join(" / "));
        let plan = portal.plan(&lines);
        assert_eq!(plan.hold, Some(HoldReason::IdentityChanged));
        assert_eq!(
            plan.notices(2).collect::<Vec<_>>(),
            [crate::plan::NoticeKind::Protected]
        );
        // Created as ever, they are administrators.
        let all = "b@x.io,Ann, / c@x.io,Ann, / d@x.io,Ann,";
        let plan = portal.plan(&format!("{lines} / {all}"));
        assert_eq!(plan.hold, None);
        assert_eq!(plan.notices(2).count(), 0);
    }

    #[test]
    fn protected_people_count_for_nothing() {
        // Two of three would be more than half.
        let people = ["a@x.io administrator", "b@x.io", "c@x.io"];
        let portal = Portal::auto_disabling(&people);
        let plan = portal.plan("Email,Name / c@x.io,Ann");
        assert_eq!(told(&plan), ["a@x.io protected", "b@x.io disabled"]);
        assert_eq!(plan.counts(as_planned()).warnings, 1);
    }
}
