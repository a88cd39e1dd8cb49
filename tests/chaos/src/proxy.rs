//! A proxy between a function and the cloud that breaks requests and answers on purpose: which ones, is
//! drawn from a seed. What it lets through, it lets through unchanged, for signatures cover most of it.

use crate::http::{Body, Cut, Server, answer, pieces, whole};
use bytes::Bytes;
use fastrand::Rng;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::http::{request, response};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What can happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Refused for the rate of requests. Not done.
    Throttled,
    /// Answered 500 or 503. Not done.
    ServerError,
    /// Nothing is heard for [`Faults::silence`], then the connection is closed. Not done.
    Timeout,
    /// The connection is closed at once. Not done.
    Reset,
    /// Done, but the connection is closed without an answer.
    Lost,
    /// Done, but the answer's body breaks off. Without a body there is no answer at all.
    Truncated,
    /// Done, and the answer's body trickles for [`Faults::delay`].
    SlowBody,
    /// Done, and answered [`Faults::delay`] later.
    SlowAnswer,
    /// Some of a batch is not done and said not to be. Only batches of DynamoDB meet this: a random half
    /// of the keys of BatchGetItem, everything of `BatchWriteItem` and BatchExecuteStatement.
    PartlyThrottled,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Throttled,
        Kind::ServerError,
        Kind::Timeout,
        Kind::Reset,
        Kind::Lost,
        Kind::Truncated,
        Kind::SlowBody,
        Kind::SlowAnswer,
        Kind::PartlyThrottled,
    ];

    fn can_meet(self, call: &Call) -> bool {
        let batches = ["BatchGetItem", "BatchWriteItem", "BatchExecuteStatement"];
        self != Kind::PartlyThrottled || batches.contains(&call.operation.as_str())
    }
}

/// A request to AWS.
#[derive(Clone, Debug)]
pub struct Call {
    /// `s3`, `dynamodb`, `iam`, `events`, `ses`, `kms`, `secretsmanager` or `cognito`.
    pub service: &'static str,
    /// `GetObject`, `UpdateItem` and so on.
    pub operation: String,
    /// Path and query: for S3, the bucket and the key.
    pub path: String,
    /// The request's body.
    pub body: Bytes,
}

/// Which calls are meant.
type Which = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

/// What happens to which calls, and how often.
#[derive(Clone)]
pub struct Faults {
    /// The same seed draws the same faults for the same sequence of calls.
    pub seed: u64,
    /// The part of the calls that something happens to, from 0 to 1.
    pub rate: f64,
    /// What can happen to them.
    pub kinds: Vec<Kind>,
    /// The calls that are aimed at. All of them, if `None`.
    pub only: Option<Which>,
    /// How long [`Kind::Timeout`] says nothing.
    pub silence: Duration,
    /// How much time the slow kinds take.
    pub delay: Duration,
}

impl Faults {
    /// These kinds for this part of all calls.
    pub fn new(seed: u64, rate: f64, kinds: &[Kind]) -> Self {
        Faults {
            seed,
            rate,
            kinds: kinds.to_vec(),
            only: None,
            silence: Duration::from_secs(2),
            delay: Duration::from_millis(400),
        }
    }

    /// None.
    pub fn none() -> Self {
        Faults::new(0, 0.0, &[])
    }

    /// The same, for these calls alone.
    pub fn only(mut self, which: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        self.only = Some(Arc::new(which));
        self
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faults {
            seed, rate, kinds, ..
        } = self;
        write!(formatter, "{kinds:?} for {rate} of the calls, seed {seed}")
    }
}

/// The proxy. It ends, with its connections, when it is dropped.
pub struct FaultProxy {
    shared: Arc<Shared>,
    server: Server,
}

struct Shared {
    upstream: String,
    client: Client<HttpConnector, Full<Bytes>>,
    state: Mutex<State>,
}

struct State {
    faults: Faults,
    draws: Rng,
    requests: BTreeMap<String, u64>,
    injected: BTreeMap<(String, Kind), u64>,
    gates: Vec<Gate>,
}

/// Where calls are held.
struct Gate {
    which: Which,
    /// After the call was done, before it is answered.
    answers: bool,
    /// Closed when the calls may go on. Each that waits has a clone.
    opening: Arc<Semaphore>,
}

/// What happens to one call.
struct Fault {
    kind: Kind,
    draws: Rng,
    silence: Duration,
    delay: Duration,
}

