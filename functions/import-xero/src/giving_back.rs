//! Connections are given back to Xero: deleted there by their ids, and the tokens revoked if no other portal has tokens
//! of the same Xero user, for revoking takes them all. Only when Xero has confirmed are the tokens deleted here.

use crate::context::Context;
use crate::failure::{Asked, Failure, Refused};
use crate::seal::Use;
use crate::session::Session;
use crate::xero::{Connection, XeroFailure};
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use oauth2::RefreshToken;
use platform::feed::xero::{Connected, XeroConnection, XeroReturn};

/// Gives back what is due of the portal's.
pub(crate) async fn give_back(context: &Context, portal: PortalId) -> Result<(), Failure> {
    let feed = &context.feed;
    for it in feed.xero_returns(portal).await? {
        let now = (context.clock)();
        if !feed.claim_return(portal, &it, now).await? {
            continue;
        }
        if it.is_hopeless(now) {
            tracing::warn!(portal_id = %portal, "a connection with Xero was not given back before its tokens died");
            feed.end_return(portal, &it.connection).await?;
            continue;
        }
        match at_xero(context, portal, &it).await {
            Ok(()) => feed.end_return(portal, &it.connection).await?,
            // A refresh was refused: the tokens are dead, and with them whatever they could give back.
            Err(Failure::Refused(Refused {
                code: ProblemCode::XeroReconnectNeeded,
                ..
            })) => feed.end_return(portal, &it.connection).await?,
            Err(Failure::Refused(refused)) => {
                let reason = refused.code.as_str();
                tracing::info!(portal_id = %portal, reason, "a connection with Xero is given back later");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// What stays connected is looked up as late as can be: somebody may connect at this moment.
async fn at_xero(context: &Context, portal: PortalId, it: &XeroReturn) -> Result<(), Failure> {
    let feed = &context.feed;
    let ours = it.connection.clone();
    let mut session = Session::new(context, portal, Connected::Returning, ours);
    let mut refused = None;
    for connection in session.connections().await? {
        let tenant = connection.tenant.to_string();
        if !is_ours(&session.connection, &connection)
            || feed.in_use(&session.connection).await?.has(&tenant)
        {
            continue;
        }
        // One that cannot be given back keeps none of the others.
        match session.delete_connection(&connection.id).await {
            Ok(()) => {}
            Err(Failure::Refused(failure)) => refused = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    if feed.in_use(&session.connection).await?.any {
        return refused.map_or(Ok(()), |refused| Err(Failure::Refused(refused)));
    }
    // With this the user has no connection to us any more, whatever was refused before.
    let sealed = &session.connection.tokens.refresh_token;
    let refresh = context.seal.open(portal, Use::Refresh, sealed).await?;
    let xero = context.xero().await?;
    match xero.revoke(&RefreshToken::new(refresh)).await {
        Ok(()) | Err(XeroFailure::InvalidGrant) => Ok(()),
        Err(failure) => Err(Failure::of_xero(Asked::Return, &failure)),
    }
}

/// Whether a connection is one that this consent has made. That is not always known: then it is, if at least it is known
/// who has consented, for what others of them use is looked up.
fn is_ours(ours: &XeroConnection, connection: &Connection) -> bool {
    let tenant = connection.tenant.to_string();
    let event = connection.auth_event.as_ref().map(ToString::to_string);
    let chosen = ours.chosen.as_ref();
    if chosen.is_some_and(|chosen| chosen.tenant_id == tenant) {
        return true;
    }
    match (&ours.auth_event, event) {
        (Some(ours), Some(event)) => *ours == event,
        _ => ours.xero_user.is_some(),
    }
}
