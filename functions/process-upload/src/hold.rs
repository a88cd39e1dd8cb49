//! A portal's open hold: how it begins, and what ends it without anybody's decision (`docs/rules.md`, "Holds").

use crate::failure::Failure;
use crate::feed::Feed;
use crate::run::Run;
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::plan::Plan;
use platform::clock::stamp;
use platform::feed::{Decision, OpenHold};
use platform::objects::REPORTS_KEPT;

/// The hold that a run leaves behind.
pub(crate) fn open(run: &Run<'_>) -> OpenHold {
    // When the file came. A replay came later than that.
    let received: Option<Timestamp> = run.entry.order.received_at.parse().ok();
    let expires_at = received.and_then(|received| received.checked_add(REPORTS_KEPT).ok());
    OpenHold {
        upload_id: run.upload.upload_id,
        order: run.entry.order.clone(),
        mapping_version: run.upload.mapping_version.unwrap_or(0),
        since: run.upload.started_at.clone().unwrap_or_default(),
        expires_at: expires_at.map(stamp).unwrap_or_default(),
    }
}

/// Whether something has happened that ends the hold of this run: one that begins, or one that is approved.
pub(crate) async fn is_too_late(run: &Run<'_>) -> Result<bool, Failure> {
    let portal = run.feed.table.portal(run.upload.portal_id).await?;
    let now = (run.feed.clock)();
    Ok(portal.is_none_or(|portal| open(run).is_superseded(&portal, now)))
}

/// The file is planned: a hold of an older one, or of the same one that is being replayed, has waited too long.
pub(crate) async fn end_older(run: &Run<'_>, plan: &Plan) -> Result<(), Failure> {
    if !run.counts(plan) {
        return Ok(());
    }
    let portal_id = run.upload.portal_id;
    let portal = run.feed.table.portal(portal_id).await?;
    let hold = portal
        .and_then(|portal| portal.hold)
        .filter(|hold| hold.upload_id != run.upload.upload_id && hold.order <= run.entry.order);
    match hold {
        Some(hold) => end(run.feed, portal_id, &hold).await,
        None => Ok(()),
    }
}

/// Ends the portal's hold if something has happened that ends it.
pub(crate) async fn end_if_superseded(feed: &Feed, portal_id: PortalId) -> Result<(), Failure> {
    let Some(portal) = feed.table.portal(portal_id).await? else {
        return Ok(());
    };
    let now = (feed.clock)();
    match &portal.hold {
        Some(hold) if hold.is_superseded(&portal, now) => end(feed, portal_id, hold).await,
        _ => Ok(()),
    }
}

async fn end(feed: &Feed, portal_id: PortalId, hold: &OpenHold) -> Result<(), Failure> {
    let ended = feed
        .table
        .end_hold(
            portal_id,
            hold.upload_id,
            Decision::Superseded,
            (feed.clock)(),
            None,
        )
        .await?;
    tracing::info!(%portal_id, upload_id = %hold.upload_id, ended, "the hold has ended by itself");
    if !ended {
        // Somebody has decided it, or is writing it at this moment: then it is not certain that it ends.
        let portal = feed.table.portal(portal_id).await?;
        let open = portal.and_then(|portal| portal.hold);
        if open.is_some_and(|open| open.upload_id == hold.upload_id) {
            return Err(Failure::HoldInUse);
        }
    }
    Ok(())
}
