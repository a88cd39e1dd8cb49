//! What must hold whatever bytes come: a file of any bytes is fed to a portal in memory, and everything that can
//! be said of it without knowing the rules is asserted. `fuzz/` looks for bytes for which it does not hold, and
//! `tests/corpus.rs` asks it of every file that was found. What the rules say is not asked here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a property that does not hold is told by a panic"
)]

use crate::portal::{Portal, Refused, Stored, Upload};
use mapping::fields::{FieldCatalogue, Status};
use mapping::file::{FEED_PROBLEM_COLUMN, FileReader, Header, Row};
use mapping::group::{Group, Groups};
use mapping::identity::{EmailKey, Identity, PortalId, UserId};
use mapping::mapping::{FieldDraft, Mapping, MappingDraft, column_key};
use mapping::plan::{Applied, Counts, Exceptions, Limits, Plan};
use mapping::problem::{Problem, ProblemCode};
use mapping::report::{REPORT_COLUMNS, Reporter, SHOWN_PROBLEMS, rejection};
use mapping::role::{Role, Roles};
use mapping::scan::{Scan, Scanner};
use mapping::user::User;
use std::collections::{BTreeMap, BTreeSet};

/// How many bytes choose what the file meets; the rest is the file.
pub const CHOICES: usize = 3;

/// Who is named as a manager or has moved may let in somebody who was refused before, once.
const REPETITIONS: u32 = 8;

/// Asserts of `data` everything that must hold. Its first bytes choose mapping, portal and where the file is cut
/// (see `Choices`). Answers with outcome and code of everything that was reported, so that it can be told
/// whether a set of files meets much.
///
/// # Panics
///
/// Something does not hold.
pub fn check(data: &[u8]) -> BTreeSet<String> {
    let (choices, file) = data.split_at(data.len().min(CHOICES));
    let choices = Choices::of(choices);
    let mapping = choices.mapping();
    let mut life = Life {
        portal: choices.portal(),
        mapping: &mapping,
        file,
        chunk: choices.chunk,
        met: BTreeSet::new(),
    };
    life.live();
    life.met
}

// ---------------------------------------------------------------- What the first bytes choose

/// What a file meets.
struct Choices {
    /// A bit for each of identity by external id, status, role, group, manager, job, clear, auto-disable.
    columns: u8,
    /// The portal's settings.
    settings: u8,
    /// How many bytes come at once.
    chunk: usize,
}

impl Choices {
    fn of(bytes: &[u8]) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        Choices {
            columns: byte(0),
            settings: byte(1),
            chunk: usize::from(byte(2)).max(1),
        }
    }

    fn mapping(&self) -> Mapping {
        let maps = |bit: u8| self.columns & (1 << bit) != 0;
        let (external, clear, auto_disable) = (maps(0), maps(6), maps(7));
        // One column may feed several fields.
        let job = ["Job", "First"][usize::from(self.settings >> 7)];
        let field = |field: &str, column: &str| FieldDraft {
            field: field.to_owned(),
            column: column.to_owned(),
            on_empty: (field == "job" && clear).then(|| "clear".to_owned()),
        };
        let required = [
            field("email", "Mail"),
            field("first_name", "First"),
            field("last_name", "Last"),
        ];
        let optional = [
            (external, field("external_id", "No")),
            // Only one of them can decide who is active.
            (maps(1) && !auto_disable, field("status", "Status")),
            (maps(2), field("role", "Role")),
            (maps(3), field("group", "Group")),
            (maps(4), field("manager", "Boss")),
            (maps(5), field("job", job)),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(mapped, field)| mapped.then_some(field));
        let draft = MappingDraft {
            columns: Vec::new(),
            fields: required.into_iter().chain(optional).collect(),
            identity: if external { "external_id" } else { "email" }.to_owned(),
            auto_disable,
        };
        let group = |id, learning_ids: &[u64]| Group {
            id,
            learning_ids: learning_ids.to_vec(),
        };
        let catalogue = FieldCatalogue {
            custom: vec!["job".parse().unwrap()],
            groups: Groups::new(vec![group(7, &[70, 71]), group(8, &[71, 80])]),
            external_id: true,
        };
        Mapping::check(&draft, &catalogue).unwrap()
    }

    fn portal(&self) -> Portal {
        let bit = |bit: u8| self.settings & (1 << bit) != 0;
        let mut portal = Portal::new(portal_id());
        let (percent, floor) = [(10, 20), (0, 0), (10, 1), (50, 2)][usize::from(self.settings & 3)];
        portal.limits = Limits {
            disable_limit_percent: percent,
            disable_limit_floor: floor,
            hold_on_malformed_rows: bit(2),
        };
        portal.authorised_by = bit(3).then(|| ["b@x.y", "A@X.y"][usize::from(bit(4))].to_owned());
        if bit(5) {
            portal.elsewhere.insert(EmailKey::of("b@x.y"));
        }
        portal.baseline_rows = bit(6).then_some(24);
        portal.users = people();
        portal
    }
}

