//! What fuzzing starts from, in the ordinary tests: the corpus as it is, and each of its files changed a little in some
//! thousand ways that are the same every time.
#![cfg(not(target_family = "wasm"))]

use std::{fs, path::PathBuf};

use tabchain_tests::fuzz::{TARGETS, Target, run};

/// Changed inputs of one target.
const CHANGED: usize = 5_000;
/// The same for the whole node, where one input is a story.
const CHANGED_STORIES: usize = 1_000;

fn folder(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name)
}

/// Genuine values of the target, as they are now, and what is in its corpus.
///
/// `TABCHAIN_BLESS=1` writes those that are now into the corpus.
fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let seeds = (target.seeds)();
    let folder = folder(target);
    if std::env::var_os("TABCHAIN_BLESS").is_some() {
        fs::create_dir_all(&folder).expect("the corpus can be written");
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("genuine-{number}")), seed).expect("the corpus can be written");
        }
    }
    let files = fs::read_dir(&folder).unwrap_or_else(|_| panic!("{} has no corpus", target.name));
    let mut files: Vec<_> = files.map(|file| file.expect("the corpus can be read").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has a corpus", target.name);
    files.iter().map(|file| fs::read(file).expect("the corpus can be read")).chain(seeds).collect()
}

/// A small generator: the same changes every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides.max(1)
    }

    fn byte(&mut self) -> u8 {
        let edges = [0, 1, 0x7f, 0x80, 0xff];
        match self.roll(3) {
            0 => edges[self.roll(edges.len())],
            _ => u8::try_from(self.roll(256)).expect("below 256"),
        }
    }

    /// One to four changes: a byte replaced, put in or taken out, a stretch doubled, the end cut, another's end put on.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len());
            match self.roll(8) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => {
                    let stretch = bytes[at..].iter().copied().take(self.roll(40)).collect::<Vec<_>>();
                    bytes.splice(at..at, stretch);
                }
                4 => {
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[self.roll(other.len())..]);
                }
                _ if !bytes.is_empty() => bytes[at] = self.byte(),
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_genuine_is_a_value() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!(run(target.name, seed), "the {}'s genuine value {number}", target.name);
        }
    }
}

#[test]
fn the_corpus_and_what_is_nearly_it_do_no_harm() {
    for target in TARGETS {
        let inputs = inputs(&target);
        for input in &inputs {
            run(target.name, input);
        }
        let mut dice = Dice(0x7ab_c4a1);
        let count = if target.name == "node" { CHANGED_STORIES } else { CHANGED };
        for _ in 0..count {
            let mut bytes = inputs[dice.roll(inputs.len())].clone();
            let other = &inputs[dice.roll(inputs.len())];
            dice.change(&mut bytes, other);
            run(target.name, &bytes);
        }
    }
}

#[test]
fn nothing_and_noise_do_no_harm() {
    let mut dice = Dice(99);
    for target in TARGETS {
        run(target.name, &[]);
        for _ in 0..200 {
            let length = dice.roll(300);
            let noise: Vec<u8> = (0..length).map(|_| dice.byte()).collect();
            run(target.name, &noise);
        }
    }
}
