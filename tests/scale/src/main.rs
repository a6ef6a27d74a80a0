//! Large simulated networks, told as stories: each prints its figures and can draw them as a page, and a run can be recorded and
//! played back. `cargo xtask sim` builds this in release and starts it.
//!
//! ```text
//! tabchain-scale [STORY] [--nodes N] [--seed S] [--minutes M] [--peers P] [--report FILE.html] [--record FILE] [--replay FILE]
//! ```

mod figures;
mod log;
mod page;
mod plot;
mod run;
mod stage;
mod stories;

use std::process::ExitCode;

use run::{Run, Tape};
use stories::Story;

/// Connections of a node, where a story lays them.
const USUAL_PEERS: usize = 12;

/// What was asked for on the command line.
#[derive(Debug, Default)]
struct Wish {
    story: Option<Story>,
    nodes: Option<usize>,
    seed: Option<u64>,
    minutes: Option<u64>,
    peers: Option<usize>,
    report: Option<String>,
    record: Option<String>,
    replay: Option<String>,
}

fn main() -> ExitCode {
    let done = wish(std::env::args().skip(1)).and_then(|wish| perform(&wish));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn perform(wish: &Wish) -> Result<(), String> {
    if let Some(file) = &wish.replay {
        let bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        return Tape::read(&bytes).ok_or_else(|| format!("{file} is no recording"))?.replay();
    }
    let Some(story) = wish.story else {
        println!("Stories:\n{}", Story::list());
        return Ok(());
    };
    let run = Run {
        story,
        nodes: wish.nodes.unwrap_or(story.usual().0),
        seed: wish.seed.unwrap_or(1),
        minutes: wish.minutes.unwrap_or(story.usual().1),
        peers: wish.peers.unwrap_or(USUAL_PEERS),
    };
    let told = run.tell();
    print!("{}", told.words());
    if let Some(file) = &wish.report {
        write(file, page::draw(&told).as_bytes())?;
    }
    if let Some(file) = &wish.record {
        write(file, &told.tape().to_bytes())?;
    }
    told.verdict()
}

fn write(file: &str, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(file, bytes).map_err(|error| format!("{file}: {error}"))?;
    println!("written: {file}");
    Ok(())
}

fn wish(arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut wish = Wish::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        if !argument.starts_with("--") {
            let known = Story::named(&argument);
            wish.story =
                Some(known.ok_or_else(|| format!("no story is called {argument}\n{}", Story::list()))?);
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{argument} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{argument} wants a number, not {value}"));
        match argument.as_str() {
            "--nodes" => wish.nodes = Some(usize::try_from(number()?).map_err(|error| error.to_string())?),
            "--seed" => wish.seed = Some(number()?),
            "--minutes" => wish.minutes = Some(number()?),
            "--peers" => wish.peers = Some(usize::try_from(number()?).map_err(|error| error.to_string())?),
            "--report" => wish.report = Some(value),
            "--record" => wish.record = Some(value),
            "--replay" => wish.replay = Some(value),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(wish)
}
