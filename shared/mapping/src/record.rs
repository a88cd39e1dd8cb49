//! Row -> [`UserRecord`], or everything that is wrong with the row. Looks at one row alone: what another
//! row or the portal's people have to do with it is the plan's business.

use crate::fields::{CustomFieldName, Field, Status};
use crate::file::{Header, Row, misfit_message};
use crate::group::parts;
use crate::identity::{Identity, IdentityHash, NamesHash, UserId, check_email};
use crate::mapping::{IdentifyBy, OnEmpty};
use crate::problem::{Problem, ProblemCode, shortened};
use crate::role::{Role, Roles};
use crate::user::User;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The longest value, in characters (`docs/rules.md`, "Values").
pub const MAX_VALUE_CHARS: usize = 1_000;

/// What an accepted row says about a person. Borrows from the row.
pub struct UserRecord<'r> {
    /// As it was sent, trimmed; one address.
    pub email: &'r str,
    /// Not empty.
    pub first_name: &'r str,
    /// Not empty.
    pub last_name: &'r str,
    /// Not empty; `None`: people are identified by address.
    pub external_id: Option<&'r str>,
    /// `None`: not mapped, or blank.
    pub status: Option<Status>,
    /// None: not mapped, or blank.
    pub roles: Roles,
    /// The groups that the user is added to: sorted, each once.
    pub groups: Vec<u64>,
    /// Parts of the cell that name no group of the portal.
    pub unknown_groups: Vec<&'r str>,
    /// The parts of the cell, addresses or not; who they are is the plan's to find out.
    pub managers: Vec<&'r str>,
    /// The custom fields that the row has something to say about; `None` clears.
    pub custom: Vec<(&'r CustomFieldName, Option<&'r str>)>,
}

/// What an accepted row says about a person, kept beyond the row.
#[derive(Clone)]
pub struct Person {
    /// As it was sent, trimmed; one address.
    pub email: String,
    /// Not empty.
    pub first_name: String,
    /// Not empty.
    pub last_name: String,
    /// Not empty; `None`: people are identified by address.
    pub external_id: Option<String>,
    /// `None`: not mapped, or blank.
    pub status: Option<Status>,
    /// None: not mapped, or blank.
    pub roles: Roles,
    /// The groups that the user is added to: sorted, each once.
    pub groups: Vec<u64>,
    /// Those who were found; none keeps whom the user has.
    pub managers: Vec<UserId>,
    /// The custom fields that the row has something to say about; `None` clears.
    pub custom: Vec<(CustomFieldName, Option<String>)>,
    /// Over all of these.
    pub fingerprint: Fingerprint,
}

impl Person {
    /// A row whose managers were found: sorted, each once.
    pub fn new(record: &UserRecord<'_>, managers: &[UserId]) -> Self {
        let custom = record
            .custom
            .iter()
            .map(|(name, value)| ((*name).clone(), value.map(str::to_owned)));
        Person {
            email: record.email.to_owned(),
            first_name: record.first_name.to_owned(),
            last_name: record.last_name.to_owned(),
            external_id: record.external_id.map(str::to_owned),
            status: record.status,
            roles: record.roles,
            groups: record.groups.clone(),
            managers: managers.to_vec(),
            custom: custom.collect(),
            fingerprint: record.fingerprint().with_managers(managers),
        }
    }

    /// By what the person is told from others.
    pub fn identity(&self) -> Identity<'_> {
        match &self.external_id {
            Some(id) => Identity::External(id),
            None => Identity::Email(&self.email),
        }
    }

    /// Whether the row is about this user (`docs/rules.md`, "Identity").
    pub fn is(&self, user: &User) -> bool {
        let same_address =
            || IdentityHash::of_email(&self.email) == IdentityHash::of_email(&user.email);
        match (&self.external_id, &user.external_id) {
            (Some(id), Some(of_user)) => id == of_user,
            (Some(_), None) | (None, _) => same_address(),
        }
    }
}

/// 128 bits over what a row would store, blank cells left out. Equal ones mean: nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    fn of(text: &[u8]) -> Self {
        Fingerprint(xxh3_128(text).to_be_bytes())
    }

    /// The same row, once its managers were found: sorted, each once.
    pub fn with_managers(self, managers: &[UserId]) -> Self {
        if managers.is_empty() {
            return self;
        }
        let mut bytes = Vec::with_capacity(16 * (managers.len() + 1));
        bytes.extend_from_slice(&self.0);
        managers
            .iter()
            .for_each(|manager| bytes.extend_from_slice(manager.as_bytes()));
        Fingerprint::of(&bytes)
    }

    /// As it is stored.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// From what was stored; `None` if it is none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Fingerprint)
    }
}

