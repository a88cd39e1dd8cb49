//! Where a row ends, and whether its quotation marks are in order (RFC 4180, comma). The `csv` crate
//! reports neither an unclosed quote nor text after a closing one, and swallows the rows in between;
//! with leavers made inactive that would lock people out, so it is decided here, before `csv` sees a row.
//! Rows are numbered as a spreadsheet does; nothing here looks into a cell.

use crate::problem::{Problem, ProblemCode};
use memchr::{memchr, memchr3};

/// A row as it stands in the file, without its line end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// The file's first line is 1; blank lines count, a quoted line break does not start a new row.
    pub(super) number: u64,
    pub(super) bytes: &'a [u8],
    /// Longer than [`MAX_LINE_BYTES`]; `bytes` is only its beginning.
    pub(super) oversized: bool,
}

/// A row is kept in memory until it ends, and an unclosed quote makes the rest of the file one row. No
/// real row comes near: 64 mapped cells of 1,000 four-byte characters are a quarter of it.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A cell begins.
    CellStart,
    Unquoted,
    Quoted,
    /// After a quotation mark inside a quoted cell: closed, or the first of a doubled one.
    QuoteSeen,
    /// Blanks between a closing quotation mark and the comma, which change nothing.
    BlankAfterQuote,
}

/// Splits chunks into [`Line`]s.
#[derive(Debug)]
pub(super) struct Lines {
    number: u64,
    state: State,
    /// The beginning of a row whose end is still to come.
    partial: Vec<u8>,
    oversized: bool,
    /// The last byte was a CR, so that an LF now belongs to it.
    after_cr: bool,
}

impl Lines {
    pub(super) fn new() -> Self {
        Lines {
            number: 1,
            state: State::CellStart,
            partial: Vec::new(),
            oversized: false,
            after_cr: false,
        }
    }

    /// The number of the row that the next byte belongs to.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The row as far as it has been read.
    pub(super) fn unfinished(&self) -> &[u8] {
        &self.partial
    }

    /// Whether a quotation mark is open there.
    pub(super) fn in_quotes(&self) -> bool {
        self.state == State::Quoted
    }

