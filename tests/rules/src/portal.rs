//! A portal in memory, fed by the real plan. The steps are those of `process-upload`, without a table, a bucket or
//! a clock: nothing is decided here.

use mapping::file::{FileReader, Header, Row};
use mapping::identity::NamesHash;
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{
    Action, Applied, Approval, Circumstances, Comparing, Counts, Exceptions, Instead, Joined,
    Limits, Naming, NotPlanned, Plan,
};
use mapping::problem::Problem;
use mapping::record::{Person, UserRecord};
use mapping::report::Reporter;
use mapping::roster::{Roster, RosterEntry};
use mapping::scan::{Scan, Scanner};
use mapping::user::{Decision, User, decide, decide_approved, decide_without_row};
use std::collections::{BTreeMap, BTreeSet};

/// A user with what the table keeps about the item itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// What the feed sees.
    pub user: User,
    /// Goes up with every change.
    pub version: u64,
}

/// A portal and its people.
#[derive(Clone)]
pub struct Portal {
    /// Which.
    pub id: PortalId,
    /// Its people.
    pub users: BTreeMap<UserId, Stored>,
    /// Learning that they were assigned.
    pub assignments: BTreeSet<(UserId, u64)>,
    /// Who authorised the feed.
    pub authorised_by: Option<String>,
    /// When disables are held.
    pub limits: Limits,
    /// How many rows the last file had that counts for comparison.
    pub baseline_rows: Option<u64>,
    /// Addresses that also belong to users of other portals.
    pub elsewhere: BTreeSet<EmailKey>,
    /// What waits for a decision.
    pub hold: Option<Hold>,
}

/// An upload that waits for a decision.
#[derive(Clone)]
pub struct Hold {
    upload_id: String,
    file: Vec<u8>,
    mapping: Mapping,
    plan: Plan,
}

/// How an upload came out.
pub struct Upload {
    /// What was planned.
    pub plan: Plan,
    /// What is shown of it.
    pub counts: Counts,
    /// `report.csv`.
    pub report: Vec<u8>,
    /// `rejected.csv`; empty if there is none.
    pub rejected: Vec<u8>,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum Refused {
    /// The file is refused.
    File(Vec<Problem>),
    /// Planning went wrong.
    Plan(NotPlanned),
}

impl From<Vec<Problem>> for Refused {
    fn from(problems: Vec<Problem>) -> Self {
        Refused::File(problems)
    }
}

impl From<NotPlanned> for Refused {
    fn from(failed: NotPlanned) -> Self {
        Refused::Plan(failed)
    }
}

impl Portal {
    /// A portal without anybody.
    pub fn new(id: PortalId) -> Self {
        Portal {
            id,
            users: BTreeMap::new(),
            assignments: BTreeSet::new(),
            authorised_by: None,
            limits: Limits::default(),
            baseline_rows: None,
            elsewhere: BTreeSet::new(),
            hold: None,
        }
    }

    /// A file comes in.
    ///
    /// # Errors
    ///
    /// The file is refused as a whole, or, which is a mistake of ours, it could not be planned.
    pub fn drop_file(
        &mut self,
        mapping: &Mapping,
        upload_id: &str,
        file: &[u8],
        rehearsal: bool,
    ) -> Result<Upload, Refused> {
        let plan = self.plan(mapping, file)?;
        if !rehearsal {
            self.apply(mapping, upload_id, file, &plan)?;
            if plan.has_people {
                self.hold = None;
                if plan.hold.is_none() {
                    self.baseline_rows = Some(plan.counts(&Exceptions::new()).rows.total);
                }
            }
            if plan.hold.is_some() {
                self.hold = Some(Hold {
                    upload_id: upload_id.to_owned(),
                    file: file.to_vec(),
                    mapping: mapping.clone(),
                    plan: plan.clone(),
                });
            }
        }
        let none = Exceptions::new();
        let applied = Applied {
            plan: &plan,
            exceptions: &none,
        };
        let (report, rejected) = report(mapping, file, applied, None)?;
        Ok(Upload {
            counts: applied.counts(),
            plan,
            report,
            rejected,
        })
    }