impl<'r> UserRecord<'r> {
    /// Checks a row.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of the columns' fields; never empty.
    pub fn read(header: &'r Header, row: &Row<'r>) -> Result<Self, Vec<Problem>> {
        if row.oversized {
            let message = format!(
                "Row {}: the row is longer than 1 MiB – too long to be read.",
                row.number
            );
            return Err(vec![
                Problem::new(ProblemCode::ValueTooLong)
                    .row(row.number)
                    .message(message),
            ]);
        }
        if let Some(cells) = header.misfit(row) {
            let message = misfit_message(row.number, cells, header.own().len());
            return Err(vec![
                Problem::new(ProblemCode::WrongFieldCount)
                    .row(row.number)
                    .message(message),
            ]);
        }
        let mut record = UserRecord {
            email: "",
            first_name: "",
            last_name: "",
            external_id: None,
            status: None,
            roles: Roles::NONE,
            groups: Vec::new(),
            unknown_groups: Vec::new(),
            managers: Vec::new(),
            custom: Vec::with_capacity(header.sources().len()),
        };
        let mut problems = Vec::new();
        for source in header.sources() {
            let value = cell(header, row, source.index);
            let wrong = |code: ProblemCode, what: &str| {
                Problem::new(code)
                    .row(row.number)
                    .column(header.column_of(source))
                    .field(source.field.as_str())
                    .value(value)
                    .message(format!(
                        "Row {}, “{}”: {what}.",
                        row.number,
                        header.column_of(source)
                    ))
            };
            if value.len() > MAX_VALUE_CHARS && value.chars().count() > MAX_VALUE_CHARS {
                problems.push(wrong(
                    ProblemCode::ValueTooLong,
                    "longer than 1,000 characters",
                ));
                continue;
            }
            if value.is_empty() && (source.field.is_required() || source.field == Field::ExternalId)
            {
                let mut problem = wrong(ProblemCode::MissingValue, "empty, and required");
                problem.value = None;
                problems.push(problem);
                continue;
            }
            match &source.field {
                Field::Email | Field::FirstName | Field::LastName | Field::ExternalId
                    if has_line_break(value) =>
                {
                    problems.push(wrong(
                        ProblemCode::ForbiddenCharacter,
                        "a line break or a NUL",
                    ));
                }
                Field::Email => match check_email(value) {
                    Ok(()) => record.email = value,
                    Err(_) => {
                        problems.push(wrong(ProblemCode::InvalidEmail, "not one e-mail address"))
                    }
                },
                Field::FirstName => record.first_name = value,
                Field::LastName => record.last_name = value,
                Field::ExternalId => record.external_id = Some(value),
                Field::Status => match value {
                    "" => {}
                    "1" => record.status = Some(Status::Active),
                    "0" => record.status = Some(Status::Inactive),
                    _ => problems.push(wrong(ProblemCode::InvalidStatus, "neither 1 nor 0")),
                },
                Field::Role => match parts(value).find(|part| Role::named(part).is_none()) {
                    None => record.roles = parts(value).filter_map(Role::named).collect(),
                    Some(part) => problems.push(wrong(
                        ProblemCode::UnknownRole,
                        &format!("there is no role “{}”", shortened(part)),
                    )),
                },
                Field::Manager => record.managers = parts(value).collect(),
                Field::Group => {
                    for part in parts(value) {
                        match header.groups().named(part) {
                            Some(group) => record.groups.push(group.id),
                            None => record.unknown_groups.push(part),
                        }
                    }
                    record.groups.sort_unstable();
                    record.groups.dedup();
                }
                Field::Custom(name) => match (value.is_empty(), source.on_empty) {
                    (false, _) => record.custom.push((name, Some(value))),
                    (true, OnEmpty::Clear) => record.custom.push((name, None)),
                    (true, OnEmpty::Keep) => {}
                },
            }
        }
        if problems.is_empty() {
            Ok(record)
        } else {
            Err(problems)
        }
    }

