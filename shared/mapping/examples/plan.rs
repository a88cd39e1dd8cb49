//! The plan of a local file, readable, without any cloud:
//!
//! ```text
//! cargo run -p mapping --example plan -- mapping.json users.csv [roster.json]
//! ```
//!
//! `mapping.json` is a mapping as the API takes it. `roster.json` is the portal's people as they are now;
//! without it the portal is empty. Only the first four are required of a person:
//!
//! ```json
//! [{"email": "ann@x.example", "first_name": "Ann", "last_name": "Lee", "status": "active",
//!   "external_id": "E1", "roles": ["Learner", "Manager"], "feed_roles": ["Manager"], "group_ids": [7],
//!   "managers": ["bo@x.example"], "custom": {"job_title": "Cook"}, "feed_managed": true,
//!   "manager_granted": false, "disabled_by_upload": null}]
//! ```
//!
//! Groups are an operator's to set up, and there is no portal here, so a file's groups are reported as unknown.
//! Nor are there other portals, a last file, or somebody who authorised the feed; the limits are those that a
//! portal has by default. Nothing is written anywhere; this is a rehearsal on your own machine.
#![allow(clippy::print_stdout, reason = "a command for a terminal")]

use mapping::fields::{CustomFieldName, Status};
use mapping::file::{FileReader, Header, Row};
use mapping::identity::{EmailKey, Identity, NamesHash, PortalId, UserId};
use mapping::mapping::{IdentifyBy, Mapping, MappingDraft};
use mapping::plan::{Applied, Circumstances, Exceptions, Joined, Limits, NotPlanned, Plan};
use mapping::problem::Problem;
use mapping::record::UserRecord;
use mapping::report::{Reporter, rejection};
use mapping::role::{Role, Roles};
use mapping::roster::{Roster, RosterEntry};
use mapping::scan::Scanner;
use mapping::user::User;
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
    external_id: Option<String>,
    #[serde(default = "learner")]
    roles: Roles,
    #[serde(default)]
    feed_roles: Roles,
    #[serde(default)]
    group_ids: BTreeSet<u64>,
    /// Addresses.
    #[serde(default)]
    managers: Vec<String>,
    #[serde(default)]
    custom: BTreeMap<CustomFieldName, String>,
    #[serde(default = "yes")]
    feed_managed: bool,
    #[serde(default)]
    manager_granted: bool,
    disabled_by_upload: Option<String>,
}

fn learner() -> Roles {
    Roles::NONE.with(Role::Learner)
}

fn yes() -> bool {
    true
}

/// Why there is no plan.
enum Refused {
    File(Vec<Problem>),
    Plan(NotPlanned),
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Refused::File(problems)
    }
}

