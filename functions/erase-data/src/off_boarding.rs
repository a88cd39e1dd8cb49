//! A portal that is given up, from its doors to its name (`docs/privacy.md`). Each step finds what is left of it and
//! deletes that, so a turn that is taken up again goes on where the one before ended; the portal's own item goes last.

use crate::context::Context;
use crate::failure::Failure;
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use platform::failure::CallFailed;
use platform::feed::Lease;
use platform::metrics::Invocation;
use std::collections::BTreeSet;
use std::time::Duration;

/// The gateway gives a request up after 30 seconds, and the functions behind it end sooner: whoever was let in before
/// the doors were shut has come to an end by then.
const LAST_REQUESTS: SignedDuration = SignedDuration::from_secs(30);

/// A link to put a file works for 15 minutes (`POST …/uploads`), and a file that has begun to come may take as long.
const LAST_FILES: SignedDuration = SignedDuration::from_mins(30);

/// Nobody puts files any more, and nobody who was let in before is still about.
pub(crate) async fn shut_doors(
    context: &Context,
    portal: PortalId,
    since: Timestamp,
) -> Result<(), CallFailed> {
    context.customers_user.delete(portal).await?;
    let quiet_from = since.saturating_add(LAST_REQUESTS).unwrap_or(since);
    let left = quiet_from.duration_since((context.clock)());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    Ok(())
}

/// Erases the portal, under its lease, which goes with it. What was given out for its number outlives it: links for
/// files, and tokens of its administrators. Until none of them works any more the number is nobody's, and then it is
/// looked through once more.
pub(crate) async fn erase(
    context: &Context,
    portal: PortalId,
    since: Timestamp,
    lease: &Lease,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let feed = &context.feed;
    // Nobody begins with a file after this, also if this turn ends before its work does.
    let queued = feed.delete_queue(portal).await?;
    // Once more: a key pair may have been issued by one of the last requests.
    context.customers_user.delete(portal).await?;
    let users = context.users.delete_all(portal).await?;
    let mut objects = context.reports.delete_all(&format!("{portal}/")).await?;
    objects += context
        .reports
        .delete_all(&format!("work/{portal}/"))
        .await?;
    objects += context.files.delete_all(&format!("{portal}/")).await?;
    let accounts = delete_accounts(context, portal).await?;
    // Before the tokens would go with the rest: `import-xero` gives it back to Xero, which may take longer than this.
    if !feed.give_xero_up(portal, (context.clock)()).await? {
        return Err(Failure::Changed);
    }
    // Uploads, mappings, credentials, assignments, and whatever else there is.
    let items = feed.delete_portals_items(portal).await?;
    // Of what was sent under an earlier lease a request may have arrived since.
    let late = context.users.delete_all(portal).await? + feed.delete_portals_items(portal).await?;
    line.count("users_erased", users);
    line.count("objects_deleted", objects);
    line.count("items_deleted", queued + items + late);
    line.count("accounts_deleted", accounts);
    let outlived = since.saturating_add(LAST_FILES.max(context.token_lifetime));
    let outlived = outlived.unwrap_or(since);
    let again_at = Some(outlived).filter(|outlived| (context.clock)() < *outlived);
    match feed.end_off_boarding(portal, lease, again_at).await? {
        true => Ok(()),
        false => Err(Failure::LeaseLost),
    }
}

/// Accounts that act for this portal and no other, as they are now: those that are remembered, and any that the pool
/// has beside them.
async fn delete_accounts(context: &Context, portal: PortalId) -> Result<u64, CallFailed> {
    let mut deleted = 0;
    let mut ids: BTreeSet<String> = context.accounts.of_portal(portal).await?;
    ids.extend(context.feed.administrators(portal).await?);
    for account_id in ids {
        let Some(account) = context.accounts.find(&account_id).await? else {
            continue;
        };
        if account.portal == Some(portal) && !context.accounts.is_operator(&account).await? {
            context.accounts.delete(&account).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
