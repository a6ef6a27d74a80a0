//! What the stories share: a chain with a block a minute, places wired or left to find each other, and payments.

use std::sync::Arc;

use tabchain_chain::testing::{Key, parameters, transfer, units};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_node::Command;
use tabchain_primitives::Address;
use tabchain_sim::{Access, Latency, Link, Nat, Place, Sim, World};
use tabchain_sync::Rng;

/// A minute in milliseconds.
pub(crate) const MINUTE: u64 = 60_000;
/// Keys that begin with money.
pub(crate) const KEYS: u64 = 64;

/// A chain like the one for people: a block a minute, 256 KiB a block, slow to adjust; but with hardly any work.
pub(crate) fn chain() -> Arc<ChainSpec> {
    let rich = (0..KEYS).map(|number| (address(number), units(1_000_000_000)));
    let chain = Parameters {
        name: "scale".into(),
        interval_ms: MINUTE,
        half_life_ms: 30 * MINUTE,
        allocations: rich.collect(),
        ..parameters()
    };
    Arc::new(ChainSpec::new(chain).expect("these parameters make a chain"))
}

/// The address of a numbered key.
pub(crate) fn address(number: u64) -> Address {
    Key::new(number).address()
}

/// A world of home lines: 10 Mbit/s up, 50 Mbit/s down.
fn world(seed: u64) -> World {
    let mut world = World::new(chain(), seed);
    world.access = Access { up: 1_250_000, down: 6_250_000, nat: Nat::Open };
    world.keeps_events = false;
    world.recorded = Some(Place(0));
    world
}

/// Every link takes 100 ms, and nobody dials: connections are laid by [`wire`].
pub(crate) fn wired_world(seed: u64) -> World {
    let mut world = world(seed);
    world.link = Link { latency: Latency::Same(100), ..Link::default() };
    world.limits.outbound = 0;
    world
}

/// Places all over the globe, with jitter and a little loss.
pub(crate) fn wide_world(seed: u64) -> World {
    let mut world = world(seed);
    world.link =
        Link { latency: Latency::Map { last_mile_ms: 15, across_ms: 170 }, jitter_ms: 8.0, loss: 0.005 };
    world
}

/// Kinds of NAT as they are met among people: one in five is symmetric.
pub(crate) fn give_nats(sim: &mut Sim, places: &[Place]) {
    let kinds = [Nat::Cone, Nat::PortRestricted, Nat::PortRestricted, Nat::Symmetric, Nat::Open];
    for (number, &place) in places.iter().enumerate() {
        let access = sim.access(place);
        sim.set_access(place, Access { nat: kinds[number % kinds.len()], ..access });
    }
}

/// Lays connections by chance until each place has `degree` of them, give or take one.
pub(crate) fn wire(sim: &mut Sim, places: &[Place], degree: usize, seed: u64) {
    let mut rng = Rng::new([u8::try_from(seed % 251).unwrap_or(0); 32]);
    let mut ends: Vec<usize> = vec![0; places.len()];
    // A ring first, so that it is one network; then anybody who still lacks some, with anybody else who does.
    for at in 0..places.len() {
        let next = (at + 1) % places.len();
        sim.connect(places[at], places[next]);
        ends[at] += 1;
        ends[next] += 1;
    }
    let mut open: Vec<usize> = (0..places.len()).collect();
    for _ in 0..places.len() * degree * 8 {
        open.retain(|&at| ends[at] < degree);
        if open.len() < 2 {
            break;
        }
        let (a, b) = (open[rng.below(open.len())], open[rng.below(open.len())]);
        if a != b && !sim.neighbours(places[a]).contains(&places[b]) {
            sim.connect(places[a], places[b]);
            ends[a] += 1;
            ends[b] += 1;
        }
    }
}

/// Payments from the rich keys, one after the other, each through the next of these places.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    made: u64,
}

impl Payments {
    pub(crate) fn pay(&mut self, sim: &mut Sim, through: Place) {
        let spec = Arc::clone(sim.spec());
        let (key, nonce) = (self.made % KEYS, self.made / KEYS);
        let to = address(1_000 + self.made % 97);
        let payment = transfer(&spec, &Key::new(key), nonce, to, 1_000 + self.made, 10_000);
        self.made += 1;
        sim.tell(through, Command::SendTransaction(Box::new(payment)));
    }
}
