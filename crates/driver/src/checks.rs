//! Signatures that wait to be checked.
//!
//! Those of several jobs are checked as one batch, because each takes less time in a large one. After a bad one every job
//! of the batch is checked by itself, so no job suffers from another.
//!
//! Bounds: the node's own, which says how many jobs are out.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use tabchain_consensus::{SignatureChecks, Verdict, verify_batch};
use tabchain_node::JobId;

/// So many signatures are checked at once, and those of the job that reaches it: some 50 milliseconds of work in a tab.
const BATCH: usize = 512;

pub(crate) struct Checks {
    waiting: VecDeque<(JobId, SignatureChecks)>,
    seed: [u8; 32],
}

impl Checks {
    /// `seed` is what makes batches unpredictable to others.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let seed = Sha256::new().chain_update(b"tabchain/batch").chain_update(seed).finalize().into();
        Self { waiting: VecDeque::new(), seed }
    }

    pub(crate) fn add(&mut self, job: JobId, checks: SignatureChecks) {
        self.waiting.push_back((job, checks));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Checks a batch of the oldest here and now; gives how many signatures that were, and what came of each job.
    pub(crate) fn check(&mut self) -> (usize, Vec<(JobId, Verdict)>) {
        let (mut jobs, mut all) = (Vec::new(), SignatureChecks::default());
        while all.0.len() < BATCH
            && let Some((job, checks)) = self.waiting.pop_front()
        {
            all.0.extend_from_slice(&checks.0);
            jobs.push((job, checks));
        }
        let together = self.verdict(&all);
        let shared = jobs.len() == 1 || together == Verdict::AllValid;
        let verdicts =
            jobs.iter().map(|(job, own)| (*job, if shared { together } else { self.verdict(own) })).collect();
        (all.0.len(), verdicts)
    }

    fn verdict(&mut self, checks: &SignatureChecks) -> Verdict {
        self.seed = Sha256::digest(self.seed).into();
        verify_batch(checks, self.seed)
    }
}

#[cfg(test)]
mod tests {
    use tabchain_consensus::SignatureCheck;
    use tabchain_primitives::{PublicKey, Signature, SigningDigest};

    use super::*;

    /// Zeros are a key of small order and a signature of it, which ZIP-215 takes; with another `s` they are not.
    fn check(valid: bool) -> SignatureCheck {
        let mut signature = [0; 64];
        signature[32] = u8::from(!valid);
        let (key, digest) = (PublicKey::from_bytes([0; 32]), SigningDigest::from_bytes([0; 32]));
        SignatureCheck { key, digest, signature: Signature::from_bytes(signature) }
    }

    #[test]
    fn a_bad_signature_is_the_fault_of_its_own_job_only() {
        let mut checks = Checks::new([1; 32]);
        checks.add(JobId(0), SignatureChecks(vec![check(true); 3]));
        checks.add(JobId(1), SignatureChecks(vec![check(true), check(false)]));
        checks.add(JobId(2), SignatureChecks(vec![check(true)]));
        let bad = Verdict::Invalid { index: 1 };
        let expected = vec![(JobId(0), Verdict::AllValid), (JobId(1), bad), (JobId(2), Verdict::AllValid)];
        assert_eq!(checks.check(), (6, expected));
        assert!(checks.is_empty());
    }

    #[test]
    fn a_batch_ends_with_the_job_that_fills_it() {
        let mut checks = Checks::new([1; 32]);
        for job in 0..3 {
            checks.add(JobId(job), SignatureChecks(vec![check(true); BATCH - 1]));
        }
        let (count, verdicts) = checks.check();
        assert_eq!((count, verdicts.len()), (2 * (BATCH - 1), 2));
        assert_eq!(checks.check().1, [(JobId(2), Verdict::AllValid)]);
    }
}
