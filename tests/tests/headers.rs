//! Long chains of headers: weighed before any of them is kept, and the heaviest wins however deep it leaves.
//!
//! Peers here know headers, the bodies of real blocks, which are all empty, and say what their scripts tell them; the node is the
//! real one, with a store that takes everything at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tabchain_chain::Chain;
use tabchain_chain::testing::{connect, mine_at, parameters, solve};
use tabchain_consensus::{ChainSpec, Parameters, Verdict, next_target};
use tabchain_node::{
    Command, CommandId, Config, Input, Message, Node, Output, PeerId, Reason, Reply, Status, SyncState,
};
use tabchain_primitives::{
    Address, BlockHash, CompactTarget, Decode, HEADER_BYTES, Header, HeaderFields, Height, Target, Timestamp,
    U256, Work,
};
use tabchain_records::{Change, Column, Rows};
use tabchain_sim::{Sim, World};
use tabchain_sync::{Body, LinkMessage, Request, RequestId, Response, TipClaim};
use tabchain_tests::counting::{self, Counting};
use tabchain_tests::one_node::OneNode;
use tabchain_tests::{address, agree, height};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How long a peer takes to answer, in milliseconds.
const ANSWER_MS: u64 = 50;

/// What a peer answers to a locator and a limit; nothing if it stays silent.
type Teller = Box<dyn FnMut(&[BlockHash], usize) -> Option<Vec<Header>>>;

/// A node among peers that follow scripts.
struct Room {
    spec: Arc<ChainSpec>,
    node: Node,
    now: Timestamp,
    tellers: BTreeMap<PeerId, Teller>,
    /// Blocks that exist: everybody who is asked gives their bodies.
    real: BTreeSet<BlockHash>,
    asked: Vec<(PeerId, RequestId, Request)>,
    /// Answers with headers that each peer gave, and headers in them.
    told: BTreeMap<PeerId, (usize, usize)>,
    dismissed: Vec<(PeerId, Reason)>,
    /// Answers of the node, and whether they were refusals.
    answered: Vec<(PeerId, bool)>,
    /// The headers that are in the store, by the key of their row.
    stored: BTreeMap<Vec<u8>, Vec<BlockHash>>,
    /// Headers that ever were there.
    ever_stored: BTreeSet<BlockHash>,
    status: Option<Status>,
}

impl Room {
    fn new(spec: &Arc<ChainSpec>, now: Timestamp) -> Self {
        let mut room = Self {
            spec: Arc::clone(spec),
            node: Node::open(Config::new(Arc::clone(spec), [9; 32])),
            now,
            tellers: BTreeMap::new(),
            real: BTreeSet::new(),
            asked: Vec::new(),
            told: BTreeMap::new(),
            dismissed: Vec::new(),
            answered: Vec::new(),
            stored: BTreeMap::new(),
            ever_stored: BTreeSet::new(),
            status: None,
        };
        room.drain();
        room
    }

    /// A header has a row of its own, or stands with others in a page: the flags, the header, and a check in a page.
    fn note_stored(&mut self, change: &Change) {
        let size = match change.column() {
            Column::Headers => 1 + HEADER_BYTES,
            Column::HeaderPages => 1 + HEADER_BYTES + 4,
            _ => return,
        };
        match change {
            Change::Put { key, value, .. } => {
                let header = |row: &[u8]| Header::from_bytes(&row[1..=HEADER_BYTES]).expect("a header");
                let hashes: Vec<_> = value.chunks(size).map(|row| header(row).hash()).collect();
                self.ever_stored.extend(&hashes);
                self.stored.insert(key.clone(), hashes);
            }
            Change::Delete { key, .. } => drop(self.stored.remove(key)),
            Change::DeleteRange { .. } => panic!("headers are deleted one by one"),
        }
    }

    /// The headers that are in the store.
    fn kept(&self) -> BTreeSet<BlockHash> {
        let stored: Vec<_> = self.stored.values().flatten().copied().collect();
        let kept: BTreeSet<_> = stored.iter().copied().collect();
        assert_eq!(stored.len(), kept.len(), "a header is stored once");
        kept
    }

