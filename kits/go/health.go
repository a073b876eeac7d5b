package kit

// This file owns what the instance says about its health: NOT_SERVING until it has joined and once it drains, the same
// for "" and for each contract.

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// healthService is grpc-go's, except that its watches end before a graceful stop, which would wait for them for ever.
type healthService struct {
	*health.Server
	names      []string
	watching   context.Context // done once watches have to end
	endWatches context.CancelFunc
}

// newHealthService answers NOT_SERVING for "", where grpc-go begins with SERVING.
func newHealthService() *healthService {
	service := &healthService{Server: health.NewServer()}
	service.watching, service.endWatches = context.WithCancel(context.Background())
	service.cover("")
	return service
}

// cover adds names to answer for.
func (h *healthService) cover(names ...string) {
	h.names = append(h.names, names...)
	h.set(healthgrpc.HealthCheckResponse_NOT_SERVING)
}

// set changes the answer for all names.
func (h *healthService) set(answer healthgrpc.HealthCheckResponse_ServingStatus) {
	for _, name := range h.names {
		h.SetServingStatus(name, answer)
	}
}

// Watch streams the health of a name until the caller goes away or the server is about to stop.
func (h *healthService) Watch(request *healthgrpc.HealthCheckRequest, stream healthgrpc.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(h.watching, cancel)()
	err := h.Server.Watch(request, &healthWatch{stream, ctx})
	if h.watching.Err() != nil {
		return status.Error(codes.Unavailable, "the server stops")
	}
	return err
}

// healthWatch gives a watch a context of its own.
type healthWatch struct {
	healthgrpc.Health_WatchServer
	ctx context.Context
}

func (w *healthWatch) Context() context.Context { return w.ctx }
