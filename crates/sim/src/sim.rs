//! A world of nodes, and what can be done to it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::{Command, CommandId, Config, ConnectionKind, Input, Limits, Node, PeerId, PeerInfo};
use tabchain_primitives::{Address, Timestamp};
use tabchain_sync::Rng;

use crate::behaviour::{Behaviour, Tongue};
use crate::chronicle::Chronicle;
use crate::events::{DIAL_FAILS_MS, Scheduled, What};
use crate::link::Access;
use crate::network::Network;
use crate::place::{Home, Place};
use crate::recording::Recorder;
use crate::rendezvous::List;
use crate::trace::Trace;
use crate::verdicts::Verdicts;
use crate::watch::Watch;
use crate::world::World;

/// One way for the offer, one for the answer, and two to agree on keys: so many ways a dial takes.
const DIAL_WAYS: u64 = 4;

/// A world of nodes under one virtual clock.
pub struct Sim {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) queue: BinaryHeap<Reverse<Scheduled>>,
    pub(crate) scheduled: u64,
    pub(crate) places: Vec<Home>,
    pub(crate) residents: HashMap<PeerId, Place>,
    pub(crate) network: Network,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) verdicts: Verdicts,
    pub(crate) chronicle: Chronicle,
    pub(crate) next_command: u64,
    /// The command whose reply somebody waits for.
    pub(crate) awaited: Option<CommandId>,
    pub(crate) lists: Vec<List>,
    pub(crate) watch: Watch,
}

