package kit

// This file owns what is recorded about a call: one span and one measurement on either side, in all four shapes, named
// as https://opentelemetry.io/docs/specs/semconv/rpc/grpc/ says. Where they go is in telemetry.go.
//
// It stands in for otelgrpc 0.72, which gRPC tells of attempts only: a call that is retried has several client spans
// there. It also knows addresses and not services, and allocates 28 times for a call that is not kept, where all of the
// kit allocates 6 times (overhead_test.go).

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	scope      = "github.com/gossamer-mesh/gossamer/kits/go"
	knownPeers = 1000 // as many callers of a method have series of their own, the rest share one
)

// observer records the calls of one side.
type observer struct {
	tracer    trace.Tracer
	durations *durations
	start     []trace.SpanStartOption
	failed    func(codes.Code) bool
	describe  func(peer string) []attribute.KeyValue

	kinds sync.Map // callKind -> *kindOfCall
	known atomic.Int64
}

// newServerObserver records the calls that this instance answers.
func newServerObserver(t *telemetry) *observer {
	return &observer{
		tracer: t.tracers.Tracer(scope), durations: t.incoming,
		start:  []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)},
		failed: isServerFault, describe: describeCaller,
	}
}

// newClientObserver records the calls that this instance makes. Their peer is a service's name.
func newClientObserver(t *telemetry) *observer {
	return &observer{
		tracer: t.tracers.Tracer(scope), durations: t.outgoing,
		start:  []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)},
		failed: isFailure, describe: describeCallee,
	}
}

// isFailure tells what a client counts as an error.
func isFailure(code codes.Code) bool { return code != codes.OK }

// isServerFault tells what a server counts as its own error, and not the caller's.
func isServerFault(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// describeCaller names the service that a user agent belongs to, if it is one of the mesh.
func describeCaller(agent string) []attribute.KeyValue {
	if service := callerOf(agent); service != "" {
		return []attribute.KeyValue{semconv.ServicePeerName(service)}
	}
	return nil
}

func describeCallee(service string) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.ServerAddress(service), semconv.ServicePeerName(service)}
}

// callKind is what calls are counted by, besides their status: the method and who is on the other side.
type callKind struct{ method, peer string }

// kindOfCall is what all calls of a kind share, made once.
type kindOfCall struct {
	name       string
	attributes []attribute.KeyValue
	mu         sync.Mutex
	outcomes   [codes.Unauthenticated + 1]atomic.Pointer[outcome] // by status
}

// outcome is what all calls of a kind share that ended with the same status.
type outcome struct {
	attributes []attribute.KeyValue
	series     *series
	failed     bool
}

func (o *observer) kindOf(kind callKind) *kindOfCall {
	if known, ok := o.kinds.Load(kind); ok {
		return known.(*kindOfCall)
	}
	if kind.peer != "" && o.known.Add(1) > knownPeers {
		return o.kindOf(callKind{method: kind.method})
	}
	known, _ := o.kinds.LoadOrStore(kind, o.newKind(kind))
	return known.(*kindOfCall)
}

func (o *observer) newKind(kind callKind) *kindOfCall {
	name := strings.TrimPrefix(kind.method, "/")
	shared := []attribute.KeyValue{semconv.RPCSystemNameGRPC, semconv.RPCMethod(name)}
	return &kindOfCall{name: name, attributes: append(shared, o.describe(kind.peer)...)}
}

func (o *observer) outcomeOf(kind *kindOfCall, code codes.Code) *outcome {
	if int(code) >= len(kind.outcomes) { // a number that gRPC does not know
		code = codes.Unknown
	}
	if known := kind.outcomes[code].Load(); known != nil {
		return known
	}
	kind.mu.Lock()
	defer kind.mu.Unlock()
	if kind.outcomes[code].Load() == nil {
		kind.outcomes[code].Store(o.newOutcome(kind, code))
	}
	return kind.outcomes[code].Load()
}

func (o *observer) newOutcome(kind *kindOfCall, code codes.Code) *outcome {
	name := rpccode.Code(code).String() // as protobuf spells it, such as NOT_FOUND
	made := &outcome{attributes: []attribute.KeyValue{semconv.RPCResponseStatusCode(name)}, failed: o.failed(code)}
	if made.failed {
		made.attributes = append(made.attributes, semconv.ErrorTypeKey.String(name))
	}
	made.series = o.durations.series(slices.Concat(made.attributes, kind.attributes)...)
	return made
}

// observation is one call while it runs.
type observation struct {
	*observer
	*kindOfCall
	span    trace.Span
	started time.Time
}

// begin starts to observe a call. The context that it returns is the call's.
func (o *observer) begin(ctx context.Context, kind callKind) (context.Context, observation) {
	call := observation{observer: o, kindOfCall: o.kindOf(kind), started: time.Now()}
	ctx, call.span = o.tracer.Start(ctx, call.name, o.start...)
	if call.span.IsRecording() { // most are not, and are spared the work
		call.span.SetAttributes(call.attributes...)
	}
	return ctx, call
}

// end records how the call went. It is called once.
func (o observation) end(err error) {
	answer, _ := status.FromError(err)
	outcome := o.outcomeOf(o.kindOfCall, answer.Code())
	outcome.series.record(time.Since(o.started))
	if o.span.IsRecording() {
		o.span.SetAttributes(outcome.attributes...)
		if outcome.failed {
			o.span.SetStatus(otelcodes.Error, answer.Message())
		}
	}
	o.span.End()
}

// TraceID returns the id of the trace that a call belongs to, in hexadecimal; empty outside of calls.
func TraceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}
