//! What the cloud keeps of one portal, with the attributes and the conditions that the code gives it.

use crate::{Departure, Scenario};
use mapping::order::{Planned, superseded};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How many people there are.
pub const PEOPLE: usize = 2;

/// How long a lease lasts, in steps of the clock.
pub(crate) const LEASE: i8 = 3;

/// Nothing is sent in this last part of it.
pub(crate) const SILENT: i8 = 1;

/// What a row came to. A row over which two runs go counts as the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Left alone.
    ChangedMeanwhile,
    /// A new person.
    Created,
    /// Inactive from now on.
    Disabled,
    /// Another value.
    Updated,
    /// Nothing to do.
    Unchanged,
}

/// What the rows of a file came to: its counts and its report in one.
pub type Rows = [Option<Outcome>; PEOPLE];

/// The status of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Waits.
    Queued,
    /// Is read.
    Scanning,
    /// Is compared.
    Planning,
    /// People are written.
    Applying,
    /// Something waits for a decision; all else is done.
    Held,
    /// Has ended, with or without problems.
    Completed,
    /// Came too late.
    Rejected,
    /// Was given up.
    Failed,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decision {
    /// What was held is done.
    Approve,
    /// It is not.
    Reject,
    /// Nobody decided, and it is too late.
    Superseded,
}

/// A file in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) planned: bool,
    /// For which run it was put there.
    pub(crate) run: u8,
}

/// A portal's open hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    pub(crate) upload: usize,
    /// That its file was read with.
    pub(crate) mapping: u8,
}

/// The lease as the table has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    pub(crate) token: u8,
    pub(crate) owner: Option<usize>,
    pub(crate) until: Option<i8>,
}

impl Lease {
    /// Somebody has it and renews it.
    pub(crate) fn is_held(&self, now: i8) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// Of whoever takes it next.
    pub(crate) fn next_token(&self, s: &Scenario) -> u8 {
        match s.has(Departure::SameToken) {
            true => 1,
            false => self.token + 1,
        }
    }

    /// Somebody had it and has not renewed it in time.
    pub(crate) fn is_expired(&self, now: i8) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What people see of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) status: Status,
    /// The furthest that it came.
    pub(crate) furthest: Status,
    pub(crate) rows: Option<Rows>,
    /// That the file is read with.
    pub(crate) mapping: Option<u8>,
    pub(crate) decision: Option<Decision>,
}

/// Under which token the plan is kept that counts, how far it is applied, and under which token the exceptions
/// are kept that were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Saved {
    pub(crate) plan_by: Option<u8>,
    pub(crate) applied: usize,
    pub(crate) exceptions_by: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Upload {
    pub(crate) record: Record,
    pub(crate) saved: Saved,
    pub(crate) fence: u8,
    pub(crate) attempts: u8,
    /// 2 once a hold is approved.
    pub(crate) run: u8,
    /// Of the first run, once there is a second.
    pub(crate) first: Saved,
}