    /// What is to be looked at although the row is accepted, in the order of the cells.
    pub fn warnings(&self, row: u64) -> impl Iterator<Item = Problem> {
        self.unknown_groups.iter().map(move |part| {
            Problem::new(ProblemCode::GroupNotFound)
                .row(row)
                .field(Field::Group.as_str())
                .value(part)
                .message(format!(
                    "Row {row}: the portal has no group “{}”.",
                    shortened(part)
                ))
        })
    }

    /// How many those are.
    pub(crate) fn warnings_count(&self) -> u16 {
        u16::try_from(self.unknown_groups.len()).unwrap_or(u16::MAX)
    }

    /// Who the row is about.
    pub fn identity(&self) -> Identity<'r> {
        match self.external_id {
            Some(id) => Identity::External(id),
            None => Identity::Email(self.email),
        }
    }

    /// Over the values as they would be stored, but for the managers, who are not known yet.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.stored_text())
    }

    /// These values, each with its name.
    fn stored_text(&self) -> Vec<u8> {
        // In full, so that a new field does not compile until it is part of this or of `fingerprints`.
        let UserRecord {
            email,
            first_name,
            last_name,
            external_id,
            status,
            roles,
            groups,
            unknown_groups: _,
            managers: _,
            custom,
        } = self;
        let mut text = Vec::with_capacity(1_000);
        let mut part = |tag: &str, value: &str| {
            // Lengths first, so that no two lists of parts run together.
            for bytes in [tag.as_bytes(), value.as_bytes()] {
                text.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                text.extend_from_slice(bytes);
            }
        };
        part("email", email);
        part("first_name", first_name);
        part("last_name", last_name);
        if let Some(id) = external_id {
            part("external_id", id);
        }
        if let Some(status) = status {
            part("status", status.as_str());
        }
        for role in roles.iter() {
            part("role", role.as_str());
        }
        for group in groups {
            part("group", &group.to_string());
        }
        for (name, value) in custom {
            match value {
                Some(value) => part(name.as_str(), value),
                // No field has this name, so clearing is not mistaken for a value.
                None => part("clear ", name.as_str()),
            }
        }
        text
    }

    /// The fingerprint, and a hash of everything that the row says but how it spells addresses, by which two
    /// rows say the same about a person.
    pub(crate) fn fingerprints(&self) -> (Fingerprint, u64) {
        let mut text = self.stored_text();
        let fingerprint = Fingerprint::of(&text);
        // What names no group changes nobody, and managers are stored as ids; but both are said.
        let mut said = |tag: &str, mut parts: Vec<[u8; 16]>| {
            parts.sort_unstable();
            parts.dedup();
            text.extend_from_slice(tag.as_bytes());
            parts.iter().for_each(|part| text.extend_from_slice(part));
        };
        if self.external_id.is_some() {
            let address = IdentityHash::of_email(self.email);
            said("address", vec![address.to_bytes()]);
        }
        if !self.unknown_groups.is_empty() {
            let parts = self
                .unknown_groups
                .iter()
                .map(|part| xxh3_128(part.as_bytes()).to_be_bytes());
            said("unknown", parts.collect());
        }
        if !self.managers.is_empty() {
            let parts = self
                .managers
                .iter()
                .map(|part| IdentityHash::of_email(part).to_bytes());
            said("manager", parts.collect());
        }
        let address = 8 + "email".len() + self.email.len();
        (fingerprint, xxh3_64(&text[address..]))
    }
}

/// The identity of a row as the report shows it, also where the row is not accepted.
pub fn shown_identity<'r>(header: &Header, row: &Row<'r>) -> &'r str {
    let field = match header.identify_by() {
        IdentifyBy::Email => Field::Email,
        IdentifyBy::ExternalId => Field::ExternalId,
    };
    cell_of(header, row, &field)
}

/// Who an accepted row is about, without a look at its other cells.
pub fn identity<'r>(header: &Header, row: &Row<'r>) -> Identity<'r> {
    let shown = shown_identity(header, row);
    match header.identify_by() {
        IdentifyBy::Email => Identity::Email(shown),
        IdentifyBy::ExternalId => Identity::External(shown),
    }
}

