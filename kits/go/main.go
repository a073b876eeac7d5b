package kit

// This file owns the process around a service: its signals and its exit status.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses of a service.
const (
	exitFailure       = 1
	exitConfiguration = 64 // EX_USAGE of sysexits.h
)

// Main runs a service and ends the process: with status 0 when run returns nil, 64 when it returns a *ConfigError, else
// 1, with one line on standard error. The context of run is done at the first SIGTERM or SIGINT.
func Main(run func(ctx context.Context) error) {
	ctx, release := withSignals(context.Background())
	err := run(ctx)
	release()
	os.Exit(exitStatus(err))
}

func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	if bad := new(ConfigError); errors.As(err, &bad) {
		return exitConfiguration
	}
	return exitFailure
}

type patienceKey struct{}

// withSignals returns a context that is done at the first signal and holds another, for patience, that is done at the
// second. A third one ends the process, as signals do that no one handles.
func withSignals(parent context.Context) (context.Context, context.CancelFunc) {
	patient, hurry := context.WithCancel(parent)
	ctx, cancel := context.WithCancel(context.WithValue(parent, patienceKey{}, patient))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		cancel()
		<-signals
		signal.Stop(signals)
		hurry()
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		hurry()
	}
}

// patience returns a context that lasts as long as the process may wait for others.
func patience(ctx context.Context) context.Context {
	if patient, ok := ctx.Value(patienceKey{}).(context.Context); ok {
		return patient
	}
	return context.WithoutCancel(ctx)
}
