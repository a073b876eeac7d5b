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
		// a tenth of what was left when it was made, which may be less by then on a busy machine
		if margin := end.Sub(got); margin > want || margin <= 0 {
			t.Errorf("%s before the end of %s, want %s", margin, left, want)
		}
	}
}

func TestAHandlerOutOfTimeSeesThatAndNoCancellation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	handler := forHandler(ctx)
	<-handler.Done()
	if !errors.Is(handler.Err(), context.DeadlineExceeded) {
		t.Errorf("the handler's: %v", handler.Err())
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
