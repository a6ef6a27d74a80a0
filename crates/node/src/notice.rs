//! What the node is busy with, told as it changes.

use std::collections::BTreeSet;

use tabchain_primitives::{BlockHash, CompactTarget, Height, Timestamp, U256, Work};
use tabchain_sync::headers::Bar;
use tabchain_sync::{Keeps, LinkMessage, PeerId, TipClaim};

use crate::node::{Node, Phase};
use crate::past::Past;
use crate::{Event, PastProgress, Progress, Status, SyncState, Warning};

/// Sync is told at most so often while its state stays.
const TELL_EVERY_MS: u64 = 500;
/// Peers are told at most so often which bodies there are.
const TELL_KEEPS_EVERY_MS: u64 = 5_000;
/// A tip is stale after so many intervals, and at least [`STALE_AT_LEAST_MS`].
const STALE_INTERVALS: u64 = 60;
const STALE_AT_LEAST_MS: u64 = 15 * 60 * 1000;
/// So far behind the best header the node catches up in bulk.
const CATCHING_UP: u32 = 3;
/// Blocks over which the network's hash rate is estimated.
const RATE_BLOCKS: u32 = 30;
/// So many peers must agree that our clock is off, by so much.
const CLOCK_PEERS: usize = 3;
const CLOCK_OFF_MS: u64 = 30_000;

/// What is told of sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SyncFacts {
    state: SyncState,
    height: Height,
    best_height: Height,
    progress: Progress,
    peers: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Notices {
    told: Option<SyncFacts>,
    told_at: Timestamp,
    /// The bodies that peers were told of, and when.
    keeps: Keeps,
    keeps_at: Timestamp,
    stale_told: bool,
    clock_told: bool,
}

impl Node {
    /// The block at which the node stands, once it has read its store and until it is closed. It is the one that the last
    /// [`Event::Head`] told of, or that one tells of in a moment.
    pub fn tip(&self) -> Option<BlockHash> {
        let stands = self.ready && matches!(self.phase, Phase::Running);
        stands.then(|| self.chain.tip().hash)
    }

    /// The best header as a claim.
    pub(crate) fn best_claim(&self) -> TipClaim {
        let best = self.chain.best_header();
        TipClaim { hash: best.hash, height: best.height, work: best.work }
    }

    /// Whether there are many blocks to fetch and check. A node whose tip is of the present is not, whatever headers it is
    /// shown.
    pub(crate) fn is_catching_up(&self) -> bool {
        let (best, tip) = (self.chain.best_header(), self.chain.tip());
        let behind = best.height.value() > tip.height.value() + CATCHING_UP && !self.is_at_present();
        let beginning = (self.headers.is_asking() || self.heaviest.is_coming()) && self.is_new();
        !self.ready || behind || beginning
    }

    /// Whether the best header has more work than the tip.
    pub(crate) fn has_blocks_ahead(&self) -> bool {
        self.chain.best_header().work > self.chain.tip().work
    }

    /// Whether the tip is no older than a tip may be in a network that goes on.
    pub(crate) fn is_at_present(&self) -> bool {
        self.clock.day().since(self.chain.tip().header.time()) < self.look_patience()
    }

    /// What the node is busy with.
    pub(crate) fn sync_state(&self) -> SyncState {
        let greeted = self.greeted().next().is_some();
        if !self.ready {
            SyncState::Starting
        } else if !greeted && self.peers.is_empty() && self.dialling.is_empty() {
            SyncState::Alone
        } else if !greeted {
            SyncState::Connecting
        } else if self.headers.is_behind(&Bar::best(&self.best_claim()), |hash| self.chain.contains(hash)) {
            SyncState::Headers
        } else if self.joining.is_fetching() {
            SyncState::Snapshot
        } else if self.has_blocks_ahead() {
            SyncState::Blocks
        } else {
            SyncState::Synced
        }
    }

    /// Tells what changed since it was last told.
    pub(crate) fn notice(&mut self) {
        self.tell_sync();
        self.tell_keeps();
        self.tell_changed_peers();
        self.ask_for_pools();
        self.watch_tip();
        self.watch_clock();
    }

    pub(crate) fn next_notice_moment(&self) -> Option<Timestamp> {
        let sync = (self.notices.told != Some(self.sync_facts()))
            .then(|| self.notices.told_at.saturating_add(TELL_EVERY_MS));
        let stale = (self.ready && !self.notices.stale_told)
            .then(|| self.tip_since.saturating_add(self.stale_after()));
        let keeps = (self.notices.keeps != self.keeps())
            .then(|| self.notices.keeps_at.saturating_add(TELL_KEEPS_EVERY_MS));
        [sync, stale, keeps].into_iter().flatten().min()
    }

    pub(crate) fn status(&self) -> Status {
        let (tip, best) = (self.chain.tip(), self.chain.best_header());
        Status {
            network: self.config.spec.name().to_owned(),
            genesis: self.config.spec.genesis_hash(),
            height: tip.height,
            tip: tip.hash,
            tip_time: tip.header.time(),
            best_height: best.height,
            sync: self.sync_state(),
            progress: self.progress(),
            keeps_from: self.keeps().from,
            peers: count(self.greeted().count()),
            target: tip.header.target(),
            difficulty: self.difficulty(tip.header.target()),
            network_hash_rate: self.network_hash_rate(),
            mempool: count(self.mempool.len()),
            supply: self.chain.supply(),
            mining: self.mining.status(),
        }
    }

