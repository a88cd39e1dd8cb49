//! The users table: the roster in brief, users as a whole, and conditional writes in batches. What is to
//! be written is decided in `mapping`; the shape of an item does not leave this file.

use crate::aws::Aws;
use crate::batch::read_batch;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::{Item, Key, PK, SK, user_shards};
use crate::roster_page::{Pages, Row, Texts};
use crate::statements::{AllOld, Body, Statement, Value};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementErrorCodeEnum};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use mapping::fields::Status;
use mapping::identity::{EmailKey, NamesHash, PortalId, UserId};
use mapping::mapping::IdentifyBy;
use mapping::plan::Outcome;
use mapping::record::Fingerprint;
use mapping::role::{Role, Roles};
use mapping::roster::{Brief, Roster, RosterEntry};
use mapping::user::{Refresh, User};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// BatchGetItem's own limit.
pub const READ_BATCH: usize = 100;

/// BatchExecuteStatement's own limit.
pub const WRITE_BATCH: usize = 25;

/// Partitions read at the same time: enough to keep one CPU busy decoding.
const SHARDS_IN_FLIGHT: usize = 4;

/// The users of all portals.
#[derive(Clone)]
pub struct Users {
    client: Client,
    table: String,
}

/// A user with what the table keeps about the item itself.
#[derive(Clone)]
pub struct StoredUser {
    /// Who it is.
    pub user_id: UserId,
    /// What the feed sees.
    pub user: User,
    /// Goes up with every change.
    pub version: u64,
    /// The run that wrote last, `<upload_id>#<run>`; whatever else changes a user leaves it.
    pub last_write: Option<String>,
    /// What that write came to.
    pub last_outcome: Option<Outcome>,
}

/// A write on behalf of one run.
pub struct UserWrite {
    /// Who it is about.
    pub user_id: UserId,
    /// What is written.
    pub kind: WriteKind,
    /// The user is named as a manager for the first time.
    pub becomes_manager: bool,
    /// What it comes to. Stored with the user, so that a run that is taken up again counts it as it was.
    pub outcome: Outcome,
}

/// What a [`UserWrite`] does; each is conditional.
pub enum WriteKind {
    /// A new user; refused if the id exists.
    Create(User),
    /// Everything the feed owns; refused if the version is another.
    Update {
        /// As it is to be.
        after: Box<User>,
        /// As it was read.
        version: u64,
    },
    /// What is kept beside the values, which is no change; refused if the version is another.
    Refresh {
        /// As it is to be.
        refresh: Refresh,
        /// As it was read.
        version: u64,
    },
}

/// How a conditional write came out.
pub enum Written {
    /// It is stored.
    Done,
    /// The condition did not hold; the user as it stands, if there is one.
    Refused(Option<Box<StoredUser>>),
    /// DynamoDB had no capacity for it just now; it may be sent again.
    Throttled,
}

/// On whose behalf a write is made.
pub struct WriteContext {
    /// Whose users.
    pub portal: PortalId,
    /// `<upload_id>`.
    pub upload_id: String,
    /// `<upload_id>#<run>`.
    pub last_write: String,
    /// Now.
    pub now: Timestamp,
}

impl Users {
    /// The table of this name.
    pub fn new(aws: &Aws, table: String) -> Self {
        Users {
            client: aws.dynamodb.clone(),
            table,
        }
    }

    /// All of a portal's users in brief, told apart as a mapping says, and if wanted with their names. Read
    /// consistently. About `expected` of them are expected: a million should not be copied when room runs out.
    ///
    /// # Errors
    ///
    /// A page could not be read. Never an empty roster instead: that would make everybody new.
    pub async fn roster(
        &self,
        portal: PortalId,
        identify_by: IdentifyBy,
        names: bool,
        expected: usize,
    ) -> Result<Roster, CallFailed> {
        let mut shards = stream::iter(user_shards(portal))
            .map(|shard| self.roster_shard(shard, identify_by, names))
            .buffer_unordered(SHARDS_IN_FLIGHT);
        let (mut entries, mut named) = (Vec::with_capacity(expected), Vec::new());
        while let Some((shard, names)) = shards.try_next().await? {
            entries.extend(shard);
            named.extend(names);
        }
        Ok(Roster::new(entries).with_names(named))
    }

