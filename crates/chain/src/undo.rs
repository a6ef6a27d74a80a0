//! Undo records: what takes a connected block back.

use tabchain_primitives::{
    Account, AccountKey, Address, BlockHash, Decode, DecodeError, Encode,
    codec::{Reader, write_list},
};

use crate::state::{Change, Row};

/// Every account a block changed, as it was before.
///
/// It is written to the store beside the block and read back from there, so it is bytes that may be damaged: the
/// state root of the parent tells whether it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    block: BlockHash,
    before: Vec<Row>,
}

impl Undo {
    /// The block it takes back.
    pub const fn block(&self) -> &BlockHash {
        &self.block
    }

    /// The accounts the block changed, in the order of their keys.
    pub fn touched(&self) -> impl ExactSizeIterator<Item = &Address> {
        self.before.iter().map(|Row(address, _)| address)
    }

    pub(crate) fn new(block: BlockHash, changes: &[Change]) -> Self {
        Self { block, before: changes.iter().map(|change| Row(change.address, change.before)).collect() }
    }

    /// The changes to write back, sorted by key; `None` if an account comes twice or out of order.
    pub(crate) fn changes(&self, account: impl Fn(&AccountKey) -> Account) -> Option<Vec<Change>> {
        let change = |Row(address, before): &Row| {
            let key = AccountKey::of(address);
            Change { key, address: *address, before: *before, after: account(&key) }
        };
        let changes: Vec<Change> = self.before.iter().map(change).collect();
        changes.is_sorted_by(|a, b| a.key < b.key).then_some(changes)
    }
}

impl Encode for Undo {
    fn encode(&self, out: &mut Vec<u8>) {
        self.block.encode(out);
        write_list(out, &self.before);
    }
}

impl Decode for Undo {
    const MIN_BYTES: usize = 33;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { block: Decode::decode(reader)?, before: reader.list(0..=usize::MAX)? })
    }
}
