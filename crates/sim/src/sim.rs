//! A world of nodes, and what can be done to it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::{
    Command, CommandError, CommandId, Config, ConnectionKind, Event, Input, JobId, Message, Node, PeerId,
    PeerInfo, Reason, Reply, Status, Template,
};
use tabchain_primitives::{Address, Timestamp};
use tabchain_sync::Rng;

use crate::disk::Disk;
use crate::events::{Scheduled, What, address};
use crate::network::{Link, Network};
use crate::trace::Trace;

/// Where a node lives. A place keeps its disk and its peer id when the node in it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub usize);

/// What a simulated world is made of.
#[derive(Clone, Debug)]
pub struct World {
    /// The chain.
    pub spec: Arc<ChainSpec>,
    /// All that is random follows from it.
    pub seed: u64,
    /// What connections are like.
    pub link: Link,
    /// How long a store takes for one operation, in milliseconds.
    pub disk_ms: u64,
    /// How long a signature takes to check, in microseconds.
    pub signature_us: u64,
    /// Hashes a second of each miner.
    pub hash_rate: f64,
}

/// Changes what a node says, or swallows it: how adversaries are made.
pub type Tongue = Box<dyn FnMut(PeerId, Message) -> Option<Message>>;

/// A world of nodes under one virtual clock.
pub struct Sim {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) queue: BinaryHeap<Reverse<Scheduled>>,
    pub(crate) scheduled: u64,
    pub(crate) places: Vec<Home>,
    pub(crate) network: Network,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) next_command: u64,
}

/// A place and who lives there.
pub(crate) struct Home {
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) id: PeerId,
    pub(crate) node: Option<Node>,
    /// Rises with every life of the node; what was meant for an earlier life is dropped.
    pub(crate) life: u64,
    pub(crate) disk: Disk,
    pub(crate) wake: Option<Timestamp>,
    pub(crate) mining: Option<(JobId, Template)>,
    pub(crate) hash_rate: f64,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) ahead_ms: i64,
    pub(crate) tongue: Option<Tongue>,
    pub(crate) events: Vec<Event>,
    pub(crate) replies: BTreeMap<CommandId, Result<Reply, CommandError>>,
    pub(crate) dismissed: Vec<(PeerId, Reason)>,
}

impl World {
    /// A world on this chain with usual links and disks, in which one miner alone finds blocks at the chain's interval.
    pub fn new(spec: Arc<ChainSpec>, seed: u64) -> Self {
        let work = spec.pow_limit().work().value();
        let work: f64 = work.to_string().parse().expect("a whole number");
        #[allow(clippy::cast_precision_loss)]
        let hash_rate = work * 1000.0 / spec.interval_ms() as f64;
        Self { spec, seed, link: Link::default(), disk_ms: 2, signature_us: 100, hash_rate }
    }
}

