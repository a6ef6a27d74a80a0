//! A signature is verified once: when a block brings transactions that wait in the memory pool, theirs were.

use tabchain_chain::Chain;
use tabchain_chain::testing::{Key, mine, spec, transfer};
use tabchain_consensus::{SignatureChecks, verify_each};
use tabchain_node::{Command, CommandId, Config, Event, Input, JobId, Node, Output, PeerId, Reason};
use tabchain_primitives::{Block, BlockHash, Signature, Timestamp, Transaction};
use tabchain_records::Rows;
use tabchain_sync::{CompactBlock, LinkMessage, Prefilled};
use tabchain_tests::one_node::{OneNode, at_genesis};

fn now() -> Timestamp {
    spec().genesis_header().time().saturating_add(1_000_000)
}

/// A node with an empty store and one peer that said hello, and everything it wanted verified or said of itself.
struct Stage {
    node: Node,
    checks: Vec<(JobId, SignatureChecks)>,
    heads: Vec<BlockHash>,
    dismissed: Vec<Reason>,
}

impl Stage {
    fn new() -> Self {
        let node = Node::open(Config::new(spec(), [3; 32]));
        let mut stage = Self { node, checks: Vec::new(), heads: Vec::new(), dismissed: Vec::new() };
        stage.drain();
        let genesis = spec().genesis_hash();
        stage.meet(peer(), genesis, at_genesis(genesis));
        stage
    }

    /// Gives true verdicts on all that is asked.
    fn judge(&mut self) -> usize {
        let asked = std::mem::take(&mut self.checks);
        let count = asked.iter().map(|(_, checks)| checks.0.len()).sum();
        for (id, checks) in asked {
            self.give(Input::Verified(id, verify_each(&checks)));
        }
        count
    }

    fn pool(&mut self, transaction: &Transaction) {
        self.give(Input::Command(CommandId(1), Command::SendTransaction(Box::new(transaction.clone()))));
        assert_eq!(self.judge(), 1);
    }
}

impl OneNode for Stage {
    fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn done(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Load(id, _) => return Some(Input::Loaded(id, Rows::default())),
            Output::Commit(id, _) => return Some(Input::Committed(id)),
            Output::Verify(id, checks) => self.checks.push((id, checks)),
            Output::Event(Event::Head { hash, .. }) => self.heads.push(hash),
            Output::Disconnect(_, reason) => self.dismissed.push(reason),
            _ => {}
        }
        None
    }
}

fn peer() -> PeerId {
    PeerId::new(b"peer").expect("a short id")
}

fn payment(nonce: u64) -> Transaction {
    transfer(&spec(), &Key::new(0), nonce, Key::new(1).address(), 1_000, 10_000)
}

/// A block on the genesis, sent along with all its transactions.
fn whole(transactions: &[Transaction]) -> (Block, LinkMessage) {
    let block = mine(&Chain::new(spec()), Key::new(7).address(), transactions);
    let mut compact = CompactBlock::of(&block, 5);
    compact.short_ids.clear();
    compact.prefilled = (0..)
        .zip(transactions)
        .map(|(position, transaction)| Prefilled { position, transaction: transaction.clone() })
        .collect();
    (block, LinkMessage::Block(Box::new(compact)))
}

#[test]
fn what_waits_in_the_pool_is_not_verified_again_with_its_block() {
    let mut stage = Stage::new();
    let (known, new) = (payment(0), payment(1));
    stage.pool(&known);
    let (block, announcement) = whole(&[known, new]);
    stage.say(peer(), announcement);
    assert!(stage.heads.is_empty(), "the second one is still to be verified");
    assert_eq!(stage.judge(), 1);
    assert_eq!(stage.heads, [block.hash()]);
}

#[test]
fn a_block_with_another_signature_than_the_pools_is_verified_and_refused() {
    let mut stage = Stage::new();
    let known = payment(0);
    stage.pool(&known);
    let forged = known.unsigned().clone().with_signature(Signature::ZERO);
    assert_eq!(forged.id(), known.id(), "the id leaves the signature out");
    stage.say(peer(), whole(&[forged]).1);
    assert_eq!(stage.judge(), 1);
    assert!(stage.heads.is_empty());
    assert_eq!(stage.dismissed, [Reason::Misbehaviour]);
}
