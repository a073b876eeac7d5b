package kit

import (
	"testing"

	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
)

func checkHealth(t *testing.T, probe *instance, name string) healthgrpc.HealthCheckResponse_ServingStatus {
	t.Helper()
	client := healthgrpc.NewHealthClient(probe.Client("probe"))
	answer, err := client.Check(t.Context(), &healthgrpc.HealthCheckRequest{Service: name})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetStatus()
}

func TestHealthIsNotServingUntilJoined(t *testing.T) {
	probe := serve(t, scripted{})
	for _, name := range []string{"", "gossamer.probe.v1.ProbeService"} {
		if got := checkHealth(t, probe, name); got != healthgrpc.HealthCheckResponse_NOT_SERVING {
			t.Errorf("%q before: %v", name, got)
		}
	}
	if err := probe.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "gossamer.probe.v1.ProbeService"} {
		if got := checkHealth(t, probe, name); got != healthgrpc.HealthCheckResponse_SERVING {
			t.Errorf("%q after: %v", name, got)
		}
	}
}

func TestHealthOfAnUnknownName(t *testing.T) {
	probe := serve(t, scripted{})
	client := healthgrpc.NewHealthClient(probe.Client("probe"))
	_, err := client.Check(t.Context(), &healthgrpc.HealthCheckRequest{Service: "unknown"})
	wantCode(t, err, codes.NotFound)
	watch, err := client.Watch(t.Context(), &healthgrpc.HealthCheckRequest{Service: "unknown"})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := watch.Recv()
	if err != nil || answer.GetStatus() != healthgrpc.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("got %v, %v", answer, err)
	}
}

func TestWatchesOfHealthEndWhenTheServerStops(t *testing.T) {
	probe := serve(t, scripted{})
	client := healthgrpc.NewHealthClient(probe.Client("probe"))
	watch, err := client.Watch(t.Context(), &healthgrpc.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	probe.health.endWatches()
	_, err = watch.Recv()
	wantCode(t, err, codes.Unavailable)
}
