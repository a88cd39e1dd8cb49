//! Which column feeds which field, worked out once from the file's first row.

use super::cells::{Cells, Row};
use super::lines::Line;
use crate::fields::Field;
use crate::group::Groups;
use crate::mapping::{IdentifyBy, MappedField, Mapping, OnEmpty, column_key};
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
    groups: Groups,
    identify_by: IdentifyBy,
    /// The places of the customer's own columns.
    own: Vec<usize>,
    /// How many of those come before the nameless ones at the end.
    named: usize,
    /// The file is one that we made: cells carry our apostrophe.
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
            let own: Vec<usize> = (0..columns.len())
                .filter(|index| keys[*index] != FEED_PROBLEM_COLUMN)
                .collect();
            let named = own
                .iter()
                .rposition(|index| !keys[*index].is_empty())
                .map_or(0, |last| last + 1);
            return Ok(Header {
                columns,
                sources,
                groups: mapping.groups().clone(),
                identify_by: mapping.identify_by(),
                own,
                named,
                protected,
            });
        }
        match other_delimiter(line, mapping) {
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

    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What the values of `group` mean.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// By what people are told apart.
    pub(crate) fn identify_by(&self) -> IdentifyBy {
        self.identify_by
    }

    /// The customer's name for the column that feeds `field`.
    pub(crate) fn column_of(&self, source: &Source) -> &str {
        self.columns
            .get(source.index)
            .map_or("", |name| name.trim())
    }

    /// What the row has for first and last name.
    pub(super) fn names<'r>(&self, row: &Row<'r>) -> impl Iterator<Item = &'r str> {
        let names = self
            .sources
            .iter()
            .filter(|source| matches!(source.field, Field::FirstName | Field::LastName));
        names.filter_map(|source| row.get(source.index))
    }

    /// The places of the customer's own columns.
    pub(crate) fn own(&self) -> &[usize] {
        &self.own
    }

    /// How many cells of the customer's the row has, if the header has another number. Columns without a
    /// name at the end may be missing, and cells beyond the header may be blank.
    ///
    /// A row that was cut off comes back from us filled up with blank cells. Until somebody has put
    /// something there, or has emptied what we said of it, it is as cut off as before: its cells may stand
    /// under other names than their own.
    pub(crate) fn misfit(&self, row: &Row<'_>) -> Option<usize> {
        let width = self.columns.len();
        if row.width() == width && !self.protected {
            return None;
        }
        let blank = |index: usize| row.get(index).is_none_or(|cell| cell.trim().is_empty());
        let beyond = row.width().saturating_sub(width);
        let cells = self
            .own
            .iter()
            .filter(|index| **index < row.width())
            .count()
            + beyond;
        if cells < self.named || !(width..row.width()).all(blank) {
            return Some(cells);
        }
        let ours = (0..width)
            .find(|index| !self.own.contains(index))
            .and_then(|index| row.get(index));
        let before = cells_of_misfit(ours?)?;
        let still_cut_off =
            before < self.named && self.own[before..].iter().all(|index| blank(*index));
        still_cut_off.then_some(before)
    }
}

/// What is wrong with a row that is a misfit. As every reason that `rejected.csv` gives, it has a character beyond
/// ASCII that is sound: else damaged names that have nothing else beside them would speak against the whole file.
pub(crate) fn misfit_message(row: u64, cells: usize, columns: usize) -> String {
    format!("Row {row}: {cells} cells – the header has {columns}.")
}

/// The number of cells that [`misfit_message`] speaks of, from what stands in `feed_problem`.
fn cells_of_misfit(said: &str) -> Option<usize> {
    let message = said
        .trim()
        .strip_prefix(ProblemCode::WrongFieldCount.as_str())?;
    let (_, cells) = message.split_once("Row ")?.1.split_once(": ")?;
    cells.split_once(" cells")?.0.parse().ok()
}

pub(super) fn plain(protected: bool, cell: &str) -> &str {
    if protected { unprotect(cell) } else { cell }
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

/// The name of the delimiter by which the header has more of the mapped columns than by the comma; or, if
/// it has none of them either way, the one that splits what the comma leaves in one piece.
pub(super) fn other_delimiter(line: Line<'_>, mapping: &Mapping) -> Option<&'static str> {
    delimiter_for(line, |row| {
        let keys: Vec<String> = row.cells().map(column_key).collect();
        let mapped = mapping.fields().iter();
        mapped
            .filter(|mapped| keys.contains(&column_key(&mapped.column)))
            .count()
    })
}

/// The same by how many columns `known` finds in a header that is split so.
pub(super) fn delimiter_for(
    line: Line<'_>,
    known: impl Fn(&Row<'_>) -> usize,
) -> Option<&'static str> {
    let split = |delimiter: u8| {
        let mut cells = Cells::separated_by(delimiter);
        let row = cells.read(line);
        (known(&row), row.width())
    };
    let by_comma = split(b',');
    let found = OTHER_DELIMITERS
        .iter()
        .map(|(delimiter, name)| (split(*delimiter), *name));
    found
        .filter(|((known, width), _)| *known > by_comma.0 || (by_comma == (0, 1) && *width > 2))
        .max_by_key(|(split, _)| *split)
        .map(|(_, name)| name)
}

pub(super) fn wrong_delimiter(row: u64, name: &str) -> Problem {
    Problem::new(ProblemCode::WrongDelimiter)
        .row(row)
        .message(format!(
            "The columns are separated by {name}; the feed reads files separated by commas."
        ))
}
