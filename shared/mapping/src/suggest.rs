//! Which column of a sample is likely to feed which field, by its name and its values. A wrong suggestion is worse
//! than none: what an administrator has to look for is found, and what looks right is waved through. So a name must
//! be one that exports are known to use, values must not contradict it, and of two columns that fit equally well
//! neither is suggested. Nothing is mapped here: a suggestion is shown to a person.

use crate::fields::{Field, FieldCatalogue};
use crate::file::FEED_PROBLEM_COLUMN;
use crate::group::parts;
use crate::identity::check_email;
use crate::mapping::{column_key, is_short_enough};
use crate::role::Role;
use std::collections::{BTreeMap, HashMap, HashSet};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A column of a sample.
#[derive(Clone, Debug, Default)]
pub struct Column<'s> {
    /// As the file has it.
    pub name: &'s str,
    /// What stands in it, blank cells aside.
    pub values: Vec<&'s str>,
    /// Whether a row has nothing there.
    pub has_blanks: bool,
}

/// A column and the field that it is likely to feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The column's name, as the file has it.
    pub column: String,
    /// A field of the portal.
    pub field: Field,
}

/// What a column may be about. Custom fields of the usual names are about one of these too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Concept {
    Email,
    FirstName,
    LastName,
    ExternalId,
    Status,
    Role,
    Group,
    /// The manager's address, which feeds `manager` and a custom field for it.
    ManagerEmail,
    EmployeeId,
    JobTitle,
    HireDate,
}

/// How much a name says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Enough, unless the values contradict it.
    Name,
    /// Only together with values that confirm it.
    Values,
    /// As [`Proof::Values`], and every row must have one: the column is a second choice, filled in by a few.
    Complete,
}

use Concept::{
    Email, EmployeeId, ExternalId, FirstName, Group, HireDate, JobTitle, LastName, ManagerEmail,
    Role as RoleOf, Status,
};
use Proof::{Complete, Name, Values};

