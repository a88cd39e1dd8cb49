//! Scan + roster -> what happens to everybody. A [`Plan`] is a value: it is kept before the first user is
//! written, read back after a crash, applied, and reported from. Nothing is written from here.
//!
//! A plan is made in steps, each of which knows what the one before has found out; in between the shell looks
//! up what they ask for:
//!
//! 1. [`Joined`]: which row is about whom. Asks which of those who move may.
//! 2. Whose address is somebody else's, who is protected, what is held: decided from hashes and flags alone.
//! 3. [`Naming`]: asks for the identities of those who are new, and gives them their ids.
//! 4. [`Comparing`]: managers are people now. Asks for the users whose rows differ, and for those without a row.
//! 5. [`Plan`].

mod addresses;
mod approval;
mod comparing;
mod join;
mod managers;
mod naming;
mod safety;
#[cfg(test)]
pub(crate) mod testing;

pub use approval::Approval;
pub use comparing::{Comparing, NotPlanned};
pub use join::Joined;
pub use naming::Naming;
pub use safety::{Circumstances, HoldReason, Limits};

use crate::erasure::ERASED;
use crate::group::Groups;
use crate::identity::UserId;
use crate::user::{Change, Terms, Updated, WithoutRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// What happens to an accepted row. A row that the plan does not name is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The person is new.
    Create {
        /// The id of the user to be.
        user_id: UserId,
        /// On which the row is applied.
        terms: Terms,
    },
    /// The person would be new, and that waits for a decision.
    HoldCreate {
        /// The id of the user to be.
        user_id: UserId,
    },
    /// The person is known and something differs.
    Update {
        /// Who it is.
        user_id: UserId,
        /// On which the row is applied.
        terms: Terms,
        /// What differs, and how it is counted.
        change: Change,
    },
    /// Only what is stored beside the values differs, which is no change.
    Refresh {
        /// Who it is.
        user_id: UserId,
        /// On which the row is applied.
        terms: Terms,
    },
    /// Status 0 was held, and is approved.
    Disable {
        /// Who it is.
        user_id: UserId,
        /// As it was when the hold began. Whoever was changed since is left alone.
        version: u64,
    },
    /// What was held is approved, and the person was changed since.
    LeftAlone,
    /// An earlier row says the same about the same person.
    Duplicate {
        /// That row.
        first_row: u32,
    },
    /// An earlier row says something else about the same person.
    Conflict {
        /// That row.
        first_row: u32,
    },
    /// The row's address is somebody else's once the file is applied.
    EmailTaken,
}

impl Action {
    /// What the row comes to when it is applied as planned.
    pub fn outcome(&self) -> Outcome {
        match self {
            Action::Create { .. } => Outcome::Created,
            Action::Update { change, .. } => change.outcome.into(),
            Action::Disable { .. } => Outcome::Disabled,
            Action::LeftAlone => Outcome::ChangedMeanwhile,
            Action::HoldCreate { .. } | Action::Refresh { .. } | Action::Duplicate { .. } => {
                Outcome::Unchanged
            }
            Action::Conflict { .. } | Action::EmailTaken => Outcome::NotProcessed,
        }
    }

    /// Whether the row is not processed.
    pub(crate) fn is_refusal(&self) -> bool {
        self.outcome() == Outcome::NotProcessed
    }

    /// Whether somebody is written, or might be.
    fn writes(&self) -> bool {
        match self {
            Action::Create { .. }
            | Action::Update { .. }
            | Action::Refresh { .. }
            | Action::Disable { .. } => true,
            Action::HoldCreate { .. }
            | Action::LeftAlone
            | Action::Duplicate { .. }
            | Action::Conflict { .. }
            | Action::EmailTaken => false,
        }
    }
}

/// A row and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRow {
    /// As a spreadsheet numbers it.
    pub row: u32,
    /// What happens.
    pub action: Action,
    managers: Span,
}

impl PlannedRow {
    fn of(row: u32, action: Action) -> Self {
        PlannedRow {
            row,
            action,
            managers: Span::default(),
        }
    }
}

/// A part of [`Plan::manager_ids`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    start: u32,
    len: u16,
}

