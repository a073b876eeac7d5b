package kit

import (
	"testing"
	"time"
)

// spent counts how many of so many retries were allowed.
func spent(budget *budget, now time.Time, times int) (allowed int) {
	for range times {
		if budget.spend(now) {
			allowed++
		}
	}
	return allowed
}

func called(budget *budget, now time.Time, times int) {
	for range times {
		budget.called(now)
	}
}

func TestWithoutALimitThereMayBeAnyNumberOfRetries(t *testing.T) {
	if got := spent(newBudget(), time.Unix(1000, 0), 500); got != 500 {
		t.Errorf("%d of 500", got)
	}
}

func TestThereMayBeSoManyRetriesForEachHundredCalls(t *testing.T) {
	now, budget := time.Unix(1000, 0), newBudget()
	budget.allow(20, 0)
	called(budget, now, 50)
	if got := spent(budget, now, 100); got != 10 {
		t.Errorf("%d for 50 calls", got)
	}
}

func TestThereMayBeSomeRetriesHoweverFewCallsThereAre(t *testing.T) {
	budget := newBudget()
	budget.allow(0, 0.5)
	if got := spent(budget, time.Unix(1000, 0), 100); got != 5 {
		t.Errorf("%d in ten seconds", got)
	}
}

func TestCallsAndRetriesCountForTenSeconds(t *testing.T) {
	now, budget := time.Unix(1000, 0), newBudget()
	budget.allow(50, 0)
	called(budget, now, 20)
	for _, want := range []int{10, 0, 0} {
		if got := spent(budget, now, 100); got != want {
			t.Errorf("%d at %s, want %d", got, now, want)
		}
		now = now.Add(5 * time.Second)
	}
	called(budget, now, 20)
	if got := spent(budget, now, 100); got != 10 {
		t.Errorf("%d after all was forgotten", got)
	}
}

func TestANewLimitCountsWhatWasBeforeIt(t *testing.T) {
	now, budget := time.Unix(1000, 0), newBudget()
	called(budget, now, 10)
	spent(budget, now, 5)
	budget.allow(60, 0)
	if got := spent(budget, now, 5); got != 1 {
		t.Errorf("%d more, want 1", got)
	}
}
