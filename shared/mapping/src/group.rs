//! The groups of a portal, and the learning that comes with them (`docs/rules.md`, "Groups"). Who is in
//! which group is a user's; adding somebody is decided in `user`.

use serde::{Deserialize, Serialize};

/// A group, as far as a file has to do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group's number.
    pub id: u64,
    /// What a user is assigned who is added to it.
    pub learning_ids: Vec<u64>,
}

/// A portal's groups, found by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups(Vec<Group>);

impl Groups {
    /// Of groups in any order.
    pub fn new(mut groups: Vec<Group>) -> Self {
        groups.sort_by_key(|group| group.id);
        Groups(groups)
    }

    /// The group of this number.
    pub fn find(&self, id: u64) -> Option<&Group> {
        let at = self.0.binary_search_by_key(&id, |group| group.id).ok()?;
        Some(&self.0[at])
    }

    /// The one with the smallest number.
    pub fn first(&self) -> Option<&Group> {
        self.0.first()
    }

    /// The group that a part of a cell names; `None`: the portal has no such group.
    pub fn named(&self, part: &str) -> Option<&Group> {
        // `parse` takes a plus sign; a number has none.
        let number = part.bytes().all(|byte| byte.is_ascii_digit());
        self.find(part.parse().ok().filter(|_| number)?)
    }
}

/// What separates several values in one cell.
pub(crate) const SEPARATOR: char = '|';

/// The values of a cell that may hold several, trimmed; blank ones are passed over.
pub(crate) fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(SEPARATOR)
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_its_number_and_nothing_else() {
        let group = |id| Group {
            id,
            learning_ids: vec![id * 10],
        };
        let groups = Groups::new(vec![group(20), group(3)]);
        assert_eq!(groups.named("3"), Some(&group(3)));
        assert_eq!(groups.named("020"), Some(&group(20)));
        for none in ["", "4", "+3", "3.0", "three", "-3", "99999999999999999999"] {
            assert_eq!(groups.named(none), None, "{none}");
        }
    }

    #[test]
    fn a_cell_may_hold_several_values_and_blanks_between_them() {
        assert_eq!(parts(" 3 | 20||").collect::<Vec<_>>(), ["3", "20"]);
        assert_eq!(parts(" | ").count(), 0);
    }
}
