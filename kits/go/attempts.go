package kit

// This file owns the attempts of a unary call: how long each may take, after which failures there is another, and how
// many more the service's budget allows.
//
// gRPC's own retries know neither a limit for one attempt nor a budget. Pauses and pushback are as theirs (gRFC A6, A44).

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	firstRetryPause   = 25 * time.Millisecond
	longestRetryPause = 250 * time.Millisecond
	pushback          = "grpc-retry-pushback-ms"
)

// isOneAttempt tells that a call takes one attempt that is as long as the call.
func (r *rule) isOneAttempt() bool { return r.retries == 0 && r.attemptTimeout == 0 }

// attempts makes attempts until one succeeds or there is to be no other. The last one's answer is the call's.
func (r *rule) attempts(ctx context.Context, budget *budget, span trace.Span,
	attempt func(context.Context, grpc.CallOption) error) error {
	for tried := 0; ; tried++ {
		var trailer metadata.MD
		err := r.attempt(ctx, grpc.Trailer(&trailer), attempt)
		if tried >= r.retries || !slices.Contains(r.codes, status.Code(err)) {
			return err
		}
		wait, asked := askedPause(trailer)
		if !asked {
			wait = retryPause(tried)
		}
		if end, ok := ctx.Deadline(); wait < 0 || ok && time.Until(end) <= wait {
			return err
		}
		if !budget.spend(time.Now()) {
			noteAttempt(span, "retry budget spent", err, tried)
			return err
		}
		noteAttempt(span, "retry", err, tried)
		if !pause(ctx, wait) {
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

func (r *rule) attempt(ctx context.Context, trailer grpc.CallOption,
	attempt func(context.Context, grpc.CallOption) error) error {
	if r.attemptTimeout > 0 {
		limited, cancel := context.WithTimeout(ctx, r.attemptTimeout)
		defer cancel()
		ctx = limited
	}
	return attempt(ctx, trailer)
}

// retryPause returns how long to wait after so many failed retries.
func retryPause(tried int) time.Duration {
	longest := min(firstRetryPause<<min(tried, 4), longestRetryPause)
	return time.Duration(float64(longest) * (0.8 + 0.4*rand.Float64()))
}

// askedPause returns the pause that a server asks for; below zero it asks not to be called again.
func askedPause(trailer metadata.MD) (time.Duration, bool) {
	asked := trailer.Get(pushback)
	if len(asked) == 0 {
		return 0, false
	}
	milliseconds, err := strconv.ParseInt(asked[len(asked)-1], 10, 32)
	if err != nil {
		return -1, true
	}
	return time.Duration(milliseconds) * time.Millisecond, true
}

// noteAttempt says in the call's span what became of one of its attempts. The first one has the number 1.
func noteAttempt(span trace.Span, event string, err error, tried int) {
	if span.IsRecording() {
		code := rpccode.Code(status.Code(err)).String()
		span.AddEvent(event, trace.WithAttributes(
			semconv.RPCResponseStatusCode(code), attribute.Int("attempt", tried+1)))
	}
}
