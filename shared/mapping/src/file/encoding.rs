//! Which encoding the bytes are in: UTF-8 checked as it streams, UTF-16 and text that was converted to
//! UTF-8 twice recognised. Knows nothing of cells.

use std::collections::BTreeSet;

/// The UTF-8 byte order mark.
pub(crate) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The byte order mark after a second conversion from Windows-1252 (or Latin-1) to UTF-8.
const BOM_TWICE: &[u8] = "ï»¿".as_bytes();

/// How many bytes [`Opening::of`] wants to see, unless the file is shorter.
pub(super) const OPENING_BYTES: usize = 6;

/// What the first bytes of a file say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// UTF-8 so far; this many bytes of byte order mark.
    Utf8 {
        bom: usize,
    },
    Utf16,
    DoubleEncoded,
}

impl Opening {
    pub(super) fn of(head: &[u8]) -> Self {
        if head.starts_with(BOM_TWICE) {
            return Opening::DoubleEncoded;
        }
        match head {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Opening::Utf16,
            // Without a mark: a header's first letters, with a zero beside each.
            [0, a, 0, b, ..] | [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Opening::Utf16,
            _ => Opening::Utf8 {
                bom: if head.starts_with(BOM) { BOM.len() } else { 0 },
            },
        }
    }
}

/// Checks UTF-8 chunk by chunk; a character may be cut anywhere.
#[derive(Default)]
pub(super) struct Utf8Check {
    /// The beginning of a character whose rest is still to come.
    cut: Vec<u8>,
}

/// What a chunk adds to the text that is known to be UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checked<'c> {
    /// The character that an earlier chunk began, if this one ends it.
    pub(super) joined: Vec<u8>,
    /// Whole characters of this chunk.
    pub(super) whole: &'c [u8],
    /// What follows them is not UTF-8.
    pub(super) broken: bool,
}

impl Utf8Check {
    pub(super) fn check<'c>(&mut self, mut chunk: &'c [u8]) -> Checked<'c> {
        let mut checked = Checked::default();
        while let (false, Some((first, rest))) = (self.cut.is_empty(), chunk.split_first()) {
            self.cut.push(*first);
            match std::str::from_utf8(&self.cut) {
                Ok(_) => checked.joined = std::mem::take(&mut self.cut),
                Err(error) if error.error_len().is_some() => {
                    return Checked {
                        broken: true,
                        ..checked
                    };
                }
                Err(_) => {}
            }
            chunk = rest;
        }
        match std::str::from_utf8(chunk) {
            Ok(_) => checked.whole = chunk,
            Err(error) => {
                let (whole, rest) = chunk.split_at(error.valid_up_to());
                checked.whole = whole;
                checked.broken = error.error_len().is_some();
                if !checked.broken {
                    self.cut.extend_from_slice(rest);
                }
            }
        }
        checked
    }

    /// At the end of the file: whether a character stands there without its rest.
    pub(super) fn is_cut(&self) -> bool {
        !self.cut.is_empty()
    }
}

/// How much evidence it takes to refuse a file as converted twice when it has no mark that proves it:
/// so many different damaged runs of characters. One odd cell, or one odd name in every row, may be the HR system's own
/// and is no reason to stop the whole feed.
const DAMAGED_RUNS: usize = 3;

/// Collects evidence that a file was converted to UTF-8 twice: `José` reads `JosÃ©`. Names are evidence;
/// titles and remarks may be old damage of the HR system's own. It is told only where no cell at all speaks
/// against it.
#[derive(Default)]
pub(super) struct DoubleEncoding {
    first_row: Option<u64>,
    runs: BTreeSet<String>,
    sound: bool,
}

impl DoubleEncoding {
    /// Whether nothing that is still to come can change the verdict.
    pub(super) fn is_settled(&self) -> bool {
        self.sound
    }

    /// All cells of a row as one text, and the names in it. Of text that is ASCII there is nothing to see.
    pub(super) fn see<'r>(&mut self, number: u64, row: &str, names: impl Iterator<Item = &'r str>) {
        if self.sound {
            return;
        }
        self.sound = !runs(row).all(is_damaged);
        for run in names.flat_map(runs) {
            self.first_row.get_or_insert(number);
            if self.runs.len() < DAMAGED_RUNS {
                self.runs.insert(run.to_owned());
            }
        }
    }

    /// The first damaged row, if it is told.
    pub(super) fn told(&self) -> Option<u64> {
        self.first_row
            .filter(|_| !self.sound && self.runs.len() >= DAMAGED_RUNS)
    }
}

/// The runs of characters beyond ASCII.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii())
        .filter(|run| !run.is_empty())
}

/// Whether characters beyond ASCII, taken as Windows-1252 bytes, are UTF-8 again, and that of letters
/// which names are made of: `É®` is UTF-8 too, of a letter that nobody's name has.
fn is_damaged(run: &str) -> bool {
    let bytes: Option<Vec<u8>> = run.chars().map(windows_1252).collect();
    let Some(bytes) = bytes else { return false };
    std::str::from_utf8(&bytes).is_ok_and(|text| text.chars().all(is_in_names))
}

