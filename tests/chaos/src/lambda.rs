//! A Lambda service for one function's binary, so that a test owns its processes: it gives them events as
//! Lambda does, and repeats an event that failed, and lets the test kill, stop and resume who works on it.

use crate::http::{Body, Cut, Server, json, whole};
use crate::within;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};

const NAME: &str = "chaos-process-upload";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:chaos-process-upload";

/// A process may take this long until it asks for its first event, as on Lambda.
const INIT: Duration = Duration::from_secs(10);

/// How often the time that a worker has left is looked at.
const TICK: Duration = Duration::from_millis(20);

/// How the function is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A worker that takes longer for an event is killed.
    pub timeout: Duration,
    /// The pauses before each repetition of an event that failed.
    pub retries: Vec<Duration>,
    /// How many workers there are at most. More events wait.
    pub concurrency: Option<usize>,
    /// So many of the function's invocations of itself are answered with 500 before one is taken.
    pub failing_self_invocations: u64,
    /// What the function invokes itself with is taken and then lost: who works when is the test's to say.
    pub self_invocations_are_lost: bool,
    /// Another function that it may invoke, which does nothing.
    pub neighbour: Option<&'static str>,
}

impl Default for Settings {
    /// Twice repeated as on Lambda, but without its minutes of pause.
    fn default() -> Self {
        Settings {
            timeout: Duration::from_secs(30),
            retries: vec![Duration::from_millis(100), Duration::from_millis(200)],
            concurrency: None,
            failing_self_invocations: 0,
            self_invocations_are_lost: false,
            neighbour: None,
        }
    }
}

/// The service. Its processes are killed when it is dropped.
pub struct Lambda {
    shared: Arc<Shared>,
    _invoke_api: Server,
}

struct Shared {
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    settings: Settings,
    /// Where the processes reach the Invoke API.
    invoke_endpoint: OnceLock<String>,
    state: Mutex<State>,
    output: Mutex<String>,
}

#[derive(Default)]
struct State {
    /// The processes, in the order of their start.
    seats: BTreeMap<u64, Seat>,
    started: u64,
    /// Events for which there is no worker yet.
    queue: VecDeque<Event>,
    /// Events that neither succeeded nor were given up.
    unfinished: usize,
    given_up: Vec<Value>,
    failures: Vec<String>,
    failed_self_invocations: u64,
    self_invocations: u64,
    for_the_neighbour: Vec<Value>,
    closed: bool,
}

/// A process and what it works on.
struct Seat {
    pid: Pid,
    event: Option<Event>,
    /// The process has been handed the event.
    delivered: bool,
    stopped: bool,
    /// What is left of the timeout. Stands still while the process is stopped.
    left: Duration,
    timed_out: bool,
    /// There is an event to be had.
    called: Arc<Notify>,
}

struct Event {
    payload: Value,
    request_id: String,
    repetitions: usize,
    /// Who waits for the answer to a synchronous invocation.
    caller: Option<oneshot::Sender<Result<Value, String>>>,
}

impl Lambda {
    /// Starts the service, but no process yet: the first event does. The processes have this environment
    /// and what Lambda adds to it, and nothing of the caller's.
    pub fn start(
        binary: PathBuf,
        environment: BTreeMap<String, String>,
        settings: Settings,
    ) -> Self {
        let shared = Arc::new(Shared {
            binary,
            environment,
            settings,
            invoke_endpoint: OnceLock::new(),
            state: Mutex::default(),
            output: Mutex::default(),
        });
        let invoke_api = Server::start({
            let shared = Arc::clone(&shared);
            move |request| {
                let shared = Arc::clone(&shared);
                async move { shared.invoke_api(request).await }
            }
        });
        let endpoint = format!("http://{}", invoke_api.address);
        shared.invoke_endpoint.set(endpoint).unwrap();
        Lambda {
            shared,
            _invoke_api: invoke_api,
        }
    }

    /// An asynchronous invocation: repeated when it fails, given up after the last repetition.
    pub fn invoke(&self, payload: Value) {
        self.shared.submit(payload, None);
    }

    /// A synchronous invocation, which is not repeated. The error is the function's, or says how the worker
    /// ended. Panics if there is no answer long after the timeout.
    pub async fn call(&self, payload: Value) -> Result<Value, String> {
        let (caller, answer) = oneshot::channel();
        self.shared.submit(payload, Some(caller));
        let patience = self.shared.settings.timeout + INIT * 6;
        let answer = tokio::time::timeout(patience, answer).await;
        answer
            .unwrap_or_else(|_| panic!("no answer within {patience:?}: {}", self.describe()))
            .unwrap()
    }

