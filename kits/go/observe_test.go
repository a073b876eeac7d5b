package kit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// pair waits for the client span and the server span of one call.
func (i *instance) pair(t *testing.T) (client, server tracetest.SpanStub) {
	t.Helper()
	eventually(t, "two spans", func() bool { return len(i.spans.GetSpans()) >= 2 })
	for _, span := range i.spans.GetSpans() {
		switch span.SpanKind {
		case trace.SpanKindClient:
			client = span
		case trace.SpanKindServer:
			server = span
		}
	}
	if got := len(i.spans.GetSpans()); got != 2 {
		t.Errorf("%d spans, want one on either side", got)
	}
	if server.Parent.SpanID() != client.SpanContext.SpanID() {
		t.Errorf("the server's span is not a child of the client's")
	}
	return client, server
}

func attributesOf(list []attribute.KeyValue) map[string]string {
	found := map[string]string{}
	for _, one := range list {
		found[string(one.Key)] = one.Value.Emit()
	}
	return found
}

func TestEveryShapeHasOneSpanOnEitherSide(t *testing.T) {
	for method, call := range map[string]func(context.Context, *instance) error{
		"Echo": func(ctx context.Context, probe *instance) error {
			_, err := probe.calls.Echo(ctx, &probev1.EchoRequest{})
			return err
		},
		"Count": func(ctx context.Context, probe *instance) error {
			stream, err := probe.calls.Count(ctx, &probev1.CountRequest{To: 3})
			return errors.Join(err, finish(stream.Recv))
		},
		"Sum": func(ctx context.Context, probe *instance) error {
			stream, err := probe.calls.Sum(ctx)
			_, received := stream.CloseAndRecv()
			return errors.Join(err, received)
		},
		"Chat": func(ctx context.Context, probe *instance) error {
			stream, err := probe.calls.Chat(ctx)
			return errors.Join(err, stream.Send(&probev1.ChatRequest{Text: "hi"}), stream.CloseSend(), finish(stream.Recv))
		},
	} {
		t.Run(method, func(t *testing.T) {
			probe := serve(t, scripted{})
			if err := call(t.Context(), probe); err != nil {
				t.Fatal(err)
			}
			client, server := probe.pair(t)
			for _, span := range []tracetest.SpanStub{client, server} {
				got := attributesOf(span.Attributes)
				for key, want := range map[string]string{
					"rpc.system.name": "grpc", "rpc.method": "gossamer.probe.v1.ProbeService/" + method,
					"rpc.response.status_code": "OK", "service.peer.name": "probe",
				} {
					if got[key] != want {
						t.Errorf("%v %s is %q, want %q", span.SpanKind, key, got[key], want)
					}
				}
				if span.Status.Code != otelcodes.Unset || span.Name != "gossamer.probe.v1.ProbeService/"+method {
					t.Errorf("%v span %q has status %v", span.SpanKind, span.Name, span.Status)
				}
			}
		})
	}
}

func TestSpansTellHowTheCallEnded(t *testing.T) {
	for name, one := range map[string]struct {
		err            error
		code           string
		client, server otelcodes.Code
	}{
		"the server's fault": {errors.New("broken"), "INTERNAL", otelcodes.Error, otelcodes.Error},
		"the caller's fault": {status.Error(codes.NotFound, "gone"), "NOT_FOUND", otelcodes.Error, otelcodes.Unset},
	} {
		t.Run(name, func(t *testing.T) {
			probe := serve(t, scripted{echo: func(context.Context) error { return one.err }})
			_, _ = probe.calls.Echo(t.Context(), &probev1.EchoRequest{})
			client, server := probe.pair(t)
			if client.Status.Code != one.client || server.Status.Code != one.server {
				t.Errorf("client: %v, server: %v", client.Status, server.Status)
			}
			for _, span := range []tracetest.SpanStub{client, server} {
				if got := attributesOf(span.Attributes)["rpc.response.status_code"]; got != one.code {
					t.Errorf("%v: got %q, want %q", span.SpanKind, got, one.code)
				}
			}
		})
	}
}

