package kit

// This file owns the orderly end of an instance, in the order of kit.md: no call fails because of it, provided that
// callers follow the control plane. Every step has a limit, and the whole has Config.Drain.

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	meshv1 "github.com/gossamer-mesh/gossamer/gen/go/gossamer/mesh/v1"
)

const (
	settleLimit = 5 * time.Second // for all clients to have accepted that the instance is gone
	lastPicks   = time.Second     // an ACK comes before the last call by the old assignment
	askInterval = 100 * time.Millisecond
	lastWords   = time.Second // for handlers to end that were cancelled
)

// Wait returns when the instance has ended in order. That begins when ctx is done, which Main sees to on SIGTERM and
// SIGINT; a second signal ends all waiting for others. Wait also returns when the server failed.
func (k *Kit) Wait(ctx context.Context) error {
	select {
	case err := <-k.served:
		k.Close()
		return err
	case <-ctx.Done():
	}
	k.closed.Do(func() { k.drain(patience(ctx)) })
	return nil
}

func (k *Kit) drain(patient context.Context) {
	ctx, cancel := context.WithTimeout(patient, k.config.Drain)
	defer cancel()
	k.log.Info("draining")
	k.health.set(healthgrpc.HealthCheckResponse_NOT_SERVING)
	if k.membership != nil && k.membership.stopKeeping() {
		k.note("maintenance in Consul failed", k.membership.pause(ctx))
		k.settle(ctx)
	}
	k.stopServer(ctx)
	k.sayGoodbye()
	k.log.Info("drained")
}

// settle waits until no client calls the instance any more, as far as that can be known.
func (k *Kit) settle(ctx context.Context) {
	if k.config.ControlPlane != "" {
		k.note("not every client is known to have left", within(ctx, settleLimit, k.awaitDrain))
	}
	pause(ctx, lastPicks)
}

// awaitDrain asks the control plane until it says that every client has left, also while it is away.
func (k *Kit) awaitDrain(ctx context.Context) error {
	conn, err := grpc.NewClient(k.config.ControlPlane, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	mesh := meshv1.NewMeshServiceClient(conn)
	request := &meshv1.AwaitDrainRequest{
		Service: k.config.Service, InstanceId: k.config.Instance, MaxWait: durationpb.New(settleLimit),
	}
	for {
		answer, err := mesh.AwaitDrain(ctx, request, grpc.WaitForReady(true))
		if err == nil && answer.GetDrained() {
			return nil
		}
		if !pause(ctx, askInterval) {
			return cmp.Or(err, ctx.Err())
		}
	}
}

// stopServer lets running calls finish as long as ctx lasts, and then cancels them. GracefulStop returns only when every
// handler has, also after Stop; so one that ignores its cancellation is left to end with the process.
func (k *Kit) stopServer(ctx context.Context) {
	k.health.endWatches()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		k.server.GracefulStop()
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		k.log.Warn("stopped without waiting longer for running calls")
		k.server.Stop()
	}
	select {
	case <-finished:
	case <-time.After(lastWords):
		k.log.Warn("a handler goes on although its call was cancelled")
	}
}

// pause waits; it tells whether it waited to the end.
func pause(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
