//! Figures of a world: how blocks spread, what they cost, how often chains forked.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::BlockHash;
use tabchain_sim::{Birth, Place, Purpose, Sim};

/// How one block spread.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) transactions: u32,
    /// After how many milliseconds each honest place that was there all the time stood on it, rising.
    pub(crate) after_ms: Vec<u64>,
    /// How many could have.
    pub(crate) could: usize,
}

/// One block in the tree of all.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) height: u32,
    pub(crate) at_ms: u64,
    pub(crate) parent: Option<usize>,
    pub(crate) on_chain: bool,
    pub(crate) honest: bool,
}

/// Everything worth telling.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) spreads: Vec<Spread>,
    pub(crate) tree: Vec<Leaf>,
    pub(crate) received: BTreeMap<Purpose, u64>,
    /// Bytes received for blocks by each honest place.
    pub(crate) for_blocks: Vec<u64>,
    pub(crate) reorgs: Vec<usize>,
    pub(crate) messages: u64,
    pub(crate) events: u64,
    pub(crate) signatures: u64,
    pub(crate) dials: (u64, u64),
    pub(crate) trace: [u8; 32],
}

impl Figures {
    pub(crate) fn of(sim: &Sim) -> Self {
        let chronicle = sim.chronicle();
        let honest: Vec<Place> = sim.places().filter(|&place| sim.is_honest(place)).collect();
        let purposes = Purpose::ALL.into_iter();
        let sum = |purpose| sim.places().map(|place| chronicle.received(place, purpose)).sum();
        Self {
            spreads: chronicle.births().iter().map(|birth| spread(sim, &honest, birth)).collect(),
            tree: tree(sim, &honest),
            received: purposes.map(|purpose| (purpose, sum(purpose))).collect(),
            for_blocks: honest.iter().map(|&place| chronicle.received_for_blocks(place)).collect(),
            reorgs: chronicle.reorgs().iter().map(|(_, _, depth)| *depth).collect(),
            messages: chronicle.messages(),
            events: chronicle.events(),
            signatures: chronicle.signatures(),
            dials: chronicle.dials(),
            trace: sim.trace().hash(),
        }
    }

    /// Blocks that were found and are not on the chain that most stand on.
    pub(crate) fn orphans(&self) -> usize {
        self.tree.iter().filter(|leaf| !leaf.on_chain).count()
    }

    /// The spread of a typical block of the chain: at each share of the places, the median over all blocks.
    pub(crate) fn typical(&self, share: f64) -> Option<u64> {
        let mut times: Vec<u64> = self.spreads.iter().filter_map(|spread| spread.reaches(share)).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

impl Spread {
    /// After how many milliseconds so large a share of those who could stood on it; none if it never did.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn reaches(&self, share: f64) -> Option<u64> {
        let wanted = (self.could as f64 * share).ceil() as usize;
        self.after_ms.get(wanted.max(1) - 1).copied()
    }
}

fn spread(sim: &Sim, honest: &[Place], birth: &Birth) -> Spread {
    let there = |place: Place| sim.is_honest(place) && sim.is_open(place) && sim.open_since(place) < birth.at;
    let arrivals = birth.arrivals.iter().filter(|(place, _)| there(*place));
    let first: BTreeMap<Place, u64> =
        arrivals.rev().map(|(place, at)| (*place, at.since(birth.at))).collect();
    let mut after_ms: Vec<u64> = first.into_values().collect();
    after_ms.sort_unstable();
    let could = honest.iter().filter(|&&place| there(place)).count();
    Spread { transactions: birth.transactions, after_ms, could }
}

fn tree(sim: &Sim, honest: &[Place]) -> Vec<Leaf> {
    let births = sim.chronicle().births();
    let place_of: BTreeMap<BlockHash, usize> =
        births.iter().zip(0..).map(|(birth, at)| (birth.hash, at)).collect();
    let mut tips: BTreeMap<BlockHash, usize> = BTreeMap::new();
    for tip in honest.iter().filter(|&&place| sim.is_open(place)).filter_map(|&place| sim.tip(place)) {
        *tips.entry(tip).or_default() += 1;
    }
    let mut chain = BTreeSet::new();
    let mut next = tips.into_iter().max_by_key(|(_, count)| *count).map(|(tip, _)| tip);
    while let Some(birth) = next.and_then(|hash| sim.chronicle().birth(&hash)) {
        chain.insert(birth.hash);
        next = Some(birth.parent);
    }
    let start = births.first().map_or(sim.now(), |birth| birth.at);
    let leaf = |birth: &Birth| Leaf {
        height: birth.height.value(),
        at_ms: birth.at.since(start),
        parent: place_of.get(&birth.parent).copied(),
        on_chain: chain.contains(&birth.hash),
        honest: sim.is_honest(birth.place),
    };
    births.iter().map(leaf).collect()
}
