//! Breadth first through every world that can be reached, so that the trace of what is found is a shortest
//! one. Worlds that were seen are known by their hash; a collision among a million is less likely than one in
//! ten million.

use crate::store::{End, LEASE, Person, Status, Store};
use crate::worker::{Call, Event, Worker, step};
use crate::{PEOPLE, Scenario};

/// Whom somebody in the portal changes.
const CHANGED: usize = PEOPLE - 1;

use platform::feed::Standing;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    store: Rc<Store>,
    workers: Vec<Worker>,
    /// What of the scenario's budget is used up.
    crashes: u8,
    lost: u8,
    pauses: u8,
    edits: usize,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// The worker's call is made; the number tells apart what may follow.
    Call(usize, usize),
    /// The call is made and its answer is lost.
    Lost(usize),
    Crash(usize),
    Renew(usize),
    /// The lease is renewed, and nobody hears of it.
    RenewUnheard(usize),
    Edit,
    Sweep(usize),
    /// So much time goes by; whatever was sent arrives after that, or is answered.
    Tick(i8),
}

/// Everything has come to rest in this way: each upload's end, and each person's value, their other one, and
/// the upload that wrote them last.
type Rest = (Vec<Option<End>>, [Option<(u8, u8)>; PEOPLE]);

/// What an exploration saw when nothing was violated.
#[derive(Debug)]
pub struct Explored {
    /// How many worlds.
    pub states: usize,
    /// The ways in which everything came to rest.
    pub ends: BTreeSet<Rest>,
}

/// What must never be, and how it came about.
pub struct Violation {
    /// Which rule.
    pub rule: &'static str,
    /// Every action on the way, and what the worker concerned was about to do.
    pub trace: Vec<String>,
}

impl std::fmt::Debug for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.rule, self.trace.join("\n"))
    }
}

/// Explores every world of the scenario. `allowed`: the ways in which everything may come to rest, where that
/// is known from an undisturbed exploration.
///
/// # Errors
///
/// A rule was violated.
pub fn explore(s: &Scenario, allowed: Option<&BTreeSet<Rest>>) -> Result<Explored, Box<Violation>> {
    let first = World {
        store: Rc::new(Store::new(s)),
        workers: s
            .events
            .iter()
            .map(|file| Worker::begin(Some(Event::File(*file))))
            .collect(),
        crashes: 0,
        lost: 0,
        pauses: 0,
        edits: 0,
    };
    let mut numbers = HashMap::from([(first.hash(), 0)]);
    let mut came_by = vec![(0, Action::Tick(0))];
    let mut open = VecDeque::from([(0, first.clone())]);
    let (mut ends, mut resting, mut ways) = (BTreeSet::new(), Vec::new(), Vec::new());
    let violated = |rule, came_by: &[(usize, Action)], mut at: usize, last: Option<Action>| {
        let mut actions: Vec<Action> = last.into_iter().collect();
        while at != 0 {
            actions.push(came_by[at].1);
            at = came_by[at].0;
        }
        let trace = tell(s, first.clone(), actions.into_iter().rev());
        Err(Box::new(Violation { rule, trace }))
    };
    while let Some((number, world)) = open.pop_front() {
        let mut next = successors(s, &world);
        let works = |(action, after): &(Action, World)| {
            matches!(action, Action::Call(..)) && *after != world
        };
        if world.rests() {
            let rest = world.rest(s);
            if allowed.is_some_and(|allowed| !allowed.contains(&rest)) {
                return violated("it ends as it would undisturbed", &came_by, number, None);
            }
            ends.insert(rest);
            resting.push(number);
        } else if !next.iter().any(works) && !world.all_is_due() {
            let mut later = world.clone();
            Rc::make_mut(&mut later.store).now += 1;
            next.push((Action::Tick(1), later));
        }
        for (action, after) in next {
            if let Some(rule) = broken(s, &world, action, &after) {
                return violated(rule, &came_by, number, Some(action));
            }
            let known = numbers.len();
            let reached = *numbers.entry(after.hash()).or_insert(known);
            ways.push((reached, number));
            if reached == known {
                came_by.push((number, action));
                open.push_back((known, after));
            }
        }
    }
    match without_rest(numbers.len(), &resting, ways) {
        Some(lost) => violated("every upload comes to its end", &came_by, lost, None),
        None => Ok(Explored {
            states: numbers.len(),
            ends,
        }),
    }
}

/// The first world from which none is reached in which everything has come to rest. `ways` lead back.
fn without_rest(worlds: usize, resting: &[usize], mut ways: Vec<(usize, usize)>) -> Option<usize> {
    ways.sort_unstable();
    let mut reach = vec![false; worlds];
    let mut open = resting.to_vec();
    while let Some(world) = open.pop() {
        if !std::mem::replace(&mut reach[world], true) {
            let begin = ways.partition_point(|(to, _)| *to < world);
            let here = ways[begin..].iter().take_while(|(to, _)| *to == world);
            open.extend(here.map(|(_, from)| *from));
        }
    }
    reach.iter().position(|reached| !reached)
}

