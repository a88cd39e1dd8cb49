//! The plan of what was held and is approved (`docs/rules.md`, "Holds"): by the same rules, without the fuses,
//! and of all that a file says only what was held, for people who were not changed since.

use super::comparing::{Comparing, NotPlanned};
use super::join::Joined;
use super::naming::Naming;
use super::safety::{Circumstances, Safety};
use super::{
    Action, Applied, Exceptions, Instead, Notice, NoticeKind, Plan, PlannedOther, PlannedRow,
};
use crate::identity::UserId;
use crate::mapping::Mapping;
use crate::roster::{Place, Roster};
use crate::scan::Scan;
use crate::user::{Change, Decision, User, WithoutRow, decide_approved, decide_without_row};
use std::collections::{HashMap, HashSet};

/// What happens to somebody who is missing.
const MISSING: WithoutRow = WithoutRow {
    disable: true,
    becomes_manager: false,
};

/// What a plan held, and what is known of those people now.
pub struct Approval<'p> {
    first: &'p Plan,
    exceptions: &'p Exceptions,
    now: HashMap<UserId, Now>,
}

/// Somebody whose disable was held, as they are now.
#[derive(Clone, Copy)]
struct Now {
    version: u64,
    /// What status 0 would change.
    by_row: bool,
    /// What being missing would change.
    by_absence: Option<Change>,
}

