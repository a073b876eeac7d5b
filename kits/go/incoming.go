package kit

// This file owns what an incoming call goes through: it gets its deadline, is observed, guarded, and checked against
// its contract, and then its handler gets it. That is one interceptor for each kind and not a chain, which would cost
// more than most of its links.

import (
	"context"
	"net"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// calls is what incoming calls go through.
type calls struct {
	observer *observer
	guard    guard
	checks   checks
}

// isPlumbing tells calls that keep the mesh itself going, such as health checks: nothing is recorded of them.
func isPlumbing(method string) bool { return strings.HasPrefix(method, "/grpc.") }

func (c *calls) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler) (response any, err error) {
	if isPlumbing(info.FullMethod) {
		return handler(ctx, request)
	}
	ctx, call := c.begin(ctx, info.FullMethod)
	defer func() {
		err = c.guard.leave(ctx, info.FullMethod, err, recover())
		call.end(err)
	}()
	if err := c.checks.message(request); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (c *calls) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo,
	handler grpc.StreamHandler) (err error) {
	if isPlumbing(info.FullMethod) {
		return handler(server, stream)
	}
	ctx, call := c.begin(stream.Context(), info.FullMethod)
	defer func() {
		err = c.guard.leave(ctx, info.FullMethod, err, recover())
		call.end(err)
	}()
	return handler(server, &incomingStream{stream, ctx, c.checks})
}

func (c *calls) begin(ctx context.Context, method string) (context.Context, observation) {
	kind := callKind{method, incoming{ctx}.Get("user-agent")}
	ctx, call := c.observer.begin(continueTrace(forHandler(ctx)), kind)
	if call.span.IsRecording() {
		call.span.SetAttributes(peerAddress(ctx)...)
	}
	return ctx, call
}

// peerAddress tells where an incoming call came from.
func peerAddress(ctx context.Context) []attribute.KeyValue {
	caller, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	address, ok := caller.Addr.(*net.TCPAddr)
	if !ok {
		return nil
	}
	return []attribute.KeyValue{semconv.NetworkPeerAddress(address.IP.String()), semconv.NetworkPeerPort(address.Port)}
}

// incomingStream is a stream in the context of its call, whose messages are checked as they are received.
type incomingStream struct {
	grpc.ServerStream
	ctx    context.Context
	checks checks
}

func (s *incomingStream) Context() context.Context { return s.ctx }

func (s *incomingStream) RecvMsg(message any) error {
	if err := s.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	return s.checks.message(message)
}
