//! Portals of a few people and files of a few lines, from short text, for the tests of planning. Nothing is
//! decided here. `tests/rules` drives the same steps over whole histories.

use super::{
    Action, Applied, Approval, Circumstances, Exceptions, Instead, Joined, Limits, Naming,
    NoticeKind, Plan,
};
use crate::fields::{FieldCatalogue, Status};
use crate::file::{FileReader, Header, Row};
use crate::group::{Group, Groups};
use crate::identity::{Identity, IdentityHash, NamesHash, UserId};
use crate::mapping::tests::draft;
use crate::mapping::{Mapping, MappingDraft};
use crate::record::{Person, UserRecord};
use crate::role::{Role, Roles};
use crate::roster::{Roster, RosterEntry};
use crate::scan::{Scan, Scanner};
use crate::user::{Decision, User, decide, decide_approved, decide_without_row};
use std::collections::{BTreeMap, BTreeSet};

/// A file of these lines.
pub(crate) fn csv(lines: &str) -> String {
    lines.replace(" / ", "\n")
}

/// The mapping that the header of a file asks for. `Name` feeds both names, `Id` is what people are identified
/// by, `Job` is a custom field; the portal has the groups 7 and 8.
pub(crate) fn mapping_of(file: &str, auto_disable: bool) -> Mapping {
    let header = file.lines().next().unwrap();
    let pairs = header.split(',').flat_map(|column| match column {
        "Name" => vec!["first_name=Name".to_owned(), "last_name=Name".to_owned()],
        "Id" => vec!["external_id=Id".to_owned()],
        other => vec![format!("{}={other}", other.to_lowercase())],
    });
    let pairs: Vec<String> = pairs.collect();
    let draft = draft(&pairs.iter().map(String::as_str).collect::<Vec<_>>());
    let by_external_id = header.split(',').any(|column| column == "Id");
    let draft = MappingDraft {
        identity: if by_external_id {
            "external_id"
        } else {
            "email"
        }
        .to_owned(),
        auto_disable,
        ..draft
    };
    let group = |id| Group {
        id,
        learning_ids: Vec::new(),
    };
    let catalogue = FieldCatalogue {
        custom: vec!["job".parse().unwrap()],
        groups: Groups::new(vec![group(7), group(8)]),
        external_id: true,
    };
    Mapping::check(&draft, &catalogue).unwrap()
}

