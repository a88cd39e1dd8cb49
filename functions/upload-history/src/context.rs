//! What every route is given: the tables, buckets and functions it may use, and the clock. Nothing is decided here.

use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::objects::ReportsBucket;
use platform::users::Users;
use platform::wake::ProcessUpload;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) feed: FeedTable,
    pub(crate) users: Users,
    pub(crate) reports: ReportsBucket,
    pub(crate) process_upload: ProcessUpload,
    pub(crate) clock: Clock,
}