/// The letters and marks that a name or a title is likely to have: Latin, Greek, Cyrillic, Vietnamese,
/// the scripts of Asia, and the punctuation that word processors put in.
fn is_in_names(c: char) -> bool {
    matches!(u32::from(c),
        0xA0..=0x17F | 0x1A0..=0x1B0 | 0x218..=0x21B | 0x300..=0x36F | 0x386..=0x3CE | 0x400..=0x45F
        | 0x5D0..=0x64A | 0x900..=0xE7F | 0x1E00..=0x1EFF | 0x2010..=0x2026 | 0x20AC | 0x2122
        | 0x3040..=0x30FF | 0x4E00..=0x9FFF | 0xAC00..=0xD7A3)
}

/// The byte that Windows-1252 has for a character beyond ASCII; its five unused bytes stand for
/// themselves, as programs that convert by it leave them.
fn windows_1252(c: char) -> Option<u8> {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    match u32::from(c) {
        code @ 0xA0..=0xFF => u8::try_from(code).ok(),
        _ => HIGH
            .iter()
            .position(|high| *high == c)
            .and_then(|at| u8::try_from(at + 0x80).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a second conversion makes of a text.
    fn twice(text: &str) -> String {
        let decode = |byte: &u8| {
            (0u32..=0x2122)
                .filter_map(char::from_u32)
                .find(|c| windows_1252(*c) == Some(*byte))
        };
        text.as_bytes()
            .iter()
            .map(|byte| {
                if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    decode(byte).unwrap()
                }
            })
            .collect()
    }

    #[test]
    fn the_first_bytes_tell_the_encoding() {
        let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| {
            text.encode_utf16().flat_map(order).collect::<Vec<u8>>()
        };
        for (head, expected) in [
            (b"Email,".to_vec(), Opening::Utf8 { bom: 0 }),
            (b"\xEF\xBB\xBFEma".to_vec(), Opening::Utf8 { bom: 3 }),
            (b"".to_vec(), Opening::Utf8 { bom: 0 }),
            (utf16("\u{FEFF}Em", u16::to_le_bytes), Opening::Utf16),
            (utf16("\u{FEFF}Em", u16::to_be_bytes), Opening::Utf16),
            (utf16("Ema", u16::to_le_bytes), Opening::Utf16),
            (utf16("Ema", u16::to_be_bytes), Opening::Utf16),
            ("ï»¿Email".as_bytes().to_vec(), Opening::DoubleEncoded),
        ] {
            assert_eq!(Opening::of(&head), expected, "{head:?}");
        }
    }

    #[test]
    fn text_converted_twice_is_told_from_text_that_only_looks_odd() {
        let damaged = |text: &str| runs(text).all(is_damaged);
        for name in [
            "José",
            "Müller",
            "Đặng",
            "李雷",
            "Žižek",
            "O’Neil",
            "naïve café",
            "Наталья",
            "Łukasz",
        ] {
            assert!(damaged(&twice(name)), "{name}");
            assert!(!damaged(name), "{name}");
        }
        for name in [
            "JOÃO",
            "São",
            "Ångström",
            "Â",
            "£",
            "½ day",
            "NESCAFÉ®",
            "CITÉ®",
            "CAFÉ’S",
        ] {
            assert!(!damaged(name), "{name}");
        }
    }

    #[test]
    fn one_sound_row_or_too_little_evidence_speaks_for_the_file() {
        let told = |rows: &[&str]| {
            let mut seen = DoubleEncoding::default();
            (2..)
                .zip(rows)
                .for_each(|(number, row)| seen.see(number, row, [*row].into_iter()));
            seen.told()
        };
        assert_eq!(
            told(&["plain", "JosÃ©", "MÃ¼ller", "JosÃ©", "FranÃ§ois"]),
            Some(3)
        );
        assert_eq!(
            told(&["JosÃ©", "JosÃ©", "JosÃ©", "JosÃ©"]),
            None,
            "one word, again and again"
        );
        assert_eq!(told(&["JosÃ©", "MÃ¼ller", "FranÃ§ois", "José"]), None);
    }

    proptest! {
        #[test]
        fn chunks_do_not_change_the_verdict(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xC3), Just(0xA9), Just(0xF0), Just(0x9F)], 0..24), cut in 1usize..5) {
            let mut check = Utf8Check::default();
            let (mut text, mut broken) = (Vec::new(), false);
            for chunk in bytes.chunks(cut) {
                let checked = check.check(chunk);
                text.extend_from_slice(&checked.joined);
                text.extend_from_slice(checked.whole);
                broken = checked.broken;
                if broken { break }
            }
            let valid = match std::str::from_utf8(&bytes) {
                Ok(_) => bytes.len(),
                Err(error) => error.valid_up_to(),
            };
            prop_assert_eq!(&text, &bytes[..valid]);
            prop_assert_eq!(broken || check.is_cut(), valid < bytes.len());
        }
    }
}
