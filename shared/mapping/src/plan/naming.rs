//! The fourth step of planning: everybody new gets an id, since managers are stored as ids and may be new
//! themselves.

use super::comparing::Comparing;
use super::join::{Joined, Standing};
use super::safety::{Circumstances, Safety};
use crate::identity::{Identity, PortalId, UserId};

/// A plan whose new people have no ids yet. The rows that it wants are to be named, if it
/// [`Naming::has_new_people`].
pub struct Naming<'p> {
    pub(super) joined: Joined<'p>,
    pub(super) safety: Safety,
    pub(super) portal: PortalId,
    /// One for each row; of those who are not new it stays empty, and if nobody is, so does this.
    pub(super) ids: Vec<Option<UserId>>,
}

impl<'p> Joined<'p> {
    /// Nothing more is to be found out about movers: works out whose address is somebody else's, who is
    /// protected, and what is held.
    pub fn name(mut self, circumstances: &Circumstances) -> Naming<'p> {
        self.refuse_taken_addresses();
        let safety = self.make_safe(circumstances);
        Naming::new(self, safety, circumstances.portal)
    }
}

impl<'p> Naming<'p> {
    pub(super) fn new(joined: Joined<'p>, safety: Safety, portal: PortalId) -> Self {
        let mut naming = Naming {
            joined,
            safety,
            portal,
            ids: Vec::new(),
        };
        if naming.has_new_people() {
            naming.ids = vec![None; naming.joined.rows.len()];
        }
        naming
    }

    /// Whether the file has to be looked at for them.
    pub fn has_new_people(&self) -> bool {
        let numbers = 0..self.joined.claims.len();
        numbers.into_iter().any(|number| self.is_new(number))
    }

    fn is_new(&self, number: usize) -> bool {
        let claim = self.joined.claims[number];
        let created = matches!(claim.standing, Standing::Used | Standing::Held);
        claim.place.is_none() && created
    }

    /// Whether this row's person is to be named.
    pub fn wants(&self, row: u32) -> bool {
        self.number_of(row).is_some()
    }

    /// The place of a row whose person is new.
    fn number_of(&self, row: u32) -> Option<usize> {
        let number = self.joined.number_of(row)?;
        self.is_new(number).then_some(number)
    }

    /// The id of somebody new.
    pub fn user_id(&self, identity: &Identity<'_>) -> UserId {
        self.joined.roster.next_user_id(self.portal, identity)
    }

    /// A row's person has this id, if they are to be named.
    pub fn name(&mut self, row: u32, user_id: UserId) {
        if let Some(number) = self.number_of(row) {
            self.ids[number] = Some(user_id);
        }
    }

    /// Everybody new has an id.
    pub fn compare(self) -> Comparing<'p> {
        Comparing::new(self)
    }
}

impl Joined<'_> {
    /// The place of a row among those that were accepted.
    pub(super) fn number_of(&self, row: u32) -> Option<usize> {
        self.rows.binary_search_by_key(&row, |it| it.row).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;
    use crate::plan::testing::{Portal, as_planned, id_by_email};

    fn created(portal: &Portal, lines: &str) -> Vec<UserId> {
        let rows = portal.plan(lines).rows;
        let id = |action| match action {
            Action::Create { user_id, .. } => Some(user_id),
            _ => None,
        };
        rows.into_iter().filter_map(|it| id(it.action)).collect()
    }

    #[test]
    fn somebody_who_moved_keeps_the_id_and_the_next_to_have_the_address_gets_another() {
        let portal = Portal::of(&["moved@x.io was=a@x.io"]);
        let id =
            |email: &str, n| UserId::of(portal.circumstances.portal, &Identity::Email(email), n);
        assert_eq!(
            created(&portal, "Email,Name / A@x.io,Ann / b@x.io,Ann"),
            [id("a@x.io", 1), id("b@x.io", 0)]
        );
    }

    #[test]
    fn an_external_id_makes_another_id_than_an_address_of_the_same_text() {
        let portal = Portal::of(&[]);
        let by_external_id = created(&portal, "Id,Email,Name / a@x.io,a@x.io,Ann");
        assert_eq!(
            by_external_id,
            [UserId::of(
                portal.circumstances.portal,
                &Identity::External("a@x.io"),
                0
            )]
        );
        assert_ne!(by_external_id, [id_by_email("a@x.io")]);
    }

    #[test]
    fn a_file_without_anybody_new_is_not_looked_at_for_names() {
        let portal = Portal::of(&["a@x.io", "b@x.io"]);
        for (lines, expected) in [
            ("Email,Name / a@x.io,Ann / b@x.io,Ann", false),
            ("Email,Name / a@x.io,Ann / n@x.io,Ann", true),
        ] {
            let mapping = portal.mapping(lines);
            let roster = portal.roster(&mapping);
            let scan = crate::plan::testing::scan(&mapping, &crate::plan::testing::csv(lines));
            let naming = Joined::new(scan, &mapping, &roster).name(&portal.circumstances);
            assert_eq!(naming.has_new_people(), expected, "{lines}");
        }
    }

    #[test]
    fn whoever_was_created_is_known_to_the_next_file() {
        let mut portal = Portal::of(&[]);
        let lines = "Id,Email,Name / 1,a@x.io,Ann / 2,b@x.io,Ann";
        assert_eq!(portal.feed(lines).counts(as_planned()).rows.created, 2);
        let again = portal.feed(lines);
        assert_eq!(again.steps(), 0);
        assert_eq!(again.counts(as_planned()).rows.unchanged, 2);
    }
}
