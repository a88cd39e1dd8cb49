//! `/portals/{portal_id}/feed/credentials`: where the customer puts files, and with which key. The secret is in the
//! answer that issues it, and nowhere else, ever.

use crate::context::Context;
use crate::key_pairs::{KeyPair, Secret};
use crate::regenerate::{self, Regenerated};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::web::{AdministratorOf, Measured, Refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// Where files are put, and the key by which. No `Debug`: it may hold the secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialsAnswer {
    /// `s3://`, the bucket, `/`, and the prefix.
    bucket_path: String,
    bucket: String,
    /// What keys of the customer's objects begin with.
    prefix: String,
    region: String,
    access_key_id: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// `null`: never, as far as IAM knows; it may lag by hours.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    /// In the answer that issues it, and nowhere else, ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    secret_access_key: Option<Secret>,
}

fn answer(
    context: &Context,
    portal_id: PortalId,
    key: KeyPair,
    secret: Option<Secret>,
) -> CredentialsAnswer {
    let prefix = format!("{portal_id}/");
    CredentialsAnswer {
        bucket_path: format!("s3://{}/{prefix}", context.files.name()),
        bucket: context.files.name().to_owned(),
        prefix,
        region: context.region.clone(),
        access_key_id: key.access_key_id,
        created_at: stamp(key.created_at),
        last_used_at: key.last_used_at.map(stamp),
        secret_access_key: secret,
    }
}

/// Where the customer puts files, and with which key
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/credentials", operation_id = "show_credentials", tag = "Administrators",
    responses(
        (status = 200, description = "Without the secret.", body = CredentialsAnswer),
        (status = 404, description = "`portal_not_found`, `no_credentials`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<CredentialsAnswer>, Refusal> {
    context.portal_exists(portal_id).await?;
    let keys = context.key_pairs.of(portal_id).await?;
    let issued = context.feed.issued_key(portal_id).await?;
    let Some(mut key) = regenerate::customers(keys, issued.as_deref()) else {
        return Err(Refusal::new(ProblemCode::NoCredentials));
    };
    key.last_used_at = context.key_pairs.last_used_at(&key.access_key_id).await?;
    Ok(Json(answer(&context, portal_id, key, None)))
}

/// Issue a key pair
///
/// The portal's first, or another in its place: the pair that was issued before does not work any more.
#[utoipa::path(
    post, path = "/portals/{portal_id}/feed/credentials", operation_id = "issue_credentials", tag = "Administrators",
    responses(
        (status = 201, description = "With the secret, which is never shown again.", body = CredentialsAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`regeneration_in_progress`, `credentials_quota`"),
        (status = 500, description = "`regeneration_failed`: the pair of before still works"),
    ),
)]
pub(crate) async fn regenerate(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
) -> Result<impl IntoResponse, Refusal> {
    context.portal_exists(portal_id).await?;
    let Regenerated {
        key,
        secret,
        users_percent,
    } = regenerate::regenerate(&context, portal_id, &caller).await?;
    // Nothing on the way may keep it.
    let headers = [(CACHE_CONTROL, "no-store")];
    let answer = answer(&context, portal_id, key, Some(secret));
    let measured = Measured::of("iam_users_percent", users_percent);
    Ok((StatusCode::CREATED, measured, headers, Json(answer)))
}
