//! Calls to Xero on behalf of a portal: with its tokens, which are refreshed once if Xero takes them no more, and to an
//! organisation one at a time, whoever asks.

use crate::context::Context;
use crate::failure::{Asked, Failure, Refused};
use crate::tokens;
use crate::xero::{Connection, ConnectionId, Country, Organisation, TenantId, XeroFailure};
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use mapping::import::Employee;
use mapping::problem::ProblemCode;
use oauth2::AccessToken;
use platform::failure::CallFailed;
use platform::feed::UploadId;
use platform::feed::xero::{ASKED_FOR, Calls, ChosenOrganisation, Connected, Turn, XeroConnection};
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

/// Somebody who waits for a page does not wait longer than this for others, or for Xero's limit.
const SHORT_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// How often it is looked whether it is our turn.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Makes a call; with another token once more, if Xero takes this one no more. A macro, because the futures of async
/// closures that borrow are not known to be `Send`, which `axum` wants.
macro_rules! called {
    ($session:ident, |$xero:ident, $access:ident| $call:expr) => {{
        let $xero = $session.context.xero().await?;
        let $access = $session.access().await?;
        match $call {
            Err(failure) if $session.has_dead_token(&failure) => {
                let $access = $session.other_access().await?;
                $call
            }
            answer => answer,
        }
    }};
}

/// A portal's calls.
pub(crate) struct Session<'c> {
    context: &'c Context,
    portal: PortalId,
    connected: Connected,
    pub(crate) connection: XeroConnection,
    /// Whose calls these are, if they are an import's.
    import: Option<UploadId>,
}

impl<'c> Session<'c> {
    /// With the tokens of this connection.
    pub(crate) fn new(
        context: &'c Context,
        portal: PortalId,
        connected: Connected,
        connection: XeroConnection,
    ) -> Self {
        Session {
            context,
            portal,
            connected,
            connection,
            import: None,
        }
    }

    /// The calls of an import, of which only one attempt is made at a time: it goes on in the turn of the one before,
    /// which may have died in it.
    pub(crate) fn for_import(mut self, upload_id: UploadId) -> Self {
        self.import = Some(upload_id);
        self
    }

    /// With the tokens of the portal's connection, or the refusal that there is none that works.
    pub(crate) async fn of(context: &'c Context, portal: PortalId) -> Result<Self, Failure> {
        context.app()?;
        let connection = context.feed.xero_connection(portal).await?;
        let connection =
            connection.ok_or_else(|| Failure::because(ProblemCode::XeroNotConnected))?;
        if connection.reconnect_needed {
            return Err(Failure::because(ProblemCode::XeroReconnectNeeded));
        }
        Ok(Session::new(context, portal, Connected::Now, connection))
    }

    /// The organisations that are connected now.
    pub(crate) async fn connections(&mut self) -> Result<Vec<Connection>, Failure> {
        let answer = called!(self, |xero, access| xero.connections(&access).await);
        let asked = match self.connected {
            Connected::Now => Asked::Access,
            Connected::Returning => Asked::Return,
        };
        match answer {
            Ok(connections) => Ok(connections),
            Err(failure) => Err(self.refused(asked, failure).await?),
        }
    }

    /// Disconnects an organisation.
    pub(crate) async fn delete_connection(&mut self, id: &ConnectionId) -> Result<(), Failure> {
        let answer = called!(self, |xero, access| xero
            .delete_connection(&access, id)
            .await);
        answer.map_err(|failure| Failure::of_xero(Asked::Return, &failure))
    }

    /// The organisation that was chosen, if it is connected still. No other takes its place.
    pub(crate) async fn chosen(&mut self) -> Result<(ChosenOrganisation, Country), Failure> {
        let chosen = self.connection.chosen.clone();
        let chosen =
            chosen.ok_or_else(|| Failure::because(ProblemCode::XeroOrganisationNotChosen))?;
        let connected = self.connections().await?;
        let is_it = |it: &Connection| it.tenant.to_string() == chosen.tenant_id;
        if !connected.iter().any(is_it) {
            return Err(Failure::saying(
                ProblemCode::XeroReconnectNeeded,
                "The organisation was disconnected in Xero. Connect it again; whoever was imported stays.",
            ));
        }
        let country = Country::from_code(&chosen.country);
        let country =
            country.ok_or_else(|| Failure::because(ProblemCode::XeroCountryNotSupported))?;
        Ok((chosen, country))
    }

    /// What the organisation is.
    pub(crate) async fn organisation(
        &mut self,
        tenant: &TenantId,
    ) -> Result<Organisation, Failure> {
        let calls = self.turn(tenant).await?;
        let answer = timeout(ASKED_FOR, self.ask_what_it_is(tenant)).await;
        self.answered(calls, Asked::Organisation, answer).await
    }

