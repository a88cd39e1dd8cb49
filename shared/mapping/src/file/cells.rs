//! A row's cells, unquoted by `csv-core` into buffers that are used again for the next row.
//! What a cell means is not known here.

use super::lines::Line;
use csv_core::{ReadRecordResult, Reader};

/// A row of the file: its number and its cells.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// As a spreadsheet numbers it; the file's first line is 1.
    pub number: u64,
    /// All cells, one after the other.
    text: &'a str,
    /// Where each cell ends in `text`.
    ends: &'a [usize],
    /// Longer than the reader keeps; the cells are only its beginning.
    pub oversized: bool,
}

impl<'a> Row<'a> {
    /// How many cells the row has.
    pub fn width(&self) -> usize {
        self.ends.len()
    }

    /// The cell in this place, counted from 0, as it was sent.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text.get(start..end)
    }

    /// Every cell, as it was sent.
    pub fn cells(&self) -> impl Iterator<Item = &'a str> + '_ {
        (0..self.width()).filter_map(|index| self.get(index))
    }

    /// Whether a person sees nothing in this row.
    pub fn is_blank(&self) -> bool {
        !self.oversized && self.text.trim().is_empty()
    }

    /// All cells as one text, without what separates them.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }
}

/// The buffers that a row's cells are written into.
pub(super) struct Cells {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    pub(super) fn separated_by(delimiter: u8) -> Self {
        Cells {
            reader: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 4 * 1024],
            ends: vec![0; 64],
        }
    }

    /// The cells of a line whose quotation marks are in order.
    pub(super) fn read(&mut self, line: Line<'_>) -> Row<'_> {
        self.reader.reset();
        // `csv-core` takes what looks like a byte order mark off its very first bytes. In a row it is none.
        self.reader
            .read_record(b"\n", &mut self.text, &mut self.ends);
        let (mut input, mut written, mut cells) = (line.bytes, 0, 0);
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
        // The bytes were checked as they came; only an oversized line may be cut within a character.
        let text = match std::str::from_utf8(&self.text[..written]) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&self.text[..error.valid_up_to()]).unwrap_or(""),
        };
        Row {
            number: line.number,
            text,
            ends: &self.ends[..cells],
            oversized: line.oversized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
