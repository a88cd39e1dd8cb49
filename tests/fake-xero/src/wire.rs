//! The shapes of the control routes (`/fake/...`), as JSON. Nothing here is Xero's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// `POST /fake/users`: a person with a Xero login.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The address that they sign in with.
    pub email: String,
    /// Their first name.
    pub first_name: String,
    /// Their last name.
    pub last_name: String,
}

/// What `POST /fake/users` answers.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserMade {
    /// Xero's id of the user: the claim `xero_userid`.
    pub user_id: Uuid,
}

/// `POST /fake/organisations`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrganisation {
    /// Its name. Xero has been seen to leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `CountryCode`, as it is answered.
    pub country: Value,
    /// `OrganisationStatus`, as it is answered.
    #[serde(default = "active")]
    pub status: Value,
    /// The user who may connect it, and whose connection it then is.
    pub owner: Uuid,
    /// Whom its payroll has.
    #[serde(default)]
    pub employees: Vec<Person>,
    /// Who has a login to it.
    #[serde(default)]
    pub users: Vec<Person>,
    /// How it differs from what is documented.
    #[serde(default)]
    pub quirks: Quirks,
}

fn active() -> Value {
    "ACTIVE".into()
}

/// What an organisation's list of employees does other than Xero's documentation says.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Every page is the first one, as in <https://github.com/XeroAPI/Xero-OpenAPI/issues/708>.
    pub ignores_page: bool,
    /// `where` is not looked at, so that people come who are not employed.
    pub ignores_where: bool,
}

/// An employee, or a user of an organisation: `id`, `first_name`, `last_name`, `email`, `status` (employees) and
/// `role` (users). Each value is answered as it is given, `null` and of the wrong type too; one that is not given
/// is not in the answer. Only `id` is drawn, and `status` is `ACTIVE`, if they are not given.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(pub(crate) Map<String, Value>);

impl Person {
    /// Somebody with both names and an address.
    pub fn named(first_name: &str, last_name: &str, email: &str) -> Self {
        Person(Map::new())
            .with("first_name", first_name)
            .with("last_name", last_name)
            .with("email", email)
    }

    /// The same with another value, of any type.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    /// The same without a value.
    #[must_use]
    pub fn without(mut self, field: &str) -> Self {
        self.0.remove(field);
        self
    }
}

/// What `POST /fake/organisations` and `PUT /fake/organisations/{tenant_id}/employees` answer.
#[derive(Clone, Serialize, Deserialize)]
pub struct OrganisationMade {
    /// Xero's id of the organisation.
    pub tenant_id: Uuid,
    /// The ids of its employees as they are answered, in their order.
    pub employee_ids: Vec<Value>,
}

/// `PUT /fake/organisations/{tenant_id}/employees`: whom the payroll has from now on.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEmployees {
    /// All of them.
    pub employees: Vec<Person>,
}

/// What the app can ask of Xero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `POST /connect/token`.
    Token,
    /// `POST /connect/revocation`.
    Revocation,
    /// `GET /connections`.
    Connections,
    /// `DELETE /connections/{id}`.
    DeleteConnection,
    /// `GET /api.xro/2.0/Organisation`.
    Organisation,
    /// `GET /api.xro/2.0/Users`.
    Users,
    /// `GET /payroll.xro/1.0/Employees`.
    Employees,
}

/// `POST /fake/scripts`: the next answers to calls of this route for this organisation or of this user; at least one
/// of both is named, since everybody else's calls are somebody else's tests. Each answer is used once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Calls with this `Xero-Tenant-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Uuid>,
    /// Calls with a token of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    /// Which calls.
    pub on: Route,
    /// In their order.
    pub answers: Vec<Scripted>,
}

/// One answer. Nothing but a delay: what would have been answered anyway, later.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scripted {
    /// Waits first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Answers this, and the call has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its body: text as it is, anything else as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Answers 200 with JSON that breaks off.
    pub malformed: bool,
    /// Closes the connection instead of answering, and the call has no effect.
    pub reset: bool,
    /// The call has its effect, and then the connection is closed instead of answering.
    pub lost: bool,
}

impl Scripted {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Scripted {
            status: Some(status),
            ..Scripted::default()
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// What would have been answered anyway, so much later.
    pub fn delay_ms(delay_ms: u64) -> Self {
        Scripted {
            delay_ms: Some(delay_ms),
            ..Scripted::default()
        }
    }

    /// JSON that breaks off.
    pub fn malformed() -> Self {
        Scripted {
            malformed: true,
            ..Scripted::default()
        }
    }

    /// No answer, and no effect.
    pub fn reset() -> Self {
        Scripted {
            reset: true,
            ..Scripted::default()
        }
    }

    /// No answer, although it was done.
    pub fn lost() -> Self {
        Scripted {
            lost: true,
            ..Scripted::default()
        }
    }
}

/// `GET /fake/calls?tenant_id=` or `?user_id=`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Calls {
    /// In the order in which they arrived.
    pub calls: Vec<Call>,
    /// Of each organisation that they were about: how many calls about it were under way at once, at most.
    pub most_at_once: BTreeMap<Uuid, usize>,
}

/// A call of the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// RFC 3339, by the fake's clock.
    pub at: String,
    /// What was asked.
    pub route: Route,
    /// Its path.
    pub path: String,
    /// Its query, as it was sent.
    pub query: String,
    /// Whose token, code or refresh token it came with, if that is known.
    pub user_id: Option<Uuid>,
    /// `Xero-Tenant-Id`, if it is one.
    pub tenant_id: Option<Uuid>,
    /// All of them but `Authorization`, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// `GET /fake/state?user_id=`: what our app has of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// In the order in which they were made.
    pub connections: Vec<LiveConnection>,
    /// Refresh tokens that were not used yet and are not dead.
    pub refresh_tokens: usize,
    /// Refresh tokens that were used, and are still taken for some minutes.
    pub refresh_tokens_in_grace: usize,
    /// Access tokens that have not expired.
    pub access_tokens: usize,
}

/// A connection that a user's organisation has with our app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveConnection {
    /// What `DELETE /connections/{id}` takes.
    pub id: Uuid,
    /// What `Xero-Tenant-Id` takes.
    pub tenant_id: Uuid,
    /// The consent that it comes from.
    pub auth_event_id: Uuid,
}

/// `POST /fake/clock`: later by so much, for this user or for everybody.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// How much later.
    pub advance_seconds: u32,
    /// For whom; everybody, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
}