/// How HR systems name the columns of their exports, the likeliest first: Workday, BambooHR, ADP, SAP
/// SuccessFactors, Employment Hero, Xero and others. Compared as [`phrase`] has it, so case, punctuation and the
/// order of the words do not matter, and “no.”, “#” and “number” are one word.
///
/// What is missing is missing on purpose: personal addresses; “Preferred Name” and “Name”, which may be whole names;
/// dates of anything but the hiring; ids of positions.
const SYNONYMS: &[(Concept, Proof, &[&[&str]])] = &[
    (
        Email,
        Name,
        &[
            &[
                "work email",
                "work email address",
                "business email",
                "business email address",
                "company email",
                "company email address",
                "corporate email",
                "corporate email address",
                "office email",
                "office email address",
                "organisation email",
                "organization email",
                "professional email",
                "professional email address",
                "official email",
                "official email address",
                "official email id",
                "primary work email",
                "primary work email address",
                "work contact work email",
                "business email information email address",
            ],
            &[
                "email",
                "email address",
                "email id",
                "employee email",
                "employee email address",
                "employee work email",
                "worker email",
                "staff email",
                "staff email address",
                "user email",
                "user email address",
                "primary email",
                "primary email address",
                "adresse email",
                "courriel",
                "correo electronico",
                "emailadresse",
                "emailadres",
                "indirizzo email",
            ],
            &["account email", "login email", "mail"],
        ],
    ),
    (
        Email,
        Values,
        &[&[
            "username",
            "user name",
            "user id",
            "login",
            "login id",
            "login name",
            "user principal name",
            "upn",
        ]],
    ),
    (
        FirstName,
        Name,
        &[
            &[
                "first name",
                "given name",
                "forename",
                "first names",
                "given names",
                "employee first name",
                "vorname",
                "prenom",
                "voornaam",
            ],
            &[
                "legal first name",
                "legal given name",
                "worker first name",
                "staff first name",
                "user first name",
            ],
        ],
    ),
    (FirstName, Values, &[&["first"]]),
    (
        FirstName,
        Complete,
        &[&["preferred first name", "preferred given name"]],
    ),
    (
        LastName,
        Name,
        &[
            &[
                "last name",
                "surname",
                "family name",
                "last names",
                "employee last name",
                "employee surname",
                "nachname",
                "familienname",
                "nom de famille",
                "apellido",
                "apellidos",
                "sobrenome",
                "cognome",
                "achternaam",
            ],
            &[
                "legal last name",
                "legal surname",
                "legal family name",
                "worker last name",
                "staff last name",
                "user last name",
            ],
        ],
    ),
    (LastName, Values, &[&["last"]]),
    (
        LastName,
        Complete,
        &[&[
            "preferred last name",
            "preferred surname",
            "preferred family name",
        ]],
    ),
    (
        ExternalId,
        Name,
        &[&[
            "external id",
            "external identifier",
            "external user id",
            "external employee id",
            "go1 external id",
            "unique id",
            "unique identifier",
            "unique employee id",
            "unique employee identifier",
            "person id external",
        ]],
    ),
    (
        Status,
        Values,
        &[&[
            "status",
            "user status",
            "employee status",
            "employment status",
            "worker status",
            "account status",
            "active status",
            "go1 status",
            "active",
            "is active",
            "employee active",
            "active employee",
            "active user",
            "active flag",
        ]],
    ),
    (
        RoleOf,
        Values,
        &[&[
            "role",
            "roles",
            "user role",
            "user roles",
            "go1 role",
            "go1 roles",
            "lms role",
            "learning role",
            "portal role",
            "system role",
            "access role",
            "application role",
        ]],
    ),
    (
        Group,
        Values,
        &[&[
            "group",
            "groups",
            "group id",
            "group ids",
            "group number",
            "user group",
            "user groups",
            "go1 group",
            "go1 groups",
            "go1 group id",
            "learning group",
            "lms group",
        ]],
    ),
    (
        ManagerEmail,
        Name,
        &[&[
            "manager email",
            "manager email address",
            "manager work email",
            "manager work email address",
            "manager business email",
            "manager primary work email",
            "manager primary work email address",
            "manager primary email",
            "supervisor primary email",
            "supervisor primary work email",
            "line manager email",
            "line manager email address",
            "line manager work email",
            "reporting manager email",
            "direct manager email",
            "direct manager email address",
            "primary manager email",
            "people manager email",
            "supervisor email",
            "supervisor email address",
            "supervisor work email",
            "supervisor work email address",
            "supervisor business email",
            "immediate supervisor email",
            "direct supervisor email",
            "reports to email",
            "reports to email address",
            "reports to work email",
            "reporting to email",
            "team leader email",
            "team lead email",
        ]],
    ),
    (
        ManagerEmail,
        Values,
        &[&[
            "manager",
            "line manager",
            "reporting manager",
            "direct manager",
            "immediate manager",
            "primary manager",
            "people manager",
            "supervisor",
            "direct supervisor",
            "immediate supervisor",
            "primary supervisor",
            "reports to",
            "reporting to",
            "team leader",
            "team lead",
        ]],
    ),
    (
        EmployeeId,
        Name,
        &[
            &["employee id", "user employee id"],
            &[
                "employee number",
                "employee code",
                "employee identification number",
                "personnel number",
                "personnel id",
                "personalnummer",
                "matricule",
            ],
            &[
                "staff id",
                "staff number",
                "staff code",
                "worker id",
                "worker number",
                "associate id",
                "associate number",
                "team member id",
                "team member number",
                "colleague id",
                "colleague number",
            ],
            &[
                "employee reference",
                "payroll id",
                "payroll number",
                "payroll employee id",
                "payroll employee number",
                "person number",
                "person id",
                "eeid",
            ],
        ],
    ),
    (
        JobTitle,
        Name,
        &[
            &[
                "job title",
                "job title role",
                "job title description",
                "employee job title",
                "current job title",
            ],
            &["position title", "business title", "position", "job role"],
            &["designation", "job position", "role title", "work title"],
        ],
    ),
    (
        JobTitle,
        Values,
        &[&["title", "job", "occupation", "position name", "job name"]],
    ),
    (
        HireDate,
        Name,
        &[
            &[
                "hire date",
                "hired date",
                "hiring date",
                "date of hire",
                "employee hire date",
                "date of joining",
                "date joined",
                "joining date",
                "join date",
                "employment start date",
                "employee start date",
                "commencement date",
                "employment commencement date",
            ],
            &["start date", "date started", "original hire date"],
            &[
                "most recent hire date",
                "latest hire date",
                "last hire date",
            ],
        ],
    ),
];

/// What a name is known for, how much it says, and how likely it is: less is likelier.
type Known = HashMap<String, (Concept, Proof, u8)>;

fn known_phrases() -> Known {
    let mut known = Known::new();
    for (concept, proof, tiers) in SYNONYMS {
        for (tier, names) in (2u8..).zip(*tiers) {
            // A name that needs proof comes after those that need none.
            let tier = if *proof == Name { tier } else { tier + 8 };
            let later = if *proof == Complete { 1 } else { 0 };
            for name in *names {
                let entry = (*concept, *proof, tier + later);
                known.entry(phrase(name)).or_insert(entry);
            }
        }
    }
    known
}

/// The fields of a portal, and what is known of the names of columns.
pub struct Suggester<'f> {
    catalogue: &'f FieldCatalogue,
    fields: Vec<Wanted>,
    known: Known,
}

/// A field of the portal, and what a column that feeds it may be called.
struct Wanted {
    field: Field,
    /// Of a custom field: its own name and its label.
    own: Vec<String>,
    concept: Option<Concept>,
}

/// The rank of a column that is called just as the field is, as in our own template.
const SPELLED: u8 = 0;
/// The rank of a column that has the name or the label of a custom field.
const OWN_NAME: u8 = 1;

