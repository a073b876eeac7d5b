package kit

// This file owns the instance's entry in Consul: it is there while the instance serves, also when Consul comes late or
// restarts empty, in maintenance while it drains, and gone afterwards.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	consulTimeout  = 2 * time.Second
	consulInterval = time.Second // between two looks at the entry; kit.md wants a lost one back within 5 s
)

// membership is the instance's entry in Consul.
type membership struct {
	agent      *api.Agent
	entry      *api.AgentServiceRegistration
	log        *slog.Logger
	registered chan struct{} // closed once the entry was there for the first time
	stop       context.CancelFunc
	ended      chan struct{}
}

func newMembership(config Config, address netip.AddrPort, contracts []string, log *slog.Logger) (*membership, error) {
	settings := api.DefaultConfig()
	settings.Address, settings.Token = config.Consul, config.ConsulToken
	client, err := api.NewClient(settings)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s (CONSUL_HTTP_ADDR): %w", config.Consul, err)
	}
	return &membership{
		agent: client.Agent(), entry: newEntry(config, address, contracts), log: log,
		registered: make(chan struct{}), ended: make(chan struct{}),
	}, nil
}

// newEntry is what Consul is told about an instance.
func newEntry(config Config, address netip.AddrPort, contracts []string) *api.AgentServiceRegistration {
	return &api.AgentServiceRegistration{
		ID:      config.Instance,
		Name:    config.Service,
		Address: address.Addr().String(),
		Port:    int(address.Port()),
		Meta: map[string]string{
			"version":   config.Version,
			"zone":      config.Zone,
			"language":  "go",
			"contracts": strings.Join(contracts, ","),
		},
		Check: &api.AgentServiceCheck{
			GRPC:                           address.String(),
			Interval:                       "1s",
			Timeout:                        "3s",              // a machine that is busy for a moment must not take every instance out
			Status:                         api.HealthPassing, // it says SERVING before it is registered
			DeregisterCriticalServiceAfter: "1m",
		},
	}
}

// join registers the instance, and from then on again whenever Consul has lost it. It returns once the instance is
// registered, however long Consul takes to come, or when ctx is done.
func (m *membership) join(ctx context.Context) {
	running, stop := context.WithCancel(context.Background())
	m.stop = stop
	go m.keep(running)
	select {
	case <-m.registered:
	case <-ctx.Done():
	}
}

// keep registers now, and looks after the entry every second.
func (m *membership) keep(ctx context.Context) {
	defer close(m.ended)
	tick := time.NewTicker(consulInterval)
	defer tick.Stop()
	registered := sync.OnceFunc(func() { close(m.registered) })
	look, away := m.register, false // whatever an earlier process left under this id is replaced
	for {
		err := within(ctx, consulTimeout, look)
		switch {
		case err == nil:
			registered()
			look = m.registerIfLost
		case !away && ctx.Err() == nil:
			m.log.Warn("cannot register in Consul, trying again every second", "error", err.Error())
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stopKeeping ends looking after the entry, and tells whether there is one.
func (m *membership) stopKeeping() bool {
	m.stop()
	<-m.ended
	select {
	case <-m.registered:
		return true
	default:
		return false
	}
}

func (m *membership) register(ctx context.Context) error {
	options := api.ServiceRegisterOpts{ReplaceExistingChecks: true}.WithContext(ctx)
	if err := m.agent.ServiceRegisterOpts(m.entry, options); err != nil {
		return err
	}
	m.log.Info("registered in Consul", "address", m.entry.Check.GRPC)
	return nil
}

func (m *membership) registerIfLost(ctx context.Context) error {
	_, _, err := m.agent.Service(m.entry.ID, query(ctx))
	if isUnknown(err) {
		return m.register(ctx)
	}
	return err
}

// pause puts the instance into maintenance, which takes it out of every assignment at once.
func (m *membership) pause(ctx context.Context) error {
	return within(ctx, consulTimeout, func(ctx context.Context) error {
		return m.agent.EnableServiceMaintenanceOpts(m.entry.ID, "draining", query(ctx))
	})
}

// leave removes the entry, if there is one.
func (m *membership) leave(ctx context.Context) error {
	m.stopKeeping()
	return within(ctx, consulTimeout, func(ctx context.Context) error {
		if err := m.agent.ServiceDeregisterOpts(m.entry.ID, query(ctx)); !isUnknown(err) {
			return err
		}
		return nil
	})
}

// isUnknown tells that Consul answered, and does not know the instance.
func isUnknown(err error) bool {
	var answer api.StatusError
	return errors.As(err, &answer) && answer.Code == http.StatusNotFound
}

func query(ctx context.Context) *api.QueryOptions { return new(api.QueryOptions).WithContext(ctx) }

// within runs do with a limit of its own.
func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}
