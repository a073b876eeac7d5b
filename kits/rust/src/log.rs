//! How a log line looks: one JSON object a line on standard error, the same keys in every language. The announce line
//! is the only one on standard output.
//!
//! Lines come through `tracing`, as those of libraries do, of which only warnings are kept.

use std::backtrace::Backtrace;
use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;

use prost_types::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::call::Call;
use crate::config::Config;

/// Writes events as lines of one instance.
pub struct Lines {
    service: String,
    instance: String,
}

impl Lines {
    pub fn new(config: &Config) -> Self {
        Self { service: config.service.clone(), instance: config.instance.clone() }
    }

    /// Makes a line; `more` goes after what every line has.
    pub fn line(&self, level: &str, message: &str, more: Map<String, Value>) -> String {
        let mut line = Map::new();
        line.insert("time".to_owned(), json!(rfc3339(SystemTime::now())));
        line.insert("level".to_owned(), json!(level));
        line.insert("service".to_owned(), json!(self.service));
        line.insert("instance".to_owned(), json!(self.instance));
        line.insert("message".to_owned(), json!(message));
        if let Some(call) = Call::current() {
            let (trace, span) = call.ids();
            line.insert("trace_id".to_owned(), json!(trace));
            line.insert("span_id".to_owned(), json!(span));
        }
        line.extend(more);
        Value::Object(line).to_string()
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let foreign = ["h2", "hyper", "tonic", "tower", "opentelemetry"];
        let target = metadata.target();
        // OpenTelemetry warns of each batch that is dropped, with names of its own code
        let limit =
            if foreign.iter().any(|name| target.starts_with(name)) { Level::ERROR } else { Level::INFO };
        metadata.is_event() && *metadata.level() <= limit
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str().to_lowercase();
        let message = fields.message.take().unwrap_or_else(|| event.metadata().name().to_owned());
        let line = self.line(&level, &message, fields.others);
        _ = writeln!(std::io::stderr().lock(), "{line}"); // nobody is left to be told
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What an event says.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = Some(text),
            (name, value) => _ = self.others.insert(name.to_owned(), value),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, json!(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, json!(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }
}

/// The stack of here, as text.
pub fn stack() -> String {
    Backtrace::force_capture().to_string()
}

/// Writes a time in UTC, to the millisecond.
fn rfc3339(time: SystemTime) -> String {
    let time = Timestamp::from(time);
    let second = Timestamp { nanos: 0, ..time }.to_string(); // which leaves out a fraction of zero
    format!("{}.{:03}Z", second.trim_end_matches('Z'), time.nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let leap_day = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_210_096_789);
        assert_eq!(rfc3339(leap_day), "2024-02-29T12:34:56.789Z");
    }
}
