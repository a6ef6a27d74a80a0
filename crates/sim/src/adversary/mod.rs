//! Adversaries, made of small behaviours on top of a real node, so that everything else about them is as it should be. Several on
//! one place add up: a [`Boaster`] that is [`Withholding`] claims a chain and gives nothing of it.
//!
//! | Behaviour | What it does |
//! |---|---|
//! | [`Withholding`] | announces and claims, and answers no question for bodies or transactions |
//! | [`Stalling`] | answers everything, much later |
//! | [`Silent`] | tells of no block, and claims to stand at the genesis |
//! | [`Boaster`] | claims more work than there is |
//! | [`WrongBodies`] | gives bodies that are not their headers' |
//! | [`CheapHeaders`] | answers every question for headers with a forged chain of easy ones |
//! | [`SelfishMiner`] | keeps the blocks it finds to itself until others come near |
//! | [`Sybil`] | tells of nobody but its accomplices |
//! | [`PasserBy`] | says a proper hello, and hangs up |
//! | [`Flood`] | says too much of one thing |
//! | [`Stutter`] | has bits of its messages turned over |
//!
//! Whoever reads slowly needs no behaviour but a slow line: [`Sim::set_access`](crate::Sim::set_access).

mod blocks;
mod flood;
mod headers;
mod selfish;
mod talk;

pub use blocks::{Stalling, Withholding, WrongBodies};
pub use flood::{Flood, Junk};
pub use headers::{Boaster, CheapHeaders, Silent, forge};
pub use selfish::SelfishMiner;
pub use talk::{PasserBy, Stutter, Sybil};