impl Sim {
    /// A world without nodes, a day after its genesis.
    pub fn new(world: World) -> Self {
        let start = world.spec.genesis_header().time().saturating_add(24 * 60 * 60 * 1000);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&world.seed.to_le_bytes());
        Self {
            watch: Watch::new(&world.spec),
            world,
            now: start,
            queue: BinaryHeap::new(),
            scheduled: 0,
            places: Vec::new(),
            residents: HashMap::new(),
            network: Network::default(),
            rng: Rng::new(seed),
            trace: Trace::default(),
            verdicts: Verdicts::default(),
            chronicle: Chronicle::default(),
            next_command: 0,
            awaited: None,
            lists: Vec::new(),
        }
    }

    /// Opens a new node on the world's chain.
    pub fn add_node(&mut self) -> Place {
        self.add_node_on(Arc::clone(&self.world.spec))
    }

    /// Opens a new node on a chain of its own.
    pub fn add_node_on(&mut self, spec: Arc<ChainSpec>) -> Place {
        let place = Place(self.places.len());
        let spot = (self.rng.unit(), self.rng.unit());
        self.network.add(self.world.access, spot);
        self.residents.insert(place.peer_id(), place);
        self.places.push(Home::new(place, spec, self.world.limits, self.world.hash_rate));
        self.places[place.0].disk.set_volatile(self.world.volatile_commits);
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
        home.since = self.now;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut config = Config::new(Arc::clone(&home.spec), bytes);
        config.identity = Some(home.id);
        config.limits = home.limits;
        home.recorder = (self.world.recorded == Some(place)).then(|| Recorder::new(bytes, config.identity));
        home.node = Some(Node::open(config));
        let paces: Vec<_> = home.behaviours.iter().map(|behaviour| behaviour.pace_ms()).collect();
        for (which, every) in paces.into_iter().enumerate() {
            self.pace(place, which, every);
        }
        self.drain(place);
        self.look_soon(place);
        if let Some(to) = self.places[place.0].mines_for {
            self.tell(place, Command::StartMining { to });
        }
    }

    /// The node dies at once: what its disk had not finished is lost, its peers see the connections close.
    pub fn kill(&mut self, place: Place) {
        let home = &mut self.places[place.0];
        home.node = None;
        home.life += 1;
        home.wake = None;
        home.mining = None;
        home.busy_until = Timestamp::ZERO;
        home.checking_until = 0;
        home.disk.reset();
        self.watch.gone(place);
        for neighbour in self.network.neighbours(place) {
            self.hang_up(place, neighbour);
        }
    }

    /// A browser freezes the tab of a place for so long: its connections break, and what happens to it meanwhile comes to it
    /// when it wakes, all at once.
    pub fn freeze(&mut self, place: Place, millis: u64) {
        for neighbour in self.network.neighbours(place) {
            self.hang_up(place, neighbour);
        }
        self.places[place.0].busy_until = self.now.saturating_add(millis);
    }

    /// Whether a node lives there now.
    pub fn is_open(&self, place: Place) -> bool {
        self.places[place.0].node.is_some()
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
        let id = self.places[about.0].id;
        self.input(to, Input::Discovered(id, vec![about.address()]));
    }

    /// Opens a connection from one place to another.
    pub fn connect(&mut self, from: Place, to: Place) {
        if self.network.connection(from, to).is_none() {
            self.open_connection(from, to, 1);
        }
    }

    /// A node wants a connection.
    pub(crate) fn dial(&mut self, from: Place, peer: PeerId) {
        match self.place_of(&peer) {
            Some(to) if self.network.connection(from, to).is_some() => {}
            Some(to) if self.can_signal(from, to) => self.open_connection(from, to, DIAL_WAYS),
            _ => {
                self.chronicle.dialled(false);
                self.after(from, DIAL_FAILS_MS, Input::PeerDown(peer));
            }
        }
    }

    fn open_connection(&mut self, from: Place, to: Place, ways: u64) {
        let answers = self.is_open(to) && self.network.meets(from, to);
        let connection = answers.then(|| self.network.open(from, to)).flatten();
        self.chronicle.dialled(connection.is_some());
        let Some(connection) = connection else {
            let id = self.places[to.0].id;
            return self.after(from, DIAL_FAILS_MS, Input::PeerDown(id));
        };
        let info = |outbound, address| PeerInfo {
            kind: ConnectionKind::Direct,
            outbound,
            address,
            introducer: None,
        };
        let (ours, theirs) = (info(true, Some(to.address())), info(false, None));
        let at = self.now.saturating_add(ways * self.way_ms(from, to));
        self.schedule(at, from, What::Up { other: to, connection, info: ours });
        self.schedule(at, to, What::Up { other: from, connection, info: theirs });
    }

    /// One side's session with a peer ends and begins anew, as when two connections become one; the other side does not
    /// notice.
    pub fn renew_session(&mut self, at: Place, with: Place) {
        let id = self.places[with.0].id;
        self.input(at, Input::PeerDown(id));
        let address = Some(with.address());
        let info = PeerInfo { kind: ConnectionKind::Direct, outbound: true, address, introducer: None };
        self.input(at, Input::PeerUp(id, info));
    }

    /// Cuts places off from all others; what was on its way between them is lost.
    pub fn cut_off(&mut self, island: &[Place]) {
        self.part(&[island]);
    }

    /// Parts the world into islands; who is on none of them stays with the others. What was on its way is lost.
    pub fn part(&mut self, islands: &[&[Place]]) {
        for (a, b) in self.network.part(islands) {
            let (a_id, b_id) = (self.places[a.0].id, self.places[b.0].id);
            self.input(a, Input::PeerDown(b_id));
            self.input(b, Input::PeerDown(a_id));
        }
    }

    /// Everybody can reach everybody again.
    pub fn heal(&mut self) {
        self.part(&[]);
    }

    /// Lets a node lie.
    pub fn corrupt(&mut self, place: Place, tongue: Tongue) {
        self.behave(place, tongue);
    }

    /// Gives a node a behaviour, besides those that it has. From now on it is no honest node.
    pub fn behave(&mut self, place: Place, behaviour: impl Behaviour + 'static) {
        let every = behaviour.pace_ms();
        let behaviours = &mut self.places[place.0].behaviours;
        behaviours.push(Box::new(behaviour));
        let which = behaviours.len() - 1;
        self.pace(place, which, every);
    }

    /// Whether a node does as the protocol says.
    pub fn is_honest(&self, place: Place) -> bool {
        self.places[place.0].behaviours.is_empty()
    }

    /// Lets a node mine for an address whenever it is open.
    pub fn make_miner(&mut self, place: Place, to: Address) {
        self.places[place.0].mines_for = Some(to);
        self.tell(place, Command::StartMining { to });
    }

    /// Sets a node's clock ahead.
    pub fn set_clock_ahead(&mut self, place: Place, millis: i64) {
        self.places[place.0].ahead_ms = millis;
    }

    /// Sets how much of everything the node of a place takes on, from the next time it is opened.
    pub fn set_limits(&mut self, place: Place, limits: Limits) {
        self.places[place.0].limits = limits;
    }

    /// Sets how many hashes a second a place makes when it mines.
    pub fn set_hash_rate(&mut self, place: Place, hash_rate: f64) {
        self.places[place.0].hash_rate = hash_rate;
    }

    /// Sets how a place is connected. What is open stays open.
    pub fn set_access(&mut self, place: Place, access: Access) {
        self.network.set_access(place, access);
    }

    /// How a place is connected.
    pub fn access(&self, place: Place) -> Access {
        self.network.access(place)
    }

    /// Runs the world for so many milliseconds.
    pub fn run_for(&mut self, millis: u64) {
        let end = self.now.saturating_add(millis);
        while self.queue.peek().is_some_and(|next| next.0.at <= end) {
            self.step();
        }
        self.pass_to(end);
    }

    /// It is that late now, if it was not later.
    pub(crate) fn pass_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        let sound = self.watch.tips_are_told(self.now);
        self.insist(sound);
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

    /// Whether the rules that are watched hold for this place: it follows the world's chain, as the protocol says.
    pub(crate) fn is_watched(&self, place: Place) -> bool {
        self.is_honest(place) && Arc::ptr_eq(&self.places[place.0].spec, &self.world.spec)
    }

    /// Stops the world if something is not as it must be.
    pub(crate) fn insist(&self, sound: Result<(), String>) {
        if let Err(why) = sound {
            let (start, seed) = (self.world.spec.genesis_header().time(), self.world.seed);
            panic!("{} ms after the genesis, in the world of seed {seed}: {why}", self.now.since(start));
        }
    }

    fn pace(&mut self, place: Place, which: usize, every: Option<u64>) {
        if let Some(every) = every {
            self.schedule(self.now.saturating_add(every.max(1)), place, What::Act(which));
        }
    }
}
