//! Signatures sent out to be verified. Whatever is cheap to check was checked before. What turns out to be of no use meanwhile is
//! taken back: blocks above an invalid one, and whatever else came from who gave a forged transaction. A body is its header's,
//! whoever brought it, so one of a block that may still be good is checked though it came from a liar.
//!
//! Bounds: a block is verified once at a time, and no more blocks are fetched while [`MAX_SIGNATURES_OUT`] signatures of them
//! or [`MAX_BLOCK_BYTES_OUT`] are out; of transactions, no more of one peer than are asked of it at a time
//! ([`MAX_WANTED_PER_PEER`](tabchain_sync::transactions::MAX_WANTED_PER_PEER)), and nothing is taken while
//! [`MAX_TRANSACTION_JOBS`] or [`MAX_RELAYED_BYTES`] are out.

use std::collections::BTreeSet;

use tabchain_chain::{Chain, Status};
use tabchain_consensus::{CheckedBlock, CheckedTransaction, SignatureChecks, Verdict, VerifiedTransaction};
use tabchain_primitives::BlockHash;
use tabchain_sync::PeerId;
use tabchain_sync::score::Fault;

use crate::adopt::Source;
use crate::node::Node;
use crate::{CommandId, JobId, Output};

/// The most lists of peers' transactions out for verification.
pub(crate) const MAX_TRANSACTION_JOBS: usize = 64;
/// The most bytes of them, after which no more are asked for.
pub(crate) const MAX_RELAYED_BYTES: usize = 4 * 1024 * 1024;

/// So many signatures of blocks may be out, however small the blocks are: two checkers take two thousand each at once, have the
/// next two thousand at hand, and as many gather meanwhile.
pub(crate) const MAX_SIGNATURES_OUT: usize = 16_384;
/// So many bytes of blocks may be out, however large the blocks are.
pub(crate) const MAX_BLOCK_BYTES_OUT: usize = 16 * 1024 * 1024;

/// Which blocks are out, and how much of them.
#[derive(Debug, Default)]
pub(crate) struct BlocksOut {
    hashes: BTreeSet<BlockHash>,
    signatures: usize,
    pub(crate) bytes: usize,
}

impl BlocksOut {
    fn add(&mut self, job: &Job) {
        if let Job::Block { checked, places, .. } = job {
            self.hashes.insert(checked.hash());
            self.signatures += places.len();
            self.bytes += checked.bytes();
        }
    }

    fn take(&mut self, job: &Job) {
        if let Job::Block { checked, places, .. } = job {
            self.hashes.remove(&checked.hash());
            self.signatures -= places.len();
            self.bytes -= checked.bytes();
        }
    }

    /// Whether there are enough for now.
    pub(crate) fn are_enough(&self) -> bool {
        self.signatures >= MAX_SIGNATURES_OUT || self.bytes >= MAX_BLOCK_BYTES_OUT
    }
}

/// What is being verified.
#[derive(Debug)]
pub(crate) enum Job {
    Block {
        checked: Box<CheckedBlock>,
        source: Source,
        /// The places of the transactions whose signatures are being verified: not of those that were when they came into the
        /// memory pool.
        places: Vec<usize>,
    },
    /// Transactions a peer gave.
    Relayed { checked: Vec<CheckedTransaction>, peer: PeerId },
    /// Transactions that were pending in an earlier life.
    Restored { checked: Vec<CheckedTransaction> },
    /// A transaction of our own side.
    Own { checked: Box<CheckedTransaction>, command: CommandId },
}

impl Node {
    /// Sends signatures out, if there are any.
    pub(crate) fn verify(&mut self, mut job: Job) {
        let genesis = self.config.spec.genesis_hash();
        let checks = match &mut job {
            Job::Block { checked, places, .. } => {
                // The pool holds only what was verified. The very same transaction, that is: another signature may be none.
                let pool = &self.mempool;
                let (open, checks) =
                    checked.signatures_except(&genesis, |id, transaction| pool.get(id) == Some(transaction));
                *places = open;
                checks
            }
            Job::Own { checked, .. } => checked.signatures(&genesis),
            Job::Relayed { checked, .. } | Job::Restored { checked } => {
                SignatureChecks(checked.iter().flat_map(|checked| checked.signatures(&genesis).0).collect())
            }
        };
        if let Job::Block { checked, .. } = &job {
            self.bodies.reserve(checked.hash());
        }
        if checks.0.is_empty() {
            return self.finish(job, Verdict::AllValid);
        }
        let id = self.new_job();
        self.blocks_out.add(&job);
        self.jobs.insert(id, job);
        self.emit(Output::Verify(id, checks));
    }

    pub(crate) fn verified(&mut self, id: JobId, verdict: Verdict) {
        if let Some(job) = self.jobs.remove(&id) {
            self.blocks_out.take(&job);
            self.finish(job, verdict);
        }
    }

