//! Handing batches out, and what their fate means.

use tabchain_records::{Column, StoreError};

use crate::disk::Pace;
use crate::node::{Node, Phase};
use crate::{BatchId, CommandError, CommandId, Event, Output, Reply, Warning, rows};

/// Blocks between two checkpoints while there are many blocks to catch up with.
pub(crate) const BULK_CHECKPOINT_BLOCKS: u32 = 8_192;
/// Transactions that a later run connects again at most, if there are not many blocks to catch up with: a few hundredths of a second's
/// work, so that a node is soon at its tip.
const CHECKPOINT_TRANSACTIONS: usize = 2_048;

/// What was connected since the state was written last, and so would be connected again by a later run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unwritten {
    pub(crate) blocks: u32,
    transactions: usize,
    /// Some of it while there were many blocks to catch up with: then it may be much.
    in_bulk: bool,
}

impl Unwritten {
    /// A step was taken, forth or back.
    pub(crate) fn step(&mut self, transactions: usize, in_bulk: bool) {
        self.blocks += 1;
        self.transactions += transactions;
        self.in_bulk |= in_bulk;
    }

    /// Whether the state should be written, with this many blocks at most between two times.
    fn is_much(&self, catching_up: bool, blocks: u32) -> bool {
        if catching_up {
            return self.blocks >= BULK_CHECKPOINT_BLOCKS;
        }
        self.blocks >= blocks || self.transactions >= CHECKPOINT_TRANSACTIONS || self.in_bulk
    }
}

impl Node {
    /// Hands the open batch out if it should go.
    pub(crate) fn flush_if_due(&mut self) {
        if self.disk.is_due(self.now, self.pace()) {
            self.flush();
        }
    }

    /// How soon the open batch goes.
    pub(crate) fn pace(&self) -> Pace {
        if self.is_catching_up() { Pace::Bulk } else { Pace::Prompt }
    }

    /// Tells the open batch how much will be added to it when it goes.
    pub(crate) fn promise(&mut self) {
        self.disk.promise(self.header_pages.promised() + self.body_pages.promised());
    }

    /// Hands the open batch out, so that a question to the store sees it.
    pub(crate) fn flush(&mut self) {
        if !self.disk.has_work() || self.disk.failure().is_some() {
            return;
        }
        let tip = self.chain.tip().hash;
        let every = self.config.limits.checkpoint_blocks;
        let due = self.unwritten.is_much(self.is_catching_up(), every) || self.index.is_large();
        if due || matches!(self.phase, Phase::Closing) {
            self.checkpoint();
        }
        if matches!(self.phase, Phase::Closing) {
            self.write_past();
        }
        self.write_bodies();
        self.write_headers();
        self.disk.put(Column::Meta, rows::TIP, tip.as_bytes().to_vec());
        let (id, batch) = self.disk.flush();
        self.emit(Output::Commit(id, batch));
    }

    /// Writes everything down, then answers and does nothing more.
    pub(crate) fn close(&mut self, id: CommandId) {
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for peer in peers {
            self.disconnect(&peer, crate::Reason::Closing);
        }
        self.stop_mining();
        self.store_pool();
        self.wallet.lock();
        self.phase = Phase::Closing;
        if self.disk.answer_when_written(id, Reply::Done).is_ok() {
            self.flush();
        } else {
            // Nothing can be written any more, so there is nothing to wait for.
            self.phase = Phase::Closed;
            self.reply(id, Ok(Reply::Done));
        }
    }

    pub(crate) fn committed(&mut self, id: BatchId) {
        for (command, reply) in self.disk.committed(id) {
            if matches!(self.phase, Phase::Closing) {
                self.phase = Phase::Closed;
            }
            self.reply(command, Ok(reply));
        }
    }

    pub(crate) fn commit_failed(&mut self, id: BatchId, error: StoreError) {
        let (refused, first) = self.disk.failed(id, error.clone());
        if matches!(self.phase, Phase::Closing) {
            self.phase = Phase::Closed;
        }
        for command in refused {
            self.reply(command, Err(CommandError::Store(error.clone())));
        }
        if !first {
            return;
        }
        if error.is_fatal() {
            self.fatal(error);
        } else {
            self.stop_mining();
            self.event(Event::Warning(Warning::StorageFull));
        }
    }

    /// Adds the whole state to the open batch, in place of what was there.
    pub(crate) fn write_whole_state(&mut self) {
        self.disk.clear(Column::State);
        self.checkpoint();
    }

    /// Adds the state as it stands after the tip, and what the blocks up to there added to the index, to the open batch.
    fn checkpoint(&mut self) {
        self.unwritten = Unwritten::default();
        for (prefix, chunk) in self.chain.take_dirty_chunks() {
            self.disk.put(Column::State, [prefix], chunk);
        }
        for (key, entries) in self.index.take_segment() {
            self.disk.put(Column::Index, key, entries);
        }
        let tip = self.chain.tip().hash;
        self.disk.put(Column::Meta, rows::CHECKPOINT, tip.as_bytes().to_vec());
    }
}