    /// How many times harder a target is than the easiest one of this chain.
    pub(crate) fn difficulty(&self, target: CompactTarget) -> f64 {
        let work = target.expand().map_or(0.0, |target| approximate(target.work().value()));
        work / approximate(self.config.spec.pow_limit().work().value())
    }

    fn network_hash_rate(&self) -> f64 {
        let tip = self.chain.tip();
        let Some(from) =
            tip.height.value().checked_sub(RATE_BLOCKS.min(tip.height.value().saturating_sub(1)))
        else {
            return 0.0;
        };
        let past = self.chain.hash_at(tabchain_primitives::Height::new(from));
        let Some((past, header)) =
            past.and_then(|hash| Some((self.chain.entry(&hash)?, self.chain.header(&hash)?)))
        else {
            return 0.0;
        };
        let millis = tip.header.time().since(header.time());
        let work = Work::value(tip.work).saturating_sub(past.work.value());
        if millis == 0 { 0.0 } else { approximate(work) * 1000.0 / approximate(U256::from(millis)) }
    }

    /// Whether the tip is so old that this node has certainly been away.
    fn is_new(&self) -> bool {
        let age = self.clock.day().since(self.chain.tip().header.time());
        age > self.stale_after()
    }

    fn sync_facts(&self) -> SyncFacts {
        SyncFacts {
            state: self.sync_state(),
            height: self.chain.tip().height,
            best_height: self.chain.best_header().height,
            progress: self.progress(),
            peers: count(self.greeted().count()),
        }
    }

    fn progress(&self) -> Progress {
        let past = |past: &Past| PastProgress { joined_at: past.anchor(), checked: past.checked() };
        let asked = self.requests.notes().filter(|(_, note)| note.is_bulk());
        let sources: BTreeSet<_> = asked.map(|(peer, _)| peer).collect();
        Progress {
            snapshot: self.joining.progress(),
            past: self.past.as_deref().map(past),
            sources: count(sources.len()),
        }
    }

    fn tell_sync(&mut self) {
        let facts = self.sync_facts();
        let changed = self.notices.told != Some(facts);
        let new_state = self.notices.told.is_none_or(|told| told.state != facts.state);
        if !changed || !new_state && self.now.since(self.notices.told_at) < TELL_EVERY_MS {
            return;
        }
        self.notices.told = Some(facts);
        self.notices.told_at = self.now;
        let SyncFacts { state, height, best_height, progress, peers } = facts;
        self.event(Event::Sync { state, height, best_height, progress, peers });
    }

    /// Tells peers which bodies there are, when that has changed.
    fn tell_keeps(&mut self) {
        let keeps = self.keeps();
        if keeps == self.notices.keeps || self.now.since(self.notices.keeps_at) < TELL_KEEPS_EVERY_MS {
            return;
        }
        (self.notices.keeps, self.notices.keeps_at) = (keeps, self.now);
        let peers: Vec<PeerId> = self.greeted().map(|(id, _)| *id).collect();
        for peer in peers {
            self.say(&peer, LinkMessage::Keeps(keeps));
        }
    }

    /// Asks peers for their pending transactions, once the tip is reached and something can be said about them.
    fn ask_for_pools(&mut self) {
        if self.is_catching_up() || self.sync_state() != SyncState::Synced {
            return;
        }
        let peers =
            self.peers.iter_mut().filter(|(_, peer)| peer.hello.is_some() && !peer.asked_for_transactions);
        let peers: Vec<PeerId> = peers
            .map(|(id, peer)| {
                peer.asked_for_transactions = true;
                *id
            })
            .collect();
        for peer in peers {
            self.say(&peer, LinkMessage::GetTransactions);
        }
    }

    fn stale_after(&self) -> u64 {
        self.config.spec.interval_ms().saturating_mul(STALE_INTERVALS).max(STALE_AT_LEAST_MS)
    }

    fn watch_tip(&mut self) {
        let age = self.now.since(self.tip_since);
        if age < self.stale_after() {
            self.notices.stale_told = false;
        } else if self.ready && !std::mem::replace(&mut self.notices.stale_told, true) {
            self.event(Event::Warning(Warning::StaleTip { minutes: age / 60_000 }));
        }
    }

    fn watch_clock(&mut self) {
        if self.notices.clock_told {
            return;
        }
        let mut ahead: Vec<i64> =
            self.greeted().filter(|(_, peer)| peer.info.outbound).map(|(_, peer)| peer.ahead).collect();
        if ahead.len() < CLOCK_PEERS {
            return;
        }
        ahead.sort_unstable();
        let median = ahead[ahead.len() / 2];
        if median.unsigned_abs() > CLOCK_OFF_MS {
            self.notices.clock_told = true;
            self.event(Event::Warning(Warning::Clock { seconds: median / 1000 }));
        }
    }
}

/// A number as near as a float comes to it.
fn approximate(number: U256) -> f64 {
    number
        .into_limbs()
        .iter()
        .rev()
        .fold(0.0, |sum, &limb| sum * 18_446_744_073_709_551_616.0 + limb_value(limb))
}

#[allow(clippy::cast_precision_loss)]
fn limb_value(limb: u64) -> f64 {
    limb as f64
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