impl FaultProxy {
    /// A proxy on a port of its own before `upstream`, such as `http://127.0.0.1:4566`.
    pub fn start(upstream: &str, faults: Faults) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.trim_end_matches('/').to_owned(),
            // Shorter than servers keep idle connections: a fault that nobody drew would spoil the counts.
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(Duration::from_secs(1))
                .build_http(),
            state: Mutex::new(State {
                draws: Rng::with_seed(faults.seed),
                faults,
                requests: BTreeMap::new(),
                injected: BTreeMap::new(),
                gates: Vec::new(),
            }),
        });
        let server = Server::start({
            let shared = Arc::clone(&shared);
            move |request| {
                let shared = Arc::clone(&shared);
                async move { shared.handle(request).await }
            }
        });
        FaultProxy { shared, server }
    }

    /// Where it is, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Other faults from now on, drawn from their seed's beginning.
    pub fn set(&self, faults: Faults) {
        let mut state = self.shared.state.lock().unwrap();
        state.draws = Rng::with_seed(faults.seed);
        state.faults = faults;
    }

    /// No faults from now on.
    pub fn clear(&self) {
        self.set(Faults::none());
    }

    /// What has happened so far, by operation and kind.
    pub fn injected(&self) -> BTreeMap<(String, Kind), u64> {
        self.shared.state.lock().unwrap().injected.clone()
    }

    /// All requests that have arrived so far, by operation.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.shared.state.lock().unwrap().requests.clone()
    }

    /// Holds these calls before they are done. If the client dies meanwhile, they never are.
    pub fn hold(&self, which: impl Fn(&Call) -> bool + Send + Sync + 'static) {
        self.shared.close_gate(which, false);
    }

    /// Holds the answers to these calls: they are done, but the client does not hear of it.
    pub fn hold_answers(&self, which: impl Fn(&Call) -> bool + Send + Sync + 'static) {
        self.shared.close_gate(which, true);
    }

    /// How many calls are being held right now.
    pub fn held(&self) -> usize {
        let state = self.shared.state.lock().unwrap();
        let waiting = |gate: &Gate| Arc::strong_count(&gate.opening) - 1;
        state.gates.iter().map(waiting).sum()
    }

    /// Lets go what is held, and holds nothing any more.
    pub fn release(&self) {
        for gate in self.shared.state.lock().unwrap().gates.drain(..) {
            gate.opening.close();
        }
    }
}

impl Shared {
    fn close_gate(&self, which: impl Fn(&Call) -> bool + Send + Sync + 'static, answers: bool) {
        let gate = Gate {
            which: Arc::new(which),
            answers,
            opening: Arc::new(Semaphore::new(0)),
        };
        self.state.lock().unwrap().gates.push(gate);
    }

    /// Waits at the first gate for this call, if there is one.
    async fn pass_gate(&self, call: &Call, answers: bool) {
        let meant = |gate: &&Gate| gate.answers == answers && (gate.which)(call);
        let opening = {
            let state = self.state.lock().unwrap();
            let gate = state.gates.iter().find(meant);
            gate.map(|gate| Arc::clone(&gate.opening))
        };
        if let Some(opening) = opening {
            // There are no permits: this ends when the semaphore is closed, which is the gate's opening.
            let _ = opening.acquire().await;
        }
    }

    /// Counts a call, and draws what happens to it.
    fn draw(&self, call: &Call) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let State {
            faults,
            draws,
            requests,
            injected,
            ..
        } = &mut *state;
        *requests.entry(call.operation.clone()).or_default() += 1;
        if faults.only.as_ref().is_some_and(|only| !only(call)) {
            return None;
        }
        let kinds: Vec<Kind> = faults
            .kinds
            .iter()
            .copied()
            .filter(|kind| kind.can_meet(call))
            .collect();
        let meets = draws.f64() < faults.rate;
        let kind = draws.choice(kinds).filter(|_| meets)?;
        *injected.entry((call.operation.clone(), kind)).or_default() += 1;
        Some(Fault {
            kind,
            draws: draws.fork(),
            silence: faults.silence,
            delay: faults.delay,
        })
    }

    async fn handle(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let call = Call::of(&head, body);
        let fault = self.draw(&call);
        self.pass_gate(&call, false).await;
        if let Some(fault) = &fault
            && let Some(answer) = fault.instead(&call).await?
        {
            return Ok(answer);
        }
        // What was sent is done, even if the client is killed meanwhile.
        let forwarding = Arc::clone(self).forward(head, call.body.clone());
        let (head, body) = tokio::spawn(forwarding).await.unwrap()?;
        self.pass_gate(&call, true).await;
        match fault {
            Some(fault) => fault.after(&call, head, body).await,
            None => Ok(Response::from_parts(head, whole(body))),
        }
    }

    async fn forward(
        self: Arc<Self>,
        head: request::Parts,
        body: Bytes,
    ) -> Result<(response::Parts, Bytes), Cut> {
        let mut request = Request::from_parts(head, Full::new(body));
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", self.upstream).parse().unwrap();
        // These are about the connection, and ours to the cloud is another.
        request.headers_mut().remove(CONNECTION);
        request.headers_mut().remove(TRANSFER_ENCODING);
        let answer = self.client.request(request).await.map_err(|_| Cut)?;
        let (mut head, body) = answer.into_parts();
        head.headers.remove(CONNECTION);
        head.headers.remove(TRANSFER_ENCODING);
        Ok((head, body.collect().await.map_err(|_| Cut)?.to_bytes()))
    }
}