    /// How many headers were ever stored, and how many of them are not any more.
    fn written_and_deleted(&self) -> (usize, usize) {
        (self.ever_stored.len(), self.ever_stored.len() - self.kept().len())
    }

    /// A peer comes, says what it has, and from then on answers.
    fn greet(&mut self, n: u8, tip: TipClaim, teller: Teller) {
        self.tellers.insert(peer(n), teller);
        self.meet(peer(n), self.spec.genesis_hash(), tip);
    }

    /// Lets every question be answered, and what is asked then, for so long.
    fn run_for(&mut self, millis: u64) {
        let end = self.now.saturating_add(millis);
        while self.now < end {
            self.now = self.now.saturating_add(ANSWER_MS);
            for (from, id, request) in std::mem::take(&mut self.asked) {
                let Some(teller) = self.tellers.get_mut(&from) else { continue };
                let response = match request {
                    Request::Headers { locator, limit } => match teller(&locator, limit as usize) {
                        Some(headers) => {
                            let told = self.told.entry(from).or_default();
                            (told.0, told.1) = (told.0 + 1, told.1 + headers.len());
                            Response::Headers(headers)
                        }
                        None => continue,
                    },
                    Request::Bodies(hashes) => Response::Bodies(self.bodies(hashes)),
                    Request::BlockTransactions { .. } => Response::BlockTransactions(Vec::new()),
                    Request::Transactions(_) => Response::Transactions(Vec::new()),
                    Request::Snapshots => Response::Snapshots(Vec::new()),
                    Request::StateChunks { .. } => Response::StateChunks(Vec::new()),
                };
                self.give(Input::Message(from, Message::Response(id, response)));
            }
            self.give(Input::Tick);
        }
    }

    fn bodies(&self, hashes: Vec<BlockHash>) -> Vec<Body> {
        let real = hashes.into_iter().filter(|hash| self.real.contains(hash));
        real.map(|hash| Body { hash, bytes: vec![0] }).collect()
    }

    /// Blocks that exist, from height 1 on, and the next after them.
    fn mined(&mut self, count: usize, step_ms: u64) -> (Vec<Header>, Header) {
        let mut chain = Chain::new(Arc::clone(&self.spec));
        let mut headers = Vec::new();
        for _ in 0..=count {
            let time = chain.tip().header.time().saturating_add(step_ms);
            let block = mine_at(&chain, address(1), &[], time);
            connect(&mut chain, &block);
            self.real.insert(block.hash());
            headers.push(block.header);
        }
        let next = headers.pop().expect("one more than asked for");
        (headers, next)
    }

    fn status(&mut self) -> Status {
        self.give(Input::Command(CommandId(0), Command::Status));
        self.status.take().expect("a running node tells its status")
    }

    fn best_height(&mut self) -> u32 {
        self.status().best_height.value()
    }

    fn told(&self, n: u8) -> (usize, usize) {
        self.told.get(&peer(n)).copied().unwrap_or_default()
    }
}

impl OneNode for Room {
    fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn done(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Load(id, _) => return Some(Input::Loaded(id, Rows::default())),
            Output::Commit(id, batch) => {
                batch.changes().iter().for_each(|change| self.note_stored(change));
                return Some(Input::Committed(id));
            }
            Output::Verify(id, _) => return Some(Input::Verified(id, Verdict::AllValid)),
            Output::Send(peer, Message::Request(id, request)) => self.asked.push((peer, id, request)),
            Output::Send(peer, Message::Response(..)) => self.answered.push((peer, false)),
            Output::Send(peer, Message::RequestFailed(..)) => self.answered.push((peer, true)),
            Output::Disconnect(peer, why) => {
                self.tellers.remove(&peer);
                self.dismissed.push((peer, why));
            }
            Output::Reply(_, Ok(Reply::Status(status))) => self.status = Some(*status),
            _ => {}
        }
        None
    }
}

fn peer(n: u8) -> PeerId {
    PeerId::new(&[n]).expect("a short id")
}

