//! A worker, call by call (`handler`, `claim`, `turn`, `walk`, `run`, `apply`, `report` and `finish` of
//! `process-upload`). What it knows between two calls is all that a crash takes away.

use crate::store::{
    Exceptions, LEASE, Lease, Outcome, Person, Plan, Record, Rows, SILENT, Saved, Status, Store,
    Upload, Write, comes_too_late,
};
use crate::{PEOPLE, Scenario, Twist};
use platform::feed::Standing;

/// What a worker was invoked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The upload of a file.
    File(usize),
    /// A wake-up by the sweep.
    Wake,
}

/// A call that was sent, or is about to be, with what it says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    None,
    Claim(usize),
    ReadClaimed(usize),
    PutInQueue(usize, Status),
    ReadLease {
        first_seen: Option<Lease>,
    },
    PutLease {
        seen: Lease,
        token: u8,
        until: i8,
    },
    ReadLeaseAgain {
        token: u8,
        until: i8,
    },
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
    ReadKeptPlan,
    PutPlanned {
        of_portal: Option<usize>,
    },
    ReadPlanned,
    ReadExceptions,
    ReadPerson {
        step: usize,
        refused: u8,
    },
    WritePerson {
        step: usize,
        seen: Option<Person>,
        refused: u8,
    },
    KeepExceptions,
    WriteReport,
    LeaveQueueBefore,
    Finish,
    ReadEnded,
    GiveBack,
    LookAgain,
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
    done: Vec<bool>,
    /// A while has passed since the position was stored.
    due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grip {
    pub(crate) token: u8,
    /// By what is known for certain.
    pub(crate) until: i8,
}

impl Grip {
    /// Whether anything may be sent under the lease.
    pub(crate) fn holds(self, now: i8) -> bool {
        now < self.until - SILENT
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) event: Option<Event>,
    pub(crate) call: Call,
    /// The file of the event was begun by somebody before.
    own_is_running: bool,
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
                Some(Event::Wake) => Call::ReadLease { first_seen: None },
            },
            own_is_running: false,
            grip: None,
            run: None,
        }
    }

    /// The lease, while something may be sent under it: to give it back is the last thing.
    pub(crate) fn works_under(&self) -> Option<Grip> {
        self.grip.filter(|_| self.call != Call::GiveBack)
    }

    /// The invocation failed, or the process died: the event comes again.
    pub(crate) fn again(&self) -> Self {
        Worker::begin(self.event)
    }
}

/// Makes the call. More than one worker: what comes next depends on the time that has passed, or on which
/// answer comes first.
pub(crate) fn step(s: &Scenario, store: &mut Store, owner: usize, worker: &Worker) -> Vec<Worker> {
    let mut turn = Turn {
        s,
        store,
        owner,
        w: worker.clone(),
    };
    let mut next = turn.answer();
    let now = store.now;
    for worker in &mut next {
        // The lease is looked at first whenever an answer has come.
        let lost = worker.grip.is_some_and(|grip| !grip.holds(now));
        if lost && !s.has(Twist::LeaseNotChecked) {
            *worker = worker.again();
        }
    }
    next
}

