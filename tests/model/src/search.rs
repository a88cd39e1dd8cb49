//! Breadth first through every world that can be reached, so that the trace of what is found is a shortest
//! one. Worlds that were seen are known by their hash; a collision among a million is less likely than one in
//! ten million.

use crate::Scenario;
use crate::rules::broken;
use crate::shared::hash;
use crate::world::{Action, Rest, World};
use std::collections::{BTreeSet, HashMap, VecDeque};

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
    let first = World::new(s);
    let mut numbers = HashMap::from([(hash(&first), 0)]);
    // Of each world but the first, the one before it and what happened then.
    let mut came_by = vec![(0, Action::Tick(0))];
    let mut open = VecDeque::from([(0, first)]);
    let (mut ends, mut resting, mut ways) = (BTreeSet::new(), Vec::new(), Vec::new());
    let violated = |rule, came_by: &[(usize, Action)], mut at: usize, last: Option<Action>| {
        let mut actions: Vec<Action> = last.into_iter().collect();
        while at != 0 {
            actions.push(came_by[at].1);
            at = came_by[at].0;
        }
        let trace = tell(s, actions.into_iter().rev());
        Err(Box::new(Violation { rule, trace }))
    };
    while let Some((number, world)) = open.pop_front() {
        let mut next = world.successors(s);
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
            next.push((Action::Tick(1), world.later(1)));
        }
        for (action, after) in next {
            if let Some(rule) = broken(s, &world, action, &after) {
                return violated(rule, &came_by, number, Some(action));
            }
            let known = numbers.len();
            let reached = *numbers.entry(hash(&after)).or_insert(known);
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

fn tell(s: &Scenario, actions: impl Iterator<Item = Action>) -> Vec<String> {
    let (mut trace, mut world) = (Vec::new(), World::new(s));
    for action in actions {
        trace.push(world.tell(action));
        let mut next = world.successors(s).into_iter();
        world = match next.find(|(next, _)| *next == action) {
            Some((_, after)) => after,
            None => world.later(1),
        };
    }
    trace.push(format!("{:#?}", *world.store));
    trace
}
