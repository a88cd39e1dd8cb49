//! The last step of planning: rows are compared with their users as a whole, where hashes say that something
//! differs; and those without a row are looked at.

use super::join::{Claim, Joined, Seen, Standing};
use super::managers::{Managers, Named};
use super::naming::Naming;
use super::safety::Safety;
use super::{
    Action, Counts, HeldRow, Instead, Notice, NoticeKind, Plan, PlannedOther, PlannedRow, Span,
};
use crate::fields::Field;
use crate::identity::UserId;
use crate::mapping::IdentifyBy;
use crate::record::{Person, UserRecord};
use crate::roster::Place;
use crate::user::{Decision, User, WithoutRow, decide, decide_without_row};
use thiserror::Error;

/// A plan whose rows have to be compared with their people. Shown the rows that differ once, if
/// [`Comparing::has_differences`], and everybody in [`Comparing::others`].
pub struct Comparing<'p> {
    joined: Joined<'p>,
    safety: Safety,
    ids: Vec<Option<UserId>>,
    managers: Managers,
    named: Named,
    /// Rows that are not simply unchanged, as far as that is known, in any order.
    planned: Vec<PlannedRow>,
    /// Rows whose users are to be looked at, in the file's order, and whether they were.
    differing: Vec<(u32, bool)>,
    /// `None`: not looked at yet; `Some(None)`: gone.
    others: Vec<(Place, Option<Option<PlannedOther>>)>,
    held_rows: Vec<HeldRow>,
    manager_ids: Vec<UserId>,
}

/// There is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotPlanned {
    /// A row was not compared, and a plan that forgets a person must not be applied.
    #[error("row {0} was forgotten while planning")]
    Forgotten(u32),
    /// People are not any more as the roster had them; planning anew helps.
    #[error("people were changed while the file was planned")]
    RosterChanged,
}

impl<'p> Comparing<'p> {
    pub(super) fn new(naming: Naming<'p>) -> Self {
        let Naming {
            mut joined,
            safety,
            ids,
            ..
        } = naming;
        let new_id = |number: u32| ids.get(number as usize).copied().flatten();
        let managers = Managers::find(&joined, new_id);
        let roster = joined.roster;
        let own = |claim: &Claim, number: u32| match claim.place {
            Some(place) => Some(roster.at(place).user_id),
            None => new_id(number),
        };
        let named = managers.name(&mut joined, own);
        let mut comparing = Comparing {
            joined,
            safety,
            ids,
            managers,
            named,
            planned: Vec::new(),
            differing: Vec::new(),
            others: Vec::new(),
            held_rows: Vec::new(),
            manager_ids: Vec::new(),
        };
        // Of a million rows the vector is to be as large as it must, and no larger.
        let new = comparing.ids.iter().flatten().count();
        comparing.planned = std::mem::take(&mut comparing.joined.settled);
        comparing.planned.reserve_exact(new);
        for number in 0..comparing.joined.rows.len() {
            comparing.open(number);
        }
        let differing = comparing.differing.len();
        comparing.planned.reserve_exact(differing);
        let missing = comparing.safety.missing.iter().copied();
        let protected = comparing.safety.protected.iter().copied();
        let without_row = |place: &Place| comparing.joined.seen[*place as usize] == Seen::No;
        let mut others: Vec<Place> = missing
            .chain(protected.filter(without_row))
            .chain(comparing.named.others.iter().copied())
            .collect();
        others.sort_unstable_by_key(|place| roster.at(*place).user_id);
        others.dedup();
        comparing.others = others.into_iter().map(|place| (place, None)).collect();
        comparing
    }

