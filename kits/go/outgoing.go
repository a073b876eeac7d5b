package kit

// This file owns what an outgoing call goes through: it gets a deadline if it has none, it is observed, what the control
// plane says is done to it, and its failure is marked as the answer of another service.

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// outgoingCalls is what the calls to one service go through.
type outgoingCalls struct {
	observer *observer
	service  string
	policy   *policy
	deadline time.Duration // of calls that have none
}

func (c *outgoingCalls) unary(ctx context.Context, method string, request, response any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	ctx, call := c.observer.begin(ctx, callKind{method, c.service})
	limited, cancel := c.limit(sendTrace(ctx))
	defer cancel()
	rule := c.policy.find(limited, method)
	limited, cancel = rule.limit(limited, call.started)
	defer cancel()
	var err error
	if rule.isOneAttempt() {
		err = invoke(limited, method, request, response, conn, options...)
	} else {
		err = rule.attempts(limited, c.policy.budget, call.span, func(ctx context.Context, more grpc.CallOption) error {
			return invoke(ctx, method, request, response, conn, append(slices.Clip(options), more)...)
		})
	}
	call.end(err)
	return markAnswer(err)
}

// stream observes until gRPC says that the call is over, which it also says of a stream that was cancelled, ran out of
// time, or was never read to its end before its deadline.
func (c *outgoingCalls) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, call := c.observer.begin(ctx, callKind{method, c.service})
	limited, cancel := c.limit(sendTrace(ctx))
	limited, release := c.policy.find(limited, method).limit(limited, call.started)
	over := grpc.OnFinish(func(err error) {
		call.end(err)
		release()
		cancel()
	})
	stream, err := open(limited, desc, conn, method, append(slices.Clip(options), over)...)
	if err != nil {
		return nil, markAnswer(err)
	}
	return outgoingStream{stream}, nil
}

// limit gives a call the default deadline, if it has none of its own. One that it has only from the call which it is
// made for stays the latest that it can have.
func (c *outgoingCalls) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if own, ok := ctx.Deadline(); ok && !own.Equal(deadlineOfHandler(ctx)) {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.deadline)
}

// limit gives a call no more time than its rule does. gRPC keeps that by itself too, once for each attempt.
func (r *rule) limit(ctx context.Context, started time.Time) (context.Context, context.CancelFunc) {
	if r.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, started.Add(r.timeout))
}

// outgoingStream marks the failures of a stream.
type outgoingStream struct{ grpc.ClientStream }

func (s outgoingStream) RecvMsg(message any) error {
	return markAnswer(s.ClientStream.RecvMsg(message))
}

// answerError is a failure that another service answered, or that stands for the answer it did not give. It is a status
// like any other for the code that made the call.
type answerError struct{ error }

func markAnswer(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return answerError{err}
}

func (e answerError) Unwrap() error { return e.error }

// GRPCStatus makes status.FromError and status.Code see the status.
func (e answerError) GRPCStatus() *status.Status { return status.Convert(e.error) }
