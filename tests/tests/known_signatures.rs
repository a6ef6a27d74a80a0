//! A signature is verified once: when a block brings transactions that wait in the memory pool, theirs were.

use tabchain_chain::Chain;
use tabchain_chain::testing::{Key, mine, spec, transfer};
use tabchain_consensus::{SignatureChecks, verify_each};
use tabchain_node::{
    Command, CommandId, Config, ConnectionKind, Event, Input, JobId, Message, Node, Output, PeerId, PeerInfo,
    Reason,
};
use tabchain_primitives::{Block, BlockHash, Height, Signature, Timestamp, Transaction, Work};
use tabchain_records::Rows;
use tabchain_sync::{CompactBlock, Hello, Keeps, LinkMessage, PROTOCOL_VERSION, Prefilled, TipClaim};

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
        let info =
            PeerInfo { kind: ConnectionKind::Direct, outbound: false, address: None, introducer: None };
        stage.give(Input::PeerUp(peer(), info));
        stage.hear(LinkMessage::Hello(Hello {
            version: PROTOCOL_VERSION,
            genesis: spec().genesis_hash(),
            session: 1,
            tip: TipClaim { hash: spec().genesis_hash(), height: Height::GENESIS, work: Work::ZERO },
            keeps: Keeps::default(),
            time: now(),
            agent: String::new(),
        }));
        stage
    }

    fn hear(&mut self, message: LinkMessage) {
        self.give(Input::Message(peer(), Message::Link(message)));
    }

    fn give(&mut self, input: Input) {
        self.node.handle(now(), input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Load(id, _) => self.node.handle(now(), Input::Loaded(id, Rows::default())),
                Output::Commit(id, _) => self.node.handle(now(), Input::Committed(id)),
                Output::Verify(id, checks) => self.checks.push((id, checks)),
                Output::Event(Event::Head { hash, .. }) => self.heads.push(hash),
                Output::Disconnect(_, reason) => self.dismissed.push(reason),
                _ => {}
            }
        }
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
    stage.hear(announcement);
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
    stage.hear(whole(&[forged]).1);
    assert_eq!(stage.judge(), 1);
    assert!(stage.heads.is_empty());
    assert_eq!(stage.dismissed, [Reason::Misbehaviour]);
}
