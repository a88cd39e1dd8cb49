//! `/portals/{portal_id}/feed/mapping/inspect`: a sample file is looked at, so that its columns can be mapped.
//! Nothing of it is stored, and nothing of it is logged.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use mapping::inspect::{InspectedColumn, Inspection, inspect};
use mapping::problem::Problem;
use mapping::suggest::Suggestion;
use platform::web::{AdministratorOf, AnyBody, Refusal};
use serde::Serialize;

/// What there is to say about a sample.
#[derive(Serialize)]
pub(crate) struct InspectionAnswer {
    columns: Vec<ColumnAnswer>,
    suggested: Vec<SuggestionAnswer>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct ColumnAnswer {
    name: String,
    samples: Vec<String>,
}

#[derive(Serialize)]
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

/// 200 also where something is wrong with the sample: that is what was asked.
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
