//! Store and workers together, and everything that may happen next.

use crate::shared::Shared;
use crate::store::{End, Hold, LEASE, Person, Rows, Status, Store, Upload};
use crate::worker::{Call, Event, Grip, Worker, step};
use crate::{Departure, PEOPLE, Scenario};

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) store: Shared<Store>,
    pub(crate) workers: Vec<Shared<Worker>>,
    /// What was sent, was repeated since, and arrives some time or never.
    under_way: Vec<Sent>,
    /// What of the scenario's budget is used up.
    crashes: u8,
    handovers: u8,
    lost: u8,
    late: u8,
    pauses: u8,
    edits: usize,
    moves: usize,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Sent {
    /// The call of a worker.
    Call(Shared<Worker>),
    /// A renewal, with the time that it says.
    Renewal(Grip),
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The worker's call is made; the number tells apart what may follow.
    Call(usize, usize),
    /// The call is made and its answer is lost.
    Lost(usize),
    /// The call is sent and repeated before it arrives.
    Late(usize),
    Crash(usize),
    HandOver(usize),
    Renew(usize),
    /// The lease is renewed, and nobody hears of it.
    RenewUnheard(usize),
    /// The renewal is sent and repeated before it arrives.
    RenewLate(usize),
    /// What was under way arrives, and nobody hears of it.
    Arrive(usize),
    Edit,
    Move,
    Sweep(usize),
    /// So much time goes by.
    Tick(i8),
}

/// Everything has come to rest in this way: each upload's end, and each person's value, their other one and
/// whether they are active.
pub(crate) type Rest = (Vec<Option<End>>, [Option<(u8, u8, bool)>; PEOPLE]);

impl World {
    pub(crate) fn new(s: &Scenario) -> Self {
        let files = s.events.iter().map(|file| Event::File(*file));
        let movers = s.movers.iter().map(|who| Event::Move(*who));
        let decided = s.decisions.iter();
        let deciders = decided.map(|(upload, decision)| Event::Decide(*upload, *decision));
        let mapping = s.new_mapping.then_some(Event::NewMapping);
        let others = movers.chain(deciders).chain(mapping);
        let begin = |event| Shared::new(Worker::begin(Some(event)));
        let mut store = Store::new(s);
        for file in &s.before {
            let mut worker = Worker::begin(Some(Event::File(*file)));
            while worker.call != Call::None {
                worker = step(s, &mut store, Some(0), &worker).swap_remove(0);
            }
        }
        let mut workers: Vec<_> = files.chain(others).map(begin).collect();
        if s.events.is_empty() {
            // For the sweep.
            workers.push(Shared::new(Worker::begin(None)));
        }
        World {
            store: Shared::new(store),
            workers,
            under_way: Vec::new(),
            crashes: 0,
            handovers: 0,
            lost: 0,
            late: 0,
            pauses: 0,
            edits: 0,
            moves: 0,
        }
    }

    fn with(&self, change: impl FnOnce(&mut World)) -> World {
        let mut after = self.clone();
        change(&mut after);
        after
    }

    pub(crate) fn later(&self, ticks: i8) -> World {
        self.with(|world| world.store.change(|store| store.now += ticks))
    }

    fn has_worker(&self, me: usize, worker: Worker) -> World {
        self.with(|world| world.workers[me] = Shared::new(worker))
    }

    /// Time changes nothing any more: whatever can be due is.
    pub(crate) fn all_is_due(&self) -> bool {
        let Store { now, lease, .. } = &*self.store;
        *now >= LEASE && !lease.is_held(*now)
    }

    /// Nobody works, nothing waits, and nobody holds the lease.
    pub(crate) fn rests(&self) -> bool {
        let is_held = |upload: usize| {
            let item = self.store.uploads[upload].as_ref();
            item.is_some_and(|item| item.record.status == Status::Held)
        };
        let rests = |call: &Call| match call {
            Call::None => true,
            // Nobody comes as long as nothing is held.
            Call::FindHeld(upload, _) => !is_held(*upload),
            _ => false,
        };
        self.workers.iter().all(|worker| rests(&worker.call))
            && self.store.queue.is_empty()
            && !self.store.lease.is_held(self.store.now)
    }

