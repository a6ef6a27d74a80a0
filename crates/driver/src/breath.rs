//! Lets the host's own event loop have a turn during long work.
//!
//! In a worker, messages from the page wait while our futures keep each other busy: they run as microtasks. After a slice
//! of work the loop therefore waits for a timer, which only fires once the host has had its turn.

use std::time::Duration;

use futures_timer::Delay;
use web_time::Instant;

/// How long work goes on before others have a turn.
const SLICE: Duration = Duration::from_millis(30);

pub(crate) struct Breath {
    since: Instant,
}

impl Breath {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now() }
    }

    /// Waits a turn if the slice is used up.
    pub(crate) async fn take(&mut self) {
        if self.since.elapsed() >= SLICE {
            Delay::new(Duration::ZERO).await;
            self.since = Instant::now();
        }
    }
}
