//! A judge who belongs to no node: connects every block that was found, by every rule, and knows of each whether an honest node
//! may stand on it.
//!
//! It follows the best chain as the rules of fork choice do. A block on a branch that was never the best is judged by its header,
//! its body and its signatures; one that was, by the state too, and the supply after it must be what was allocated and minted.

use std::collections::HashMap;
use std::sync::Arc;

use tabchain_chain::{Chain, InsertError, Limits, Step, Undo};
use tabchain_consensus::{ChainSpec, CheckedBlock, VerifiedBlock, reward};
use tabchain_primitives::codec::Reader;
use tabchain_primitives::{
    Amount, Block, BlockHash, Header, Height, MAX_BLOCK_TRANSACTIONS, Timestamp, Transaction, Work,
};

use crate::verdicts::Verdicts;

/// Every branch is kept, however long ago it left the rest: what is found in a world cost its work.
const UNLIMITED: Limits = Limits { side_headers: usize::MAX, side_depth: u32::MAX };

/// Knows every block that was found.
pub(crate) struct Judge {
    chain: Chain,
    blocks: HashMap<BlockHash, VerifiedBlock>,
    undos: HashMap<BlockHash, Undo>,
    /// Blocks whose parents have not come yet.
    waiting: Vec<Block>,
    /// What there is at each height: allocations and the rewards so far.
    minted: Vec<Amount>,
}

impl Judge {
    pub(crate) fn new(spec: &Arc<ChainSpec>) -> Self {
        let allocations = spec.allocations().iter().map(|(_, amount)| *amount);
        let minted = vec![Amount::checked_sum(allocations).expect("a chain spec's supply is below 2^53")];
        Self {
            chain: Chain::with_limits(Arc::clone(spec), UNLIMITED),
            blocks: HashMap::new(),
            undos: HashMap::new(),
            waiting: Vec::new(),
            minted,
        }
    }

    /// The work of a block's chain, if it is known and not against the rules.
    pub(crate) fn work(&self, hash: &BlockHash) -> Option<Work> {
        let entry = self.chain.entry(hash)?;
        (entry.status != tabchain_chain::Status::Invalid).then_some(entry.work)
    }

    /// Whether a body is known.
    pub(crate) fn knows(&self, hash: &BlockHash) -> bool {
        self.blocks.contains_key(hash)
    }

    /// Takes in a block that some node wrote down.
    pub(crate) fn take(&mut self, header: Header, body: &[u8], verdicts: &mut Verdicts) {
        if let Some(transactions) = transactions(body) {
            self.waiting.push(Block { header, transactions });
        }
        // What waited for this one is tried again.
        let mut went_on = true;
        while std::mem::take(&mut went_on) {
            for block in std::mem::take(&mut self.waiting) {
                match self.chain.insert_header(block.header, far_future()) {
                    Err(InsertError::UnknownParent(_)) => self.waiting.push(block),
                    Ok(_) => {
                        went_on = true;
                        self.check(block, verdicts);
                    }
                    Err(_) => {}
                }
            }
        }
        self.follow();
    }

    fn check(&mut self, block: Block, verdicts: &mut Verdicts) {
        let spec = self.chain.spec().clone();
        let hash = block.hash();
        let verified = CheckedBlock::check(&spec, block).and_then(|checked| {
            let verdict = verdicts.of(&checked.signatures(&spec.genesis_hash()));
            checked.verified(verdict)
        });
        match verified {
            Ok(block) => {
                self.chain.mark_body(&hash);
                self.blocks.insert(hash, block);
            }
            Err(_) => self.chain.mark_invalid(&hash),
        }
    }

    fn follow(&mut self) {
        while let Some(step) = self.chain.next_step() {
            match step {
                Step::Disconnect(hash) => {
                    let undo = self.undos.remove(&hash).expect("it was connected");
                    self.chain.disconnect(&undo).expect("it is the tip's");
                }
                Step::Connect(hash) => match self.chain.connect(&self.blocks[&hash]) {
                    Ok(undo) => drop(self.undos.insert(hash, undo)),
                    Err(error) => assert!(error.is_rule(), "{error}"),
                },
            }
            self.supply_is_accounted_for();
        }
    }

    /// All balances and what is maturing are together what was allocated and rewarded.
    fn supply_is_accounted_for(&mut self) {
        let height = self.chain.tip().height;
        while let Ok(last) = u32::try_from(self.minted.len() - 1)
            && last < height.value()
        {
            let next = reward(self.chain.spec(), Height::new(last + 1));
            let minted = self.minted[last as usize].checked_add(next);
            self.minted.push(minted.expect("a chain spec's supply is below 2^53"));
        }
        let held = self.chain.supply().checked_add(self.chain.maturing());
        assert_eq!(held, Some(self.minted[height.value() as usize]), "the supply at height {height}");
    }
}

fn transactions(body: &[u8]) -> Option<Vec<Transaction>> {
    let mut reader = Reader::new(body);
    let transactions = reader.list(0..=MAX_BLOCK_TRANSACTIONS).ok()?;
    reader.finish().ok()?;
    Some(transactions)
}

/// Whether a block came too early is each node's own matter.
const fn far_future() -> Timestamp {
    Timestamp::from_millis(u64::MAX / 2)
}
