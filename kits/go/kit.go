package kit

// This file owns the kit itself: what it is made of, the order of its life, and its end when something goes wrong. The
// orderly end is in drain.go.

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
)

// goodbyeLimit is the most time for deregistration and the last telemetry.
const goodbyeLimit = 3 * time.Second

// ballastSize is how much memory is taken and never touched, which costs none. Go collects garbage whenever the heap has
// doubled, and the descriptors and compiled rules of a small service's contracts are 5 MB that each collection goes
// through: without ballast every few hundred calls, at a tenth of a busy server's time. To a large heap it is nothing.
const ballastSize = 8 << 20

// Kit is one instance of a service: its server, its clients and its place in the mesh.
type Kit struct {
	config     Config
	log        *slog.Logger // standard error
	announce   *slog.Logger // standard output
	telemetry  *telemetry
	outgoing   *observer
	policies   *policies
	health     *healthService
	server     *grpc.Server
	contracts  []string
	address    netip.AddrPort
	served     chan error  // what the server ended with
	membership *membership // nil until Join
	closed     sync.Once
	ballast    []byte

	mu    sync.Mutex
	conns map[string]*grpc.ClientConn // by service
}

// New makes a kit. It binds nothing and waits for no one: a collector that is away is found out about later.
func New(ctx context.Context, config Config) (*Kit, error) {
	log := newLogger(os.Stderr, config)
	redirectLibraryLogs(log)
	telemetry, err := newTelemetry(ctx, config)
	if err != nil {
		return nil, err
	}
	return newKit(config, telemetry, log, newLogger(os.Stdout, config))
}

// newKit puts a kit together from what goes out of the process: telemetry, logs and the announce line.
func newKit(config Config, telemetry *telemetry, log, announce *slog.Logger) (*Kit, error) {
	checks, err := newChecks()
	if err != nil {
		return nil, err
	}
	return &Kit{
		config: config, log: log, announce: announce, telemetry: telemetry,
		outgoing: newClientObserver(telemetry),
		policies: newPolicies(config, log),
		health:   newHealthService(),
		server:   newServer(&calls{newServerObserver(telemetry), guard{log}, checks}),
		conns:    map[string]*grpc.ClientConn{},
		ballast:  make([]byte, ballastSize),
	}, nil
}

// Log returns the logger of the instance: JSON lines on standard error, with the trace's id when a call's context is
// given.
func (k *Kit) Log() *slog.Logger { return k.log }

// Server is where contracts are registered, before Serve.
func (k *Kit) Server() grpc.ServiceRegistrar { return k.server }

// Join says SERVING, and then registers the instance in Consul, where it stays registered until Wait ends: should
// Consul lose it, it is registered again within 5 seconds. Join waits for Consul as long as it takes, or until ctx is
// done, which is no failure: Wait is to follow.
func (k *Kit) Join(ctx context.Context) error {
	k.health.set(healthgrpc.HealthCheckResponse_SERVING)
	if k.config.Consul == "" {
		return nil
	}
	membership, err := newMembership(k.config, k.address, k.contracts, k.log)
	if err != nil {
		return err
	}
	k.membership = membership
	membership.join(ctx)
	return nil
}

// Close ends at once what is still running, for a service that fails before Wait. After Wait it does nothing.
func (k *Kit) Close() {
	k.closed.Do(func() {
		k.health.endWatches()
		k.server.Stop()
		k.sayGoodbye()
	})
}

// sayGoodbye leaves Consul and sends what telemetry is left.
func (k *Kit) sayGoodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeLimit)
	defer cancel()
	if k.membership != nil {
		k.note("deregistration from Consul failed", k.membership.leave(ctx))
	}
	k.note("closing a client failed", k.closeClients())
	k.note("the last telemetry was not sent", k.telemetry.flush(ctx))
}

// note logs what went wrong on the way out, which is no reason to stop halfway.
func (k *Kit) note(message string, err error) {
	if err != nil {
		k.log.Warn(message, "error", err.Error())
	}
}

func (k *Kit) closeClients() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.policies.close()
	var problems []error
	for service, conn := range k.conns {
		problems = append(problems, conn.Close())
		delete(k.conns, service)
	}
	return errors.Join(problems...)
}
