//! What must be true at every moment, checked while the world runs. When it is not, the world stops with words.
//!
//! - An honest node adopts only blocks that the [`Judge`] finds good, and supply is conserved along them.
//! - The work of an honest node's tip only rises, as long as it lives.
//! - Every node tells at which block it stands, at the latest a moment after it has come to stand there.
//! - No honest node sends another one away for misbehaviour.
//! - No node has more connections than its limit, but for those just being refused.
//! - No node keeps itself busy without time passing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::{Reason, stored_bodies, stored_headers};
use tabchain_primitives::{BlockHash, Header, Timestamp, Work};
use tabchain_records::{Batch, Change, Column};

use crate::judge::Judge;
use crate::place::Place;
use crate::verdicts::Verdicts;

/// A block is written down by somebody within this time after somebody adopted it.
const PATIENCE_MS: u64 = 60_000;
/// A node tells its tip within this time: it waits a quarter of a second while it catches up, and for its disk.
const UNTOLD_MS: u64 = 3_000;
/// So many inputs may come to one node in one millisecond.
const MAX_INPUTS: u32 = 20_000;
/// So many connections may be open beyond the limit, until they are refused.
const MAX_REFUSED: usize = 64;

/// Watches the nodes of one chain.
pub(crate) struct Watch {
    judge: Judge,
    headers: HashMap<BlockHash, Header>,
    /// Adopted, and not judged yet: by whom, and when.
    open: BTreeMap<BlockHash, (Place, Timestamp)>,
    best: HashMap<Place, (u64, Work)>,
    inputs: HashMap<Place, (Timestamp, u32)>,
    /// Nodes that stand at a block which they have not told, and since when.
    untold: HashMap<Place, (BlockHash, Timestamp)>,
    /// The same and those that have told since, the earliest first.
    to_tell: VecDeque<(Timestamp, Place)>,
}

impl Watch {
    pub(crate) fn new(spec: &Arc<ChainSpec>) -> Self {
        Self {
            judge: Judge::new(spec),
            headers: HashMap::new(),
            open: BTreeMap::new(),
            best: HashMap::new(),
            inputs: HashMap::new(),
            untold: HashMap::new(),
            to_tell: VecDeque::new(),
        }
    }

    pub(crate) fn found(&mut self, header: Header) {
        self.headers.insert(header.hash(), header);
    }

    /// Some node writes: blocks that nobody wrote before are judged.
    pub(crate) fn written(&mut self, batch: &Batch, verdicts: &mut Verdicts) {
        for change in batch.changes() {
            let Change::Put { column: Column::Bodies | Column::BodyPages, key, value } = change else {
                continue;
            };
            for (hash, body) in stored_bodies(key, value) {
                if self.judge.knows(&hash) {
                    continue;
                }
                // Whoever garbles another's block may hit upon one that is good: its header is written along with it.
                let found = self.headers.get(&hash).copied();
                if let Some(header) = found.or_else(|| header_in(batch, &hash)) {
                    self.judge.take(header, body, verdicts);
                    self.open.remove(&hash);
                }
            }
        }
    }

    /// An honest node's tip moved, in this life of it.
    pub(crate) fn moved(
        &mut self,
        place: Place,
        life: u64,
        adopted: &[BlockHash],
        now: Timestamp,
    ) -> Result<(), String> {
        if let Some((hash, (by, since))) = self.open.iter().find(|(_, (_, at))| now.since(*at) > PATIENCE_MS)
        {
            return Err(format!("{by:?} adopted block {hash} at {since}, and nobody has it on disk"));
        }
        for hash in adopted {
            if !self.judge.knows(hash) {
                self.open.entry(*hash).or_insert((place, now));
            } else if self.judge.work(hash).is_none() {
                return Err(format!("{place:?} adopted block {hash}, which breaks a rule"));
            }
        }
        let Some(work) = adopted.last().and_then(|tip| self.judge.work(tip)) else { return Ok(()) };
        match self.best.insert(place, (life, work)) {
            Some((before, more)) if before == life && more > work => {
                Err(format!("{place:?} went over to a chain with less work"))
            }
            _ => Ok(()),
        }
    }

    /// Something came to a node: it stands at a block, if it is open, and has told of one.
    pub(crate) fn stands(
        &mut self,
        place: Place,
        tip: Option<BlockHash>,
        told: Option<BlockHash>,
        now: Timestamp,
    ) {
        let Some(tip) = tip.filter(|_| tip != told) else {
            self.untold.remove(&place);
            return;
        };
        if self.untold.get(&place).is_none_or(|(before, _)| *before != tip) {
            self.untold.insert(place, (tip, now));
            self.to_tell.push_back((now, place));
        }
    }

