//! The users table as somebody in the portal sees it: one user as a whole, pages of them, who has an address,
//! and a change of one. What a change comes to is decided in `mapping::edit`; what files write is in `users`.

use crate::aws::Aws;
use crate::batch::read_batch;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::feed::{Entry, Fence, UploadId, condition_failed, in_conflict};
use crate::keys::{Item, Key, PK, SK, user_shards};
use crate::users::READ_BATCH;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use jiff::Timestamp;
use mapping::edit::Editable;
use mapping::fields::Status;
use mapping::identity::{EmailKey, Identity, PortalId, UserId};
use mapping::role::Role;
use mapping::search::NameSearch;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

/// The user is still the one that was read.
const AS_IT_WAS: &str = "version = :before";

/// Users that one search looks at, at most: some 2 MB, which are read in less than a second.
const EXAMINED: usize = 5_000;

/// The users of all portals, as their portals see them.
#[derive(Clone)]
pub struct Directory {
    client: Client,
    table: String,
}

/// A user with everything that is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PortalUser {
    /// Who it is.
    pub user_id: UserId,
    /// What can be changed, and what follows from it.
    pub values: Editable,
    /// What some portals identify people by.
    pub external_id: Option<String>,
    /// The portal's own fields; one without a value is absent.
    pub custom: BTreeMap<String, String>,
    /// A row of a file was accepted for this user once.
    pub feed_managed: bool,
    /// Who created the user.
    pub source: Option<String>,
    /// When the feed gave the role of a manager.
    pub manager_granted_at: Option<String>,
    /// When.
    pub created_at: Option<String>,
    /// When it was changed last.
    pub updated_at: Option<String>,
    /// The upload that wrote last; whatever else changes a user leaves it.
    pub last_upload_id: Option<String>,
    /// Goes up with every change.
    pub version: u64,
}

/// Where a page of users ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(UserId);

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACursor;

impl Cursor {
    /// The end of a page whose last user this is.
    pub fn after(user: &PortalUser) -> Self {
        Cursor(user.user_id)
    }

