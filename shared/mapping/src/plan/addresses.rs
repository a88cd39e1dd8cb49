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

#[cfg(test)]
mod tests {
    use crate::plan::testing::{Portal, told};

    fn portal() -> Portal {
        Portal::of(&["a@x.io id=1", "b@x.io id=2", "c@x.io id=3"])
    }

    #[test]
    fn an_address_goes_to_whom_it_is_free_for_once_the_whole_file_is_applied() {
        for (case, rows, expected) in [
            ("a free one", "1,n@x.io,Ann", &["2 updated"][..]),
            (
                "two swap",
                "1,b@x.io,Ann / 2,a@x.io,Ann",
                &["2 updated", "3 updated"],
            ),
            (
                "a ring of three",
                "1,b@x.io,Ann / 2,c@x.io,Ann / 3,a@x.io,Ann",
                &["2 updated", "3 updated", "4 updated"],
            ),
            (
                "a chain to a free one",
                "1,b@x.io,Ann / 2,c@x.io,Ann / 3,n@x.io,Ann",
                &["2 updated", "3 updated", "4 updated"],
            ),
            (
                "somebody new where somebody leaves",
                "9,a@x.io,Ann / 1,n@x.io,Ann",
                &["2 created", "3 updated"],
            ),
            (
                "only spelled differently",
                "1,A@X.io,Ann / 9,a@x.io,Ann",
                &["2 updated", "3 address taken"],
            ),
        ] {
            let plan = portal().plan(&format!("Id,Email,Name / {rows}"));
            assert_eq!(told(&plan), expected, "{case}");
        }
    }

    #[test]
    fn who_has_an_address_and_does_not_move_keeps_it() {
        for (case, rows, expected) in [
            (
                "without a row",
                "1,c@x.io,Ann / 9,c@x.io,Ann",
                &["2 address taken", "3 address taken"][..],
            ),
            (
                "with a row, before or after",
                "1,b@x.io,Ann / 2,b@x.io,Ann / 3,b@x.io,Ann",
                &["2 address taken", "4 address taken"],
            ),
            (
                "whose row is not processed",
                "1,c@x.io,Ann / 3,n@x.io,",
                &["2 address taken"],
            ),
            (
                "whose first row does not move",
                "3,c@x.io,Ann / 3,n@x.io,Ann / 1,c@x.io,Ann",
                &["3 conflict with 2", "4 address taken"],
            ),
        ] {
            let plan = portal().plan(&format!("Id,Email,Name / {rows}"));
            assert_eq!(told(&plan), expected, "{case}");
        }
    }

    #[test]
    fn of_several_who_want_a_free_address_the_first_row_gets_it() {
        for (rows, expected) in [
            (
                "1,n@x.io,Ann / 2,N@x.io,Ann / 9,n@x.io,Ann",
                ["2 updated", "3 address taken", "4 address taken"],
            ),
            (
                "9,n@x.io,Ann / 8,n@x.io,Ann / 1,n@x.io,Ann",
                ["2 created", "3 address taken", "4 address taken"],
            ),
        ] {
            let plan = portal().plan(&format!("Id,Email,Name / {rows}"));
            assert_eq!(told(&plan), expected, "{rows}");
        }
    }

    #[test]
    fn a_refused_move_may_refuse_the_next_and_so_on() {
        for (case, rows, expected) in [
            (
                "a chain to one that is taken",
                "1,b@x.io,Ann / 2,c@x.io,Ann",
                &["2 address taken", "3 address taken"][..],
            ),
            (
                "the same, backwards",
                "2,c@x.io,Ann / 1,b@x.io,Ann",
                &["2 address taken", "3 address taken"],
            ),
            (
                "a ring that an earlier row breaks",
                "9,a@x.io,Ann / 1,b@x.io,Ann / 2,a@x.io,Ann",
                &["2 address taken", "3 address taken", "4 address taken"],
            ),
            (
                "the second for a free one stays, which refuses who waits",
                "1,n@x.io,Ann / 2,n@x.io,Ann / 9,b@x.io,Ann / 3,a@x.io,Ann",
                &[
                    "2 updated",
                    "3 address taken",
                    "4 address taken",
                    "5 updated",
                ],
            ),
        ] {
            let plan = portal().plan(&format!("Id,Email,Name / {rows}"));
            assert_eq!(told(&plan), expected, "{case}");
        }
    }

    #[test]
    fn an_address_that_is_also_another_portals_is_kept_and_not_free_for_others() {
        let mut portal = portal();
        portal.elsewhere = vec!["a@x.io"];
        let plan = portal.plan("Id,Email,Name / 1,n@x.io,Ann / 2,a@x.io,Ann / 3,n@x.io,Bo");
        assert_eq!(
            told(&plan),
            ["3 address taken", "4 updated", "2: address kept"]
        );
    }

    #[test]
    fn a_taken_address_is_a_row_that_was_not_processed() {
        let plan = portal().plan("Id,Email,Name / 1,b@x.io,Ann / 9,n@x.io,Ann");
        let rows = plan.counts(&crate::plan::Exceptions::new()).rows;
        assert_eq!((rows.total, rows.not_processed, rows.created), (2, 1, 1));
    }

    #[test]
    fn where_the_address_is_the_identity_nobody_moves() {
        let mut portal = Portal::of(&["a@x.io", "b@x.io"]);
        let plan = portal.feed("Email,Name / A@x.io,Ann / n@x.io,Ann");
        assert_eq!(told(&plan), ["2 updated", "3 created"]);
    }
}
