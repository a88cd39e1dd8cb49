//! What every route is given: the table, IAM, where files are put, the clock, and names that nothing else has.
//! Nothing is decided here.

use crate::key_pairs::KeyPairs;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::objects::FeedBucket;
use platform::web::Refusal;
use uuid::Uuid;

/// What every route is given.
#[derive(Clone)]
pub struct Context {
    /// The feed table.
    pub feed: FeedTable,
    /// IAM.
    pub key_pairs: KeyPairs,
    /// Where files are put.
    pub files: FeedBucket,
    /// The region of that.
    pub region: String,
    /// The time.
    pub clock: Clock,
    /// A name that nothing else has.
    pub new_id: fn() -> Uuid,
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