/// Makes headers one after the other, by the rules, with nothing true below them.
struct Forge {
    spec: Arc<ChainSpec>,
    below: Option<Header>,
    last: Header,
    miner: Address,
    step_ms: u64,
}

impl Forge {
    fn new(spec: &Arc<ChainSpec>, tag: u64, step_ms: u64) -> Self {
        let (spec, last) = (Arc::clone(spec), *spec.genesis_header());
        Self { spec, below: None, last, miner: address(tag), step_ms }
    }

    /// The same, on another chain from here on.
    fn retold(&self, tag: u64, step_ms: u64) -> Self {
        Self { spec: Arc::clone(&self.spec), miner: address(tag), step_ms, ..*self }
    }

    fn take(&mut self, count: usize) -> Vec<Header> {
        std::iter::repeat_with(|| self.next()).take(count).collect()
    }

    fn next(&mut self) -> Header {
        let target = next_target(&self.spec, &self.last, self.below.as_ref());
        let fields = HeaderFields {
            height: self.last.height().next().expect("tests stay low"),
            parent: self.last.hash(),
            miner: self.miner,
            time: self.last.time().saturating_add(self.step_ms),
            target,
            nonce: 0,
            ..self.last.fields()
        };
        let header = solve(Header::new(fields));
        (self.below, self.last) = (Some(self.last), header);
        header
    }
}

fn work(headers: &[Header]) -> Work {
    headers.iter().filter_map(|header| header.target().expand().ok()).map(Target::work).sum()
}

fn claim(headers: &[Header]) -> TipClaim {
    let last = headers.last().expect("not empty");
    TipClaim { hash: last.hash(), height: last.height(), work: work(headers) }
}

/// A peer that has these headers, from height 1, and answers as an honest one does.
fn honest(headers: &Arc<Vec<Header>>) -> Teller {
    let headers = Arc::clone(headers);
    let hashes: BTreeMap<BlockHash, usize> =
        (1..).zip(headers.iter()).map(|(at, header)| (header.hash(), at)).collect();
    Box::new(move |locator, limit| {
        let after = locator.iter().find_map(|hash| hashes.get(hash)).copied().unwrap_or_default();
        Some(headers[after..].iter().take(limit).copied().collect())
    })
}

fn trivial() -> Arc<ChainSpec> {
    Arc::new(ChainSpec::new(parameters()).expect("a good spec"))
}

fn later(spec: &ChainSpec, seconds: u64) -> Timestamp {
    spec.genesis_header().time().saturating_add(seconds * 1_000)
}

/// How many headers each of the eight liars has, and how many blocks it takes to have more work: with optimised code the
/// million, otherwise what a quick test allows.
const LIES: usize = if cfg!(debug_assertions) { 6_000 } else { 1_000_000 };
/// How deep a fork with bodies is.
const FORK: u32 = if cfg!(debug_assertions) { 2_200 } else { 20_000 };
const BLOCKS: usize = if cfg!(debug_assertions) { 500 } else { 900 };

