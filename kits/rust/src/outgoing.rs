//! What an outgoing call goes through: it gets a deadline, it is observed, what the control plane says is done to it,
//! and its failure is marked as the answer of another service.
//!
//! gRPC in Rust has no retries. Pauses and pushback are as those of others (gRFC A6, A44).

use std::collections::HashMap;
use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::backoff::jitter;
use crate::call::Call;
use crate::checks::Checks;
use crate::client::{Instances, Picked, second};
use crate::deadline;
use crate::messages::{MAX_MESSAGE, PREFIX, Whole, write_status};
use crate::observe::{Observation, Observer, send_trace};
use crate::parse::is_service_name;
use crate::policies::Policy;
use crate::rules::Rule;
use crate::xds::outliers::Outcome;

/// Marks a failure that another service answered, or that stands for the answer it did not give. It never leaves the
/// process.
pub const ANSWER: HeaderName = HeaderName::from_static("gossamer-answer");
/// What is carried on to the calls that a handler makes.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const PUSHBACK: &str = "grpc-retry-pushback-ms";
const FIRST_RETRY_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_millis(250);
/// As often a call that no instance has seen is given to another one.
const UNSEEN: u32 = 5;

/// A service that is called.
pub struct Callee {
    pub service: String,
    /// How the caller names itself; none where its name can't be in a header.
    pub agent: Option<HeaderValue>,
    pub deadline: Duration,
    pub observer: Arc<Observer>,
    pub checks: Arc<Checks>,
    pub policy: Arc<Policy>,
    pub instances: Instances,
}

/// How a service names itself to those it calls.
pub fn agent_of(service: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("gossamer/{service} rust")).ok()
}

/// The service that a user agent belongs to; none if it is not of the mesh.
pub fn caller_of(agent: &str) -> Option<&str> {
    let service = agent.strip_prefix("gossamer/")?.split(' ').next()?;
    Some(service).filter(|service| is_service_name(service))
}

/// What ends a call before its answer does.
type Over = Pin<Box<dyn Future<Output = Status> + Send>>;

impl Callee {
    /// Makes a call. What comes in place of an answer is a status in headers.
    pub async fn call(self: Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let within = Call::current();
        let parent = within.as_ref().map(|call| call.context.clone()).unwrap_or_default();
        let mut observation = self.observer.begin(&parent, &path, Some(&self.service));
        send_trace(&observation.context, &mut parts.headers);
        if let Some(call) = within.as_ref().filter(|_| !parts.headers.contains_key(BAGGAGE)) {
            parts.headers.extend(call.baggage.iter().map(|value| (BAGGAGE, value.clone())));
        }
        parts.headers.remove(ANSWER);
        if let Some(agent) = &self.agent {
            parts.headers.insert(http::header::USER_AGENT, agent.clone());
        }
        let started = Instant::from_std(observation.started());
        let mut end = started + deadline::of(&parts.headers).unwrap_or(self.deadline);
        if let Some(latest) = within.as_ref().and_then(|call| call.deadline) {
            end = end.min(latest);
        }
        let finding = self.policy.find(&path, &parts.headers);
        let rule = match unless(&mut over(within.clone(), end), finding).await {
            Ok(rule) => rule,
            Err(status) => return failed(&status, &mut observation),
        };
        if let Some(limit) = rule.timeout {
            end = end.min(started + limit);
        }
        let mut over = over(within, end);
        let making = self.make(&path, &parts.headers, body, &rule, end, &observation);
        let answered = unless(&mut over, making).await.and_then(|made| made);
        let (held, response) = match answered {
            Ok(made) => made,
            Err(status) => return failed(&status, &mut observation),
        };
        let (parts, body) = response.into_parts();
        if let Some(status) = Status::from_header_map(&parts.headers) {
            held.end(&status);
            return failed(&status, &mut observation);
        }
        let answer = Answer { body, observation: Some(observation), over, held: Some(held) };
        Response::from_parts(parts, Body::new(answer))
    }

