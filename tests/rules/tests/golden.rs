//! Golden cases: what a file does to a few people, one folder of `golden/` for each, beside the sentence of
//! the rules or of the customers' FAQ that says so. `cargo test -p rules --test golden -- --nocapture` lists them.
//!
//! A folder has `case.json`, `mapping.json`, `roster.json` (the people before) and `file.csv`; and what should
//! come out, twice. `by_hand.json` is written by a person, from the rules and before the case is run: every line of the
//! report, and of everybody who changes what changes. Nothing else writes it. The other files are
//! in full, so that a change of anything shows; `UPDATE_GOLDEN=1` writes them anew, and `git diff` is what one
//! reads then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

use mapping::fields::{FieldCatalogue, Status};
use mapping::group::{Group, Groups};
use mapping::identity::{EmailKey, Identity, PortalId, UserId};
use mapping::mapping::{Mapping, MappingDraft};
use mapping::plan::{Action, Counts, Instead, Limits, Plan, PlannedOther, PlannedRow};
use mapping::problem::{Problem, ProblemCode, Severity};
use mapping::report::rejection;
use mapping::role::{Role, Roles};
use mapping::user::{ChangedFields, Terms, User};
use rules::portal::{Portal, Refused, Stored, Upload};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

// ---------------------------------------------------------------- What a folder says

/// A sentence, word for word, and where it stands: `FAQ` or `rules`, a comma, and the heading.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    source: String,
    sentence: String,
}

/// `case.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    source: String,
    sentence: String,
    /// What the case shows besides.
    #[serde(default)]
    also: Vec<Said>,
    #[serde(default)]
    portal: PortalCase,
    /// The file is a rehearsal.
    #[serde(default)]
    rehearsal: bool,
    /// Why the same file dropped again changes somebody once more. Without it, it must not.
    again: Option<String>,
    then: Option<Then>,
    /// As `again`, afterwards.
    again_then: Option<String>,
    /// People changed in the portal before that: by address, what is different.
    #[serde(default)]
    meanwhile: BTreeMap<String, Map<String, Value>>,
    /// The portal's settings from then on.
    portal_then: Option<PortalCase>,
}

/// What happens after the file.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Then {
    /// What is held is approved.
    Approve,
    /// What is held is rejected.
    Reject,
    /// `corrected.csv` is dropped: `rejected.csv`, filled in by the customer.
    Corrected,
    /// `next.csv` is dropped, or the same file where there is none; mapped by `next.mapping.json`, if there is one.
    Next,
}

impl Then {
    /// What the files are called that say how it comes out.
    fn suffix(self) -> &'static str {
        match self {
            Then::Approve => ".approved",
            Then::Reject => ".rejected",
            Then::Corrected => ".corrected",
            Then::Next => ".next",
        }
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PortalCase {
    external_ids: bool,
    custom_fields: Vec<String>,
    groups: Vec<Group>,
    authorised_by: Option<String>,
    limits: LimitsCase,
    baseline_rows: Option<u64>,
    /// Addresses that also belong to users of other portals.
    elsewhere: Vec<String>,
}

/// What is left out is as every portal has it.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsCase {
    disable_limit_percent: Option<u8>,
    disable_limit_floor: Option<u32>,
    hold_on_malformed_rows: Option<bool>,
}

impl From<LimitsCase> for Limits {
    fn from(case: LimitsCase) -> Self {
        let usual = Limits::default();
        Limits {
            disable_limit_percent: case
                .disable_limit_percent
                .unwrap_or(usual.disable_limit_percent),
            disable_limit_floor: case
                .disable_limit_floor
                .unwrap_or(usual.disable_limit_floor),
            hold_on_malformed_rows: case
                .hold_on_malformed_rows
                .unwrap_or(usual.hold_on_malformed_rows),
        }
    }
}

/// `by_hand.json`, and the same again for what happens then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByHand {
    /// Row (`-`: none), identity, outcome and code of every line.
    #[serde(default)]
    report: Vec<String>,
    /// By the address afterwards, what is different from before; `was` names an address that changed. Everybody
    /// else is as before. A version goes up by one, unless it is said otherwise.
    #[serde(default)]
    people: BTreeMap<String, Map<String, Value>>,
    /// Code, row and byte of every reason for refusing the file, or the mapping.
    #[serde(default)]
    refused: Vec<String>,
    then: Option<Box<ByHand>>,
}

