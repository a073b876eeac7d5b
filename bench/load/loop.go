package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// entry is one call in the ledger.
type entry struct {
	due, end time.Time
	status   string
	message  string // why it failed
	answerer string // the address that answered, if one did
}

// openLoop starts calls when they are due until ctx ends, and waits for the last one to end.
func openLoop(ctx context.Context, s settings, calls []call) []entry {
	count := int(s.rate * s.duration.Seconds())
	spacing := time.Duration(float64(time.Second) / s.rate)
	entries := make([]entry, count)
	began := time.Now()
	var running sync.WaitGroup
	started := 0
	for ; started < count; started++ {
		i, due := started, began.Add(time.Duration(started)*spacing)
		if !sleepUntil(ctx, due) {
			break
		}
		running.Go(func() { entries[i] = s.one(calls[i%len(calls)], due) })
	}
	running.Wait()
	return entries[:started]
}

// closedLoop keeps a number of calls going until ctx or the time ends, or as many as were asked for have been made.
func closedLoop(ctx context.Context, s settings, calls []call) []entry {
	ctx, cancel := context.WithTimeout(ctx, s.duration)
	defer cancel()
	byWorker := make([][]entry, s.workers)
	var running sync.WaitGroup
	var begun atomic.Int64
	for worker := range byWorker {
		running.Go(func() {
			for ctx.Err() == nil && (s.count == 0 || begun.Add(1) <= s.count) {
				byWorker[worker] = append(byWorker[worker], s.one(calls[worker%len(calls)], time.Now()))
			}
		})
	}
	running.Wait()
	var entries []entry
	for _, some := range byWorker {
		entries = append(entries, some...)
	}
	return entries
}

// one makes a call and notes how it went.
func (s settings) one(call call, due time.Time) entry {
	ctx, cancel := context.WithTimeout(context.Background(), s.deadline)
	defer cancel()
	var answerer peer.Peer
	err := call(ctx, grpc.Peer(&answerer))
	made := entry{due: due, end: time.Now(), status: status.Code(err).String()}
	if err != nil {
		made.message = status.Convert(err).Message()
	}
	if answerer.Addr != nil {
		made.answerer = answerer.Addr.String()
	}
	return made
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
