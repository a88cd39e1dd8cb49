//! The page's one document. The page chooses the screen by the address, in the browser; the same document is at each.

use crate::assets::{document, etag, is_known};
use crate::stack::Stack;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use mapping::problem::ProblemCode;
use platform::web::Refusal;
use sha2::{Digest, Sha256};

/// As `page/index.html` has it.
const BASE: &str = "<base href=\"/portal/\"";

/// The document, with the path that the stack has the page at.
#[derive(Clone)]
pub(crate) struct Document {
    html: Bytes,
    etag: HeaderValue,
}

/// `None`: nothing was built.
pub(crate) fn document_of(stack: &Stack) -> Option<Document> {
    let html = String::from_utf8(document()?.data.into_owned()).ok()?;
    let base = format!("<base href=\"{}\"", stack.base.replace('&', "&amp;"));
    let html = Bytes::from(html.replace(BASE, &base));
    let etag = etag(&Sha256::digest(&html));
    Some(Document { html, etag })
}

/// `GET /portal`, and every address below it that is no file.
pub(crate) async fn show(State(document): State<Option<Document>>, headers: HeaderMap) -> Response {
    let Some(Document { html, etag }) = document else {
        return Refusal::new(ProblemCode::InternalError).into_response();
    };
    let known = is_known(&headers, &etag);
    let kept = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, etag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let html_type = HeaderValue::from_static("text/html; charset=utf-8");
    (kept, [(header::CONTENT_TYPE, html_type)], html).into_response()
}
