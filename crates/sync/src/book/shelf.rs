//! The tried shelf: who comes onto it, who rises there, and who has to go.

use std::cmp::Reverse;

use tabchain_primitives::Timestamp;

use super::{Entry, MAX_MISSES, MAX_TRIED, PeerBook, Standing, Tried};
use crate::PeerId;

impl PeerBook {
    /// Puts an entry on the tried shelf, or lets it rise there, as far as there is a place.
    pub(super) fn put_on_tried_shelf(&mut self, id: &PeerId, earned: Standing, now: Timestamp) {
        let before = self.peers.get(id).and_then(Entry::standing).unwrap_or(Standing::Greeted);
        let rises = earned > before && self.make_way(earned);
        let Some(entry) = self.peers.get_mut(id) else { return };
        entry.tried = Some(Tried { standing: if rises { earned } else { before }, last_good: now });
        self.keep_tried_within_bounds();
    }

    /// Makes sure that one more can have a standing; false when all who have it still answer.
    fn make_way(&mut self, standing: Standing) -> bool {
        let have = || self.peers.iter().filter(|(_, entry)| entry.standing() == Some(standing));
        if have().count() < standing.most() {
            return true;
        }
        let gone = have().filter(|(_, entry)| entry.misses >= MAX_MISSES);
        let longest = gone.min_by_key(|(_, entry)| entry.last_good()).map(|(id, _)| *id);
        longest.is_some_and(|id| self.forget(id))
    }

    /// Forgets tried peers that were only greeted: of the source that has most of them, those that were good longest ago.
    fn keep_tried_within_bounds(&mut self) {
        let greeted = |entry: &Entry| entry.standing() == Some(Standing::Greeted);
        while self.shelves().0 > MAX_TRIED {
            let largest = self.by_source(greeted).into_iter().max_by_key(|&(_, count)| count);
            let Some((source, _)) = largest else { return };
            let of_source = self.peers.iter().filter(|(_, entry)| greeted(entry) && entry.source == source);
            let oldest = of_source.min_by_key(|(_, entry)| (entry.last_good(), Reverse(entry.failures)));
            let Some(id) = oldest.map(|(id, _)| *id) else { return };
            self.forget(id);
        }
    }

    /// Nothing is to be remembered of a tried peer any more.
    fn forget(&mut self, id: PeerId) -> bool {
        self.forgotten.push(id);
        self.peers.remove(&id).is_some()
    }
}