    /// Payloads of events that failed in all their repetitions.
    pub fn given_up(&self) -> Vec<Value> {
        self.shared.state().given_up.clone()
    }

    /// Why asynchronous invocations failed, in the order in which they did, repeated or not.
    pub fn failures(&self) -> Vec<String> {
        self.shared.state().failures.clone()
    }

    /// Where the function reaches the Invoke API.
    pub fn invoke_endpoint(&self) -> &str {
        self.shared.invoke_endpoint.get().unwrap()
    }

    /// How often the function has invoked itself, without those that were answered with 500.
    pub fn self_invocations(&self) -> u64 {
        self.shared.state().self_invocations
    }

    /// What the function has invoked its neighbour with.
    pub fn for_the_neighbour(&self) -> Vec<Value> {
        self.shared.state().for_the_neighbour.clone()
    }

    /// The workers that have an event right now, the oldest first.
    pub fn busy(&self) -> Vec<Worker> {
        let state = self.shared.state();
        let busy = state.seats.iter().filter(|(_, seat)| seat.delivered);
        busy.filter_map(|(&number, seat)| {
            seat.event.as_ref().map(|event| Worker {
                shared: Arc::clone(&self.shared),
                number,
                pid: seat.pid,
                request_id: event.request_id.clone(),
                payload: event.payload.clone(),
            })
        })
        .collect()
    }

    /// The processes there are, busy or not.
    pub fn workers(&self) -> usize {
        self.shared.state().seats.len()
    }

    /// No event waits, for a worker or for its repetition, and none is being worked on.
    pub fn is_idle(&self) -> bool {
        self.shared.state().unfinished == 0
    }

    /// Waits until the service is idle. Panics when the patience is used up.
    pub async fn wait_idle(&self, patience: Duration) {
        let begun = Instant::now();
        while !self.is_idle() {
            let waited = begun.elapsed();
            assert!(waited < patience, "after {waited:?}: {}", self.describe());
            tokio::time::sleep(TICK).await;
        }
    }

    /// What the processes have printed. A line may come a moment after the answer to its event, but never
    /// after the news of its process's death.
    pub fn output(&self) -> String {
        self.shared.output.lock().unwrap().clone()
    }

    /// What is going on, for the message of a panic.
    fn describe(&self) -> String {
        let state = self.shared.state();
        let printed = self.output();
        let lines: Vec<&str> = printed.lines().rev().take(20).collect();
        format!(
            "{} workers, {} events unfinished, {} of them without a worker; failures {:?}; printed last:\n{}",
            state.seats.len(),
            state.unfinished,
            state.queue.len(),
            state.failures,
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // A test that panics drops this, too.
        let Ok(mut state) = self.shared.state.lock() else {
            return;
        };
        state.closed = true;
        for seat in state.seats.values() {
            let _ = kill(seat.pid, Signal::SIGKILL);
        }
    }
}

/// A process that was working on an event when it was looked at.
pub struct Worker {
    shared: Arc<Shared>,
    number: u64,
    pid: Pid,
    request_id: String,
    payload: Value,
}

impl Worker {
    /// The process.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The request that it is on.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The event that it is on.
    pub fn payload(&self) -> &Value {
        &self.payload
    }

    /// The process still lives, stopped or not.
    pub fn lives(&self) -> bool {
        self.shared.state().seats.contains_key(&self.number)
    }

    /// Kills it, and waits until it is dead. Its event has then failed.
    pub async fn kill(&self) {
        self.signal(Signal::SIGKILL);
        let dead = || (!self.lives()).then_some(());
        within(Duration::from_secs(10), "death of a killed worker", dead).await;
    }

