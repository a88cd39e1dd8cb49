//! A change of address. A file is planned for the addresses as they are, so nobody moves while one is being
//! applied: a move is made under the portal's lease (`docs/reliability.md`, "The lease").

use crate::context::Context;
use mapping::edit::Editable;
use mapping::identity::{EmailKey, PortalId};
use mapping::problem::ProblemCode;
use platform::directory::PortalUser;
use platform::failure::CallFailed;
use platform::feed::{Acquired, Assignment, Entry, Fence, Lease};
use platform::web::Refusal;
use tokio::time::sleep_until;

/// What became of a move.
enum Moved {
    /// It is made.
    Done(Box<PortalUser>),
    /// The user, or the lease, is not as it was read any more.
    Changed,
    /// The address is somebody else's.
    Taken,
    /// A file's plan is kept, and some of its people may be written; who works on it rests or has died.
    Planned,
}

/// Changes a user who gets another address, and is assigned this learning. `None`: the user is not as it was read any more.
///
/// The lease is not renewed: a move takes milliseconds. After a failure it is not given back, and ends by itself.
pub(crate) async fn change(
    context: &Context,
    portal_id: PortalId,
    user: &PortalUser,
    after: &Editable,
    learning: &[Assignment],
    entry: Entry,
) -> Result<Option<PortalUser>, Refusal> {
    let owner = (context.new_id)().to_string();
    let lease = match context
        .feed
        .take_lease(portal_id, &owner, context.clock)
        .await?
    {
        Acquired::Ours(lease) => lease,
        Acquired::Held(_) => return Err(Refusal::new(ProblemCode::FeedRunning)),
    };
    let (silent_from, fence) = (lease.silent_from(), lease.fence()?);
    let moved = tokio::select! {
        // First, so that nothing is sent once the lease may be somebody else's.
        biased;
        () = sleep_until(silent_from) => Err(CallFailed::new("change the address", "the lease is over")),
        moved = change_under_lease(context, portal_id, user, after, learning, entry, fence) => moved,
    }?;
    free(context, portal_id, lease).await;
    match moved {
        Moved::Done(user) => Ok(Some(*user)),
        Moved::Changed => Ok(None),
        Moved::Taken => Err(Refusal::new(ProblemCode::EmailTaken)),
        Moved::Planned => Err(Refusal::new(ProblemCode::FeedRunning)),
    }
}

async fn change_under_lease(
    context: &Context,
    portal_id: PortalId,
    user: &PortalUser,
    after: &Editable,
    learning: &[Assignment],
    entry: Entry,
    fence: Fence,
) -> Result<Moved, CallFailed> {
    let next = context.feed.next_in_queue(portal_id).await?;
    // The planned one comes first.
    if next.is_some_and(|next| next.planned) {
        return Ok(Moved::Planned);
    }
    let holders = context
        .users
        .holders(portal_id, &EmailKey::of(&after.email))
        .await?;
    if holders.iter().any(|holder| holder.user_id != user.user_id) {
        return Ok(Moved::Taken);
    }
    let now = (context.clock)();
    // Not before it is certain that nothing refuses the change: learning is assigned for good. And before the user is
    // in the group: a crash in between loses none.
    let feed = &context.feed;
    feed.assign_in_portal(portal_id, now, learning).await?;
    let users = &context.users;
    let changed = users
        .change(portal_id, user, after, now, entry, Some(fence))
        .await?;
    Ok(changed.map_or(Moved::Changed, |user| Moved::Done(Box::new(user))))
}

/// Gives the lease back. A file may have arrived meanwhile, whose event found it held: nobody else would come for
/// it but the sweep, which also comes if something fails here.
pub(crate) async fn free(context: &Context, portal_id: PortalId, lease: Lease) {
    let freed = async {
        lease.give_back().await?;
        if context.feed.next_in_queue(portal_id).await?.is_some() {
            context.process_upload.wake(portal_id).await?;
        }
        Ok::<(), CallFailed>(())
    };
    if let Err(error) = freed.await {
        tracing::warn!(%portal_id, ?error, "not woken");
    }
}
