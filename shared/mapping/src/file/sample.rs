//! The beginning of a file that nothing is mapped to yet: its columns, its rows, and what is wrong with the bytes
//! as such. What a column means is not known here.

use super::FEED_PROBLEM_COLUMN;
use super::cells::{Cells, Row};
use super::encoding::{DoubleEncoding, Opening};
use super::header::{delimiter_for, misfit_message, plain, wrong_delimiter};
use super::lines::{Line, Lines};
use crate::mapping::{MAX_COLUMNS, column_key, too_much};
use crate::problem::{Problem, ProblemCode, shortened};
use std::collections::{HashMap, HashSet};

/// So much of a sample is looked at: hundreds of rows of the widest exports there are.
const SAMPLE_BYTES: usize = 256 * 1024;

/// From this length on a sample may have been cut by whoever sent it (256 kB are enough, and some count in
/// thousands), so nothing is said about its last row.
const CUT_FROM: usize = 256_000;

/// A cell that goes on for so many lines when a sample ends is an unclosed quotation mark and no long remark.
const LINES_OF_ONE_CELL: usize = 100;

/// What the gateway puts in the place of bytes that are no text, and what programs put there that have damaged a
/// file themselves.
const REPLACEMENT: &str = "\u{FFFD}";

/// A sample is looked at by somebody who corrects it: a few rows show what is wrong with all.
const SHOWN_ROWS: usize = 10;

/// The beginning of a file, as far as it can be read.
#[derive(Default)]
pub(crate) struct Sample {
    /// Those that have a name and are not the feed's own, in the file's order; at most [`MAX_COLUMNS`].
    pub(crate) columns: Vec<SampleColumn>,
    /// Each row's number, and its cells.
    rows: Vec<(u64, Vec<String>)>,
    /// Of the file as a whole first.
    pub(crate) problems: Vec<Problem>,
}

/// A column of a sample.
pub(crate) struct SampleColumn {
    /// As the file has it, trimmed.
    pub(crate) name: String,
    /// Counted from 0.
    index: usize,
}

impl Sample {
    /// Reads what there is. `known` says how many columns of a header would mean something, by which another
    /// delimiter than the comma is told.
    pub(crate) fn read(bytes: &[u8], known: impl Fn(&[&str]) -> usize) -> Self {
        let cut = bytes.len() >= CUT_FROM;
        let bytes = &bytes[..bytes.len().min(SAMPLE_BYTES)];
        let mut reader = SampleReader {
            sample: Sample::default(),
            header: None,
            cells: Cells::separated_by(b','),
            known,
        };
        if let Err(problem) = reader.read(bytes, cut) {
            reader.sample.problems.insert(0, problem);
        }
        reader.sample
    }

    /// How many rows there are below the header.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// The column's values, trimmed; blank ones are passed over.
    pub(crate) fn values<'s>(
        &'s self,
        column: &SampleColumn,
    ) -> impl Iterator<Item = &'s str> + use<'s> {
        let index = column.index;
        let cells = self.rows.iter().filter_map(move |(_, row)| row.get(index));
        cells
            .map(|cell| cell.trim())
            .filter(|value| !value.is_empty())
    }

    /// What is to be said if the sample was converted to UTF-8 twice, which names are evidence of
    /// (`docs/rules.md`, "The file").
    pub(crate) fn double_encoded(&self, names: &[&SampleColumn]) -> Option<Problem> {
        let mut evidence = DoubleEncoding::default();
        for (number, row) in &self.rows {
            let of_row = names.iter().filter_map(|column| row.get(column.index));
            evidence.see(*number, &row.concat(), of_row.map(String::as_str));
        }
        let row = evidence.told()?;
        Some(Problem::new(ProblemCode::DoubleEncoded).row(row))
    }
}

/// What the first row says of those that follow.
struct SampleHeader {
    /// How many cells it has, and how many of them before the nameless ones at the end.
    width: usize,
    named: usize,
    /// The file is one that we made: cells carry our apostrophe.
    protected: bool,
}

struct SampleReader<K> {
    sample: Sample,
    header: Option<SampleHeader>,
    cells: Cells,
    known: K,
}

