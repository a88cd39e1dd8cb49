//! The fifth step of planning: the addresses in cells of `manager` become people, as they will be after the
//! file (`docs/rules.md`, "Managers").

use super::join::{Claim, Joined, Seen};
use super::{Notice, NoticeKind};
use crate::fields::Field;
use crate::identity::UserId;
use crate::roster::Place;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeSet, HashMap};

/// Who an address of a cell of `manager` is.
#[derive(Clone, Copy)]
struct Manager {
    user_id: UserId,
    /// `None`: somebody new.
    place: Option<Place>,
    /// The claim of a row that is applied.
    claim: Option<u32>,
}

/// All managers of a file, found.
pub(super) struct Managers {
    /// By the number of the address.
    found: Vec<Option<Manager>>,
}

/// What naming people as managers does, beside being stored with their people.
#[derive(Default)]
pub(super) struct Named {
    pub(super) notices: Vec<Notice>,
    /// The rows of each circle.
    pub(super) circles: Vec<Vec<u32>>,
    /// People without a row that is applied who become managers.
    pub(super) others: BTreeSet<Place>,
}

impl Managers {
    pub(super) fn find(joined: &Joined<'_>, new_id: impl Fn(u32) -> Option<UserId>) -> Self {
        let cells = &joined.managers;
        let mut found = vec![None; cells.addresses.len()];
        for (number, address) in cells.addresses.iter().enumerate() {
            found[number] = joined.roster.find_by_email(*address).and_then(|place| {
                let seen = joined.seen[place as usize];
                let moved =
                    matches!(seen, Seen::By(claim) if joined.moves_from(claim as usize).is_some());
                let claim = match seen {
                    Seen::By(claim) if joined.claims[claim as usize].is_used() => Some(claim),
                    _ => None,
                };
                let user_id = joined.roster.at(place).user_id;
                let place = Some(place);
                (!moved).then_some(Manager {
                    user_id,
                    place,
                    claim,
                })
            });
        }
        if cells.is_empty() {
            return Managers { found };
        }
        for (number, claim) in (0..)
            .zip(&joined.claims)
            .filter(|(_, claim)| claim.is_used())
        {
            let came = claim.is_new() || joined.moves_from(number as usize).is_some();
            let address = joined.address_after(number as usize).filter(|_| came);
            let Some(at) = address.and_then(|address| cells.number(address)) else {
                continue;
            };
            let user_id = match claim.place {
                Some(place) => Some(joined.roster.at(place).user_id),
                None => new_id(number),
            };
            found[at as usize] = user_id.map(|user_id| Manager {
                user_id,
                place: claim.place,
                claim: Some(number),
            });
        }
        Managers { found }
    }

