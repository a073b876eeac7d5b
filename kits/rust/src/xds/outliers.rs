//! Instances that fail too much are left alone for a while: gRFC A50, of which this is the algorithm of failure
//! percentages. That of success rates is not here, since the control plane never asks for it.
//! <https://github.com/grpc/proposal/blob/master/A50-xds-outlier-detection.md>

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prost_types::Duration as Said;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::generated::envoy as xds;
use crate::xds::ads::Known;

/// When an instance is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    interval: Duration,
    base: Duration,
    longest: Duration,
    /// Percent of the instances, from which on no other is left alone.
    most: u32,
    /// Percent of an instance's calls, above which it is.
    threshold: u32,
    /// Percent of the ejections that are carried out.
    enforcing: u32,
    /// With fewer instances that have enough calls, none is.
    hosts: usize,
    /// Calls of an instance within an interval, below which it is not judged.
    volume: u32,
}

impl Detection {
    /// Reads what a cluster says of it; nothing where it is off. Fails on what A50 has clients refuse.
    pub fn new(cluster: &xds::Cluster) -> Result<Option<Self>, String> {
        let Some(said) = &cluster.outlier_detection else { return Ok(None) };
        let percent = |name: &str, said: Option<u32>, default: u32| match said.unwrap_or(default) {
            percent @ 0..=100 => Ok(percent),
            found => Err(format!("{}: expected {name} of at most 100, found {found}", cluster.name)),
        };
        let time = |name: &str, said: Option<Said>, default: u64| match said.map(Duration::try_from) {
            None => Ok(Duration::from_secs(default)),
            Some(time) => time.map_err(|error| format!("{}: {name}: {error}", cluster.name)),
        };
        let base = time("base_ejection_time", said.base_ejection_time, 30)?;
        let detection = Self {
            interval: time("interval", said.interval, 10)?.max(Duration::from_millis(1)),
            base,
            longest: time("max_ejection_time", said.max_ejection_time, 300)?.max(base),
            most: percent("max_ejection_percent", said.max_ejection_percent, 10)?,
            threshold: percent("failure_percentage_threshold", said.failure_percentage_threshold, 85)?,
            enforcing: percent("enforcing_failure_percentage", said.enforcing_failure_percentage, 0)?,
            hosts: said.failure_percentage_minimum_hosts.unwrap_or(5) as usize,
            volume: said.failure_percentage_request_volume.unwrap_or(50),
        };
        Ok(Some(detection).filter(|detection| detection.enforcing > 0))
    }

    /// Judges instances that stand in for each other by their calls since this was done last.
    fn judge(&self, instances: &[&Calls], now: Instant) {
        let counts: Vec<_> = instances.iter().map(|calls| calls.take()).collect();
        let enough = |good: u32, bad: u32| good.saturating_add(bad) >= self.volume.max(1);
        if counts.iter().filter(|(good, bad)| enough(*good, *bad)).count() >= self.hosts {
            for (calls, (good, bad)) in instances.iter().zip(counts) {
                let out = instances.iter().filter(|calls| calls.ejected()).count();
                if out * 100 >= self.most as usize * instances.len() {
                    break;
                }
                let share = f64::from(bad) * 100.0 / (f64::from(good) + f64::from(bad));
                let failing = enough(good, bad) && share > f64::from(self.threshold);
                if failing && !calls.ejected() && rand::random_range(0..100) < self.enforcing {
                    calls.eject(now);
                }
            }
        }
        for calls in instances {
            calls.pass(self, now);
        }
    }
}

/// How the calls of an instance went, and whether it is left alone.
#[derive(Default)]
pub struct Calls {
    good: AtomicU32,
    bad: AtomicU32,
    ejected: AtomicBool,
    past: Mutex<Past>,
}

#[derive(Default)]
struct Past {
    /// How many times the base time an ejection lasts.
    times: u32,
    since: Option<Instant>,
}

impl Calls {
    /// Whether it is left alone.
    pub fn ejected(&self) -> bool {
        self.ejected.load(Relaxed)
    }

    fn take(&self) -> (u32, u32) {
        (self.good.swap(0, Relaxed), self.bad.swap(0, Relaxed))
    }

    fn change(&self, change: impl FnOnce(&mut Past)) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut past);
        self.ejected.store(past.since.is_some(), Relaxed);
    }

    fn eject(&self, now: Instant) {
        self.change(|past| *past = Past { times: past.times + 1, since: Some(now) });
    }

    fn forgive(&self) {
        self.change(|past| *past = Past::default());
    }

    /// Has one more interval be over.
    fn pass(&self, detection: &Detection, now: Instant) {
        self.change(|past| match past.since {
            None => past.times = past.times.saturating_sub(1),
            Some(since) if now >= since + (detection.base * past.times).min(detection.longest) => {
                past.since = None;
            }
            Some(_) => {}
        });
    }
}

/// A call of an instance. It failed unless it is said to be good before this is dropped.
pub struct Outcome(Option<Arc<Calls>>);

impl Outcome {
    pub fn of(calls: Arc<Calls>) -> Self {
        Self(Some(calls))
    }

    /// It ended well.
    pub fn good(mut self) {
        if let Some(calls) = self.0.take() {
            calls.good.fetch_add(1, Relaxed);
        }
    }

    /// The instance has not seen it.
    pub fn unseen(mut self) {
        self.0 = None;
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if let Some(calls) = &self.0 {
            calls.bad.fetch_add(1, Relaxed);
        }
    }
}