impl<'f> Suggester<'f> {
    /// For a portal with these fields. `labels` are those of the custom fields, by name.
    pub fn new(catalogue: &'f FieldCatalogue, labels: &[(&str, &str)]) -> Self {
        let known = known_phrases();
        let fields = catalogue.fields().map(|field| {
            let label = labels
                .iter()
                .find(|(name, _)| *name == field.as_str())
                .map_or("", |(_, label)| label);
            Wanted::new(field, label, &known)
        });
        Suggester {
            catalogue,
            fields: fields.collect(),
            known,
        }
    }

    /// How many of these names of columns mean something here.
    pub fn count_known(&self, names: &[&str]) -> usize {
        let is_known = |name: &&&str| {
            let phrase = phrase(name);
            self.known.contains_key(&phrase)
                || self
                    .fields
                    .iter()
                    .any(|wanted| wanted.own.contains(&phrase))
        };
        names.iter().filter(is_known).count()
    }

    /// What each column is likely to feed, in the order of the fields. Each field is there once at most, and what
    /// is suggested can be mapped.
    pub fn suggest(&self, columns: &[Column<'_>]) -> Vec<Suggestion> {
        let mut times: HashMap<String, usize> = HashMap::new();
        for column in columns {
            *times.entry(column_key(column.name)).or_default() += 1;
        }
        let mut candidates: BTreeMap<u8, Vec<Candidate>> = BTreeMap::new();
        for (column, of_column) in columns.iter().enumerate() {
            let is_alone = times.get(&column_key(of_column.name)) == Some(&1);
            if !is_alone || !can_be_mapped(of_column.name) {
                continue;
            }
            let phrase = phrase(of_column.name);
            for (field, wanted) in self.fields.iter().enumerate() {
                if let Some(rank) = self.rank(wanted, of_column, &phrase) {
                    let candidate = Candidate { column, field };
                    candidates.entry(rank).or_default().push(candidate);
                }
            }
        }
        let mut chosen = Chosen::default();
        for of_rank in candidates.into_values() {
            self.choose(of_rank, &mut chosen);
        }
        let fields = chosen.column_of.into_iter();
        let suggestion = |(field, column): (usize, usize)| Suggestion {
            column: columns[column].name.to_owned(),
            field: self.fields[field].field.clone(),
        };
        fields.map(suggestion).collect()
    }

    /// How well the column fits the field; `None`: not at all.
    fn rank(&self, wanted: &Wanted, column: &Column<'_>, phrase: &str) -> Option<u8> {
        let is_custom = matches!(wanted.field, Field::Custom(_));
        let is_spelled = column.name.trim() == wanted.field.as_str();
        if is_custom && (is_spelled || wanted.own.iter().any(|own| own == phrase)) {
            // Whatever stands there, the portal's own field is meant; unless it is known what the field is about.
            let concept = wanted.concept;
            let fits = concept.is_none_or(|concept| self.fits(concept, Name, column));
            return fits.then_some(if is_spelled { SPELLED } else { OWN_NAME });
        }
        let (concept, proof, rank) = self.known.get(phrase).copied()?;
        if wanted.concept != Some(concept) || !self.fits(concept, proof, column) {
            return None;
        }
        Some(if is_spelled { SPELLED } else { rank })
    }

    /// Whether the values allow what the name says, or confirm it where that is wanted.
    fn fits(&self, concept: Concept, proof: Proof, column: &Column<'_>) -> bool {
        let values = &column.values[..];
        let seen = match proof {
            Name => true,
            Values => !values.is_empty(),
            Complete => !values.is_empty() && !column.has_blanks,
        };
        let of_group = |part: &str| self.catalogue.groups.named(part).is_some();
        seen && match concept {
            Email => mostly(values, is_address) && are_told_apart(values),
            FirstName | LastName => mostly(values, is_name),
            ExternalId | EmployeeId => mostly(values, is_id) && are_told_apart(values),
            // With a value of another kind a row would not be processed.
            Status => nearly_all(values, |value| matches!(value, "0" | "1")),
            RoleOf => nearly_all(values, |value| {
                parts(value).all(|part| Role::named(part).is_some())
            }),
            Group => nearly_all(values, |value| parts(value).all(of_group)),
            ManagerEmail => mostly(values, |value| parts(value).all(is_address)),
            JobTitle => mostly(values, is_title),
            HireDate => mostly(values, is_date),
        }
    }

    /// Of the candidates of one rank, those that nothing speaks against.
    fn choose(&self, of_rank: Vec<Candidate>, chosen: &mut Chosen) {
        let open: Vec<Candidate> = of_rank
            .into_iter()
            .filter(|it| !chosen.done.contains(&it.field))
            .filter(|it| {
                let others = chosen.column_of.iter();
                let mut others = others.filter(|(_, column)| **column == it.column);
                others.all(|(other, _)| self.may_share(*other, it.field))
            })
            .collect();
        for it in &open {
            chosen.done.insert(it.field);
            let rivals = |other: &&Candidate| {
                (other.field == it.field) != (other.column == it.column)
                    && !(other.column == it.column && self.may_share(other.field, it.field))
            };
            if open.iter().filter(rivals).count() == 0 {
                chosen.column_of.insert(it.field, it.column);
            }
        }
    }

    /// A manager's address feeds the manager, and a field that shows it.
    fn may_share(&self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|field| &self.fields[field]);
        one.concept == Some(ManagerEmail)
            && other.concept == Some(ManagerEmail)
            && (one.field == Field::Manager) != (other.field == Field::Manager)
    }
}

