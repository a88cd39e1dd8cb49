//! How a portal and Xero stand. Whether it is connected is asked of Xero each time: it may have been disconnected there.

use crate::context::Context;
use crate::courses::Course;
use crate::failure::{Failure, Refused};
use crate::session::Session;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use mapping::identity::PortalId;
use mapping::import::MAX_IMPORTED;
use mapping::problem::ProblemCode;
use platform::clock::stamp;
use platform::feed::xero::{CONNECTED_FOR, ChosenOrganisation, XeroConnection};
use platform::feed::{UploadId, UploadStatus};
use platform::web::{AdministratorOf, Refusal, wire};
use serde::Serialize;
use utoipa::ToSchema;

/// How a portal and Xero stand.
#[derive(Serialize, ToSchema)]
pub(crate) struct XeroOverview {
    state: XeroState,
    /// `false`: Xero did not answer, so `state` is what was known before.
    xero_answers: bool,
    /// The one that was chosen.
    #[schema(required)]
    organisation: Option<OrganisationAnswer>,
    #[schema(required, format = DateTime)]
    connected_at: Option<String>,
    /// When the connection is given back, should nobody import.
    #[schema(required, format = DateTime)]
    connected_until: Option<String>,
    /// A connection of before is still being given back.
    giving_back: bool,
    /// How many users all imports have created.
    imported: u32,
    /// How many more they may create.
    places_left: u32,
    /// How many there are altogether.
    places: u32,
    /// What imported people are assigned.
    courses: Vec<Course>,
    #[schema(required)]
    last_import: Option<LastImport>,
}

/// What can be done next.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum XeroState {
    /// Connect.
    NotConnected,
    /// Choose an organisation.
    OrganisationNotChosen,
    /// Look who can be imported, and import them.
    Connected,
    /// Wait for the import that is under way.
    Importing,
    /// Connect again: it was disconnected in Xero, or Xero takes the tokens no more.
    ReconnectNeeded,
}

/// An organisation of Xero's.
#[derive(Serialize, ToSchema)]
#[schema(as = XeroOrganisation)]
pub(crate) struct OrganisationAnswer {
    tenant_id: String,
    /// As Xero calls it, if it does.
    #[schema(required)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    country: String,
}

impl From<&ChosenOrganisation> for OrganisationAnswer {
    fn from(chosen: &ChosenOrganisation) -> Self {
        OrganisationAnswer {
            tenant_id: chosen.tenant_id.clone(),
            name: chosen.name.clone(),
            country: chosen.country.clone(),
        }
    }
}

/// The import that was asked for last.
#[derive(Serialize, ToSchema)]
#[schema(as = LastXeroImport)]
struct LastImport {
    #[schema(value_type = wire::UploadId)]
    upload_id: UploadId,
    #[schema(value_type = wire::UploadStatus)]
    status: UploadStatus,
    #[schema(required, format = DateTime)]
    finished_at: Option<String>,
}

/// How the portal and Xero stand
#[utoipa::path(
    get, path = "/portals/{portal_id}/xero", operation_id = "show_xero", tag = "Administrators",
    responses(
        (status = 200, description = "How they stand.", body = XeroOverview),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<XeroOverview>, Refusal> {
    let courses = context
        .app()
        .map_err(context.refuse())?
        .courses
        .all()
        .to_vec();
    context.portal(portal_id).await?;
    let feed = &context.feed;
    let connection = feed.xero_connection(portal_id).await?;
    let (state, xero_answers) = match &connection {
        _ if feed.pending_import(portal_id).await?.is_some() => (XeroState::Importing, true),
        None => (XeroState::NotConnected, true),
        Some(connection) => look(&context, portal_id, connection)
            .await
            .map_err(context.refuse())?,
    };
    let imported = feed.imported(portal_id).await?;
    let last_import = match imported.last_upload_id {
        Some(id) => feed.upload(portal_id, id).await?,
        None => None,
    };
    let chosen = connection.as_ref().and_then(|it| it.chosen.as_ref());
    let connected_at = connection.as_ref().map(|it| it.connected_at.clone());
    let connected_until = connected_at
        .as_ref()
        .and_then(|at| Some(stamp(at.parse::<Timestamp>().ok()? + CONNECTED_FOR)));
    Ok(Json(XeroOverview {
        state,
        xero_answers,
        organisation: chosen.map(OrganisationAnswer::from),
        connected_at,
        connected_until,
        giving_back: !feed.xero_returns(portal_id).await?.is_empty(),
        imported: imported.places_taken,
        places_left: imported.places_left(),
        places: MAX_IMPORTED,
        courses,
        last_import: last_import.map(|upload| LastImport {
            upload_id: upload.upload_id,
            status: upload.status,
            finished_at: upload.finished_at,
        }),
    }))
}

/// What Xero says of the connection, and whether it says anything.
async fn look(
    context: &Context,
    portal: PortalId,
    connection: &XeroConnection,
) -> Result<(XeroState, bool), Failure> {
    let known = match &connection.chosen {
        Some(_) => XeroState::Connected,
        None => XeroState::OrganisationNotChosen,
    };
    let refused = match is_connected(context, portal, known).await {
        Ok(true) => return Ok((known, true)),
        Ok(false) => return Ok((XeroState::ReconnectNeeded, true)),
        Err(Failure::Refused(Refused { code, .. })) => code,
        Err(failure) => return Err(failure),
    };
    match refused {
        ProblemCode::XeroReconnectNeeded => Ok((XeroState::ReconnectNeeded, true)),
        ProblemCode::XeroNotConnected => Ok((XeroState::NotConnected, true)),
        _ => Ok((known, false)),
    }
}

/// Whether Xero has what is known: the chosen organisation, or any.
async fn is_connected(
    context: &Context,
    portal: PortalId,
    known: XeroState,
) -> Result<bool, Failure> {
    let mut session = Session::of(context, portal).await?;
    match known {
        XeroState::Connected => session.chosen().await.map(|_| true),
        _ => Ok(!session.connections().await?.is_empty()),
    }
}
