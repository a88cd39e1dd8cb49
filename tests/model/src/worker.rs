//! A worker, call by call (`handler`, `claim`, `turn`, `walk`, `admit`, `run`, `hold`, `apply`, `report` and
//! `finish` of `process-upload`; `held` of `upload-history`). What it knows between two calls is all that a crash takes away.

use crate::store::{
    Decision, Entry, Exceptions, Hold, LEASE, Lease, Outcome, Person, Plan, Record, Rows, SILENT,
    Saved, Status, Store, Upload, Write, comes_too_late,
};
use crate::{Departure, PEOPLE, Scenario};

/// What a worker was invoked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The upload of a file.
    File(usize),
    /// A wake-up by the sweep.
    Wake,
    /// Somebody in the portal gives a person another address (`manage-users`).
    Move(usize),
    /// Somebody decides the hold of an upload (`upload-history`).
    Decide(usize, Decision),
    /// Somebody saves a mapping (`configure-feed`).
    NewMapping,
}

/// What follows when it was looked whether something has ended the portal's hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// The run that has planned a newer file applies it.
    Apply,
    /// The run that left a hold behind has ended.
    NextInQueue,
    /// This hold is decided.
    Decide(usize, Decision),
    /// Nothing.
    Nothing,
}

/// Of a row's person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    First,
    /// The first is somebody's who moved.
    Next,
}

/// A call that was sent, or is about to be, with what it says that its worker does not know otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    None,
    Claim(usize),
    ReadClaimed(usize),
    PutInQueue(usize, Status),
    ReadLease,
    PutLease {
        seen: Lease,
        grip: Grip,
    },
    ReadLeaseAgain(Grip),
    GiveBackUnused,
    NextInQueue,
    /// What the queue says: which upload, and for which run.
    TakeUp(usize, u8),
    ReadTakenUp(usize, u8),
    LeaveQueue(usize, u8),
    PlannedOfKey,
    PlannedOfPortal {
        of_key: Option<usize>,
    },
    PutProgress,
    ReadRosterAndPeople,
    KeepPlan,
    PutPlanned {
        of_portal: Option<usize>,
    },
    ReadPlanned,
    ReadKeptPlan,
    LookAtBegin,
    ReadFirstRun,
    ReadExceptions,
    ReadPerson {
        step: usize,
        refused: u8,
    },
    WritePerson {
        step: usize,
        seen: Option<Person>,
        refused: u8,
        id: Id,
    },
    KeepExceptions,
    WriteReport,
    LookBeforeHold,
    LeaveQueueBefore,
    Finish,
    ReadEnded,
    PutMapping,
    FindHeld(usize, Decision),
    ReadHold(Then),
    EndHold {
        upload: usize,
        decision: Decision,
        then: Then,
    },
    Approve {
        upload: usize,
        first: Saved,
    },
    LookForPlanned(usize),
    ReadMoved(usize),
    Move {
        who: usize,
        seen: u8,
    },
    GiveBack,
    LookAgain,
}

impl Call {
    pub(crate) fn is_transaction(&self) -> bool {
        matches!(
            self,
            Call::Claim(_)
                | Call::PutPlanned { .. }
                | Call::Finish
                | Call::PutMapping
                | Call::EndHold { .. }
                | Call::Approve { .. }
                | Call::Move { .. }
        )
    }
}

/// A lease in somebody's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grip {
    pub(crate) owner: usize,
    pub(crate) token: u8,
    /// By what is known for certain.
    pub(crate) until: i8,
}

impl Grip {
    /// Whether anything may be sent under the lease.
    pub(crate) fn holds(self, now: i8) -> bool {
        now < self.until - SILENT
    }

    fn is_of(self, lease: &Lease) -> bool {
        lease.token == self.token && lease.owner == Some(self.owner)
    }

    /// Renews the lease up to this time, unless it lasts longer already. `false`: it is somebody else's.
    pub(crate) fn renew(self, s: &Scenario, lease: &mut Lease, until: i8) -> bool {
        let ours = self.is_of(lease);
        if ours && (lease.until < Some(until) || s.has(Departure::RenewedBackwards)) {
            lease.until = Some(until);
        }
        ours
    }
}

/// An upload in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) upload: usize,
    /// The first, or the second.
    pub(crate) number: u8,
    record: Record,
    saved: Saved,
    /// Of the first run, if this is the second.
    first: Option<Saved>,
    pub(crate) first_plan: Plan,
    first_exceptions: Exceptions,
    /// It is the second, and its hold was superseded when the upload was taken up.
    pub(crate) comes_too_late: bool,
    came_forward: bool,
    plan: Plan,
    exceptions: Exceptions,
    /// Which steps of the plan.
    done: [bool; PEOPLE],
    /// A while has passed since the position was stored.
    due: bool,
}

