//! The Xero import: whom an organisation has, who of them becomes a user of the portal, and what is said of
//! those who do not (`docs/rules.md`, "The Xero import"). Nothing here knows how Xero is asked.
//!
//! In the order in which people pass through: [`Employee`], as Xero has somebody; [`Staff`], everybody, checked
//! and in order; [`ImportPlan`], what happens to each; [`ImportReport`], what is said of it afterwards.

mod employee;
mod plan;
mod report;
mod staff;

pub use employee::{Employee, EmployeeId, NotAnEmployeeId, Source};
pub use plan::{Decision, ImportPlan, Known, PlannedPerson};
pub use report::{ImportReport, Instead};
pub use staff::Staff;

/// How many people are imported from Xero into one portal, over all of its imports (the product's Xero FAQ,
/// step 7).
pub const MAX_IMPORTED: u32 = 200;

#[cfg(test)]
pub(crate) mod testing {
    //! People for tests, in a few words.

    use super::*;
    use crate::identity::{EmailKey, Identity, UserId};

    /// The id of the `n`th employee; ids are in the order of numbers.
    pub(crate) fn id(n: u32) -> EmployeeId {
        format!("{n:08x}-0000-4000-8000-000000000000")
            .parse()
            .unwrap()
    }

    /// A user of the portal, by a letter.
    pub(crate) fn user(letter: &str) -> UserId {
        UserId::of("1".parse().unwrap(), &Identity::External(letter), 0)
    }

    /// `3 Ann a@x.io TERMINATED`: number, first name, address, status. `-` is nothing, what is left out at the
    /// end as usual: the last name is always Lee, the status `ACTIVE`.
    pub(crate) fn employee(text: &str) -> Employee {
        let mut words = text
            .split(' ')
            .map(|word| (word != "-").then(|| word.to_owned()));
        let number = words.next().flatten();
        let mut word = || words.next().flatten();
        Employee {
            id: number.map(|number| id(number.parse().unwrap())),
            first_name: word(),
            last_name: Some("Lee".to_owned()),
            email: word(),
            status: word().or_else(|| Some("ACTIVE".to_owned())),
        }
    }

    /// Several of them, separated by ` / `.
    pub(crate) fn staff(text: &str) -> Staff {
        let people = text.split(" / ").filter(|text| !text.is_empty());
        Staff::new(people.map(employee).collect())
    }

    /// `3=u / a@x.io=u`: who was imported as whom, and whose an address is.
    pub(crate) fn known(text: &str) -> Known {
        let mut known = Known::default();
        for (who, letter) in text.split(" / ").filter_map(|text| text.split_once('=')) {
            match who.parse() {
                Ok(number) => _ = known.imported.insert(id(number), user(letter)),
                Err(_) => _ = known.holders.insert(EmailKey::of(who), user(letter)),
            }
        }
        known
    }
}