/// Somebody, in `roster.json` and `people.json`: what is left out is empty, but see `Default`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shown {
    first_name: String,
    last_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    status: Status,
    roles: Roles,
    #[serde(skip_serializing_if = "is_empty")]
    feed_roles: Roles,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    groups: BTreeSet<u64>,
    /// Assigned because of groups.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    learning: BTreeSet<u64>,
    /// Their addresses.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    managers: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    custom: BTreeMap<String, String>,
    feed_managed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    manager_granted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_by_upload: Option<String>,
    /// There is a fingerprint: the same row would be taken for unchanged. Not of people in a roster.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    remembered: bool,
    /// Of what the id was made: kind, value and n. Of the address, unless a roster says otherwise.
    id: String,
    version: u64,
}

impl Default for Shown {
    fn default() -> Self {
        Shown {
            first_name: String::new(),
            last_name: String::new(),
            external_id: None,
            status: Status::Active,
            roles: Roles::NONE.with(Role::Learner),
            feed_roles: Roles::NONE,
            groups: BTreeSet::new(),
            learning: BTreeSet::new(),
            managers: BTreeSet::new(),
            custom: BTreeMap::new(),
            feed_managed: true,
            manager_granted: false,
            disabled_by_upload: None,
            remembered: false,
            id: String::new(),
            version: 1,
        }
    }
}

fn is_empty(roles: &Roles) -> bool {
    roles.is_empty()
}

type People = BTreeMap<String, Shown>;

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn portal_id() -> PortalId {
    "1001".parse().unwrap()
}

// ---------------------------------------------------------------- One case

/// A case and what came out of it.
struct Golden {
    name: String,
    dir: PathBuf,
    case: Case,
    mapping: Result<Mapping, Vec<Problem>>,
    portal: Portal,
    /// Ids, and of what they were made.
    ids: BTreeMap<UserId, String>,
    by_hand: ByHand,
    /// The files that say how it came out.
    files: BTreeMap<String, Vec<u8>>,
}

impl Golden {
    fn run(dir: PathBuf) -> Self {
        let case: Case = read(&dir.join("case.json"));
        let mut golden = Golden {
            name: dir.file_name().unwrap().to_string_lossy().into_owned(),
            mapping: check(&dir.join("mapping.json"), &case.portal),
            portal: Portal::new(portal_id()),
            ids: BTreeMap::new(),
            by_hand: read(&dir.join("by_hand.json")),
            files: BTreeMap::new(),
            dir,
            case,
        };
        golden.furnish(golden.case.portal.clone());
        golden.portal.baseline_rows = golden.case.portal.baseline_rows;
        if golden.dir.join("roster.json").exists() {
            golden.settle(read(&golden.dir.join("roster.json")));
        }
        golden.first();
        if let Some(then) = golden.case.then {
            golden.then(then);
        }
        golden
    }

    fn furnish(&mut self, settings: PortalCase) {
        self.portal.authorised_by = settings.authorised_by;
        self.portal.elsewhere = settings
            .elsewhere
            .iter()
            .map(|it| EmailKey::of(it))
            .collect();
        self.portal.limits = settings.limits.into();
    }

    /// The people before the file.
    fn settle(&mut self, roster: People) {
        let mut ids = BTreeMap::new();
        for (address, shown) in &roster {
            let made_of = match shown.id.as_str() {
                "" => format!("email {address} 0"),
                id => id.to_owned(),
            };
            let id = id_made_of(&made_of);
            ids.insert(address.clone(), id);
            assert!(
                self.ids.insert(id, made_of).is_none(),
                "{}: two of one id",
                self.name
            );
        }
        for (address, shown) in roster {
            let id = ids[&address];
            let managers = shown.managers.iter().map(|manager| ids[manager]);
            self.portal
                .assignments
                .extend(shown.learning.iter().map(|learning| (id, *learning)));
            let user = User {
                email: address,
                first_name: shown.first_name,
                last_name: shown.last_name,
                external_id: shown.external_id,
                status: shown.status,
                roles: shown.roles,
                feed_roles: shown.feed_roles,
                group_ids: shown.groups,
                manager_ids: managers.collect(),
                custom: shown
                    .custom
                    .into_iter()
                    .map(|(name, value)| (name.parse().unwrap(), value))
                    .collect(),
                feed_managed: shown.feed_managed,
                manager_granted: shown.manager_granted,
                disabled_by_upload: shown.disabled_by_upload,
                fingerprint: None,
            };
            let version = shown.version;
            self.portal.users.insert(id, Stored { user, version });
        }
    }

