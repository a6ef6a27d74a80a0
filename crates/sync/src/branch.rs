//! A chain of headers that was weighed is fetched again, to be kept.
//!
//! It is known by now how the chain goes: where it leaves ours, and the hash at the end of each stretch. So any peer may be
//! asked for any stretch, and whatever it says is checked at once: headers that follow each other from one noted hash to
//! the next are the very ones that were weighed. They are handed on in order.
//!
//! Bounds: [`WINDOW`] stretches are asked for or wait for their turn, each of at most [`MAX_HEADERS`] headers.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::{BlockHash, Header, Timestamp};

use crate::{PeerId, TipClaim, message::MAX_HEADERS};

/// The most stretches under way.
pub const WINDOW: usize = 4;
/// After so long without progress the chain is given up.
const PATIENCE_MS: u64 = 60_000;

/// What has come of a chain that was weighed.
#[derive(Debug)]
pub struct BranchDownload {
    from: BlockHash,
    end: TipClaim,
    shown_by: PeerId,
    /// The end of each stretch, and how many headers it has.
    stretches: Vec<(BlockHash, u32)>,
    /// The first stretch that was not handed on.
    next: usize,
    asked: BTreeMap<usize, PeerId>,
    here: BTreeMap<usize, Vec<Header>>,
    /// Peers that gave something else.
    lacks: BTreeSet<PeerId>,
    progress_at: Timestamp,
}

/// A question for one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StretchPlan {
    /// Which one.
    pub number: usize,
    /// The header before it.
    pub after: BlockHash,
    /// How many headers it has.
    pub count: u32,
}

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The stretch as it was weighed.
    Stretch,
    /// Something else: the peer's chain is another one.
    Other,
    /// Something else, from the very peer that had shown it, and not at its end, where a chain may change at any moment.
    Changed,
}

impl BranchDownload {
    /// A chain that leaves ours after `from` and ends at `end`, as `shown_by` has shown it.
    pub fn new(
        from: BlockHash,
        stretches: Vec<(BlockHash, u32)>,
        end: TipClaim,
        shown_by: PeerId,
        now: Timestamp,
    ) -> Self {
        Self {
            from,
            end,
            shown_by,
            stretches,
            next: 0,
            asked: BTreeMap::new(),
            here: BTreeMap::new(),
            lacks: BTreeSet::new(),
            progress_at: now,
        }
    }

    /// So many of the first stretches need not be fetched: the node has held them since they were weighed.
    pub fn skip(&mut self, held: usize) {
        self.next = held.min(self.stretches.len());
    }

    /// The block of ours that it leaves from.
    pub const fn from(&self) -> &BlockHash {
        &self.from
    }

    /// The end that was weighed.
    pub const fn end(&self) -> &TipClaim {
        &self.end
    }

    /// Who has shown it.
    pub const fn shown_by(&self) -> &PeerId {
        &self.shown_by
    }

    /// What to ask this peer for, if anything.
    pub fn plan(&mut self, peer: PeerId) -> Option<StretchPlan> {
        if self.lacks.contains(&peer) {
            return None;
        }
        let window = self.next..self.stretches.len().min(self.next + WINDOW);
        let taken = |number: &usize| self.asked.contains_key(number) || self.here.contains_key(number);
        let number = window.into_iter().find(|number| !taken(number))?;
        self.asked.insert(number, peer);
        Some(StretchPlan { number, after: self.before(number), count: self.stretches[number].1 })
    }

    /// An answer came.
    pub fn answered(&mut self, peer: PeerId, number: usize, headers: Vec<Header>, now: Timestamp) -> Given {
        if self.asked.get(&number) != Some(&peer) {
            return Given::Other;
        }
        self.asked.remove(&number);
        if self.is_stretch(number, &headers) {
            self.here.insert(number, headers);
            self.progress_at = now;
            return Given::Stretch;
        }
        self.lacks.insert(peer);
        let last = number + 1 == self.stretches.len();
        if peer == self.shown_by && !last { Given::Changed } else { Given::Other }
    }

    /// No answer will come.
    pub fn failed(&mut self, peer: &PeerId, number: usize) {
        if self.asked.get(&number) == Some(peer) {
            self.asked.remove(&number);
        }
    }

    /// A peer left.
    pub fn left(&mut self, peer: &PeerId) {
        self.asked.retain(|_, asked| asked != peer);
        self.lacks.remove(peer);
    }

    /// The next stretch in order.
    pub fn take(&mut self) -> Option<Vec<Header>> {
        let headers = self.here.remove(&self.next)?;
        self.next += 1;
        Some(headers)
    }

    /// Whether all of it was handed on.
    pub fn is_done(&self) -> bool {
        self.next == self.stretches.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let headers: usize = self.here.values().map(Vec::len).sum();
        self.stretches.capacity() * size_of::<(BlockHash, u32)>() + headers * size_of::<Header>()
    }

    /// When it will be given up.
    pub fn deadline(&self) -> Timestamp {
        self.progress_at.saturating_add(PATIENCE_MS)
    }

