//! Says what a step is doing, and afterwards how long it took if that was long.

use std::time::{Duration, Instant};

use anyhow::Result;

/// What took less is not worth a second line.
const LONG: Duration = Duration::from_secs(1);

/// Runs one step between two lines: what begins, and how long it took.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {what} ...");
    let begin = Instant::now();
    let result = work()?;
    let elapsed = begin.elapsed();
    if elapsed >= LONG {
        println!("== {what}: {}", seconds(elapsed));
    }
    Ok(result)
}

/// A duration as people say it: tenths below ten seconds, whole seconds above, minutes from two on.
pub(crate) fn seconds(elapsed: Duration) -> String {
    let whole = elapsed.as_secs();
    match whole {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        10..120 => format!("{whole} s"),
        _ => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        assert_eq!(seconds(Duration::from_millis(340)), "0.3 s");
        assert_eq!(seconds(Duration::from_secs(28)), "28 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }
}
