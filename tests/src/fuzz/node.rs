//! A node and a hostile world: each byte says what happens to it next.
//!
//! Peers say anything, some of it true; the store answers late, wrongly or not at all; signatures are checked, or lied
//! about; the process dies and comes back to a damaged disk. Whatever happens, the node does not panic, and what it asks
//! for in answer to one input is bounded.

use std::collections::{BTreeSet, VecDeque};

use tabchain_chain::Prefix;
use tabchain_chain::testing::{Key, solve};
use tabchain_consensus::{SignatureChecks, Verdict, verify_batch};
use tabchain_node::{Command, CommandId, Config, Event, Input, JobId, LoadId, Node, Output, Template};
use tabchain_primitives::{BlockHash, Decode, Encode, Header, Height, Timestamp, U256, Work};
use tabchain_records::{Batch, Column, Query, Rows, StoreError};
use tabchain_sim::Disk;
use tabchain_sync::{
    Body, Chunk, CompactBlock, ConnectionKind, Failure, Hello, Keeps, LinkMessage, MAX_LINK_BYTES,
    MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Message, PROTOCOL_VERSION, PeerAddress, PeerId, PeerInfo, Request,
    RequestId, Response, TipClaim,
};

use super::{
    bytes::Choices,
    decoders::body,
    world::{BLOCKS, LONG, SERVED, payments, spec},
};

/// A story has no more steps.
const MAX_STEPS: usize = 256;
/// One input leads to no more outputs than this.
const MAX_OUTPUTS: usize = 2_048;
/// Nor to more bytes for peers.
const MAX_SENT: usize = 64 * 1024 * 1024;
/// Blocks between two snapshots: few enough that the node joins by one.
const SPAN: u32 = 2;
/// Whoever claims this block or a later one has the long chain.
const LONG_FROM: u8 = 250;
/// Strays of these kinds are the machine's doing: its clock is put back by minutes or forth by hours, or it wakes up.
const PUT_BACK: u8 = 255;
const PUT_FORTH: u8 = 254;
const WOKE: u8 = 253;
const MINUTE_MS: u64 = 60_000;
/// How many peers there are.
const PEERS: u8 = 4;

/// Whether the node was still there at the end: it may give up on its store, and on nothing else.
pub(super) fn node(bytes: &[u8]) -> bool {
    !played(bytes).fatal
}

fn played(bytes: &[u8]) -> World {
    let mut choices = Choices(bytes);
    let mut world = World::new();
    for _ in 0..MAX_STEPS {
        if world.step(&mut choices).is_none() {
            break;
        }
    }
    world
}