#[test]
fn a_flood_of_low_work_headers_from_eight_peers_leaves_nothing_behind() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 2_000_000));
    // Blocks in quick succession: few, but each harder than the one before.
    let (mut chain, next) = room.mined(BLOCKS, 1);
    assert!(work(&chain).value() > U256::from(4 * LIES), "it has more work than any of the liars");
    let known = Arc::new(chain.clone());
    room.greet(1, claim(&known), honest(&known));
    room.run_for(5_000);
    assert_eq!(room.status().height.value() as usize, BLOCKS);
    let kept = room.kept();

    let before = counting::begin();
    for n in 11..19 {
        let mut forge = Forge::new(&spec, u64::from(n), spec.interval_ms());
        let mut left = LIES;
        let promised = TipClaim {
            hash: BlockHash::from_bytes([n; 32]),
            height: Height::new(2 * u32::try_from(LIES).expect("a million")),
            work: Work::new(U256::MAX >> n),
        };
        let teller: Teller = Box::new(move |_, limit| {
            let count = limit.min(left);
            left -= count;
            Some(forge.take(count))
        });
        room.greet(n, promised, teller);
    }
    let answers = u64::try_from(8 * LIES / 2_000).expect("a few thousand");
    room.run_for(ANSWER_MS * answers + 200_000);
    for n in 11..19 {
        assert_eq!(room.told(n).1, LIES, "liar {n} was heard to the end");
    }
    let grown = counting::most() - before;
    assert!(grown <= 8 << 20, "{grown} bytes more at the worst moment");
    assert_eq!(room.best_height() as usize, BLOCKS);
    assert_eq!(room.kept(), kept, "no header of theirs was kept");
    assert!(room.dismissed.is_empty(), "a claim that is not borne out is noise, not yet a crime");
    println!(
        "8 x {LIES} headers: {grown} bytes at the worst moment, {} afterwards",
        counting::held() - before
    );

    // Meanwhile the honest chain goes on.
    chain.push(next);
    let chain = Arc::new(chain);
    room.tellers.insert(peer(1), honest(&chain));
    room.give(Input::Message(peer(1), Message::Link(LinkMessage::Tip(claim(&chain)))));
    room.run_for(1_000);
    assert_eq!(room.best_height() as usize, BLOCKS + 1);
}

#[test]
fn a_newcomer_among_liars_keeps_nothing_but_the_honest_chain() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let honest_chain = Arc::new(room.mined(5_000, 900).0);
    for n in 11..14 {
        let forged = Arc::new(Forge::new(&spec, u64::from(n), 1_000).take(2_500));
        let boast = TipClaim { work: Work::new(U256::MAX), height: Height::new(90_000), ..claim(&forged) };
        let boast = TipClaim { hash: BlockHash::from_bytes([n; 32]), ..boast };
        room.greet(n, boast, honest(&forged));
    }
    room.greet(1, claim(&honest_chain), honest(&honest_chain));
    room.run_for(150_000);
    assert_eq!(room.status().height.value(), 5_000);
    assert_eq!(room.kept().len(), 5_000, "what the liars had was weighed, and not kept");
    assert!(room.dismissed.is_empty());
}

/// So many headers of one chain are held while it is weighed.
const BEGINNING: usize = 40_000;

#[test]
fn what_is_held_of_a_long_chain_comes_once_and_the_rest_again_from_all_who_have_it() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let all = Forge::new(&spec, 1, 1_000).take(51_500);
    let long = Arc::new(all[..50_500].to_vec());
    for n in 1..=4 {
        room.greet(n, claim(&long), honest(&long));
    }
    room.run_for(5_000);
    assert_eq!(room.best_height(), 50_500);
    assert_eq!(room.written_and_deleted(), (50_500, 0));
    let told: Vec<_> = (1..=4).map(|n| room.told(n).1).collect();
    assert_eq!(told.iter().sum::<usize>(), 50_500 + (50_500 - BEGINNING), "{told:?}");
    assert!(told.iter().all(|told| *told > 0), "all of them helped: {told:?}");

    let short = Arc::new(all);
    room.tellers.insert(peer(2), honest(&short));
    let before = room.told(2);
    room.give(Input::Message(peer(2), Message::Link(LinkMessage::Tip(claim(&short)))));
    room.run_for(200);
    assert_eq!(room.best_height(), 51_500);
    assert_eq!(room.told(2), (before.0 + 1, before.1 + 1_000));
}

#[test]
fn a_fork_of_20_100_headers_wins_over_20_000() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let mut shared = Forge::new(&spec, 1, 1_000);
    let below = shared.take(50);
    let on = |forge: &mut Forge, count| Arc::new([&below[..], &forge.take(count)].concat());
    let ours = on(&mut shared.retold(2, 1_000), 20_000);
    let theirs = on(&mut shared.retold(3, 1_000), 20_100);
    room.greet(1, claim(&ours), honest(&ours));
    room.run_for(3_000);
    assert_eq!(room.best_height(), 20_050);
    assert_eq!(room.written_and_deleted(), (20_050, 0));
    room.greet(2, claim(&theirs), honest(&theirs));
    room.run_for(3_000);
    assert_eq!(room.best_height(), 20_150);
    let after = (20_050 + 20_100, 20_000);
    assert_eq!(room.written_and_deleted(), after, "what was left is too long to be kept beside");
    assert!(room.dismissed.is_empty());
}

