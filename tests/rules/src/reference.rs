//! A reference model of the feed's rules: what a file does to the people of a portal.
//!
//! It is written from docs/rules.md alone, to be held beside that page and to be compared with the
//! real implementation by a test. It is slow on purpose: no fingerprints, no hashing, no batches,
//! just people in a map and rows that are gone through one by one. Headings of docs/rules.md are
//! named wherever a rule is applied.
//!
//! Left out: everything before the rows ("The file"), limits on lengths and line breaks
//! ("Values"), and "Order".

use std::collections::{BTreeMap, BTreeSet};

/// The roles that there are, spelled as they are kept.
pub const ROLES: [&str; 4] = [LEARNER, MANAGER, "Content administrator", ADMINISTRATOR];

const LEARNER: &str = "Learner";
const MANAGER: &str = "Manager";
const ADMINISTRATOR: &str = "Administrator";

/// How ids are made and addresses are compared and checked: the real functions, passed in.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The id for a kind (`email` or `external`), a value as it is compared, and n.
    pub user_id: fn(kind: &str, value: &str, n: u32) -> String,
    /// An address as it is compared.
    pub email_key: fn(&str) -> String,
    /// Whether this is exactly one address.
    pub is_email: fn(&str) -> bool,
}

/// A user of the portal.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The address as it was sent.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The external id, where people are identified by it.
    pub external_id: Option<String>,
    /// Active or inactive.
    pub active: bool,
    /// All roles.
    pub roles: BTreeSet<String>,
    /// Those of the roles that the feed gave.
    pub feed_roles: BTreeSet<String>,
    /// Groups that the person is in.
    pub group_ids: BTreeSet<u64>,
    /// The user ids of the person's managers.
    pub manager_ids: BTreeSet<String>,
    /// Custom fields.
    pub custom: BTreeMap<String, String>,
    /// Whether an accepted row was ever about this person.
    pub feed_managed: bool,
    /// Whether the person was named as a manager while `role` was not mapped.
    pub manager_granted: bool,
    /// The upload that made the person inactive because of an absence.
    pub disabled_by_upload: Option<String>,
    /// Goes up by one with every change.
    pub version: u64,
}

/// What a column can be mapped to. A row's first problem is the first in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `email`
    Email,
    /// `first_name`
    FirstName,
    /// `last_name`
    LastName,
    /// `external_id`
    ExternalId,
    /// `status`
    Status,
    /// `role`
    Role,
    /// `group`
    Group,
    /// `manager`
    Manager,
    /// A custom field of the portal.
    Custom(String),
}

/// Which column means what. It is taken to be valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The mapped fields: field, index of the column, and whether an empty cell clears.
    pub fields: Vec<(Field, usize, bool)>,
    /// People are identified by `external_id` instead of by address.
    pub by_external_id: bool,
    /// People who are not in the file become inactive.
    pub auto_disable: bool,
}

/// A file that was read: what is left of it are its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// The id of the upload.
    pub upload_id: String,
    /// How many cells the header has.
    pub columns: usize,
    /// The cells of the rows; the one with index i has the row number i + 2.
    pub rows: Vec<Vec<String>>,
    /// Nobody is changed.
    pub rehearsal: bool,
}

/// A portal, its people, and the functions for ids and addresses.
#[derive(Clone, Debug)]
pub struct World {
    /// How ids are made and addresses are compared and checked.
    pub names: Names,
    /// The people by their user ids.
    pub people: BTreeMap<String, Person>,
    /// The address of the person who authorised the feed.
    pub authorised_by: Option<String>,
    /// The setting P of "Holds".
    pub percent: u64,
    /// The setting F of "Holds".
    pub floor: u64,
    /// The setting that switches `malformed_rows` on or off.
    pub hold_on_malformed_rows: bool,
    /// The portal's groups and the learning of each.
    pub groups: BTreeMap<u64, Vec<u64>>,
    /// What was assigned to whom: user id and learning.
    pub assignments: BTreeSet<(String, u64)>,
    /// Addresses (as they are compared) that belong to users of other portals too.
    pub elsewhere: BTreeSet<String>,
    /// Rows of the last file that finished without a hold, or whose hold was approved.
    pub baseline: Option<u64>,
    /// The hold that waits for a decision.
    pub hold: Option<Hold>,
}

/// What must be known of a held file to decide it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    file: File,
    mapping: Mapping,
    outcome: Outcome,
    rows: BTreeMap<u64, Did>,
    others: BTreeMap<String, Did>,
    disables: BTreeMap<String, HeldDisable>,
    creates: BTreeSet<u64>,
    protected: BTreeSet<String>,
}

/// A disable that was held: its row, if a row asked for it, the version of the person then, and
/// the line that says so.
#[derive(Clone, Debug, PartialEq)]
struct HeldDisable {
    row: Option<u64>,
    version: u64,
    line: Line,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The numbers of the upload.
    pub counts: Counts,
    /// The lines of the report, in no particular order.
    pub lines: Vec<Line>,
    /// Why something was held.
    pub held_reason: Option<&'static str>,
}

/// The numbers of an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All rows; the sum of the next six.
    pub total: u64,
    /// Rows that created somebody.
    pub created: u64,
    /// Rows that changed somebody.
    pub updated: u64,
    /// Rows that did nothing, duplicates and what is held among them.
    pub unchanged: u64,
    /// Rows that made somebody inactive.
    pub disabled: u64,
    /// Rows that made somebody active again.
    pub enabled: u64,
    /// Rows that were not processed.
    pub not_processed: u64,
    /// People without a processed row who became inactive.
    pub others_disabled: u64,
    /// People without a processed row who were given the role `Manager`.
    pub others_updated: u64,
    /// Warnings.
    pub warnings: u64,
    /// Disables that were held.
    pub held_disables: u64,
    /// Creates that were held.
    pub held_creates: u64,
}

/// A line of report.csv without its message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The number of the row, if a row is the reason.
    pub row: Option<u64>,
    /// The external id or the address.
    pub identity: String,
    /// As the report spells it, such as `created` or `not_processed`.
    pub outcome: &'static str,
    /// The problem or the reason; empty where there is none.
    pub code: &'static str,
}

/// What a row, or somebody without a row, counts as: the first that fits ("Reports").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Did {
    NotProcessed,
    Created,
    Enabled,
    Disabled,
    Updated,
    Unchanged,
}

impl Did {
    /// The outcome of the report's line; what is unchanged has none, and who is not processed
    /// gets a line with a code instead.
    fn line(self) -> Option<&'static str> {
        match self {
            Did::Created => Some("created"),
            Did::Enabled => Some("enabled"),
            Did::Disabled => Some("disabled"),
            Did::Updated => Some("updated"),
            Did::NotProcessed | Did::Unchanged => None,
        }
    }
}

/// A row that is not blank, and what was found out about it.
#[derive(Clone, Debug)]
struct Row {
    number: u64,
    /// Trimmed.
    cells: Vec<String>,
    /// What the report calls the row by.
    identity: String,
    /// Why it is not processed.
    problem: Option<&'static str>,
    /// It says the same as an earlier row.
    duplicate: bool,
    /// Whom it is about; the id that the person will have, if the row creates somebody.
    person: String,
    creates: bool,
    /// Its address is not taken over, since another portal uses the old one.
    keeps_address: bool,
}

impl Row {
    fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// The value of a field; nothing if the field is not mapped.
    fn value(&self, mapping: &Mapping, field: &Field) -> Option<&str> {
        for (mapped, column, _) in &mapping.fields {
            if mapped == field {
                return Some(self.cell(*column));
            }
        }
        None
    }

    /// The value of a field; blank if the field is not mapped.
    fn text(&self, mapping: &Mapping, field: &Field) -> &str {
        self.value(mapping, field).unwrap_or("")
    }

    /// Whether the row is processed, and the first about its person.
    fn used(&self) -> bool {
        self.problem.is_none() && !self.duplicate
    }

    fn line(&self, outcome: &'static str, code: &'static str) -> Line {
        Line {
            row: Some(self.number),
            identity: self.identity.clone(),
            outcome,
            code,
        }
    }

    fn warning(&self, code: &'static str) -> Line {
        self.line("warning", code)
    }
}

/// What a file asks for, before protection and holds.
struct Plan {
    rows: Vec<Row>,
    /// Whom the file would make inactive, and the row if a row says so.
    disables: BTreeMap<String, Option<u64>>,
    warnings: Vec<Line>,
    /// At least one row is processed.
    accepted: bool,
}

