//! Who and what there is at Xero, and how long it lives. No HTTP here.

use crate::wire::{Call, LiveConnection, NewOrganisation, NewUser, Person, Script, UserState};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// An access token's (<https://developer.xero.com/faq/oauth2>).
pub(crate) const ACCESS_SECONDS: i64 = 1800;
/// Of a refresh token that nobody uses (the same page).
const REFRESH_LIFE: SignedDuration = SignedDuration::from_hours(60 * 24);
/// In which a refresh token that was used is still taken (the same page).
const REFRESH_GRACE: SignedDuration = SignedDuration::from_mins(30);
/// Sources say 30 seconds and 5 minutes; the fake chooses the harder one.
const CODE_LIFE: SignedDuration = SignedDuration::from_secs(30);

/// Everything.
#[derive(Default)]
pub(crate) struct World {
    /// How much later it is for everybody.
    pub advanced: SignedDuration,
    pub users: BTreeMap<Uuid, User>,
    pub organisations: BTreeMap<Uuid, Organisation>,
    pub connections: Vec<Connection>,
    pub codes: HashMap<String, Code>,
    pub access: HashMap<String, Access>,
    pub refresh: HashMap<String, Refresh>,
    pub calls: Vec<Call>,
    pub scripts: Vec<Script>,
    /// Of each organisation: calls under way, and the most that there were.
    pub at_once: BTreeMap<Uuid, (usize, usize)>,
}

/// A person with a Xero login.
pub(crate) struct User {
    pub is: NewUser,
    /// How much later it is for them than for everybody.
    pub advanced: SignedDuration,
}

/// An organisation.
pub(crate) struct Organisation {
    pub is: NewOrganisation,
    /// When calls about it were answered, for the limit of a minute.
    pub answered: Vec<Timestamp>,
}

/// What connects an organisation of a user with our app. Its three ids are all different things
/// (`xero-identity.yaml`, `/Connections`).
pub(crate) struct Connection {
    pub live: LiveConnection,
    pub user: Uuid,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a user has allowed our app.
#[derive(Clone)]
pub(crate) struct Consent {
    pub user: Uuid,
    pub scopes: BTreeSet<String>,
    pub auth_event: Uuid,
}

/// An authorisation code.
pub(crate) struct Code {
    pub consent: Consent,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub nonce: Option<String>,
    pub issued_at: Timestamp,
    pub used: bool,
}

/// An access token.
pub(crate) struct Access {
    pub consent: Consent,
    pub expires_at: Timestamp,
    /// It is kept, so that it is known whose it was.
    pub revoked: bool,
}

/// A refresh token.
pub(crate) struct Refresh {
    pub consent: Consent,
    pub issued_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    /// It is kept, so that it is known whose it was.
    pub revoked: bool,
}

impl Code {
    pub(crate) fn is_dead(&self, now: Timestamp) -> bool {
        now.duration_since(self.issued_at) > CODE_LIFE
    }
}

impl Refresh {
    pub(crate) fn is_dead(&self, now: Timestamp) -> bool {
        let outlived = match self.rotated_at {
            Some(rotated_at) => now.duration_since(rotated_at) > REFRESH_GRACE,
            None => now.duration_since(self.issued_at) > REFRESH_LIFE,
        };
        outlived || self.revoked
    }
}

impl World {
    /// What time it is for a user, if the machine's clock shows this.
    pub(crate) fn time(&self, machine: Timestamp, user: Option<Uuid>) -> Timestamp {
        let own = user.and_then(|user| self.users.get(&user));
        let later = self.advanced + own.map_or(SignedDuration::ZERO, |user| user.advanced);
        machine.saturating_add(later).unwrap_or(machine)
    }

    /// Connects an organisation of a user with our app. One that is connected already keeps its connection.
    pub(crate) fn connect(&mut self, consent: &Consent, tenant_id: Uuid, now: Timestamp) {
        let auth_event_id = consent.auth_event;
        let mine = self.connections.iter_mut();
        for connection in mine.filter(|connection| connection.user == consent.user) {
            if connection.live.tenant_id == tenant_id {
                connection.live.auth_event_id = auth_event_id;
                connection.updated_at = now;
                return;
            }
        }
        let id = Uuid::new_v4();
        self.connections.push(Connection {
            live: LiveConnection {
                id,
                tenant_id,
                auth_event_id,
            },
            user: consent.user,
            created_at: now,
            updated_at: now,
        });
    }

    /// Ends everything that our app has of a user.
    pub(crate) fn revoke(&mut self, user: Uuid) {
        self.connections
            .retain(|connection| connection.user != user);
        for refresh in self.refresh.values_mut() {
            refresh.revoked |= refresh.consent.user == user;
        }
        for access in self.access.values_mut() {
            access.revoked |= access.consent.user == user;
        }
    }

    /// What our app has of a user.
    pub(crate) fn state(&self, user: Uuid, now: Timestamp) -> UserState {
        let connections = self.connections.iter();
        let refresh: Vec<&Refresh> = self
            .refresh
            .values()
            .filter(|refresh| refresh.consent.user == user && !refresh.is_dead(now))
            .collect();
        let in_grace = refresh
            .iter()
            .filter(|refresh| refresh.rotated_at.is_some())
            .count();
        let access = self.access.values().filter(|access| !access.revoked);
        UserState {
            connections: connections
                .filter(|connection| connection.user == user)
                .map(|connection| connection.live.clone())
                .collect(),
            refresh_tokens: refresh.len() - in_grace,
            refresh_tokens_in_grace: in_grace,
            access_tokens: access
                .filter(|access| access.consent.user == user && access.expires_at > now)
                .count(),
        }
    }

    /// Codes and tokens of a user, dead ones too.
    pub(crate) fn secrets(&self, user: Uuid) -> Vec<&str> {
        let of_user = |consent: &Consent| consent.user == user;
        let codes = self.codes.iter().filter(|it| of_user(&it.1.consent));
        let access = self.access.iter().filter(|it| of_user(&it.1.consent));
        let refresh = self.refresh.iter().filter(|it| of_user(&it.1.consent));
        let codes = codes.map(|(code, _)| code.as_str());
        let access = access.map(|(token, _)| token.as_str());
        let refresh = refresh.map(|(token, _)| token.as_str());
        codes.chain(access).chain(refresh).collect()
    }
}

/// The people as they will be answered: with an id, and employees with a status, unless it is said that they have
/// none. Refused is what no person has.
pub(crate) fn complete(people: &mut [Person], status: bool) -> Result<(), String> {
    for Person(person) in people {
        let known = [
            "id",
            "first_name",
            "last_name",
            "email",
            if status { "status" } else { "role" },
        ];
        if let Some(field) = person.keys().find(|field| !known.contains(&field.as_str())) {
            return Err(format!("a person here has no {field}"));
        }
        let id = || Value::String(Uuid::new_v4().to_string());
        person.entry("id").or_insert_with(id);
        if status {
            person.entry("status").or_insert_with(|| "ACTIVE".into());
        }
    }
    Ok(())
}
