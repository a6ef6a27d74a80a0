//! What the node's own side does: time passes, the store and the checks answer, a miner finds, a person commands, and the
//! process dies.

use tabchain_chain::testing::{Key, solve};
use tabchain_consensus::{Verdict, verify_batch};
use tabchain_node::{BatchId, Command, CommandId, Input, JobId, LoadId};
use tabchain_primitives::{Decode, Header, Height, Timestamp};
use tabchain_records::{Column, Query, Rows, StoreError};

use super::super::{bytes::Choices, world::payments};
use super::{MAX_STEPS, World, pick};

/// Strays of these kinds are the machine's doing: its clock is put back by minutes or forth by hours, or it wakes up.
pub(super) const PUT_BACK: u8 = 255;
pub(super) const PUT_FORTH: u8 = 254;
pub(super) const WOKE: u8 = 253;
const MINUTE_MS: u64 = 60_000;

impl World {
    pub(super) fn wait(&mut self, sixteenths: u16) {
        self.now = self.now.saturating_add(u64::from(sixteenths) * 16);
        self.give(Input::Tick);
    }

    /// Does everything the store was asked for, in the order of the contract: a load sees the commits before it.
    pub(super) fn serve_disk(&mut self) {
        for _ in 0..MAX_STEPS {
            if let Some((id, batch)) = self.commits.pop_front() {
                let done = self.disk.commit(batch);
                self.give(
                    done.map_or_else(|error| Input::CommitFailed(id, error), |()| Input::Committed(id)),
                );
            } else if let Some((id, query)) = self.loads.pop_front() {
                let rows = self.disk.load(&query);
                self.give(Input::Loaded(id, rows));
            } else {
                return;
            }
        }
    }

    /// A damaged disk: rows of any bytes.
    pub(super) fn serve_garbage(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let count = choices.byte()? % 4;
        let rows: Vec<_> =
            (0..count).map_while(|_| Some((choices.run()?.to_vec(), choices.run()?.to_vec()))).collect();
        if let Some((id, query)) = self.loads.pop_front() {
            let rows = match &query {
                // A store gives at most the row that was asked for.
                Query::Get { key, .. } => {
                    rows.into_iter().take(1).map(|(_, value)| (key.clone(), value)).collect()
                }
                Query::Range { limit, .. } => {
                    rows.into_iter().take(usize::try_from(*limit).unwrap_or(usize::MAX)).collect()
                }
            };
            self.give(Input::Loaded(id, Rows(rows)));
        }
        Some(())
    }

    pub(super) fn fail_disk(&mut self, how: u8) {
        let error = match how % 4 {
            0 => StoreError::QuotaExceeded,
            1 => StoreError::Fenced,
            2 => StoreError::Corrupt("by choice"),
            _ => StoreError::Closed,
        };
        if let Some((id, _)) = self.commits.pop_front() {
            self.give(Input::CommitFailed(id, error));
        } else if let Some((id, _)) = self.loads.pop_front() {
            self.give(Input::LoadFailed(id, error));
        }
    }

    /// Checks what is to be checked, or claims that the first of the oldest is bad.
    pub(super) fn verify(&mut self, how: u8) {
        for _ in 0..MAX_STEPS {
            let Some((id, checks)) = self.checks.pop_front() else { return };
            let lie = how % 4 == 3 && !checks.0.is_empty();
            let verdict = if lie { Verdict::Invalid { index: 0 } } else { verify_batch(&checks, [3; 32]) };
            self.give(Input::Verified(id, verdict));
        }
    }

    pub(super) fn command(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (kind, which) = (choices.byte()?, choices.byte()?);
        let block = &pick(which).0;
        let height = Height::new(u32::from(which));
        let limit = u32::from(which) << 4;
        let command = match kind % 12 {
            0 => Command::Status,
            1 => Command::Peers,
            2 => Command::Block(block.hash()),
            3 => Command::BlockAt(height),
            4 => Command::LatestBlocks { before: Some(height), limit },
            5 => Command::Transaction(payments(u64::from(which % 8))[0].unsigned().id()),
            6 => Command::TransactionsOf { address: Key::new(3).address(), before: None, limit },
            7 => Command::Account(Key::new(u64::from(which)).address()),
            8 => Command::Mempool { limit },
            9 => Command::SendTransaction(Box::new(
                payments(u64::from(which % 8)).remove(usize::from(which & 1)),
            )),
            10 => Command::StartMining { to: Key::new(u64::from(which)).address() },
            _ => Command::StopMining,
        };
        self.calls += 1;
        self.give(Input::Command(CommandId(self.calls), command));
        Some(())
    }

    /// A miner is right, or says anything.
    pub(super) fn mined(&mut self, luck: u16) {
        let Some((id, template)) = self.mining.clone() else { return };
        let right = Header::from_bytes(&template.header).map(|header| solve(header).nonce());
        let nonce = if luck & 1 == 0 { right.unwrap_or_default() } else { u64::from(luck) };
        self.give(Input::Mined(id, nonce));
    }

    /// Answers to what was never asked, or was asked in an earlier life.
    pub(super) fn stray(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (kind, number) = (choices.byte()?, u64::from(choices.byte()?));
        let id = 1_000_000 + number;
        match kind {
            PUT_BACK => {
                self.now = Timestamp::from_millis(self.now.millis().saturating_sub(number * MINUTE_MS));
            }
            PUT_FORTH => self.now = self.now.saturating_add(number * 60 * MINUTE_MS),
            WOKE => self.give(Input::Woke),
            _ => self.stray_answer(kind, id),
        }
        Some(())
    }

    /// An answer to a question that was never asked.
    fn stray_answer(&mut self, kind: u8, id: u64) {
        match kind % 4 {
            0 => self.give(Input::Loaded(LoadId(id), Rows(Vec::new()))),
            1 => self.give(Input::Verified(JobId(id), Verdict::AllValid)),
            2 => self.give(Input::Mined(JobId(id), id)),
            _ => self.give(Input::Committed(BatchId(id))),
        }
    }

    /// The process is killed with whatever was not yet written, a bit of the disk flips, and the node opens again.
    pub(super) fn die(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (column, place, bit) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let column = Column::ALL[usize::from(column) % Column::ALL.len()];
        if bit != 0 {
            self.disk.damage(column, |key, value| {
                let hit = key.last().is_some_and(|last| last % 4 == place % 4);
                let at = usize::from(place) % value.len().max(1);
                if let (true, Some(byte)) = (hit, value.get_mut(at)) {
                    *byte ^= bit;
                }
            });
        }
        let disk = std::mem::take(&mut self.disk);
        *self = Self { disk, now: self.now, ..Self::new() };
        Some(())
    }
}
