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

#[cfg(test)]
mod tests {
    use super::super::testing::{employee, id, staff};
    use super::*;

    /// What is wrong with one person: code, field and value.
    fn problems(employee: Employee) -> Vec<(&'static str, String, Option<String>)> {
        let person = Checked::new(employee);
        assert_eq!(
            person.employed,
            person.problems.iter().all(|problem| !matches!(
                problem.code,
                ProblemCode::EmployeeTerminated | ProblemCode::EmployeeStatusUnknown
            ))
        );
        let problems = person.problems.into_iter();
        problems
            .map(|it| (it.code.as_str(), it.field.unwrap(), it.value))
            .collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_status_is_active_or_absent_or_it_stops_the_person() {
        for (status, code) in [
            (None, None),
            (some("ACTIVE"), None),
            (some(" active "), None),
            (some("TERMINATED"), Some("employee_terminated")),
            (some("Terminated\t"), Some("employee_terminated")),
            (some("ON_LEAVE"), Some("employee_status_unknown")),
            (some("INACTIVE"), Some("employee_status_unknown")),
            (some(""), Some("employee_status_unknown")),
        ] {
            let shown = status.as_deref().map(|text| text.trim().to_owned());
            // What else is wrong with somebody who is not employed is nobody's concern.
            for email in [some("a@x.io"), None] {
                let found = problems(Employee {
                    status: status.clone(),
                    email: email.clone(),
                    ..employee("1 Ann")
                });
                match code {
                    Some(code) => assert_eq!(found, [(code, "status".to_owned(), shown.clone())]),
                    None => assert_eq!(found.len(), usize::from(email.is_none())),
                }
            }
        }
    }

    #[test]
    fn a_value_is_checked_as_a_row_of_the_feed_is() {
        let long = "é".repeat(1_001);
        let limit = "é".repeat(1_000);
        let fields = ["first_name", "last_name", "email"];
        for (at, value, code) in [
            (0, None, Some("missing_value")),
            (0, some(""), Some("missing_value")),
            (0, some(" \u{A0}\n"), Some("missing_value")),
            (0, some("A\nnn"), Some("forbidden_character")),
            (0, some("API "), None),
            (0, some("Anne-Zoë 小明"), None),
            (0, some(&limit), None),
            (0, some(&long), Some("value_too_long")),
            (1, None, Some("missing_value")),
            (1, some("L\0ee"), Some("forbidden_character")),
            (1, some("L\u{2028}ee"), Some("forbidden_character")),
            (1, some(&long), Some("value_too_long")),
            (2, None, Some("missing_value")),
            (2, some(""), Some("missing_value")),
            (2, some("  "), Some("missing_value")),
            (2, some(" Ann@x.io\r\n"), None),
            (2, some("josé@bücher.example"), None),
            (2, some("ann"), Some("invalid_email")),
            (2, some("ann@x.io; bo@x.io"), Some("invalid_email")),
            (2, some("ann\n@x.io"), Some("forbidden_character")),
            (2, some(&long), Some("value_too_long")),
        ] {
            let mut employee = employee("1 Ann a@x.io");
            let place = [
                &mut employee.first_name,
                &mut employee.last_name,
                &mut employee.email,
            ];
            place.into_iter().nth(at).unwrap().clone_from(&value);
            let found = problems(employee);
            let codes: Vec<&str> = found.iter().map(|(code, ..)| *code).collect();
            assert_eq!(codes, Vec::from_iter(code), "{} {value:?}", fields[at]);
            for (code, field, value) in found {
                assert_eq!(field, fields[at]);
                assert_eq!(value.is_none(), code == "missing_value");
            }
        }
    }

    #[test]
    fn everything_that_is_wrong_with_somebody_is_listed() {
        let nobody = Employee::default();
        let found = problems(nobody);
        let fields: Vec<&str> = found.iter().map(|(_, field, _)| field.as_str()).collect();
        assert_eq!(fields, ["employee_id", "first_name", "last_name", "email"]);
        assert!(found.iter().all(|(code, ..)| *code == "missing_value"));
    }

    #[test]
    fn people_stand_in_the_order_of_their_ids_however_the_pages_came() {
        let words = ["- Zoë z@x.io", "3 Cy c@x.io", "1 Ann a@x.io", "- Bo b@x.io"];
        let mut pages = words.to_vec();
        for _ in 0..4 {
            pages.rotate_left(1);
            let staff = staff(&pages.join(" / "));
            let names: Vec<&str> = staff.people.iter().map(|it| &*it.first_name).collect();
            assert_eq!(names, ["Ann", "Cy", "Bo", "Zoë"]);
            assert_eq!(staff.ids().collect::<Vec<_>>(), [id(1), id(3)]);
        }
    }

    #[test]
    fn somebody_who_is_on_two_pages_counts_once_but_nobody_without_an_id() {
        for pages in [
            "1 Ann a@x.io / 2 Bo b@x.io / 1 Anna n@x.io / - Cy c@x.io / - Cy c@x.io",
            "1 Anna n@x.io / - Cy c@x.io / 1 Ann a@x.io / - Cy c@x.io / 2 Bo b@x.io",
        ] {
            let staff = staff(pages);
            let names: Vec<&str> = staff.people.iter().map(|it| &*it.first_name).collect();
            assert_eq!(names, ["Ann", "Bo", "Cy", "Cy"]);
        }
    }

    #[test]
    fn only_addresses_of_those_who_may_be_imported_are_looked_up() {
        let staff =
            staff("1 Ann A@x.io / 2 - b@x.io / 3 Cy c@x.io TERMINATED / 4 Di d / - Ed e@x.io");
        assert_eq!(staff.emails().collect::<Vec<_>>(), ["A@x.io"]);
    }
}
