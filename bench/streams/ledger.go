package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// version is an instance with one of its ports.
type version struct {
	host string
	port uint32
}

// Report is when an instance was known, by the wall clock in nanoseconds.
type Report struct {
	Answered  int64 `json:"answered"`  // by Consul
	First     int64 `json:"first"`     // by the first stream
	Median    int64 `json:"median"`    // by half of them
	Last      int64 `json:"last"`      // by all
	Responses int64 `json:"responses"` // assignments that came since the report before
}

// ledger is who was told of what, and when.
type ledger struct {
	clients   int
	watched   bool // in Consul as well
	mutex     sync.Mutex
	changed   *sync.Cond
	answered  map[version]int64
	told      map[version][]int64
	consul    map[string]uint32
	responses int64
}

func newLedger(clients int, watched bool) *ledger {
	l := &ledger{
		clients: clients, watched: watched, answered: map[version]int64{}, told: map[version][]int64{},
		consul: map[string]uint32{},
	}
	l.changed = sync.NewCond(&l.mutex)
	return l
}

// since lists the versions that are new to one who had the latest of some, and notes that it has this one.
func since(latest map[string]uint32, host string, port uint32) []version {
	before, known := latest[host]
	if !known {
		before = port - 1
	}
	var found []version
	for each := before + 1; each <= port; each++ {
		found = append(found, version{host, each})
	}
	latest[host] = max(port, before)
	return found
}

// answers notes what Consul answered.
func (l *ledger) answers(host string, port uint32, moment int64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, each := range since(l.consul, host, port) {
		l.answered[each] = moment
	}
	l.changed.Broadcast()
}

// holder is what one stream was told of.
type holder struct {
	ledger *ledger
	latest map[string]uint32
}

func (l *ledger) client() *holder { return &holder{ledger: l, latest: map[string]uint32{}} }

// take notes an assignment.
func (h *holder) take(assignment *endpointv3.ClusterLoadAssignment) {
	moment := time.Now().UnixNano()
	var found []version
	for _, locality := range assignment.GetEndpoints() {
		for _, endpoint := range locality.GetLbEndpoints() {
			address := endpoint.GetEndpoint().GetAddress().GetSocketAddress()
			found = append(found, since(h.latest, address.GetAddress(), address.GetPortValue())...)
		}
	}
	l := h.ledger
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.responses++
	for _, each := range found {
		l.told[each] = append(l.told[each], moment)
		if len(l.told[each]) == l.clients {
			l.changed.Broadcast()
		}
	}
}

// wait gives the report of a version, once Consul has answered it and everyone was told.
func (l *ledger) wait(of version, deadline time.Duration) (Report, error) {
	timer := time.AfterFunc(deadline, l.changed.Broadcast)
	defer timer.Stop()
	end := time.Now().Add(deadline)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for len(l.told[of]) < l.clients || l.watched && l.answered[of] == 0 {
		if time.Now().After(end) {
			return Report{}, fmt.Errorf("%d of %d streams were told of %v within %v", len(l.told[of]), l.clients, of, deadline)
		}
		l.changed.Wait()
	}
	moments := slices.Sorted(slices.Values(l.told[of]))
	report := Report{l.answered[of], moments[0], moments[len(moments)/2], moments[len(moments)-1], l.responses}
	l.responses = 0
	delete(l.told, of)
	delete(l.answered, of)
	return report, nil
}
