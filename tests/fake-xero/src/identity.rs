//! Tokens: code and refresh token are exchanged, and revoked.

use crate::desk::{Caller, Fake};
use crate::wire::Route;
use crate::world::{ACCESS_SECONDS, Access, Code, Consent, Refresh, World};
use crate::{CLIENT_ID, CLIENT_SECRET, refuse};
use axum::extract::{RawForm, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use url::form_urlencoded;
use uuid::Uuid;

/// An ID token's: it is for now.
const ID_SECONDS: i64 = 300;

pub(crate) fn routes() -> Router<Fake> {
    Router::new()
        .route("/connect/token", post(token))
        .route("/connect/revocation", post(revocation))
}

/// A form by its names. What is said twice is refused by nobody here.
struct Form(HashMap<String, String>);

impl Form {
    fn read(bytes: &[u8]) -> Self {
        Form(form_urlencoded::parse(bytes).into_owned().collect())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// By `Authorization: Basic`, or in the form: Xero's own SDKs do both.
    fn is_our_app(&self, caller: &Caller) -> bool {
        let basic = caller.header("authorization").strip_prefix("Basic ");
        let Some(basic) = basic else {
            return self.text("client_id") == CLIENT_ID
                && self.text("client_secret") == CLIENT_SECRET;
        };
        let ours = format!("{CLIENT_ID}:{CLIENT_SECRET}");
        BASE64_STANDARD.decode(basic).ok() == Some(ours.into_bytes())
    }
}

async fn token(State(fake): State<Fake>, caller: Caller, RawForm(form): RawForm) -> Response {
    let form = Form::read(&form);
    let user = {
        let world = fake.world();
        let code = world.codes.get(form.text("code"));
        let refresh = world.refresh.get(form.text("refresh_token"));
        code.map(|code| code.consent.user)
            .or(refresh.map(|refresh| refresh.consent.user))
    };
    let issuer = fake.issuer.clone();
    fake.answer(Route::Token, user, &caller, |world, now| {
        if !form.is_our_app(&caller) {
            return refuse::token("invalid_client");
        }
        let granted = match form.text("grant_type") {
            "authorization_code" => exchange(world, &form, now),
            "refresh_token" => refresh(world, &form, now),
            _ => Err("unsupported_grant_type"),
        };
        match granted {
            Ok((consent, nonce)) => issue(world, &issuer, consent, nonce, now),
            Err(error) => refuse::token(error),
        }
    })
    .await
}

/// The code is used up by the first attempt, whether it is a good one or not.
fn exchange(
    world: &mut World,
    form: &Form,
    now: Timestamp,
) -> Result<(Consent, Option<String>), &'static str> {
    let code = world.codes.get_mut(form.text("code"));
    let code = code.filter(|code| !code.used).ok_or("invalid_grant")?;
    code.used = true;
    let fits = !code.is_dead(now)
        && form.text("redirect_uri") == code.redirect_uri
        && verifies(code, form.text("code_verifier"));
    fits.then(|| (code.consent.clone(), code.nonce.clone()))
        .ok_or("invalid_grant")
}

/// RFC 7636, 4.6. A verifier to a code that was asked for without a challenge is refused, too.
fn verifies(code: &Code, verifier: &str) -> bool {
    match &code.challenge {
        None => verifier.is_empty(),
        Some(challenge) => {
            (43..=128).contains(&verifier.len())
                && BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge
        }
    }
}

fn refresh(
    world: &mut World,
    form: &Form,
    now: Timestamp,
) -> Result<(Consent, Option<String>), &'static str> {
    let refresh = world.refresh.get_mut(form.text("refresh_token"));
    let refresh = refresh
        .filter(|refresh| !refresh.is_dead(now))
        .ok_or("invalid_grant")?;
    // The grace is counted from the first use.
    refresh.rotated_at.get_or_insert(now);
    Ok((refresh.consent.clone(), None))
}

