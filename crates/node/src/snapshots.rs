//! States that are kept for others: written as the chain passes them, served chunk by chunk.
//!
//! After every block whose height is a multiple of [`Limits::snapshot_blocks`](crate::Limits) the whole state is written in
//! the form that joining peers get, a little on each input. Should the next block come before that is done, the rest is
//! written at once, because the state moves on with it. While there is far to go, blocks are passed without.
//!
//! Bounds: [`KEPT`] snapshots on disk, each about as large as the state; [`WRITTEN_AT_ONCE`] bytes an input, unless a
//! block comes right after.

use tabchain_chain::Prefix;
use tabchain_primitives::codec::Encode;
use tabchain_primitives::{BlockHash, Height};
use tabchain_records::Column;
use tabchain_sync::message::MAX_CHUNK_BYTES;

use crate::node::Node;
use crate::rows;

/// Snapshots kept: the newest may not be deep enough yet, the one below it always is.
pub(crate) const KEPT: usize = 2;
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// What is there to be served.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Blocks whose state is there whole, lowest first.
    kept: Vec<(Height, BlockHash)>,
    writing: Option<Writing>,
}

/// The state at the tip, as far as it has been written.
#[derive(Debug)]
struct Writing {
    block: BlockHash,
    height: Height,
    left: std::ops::RangeInclusive<u8>,
}

impl Snapshots {
    /// Takes back what the last run had.
    pub(crate) fn restore(&mut self, kept: Vec<(Height, BlockHash)>) {
        self.kept = kept;
    }

    /// The blocks whose state can be given, highest first.
    pub(crate) fn offers(&self) -> Vec<BlockHash> {
        self.kept.iter().rev().map(|(_, hash)| *hash).collect()
    }

    /// The height of a block whose state can be given.
    pub(crate) fn height(&self, block: &BlockHash) -> Option<Height> {
        self.kept.iter().find(|(_, hash)| hash == block).map(|(height, _)| *height)
    }

    /// Whether there is something to write.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }
}

impl Node {
    /// Begins to write the state at the tip, if it is one to be kept.
    pub(crate) fn begin_snapshot(&mut self) {
        let (tip, best) = (self.chain.tip(), self.chain.best_header().height.value());
        let (height, every) = (tip.height.value(), self.config.limits.snapshot_blocks);
        let due = height > 0 && every > 0 && height.is_multiple_of(every);
        let passing = best.saturating_sub(height) >= every.saturating_mul(2);
        if !due || passing || self.snapshots.height(&tip.hash).is_some() {
            return;
        }
        self.forget_snapshots(|at, _| at == tip.height);
        self.snapshots.writing = Some(Writing { block: tip.hash, height: tip.height, left: 0..=u8::MAX });
    }

    /// Writes some more.
    pub(crate) fn go_on_with_snapshot(&mut self) {
        if self.disk.has_room() {
            self.write_snapshot(WRITTEN_AT_ONCE);
        }
    }

    /// Writes the rest, before the state moves on.
    pub(crate) fn finish_snapshot(&mut self) {
        self.write_snapshot(usize::MAX);
    }

    /// The tip is about to be taken back: its state is of no use to anybody.
    pub(crate) fn drop_snapshot_of_tip(&mut self) {
        let tip = self.chain.tip().hash;
        if let Some(writing) = self.snapshots.writing.take() {
            self.disk.delete_range(Column::Snapshots, rows::snapshot_range(writing.height));
        }
        self.forget_snapshots(|_, hash| hash == tip);
    }

    /// Whether a snapshot waits to be written and there is room for it.
    pub(crate) fn can_write_snapshot(&self) -> bool {
        self.snapshots.is_writing() && self.disk.has_room()
    }

    fn write_snapshot(&mut self, most: usize) {
        let Some(Writing { block, height, mut left }) = self.snapshots.writing.take() else { return };
        let mut written = 0;
        while written < most {
            let Some(first_byte) = left.next() else {
                return self.snapshot_is_whole(height, block);
            };
            let chunk = self.chain.state_chunk(Prefix::byte(first_byte)).to_bytes();
            if chunk.len() > MAX_CHUNK_BYTES {
                // No peer would take it.
                return self.disk.delete_range(Column::Snapshots, rows::snapshot_range(height));
            }
            written += chunk.len();
            self.disk.put(Column::Snapshots, rows::snapshot_key(height, first_byte), chunk);
        }
        self.snapshots.writing = Some(Writing { block, height, left });
    }

    fn snapshot_is_whole(&mut self, height: Height, block: BlockHash) {
        self.snapshots.kept.push((height, block));
        let oldest = self.snapshots.kept.iter().rev().nth(KEPT - 1).map_or(Height::GENESIS, |(at, _)| *at);
        self.forget_snapshots(|at, _| at < oldest);
        // What a run that was cut short had begun goes too.
        self.disk.delete_range(Column::Snapshots, rows::snapshots_below(oldest));
        self.note_snapshots();
    }

    fn forget_snapshots(&mut self, which: impl Fn(Height, BlockHash) -> bool) {
        let gone: Vec<_> =
            self.snapshots.kept.extract_if(.., |(height, hash)| which(*height, *hash)).collect();
        for (height, _) in &gone {
            self.disk.delete_range(Column::Snapshots, rows::snapshot_range(*height));
        }
        if !gone.is_empty() {
            self.note_snapshots();
        }
    }

    fn note_snapshots(&mut self) {
        let kept: Vec<_> = self.snapshots.kept.iter().map(|(_, hash)| *hash).collect();
        self.disk.put(Column::Meta, rows::SNAPSHOTS, rows::hashes(&kept));
    }
}