fn portal_id() -> PortalId {
    "1001".parse().unwrap()
}

fn user_id(address: &str) -> UserId {
    UserId::of(portal_id(), &Identity::Email(address), 0)
}

/// Who is there before the file: one of each kind that rows can meet.
fn people() -> BTreeMap<UserId, Stored> {
    let person = |address: &str, first: &str, last: &str, external: Option<&str>| User {
        email: address.to_owned(),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        external_id: external.map(str::to_owned),
        status: Status::Active,
        roles: Roles::NONE.with(Role::Learner),
        feed_roles: Roles::NONE,
        group_ids: BTreeSet::new(),
        manager_ids: BTreeSet::new(),
        custom: BTreeMap::new(),
        feed_managed: true,
        manager_granted: false,
        disabled_by_upload: None,
        fingerprint: None,
    };
    let administrator = Roles::NONE.with(Role::Administrator);
    let people = [
        User {
            roles: administrator.with(Role::Learner),
            feed_roles: administrator,
            ..person("a@x.y", "Ann", "Lee", Some("E1"))
        },
        User {
            manager_ids: [user_id("a@x.y")].into(),
            group_ids: [7].into(),
            ..person("b@x.y", "Bo", "Li", Some("E2"))
        },
        person("c@x.y", "Çağ", "Lee", None),
        // Comes back if a file has them.
        User {
            status: Status::Inactive,
            disabled_by_upload: Some("U0".to_owned()),
            ..person("d@x.y", "Ann", "Lee", Some("E4"))
        },
        // Does not.
        User {
            status: Status::Inactive,
            ..person("E@x.y", "Eve", "Li", Some("E5"))
        },
        User {
            feed_managed: false,
            roles: administrator,
            status: Status::Inactive,
            ..person("ö@x.y", "Fi", "Lo", None)
        },
        User {
            roles: Roles::NONE.with(Role::Manager),
            manager_granted: true,
            custom: [("job".parse().unwrap(), "Cook".to_owned())].into(),
            ..person("g@x.y", "Gil", "Lo", Some("E7"))
        },
    ];
    people
        .into_iter()
        .map(|user| (user_id(&user.email), Stored { user, version: 1 }))
        .collect()
}

// ---------------------------------------------------------------- What happens

struct Life<'f> {
    portal: Portal,
    mapping: &'f Mapping,
    file: &'f [u8],
    chunk: usize,
    met: BTreeSet<String>,
}

