// Command streams holds many xDS streams and notes when each of them was told of an instance.
//
//	streams -address 127.0.0.1:18000 -clients 100 -name catalog -consul http://127.0.0.1:8500
//	streams -address 127.0.0.1:8502 -clients 100 -name catalog -consul http://127.0.0.1:8500 -envoy caller-proxy-
//
// Each stream has a connection of its own and follows the names as a gRPC client does, or, with -envoy, everything that
// Consul has for the proxy whose id is that text and the number of the client. The services are watched in Consul
// besides, with blocking queries, so that both are told by one clock.
//
// The port of an instance is its version: it only ever grows, and one who has a port has all that were before it. A line
// HOST:PORT on standard input is answered with one of JSON, once every stream was told of that instance: see Report.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const deadline = 60 * time.Second

func main() {
	address := flag.String("address", "", "host:port of the control plane")
	clients := flag.Int("clients", 1, "how many streams")
	names := flag.String("name", "", "the services that each follows, with commas between")
	consul := flag.String("consul", "", "URL of the Consul agent; none: nothing is watched there")
	envoy := flag.String("envoy", "", "be Envoy: how the ids of the proxies begin")
	flag.Parse()
	log.SetFlags(0)

	ctx := context.Background()
	services := strings.Split(*names, ",")
	ledger := newLedger(*clients, *consul != "")
	if *consul != "" {
		for _, service := range services {
			go watch(ctx, *consul, service, ledger)
		}
	}
	for number := range *clients {
		connection, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			held := ledger.client()
			if *envoy != "" {
				err = followAsEnvoy(ctx, connection, fmt.Sprint(*envoy, number), held.take)
			} else {
				err = follow(ctx, connection, fmt.Sprintf("bench/caller/%d", number), services, held.take)
			}
			log.Fatalf("stream %d ended: %v", number, err)
		}()
	}
	answer(ledger)
}

// answer says what is asked on standard input.
func answer(ledger *ledger) {
	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		host, text, err := net.SplitHostPort(lines.Text())
		port, wrong := strconv.ParseUint(text, 10, 16)
		if err != nil || wrong != nil {
			log.Fatalf("expected HOST:PORT, found %q", lines.Text())
		}
		report, err := ledger.wait(version{host, uint32(port)}, deadline)
		if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(report); err != nil {
			log.Fatal(err)
		}
	}
}
