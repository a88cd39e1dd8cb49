//! The plan of a local file, readable, without any cloud:
//!
//! ```text
//! cargo run -p mapping --example plan -- mapping.json users.csv [roster.json]
//! ```
//!
//! `mapping.json` is a mapping as the API takes it. `roster.json` is the portal's people as they are now;
//! without it the portal is empty:
//!
//! ```json
//! [{"email": "ann@x.example", "first_name": "Ann", "last_name": "Lee", "status": "active", "custom": {"job_title": "Cook"}}]
//! ```
//!
//! Groups are an operator's to set up, and there is no portal here, so a file's groups are reported as unknown.
//! Nothing is written anywhere; this is a rehearsal on your own machine.
#![allow(clippy::print_stdout, reason = "a command for a terminal")]

use mapping::fields::{CustomFieldName, Status};
use mapping::file::{FileReader, Row};
use mapping::identity::{EmailKey, IdentityHash, PortalId, UserId};
use mapping::mapping::{Mapping, MappingDraft};
use mapping::plan::{Draft, Exceptions, Plan, Question};
use mapping::problem::Problem;
use mapping::record::{Person, UserRecord};
use mapping::report::{Reporter, rejection};
use mapping::roster::{Roster, RosterEntry};
use mapping::scan::Scanner;
use mapping::user::{User, decide};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::process::ExitCode;

/// A person of `roster.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterUser {
    email: String,
    first_name: String,
    last_name: String,
    status: Status,
    #[serde(default)]
    group_ids: BTreeSet<u64>,
    #[serde(default)]
    custom: BTreeMap<CustomFieldName, String>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mapping, file, roster) = match &arguments[..] {
        [mapping, file] => (mapping, file, None),
        [mapping, file, roster] => (mapping, file, Some(roster)),
        _ => return Err("usage: plan mapping.json users.csv [roster.json]".into()),
    };
    let draft: MappingDraft = read_json(mapping)?;
    // There is no portal here to say which custom fields it has: it has those that the mapping names.
    let mapping = match Mapping::check(&draft, &draft.own_catalogue()) {
        Ok(mapping) => mapping,
        Err(problems) => return Ok(refuse("The mapping is refused", &problems)),
    };
    let people: Vec<RosterUser> = match roster {
        Some(roster) => read_json(roster)?,
        None => Vec::new(),
    };
    let file = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    match plan(&mapping, &file, people) {
        Ok(plan) => show(&mapping, &file, &plan),
        Err(problems) => return Ok(refuse("The file is refused", &problems)),
    }
    Ok(ExitCode::SUCCESS)
}

fn read_json<T: DeserializeOwned>(path: &str) -> Result<T, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
}

/// The same steps as in `process-upload`, with the file and the people in memory.
fn plan(mapping: &Mapping, file: &[u8], people: Vec<RosterUser>) -> Result<Plan, Vec<Problem>> {
    let portal: PortalId = "1".parse().map_err(|_| Vec::new())?;
    let mut users = HashMap::new();
    let mut entries = Vec::new();
    for RosterUser {
        email,
        first_name,
        last_name,
        status,
        group_ids,
        custom,
    } in people
    {
        let user_id = UserId::by_email(portal, &EmailKey::of(&email), 0);
        let identity = IdentityHash::of_email(email.trim());
        entries.push(RosterEntry {
            identity,
            user_id,
            fingerprint: None,
            feed_managed: true,
        });
        users.insert(
            user_id,
            User {
                email,
                first_name,
                last_name,
                status,
                group_ids,
                custom,
                feed_managed: true,
                fingerprint: None,
            },
        );
    }
    let roster = Roster::new(entries);

    let mut scanner = Scanner::new(mapping);
    scanner.push(file)?;
    let mut draft = Draft::new(scanner.finish()?, mapping, &roster);
    let mut reader = FileReader::new(mapping);
    let mut answer = |header: &_, row: Row<'_>| {
        let number = u32::try_from(row.number).unwrap_or(u32::MAX);
        let (Some(question), Ok(record)) = (draft.question(number), UserRecord::read(header, &row))
        else {
            return;
        };
        match question {
            Question::New => draft.create(number, portal, &EmailKey::of(record.email), &roster),
            Question::Differs(user_id) => {
                if let Some(user) = users.get(&user_id) {
                    draft.settle(
                        number,
                        user_id,
                        &decide(mapping, &Person::from(record), user),
                    );
                }
            }
        }
    };
    reader.push(file, &mut answer)?;
    reader.finish(&mut answer)?;
    draft.finish().map_err(|_| Vec::new())
}

fn show(mapping: &Mapping, file: &[u8], plan: &Plan) {
    let exceptions = Exceptions::new();
    let mut reporter = Reporter::new(mapping, plan, &exceptions);
    // It was read twice without a problem.
    let _ = reporter.push(file).and_then(|()| reporter.finish());
    print_report(&reporter.take_report());
    let counts = plan.counts(&exceptions);
    let rows = counts.rows;
    println!(
        "\n{} rows: {} created, {} updated, {} unchanged, {} disabled, {} enabled, {} not processed; {} warnings",
        rows.total,
        rows.created,
        rows.updated,
        rows.unchanged,
        rows.disabled,
        rows.enabled,
        rows.not_processed,
        counts.warnings
    );
}

fn refuse(what: &str, problems: &[Problem]) -> ExitCode {
    println!("{what}:");
    print_report(&rejection(problems));
    ExitCode::FAILURE
}

fn print_report(report: &[u8]) {
    let mut lines = csv::Reader::from_reader(report);
    for line in lines.records().flatten() {
        let code = if line[3].is_empty() {
            String::new()
        } else {
            format!("[{}] ", &line[3])
        };
        println!(
            "{:>7}  {:<14} {:<40} {code}{}",
            &line[0], &line[2], &line[1], &line[6]
        );
    }
}
