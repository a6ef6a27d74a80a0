//! The stories. Each builds its world, lets it run, and says what must have come of it.

use tabchain_chain::testing::Key;
use tabchain_node::Message;
use tabchain_sim::adversary::{
    Boaster, CheapHeaders, Flood, Junk, Stalling, Stutter, Sybil, Withholding, WrongBodies, forge,
};
use tabchain_sim::{Churn, Place, Sim, Span};
use tabchain_sync::LinkMessage;

use crate::figures::Figures;
use crate::log::Log;
use crate::run::{Claim, Run, lasting};
use crate::stage::{MINUTE, Payments, address, give_nats, wide_world, wire, wired_world};

/// As many of the smallest payments as a block of 256 KiB holds.
const FULL: u64 = 1_668;

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Block,
    Cold,
    Hour,
    Churn,
    Liars,
    Partition,
}

/// A story that was told.
pub(crate) struct Ending {
    pub(crate) sim: Sim,
    pub(crate) log: Log,
    pub(crate) claims: Vec<Claim>,
}

impl Story {
    const ALL: [Self; 6] = [Self::Block, Self::Cold, Self::Hour, Self::Churn, Self::Liars, Self::Partition];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Cold => "cold",
            Self::Hour => "hour",
            Self::Churn => "churn",
            Self::Liars => "liars",
            Self::Partition => "partition",
        }
    }

    /// What happens, in a sentence.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Block => "A full block whose transactions were told before spreads over links of 100 ms.",
            Self::Cold => "A full block of transactions that nobody but its miner has ever seen.",
            Self::Hour => "One hour of a network all over the globe, in which people come and go.",
            Self::Churn => "Half of all tabs leave every minute, and as many come back.",
            Self::Liars => "Three in ten lie, in nine different ways.",
            Self::Partition => "A continent is cut off for two hours, and comes back.",
        }
    }

    /// How many nodes there usually are, and for how many minutes.
    pub(crate) const fn usual(self) -> (usize, u64) {
        match self {
            Self::Block | Self::Cold => (1_000, 2),
            Self::Hour => (5_000, 60),
            Self::Churn => (500, 30),
            Self::Liars => (300, 60),
            Self::Partition => (200, 120),
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|story| story.name() == name)
    }

    pub(crate) fn list() -> String {
        let line = |story: &Self| {
            let (nodes, minutes) = story.usual();
            format!("  {:<10} {} ({nodes} nodes, {minutes} minutes)", story.name(), story.about())
        };
        Self::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn tell(self, run: &Run) -> Ending {
        match self {
            Self::Block => block(run, true),
            Self::Cold => block(run, false),
            Self::Hour => hour(run),
            Self::Churn => churn(run),
            Self::Liars => liars(run),
            Self::Partition => partition(run),
        }
    }
}

