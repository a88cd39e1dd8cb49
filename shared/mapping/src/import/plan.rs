//! [`Staff`] and what the portal knows -> [`ImportPlan`]: what happens to each. A value: applied by somebody
//! else, who finds out whether it still holds.

use super::EmployeeId;
use super::staff::{Checked, EMPLOYEE_ID, Staff};
use crate::fields::Field;
use crate::identity::{EmailKey, UserId};
use crate::problem::{Problem, ProblemCode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// What the portal knows of an organisation's people.
#[derive(Default)]
pub struct Known {
    /// Who was imported, or recognised as somebody's user, before. Only users that there still are.
    pub imported: HashMap<EmployeeId, UserId>,
    /// Whose an address is now.
    pub holders: HashMap<EmailKey, UserId>,
}

/// What an import does.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPlan {
    /// Everybody whom it is about, once; in the order of their ids, in which places are given.
    pub people: Vec<PlannedPerson>,
}

/// Somebody, and what happens to them. No `Debug`: names and addresses.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPerson {
    /// `None`: Xero has none for them, so that they cannot be imported.
    pub employee_id: Option<EmployeeId>,
    /// As it was sent, trimmed; empty if there is none.
    pub first_name: String,
    /// As it was sent, trimmed; empty if there is none.
    pub last_name: String,
    /// As it was sent, trimmed; empty if there is none. One address, if the person is to be created.
    pub email: String,
    /// What happens to them.
    pub decision: Decision,
}

/// What happens to somebody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A user is created.
    Create,
    /// The portal has them already: nothing to create, and nothing to change.
    AlreadyUser(UserId),
    /// Nothing is wrong with them, but the places are used up.
    NoPlace,
    /// Everything that is wrong with them; never empty.
    Cannot(Vec<Problem>),
}

impl Staff {
    /// Decides about everybody, or about those who were chosen: they alone take places, and all else is as if
    /// nobody had been chosen.
    pub fn plan(
        self,
        known: &Known,
        places_left: u32,
        chosen: Option<&BTreeSet<EmployeeId>>,
    ) -> ImportPlan {
        let judge = Judge::new(&self.people, known);
        let decisions: Vec<Decision> = (self.people.iter().enumerate())
            .map(|(at, person)| judge.decide(at, person))
            .collect();
        let mut missing = chosen.cloned().unwrap_or_default();
        let mut places = places_left;
        let mut people = Vec::new();
        for (person, mut decision) in self.people.into_iter().zip(decisions) {
            let is_chosen = person.employee_id.is_some_and(|id| missing.remove(&id));
            if chosen.is_some() && !is_chosen {
                continue;
            }
            if decision == Decision::Create {
                match places.checked_sub(1) {
                    Some(left) => places = left,
                    None => decision = Decision::NoPlace,
                }
            }
            people.push(PlannedPerson {
                employee_id: person.employee_id,
                first_name: person.first_name,
                last_name: person.last_name,
                email: person.email,
                decision,
            });
        }
        people.extend(missing.into_iter().map(not_found));
        people.sort_by_key(|person| (person.employee_id.is_none(), person.employee_id));
        ImportPlan { people }
    }
}

/// Decides about one person, by who else there is.
struct Judge<'s> {
    people: &'s [Checked],
    known: &'s Known,
    /// By address: the one of those who have it who may be imported, by their place among the people.
    first: HashMap<EmailKey, usize>,
    /// The users of those who were imported before and are employed.
    own: HashMap<UserId, usize>,
}

impl<'s> Judge<'s> {
    fn new(people: &'s [Checked], known: &'s Known) -> Self {
        let mut judge = Judge {
            people,
            known,
            first: HashMap::new(),
            own: HashMap::new(),
        };
        // Who was imported before comes first: the address is theirs, whatever their id.
        let mut order: Vec<usize> = (0..people.len()).collect();
        order.sort_by_key(|at| judge.imported(&people[*at]).is_none());
        for at in order {
            let person = &people[at];
            if let Some(user) = judge.imported(person) {
                judge.own.entry(user).or_insert(at);
            }
            if person.problems.is_empty() {
                judge.first.entry(person.email_key()).or_insert(at);
            }
        }
        judge
    }

    /// The user of somebody who was imported before, and is still employed.
    fn imported(&self, person: &Checked) -> Option<UserId> {
        let id = person.employee_id.filter(|_| person.employed)?;
        self.known.imported.get(&id).copied()
    }

    fn decide(&self, at: usize, person: &Checked) -> Decision {
        if let Some(user) = self.imported(person) {
            return Decision::AlreadyUser(user);
        }
        if !person.problems.is_empty() {
            return Decision::Cannot(person.problems.clone());
        }
        let email = person.email_key();
        let wrong = |code, other: usize, what: &str| {
            let name = self.people[other].shown_name();
            let problem = Problem::new(code)
                .field(Field::Email.as_str())
                .value(&person.email)
                .message(format!("Email: {what} {name}."));
            Decision::Cannot(vec![problem])
        };
        if let Some(first) = self.first.get(&email).filter(|first| **first != at) {
            let what = "the same address as";
            return wrong(ProblemCode::DuplicateEmployee, *first, what);
        }
        match self.known.holders.get(&email) {
            None => Decision::Create,
            Some(user) => match self.own.get(user) {
                None => Decision::AlreadyUser(*user),
                Some(other) => {
                    let what = "in the portal this is the address of";
                    wrong(ProblemCode::EmailTaken, *other, what)
                }
            },
        }
    }
}

fn not_found(id: EmployeeId) -> PlannedPerson {
    let problem = Problem::new(ProblemCode::EmployeeNotFound)
        .field(EMPLOYEE_ID)
        .value(&id.to_string());
    PlannedPerson {
        employee_id: Some(id),
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        decision: Decision::Cannot(vec![problem]),
    }
}
