//! The Xero import as a whole: organisations of every size, imports that are repeated, and what must hold of any
//! organisation and any portal (`docs/rules.md`, "The Xero import").
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

use mapping::identity::{EmailKey, Identity, UserId};
use mapping::import::{
    Decision, Employee, EmployeeId, ImportPlan, ImportReport, Instead, Known, MAX_IMPORTED,
    PlannedPerson, Staff,
};
use mapping::problem::ProblemCode;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn id(n: u32) -> EmployeeId {
    format!("{n:08x}-0000-4000-8000-000000000000")
        .parse()
        .unwrap()
}

fn user_id(name: &str) -> UserId {
    UserId::of("1001".parse().unwrap(), &Identity::Email(name), 0)
}

fn address(n: u32) -> String {
    format!("p{n}@x.example")
}

fn employee(n: u32) -> Employee {
    Employee {
        id: Some(id(n)),
        first_name: Some(format!("First{n}")),
        last_name: Some("Lee".to_owned()),
        email: Some(address(n)),
        status: Some("ACTIVE".to_owned()),
    }
}

/// The employees 1 to `count`, in the order of Xero's pages, which is none of ours.
fn employees(count: u32) -> Vec<Employee> {
    (1..=count).rev().map(employee).collect()
}

/// A portal as an import sees it.
#[derive(Clone, Default)]
struct Portal {
    users: HashMap<UserId, String>,
    imported: HashMap<EmployeeId, UserId>,
    places_taken: u32,
}

impl Portal {
    fn known(&self) -> Known {
        let users = self.users.iter();
        Known {
            imported: self.imported.clone(),
            holders: users
                .map(|(user, email)| (EmailKey::of(email), *user))
                .collect(),
        }
    }

    fn plan(&self, employees: &[Employee], chosen: Option<&BTreeSet<EmployeeId>>) -> ImportPlan {
        let places = MAX_IMPORTED - self.places_taken;
        Staff::new(employees.to_vec()).plan(&self.known(), places, chosen)
    }

    /// Does what the plan says; who was created. What was recognised is remembered, too, or not.
    fn apply(&mut self, plan: &ImportPlan, recognise: bool) -> Vec<EmployeeId> {
        let mut created = Vec::new();
        for person in &plan.people {
            let Some(id) = person.employee_id else {
                continue;
            };
            match person.decision {
                Decision::Create => {
                    let user = user_id(&person.email);
                    let before = self.users.insert(user, person.email.clone());
                    assert!(before.is_none(), "{id}: somebody has the address");
                    self.imported.insert(id, user);
                    self.places_taken += 1;
                    created.push(id);
                }
                Decision::AlreadyUser(user) if recognise => {
                    self.imported.insert(id, user);
                }
                Decision::AlreadyUser(_) | Decision::NoPlace | Decision::Cannot(_) => {}
            }
        }
        created
    }

