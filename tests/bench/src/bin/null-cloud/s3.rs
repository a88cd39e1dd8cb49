//! Objects in buckets: put, got, listed nowhere; in one piece or in parts. Of each key there is the object that was put last, whatever
//! version is asked for; ranges are not looked at.

use crate::capacity::Counts;
use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeMap, HashMap};

/// By path.
#[derive(Default)]
pub(crate) struct Objects {
    whole: HashMap<String, Bytes>,
    /// Of uploads that are not complete: the parts, by number.
    parts: HashMap<String, BTreeMap<u32, Bytes>>,
}

/// Answers a request.
pub(crate) fn answer(
    objects: &mut Objects,
    counts: &mut Counts,
    method: &Method,
    uri: &Uri,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let query = uri.query().unwrap_or_default();
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    let stored = [("etag", "\"0\"")];
    match (method, parameter("uploadId")) {
        (&Method::POST, None) if query.starts_with("uploads") => {
            counts.request("CreateMultipartUpload");
            objects.parts.insert(path, BTreeMap::new());
            xml(
                "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
            )
        }
        (&Method::PUT, Some(_)) => {
            counts.request("UploadPart");
            let number = parameter("partNumber").and_then(|number| number.parse().ok());
            objects
                .parts
                .entry(path)
                .or_default()
                .insert(number.unwrap_or(0), body);
            stored.into_response()
        }
        (&Method::POST, Some(_)) => {
            counts.request("CompleteMultipartUpload");
            let parts = objects.parts.remove(&path).unwrap_or_default();
            let parts: Vec<Bytes> = parts.into_values().collect();
            objects.whole.insert(path, parts.concat().into());
            xml("<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>")
        }
        (&Method::PUT, None) => {
            counts.request("PutObject");
            objects.whole.insert(path, body);
            stored.into_response()
        }
        (&Method::GET, None) => {
            counts.request("GetObject");
            match objects.whole.get(&path) {
                Some(bytes) => (stored, bytes.clone()).into_response(),
                None => {
                    let body = "<Error><Code>NoSuchKey</Code></Error>";
                    (StatusCode::NOT_FOUND, body).into_response()
                }
            }
        }
        _ => (StatusCode::NOT_IMPLEMENTED, "not known here").into_response(),
    }
}

fn xml(body: &'static str) -> Response {
    ([("content-type", "application/xml")], body).into_response()
}
