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
pub struct Context {
    /// The users table.
    pub users: Directory,
    /// The feed table.
    pub feed: FeedTable,
    /// Whom to tell that there is work.
    pub process_upload: ProcessUpload,
    /// Whom to tell that there is something to erase.
    pub erase_data: EraseData,
    /// The time.
    pub clock: Clock,
    /// A name that nothing else has.
    pub new_id: fn() -> Uuid,
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
