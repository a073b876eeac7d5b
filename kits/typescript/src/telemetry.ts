/** OpenTelemetry's SDK for one kit: what makes spans and histograms, and sends them to a collector over OTLP. */

import { credentials } from "@grpc/grpc-js";
import type { Histogram, Tracer } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

import type { Config } from "./config.js";

const CLOSE_WITHIN = 2_000;

/** What the semantic conventions advise for rpc.*.call.duration, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** One kit's spans and histograms. */
export class Telemetry {
  readonly tracer: Tracer;
  private readonly tracers: TracerProvider;
  private readonly meters: MeterProvider;

  constructor(config: Config) {
    const resource = defaultResource()
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(
        resourceFromAttributes({
          "service.name": config.service,
          "service.instance.id": config.instance,
          "service.version": config.version,
        }),
      );
    const ratio =
      config.samplingRatio === 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(config.samplingRatio);
    const to = config.telemetry && { url: config.telemetry, credentials: secured(config.telemetry) };
    this.tracers = new TracerProvider({
      resource,
      sampler: config.followSampling ? new ParentBasedSampler({ root: ratio }) : ratio,
      spanProcessors: to
        ? [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(to), scheduledDelayMillis: config.spanDelay })]
        : [],
    });
    this.meters = new MeterProvider({
      resource,
      readers: to
        ? [
            new PeriodicExportingMetricReader({
              exporter: new OTLPMetricExporter(to),
              exportIntervalMillis: config.metricInterval,
              exportTimeoutMillis: Math.min(config.metricInterval, 10_000),
            }),
          ]
        : [],
    });
    this.tracer = this.tracers.getTracer("gossamer-kit");
  }

  /** Make a histogram of seconds. */
  durations(name: string, description: string): Histogram {
    const advice = { explicitBucketBoundaries: BOUNDS };
    return this.meters.getMeter("gossamer-kit").createHistogram(name, { description, unit: "s", advice });
  }

  /** Send what is left, within 2 seconds; what takes longer is given up with the process. */
  async close(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, CLOSE_WITHIN).unref());
    await Promise.race([Promise.allSettled([this.tracers.shutdown(), this.meters.shutdown()]), late]);
  }
}

function secured(url: string) {
  return url.startsWith("https:") ? credentials.createSsl() : credentials.createInsecure();
}
