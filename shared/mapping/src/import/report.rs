//! What is said of an import when it has ended: the lines that the administrator downloads, in the form of the
//! feed's ([`crate::report`]), counts, and the first problems. All from the plan and its exceptions.

use super::staff::shown_name;
use super::{Decision, EmployeeId, ImportPlan, PlannedPerson};
use crate::file::FEED_PROBLEM_COLUMN;
use crate::identity::UserId;
use crate::plan::RowCounts;
use crate::problem::{Problem, ProblemCode};
use crate::report::{REPORT_COLUMNS, as_one, feed_problem, show, write_line, write_problem};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::super::testing::{id, known, staff, user};
    use super::*;
    use crate::report::SHOWN_PROBLEMS;

    const PEOPLE: &str = "1 Ann a@x.io / 2 Bo b@x.io / 3 Cy c@x.io / 4 Zoë - / 5 - +e / 6 =1+1 a@x.io / 7 Gus g@x.io / - - h@x.io";

    fn report(instead: &HashMap<EmployeeId, Instead>) -> ImportReport {
        let plan = staff(PEOPLE).plan(&known("2=u"), 2, None);
        ImportReport::new(plan, instead)
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn everybody_has_a_line_but_those_who_were_users_already() {
        let report = report(&HashMap::new());
        assert_eq!(
            text(report.report()),
            "row,identity,outcome,code,field,value,message\r\n\
            ,a@x.io,created,,,,Created.\r\n\
            ,c@x.io,created,,,,Created.\r\n\
            ,Zoë Lee,not_processed,missing_value,email,,\"Email: empty, and required.\"\r\n\
            ,'+e,not_processed,missing_value,first_name,,\"First Name: empty, and required. Email: not one e-mail address.\"\r\n\
            ,a@x.io,not_processed,duplicate_employee,email,a@x.io,Email: the same address as Ann Lee.\r\n\
            ,g@x.io,not_processed,no_place_left,,,\"200 people were imported from Xero into the portal, over all imports, which is the most.\"\r\n\
            ,h@x.io,not_processed,missing_value,employee_id,,\"Employee id: empty, and required. First Name: empty, and required.\"\r\n"
        );
        assert_eq!(
            text(report.rejected()),
            "employee_id,first_name,last_name,email,feed_problem\r\n\
            00000004-0000-4000-8000-000000000000,Zoë,Lee,,\"missing_value: Email: empty, and required.\"\r\n\
            00000005-0000-4000-8000-000000000000,,Lee,'+e,\"missing_value: First Name: empty, and required. Email: not one e-mail address.\"\r\n\
            00000006-0000-4000-8000-000000000000,'=1+1,Lee,a@x.io,duplicate_employee: Email: the same address as Ann Lee.\r\n\
            00000007-0000-4000-8000-000000000000,Gus,Lee,g@x.io,\"no_place_left: 200 people were imported from Xero into the portal, over all imports, which is the most.\"\r\n\
            ,,Lee,h@x.io,\"missing_value: Employee id: empty, and required. First Name: empty, and required.\"\r\n"
        );
        let counts = RowCounts {
            total: 8,
            created: 2,
            unchanged: 1,
            not_processed: 5,
            ..RowCounts::default()
        };
        assert_eq!(report.counts(), counts);
        let codes: Vec<&str> = (report.first_problems().iter())
            .map(|problem| problem.code.as_str())
            .collect();
        assert_eq!(
            codes,
            [
                "missing_value",
                "missing_value",
                "duplicate_employee",
                "no_place_left",
                "missing_value"
            ]
        );
    }

    #[test]
    fn who_did_not_come_out_as_planned_is_reported_as_they_came_out() {
        let instead = HashMap::from([
            (id(1), Instead::NoPlace),
            (id(3), Instead::AlreadyUser(user("v"))),
            // Nothing was to be done for them, so nothing can have come of it.
            (id(2), Instead::NoPlace),
            (id(4), Instead::AlreadyUser(user("w"))),
        ]);
        let report = report(&instead);
        let lines = text(report.report());
        assert!(lines.contains(",a@x.io,not_processed,no_place_left,"));
        assert!(!lines.contains("created,") && !lines.contains("c@x.io"));
        assert!(!lines.contains("b@x.io") && lines.contains("Zoë Lee,not_processed"));
        let counts = report.counts();
        assert_eq!((counts.created, counts.unchanged), (0, 2));
        assert_eq!(counts.not_processed, 6);
    }

    #[test]
    fn who_has_no_address_is_shown_by_name_or_else_by_id() {
        let chosen = [id(4), id(9)].into();
        let plan = staff(PEOPLE).plan(&known(""), 2, Some(&chosen));
        let lines = text(ImportReport::new(plan, &HashMap::new()).report());
        let identities: Vec<&str> = lines
            .lines()
            .map(|it| it.split(',').nth(1).unwrap())
            .collect();
        assert_eq!(
            identities,
            [
                "identity",
                "Zoë Lee",
                "00000009-0000-4000-8000-000000000000"
            ]
        );
    }

    #[test]
    fn nothing_is_rejected_where_nothing_is_wrong() {
        let plan = staff("1 Ann a@x.io / 2 Bo b@x.io").plan(&known("2=u"), 1, None);
        let report = ImportReport::new(plan, &HashMap::new());
        assert!(report.rejected().is_empty() && report.first_problems().is_empty());
    }

    #[test]
    fn the_record_shows_the_first_problems() {
        let people: Vec<String> = (0..40).map(|n| format!("{n} Ann -")).collect();
        let plan = staff(&people.join(" / ")).plan(&known(""), 200, None);
        let report = ImportReport::new(plan, &HashMap::new());
        assert_eq!(report.first_problems().len(), SHOWN_PROBLEMS);
        assert_eq!(report.counts().not_processed, 40);
    }
}
