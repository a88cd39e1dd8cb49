//! When there is no further page of employees: payroll tells neither how many people there are nor how many pages.

use super::failure::XeroFailure;
use mapping::import::{Employee, EmployeeId};
use std::collections::HashSet;

/// How many people payroll puts on a page at most. A page with fewer is the last.
const PAGE: usize = 100;

/// After so many full pages we stop asking: 4,000 people, twenty times what a portal may import, and two thirds of the
/// 60 calls that an organisation may answer in a minute.
const CEILING: usize = 40;

/// The people of the pages that were read so far.
#[derive(Default)]
pub(super) struct Pages {
    read: usize,
    seen: HashSet<EmployeeId>,
    people: Vec<Employee>,
}

impl Pages {
    /// The number of the page to ask for; the first is 1.
    pub(super) fn next(&self) -> usize {
        self.read + 1
    }

    /// Takes what the next page says. `true`: there may be another one.
    ///
    /// There was an endpoint of payroll that ignored `page` (XeroAPI/Xero-OpenAPI#708). A full page on which nobody
    /// is new is one that was read before.
    ///
    /// # Errors
    ///
    /// There are more people than are read. Nobody is left out without a word.
    pub(super) fn take(&mut self, page: Vec<Employee>) -> Result<bool, XeroFailure> {
        self.read += 1;
        let full = page.len() >= PAGE;
        let before = self.seen.len();
        self.seen.extend(page.iter().filter_map(|person| person.id));
        let nobody_new = self.seen.len() == before;
        if full && nobody_new && self.read > 1 {
            return Ok(false);
        }
        if self.read == CEILING && full {
            return Err(XeroFailure::TooMany);
        }
        self.people.extend(page);
        Ok(full && !nobody_new)
    }

    /// Everybody, in Xero's order. Who was on two pages is here twice.
    pub(super) fn into_people(self) -> Vec<Employee> {
        self.people
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(number: usize) -> Employee {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        Employee {
            id: Some(id.parse().unwrap()),
            ..Employee::default()
        }
    }

    /// Which pages were asked for, and who came of it, from a server that has `people` and may ignore `page`.
    fn read(people: &[Employee], ignores_page: bool) -> (usize, Vec<Option<EmployeeId>>) {
        let mut pages = Pages::default();
        loop {
            let skipped = if ignores_page {
                0
            } else {
                (pages.next() - 1) * PAGE
            };
            let page = people.iter().skip(skipped).take(PAGE).cloned().collect();
            if !pages.take(page).unwrap() {
                let read = pages.read;
                let people = pages.into_people();
                return (read, people.iter().map(|person| person.id).collect());
            }
        }
    }

    #[test]
    fn requirement_9_a_page_that_is_not_full_is_the_last() {
        for (people, asked) in [
            (0, 1),
            (1, 1),
            (99, 1),
            (100, 2),
            (101, 2),
            (199, 2),
            (200, 3),
            (201, 3),
            (350, 4),
        ] {
            let all: Vec<_> = (0..people).map(person).collect();
            let ids: Vec<_> = all.iter().map(|person| person.id).collect();
            assert_eq!(read(&all, false), (asked, ids), "{people} people");
        }
    }

    #[test]
    fn requirement_9_a_server_that_ignores_the_page_is_left_after_the_second_one() {
        for (people, asked) in [(0, 1), (99, 1), (100, 2), (350, 2)] {
            let all: Vec<_> = (0..people).map(person).collect();
            let first: Vec<_> = all.iter().take(PAGE).map(|person| person.id).collect();
            assert_eq!(read(&all, true), (asked, first), "{people} people");
        }
    }

    #[test]
    fn requirement_9_somebody_without_an_id_counts_once_although_the_page_is_ignored() {
        let mut all: Vec<_> = (0..99).map(person).collect();
        all.push(Employee::default());
        let (asked, ids) = read(&all, true);
        assert_eq!((asked, ids.len()), (2, 100));
    }

    #[test]
    fn somebody_without_an_id_on_the_last_page_is_kept() {
        let mut all: Vec<_> = (0..100).map(person).collect();
        all.push(Employee::default());
        let (asked, ids) = read(&all, false);
        assert_eq!((asked, ids.len(), ids[100]), (2, 101, None));
    }

    #[test]
    fn a_page_of_people_without_ids_ends_it_and_is_kept_if_it_is_the_first() {
        let all = vec![Employee::default(); 250];
        let (asked, ids) = read(&all, false);
        assert_eq!((asked, ids.len()), (1, 100));
    }

    #[test]
    fn requirement_9_there_is_a_ceiling() {
        let all: Vec<_> = (0..PAGE * CEILING - 1).map(person).collect();
        let (asked, ids) = read(&all, false);
        assert_eq!((asked, ids.len()), (CEILING, PAGE * CEILING - 1));
        let mut pages = Pages::default();
        let full = |nth: usize| (nth * PAGE..(nth + 1) * PAGE).map(person).collect();
        for nth in 0..CEILING - 1 {
            assert!(pages.take(full(nth)).unwrap());
        }
        assert!(matches!(
            pages.take(full(CEILING - 1)),
            Err(XeroFailure::TooMany)
        ));
    }
}
