//! Telling a story: how long it took, what came of it, and a tape that lets it be told again.

use std::fmt::Write;
use std::time::{Duration, Instant};

use tabchain_node::Limits;
use tabchain_primitives::Encode;
use tabchain_primitives::codec::{Reader, write_bytes, write_varint};
use tabchain_sim::{Purpose, Recording};

use crate::figures::Figures;
use crate::log::Log;
use crate::stage::chain;
use crate::stories::{Ending, Story};

/// The first bytes of a tape.
const MAGIC: &[u8; 8] = b"tabtape2";
/// The most bytes of a recording on a tape.
const MAX_RECORDING: usize = 1 << 30;

/// Which story, how large, from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) story: Story,
    pub(crate) nodes: usize,
    pub(crate) seed: u64,
    pub(crate) minutes: u64,
    /// Connections of a node, where the story lays them.
    pub(crate) peers: usize,
}

/// Something a story found, and whether it had to be so.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) found: String,
    pub(crate) holds: Option<bool>,
}

/// A story that was told, in figures.
pub(crate) struct Told {
    pub(crate) run: Run,
    pub(crate) figures: Figures,
    pub(crate) log: Log,
    pub(crate) claims: Vec<Claim>,
    pub(crate) took: Duration,
    pub(crate) simulated_ms: u64,
    outbound: usize,
    recording: Option<Recording>,
}

/// What it takes to tell a story again, and the life of one of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tape {
    run: Run,
    trace: [u8; 32],
    /// Connections that a node opened by itself; all other limits are the usual ones.
    outbound: usize,
    recording: Option<Recording>,
}

impl Claim {
    pub(crate) fn fact(what: &str, found: String) -> Self {
        Self { what: what.into(), found, holds: None }
    }

    pub(crate) fn must(what: &str, found: String, holds: bool) -> Self {
        Self { what: what.into(), found, holds: Some(holds) }
    }
}

impl Run {
    pub(crate) fn tell(self) -> Told {
        let begun = Instant::now();
        let Ending { sim, log, claims } = self.story.tell(&self);
        let start = sim.spec().genesis_header().time().saturating_add(24 * 60 * 60 * 1000);
        Told {
            run: self,
            figures: Figures::of(&sim),
            log,
            claims,
            took: begun.elapsed(),
            simulated_ms: sim.now().since(start),
            recording: sim.recording(),
            outbound: sim.limits().outbound,
        }
    }
}

impl Told {
    pub(crate) fn tape(&self) -> Tape {
        Tape {
            run: self.run,
            trace: self.figures.trace,
            outbound: self.outbound,
            recording: self.recording.clone(),
        }
    }

    /// Whether everything is as it had to be.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let broken = self.claims.iter().filter(|claim| claim.holds == Some(false));
        let broken: Vec<_> = broken.map(|claim| format!("{}: {}", claim.what, claim.found)).collect();
        if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
    }

    /// The figures, for a terminal.
    pub(crate) fn words(&self) -> String {
        let mut out = String::new();
        let figures = &self.figures;
        let Run { story, nodes, seed, .. } = self.run;
        let mut line = |what: &str, found: String| {
            writeln!(out, "  {what:<46} {found}").expect("a text takes what is written");
        };
        line("story", format!("{}, {nodes} nodes, seed {seed}", story.name()));
        line("simulated", format!("{:.1} minutes", seconds(self.simulated_ms) / 60.0));
        line("took", format!("{:.1} s, {:.0} events a second", self.took.as_secs_f64(), self.pace()));
        for (share, name) in [(0.5, "50%"), (0.95, "95%"), (1.0, "100%")] {
            let after = figures.typical(share).map_or("-".into(), lasting);
            line(&format!("a typical block reaches {name} after"), after);
        }
        line("blocks found, beside the chain", format!("{}, {}", figures.tree.len(), figures.orphans()));
        let deepest = figures.reorgs.iter().max().copied().unwrap_or(0);
        line("reorgs, deepest", format!("{}, {deepest} blocks", figures.reorgs.len()));
        line("messages, signatures checked", format!("{}, {}", figures.messages, figures.signatures));
        line("dials, failed", format!("{}, {}", figures.dials.0, figures.dials.1));
        for purpose in Purpose::ALL {
            let bytes = figures.received.get(&purpose).copied().unwrap_or(0) / nodes.max(1) as u64;
            line(&format!("bytes received a node: {}", name(purpose)), bytes.to_string());
        }
        for claim in &self.claims {
            let mark = match claim.holds {
                Some(true) => "yes: ",
                Some(false) => "NO: ",
                None => "",
            };
            line(&claim.what, format!("{mark}{}", claim.found));
        }
        line("trace", hex::encode(figures.trace));
        out
    }

    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn pace(&self) -> f64 {
        self.figures.events as f64 / self.took.as_secs_f64().max(0.001)
    }
}

