//! One hash over everything that happened: two runs are the same exactly if their hashes are.

use sha2::{Digest, Sha256};
use tabchain_node::Output;
use tabchain_primitives::{Encode, Timestamp};

/// The hash so far.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hasher: Sha256,
    outputs: u64,
}

impl Trace {
    /// Takes in what a node wanted done, and when.
    pub(crate) fn note(&mut self, at: Timestamp, place: usize, output: &Output) {
        self.outputs += 1;
        self.hasher.update(at.millis().to_le_bytes());
        self.hasher.update((place as u64).to_le_bytes());
        match output {
            // The bytes say all of a message, and say it faster than its debug form.
            Output::Send(peer, message) => {
                self.hasher.update(peer.as_bytes());
                self.hasher.update(message.to_bytes());
            }
            other => self.hasher.update(format!("{other:?}")),
        }
    }

    /// The hash.
    pub fn hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// How many outputs there were.
    pub fn outputs(&self) -> u64 {
        self.outputs
    }
}