    async fn roster_shard(
        &self,
        shard: String,
        identify_by: IdentifyBy,
        names: bool,
    ) -> Result<ShardOfRoster, CallFailed> {
        const WHAT: &str = "read the roster";
        let mut projection = String::from(
            "#sk, email_key, external_id, #status, #roles, feed_roles, feed_managed, \
             manager_granted_at, disabled_by_upload, fingerprint",
        );
        if names {
            projection.push_str(", first_name, last_name");
        }
        let take = Taken {
            identify_by,
            names,
            ..Taken::default()
        };
        let kept = Pages::new(take, Taken::take);
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("#pk = :pk")
                .projection_expression(&projection)
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                // Words that DynamoDB keeps for itself.
                .expression_attribute_names("#status", "status")
                .expression_attribute_names("#roles", "roles")
                .expression_attribute_values(":pk", AttributeValue::S(shard.clone()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .customize()
                .interceptor(kept.clone())
                .send()
                .await
                .map_err(CallFailed::sdk(WHAT))?;
            start = page.last_evaluated_key;
            if start.is_none() {
                let taken = kept.kept();
                return Ok((taken.entries, taken.named));
            }
        }
    }

    /// Whether a user of another portal has this address. The index may lag by moments.
    ///
    /// # Errors
    ///
    /// The index could not be read.
    pub async fn is_elsewhere(
        &self,
        portal: PortalId,
        email: &EmailKey,
    ) -> Result<bool, CallFailed> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_email")
            .key_condition_expression("email_key = :email")
            .expression_attribute_values(":email", AttributeValue::S(email.as_str().to_owned()))
            .into_paginator()
            .send();
        let own = portal.to_string();
        while let Some(page) = pages.next().await {
            let page = page.map_err(CallFailed::sdk("look an address up"))?;
            let other = |item: &Item| string(item, "portal_id").is_some_and(|it| *it != own);
            if page.items().iter().any(other) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Users as a whole, read consistently, in any order; those that do not exist are absent.
    ///
    /// # Errors
    ///
    /// They could not be read, or an item is none of ours.
    pub async fn get(
        &self,
        portal: PortalId,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, StoredUser>, CallFailed> {
        const WHAT: &str = "read users";
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(READ_BATCH) {
            let keys = ids.iter().map(|id| Key::user(portal, *id).item());
            let read = read_batch(&self.client, &self.table, WHAT, keys.collect(), |all| all);
            for item in read.await? {
                let user = stored_user(&item).ok_or_else(|| malformed(WHAT))?;
                found.insert(user.user_id, user);
            }
        }
        Ok(found)
    }

    /// Makes up to [`WRITE_BATCH`] conditional writes in one request; the answers are in their order. A write
    /// that was throttled is not repeated here: the caller knows whether it still may.
    ///
    /// # Errors
    ///
    /// A write could not be made, for a reason that has nothing to do with its condition. Others of the
    /// batch may have been made: repeating is safe, each is conditional.
    pub async fn write(
        &self,
        context: &WriteContext,
        writes: &[UserWrite],
    ) -> Result<Vec<Written>, CallFailed> {
        const WHAT: &str = "write users";
        let body = Statements::new(&self.table, context).body(writes);
        let answer = self
            .client
            .batch_execute_statement()
            .customize()
            .interceptor(body.map_err(CallFailed::to(WHAT))?)
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let responses = answer.responses.unwrap_or_default();
        if responses.len() != writes.len() {
            return Err(malformed(WHAT));
        }
        let mut written = Vec::with_capacity(writes.len());
        let mut unseen = Vec::new();
        for (write, response) in writes.iter().zip(responses) {
            let Some(error) = response.error else {
                written.push(Written::Done);
                continue;
            };
            match error.code {
                Some(
                    BatchStatementErrorCodeEnum::ConditionalCheckFailed
                    | BatchStatementErrorCodeEnum::DuplicateItem,
                ) => {
                    let found = error.item.as_ref().and_then(stored_user).map(Box::new);
                    if found.is_none() {
                        unseen.push(write.user_id);
                    }
                    written.push(Written::Refused(found));
                }
                Some(
                    BatchStatementErrorCodeEnum::ThrottlingError
                    | BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded
                    | BatchStatementErrorCodeEnum::RequestLimitExceeded
                    | BatchStatementErrorCodeEnum::InternalServerError
                    | BatchStatementErrorCodeEnum::TransactionConflict,
                ) => written.push(Written::Throttled),
                code => {
                    let code = code.map_or("no code".to_owned(), |code| code.as_str().to_owned());
                    return Err(CallFailed::new(WHAT, format!("DynamoDB answered {code}")));
                }
            }
        }
        // What a refused write found comes with the answer only for some.
        if !unseen.is_empty() {
            let mut found = self.get(context.portal, &unseen).await?;
            for (write, written) in writes.iter().zip(&mut written) {
                if let Written::Refused(none @ None) = written {
                    *none = found.remove(&write.user_id).map(Box::new);
                }
            }
        }
        Ok(written)
    }
}

/// The statements of one batch. What they have in common is made once.
struct Statements<'b> {
    table: &'b str,
    context: &'b WriteContext,
    portal: String,
    now: String,
    /// Few, as most writes of a batch have the same attributes.
    texts: HashMap<Shape, Rc<str>>,
}

/// What a statement's text depends on: what it does, and which of its attributes have a value. The bits are
/// those of the attributes, in their order; a one stands before them, so that fewer are not taken for others.
type Shape = (Verb, u64);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Verb {
    Insert,
    Update,
    Refresh,
}

impl<'b> Statements<'b> {
    fn new(table: &'b str, context: &'b WriteContext) -> Self {
        Statements {
            table,
            context,
            portal: context.portal.to_string(),
            now: stamp(context.now),
            texts: HashMap::new(),
        }
    }

    fn body(mut self, writes: &[UserWrite]) -> Result<Body, serde_json::Error> {
        let statements: Vec<_> = writes.iter().map(|write| self.of(write)).collect();
        Body::of(&statements)
    }

    fn of<'w>(&mut self, write: &'w UserWrite) -> Statement<'w> {
        let key = Key::user(self.context.portal, write.user_id);
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        let (verb, of_condition) = match &write.kind {
            // An INSERT fails on an existing key: that is its condition.
            WriteKind::Create(user) => {
                attributes.extend(self.created(key));
                attributes.extend(self.changed(user, 1, write));
                (Verb::Insert, None)
            }
            WriteKind::Update { after, version } => {
                attributes.extend(self.changed(after, version + 1, write));
                (Verb::Update, Some((key, version)))
            }
            // It leaves no trace of an upload: nothing has changed.
            WriteKind::Refresh { refresh, version } => {
                let fingerprint = refresh.fingerprint.map(fingerprint_value);
                attributes.push(("fingerprint", fingerprint));
                attributes.extend(self.granted(refresh.manager_granted));
                (Verb::Refresh, Some((key, version)))
            }
        };
        let statement = self.text(verb, &attributes);
        let mut parameters = Vec::with_capacity(ATTRIBUTES);
        parameters.extend(attributes.into_iter().filter_map(|(_, value)| value));
        if let Some((Key { pk, sk }, version)) = of_condition {
            parameters.extend([text(pk), text(sk), Value::Number(*version)]);
        }
        Statement {
            statement,
            parameters,
            return_values_on_condition_check_failure: AllOld::AllOld,
        }
    }

