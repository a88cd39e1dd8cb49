//! What a walk needs of the world: buckets, tables, who tells others, the clock and one limit. Nothing is decided here.

use crate::environment::Environment;
use crate::messenger::Messenger;
use platform::aws::Aws;
use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::objects::{FeedBucket, ReportsBucket};
use platform::users::Users;
use platform::wake::ProcessUpload;
use uuid::Uuid;

/// What a walk needs of the world.
pub(crate) struct Feed {
    pub(crate) files: FeedBucket,
    pub(crate) reports: ReportsBucket,
    pub(crate) users: Users,
    pub(crate) table: FeedTable,
    /// This function itself: for what the time does not suffice for, and for what the sweep finds.
    pub(crate) process_upload: ProcessUpload,
    pub(crate) messenger: Messenger,
    /// Where mails lead to.
    pub(crate) portal_url: Option<String>,
    pub(crate) max_file_bytes: u64,
    pub(crate) clock: Clock,
    /// A name that nothing else has.
    pub(crate) new_id: fn() -> Uuid,
}

impl Feed {
    pub(crate) fn new(
        aws: &Aws,
        messenger: Messenger,
        environment: Environment,
        clock: Clock,
        new_id: fn() -> Uuid,
    ) -> Self {
        Feed {
            files: FeedBucket::new(aws, environment.feed_bucket),
            reports: ReportsBucket::new(aws, environment.reports_bucket),
            users: Users::new(aws, environment.users_table),
            table: FeedTable::new(aws, environment.feed_table),
            process_upload: ProcessUpload::new(aws, environment.function_name),
            messenger,
            portal_url: environment.portal_url,
            max_file_bytes: environment.max_file_bytes,
            clock,
            new_id,
        }
    }
}