impl<K: Fn(&[&str]) -> usize> SampleReader<K> {
    /// The error is what keeps the rest from being read.
    fn read(&mut self, bytes: &[u8], cut: bool) -> Result<(), Problem> {
        let bom = match opening(bytes) {
            Opening::Utf16 => return Err(Problem::new(ProblemCode::Utf16).row(1).byte(0)),
            Opening::DoubleEncoded => {
                return Err(Problem::new(ProblemCode::DoubleEncoded).row(1).byte(0));
            }
            Opening::Utf8 { bom } => bom,
        };
        let (text, broken) = text(&bytes[bom..], cut);
        let mut lines = Lines::new();
        let read = lines.push(text, |line| self.line(line));
        read.map_err(|problem| self.explain(problem, &lines))?;
        if broken {
            return Err(not_utf8((bom + text.len()) as u64, lines.number()));
        }
        if !cut {
            lines
                .finish(|line| self.line(line))
                .map_err(|problem| self.explain(problem, &lines))?;
        } else if self.header.is_none() && !lines.unfinished().is_empty() {
            let message = "The header is longer than 256 kB.";
            return Err(Problem::new(ProblemCode::InvalidValue)
                .row(lines.number())
                .message(message));
        } else if lines.in_quotes() && line_breaks(lines.unfinished()) > LINES_OF_ONE_CELL {
            let row = lines.number();
            let message = format!("Row {row}: a quotation mark is opened and never closed.");
            return Err(Problem::new(ProblemCode::UnclosedQuote)
                .row(row)
                .message(message));
        }
        // The header of a file that has no column but ours is none.
        match self.sample.columns.is_empty() {
            false => Ok(()),
            true => Err(Problem::new(ProblemCode::EmptyFile)),
        }
    }

    fn line(&mut self, line: Line<'_>) -> Result<(), Problem> {
        let SampleReader {
            sample,
            header,
            cells,
            known,
        } = self;
        let row = cells.read(line);
        if row.is_blank() {
            return Ok(());
        }
        let Some(header) = header else {
            if let Some(name) = delimiter_for(line, |row| known(&first_cells(row))) {
                return Err(wrong_delimiter(row.number, name));
            }
            *header = Some(sample.head(&row));
            return Ok(());
        };
        sample.row(header, &row);
        Ok(())
    }

    /// A header with another delimiter and quoted names looks like text after a closing quote; what helps is to
    /// hear of the delimiter.
    fn explain(&self, problem: Problem, lines: &Lines) -> Problem {
        if self.header.is_some() || problem.code != ProblemCode::TextAfterQuote {
            return problem;
        }
        let line = Line {
            number: lines.number(),
            bytes: lines.unfinished(),
            oversized: false,
        };
        match delimiter_for(line, |row| (self.known)(&first_cells(row))) {
            Some(name) => wrong_delimiter(line.number, name),
            None => problem,
        }
    }
}

impl Sample {
    fn head(&mut self, row: &Row<'_>) -> SampleHeader {
        let is_ours = |name: &str| column_key(name) == FEED_PROBLEM_COLUMN;
        let protected = row.cells().any(is_ours);
        let names: Vec<&str> = row
            .cells()
            .map(|name| plain(protected, name).trim())
            .collect();
        let named = names.iter().rposition(|name| !name.is_empty());
        let own = || {
            names
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, name)| !name.is_empty() && !is_ours(name))
        };
        let own_names = own().map(|(_, name)| name);
        if let Some(message) = too_much(own().count(), own_names.clone()) {
            let problem = Problem::new(ProblemCode::InvalidValue);
            self.problems.push(problem.row(row.number).message(message));
        }
        let mut times: HashMap<String, usize> = HashMap::new();
        for name in own_names {
            *times.entry(column_key(name)).or_default() += 1;
        }
        let mut said = HashSet::new();
        for (index, name) in own().take(MAX_COLUMNS) {
            let key = column_key(name);
            let of_name = times.get(&key).copied().unwrap_or_default();
            if of_name > 1 && said.insert(key) {
                let message = format!("The file has {of_name} columns “{}”.", shortened(name));
                let problem = Problem::new(ProblemCode::DuplicateHeader).row(row.number);
                self.problems.push(problem.column(name).message(message));
            }
            self.columns.push(SampleColumn {
                name: name.to_owned(),
                index,
            });
        }
        SampleHeader {
            width: names.len(),
            named: named.map_or(0, |last| last + 1),
            protected,
        }
    }

    fn row(&mut self, header: &SampleHeader, row: &Row<'_>) {
        let blank = |index: usize| row.get(index).is_none_or(|cell| cell.trim().is_empty());
        let fits = row.width() >= header.named && (header.width..row.width()).all(blank);
        if !fits {
            // Its cells may stand under other names than their own.
            let rows = |problem: &&Problem| problem.code == ProblemCode::WrongFieldCount;
            if self.problems.iter().filter(rows).count() < SHOWN_ROWS {
                let message = misfit_message(row.number, row.width(), header.width);
                let problem = Problem::new(ProblemCode::WrongFieldCount);
                self.problems.push(problem.row(row.number).message(message));
            }
            return;
        }
        let cells = row.cells().take(header.width);
        let cells = cells.map(|cell| plain(header.protected, cell).to_owned());
        self.rows.push((row.number, cells.collect()));
    }
}

