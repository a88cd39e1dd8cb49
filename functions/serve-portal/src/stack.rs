//! What the page has to know of the stack before anybody is signed in, and where the stack has the page.

use serde::Serialize;
use thiserror::Error;
use url::Url;

/// What the page is told of the stack, as `config.json` says it.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// Whose tokens the API takes.
    pub issuer: String,
    /// Where the stack's user pool has its pages; `None`: another issuer signs people in.
    pub sign_in_url: Option<String>,
    /// The page, as the issuer knows it.
    pub client_id: String,
    /// Whether the stack has an app at Xero, so that people can be imported from there.
    pub xero: bool,
    /// Whether the stack sends mails about uploads.
    pub mails: bool,
    /// A larger file is rejected.
    pub max_file_bytes: u64,
}

/// The stack, as the page and the policy over it need it.
#[derive(Clone, Debug)]
pub struct Stack {
    pub(crate) config: Config,
    /// The page's path in the browser, with a slash at its end.
    pub(crate) base: String,
    /// The origins that the page asks, besides its own.
    pub(crate) asked: Vec<String>,
}

/// An address that is none.
#[derive(Debug, Error)]
#[error("{0} is not an address that begins with http:// or https://")]
pub struct StackError(&'static str);

impl Stack {
    /// `portal_url` is where people open the page, and `uploads_url` where the feed bucket takes files.
    ///
    /// # Errors
    ///
    /// Something that has to be an address is none; the error has the name of its variable.
    pub fn new(config: Config, portal_url: &str, uploads_url: &str) -> Result<Self, StackError> {
        let sign_in = match &config.sign_in_url {
            Some(url) => address("SIGN_IN_URL", url)?,
            None => address("ISSUER", &config.issuer)?,
        };
        let uploads = address("UPLOADS_URL", uploads_url)?;
        let mut asked: Vec<String> = [sign_in, uploads]
            .iter()
            .map(|url| url.origin().ascii_serialization())
            .collect();
        asked.dedup();
        let portal = address("PORTAL_URL", portal_url)?;
        let base = format!("{}/", portal.path().trim_end_matches('/'));
        Ok(Stack {
            config,
            base,
            asked,
        })
    }
}

fn address(name: &'static str, text: &str) -> Result<Url, StackError> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or(StackError(name))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PORTAL: &str = "https://portal.example/portal";
    const UPLOADS: &str = "https://feed.s3.us-east-1.amazonaws.com";

    pub(crate) fn stack(sign_in_url: Option<&str>, portal_url: &str) -> Stack {
        Stack::new(config(sign_in_url), portal_url, UPLOADS).unwrap()
    }

    fn config(sign_in_url: Option<&str>) -> Config {
        Config {
            issuer: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A".to_owned(),
            sign_in_url: sign_in_url.map(str::to_owned),
            client_id: "client".to_owned(),
            xero: true,
            mails: false,
            max_file_bytes: 2_147_483_648,
        }
    }

    #[test]
    fn another_issuer_is_asked_itself() {
        assert_eq!(
            stack(None, PORTAL).asked,
            ["https://cognito-idp.us-east-1.amazonaws.com", UPLOADS]
        );
    }

    #[test]
    fn what_is_asked_at_one_place_is_named_once() {
        assert_eq!(stack(Some(UPLOADS), PORTAL).asked, [UPLOADS]);
    }

    #[test]
    fn an_address_that_is_none_is_named_by_its_variable() {
        let wrong = "localhost:4566";
        let new = |sign_in, portal, uploads| Stack::new(config(sign_in), portal, uploads);
        for (made, name) in [
            (new(Some(wrong), PORTAL, UPLOADS), "SIGN_IN_URL"),
            (new(None, wrong, UPLOADS), "PORTAL_URL"),
            (new(None, PORTAL, ""), "UPLOADS_URL"),
        ] {
            let error = made.unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
