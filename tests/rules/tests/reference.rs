//! Random portals, mappings and sequences of files, fed to the real plan and to the reference model: people,
//! versions, learning, report lines and counts must be the same, after every step. Whatever this has found
//! stands below as a case of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

use mapping::fields::{FieldCatalogue, Status};
use mapping::group::{Group, Groups};
use mapping::identity::{EmailKey, Identity, PortalId, UserId, check_email};
use mapping::mapping::{FieldDraft, Mapping, MappingDraft};
use mapping::plan::{Counts, Exceptions, Limits};
use mapping::role::{Role, Roles};
use mapping::user::User;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rules::portal::{Portal, Stored, Upload};
use rules::reference::{self as plain, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// More than the fast test promises; each is a portal's life of up to five files.
const CASES: u32 = 12_000;

/// The same portals every time, so that a change is what turns the test red. Others: `RULES_SEED`.
const SEED: u64 = 20_261_123;

fn portal_id() -> PortalId {
    "1001".parse().unwrap()
}

// ---------------------------------------------------------------- What is generated

/// A person that is there before the first file.
#[derive(Clone, Debug)]
struct Before {
    address: u8,
    name: u8,
    external: Option<u8>,
    active: bool,
    roles: u8,
    feed_managed: bool,
}

/// Which columns are mapped; address and names always are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Columns {
    external: bool,
    status: bool,
    role: bool,
    group: bool,
    manager: bool,
    job: bool,
    clear: bool,
    auto_disable: bool,
}

#[derive(Clone, Debug)]
struct RowCase {
    address: u8,
    name: u8,
    external: u8,
    status: u8,
    role: u8,
    group: u8,
    managers: Vec<u8>,
    job: u8,
    /// 0 and 1 spoil the row's width, 2 its address, 3 its external id, 4 blanks it.
    spoil: u8,
}

#[derive(Clone, Debug)]
enum Step {
    File {
        rows: Vec<RowCase>,
        rehearsal: bool,
    },
    Map(Columns),
    /// Somebody is changed in the portal: who, and what.
    Change(u8, u8),
    /// Maybe after such a change.
    Approve(Option<(u8, u8)>),
    Reject,
}

#[derive(Clone, Debug)]
struct Case {
    people: Vec<Before>,
    authorised_by: Option<u8>,
    percent: u8,
    floor: u8,
    hold_on_malformed_rows: bool,
    baseline: Option<u64>,
    elsewhere: Vec<u8>,
    columns: Columns,
    steps: Vec<Step>,
}

/// Few, so that rows meet one another.
const PEOPLE: u8 = 7;

fn address(number: u8) -> String {
    let name = (b'a' + number % PEOPLE) as char;
    // The same address may be spelled otherwise.
    match number / PEOPLE {
        0 | 1 => format!("{name}@x.example"),
        _ => format!("{}@X.example", name.to_ascii_uppercase()),
    }
}

fn external(number: u8) -> String {
    format!("E{}", number % PEOPLE)
}

fn names(number: u8) -> (&'static str, &'static str) {
    let first = ["Ann", "Bo", "ann", "Çağ"][usize::from(number % 4)];
    (first, ["Lee", "Li"][usize::from(number / 4 % 2)])
}

const ROLES: [&str; 8] = [
    "",
    "",
    "Learner",
    "administrator",
    "Manager | Learner",
    "Administrator|Content administrator",
    "Manager",
    "Boss",
];
const GROUPS: [&str; 6] = ["", "7", "8|7", "9|7|x", "8", "007"];
const JOBS: [&str; 3] = ["", "Cook", "Clerk"];

fn columns() -> impl Strategy<Value = Columns> {
    let six = any::<[bool; 6]>();
    (six, any::<bool>(), 0..4u8).prop_map(
        |([external, role, group, manager, job, clear], status, auto_disable)| {
            let auto_disable = auto_disable > 0;
            Columns {
                external,
                // Only one of them can decide who is active.
                status: status && !auto_disable,
                role,
                group,
                manager,
                job,
                clear,
                auto_disable,
            }
        },
    )
}