    /// The hash before a stretch.
    fn before(&self, number: usize) -> BlockHash {
        number.checked_sub(1).map_or(self.from, |before| self.stretches[before].0)
    }

    /// Whether these are the headers that were weighed.
    fn is_stretch(&self, number: usize, headers: &[Header]) -> bool {
        let (end, count) = self.stretches[number];
        if headers.len() > MAX_HEADERS || headers.len() != count as usize {
            return false;
        }
        let mut last = self.before(number);
        let linked = headers.iter().all(|header| {
            let follows = header.parent() == last;
            last = header.hash();
            follows
        });
        linked && last == end
    }
}

#[cfg(test)]
mod tests {
    use tabchain_primitives::{Height, Work};

    use super::*;
    use crate::testing::header;

    const NOW: Timestamp = Timestamp::from_millis(5_000);

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    fn headers(nonce: u64, count: u32) -> Vec<Header> {
        let mut parent = BlockHash::ZERO;
        let next = |height| {
            let header = header(|fields| {
                (fields.height, fields.parent, fields.nonce) = (Height::new(height), parent, nonce);
            });
            parent = header.hash();
            header
        };
        (1..=count).map(next).collect()
    }

    /// Stretches of two headers.
    fn download(headers: &[Header]) -> BranchDownload {
        let stretches = headers.chunks(2).map(|part| (part[part.len() - 1].hash(), 2)).collect();
        let end = headers[headers.len() - 1];
        let end = TipClaim { hash: end.hash(), height: end.height(), work: Work::ZERO };
        BranchDownload::new(BlockHash::ZERO, stretches, end, peer(1), NOW)
    }

    #[test]
    fn stretches_come_from_several_peers_and_are_handed_on_in_order() {
        let all = headers(0, 12);
        let mut download = download(&all);
        let plans: Vec<_> = (1..=9).filter_map(|n| download.plan(peer(n)).map(|plan| (n, plan))).collect();
        assert_eq!(plans.len(), WINDOW);
        for (n, plan) in plans.into_iter().rev() {
            assert!(download.take().is_none());
            let part = all[2 * plan.number..][..2].to_vec();
            assert_eq!(download.answered(peer(n), plan.number, part, NOW), Given::Stretch);
        }
        let taken: Vec<_> = std::iter::from_fn(|| download.take()).flatten().collect();
        assert_eq!(taken, all[..8]);
        for number in [4, 5] {
            let plan = download.plan(peer(1)).expect("two are left");
            assert_eq!((plan.number, plan.after, plan.count), (number, all[2 * number - 1].hash(), 2));
            download.answered(peer(1), number, all[2 * number..][..2].to_vec(), NOW);
            download.take();
        }
        assert!(download.is_done());
        assert_eq!(download.plan(peer(1)), None);
    }

    #[test]
    fn what_was_held_while_it_was_weighed_is_not_asked_for_again() {
        let all = headers(0, 12);
        let mut download = download(&all);
        download.skip(4);
        let plans: Vec<_> = (1..=4).filter_map(|n| download.plan(peer(n))).collect();
        assert_eq!(plans.iter().map(|plan| plan.number).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(plans[0].after, all[7].hash());
        download.skip(7);
        assert!(download.is_done());
    }

    #[test]
    fn what_is_not_the_stretch_is_asked_of_others_and_held_against_who_had_shown_it() {
        let (all, others) = (headers(0, 6), headers(1, 6));
        let mut download = download(&all);
        let first = download.plan(peer(1)).expect("it has shown them");
        assert_eq!(download.answered(peer(1), first.number, others[..2].to_vec(), NOW), Given::Changed);
        assert_eq!(download.plan(peer(1)), None, "it is not asked again");
        for wrong in [&all[..1], &all[1..3], &[all[0], others[1]], &[]] {
            let asked = peer(2 + u8::try_from(wrong.len()).unwrap() * 10 + wrong.first().map_or(0, |_| 1));
            let plan = download.plan(asked).expect("the first again");
            assert_eq!(plan, first);
            assert_eq!(download.answered(asked, plan.number, wrong.to_vec(), NOW), Given::Other);
            download.left(&asked);
        }
        assert_eq!(download.answered(peer(7), 0, all[..2].to_vec(), NOW), Given::Other, "it was not asked");
        assert!(download.take().is_none());
    }

    #[test]
    fn who_does_not_answer_is_passed_over_and_who_has_a_new_tip_is_not_blamed() {
        let all = headers(0, 4);
        let mut download = download(&all);
        let plan = download.plan(peer(2)).expect("anyone may be asked");
        download.failed(&peer(2), plan.number);
        assert_eq!(download.plan(peer(3)), Some(plan));
        let last = download.plan(peer(1)).expect("the last");
        assert_eq!(download.answered(peer(1), last.number, headers(1, 4)[2..].to_vec(), NOW), Given::Other);
        download.left(&peer(3));
        assert_eq!(download.plan(peer(4)), Some(plan));
        assert_eq!(download.deadline(), NOW.saturating_add(60_000));
    }
}
