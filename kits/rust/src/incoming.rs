//! What every incoming call goes through: it is observed, it has its time, its messages are checked, and nothing but a
//! status leaves it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;

use crate::call::Call;
use crate::checks::Checks;
use crate::deadline;
use crate::errors;
use crate::log;
use crate::messages::{Checked, Sizes, write_status};
use crate::observe::{Observation, Observer, continue_trace};
use crate::outgoing::{ANSWER, BAGGAGE, caller_of};
use crate::server::{Answer, Router};

/// How long before its caller's deadline a handler is told, and not more than a tenth of the time that there is: the
/// caller gets a status then, where at the deadline it would get a stream that was reset.
const MOST_MARGIN: Duration = Duration::from_millis(5);

/// What incoming calls go through.
pub struct Incoming {
    pub router: Router,
    pub observer: Arc<Observer>,
    pub checks: Arc<Checks>,
    /// Is closed when calls that still run have to end.
    pub going: watch::Receiver<()>,
}

impl Incoming {
    /// Answers a call. Calls that keep the mesh itself going, such as health checks, are only passed on.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let Some(service) = self.router.find(&path) else {
            return Status::unimplemented(format!("no contract that is served has {path}")).into_http();
        };
        if path.starts_with("/grpc.") {
            return service(request).await;
        }
        let (parts, body) = request.into_parts();
        let caller = parts.headers.get("user-agent").and_then(|agent| caller_of(agent.to_str().ok()?));
        let observation = self.observer.begin(&continue_trace(&parts.headers), &path, caller);
        let (open, still_open) = watch::channel(());
        let call = Arc::new(Call {
            context: observation.context.clone(),
            baggage: parts.headers.get_all(BAGGAGE).iter().cloned().collect(),
            deadline: deadline::of(&parts.headers)
                .map(|left| Instant::now() + left - MOST_MARGIN.min(left / 10)),
            open: still_open,
            path,
        });
        let body = Body::new(Checked::new(body, call.path.clone(), Arc::clone(&self.checks)));
        let answering = Answering::new(call, observation, open, self.going.clone());
        answering.run(service(Request::from_parts(parts, body))).await
    }
}

/// A call that is being answered. When it is dropped, the caller went away.
struct Answering {
    call: Arc<Call>,
    observation: Option<Observation>,
    open: Option<watch::Sender<()>>,
    over: Pin<Box<dyn Future<Output = Status> + Send>>,
}

impl Answering {
    fn new(
        call: Arc<Call>,
        observation: Observation,
        open: watch::Sender<()>,
        mut going: watch::Receiver<()>,
    ) -> Self {
        let mut end: Option<Pin<Box<Sleep>>> = call.deadline.map(|deadline| Box::pin(sleep_until(deadline)));
        let over = async move {
            let out_of_time = async {
                match &mut end {
                    Some(end) => end.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = out_of_time => Status::deadline_exceeded("the call ran out of time"),
                _ = going.changed() => Status::unavailable("the instance ends"),
            }
        };
        Self { call, observation: Some(observation), open: Some(open), over: Box::pin(over) }
    }

    async fn run(mut self, mut handler: Answer) -> Response<Body> {
        let call = Arc::clone(&self.call);
        let handling = poll_fn(move |context| call.enter(|| unwound(|| handler.as_mut().poll(context))));
        let answered = tokio::select! {
            biased;
            answered = handling => answered,
            status = &mut self.over => Err(status),
        };
        let (parts, body) = answered.unwrap_or_else(Status::into_http).into_parts();
        if let Some(status) = self.leave(&parts.headers) {
            self.end(&status);
            return status.into_http();
        }
        Response::from_parts(parts, Body::new(Outgoing { body, answering: self, sizes: Sizes::default() }))
    }

    /// The status in headers or trailers as the caller gets it; nothing where there is none yet.
    fn leave(&self, headers: &HeaderMap) -> Option<Status> {
        let status = Status::from_header_map(headers)?;
        if headers.contains_key(ANSWER) {
            // What another service answered is its word to this one and not to the caller.
            let text = format!("a call that was made for it failed: {}: {}", status.code(), status.message());
            return Some(self.call.enter(|| errors::report(&text, &log::stack())));
        }
        Some(status)
    }

    fn end(&mut self, status: &Status) {
        self.open = None;
        if let Some(mut observation) = self.observation.take() {
            observation.end(status.code(), status.message());
        }
    }
}

/// What a handler answers, on its way to the caller.
struct Outgoing {
    body: Body,
    answering: Answering,
    sizes: Sizes,
}

impl Outgoing {
    fn finish(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.answering.observation.is_none() {
            return Poll::Ready(None);
        }
        self.answering.end(status);
        self.body = Body::empty(); // the handler's stream is dropped here
        let mut trailers = HeaderMap::new();
        write_status(status, &mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.answering.observation.is_some()
            && let Poll::Ready(status) = this.answering.over.as_mut().poll(context)
        {
            return this.finish(&status);
        }
        let body = Pin::new(&mut this.body);
        let frame = match this.answering.call.enter(|| unwound(|| body.poll_frame(context))) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(None)) => return this.finish(&Status::ok("")),
            Poll::Ready(Ok(Some(Ok(frame)))) => frame,
            Poll::Ready(Ok(Some(Err(status))) | Err(status)) => return this.finish(&status),
        };
        if let Some(data) = frame.data_ref()
            && let Err(status) = this.sizes.pass(data.clone())
        {
            return this.finish(&status);
        }
        if let Some(status) = frame.trailers_ref().and_then(|trailers| this.answering.leave(trailers)) {
            return this.finish(&status);
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

thread_local! {
    /// What the panic said that is being unwound, and its stack.
    static PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Makes panics within calls errors of these calls, and all others lines of the log.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let (text, stack) = (panic.to_string(), log::stack());
        if Call::current().is_some() {
            PANIC.set(Some((text, stack)));
        } else {
            tracing::error!(error = text, stack, "a panic outside of any call");
        }
    }));
}

/// Polls something of a handler; should it panic, that is a status.
fn unwound<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, Status>> {
    let Ok(polled) = catch_unwind(AssertUnwindSafe(poll)) else {
        let (text, stack) = PANIC.take().unwrap_or_default();
        return Poll::Ready(Err(errors::report(&text, &stack)));
    };
    polled.map(Ok)
}
