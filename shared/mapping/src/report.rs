//! The lines that the customer downloads: `report.csv`, a line for everything that happened, and
//! `rejected.csv`, the rows that were not processed in the customer's own columns. Both come from the
//! file, the plan and the exceptions alone, so that they can be written again after a crash.

use crate::fields::Field;
use crate::file::{BOM, FEED_PROBLEM_COLUMN, FileReader, Header, Row};
use crate::identity::UserId;
use crate::mapping::Mapping;
use crate::plan::{Action, Applied, Instead, NoticeKind, Outcome, PlannedOther};
use crate::problem::{Problem, ProblemCode, shortened};
use crate::record::{UserRecord, shown_identity};

/// The columns of `report.csv`.
pub const REPORT_COLUMNS: [&str; 7] = [
    "row", "identity", "outcome", "code", "field", "value", "message",
];

/// How many problems the upload record shows; the report has all of them.
pub const SHOWN_PROBLEMS: usize = 24;

/// How much of a message the upload record shows: it is one item, which DynamoDB limits to 400 KB, and a row
/// can be wrong in all of its cells.
const SHOWN_MESSAGE_CHARS: usize = 500;

/// How many people's lines [`Reporter::write_others`] writes at a time: some 100 kB.
const OTHERS_AT_ONCE: usize = 1_000;

/// Writes the report of one file, chunk by chunk.
pub struct Reporter<'m> {
    reader: FileReader<'m>,
    out: Pages<'m>,
    rejected_begun: bool,
}

struct Pages<'m> {
    mapping: &'m Mapping,
    applied: Applied<'m>,
    /// What became of what was held, once that was approved.
    approved: Option<Applied<'m>>,
    /// Where the lines of people without a row go on.
    next_other: usize,
    report: Vec<u8>,
    rejected: Vec<u8>,
    held: Vec<u8>,
    any_rejected: bool,
    problems: Vec<Problem>,
}

impl<'m> Reporter<'m> {
    /// At the start of a file that was read before with this mapping.
    pub fn new(mapping: &'m Mapping, applied: Applied<'m>, approved: Option<Applied<'m>>) -> Self {
        let mut report = Vec::new();
        write_line(&mut report, REPORT_COLUMNS);
        let out = Pages {
            mapping,
            applied,
            approved,
            next_other: 0,
            report,
            rejected: Vec::new(),
            held: Vec::new(),
            any_rejected: false,
            problems: Vec::new(),
        };
        Reporter {
            reader: FileReader::new(mapping),
            out,
            rejected_begun: false,
        }
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    ///
    /// The file is not the one that was planned.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Vec<Problem>> {
        self.read(Some(chunk))
    }

    /// The file has ended.
    ///
    /// # Errors
    ///
    /// The file is not the one that was planned.
    pub fn finish(&mut self) -> Result<(), Vec<Problem>> {
        self.read(None)
    }

    fn read(&mut self, chunk: Option<&[u8]>) -> Result<(), Vec<Problem>> {
        let Reporter { reader, out, .. } = self;
        let (first, approved) = (out.applied.plan, out.approved.map(|run| run.plan));
        let wants = |row| first.names(row) || approved.is_some_and(|plan| plan.names(row));
        reader.read(chunk, wants, |header, row| out.see(header, &row))
    }

    /// Writes the lines of some of the people without a row, who come last; whether there are more.
    pub fn write_others(&mut self) -> bool {
        self.out.others()
    }

    /// The lines of `report.csv` since the last call.
    pub fn take_report(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out.report)
    }

    /// The lines of `rejected.csv` since the last call. Stays empty if every row was processed. Has a byte
    /// order mark where the customer's file has one: whatever opens the one opens the other.
    pub fn take_rejected(&mut self) -> Vec<u8> {
        let lines = std::mem::take(&mut self.out.rejected);
        if lines.is_empty()
            || std::mem::replace(&mut self.rejected_begun, true)
            || !self.reader.has_bom()
        {
            return lines;
        }
        [BOM, &lines].concat()
    }

    /// Those whom the hold is about, since the last call, without a header: `disable` or `create`, user id, and of
    /// creates address, first and last name. Stays empty once the hold is decided.
    pub fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out.held)
    }

    /// The first problems, for the upload record.
    pub fn into_problems(self) -> Vec<Problem> {
        self.out.problems
    }
}