    /// Hands every row that ends in `chunk` to `each`.
    pub(super) fn push<E>(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<Problem>,
    {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_cr) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let Some(end) = self.find_end(chunk)? else {
                self.keep(chunk);
                return Ok(());
            };
            let (line, rest) = chunk.split_at(end);
            self.after_cr = rest[0] == b'\r';
            chunk = &rest[1..];
            self.emit(line, &mut each)?;
        }
        Ok(())
    }

    /// The file has ended: hands over the last row, which may lack its line end.
    pub(super) fn finish<E>(
        &mut self,
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<Problem>,
    {
        if self.state == State::Quoted {
            let message = format!(
                "Row {}: a quotation mark is opened and never closed.",
                self.number
            );
            return Err(Problem::new(ProblemCode::UnclosedQuote)
                .row(self.number)
                .message(message)
                .into());
        }
        if self.partial.is_empty() {
            Ok(())
        } else {
            self.emit(b"", &mut each)
        }
    }

    fn emit<E>(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = self.number;
        self.number += 1;
        self.state = State::CellStart;
        if self.partial.is_empty() {
            return each(Line {
                number,
                bytes: line,
                oversized: line.len() > MAX_LINE_BYTES,
            });
        }
        self.keep(line);
        let done = each(Line {
            number,
            bytes: &self.partial,
            oversized: self.oversized,
        });
        self.partial.clear();
        self.oversized = false;
        done
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES - self.partial.len();
        self.oversized |= bytes.len() > room;
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The offset of the byte that ends the row, with `state` moved on to there.
    fn find_end(&mut self, chunk: &[u8]) -> Result<Option<usize>, Problem> {
        let mut at = 0;
        while at < chunk.len() {
            // Most of a row is inside of cells, where only few bytes mean anything.
            match self.state {
                State::CellStart | State::Unquoted => {
                    let found = memchr3(b'"', b'\n', b'\r', &chunk[at..]);
                    let to = found.map_or(chunk.len(), |found| at + found);
                    match chunk[at..to].last() {
                        Some(b',') => self.state = State::CellStart,
                        Some(_) => self.state = State::Unquoted,
                        None => {}
                    }
                    at = to;
                }
                State::Quoted => at = memchr(b'"', &chunk[at..]).map_or(chunk.len(), |to| at + to),
                State::QuoteSeen | State::BlankAfterQuote => {}
            }
            let Some(&byte) = chunk.get(at) else {
                return Ok(None);
            };
            self.state = match (self.state, byte) {
                (State::Quoted, _) => State::QuoteSeen,
                (_, b'\n' | b'\r') => return Ok(Some(at)),
                (_, b',') => State::CellStart,
                (State::CellStart | State::QuoteSeen, b'"') => State::Quoted,
                (State::CellStart | State::Unquoted, _) => State::Unquoted,
                (State::QuoteSeen | State::BlankAfterQuote, b' ' | b'\t') => State::BlankAfterQuote,
                (State::QuoteSeen | State::BlankAfterQuote, _) => {
                    self.keep(&chunk[..=at]);
                    let message = format!(
                        "Row {}: there is text after a closing quotation mark.",
                        self.number
                    );
                    return Err(Problem::new(ProblemCode::TextAfterQuote)
                        .row(self.number)
                        .message(message));
                }
            };
            at += 1;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(file: &[u8], chunk: usize) -> Result<Vec<(u64, String)>, Problem> {
        let mut lines = Lines::new();
        let mut found = Vec::new();
        let mut each = |line: Line<'_>| -> Result<(), Problem> {
            found.push((
                line.number,
                String::from_utf8_lossy(line.bytes).into_owned(),
            ));
            Ok(())
        };
        for part in file.chunks(chunk) {
            lines.push(part, &mut each)?;
        }
        lines.finish(&mut each)?;
        Ok(found)
    }

    #[test]
    fn a_row_ends_at_a_line_end_outside_quotes() {
        let cases: &[(&str, &[(u64, &str)])] = &[
            ("", &[]),
            ("a,b", &[(1, "a,b")]),
            ("a\nb\n", &[(1, "a"), (2, "b")]),
            ("a\r\nb\r\n", &[(1, "a"), (2, "b")]),
            ("a\rb\r", &[(1, "a"), (2, "b")]),
            ("a\n\nb", &[(1, "a"), (2, ""), (3, "b")]),
            ("a\r\n\r\nb", &[(1, "a"), (2, ""), (3, "b")]),
            ("a\r\rb", &[(1, "a"), (2, ""), (3, "b")]),
            ("a,\"x\ny\",b\nc", &[(1, "a,\"x\ny\",b"), (2, "c")]),
            ("\"x\r\ny\"\r\nc", &[(1, "\"x\r\ny\""), (2, "c")]),
            ("\"a\"\"b\"\nc", &[(1, "\"a\"\"b\""), (2, "c")]),
            ("a,5\" pipe,c\nd", &[(1, "a,5\" pipe,c"), (2, "d")]),
            ("\"a\" ,b\nc", &[(1, "\"a\" ,b"), (2, "c")]),
            ("\"\",\"\"\n", &[(1, "\"\",\"\"")]),
        ];
        for (file, expected) in cases {
            for chunk in [1, 2, 3, 1024] {
                let found = split(file.as_bytes(), chunk).unwrap();
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(n, text)| (*n, (*text).to_owned()))
                    .collect();
                assert_eq!(found, expected, "{file:?} by {chunk}");
            }
        }
    }

    #[test]
    fn quotation_marks_that_are_out_of_order_name_the_row_where_they_opened() {
        for (file, code, row) in [
            ("a\nb,\"x\nc\nd\n", ProblemCode::UnclosedQuote, 2),
            ("a\n\n\"x", ProblemCode::UnclosedQuote, 3),
            ("a\n\"x\"y,z\n", ProblemCode::TextAfterQuote, 2),
            ("a\n\"x\" \"y\"\n", ProblemCode::TextAfterQuote, 2),
            ("a\n\"x\ny\nz\"w\n", ProblemCode::TextAfterQuote, 2),
        ] {
            for chunk in [1, 2, 1024] {
                let problem = split(file.as_bytes(), chunk).unwrap_err();
                assert_eq!(
                    (problem.code, problem.row),
                    (code, Some(row)),
                    "{file:?} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn an_oversized_row_is_cut_and_the_next_one_is_whole() {
        let file = [
            b"a\n\"".to_vec(),
            vec![b'x'; MAX_LINE_BYTES + 5],
            b"\"\nb\n".to_vec(),
        ]
        .concat();
        for chunk in [4096, file.len()] {
            let mut lines = Lines::new();
            let mut found = Vec::new();
            for part in file.chunks(chunk) {
                let each = |line: Line<'_>| -> Result<(), Problem> {
                    found.push((line.number, line.oversized));
                    Ok(())
                };
                lines.push(part, each).unwrap();
            }
            assert_eq!(found, [(1, false), (2, true), (3, false)]);
        }
    }

    proptest! {
        #[test]
        fn chunks_do_not_change_the_rows(file in "[a,\"\r\n ]{0,40}", chunk in 1usize..7) {
            prop_assert_eq!(split(file.as_bytes(), chunk), split(file.as_bytes(), 1024));
        }

        /// What this module accepts, the `csv` crate reads as the same rows.
        #[test]
        fn accepted_files_read_alike_in_csv(file in "[a,\"\r\n ]{0,40}") {
            let Ok(found) = split(file.as_bytes(), 1024) else { return Ok(()) };
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file.as_bytes());
            let theirs: Vec<csv::ByteRecord> = reader.byte_records().collect::<Result<_, _>>().unwrap();
            // `csv` skips empty lines; here they count.
            let ours: Vec<csv::ByteRecord> = found.iter().filter(|(_, text)| !text.is_empty()).map(|(_, text)| {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                reader.byte_records().next().unwrap().unwrap()
            }).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