    fn first(&mut self) {
        let mapping = match &self.mapping {
            Ok(mapping) => mapping.clone(),
            Err(problems) => {
                let problems = problems.clone();
                self.refused("", &problems);
                return;
            }
        };
        let file = fs::read(self.dir.join("file.csv")).unwrap();
        self.drop_file("", "upload-1", &mapping, &file);
    }

    fn then(&mut self, then: Then) {
        if let Some(settings) = self.case.portal_then.clone() {
            self.furnish(settings);
        }
        for (address, changes) in self.case.meanwhile.clone() {
            self.change(&address, &changes);
        }
        let suffix = then.suffix();
        let file = |name: &str| fs::read(self.dir.join(name));
        match then {
            Then::Approve => self.approve(suffix),
            Then::Reject => {
                assert!(
                    self.portal.hold.take().is_some(),
                    "{}: nothing is held",
                    self.name
                );
                let before = self.people();
                self.show_people(suffix, &before);
            }
            Then::Corrected => {
                let (corrected, rejected) =
                    (file("corrected.csv").unwrap(), &self.files["rejected.csv"]);
                let columns =
                    |file: &[u8]| file.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec);
                assert_eq!(
                    columns(&corrected),
                    columns(rejected),
                    "{}: columns",
                    self.name
                );
                let mapping = self.mapping.clone().unwrap();
                self.drop_file(suffix, "upload-2", &mapping, &corrected);
            }
            Then::Next => {
                let next = file("next.csv").or_else(|_| file("file.csv")).unwrap();
                let mapping = self.dir.join("next.mapping.json");
                let settings = self.case.portal_then.as_ref().unwrap_or(&self.case.portal);
                let mapping = match mapping.exists() {
                    true => check(&mapping, settings),
                    false => check(&self.dir.join("mapping.json"), settings),
                };
                self.drop_file(suffix, "upload-2", &mapping.unwrap(), &next);
            }
        }
    }

    /// A change made in the portal, as `manage-users` makes it.
    fn change(&mut self, address: &str, changes: &Map<String, Value>) {
        let people = self.people();
        let shown = changed(&people[address], changes);
        let user_id = self.id_of(address);
        self.portal.change(user_id, |user| {
            user.first_name = shown.first_name;
            user.last_name = shown.last_name;
            user.status = shown.status;
            user.roles = shown.roles;
            user.feed_roles = user
                .feed_roles
                .iter()
                .filter(|role| shown.roles.contains(*role))
                .collect();
            user.group_ids = shown.groups;
        });
    }

    fn id_of(&self, address: &str) -> UserId {
        let has = |it: &(&UserId, &Stored)| it.1.user.email == address;
        *self
            .portal
            .users
            .iter()
            .find(has)
            .unwrap_or_else(|| panic!("nobody is {address}"))
            .0
    }

    fn drop_file(&mut self, suffix: &str, upload_id: &str, mapping: &Mapping, file: &[u8]) {
        let before = self.people();
        let mut aside = self.portal.clone();
        let rehearsed = aside.drop_file(mapping, "rehearsal", file, true);
        assert!(
            people(&aside, &self.ids) == before,
            "{}: a rehearsal changes people",
            self.name
        );
        let rehearsal = suffix.is_empty() && self.case.rehearsal;
        match self.portal.drop_file(mapping, upload_id, file, rehearsal) {
            Ok(upload) => {
                let rehearsed =
                    rehearsed.unwrap_or_else(|_| panic!("{}: the rehearsal is refused", self.name));
                assert_eq!(
                    text(&rehearsed.report),
                    text(&upload.report),
                    "{}: rehearsal",
                    self.name
                );
                self.name_new_ids();
                self.accounts_for_every_row(&upload, Some(file));
                self.show_upload(suffix, mapping, &upload);
                self.compare_by_hand(suffix, &before, &upload.report);
            }
            Err(Refused::File(problems)) => {
                self.refused(suffix, &problems);
                assert!(
                    self.people() == before,
                    "{}: a refused file changes people",
                    self.name
                );
            }
            Err(Refused::Plan(error)) => panic!("{}: {error}", self.name),
        }
        self.again(suffix, mapping, file, rehearsal);
    }

    fn approve(&mut self, suffix: &str) {
        let before = self.people();
        let upload = match self.portal.approve() {
            Ok(Some(upload)) => upload,
            Ok(None) => panic!("{}: nothing is held", self.name),
            Err(_) => panic!("{}: the approval is refused", self.name),
        };
        self.name_new_ids();
        self.accounts_for_every_row(&upload, None);
        let mapping = self.mapping.clone().unwrap();
        self.show_upload(suffix, &mapping, &upload);
        self.compare_by_hand(suffix, &before, &upload.report);
        let file = fs::read(self.dir.join("file.csv")).unwrap();
        self.again(suffix, &mapping, &file, false);
    }

    /// The same file dropped again changes nobody further.
    fn again(&self, suffix: &str, mapping: &Mapping, file: &[u8], rehearsal: bool) {
        let before = people(&self.portal, &self.ids);
        let mut aside = self.portal.clone();
        let refused = aside.drop_file(mapping, "again", file, rehearsal).is_err();
        let same = forgotten(people(&aside, &self.ids)) == forgotten(before);
        let again = match suffix {
            "" => &self.case.again,
            _ => &self.case.again_then,
        };
        match again {
            Some(reason) => {
                assert!(
                    !same,
                    "{}: it is said to change people again: {reason}",
                    self.name
                );
            }
            None => assert!(same, "{}: the same file changes people again", self.name),
        }
        assert_eq!(
            refused,
            self.files.contains_key(&format!("refused{suffix}.json")),
            "{}",
            self.name
        );
    }

    /// Of each row there is one line that says what it came to, or it is unchanged; and so it is counted.
    fn accounts_for_every_row(&self, upload: &Upload, file: Option<&[u8]>) {
        let name = &self.name;
        let Counts {
            rows,
            others,
            warnings,
            held_disables,
            held_creates,
        } = upload.counts;
        // In the order of the rules, so that of two lines after an approval the first that fits counts.
        let outcomes = ["not_processed", "created", "enabled", "disabled", "updated"];
        let (mut with_row, mut without_row) = (BTreeMap::new(), BTreeMap::new());
        let (mut warned, mut held) = (0, 0);
        for line in lines(&upload.report) {
            match outcomes.iter().position(|outcome| *outcome == &line[2]) {
                None if &line[2] == "warning" => warned += 1,
                None if &line[2] == "held" => held += 1,
                None => panic!("{name}: no such outcome: {line:?}"),
                Some(outcome) => {
                    let whose = if line[0].is_empty() {
                        &mut without_row
                    } else {
                        &mut with_row
                    };
                    let key = if line[0].is_empty() {
                        &line[1]
                    } else {
                        &line[0]
                    };
                    let counted = whose.entry(key.to_owned()).or_insert(outcome);
                    assert!(
                        file.is_none() || *counted == outcome,
                        "{name}: {line:?} is a second line"
                    );
                    *counted = outcome.min(*counted);
                }
            }
        }
        let count = |of: &BTreeMap<String, usize>, outcome: &str| {
            of.values().filter(|it| outcomes[**it] == outcome).count() as u64
        };
        let counted = [
            rows.not_processed,
            rows.created,
            rows.enabled,
            rows.disabled,
            rows.updated,
        ];
        assert_eq!(
            outcomes.map(|outcome| count(&with_row, outcome)),
            counted,
            "{name}: rows"
        );
        assert_eq!(
            rows.total,
            counted.iter().sum::<u64>() + rows.unchanged,
            "{name}: a partition"
        );
        let of_others = ["disabled", "updated"].map(|outcome| count(&without_row, outcome));
        assert_eq!(
            of_others,
            [others.disabled, others.updated],
            "{name}: others"
        );
        assert_eq!(warned, warnings, "{name}: warnings");
        if let Some(file) = file {
            let blank = |row: &csv::ByteRecord| row.iter().all(|cell| cell.trim_ascii().is_empty());
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
            let total = reader
                .byte_records()
                .filter(|row| !blank(row.as_ref().unwrap()))
                .count();
            assert_eq!(total as u64, rows.total, "{name}: the file's rows");
            assert_eq!(held, held_disables + held_creates, "{name}: held");
            let rejected = csv::ReaderBuilder::new()
                .flexible(true)
                .from_reader(&upload.rejected[..]);
            assert_eq!(
                rejected.into_records().count() as u64,
                rows.not_processed,
                "{name}: rejected.csv"
            );
        }
    }

    // ------------------------------------------------------------ By hand

    fn compare_by_hand(&self, suffix: &str, before: &People, report: &[u8]) {
        let by_hand = self.expected(suffix);
        let cell = |cell: &str| {
            if cell.is_empty() {
                "-".to_owned()
            } else {
                cell.to_owned()
            }
        };
        let came: Vec<String> = lines(report)
            .iter()
            .map(|line| {
                [
                    cell(&line[0]),
                    cell(&line[1]),
                    line[2].to_owned(),
                    line[3].to_owned(),
                ]
                .join(" ")
            })
            .map(|line| line.trim_end().to_owned())
            .collect();
        assert_eq!(
            came, by_hand.report,
            "{}{suffix}: the report, by hand",
            self.name
        );
        let mut expected: BTreeMap<String, Value> = BTreeMap::new();
        let mut others = before.clone();
        for (address, changes) in &by_hand.people {
            let mut changes = changes.clone();
            let was = changes.remove("was");
            let was = was.as_ref().and_then(Value::as_str).unwrap_or(address);
            others.remove(was);
            let mut shown = match before.get(was) {
                Some(shown) => {
                    changes.entry("version").or_insert(json!(shown.version + 1));
                    json!(shown)
                }
                None => json!(Shown {
                    id: format!("email {address} 0"),
                    ..Shown::default()
                }),
            };
            shown.as_object_mut().unwrap().extend(changes);
            expected.insert(address.clone(), shown);
        }
        let others = others.into_iter().map(|(address, it)| (address, json!(it)));
        expected.extend(others);
        let mut after = self.people();
        let says = |it: &BTreeMap<String, Map<String, Value>>, address: &str| {
            it.get(address)
                .is_some_and(|it| it.contains_key("remembered"))
        };
        for (address, shown) in &mut after {
            if !says(&by_hand.people, address) {
                shown.remembered = false;
            }
        }
        let expected: People = expected
            .into_iter()
            .map(|(address, shown)| {
                let mut shown: Shown = serde_json::from_value(shown).unwrap();
                shown.remembered &= says(&by_hand.people, &address);
                (address, shown)
            })
            .collect();
        let [after, expected] = [after, expected].map(|people| text(&shown(&people)).to_owned());
        assert!(
            after == expected,
            "{}{suffix}: the people are\n{after}by hand:\n{expected}",
            self.name
        );
    }

    fn expected(&self, suffix: &str) -> &ByHand {
        match (suffix, &self.by_hand.then) {
            ("", _) => &self.by_hand,
            (_, Some(then)) => then,
            (_, None) => panic!("{}: by_hand.json does not say what happens then", self.name),
        }
    }

    fn refused(&mut self, suffix: &str, problems: &[Problem]) {
        let place = |problem: &Problem| {
            let row = problem
                .row
                .map(|row| format!(" row {row}"))
                .unwrap_or_default();
            let byte = problem
                .byte
                .map(|byte| format!(" byte {byte}"))
                .unwrap_or_default();
            format!("{}{row}{byte}", problem.code.as_str())
        };
        let came: Vec<String> = problems.iter().map(place).collect();
        assert_eq!(
            came,
            self.expected(suffix).refused,
            "{}: refused, by hand",
            self.name
        );
        self.show(&format!("refused{suffix}.json"), pretty(&json!(problems)));
        if self.mapping.is_ok() {
            self.show(&format!("report{suffix}.csv"), rejection(problems));
        }
    }

    // ------------------------------------------------------------ What came out

    fn show(&mut self, name: &str, contents: Vec<u8>) {
        self.files.insert(name.to_owned(), contents);
    }

    fn show_people(&mut self, suffix: &str, before: &People) {
        let people = self.people();
        if suffix == Then::Reject.suffix() {
            assert!(people == *before, "{}: rejecting changes people", self.name);
        }
        self.show(&format!("people{suffix}.json"), shown(&people));
    }

    fn show_upload(&mut self, suffix: &str, mapping: &Mapping, upload: &Upload) {
        let plan = self.readable(mapping, upload);
        self.show(&format!("plan{suffix}.json"), pretty(&plan));
        self.show(&format!("report{suffix}.csv"), upload.report.clone());
        if !upload.rejected.is_empty() {
            self.show(&format!("rejected{suffix}.csv"), upload.rejected.clone());
        }
        let people = self.people();
        self.show_people(suffix, &people);
    }

    fn people(&self) -> People {
        people(&self.portal, &self.ids)
    }

    /// Who was created has the first free id of the own identity.
    fn name_new_ids(&mut self) {
        for (id, Stored { user, .. }) in &self.portal.users {
            let kinds = [
                ("email", Some(&user.email)),
                ("external", user.external_id.as_ref()),
            ];
            let made_of = kinds
                .into_iter()
                .filter_map(|(kind, value)| Some((kind, value?.trim())));
            let mut made_of = made_of
                .flat_map(|(kind, value)| (0..5).map(move |n| format!("{kind} {value} {n}")));
            self.ids
                .entry(*id)
                .or_insert_with(|| made_of.find(|it| id_made_of(it) == *id).unwrap());
        }
    }

    /// The plan in words.
    fn readable(&self, mapping: &Mapping, upload: &Upload) -> Value {
        let Upload { plan, counts, .. } = upload;
        let address = |id: &UserId| {
            let user = self.portal.users.get(id).map(|it| it.user.email.clone());
            user.unwrap_or_else(|| {
                self.ids
                    .get(id)
                    .cloned()
                    .unwrap_or_else(|| "somebody new".to_owned())
            })
        };
        let rows: Vec<String> = plan
            .rows
            .iter()
            .map(|row| row_in_words(plan, mapping, row, &address))
            .collect();
        let others: Vec<String> = plan.others.iter().map(other_in_words).collect();
        let held: Vec<u32> = plan.held_rows.iter().map(|held| held.row).collect();
        json!({
            "rows": rows,
            "others": others,
            "held_rows": held,
            "hold": plan.hold.map(|reason| reason.code().as_str()),
            "waits_for_a_decision": self.portal.hold.is_some(),
            "baseline_rows": self.portal.baseline_rows,
            "counts": {
                "rows": counts.rows,
                "others": counts.others,
                "warnings": counts.warnings,
                "held_disables": counts.held_disables,
                "held_creates": counts.held_creates,
            },
        })
    }
}