impl Upload {
    pub(crate) fn new() -> Self {
        Upload {
            record: Record {
                status: Status::Queued,
                furthest: Status::Queued,
                rows: None,
                mapping: None,
                decision: None,
            },
            saved: Saved::default(),
            fence: 0,
            attempts: 0,
            run: 1,
            first: Saved::default(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.record.status > Status::Applying
    }

    /// Stores how far it has come. What is absent is not written, and stays as it was.
    pub(crate) fn put(&mut self, record: Record, saved: Saved, came_forward: bool) {
        self.record = record;
        self.saved = Saved {
            plan_by: saved.plan_by.or(self.saved.plan_by),
            applied: saved.applied,
            exceptions_by: saved.exceptions_by.or(self.saved.exceptions_by),
        };
        if came_forward {
            self.attempts = 0;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    Create,
    Update,
    Refresh,
    /// What was held and is approved, for the person as they were then.
    Disable {
        version: u8,
    },
    /// The same, and they are not as they were then.
    LeaveAlone,
}

impl Write {
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Write::Create => Outcome::Created,
            Write::Update => Outcome::Updated,
            Write::Refresh => Outcome::Unchanged,
            Write::Disable { .. } => Outcome::Disabled,
            Write::LeaveAlone => Outcome::ChangedMeanwhile,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    /// Who, and what is to be done.
    pub(crate) steps: Rc<[(usize, Write)]>,
    /// Whose disable is held.
    pub(crate) held: Rc<[HeldDisable]>,
}

/// A disable that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HeldDisable {
    pub(crate) who: usize,
    /// In which the plan leaves them.
    pub(crate) version: u8,
    /// How often somebody in the portal had changed them when that was planned. The code does not know it; the rules
    /// do.
    pub(crate) other: u8,
}

/// What did not come out as planned, by person.
pub(crate) type Exceptions = [Option<Outcome>; PEOPLE];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    /// What rows speak about.
    pub(crate) value: u8,
    /// What they do not; goes up with every change by somebody in the portal.
    pub(crate) other: u8,
    /// To another address, so that the row is not theirs any more.
    pub(crate) moved: bool,
    pub(crate) inactive: bool,
    pub(crate) version: u8,
    /// The upload that wrote last, and in which run; whatever else changes a person leaves it, and what that came
    /// to.
    pub(crate) last_upload: Option<(usize, u8)>,
    /// The same, until somebody in the portal changes the person.
    pub(crate) last_write: Option<(usize, u8)>,
    pub(crate) last_outcome: Option<Outcome>,
    pub(crate) fingerprint: Option<u8>,
}

impl Person {
    /// The pure function: what a row does to a person; `None`: nothing.
    pub(crate) fn decide(&self, row: u8) -> Option<Write> {
        match self.fingerprint == Some(row) {
            true => None,
            false if self.value == row => Some(Write::Refresh),
            false => Some(Write::Update),
        }
    }
}

/// How an upload ended, and with which report.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// The record's status.
    pub status: Status,
    /// How a hold of it ended.
    pub decision: Option<Decision>,
    /// Its hold is open, and something has happened that ends it.
    pub outlived: bool,
    /// The record's counts.
    pub rows: Option<Rows>,
    /// The report; `Some(None)` is that of a file that was rejected.
    pub report: Option<Option<Rows>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) now: i8,
    pub(crate) lease: Lease,
    pub(crate) uploads: Vec<Option<Upload>>,
    /// By upload.
    pub(crate) queue: BTreeMap<usize, Entry>,
    /// By the first file of a key, the newest of this key that was planned.
    pub(crate) newest_of_key: BTreeMap<usize, usize>,
    pub(crate) newest_planned: Option<usize>,
    pub(crate) hold: Option<Hold>,
    /// That files are read with now.
    pub(crate) mapping: u8,
    /// By upload, run and token.
    pub(crate) plans: BTreeMap<(usize, u8, u8), Plan>,
    /// By upload, run, token and position.
    pub(crate) exceptions: BTreeMap<(usize, u8, u8, usize), Exceptions>,
    /// By upload; which run wrote it.
    pub(crate) reports: Vec<Option<(u8, Option<Rows>)>>,
    pub(crate) people: [Option<Person>; PEOPLE],
    /// Whoever has the next id because somebody who moved has the first.
    pub(crate) next_people: [Option<Person>; PEOPLE],
}

