//! The way to Xero's consent page, and tokens: the authorisation code flow of OAuth 2 (RFC 6749) with PKCE (RFC 7636).
//!
//! A code is used up by the exchange and a refresh token by the refresh, so neither call is repeated here. The
//! refresh token of before is taken by Xero for 30 minutes more; who calls may try again with it in that time.

use super::app::{Addresses, Xero, XeroApp};
use super::call::{Answer, Repeat};
use super::failure::{Cause, XeroFailure};
use super::identity::{self, Identity};
use super::ids::{AuthEventId, XeroUserId};
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AuthUrl, AuthorizationCode, Client, ClientId, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::pin::Pin;
use url::Url;

/// If Xero does not say how long an access token is good for: 30 minutes, as ever.
const ACCESS_SECONDS: u64 = 30 * 60;

/// Whatever claims to be good for longer than a day is refreshed after a day.
const LONGEST_ACCESS_SECONDS: u64 = 24 * 60 * 60;

/// What somebody has allowed us. It has no `Debug`: it holds who they are.
pub struct Grant {
    /// For calls.
    pub access: AccessToken,
    /// For the next grant, once.
    pub refresh: RefreshToken,
    /// When `access` runs out, at the latest.
    pub expires_at: Timestamp,
    /// Who has consented. Only after [`Xero::exchange`]; `None` if Xero does not say it as it should.
    pub who: Option<Identity>,
    /// The consent. What was connected in it has this id, as a rule: good for a suggestion, not for a decision.
    pub auth_event: Option<AuthEventId>,
    /// Whose tokens these are: revoking one revokes all that this user has given our app.
    pub xero_user: Option<XeroUserId>,
}

/// A call of `oauth2`'s that is under way.
type TokenCall = Pin<Box<dyn Future<Output = Result<HttpResponse, XeroFailure>> + Send>>;

/// The answer with tokens, as Xero extends it.
type Tokens = StandardTokenResponse<WithIdentity, BasicTokenType>;

/// The `oauth2` crate's client, with the two URLs that it calls by itself. Its revocation takes no `http` URL, which
/// tests need; ours is below.
pub(super) type OauthClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What OIDC adds to the answer.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct WithIdentity {
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdentity {}

/// `oauth2` wants one. The token holds name and address.
impl fmt::Debug for WithIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithIdentity")
    }
}

pub(super) fn client(app: &XeroApp, at: &Addresses) -> OauthClient {
    Client::new(ClientId::new(app.client_id.clone()))
        .set_client_secret(app.client_secret.clone())
        .set_auth_uri(AuthUrl::from_url(at.authorise.clone()))
        .set_token_uri(TokenUrl::from_url(at.token.clone()))
        .set_redirect_uri(RedirectUrl::from_url(app.redirect_uri.clone()))
}

impl Xero {
    /// Where the browser is sent, so that somebody consents. `state` comes back with the code; `verifier` is needed
    /// to exchange it.
    pub fn authorise_url(&self, state: &str, verifier: &PkceCodeVerifier) -> Url {
        let mut request = self
            .oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scopes(self.app.scopes.iter().cloned().map(Scope::new));
        if self.app.pkce {
            let challenge = PkceCodeChallenge::from_code_verifier_sha256(verifier);
            request = request.set_pkce_challenge(challenge);
        }
        request.url().0
    }

    /// Tokens for the code that came back. A code is good for half a minute: exchange it at once.
    ///
    /// # Errors
    ///
    /// [`XeroFailure::InvalidGrant`]: the code was used before, ran out, is not Xero's, or has another verifier.
    pub async fn exchange(
        &self,
        code: AuthorizationCode,
        verifier: PkceCodeVerifier,
    ) -> Result<Grant, XeroFailure> {
        let asked_at = (self.clock)();
        let mut request = self.oauth.exchange_code(code);
        if self.app.pkce {
            request = request.set_pkce_verifier(verifier);
        }
        let http = self.token_calls();
        let tokens = request.request_async(&http).await.map_err(refused)?;
        let refresh = tokens
            .refresh_token()
            .cloned()
            .ok_or(XeroFailure::Malformed("tokens without a refresh token"))?;
        let who = tokens.extra_fields().id_token.as_deref().and_then(|token| {
            identity::read(token, &self.app, asked_at)
                .inspect_err(
                    |reason| tracing::warn!(%reason, "Xero's word on who consented is not taken"),
                )
                .ok()
        });
        Ok(grant(&tokens, refresh, who, asked_at))
    }

    /// New tokens. Store them before they are used: the refresh token of before is as good as gone.
    ///
    /// # Errors
    ///
    /// [`XeroFailure::InvalidGrant`]: it was used more than 30 minutes ago, not used for 60 days, or revoked.
    pub async fn refresh(&self, refresh: &RefreshToken) -> Result<Grant, XeroFailure> {
        let asked_at = (self.clock)();
        let http = self.token_calls();
        let tokens = self
            .oauth
            .exchange_refresh_token(refresh)
            .request_async(&http)
            .await
            .map_err(refused)?;
        // Where no new one is issued, the old one goes on (RFC 6749, 6).
        let next = tokens.refresh_token().unwrap_or(refresh).clone();
        Ok(grant(&tokens, next, None, asked_at))
    }

