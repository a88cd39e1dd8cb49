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
    /// Rows that say something by themselves: those that are not accepted, and those with warnings of their own.
    pub(crate) telling: Vec<u32>,
    /// Who those may be about that are not accepted.
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
            // What is no address is nobody's, and needs no room of its own.
            let address = IdentityHash::of_email(if part.contains('@') { part } else { "" });
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
        // `MaxFileBytes` keeps files far below four thousand million rows.
        let number = u32::try_from(row.number).unwrap_or(u32::MAX);
        match UserRecord::read(header, row) {
            Ok(record) => self.accept(&record, number),
            Err(_) => {
                self.telling.push(number);
                self.not_accepted += 1;
                let malformed = row.oversized || header.misfit(row).is_some();
                self.malformed |= malformed;
                self.presences.push(Presence::of(header, row, malformed));
            }
        }
    }

    fn accept(&mut self, record: &UserRecord<'_>, row: u32) {
        if record.warnings_count() > 0 {
            self.telling.push(row);
        }
        let (fingerprint, says) = record.fingerprints();
        let identity = record.identity().hash();
        self.rows.push(ScannedRow {
            says,
            row,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{by_email, csv, mapping_of};

    fn scan(lines: &str) -> Scan {
        let file = csv(lines);
        crate::plan::testing::scan(&mapping_of(&file, false), &file)
    }

    #[test]
    fn an_address_is_kept_once_however_many_cells_name_it() {
        let mut cells = ManagerCells::default();
        assert!(cells.is_empty());
        let none = cells.add(&[]);
        assert!(cells.is_empty());
        let first = cells.add(&["b@x.io", "c@x.io", "B@X.io"]);
        let second = cells.add(&["c@x.io", "d@x.io"]);
        assert_eq!(cells.of(none), [0; 0]);
        assert_eq!(cells.of(first), [0, 1, 0]);
        assert_eq!(cells.of(second), [1, 2]);
        assert_eq!(
            cells.addresses,
            ["b@x.io", "c@x.io", "d@x.io"].map(by_email)
        );
        assert_eq!(cells.number(by_email("D@x.io")), Some(2));
        assert_eq!(cells.number(by_email("a@x.io")), None);
        assert!(!cells.is_empty());
    }

    #[test]
    fn of_an_accepted_row_the_plan_knows_who_it_is_and_what_it_says() {
        let scan = scan(
            "Id,Email,Name,Status,Role,Group / 1,A@x.io,Ann,0,learner,7|9|x / \
             2,b@x.io,Bo,1,Administrator, / 3,c@x.io,C,,,",
        );
        let [first, second, third] = &scan.rows[..] else {
            panic!("{} rows", scan.rows.len())
        };
        assert_eq!(first.row, 2);
        assert_eq!(first.identity, IdentityHash::of_external("1"));
        assert_eq!(first.email, by_email("a@x.io"));
        assert_eq!(first.warnings, 2);
        let statuses = [first, second, third].map(|row| row.status);
        assert_eq!(
            statuses,
            [Some(Status::Inactive), Some(Status::Active), None]
        );
        let administrators = [first, second, third].map(|row| row.administrator);
        assert_eq!(administrators, [Some(false), Some(true), None]);
    }

    #[test]
    fn rows_say_the_same_however_they_spell_addresses_and_order_managers() {
        let says = |row: &str| scan(&format!("Id,Email,Name,Group,Manager / {row}")).rows[0].says;
        let base = says("1,a@x.io,Ann,7|x,b@x.io|c@x.io");
        for same in [
            "1,A@x.io,Ann,7|x,b@x.io|c@x.io",
            "1,a@x.io,Ann, x|7,C@x.io | b@x.io",
        ] {
            assert_eq!(says(same), base, "{same}");
        }
        for other in [
            "1,b@x.io,Ann,7|x,b@x.io|c@x.io",
            "1,a@x.io,Anna,7|x,b@x.io|c@x.io",
            "1,a@x.io,Ann,7,b@x.io|c@x.io",
            "1,a@x.io,Ann,7|x,b@x.io",
            "1,a@x.io,Ann,7|x,",
        ] {
            assert_ne!(says(other), base, "{other}");
        }
    }

    #[test]
    fn people_are_looked_for_by_name_only_where_a_row_has_nothing_else_or_too_few_cells() {
        for (rows, not_accepted, malformed, needs_names) in [
            ("a@x.io,Ann,1", 0, false, false),
            ("a@x.io,Ann,2", 1, false, false),
            ("a@x.io,Ann,1 / nobody,Bo,1", 1, false, true),
            ("nobody,,1", 1, false, false),
            ("a@x.io,Ann", 1, true, true),
            ("a@x.io,Ann,1,more", 1, true, true),
        ] {
            let scan = scan(&format!("Email,Name,Status / {rows}"));
            assert_eq!(scan.not_accepted, not_accepted, "{rows}");
            assert_eq!(scan.malformed, malformed, "{rows}");
            assert_eq!(scan.needs_names(), needs_names, "{rows}");
        }
    }
}