fn check(path: &Path, settings: &PortalCase) -> Result<Mapping, Vec<Problem>> {
    let draft: MappingDraft = read(path);
    let catalogue = FieldCatalogue {
        custom: settings
            .custom_fields
            .iter()
            .map(|name| name.parse().unwrap())
            .collect(),
        groups: Groups::new(settings.groups.clone()),
        external_id: settings.external_ids,
    };
    Mapping::check(&draft, &catalogue)
}

fn id_made_of(text: &str) -> UserId {
    let (kind, rest) = text.split_once(' ').unwrap();
    let (value, n) = rest.rsplit_once(' ').unwrap();
    let identity = match kind {
        "email" => Identity::Email(value),
        "external" => Identity::External(value),
        _ => panic!("no kind of identity: {kind}"),
    };
    UserId::of(portal_id(), &identity, n.parse().unwrap())
}

fn changed(shown: &Shown, changes: &Map<String, Value>) -> Shown {
    let mut value = json!(shown);
    value.as_object_mut().unwrap().extend(changes.clone());
    serde_json::from_value(value).unwrap()
}

fn people(portal: &Portal, ids: &BTreeMap<UserId, String>) -> People {
    let users = portal.users.iter();
    let people: Vec<(String, Shown)> = users
        .map(|(id, Stored { user, version })| {
            let managers = user
                .manager_ids
                .iter()
                .map(|it| portal.users[it].user.email.clone());
            let learning = portal.assignments.iter().filter(|(whose, _)| whose == id);
            let shown = Shown {
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
                external_id: user.external_id.clone(),
                status: user.status,
                roles: user.roles,
                feed_roles: user.feed_roles,
                groups: user.group_ids.clone(),
                learning: learning.map(|(_, learning)| *learning).collect(),
                managers: managers.collect(),
                custom: user
                    .custom
                    .iter()
                    .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
                    .collect(),
                feed_managed: user.feed_managed,
                manager_granted: user.manager_granted,
                disabled_by_upload: user.disabled_by_upload.clone(),
                remembered: user.fingerprint.is_some(),
                id: ids.get(id).cloned().unwrap_or_default(),
                version: *version,
            };
            (user.email.clone(), shown)
        })
        .collect();
    let count = people.len();
    let people: People = people.into_iter().collect();
    assert_eq!(people.len(), count, "two people have one address");
    people
}

