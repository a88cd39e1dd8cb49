//! Where every call of the app arrives: it is recorded and counted, and answered by a script if there is one.

use crate::refuse::{self, Api};
use crate::wire::{Call, Route, Scripted};
use crate::world::World;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::convert::Infallible;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Of calls about one organisation, at the same time and in a minute
/// (<https://developer.xero.com/documentation/guides/oauth2/limits>). The limit of a day is left to scripts.
const AT_ONCE: usize = 5;
const IN_A_MINUTE: usize = 60;

/// The fake.
#[derive(Clone)]
pub(crate) struct Fake {
    world: Arc<Mutex<World>>,
    /// Where it is, and the issuer of its tokens.
    pub issuer: Arc<str>,
    machine: fn() -> Timestamp,
}

/// The connection that a request has come by.
#[derive(Clone)]
pub(crate) struct Line(Option<Arc<TcpStream>>);

impl Connected<IncomingStream<'_, tokio::net::TcpListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, tokio::net::TcpListener>) -> Self {
        let again = stream.io().as_fd().try_clone_to_owned();
        Line(again.ok().map(|socket| Arc::new(TcpStream::from(socket))))
    }
}

impl Line {
    fn close(&self) -> Response {
        if let Some(socket) = &self.0 {
            // Whoever has hung up meanwhile is not told, and need not be.
            let _ = socket.shutdown(Shutdown::Both);
        }
        // Nobody reads it.
        StatusCode::BAD_GATEWAY.into_response()
    }
}

/// Who calls, and with what. The body is for the handler.
pub(crate) struct Caller {
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    line: Line,
}

impl FromRequestParts<Fake> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Fake) -> Result<Self, Infallible> {
        let line = parts.extensions.get::<ConnectInfo<Line>>();
        Ok(Caller {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            line: line.map_or(Line(None), |ConnectInfo(line)| line.clone()),
        })
    }
}

impl Caller {
    /// The access token.
    pub(crate) fn bearer(&self) -> &str {
        self.header("authorization")
            .strip_prefix("Bearer ")
            .unwrap_or_default()
    }

    /// `Xero-Tenant-Id`.
    pub(crate) fn tenant(&self) -> Option<Uuid> {
        self.header("xero-tenant-id").parse().ok()
    }

    /// A header's value; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.and_then(Result::ok).unwrap_or_default()
    }

    /// The parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A call that is under way, for the count.
struct UnderWay(Fake, Option<Uuid>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(tenant) = self.1
            && let Some((now, _)) = self.0.world().at_once.get_mut(&tenant)
        {
            *now -= 1;
        }
    }
}

impl Fake {
    pub(crate) fn new(issuer: String, machine: fn() -> Timestamp) -> Self {
        Fake {
            world: Arc::default(),
            issuer: issuer.into(),
            machine,
        }
    }

    /// Everything there is, for a moment. A handler that has failed has left nothing half done that matters here.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the machine's clock shows.
    pub(crate) fn machine(&self) -> Timestamp {
        (self.machine)()
    }

    /// Answers a call of this user: as a script says, or else as Xero would at this time of the user's.
    pub(crate) async fn answer(
        &self,
        route: Route,
        user: Option<Uuid>,
        caller: &Caller,
        xero: impl FnOnce(&mut World, Timestamp) -> Response,
    ) -> Response {
        let (scripted, _under_way) = self.arrive(route, user, caller);
        if let Some(delay) = scripted.delay_ms {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if scripted.reset {
            return caller.line.close();
        }
        if scripted.malformed {
            return (json_type(), r#"{"Id": "5c7d1a2e-"#).into_response();
        }
        if let Some(status) = scripted.status {
            return literal(status, &scripted);
        }
        let answer = {
            let mut world = self.world();
            let now = world.time(self.machine(), user);
            xero(&mut world, now)
        };
        if scripted.lost {
            return caller.line.close();
        }
        answer
    }

    /// Records a call. What is to be answered, and what keeps it counted.
    fn arrive(&self, route: Route, user: Option<Uuid>, caller: &Caller) -> (Scripted, UnderWay) {
        let tenant = caller.tenant();
        let mut guard = self.world();
        let world = &mut *guard;
        let at = world.time(self.machine(), user);
        let headers = caller.headers.iter();
        let headers = headers.filter(|(name, _)| *name != header::AUTHORIZATION);
        let headers = headers.map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into_owned())
        });
        world.calls.push(Call {
            at: at.to_string(),
            route,
            path: caller.path.clone(),
            query: caller.query.clone(),
            user_id: user,
            tenant_id: tenant,
            headers: headers.collect(),
        });
        if let Some(tenant) = tenant {
            let (now, most) = world.at_once.entry(tenant).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        let script = world.scripts.iter_mut().find(|script| {
            script.on == route
                && !script.answers.is_empty()
                && script.tenant_id.is_none_or(|of| Some(of) == tenant)
                && script.user_id.is_none_or(|of| Some(of) == user)
        });
        let scripted = script.map_or_else(Scripted::default, |script| script.answers.remove(0));
        (scripted, UnderWay(self.clone(), tenant))
    }
}

