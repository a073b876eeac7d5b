package kit

// This file owns the gRPC server: its limits, what every call goes through, and what it serves besides the contracts.

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

const (
	maxMessage     = 4 << 20 // bytes, in and out
	maxHeaderList  = 16 << 10
	maxStreams     = 1000            // at once, on one connection
	minPingSpacing = 5 * time.Second // so that pings every 10 s pass even when the network bunches them
	// Goroutines that stay for calls: one that is new for a call grows its stack, which costs as much as the kit does.
	// What comes while all are busy gets one of its own.
	streamWorkers = 64
)

// newServer returns a server without anything to serve.
func newServer(calls *calls) *grpc.Server {
	return grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaderList),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingSpacing, PermitWithoutStream: true}),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.UnaryInterceptor(calls.unary),
		grpc.StreamInterceptor(calls.stream),
	)
}

// contracts returns what the server was given to serve, without gRPC's own services, in alphabetical order.
func contracts(server *grpc.Server) []string {
	names := slices.Sorted(maps.Keys(server.GetServiceInfo()))
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "grpc.") })
}

// Serve binds the address and answers calls from then on. Health says NOT_SERVING until Join. One JSON line on standard
// output announces the address. Everything has to be registered with Server before.
func (k *Kit) Serve() error {
	k.contracts = contracts(k.server)
	k.health.cover(k.contracts...)
	healthgrpc.RegisterHealthServer(k.server, k.health)
	reflection.Register(k.server) // v1 and v1alpha
	listener, err := net.Listen("tcp", k.config.Listen)
	if err != nil {
		return fmt.Errorf("expected to listen on %s (GOSSAMER_LISTEN), but it can't be had; "+
			"is it in use? Port 0 takes any that is free: %w", k.config.Listen, err)
	}
	k.address, err = advertised(k.config, listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	k.served = make(chan error, 1)
	go func() { k.served <- k.server.Serve(listener) }()
	k.announce.Info("announce", "address", k.address.String(), "contracts", k.contracts)
	return nil
}
