//! The way back from Xero. Nobody is signed in here: who comes back is told by the state, which is known to nobody else,
//! and by the cookie of the browser in which it was begun. The state is used up before the code is exchanged, and the
//! tokens are stored before they are used. Where the browser goes then, the stack says.

use crate::connect::{challenge_of, cookie_name, cookie_of, hash_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::pages::{Page, page_of, safe_headers};
use crate::sign_up::{self, Applicant};
use crate::tokens;
use crate::xero::{Grant, XeroFailure};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cookie::Cookie;
use jiff::SignedDuration;
use mapping::identity::PortalId;
use oauth2::{AuthorizationCode, PkceCodeVerifier};
use platform::clock::stamp;
use platform::failure::CallFailed;
use platform::feed::xero::{Attempt, BegunBy, Connecting, XeroConnection};
use platform::feed::{Action, Deed};
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// Every verifier has as many (RFC 7636, 4.1); `oauth2` panics at others.
const VERIFIER_CHARS: RangeInclusive<usize> = 43..=128;

/// From the exchange of a code to its end, however slow everything is: the function's time limit (template.yaml).
const LONGEST_WAY: SignedDuration = SignedDuration::from_mins(5);

/// Come back from Xero
///
/// Xero sends the browser here. An answer is a page, or the way to the portal's own.
#[utoipa::path(
    get, path = "/xero/callback", operation_id = "come_back_from_xero", tag = "Everybody",
    params(
        ("state" = Option<String>, Query, description = "As it was sent to Xero."),
        ("code" = Option<String>, Query, description = "Xero's word that access was allowed."),
        ("error" = Option<String>, Query, description = "Xero's word that it was not."),
    ),
    responses(
        (status = 200, description = "Cancelled: a page that says so. Connected or signed up, if the stack has no page.",
            content_type = "text/html", body = String),
        (status = 303, description = "Connected or signed up: the way to the portal's page."),
        (status = 400, description = "Nobody is expected back like this: a page that says so.",
            content_type = "text/html", body = String),
        (status = 409, description = "An import is running, or there is an account: a page that says so.",
            content_type = "text/html", body = String),
        (status = 500, description = "Something went wrong on our side: a page that says so.",
            content_type = "text/html", body = String),
        (status = 503, description = "Xero does not answer: a page that says so.",
            content_type = "text/html", body = String),
    ),
)]
pub(crate) async fn come_back(
    State(context): State<Context>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let portal_url = context.portal_url.as_ref();
    let back = match Back::expected(&context, &headers, &query).await {
        Ok(Some(back)) => back,
        Ok(None) => return Page::NotExpected.response(portal_url, None),
        Err(failure) => return broken(&context, &failure, None),
    };
    let portal = back.portal_of_its_own();
    let state = back.state.clone();
    let came = match query.get("code") {
        Some(code) => back.arrive(&context, code).await,
        // `access_denied` most often; whatever it is, there is no code.
        None => Ok(Came::To(Page::Cancelled)),
    };
    let mut response = match came {
        Ok(Came::ToPortal(portal)) => match portal_url {
            Some(url) => to_portal(&page_of(url, portal)),
            None => Page::Connected.response(None, None),
        },
        Ok(Came::ToNewPortal(portal)) => match portal_url {
            Some(url) => to_portal(&format!("{}?signed_up", page_of(url, portal))),
            None => Page::SignedUp.response(None, None),
        },
        Ok(Came::To(page)) => page.response(portal_url, portal),
        Err(failure) => broken(&context, &failure, portal),
    };
    // The cookie has done its work.
    if let Ok(cookie) = cookie_of(&context, &state, "")
        && let Ok(cookie) = HeaderValue::try_from(cookie.to_string())
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn to_portal(url: &str) -> Response {
    let mut headers = safe_headers();
    match HeaderValue::try_from(url) {
        Ok(url) => _ = headers.insert(header::LOCATION, url),
        Err(_) => return Page::Connected.response(None, None),
    }
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Printed here, once; the browser hears only that.
fn broken(context: &Context, failure: &Failure, portal: Option<PortalId>) -> Response {
    tracing::error!(error = ?failure, "coming back from Xero failed");
    Page::Broken.response(context.portal_url.as_ref(), portal)
}

/// Where somebody came to.
enum Came {
    /// The portal is connected.
    ToPortal(PortalId),
    /// There is a new one, and its administrator has a mail.
    ToNewPortal(PortalId),
    /// A page says what came of it.
    To(Page),
}

/// Somebody who was expected back, and nobody else can be any more.
struct Back {
    portal: PortalId,
    state: String,
    attempt: Attempt,
    verifier: PkceCodeVerifier,
}

impl Back {
    /// `None`: nobody is expected like this. Nothing is changed then, so that nobody can use up another's state.
    async fn expected(
        context: &Context,
        headers: &HeaderMap,
        query: &HashMap<String, String>,
    ) -> Result<Option<Self>, Failure> {
        let Some(state) = query.get("state") else {
            return Ok(None);
        };
        let portal = state
            .split_once('.')
            .and_then(|(portal, _)| portal.parse().ok());
        let Some(portal) = portal else {
            return Ok(None);
        };
        let feed = &context.feed;
        let hash = hash_of(state);
        let Some(attempt) = feed.attempt(portal, &hash).await? else {
            return Ok(None);
        };
        let verifier = cookie(headers, &cookie_name(context, state)?)
            .filter(|value| VERIFIER_CHARS.contains(&value.len()))
            .map(PkceCodeVerifier::new)
            .filter(|verifier| challenge_of(verifier) == attempt.challenge);
        let Some(verifier) = verifier else {
            return Ok(None);
        };
        if attempt.has_expired((context.clock)()) || !feed.take_attempt(portal, &hash).await? {
            return Ok(None);
        }
        Ok(Some(Back {
            portal,
            state: state.clone(),
            attempt,
            verifier,
        }))
    }

    /// Of somebody who signs up there is none yet.
    fn portal_of_its_own(&self) -> Option<PortalId> {
        match self.attempt.begun_by {
            BegunBy::Caller { .. } => Some(self.portal),
            BegunBy::SigningUp { .. } => None,
        }
    }

    async fn arrive(self, context: &Context, code: &str) -> Result<Came, Failure> {
        let code = AuthorizationCode::new(code.to_owned());
        // At once: a code is good for half a minute.
        let grant = match context.xero().await?.exchange(code, self.verifier).await {
            Ok(grant) => grant,
            Err(XeroFailure::InvalidGrant) => return Ok(Came::To(Page::CodeRefused)),
            Err(failure) => {
                tracing::warn!(error = ?failure, "Xero did not exchange a code");
                return Ok(Came::To(Page::XeroUnavailable));
            }
        };
        let kept = Kept::of(context, self.portal, &grant).await?;
        match self.attempt.begun_by {
            BegunBy::Caller { email, acting_as } => {
                let deed = Deed {
                    by: email,
                    acting_as,
                    at: (context.clock)(),
                    action: Action::XeroConnected,
                };
                connected(context, &kept, deed).await
            }
            BegunBy::SigningUp { name, country } => {
                signed_up(context, &kept, &grant, &name, &country).await
            }
        }
    }
}

/// What Xero has just allowed, kept before anything else is done: should nothing come of it, it is given back.
struct Kept {
    portal: PortalId,
    connection: XeroConnection,
}

impl Kept {
    async fn of(context: &Context, portal: PortalId, grant: &Grant) -> Result<Self, CallFailed> {
        let now = (context.clock)();
        let connection = XeroConnection {
            consent: (context.new_id)().to_string(),
            connected_at: stamp(now),
            xero_user: grant.xero_user.as_ref().map(ToString::to_string),
            auth_event: grant.auth_event.as_ref().map(ToString::to_string),
            chosen: None,
            tokens: tokens::sealed(context, portal, grant, 1).await?,
            reconnect_needed: false,
        };
        let feed = &context.feed;
        feed.keep_to_return(portal, &connection, now + LONGEST_WAY)
            .await?;
        Ok(Kept { portal, connection })
    }

    /// Nothing comes of it.
    async fn give_back(&self, context: &Context) -> Result<(), CallFailed> {
        let now = (context.clock)();
        let feed = &context.feed;
        feed.keep_to_return(self.portal, &self.connection, now)
            .await?;
        context.wake(self.portal).await;
        Ok(())
    }

    /// Connects a portal by it. `false`: an import is under way, or the portal is gone, or there.
    async fn connect(
        &self,
        context: &Context,
        portal: PortalId,
        connection: &XeroConnection,
        deed: Option<Deed>,
    ) -> Result<bool, CallFailed> {
        let feed = &context.feed;
        // The tokens of before may be refreshed by somebody who looks at the overview, at this very moment.
        for _ in 0..3 {
            let before = feed.xero_connection(portal).await?;
            let now = (context.clock)();
            let entry = deed.clone().map(|deed| feed.entry(portal, deed));
            let change = Connecting {
                connection,
                before: before.as_ref(),
                kept_at: self.portal,
                portal_is_there: deed.is_some(),
            };
            if feed
                .connect_xero(portal, &change, now, entry.transpose()?)
                .await?
            {
                if before.is_some() {
                    context.wake(portal).await;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A portal that there is.
async fn connected(context: &Context, kept: &Kept, deed: Deed) -> Result<Came, Failure> {
    let portal = kept.portal;
    if kept
        .connect(context, portal, &kept.connection, Some(deed))
        .await?
    {
        return Ok(Came::ToPortal(portal));
    }
    kept.give_back(context).await?;
    Ok(Came::To(Page::Busy))
}

/// A portal that is to be.
async fn signed_up(
    context: &Context,
    kept: &Kept,
    grant: &Grant,
    name: &str,
    country: &str,
) -> Result<Came, Failure> {
    let accounts = context.accounts.as_ref();
    let accounts = accounts.ok_or_else(|| CallFailed::new("sign up", "there is no user pool"))?;
    let applicant = sign_up::applicant(context, accounts, grant.who.as_ref()).await?;
    let (portal, connection) = match &applicant {
        Applicant::New(_) => (kept.portal, kept.connection.clone()),
        // Sealed to the number that their account has.
        Applicant::Interrupted(_, portal) => {
            let tokens = tokens::sealed(context, *portal, grant, 1).await?;
            let connection = kept.connection.clone();
            (
                *portal,
                XeroConnection {
                    tokens,
                    ..connection
                },
            )
        }
        Applicant::Known | Applicant::NoAddress => {
            kept.give_back(context).await?;
            let known = matches!(applicant, Applicant::Known);
            let page = if known {
                Page::AccountThere
            } else {
                Page::NoAddress
            };
            return Ok(Came::To(page));
        }
    };
    if !kept.connect(context, portal, &connection, None).await? {
        kept.give_back(context).await?;
        return Ok(Came::To(Page::Busy));
    }
    if sign_up::make(context, accounts, portal, applicant, name, country).await? {
        return Ok(Came::ToNewPortal(portal));
    }
    let now = (context.clock)();
    let feed = &context.feed;
    feed.return_xero(portal, &connection, now, None).await?;
    context.wake(portal).await;
    Ok(Came::To(Page::Busy))
}

/// The value of the browser's cookie of this name.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let mut all = all.filter_map(|header| header.to_str().ok());
    all.find_map(|header| {
        let mut cookies = Cookie::split_parse(header.to_owned()).filter_map(Result::ok);
        let found = cookies.find(|cookie| cookie.name() == name)?;
        Some(found.value().to_owned())
    })
}
