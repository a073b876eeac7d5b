//! The pauses between attempts to reach what is away: each is longer than the one before, up to a longest, and none is as
//! long as anybody else's, so that those who wait do not come back together.

use std::time::Duration;

use tokio::time::sleep;

/// Pauses that grow by 1.6, as those of gRPC do.
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Pauses for streams from the control plane, which is to be followed again soon after it comes back.
    pub fn of_streams() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(2))
    }

    /// Waits for the next pause.
    pub async fn pause(&mut self) {
        sleep(self.next.mul_f64(jitter())).await;
        self.next = self.next.mul_f64(1.6).min(self.longest);
    }

    /// Begins with the first pause again, since an attempt went well.
    pub fn worked(&mut self) {
        self.next = self.first;
    }
}

/// A factor of about one, so that those who wait do not come back together.
pub fn jitter() -> f64 {
    0.8 + 0.4 * rand::random::<f64>()
}