prop_compose! {
    fn row()(
        address in 0..3 * PEOPLE, name in 0..8u8, external in 0..PEOPLE, status in 0..7u8, role in 0..8u8,
        group in 0..6u8, managers in proptest::collection::vec(0..3 * PEOPLE + 1, 0..3), job in 0..3u8, spoil in 0..40u8,
        aligned in 0..4u8,
    ) -> RowCase {
        // Mostly the same address goes with the same external id, so that people stay who they are.
        let external = if aligned > 0 { address % PEOPLE } else { external };
        RowCase { address, name, external, status, role, group, managers, job, spoil }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let rows = proptest::collection::vec(row(), 1..9);
    prop_oneof![
        8 => (rows, 0..8u8).prop_map(|(rows, rehearsal)| Step::File { rows, rehearsal: rehearsal == 0 }),
        1 => columns().prop_map(Step::Map),
        3 => (0..20u8, 0..8u8).prop_map(|(who, what)| Step::Change(who, what)),
        4 => proptest::option::of((0..8u8, 0..8u8)).prop_map(Step::Approve),
        1 => Just(Step::Reject),
    ]
}

prop_compose! {
    fn before()(
        address in 0..PEOPLE, name in 0..8u8, external in proptest::option::of(0..PEOPLE), active in 0..4u8,
        roles in 0..7u8, feed_managed in 0..4u8,
    ) -> Before {
        Before { address, name, external, active: active > 0, roles, feed_managed: feed_managed > 0 }
    }
}

prop_compose! {
    fn case()(
        people in proptest::collection::vec(before(), 0..6), authorised_by in proptest::option::of(0..PEOPLE),
        percent in prop_oneof![Just(0u8), Just(10), Just(50), Just(100)], floor in 0..5u8,
        hold_on_malformed_rows in any::<bool>(), baseline in proptest::option::of(10..30u64),
        elsewhere in proptest::collection::vec(0..PEOPLE, 0..3), columns in columns(),
        steps in proptest::collection::vec(step(), 3..9),
    ) -> Case {
        Case { people, authorised_by, percent, floor, hold_on_malformed_rows, baseline, elsewhere, columns, steps }
    }
}

// ---------------------------------------------------------------- Both worlds

/// The same portal twice.
struct Worlds {
    real: Portal,
    plain: World,
    columns: Columns,
    files: u32,
    met: Vec<String>,
}

const CLASSES: [(u64, &[u64]); 2] = [(7, &[70, 71]), (8, &[71, 80])];

fn plain_id(kind: &str, value: &str, n: u32) -> String {
    let identity = match kind {
        "email" => Identity::Email(value),
        _ => Identity::External(value),
    };
    UserId::of(portal_id(), &identity, n).to_string()
}

impl Worlds {
    fn new(case: &Case) -> Self {
        let mut real = Portal::new(portal_id());
        let mut plain = World {
            names: plain::Names {
                user_id: plain_id,
                email_key: |address| EmailKey::of(address).as_str().to_owned(),
                is_email: |text| check_email(text).is_ok(),
            },
            people: BTreeMap::new(),
            authorised_by: case.authorised_by.map(address),
            percent: case.percent.into(),
            floor: case.floor.into(),
            hold_on_malformed_rows: case.hold_on_malformed_rows,
            groups: CLASSES.map(|(id, learning)| (id, learning.to_vec())).into(),
            assignments: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            baseline: case.baseline,
            hold: None,
        };
        real.authorised_by = case.authorised_by.map(address);
        real.limits = Limits {
            disable_limit_percent: case.percent,
            disable_limit_floor: case.floor.into(),
            hold_on_malformed_rows: case.hold_on_malformed_rows,
        };
        real.baseline_rows = case.baseline;
        for number in &case.elsewhere {
            real.elsewhere.insert(EmailKey::of(&address(*number)));
            plain.elsewhere.insert(address(*number));
        }
        let (mut addresses, mut externals) = (BTreeSet::new(), BTreeSet::new());
        for before in &case.people {
            let external_id = before.external.map(external);
            let is_new = addresses.insert(before.address)
                && external_id.clone().is_none_or(|id| externals.insert(id));
            if is_new {
                let user_id =
                    UserId::of(portal_id(), &Identity::Email(&address(before.address)), 0);
                real.users.insert(user_id, stored(before, external_id));
            }
        }
        plain.people = people(&real);
        Worlds {
            real,
            plain,
            columns: case.columns,
            files: 0,
            met: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::File { rows, rehearsal } => self.file(rows, *rehearsal),
            Step::Map(columns) => {
                self.columns = *columns;
                // A new mapping ends a hold; that is the shell's, so here it is done by hand.
                self.real.hold = None;
                self.plain.hold = None;
            }
            Step::Change(who, what) => self.change(*who, *what),
            Step::Approve(change) => {
                if let Some((who, what)) = change {
                    self.change(*who, *what);
                }
                let was_open = self.plain.hold.is_some();
                let expected = self.plain.approve();
                let upload = self.real.approve().unwrap();
                assert_eq!(upload.is_some(), was_open, "whether something is held");
                if let Some(upload) = upload {
                    compare_upload(&upload, upload.counts, &expected);
                    self.note(&expected);
                }
            }
            Step::Reject => {
                self.real.hold = None;
                self.plain.reject();
            }
        }
        assert_eq!(
            self.real.hold.is_some(),
            self.plain.hold.is_some(),
            "open hold"
        );
        assert_eq!(self.real.baseline_rows, self.plain.baseline, "baseline");
        assert_eq!(people(&self.real), self.plain.people);
        let assigned = self.real.assignments.iter();
        let assigned: BTreeSet<_> = assigned.map(|(id, it)| (id.to_string(), *it)).collect();
        assert_eq!(assigned, self.plain.assignments);
    }

    fn file(&mut self, rows: &[RowCase], rehearsal: bool) {
        self.files += 1;
        let upload_id = format!("U{}", self.files);
        let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
        let expected = self.plain.drop_file(
            &plain_mapping(self.columns),
            &plain::File {
                upload_id: upload_id.clone(),
                columns: HEADER.len(),
                rows: cells.clone(),
                rehearsal,
            },
        );
        let mapping = real_mapping(self.columns);
        let file = bytes(&cells);
        if cells.iter().flatten().all(|cell| cell.trim().is_empty()) {
            // Nothing below the header: refused as a whole.
            return;
        }
        let upload = self
            .real
            .drop_file(&mapping, &upload_id, &file, rehearsal)
            .unwrap();
        let again = upload.plan.encode().unwrap();
        assert_eq!(mapping::plan::Plan::decode(&again).unwrap(), upload.plan);
        compare_upload(&upload, upload.plan.counts(&Exceptions::new()), &expected);
        let reason = upload.plan.hold.map(|reason| reason.code().as_str());
        assert_eq!(reason, expected.held_reason);
        self.note(&expected);
        if !rehearsal {
            self.nothing_more_happens(&mapping, &file);
        }
    }

    fn note(&mut self, outcome: &plain::Outcome) {
        let lines = outcome.lines.iter();
        self.met
            .extend(lines.map(|line| format!("{} {}", line.outcome, line.code)));
    }

    /// The same file again would change nobody whom it has changed already.
    fn nothing_more_happens(&self, mapping: &Mapping, file: &[u8]) {
        let mut again = self.real.clone();
        // Who is named as a manager or has moved may let in somebody who was refused before, once.
        for _ in 0..8 {
            let before = people(&again);
            again.drop_file(mapping, "again", file, false).unwrap();
            if people(&again) == before {
                return;
            }
        }
        panic!("the same file changes people again and again");
    }

    fn change(&mut self, who: u8, what: u8) {
        let Some(user_id) = self.real.users.keys().nth(usize::from(who)).copied() else {
            return;
        };
        let free = (0..PEOPLE).map(address).find(|free| {
            let taken = |it: &Stored| EmailKey::of(&it.user.email) == EmailKey::of(free);
            !self.real.users.values().any(taken)
        });
        let change = move |user: &mut User| match what {
            0 => user.status = Status::Inactive,
            1 => user.status = Status::Active,
            2 => user.roles = Roles::NONE.with(Role::Learner),
            3 => user.roles = user.roles.with(Role::Administrator),
            4 => user.first_name = "Portal".to_owned(),
            5 => user.group_ids = [8].into(),
            6 => user.manager_ids.clear(),
            _ => {
                if let Some(free) = free {
                    user.email = free;
                }
            }
        };
        self.real.change(user_id, |user| {
            change(user);
            user.feed_roles = user
                .roles
                .iter()
                .filter(|it| user.feed_roles.contains(*it))
                .collect();
        });
        let after = plain_person(&self.real.users[&user_id]);
        self.plain.change(&user_id.to_string(), |person| {
            let version = person.version;
            *person = after;
            person.version = version;
        });
    }
}

fn stored(before: &Before, external_id: Option<String>) -> Stored {
    let (first_name, last_name) = names(before.name);
    let roles: Roles = ROLES[usize::from(before.roles)]
        .split('|')
        .filter_map(|part| Role::named(part.trim()))
        .collect();
    Stored {
        user: User {
            email: address(before.address),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            external_id,
            status: if before.active {
                Status::Active
            } else {
                Status::Inactive
            },
            roles,
            feed_roles: Roles::NONE,
            group_ids: BTreeSet::new(),
            manager_ids: BTreeSet::new(),
            custom: BTreeMap::new(),
            feed_managed: before.feed_managed,
            manager_granted: false,
            disabled_by_upload: None,
            fingerprint: None,
        },
        version: 1,
    }
}

fn people(portal: &Portal) -> BTreeMap<String, plain::Person> {
    let users = portal.users.iter();
    users
        .map(|(id, stored)| (id.to_string(), plain_person(stored)))
        .collect()
}

fn plain_person(Stored { user, version }: &Stored) -> plain::Person {
    let spelled = |roles: Roles| roles.iter().map(|role| role.as_str().to_owned()).collect();
    plain::Person {
        email: user.email.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        external_id: user.external_id.clone(),
        active: user.status == Status::Active,
        roles: spelled(user.roles),
        feed_roles: spelled(user.feed_roles),
        group_ids: user.group_ids.clone(),
        manager_ids: user.manager_ids.iter().map(ToString::to_string).collect(),
        custom: user
            .custom
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .collect(),
        feed_managed: user.feed_managed,
        manager_granted: user.manager_granted,
        disabled_by_upload: user.disabled_by_upload.clone(),
        version: *version,
    }
}

// ---------------------------------------------------------------- Files and mappings

const HEADER: [&str; 9] = [
    "Mail", "First", "Last", "No", "Status", "Role", "Group", "Boss", "Job",
];

fn cells(row: &RowCase) -> Vec<String> {
    let (first, last) = names(row.name);
    let managers: Vec<String> = row
        .managers
        .iter()
        .map(|number| match number {
            0 => "nobody@x.example".to_owned(),
            number => address(number - 1),
        })
        .collect();
    let mut cells = vec![
        address(row.address),
        first.to_owned(),
        last.to_owned(),
        external(row.external),
        ["", "1", "0", "1", "0", "1", "x"][usize::from(row.status)].to_owned(),
        ROLES[usize::from(row.role)].to_owned(),
        GROUPS[usize::from(row.group)].to_owned(),
        managers.join("|"),
        JOBS[usize::from(row.job)].to_owned(),
    ];
    match row.spoil {
        0 => cells.truncate(5),
        1 => cells.push("more".to_owned()),
        2 => cells[0] = "nobody".to_owned(),
        3 => cells[3].clear(),
        4 => cells.iter_mut().for_each(String::clear),
        _ => {}
    }
    cells
}

fn bytes(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(Vec::new());
    writer.write_record(HEADER).unwrap();
    rows.iter()
        .for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

fn real_mapping(columns: Columns) -> Mapping {
    let mut fields = vec![("email", 0), ("first_name", 1), ("last_name", 2)];
    let optional = [
        (columns.external, "external_id", 3),
        (columns.status, "status", 4),
        (columns.role, "role", 5),
        (columns.group, "group", 6),
        (columns.manager, "manager", 7),
        (columns.job, "job", 8),
    ];
    let mapped = optional.iter().filter(|(mapped, ..)| *mapped);
    fields.extend(mapped.map(|(_, field, column)| (*field, *column)));
    let clears = |field: &str| field == "job" && columns.clear;
    let draft = MappingDraft {
        columns: Vec::new(),
        fields: fields
            .into_iter()
            .map(|(field, column)| FieldDraft {
                field: field.to_owned(),
                column: HEADER[column].to_owned(),
                on_empty: clears(field).then(|| "clear".to_owned()),
            })
            .collect(),
        identity: if columns.external {
            "external_id"
        } else {
            "email"
        }
        .to_owned(),
        auto_disable: columns.auto_disable,
    };
    let groups = CLASSES.map(|(id, learning)| Group {
        id,
        learning_ids: learning.to_vec(),
    });
    let catalogue = FieldCatalogue {
        custom: vec!["job".parse().unwrap()],
        groups: Groups::new(groups.into()),
        external_id: true,
    };
    Mapping::check(&draft, &catalogue).unwrap()
}

fn plain_mapping(columns: Columns) -> plain::Mapping {
    use plain::Field;
    let optional = [
        (columns.external, Field::ExternalId, 3),
        (columns.status, Field::Status, 4),
        (columns.role, Field::Role, 5),
        (columns.group, Field::Group, 6),
        (columns.manager, Field::Manager, 7),
    ];
    let mut fields = vec![
        (Field::Email, 0, false),
        (Field::FirstName, 1, false),
        (Field::LastName, 2, false),
    ];
    let mapped = optional.into_iter().filter(|(mapped, ..)| *mapped);
    fields.extend(mapped.map(|(_, field, column)| (field, column, false)));
    if columns.job {
        fields.push((Field::Custom("job".to_owned()), 8, columns.clear));
    }
    plain::Mapping {
        fields,
        by_external_id: columns.external,
        auto_disable: columns.auto_disable,
    }
}

// ---------------------------------------------------------------- What is compared

fn compare_upload(upload: &Upload, counts: Counts, expected: &plain::Outcome) {
    let plain::Counts {
        total,
        created,
        updated,
        unchanged,
        disabled,
        enabled,
        not_processed,
        others_disabled,
        others_updated,
        warnings,
        held_disables,
        held_creates,
    } = expected.counts.clone();
    let rows = mapping::plan::RowCounts {
        total,
        created,
        updated,
        unchanged,
        disabled,
        enabled,
        not_processed,
    };
    assert_eq!(lines(&upload.report), expected_lines(expected));
    let others = mapping::plan::Others {
        disabled: others_disabled,
        updated: others_updated,
    };
    assert_eq!(
        (counts.rows, counts.others, counts.warnings),
        (rows, others, warnings)
    );
    assert_eq!(
        total,
        created + updated + unchanged + disabled + enabled + not_processed
    );
    assert_eq!(
        (counts.held_disables, counts.held_creates),
        (held_disables, held_creates)
    );
    let rejected = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(&upload.rejected[..])
        .records()
        .count();
    assert_eq!(rejected as u64, not_processed, "rows of rejected.csv");
}

type Line = (String, String, String, String);

fn lines(report: &[u8]) -> Vec<Line> {
    let mut reader = csv::Reader::from_reader(report);
    let mut lines: Vec<Line> = reader
        .records()
        .map(|line| {
            let line = line.unwrap();
            let cell = |index: usize| line[index].to_owned();
            (cell(0), cell(1), cell(2), cell(3))
        })
        .collect();
    lines.sort();
    lines
}

fn expected_lines(expected: &plain::Outcome) -> Vec<Line> {
    let mut lines: Vec<Line> = expected
        .lines
        .iter()
        .map(|line| {
            let row = line.row.map(|row| row.to_string()).unwrap_or_default();
            (
                row,
                line.identity.clone(),
                line.outcome.to_owned(),
                line.code.to_owned(),
            )
        })
        .collect();
    lines.sort();
    lines
}

/// A portal's life; outcome and code of every line that was reported.
fn run(case: &Case) -> Vec<String> {
    let mut worlds = Worlds::new(case);
    for step in &case.steps {
        worlds.step(step);
    }
    worlds.met
}

/// A row that says nothing but an address and a name.
fn plain_row(address: u8) -> RowCase {
    RowCase {
        address,
        name: 0,
        external: address % PEOPLE,
        status: 0,
        role: 0,
        group: 0,
        managers: Vec::new(),
        job: 0,
        spoil: 5,
    }
}

fn file_of(rows: Vec<RowCase>) -> Step {
    Step::File {
        rows,
        rehearsal: false,
    }
}

/// A portal that is fed by address and disables who is missing, until its mapping changes.
fn portal_case(steps: Vec<Step>) -> Case {
    Case {
        people: Vec::new(),
        authorised_by: None,
        percent: 0,
        floor: 0,
        hold_on_malformed_rows: false,
        baseline: None,
        elsewhere: Vec::new(),
        columns: BY_ADDRESS,
        steps,
    }
}

const BY_ADDRESS: Columns = Columns {
    external: false,
    status: false,
    role: false,
    group: false,
    manager: false,
    job: false,
    clear: false,
    auto_disable: true,
};

/// A blank status stores the fingerprint that a row has without one, and keeps the status.
#[test]
fn who_was_missing_comes_back_when_status_is_not_mapped_any_more() {
    let everybody = || (0..6).map(plain_row).collect::<Vec<_>>();
    let with_status = Columns {
        status: true,
        auto_disable: false,
        ..BY_ADDRESS
    };
    let lines = run(&Case {
        floor: 4,
        ..portal_case(vec![
            file_of(everybody()),
            file_of((0..4).map(plain_row).collect()),
            Step::Map(with_status),
            file_of(everybody()),
            Step::Map(BY_ADDRESS),
            file_of(everybody()),
        ])
    });
    let times = |line: &str| lines.iter().filter(|met| *met == line).count();
    assert_eq!((times("disabled "), times("enabled ")), (2, 2));
}

/// Every row wants an address that is somebody else's: the file says nothing about who is there.
#[test]
fn a_file_of_which_every_row_is_refused_disables_nobody() {
    let by_number = Columns {
        external: true,
        ..BY_ADDRESS
    };
    let numbered = |address: u8, external: u8| RowCase {
        external,
        ..plain_row(address)
    };
    let lines = run(&Case {
        columns: by_number,
        floor: 4,
        ..portal_case(vec![
            file_of(vec![numbered(0, 0), numbered(1, 1)]),
            file_of(vec![numbered(0, 5), numbered(1, 6)]),
        ])
    });
    assert_eq!(
        lines,
        [
            "created ",
            "created ",
            "not_processed email_taken",
            "not_processed email_taken"
        ]
    );
}

/// A conflicting row's person counts as present by the address, having no external id yet.
#[test]
fn who_is_named_in_a_conflicting_row_alone_is_not_missing() {
    let by_number = Columns {
        external: true,
        ..BY_ADDRESS
    };
    let other = RowCase {
        external: 2,
        ..plain_row(3)
    };
    let lines = run(&Case {
        floor: 4,
        ..portal_case(vec![
            file_of(vec![plain_row(3)]),
            Step::Map(by_number),
            file_of(vec![plain_row(2), other]),
        ])
    });
    assert_eq!(
        lines,
        ["created ", "created ", "not_processed conflicting_row"]
    );
}

/// Row 2 was accepted when the file was held, and its address is somebody else's when the hold is approved.
#[test]
fn what_was_held_and_approved_happens_although_no_row_is_accepted_any_more() {
    let by_number = Columns {
        external: true,
        ..BY_ADDRESS
    };
    let before = |address, active: bool| Before {
        address,
        name: 0,
        external: (!active).then_some(2),
        active,
        roles: 0,
        feed_managed: active,
    };
    let lines = run(&Case {
        people: vec![before(0, false), before(5, true)],
        columns: by_number,
        ..portal_case(vec![
            file_of(vec![RowCase {
                external: 0,
                ..plain_row(1)
            }]),
            // Somebody in the portal takes the first address that is free.
            Step::Approve(Some((1, 7))),
        ])
    });
    assert_eq!(
        lines,
        [
            "held identity_changed",
            "held identity_changed",
            "disabled ",
            "not_processed email_taken"
        ]
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how a person asks for more")]
fn the_plan_and_the_rules_written_plainly_come_to_the_same() {
    let number = |name| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let cases = number("RULES_CASES").and_then(|cases| cases.try_into().ok());
    let config = ProptestConfig {
        cases: cases.unwrap_or(CASES),
        rng_seed: RngSeed::Fixed(number("RULES_SEED").unwrap_or(SEED)),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let met = Mutex::new(BTreeMap::<String, u32>::new());
    proptest!(config, |(case in case())| {
        let lines = run(&case);
        let mut met = met.lock().unwrap();
        lines.into_iter().for_each(|line| *met.entry(line).or_default() += 1);
    });
    // What is never met is not compared.
    let met = met.into_inner().unwrap();
    for line in MET {
        assert!(
            met.get(line).is_some_and(|times| *times >= 20),
            "{line}: {met:?}"
        );
    }
}

/// Outcomes and codes that the generated files come to, each many times.
const MET: [&str; 24] = [
    "created ",
    "updated ",
    "enabled ",
    "disabled ",
    "held too_many_disables",
    "held too_few_rows",
    "held too_many_not_processed",
    "held malformed_rows",
    "held identity_changed",
    "not_processed wrong_field_count",
    "not_processed missing_value",
    "not_processed invalid_email",
    "not_processed invalid_status",
    "not_processed unknown_role",
    "not_processed conflicting_row",
    "not_processed email_taken",
    "warning duplicate_row",
    "warning email_shared_with_other_portal",
    "warning group_not_found",
    "warning manager_not_found",
    "warning manager_self",
    "warning manager_loop",
    "warning protected_user",
    "warning changed_meanwhile",
];