    fn text(&mut self, verb: Verb, attributes: &[Attribute<'_>]) -> Rc<str> {
        let bits = attributes
            .iter()
            .fold(1, |bits, (_, value)| bits << 1 | u64::from(value.is_some()));
        if let Some(text) = self.texts.get(&(verb, bits)) {
            return Rc::clone(text);
        }
        let shared = self.shared(verb);
        let text = Rc::from(match verb {
            Verb::Insert => insert(self.table, &shared, attributes),
            Verb::Update | Verb::Refresh => update(self.table, &shared, attributes),
        });
        self.texts.insert((verb, bits), Rc::clone(&text));
        text
    }

    /// What every statement of the batch writes alike. It stands in the text: as parameters, it would be made, sent and
    /// read again for each row.
    fn shared(&self, verb: Verb) -> Vec<(&'static str, &str)> {
        let created = [
            ("portal_id", &*self.portal),
            ("source", "feed"),
            ("created_at", &self.now),
        ];
        let changed = [
            ("updated_at", &*self.now),
            ("last_upload_id", &self.context.upload_id),
            ("last_write", &self.context.last_write),
        ];
        match verb {
            Verb::Insert => [created, changed].concat(),
            Verb::Update => changed.to_vec(),
            Verb::Refresh => Vec::new(),
        }
    }

    /// What a create writes once; what every change writes follows.
    fn created(&self, key: Key) -> [Attribute<'static>; 3] {
        [
            (PK, Some(text(key.pk))),
            (SK, Some(text(key.sk.clone()))),
            ("user_id", Some(text(key.sk))),
        ]
    }

    /// What every change writes.
    fn changed<'w>(
        &self,
        user: &'w User,
        version: u64,
        write: &UserWrite,
    ) -> impl Iterator<Item = Attribute<'w>> + use<'w> {
        // In full, so that a new field does not compile until it is stored.
        let User {
            email,
            first_name,
            last_name,
            external_id,
            status,
            roles,
            feed_roles,
            group_ids,
            manager_ids,
            custom,
            feed_managed,
            manager_granted: _,
            disabled_by_upload,
            fingerprint,
        } = user;
        let custom = custom
            .iter()
            .map(|(name, value)| (name.as_str(), text(value)));
        let some = |value: Value<'w>| Some(value);
        let attributes = [
            ("email", some(text(email))),
            (
                "email_key",
                some(text(EmailKey::of(email).as_str().to_owned())),
            ),
            ("first_name", some(text(first_name))),
            ("last_name", some(text(last_name))),
            ("external_id", external_id.as_ref().map(text)),
            ("status", some(text(status.as_str()))),
            ("roles", names_of(*roles)),
            ("feed_roles", names_of(*feed_roles)),
            ("group_ids", numbers(group_ids)),
            ("manager_ids", texts(manager_ids)),
            ("custom", some(Value::Map(custom.collect()))),
            ("feed_managed", some(Value::Flag(*feed_managed))),
            ("disabled_by_upload", disabled_by_upload.as_ref().map(text)),
            ("fingerprint", fingerprint.map(fingerprint_value)),
            ("version", some(Value::Number(version))),
            ("last_outcome", some(text(write.outcome.as_str()))),
        ];
        attributes
            .into_iter()
            .chain(self.granted(write.becomes_manager))
    }

