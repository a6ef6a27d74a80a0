//! The block tree: every header that is kept, which chain of them is best, and which one is active.
//!
//! Chains that are kept whatever else comes are held as vectors by height: the *best* (most work among headers that are
//! not invalid), the *active* (what the state stands at), and two that are there only for a while: the *former* (the
//! active chain as it was when the state began to move) and the *incoming* (a branch that was weighed and found to have
//! more work than the best). Everything else is a side branch.
//!
//! Bounds: 272 bytes a header, and 40 to 80 to find it by its hash; 4 a header of each chain that is kept. Headers off
//! these chains are at most [`Limits::side_headers`]; see [`bounds`].

mod bounds;
mod choice;

pub(crate) use choice::Move;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
    num::NonZeroU32,
};

use tabchain_primitives::{BlockHash, Header, Height, Target, Work};

use crate::arena::Arena;

/// What peers may make the chain keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most headers on side branches, about 350 bytes each.
    pub side_headers: usize,
    /// A header that does not make a better chain is kept only if it is at most so far below the end of the best one.
    /// Farther down a header costs little work. A branch that leaves there comes in as a whole, once it was weighed.
    pub side_depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { side_headers: 16_384, side_depth: 144 }
    }
}

/// Where a block stands in the arena, counted from one, so that `Option<Index>` is as small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Index(NonZeroU32);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) header: Header,
    pub(crate) hash: BlockHash,
    /// The work of the chain up to and with this block.
    pub(crate) work: Work,
    parent: Option<Index>,
    /// Children are a list: the first here, the rest by `sibling`, newest first.
    child: Option<Index>,
    sibling: Option<Index>,
    /// The how-manieth header it was.
    seen: u32,
    /// The how-manieth block it was whose body and ancestors' bodies were all there; `None` until then.
    ready: Option<NonZeroU32>,
    pub(crate) has_body: bool,
    invalid: bool,
    /// Bodies here or below are kept from us: it counts for nothing until they come.
    withheld: bool,
}

/// The headers and the choice between them.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Arena<Node>,
    by_hash: HashMap<BlockHash, Index, BuildHasherDefault<HashTail>>,
    /// The best header chain by height: the most work of those that are neither invalid nor withheld.
    best: Vec<Index>,
    /// The active chain by height.
    active: Vec<Index>,
    /// The active chain by height as it was when the state left it, until the state arrives; else empty.
    former: Vec<Index>,
    /// The branch that is being brought in, by height, as far as it is here; else empty.
    incoming: Vec<Index>,
    /// The block to move to: most work of those that are ready and not invalid, the first to be ready of equals.
    goal: Index,
    /// Blocks without children, by work and then newest first: what to forget begins at the front.
    ends: BTreeSet<(Work, Reverse<u32>, Index)>,
    seen: u32,
    readied: NonZeroU32,
    limits: Limits,
    evicted: Vec<(Height, BlockHash)>,
}

/// The side branches are full, and of all of them this one has the least work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LowWork;

impl Tree {
    const GENESIS: Index = Index::at(0);

    pub(crate) fn new(genesis: Header, limits: Limits) -> Self {
        let hash = genesis.hash();
        let node = Node {
            header: genesis,
            hash,
            work: Work::ZERO,
            parent: None,
            child: None,
            sibling: None,
            seen: 0,
            ready: Some(NonZeroU32::MIN),
            has_body: true,
            invalid: false,
            withheld: false,
        };
        let genesis = Self::GENESIS;
        let ends = BTreeSet::from([(node.work, Reverse(node.seen), genesis)]);
        let mut nodes = Arena::new();
        nodes.insert(node);
        Self {
            nodes,
            ends,
            by_hash: HashMap::from_iter([(hash, genesis)]),
            best: vec![genesis],
            active: vec![genesis],
            former: Vec::new(),
            incoming: Vec::new(),
            goal: genesis,
            seen: 0,
            readied: NonZeroU32::MIN,
            limits,
            evicted: Vec::new(),
        }
    }

