package kit

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	meshv1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/mesh/v1"
	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

const short = `{"rules": [{"match": {"pathComparison": "COMPARISON_PREFIX"}, "timeout": "0.2s"}]}`

// quick is less than the time that a call of these tests has by default.
const quick = patienceOfTests / 2

// slow answers after some time, or when its call is over.
func slow(time time.Duration) scripted {
	return scripted{echo: func(ctx context.Context) error {
		pause(ctx, time)
		return ctx.Err()
	}}
}

// echoed calls, and tells how that ended and how long it took.
func echoed(ctx context.Context, probe *instance) (codes.Code, time.Duration) {
	began := time.Now()
	_, err := probe.calls.Echo(ctx, &probev1.EchoRequest{})
	return status.Code(err), time.Since(began)
}

func wantEcho(t *testing.T, probe *instance, want codes.Code, least, most time.Duration) {
	t.Helper()
	if code, took := echoed(t.Context(), probe); code != want || took < least || took > most {
		t.Errorf("got %s after %s, want %s after %s to %s", code, took, want, least, most)
	}
}

func TestTheStreamSaysWhoAsksAndForWhat(t *testing.T) {
	control := newTraffic(t)
	probe := serve(t, slow(time.Hour), follows(control))
	want := &meshv1.WatchCallPoliciesRequest{Services: []string{"probe"}, Caller: "probe", Zone: "local"}
	if got := <-control.asked; !proto.Equal(got, want) {
		t.Errorf("got %s", got)
	}
	probe.Client("another")
	if got := (<-control.asked).GetServices(); !slices.Equal(got, []string{"another", "probe"}) {
		t.Errorf("got %s", got)
	}
}

func TestTheFirstCallWaitsForWhatIsSaid(t *testing.T) {
	control := newTraffic(t)
	probe := serve(t, slow(time.Hour), follows(control))
	go func() {
		<-control.asked
		control.say(t, short)
	}()
	wantEcho(t, probe, codes.DeadlineExceeded, 0, quick)
}

func TestACallEndsWithItsRulesTime(t *testing.T) {
	control := newTraffic(t)
	control.say(t, short)
	probe := serve(t, slow(time.Hour), follows(control))
	wantEcho(t, probe, codes.DeadlineExceeded, 190*time.Millisecond, quick)
}

func TestAStreamEndsWithItsRulesTime(t *testing.T) {
	control := newTraffic(t)
	control.say(t, short)
	probe := serve(t, slow(time.Hour), follows(control))
	began := time.Now()
	stream, err := probe.calls.Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, finish(stream.Recv), codes.DeadlineExceeded)
	if took := time.Since(began); took < 190*time.Millisecond || took > quick {
		t.Errorf("after %s", took)
	}
}

func TestACallWithoutARuleLasts(t *testing.T) {
	control := newTraffic(t)
	control.say(t, strings.Replace(short, `"match": {`, `"match": {"path": "/other", `, 1))
	probe := serve(t, slow(500*time.Millisecond), follows(control))
	wantEcho(t, probe, codes.OK, 500*time.Millisecond, patienceOfTests)
}

func TestWhatWasSaidLastHoldsWithoutAStream(t *testing.T) {
	control := newTraffic(t)
	control.say(t, short)
	probe := serve(t, slow(time.Hour), follows(control))
	echoed(t.Context(), probe)
	control.stop()
	wantEcho(t, probe, codes.DeadlineExceeded, 190*time.Millisecond, quick)
}

func TestAChangeIsTakenByANewStreamToo(t *testing.T) {
	control := newTraffic(t)
	control.say(t, short)
	probe := serve(t, slow(500*time.Millisecond), follows(control))
	echoed(t.Context(), probe)
	control.stop()
	control.say(t, `{}`)
	control.start(t, control.address)
	eventually(t, "the change", func() bool {
		code, _ := echoed(t.Context(), probe)
		return code == codes.OK
	})
}

func TestAPolicyThatNoCallCanBeComparedWithChangesNothing(t *testing.T) {
	control := newTraffic(t)
	control.say(t, short)
	probe := serve(t, slow(time.Hour), follows(control))
	echoed(t.Context(), probe)
	control.say(t, `{"rules": [{"match": {"pathComparison": "COMPARISON_REGEX", "path": "("}}]}`)
	eventually(t, "a line of log", func() bool { return strings.Contains(probe.logs.String(), "go on as before") })
	wantEcho(t, probe, codes.DeadlineExceeded, 190*time.Millisecond, quick)
}

func TestNoCallWaitsForAControlPlaneThatSaysNothing(t *testing.T) {
	other := serve(t, scripted{})
	for name, address := range map[string]string{"away": "127.0.0.1:1", "older": other.address.String()} {
		t.Run(name, func(t *testing.T) {
			probe := serve(t, scripted{}, func(config *Config) { config.ControlPlane = address })
			wantEcho(t, probe, codes.OK, 0, 800*time.Millisecond)
			wantEcho(t, probe, codes.OK, 0, 800*time.Millisecond)
			if got := strings.Count(probe.logs.String(), "doesn't say what is done to calls"); got != 1 {
				t.Errorf("it was logged %d times", got)
			}
		})
	}
}

func TestNoCallWaitsLongForAControlPlaneThatIsSilent(t *testing.T) {
	control := newTraffic(t)
	probe := serve(t, scripted{}, follows(control))
	wantEcho(t, probe, codes.OK, 800*time.Millisecond, patienceOfTests)
	wantEcho(t, probe, codes.OK, 0, 800*time.Millisecond)
}

func TestACallThatWaitsEndsWithItsOwnTime(t *testing.T) {
	control := newTraffic(t)
	probe := serve(t, scripted{}, follows(control))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if code, took := echoed(ctx, probe); code != codes.DeadlineExceeded || took > 800*time.Millisecond {
		t.Errorf("got %s after %s", code, took)
	}
}
