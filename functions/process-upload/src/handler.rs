//! An event becomes calls: one walk for each file that arrived.

use crate::arrival::Arrival;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::walk::walk;
use aws_config::SdkConfig;
use aws_lambda_events::event::s3::S3Event;
use lambda_runtime::LambdaEvent;
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

/// Repeating an event is safe: a file that was processed is not processed again, and one that was begun
/// is taken up where its plan stands.
pub(crate) async fn handle(event: LambdaEvent<S3Event>, feed: &Feed) -> Result<(), Failure> {
    for record in event.payload.records {
        match Arrival::of(record)? {
            Arrival::File(file) if file.bucket == feed.files.name() => walk(feed, file).await?,
            Arrival::File(_) => return Err(Failure::MalformedEvent("it is about another bucket")),
            Arrival::Folder => {}
            Arrival::NoPortal => tracing::warn!("a file arrived that is under no portal's path"),
        }
    }
    Ok(())
}