/// Every row of a file.
pub(crate) fn each_row(mapping: &Mapping, file: &str, mut each: impl FnMut(&Header, &Row<'_>)) {
    let mut reader = FileReader::new(mapping);
    let mut each = |header: &Header, row: Row<'_>| each(header, &row);
    reader.push(file.as_bytes(), &mut each).unwrap();
    reader.finish(&mut each).unwrap();
}

/// Every accepted row of a file.
pub(crate) fn each_record(
    mapping: &Mapping,
    file: &str,
    mut each: impl FnMut(u32, &UserRecord<'_>),
) {
    each_row(mapping, file, |header, row| {
        if let Ok(record) = UserRecord::read(header, row) {
            each(u32::try_from(row.number).unwrap(), &record);
        }
    });
}

/// What the one row of a file says, with these managers.
pub(crate) fn person(lines: &str, managers: &[UserId]) -> Person {
    let (file, mut found) = (csv(lines), None);
    each_record(&mapping_of(&file, false), &file, |_, record| {
        found = Some(Person::new(record, managers));
    });
    found.unwrap()
}

pub(crate) fn scan(mapping: &Mapping, file: &str) -> Scan {
    let mut scanner = Scanner::new(mapping);
    scanner.push(file.as_bytes()).unwrap();
    scanner.finish().unwrap()
}

/// The id that somebody got who was created with this address.
pub(crate) fn id_by_email(email: &str) -> UserId {
    UserId::of("1001".parse().unwrap(), &Identity::Email(email), 0)
}

/// A user like `a@x.io id=1 administrator`: an active learner by the name of Ann, whom the feed manages, but for
/// what is said otherwise.
pub(crate) fn user(text: &str) -> (UserId, User) {
    let mut words = text.split(' ');
    let email = words.next().unwrap();
    let mut user_id = id_by_email(email);
    let mut user = User {
        email: email.to_owned(),
        first_name: "Ann".to_owned(),
        last_name: "Ann".to_owned(),
        external_id: None,
        status: Status::Active,
        roles: Roles::NONE.with(Role::Learner),
        feed_roles: Roles::NONE,
        group_ids: BTreeSet::new(),
        manager_ids: BTreeSet::new(),
        custom: BTreeMap::new(),
        feed_managed: true,
        manager_granted: false,
        disabled_by_upload: None,
        fingerprint: None,
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("id", id) => {
                user.external_id = Some(id.to_owned());
                user_id = UserId::of("1001".parse().unwrap(), &Identity::External(id), 0);
            }
            ("was", email) => user_id = id_by_email(email),
            ("name", name) => {
                user.first_name = name.to_owned();
                user.last_name = name.to_owned();
            }
            ("unmanaged", _) => user.feed_managed = false,
            ("inactive", _) => user.status = Status::Inactive,
            // Made inactive because of an absence.
            ("missed", _) => {
                user.status = Status::Inactive;
                user.disabled_by_upload = Some("earlier".to_owned());
            }
            ("manager", _) => user.roles = user.roles.with(Role::Manager),
            ("granted", _) => user.manager_granted = true,
            ("administrator", _) => user.roles = user.roles.with(Role::Administrator),
            ("fed_administrator", _) => {
                user.roles = user.roles.with(Role::Administrator);
                user.feed_roles = user.feed_roles.with(Role::Administrator);
            }
            other => panic!("{other:?}"),
        }
    }
    (user_id, user)
}

/// A portal and its people, with their versions.
pub(crate) struct Portal {
    pub(crate) users: BTreeMap<UserId, (User, u64)>,
    pub(crate) auto_disable: bool,
    /// Addresses that also belong to users of other portals.
    pub(crate) elsewhere: Vec<&'static str>,
    pub(crate) circumstances: Circumstances,
}

impl Portal {
    /// Of people as [`user`] reads them.
    pub(crate) fn of(people: &[&str]) -> Self {
        let users = people.iter().map(|text| user(text));
        Portal {
            users: users.map(|(id, user)| (id, (user, 1))).collect(),
            auto_disable: false,
            elsewhere: Vec::new(),
            circumstances: Circumstances {
                portal: "1001".parse().unwrap(),
                authorised_by: None,
                limits: Limits::default(),
                baseline_rows: None,
            },
        }
    }

    /// The same, with a mapping that makes inactive who is missing.
    pub(crate) fn auto_disabling(people: &[&str]) -> Self {
        Portal {
            auto_disable: true,
            ..Portal::of(people)
        }
    }

    /// The same, with somebody who authorised the feed.
    pub(crate) fn authorised_by(mut self, email: &str) -> Self {
        self.circumstances.authorised_by = Some(email.to_owned());
        self
    }

    /// Who has this address.
    pub(crate) fn id(&self, email: &str) -> UserId {
        let mut users = self.users.iter();
        let found = users.find(|(_, (user, _))| user.email == email);
        *found.unwrap_or_else(|| panic!("nobody has {email}")).0
    }

    pub(crate) fn user(&self, email: &str) -> &User {
        &self.users[&self.id(email)].0
    }

    /// Somebody changes a user in the portal.
    pub(crate) fn change(&mut self, email: &str, change: impl FnOnce(&mut User)) {
        let id = self.id(email);
        let (user, version) = self.users.get_mut(&id).unwrap();
        change(user);
        user.fingerprint = None;
        *version += 1;
    }

    pub(crate) fn roster(&self, mapping: &Mapping) -> Roster {
        let entries = self
            .users
            .iter()
            .map(|(id, (user, _))| RosterEntry::new(user.brief(*id), mapping.identify_by()));
        let names = self
            .users
            .iter()
            .map(|(id, (user, _))| (NamesHash::of(&user.first_name, &user.last_name), *id));
        Roster::new(entries.collect()).with_names(names.collect())
    }

    pub(crate) fn mapping(&self, lines: &str) -> Mapping {
        mapping_of(&csv(lines), self.auto_disable)
    }

    /// What a file would do.
    pub(crate) fn plan(&self, lines: &str) -> Plan {
        self.plan_with(&self.mapping(lines), &csv(lines))
    }

    pub(crate) fn plan_with(&self, mapping: &Mapping, file: &str) -> Plan {
        let roster = self.roster(mapping);
        let mut joined = Joined::new(scan(mapping, file), mapping, &roster);
        for user_id in joined.movers().collect::<Vec<_>>() {
            if self.elsewhere.contains(&&*self.users[&user_id].0.email) {
                joined.keep_address(user_id);
            }
        }
        let naming = joined.name(&self.circumstances);
        let mut comparing = self.named(mapping, file, naming).compare();
        let found = |id: &UserId| self.users.get(id).map(|(user, version)| (user, *version));
        each_record(mapping, file, |row, record| {
            if let Some(id) = comparing.differs(row) {
                let person = comparing.person(row, record, id);
                comparing.settle(row, &person, id, found(&id)).unwrap();
            }
        });
        for id in comparing.others() {
            comparing.settle_other(id, found(&id));
        }
        comparing.finish().unwrap()
    }

    fn named<'p>(&self, mapping: &Mapping, file: &str, mut naming: Naming<'p>) -> Naming<'p> {
        if naming.has_new_people() {
            each_record(mapping, file, |row, record| {
                naming.name(row, naming.user_id(&record.identity()));
            });
        }
        naming
    }

    /// What of a held plan would happen now.
    pub(crate) fn approval(&self, lines: &str, first: &Plan) -> Plan {
        self.approval_after(lines, first, &Exceptions::new())
    }

    /// The same, where the held plan did not go as planned.
    pub(crate) fn approval_after(
        &self,
        lines: &str,
        first: &Plan,
        exceptions: &Exceptions,
    ) -> Plan {
        let (mapping, file) = (self.mapping(lines), csv(lines));
        let roster = self.roster(&mapping);
        let mut approval = Approval::of(Applied {
            plan: first,
            exceptions,
        });
        let scan = match approval.creates() {
            true => scan(&mapping, &file),
            false => Scan::default(),
        };
        let naming = approval.name(scan, &mapping, &roster, &self.circumstances);
        let naming = self.named(&mapping, &file, naming);
        for id in approval.disables() {
            let (user, version) = &self.users[&id];
            approval.settle(id, user, *version);
        }
        approval
            .finish(naming.compare(), &self.circumstances)
            .unwrap()
    }

    /// Does what a plan says.
    pub(crate) fn apply(&mut self, lines: &str, plan: &Plan) {
        let (mapping, file) = (self.mapping(lines), csv(lines));
        each_record(&mapping, &file, |row, record| {
            let Some((_, planned)) = plan.step(row) else {
                return;
            };
            let person = Person::new(record, plan.managers(planned));
            match planned.action {
                Action::Create { user_id, terms } => {
                    let user = User::create(&person, terms);
                    assert!(self.users.insert(user_id, (user, 1)).is_none());
                }
                Action::Update { user_id, terms, .. } | Action::Refresh { user_id, terms } => {
                    let decision = decide(&mapping, &person, terms, &self.users[&user_id].0);
                    self.store(user_id, decision);
                }
                Action::Disable { user_id, .. } => {
                    let decision = decide_approved(&self.users[&user_id].0);
                    self.store(user_id, decision);
                }
                Action::HoldCreate { .. }
                | Action::LeftAlone
                | Action::Duplicate { .. }
                | Action::Conflict { .. }
                | Action::EmailTaken => {}
            }
        });
        for other in plan.others.iter().filter(|other| other.change.is_some()) {
            let decision = decide_without_row(other.what, &self.users[&other.user_id].0, "upload");
            self.store(other.user_id, decision);
        }
    }

    fn store(&mut self, user_id: UserId, decision: Decision) {
        let (user, version) = self.users.get_mut(&user_id).unwrap();
        match decision {
            Decision::Unchanged => {}
            Decision::Refresh(refresh) => {
                user.fingerprint = refresh.fingerprint;
                user.manager_granted |= refresh.manager_granted;
            }
            Decision::Update(after, _) => {
                *user = *after;
                *version += 1;
            }
        }
    }

    /// Plans a file and does what the plan says.
    pub(crate) fn feed(&mut self, lines: &str) -> Plan {
        let plan = self.plan(lines);
        self.apply(lines, &plan);
        plan
    }
}

