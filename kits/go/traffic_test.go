package kit

import (
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	meshv1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/mesh/v1"
)

// traffic is a control plane that says of calls to the service "probe" what a test wants it to.
type traffic struct {
	meshv1.UnimplementedTrafficServiceServer
	address string
	asked   chan *meshv1.WatchCallPoliciesRequest

	mu      sync.Mutex
	server  *grpc.Server
	said    *meshv1.CallPolicy // nil: nothing yet
	changed chan struct{}
}

// newTraffic starts one that says nothing until it is told to.
func newTraffic(t *testing.T) *traffic {
	t.Helper()
	made := &traffic{changed: make(chan struct{}), asked: make(chan *meshv1.WatchCallPoliciesRequest, 100)}
	made.start(t, "127.0.0.1:0")
	t.Cleanup(made.stop)
	return made
}

func (c *traffic) start(t *testing.T, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.address, c.server = listener.Addr().String(), grpc.NewServer()
	meshv1.RegisterTrafficServiceServer(c.server, c)
	go func(server *grpc.Server) { _ = server.Serve(listener) }(c.server)
}

func (c *traffic) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server.Stop()
}

// say takes a policy in JSON, without the service.
func (c *traffic) say(t *testing.T, policy string) {
	t.Helper()
	said := &meshv1.CallPolicy{}
	if err := protojson.Unmarshal([]byte(policy), said); err != nil {
		t.Fatal(err)
	}
	said.Service = "probe"
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = said
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *traffic) WatchCallPolicies(request *meshv1.WatchCallPoliciesRequest,
	stream grpc.ServerStreamingServer[meshv1.WatchCallPoliciesResponse]) error {
	c.asked <- request
	for {
		c.mu.Lock()
		said, changed := c.said, c.changed
		c.mu.Unlock()
		if said != nil {
			if err := stream.Send(&meshv1.WatchCallPoliciesResponse{Changed: []*meshv1.CallPolicy{said}}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// follows has an instance follow a control plane, whose word on retries counts.
func follows(c *traffic) func(*Config) {
	return func(config *Config) { config.ControlPlane, config.CarriesRetries = c.address, true }
}
