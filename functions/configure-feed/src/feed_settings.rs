//! `/portals/{portal_id}/feed/settings`: when disables are held (`docs/rules.md`, "Holds").

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use mapping::plan::Limits;
use mapping::problem::{Problem, ProblemCode};
use platform::feed::Action;
use platform::web::{AdministratorOf, JsonBody, Refusal, whole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings as they are sent and shown. What is left out gets its default.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FeedSettings {
    /// Disables are held if they are more than this part of the people whom the feed manages…
    #[serde(deserialize_with = "whole")]
    #[schema(maximum = 100)]
    disable_limit_percent: u64,
    /// …and more than this number.
    #[serde(deserialize_with = "whole")]
    #[schema(maximum = 10000000)]
    disable_limit_floor: u64,
    /// Whether they are held if a row has a wrong number of cells.
    hold_on_malformed_rows: bool,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Limits::default().into()
    }
}

impl From<Limits> for FeedSettings {
    fn from(limits: Limits) -> Self {
        let Limits {
            disable_limit_percent,
            disable_limit_floor,
            hold_on_malformed_rows,
        } = limits;
        FeedSettings {
            disable_limit_percent: disable_limit_percent.into(),
            disable_limit_floor: disable_limit_floor.into(),
            hold_on_malformed_rows,
        }
    }
}

/// More people than any portal has: a greater floor is a slip of the hand.
const MAX_FLOOR: u32 = 10_000_000;

fn limits(settings: &FeedSettings) -> Result<Limits, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut invalid = |field: &str, value: u64, message: &str| {
        problems.push(
            Problem::new(ProblemCode::InvalidValue)
                .field(field)
                .value(&value.to_string())
                .message(message),
        );
    };
    let percent = u8::try_from(settings.disable_limit_percent).ok();
    let percent = percent.filter(|percent| *percent <= 100);
    if percent.is_none() {
        let message = "A percentage is a number from 0 to 100.";
        invalid(
            "disable_limit_percent",
            settings.disable_limit_percent,
            message,
        );
    }
    let floor = u32::try_from(settings.disable_limit_floor).ok();
    let floor = floor.filter(|floor| *floor <= MAX_FLOOR);
    if floor.is_none() {
        let message = "A floor is a number from 0 to 10,000,000.";
        invalid("disable_limit_floor", settings.disable_limit_floor, message);
    }
    match (percent, floor) {
        (Some(disable_limit_percent), Some(disable_limit_floor)) => Ok(Limits {
            disable_limit_percent,
            disable_limit_floor,
            hold_on_malformed_rows: settings.hold_on_malformed_rows,
        }),
        _ => Err(problems),
    }
}

/// When disables are held
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/settings", operation_id = "show_settings", tag = "Administrators",
    responses(
        (status = 200, description = "The settings.", body = FeedSettings),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<FeedSettings>, Refusal> {
    let portal = context.portal(portal_id).await?;
    Ok(Json(portal.limits.into()))
}

/// Change when disables are held
///
/// What is left out gets its default.
#[utoipa::path(
    put, path = "/portals/{portal_id}/feed/settings", operation_id = "change_settings", tag = "Administrators",
    request_body = FeedSettings,
    responses(
        (status = 200, description = "The settings as they are now.", body = FeedSettings),
        (status = 404, description = "`portal_not_found`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn put(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    JsonBody(settings): JsonBody<FeedSettings>,
) -> Result<Json<FeedSettings>, Refusal> {
    let limits = limits(&settings).map_err(Refusal::all)?;
    let portal = context.portal(portal_id).await?;
    if portal.limits != limits {
        let entry = context.entry(portal_id, &caller, Action::SettingsChanged)?;
        if !context.feed.put_limits(portal_id, limits, entry).await? {
            return Err(Refusal::new(ProblemCode::Conflict));
        }
    }
    Ok(Json(limits.into()))
}