/// A span of time as people say it.
pub(crate) fn lasting(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{millis} ms"),
        10_000..120_000 => format!("{:.0} s", seconds(millis)),
        _ => format!("{:.0} min", seconds(millis) / 60.0),
    }
}

/// What bytes were for, in a few words.
pub(crate) const fn name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Meeting => "meeting",
        Purpose::Announcing => "telling of blocks",
        Purpose::Headers => "headers",
        Purpose::Blocks => "blocks and parts of them",
        Purpose::TransactionIds => "ids of transactions",
        Purpose::Transactions => "transactions",
        Purpose::Snapshots => "states of earlier blocks",
    }
}

impl Tape {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        write_bytes(&mut out, self.run.story.name().as_bytes());
        for number in [self.run.nodes as u64, self.run.seed, self.run.minutes, self.run.peers as u64] {
            write_varint(&mut out, number);
        }
        out.extend_from_slice(&self.trace);
        write_varint(&mut out, self.outbound as u64);
        let recording = self.recording.as_ref().map(Encode::to_bytes).unwrap_or_default();
        write_bytes(&mut out, &recording);
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?);
        let story = Story::named(reader.text(1..=16).ok()?)?;
        let mut number = || reader.varint().ok();
        let (nodes, seed, minutes) = (usize::try_from(number()?).ok()?, number()?, number()?);
        let peers = usize::try_from(number()?).ok()?;
        let trace = reader.array().ok()?;
        let outbound = usize::try_from(reader.varint().ok()?).ok()?;
        let recording = reader.bytes(0..=MAX_RECORDING).ok()?;
        reader.finish().ok()?;
        let recording = if recording.is_empty() { None } else { Some(Recording::read(recording).ok()?) };
        Some(Self { run: Run { story, nodes, seed, minutes, peers }, trace, outbound, recording })
    }

    /// Lets the recorded node live again, then tells the whole story again; both must be as they were.
    pub(crate) fn replay(&self) -> Result<(), String> {
        if let Some(recording) = &self.recording {
            let outputs = recording
                .play(&chain(), Limits { outbound: self.outbound, ..Limits::default() })
                .map_err(|error| error.to_string())?;
            println!("one node lived again: {} inputs, {outputs} outputs, all the same", recording.inputs());
        }
        let told = self.run.tell();
        print!("{}", told.words());
        if told.figures.trace == self.trace {
            println!("the whole run is the same, event by event");
            Ok(())
        } else {
            Err("the run went another way than when it was recorded".into())
        }
    }
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn seconds(millis: u64) -> f64 {
    millis as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_unit_that_fits() {
        assert_eq!([687, 10_000, 90_400, 1_038_385].map(lasting), ["687 ms", "10 s", "90 s", "17 min"]);
    }

    #[test]
    fn a_story_told_twice_is_the_same_and_its_tape_can_be_read() {
        let run = Run { story: Story::Churn, nodes: 30, seed: 5, minutes: 2, peers: 12 };
        let told = run.tell();
        assert_eq!(told.verdict(), Ok(()));
        let tape = told.tape();
        assert_eq!(Tape::read(&tape.to_bytes()).as_ref(), Some(&tape));
        assert_eq!(tape.replay(), Ok(()));
        let page = crate::page::draw(&told);
        assert!(page.contains("<svg") && !page.contains("NaN"));
    }
}
