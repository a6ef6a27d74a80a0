//! A node and a hostile world: each byte says what happens to it next.
//!
//! Peers say anything, some of it true; the store answers late, wrongly or not at all; signatures are checked, or lied
//! about; the process dies and comes back to a damaged disk. Whatever happens, the node does not panic, and what it asks
//! for in answer to one input is bounded.

mod machine;
mod peers;

use std::collections::{BTreeSet, VecDeque};

use tabchain_consensus::SignatureChecks;
use tabchain_node::{BatchId, Config, Event, Input, JobId, LoadId, Node, Output, Template};
use tabchain_primitives::{Encode, Height, Timestamp};
use tabchain_records::{Batch, Query};
use tabchain_sim::Disk;
use tabchain_sync::{
    MAX_LINK_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Message, PeerId, Request, RequestId,
};

use self::machine::{PUT_BACK, PUT_FORTH, WOKE};
use super::{
    bytes::Choices,
    world::{BLOCKS, spec},
};

/// A story has no more steps.
const MAX_STEPS: usize = 256;
/// One input leads to no more outputs than this.
const MAX_OUTPUTS: usize = 2_048;
/// Nor to more bytes for peers.
const MAX_SENT: usize = 64 * 1024 * 1024;
/// Blocks between two snapshots: few enough that the node joins by one.
const SPAN: u32 = 2;
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
    commits: VecDeque<(BatchId, Batch)>,
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
                Output::Unverify(id) => self.checks.retain(|(job, _)| *job != id),
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
