package kit

// This file owns what a call tells about where it comes from: the trace that it belongs to and what is carried along
// with it, in the headers of https://www.w3.org/TR/trace-context/ and https://www.w3.org/TR/baggage/, and the service
// that makes it, in its user agent.

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc/metadata"
)

var origin = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// continueTrace puts the caller's span and baggage into the context of a call that came in.
func continueTrace(ctx context.Context) context.Context {
	return origin.Extract(ctx, incoming{ctx})
}

// sendTrace puts the current span and baggage into the metadata of a call that goes out.
func sendTrace(ctx context.Context) context.Context {
	var sent outgoing
	origin.Inject(ctx, &sent)
	return metadata.AppendToOutgoingContext(ctx, sent.pairs...)
}

// agentOf is how a service names itself to those it calls; gRPC adds its own name.
func agentOf(service string) string { return "gossamer/" + service }

// callerOf returns the service that a user agent belongs to; empty if it is none of the mesh.
func callerOf(agent string) string {
	rest, ok := strings.CutPrefix(agent, "gossamer/")
	service, _, _ := strings.Cut(rest, " ")
	if !ok || !serviceName.MatchString(service) {
		return ""
	}
	return service
}

// incoming reads single keys of a call's metadata, where metadata.FromIncomingContext would copy all.
type incoming struct{ ctx context.Context }

func (c incoming) Get(key string) string {
	if values := metadata.ValueFromIncomingContext(c.ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

func (incoming) Set(string, string) {} // is only read

func (incoming) Keys() []string { return nil } // no propagator of ours asks

// outgoing collects keys and values by turns.
type outgoing struct{ pairs []string }

func (*outgoing) Get(string) string { return "" } // is only written

func (c *outgoing) Set(key, value string) { c.pairs = append(c.pairs, key, value) }

func (*outgoing) Keys() []string { return nil }