    /// Opens a row whose user is to be looked at, and plans one whose person is new.
    fn open(&mut self, number: usize) {
        let (row, claim) = (self.joined.rows[number], self.joined.claims[number]);
        let new = self.ids.get(number).copied().flatten();
        match (claim.standing, claim.place, new) {
            (Standing::Aside | Standing::Refused, ..) => {}
            (Standing::Used, Some(place), _) => {
                let entry = *self.joined.roster.at(place);
                let managers = self.managers.of(&self.joined, number, entry.user_id);
                let fingerprint = row.fingerprint.with_managers(&managers);
                let comes_back = !entry.active && entry.disabled_by_absence;
                let same = entry.feed_managed
                    && entry.fingerprint == Some(fingerprint)
                    && claim.terms == Default::default()
                    && (!comes_back || self.joined.mapping.maps(&Field::Status));
                if !same {
                    self.differing.push((row.row, false));
                }
            }
            (Standing::Held, None, Some(user_id)) => {
                let planned = PlannedRow::of(row.row, Action::HoldCreate { user_id });
                self.planned.push(planned);
            }
            (Standing::Used, None, Some(user_id)) => {
                let terms = claim.terms;
                let managers = self.managers.of(&self.joined, number, user_id);
                let planned = PlannedRow {
                    managers: self.keep_managers(&managers),
                    ..PlannedRow::of(row.row, Action::Create { user_id, terms })
                };
                self.planned.push(planned);
            }
            // Never named: `finish` finds it forgotten.
            (Standing::Used | Standing::Held, None, None) | (Standing::Held, Some(_), _) => {
                self.differing.push((row.row, false));
            }
        }
    }

    fn keep_managers(&mut self, managers: &[UserId]) -> Span {
        let start = u32::try_from(self.manager_ids.len()).unwrap_or(u32::MAX);
        self.manager_ids.extend_from_slice(managers);
        Span {
            start,
            // A value has at most 1,000 characters.
            len: u16::try_from(managers.len()).unwrap_or(u16::MAX),
        }
    }

    /// Whether the file has to be looked at once more.
    pub fn has_differences(&self) -> bool {
        self.differing.iter().any(|(_, done)| !done)
    }

    /// Whom to look at as a whole for this row, if anybody.
    pub fn differs(&self, row: u32) -> Option<UserId> {
        if self.differing[self.place(row)?].1 {
            return None;
        }
        let number = self.joined.number_of(row)?;
        let place = self.joined.claims[number].place?;
        Some(self.joined.roster.at(place).user_id)
    }

    fn place(&self, row: u32) -> Option<usize> {
        self.differing
            .binary_search_by_key(&row, |(row, _)| *row)
            .ok()
    }

    /// What a row says, with its managers found.
    pub fn person(&self, row: u32, record: &UserRecord<'_>, user_id: UserId) -> Person {
        let number = self.joined.number_of(row);
        let managers = number.map(|number| self.managers.of(&self.joined, number, user_id));
        Person::new(record, &managers.unwrap_or_default())
    }

    /// The user of a row that differs was looked at: as it is, and its version.
    ///
    /// # Errors
    ///
    /// The user is gone, or somebody else.
    pub fn settle(
        &mut self,
        row: u32,
        person: &Person,
        user_id: UserId,
        found: Option<(&User, u64)>,
    ) -> Result<(), NotPlanned> {
        let (user, version) = found.ok_or(NotPlanned::RosterChanged)?;
        let number = self
            .joined
            .number_of(row)
            .ok_or(NotPlanned::Forgotten(row))?;
        let terms = self.joined.claims[number].terms;
        if !person.is(user) {
            return Err(NotPlanned::RosterChanged);
        }
        let decision = decide(self.joined.mapping, person, terms, user);
        let action = match &decision {
            Decision::Unchanged => None,
            Decision::Refresh(_) => Some(Action::Refresh { user_id, terms }),
            Decision::Update(_, change) => Some(Action::Update {
                user_id,
                terms,
                change: *change,
            }),
        };
        if self.safety.held.contains(&number) {
            let changes = u64::from(matches!(decision, Decision::Update(..)));
            self.held_rows.push(HeldRow {
                row,
                user_id,
                version: version + changes,
            });
        }
        let place = self.place(row).ok_or(NotPlanned::Forgotten(row))?;
        self.differing[place].1 = true;
        if let Some(action) = action {
            let managers = self.keep_managers(&person.managers);
            self.planned.push(PlannedRow {
                managers,
                ..PlannedRow::of(row, action)
            });
        }
        Ok(())
    }

    /// People without a row that is applied who have to be looked at.
    pub fn others(&self) -> Vec<UserId> {
        let open = self.others.iter().filter(|(_, other)| other.is_none());
        open.map(|(place, _)| self.joined.roster.at(*place).user_id)
            .collect()
    }

