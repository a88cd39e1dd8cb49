//! The way to Xero: a state that is known to nobody else, bound to the browser and used once, and the address of Xero's
//! consent page. What comes back is `callback`'s.

use crate::context::Context;
use crate::failure::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use platform::feed::xero::{ATTEMPT_LIFETIME, Attempt, BegunBy};
use platform::web::{AdministratorOf, Refusal};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use url::Url;
use utoipa::ToSchema;

/// Where to send the browser.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthoriseUrl)]
pub(crate) struct AuthoriseAnswer {
    /// Xero's consent page. Works for ten minutes, in the browser that got this answer alone: it has a cookie.
    #[schema(value_type = String, format = "uri")]
    pub(crate) authorise_url: Url,
}

/// Connect with Xero
///
/// Whoever opens the page signs in at Xero, chooses an organisation and allows Go1 access. Xero sends them back to
/// `GET /xero/callback`. A connection that there is stays until then, and is given back after it.
#[utoipa::path(
    post, path = "/portals/{portal_id}/xero/connection", operation_id = "connect_xero", tag = "Administrators",
    responses(
        (status = 201, description = "Where to send the browser.", body = AuthoriseAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`, `import_running`, `conflict`"),
    ),
)]
pub(crate) async fn connect(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<Response, Refusal> {
    context.portal(portal_id).await?;
    if context.feed.pending_import(portal_id).await?.is_some() {
        return Err(Refusal::new(ProblemCode::ImportRunning));
    }
    let begun_by = BegunBy::Caller {
        email: caller.email.clone(),
        acting_as: caller.acting_as(portal_id),
    };
    send_to_xero(&context, portal_id, begun_by)
        .await
        .map_err(context.refuse())
}

/// Begins an attempt, and answers where the browser is to go, with the cookie that it comes back with.
pub(crate) async fn send_to_xero(
    context: &Context,
    portal_id: PortalId,
    begun_by: BegunBy,
) -> Result<Response, Failure> {
    let xero = context.xero().await?;
    let state = format!(
        "{portal_id}.{}",
        URL_SAFE_NO_PAD.encode((context.random)()?)
    );
    let verifier = PkceCodeVerifier::new(URL_SAFE_NO_PAD.encode((context.random)()?));
    let attempt = Attempt::new(challenge_of(&verifier), begun_by, (context.clock)());
    let feed = &context.feed;
    if !feed
        .begin_attempt(portal_id, &hash_of(&state), &attempt, (context.clock)())
        .await?
    {
        return Err(Failure::because(ProblemCode::Conflict));
    }
    let authorise_url = xero.authorise_url(&state, &verifier);
    let cookie = cookie_of(context, &state, verifier.secret())?;
    let cookie = HeaderValue::try_from(cookie.to_string())
        .map_err(platform::failure::CallFailed::to("write a cookie"))?;
    let body = Json(AuthoriseAnswer { authorise_url });
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::CREATED, headers, body).into_response())
}

/// What the table knows a state by.
pub(crate) fn hash_of(state: &str) -> String {
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(state) {
        // Writing to a text does not fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// What the table knows a browser by: the S256 challenge of what its cookie holds.
pub(crate) fn challenge_of(verifier: &PkceCodeVerifier) -> String {
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(verifier);
    challenge.as_str().to_owned()
}

/// The name of the cookie of a state: two attempts in one browser do not disturb one another. With the prefix no
/// neighbouring site can set it (RFC 6265bis, 4.1.3.2), which needs https.
pub(crate) fn cookie_name(context: &Context, state: &str) -> Result<String, Failure> {
    Ok(name_of(is_https(context)?, state))
}

fn name_of(https: bool, state: &str) -> String {
    let prefix = if https { "__Host-" } else { "" };
    format!("{prefix}xero-{}", &hash_of(state)[..16])
}

/// The cookie of a state, until the attempt ends; an empty one takes it away.
pub(crate) fn cookie_of(
    context: &Context,
    state: &str,
    value: &str,
) -> Result<Cookie<'static>, Failure> {
    Ok(baked(is_https(context)?, state, value))
}

fn baked(https: bool, state: &str, value: &str) -> Cookie<'static> {
    let lifetime = if value.is_empty() {
        0
    } else {
        ATTEMPT_LIFETIME.as_secs()
    };
    Cookie::build((name_of(https, state), value.to_owned()))
        .path("/")
        .http_only(true)
        .secure(https)
        // Xero's redirect is a navigation from another site.
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::seconds(lifetime))
        .build()
}

/// Whether browsers come back by https. They do, but on the local cloud.
fn is_https(context: &Context) -> Result<bool, Failure> {
    Ok(context.app()?.registered.redirect_uri.scheme() == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_https_no_neighbouring_site_can_set_the_cookie_or_read_it() {
        let state = "1001.state";
        let name = "xero-10460843d93dee02";
        let attributes = "HttpOnly; SameSite=Lax; Secure; Path=/";
        assert_eq!(
            baked(true, state, "verifier").to_string(),
            format!("__Host-{name}=verifier; {attributes}; Max-Age=600")
        );
        assert_eq!(
            baked(true, state, "").to_string(),
            format!("__Host-{name}=; {attributes}; Max-Age=0")
        );
        // The local cloud has no https; a browser would keep neither.
        let cookie = baked(false, state, "verifier");
        assert_eq!((cookie.name(), cookie.secure()), (name, Some(false)));
        assert_ne!(name_of(true, "1002.state"), name_of(true, state));
    }
}