/// Somebody without a row that is applied, and what happens to them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedOther {
    /// Who it is.
    pub user_id: UserId,
    /// As the report shows them.
    pub identity: String,
    /// What happens.
    pub what: WithoutRow,
    /// What comes of it, as planned; `None`: nothing that counts.
    pub change: Option<Change>,
    /// What does not happen, although they are missing.
    pub instead: Option<Instead>,
}

impl fmt::Debug for PlannedOther {
    /// Without the identity, which may be an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedOther")
            .field("user_id", &self.user_id)
            .field("what", &self.what)
            .field("change", &self.change)
            .field("instead", &self.instead)
            .finish_non_exhaustive()
    }
}

impl PlannedOther {
    /// What comes of it, as planned.
    pub fn outcome(&self) -> Outcome {
        match (self.change, self.instead) {
            (Some(change), _) => change.outcome.into(),
            (None, Some(Instead::LeftAlone)) => Outcome::ChangedMeanwhile,
            (None, _) => Outcome::Unchanged,
        }
    }
}

/// What happens in place of a disable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Instead {
    /// It waits for a decision.
    Held {
        /// As it is while the hold lasts. Whoever was changed since is left alone.
        version: u64,
    },
    /// It is approved.
    Approved {
        /// As it was when the hold began.
        version: u64,
    },
    /// The person is protected.
    Protected,
    /// It is approved, and the person was changed since the hold began.
    LeftAlone,
}

/// Somebody whose status 0 is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRow {
    /// As a spreadsheet numbers it.
    pub row: u32,
    /// Who it is.
    pub user_id: UserId,
    /// As it is while the hold lasts.
    pub version: u64,
}

/// What the plan has found to say about a row that is applied, beside its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Notice {
    /// As a spreadsheet numbers it.
    pub row: u32,
    /// What.
    pub kind: NoticeKind,
}

/// Kinds of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoticeKind {
    /// The address was kept, because it also belongs to a user of another portal.
    EmailShared,
    /// Nobody has the address in this part of the cell, counted from 0.
    ManagerNotFound {
        /// Which part.
        part: u16,
    },
    /// This part of the cell, counted from 0, is the row's own person.
    ManagerSelf {
        /// Which part.
        part: u16,
    },
    /// The row is the first of a circle.
    ManagerLoop {
        /// Which of [`Plan::circles`].
        circle: u32,
    },
    /// The person is protected.
    Protected,
    /// A disable or a create is held.
    Held,
}

/// What a row comes to, for counting. Each row counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// Refused, for a reason in the report.
    NotProcessed,
    /// A new user.
    Created,
    /// A user who can sign in again.
    Enabled,
    /// A user who cannot sign in any more.
    Disabled,
    /// A user with other values than before.
    Updated,
    /// Nothing to do.
    Unchanged,
    /// Changed elsewhere at the same time and left alone: unchanged, with a warning.
    ChangedMeanwhile,
}

impl Outcome {
    const ALL: [Outcome; 7] = [
        Outcome::NotProcessed,
        Outcome::Created,
        Outcome::Enabled,
        Outcome::Disabled,
        Outcome::Updated,
        Outcome::Unchanged,
        Outcome::ChangedMeanwhile,
    ];

    /// As it is stored with a user.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Created => "created",
            Outcome::Enabled => "enabled",
            Outcome::Disabled => "disabled",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::NotProcessed => "not_processed",
            Outcome::ChangedMeanwhile => "changed_meanwhile",
        }
    }

    /// As it was stored.
    pub fn parse(text: &str) -> Option<Self> {
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

impl From<Updated> for Outcome {
    fn from(updated: Updated) -> Self {
        match updated {
            Updated::Enabled => Outcome::Enabled,
            Updated::Disabled => Outcome::Disabled,
            Updated::StatusKept => Outcome::Updated,
        }
    }
}

/// The rows of a file, partitioned: `total` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// All rows that are not blank, the header aside.
    pub total: u64,
    /// New users.
    pub created: u64,
    /// Users with other values.
    pub updated: u64,
    /// Nothing to do; duplicates are here.
    pub unchanged: u64,
    /// Made inactive by status 0.
    pub disabled: u64,
    /// Made active again.
    pub enabled: u64,
    /// Refused.
    pub not_processed: u64,
}

impl RowCounts {
    fn of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Created => &mut self.created,
            Outcome::Enabled => &mut self.enabled,
            Outcome::Disabled => &mut self.disabled,
            Outcome::Updated => &mut self.updated,
            Outcome::Unchanged | Outcome::ChangedMeanwhile => &mut self.unchanged,
            Outcome::NotProcessed => &mut self.not_processed,
        }
    }
}

