//! Mining as a matter of luck: when a nonce is found is drawn, and only then is it searched for.

use tabchain_node::{Input, JobId, Template};
use tabchain_primitives::{Decode, Header};

use crate::Place;
use crate::events::What;
use crate::sim::Sim;

impl Sim {
    /// Draws when the miner will be lucky. The wait has no memory, so a new template may draw anew.
    pub(crate) fn mine(&mut self, place: Place, job: JobId, template: Template) {
        let work: f64 = template.target.work().value().to_string().parse().expect("a whole number");
        let home = &mut self.places[place.0];
        let mean_ms = work * 1000.0 / home.hash_rate;
        home.mining = Some((job, template));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wait = (-(1.0 - self.rng.unit()).ln() * mean_ms).ceil() as u64;
        self.schedule(self.now.saturating_add(wait), place, What::Solve(job));
    }

    pub(crate) fn solve(&mut self, place: Place, job: JobId) {
        let Some((current, template)) = &self.places[place.0].mining else { return };
        if *current != job {
            return;
        }
        let header = Header::from_bytes(&template.header).expect("a node hands out its own headers");
        let target = template.target;
        let mut nonce = self.rng.draw();
        while !target.is_met_by(&header.with_nonce(nonce).hash()) {
            nonce = nonce.wrapping_add(1);
        }
        self.places[place.0].mining = None;
        let header = header.with_nonce(nonce);
        self.chronicle.found(&header, place, self.now);
        self.watch.found(header);
        self.input(place, Input::Mined(job, nonce));
    }
}
