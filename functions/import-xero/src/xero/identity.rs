//! Who has consented, and in which session, from the tokens' own claims.
//!
//! Signatures are not checked: the tokens come straight from the token endpoint over TLS, which proves as much
//! (OIDC Core 1.0, 3.1.3.7, step 6). A token that came any other way may not be read here.

use super::app::XeroApp;
use super::ids::{AuthEventId, XeroUserId};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A Xero user who has signed in. No `Debug`: an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The address that they sign in to Xero with, as Xero has it.
    pub email: String,
}

/// Why an identity is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum NotTaken {
    #[error("the token cannot be read")]
    Unreadable,
    #[error("somebody else has issued the token")]
    Issuer,
    #[error("the token was issued to another app")]
    Audience,
    #[error("the token has run out")]
    Expired,
    #[error("the address is not verified")]
    Unverified,
}

#[derive(Deserialize)]
struct IdentityClaims {
    iss: String,
    aud: Audience,
    exp: i64,
    email: String,
    /// Xero does not say it; were it to say no, nobody's address would be proved.
    email_verified: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// Nobody else may be among them: we would have to trust all (OIDC Core 1.0, 3.1.3.7, step 3).
    fn is_only(&self, client: &str) -> bool {
        match self {
            Audience::One(audience) => audience == client,
            Audience::Several(audiences) => {
                matches!(audiences.as_slice(), [audience] if audience == client)
            }
        }
    }
}

/// Who an ID token is about.
pub(super) fn read(token: &str, app: &XeroApp, now: Timestamp) -> Result<Identity, NotTaken> {
    let claims: IdentityClaims = claims(token).ok_or(NotTaken::Unreadable)?;
    let issuer = app.identity_url.as_str();
    if claims.iss.trim_end_matches('/') != issuer.trim_end_matches('/') {
        return Err(NotTaken::Issuer);
    }
    if !claims.aud.is_only(&app.client_id) {
        return Err(NotTaken::Audience);
    }
    if claims.exp <= now.as_second() {
        return Err(NotTaken::Expired);
    }
    if claims.email_verified == Some(false) {
        return Err(NotTaken::Unverified);
    }
    Ok(Identity {
        email: claims.email,
    })
}

/// What an access token says of itself.
#[derive(Default)]
pub(super) struct Session {
    pub(super) auth_event: Option<AuthEventId>,
    pub(super) xero_user: Option<XeroUserId>,
}

/// To clients an access token is opaque, so this is a favour: what cannot be read is `None`.
pub(super) fn session(token: &str) -> Session {
    #[derive(Deserialize)]
    struct SessionClaims {
        authentication_event_id: Option<String>,
        xero_userid: Option<String>,
    }
    let Some(claims) = claims::<SessionClaims>(token) else {
        return Session::default();
    };
    Session {
        auth_event: claims
            .authentication_event_id
            .and_then(|id| id.parse().ok()),
        xero_user: claims.xero_userid.and_then(|id| id.parse().ok()),
    }
}

/// The middle part of a JWT (RFC 7519).
fn claims<T: DeserializeOwned>(token: &str) -> Option<T> {
    let mut parts = token.split('.');
    let (Some(_header), Some(claims), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let json = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xero::app::tests::app;
    use serde_json::{Value, json};

    fn token(claims: &Value) -> String {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJl")
    }

    fn good() -> Value {
        json!({
            "iss": "https://identity.xero.com",
            "aud": "our-app",
            "exp": 1_795_344_300,
            "iat": 1_795_344_000,
            "email": "zoe@example.com",
        })
    }

    fn read_at(claims: &Value, second: i64) -> Result<Identity, NotTaken> {
        read(
            &token(claims),
            &app(),
            Timestamp::from_second(second).unwrap(),
        )
    }

    #[test]
    fn whoever_signed_in_is_known_by_their_address() {
        let who = read_at(&good(), 1_795_344_299).ok().unwrap();
        assert_eq!(who.email, "zoe@example.com");
    }

    #[test]
    fn an_identity_is_taken_from_xero_for_our_app_and_in_time_alone() {
        use NotTaken::{Audience, Expired, Issuer, Unreadable};
        let cases = [
            ("iss", json!("https://identity.xero.com/"), None),
            (
                "iss",
                json!("https://identity.xero.com.example.com"),
                Some(Issuer),
            ),
            ("iss", json!("http://identity.xero.com"), Some(Issuer)),
            ("iss", Value::Null, Some(Unreadable)),
            ("aud", json!(["our-app"]), None),
            ("aud", json!("our-app-2"), Some(Audience)),
            ("aud", json!([]), Some(Audience)),
            ("aud", json!(["our-app", "another"]), Some(Audience)),
            ("exp", json!(1_795_344_200), Some(Expired)),
            ("exp", json!("soon"), Some(Unreadable)),
            ("email", Value::Null, Some(Unreadable)),
            ("email_verified", json!(true), None),
            ("email_verified", json!(false), Some(NotTaken::Unverified)),
        ];
        for (claim, value, not_taken) in cases {
            let mut claims = good();
            claims[claim] = value.clone();
            let read = read_at(&claims, 1_795_344_200);
            assert_eq!(read.err(), not_taken, "{claim}: {value}");
        }
    }

    #[test]
    fn what_is_no_token_is_nobody() {
        for text in [
            "",
            "a.b",
            "a.b.c",
            "a.e30.c.d",
            "a.e30.c",
            "..",
            "a.bnVsbA.c",
        ] {
            let now = Timestamp::from_second(1_795_344_200).unwrap();
            assert_eq!(
                read(text, &app(), now).err(),
                Some(NotTaken::Unreadable),
                "{text}"
            );
            let session = session(text);
            assert!(session.auth_event.is_none() && session.xero_user.is_none());
        }
    }

    #[test]
    fn an_access_token_says_which_consent_and_whose_if_it_can_be_read() {
        let id = "e1eede29-f875-4a5d-8470-17f6a29a88b1";
        let of = |claims: Value| {
            let session = session(&token(&claims));
            let event = session.auth_event.map(String::from);
            (event, session.xero_user.map(String::from))
        };
        let some = || Some(id.to_owned());
        assert_eq!(
            of(json!({"authentication_event_id": id, "xero_userid": id})),
            (some(), some())
        );
        assert_eq!(of(json!({ "xero_userid": id })), (None, some()));
        assert_eq!(
            of(json!({"authentication_event_id": "x", "xero_userid": id})),
            (None, some())
        );
    }
}
