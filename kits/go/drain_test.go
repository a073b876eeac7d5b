package kit

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	probev1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/probe/v1"
)

// slowCall starts a call that runs until it is released or cancelled, and returns how it ended.
func slowCall(t *testing.T, changes ...func(*Config)) (probe *instance, release func(), result <-chan error) {
	t.Helper()
	began, released, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	probe = serve(t, scripted{echo: func(ctx context.Context) error {
		close(began)
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, changes...)
	conn, err := grpc.NewClient(probe.address.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		_, err := probev1.NewProbeServiceClient(conn).Echo(context.Background(), &probev1.EchoRequest{})
		ended <- err
	}()
	<-began
	return probe, func() { close(released) }, ended
}

// stopped is a context that is done, as Main's is after a signal.
func stopped(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return ctx
}

func TestADrainLetsRunningCallsFinish(t *testing.T) {
	probe, release, result := slowCall(t)
	drained := make(chan error, 1)
	go func() { drained <- probe.Wait(stopped(t.Context())) }()
	eventually(t, "the drain", func() bool { return probe.health.watching.Err() != nil })
	release()
	if err := <-result; err != nil {
		t.Errorf("the call failed: %v", err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestADrainCancelsWhatTakesTooLong(t *testing.T) {
	probe, _, result := slowCall(t, func(config *Config) { config.Drain = 50 * time.Millisecond })
	if err := probe.Wait(stopped(t.Context())); err != nil {
		t.Error(err)
	}
	wantCode(t, <-result, codes.Unavailable)
}

func TestASecondSignalEndsTheWaiting(t *testing.T) {
	probe, _, result := slowCall(t)
	patient := stopped(t.Context())
	if err := probe.Wait(stopped(context.WithValue(t.Context(), patienceKey{}, patient))); err != nil {
		t.Error(err)
	}
	wantCode(t, <-result, codes.Unavailable)
}

func TestADrainDoesNotWaitForAHandlerThatIgnoresCancellation(t *testing.T) {
	began, released := make(chan struct{}), make(chan struct{})
	probe := serve(t, scripted{echo: func(context.Context) error {
		close(began)
		<-released
		return nil
	}}, func(config *Config) { config.Drain = 50 * time.Millisecond })
	defer close(released)
	go func() { _, _ = probe.calls.Echo(context.Background(), &probev1.EchoRequest{}) }()
	<-began
	drained := make(chan error, 1)
	go func() { drained <- probe.Wait(stopped(t.Context())) }()
	select {
	case err := <-drained:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patienceOfTests):
		t.Error("the drain still waits")
	}
}

func TestAPortInUseIsToldSo(t *testing.T) {
	probe := serve(t, scripted{})
	err := assemble(t, Config{Service: "probe", Listen: probe.address.String()}).Serve()
	if err == nil || !contains(err.Error(), "GOSSAMER_LISTEN", probe.address.String(), "is it in use?") {
		t.Errorf("got %v", err)
	}
}
