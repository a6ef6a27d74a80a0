//! Lists of signatures to be checked together: what goes to whoever has time to check them, a worker for one.
//!
//! Each signature takes less time in a large batch, so the lists of several jobs make one. After a bad signature every
//! list is a batch by itself, so no job suffers from another.
//!
//! Bounds: at most [`MAX_LISTS`] lists, each of at most the transactions of a block.

use tabchain_primitives::{
    Decode, DecodeError, Encode,
    codec::{Reader, write_list},
};

use crate::signatures::{SignatureChecks, Verdict, batch_is_valid, verify_batch};

/// The most lists of one order.
pub const MAX_LISTS: usize = 4_096;

/// Lists to be checked as one batch. It has a byte form, to be sent to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOrder {
    /// What the batch is weighed with; another one for each order, that nobody else knows.
    pub seed: [u8; 32],
    /// What is to be checked.
    pub lists: Vec<SignatureChecks>,
}

/// What came of an order, list by list. It has a byte form, to be sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts(pub Vec<Verdict>);

impl CheckOrder {
    /// How many signatures are in the lists.
    pub fn signatures(&self) -> usize {
        self.lists.iter().map(|list| list.0.len()).sum()
    }

    /// Checks them here and now.
    pub fn check(&self) -> Verdicts {
        if self.lists.len() > 1 {
            let all = SignatureChecks(self.lists.iter().flat_map(|list| &list.0).copied().collect());
            if batch_is_valid(&all, self.seed) {
                return Verdicts(vec![Verdict::AllValid; self.lists.len()]);
            }
        }
        Verdicts(self.lists.iter().map(|list| verify_batch(list, self.seed)).collect())
    }
}

impl Encode for CheckOrder {
    fn encode(&self, out: &mut Vec<u8>) {
        self.seed.encode(out);
        write_list(out, &self.lists);
    }
}

impl Decode for CheckOrder {
    const MIN_BYTES: usize = 32 + 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { seed: Decode::decode(reader)?, lists: reader.list(0..=MAX_LISTS)? })
    }
}

impl Encode for Verdicts {
    fn encode(&self, out: &mut Vec<u8>) {
        write_list(out, &self.0);
    }
}

impl Decode for Verdicts {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.list(0..=MAX_LISTS).map(Self)
    }
}