    /// Takes back everything: all tokens of the Xero user whose token this is, and all their connections to our app,
    /// also those that another portal has made. One that is dead already is no error (RFC 7009, 2.2).
    ///
    /// # Errors
    ///
    /// Xero has not confirmed it.
    pub async fn revoke(&self, refresh: &RefreshToken) -> Result<(), XeroFailure> {
        let request = || {
            self.http
                .post(self.at.revocation.clone())
                .basic_auth(&self.app.client_id, Some(self.app.client_secret.secret()))
                .form(&[("token", refresh.secret())])
        };
        let answer = self.call(Repeat::Never, request).await?;
        answer.success().map(|_| ())
    }

    /// Our HTTP client, as `oauth2` takes one. Boxed and without borrows: a handler's future has to be `Send`, which the
    /// compiler does not see through `oauth2`'s lifetimes.
    fn token_calls(&self) -> impl Fn(HttpRequest) -> TokenCall {
        let xero = self.clone();
        move |request| {
            let xero = xero.clone();
            Box::pin(async move { xero.token_call(request).await })
        }
    }

    /// A call of `oauth2`'s, by our HTTP client.
    async fn token_call(&self, request: HttpRequest) -> Result<HttpResponse, XeroFailure> {
        let (parts, body) = request.into_parts();
        let request = || {
            self.http
                .post(self.at.token.clone())
                .headers(parts.headers.clone())
                .body(body.clone())
        };
        let Answer { status, body } = self.call(Repeat::Never, request).await?;
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

fn grant(
    tokens: &Tokens,
    refresh: RefreshToken,
    who: Option<Identity>,
    asked_at: Timestamp,
) -> Grant {
    let access = tokens.access_token().clone();
    let seconds = tokens
        .expires_in()
        .map_or(ACCESS_SECONDS, |good| good.as_secs());
    let seconds = seconds.min(LONGEST_ACCESS_SECONDS);
    let session = identity::session(access.secret());
    Grant {
        expires_at: asked_at + SignedDuration::from_secs(seconds.cast_signed()),
        access,
        refresh,
        who,
        auth_event: session.auth_event,
        xero_user: session.xero_user,
    }
}

/// What `oauth2` says, without the body that it keeps.
fn refused(error: RequestTokenError<XeroFailure, BasicErrorResponse>) -> XeroFailure {
    match error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            BasicErrorResponseType::InvalidGrant => XeroFailure::InvalidGrant,
            _ => XeroFailure::Unavailable(Cause::App),
        },
        RequestTokenError::Request(failure) => failure,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            XeroFailure::Malformed("tokens")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xero::app::tests::{SCOPES, app, xero};
    use std::collections::HashMap;

    /// A verifier and its challenge, from RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn asked(app: XeroApp) -> (String, HashMap<String, String>) {
        let verifier = PkceCodeVerifier::new(VERIFIER.to_owned());
        let url = xero(app).authorise_url("1000007.s t&a", &verifier);
        let query = url.query_pairs().into_owned().collect();
        let (place, _) = url.as_str().split_once('?').unwrap();
        (place.to_owned(), query)
    }

    fn expected(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn requirement_12_the_consent_page_is_asked_for_exactly_the_configured_scopes() {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", "our-app"),
            (
                "redirect_uri",
                "https://api.example.com/xero/callback?stage=a",
            ),
            ("scope", SCOPES),
            ("state", "1000007.s t&a"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let (place, query) = asked(app());
        assert_eq!(place, "https://login.xero.com/identity/connect/authorize");
        assert_eq!(query, expected(&pairs));

        pairs.truncate(5);
        pairs[3] = ("scope", "openid email");
        let narrow = XeroApp {
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            pkce: false,
            ..app()
        };
        assert_eq!(asked(narrow).1, expected(&pairs));
    }

    #[test]
    fn a_refusal_is_told_apart_and_its_text_is_not_kept() {
        let said = |body: &str| {
            let body = serde_json::from_str(body).unwrap();
            refused(RequestTokenError::ServerResponse(body))
        };
        let failure = said(r#"{"error":"invalid_grant","error_description":"ann@example.com"}"#);
        assert!(matches!(failure, XeroFailure::InvalidGrant));
        for code in ["invalid_client", "unauthorized_client", "new@example.com"] {
            let failure = said(&format!(r#"{{"error":"{code}"}}"#));
            assert!(matches!(failure, XeroFailure::Unavailable(Cause::App)));
            assert!(!format!("{failure:?}").contains('@'));
        }
    }

    #[test]
    fn a_token_says_itself_how_long_it_is_good_for() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let until = |expires: &str| {
            let json = format!(r#"{{"access_token":"a","token_type":"Bearer"{expires}}}"#);
            let tokens: Tokens = serde_json::from_str(&json).unwrap();
            let refresh = RefreshToken::new("r".to_owned());
            grant(&tokens, refresh, None, now).expires_at.to_string()
        };
        assert_eq!(until(r#","expires_in":1200"#), "2026-11-22T10:20:00Z");
        assert_eq!(until(""), "2026-11-22T10:30:00Z");
        assert_eq!(
            until(r#","expires_in":18446744073709551615"#),
            "2026-11-23T10:00:00Z"
        );
    }

    #[test]
    fn what_is_printed_of_an_answer_has_no_token_and_nobody_in_it() {
        let json = r#"{"access_token":"secret-a","token_type":"Bearer","refresh_token":"secret-r","id_token":"secret-i"}"#;
        let tokens: Tokens = serde_json::from_str(json).unwrap();
        assert!(!format!("{tokens:?}").contains("secret"));
    }
}
