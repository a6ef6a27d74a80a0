//! Whom to let go when somebody new comes and all places are taken.
//!
//! Whoever wants to cut a node off has to fill its places. So the places of those who are hard to imitate are protected: who
//! answers fastest, who lately was first with transactions and with blocks, some who came by different introducers, and
//! half of the rest, the longest connected. Among what is left, those go first who came by the introducer that most came
//! by, the youngest of them. (As Bitcoin Core does it; network groups mean nothing behind circuits, so introducers stand for them.)
//! Who has not said hello, and who is discouraged, has no protection.
//!
//! Nothing is kept here.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use tabchain_primitives::Timestamp;

use crate::PeerId;

/// So many are protected for each merit.
pub const PROTECTED: usize = 4;

/// A peer that could be let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub peer: PeerId,
    /// Connected since.
    pub since: Timestamp,
    /// Whether it said hello.
    pub greeted: bool,
    /// What is held against it, in points; nothing when it is not discouraged.
    pub discouraged: Option<u32>,
    /// Its quickest answer, in milliseconds.
    pub answers_in: Option<u64>,
    /// When it was last first with a block.
    pub last_block: Option<Timestamp>,
    /// When it was last first with a transaction that was good.
    pub last_transaction: Option<Timestamp>,
    /// By whom it came.
    pub introducer: Option<PeerId>,
}

/// The one to let go; none when all are protected. The salt is the node's own: without it nobody knows which introducers
/// are protected.
pub fn whom_to_let_go(mut candidates: Vec<Candidate>, salt: u64) -> Option<PeerId> {
    let silent = candidates.iter().filter(|candidate| !candidate.greeted);
    if let Some(silent) = silent.min_by_key(|candidate| (candidate.since, candidate.peer)) {
        return Some(silent.peer);
    }
    let discouraged = candidates.iter().filter(|candidate| candidate.discouraged.is_some());
    if let Some(worst) = discouraged.max_by_key(|candidate| (candidate.discouraged, candidate.since)) {
        return Some(worst.peer);
    }
    protect(&mut candidates, PROTECTED, |candidate| candidate.answers_in.map(Reverse));
    protect(&mut candidates, PROTECTED, |candidate| candidate.last_transaction);
    protect(&mut candidates, PROTECTED, |candidate| candidate.last_block);
    protect_introducers(&mut candidates, salt);
    let half = candidates.len() / 2;
    protect(&mut candidates, half, |candidate| Some(Reverse(candidate.since)));
    youngest_of_the_most_introduced(&candidates)
}

/// Takes out those with the most merit, as far as they have any.
fn protect<M: Ord>(candidates: &mut Vec<Candidate>, most: usize, merit: impl Fn(&Candidate) -> Option<M>) {
    // None sorts first, so whoever has the merit comes last, the greatest at the end.
    candidates.sort_by_key(|candidate| (merit(candidate), Reverse(candidate.since)));
    for _ in 0..most {
        if candidates.last().is_none_or(|best| merit(best).is_none()) {
            return;
        }
        candidates.pop();
    }
}

/// Takes out the longest connected peer of each of a few introducers, whom the salt chooses.
fn protect_introducers(candidates: &mut Vec<Candidate>, salt: u64) {
    let mut introducers: Vec<PeerId> = candidates.iter().filter_map(|one| one.introducer).collect();
    introducers.sort_by_key(|introducer| salted(introducer, salt));
    introducers.dedup();
    for introducer in introducers.into_iter().take(PROTECTED) {
        let came = (0..).zip(&*candidates).filter(|(_, one)| one.introducer == Some(introducer));
        let oldest = came.min_by_key(|(_, one)| one.since).map(|(place, _): (usize, _)| place);
        oldest.map(|place| candidates.swap_remove(place));
    }
}