impl Sim {
    /// A world without nodes, a day after its genesis.
    pub fn new(world: World) -> Self {
        let start = world.spec.genesis_header().time().saturating_add(24 * 60 * 60 * 1000);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&world.seed.to_le_bytes());
        Self {
            world,
            now: start,
            queue: BinaryHeap::new(),
            scheduled: 0,
            places: Vec::new(),
            network: Network::default(),
            rng: Rng::new(seed),
            trace: Trace::default(),
            next_command: 0,
        }
    }

    /// Opens a new node on the world's chain.
    pub fn add_node(&mut self) -> Place {
        self.add_node_on(Arc::clone(&self.world.spec))
    }

    /// Opens a new node on a chain of its own.
    pub fn add_node_on(&mut self, spec: Arc<ChainSpec>) -> Place {
        let place = Place(self.places.len());
        let id = PeerId::new(format!("node-{}", place.0).as_bytes()).expect("a short name");
        self.places.push(Home {
            spec,
            id,
            node: None,
            life: 0,
            disk: Disk::default(),
            wake: None,
            mining: None,
            hash_rate: self.world.hash_rate,
            ahead_ms: 0,
            tongue: None,
            events: Vec::new(),
            replies: BTreeMap::new(),
            dismissed: Vec::new(),
        });
        self.open(place);
        place
    }

    /// Opens several nodes.
    pub fn add_nodes(&mut self, count: usize) -> Vec<Place> {
        (0..count).map(|_| self.add_node()).collect()
    }

    /// Opens the node of a place, on the disk as it is.
    pub fn open(&mut self, place: Place) {
        let seed = self.rng.draw();
        let home = &mut self.places[place.0];
        home.life += 1;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut config = Config::new(Arc::clone(&home.spec), bytes);
        config.identity = Some(home.id);
        home.node = Some(Node::open(config));
        self.drain(place);
    }

    /// The node dies at once: what its disk had not finished is lost, its peers see the connections close.
    pub fn kill(&mut self, place: Place) {
        let home = &mut self.places[place.0];
        home.node = None;
        home.life += 1;
        home.wake = None;
        home.mining = None;
        home.disk.reset();
        for neighbour in self.network.neighbours(place) {
            self.hang_up(place, neighbour);
        }
    }

    /// Tells each of these places about the others, as a relay would.
    pub fn introduce(&mut self, places: &[Place]) {
        for &to in places {
            for &about in places {
                if to != about {
                    self.find(to, about);
                }
            }
        }
    }

    /// Tells one place about another.
    pub fn find(&mut self, to: Place, about: Place) {
        let (id, address) = (self.places[about.0].id, address(about));
        self.input(to, Input::Discovered(id, vec![address]));
    }

    /// Opens a connection from one place to another.
    pub fn connect(&mut self, from: Place, to: Place) {
        if self.network.connection(from, to).is_some() {
            return;
        }
        let answers = self.places[to.0].node.is_some();
        let Some(connection) = answers.then(|| self.network.open(from, to)).flatten() else {
            let id = self.places[to.0].id;
            return self.after(from, 5_000, Input::PeerDown(id));
        };
        let info = |outbound, address| PeerInfo { kind: ConnectionKind::Direct, outbound, address };
        let (ours, theirs) = (info(true, Some(address(to))), info(false, None));
        let at = self.now.saturating_add(self.world.link.latency_ms);
        self.schedule(at, from, What::Up { other: to, connection, info: ours });
        self.schedule(at, to, What::Up { other: from, connection, info: theirs });
    }

    /// One side's session with a peer ends and begins anew, as when two connections become one; the other side does not
    /// notice.
    pub fn renew_session(&mut self, at: Place, with: Place) {
        let id = self.places[with.0].id;
        self.input(at, Input::PeerDown(id));
        let address = Some(address(with));
        self.input(at, Input::PeerUp(id, PeerInfo { kind: ConnectionKind::Direct, outbound: true, address }));
    }

    /// Cuts places off from all others; what was on its way between them is lost.
    pub fn cut_off(&mut self, island: &[Place]) {
        for (a, b) in self.network.cut_off(island.iter().copied().collect::<BTreeSet<_>>()) {
            let (a_id, b_id) = (self.places[a.0].id, self.places[b.0].id);
            self.input(a, Input::PeerDown(b_id));
            self.input(b, Input::PeerDown(a_id));
        }
    }

    /// Everybody can reach everybody again.
    pub fn heal(&mut self) {
        self.network.cut_off(BTreeSet::new());
    }

    /// Lets a node lie.
    pub fn corrupt(&mut self, place: Place, tongue: Tongue) {
        self.places[place.0].tongue = Some(tongue);
    }

    /// Sets a node's clock ahead.
    pub fn set_clock_ahead(&mut self, place: Place, millis: i64) {
        self.places[place.0].ahead_ms = millis;
    }

    /// Sets how many hashes a second a place makes when it mines.
    pub fn set_hash_rate(&mut self, place: Place, hash_rate: f64) {
        self.places[place.0].hash_rate = hash_rate;
    }

    /// A node's disk.
    pub fn disk(&mut self, place: Place) -> &mut Disk {
        &mut self.places[place.0].disk
    }

    /// A node's peer id.
    pub fn id(&self, place: Place) -> PeerId {
        self.places[place.0].id
    }

    /// The events a node has told so far, in all its lives.
    pub fn events(&self, place: Place) -> &[Event] {
        &self.places[place.0].events
    }

    /// The peers a node has sent away, and why.
    pub fn dismissed(&self, place: Place) -> &[(PeerId, Reason)] {
        &self.places[place.0].dismissed
    }

    /// Bytes that one place has sent to another.
    pub fn bytes_sent(&self, from: Place, to: Place) -> u64 {
        self.network.bytes(from, to)
    }

    /// The virtual clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What happened so far, as a hash.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Gives a node a command and runs the world until it is answered.
    ///
    /// # Panics
    /// When there is no answer within a minute.
    pub fn call(&mut self, place: Place, command: Command) -> Result<Reply, CommandError> {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        self.input(place, Input::Command(id, command));
        let deadline = self.now.saturating_add(60_000);
        loop {
            if let Some(reply) = self.places[place.0].replies.remove(&id) {
                return reply;
            }
            assert!(self.now <= deadline && self.step(), "no answer within a minute");
        }
    }

    /// How a node is.
    ///
    /// # Panics
    /// When it is not open.
    pub fn status(&mut self, place: Place) -> Status {
        match self.call(place, Command::Status) {
            Ok(Reply::Status(status)) => *status,
            other => panic!("a running node tells its status, not {other:?}"),
        }
    }

    /// Lets a node mine for an address.
    ///
    /// # Panics
    /// When it is not open.
    pub fn start_mining(&mut self, place: Place, to: Address) {
        self.call(place, Command::StartMining { to }).expect("a running node mines when told");
    }

    /// Lets a node mine no more.
    ///
    /// # Panics
    /// When it is not open.
    pub fn stop_mining(&mut self, place: Place) {
        self.call(place, Command::StopMining).expect("a running node stops when told");
    }

    /// Runs the world for so many milliseconds.
    pub fn run_for(&mut self, millis: u64) {
        let end = self.now.saturating_add(millis);
        while self.queue.peek().is_some_and(|next| next.0.at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Runs the world, a second at a time, until `done`; false when `millis` pass first.
    pub fn run_until(&mut self, millis: u64, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now.saturating_add(millis);
        while !done(self) {
            if self.now >= end {
                return false;
            }
            self.run_for(1_000);
        }
        true
    }
}
