//! A person who is erased, and what is taken out of what was written about others: lines of a report, rows that were
//! not processed, the problems that an upload record shows (`docs/privacy.md`). Where it cannot be told for certain
//! whether something is about that person, it is taken to be: one line too many rather than one too few.

use crate::identity::EmailKey;
use crate::problem::{Problem, ProblemCode};

/// What stands in the place of a value that named the person.
pub const ERASED: &str = "(erased)";

/// By what a person is told in what was written. No `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ErasedPerson {
    email: EmailKey,
    external_id: Option<String>,
    /// First and last name, as they are compared.
    names: [String; 2],
}

/// Which document a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// `report.csv`: the second cell says whom a line is about.
    Report,
    /// Rows in the customer's own columns.
    Rows,
    /// `held.csv`: who would be created is told by the address alone, for a namesake is created all the same.
    Held,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Stays,
    Goes,
    /// It is about somebody else, and named the person.
    Becomes(csv::StringRecord),
}

impl ErasedPerson {
    /// Somebody with these values.
    pub fn new(email: &str, external_id: Option<&str>, first_name: &str, last_name: &str) -> Self {
        ErasedPerson {
            email: EmailKey::of(email),
            external_id: external_id.map(|id| id.trim().to_owned()),
            names: [first_name, last_name].map(compared),
        }
    }

    /// Whether the address stands in the text, by itself and not as a part of another.
    pub fn is_in(&self, text: &str) -> bool {
        // A key is made of whole texts too: lower case, NFC.
        let text = EmailKey::of(text);
        let (text, email) = (text.as_str(), self.email.as_str());
        if email.is_empty() {
            return false;
        }
        text.match_indices(email).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let mut after = text[at + email.len()..].chars();
            let goes_on = match after.next() {
                Some('.') => after.next().is_some_and(char::is_alphanumeric),
                Some(next) => next.is_alphanumeric() || next == '-',
                None => false,
            };
            !before.is_some_and(is_of_address) && !goes_on
        })
    }

    /// Whether a row is about the person: it has the address anywhere, or cells that are both names, or one that is the
    /// external id beside one of the names. An id alone may be a status or a group in another column.
    pub fn is_in_row(&self, cells: &[&str]) -> bool {
        let is = |wanted: &str| cells.iter().any(|cell| compared(cell) == wanted);
        let named = |name: &String| !name.is_empty() && is(name);
        self.names.iter().all(named)
            || self.names.iter().any(named) && cells.iter().any(|cell| self.has_id(cell))
            || cells
                .iter()
                .any(|cell| self.is_in(cell) || self.is_told_of(cell))
    }

    /// The address that the person had.
    pub fn email(&self) -> &EmailKey {
        &self.email
    }

    fn has_id(&self, cell: &str) -> bool {
        // What a spreadsheet would run carries an apostrophe in reports.
        let cell = cell.trim();
        let id = self.external_id.as_deref();
        id.is_some_and(|id| id == cell || cell.strip_prefix('\'') == Some(id))
    }

    /// The same problem without the person; `None`: it says nothing of them.
    pub fn out_of(&self, problem: &Problem) -> Option<Problem> {
        let names = |text: &str| {
            self.is_in(text) || self.has_id(text) || self.names.contains(&compared(text))
        };
        let value = problem.value.as_deref().is_some_and(names);
        if !value && !self.is_in(&problem.message) && !self.is_told_of(&problem.message) {
            return None;
        }
        // What the message says beyond the code's meaning may be the value again.
        let message = ProblemCode::meaning(problem.code);
        let mut without = problem.clone().message(message);
        without.value = problem.value.as_ref().map(|_| ERASED.to_owned());
        Some(without)
    }

    /// Whether the cell is both names: so a report of the Xero import shows who has no address there.
    fn has_names(&self, cell: &str) -> bool {
        let names = self.names.join(" ");
        let cell = compared(cell);
        cell == names || cell.strip_prefix('\'') == Some(&names)
    }

    /// Whether a message has both names: so the Xero import says who else has somebody's address.
    fn is_told_of(&self, message: &str) -> bool {
        let [first, last] = &self.names;
        !first.is_empty() && !last.is_empty() && compared(message).contains(&self.names.join(" "))
    }

    fn line(&self, of: Lines, cells: &csv::StringRecord) -> Line {
        match of {
            Lines::Rows if self.is_in_row(&cells.iter().collect::<Vec<_>>()) => Line::Goes,
            Lines::Held if cells.iter().any(|cell| self.is_in(cell)) => Line::Goes,
            Lines::Rows | Lines::Held => Line::Stays,
            Lines::Report => {
                let identity = cells.get(1).unwrap_or_default();
                if self.is_in(identity) || self.has_id(identity) || self.has_names(identity) {
                    Line::Goes
                } else if cells
                    .iter()
                    .any(|cell| self.is_in(cell) || self.is_told_of(cell))
                {
                    let is_in = |cell| self.is_in(cell) || self.is_told_of(cell);
                    let erased = |cell| if is_in(cell) { ERASED } else { cell };
                    Line::Becomes(cells.iter().map(erased).collect())
                } else {
                    Line::Stays
                }
            }
        }
    }
}

