//! Branches of headers whose bodies do not come.
//!
//! Headers cost their maker work, and on a young chain not much; bodies that nobody gives cost nothing. So a branch is believed to
//! lead somewhere only for as long as its bodies come: when the first that is lacking has not come for [`PATIENCE_MS`],
//! whoever was asked, the branch counts for nothing, whatever its work, and the next best takes its place. Its first
//! block is still asked for of everybody who claims it; when it comes, the branch is as good as before. Whoever claims it, was
//! asked and gave nothing is let go.
//!
//! What keeps a node from asking is held against no branch: a disk or signatures that it waits for, blocks that it has yet to
//! connect, a snapshot that it fetches, having no peers, sleep.
//!
//! Bounds: one block that is waited for, [`MAX_ASIDE`] that are not; of more, the oldest is asked for no longer.

use std::collections::VecDeque;

use tabchain_primitives::{BlockHash, Timestamp};
use tabchain_sync::PeerId;
use tabchain_sync::book::Regard;

use crate::Reason;
use crate::fetch::SLEPT_MS;
use crate::node::Node;

/// A branch is believed for so long without the first body that it lacks.
const PATIENCE_MS: u64 = 30_000;
/// The most branches whose first block is asked for though nobody waits for it.
const MAX_ASIDE: usize = 64;

/// What is waited for, and what is not any more.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    /// The first block of the best chain whose body is lacking, and since when it is.
    lacking: Option<(BlockHash, Timestamp)>,
    /// First blocks of branches that count for nothing, the oldest first.
    aside: VecDeque<BlockHash>,
}

impl Withheld {
    /// Blocks that are asked for when nothing better is to be had.
    pub(crate) fn aside(&self) -> impl Iterator<Item = BlockHash> {
        self.aside.iter().copied()
    }
}

impl Node {
    /// Sees whether the bodies of the best chain come, and puts it aside if they don't.
    pub(crate) fn watch_bodies(&mut self) {
        let chain = &self.chain;
        self.withheld.aside.retain(|block| chain.is_withheld(block));
        while let Some((block, since)) = self.lacking() {
            self.withheld.lacking = Some((block, since));
            let deadline = since.saturating_add(PATIENCE_MS);
            if self.now < deadline {
                return;
            }
            if self.now.since(deadline) < SLEPT_MS {
                self.put_aside(block);
            } else {
                self.withheld.lacking = Some((block, self.now));
            }
        }
        self.withheld.lacking = None;
    }

    /// When the first body that is lacking has been waited for long enough.
    pub(crate) fn next_withheld_moment(&self) -> Option<Timestamp> {
        self.withheld.lacking.map(|(_, since)| since.saturating_add(PATIENCE_MS))
    }

    /// The first body that is lacking on the best chain, and since when it could have come.
    fn lacking(&self) -> Option<(BlockHash, Timestamp)> {
        if !self.has_blocks_ahead() {
            return None;
        }
        let block = self.chain.missing_bodies(1).first().copied()?;
        let before =
            self.withheld.lacking.filter(|(lacking, _)| *lacking == block && !self.is_kept_busy(block));
        Some(before.unwrap_or((block, self.now)))
    }

    /// Whether it is not for others' sake that a body does not come.
    fn is_kept_busy(&self, block: BlockHash) -> bool {
        let checking = self.is_verifying(&block) || self.blocks_out.are_enough();
        !self.ready
            || checking
            || !self.disk.has_room()
            || self.window() == 0
            || self.is_joining()
            || self.greeted().next().is_none()
    }

    fn put_aside(&mut self, block: BlockHash) {
        let empty_handed = self.empty_handed(&block);
        self.chain.withhold(&block);
        self.withheld.lacking = None;
        self.withheld.aside.push_back(block);
        if self.withheld.aside.len() > MAX_ASIDE {
            self.withheld.aside.pop_front();
        }
        for peer in empty_handed {
            if self.greeted().count() > 1 {
                self.dislike(peer, Regard::Discouraged);
                self.disconnect(&peer, Reason::TooSlow);
            }
        }
    }

    /// Peers that claim a chain with this block, were asked for it, and did not give it.
    fn empty_handed(&self, block: &BlockHash) -> Vec<PeerId> {
        let Some(header) = self.chain.header(block) else { return Vec::new() };
        let claims = |peer: &PeerId| {
            let claim = self.headers.claim(peer).map(|(claimed, _)| claimed);
            claim.and_then(|claimed| self.chain.ancestor(&claimed, header.height())) == Some(*block)
        };
        let peers = self.greeted().map(|(peer, _)| *peer);
        peers.filter(|peer| self.bodies.has_failed(peer, block) && claims(peer)).collect()
    }
}
