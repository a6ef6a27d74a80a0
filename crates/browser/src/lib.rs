//! The wasm surface of the npm package: translation, no decisions.
//!
//! One file is loaded twice in a tab. On the window it is a `Swarm`, since only a window has `RTCPeerConnection`; in a
//! dedicated worker it is a `Host`, which drives the node over IndexedDB. A `MessagePort` joins the two, and carries
//! bytes by transfer.
//!
//! What the package asks is one `Request`, what it is told is one `News`; both are
//! plain JavaScript objects, whose TypeScript is generated from the structs here. Amounts are bigint, times are `Date`.
//!
//! Bounds: what is under way on the port is bounded in bytes (see `pipe`); everything else is bounded where it lives, in
//! `net`, `driver` and `node`.
#![cfg(target_arch = "wasm32")]

mod error;
mod host;
mod log;
mod news;
mod panic;
mod pipe;
mod proof;
mod request;
mod swarm;
mod view;

pub use host::Host;
pub use log::log;
pub use panic::on_panic;
pub use proof::{verify_account_proof, verify_block_proof};
pub use swarm::Swarm;

#[cfg(test)]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