impl Life<'_> {
    fn live(&mut self) {
        let rows = rows(self.mapping, self.file, self.file.len());
        assert_eq!(
            rows,
            self::rows(self.mapping, self.file, self.chunk),
            "rows in chunks of {}",
            self.chunk
        );
        let rows = match rows {
            Ok(rows) => rows,
            Err(problems) => return self.is_refused(&problems),
        };
        rows_are_those_that_csv_reads(self.file, &rows);
        rows_are_numbered_by_line(self.file, &rows);
        let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
        self.scans_alike();

        let mut rehearsal = self.portal.clone();
        let rehearsed = rehearsal
            .drop_file(self.mapping, "U1", self.file, true)
            .unwrap();
        is_as_before(&self.portal, &rehearsal);

        let before = self.portal.clone();
        let upload = self.drop_file("U1", &numbers);
        assert_eq!(upload.plan, rehearsed.plan, "planned twice");
        assert_eq!(upload.report, rehearsed.report, "reported twice");
        self.reports_alike(&upload);
        if let Some(file) = spelled_otherwise(self.file) {
            let plan = before.plan(self.mapping, &file).unwrap();
            assert_eq!(plan, upload.plan, "with a mark, CRLF and quotation marks");
        }
        self.dropped_again_is_refused_again(&before, &upload);

        // With the first hold, and then with the last one.
        if self.portal.hold.is_some() {
            let after_file = self.portal.clone();
            self.approve(&numbers);
            self.comes_to_rest(&numbers);
            // Somebody is changed in the portal while the hold lasts.
            self.portal = after_file.clone();
            let everybody: Vec<UserId> = self.portal.users.keys().copied().collect();
            for user_id in everybody.into_iter().step_by(2) {
                let rename = |user: &mut User| user.last_name = "Changed".to_owned();
                self.portal.change(user_id, rename);
            }
            self.approve(&numbers);
            self.portal = after_file;
        }
        self.comes_to_rest(&numbers);
        let before = self.portal.clone();
        self.portal
            .drop_file(self.mapping, "U3", self.file, true)
            .unwrap();
        is_as_before(&before, &self.portal);
        if self.portal.hold.is_some() {
            self.approve(&numbers);
            self.comes_to_rest(&numbers);
        }
    }

    /// The file is refused, which changes nobody and is reported.
    fn is_refused(&mut self, problems: &[Problem]) {
        assert!(!problems.is_empty(), "refused without a reason");
        let before = self.portal.clone();
        match self.portal.drop_file(self.mapping, "U1", self.file, false) {
            Err(Refused::File(same)) => assert_eq!(same, problems),
            Err(Refused::Plan(failed)) => panic!("{failed}"),
            Ok(_) => panic!("refused as bytes, and planned"),
        }
        is_as_before(&before, &self.portal);
        let lines = lines(&rejection(problems));
        assert_eq!(lines.len(), problems.len());
        assert!(lines.iter().all(|line| line.outcome == "rejected"));
        self.note(&lines);
    }

    /// However the file is cut, the same is kept of it.
    fn scans_alike(&self) {
        let kept = |scan: &Scan| {
            let rows = scan.rows.iter();
            let rows = rows.map(|row| (row.row, row.identity, row.email, row.fingerprint));
            (
                rows.collect::<Vec<_>>(),
                scan.not_accepted,
                scan.needs_names(),
            )
        };
        let scan = |chunk: usize| {
            let mut scanner = Scanner::new(self.mapping);
            for part in self.file.chunks(chunk) {
                scanner.push(part).unwrap();
            }
            kept(&scanner.finish().unwrap())
        };
        assert!(
            scan(self.chunk) == scan(self.file.len()),
            "scanned in chunks of {}",
            self.chunk
        );
    }

    /// The file comes in, and everything that can be said of one file is asserted.
    fn drop_file(&mut self, upload_id: &str, numbers: &[u64]) -> Upload {
        let before = self.portal.clone();
        let upload = self
            .portal
            .drop_file(self.mapping, upload_id, self.file, false)
            .unwrap();
        let lines = lines(&upload.report);
        self.note(&lines);
        is_kept_exactly(&upload.plan);
        assert_eq!(upload.counts.rows.total, numbers.len() as u64, "total");
        partitions_the_file(upload.counts);
        lines_fit_the_file(&lines, numbers);
        lines_fit_the_counts(&lines, upload.counts);
        let held = count(&lines, |line| line.outcome == "held");
        assert_eq!(
            held,
            upload.counts.held_disables + upload.counts.held_creates,
            "held"
        );
        assert_eq!(
            upload.plan.hold.is_some(),
            held > 0,
            "a hold holds somebody"
        );
        rejected_fits(self.file, &upload.rejected, upload.counts);
        is_sound(&before, &self.portal, upload.counts);
        upload
    }

    fn approve(&mut self, numbers: &[u64]) {
        let before = self.portal.clone();
        let upload = self.portal.approve().unwrap().unwrap();
        assert!(self.portal.hold.is_none(), "approved and still held");
        let lines = lines(&upload.report);
        self.note(&lines);
        is_kept_exactly(&upload.plan);
        assert_eq!(upload.counts.rows.total, numbers.len() as u64, "total");
        partitions_the_file(upload.counts);
        lines_fit_the_file(&lines, numbers);
        lines_fit_the_counts(&lines, upload.counts);
        let held = count(&lines, |line| line.outcome == "held");
        assert!(held <= upload.counts.held_disables + upload.counts.held_creates);
        rejected_fits(self.file, &upload.rejected, upload.counts);
        is_sound(
            &before,
            &self.portal,
            upload.plan.counts(&Exceptions::new()),
        );
    }

    /// The same file again and again soon changes nobody any more, and nothing at all.
    fn comes_to_rest(&mut self, numbers: &[u64]) {
        for _ in 0..REPETITIONS {
            let before = versions(&self.portal);
            self.drop_file("U2", numbers);
            if versions(&self.portal) == before {
                let before = self.portal.users.clone();
                self.drop_file("U2", numbers);
                assert!(
                    before == self.portal.users,
                    "something beside the values goes on changing"
                );
                return;
            }
        }
        panic!("the same file changes people again and again");
    }

    /// However the file is cut, the same is reported.
    fn reports_alike(&self, upload: &Upload) {
        let none = Exceptions::new();
        let applied = Applied {
            plan: &upload.plan,
            exceptions: &none,
        };
        let mut reporter = Reporter::new(self.mapping, applied, None);
        let (mut report, mut rejected) = (Vec::new(), Vec::new());
        for part in self.file.chunks(self.chunk) {
            reporter.push(part).unwrap();
            report.append(&mut reporter.take_report());
            rejected.append(&mut reporter.take_rejected());
        }
        reporter.finish().unwrap();
        while reporter.write_others() {}
        report.append(&mut reporter.take_report());
        rejected.append(&mut reporter.take_rejected());
        assert!(report == upload.report, "report.csv by {}", self.chunk);
        assert!(
            rejected == upload.rejected,
            "rejected.csv by {}",
            self.chunk
        );
        let told = upload.counts.warnings + upload.counts.rows.not_processed;
        let shown = reporter.into_problems().len();
        assert_eq!(shown as u64, told.min(SHOWN_PROBLEMS as u64), "shown");
    }

    /// `rejected.csv`, dropped as it is, is a file whose rows are read as before: what was wrong with a row by
    /// itself is wrong again.
    fn dropped_again_is_refused_again(&self, before: &Portal, upload: &Upload) {
        if upload.rejected.is_empty() {
            return;
        }
        let mut portal = before.clone();
        let again = match portal.drop_file(self.mapping, "U9", &upload.rejected, true) {
            Ok(again) => again,
            Err(Refused::Plan(failed)) => panic!("{failed}"),
            Err(Refused::File(problems)) => panic!("rejected.csv is refused: {problems:?}"),
        };
        assert_eq!(
            again.counts.rows.total, upload.counts.rows.not_processed,
            "rows of rejected.csv"
        );
        let by_itself = |report: &[u8]| -> Vec<[String; 4]> {
            let beside_others = [ProblemCode::ConflictingRow, ProblemCode::EmailTaken];
            let beside_others = beside_others.map(ProblemCode::as_str);
            lines(report)
                .into_iter()
                .filter(|line| line.outcome == "not_processed")
                .filter(|line| !beside_others.contains(&line.code.as_str()))
                .map(|line| [line.identity, line.code, line.field, line.value])
                .collect()
        };
        assert_eq!(by_itself(&again.report), by_itself(&upload.report));
    }

    fn note(&mut self, lines: &[Line]) {
        let met = lines.iter();
        self.met
            .extend(met.map(|line| format!("{} {}", line.outcome, line.code)));
    }
}