    /// One import of everybody; who was created.
    fn import(&mut self, employees: &[Employee]) -> Vec<EmployeeId> {
        let plan = self.plan(employees, None);
        self.apply(&plan, true)
    }
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<EmployeeId> {
    numbers.into_iter().map(id).collect()
}

fn codes(person: &PlannedPerson) -> Vec<ProblemCode> {
    match &person.decision {
        Decision::Cannot(problems) => problems.iter().map(|problem| problem.code).collect(),
        Decision::NoPlace => vec![ProblemCode::NoPlaceLeft],
        Decision::Create | Decision::AlreadyUser(_) => Vec::new(),
    }
}

// ---------------------------------------------------------------- Sizes and repeated imports

#[test]
fn the_first_two_hundred_are_created_and_the_others_are_told() {
    for size in [0, 1, 99, 100, 101, 199, 200, 201, 350] {
        let mut portal = Portal::default();
        let plan = portal.plan(&employees(size), None);
        let without: Vec<_> = (plan.people.iter())
            .filter(|it| it.decision == Decision::NoPlace)
            .filter_map(|it| it.employee_id)
            .collect();
        let last = size.min(MAX_IMPORTED);
        assert_eq!(portal.apply(&plan, true), ids(1..=last), "{size}");
        assert_eq!(without, ids(last + 1..=size), "{size}");
        // And once more: nobody.
        assert_eq!(portal.import(&employees(size)), [], "{size}");
        assert_eq!(portal.users.len(), last as usize);
    }
}

#[test]
fn a_later_import_fills_the_places_that_are_left() {
    for (size, created) in [
        (150, 0),
        (151, 1),
        (199, 49),
        (200, 50),
        (201, 50),
        (350, 50),
    ] {
        let mut portal = Portal::default();
        assert_eq!(portal.import(&employees(150)), ids(1..=150));
        assert_eq!(portal.import(&employees(size)), ids(151..=150 + created));
        let plan = portal.plan(&employees(size), None);
        let counts = ImportReport::new(plan, &HashMap::new()).counts();
        assert_eq!(counts.created, 0, "{size}");
        assert_eq!(counts.unchanged, u64::from(150 + created), "{size}");
        assert_eq!(counts.not_processed, u64::from(size - 150 - created));
    }
}

#[test]
fn places_of_those_who_were_chosen_are_counted_over_all_imports() {
    let mut portal = Portal::default();
    let all = employees(350);
    let chosen: BTreeSet<EmployeeId> = (101..=250).map(id).collect();
    let plan = portal.plan(&all, Some(&chosen));
    assert_eq!(portal.apply(&plan, true), ids(101..=250));
    assert_eq!(portal.import(&all), ids(1..=50));
}

#[test]
fn a_changed_address_in_xero_makes_no_second_user() {
    let mut portal = Portal::default();
    portal.import(&employees(3));
    let mut people = employees(3);
    people[0].email = Some("married@x.example".to_owned());
    assert_eq!(portal.import(&people), []);
    assert!(
        portal
            .users
            .values()
            .all(|email| email != "married@x.example")
    );
}

#[test]
fn somebody_whom_the_feed_created_is_recognised_and_takes_no_place() {
    let mut portal = Portal::default();
    let (ann, bo) = (user_id("ann"), user_id("bo"));
    portal.users.insert(ann, "P1@x.EXAMPLE".to_owned());
    portal.users.insert(bo, "bo@x.example".to_owned());
    assert_eq!(portal.import(&employees(201)), ids(2..=201));
    assert_eq!(portal.imported[&id(1)], ann);
    // By the id from then on, whatever becomes of the address.
    let mut people = employees(201);
    people.last_mut().unwrap().email = Some("other@x.example".to_owned());
    assert_eq!(portal.import(&people), []);
}

#[test]
fn a_user_who_was_erased_since_is_imported_anew() {
    let mut portal = Portal::default();
    portal.import(&employees(3));
    portal.users.remove(&portal.imported[&id(2)]);
    portal.imported.remove(&id(2));
    assert_eq!(portal.import(&employees(3)), [id(2)]);
}

/// Whoever has an address of several keeps it, also if somebody with a lower id comes later.
#[test]
fn of_those_with_one_address_it_is_always_the_same_one() {
    let shared = |n| Employee {
        email: Some("Site@x.example".to_owned()),
        ..employee(n)
    };
    let mut portal = Portal::default();
    assert_eq!(portal.import(&[shared(7), shared(5)]), [id(5)]);
    let all = [shared(7), shared(3), shared(5)];
    let plan = portal.plan(&all, None);
    assert_eq!(portal.apply(&plan, true), []);
    let said: Vec<_> = (plan.people.iter())
        .map(|it| (it.employee_id, codes(it)))
        .collect();
    assert_eq!(
        said,
        [
            (Some(id(3)), vec![ProblemCode::DuplicateEmployee]),
            (Some(id(5)), vec![]),
            (Some(id(7)), vec![ProblemCode::DuplicateEmployee]),
        ]
    );
    // Once they have addresses of their own, they are imported.
    assert_eq!(
        portal.import(&[employee(7), employee(3), shared(5)]),
        ids([3, 7])
    );
}

#[test]
fn names_and_addresses_of_every_script_are_imported_as_they_were_sent() {
    let people = [
        ("Zoë", "O’Brien-Núñez", "zoë@bücher.example"),
        ("小明", "王", "用户@例え.example"),
        ("محمد", "علي", "m.ali@x.example"),
        ("Jose\u{301}", "Ağaoğlu", "jose\u{301}@x.example"),
        ("हिन्दी", "👩‍🔬", "ann+hr@x.example"),
    ];
    let employees: Vec<Employee> = (1..)
        .zip(people)
        .map(|(n, (first, last, email))| Employee {
            first_name: Some(format!(" {first}\u{A0}")),
            last_name: Some(last.to_owned()),
            email: Some(format!("{email} ")),
            ..employee(n)
        })
        .collect();
    let mut portal = Portal::default();
    let plan = portal.plan(&employees, None);
    let planned: Vec<_> = (plan.people.iter())
        .map(|it| (&*it.first_name, &*it.last_name, &*it.email))
        .collect();
    assert_eq!(planned, people);
    assert_eq!(portal.import(&employees), ids(1..=5));
    // The same address in another normal form, and in another case, is the same address.
    let again: Vec<Employee> = [(11, "JOSÉ@x.example"), (12, "ZOË@BÜCHER.example")]
        .map(|(n, email)| Employee {
            email: Some(email.to_owned()),
            ..employee(n)
        })
        .into();
    assert_eq!(portal.import(&again), []);
}

/// Requirement 10 of what others complained about: a value that is missing or new in one record kept a whole
/// organisation from being read.
#[test]
fn requirement_10_one_odd_record_is_one_line_and_holds_up_nobody_else() {
    use ProblemCode::*;
    /// How a record is odd, and what is said of it.
    type Odd = (fn(&mut Employee), &'static [ProblemCode]);
    let odd: [Odd; 12] = [
        (|it| *it = Employee::default(), &[MissingValue; 4]),
        (|it| it.id = None, &[MissingValue]),
        (|it| it.first_name = None, &[MissingValue]),
        (|it| it.last_name = Some(" ".to_owned()), &[MissingValue]),
        (
            |it| it.last_name = Some("L\0ee".to_owned()),
            &[ForbiddenCharacter],
        ),
        (|it| it.email = None, &[MissingValue]),
        (|it| it.email = Some(String::new()), &[MissingValue]),
        (|it| it.email = Some("none".to_owned()), &[InvalidEmail]),
        (|it| it.email = Some(address(1)), &[DuplicateEmployee]),
        (|it| it.email = Some("x".repeat(100_000)), &[ValueTooLong]),
        (
            |it| it.status = Some("TERMINATED".to_owned()),
            &[EmployeeTerminated],
        ),
        (
            |it| it.status = Some("PARENTAL_LEAVE".to_owned()),
            &[EmployeeStatusUnknown],
        ),
    ];
    for (nth, (spoil, expected)) in odd.into_iter().enumerate() {
        let mut people = employees(5);
        spoil(&mut people[2]);
        let mut portal = Portal::default();
        let plan = portal.plan(&people, None);
        assert_eq!(portal.apply(&plan, true), ids([1, 2, 4, 5]), "case {nth}");
        let said: Vec<_> = plan
            .people
            .iter()
            .map(codes)
            .filter(|it| !it.is_empty())
            .collect();
        assert_eq!(said, [expected], "case {nth}");
        let report = ImportReport::new(plan, &HashMap::new());
        assert_eq!(report.counts().not_processed, 1, "case {nth}");
        assert_eq!(records(&report.rejected()).len(), 1, "case {nth}");
        assert_eq!(records(&report.report()).len(), 5, "case {nth}");
    }
}

/// The lines of a CSV file below its header.
fn records(file: &[u8]) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_reader(file);
    reader.records().map(Result::unwrap).collect()
}

// ---------------------------------------------------------------- What must hold of everybody

/// Few of everything, so that people meet one another.
const ADDRESSES: u8 = 6;

/// `None`: Xero has none. The last ones are none; the others may be spelled otherwise.
fn email(number: u8) -> Option<String> {
    let name = (b'a' + number % ADDRESSES) as char;
    match number / ADDRESSES {
        0 | 1 => Some(format!("{name}@x.example")),
        2 => Some(format!(" {}@X.example", name.to_ascii_uppercase())),
        _ => [None, Some(""), Some("none"), Some("é\n@x.example")][usize::from(number % 4)]
            .map(str::to_owned),
    }
}

/// Somebody who is drawn, by numbers, so that a failure can be printed.
#[derive(Clone, Debug)]
struct PersonCase {
    number: Option<u32>,
    name: u8,
    address: u8,
    status: u8,
}

fn person() -> impl Strategy<Value = PersonCase> {
    let number = prop::option::weighted(0.9, 0..12u32);
    let rest = (0..8u8, 0..ADDRESSES * 3 + 4, 0..12u8);
    (number, rest).prop_map(|(number, (name, address, status))| PersonCase {
        number,
        name,
        address,
        status,
    })
}

fn organisation() -> impl Strategy<Value = Vec<PersonCase>> {
    prop::collection::vec(person(), 0..10)
}

fn employees_of(people: &[PersonCase]) -> Vec<Employee> {
    let names = ["Ann", "Bo", "Zoë", "=1+1", "Ann", "Bo", "Cy", ""];
    let employee = |person: &PersonCase| Employee {
        id: person.number.map(id),
        first_name: Some(names[usize::from(person.name)].to_owned()),
        last_name: Some("Lee".to_owned()),
        email: email(person.address),
        status: match person.status {
            0 => Some("TERMINATED".to_owned()),
            1 => Some("AWAY".to_owned()),
            2 => None,
            _ => Some("ACTIVE".to_owned()),
        },
    };
    people.iter().map(employee).collect()
}

/// Users, each with an address of their own, of whom some were imported.
#[derive(Clone, Debug)]
struct PortalCase {
    /// By address: as which employee.
    users: BTreeMap<u8, Option<u32>>,
    places_left: u32,
}

fn portal() -> impl Strategy<Value = PortalCase> {
    let imported = prop::option::of(0..12u32);
    let users = prop::collection::btree_map(0..ADDRESSES, imported, 0..5usize);
    (users, 0..12u32).prop_map(|(users, places_left)| PortalCase { users, places_left })
}

impl PortalCase {
    fn portal(&self) -> Portal {
        let mut portal = Portal {
            places_taken: MAX_IMPORTED - self.places_left,
            ..Portal::default()
        };
        for (address, imported) in &self.users {
            // Not the id that somebody who is created at this address would have.
            let user = user_id(&format!("before {address}"));
            portal.users.insert(user, email(*address).unwrap());
            if let Some(number) = imported {
                portal.imported.insert(id(*number), user);
            }
        }
        portal
    }
}

/// An organisation, and its people in another order.
fn shuffled() -> impl Strategy<Value = (Vec<PersonCase>, Vec<PersonCase>)> {
    organisation().prop_flat_map(|people| (Just(people.clone()), Just(people).prop_shuffle()))
}

fn choice() -> impl Strategy<Value = BTreeSet<EmployeeId>> {
    prop::collection::btree_set((0..14u32).prop_map(id), 0..6)
}

fn created(plan: &ImportPlan) -> Vec<&PlannedPerson> {
    let people = plan.people.iter();
    people
        .filter(|person| person.decision == Decision::Create)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn everybody_is_in_the_plan_exactly_once(portal in portal(), people in organisation()) {
        let (portal, people) = (portal.portal(), employees_of(&people));
        let plan = portal.plan(&people, None);
        let planned: Vec<_> = plan.people.iter().filter_map(|it| it.employee_id).collect();
        let expected: BTreeSet<_> = people.iter().filter_map(|it| it.id).collect();
        prop_assert_eq!(planned, Vec::from_iter(expected));
        let without = people.iter().filter(|it| it.id.is_none()).count();
        prop_assert_eq!(plan.people.iter().filter(|it| it.employee_id.is_none()).count(), without);
    }

    #[test]
    fn there_are_never_more_creates_than_places(portal in portal(), people in organisation()) {
        let (portal, people) = (portal.portal(), employees_of(&people));
        let places = (MAX_IMPORTED - portal.places_taken) as usize;
        let plan = portal.plan(&people, None);
        let created = created(&plan).len();
        prop_assert!(created <= places);
        let told = plan.people.iter().any(|it| it.decision == Decision::NoPlace);
        prop_assert!(!told || created == places);
    }

    #[test]
    fn who_is_created_is_employed_and_has_names_and_an_address_that_nobody_has(
        portal in portal(),
        people in organisation(),
    ) {
        let (portal, people) = (portal.portal(), employees_of(&people));
        let plan = portal.plan(&people, None);
        let mut addresses: BTreeSet<EmailKey> =
            portal.users.values().map(|email| EmailKey::of(email)).collect();
        for person in created(&plan) {
            let employed = people.iter().any(|it| {
                it.id == person.employee_id && matches!(it.status.as_deref(), None | Some("ACTIVE"))
            });
            prop_assert!(employed);
            prop_assert!(!person.first_name.is_empty() && !person.last_name.is_empty());
            prop_assert!(addresses.insert(EmailKey::of(&person.email)));
        }
    }

    #[test]
    fn nobody_is_two_people(portal in portal(), people in organisation()) {
        let (portal, people) = (portal.portal(), employees_of(&people));
        let mut users = BTreeSet::new();
        for person in portal.plan(&people, None).people {
            if let Decision::AlreadyUser(user) = person.decision {
                prop_assert!(users.insert(user));
            }
        }
    }

    #[test]
    fn planning_again_after_applying_creates_nobody(
        portal in portal(),
        people in organisation(),
        chosen in prop::option::of(choice()),
        recognise: bool,
    ) {
        let (mut portal, people) = (portal.portal(), employees_of(&people));
        let first = portal.plan(&people, chosen.as_ref());
        portal.apply(&first, recognise);
        let again = portal.plan(&people, chosen.as_ref());
        for (before, after) in first.people.iter().zip(&again.people) {
            // For everybody else it is as it was.
            let expected = match before.decision {
                Decision::Create => &Decision::AlreadyUser(user_id(&before.email)),
                _ => &before.decision,
            };
            prop_assert!(after.decision == *expected, "{:?}", before.employee_id);
        }
        prop_assert_eq!(first.people.len(), again.people.len());
    }

    #[test]
    fn the_order_of_xeros_pages_does_not_matter(
        portal in portal(),
        (people, shuffled) in shuffled(),
    ) {
        let portal = portal.portal();
        let (people, shuffled) = (employees_of(&people), employees_of(&shuffled));
        prop_assert!(portal.plan(&people, None) == portal.plan(&shuffled, None));
    }

    #[test]
    fn a_choice_touches_nobody_else(
        portal in portal(),
        people in organisation(),
        chosen in choice(),
    ) {
        let (mut portal, people) = (portal.portal(), employees_of(&people));
        let everybody: BTreeMap<_, _> = Staff::new(people.clone())
            .plan(&portal.known(), u32::MAX, None)
            .people
            .into_iter()
            .map(|person| (person.employee_id, person.decision))
            .collect();
        let plan = portal.plan(&people, Some(&chosen));
        let planned: Vec<_> = plan.people.iter().filter_map(|it| it.employee_id).collect();
        prop_assert_eq!(&planned, &Vec::from_iter(chosen.iter().copied()));
        prop_assert_eq!(plan.people.len(), planned.len());
        for person in &plan.people {
            match everybody.get(&person.employee_id) {
                Some(Decision::Create) => prop_assert!(
                    matches!(person.decision, Decision::Create | Decision::NoPlace)
                ),
                Some(decision) => prop_assert!(person.decision == *decision),
                None => prop_assert_eq!(codes(person), [ProblemCode::EmployeeNotFound]),
            }
        }
        prop_assert!(portal.apply(&plan, true).iter().all(|id| chosen.contains(id)));
    }

    #[test]
    fn the_report_has_everybody_once_and_says_what_the_counts_say(
        portal in portal(),
        people in organisation(),
        instead in prop::collection::hash_map(0..12u32, any::<bool>(), 0..4usize),
    ) {
        let (portal, people) = (portal.portal(), employees_of(&people));
        let plan = portal.plan(&people, None);
        let instead: HashMap<_, _> = instead
            .into_iter()
            .map(|(number, place)| match place {
                true => (id(number), Instead::NoPlace),
                false => (id(number), Instead::AlreadyUser(user_id("somebody"))),
            })
            .collect();
        let came_out = created(&plan)
            .into_iter()
            .filter(|it| !it.employee_id.is_some_and(|id| instead.contains_key(&id)))
            .count();
        let total = plan.people.len() as u64;
        let report = ImportReport::new(plan, &instead);
        let counts = report.counts();
        prop_assert_eq!(counts.created, came_out as u64);
        prop_assert_eq!(counts.total, total);
        prop_assert_eq!(counts.created + counts.unchanged + counts.not_processed, total);
        let lines = records(&report.report());
        let of = |outcome: &str| lines.iter().filter(|line| &line[2] == outcome).count() as u64;
        prop_assert_eq!(of("created"), counts.created);
        prop_assert_eq!(of("not_processed"), counts.not_processed);
        prop_assert_eq!(lines.len() as u64, counts.created + counts.not_processed);
        prop_assert_eq!(records(&report.rejected()).len() as u64, counts.not_processed);
        for cell in lines.iter().flatten() {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']));
        }
    }
}
