//! The plan of what was held and is approved (`docs/rules.md`, "Holds"): by the same rules, without the fuses,
//! and of all that a file says only what was held, for people who were not changed since.

use super::comparing::{Comparing, NotPlanned};
use super::join::Joined;
use super::naming::Naming;
use super::safety::{Circumstances, Safety};
use super::{Action, Instead, Notice, NoticeKind, Plan, PlannedOther, PlannedRow};
use crate::identity::UserId;
use crate::mapping::Mapping;
use crate::roster::{Place, Roster};
use crate::scan::Scan;
use crate::user::{Decision, User, WithoutRow, decide_approved, decide_without_row};
use std::collections::{HashMap, HashSet};

/// What a plan held.
#[derive(Clone, Copy)]
pub struct Approval<'p> {
    first: &'p Plan,
}

impl<'p> Approval<'p> {
    /// Of the plan of the upload's first run.
    pub fn of(first: &'p Plan) -> Self {
        Approval { first }
    }

    fn created_rows(&self) -> impl Iterator<Item = u32> {
        self.first
            .rows
            .iter()
            .filter(|planned| matches!(planned.action, Action::HoldCreate { .. }))
            .map(|planned| planned.row)
    }

    /// Whether anybody is to be created, so that the file is needed.
    pub fn creates(&self) -> bool {
        self.created_rows().next().is_some()
    }

    /// Whose disable was held.
    pub fn disables(&self) -> Vec<UserId> {
        let rows = self.first.held_rows.iter().map(|held| held.user_id);
        rows.chain(self.held_others().map(|(other, _)| other.user_id))
            .collect()
    }

    fn held_others(&self) -> impl Iterator<Item = (&'p PlannedOther, u64)> {
        self.first
            .others
            .iter()
            .filter_map(|other| match other.instead {
                Some(Instead::Held { version }) => Some((other, version)),
                _ => None,
            })
    }

    /// The file, scanned again if [`Approval::creates`], and the people as they are now. Goes on as any plan does,
    /// and ends in [`Approval::finish`].
    pub fn name(
        &self,
        scan: Scan,
        mapping: &'p Mapping,
        roster: &'p Roster,
        circumstances: &Circumstances,
    ) -> Naming<'p> {
        let held: HashSet<u32> = self.created_rows().collect();
        let mut joined = Joined::new(scan, mapping, roster).only(&held);
        joined.refuse_taken_addresses();
        Naming::new(joined, Safety::default(), circumstances.portal)
    }

    /// The plan. `users` are those of [`Approval::disables`] as they are now, with their versions.
    ///
    /// # Errors
    ///
    /// Somebody new was never named.
    pub fn finish(
        &self,
        comparing: Comparing<'p>,
        users: &HashMap<UserId, (&User, u64)>,
        circumstances: &Circumstances,
    ) -> Result<Plan, NotPlanned> {
        let protected = self.protected(comparing.joined(), users, circumstances);
        let mut plan = comparing.finish()?;
        for held in &self.first.held_rows {
            let Some((user, version)) = users.get(&held.user_id) else {
                continue;
            };
            if protected.contains(&held.user_id) {
                let kind = NoticeKind::Protected;
                plan.notices.push(Notice {
                    row: held.row,
                    kind,
                });
                continue;
            }
            let changed = *version != held.version || decide_approved(user) == Decision::Unchanged;
            let action = if changed {
                Action::LeftAlone
            } else {
                let (user_id, version) = (held.user_id, held.version);
                Action::Disable { user_id, version }
            };
            plan.rows.push(PlannedRow::of(held.row, action));
        }
        for (other, held) in self.held_others() {
            let Some((user, version)) = users.get(&other.user_id) else {
                continue;
            };
            let what = WithoutRow {
                disable: true,
                becomes_manager: false,
            };
            let change = match decide_without_row(what, user, "") {
                Decision::Update(_, change) if *version == held => Some(change),
                _ => None,
            };
            let is_protected = protected.contains(&other.user_id);
            plan.others.push(PlannedOther {
                user_id: other.user_id,
                identity: other.identity.clone(),
                what,
                change: change.filter(|_| !is_protected),
                instead: Some(match change {
                    _ if is_protected => Instead::Protected,
                    Some(_) => Instead::Approved { version: held },
                    None => Instead::LeftAlone,
                }),
            });
        }
        plan.rows.sort_unstable_by_key(|planned| planned.row);
        plan.notices.sort_unstable();
        // Its rows are counted against those of the first run; see `Applied::counts_with`.
        plan.count(plan.rows.len() as u64, 0, 0);
        Ok(plan)
    }

    /// Who stays active all the same: worked out anew, for administrators may have come and gone.
    fn protected(
        &self,
        joined: &Joined<'_>,
        users: &HashMap<UserId, (&User, u64)>,
        circumstances: &Circumstances,
    ) -> HashSet<UserId> {
        let roster = joined.roster;
        let rows = self.first.held_rows.iter();
        let held = rows.map(|held| (held.user_id, held.version));
        let held = held.chain(
            self.held_others()
                .map(|(other, version)| (other.user_id, version)),
        );
        let unchanged = held.filter(|(id, held)| users.get(id).is_some_and(|(_, is)| is == held));
        let mut disabled: HashSet<Place> =
            unchanged.filter_map(|(id, _)| roster.holder(id)).collect();
        let authoriser = circumstances.authoriser(roster);
        let mut protected = HashSet::new();
        let authoriser_stays = authoriser.filter(|place| disabled.remove(place));
        let last = joined
            .last_administrator(&disabled, authoriser)
            .filter(|place| disabled.remove(place));
        for place in authoriser_stays.into_iter().chain(last) {
            protected.insert(roster.at(place).user_id);
        }
        protected
    }
}
