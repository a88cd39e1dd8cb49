//! A file as HR systems export it: 16 columns, some 200 bytes a row, 46 of 100 rows with a cell in quotation marks.
//! Made from the row's number alone, so every run has the same file, whatever its length.

use fastrand::Rng;
use mapping::fields::{CustomFieldName, FieldCatalogue};
use mapping::mapping::{FieldDraft, Mapping, MappingDraft};
use mapping::problem::Problem;
use std::fmt::Write;

/// The file's columns.
const COLUMNS: [&str; 16] = [
    "Employee ID",
    "Work Email",
    "First Name",
    "Last Name",
    "Job Title",
    "Department",
    "Location",
    "Manager Email",
    "Hire Date",
    "Employment Type",
    "Cost Centre",
    "Business Unit",
    "Country",
    "Work Phone",
    "FTE",
    "Notes",
];

/// What feeds what; fields of Go1's, then the portal's own.
const MAPPED: [(&str, &str); 9] = [
    ("email", "Work Email"),
    ("first_name", "First Name"),
    ("last_name", "Last Name"),
    ("manager", "Manager Email"),
    ("employee_id", "Employee ID"),
    ("job_title", "Job Title"),
    ("department", "Department"),
    ("location", "Location"),
    ("hire_date", "Hire Date"),
];

/// The portal's custom fields, all of them mapped.
const CUSTOM: [&str; 5] = [
    "employee_id",
    "job_title",
    "department",
    "location",
    "hire_date",
];

const FIRST: [&str; 16] = [
    "Ann",
    "Bartholomew",
    "Charlotte",
    "Dmitri",
    "Eleni",
    "Fatima",
    "Gustavo",
    "Hui Min",
    "Imogen",
    "Jos\u{e9}",
    "Katarzyna",
    "Liam",
    "Mei",
    "Nikhil",
    "Olumide",
    "Siobh\u{e1}n",
];
const LAST: [&str; 16] = [
    "Abernathy",
    "Bergstr\u{f6}m",
    "Cho",
    "Delacroix",
    "Evans",
    "Fitzgerald",
    "Garc\u{ed}a",
    "Hashimoto",
    "Iyer",
    "Johansson",
    "Kowalski",
    "Lee",
    "Montgomery",
    "Nguyen",
    "O'Brien",
    "Papadopoulos",
];
const TITLES: [&str; 6] = [
    "Senior Software Engineer",
    "Account Manager",
    "Registered Nurse",
    "Warehouse Associate",
    "Payroll Officer",
    "Customer Support Specialist",
];
const DEPARTMENTS: [&str; 6] = [
    "Engineering",
    "Sales",
    "Clinical Services",
    "Logistics",
    "Finance",
    "Customer Success",
];
const LOCATIONS: [&str; 5] = [
    "Brisbane",
    "Kuala Lumpur",
    "Ho Chi Minh City",
    "London",
    "Austin TX",
];
const NOTES: [&str; 4] = ["", "On parental leave", "Returns 2026", "Union member"];

/// Rows that have a cell in quotation marks, of 100.
const QUOTED_PERCENT: u64 = 46;

/// Everybody has a manager but the first; a manager has so many people.
const SPAN: u64 = 12;

/// The header, with its line end.
pub fn header() -> String {
    COLUMNS.join(",") + "\r\n"
}

/// Appends the row of a person, with its line end. `changed`: with another job title than before.
pub fn push_row(file: &mut String, person: u64, changed: bool) {
    let mut chance = Rng::with_seed(person.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut one_of = |list: &[&'static str]| list[chance.usize(..list.len())];
    let (first, last) = (one_of(&FIRST), one_of(&LAST));
    let (title, department, location) = (one_of(&TITLES), one_of(&DEPARTMENTS), one_of(&LOCATIONS));
    let note = one_of(&NOTES);
    let [year, month, day] = [chance.u32(1995..2026), chance.u32(1..13), chance.u32(1..29)];
    let title = if changed { "Promoted" } else { title };
    // Among people who are new together and among those whose neighbours in the file are, all the same.
    let unit = match person * 37 % 100 < QUOTED_PERCENT {
        true => "\"APAC, Region 4\"",
        false => "EMEA Central",
    };
    // A string takes whatever is written to it.
    let _ = write!(
        file,
        "E{person:07},{},{first},{last},{title},{department},{location},{},{year}-{month:02}-{day:02},\
         Full time,CC-{:04},{unit},Australia,5550 {:04},1.0,{note}\r\n",
        address(person),
        manager_of(person).map(address).unwrap_or_default(),
        person % 700,
        person % 10_000,
    );
}

fn manager_of(person: u64) -> Option<u64> {
    (person > 0).then(|| (person - 1) / SPAN)
}

fn address(person: u64) -> String {
    format!("p{person:07}@staff.example.com")
}

/// The mapping that the file is read with, as it is saved.
pub fn draft() -> MappingDraft {
    let fields = MAPPED.map(|(field, column)| FieldDraft {
        field: field.to_owned(),
        column: column.to_owned(),
        on_empty: None,
    });
    MappingDraft {
        columns: COLUMNS.map(str::to_owned).to_vec(),
        fields: fields.to_vec(),
        identity: "email".to_owned(),
        auto_disable: true,
    }
}

/// The mapping, checked.
///
/// # Errors
///
/// It is not one that a portal can have.
pub fn mapping() -> Result<Mapping, Vec<Problem>> {
    let custom: Vec<CustomFieldName> = CUSTOM.iter().filter_map(|name| name.parse().ok()).collect();
    let catalogue = FieldCatalogue {
        custom,
        ..FieldCatalogue::default()
    };
    Mapping::check(&draft(), &catalogue)
}