/// What can be a part of an address before its end, apart from what separates addresses in a cell.
fn is_of_address(c: char) -> bool {
    c.is_alphanumeric() || "._-+%&~#!*?^{}$/".contains(c)
}

fn compared(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Takes a person out of a document as its bytes come. What is not about them stays byte for byte.
pub struct Eraser<'p> {
    person: &'p ErasedPerson,
    of: Lines,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    quoted: bool,
    has_erased: bool,
}

impl<'p> Eraser<'p> {
    /// For a document of this kind.
    pub fn new(person: &'p ErasedPerson, of: Lines) -> Self {
        Eraser {
            person,
            of,
            line: Vec::new(),
            quoted: false,
            has_erased: false,
        }
    }

    /// Whether anything was taken out or changed.
    pub fn has_erased(&self) -> bool {
        self.has_erased
    }

    /// What stays of the lines that end in these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.line.push(*byte);
            match byte {
                // A doubled quotation mark closes and opens.
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.end_line(&mut out),
                _ => {}
            }
        }
        out
    }

    /// What stays of a last line without an end.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.end_line(&mut out);
        out
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(&line[..]);
        let mut cells = csv::ByteRecord::new();
        let read = matches!(reader.read_byte_record(&mut cells), Ok(true));
        let becomes = match read {
            true => self
                .person
                .line(self.of, &csv::StringRecord::from_byte_record_lossy(cells)),
            false => Line::Stays,
        };
        match becomes {
            Line::Stays => out.extend_from_slice(&line),
            Line::Goes => self.has_erased = true,
            Line::Becomes(cells) => {
                self.has_erased = true;
                // Writing into memory does not fail.
                let _ = csv::Writer::from_writer(out).write_record(&cells);
            }
        }
    }
}

/// Looks for a person in a file of a customer, whatever is in it, line by line.
pub struct Search<'p> {
    person: &'p ErasedPerson,
    line: Vec<u8>,
    found: bool,
}

/// A line that is longer is looked at in parts. An address may be cut by that; a row of that length is not processed.
const LONGEST_LINE: usize = 1 << 20;

impl<'p> Search<'p> {
    /// For this person.
    pub fn new(person: &'p ErasedPerson) -> Self {
        Search {
            person,
            line: Vec::new(),
            found: false,
        }
    }