impl Pages<'_> {
    fn see(&mut self, header: &Header, row: &Row<'_>) {
        let number = u32::try_from(row.number).unwrap_or(u32::MAX);
        let runs = [Some(self.applied), self.approved];
        if !runs.iter().flatten().any(|run| run.plan.tells_of(number)) {
            // Most rows. They need not be checked once more to say how their people came out.
            for run in runs.into_iter().flatten() {
                self.outcome(shown_identity(header, row), row.number, run);
            }
            return;
        }
        let record = match UserRecord::read(header, row) {
            Ok(record) => record,
            Err(problems) => return self.not_processed(header, row, problems),
        };
        let applied = self.applied;
        match applied.plan.action(number) {
            Some(Action::Conflict { first_row }) => {
                let message = format!(
                    "Row {number}: row {first_row} says something else about the same person – that one was used."
                );
                let problem = Problem::new(ProblemCode::ConflictingRow)
                    .row(row.number)
                    .message(message);
                return self.not_processed(header, row, vec![problem]);
            }
            Some(Action::EmailTaken) => {
                return self.not_processed(header, row, vec![email_taken(row, &record)]);
            }
            Some(Action::Duplicate { first_row }) => {
                let message = format!("Row {number}: the same as row {first_row}.");
                let problem = Problem::new(ProblemCode::DuplicateRow)
                    .row(row.number)
                    .message(message);
                return self.warn(shown_identity(header, row), problem);
            }
            _ => {}
        }
        for warning in record.warnings(row.number) {
            self.warn(shown_identity(header, row), warning);
        }
        self.run(header, row, &record, applied);
        if let Some(approved) = self.approved {
            self.run(header, row, &record, approved);
        }
    }

    /// What one run did with a row.
    fn run(&mut self, header: &Header, row: &Row<'_>, record: &UserRecord<'_>, run: Applied<'_>) {
        let number = u32::try_from(row.number).unwrap_or(u32::MAX);
        let identity = shown_identity(header, row);
        for notice in run.plan.notices(number) {
            if notice == NoticeKind::Held {
                if !self.is_decided(number) {
                    self.held(&row.number.to_string(), identity);
                    self.list_held_row(number, record);
                }
            } else if let Some(warning) = noticed(notice, row.number, record, run) {
                self.warn(identity, warning);
            }
        }
        if run.plan.action(number) == Some(Action::EmailTaken) {
            return self.not_processed(header, row, vec![email_taken(row, record)]);
        }
        self.outcome(identity, row.number, run);
    }

    /// How the person of a row came out in one run.
    fn outcome(&mut self, identity: &str, row: u64, run: Applied<'_>) {
        let number = u32::try_from(row).unwrap_or(u32::MAX);
        let Some((step, planned)) = run.plan.step(number) else {
            return;
        };
        // What an exception changed is not known; what was planned is not what happened.
        let changed = match run.exceptions.contains_key(&step) {
            true => Vec::new(),
            false => changed_fields(self.mapping, planned.action),
        };
        self.came_out(row, identity, run.outcome(step), &changed);
    }

    /// Whether it is known what became of a held row.
    fn is_decided(&self, row: u32) -> bool {
        self.approved.is_some_and(|approved| {
            approved.plan.action(row).is_some() || approved.plan.notices(row).next().is_some()
        })
    }

    /// The line of somebody with a row.
    fn came_out(&mut self, row: u64, identity: &str, outcome: Outcome, changed: &[&str]) {
        let (outcome, said) = match outcome {
            Outcome::Unchanged | Outcome::NotProcessed => return,
            Outcome::ChangedMeanwhile => {
                return self.warn(identity, changed_meanwhile(Some(row)));
            }
            Outcome::Created => ("created", "Created"),
            Outcome::Enabled => ("enabled", "Active again"),
            Outcome::Disabled => ("disabled", "Made inactive"),
            Outcome::Updated => ("updated", "Updated"),
        };
        let message = if changed.is_empty() {
            format!("{said}.")
        } else {
            format!("{said}: {}.", changed.join(", "))
        };
        let (row, fields) = (row.to_string(), changed.join("|"));
        let line = [&row, identity, outcome, "", &fields, "", &message];
        write_line(&mut self.report, line);
    }

    fn others(&mut self) -> bool {
        let (from, applied) = (self.next_other, self.applied);
        let others = &applied.plan.others[from..];
        self.next_other += others.len().min(OTHERS_AT_ONCE);
        let rows = applied.plan.rows.len();
        for (at, other) in (from..).zip(others.iter().take(OTHERS_AT_ONCE)) {
            self.other(other, applied.outcome((rows + at) as u64));
            if !matches!(other.instead, Some(Instead::Held { .. })) {
                continue;
            }
            let decided = self.approved.and_then(|run| {
                let same = |it: &PlannedOther| it.user_id.cmp(&other.user_id);
                let at = run.plan.others.binary_search_by(same).ok()?;
                let step = (run.plan.rows.len() + at) as u64;
                Some((run.plan.other(step)?, run.outcome(step)))
            });
            match decided {
                Some((other, outcome)) => self.other(other, outcome),
                None => {
                    self.held("", &other.identity);
                    self.list_held("disable", other.user_id, ["", "", ""]);
                }
            }
        }
        self.next_other < applied.plan.others.len()
    }

    /// The line of somebody without a row.
    fn other(&mut self, other: &PlannedOther, outcome: Outcome) {
        if other.instead == Some(Instead::Protected) {
            self.warn(&other.identity, Problem::new(ProblemCode::ProtectedUser));
        }
        let made_manager = other.change.is_some_and(|change| change.made_manager);
        let field = if made_manager {
            Field::Role.as_str()
        } else {
            ""
        };
        let (outcome, message) = match outcome {
            Outcome::Disabled => ("disabled", "Made inactive: not in the file."),
            Outcome::Updated => ("updated", "Given the role Manager."),
            Outcome::ChangedMeanwhile => {
                return self.warn(&other.identity, changed_meanwhile(None));
            }
            _ => return,
        };
        let line = ["", &other.identity, outcome, "", field, "", message];
        write_line(&mut self.report, line);
    }

    fn list_held_row(&mut self, row: u32, record: &UserRecord<'_>) {
        let plan = self.applied.plan;
        if let Some(Action::HoldCreate { user_id }) = plan.action(row) {
            let person = [record.email, record.first_name, record.last_name];
            self.list_held("create", user_id, person);
        }
        let held = plan.held_rows.binary_search_by_key(&row, |held| held.row);
        if let Ok(at) = held {
            self.list_held("disable", plan.held_rows[at].user_id, ["", "", ""]);
        }
    }

    fn list_held(&mut self, action: &str, user_id: UserId, person: [&str; 3]) {
        if self.approved.is_none() {
            let mut writer = csv::Writer::from_writer(&mut self.held);
            let [email, first, last] = person;
            // Writing into memory does not fail.
            let _ = writer.write_record([action, &user_id.to_string(), email, first, last]);
        }
    }

    /// The line of somebody whose disable or create waits for a decision.
    fn held(&mut self, row: &str, identity: &str) {
        let Some(reason) = self.applied.plan.hold else {
            return;
        };
        let code = reason.code();
        let line = [row, identity, "held", code.as_str(), "", "", code.meaning()];
        write_line(&mut self.report, line);
    }

    fn warn(&mut self, identity: &str, problem: Problem) {
        write_problem(&mut self.report, identity, "warning", &problem);
        show(&mut self.problems, problem);
    }

    fn not_processed(&mut self, header: &Header, row: &Row<'_>, problems: Vec<Problem>) {
        let Some(problem) = as_one(problems) else {
            return;
        };
        let identity = shown_identity(header, row);
        write_problem(&mut self.report, identity, "not_processed", &problem);
        self.reject(header, row, &problem);
        show(&mut self.problems, problem);
    }

    /// The row as it came, with what is wrong beside it. Cells beyond the header come last, so that nothing
    /// of the row is lost and every other cell stays under its name.
    fn reject(&mut self, header: &Header, row: &Row<'_>, problem: &Problem) {
        let own = header.own().iter().copied();
        if !std::mem::replace(&mut self.any_rejected, true) {
            let names = own.clone().map(|index| header.columns()[index].as_str());
            write_line(&mut self.rejected, names.chain([FEED_PROBLEM_COLUMN]));
        }
        let cell = |index| header.plain(row.get(index).unwrap_or(""));
        let said = feed_problem(problem);
        let beyond = header.columns().len()..row.width();
        let line = own.map(cell).chain([said.as_str()]).chain(beyond.map(cell));
        write_line(&mut self.rejected, line);
    }
}

