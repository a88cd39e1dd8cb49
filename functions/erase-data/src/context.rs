//! What erasing needs of the world: tables, buckets, the user pool, IAM, and the clock. Nothing is decided here.

use crate::customers_user::CustomersUser;
use crate::environment::Environment;
use jiff::SignedDuration;
use platform::accounts::Accounts;
use platform::aws::Aws;
use platform::clock::Clock;
use platform::erasing::{ErasableBucket, ErasableUsers};
use platform::feed::FeedTable;
use platform::wake::{EraseData, ProcessUpload};
use uuid::Uuid;

/// What erasing needs of the world.
pub(crate) struct Context {
    pub(crate) files: ErasableBucket,
    pub(crate) reports: ErasableBucket,
    pub(crate) users: ErasableUsers,
    pub(crate) feed: FeedTable,
    pub(crate) accounts: Accounts,
    pub(crate) customers_user: CustomersUser,
    /// For files that came while the lease was held here.
    pub(crate) process_upload: ProcessUpload,
    /// This function itself: for what the time does not suffice for, and for what the sweep finds.
    pub(crate) erase_data: EraseData,
    /// How long the token of an administrator works who has no account any more.
    pub(crate) token_lifetime: SignedDuration,
    pub(crate) clock: Clock,
    /// A name that nothing else has.
    pub(crate) new_id: fn() -> Uuid,
}

impl Context {
    pub(crate) async fn new(environment: Environment, clock: Clock, new_id: fn() -> Uuid) -> Self {
        let aws = Aws::patient().await;
        Context {
            files: ErasableBucket::new(&aws, environment.feed_bucket),
            reports: ErasableBucket::new(&aws, environment.reports_bucket),
            users: ErasableUsers::new(&aws, environment.users_table),
            feed: FeedTable::new(&aws, environment.feed_table),
            accounts: Accounts::of_pool(environment.user_pool).await,
            customers_user: CustomersUser::prompt(environment.stage).await,
            process_upload: ProcessUpload::new(&aws, environment.process_upload),
            erase_data: EraseData::new(&aws, environment.function_name),
            token_lifetime: SignedDuration::from_hours(environment.token_hours.into()),
            clock,
            new_id,
        }
    }
}