/// A full block, its transactions told before or not.
#[allow(clippy::cast_precision_loss)]
fn block(run: &Run, warm: bool) -> Ending {
    let mut sim = Sim::new(wired_world(run.seed));
    let mut log = Log::default();
    let places = sim.add_nodes(run.nodes);
    wire(&mut sim, &places, run.peers, run.seed);
    sim.run_for(10_000);
    let miner = places[0];
    if !warm {
        // The miner keeps its transactions to itself.
        let secretive = |_, message| match message {
            Message::Link(LinkMessage::Transactions(_)) => None,
            other => Some(other),
        };
        sim.corrupt(miner, Box::new(secretive));
    }
    let mut payments = Payments::default();
    for number in 0..FULL {
        let through =
            if warm { places[usize::try_from(number * 31).unwrap_or(0) % places.len()] } else { miner };
        payments.pay(&mut sim, through);
        sim.run_for(3);
    }
    sim.run_for(20_000);
    let before: Vec<u64> = places.iter().map(|&place| sim.chronicle().received_for_blocks(place)).collect();
    let pooled: u64 = places
        .iter()
        .map(|&place| sim.chronicle().received(place, tabchain_sim::Purpose::Transactions))
        .sum();
    let ids: u64 = places
        .iter()
        .map(|&place| sim.chronicle().received(place, tabchain_sim::Purpose::TransactionIds))
        .sum();
    sim.start_mining(miner, address(0));
    while sim.chronicle().births().is_empty() {
        log.run(&mut sim, 1_000, 50);
    }
    sim.stop_mining(miner);
    log.run(&mut sim, 30_000, 50);

    let figures = Figures::of(&sim);
    let spread = &figures.spreads[0];
    let size = 180 + 2 + u64::from(spread.transactions) * 157;
    let each = |place: usize| sim.chronicle().received_for_blocks(places[place]) - before[place];
    let costs: Vec<f64> = (1..places.len()).map(|place| each(place) as f64 / size as f64).collect();
    let mean = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
    let most = costs.iter().copied().fold(0.0, f64::max);
    let reached = spread.reaches(0.95);
    let mut claims = vec![
        Claim::fact("transactions in the block", format!("{} ({size} bytes)", spread.transactions)),
        Claim::fact("bytes received for it, mean", format!("{mean:.2} times its size")),
        Claim::fact("bytes received for it, most", format!("{most:.2} times its size")),
        Claim::fact(
            "told before, each node",
            format!(
                "{} bytes of transactions, {} of ids and questions",
                pooled / run.nodes as u64,
                ids / run.nodes as u64
            ),
        ),
    ];
    if warm {
        claims.push(Claim::must(
            "95% have it within 1.5 s",
            reached.map_or("never".into(), lasting),
            reached.is_some_and(|millis| millis <= 1_500),
        ));
        claims.push(Claim::must(
            "it costs no node more than 1.5 times its size",
            format!("{most:.2}"),
            most <= 1.5,
        ));
    } else {
        claims.push(Claim::fact("95% have it after", reached.map_or("never".into(), lasting)));
    }
    Ending { sim, log, claims }
}

/// Lets places find each other through two lists, and a third that leads from one to the other.
fn gather_by_halves(sim: &mut Sim, places: &[Place]) {
    for half in places.chunks(places.len().div_ceil(2)) {
        sim.gather(half);
    }
    let between: Vec<Place> = places.iter().step_by(3).copied().collect();
    sim.gather(&between);
}

fn hour(run: &Run) -> Ending {
    let mut sim = Sim::new(wide_world(run.seed));
    let mut log = Log::default();
    let places = sim.add_nodes(run.nodes);
    give_nats(&mut sim, &places);
    gather_by_halves(&mut sim, &places);
    let miners = &places[..20.min(places.len())];
    for (number, &miner) in (0..).zip(miners) {
        sim.set_hash_rate(miner, 1.0 / 20.0 * mean_rate(&sim));
        sim.make_miner(miner, address(number));
    }
    // Half stay for less than half an hour, one in ten for hours; most come back.
    let churn = Churn {
        stay: Span::Weibull { scale_ms: 60 * MINUTE, shape: 0.6 },
        away: Span::LogNormal { median_ms: 20 * MINUTE, sigma: 1.2 },
        power_cuts: 0.02,
    };
    sim.churn(&places[miners.len()..], churn);
    let mut payments = Payments::default();
    for minute in 0..run.minutes {
        payments.pay(&mut sim, places[usize::try_from(minute).unwrap_or(0) % miners.len()]);
        log.run(&mut sim, MINUTE, 10_000);
    }
    for &miner in miners {
        sim.stop_mining(miner);
    }
    log.run(&mut sim, 2 * MINUTE, 10_000);
    let claims = together(&log);
    Ending { sim, log, claims }
}

fn churn(run: &Run) -> Ending {
    let mut sim = Sim::new(wide_world(run.seed));
    let mut log = Log::default();
    let places = sim.add_nodes(run.nodes);
    gather_by_halves(&mut sim, &places);
    let (stay, restless) = places.split_at((run.nodes / 10).max(5));
    for (number, &miner) in (0..5).zip(stay) {
        sim.set_hash_rate(miner, 0.2 * mean_rate(&sim));
        sim.make_miner(miner, address(number));
    }
    sim.run_for(MINUTE);
    sim.churn(restless, Churn::a_minute(0.5));
    log.run(&mut sim, run.minutes * MINUTE, 5_000);
    for &miner in &stay[..5] {
        sim.stop_mining(miner);
    }
    sim.end_churn(restless);
    log.run(&mut sim, 3 * MINUTE, 5_000);
    let claims = together(&log);
    Ending { sim, log, claims }
}

