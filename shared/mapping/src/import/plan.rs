//! [`Staff`] and what the portal knows -> [`ImportPlan`]: what happens to each. A value: applied by somebody
//! else, who finds out whether it still holds.

use super::EmployeeId;
use super::staff::{Checked, EMPLOYEE_ID, Staff};
use crate::fields::Field;
use crate::identity::{EmailKey, UserId};
use crate::problem::{Problem, ProblemCode};
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
#[derive(Clone, PartialEq, Eq)]
pub struct ImportPlan {
    /// Everybody whom it is about, once; in the order of their ids, in which places are given.
    pub people: Vec<PlannedPerson>,
}

/// Somebody, and what happens to them. No `Debug`: names and addresses.
#[derive(Clone, PartialEq, Eq)]
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
#[derive(Clone, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::super::testing::{id, known, staff, user};
    use super::*;

    /// What happens to each: `Ann u` is the user `u` already, `Bo +` is created, `Cy =` finds no place, and `Di
    /// missing_value email` cannot be imported.
    fn decided(plan: &ImportPlan) -> Vec<String> {
        let letters = ["u", "v", "w"];
        let say = |decision: &Decision| match decision {
            Decision::Create => "+".to_owned(),
            Decision::NoPlace => "=".to_owned(),
            Decision::AlreadyUser(found) => {
                let letter = letters.iter().find(|letter| user(letter) == *found);
                (*letter.unwrap()).to_owned()
            }
            Decision::Cannot(problems) => {
                let said = problems
                    .iter()
                    .map(|it| format!("{} {}", it.code.as_str(), it.field.as_deref().unwrap()));
                said.collect::<Vec<_>>().join(" ")
            }
        };
        plan.people
            .iter()
            .map(|person| format!("{} {}", person.first_name, say(&person.decision)))
            .collect()
    }

    #[test]
    fn what_happens_to_each() {
        for (people, knows, expected) in [
            ("", "", ""),
            ("1 Ann a@x.io", "", "Ann +"),
            ("2 Bo b@x.io / 1 Ann a@x.io", "", "Ann + / Bo +"),
            // Somebody whom the feed or an administrator created.
            ("1 Ann A@x.io", "a@x.io=u", "Ann u"),
            // Imported before: whatever has changed in Xero since, there is no second user.
            ("1 Ann a@x.io", "1=u / a@x.io=u", "Ann u"),
            ("1 Ann n@x.io", "1=u / a@x.io=u", "Ann u"),
            ("1 Ann n@x.io", "1=u / n@x.io=v", "Ann u"),
            ("1 Ann -", "1=u", "Ann u"),
            ("1 - ann", "1=u", " u"),
            (
                "1 Ann a@x.io TERMINATED",
                "1=u",
                "Ann employee_terminated status",
            ),
            (
                "1 Ann a@x.io AWAY",
                "1=u",
                "Ann employee_status_unknown status",
            ),
            // Nobody is recognised by an address alone who could not be imported by it.
            ("1 - a@x.io", "a@x.io=u", " missing_value first_name"),
            ("- Ann a@x.io", "a@x.io=u", "Ann missing_value employee_id"),
            // One address, several people.
            (
                "2 Bo A@x.io / 1 Ann a@x.io / 3 Cy a@X.io",
                "",
                "Ann + / Bo duplicate_employee email / Cy duplicate_employee email",
            ),
            (
                "1 Ann a@x.io / 2 Bo a@x.io",
                "2=u / a@x.io=u",
                "Ann duplicate_employee email / Bo u",
            ),
            // Also where the one who was imported has the address in Xero alone, until now.
            (
                "1 Ann b@x.io / 2 Bo b@x.io",
                "2=u / a@x.io=u",
                "Ann duplicate_employee email / Bo u",
            ),
            (
                "1 Ann a@x.io / 2 Bo a@x.io",
                "a@x.io=u",
                "Ann u / Bo duplicate_employee email",
            ),
            ("1 Ann a@x.io / 2 Bo a@x.io", "1=u / 2=v", "Ann u / Bo v"),
            // Who cannot be imported has no claim to an address.
            (
                "1 Ann a@x.io TERMINATED / 2 - a@x.io / - Cy a@x.io / 4 Di a@x.io",
                "",
                "Ann employee_terminated status /  missing_value first_name / Di + / \
                 Cy missing_value employee_id",
            ),
            // Somebody who left and came back under another id.
            (
                "1 Ann a@x.io TERMINATED / 2 Ann a@x.io",
                "1=u / a@x.io=u",
                "Ann employee_terminated status / Ann u",
            ),
            // The address that a colleague had before, and still has here.
            (
                "1 Ann n@x.io / 2 Bo a@x.io",
                "1=u / a@x.io=u",
                "Ann u / Bo email_taken email",
            ),
            (
                "1 Ann - / 2 Bo a@x.io",
                "1=u / a@x.io=u",
                "Ann u / Bo email_taken email",
            ),
        ] {
            let plan = staff(people).plan(&known(knows), 200, None);
            let expected: Vec<&str> = expected.split(" / ").filter(|it| !it.is_empty()).collect();
            assert_eq!(decided(&plan), expected, "{people}, {knows}");
        }
    }

    #[test]
    fn who_comes_second_to_an_address_hears_to_whom() {
        let message = |people: &str, knows: &str| {
            let plan = staff(people).plan(&known(knows), 200, None);
            let problems = plan.people.into_iter().find_map(|it| match it.decision {
                Decision::Cannot(problems) => Some(problems),
                _ => None,
            });
            let mut problems = problems.unwrap();
            assert_eq!(problems.len(), 1);
            problems.remove(0).message
        };
        let both = "1 Ann a@x.io / 2 Bo a@x.io";
        assert_eq!(message(both, ""), "Email: the same address as Ann Lee.");
        assert_eq!(message(both, "2=u"), "Email: the same address as Bo Lee.");
        assert_eq!(
            message("1 Ann n@x.io / 2 Bo a@x.io", "1=u / a@x.io=u"),
            "Email: in the portal this is the address of Ann Lee."
        );
    }

    #[test]
    fn places_are_given_in_the_order_of_ids_to_those_who_are_created() {
        let people = "4 Di d@x.io / 3 Cy - / 2 Bo b@x.io / 5 Ed e@x.io / 1 Ann a@x.io";
        for (places, expected) in [
            (
                0,
                ["Ann u", "Bo =", "Cy missing_value email", "Di =", "Ed ="],
            ),
            (
                1,
                ["Ann u", "Bo +", "Cy missing_value email", "Di =", "Ed ="],
            ),
            (
                2,
                ["Ann u", "Bo +", "Cy missing_value email", "Di +", "Ed ="],
            ),
            (
                3,
                ["Ann u", "Bo +", "Cy missing_value email", "Di +", "Ed +"],
            ),
        ] {
            let plan = staff(people).plan(&known("a@x.io=u"), places, None);
            assert_eq!(decided(&plan), expected);
        }
    }

    #[test]
    fn those_who_were_chosen_alone_are_imported_and_take_places() {
        let people =
            "1 Ann a@x.io / 2 Bo b@x.io / 3 Cy a@x.io / 5 Ed - / 6 Flo f@x.io / - Gus g@x.io";
        for (chosen, expected) in [
            (&[][..], &[][..]),
            (&[2], &["Bo +"]),
            // Of two with one address it is the same one as if nobody had been chosen.
            (&[3], &["Cy duplicate_employee email"]),
            (&[6, 2, 1], &["Ann +", "Bo +", "Flo ="]),
            (
                &[4, 5, 6],
                &[
                    " employee_not_found employee_id",
                    "Ed missing_value email",
                    "Flo +",
                ],
            ),
        ] {
            let chosen = chosen.iter().map(|n| id(*n)).collect();
            let plan = staff(people).plan(&known(""), 2, Some(&chosen));
            assert_eq!(decided(&plan), expected);
        }
    }
}
