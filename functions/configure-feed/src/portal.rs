//! `/portals/{portal_id}`: a portal as an operator sets it up, and the state of its feed.

use crate::context::Context;
use crate::open_hold::{OpenHold, open_hold};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::fields::{CustomFieldName, Field, NotAFieldName};
use mapping::identity::PortalId;
use mapping::problem::{Problem, ProblemCode};
use platform::feed::{Action, Group, NamedField, Portal, PortalSettings};
use platform::web::{AdministratorOf, JsonBody, OperatorOf, Refusal, whole, wholes, wire};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

/// A portal as it is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "Northwind",
    "country": "AU",
    "external_id_enabled": true,
    "custom_fields": [{"name": "job_title", "label": "Job Title"}],
    "groups": [{"id": 7, "name": "Sales", "learning_ids": [1201, 1202]}],
})))]
pub(crate) struct PortalBody {
    /// What people call it.
    #[schema(value_type = wire::Name)]
    name: String,
    /// ISO 3166-1, two letters.
    #[schema(pattern = "^[A-Z]{2}$")]
    country: String,
    /// Whether a mapping may identify people by an external id.
    #[serde(default)]
    external_id_enabled: bool,
    /// The portal's own fields. One that the mapping uses cannot be left out.
    #[serde(default)]
    #[schema(max_items = 50)]
    custom_fields: Vec<CustomFieldBody>,
    /// Groups that a file can put people into.
    #[serde(default)]
    #[schema(max_items = 1000)]
    groups: Vec<GroupBody>,
    /// As it was shown, for who changes what was read and sends it back. It is not set here.
    #[serde(default, rename = "portal_id")]
    #[schema(value_type = Value)]
    _portal_id: IgnoredAny,
    /// As it was shown. It is not set here.
    #[serde(default, rename = "feed")]
    #[schema(value_type = Value)]
    _feed: IgnoredAny,
    /// As it was shown. It is not set here.
    #[serde(default, rename = "off_boarding_since")]
    #[schema(value_type = Value)]
    _off_boarding_since: IgnoredAny,
}

/// A field of the portal's own.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CustomFieldBody {
    /// As mappings spell it: once in the portal, and not like a standard field.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    name: String,
    /// As people read it.
    #[schema(value_type = wire::Name)]
    label: String,
}

/// A group of people, and what they learn.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    /// As files spell it: once in the portal.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 9007199254740991i64)]
    id: u64,
    /// What people call it.
    #[schema(value_type = wire::Name)]
    name: String,
    /// Learning that everybody in the group is assigned, each once.
    #[serde(default, deserialize_with = "wholes")]
    #[schema(max_items = 200, value_type = Vec<wire::GoId>)]
    learning_ids: Vec<u64>,
}

/// A portal as it is shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct PortalAnswer {
    #[schema(value_type = wire::PortalId)]
    portal_id: PortalId,
    name: String,
    country: String,
    external_id_enabled: bool,
    custom_fields: Vec<CustomFieldBody>,
    groups: Vec<GroupBody>,
    feed: FeedAnswer,
    /// Since when the portal is being given up; `null`: it is not.
    #[schema(required, format = DateTime)]
    off_boarding_since: Option<String>,
}

/// Whether files are accepted, by which mapping they are read, and what of them waits.
#[derive(Serialize, ToSchema)]
struct FeedAnswer {
    authorised: bool,
    /// The address of whoever did.
    #[schema(required)]
    authorised_by: Option<String>,
    #[schema(required, format = DateTime)]
    authorised_at: Option<String>,
    /// `null`: there is no mapping, and files are rejected.
    #[schema(required, minimum = 1)]
    mapping_version: Option<u64>,
    /// When a file of the feed was last applied, rehearsals aside; `null`: never.
    #[schema(required, format = DateTime)]
    last_applied: Option<String>,
    /// When the next file should be there; `null`: none is expected.
    #[schema(required, format = DateTime)]
    expected_by: Option<String>,
    /// Since when none has come; `null`: nobody is waiting.
    #[schema(required, format = DateTime)]
    overdue_since: Option<String>,
    /// What waits for a decision.
    #[schema(required)]
    held: Option<OpenHold>,
}

/// A page has to show them all.
const MAX_CUSTOM_FIELDS: usize = 50;
const MAX_GROUPS: usize = 1_000;
const MAX_LEARNING: usize = 200;
const MAX_NAME_CHARS: usize = 200;

/// Numbers that JavaScript keeps exactly.
const IDS: std::ops::RangeInclusive<u64> = 1..=(1 << 53) - 1;

/// DynamoDB limits an item to 400 KB; who authorised the feed and the rest take little.
const MAX_SETTINGS_BYTES: usize = 300_000;

