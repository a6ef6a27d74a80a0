//! Forgetting what is old: steps back beyond [`Limits::keep_undo`](crate::Limits), and with
//! [`Limits::keep_bodies`](crate::Limits) the bodies of old blocks and the index of them.
//!
//! A pruned node has checked every block as any other, and keeps all headers, the whole state and the last bodies. It says
//! so to its peers, who then don't ask it for older ones. The index goes by whole segments, so some of it leads to a body
//! that is gone, which is as if it led nowhere.
//!
//! Bounds: [`AT_ONCE`] blocks an input.

use tabchain_chain::Undo;
use tabchain_primitives::codec::Encode;
use tabchain_primitives::{BlockHash, Header, Height};
use tabchain_records::Column;

use crate::node::Node;
use crate::past;
use crate::rows;
use crate::store::BULK_CHECKPOINT_BLOCKS;

/// Blocks forgotten on one input.
const AT_ONCE: u32 = 256;
/// Blocks are gathered, up to this part of those that are kept, before any is forgotten.
const GATHERED: u32 = 16;
/// Of blocks far below the best header, steps back are written for the last ones only, this part of those that are kept: hardly any is
/// ever taken, and each is a row.
const IN_BULK: u32 = 8;
/// No segment of the index is longer: what begins so far below the kept blocks ends below them too.
const LONGEST_SEGMENT: u32 = 2 * if past::CHECKPOINT_BLOCKS > BULK_CHECKPOINT_BLOCKS {
    past::CHECKPOINT_BLOCKS
} else {
    BULK_CHECKPOINT_BLOCKS
};

#[derive(Debug, Default)]
pub(crate) struct Pruning {
    /// Every body up to and with this height is gone, the genesis aside.
    pub(crate) until: Height,
}

impl Node {
    /// Forgets bodies that are too old, if not all are to be kept.
    pub(crate) fn prune(&mut self) {
        if !self.may_prune() {
            return;
        }
        let (from, goal) = (self.pruning.until.value(), self.prune_goal().value());
        let until = goal.min(from.saturating_add(AT_ONCE));
        for height in (from + 1..=until).map(Height::new) {
            if let Some(hash) = self.chain.hash_at(height).filter(|hash| self.chain.has_body(hash)) {
                self.blocks.remove(&hash);
                self.disk.delete(Column::Undo, *hash.as_bytes());
                self.forget_body(&hash);
            }
        }
        self.pruning.until = Height::new(until);
        if until / LONGEST_SEGMENT > from / LONGEST_SEGMENT {
            self.prune_index(Height::new(until - LONGEST_SEGMENT));
        }
    }

    /// Whether there is enough to forget, and nothing in the way of it.
    pub(crate) fn may_prune(&self) -> bool {
        let due = self.prune_goal().value().saturating_sub(self.pruning.until.value());
        let enough = self.config.limits.keep_bodies.is_some_and(|keep| due > keep / GATHERED);
        self.ready && self.disk.has_room() && enough
    }

    /// Whether a block's body was forgotten on purpose. One that comes late is of no use.
    pub(crate) fn is_pruned(&self, hash: &BlockHash) -> bool {
        let height = self.chain.header(hash).map(Header::height);
        height.is_some_and(|height| height <= self.pruning.until) && self.chain.is_active(hash)
    }

    /// Keeps the step back of a block that was just connected, and forgets the one that it makes too old.
    pub(crate) fn keep_undo(&mut self, undo: &Undo, height: Height) {
        let (keep, best) = (self.config.limits.keep_undo, self.chain.best_header().height.value());
        if height.value().saturating_add(keep.div_ceil(IN_BULK)) > best {
            self.disk.put(Column::Undo, *undo.block().as_bytes(), undo.to_bytes());
        } else {
            // By the time the tip is reached it would be old.
            let on = self.no_undo.take().filter(|none| none.end().next() == Some(height));
            self.no_undo = Some(on.map_or(height, |none| *none.start())..=height);
        }
        let old = height.value().checked_sub(keep).map(Height::new);
        let written = old.filter(|old| self.no_undo.as_ref().is_none_or(|none| !none.contains(old)));
        if let Some(hash) = written.and_then(|old| self.chain.hash_at(old)) {
            self.disk.delete(Column::Undo, *hash.as_bytes());
        }
    }

    /// The highest block whose body goes. What has yet to be checked, or would be connected or checked again by a later run,
    /// stays.
    fn prune_goal(&self) -> Height {
        let Some(keep) = self.config.limits.keep_bodies else { return Height::GENESIS };
        let keep = keep.max(self.unwritten.blocks);
        let old = Height::new(self.chain.tip().height.value().saturating_sub(keep));
        self.past.as_ref().map_or(old, |past| old.min(past.written()))
    }

    /// Forgets the segments of the index that begin below a height.
    fn prune_index(&mut self, below: Height) {
        for kind in *b"at" {
            for first_byte in 0..=u8::MAX {
                self.disk.delete_range(Column::Index, rows::segments_below([kind, first_byte], below));
            }
        }
    }
}