fn json_type() -> [(HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, "application/json; charset=utf-8")]
}

fn literal(status: u16, scripted: &Scripted) -> Response {
    // Both were looked at when the script was taken.
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match &scripted.body {
        None => status.into_response(),
        Some(Value::String(text)) => (status, text.clone()).into_response(),
        Some(body) => (status, json_type(), body.to_string()).into_response(),
    };
    for (name, value) in &scripted.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Whose access token this is, expired or not.
pub(crate) fn user_of(world: &World, caller: &Caller) -> Option<Uuid> {
    let access = world.access.get(caller.bearer());
    access.map(|access| access.consent.user)
}

/// Whose call it is, if the access token is good for one of these scopes.
pub(crate) fn signed_in(
    world: &World,
    caller: &Caller,
    now: Timestamp,
    api: Api,
    scopes: &[&str],
) -> Result<Uuid, Response> {
    let refuse = |detail: &str| refuse::api(api, StatusCode::UNAUTHORIZED, detail);
    let access = world.access.get(caller.bearer());
    let access = access.filter(|access| !access.revoked);
    let access = access.ok_or_else(|| refuse("TokenInvalidSignature"))?;
    if access.expires_at <= now {
        // As in https://github.com/XeroAPI/xero-node/issues/370: a code, and then a sentence.
        let at = access.expires_at.strftime("%m/%d/%Y %H:%M:%S");
        return Err(refuse(&format!("TokenExpired: token expired at {at}")));
    }
    let allowed = |scope: &&str| access.consent.scopes.contains(*scope);
    if !scopes.is_empty() && !scopes.iter().any(allowed) {
        return Err(refuse("AuthorizationUnsuccessful"));
    }
    Ok(access.consent.user)
}

/// The organisation that a call is about, if whose call it is may ask about it, and not too often.
pub(crate) fn tenant_of(
    world: &mut World,
    caller: &Caller,
    now: Timestamp,
    scopes: &[&str],
) -> Result<Uuid, Response> {
    let user = signed_in(world, caller, now, Api::OfOrganisations, scopes)?;
    let connected = |tenant: &Uuid| {
        let mut connections = world.connections.iter();
        connections
            .any(|connection| connection.user == user && connection.live.tenant_id == *tenant)
    };
    let refused = || {
        refuse::api(
            Api::OfOrganisations,
            StatusCode::FORBIDDEN,
            "AuthenticationUnsuccessful",
        )
    };
    let tenant = caller.tenant().filter(connected).ok_or_else(refused)?;
    let at_once = world.at_once.get(&tenant).map_or(0, |(now, _)| *now);
    let organisation = world.organisations.get_mut(&tenant).ok_or_else(refused)?;
    let minute = SignedDuration::from_mins(1);
    organisation
        .answered
        .retain(|at| now.duration_since(*at) < minute);
    let too_many = |limit: &'static str, after: i64| {
        let headers = [
            ("x-rate-limit-problem", limit.to_owned()),
            ("retry-after", after.to_string()),
        ];
        (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
    };
    if at_once > AT_ONCE {
        return Err(too_many("concurrent", 1));
    }
    if organisation.answered.len() >= IN_A_MINUTE {
        let oldest = organisation.answered.first().copied().unwrap_or(now);
        let after = (minute - now.duration_since(oldest)).as_secs() + 1;
        return Err(too_many("minute", after));
    }
    organisation.answered.push(now);
    Ok(tenant)
}

/// What an organisation's API answers: JSON to who asks for it, else XML
/// (<https://developer.xero.com/documentation/api/accounting/requests-and-responses>). `list` is named after what it
/// holds.
pub(crate) fn enveloped(caller: &Caller, now: Timestamp, name: &str, list: &[Value]) -> Response {
    if !caller.header("accept").contains("application/json") {
        let people = list.len();
        let xml = format!(
            "<Response><Status>OK</Status><ProviderName>Fake</ProviderName><{name} count=\"{people}\"/></Response>"
        );
        return ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], xml).into_response();
    }
    let mut body = serde_json::Map::new();
    body.insert("Id".to_owned(), Uuid::new_v4().to_string().into());
    body.insert("Status".to_owned(), "OK".into());
    body.insert("ProviderName".to_owned(), "Go1".into());
    body.insert("DateTimeUTC".to_owned(), date(now).into());
    body.insert(name.to_owned(), list.into());
    (json_type(), Value::Object(body).to_string()).into_response()
}

/// A time as the older APIs of Xero write it.
pub(crate) fn date(time: Timestamp) -> String {
    format!("/Date({}+0000)/", time.as_millisecond())
}

/// A route that Xero does not have, or that the fake does not know.
pub(crate) async fn unknown(request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    refuse::control(
        StatusCode::NOT_FOUND,
        format!("the fake has no route {asked}"),
    )
}