/// What a plan does, in words: rows in their order, then what is noticed about rows, then people without a row
/// by their address or external id, then the hold.
pub(crate) fn told(plan: &Plan) -> Vec<String> {
    let mut told = Vec::new();
    for planned in &plan.rows {
        let what = match planned.action {
            Action::Refresh { .. } => continue,
            Action::Create { .. } | Action::Update { .. } | Action::Disable { .. } => {
                planned.action.outcome().as_str().to_owned()
            }
            Action::HoldCreate { .. } => "not created".to_owned(),
            Action::LeftAlone => "left alone".to_owned(),
            Action::Duplicate { first_row } => format!("duplicate of {first_row}"),
            Action::Conflict { first_row } => format!("conflict with {first_row}"),
            Action::EmailTaken => "address taken".to_owned(),
        };
        told.push(format!("{} {what}", planned.row));
    }
    for notice in &plan.notices {
        let what = match notice.kind {
            NoticeKind::EmailShared => "address kept".to_owned(),
            NoticeKind::ManagerNotFound { part } => format!("manager {part} not found"),
            NoticeKind::ManagerSelf { part } => format!("manager {part} is self"),
            NoticeKind::ManagerLoop { circle } => {
                format!("circle {:?}", plan.circles[circle as usize])
            }
            NoticeKind::Protected => "protected".to_owned(),
            NoticeKind::Held => "held".to_owned(),
        };
        told.push(format!("{}: {what}", notice.row));
    }
    let mut others: Vec<String> = Vec::new();
    for other in &plan.others {
        let outcome = other.change.map(|_| other.outcome().as_str());
        let instead = other.instead.map(|instead| match instead {
            Instead::Held { .. } => "held",
            Instead::Approved { .. } => "approved",
            Instead::Protected => "protected",
            Instead::LeftAlone => "left alone",
        });
        let what = outcome.into_iter().chain(instead);
        others.extend(what.map(|what| format!("{} {what}", other.identity)));
    }
    // Ids are in no order that could be read.
    others.sort();
    told.extend(others);
    told.extend(plan.hold.map(|hold| hold.code().as_str().to_owned()));
    told
}

/// No exception.
pub(crate) fn as_planned() -> &'static Exceptions {
    const { &Exceptions::new() }
}

/// A hash by which people are joined, of an address.
pub(crate) fn by_email(email: &str) -> IdentityHash {
    IdentityHash::of_email(email)
}