impl Run {
    /// Where the plan of a run is kept, under this token.
    fn plan_key(&self, s: &Scenario, run: u8, token: u8) -> (usize, u8, u8) {
        let any = s.has(Departure::PlanKeyWithoutRun);
        (self.upload, if any { 1 } else { run }, token)
    }

    /// Where the exceptions of a run are kept that are counted on; `None`: there are none.
    fn exceptions_key(
        &self,
        s: &Scenario,
        run: u8,
        saved: Saved,
    ) -> Option<(usize, u8, u8, usize)> {
        let by_token = s.has(Departure::ExceptionsByToken);
        let position = if by_token { 0 } else { saved.applied };
        let any = s.has(Departure::ExceptionsKeyWithoutRun);
        let run = if any { 1 } else { run };
        Some((self.upload, run, saved.exceptions_by?, position))
    }

    fn hold(&self) -> Hold {
        Hold {
            upload: self.upload,
            mapping: self.record.mapping.unwrap_or(0),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    event: Option<Event>,
    pub(crate) call: Call,
    /// The file of the event was begun by somebody before.
    own_is_running: bool,
    /// The lease as it was found in somebody else's hands at first.
    first_seen: Option<Lease>,
    pub(crate) grip: Option<Grip>,
    pub(crate) run: Option<Box<Run>>,
}

impl Worker {
    /// As it begins with an event.
    pub(crate) fn begin(event: Option<Event>) -> Self {
        Worker {
            event,
            call: match event {
                None => Call::None,
                Some(Event::File(upload)) => Call::Claim(upload),
                Some(Event::Wake | Event::Move(_)) => Call::ReadLease,
                Some(Event::Decide(upload, decision)) => Call::FindHeld(upload, decision),
                Some(Event::NewMapping) => Call::PutMapping,
            },
            own_is_running: false,
            first_seen: None,
            grip: None,
            run: None,
        }
    }

    /// The lease, while something may be sent under it: to give it back is the last thing.
    pub(crate) fn works_under(&self) -> Option<Grip> {
        let gives_back = matches!(self.call, Call::GiveBack | Call::GiveBackUnused);
        self.grip.filter(|_| !gives_back)
    }

    /// Work of milliseconds, for which no lease is renewed.
    pub(crate) fn renews(&self) -> bool {
        !matches!(self.event, Some(Event::Move(_)))
    }

    /// The names that it knows, of attempts to take the lease with this token.
    pub(crate) fn attempts_at(&self, token: u8) -> impl Iterator<Item = usize> {
        let asked_for = match self.call {
            Call::PutLease { grip, .. } | Call::ReadLeaseAgain(grip) => Some(grip),
            _ => None,
        };
        let grips = asked_for.into_iter().chain(self.grip);
        let names = grips.map(|grip| (grip.token, Some(grip.owner)));
        let seen = self.first_seen.iter().map(|seen| (seen.token, seen.owner));
        let of_token = names.chain(seen).filter(move |it| it.0 == token);
        of_token.filter_map(|(_, owner)| owner)
    }

    /// The invocation failed, or the process died: the event comes again.
    pub(crate) fn again(&self) -> Self {
        Worker::begin(self.event)
    }

    /// Its time is up: whatever it is at is dropped, and it gives the lease back and wakes another one.
    pub(crate) fn hands_over(&self) -> Self {
        Worker {
            call: Call::GiveBack,
            own_is_running: false,
            run: None,
            ..self.clone()
        }
    }
}

/// Makes the call. `name` is for an attempt to take the lease, if it leads to one. More than one worker: what
/// comes next depends on the time that has passed, or on which answer comes first.
pub(crate) fn step(
    s: &Scenario,
    store: &mut Store,
    name: Option<usize>,
    worker: &Worker,
) -> Vec<Worker> {
    let mut turn = Turn {
        s,
        store,
        name,
        w: worker.clone(),
    };
    let mut next = turn.answer();
    let now = store.now;
    for worker in &mut next {
        // The lease is looked at first whenever an answer has come.
        let lost = worker.grip.is_some_and(|grip| !grip.holds(now));
        let works = worker.call != Call::GiveBackUnused;
        if lost && works && !s.has(Departure::LeaseNotChecked) {
            *worker = worker.again();
        }
    }
    next
}

struct Turn<'t> {
    s: &'t Scenario,
    store: &'t mut Store,
    name: Option<usize>,
    w: Worker,
}

impl Turn<'_> {
    fn to(&self, call: Call) -> Vec<Worker> {
        let w = self.w.clone();
        vec![Worker { call, ..w }]
    }

    /// The invocation has ended well.
    fn done(&self) -> Vec<Worker> {
        let looks = self.w.event == Some(Event::Wake) && self.s.has_holds();
        match looks && !matches!(self.w.call, Call::ReadHold(_) | Call::EndHold { .. }) {
            true => self.to(Call::ReadHold(Then::Nothing)),
            false => vec![Worker::begin(None)],
        }
    }