/// Without what is no change.
fn forgotten(mut people: People) -> People {
    people.values_mut().for_each(|it| it.remembered = false);
    people
}

fn row_in_words(
    plan: &Plan,
    mapping: &Mapping,
    planned: &PlannedRow,
    address: &dyn Fn(&UserId) -> String,
) -> String {
    let by = |terms: Terms| {
        [
            (terms.keep_address, "the address stays"),
            (terms.keep_active, "stays active"),
            (terms.keep_administrator, "stays Administrator"),
            (terms.becomes_manager, "named as manager for the first time"),
        ]
        .into_iter()
        .filter(|(so, _)| *so)
        .map(|(_, what)| what.to_owned())
        .collect::<Vec<_>>()
    };
    let (what, mut more) = match planned.action {
        Action::Create { user_id, terms } => (format!("create {}", address(&user_id)), by(terms)),
        Action::HoldCreate { user_id } => (
            format!("hold the create of {}", address(&user_id)),
            Vec::new(),
        ),
        Action::Update {
            user_id,
            terms,
            change,
        } => {
            let fields = fields(mapping, change.fields);
            let outcome = format!("{:?}", change.outcome).to_lowercase();
            let outcome = if outcome == "statuskept" {
                "update"
            } else {
                &outcome
            };
            let mut more = by(terms);
            if change.made_manager {
                more.push("is given the role Manager".to_owned());
            }
            (
                format!("{outcome} {}: {fields}", address(&user_id))
                    .trim_end_matches(": ")
                    .to_owned(),
                more,
            )
        }
        Action::Refresh { user_id, terms } => (
            format!("remember the row of {}", address(&user_id)),
            by(terms),
        ),
        Action::Disable { user_id, .. } => (
            format!("disabled {}, approved", address(&user_id)),
            Vec::new(),
        ),
        Action::LeftAlone => ("leave alone: changed meanwhile".to_owned(), Vec::new()),
        Action::Duplicate { first_row } => (format!("the same as row {first_row}"), Vec::new()),
        Action::Conflict { first_row } => (
            format!("refuse: row {first_row} says something else"),
            Vec::new(),
        ),
        Action::EmailTaken => ("refuse: the address is taken".to_owned(), Vec::new()),
    };
    let managers: Vec<String> = plan.managers(planned).iter().map(address).collect();
    if !managers.is_empty() {
        more.push(format!("managers {}", managers.join(", ")));
    }
    let row = planned.row;
    if more.is_empty() {
        format!("{row}: {what}")
    } else {
        format!("{row}: {what} ({})", more.join("; "))
    }
}

