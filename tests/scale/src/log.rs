//! What is written down while a story is told, once in a while: how many are there, and on how many tips they stand.

use std::collections::BTreeSet;

use tabchain_sim::{Place, Sim};

/// One look at the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the story began, in milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) open: usize,
    /// Different tips among the honest who are there.
    pub(crate) tips: usize,
    /// Of the honest who are there, the share that stands on the most common tip.
    pub(crate) together: f64,
    /// Connections of an honest place, on average.
    pub(crate) connections: f64,
}

/// All looks at the world.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) samples: Vec<Sample>,
    began_ms: Option<u64>,
}

impl Log {
    /// Runs the world and looks at it so often.
    pub(crate) fn run(&mut self, sim: &mut Sim, millis: u64, every_ms: u64) {
        for _ in 0..millis / every_ms {
            sim.run_for(every_ms);
            self.look(sim);
        }
        sim.run_for(millis % every_ms);
    }

    /// Looks at the world.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn look(&mut self, sim: &Sim) {
        let began = *self.began_ms.get_or_insert(sim.now().millis());
        let open: Vec<Place> =
            sim.places().filter(|&place| sim.is_open(place) && sim.is_honest(place)).collect();
        let tips: Vec<_> = open.iter().filter_map(|&place| sim.tip(place)).collect();
        let different: BTreeSet<_> = tips.iter().collect();
        let most = different.iter().map(|tip| tips.iter().filter(|other| *other == *tip).count()).max();
        let connections: usize = open.iter().map(|&place| sim.neighbours(place).len()).sum();
        self.samples.push(Sample {
            at_ms: sim.now().millis() - began,
            open: sim.places().filter(|&place| sim.is_open(place)).count(),
            tips: different.len(),
            together: most.unwrap_or(0) as f64 / tips.len().max(1) as f64,
            connections: connections as f64 / open.len().max(1) as f64,
        });
    }
}