/// Everything that is wrong with a row, as one problem: the first, whose message says all. One line a row, so
/// that lines and counts agree.
pub(crate) fn as_one(problems: Vec<Problem>) -> Option<Problem> {
    let messages: Vec<&str> = problems.iter().map(|it| it.message.as_str()).collect();
    let message = messages.join(" ");
    let first = problems.into_iter().next()?;
    Some(first.message(message))
}

/// What stands beside a rejected row.
pub(crate) fn feed_problem(problem: &Problem) -> String {
    format!("{}: {}", problem.code.as_str(), problem.message)
}

/// Adds a problem to those that the upload record shows, if there is room.
pub(crate) fn show(shown: &mut Vec<Problem>, mut problem: Problem) {
    if shown.len() < SHOWN_PROBLEMS {
        if problem.message.chars().count() > SHOWN_MESSAGE_CHARS {
            problem.message = problem
                .message
                .chars()
                .take(SHOWN_MESSAGE_CHARS)
                .chain(['…'])
                .collect();
        }
        shown.push(problem);
    }
}

/// The names of the fields that an action changes.
fn changed_fields(mapping: &Mapping, action: Action) -> Vec<&str> {
    let (change, terms) = match action {
        Action::Update { change, .. } => (Some(change), None),
        Action::Create { terms, .. } => (None, Some(terms)),
        _ => (None, None),
    };
    let fields = mapping.fields().iter().enumerate();
    let mut changed: Vec<&str> = fields
        .filter(|(index, _)| change.is_some_and(|change| change.fields.contains(*index)))
        .map(|(_, mapped)| mapped.field.as_str())
        .collect();
    let made_manager = change.is_some_and(|change| change.made_manager)
        || terms.is_some_and(|terms| terms.becomes_manager);
    if made_manager {
        changed.push(Field::Role.as_str());
    }
    changed
}

fn email_taken(row: &Row<'_>, record: &UserRecord<'_>) -> Problem {
    let message = format!(
        "Row {}: the address “{}” is somebody else's in this portal.",
        row.number,
        shortened(record.email)
    );
    Problem::new(ProblemCode::EmailTaken)
        .row(row.number)
        .field(Field::Email.as_str())
        .value(record.email)
        .message(message)
}

