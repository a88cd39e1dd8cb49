//! What every route is given: the table, IAM, where files are put, the clock, and names that nothing else has.
//! Nothing is decided here.

use crate::key_pairs::KeyPairs;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::web::Refusal;
use uuid::Uuid;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) feed: FeedTable,
    pub(crate) key_pairs: KeyPairs,
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    /// A name that nothing else has.
    pub(crate) new_id: fn() -> Uuid,
}

impl Context {
    /// Refuses what is asked of a portal that nobody set up.
    pub(crate) async fn portal_exists(&self, portal_id: PortalId) -> Result<(), Refusal> {
        match self.feed.portal(portal_id).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::new(ProblemCode::PortalNotFound)),
        }
    }
}