fn fields(mapping: &Mapping, changed: ChangedFields) -> String {
    let fields = mapping.fields().iter().enumerate();
    let changed = fields.filter(|(index, _)| changed.contains(*index));
    changed
        .map(|(_, mapped)| mapped.field.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn other_in_words(other: &PlannedOther) -> String {
    let mut what = Vec::new();
    match other.instead {
        None if other.what.disable => what.push("disabled: missing"),
        None => {}
        Some(Instead::Held { .. }) => what.push("missing: held"),
        Some(Instead::Approved { .. }) => what.push("disabled: missing, approved"),
        Some(Instead::Protected) => what.push("protected"),
        Some(Instead::LeftAlone) => what.push("changed meanwhile, left alone"),
    }
    if other.what.becomes_manager {
        let made = other.change.is_some_and(|change| change.made_manager);
        what.push(if made {
            "is given the role Manager"
        } else {
            "named as manager for the first time"
        });
    }
    format!("{}: {}", other.identity, what.join("; "))
}

fn lines(report: &[u8]) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_reader(report);
    reader.records().map(Result::unwrap).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// A line for each person, so that a difference is the difference of a person.
fn shown(people: &People) -> Vec<u8> {
    let line = |(address, shown): (&String, &Shown)| {
        format!(
            "  {}: {}",
            json!(address),
            serde_json::to_string(shown).unwrap()
        )
    };
    let lines: Vec<String> = people.iter().map(line).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n")).into_bytes()
}

// ---------------------------------------------------------------- All cases

/// All cases.
struct All {
    golden: Vec<Golden>,
    /// Those that do not come out as they are written down by hand, and why.
    failed: Vec<String>,
}

fn all() -> &'static All {
    static ALL: OnceLock<All> = OnceLock::new();
    ALL.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        let found = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
        let mut dirs: Vec<PathBuf> = found.filter(|path| path.is_dir()).collect();
        dirs.sort();
        let (mut golden, mut failed) = (Vec::new(), Vec::new());
        for dir in dirs {
            let name = dir.display().to_string();
            match std::panic::catch_unwind(|| Golden::run(dir)) {
                Ok(case) => golden.push(case),
                Err(panic) => {
                    let said = panic.downcast_ref::<String>().map_or("", String::as_str);
                    failed.push(format!("{name}: {said}"));
                }
            }
        }
        All { golden, failed }
    })
}

