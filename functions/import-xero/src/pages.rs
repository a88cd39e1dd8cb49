//! What a browser shows that comes back from Xero: short pages without scripts. Nothing of the request is in them, and
//! the only link leads to the administrators' page that the stack names.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mapping::identity::PortalId;
use url::Url;

/// What came of the way to Xero and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The portal is connected.
    Connected,
    /// There is a new portal, and its administrator has a mail.
    SignedUp,
    /// Who came back has not allowed it.
    Cancelled,
    /// Nobody is expected back with this address, in this browser, any more.
    NotExpected,
    /// Xero does not take its own code any more.
    CodeRefused,
    /// Xero does not answer.
    XeroUnavailable,
    /// Somebody imports or changes the connection at this moment.
    Busy,
    /// Who signed up has an account.
    AccountThere,
    /// Xero names no address of whoever signed up.
    NoAddress,
    /// We are broken.
    Broken,
}

impl Page {
    fn status(self) -> StatusCode {
        match self {
            Page::Connected | Page::SignedUp | Page::Cancelled => StatusCode::OK,
            Page::NotExpected | Page::CodeRefused | Page::NoAddress => StatusCode::BAD_REQUEST,
            Page::Busy | Page::AccountThere => StatusCode::CONFLICT,
            Page::XeroUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Page::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn says(self) -> (&'static str, &'static str) {
        match self {
            Page::Connected => (
                "Connected with Xero",
                "You can go back to your portal now, choose the organisation and look at who can be imported.",
            ),
            Page::SignedUp => (
                "Your portal is ready",
                "We have sent you an e-mail with a first password, to the address that you use at Xero. Sign in with it to import your employees.",
            ),
            Page::Cancelled => (
                "Not connected",
                "You have not allowed access at Xero, so nothing was changed. You can connect again at any time.",
            ),
            Page::NotExpected => (
                "This page has expired",
                "It works once, within ten minutes, and in the browser in which you have begun. Please connect again from your portal.",
            ),
            Page::CodeRefused => (
                "Not connected",
                "Xero did not confirm that you allowed access. Please connect again from your portal.",
            ),
            Page::XeroUnavailable => (
                "Xero does not answer",
                "Nothing was changed. Please connect again in a few minutes.",
            ),
            Page::Busy => (
                "Not connected",
                "An import is running, or somebody else is connecting your portal at this moment. Please wait a moment and connect again.",
            ),
            Page::AccountThere => (
                "You have an account already",
                "There is an account for the address that you use at Xero. Sign in with it and connect your portal with Xero from there; nothing was changed.",
            ),
            Page::NoAddress => (
                "No e-mail address",
                "Xero did not tell us an e-mail address of yours that can have an account. Nothing was changed.",
            ),
            Page::Broken => (
                "Something went wrong on our side",
                "Please connect again; if it stays so, tell Go1 support the time.",
            ),
        }
    }

    /// As a browser shows it, with a way back to the portal where there is one.
    pub(crate) fn response(self, portal_url: Option<&Url>, portal: Option<PortalId>) -> Response {
        let (title, text) = self.says();
        let back = portal_url
            .map(|url| match portal {
                Some(portal) => page_of(url, portal),
                None => url.to_string(),
            })
            .map(|url| format!("<p><a href=\"{}\">Back to Go1</a></p>", escaped(&url)))
            .unwrap_or_default();
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"></head>\n\
             <body><main><h1>{title}</h1><p>{text}</p>{back}</main></body></html>\n"
        );
        let mut headers = safe_headers();
        let html_type = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, html_type);
        (self.status(), headers, html).into_response()
    }
}

/// Where the administrators' page has a portal's Xero import.
pub(crate) fn page_of(portal_url: &Url, portal: PortalId) -> String {
    let base = portal_url.as_str().trim_end_matches('/');
    format!("{base}/portals/{portal}/xero")
}

/// The address of the request has a code in it: it is neither kept nor passed on.
pub(crate) fn safe_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_where_the_stack_says_and_nowhere_else() {
        let portal = "1001".parse().unwrap();
        for url in ["https://portal.go1.example", "https://portal.go1.example/"] {
            let url = url.parse().unwrap();
            assert_eq!(
                page_of(&url, portal),
                "https://portal.go1.example/portals/1001/xero"
            );
        }
    }
}
