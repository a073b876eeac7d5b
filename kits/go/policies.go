package kit

// This file owns what the control plane has this process do to its calls: one stream from it, and what it said last of
// each service.
//
// While there is no stream, what was said last holds. No call waits for the stream, but for those that are made before it
// was first said what is done to them: these wait until it is, until the stream fails, or a second from when their client
// was opened. gRPC itself waits for the control plane then, too.

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	meshv1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/mesh/v1"
)

const (
	firstPolicyWait    = time.Second
	firstStreamPause   = 500 * time.Millisecond
	longestStreamPause = 2 * time.Second
	streamPauseGrowth  = 1.6
)

// keepStreamAlive is as for gRPC's own streams to a control plane.
var keepStreamAlive = keepalive.ClientParameters{Time: 5 * time.Minute, Timeout: 20 * time.Second}

// policy is what is done to the calls of one service.
type policy struct {
	budget  *budget
	rules   atomic.Pointer[rules] // nil: nothing is done to any call
	settled chan struct{}         // closed when no call has to wait any longer
	settle  func()
}

func newPolicy() *policy {
	made := &policy{budget: newBudget(), settled: make(chan struct{})}
	made.settle = sync.OnceFunc(func() { close(made.settled) })
	return made
}

// find returns what is done to a call, which may have to wait for that.
func (p *policy) find(ctx context.Context, method string) *rule {
	select {
	case <-p.settled:
	default:
		select {
		case <-p.settled:
		case <-ctx.Done():
		}
	}
	rules := p.rules.Load()
	if rules == nil {
		return nothing
	}
	p.budget.called(time.Now())
	return rules.find(ctx, method)
}

// become does from now on what was said. Where that can't be done, it does as before.
func (p *policy) become(said *meshv1.CallPolicy, carriesRetries bool) error {
	rules, err := newRules(said.GetRules(), carriesRetries)
	if err != nil {
		return err
	}
	if len(rules.all) == 0 {
		rules = nil
	}
	p.rules.Store(rules)
	if limit := said.GetRetryBudget(); limit != nil {
		p.budget.allow(limit.GetPercent(), limit.GetMinPerSecond())
	} else {
		p.budget.allowAll()
	}
	return nil
}

// policies are those of all services that this process has clients of.
type policies struct {
	config Config
	log    *slog.Logger

	mu   sync.Mutex
	of   map[string]*policy
	stop context.CancelFunc // ends the stream
	lost bool
}

func newPolicies(config Config, log *slog.Logger) *policies {
	return &policies{config: config, log: log, of: map[string]*policy{}, stop: func() {}}
}

// open returns the policy of a service, which the control plane is asked for from now on.
func (p *policies) open(service string) *policy {
	p.mu.Lock()
	defer p.mu.Unlock()
	made := newPolicy()
	p.of[service] = made
	if p.config.ControlPlane == "" {
		made.settle()
		return made
	}
	time.AfterFunc(firstPolicyWait, made.settle)
	p.stop()
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go p.follow(ctx, &meshv1.WatchCallPoliciesRequest{
		Services: slices.Sorted(maps.Keys(p.of)), Caller: p.config.Service, Zone: p.config.Zone,
	})
	return made
}

// close ends the stream.
func (p *policies) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
}

// follow keeps a stream open, and opens it again whenever it ends.
func (p *policies) follow(ctx context.Context, request *meshv1.WatchCallPoliciesRequest) {
	for wait := firstStreamPause; ; wait = min(time.Duration(float64(wait)*streamPauseGrowth), longestStreamPause) {
		heard, err := p.watch(ctx, request)
		if heard {
			wait = firstStreamPause
		}
		p.settle(ctx, request.GetServices(), err)
		if !pause(ctx, time.Duration(float64(wait)*(0.8+0.4*rand.Float64()))) {
			return
		}
	}
}

// watch follows one stream to its end, and tells whether it said anything.
func (p *policies) watch(ctx context.Context, request *meshv1.WatchCallPoliciesRequest) (heard bool, _ error) {
	conn, err := grpc.NewClient(p.config.ControlPlane,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(keepStreamAlive))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	stream, err := meshv1.NewTrafficServiceClient(conn).WatchCallPolicies(ctx, request)
	if err != nil {
		return false, err
	}
	for {
		said, err := stream.Recv()
		if err != nil {
			return heard, err
		}
		heard = true
		p.take(ctx, said.GetChanged())
		p.settle(ctx, request.GetServices(), nil)
	}
}

// take does what was said, unless another stream says it by now.
func (p *policies) take(ctx context.Context, changed []*meshv1.CallPolicy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for _, said := range changed {
		known, ok := p.of[said.GetService()]
		if !ok {
			continue
		}
		if err := known.become(said, p.config.CarriesRetries); err != nil {
			p.log.Error("calls can't be treated as was said, and go on as before",
				"callee", said.GetService(), "error", err.Error())
		}
	}
}

// settle has no call wait any longer, and logs once that the stream is gone, or there again.
func (p *policies) settle(ctx context.Context, services []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for _, service := range services {
		p.of[service].settle()
	}
	if lost := err != nil; lost != p.lost {
		p.lost = lost
		if lost {
			p.log.Warn("the control plane doesn't say what is done to calls; asking again", "error", err.Error())
		} else {
			p.log.Info("the control plane says again what is done to calls")
		}
	}
}