    /// What somebody in the portal changed is not compared with what was planned: when they did it decides.
    pub(crate) fn rest(&self, s: &Scenario) -> Rest {
        let ends = self.store.uploads.iter().zip(&self.store.reports);
        let outlived = |hold: &Hold| self.store.is_superseded(s, *hold);
        let outlived = self.store.hold.filter(outlived).is_some();
        let end = |(item, report): (&Option<Upload>, &Option<(u8, Option<Rows>)>)| {
            let item = item.as_ref()?;
            let mut end = End {
                status: item.record.status,
                decision: item.record.decision,
                outlived: outlived && item.record.status == Status::Held,
                rows: item.record.rows,
                report: report.map(|(_, report)| report),
            };
            for rows in end.rows.iter_mut().chain(end.report.iter_mut().flatten()) {
                s.edits.iter().for_each(|(who, _)| rows[*who] = None);
                let moves = s.moves.iter().chain(&s.movers);
                moves.for_each(|who| rows[*who] = None);
            }
            Some(end)
        };
        let value =
            |person: &Option<Person>| person.as_ref().map(|it| (it.value, it.other, !it.inactive));
        let people = self.store.people.each_ref().map(value);
        (ends.map(end).collect(), people)
    }

    /// Whether the sweep finds anything: a lease that ended, or a file that has waited for as long.
    fn is_due(&self) -> bool {
        let Store {
            now, lease, queue, ..
        } = &*self.store;
        lease.is_expired(*now) || (!queue.is_empty() && *now >= LEASE)
    }

    /// Whose call an action makes.
    pub(crate) fn caller(&self, action: Action) -> Option<&Worker> {
        match action {
            Action::Call(me, _) | Action::Lost(me) => Some(&self.workers[me]),
            Action::Arrive(nth) => match &self.under_way[nth] {
                Sent::Call(worker) => Some(worker),
                Sent::Renewal(_) => None,
            },
            _ => None,
        }
    }

    /// The action, with what it is about.
    pub(crate) fn tell(&self, action: Action) -> String {
        let call = match action {
            Action::Late(me) | Action::Crash(me) | Action::HandOver(me) => Some(&*self.workers[me]),
            action => self.caller(action),
        };
        let call = call.map_or(String::new(), |worker| format!("{:?}", worker.call));
        format!("{:>3} {action:?} {call}", self.store.now)
    }

    pub(crate) fn successors(&self, s: &Scenario) -> Vec<(Action, World)> {
        let mut next = Vec::new();
        for (me, worker) in self.workers.iter().enumerate() {
            if worker.call != Call::None {
                self.work(s, me, worker, &mut next);
                self.renew(s, me, worker, &mut next);
            } else if s.sweep && self.is_due() {
                let woken = Worker::begin(Some(Event::Wake));
                next.push((Action::Sweep(me), self.has_worker(me, woken)));
            }
        }
        for (nth, sent) in self.under_way.iter().enumerate() {
            let arrived = self.with(|world| {
                world.under_way.remove(nth);
                world.store.change(|store| match sent {
                    Sent::Call(worker) => _ = step(s, store, None, worker),
                    Sent::Renewal(grip) => _ = grip.renew(s, &mut store.lease, grip.until),
                });
            });
            next.push((Action::Arrive(nth), arrived));
        }
        if let Some((who, value)) = s.edits.get(self.edits)
            && let Some(person) = &self.store.people[*who]
        {
            let edited = Person {
                value: *value,
                other: person.other + 1,
                inactive: false,
                version: person.version + 1,
                last_write: None,
                fingerprint: None,
                ..*person
            };
            let edited = self.with(|world| {
                world.edits += 1;
                world
                    .store
                    .change(|store| store.people[*who] = Some(edited));
            });
            next.push((Action::Edit, edited));
        }
        if let Some(who) = s.moves.get(self.moves)
            && let Some(person) = &self.store.people[*who]
        {
            let moved = Person {
                moved: true,
                version: person.version + 1,
                last_write: None,
                fingerprint: None,
                ..*person
            };
            let moved = self.with(|world| {
                world.moves += 1;
                world.store.change(|store| store.people[*who] = Some(moved));
            });
            next.push((Action::Move, moved));
        }
        if self.pauses < s.pauses {
            let paused = self.with(|world| world.pauses += 1);
            next.extend((1..=LEASE).map(|ticks| (Action::Tick(ticks), paused.later(ticks))));
        }
        next
    }