    /// Looks at the file's next bytes. Whether the person was found by now.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || part.ends_with(b"\r") || self.line.len() > LONGEST_LINE {
                self.finish();
            }
        }
        self.found
    }

    /// Looks at what is left. Whether the person was found.
    pub fn finish(&mut self) -> bool {
        if !self.found {
            let line = String::from_utf8_lossy(&self.line);
            let cells = line.split([',', ';', '\t']);
            let cells = cells.map(|cell| cell.trim().trim_matches('"'));
            self.found = self.person.is_in_row(&cells.collect::<Vec<_>>());
        }
        self.line.clear();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> ErasedPerson {
        ErasedPerson::new("Ann@x.example", Some("E7"), "Ann", "Lee")
    }

    #[test]
    fn an_address_is_found_by_itself_and_not_in_another() {
        for (text, found) in [
            ("ann@x.example", true),
            ("ANN@X.EXAMPLE", true),
            ("bo@x.example|ann@x.example", true),
            ("‘ann@x.example’ is nobody.", true),
            ("write to ann@x.example.", true),
            ("<ann@x.example>", true),
            ("joann@x.example", false),
            ("jo.ann@x.example", false),
            ("ann@x.example.org", false),
            ("ann@x.example-shop.io", false),
            ("bo@x.example", false),
            ("", false),
        ] {
            assert_eq!(ann().is_in(text), found, "{text}");
        }
        let angstrom = ErasedPerson::new("\u{c5}se@x.example", None, "", "");
        assert!(angstrom.is_in("A\u{30a}SE@x.example"));
    }

    #[test]
    fn a_row_is_about_whom_it_has_the_address_or_two_of_id_and_names_of() {
        for (row, found) in [
            ("ann@x.example,A,B", true),
            ("ann@x,Ann , LEE", true),
            ("x@y.z, E7 ,Ann,Do", true),
            ("x@y.z,'E7,Bo,lee", true),
            ("x@y.z,E7,Bo,Do", false),
            ("ann@x,Ann,Do", false),
            ("x@y.z,E70,Bo,Do", false),
        ] {
            let cells: Vec<&str> = row.split(',').collect();
            assert_eq!(ann().is_in_row(&cells), found, "{row}");
        }
        // Who is to be created is told by the address alone.
        let held = |row: &str| ann().line(Lines::Held, &row.split(',').collect());
        assert_eq!(held("create,1,ann@x.example,A,B"), Line::Goes);
        assert_eq!(held("create,1,x@y.z,Ann,Lee"), Line::Stays);
        let nameless = ErasedPerson::new("ann@x.example", None, "", "");
        assert!(!nameless.is_in_row(&["bo@x.example", "", ""]));
    }

    fn erased(of: Lines, text: &str, parts: usize) -> String {
        let person = ann();
        let mut eraser = Eraser::new(&person, of);
        let mut out = Vec::new();
        for part in text.as_bytes().chunks(parts) {
            out.extend(eraser.push(part));
        }
        out.extend(eraser.finish());
        assert_eq!(eraser.has_erased(), out != text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_report_loses_the_persons_lines_and_their_address_in_those_of_others() {
        let report = "row,identity,outcome,code,field,value,message\n\
            2,ann@x.example,created,,,,\n\
            3,bo@x.example,warning,manager_not_found,manager,Ann@x.example,\"Nobody has \"\"it\"\".\"\n\
            4,joann@x.example,updated,,first_name|last_name,,\n\
            5,E7,disabled,,,,\n\
            ,Ann LEE,not_processed,missing_value,email,,\n\
            ,Ann,not_processed,missing_value,email,,\n";
        let expected = "row,identity,outcome,code,field,value,message\n\
            3,bo@x.example,warning,manager_not_found,manager,(erased),\"Nobody has \"\"it\"\".\"\n\
            4,joann@x.example,updated,,first_name|last_name,,\n\
            ,Ann,not_processed,missing_value,email,,\n";
        for parts in [1, 7, 10_000] {
            assert_eq!(erased(Lines::Report, report, parts), expected);
        }
        let others = "row,identity\n7,bo@x.example\n";
        assert_eq!(erased(Lines::Report, others, 5), others);
    }

    #[test]
    fn rows_lose_the_persons_rows_with_their_line_breaks() {
        let rows = "\u{feff}Email,Note\r\nbo@x.example,\"a\nb\"\r\nann@x.example,\"c\nd\"\r\nlast";
        let expected = "\u{feff}Email,Note\r\nbo@x.example,\"a\nb\"\r\nlast";
        for parts in [1, 9, 10_000] {
            assert_eq!(erased(Lines::Rows, rows, parts), expected);
        }
    }

    #[test]
    fn a_problem_keeps_its_place_and_loses_the_person() {
        let of = |value: &str| {
            Problem::new(ProblemCode::ManagerNotFound)
                .row(3)
                .field("manager")
                .value(value)
        };
        assert!(ann().out_of(&of("bo@x.example")).is_none());
        let without = ann().out_of(&of("ann@x.example")).unwrap();
        assert_eq!(
            (without.row, without.value.as_deref()),
            (Some(3), Some(ERASED))
        );
        let named = Problem::new(ProblemCode::InvalidEmail).message("“ann@x.example” is odd.");
        let without = ann().out_of(&named).unwrap();
        assert_eq!(
            (without.value, without.message.contains('@')),
            (None, false)
        );
    }

    #[test]
    fn a_file_is_searched_whatever_is_in_it() {
        let found = |file: &[u8], parts: usize| {
            let person = ann();
            let mut search = Search::new(&person);
            file.chunks(parts).any(|part| search.push(part)) || search.finish()
        };
        for parts in [1, 6, 10_000] {
            assert!(found(b"Email\nbo@x.example\nANN@x.example", parts));
            assert!(found(b"\"Lee\",\"Ann\"\r\xff", parts));
            assert!(found(b"Id;Name\rE7;lee\r", parts));
            assert!(!found(b"Status;Name\rE7;Do\r", parts));
            assert!(!found(b"Email\nbo@x.example\nann@x.exampl", parts));
            assert!(!found(&[0xff, 0, 0x22, 0x0a], parts));
        }
    }
}
