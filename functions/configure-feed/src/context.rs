//! What every route is given: the tables and buckets it may use, and the clock. Nothing is decided here.

use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::accounts::Accounts;
use platform::clock::Clock;
use platform::failure::CallFailed;
use platform::feed::{Action, Decision, Entry, FeedTable, Portal};
use platform::wake::EraseData;
use platform::web::{Caller, Refusal};

/// What every route is given.
#[derive(Clone)]
pub struct Context {
    /// The feed table.
    pub feed: FeedTable,
    /// Whom to tell that there is something to erase.
    pub erase_data: EraseData,
    /// `None`: those who sign in have accounts of another identity provider.
    pub accounts: Option<Accounts>,
    /// The time.
    pub clock: Clock,
}

impl Context {
    /// The portal, or the refusal that there is none.
    pub(crate) async fn portal(&self, portal_id: PortalId) -> Result<Portal, Refusal> {
        self.feed
            .portal(portal_id)
            .await?
            .ok_or_else(|| Refusal::new(ProblemCode::PortalNotFound))
    }

    /// The audit entry of what the caller does now.
    pub(crate) fn entry(
        &self,
        portal_id: PortalId,
        caller: &Caller,
        action: Action,
    ) -> Result<Entry, CallFailed> {
        let deed = caller.does(portal_id, action, (self.clock)());
        self.feed.entry(portal_id, deed)
    }

    /// The mapping or the authorisation was changed: whatever is held has waited for something else. Should this
    /// fail, an approval still finds that it comes too late.
    pub(crate) async fn end_hold(&self, portal_id: PortalId) {
        if let Err(error) = self.try_end_hold(portal_id).await {
            tracing::warn!(%portal_id, ?error, "the hold was not ended");
        }
    }

    /// A feed that was not in use begins, or begins anew: from now on files are missed, if the portal wants it.
    /// Before it is stored that it begins (`FeedTable::expect_file`).
    pub(crate) async fn expect_file(
        &self,
        portal_id: PortalId,
        portal: &Portal,
    ) -> Result<(), CallFailed> {
        match portal.feed_settings.expect_file_every_hours {
            Some(hours) => {
                self.feed
                    .expect_file(portal_id, hours, (self.clock)())
                    .await
            }
            None => Ok(()),
        }
    }

    async fn try_end_hold(&self, portal_id: PortalId) -> Result<(), CallFailed> {
        let Some(portal) = self.feed.portal(portal_id).await? else {
            return Ok(());
        };
        let now = (self.clock)();
        if let Some(hold) = &portal.hold
            && hold.is_superseded(&portal, now)
        {
            let (feed, decision) = (&self.feed, Decision::Superseded);
            feed.end_hold(portal_id, hold.upload_id, decision, now, None)
                .await?;
        }
        Ok(())
    }
}