/// By what somebody counts as present whose row is not processed (`docs/rules.md`, "Leavers and returners").
#[derive(Clone, Copy, Debug, Default)]
pub struct Presence {
    /// The row's identity.
    pub identity: Option<IdentityHash>,
    /// Its address, where people are identified by external id: for whom has none yet, and for whose cannot be
    /// read.
    pub email: Option<IdentityHash>,
    /// Its names.
    pub names: Option<NamesHash>,
    /// The row has a wrong number of cells, which may stand under other names than their own: everybody counts.
    pub malformed: bool,
}

impl Presence {
    /// Of a row that is not accepted.
    pub fn of(header: &Header, row: &Row<'_>, malformed: bool) -> Self {
        let address = cell_of(header, row, &Field::Email);
        let address = check_email(address)
            .ok()
            .map(|()| IdentityHash::of_email(address));
        let external = cell_of(header, row, &Field::ExternalId);
        let external = (!external.is_empty()).then(|| IdentityHash::of_external(external));
        let [first, last] = [Field::FirstName, Field::LastName].map(|f| cell_of(header, row, &f));
        let names = (!first.is_empty() && !last.is_empty()).then(|| NamesHash::of(first, last));
        let (identity, email) = match header.identify_by() {
            IdentifyBy::Email => (address, None),
            IdentifyBy::ExternalId => (external, address),
        };
        let unreadable = identity.is_none() && email.is_none();
        Presence {
            identity,
            email,
            names: names.filter(|_| malformed || unreadable),
            malformed,
        }
    }
}

/// What the row has for this field, trimmed; empty if it is not mapped.
fn cell_of<'r>(header: &Header, row: &Row<'r>, field: &Field) -> &'r str {
    let source = header.sources().iter().find(|it| it.field == *field);
    source.map_or("", |source| cell(header, row, source.index))
}

/// The cell's value, trimmed.
fn cell<'r>(header: &Header, row: &Row<'r>, index: usize) -> &'r str {
    let cell = header.plain(row.get(index).unwrap_or(""));
    match cell.as_bytes() {
        // Most cells have nothing to trim, which two bytes show.
        [only] if only.is_ascii_graphic() => cell,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => cell,
        _ => cell.trim(),
    }
}