    /// The invocation has failed, mostly because the lease is somebody else's.
    fn failed(&self) -> Vec<Worker> {
        vec![self.w.again()]
    }

    fn token(&self) -> u8 {
        self.w.grip.map_or(0, |grip| grip.token)
    }

    fn run(&mut self) -> &mut Run {
        self.w.run.as_mut().unwrap()
    }

    fn answer(&mut self) -> Vec<Worker> {
        let s = self.s;
        match self.w.call.clone() {
            Call::None => vec![self.w.clone()],

            // The file goes into the queue.
            Call::Claim(upload) if self.store.uploads[upload].is_some() => {
                self.to(Call::ReadClaimed(upload))
            }
            Call::Claim(upload) => {
                self.store.uploads[upload] = Some(Upload::new());
                self.put_in_queue(upload, 1);
                self.to(Call::ReadLease)
            }
            Call::ReadClaimed(upload) => {
                let known = self.store.uploads[upload].as_ref().unwrap();
                match known.has_ended() {
                    true => self.done(),
                    false => self.to(Call::PutInQueue(upload, known.record.status)),
                }
            }
            Call::PutInQueue(upload, status) => {
                let planned = status == Status::Applying;
                let entry = Entry { planned, run: 1 };
                self.store.queue.entry(upload).or_insert(entry);
                self.w.own_is_running = status != Status::Queued;
                self.to(Call::ReadLease)
            }

            // The lease is taken, and the queue is worked through.
            Call::ReadLease => {
                let seen = self.store.lease.clone();
                if seen.is_held(self.store.now) {
                    return self.held(seen);
                }
                let grip = Grip {
                    owner: self.name.unwrap(),
                    token: seen.next_token(s),
                    until: self.store.now + LEASE,
                };
                self.to(Call::PutLease { seen, grip })
            }
            Call::PutLease { seen, grip } => {
                let lease = &mut self.store.lease;
                if (lease.token, lease.until) != (seen.token, seen.until) {
                    return self.to(Call::ReadLeaseAgain(grip));
                }
                *lease = Lease {
                    token: grip.token,
                    owner: Some(grip.owner),
                    until: Some(grip.until),
                };
                self.take(grip)
            }
            Call::ReadLeaseAgain(grip) => {
                let found = self.store.lease.clone();
                match grip.is_of(&found) {
                    true => self.take(grip),
                    false => self.held(found),
                }
            }
            Call::GiveBackUnused => {
                self.give_back();
                self.to(Call::ReadLease)
            }
            Call::NextInQueue => {
                self.w.run = None;
                let planned_first = !s.has(Departure::PlannedNotFirst);
                match self.store.next_in_queue(s, planned_first) {
                    Some((upload, entry)) => self.to(Call::TakeUp(upload, entry.run)),
                    None => self.to(Call::GiveBack),
                }
            }
            Call::TakeUp(upload, run) => {
                let token = self.token();
                let any = s.has(Departure::TakeUpWithoutFence);
                match &mut self.store.uploads[upload] {
                    Some(item) if !item.has_ended() && (any || item.fence < token) => {
                        item.fence = token;
                        item.attempts += 1;
                        let item = item.clone();
                        self.walk(upload, &item)
                    }
                    _ => self.to(Call::ReadTakenUp(upload, run)),
                }
            }
            Call::ReadTakenUp(upload, run) => {
                let item = self.store.uploads[upload].clone().unwrap();
                let leaves = item.has_ended() || s.has(Departure::OvertakenLeaves);
                match item.fence == self.token() && !item.has_ended() {
                    true => self.walk(upload, &item),
                    false if leaves => self.to(Call::LeaveQueue(upload, run)),
                    false => self.failed(),
                }
            }
            Call::LeaveQueue(upload, run) => {
                let found = self.store.queue.get(&upload);
                if found.is_some_and(|found| found.run == run) || s.has(Departure::AnyEntryLeaves) {
                    self.store.queue.remove(&upload);
                }
                self.to(Call::NextInQueue)
            }

            // The file is let in, read, compared and planned.
            Call::PlannedOfKey => {
                let key = s.key_of(self.run().upload);
                let of_key = self.store.newest_of_key.get(&key).copied();
                self.to(Call::PlannedOfPortal { of_key })
            }
            Call::PlannedOfPortal { of_key } => {
                let (upload, of_portal) = (self.run().upload, self.store.newest_planned);
                if self.run().saved.plan_by.is_some() {
                    return self.to(Call::PutPlanned { of_portal });
                }
                if comes_too_late(s, upload, of_key, of_portal) {
                    self.enter(Status::Rejected);
                    return self.to(Call::WriteReport);
                }
                let mapping = self.store.mapping;
                self.run().record.mapping.get_or_insert(mapping);
                self.scan()
            }
            Call::PutProgress => self.put_progress(),
            Call::ReadRosterAndPeople => {
                let run = self.w.run.as_mut().unwrap();
                run.plan = match run.first {
                    Some(_) => {
                        let met = &run.first_exceptions;
                        self.store.plan_approved(s, &run.first_plan, met)
                    }
                    None => self.store.plan(s, run.upload),
                };
                self.to(Call::KeepPlan)
            }
            Call::KeepPlan => self.keep_plan(),
            Call::PutPlanned { of_portal } => self.put_planned(of_portal),
            Call::ReadPlanned if self.is_stored() => self.planned(),
            Call::ReadKeptPlan => {
                let run = self.w.run.as_mut().unwrap();
                let key = run.plan_key(s, run.number, run.saved.plan_by.unwrap());
                match self.store.plans.get(&key) {
                    Some(kept) => run.plan = kept.clone(),
                    None => return self.failed(),
                }
                self.planned()
            }

            // What was held is approved.
            Call::LookAtBegin => {
                let hold = self.run().hold();
                if self.store.is_superseded(s, hold) {
                    self.run().record.decision = Some(Decision::Superseded);
                    self.enter(Status::Completed);
                    return self.to(Call::Finish);
                }
                self.to(Call::ReadFirstRun)
            }
            Call::ReadFirstRun => {
                let run = self.w.run.as_mut().unwrap();
                let first = run.first.unwrap();
                let key = run.plan_key(s, 1, first.plan_by.unwrap());
                run.first_plan = self.store.plans[&key].clone();
                let exceptions = run.exceptions_key(s, 1, first);
                match exceptions.map(|key| self.store.exceptions.get(&key)) {
                    Some(Some(kept)) => run.first_exceptions = *kept,
                    Some(None) => return self.failed(),
                    None => {}
                }
                if run.saved.plan_by.is_some() {
                    return self.to(Call::ReadKeptPlan);
                }
                self.enter(Status::Planning);
                self.to(Call::PutProgress)
            }

            // The plan is applied.
            Call::ReadExceptions => {
                let run = self.w.run.as_mut().unwrap();
                let key = run.exceptions_key(s, run.number, run.saved).unwrap();
                match self.store.exceptions.get(&key) {
                    Some(kept) => run.exceptions = *kept,
                    None => return self.failed(),
                }
                self.go_on()
            }
            Call::ReadPerson { step, refused } => {
                let found = self.store.people[self.run().plan.steps[step].0].clone();
                self.decide(step, found, refused, Id::First)
            }
            Call::WritePerson {
                step,
                seen,
                refused,
                id,
            } => self.write_person(step, seen, refused, id),
            Call::KeepExceptions => {
                let (token, run) = (self.token(), self.w.run.as_mut().unwrap());
                run.saved.exceptions_by = Some(token);
                let key = run.exceptions_key(s, run.number, run.saved).unwrap();
                self.store.exceptions.insert(key, run.exceptions);
                self.to(Call::PutProgress)
            }

            // The upload ends.
            Call::WriteReport => {
                let rejected = self.run().record.status == Status::Rejected;
                let rows = (!rejected).then(|| self.rows());
                self.write_report(rows);
                if !rejected {
                    self.run().record.rows = rows;
                    self.enter(Status::Completed);
                }
                let run = self.run();
                if run.first.is_none() && !run.plan.held.is_empty() {
                    return self.to(Call::LookBeforeHold);
                }
                match s.has(Departure::EntryGoesFirst) {
                    true => self.to(Call::LeaveQueueBefore),
                    false => self.to(Call::Finish),
                }
            }
            Call::LookBeforeHold => {
                let hold = self.run().hold();
                let looks = !s.has(Departure::NoLookBeforeHold);
                match looks && self.store.is_superseded(s, hold) {
                    true => self.run().record.decision = Some(Decision::Superseded),
                    false => self.run().record.status = Status::Held,
                }
                self.to(Call::Finish)
            }
            Call::LeaveQueueBefore => {
                let upload = self.run().upload;
                self.store.queue.remove(&upload);
                self.to(Call::Finish)
            }
            Call::Finish => {
                let token = self.token();
                let run = self.w.run.as_ref().unwrap();
                let of_run = (run.upload, run.number);
                let Some(item) = self.store.still_ours(s, of_run, token) else {
                    return self.to(Call::ReadEnded);
                };
                item.put(run.record, run.saved, true);
                self.store.queue.remove(&run.upload);
                if run.record.status == Status::Held {
                    self.store.hold = Some(run.hold());
                }
                self.ended()
            }
            Call::ReadEnded if self.is_stored() => self.ended(),
            Call::ReadPlanned | Call::ReadEnded => self.failed(),

            // A hold ends, or is approved.
            Call::PutMapping => {
                self.store.mapping += 1;
                self.to(Call::ReadHold(Then::Nothing))
            }
            Call::FindHeld(upload, decision) => {
                let item = self.store.uploads[upload].as_ref();
                match item.is_some_and(|item| item.record.status == Status::Held) {
                    true => self.to(Call::ReadHold(Then::Decide(upload, decision))),
                    false => vec![self.w.clone()],
                }
            }
            Call::ReadHold(then) => self.read_hold(then),
            Call::EndHold {
                upload,
                decision,
                then,
            } => {
                self.store.decide(s, upload, decision);
                self.then(then)
            }
            Call::Approve { upload, first } => {
                let Some(item) = self.store.decide(s, upload, Decision::Approve) else {
                    return self.done();
                };
                item.record.status = Status::Queued;
                item.record.furthest = Status::Queued;
                item.run = 2;
                item.first = first;
                item.attempts = 0;
                if !s.has(Departure::FirstRunNotPutAside) {
                    item.saved = Saved::default();
                }
                if !s.has(Departure::ApprovedWithoutEntry) {
                    self.put_in_queue(upload, 2);
                }
                vec![Worker::begin(Some(Event::Wake))]
            }

            // Somebody gets another address.
            Call::LookForPlanned(who) => {
                let planned = self.store.queue.values().any(|entry| entry.planned);
                match planned && !s.has(Departure::MovesDespitePlan) {
                    true => self.to(Call::GiveBack),
                    false => self.to(Call::ReadMoved(who)),
                }
            }
            Call::ReadMoved(who) => match &self.store.people[who] {
                Some(person) if !person.moved => {
                    let seen = person.version;
                    self.to(Call::Move { who, seen })
                }
                _ => self.to(Call::GiveBack),
            },
            Call::Move { who, seen } => {
                let token = self.token();
                let held = self.store.lease.token == token || s.has(Departure::MovesWithoutLease);
                let person = self.store.people[who].as_mut();
                match person.filter(|person| held && person.version == seen) {
                    Some(person) => {
                        person.moved = true;
                        person.version += 1;
                        person.last_write = None;
                        person.fingerprint = None;
                        self.to(Call::GiveBack)
                    }
                    None => self.to(Call::GiveBack),
                }
            }
            Call::GiveBack => {
                self.give_back();
                match s.has(Departure::NoLookAfterGivingBack) {
                    true => self.done(),
                    false => self.to(Call::LookAgain),
                }
            }
            Call::LookAgain if self.store.queue.is_empty() => self.done(),
            // Somebody else is woken.
            Call::LookAgain if !self.w.renews() => vec![Worker::begin(Some(Event::Wake))],
            Call::LookAgain => self.to(Call::ReadLease),
        }
    }

