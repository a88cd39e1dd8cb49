//! An HTTP/1.1 server in a few lines, for the Runtime API, the Invoke API and the proxy alike.

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// In place of an answer, or in the midst of one: the connection is closed.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Cut {}

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Cut>;

/// A server on a port of its own. It ends, with its connections, when it is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start<F>(handle: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    Some(_) = connections.join_next() => continue,
                };
                let connection = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(handle.clone()));
                connections.spawn(async move {
                    // Cut on purpose, or closed by a client that was killed: both are the tests' doing.
                    let _ = connection.await;
                });
            }
        });
        Server { address, accepting }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A body in one piece.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that comes in pieces, each after a pause.
pub(crate) fn pieces(pieces: Vec<(Duration, Result<Bytes, Cut>)>) -> Body {
    let pieces = stream::unfold(pieces.into_iter(), |mut left| async {
        let (pause, piece) = left.next()?;
        tokio::time::sleep(pause).await;
        Some((piece.map(Frame::data), left))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// An answer with a body of this type.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .body(whole(body))
        .unwrap()
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    answer(status, "application/json", body.to_string())
}
