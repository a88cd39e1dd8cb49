//! `/portals/{portal_id}/feed/mapping/inspect`: a sample file is looked at, so that its columns can be mapped.
//! Nothing of it is stored, and nothing of it is logged.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use mapping::inspect::{InspectedColumn, Inspection, inspect};
use mapping::problem::Problem;
use mapping::suggest::Suggestion;
use platform::web::{AdministratorOf, AnyBody, Refusal, wire};
use serde::Serialize;
use utoipa::ToSchema;

/// What there is to say about a sample.
#[derive(Serialize, ToSchema)]
pub(crate) struct InspectionAnswer {
    /// In the order of the file.
    columns: Vec<ColumnAnswer>,
    /// Which column is likely to feed which field.
    suggested: Vec<SuggestionAnswer>,
    /// What is wrong with the sample.
    #[schema(value_type = Vec<wire::Problem>)]
    problems: Vec<Problem>,
}

/// A column of the sample.
#[derive(Serialize, ToSchema)]
struct ColumnAnswer {
    name: String,
    /// Some of its values, shortened.
    #[schema(max_items = 3)]
    samples: Vec<String>,
}

/// What a column is likely to feed.
#[derive(Serialize, ToSchema)]
struct SuggestionAnswer {
    column: String,
    field: String,
}

impl From<Inspection> for InspectionAnswer {
    fn from(inspection: Inspection) -> Self {
        let column = |InspectedColumn { name, samples }| ColumnAnswer { name, samples };
        let suggestion = |Suggestion { column, field }| SuggestionAnswer {
            column,
            field: field.to_string(),
        };
        InspectionAnswer {
            columns: inspection.columns.into_iter().map(column).collect(),
            suggested: inspection.suggested.into_iter().map(suggestion).collect(),
            problems: inspection.problems,
        }
    }
}

/// Look at a sample file
///
/// Its columns, what they are likely to feed, and what is wrong with it. Nothing is stored. The body is the file, of
/// any type, up to 1 MB, of which the first 256 kB are looked at; as `application/octet-stream` it arrives byte by
/// byte. 200 also where something is wrong with the sample: that is what was asked.
#[utoipa::path(
    post, path = "/portals/{portal_id}/feed/mapping/inspect", operation_id = "inspect_sample", tag = "Administrators",
    request_body(content((String = "text/csv"), (wire::Bytes = "application/octet-stream"))),
    responses(
        (status = 200, description = "What there is to say about it.", body = InspectionAnswer),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn look_at(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
    AnyBody(sample): AnyBody,
) -> Result<Json<InspectionAnswer>, Refusal> {
    let settings = context.portal(portal_id).await?.settings;
    let labels = settings.custom_fields.iter();
    let labels: Vec<(&str, &str)> = labels
        .map(|field| (field.name.as_str(), field.label.as_str()))
        .collect();
    Ok(Json(
        inspect(&sample, &settings.catalogue(), &labels).into(),
    ))
}
