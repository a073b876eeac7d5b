package kit

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// BenchmarkUnaryCall measures what the kit adds to one unary call on the server, without gRPC itself. The whole picture
// is in bench/kit_overhead.py.
func BenchmarkUnaryCall(b *testing.B) {
	for name, ratio := range map[string]float64{"1percent": 0.01, "100percent": 1} {
		b.Run(name, func(b *testing.B) {
			tracers := trace.NewTracerProvider(trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(ratio))))
			recorded := &telemetry{tracers: tracers, incoming: newServerDurations()}
			checks, err := newChecks()
			if err != nil {
				b.Fatal(err)
			}
			info := &grpc.UnaryServerInfo{FullMethod: probev1.ProbeService_Echo_FullMethodName}
			answer := func(context.Context, any) (any, error) { return nil, nil }
			incoming := &calls{newServerObserver(recorded), guard{}, checks}
			timed, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			ctx := metadata.NewIncomingContext(timed, metadata.Pairs("user-agent", "gossamer/orders grpc-go/1.85.0"))
			request := &probev1.EchoRequest{Payload: make([]byte, 64)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := incoming.unary(ctx, request, info, answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