    /// What is held is approved. `None`: nothing is.
    ///
    /// # Errors
    ///
    /// Which is a mistake of ours, it could not be planned.
    pub fn approve(&mut self) -> Result<Option<Upload>, Refused> {
        let Some(hold) = self.hold.take() else {
            return Ok(None);
        };
        let approved = self.plan_approval(&hold)?;
        self.apply(&hold.mapping, &hold.upload_id, &hold.file, &approved)?;
        let none = Exceptions::new();
        let first = Applied {
            plan: &hold.plan,
            exceptions: &none,
        };
        let second = Applied {
            plan: &approved,
            exceptions: &none,
        };
        let (report, rejected) = report(&hold.mapping, &hold.file, first, Some(second))?;
        let counts = first.counts_with(&second);
        self.baseline_rows = Some(counts.rows.total);
        Ok(Some(Upload {
            counts,
            plan: approved,
            report,
            rejected,
        }))
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances {
            portal: self.id,
            authorised_by: self.authorised_by.clone(),
            limits: self.limits,
            baseline_rows: self.baseline_rows,
        }
    }

    fn roster(&self, mapping: &Mapping) -> Roster {
        let entries = self.users.iter().map(|(user_id, stored)| {
            RosterEntry::new(stored.user.brief(*user_id), mapping.identify_by())
        });
        let names = self.users.iter().map(|(user_id, Stored { user, .. })| {
            (NamesHash::of(&user.first_name, &user.last_name), *user_id)
        });
        Roster::new(entries.collect()).with_names(names.collect())
    }

    /// The plan of a file over the portal's people as they are.
    ///
    /// # Errors
    ///
    /// As [`Portal::drop_file`].
    pub fn plan(&self, mapping: &Mapping, file: &[u8]) -> Result<Plan, Refused> {
        let scan = scan(mapping, file)?;
        let roster = self.roster(mapping);
        let mut joined = Joined::new(scan, mapping, &roster);
        for user_id in joined.movers().collect::<Vec<_>>() {
            let user = &self.users[&user_id].user;
            if self.elsewhere.contains(&EmailKey::of(&user.email)) {
                joined.keep_address(user_id);
            }
        }
        let mut naming = joined.name(&self.circumstances());
        see_all(mapping, file, &mut naming)?;
        let comparing = self.compare(mapping, file, naming.compare())?;
        Ok(comparing.finish()?)
    }