impl World {
    /// Processes a file, or rehearses it.
    pub fn drop_file(&mut self, mapping: &Mapping, file: &File) -> Outcome {
        let plan = self.plan(mapping, file);
        let mut lines = plan.warnings.clone();

        // "Protected people", as if nothing were held: who is protected is no disable, and counts
        // for no hold.
        let mut disables = plan.disables.clone();
        let mut protected: BTreeMap<String, Option<u64>> = BTreeMap::new();
        if let Some(id) = self.authoriser()
            && let Some(row) = disables.remove(&id)
        {
            protected.insert(id, row);
        }
        let mut after = self.with_rows(mapping, &plan.rows, true);
        for (id, row) in &disables {
            disable(&mut after, id, *row, &file.upload_id);
        }
        let mut keeper = self.last_administrator(&after);
        if let Some(id) = &keeper
            && let Some(row) = disables.remove(id)
        {
            protected.insert(id.clone(), row);
        }

        // "Holds"
        let held_reason = self.hold_reason(mapping, &plan, &disables);
        let hold_disables = held_reason.is_some();
        let hold_creates = held_reason == Some("identity_changed");

        // What really happens. With a hold nobody becomes inactive, and there may be fewer new
        // people, so the last administrator is looked for anew.
        let mut after = self.with_rows(mapping, &plan.rows, !hold_creates);
        if hold_disables {
            keeper = self.last_administrator(&after);
        } else {
            for (id, row) in &disables {
                disable(&mut after, id, *row, &file.upload_id);
            }
        }
        if let Some(id) = keeper
            && let Some(person) = after.get_mut(&id)
            && !person.roles.contains(ADMINISTRATOR)
        {
            // It stays one of the feed's roles, so that the feed can take it away once there is
            // another administrator.
            person.roles.insert(ADMINISTRATOR.to_string());
            person.feed_roles.insert(ADMINISTRATOR.to_string());
            for row in &plan.rows {
                if row.used() && row.person == id {
                    protected.insert(id.clone(), Some(row.number));
                }
            }
        }
        for (id, number) in &protected {
            lines.push(self.person_line(mapping, &plan, id, *number, "warning", "protected_user"));
        }

        // "Managers": rows that are accepted and applied name theirs.
        let mut applied: Vec<&Row> = Vec::new();
        for row in &plan.rows {
            if row.used() && !(row.creates && hold_creates) {
                applied.push(row);
            }
        }
        let addresses = self.addresses(&after);
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut graph: BTreeMap<String, (u64, BTreeSet<String>)> = BTreeMap::new();
        for row in &applied {
            let (managers, warnings) = self.managers(mapping, row, &addresses);
            lines.extend(warnings);
            named.extend(managers.iter().cloned());
            graph.insert(row.person.clone(), (row.number, managers.clone()));
            if let Some(person) = after.get_mut(&row.person)
                && !managers.is_empty()
            {
                person.manager_ids = managers;
            }
        }
        lines.extend(circles(&graph, &applied));
        if !is_mapped(mapping, &Field::Role) {
            for id in &named {
                if let Some(person) = after.get_mut(id) {
                    grant(person);
                }
            }
        }

        // Versions, and what everybody counts as.
        let mut rows: BTreeMap<u64, Did> = BTreeMap::new();
        let mut others: BTreeMap<String, Did> = BTreeMap::new();
        for (id, person) in &mut after {
            let did = what_happened(self.people.get(id), person);
            if did != Did::Unchanged {
                person.version += 1;
            }
            match applied.iter().find(|row| row.person == *id) {
                Some(row) => rows.insert(row.number, did),
                None => others.insert(id.clone(), did),
            };
        }
        let mut held_creates: BTreeSet<u64> = BTreeSet::new();
        for row in &plan.rows {
            if let Some(code) = row.problem {
                rows.insert(row.number, Did::NotProcessed);
                lines.push(row.line("not_processed", code));
            } else if row.duplicate {
                rows.insert(row.number, Did::Unchanged);
            } else if row.creates && hold_creates {
                rows.insert(row.number, Did::Unchanged);
                held_creates.insert(row.number);
                lines.push(row.line("held", "identity_changed"));
            } else if let Some(did) = rows.get(&row.number)
                && let Some(outcome) = did.line()
            {
                lines.push(row.line(outcome, ""));
            }
        }
        for (id, did) in &others {
            if let Some(outcome) = did.line() {
                lines.push(self.person_line(mapping, &plan, id, None, outcome, ""));
            }
        }
        let mut held_disables: BTreeMap<String, HeldDisable> = BTreeMap::new();
        if let Some(reason) = held_reason {
            for (id, row) in &disables {
                let version = after.get(id).map_or(0, |person| person.version);
                let line = self.person_line(mapping, &plan, id, *row, "held", reason);
                lines.push(line.clone());
                let row = *row;
                held_disables.insert(id.clone(), HeldDisable { row, version, line });
            }
        }

        let mut counts = count(&rows, &others, &lines);
        counts.held_disables = held_disables.len() as u64;
        counts.held_creates = held_creates.len() as u64;
        let outcome = Outcome {
            counts,
            lines,
            held_reason,
        };

        // "Rehearsals"
        if file.rehearsal {
            return outcome;
        }
        self.assign(&after);
        self.people = after;
        // A file without a single accepted row ends no hold and is no baseline.
        if plan.accepted {
            self.hold = None;
            if held_reason.is_some() {
                self.hold = Some(Hold {
                    file: file.clone(),
                    mapping: mapping.clone(),
                    outcome: outcome.clone(),
                    rows,
                    others,
                    disables: held_disables,
                    creates: held_creates,
                    protected: protected.into_keys().collect(),
                });
            } else {
                self.baseline = Some(outcome.counts.total);
            }
        }
        outcome
    }

    /// Approves the open hold ("Holds"): the file is planned once more, and of that plan only what
    /// was held is done. The outcome is that of the whole upload; an empty one if nothing is open.
    pub fn approve(&mut self) -> Outcome {
        let Some(hold) = self.hold.take() else {
            return Outcome::default();
        };
        let mapping = &hold.mapping;
        let mut plan = self.plan(mapping, &hold.file);
        // That the file had an accepted row was settled when it was held.
        plan.disables = self.disables(mapping, &plan.rows, true);
        let mut lines = hold.outcome.lines.clone();
        let mut rows = hold.rows.clone();
        let mut others = hold.others.clone();

        // Creates that were held, and still are creates.
        let mut creates: BTreeSet<u64> = BTreeSet::new();
        for row in &mut plan.rows {
            if !hold.creates.contains(&row.number) {
                continue;
            }
            if !row.creates {
                // Somebody is this person by now, whatever else the plan says of the row.
                remove_held_line(&mut lines, &row.line("held", ""));
                lines.push(row.warning("changed_meanwhile"));
                continue;
            }
            if self.has_address(row.text(mapping, &Field::Email)) {
                // Even if the plan moves that person away: the move is not done.
                row.problem = Some("email_taken");
            }
            if let Some(code) = row.problem {
                rows.insert(row.number, Did::NotProcessed);
                remove_held_line(&mut lines, &row.line("held", ""));
                lines.push(row.line("not_processed", code));
            } else {
                creates.insert(row.number);
            }
        }

        // Disables that were held, of people who were not changed since.
        let mut disables: BTreeMap<String, Option<u64>> = BTreeMap::new();
        for (id, held) in &hold.disables {
            let version = self.people.get(id).map(|person| person.version);
            if version != Some(held.version) {
                remove_held_line(&mut lines, &held.line);
                lines.push(Line {
                    outcome: "warning",
                    code: "changed_meanwhile",
                    ..held.line.clone()
                });
            } else if plan.disables.contains_key(id) {
                disables.insert(id.clone(), held.row);
            }
        }

        // "Protected people" anew, with what is really done.
        let mut after = self.people.clone();
        for row in &plan.rows {
            if creates.contains(&row.number) {
                after.insert(row.person.clone(), self.with_row(mapping, row, None));
            }
        }
        let mut protected: BTreeMap<String, Option<u64>> = BTreeMap::new();
        if let Some(id) = self.authoriser()
            && let Some(row) = disables.remove(&id)
        {
            protected.insert(id, row);
        }
        let mut without = after.clone();
        for (id, row) in &disables {
            disable(&mut without, id, *row, &hold.file.upload_id);
        }
        if let Some(id) = self.last_administrator(&without)
            && let Some(row) = disables.remove(&id)
        {
            protected.insert(id, row);
        }
        for id in protected.keys() {
            let held = &hold.disables[id].line;
            remove_held_line(&mut lines, held);
            // One warning for a person and a file.
            if !hold.protected.contains(id) {
                lines.push(Line {
                    outcome: "warning",
                    code: "protected_user",
                    ..held.clone()
                });
            }
        }

        // The disables.
        for (id, row) in &disables {
            disable(&mut after, id, *row, &hold.file.upload_id);
            if let Some(person) = after.get_mut(id) {
                person.version += 1;
            }
            held_line_becomes(&mut lines, &hold.disables[id].line, "disabled");
            let did = match row {
                Some(number) => rows.entry(*number).or_insert(Did::Disabled),
                None => others.entry(id.clone()).or_insert(Did::Disabled),
            };
            *did = Did::Disabled.min(*did);
        }

        // The creates. Their managers are looked up among the people as they are now. Only rows
        // that are applied now name managers, and only new people are given the role.
        let addresses = self.addresses(&after);
        let mut created: Vec<&Row> = Vec::new();
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut graph: BTreeMap<String, (u64, BTreeSet<String>)> = BTreeMap::new();
        for row in &plan.rows {
            if !creates.contains(&row.number) {
                continue;
            }
            let (managers, warnings) = self.managers(mapping, row, &addresses);
            named.extend(managers.iter().cloned());
            lines.extend(warnings);
            held_line_becomes(&mut lines, &row.line("held", ""), "created");
            rows.insert(row.number, Did::Created);
            graph.insert(row.person.clone(), (row.number, managers.clone()));
            if let Some(person) = after.get_mut(&row.person) {
                person.manager_ids = managers;
                person.version = 1;
            }
            created.push(row);
        }
        lines.extend(circles(&graph, &created));
        if !is_mapped(mapping, &Field::Role) {
            for row in &created {
                if named.contains(&row.person)
                    && let Some(person) = after.get_mut(&row.person)
                {
                    grant(person);
                }
            }
        }

        self.assign(&after);
        self.people = after;
        self.baseline = Some(hold.outcome.counts.total);
        let mut counts = count(&rows, &others, &lines);
        counts.held_disables = hold.outcome.counts.held_disables;
        counts.held_creates = hold.outcome.counts.held_creates;
        Outcome {
            counts,
            lines,
            held_reason: hold.outcome.held_reason,
        }
    }

    /// Rejects the open hold: everybody stays as they are.
    pub fn reject(&mut self) {
        self.hold = None;
    }

    /// A change of a person that is made in the portal.
    pub fn change(&mut self, user_id: &str, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.people.get_mut(user_id) {
            change(person);
            person.version += 1;
            person.disabled_by_upload = None;
        }
    }

    /// What the file asks for, before protection and holds.
    fn plan(&self, mapping: &Mapping, file: &File) -> Plan {
        let mut warnings = Vec::new();
        let mut rows = self.read_rows(mapping, file);
        self.mark_repeats(mapping, &mut rows, &mut warnings);
        self.find_people(mapping, &mut rows);
        self.settle_addresses(mapping, &mut rows, &mut warnings);
        for row in &rows {
            if row.used() {
                let (_, unknown) = self.groups_of(mapping, row);
                for _ in 0..unknown {
                    warnings.push(row.warning("group_not_found"));
                }
            }
        }
        let accepted = rows.iter().any(Row::used);
        let disables = self.disables(mapping, &rows, accepted);
        Plan {
            rows,
            disables,
            warnings,
            accepted,
        }
    }

    /// "Row numbers" and "Values": the rows that are not blank, each with its first mistake.
    fn read_rows(&self, mapping: &Mapping, file: &File) -> Vec<Row> {
        let mut rows = Vec::new();
        for (index, sent) in file.rows.iter().enumerate() {
            let mut cells: Vec<String> = Vec::new();
            for cell in sent {
                cells.push(cell.trim().to_string());
            }
            if cells.iter().all(String::is_empty) {
                continue;
            }
            let mut row = Row {
                number: index as u64 + 2,
                cells,
                identity: String::new(),
                problem: None,
                duplicate: false,
                person: String::new(),
                creates: false,
                keeps_address: false,
            };
            row.identity = row.text(mapping, identity_field(mapping)).to_string();
            row.problem = self.mistake(mapping, file, &row);
            rows.push(row);
        }
        rows
    }

