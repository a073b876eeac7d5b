// Load calls one method of one service at a steady rate, and keeps a ledger of every call.
//
// It is an open loop: calls start when they are due, however slow the answers are, and latency counts from when a call
// was due. With -closed it is a closed loop instead: each of -workers starts its next call when the last one ended, which
// finds the most that a server can do. It is made of grpc-go alone, not of the kit, so that it can judge the kit.
//
//	go run ./bench/load -target xds:///catalog -method shop.catalog.v1.CatalogService/GetProduct -json '{"id": "brass-desk-lamp"}'
//	go run ./bench/load -target 127.0.0.1:20000 -method ProbeService/Echo -closed -workers 64 -duration 5s
//
// The summary is one JSON object on standard output, also when SIGTERM ends the load early; -ledger also writes one JSON
// line for each call.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/xds" // makes xds:///name a target
)

// settings is what the command line says.
type settings struct {
	target, method   string
	json, contracts  string
	payload          int
	closed           bool
	rate             float64
	workers          int
	count            int64
	duration, warmup time.Duration
	deadline         time.Duration
	connections      int
	retries          bool
	ledger           string
}

func parseFlags() settings {
	var s settings
	flag.StringVar(&s.target, "target", "", "host:port or xds:///name")
	flag.StringVar(&s.method, "method", "ProbeService/Echo", "ProbeService/Echo, or package.Service/Method of a unary one")
	flag.StringVar(&s.json, "json", "{}", "the request of any method but ProbeService/Echo")
	flag.StringVar(&s.contracts, "contracts", "gen/contracts.binpb", "where such a method is found")
	flag.IntVar(&s.payload, "payload", 64, "bytes that Echo carries")
	flag.BoolVar(&s.closed, "closed", false, "closed loop: as many calls as -workers can")
	flag.Float64Var(&s.rate, "rate", 200, "open loop: calls a second")
	flag.IntVar(&s.workers, "workers", 32, "closed loop: calls at once")
	flag.Int64Var(&s.count, "count", 0, "closed loop: end after so many calls; 0: when the time is over")
	flag.DurationVar(&s.duration, "duration", 10*time.Second, "how long calls are started")
	flag.DurationVar(&s.warmup, "warmup", 0, "how long calls are made before, which count for nothing")
	flag.DurationVar(&s.deadline, "deadline", 5*time.Second, "of each call")
	flag.IntVar(&s.connections, "connections", 1, "channels that share the calls")
	flag.BoolVar(&s.retries, "retries", true, "follow the retry policy of the mesh")
	flag.StringVar(&s.ledger, "ledger", "", "file for one JSON line a call")
	flag.Parse()
	return s
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, parseFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.target == "" {
		return errors.New("-target is missing: expected host:port or xds:///name")
	}
	calls, closeAll, err := openCalls(s)
	if err != nil {
		return err
	}
	defer closeAll()
	loop := openLoop
	if s.closed {
		loop = closedLoop
	}
	var warmedUp int
	if s.warmup > 0 {
		warmup := s
		warmup.duration = s.warmup
		warmedUp = len(loop(ctx, warmup, calls))
	}
	began := time.Now()
	entries := loop(ctx, s, calls)
	if s.ledger != "" {
		if err := writeLedger(s.ledger, entries); err != nil {
			return err
		}
	}
	found := summarize(entries, time.Since(began))
	found.WarmupCalls = warmedUp
	return json.NewEncoder(os.Stdout).Encode(found)
}

// openCalls returns one way to call for each connection.
func openCalls(s settings) (calls []call, closeAll func(), err error) {
	method, err := findMethod(s)
	if err != nil {
		return nil, nil, err
	}
	var conns []*grpc.ClientConn
	closeAll = func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if !s.retries {
		options = append(options, grpc.WithDisableRetry())
	}
	for range s.connections {
		conn, err := grpc.NewClient(s.target, options...)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, conn)
		calls = append(calls, method(conn))
	}
	return calls, closeAll, nil
}
