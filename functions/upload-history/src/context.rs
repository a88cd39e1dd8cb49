//! What every route is given: the tables, buckets and functions it may use, and the clock. Nothing is decided here.

use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::objects::{FeedBucket, ReportsBucket};
use platform::users::Users;
use platform::wake::ProcessUpload;
use platform::web::Refusal;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) feed: FeedTable,
    pub(crate) users: Users,
    pub(crate) files: FeedBucket,
    pub(crate) reports: ReportsBucket,
    pub(crate) process_upload: ProcessUpload,
    pub(crate) clock: Clock,
}

impl Context {
    /// Refuses what is asked of a portal that there is not.
    pub(crate) async fn portal_exists(&self, portal_id: PortalId) -> Result<(), Refusal> {
        match self.feed.portal(portal_id).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::new(ProblemCode::PortalNotFound)),
        }
    }
}