    /// The first mistake of a row.
    fn mistake(&self, mapping: &Mapping, file: &File, row: &Row) -> Option<&'static str> {
        let mut beyond = row.cells.iter().skip(file.columns);
        if row.cells.len() < file.columns || beyond.any(|cell| !cell.is_empty()) {
            return Some("wrong_field_count");
        }
        let mut fields = mapping.fields.clone();
        fields.sort();
        for (field, column, _) in &fields {
            let value = row.cell(*column);
            let problem = match field {
                Field::Email if value.is_empty() => Some("missing_value"),
                Field::Email if !(self.names.is_email)(value) => Some("invalid_email"),
                Field::FirstName | Field::LastName | Field::ExternalId if value.is_empty() => {
                    Some("missing_value")
                }
                Field::Status if !["", "0", "1"].contains(&value) => Some("invalid_status"),
                Field::Role if parts(value).iter().any(|part| role(part).is_none()) => {
                    Some("unknown_role")
                }
                _ => None,
            };
            if problem.is_some() {
                return problem;
            }
        }
        None
    }

    /// "Identity", two rows about the same person: the first valid row is used.
    fn mark_repeats(&self, mapping: &Mapping, rows: &mut [Row], warnings: &mut Vec<Line>) {
        for index in 0..rows.len() {
            if rows[index].problem.is_some() {
                continue;
            }
            let identity = self.identity_key(mapping, &rows[index]);
            for earlier in 0..index {
                if !rows[earlier].used() || self.identity_key(mapping, &rows[earlier]) != identity {
                    continue;
                }
                if self.says(mapping, &rows[earlier]) == self.says(mapping, &rows[index]) {
                    rows[index].duplicate = true;
                    warnings.push(rows[index].warning("duplicate_row"));
                } else {
                    rows[index].problem = Some("conflicting_row");
                }
                break;
            }
        }
    }

    /// The identity of a valid row as it is compared.
    fn identity_key(&self, mapping: &Mapping, row: &Row) -> String {
        let value = row.text(mapping, identity_field(mapping));
        if mapping.by_external_id {
            value.to_string()
        } else {
            (self.names.email_key)(value)
        }
    }

    /// What a valid row says for the mapped fields, spelled in one way.
    fn says(&self, mapping: &Mapping, row: &Row) -> Vec<BTreeSet<String>> {
        let mut says = Vec::new();
        for (field, column, _) in &mapping.fields {
            let value = row.cell(*column);
            let mut set = BTreeSet::new();
            match field {
                Field::Email => {
                    set.insert((self.names.email_key)(value));
                }
                Field::Role => {
                    for part in parts(value) {
                        set.insert(role(part).unwrap_or(part).to_string());
                    }
                }
                Field::Group => {
                    for part in parts(value) {
                        set.insert(match group_number(part) {
                            Some(number) => number.to_string(),
                            None => part.to_string(),
                        });
                    }
                }
                Field::Manager => {
                    for part in parts(value) {
                        set.insert((self.names.email_key)(part));
                    }
                }
                _ => {
                    set.insert(value.to_string());
                }
            }
            says.push(set);
        }
        says
    }

    /// "Identity" and "User ids": whom each used row is about.
    fn find_people(&self, mapping: &Mapping, rows: &mut [Row]) {
        let mut found: BTreeSet<String> = BTreeSet::new();
        for row in rows {
            if !row.used() {
                continue;
            }
            match self.person_of(mapping, row) {
                // Of several rows that would take over the same person the first one counts.
                Some(id) if found.insert(id.clone()) => row.person = id,
                _ => {
                    row.creates = true;
                    row.person = self.new_id(mapping, row);
                }
            }
        }
    }

    /// The person that a row's identity tells, if the identity can be read.
    fn person_of(&self, mapping: &Mapping, row: &Row) -> Option<String> {
        let email = row.text(mapping, &Field::Email);
        if !mapping.by_external_id {
            return self.holder_of(email);
        }
        let external_id = row.text(mapping, &Field::ExternalId);
        if external_id.is_empty() {
            return None;
        }
        for (id, person) in &self.people {
            if person.external_id.as_deref() == Some(external_id) {
                return Some(id.clone());
            }
        }
        // A portal that moves from addresses to external ids keeps its people.
        let id = self.holder_of(email)?;
        let without = self.people.get(&id)?.external_id.is_none();
        without.then_some(id)
    }

    /// Who has an address, before the file.
    fn holder_of(&self, email: &str) -> Option<String> {
        if !(self.names.is_email)(email) {
            return None;
        }
        let key = (self.names.email_key)(email);
        for (id, person) in &self.people {
            if (self.names.email_key)(&person.email) == key {
                return Some(id.clone());
            }
        }
        None
    }

    fn has_address(&self, email: &str) -> bool {
        self.holder_of(email).is_some()
    }

    /// "User ids". Nobody has the new person's identity, so an id that exists is somebody else's.
    fn new_id(&self, mapping: &Mapping, row: &Row) -> String {
        let kind = if mapping.by_external_id {
            "external"
        } else {
            "email"
        };
        let value = self.identity_key(mapping, row);
        let mut n = 0;
        loop {
            let id = (self.names.user_id)(kind, &value, n);
            if !self.people.contains_key(&id) {
                return id;
            }
            n += 1;
        }
    }

    /// "Addresses"
    fn settle_addresses(&self, mapping: &Mapping, rows: &mut [Row], warnings: &mut Vec<Line>) {
        for row in rows.iter_mut() {
            if self.wants(mapping, row).is_none() || row.creates {
                continue;
            }
            if let Some(person) = self.people.get(&row.person)
                && self
                    .elsewhere
                    .contains(&(self.names.email_key)(&person.email))
            {
                row.keeps_address = true;
                warnings.push(row.warning("email_shared_with_other_portal"));
            }
        }
        // A refusal may be the reason for the next one, so look again after each. Refusals never
        // make an address free, so their order does not matter.
        while let Some(index) = self.refused(mapping, rows) {
            rows[index].problem = Some("email_taken");
        }
    }

    /// The address that a row wants for its person and that the person does not have yet.
    fn wants(&self, mapping: &Mapping, row: &Row) -> Option<String> {
        if !row.used() || row.keeps_address {
            return None;
        }
        let key = (self.names.email_key)(row.text(mapping, &Field::Email));
        match self.people.get(&row.person) {
            Some(person) if (self.names.email_key)(&person.email) == key => None,
            _ => Some(key),
        }
    }

    /// A row that wants an address which it cannot have.
    fn refused(&self, mapping: &Mapping, rows: &[Row]) -> Option<usize> {
        let mut moving: BTreeSet<&str> = BTreeSet::new();
        for row in rows {
            if self.wants(mapping, row).is_some() {
                moving.insert(&row.person);
            }
        }
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for (id, person) in &self.people {
            if !moving.contains(id.as_str()) {
                wanted.insert((self.names.email_key)(&person.email));
            }
        }
        for (index, row) in rows.iter().enumerate() {
            if let Some(key) = self.wants(mapping, row)
                && !wanted.insert(key)
            {
                return Some(index);
            }
        }
        None
    }

    /// Who is to become inactive, by status `0` or, with auto-disable, because of an absence.
    fn disables(
        &self,
        mapping: &Mapping,
        rows: &[Row],
        accepted: bool,
    ) -> BTreeMap<String, Option<u64>> {
        let mut disables = BTreeMap::new();
        for row in rows {
            if row.used()
                && row.text(mapping, &Field::Status) == "0"
                && let Some(person) = self.people.get(&row.person)
                && person.active
            {
                disables.insert(row.person.clone(), Some(row.number));
            }
        }
        // "Leavers and returners"
        if mapping.auto_disable && accepted {
            let mut present = BTreeSet::new();
            for row in rows {
                present.extend(self.present(mapping, row));
            }
            for (id, person) in &self.people {
                if person.active && person.feed_managed && !present.contains(id) {
                    disables.insert(id.clone(), None);
                }
            }
        }
        disables
    }

    /// "Leavers and returners": who counts as present because of a row, processed or not.
    fn present(&self, mapping: &Mapping, row: &Row) -> BTreeSet<String> {
        let email = row.text(mapping, &Field::Email);
        let by_identity = self.person_of(mapping, row);
        let by_address = self.holder_of(email);
        let mut by_name = BTreeSet::new();
        for (id, person) in &self.people {
            if same_name(&person.first_name, row.text(mapping, &Field::FirstName))
                && same_name(&person.last_name, row.text(mapping, &Field::LastName))
            {
                by_name.insert(id.clone());
            }
        }
        if row.problem == Some("wrong_field_count") {
            by_name.extend(by_identity);
            by_name.extend(by_address);
            return by_name;
        }
        if mapping.by_external_id && !row.text(mapping, &Field::ExternalId).is_empty() {
            return by_identity.into_iter().collect();
        }
        if (self.names.is_email)(email) {
            return by_address.into_iter().collect();
        }
        by_name
    }

    /// "What a row does": everybody as they are after the rows, but for managers and for who
    /// becomes inactive.
    fn with_rows(
        &self,
        mapping: &Mapping,
        rows: &[Row],
        creates: bool,
    ) -> BTreeMap<String, Person> {
        let mut after = self.people.clone();
        for row in rows {
            if row.used() && (creates || !row.creates) {
                let person = self.with_row(mapping, row, self.people.get(&row.person));
                after.insert(row.person.clone(), person);
            }
        }
        after
    }

    /// "What a row does" to one person; `before` is nobody if the row creates the person.
    fn with_row(&self, mapping: &Mapping, row: &Row, before: Option<&Person>) -> Person {
        let mut person = match before {
            Some(person) => person.clone(),
            None => Person {
                email: String::new(),
                first_name: String::new(),
                last_name: String::new(),
                external_id: None,
                active: row.text(mapping, &Field::Status) != "0",
                roles: BTreeSet::new(),
                feed_roles: BTreeSet::new(),
                group_ids: BTreeSet::new(),
                manager_ids: BTreeSet::new(),
                custom: BTreeMap::new(),
                feed_managed: true,
                manager_granted: false,
                disabled_by_upload: None,
                version: 0,
            },
        };
        person.feed_managed = true;
        if !row.keeps_address {
            person.email = row.text(mapping, &Field::Email).to_string();
        }
        person.first_name = row.text(mapping, &Field::FirstName).to_string();
        person.last_name = row.text(mapping, &Field::LastName).to_string();
        if mapping.by_external_id {
            person.external_id = Some(row.text(mapping, &Field::ExternalId).to_string());
        }

        // Becoming active. "Leavers and returners" where no status is mapped.
        let activate = match row.value(mapping, &Field::Status) {
            Some(status) => status == "1",
            None => person.disabled_by_upload.is_some(),
        };
        if activate && !person.active {
            person.active = true;
            person.disabled_by_upload = None;
        }

        let mut named: BTreeSet<String> = BTreeSet::new();
        for part in parts(row.text(mapping, &Field::Role)) {
            named.extend(role(part).map(str::to_string));
        }
        if !named.is_empty() {
            let given_in_portal: BTreeSet<String> = &person.roles - &person.feed_roles;
            person.roles = &given_in_portal | &named;
            person.feed_roles = &named - &given_in_portal;
        }
        if before.is_none() && named.is_empty() {
            person.roles.insert(LEARNER.to_string());
        }

        let (groups, _) = self.groups_of(mapping, row);
        person.group_ids.extend(groups);

        for (field, column, clear) in &mapping.fields {
            if let Field::Custom(name) = field {
                let value = row.cell(*column);
                if !value.is_empty() {
                    person.custom.insert(name.clone(), value.to_string());
                } else if *clear {
                    person.custom.remove(name);
                }
            }
        }
        person
    }

    /// "Groups": the portal's groups that a row names, and how many parts are none.
    fn groups_of(&self, mapping: &Mapping, row: &Row) -> (BTreeSet<u64>, usize) {
        let mut groups = BTreeSet::new();
        let mut unknown = 0;
        for part in parts(row.text(mapping, &Field::Group)) {
            match group_number(part) {
                Some(number) if self.groups.contains_key(&number) => {
                    groups.insert(number);
                }
                _ => unknown += 1,
            }
        }
        (groups, unknown)
    }

    /// "Groups": whoever comes into a group is assigned its learning, once and for good.
    fn assign(&mut self, after: &BTreeMap<String, Person>) {
        for (id, person) in after {
            for group in &person.group_ids {
                let already = self
                    .people
                    .get(id)
                    .is_some_and(|before| before.group_ids.contains(group));
                if already {
                    continue;
                }
                for learning in self.groups.get(group).into_iter().flatten() {
                    self.assignments.insert((id.clone(), *learning));
                }
            }
        }
    }

    /// Whose each address is, as it is compared.
    fn addresses(&self, people: &BTreeMap<String, Person>) -> BTreeMap<String, String> {
        let mut addresses = BTreeMap::new();
        for (id, person) in people {
            addresses.insert((self.names.email_key)(&person.email), id.clone());
        }
        addresses
    }

    /// "Managers": those that a row names, without oneself, and the warnings.
    fn managers(
        &self,
        mapping: &Mapping,
        row: &Row,
        addresses: &BTreeMap<String, String>,
    ) -> (BTreeSet<String>, Vec<Line>) {
        let mut managers = BTreeSet::new();
        let mut warnings = Vec::new();
        for part in parts(row.text(mapping, &Field::Manager)) {
            match addresses.get(&(self.names.email_key)(part)) {
                None => warnings.push(row.warning("manager_not_found")),
                Some(id) if *id == row.person => warnings.push(row.warning("manager_self")),
                Some(id) => {
                    managers.insert(id.clone());
                }
            }
        }
        (managers, warnings)
    }

    /// "Protected people": who authorised the feed, by the address before the file.
    fn authoriser(&self) -> Option<String> {
        self.holder_of(self.authorised_by.as_deref()?)
    }

    /// "Protected people": if somebody active is administrator now and nobody would be after the
    /// file, the one of those who would lose it who is to keep it.
    fn last_administrator(&self, after: &BTreeMap<String, Person>) -> Option<String> {
        let is_one = |person: &&Person| person.active && person.roles.contains(ADMINISTRATOR);
        if after.values().any(|person| is_one(&person)) {
            return None;
        }
        // Nobody is one any more, so all who were one would lose it.
        let authoriser = self.authoriser();
        let mut lowest = None;
        for (id, person) in &self.people {
            if !is_one(&person) {
                continue;
            }
            if authoriser.as_ref() == Some(id) {
                return authoriser;
            }
            if lowest.is_none() {
                lowest = Some(id.clone());
            }
        }
        lowest
    }

    /// "Holds": whether the disables are held, and why. `identity_changed` holds the creates too.
    fn hold_reason(
        &self,
        mapping: &Mapping,
        plan: &Plan,
        disables: &BTreeMap<String, Option<u64>>,
    ) -> Option<&'static str> {
        if disables.is_empty() {
            return None;
        }
        let mut active = 0;
        for person in self.people.values() {
            if person.active && person.feed_managed {
                active += 1;
            }
        }
        let total = plan.rows.len() as u64;
        let not_processed = plan.rows.iter().filter(|row| row.problem.is_some()).count() as u64;
        let creates = plan
            .rows
            .iter()
            .filter(|row| row.used() && row.creates)
            .count() as u64;
        let malformed = plan
            .rows
            .iter()
            .any(|row| row.problem == Some("wrong_field_count"));
        let missing = mapping.auto_disable && disables.values().any(Option::is_none);

        let reason = if self.above_limit(disables.len() as u64, active) {
            "too_many_disables"
        } else if self
            .baseline
            .is_some_and(|rows| rows >= 20 && total * 2 < rows)
        {
            "too_few_rows"
        } else if self.above_percent(not_processed, total) {
            "too_many_not_processed"
        } else if self.hold_on_malformed_rows && malformed && missing {
            "malformed_rows"
        } else {
            return None;
        };
        if self.above_limit(creates, active) {
            return Some("identity_changed");
        }
        Some(reason)
    }

    /// More than both the floor and the percentage.
    fn above_percent(&self, number: u64, of: u64) -> bool {
        number > self.floor && number * 100 > self.percent * of
    }

    /// The limit of `too_many_disables`.
    fn above_limit(&self, number: u64, active: u64) -> bool {
        self.above_percent(number, active) || (active >= 3 && number * 2 > active)
    }

    /// A line about a person, called as the row calls them, or without a row as they are called.
    fn person_line(
        &self,
        mapping: &Mapping,
        plan: &Plan,
        id: &str,
        number: Option<u64>,
        outcome: &'static str,
        code: &'static str,
    ) -> Line {
        for row in &plan.rows {
            if Some(row.number) == number {
                return row.line(outcome, code);
            }
        }
        let mut identity = String::new();
        if let Some(person) = self.people.get(id) {
            identity = person.email.clone();
            if mapping.by_external_id
                && let Some(external_id) = &person.external_id
            {
                identity = external_id.clone();
            }
        }
        Line {
            row: None,
            identity,
            outcome,
            code,
        }
    }
}

