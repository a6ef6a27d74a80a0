//! People come and go: how long a tab stays open, how long it stays closed, and what it finds of its disk when it is back.

use tabchain_sync::Rng;

use crate::events::What;
use crate::place::Place;
use crate::sim::Sim;

/// How long something lasts, drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// Always as long, in milliseconds.
    Always(u64),
    /// Weibull. With a shape below 1 most are short and a few very long, as measured of people's sessions in peer-to-peer
    /// networks.
    Weibull {
        /// Two thirds are shorter than this.
        scale_ms: u64,
        /// How even they are: 1 is without memory, below it the tail is heavy.
        shape: f64,
    },
    /// The logarithm is normal.
    LogNormal {
        /// Half are shorter than this.
        median_ms: u64,
        /// The logarithm's standard deviation.
        sigma: f64,
    },
}

/// How people come and go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// How long they stay.
    pub stay: Span,
    /// How long they are away.
    pub away: Span,
    /// The share of leavings that are a power cut rather than a closed tab: then the disk loses what was committed last.
    pub power_cuts: f64,
}

impl Span {
    /// One such span, in milliseconds, at least one.
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        let millis = match *self {
            Self::Always(millis) => return millis.max(1),
            Self::Weibull { scale_ms, shape } => {
                as_float(scale_ms) * (-(1.0 - rng.unit()).ln()).powf(1.0 / shape)
            }
            Self::LogNormal { median_ms, sigma } => as_float(median_ms) * (sigma * normal(rng)).exp(),
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = millis as u64;
        whole.max(1)
    }
}

impl Churn {
    /// So large a share of all leaves every minute, and they are away for as long as they stayed.
    pub fn a_minute(share: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let scale_ms = (60_000.0 / -(1.0 - share).ln()) as u64;
        let span = Span::Weibull { scale_ms, shape: 1.0 };
        Self { stay: span, away: span, power_cuts: 0.0 }
    }
}

impl Sim {
    /// From now on these places come and go.
    pub fn churn(&mut self, places: &[Place], churn: Churn) {
        for &place in places {
            self.places[place.0].churn = Some(churn);
            self.next_turn(place, churn);
        }
    }

    /// From now on these places stay; who is away comes back.
    pub fn end_churn(&mut self, places: &[Place]) {
        for &place in places {
            self.places[place.0].churn = None;
            if !self.is_open(place) {
                self.open(place);
            }
        }
    }

    /// The power fails: the node dies, and with it up to as many of the last commits as the disk may lose.
    pub fn cut_power(&mut self, place: Place) {
        self.kill(place);
        let most = self.places[place.0].disk.volatile();
        let lost = self.rng.below(most + 1);
        self.places[place.0].disk.lose_last(lost);
    }

    /// A place that is open leaves, one that is away comes back.
    pub(crate) fn turn(&mut self, place: Place) {
        let Some(churn) = self.places[place.0].churn else { return };
        if !self.is_open(place) {
            self.open(place);
        } else if self.rng.unit() < churn.power_cuts {
            self.cut_power(place);
        } else {
            self.kill(place);
        }
        self.next_turn(place, churn);
    }

    fn next_turn(&mut self, place: Place, churn: Churn) {
        let span = if self.is_open(place) { churn.stay } else { churn.away };
        let millis = span.draw(&mut self.rng);
        self.schedule_for_ever(self.now.saturating_add(millis), place, What::Turn);
    }
}

/// A number from the normal distribution (Box and Muller, 1958).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.unit()).cos()
}

#[allow(clippy::cast_precision_loss)]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(span: Span) -> u64 {
        let mut rng = Rng::new([7; 32]);
        let mut drawn: Vec<_> = (0..2_001).map(|_| span.draw(&mut rng)).collect();
        drawn.sort_unstable();
        drawn[1_000]
    }

    #[test]
    fn spans_have_the_medians_that_their_parameters_say() {
        let near = |found: u64, expected: u64| found.abs_diff(expected) * 10 < expected;
        assert!(near(median(Span::LogNormal { median_ms: 60_000, sigma: 1.5 }), 60_000));
        assert!(near(median(Span::Weibull { scale_ms: 60_000, shape: 1.0 }), 41_589));
        assert!(near(median(Churn::a_minute(0.5).stay), 60_000), "half are gone after a minute");
    }
}
