//! Connections are given back to Xero: deleted there by their ids, and the tokens revoked if no other portal has tokens
//! of the same Xero user, for revoking takes them all. Only when Xero has confirmed are the tokens deleted here.

use crate::context::Context;
use crate::failure::{Asked, Failure, Refused};
use crate::seal::Use;
use crate::session::Session;
use crate::xero::XeroFailure;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use oauth2::RefreshToken;
use platform::feed::xero::{Connected, XeroReturn};

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
            // The tokens are dead, and with them there is nothing left that could be given back by them.
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

async fn at_xero(context: &Context, portal: PortalId, it: &XeroReturn) -> Result<(), Failure> {
    let ours = it.connection.clone();
    let in_use = context.feed.in_use(portal, &ours).await?;
    let mut session = Session::new(context, portal, Connected::Returning, ours);
    for connection in session.connections().await? {
        let (tenant, event) = (
            connection.tenant.to_string(),
            connection.auth_event.as_ref(),
        );
        let event = event.map(ToString::to_string);
        let it = &session.connection;
        let chosen = it
            .chosen
            .as_ref()
            .is_some_and(|chosen| chosen.tenant_id == tenant);
        // Which consent it was made by is not always known; then it is ours unless somebody else uses it.
        let by_us = chosen || it.auth_event.is_none() || event.is_none() || event == it.auth_event;
        if !by_us || in_use.has(&tenant, event.as_deref()) {
            continue;
        }
        session.delete_connection(&connection.id).await?;
    }
    if in_use.any {
        return Ok(());
    }
    let sealed = &session.connection.tokens.refresh_token;
    let refresh = context.seal.open(portal, Use::Refresh, sealed).await?;
    let xero = context.xero().await?;
    match xero.revoke(&RefreshToken::new(refresh)).await {
        Ok(()) | Err(XeroFailure::InvalidGrant) => Ok(()),
        Err(failure) => Err(Failure::of_xero(Asked::Return, failure)),
    }
}