    pub(crate) fn find(&self, hash: &BlockHash) -> Option<Index> {
        self.by_hash.get(hash).copied()
    }

    pub(crate) fn node(&self, index: Index) -> &Node {
        self.nodes.get(index.place())
    }

    pub(crate) fn tip(&self) -> Index {
        *self.active.last().expect("the genesis is always active")
    }

    pub(crate) fn best(&self) -> Index {
        *self.best.last().expect("the genesis is always a header")
    }

    pub(crate) fn active_at(&self, height: Height) -> Option<Index> {
        self.active.get(height.value() as usize).copied()
    }

    pub(crate) fn best_at(&self, height: Height) -> Option<Index> {
        self.best.get(height.value() as usize).copied()
    }

    pub(crate) fn is_active(&self, index: Index) -> bool {
        self.active.get(self.row(index)) == Some(&index)
    }

    /// The active chain, the genesis first.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Node> {
        self.active.iter().map(|index| self.node(*index))
    }

    /// The headers above a height of the active chain, lowest first.
    pub(crate) fn active_after(&self, height: Height) -> impl Iterator<Item = &Node> {
        self.active.iter().skip(height.value() as usize + 1).map(|index| self.node(*index))
    }

    /// The headers of the best chain from the first on whose body is lacking, lowest first.
    pub(crate) fn best_lacking(&self) -> impl Iterator<Item = &Node> {
        self.best.iter().skip(self.best_ready()).map(|index| self.node(*index))
    }

    /// How many blocks of the best chain there are before the first whose body is lacking, the genesis included.
    pub(crate) fn best_ready(&self) -> usize {
        // Whatever is ready stands on what is ready, so it is a prefix of every chain.
        self.best.partition_point(|index| self.node(*index).ready.is_some())
    }

    /// How many blocks the active chain has, the genesis included.
    pub(crate) const fn active_len(&self) -> usize {
        self.active.len()
    }

    /// The ancestor at a height, or the block itself; `None` above it.
    pub(crate) fn ancestor(&self, of: Index, height: Height) -> Option<Index> {
        let wanted = height.value() as usize;
        let mut index = of;
        loop {
            let row = self.row(index);
            if row < wanted {
                return None;
            }
            // Where the walk meets a chain that is a vector, it ends with a look-up.
            for chain in self.chains() {
                if chain.get(row) == Some(&index) {
                    return Some(chain[wanted]);
                }
            }
            if row == wanted {
                return Some(index);
            }
            index = self.parent(index).expect("the genesis is on both chains");
        }
    }

    pub(crate) fn parent(&self, index: Index) -> Option<Index> {
        self.node(index).parent
    }

    /// Adds a header under a parent that is not invalid.
    pub(crate) fn insert(
        &mut self,
        header: Header,
        hash: BlockHash,
        parent: Index,
    ) -> Result<Index, LowWork> {
        debug_assert!(!self.node(parent).invalid, "a child of an invalid block is refused before");
        let work = self.work_above(parent, &header);
        let overtakes = work > self.node(self.best()).work && !self.node(parent).withheld;
        let expected = self.incoming.last() == Some(&parent);
        if !overtakes && !expected {
            self.make_room(work, parent)?;
        }
        let index = self.place(header, hash, parent, work);
        if overtakes {
            self.trim();
        }
        Ok(index)
    }

    /// Adds a header from our own store under a parent that is not invalid. Side branches may be too many until
    /// [`Tree::trim`].
    pub(crate) fn restore(&mut self, header: Header, hash: BlockHash, parent: Index) -> Index {
        let work = self.work_above(parent, &header);
        self.place(header, hash, parent, work)
    }

    fn work_above(&self, parent: Index, header: &Header) -> Work {
        self.node(parent).work + header.target().expand().map_or(Work::ZERO, Target::work)
    }

    fn place(&mut self, header: Header, hash: BlockHash, parent: Index, work: Work) -> Index {
        self.seen += 1;
        let withheld = self.node(parent).withheld;
        let place = self.nodes.insert(Node {
            header,
            hash,
            work,
            parent: Some(parent),
            child: None,
            sibling: self.node(parent).child,
            seen: self.seen,
            ready: None,
            has_body: false,
            invalid: false,
            withheld,
        });
        let index = Index::at(place);
        let end = self.end(parent);
        self.ends.remove(&end);
        self.ends.insert(self.end(index));
        self.node_mut(parent).child = Some(index);
        self.by_hash.insert(hash, index);
        self.pass(index);
        if work > self.node(self.best()).work && !withheld {
            self.follow_best(index);
        }
        index
    }

    /// From here on children of this block, and theirs in turn, are taken in whatever their work: they were weighed.
    pub(crate) fn bring_in(&mut self, from: Index) {
        let mut incoming = self.best.clone();
        self.follow(&mut incoming, from);
        self.incoming = incoming;
    }

    /// A header of the incoming branch is here, new or not.
    pub(crate) fn pass(&mut self, index: Index) {
        if !self.incoming.is_empty() && self.parent(index) == self.incoming.last().copied() {
            self.incoming.push(index);
        }
    }

    /// The incoming branch is here, or will not come: what did not win is a side branch now.
    pub(crate) fn brought_in(&mut self) {
        self.incoming = Vec::new();
        self.trim();
    }

    /// The blocks of side branches that were forgotten since the last call.
    pub(crate) fn take_evicted(&mut self) -> Vec<(Height, BlockHash)> {
        std::mem::take(&mut self.evicted)
    }

    fn node_mut(&mut self, index: Index) -> &mut Node {
        self.nodes.get_mut(index.place())
    }

    fn row(&self, index: Index) -> usize {
        self.node(index).header.height().value() as usize
    }

    /// The chains that are kept.
    fn chains(&self) -> [&[Index]; 4] {
        [&self.best, &self.active, &self.former, &self.incoming]
    }

    /// How many blocks two chains share, the genesis among them.
    fn shared(&self, one: &[Index], other: &[Index]) -> usize {
        // Once two chains part they never meet again, so where they agree is a prefix.
        let common = one.len().min(other.len());
        one[..common].partition_point(|index| other[self.row(*index)] == *index)
    }

    fn end(&self, index: Index) -> (Work, Reverse<u32>, Index) {
        let node = self.node(index);
        (node.work, Reverse(node.seen), index)
    }

    fn children(&self, of: Index) -> impl Iterator<Item = Index> {
        std::iter::successors(self.node(of).child, |child| self.node(*child).sibling)
    }

    /// The block and everything above it, parents first.
    fn with_descendants(&self, of: Index) -> Vec<Index> {
        let mut found = vec![of];
        let mut next = 0;
        while let Some(index) = found.get(next).copied() {
            found.extend(self.children(index));
            next += 1;
        }
        found
    }

    /// Makes `best` the chain that ends at a block.
    fn follow_best(&mut self, end: Index) {
        let mut best = std::mem::take(&mut self.best);
        self.follow(&mut best, end);
        self.best = best;
    }

    /// Makes of a chain by height the one that ends at a block.
    fn follow(&self, chain: &mut Vec<Index>, end: Index) {
        chain.truncate(self.row(end) + 1);
        let mut ahead = Vec::new();
        let mut index = end;
        while chain.get(self.row(index)) != Some(&index) {
            ahead.push(index);
            index = self.parent(index).expect("every chain begins with the genesis");
        }
        chain.truncate(self.row(index) + 1);
        chain.extend(ahead.into_iter().rev());
    }
}

impl Index {
    const fn at(place: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(place))
    }

    const fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// Takes the end of a block hash as it is: whoever wants to choose those bits pays for each try with proof of work.
#[derive(Debug, Default)]
struct HashTail(u64);

impl Hasher for HashTail {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
