package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"time"
)

// summary is what standard output gets. Latencies are in milliseconds and count from when a call was due.
type summary struct {
	Calls          int            `json:"calls"`
	OK             int            `json:"ok"`
	WarmupCalls    int            `json:"warmup_calls"` // made before, and counted nowhere else
	Failed         map[string]int `json:"failed"`       // by status
	Failures       []string       `json:"failures,omitempty"`
	AnsweredBy     map[string]int `json:"answered_by"` // by address
	Seconds        float64        `json:"seconds"`
	CallsPerSecond float64        `json:"calls_per_second"` // only those that went well
	P50            float64        `json:"p50_ms"`
	P90            float64        `json:"p90_ms"`
	P99            float64        `json:"p99_ms"`
	Max            float64        `json:"max_ms"`
}

// shownFailures is how many different messages of failures the summary holds.
const shownFailures = 5

func summarize(entries []entry, took time.Duration) summary {
	s := summary{Calls: len(entries), Failed: map[string]int{}, AnsweredBy: map[string]int{}, Seconds: took.Seconds()}
	latencies := make([]float64, 0, len(entries))
	for _, one := range entries {
		latencies = append(latencies, milliseconds(one.end.Sub(one.due)))
		if one.answerer != "" {
			s.AnsweredBy[one.answerer]++
		}
		if one.status == "OK" {
			s.OK++
			continue
		}
		s.Failed[one.status]++
		if len(s.Failures) < shownFailures && !slices.Contains(s.Failures, one.message) {
			s.Failures = append(s.Failures, one.message)
		}
	}
	slices.Sort(latencies)
	s.CallsPerSecond = float64(s.OK) / took.Seconds()
	s.P50, s.P90, s.P99, s.Max = quantile(latencies, .5), quantile(latencies, .9), quantile(latencies, .99), quantile(latencies, 1)
	return s
}

// quantile returns the value that a share of the sorted values does not exceed; 0 for none.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// writeLedger writes one line for each call, in the order in which they were due.
func writeLedger(path string, entries []entry) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriter(file)
	lines := json.NewEncoder(buffered)
	slices.SortFunc(entries, func(a, b entry) int { return a.due.Compare(b.due) })
	for _, one := range entries {
		err := lines.Encode(map[string]any{
			"due": one.due.UTC(), "end": one.end.UTC(), "status": one.status, "message": one.message,
			"answered_by": one.answerer,
		})
		if err != nil {
			return err
		}
	}
	return buffered.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
