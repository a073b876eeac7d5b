package kit

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestAHandlerIsToldOfItsEndAMomentBefore(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		time.Hour:             5 * time.Millisecond,
		20 * time.Millisecond: 2 * time.Millisecond,
	} {
		end := time.Now().Add(left)
		ctx, cancel := context.WithDeadline(t.Context(), end)
		defer cancel()
		got, _ := forHandler(ctx).Deadline()
		if margin := end.Sub(got); margin > want || margin < want-time.Millisecond {
			t.Errorf("%s before the end of %s, want %s", margin, left, want)
		}
	}
}

func TestAHandlerOutOfTimeSeesThatAndNoCancellation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	handler := forHandler(ctx)
	<-handler.Done()
	if ctx.Err() != nil || !errors.Is(handler.Err(), context.DeadlineExceeded) {
		t.Errorf("gRPC's context: %v, the handler's: %v", ctx.Err(), handler.Err())
	}
}

func TestAHandlersContextEndsWithTheCall(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	handler := forHandler(ctx)
	child, stop := context.WithCancel(context.WithValue(handler, deadlineKey{}, nil))
	defer stop()
	cancel()
	<-child.Done()
	if !errors.Is(handler.Err(), context.Canceled) || !errors.Is(child.Err(), context.Canceled) {
		t.Errorf("the handler's: %v, its child's: %v", handler.Err(), child.Err())
	}
}

func TestACallWithoutADeadlineKeepsItsContext(t *testing.T) {
	if got := forHandler(t.Context()); got != t.Context() {
		t.Errorf("got %v", got)
	}
}
