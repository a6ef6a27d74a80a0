//! Figures, and how times become some.

use std::fmt;

use web_time::Instant;

use crate::Scale;

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// How much of it, by the median of the rounds if there were some.
    pub value: f64,
    /// The same by the best round: what the machine can do while nothing else runs on it.
    pub best: f64,
    /// The unit of both.
    pub unit: &'static str,
}

/// The figures of one bench.
#[derive(Clone, Debug, Default)]
pub struct Rows(pub Vec<Row>);

impl fmt::Display for Row {
    /// A line that a program finds among others: the word `bench` and four fields, with bars between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bench | {} | {:.1} | {:.1} | {}", self.name, self.value, self.best, self.unit)
    }
}

impl Rows {
    /// Something that was counted once.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.0.push(Row { name: name.into(), value, best: value, unit });
    }

    /// Something that was done again and again.
    pub(crate) fn add_rate(&mut self, name: &str, Rate { median, best }: Rate) {
        self.0.push(Row { name: name.into(), value: median, best, unit: "/s" });
    }
}

/// How many things are done in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    median: f64,
    best: f64,
}

/// The times of one kind of work over several rounds.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    /// Does the work and notes how long it took.
    pub(crate) fn take<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.0.push(begin.elapsed().as_secs_f64());
        result
    }

    /// How many of `count` things are done in a second, by the median of the second half of all rounds.
    ///
    /// The first half warms up: a browser begins with quick and poor machine code, and replaces it while it runs.
    pub(crate) fn per_second(mut self, count: usize) -> Rate {
        let warm = self.0.len() / 2;
        let times = &mut self.0[warm..];
        times.sort_unstable_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let count = count as f64;
        // A clock that stood still means less than its resolution.
        let rate = |time: f64| count / time.max(1e-6);
        Rate { median: rate(times[times.len() / 2]), best: rate(times[0]) }
    }
}

impl Rate {
    /// The rate of things that are made of so many of these.
    pub(crate) fn of_each(self, count: usize) -> Self {
        let count = u32::try_from(count).map_or(f64::INFINITY, f64::from);
        Self { median: self.median / count, best: self.best / count }
    }
}

/// How many of `count` things `work` does in a second.
pub(crate) fn rate<T>(scale: Scale, count: usize, mut work: impl FnMut() -> T) -> Rate {
    let mut times = Times::default();
    for _ in 0..rounds(scale) {
        std::hint::black_box(times.take(&mut work));
    }
    times.per_second(count)
}

/// How many rounds there are, with those that warm up.
pub(crate) const fn rounds(scale: Scale) -> usize {
    scale.pick(14, 2)
}
