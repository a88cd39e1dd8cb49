//! What a walk needs of the world: buckets, tables, the clock and one limit. Nothing is decided here.

use crate::environment::Environment;
use aws_config::SdkConfig;
use platform::clock::Clock;
use platform::feed::FeedTable;
use platform::objects::{FeedBucket, ReportsBucket};
use platform::users::Users;

/// What a walk needs of the world.
pub(crate) struct Feed {
    pub(crate) files: FeedBucket,
    pub(crate) reports: ReportsBucket,
    pub(crate) users: Users,
    pub(crate) table: FeedTable,
    pub(crate) max_file_bytes: u64,
    pub(crate) clock: Clock,
}

impl Feed {
    pub(crate) fn new(config: &SdkConfig, environment: Environment, clock: Clock) -> Self {
        Feed {
            files: FeedBucket::new(config, environment.feed_bucket),
            reports: ReportsBucket::new(config, environment.reports_bucket),
            users: Users::new(config, environment.users_table),
            table: FeedTable::new(config, environment.feed_table),
            max_file_bytes: environment.max_file_bytes,
            clock,
        }
    }
}
