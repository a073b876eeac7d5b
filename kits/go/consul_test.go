package kit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"
)

// fakeAgent is as much of a Consul agent as a kit uses. tests/conformance uses the real one.
type fakeAgent struct {
	*httptest.Server
	mu      sync.Mutex
	entries map[string]api.AgentServiceRegistration
	paused  map[string]bool
}

func newFakeAgent(t *testing.T) *fakeAgent {
	agent := &fakeAgent{}
	agent.forget()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/agent/service/register", func(w http.ResponseWriter, r *http.Request) {
		var entry api.AgentServiceRegistration
		if err := json.NewDecoder(r.Body).Decode(&entry); err != nil {
			t.Error(err)
		}
		agent.entries[entry.ID] = entry
	})
	mux.HandleFunc("GET /v1/agent/service/{id}", func(w http.ResponseWriter, r *http.Request) {
		if entry, ok := agent.entries[r.PathValue("id")]; ok {
			_ = json.NewEncoder(w).Encode(api.AgentService{ID: entry.ID})
			return
		}
		http.Error(w, "unknown service ID", http.StatusNotFound)
	})
	mux.HandleFunc("PUT /v1/agent/service/maintenance/{id}", func(w http.ResponseWriter, r *http.Request) {
		agent.paused[r.PathValue("id")] = r.URL.Query().Get("enable") == "true"
	})
	mux.HandleFunc("PUT /v1/agent/service/deregister/{id}", func(w http.ResponseWriter, r *http.Request) {
		delete(agent.entries, r.PathValue("id"))
	})
	agent.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent.mu.Lock()
		defer agent.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(agent.Server.Close)
	return agent
}

// forget makes the agent what it is after a restart without its data.
func (a *fakeAgent) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries, a.paused = map[string]api.AgentServiceRegistration{}, map[string]bool{}
}

func (a *fakeAgent) entry(id string) (entry api.AgentServiceRegistration, known, paused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	entry, known = a.entries[id]
	return entry, known, a.paused[id]
}

// joined serves an instance that has joined an agent.
func joined(t *testing.T, agent *fakeAgent) *instance {
	t.Helper()
	probe := serve(t, scripted{}, func(config *Config) { config.Consul = agent.URL })
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	if err := probe.Join(ctx); err != nil {
		t.Fatal(err)
	}
	return probe
}

func TestJoinTellsConsulAboutTheInstance(t *testing.T) {
	agent := newFakeAgent(t)
	probe := joined(t, agent)
	entry, _, _ := agent.entry("probe-1")
	address := probe.address
	if entry.Name != "probe" || entry.Address != address.Addr().String() || entry.Port != int(address.Port()) {
		t.Errorf("got %+v", entry)
	}
	for key, want := range map[string]string{
		"version": "v1", "zone": "local", "language": "go", "contracts": "gossamer.probe.v1.ProbeService",
	} {
		if entry.Meta[key] != want {
			t.Errorf("meta %s is %q, want %q", key, entry.Meta[key], want)
		}
	}
	check := entry.Check
	if check.GRPC != address.String() || check.Interval != "1s" || check.DeregisterCriticalServiceAfter != "1m" {
		t.Errorf("got %+v", check)
	}
}

func TestALostEntryIsRegisteredAgain(t *testing.T) {
	agent := newFakeAgent(t)
	joined(t, agent)
	agent.forget()
	eventually(t, "the entry", func() bool { _, known, _ := agent.entry("probe-1"); return known })
}

func TestADrainLeavesConsulByWayOfMaintenance(t *testing.T) {
	agent := newFakeAgent(t)
	probe := joined(t, agent)
	ended := make(chan error, 1)
	go func() { ended <- probe.Wait(stopped(t.Context())) }()
	eventually(t, "maintenance", func() bool { _, known, paused := agent.entry("probe-1"); return known && paused })
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, known, _ := agent.entry("probe-1"); known {
		t.Error("the entry is still there")
	}
}

func TestJoinWaitsForConsulUntilTold(t *testing.T) {
	agent := newFakeAgent(t)
	agent.Server.Close()
	probe := serve(t, scripted{}, func(config *Config) { config.Consul = agent.URL })
	if err := probe.Join(stopped(t.Context())); err != nil {
		t.Error(err)
	}
	eventually(t, "a warning", func() bool { return strings.Contains(probe.logs.String(), "cannot register in Consul") })
}

// contains tells whether a text has all parts.
func contains(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