fn liars(run: &Run) -> Ending {
    let mut sim = Sim::new(wide_world(run.seed));
    let mut log = Log::default();
    let places = sim.add_nodes(run.nodes);
    let spec = sim.spec().clone();
    let forged = forge(&spec, 10, sim.now(), run.seed);
    let accomplices: Vec<Place> = places.iter().copied().skip(1).step_by(3).collect();
    for (number, &place) in places.iter().enumerate() {
        match number % 30 {
            1 => sim.behave(place, Withholding),
            4 => sim.behave(place, Stalling(15_000)),
            7 => sim.behave(place, Boaster),
            10 => sim.behave(place, WrongBodies),
            13 => sim.behave(place, CheapHeaders::new(forged.clone())),
            16 => sim.behave(place, Sybil::new(&accomplices)),
            19 => sim.behave(place, Flood::new(Junk::BadSignatures(Key::new(60).public()), 1, 5_000)),
            22 => sim.behave(place, Flood::new(Junk::Orphans(*spec.genesis_header()), 2, 5_000)),
            25 => sim.behave(place, Stutter { one_in: 10 }),
            _ => {}
        }
    }
    gather_by_halves(&mut sim, &places);
    let honest: Vec<Place> = places.iter().copied().filter(|&place| sim.is_honest(place)).collect();
    let miners: Vec<Place> = honest[..7].iter().chain(&accomplices[..3]).copied().collect();
    for (number, &miner) in (0..).zip(&miners) {
        sim.set_hash_rate(miner, 0.1 * mean_rate(&sim));
        sim.make_miner(miner, address(number));
    }
    let mut payments = Payments::default();
    for _ in 0..run.minutes {
        payments.pay(&mut sim, honest[9]);
        log.run(&mut sim, MINUTE, 10_000);
    }
    for &miner in &miners {
        sim.stop_mining(miner);
    }
    log.run(&mut sim, 3 * MINUTE, 10_000);
    let claims = together(&log);
    Ending { sim, log, claims }
}

fn partition(run: &Run) -> Ending {
    let mut sim = Sim::new(wide_world(run.seed));
    let mut log = Log::default();
    let places = sim.add_nodes(run.nodes);
    gather_by_halves(&mut sim, &places);
    let (west, east) = places.split_at(run.nodes * 2 / 5);
    for (number, &miner) in (0..).zip(west[..4].iter().chain(&east[..6])) {
        sim.set_hash_rate(miner, 0.1 * mean_rate(&sim));
        sim.make_miner(miner, address(number));
    }
    log.run(&mut sim, 20 * MINUTE, 10_000);
    sim.cut_off(west);
    log.run(&mut sim, run.minutes * MINUTE, 10_000);
    sim.heal();
    let healed = sim.now();
    let mut agreed = None;
    for _ in 0..24 {
        log.run(&mut sim, 5_000, 5_000);
        if agreed.is_none() && log.samples.last().is_some_and(|last| last.together > 0.95) {
            agreed = Some(sim.now().since(healed));
        }
    }
    log.run(&mut sim, 20 * MINUTE, 10_000);
    for &miner in west[..4].iter().chain(&east[..6]) {
        sim.stop_mining(miner);
    }
    log.run(&mut sim, 2 * MINUTE, 10_000);
    let mut claims = together(&log);
    claims.push(Claim::must(
        "95% stand on one tip within two minutes of the healing",
        agreed.map_or("never".into(), lasting),
        agreed.is_some(),
    ));
    Ending { sim, log, claims }
}

/// The hash rate at which one miner alone finds a block a minute.
fn mean_rate(sim: &Sim) -> f64 {
    tabchain_sim::World::new(sim.spec().clone(), 0).hash_rate
}

fn together(log: &Log) -> Vec<Claim> {
    let last = log.samples.last().map_or(0.0, |last| last.together);
    let most = log.samples.iter().map(|sample| sample.open).max().unwrap_or(0);
    vec![
        Claim::fact("nodes there at once, most", most.to_string()),
        Claim::must("in the end the honest agree", format!("{:.1}% on one tip", last * 100.0), last > 0.99),
    ]
}