func TestACancelledCallEndsItsSpansAsCancelled(t *testing.T) {
	began := make(chan struct{})
	probe := serve(t, scripted{echo: func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		return errors.New("whatever comes of it")
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	_, _ = probe.calls.Echo(ctx, &probev1.EchoRequest{})
	client, server := probe.pair(t)
	for _, span := range []tracetest.SpanStub{client, server} {
		if got := attributesOf(span.Attributes)["rpc.response.status_code"]; got != "CANCELLED" {
			t.Errorf("%v: got %q", span.SpanKind, got)
		}
	}
}

func TestAnAbandonedStreamEndsItsSpans(t *testing.T) {
	probe := serve(t, scripted{})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := probe.calls.Count(ctx, &probev1.CountRequest{To: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel() // and never read again
	client, _ := probe.pair(t)
	if got := attributesOf(client.Attributes)["rpc.response.status_code"]; got != "CANCELLED" {
		t.Errorf("got %q", got)
	}
}

func TestACallThatFindsNoInstanceHasASpan(t *testing.T) {
	probe := serve(t, scripted{})
	_, _ = probev1.NewProbeServiceClient(probe.Client("nowhere")).Echo(t.Context(), &probev1.EchoRequest{})
	spans := probe.spans.GetSpans()
	if len(spans) != 1 || attributesOf(spans[0].Attributes)["service.peer.name"] != "nowhere" {
		t.Errorf("got %v", spans)
	}
}

func TestHealthChecksLeaveNoSpan(t *testing.T) {
	probe := serve(t, scripted{})
	checkHealth(t, probe, "")
	if spans := probe.spans.GetSpans(); len(spans) != 1 || spans[0].SpanKind != trace.SpanKindClient {
		t.Errorf("got %v, want the client's only", spans)
	}
}

func TestDurationsAreCountedByMethodStatusAndPeer(t *testing.T) {
	probe := serve(t, scripted{echo: func(context.Context) error { return status.Error(codes.Unavailable, "away") }})
	_, _ = probe.calls.Echo(t.Context(), &probev1.EchoRequest{})
	probe.pair(t)
	want := map[string]string{
		"rpc.system.name": "grpc", "rpc.method": "gossamer.probe.v1.ProbeService/Echo", "error.type": "UNAVAILABLE",
		"rpc.response.status_code": "UNAVAILABLE", "service.peer.name": "probe",
	}
	for name, side := range map[string]*durations{
		"rpc.server.call.duration": probe.telemetry.incoming, "rpc.client.call.duration": probe.telemetry.outgoing,
	} {
		counted := side.collect(time.Now())
		points := counted.Data.(metricdata.Histogram[float64]).DataPoints
		got := attributesOf(points[0].Attributes.ToSlice())
		delete(got, "server.address")
		if counted.Name != name || counted.Unit != "s" || len(points) != 1 || points[0].Count != 1 || !maps.Equal(got, want) {
			t.Errorf("%s in %s has %v", counted.Name, counted.Unit, points)
		}
	}
}

func TestDurationsFallIntoTheirBuckets(t *testing.T) {
	histogram := newServerDurations()
	counted := histogram.series()
	for _, took := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 6 * time.Millisecond, time.Minute} {
		counted.record(took)
	}
	point := counted.point(time.Now(), time.Now())
	if want := []uint64{2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}; !slices.Equal(point.BucketCounts, want) {
		t.Errorf("got %v, want %v", point.BucketCounts, want)
	}
	if point.Count != 4 || point.Sum != 60.012 {
		t.Errorf("%d calls took %v s", point.Count, point.Sum)
	}
}

func TestCallersThatAreNoServiceShareASeries(t *testing.T) {
	counted := newServerDurations()
	observer := newServerObserver(&telemetry{tracers: sdktrace.NewTracerProvider(), incoming: counted})
	for _, agent := range []string{"grpcurl/1.9.3", "grpc-python/1.85.0", ""} {
		_, call := observer.begin(t.Context(), callKind{"/probe.v1.Probe/Echo", agent})
		call.end(nil)
	}
	points := counted.collect(time.Now()).Data.(metricdata.Histogram[float64]).DataPoints
	if len(points) != 1 || points[0].Count != 3 {
		t.Errorf("got %v", points)
	}
}

func TestCallersWithoutEndShareASeriesAtLast(t *testing.T) {
	counted := newServerDurations()
	observer := newServerObserver(&telemetry{tracers: sdktrace.NewTracerProvider(), incoming: counted})
	for number := range 2 * knownPeers {
		_, call := observer.begin(t.Context(), callKind{"/probe.v1.Probe/Echo", "gossamer/caller-" + strconv.Itoa(number)})
		call.end(nil)
	}
	if points := counted.collect(time.Now()).Data.(metricdata.Histogram[float64]).DataPoints; len(points) != knownPeers+1 {
		t.Errorf("got %d series", len(points))
	}
}

func TestCallerOf(t *testing.T) {
	for agent, want := range map[string]string{
		"gossamer/orders grpc-go/1.85.0": "orders",
		"gossamer/orders":                "orders",
		"gossamer/Not A Name":            "",
		"grpc-go/1.85.0":                 "",
		"":                               "",
	} {
		if got := callerOf(agent); got != want {
			t.Errorf("%q: got %q, want %q", agent, got, want)
		}
	}
}
