//! Who can be imported, who cannot and why, who is a user already, and for whom there is no place left. Nothing is
//! stored, and nobody changed.

use crate::context::Context;
use crate::failure::Failure;
use crate::overview::OrganisationAnswer;
use crate::session::Session;
use crate::survey::Survey;
use axum::Json;
use axum::extract::State;
use mapping::identity::{PortalId, UserId};
use mapping::import::{Decision, EmployeeId, PlannedPerson, Source};
use mapping::problem::Problem;
use platform::web::{AdministratorOf, Refusal, wire};
use serde::Serialize;
use utoipa::ToSchema;

/// What an import of everybody would do now.
#[derive(Serialize, ToSchema)]
#[schema(as = XeroPreview)]
pub(crate) struct Preview {
    organisation: OrganisationAnswer,
    #[schema(value_type = XeroSource)]
    source: Source,
    /// What `source` means, for the one who looks.
    source_note: &'static str,
    /// How many users imports may still create.
    places_left: u32,
    /// They become users.
    to_import: Vec<Person>,
    /// They are users, and stay as they are.
    already_users: Vec<KnownPerson>,
    /// They cannot be imported.
    cannot_import: Vec<RefusedPerson>,
    /// Nothing is wrong with them, but there is no place left.
    outside_places: Vec<Person>,
}

/// What people are read from.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is the form of `Source` in the API's document")]
enum XeroSource {
    /// The employees of Xero's payroll.
    PayrollEmployees,
    /// Those who sign in to Xero for the organisation.
    XeroUsers,
}

/// Somebody of the organisation's.
#[derive(Serialize, ToSchema)]
#[schema(as = XeroPerson)]
struct Person {
    /// `null` if Xero has none for them.
    #[schema(required, value_type = Option<String>)]
    employee_id: Option<EmployeeId>,
    first_name: String,
    last_name: String,
    email: String,
}

/// Somebody who is a user.
#[derive(Serialize, ToSchema)]
#[schema(as = KnownXeroPerson)]
struct KnownPerson {
    #[serde(flatten)]
    person: Person,
    #[schema(value_type = wire::UserId)]
    user_id: UserId,
}

/// Somebody who cannot be imported.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedXeroPerson)]
struct RefusedPerson {
    #[serde(flatten)]
    person: Person,
    /// Everything that is wrong.
    #[schema(value_type = Vec<wire::Problem>)]
    problems: Vec<Problem>,
}

/// Who can be imported
///
/// Read from Xero now. `to_import` is who an import of everybody would create.
#[utoipa::path(
    get, path = "/portals/{portal_id}/xero/preview", operation_id = "preview_xero_import", tag = "Administrators",
    responses(
        (status = 200, description = "Everybody, each in one list.", body = Preview),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`xero_not_offered`, `xero_not_connected`, `xero_reconnect_needed`, \
            `xero_organisation_not_chosen`, `xero_payroll_unavailable`, `conflict`"),
        (status = 422, description = "`xero_organisation_too_large`, `xero_country_not_supported`"),
        (status = 429, description = "`xero_busy`, and when to try again in Retry-After"),
        (status = 503, description = "`xero_unavailable`"),
    ),
)]
pub(crate) async fn show(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<Preview>, Refusal> {
    context.portal(portal_id).await?;
    preview(&context, portal_id)
        .await
        .map(Json)
        .map_err(context.refuse())
}

async fn preview(context: &Context, portal: PortalId) -> Result<Preview, Failure> {
    let mut session = Session::of(context, portal).await?;
    let survey = Survey::of(context, portal, &mut session).await?;
    let places_left = survey.imported.places_left();
    let plan = survey.staff.plan(&survey.known, places_left, None);
    let mut preview = Preview {
        organisation: OrganisationAnswer::from(&survey.organisation),
        source: survey.source,
        source_note: note(survey.source),
        places_left,
        to_import: Vec::new(),
        already_users: Vec::new(),
        cannot_import: Vec::new(),
        outside_places: Vec::new(),
    };
    for PlannedPerson {
        employee_id,
        first_name,
        last_name,
        email,
        decision,
    } in plan.people
    {
        let person = Person {
            employee_id,
            first_name,
            last_name,
            email,
        };
        match decision {
            Decision::Create => preview.to_import.push(person),
            Decision::NoPlace => preview.outside_places.push(person),
            Decision::AlreadyUser(user_id) => {
                preview.already_users.push(KnownPerson { person, user_id });
            }
            Decision::Cannot(problems) => {
                preview
                    .cannot_import
                    .push(RefusedPerson { person, problems });
            }
        }
    }
    Ok(preview)
}

fn note(source: Source) -> &'static str {
    match source {
        Source::PayrollEmployees => "The employees of the organisation's payroll in Xero.",
        Source::XeroUsers => {
            "Xero does not offer the employees of organisations in the United States. These are the people who sign \
             in to Xero for the organisation, who may include accountants and other advisers, and not all employees."
        }
    }
}