/// The field that people are identified by.
fn identity_field(mapping: &Mapping) -> &'static Field {
    if mapping.by_external_id {
        &Field::ExternalId
    } else {
        &Field::Email
    }
}

fn is_mapped(mapping: &Mapping, field: &Field) -> bool {
    mapping.fields.iter().any(|(mapped, _, _)| mapped == field)
}

/// The parts of a cell that holds several values. Parts that are blank say nothing.
fn parts(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in value.split('|') {
        if !part.trim().is_empty() {
            parts.push(part.trim());
        }
    }
    parts
}

/// A role as it is kept; nothing if there is no such role.
fn role(part: &str) -> Option<&'static str> {
    ROLES
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(part))
}

/// The number of a group; nothing if this is no number.
fn group_number(part: &str) -> Option<u64> {
    if !part.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    part.parse().ok()
}

/// "Leavers and returners": trimmed and without regard to case.
fn same_name(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}

/// Makes somebody inactive; without a row it was an absence.
fn disable(people: &mut BTreeMap<String, Person>, id: &str, row: Option<u64>, upload_id: &str) {
    if let Some(person) = people.get_mut(id) {
        person.active = false;
        person.disabled_by_upload = match row {
            Some(_) => None,
            None => Some(upload_id.to_string()),
        };
    }
}

/// "Managers": the role is given when somebody is named for the first time, and never again.
/// Somebody who has it already is marked only.
fn grant(person: &mut Person) {
    if !person.manager_granted {
        person.manager_granted = true;
        person.roles.insert(MANAGER.to_string());
    }
}

/// "Reports": what happened to a person.
fn what_happened(before: Option<&Person>, after: &Person) -> Did {
    let Some(before) = before else {
        return Did::Created;
    };
    if !before.active && after.active {
        return Did::Enabled;
    }
    if before.active && !after.active {
        return Did::Disabled;
    }
    // The mark of a manager who has the role already is no change.
    let mut marked = before.clone();
    marked.manager_granted = after.manager_granted;
    if marked == *after {
        Did::Unchanged
    } else {
        Did::Updated
    }
}

/// "Managers": one warning for each circle among the people of the file, at its first row. A
/// circle here is all who can reach each other; the graph is person, row, managers.
fn circles(graph: &BTreeMap<String, (u64, BTreeSet<String>)>, rows: &[&Row]) -> Vec<Line> {
    let mut warnings = Vec::new();
    for (id, (number, _)) in graph {
        let mut in_circle = false;
        let mut first = true;
        for other in reachable(graph, id) {
            if other != *id
                && reachable(graph, &other).contains(id)
                && let Some((other_number, _)) = graph.get(&other)
            {
                in_circle = true;
                first = first && number < other_number;
            }
        }
        if in_circle && first {
            for row in rows {
                if row.number == *number {
                    warnings.push(row.warning("manager_loop"));
                }
            }
        }
    }
    warnings
}

/// Whom one comes to from a person by going from manager to manager within the file.
fn reachable(graph: &BTreeMap<String, (u64, BTreeSet<String>)>, from: &str) -> BTreeSet<String> {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut next = vec![from.to_string()];
    while let Some(id) = next.pop() {
        if let Some((_, managers)) = graph.get(&id) {
            for manager in managers {
                if graph.contains_key(manager) && reached.insert(manager.clone()) {
                    next.push(manager.clone());
                }
            }
        }
    }
    reached
}

/// The line of what was held becomes the line of what was done.
fn held_line_becomes(lines: &mut [Line], held: &Line, outcome: &'static str) {
    for line in lines {
        if line.outcome == "held" && line.row == held.row && line.identity == held.identity {
            line.outcome = outcome;
            line.code = "";
            return;
        }
    }
}

/// What became of somebody is told in the place of what was held.
fn remove_held_line(lines: &mut Vec<Line>, held: &Line) {
    let is_it = |line: &Line| {
        line.outcome == "held" && line.row == held.row && line.identity == held.identity
    };
    if let Some(at) = lines.iter().position(is_it) {
        lines.remove(at);
    }
}

