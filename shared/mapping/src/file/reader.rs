//! Bytes in, rows out: the header is the first row that is not blank, blank rows are passed over, and
//! whatever is wrong with the file as a whole ends the reading with its place.

use super::cells::{Cells, Row};
use super::encoding::{DoubleEncoding, OPENING_BYTES, Opening, Utf8Check};
use super::header::{Header, other_delimiter, wrong_delimiter};
use super::lines::{Line, Lines};
use crate::mapping::Mapping;
use crate::problem::{Problem, ProblemCode};

/// Everything that is wrong with a file; it is refused as a whole.
#[derive(Debug)]
struct Refused(Vec<Problem>);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Refused(vec![problem])
    }
}

/// Reads one file, chunk by chunk, wherever the chunks are cut.
pub struct FileReader<'m> {
    /// The first bytes, until there are enough to tell the encoding.
    head: Option<Vec<u8>>,
    utf8: Utf8Check,
    lines: Lines,
    rows: Rows<'m>,
    has_bom: bool,
    /// Offset in the file of the first byte that is not read yet.
    offset: u64,
}

impl<'m> FileReader<'m> {
    /// A reader at the start of a file.
    pub fn new(mapping: &'m Mapping) -> Self {
        FileReader {
            head: Some(Vec::with_capacity(OPENING_BYTES)),
            utf8: Utf8Check::default(),
            lines: Lines::new(),
            rows: Rows {
                mapping,
                cells: Cells::separated_by(b','),
                header: None,
                double_encoding: DoubleEncoding::default(),
                any: false,
            },
            has_bom: false,
            offset: 0,
        }
    }

    /// Whether the file began with a byte order mark, as spreadsheets write and want it.
    pub fn has_bom(&self) -> bool {
        self.has_bom
    }

