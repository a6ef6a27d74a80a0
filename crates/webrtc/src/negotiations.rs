//! Who is negotiating with whom: dials to one peer go one after another, a peer has one inbound negotiation, and when
//! two peers dial each other at once, one of the two attempts ends before it costs a connection.
//!
//! The rule for the last: **the attempt of the peer with the smaller id goes on.** Both sides know both ids, so both
//! judge alike. An attempt that hasn't sent anything yet simply gives way to one that has come in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::channel::oneshot;
use libp2p_identity::PeerId;

use crate::Error;

/// All negotiations of a transport.
#[derive(Debug, Clone)]
pub(crate) struct Negotiations {
    local: PeerId,
    max_inbound: usize,
    peers: Arc<Mutex<HashMap<PeerId, Peer>>>,
}

#[derive(Debug, Default)]
struct Peer {
    outbound: Option<oneshot::Sender<Error>>,
    inbound: Option<(u64, oneshot::Sender<Error>)>,
    /// Counts inbound attempts, so that a replaced one doesn't clear its successor's place.
    inbound_count: u64,
    waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Outbound,
    Inbound(u64),
}

/// The right to negotiate with a peer. It ends when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) peer: PeerId,
    pub(crate) side: Side,
    all: Negotiations,
    /// Resolves when the attempt has to end.
    pub(crate) ended: oneshot::Receiver<Error>,
}

impl Negotiations {
    pub(crate) fn new(local: PeerId, max_inbound: usize) -> Self {
        Self { local, max_inbound, peers: Arc::default() }
    }

    /// Waits until no other dial to the peer is running, then begins one.
    pub(crate) async fn outbound(&self, peer: PeerId) -> Result<Ticket, Error> {
        loop {
            let free = {
                let mut peers = self.lock();
                let entry = peers.entry(peer).or_default();
                if entry.inbound.is_some() {
                    return Err(Error::SimultaneousDial);
                }
                if entry.outbound.is_none() {
                    let (end, ended) = oneshot::channel();
                    entry.outbound = Some(end);
                    return Ok(Ticket { peer, side: Side::Outbound, all: self.clone(), ended });
                }
                entry.waiting.retain(|waiting| !waiting.is_canceled());
                let (tell, free) = oneshot::channel();
                entry.waiting.push(tell);
                free
            };
            // Cancelled when the entry is gone, which means free as well.
            free.await.ok();
        }
    }

    /// Begins an inbound negotiation, ending those that must give way to it.
    pub(crate) fn inbound(&self, peer: PeerId) -> Result<Ticket, Error> {
        let mut peers = self.lock();
        let others = peers.iter().filter(|(other, entry)| **other != peer && entry.inbound.is_some()).count();
        if others >= self.max_inbound {
            return Err(Error::TooManyNegotiations);
        }
        let entry = peers.entry(peer).or_default();
        if entry.outbound.is_some() {
            if self.local < peer {
                return Err(Error::SimultaneousDial);
            }
            if let Some(end) = entry.outbound.take() {
                end.send(Error::SimultaneousDial).ok();
            }
        }
        entry.inbound_count += 1;
        let count = entry.inbound_count;
        let (end, ended) = oneshot::channel();
        if let Some((_, older)) = entry.inbound.replace((count, end)) {
            older.send(Error::Superseded).ok();
        }
        Ok(Ticket { peer, side: Side::Inbound(count), all: self.clone(), ended })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Peer>> {
        // Nothing panics while it is held; the map is valid at any point.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, peer: PeerId, side: Side) {
        let mut peers = self.lock();
        let Some(entry) = peers.get_mut(&peer) else { return };
        match side {
            Side::Outbound => entry.outbound = None,
            Side::Inbound(count) => {
                entry.inbound.take_if(|(current, _)| *current == count);
            }
        }
        // All of them: one that is told and dropped before it acts must not leave the others waiting.
        let waiting = std::mem::take(&mut entry.waiting);
        if entry.outbound.is_none() && entry.inbound.is_none() {
            peers.remove(&peer);
        }
        drop(peers);
        for waiting in waiting {
            waiting.send(()).ok();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.all.end(self.peer, self.side);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, executor::block_on};

    use super::*;

    fn two() -> [PeerId; 2] {
        let mut peers = [PeerId::random(), PeerId::random()];
        peers.sort();
        peers
    }

    fn has_ended(ticket: &mut Ticket) -> Option<Error> {
        ticket.ended.try_recv().expect("the sender lives as long as the attempt")
    }

    #[test]
    fn of_two_dials_that_cross_the_smaller_peers_goes_on() {
        let [small, large] = two();
        let at_small = Negotiations::new(small, 4);
        let at_large = Negotiations::new(large, 4);
        let mut of_small = block_on(at_small.outbound(large)).expect("free");
        let mut of_large = block_on(at_large.outbound(small)).expect("free");
        assert!(matches!(at_small.inbound(large), Err(Error::SimultaneousDial)));
        let accepted = at_large.inbound(small);
        assert!(accepted.is_ok());
        assert!(has_ended(&mut of_small).is_none());
        assert!(matches!(has_ended(&mut of_large), Some(Error::SimultaneousDial)));
    }

    #[test]
    fn a_dial_gives_way_to_an_attempt_that_has_come_in() {
        let [small, large] = two();
        let at_small = Negotiations::new(small, 4);
        let inbound = at_small.inbound(large).expect("free");
        assert!(matches!(block_on(at_small.outbound(large)), Err(Error::SimultaneousDial)));
        drop(inbound);
        assert!(block_on(at_small.outbound(large)).is_ok());
    }

    #[test]
    fn dials_to_one_peer_go_one_after_another() {
        let [local, peer] = two();
        let all = Negotiations::new(local, 4);
        let first = block_on(all.outbound(peer)).expect("free");
        let mut abandoned = Box::pin(all.outbound(peer));
        let mut second = Box::pin(all.outbound(peer));
        assert!(abandoned.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        drop(abandoned);
        drop(first);
        assert!(second.now_or_never().expect("free now").is_ok());
        assert!(all.lock().is_empty());
    }

    #[test]
    fn a_newer_inbound_attempt_replaces_the_older() {
        let [local, peer] = two();
        let all = Negotiations::new(local, 4);
        let mut older = all.inbound(peer).expect("free");
        let newer = all.inbound(peer).expect("replaces");
        assert!(matches!(has_ended(&mut older), Some(Error::Superseded)));
        drop(older);
        assert!(matches!(block_on(all.outbound(peer)), Err(Error::SimultaneousDial)), "the newer still runs");
        drop(newer);
        assert!(all.lock().is_empty());
    }

    #[test]
    fn inbound_attempts_are_bounded() {
        let all = Negotiations::new(PeerId::random(), 2);
        let held: Vec<_> = (0..2).map(|_| all.inbound(PeerId::random()).expect("free")).collect();
        assert!(matches!(all.inbound(PeerId::random()), Err(Error::TooManyNegotiations)));
        drop(held);
        assert!(all.inbound(PeerId::random()).is_ok());
    }
}
