package kit

// This file owns the last stop of an error before it leaves: it turns panics into errors, logs what no one expected,
// and lets nothing but a status out.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errInternal is all that a caller gets to know of what no one expected.
var errInternal = NewError(codes.Internal, "INTERNAL", "internal error")

// guard stands at the end of every handler.
type guard struct{ log *slog.Logger }

// leave returns what the caller gets for an error or a panic, of which at most one is not nil.
func (g guard) leave(ctx context.Context, method string, err error, panicked any) error {
	if panicked != nil {
		err = &panicError{value: panicked, stack: debug.Stack()}
	}
	if err == nil {
		return nil
	}
	answer, expected := translate(ctx, err, domainOf(method))
	if !expected {
		g.report(ctx, method, err)
	}
	return answer.Err()
}

// translate turns what a handler returned into what the caller sees, and tells whether someone expected it: adapters
// return *Error, gRPC and generated code return a status, and a call that is over fails in many ways. What another
// service answered is that service's word to this one and not to the caller: it is not expected here.
func translate(ctx context.Context, err error, domain string) (_ *status.Status, expected bool) {
	if known := new(Error); errors.As(err, &known) {
		return known.toStatus(domain), true
	}
	if over := ctx.Err(); over != nil {
		return status.FromContextError(over), true
	}
	if answer, ok := status.FromError(err); ok && !errors.As(err, new(answerError)) {
		return answer, true
	}
	return errInternal.toStatus(domain), false
}

// report logs an error with the trace's id and where it comes from: of a panic the stack, and of an error, which has
// none in Go, what it wraps. The span gets it as well.
func (g guard) report(ctx context.Context, method string, err error) {
	attributes := []any{"method", method, "error", err.Error()}
	if panicked := new(panicError); errors.As(err, &panicked) {
		attributes = append(attributes, "stack", string(panicked.stack))
	} else {
		attributes = append(attributes, "causes", causes(err))
	}
	g.log.ErrorContext(ctx, "a handler failed unexpectedly", attributes...)
	trace.SpanFromContext(ctx).RecordError(err)
}

// causes lists an error and all that it wraps, from the outermost on, each with its type.
func causes(err error) []string {
	found := []string{fmt.Sprintf("%T: %v", err, err)}
	var wrapped []error
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		wrapped = []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		wrapped = err.Unwrap()
	}
	for _, one := range wrapped {
		if one != nil {
			found = append(found, causes(one)...)
		}
	}
	return found
}

// panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