    /// A name for an attempt to take the lease, which no other attempt has. Names are compared together with
    /// tokens, so the first will do that no other attempt at the same token has.
    fn new_name(&self, s: &Scenario, me: usize) -> usize {
        if s.has(Departure::OneName) {
            return 0;
        }
        if s.has(Departure::NameOfTheEvent) {
            return me;
        }
        let token = self.store.lease.next_token(s);
        let has = |worker: &Worker, name| worker.attempts_at(token).any(|it| it == name);
        let is_known = |name: &usize| {
            self.workers.iter().any(|worker| has(worker, *name))
                || self.under_way.iter().any(|sent| match sent {
                    Sent::Call(worker) => has(worker, *name),
                    Sent::Renewal(grip) => (grip.token, grip.owner) == (token, *name),
                })
        };
        (0..).find(|name| !is_known(name)).unwrap()
    }

    /// What becomes of a worker's call, and of the worker.
    fn work(&self, s: &Scenario, me: usize, worker: &Worker, next: &mut Vec<(Action, World)>) {
        let name = (worker.call == Call::ReadLease).then(|| self.new_name(s, me));
        let mut store = Store::clone(&self.store);
        let after = step(s, &mut store, name, worker);
        let writes = store != *self.store;
        let made = self.with(|world| {
            if writes {
                world.store = Shared::new(store);
            }
            if worker.call.is_transaction() {
                // DynamoDB makes it once, however often it arrives.
                let again = Sent::Call(world.workers[me].clone());
                world.under_way.retain(|sent| *sent != again);
            }
        });
        if writes && self.lost < s.lost {
            next.push((Action::Lost(me), made.with(|world| world.lost += 1)));
        }
        if writes && self.late < s.late {
            let late = self.with(|world| {
                world.late += 1;
                let sent = Sent::Call(world.workers[me].clone());
                world.under_way.push(sent);
            });
            next.push((Action::Late(me), late));
        }
        for (nth, worker) in after.into_iter().enumerate() {
            next.push((Action::Call(me, nth), made.has_worker(me, worker)));
        }
        if self.crashes < s.crashes {
            let crashed = self.has_worker(me, worker.again());
            let crashed = crashed.with(|world| world.crashes += 1);
            next.push((Action::Crash(me), crashed));
        }
        if self.handovers < s.handovers && worker.works_under().is_some() {
            let handed_over = self.has_worker(me, worker.hands_over());
            let handed_over = handed_over.with(|world| world.handovers += 1);
            next.push((Action::HandOver(me), handed_over));
        }
    }

    /// Beside the work, from the first third of a lease on, and not in its silent part any more.
    fn renew(&self, s: &Scenario, me: usize, worker: &Worker, next: &mut Vec<(Action, World)>) {
        let until = self.store.now + LEASE;
        let due = |grip: &Grip| worker.renews() && grip.holds(self.store.now) && grip.until < until;
        let Some(grip) = worker.works_under().filter(due) else {
            return;
        };
        let renewed = Grip { until, ..grip };
        if self.late < s.late {
            let late = self.with(|world| {
                world.late += 1;
                world.under_way.push(Sent::Renewal(renewed));
            });
            next.push((Action::RenewLate(me), late));
        }
        let mut lease = self.store.lease.clone();
        if !grip.renew(s, &mut lease, until) {
            next.push((Action::Renew(me), self.has_worker(me, worker.again())));
            return;
        }
        let made = self.with(|world| world.store.change(|store| store.lease = lease));
        if self.lost < s.lost {
            let unheard = made.with(|world| world.lost += 1);
            next.push((Action::RenewUnheard(me), unheard));
        }
        let mut worker = worker.clone();
        worker.grip = Some(renewed);
        next.push((Action::Renew(me), made.has_worker(me, worker)));
    }
}