impl Wanted {
    fn new(field: Field, label: &str, known: &Known) -> Self {
        let concept_of = |name: &str| known.get(&phrase(name)).map(|(concept, ..)| *concept);
        let (own, concept) = match &field {
            Field::Email => (Vec::new(), Some(Email)),
            Field::FirstName => (Vec::new(), Some(FirstName)),
            Field::LastName => (Vec::new(), Some(LastName)),
            Field::ExternalId => (Vec::new(), Some(ExternalId)),
            Field::Status => (Vec::new(), Some(Status)),
            Field::Role => (Vec::new(), Some(RoleOf)),
            Field::Group => (Vec::new(), Some(Group)),
            Field::Manager => (Vec::new(), Some(ManagerEmail)),
            Field::Custom(name) => {
                let own = [name.as_str(), label].map(phrase);
                let own = own.into_iter().filter(|own| !own.is_empty()).collect();
                (
                    own,
                    custom_concept(concept_of(name.as_str()).or_else(|| concept_of(label))),
                )
            }
        };
        Wanted {
            field,
            own,
            concept,
        }
    }
}

/// What is about the user as such has a standard field, and a custom one beside it means something else.
fn custom_concept(concept: Option<Concept>) -> Option<Concept> {
    concept.filter(|concept| matches!(concept, ManagerEmail | EmployeeId | JobTitle | HireDate))
}

/// What a custom field of this name is about, if it is one of those that most portals have.
pub(crate) fn concept_of_custom(name: &str) -> Option<Concept> {
    custom_concept(
        known_phrases()
            .get(&phrase(name))
            .map(|(concept, ..)| *concept),
    )
}

/// A column that could feed a field.
struct Candidate {
    column: usize,
    field: usize,
}

#[derive(Default)]
struct Chosen {
    /// By field.
    column_of: BTreeMap<usize, usize>,
    /// Fields for which there is nothing better to come, whether one was found or several.
    done: HashSet<usize>,
}

/// Whether a mapping that names the column is accepted, if no other column has its name.
fn can_be_mapped(name: &str) -> bool {
    let key = column_key(name);
    !key.is_empty() && key != FEED_PROBLEM_COLUMN && is_short_enough(name)
}

/// A name without what differs between two systems that mean the same: its words, canonical, each once, sorted.
fn phrase(name: &str) -> String {
    let mut words = words(name);
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}

/// Words that say nothing about what a column means; the s is that of “name(s)”.
const IDLE: [&str; 4] = ["required", "optional", "mandatory", "s"];

fn words(name: &str) -> Vec<String> {
    // Accents, full-width letters and the like become plain letters.
    let plain: String = name.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    let plain = plain.replace(['’', '‘', '`'], "'");
    let mut words: Vec<String> = Vec::new();
    for word in split(&plain) {
        let word = word.to_lowercase();
        if IDLE.contains(&word.as_str()) {
            continue;
        }
        if matches!(word.as_str(), "mail" | "mails") && words.last().is_some_and(|last| last == "e")
        {
            words.pop();
            words.push("email".to_owned());
            continue;
        }
        match canonical(&word) {
            Some(canonical) => words.extend(canonical.split(' ').map(str::to_owned)),
            None => words.push(word),
        }
    }
    words
}

