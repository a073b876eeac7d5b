// The probe program of the Go kit: gossamer.probe.v1.ProbeService, written with the kit and nothing else, so that
// tests/conformance can watch the kit from outside. PROBE_JOIN_AFTER, in seconds, is how long it serves before it joins.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
	kit "github.com/gossamer-mesh/gossamer/kits/go"
)

func main() { kit.Main(run) }

func run(ctx context.Context) error {
	config, err := kit.ConfigFromEnv()
	if err != nil {
		return err
	}
	k, err := kit.New(ctx, config)
	if err != nil {
		return err
	}
	defer k.Close()
	probev1.RegisterProbeServiceServer(k.Server(), &probe{config: config, client: k.Client})
	if err := k.Serve(); err != nil {
		return err
	}
	later, _ := strconv.Atoi(os.Getenv("PROBE_JOIN_AFTER"))
	time.Sleep(time.Duration(later) * time.Second)
	if err := k.Join(ctx); err != nil {
		return err
	}
	return k.Wait(ctx)
}

// probe serves the contract. What each method has to do is said there.
type probe struct {
	probev1.UnimplementedProbeServiceServer
	config kit.Config
	client func(service string) grpc.ClientConnInterface

	fails atomic.Int64
	waits sync.Map // key -> *waits
}

// waits counts the waits of a key.
type waits struct{ waiting, cancelled atomic.Int32 }

func (p *probe) Echo(ctx context.Context, request *probev1.EchoRequest) (*probev1.EchoResponse, error) {
	return &probev1.EchoResponse{
		Payload: request.GetPayload(),
		Padding: make([]byte, request.GetResponsePadding()),
		Hop:     p.hop(ctx),
	}, nil
}

func (p *probe) Relay(ctx context.Context, request *probev1.RelayRequest) (*probev1.RelayResponse, error) {
	response := &probev1.RelayResponse{Hops: []*probev1.Hop{p.hop(ctx)}}
	services := request.GetServices()
	if len(services) == 0 {
		return response, p.wait(ctx, &probev1.WaitRequest{Duration: request.GetLastWait(), Key: "relay"})
	}
	next := probev1.NewProbeServiceClient(p.client(services[0]))
	rest, err := next.Relay(ctx, &probev1.RelayRequest{Services: services[1:], LastWait: request.GetLastWait()})
	if err != nil {
		return nil, err
	}
	response.Hops = append(response.Hops, rest.GetHops()...)
	return response, nil
}

func (p *probe) Wait(ctx context.Context, request *probev1.WaitRequest) (*probev1.WaitResponse, error) {
	others := p.waitsOf(request.GetKey())
	response := &probev1.WaitResponse{Cancelled: others.cancelled.Load(), Waiting: others.waiting.Load(), Hop: p.hop(ctx)}
	if err := p.wait(ctx, request); err != nil {
		return nil, err
	}
	return response, nil
}

func (p *probe) Call(ctx context.Context, request *probev1.CallRequest) (*probev1.CallResponse, error) {
	if err := p.wait(ctx, request.GetFirst()); err != nil {
		return nil, err
	}
	callee := probev1.NewProbeServiceClient(p.client(request.GetService()))
	response := &probev1.CallResponse{}
	switch request.GetMethod() {
	case probev1.CallMethod_CALL_METHOD_ECHO:
		answer, err := callee.Echo(ctx, &probev1.EchoRequest{})
		response.Hop = answer.GetHop()
		return response, err
	case probev1.CallMethod_CALL_METHOD_WAIT:
		answer, err := callee.Wait(ctx, request.GetWait())
		response.Hop = answer.GetHop()
		return response, err
	case probev1.CallMethod_CALL_METHOD_FAIL:
		_, err := callee.Fail(ctx, &probev1.FailRequest{Mode: probev1.FailMode_FAIL_MODE_DOMAIN})
		response.Failure = failure(err)
		return response, nil
	case probev1.CallMethod_CALL_METHOD_REFUSED:
		_, err := callee.Fail(ctx, &probev1.FailRequest{Code: 99})
		response.Failure = failure(err)
		return response, nil
	case probev1.CallMethod_CALL_METHOD_COUNT:
		return response, count(ctx, callee, request.GetAbandon())
	case probev1.CallMethod_CALL_METHOD_SUM:
		return response, sum(ctx, callee, request.GetAbandon())
	default:
		return response, chat(ctx, callee, request.GetAbandon())
	}
}