/// Judges the instances of a cluster again and again, until it is dropped: then none is left alone any more.
pub struct Judge {
    detection: Detection,
    _ends: oneshot::Sender<()>,
}

impl Judge {
    pub fn begin(
        cluster: String,
        detection: Detection,
        known: watch::Receiver<Arc<Known>>,
        changed: watch::Sender<()>,
    ) -> Self {
        let (ends, mut ended) = oneshot::channel();
        tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + detection.interval, detection.interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let over = tokio::select! {
                    _ = &mut ended => true,
                    _ = ticks.tick() => false,
                };
                let now_known = Arc::clone(&known.borrow());
                let levels =
                    now_known.clusters.get(&cluster).into_iter().flat_map(|(cluster, _)| cluster.calls());
                for level in levels {
                    if over {
                        level.into_iter().for_each(Calls::forgive);
                    } else {
                        detection.judge(&level, Instant::now());
                    }
                }
                changed.send_replace(());
                if over {
                    return;
                }
            }
        });
        Self { detection, _ends: ends }
    }

    /// Whether it does what is said now.
    pub fn does(&self, detection: &Detection) -> bool {
        self.detection == *detection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of the instances at most, when more than 80 % of 10 calls failed, and in the beginning for 3 intervals.
    fn detection() -> Detection {
        Detection {
            interval: Duration::from_secs(10),
            base: Duration::from_secs(30),
            longest: Duration::from_secs(50),
            most: 50,
            threshold: 80,
            enforcing: 100,
            hosts: 2,
            volume: 10,
        }
    }

    fn ended(good: u32, bad: u32) -> Calls {
        Calls { good: good.into(), bad: bad.into(), ..Calls::default() }
    }

    /// Who of these is left alone after they were judged once.
    fn judged(instances: &[Calls]) -> Vec<bool> {
        detection().judge(&instances.iter().collect::<Vec<_>>(), Instant::now());
        instances.iter().map(Calls::ejected).collect()
    }

    #[test]
    fn who_fails_more_than_the_threshold_is_left_alone() {
        assert_eq!(judged(&[ended(10, 0), ended(1, 9)]), [false, true]);
        assert_eq!(judged(&[ended(10, 0), ended(2, 8)]), [false, false]);
    }

    #[test]
    fn nobody_is_left_alone_for_few_calls_nor_the_only_one_that_has_enough() {
        assert_eq!(judged(&[ended(10, 0), ended(10, 0), ended(0, 9)]), [false; 3]);
        assert_eq!(judged(&[ended(9, 0), ended(0, 10)]), [false; 2]);
        assert_eq!(judged(&[ended(0, 10)]), [false]);
    }

    #[test]
    fn no_more_are_left_alone_once_half_of_them_are() {
        assert_eq!(judged(&[ended(0, 10), ended(0, 10)]), [true, false]);
        assert_eq!(judged(&[ended(0, 10), ended(0, 10), ended(0, 10)]), [true, true, false]);
    }

    #[test]
    fn nobody_is_left_alone_where_that_is_not_enforced() {
        let detection = Detection { enforcing: 0, ..detection() };
        let failing = ended(0, 10);
        detection.judge(&[&ended(10, 0), &failing], Instant::now());
        assert!(!failing.ejected());
    }

    /// Judges a failing instance, then an idle one, and gives how many seconds it was left alone.
    fn seconds_alone(calls: &Calls, now: &mut Instant) -> u64 {
        let ejected = *now;
        calls.bad.store(10, Relaxed);
        detection().judge(&[&ended(10, 0), calls], *now);
        while calls.ejected() {
            *now += detection().interval;
            detection().judge(&[calls], *now);
        }
        (*now - ejected).as_secs()
    }

    #[test]
    fn each_further_time_is_longer_up_to_the_longest_and_good_intervals_make_it_shorter() {
        let (calls, mut now) = (Calls::default(), Instant::now());
        assert_eq!([(); 3].map(|()| seconds_alone(&calls, &mut now)), [30, 50, 50]);
        for _ in 0..3 {
            detection().judge(&[&calls], now);
        }
        assert_eq!(seconds_alone(&calls, &mut now), 30);
    }

    #[test]
    fn a_call_that_is_given_up_has_failed_and_one_that_nobody_saw_is_not_counted() {
        let calls = Arc::new(Calls::default());
        let outcome = || Outcome::of(Arc::clone(&calls));
        outcome().good();
        outcome().unseen();
        drop(outcome());
        drop(outcome());
        assert_eq!(calls.take(), (1, 2));
    }

    #[test]
    fn what_a_cluster_leaves_out_is_as_in_envoy_and_no_share_is_above_all() {
        let read = |enforcing, percent| {
            let said = xds::OutlierDetection {
                enforcing_failure_percentage: enforcing,
                max_ejection_percent: percent,
                ..xds::OutlierDetection::default()
            };
            Detection::new(&xds::Cluster { outlier_detection: Some(said), ..xds::Cluster::default() })
        };
        assert_eq!(Detection::new(&xds::Cluster::default()), Ok(None));
        assert_eq!(read(None, None), Ok(None));
        let said = read(Some(100), None).unwrap().unwrap();
        assert_eq!((said.most, said.threshold, said.hosts, said.volume), (10, 85, 5, 50));
        let times = [said.interval, said.base, said.longest].map(|time| time.as_secs());
        assert_eq!(times, [10, 30, 300]);
        assert!(read(Some(100), Some(101)).is_err());
    }
}