/// The liar shows a heavier chain, and when it is to hand over what was not held of it, tells another one.
#[test]
fn a_chain_that_its_first_teller_does_not_hand_over_comes_from_others() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let real = Arc::new(Forge::new(&spec, 1, 1_000).take(44_500));
    let other = Arc::new(Forge::new(&spec, 2, 1_000).take(44_500));
    let (mut shows, mut gives) = (honest(&real), honest(&other));
    let mut answers = 0;
    let teller: Teller = Box::new(move |locator, limit| {
        answers += 1;
        if answers <= 23 { shows(locator, limit) } else { gives(locator, limit) }
    });
    let boast = TipClaim { height: Height::new(44_501), ..claim(&real) };
    room.greet(7, boast, teller);
    room.run_for(23 * ANSWER_MS);
    assert_eq!(room.told(7), (23, 44_500), "it was weighed");
    room.run_for(1_000);
    assert_eq!(room.best_height() as usize, BEGINNING, "what it gives is not what it had shown");
    assert_eq!(room.status().sync, SyncState::Headers);
    room.greet(1, claim(&real), honest(&real));
    room.run_for(2_000);
    assert_eq!(room.best_height(), 44_500);
    assert_eq!(room.told(1).1, 44_500 - BEGINNING, "it did not have to be weighed again");
    assert_eq!(room.written_and_deleted(), (44_500, 0));
}

/// Nobody gives the bodies of the heavier chain; of the other one everybody does.
#[test]
fn a_peer_that_shows_a_chain_and_falls_silent_is_passed_over() {
    for (length, answers) in [(9_000, 5), (44_500, 23)] {
        let spec = trivial();
        let mut room = Room::new(&spec, later(&spec, 100_000));
        let heavy = Arc::new(Forge::new(&spec, 1, 1_000).take(length));
        let light = Arc::new(room.mined(4_500, 1_000).0);
        let mut shows = honest(&heavy);
        let mut left = answers;
        let teller: Teller = Box::new(move |locator, limit| {
            left -= 1;
            (left >= 0).then(|| shows(locator, limit)).flatten()
        });
        room.greet(7, claim(&heavy), teller);
        room.greet(1, claim(&light), honest(&light));
        room.run_for(2_000);
        assert_eq!(
            room.best_height() as usize,
            length.min(BEGINNING),
            "first the heaviest, as far as it is held"
        );
        room.run_for(180_000);
        assert_eq!(room.best_height(), 4_500, "then what there is");
    }
}

#[test]
fn peers_that_leave_halfway_do_not_make_a_newcomer_begin_again() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let chain = Arc::new(room.mined(9_000, 1_000).0);
    for n in 1..=3 {
        room.greet(n, claim(&chain), honest(&chain));
        while room.told(n).1 < 2_000 {
            room.run_for(ANSWER_MS);
        }
        room.tellers.remove(&peer(n));
        room.give(Input::PeerDown(peer(n)));
    }
    room.greet(4, claim(&chain), honest(&chain));
    room.run_for(2_000);
    assert_eq!(room.best_height(), 9_000);
    let told: Vec<_> = (1..=4).map(|n| room.told(n).1).collect();
    assert_eq!(told, [2_000, 2_000, 2_000, 3_000], "each went on where the one before it had left");
}

#[test]
fn what_is_left_of_a_liar_s_chain_costs_an_honest_peer_one_answer() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let chain = Arc::new(room.mined(5_000, 900).0);
    let forged = Arc::new(Forge::new(&spec, 2, 1_000).take(6_000));
    let boast = TipClaim { work: Work::new(U256::MAX), ..claim(&forged) };
    room.greet(7, boast, honest(&forged));
    room.run_for(2 * ANSWER_MS);
    room.tellers.remove(&peer(7));
    room.give(Input::PeerDown(peer(7)));
    room.greet(1, claim(&chain), honest(&chain));
    room.run_for(2_000);
    assert_eq!(room.best_height(), 5_000);
    assert_eq!(room.told(1).1, 2_000 + 5_000);
    assert!(room.dismissed.is_empty());
}

