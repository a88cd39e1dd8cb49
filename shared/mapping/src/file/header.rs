//! Which column feeds which field, worked out once from the file's first row.

use super::cells::{Cells, Row};
use super::lines::Line;
use crate::fields::Field;
use crate::mapping::{MappedField, Mapping, OnEmpty, column_key};
use crate::problem::{Problem, ProblemCode};
use crate::report::unprotect;

/// The column that `rejected.csv` adds to the customer's own. A file that has it was made by us: its
/// cells are protected against spreadsheets, which is taken back when it is dropped again.
pub const FEED_PROBLEM_COLUMN: &str = "feed_problem";

/// A mapped field and the place of its column.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) field: Field,
    pub(crate) on_empty: OnEmpty,
    /// Counted from 0.
    pub(crate) index: usize,
}

/// The file's columns, matched with the mapping.
#[derive(Debug)]
pub struct Header {
    columns: Vec<String>,
    sources: Vec<Source>,
    protected: bool,
}

impl Header {
    pub(super) fn read(
        row: &Row<'_>,
        line: Line<'_>,
        mapping: &Mapping,
    ) -> Result<Self, Vec<Problem>> {
        let protected = row
            .cells()
            .any(|name| column_key(name) == FEED_PROBLEM_COLUMN);
        let columns: Vec<String> = row
            .cells()
            .map(|name| plain(protected, name).to_owned())
            .collect();
        let keys: Vec<String> = columns.iter().map(|name| column_key(name)).collect();
        let mut problems = Vec::new();
        let mut sources = Vec::new();
        for mapped in mapping.fields() {
            let key = column_key(&mapped.column);
            let mut places = keys
                .iter()
                .enumerate()
                .filter(|(_, name)| **name == key)
                .map(|(index, _)| index);
            match (places.next(), places.count()) {
                (Some(index), 0) => {
                    sources.push(Source {
                        field: mapped.field.clone(),
                        on_empty: mapped.on_empty,
                        index,
                    });
                }
                (Some(_), more) => problems.push(
                    at(ProblemCode::DuplicateHeader, row, mapped).message(format!(
                        "The file has {} columns “{}”; it is mapped to {}.",
                        more + 1,
                        mapped.column.trim(),
                        mapped.field
                    )),
                ),
                (None, _) => {
                    problems.push(at(ProblemCode::MissingHeader, row, mapped).message(format!(
                        "The file has no column “{}”, which is mapped to {}.",
                        mapped.column.trim(),
                        mapped.field
                    )))
                }
            }
        }
        if problems.is_empty() {
            return Ok(Header {
                columns,
                sources,
                protected,
            });
        }
        match other_delimiter(line, row.width()) {
            Some(name) => Err(vec![wrong_delimiter(row.number, name)]),
            None => Err(problems),
        }
    }

    /// The customer's names for the columns, as they stand in the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The cell as the customer's system wrote it, without the apostrophe of ours.
    pub(crate) fn plain<'c>(&self, cell: &'c str) -> &'c str {
        plain(self.protected, cell)
    }

    /// Whether the column in this place is ours and not the customer's.
    pub(crate) fn is_feed_problem(&self, index: usize) -> bool {
        self.protected
            && self
                .columns
                .get(index)
                .is_some_and(|name| column_key(name) == FEED_PROBLEM_COLUMN)
    }

    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The customer's name for the column that feeds `field`.
    pub(crate) fn column_of(&self, source: &Source) -> &str {
        self.columns
            .get(source.index)
            .map_or("", |name| name.trim())
    }

    /// Whether the row has as many cells as the header, apart from columns without a name at the end
    /// and from cells without content after it.
    pub(crate) fn fits(&self, row: &Row<'_>) -> bool {
        let named = self
            .columns
            .iter()
            .rposition(|name| !name.trim().is_empty())
            .map_or(0, |last| last + 1);
        row.width() >= named
            && (self.columns.len()..row.width()).all(|beyond| row.get(beyond).is_none_or(is_blank))
    }
}

fn plain(protected: bool, cell: &str) -> &str {
    if protected { unprotect(cell) } else { cell }
}

fn is_blank(cell: &str) -> bool {
    cell.trim().is_empty()
}

fn at(code: ProblemCode, row: &Row<'_>, mapped: &MappedField) -> Problem {
    Problem::new(code)
        .row(row.number)
        .column(mapped.column.trim())
        .field(mapped.field.as_str())
}

/// The delimiters that exports use instead of the comma.
const OTHER_DELIMITERS: [(u8, &str); 3] = [
    (b';', "semicolons"),
    (b'\t', "tabs"),
    (b'|', "vertical bars"),
];

/// The name of the delimiter that makes more columns of the header than the comma does.
pub(super) fn other_delimiter(line: Line<'_>, columns: usize) -> Option<&'static str> {
    OTHER_DELIMITERS
        .iter()
        .map(|(delimiter, name)| (Cells::separated_by(*delimiter).read(line).width(), *name))
        .filter(|(found, _)| *found > columns)
        .max_by_key(|(found, _)| *found)
        .map(|(_, name)| name)
}

pub(super) fn wrong_delimiter(row: u64, name: &str) -> Problem {
    Problem::new(ProblemCode::WrongDelimiter)
        .row(row)
        .message(format!(
            "The columns are separated by {name}; the feed reads files separated by commas."
        ))
}
