//! What time it is.

use tabchain_primitives::Timestamp;
use web_time::{SystemTime, UNIX_EPOCH};

/// Tells a driver the time.
pub trait Clock {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