/// Line breaks of every kind, and NUL.
pub(crate) fn has_line_break(value: &str) -> bool {
    if value.is_ascii() {
        return value.bytes().any(|byte| matches!(byte, 0 | 0xA..=0xD));
    }
    value.contains([
        '\n', '\r', '\u{B}', '\u{C}', '\u{85}', '\u{2028}', '\u{2029}', '\0',
    ])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fields::FieldCatalogue;
    use crate::file::FileReader;
    use crate::group::{Group, Groups};
    use crate::mapping::Mapping;
    use crate::mapping::tests::{draft, mapping};
    use crate::plan::testing::{csv, each_row, id_by_email, mapping_of, person as person_of, user};
    use crate::user::{ChangedFields, Decision, Terms, Updated, User, decide};
    use proptest::prelude::*;

    pub(crate) const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

    /// Reads one row below [`HEADER`] and hands it over.
    pub(crate) fn with_row<T>(line: &str, then: impl FnOnce(&Header, &Row<'_>) -> T) -> T {
        with_file(&format!("{HEADER}{line}\n"), then)
    }

    fn with_file<T>(file: &str, then: impl FnOnce(&Header, &Row<'_>) -> T) -> T {
        let mapping = mapping();
        let mut reader = FileReader::new(&mapping);
        let (mut then, mut out) = (Some(then), None);
        reader
            .push(file.as_bytes(), |header, row| {
                out = then.take().map(|then| then(header, &row))
            })
            .unwrap();
        out.unwrap()
    }

    fn problems(line: &str) -> Vec<(&'static str, Option<String>)> {
        with_row(line, |header, row| {
            let problems = UserRecord::read(header, row).err().unwrap_or_default();
            problems
                .into_iter()
                .map(|problem| (problem.code.as_str(), problem.field))
                .collect()
        })
    }

    #[test]
    fn a_mistake_is_named_with_its_field() {
        let long = format!("a@x.example,Ann,Lee,1,{},S", "é".repeat(1_001));
        for (line, expected) in [
            ("a@x.example,Ann,Lee,1,J,S", &[][..]),
            (",Ann,Lee,1,J,S", &[("missing_value", Some("email"))]),
            (
                "a@x.example,  ,\u{A0},1,J,S",
                &[
                    ("missing_value", Some("first_name")),
                    ("missing_value", Some("last_name")),
                ],
            ),
            ("ann,Ann,Lee,1,J,S", &[("invalid_email", Some("email"))]),
            (
                "a@x.example;b@x.example,Ann,Lee,1,J,S",
                &[("invalid_email", Some("email"))],
            ),
            (
                "a@x.example,Ann,Lee,yes,J,S",
                &[("invalid_status", Some("status"))],
            ),
            (
                "a@x.example,Ann,Lee,01,J,S",
                &[("invalid_status", Some("status"))],
            ),
            (
                "ann,Ann,,2,J,S",
                &[
                    ("invalid_email", Some("email")),
                    ("missing_value", Some("last_name")),
                    ("invalid_status", Some("status")),
                ],
            ),
            (
                "a@x.example,\"An\nn\",Lee,1,J,S",
                &[("forbidden_character", Some("first_name"))],
            ),
            ("a@x.example,An\tn,Lee,1,J,S", &[][..]),
            (
                "a@x.example,Ann,L\0e,1,J,S",
                &[("forbidden_character", Some("last_name"))],
            ),
            (
                "\"a@x.example\nb\",Ann,Lee,1,J,S",
                &[("forbidden_character", Some("email"))],
            ),
            ("a@x.example,Ann,Lee,1,\"J\nK\",S", &[]),
            ("a@x.example,Ann,Lee", &[("wrong_field_count", None)]),
            (
                "a@x.example,Ann,Lee,1,J,S,more",
                &[("wrong_field_count", None)],
            ),
            ("a@x.example,Ann,Lee,1,J,S,, ,", &[]),
            (&long, &[("value_too_long", Some("job"))]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(code, field)| (*code, field.map(str::to_owned)))
                .collect();
            assert_eq!(problems(line), expected, "{line:?}");
        }
        let limit = format!("a@x.example,Ann,Lee,1,{},S", "é".repeat(1_000));
        assert_eq!(problems(&limit), []);
    }

    /// Columns without a name at the end of the header need not be filled, and may be.
    #[test]
    fn trailing_columns_without_a_name_do_not_count() {
        let header = "Email,First,Last,Status,Job,Site,,\n";
        for (line, fits) in [
            ("a@x.example,A,B,1,J,S", true),
            ("a@x.example,A,B,1,J,S,x,", true),
            ("a@x.example,A,B,1,J,S,,,x", false),
        ] {
            with_file(&format!("{header}{line}\n"), |header, row| {
                assert_eq!(UserRecord::read(header, row).is_ok(), fits, "{line}");
            });
        }
    }

    fn fingerprint(line: &str) -> Fingerprint {
        with_row(line, |header, row| {
            UserRecord::read(header, row).ok().unwrap().fingerprint()
        })
    }

    /// Stored with every user: another one would have the whole portal looked at, and written, once more.
    #[test]
    fn a_fingerprint_is_pinned_for_ever() {
        let found = fingerprint("a@x.example,Ann,Lee,1,J,S").to_bytes();
        let hex: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "468695fcaa7c2a5a4f5360af3b4a86aa");
    }

    #[test]
    fn a_fingerprint_differs_where_something_else_would_be_stored() {
        let base = fingerprint("a@x.example,Ann,Lee,1,J,S");
        assert_eq!(base, fingerprint(" a@x.example , Ann,Lee ,1,J,S"));
        for other in [
            "A@x.example,Ann,Lee,1,J,S",
            "a@x.example,AnnL,ee,1,J,S",
            "a@x.example,Ann,Lee,0,J,S",
            "a@x.example,Ann,Lee,,J,S",
            "a@x.example,Ann,Lee,1,,S",
            "a@x.example,Ann,Lee,1,J,",
            "a@x.example,Ann,Lee,1,S,J",
        ] {
            assert_ne!(base, fingerprint(other), "{other}");
        }
    }

    fn person(line: &str) -> Person {
        with_row(line, |header, row| {
            Person::new(&UserRecord::read(header, row).ok().unwrap(), &[])
        })
    }

    /// A user made by the first row, then the second row: what changes?
    fn change(first: &str, second: &str) -> (Decision, User) {
        let user = User::create(&person(first), Terms::default());
        let decision = decide(&mapping(), &person(second), Terms::default(), &user);
        (decision, user)
    }

    fn changed(fields: ChangedFields) -> Vec<String> {
        let mapping = mapping();
        let named = mapping
            .fields()
            .iter()
            .enumerate()
            .filter(|(index, _)| fields.contains(*index));
        named.map(|(_, mapped)| mapped.field.to_string()).collect()
    }

    #[test]
    fn an_update_changes_what_differs_and_an_empty_cell_keeps_or_clears() {
        let base = "a@x.example,Ann,Lee,1,J,S";
        for (line, outcome, fields) in [
            (
                "A@x.example,Ann,Lee,1,J,S",
                Updated::StatusKept,
                &["email"][..],
            ),
            (
                "a@x.example,Anna,Lee,1,K,S",
                Updated::StatusKept,
                &["first_name", "job"],
            ),
            ("a@x.example,Ann,Lee,0,J,S", Updated::Disabled, &["status"]),
            (
                "a@x.example,Ann,Li,0,J,S",
                Updated::Disabled,
                &["last_name", "status"],
            ),
            ("a@x.example,Ann,Lee,1,J,", Updated::StatusKept, &["site"]),
        ] {
            let (Decision::Update(after, change), before) = change(base, line) else {
                panic!("{line} changes nothing")
            };
            assert_eq!(change.outcome, outcome, "{line}");
            assert_eq!(changed(change.fields), fields, "{line}");
            assert!(after.feed_managed && after.fingerprint != before.fingerprint);
            // And once more: nothing.
            assert!(
                decide(&mapping(), &person(line), Terms::default(), &after) == Decision::Unchanged,
                "{line}"
            );
        }
        let (Decision::Update(_, back), _) = change("a@x.example,Ann,Lee,0,J,S", base) else {
            panic!("not enabled")
        };
        assert_eq!(back.outcome, Updated::Enabled);
    }

    #[test]
    fn blank_cells_that_keep_everything_only_renew_the_fingerprint() {
        let (decision, _) = change("a@x.example,Ann,Lee,0,J,S", "a@x.example,Ann,Lee,,,S");
        assert!(matches!(decision, Decision::Refresh(_)));
    }

    #[test]
    fn somebody_who_was_not_managed_by_the_feed_is_from_now_on() {
        let (_, mut user) = change("a@x.example,Ann,Lee,1,J,S", "a@x.example,Ann,Lee,1,J,S");
        user.feed_managed = false;
        user.fingerprint = None;
        let decision = decide(
            &mapping(),
            &person("a@x.example,Ann,Lee,1,J,S"),
            Terms::default(),
            &user,
        );
        let Decision::Update(after, change) = decision else {
            panic!("not taken over")
        };
        assert!(after.feed_managed && changed(change.fields).is_empty());
    }

    /// A row of `Email,First,Last,Group` in a portal with the groups 7 and 8.
    fn with_groups<T>(group: &str, then: impl FnOnce(&Mapping, UserRecord<'_>) -> T) -> T {
        let groups = [7, 8].map(|id| Group {
            id,
            learning_ids: Vec::new(),
        });
        let catalogue = FieldCatalogue {
            groups: Groups::new(groups.into()),
            ..FieldCatalogue::default()
        };
        let draft = draft(&[
            "email=Email",
            "first_name=First",
            "last_name=Last",
            "group=Group",
        ]);
        let mapping = Mapping::check(&draft, &catalogue).unwrap();
        let mut reader = FileReader::new(&mapping);
        let (mut then, mut out) = (Some(then), None);
        let file = format!("Email,First,Last,Group\na@x.example,Ann,Lee,{group}\n");
        let each = |header: &Header, row: Row<'_>| {
            let record = UserRecord::read(header, &row).ok().unwrap();
            out = then.take().map(|then| then(&mapping, record));
        };
        reader.push(file.as_bytes(), each).unwrap();
        out.unwrap()
    }

    #[test]
    fn a_row_names_the_groups_that_the_portal_has_and_is_warned_of_the_others() {
        for (cell, known, unknown) in [
            ("", &[][..], &[][..]),
            ("8|7 | 8", &[7, 8], &[]),
            ("7|9|seven|", &[7], &["9", "seven"]),
        ] {
            with_groups(cell, |_, record| {
                assert_eq!(
                    (&record.groups[..], &record.unknown_groups[..]),
                    (known, unknown)
                );
                let warned: Vec<_> = record
                    .warnings(2)
                    .map(|warning| (warning.code.as_str(), warning.row, warning.value.unwrap()))
                    .collect();
                let expected = unknown
                    .iter()
                    .map(|part| ("group_not_found", Some(2), (*part).to_owned()));
                assert_eq!(warned, expected.collect::<Vec<_>>());
            });
        }
    }

    #[test]
    fn groups_that_do_not_exist_and_the_order_of_groups_do_not_change_what_a_row_stores() {
        let fingerprint = |cell: &str| with_groups(cell, |_, record| record.fingerprint());
        assert_eq!(fingerprint("7|8"), fingerprint("8 |9|7"));
        assert_eq!(fingerprint(""), fingerprint("9"));
        assert_ne!(fingerprint("7"), fingerprint("8"));
    }

    #[test]
    fn a_user_is_added_to_groups_and_never_taken_out() {
        let before = User {
            group_ids: [7, 5].into(),
            ..with_groups("", |_, record| {
                User::create(&Person::new(&record, &[]), Terms::default())
            })
        };
        for (cell, after) in [("", None), ("7", None), ("8", Some([5, 7, 8]))] {
            let decision = with_groups(cell, |mapping, record| {
                decide(
                    mapping,
                    &Person::new(&record, &[]),
                    Terms::default(),
                    &before,
                )
            });
            let changed = match decision {
                Decision::Update(user, change) => {
                    assert_eq!(change.outcome, Updated::StatusKept);
                    Some(user.group_ids)
                }
                Decision::Refresh(_) | Decision::Unchanged => None,
            };
            assert_eq!(changed, after.map(Into::into), "{cell}");
        }
    }

    /// What is wrong with the row of such a file.
    fn problems_of(lines: &str) -> Vec<(&'static str, Option<String>)> {
        let (file, mut found) = (csv(lines), Vec::new());
        each_row(&mapping_of(&file, false), &file, |header, row| {
            let problems = UserRecord::read(header, row).err().unwrap_or_default();
            found.extend(problems.into_iter().map(|it| (it.code.as_str(), it.value)));
        });
        found
    }

    #[test]
    fn a_cell_of_roles_names_them_in_any_case_or_its_row_is_not_processed() {
        for (cell, roles) in [
            ("", &[][..]),
            (" | ", &[]),
            ("learner", &[Role::Learner]),
            (
                "MANAGER | content administrator|Manager",
                &[Role::Manager, Role::ContentAdministrator],
            ),
            ("administrator|", &[Role::Administrator]),
        ] {
            let person = person_of(&format!("Email,Name,Role / a@x.io,Ann,{cell}"), &[]);
            assert_eq!(person.roles.iter().collect::<Vec<_>>(), roles, "{cell}");
        }
        for cell in ["Admin", "Learner;Manager", "Learner|Boss|Chief"] {
            assert_eq!(
                problems_of(&format!("Email,Name,Role / a@x.io,Ann,{cell}")),
                [("unknown_role", Some(cell.to_owned()))]
            );
        }
    }

    #[test]
    fn who_is_identified_by_external_id_needs_one_and_an_address_too() {
        let person = person_of("Id,Email,Name / 0 a ,a@x.io,Ann", &[]);
        assert_eq!(person.external_id.as_deref(), Some("0 a"));
        for (row, code) in [
            (" ,a@x.io,Ann", "missing_value"),
            ("1,,Ann", "missing_value"),
            ("\"1\r2\",a@x.io,Ann", "forbidden_character"),
        ] {
            let problems = problems_of(&format!("Id,Email,Name / {row}"));
            assert_eq!(problems.len(), 1, "{row}");
            assert_eq!(problems[0].0, code, "{row}");
        }
    }

    #[test]
    fn the_fingerprint_of_a_person_knows_the_managers_as_ids_and_not_as_they_are_spelled() {
        let fingerprint = |cell: &str, managers: &[UserId]| {
            let lines = format!("Email,Name,Manager / a@x.io,Ann,{cell}");
            person_of(&lines, managers).fingerprint
        };
        let [b, c] = ["b@x.io", "c@x.io"].map(id_by_email);
        let found = fingerprint("b@x.io", &[b]);
        assert_eq!(found, fingerprint("B@X.io|nobody@x.io", &[b]));
        for other in [
            fingerprint("b@x.io", &[]),
            fingerprint("b@x.io", &[c]),
            fingerprint("b@x.io", &[b, c]),
        ] {
            assert_ne!(found, other);
        }
        assert_eq!(fingerprint("", &[]), fingerprint("nobody@x.io", &[]));
    }

    #[test]
    fn a_fingerprint_differs_with_role_and_external_id() {
        let fingerprint = |lines: &str| person_of(lines, &[]).fingerprint;
        let base = fingerprint("Id,Email,Name,Role / 1,a@x.io,Ann,Learner|Manager");
        assert_eq!(
            base,
            fingerprint("Id,Email,Name,Role / 1,a@x.io,Ann,manager|learner")
        );
        for other in [
            "Id,Email,Name,Role / 1,a@x.io,Ann,Learner",
            "Id,Email,Name,Role / 1,a@x.io,Ann,",
            "Id,Email,Name,Role / 2,a@x.io,Ann,Learner|Manager",
            "Email,Name,Role / a@x.io,Ann,Learner|Manager",
        ] {
            assert_ne!(base, fingerprint(other), "{other}");
        }
    }

    #[test]
    fn a_row_is_about_the_user_with_its_external_id_or_else_with_its_address() {
        let by_email = "Email,Name / A@x.io,Ann";
        let by_external_id = "Id,Email,Name / 1,A@x.io,Ann";
        for (lines, of, expected) in [
            (by_email, "a@x.io", true),
            (by_email, "a@x.io id=1", true),
            (by_email, "b@x.io", false),
            (by_external_id, "b@x.io id=1", true),
            (by_external_id, "a@x.io id=2", false),
            (by_external_id, "a@x.io", true),
            (by_external_id, "b@x.io", false),
        ] {
            let is = person_of(lines, &[]).is(&user(of).1);
            assert_eq!(is, expected, "{lines}, {of}");
        }
    }

    #[test]
    fn somebody_whose_row_is_not_processed_is_told_by_the_first_thing_that_can_be_read() {
        for (lines, malformed, found) in [
            // By address.
            ("Email,Name / a@x.io,Ann", false, "identity"),
            ("Email,Name / a@x.io,", false, "identity"),
            ("Email,Name / a@x.io,Ann", true, "identity names"),
            ("Email,Name / a,Ann", false, "names"),
            ("Email,Name / a,", false, ""),
            // By external id.
            ("Id,Email,Name / 1,a@x.io,Ann", false, "identity email"),
            ("Id,Email,Name / 1,a,Ann", false, "identity"),
            ("Id,Email,Name / ,a@x.io,Ann", false, "email"),
            ("Id,Email,Name / ,a,Ann", false, "names"),
            ("Id,Email,Name / 1,a@x.io,Ann", true, "identity email names"),
        ] {
            let file = csv(lines);
            each_row(&mapping_of(&file, false), &file, |header, row| {
                let presence = Presence::of(header, row, malformed);
                let parts = [
                    presence.identity.map(|_| "identity"),
                    presence.email.map(|_| "email"),
                    presence.names.map(|_| "names"),
                ];
                let parts: Vec<&str> = parts.into_iter().flatten().collect();
                assert_eq!(parts.join(" "), found, "{lines}, {malformed}");
                assert_eq!(presence.malformed, malformed);
            });
        }
    }

    proptest! {
        /// A value that somebody changed elsewhere is put right, whatever the fingerprint says of the past.
        #[test]
        fn deciding_twice_changes_nothing_the_second_time(first in "[ab ]{0,3},[ab]{1,2},[01]?,[ab]{0,2},[ab]{0,2}", second in "[ab]{1,3},[ab]{1,2},[01]?,[ab]{0,2},[ab]{0,2}") {
            let (first, second) = (format!("a@x.example,x{first}"), format!("a@x.example,{second}"));
            let (decision, user) = change(&first, &second);
            let after = match decision {
                Decision::Unchanged => user,
                Decision::Refresh(refresh) => User { fingerprint: refresh.fingerprint, ..user },
                Decision::Update(after, _) => *after,
            };
            let person = person(&second);
            prop_assert!(decide(&mapping(), &person, Terms::default(), &after) == Decision::Unchanged);
            prop_assert!(person.status.is_none_or(|status| status == after.status));
        }
    }
}
