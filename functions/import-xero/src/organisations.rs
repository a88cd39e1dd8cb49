//! The organisations that are connected, and the choice of one. It is somebody's choice each time: which one Xero names
//! first says nothing.

use crate::context::Context;
use crate::failure::Failure;
use crate::overview::OrganisationAnswer;
use crate::session::Session;
use crate::xero::{Connection, Country, TenantId};
use axum::Json;
use axum::extract::State;
use mapping::identity::PortalId;
use mapping::problem::{Problem, ProblemCode};
use platform::feed::Action;
use platform::feed::xero::{ChosenOrganisation, XeroConnection};
use platform::web::{AdministratorOf, Caller, JsonBody, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Those that are connected, all on one page.
#[derive(Serialize, ToSchema)]
#[schema(as = XeroOrganisationList)]
pub(crate) struct Organisations {
    items: Vec<ListedOrganisation>,
    #[schema(required)]
    cursor: Option<String>,
}

/// One that is connected.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedXeroOrganisation)]
struct ListedOrganisation {
    tenant_id: String,
    /// As Xero calls it, if it does.
    #[schema(required)]
    name: Option<String>,
    /// People are imported from it.
    chosen: bool,
    /// It seems to have been allowed just now, rather than before by the same Xero user: the one to suggest.
    suggested: bool,
}

/// Which one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganisationBody {
    /// As the list names it.
    #[schema(format = "uuid")]
    tenant_id: String,
}

/// The connected organisations
#[utoipa::path(
    get, path = "/portals/{portal_id}/xero/organisations", operation_id = "list_xero_organisations",
    tag = "Administrators",
    responses(
        (status = 200, description = "All of them.", body = Organisations),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`, `xero_not_connected`, `xero_reconnect_needed`, `conflict`"),
        (status = 429, description = "`xero_busy`, and when to try again in Retry-After"),
        (status = 503, description = "`xero_unavailable`"),
    ),
)]
pub(crate) async fn list(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<Organisations>, Refusal> {
    context.portal(portal_id).await?;
    let (connection, connected) = connected(&context, portal_id)
        .await
        .map_err(context.refuse())?;
    let items = connected.into_iter().map(|it| {
        let tenant_id = it.tenant.to_string();
        let chosen = connection.chosen.as_ref();
        let event = it.auth_event.as_ref().map(ToString::to_string);
        ListedOrganisation {
            chosen: chosen.is_some_and(|chosen| chosen.tenant_id == tenant_id),
            suggested: event.is_some() && event == connection.auth_event,
            tenant_id,
            name: it.name,
        }
    });
    Ok(Json(Organisations {
        items: items.collect(),
        cursor: None,
    }))
}

async fn connected(
    context: &Context,
    portal: PortalId,
) -> Result<(XeroConnection, Vec<Connection>), Failure> {
    let mut session = Session::of(context, portal).await?;
    let offered = offered(context, &mut session).await?;
    Ok((session.connection, offered))
}

/// Those of the connected organisations that the portal may choose from. The Xero user may have connected others for
/// another portal, whose administrators are not ours: what they import from is theirs, unless this consent names it too.
async fn offered(context: &Context, session: &mut Session<'_>) -> Result<Vec<Connection>, Failure> {
    let mut offered = session.connections().await?;
    let in_use = context.feed.in_use(&session.connection).await?;
    let ours = &session.connection.auth_event;
    offered.retain(|it| {
        let event = it.auth_event.as_ref().map(ToString::to_string);
        (event.is_some() && event == *ours) || !in_use.has_chosen(&it.tenant.to_string())
    });
    Ok(offered)
}

/// Choose an organisation
///
/// People are imported from it. Organisations of other countries than Australia and the United States are refused.
#[utoipa::path(
    put, path = "/portals/{portal_id}/xero/organisation", operation_id = "choose_xero_organisation",
    tag = "Administrators",
    request_body = OrganisationBody,
    responses(
        (status = 200, description = "The chosen one.", body = OrganisationAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`, `xero_not_connected`, `xero_reconnect_needed`, \
            `import_running`, `conflict`"),
        (status = 422, description = "`xero_organisation_unknown`, `xero_organisation_inactive`, \
            `xero_country_not_supported`"),
        (status = 429, description = "`xero_busy`, and when to try again in Retry-After"),
        (status = 503, description = "`xero_unavailable`"),
    ),
)]
pub(crate) async fn choose(
    AdministratorOf(portal_id, caller): AdministratorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<OrganisationBody>,
) -> Result<Json<OrganisationAnswer>, Refusal> {
    context.portal(portal_id).await?;
    let Ok(tenant) = body.tenant_id.parse() else {
        return Err(unknown(&body.tenant_id));
    };
    match choose_one(&context, portal_id, &caller, &tenant).await {
        Ok(Some(chosen)) => Ok(Json(OrganisationAnswer::from(&chosen))),
        Ok(None) => Err(unknown(&body.tenant_id)),
        Err(failure) => Err(failure.refusal(context.clock)),
    }
}

fn unknown(tenant_id: &str) -> Refusal {
    let problem = Problem::new(ProblemCode::XeroOrganisationUnknown).field("tenant_id");
    Refusal::all(vec![problem.value(tenant_id)])
}

/// `None`: it is not connected.
async fn choose_one(
    context: &Context,
    portal: PortalId,
    caller: &Caller,
    tenant: &TenantId,
) -> Result<Option<ChosenOrganisation>, Failure> {
    let mut session = Session::of(context, portal).await?;
    let offered = offered(context, &mut session).await?;
    let Some(found) = offered.into_iter().find(|it| it.tenant == *tenant) else {
        return Ok(None);
    };
    let organisation = session.organisation(tenant).await?;
    // Before anybody of it is read.
    let country = organisation.country.unwrap_or_default();
    if Country::from_code(&country).is_none() {
        return Err(Failure::because(ProblemCode::XeroCountryNotSupported));
    }
    if !organisation.active {
        return Err(Failure::because(ProblemCode::XeroOrganisationInactive));
    }
    let chosen = ChosenOrganisation {
        tenant_id: found.tenant.to_string(),
        name: organisation.name.or(found.name),
        country,
    };
    if session.connection.chosen.as_ref() == Some(&chosen) {
        return Ok(Some(chosen));
    }
    let action = Action::XeroOrganisationChosen {
        tenant_id: chosen.tenant_id.clone(),
    };
    let entry = context.entry(portal, caller, action)?;
    let feed = &context.feed;
    if feed
        .choose_organisation(portal, &session.connection, &chosen, entry)
        .await?
    {
        return Ok(Some(chosen));
    }
    Err(Failure::because(
        match feed.pending_import(portal).await? {
            Some(_) => ProblemCode::ImportRunning,
            None => ProblemCode::Conflict,
        },
    ))
}
