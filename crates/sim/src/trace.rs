//! One hash over everything that happened: two runs are the same exactly if their hashes are.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use tabchain_node::Output;
use tabchain_primitives::{Encode, Timestamp};
use tabchain_records::{Batch, Change};

/// The hash so far.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hasher: Sha256,
    outputs: u64,
    /// Room for the words of one output, used again and again.
    words: String,
    bytes: Vec<u8>,
}

impl Trace {
    /// Takes in what a node wanted done, and when. Gives the bytes of a message, which are needed anyway.
    pub(crate) fn note(&mut self, at: Timestamp, place: usize, output: &Output) -> usize {
        self.outputs += 1;
        self.hasher.update(at.millis().to_le_bytes());
        self.hasher.update((place as u64).to_le_bytes());
        // Bytes say all of the large ones, and say it faster than their debug form.
        match output {
            Output::Send(peer, message) => {
                self.hasher.update(peer.as_bytes());
                self.bytes.clear();
                message.encode(&mut self.bytes);
                self.hasher.update(&self.bytes);
                return self.bytes.len();
            }
            Output::Commit(id, batch) => {
                self.hasher.update(id.0.to_le_bytes());
                self.batch(batch);
            }
            Output::Verify(id, checks) => {
                self.hasher.update(id.0.to_le_bytes());
                for check in &checks.0 {
                    self.hasher.update(check.signature.as_bytes());
                }
            }
            other => {
                self.words.clear();
                write!(self.words, "{other:?}").expect("a text takes what is written");
                self.hasher.update(&self.words);
            }
        }
        0
    }

    /// The hash.
    pub fn hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// How many outputs there were.
    pub fn outputs(&self) -> u64 {
        self.outputs
    }

    fn batch(&mut self, batch: &Batch) {
        for change in batch.changes() {
            self.hasher.update((change.column().index() as u64).to_le_bytes());
            match change {
                Change::Put { key, value, .. } => {
                    self.hasher.update(key);
                    self.hasher.update(value);
                }
                Change::Delete { key, .. } => self.hasher.update(key),
                Change::DeleteRange { range, .. } => {
                    self.hasher.update(&range.start);
                    self.hasher.update(&range.end);
                }
            }
        }
    }
}