    fn compare<'p>(
        &self,
        mapping: &Mapping,
        file: &[u8],
        mut comparing: Comparing<'p>,
    ) -> Result<Comparing<'p>, Refused> {
        let mut failed = None;
        read(mapping, file, |number, record| {
            let Some(user_id) = comparing.differs(number) else {
                return;
            };
            let person = comparing.person(number, record, user_id);
            let found = self.users.get(&user_id).map(|it| (&it.user, it.version));
            if let Err(error) = comparing.settle(number, &person, user_id, found) {
                failed = Some(error);
            }
        })?;
        for user_id in comparing.others() {
            let found = self.users.get(&user_id).map(|it| (&it.user, it.version));
            comparing.settle_other(user_id, found);
        }
        failed.map_or(Ok(comparing), |error| Err(error.into()))
    }

    fn plan_approval(&self, hold: &Hold) -> Result<Plan, Refused> {
        let none = Exceptions::new();
        let mut approval = Approval::of(Applied {
            plan: &hold.plan,
            exceptions: &none,
        });
        let scan = match approval.creates() {
            true => scan(&hold.mapping, &hold.file)?,
            false => Scan::default(),
        };
        let roster = self.roster(&hold.mapping);
        let circumstances = self.circumstances();
        let mut naming = approval.name(scan, &hold.mapping, &roster, &circumstances);
        see_all(&hold.mapping, &hold.file, &mut naming)?;
        for id in approval.disables() {
            if let Some(Stored { user, version }) = self.users.get(&id) {
                approval.settle(id, user, *version);
            }
        }
        Ok(approval.finish(naming.compare(), &circumstances)?)
    }

    fn apply(
        &mut self,
        mapping: &Mapping,
        upload_id: &str,
        file: &[u8],
        plan: &Plan,
    ) -> Result<(), Refused> {
        read(mapping, file, |number, record| {
            let Some((_, planned)) = plan.step(number) else {
                return;
            };
            let person = Person::new(record, plan.managers(planned));
            match planned.action {
                Action::Create { user_id, terms } => {
                    self.assign(mapping, user_id, &BTreeSet::new(), &person.groups);
                    let user = User::create(&person, terms);
                    let before = self.users.insert(user_id, Stored { user, version: 1 });
                    assert!(before.is_none(), "somebody has the id");
                }
                Action::Update { user_id, terms, .. } | Action::Refresh { user_id, terms } => {
                    let before = self.users[&user_id].user.group_ids.clone();
                    self.assign(mapping, user_id, &before, &person.groups);
                    let decision = decide(mapping, &person, terms, &self.users[&user_id].user);
                    self.store(user_id, decision);
                }
                Action::Disable { user_id, version } => {
                    assert_eq!(self.users[&user_id].version, version);
                    let decision = decide_approved(&self.users[&user_id].user);
                    self.store(user_id, decision);
                }
                Action::HoldCreate { .. }
                | Action::LeftAlone
                | Action::Duplicate { .. }
                | Action::Conflict { .. }
                | Action::EmailTaken => {}
            }
        })?;
        for other in &plan.others {
            if let Some(Instead::LeftAlone) = other.instead {
                continue;
            }
            let mut what = other.what;
            what.disable &= other.instead != Some(Instead::Protected);
            let user = &self.users[&other.user_id].user;
            let decision = decide_without_row(what, user, upload_id);
            self.store(other.user_id, decision);
        }
        Ok(())
    }

    fn store(&mut self, user_id: UserId, decision: Decision) {
        let Some(stored) = self.users.get_mut(&user_id) else {
            return;
        };
        match decision {
            Decision::Unchanged => {}
            Decision::Refresh(refresh) => {
                stored.user.fingerprint = refresh.fingerprint;
                stored.user.manager_granted |= refresh.manager_granted;
            }
            Decision::Update(after, _) => {
                stored.user = *after;
                stored.version += 1;
            }
        }
    }

    fn assign(
        &mut self,
        mapping: &Mapping,
        user_id: UserId,
        before: &BTreeSet<u64>,
        groups: &[u64],
    ) {
        for group in groups.iter().filter(|group| !before.contains(group)) {
            let learning = mapping.groups().find(*group);
            let learning = learning.into_iter().flat_map(|group| &group.learning_ids);
            self.assignments
                .extend(learning.map(|learning| (user_id, *learning)));
        }
    }

    /// A change made in the portal, as `manage-users` makes it.
    pub fn change(&mut self, user_id: UserId, change: impl FnOnce(&mut User)) {
        if let Some(stored) = self.users.get_mut(&user_id) {
            change(&mut stored.user);
            stored.user.fingerprint = None;
            stored.user.disabled_by_upload = None;
            stored.version += 1;
        }
    }
}

fn scan(mapping: &Mapping, file: &[u8]) -> Result<Scan, Vec<Problem>> {
    let mut scanner = Scanner::new(mapping);
    scanner.push(file)?;
    scanner.finish()
}

/// Every accepted row of a file.
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

fn see_all(mapping: &Mapping, file: &[u8], naming: &mut Naming<'_>) -> Result<(), Vec<Problem>> {
    if !naming.has_new_people() {
        return Ok(());
    }
    read(mapping, file, |number, record| {
        naming.name(number, naming.user_id(&record.identity()));
    })
}

fn report(
    mapping: &Mapping,
    file: &[u8],
    applied: Applied<'_>,
    approved: Option<Applied<'_>>,
) -> Result<(Vec<u8>, Vec<u8>), Vec<Problem>> {
    let mut reporter = Reporter::new(mapping, applied, approved);
    reporter.push(file)?;
    reporter.finish()?;
    while reporter.write_others() {}
    Ok((reporter.take_report(), reporter.take_rejected()))
}
