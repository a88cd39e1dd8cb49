//! `/portals/{portal_id}`: a portal as an operator sets it up, and the state of its feed.

use crate::routes::Context;
use ::mapping::fields::{CustomFieldName, NotAFieldName};
use ::mapping::identity::PortalId;
use ::mapping::mapping::Mapping;
use ::mapping::problem::{Problem, ProblemCode};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use platform::feed::{Group, NamedField, Portal, PortalSettings};
use platform::web::{AdministratorOf, JsonBody, OperatorOf, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A portal as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortalBody {
    name: String,
    country: String,
    #[serde(default)]
    external_id_enabled: bool,
    #[serde(default)]
    custom_fields: Vec<CustomFieldBody>,
    #[serde(default)]
    groups: Vec<GroupBody>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomFieldBody {
    name: String,
    label: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    id: u64,
    name: String,
    #[serde(default)]
    learning_ids: Vec<u64>,
}

/// A portal as it is shown.
#[derive(Serialize)]
pub(crate) struct PortalAnswer {
    portal_id: PortalId,
    name: String,
    country: String,
    external_id_enabled: bool,
    custom_fields: Vec<CustomFieldBody>,
    groups: Vec<GroupBody>,
    feed: FeedAnswer,
}

/// Whether files are accepted, and by which mapping they are read.
#[derive(Serialize)]
struct FeedAnswer {
    authorised: bool,
    authorised_by: Option<String>,
    authorised_at: Option<String>,
    mapping_version: Option<u64>,
}

/// Item size is limited to 400 KB, and a page has to show them all.
const MAX_CUSTOM_FIELDS: usize = 50;
const MAX_GROUPS: usize = 1_000;
const MAX_NAME_CHARS: usize = 200;

pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<PortalAnswer>, Refusal> {
    let portal = find(&context, portal_id).await?;
    Ok(Json(answer(&context, portal_id, portal).await?))
}

pub(crate) async fn put(
    OperatorOf(portal_id, _): OperatorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<PortalBody>,
) -> Result<(StatusCode, Json<PortalAnswer>), Refusal> {
    let settings = settings(body).map_err(Refusal::all)?;
    let before = context.feed.portal(portal_id).await?;
    if let Some(problems) = fields_in_use(&context, portal_id, &settings).await? {
        return Err(Refusal::all(problems));
    }
    context.feed.put_portal(portal_id, &settings).await?;
    let status = if before.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let portal = find(&context, portal_id).await?;
    Ok((status, Json(answer(&context, portal_id, portal).await?)))
}

/// The portal, or the refusal that there is none.
pub(crate) async fn find(context: &Context, portal_id: PortalId) -> Result<Portal, Refusal> {
    context
        .feed
        .portal(portal_id)
        .await?
        .ok_or_else(|| Refusal::new(ProblemCode::PortalNotFound))
}

async fn answer(
    context: &Context,
    portal_id: PortalId,
    portal: Portal,
) -> Result<PortalAnswer, Refusal> {
    let mapping = context.feed.mapping(portal_id).await?;
    let PortalSettings {
        name,
        country,
        external_id_enabled,
        custom_fields,
        groups,
    } = portal.settings;
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
        },
    })
}

/// A file would be refused at night because of what was changed at noon: a field that the mapping uses
/// cannot be taken away.
async fn fields_in_use(
    context: &Context,
    portal_id: PortalId,
    settings: &PortalSettings,
) -> Result<Option<Vec<Problem>>, Refusal> {
    let Some(mapping) = context.feed.mapping(portal_id).await? else {
        return Ok(None);
    };
    let Err(problems) = Mapping::check(&mapping.draft, &settings.catalogue()) else {
        return Ok(None);
    };
    let gone = problems
        .into_iter()
        .filter(|problem| problem.code == ProblemCode::UnknownField);
    let problems = gone.map(|problem| {
        let field = problem.field.unwrap_or_default();
        let message = format!("“{field}” is used by the mapping.");
        Problem::new(ProblemCode::FieldInUse)
            .field(field)
            .message(message)
    });
    Ok(Some(problems.collect()))
}

fn settings(body: PortalBody) -> Result<PortalSettings, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut invalid = |field: &str, value: &str, message: &str| {
        problems.push(
            Problem::new(ProblemCode::InvalidValue)
                .field(field)
                .value(value)
                .message(message),
        );
    };
    let is_name = |name: &str| !name.trim().is_empty() && name.chars().count() <= MAX_NAME_CHARS;
    if !is_name(&body.name) {
        invalid("name", &body.name, "A name has 1 to 200 characters.");
    }
    if body.country.len() != 2 || !body.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        invalid(
            "country",
            &body.country,
            "A country is two capital letters (ISO 3166-1), such as AU.",
        );
    }
    if body.custom_fields.len() > MAX_CUSTOM_FIELDS {
        invalid(
            "custom_fields",
            "",
            "A portal has at most 50 custom fields.",
        );
    }
    if body.groups.len() > MAX_GROUPS {
        invalid("groups", "", "A portal has at most 1,000 groups.");
    }
    let mut custom_fields = Vec::new();
    let mut names = HashSet::new();
    for CustomFieldBody { name, label } in body.custom_fields {
        if !is_name(&label) {
            invalid("custom_fields", &label, "A label has 1 to 200 characters.");
        }
        if !names.insert(name.clone()) {
            invalid(
                "custom_fields",
                &name,
                "Two custom fields have the same name.",
            );
        }
        let parsed: Result<CustomFieldName, NotAFieldName> = name.parse();
        match parsed {
            Ok(name) => custom_fields.push(NamedField { name, label }),
            Err(error) => invalid("custom_fields", &name, &sentence(&error.to_string())),
        }
    }
    let mut ids = HashSet::new();
    for group in &body.groups {
        if !is_name(&group.name) {
            invalid("groups", &group.name, "A name has 1 to 200 characters.");
        }
        if !ids.insert(group.id) {
            invalid(
                "groups",
                &group.id.to_string(),
                "Two groups have the same id.",
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let groups = body.groups.into_iter().map(
        |GroupBody {
             id,
             name,
             learning_ids,
         }| Group {
            id,
            name,
            learning_ids,
        },
    );
    Ok(PortalSettings {
        name: body.name.trim().to_owned(),
        country: body.country,
        external_id_enabled: body.external_id_enabled,
        custom_fields,
        groups: groups.collect(),
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
            "groups": [{"id": 1, "name": "A"}, {"id": 1, "name": "B"}],
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