/// What the first bytes say, also if the gateway could not read the mark of UTF-16 as text.
fn opening(bytes: &[u8]) -> Opening {
    let mut marked = bytes;
    while let Some(rest) = marked.strip_prefix(REPLACEMENT.as_bytes()) {
        marked = rest;
    }
    match Opening::of(marked) {
        Opening::Utf16 => Opening::Utf16,
        _ => Opening::of(bytes),
    }
}

/// The bytes up to the first that is not text, and whether there is such a one.
fn text(bytes: &[u8], cut: bool) -> (&[u8], bool) {
    let (whole, broken) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => {
            let (whole, _) = bytes.split_at(error.valid_up_to());
            // A character that the end cuts off is whole in the file.
            let broken = error.error_len().is_some() || !cut;
            (std::str::from_utf8(whole).unwrap_or_default(), broken)
        }
    };
    // Cut in the middle, it is not even text to the gateway.
    let whole = match cut {
        true => whole.trim_end_matches(REPLACEMENT),
        false => whole,
    };
    match whole.find(REPLACEMENT) {
        Some(at) => (&whole.as_bytes()[..at], true),
        None => (whole.as_bytes(), broken),
    }
}

fn not_utf8(byte: u64, row: u64) -> Problem {
    Problem::new(ProblemCode::InvalidUtf8)
        .row(row)
        .byte(byte)
        .message(format!(
            "The file is not valid UTF-8 at byte {byte}, in row {row}."
        ))
}

fn line_breaks(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count()
}

