package kit

// This file owns how a client finds a service by its name, and what every outgoing call goes through.

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // makes xds:///name a target
)

// Client returns a connection to a service, for the constructor of any generated client. It spreads calls over the
// service's healthy instances and follows them as they come and go. Each service has one connection, which Close
// closes; nothing is dialed before the first call.
func (k *Kit) Client(service string) grpc.ClientConnInterface {
	k.mu.Lock()
	defer k.mu.Unlock()
	if conn, ok := k.conns[service]; ok {
		return conn
	}
	conn, err := k.dial(service)
	if err != nil {
		return noConn{markAnswer(status.Errorf(codes.Unavailable, "no way to %q: %v", service, err))}
	}
	k.conns[service] = conn
	return conn
}

func (k *Kit) dial(service string) (*grpc.ClientConn, error) {
	calls := &outgoingCalls{
		observer: k.outgoing, service: service, policy: k.policies.open(service), deadline: k.config.Deadline,
	}
	target, options := k.config.Discovery.target(service)
	return grpc.NewClient(target, append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithMaxHeaderListSize(maxHeaderList),
		grpc.WithUserAgent(agentOf(k.config.Service)),
		grpc.WithUnaryInterceptor(calls.unary),
		grpc.WithStreamInterceptor(calls.stream),
	)...)
}

// target returns what to dial for a service.
func (d Discovery) target(service string) (string, []grpc.DialOption) {
	if d.Static == nil {
		return "xds:///" + service, nil
	}
	addresses := manual.NewBuilderWithScheme("static")
	var known resolver.State
	for _, address := range d.Static[service] {
		known.Endpoints = append(known.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	addresses.InitialState(known)
	return "static:///" + service, []grpc.DialOption{
		grpc.WithResolvers(addresses),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
	}
}

// noConn answers every call with the reason why there is no connection.
type noConn struct{ err error }

func (c noConn) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return c.err }

func (c noConn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, c.err
}
