//! Our app, as it is registered with Xero, and where Xero is. All of it is configured: Xero renames scopes, and
//! tests have a Xero of their own.

use super::oauth::{self, OauthClient};
use oauth2::ClientSecret;
use platform::clock::Clock;
use reqwest::redirect;
use std::time::Duration;
use thiserror::Error;
use url::Url;

/// Xero answers within a second, or is in trouble.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// From sending to the last byte, of one call. The gateway waits 30 s for all that we do.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Our app. It has no `Debug`, because nothing of it needs to be in a log.
#[derive(Clone)]
pub struct XeroApp {
    /// Which app we are.
    pub client_id: String,
    /// Proves it.
    pub client_secret: ClientSecret,
    /// Where people consent: `https://login.xero.com`. Of all three URLs only scheme, host and port count.
    pub login_url: Url,
    /// Where tokens are issued: `https://identity.xero.com`. Identities are taken from this issuer alone.
    pub identity_url: Url,
    /// Where the data is: `https://api.xero.com`.
    pub api_url: Url,
    /// Where Xero sends the browser back to. Xero compares it letter by letter.
    pub redirect_uri: Url,
    /// What is asked for, exactly these. Xero answers one that it does not know with an error page of its own, from
    /// which nobody returns. Without `offline_access` there are no refresh tokens, and no grant.
    pub scopes: Vec<String>,
    /// Whether a code is bound to its verifier (PKCE, RFC 7636).
    pub pkce: bool,
}

/// Nothing can be asked of Xero with this configuration, or on this machine.
#[derive(Debug, Error)]
pub enum SetUpFailed {
    /// A URL of Xero's cannot have a path.
    #[error("a URL of Xero's is not one that calls can be sent to")]
    Url(#[source] url::ParseError),
    /// TLS or the resolver.
    #[error("the HTTP client cannot be made")]
    Http(#[source] reqwest::Error),
}

/// Calls Xero, for anybody: it holds no tokens.
///
/// An organisation answers five calls at a time. Here one call follows the other; that nobody else calls for the same
/// organisation meanwhile is the caller's business.
#[derive(Clone)]
pub struct Xero {
    pub(super) app: XeroApp,
    pub(super) oauth: OauthClient,
    pub(super) http: reqwest::Client,
    pub(super) at: Addresses,
    pub(super) clock: Clock,
}

/// Where calls go. The source of each is in `docs/xero.md`.
#[derive(Clone)]
pub(super) struct Addresses {
    pub(super) authorise: Url,
    pub(super) token: Url,
    pub(super) revocation: Url,
    pub(super) connections: Url,
    pub(super) organisation: Url,
    pub(super) employees: Url,
    pub(super) users: Url,
}

impl Addresses {
    fn of(app: &XeroApp) -> Result<Self, url::ParseError> {
        Ok(Addresses {
            authorise: app.login_url.join("/identity/connect/authorize")?,
            token: app.identity_url.join("/connect/token")?,
            revocation: app.identity_url.join("/connect/revocation")?,
            connections: app.api_url.join("/connections")?,
            organisation: app.api_url.join("/api.xro/2.0/Organisation")?,
            employees: app.api_url.join("/payroll.xro/1.0/Employees")?,
            users: app.api_url.join("/api.xro/2.0/Users")?,
        })
    }
}

impl Xero {
    /// Calls nobody yet.
    ///
    /// # Errors
    ///
    /// A URL cannot have a path, or there is no TLS.
    pub fn new(app: XeroApp, clock: Clock) -> Result<Self, SetUpFailed> {
        let at = Addresses::of(&app).map_err(SetUpFailed::Url)?;
        // A redirect would carry the app's secret or a token to somewhere else.
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(SetUpFailed::Http)?;
        let oauth = oauth::client(&app, &at);
        Ok(Xero {
            app,
            oauth,
            http,
            at,
            clock,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// All that the import needs; Xero knows them by these names.
    pub(in super::super) const SCOPES: &str =
        "openid profile email offline_access accounting.settings.read payroll.employees.read";

    pub(in super::super) fn app() -> XeroApp {
        let url = |text: &str| Url::parse(text).unwrap();
        XeroApp {
            client_id: "our-app".to_owned(),
            client_secret: ClientSecret::new("secret".to_owned()),
            login_url: url("https://login.xero.com"),
            identity_url: url("https://identity.xero.com"),
            api_url: url("https://api.xero.com"),
            redirect_uri: url("https://api.example.com/xero/callback?stage=a"),
            scopes: SCOPES.split(' ').map(str::to_owned).collect(),
            pkce: true,
        }
    }

    pub(in super::super) fn xero(app: XeroApp) -> Xero {
        Xero::new(app, platform::clock::system).unwrap()
    }

    #[test]
    fn each_call_has_its_place() {
        let Addresses {
            authorise,
            token,
            revocation,
            connections,
            organisation,
            employees,
            users,
        } = xero(app()).at;
        let places = [
            (
                authorise,
                "https://login.xero.com/identity/connect/authorize",
            ),
            (token, "https://identity.xero.com/connect/token"),
            (revocation, "https://identity.xero.com/connect/revocation"),
            (connections, "https://api.xero.com/connections"),
            (
                organisation,
                "https://api.xero.com/api.xro/2.0/Organisation",
            ),
            (employees, "https://api.xero.com/payroll.xro/1.0/Employees"),
            (users, "https://api.xero.com/api.xro/2.0/Users"),
        ];
        for (address, place) in places {
            assert_eq!(address.as_str(), place);
        }
    }

    #[test]
    fn a_url_that_can_have_no_path_is_refused() {
        let odd = XeroApp {
            api_url: Url::parse("mailto:api@example.com").unwrap(),
            ..app()
        };
        let failure = Xero::new(odd, platform::clock::system).err().unwrap();
        assert!(matches!(failure, SetUpFailed::Url(_)));
    }
}