    /// A node is gone, and with it what it would have told.
    pub(crate) fn gone(&mut self, place: Place) {
        self.untold.remove(&place);
    }

    /// Time has passed: whoever has come to stand at a block has told so.
    pub(crate) fn tips_are_told(&mut self, now: Timestamp) -> Result<(), String> {
        while let Some((since, place)) = self.to_tell.front().copied()
            && now.since(since) > UNTOLD_MS
        {
            self.to_tell.pop_front();
            if let Some((tip, at)) = self.untold.get(&place)
                && *at == since
            {
                return Err(format!("{place:?} stands at block {tip} since {since} and has not told so"));
            }
        }
        Ok(())
    }

    /// Something comes to a node.
    pub(crate) fn input(&mut self, place: Place, now: Timestamp) -> Result<(), String> {
        let (since, count) = self.inputs.entry(place).or_insert((now, 0));
        if *since != now {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > MAX_INPUTS {
            return Err(format!("{place:?} keeps itself busy without time passing"));
        }
        Ok(())
    }

    /// One honest node sends another one away.
    pub(crate) fn blamed(by: Place, whom: Place, reason: Reason) -> Result<(), String> {
        if reason == Reason::Misbehaviour {
            return Err(format!("{by:?} sent {whom:?} away for misbehaviour, and both are honest"));
        }
        Ok(())
    }

    pub(crate) fn connected(place: Place, connections: usize, limit: usize) -> Result<(), String> {
        if connections > limit + MAX_REFUSED {
            return Err(format!("{place:?} has {connections} connections"));
        }
        Ok(())
    }
}

/// The header of a block that a node writes down.
fn header_in(batch: &Batch, hash: &BlockHash) -> Option<Header> {
    let rows = batch.changes().iter().filter_map(|change| match change {
        Change::Put { column: Column::Headers | Column::HeaderPages, key, value } => Some((key, value)),
        _ => None,
    });
    rows.flat_map(|(key, value)| stored_headers(key, value))
        .find_map(|(of, header)| (of == *hash).then_some(header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabchain_chain::Chain;
    use tabchain_chain::testing::{Key, mine_at, spec};
    use tabchain_primitives::Encode;

    /// One that no miner of the world found, as when a header is garbled on its way and still meets its target.
    #[test]
    fn a_block_that_somebody_hit_upon_is_judged_once_it_is_written() {
        let chain = Chain::new(spec());
        let time = chain.tip().header.time().saturating_add(1);
        let block = mine_at(&chain, Key::new(0).address(), &[], time);
        let hash = block.header.hash();
        let mut watch = Watch::new(&spec());
        let (now, later) = (Timestamp::from_millis(1), Timestamp::from_millis(2 + PATIENCE_MS));
        assert_eq!(watch.moved(Place(1), 0, &[hash], now), Ok(()));
        assert!(watch.moved(Place(1), 0, &[], later).is_err(), "nobody has it");
        let row = [&[1], &block.header.to_bytes()[..]].concat();
        let mut batch = Batch::default();
        batch.put(Column::Bodies, hash.as_bytes().to_vec(), vec![0]);
        batch.put(Column::Headers, hash.as_bytes().to_vec(), row);
        watch.written(&batch, &mut Verdicts::default());
        assert_eq!(watch.moved(Place(1), 0, &[], later), Ok(()));
    }

    #[test]
    fn who_stands_at_a_block_and_does_not_say_so_is_found_out() {
        let mut watch = Watch::new(&spec());
        let block = |n| Some(BlockHash::from_bytes([n; 32]));
        let at = Timestamp::from_millis;
        watch.stands(Place(1), block(1), None, at(1));
        watch.stands(Place(2), block(1), None, at(2));
        watch.stands(Place(3), block(1), None, at(3));
        // One says so, one goes on to another block, one is gone.
        watch.stands(Place(1), block(1), block(1), at(900));
        watch.stands(Place(2), block(2), None, at(901));
        watch.gone(Place(3));
        assert_eq!(watch.tips_are_told(at(901 + UNTOLD_MS)), Ok(()));
        assert!(watch.tips_are_told(at(902 + UNTOLD_MS)).is_err(), "the second has had its time");
        assert_eq!(watch.tips_are_told(at(9 * UNTOLD_MS)), Ok(()), "nobody else is in debt");
    }
}