/// A header may have as many cells as a sample has bytes.
fn first_cells<'r>(row: &Row<'r>) -> Vec<&'r str> {
    row.cells().take(MAX_COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Sample {
        Sample::read(bytes, |names| {
            let known = |name: &&&str| ["Email", "First", "Last"].contains(*name);
            names.iter().filter(known).count()
        })
    }

    /// Code, row and byte of every problem.
    fn problems(bytes: &[u8]) -> Vec<(&'static str, Option<u64>, Option<u64>)> {
        let problems = read(bytes).problems;
        let place = |problem: &Problem| (problem.code.as_str(), problem.row, problem.byte);
        problems.iter().map(place).collect()
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        let columns = read(bytes).columns;
        columns.into_iter().map(|column| column.name).collect()
    }

    fn values(bytes: &[u8], column: usize) -> Vec<String> {
        let sample = read(bytes);
        let values = sample.values(&sample.columns[column]);
        values.map(str::to_owned).collect()
    }

    #[test]
    fn a_sample_has_columns_and_values_and_a_header_alone_is_one_too() {
        let file = "\u{FEFF} Email ,First,,Last,\r\n\r\na@x.io, Ann ,,Lee\r\n,,,\r\nb@x.io,,x,\"L\nu\",,\r\n";
        assert_eq!(problems(file.as_bytes()), []);
        assert_eq!(names(file.as_bytes()), ["Email", "First", "Last"]);
        assert_eq!(values(file.as_bytes(), 0), ["a@x.io", "b@x.io"]);
        assert_eq!(values(file.as_bytes(), 1), ["Ann"]);
        assert_eq!(values(file.as_bytes(), 2), ["Lee", "L\nu"]);
        for header in ["Email,First,Last", "\n\nEmail,First,Last\n\n,,\n"] {
            assert_eq!(problems(header.as_bytes()), []);
            assert_eq!(names(header.as_bytes()).len(), 3);
        }
    }

    #[test]
    fn what_is_wrong_with_a_sample_is_said_as_for_a_file() {
        for (file, expected) in [
            (&b""[..], ("empty_file", None, None)),
            (b"\n , ,\n", ("empty_file", None, None)),
            (
                b"Email,First,Last\na@x.io,J\xE9r\xF4me,Li\n",
                ("invalid_utf8", Some(2), Some(25)),
            ),
            (
                b"Email,First,Last\na@x.io,Ann,L\xC3",
                ("invalid_utf8", Some(2), Some(29)),
            ),
            (b"\xFF\xFEE\0m\0a\0", ("utf16", Some(1), Some(0))),
            (b"\0E\0m\0a\0i", ("utf16", Some(1), Some(0))),
            (
                "ï»¿Email,First\n".as_bytes(),
                ("double_encoded", Some(1), Some(0)),
            ),
            (
                b"Email;First;Last\na;b;c\n",
                ("wrong_delimiter", Some(1), None),
            ),
            (
                b"\"Email\"\t\"First\"\n\"a\"\t\"b\"\n",
                ("wrong_delimiter", Some(1), None),
            ),
            (b"\nA|B|C\n", ("wrong_delimiter", Some(2), None)),
            (
                b"Email,First,Last\n\"a@x.io,Ann,Lee\nb@x.io,Bo,Li\n",
                ("unclosed_quote", Some(2), None),
            ),
            (
                b"Email,First,Last\na@x.io,\"Ann\"a,Lee\n",
                ("text_after_quote", Some(2), None),
            ),
            (
                b"Email,First,Last, email \na,b,c,d\n",
                ("duplicate_header", Some(1), None),
            ),
            (
                b"Email,First,Last\na,b,c\n\na,b\n",
                ("wrong_field_count", Some(4), None),
            ),
        ] {
            assert_eq!(problems(file), [expected], "{}", file.escape_ascii());
        }
    }

    /// As text, bytes that are none arrive as replacement characters.
    #[test]
    fn what_the_gateway_could_not_read_as_text_is_told_too() {
        let replaced = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_bytes();
        let latin = b"Email,First,Last\na@x.io,J\xE9r\xF4me,Li\n";
        assert_eq!(problems(&replaced(latin)), problems(latin));
        for marked in [&b"\xFF\xFEE\0m\0a\0"[..], b"\xFE\xFF\0E\0m\0a"] {
            assert_eq!(problems(&replaced(marked)), [("utf16", Some(1), Some(0))]);
        }
    }

    #[test]
    fn a_row_that_is_wrong_shows_no_values() {
        let file = b"Email,First\na@x.io,Ann\nAnn,Lee,b@x.io\nc@x.io,Cy\n";
        assert_eq!(values(file, 0), ["a@x.io", "c@x.io"]);
        let mut many = b"Email,First\n".to_vec();
        many.extend_from_slice(&b"x\n".repeat(50));
        assert_eq!(problems(&many).len(), SHOWN_ROWS);
    }

    #[test]
    fn a_file_of_ours_is_shown_as_the_customer_wrote_it() {
        let file = b"Email,Phone,feed_problem\na@x.io,'+61 2,\"missing_value: Row 2\"\n";
        assert_eq!(names(file), ["Email", "Phone"]);
        assert_eq!(values(file, 1), ["+61 2"]);
    }

    #[test]
    fn of_columns_of_one_name_it_is_said_once_how_many_there_are() {
        let sample = read(b"Email,Job,JOB,job ,First\n");
        assert_eq!(sample.columns.len(), 5);
        assert_eq!(sample.problems.len(), 1);
        assert_eq!(sample.problems[0].message, "The file has 3 columns “Job”.");
    }

    /// Rows of which any byte may be the last.
    fn long() -> Vec<u8> {
        let mut file = b"Email,First,Last\n".to_vec();
        while file.len() < 2 * SAMPLE_BYTES {
            let n = file.len();
            file.extend_from_slice(
                format!("p{n}@x.io,\"Zo\u{eb}, \"\"Zed\"\"\n{n}\",Łukasz\r\n").as_bytes(),
            );
        }
        file
    }

    #[test]
    fn a_sample_that_is_cut_anywhere_has_no_problem() {
        let file = long();
        for end in (CUT_FROM..CUT_FROM + 80).chain(SAMPLE_BYTES - 80..SAMPLE_BYTES + 80) {
            let sample = read(&file[..end]);
            assert!(sample.problems.is_empty(), "{end}: {:?}", sample.problems);
            assert!(sample.row_count() > 1_000);
            let as_text = String::from_utf8_lossy(&file[..end]);
            assert!(read(as_text.as_bytes()).problems.is_empty(), "{end}");
        }
        assert!(read(&file).problems.is_empty());
    }

    #[test]
    fn a_quotation_mark_that_swallows_a_cut_sample_is_told() {
        let mut file = b"Email,First,Last\na@x.io,Ann,Lee\nb@x.io,\"Bo,Li\n".to_vec();
        file.extend_from_slice(&b"c@x.io,Cy,Young\n".repeat(20_000));
        assert_eq!(problems(&file), [("unclosed_quote", Some(3), None)]);
        let header = "x".repeat(300_000);
        assert_eq!(
            problems(header.as_bytes()),
            [("invalid_value", Some(1), None)]
        );
    }

    #[test]
    fn a_header_that_no_mapping_could_have_is_told_and_shortened() {
        let header = ",".repeat(100_000);
        assert_eq!(problems(header.as_bytes()), [("empty_file", None, None)]);
        let header: String = (0..20_000).map(|n| format!("c{n},")).collect();
        let sample = read(header.as_bytes());
        assert_eq!(sample.columns.len(), MAX_COLUMNS);
        assert_eq!(sample.problems.len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_columns_or_a_reason(bytes in proptest::collection::vec(prop_oneof![
            any::<u8>(), Just(b','), Just(b'"'), Just(b'\n'), Just(b';'), Just(b'E'), Just(0xC3), Just(0xA9)], 0..120)) {
            let sample = read(&bytes);
            prop_assert!(!sample.columns.is_empty() || !sample.problems.is_empty());
            for column in &sample.columns {
                prop_assert!(sample.values(column).count() <= sample.row_count());
            }
        }
    }
}