fn changed_meanwhile(row: Option<u64>) -> Problem {
    let problem = Problem::new(ProblemCode::ChangedMeanwhile);
    match row {
        Some(row) => problem.row(row).message(format!(
            "Row {row}: the person was being changed elsewhere; the next file applies the row."
        )),
        None => {
            problem.message("The person was changed elsewhere in between and is left as they are.")
        }
    }
}

/// The warning that a notice is.
fn noticed(
    notice: NoticeKind,
    row: u64,
    record: &UserRecord<'_>,
    run: Applied<'_>,
) -> Option<Problem> {
    let of_manager = |code: ProblemCode, part: u16, what: &str| {
        let address = record.managers.get(usize::from(part)).copied();
        let address = address.unwrap_or_default();
        Problem::new(code)
            .row(row)
            .field(Field::Manager.as_str())
            .value(address)
            .message(format!("Row {row}: {what}."))
    };
    let problem = match notice {
        NoticeKind::Held => return None,
        NoticeKind::EmailShared => Problem::new(ProblemCode::EmailSharedWithOtherPortal)
            .row(row)
            .field(Field::Email.as_str())
            .value(record.email)
            .message(format!(
                "Row {row}: the person's address also belongs to a user of another portal and was not changed."
            )),
        NoticeKind::ManagerNotFound { part } => {
            of_manager(ProblemCode::ManagerNotFound, part, "nobody has the manager's address")
        }
        NoticeKind::ManagerSelf { part } => {
            of_manager(ProblemCode::ManagerSelf, part, "the manager is the person of the row")
        }
        NoticeKind::ManagerLoop { circle } => {
            let rows = run.plan.circles.get(circle as usize)?;
            Problem::new(ProblemCode::ManagerLoop)
                .row(row)
                .field(Field::Manager.as_str())
                .message(format!("{} manage one another in a circle.", named(rows)))
        }
        NoticeKind::Protected => Problem::new(ProblemCode::ProtectedUser)
            .row(row)
            .message(format!(
                "Row {row}: {}",
                ProblemCode::ProtectedUser.meaning()
            )),
    };
    Some(problem)
}

/// A circle can be as long as the file.
const NAMED_ROWS: usize = 20;

fn named(rows: &[u32]) -> String {
    let shown: Vec<String> = rows.iter().take(NAMED_ROWS).map(u32::to_string).collect();
    match rows.len().saturating_sub(NAMED_ROWS) {
        0 => format!("The people of the rows {}", shown.join(", ")),
        more => format!(
            "The people of the rows {} and {more} more",
            shown.join(", ")
        ),
    }
}

/// The whole of `report.csv` for a file that was refused: a line for each reason, with its place.
pub fn rejection(problems: &[Problem]) -> Vec<u8> {
    let mut report = Vec::new();
    write_line(&mut report, REPORT_COLUMNS);
    for problem in problems {
        write_problem(&mut report, "", "rejected", problem);
    }
    report
}

/// A problem's line of `report.csv`.
pub(crate) fn write_problem(page: &mut Vec<u8>, identity: &str, outcome: &str, problem: &Problem) {
    let row = problem.row.map(|row| row.to_string()).unwrap_or_default();
    let line = [
        &row,
        identity,
        outcome,
        problem.code.as_str(),
        problem.field.as_deref().unwrap_or(""),
        problem.value.as_deref().unwrap_or(""),
        &problem.message,
    ];
    write_line(page, line);
}

/// Whether a spreadsheet would run the cell instead of showing it.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// An apostrophe makes a spreadsheet show what it would run. A cell that has its own apostrophes gets one
/// more, so that [`unprotect`] gives back exactly what was there.
fn protect(cell: &str) -> std::borrow::Cow<'_, str> {
    if is_formula(cell.trim_start_matches('\'')) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

/// Takes back what [`protect`] did.
pub(crate) fn unprotect(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(plain) if is_formula(plain.trim_start_matches('\'')) => plain,
        _ => cell,
    }
}

