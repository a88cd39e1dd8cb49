//! Which column of the customer's file feeds which field. A [`Mapping`] is a checked [`MappingDraft`];
//! there is no other way to one, so a file is never read with a mapping that lacks an address.

use crate::fields::{Field, FieldCatalogue};
use crate::file::FEED_PROBLEM_COLUMN;
use crate::group::Groups;
use crate::problem::{Problem, ProblemCode, shortened};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// A mapping as it is sent and as it is shown: names only, nothing checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingDraft {
    /// The columns of the sample file, in its order. May be left out; then only the mapped ones are known.
    #[serde(default)]
    pub columns: Vec<String>,
    /// What feeds what.
    pub fields: Vec<FieldDraft>,
    /// `email`, or `external_id`.
    #[serde(default = "identity_by_email")]
    pub identity: String,
    /// Whether people who are missing from a file become inactive.
    #[serde(default)]
    pub auto_disable: bool,
}

/// What a mapping that does not say otherwise identifies people by.
pub fn identity_by_email() -> String {
    "email".to_owned()
}

/// One line of a [`MappingDraft`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDraft {
    /// The Go1 field; a custom field by its bare name.
    pub field: String,
    /// The column's name in the customer's file.
    pub column: String,
    /// `keep` (what an absent value means too) or, for custom fields, `clear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_empty: Option<String>,
}

/// What an empty cell does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEmpty {
    /// What the user has stays.
    Keep,
    /// The user's value is removed. Custom fields only.
    Clear,
}

/// One field and the column that feeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedField {
    /// The field.
    pub field: Field,
    /// The column's name as the customer spelled it.
    pub column: String,
    /// What an empty cell does.
    pub on_empty: OnEmpty,
}

/// By what a mapping tells people apart (`docs/rules.md`, "Identity").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifyBy {
    /// E-mail address.
    Email,
    /// External id; addresses may change.
    ExternalId,
}

/// A checked mapping: every field at most once, the required ones present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    fields: Vec<MappedField>,
    identify_by: IdentifyBy,
    auto_disable: bool,
    /// What the values of `group` mean; the portal's as they were when the file was planned.
    groups: Groups,
}

/// The most fields one mapping can have; what an update changed is kept as one bit a field.
pub const MAX_MAPPED_FIELDS: usize = 64;

/// A mapping is stored as one item, which DynamoDB limits to 400 KB, and names of columns are repeated in
/// the problems of an upload record. So many columns, and so many bytes of names in all.
pub(crate) const MAX_COLUMNS: usize = 1_000;
const MAX_NAME_BYTES: usize = 100_000;
const MAX_COLUMN_NAME_CHARS: usize = 300;

