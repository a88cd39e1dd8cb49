//! The second step of planning: who gets the address that their row wants (`docs/rules.md`, "Addresses").

use super::join::{Joined, Standing};
use super::{Action, PlannedRow};
use crate::mapping::IdentifyBy;
use crate::roster::Place;
use std::collections::HashMap;

impl Joined<'_> {
    /// Refuses the rows that want an address which is somebody else's once the whole file is applied. Whoever has
    /// an address and does not move keeps it, then the first row gets it; a refusal leaves its person at the
    /// old address, which may refuse another. Refusals only ever grow, so this ends, and the order in which
    /// they are found does not matter.
    pub(super) fn refuse_taken_addresses(&mut self) {
        // Where the address is the identity, nobody moves, and who is new has an address that nobody has.
        if self.mapping.identify_by() == IdentifyBy::Email {
            return;
        }
        let mut refused = Vec::new();
        // Who has the best claim to an address that others have now, by those others.
        let mut waits_for: HashMap<Place, usize> = HashMap::new();
        let mut wanting: Vec<usize> = (0..self.claims.len())
            .filter(|number| self.claims[*number].is_new() || self.moves_from(*number).is_some())
            .collect();
        wanting.sort_unstable_by_key(|number| (self.rows[*number].email, *number));
        let same = |a: &usize, b: &usize| self.rows[*a].email == self.rows[*b].email;
        for of_address in wanting.chunk_by(same) {
            let Some((first, others)) = of_address.split_first() else {
                continue;
            };
            refused.extend_from_slice(others);
            let holder = self.roster.find_by_email(self.rows[*first].email);
            if let Some(holder) = holder {
                let moves_away = match self.seen[holder as usize] {
                    super::join::Seen::By(number) => self.moves_from(number as usize).is_some(),
                    _ => false,
                };
                if moves_away {
                    waits_for.insert(holder, *first);
                } else {
                    refused.push(*first);
                }
            }
        }
        while let Some(number) = refused.pop() {
            if !self.claims[number].is_used() {
                continue;
            }
            let stays = self.moves_from(number);
            self.claims[number].standing = Standing::Refused;
            let row = self.rows[number].row;
            self.settled.push(PlannedRow::of(row, Action::EmailTaken));
            refused.extend(stays.and_then(|place| waits_for.remove(&place)));
        }
    }
}