impl Store {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Store {
            now: 0,
            lease: Lease::default(),
            uploads: vec![None; scenario.files.len()],
            queue: BTreeMap::new(),
            newest_of_key: BTreeMap::new(),
            newest_planned: None,
            hold: None,
            mapping: 0,
            plans: BTreeMap::new(),
            exceptions: BTreeMap::new(),
            reports: vec![None; scenario.files.len()],
            people: scenario.people.map(|value| {
                value.map(|value| Person {
                    value,
                    other: 0,
                    moved: false,
                    inactive: false,
                    version: 1,
                    last_upload: None,
                    last_write: None,
                    last_outcome: None,
                    fingerprint: Some(value),
                })
            }),
            next_people: [const { None }; PEOPLE],
        }
    }

    /// The upload, if the lease of this token has it in this run and that has not ended.
    pub(crate) fn still_ours(
        &mut self,
        s: &Scenario,
        (upload, run): (usize, u8),
        token: u8,
    ) -> Option<&mut Upload> {
        let any = s.has(Departure::NoRunNumber);
        self.uploads[upload]
            .as_mut()
            .filter(|item| item.fence == token && !item.has_ended() && (any || item.run == run))
    }

    /// Whether something has happened that ends a hold, or makes an approved one stay undone.
    pub(crate) fn is_superseded(&self, s: &Scenario, hold: Hold) -> bool {
        let order = |upload: usize| &s.files[upload].order;
        let is_newer = |newest: usize| order(newest) > order(hold.upload);
        hold.mapping != self.mapping || self.newest_planned.is_some_and(is_newer)
    }

    /// Ends a hold that is open. The upload, which has its decision now.
    pub(crate) fn decide(
        &mut self,
        s: &Scenario,
        upload: usize,
        decision: Decision,
    ) -> Option<&mut Upload> {
        let unseen = decision == Decision::Approve && s.has(Departure::ApprovedUnseen);
        let item = self.uploads[upload].as_mut().unwrap();
        let is_this = |hold: Hold| hold.upload == upload;
        let open = item.record.status == Status::Held && self.hold.is_some_and(is_this);
        if !open && !unseen {
            return None;
        }
        self.hold = None;
        item.record.decision = Some(decision);
        item.record.status = Status::Completed;
        Some(item)
    }

    /// Who is next: the one that is planned, else the first in order.
    pub(crate) fn next_in_queue(
        &self,
        scenario: &Scenario,
        planned_first: bool,
    ) -> Option<(usize, Entry)> {
        let place = |(upload, entry): &(&usize, &Entry)| {
            let waits = planned_first && !entry.planned;
            (waits, &scenario.files[**upload].order)
        };
        let entries = self.queue.iter();
        let next = entries.min_by_key(place);
        next.map(|(upload, entry)| (*upload, *entry))
    }

    /// What is to be done for everybody in the file.
    pub(crate) fn plan(&self, scenario: &Scenario, upload: usize) -> Plan {
        let file = &scenario.files[upload];
        let rows = file.rows.iter().zip(&self.people);
        let held = rows.clone().enumerate().filter_map(|(who, (row, person))| {
            let is_active = |person: &&Person| !person.moved && !person.inactive;
            let person = person.as_ref().filter(|_| file.disables[who])?;
            let changes = u8::from(person.decide((*row)?) == Some(Write::Update));
            let active = Some(person).filter(is_active)?;
            Some(HeldDisable {
                who,
                version: active.version + changes,
                other: active.other,
            })
        });
        let held = held.collect();
        let steps = rows
            .enumerate()
            .filter_map(|(who, (row, person))| match (row, person) {
                (None, _) => None,
                (Some(_), None) => Some((who, Write::Create)),
                (Some(_), Some(person)) if person.moved => Some((who, Write::Create)),
                (Some(row), Some(person)) => person.decide(*row).map(|write| (who, write)),
            });
        let steps = steps.collect();
        Plan { steps, held }
    }

    /// What is to be done of what this plan held, and is approved.
    pub(crate) fn plan_approved(&self, s: &Scenario, first: &Plan, met: &Exceptions) -> Plan {
        let steps = first.held.iter().map(|held| {
            let (who, version) = (held.who, held.version);
            let as_then = |person: &&Person| person.version == version && !person.inactive;
            let as_planned = met[who].is_none() || s.has(Departure::ExceptionsNotLookedAt);
            match self.people[who].as_ref().filter(as_then) {
                Some(_) if as_planned => (who, Write::Disable { version }),
                _ => (who, Write::LeaveAlone),
            }
        });
        Plan {
            steps: steps.collect(),
            ..Plan::default()
        }
    }
}

/// `mapping::order::superseded`, of uploads by their numbers.
pub(crate) fn comes_too_late(
    scenario: &Scenario,
    upload: usize,
    of_key: Option<usize>,
    of_portal: Option<usize>,
) -> bool {
    let order = |upload: usize| scenario.files[upload].order.clone();
    let planned = Planned {
        of_key: of_key.map(order),
        of_portal: of_portal.map(order),
    };
    superseded(&order(upload), &planned, scenario.auto_disable)
}