/// Of those who came by the introducer that most came by, the youngest. Nobody is an introducer too.
fn youngest_of_the_most_introduced(candidates: &[Candidate]) -> Option<PeerId> {
    let mut came: BTreeMap<Option<PeerId>, usize> = BTreeMap::new();
    for candidate in candidates {
        *came.entry(candidate.introducer).or_default() += 1;
    }
    let youngest = |introducer| {
        let of = candidates.iter().filter(move |candidate| candidate.introducer == introducer);
        of.max_by_key(|candidate| (candidate.since, candidate.peer))
    };
    let groups = came.into_iter().filter_map(|(introducer, count)| Some((count, youngest(introducer)?)));
    groups.max_by_key(|(count, youngest)| (*count, youngest.since)).map(|(_, youngest)| youngest.peer)
}

fn salted(introducer: &PeerId, salt: u64) -> [u8; 32] {
    Sha256::new().chain_update(salt.to_le_bytes()).chain_update(introducer.as_bytes()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> PeerId {
        PeerId::new(&n.to_be_bytes()).expect("four bytes")
    }

    fn at(n: u64) -> Timestamp {
        Timestamp::from_millis(n)
    }

    /// A peer without merit, connected since its number.
    fn plain(n: u32) -> Candidate {
        Candidate {
            peer: peer(n),
            since: at(u64::from(n)),
            greeted: true,
            discouraged: None,
            answers_in: None,
            last_block: None,
            last_transaction: None,
            introducer: None,
        }
    }

    /// Lets go until all are protected; gives who went, in order.
    fn all_that_go(mut candidates: Vec<Candidate>) -> Vec<PeerId> {
        let mut gone = Vec::new();
        while let Some(next) = whom_to_let_go(candidates.clone(), 7) {
            candidates.retain(|candidate| candidate.peer != next);
            gone.push(next);
        }
        gone
    }

    #[test]
    fn the_silent_go_before_the_discouraged_and_those_before_all_others() {
        let mut candidates: Vec<_> = (0..10).map(plain).collect();
        candidates[3].discouraged = Some(40);
        candidates[4].discouraged = Some(60);
        candidates[4].last_block = Some(at(99));
        candidates[6].greeted = false;
        candidates[5].greeted = false;
        assert_eq!(all_that_go(candidates)[..4], [peer(5), peer(6), peer(4), peer(3)]);
    }

    #[test]
    fn half_are_protected_because_they_stayed_and_the_youngest_goes() {
        assert_eq!(whom_to_let_go((0..10).map(plain).collect(), 7), Some(peer(9)));
        assert_eq!(whom_to_let_go(vec![plain(1)], 7), Some(peer(1)), "half of one is none");
        assert_eq!(whom_to_let_go(Vec::new(), 7), None);
    }

    #[test]
    fn merit_protects_whoever_is_young() {
        let mut candidates: Vec<_> = (0..40).map(plain).collect();
        candidates[39].answers_in = Some(5);
        candidates[38].last_block = Some(at(1));
        candidates[37].last_transaction = Some(at(1));
        candidates[36].introducer = Some(peer(900));
        let first: Vec<_> = all_that_go(candidates).into_iter().take(5).collect();
        assert_eq!(first, [peer(35), peer(34), peer(33), peer(32), peer(31)]);
    }

    #[test]
    fn of_many_with_a_merit_only_the_best_are_protected_for_it() {
        let mut candidates: Vec<_> = (0..40).map(plain).collect();
        for (candidate, millis) in candidates.iter_mut().zip(0..).skip(20) {
            candidate.answers_in = Some(1_000 - millis);
        }
        let gone = whom_to_let_go(candidates, 7);
        assert_eq!(gone, Some(peer(35)), "36 to 39 answer fastest");
    }

    #[test]
    fn a_crowd_by_one_introducer_gives_way_to_those_who_came_by_others() {
        let mut candidates: Vec<_> = (0..30).map(plain).collect();
        for candidate in candidates.iter_mut().skip(10) {
            candidate.introducer = Some(peer(900));
        }
        candidates[28].introducer = Some(peer(901));
        candidates[29].introducer = Some(peer(902));
        let gone = all_that_go(candidates);
        assert!(gone[..8].iter().all(|gone| (10..28).map(peer).any(|crowd| crowd == *gone)), "{gone:?}");
        assert!(!gone.contains(&peer(29)) && !gone.contains(&peer(28)));
    }
}