fn issue(
    world: &mut World,
    issuer: &str,
    consent: Consent,
    nonce: Option<String>,
    now: Timestamp,
) -> Response {
    let allowed = |scope: &str| consent.scopes.contains(scope);
    let scope: Vec<&str> = consent.scopes.iter().map(String::as_str).collect();
    let access = jwt(&json!({
        "iss": issuer,
        "aud": format!("{issuer}/resources"),
        "client_id": CLIENT_ID,
        "sub": consent.user.simple().to_string(),
        "nbf": now.as_second(),
        "exp": now.as_second() + ACCESS_SECONDS,
        "xero_userid": consent.user,
        "authentication_event_id": consent.auth_event,
        "global_session_id": Uuid::new_v4().simple().to_string(),
        "jti": Uuid::new_v4().simple().to_string(),
        "scope": scope,
    }));
    let mut answer = json!({
        "access_token": access,
        "expires_in": ACCESS_SECONDS,
        "token_type": "Bearer",
        "scope": scope.join(" "),
    });
    if allowed("openid") {
        answer["id_token"] = jwt(&identity(world, issuer, &consent, nonce, now)).into();
    }
    if allowed("offline_access") {
        let refresh = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        answer["refresh_token"] = refresh.clone().into();
        world.refresh.insert(
            refresh,
            Refresh {
                consent: consent.clone(),
                issued_at: now,
                rotated_at: None,
                revoked: false,
            },
        );
    }
    let lifetime = SignedDuration::from_secs(ACCESS_SECONDS);
    world.access.insert(
        access,
        Access {
            consent,
            expires_at: now.saturating_add(lifetime).unwrap_or(now),
            revoked: false,
        },
    );
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// The claims of an ID token (<https://developer.xero.com/documentation/guides/oauth2/token-types>).
fn identity(
    world: &World,
    issuer: &str,
    consent: &Consent,
    nonce: Option<String>,
    now: Timestamp,
) -> Value {
    let mut claims = json!({
        "iss": issuer,
        "aud": CLIENT_ID,
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": now.as_second() + ID_SECONDS,
        "auth_time": now.as_second(),
        "sub": consent.user.simple().to_string(),
        "xero_userid": consent.user,
        "global_session_id": Uuid::new_v4().simple().to_string(),
        "sid": Uuid::new_v4().simple().to_string(),
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    if let Some(user) = world.users.get(&consent.user) {
        if consent.scopes.contains("email") {
            claims["email"] = user.is.email.clone().into();
        }
        if consent.scopes.contains("profile") {
            claims["preferred_username"] = user.is.email.clone().into();
            claims["given_name"] = user.is.first_name.clone().into();
            claims["family_name"] = user.is.last_name.clone().into();
            claims["name"] = format!("{} {}", user.is.first_name, user.is.last_name).into();
        }
    }
    claims
}

/// A token of this form. Its signature is nobody's: what comes from the token endpoint itself need not be checked
/// (`OpenID` Connect Core 1.0, 3.1.3.7, 6).
fn jwt(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "kid": "fake", "typ": "JWT"}).to_string();
    let parts = [
        header.as_bytes(),
        claims.to_string().as_bytes(),
        Uuid::new_v4().as_bytes(),
    ]
    .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    parts.join(".")
}

/// Takes everything that our app has of the user (<https://github.com/XeroAPI/xero-node#readme>), and is as content
/// with a token that it does not know (RFC 7009, 2.2).
async fn revocation(State(fake): State<Fake>, caller: Caller, RawForm(form): RawForm) -> Response {
    let form = Form::read(&form);
    let user = {
        let world = fake.world();
        let refresh = world.refresh.get(form.text("token"));
        refresh.map(|refresh| refresh.consent.user)
    };
    fake.answer(Route::Revocation, user, &caller, |world, _| {
        if !form.is_our_app(&caller) {
            return refuse::token("invalid_client");
        }
        if let Some(user) = user {
            world.revoke(user);
        }
        StatusCode::OK.into_response()
    })
    .await
}
