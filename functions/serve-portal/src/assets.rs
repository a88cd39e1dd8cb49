//! The files that Vite built: each by a name that has the hash of its content, so that browsers keep it for good; and
//! each also compressed, beforehand and as well as it goes.

use crate::page::{self, Document};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mapping::problem::ProblemCode;
use platform::web::Refusal;
use rust_embed::{Embed, EmbeddedFile};
use std::borrow::Cow;

/// What `make page` has built.
#[derive(Embed)]
#[folder = "assets/"]
struct Assets;

/// The page's one document, as it was built.
pub(crate) fn document() -> Option<EmbeddedFile> {
    Assets::get("index.html")
}

/// `GET /portal/{*path}`: a file, or one of the page's own addresses, which all have the same document.
pub(crate) async fn file(
    Path(path): Path<String>,
    document: State<Option<Document>>,
    headers: HeaderMap,
) -> Response {
    // No address of the page has a dot in it, and no file is without.
    let Some((_, extension)) = path.rsplit_once('.') else {
        return page::show(document, headers).await;
    };
    // Files of an earlier deployment are not here any more, and a document in their place would be run as a script.
    match (content_type(extension), Assets::get(&path)) {
        (Some(content_type), Some(file)) => answer(&path, file, content_type, &headers),
        _ => Refusal::new(ProblemCode::NotFound).into_response(),
    }
}

/// Of the files that are served by their names, which all have the hash of their content in them. Compressed ones and
/// the document are not.
fn content_type(extension: &str) -> Option<&'static str> {
    match extension {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn answer(
    path: &str,
    file: EmbeddedFile,
    content_type: &'static str,
    asked: &HeaderMap,
) -> Response {
    let etag = etag(&file.metadata.sha256_hash());
    let mut headers = HeaderMap::new();
    let immutable = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, immutable);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_known(asked, &etag) {
        headers.insert(header::ETAG, etag);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(header::ETAG, etag);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (encoding, extension) in [("br", "br"), ("gzip", "gz")] {
        if takes(asked, encoding)
            && let Some(compressed) = Assets::get(&format!("{path}.{extension}"))
        {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            return (headers, body(compressed.data)).into_response();
        }
    }
    (headers, body(file.data)).into_response()
}

fn body(bytes: Cow<'static, [u8]>) -> Body {
    match bytes {
        Cow::Borrowed(bytes) => bytes.into(),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// The name of a content. Weak, because the same content is sent in several encodings.
pub(crate) fn etag(hash: &[u8]) -> HeaderValue {
    let hex: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Hexadecimal digits and quotation marks can always stand in a header.
    HeaderValue::from_str(&format!("W/\"{hex}\"")).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Whether the browser has this content (RFC 9110, 13.1.2: compared weakly).
pub(crate) fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter();
    known
        .filter_map(|known| known.to_str().ok())
        .flat_map(|known| known.split(','))
        .map(str::trim)
        .any(|known| known == "*" || weak(known.as_bytes()) == weak(etag.as_bytes()))
}

fn weak(etag: &[u8]) -> &[u8] {
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

/// Whether the browser reads this encoding (RFC 9110, 12.5.3). What it does not name, it is not sent.
fn takes(asked: &HeaderMap, encoding: &str) -> bool {
    let named = asked.get_all(header::ACCEPT_ENCODING).iter();
    named
        .filter_map(|named| named.to_str().ok())
        .flat_map(|named| named.split(','))
        .any(|named| {
            let (name, weight) = named.split_once(';').unwrap_or((named, ""));
            let weight = weight.trim().to_ascii_lowercase();
            let weight = weight.strip_prefix("q=").map(str::parse::<f32>);
            name.trim().eq_ignore_ascii_case(encoding) && weight != Some(Ok(0.0))
        })
}

#[cfg(test)]
mod tests {
    use super::{Assets, content_type};

    #[test]
    fn whatever_is_kept_for_good_has_the_hash_of_its_content_in_its_name() {
        let served = Assets::iter().filter(|name| {
            let (_, extension) = name.rsplit_once('.').unwrap();
            content_type(extension).is_some()
        });
        let names: Vec<_> = served.collect();
        assert!(!names.is_empty());
        for name in names {
            let (stem, _) = name.rsplit_once('.').unwrap();
            // Vite's, of eight characters, which may be hyphens too.
            let (_, hash) = stem.split_at_checked(stem.len() - 9).unwrap();
            assert!(hash.starts_with('-'), "{name}");
        }
    }
}