/// The numbers, but for what was held.
fn count(rows: &BTreeMap<u64, Did>, others: &BTreeMap<String, Did>, lines: &[Line]) -> Counts {
    let mut counts = Counts {
        total: rows.len() as u64,
        ..Counts::default()
    };
    for did in rows.values() {
        match did {
            Did::NotProcessed => counts.not_processed += 1,
            Did::Created => counts.created += 1,
            Did::Enabled => counts.enabled += 1,
            Did::Disabled => counts.disabled += 1,
            Did::Updated => counts.updated += 1,
            Did::Unchanged => counts.unchanged += 1,
        }
    }
    for did in others.values() {
        match did {
            Did::Disabled => counts.others_disabled += 1,
            Did::Updated => counts.others_updated += 1,
            _ => {}
        }
    }
    for line in lines {
        if line.outcome == "warning" {
            counts.warnings += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    //! Small examples of every rule, under the headings of docs/rules.md.

    use super::*;

    fn names() -> Names {
        Names {
            user_id: |kind, value, n| format!("{kind}:{value}:{n}"),
            email_key: |email| email.trim().to_lowercase(),
            is_email: |email| {
                let halves: Vec<&str> = email.split('@').collect();
                halves.len() == 2 && !halves[0].is_empty() && halves[1].contains('.')
            },
        }
    }

    /// A portal with groups 1 and 2, whose limits are so high that hardly anything is held.
    fn world() -> World {
        World {
            names: names(),
            people: BTreeMap::new(),
            authorised_by: None,
            percent: 10,
            floor: 20,
            hold_on_malformed_rows: true,
            groups: BTreeMap::from([(1, vec![10, 11]), (2, vec![11, 12])]),
            assignments: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            baseline: None,
            hold: None,
        }
    }

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| value.to_string()).collect()
    }

    /// A feed-managed, active learner with the address `<name>@x.y`.
    fn person(name: &str) -> Person {
        Person {
            email: format!("{name}@x.y"),
            first_name: name.to_string(),
            last_name: "L".to_string(),
            external_id: None,
            active: true,
            roles: set(&["Learner"]),
            feed_roles: set(&[]),
            group_ids: BTreeSet::new(),
            manager_ids: BTreeSet::new(),
            custom: BTreeMap::new(),
            feed_managed: true,
            manager_granted: false,
            disabled_by_upload: None,
            version: 1,
        }
    }

    impl World {
        /// Adds people whose user ids are their names.
        fn with(mut self, people: &[&str]) -> World {
            for name in people {
                self.people.insert(name.to_string(), person(name));
            }
            self
        }

        fn set(mut self, id: &str, change: impl FnOnce(&mut Person)) -> World {
            change(self.people.get_mut(id).unwrap());
            self
        }

        fn get(&self, id: &str) -> &Person {
            self.people.get(id).unwrap()
        }

        /// A file whose cells are separated by commas; `""` is a blank line.
        fn send(&mut self, mapping: &Mapping, rows: &[&str]) -> Outcome {
            self.drop_file(mapping, &file(mapping, rows))
        }
    }

    fn file(mapping: &Mapping, rows: &[&str]) -> File {
        let mut cells = Vec::new();
        for row in rows {
            cells.push(row.split(',').map(str::to_string).collect());
        }
        File {
            upload_id: "up".to_string(),
            columns: mapping.fields.len(),
            rows: cells,
            rehearsal: false,
        }
    }

    fn mapping(more: &[Field]) -> Mapping {
        let mut fields = vec![Field::Email, Field::FirstName, Field::LastName];
        fields.extend(more.iter().cloned());
        Mapping {
            fields: fields
                .into_iter()
                .enumerate()
                .map(|(column, field)| (field, column, false))
                .collect(),
            by_external_id: false,
            auto_disable: false,
        }
    }

    /// email, first name, last name, external id
    fn external() -> Mapping {
        Mapping {
            by_external_id: true,
            ..mapping(&[Field::ExternalId])
        }
    }

    fn auto_disable() -> Mapping {
        Mapping {
            auto_disable: true,
            ..mapping(&[])
        }
    }

    /// The lines, sorted and written out: `row identity outcome code`.
    fn lines(outcome: &Outcome) -> Vec<String> {
        let mut lines = outcome.lines.clone();
        lines.sort();
        let mut written = Vec::new();
        for line in lines {
            let row = line.row.map_or("-".to_string(), |row| row.to_string());
            let text = format!("{row} {} {} {}", line.identity, line.outcome, line.code);
            written.push(text.trim_end().to_string());
        }
        written
    }

    /// total, created, updated, unchanged, disabled, enabled, not processed
    fn rows(outcome: &Outcome) -> [u64; 7] {
        let c = &outcome.counts;
        let sum = c.created + c.updated + c.unchanged + c.disabled + c.enabled + c.not_processed;
        assert_eq!(c.total, sum);
        let warnings = outcome.lines.iter().filter(|l| l.outcome == "warning");
        assert_eq!(c.warnings, warnings.count() as u64);
        [
            c.total,
            c.created,
            c.updated,
            c.unchanged,
            c.disabled,
            c.enabled,
            c.not_processed,
        ]
    }

    /// The held disables and creates.
    fn held(outcome: &Outcome) -> (u64, u64) {
        (outcome.counts.held_disables, outcome.counts.held_creates)
    }

    /// `a@x.y,a,L` for each name: the rows that leave people as they are.
    fn same_rows(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| format!("{n}@x.y,{n},L")).collect()
    }

    fn refs(rows: &[String]) -> Vec<&str> {
        rows.iter().map(String::as_str).collect()
    }

    /// A portal of ten feed-managed people, and a file without six of them.
    fn six_of_ten_leave() -> (World, Outcome) {
        let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let mut world = world().with(&all);
        let outcome = world.send(&auto_disable(), &refs(&same_rows(&all[..4])));
        (world, outcome)
    }

    // Row numbers, Values

    #[test]
    fn blank_rows_take_their_number_and_count_as_nothing() {
        let mut world = world();
        let outcome = world.send(&mapping(&[]), &["", " , ,", "a@x.y,A,L"]);
        assert_eq!(rows(&outcome), [1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(lines(&outcome), ["4 a@x.y created"]);
    }

    #[test]
    fn rows_with_mistakes_are_not_processed() {
        let mut world = world();
        let mapping = mapping(&[Field::Status, Field::Role]);
        let outcome = world.send(
            &mapping,
            &[
                "a@x.y,A,L,1",
                "b@x.y,B,L,1,,beyond",
                "c@x.y,C,L,1,,  ,",
                ",D,L,1,",
                "e@x,E,L,1,",
                "f@x.y, ,L,1,",
                "g@x.y,G,,yes,Boss",
                "h@x.y,H,L,yes,Boss",
                "i@x.y,I,L,,Learner|Boss",
                "j@x.y,J,L,,ADMINISTRATOR | learner|",
            ],
        );
        assert_eq!(
            lines(&outcome),
            [
                "2 a@x.y not_processed wrong_field_count",
                "3 b@x.y not_processed wrong_field_count",
                "4 c@x.y created",
                "5  not_processed missing_value",
                "6 e@x not_processed invalid_email",
                "7 f@x.y not_processed missing_value",
                "8 g@x.y not_processed missing_value",
                "9 h@x.y not_processed invalid_status",
                "10 i@x.y not_processed unknown_role",
                "11 j@x.y created",
            ]
        );
        assert_eq!(rows(&outcome), [10, 2, 0, 0, 0, 0, 8]);
        let roles = set(&["Administrator", "Learner"]);
        assert_eq!(world.get("email:j@x.y:0").roles, roles);
    }

    // Identity

    #[test]
    fn an_external_id_is_required_where_it_is_the_identity() {
        let outcome = world().send(&external(), &["a@x.y,A,L, "]);
        assert_eq!(lines(&outcome), ["2  not_processed missing_value"]);
    }

    #[test]
    fn addresses_are_compared_and_kept_as_sent() {
        let mut world = world().with(&["a"]);
        let outcome = world.send(&mapping(&[]), &[" A@x.Y , a ,L"]);
        assert_eq!(lines(&outcome), ["2 A@x.Y updated"]);
        assert_eq!(world.get("a").email, "A@x.Y");
        assert_eq!(world.get("a").version, 2);
        let outcome = world.send(&mapping(&[]), &["A@x.Y,a,L"]);
        assert_eq!(rows(&outcome), [1, 0, 0, 1, 0, 0, 0]);
        assert_eq!(world.get("a").version, 2);
    }

    #[test]
    fn external_ids_are_compared_exactly() {
        let mut world = world()
            .with(&["a"])
            .set("a", |a| a.external_id = Some("x1".to_string()));
        let outcome = world.send(&external(), &["a@x.y,a,L, x1 ", "b@x.y,b,L,X1"]);
        assert_eq!(lines(&outcome), ["3 X1 created"]);
    }

    #[test]
    fn people_without_an_external_id_are_taken_over_by_address() {
        let mut world = world().with(&["a", "b"]).set("b", |b| {
            b.external_id = Some("9".to_string());
        });
        let outcome = world.send(&external(), &["a@x.y,a,L,1", "A@x.y,a,L,2", "b@x.y,b,L,3"]);
        assert_eq!(
            lines(&outcome),
            [
                "2 1 updated",
                "3 2 not_processed email_taken",
                "4 3 not_processed email_taken"
            ]
        );
        assert_eq!(world.get("a").external_id.as_deref(), Some("1"));
    }

    #[test]
    fn repeated_rows() {
        let mut world = world();
        let mapping = mapping(&[Field::Role, Field::Group, Field::Manager]);
        let outcome = world.send(
            &mapping,
            &[
                "a@x.y,,L,,,",
                "a@x.y,A,L,Learner|Manager,1|7,b@x.y|c@x.y",
                "A@X.y, A ,L,manager|LEARNER,7 | 1,C@x.y|b@x.y",
                "a@x.y,A,L,Learner,1|7,b@x.y|c@x.y",
            ],
        );
        assert_eq!(
            lines(&outcome),
            [
                "2 a@x.y not_processed missing_value",
                "3 a@x.y created",
                "3 a@x.y warning group_not_found",
                "3 a@x.y warning manager_not_found",
                "3 a@x.y warning manager_not_found",
                "4 A@X.y warning duplicate_row",
                "5 a@x.y not_processed conflicting_row",
            ]
        );
        assert_eq!(rows(&outcome), [4, 1, 0, 1, 0, 0, 2]);
    }

    #[test]
    fn a_blank_is_something_else_than_the_value_it_stands_for() {
        let mapping = mapping(&[Field::Status]);
        let outcome = world().send(&mapping, &["a@x.y,A,L,1", "a@x.y,A,L,"]);
        assert_eq!(rows(&outcome), [2, 1, 0, 0, 0, 0, 1]);
    }

    // Addresses

    /// Four people with the external ids 1 to 4 and the addresses a@x.y to d@x.y.
    fn four() -> World {
        let mut world = world();
        for (name, external_id) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
            world = world.with(&[name]).set(name, |person| {
                person.external_id = Some(external_id.to_string());
            });
        }
        world
    }

    #[test]
    fn people_swap_addresses() {
        let mut world = four();
        let outcome = world.send(&external(), &["b@x.y,a,L,1", "c@x.y,b,L,2", "a@x.y,c,L,3"]);
        assert_eq!(rows(&outcome), [3, 0, 3, 0, 0, 0, 0]);
        assert_eq!(world.get("a").email, "b@x.y");
        assert_eq!(world.get("c").email, "a@x.y");
    }

    #[test]
    fn a_refused_move_refuses_the_next() {
        let mut world = four();
        // 3 wants what 4 keeps, 2 what 3 therefore keeps, and somebody new what 2 keeps.
        let outcome = world.send(&external(), &["b@x.y,n,L,9", "c@x.y,b,L,2", "d@x.y,c,L,3"]);
        assert_eq!(rows(&outcome), [3, 0, 0, 0, 0, 0, 3]);
        assert_eq!(
            lines(&outcome),
            [
                "2 9 not_processed email_taken",
                "3 2 not_processed email_taken",
                "4 3 not_processed email_taken"
            ]
        );
    }

    #[test]
    fn the_first_row_gets_a_free_address_and_leaves_its_own() {
        let mut world = four();
        let outcome = world.send(&external(), &["a@x.y,n,L,9", "z@x.y,a,L,1", "Z@x.y,b,L,2"]);
        assert_eq!(
            lines(&outcome),
            [
                "2 9 created",
                "3 1 updated",
                "4 2 not_processed email_taken"
            ]
        );
    }

    #[test]
    fn who_is_not_processed_does_not_move() {
        let outcome = four().send(&external(), &["z@x.y,,L,1", "a@x.y,b,L,2"]);
        assert_eq!(rows(&outcome), [2, 0, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn an_address_of_another_portal_is_kept_and_not_free() {
        let mut world = four();
        world.elsewhere.insert("a@x.y".to_string());
        let outcome = world.send(
            &external(),
            &["z@x.y,New,L,1", "a@x.y,b,L,2", "z@x.y,c,L,3"],
        );
        assert_eq!(
            lines(&outcome),
            [
                "2 1 updated",
                "2 1 warning email_shared_with_other_portal",
                "3 2 not_processed email_taken",
                "4 3 updated"
            ]
        );
        assert_eq!(world.get("a").email, "a@x.y");
        assert_eq!(world.get("a").first_name, "New");
        // Another spelling is no other address.
        let outcome = world.send(&external(), &["A@x.y,New,L,1"]);
        assert_eq!(lines(&outcome), ["2 1 updated"]);
    }

    // User ids

    #[test]
    fn an_id_that_somebody_else_has_is_passed_over() {
        let mut world = world();
        world.send(&mapping(&[]), &["a@x.y,A,L"]);
        world.change("email:a@x.y:0", |a| a.email = "z@x.y".to_string());
        world.send(&mapping(&[]), &["a@x.y,B,L"]);
        assert_eq!(world.get("email:a@x.y:1").first_name, "B");
        world.send(&external(), &["q@x.y,Q,L,7"]);
        assert_eq!(world.get("external:7:0").external_id.as_deref(), Some("7"));
    }

    // What a row does

    #[test]
    fn a_create_stores_everything() {
        let mut world = world();
        let custom = Field::Custom("title".to_string());
        let mapping = mapping(&[Field::Status, Field::Role, Field::Group, custom]);
        world.send(&mapping, &["a@x.y,A,L,,manager,1,Boss", "b@x.y,B,L,0,,,"]);
        let a = world.get("email:a@x.y:0");
        assert_eq!((a.version, a.active, a.feed_managed), (1, true, true));
        assert_eq!(a.roles, set(&["Manager"]));
        assert_eq!(a.feed_roles, set(&["Manager"]));
        assert_eq!(a.group_ids, BTreeSet::from([1]));
        assert_eq!(a.custom["title"], "Boss");
        let b = world.get("email:b@x.y:0");
        assert!(!b.active);
        assert_eq!(b.roles, set(&["Learner"]));
        assert_eq!(b.feed_roles, set(&[]));
        assert!(b.custom.is_empty());
    }

    #[test]
    fn being_managed_by_the_feed_is_an_update() {
        let mut world = world().with(&["a"]).set("a", |a| a.feed_managed = false);
        let outcome = world.send(&mapping(&[]), &["a@x.y,a,L"]);
        assert_eq!(lines(&outcome), ["2 a@x.y updated"]);
        assert!(world.get("a").feed_managed);
    }

    #[test]
    fn an_empty_custom_cell_keeps_or_clears() {
        let title = Field::Custom("title".to_string());
        let mut world = world().with(&["a"]).set("a", |a| {
            a.custom.insert("title".to_string(), "Boss".to_string());
        });
        let mut mapping = mapping(&[title]);
        let outcome = world.send(&mapping, &["a@x.y,a,L,"]);
        assert_eq!(rows(&outcome)[3], 1);
        mapping.fields[3].2 = true;
        let outcome = world.send(&mapping, &["a@x.y,a,L,"]);
        assert_eq!(rows(&outcome)[2], 1);
        assert!(world.get("a").custom.is_empty());
    }

    #[test]
    fn status_makes_inactive_and_active() {
        let mapping = mapping(&[Field::Status]);
        let mut world = world().with(&["a", "b"]);
        let outcome = world.send(&mapping, &["a@x.y,New,L,0", "b@x.y,b,L,"]);
        assert_eq!(lines(&outcome), ["2 a@x.y disabled"]);
        assert_eq!(rows(&outcome), [2, 0, 0, 1, 1, 0, 0]);
        assert_eq!(world.get("a").disabled_by_upload, None);
        assert_eq!((world.get("a").version, world.get("b").version), (2, 1));
        let outcome = world.send(&mapping, &["a@x.y,a,L,1"]);
        assert_eq!(lines(&outcome), ["2 a@x.y enabled"]);
        assert!(world.get("a").active);
    }

    #[test]
    fn the_feeds_roles_are_replaced_and_the_portals_stay() {
        let mapping = mapping(&[Field::Role]);
        let mut world = world().with(&["a"]).set("a", |a| {
            a.roles = set(&["Learner", "Content administrator"]);
            a.feed_roles = set(&["Learner"]);
        });
        world.send(&mapping, &["a@x.y,a,L,Manager|Content administrator"]);
        let a = world.get("a");
        assert_eq!(a.roles, set(&["Content administrator", "Manager"]));
        assert_eq!(a.feed_roles, set(&["Manager"]));
        // An empty cell keeps what is there, and the same again changes nothing.
        let outcome = world.send(&mapping, &["a@x.y,a,L,"]);
        assert_eq!(rows(&outcome)[3], 1);
        let outcome = world.send(&mapping, &["a@x.y,a,L,content administrator|manager"]);
        assert_eq!(rows(&outcome)[3], 1);
    }

    // Groups

    #[test]
    fn learning_is_assigned_once_and_groups_are_never_left() {
        let mapping = mapping(&[Field::Group]);
        let mut world = world().with(&["a", "b"]).set("b", |b| {
            b.group_ids.insert(1);
        });
        let outcome = world.send(&mapping, &["a@x.y,a,L,1 | 3|x|3", "b@x.y,b,L,1|2"]);
        assert_eq!(outcome.counts.warnings, 3);
        let given = |id: &str, learning| (id.to_string(), learning);
        let expected = BTreeSet::from([
            given("a", 10),
            given("a", 11),
            given("b", 11),
            given("b", 12),
        ]);
        assert_eq!(world.assignments, expected);
        let outcome = world.send(&mapping, &["a@x.y,a,L,", "b@x.y,b,L,2"]);
        assert_eq!(rows(&outcome)[3], 2);
        // Taken out in the portal, the person comes back, but is assigned nothing anew.
        world.change("a", |a| a.group_ids.clear());
        let outcome = world.send(&mapping, &["a@x.y,a,L,1"]);
        assert_eq!(rows(&outcome)[2], 1);
        assert_eq!(world.assignments, expected);
    }

    // Managers

    #[test]
    fn managers_are_looked_up_after_the_file() {
        let mut mapping = external();
        mapping.fields.push((Field::Manager, 4, false));
        let mut world = four();
        let outcome = world.send(
            &mapping,
            &[
                "a@x.y,a,L,1,new@x.y|z@x.y|b@x.y|A@x.y",
                "Z@x.y,b,L,2,",
                "new@x.y,n,L,9,",
                "c@x.y,c,L,3,nobody@x.y|c@x.y",
            ],
        );
        // b has moved away, so nobody has b@x.y any more.
        assert_eq!(
            lines(&outcome),
            [
                "2 1 updated",
                "2 1 warning manager_not_found",
                "2 1 warning manager_self",
                "3 2 updated",
                "4 9 created",
                "5 3 warning manager_not_found",
                "5 3 warning manager_self"
            ]
        );
        assert_eq!(world.get("a").manager_ids, set(&["b", "external:9:0"]));
        // Who is new is created with the role.
        let new = world.get("external:9:0");
        assert_eq!(new.roles, set(&["Learner", "Manager"]));
        assert_eq!((new.version, new.manager_granted), (1, true));
        assert_eq!(new.feed_roles, set(&[]));
    }

    #[test]
    fn managers_are_replaced_or_kept() {
        let mapping = mapping(&[Field::Manager]);
        let mut world = world().with(&["a", "b", "c"]).set("a", |a| {
            a.manager_ids = set(&["c"]);
        });
        for kept in ["a@x.y,a,L,", "a@x.y,a,L,no@x.y", "a@x.y,a,L,a@x.y"] {
            world.send(&mapping, &[kept]);
            assert_eq!(world.get("a").manager_ids, set(&["c"]));
        }
        world.send(&mapping, &["a@x.y,a,L,no@x.y|b@x.y"]);
        assert_eq!(world.get("a").manager_ids, set(&["b"]));
    }

    #[test]
    fn the_role_is_given_once() {
        let mapping = mapping(&[Field::Manager]);
        let mut world = world().with(&["a", "b", "c"]).set("c", |c| {
            c.roles = set(&["Manager"]);
            c.active = false;
        });
        let outcome = world.send(&mapping, &["a@x.y,a,L,b@x.y|c@x.y", "b@x.y,,L,"]);
        assert_eq!(
            lines(&outcome),
            [
                "- b@x.y updated",
                "2 a@x.y updated",
                "3 b@x.y not_processed missing_value"
            ]
        );
        assert_eq!(outcome.counts.others_updated, 1);
        assert_eq!(world.get("b").roles, set(&["Learner", "Manager"]));
        assert_eq!(world.get("b").version, 2);
        // Who has the role already is marked only.
        assert_eq!(
            (world.get("c").version, world.get("c").manager_granted),
            (1, true)
        );
        for id in ["b", "c"] {
            world.change(id, |person| person.roles = set(&["Learner"]));
        }
        let outcome = world.send(&mapping, &["a@x.y,a,L,b@x.y|c@x.y"]);
        assert_eq!(lines(&outcome), [""; 0]);
    }

    #[test]
    fn a_manager_with_a_row_counts_there() {
        let mapping = mapping(&[Field::Manager]);
        let mut world = world().with(&["a", "b"]);
        let outcome = world.send(&mapping, &["a@x.y,a,L,b@x.y", "b@x.y,b,L,"]);
        assert_eq!(lines(&outcome), ["2 a@x.y updated", "3 b@x.y updated"]);
    }

    #[test]
    fn roles_are_the_files_where_they_are_mapped() {
        let mapping = mapping(&[Field::Manager, Field::Role]);
        let mut world = world().with(&["a", "b"]);
        world.send(&mapping, &["a@x.y,a,L,b@x.y,"]);
        assert_eq!(world.get("b"), &person("b"));
    }

    #[test]
    fn circles_are_stored_with_one_warning_each() {
        let mapping = mapping(&[Field::Manager]);
        let mut world = world().with(&["a", "b", "c", "d", "e", "f"]);
        let outcome = world.send(
            &mapping,
            &[
                "f@x.y,f,L,a@x.y",
                "c@x.y,c,L,a@x.y",
                "a@x.y,a,L,b@x.y",
                "b@x.y,b,L,c@x.y|a@x.y",
                "d@x.y,d,L,e@x.y",
                "e@x.y,e,L,d@x.y",
            ],
        );
        let warnings: Vec<String> = lines(&outcome)
            .into_iter()
            .filter(|line| line.contains("warning"))
            .collect();
        assert_eq!(
            warnings,
            [
                "3 c@x.y warning manager_loop",
                "6 d@x.y warning manager_loop"
            ]
        );
        assert_eq!(world.get("b").manager_ids, set(&["a", "c"]));
        // Only the file's own rows make a circle.
        let outcome = world.send(&mapping, &["d@x.y,d,L,e@x.y", "e@x.y,e,L,"]);
        assert_eq!(outcome.counts.warnings, 0);
    }

    // Leavers and returners

    #[test]
    fn leavers_and_returners() {
        let mut world = world()
            .with(&["a", "b", "c", "d"])
            .set("b", |b| b.feed_managed = false);
        let outcome = world.send(&auto_disable(), &["a@x.y,a,L", "d@x.y,d,L"]);
        assert_eq!(lines(&outcome), ["- c@x.y disabled"]);
        assert_eq!(outcome.counts.others_disabled, 1);
        assert_eq!(world.get("c").disabled_by_upload.as_deref(), Some("up"));
        let outcome = world.send(&mapping(&[]), &["c@x.y,New,L"]);
        assert_eq!(lines(&outcome), ["2 c@x.y enabled"]);
        let c = world.get("c");
        assert_eq!((c.active, c.version), (true, 3));
        assert_eq!(c.disabled_by_upload, None);
    }

    #[test]
    fn who_was_made_inactive_otherwise_does_not_return() {
        let mut world = world().with(&["a", "b", "c", "d"]);
        world.send(&auto_disable(), &["a@x.y,a,L", "b@x.y,b,L", "d@x.y,d,L"]);
        world.change("c", |c| c.first_name = "c".to_string());
        world.send(&mapping(&[Field::Status]), &["d@x.y,d,L,0"]);
        let outcome = world.send(&auto_disable(), &refs(&same_rows(&["a", "b", "c", "d"])));
        assert_eq!(rows(&outcome), [4, 0, 0, 4, 0, 0, 0]);
        assert!(!world.get("c").active && !world.get("d").active);
    }

    #[test]
    fn rows_that_are_not_processed_count_as_present() {
        let mut world = world().with(&["a", "b", "c", "d", "e", "f"]);
        world.hold_on_malformed_rows = false;
        let outcome = world.send(
            &auto_disable(),
            &[
                "n@x.y,n,L",
                "a@x.y,,",        // by the address
                "b@x, B ,l",      // by the name
                "n@x.y,c,L",      // conflicting: n only
                "d@x.y,e,L,more", // wrong width: by both
            ],
        );
        assert_eq!(
            outcome
                .lines
                .iter()
                .filter(|line| line.outcome == "disabled")
                .map(|line| line.identity.as_str())
                .collect::<Vec<_>>(),
            ["c@x.y", "f@x.y"]
        );
    }

    #[test]
    fn presence_by_external_id_address_and_name() {
        let mapping = Mapping {
            auto_disable: true,
            ..external()
        };
        let mut world = four().with(&["e", "f", "g"]);
        let outcome = world.send(
            &mapping,
            &[
                "n@x.y,n,L,9",
                "bad,n,L,1",   // a by the external id
                "b@x.y,c,L,",  // b by the address, not c by the name
                "bad,d,L,",    // d by the name
                "e@x.y,,L,77", // e would be taken over
                "f@x.y,,L,1",  // not f: the external id can be read, and is a's
            ],
        );
        let gone: Vec<String> = lines(&outcome)
            .into_iter()
            .filter(|line| line.contains("disabled"))
            .collect();
        assert_eq!(
            gone,
            ["- 3 disabled", "- f@x.y disabled", "- g@x.y disabled"]
        );
    }

    #[test]
    fn a_file_without_an_accepted_row_does_nothing() {
        let (mut world, _) = six_of_ten_leave();
        world.baseline = Some(7);
        let before = world.people.clone();
        let outcome = world.send(&auto_disable(), &["a@x.y,,L"]);
        assert_eq!(rows(&outcome), [1, 0, 0, 0, 0, 0, 1]);
        assert_eq!((world.people, world.baseline), (before, Some(7)));
        assert!(world.hold.is_some());
    }

    // Protected people

    fn admin(person: &mut Person) {
        person.roles = set(&["Administrator"]);
        person.feed_roles = set(&["Administrator"]);
    }

    #[test]
    fn who_authorised_the_feed_stays_active() {
        let mut world = world().with(&["a", "b", "c"]);
        world.authorised_by = Some("A@x.y".to_string());
        let outcome = world.send(&mapping(&[Field::Status]), &["a@x.y,New,L,0"]);
        assert_eq!(
            lines(&outcome),
            ["2 a@x.y updated", "2 a@x.y warning protected_user"]
        );
        let outcome = world.send(&auto_disable(), &["b@x.y,b,L", "c@x.y,c,L"]);
        assert_eq!(lines(&outcome), ["- a@x.y warning protected_user"]);
        assert!(world.get("a").active);
    }

    #[test]
    fn the_last_administrator_stays() {
        let everybody = ["a", "b", "c", "d", "e"];
        let mut world = world().with(&everybody).set("a", admin).set("b", admin);
        let mapping = mapping(&[Field::Status, Field::Role]);
        // a would lose both, and keeps both; the lowest user id.
        let both = ["a@x.y,a,L,0,Learner", "b@x.y,b,L,0,"];
        let outcome = world.clone().send(&mapping, &both);
        assert_eq!(
            lines(&outcome),
            [
                "2 a@x.y updated",
                "2 a@x.y warning protected_user",
                "3 b@x.y disabled"
            ]
        );
        world.authorised_by = Some("b@x.y".to_string());
        let outcome = world.send(&mapping, &both);
        assert_eq!(
            lines(&outcome),
            ["2 a@x.y disabled", "3 b@x.y warning protected_user"]
        );
    }

    #[test]
    fn the_last_administrators_role_stays_the_feeds() {
        let mut world = world().with(&["a", "b"]).set("a", admin);
        let mapping = mapping(&[Field::Role]);
        let outcome = world.send(&mapping, &["a@x.y,a,L,Learner"]);
        assert_eq!(outcome.counts.warnings, 1);
        let roles = set(&["Administrator", "Learner"]);
        assert_eq!(world.get("a").roles, roles);
        assert_eq!(world.get("a").feed_roles, roles);
        // Again refused, and nothing to change.
        let outcome = world.send(&mapping, &["a@x.y,a,L,Learner"]);
        assert_eq!(lines(&outcome), ["2 a@x.y warning protected_user"]);
        // Gone, as soon as the file makes somebody else administrator.
        let outcome = world.send(&mapping, &["a@x.y,a,L,Learner", "n@x.y,n,L,administrator"]);
        assert_eq!(outcome.counts.warnings, 0);
        assert_eq!(world.get("a").roles, set(&["Learner"]));
    }

    #[test]
    fn a_portal_without_administrators_protects_nobody() {
        let mut world = world().with(&["a"]).set("a", |a| {
            admin(a);
            a.active = false;
        });
        let outcome = world.send(&mapping(&[Field::Role]), &["a@x.y,a,L,Learner"]);
        assert_eq!(lines(&outcome), ["2 a@x.y updated"]);
    }

    // Holds

    #[test]
    fn too_many_disables_by_half() {
        let (world, outcome) = six_of_ten_leave();
        assert_eq!(outcome.held_reason, Some("too_many_disables"));
        assert_eq!(held(&outcome), (6, 0));
        assert_eq!(rows(&outcome), [4, 0, 0, 4, 0, 0, 0]);
        assert_eq!(outcome.counts.others_disabled, 0);
        assert_eq!(lines(&outcome)[0], "- e@x.y held too_many_disables");
        assert!(world.people.values().all(|person| person.active));
        assert_eq!(world.baseline, None);
        // Half is not more than half, and two are too few to say.
        let mut world = super::tests::world().with(&["a", "b"]);
        let outcome = world.send(&auto_disable(), &["n@x.y,n,L"]);
        assert_eq!(
            (outcome.held_reason, outcome.counts.others_disabled),
            (None, 2)
        );
        assert_eq!(world.baseline, Some(1));
    }

    #[test]
    fn too_many_disables_by_percent_and_floor() {
        let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let start = world().with(&all);
        for (percent, floor, leave, is_held) in [
            (10, 1, 2, true),
            (10, 2, 2, false),
            (20, 1, 2, false),
            (20, 1, 3, true),
        ] {
            let mut world = start.clone();
            (world.percent, world.floor) = (percent, floor);
            let outcome = world.send(&auto_disable(), &refs(&same_rows(&all[leave..])));
            assert_eq!(outcome.held_reason.is_some(), is_held);
        }
    }

    #[test]
    fn too_few_rows() {
        for (baseline, reason) in [(19, None), (20, Some("too_few_rows"))] {
            let mut world = world().with(&["a", "b", "c", "d"]);
            world.baseline = Some(baseline);
            let outcome = world.send(&auto_disable(), &refs(&same_rows(&["a", "b", "c"])));
            assert_eq!(outcome.held_reason, reason);
        }
        // Nothing to hold is no hold.
        let mut world = world().with(&["a"]);
        world.baseline = Some(100);
        let outcome = world.send(&auto_disable(), &["a@x.y,a,L"]);
        assert_eq!((outcome.held_reason, world.baseline), (None, Some(1)));
    }

    #[test]
    fn too_many_not_processed() {
        let mut world = world().with(&["a", "b", "c", "d"]);
        world.floor = 1;
        let rows = ["a@x.y,a,L", "b@x.y,b,L", "c@x.y,,L", "x,,"];
        let outcome = world.send(&auto_disable(), &rows);
        assert_eq!(outcome.held_reason, Some("too_many_not_processed"));
    }

    #[test]
    fn malformed_rows() {
        let rows = ["a@x.y,a,L", "b@x.y,b,L", "c@x.y,c"];
        let mut world = world().with(&["a", "b", "c", "d"]);
        let outcome = world.clone().send(&auto_disable(), &rows);
        assert_eq!(outcome.held_reason, Some("malformed_rows"));
        world.hold_on_malformed_rows = false;
        let outcome = world.send(&auto_disable(), &rows);
        assert_eq!(
            (outcome.held_reason, outcome.counts.others_disabled),
            (None, 1)
        );
    }

    #[test]
    fn protected_people_count_for_nothing() {
        let mut world = world().with(&["a", "b", "c"]);
        world.authorised_by = Some("a@x.y".to_string());
        let outcome = world.send(&auto_disable(), &["c@x.y,c,L"]);
        assert_eq!(
            (outcome.held_reason, outcome.counts.others_disabled),
            (None, 1)
        );
    }

    #[test]
    fn a_held_row_does_what_else_it_says() {
        let mut world = world().with(&["a", "b", "c"]);
        let mapping = mapping(&[Field::Status]);
        let outcome = world.send(&mapping, &["a@x.y,New,L,0", "b@x.y,b,L,0"]);
        assert_eq!(
            lines(&outcome),
            [
                "2 a@x.y held too_many_disables",
                "2 a@x.y updated",
                "3 b@x.y held too_many_disables"
            ]
        );
        assert_eq!(rows(&outcome), [2, 0, 1, 1, 0, 0, 0]);
        let outcome = world.approve();
        assert_eq!(
            lines(&outcome),
            ["2 a@x.y disabled", "2 a@x.y updated", "3 b@x.y disabled"]
        );
        assert_eq!(rows(&outcome), [2, 0, 0, 0, 2, 0, 0]);
        assert_eq!(held(&outcome), (2, 0));
        assert_eq!(world.get("a").version, 3);
        assert_eq!(world.get("a").disabled_by_upload, None);
        assert_eq!(world.baseline, Some(2));
    }

    /// Three people whose mail domain changes.
    fn new_domain() -> (World, Mapping, Outcome) {
        let mut world = world().with(&["a", "b", "c"]);
        let mapping = Mapping {
            auto_disable: true,
            ..mapping(&[Field::Group, Field::Manager])
        };
        let rows = ["a@n.y,a,L,1|9,", "b@n.y,b,L,,a@n.y", "c@n.y,c,L,,b@x.y"];
        let outcome = world.send(&mapping, &rows);
        (world, mapping, outcome)
    }

    #[test]
    fn a_changed_identity_holds_creates_too() {
        let (world, _, outcome) = new_domain();
        assert_eq!(outcome.held_reason, Some("identity_changed"));
        assert_eq!(held(&outcome), (3, 3));
        assert_eq!(
            lines(&outcome),
            [
                "- a@x.y held identity_changed",
                "- b@x.y held identity_changed",
                "- c@x.y held identity_changed",
                "2 a@n.y held identity_changed",
                "2 a@n.y warning group_not_found",
                "3 b@n.y held identity_changed",
                "4 c@n.y held identity_changed"
            ]
        );
        assert_eq!(rows(&outcome), [3, 0, 0, 3, 0, 0, 0]);
        assert_eq!(world.people.len(), 3);
        assert!(!world.get("b").manager_granted);
    }

    #[test]
    fn approving_does_what_was_held() {
        let (mut world, _, _) = new_domain();
        world.change("c", |c| c.last_name = "Changed".to_string());
        let outcome = world.approve();
        assert_eq!(
            lines(&outcome),
            [
                "- a@x.y disabled",
                "- b@x.y disabled",
                "- c@x.y warning changed_meanwhile",
                "2 a@n.y created",
                "2 a@n.y warning group_not_found",
                "3 b@n.y created",
                "4 c@n.y created"
            ]
        );
        assert_eq!(rows(&outcome), [3, 3, 0, 0, 0, 0, 0]);
        assert_eq!(outcome.counts.others_disabled, 2);
        assert_eq!(held(&outcome), (3, 3));
        let new = world.get("email:a@n.y:0");
        assert_eq!(new.roles, set(&["Learner", "Manager"]));
        assert_eq!(new.version, 1);
        assert_eq!(
            world.assignments,
            BTreeSet::from([(new_id(), 10), (new_id(), 11)])
        );
        // Nobody who exists is given the role by an approval.
        assert_eq!(world.get("email:c@n.y:0").manager_ids, set(&["b"]));
        assert_eq!(world.get("b").roles, set(&["Learner"]));
        assert_eq!(world.get("b").disabled_by_upload.as_deref(), Some("up"));
        assert!(world.get("c").active);
        assert_eq!((world.baseline, world.hold.is_none()), (Some(3), true));
        assert_eq!(world.approve(), Outcome::default());
    }

    fn new_id() -> String {
        "email:a@n.y:0".to_string()
    }

    #[test]
    fn a_held_create_of_somebody_who_exists_by_now() {
        let (mut world, _, _) = new_domain();
        world = world
            .with(&["q"])
            .set("q", |q| q.email = "A@n.y".to_string());
        let outcome = world.approve();
        assert!(lines(&outcome).contains(&"2 a@n.y warning changed_meanwhile".to_string()));
        assert_eq!(rows(&outcome), [3, 2, 0, 1, 0, 0, 0]);
        assert_eq!(world.get("email:b@n.y:0").manager_ids, set(&["q"]));
    }

    #[test]
    fn a_held_create_whose_address_is_taken_by_now() {
        let mut world = four();
        let mapping = Mapping {
            auto_disable: true,
            ..external()
        };
        let rows = ["a@x.y,a,L,1", "n@x.y,n,L,7", "o@x.y,o,L,8", "p@x.y,p,L,9"];
        let held_outcome = world.send(&mapping, &rows);
        assert_eq!(held(&held_outcome), (3, 3));
        // The plan would move a back, but an approval moves nobody.
        world.change("a", |a| a.email = "n@x.y".to_string());
        let outcome = world.approve();
        assert_eq!(super::tests::rows(&outcome), [4, 2, 0, 1, 0, 0, 1]);
        assert!(lines(&outcome).contains(&"3 7 not_processed email_taken".to_string()));
        assert_eq!(world.get("a").email, "n@x.y");
    }

    #[test]
    fn circles_of_held_people_are_told_when_they_are_created() {
        let mut world = world().with(&["a", "b", "c"]);
        let mapping = Mapping {
            auto_disable: true,
            ..mapping(&[Field::Manager])
        };
        let outcome = world.send(
            &mapping,
            &["o@n.y,o,L,no@n.y", "p@n.y,p,L,q@n.y", "q@n.y,q,L,p@n.y"],
        );
        assert_eq!(outcome.counts.warnings, 0);
        let outcome = world.approve();
        assert_eq!(outcome.counts.warnings, 2);
        assert!(lines(&outcome).contains(&"2 o@n.y warning manager_not_found".to_string()));
        assert!(lines(&outcome).contains(&"3 p@n.y warning manager_loop".to_string()));
    }

    #[test]
    fn held_creates_are_no_gain_of_administrators() {
        let mut world = world().with(&["a", "b", "c", "d"]).set("a", admin);
        let mapping = mapping(&[Field::Status, Field::Role]);
        let outcome = world.send(
            &mapping,
            &[
                "a@x.y,a,L,,Learner",
                "b@x.y,b,L,0,",
                "c@x.y,c,L,0,",
                "d@x.y,d,L,0,",
                "n@x.y,n,L,,Administrator",
                "o@x.y,o,L,,",
                "p@x.y,p,L,,",
            ],
        );
        assert_eq!(outcome.held_reason, Some("identity_changed"));
        assert!(lines(&outcome).contains(&"2 a@x.y warning protected_user".to_string()));
        assert!(world.get("a").roles.contains("Administrator"));
        let outcome = world.approve();
        assert_eq!(rows(&outcome), [7, 3, 1, 0, 3, 0, 0]);
        assert!(world.get("a").roles.contains("Administrator"));
    }

    #[test]
    fn protection_is_worked_out_anew_on_approval() {
        // b is held, so a really loses the role, and b is the last one when it is approved.
        let mut world = world()
            .with(&["a", "b", "c", "d"])
            .set("a", admin)
            .set("b", admin);
        let mapping = mapping(&[Field::Status, Field::Role]);
        let outcome = world.send(
            &mapping,
            &[
                "a@x.y,a,L,,Learner",
                "b@x.y,b,L,0,",
                "c@x.y,c,L,0,",
                "d@x.y,d,L,0,",
            ],
        );
        assert_eq!(held(&outcome), (3, 0));
        assert_eq!(outcome.counts.warnings, 0);
        assert_eq!(world.get("a").roles, set(&["Learner"]));
        let outcome = world.approve();
        assert_eq!(
            lines(&outcome),
            [
                "2 a@x.y updated",
                "3 b@x.y warning protected_user",
                "4 c@x.y disabled",
                "5 d@x.y disabled"
            ]
        );
        assert!(world.get("b").active);
    }

    #[test]
    fn holds_end() {
        let (start, _) = six_of_ten_leave();
        let mut world = start.clone();
        world.reject();
        assert!(world.hold.is_none() && world.baseline.is_none());
        assert_eq!(world.people, start.people);

        let mut world = start.clone();
        let mut rehearsal = file(&auto_disable(), &["a@x.y,New,L"]);
        rehearsal.rehearsal = true;
        let outcome = world.drop_file(&auto_disable(), &rehearsal);
        assert_eq!(held(&outcome), (9, 0));
        assert_eq!(rows(&outcome), [1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(world.people, start.people);
        assert_eq!((&world.hold, world.baseline), (&start.hold, None));

        let outcome = world.send(&mapping(&[]), &["a@x.y,a,L"]);
        assert_eq!(outcome.held_reason, None);
        assert!(world.hold.is_none());
        assert_eq!(world.baseline, Some(1));
    }

    // Reports

    #[test]
    fn somebody_missing_who_is_named_as_a_manager_has_one_line() {
        let mapping = Mapping {
            auto_disable: true,
            ..mapping(&[Field::Manager])
        };
        let mut world = world().with(&["a", "b", "c"]);
        let outcome = world.send(&mapping, &["a@x.y,a,L,c@x.y", "b@x.y,b,L,"]);
        assert_eq!(lines(&outcome), ["- c@x.y disabled", "2 a@x.y updated"]);
        assert_eq!(outcome.counts.others_updated, 0);
        let c = world.get("c");
        assert_eq!((c.active, c.version, c.manager_granted), (false, 2, true));
    }
}
