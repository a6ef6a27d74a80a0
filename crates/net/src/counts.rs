//! What became of the attempts to connect, for whoever wants to know why a peer is not reached directly.

use std::sync::{Arc, Mutex, PoisonError};

use libp2p_webrtc_browser as webrtc;

/// Where a swarm counts, for others to read.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<ConnectionCounts>>);

/// Connections since the swarm was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Direct connections that this node began to make.
    pub attempts: u32,
    /// Sessions that began on a direct connection, whoever made it.
    pub direct: u32,
    /// Sessions that began on a circuit, whoever opened it.
    pub relayed: u32,
    /// Attempts that led to nothing, by the reason.
    pub failures: DirectFailures,
}

/// Why direct connections were not made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectFailures {
    /// There was no circuit to the peer, or it ended: the peer is gone, or its relay is.
    pub unreachable: u32,
    /// The peer did not answer as it should, or not in time.
    pub unanswered: u32,
    /// The browsers found no path between them: most often a strict NAT or a firewall.
    pub no_path: u32,
    /// This browser refused to take part.
    pub blocked: u32,
}

impl Counts {
    /// What was counted up to now.
    pub fn get(&self) -> ConnectionCounts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, change: impl FnOnce(&mut ConnectionCounts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl DirectFailures {
    pub(crate) fn count(&mut self, error: &webrtc::Error) {
        use webrtc::{Error, Stage};
        let counter = match error {
            Error::CircuitDial(_) | Error::CircuitClosed | Error::NoSignalingPath(_) => &mut self.unreachable,
            Error::ConnectivityFailed | Error::Timeout(Stage::Connectivity) => &mut self.no_path,
            Error::Browser { .. } | Error::Unsupported => &mut self.blocked,
            _ => &mut self.unanswered,
        };
        *counter += 1;
    }
}
