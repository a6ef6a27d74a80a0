//! Lets the host's own event loop have a turn during long work.
//!
//! In a worker, messages from the page wait while our futures keep each other busy: they run as microtasks. After a slice
//! of work the loop therefore waits for a turn of the host. In a browser that is a message to ourselves, since timers that follow
//! each other are held back by four milliseconds there.

use std::time::Duration;

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
            imp::turn().await;
            self.since = Instant::now();
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    use js_sys::Promise;
    use wasm_bindgen::JsValue;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::MessageChannel;

    /// Lets everything that waits in this thread happen first.
    pub(super) async fn turn() {
        let Ok(channel) = MessageChannel::new() else { return };
        let (here, there) = (channel.port1(), channel.port2());
        let heard = Promise::new(&mut |resolve, _| here.set_onmessage(Some(&resolve)));
        if there.post_message(&JsValue::NULL).is_ok() {
            // It is only ever resolved.
            JsFuture::from(heard).await.ok();
        }
        here.close();
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use std::time::Duration;

    use futures_timer::Delay;

    pub(super) async fn turn() {
        Delay::new(Duration::ZERO).await;
    }
}
