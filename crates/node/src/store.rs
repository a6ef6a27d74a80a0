//! Handing batches out, and what their fate means.

use tabchain_records::{Column, StoreError};

use crate::node::{Node, Phase};
use crate::{BatchId, CommandError, CommandId, Event, Output, Reply, Warning, rows};

/// Blocks between two checkpoints while there are many blocks to catch up with.
pub(crate) const BULK_CHECKPOINT_BLOCKS: u32 = 2_048;

impl Node {
    /// Hands the open batch out if it should go.
    pub(crate) fn flush_if_due(&mut self) {
        if self.disk.is_due(self.now) {
            self.flush();
        }
    }

    /// Hands the open batch out, so that a question to the store sees it.
    pub(crate) fn flush(&mut self) {
        if !self.disk.has_work() || self.disk.failure().is_some() {
            return;
        }
        let tip = self.chain.tip().hash;
        let every =
            if self.is_catching_up() { BULK_CHECKPOINT_BLOCKS } else { self.config.limits.checkpoint_blocks };
        let due = self.blocks_since_checkpoint >= every || self.index.is_large();
        if due || matches!(self.phase, Phase::Closing) {
            self.checkpoint();
        }
        if matches!(self.phase, Phase::Closing) {
            self.write_past();
        }
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
        self.blocks_since_checkpoint = 0;
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