    /// When the user was first named as a manager; written once.
    fn granted(&self, now: bool) -> Option<Attribute<'static>> {
        now.then(|| ("manager_granted_at", Some(text(self.now.clone()))))
    }
}

/// An INSERT of what is shared, and of those attributes that have a value.
fn insert(table: &str, shared: &[(&str, &str)], attributes: &[Attribute<'_>]) -> String {
    let shared = shared
        .iter()
        .map(|(name, value)| format!("'{name}': {}", literal(value)));
    let own = attributes
        .iter()
        .filter(|(_, value)| value.is_some())
        .map(|(name, _)| format!("'{name}': ?"));
    let columns: Vec<String> = shared.chain(own).collect();
    format!("INSERT INTO \"{table}\" VALUE {{{}}}", columns.join(", "))
}

/// An update of what is shared and of these attributes, if the version is still one that is named. Those without a value
/// are removed.
fn update(table: &str, shared: &[(&str, &str)], attributes: &[Attribute<'_>]) -> String {
    let shared = shared
        .iter()
        .map(|(name, value)| format!("SET \"{name}\" = {}", literal(value)));
    let own = attributes.iter().map(|(name, value)| match value {
        Some(_) => format!("SET \"{name}\" = ?"),
        None => format!("REMOVE \"{name}\""),
    });
    let clauses: Vec<String> = shared.chain(own).collect();
    let condition = format!("WHERE \"{PK}\" = ? AND \"{SK}\" = ? AND \"version\" = ?");
    format!("UPDATE \"{table}\" {} {condition}", clauses.join(" "))
}

/// A text as PartiQL writes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A part of the roster, and the names in it if they are wanted.
type ShardOfRoster = (Vec<RosterEntry>, Vec<(NamesHash, UserId)>);

/// An attribute, and its value if it is to have one.
type Attribute<'w> = (&'static str, Option<Value<'w>>);

/// A user has no more, so that room is made once.
const ATTRIBUTES: usize = 26;

fn text<'v>(value: impl Into<Cow<'v, str>>) -> Value<'v> {
    Value::Text(value.into())
}

