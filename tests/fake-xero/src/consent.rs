//! What a person sees at Xero: who signs in, which organisations, allow or cancel.

use crate::desk::Fake;
use crate::world::{Code, Consent, World};
use crate::{CLIENT_ID, refuse};
use axum::Router;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use std::collections::{BTreeSet, HashMap};
use url::{Host, Url, form_urlencoded};
use uuid::Uuid;

/// Who somebody is, and coming back later: an organisation is not needed for these.
const IDENTITY_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// What needs an organisation (<https://developer.xero.com/documentation/guides/oauth2/scopes>). Of the many that
/// there are, those that an import could ask for.
const API_SCOPES: [&str; 4] = [
    "accounting.settings",
    "accounting.settings.read",
    "payroll.employees",
    "payroll.employees.read",
];

pub(crate) fn routes() -> Router<Fake> {
    Router::new().route("/identity/connect/authorize", get(ask).post(decide))
}

/// What the app has asked for, if Xero understands it.
struct Asked {
    redirect_uri: Url,
    scopes: BTreeSet<String>,
    state: Option<String>,
    challenge: Option<String>,
    nonce: Option<String>,
}

impl Asked {
    fn read(parameters: &HashMap<String, String>) -> Result<Self, &'static str> {
        let of = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
        if of("response_type").is_none_or(|kind| kind != "code") {
            return Err("unsupported_response_type");
        }
        if of("client_id").is_none_or(|id| id != CLIENT_ID) {
            return Err("unauthorized_client : Unknown client or client not enabled");
        }
        let redirect_uri = of("redirect_uri").and_then(|text| registered(text));
        let redirect_uri = redirect_uri.ok_or("unauthorized_client : Invalid redirect_uri")?;
        let scopes: BTreeSet<String> = of("scope")
            .map(|scopes| scopes.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        let known = [IDENTITY_SCOPES, API_SCOPES].concat();
        if scopes.is_empty() || !scopes.iter().all(|scope| known.contains(&scope.as_str())) {
            return Err("invalid_scope");
        }
        let challenge = of("code_challenge").cloned();
        let method = of("code_challenge_method").map(String::as_str);
        if challenge.is_some() != method.is_some() || method.is_some_and(|method| method != "S256")
        {
            return Err("invalid_request : Transform algorithm not supported");
        }
        Ok(Asked {
            redirect_uri,
            scopes,
            state: of("state").cloned(),
            challenge,
            nonce: of("nonce").cloned(),
        })
    }

    fn needs_organisation(&self) -> bool {
        let mut scopes = self.scopes.iter();
        scopes.any(|scope| API_SCOPES.contains(&scope.as_str()))
    }

    /// Back to the app, with these parameters.
    fn back(&self, parameters: &[(&str, &str)]) -> Response {
        let mut to = self.redirect_uri.clone();
        to.query_pairs_mut().extend_pairs(parameters);
        if let Some(state) = &self.state {
            to.query_pairs_mut().append_pair("state", state);
        }
        (StatusCode::FOUND, [(header::LOCATION, to.to_string())]).into_response()
    }
}

/// The app's redirect URIs: any on this machine, and any by https. Xero knows no wildcards; tests choose their ports.
fn registered(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let here = matches!(url.host(), Some(Host::Ipv4(address)) if address.is_loopback());
    let taken = url.scheme() == "https" || (url.scheme() == "http" && here);
    taken.then_some(url)
}

async fn ask(State(fake): State<Fake>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let parameters: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    match Asked::read(&parameters) {
        Ok(asked) => Html(page(&fake.world(), &asked, &query)).into_response(),
        Err(reason) => refuse::page(reason),
    }
}