    /// Somebody else has the lease. A worker whose own file is running waits until it is clear that they live.
    fn held(&mut self, held: Lease) -> Vec<Worker> {
        let renewed = self.w.first_seen.as_ref().is_some_and(|it| *it != held);
        if !self.w.own_is_running || renewed {
            return self.done();
        }
        self.w.first_seen = Some(held);
        self.to(Call::ReadLease)
    }

    fn take(&mut self, mut grip: Grip) -> Vec<Worker> {
        if self.s.has(Departure::LeaseCountedFromAnswer) {
            grip.until = self.store.now + LEASE;
        }
        self.w.grip = Some(grip);
        if let Some(Event::Move(who)) = self.w.event {
            return self.to(Call::LookForPlanned(who));
        }
        // That took so long that next to nothing is left of it.
        if !grip.holds(self.store.now) && !self.s.has(Departure::LeaseNotChecked) {
            return self.to(Call::GiveBackUnused);
        }
        self.w.first_seen = None;
        self.to(Call::NextInQueue)
    }

    fn put_in_queue(&mut self, upload: usize, run: u8) {
        let planned = false;
        self.store.queue.insert(upload, Entry { planned, run });
    }

    fn give_back(&mut self) {
        let lease = &mut self.store.lease;
        if self.w.grip.take().is_some_and(|grip| grip.is_of(lease)) {
            (lease.owner, lease.until) = (None, None);
        }
    }

