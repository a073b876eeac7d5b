//! What is recorded about a call: one span and one measurement on either side, in all four shapes, named as
//! <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/> says; and the headers that a trace is carried in.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::metrics::{Histogram, MeterProvider as _};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{
    SpanKind, Status as SpanStatus, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;
use tonic::Code;

use crate::generated::rpc;
use crate::telemetry::Telemetry;

const SCOPE: &str = "gossamer-kit";
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Records the calls of one side.
pub struct Observer {
    tracer: SdkTracer,
    durations: Histogram<f64>,
    kind: SpanKind,
}

impl Observer {
    /// Records the calls that this instance answers.
    pub fn server(telemetry: &Telemetry) -> Self {
        Self::new(telemetry, SpanKind::Server, "rpc.server.call.duration")
    }

    /// Records the calls that this instance makes.
    pub fn client(telemetry: &Telemetry) -> Self {
        Self::new(telemetry, SpanKind::Client, "rpc.client.call.duration")
    }

    fn new(telemetry: &Telemetry, kind: SpanKind, name: &'static str) -> Self {
        let meter = telemetry.meters.meter(SCOPE);
        let durations = meter.f64_histogram(name).with_unit("s").with_boundaries(BOUNDS.to_vec()).build();
        Self { tracer: telemetry.tracers.tracer(SCOPE), durations, kind }
    }

    /// Starts to observe a call of a method, which belongs to `parent`, with the service on its other side.
    pub fn begin(self: &Arc<Self>, parent: &Context, path: &str, peer: Option<&str>) -> Observation {
        let name = path.trim_start_matches('/').to_owned();
        let mut attributes =
            vec![KeyValue::new("rpc.system.name", "grpc"), KeyValue::new("rpc.method", name.clone())];
        if let Some(peer) = peer {
            attributes.push(KeyValue::new("service.peer.name", peer.to_owned()));
            if self.kind == SpanKind::Client {
                attributes.push(KeyValue::new("server.address", peer.to_owned()));
            }
        }
        let builder =
            self.tracer.span_builder(name).with_kind(self.kind.clone()).with_attributes(attributes.clone());
        let span = self.tracer.build_with_context(builder, parent);
        let context = parent.with_span(span);
        Observation { observer: Arc::clone(self), context, attributes, started: Instant::now(), ended: false }
    }
}

/// One call while it runs. When it is dropped before it ended, it was cancelled.
pub struct Observation {
    observer: Arc<Observer>,
    /// The trace's context, with the span of this call.
    pub context: Context,
    attributes: Vec<KeyValue>,
    started: Instant,
    ended: bool,
}

impl Observation {
    /// Records how the call went. Only the first time counts.
    pub fn end(&mut self, code: Code, message: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let name = code_name(code);
        let mut outcome = vec![KeyValue::new("rpc.response.status_code", name)];
        let failed = match self.observer.kind {
            SpanKind::Client => code != Code::Ok,
            _ => is_server_fault(code),
        };
        if failed {
            outcome.push(KeyValue::new("error.type", name));
        }
        let span = self.context.span();
        span.set_attributes(outcome.iter().cloned());
        if failed {
            span.set_status(SpanStatus::error(message.to_owned()));
        }
        span.end();
        outcome.append(&mut self.attributes);
        self.observer.durations.record(self.started.elapsed().as_secs_f64(), &outcome);
    }

    /// Says in the span what became of one of the call's attempts; the first one has the number 1.
    pub fn note_attempt(&self, event: &'static str, code: Code, number: u32) {
        self.context.span().add_event(
            event,
            vec![
                KeyValue::new("rpc.response.status_code", code_name(code)),
                KeyValue::new("attempt", i64::from(number)),
            ],
        );
    }

    /// When the call began.
    pub fn started(&self) -> Instant {
        self.started
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "the call was dropped");
    }
}

/// What a server counts as its own error, and not the caller's.
fn is_server_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

/// The name of a code as protobuf spells it, such as `NOT_FOUND`.
pub fn code_name(code: Code) -> &'static str {
    rpc::Code::try_from(code as i32).unwrap_or(rpc::Code::Unknown).as_str_name()
}

/// The code that is named so.
pub fn code_of(name: &str) -> Option<Code> {
    rpc::Code::from_str_name(name).map(|code| Code::from(code as i32))
}

/// The caller's span, from the headers of a call.
pub fn continue_trace(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers))
}

/// Puts the current span into the headers of a call.
pub fn send_trace(context: &Context, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(context, &mut Outgoing(headers));
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return; // an empty tracestate says nothing
        }
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
