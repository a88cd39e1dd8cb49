//! `/problem-codes`: the catalogue of everything that can be said to be wrong. The one route without a sign-in:
//! whoever reads a report may look a code up.

use axum::Json;
use mapping::problem::{ProblemCode, Severity};
use platform::web::wire;
use serde::Serialize;
use utoipa::ToSchema;

/// The catalogue, all on one page.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemCodePage)]
pub(crate) struct Catalogue {
    items: Vec<CodeAnswer>,
    /// Lists have one; this one is never longer than its first page.
    #[schema(required)]
    cursor: Option<String>,
}

/// Something that can be said to be wrong.
#[derive(Serialize, ToSchema)]
struct CodeAnswer {
    #[schema(value_type = wire::ProblemCode)]
    code: ProblemCode,
    #[schema(value_type = wire::Severity)]
    severity: Severity,
    /// What is wrong.
    meaning: &'static str,
    /// What to do about it.
    how_to_fix: &'static str,
}

/// What the problem codes mean
///
/// The catalogue of everything that can be said to be wrong, all on one page. Without signing in, and throttled.
#[utoipa::path(
    get, path = "/problem-codes", operation_id = "list_problem_codes", tag = "Everybody",
    responses((status = 200, description = "The catalogue.", body = Catalogue)),
)]
pub(crate) async fn list() -> Json<Catalogue> {
    let codes = ProblemCode::ALL.iter().map(|code| CodeAnswer {
        code: *code,
        severity: code.severity(),
        meaning: code.meaning(),
        how_to_fix: code.how_to_fix(),
    });
    Json(Catalogue {
        items: codes.collect(),
        cursor: None,
    })
}
