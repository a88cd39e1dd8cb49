//! What every route is given: the tables and functions it may use, the clock, and names that nothing else has.
//! Nothing is decided here.

use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::Clock;
use platform::directory::Directory;
use platform::feed::{FeedTable, Portal};
use platform::wake::{EraseData, ProcessUpload};
use platform::web::Refusal;
use uuid::Uuid;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) users: Directory,
    pub(crate) feed: FeedTable,
    pub(crate) process_upload: ProcessUpload,
    pub(crate) erase_data: EraseData,
    pub(crate) clock: Clock,
    /// A name that nothing else has.
    pub(crate) new_id: fn() -> Uuid,
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
