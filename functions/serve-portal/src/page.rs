//! The page's one document. The page chooses the screen by the address, in the browser; the same document is at each.

use crate::assets::{document, etag, is_known};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use mapping::problem::ProblemCode;
use platform::web::Refusal;

/// As `page/index.html` has it.
const BASE: &str = "<base href=\"/portal/\"";

/// `GET /portal`, and every address below it that is no file.
pub(crate) async fn show(request: Request) -> Response {
    let built = document();
    let Some((hash, html)) = built.and_then(|built| {
        let html = String::from_utf8(built.data.into_owned()).ok()?;
        Some((built.metadata.sha256_hash(), html))
    }) else {
        return Refusal::new(ProblemCode::InternalError).into_response();
    };
    // The base belongs to the address, and caches tell addresses apart by themselves.
    let etag = etag(&hash);
    let kept = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, etag.clone()),
    ];
    if is_known(request.headers(), &etag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let base = format!("<base href=\"{}\"", way_to_the_page(request.uri().path()));
    (kept, Html(html.replace(BASE, &base))).into_response()
}

/// From an address of the page to `/portal/`, as a relative reference: what is before `/portal` in the browser's
/// address, nobody here knows. On AWS it is nothing; the local cloud has its APIs further down.
fn way_to_the_page(path: &str) -> String {
    match path.matches('/').count() {
        0 | 1 => "portal/".to_owned(),
        2 => "./".to_owned(),
        depth => "../".repeat(depth - 2),
    }
}

#[cfg(test)]
mod tests {
    use super::way_to_the_page;

    #[test]
    fn the_way_leads_to_the_page_wherever_it_is_served() {
        for (path, way) in [
            ("/portal", "portal/"),
            ("/portal/", "./"),
            ("/portal/portals", "./"),
            ("/portal/portals/1001", "../"),
            (
                "/portal/portals/1001/uploads/01KAPTA7HZ0000000000000000",
                "../../../",
            ),
        ] {
            assert_eq!(way_to_the_page(path), way, "{path}");
            for before in ["", "/_aws/execute-api/feed/$default"] {
                let address = format!("https://portal.example{before}{path}?code=1");
                let base = url::Url::parse(&address).unwrap().join(way).unwrap();
                assert_eq!(base.path(), format!("{before}/portal/"), "{address}");
            }
        }
    }
}
