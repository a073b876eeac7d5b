package kit

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

const retryUnavailable = `"retry": {"times": 3, "statuses": ["UNAVAILABLE"]}`

// played serves what a test wants of each attempt, the last part again and again, and counts the attempts.
type played struct {
	attempts atomic.Int64
	parts    []func(context.Context) error
}

func (p *played) service() scripted {
	return scripted{echo: func(ctx context.Context) error {
		number := int(p.attempts.Add(1))
		_ = grpc.SetTrailer(ctx, metadata.Pairs("attempt", strconv.Itoa(number)))
		return p.parts[min(number, len(p.parts))-1](ctx)
	}}
}

func play(parts ...func(context.Context) error) *played { return &played{parts: parts} }

func answers(context.Context) error { return nil }

func fails(context.Context) error { return status.Error(codes.Unavailable, "no") }

// hangs waits until its call is over.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func pushesBack(pause string) func(context.Context) error {
	return func(ctx context.Context) error {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(pushback, pause))
		return fails(ctx)
	}
}

// serveRule starts an instance that was told a rule for every call, with what else is said about its calls.
func serveRule(t *testing.T, played *played, rule string, more ...string) *instance {
	t.Helper()
	control := newTraffic(t)
	said := `{"rules": [{"match": {"pathComparison": "COMPARISON_PREFIX"}, ` + rule + `}]`
	for _, one := range more {
		said += ", " + one
	}
	control.say(t, said+"}")
	return serve(t, played.service(), follows(control))
}

func wantAttempts(t *testing.T, played *played, want int64) {
	t.Helper()
	if got := played.attempts.Load(); got != want {
		t.Errorf("%d attempts, want %d", got, want)
	}
}

func TestACallIsTriedUntilItSucceeds(t *testing.T) {
	played := play(fails, fails, answers)
	probe := serveRule(t, played, retryUnavailable)
	answer, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{Payload: []byte("x")})
	if err != nil || string(answer.GetPayload()) != "x" {
		t.Errorf("got %v, %v", answer, err)
	}
	wantAttempts(t, played, 3)
}

func TestTheLastAttemptsFailureIsTheCalls(t *testing.T) {
	played := play(fails)
	probe := serveRule(t, played, retryUnavailable)
	var trailer metadata.MD
	_, err := probe.calls.Echo(t.Context(), &probev1.EchoRequest{}, grpc.Trailer(&trailer))
	wantCode(t, err, codes.Unavailable)
	if got := trailer.Get("attempt"); !slices.Equal(got, []string{"4"}) {
		t.Errorf("the trailer is that of attempt %s", got)
	}
	wantAttempts(t, played, 4)
}

func TestAnotherFailureIsNotTriedAgain(t *testing.T) {
	played := play(func(context.Context) error { return status.Error(codes.Aborted, "no") })
	probe := serveRule(t, played, retryUnavailable)
	wantEcho(t, probe, codes.Aborted, 0, patienceOfTests)
	wantAttempts(t, played, 1)
}

func TestAStreamIsNotTriedAgain(t *testing.T) {
	probe := serveRule(t, play(answers), retryUnavailable+`, "attemptTimeout": "0.1s"`)
	stream, err := probe.calls.Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pause(t.Context(), 200*time.Millisecond) // longer than an attempt of a unary call
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if err := finish(stream.Recv); err != nil {
		t.Error(err)
	}
}

func TestAnAttemptThatTakesTooLongIsGivenUpForAnother(t *testing.T) {
	played := play(hangs, answers)
	probe := serveRule(t, played, retryUnavailable+`, "attemptTimeout": "0.2s"`)
	wantEcho(t, probe, codes.OK, 190*time.Millisecond, quick)
	wantAttempts(t, played, 2)
}

func TestAnAttemptHasNoMoreThanWhatIsLeftOfTheCall(t *testing.T) {
	played := play(hangs)
	probe := serveRule(t, played, retryUnavailable+`, "timeout": "1s", "attemptTimeout": "0.6s"`)
	wantEcho(t, probe, codes.DeadlineExceeded, 900*time.Millisecond, quick)
	wantAttempts(t, played, 2)
}

func TestALimitForAttemptsWithoutRetriesEndsTheCall(t *testing.T) {
	played := play(hangs)
	probe := serveRule(t, played, `"attemptTimeout": "0.2s"`)
	wantEcho(t, probe, codes.DeadlineExceeded, 150*time.Millisecond, quick)
	wantAttempts(t, played, 1)
}

func TestNoMoreIsTriedAgainThanTheBudgetAllows(t *testing.T) {
	for name, one := range map[string]struct {
		budget []string
		want   int64
	}{
		"a share":          {[]string{`"retryBudget": {"percent": 20}`}, 60},
		"a share and some": {[]string{`"retryBudget": {"percent": 20, "minPerSecond": 1}`}, 70},
		"without a budget": {nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			played := play(fails)
			probe := serveRule(t, played, retryUnavailable, one.budget...)
			var calls sync.WaitGroup
			for range 50 {
				calls.Go(func() { wantEcho(t, probe, codes.Unavailable, 0, patienceOfTests) })
			}
			calls.Wait()
			if got := played.attempts.Load(); got > one.want || got < one.want-5 { // the first retries come before the last calls
				t.Errorf("%d attempts, want %d", got, one.want)
			}
		})
	}
}

func TestAServerCanAskForAPause(t *testing.T) {
	played := play(pushesBack("400"), answers)
	probe := serveRule(t, played, retryUnavailable)
	wantEcho(t, probe, codes.OK, 400*time.Millisecond, quick)
}

func TestAServerCanAskNotToBeCalledAgain(t *testing.T) {
	for _, asked := range []string{"-1", "never"} {
		t.Run(asked, func(t *testing.T) {
			played := play(pushesBack(asked), answers)
			wantEcho(t, serveRule(t, played, retryUnavailable), codes.Unavailable, 0, patienceOfTests)
			wantAttempts(t, played, 1)
		})
	}
}

func TestACancelledCallEndsItsAttemptAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	played := play(fails, func(inner context.Context) error {
		cancel()
		<-inner.Done()
		close(ended)
		return inner.Err()
	})
	probe := serveRule(t, played, retryUnavailable)
	if code, _ := echoed(ctx, probe); code != codes.Canceled {
		t.Errorf("got %s", code)
	}
	select {
	case <-ended:
	case <-time.After(patienceOfTests):
		t.Error("the attempt still runs")
	}
	wantAttempts(t, played, 2)
}

func TestAllAttemptsAreOneSpanWithAnEventForEachThatFailed(t *testing.T) {
	probe := serveRule(t, play(fails), retryUnavailable, `"retryBudget": {"percent": 200}`)
	wantEcho(t, probe, codes.Unavailable, 0, patienceOfTests)
	var events []string
	for _, span := range probe.spans.GetSpans() {
		if span.SpanKind.String() == "client" {
			for _, event := range span.Events {
				events = append(events, event.Name)
			}
		}
	}
	if want := []string{"retry", "retry", "retry budget spent"}; !slices.Equal(events, want) {
		t.Errorf("got %q, want %q", events, want)
	}
}
