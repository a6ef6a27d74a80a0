//! Signatures that wait to be checked, and those that are being checked elsewhere.
//!
//! Those of several jobs are checked as one batch, because each takes less time in a large one. [`Checkers`] do it beside
//! the driver's own thread, which is free for the node meanwhile. Every checker has a batch to begin with when it is done
//! with one. A handful of signatures is checked here and now: asking another thread would take as long. So is everything
//! when there are no checkers, or none any more; what they had is kept until they have answered, so nothing is lost with them,
//! and no verdict is ever guessed.
//!
//! Bounds: the node's own, which says how many jobs are out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures::future::pending;
use sha2::{Digest, Sha256};
use tabchain_consensus::{CheckOrder, MAX_LISTS, SignatureChecks, Verdict, Verdicts};
use tabchain_node::JobId;

/// So many signatures are checked at once, and those of the job that reaches it: some 50 milliseconds of work in a tab.
const BATCH: usize = 2_048;
/// How many batches a checker has: one in its hands, and the next.
const AHEAD: usize = 2;
/// Fewer are not sent away.
const WORTH_SENDING: usize = 64;

/// Who checks signatures beside the driver's own thread.
#[derive(Debug)]
pub struct Checkers {
    /// How many work at the same time.
    pub count: usize,
    /// Takes what is to be checked, under a number of its own; at most two orders wait for each checker.
    pub orders: Sender<(u64, CheckOrder)>,
    /// Gives what came of it, in any order.
    pub outcomes: Receiver<CheckOutcome>,
}

/// What checkers have to say.
#[derive(Debug)]
pub enum CheckOutcome {
    /// An order was carried out.
    Checked {
        /// Its number.
        number: u64,
        /// What came of each of its lists.
        verdicts: Verdicts,
        /// How long it took a checker, without the way there and back.
        took: Duration,
    },
    /// The checkers are of no more use: whatever they were given is to be checked elsewhere.
    Lost(CheckersLost),
}

/// Why checkers are of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckersLost {
    /// None could be started.
    #[error("it could not be started")]
    NotStarted,
    /// One broke down.
    #[error("it broke down")]
    Died,
    /// One has not answered for too long.
    #[error("it does not answer")]
    Silent,
    /// One answered what is no answer to what it was asked.
    #[error("it gave no answer to what it was asked")]
    Nonsense,
}

type Job = (JobId, SignatureChecks);

pub(crate) struct Checks {
    waiting: VecDeque<Job>,
    /// How many signatures wait.
    signatures: usize,
    under_way: BTreeMap<u64, Vec<Job>>,
    next: u64,
    seed: [u8; 32],
    checkers: Option<Checkers>,
}

impl Checks {
    /// `seed` is what makes batches unpredictable to others.
    pub(crate) fn new(seed: [u8; 32], checkers: Option<Checkers>) -> Self {
        let seed = Sha256::new().chain_update(b"tabchain/batch").chain_update(seed).finalize().into();
        Self {
            waiting: VecDeque::new(),
            signatures: 0,
            under_way: BTreeMap::new(),
            next: 0,
            seed,
            checkers: checkers.filter(|checkers| checkers.count > 0),
        }
    }

    pub(crate) fn add(&mut self, job: JobId, checks: SignatureChecks) {
        self.signatures += checks.0.len();
        self.waiting.push_back((job, checks));
    }

