package kit

// This file owns the histograms of how long calls take: rpc.server.call.duration and rpc.client.call.duration. To count
// a call takes two atomic additions. OpenTelemetry's own instrument finds the series anew with every call, which costs
// a small call about as much as its span does; it still collects and sends what is counted here.

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/semconv/v1.43.0/rpcconv"
)

// bounds are the upper bounds of the buckets in seconds, as the conventions advise; a last bucket has none.
var bounds = [...]float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// durations is one histogram.
type durations struct {
	name, unit, description string
	started                 time.Time

	mu  sync.Mutex
	all map[attribute.Distinct]*series
}

func newServerDurations() *durations {
	var convention rpcconv.ServerCallDuration
	return newDurations(convention.Name(), convention.Unit(), convention.Description())
}

func newClientDurations() *durations {
	var convention rpcconv.ClientCallDuration
	return newDurations(convention.Name(), convention.Unit(), convention.Description())
}

func newDurations(name, unit, description string) *durations {
	return &durations{
		name: name, unit: unit, description: description, started: time.Now(), all: map[attribute.Distinct]*series{},
	}
}

// series counts the calls that have all attributes in common.
type series struct {
	attributes attribute.Set
	counts     [len(bounds) + 1]atomic.Uint64
	total      atomic.Int64 // nanoseconds
}

// series returns what counts the calls with these attributes.
func (d *durations) series(attributes ...attribute.KeyValue) *series {
	set := attribute.NewSet(attributes...)
	d.mu.Lock()
	defer d.mu.Unlock()
	known, ok := d.all[set.Equivalent()]
	if !ok {
		known = &series{attributes: set}
		d.all[set.Equivalent()] = known
	}
	return known
}

// record counts one call.
func (s *series) record(took time.Duration) {
	bucket, _ := slices.BinarySearch(bounds[:], took.Seconds())
	s.counts[bucket].Add(1)
	s.total.Add(int64(took))
}

// collect returns what was counted since the start.
func (d *durations) collect(now time.Time) metricdata.Metrics {
	d.mu.Lock()
	defer d.mu.Unlock()
	points := make([]metricdata.HistogramDataPoint[float64], 0, len(d.all))
	for _, one := range d.all {
		points = append(points, one.point(d.started, now))
	}
	return metricdata.Metrics{
		Name: d.name, Unit: d.unit, Description: d.description,
		Data: metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality, DataPoints: points},
	}
}

func (s *series) point(started, now time.Time) metricdata.HistogramDataPoint[float64] {
	point := metricdata.HistogramDataPoint[float64]{
		Attributes: s.attributes, StartTime: started, Time: now, Bounds: bounds[:],
		BucketCounts: make([]uint64, len(s.counts)), Sum: time.Duration(s.total.Load()).Seconds(),
	}
	for i := range s.counts {
		point.BucketCounts[i] = s.counts[i].Load()
		point.Count += point.BucketCounts[i]
	}
	return point
}

// producer gives histograms to OpenTelemetry's reader.
type producer []*durations

// Produce is called by the reader for every report.
func (p producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	now, found := time.Now(), make([]metricdata.Metrics, 0, len(p))
	for _, one := range p {
		found = append(found, one.collect(now))
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: found}}, nil
}