    async fn ask_what_it_is(
        &mut self,
        tenant: &TenantId,
    ) -> Result<Result<Organisation, XeroFailure>, Failure> {
        Ok(called!(self, |xero, access| xero
            .organisation(&access, tenant)
            .await))
    }

    /// Everybody whom the organisation has.
    pub(crate) async fn staff(
        &mut self,
        tenant: &TenantId,
        country: Country,
    ) -> Result<Vec<Employee>, Failure> {
        let calls = self.turn(tenant).await?;
        let answer = timeout(ASKED_FOR, self.ask_whom_it_has(tenant, country)).await;
        let answer = self.answered(calls, Asked::Staff, answer).await;
        if let Err(Failure::Refused(Refused {
            code: ProblemCode::XeroPayrollUnavailable,
            ..
        })) = &answer
        {
            // Payroll is not to blame if the organisation was disconnected since it was found to be connected.
            self.chosen().await?;
        }
        answer
    }

    async fn ask_whom_it_has(
        &mut self,
        tenant: &TenantId,
        country: Country,
    ) -> Result<Result<Vec<Employee>, XeroFailure>, Failure> {
        Ok(called!(self, |xero, access| xero
            .staff(&access, tenant, country)
            .await))
    }

    /// Others may ask the organisation now, whatever came of it, or from when Xero says.
    async fn answered<T>(
        &self,
        calls: Calls,
        asked: Asked,
        answer: Result<Result<Result<T, XeroFailure>, Failure>, Elapsed>,
    ) -> Result<T, Failure> {
        let not_before = match &answer {
            Ok(Ok(Err(XeroFailure::Busy { until }))) => Some(*until),
            _ => None,
        };
        self.context.feed.end_calls(calls, not_before).await?;
        match answer {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(failure))) => Err(self.refused(asked, failure).await?),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::because(ProblemCode::XeroUnavailable)),
        }
    }

    /// What it means that Xero did not say what it was asked for. Whoever looks while an import ends may have had the
    /// tokens of a connection that is given back by now: nobody has to connect again for that.
    async fn refused(&self, asked: Asked, failure: XeroFailure) -> Result<Failure, CallFailed> {
        if let XeroFailure::NotAllowed | XeroFailure::NotFound = failure
            && self.connected == Connected::Now
        {
            let stored = self.context.feed.xero_connection(self.portal).await?;
            if stored.is_none_or(|it| it.consent != self.connection.consent) {
                return Ok(Failure::because(ProblemCode::XeroNotConnected));
            }
        }
        Ok(Failure::of_xero(asked, &failure))
    }

    /// Our turn to ask the organisation; waits for it a little.
    async fn turn(&self, tenant: &TenantId) -> Result<Calls, Failure> {
        let clock = self.context.clock;
        let owner = match self.import {
            Some(import) => import.to_string(),
            None => (self.context.new_id)().to_string(),
        };
        let tenant = tenant.to_string();
        let give_up_at = clock() + SHORT_WAIT;
        loop {
            let now = clock();
            match self.context.feed.take_calls(&tenant, &owner, now).await? {
                Turn::Ours(calls) => return Ok(calls),
                Turn::NotBefore(until) if until > give_up_at => return Err(Failure::busy(until)),
                Turn::NotBefore(until) => sleep(until_then(now, until)).await,
                // Nobody waits for it at a screen: the next attempt finds it otherwise.
                Turn::Others if now >= give_up_at && self.import.is_some() => {
                    return Err(Failure::because(ProblemCode::Conflict));
                }
                Turn::Others if now >= give_up_at => {
                    return Err(Failure::busy(now + SignedDuration::from_mins(1)));
                }
                Turn::Others => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Whether another token is to be tried. A token that was revoked is one that may not, and only a refresh tells
    /// whether it was: who gives back must know, for then there is nothing left to be given back.
    fn has_dead_token(&self, failure: &XeroFailure) -> bool {
        match failure {
            XeroFailure::TokenExpired => true,
            XeroFailure::NotAllowed => self.connected == Connected::Returning,
            _ => false,
        }
    }

    /// A token for a call.
    async fn access(&mut self) -> Result<AccessToken, Failure> {
        let Session {
            context,
            portal,
            connected,
            connection,
            ..
        } = self;
        tokens::access(context, *portal, connected, connection).await
    }

    /// Another one, for Xero takes that one no more.
    async fn other_access(&mut self) -> Result<AccessToken, Failure> {
        let Session {
            context,
            portal,
            connected,
            connection,
            ..
        } = self;
        tokens::refreshed(context, *portal, connected, connection).await
    }
}

fn until_then(now: Timestamp, then: Timestamp) -> Duration {
    let left = then.duration_since(now);
    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(50)
}
