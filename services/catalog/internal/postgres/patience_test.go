package postgres

import (
	"context"
	"testing"
	"time"
)

func TestAQuestionLeavesPartOfACallersTimeForTheAnswer(t *testing.T) {
	for name, check := range map[string]struct{ left, most time.Duration }{
		"little time": {time.Second, 800 * time.Millisecond},
		"much time":   {time.Hour, 2 * time.Second},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), check.left)
		if found := leave(ctx); found > check.most {
			t.Errorf("%s: expected %s at the most, found %s", name, check.most, found)
		}
		cancel()
	}
}

func TestAQuestionOfACallerWithoutADeadlineHasOne(t *testing.T) {
	if found := leave(context.Background()); found != 2*time.Second {
		t.Errorf("expected 2 s, found %s", found)
	}
}