/// People without a row that was processed whom a file changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Missing from the file.
    pub disabled: u64,
    /// Managers who were given the role.
    pub updated: u64,
}

impl Others {
    fn of(&mut self, outcome: Outcome) -> Option<&mut u64> {
        match outcome {
            Outcome::Disabled => Some(&mut self.disabled),
            Outcome::Updated => Some(&mut self.updated),
            _ => None,
        }
    }
}

/// How a file comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Its rows.
    pub rows: RowCounts,
    /// People without a row.
    pub others: Others,
    /// How many problems are warnings.
    pub warnings: u64,
    /// Disables that wait for a decision.
    pub held_disables: u64,
    /// Creates that wait with them.
    pub held_creates: u64,
}

/// Steps of a plan that did not come out as planned, because their people were changed while it was applied.
pub type Exceptions = BTreeMap<u64, Outcome>;

/// Exceptions as they are kept.
///
/// # Errors
///
/// None that they can cause; the encoder's own.
pub fn encode_exceptions(exceptions: &Exceptions) -> Result<Vec<u8>, UnreadablePlan> {
    encode(exceptions)
}

/// Exceptions as they were kept.
///
/// # Errors
///
/// The bytes are not exceptions of this form.
pub fn decode_exceptions(bytes: &[u8]) -> Result<Exceptions, UnreadablePlan> {
    decode(bytes)
}

/// What happens to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The rows that are not simply unchanged, in the file's order. Rows that are not accepted are not
    /// here either: the row itself says why.
    pub rows: Vec<PlannedRow>,
    /// Rows that have something to say by themselves, in the file's order: why they are not accepted, or a warning.
    pub telling: Vec<u32>,
    /// People without a row that is applied, by their ids.
    pub others: Vec<PlannedOther>,
    /// What there is to say about rows, in their order.
    pub notices: Vec<Notice>,
    /// The rows of each circle of managers.
    pub circles: Vec<Vec<u32>>,
    /// Why disables are held, if they are.
    pub hold: Option<HoldReason>,
    /// Rows whose status 0 is held.
    pub held_rows: Vec<HeldRow>,
    /// The groups that the file could name when it was planned.
    pub groups: Groups,
    /// Whether the file has an accepted row; one without is nobody's newer file and no baseline.
    pub has_people: bool,
    manager_ids: Vec<UserId>,
    counts: Counts,
}

