//! The first pass over a file: every row is read and checked, and a key, a fingerprint and what it
//! says of the person are kept, as hashes. The rows themselves are not: memory holds 48 bytes a row, never the file.

use crate::file::{FileReader, Row};
use crate::identity::IdentityHash;
use crate::mapping::Mapping;
use crate::problem::Problem;
use crate::record::{Fingerprint, UserRecord};

/// What is kept of an accepted row.
#[derive(Clone, Copy, Debug)]
pub struct ScannedRow {
    /// As a spreadsheet numbers it.
    pub row: u32,
    /// Who the row is about.
    pub identity: IdentityHash,
    /// Over what it would store.
    pub fingerprint: Fingerprint,
    /// Over all of that but the address.
    pub(crate) says: u64,
    /// How many warnings it is worth when it is used.
    pub(crate) warnings: u16,
}

/// A whole file, read and checked.
#[derive(Debug, Default)]
pub struct Scan {
    /// The accepted rows, in the file's order.
    pub rows: Vec<ScannedRow>,
    /// How many rows are not accepted, each for reasons of its own.
    pub not_accepted: u64,
}

/// Scans a file, chunk by chunk.
pub struct Scanner<'m> {
    reader: FileReader<'m>,
    scan: Scan,
}

impl<'m> Scanner<'m> {
    /// At the start of a file.
    pub fn new(mapping: &'m Mapping) -> Self {
        Scanner {
            reader: FileReader::new(mapping),
            scan: Scan::default(),
        }
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    ///
    /// The file is refused; see [`FileReader::push`].
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Vec<Problem>> {
        let Scanner { reader, scan } = self;
        reader.push(chunk, |header, row| {
            scan.see(UserRecord::read(header, &row), &row)
        })
    }

    /// The file has ended.
    ///
    /// # Errors
    ///
    /// The file is refused; see [`FileReader::finish`].
    pub fn finish(mut self) -> Result<Scan, Vec<Problem>> {
        let Scanner { reader, scan } = &mut self;
        reader.finish(|header, row| scan.see(UserRecord::read(header, &row), &row))?;
        Ok(self.scan)
    }
}

impl Scan {
    fn see(&mut self, record: Result<UserRecord<'_>, Vec<Problem>>, row: &Row<'_>) {
        match record {
            Ok(record) => {
                let (fingerprint, says) = record.fingerprints();
                self.rows.push(ScannedRow {
                    // `MaxFileBytes` keeps files far below four thousand million rows.
                    row: u32::try_from(row.number).unwrap_or(u32::MAX),
                    identity: record.identity(),
                    fingerprint,
                    says,
                    warnings: record.warnings_count(),
                });
            }
            Err(_) => self.not_accepted += 1,
        }
    }
}