    fn walk(&mut self, upload: usize, item: &Upload) -> Vec<Worker> {
        let first = (item.run > 1).then_some(item.first);
        let mut run = Run {
            upload,
            number: item.run,
            record: item.record,
            saved: item.saved,
            first,
            first_plan: Plan::default(),
            first_exceptions: Exceptions::default(),
            comes_too_late: false,
            came_forward: false,
            plan: Plan::default(),
            exceptions: Exceptions::default(),
            done: [false; PEOPLE],
            due: true,
        };
        run.comes_too_late = first.is_some() && self.store.is_superseded(self.s, run.hold());
        self.w.run = Some(Box::new(run));
        if item.attempts > self.s.takeovers {
            self.enter(Status::Failed);
            return self.to(Call::Finish);
        }
        match item.saved.plan_by {
            None if first.is_some() && !self.s.has(Departure::NoLookAtBegin) => {
                self.to(Call::LookAtBegin)
            }
            _ if first.is_some() => self.to(Call::ReadFirstRun),
            None => self.to(Call::PlannedOfKey),
            Some(_) if self.s.has(Departure::KeptPlanReplanned) => self.scan(),
            Some(_) => self.to(Call::ReadKeptPlan),
        }
    }

    fn scan(&mut self) -> Vec<Worker> {
        self.enter(Status::Scanning);
        self.to(Call::PutProgress)
    }