fn fingerprint_value(fingerprint: Fingerprint) -> Value<'static> {
    Value::Bytes(BASE64.encode(fingerprint.to_bytes()))
}

// DynamoDB has no empty sets.

fn names_of(roles: Roles) -> Option<Value<'static>> {
    let names: Vec<_> = roles.iter().map(|role| role.as_str().into()).collect();
    (!names.is_empty()).then_some(Value::Texts(names))
}

fn numbers(ids: &BTreeSet<u64>) -> Option<Value<'static>> {
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    (!ids.is_empty()).then_some(Value::Numbers(ids))
}

fn texts(ids: &BTreeSet<UserId>) -> Option<Value<'static>> {
    let ids: Vec<_> = ids.iter().map(|id| id.to_string().into()).collect();
    (!ids.is_empty()).then_some(Value::Texts(ids))
}

fn malformed(what: &'static str) -> CallFailed {
    CallFailed::new(what, "an answer does not have the form that is documented")
}

fn string<'i>(item: &'i Item, name: &str) -> Option<&'i String> {
    item.get(name)?.as_s().ok()
}

fn fingerprint(item: &Item) -> Option<Fingerprint> {
    Fingerprint::from_bytes(item.get("fingerprint")?.as_b().ok()?.as_ref())
}

fn feed_managed(item: &Item) -> bool {
    item.get("feed_managed")
        .and_then(|value| value.as_bool().ok())
        .copied()
        .unwrap_or(false)
}

/// What is kept of the pages of the roster.
struct Taken {
    identify_by: IdentifyBy,
    names: bool,
    entries: Vec<RosterEntry>,
    named: Vec<(NamesHash, UserId)>,
}

impl Default for Taken {
    fn default() -> Self {
        Taken {
            identify_by: IdentifyBy::Email,
            names: false,
            entries: Vec::new(),
            named: Vec::new(),
        }
    }
}

impl Taken {
    fn take(&mut self, row: &Row<'_>) -> bool {
        let Some(brief) = brief(row) else {
            return false;
        };
        if let (true, Some(first), Some(last)) = (self.names, &row.first_name, &row.last_name) {
            self.named
                .push((NamesHash::of(&first.text, &last.text), brief.user_id));
        }
        self.entries.push(RosterEntry::new(brief, self.identify_by));
        true
    }
}

fn brief<'r>(row: &'r Row<'_>) -> Option<Brief<'r>> {
    let roles = |names: &Option<Texts<'_>>| match names {
        None => Some(Roles::NONE),
        Some(names) => names.texts.iter().map(|name| Role::named(name)).collect(),
    };
    let fingerprint = row.fingerprint.as_ref().and_then(|it| {
        let bytes = BASE64.decode(&*it.base64);
        Fingerprint::from_bytes(&bytes.ok()?)
    });
    Some(Brief {
        user_id: row.sk.text.parse().ok()?,
        email: &row.email_key.text,
        external_id: row.external_id.as_ref().map(|it| &*it.text),
        status: Status::stored(&row.status.text)?,
        roles: roles(&row.roles)?,
        feed_roles: roles(&row.feed_roles)?,
        feed_managed: row.feed_managed.as_ref().is_some_and(|it| it.set),
        manager_granted: row.manager_granted_at.is_some(),
        disabled_by_absence: row.disabled_by_upload.is_some(),
        fingerprint,
    })
}

/// A set of roles; absent: none.
fn roles(item: &Item, name: &str) -> Option<Roles> {
    let Some(names) = item.get(name).and_then(|value| value.as_ss().ok()) else {
        return Some(Roles::NONE);
    };
    names.iter().map(|name| Role::named(name)).collect()
}

