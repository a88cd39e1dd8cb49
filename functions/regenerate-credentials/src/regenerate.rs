//! Issuing a key pair in the place of another: the new key is made, then the old ones are removed. IAM allows two
//! keys. Whatever fails on the way, the customer has a key that works, and the next attempt puts things in order.

use crate::context::Context;
use crate::key_pairs::{Ensured, IssuedKey, KeyPair, KeyPairs, Secret};
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::failure::CallFailed;
use platform::feed::Action;
use platform::web::{Caller, Refusal};
use std::time::Duration;
use tokio::time::timeout;

/// What comes after it has to fit into the time of a request too.
const FOLDER: Duration = Duration::from_secs(3);

/// The key that the customer has: the one that was recorded, else the oldest. A newer one beside it was made by an
/// attempt that failed, and nobody has ever seen its secret.
pub(crate) fn customers(mut keys: Vec<KeyPair>, issued: Option<&str>) -> Option<KeyPair> {
    let recorded = |key: &KeyPair| Some(key.access_key_id.as_str()) == issued;
    if let Some(at) = keys.iter().position(recorded) {
        return Some(keys.swap_remove(at));
    }
    keys.into_iter()
        .min_by(|a, b| (a.created_at, &a.access_key_id).cmp(&(b.created_at, &b.access_key_id)))
}

/// A key pair that the customer is told of now.
pub(crate) struct Regenerated {
    pub(crate) key: KeyPair,
    pub(crate) secret: Secret,
    /// See [`KeyPairs::users_percent`]; counted when the portal's user was made for it.
    pub(crate) users_percent: Option<u64>,
}

/// One at a time for each portal.
pub(crate) async fn regenerate(
    context: &Context,
    portal_id: PortalId,
    caller: &Caller,
) -> Result<Regenerated, Refusal> {
    let owner = (context.new_id)().to_string();
    let now = (context.clock)();
    if !context.feed.begin_issuing(portal_id, &owner, now).await? {
        return Err(Refusal::new(ProblemCode::RegenerationInProgress));
    }
    make_folder(context, portal_id).await;
    let issued = issue(context, portal_id).await;
    let key = issued.as_ref().ok().map(|(issued, _)| &issued.key);
    // The pair is issued, whether or not that is recorded: IAM says the same, and the time of the lock ends.
    if let Err(error) = record(context, portal_id, &owner, key, caller).await {
        tracing::error!(%portal_id, ?error, "the key pair was not recorded");
    }
    let (IssuedKey { key, secret }, ensured) = issued?;
    let users_percent = match ensured {
        Ensured::Now => users_percent(context).await,
        Ensured::Before => None,
    };
    Ok(Regenerated {
        key,
        secret,
        users_percent,
    })
}

/// Clients with a window do not open a portal that nothing was put for yet, unless it has its folder. Made before there is
/// a pair that could be lost by it; a pair without a folder works for everybody else, and the next one has it made.
async fn make_folder(context: &Context, portal_id: PortalId) {
    let made = timeout(FOLDER, context.files.make_folder(portal_id)).await;
    if let Err(error) =
        made.unwrap_or_else(|_| Err(CallFailed::new("make the portal's folder", "3 s are over")))
    {
        tracing::warn!(%portal_id, ?error, "the portal's folder was not made");
    }
}

/// The account's limit comes nearer with each portal; nobody should hear of it from a customer.
async fn users_percent(context: &Context) -> Option<u64> {
    let counted = context.key_pairs.users_percent().await;
    counted.unwrap_or_else(|error| {
        tracing::warn!(?error, "the account's users were not counted");
        None
    })
}

async fn record(
    context: &Context,
    portal_id: PortalId,
    owner: &str,
    key: Option<&KeyPair>,
    caller: &Caller,
) -> Result<(), CallFailed> {
    let issued = match key {
        Some(key) => {
            let access_key_id = key.access_key_id.clone();
            let action = Action::KeyPairIssued { access_key_id };
            let deed = caller.does(portal_id, action, (context.clock)());
            Some((&*key.access_key_id, context.feed.entry(portal_id, deed)?))
        }
        None => None,
    };
    context.feed.end_issuing(portal_id, owner, issued).await
}

async fn issue(context: &Context, portal_id: PortalId) -> Result<(IssuedKey, Ensured), Refusal> {
    let pairs = &context.key_pairs;
    let ensured = pairs
        .ensure_user(portal_id)
        .await
        .map_err(|error| failed(&error))?;
    let Some(ensured) = ensured else {
        return Err(Refusal::new(ProblemCode::CredentialsQuota));
    };
    let recorded = context
        .feed
        .issued_key(portal_id)
        .await
        .map_err(|error| failed(&error))?;
    let keys = pairs.of(portal_id).await.map_err(|error| failed(&error))?;
    let customers = customers(keys.clone(), recorded.as_deref());
    // What an attempt before has left behind makes room.
    for key in keys.iter().filter(|key| Some(*key) != customers.as_ref()) {
        pairs
            .remove(portal_id, &key.access_key_id)
            .await
            .map_err(|error| failed(&error))?;
    }
    let issued = pairs
        .create(portal_id)
        .await
        .map_err(|error| failed(&error))?;
    if let Some(old) = &customers
        && let Err(error) = pairs.remove(portal_id, &old.access_key_id).await
        // It may have been removed all the same.
        && pairs.has(portal_id, &old.access_key_id).await.unwrap_or(true)
    {
        // The customer keeps the old one, then. The new one, of which nobody has heard, is left to the next attempt: if
        // IAM has removed the old one after all, and only does not say so yet, it must not be the last that goes.
        return Err(failed(&error));
    }
    if let Err(error) = remove_unseen(pairs, portal_id, &issued.key).await {
        tracing::warn!(%portal_id, ?error, "a key that nobody has may be left to the next attempt");
    }
    Ok((issued, ensured))
}

/// IAM may have made a key and its answer was lost; the one that was issued came with the repetition.
async fn remove_unseen(
    pairs: &KeyPairs,
    portal_id: PortalId,
    issued: &KeyPair,
) -> Result<(), CallFailed> {
    for key in pairs.of(portal_id).await? {
        if key.access_key_id != issued.access_key_id {
            pairs.remove(portal_id, &key.access_key_id).await?;
        }
    }
    Ok(())
}

fn failed(error: &CallFailed) -> Refusal {
    tracing::error!(?error, "the key pair was not regenerated");
    Refusal::new(ProblemCode::RegenerationFailed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn key(id: &str, second: i64) -> KeyPair {
        KeyPair {
            access_key_id: id.to_owned(),
            created_at: Timestamp::from_second(second).unwrap(),
            last_used_at: None,
        }
    }

    #[test]
    fn the_customer_has_the_recorded_key_or_else_the_oldest() {
        let keys = || vec![key("NEW", 2), key("OLD", 1)];
        let of = |keys, issued| customers(keys, issued).map(|key| key.access_key_id);
        assert_eq!(of(Vec::new(), Some("OLD")), None);
        assert_eq!(of(keys(), None).as_deref(), Some("OLD"));
        assert_eq!(of(keys(), Some("GONE")).as_deref(), Some("OLD"));
        assert_eq!(of(keys(), Some("NEW")).as_deref(), Some("NEW"));
        assert_eq!(of(vec![key("A", 1)], Some("B")).as_deref(), Some("A"));
    }
}
