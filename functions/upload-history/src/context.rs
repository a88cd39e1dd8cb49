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
pub struct Context {
    /// The feed table.
    pub feed: FeedTable,
    /// The users table.
    pub users: Users,
    /// Where customers' files are.
    pub files: FeedBucket,
    /// Where reports are.
    pub reports: ReportsBucket,
    /// Whom to tell that there is work.
    pub process_upload: ProcessUpload,
    /// The time.
    pub clock: Clock,
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
