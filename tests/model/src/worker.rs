//! A worker, call by call (`handler`, `claim`, `turn`, `walk`, `admit`, `run`, `apply`, `report` and `finish`
//! of `process-upload`). What it knows between two calls is all that a crash takes away.

use crate::store::{
    Exceptions, LEASE, Lease, Outcome, Person, Plan, Record, Rows, SILENT, Saved, Status, Store,
    Upload, Write, comes_too_late,
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
    TakeUp(usize),
    ReadTakenUp(usize),
    LeaveQueue(usize),
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
    LeaveQueueBefore,
    Finish,
    ReadEnded,
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
            Call::Claim(_) | Call::PutPlanned { .. } | Call::Finish | Call::Move { .. }
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
    record: Record,
    saved: Saved,
    came_forward: bool,
    plan: Plan,
    exceptions: Exceptions,
    /// Which steps of the plan.
    done: [bool; PEOPLE],
    /// A while has passed since the position was stored.
    due: bool,
}

impl Run {
    /// Where the exceptions are kept that are counted on.
    fn exceptions_key(&self, s: &Scenario) -> (usize, u8, usize) {
        let by_token = s.has(Departure::ExceptionsByToken);
        let position = if by_token { 0 } else { self.saved.applied };
        (self.upload, self.saved.exceptions_by.unwrap(), position)
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
        vec![Worker::begin(None)]
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
                self.store.queue.insert(upload, false);
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
                self.store.queue.entry(upload).or_insert(planned);
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
                    Some(upload) => self.to(Call::TakeUp(upload)),
                    None => self.to(Call::GiveBack),
                }
            }
            Call::TakeUp(upload) => {
                let token = self.token();
                let any = s.has(Departure::TakeUpWithoutFence);
                match &mut self.store.uploads[upload] {
                    Some(item) if !item.has_ended() && (any || item.fence < token) => {
                        item.fence = token;
                        item.attempts += 1;
                        let item = item.clone();
                        self.walk(upload, &item)
                    }
                    _ => self.to(Call::ReadTakenUp(upload)),
                }
            }
            Call::ReadTakenUp(upload) => {
                let item = self.store.uploads[upload].clone().unwrap();
                let leaves = item.has_ended() || s.has(Departure::OvertakenLeaves);
                match item.fence == self.token() && !item.has_ended() {
                    true => self.walk(upload, &item),
                    false if leaves => self.to(Call::LeaveQueue(upload)),
                    false => self.failed(),
                }
            }
            Call::LeaveQueue(upload) => {
                self.store.queue.remove(&upload);
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
                self.scan()
            }
            Call::PutProgress => self.put_progress(),
            Call::ReadRosterAndPeople => {
                let upload = self.run().upload;
                self.run().plan = self.store.plan(s, upload);
                self.to(Call::KeepPlan)
            }
            Call::KeepPlan => self.keep_plan(),
            Call::PutPlanned { of_portal } => self.put_planned(of_portal),
            Call::ReadPlanned if self.is_stored() => self.apply(),
            Call::ReadKeptPlan => {
                let run = self.w.run.as_mut().unwrap();
                let key = (run.upload, run.saved.plan_by.unwrap());
                run.plan = self.store.plans[&key].clone();
                self.apply()
            }

            // The plan is applied.
            Call::ReadExceptions => {
                let run = self.w.run.as_mut().unwrap();
                match self.store.exceptions.get(&run.exceptions_key(s)) {
                    Some(kept) => run.exceptions = *kept,
                    None => return self.failed(),
                }
                self.go_on()
            }
            Call::ReadPerson { step, refused } => {
                let found = self.store.people[self.run().plan[step].0].clone();
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
                let key = run.exceptions_key(s);
                self.store.exceptions.insert(key, run.exceptions);
                self.to(Call::PutProgress)
            }

            // The upload ends.
            Call::WriteReport => {
                let rejected = self.run().record.status == Status::Rejected;
                let rows = (!rejected).then(|| self.rows());
                let upload = self.run().upload;
                self.store.reports[upload] = Some(rows);
                if !rejected {
                    self.run().record.rows = rows;
                    self.enter(Status::Completed);
                }
                match s.has(Departure::EntryGoesFirst) {
                    true => self.to(Call::LeaveQueueBefore),
                    false => self.to(Call::Finish),
                }
            }
            Call::LeaveQueueBefore => {
                let upload = self.run().upload;
                self.store.queue.remove(&upload);
                self.to(Call::Finish)
            }
            Call::Finish => {
                let token = self.token();
                let run = self.w.run.as_ref().unwrap();
                let Some(item) = self.store.still_ours(run.upload, token) else {
                    return self.to(Call::ReadEnded);
                };
                item.put(run.record, run.saved, true);
                self.store.queue.remove(&run.upload);
                self.to(Call::NextInQueue)
            }
            Call::ReadEnded if self.is_stored() => self.to(Call::NextInQueue),
            Call::ReadPlanned | Call::ReadEnded => self.failed(),

            // Somebody gets another address.
            Call::LookForPlanned(who) => {
                let planned = self.store.queue.values().any(|planned| *planned);
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

    fn give_back(&mut self) {
        let lease = &mut self.store.lease;
        if self.w.grip.take().is_some_and(|grip| grip.is_of(lease)) {
            (lease.owner, lease.until) = (None, None);
        }
    }

    fn walk(&mut self, upload: usize, item: &Upload) -> Vec<Worker> {
        self.w.run = Some(Box::new(Run {
            upload,
            record: item.record,
            saved: item.saved,
            came_forward: false,
            plan: Plan::default(),
            exceptions: Exceptions::default(),
            done: [false; PEOPLE],
            due: true,
        }));
        if item.attempts > self.s.takeovers {
            self.enter(Status::Failed);
            return self.to(Call::Finish);
        }
        match item.saved.plan_by {
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
        let item = match any {
            true => self.store.uploads[run.upload].as_mut(),
            false => self.store.still_ours(run.upload, token),
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
            let kept = self.store.plans.entry((run.upload, 0));
            run.plan = kept.or_insert(run.plan.clone()).clone();
        }
        let plan = run.plan.clone();
        self.store.plans.insert((run.upload, token), plan);
        run.saved = Saved {
            plan_by: Some(token),
            ..Saved::default()
        };
        self.enter(Status::Applying);
        self.to(Call::PlannedOfKey)
    }

    fn put_planned(&mut self, of_portal: Option<usize>) -> Vec<Worker> {
        let token = self.token();
        let run = self.w.run.as_ref().unwrap();
        let upload = run.upload;
        let held = self.store.lease.token == token || self.s.has(Departure::PlannedWithoutLease);
        let queued = self.store.queue.contains_key(&upload);
        match self.store.still_ours(upload, token) {
            Some(item) if held && queued => item.put(run.record, run.saved, true),
            _ => return self.to(Call::ReadPlanned),
        }
        let order = |upload: usize| &self.s.files[upload].order;
        self.store.queue.insert(upload, true);
        let key = self.s.key_of(upload);
        self.store.newest_of_key.insert(key, upload);
        if of_portal.is_none_or(|newest| order(newest) < order(upload)) {
            self.store.newest_planned = Some(upload);
        }
        self.apply()
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
        run.done = std::array::from_fn(|step| step < run.saved.applied);
        match run.saved.exceptions_by {
            Some(_) => self.to(Call::ReadExceptions),
            None => self.go_on(),
        }
    }

    /// Batches begin in the plan's order and end in any, so any open step may be the next to be settled. The
    /// position is stored when a while has passed, and at the end.
    fn go_on(&mut self) -> Vec<Worker> {
        let run = self.run();
        if run.saved.applied == run.plan.len() {
            return self.to(Call::WriteReport);
        }
        let steps = 0..run.plan.len();
        let open: Vec<usize> = steps.filter(|step| !run.done[*step]).collect();
        let applied = open.first().copied().unwrap_or(run.plan.len());
        let saves = open.is_empty() || run.due;
        let mut next = Vec::new();
        for step in open {
            next.extend(match self.run().plan[step].1 {
                Write::Create => self.decide(step, None, 0, Id::First),
                Write::Update | Write::Refresh => self.to(Call::ReadPerson { step, refused: 0 }),
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
        let (upload, (who, planned)) = (self.run().upload, self.run().plan[step]);
        if let Some(person) = &found {
            let written_by = match by_last_write {
                true => person.last_write,
                false => person.last_upload,
            };
            if written_by == Some(upload) && knows_own {
                return self.settle(step, person.last_outcome.unwrap_or(planned.outcome()));
            }
            if person.moved {
                return self.settle(step, Outcome::ChangedMeanwhile);
            }
            if person.decide(self.row(who)).is_none() {
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

    fn write_person(
        &mut self,
        step: usize,
        seen: Option<Person>,
        refused: u8,
        id: Id,
    ) -> Vec<Worker> {
        let any = self.s.has(Departure::PeopleWithoutVersion);
        let (upload, who) = (self.run().upload, self.run().plan[step].0);
        let row = self.row(who);
        let version = |person: &Option<Person>| person.as_ref().map(|person| person.version);
        let of_id = match id {
            Id::First => &mut self.store.people[who],
            Id::Next => &mut self.store.next_people[who],
        };
        let found = of_id.clone();
        if version(&found) != version(&seen) && !any {
            let by_address = self.s.has(Departure::CreatedKnownByAddress);
            let is_of_this_row = |holder: &Person| {
                let created = holder.last_outcome == Some(Outcome::Created);
                created && holder.last_upload == Some(upload) && !by_address
            };
            let is_somebody_else = |holder: &Person| holder.moved && !is_of_this_row(holder);
            return match seen.is_none() && found.as_ref().is_some_and(is_somebody_else) {
                true => self.decide(step, None, refused + 1, Id::Next),
                false => self.decide(step, found, refused + 1, id),
            };
        }
        let write = match &seen {
            None => Write::Create,
            Some(seen) => seen.decide(row).unwrap(),
        };
        let after = match (write, seen) {
            (Write::Refresh, _) => found.map(|found| Person {
                fingerprint: Some(row),
                ..found
            }),
            (_, seen) => Some(Person {
                value: row,
                other: seen.as_ref().map_or(0, |seen| seen.other),
                moved: seen.as_ref().is_some_and(|seen| seen.moved),
                version: version(&seen).unwrap_or(0) + 1,
                last_upload: Some(upload),
                last_write: Some(upload),
                last_outcome: Some(write.outcome()),
                fingerprint: Some(row),
            }),
        };
        *of_id = after;
        self.settle(step, write.outcome())
    }

    fn settle(&mut self, step: usize, outcome: Outcome) -> Vec<Worker> {
        let run = self.run();
        let (who, planned) = run.plan[step];
        run.exceptions[who] = Some(outcome).filter(|outcome| *outcome != planned.outcome());
        (run.done[step], run.due) = (true, true);
        self.go_on()
    }

    fn row(&mut self, who: usize) -> u8 {
        self.s.files[self.run().upload].rows[who].unwrap()
    }

    fn rows(&self) -> Rows {
        let run = self.w.run.as_ref().unwrap();
        let in_file = self.s.files[run.upload].rows;
        std::array::from_fn(|who| {
            let step = run.plan.iter().find(|step| step.0 == who);
            let planned = step.map_or(Outcome::Unchanged, |step| step.1.outcome());
            in_file[who].map(|_| run.exceptions[who].unwrap_or(planned))
        })
    }
}