#[test]
fn a_header_that_breaks_a_rule_deep_inside_costs_the_sender_its_place() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let mut headers = Forge::new(&spec, 1, 1_000).take(5_000);
    let tip = claim(&headers);
    let easier = CompactTarget::from_bits(0x2000_ffff);
    headers[4_321] = solve(Header::new(HeaderFields { target: easier, ..headers[4_321].fields() }));
    room.greet(1, tip, honest(&Arc::new(headers)));
    room.run_for(2_000);
    assert_eq!(room.dismissed, [(peer(1), Reason::Misbehaviour)]);
    assert_eq!((room.written_and_deleted(), room.best_height()), ((0, 0), 0));
}

#[test]
fn a_reader_that_asks_the_same_over_and_over_is_refused_and_then_sent_away() {
    let spec = trivial();
    let mut room = Room::new(&spec, later(&spec, 100_000));
    let claim = TipClaim { hash: spec.genesis_hash(), height: Height::GENESIS, work: Work::ZERO };
    room.greet(1, claim, Box::new(|_, _| None));
    room.greet(2, claim, Box::new(|_, _| None));
    let ask = |room: &mut Room, n: u8, id: u64| {
        let request = Request::Headers { locator: vec![spec.genesis_hash()], limit: 2_000 };
        room.give(Input::Message(peer(n), Message::Request(RequestId(id), request)));
        std::mem::take(&mut room.answered).pop().map(|(_, refused)| refused)
    };
    let mut outcomes = Vec::new();
    for id in 0..20_000 {
        // Ten thousand questions a second.
        room.now = room.now.saturating_add(u64::from(id % 10 == 0));
        outcomes.push(ask(&mut room, 1, id));
        if !room.dismissed.is_empty() {
            break;
        }
    }
    assert_eq!(room.dismissed, [(peer(1), Reason::Misbehaviour)]);
    assert!(outcomes.len() < 20_000);
    let refused = outcomes.iter().filter(|outcome| **outcome == Some(true)).count();
    assert!(outcomes[0] == Some(false) && refused >= 20, "first it is answered, then it is told: {refused}");
    assert_eq!(ask(&mut room, 2, 0), Some(false), "nobody else has to wait for it");
}

/// With bodies, in a world where the store, the links and the mining take their time: the newcomer follows the forger's
/// chain to its end, and all of it is taken back when the honest chain is seen.
#[test]
fn a_newcomer_that_followed_a_forged_chain_comes_over_to_the_honest_one() {
    let parameters = Parameters { interval_ms: 1_000, ..parameters() };
    let mut world = World::new(Arc::new(ChainSpec::new(parameters).expect("a good spec")), 71);
    // Far fewer than the fork will leave.
    world.limits.chain.side_headers = 100;
    let rate = world.hash_rate;
    let mut sim = Sim::new(world);
    let (forger, miner) = (sim.add_node(), sim.add_node());
    sim.set_hash_rate(miner, 1.3 * rate);
    sim.start_mining(forger, address(0));
    sim.start_mining(miner, address(1));
    assert!(sim.run_until(40_000_000, |sim| height(sim, forger) >= FORK));
    sim.stop_mining(forger);
    sim.stop_mining(miner);
    let newcomer = sim.add_node();
    sim.connect(newcomer, forger);
    assert!(sim.run_until(120_000, |sim| agree(sim, &[newcomer, forger])), "it knows no better");

    sim.connect(newcomer, miner);
    assert!(sim.run_until(300_000, |sim| agree(sim, &[newcomer, miner])), "{:?}", sim.status(newcomer));
    assert!(
        sim.run_until(300_000, |sim| agree(sim, &[forger, miner])),
        "and so does the forger, once it hears"
    );
    assert!([forger, miner, newcomer].iter().all(|&place| sim.dismissed(place).is_empty()));
}
