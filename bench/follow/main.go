// Command follow calls a service by its name in the mesh, steadily, and notes when each instance answered.
//
//	follow SERVICE INTERVAL
//
// It is a plain gRPC client that knows xDS, no kit. A line of any kind on standard input makes it answer one line of
// JSON on standard output: for each instance that answered since the last one, the wall clock in nanoseconds of the
// first answer's end and of the last answered call's start; and how many calls failed.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/xds"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

const deadline = 5 * time.Second

// Seen is when an instance answered.
type Seen struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// Report is what was seen since the last report.
type Report struct {
	Instances map[string]Seen `json:"instances"`
	Failures  int             `json:"failures"`
}

// Notes collects what calls saw.
type Notes struct {
	mutex  sync.Mutex
	report Report
}

func (n *Notes) answered(instance string, began, ended time.Time) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	seen, known := n.report.Instances[instance]
	if !known {
		seen.First = ended.UnixNano()
	}
	seen.Last = max(seen.Last, began.UnixNano())
	n.report.Instances[instance] = seen
}

func (n *Notes) failed() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.report.Failures++
}

func (n *Notes) take() Report {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	taken := n.report
	n.report = Report{Instances: map[string]Seen{}}
	return taken
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: follow SERVICE INTERVAL")
	}
	interval, err := time.ParseDuration(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient("xds:///"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	notes := &Notes{}
	notes.take()
	go callSteadily(probev1.NewProbeServiceClient(connection), interval, notes)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := json.NewEncoder(os.Stdout).Encode(notes.take()); err != nil {
			log.Fatal(err)
		}
	}
}

func callSteadily(probe probev1.ProbeServiceClient, interval time.Duration, notes *Notes) {
	for range time.Tick(interval) {
		go call(probe, notes)
	}
}

func call(probe probev1.ProbeServiceClient, notes *Notes) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	began := time.Now()
	answer, err := probe.Echo(ctx, &probev1.EchoRequest{})
	if err != nil {
		notes.failed()
		return
	}
	notes.answered(answer.GetHop().GetInstance(), began, time.Now())
}
