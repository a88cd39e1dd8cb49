//! An organisation's people, checked and in a stable order. What the portal knows of them is the plan's business.

use super::{Employee, EmployeeId};
use crate::fields::Field;
use crate::identity::{EmailKey, check_email};
use crate::problem::{Problem, ProblemCode, shortened};
use crate::record::{MAX_VALUE_CHARS, has_line_break};

/// The field of a problem with an [`EmployeeId`]; the others are those of a user.
pub(super) const EMPLOYEE_ID: &str = "employee_id";

/// An organisation's people, checked, in the order of their ids. Those without an id come last, by name.
pub struct Staff {
    pub(super) people: Vec<Checked>,
}

/// Somebody, and what is wrong with them.
pub(super) struct Checked {
    pub(super) employee_id: Option<EmployeeId>,
    /// As it was sent, trimmed; empty if there is none. So are the other two.
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    /// Not terminated, and of no status that we do not know.
    pub(super) employed: bool,
    /// Everything for which they cannot be imported, whoever else there is.
    pub(super) problems: Vec<Problem>,
}

impl Staff {
    /// Of people in any order, which is that of Xero's pages. Somebody who is on two of them counts once: people
    /// move from page to page when one is added.
    pub fn new(mut employees: Vec<Employee>) -> Self {
        employees.sort_by(|a, b| (a.id.is_none(), a).cmp(&(b.id.is_none(), b)));
        employees.dedup_by(|a, b| a.id.is_some() && a.id == b.id);
        Staff {
            people: employees.into_iter().map(Checked::new).collect(),
        }
    }

    /// The addresses of those with whom nothing is wrong, as they were sent, to look up whose they are.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        let fine = self.people.iter().filter(|it| it.problems.is_empty());
        fine.map(|it| it.email.as_str())
    }

    /// Everybody's ids, to look up who was imported before.
    pub fn ids(&self) -> impl Iterator<Item = EmployeeId> {
        self.people.iter().filter_map(|it| it.employee_id)
    }
}

impl Checked {
    fn new(employee: Employee) -> Self {
        // In full, so that a new field does not compile until it is checked.
        let Employee {
            id,
            first_name,
            last_name,
            email,
            status,
        } = employee;
        let [first_name, last_name, email] = [first_name, last_name, email]
            .map(|text| text.map_or_else(String::new, |text| text.trim().to_owned()));
        let not_employed = check_status(status.as_deref());
        let employed = not_employed.is_none();
        // Of somebody who is not employed nothing else has to be put right.
        let problems = not_employed.map_or_else(
            || {
                let missing_id = id.is_none().then(|| missing(EMPLOYEE_ID, "Employee id"));
                let wrong = [
                    missing_id,
                    check(&Field::FirstName, &first_name),
                    check(&Field::LastName, &last_name),
                    check(&Field::Email, &email),
                ];
                wrong.into_iter().flatten().collect()
            },
            |problem| vec![problem],
        );
        Checked {
            employee_id: id,
            first_name,
            last_name,
            email,
            employed,
            problems,
        }
    }

    /// The address as it is compared.
    pub(super) fn email_key(&self) -> EmailKey {
        EmailKey::of(&self.email)
    }

    /// How others hear of the person.
    pub(super) fn shown_name(&self) -> String {
        shortened(&shown_name(
            &self.first_name,
            &self.last_name,
            self.employee_id,
        ))
    }
}

/// Both names, or the one there is, or else the id.
pub(super) fn shown_name(first: &str, last: &str, employee_id: Option<EmployeeId>) -> String {
    let name = format!("{first} {last}");
    match (name.trim(), employee_id) {
        ("", Some(id)) => id.to_string(),
        (name, _) => name.to_owned(),
    }
}

/// Xero's users have no status. One that we do not know may mean anything.
fn check_status(status: Option<&str>) -> Option<Problem> {
    let status = status?.trim();
    if status.eq_ignore_ascii_case("ACTIVE") {
        return None;
    }
    let code = if status.eq_ignore_ascii_case("TERMINATED") {
        ProblemCode::EmployeeTerminated
    } else {
        ProblemCode::EmployeeStatusUnknown
    };
    let problem = Problem::new(code).field(Field::Status.as_str());
    Some(problem.value(status))
}

/// A value, as a row's is checked.
fn check(field: &Field, value: &str) -> Option<Problem> {
    let label = field.standard_label().unwrap_or_default();
    let wrong = |code: ProblemCode, what: &str| {
        Problem::new(code)
            .field(field.as_str())
            .value(value)
            .message(format!("{label}: {what}."))
    };
    if value.is_empty() {
        Some(missing(field.as_str(), label))
    } else if value.chars().count() > MAX_VALUE_CHARS {
        let what = "longer than 1,000 characters";
        Some(wrong(ProblemCode::ValueTooLong, what))
    } else if has_line_break(value) {
        let what = "a line break or a NUL";
        Some(wrong(ProblemCode::ForbiddenCharacter, what))
    } else if *field == Field::Email && check_email(value).is_err() {
        Some(wrong(ProblemCode::InvalidEmail, "not one e-mail address"))
    } else {
        None
    }
}

fn missing(field: &str, label: &str) -> Problem {
    Problem::new(ProblemCode::MissingValue)
        .field(field)
        .message(format!("{label}: empty, and required."))
}