struct World {
    node: Node,
    now: Timestamp,
    disk: Disk,
    commits: VecDeque<(tabchain_node::BatchId, Batch)>,
    loads: VecDeque<(LoadId, Query)>,
    checks: VecDeque<(JobId, SignatureChecks)>,
    mining: Option<(JobId, Template)>,
    asked: VecDeque<(PeerId, RequestId, Request)>,
    gone: VecDeque<PeerId>,
    calls: u64,
    /// Peers that claim a chain too long for one answer.
    boasters: BTreeSet<PeerId>,
    /// The most bytes of headers that were held without being kept.
    weighed: usize,
    /// Where the node stands, as it says.
    height: Height,
    fatal: bool,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            node: open(),
            // Later than every block of the small world, but not by much.
            now: BLOCKS.all[BLOCKS.main - 1].0.header.time(),
            disk: Disk::default(),
            commits: VecDeque::new(),
            loads: VecDeque::new(),
            checks: VecDeque::new(),
            mining: None,
            asked: VecDeque::new(),
            gone: VecDeque::new(),
            calls: 0,
            boasters: BTreeSet::new(),
            weighed: 0,
            height: Height::GENESIS,
            fatal: false,
        };
        world.drain();
        world
    }

    fn give(&mut self, input: Input) {
        self.node.handle(self.now, input);
        self.drain();
    }

    /// Takes what the node wants, and asserts that it is not too much.
    fn drain(&mut self) {
        let (mut outputs, mut sent) = (0, 0);
        while let Some(output) = self.node.poll() {
            outputs += 1;
            match output {
                Output::Send(peer, message) => sent += self.sent(peer, message),
                Output::Disconnect(peer, _) | Output::Dial(peer, _) => self.gone.push_back(peer),
                Output::Commit(id, batch) => {
                    batch.check().expect("the node keeps to the bounds of a store");
                    self.commits.push_back((id, batch));
                }
                Output::Load(id, query) => self.loads.push_back((id, query)),
                Output::Verify(id, checks) => self.checks.push_back((id, checks)),
                Output::Mine(id, template) => self.mining = Some((id, template)),
                Output::StopMining => self.mining = None,
                Output::Event(Event::Fatal(_)) => self.fatal = true,
                Output::Event(Event::Head { height, .. }) => self.height = height,
                Output::Reply(..) | Output::Event(_) | Output::WakeAt(_) => {}
            }
        }
        assert!(outputs <= MAX_OUTPUTS, "{outputs} outputs for one input");
        assert!(sent <= MAX_SENT, "{sent} bytes for peers after one input");
        self.weighed = self.weighed.max(self.node.holdings().headers);
    }

    /// How many bytes a message has, which is within the bounds of its protocol.
    fn sent(&mut self, peer: PeerId, message: Message) -> usize {
        let (bytes, most) = match &message {
            Message::Link(said) => (said.to_bytes().len(), MAX_LINK_BYTES),
            Message::Request(_, request) => (request.to_bytes().len(), MAX_REQUEST_BYTES),
            Message::Response(_, response) => (response.to_bytes().len(), MAX_RESPONSE_BYTES),
            Message::RequestFailed(..) => (0, 0),
        };
        assert!(bytes <= most, "a message of {bytes} bytes: {message:?}");
        if let Message::Request(id, request) = message {
            self.asked.push_back((peer, id, request));
        }
        bytes
    }

    /// One thing happens; `None` once the choices are used up.
    fn step(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let kind = choices.byte()?;
        if self.fatal {
            return None;
        }
        match kind % 20 {
            0 => self.wait(choices.two()?),
            1 => self.greet(choices.byte()?),
            2 => self.give(Input::PeerDown(peer(choices.byte()?))),
            3 => self.claim(choices)?,
            4 => self.announce(choices)?,
            5 => self.answer_truly(),
            6 => self.answer_anything(choices)?,
            7 => self.refuse_answer(),
            8 => self.say_anything(choices)?,
            9 => self.ask(choices)?,
            10 => self.serve_disk(),
            11 => self.serve_garbage(choices)?,
            12 => self.fail_disk(choices.byte()?),
            13 => self.verify(choices.byte()?),
            14 => self.command(choices)?,
            15 => self.mined(choices.two()?),
            16 => self.offer_transactions(choices.byte()?),
            17 => self.stray(choices)?,
            18 => self.die(choices)?,
            _ => self.discover(choices.byte()?),
        }
        // Unless told otherwise by the highest bit, the store and the checks keep up.
        if kind < 0x80 {
            self.serve_disk();
            self.verify(0);
            self.hang_up();
        }
        Some(())
    }

    fn wait(&mut self, sixteenths: u16) {
        self.now = self.now.saturating_add(u64::from(sixteenths) * 16);
        self.give(Input::Tick);
    }

    fn greet(&mut self, who: u8) {
        let address = PeerAddress::new(format!("/memory/{who}")).expect("short");
        let kind =
            [ConnectionKind::Direct, ConnectionKind::Relayed, ConnectionKind::Native][usize::from(who % 3)];
        let info = PeerInfo { kind, outbound: who & 0x40 != 0, address: Some(address), introducer: None };
        self.give(Input::PeerUp(peer(who), info));
    }

    fn claim(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, which, kind) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let tip = if which < LONG_FROM {
            self.boasters.remove(&peer(from));
            let (block, work) = pick(which);
            TipClaim { hash: block.hash(), height: block.header.height(), work: *work }
        } else {
            self.boasters.insert(peer(from));
            let end = LONG.last().expect("not empty");
            TipClaim { hash: end.hash(), height: end.height(), work: Work::new(U256::from(u64::MAX)) }
        };
        let said = match kind % 4 {
            0 => LinkMessage::Tip(tip),
            other => LinkMessage::Hello(Hello {
                version: PROTOCOL_VERSION,
                genesis: if other == 3 { BlockHash::ZERO } else { spec().genesis_hash() },
                session: other.into(),
                tip,
                keeps: Keeps::default(),
                time: self.now,
                agent: "fuzz".into(),
            }),
        };
        self.say(from, said);
        Some(())
    }

    fn announce(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, which, damage) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let mut compact = CompactBlock::of(&pick(which).0, u64::from(damage));
        if damage & 1 == 1 {
            compact.header = compact.header.with_nonce(u64::from(damage));
        }
        if damage & 2 == 2 {
            compact.short_ids.pop();
        }
        self.say(from, LinkMessage::Block(Box::new(compact)));
        Some(())
    }

    /// The oldest question is answered as an honest peer would.
    fn answer_truly(&mut self) {
        let Some((from, id, request)) = self.asked.pop_front() else { return };
        let known =
            |hash: &BlockHash| BLOCKS.all.iter().map(|(block, _)| block).find(|block| block.hash() == *hash);
        let main = BLOCKS.all[..BLOCKS.main].iter().map(|(block, _)| block.header);
        let response = match request {
            Request::Headers { locator, limit } if self.boasters.contains(&from) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let after = LONG.iter().position(|header| locator.contains(&header.hash()));
                let after = after.map_or(0, |at| at + 1);
                Response::Headers(LONG[after..].iter().take(limit).copied().collect())
            }
            Request::Headers { locator, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let after = main.clone().position(|header| locator.contains(&header.hash()));
                Response::Headers(main.skip(after.map_or(0, |at| at + 1)).take(limit).collect())
            }
            Request::Bodies(hashes) => {
                let bodies = hashes.iter().filter_map(known);
                Response::Bodies(
                    bodies.map(|block| Body { hash: block.hash(), bytes: body(block) }).collect(),
                )
            }
            Request::BlockTransactions { block, positions } => {
                let all = known(&block).map_or(&[][..], |block| &block.transactions);
                let wanted = positions.iter().filter_map(|at| all.get(usize::try_from(*at).ok()?));
                Response::BlockTransactions(wanted.cloned().collect())
            }
            Request::Transactions(ids) => {
                let held = (0..8).flat_map(payments);
                Response::Transactions(held.filter(|one| ids.contains(&one.unsigned().id())).collect())
            }
            Request::Snapshots => Response::Snapshots(vec![SERVED.tip().hash]),
            Request::StateChunks { block, first_bytes } if block == SERVED.tip().hash => {
                let chunk = |first_byte| SERVED.state_chunk(Prefix::byte(first_byte)).to_bytes();
                let chunk = |first_byte| Chunk { first_byte, bytes: chunk(first_byte) };
                Response::StateChunks(first_bytes.into_iter().map(chunk).collect())
            }
            Request::StateChunks { .. } => Response::StateChunks(Vec::new()),
        };
        self.give(Input::Message(from, Message::Response(id, response)));
    }

    fn answer_anything(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let bytes = choices.run()?;
        if let (Ok(response), Some((from, id, _))) =
            (Response::from_bytes(bytes), self.asked.front().cloned())
        {
            self.asked.pop_front();
            self.give(Input::Message(from, Message::Response(id, response)));
        }
        Some(())
    }

    fn refuse_answer(&mut self) {
        if let Some((from, id, _)) = self.asked.pop_front() {
            self.give(Input::Message(from, Message::RequestFailed(id, Failure::Timeout)));
        }
    }

    fn say_anything(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, bytes) = (choices.byte()?, choices.run()?);
        if let Ok(message) = Message::from_bytes(bytes) {
            self.give(Input::Message(peer(from), message));
        }
        Some(())
    }

    fn ask(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, kind, which) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let block = &pick(which).0;
        let request = match kind % 6 {
            0 => Request::Headers { locator: vec![block.hash()], limit: u32::from(kind) },
            1 => Request::Bodies(vec![block.hash(); 1 + usize::from(kind / 4)]),
            2 => Request::BlockTransactions { block: block.hash(), positions: vec![0, u32::from(kind)] },
            3 => Request::Snapshots,
            4 => Request::StateChunks { block: block.hash(), first_bytes: vec![kind / 6, 255] },
            _ => Request::Transactions(block.transactions.iter().map(|one| one.unsigned().id()).collect()),
        };
        let id = RequestId(u64::from(which));
        self.give(Input::Message(peer(from), Message::Request(id, request)));
        Some(())
    }

    fn say(&mut self, from: u8, said: LinkMessage) {
        self.give(Input::Message(peer(from), Message::Link(said)));
    }

    /// Does everything the store was asked for, in the order of the contract: a load sees the commits before it.
    fn serve_disk(&mut self) {
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
    fn serve_garbage(&mut self, choices: &mut Choices<'_>) -> Option<()> {
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

    fn fail_disk(&mut self, how: u8) {
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
    fn verify(&mut self, how: u8) {
        for _ in 0..MAX_STEPS {
            let Some((id, checks)) = self.checks.pop_front() else { return };
            let lie = how % 4 == 3 && !checks.0.is_empty();
            let verdict = if lie { Verdict::Invalid { index: 0 } } else { verify_batch(&checks, [3; 32]) };
            self.give(Input::Verified(id, verdict));
        }
    }

    fn command(&mut self, choices: &mut Choices<'_>) -> Option<()> {
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
    fn mined(&mut self, luck: u16) {
        let Some((id, template)) = self.mining.clone() else { return };
        let right = Header::from_bytes(&template.header).map(|header| solve(header).nonce());
        let nonce = if luck & 1 == 0 { right.unwrap_or_default() } else { u64::from(luck) };
        self.give(Input::Mined(id, nonce));
    }

    fn offer_transactions(&mut self, from: u8) {
        let ids = payments(u64::from(from % 8)).iter().map(|one| one.unsigned().id()).collect();
        self.say(from, LinkMessage::Transactions(ids));
    }

    /// Answers to what was never asked, or was asked in an earlier life.
    fn stray(&mut self, choices: &mut Choices<'_>) -> Option<()> {
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
            _ => self.give(Input::Committed(tabchain_node::BatchId(id))),
        }
    }

    /// The process is killed with whatever was not yet written, a bit of the disk flips, and the node opens again.
    fn die(&mut self, choices: &mut Choices<'_>) -> Option<()> {
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

    fn discover(&mut self, who: u8) {
        let address = PeerAddress::new(format!("/memory/{who}")).expect("short");
        self.give(Input::Discovered(peer(who), vec![address]));
    }

    /// Connections that the node wants closed, or that could not be opened, are gone.
    fn hang_up(&mut self) {
        while let Some(peer) = self.gone.pop_front() {
            self.give(Input::PeerDown(peer));
        }
    }
}

fn open() -> Node {
    let mut config = Config::new(spec(), [5; 32]);
    config.limits.snapshot_blocks = SPAN;
    Node::open(config)
}

fn peer(number: u8) -> PeerId {
    PeerId::new(&[b'p', number % PEERS]).expect("two bytes")
}

fn pick(which: u8) -> &'static (tabchain_primitives::Block, tabchain_primitives::Work) {
    &BLOCKS.all[usize::from(which) % BLOCKS.all.len()]
}

/// Stories that lead deep: joining a chain, a fork, a lie; serving others; mining; dying and coming back.
pub(super) fn stories() -> Vec<Vec<u8>> {
    let tip = u8::try_from(BLOCKS.main - 1).expect("few");
    let truly = [5; 32];
    let join = [&[10, 1, 0, 3, 0, tip, 1][..], &truly].concat();
    let fork = [&join[..], &[1, 1, 3, 1, 8, 1, 4, 1, 8, 0, 4, 1, 9, 0][..], &truly].concat();
    let serve = [&join[..], &[1, 2, 3, 2, 0, 1, 9, 2, 0, 0, 9, 2, 9, 1, 9, 2, 2, 3, 9, 2, 3, 2]].concat();
    let mine =
        [&join[..], &[14, 10, 2, 14, 9, 12, 16, 0, 5, 0, 60, 0, 15, 0, 0, 15, 0, 0, 14, 4, 9, 14, 6, 40]]
            .concat();
    // Headers come from it that are ahead of what it says it has: bodies are not asked of it beyond that.
    let announced =
        [&[10, 1, 0, 3, 0, 0, 1][..], &[4, 0, 0, 0, 5, 4, 0, 1, 0, 5, 4, 0, 2, 0, 5, 5], &truly].concat();
    let die =
        [&join[..], &[0, 255, 0, 18, 5, 0, 0, 14, 0, 0, 0, 255, 0, 18, 0, 1, 4, 1, 0, 3, 0, tip, 1], &truly]
            .concat();
    let quota = [&join[..], &[0x8e, 0, 0, 0x8c, 0, 0, 255, 0, 12, 0, 14, 0, 0]].concat();
    // A chain of several answers is weighed, its peer leaves halfway, another goes on and hands it over; nobody has a body.
    let hour = [0, 255, 255].repeat(4);
    let weigh = [
        &hour[..],
        &[10, 1, 0, 3, 0, 255, 1, 1, 1, 3, 1, 255, 1, 5, 2, 0],
        &truly,
        &[0, 255, 3, 0, 255, 3, 4, 2, 0, 0],
        &truly,
    ]
    .concat();
    // The clock is put forth by three hours and back by four while the node joins, and it mines after that.
    let clock = [
        &[17, PUT_FORTH, 3][..],
        &join,
        &[17, PUT_BACK, 240, 0, 0, 1, 17, PUT_FORTH, 1, 17, WOKE, 0, 0, 16, 0, 14, 4, 9, 15, 0, 0],
    ]
    .concat();
    vec![join, fork, serve, mine, announced, die, quota, weigh, clock]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A story that is over at the first step would prove nothing.
    #[test]
    fn stories_lead_as_deep_as_they_are_meant_to() {
        let heights: Vec<u32> = stories().iter().map(|story| played(story).height.value()).collect();
        assert_eq!(heights, [6, 6, 6, 8, 3, 6, 6, 0, 6]);
        let weighed: Vec<bool> = stories().iter().map(|story| played(story).weighed > 0).collect();
        assert_eq!(weighed, [false, false, false, false, false, false, false, true, false]);
    }
}
