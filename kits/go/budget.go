package kit

// This file owns how many calls of one service this process may try again: what keeps retries from making an overload
// worse.

import (
	"math"
	"sync"
	"time"
)

// budgetWindow is how many seconds are looked back on.
const budgetWindow = 10

// budget counts calls and retries by the second. Without a limit there may be any number of retries.
//
// With one there may be, within any ten seconds, so many percent of the calls, and ten times so many more a second. That
// is how Finagle's and Linkerd's retry budgets count.
type budget struct {
	mu      sync.Mutex
	percent float64
	least   float64 // within the window, whatever the percentage allows
	seconds [budgetWindow]tally
}

// tally is what happened within one second.
type tally struct{ second, calls, retries int64 }

// newBudget returns a budget without a limit.
func newBudget() *budget {
	made := &budget{}
	made.allowAll()
	return made
}

// allow sets the limit. What was counted stays.
func (b *budget) allow(percent, minPerSecond float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.percent, b.least = percent, minPerSecond*budgetWindow
}

// allowAll takes the limit away.
func (b *budget) allowAll() { b.allow(0, math.Inf(1)) }

// called counts a call.
func (b *budget) called(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at(now).calls++
}

// spend counts a retry, if there may be one.
func (b *budget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	current := b.at(now)
	var calls, retries int64
	for _, one := range b.seconds {
		if one.second > current.second-budgetWindow {
			calls, retries = calls+one.calls, retries+one.retries
		}
	}
	if float64(retries+1) > float64(calls)*b.percent/100+b.least {
		return false
	}
	current.retries++
	return true
}

// at returns the tally of a second, in place of the one of ten seconds before.
func (b *budget) at(now time.Time) *tally {
	second := now.Unix()
	found := &b.seconds[second%budgetWindow]
	if found.second != second {
		*found = tally{second: second}
	}
	return found
}
