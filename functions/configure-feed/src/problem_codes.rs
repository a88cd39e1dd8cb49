//! `/problem-codes`: the catalogue of everything that can be said to be wrong. The one route without a sign-in:
//! whoever reads a report may look a code up.

use axum::Json;
use mapping::problem::{ProblemCode, Severity};
use serde::Serialize;

/// The catalogue, all on one page.
#[derive(Serialize)]
pub(crate) struct Catalogue {
    items: Vec<CodeAnswer>,
    /// Lists have one; this one is never longer than its first page.
    cursor: Option<String>,
}

#[derive(Serialize)]
struct CodeAnswer {
    code: ProblemCode,
    severity: Severity,
    meaning: &'static str,
    how_to_fix: &'static str,
}

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