    /// One of [`Comparing::others`] was looked at: as it is, and its version. Whoever is gone is nobody's concern.
    pub fn settle_other(&mut self, user_id: UserId, found: Option<(&User, u64)>) {
        let roster = self.joined.roster;
        let at = self
            .others
            .binary_search_by_key(&user_id, |(place, _)| roster.at(*place).user_id);
        let Ok(at) = at else { return };
        let place = self.others[at].0;
        let Some((user, version)) = found else {
            self.others[at].1 = Some(None);
            return;
        };
        let missing = self.safety.missing.binary_search(&place).is_ok();
        let held = missing && self.safety.hold.is_some();
        let what = WithoutRow {
            disable: missing && !held,
            becomes_manager: self.named.others.contains(&place),
        };
        let change = match decide_without_row(what, user, "") {
            Decision::Update(_, change) => Some(change),
            Decision::Refresh(_) | Decision::Unchanged => None,
        };
        let instead = if held {
            let version = version + u64::from(change.is_some());
            Some(Instead::Held { version })
        } else {
            let protected = self.safety.protected.contains(&place);
            protected.then_some(Instead::Protected)
        };
        let external = user.external_id.as_ref();
        let by_external = self.joined.mapping.identify_by() == IdentifyBy::ExternalId;
        let identity = external.filter(|_| by_external).unwrap_or(&user.email);
        self.others[at].1 = Some(Some(PlannedOther {
            user_id,
            identity: identity.clone(),
            what,
            change,
            instead,
        }));
    }