    /// Hands every row that ends in `chunk` to `each`, in the file's order.
    ///
    /// # Errors
    ///
    /// The file is refused, for all the reasons that can be told so far. Nothing may be read after that.
    pub fn push(
        &mut self,
        chunk: &[u8],
        each: impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Vec<Problem>> {
        self.read(Some(chunk), |_| true, each)
    }

    /// The file has ended: hands over its last row.
    ///
    /// # Errors
    ///
    /// The file is refused, as for [`FileReader::push`].
    pub fn finish(&mut self, each: impl FnMut(&Header, Row<'_>)) -> Result<(), Vec<Problem>> {
        self.read(None, |_| true, each)
    }

    /// [`FileReader::push`], or at the end of the file (`None`) [`FileReader::finish`], for those rows alone whose
    /// numbers are wanted. The others are found, numbered and passed over, which takes a fraction of the time.
    ///
    /// # Errors
    ///
    /// The file is refused, for the same reasons as if every row were wanted.
    pub fn read(
        &mut self,
        chunk: Option<&[u8]>,
        wants: impl Fn(u32) -> bool,
        mut each: impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Vec<Problem>> {
        let read = match chunk {
            Some(chunk) => self.next(chunk, &wants, &mut each),
            None => self.end(&wants, &mut each),
        };
        read.map_err(|refused| refused.0)
    }

    fn next(
        &mut self,
        chunk: &[u8],
        wants: &impl Fn(u32) -> bool,
        each: &mut impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Refused> {
        let Some(head) = &mut self.head else {
            return self.text(chunk, wants, each);
        };
        let missing = OPENING_BYTES.saturating_sub(head.len()).min(chunk.len());
        let (more, rest) = chunk.split_at(missing);
        head.extend_from_slice(more);
        if head.len() < OPENING_BYTES {
            return Ok(());
        }
        self.open(wants, each)?;
        self.text(rest, wants, each)
    }

    fn end(
        &mut self,
        wants: &impl Fn(u32) -> bool,
        each: &mut impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Refused> {
        self.open(wants, each)?;
        if self.utf8.is_cut() {
            return Err(invalid_utf8(self.offset, self.lines.number()).into());
        }
        let FileReader { lines, rows, .. } = self;
        lines.finish(|line| rows.see(line, wants, each))?;
        if let Some(row) = rows.double_encoding.told() {
            return Err(Problem::new(ProblemCode::DoubleEncoded).row(row).into());
        }
        match (&rows.header, rows.any) {
            (None, _) => Err(Problem::new(ProblemCode::EmptyFile).into()),
            (Some(_), false) => Err(Problem::new(ProblemCode::HeaderOnly).into()),
            (Some(_), true) => Ok(()),
        }
    }

    /// Tells the encoding from the first bytes, and reads on with what follows the byte order mark.
    fn open(
        &mut self,
        wants: &impl Fn(u32) -> bool,
        each: &mut impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Refused> {
        let Some(head) = self.head.take() else {
            return Ok(());
        };
        match Opening::of(&head) {
            Opening::Utf16 => Err(Problem::new(ProblemCode::Utf16).row(1).byte(0).into()),
            Opening::DoubleEncoded => Err(Problem::new(ProblemCode::DoubleEncoded)
                .row(1)
                .byte(0)
                .into()),
            Opening::Utf8 { bom } => {
                self.has_bom = bom > 0;
                self.offset = bom as u64;
                self.text(&head[bom..], wants, each)
            }
        }
    }

    fn text(
        &mut self,
        chunk: &[u8],
        wants: &impl Fn(u32) -> bool,
        each: &mut impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Refused> {
        let checked = self.utf8.check(chunk);
        // The rows before a byte that is wrong are read all the same: they tell which row it stands in.
        for text in [&checked.joined[..], checked.whole] {
            let FileReader { lines, rows, .. } = self;
            let read = lines.push(text, |line| rows.see(line, wants, each));
            if let Err(refused) = read {
                return Err(self.explain(refused));
            }
            self.offset += text.len() as u64;
        }
        if checked.broken {
            return Err(invalid_utf8(self.offset, self.lines.number()).into());
        }
        Ok(())
    }

    /// A header with another delimiter and quoted names looks like text after a closing quote; what helps
    /// is to hear of the delimiter.
    fn explain(&self, refused: Refused) -> Refused {
        let in_header = self.rows.header.is_none()
            && matches!(&refused.0[..], [only] if only.code == ProblemCode::TextAfterQuote);
        if !in_header {
            return refused;
        }
        let line = Line {
            number: self.lines.number(),
            bytes: self.lines.unfinished(),
            oversized: false,
        };
        match other_delimiter(line, self.rows.mapping) {
            Some(name) => wrong_delimiter(line.number, name).into(),
            None => refused,
        }
    }
}

/// Lines in, rows out.
struct Rows<'m> {
    mapping: &'m Mapping,
    cells: Cells,
    header: Option<Header>,
    double_encoding: DoubleEncoding,
    /// There was a row that is not blank.
    any: bool,
}

impl Rows<'_> {
    fn see(
        &mut self,
        line: Line<'_>,
        wants: &impl Fn(u32) -> bool,
        each: &mut impl FnMut(&Header, Row<'_>),
    ) -> Result<(), Refused> {
        // What a row adds to what is said of the file as a whole, it adds even if nobody wants it.
        let tells_encoding = !self.double_encoding.is_settled() && !line.bytes.is_ascii();
        // `MaxFileBytes` keeps files far below four thousand million rows.
        let number = u32::try_from(line.number).unwrap_or(u32::MAX);
        let wanted = self.header.is_none() || wants(number);
        if self.any && !tells_encoding && !wanted {
            return Ok(());
        }
        let row = self.cells.read(line);
        if row.is_blank() {
            return Ok(());
        }
        let Some(header) = &self.header else {
            self.header = Some(Header::read(&row, line, self.mapping).map_err(Refused)?);
            return Ok(());
        };
        self.any = true;
        if tells_encoding {
            let text: String = row.cells().collect();
            self.double_encoding
                .see(row.number, &text, header.names(&row));
        }
        if wanted {
            each(header, row);
        }
        Ok(())
    }
}

fn invalid_utf8(byte: u64, row: u64) -> Problem {
    Problem::new(ProblemCode::InvalidUtf8)
        .row(row)
        .byte(byte)
        .message(format!(
            "The file is not valid UTF-8 at byte {byte}, in row {row}."
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::{catalogue, draft};
    use proptest::prelude::*;

    fn mapping() -> Mapping {
        Mapping::check(
            &draft(&["email=E-mail", "first_name=First", "last_name=Last"]),
            &catalogue(&[]),
        )
        .unwrap()
    }

    type Found = Vec<(u64, Vec<String>)>;

    fn read(file: &[u8], chunk: usize) -> Result<Found, Vec<Problem>> {
        let mapping = mapping();
        let mut reader = FileReader::new(&mapping);
        let mut rows = Vec::new();
        let mut each = |_: &Header, row: Row<'_>| {
            rows.push((row.number, row.cells().map(str::to_owned).collect()))
        };
        for part in file.chunks(chunk) {
            reader.push(part, &mut each)?;
        }
        reader.finish(&mut each)?;
        Ok(rows)
    }

    /// However the file is cut.
    fn refused(file: &[u8]) -> Vec<(&'static str, Option<u64>, Option<u64>)> {
        let verdict = |chunk| -> Vec<_> {
            let problems = read(file, chunk).unwrap_err();
            problems
                .iter()
                .map(|problem| (problem.code.as_str(), problem.row, problem.byte))
                .collect()
        };
        let whole = verdict(1 << 20);
        for chunk in [1, 2, 3, 5, 64] {
            assert_eq!(verdict(chunk), whole, "in chunks of {chunk}");
        }
        whole
    }

    const HEADER: &str = "E-mail,First,Last\n";

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn what_real_exports_contain_is_fine() {
        let expected = vec![(
            2,
            vec!["a@x.example".to_owned(), "Ann".to_owned(), "Lee".to_owned()],
        )];
        for file in [
            "E-mail,First,Last\na@x.example,Ann,Lee\n",
            "\u{FEFF}E-mail,First,Last\na@x.example,Ann,Lee\n",
            "E-mail,First,Last\r\na@x.example,Ann,Lee\r\n",
            "E-mail,First,Last\ra@x.example,Ann,Lee\r",
            "E-mail,First,Last\ra@x.example,Ann,Lee",
            "E-MAIL, first ,LAST\na@x.example,Ann,Lee\n\n,,\n  \n",
            "\"E-mail\",\"First\",\"Last\"\n\"a@x.example\",\"Ann\",\"Lee\"\n",
        ] {
            for chunk in [1, 2, 3, 1024] {
                assert_eq!(
                    read(file.as_bytes(), chunk).unwrap(),
                    expected,
                    "{file:?} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_shows_them() {
        let file = "\n\nE-mail,First,Last\n\na@x.example,\"An\nn\",Lee\n,,\nb@x.example,Bo,Li\n";
        let numbers: Vec<u64> = read(file.as_bytes(), 1)
            .unwrap()
            .iter()
            .map(|(number, _)| *number)
            .collect();
        assert_eq!(numbers, [5, 7]);
    }

    #[test]
    fn a_file_without_people_is_refused() {
        for file in ["", "\n\n", "\u{FEFF}", " , ,\n", "\r\n"] {
            assert_eq!(
                refused(file.as_bytes()),
                [("empty_file", None, None)],
                "{file:?}"
            );
        }
        for file in [HEADER, "E-mail,First,Last", "E-mail,First,Last\n\n,,\n"] {
            assert_eq!(
                refused(file.as_bytes()),
                [("header_only", None, None)],
                "{file:?}"
            );
        }
    }

    #[test]
    fn the_place_of_a_byte_that_is_not_utf_8_is_named() {
        let mut file = format!("{HEADER}a@x.example,Ann,Lee\nb@x.example,J").into_bytes();
        let at = file.len() as u64;
        file.extend_from_slice(b"\xE9r\xF4me,Li\nc@x.example,C,D\n");
        assert_eq!(refused(&file), [("invalid_utf8", Some(3), Some(at))]);
        let marked = [b"\xEF\xBB\xBF", &file[..]].concat();
        assert_eq!(refused(&marked), [("invalid_utf8", Some(3), Some(at + 3))]);
    }

    #[test]
    fn a_character_that_the_end_of_the_file_cuts_off_is_not_utf_8() {
        let file = [format!("{HEADER}a@x.example,Ann,L").as_bytes(), b"\xC3"].concat();
        assert_eq!(
            refused(&file),
            [("invalid_utf8", Some(2), Some(file.len() as u64 - 1))]
        );
    }

    #[test]
    fn utf_16_is_recognised_with_and_without_its_mark() {
        assert_eq!(
            refused(&utf16(&format!("\u{FEFF}{HEADER}"))),
            [("utf16", Some(1), Some(0))]
        );
        assert_eq!(refused(&utf16(HEADER)), [("utf16", Some(1), Some(0))]);
    }

    #[test]
    fn another_delimiter_is_recognised_and_said() {
        for (header, name) in [
            ("E-mail;First;Last\na;b;c\n", "semicolons"),
            (
                "\"E-mail\";\"First\";\"Last\"\n\"a\";\"b\";\"c\"\n",
                "semicolons",
            ),
            ("E-mail\tFirst\tLast\na\tb\tc\n", "tabs"),
            ("E-mail|First|Last\n", "vertical bars"),
            ("E-mail;First;\"Last, all\"\n", "semicolons"),
            ("Courriel;Nom;Service\n", "semicolons"),
        ] {
            assert_eq!(
                refused(header.as_bytes()),
                [("wrong_delimiter", Some(1), None)],
                "{header:?}"
            );
            let problems = read(header.as_bytes(), 1024).unwrap_err();
            assert!(
                problems[0].message.contains(name),
                "{}",
                problems[0].message
            );
        }
    }

    #[test]
    fn mapped_headers_must_be_there_once() {
        assert_eq!(
            refused(b"E-mail,First,Surname\na,b,c\n"),
            [("missing_header", Some(1), None)]
        );
        assert_eq!(refused(b"x,y\na,b\n").len(), 3);
        assert_eq!(
            refused(b"E-mail,First,Last,first\na,b,c,d\n"),
            [("duplicate_header", Some(1), None)]
        );
        let titled = b"Report: staff; all\n\nE-mail,First,Last\na,b,c\n";
        assert_eq!(refused(titled).len(), 3, "a title line is no delimiter");
        let lists = b"E-mail,First,Groups (a;b;c;d;e)\na,b,c\n";
        assert_eq!(
            refused(lists),
            [("missing_header", Some(1), None)],
            "semicolons within a name are none between columns"
        );
        assert!(
            read(b"E-mail,First,Last,x,x,,\na,b,c,d,e,,\n", 1024).is_ok(),
            "what is not mapped may be alike"
        );
    }

    #[test]
    fn an_unclosed_quote_is_found_where_it_opened() {
        let mut file = HEADER.to_owned();
        for n in 0..200 {
            let first = if n == 100 { "\"Ann" } else { "Ann" };
            file.push_str(&format!("p{n}@x.example,{first},Lee\n"));
        }
        assert_eq!(
            refused(file.as_bytes()),
            [("unclosed_quote", Some(102), None)]
        );
    }

    #[test]
    fn a_file_saved_as_utf_8_twice_is_told_where_it_can_be() {
        let damaged = "a@x.example,JosÃ©,MÃ¼ller\nb@x.example,FranÃ§ois,Lee\n";
        let titles = "E-mail,First,Last,Job\na@x.example,A,B,CafÃ© lead\nb@x.example,C,D,Womenâ€™s buyer\nc@x.example,E,F,Sales â€“ EMEA\n";
        assert!(
            read(titles.as_bytes(), 7).is_ok(),
            "old damage in titles is not the file's"
        );
        assert_eq!(
            refused(format!("{HEADER}{damaged}").as_bytes()),
            [("double_encoded", Some(2), None)]
        );
        assert_eq!(
            refused("ï»¿E-mail,First,Last\na,b,c\n".as_bytes()),
            [("double_encoded", Some(1), Some(0))]
        );
        assert!(
            read(
                format!("{HEADER}{damaged}b@x.example,José,Lee\n").as_bytes(),
                7
            )
            .is_ok()
        );
    }

    /// The rows whose numbers are wanted, and what is said of the file.
    fn read_wanted(
        file: &[u8],
        chunk: usize,
        wants: impl Fn(u32) -> bool,
    ) -> (Found, Result<(), String>) {
        let mapping = mapping();
        let mut reader = FileReader::new(&mapping);
        let mut rows = Found::new();
        let mut each = |_: &Header, row: Row<'_>| {
            rows.push((row.number, row.cells().map(str::to_owned).collect()));
        };
        let mut chunks = file.chunks(chunk).map(Some).chain([None]);
        let read = chunks.try_for_each(|chunk| reader.read(chunk, &wants, &mut each));
        (rows, read.map_err(|problems| format!("{problems:?}")))
    }

    #[test]
    fn of_a_row_too_long_to_be_kept_as_much_is_read_as_before_if_it_is_wanted() {
        let long = "é,".repeat(1 << 20);
        let file = format!("{HEADER}a@x.example,A,B\n{long}\nb@x.example,C,D\n");
        let (all, said) = read_wanted(file.as_bytes(), 1 << 16, |_| true);
        assert!(said.is_ok() && all.len() == 3);
        for row in 2..=4 {
            let (found, said) = read_wanted(file.as_bytes(), 1 << 16, |number| number == row);
            assert!(said.is_ok() && found == [all[row as usize - 2].clone()]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        /// Whoever wants some rows alone gets these, and the file is refused or not for the same reasons.
        #[test]
        fn rows_that_nobody_wants_change_nothing(
            lines in proptest::collection::vec("(|,,| |[a-c],[ab],\"x\n?\"|a,JosÃ©,MÃ¼ller|a,FranÃ§ois,é?|a,\"\"\"é\",b|\"a|\"a\"b|é)\r?\n", 0..8),
            end in "(a,b,c|\"|é)?", byte in proptest::option::of(0usize..60), wanted in any::<u16>(), chunk in 1usize..40,
        ) {
            let mut file = format!("{HEADER}{}{end}", lines.concat()).into_bytes();
            if let Some(place) = byte.and_then(|at| file.get_mut(at)) { *place = 0xC3; }
            let wants = |row: u32| wanted >> (row % 16) & 1 == 1;
            let (mut all, verdict) = read_wanted(&file, chunk, |_| true);
            all.retain(|(row, _)| wants(*row as u32));
            prop_assert_eq!(read_wanted(&file, chunk, wants), (all, verdict));
        }

        #[test]
        fn any_bytes_end_in_rows_or_a_reason(bytes in proptest::collection::vec(prop_oneof![
            any::<u8>(), Just(b','), Just(b'"'), Just(b'\n'), Just(b'\r'), Just(0xC3), Just(0xA9)], 0..80), chunk in 1usize..9) {
            let file = [HEADER.as_bytes(), &bytes].concat();
            let whole = read(&file, 1 << 20);
            prop_assert_eq!(&read(&file, chunk), &whole);
            if let Err(problems) = whole {
                prop_assert!(!problems.is_empty());
            }
        }
    }
}