/// Cells as a spreadsheet may open them.
pub(crate) fn write_line<'c>(page: &mut Vec<u8>, cells: impl IntoIterator<Item = &'c str>) {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .buffer_capacity(512)
        .from_writer(page);
    for cell in cells {
        // Writing into memory does not fail.
        let _ = writer.write_field(protect(cell).as_bytes());
    }
    let _ = writer.write_record(None::<&[u8]>);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::mapping;
    use crate::plan::testing::{Portal, as_planned, csv};
    use crate::plan::{Exceptions, Plan};
    use proptest::prelude::*;

    /// Plans a file for an empty portal and reports it.
    fn report(file: &str, chunk: usize) -> (String, String, Vec<Problem>) {
        let mapping = mapping();
        let plan = Portal::of(&[]).plan_with(&mapping, file);
        let applied = Applied {
            plan: &plan,
            exceptions: as_planned(),
        };
        let mut reporter = Reporter::new(&mapping, applied, None);
        let (mut lines, mut rejected) = (Vec::new(), Vec::new());
        for part in file.as_bytes().chunks(chunk) {
            reporter.push(part).unwrap();
            lines.append(&mut reporter.take_report());
            rejected.append(&mut reporter.take_rejected());
        }
        reporter.finish().unwrap();
        lines.append(&mut reporter.take_report());
        rejected.append(&mut reporter.take_rejected());
        (
            String::from_utf8(lines).unwrap(),
            String::from_utf8(rejected).unwrap(),
            reporter.into_problems(),
        )
    }

    const FILE: &str = "Email,First,Last,Status,Job,Site\n\
        a@x.example,Ann,Lee,1,J,S\n\
        bo,Bo,,1,\"=1+1\",S\n\
        a@x.example,Ann,Lee,1,J,S\n\
        a@x.example,Anna,Lee,1,J,S\n\
        c@x.example,C,Li,1,J,S,more,\"and, more\"\n";

    #[test]
    fn the_report_has_a_line_for_everything_that_happened() {
        for chunk in [1, 7, 4096] {
            let (lines, rejected, problems) = report(FILE, chunk);
            assert_eq!(
                lines,
                "row,identity,outcome,code,field,value,message\r\n\
                2,a@x.example,created,,,,Created.\r\n\
                3,bo,not_processed,invalid_email,email,bo,\"Row 3, “Email”: not one e-mail address. Row 3, “Last”: empty, and required.\"\r\n\
                4,a@x.example,warning,duplicate_row,,,Row 4: the same as row 2.\r\n\
                5,a@x.example,not_processed,conflicting_row,,,Row 5: row 2 says something else about the same person – that one was used.\r\n\
                6,c@x.example,not_processed,wrong_field_count,,,Row 6: 8 cells – the header has 6.\r\n"
            );
            assert_eq!(
                rejected,
                "Email,First,Last,Status,Job,Site,feed_problem\r\n\
                bo,Bo,,1,'=1+1,S,\"invalid_email: Row 3, “Email”: not one e-mail address. Row 3, “Last”: empty, and required.\"\r\n\
                a@x.example,Anna,Lee,1,J,S,conflicting_row: Row 5: row 2 says something else about the same person – that one was used.\r\n\
                c@x.example,C,Li,1,J,S,wrong_field_count: Row 6: 8 cells – the header has 6.,more,\"and, more\"\r\n"
            );
            let codes: Vec<_> = problems
                .iter()
                .map(|problem| (problem.row.unwrap(), problem.code.as_str()))
                .collect();
            assert_eq!(
                codes,
                [
                    (3, "invalid_email"),
                    (4, "duplicate_row"),
                    (5, "conflicting_row"),
                    (6, "wrong_field_count")
                ]
            );
        }
    }

    #[test]
    fn rejected_rows_that_are_corrected_work_and_are_what_they_were() {
        let (_, rejected, _) = report(FILE, 4096);
        let corrected = rejected
            .lines()
            .take(2)
            .collect::<Vec<_>>()
            .join("\n")
            .replace("bo,Bo,,", "bo@x.example,Bo,Li,");
        let mapping = mapping();
        let mut reader = FileReader::new(&mapping);
        let mut jobs = Vec::new();
        let mut each = |header: &Header, row: Row<'_>| {
            let record = UserRecord::read(header, &row).ok().unwrap();
            jobs.extend(
                record
                    .custom
                    .iter()
                    .map(|(_, value)| value.map(str::to_owned)),
            );
        };
        reader.push(corrected.as_bytes(), &mut each).unwrap();
        reader.finish(&mut each).unwrap();
        assert_eq!(jobs, [Some("=1+1".to_owned()), Some("S".to_owned())]);
        // Rejected again, the row has the problem of the day and not that of the day before as well.
        let (_, again, _) = report(
            &rejected.lines().take(2).collect::<Vec<_>>().join("\n"),
            4096,
        );
        assert_eq!(
            again.lines().next(),
            Some("Email,First,Last,Status,Job,Site,feed_problem")
        );
        assert_eq!(again.matches("feed_problem").count(), 1);
        assert!(
            again.contains(",'=1+1,") && !again.contains("''="),
            "{again}"
        );
    }

    /// Otherwise cells would slide under other names: a job would become a surname.
    #[test]
    fn a_row_with_too_few_or_too_many_cells_stays_refused_until_somebody_repairs_it() {
        let header = "Email,First,Last,Job,Site,Status";
        for (row, filled) in [
            (
                "a@x.example,Ann,Cook,Perth,1",
                "a@x.example,Ann,Cook,Perth,1,",
            ),
            ("a@x.example,Ann,Cook", "a@x.example,Ann,Cook,,,"),
            ("a@x.example,Ann,,", "a@x.example,Ann,,,,"),
            (
                "a@x.example,Ann,Lee,Cook,Perth,1,more",
                "a@x.example,Ann,Lee,Cook,Perth,1",
            ),
        ] {
            let mut file = format!("{header}\n{row}\n");
            for time in 1..=4 {
                let (lines, rejected, _) = report(&file, 4096);
                assert!(
                    lines.contains("not_processed,wrong_field_count"),
                    "{row}, time {time}: {lines}"
                );
                let rows: Vec<&str> = rejected.lines().collect();
                assert_eq!(rows[0], format!("{header},feed_problem"));
                assert!(
                    rows[1].starts_with(&format!("{filled},wrong_field_count: Row 2: ")),
                    "{rejected}"
                );
                file = rejected;
            }
        }
    }

    #[test]
    fn a_cut_off_row_is_repaired_by_filling_its_cells_or_by_emptying_what_was_said_of_it() {
        let said = "wrong_field_count: Row 2: 5 cells – the header has 6.";
        for (file, expected) in [
            (
                format!(
                    "Email,First,Last,Job,Site,Status,feed_problem\na@x.example,Ann,Lee,Cook,Perth,1,{said}\n"
                ),
                "created",
            ),
            (
                format!(
                    "Email,First,Last,Job,Site,Status,feed_problem\na@x.example,Ann,Cook,Perth,1,,{said}\n"
                ),
                "wrong_field_count",
            ),
            (
                "Email,First,Last,Job,Site,Status,feed_problem\na@x.example,Ann,Lee,Cook,Perth,,\n"
                    .to_owned(),
                "created",
            ),
            (
                "Email,First,Last,Job,Site,Status,feed_problem\na@x.example,Ann,Lee,Cook,Perth,1\n"
                    .to_owned(),
                "created",
            ),
            // Wherever the column was moved to.
            (
                format!(
                    "feed_problem,Email,First,Last,Job,Site,Status\n{said},a@x.example,Ann,Cook,Perth,1,\n"
                ),
                "wrong_field_count",
            ),
            (
                format!(
                    "feed_problem,Email,First,Last,Job,Site,Status\n{said},a@x.example,Ann,Lee,Cook,Perth,1\n"
                ),
                "created",
            ),
            (
                format!(
                    "Email,First,feed_problem,Last,Job,Site,Status\na@x.example,Ann,{said},Cook,Perth,1,\n"
                ),
                "wrong_field_count",
            ),
            (
                "feed_problem,Email,First,Last,Job,Site,Status\nx,a@x.example,Ann,Cook,Perth,1\n"
                    .to_owned(),
                "5 cells – the header has 6",
            ),
        ] {
            let mut file = file;
            for time in 1..=3 {
                let (lines, rejected, _) = report(&file, 4096);
                assert!(lines.contains(expected), "time {time}: {file}{lines}");
                if expected == "created" {
                    break;
                }
                file = rejected;
            }
        }
    }

    #[test]
    fn rejected_rows_have_a_byte_order_mark_where_the_file_has_one() {
        let (_, plain, _) = report(FILE, 3);
        for chunk in [1, 4096] {
            let (_, marked, _) = report(&format!("\u{FEFF}{FILE}"), chunk);
            assert_eq!(marked, format!("\u{FEFF}{plain}"));
        }
    }

    #[test]
    fn the_record_shows_the_first_problems_and_not_all_of_their_words() {
        let row = format!("x,,,{0},{0},{0}\n", "y".repeat(1_001));
        let (lines, _, problems) = report(&format!("{}{}", FILE, row.repeat(40)), 4096);
        assert_eq!(problems.len(), SHOWN_PROBLEMS);
        let size: usize = problems
            .iter()
            .map(|problem| format!("{}{:?}", problem.message, problem.value).len())
            .sum();
        assert!(
            size < SHOWN_PROBLEMS * 4 * (SHOWN_MESSAGE_CHARS + crate::problem::SHOWN_VALUE_CHARS),
            "{size}"
        );
        assert_eq!(lines.matches("neither 1 nor 0").count(), 0);
        assert_eq!(
            lines.matches("longer than 1,000 characters").count(),
            40 * 3
        );
    }

    #[test]
    fn a_refused_file_has_a_line_for_each_reason() {
        let problems = [
            Problem::new(ProblemCode::MissingHeader)
                .row(1)
                .column("First")
                .field("first_name")
                .message("No “First”."),
            Problem::new(ProblemCode::NoMapping),
        ];
        let text = String::from_utf8(rejection(&problems)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "1,,rejected,missing_header,first_name,,No “First”."
        );
        assert!(lines[2].starts_with(",,rejected,no_mapping,,,"));
    }

    /// The lines of `report.csv` below its header, without their messages.
    fn lines(
        portal: &Portal,
        lines: &str,
        plan: &Plan,
        exceptions: &Exceptions,
        approved: Option<&Plan>,
    ) -> Vec<String> {
        let mapping = portal.mapping(lines);
        let approved = approved.map(|plan| Applied {
            plan,
            exceptions: as_planned(),
        });
        let mut reporter = Reporter::new(&mapping, Applied { plan, exceptions }, approved);
        reporter.push(csv(lines).as_bytes()).unwrap();
        reporter.finish().unwrap();
        while reporter.write_others() {}
        let report = reporter.take_report();
        let mut report = csv::Reader::from_reader(&report[..]);
        let lines = report.records().map(|line| {
            let line: Vec<String> = line.unwrap().iter().take(6).map(str::to_owned).collect();
            line.join(",").trim_end_matches(',').to_owned()
        });
        lines.collect()
    }

    /// The same of a file that went as planned.
    fn planned(portal: &Portal, text: &str) -> Vec<String> {
        lines(portal, text, &portal.plan(text), as_planned(), None)
    }

    #[test]
    fn rows_that_did_not_come_out_as_planned_say_so() {
        let portal = Portal::of(&[]);
        let text = "Email,Name / x@x.io, / a@x.io,Ann";
        let plan = portal.plan(text);
        let refused = "2,x@x.io,not_processed,missing_value,first_name";
        for (outcome, expected) in [
            (Outcome::Created, Some("3,a@x.io,created")),
            (
                Outcome::ChangedMeanwhile,
                Some("3,a@x.io,warning,changed_meanwhile"),
            ),
            (Outcome::Updated, Some("3,a@x.io,updated")),
            (Outcome::Unchanged, None),
        ] {
            let exceptions = Exceptions::from([(0, outcome)]);
            let expected: Vec<&str> = [refused].into_iter().chain(expected).collect();
            assert_eq!(
                lines(&portal, text, &plan, &exceptions, None),
                expected,
                "{outcome:?}"
            );
        }
    }

    /// What was planned to change is not what changed.
    #[test]
    fn an_exception_names_no_fields() {
        let portal = Portal::of(&["a@x.io"]);
        let text = "Email,Name / a@x.io,Bo";
        let plan = portal.plan(text);
        for (exceptions, expected) in [
            (Exceptions::new(), "2,a@x.io,updated,,first_name|last_name"),
            (
                Exceptions::from([(0, Outcome::Enabled)]),
                "2,a@x.io,enabled",
            ),
        ] {
            assert_eq!(lines(&portal, text, &plan, &exceptions, None), [expected]);
        }
    }

    #[test]
    fn a_row_is_shown_by_what_identifies_its_person() {
        let portal = Portal::of(&["a@x.io id=1", "b@x.io id=2", "c@x.io id=3"]);
        assert_eq!(
            planned(
                &portal,
                "Id,Email,Name / 1,n@x.io,Ann / 2,c@x.io,Ann / 9,m@x.io,Ann / ,x@x.io,Ann"
            ),
            [
                "2,1,updated,,email",
                "3,2,not_processed,email_taken,email,c@x.io",
                "4,9,created",
                "5,,not_processed,missing_value,external_id",
            ]
        );
    }

    #[test]
    fn what_the_plan_noticed_is_a_warning_before_what_happened() {
        let mut portal = Portal::of(&["a@x.io id=1", "b@x.io id=2"]).authorised_by("b@x.io");
        portal.elsewhere = vec!["a@x.io"];
        assert_eq!(
            planned(
                &portal,
                "Id,Email,Name,Status,Manager,Group / 1,n@x.io,Bo,1,nobody|a@x.io|b@x.io,7|x / \
                 2,b@x.io,Ann,0,a@x.io,"
            ),
            [
                "2,1,warning,group_not_found,group,x",
                "2,1,warning,email_shared_with_other_portal,email,n@x.io",
                "2,1,warning,manager_not_found,manager,nobody",
                "2,1,warning,manager_self,manager,a@x.io",
                "2,1,warning,manager_loop,manager",
                "2,1,updated,,first_name|last_name|group|manager|role",
                "3,2,warning,protected_user",
                "3,2,updated,,manager|role",
            ]
        );
    }

    #[test]
    fn a_circle_names_its_rows_but_not_hundreds_of_them() {
        assert_eq!(named(&[2, 5]), "The people of the rows 2, 5");
        let rows: Vec<u32> = (1..=20).collect();
        assert!(named(&rows).ends_with(" 19, 20"));
        let rows: Vec<u32> = (1..=22).collect();
        assert!(named(&rows).ends_with(" 19, 20 and 2 more"));
    }

    #[test]
    fn people_without_a_row_come_last() {
        let portal = Portal::auto_disabling(&["a@x.io", "b@x.io", "c@x.io", "m@x.io inactive"])
            .authorised_by("b@x.io");
        let text = "Email,Name,Manager / c@x.io,Ann,m@x.io / d@x.io,Ann,";
        let mut found = planned(&portal, text);
        assert_eq!(found.remove(0), "2,c@x.io,updated,,manager");
        assert_eq!(found.remove(0), "3,d@x.io,created");
        // In the order of ids, which cannot be read.
        found.sort();
        assert_eq!(
            found,
            [
                ",a@x.io,disabled",
                ",b@x.io,warning,protected_user",
                ",m@x.io,updated,,role",
            ]
        );
    }

    #[test]
    fn people_without_a_row_who_were_changed_meanwhile_say_so() {
        let portal = Portal::auto_disabling(&["a@x.io", "b@x.io", "c@x.io"]);
        let text = "Email,Name / b@x.io,Ann / c@x.io,Ann";
        let plan = portal.plan(text);
        let step = plan.steps() - 1;
        for (outcome, expected) in [
            (
                Outcome::ChangedMeanwhile,
                &[",a@x.io,warning,changed_meanwhile"][..],
            ),
            (Outcome::Unchanged, &[]),
            (Outcome::Disabled, &[",a@x.io,disabled"]),
        ] {
            let exceptions = Exceptions::from([(step, outcome)]);
            let found = lines(&portal, text, &plan, &exceptions, None);
            assert_eq!(found, expected, "{outcome:?}");
        }
    }

    #[test]
    fn people_without_a_row_are_written_some_at_a_time() {
        let many: Vec<String> = (0..OTHERS_AT_ONCE + 1)
            .flat_map(|n| [format!("p{n}@x.io"), format!("q{n}@x.io")])
            .collect();
        let people: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut portal = Portal::auto_disabling(&people);
        portal.circumstances.limits.disable_limit_percent = 50;
        let stay = many.iter().filter(|email| email.starts_with('q'));
        let rows: Vec<String> = stay.map(|email| format!("{email},Ann")).collect();
        let text = format!("Email,Name / {}", rows.join(" / "));
        let (mapping, plan) = (portal.mapping(&text), portal.plan(&text));
        assert_eq!(plan.others.len(), OTHERS_AT_ONCE + 1);
        let applied = Applied {
            plan: &plan,
            exceptions: as_planned(),
        };
        let mut reporter = Reporter::new(&mapping, applied, None);
        reporter.take_report();
        let mut count = || {
            let more = reporter.write_others();
            let lines = reporter.take_report();
            (more, lines.split(|byte| *byte == b'\n').count() - 1)
        };
        assert_eq!(count(), (true, OTHERS_AT_ONCE));
        assert_eq!(count(), (false, 1));
        assert_eq!(count(), (false, 0));
    }

    #[test]
    fn what_is_held_has_a_line_beside_what_happens_all_the_same() {
        let portal = Portal::of(&["a@x.io", "b@x.io", "c@x.io"]);
        assert_eq!(
            planned(
                &portal,
                "Email,Name,Status / a@x.io,Ann,0 / b@x.io,Bo,0 / c@x.io,Ann,1"
            ),
            [
                "2,a@x.io,held,too_many_disables",
                "3,b@x.io,held,too_many_disables",
                "3,b@x.io,updated,,first_name|last_name",
            ]
        );
        let portal = Portal::auto_disabling(&["a@x.io", "b@x.io", "c@x.io"]);
        let mut found = planned(&portal, "Email,Name / n@x.io,Ann / m@x.io,Ann / c@x.io,Ann");
        found[2..].sort();
        assert_eq!(
            found,
            [
                "2,n@x.io,held,identity_changed",
                "3,m@x.io,held,identity_changed",
                ",a@x.io,held,identity_changed",
                ",b@x.io,held,identity_changed",
            ]
        );
    }

    #[test]
    fn what_became_of_it_takes_the_place_of_held_once_that_is_approved() {
        let text = "Email,Name,Status / a@x.io,Ann,0 / b@x.io,Bo,0 / c@x.io,Ann,0";
        let mut portal = Portal::of(&["a@x.io", "b@x.io", "c@x.io"]);
        let first = portal.feed(text);
        portal.change("a@x.io", |user| user.last_name = "Lee".to_owned());
        portal.circumstances.authorised_by = Some("c@x.io".to_owned());
        let approved = portal.approval(text, &first);
        assert_eq!(
            lines(&portal, text, &first, as_planned(), Some(&approved)),
            [
                "2,a@x.io,warning,changed_meanwhile",
                "3,b@x.io,updated,,first_name|last_name",
                "3,b@x.io,disabled",
                "4,c@x.io,warning,protected_user",
            ]
        );
    }

    #[test]
    fn held_creates_and_absences_are_replaced_too() {
        let text = "Email,Name / n@x.io,Ann / m@x.io,Ann / d@x.io,Bo";
        let people = ["a@x.io", "b@x.io", "c@x.io", "d@x.io", "n@x.io unmanaged"];
        let mut portal = Portal::auto_disabling(&people[..4]);
        portal.circumstances.limits.disable_limit_percent = 10;
        portal.circumstances.limits.disable_limit_floor = 1;
        let first = portal.feed(text);
        assert_eq!(first.counts(as_planned()).held_creates, 2);
        // Set up in the portal since.
        portal.users.extend(Portal::of(&people[4..]).users);
        portal.change("a@x.io", |user| user.last_name = "Lee".to_owned());
        portal.circumstances.authorised_by = Some("c@x.io".to_owned());
        let approved = portal.approval(text, &first);
        let mut found = lines(&portal, text, &first, as_planned(), Some(&approved));
        found[3..].sort();
        assert_eq!(
            found,
            [
                "2,n@x.io,warning,changed_meanwhile",
                "3,m@x.io,created",
                "4,d@x.io,updated,,first_name|last_name",
                ",a@x.io,warning,changed_meanwhile",
                ",b@x.io,disabled",
                ",c@x.io,warning,protected_user",
            ]
        );
    }

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_shown_instead() {
        for cell in ["=1+1", "+61 8", "-5", "@SUM(A1)", "\t=1", "\r=1", "'=1"] {
            assert_eq!(protect(cell), format!("'{cell}"));
        }
        for cell in ["", "1", "a=b", " =1", "'", "'a", "O'Neil"] {
            assert_eq!(protect(cell), cell);
        }
    }

    proptest! {
        #[test]
        fn protecting_is_taken_back_exactly(cell in "['=+@\t\ra -]{0,6}") {
            let protected = protect(&cell).into_owned();
            prop_assert!(!is_formula(&protected));
            prop_assert_eq!(unprotect(&protected), cell);
        }
    }
}
