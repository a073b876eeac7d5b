package kit

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

func TestAPanicTellsTheCallerNothingAndTheLogAll(t *testing.T) {
	probe := serve(t, scripted{echo: func(context.Context) error { panic("secret") }})
	_, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{})
	answer := status.Convert(err)
	if answer.Code() != codes.Internal || answer.Message() != "internal error" {
		t.Errorf("got %v", err)
	}
	info, ok := answer.Details()[0].(*errdetails.ErrorInfo)
	if !ok || info.GetReason() != "INTERNAL" || info.GetDomain() != "gossamer.probe.v1" {
		t.Errorf("details are %v", answer.Details())
	}
	log := probe.logs.String()
	for _, want := range []string{"panic: secret", "calls_test.go", "trace_id"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log: %s", want, log)
		}
	}
}

func TestTheAnswerOfAnotherServiceIsNotPassedOn(t *testing.T) {
	var probe *instance
	probe = serve(t, scripted{echo: func(ctx context.Context) error {
		_, err := probev1.NewProbeServiceClient(probe.Client("nowhere")).Echo(ctx, &probev1.EchoRequest{})
		wantCode(t, err, codes.Unavailable)
		return err
	}})
	_, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{})
	if answer := status.Convert(err); answer.Code() != codes.Internal || strings.Contains(answer.Message(), "nowhere") {
		t.Errorf("got %v", err)
	}
}

func TestNoInstanceIsUnavailableAtOnce(t *testing.T) {
	probe := serve(t, scripted{})
	began := time.Now()
	_, err := probev1.NewProbeServiceClient(probe.Client("nowhere")).Echo(t.Context(), &probev1.EchoRequest{})
	wantCode(t, err, codes.Unavailable)
	if took := time.Since(began); took > patienceOfTests/2 {
		t.Errorf("took %s", took)
	}
}

func TestABadRequestNeverReachesItsHandler(t *testing.T) {
	probe := serve(t, scripted{echo: func(context.Context) error { t.Error("the handler ran"); return nil }})
	_, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{ResponsePadding: -1})
	wantCode(t, err, codes.InvalidArgument)
}

func TestABadMessageOfAStreamIsRefused(t *testing.T) {
	probe := serve(t, scripted{})
	stream, err := probe.calls.Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&probev1.SumRequest{Number: 1})
	_ = stream.Send(&probev1.SumRequest{Number: 2_000_000})
	_, err = stream.CloseAndRecv()
	wantCode(t, err, codes.InvalidArgument)
}

func TestACallWithoutADeadlineGetsTheDefault(t *testing.T) {
	probe := serve(t, scripted{echo: func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left > 3*time.Second || left < time.Second {
			t.Errorf("%s are left", left)
		}
		return nil
	}}, func(config *Config) { config.Deadline = 3 * time.Second })
	if _, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{}); err != nil {
		t.Error(err)
	}
}

func TestACallKeepsItsOwnDeadline(t *testing.T) {
	probe := serve(t, scripted{echo: func(ctx context.Context) error {
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < time.Minute {
			t.Errorf("%s are left", time.Until(deadline))
		}
		return nil
	}}, func(config *Config) { config.Deadline = 3 * time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if _, err := probe.calls.Echo(ctx, &probev1.EchoRequest{}); err != nil {
		t.Error(err)
	}
}

func TestACallOfAHandlerGetsTheDefaultOrWhatIsLeft(t *testing.T) {
	for name, one := range map[string]struct{ incoming, want time.Duration }{
		"much is left":   {time.Hour, 3 * time.Second},
		"little is left": {2 * time.Second, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var probe *instance
			var inner atomic.Bool
			probe = serve(t, scripted{echo: func(ctx context.Context) error {
				if !inner.Swap(true) {
					_, err := probe.calls.Echo(ctx, &probev1.EchoRequest{})
					return err
				}
				deadline, _ := ctx.Deadline()
				if left := time.Until(deadline); left > one.want || left < one.want-time.Second {
					t.Errorf("%s are left", left)
				}
				return nil
			}}, func(config *Config) { config.Deadline = 3 * time.Second })
			ctx, cancel := context.WithTimeout(t.Context(), one.incoming)
			defer cancel()
			if _, err := probe.calls.Echo(ctx, &probev1.EchoRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHandlerIsCancelledWhenItsCallerGoesAway(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	probe := serve(t, scripted{echo: func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	_, err := probe.calls.Echo(ctx, &probev1.EchoRequest{})
	wantCode(t, err, codes.Canceled)
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(patienceOfTests):
		t.Error("the handler still runs")
	}
}

func TestTooLargeAMessageIsRefused(t *testing.T) {
	probe := serve(t, scripted{})
	_, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{Payload: make([]byte, maxMessage+1)})
	wantCode(t, err, codes.ResourceExhausted)
}

// finish reads a stream to its end.
func finish[T any](receive func() (T, error)) error {
	for {
		if _, err := receive(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