/// What a person writes; everything else in a folder is what came out.
const WRITTEN: [&str; 8] = [
    "case.json",
    "by_hand.json",
    "mapping.json",
    "roster.json",
    "file.csv",
    "corrected.csv",
    "next.csv",
    "next.mapping.json",
];

#[test]
fn every_case_comes_out_as_it_is_written_down() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for golden in &all().golden {
        println!(
            "{}: {}: “{}”",
            golden.name, golden.case.source, golden.case.sentence
        );
        for said in &golden.case.also {
            println!("{}: {}: “{}”", golden.name, said.source, said.sentence);
        }
        for (name, contents) in &golden.files {
            let path = golden.dir.join(name);
            if update {
                fs::write(path, contents).unwrap();
            } else if fs::read(&path).ok().as_ref() != Some(contents) {
                let came = String::from_utf8_lossy(contents);
                wrong.push(format!("{}/{name} is now\n{came}", golden.name));
            }
        }
        for file in fs::read_dir(&golden.dir).unwrap() {
            let name = file.unwrap().file_name().to_string_lossy().into_owned();
            if WRITTEN.contains(&name.as_str()) || golden.files.contains_key(&name) {
                continue;
            }
            if update {
                fs::remove_file(golden.dir.join(name)).unwrap();
            } else {
                wrong.push(format!("{}/{name} does not come out any more", golden.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let failed = &all().failed;
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// No row of a file is refused for these: `import.rs` has them.
const OF_THE_IMPORT: [ProblemCode; 5] = [
    ProblemCode::EmployeeTerminated,
    ProblemCode::EmployeeStatusUnknown,
    ProblemCode::DuplicateEmployee,
    ProblemCode::NoPlaceLeft,
    ProblemCode::EmployeeNotFound,
];

#[test]
fn every_code_of_a_row_a_warning_or_a_hold_comes_up() {
    let reports = all().golden.iter().flat_map(|golden| &golden.files);
    let reports = reports.filter(|(name, _)| name.starts_with("report"));
    let met: BTreeSet<String> = reports
        .flat_map(|(_, report)| lines(report))
        .map(|line| line[3].to_owned())
        .collect();
    let wanted = ProblemCode::ALL.iter().filter(|code| {
        matches!(
            code.severity(),
            Severity::Row | Severity::Warning | Severity::Hold
        ) && !OF_THE_IMPORT.contains(code)
    });
    let missing: Vec<&str> = wanted
        .map(|code| code.as_str())
        .filter(|code| !met.contains(*code))
        .collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}

// ---------------------------------------------------------------- The sentences

/// Headings of `docs/rules.md` of which no case can speak: nothing here has events or queues, and people of Xero
/// are in no file.
const NOT_HERE: [&str; 3] = ["Order", "Files that do not come", "The Xero import"];

/// A page's text below each heading, without the marks of its form.
fn page(name: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let mut sections = BTreeMap::<String, String>::new();
    let mut heading = String::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        match line
            .trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))
        {
            Some(title) => title.clone_into(&mut heading),
            None => {
                let section = sections.entry(heading.clone()).or_default();
                section.push_str(&plain(line));
                section.push(' ');
            }
        }
    }
    sections
}

/// Without emphasis, code marks, links and escapes.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find(')').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out.replace(['[', ']', '`', '\\'], "").replace("**", "")
}

#[test]
fn every_sentence_stands_where_the_case_says() {
    let pages = [("rules", page("rules.md")), ("FAQ", page("faq.md"))];
    let mut covered = BTreeSet::new();
    let mut wrong = Vec::new();
    for golden in &all().golden {
        let Case {
            source,
            sentence,
            also,
            ..
        } = &golden.case;
        let first = Said {
            source: source.clone(),
            sentence: sentence.clone(),
        };
        for Said { source, sentence } in also.iter().chain([&first]) {
            let (page, heading) = source.split_once(", ").unwrap_or((source, ""));
            let sections = &pages
                .iter()
                .find(|(name, _)| *name == page)
                .expect("FAQ or rules")
                .1;
            let section = sections.get(heading).map_or("", String::as_str);
            if !section.contains(&plain(sentence)) {
                wrong.push(format!("{}: {source}: “{sentence}”", golden.name));
            }
            covered.insert(source.clone());
        }
    }
    assert!(
        wrong.is_empty(),
        "not (any more) there:\n{}",
        wrong.join("\n")
    );
    let headings = pages[0]
        .1
        .iter()
        .filter(|(_, text)| !text.trim().is_empty());
    for (heading, _) in headings.filter(|(heading, _)| **heading != "The feed's rules") {
        let here = covered.contains(&format!("rules, {heading}"));
        assert!(
            here || NOT_HERE.contains(&heading.as_str()),
            "no case is about {heading}"
        );
    }
}
