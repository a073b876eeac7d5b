package kit

// This file owns the deadline of an incoming call as its handler sees it: a moment before the one that gRPC keeps.
//
// At its own, gRPC resets the stream without a word, and the caller's library has to guess that this was the deadline
// (grpc-go #2886; those on gRPC's core guess wrong when they are busy, and say CANCELLED); the handler may see either
// error (grpc-go #8961). The moment before gives a handler that listens the time to end, and its caller a status.

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// mostMargin is how long before the end a handler is told, and not more than a tenth of the time that there is.
const mostMargin = 5 * time.Millisecond

// handlerContext is the context of an incoming call that has a deadline. Its timer starts when someone first listens,
// which most handlers are too quick for.
type handlerContext struct {
	context.Context // gRPC's
	deadline        time.Time
	once            sync.Once
	limited         atomic.Pointer[context.Context]
}

// deadlineKey is the key of the deadline of the handler that a context belongs to.
type deadlineKey struct{}

// forHandler returns the context that a handler gets.
func forHandler(ctx context.Context) context.Context {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx
	}
	return &handlerContext{Context: ctx, deadline: end.Add(-min(mostMargin, time.Until(end)/10))}
}

func (c *handlerContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *handlerContext) Done() <-chan struct{} { return c.listen().Done() }

func (c *handlerContext) Err() error { return c.listen().Err() }

// Value also answers package context's own question for what can be cancelled, which is not gRPC's context any more.
func (c *handlerContext) Value(key any) any {
	if key == (deadlineKey{}) {
		return c.deadline
	}
	if limited := c.limited.Load(); limited != nil {
		return (*limited).Value(key)
	}
	return c.Context.Value(key)
}

func (c *handlerContext) listen() context.Context {
	c.once.Do(func() {
		limited, cancel := context.WithDeadline(c.Context, c.deadline)
		_ = cancel // it ends with gRPC's, which ends with the call
		c.limited.Store(&limited)
	})
	return *c.limited.Load()
}

// deadlineOfHandler returns the deadline of the incoming call that a context belongs to; zero when there is none.
func deadlineOfHandler(ctx context.Context) time.Time {
	deadline, _ := ctx.Value(deadlineKey{}).(time.Time)
	return deadline
}
