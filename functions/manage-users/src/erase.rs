//! Erasing one person. The answer says that the user is gone, and what they were assigned; `erase-data` finds the other
//! traces after that (`docs/privacy.md`). Under the portal's lease, as a file is applied to people who stay.

use crate::address::free;
use crate::context::Context;
use crate::user::{UserInPath, find};
use axum::extract::State;
use axum::http::StatusCode;
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::problem::ProblemCode;
use platform::failure::CallFailed;
use platform::feed::{Acquired, Action, Fence, Identified};
use platform::web::{AdministratorOf, Caller, Refusal};
use tokio::time::sleep_until;

/// What became of it.
enum Erased {
    Done,
    /// Somebody changed the user at this moment.
    Changed,
    /// A file's plan is kept, and some of its people may be written.
    Planned,
}

/// How often it is tried anew because the user was changed in between.
const ATTEMPTS: usize = 5;

/// Erase a user
///
/// The user is gone, and what they were assigned; the other traces are found after that. A file that names them again
/// creates them anew.
#[utoipa::path(
    delete, path = "/portals/{portal_id}/users/{user_id}", operation_id = "erase_user", tag = "Administrators",
    responses(
        (status = 204, description = "The user is gone."),
        (status = 404, description = "`user_not_found`, `portal_not_found`"),
        (status = 409, description = "`feed_running`, while a file is processed; `authorised_the_feed`; `conflict`"),
    ),
)]
pub(crate) async fn erase(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    UserInPath(user_id): UserInPath,
) -> Result<StatusCode, Refusal> {
    context.portal(portal_id).await?;
    // Asked again after an answer that was lost.
    let feed = &context.feed;
    let again = context.users.user(portal_id, user_id).await?.is_none()
        && feed.is_being_erased(portal_id, user_id).await?;
    if !again {
        may_be_erased(&context, portal_id, user_id).await?;
        let owner = (context.new_id)().to_string();
        let lease = match feed.take_lease(portal_id, &owner, context.clock).await? {
            Acquired::Ours(lease) => lease,
            Acquired::Held(_) => return Err(Refusal::new(ProblemCode::FeedRunning)),
        };
        let (silent_from, fence) = (lease.silent_from(), lease.fence()?);
        let erased = tokio::select! {
            // First, so that nothing is sent once the lease may be somebody else's.
            biased;
            () = sleep_until(silent_from) => Err(CallFailed::new("erase the user", "the lease is over").into()),
            erased = erase_under_lease(&context, portal_id, user_id, &caller, fence) => erased,
        };
        free(&context, portal_id, lease).await;
        match erased? {
            Erased::Done => {}
            Erased::Changed => return Err(Refusal::new(ProblemCode::Conflict)),
            Erased::Planned => return Err(Refusal::new(ProblemCode::FeedRunning)),
        }
    }
    // It is in the table; should the wake-up fail, the sweep finds it.
    if let Err(error) = context.erase_data.wake(portal_id).await {
        tracing::warn!(%portal_id, ?error, "not woken");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever authorised the feed is named there until somebody else does.
async fn may_be_erased(
    context: &Context,
    portal_id: PortalId,
    user_id: UserId,
) -> Result<(), Refusal> {
    let user = find(context, portal_id, user_id).await?;
    let authorised = context.portal(portal_id).await?.authorisation;
    let is_named =
        authorised.is_some_and(|it| EmailKey::of(&it.by) == EmailKey::of(&user.values.email));
    match is_named {
        true => Err(Refusal::new(ProblemCode::AuthorisedTheFeed)),
        false => Ok(()),
    }
}

async fn erase_under_lease(
    context: &Context,
    portal_id: PortalId,
    user_id: UserId,
    caller: &Caller,
    fence: Fence,
) -> Result<Erased, Refusal> {
    let feed = &context.feed;
    // The planned one comes first.
    if feed
        .next_in_queue(portal_id)
        .await?
        .is_some_and(|next| next.planned)
    {
        return Ok(Erased::Planned);
    }
    for _ in 0..ATTEMPTS {
        let user = find(context, portal_id, user_id).await?;
        let identified = Identified {
            email: user.values.email.clone(),
            external_id: user.external_id.clone(),
            first_name: user.values.first_name.clone(),
            last_name: user.values.last_name.clone(),
        };
        let deletion = context.users.deletion(portal_id, &user)?;
        let now = (context.clock)();
        let deed = caller.does(portal_id, Action::UserErased { user_id }, now);
        let beside = (deletion, fence.clone(), feed.entry(portal_id, deed)?);
        let begun = feed.begin_erasure(portal_id, user_id, identified, beside, now);
        if begun.await? {
            feed.delete_assignments(portal_id, user_id).await?;
            return Ok(Erased::Done);
        }
    }
    Ok(Erased::Changed)
}