    fn enter(&mut self, status: Status) {
        let run = self.run();
        run.came_forward |= status > run.record.furthest;
        run.record.furthest = run.record.furthest.max(status);
        run.record.status = status;
    }

    fn put_progress(&mut self) -> Vec<Worker> {
        let token = self.token();
        let any = self.s.has(Departure::ProgressWithoutFence);
        let run = self.w.run.as_mut().unwrap();
        let of_run = (run.upload, run.number);
        let item = match any {
            true => self.store.uploads[run.upload].as_mut(),
            false => self.store.still_ours(self.s, of_run, token),
        };
        let goes_back = |item: &Upload| {
            let (ours, theirs) = (run.saved, item.saved);
            ours.applied < theirs.applied && !self.s.has(Departure::PositionGoesBack)
                || ours.plan_by.is_none()
                    && theirs.plan_by.is_some()
                    && !self.s.has(Departure::PlanGoesBack)
        };
        let Some(item) = item.filter(|item| !goes_back(item)) else {
            return self.failed();
        };
        item.put(run.record, run.saved, run.came_forward);
        (run.came_forward, run.due) = (false, false);
        match run.record.status {
            Status::Scanning => {
                self.enter(Status::Planning);
                self.to(Call::PutProgress)
            }
            Status::Planning => self.to(Call::ReadRosterAndPeople),
            _ => self.go_on(),
        }
    }

    fn keep_plan(&mut self) -> Vec<Worker> {
        let (token, run) = (self.token(), self.w.run.as_mut().unwrap());
        if self.s.has(Departure::PlanKeptOnce) {
            let kept = self.store.plans.entry((run.upload, run.number, 0));
            run.plan = kept.or_insert(run.plan.clone()).clone();
        }
        let (key, plan) = (run.plan_key(self.s, run.number, token), run.plan.clone());
        self.store.plans.insert(key, plan);
        run.saved = Saved {
            plan_by: Some(token),
            ..Saved::default()
        };
        self.enter(Status::Applying);
        match self.run().first {
            Some(_) => self.to(Call::PutPlanned { of_portal: None }),
            None => self.to(Call::PlannedOfKey),
        }
    }

    fn put_planned(&mut self, of_portal: Option<usize>) -> Vec<Worker> {
        let token = self.token();
        let run = self.w.run.as_ref().unwrap();
        let upload = run.upload;
        let held = self.store.lease.token == token || self.s.has(Departure::PlannedWithoutLease);
        let queued = self.store.queue.contains_key(&upload);
        let of_run = (upload, run.number);
        match self.store.still_ours(self.s, of_run, token) {
            Some(item) if held && queued => item.put(run.record, run.saved, true),
            _ => return self.to(Call::ReadPlanned),
        }
        if let Some(entry) = self.store.queue.get_mut(&upload) {
            entry.planned = true;
        }
        let order = |upload: usize| &self.s.files[upload].order;
        if run.first.is_some() {
            // It has counted before.
            return self.planned();
        }
        let key = self.s.key_of(upload);
        self.store.newest_of_key.insert(key, upload);
        if of_portal.is_none_or(|newest| order(newest) < order(upload)) {
            self.store.newest_planned = Some(upload);
        }
        self.planned()
    }

    /// A hold of an older file has waited too long.
    fn planned(&mut self) -> Vec<Worker> {
        let ends_older = self.s.has_holds() && !self.s.has(Departure::HoldNotEnded);
        match ends_older && self.run().first.is_none() {
            true => self.to(Call::ReadHold(Then::Apply)),
            false => self.apply(),
        }
    }

    /// A hold that begins may have ended meanwhile.
    fn ended(&mut self) -> Vec<Worker> {
        let looks = !self.s.has(Departure::NoLookAfterHold);
        match looks && self.run().record.status == Status::Held {
            true => self.to(Call::ReadHold(Then::NextInQueue)),
            false => self.to(Call::NextInQueue),
        }
    }