/// A portal
///
/// As an operator has set it up, and the state of its feed.
#[utoipa::path(
    get, path = "/portals/{portal_id}", operation_id = "show_portal", tag = "Administrators",
    responses(
        (status = 200, description = "The portal.", body = PortalAnswer),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<PortalAnswer>, Refusal> {
    let portal = context.portal(portal_id).await?;
    Ok(Json(answer(&context, portal_id, portal).await?))
}

/// Set a portal up
///
/// Or change it: everything is replaced, the feed stays as it is. What was read can be changed and sent back.
#[utoipa::path(
    put, path = "/portals/{portal_id}", operation_id = "set_portal_up", tag = "Operators",
    request_body = PortalBody,
    responses(
        (status = 200, description = "The portal was there before.", body = PortalAnswer),
        (status = 201, description = "The portal is new.", body = PortalAnswer),
        (status = 409, description = "`conflict`"),
        (status = 422, description = "`invalid_value`, `field_in_use`, `external_id_in_use`"),
    ),
)]
pub(crate) async fn put(
    OperatorOf(portal_id, caller): OperatorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<PortalBody>,
) -> Result<(StatusCode, Json<PortalAnswer>), Refusal> {
    let settings = settings(body).map_err(Refusal::all)?;
    let before = context.feed.portal(portal_id).await?;
    if let Some(before) = before.as_ref().filter(|before| before.settings == settings) {
        let answer = answer(&context, portal_id, before.clone()).await?;
        return Ok((StatusCode::OK, Json(answer)));
    }
    let in_use = fields_in_use(&context, portal_id, &settings).await?;
    if !in_use.is_empty() {
        return Err(Refusal::all(in_use));
    }
    let action = match before {
        Some(_) => Action::PortalChanged,
        None => Action::PortalSetUp,
    };
    let entry = context.entry(portal_id, &caller, action)?;
    if !context
        .feed
        .put_portal(portal_id, before.as_ref(), &settings, entry)
        .await?
    {
        return Err(Refusal::new(ProblemCode::Conflict));
    }
    let status = if before.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let portal = context.portal(portal_id).await?;
    Ok((status, Json(answer(&context, portal_id, portal).await?)))
}

async fn answer(
    context: &Context,
    portal_id: PortalId,
    portal: Portal,
) -> Result<PortalAnswer, Refusal> {
    let mapping = context.feed.mapping(portal_id).await?;
    let awaited = context.feed.awaited(portal_id, &portal).await?;
    let held = open_hold(context, portal_id, &portal, None).await?;
    let PortalSettings {
        name,
        country,
        external_id_enabled,
        custom_fields,
        groups,
    } = portal.settings;
    let off_boarding_since = portal.off_boarding_since;
    let (authorised_by, authorised_at) = portal.authorisation.map(|by| (by.by, by.at)).unzip();
    let custom_fields = custom_fields.into_iter().map(|field| CustomFieldBody {
        name: field.name.into(),
        label: field.label,
    });
    let groups = groups.into_iter().map(
        |Group {
             id,
             name,
             learning_ids,
         }| GroupBody {
            id,
            name,
            learning_ids,
        },
    );
    Ok(PortalAnswer {
        portal_id,
        name,
        country,
        external_id_enabled,
        custom_fields: custom_fields.collect(),
        groups: groups.collect(),
        feed: FeedAnswer {
            authorised: authorised_at.is_some(),
            authorised_by,
            authorised_at,
            mapping_version: mapping.map(|mapping| mapping.version),
            last_applied: portal.last_applied,
            expected_by: awaited.expected_by,
            overdue_since: awaited.overdue_since,
            held,
        },
        off_boarding_since,
    })
}

/// A file would be refused at night because of what was changed at noon: a field that the mapping uses
/// cannot be taken away.
async fn fields_in_use(
    context: &Context,
    portal_id: PortalId,
    settings: &PortalSettings,
) -> Result<Vec<Problem>, Refusal> {
    let Some(mapping) = context.feed.mapping(portal_id).await? else {
        return Ok(Vec::new());
    };
    let left = settings.catalogue();
    let gone = mapping
        .draft
        .fields
        .iter()
        .filter(|line| left.find(&line.field).is_none());
    let mut problems: Vec<Problem> = gone
        .map(|line| {
            let message = format!("“{}” is used by the mapping.", line.field);
            Problem::new(ProblemCode::FieldInUse)
                .field(&line.field)
                .message(message)
        })
        .collect();
    if mapping.draft.identity == Field::ExternalId.as_str() && !settings.external_id_enabled {
        let field = "external_id_enabled";
        problems.push(Problem::new(ProblemCode::ExternalIdInUse).field(field));
    }
    Ok(problems)
}

