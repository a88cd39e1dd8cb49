//! A row's cells, unquoted. Most of them stand in the line as they are; where one does not, `csv-core` unquotes the
//! row into buffers that are used again for the next. What a cell means is not known here.

use super::lines::Line;
use csv_core::{ReadRecordResult, Reader};
use memchr::memchr;

/// A row of the file: its number and its cells.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// As a spreadsheet numbers it; the file's first line is 1.
    pub number: u64,
    /// All cells, one after the other, and perhaps what separates them.
    text: &'a str,
    /// Where each cell begins and ends in `text`.
    places: &'a [(usize, usize)],
    /// Longer than the reader keeps; the cells are only its beginning.
    pub oversized: bool,
}

impl<'a> Row<'a> {
    /// How many cells the row has.
    pub fn width(&self) -> usize {
        self.places.len()
    }

    /// The cell in this place, counted from 0, as it was sent.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        let (start, end) = *self.places.get(index)?;
        self.text.get(start..end)
    }

    /// Every cell, as it was sent.
    pub fn cells(&self) -> impl Iterator<Item = &'a str> + '_ {
        (0..self.width()).filter_map(|index| self.get(index))
    }

    /// Whether a person sees nothing in this row.
    pub fn is_blank(&self) -> bool {
        !self.oversized && self.cells().all(|cell| cell.trim().is_empty())
    }
}

/// The buffers that a row's cells are written into.
pub(super) struct Cells {
    delimiter: u8,
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    places: Vec<(usize, usize)>,
}

impl Cells {
    pub(super) fn separated_by(delimiter: u8) -> Self {
        Cells {
            delimiter,
            reader: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 4 * 1024],
            ends: vec![0; 64],
            places: Vec::with_capacity(64),
        }
    }

    /// The cells of a line whose quotation marks are in order.
    pub(super) fn read<'c>(&'c mut self, line: Line<'c>) -> Row<'c> {
        let bytes = if self.find(line.bytes) {
            line.bytes
        } else {
            let written = self.unquote(line.bytes);
            &self.text[..written]
        };
        // The bytes were checked as they came; only an oversized line may be cut within a character.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        };
        Row {
            number: line.number,
            text,
            places: &self.places,
            oversized: line.oversized,
        }
    }

    /// Finds the cells as they stand in the line. `false`: a quotation mark is doubled, or a blank follows one.
    fn find(&mut self, line: &[u8]) -> bool {
        // Quotation marks were put in order by commas, and mean nothing to another delimiter.
        if self.delimiter != b',' {
            return false;
        }
        self.places.clear();
        let mut start = 0;
        loop {
            let rest = &line[start..];
            let (cell, after) = if rest.first() == Some(&b'"') {
                let Some(length) = memchr(b'"', &rest[1..]) else {
                    return false;
                };
                let end = start + 1 + length;
                ((start + 1, end), end + 1)
            } else {
                let end = start + memchr(b',', rest).unwrap_or(rest.len());
                ((start, end), end)
            };
            self.places.push(cell);
            match line.get(after) {
                Some(b',') => start = after + 1,
                Some(_) => return false,
                None => return true,
            }
        }
    }

    /// Writes the cells one after the other; how many bytes they are.
    fn unquote(&mut self, line: &[u8]) -> usize {
        self.reader.reset();
        // `csv-core` takes what looks like a byte order mark off its very first bytes. In a row it is none.
        self.reader
            .read_record(b"\n", &mut self.text, &mut self.ends);
        let (mut input, mut written, mut cells) = (line, 0, 0);
        loop {
            // At the end of its input, `csv-core` wants an empty one to know that there is no more.
            let (result, read, wrote, ended) =
                self.reader
                    .read_record(input, &mut self.text[written..], &mut self.ends[cells..]);
            input = &input[read..];
            written += wrote;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        let ends = &self.ends[..cells];
        let starts = std::iter::once(&0).chain(ends);
        self.places.clear();
        self.places
            .extend(starts.copied().zip(ends.iter().copied()));
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Vec<String> {
        let mut cells = Cells::separated_by(b',');
        let row = cells.read(Line {
            number: 1,
            bytes: line.as_bytes(),
            oversized: false,
        });
        row.cells().map(str::to_owned).collect()
    }

    #[test]
    fn cells_are_unquoted() {
        for (line, expected) in [
            ("a,b", &["a", "b"][..]),
            ("a,", &["a", ""]),
            (",", &["", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a \"\"b\"\"\",c", &["a \"b\"", "c"]),
            ("\"x\ny\",z", &["x\ny", "z"]),
            ("a,5\" pipe,c", &["a", "5\" pipe", "c"]),
            ("\"\"", &[""]),
            (" a ,b ", &[" a ", "b "]),
            ("\"a\" ,\"b\"", &["a ", "b"]),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
    }

    #[test]
    fn buffers_grow_with_the_row() {
        let long = "x".repeat(10_000);
        let many = vec![long.as_str(); 200].join(",");
        assert_eq!(read(&many).len(), 200);
        assert_eq!(read(&many)[199], long);
    }

    proptest! {
        #[test]
        fn cells_that_stand_in_the_line_are_those_that_csv_core_finds(
            cells in proptest::collection::vec("([ab é][ab\"]{0,3})?|\"([ab,\n]|\"\"){0,3}\" ?", 2..6),
        ) {
            let line = cells.join(",");
            let (mut found, mut unquoted) = (Cells::separated_by(b','), Cells::separated_by(b','));
            if found.find(line.as_bytes()) {
                let written = unquoted.unquote(line.as_bytes());
                let text = std::str::from_utf8(&unquoted.text[..written]).unwrap();
                let cells = |text: &str, of: &Cells| -> Vec<String> {
                    of.places.iter().map(|(start, end)| text[*start..*end].to_owned()).collect()
                };
                prop_assert_eq!(cells(&line, &found), cells(text, &unquoted));
            }
        }
    }
}