impl Mapping {
    /// Checks a draft against the portal's fields.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, not only the first.
    pub fn check(draft: &MappingDraft, catalogue: &FieldCatalogue) -> Result<Self, Vec<Problem>> {
        check_sizes(draft)?;
        let mut problems = Vec::new();
        let mut fields: Vec<MappedField> = Vec::new();
        let columns: HashSet<String> = draft.columns.iter().map(|name| column_key(name)).collect();
        let mut fed: BTreeMap<&str, u32> = BTreeMap::new();

        for line in &draft.fields {
            *fed.entry(&line.field).or_default() += 1;
            if column_key(&line.column).is_empty() {
                problems.push(invalid(line, "the column has no name"));
            } else if column_key(&line.column) == FEED_PROBLEM_COLUMN {
                problems.push(invalid(
                    line,
                    "the feed itself writes a column of this name",
                ));
            } else if !draft.columns.is_empty() && !columns.contains(&column_key(&line.column)) {
                problems.push(
                    at(ProblemCode::UnknownColumn, line)
                        .message(format!("“{}” is not a column of the sample.", line.column)),
                );
            }
            let Some(field) = catalogue.find(&line.field) else {
                problems.push(at(ProblemCode::UnknownField, line).message(format!(
                    "The portal has no field “{}”; it has {}.",
                    shortened(&line.field),
                    catalogue.names()
                )));
                continue;
            };
            match on_empty(line, &field) {
                Ok(on_empty) => fields.push(MappedField {
                    field,
                    column: line.column.clone(),
                    on_empty,
                }),
                Err(problem) => problems.push(problem),
            }
        }

        for (field, times) in &fed {
            if *times > 1 {
                problems.push(
                    Problem::new(ProblemCode::FieldMappedTwice)
                        .field(field)
                        .message(format!(
                            "“{field}” is fed by {times} columns; a field takes one."
                        )),
                );
            }
        }
        for field in Field::STANDARD.iter().filter(|field| field.is_required()) {
            if !fed.contains_key(field.as_str()) {
                problems.push(
                    Problem::new(ProblemCode::RequiredFieldNotMapped)
                        .field(field.as_str())
                        .message(format!("“{field}” is required and no column feeds it.")),
                );
            }
        }
        problems.extend(duplicate_columns(draft));
        let identify_by = identify_by(draft, catalogue, &mut problems);
        if draft.auto_disable && fed.contains_key(Field::Status.as_str()) {
            problems.push(
                Problem::new(ProblemCode::AutoDisableWithStatus).field(Field::Status.as_str()),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // In one order, whatever order they were sent in: a mapping saved again must not make every
        // fingerprint differ.
        fields.sort_by(|a, b| a.field.cmp(&b.field));
        Ok(Mapping {
            fields,
            identify_by,
            auto_disable: draft.auto_disable,
            groups: catalogue.groups.clone(),
        })
    }

    /// The mapped fields in the order of [`Field`].
    pub fn fields(&self) -> &[MappedField] {
        &self.fields
    }

    /// By what people are told apart.
    pub fn identify_by(&self) -> IdentifyBy {
        self.identify_by
    }

    /// Whether people who are missing from a file become inactive.
    pub fn auto_disable(&self) -> bool {
        self.auto_disable
    }

    /// Whether a column feeds this field.
    pub fn maps(&self, field: &Field) -> bool {
        self.fields.iter().any(|mapped| mapped.field == *field)
    }

    /// The groups that a file can name.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The same mapping with the groups that a kept plan was made with: what a value means must not change
    /// while a file is applied.
    pub fn with_groups(self, groups: Groups) -> Self {
        Mapping { groups, ..self }
    }
}

impl MappingDraft {
    /// The fields that the draft itself speaks of: the standard ones, and every other name that could be
    /// one. For reading a mapping that was checked against its portal once.
    pub fn own_catalogue(&self) -> FieldCatalogue {
        let standard = |name: &str| Field::STANDARD.iter().any(|field| field.as_str() == name);
        let names = self
            .fields
            .iter()
            .map(|line| line.field.as_str())
            .filter(|name| !standard(name));
        FieldCatalogue {
            custom: names.filter_map(|name| name.parse().ok()).collect(),
            groups: Groups::default(),
            external_id: true,
        }
    }
}

/// Too much of everything is one problem, not thousands.
fn check_sizes(draft: &MappingDraft) -> Result<(), Vec<Problem>> {
    let mapped = draft.fields.iter().map(|line| line.column.as_str());
    let columns = draft.columns.iter().map(String::as_str);
    let message = if draft.fields.len() > MAX_MAPPED_FIELDS {
        "A mapping has at most 64 fields."
    } else if let Some(message) = too_much(draft.columns.len(), columns.chain(mapped)) {
        message
    } else {
        return Ok(());
    };
    Err(vec![
        Problem::new(ProblemCode::InvalidValue).message(message),
    ])
}

/// Why no mapping can be saved of a sample with so many columns and these names; `None`: one can.
pub(crate) fn too_much<'n>(
    columns: usize,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Option<&'static str> {
    if columns > MAX_COLUMNS {
        Some("A sample has at most 1,000 columns.")
    } else if names.clone().any(|name| !is_short_enough(name)) {
        Some("The name of a column has at most 300 characters.")
    } else if names.map(str::len).sum::<usize>() > MAX_NAME_BYTES {
        Some("The names of the columns are too long altogether.")
    } else {
        None
    }
}

/// Whether a column of this name can be mapped, as far as its length goes.
pub(crate) fn is_short_enough(name: &str) -> bool {
    name.chars().count() <= MAX_COLUMN_NAME_CHARS
}

/// Header names match after trimming, without regard to case.
pub fn column_key(name: &str) -> String {
    name.trim().to_lowercase()
}

fn at(code: ProblemCode, line: &FieldDraft) -> Problem {
    Problem::new(code).field(&line.field).column(&line.column)
}

fn invalid(line: &FieldDraft, what: &str) -> Problem {
    at(ProblemCode::InvalidValue, line).message(format!("“{}”: {what}.", shortened(&line.field)))
}

fn on_empty(line: &FieldDraft, field: &Field) -> Result<OnEmpty, Problem> {
    match (line.on_empty.as_deref(), field) {
        (None | Some("keep"), _) => Ok(OnEmpty::Keep),
        (Some("clear"), Field::Custom(_)) => Ok(OnEmpty::Clear),
        (Some("clear"), _) => Err(invalid(
            line,
            "only custom fields can be cleared by an empty cell",
        )),
        (Some(_), _) => Err(invalid(line, "on_empty is keep or clear")),
    }
}

/// Columns of one name could not be told apart; those that nothing is mapped to may be alike.
fn duplicate_columns(draft: &MappingDraft) -> Vec<Problem> {
    let mapped: HashSet<String> = draft
        .fields
        .iter()
        .map(|line| column_key(&line.column))
        .collect();
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for name in &draft.columns {
        let key = column_key(name);
        if mapped.contains(&key) && !seen.insert(key) {
            problems.push(
                Problem::new(ProblemCode::DuplicateColumn)
                    .column(name)
                    .message(format!(
                        "The sample has more than one column “{}”.",
                        name.trim()
                    )),
            );
        }
    }
    problems
}

/// By what people are told apart; by address also where that is wrong, which is then among the problems.
fn identify_by(
    draft: &MappingDraft,
    catalogue: &FieldCatalogue,
    problems: &mut Vec<Problem>,
) -> IdentifyBy {
    let field = Field::ExternalId.as_str();
    let mapped = draft.fields.iter().any(|line| line.field == field);
    let wants = draft.identity == field;
    if (wants || mapped) && !catalogue.external_id {
        problems.push(Problem::new(ProblemCode::ExternalIdNotEnabled).field(field));
    } else if wants && !mapped {
        problems.push(
            Problem::new(ProblemCode::RequiredFieldNotMapped)
                .field(field)
                .message("People are identified by “external_id” and no column feeds it."),
        );
    } else if mapped && !wants {
        problems.push(
            Problem::new(ProblemCode::InvalidValue)
                .field(field)
                .message("“external_id” is mapped only where people are identified by it: set identity to external_id."),
        );
    }
    match draft.identity.as_str() {
        "email" => IdentifyBy::Email,
        "external_id" => IdentifyBy::ExternalId,
        other => {
            problems.push(
                Problem::new(ProblemCode::InvalidValue)
                    .field("identity")
                    .value(other)
                    .message("People are identified by email or by external_id."),
            );
            IdentifyBy::Email
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A draft from `field=column` pairs; `field=column!` clears on empty.
    pub(crate) fn draft(pairs: &[&str]) -> MappingDraft {
        let fields = pairs
            .iter()
            .map(|pair| {
                let (field, column) = pair.split_once('=').unwrap();
                let on_empty = column.ends_with('!').then(|| "clear".to_owned());
                FieldDraft {
                    field: field.to_owned(),
                    column: column.trim_end_matches('!').to_owned(),
                    on_empty,
                }
            })
            .collect();
        MappingDraft {
            columns: Vec::new(),
            fields,
            identity: "email".to_owned(),
            auto_disable: false,
        }
    }

    pub(crate) fn catalogue(custom: &[&str]) -> FieldCatalogue {
        FieldCatalogue {
            custom: custom.iter().map(|name| name.parse().unwrap()).collect(),
            ..FieldCatalogue::default()
        }
    }

    /// The standard fields and the custom fields `job` (keeps) and `site` (clears).
    pub(crate) fn mapping() -> Mapping {
        let draft = draft(&[
            "email=Email",
            "first_name=First",
            "last_name=Last",
            "status=Status",
            "job=Job",
            "site=Site!",
        ]);
        Mapping::check(&draft, &catalogue(&["job", "site"])).unwrap()
    }

    fn codes(draft: &MappingDraft) -> Vec<&'static str> {
        let problems = Mapping::check(draft, &catalogue(&["job"])).unwrap_err();
        problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect()
    }

    const REQUIRED: [&str; 3] = ["email=E", "first_name=F", "last_name=L"];

    #[test]
    fn the_order_in_which_fields_are_sent_does_not_matter() {
        let there = Mapping::check(
            &draft(&["email=E", "first_name=F", "last_name=L", "job=J"]),
            &catalogue(&["job"]),
        );
        let back = Mapping::check(
            &draft(&["job=J", "last_name=L", "first_name=F", "email=E"]),
            &catalogue(&["job"]),
        );
        assert_eq!(there.unwrap(), back.unwrap());
    }

    #[test]
    fn one_column_may_feed_several_fields() {
        let draft = draft(&["email=E", "first_name=Name", "last_name=Name", "job=E"]);
        assert!(Mapping::check(&draft, &catalogue(&["job"])).is_ok());
    }

    #[test]
    fn everything_that_is_wrong_is_listed_at_once() {
        let mut draft = draft(&[
            "first_name=F",
            "first_name=G",
            "shoe_size=S",
            "status=!",
            "job=J",
        ]);
        draft.columns = vec!["F".into(), " f ".into(), "S".into(), "J".into()];
        assert_eq!(
            codes(&draft),
            [
                "unknown_column",
                "unknown_field",
                "invalid_value",
                "invalid_value",
                "field_mapped_twice",
                "required_field_not_mapped",
                "required_field_not_mapped",
                "duplicate_column",
            ]
        );
    }

    #[test]
    fn a_mapping_without_an_address_is_refused() {
        assert_eq!(
            codes(&draft(&["first_name=F", "last_name=L"])),
            ["required_field_not_mapped"]
        );
    }

    #[test]
    fn people_are_identified_by_external_id_where_that_is_enabled_and_mapped_and_not_otherwise() {
        let missing = "required_field_not_mapped";
        for (enabled, identity, mapped, expected) in [
            (true, "email", false, &[][..]),
            (true, "external_id", true, &[]),
            (true, "external_id", false, &[missing]),
            (true, "email", true, &["invalid_value"]),
            (false, "email", false, &[]),
            (false, "external_id", true, &["external_id_not_enabled"]),
            (false, "external_id", false, &["external_id_not_enabled"]),
            (false, "email", true, &["external_id_not_enabled"]),
            (true, "name", false, &["invalid_value"]),
            (true, "", false, &["invalid_value"]),
        ] {
            let mut draft = draft(&REQUIRED);
            if mapped {
                draft.fields.extend(self::draft(&["external_id=Id"]).fields);
            }
            draft.identity = identity.to_owned();
            let catalogue = FieldCatalogue {
                external_id: enabled,
                ..catalogue(&[])
            };
            let checked = Mapping::check(&draft, &catalogue);
            let case = format!("{enabled} {identity} {mapped}");
            if let Ok(mapping) = &checked {
                let by_external_id = mapping.identify_by() == IdentifyBy::ExternalId;
                assert_eq!(by_external_id, identity == "external_id", "{case}");
            }
            let problems = checked.err().unwrap_or_default();
            let codes: Vec<_> = problems.iter().map(|it| it.code.as_str()).collect();
            assert_eq!(codes, expected, "{case}");
        }
    }

    #[test]
    fn auto_disable_and_a_mapped_status_are_refused_together_and_not_alone() {
        let status = draft(&[&REQUIRED[..], &["status=S"]].concat());
        for (draft, auto_disable, refused) in [
            (draft(&REQUIRED), true, false),
            (status.clone(), false, false),
            (status, true, true),
        ] {
            let draft = MappingDraft {
                auto_disable,
                ..draft
            };
            match Mapping::check(&draft, &catalogue(&[])) {
                Ok(mapping) => assert!(!refused && mapping.auto_disable() == auto_disable),
                Err(_) => assert!(refused && codes(&draft) == ["auto_disable_with_status"]),
            }
        }
    }

    #[test]
    fn every_other_standard_field_can_be_mapped_and_an_unknown_one_cannot() {
        for name in ["role", "group", "manager", "status"] {
            let with = format!("{name}=X");
            let draft = draft(&[&REQUIRED[..], &[&with]].concat());
            assert!(Mapping::check(&draft, &catalogue(&[])).is_ok(), "{name}");
        }
        assert_eq!(
            codes(&draft(&[&REQUIRED[..], &["roles=R"]].concat())),
            ["unknown_field"]
        );
    }

    #[test]
    fn too_much_of_everything_is_one_problem() {
        let many: Vec<String> = (0..65).map(|n| format!("x{n}=X")).collect();
        assert_eq!(
            codes(&draft(&many.iter().map(String::as_str).collect::<Vec<_>>())),
            ["invalid_value"]
        );
        for columns in [
            vec!["x".to_owned(); 1_001],
            vec!["x".repeat(301)],
            vec!["x".repeat(300); 400],
        ] {
            let mut draft = draft(&["shoe_size=S"]);
            draft.columns = columns;
            assert_eq!(codes(&draft), ["invalid_value"]);
        }
    }

    #[test]
    fn the_column_that_the_feed_writes_feeds_no_field() {
        assert_eq!(
            codes(&draft(&[&REQUIRED[..], &["job= Feed_Problem"]].concat())),
            ["invalid_value"]
        );
    }

    #[test]
    fn columns_that_are_not_mapped_may_be_alike() {
        let mut draft = draft(&REQUIRED);
        draft.columns = ["E", "F", "L", "Notes", "notes", "", ""]
            .map(String::from)
            .to_vec();
        assert!(Mapping::check(&draft, &catalogue(&[])).is_ok());
    }
}