    /// Whether a user comes on a page after this one.
    pub fn is_before(self, user: &PortalUser) -> bool {
        self.0 < user.user_id
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        UserId::spelled(text).map(Cursor).ok_or(NotACursor)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Some of a portal's users, in the order of their ids.
pub struct Page {
    /// Those who were looked for.
    pub users: Vec<PortalUser>,
    /// Where to go on; `None`: there are no more.
    pub next: Option<Cursor>,
}

/// The item. What is `NULL` is absent.
#[derive(Deserialize)]
struct UserItem {
    user_id: UserId,
    email: String,
    first_name: String,
    last_name: String,
    status: Status,
    version: u64,
    roles: Option<BTreeSet<Role>>,
    feed_roles: Option<BTreeSet<Role>>,
    group_ids: Option<BTreeSet<u64>>,
    manager_ids: Option<BTreeSet<UserId>>,
    external_id: Option<String>,
    custom: Option<BTreeMap<String, String>>,
    feed_managed: Option<bool>,
    source: Option<String>,
    manager_granted_at: Option<String>,
    disabled_by_upload: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_upload_id: Option<String>,
}

impl From<UserItem> for PortalUser {
    fn from(item: UserItem) -> Self {
        PortalUser {
            user_id: item.user_id,
            values: Editable {
                email: item.email,
                first_name: item.first_name,
                last_name: item.last_name,
                status: item.status,
                roles: item.roles.unwrap_or_default(),
                feed_roles: item.feed_roles.unwrap_or_default(),
                group_ids: item.group_ids.unwrap_or_default(),
                manager_ids: item.manager_ids.unwrap_or_default(),
                disabled_by_upload: item.disabled_by_upload,
            },
            external_id: item.external_id,
            custom: item.custom.unwrap_or_default(),
            feed_managed: item.feed_managed.unwrap_or_default(),
            source: item.source,
            manager_granted_at: item.manager_granted_at,
            created_at: item.created_at,
            updated_at: item.updated_at,
            last_upload_id: item.last_upload_id,
            version: item.version,
        }
    }
}

/// A part of a transaction that deletes a user, who must be as it was read.
pub struct Deletion(pub(crate) TransactWriteItem);

/// A part of a transaction that creates a user, of whose id there must be none.
pub struct Creation(pub(crate) TransactWriteItem);

/// Somebody who becomes a user of a portal, not by a file.
pub struct NewUser {
    /// Who.
    pub user_id: UserId,
    /// As it was sent, trimmed.
    pub email: String,
    /// Trimmed.
    pub first_name: String,
    /// Trimmed.
    pub last_name: String,
    /// What creates them, such as `xero`.
    pub source: &'static str,
    /// The upload that does.
    pub upload_id: UploadId,
}

impl Directory {
    /// The table of this name.
    pub fn new(aws: &Aws, table: String) -> Self {
        Directory {
            client: aws.dynamodb.clone(),
            table,
        }
    }

    /// A user, read consistently.
    ///
    /// # Errors
    ///
    /// The table could not be read, or the item is none of ours.
    pub async fn user(
        &self,
        portal: PortalId,
        user_id: UserId,
    ) -> Result<Option<PortalUser>, CallFailed> {
        const WHAT: &str = "read the user";
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(Key::user(portal, user_id).item()))
            .consistent_read(true)
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        answer.item.map(|item| user_of(WHAT, item)).transpose()
    }

    /// Those of up to [`READ_BATCH`] users who exist, read consistently.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn existing(
        &self,
        portal: PortalId,
        ids: &BTreeSet<UserId>,
    ) -> Result<BTreeSet<UserId>, CallFailed> {
        const WHAT: &str = "look for users";
        let keys = ids.iter().take(READ_BATCH);
        let keys = keys.map(|id| Key::user(portal, *id).item()).collect();
        let read = read_batch(&self.client, &self.table, WHAT, keys, |wanted| {
            let wanted = wanted.projection_expression("#sk");
            wanted.expression_attribute_names("#sk", SK)
        });
        let items = read.await?;
        items.iter().map(|item| id_in_key(WHAT, item)).collect()
    }