    /// Takes back what is out and of no more use, as far as nobody has begun with it.
    fn unverify(&mut self, is_of_no_use: impl Fn(&Chain, &Job) -> bool) {
        let chain = &self.chain;
        let useless = self.jobs.iter().filter(|(_, job)| is_of_no_use(chain, job)).map(|(id, _)| *id);
        for id in useless.collect::<Vec<_>>() {
            let Some(job) = self.jobs.remove(&id) else { continue };
            self.blocks_out.take(&job);
            if let Job::Block { checked, .. } = &job {
                self.bodies.release(&checked.hash());
            }
            self.emit(Output::Unverify(id));
        }
    }

    /// Blocks above an invalid one are invalid, whatever their signatures.
    pub(crate) fn unverify_invalid_blocks(&mut self) {
        self.unverify(|chain, job| match job {
            Job::Block { checked, .. } => {
                chain.entry(&checked.hash()).is_some_and(|entry| entry.status == Status::Invalid)
            }
            _ => false,
        });
    }

    pub(crate) fn is_verifying(&self, hash: &BlockHash) -> bool {
        self.blocks_out.hashes.contains(hash)
    }

    /// Whether more transactions of peers can be taken.
    pub(crate) fn has_room_to_verify(&self) -> bool {
        let jobs = self.jobs.values().filter(|job| matches!(job, Job::Relayed { .. })).count();
        jobs < MAX_TRANSACTION_JOBS && self.relayed_bytes() < MAX_RELAYED_BYTES
    }

    /// Bytes of peers' transactions that are being verified.
    pub(crate) fn relayed_bytes(&self) -> usize {
        let relayed = self.jobs.values().filter_map(|job| match job {
            Job::Relayed { checked, .. } => Some(checked),
            _ => None,
        });
        relayed.flatten().map(CheckedTransaction::size).sum()
    }

    fn finish(&mut self, job: Job, verdict: Verdict) {
        match job {
            Job::Block { checked, source, places } => {
                let hash = checked.hash();
                let verdict = match verdict {
                    Verdict::Invalid { index } => {
                        Verdict::Invalid { index: places.get(index).copied().unwrap_or(index) }
                    }
                    Verdict::AllValid => verdict,
                };
                match checked.verified(verdict) {
                    Ok(block) => {
                        self.keep_block(block);
                        if let Source::Peer(peer) = source {
                            self.note_use(&peer);
                        }
                    }
                    Err(error) => self.refuse_block(&hash, source, &error),
                }
            }
            Job::Own { checked, command } => self.own_verified(*checked, command, verdict),
            Job::Relayed { checked, peer } => self.relayed_verified(checked, peer, verdict),
            Job::Restored { checked } => self.restored_verified(checked, verdict),
        }
    }

    /// Admits what is valid, up to the first that is not. No honest node has that to give, so whoever gave it is sent away, and
    /// what else it gave is dropped unchecked: others who told of the same are asked for it.
    fn relayed_verified(&mut self, checked: Vec<CheckedTransaction>, peer: PeerId, verdict: Verdict) {
        let ids: Vec<_> = checked.iter().map(CheckedTransaction::id).collect();
        let (valid, _) = split(checked, verdict);
        for transaction in valid {
            self.relay.took(&transaction.id());
            self.admit_relayed(peer, transaction);
        }
        if let Verdict::Invalid { index } = verdict {
            self.relay.failed(&peer, ids.get(index..).unwrap_or_default());
            self.blame(&peer, Fault::Dishonest);
            self.unverify(|_, job| matches!(job, Job::Relayed { peer: of, .. } if *of == peer));
        }
    }

    fn restored_verified(&mut self, checked: Vec<CheckedTransaction>, verdict: Verdict) {
        let (valid, rest) = split(checked, verdict);
        for transaction in valid {
            self.admit_restored(transaction);
        }
        if rest.is_empty() {
            self.restore_pending();
        } else {
            self.verify(Job::Restored { checked: rest });
        }
    }
}

/// Those before the first invalid one, which are valid, and those after it, of which nothing is known.
fn split(
    mut checked: Vec<CheckedTransaction>,
    verdict: Verdict,
) -> (Vec<VerifiedTransaction>, Vec<CheckedTransaction>) {
    let rest = match verdict {
        Verdict::AllValid => Vec::new(),
        Verdict::Invalid { index } => {
            let from_bad_on = checked.split_off(index.min(checked.len()));
            from_bad_on.into_iter().skip(1).collect()
        }
    };
    let valid = checked
        .into_iter()
        .map(|transaction| transaction.verified(Verdict::AllValid).expect("the verdict says it is valid"));
    (valid.collect(), rest)
}