    /// A job need not be done any more. What is under way comes to its end.
    pub(crate) fn take_back(&mut self, job: JobId) {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == job) else { return };
        self.signatures -= self.waiting.remove(at).map_or(0, |(_, checks)| checks.0.len());
    }

    /// Sends away what is worth it.
    pub(crate) fn send(&mut self) {
        while let Some(checkers) = &self.checkers {
            let least = if self.under_way.len() < checkers.count { WORTH_SENDING } else { BATCH };
            if self.signatures < least || self.under_way.len() >= AHEAD * checkers.count {
                return;
            }
            let orders = checkers.orders.clone();
            let (jobs, order) = self.take_batch();
            let number = self.next;
            self.next += 1;
            self.under_way.insert(number, jobs);
            if orders.try_send((number, order)).is_err() {
                self.lose(CheckersLost::Died);
            }
        }
    }

    /// Whether what waits is to be checked here and now.
    pub(crate) fn are_for_here(&self) -> bool {
        !self.waiting.is_empty() && (self.checkers.is_none() || self.under_way.is_empty())
    }

    /// Checks a batch of the oldest here and now; gives how many signatures that were, and what came of each job.
    pub(crate) fn check(&mut self) -> (usize, Vec<(JobId, Verdict)>) {
        let (jobs, order) = self.take_batch();
        (order.signatures(), judged(jobs, order.check()))
    }

    /// What the checkers have to say next; never if there are none.
    pub(crate) async fn outcome(&self) -> CheckOutcome {
        match &self.checkers {
            Some(checkers) => {
                checkers.outcomes.recv().await.unwrap_or(CheckOutcome::Lost(CheckersLost::Died))
            }
            None => pending().await,
        }
    }

    /// Takes what checkers found; gives how many signatures they checked, and what came of each job.
    pub(crate) fn checked(&mut self, number: u64, verdicts: Verdicts) -> (usize, Vec<(JobId, Verdict)>) {
        let Some(jobs) = self.under_way.remove(&number) else { return (0, Vec::new()) };
        if jobs.len() != verdicts.0.len() {
            self.under_way.insert(number, jobs);
            self.lose(CheckersLost::Nonsense);
            return (0, Vec::new());
        }
        (jobs.iter().map(|(_, checks)| checks.0.len()).sum(), judged(jobs, verdicts))
    }

    /// The checkers are gone: what they had waits again, before everything else.
    pub(crate) fn lose(&mut self, why: CheckersLost) {
        tracing::warn!(%why, "signatures are checked without a checker from now on");
        self.checkers = None;
        for (_, jobs) in std::mem::take(&mut self.under_way).into_iter().rev() {
            for (job, checks) in jobs.into_iter().rev() {
                self.signatures += checks.0.len();
                self.waiting.push_front((job, checks));
            }
        }
    }

    fn take_batch(&mut self) -> (Vec<Job>, CheckOrder) {
        let (mut jobs, mut signatures) = (Vec::new(), 0);
        while signatures < BATCH
            && jobs.len() < MAX_LISTS
            && let Some((job, checks)) = self.waiting.pop_front()
        {
            signatures += checks.0.len();
            jobs.push((job, checks));
        }
        self.signatures -= signatures;
        self.seed = Sha256::digest(self.seed).into();
        // The weights come from another seed than the next seed does, so whoever sees one does not know the next.
        let seed = Sha256::new().chain_update(b"weights").chain_update(self.seed).finalize().into();
        let lists = jobs.iter().map(|(_, checks)| checks.clone()).collect();
        (jobs, CheckOrder { seed, lists })
    }
}