fn tell(s: &Scenario, mut world: World, actions: impl Iterator<Item = Action>) -> Vec<String> {
    let mut trace = Vec::new();
    for action in actions {
        let what = match action {
            Action::Call(who, _) | Action::Lost(who) | Action::Crash(who) => {
                format!("{:?}", world.workers[who].call)
            }
            _ => String::new(),
        };
        let now = world.store.now;
        trace.push(format!("{now:>3} {action:?} {what}"));
        let next = successors(s, &world)
            .into_iter()
            .find(|(next, _)| *next == action);
        match next {
            Some((_, after)) => world = after,
            None => Rc::make_mut(&mut world.store).now += 1,
        }
    }
    trace.push(format!("{:#?}", world.store));
    trace
}

struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    // All numbers of a world are small. One byte each makes an exploration a quarter faster.
    fn write_u8(&mut self, number: u8) {
        self.0.push(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.0.push(number as u8);
    }

    fn write_isize(&mut self, number: isize) {
        self.0.push(number as u8);
    }

    fn finish(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.finish()
    }
}

impl World {
    fn with(&self, change: impl FnOnce(&mut World)) -> World {
        let mut after = self.clone();
        change(&mut after);
        after
    }

    /// What it is known by. Collected first and hashed at once: without optimisation that is much faster.
    fn hash(&self) -> u64 {
        let mut bytes = Bytes(Vec::with_capacity(2_048));
        Hash::hash(self, &mut bytes);
        bytes.finish()
    }

    /// Time changes nothing any more: whatever can be due is.
    fn all_is_due(&self) -> bool {
        let Store { now, lease, .. } = &*self.store;
        *now >= LEASE && lease.standing(*now) != Standing::Held
    }

    /// Nobody works, nothing waits, and nobody holds the lease.
    fn rests(&self) -> bool {
        self.workers.iter().all(|worker| worker.call == Call::None)
            && self.store.queue.is_empty()
            && self.store.lease.standing(self.store.now) != Standing::Held
    }

    /// What somebody in the portal changed is not compared with what was planned: when they did it decides.
    fn rest(&self, s: &Scenario) -> Rest {
        let ends = self
            .store
            .uploads
            .iter()
            .zip(&self.store.reports)
            .map(|(item, report)| {
                let mut end = item.as_ref().map(|item| End {
                    status: item.record.status,
                    rows: item.record.rows,
                    report: *report,
                });
                if let Some(End { rows, report, .. }) = &mut end
                    && !s.edits.is_empty()
                {
                    for rows in rows.iter_mut().chain(report.iter_mut().flatten()) {
                        rows[CHANGED] = None;
                    }
                }
                end
            });
        let value = |person: &Option<Person>| person.as_ref().map(|it| (it.value, it.other));
        (ends.collect(), self.store.people.each_ref().map(value))
    }

    /// Whether the sweep finds anything: a lease that ended, or a file that has waited for as long.
    fn is_due(&self) -> bool {
        let Store {
            now, lease, queue, ..
        } = &*self.store;
        lease.standing(*now) == Standing::Expired || (!queue.is_empty() && *now >= LEASE)
    }
}

fn successors(s: &Scenario, world: &World) -> Vec<(Action, World)> {
    let mut next = Vec::new();
    let at_work = world
        .workers
        .iter()
        .enumerate()
        .filter(|(_, worker)| worker.call != Call::None);
    for (me, worker) in at_work {
        let owner = if s.one_request_id { 0 } else { me };
        let mut store = Store::clone(&world.store);
        let after = step(s, &mut store, owner, worker);
        let made = World {
            store: Rc::new(store),
            ..world.clone()
        };
        if world.lost < s.lost && made.store != world.store {
            next.push((Action::Lost(me), made.with(|made| made.lost += 1)));
        }
        for (nth, worker) in after.into_iter().enumerate() {
            next.push((
                Action::Call(me, nth),
                made.with(|made| made.workers[me] = worker),
            ));
        }
        if world.crashes < s.crashes {
            let crashed = world.with(|world| {
                world.crashes += 1;
                world.workers[me] = worker.again();
            });
            next.push((Action::Crash(me), crashed));
        }
        renew(s, world, me, owner, &mut next);
    }
    if let (Some(value), Some(person)) = (s.edits.get(world.edits), &world.store.people[CHANGED]) {
        let edited = Person {
            value: *value,
            other: person.other + 1,
            version: person.version + 1,
            last_write: None,
            last_outcome: None,
            fingerprint: None,
        };
        let edited = world.with(|world| {
            world.edits += 1;
            Rc::make_mut(&mut world.store).people[CHANGED] = Some(edited);
        });
        next.push((Action::Edit, edited));
    }
    if s.sweep
        && world.is_due()
        && let Some(idle) = world
            .workers
            .iter()
            .position(|worker| worker.call == Call::None)
    {
        let woken = world.with(|world| world.workers[idle] = Worker::begin(Some(Event::Wake)));
        next.push((Action::Sweep(idle), woken));
    }
    for ticks in (1..=LEASE).filter(|_| world.pauses < s.pauses) {
        let later = world.with(|world| {
            world.pauses += 1;
            Rc::make_mut(&mut world.store).now += ticks;
        });
        next.push((Action::Tick(ticks), later));
    }
    next
}