struct Turn<'t> {
    s: &'t Scenario,
    store: &'t mut Store,
    owner: usize,
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

    fn token(&self) -> u8 {
        self.w.grip.map_or(0, |grip| grip.token)
    }

    fn run(&mut self) -> &mut Run {
        self.w.run.as_mut().unwrap()
    }

    fn answer(&mut self) -> Vec<Worker> {
        match self.w.call.clone() {
            Call::None => vec![self.w.clone()],
            Call::Claim(upload) => {
                if self.store.uploads[upload].is_some() {
                    return self.to(Call::ReadClaimed(upload));
                }
                self.store.uploads[upload] = Some(Upload {
                    record: Record {
                        status: Status::Queued,
                        furthest: Status::Queued,
                        admitted: false,
                        rows: None,
                    },
                    saved: Saved::default(),
                    fence: 0,
                    attempts: 0,
                });
                self.store.queue.insert(upload, false);
                self.to(Call::ReadLease { first_seen: None })
            }
            Call::ReadClaimed(upload) => {
                match self.store.uploads[upload].as_ref().unwrap().record.status {
                    status if status.is_final() => self.done(),
                    status => self.to(Call::PutInQueue(upload, status)),
                }
            }
            Call::PutInQueue(upload, status) => {
                let planned = status == Status::Applying;
                self.store.queue.entry(upload).or_insert(planned);
                self.w.own_is_running = status != Status::Queued;
                self.to(Call::ReadLease { first_seen: None })
            }
            Call::ReadLease { first_seen } => {
                let seen = self.store.lease.clone();
                if seen.standing(self.store.now) == Standing::Held {
                    return self.held(seen, first_seen);
                }
                let token = match self.s.has(Twist::SameToken) {
                    true => 1,
                    false => seen.token + 1,
                };
                let until = self.store.now + LEASE;
                self.to(Call::PutLease { seen, token, until })
            }
            Call::PutLease { seen, token, until } => {
                let lease = &mut self.store.lease;
                let as_seen = lease.token == seen.token && lease.until == seen.until;
                if !as_seen {
                    return self.to(Call::ReadLeaseAgain { token, until });
                }
                *lease = Lease {
                    token,
                    owner: Some(self.owner),
                    until: Some(until),
                };
                self.take(token, until)
            }
            Call::ReadLeaseAgain { token, until } => {
                let found = self.store.lease.clone();
                if found.token == token && found.owner == Some(self.owner) {
                    self.take(token, until)
                } else {
                    self.held(found, None)
                }
            }
            Call::NextInQueue => {
                self.w.run = None;
                let planned_first = !self.s.has(Twist::PlannedNotFirst);
                match self.store.next_in_queue(self.s, planned_first) {
                    Some(upload) => self.to(Call::TakeUp(upload)),
                    None => self.to(Call::GiveBack),
                }
            }
            Call::TakeUp(upload) => {
                let token = self.token();
                let any = self.s.has(Twist::TakeUpWithoutFence);
                let item = self.store.uploads[upload]
                    .as_mut()
                    .filter(|item| !item.record.status.is_final() && (any || item.fence < token));
                let Some(item) = item else {
                    return self.to(Call::ReadTakenUp(upload));
                };
                item.fence = token;
                item.attempts += 1;
                let item = item.clone();
                self.walk(upload, item)
            }
            Call::ReadTakenUp(upload) => {
                let token = self.token();
                match self.store.still_ours(upload, token).cloned() {
                    Some(item) => self.walk(upload, item),
                    None => self.to(Call::LeaveQueue(upload)),
                }
            }
            Call::LeaveQueue(upload) => {
                self.store.queue.remove(&upload);
                self.to(Call::NextInQueue)
            }
            Call::PlannedOfKey => {
                let key = &self.s.files[self.run().upload].order.key;
                let of_key = self.store.newest_of_key.get(key).copied();
                self.to(Call::PlannedOfPortal { of_key })
            }
            Call::PlannedOfPortal { of_key } => {
                let (upload, of_portal) = (self.run().upload, self.store.newest_planned);
                if self.run().record.status == Status::Applying {
                    return self.to(Call::PutPlanned { of_portal });
                }
                if comes_too_late(self.s, upload, of_key, of_portal) {
                    self.enter(Status::Rejected);
                    return self.to(Call::WriteReport);
                }
                self.run().record.admitted = true;
                self.scan()
            }
            Call::PutProgress => self.put_progress(),
            Call::ReadRosterAndPeople => {
                let upload = self.run().upload;
                self.run().plan = self.store.plan(self.s, upload);
                self.to(Call::KeepPlan)
            }
            Call::KeepPlan => {
                let key = (self.run().upload, self.plan_token());
                let plan = self.run().plan.clone();
                if self.s.has(Twist::KeptPlanReplanned) {
                    self.store.plans.remove(&key);
                }
                if self.store.plans.contains_key(&key) {
                    return self.to(Call::ReadKeptPlan);
                }
                self.store.plans.insert(key, plan);
                self.planned()
            }
            Call::ReadKeptPlan => {
                let applying = self.run().record.status == Status::Applying;
                let by = match applying {
                    true => self.run().saved.plan_by,
                    false => self.plan_token(),
                };
                let key = (self.run().upload, by);
                self.run().plan = self.store.plans[&key].clone();
                if applying {
                    self.apply()
                } else {
                    self.planned()
                }
            }
            Call::PutPlanned { of_portal } => self.put_planned(of_portal),
            Call::ReadPlanned if self.is_stored() => self.apply(),
            Call::ReadEnded if self.is_stored() => self.to(Call::NextInQueue),
            Call::ReadPlanned | Call::ReadEnded => vec![self.w.again()],
            Call::ReadExceptions => {
                let run = self.w.run.as_mut().unwrap();
                let by = run.saved.exceptions_by.unwrap();
                run.exceptions = self.store.exceptions[&(run.upload, by)].clone();
                self.go_on()
            }
            Call::ReadPerson { step, refused } => {
                let found = self.store.people[self.run().plan[step].0].clone();
                self.decide(step, found, refused)
            }
            Call::WritePerson {
                step,
                seen,
                refused,
            } => self.write_person(step, seen, refused),
            Call::KeepExceptions => {
                let (token, run) = (self.token(), self.w.run.as_mut().unwrap());
                let key = (run.upload, token);
                self.store.exceptions.insert(key, run.exceptions.clone());
                run.saved.exceptions_by = Some(token);
                self.to(Call::PutProgress)
            }
            Call::WriteReport => {
                let rejected = self.run().record.status == Status::Rejected;
                let rows = (!rejected).then(|| self.rows());
                let upload = self.run().upload;
                self.store.reports[upload] = Some(rows);
                if !rejected {
                    self.run().record.rows = rows;
                    self.enter(Status::Completed);
                }
                match self.s.has(Twist::EntryGoesFirst) {
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
                (item.record, item.saved) = (run.record.clone(), run.saved);
                item.attempts = 0;
                self.store.queue.remove(&run.upload);
                self.to(Call::NextInQueue)
            }
            Call::GiveBack => {
                let (token, lease) = (self.token(), &mut self.store.lease);
                if lease.token == token && lease.owner == Some(self.owner) {
                    (lease.owner, lease.until) = (None, None);
                }
                self.w.grip = None;
                match self.s.has(Twist::NoLookAfterGivingBack) {
                    true => self.done(),
                    false => self.to(Call::LookAgain),
                }
            }
            Call::LookAgain if self.store.queue.is_empty() => self.done(),
            Call::LookAgain => self.to(Call::ReadLease { first_seen: None }),
        }
    }

    /// Somebody else has the lease. A worker whose own file is running waits until it is clear that they live.
    fn held(&self, held: Lease, first_seen: Option<Lease>) -> Vec<Worker> {
        if !self.w.own_is_running || first_seen.is_some_and(|seen| seen != held) {
            return self.done();
        }
        let first_seen = Some(held);
        self.to(Call::ReadLease { first_seen })
    }

    fn take(&mut self, token: u8, until: i8) -> Vec<Worker> {
        let until = match self.s.has(Twist::LeaseCountedFromAnswer) {
            true => self.store.now + LEASE,
            false => until,
        };
        self.w.grip = Some(Grip { token, until });
        self.to(Call::NextInQueue)
    }

    fn walk(&mut self, upload: usize, item: Upload) -> Vec<Worker> {
        let Record {
            status, admitted, ..
        } = item.record;
        self.w.run = Some(Box::new(Run {
            upload,
            record: item.record,
            saved: item.saved,
            came_forward: false,
            plan: Plan::new(),
            exceptions: Exceptions::new(),
            done: Vec::new(),
            due: true,
        }));
        if item.attempts > self.s.takeovers {
            self.enter(Status::Failed);
            return self.to(Call::Finish);
        }
        match status {
            _ if !admitted => self.to(Call::PlannedOfKey),
            Status::Applying if self.s.has(Twist::KeptPlanReplanned) => self.scan(),
            Status::Applying => self.to(Call::ReadKeptPlan),
            _ => self.scan(),
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
        let any = self.s.has(Twist::ProgressWithoutFence);
        let run = self.w.run.as_mut().unwrap();
        let item = match any {
            true => self.store.uploads[run.upload].as_mut(),
            false => self.store.still_ours(run.upload, token),
        };
        let Some(item) = item else {
            return vec![self.w.again()];
        };
        (item.record, item.saved) = (run.record.clone(), run.saved);
        if run.came_forward {
            item.attempts = 0;
        }
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

    fn plan_token(&self) -> u8 {
        match self.s.has(Twist::PlanByToken) {
            true => self.token(),
            false => 0,
        }
    }

    fn planned(&mut self) -> Vec<Worker> {
        self.enter(Status::Applying);
        let plan_by = self.plan_token();
        self.run().saved = Saved {
            plan_by,
            ..Saved::default()
        };
        self.to(Call::PlannedOfKey)
    }

    fn put_planned(&mut self, of_portal: Option<usize>) -> Vec<Worker> {
        let token = self.token();
        let run = self.w.run.as_ref().unwrap();
        let upload = run.upload;
        let stale = self.s.has(Twist::PlannedUnderLease) && self.store.lease.token != token;
        let queued = self.store.queue.contains_key(&upload);
        match self.store.still_ours(upload, token) {
            Some(item) if queued && !stale => {
                (item.record, item.saved) = (run.record.clone(), run.saved);
                item.attempts = 0;
            }
            _ => return self.to(Call::ReadPlanned),
        }
        let order = |upload: usize| &self.s.files[upload].order;
        self.store.queue.insert(upload, true);
        let key = order(upload).key.clone();
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
        let run = self.run();
        run.done = (0..run.plan.len())
            .map(|step| step < run.saved.applied)
            .collect();
        match run.saved.exceptions_by {
            Some(_) => self.to(Call::ReadExceptions),
            None => self.go_on(),
        }
    }

    /// Batches begin in the plan's order and end in any, so any open step may be the next to be settled. The
    /// position is stored when a while has passed, and at the end.
    fn go_on(&mut self) -> Vec<Worker> {
        let run = self.run();
        let open: Vec<usize> = (0..run.plan.len())
            .filter(|step| !run.done[*step])
            .collect();
        if run.saved.applied == run.plan.len() {
            return self.to(Call::WriteReport);
        }
        let mut next = Vec::new();
        for step in &open {
            let write = self.run().plan[*step].1;
            next.extend(match write {
                Write::Create => self.decide(*step, None, 0),
                Write::Update | Write::Refresh => self.to(Call::ReadPerson {
                    step: *step,
                    refused: 0,
                }),
            });
        }
        let run = self.run();
        if open.is_empty() || run.due {
            let applied = open.first().copied().unwrap_or(run.plan.len());
            next.extend(self.save(applied));
        }
        next
    }

    fn save(&mut self, applied: usize) -> Vec<Worker> {
        let forget = self.s.has(Twist::NoneAreKeptToo);
        let keep = !self.s.has(Twist::ExceptionsNotKept);
        let mut later = Turn {
            s: self.s,
            store: self.store,
            owner: self.owner,
            w: self.w.clone(),
        };
        let run = later.run();
        run.came_forward |= applied > run.saved.applied;
        run.saved.applied = applied;
        if !run.exceptions.is_empty() && keep {
            return later.to(Call::KeepExceptions);
        }
        if forget {
            run.saved.exceptions_by = None;
        }
        later.to(Call::PutProgress)
    }

    fn decide(&mut self, step: usize, found: Option<Person>, refused: u8) -> Vec<Worker> {
        let (tries, knows_own) = (self.s.tries, !self.s.has(Twist::OwnWritesNotRecognised));
        let run = self.run();
        let (who, planned) = run.plan[step];
        if let Some(person) = &found {
            if person.last_write == Some(run.upload) && knows_own {
                return self.settle(step, person.last_outcome.unwrap_or(planned.outcome()));
            }
            if person.decide(self.row(who)).is_none() {
                return self.settle(step, Outcome::Unchanged);
            }
        }
        if refused == tries {
            return self.settle(step, Outcome::ChangedMeanwhile);
        }
        let seen = found;
        self.to(Call::WritePerson {
            step,
            seen,
            refused,
        })
    }

    fn write_person(&mut self, step: usize, seen: Option<Person>, refused: u8) -> Vec<Worker> {
        let any = self.s.has(Twist::PeopleWithoutVersion);
        let (upload, who) = (self.run().upload, self.run().plan[step].0);
        let row = self.row(who);
        let version = |person: &Option<Person>| person.as_ref().map(|person| person.version);
        let found = self.store.people[who].clone();
        if version(&found) != version(&seen) && !any {
            return self.decide(step, found, refused + 1);
        }
        let write = seen
            .as_ref()
            .map_or(Some(Write::Create), |seen| seen.decide(row));
        let write = write.unwrap_or(Write::Refresh);
        let after = match (write, seen) {
            (Write::Refresh, _) => found.map(|found| Person {
                fingerprint: Some(row),
                ..found
            }),
            (_, seen) => Some(Person {
                value: row,
                other: seen.as_ref().map_or(0, |seen| seen.other),
                version: version(&seen).unwrap_or(0) + 1,
                last_write: Some(upload),
                last_outcome: Some(write.outcome()),
                fingerprint: Some(row),
            }),
        };
        self.store.people[who] = after;
        self.settle(step, write.outcome())
    }

    fn settle(&mut self, step: usize, outcome: Outcome) -> Vec<Worker> {
        let run = self.run();
        let (who, planned) = run.plan[step];
        match outcome == planned.outcome() {
            true => run.exceptions.remove(&who),
            false => run.exceptions.insert(who, outcome),
        };
        (run.done[step], run.due) = (true, true);
        self.go_on()
    }

    fn row(&mut self, who: usize) -> u8 {
        self.s.files[self.run().upload].rows[who].unwrap()
    }

    fn rows(&mut self) -> Rows {
        let mut rows: Rows = [None; PEOPLE];
        let run = self.w.run.as_ref().unwrap();
        for (who, _) in self.s.files[run.upload]
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.is_some())
        {
            rows[who] = Some(Outcome::Unchanged);
        }
        for (who, write) in &run.plan {
            rows[*who] = Some(write.outcome());
        }
        for (who, outcome) in &run.exceptions {
            rows[*who] = Some(*outcome);
        }
        rows
    }
}