impl From<NotPlanned> for Refused {
    fn from(error: NotPlanned) -> Self {
        Refused::Plan(error)
    }
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
    let portal: PortalId = "1".parse()?;
    let users = users(portal, &mapping, people)?;
    let file = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    match plan(portal, &mapping, &file, &users) {
        Ok(plan) => show(&mapping, &file, &plan),
        Err(Refused::File(problems)) => return Ok(refuse("The file is refused", &problems)),
        Err(Refused::Plan(error)) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn read_json<T: DeserializeOwned>(path: &str) -> Result<T, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
}

/// The people as a portal has them, by the ids that this mapping would have given them.
fn users(
    portal: PortalId,
    mapping: &Mapping,
    people: Vec<RosterUser>,
) -> Result<HashMap<UserId, User>, String> {
    let id = |person: &RosterUser| {
        let external = person.external_id.as_deref();
        let by_external = mapping.identify_by() == IdentifyBy::ExternalId;
        let identity = match external.filter(|_| by_external) {
            Some(id) => Identity::External(id),
            None => Identity::Email(&person.email),
        };
        UserId::of(portal, &identity, 0)
    };
    let by_address: HashMap<EmailKey, UserId> = people
        .iter()
        .map(|person| (EmailKey::of(&person.email), id(person)))
        .collect();
    let mut users = HashMap::new();
    for person in people {
        let user_id = id(&person);
        let manager = |address: &String| {
            let found = by_address.get(&EmailKey::of(address)).copied();
            found.ok_or_else(|| format!("nobody in the roster has the manager's address {address}"))
        };
        let manager_ids = person
            .managers
            .iter()
            .map(manager)
            .collect::<Result<_, _>>()?;
        let user = User {
            email: person.email,
            first_name: person.first_name,
            last_name: person.last_name,
            external_id: person.external_id,
            status: person.status,
            roles: person.roles,
            feed_roles: person.feed_roles,
            group_ids: person.group_ids,
            manager_ids,
            custom: person.custom,
            feed_managed: person.feed_managed,
            manager_granted: person.manager_granted,
            disabled_by_upload: person.disabled_by_upload,
            fingerprint: None,
        };
        if let Some(other) = users.insert(user_id, user) {
            return Err(format!("{} is in the roster twice", other.email));
        }
    }
    Ok(users)
}

/// The same steps as in `process-upload`, with the file and the people in memory.
fn plan(
    portal: PortalId,
    mapping: &Mapping,
    file: &[u8],
    users: &HashMap<UserId, User>,
) -> Result<Plan, Refused> {
    let entries = users
        .iter()
        .map(|(id, user)| RosterEntry::new(user.brief(*id), mapping.identify_by()));
    let names = users
        .iter()
        .map(|(id, user)| (NamesHash::of(&user.first_name, &user.last_name), *id));
    let roster = Roster::new(entries.collect()).with_names(names.collect());
    let circumstances = Circumstances {
        portal,
        authorised_by: None,
        limits: Limits::default(),
        baseline_rows: None,
    };

    let mut scanner = Scanner::new(mapping);
    scanner.push(file)?;
    let joined = Joined::new(scanner.finish()?, mapping, &roster);
    // There are no other portals, so whoever wants to move may.
    let mut naming = joined.name(&circumstances);
    if naming.has_new_people() {
        read(mapping, file, |row, record| {
            naming.name(row, naming.user_id(&record.identity()));
        })?;
    }
    // A user who was never stored has no version yet.
    let found = |id: &UserId| users.get(id).map(|user| (user, 0));
    let (mut comparing, mut failed) = (naming.compare(), None);
    if comparing.has_differences() {
        read(mapping, file, |row, record| {
            if let Some(id) = comparing.differs(row) {
                let person = comparing.person(row, record, id);
                failed = failed.or(comparing.settle(row, &person, id, found(&id)).err());
            }
        })?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    for id in comparing.others() {
        comparing.settle_other(id, found(&id));
    }
    Ok(comparing.finish()?)
}

/// Every accepted row of the file.
fn read(
    mapping: &Mapping,
    file: &[u8],
    mut each: impl FnMut(u32, &UserRecord<'_>),
) -> Result<(), Vec<Problem>> {
    let mut reader = FileReader::new(mapping);
    let mut each = |header: &Header, row: Row<'_>| {
        if let Ok(record) = UserRecord::read(header, &row) {
            each(u32::try_from(row.number).unwrap_or(u32::MAX), &record);
        }
    };
    reader.push(file, &mut each)?;
    reader.finish(&mut each)
}

fn show(mapping: &Mapping, file: &[u8], plan: &Plan) {
    let exceptions = Exceptions::new();
    let applied = Applied {
        plan,
        exceptions: &exceptions,
    };
    let mut reporter = Reporter::new(mapping, applied, None);
    // It was read before without a problem.
    let _ = reporter.push(file).and_then(|()| reporter.finish());
    while reporter.write_others() {}
    print_report(&reporter.take_report());
    let counts = applied.counts();
    let (rows, others) = (counts.rows, counts.others);
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
    println!(
        "people without a row: {} disabled, {} updated",
        others.disabled, others.updated
    );
    if let Some(reason) = plan.hold {
        println!(
            "held: {} disables, {} creates ({})",
            counts.held_disables,
            counts.held_creates,
            reason.code().as_str()
        );
    }
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
