//! What is to be written, and what is being written.
//!
//! Everything the node learns lands in one open batch. A batch is handed out when it is urgent, large, or a moment old; it then
//! says which block is the tip, so that whatever the store holds belongs together: blocks are the write-ahead log, state chunks
//! a checkpoint. While there are many blocks to catch up with, batches are larger and go more seldom: what they hold could be
//! fetched again, and rows that many blocks change are written less often. After one failed commit nothing is written any more:
//! what came later would rest on what is missing.
//!
//! Bounds: two batches are under way by our own choice (a question to the store may push out one more); when more than
//! [`CONGESTED_BYTES`] wait, no more blocks are fetched or mined.

use std::collections::BTreeMap;
use std::ops::Range;

use tabchain_primitives::Timestamp;
use tabchain_records::{Batch, Column, Durability, StoreError};

use crate::{BatchId, CommandId, Reply};

/// With so many bytes waiting, nothing more is fetched.
const CONGESTED_BYTES: usize = 16 * 1024 * 1024;
const MAX_IN_FLIGHT: usize = 2;

/// How soon what the node learns is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Little comes, and is to be written soon.
    Prompt,
    /// There are many blocks to catch up with.
    Bulk,
}

impl Pace {
    /// So large a batch goes at once.
    const fn large_bytes(self) -> usize {
        match self {
            Self::Prompt => 1024 * 1024,
            Self::Bulk => 4 * 1024 * 1024,
        }
    }

