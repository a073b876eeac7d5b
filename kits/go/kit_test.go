package kit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// patienceOfTests is how long a test waits for what has to happen.
const patienceOfTests = 10 * time.Second

// scripted serves the probe's contract by what a test gives it; what is not given answers plainly.
type scripted struct {
	probev1.UnimplementedProbeServiceServer
	echo func(context.Context) error
}

func (s scripted) Echo(ctx context.Context, request *probev1.EchoRequest) (*probev1.EchoResponse, error) {
	if s.echo != nil {
		if err := s.echo(ctx); err != nil {
			return nil, err
		}
	}
	return &probev1.EchoResponse{Payload: request.GetPayload()}, nil
}

// Count counts until its caller goes away.
func (s scripted) Count(request *probev1.CountRequest, stream grpc.ServerStreamingServer[probev1.CountResponse]) error {
	for number := range request.GetTo() {
		if err := stream.Send(&probev1.CountResponse{Number: number + 1}); err != nil {
			return err
		}
	}
	return nil
}

func (s scripted) Sum(stream grpc.ClientStreamingServer[probev1.SumRequest, probev1.SumResponse]) error {
	response := &probev1.SumResponse{}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(response)
		}
		if err != nil {
			return err
		}
		response.Sum += int64(request.GetNumber())
	}
}

func (s scripted) Chat(stream grpc.BidiStreamingServer[probev1.ChatRequest, probev1.ChatResponse]) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&probev1.ChatResponse{Text: request.GetText()}); err != nil {
			return err
		}
	}
}

// instance is a kit that serves on loopback and calls itself under the name "probe".
type instance struct {
	*Kit
	calls probev1.ProbeServiceClient
	spans *tracetest.InMemoryExporter
	logs  *lines
}

// serve starts an instance that has joined nothing yet. It ends with the test.
func serve(t *testing.T, service probev1.ProbeServiceServer, changes ...func(*Config)) *instance {
	t.Helper()
	config := Config{
		Service: "probe", Instance: "probe-1", Version: "v1", Zone: "local", Listen: "127.0.0.1:0",
		Deadline: patienceOfTests, Drain: patienceOfTests, Discovery: Discovery{Static: map[string][]string{}},
	}
	for _, change := range changes {
		change(&config)
	}
	made := assemble(t, config)
	probev1.RegisterProbeServiceServer(made.Server(), service)
	if err := made.Serve(); err != nil {
		t.Fatal(err)
	}
	config.Discovery.Static["probe"] = []string{made.address.String()}
	made.calls = probev1.NewProbeServiceClient(made.Client("probe"))
	return made
}

// assemble makes an instance that does not serve yet.
func assemble(t *testing.T, config Config) *instance {
	t.Helper()
	made := &instance{spans: tracetest.NewInMemoryExporter(), logs: &lines{}}
	recorded := &telemetry{
		tracers:  sdktrace.NewTracerProvider(sdktrace.WithSyncer(made.spans)),
		incoming: newServerDurations(),
		outgoing: newClientDurations(),
	}
	var err error
	made.Kit, err = newKit(config, recorded, newLogger(made.logs, config), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patienceOfTests); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patienceOfTests)
		}
	}
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}
