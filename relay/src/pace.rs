//! How fast a connection may send into circuits.
//!
//! A circuit's own limits bound what it carries in all; opened again and again, circuits could still fill the relay's line.
//! So each connection has an allowance: it refills by so many bytes a second, up to `SAVED` seconds' worth, and whoever
//! has used it up is read from more slowly. Nothing is lost: the sender waits. Signalling never gets that far.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many seconds' worth may be saved up.
const SAVED: u32 = 16;

/// A wait lasts for at least so long, so that small reads don't each wait by themselves.
const SHORTEST: Duration = Duration::from_millis(20);

/// What the streams of one connection may still send.
#[derive(Debug, Clone)]
pub struct Allowance(Arc<Mutex<Bucket>>);

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    left: f64,
    since: Instant,
}

impl Allowance {
    /// So many bytes a second, with as much saved up as there can be.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self(Arc::new(Mutex::new(Bucket {
            per_second,
            left: per_second * f64::from(SAVED),
            since: Instant::now(),
        })))
    }

    /// Until when to wait before more is read; `None`: not at all.
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.since).as_secs_f64();
        let most = bucket.per_second * f64::from(SAVED);
        bucket.left = bucket.per_second.mul_add(passed, bucket.left).min(most);
        bucket.since = now;
        let missing = -bucket.left / bucket.per_second;
        (bucket.left <= 0.0).then(|| now + Duration::from_secs_f64(missing).max(SHORTEST))
    }

    /// So many bytes were read.
    pub fn spend(&self, bytes: u64) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A read is a few KiB: exact in a float.
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let bytes = bytes as f64;
        bucket.left -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_saved_goes_at_once_and_the_rest_by_the_second() {
        let allowance = Allowance::new(1_000);
        let start = Instant::now();
        allowance.spend(15_999);
        assert_eq!(allowance.wait_until(start), None);
        allowance.spend(2_001);
        assert_eq!(allowance.wait_until(start), Some(start + Duration::from_secs(2)));
        assert_eq!(allowance.wait_until(start + Duration::from_secs(3)), None);
        let late = start + Duration::from_hours(1);
        assert_eq!(allowance.wait_until(late), None);
        allowance.spend(17_000);
        assert_eq!(allowance.wait_until(late), Some(late + Duration::from_secs(1)), "no more is saved");
    }
}
