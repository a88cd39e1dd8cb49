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
