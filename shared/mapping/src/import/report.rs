//! What is said of an import when it has ended: the lines that the administrator downloads, in the form of the
//! feed's ([`crate::report`]), counts, and the first problems. All from the plan and its exceptions, so that it
//! can be written again after a crash.

use super::staff::shown_name;
use super::{Decision, EmployeeId, ImportPlan, PlannedPerson};
use crate::file::FEED_PROBLEM_COLUMN;
use crate::identity::UserId;
use crate::plan::RowCounts;
use crate::problem::{Problem, ProblemCode};
use crate::report::{REPORT_COLUMNS, as_one, feed_problem, show, write_line, write_problem};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The columns of `rejected.csv`. With those of a user it can be dropped as a file of the feed, once corrected.
const REJECTED_COLUMNS: [&str; 5] = [
    "employee_id",
    "first_name",
    "last_name",
    "email",
    FEED_PROBLEM_COLUMN,
];

/// What became of somebody who was to be created and was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// Somebody else made a user of them, or gave the address to one, in between.
    AlreadyUser(UserId),
    /// Another import took the place.
    NoPlace,
}

/// What an import did.
pub struct ImportReport {
    /// With what became of them; who was to be created and still is was created.
    people: Vec<PlannedPerson>,
}

impl ImportReport {
    /// Of a plan that was applied, but for these.
    pub fn new(plan: ImportPlan, instead: &HashMap<EmployeeId, Instead>) -> Self {
        let mut people = plan.people;
        for person in &mut people {
            let exception = person.employee_id.and_then(|id| instead.get(&id));
            if let (Decision::Create, Some(exception)) = (&person.decision, exception) {
                person.decision = match exception {
                    Instead::AlreadyUser(user) => Decision::AlreadyUser(*user),
                    Instead::NoPlace => Decision::NoPlace,
                };
            }
        }
        ImportReport { people }
    }

    /// `report.csv`, in the columns of [`REPORT_COLUMNS`]: a line for everybody who was created or could not be
    /// imported. Who was a user already has none.
    pub fn report(&self) -> Vec<u8> {
        let mut report = Vec::new();
        write_line(&mut report, REPORT_COLUMNS);
        for person in &self.people {
            let identity = shown_identity(person);
            if person.decision == Decision::Create {
                let line = ["", &identity, "created", "", "", "", "Created."];
                write_line(&mut report, line);
            } else if let Some(problem) = problem(person) {
                write_problem(&mut report, &identity, "not_processed", &problem);
            }
        }
        report
    }

    /// `rejected.csv`: those who could not be imported, and why. Empty if there are none.
    pub fn rejected(&self) -> Vec<u8> {
        let mut rejected = Vec::new();
        for person in &self.people {
            let Some(problem) = problem(person) else {
                continue;
            };
            if rejected.is_empty() {
                write_line(&mut rejected, REJECTED_COLUMNS);
            }
            let id = person.employee_id.map(|id| id.to_string());
            let line = [
                id.as_deref().unwrap_or(""),
                &person.first_name,
                &person.last_name,
                &person.email,
                &feed_problem(&problem),
            ];
            write_line(&mut rejected, line);
        }
        rejected
    }

    /// Who was a user already counts as unchanged.
    pub fn counts(&self) -> RowCounts {
        let mut counts = RowCounts::default();
        for person in &self.people {
            counts.total += 1;
            let count = match person.decision {
                Decision::Create => &mut counts.created,
                Decision::AlreadyUser(_) => &mut counts.unchanged,
                Decision::NoPlace | Decision::Cannot(_) => &mut counts.not_processed,
            };
            *count += 1;
        }
        counts
    }

    /// The first problems, for the upload record.
    pub fn first_problems(&self) -> Vec<Problem> {
        let mut shown = Vec::new();
        for problem in self.people.iter().filter_map(problem) {
            show(&mut shown, problem);
        }
        shown
    }
}

/// Why somebody could not be imported, as one problem.
fn problem(person: &PlannedPerson) -> Option<Problem> {
    match &person.decision {
        Decision::Create | Decision::AlreadyUser(_) => None,
        Decision::NoPlace => Some(Problem::new(ProblemCode::NoPlaceLeft)),
        Decision::Cannot(problems) => as_one(problems.clone()),
    }
}

/// The address, or else the name, or else the id.
fn shown_identity(person: &PlannedPerson) -> String {
    if person.email.is_empty() {
        shown_name(&person.first_name, &person.last_name, person.employee_id)
    } else {
        person.email.clone()
    }
}