    /// So old a batch goes whatever its size.
    const fn delay_ms(self) -> u64 {
        match self {
            Self::Prompt => 200,
            Self::Bulk => 1_000,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    open: Batch,
    /// Bytes that are added to the open batch when it is handed out.
    promised: usize,
    open_since: Option<Timestamp>,
    urgent: bool,
    /// Commands that are answered when the open batch is written.
    waiting: Vec<(CommandId, Reply)>,
    in_flight: BTreeMap<BatchId, InFlight>,
    next: u64,
    failed: Option<StoreError>,
}

#[derive(Debug)]
struct InFlight {
    bytes: usize,
    waiting: Vec<(CommandId, Reply)>,
}

impl Disk {
    pub(crate) fn put(&mut self, column: Column, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        if self.failed.is_none() {
            self.open.put(column, key, value);
        }
    }

    pub(crate) fn delete(&mut self, column: Column, key: impl Into<Vec<u8>>) {
        if self.failed.is_none() {
            self.open.delete(column, key);
        }
    }

    pub(crate) fn delete_range(&mut self, column: Column, range: Range<Vec<u8>>) {
        if self.failed.is_none() {
            self.open.delete_range(column, range);
        }
    }

    pub(crate) fn clear(&mut self, column: Column) {
        if self.failed.is_none() {
            self.open.clear(column);
        }
    }

    /// About so many bytes will be added to the open batch when it is handed out.
    pub(crate) fn promise(&mut self, bytes: usize) {
        self.promised = bytes;
    }

    /// The open batch is not to wait.
    pub(crate) fn hurry(&mut self) {
        self.urgent = true;
    }

    /// The open batch must be on the disk before it counts as written; then the command is answered.
    pub(crate) fn answer_when_written(&mut self, id: CommandId, reply: Reply) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.open.merge(Batch::new(Durability::Strict));
        self.urgent = true;
        self.waiting.push((id, reply));
        Ok(())
    }

    /// Whether there is something that a flush would hand out.
    pub(crate) fn has_work(&self) -> bool {
        !self.open.is_empty() || self.promised > 0 || !self.waiting.is_empty()
    }

    /// Whether the open batch should go out now.
    pub(crate) fn is_due(&mut self, now: Timestamp, pace: Pace) -> bool {
        if !self.has_work() || self.failed.is_some() {
            return false;
        }
        let since = *self.open_since.get_or_insert(now);
        let ripe =
            self.urgent || self.open_bytes() >= pace.large_bytes() || now.since(since) >= pace.delay_ms();
        ripe && self.in_flight.len() < MAX_IN_FLIGHT
    }

    /// When the open batch will be ripe by age.
    pub(crate) fn deadline(&self, pace: Pace) -> Option<Timestamp> {
        let blocked = self.in_flight.len() >= MAX_IN_FLIGHT || self.failed.is_some();
        self.open_since.filter(|_| !blocked).map(|since| since.saturating_add(pace.delay_ms()))
    }

    /// Hands the open batch out.
    pub(crate) fn flush(&mut self) -> (BatchId, Batch) {
        let id = BatchId(self.next);
        self.next += 1;
        let batch = std::mem::take(&mut self.open);
        let waiting = std::mem::take(&mut self.waiting);
        self.promised = 0;
        self.open_since = None;
        self.urgent = false;
        self.in_flight.insert(id, InFlight { bytes: batch.bytes(), waiting });
        (id, batch)
    }

    /// A batch is written; gives the commands to answer.
    pub(crate) fn committed(&mut self, id: BatchId) -> Vec<(CommandId, Reply)> {
        self.in_flight.remove(&id).map(|batch| batch.waiting).unwrap_or_default()
    }

    /// A batch is not written; gives the commands to refuse, and whether this is the first failure.
    pub(crate) fn failed(&mut self, id: BatchId, error: StoreError) -> (Vec<CommandId>, bool) {
        let lost = self.in_flight.remove(&id).map(|batch| batch.waiting).unwrap_or_default();
        let open = std::mem::take(&mut self.waiting);
        self.open = Batch::default();
        self.promised = 0;
        self.open_since = None;
        let first = self.failed.is_none();
        self.failed.get_or_insert(error);
        (lost.into_iter().chain(open).map(|(id, _)| id).collect(), first)
    }

    /// Why nothing is written any more, if that is so.
    pub(crate) fn failure(&self) -> Option<&StoreError> {
        self.failed.as_ref()
    }

    /// Whether blocks may come in: everything is written in time, or so far.
    pub(crate) fn has_room(&self) -> bool {
        let waiting = self.open_bytes() + self.in_flight.values().map(|batch| batch.bytes).sum::<usize>();
        self.failed.is_none() && waiting <= CONGESTED_BYTES
    }

    fn open_bytes(&self) -> usize {
        self.open.bytes() + self.promised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn put(disk: &mut Disk, bytes: usize) {
        disk.put(Column::Meta, *b"key", vec![0; bytes]);
    }

    #[test]
    fn a_batch_goes_when_it_is_old_large_or_urgent() {
        for pace in [Pace::Prompt, Pace::Bulk] {
            let (mut disk, late) = (Disk::default(), at(pace.delay_ms()));
            assert!(!disk.is_due(at(0), pace));
            put(&mut disk, 1);
            assert!(!disk.is_due(at(0), pace));
            assert_eq!(disk.deadline(pace), Some(late));
            assert!(disk.is_due(late, pace));
            disk.flush();

            put(&mut disk, pace.large_bytes());
            assert!(disk.is_due(late, pace));
            disk.flush();

            put(&mut disk, 1);
            disk.hurry();
            assert!(!disk.is_due(late, pace), "two are under way");
            disk.committed(BatchId(0));
            assert!(disk.is_due(late, pace));
        }
    }

    #[test]
    fn what_was_gathered_in_bulk_goes_at_once_when_that_is_over() {
        let mut disk = Disk::default();
        put(&mut disk, Pace::Prompt.large_bytes());
        assert!(!disk.is_due(at(0), Pace::Bulk));
        assert!(disk.is_due(at(0), Pace::Prompt));
        assert!(!disk.is_due(at(Pace::Prompt.delay_ms()), Pace::Bulk));
    }

    #[test]
    fn a_command_is_answered_when_its_batch_is_written() {
        let mut disk = Disk::default();
        disk.answer_when_written(CommandId(1), Reply::Done).expect("nothing has failed");
        let (id, batch) = disk.flush();
        assert_eq!(batch.durability(), Durability::Strict);
        assert_eq!(disk.committed(id), [(CommandId(1), Reply::Done)]);
    }

    #[test]
    fn after_one_failure_nothing_is_written_and_everybody_waiting_is_told() {
        let mut disk = Disk::default();
        disk.answer_when_written(CommandId(1), Reply::Done).expect("nothing has failed");
        let (id, _) = disk.flush();
        disk.answer_when_written(CommandId(2), Reply::Done).expect("nothing has failed yet");
        let (refused, first) = disk.failed(id, StoreError::QuotaExceeded);
        assert_eq!((refused, first), (vec![CommandId(1), CommandId(2)], true));
        put(&mut disk, 1);
        assert!(!disk.has_work() && !disk.has_room());
        assert_eq!(disk.answer_when_written(CommandId(3), Reply::Done), Err(StoreError::QuotaExceeded));
    }

    #[test]
    fn too_much_unwritten_leaves_no_room_for_blocks() {
        let mut disk = Disk::default();
        put(&mut disk, CONGESTED_BYTES);
        assert!(!disk.has_room());
        let (id, _) = disk.flush();
        assert!(!disk.has_room());
        disk.committed(id);
        assert!(disk.has_room());
    }
}