    /// Makes as many attempts as there have to be.
    async fn make(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: Body,
        rule: &Rule,
        end: Instant,
        observation: &Observation,
    ) -> Result<(Held, Response<Body>), Status> {
        if !self.checks.is_unary(path) {
            return self.attempt(path, headers.clone(), body, end).await;
        }
        let whole = body.collect().await?.to_bytes();
        let mut tried = 0;
        let sent = |tried: u32| {
            let mut sent = headers.clone();
            if tried > 0 {
                sent.insert("grpc-previous-rpc-attempts", HeaderValue::from(tried));
            }
            sent
        };
        loop {
            let body = Body::new(Whole(Some(whole.clone())));
            let limit = rule.attempt_timeout.map_or(end, |limit| end.min(Instant::now() + limit));
            let left = limit.saturating_duration_since(Instant::now());
            let attempt = timeout(left, self.whole(path, sent(tried), body, limit)).await;
            let attempt =
                attempt.unwrap_or_else(|_| Err(Status::deadline_exceeded("the attempt ran out of time")));
            let status = match &attempt {
                Ok((_, response)) => match Status::from_header_map(response.headers()) {
                    Some(status) => status,
                    None => return attempt,
                },
                Err(status) => status.clone(),
            };
            let by_policy = tried < rule.retries && rule.codes.contains(&status.code());
            let by_route = || {
                let route = self.instances.retries(path, &sent(tried));
                rule.retries == 0 && tried < route.times && route.codes.contains(&status.code())
            };
            if !by_policy && !by_route() {
                return attempt;
            }
            let Some(pause) = pause(&status, tried) else { return attempt };
            if end.saturating_duration_since(Instant::now()) <= pause {
                return attempt;
            }
            if !self.policy.budget.spend(second()) {
                observation.note_attempt("retry budget spent", status.code(), tried + 1);
                return attempt;
            }
            observation.note_attempt("retry", status.code(), tried + 1);
            tried += 1;
            sleep(pause).await;
        }
    }

    /// Makes an attempt up to the end of its answer. One that breaks off can be made again, since nobody has seen it.
    async fn whole(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Body,
        end: Instant,
    ) -> Result<(Held, Response<Body>), Status> {
        let (held, response) = self.attempt(path, headers, body, end).await?;
        let (parts, body) = response.into_parts();
        let answer = Limited::new(body, PREFIX + MAX_MESSAGE).collect().await;
        let answer = answer.map_err(|error| match error.downcast::<Status>() {
            Ok(status) => broken_off(*status),
            Err(error) => Status::resource_exhausted(format!("the answer is too large: {error}")),
        })?;
        Ok((held, Response::from_parts(parts, Body::new(answer))))
    }

    /// Gives a call to an instance, and to another one where the first has not seen it.
    async fn attempt(
        &self,
        path: &str,
        mut headers: HeaderMap,
        body: Body,
        end: Instant,
    ) -> Result<(Held, Response<Body>), Status> {
        deadline::set(&mut headers, end.saturating_duration_since(Instant::now()));
        let uri = Uri::builder().scheme("http").authority(self.service.as_str()).path_and_query(path).build();
        let uri = uri.map_err(|error| Status::internal(error.to_string()))?;
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let mut unseen = 0;
        loop {
            let Picked { mut sender, calls, fault, limit } =
                self.instances.pick(path, request.headers()).await?;
            if unseen == 0 {
                if let Some(delay) = fault.delay() {
                    sleep(delay).await;
                }
                if let Some(status) = fault.abort() {
                    return Err(status);
                }
            }
            let running = limit.map(|(cluster, limit)| Running::begin(cluster, limit)).transpose()?;
            let held = Held { outcome: Outcome::of(calls), _running: running };
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((held, response.map(Body::new))),
                Err(mut error) => match error.take_message() {
                    Some(same) if unseen < UNSEEN => {
                        held.outcome.unseen();
                        request = same;
                        unseen += 1;
                        tokio::task::yield_now().await; // the end of that connection is about to be noticed
                    }
                    _ => return Err(status_of(&error.into_error())),
                },
            }
        }
    }
}

/// How long to wait after so many failed retries; nothing where the server asks not to be called again.
fn pause(status: &Status, tried: u32) -> Option<Duration> {
    match status.metadata().get(PUSHBACK) {
        Some(asked) => asked.to_str().ok()?.parse().ok().map(Duration::from_millis),
        None => Some((FIRST_RETRY_PAUSE * (1 << tried.min(4))).min(LONGEST_RETRY_PAUSE).mul_f64(jitter())),
    }
}

/// What a failure of a connection is to its call.
fn status_of(error: &hyper::Error) -> Status {
    let reason =
        error.source().and_then(|source| source.downcast_ref::<h2::Error>()).and_then(h2::Error::reason);
    match reason {
        Some(h2::Reason::CANCEL) => Status::cancelled("the other side cancelled the call"),
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Status::resource_exhausted(error.to_string()),
        Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::INTERNAL_ERROR) => Status::internal(error.to_string()),
        _ => Status::unavailable(format!("the connection failed: {error}")),
    }
}

