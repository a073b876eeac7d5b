// Caller calls ProbeService/Echo as often as it can when it is told to, and says how that went.
//
//	caller [-bare] TARGET
//
// With -bare it is grpc-go alone and TARGET any that gRPC knows; else the kit, and TARGET the name of a service. For
// each line "CALLS_AT_ONCE SECONDS" on standard input it answers one line of JSON on standard output. It lives as long
// as a client of a service does, so that what it holds and spends can be looked at from outside.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/xds" // makes xds:///name a target

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
	kit "github.com/gossamer-mesh/gossamer/kits/go"
)

const deadline = 5 * time.Second

var request = &probev1.EchoRequest{Payload: make([]byte, 64)}

// report is what standard output gets for each line.
type report struct {
	Calls   int     `json:"calls"` // only those that went well
	Failed  int     `json:"failed"`
	Failure string  `json:"failure"` // one of them
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
}

func main() {
	bare := flag.Bool("bare", false, "call without the kit")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: caller [-bare] TARGET")
	}
	open := openKit
	if *bare {
		open = openBare
	}
	conn, err := open(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	client := probev1.NewProbeServiceClient(conn)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var atOnce int
		var seconds float64
		if _, err := fmt.Sscan(lines.Text(), &atOnce, &seconds); err != nil {
			log.Fatalf("expected CALLS_AT_ONCE SECONDS, got %q: %v", lines.Text(), err)
		}
		found := measure(client, atOnce, time.Duration(seconds*float64(time.Second)))
		if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
			log.Fatal(err)
		}
	}
}

func openBare(target string) (grpc.ClientConnInterface, error) {
	return grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func openKit(target string) (grpc.ClientConnInterface, error) {
	config, err := kit.ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	k, err := kit.New(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return k.Client(target), nil
}

// measure keeps a number of calls going for a while.
func measure(client probev1.ProbeServiceClient, atOnce int, duration time.Duration) report {
	byWorker := make([][]time.Duration, atOnce)
	failures := make([][]error, atOnce)
	began := time.Now()
	var running sync.WaitGroup
	for worker := range atOnce {
		running.Go(func() {
			for start := time.Now(); start.Sub(began) < duration; start = time.Now() {
				if err := call(client); err != nil {
					failures[worker] = append(failures[worker], err)
					continue
				}
				byWorker[worker] = append(byWorker[worker], time.Since(start))
			}
		})
	}
	running.Wait()
	whole := time.Since(began)
	took := slices.Concat(byWorker...)
	slices.Sort(took)
	found := report{Calls: len(took), Seconds: whole.Seconds(), P50: quantile(took, .5), P99: quantile(took, .99)}
	if failed := slices.Concat(failures...); len(failed) > 0 {
		found.Failed, found.Failure = len(failed), failed[0].Error()
	}
	return found
}

func call(client probev1.ProbeServiceClient) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	_, err := client.Echo(ctx, request)
	return err
}

// quantile returns the milliseconds that a share of the sorted durations does not exceed; 0 for none.
func quantile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]) / float64(time.Millisecond)
}