/// At everything that is no letter and no digit, and where a capital letter begins a word: `firstName`, `HRISId`.
fn split(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1).copied();
        let begins = c.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase() || before.is_numeric())
                || before.is_some_and(char::is_uppercase) && after.is_some_and(char::is_lowercase));
        // The s of a possessive is no word.
        let possessive = matches!(c, 's' | 'S')
            && before == Some('\'')
            && !after.is_some_and(char::is_alphanumeric);
        match c {
            '#' => words.extend(["number".to_owned(), String::new()]),
            '\'' => {}
            _ if possessive => {}
            c if !c.is_alphanumeric() => words.push(String::new()),
            c if begins => words.push(c.to_string()),
            c => {
                if let Some(word) = words.last_mut() {
                    word.push(*c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// One spelling for words that are spelled in several ways.
fn canonical(word: &str) -> Option<&'static str> {
    Some(match word {
        "emails" => "email",
        "emp" | "empl" | "employees" => "employee",
        "no" | "nr" | "num" | "nbr" => "number",
        "ident" => "id",
        "managers" | "mgr" => "manager",
        "supervisors" => "supervisor",
        "addr" | "adress" => "address",
        "emailaddress" => "email address",
        "workemail" => "work email",
        "firstname" | "fname" => "first name",
        "givenname" => "given name",
        "lastname" | "lname" => "last name",
        "familyname" => "family name",
        "employeeid" | "empid" => "employee id",
        "employeenumber" | "employeeno" | "empno" => "employee number",
        "staffid" => "staff id",
        "externalid" => "external id",
        "jobtitle" => "job title",
        "hiredate" => "hire date",
        "startdate" => "start date",
        "manageremail" => "manager email",
        "supervisoremail" => "supervisor email",
        _ => return None,
    })
}

/// At least four of five. A sample has an odd value now and then; none at all says nothing.
fn mostly(values: &[&str], is: impl Fn(&str) -> bool) -> bool {
    let fitting = values.iter().filter(|value| is(value)).count();
    fitting * 5 >= values.len() * 4
}

/// All but a slip or two of a long sample: of fewer than twenty values, every one.
fn nearly_all(values: &[&str], is: impl Fn(&str) -> bool) -> bool {
    let fitting = values.iter().filter(|value| is(value)).count();
    fitting * 20 >= values.len() * 19
}

/// Whether the values can be those of different people. Two lines of dummy data may be alike.
fn are_told_apart(values: &[&str]) -> bool {
    let distinct: HashSet<String> = values.iter().map(|value| value.to_lowercase()).collect();
    values.len() < 3 || distinct.len() * 2 > values.len()
}

fn is_address(value: &str) -> bool {
    check_email(value).is_ok()
}

fn is_name(value: &str) -> bool {
    value.chars().any(char::is_alphabetic) && !value.contains(['@', ',']) && !is_code(value)
}

/// A GUID has 36 characters.
const LONGEST_ID: usize = 64;

fn is_id(value: &str) -> bool {
    let short = value.chars().count() <= LONGEST_ID;
    short && !value.contains(['@', ' ']) && value.chars().any(|c| c.is_ascii_digit())
}

/// As in front of names.
const HONORIFICS: [&str; 8] = ["mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir"];

fn is_title(value: &str) -> bool {
    let honorific = HONORIFICS.contains(&value.trim_end_matches('.').to_lowercase().as_str());
    value.chars().any(char::is_alphabetic) && !value.contains('@') && !honorific && !is_code(value)
}

/// `P-00123` and the like: more digits than letters.
fn is_code(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    digits > value.chars().filter(|c| c.is_alphabetic()).count()
}

/// A year and, somehow, a month and a day; the feed keeps it as it stands.
fn is_date(value: &str) -> bool {
    const LONGEST: usize = 40;
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let separated = value.contains(['-', '/', '.', ' ', '年']);
    let named = value.chars().filter(|c| c.is_alphabetic()).count();
    value.chars().count() <= LONGEST
        && (3..=17).contains(&digits)
        && named <= 20
        && (separated || digits == 8 && named == 0)
        && !value.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Group as PortalGroup, Groups};
    use crate::mapping::{FieldDraft, Mapping, MappingDraft};
    use crate::problem::ProblemCode;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    fn catalogue(custom: &[&str], external_id: bool) -> FieldCatalogue {
        let group = |id| PortalGroup {
            id,
            learning_ids: Vec::new(),
        };
        FieldCatalogue {
            custom: custom.iter().map(|name| name.parse().unwrap()).collect(),
            groups: Groups::new(vec![group(7), group(20)]),
            external_id,
        }
    }

    /// Those that most portals ask for.
    const USUAL: [&str; 4] = ["employee_id", "job_title", "manager_email", "hire_date"];

    /// A sample as text: the header, then rows; ` / ` ends a row, and cells have no commas within.
    fn suggested_of(catalogue: &FieldCatalogue, labels: &[(&str, &str)], sample: &str) -> String {
        let mut rows = sample.split(" / ").map(|row| row.split(',').map(str::trim));
        let header = rows.next().unwrap();
        let rows: Vec<Vec<&str>> = rows.map(Iterator::collect).collect();
        let column = |(at, name)| {
            let cells = rows.iter().map(|row| row.get(at).copied().unwrap_or(""));
            let (values, blank): (Vec<&str>, Vec<&str>) = cells.partition(|cell| !cell.is_empty());
            let has_blanks = !blank.is_empty();
            Column {
                name,
                values,
                has_blanks,
            }
        };
        let columns: Vec<Column<'_>> = header.enumerate().map(column).collect();
        let suggested = Suggester::new(catalogue, labels).suggest(&columns);
        let pair = |it: &Suggestion| format!("{}={}", it.field, it.column);
        suggested.iter().map(pair).collect::<Vec<_>>().join("; ")
    }

    fn suggested(sample: &str) -> String {
        suggested_of(&catalogue(&USUAL, false), &[], sample)
    }

    /// As the systems name the columns of their exports and reports of employees.
    #[test]
    fn exports_of_real_hr_systems_are_understood() {
        for (system, sample, expected) in [
            (
                "Workday",
                "Employee ID,Worker,Legal Name - First Name,Legal Name - Last Name,Preferred Name - First Name,Email - Primary Work,Email - Primary Home,Business Title,Position ID,Hire Date,Original Hire Date,Worker's Manager,Manager - Primary Work Email,Worker Status,Cost Center / \
                 10023,Ann Lee,Ann,Lee,,ann.lee@acme.example,ann@home.example,Analyst,P-00112,2019-02-04,2015-03-01,Bo Li (10007),bo.li@acme.example,Active,CC100",
                "email=Email - Primary Work; first_name=Legal Name - First Name; last_name=Legal Name - Last Name; manager=Manager - Primary Work Email; employee_id=Employee ID; job_title=Business Title; manager_email=Manager - Primary Work Email; hire_date=Hire Date",
            ),
            (
                "BambooHR",
                "Employee #,First Name,Preferred Name,Last Name,Work Email,Home Email,Job Title,Reporting to,Supervisor email,Hire Date,Status,Employment Status,Department / \
                 12,Ann,,Lee,ann@acme.example,ann@home.example,Analyst,Bo Li,bo@acme.example,04/02/2019,Active,Full-Time,Sales",
                "email=Work Email; first_name=First Name; last_name=Last Name; manager=Supervisor email; employee_id=Employee #; job_title=Job Title; manager_email=Supervisor email; hire_date=Hire Date",
            ),
            (
                "ADP",
                "Associate ID,Position ID,Legal First Name,Legal Last Name,Preferred First Name,Work Contact: Work Email,Personal Contact: Personal Email,Job Title Description,Hire Date,Position Status,Reports To Legal Name,Reports To Email / \
                 ABC123XYZ,K9X000012,Ann,Lee,Annie,ann@acme.example,ann@home.example,Analyst,02/04/2019,Active,Li; Bo,bo@acme.example",
                "email=Work Contact: Work Email; first_name=Legal First Name; last_name=Legal Last Name; manager=Reports To Email; employee_id=Associate ID; job_title=Job Title Description; manager_email=Reports To Email; hire_date=Hire Date",
            ),
            (
                "SAP SuccessFactors",
                "STATUS,USERID,USERNAME,FIRSTNAME,LASTNAME,MI,GENDER,EMAIL,MANAGER,HR,DEPARTMENT,JOBCODE,TITLE,HIREDATE,EMPID / \
                 active,10023,alee,Ann,Lee,,F,ann.lee@acme.example,10007,10001,Sales,AN1,Analyst,02/04/2019,10023",
                "email=EMAIL; first_name=FIRSTNAME; last_name=LASTNAME; employee_id=EMPID; job_title=TITLE; hire_date=HIREDATE",
            ),
            (
                "SAP SuccessFactors by API",
                "userId,firstName,lastName,email,jobTitle,hireDate,personIdExternal,managerEmail / \
                 10023,Ann,Lee,ann.lee@acme.example,Analyst,2019-02-04,10023,bo@acme.example",
                "email=email; first_name=firstName; last_name=lastName; manager=managerEmail; job_title=jobTitle; manager_email=managerEmail; hire_date=hireDate",
            ),
            (
                "Employment Hero",
                "Employee Number,First Name,Middle Name,Last Name,Known As,Company Email,Personal Email,Account Email,Job Title,Primary Manager,Primary Manager Email,Start Date,Termination Date,Status / \
                 EH12,Ann,,Lee,Annie,ann@acme.example,ann@home.example,ann@acme.example,Analyst,Bo Li,bo@acme.example,04/02/2019,,Active",
                "email=Company Email; first_name=First Name; last_name=Last Name; manager=Primary Manager Email; employee_id=Employee Number; job_title=Job Title; manager_email=Primary Manager Email; hire_date=Start Date",
            ),
            (
                "Xero Payroll",
                "First Name,Last Name,Job Title,Email,Start Date,Date of Birth,Mobile,Employee Group,Employee No. / \
                 Ann,Lee,Analyst,ann@acme.example,4 Feb 2019,1 Jan 1990,0400 000 000,Sales,12",
                "email=Email; first_name=First Name; last_name=Last Name; employee_id=Employee No.; job_title=Job Title; hire_date=Start Date",
            ),
            (
                "our own sample",
                "Employee No,Surname,Given Name,Work E-mail,Job Title,Department,Hire Date,Employment Status,Location,Phone,Notes / \
                 E10001,Hoàng,Trọng Khôi,KHOI@VN.example,Supervisor,Warehouse,1997-12-22,1,Hà Nội,,Part-time / \
                 E10003,Lim,Kok Wai,kw@my.example,Driver,Warehouse,1994-05-10,0,Penang,+60 3,",
                "email=Work E-mail; first_name=Given Name; last_name=Surname; status=Employment Status; employee_id=Employee No; job_title=Job Title; hire_date=Hire Date",
            ),
        ] {
            assert_eq!(suggested(sample), expected, "{system}");
        }
    }

    #[test]
    fn a_header_alone_is_understood_where_names_say_enough() {
        for (header, expected) in [
            ("Work E-mail", "email=Work E-mail"),
            ("Email Address", "email=Email Address"),
            ("E-Mail (Work)", "email=E-Mail (Work)"),
            ("E-MAIL", "email=E-MAIL"),
            ("eMail", "email=eMail"),
            ("email_address *", "email=email_address *"),
            ("Adresse e-mail", "email=Adresse e-mail"),
            ("Correo electrónico", "email=Correo electrónico"),
            ("Surname", "last_name=Surname"),
            ("Family Name", "last_name=Family Name"),
            ("Last Name (required)", "last_name=Last Name (required)"),
            ("Given Name(s)", "first_name=Given Name(s)"),
            ("Given Names", "first_name=Given Names"),
            ("Prénom", "first_name=Prénom"),
            ("Ｆｉｒｓｔ Name", "first_name=Ｆｉｒｓｔ Name"),
            ("Emp ID", "employee_id=Emp ID"),
            ("Employee No.", "employee_id=Employee No."),
            ("Personnel number", "employee_id=Personnel number"),
            ("Employee’s ID", "employee_id=Employee’s ID"),
            (
                "Supervisor Email",
                "manager=Supervisor Email; manager_email=Supervisor Email",
            ),
            (
                "Manager's E-mail",
                "manager=Manager's E-mail; manager_email=Manager's E-mail",
            ),
            ("Position", "job_title=Position"),
            ("Date of hire", "hire_date=Date of hire"),
            ("Start Date", "hire_date=Start Date"),
            // What may be something else needs values to be believed.
            (
                "Preferred First Name,Status,Role,Group,Manager,Title,Username,First,Last",
                "",
            ),
            // What is something else.
            (
                "Personal Email,Home Email,Manager First Name,Emergency Contact Email,Name,Full Name",
                "",
            ),
            (
                "Middle Name,Preferred Name,Birth Date,End Date,Termination Date,Position ID,ID",
                "",
            ),
            ("External ID", ""),
        ] {
            assert_eq!(suggested(header), expected, "{header}");
        }
    }

    #[test]
    fn values_confirm_or_contradict_what_a_name_says() {
        for (sample, expected) in [
            (
                "Manager / bo@x.io / bo@x.io|cy@x.io / ",
                "manager=Manager; manager_email=Manager",
            ),
            ("Manager / Bo Li", ""),
            ("Manager Email / Bo Li", ""),
            ("Email / Ann Lee", ""),
            ("Email / ann@x.io / n/a", ""),
            ("Email / hr@x.io / hr@x.io / hr@x.io / hr@x.io", ""),
            ("Username / ann@x.io / bo@x.io", "email=Username"),
            ("Username / annlee", ""),
            ("First Name / ann@x.io", ""),
            ("First Name / Lee; Ann / 12", ""),
            (
                "Preferred First Name / Ann / Bo",
                "first_name=Preferred First Name",
            ),
            ("Preferred First Name,x / Ann,1 / ,1", ""),
            (
                "Preferred First Name,First Name / Annie,Ann",
                "first_name=First Name",
            ),
            ("First,Last / Ann,Lee", "first_name=First; last_name=Last"),
            ("Status / 1 / 0 / 1", "status=Status"),
            ("Status / 1 / Active", ""),
            ("Active / Y", ""),
            ("Is Active / 1", "status=Is Active"),
            ("Terminated / 1 / 0", ""),
            ("Role / learner / Manager|Administrator", "role=Role"),
            ("Role / Software Engineer", ""),
            ("Group / 7 / 20|7", "group=Group"),
            ("Group / 7 / 21", ""),
            ("Group / Sales", ""),
            ("Title / Ms. / Mr", ""),
            ("Title / Analyst", "job_title=Title"),
            ("Position / P-00123", ""),
            ("Employee ID / 1 / 1 / 1 / 1", ""),
            ("Employee ID / Ann Lee", ""),
            (
                "Hire Date / 20190204 / 4-Feb-19 / 2019-02-04T00:00:00Z",
                "hire_date=Hire Date",
            ),
            ("Hire Date / yes", ""),
        ] {
            assert_eq!(suggested(sample), expected, "{sample}");
        }
    }

    #[test]
    fn a_slip_in_a_long_sample_does_not_speak_against_the_rest() {
        let status = |slips: usize| {
            let values = ["1"; 40].into_iter().chain(["x"].repeat(slips));
            format!("Status / {}", values.collect::<Vec<_>>().join(" / "))
        };
        assert_eq!(suggested(&status(2)), "status=Status");
        assert_eq!(suggested(&status(3)), "");
    }

    #[test]
    fn of_two_columns_that_fit_equally_well_neither_is_suggested() {
        for (header, expected) in [
            ("Email,E-Mail Address", ""),
            ("Email,Work Email", "email=Work Email"),
            ("Email (Work),Work Email", ""),
            ("Surname,Last Name,First Name", "first_name=First Name"),
            ("Email,email", ""),
            ("Hire Date,Start Date", "hire_date=Hire Date"),
            ("Employee Number,Employee ID", "employee_id=Employee ID"),
        ] {
            assert_eq!(suggested(header), expected, "{header}");
        }
    }

    #[test]
    fn the_portals_own_fields_are_known_by_name_and_by_label() {
        let labels = [
            ("cost_centre", "Cost Center"),
            ("staff_number", "Staff no."),
            ("joined", "Date of joining"),
            ("work_email", "Work mail"),
        ];
        let names = labels.map(|(name, _)| name);
        let of = |header: &str| suggested_of(&catalogue(&names, false), &labels, header);
        assert_eq!(of("COST CENTRE"), "cost_centre=COST CENTRE");
        assert_eq!(of("cost-center"), "cost_centre=cost-center");
        assert_eq!(of("Staff Number,Employee ID"), "staff_number=Staff Number");
        assert_eq!(
            of("Employee ID,Hire Date"),
            "staff_number=Employee ID; joined=Hire Date"
        );
        assert_eq!(of("Work Email,Email"), "email=Email; work_email=Work Email");
        let none = suggested_of(
            &catalogue(&[], false),
            &[],
            "Employee ID,Job Title,Manager Email",
        );
        assert_eq!(none, "manager=Manager Email");
    }

    #[test]
    fn external_ids_are_suggested_only_where_they_are_enabled() {
        let enabled = catalogue(&USUAL, true);
        let of = |sample: &str| suggested_of(&enabled, &[], sample);
        assert_eq!(
            of("External ID,Employee ID"),
            "external_id=External ID; employee_id=Employee ID"
        );
        assert_eq!(
            of("Unique identifier / 7 / 8"),
            "external_id=Unique identifier"
        );
        assert_eq!(of("External ID / 7 / 7 / 7"), "");
    }

    #[test]
    fn every_synonym_means_one_thing() {
        let mut seen = HashMap::new();
        for (concept, _, tiers) in SYNONYMS {
            for name in tiers.iter().copied().flatten() {
                let of = *seen.entry(phrase(name)).or_insert(*concept);
                assert_eq!(of, *concept, "{name}");
            }
        }
    }

    const NAMES: [&str; 30] = [
        "Email",
        "Work Email",
        "email",
        "E-mail (work)",
        "Username",
        "First Name",
        "Given Name",
        "Surname",
        "last_name",
        "Status",
        "Role",
        "Group",
        "Manager",
        "Manager Email",
        "Supervisor Email",
        "manager_email",
        "Employee ID",
        "Emp No.",
        "Job Title",
        "Position",
        "Title",
        "Hire Date",
        "Start Date",
        "External ID",
        "external_id",
        "feed_problem",
        "",
        " ",
        "Cost Centre",
        "Notes",
    ];
    const CELLS: [&str; 14] = [
        "",
        "ann@x.io",
        "bo@x.io",
        "bo@x.io|cy@x.io",
        "Ann",
        "Lee",
        "1",
        "0",
        "7",
        "20|7",
        "Learner",
        "E100",
        "2019-02-04",
        "n/a",
    ];
    const CUSTOM: [&str; 6] = [
        "employee_id",
        "job_title",
        "manager_email",
        "hire_date",
        "cost_centre",
        "supervisor_email",
    ];

    proptest! {
        #[test]
        fn what_is_suggested_can_be_mapped(
            names in proptest::collection::vec(prop_oneof![4 => select(&NAMES[..]).prop_map(str::to_owned), 1 => "\\PC{0,12}"], 0..12),
            cells in proptest::collection::vec(proptest::collection::vec(select(&CELLS[..]), 0..4), 12),
            custom in subsequence(&CUSTOM[..], 0..=6),
            external_id: bool,
        ) {
            let catalogue = catalogue(&custom, external_id);
            let columns: Vec<Column<'_>> = names.iter().zip(&cells).map(|(name, cells)| Column {
                name,
                values: cells.iter().copied().filter(|cell| !cell.is_empty()).collect(),
                has_blanks: cells.contains(&""),
            }).collect();
            let suggested = Suggester::new(&catalogue, &[]).suggest(&columns);
            let fields: Vec<Field> = catalogue.fields().collect();
            let mut seen = HashSet::new();
            for it in &suggested {
                prop_assert!(fields.contains(&it.field), "unknown: {}", it.field);
                prop_assert!(seen.insert(it.field.clone()), "twice: {}", it.field);
                prop_assert!(names.contains(&it.column));
            }
            let line = |it: &Suggestion| FieldDraft { field: it.field.to_string(), column: it.column.clone(), on_empty: None };
            let draft = MappingDraft {
                columns: names.clone(),
                fields: suggested.iter().map(line).collect(),
                identity: if seen.contains(&Field::ExternalId) { "external_id" } else { "email" }.to_owned(),
                auto_disable: false,
            };
            if let Err(problems) = Mapping::check(&draft, &catalogue) {
                prop_assert!(problems.iter().all(|problem| problem.code == ProblemCode::RequiredFieldNotMapped), "{problems:?}");
            }
        }
    }
}