fn judged(jobs: Vec<Job>, verdicts: Verdicts) -> Vec<(JobId, Verdict)> {
    jobs.into_iter().map(|(job, _)| job).zip(verdicts.0).collect()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
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

    fn list(count: usize) -> SignatureChecks {
        SignatureChecks(vec![check(true); count])
    }

    /// One checker, and its ends of the channels.
    fn with_checker() -> (Checks, Receiver<(u64, CheckOrder)>, Sender<CheckOutcome>) {
        let (orders, ordered) = async_channel::bounded(AHEAD);
        let (tell, outcomes) = async_channel::bounded(AHEAD);
        (Checks::new([1; 32], Some(Checkers { count: 1, orders, outcomes })), ordered, tell)
    }

    fn valid(jobs: impl IntoIterator<Item = u64>) -> Vec<(JobId, Verdict)> {
        jobs.into_iter().map(|job| (JobId(job), Verdict::AllValid)).collect()
    }

    #[test]
    fn a_bad_signature_is_the_fault_of_its_own_job_only() {
        let mut checks = Checks::new([1; 32], None);
        checks.add(JobId(0), list(3));
        checks.add(JobId(1), SignatureChecks(vec![check(true), check(false)]));
        checks.add(JobId(2), list(1));
        let bad = Verdict::Invalid { index: 1 };
        let expected = vec![(JobId(0), Verdict::AllValid), (JobId(1), bad), (JobId(2), Verdict::AllValid)];
        assert_eq!(checks.check(), (6, expected));
        assert!(!checks.are_for_here());
    }

    #[test]
    fn what_is_taken_back_is_not_checked_unless_it_is_under_way() {
        let (mut checks, ordered, _tell) = with_checker();
        for job in 0..2 {
            checks.add(JobId(job), list(BATCH / 2));
        }
        checks.send();
        for job in 2..4 {
            checks.add(JobId(job), list(BATCH / 2));
        }
        for job in 1..3 {
            checks.take_back(JobId(job));
        }
        let (number, order) = ordered.try_recv().expect("the first two were sent");
        assert_eq!(checks.checked(number, order.check()), (BATCH, valid([0, 1])));
        assert_eq!(checks.check(), (BATCH / 2, valid([3])));
        assert!(checks.waiting.is_empty() && checks.signatures == 0);
    }

    #[test]
    fn a_batch_ends_with_the_job_that_fills_it() {
        let mut checks = Checks::new([1; 32], None);
        for job in 0..3 {
            checks.add(JobId(job), list(BATCH - 1));
        }
        let (count, verdicts) = checks.check();
        assert_eq!((count, verdicts.len()), (2 * (BATCH - 1), 2));
        assert_eq!(checks.check().1, valid([2]));
    }

    #[test]
    fn a_handful_is_checked_here_and_more_is_sent_away() {
        let (mut checks, ordered, _tell) = with_checker();
        checks.add(JobId(0), list(WORTH_SENDING - 1));
        checks.send();
        assert!(checks.are_for_here() && ordered.is_empty());
        checks.add(JobId(1), list(1));
        checks.send();
        assert_eq!(ordered.try_recv().expect("both were sent").1.signatures(), WORTH_SENDING);
        assert!(!checks.are_for_here());
    }

    #[test]
    fn a_checker_always_has_a_full_batch_ahead_and_no_more() {
        let (mut checks, ordered, _tell) = with_checker();
        checks.add(JobId(0), list(WORTH_SENDING));
        checks.send();
        checks.add(JobId(1), list(BATCH - 1));
        checks.send();
        assert_eq!(ordered.len(), 1, "what waits may still grow");
        for job in 2..5 {
            checks.add(JobId(job), list(BATCH));
            checks.send();
        }
        assert_eq!(ordered.len(), AHEAD);
        assert!(!checks.are_for_here(), "the rest has its turn at the checker");
    }

    #[test]
    fn answers_may_come_in_any_order_and_a_late_one_says_nothing() {
        let (mut checks, ordered, _tell) = with_checker();
        for job in 0..2 {
            checks.add(JobId(job), list(BATCH));
            checks.send();
        }
        let [first, second] = [(); 2].map(|()| ordered.try_recv().expect("two are under way"));
        assert_eq!(checks.checked(second.0, second.1.check()), (BATCH, valid([1])));
        assert_eq!(checks.checked(first.0, first.1.check()), (BATCH, valid([0])));
        assert_eq!(checks.checked(first.0, first.1.check()), (0, Vec::new()));
        assert_ne!(first.1.seed, second.1.seed);
    }

    #[test]
    fn nothing_is_lost_with_a_checker_and_the_order_stays() {
        let (mut checks, _ordered, _tell) = with_checker();
        for job in 0..3 {
            checks.add(JobId(job), list(BATCH));
            checks.send();
        }
        checks.lose(CheckersLost::Died);
        assert_eq!(checks.checked(0, Verdicts(vec![Verdict::AllValid])), (0, Vec::new()), "it is gone");
        checks.send();
        let mut judged = Vec::new();
        while checks.are_for_here() {
            judged.extend(checks.check().1);
        }
        assert_eq!(judged, valid(0..3));
        assert!(checks.outcome().now_or_never().is_none(), "nobody is there to say anything");
    }

    #[test]
    fn an_answer_that_does_not_fit_is_no_verdict() {
        let (mut checks, ordered, _tell) = with_checker();
        checks.add(JobId(0), SignatureChecks(vec![check(false); WORTH_SENDING]));
        checks.send();
        let (number, _) = ordered.try_recv().expect("it was sent");
        assert_eq!(checks.checked(number, Verdicts(vec![Verdict::AllValid; 2])), (0, Vec::new()));
        assert_eq!(checks.check().1, [(JobId(0), Verdict::Invalid { index: 0 })]);
    }

    #[test]
    fn checkers_that_hang_up_are_lost() {
        let (mut checks, ordered, tell) = with_checker();
        drop((ordered, tell));
        assert!(matches!(checks.outcome().now_or_never(), Some(CheckOutcome::Lost(CheckersLost::Died))));
        checks.add(JobId(0), list(BATCH));
        checks.send();
        assert_eq!(checks.check(), (BATCH, valid([0])));
    }
}
