//! What every route is given: the tables and buckets it may use, and the clock. Nothing is decided here.

use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::Clock;
use platform::feed::{FeedTable, Portal};
use platform::web::Refusal;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) feed: FeedTable,
    pub(crate) clock: Clock,
}

impl Context {
    /// The portal, or the refusal that there is none.
    pub(crate) async fn portal(&self, portal_id: PortalId) -> Result<Portal, Refusal> {
        self.feed
            .portal(portal_id)
            .await?
            .ok_or_else(|| Refusal::new(ProblemCode::PortalNotFound))
    }
}