// ---------------------------------------------------------------- The file

type Rows = Vec<(u64, Vec<String>)>;

/// The rows below the header, and their numbers.
fn rows(mapping: &Mapping, file: &[u8], chunk: usize) -> Result<Rows, Vec<Problem>> {
    let mut reader = FileReader::new(mapping);
    let mut rows = Vec::new();
    let mut each = |_: &Header, row: Row<'_>| {
        rows.push((row.number, row.cells().map(str::to_owned).collect()));
    };
    for part in file.chunks(chunk.max(1)) {
        reader.push(part, &mut each)?;
    }
    reader.finish(&mut each)?;
    Ok(rows)
}

fn is_blank<'c>(cells: impl IntoIterator<Item = &'c str>) -> bool {
    cells.into_iter().all(|cell| cell.trim().is_empty())
}

/// A file whose quotation marks are in order is read alike by `csv`, which is asked here. Rows that are longer
/// than what is kept of them are not compared.
fn rows_are_those_that_csv_reads(file: &[u8], rows: &Rows) {
    if file.len() > 1 << 20 {
        return;
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(file);
    let theirs: Vec<Vec<String>> = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .filter(|cells: &Vec<String>| !is_blank(cells.iter().map(String::as_str)))
        .collect();
    let (_, theirs) = theirs.split_first().expect("a header");
    let ours: Vec<&Vec<String>> = rows.iter().map(|(_, cells)| cells).collect();
    assert_eq!(ours, theirs.iter().collect::<Vec<_>>(), "rows");
}

/// The lines of a file without quotation marks, each of which is a row.
fn plain_lines(file: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(file).expect("accepted, and no UTF-8");
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines = || text.split('\n').map(str::to_owned).collect();
    (!text.contains('"')).then(lines)
}

fn rows_are_numbered_by_line(file: &[u8], rows: &Rows) {
    let Some(lines) = plain_lines(file) else {
        return;
    };
    let numbered = (1..).zip(&lines);
    let numbers: Vec<u64> = numbered
        .filter(|(_, line)| !is_blank(line.split(',')))
        .map(|(number, _)| number)
        .skip(1)
        .collect();
    assert!(
        rows.iter().map(|(number, _)| *number).eq(numbers),
        "numbers of rows"
    );
}

/// The same file as another program would have written it.
fn spelled_otherwise(file: &[u8]) -> Option<Vec<u8>> {
    let quoted = plain_lines(file)?.into_iter().map(|line| {
        let cells: Vec<String> = line.split(',').map(|cell| format!("\"{cell}\"")).collect();
        cells.join(",")
    });
    let text = quoted.collect::<Vec<_>>().join("\r\n");
    Some(format!("\u{FEFF}{text}").into_bytes())
}

// ---------------------------------------------------------------- The plan

fn is_kept_exactly(plan: &Plan) {
    let kept = plan.encode().unwrap();
    let read = Plan::decode(&kept).unwrap();
    assert_eq!(&read, plan, "kept and read again");
    assert_eq!(read.encode().unwrap(), kept);
}

fn partitions_the_file(counts: Counts) {
    let rows = counts.rows;
    let parts = [
        rows.created,
        rows.updated,
        rows.unchanged,
        rows.disabled,
        rows.enabled,
        rows.not_processed,
    ];
    assert_eq!(rows.total, parts.iter().sum::<u64>(), "{counts:?}");
}

// ---------------------------------------------------------------- The reports

/// A line of `report.csv`.
struct Line {
    row: String,
    identity: String,
    outcome: String,
    code: String,
    field: String,
    value: String,
}

/// Cells that a spreadsheet would show, and not run.
fn is_harmless(cell: &str) -> bool {
    !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

fn lines(report: &[u8]) -> Vec<Line> {
    // Not flexible: every line has as many columns as the first.
    let mut reader = csv::Reader::from_reader(report);
    assert_eq!(
        reader.headers().unwrap(),
        &csv::StringRecord::from(&REPORT_COLUMNS[..])
    );
    let lines = reader.records().map(|line| {
        let line = line.unwrap();
        assert!(line.iter().all(is_harmless), "{line:?}");
        let cell = |index: usize| line[index].to_owned();
        Line {
            row: cell(0),
            identity: cell(1),
            outcome: cell(2),
            code: cell(3),
            field: cell(4),
            value: cell(5),
        }
    });
    lines.collect()
}

fn count(lines: &[Line], is: impl Fn(&&Line) -> bool) -> u64 {
    lines.iter().filter(is).count() as u64
}

/// Lines speak of rows that there are, in their order, and then of people without one.
fn lines_fit_the_file(lines: &[Line], numbers: &[u64]) {
    let places: Vec<u64> = lines
        .iter()
        .map(|line| match line.row.as_str() {
            "" => u64::MAX,
            row => row.parse().unwrap(),
        })
        .collect();
    assert!(places.is_sorted(), "order of lines: {places:?}");
    let there = |row: &&u64| **row == u64::MAX || numbers.binary_search(row).is_ok();
    assert_eq!(places.iter().find(|row| !there(row)), None, "no such row");
}

/// In the order in which a row counts once.
const COUNTED: [&str; 5] = ["not_processed", "created", "enabled", "disabled", "updated"];

/// Every row and everybody else counts as the first that fits of what their lines say.
fn lines_fit_the_counts(lines: &[Line], counts: Counts) {
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    let mut said: BTreeSet<[&str; 3]> = BTreeSet::new();
    for line in lines {
        let Some(rank) = COUNTED.iter().position(|it| *it == line.outcome) else {
            assert!(["warning", "held"].contains(&line.outcome.as_str()));
            assert!(!line.code.is_empty(), "without a code");
            continue;
        };
        let is_first = said.insert([&line.row, &line.identity, &line.outcome]);
        assert!(is_first, "{} twice", line.outcome);
        let place = match line.row.as_str() {
            "" => others.entry(&line.identity),
            row => rows.entry(row),
        };
        place.and_modify(|it| *it = rank.min(*it)).or_insert(rank);
    }
    let of = |map: &BTreeMap<&str, usize>| -> [u64; 5] {
        std::array::from_fn(|rank| map.values().filter(|it| **it == rank).count() as u64)
    };
    let expected = counts.rows;
    assert_eq!(
        of(&rows),
        [
            expected.not_processed,
            expected.created,
            expected.enabled,
            expected.disabled,
            expected.updated
        ],
        "lines of {COUNTED:?}"
    );
    let expected = counts.others;
    assert_eq!(
        of(&others),
        [0, 0, 0, expected.disabled, expected.updated],
        "lines of others"
    );
    let warnings = count(lines, |line| line.outcome == "warning");
    assert_eq!(warnings, counts.warnings, "warnings");
}

fn rejected_fits(file: &[u8], rejected: &[u8], counts: Counts) {
    if counts.rows.not_processed == 0 {
        assert!(rejected.is_empty(), "nothing is rejected");
        return;
    }
    let bom = b"\xEF\xBB\xBF";
    assert_eq!(rejected.starts_with(bom), file.starts_with(bom), "mark");
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(rejected);
    let header = reader.headers().unwrap().clone();
    assert!(header.iter().all(is_harmless));
    assert_eq!(
        header.iter().next_back().map(column_key).as_deref(),
        Some(FEED_PROBLEM_COLUMN)
    );
    let mut rows = 0;
    for row in reader.records() {
        let row = row.unwrap();
        assert!(row.iter().all(is_harmless));
        assert!(row.len() >= header.len(), "a row is cut off");
        assert!(!row[header.len() - 1].is_empty(), "without a reason");
        rows += 1;
    }
    assert_eq!(rows, counts.rows.not_processed, "rows of rejected.csv");
}

// ---------------------------------------------------------------- The people

fn versions(portal: &Portal) -> BTreeMap<UserId, u64> {
    let users = portal.users.iter();
    users.map(|(id, stored)| (*id, stored.version)).collect()
}

fn is_as_before(before: &Portal, after: &Portal) {
    assert!(before.users == after.users, "people");
    assert_eq!(before.assignments, after.assignments, "learning");
    assert_eq!(before.baseline_rows, after.baseline_rows, "baseline");
    assert_eq!(before.hold.is_some(), after.hold.is_some(), "hold");
}

/// As many people are changed as the counts say, nobody is lost, and people are as people can be.
fn is_sound(before: &Portal, after: &Portal, counts: Counts) {
    let mut changed = 0;
    for (user_id, stored) in &after.users {
        let Some(was) = before.users.get(user_id) else {
            changed += 1;
            continue;
        };
        // What is stored beside the values is no change.
        let values = |stored: &Stored| User {
            fingerprint: None,
            manager_granted: false,
            ..stored.user.clone()
        };
        let differs = values(was) != values(stored);
        assert_eq!(
            differs,
            stored.version > was.version,
            "a change and its version"
        );
        assert!(stored.version <= was.version + 1, "changed twice");
        changed += u64::from(differs);
    }
    let (rows, others) = (counts.rows, counts.others);
    let told = rows.created + rows.updated + rows.enabled + rows.disabled;
    assert_eq!(
        changed,
        told + others.disabled + others.updated,
        "people changed"
    );
    let is_there = |user_id: &UserId| after.users.contains_key(user_id);
    assert!(before.users.keys().all(is_there), "somebody is gone");

    let (mut addresses, mut external_ids) = (BTreeSet::new(), BTreeSet::new());
    for (user_id, Stored { user, .. }) in &after.users {
        assert!(
            addresses.insert(EmailKey::of(&user.email)),
            "an address twice"
        );
        let external_id = user.external_id.as_ref();
        assert!(
            external_id.is_none_or(|id| external_ids.insert(id)),
            "an external id twice"
        );
        assert!(!user.first_name.is_empty() && !user.last_name.is_empty());
        assert!(
            user.manager_ids.iter().all(is_there),
            "a manager who is nobody"
        );
        assert!(!user.manager_ids.contains(user_id), "one's own manager");
        assert!(user.group_ids.iter().all(|group| [7, 8].contains(group)));
        assert!(
            user.feed_roles.without(user.roles).is_empty(),
            "a role of the feed's"
        );
        assert!(user.disabled_by_upload.is_none() || user.status == Status::Inactive);
    }
    let administered = |portal: &Portal| {
        let mut users = portal.users.values().map(|stored| &stored.user);
        users.any(|user| user.status == Status::Active && user.roles.contains(Role::Administrator))
    };
    assert!(
        administered(after) || !administered(before),
        "the last administrator"
    );
    let authorised_by = before.authorised_by.as_deref().map(EmailKey::of);
    for (user_id, was) in &before.users {
        let protected = authorised_by.as_ref() == Some(&EmailKey::of(&was.user.email));
        if protected && was.user.status == Status::Active {
            let is = after.users[user_id].user.status;
            assert!(is == Status::Active, "who authorised the feed");
        }
    }
}