    /// Whether something has ended the portal's hold, and what follows then.
    fn read_hold(&mut self, then: Then) -> Vec<Worker> {
        let is_too_late = |hold: &Hold| match then {
            Then::Apply => self.is_older(hold.upload),
            Then::Decide(upload, _) if hold.upload != upload => false,
            _ => self.store.is_superseded(self.s, *hold),
        };
        let too_late = self.store.hold.filter(is_too_late);
        let (upload, decision, then) = match (too_late, then) {
            (Some(hold), Then::Decide(..)) => (hold.upload, Decision::Superseded, Then::Nothing),
            (Some(hold), _) => (hold.upload, Decision::Superseded, then),
            (None, Then::Decide(upload, Decision::Approve)) => {
                let first = self.store.uploads[upload].as_ref().unwrap().saved;
                return self.to(Call::Approve { upload, first });
            }
            (None, Then::Decide(upload, decision)) => (upload, decision, Then::Nothing),
            (None, _) => return self.then(then),
        };
        self.to(Call::EndHold {
            upload,
            decision,
            then,
        })
    }

    /// Whether an upload is of an older file than this run, or of the same one, which is being replayed.
    fn is_older(&self, upload: usize) -> bool {
        let ours = self.w.run.as_ref().unwrap().upload;
        let order = |upload: usize| &self.s.files[upload].order;
        let replays = ours != upload && !self.s.has(Departure::HoldNotEndedByReplay);
        order(upload) < order(ours) || replays && order(upload) == order(ours)
    }

    fn then(&mut self, then: Then) -> Vec<Worker> {
        match then {
            Then::Apply => self.apply(),
            Then::NextInQueue => self.to(Call::NextInQueue),
            Then::Decide(..) | Then::Nothing => self.done(),
        }
    }

    /// A transaction was refused: whether that is because it was done before.
    fn is_stored(&self) -> bool {
        let run = self.w.run.as_ref().unwrap();
        self.store.uploads[run.upload]
            .as_ref()
            .is_some_and(|item| item.fence == self.token() && item.record == run.record)
    }

    fn apply(&mut self) -> Vec<Worker> {
        self.enter(Status::Applying);
        let run = self.run();
        // Nothing is done for whoever the plan leaves alone.
        let is_done = |step: usize| {
            let planned = run.plan.steps.get(step);
            planned.is_some_and(|planned| planned.1 == Write::LeaveAlone)
        };
        run.done = std::array::from_fn(|step| step < run.saved.applied || is_done(step));
        match run.saved.exceptions_by {
            Some(_) => self.to(Call::ReadExceptions),
            None => self.go_on(),
        }
    }

    /// Batches begin in the plan's order and end in any, so any open step may be the next to be settled. The
    /// position is stored when a while has passed, and at the end.
    fn go_on(&mut self) -> Vec<Worker> {
        let run = self.run();
        let steps = run.plan.steps.len();
        if run.saved.applied == steps {
            return self.to(Call::WriteReport);
        }
        let open: Vec<usize> = (0..steps).filter(|step| !run.done[*step]).collect();
        let applied = open.first().copied().unwrap_or(steps);
        let saves = open.is_empty() || run.due;
        let mut next = Vec::new();
        for step in open {
            next.extend(match self.run().plan.steps[step].1 {
                Write::Create => self.decide(step, None, 0, Id::First),
                _ => self.to(Call::ReadPerson { step, refused: 0 }),
            });
        }
        if saves {
            next.extend(self.save(applied));
        }
        next
    }

    /// The last thing that is done here: the run goes on from what it says.
    fn save(&mut self, applied: usize) -> Vec<Worker> {
        let (kept, gone_stay) = (
            !self.s.has(Departure::ExceptionsNotKept),
            self.s.has(Departure::GoneExceptionsStay),
        );
        let run = self.run();
        run.came_forward |= applied > run.saved.applied;
        run.saved.applied = applied;
        let any = run.exceptions != Exceptions::default();
        match kept && (any || run.saved.exceptions_by.is_some() && !gone_stay) {
            true => self.to(Call::KeepExceptions),
            false => self.to(Call::PutProgress),
        }
    }

    fn decide(&mut self, step: usize, found: Option<Person>, refused: u8, id: Id) -> Vec<Worker> {
        let knows_own = !self.s.has(Departure::OwnWritesNotRecognised);
        let by_last_write = self.s.has(Departure::RecognisedByLastWrite);
        let by_upload = self.s.has(Departure::RecognisedByUpload);
        let (ours, (who, planned)) = (self.of_run(), self.run().plan.steps[step]);
        let is_ours = |by: (usize, u8)| by == ours || by_upload && by.0 == ours.0;
        if let Some(person) = &found {
            let written_by = match by_last_write {
                true => person.last_write,
                false => person.last_upload,
            };
            if written_by.is_some_and(is_ours) && knows_own {
                return self.settle(step, person.last_outcome.unwrap_or(planned.outcome()));
            }
            let is_another = match planned {
                Write::Disable { version } => person.version != version,
                _ => person.moved,
            };
            if is_another {
                return self.settle(step, Outcome::ChangedMeanwhile);
            }
            let row = self.row(who);
            if self.todo(planned, person, row).is_none() {
                return self.settle(step, Outcome::Unchanged);
            }
        }
        if refused == self.s.tries {
            return self.settle(step, Outcome::ChangedMeanwhile);
        }
        let seen = found;
        self.to(Call::WritePerson {
            step,
            seen,
            refused,
            id,
        })
    }

