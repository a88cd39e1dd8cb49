//! `null-cloud`: DynamoDB, S3, EventBridge and Lambda as far as one file's walk needs them, in memory, in one thread,
//! so that what a run costs is our own cost and not an emulator's. Prints its port and serves until it is ended.
//!
//! What it does: items in two tables, with conditions, updates, transactions, PartiQL batches, and pages of 1 MB; objects in buckets,
//! in one piece or in parts; and it counts requests, writes and consumed capacity by DynamoDB's rules.
//! What it does not: signatures, throttling, versions of objects, indexes that can be asked, expressions that the
//! feed does not use. What it does not know it refuses by name, so that no run ends well by accident.

mod capacity;
mod dynamodb;
mod expression;
mod items;
mod s3;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use capacity::Counts;
use items::Tables;
use s3::Objects;
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// Everything there is.
#[derive(Default)]
struct Cloud {
    tables: Tables,
    objects: Objects,
    counts: Counts,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::<Mutex<Cloud>>::default());
    Ok(axum::serve(listener, router).await?)
}

/// Which service is meant is told as AWS tells it: by a header, or by the path.
async fn answer(
    State(cloud): State<Arc<Mutex<Cloud>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut cloud = cloud.lock().unwrap_or_else(PoisonError::into_inner);
    let cloud = &mut *cloud;
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    match (target.and_then(|it| it.split_once('.')), uri.path()) {
        (Some(("DynamoDB_20120810", operation)), _) => {
            cloud.counts.request(operation);
            let answer = dynamodb::answer(&mut cloud.tables, &mut cloud.counts, operation, &body);
            let (status, body) = match answer {
                Ok(body) => (StatusCode::OK, body),
                Err(refused) => (StatusCode::BAD_REQUEST, refused.body()),
            };
            (
                status,
                [("content-type", "application/x-amz-json-1.0")],
                body,
            )
                .into_response()
        }
        (Some(("AWSEvents", "PutEvents")), _) => {
            cloud.counts.request("PutEvents");
            let body = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#;
            ([("content-type", "application/x-amz-json-1.1")], body).into_response()
        }
        (None, "/_bench/counts") => {
            // Read and begun anew: each run has its own.
            axum::Json(std::mem::take(&mut cloud.counts).told()).into_response()
        }
        (None, path) if path.starts_with("/2015-03-31/functions/") => {
            cloud.counts.request("Invoke");
            StatusCode::ACCEPTED.into_response()
        }
        (None, _) => s3::answer(&mut cloud.objects, &mut cloud.counts, &method, &uri, body),
        (Some(_), _) => (StatusCode::NOT_IMPLEMENTED, "no such service here").into_response(),
    }
}