    /// Stops it where it is. Its timeout stands still, so that it can wake up late.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on, with what it had left of its timeout.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Nothing happens to a process that is gone: its pid may be another's by now.
    fn signal(&self, signal: Signal) {
        if let Some(seat) = self.shared.state().seats.get_mut(&self.number) {
            seat.stopped = signal == Signal::SIGSTOP;
            kill(seat.pid, signal).unwrap();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn submit(
        self: &Arc<Self>,
        payload: Value,
        caller: Option<oneshot::Sender<Result<Value, String>>>,
    ) {
        let mut state = self.state();
        state.unfinished += 1;
        self.place(
            &mut state,
            Event {
                payload,
                request_id: new_request_id(),
                repetitions: 0,
                caller,
            },
        );
    }

    /// Gives the event to a worker that is free, or to a new one.
    fn place(self: &Arc<Self>, state: &mut State, event: Event) {
        if state.closed {
            return;
        }
        let mut seats = state.seats.values_mut();
        if let Some(seat) = seats.find(|seat| seat.event.is_none() && !seat.stopped) {
            seat.take(event, self.settings.timeout);
        } else if self
            .settings
            .concurrency
            .is_none_or(|most| state.seats.len() < most)
        {
            self.hire(state, event);
        } else {
            state.queue.push_back(event);
        }
    }

    /// Starts a process for the event.
    fn hire(self: &Arc<Self>, state: &mut State, event: Event) {
        let number = state.started;
        state.started += 1;
        let called = Arc::new(Notify::new());
        let api = Server::start({
            let (shared, called) = (Arc::clone(self), Arc::clone(&called));
            move |request| {
                let (shared, called) = (Arc::clone(&shared), Arc::clone(&called));
                async move { shared.runtime_api(number, &called, request).await }
            }
        });
        let mut child = Command::new(&self.binary)
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env(
                "AWS_ENDPOINT_URL_LAMBDA",
                self.invoke_endpoint.get().unwrap(),
            )
            .env("AWS_LAMBDA_FUNCTION_NAME", NAME)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/chaos")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "chaos")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
        let mut seat = Seat {
            pid,
            event: None,
            delivered: false,
            stopped: false,
            left: Duration::ZERO,
            timed_out: false,
            called,
        };
        seat.take(event, INIT + self.settings.timeout);
        state.seats.insert(number, seat);
        let printed = futures_util::future::join(
            Arc::clone(self).listen(child.stdout.take().unwrap()),
            Arc::clone(self).listen(child.stderr.take().unwrap()),
        );
        let printed = tokio::spawn(printed);
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let end = shared.watch(number, &mut child).await;
            // What it printed last is there before anybody hears of its death.
            printed.await.unwrap();
            drop(api);
            shared.bury(number, &end);
        });
    }

    async fn listen(self: Arc<Self>, stream: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut output = self.output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    }

    /// Waits for the end of a process, and kills it when its time is up. Says how it ended.
    async fn watch(&self, number: u64, child: &mut Child) -> String {
        let mut looked = Instant::now();
        loop {
            tokio::select! {
                status = child.wait() => return status.unwrap().to_string(),
                () = tokio::time::sleep(TICK) => {}
            }
            let passed = looked.elapsed();
            looked += passed;
            let mut state = self.state();
            let Some(seat) = state.seats.get_mut(&number) else {
                continue;
            };
            if seat.event.is_some() && !seat.stopped {
                seat.left = seat.left.saturating_sub(passed);
                if seat.left.is_zero() && !seat.timed_out {
                    seat.timed_out = true;
                    kill(seat.pid, Signal::SIGKILL).unwrap();
                }
            }
        }
    }

    /// A process is gone, and with it the work on its event.
    fn bury(self: &Arc<Self>, number: u64, end: &str) {
        let mut state = self.state();
        let Some(seat) = state.seats.remove(&number) else {
            return;
        };
        if let Some(event) = seat.event {
            let error = match seat.timed_out {
                true => "timed out".to_owned(),
                false => format!("the process died: {end}"),
            };
            self.settle(&mut state, event, Err(error));
        }
        if !state.closed
            && let Some(next) = state.queue.pop_front()
        {
            self.hire(&mut state, next);
        }
    }