/// Beside the work, from the first third of a lease on, and not in its silent part any more.
fn renew(s: &Scenario, world: &World, me: usize, owner: usize, next: &mut Vec<(Action, World)>) {
    let now = world.store.now;
    let Some(grip) = world.workers[me].works_under() else {
        return;
    };
    if !grip.holds(now) || grip.until == now + LEASE {
        return;
    }
    let lease = &world.store.lease;
    if lease.token != grip.token || lease.owner != Some(owner) {
        let lost = world.with(|world| world.workers[me] = world.workers[me].again());
        next.push((Action::Renew(me), lost));
        return;
    }
    let unheard =
        world.with(|world| Rc::make_mut(&mut world.store).lease.until = Some(now + LEASE));
    if world.lost < s.lost {
        next.push((
            Action::RenewUnheard(me),
            unheard.with(|world| world.lost += 1),
        ));
    }
    let renewed = unheard.with(|world| {
        if let Some(grip) = &mut world.workers[me].grip {
            grip.until = now + LEASE;
        }
    });
    next.push((Action::Renew(me), renewed));
}

/// The first rule that does not hold after this action.
fn broken(s: &Scenario, before: &World, action: Action, after: &World) -> Option<&'static str> {
    let (old, new) = (&before.store, &after.store);
    if new.lease.token < old.lease.token {
        return Some("the token only grows");
    }
    let mut believers = after.workers.iter().filter_map(Worker::works_under);
    let wrong = |grip: crate::worker::Grip| grip.holds(new.now) && grip.token != new.lease.token;
    if believers.clone().filter(|grip| grip.holds(new.now)).count() > 1 || believers.any(wrong) {
        return Some("who may send has the lease, alone");
    }
    let is_ended = |item: &crate::store::Upload| item.record.status.is_final();
    for (upload, (was, is)) in old.uploads.iter().zip(&new.uploads).enumerate() {
        if was.as_ref().is_some_and(is_ended) && was != is {
            return Some("an upload that has ended stays as it ended");
        }
        let given_up = is
            .as_ref()
            .is_some_and(|item| item.record.status == Status::Failed);
        if given_up
            && was
                .as_ref()
                .is_some_and(|item| !is_ended(item) && item.attempts <= s.takeovers)
        {
            return Some("an upload is given up for one reason only");
        }
        let is_open = is.as_ref().is_some_and(|item| !is_ended(item));
        if is_open && !new.queue.contains_key(&upload) {
            return Some("an upload that has not ended is in the queue");
        }
    }
    for (was, is) in old.reports.iter().zip(&new.reports) {
        if was.is_some() && was != is {
            return Some("whoever writes a report writes the same");
        }
    }
    for (key, upload) in &new.newest_of_key {
        let order = |upload: &usize| &s.files[*upload].order;
        if old
            .newest_of_key
            .get(key)
            .is_some_and(|was| order(was) > order(upload))
        {
            return Some("the newest planned file of a key is never an older one");
        }
    }
    let (Action::Call(me, _) | Action::Lost(me)) = action else {
        return None;
    };
    let worker = &before.workers[me];
    if let Some(grip) = worker.grip {
        if grip.token < old.lease.token && old.lease != new.lease {
            return Some("nobody touches a later lease");
        }
        let mut uploads = old.uploads.iter().zip(&new.uploads);
        let fenced = |was: &crate::store::Upload| was.fence > grip.token;
        if uploads.any(|(was, is)| was != is && was.as_ref().is_some_and(fenced)) {
            return Some("nobody touches an upload that a later lease has");
        }
    }
    let run = worker.run.as_ref()?;
    for (was, is) in old.people.iter().zip(&new.people) {
        let version = |person: &Option<Person>| person.as_ref().map_or(0, |it| it.version);
        let ours = was
            .as_ref()
            .is_some_and(|was| was.last_write == Some(run.upload));
        if ours && version(was) != version(is) {
            return Some("nobody is written twice by one upload");
        }
        if was.as_ref().map(|it| it.other) > is.as_ref().map(|it| it.other) {
            return Some("what somebody changed beside the file is kept");
        }
    }
    let ended = new.uploads[run.upload]
        .as_ref()
        .filter(|item| is_ended(item));
    let rows = ended.and_then(|item| item.record.rows);
    for (person, row) in new.people.iter().zip(rows.into_iter().flatten()) {
        let written = person
            .as_ref()
            .filter(|it| it.last_write == Some(run.upload));
        if written.is_some_and(|it| it.last_outcome != row) {
            return Some("a person who was written counts as what was written");
        }
    }
    None
}
