//! `/portals/{portal_id}/feed/settings`: when disables are held (`docs/rules.md`, "Holds"), how long the portal may
//! be without a file ("Files that do not come"), and who is told.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use mapping::plan::Limits;
use mapping::problem::{Problem, ProblemCode};
use platform::feed::{Action, FeedSettings, NotifyEmails, WrongAddress};
use platform::web::{AdministratorOf, JsonBody, Refusal, whole, whole_or_null};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings as they are sent and shown. What is left out gets its default.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FeedSettingsBody {
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
    /// A file is missed if none has come for so long; `null`: never.
    #[serde(deserialize_with = "whole_or_null")]
    #[schema(minimum = 1, maximum = 8760)]
    expect_file_every_hours: Option<u64>,
    /// Who is told by mail when something needs somebody.
    #[schema(max_items = 20)]
    notify_emails: Vec<String>,
}

impl Default for FeedSettingsBody {
    fn default() -> Self {
        FeedSettings::default().into()
    }
}

impl From<FeedSettings> for FeedSettingsBody {
    fn from(settings: FeedSettings) -> Self {
        let FeedSettings {
            limits:
                Limits {
                    disable_limit_percent,
                    disable_limit_floor,
                    hold_on_malformed_rows,
                },
            expect_file_every_hours,
            notify_emails,
        } = settings;
        FeedSettingsBody {
            disable_limit_percent: disable_limit_percent.into(),
            disable_limit_floor: disable_limit_floor.into(),
            hold_on_malformed_rows,
            expect_file_every_hours: expect_file_every_hours.map(u64::from),
            notify_emails: notify_emails.as_slice().to_vec(),
        }
    }
}

/// More people than any portal has: a greater floor is a slip of the hand.
const MAX_FLOOR: u32 = 10_000_000;

/// A year.
const MAX_HOURS: u16 = 8_760;

/// A mailing list is for more.
const MAX_EMAILS: usize = 20;

impl TryFrom<FeedSettingsBody> for FeedSettings {
    type Error = Vec<Problem>;

    fn try_from(body: FeedSettingsBody) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut invalid = |field: &str, value: &str, message: &str| {
            problems.push(
                Problem::new(ProblemCode::InvalidValue)
                    .field(field)
                    .value(value)
                    .message(message),
            );
        };
        let percent = u8::try_from(body.disable_limit_percent).ok();
        let percent = percent.filter(|percent| *percent <= 100);
        if percent.is_none() {
            let value = body.disable_limit_percent.to_string();
            let message = "A percentage is a number from 0 to 100.";
            invalid("disable_limit_percent", &value, message);
        }
        let floor = u32::try_from(body.disable_limit_floor).ok();
        let floor = floor.filter(|floor| *floor <= MAX_FLOOR);
        if floor.is_none() {
            let value = body.disable_limit_floor.to_string();
            let message = "A floor is a number from 0 to 10,000,000.";
            invalid("disable_limit_floor", &value, message);
        }
        let hours = body.expect_file_every_hours.map(|hours| {
            let hours = u16::try_from(hours).ok();
            hours.filter(|hours| (1..=MAX_HOURS).contains(hours))
        });
        if hours == Some(None) {
            let value = body.expect_file_every_hours.unwrap_or_default().to_string();
            let message = "It is a number of hours from 1 to 8,760, or null.";
            invalid("expect_file_every_hours", &value, message);
        }
        if body.notify_emails.len() > MAX_EMAILS {
            let value = body.notify_emails.len().to_string();
            invalid("notify_emails", &value, "There are at most 20 addresses.");
        }
        let emails = NotifyEmails::of(&body.notify_emails);
        for wrong in emails.as_ref().err().into_iter().flatten() {
            match wrong {
                WrongAddress::NotAnEmail(it) => {
                    invalid("notify_emails", it, "It is not one e-mail address.");
                }
                WrongAddress::Twice(it) => {
                    invalid("notify_emails", it, "The address is there more than once.");
                }
            }
        }
        match (percent, floor, emails) {
            (Some(disable_limit_percent), Some(disable_limit_floor), Ok(notify_emails))
                if problems.is_empty() =>
            {
                Ok(FeedSettings {
                    limits: Limits {
                        disable_limit_percent,
                        disable_limit_floor,
                        hold_on_malformed_rows: body.hold_on_malformed_rows,
                    },
                    expect_file_every_hours: hours.flatten(),
                    notify_emails,
                })
            }
            _ => Err(problems),
        }
    }
}

/// When disables are held
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/settings", operation_id = "show_settings", tag = "Administrators",
    responses(
        (status = 200, description = "The settings.", body = FeedSettingsBody),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<FeedSettingsBody>, Refusal> {
    let portal = context.portal(portal_id).await?;
    Ok(Json(portal.feed_settings.into()))
}

/// Change the settings
///
/// What is left out gets its default. A file is expected anew only if that setting is another.
#[utoipa::path(
    put, path = "/portals/{portal_id}/feed/settings", operation_id = "change_settings", tag = "Administrators",
    request_body = FeedSettingsBody,
    responses(
        (status = 200, description = "The settings as they are now.", body = FeedSettingsBody),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`conflict`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn put(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<FeedSettingsBody>,
) -> Result<Json<FeedSettingsBody>, Refusal> {
    let settings = FeedSettings::try_from(body).map_err(Refusal::all)?;
    let before = context.portal(portal_id).await?.feed_settings;
    if settings == before {
        return Ok(Json(settings.into()));
    }
    let hours = settings.expect_file_every_hours;
    if let Some(hours) = hours
        && before.expect_file_every_hours != Some(hours)
    {
        let now = (context.clock)();
        context.feed.expect_file(portal_id, hours, now).await?;
    }
    let entry = context.entry(portal_id, &caller, Action::SettingsChanged)?;
    let feed = &context.feed;
    if !feed.put_feed_settings(portal_id, &settings, entry).await? {
        return Err(Refusal::new(ProblemCode::Conflict));
    }
    if hours.is_none() && before.expect_file_every_hours.is_some() {
        context.feed.expect_no_file(portal_id).await?;
    }
    Ok(Json(settings.into()))
}