    pub(super) fn joined(&self) -> &Joined<'p> {
        &self.joined
    }

    /// The plan.
    ///
    /// # Errors
    ///
    /// Somebody was never looked at.
    pub fn finish(mut self) -> Result<Plan, NotPlanned> {
        if let Some((row, _)) = self.differing.iter().find(|(_, done)| !done) {
            return Err(NotPlanned::Forgotten(*row));
        }
        let mut rows = self.planned;
        rows.sort_unstable_by_key(|planned| planned.row);
        let others: Option<Vec<Option<PlannedOther>>> =
            self.others.into_iter().map(|(_, other)| other).collect();
        let others = others.ok_or(NotPlanned::RosterChanged)?;
        let others = others.into_iter().flatten().collect();
        let mut held_rows = self.held_rows;
        held_rows.sort_unstable_by_key(|held| held.row);
        let mut notices = self.named.notices;
        let notice = |row: u32, kind| Notice { row, kind };
        for (number, (row, claim)) in self.joined.rows.iter().zip(&self.joined.claims).enumerate() {
            if claim.is_used() && claim.terms.keep_address {
                notices.push(notice(row.row, NoticeKind::EmailShared));
            }
            let protected = claim
                .place
                .is_some_and(|place| self.safety.protected.contains(&place));
            let is_row_of = |place: Place| {
                self.joined.seen[place as usize] == Seen::By(u32::try_from(number).unwrap_or(0))
            };
            if protected && claim.place.is_some_and(is_row_of) {
                notices.push(notice(row.row, NoticeKind::Protected));
            }
            if claim.standing == Standing::Held {
                notices.push(notice(row.row, NoticeKind::Held));
            }
        }
        notices.extend(
            held_rows
                .iter()
                .map(|held| notice(held.row, NoticeKind::Held)),
        );
        notices.sort_unstable();

        let mut plan = Plan {
            rows,
            telling: std::mem::take(&mut self.joined.telling),
            others,
            notices,
            circles: self.named.circles,
            hold: self.safety.hold,
            held_rows,
            groups: self.joined.mapping.groups().clone(),
            has_people: self.joined.has_people(),
            manager_ids: self.manager_ids,
            counts: Counts::default(),
        };
        let own_warnings: u64 = self
            .joined
            .rows
            .iter()
            .zip(&self.joined.claims)
            .filter(|(_, claim)| matches!(claim.standing, Standing::Used | Standing::Held))
            .map(|(row, _)| u64::from(row.warnings))
            .sum();
        plan.count(
            self.joined.rows.len() as u64,
            self.joined.not_accepted,
            // Of an approval, they were counted before.
            if self.joined.approval {
                0
            } else {
                own_warnings
            },
        );
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use crate::plan::testing::{
        Portal, as_planned, csv, id_by_email, mapping_of, person, scan, told,
    };
    use crate::plan::{Counts, RowCounts};
    use crate::roster::Roster;
    use crate::user::Terms;

    /// The comparison of a file in which nobody is new.
    fn comparing<'p>(
        portal: &Portal,
        mapping: &'p Mapping,
        roster: &'p Roster,
        lines: &str,
    ) -> Comparing<'p> {
        Joined::new(scan(mapping, &csv(lines)), mapping, roster)
            .name(&portal.circumstances)
            .compare()
    }

    /// Whom of the rows 2, 3, … the plan asks for.
    fn asked(portal: &Portal, lines: &str) -> Vec<Option<UserId>> {
        let mapping = portal.mapping(lines);
        let roster = portal.roster(&mapping);
        let comparing = comparing(portal, &mapping, &roster, lines);
        let rows = lines.matches(" / ").count() as u32;
        (2..2 + rows).map(|row| comparing.differs(row)).collect()
    }

    #[test]
    fn new_people_are_created_and_known_ones_compared_by_fingerprint() {
        let mut portal = Portal::of(&["c@x.io inactive"]);
        portal.feed("Email,Name,Status / a@x.io,Ann,1 / b@x.io,Bo,1");
        let lines = "Email,Name,Status / a@x.io,Ann,1 / b@x.io,Bob,1 / c@x.io,Ann,1 / d@x.io,D,";
        assert_eq!(
            asked(&portal, lines),
            [
                None,
                Some(id_by_email("b@x.io")),
                Some(id_by_email("c@x.io")),
                None
            ]
        );
        let plan = portal.plan(lines);
        assert_eq!(told(&plan), ["3 updated", "4 enabled", "5 created"]);
        assert_eq!(plan.action(2), None);
        let (user_id, terms) = (id_by_email("d@x.io"), Terms::default());
        assert_eq!(plan.action(5), Some(Action::Create { user_id, terms }));
        assert_eq!(
            plan.counts(as_planned()).rows,
            RowCounts {
                total: 4,
                created: 1,
                updated: 1,
                enabled: 1,
                unchanged: 1,
                ..RowCounts::default()
            }
        );
        assert_eq!(Plan::decode(&plan.encode().unwrap()).unwrap(), plan);
    }

    /// A fingerprint that is left over from a time when the feed managed the user says nothing.
    #[test]
    fn somebody_whom_the_feed_does_not_manage_is_looked_at_and_is_managed_from_now_on() {
        let mut portal = Portal::of(&[]);
        let lines = "Email,Name / a@x.io,Ann";
        portal.feed(lines);
        assert_eq!(asked(&portal, lines), [None]);
        let id = portal.id("a@x.io");
        portal.users.get_mut(&id).unwrap().0.feed_managed = false;
        assert_eq!(asked(&portal, lines), [Some(id)]);
        assert_eq!(told(&portal.feed(lines)), ["2 updated"]);
        assert_eq!(asked(&portal, lines), [None]);
    }

    #[test]
    fn only_the_fingerprint_is_no_change() {
        let mut portal = Portal::of(&["a@x.io"]);
        let lines = "Email,Name / a@x.io,Ann";
        let plan = portal.feed(lines);
        assert!(matches!(plan.action(2), Some(Action::Refresh { .. })));
        assert_eq!(plan.counts(as_planned()).rows.unchanged, 1);
        assert_eq!(portal.users[&id_by_email("a@x.io")].1, 1, "its version");
        assert_eq!(asked(&portal, lines), [None]);
    }

    #[test]
    fn a_row_of_which_something_was_kept_is_looked_at_again() {
        let mut portal = Portal::of(&["a@x.io id=1"]);
        portal.elsewhere = vec!["a@x.io"];
        let lines = "Id,Email,Name / 1,n@x.io,Bo";
        assert_eq!(told(&portal.feed(lines)), ["2 updated", "2: address kept"]);
        assert_eq!(asked(&portal, lines), [Some(portal.id("a@x.io"))]);
        assert_eq!(told(&portal.feed(lines)), ["2: address kept"]);
        portal.elsewhere.clear();
        assert_eq!(told(&portal.feed(lines)), ["2 updated"]);
        assert_eq!(portal.user("n@x.io").first_name, "Bo");
        assert_eq!(told(&portal.feed(lines)), [""; 0]);
    }

    #[test]
    fn who_was_missing_comes_back_although_the_row_is_the_old_one() {
        let mut portal = Portal::auto_disabling(&[]);
        let stay = "b@x.io,Ann / c@x.io,Ann / d@x.io,Ann";
        let all = format!("Email,Name / a@x.io,Ann / {stay}");
        portal.feed(&all);
        let without = portal.feed(&format!("Email,Name / {stay}"));
        assert_eq!(told(&without), ["a@x.io disabled"]);
        assert_eq!(told(&portal.plan(&format!("Email,Name / {stay}"))), [""; 0]);
        assert_eq!(told(&portal.feed(&all)), ["2 enabled"]);
        assert_eq!(told(&portal.feed(&all)), [""; 0]);
    }

    /// A blank status says nothing, so the two rows store the same.
    #[test]
    fn who_was_missing_comes_back_once_status_is_not_mapped_any_more() {
        let mut portal = Portal::of(&["a@x.io missed"]);
        let with_status = portal.feed("Email,Name,Status / a@x.io,Ann,");
        assert_eq!(told(&with_status), [""; 0]);
        assert_eq!(told(&portal.feed("Email,Name / a@x.io,Ann")), ["2 enabled"]);
    }

    #[test]
    fn people_without_a_row_come_in_the_order_of_their_ids_and_by_what_identifies_them() {
        let people = ["a@x.io id=1", "b@x.io", "c@x.io id=3"];
        let stay = ["4", "5", "6", "7"].map(|id| format!("{id}@x.io id={id}"));
        let people: Vec<&str> = people
            .into_iter()
            .chain(stay.iter().map(|it| &**it))
            .collect();
        let portal = Portal::auto_disabling(&people);
        let rows = ["4", "5", "6", "7"].map(|id| format!("{id},{id}@x.io,Ann"));
        let plan = portal.plan(&format!("Id,Email,Name / {}", rows.join(" / ")));
        assert_eq!(told(&plan), ["1 disabled", "3 disabled", "b@x.io disabled"]);
        assert!(plan.others.is_sorted_by_key(|other| other.user_id));
        let Counts { rows, others, .. } = plan.counts(as_planned());
        assert_eq!((rows.total, rows.unchanged, others.disabled), (4, 4, 3));
        // Where the address is the identity, it is what shows.
        let rows = ["4", "5", "6", "7"].map(|id| format!("{id}@x.io,Ann"));
        let plan = portal.plan(&format!("Email,Name / {}", rows.join(" / ")));
        let addresses = ["a@x.io disabled", "b@x.io disabled", "c@x.io disabled"];
        assert_eq!(told(&plan), addresses);
    }

    #[test]
    fn a_plan_that_forgot_a_person_is_no_plan() {
        let portal = Portal::of(&["a@x.io"]);
        for lines in ["Email,Name / a@x.io,Ann", "Email,Name / n@x.io,Ann"] {
            let mapping = portal.mapping(lines);
            let roster = portal.roster(&mapping);
            let comparing = comparing(&portal, &mapping, &roster, lines);
            assert_eq!(comparing.finish(), Err(NotPlanned::Forgotten(2)), "{lines}");
        }
    }

    #[test]
    fn a_plan_that_forgot_somebody_without_a_row_is_no_plan() {
        let portal = Portal::auto_disabling(&["a@x.io", "b@x.io"]);
        let lines = "Email,Name / n@x.io,Ann";
        let mapping = mapping_of(&csv(lines), true);
        let roster = portal.roster(&mapping);
        let joined = Joined::new(scan(&mapping, &csv(lines)), &mapping, &roster);
        let mut naming = joined.name(&portal.circumstances);
        naming.name(
            2,
            naming.user_id(&crate::identity::Identity::Email("n@x.io")),
        );
        let mut comparing = naming.compare();
        let others = comparing.others();
        assert_eq!(others.len(), 2);
        // Whoever is gone is nobody's concern.
        comparing.settle_other(others[0], None);
        assert_eq!(comparing.others(), others[1..]);
        assert_eq!(comparing.finish(), Err(NotPlanned::RosterChanged));
    }

    #[test]
    fn a_user_who_is_gone_or_somebody_else_by_now_is_planned_anew() {
        let portal = Portal::of(&["a@x.io id=1"]);
        let lines = "Id,Email,Name / 1,a@x.io,Ann";
        let mapping = portal.mapping(lines);
        let roster = portal.roster(&mapping);
        let mut comparing = comparing(&portal, &mapping, &roster, lines);
        let (person, id) = (person(lines, &[]), portal.id("a@x.io"));
        let other = crate::plan::testing::user("a@x.io id=2").1;
        for found in [None, Some((&other, 1))] {
            assert_eq!(
                comparing.settle(2, &person, id, found),
                Err(NotPlanned::RosterChanged)
            );
        }
        let user = portal.user("a@x.io");
        assert_eq!(comparing.settle(2, &person, id, Some((user, 1))), Ok(()));
    }
}
