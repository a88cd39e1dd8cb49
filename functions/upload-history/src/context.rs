//! What every route is given: the tables, buckets and functions it may use, and the clock. Nothing is decided here.

use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::objects::ReportsBucket;
use platform::users::Users;
use platform::wake::ProcessUpload;

/// What every route is given.
#[derive(Clone)]
pub struct Context {
    /// The feed table.
    pub feed: FeedTable,
    /// The users table.
    pub users: Users,
    /// Where reports are.
    pub reports: ReportsBucket,
    /// Whom to tell that there is work.
    pub process_upload: ProcessUpload,
    /// The time.
    pub clock: Clock,
}
