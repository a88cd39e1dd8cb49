//! What every route is given: the tables and buckets it may use, and the clock. Nothing is decided here.

use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::accounts::Accounts;
use platform::clock::Clock;
use platform::failure::CallFailed;
use platform::feed::{Decision, FeedTable, Portal};
use platform::wake::EraseData;
use platform::web::Refusal;

/// What every route is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) feed: FeedTable,
    pub(crate) erase_data: EraseData,
    /// `None`: those who sign in have accounts of another identity provider.
    pub(crate) accounts: Option<Accounts>,
    pub(crate) clock: Clock,
}

impl Context {
    /// The portal, or the refusal that there is none.
    pub(crate) async fn portal(&self, portal_id: PortalId) -> Result<Portal, Refusal> {
        self.feed
            .portal(portal_id)
            .await?
            .ok_or_else(|| Refusal::new(ProblemCode::PortalNotFound))
    }

    /// The mapping or the authorisation was changed: whatever is held has waited for something else. Should this
    /// fail, an approval still finds that it comes too late.
    pub(crate) async fn end_hold(&self, portal_id: PortalId) {
        if let Err(error) = self.try_end_hold(portal_id).await {
            tracing::warn!(%portal_id, ?error, "the hold was not ended");
        }
    }

    async fn try_end_hold(&self, portal_id: PortalId) -> Result<(), CallFailed> {
        let Some(portal) = self.feed.portal(portal_id).await? else {
            return Ok(());
        };
        if let Some(hold) = &portal.hold
            && hold.is_superseded(&portal, (self.clock)())
        {
            let decision = Decision::Superseded;
            let feed = &self.feed;
            feed.end_hold(portal_id, hold.upload_id, decision).await?;
        }
        Ok(())
    }
}