/// What was read is no plan of this program.
#[derive(Debug, Error)]
#[error("not a plan that this version can read")]
pub struct UnreadablePlan(#[source] Option<postcard::Error>);

/// The form of the kept plan; one of another form is refused rather than misread.
const PLAN_FORMAT: u8 = 4;

impl Plan {
    /// How the file comes out when it is applied, with `exceptions` where it did not go as planned.
    pub fn counts(&self, exceptions: &Exceptions) -> Counts {
        let mut counts = self.counts;
        for (step, actual) in exceptions {
            let planned = self.planned(*step);
            let is_row = *step < self.rows.len() as u64;
            for (outcome, by) in [(planned, -1), (*actual, 1)] {
                let count = if is_row {
                    Some(counts.rows.of(outcome))
                } else {
                    counts.others.of(outcome)
                };
                if let Some(count) = count {
                    *count = count.saturating_add_signed(by);
                }
            }
            counts.warnings += u64::from(*actual == Outcome::ChangedMeanwhile);
        }
        counts
    }

    /// Counts how it comes out when it is applied as planned. Of the file's rows, so many were accepted and so
    /// many were not; those that are used are worth so many warnings by themselves.
    fn count(&mut self, accepted: u64, not_accepted: u64, own_warnings: u64) {
        let mut counts = Counts::default();
        counts.rows.total = accepted + not_accepted;
        counts.rows.not_processed = not_accepted;
        counts.rows.unchanged = accepted;
        counts.warnings = own_warnings;
        let is = |planned: &&PlannedRow, what: fn(&Action) -> bool| what(&planned.action);
        for planned in &self.rows {
            counts.rows.unchanged -= 1;
            *counts.rows.of(planned.action.outcome()) += 1;
            let warns =
                |action: &Action| matches!(action, Action::Duplicate { .. } | Action::LeftAlone);
            counts.warnings += u64::from(is(&planned, warns));
            let held = |action: &Action| matches!(action, Action::HoldCreate { .. });
            counts.held_creates += u64::from(is(&planned, held));
        }
        for other in &self.others {
            if let Some(count) = counts.others.of(other.outcome()) {
                *count += 1;
            }
            match other.instead {
                Some(Instead::Held { .. }) => counts.held_disables += 1,
                Some(Instead::Protected | Instead::LeftAlone) => counts.warnings += 1,
                Some(Instead::Approved { .. }) | None => {}
            }
        }
        counts.held_disables += self.held_rows.len() as u64;
        let warning = |notice: &&Notice| notice.kind != NoticeKind::Held;
        counts.warnings += self.notices.iter().filter(warning).count() as u64;
        self.counts = counts;
    }

    /// The same plan, which shows somebody who was erased by no address any more. `None`: it does not show them.
    pub fn without(mut self, user_id: UserId) -> Option<Self> {
        let is_shown =
            |other: &&mut PlannedOther| other.user_id == user_id && other.identity != ERASED;
        let other = self.others.iter_mut().find(is_shown)?;
        other.identity = ERASED.to_owned();
        Some(self)
    }

    /// What a step comes to when it is applied as planned.
    pub fn planned(&self, step: u64) -> Outcome {
        let row = usize::try_from(step).ok();
        match row.and_then(|row| self.rows.get(row)) {
            Some(planned) => planned.action.outcome(),
            None => self
                .other(step)
                .map_or(Outcome::Unchanged, PlannedOther::outcome),
        }
    }

    /// What happens to this row; `None` for one that is unchanged or not accepted.
    pub fn action(&self, row: u32) -> Option<Action> {
        self.step(row).map(|(_, planned)| planned.action)
    }

    /// The same, and which of the plan's steps that is, counted from 0.
    pub fn step(&self, row: u32) -> Option<(u64, &PlannedRow)> {
        let at = self
            .rows
            .binary_search_by_key(&row, |planned| planned.row)
            .ok()?;
        Some((at as u64, &self.rows[at]))
    }

    /// The person of this step, which comes after those of the rows.
    pub fn other(&self, step: u64) -> Option<&PlannedOther> {
        let at = step.checked_sub(self.rows.len() as u64)?;
        self.others.get(usize::try_from(at).ok()?)
    }

    /// The managers of a row, found: sorted, each once.
    pub fn managers(&self, planned: &PlannedRow) -> &[UserId] {
        let Span { start, len } = planned.managers;
        &self.manager_ids[start as usize..][..usize::from(len)]
    }

    /// What there is to say about a row.
    pub fn notices(&self, row: u32) -> impl Iterator<Item = NoticeKind> {
        let from = self.notices.partition_point(|notice| notice.row < row);
        self.notices[from..]
            .iter()
            .take_while(move |notice| notice.row == row)
            .map(|notice| notice.kind)
    }

    /// Whether there is anything to say of this row.
    pub fn names(&self, row: u32) -> bool {
        self.step(row).is_some() || self.tells_of(row)
    }

    /// Whether the report has to say more of this row than how its person came out: something that stands in its
    /// cells.
    pub fn tells_of(&self, row: u32) -> bool {
        let refers = |action| {
            matches!(
                action,
                Action::Duplicate { .. } | Action::Conflict { .. } | Action::EmailTaken
            )
        };
        self.telling.binary_search(&row).is_ok()
            || self.notices(row).next().is_some()
            || self.action(row).is_some_and(refers)
    }

    /// How many steps applying the plan takes: one for each of the rows, then one for each of the others.
    pub fn steps(&self) -> u64 {
        (self.rows.len() + self.others.len()) as u64
    }

    /// Whether applying the plan writes anything for a row, so that the file has to be read.
    pub fn writes_rows(&self) -> bool {
        self.rows.iter().any(|planned| planned.action.writes())
    }

    /// As it is kept.
    ///
    /// # Errors
    ///
    /// None that a plan can cause; the encoder's own.
    pub fn encode(&self) -> Result<Vec<u8>, UnreadablePlan> {
        encode(self)
    }

    /// As it was kept.
    ///
    /// # Errors
    ///
    /// The bytes are not a plan of this form.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadablePlan> {
        decode(bytes)
    }
}