    /// Who of the portal has this address, in the order of their ids; more than one only if something went
    /// wrong.
    ///
    /// The index names them. It may lag by moments, so who it names is read consistently and has to have the
    /// address still; and somebody whom a file has just created with it is found by the id that a new user of
    /// this address gets. Somebody who moved to it just now, in the portal or by external id, may be missed.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn holders(
        &self,
        portal: PortalId,
        email_key: &EmailKey,
    ) -> Result<Vec<PortalUser>, CallFailed> {
        let mut found = BTreeMap::new();
        for n in 0.. {
            let id = UserId::of(portal, &Identity::Email(email_key.as_str()), n);
            match self.user(portal, id).await? {
                Some(user) => _ = found.insert(id, user),
                None => break,
            }
        }
        for id in self.named_by_index(portal, email_key).await? {
            if !found.contains_key(&id)
                && let Some(user) = self.user(portal, id).await?
            {
                found.insert(id, user);
            }
        }
        found.retain(|_, user| EmailKey::of(&user.values.email) == *email_key);
        Ok(found.into_values().collect())
    }

    async fn named_by_index(
        &self,
        portal: PortalId,
        email_key: &EmailKey,
    ) -> Result<Vec<UserId>, CallFailed> {
        const WHAT: &str = "find users by address";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_email")
            .key_condition_expression("email_key = :key AND portal_id = :portal")
            .expression_attribute_values(":key", text(email_key.as_str()))
            .expression_attribute_values(":portal", text(portal.to_string()))
            .into_paginator()
            .send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            for item in page.map_err(CallFailed::sdk(WHAT))?.items() {
                ids.push(id_in_key(WHAT, item)?);
            }
        }
        Ok(ids)
    }

    /// The portal's users after this place, or those of them whom `search` finds, in the order of their ids (and
    /// so of their partitions), read consistently; at most so many.
    ///
    /// A search looks at some users of a large portal in one go, so its page may have fewer than `limit` users,
    /// or none, and still not be the last.
    ///
    /// # Errors
    ///
    /// The table could not be read, or an item is none of ours.
    pub async fn page(
        &self,
        portal: PortalId,
        limit: usize,
        after: Option<Cursor>,
        search: Option<&NameSearch>,
    ) -> Result<Page, CallFailed> {
        const WHAT: &str = "list the users";
        let is_found = |PortalUser { values, .. }: &PortalUser| {
            search.is_none_or(|search| search.finds(&values.first_name, &values.last_name))
        };
        let start = after.map(|Cursor(id)| Key::user(portal, id));
        let mut examined = 0;
        let (mut users, mut last) = (Vec::new(), after);
        for shard in user_shards(portal) {
            // Partitions sort as the ids in them do.
            if start.as_ref().is_some_and(|start| shard < start.pk) {
                continue;
            }
            let here = start.as_ref().filter(|start| start.pk == shard);
            let mut key = here.map(Key::item);
            loop {
                // One more than there is room for says that there are more.
                let most = match search {
                    None => limit + 1 - users.len(),
                    Some(_) => EXAMINED - examined,
                };
                let answer = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .key_condition_expression("#pk = :pk")
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_values(":pk", text(&shard))
                    .consistent_read(true)
                    .set_limit(i32::try_from(most).ok())
                    .set_exclusive_start_key(key)
                    .send()
                    .await
                    .map_err(CallFailed::sdk(WHAT))?;
                for item in answer.items.unwrap_or_default() {
                    let user = user_of(WHAT, item)?;
                    examined += 1;
                    if is_found(&user) {
                        if users.len() == limit {
                            return Ok(Page { users, next: last });
                        }
                        last = Some(Cursor::after(&user));
                        users.push(user);
                    } else if users.len() < limit {
                        last = Some(Cursor::after(&user));
                    }
                }
                key = answer.last_evaluated_key;
                if examined >= EXAMINED {
                    return Ok(Page { users, next: last });
                }
                if key.is_none() {
                    break;
                }
            }
        }
        Ok(Page { users, next: None })
    }

    /// Creates a learner, as a part of what else is written then.
    ///
    /// # Errors
    ///
    /// The SDK would not make it.
    pub fn creation(
        &self,
        portal: PortalId,
        user: &NewUser,
        now: Timestamp,
    ) -> Result<Creation, CallFailed> {
        let key = Key::user(portal, user.user_id);
        let mut item: Item = [
            ("portal_id", text(portal.to_string())),
            ("user_id", text(user.user_id.to_string())),
            ("source", text(user.source)),
            ("created_at", text(stamp(now))),
            ("updated_at", text(stamp(now))),
            ("email", text(&user.email)),
            ("email_key", text(EmailKey::of(&user.email).as_str())),
            ("first_name", text(&user.first_name)),
            ("last_name", text(&user.last_name)),
            ("status", text(Status::Active.as_str())),
            (
                "roles",
                AttributeValue::Ss(vec![Role::Learner.as_str().to_owned()]),
            ),
            ("custom", AttributeValue::M(Item::new())),
            ("feed_managed", AttributeValue::Bool(false)),
            ("last_upload_id", text(user.upload_id.to_string())),
            ("version", number(1)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        item.extend(key.item());
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(CallFailed::to("create a user"))?;
        Ok(Creation(TransactWriteItem::builder().put(put).build()))
    }

    /// Deletes the user, as a part of what else is written then.
    ///
    /// # Errors
    ///
    /// The SDK would not make it.
    pub fn deletion(&self, portal: PortalId, user: &PortalUser) -> Result<Deletion, CallFailed> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::user(portal, user.user_id).item()))
            .condition_expression(AS_IT_WAS)
            .expression_attribute_values(":before", number(user.version))
            .build()
            .map_err(CallFailed::to("delete the user"))?;
        Ok(Deletion(
            TransactWriteItem::builder().delete(delete).build(),
        ))
    }

    /// Makes a change of the portal's: the user as it is then. The feed has to respect it: it finds no
    /// fingerprint, so it looks at the user as a whole, and `last_upload_id` as it was. `None`: the user is
    /// not as it was in `before` any more, or the lease, if there is a fence, is somebody else's by now.
    ///
    /// # Errors
    ///
    /// The table could not be written or read.
    pub async fn change(
        &self,
        portal: PortalId,
        before: &PortalUser,
        after: &Editable,
        now: Timestamp,
        Entry(entry): Entry,
        fence: Option<Fence>,
    ) -> Result<Option<PortalUser>, CallFailed> {
        const WHAT: &str = "change the user";
        let changes = Changes::of(&before.values, after, before.version, now);
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::user(portal, before.user_id).item()))
            .update_expression(changes.expression)
            .set_expression_attribute_names(Some(changes.names))
            .set_expression_attribute_values(Some(changes.values))
            .condition_expression(AS_IT_WAS)
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let mut request = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(entry);
        if let Some(Fence(check)) = fence {
            request = request.transact_items(check);
        }
        match request.send().await {
            Ok(_) => self.user(portal, before.user_id).await,
            Err(error) if condition_failed(&error) || in_conflict(&error) => Ok(None),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }
}

