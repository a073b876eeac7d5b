// Command go is a client of tests: grpc-go with its xDS, and no kit.
//
// It reads commands from standard input and answers each on standard output, both JSON, one a line:
// tests/harness/client.py says what they are.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds"
	"google.golang.org/grpc/xds/csds"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// longestLine is more than any command takes.
const longestLine = 1 << 20

// request is a command, with the fields of all of them.
type request struct {
	Do       string      `json:"do"`
	Service  string      `json:"service"`
	Path     string      `json:"path"`
	Metadata [][2]string `json:"metadata"`
	Timeout  *float64    `json:"timeout"` // seconds; none: no deadline
	Count    int         `json:"count"`
	AtOnce   bool        `json:"at_once"`
	Every    float64     `json:"every"` // seconds
}

// answer is how one call went: who answered, the status as gRPC numbers it, the seconds it took.
type answer [3]any

// resource is something of the mesh's that gRPC holds.
type resource struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Version string `json:"version"`
}

type client struct {
	connections map[string]*grpc.ClientConn
	load        *load
}

func main() {
	program := &client{connections: map[string]*grpc.ClientConn{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		result, err := program.do(lines.Bytes())
		reply := map[string]any{"answer": result}
		if err != nil {
			reply = map[string]any{"error": err.Error()}
		}
		if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
			log.Fatal(err)
		}
	}
}

func (c *client) do(line []byte) (any, error) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	switch r.Do {
	case "call":
		return c.call(r)
	case "start_load":
		return nil, c.startLoad(r)
	case "stop_load":
		return c.load.stop(), nil
	case "close":
		connection := c.connections[r.Service]
		delete(c.connections, r.Service)
		return nil, connection.Close()
	case "config":
		return held()
	default:
		return nil, fmt.Errorf("unknown command %q", r.Do)
	}
}

func (c *client) call(r request) ([]answer, error) {
	connection, err := c.connection(r.Service)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, r.Count)
	var open sync.WaitGroup
	for i := range answers {
		if r.AtOnce {
			open.Go(func() { answers[i] = once(connection, r) })
		} else {
			answers[i] = once(connection, r)
		}
	}
	open.Wait()
	return answers, nil
}

// connection gives the one connection that there is to a service.
func (c *client) connection(service string) (*grpc.ClientConn, error) {
	if known, ok := c.connections[service]; ok {
		return known, nil
	}
	made, err := grpc.NewClient("xds:///"+service, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		c.connections[service] = made
	}
	return made, err
}

// once makes one call. Whatever the method is, it is taken for one that answers as Echo does.
func once(connection *grpc.ClientConn, r request) answer {
	ctx := context.Background()
	if r.Timeout != nil {
		timed, cancel := context.WithTimeout(ctx, seconds(*r.Timeout))
		defer cancel()
		ctx = timed
	}
	for _, pair := range r.Metadata {
		ctx = metadata.AppendToOutgoingContext(ctx, pair[0], pair[1])
	}
	var response probev1.EchoResponse
	began := time.Now()
	err := connection.Invoke(ctx, r.Path, &probev1.EchoRequest{}, &response)
	if err != nil {
		log.Print(err)
	}
	return answer{response.GetHop().GetInstance(), status.Code(err), time.Since(began).Seconds()}
}

// load is calls that are started steadily, whatever comes back.
type load struct {
	one     func() answer
	end     chan struct{}
	open    sync.WaitGroup
	mutex   sync.Mutex
	answers []answer
}

func (c *client) startLoad(r request) error {
	connection, err := c.connection(r.Service)
	if err != nil {
		return err
	}
	c.load = &load{one: func() answer { return once(connection, r) }, end: make(chan struct{})}
	c.load.open.Go(func() { c.load.run(seconds(r.Every)) })
	return nil
}

func (l *load) run(every time.Duration) {
	for due := time.Tick(every); ; {
		select {
		case <-l.end:
			return
		case <-due:
			l.open.Go(func() {
				answered := l.one()
				l.mutex.Lock()
				defer l.mutex.Unlock()
				l.answers = append(l.answers, answered)
			})
		}
	}
}

func (l *load) stop() []answer {
	close(l.end)
	l.open.Wait()
	return append(l.answers, l.one())
}

// held lists what the client itself says it holds (CSDS).
func held() ([]resource, error) {
	server, err := csds.NewClientStatusDiscoveryServer()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	found, err := server.FetchClientStatus(context.Background(), &statusv3.ClientStatusRequest{})
	if err != nil {
		return nil, err
	}
	var resources []resource
	for _, config := range found.GetConfig() {
		for _, one := range config.GetGenericXdsConfigs() {
			resources = append(resources,
				resource{one.GetTypeUrl(), one.GetName(), one.GetClientStatus().String(), one.GetVersionInfo()})
		}
	}
	return resources, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