// failure is what can be read of a call that failed.
func failure(err error) *probev1.CallFailure {
	said := status.Convert(err)
	read := &probev1.CallFailure{Code: int32(said.Code()), Message: said.Message()}
	for _, detail := range said.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			read.Reason, read.Domain = detail.GetReason(), detail.GetDomain()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				read.Fields = append(read.Fields, violation.GetField())
			}
		}
	}
	return read
}

func (p *probe) Fail(ctx context.Context, request *probev1.FailRequest) (*probev1.FailResponse, error) {
	nth := p.fails.Add(1)
	every := max(int64(request.GetEvery()), 1)
	elsewhere := request.GetOnlyInstance() != "" && request.GetOnlyInstance() != p.config.Instance
	if nth%every != 0 || elsewhere {
		return &probev1.FailResponse{Hop: p.hop(ctx)}, nil
	}
	switch request.GetMode() {
	case probev1.FailMode_FAIL_MODE_STATUS:
		if code := codes.Code(request.GetCode()); code != codes.OK {
			return nil, status.Error(code, "as told")
		}
	case probev1.FailMode_FAIL_MODE_DOMAIN:
		return nil, kit.NewError(codes.NotFound, "PROBE_NOT_FOUND", "nothing to find here")
	case probev1.FailMode_FAIL_MODE_UNEXPECTED:
		return nil, fmt.Errorf("reading the secret: %w", errors.New("nobody must see this"))
	case probev1.FailMode_FAIL_MODE_PANIC:
		panic("secret: nobody must see this")
	}
	return &probev1.FailResponse{Hop: p.hop(ctx)}, nil
}

func (p *probe) Count(request *probev1.CountRequest, stream grpc.ServerStreamingServer[probev1.CountResponse]) error {
	for number := int32(1); number <= request.GetTo(); number++ {
		if number > 1 {
			pause := &probev1.WaitRequest{Duration: request.GetInterval(), Key: "count"}
			if err := p.wait(stream.Context(), pause); err != nil {
				return err
			}
		}
		if err := stream.Send(&probev1.CountResponse{Number: number}); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) Sum(stream grpc.ClientStreamingServer[probev1.SumRequest, probev1.SumResponse]) error {
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
		response.Count++
	}
}

func (p *probe) Chat(stream grpc.BidiStreamingServer[probev1.ChatRequest, probev1.ChatResponse]) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&probev1.ChatResponse{Text: request.GetText(), Instance: p.config.Instance}); err != nil {
			return err
		}
	}
}

// hop is what this instance saw of a call.
func (p *probe) hop(ctx context.Context) *probev1.Hop {
	hop := &probev1.Hop{
		Service:  p.config.Service,
		Instance: p.config.Instance,
		Language: "go",
		Metadata: map[string]string{},
		TraceId:  kit.TraceID(ctx),
	}
	if deadline, ok := ctx.Deadline(); ok {
		hop.Remaining = durationpb.New(time.Until(deadline))
	}
	received, _ := metadata.FromIncomingContext(ctx)
	for key, values := range received {
		if !strings.HasSuffix(key, "-bin") {
			hop.Metadata[key] = values[len(values)-1]
		}
	}
	return hop
}

// wait waits, and counts who waits and who gave up.
func (p *probe) wait(ctx context.Context, request *probev1.WaitRequest) error {
	waits := p.waitsOf(request.GetKey())
	waits.waiting.Add(1)
	defer waits.waiting.Add(-1)
	over := time.NewTimer(request.GetDuration().AsDuration())
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		waits.cancelled.Add(1)
	}
	if request.GetIgnoreCancellation() {
		<-over.C
		return nil
	}
	return ctx.Err()
}

func (p *probe) waitsOf(key string) *waits {
	found, _ := p.waits.LoadOrStore(key, new(waits))
	return found.(*waits)
}