impl<'p> Approval<'p> {
    /// Of the plan of the upload's first run, and how that went.
    pub fn of(first: Applied<'p>) -> Self {
        Approval {
            first: first.plan,
            exceptions: first.exceptions,
            now: HashMap::new(),
        }
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

    /// One of [`Approval::disables`] was looked at: as it is, and its version. Who is gone is not shown here.
    pub fn settle(&mut self, user_id: UserId, user: &User, version: u64) {
        let by_absence = match decide_without_row(MISSING, user, "") {
            Decision::Update(_, change) => Some(change),
            Decision::Refresh(_) | Decision::Unchanged => None,
        };
        let now = Now {
            version,
            by_row: decide_approved(user) != Decision::Unchanged,
            by_absence,
        };
        self.now.insert(user_id, now);
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

    /// The plan.
    ///
    /// # Errors
    ///
    /// Somebody new was never named.
    pub fn finish(
        &self,
        comparing: Comparing<'p>,
        circumstances: &Circumstances,
    ) -> Result<Plan, NotPlanned> {
        let protected = self.protected(comparing.joined(), circumstances);
        let mut plan = comparing.finish()?;
        for held in &self.first.held_rows {
            let Some(now) = self.now.get(&held.user_id) else {
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
            let step = self.first.step(held.row).map(|(step, _)| step);
            let action = if now.version != held.version || !now.by_row || self.went_otherwise(step)
            {
                Action::LeftAlone
            } else {
                let (user_id, version) = (held.user_id, held.version);
                Action::Disable { user_id, version }
            };
            plan.rows.push(PlannedRow::of(held.row, action));
        }
        for (other, held) in self.held_others() {
            let Some(now) = self.now.get(&other.user_id) else {
                continue;
            };
            let same = now.version == held && !self.went_otherwise(self.step_of(other.user_id));
            let change = now.by_absence.filter(|_| same);
            let is_protected = protected.contains(&other.user_id);
            plan.others.push(PlannedOther {
                user_id: other.user_id,
                identity: other.identity.clone(),
                what: MISSING,
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

    /// Whether the first run met somebody else's change at this step: the version that was foreseen is not that of the
    /// person as they were held then.
    fn went_otherwise(&self, step: Option<u64>) -> bool {
        step.is_some_and(|step| self.exceptions.contains_key(&step))
    }

    fn step_of(&self, other: UserId) -> Option<u64> {
        let others = &self.first.others;
        let at = others.binary_search_by_key(&other, |it| it.user_id).ok()?;
        Some((self.first.rows.len() + at) as u64)
    }

    /// Who stays active all the same: worked out anew, for administrators may have come and gone.
    fn protected(&self, joined: &Joined<'_>, circumstances: &Circumstances) -> HashSet<UserId> {
        let roster = joined.roster;
        let rows = self.first.held_rows.iter();
        let held = rows.map(|held| (held.user_id, held.version));
        let held = held.chain(
            self.held_others()
                .map(|(other, version)| (other.user_id, version)),
        );
        // One whose step went otherwise is left alone, and counted here as leaving: that protects rather too many.
        let unchanged =
            held.filter(|(id, held)| self.now.get(id).is_some_and(|it| it.version == *held));
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

#[cfg(test)]
mod tests {
    use crate::fields::Status;
    use crate::plan::testing::{Portal, as_planned, told};
    use crate::plan::{Applied, Outcome, Plan};
    use crate::role::Role;

    /// All of these people leave, by the file, which is held.
    fn held(people: &[&str], lines: &str) -> (Portal, Plan) {
        let mut portal = Portal {
            auto_disable: !lines.contains("Status"),
            ..Portal::of(people)
        };
        let plan = portal.feed(lines);
        assert!(plan.hold.is_some(), "{:?}", told(&plan));
        (portal, plan)
    }

    const BY_STATUS: &str = "Email,Name,Status / a@x.io,Ann,0 / b@x.io,Bo,0 / c@x.io,Ann,0";
    const MISSING: &str = "Email,Name / n@x.io,Ann";
    const PEOPLE: [&str; 3] = ["a@x.io", "b@x.io", "c@x.io"];

    #[test]
    fn what_was_held_happens_once_it_is_approved() {
        for (lines, expected) in [
            (BY_STATUS, ["2 disabled", "3 disabled", "4 disabled"]),
            (MISSING, PEOPLE),
        ] {
            let (mut portal, first) = held(&PEOPLE, lines);
            for email in PEOPLE {
                assert_eq!(portal.user(email).status, Status::Active);
            }
            let plan = portal.approval(lines, &first);
            let expected: Vec<String> = match lines {
                MISSING => expected
                    .iter()
                    .flat_map(|it| [format!("{it} approved"), format!("{it} disabled")])
                    .collect(),
                _ => expected.map(str::to_owned).into(),
            };
            assert_eq!(told(&plan), expected);
            portal.apply(lines, &plan);
            for email in PEOPLE {
                let user = portal.user(email);
                assert_eq!(user.status, Status::Inactive, "{email}");
                let of_absence = user.disabled_by_upload.is_some();
                assert_eq!(of_absence, lines == MISSING, "{email}");
            }
            // The same file once more has nothing to do.
            assert_eq!(told(&portal.plan(lines)), [""; 0]);
        }
    }

    /// Somebody gave Bo the new name before the row did: the version that was foreseen is the portal's.
    #[test]
    fn who_was_changed_while_the_held_plan_was_applied_is_left_alone() {
        let lines = "Email,Name,Status / a@x.io,Ann,0 / b@x.io,Bob,0 / c@x.io,Ann,0";
        let (portal, first) = held(&PEOPLE, lines);
        let (step, _) = first.step(3).unwrap();
        let exceptions = [(step, Outcome::Unchanged)].into();
        let plan = portal.approval_after(lines, &first, &exceptions);
        assert_eq!(told(&plan), ["2 disabled", "3 left alone", "4 disabled"]);
    }

    /// Bo's own row was an update, which is no change since.
    #[test]
    fn who_was_changed_since_is_left_alone() {
        for (lines, expected) in [
            (
                BY_STATUS,
                &["2 left alone", "3 disabled", "4 left alone"][..],
            ),
            (
                MISSING,
                &[
                    "a@x.io left alone",
                    "b@x.io approved",
                    "b@x.io disabled",
                    "c@x.io left alone",
                ],
            ),
        ] {
            let (mut portal, first) = held(&PEOPLE, lines);
            portal.change("a@x.io", |user| user.last_name = "Lee".to_owned());
            portal.change("c@x.io", |user| user.status = Status::Inactive);
            let plan = portal.approval(lines, &first);
            assert_eq!(told(&plan), expected);
            assert_eq!(plan.counts(as_planned()).warnings, 2);
        }
    }

    #[test]
    fn who_is_protected_since_stays() {
        for (lines, expected) in [
            (BY_STATUS, &["3 disabled", "4 disabled", "2: protected"][..]),
            (
                MISSING,
                &[
                    "a@x.io protected",
                    "b@x.io approved",
                    "b@x.io disabled",
                    "c@x.io approved",
                    "c@x.io disabled",
                ],
            ),
        ] {
            // Has authorised the feed.
            let (mut portal, first) = held(&PEOPLE, lines);
            portal.circumstances.authorised_by = Some("a@x.io".to_owned());
            assert_eq!(told(&portal.approval(lines, &first)), expected);

            // Was not the last administrator when the hold began.
            let people = [
                "a@x.io administrator",
                "b@x.io",
                "c@x.io",
                "d@x.io administrator unmanaged",
            ];
            let (mut portal, first) = held(&people, lines);
            let goes = told(&portal.approval(lines, &first));
            assert!(!goes.iter().any(|line| line.contains("protected")));
            portal.change("d@x.io", |user| user.status = Status::Inactive);
            assert_eq!(told(&portal.approval(lines, &first)), expected);
        }
    }

    /// Somebody who was protected in the first place was not held, and is not disabled now.
    #[test]
    fn an_administrator_who_came_since_does_not_make_a_held_one_stay() {
        let people = ["a@x.io administrator", "b@x.io", "c@x.io", "d@x.io"];
        let (mut portal, first) = held(&people, "Email,Name / n@x.io,Ann");
        assert!(told(&first).contains(&"a@x.io protected".to_owned()));
        portal.change("n@x.io", |user| {
            user.roles = user.roles.with(Role::Administrator);
        });
        let plan = portal.approval("Email,Name / n@x.io,Ann", &first);
        assert!(!told(&plan).iter().any(|line| line.starts_with("a@x.io")));
    }

    const NEW: &str = "Id,Email,Name,Manager / 11,a@y.io,Ann,d@x.io / 12,b@y.io,Ann,a@y.io|nobody / \
                       13,c@y.io,Ann, / 4,d@x.io,Ann,nobody / 14,d@y.io,Ann, / 14,e@y.io,Ann,";

    fn held_creates() -> (Portal, Plan) {
        let people = ["a@x.io id=1", "b@x.io id=2", "c@x.io id=3", "d@x.io id=4"];
        let (portal, first) = held(&people, NEW);
        assert_eq!(first.counts(as_planned()).held_creates, 4);
        (portal, first)
    }

    #[test]
    fn held_people_are_created_and_only_their_rows_name_managers() {
        let (mut portal, first) = held_creates();
        let plan = portal.approval(NEW, &first);
        let told = told(&plan);
        assert_eq!(
            told[..5],
            [
                "2 created",
                "3 created",
                "4 created",
                "6 created",
                "3: manager 1 not found"
            ]
        );
        portal.apply(NEW, &plan);
        let managers = portal.user("b@y.io").manager_ids.clone();
        assert_eq!(Vec::from_iter(managers), [portal.id("a@y.io")]);
        let run = |plan| Applied {
            plan,
            exceptions: as_planned(),
        };
        let rows = run(&first).counts_with(&run(&plan)).rows;
        assert_eq!((rows.total, rows.created), (6, 4));
        assert_eq!((rows.unchanged, rows.not_processed), (1, 1));
    }

    #[test]
    fn somebody_who_exists_by_now_is_left_alone() {
        let (mut portal, first) = held_creates();
        // One came by another file, one was set up in the portal and has no external id.
        let others = Portal::of(&["other@y.io id=12", "c@y.io"]);
        portal.users.extend(others.users);
        let rows: Vec<String> = told(&portal.approval(NEW, &first));
        assert_eq!(
            rows[..4],
            ["2 created", "3 left alone", "4 left alone", "6 created"]
        );
    }

    #[test]
    fn an_address_that_somebody_has_by_now_is_taken() {
        let (mut portal, first) = held_creates();
        portal.users.extend(Portal::of(&["a@y.io id=99"]).users);
        let plan = portal.approval(NEW, &first);
        let rows: Vec<String> = told(&plan);
        assert_eq!(
            rows[..4],
            ["2 address taken", "3 created", "4 created", "6 created"]
        );
        let run = |plan| Applied {
            plan,
            exceptions: as_planned(),
        };
        let rows = run(&first).counts_with(&run(&plan)).rows;
        assert_eq!((rows.total, rows.created, rows.not_processed), (6, 3, 2));
    }
}