    /// What is to be done for a person as they stand; `None`: nothing.
    fn todo(&self, planned: Write, person: &Person, row: u8) -> Option<Write> {
        match planned {
            Write::Disable { .. } => Some(planned).filter(|_| !person.inactive),
            _ => person.decide(row),
        }
    }

    /// The upload, and in which run it writes people.
    fn of_run(&self) -> (usize, u8) {
        let run = self.w.run.as_ref().unwrap();
        (run.upload, run.number)
    }

    fn write_person(
        &mut self,
        step: usize,
        seen: Option<Person>,
        refused: u8,
        id: Id,
    ) -> Vec<Worker> {
        let any = self.s.has(Departure::PeopleWithoutVersion);
        let (ours, (who, planned)) = (self.of_run(), self.run().plan.steps[step]);
        let row = self.row(who);
        let version = |person: &Option<Person>| person.as_ref().map(|person| person.version);
        let of_id = match id {
            Id::First => &self.store.people[who],
            Id::Next => &self.store.next_people[who],
        };
        let found = of_id.clone();
        if version(&found) != version(&seen) && !any {
            let by_address = self.s.has(Departure::CreatedKnownByAddress);
            let is_of_this_row = |holder: &Person| {
                let created = holder.last_outcome == Some(Outcome::Created);
                created && holder.last_upload == Some(ours) && !by_address
            };
            let is_somebody_else = |holder: &Person| holder.moved && !is_of_this_row(holder);
            return match seen.is_none() && found.as_ref().is_some_and(is_somebody_else) {
                true => self.decide(step, None, refused + 1, Id::Next),
                false => self.decide(step, found, refused + 1, id),
            };
        }
        let write = match &seen {
            None => Write::Create,
            Some(seen) => self.todo(planned, seen, row).unwrap(),
        };
        let disables = matches!(write, Write::Disable { .. });
        let after = match (write, seen) {
            (Write::Refresh, _) => found.map(|found| Person {
                fingerprint: Some(row),
                ..found
            }),
            (_, seen) => Some(Person {
                value: row,
                inactive: disables || seen.as_ref().is_some_and(|seen| seen.inactive),
                other: seen.as_ref().map_or(0, |seen| seen.other),
                moved: seen.as_ref().is_some_and(|seen| seen.moved),
                version: version(&seen).unwrap_or(0) + 1,
                last_upload: Some(ours),
                last_write: Some(ours),
                last_outcome: Some(write.outcome()),
                fingerprint: Some(row),
            }),
        };
        match id {
            Id::First => self.store.people[who] = after,
            Id::Next => self.store.next_people[who] = after,
        }
        self.settle(step, write.outcome())
    }

    fn settle(&mut self, step: usize, outcome: Outcome) -> Vec<Worker> {
        let run = self.run();
        let (who, planned) = run.plan.steps[step];
        run.exceptions[who] = Some(outcome).filter(|outcome| *outcome != planned.outcome());
        (run.done[step], run.due) = (true, true);
        self.go_on()
    }

    fn row(&mut self, who: usize) -> u8 {
        self.s.files[self.run().upload].rows[who].unwrap()
    }

    /// The last run's report takes the place of the first one's.
    fn write_report(&mut self, rows: Option<Rows>) {
        let (upload, number) = self.of_run();
        let report = &mut self.store.reports[upload];
        let is_later = report.is_some_and(|(by, _)| by > number);
        if !is_later || self.s.has(Departure::OneReportForBothRuns) {
            *report = Some((number, rows));
        }
    }

    /// Made of the plan and, if that is the second run's, of the first one's too.
    fn rows(&self) -> Rows {
        let run = self.w.run.as_ref().unwrap();
        let in_file = self.s.files[run.upload].rows;
        let came_to = |plan: &Plan, exceptions: &Exceptions, who: usize| {
            let step = plan.steps.iter().find(|step| step.0 == who);
            let planned = step.map_or(Outcome::Unchanged, |step| step.1.outcome());
            exceptions[who].unwrap_or(planned)
        };
        std::array::from_fn(|who| {
            let outcome = came_to(&run.plan, &run.exceptions, who);
            let first = run
                .first
                .map(|_| came_to(&run.first_plan, &run.first_exceptions, who));
            in_file[who].map(|_| first.map_or(outcome, |first| first.min(outcome)))
        })
    }
}
