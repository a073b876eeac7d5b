package kit

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	xdsbootstrap "google.golang.org/grpc/xds/bootstrap"
)

// Of a control plane that is away, the first stream says so at once; the next one waits until it is back.
func TestControlPlaneIsWaitedForOnceItIsKnownToBeAway(t *testing.T) {
	bundle, _, err := xdsbootstrap.GetChannelCredentials("insecure").Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	away := newAway(t, append(bundle.(comebackBundle).DialOptions(), grpc.WithCredentialsBundle(bundle))...)
	if code := away.open(); code != codes.Unavailable {
		t.Fatalf("the first stream got %v, expected Unavailable", code)
	}
	opened := make(chan codes.Code, 1)
	go func() { opened <- away.open() }()
	select {
	case code := <-opened:
		t.Fatalf("the second stream got %v before anybody listened", code)
	case <-time.After(time.Second):
	}
	away.comeBack()
	select {
	case code := <-opened:
		if code != codes.OK {
			t.Fatalf("the second stream got %v", code)
		}
	case <-time.After(2 * longestComeback):
		t.Fatal("the second stream still waits")
	}
}

// Control: by itself, grpc-go has every stream fail, and the one that looks again waits longer each time.
func TestControlWithoutOptionsEveryStreamFails(t *testing.T) {
	away := newAway(t, grpc.WithTransportCredentials(insecure.NewCredentials()))
	for range 2 {
		if code := away.open(); code != codes.Unavailable {
			t.Fatalf("a stream got %v, expected Unavailable", code)
		}
	}
}

// away is a server that is not there yet, and a connection to it.
type away struct {
	t       *testing.T
	address string
	conn    *grpc.ClientConn
}

func newAway(t *testing.T, options ...grpc.DialOption) *away {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &away{t, address, conn}
}

// open opens a stream, and returns how that went.
func (a *away) open() codes.Code {
	ctx, cancel := context.WithTimeout(a.t.Context(), 20*time.Second)
	defer cancel()
	stream, err := healthv1.NewHealthClient(a.conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	return status.Code(err)
}

func (a *away) comeBack() {
	a.t.Helper()
	listener, err := net.Listen("tcp", a.address)
	if err != nil {
		a.t.Fatal(err)
	}
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, alwaysServing{})
	go func() { _ = server.Serve(listener) }()
	a.t.Cleanup(server.Stop)
}

type alwaysServing struct {
	healthv1.UnimplementedHealthServer
}

func (alwaysServing) Watch(_ *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	return stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING})
}
