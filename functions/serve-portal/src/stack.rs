//! What the page has to know of the stack before anybody is signed in.

use serde::Serialize;
use thiserror::Error;
use url::Url;

/// The stack, as `config.json` says it.
#[derive(Clone, Debug, Serialize)]
pub struct Stack {
    /// Whose tokens the API takes.
    issuer: String,
    /// Where the stack's user pool has its pages; `None`: another issuer signs people in.
    sign_in_url: Option<String>,
    /// The page, as the issuer knows it.
    client_id: String,
    /// The origins that the page asks, besides its own.
    #[serde(skip)]
    asked: Vec<String>,
}

/// An address that is none.
#[derive(Debug, Error)]
#[error("{name} is not an address")]
pub struct StackError {
    name: &'static str,
    source: url::ParseError,
}

impl Stack {
    /// `uploads_url` is where the feed bucket takes files.
    ///
    /// # Errors
    ///
    /// Something that has to be an address is none.
    pub fn new(
        issuer: String,
        sign_in_url: Option<String>,
        client_id: String,
        uploads_url: &str,
    ) -> Result<Self, StackError> {
        let sign_in = match &sign_in_url {
            Some(url) => origin("sign_in_url", url)?,
            None => origin("issuer", &issuer)?,
        };
        let mut asked = vec![sign_in, origin("uploads_url", uploads_url)?];
        asked.dedup();
        Ok(Stack {
            issuer,
            sign_in_url,
            client_id,
            asked,
        })
    }

    /// The origins that the page asks, besides its own.
    pub(crate) fn asked(&self) -> &[String] {
        &self.asked
    }
}

fn origin(name: &'static str, url: &str) -> Result<String, StackError> {
    let url = Url::parse(url).map_err(|source| StackError { name, source })?;
    Ok(url.origin().ascii_serialization())
}
