//! The fourth step of planning: everybody new gets an id, since managers are stored as ids and may be new
//! themselves.

use super::comparing::Comparing;
use super::join::{Joined, Standing};
use super::safety::{Circumstances, Safety};
use crate::identity::{Identity, PortalId, UserId};

/// A plan whose new people have no ids yet. Shown every row of the file once, if [`Naming::has_new_people`].
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

    /// A row that was accepted, and whom it is about.
    pub fn see(&mut self, row: u32, identity: &Identity<'_>) {
        let number = self
            .joined
            .number_of(row)
            .filter(|number| self.is_new(*number));
        if let Some(number) = number {
            let user_id = self.joined.roster.next_user_id(self.portal, identity);
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