    /// Those of a row, found: sorted, each once, and never the row's own person.
    pub(super) fn of(&self, joined: &Joined<'_>, claim: usize, own: UserId) -> Vec<UserId> {
        let cell = joined.managers.of(joined.rows[claim].managers);
        let found = cell
            .iter()
            .filter_map(|number| self.found[*number as usize]);
        let mut ids: Vec<UserId> = found
            .map(|manager| manager.user_id)
            .filter(|manager| *manager != own)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Goes through all rows that are applied; sets the terms of those who become managers.
    pub(super) fn name(
        &self,
        joined: &mut Joined<'_>,
        own: impl Fn(&Claim, u32) -> Option<UserId>,
    ) -> Named {
        let mut named = Named::default();
        if joined.managers.is_empty() {
            return named;
        }
        let mut is_named = vec![false; self.found.len()];
        for (number, (row, claim)) in (0..).zip(joined.rows.iter().zip(&joined.claims)) {
            if !claim.is_used() {
                continue;
            }
            let own = own(claim, number);
            for (part, address) in (0..).zip(joined.managers.of(row.managers)) {
                let kind = match self.found[*address as usize] {
                    None => NoticeKind::ManagerNotFound { part },
                    Some(manager) if Some(manager.user_id) == own => {
                        NoticeKind::ManagerSelf { part }
                    }
                    Some(_) => {
                        is_named[*address as usize] = true;
                        continue;
                    }
                };
                let row = row.row;
                named.notices.push(Notice { row, kind });
            }
        }
        // Where roles are mapped, the file says who is a manager.
        if !joined.mapping.maps(&Field::Role) {
            let managers = self
                .found
                .iter()
                .zip(&is_named)
                .filter(|(_, named)| **named);
            for manager in managers.filter_map(|(found, _)| *found) {
                let granted = |place: Place| joined.roster.at(place).manager_granted;
                match (manager.claim, manager.place) {
                    (_, Some(place)) if granted(place) => {}
                    (Some(claim), _) => {
                        joined.claims[claim as usize].terms.becomes_manager = true;
                    }
                    (None, Some(place)) if !joined.approval => {
                        named.others.insert(place);
                    }
                    (None, _) => {}
                }
            }
        }
        self.name_circles(joined, &is_named, &mut named);
        named
    }

    /// Circles among the people of the file, each once, at its first row.
    fn name_circles(&self, joined: &Joined<'_>, is_named: &[bool], named: &mut Named) {
        let mut graph = DiGraph::<usize, ()>::new();
        // Only managers can be in a circle, and each of them has one address.
        let in_file = |address: &usize| {
            is_named[*address] && self.found[*address].is_some_and(|it| it.claim.is_some())
        };
        let nodes: HashMap<usize, NodeIndex> = (0..self.found.len())
            .filter(in_file)
            .map(|address| (address, graph.add_node(address)))
            .collect();
        for (address, node) in &nodes {
            let Some(claim) = self.found[*address].and_then(|manager| manager.claim) else {
                continue;
            };
            for manager in joined.managers.of(joined.rows[claim as usize].managers) {
                if let Some(manager) = nodes.get(&(*manager as usize)) {
                    graph.add_edge(*node, *manager, ());
                }
            }
        }
        // Somebody who is their own manager is alone in a set, as everybody else is who is in no circle.
        let mut circles: Vec<Vec<u32>> = Vec::new();
        for circle in kosaraju_scc(&graph)
            .iter()
            .filter(|circle| circle.len() > 1)
        {
            let claims = circle
                .iter()
                .filter_map(|node| self.found[graph[*node]]?.claim);
            let mut rows: Vec<u32> = claims
                .map(|claim| joined.rows[claim as usize].row)
                .collect();
            rows.sort_unstable();
            circles.push(rows);
        }
        circles.sort();
        for (circle, rows) in (0..).zip(&circles) {
            let kind = NoticeKind::ManagerLoop { circle };
            named.notices.push(Notice { row: rows[0], kind });
        }
        named.circles = circles;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{Portal, as_planned, id_by_email, told};
    use crate::plan::{Others, Plan};
    use crate::role::{Role, Roles};

    fn managers_of(plan: &Plan, row: u32) -> Vec<UserId> {
        let planned = plan.step(row).unwrap_or_else(|| panic!("row {row}")).1;
        plan.managers(planned).to_vec()
    }

    fn ids(portal: &Portal, emails: &[&str]) -> Vec<UserId> {
        let mut ids: Vec<UserId> = emails.iter().map(|email| portal.id(email)).collect();
        ids.sort();
        ids
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let rows = [
            "a@x.io,Ann,B@x.io|c@x.io|b@X.io",
            "b@x.io,Bo,c@x.io",
            "c@x.io,Cy,",
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut portal = Portal::of(&["c@x.io"]);
            let rows = order.map(|at| rows[at]).join(" / ");
            let plan = portal.feed(&format!("Email,Name,Manager / {rows}"));
            assert_eq!(plan.notices, []);
            let managers = |email| Vec::from_iter(portal.user(email).manager_ids.clone());
            assert_eq!(managers("a@x.io"), ids(&portal, &["b@x.io", "c@x.io"]));
            assert_eq!(managers("b@x.io"), ids(&portal, &["c@x.io"]));
            assert_eq!(managers("c@x.io"), []);
        }
    }

    #[test]
    fn a_manager_is_told_by_the_address_after_the_file() {
        let mut portal = Portal::of(&["a@x.io id=1", "b@x.io id=2", "c@x.io id=3"]);
        let lines = "Id,Email,Name,Manager / 1,a@x.io,Bo,b@x.io|n@x.io|m@x.io / \
                     2,n@x.io,Bo, / 3,b@x.io,Bo, / 4,c@x.io,Bo,b@x.io";
        let plan = portal.feed(lines);
        assert_eq!(
            told(&plan),
            [
                "2 updated",
                "3 updated",
                "4 updated",
                "5 created",
                "2: manager 2 not found"
            ]
        );
        assert_eq!(managers_of(&plan, 2), ids(&portal, &["b@x.io", "n@x.io"]));
        assert_eq!(managers_of(&plan, 5), ids(&portal, &["b@x.io"]));
        // Nobody has the old address any more.
        let plan = portal.plan("Id,Email,Name,Manager / 1,a@x.io,Bo,b@x.io / 3,o@x.io,Bo,");
        assert_eq!(told(&plan), ["3 updated", "2: manager 0 not found"]);
        // A move that is refused leaves the manager at the old address.
        let plan = portal.plan("Id,Email,Name,Manager / 1,a@x.io,Cy,b@x.io|n@x.io / 3,n@x.io,Cy,");
        assert_eq!(told(&plan), ["2 updated", "3 address taken"]);
        assert_eq!(managers_of(&plan, 2), ids(&portal, &["b@x.io", "n@x.io"]));
    }

    #[test]
    fn an_address_that_nobody_has_is_dropped_with_a_warning_for_each_part() {
        let portal = Portal::of(&["i@x.io inactive"]);
        let plan = portal.plan(
            "Email,Name,Manager / a@x.io,Ann,nobody@x.io|i@x.io|boss|nobody@x.io / \
             b@x.io,Bo,bad@x.io / bad@x.io,,",
        );
        assert_eq!(
            told(&plan),
            [
                "2 created",
                "3 created",
                "2: manager 0 not found",
                "2: manager 2 not found",
                "2: manager 3 not found",
                "3: manager 0 not found",
                "i@x.io updated",
            ]
        );
        assert_eq!(managers_of(&plan, 2), [id_by_email("i@x.io")]);
        assert_eq!(plan.counts(as_planned()).warnings, 4);
    }

    #[test]
    fn oneself_is_dropped_new_or_known() {
        let plan = Portal::of(&["a@x.io"])
            .plan("Email,Name,Manager / a@x.io,Bo,A@x.io|n@x.io / n@x.io,Ann,a@x.io|N@x.io");
        assert_eq!(
            told(&plan),
            [
                "2 updated",
                "3 created",
                "2: manager 0 is self",
                "2: circle [2, 3]",
                "3: manager 1 is self"
            ]
        );
        assert_eq!(managers_of(&plan, 2), [id_by_email("n@x.io")]);
        assert_eq!(managers_of(&plan, 3), [id_by_email("a@x.io")]);
    }

    #[test]
    fn rows_that_are_not_applied_name_nobody() {
        let plan = Portal::of(&["b@x.io", "c@x.io"]).plan(
            "Email,Name,Manager / a@x.io,Ann, / a@x.io,Ann,b@x.io / a@x.io,Ann,n@x.io / x,Ann,c@x.io",
        );
        assert_eq!(
            told(&plan),
            ["2 created", "3 conflict with 2", "4 conflict with 2"]
        );
    }

    #[test]
    fn people_whose_creation_is_held_are_nobody_and_name_nobody() {
        let mut portal =
            Portal::auto_disabling(&["a@x.io", "b@x.io", "c@x.io", "m@x.io unmanaged"]);
        let lines = "Email,Name,Manager / a@x.io,Ann,n1@y.io / n1@y.io,Ann,m@x.io / n2@y.io,Ann,";
        let plan = portal.feed(lines);
        assert_eq!(
            told(&plan),
            [
                "3 not created",
                "4 not created",
                "2: manager 0 not found",
                "3: held",
                "4: held",
                "b@x.io held",
                "c@x.io held",
                "identity_changed"
            ]
        );
        assert!(!portal.user("m@x.io").manager_granted);
    }

    #[test]
    fn a_circle_is_stored_as_it_was_sent_and_warned_of_once_at_its_first_row() {
        for (case, rows, expected) in [
            (
                "two",
                "b@x.io,Bo,a@x.io / a@x.io,Ann,b@x.io",
                &["2: circle [2, 3]"][..],
            ),
            (
                "three, and somebody below",
                "d@x.io,D,a@x.io / a@x.io,Ann,b@x.io / b@x.io,Bo,c@x.io / c@x.io,Cy,a@x.io",
                &["3: circle [3, 4, 5]"],
            ),
            (
                "two circles",
                "a@x.io,Ann,b@x.io / c@x.io,Cy,d@x.io / b@x.io,Bo,a@x.io / d@x.io,D,c@x.io",
                &["2: circle [2, 4]", "3: circle [3, 5]"],
            ),
            (
                "two circles with a person in common are one",
                "a@x.io,Ann,b@x.io / b@x.io,Bo,a@x.io|c@x.io / c@x.io,Cy,b@x.io",
                &["2: circle [2, 3, 4]"],
            ),
            (
                "a chain",
                "a@x.io,Ann,b@x.io / b@x.io,Bo,c@x.io / c@x.io,Cy,",
                &[],
            ),
            (
                "through somebody whose row is refused",
                "a@x.io,Ann,b@x.io / b@x.io,,a@x.io",
                &["2: manager 0 not found"],
            ),
            (
                "oneself is no circle",
                "a@x.io,Ann,a@x.io",
                &["2: manager 0 is self"],
            ),
        ] {
            let plan = Portal::of(&[]).plan(&format!("Email,Name,Manager / {rows}"));
            let mut told = told(&plan);
            told.retain(|line| line.contains(':'));
            assert_eq!(told, expected, "{case}");
        }
    }

    /// A plan is the same however often it is made.
    #[test]
    fn circles_are_in_the_order_of_their_rows() {
        let rows: Vec<String> = (0..40)
            .map(|n| format!("p{n}@x.io,Ann,p{}@x.io", n ^ 1))
            .collect();
        let plan = Portal::of(&[]).plan(&format!("Email,Name,Manager / {}", rows.join(" / ")));
        let expected: Vec<[u32; 2]> = (0..20).map(|n| [2 * n + 2, 2 * n + 3]).collect();
        assert_eq!(plan.circles, expected);
    }

    #[test]
    fn a_circle_with_somebody_who_has_no_row_is_none_of_the_file() {
        let mut portal = Portal::of(&[]);
        portal.feed("Email,Name,Manager / a@x.io,Ann, / b@x.io,Bo,a@x.io");
        let plan = portal.plan("Email,Name,Manager / a@x.io,Ann,b@x.io");
        assert_eq!(plan.circles, [[0; 0]; 0]);
    }

    #[test]
    fn the_role_is_given_once() {
        for (with_row, given) in [
            ("", &["3 created", "m@x.io updated"][..]),
            (" / m@x.io,Ann,", &["3 created", "4 updated"]),
        ] {
            let mut portal = Portal::of(&["m@x.io"]);
            let lines = format!("Email,Name,Manager / x,Ann, / a@x.io,Ann,m@x.io{with_row}");
            let plan = portal.feed(&lines);
            assert_eq!(told(&plan), given);
            let manager = portal.user("m@x.io");
            assert!(manager.roles.contains(Role::Manager) && manager.manager_granted);
            assert!(!manager.feed_roles.contains(Role::Manager), "the portal's");
            assert_eq!(portal.feed(&lines).steps(), 0);
            // Somebody takes it away.
            portal.change("m@x.io", |user| {
                user.roles = user.roles.without(Roles::NONE.with(Role::Manager));
            });
            assert_eq!(told(&portal.feed(&lines)), [""; 0]);
            assert!(!portal.user("m@x.io").roles.contains(Role::Manager));
        }
    }

    #[test]
    fn a_row_that_changes_nothing_names_its_managers_too() {
        let mut portal = Portal::of(&[]);
        let lines = "Email,Name,Manager,Role / m@x.io,Ann,, / a@x.io,Ann,m@x.io,";
        portal.feed(lines);
        assert!(!portal.user("m@x.io").manager_granted, "roles are mapped");
        // Without roles in the file, the old row names somebody for the first time.
        let plan = portal.feed("Email,Name,Manager / a@x.io,Ann,m@x.io");
        assert_eq!(told(&plan), ["m@x.io updated"]);
        let expected = Others {
            updated: 1,
            ..Others::default()
        };
        assert_eq!(plan.counts(as_planned()).others, expected);
    }

    #[test]
    fn whose_own_row_is_the_old_one_is_given_the_role_too() {
        let mut portal = Portal::of(&[]);
        portal.feed("Email,Name,Manager / m@x.io,Ann, / a@x.io,Ann,");
        let plan = portal.feed("Email,Name,Manager / m@x.io,Ann, / a@x.io,Ann,m@x.io");
        assert_eq!(told(&plan), ["2 updated", "3 updated"]);
        assert!(portal.user("m@x.io").roles.contains(Role::Manager));
    }

    #[test]
    fn who_has_the_role_already_is_marked_silently() {
        for with_row in ["", " / m@x.io,Ann,"] {
            let portal = Portal::of(&["m@x.io manager"]);
            let lines = format!("Email,Name,Manager / a@x.io,Ann,m@x.io{with_row}");
            let plan = portal.plan(&lines);
            assert_eq!(told(&plan), ["2 created"]);
            let named = plan.others.iter().any(|other| other.what.becomes_manager)
                || plan.rows.iter().any(|planned| match planned.action {
                    crate::plan::Action::Refresh { terms, .. } => terms.becomes_manager,
                    _ => false,
                });
            assert!(named, "{with_row}");
            assert_eq!(plan.counts(as_planned()).others, Others::default());
        }
    }

    #[test]
    fn who_is_missing_may_be_named_and_becomes_inactive_all_the_same() {
        let people = ["a@x.io", "b@x.io", "m@x.io"];
        let mut portal = Portal::auto_disabling(&people);
        let plan = portal.feed("Email,Name,Manager / a@x.io,Ann,m@x.io / b@x.io,Ann,");
        assert_eq!(told(&plan), ["2 updated", "m@x.io disabled"]);
        let expected = Others {
            disabled: 1,
            ..Others::default()
        };
        assert_eq!(plan.counts(as_planned()).others, expected);
        assert!(portal.user("m@x.io").roles.contains(Role::Manager));
    }
}