/// The form. It carries the request along, and is sent back to the same address.
fn page(world: &World, asked: &Asked, query: &str) -> String {
    let mut page = "<!doctype html><title>Xero (fake)</title>\
                    <h1>Go1 would like access to</h1><form method=\"post\">\n<ul>"
        .to_owned();
    for scope in &asked.scopes {
        page += &format!("<li>{}", escape(scope));
    }
    page += "</ul>\n<p>Sign in as\n";
    for (id, user) in &world.users {
        let email = escape(&user.is.email);
        page += &format!(
            "<p><label><input type=\"radio\" name=\"user_id\" value=\"{id}\"> {email}</label>\n"
        );
        for (tenant, organisation) in &world.organisations {
            if organisation.is.owner == *id {
                let name = escape(organisation.is.name.as_deref().unwrap_or("(no name)"));
                page += &format!(
                    "<br><label><input type=\"checkbox\" name=\"organisation\" value=\"{tenant}\"> {name}</label>\n"
                );
            }
        }
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let (name, value) = (escape(&name), escape(&value));
        page += &format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n");
    }
    page + "<p><button name=\"decision\" value=\"allow\">Allow access</button>\n\
            <button name=\"decision\" value=\"cancel\">Cancel</button></form>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

async fn decide(State(fake): State<Fake>, RawForm(form): RawForm) -> Response {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&form).into_owned().collect();
    let parameters: HashMap<String, String> = pairs.iter().cloned().collect();
    let asked = match Asked::read(&parameters) {
        Ok(asked) => asked,
        Err(reason) => return refuse::page(reason),
    };
    match parameters.get("decision").map(String::as_str) {
        Some("allow") => {}
        Some("cancel") => return asked.back(&[("error", "access_denied")]),
        _ => return refuse::control(StatusCode::BAD_REQUEST, "neither allowed nor cancelled"),
    }
    let organisations = pairs.iter().filter(|(name, _)| name == "organisation");
    let organisations: Result<Vec<Uuid>, _> =
        organisations.map(|(_, value)| value.parse()).collect();
    let user = parameters.get("user_id").map(|id| id.parse::<Uuid>());
    let (Some(Ok(user)), Ok(organisations)) = (user, organisations) else {
        return refuse::control(StatusCode::BAD_REQUEST, "nobody has signed in");
    };
    allow(&fake, asked, user, &organisations)
}

fn allow(fake: &Fake, asked: Asked, user: Uuid, organisations: &[Uuid]) -> Response {
    let mut world = fake.world();
    if !world.users.contains_key(&user) {
        return refuse::control(StatusCode::BAD_REQUEST, "no such user");
    }
    let owned = |tenant: &Uuid| {
        let organisation = world.organisations.get(tenant);
        organisation.is_some_and(|organisation| organisation.is.owner == user)
    };
    if !organisations.iter().all(owned) {
        return refuse::control(StatusCode::BAD_REQUEST, "not an organisation of the user's");
    }
    if organisations.is_empty() == asked.needs_organisation() {
        // Xero shows the choice of organisations exactly if there is something to be done with them.
        return refuse::control(
            StatusCode::BAD_REQUEST,
            "organisations and scopes do not fit",
        );
    }
    let now = world.time(fake.machine(), Some(user));
    let consent = Consent {
        user,
        scopes: asked.scopes.clone(),
        auth_event: Uuid::new_v4(),
    };
    // Whether a consent that is never exchanged connects is nowhere said: the fake chooses that it does, since that
    // is what leaves more behind.
    for tenant in organisations {
        world.connect(&consent, *tenant, now);
    }
    let code = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let scope = consent.scopes.iter().cloned().collect::<Vec<_>>().join(" ");
    let session = Uuid::new_v4().simple().to_string();
    let answer = asked.back(&[
        ("code", &code),
        ("scope", &scope),
        ("session_state", &session),
    ]);
    world.codes.insert(
        code,
        Code {
            consent,
            redirect_uri: asked.redirect_uri.to_string(),
            challenge: asked.challenge,
            nonce: asked.nonce,
            issued_at: now,
            used: false,
        },
    );
    answer
}
