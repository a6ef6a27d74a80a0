//! The platform's part: negotiation, connection and stream. A browser has them; elsewhere they can't exist.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod nowhere;

#[cfg(target_arch = "wasm32")]
use browser as platform;
#[cfg(not(target_arch = "wasm32"))]
use nowhere as platform;

pub use platform::{Connection, Stream};
pub(crate) use platform::{accept, dial, stats};
