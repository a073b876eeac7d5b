//! How many calls of one service this process may try again: what keeps retries from making an overload worse.

use std::sync::{Mutex, PoisonError};

/// How many seconds are looked back on.
const WINDOW: usize = 10;

/// Counts calls and retries by the second. Without a limit there may be any number of retries.
///
/// With one there may be, within any ten seconds, so many percent of the calls, and ten times so many more a second.
/// That is how Finagle's and Linkerd's retry budgets count.
#[derive(Default)]
pub struct Budget(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    /// Percent of the calls, and retries within the window whatever the percentage allows.
    limit: Option<(f64, f64)>,
    seconds: [Tally; WINDOW],
}

/// What happened within one second.
#[derive(Clone, Copy, Default)]
struct Tally {
    second: u64,
    calls: u32,
    retries: u32,
}

impl Budget {
    /// Sets the limit, of percent and retries a second, or takes it away. What was counted stays.
    pub fn allow(&self, limit: Option<(f64, f64)>) {
        self.counted().limit = limit.map(|(percent, least)| (percent, least * 10.0));
    }

    /// Counts a call, at a second of any clock that does not go back.
    pub fn called(&self, second: u64) {
        self.counted().at(second).calls += 1;
    }

    /// Counts a retry, if there may be one.
    pub fn spend(&self, second: u64) -> bool {
        let mut counted = self.counted();
        counted.at(second);
        let (mut calls, mut retries) = (0, 0);
        for tally in counted.seconds.iter().filter(|tally| tally.second + WINDOW as u64 > second) {
            calls += tally.calls;
            retries += tally.retries;
        }
        if let Some((percent, least)) = counted.limit
            && f64::from(retries + 1) > f64::from(calls) * percent / 100.0 + least
        {
            return false;
        }
        counted.at(second).retries += 1;
        true
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// The tally of a second, in place of the one of ten seconds before.
    fn at(&mut self, second: u64) -> &mut Tally {
        #[allow(clippy::cast_possible_truncation, reason = "it is below ten")]
        let tally = &mut self.seconds[(second % WINDOW as u64) as usize];
        if tally.second != second {
            *tally = Tally { second, ..Tally::default() };
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_calls_may_be_tried_again() {
        let budget = Budget::default();
        budget.allow(Some((20.0, 0.0)));
        (0..10).for_each(|_| budget.called(100));
        assert_eq!((0..5).filter(|_| budget.spend(100)).count(), 2);
        assert!(!budget.spend(109));
    }

    #[test]
    fn calls_of_ten_seconds_ago_count_no_more() {
        let budget = Budget::default();
        budget.allow(Some((100.0, 0.0)));
        budget.called(100);
        assert!(!budget.spend(110));
    }

    #[test]
    fn some_retries_a_second_are_allowed_anyway() {
        let budget = Budget::default();
        budget.allow(Some((0.0, 0.5)));
        assert_eq!((0..9).filter(|_| budget.spend(7)).count(), 5);
    }

    #[test]
    fn without_a_limit_there_is_none() {
        assert!(Budget::default().spend(1));
    }
}
