package dev.gossamer.kit;

import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.exporter.otlp.metrics.OtlpGrpcMetricExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.export.PeriodicMetricReader;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.samplers.Sampler;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Where spans and measurements go: over OTLP to the collector, in batches, from bounded queues, so
 * that a collector that is away costs no call anything. What is recorded about a call is in
 * Observer.
 */
final class Telemetry implements AutoCloseable {
  private static final Duration EXPORT_TIMEOUT = Duration.ofSeconds(2);
  private static final String SCOPE = "dev.gossamer.kit";

  private final SdkTracerProvider tracers;
  private final SdkMeterProvider meters;
  final Observer incoming;
  final Observer outgoing;

  Telemetry(Config config) {
    var resource = Resource.getDefault().merge(Resource.create(attributes(config)));
    var tracing = SdkTracerProvider.builder().setResource(resource).setSampler(sampler(config));
    var metering = SdkMeterProvider.builder().setResource(resource);
    config
        .collector()
        .ifPresent(
            endpoint -> {
              var spans =
                  OtlpGrpcSpanExporter.builder()
                      .setEndpoint(endpoint)
                      .setTimeout(EXPORT_TIMEOUT)
                      .build();
              tracing.addSpanProcessor(
                  BatchSpanProcessor.builder(spans)
                      .setScheduleDelay(config.spanDelay())
                      .setExporterTimeout(EXPORT_TIMEOUT)
                      .build());
              var metrics =
                  OtlpGrpcMetricExporter.builder()
                      .setEndpoint(endpoint)
                      .setTimeout(EXPORT_TIMEOUT)
                      .build();
              metering.registerMetricReader(
                  PeriodicMetricReader.builder(metrics)
                      .setInterval(config.metricInterval())
                      .setExporterTimeout(
                          EXPORT_TIMEOUT) // by itself the interval, which may be short
                      .build());
            });
    tracers = tracing.build();
    meters = metering.build();
    var tracer = tracers.get(SCOPE);
    var meter = meters.get(SCOPE);
    incoming = Observer.ofServer(tracer, meter);
    outgoing = Observer.ofClient(tracer, meter);
  }

  private static Attributes attributes(Config config) {
    var made =
        Attributes.builder()
            .put("service.name", config.service())
            .put("service.instance.id", config.instance())
            .put("service.version", config.version());
    var more = System.getenv("OTEL_RESOURCE_ATTRIBUTES");
    for (var pair : more == null ? new String[0] : more.split(",")) {
      var parts = pair.split("=", 2);
      if (parts.length == 2 && !parts[0].isBlank()) {
        made.put(parts[0].strip(), parts[1].strip());
      }
    }
    return made.build();
  }

  private static Sampler sampler(Config config) {
    var own = Sampler.traceIdRatioBased(config.sampledShare());
    return config.followsSampling() ? Sampler.parentBased(own) : own;
  }

  /** Sends what is left, for at most a few seconds. */
  @Override
  public void close() {
    var both = java.util.List.of(tracers.shutdown(), meters.shutdown());
    CompletableResultCode.ofAll(both).join(EXPORT_TIMEOUT.toMillis() + 500, TimeUnit.MILLISECONDS);
  }
}