fn stored_user(item: &Item) -> Option<StoredUser> {
    let mut custom = BTreeMap::new();
    if let Some(values) = item.get("custom").and_then(|value| value.as_m().ok()) {
        for (name, value) in values {
            custom.insert(name.parse().ok()?, value.as_s().ok()?.clone());
        }
    }
    let mut group_ids = BTreeSet::new();
    if let Some(ids) = item.get("group_ids").and_then(|value| value.as_ns().ok()) {
        for id in ids {
            group_ids.insert(id.parse().ok()?);
        }
    }
    let mut manager_ids = BTreeSet::new();
    if let Some(ids) = item.get("manager_ids").and_then(|value| value.as_ss().ok()) {
        for id in ids {
            manager_ids.insert(id.parse().ok()?);
        }
    }
    let status = Status::stored(string(item, "status")?)?;
    Some(StoredUser {
        user_id: string(item, SK)?.parse().ok()?,
        user: User {
            email: string(item, "email")?.clone(),
            first_name: string(item, "first_name")?.clone(),
            last_name: string(item, "last_name")?.clone(),
            external_id: string(item, "external_id").cloned(),
            status,
            roles: roles(item, "roles")?,
            feed_roles: roles(item, "feed_roles")?,
            group_ids,
            manager_ids,
            custom,
            feed_managed: feed_managed(item),
            manager_granted: string(item, "manager_granted_at").is_some(),
            disabled_by_upload: string(item, "disabled_by_upload").cloned(),
            fingerprint: fingerprint(item),
        },
        version: item.get("version")?.as_n().ok()?.parse().ok()?,
        last_write: string(item, "last_write").cloned(),
        last_outcome: string(item, "last_outcome").and_then(|text| Outcome::parse(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::identity::Identity;

    fn user(external_id: Option<&str>, disabled_by_upload: Option<&str>) -> User {
        User {
            email: "Ann@x.example".to_owned(),
            first_name: "Ann".to_owned(),
            last_name: "Ng".to_owned(),
            external_id: external_id.map(str::to_owned),
            status: Status::Active,
            roles: Roles::NONE,
            feed_roles: Roles::NONE,
            group_ids: BTreeSet::new(),
            manager_ids: BTreeSet::new(),
            custom: BTreeMap::new(),
            feed_managed: true,
            manager_granted: false,
            disabled_by_upload: disabled_by_upload.map(str::to_owned),
            fingerprint: None,
        }
    }

    #[test]
    fn a_quotation_mark_ends_no_literal() {
        assert_eq!(literal("O'Hara"), "'O''Hara'");
    }

    #[test]
    fn a_statement_is_the_same_whatever_came_before_it_in_its_batch() {
        let portal: PortalId = "1001".parse().unwrap();
        let context = WriteContext {
            portal,
            upload_id: "01J".to_owned(),
            last_write: "01J#1".to_owned(),
            now: "2026-11-22T10:00:00Z".parse().unwrap(),
        };
        let update = |after| {
            let after = Box::new(after);
            WriteKind::Update { after, version: 7 }
        };
        let refresh = |manager_granted| WriteKind::Refresh {
            refresh: Refresh {
                fingerprint: None,
                manager_granted,
            },
            version: 7,
        };
        let mut writes = Vec::new();
        for becomes_manager in [false, true] {
            for kind in [
                WriteKind::Create(user(None, None)),
                WriteKind::Create(user(Some("7"), None)),
                WriteKind::Create(user(None, Some("01H"))),
                update(user(None, None)),
                update(user(Some("7"), None)),
                update(user(None, Some("01H"))),
                refresh(false),
                refresh(true),
            ] {
                writes.push(UserWrite {
                    user_id: UserId::of(portal, &Identity::Email("ann@x.example"), 0),
                    kind,
                    becomes_manager,
                    outcome: Outcome::Created,
                });
            }
        }
        let mut batch = Statements::new("users", &context);
        for write in writes.iter().chain(&writes) {
            let statement = batch.of(write);
            let alone = Statements::new("users", &context).of(write);
            assert_eq!(statement, alone);
            let places = statement.statement.matches('?').count();
            assert_eq!(places, statement.parameters.len());
            // Nothing of a person is in a text.
            let of_a_person = ["Ann", "Ng", "x.example", "01H"];
            assert!(
                !of_a_person
                    .iter()
                    .any(|it| statement.statement.contains(it))
            );
        }
        // Two refreshes are the same whether or not their user becomes a manager.
        assert_eq!(batch.texts.len(), 14);
    }
}
