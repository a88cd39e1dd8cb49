//! The first pass over a file: every row is read and checked, and what the plan has to know of it is kept,
//! as hashes. The rows themselves are not: memory holds some 70 bytes a row, never the file.

use crate::fields::Status;
use crate::file::{FileReader, Header, Row};
use crate::identity::IdentityHash;
use crate::mapping::Mapping;
use crate::problem::Problem;
use crate::record::{Fingerprint, Presence, UserRecord};
use crate::role::Role;
use std::collections::HashMap;

/// What is kept of an accepted row.
#[derive(Clone, Copy, Debug)]
pub struct ScannedRow {
    /// Over everything that the row says but how it spells addresses.
    pub(crate) says: u64,
    /// As a spreadsheet numbers it.
    pub row: u32,
    /// Who the row is about.
    pub identity: IdentityHash,
    /// Its address.
    pub email: IdentityHash,
    /// Over what it would store, but for its managers.
    pub fingerprint: Fingerprint,
    /// Where its managers stand in [`ManagerCells`].
    pub(crate) managers: ManagerCell,
    /// How many warnings it is worth by itself when it is used.
    pub(crate) warnings: u16,
    /// What it says of the status.
    pub(crate) status: Option<Status>,
    /// Whether it names the role `Administrator`; `None`: it names no role.
    pub(crate) administrator: Option<bool>,
}

/// A whole file, read and checked.
#[derive(Debug, Default)]
pub struct Scan {
    /// The accepted rows, in the file's order.
    pub rows: Vec<ScannedRow>,
    /// How many rows are not accepted, each for reasons of its own.
    pub not_accepted: u64,
    /// Who those may be about.
    pub(crate) presences: Vec<Presence>,
    /// A row has another number of cells than the header, or was too long to be read.
    pub(crate) malformed: bool,
    pub(crate) managers: ManagerCells,
}

/// The addresses in the cells of `manager`, each kept once: a company has far fewer managers than people.
#[derive(Debug, Default)]
pub(crate) struct ManagerCells {
    numbers: HashMap<IdentityHash, u32>,
    /// By number.
    pub(crate) addresses: Vec<IdentityHash>,
    /// The cells one after the other, as numbers.
    parts: Vec<u32>,
}

/// A row's cell of `manager`: where it begins, and how many parts it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ManagerCell {
    start: u32,
    parts: u16,
}

impl ManagerCells {
    fn add(&mut self, cell: &[&str]) -> ManagerCell {
        let start = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        for part in cell {
            let address = IdentityHash::of_email(part);
            let next = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
            let number = *self.numbers.entry(address).or_insert(next);
            if number == next {
                self.addresses.push(address);
            }
            self.parts.push(number);
        }
        // A value has at most 1,000 characters.
        let parts = u16::try_from(cell.len()).unwrap_or(u16::MAX);
        ManagerCell { start, parts }
    }

    /// The numbers of a cell's addresses, in its order.
    pub(crate) fn of(&self, cell: ManagerCell) -> &[u32] {
        let start = cell.start as usize;
        &self.parts[start..start + usize::from(cell.parts)]
    }

    /// The number of an address, if any row names it.
    pub(crate) fn number(&self, address: IdentityHash) -> Option<u32> {
        self.numbers.get(&address).copied()
    }

    /// Whether no row names a manager.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
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
        reader.push(chunk, |header, row| scan.see(header, &row))
    }

    /// The file has ended.
    ///
    /// # Errors
    ///
    /// The file is refused; see [`FileReader::finish`].
    pub fn finish(mut self) -> Result<Scan, Vec<Problem>> {
        let Scanner { reader, scan } = &mut self;
        reader.finish(|header, row| scan.see(header, &row))?;
        Ok(self.scan)
    }
}

impl Scan {
    /// Whether people have to be found by name, because a row has nothing else that can be read.
    pub fn needs_names(&self) -> bool {
        self.presences
            .iter()
            .any(|presence| presence.names.is_some())
    }

    fn see(&mut self, header: &Header, row: &Row<'_>) {
        match UserRecord::read(header, row) {
            Ok(record) => self.accept(&record, row.number),
            Err(_) => {
                self.not_accepted += 1;
                let malformed = row.oversized || header.misfit(row).is_some();
                self.malformed |= malformed;
                self.presences.push(Presence::of(header, row, malformed));
            }
        }
    }

    fn accept(&mut self, record: &UserRecord<'_>, row: u64) {
        let (fingerprint, says) = record.fingerprints();
        let identity = record.identity().hash();
        self.rows.push(ScannedRow {
            says,
            // `MaxFileBytes` keeps files far below four thousand million rows.
            row: u32::try_from(row).unwrap_or(u32::MAX),
            identity,
            email: match record.external_id {
                Some(_) => IdentityHash::of_email(record.email),
                None => identity,
            },
            fingerprint,
            managers: self.managers.add(&record.managers),
            warnings: record.warnings_count(),
            status: record.status,
            administrator: (!record.roles.is_empty())
                .then(|| record.roles.contains(Role::Administrator)),
        });
    }
}
