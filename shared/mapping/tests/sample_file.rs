//! The sample of 500 people, through everything that is pure: what is planned for each row is what
//! `events/people.expected.json` says, however the file is cut into chunks.
#![allow(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

use mapping::fields::FieldCatalogue;
use mapping::file::{FileReader, Header, Row};
use mapping::mapping::Mapping;
use mapping::plan::{Action, Applied, Circumstances, Exceptions, Joined, Limits, Plan};
use mapping::record::UserRecord;
use mapping::report::Reporter;
use mapping::roster::Roster;
use mapping::scan::Scanner;
use serde_json::Value;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/../../events/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

fn sample_json(name: &str) -> Value {
    serde_json::from_slice(&sample(name)).unwrap()
}

fn mapping() -> Mapping {
    let draft = serde_json::from_value(sample_json("people.mapping.json")).unwrap();
    let portal = sample_json("people.portal.json");
    let custom = portal["custom_fields"].as_array().unwrap().iter();
    let custom = custom
        .map(|field| field["name"].as_str().unwrap().parse().unwrap())
        .collect();
    Mapping::check(
        &draft,
        &FieldCatalogue {
            custom,
            ..FieldCatalogue::default()
        },
    )
    .unwrap()
}

fn plan(mapping: &Mapping, file: &[u8], chunk: usize) -> Plan {
    let mut scanner = Scanner::new(mapping);
    file.chunks(chunk)
        .for_each(|part| scanner.push(part).unwrap());
    let roster = Roster::default();
    let circumstances = Circumstances {
        portal: "1001".parse().unwrap(),
        authorised_by: None,
        limits: Limits::default(),
        baseline_rows: None,
    };
    let joined = Joined::new(scanner.finish().unwrap(), mapping, &roster);
    assert_eq!(joined.movers().count(), 0, "nobody is there to move");
    let mut naming = joined.name(&circumstances);
    let mut reader = FileReader::new(mapping);
    let mut each = |header: &Header, row: Row<'_>| {
        if let Ok(record) = UserRecord::read(header, &row) {
            let user_id = naming.user_id(&record.identity());
            naming.name(u32::try_from(row.number).unwrap(), user_id);
        }
    };
    file.chunks(chunk)
        .for_each(|part| reader.push(part, &mut each).unwrap());
    reader.finish(&mut each).unwrap();
    let comparing = naming.compare();
    assert!(!comparing.has_differences() && comparing.others().is_empty());
    comparing.finish().unwrap()
}

fn report(mapping: &Mapping, plan: &Plan, file: &[u8], chunk: usize) -> (Vec<u8>, Vec<u8>) {
    let exceptions = Exceptions::new();
    let applied = Applied {
        plan,
        exceptions: &exceptions,
    };
    let mut reporter = Reporter::new(mapping, applied, None);
    let (mut report, mut rejected) = (Vec::new(), Vec::new());
    for part in file.chunks(chunk) {
        reporter.push(part).unwrap();
        report.append(&mut reporter.take_report());
        rejected.append(&mut reporter.take_rejected());
    }
    reporter.finish().unwrap();
    while reporter.write_others() {}
    report.append(&mut reporter.take_report());
    rejected.append(&mut reporter.take_rejected());
    (report, rejected)
}

#[test]
fn every_row_is_planned_and_reported_as_expected() {
    let (mapping, file, expected) = (
        mapping(),
        sample("people.csv"),
        sample_json("people.expected.json"),
    );
    let planned = plan(&mapping, &file, 64 * 1024);
    let counts = planned.counts(&Exceptions::new());
    assert_eq!(counts.rows.total, expected["rows"].as_u64().unwrap());
    assert_eq!(counts.rows.created, expected["created"].as_u64().unwrap());

    for duplicate in expected["duplicates"].as_array().unwrap() {
        let number = |name: &str| u32::try_from(duplicate[name].as_u64().unwrap()).unwrap();
        assert_eq!(
            planned.action(number("row")),
            Some(Action::Duplicate {
                first_row: number("first_row")
            })
        );
    }
    let (lines, _) = report(&mapping, &planned, &file, 64 * 1024);
    let mut lines = csv::Reader::from_reader(&lines[..]);
    let refused: Vec<(u64, String)> = lines
        .records()
        .map(Result::unwrap)
        .filter(|line| &line[2] == "not_processed")
        .map(|line| (line[0].parse().unwrap(), line[3].to_owned()))
        .collect();
    let places = expected["not_processed"].as_array().unwrap().iter();
    let mut places: Vec<(u64, String)> = places
        .map(|place| {
            (
                place["row"].as_u64().unwrap(),
                place["code"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    places.sort();
    assert_eq!(refused, places);
}

#[test]
fn chunks_of_any_size_make_the_same_plan_and_report() {
    let (mapping, file) = (mapping(), sample("people.csv"));
    let whole = plan(&mapping, &file, file.len());
    let documents = report(&mapping, &whole, &file, file.len());
    for chunk in [1, 2, 3, 7, 1_000] {
        let cut = plan(&mapping, &file, chunk);
        assert!(cut == whole, "planned in chunks of {chunk}");
        assert!(
            report(&mapping, &cut, &file, chunk) == documents,
            "reported in chunks of {chunk}"
        );
    }
}
