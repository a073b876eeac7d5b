//! Where spans and measurements go: over OTLP to the collector, in batches, from bounded queues, so that a collector
//! that is away costs no call anything. What is recorded about a call is in `observe`.

use std::error::Error;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};

use crate::config::{Config, Sampling};

/// How long one batch may take; what can't be sent by then is dropped.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where spans and measurements are made.
pub struct Telemetry {
    pub tracers: SdkTracerProvider,
    pub meters: SdkMeterProvider,
}

impl Telemetry {
    /// Prepares the way to the collector without waiting for it. Without a collector calls still belong to traces, as
    /// what others keep of these depends on it, but nothing is sent.
    pub fn new(config: &Config) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let described = describe(config);
        let mut tracers = SdkTracerProvider::builder()
            .with_resource(described.clone())
            .with_sampler(sampler(config.sampling));
        let mut meters = SdkMeterProvider::builder().with_resource(described);
        if let Some(collector) = &config.collector {
            let spans = SpanExporter::builder()
                .with_tonic()
                .with_endpoint(collector)
                .with_timeout(EXPORT_TIMEOUT)
                .build()?;
            let batches = BatchConfigBuilder::default().with_scheduled_delay(config.span_delay).build();
            tracers = tracers
                .with_span_processor(BatchSpanProcessor::builder(spans).with_batch_config(batches).build());
            let metrics = MetricExporter::builder()
                .with_tonic()
                .with_endpoint(collector)
                .with_timeout(EXPORT_TIMEOUT)
                .build()?;
            meters = meters
                .with_reader(PeriodicReader::builder(metrics).with_interval(config.metric_interval).build());
        }
        Ok(Self { tracers: tracers.build(), meters: meters.build() })
    }

    /// Sends what is left, and ends. It takes a moment of its thread.
    pub fn flush(&self) {
        for result in [self.tracers.shutdown_with_timeout(EXPORT_TIMEOUT), self.meters.shutdown()] {
            if let Err(error) = result {
                tracing::warn!(error = %error, "the last telemetry was not sent");
            }
        }
    }
}

fn sampler(sampling: Sampling) -> Sampler {
    let root = Sampler::TraceIdRatioBased(sampling.ratio);
    if sampling.follow { Sampler::ParentBased(Box::new(root)) } else { root }
}

/// Says who makes the spans. `OTEL_RESOURCE_ATTRIBUTES` may add to it, and is read by OpenTelemetry itself.
fn describe(config: &Config) -> Resource {
    let own = [
        ("service.name", &config.service),
        ("service.instance.id", &config.instance),
        ("service.version", &config.version),
    ];
    Resource::builder().with_attributes(own.map(|(key, value)| KeyValue::new(key, value.clone()))).build()
}