/// A plan and how it went: what a report is made of.
#[derive(Clone, Copy)]
pub struct Applied<'p> {
    /// What was to happen.
    pub plan: &'p Plan,
    /// Where it went otherwise.
    pub exceptions: &'p Exceptions,
}

impl Applied<'_> {
    /// What became of a step.
    pub fn outcome(&self, step: u64) -> Outcome {
        let planned = || self.plan.planned(step);
        self.exceptions.get(&step).copied().unwrap_or_else(planned)
    }

    /// What became of a row that was accepted.
    pub fn outcome_of_row(&self, row: u32) -> Outcome {
        self.plan
            .step(row)
            .map_or(Outcome::Unchanged, |(step, _)| self.outcome(step))
    }

    /// How the file came out.
    pub fn counts(&self) -> Counts {
        self.plan.counts(self.exceptions)
    }

    /// Whether no row has a line in the report, so that the file need not be read again for it.
    pub fn has_nothing_to_say_of_rows(&self) -> bool {
        let counts = self.counts();
        counts.rows.unchanged == counts.rows.total
            && counts.warnings == 0
            && self.plan.notices.is_empty()
    }

    /// How the file came out, with what was held and then approved.
    pub fn counts_with(&self, approved: &Applied<'_>) -> Counts {
        let mut counts = self.counts();
        for (step, planned) in (0..).zip(&approved.plan.rows) {
            let before = self.outcome_of_row(planned.row);
            let after = approved.outcome(step);
            *counts.rows.of(before) -= 1;
            // Each row counts once, as the first that fits.
            *counts.rows.of(before.min(after)) += 1;
        }
        let at = |user_id: UserId| {
            let at = self
                .plan
                .others
                .binary_search_by_key(&user_id, |other| other.user_id);
            at.ok().map(|at| (self.plan.rows.len() + at) as u64)
        };
        for (step, other) in (approved.plan.rows.len() as u64..).zip(&approved.plan.others) {
            let before = at(other.user_id).map_or(Outcome::Unchanged, |step| self.outcome(step));
            let after = before.min(approved.outcome(step));
            if let Some(count) = counts.others.of(before) {
                *count -= 1;
            }
            if let Some(count) = counts.others.of(after) {
                *count += 1;
            }
        }
        counts.warnings += approved.counts().warnings;
        counts
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, UnreadablePlan> {
    postcard::to_extend(value, vec![PLAN_FORMAT]).map_err(|error| UnreadablePlan(Some(error)))
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, UnreadablePlan> {
    match bytes.split_first() {
        Some((&PLAN_FORMAT, value)) => {
            postcard::from_bytes(value).map_err(|error| UnreadablePlan(Some(error)))
        }
        _ => Err(UnreadablePlan(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Portal, as_planned, told};
    use super::*;
    use proptest::prelude::*;

    fn rows(counts: &Counts) -> u64 {
        let RowCounts {
            created,
            updated,
            unchanged,
            disabled,
            enabled,
            not_processed,
            total: _,
        } = counts.rows;
        created + updated + unchanged + disabled + enabled + not_processed
    }

    #[test]
    fn exceptions_move_rows_between_counts() {
        let plan = Portal::of(&[]).plan("Email,Name / x,Ann / a@x.io,Ann / b@x.io,Bo / c@x.io,Cy");
        // Steps are counted from 0, whatever the numbers of their rows are.
        let exceptions = Exceptions::from([(0, Outcome::Updated), (1, Outcome::ChangedMeanwhile)]);
        let counts = plan.counts(&exceptions);
        assert_eq!(
            counts.rows,
            RowCounts {
                total: 4,
                created: 1,
                updated: 1,
                unchanged: 1,
                not_processed: 1,
                ..RowCounts::default()
            }
        );
        assert_eq!(counts.warnings, 1);
        let applied = Applied {
            plan: &plan,
            exceptions: &exceptions,
        };
        let outcomes = [2, 3, 4, 5].map(|row| applied.outcome_of_row(row));
        assert_eq!(
            outcomes,
            [
                Outcome::Unchanged,
                Outcome::Updated,
                Outcome::ChangedMeanwhile,
                Outcome::Created
            ]
        );
    }

    #[test]
    fn exceptions_of_people_without_a_row_come_after_those_of_the_rows() {
        let people = ["a@x.io", "b@x.io", "c@x.io", "d@x.io", "e@x.io", "f@x.io"];
        let plan = Portal::auto_disabling(&people)
            .plan("Email,Name / d@x.io,Ann / e@x.io,Bo / f@x.io,Ann / n@x.io,Ann");
        let steps = plan.steps();
        assert_eq!(steps, plan.rows.len() as u64 + 3);
        assert_eq!(plan.counts(as_planned()).others.disabled, 3);
        let exceptions = Exceptions::from([
            (steps - 3, Outcome::Unchanged),
            (steps - 2, Outcome::ChangedMeanwhile),
        ]);
        let counts = plan.counts(&exceptions);
        assert_eq!((counts.others.disabled, counts.warnings), (1, 1));
        assert_eq!(counts.rows, plan.counts(as_planned()).rows);
        assert_eq!(rows(&counts), counts.rows.total);
        let other = plan.other(steps - 1).unwrap();
        assert_eq!(other.user_id, plan.others[2].user_id);
        assert!(plan.other(steps).is_none() && plan.other(0).is_none());
    }

    #[test]
    fn with_an_approval_each_row_still_counts_once() {
        let mut portal = Portal::of(&["a@x.io", "b@x.io", "c@x.io"]);
        let lines = "Email,Name,Status / a@x.io,Ann,0 / b@x.io,Bo,0 / c@x.io,Ann,1";
        let first = portal.feed(lines);
        assert_eq!(
            told(&first),
            ["3 updated", "2: held", "3: held", "too_many_disables"]
        );
        let run = |plan| Applied {
            plan,
            exceptions: as_planned(),
        };
        let approved = portal.approval(lines, &first);
        let counts = run(&first).counts_with(&run(&approved));
        // Disabled comes before updated.
        let expected = RowCounts {
            total: 3,
            disabled: 2,
            unchanged: 1,
            ..RowCounts::default()
        };
        assert_eq!(counts.rows, expected);

        portal.change("b@x.io", |user| user.last_name = "Lee".to_owned());
        let approved = portal.approval(lines, &first);
        let counts = run(&first).counts_with(&run(&approved));
        let expected = RowCounts {
            total: 3,
            disabled: 1,
            updated: 1,
            unchanged: 1,
            ..RowCounts::default()
        };
        assert_eq!((counts.rows, counts.warnings), (expected, 1));
    }

    #[test]
    fn people_without_a_row_count_once_with_an_approval() {
        let mut portal = Portal::auto_disabling(&["a@x.io", "b@x.io", "c@x.io"]);
        // One of those who are missing is given the role at once and made inactive later.
        let lines = "Email,Name,Manager / c@x.io,Ann,a@x.io";
        let first = portal.feed(lines);
        let run = |plan| Applied {
            plan,
            exceptions: as_planned(),
        };
        let others = run(&first).counts().others;
        assert_eq!((others.disabled, others.updated), (0, 1));
        let approved = portal.approval(lines, &first);
        let others = run(&first).counts_with(&run(&approved)).others;
        assert_eq!((others.disabled, others.updated), (2, 0));
        // Changed since: what was done at once stays.
        portal.change("a@x.io", |user| user.last_name = "Lee".to_owned());
        let approved = portal.approval(lines, &first);
        let others = run(&first).counts_with(&run(&approved)).others;
        assert_eq!((others.disabled, others.updated), (1, 1));
    }

    #[test]
    fn outcomes_are_stored_by_name() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(Outcome::parse("Created"), None);
    }

    #[test]
    fn a_plan_writes_rows_or_does_not() {
        let mut portal = Portal::auto_disabling(&["a@x.io", "b@x.io", "c@x.io"]);
        let lines = "Email,Name / a@x.io,Ann / c@x.io,Ann / c@x.io,Ann";
        assert!(portal.feed(lines).writes_rows(), "fingerprints");
        let plan = portal.plan("Email,Name / a@x.io,Ann / c@x.io,Ann / c@x.io,Bo");
        assert_eq!(told(&plan), ["4 conflict with 3"]);
        assert!(!plan.writes_rows());
    }

    #[test]
    fn a_plan_is_read_as_it_was_kept() {
        let people = ["a@x.io", "b@x.io", "c@x.io", "d@x.io", "e@x.io"];
        let portal = Portal::auto_disabling(&people).authorised_by("b@x.io");
        let plan = portal.plan(
            "Email,Name,Manager,Group / n@x.io,Ann,m@x.io|nobody,7 / m@x.io,Ann,n@x.io, / \
             n@x.io,Bo,, / n@x.io,Ann,nobody|m@x.io,7 / o@x.io,Ann,, / d@x.io,Bo,c@x.io,",
        );
        assert!(plan.hold.is_some() && !plan.others.is_empty() && plan.rows.len() > 3);
        assert_eq!(Plan::decode(&plan.encode().unwrap()).unwrap(), plan);
        let exceptions = Exceptions::from([(3, Outcome::Created), (7, Outcome::ChangedMeanwhile)]);
        let kept = encode_exceptions(&exceptions).unwrap();
        assert_eq!(decode_exceptions(&kept).unwrap(), exceptions);
    }

    #[test]
    fn a_plan_of_another_form_is_not_misread() {
        let mut plan = Portal::of(&[])
            .plan("Email,Name / a@x.io,Ann")
            .encode()
            .unwrap();
        assert!(Plan::decode(&plan).is_ok());
        assert!(Plan::decode(&plan[..plan.len() - 1]).is_err());
        for form in (0..=u8::MAX).filter(|form| *form != PLAN_FORMAT) {
            plan[0] = form;
            assert!(Plan::decode(&plan).is_err(), "{form}");
            assert!(decode_exceptions(&[form, 0]).is_err(), "{form}");
        }
        let cut = [PLAN_FORMAT, 0xff, 0xff];
        for bytes in [&b""[..], &[PLAN_FORMAT], &cut] {
            assert!(Plan::decode(bytes).is_err(), "{bytes:?}");
            assert!(decode_exceptions(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn the_counts_always_partition_the_file(
            rows in proptest::collection::vec(("[1-3]?", "[a-d]@x\\.io|c|", "[AB]?", "[01]?", "[a-d]@x\\.io|"), 1..12),
            known in proptest::collection::vec(("[1-4]", "[a-e]@x\\.io", "| missed| unmanaged| administrator"), 0..5),
            by_external_id in any::<bool>(),
            auto_disable in any::<bool>(),
        ) {
            let people: Vec<String> = known
                .iter()
                .map(|(id, email, flag)| match by_external_id {
                    true => format!("{email} id={id}{flag}"),
                    false => format!("{email}{flag}"),
                })
                .collect();
            let lines: Vec<String> = rows
                .iter()
                .map(|(id, email, name, status, manager)| {
                    let id = if by_external_id { format!("{id},") } else { String::new() };
                    let status = if auto_disable { String::new() } else { format!(",{status}") };
                    // No row is blank.
                    format!("{id}{email},{name},{manager},x{status}")
                })
                .collect();
            let id = if by_external_id { "Id," } else { "" };
            let status = if auto_disable { "" } else { ",Status" };
            let lines = format!("{id}Email,Name,Manager,Job{status} / {}", lines.join(" / "));
            let mut portal = Portal {
                auto_disable,
                ..Portal::of(&people.iter().map(String::as_str).collect::<Vec<_>>())
            };

            let first = portal.feed(&lines);
            let run = |plan| Applied { plan, exceptions: as_planned() };
            let counts = first.counts(as_planned());
            prop_assert_eq!(counts.rows.total, rows.len() as u64);
            prop_assert_eq!(self::rows(&counts), counts.rows.total);
            let ids: std::collections::HashSet<_> = first.rows.iter().filter_map(|planned| match planned.action {
                Action::Create { user_id, .. } => Some(user_id),
                _ => None,
            }).collect();
            prop_assert_eq!(ids.len() as u64, counts.rows.created, "nobody is created twice");
            prop_assert_eq!(&Plan::decode(&first.encode().unwrap()).unwrap(), &first);

            let again = portal.plan(&lines).counts(as_planned());
            prop_assert_eq!(again.rows.created, 0, "nobody is created again");
            if first.hold.is_some() {
                let approved = portal.approval(&lines, &first);
                let counts = run(&first).counts_with(&run(&approved));
                prop_assert_eq!(self::rows(&counts), counts.rows.total);
                prop_assert_eq!(counts.rows.total, rows.len() as u64);
            }
        }
    }
}
