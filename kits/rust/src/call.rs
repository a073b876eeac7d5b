//! The incoming call that code runs for: its trace and baggage, its deadline, and whether anyone still waits for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

tokio::task_local! {
    static CURRENT: Arc<Call>;
}

/// An incoming call. It is there while its handler runs, and where [`spawn`] carried it.
pub struct Call {
    /// The trace's context, with the span of this call.
    pub(crate) context: Context,
    /// What the caller has carried along, as <https://www.w3.org/TR/baggage/> writes it.
    pub(crate) baggage: Vec<HeaderValue>,
    /// The path, as `/package.Service/Method`.
    pub(crate) path: String,
    /// When the handler's time is over.
    pub(crate) deadline: Option<Instant>,
    /// Is closed when nobody waits for the answer any more.
    pub(crate) open: watch::Receiver<()>,
}

impl Call {
    /// The call that the code which asks runs for, if it does.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// What is left of its time; nothing if it has no deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The id of its trace, in hexadecimal.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.ids().0
    }

    /// Whether it is over: its caller went away, or its time ran out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.open.has_changed().is_err()
    }

    pub(crate) fn ids(&self) -> (String, String) {
        let span = self.context.span().span_context().clone();
        (span.trace_id().to_string(), span.span_id().to_string())
    }

    /// Has a future run for this call.
    pub(crate) fn scope<F: Future>(self: Arc<Self>, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// Has a function run for this call.
    pub(crate) fn enter<T>(self: &Arc<Self>, run: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), run)
    }
}

/// Spawns a task that runs for the same call: what it calls is in the call's trace and has its deadline. Unlike the
/// handler it is not dropped with the call.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match Call::current() {
        Some(call) => tokio::spawn(call.scope(future)),
        None => tokio::spawn(future),
    }
}