impl Fault {
    /// What is answered without doing the call, for the kinds that do not do it.
    async fn instead(&self, call: &Call) -> Result<Option<Response<Body>>, Cut> {
        let json_error = |status, kind: &str| {
            let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
            let error = json!({"__type": kind, "message": "a fault on purpose"});
            amz_json(status, &error)
        };
        let xml_error = |status, code: &str| {
            let error = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>a fault on purpose</Message></Error>"
            );
            answer(status, "application/xml", error)
        };
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let internal = StatusCode::INTERNAL_SERVER_ERROR;
        Ok(Some(match (self.kind, call.service) {
            (Kind::Throttled, "dynamodb") => {
                json_error(StatusCode::BAD_REQUEST, "ThrottlingException")
            }
            (Kind::Throttled, "cognito") => {
                json_error(StatusCode::BAD_REQUEST, "TooManyRequestsException")
            }
            (Kind::Throttled, "events" | "ses" | "kms" | "secretsmanager") => {
                json_error(StatusCode::BAD_REQUEST, "ThrottlingException")
            }
            (Kind::Throttled, _) => xml_error(unavailable, "SlowDown"),
            (Kind::ServerError, service) => {
                let (status, kind) = match self.draws.clone().bool() {
                    true => (unavailable, "ServiceUnavailable"),
                    false if service == "dynamodb" => (internal, "InternalServerError"),
                    false => (internal, "InternalError"),
                };
                match service {
                    "s3" | "iam" => xml_error(status, kind),
                    _ => json_error(status, kind),
                }
            }
            (Kind::Timeout, _) => {
                tokio::time::sleep(self.silence).await;
                return Err(Cut);
            }
            (Kind::Reset, _) => return Err(Cut),
            (Kind::PartlyThrottled, _) => return Ok(nothing_done(call)),
            _ => return Ok(None),
        }))
    }

    /// What is answered when the call was done.
    async fn after(
        mut self,
        call: &Call,
        mut head: response::Parts,
        body: Bytes,
    ) -> Result<Response<Body>, Cut> {
        let body = match self.kind {
            Kind::Lost => return Err(Cut),
            Kind::Truncated if body.len() < 2 => return Err(Cut),
            Kind::Truncated => {
                head.headers.insert(CONTENT_LENGTH, body.len().into());
                let part = body.slice(..self.draws.usize(1..body.len()));
                // The pause is for what was sent to be on its way before the connection is closed.
                pieces(vec![
                    (Duration::ZERO, Ok(part)),
                    (Duration::from_millis(50), Err(Cut)),
                ])
            }
            Kind::SlowBody if !body.is_empty() => {
                head.headers.insert(CONTENT_LENGTH, body.len().into());
                let size = body.len().div_ceil(8);
                let starts: Vec<usize> = (0..body.len()).step_by(size).collect();
                let pause = self.delay / u32::try_from(starts.len()).unwrap();
                let slow = starts.into_iter().map(|at| {
                    let end = body.len().min(at + size);
                    (pause, Ok(body.slice(at..end)))
                });
                pieces(slow.collect())
            }
            Kind::SlowBody | Kind::SlowAnswer => {
                tokio::time::sleep(self.delay).await;
                whole(body)
            }
            Kind::PartlyThrottled if head.status.is_success() => {
                return Ok(amz_json(head.status, &self.half_read(call, &body)));
            }
            _ => whole(body),
        };
        Ok(Response::from_parts(head, body))
    }

    /// The answer to a BatchGetItem with about half of what was asked for handed back as not processed.
    fn half_read(&mut self, call: &Call, body: &[u8]) -> Value {
        let asked: Value = serde_json::from_slice(&call.body).unwrap();
        let mut answer: Value = serde_json::from_slice(body).unwrap();
        for (table, request) in asked["RequestItems"].as_object().unwrap() {
            let keys = request["Keys"].as_array().unwrap();
            let unprocessed: Vec<Value> =
                keys.iter().filter(|_| self.draws.bool()).cloned().collect();
            if unprocessed.is_empty() {
                continue;
            }
            if let Some(items) = answer["Responses"][table].as_array_mut() {
                let is =
                    |item: &Value, key: &Value| item["pk"] == key["pk"] && item["sk"] == key["sk"];
                items.retain(|item| !unprocessed.iter().any(|key| is(item, key)));
            }
            let mut request = request.clone();
            request["Keys"] = unprocessed.into();
            answer["UnprocessedKeys"][table] = request;
        }
        answer
    }
}

