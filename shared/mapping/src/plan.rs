//! Scan + roster -> what happens to each row. A [`Plan`] is a value: it is kept before the first user is
//! written, read back after a crash, applied, and reported from. Nothing is written from here.

use crate::group::Groups;
use crate::identity::{EmailKey, PortalId, UserId};
use crate::mapping::Mapping;
use crate::roster::Roster;
use crate::scan::{Scan, ScannedRow};
use crate::user::{Change, Decision, Updated};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// What happens to an accepted row. A row that the plan does not name is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The person is new.
    Create {
        /// The id of the user to be.
        user_id: UserId,
    },
    /// The person is known and something differs.
    Update {
        /// Who it is.
        user_id: UserId,
        /// What differs, and how it is counted.
        change: Change,
    },
    /// Only the stored fingerprint differs, which is no change.
    Refresh {
        /// Who it is.
        user_id: UserId,
    },
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
}

/// A row and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRow {
    /// As a spreadsheet numbers it.
    pub row: u32,
    /// What happens.
    pub action: Action,
}

/// What a row comes to, for counting. Each row counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
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
    /// Refused, for a reason in the report.
    NotProcessed,
    /// Changed elsewhere at the same time and left alone: unchanged, with a warning.
    ChangedMeanwhile,
}

impl Outcome {
    const ALL: [Outcome; 7] = [
        Outcome::Created,
        Outcome::Enabled,
        Outcome::Disabled,
        Outcome::Updated,
        Outcome::Unchanged,
        Outcome::NotProcessed,
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

impl Action {
    /// What the row comes to when it is applied as planned.
    pub fn outcome(&self) -> Outcome {
        match self {
            Action::Create { .. } => Outcome::Created,
            Action::Update { change, .. } => change.outcome.into(),
            Action::Refresh { .. } | Action::Duplicate { .. } => Outcome::Unchanged,
            Action::Conflict { .. } => Outcome::NotProcessed,
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

/// How a file comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Its rows.
    pub rows: RowCounts,
    /// How many problems are warnings.
    pub warnings: u64,
}

/// Rows that did not come out as planned, because their people were changed while the plan was applied.
pub type Exceptions = BTreeMap<u32, Outcome>;

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

/// What happens to every row of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The rows that are not simply unchanged, in the file's order. Rows that are not accepted are not
    /// here either: the row itself says why.
    pub rows: Vec<PlannedRow>,
    /// The groups that the file could name when it was planned.
    pub groups: Groups,
    counts: Counts,
}

/// What was read is no plan of this program.
#[derive(Debug, Error)]
#[error("not a plan that this version can read")]
pub struct UnreadablePlan(#[source] Option<postcard::Error>);

/// The form of the kept plan; one of another form is refused rather than misread.
const PLAN_FORMAT: u8 = 2;

impl Plan {
    /// How the file comes out when it is applied, with `exceptions` where it did not go as planned.
    pub fn counts(&self, exceptions: &Exceptions) -> Counts {
        let mut counts = self.counts;
        for (row, actual) in exceptions {
            let planned = self
                .action(*row)
                .map_or(Outcome::Unchanged, |action| action.outcome());
            *counts.rows.of(planned) -= 1;
            *counts.rows.of(*actual) += 1;
            counts.warnings += u64::from(*actual == Outcome::ChangedMeanwhile);
        }
        counts
    }

    /// What happens to this row; `None` for one that is unchanged or not accepted.
    pub fn action(&self, row: u32) -> Option<Action> {
        self.step(row).map(|(_, action)| action)
    }

    /// The same, and which of the plan's steps that is, counted from 0.
    pub fn step(&self, row: u32) -> Option<(u64, Action)> {
        let at = self
            .rows
            .binary_search_by_key(&row, |planned| planned.row)
            .ok()?;
        Some((at as u64, self.rows[at].action))
    }

    /// How many steps applying the plan takes.
    pub fn steps(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Whether applying the plan writes anything to the users table.
    pub fn writes(&self) -> bool {
        self.rows.iter().any(|planned| {
            matches!(
                planned.action,
                Action::Create { .. } | Action::Update { .. } | Action::Refresh { .. }
            )
        })
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

/// A plan with questions open: who is new and who differs is known by key and fingerprint; the rows
/// themselves are needed once more to say which id or which change that is.
pub struct Draft {
    rows: Vec<(u32, Open)>,
    groups: Groups,
    accepted: u64,
    not_accepted: u64,
    warnings: u64,
}

#[derive(Clone, Copy)]
enum Open {
    New,
    Differs(UserId),
    Settled(Settled),
}

#[derive(Clone, Copy)]
enum Settled {
    Action(Action),
    Unchanged,
}

/// What a [`Draft`] wants to know of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Nobody has this identity. Which id will they have? Answer with [`Draft::create`].
    New,
    /// This user's fingerprint differs. What does? Answer with [`Draft::settle`].
    Differs(UserId),
}

impl Draft {
    /// Joins a file's rows, read with `mapping`, with the portal's people.
    pub fn new(scan: Scan, mapping: &Mapping, roster: &Roster) -> Self {
        let accepted = scan.rows.len() as u64;
        let (mut rows, mut warnings) = (Vec::new(), 0);
        let mut scanned = scan.rows;
        // People together, the first row of each first.
        scanned.sort_unstable_by_key(|row| (row.identity, row.row));
        for person in scanned.chunk_by(|a, b| a.identity == b.identity) {
            let Some((first, later)) = person.split_first() else {
                continue;
            };
            warnings += u64::from(first.warnings);
            if let Some(open) = open(first, roster) {
                rows.push((first.row, open));
            }
            rows.extend(later.iter().map(|row| {
                let first_row = first.row;
                let action = if row.says == first.says {
                    Action::Duplicate { first_row }
                } else {
                    Action::Conflict { first_row }
                };
                (row.row, Open::Settled(Settled::Action(action)))
            }));
        }
        rows.sort_unstable_by_key(|(row, _)| *row);
        Draft {
            rows,
            groups: mapping.groups().clone(),
            accepted,
            not_accepted: scan.not_accepted,
            warnings,
        }
    }

    /// Whether the file has to be looked at once more.
    pub fn has_questions(&self) -> bool {
        self.rows
            .iter()
            .any(|(_, open)| !matches!(open, Open::Settled(_)))
    }

    /// What is to be found out about this row.
    pub fn question(&self, row: u32) -> Option<Question> {
        match self.rows[self.place(row)?].1 {
            Open::New => Some(Question::New),
            Open::Differs(user_id) => Some(Question::Differs(user_id)),
            Open::Settled(_) => None,
        }
    }

    /// The row's person will be created: works out the id.
    pub fn create(&mut self, row: u32, portal: PortalId, email: &EmailKey, roster: &Roster) {
        let user_id = roster.next_user_id(portal, email);
        self.answer(row, Settled::Action(Action::Create { user_id }));
    }

    /// The row's person was looked at as a whole.
    pub fn settle(&mut self, row: u32, user_id: UserId, decision: &Decision) {
        self.answer(
            row,
            match decision {
                Decision::Unchanged => Settled::Unchanged,
                Decision::Refresh(_) => Settled::Action(Action::Refresh { user_id }),
                Decision::Update(_, change) => Settled::Action(Action::Update {
                    user_id,
                    change: *change,
                }),
            },
        );
    }

    fn answer(&mut self, row: u32, settled: Settled) {
        if let Some(place) = self.place(row) {
            self.rows[place].1 = Open::Settled(settled);
        }
    }

    fn place(&self, row: u32) -> Option<usize> {
        self.rows
            .binary_search_by_key(&row, |(number, _)| *number)
            .ok()
    }

    /// The plan.
    ///
    /// # Errors
    ///
    /// The number of a row whose question was never answered: planning went wrong, and a plan that
    /// forgot a person must not be applied.
    pub fn finish(self) -> Result<Plan, u32> {
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut counts = Counts::default();
        counts.rows.total = self.accepted + self.not_accepted;
        counts.rows.not_processed = self.not_accepted;
        counts.rows.unchanged = self.accepted;
        counts.warnings = self.warnings;
        for (row, open) in self.rows {
            match open {
                Open::New | Open::Differs(_) => return Err(row),
                Open::Settled(Settled::Unchanged) => {}
                Open::Settled(Settled::Action(action)) => {
                    counts.rows.unchanged -= 1;
                    *counts.rows.of(action.outcome()) += 1;
                    counts.warnings += u64::from(matches!(action, Action::Duplicate { .. }));
                    rows.push(PlannedRow { row, action });
                }
            }
        }
        Ok(Plan {
            rows,
            groups: self.groups,
            counts,
        })
    }
}

fn open(row: &ScannedRow, roster: &Roster) -> Option<Open> {
    match roster.find(row.identity) {
        None => Some(Open::New),
        Some(user) if user.feed_managed && user.fingerprint == Some(row.fingerprint) => None,
        Some(user) => Some(Open::Differs(user.user_id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityHash;
    use crate::mapping::tests::mapping;
    use crate::record::Fingerprint;
    use crate::roster::RosterEntry;
    use crate::scan::Scanner;
    use crate::user::ChangedFields;
    use proptest::prelude::*;

    fn scan(rows: &[&str]) -> Scan {
        let mapping = mapping();
        let mut scanner = Scanner::new(&mapping);
        scanner
            .push(crate::record::tests::HEADER.as_bytes())
            .unwrap();
        rows.iter()
            .for_each(|row| scanner.push(format!("{row}\n").as_bytes()).unwrap());
        scanner.finish().unwrap()
    }

    fn portal() -> PortalId {
        "1001".parse().unwrap()
    }

    fn entry(email: &str, created_as: &str, fingerprint: Option<Fingerprint>) -> RosterEntry {
        RosterEntry {
            identity: IdentityHash::of_email(email),
            user_id: UserId::by_email(portal(), &EmailKey::of(created_as), 0),
            fingerprint,
            feed_managed: fingerprint.is_some(),
        }
    }

    fn id(email: &str, n: u32) -> UserId {
        UserId::by_email(portal(), &EmailKey::of(email), n)
    }

    /// Rows are `address,first name`.
    fn draft(rows: &[(&str, &str)], roster: &Roster) -> Draft {
        let rows: Vec<String> = rows
            .iter()
            .map(|(email, first)| format!("{email},{first},Lee,1,J,S"))
            .collect();
        Draft::new(
            scan(&rows.iter().map(String::as_str).collect::<Vec<_>>()),
            &mapping(),
            roster,
        )
    }

    #[test]
    fn new_people_are_created_and_known_ones_compared_by_fingerprint() {
        let known = scan(&["a@x.example,Ann,Lee,1,J,S", "b@x.example,Bo,Lee,1,J,S"]);
        let roster = Roster::new(vec![
            entry(
                "a@x.example",
                "a@x.example",
                Some(known.rows[0].fingerprint),
            ),
            entry(
                "b@x.example",
                "b@x.example",
                Some(known.rows[0].fingerprint),
            ),
            entry("c@x.example", "c@x.example", None),
        ]);
        let rows = [
            ("A@x.example", "Ann"),
            ("a@x.example", "Ann"),
            ("b@x.example", "Bo"),
            ("c@x.example", "C"),
            ("d@x.example", "D"),
        ];
        let mut draft = draft(&rows[1..], &roster);
        let questions: Vec<_> = (2..=5).map(|row| draft.question(row)).collect();
        assert_eq!(
            questions,
            [
                None,
                Some(Question::Differs(id("b@x.example", 0))),
                Some(Question::Differs(id("c@x.example", 0))),
                Some(Question::New),
            ]
        );
        let change = Change {
            outcome: Updated::Enabled,
            fields: ChangedFields::default(),
        };
        draft.create(5, portal(), &EmailKey::of("d@x.example"), &roster);
        draft.answer(
            3,
            Settled::Action(Action::Update {
                user_id: id("b@x.example", 0),
                change,
            }),
        );
        draft.settle(
            4,
            id("c@x.example", 0),
            &Decision::Refresh(known.rows[0].fingerprint),
        );
        let plan = draft.finish().unwrap();
        assert_eq!(plan.action(2), None);
        assert_eq!(
            plan.action(5),
            Some(Action::Create {
                user_id: id("d@x.example", 0)
            })
        );
        let rows = plan.counts(&Exceptions::new()).rows;
        assert_eq!(
            rows,
            RowCounts {
                total: 4,
                created: 1,
                enabled: 1,
                unchanged: 2,
                ..RowCounts::default()
            }
        );
        assert_eq!(Plan::decode(&plan.encode().unwrap()).unwrap(), plan);
    }

    #[test]
    fn a_plan_that_forgot_a_person_is_no_plan() {
        assert_eq!(
            draft(&[("a@x.example", "Ann")], &Roster::default()).finish(),
            Err(2)
        );
    }

    /// A fingerprint that is left over from a time when the feed managed the user says nothing.
    #[test]
    fn somebody_whom_the_feed_does_not_manage_is_looked_at() {
        let known = scan(&["a@x.example,Ann,Lee,1,J,S"]);
        let mut user = entry(
            "a@x.example",
            "a@x.example",
            Some(known.rows[0].fingerprint),
        );
        for (feed_managed, question) in
            [(true, None), (false, Some(Question::Differs(user.user_id)))]
        {
            user.feed_managed = feed_managed;
            assert_eq!(
                draft(&[("a@x.example", "Ann")], &Roster::new(vec![user])).question(2),
                question
            );
        }
    }

    #[test]
    fn the_first_row_of_a_person_counts() {
        let rows = [
            ("a@x.example", "Ann"),
            ("A@X.example ", "Anna"),
            ("A@x.example", "Ann"),
            ("b@x.example", "Bo"),
        ];
        let mut draft = draft(&rows, &Roster::default());
        draft.create(
            2,
            portal(),
            &EmailKey::of("a@x.example"),
            &Roster::default(),
        );
        draft.create(
            5,
            portal(),
            &EmailKey::of("b@x.example"),
            &Roster::default(),
        );
        let plan = draft.finish().unwrap();
        assert_eq!(plan.action(3), Some(Action::Conflict { first_row: 2 }));
        assert_eq!(plan.action(4), Some(Action::Duplicate { first_row: 2 }));
        let counts = plan.counts(&Exceptions::new());
        assert_eq!(
            counts.rows,
            RowCounts {
                total: 4,
                created: 2,
                unchanged: 1,
                not_processed: 1,
                ..RowCounts::default()
            }
        );
        assert_eq!(counts.warnings, 1);
    }

    #[test]
    fn an_address_that_somebody_else_was_created_with_gets_another_id() {
        let roster = Roster::new(vec![entry("moved@x.example", "a@x.example", None)]);
        assert_eq!(
            roster.next_user_id(portal(), &EmailKey::of("a@x.example")),
            id("a@x.example", 1)
        );
        assert_eq!(
            roster.next_user_id(portal(), &EmailKey::of("b@x.example")),
            id("b@x.example", 0)
        );
    }

    #[test]
    fn exceptions_move_rows_between_counts() {
        let mut draft = draft(
            &[("a@x.example", "A"), ("b@x.example", "B")],
            &Roster::default(),
        );
        draft.create(
            2,
            portal(),
            &EmailKey::of("a@x.example"),
            &Roster::default(),
        );
        draft.create(
            3,
            portal(),
            &EmailKey::of("b@x.example"),
            &Roster::default(),
        );
        let plan = draft.finish().unwrap();
        let counts = plan.counts(&Exceptions::from([
            (2, Outcome::Updated),
            (3, Outcome::ChangedMeanwhile),
        ]));
        assert_eq!(
            counts.rows,
            RowCounts {
                total: 2,
                updated: 1,
                unchanged: 1,
                ..RowCounts::default()
            }
        );
        assert_eq!(counts.warnings, 1);
    }

    #[test]
    fn a_plan_of_another_form_is_not_misread() {
        for bytes in [&b""[..], b"\x02", b"\x01", b"\x01\xff\xff"] {
            assert!(Plan::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn the_counts_always_partition_the_file(rows in proptest::collection::vec(("[ab]@x\\.example|c|", "[AB]?"), 0..12), known in proptest::collection::vec("[ab]@x\\.example", 0..2)) {
            let lines: Vec<String> = rows.iter().map(|(email, first)| format!("{email},{first},Lee,1,J,S")).collect();
            if lines.is_empty() { return Ok(()) }
            let roster = Roster::new(known.iter().map(|email| entry(email, email, None)).collect());
            let mut draft = Draft::new(scan(&lines.iter().map(String::as_str).collect::<Vec<_>>()), &mapping(), &roster);
            for row in 2..=lines.len() as u32 + 1 {
                match draft.question(row) {
                    Some(Question::New) => draft.create(row, portal(), &EmailKey::of(&rows[row as usize - 2].0), &roster),
                    Some(Question::Differs(user_id)) => draft.settle(row, user_id, &Decision::Unchanged),
                    None => {}
                }
            }
            let plan = draft.finish().unwrap();
            let RowCounts { total, created, updated, unchanged, disabled, enabled, not_processed } = plan.counts(&Exceptions::new()).rows;
            prop_assert_eq!(total, lines.len() as u64);
            prop_assert_eq!(total, created + updated + unchanged + disabled + enabled + not_processed);
            let ids: std::collections::HashSet<_> = plan.rows.iter().filter_map(|planned| match planned.action {
                Action::Create { user_id } => Some(user_id),
                _ => None,
            }).collect();
            prop_assert_eq!(ids.len() as u64, created, "nobody is created twice");
        }
    }
}