/// What the loss of an answer is to its call: unless the other side said why, its connection ended.
fn broken_off(status: Status) -> Status {
    let lost = status.code() == Code::Unknown;
    if lost { Status::unavailable(status.message().to_owned()) } else { status }
}

/// What ends a call before its answer does: its own time, or that nobody waits any more for what it is made for.
fn over(within: Option<Arc<Call>>, end: Instant) -> Over {
    let out_of_time = || Status::deadline_exceeded("the call ran out of time");
    Box::pin(async move {
        let Some(call) = within else {
            sleep_until(end).await;
            return out_of_time();
        };
        let mut open = call.open.clone();
        tokio::select! {
            biased;
            _ = open.changed() => match call.remaining() {
                Some(Duration::ZERO) => out_of_time(),
                _ => Status::cancelled("the call that it was made for is over"),
            },
            () = sleep_until(end) => out_of_time(),
        }
    })
}

async fn unless<T>(over: &mut Over, other: impl Future<Output = T>) -> Result<T, Status> {
    tokio::select! {
        biased;
        status = over => Err(status),
        done = other => Ok(done),
    }
}

fn failed(status: &Status, observation: &mut Observation) -> Response<Body> {
    observation.end(status.code(), status.message());
    let mut response = status.clone().into_http();
    response.headers_mut().insert(ANSWER, HeaderValue::from_static("1"));
    response
}

/// How many calls of each cluster run, as far as they are limited.
static RUNNING: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

/// A call that counts towards the limit of its cluster.
struct Running(String);

impl Running {
    fn begin(cluster: String, limit: u32) -> Result<Self, Status> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(cluster.clone()).or_default();
        if *count >= limit {
            return Err(Status::unavailable(format!(
                "{limit} calls of {cluster} run already, which is the limit"
            )));
        }
        *count += 1;
        Ok(Self(cluster))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(count) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.0) {
            *count -= 1;
        }
    }
}

/// What an attempt holds until its end. When it is dropped before, the attempt failed.
struct Held {
    outcome: Outcome,
    _running: Option<Running>,
}

impl Held {
    fn end(self, status: &Status) {
        if status.code() == Code::Ok {
            self.outcome.good();
        }
    }
}

/// What another service answers. When it is dropped before its end, the call was cancelled.
struct Answer {
    body: Body,
    observation: Option<Observation>,
    over: Over,
    held: Option<Held>,
}

impl Answer {
    fn finish(
        &mut self,
        status: &Status,
        mut trailers: HeaderMap,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(mut observation) = self.observation.take() else { return Poll::Ready(None) };
        observation.end(status.code(), status.message());
        if let Some(held) = self.held.take() {
            held.end(status);
        }
        self.body = Body::empty();
        if status.code() != Code::Ok {
            write_status(status, &mut trailers);
            trailers.insert(ANSWER, HeaderValue::from_static("1"));
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.observation.is_none() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(status) = this.over.as_mut().poll(context) {
            return this.finish(&status, HeaderMap::new());
        }
        match ready!(Pin::new(&mut this.body).poll_frame(context)) {
            None => this.finish(&Status::unknown("the answer ended without a status"), HeaderMap::new()),
            Some(Err(status)) => this.finish(&broken_off(status), HeaderMap::new()),
            Some(Ok(frame)) => match frame.into_trailers() {
                Err(data) => Poll::Ready(Some(Ok(data))),
                Ok(trailers) => {
                    let status = Status::from_header_map(&trailers)
                        .unwrap_or_else(|| Status::unknown("the answer ended without a status"));
                    if status.code() == Code::Ok {
                        return this.finish(&status, trailers);
                    }
                    this.finish(&status, HeaderMap::new())
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_of_the_mesh_is_known_by_its_user_agent() {
        assert_eq!(caller_of("gossamer/orders grpc-go/1.85.0"), Some("orders"));
        assert_eq!(caller_of("grpc-go/1.85.0"), None);
        assert_eq!(caller_of("gossamer/Not A Name"), None);
    }

    #[test]
    fn pauses_grow_to_a_quarter_of_a_second() {
        let none = Status::unavailable("");
        assert!((20..=30).contains(&pause(&none, 0).unwrap().as_millis()));
        assert!((200..=300).contains(&pause(&none, 9).unwrap().as_millis()));
    }
}
