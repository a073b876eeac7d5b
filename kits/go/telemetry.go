package kit

// This file owns where spans and measurements go: over OTLP to the collector, in batches, from bounded queues, so that
// a collector that is away costs no call anything. What is recorded about a call is in observe.go.

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// exportTimeout is how long one batch may take; what can't be sent by then is dropped.
const exportTimeout = 2 * time.Second

// telemetry is where spans and measurements are made.
type telemetry struct {
	tracers            trace.TracerProvider
	incoming, outgoing *durations
	stop               []func(context.Context) error
}

// newTelemetry prepares the way to the collector without waiting for it. Without a collector calls still belong to
// traces, as what others keep of these depends on it, but nothing is sent.
func newTelemetry(ctx context.Context, config Config) (*telemetry, error) {
	described, err := describe(ctx, config)
	if err != nil {
		return nil, err
	}
	spans := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(described), sdktrace.WithSampler(config.Sampling.sampler()),
	}
	made := &telemetry{incoming: newServerDurations(), outgoing: newClientDurations()}
	if config.Collector == "" {
		made.tracers = sdktrace.NewTracerProvider(spans...)
		return made, nil
	}
	batches, err := batchSpans(ctx, config)
	if err != nil {
		return nil, err
	}
	reports, err := reportMetrics(ctx, config, producer{made.incoming, made.outgoing})
	if err != nil {
		return nil, err
	}
	tracers := sdktrace.NewTracerProvider(append(spans, batches)...)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithResource(described), reports)
	made.tracers, made.stop = tracers, []func(context.Context) error{tracers.Shutdown, meters.Shutdown}
	return made, nil
}

func batchSpans(ctx context.Context, config Config) (sdktrace.TracerProviderOption, error) {
	exporter, err := otlptracegrpc.New(ctx,
		otlptracegrpc.WithEndpointURL(config.Collector), otlptracegrpc.WithTimeout(exportTimeout))
	if err != nil {
		return nil, err
	}
	return sdktrace.WithBatcher(exporter,
		sdktrace.WithBatchTimeout(config.SpanDelay), sdktrace.WithExportTimeout(exportTimeout)), nil
}

func reportMetrics(ctx context.Context, config Config, metrics sdkmetric.Producer) (sdkmetric.Option, error) {
	exporter, err := otlpmetricgrpc.New(ctx,
		otlpmetricgrpc.WithEndpointURL(config.Collector), otlpmetricgrpc.WithTimeout(exportTimeout))
	if err != nil {
		return nil, err
	}
	return sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(metrics),
		sdkmetric.WithInterval(config.MetricInterval), sdkmetric.WithTimeout(exportTimeout))), nil
}

func (s Sampling) sampler() sdktrace.Sampler {
	if s.Follow {
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.Ratio))
	}
	return sdktrace.TraceIDRatioBased(s.Ratio)
}

// describe says who makes the spans. OTEL_RESOURCE_ATTRIBUTES may add to it, and is read by OpenTelemetry itself.
func describe(ctx context.Context, config Config) (*resource.Resource, error) {
	described, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName(config.Service),
		semconv.ServiceInstanceID(config.Instance),
		semconv.ServiceVersion(config.Version),
	))
	if err != nil {
		return nil, &ConfigError{Problems: []string{"OTEL_RESOURCE_ATTRIBUTES: expected key=value,...: " + err.Error()}}
	}
	return described, nil
}

// flush sends what is left, and ends. It takes no longer than ctx allows.
func (t *telemetry) flush(ctx context.Context) error {
	var problems []error
	for _, stop := range t.stop {
		problems = append(problems, stop(ctx))
	}
	return errors.Join(problems...)
}