fn settings(body: PortalBody) -> Result<PortalSettings, Vec<Problem>> {
    let problem = |field: &str, message: &str| {
        Problem::new(ProblemCode::InvalidValue)
            .field(field)
            .message(message)
    };
    let size = serde_json::to_vec(&(&body.name, &body.custom_fields, &body.groups))
        .map_or(usize::MAX, |json| json.len());
    if size > MAX_SETTINGS_BYTES {
        return Err(vec![problem(
            "groups",
            "The portal's fields and groups are too large altogether (300 kB).",
        )]);
    }
    let mut problems = Vec::new();
    let is_name = |name: &str| {
        let length = name.trim().chars().count();
        (1..=MAX_NAME_CHARS).contains(&length) && !name.chars().any(char::is_control)
    };
    if !is_name(&body.name) {
        problems.push(problem("name", "A name has 1 to 200 characters.").value(&body.name));
    }
    if body.country.len() != 2 || !body.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let message = "A country is two capital letters (ISO 3166-1), such as AU.";
        problems.push(problem("country", message).value(&body.country));
    }
    if body.custom_fields.len() > MAX_CUSTOM_FIELDS {
        problems.push(problem(
            "custom_fields",
            "A portal has at most 50 custom fields.",
        ));
    }
    if body.groups.len() > MAX_GROUPS {
        problems.push(problem("groups", "A portal has at most 1,000 groups."));
    }
    let mut custom_fields = Vec::new();
    let mut names = HashSet::new();
    for CustomFieldBody { name, label } in &body.custom_fields {
        if !is_name(label) {
            problems
                .push(problem("custom_fields", "A label has 1 to 200 characters.").value(label));
        }
        if !names.insert(name) {
            problems.push(
                problem("custom_fields", "Two custom fields have the same name.").value(name),
            );
        }
        let parsed: Result<CustomFieldName, NotAFieldName> = name.parse();
        match parsed {
            Ok(name) => custom_fields.push(NamedField {
                name,
                label: label.trim().to_owned(),
            }),
            Err(error) => {
                problems.push(problem("custom_fields", &sentence(&error.to_string())).value(name))
            }
        }
    }
    let mut groups = Vec::new();
    let mut ids = HashSet::new();
    for GroupBody {
        id,
        name,
        learning_ids,
    } in body.groups
    {
        if !is_name(&name) {
            problems.push(problem("groups", "A name has 1 to 200 characters.").value(&name));
        }
        if !ids.insert(id) {
            problems.push(problem("groups", "Two groups have the same id.").value(&id.to_string()));
        }
        if learning_ids.len() > MAX_LEARNING
            || learning_ids.iter().collect::<HashSet<_>>().len() < learning_ids.len()
        {
            let message = "A group assigns at most 200 learning items, each once.";
            problems.push(problem("groups", message).value(&id.to_string()));
        }
        if let Some(wrong) = [id]
            .iter()
            .chain(&learning_ids)
            .find(|id| !IDS.contains(id))
        {
            problems.push(
                problem("groups", "An id is a number from 1 to 2^53 - 1.")
                    .value(&wrong.to_string()),
            );
        }
        groups.push(Group {
            id,
            name: name.trim().to_owned(),
            learning_ids,
        });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(PortalSettings {
        name: body.name.trim().to_owned(),
        country: body.country,
        external_id_enabled: body.external_id_enabled,
        custom_fields,
        groups,
    })
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &serde_json::Value) -> PortalBody {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn a_portal_is_set_up_from_what_an_operator_sends() {
        let body = body(&serde_json::json!({
            "name": " Northwind ", "country": "AU",
            "custom_fields": [{"name": "employee_id", "label": "Employee ID"}],
            "groups": [{"id": 7, "name": "Sales", "learning_ids": [1, 2]}],
        }));
        let settings = settings(body).unwrap();
        assert_eq!(settings.name, "Northwind");
        assert_eq!(settings.custom_fields[0].name.as_str(), "employee_id");
        assert_eq!(settings.groups[0].learning_ids, [1, 2]);
        assert!(!settings.external_id_enabled);
    }

    #[test]
    fn everything_that_is_wrong_with_a_portal_is_listed() {
        let body = body(&serde_json::json!({
            "name": "", "country": "Australia",
            "custom_fields": [{"name": "email", "label": "E"}, {"name": "a b", "label": ""}, {"name": "x", "label": "X"}, {"name": "x", "label": "X"}],
            "groups": [{"id": 1, "name": "A"}, {"id": 1, "name": "B", "learning_ids": [0]}],
        }));
        let problems = settings(body).unwrap_err();
        let fields: Vec<_> = problems
            .iter()
            .map(|problem| problem.field.as_deref().unwrap())
            .collect();
        assert_eq!(
            fields,
            [
                "name",
                "country",
                "custom_fields",
                "custom_fields",
                "custom_fields",
                "custom_fields",
                "groups",
                "groups"
            ]
        );
        assert!(
            problems
                .iter()
                .all(|problem| problem.message.ends_with('.'))
        );
    }
}