    fn settle(self: &Arc<Self>, state: &mut State, event: Event, outcome: Result<Value, String>) {
        match (event.caller, outcome) {
            (Some(caller), outcome) => {
                state.unfinished -= 1;
                // A caller that has gone away wants no answer.
                let _ = caller.send(outcome);
            }
            (None, Ok(_)) => state.unfinished -= 1,
            (None, Err(error)) => {
                state.failures.push(error);
                let Some(&pause) = self.settings.retries.get(event.repetitions) else {
                    state.unfinished -= 1;
                    state.given_up.push(event.payload);
                    return;
                };
                let again = Event {
                    payload: event.payload,
                    request_id: new_request_id(),
                    repetitions: event.repetitions + 1,
                    caller: None,
                };
                let shared = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    shared.place(&mut shared.state(), again);
                });
            }
        }
    }

    /// The Runtime API, as one process sees it.
    async fn runtime_api(
        self: &Arc<Self>,
        number: u64,
        called: &Notify,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let path = head.uri.path().strip_prefix("/2018-06-01/runtime/");
        let path: Vec<&str> = path.unwrap_or_default().split('/').collect();
        let outcome = match (&head.method, &path[..]) {
            (&Method::GET, ["invocation", "next"]) => loop {
                if let Some(answer) = self.deliver(number) {
                    return Ok(answer);
                }
                called.notified().await;
            },
            (&Method::POST, ["invocation", _, "response"]) => {
                Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
            }
            (&Method::POST, ["invocation", _, "error"] | ["init", "error"]) => {
                Err(String::from_utf8_lossy(&body).into_owned())
            }
            _ => return Ok(json(StatusCode::NOT_FOUND, &Value::Null)),
        };
        let request_id = (path[0] == "invocation").then_some(path[1]);
        Ok(match self.finish(number, request_id, outcome) {
            true => json(StatusCode::ACCEPTED, &json!({"status": "OK"})),
            false => json(
                StatusCode::BAD_REQUEST,
                &json!({"errorType": "InvalidRequestID"}),
            ),
        })
    }

    /// The event that lies ready for a process, if one does.
    fn deliver(&self, number: u64) -> Option<Response<Body>> {
        let mut state = self.state();
        let seat = state.seats.get_mut(&number)?;
        let event = seat.event.as_ref().filter(|_| !seat.delivered)?;
        seat.delivered = true;
        seat.left = self.settings.timeout;
        let deadline = SystemTime::now() + self.settings.timeout;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let trace = "Root=1-00000000-000000000000000000000000;Sampled=0";
        let answer = Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", &event.request_id)
            .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", ARN)
            .header("Lambda-Runtime-Trace-Id", trace);
        Some(answer.body(whole(event.payload.to_string())).unwrap())
    }

    /// A process has done with its event. False if that is not the event it is on. Without a request id it
    /// is about whatever it was started for.
    fn finish(
        self: &Arc<Self>,
        number: u64,
        request_id: Option<&str>,
        outcome: Result<Value, String>,
    ) -> bool {
        let mut state = self.state();
        let Some(seat) = state.seats.get_mut(&number) else {
            return false;
        };
        let meant = |event: &mut Event| request_id.is_none_or(|id| id == event.request_id);
        let Some(event) = seat.event.take_if(meant) else {
            return false;
        };
        seat.delivered = false;
        self.settle(&mut state, event, outcome);
        if let Some(next) = state.queue.pop_front() {
            self.place(&mut state, next);
        }
        true
    }

    /// What the function calls to invoke itself. Signatures are not looked at.
    async fn invoke_api(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let path = head.uri.path().replace("%3A", ":");
        let name = path
            .strip_prefix("/2015-03-31/functions/")
            .and_then(|path| path.strip_suffix("/invocations"));
        let kind = head.headers.get("x-amz-invocation-type");
        let neighbour = name.is_some_and(|name| self.settings.neighbour == Some(name));
        let itself = name.is_some_and(|name| name == NAME || name == ARN);
        if head.method != Method::POST || !(itself || neighbour) {
            return Ok(refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException"));
        }
        let asynchronous = kind.is_some_and(|kind| kind == "Event");
        let (true, Ok(payload)) = (asynchronous, serde_json::from_slice(&body)) else {
            let kind = "InvalidParameterValueException";
            return Ok(refusal(StatusCode::BAD_REQUEST, kind));
        };
        {
            let mut state = self.state();
            if neighbour {
                state.for_the_neighbour.push(payload);
                return Ok(json(StatusCode::ACCEPTED, &Value::Null));
            }
            if state.failed_self_invocations < self.settings.failing_self_invocations {
                state.failed_self_invocations += 1;
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Ok(refusal(status, "ServiceException"));
            }
            state.self_invocations += 1;
        }
        if !self.settings.self_invocations_are_lost {
            self.submit(payload, None);
        }
        Ok(json(StatusCode::ACCEPTED, &Value::Null))
    }
}

/// An answer of the Invoke API that is none.
fn refusal(status: StatusCode, kind: &'static str) -> Response<Body> {
    let mut answer = json(status, &json!({"Type": "User", "Message": kind}));
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert("x-amzn-errortype", kind);
    answer
}

impl Seat {
    fn take(&mut self, event: Event, left: Duration) {
        self.event = Some(event);
        self.delivered = false;
        self.left = left;
        self.called.notify_one();
    }
}

/// Unique among all tests: a function may use it to tell its runs apart.
fn new_request_id() -> String {
    let random = fastrand::u128(..).to_ne_bytes();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    id.to_string()
}
