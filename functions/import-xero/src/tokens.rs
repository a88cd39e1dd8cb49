//! A portal's tokens: sealed, stored before they are used, and refreshed by one at a time (`docs/xero.md`, "Tokens").

use crate::context::Context;
use crate::failure::{Asked, Failure};
use crate::seal::Use;
use crate::xero::{Grant, XeroFailure};
use jiff::SignedDuration;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use oauth2::{AccessToken, RefreshToken};
use platform::clock::stamp;
use platform::failure::CallFailed;
use platform::feed::xero::{Connected, SealedTokens, XeroConnection};
use std::time::Duration;
use tokio::time::sleep;

/// A token that runs out this soon is refreshed before it is used.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// How often it is looked whether somebody else has refreshed the tokens, and how often that is done: a refresh is one
/// call to Xero, which takes 10 s at most.
const LOOK_EVERY: Duration = Duration::from_millis(300);
const LOOKS: usize = 40;

/// Both tokens, sealed, as they are stored.
pub(crate) async fn sealed(
    context: &Context,
    portal: PortalId,
    grant: &Grant,
    version: u64,
) -> Result<SealedTokens, CallFailed> {
    let seal = &context.seal;
    Ok(SealedTokens {
        access_token: seal
            .seal(portal, Use::Access, grant.access.secret())
            .await?,
        access_expires_at: stamp(grant.expires_at),
        refresh_token: seal
            .seal(portal, Use::Refresh, grant.refresh.secret())
            .await?,
        tokens_version: version,
    })
}

/// A token for calls. `connection` is as it was stored last afterwards.
pub(crate) async fn access(
    context: &Context,
    portal: PortalId,
    connected: &Connected,
    connection: &mut XeroConnection,
) -> Result<AccessToken, Failure> {
    let soon = stamp((context.clock)() + MARGIN);
    if connection.tokens.access_expires_at <= soon {
        return refreshed(context, portal, connected, connection).await;
    }
    let sealed = &connection.tokens.access_token;
    let token = context.seal.open(portal, Use::Access, sealed).await?;
    Ok(AccessToken::new(token))
}

/// Another token for calls than the one of `connection`, which Xero takes no more: somebody else's, or our own.
pub(crate) async fn refreshed(
    context: &Context,
    portal: PortalId,
    connected: &Connected,
    connection: &mut XeroConnection,
) -> Result<AccessToken, Failure> {
    let by = (context.new_id)().to_string();
    let version = connection.tokens.tokens_version;
    for _ in 0..LOOKS {
        let now = (context.clock)();
        let feed = &context.feed;
        if feed
            .begin_refresh(portal, connected, connection, &by, now)
            .await?
        {
            return refresh(context, portal, connected, connection).await;
        }
        sleep(LOOK_EVERY).await;
        *connection = stored(context, portal, connected, connection).await?;
        if connection.tokens.tokens_version != version {
            let sealed = &connection.tokens.access_token;
            let token = context.seal.open(portal, Use::Access, sealed).await?;
            return Ok(AccessToken::new(token));
        }
    }
    Err(Failure::because(ProblemCode::XeroUnavailable))
}

async fn refresh(
    context: &Context,
    portal: PortalId,
    connected: &Connected,
    connection: &mut XeroConnection,
) -> Result<AccessToken, Failure> {
    let sealed_refresh = &connection.tokens.refresh_token;
    let refresh = context
        .seal
        .open(portal, Use::Refresh, sealed_refresh)
        .await?;
    let feed = &context.feed;
    match context
        .xero()
        .await?
        .refresh(&RefreshToken::new(refresh))
        .await
    {
        Ok(grant) => {
            let next = connection.tokens.tokens_version + 1;
            let tokens = sealed(context, portal, &grant, next).await?;
            // Before it is used: the token of before is as good as gone.
            if !feed
                .store_tokens(portal, connected, connection, &tokens)
                .await?
            {
                return kept_elsewhere(context, portal, connected, connection, tokens, grant).await;
            }
            connection.tokens = tokens;
            Ok(grant.access)
        }
        Err(XeroFailure::InvalidGrant) => {
            let version = connection.tokens.tokens_version;
            *connection = stored(context, portal, connected, connection).await?;
            if connection.tokens.tokens_version != version {
                // Somebody whose time to refresh was over has come to an end after all.
                let sealed = &connection.tokens.access_token;
                let token = context.seal.open(portal, Use::Access, sealed).await?;
                return Ok(AccessToken::new(token));
            }
            if *connected == Connected::Now {
                feed.mark_reconnect_needed(portal, connection).await?;
                connection.reconnect_needed = true;
            }
            Err(Failure::because(ProblemCode::XeroReconnectNeeded))
        }
        Err(failure) => {
            feed.end_refresh(portal, connected, connection).await?;
            Err(Failure::of_xero(Asked::Access, &failure))
        }
    }
}

/// Tokens that could not be stored: they are, if it was sent twice, because the first answer was lost; or the connection
/// is to be given back by now, for which they are needed.
async fn kept_elsewhere(
    context: &Context,
    portal: PortalId,
    connected: &Connected,
    connection: &mut XeroConnection,
    tokens: SealedTokens,
    grant: Grant,
) -> Result<AccessToken, Failure> {
    let feed = &context.feed;
    let found = stored(context, portal, connected, connection).await;
    if found.is_ok_and(|found| found.tokens == tokens) {
        connection.tokens = tokens;
        return Ok(grant.access);
    }
    feed.store_tokens(portal, &Connected::Returning, connection, &tokens)
        .await?;
    Err(Failure::because(ProblemCode::Conflict))
}

/// The same connection as it is stored now.
async fn stored(
    context: &Context,
    portal: PortalId,
    connected: &Connected,
    connection: &XeroConnection,
) -> Result<XeroConnection, Failure> {
    let feed = &context.feed;
    let found = match connected {
        Connected::Now => feed.xero_connection(portal).await?,
        Connected::Returning => {
            let returns = feed.xero_returns(portal).await?;
            let mut returns = returns.into_iter().map(|it| it.connection);
            returns.find(|it| it.consent == connection.consent)
        }
    };
    found
        .filter(|found| found.consent == connection.consent)
        .ok_or_else(|| Failure::because(ProblemCode::XeroNotConnected))
}