/// An update of the attributes that differ, and of those that every change in the portal touches. It is made if
/// the user is [`AS_IT_WAS`].
struct Changes {
    expression: String,
    names: HashMap<String, String>,
    values: Item,
}

impl Changes {
    fn of(before: &Editable, after: &Editable, version: u64, now: Timestamp) -> Self {
        // In full, so that a new field does not compile until it is stored.
        let Editable {
            email,
            first_name,
            last_name,
            status,
            roles,
            feed_roles,
            group_ids,
            manager_ids,
            disabled_by_upload,
        } = after;
        let mut attributes = vec![
            ("version", Some(number(version + 1))),
            ("updated_at", Some(text(stamp(now)))),
            ("fingerprint", None),
        ];
        let mut differs = |is_so: bool, name, value: Option<AttributeValue>| {
            if is_so {
                attributes.push((name, value));
            }
        };
        let key = EmailKey::of(email);
        differs(*email != before.email, "email", Some(text(email)));
        differs(
            key != EmailKey::of(&before.email),
            "email_key",
            Some(text(key.as_str())),
        );
        differs(
            *first_name != before.first_name,
            "first_name",
            Some(text(first_name)),
        );
        differs(
            *last_name != before.last_name,
            "last_name",
            Some(text(last_name)),
        );
        differs(
            *status != before.status,
            "status",
            Some(text(status.as_str())),
        );
        differs(
            *roles != before.roles,
            "roles",
            texts(roles.iter().map(|role| role.as_str())),
        );
        differs(
            *feed_roles != before.feed_roles,
            "feed_roles",
            texts(feed_roles.iter().map(|role| role.as_str())),
        );
        differs(
            *group_ids != before.group_ids,
            "group_ids",
            set(group_ids.iter(), AttributeValue::Ns),
        );
        differs(
            *manager_ids != before.manager_ids,
            "manager_ids",
            texts(manager_ids.iter()),
        );
        differs(
            *disabled_by_upload != before.disabled_by_upload,
            "disabled_by_upload",
            disabled_by_upload.as_ref().map(text),
        );
        let (mut sets, mut removes) = (Vec::new(), Vec::new());
        let (mut names, mut values) = (HashMap::new(), Item::new());
        for (name, value) in attributes {
            names.insert(format!("#{name}"), name.to_owned());
            match value {
                Some(value) => {
                    sets.push(format!("#{name} = :{name}"));
                    values.insert(format!(":{name}"), value);
                }
                None => removes.push(format!("#{name}")),
            }
        }
        values.insert(":before".to_owned(), number(version));
        Changes {
            expression: format!("SET {} REMOVE {}", sets.join(", "), removes.join(", ")),
            names,
            values,
        }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn texts<T: ToString>(values: impl ExactSizeIterator<Item = T>) -> Option<AttributeValue> {
    set(values, AttributeValue::Ss)
}

/// `None` for an empty one: DynamoDB has no empty sets.
fn set<T: ToString>(
    values: impl ExactSizeIterator<Item = T>,
    of: fn(Vec<String>) -> AttributeValue,
) -> Option<AttributeValue> {
    (values.len() > 0).then(|| of(values.map(|value| value.to_string()).collect()))
}

fn user_of(what: &'static str, item: Item) -> Result<PortalUser, CallFailed> {
    let item: UserItem = serde_dynamo::from_item(item).map_err(CallFailed::malformed(what))?;
    Ok(item.into())
}

fn id_in_key(what: &'static str, item: &Item) -> Result<UserId, CallFailed> {
    item.get(SK)
        .and_then(|sk| sk.as_s().ok()?.parse().ok())
        .ok_or_else(|| CallFailed::malformed(what)(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19";

    fn item(more: &[(&str, AttributeValue)]) -> Item {
        let mut item: Item = [
            ("user_id", ID),
            ("email", "Ann@x.example"),
            ("first_name", "Ann"),
            ("last_name", "Lee"),
            ("status", "active"),
        ]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into();
        item.insert("version".to_owned(), number(3));
        item.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        item
    }

    #[test]
    fn what_is_null_is_absent() {
        let absent = user_of("", item(&[])).unwrap();
        let all = [
            "roles",
            "feed_roles",
            "group_ids",
            "manager_ids",
            "external_id",
            "custom",
            "feed_managed",
            "source",
            "manager_granted_at",
            "disabled_by_upload",
            "created_at",
            "updated_at",
            "last_upload_id",
            "fingerprint",
        ];
        let null = user_of(
            "",
            item(&all.map(|name| (name, AttributeValue::Null(true)))),
        );
        assert!(null.unwrap() == absent);
        assert!(absent.values.roles.is_empty() && absent.external_id.is_none());
    }

    #[test]
    fn sets_are_read_and_changed_as_sets() {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let user = user_of(
            "",
            item(&[
                (
                    "roles",
                    AttributeValue::Ss(list(&["Learner", "Content administrator"])),
                ),
                ("feed_roles", AttributeValue::Ss(list(&["Learner"]))),
                ("group_ids", AttributeValue::Ns(list(&["10", "9"]))),
                ("manager_ids", AttributeValue::Ss(list(&[ID]))),
                ("disabled_by_upload", text("01J")),
            ]),
        );
        let before = user.unwrap().values;
        assert!(before.roles == [Role::Learner, Role::ContentAdministrator].into());
        assert!(before.group_ids == [9, 10].into());
        assert_eq!(before.manager_ids.len(), 1);

        let after = Editable {
            email: "ann@X.example".to_owned(),
            feed_roles: BTreeSet::new(),
            group_ids: [9].into(),
            disabled_by_upload: None,
            ..before.clone()
        };
        let update = Changes::of(&before, &after, 3, Timestamp::UNIX_EPOCH);
        assert_eq!(
            update.expression,
            "SET #version = :version, #updated_at = :updated_at, #email = :email, \
             #group_ids = :group_ids REMOVE #fingerprint, #feed_roles, #disabled_by_upload"
        );
        assert_eq!(update.names.len(), 7);
        assert_eq!(
            update.values,
            Item::from([
                (":before".to_owned(), number(3)),
                (":version".to_owned(), number(4)),
                (":updated_at".to_owned(), text("1970-01-01T00:00:00.000Z")),
                (":email".to_owned(), text("ann@X.example")),
                (":group_ids".to_owned(), AttributeValue::Ns(list(&["9"]))),
            ])
        );
    }

    #[test]
    fn a_cursor_has_one_spelling() {
        assert_eq!(ID.parse::<Cursor>().unwrap().to_string(), ID);
        for none in ["", "x", &ID.to_uppercase(), &ID.replace('-', "")] {
            assert_eq!(none.parse::<Cursor>(), Err(NotACursor));
        }
    }
}