/// The answer to a batch of writes of which nothing is done, as writes can not be taken back.
fn nothing_done(call: &Call) -> Option<Response<Body>> {
    let asked: Value = serde_json::from_slice(&call.body).unwrap();
    let body = match call.operation.as_str() {
        "BatchWriteItem" => json!({"UnprocessedItems": asked["RequestItems"]}),
        "BatchExecuteStatement" => {
            let error = json!({"Code": "ThrottlingError", "Message": "a fault on purpose"});
            let statements = asked["Statements"].as_array().unwrap().len();
            json!({"Responses": vec![json!({"Error": error}); statements]})
        }
        _ => return None,
    };
    Some(amz_json(StatusCode::OK, &body))
}

fn amz_json(status: StatusCode, body: &Value) -> Response<Body> {
    answer(status, "application/x-amz-json-1.0", body.to_string())
}

impl Call {
    fn of(head: &request::Parts, body: Bytes) -> Self {
        let target = head.headers.get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok()?.split_once('.'));
        let (service, operation) = match target {
            Some(("AWSEvents", operation)) => ("events", operation.to_owned()),
            Some(("TrentService", operation)) => ("kms", operation.to_owned()),
            Some(("secretsmanager", operation)) => ("secretsmanager", operation.to_owned()),
            Some(("AWSCognitoIdentityProviderService", operation)) => {
                ("cognito", operation.to_owned())
            }
            Some((_, operation)) => ("dynamodb", operation.to_owned()),
            None if is_signed_for(head, "iam") => ("iam", iam_operation(&body)),
            None if head.uri.path() == SEND_EMAIL => ("ses", "SendEmail".to_owned()),
            None => ("s3", s3_operation(head)),
        };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        Call {
            service,
            operation,
            path: path.to_owned(),
            body,
        }
    }
}

/// A signature names the service that it is for.
fn is_signed_for(head: &request::Parts, service: &str) -> bool {
    let signature = head.headers.get("authorization");
    let signature = signature.and_then(|value| value.to_str().ok());
    signature.is_some_and(|it| it.contains(&format!("/{service}/aws4_request")))
}

/// IAM says it in the form that is sent.
fn iam_operation(body: &[u8]) -> String {
    let form = String::from_utf8_lossy(body);
    let action = form
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    action.unwrap_or_default().to_owned()
}

/// The path by which SES is asked to send a mail.
const SEND_EMAIL: &str = "/v2/email/outbound-emails";

/// S3 says what is asked of it by the method, the depth of the path and the names in the query.
fn s3_operation(head: &request::Parts) -> String {
    let path = head.uri.path().trim_start_matches('/');
    let key = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let query = head.uri.query().unwrap_or_default();
    let has = |name| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let operation = match (&head.method, key) {
        (&Method::GET, true) if has("uploadId") => "ListParts",
        (&Method::GET, true) => "GetObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::PUT, true) if has("partNumber") => "UploadPart",
        (&Method::PUT, true) => "PutObject",
        (&Method::POST, true) if has("uploads") => "CreateMultipartUpload",
        (&Method::POST, true) if has("uploadId") => "CompleteMultipartUpload",
        (&Method::DELETE, true) if has("uploadId") => "AbortMultipartUpload",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::POST, false) if has("delete") => "DeleteObjects",
        (&Method::GET, false) if has("versions") => "ListObjectVersions",
        (&Method::GET, false) if has("uploads") => "ListMultipartUploads",
        (&Method::GET, false) => "ListObjects",
        (&Method::HEAD, false) => "HeadBucket",
        (method, _) => return format!("{method} of a bucket"),
    };
    operation.to_owned()
}
