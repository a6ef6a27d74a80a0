//! Where bodies lie on disk: one to a row near the tip, many to a row below.
//!
//! Bodies that come together go with the open batch, and where each lies is decided when the batch goes. Those of the best
//! chain that are more than [`NEAR`] blocks below its end, as they come while a node catches up or checks its past, go into *pages*:
//! those of [`PAGE_SPAN`] heights, as far as they are at hand, in one row under the height of the first. All others get a row of their own.
//! A body stays where it lies, whatever becomes of its branch; a page goes when all its bodies are forgotten.
//!
//! Where a body lies is written with its header, in the same batch, and held here by its hash: no other is ever taken for it. Whoever
//! reads asks for [rows of bodies](Node::body_rows), so that what lies together is read together.
//!
//! Bounds: 32 bytes a body in a page; [`PAGE_SPAN`] bodies and [`PAGE_BYTES`] of them in a page; and the bodies of the open batch.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tabchain_primitives::{BlockHash, Header, Height};
use tabchain_records::{Column, Query};

use crate::node::Node;
use crate::pages::NEAR;
use crate::rows::{self, PAGE_SPAN};

/// The most bytes of bodies in a page: as much as a large block.
pub(crate) const PAGE_BYTES: usize = 256 * 1024;

/// The row that a body lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// One of its own.
    Row(BlockHash),
    /// A page, by the height where it begins.
    Page(Height),
}

/// What is known of bodies on disk, and those on their way there.
#[derive(Debug, Default)]
pub(crate) struct BodyPages {
    /// What each page on disk holds, by the height where it begins.
    pages: BTreeMap<Height, Vec<BlockHash>>,
    /// Bodies that have come since the last batch went.
    fresh: Vec<Fresh>,
    fresh_bytes: usize,
}

/// A body that has to be written.
#[derive(Debug)]
struct Fresh {
    height: Height,
    hash: BlockHash,
    body: Vec<u8>,
}

impl Fresh {
    /// The bytes it takes in a row.
    fn bytes(&self) -> usize {
        self.hash.as_bytes().len() + self.body.len()
    }
}

impl BodyPages {
    /// Takes back that a body lies in the page which begins so far below it.
    pub(crate) fn restore(&mut self, hash: BlockHash, height: Height, below: u8) {
        if let Some(first) = height.value().checked_sub(below.into()) {
            self.pages.entry(Height::new(first)).or_default().push(hash);
        }
    }

    /// The bytes that will be written with the open batch.
    pub(crate) fn promised(&self) -> usize {
        self.fresh_bytes
    }

    /// Where the page begins that holds the body of this block, if one does.
    fn page_with(&self, hash: &BlockHash, height: Height) -> Option<Height> {
        let lowest = Height::new(height.value().saturating_sub(PAGE_SPAN - 1));
        let mut near = self.pages.range(lowest..=height).rev();
        near.find(|(_, held)| held.contains(hash)).map(|(first, _)| *first)
    }

    /// How far below a block the page begins that holds its body, if one does.
    pub(crate) fn below(&self, hash: &BlockHash, height: Height) -> Option<u8> {
        let first = self.page_with(hash, height)?;
        u8::try_from(height.value() - first.value()).ok()
    }

    /// Takes a body out of its page, if it lies in one; gives where that begins, and whether it is empty now.
    fn take_out(&mut self, hash: &BlockHash, height: Height) -> Option<(Height, bool)> {
        let first = self.page_with(hash, height)?;
        let held = self.pages.get_mut(&first)?;
        held.retain(|held| held != hash);
        let is_empty = held.is_empty();
        if is_empty {
            self.pages.remove(&first);
        }
        Some((first, is_empty))
    }

    fn forget_fresh(&mut self, hash: &BlockHash) {
        self.fresh.retain(|fresh| fresh.hash != *hash);
        self.fresh_bytes = self.fresh.iter().map(Fresh::bytes).sum();
    }

    /// Keys that are no page's, whatever lies there.
    pub(crate) fn gaps(&self) -> Vec<Range<Vec<u8>>> {
        let begins = std::iter::once(Vec::new())
            .chain(self.pages.keys().map(|first| [&rows::body_page_key(*first)[..], &[0]].concat()));
        let ends = self.pages.keys().map(|first| rows::body_page_key(*first).to_vec());
        let end = std::iter::once(vec![0xff; size_of::<Height>() + 1]);
        begins.zip(ends.chain(end)).map(|(from, to)| from..to).collect()
    }
}

impl Node {
    /// A body has come: it goes with the open batch.
    pub(crate) fn note_body(&mut self, hash: BlockHash, height: Height, body: Vec<u8>) {
        if self.disk.failure().is_none() {
            let fresh = Fresh { height, hash, body };
            self.body_pages.fresh_bytes += fresh.bytes();
            self.body_pages.fresh.push(fresh);
            self.promise();
        }
    }

    /// A body is of no more use: what there is of it goes with the open batch. Of a page, the last one takes the row along.
    pub(crate) fn erase_body(&mut self, hash: &BlockHash, height: Height) {
        self.body_pages.forget_fresh(hash);
        match self.body_pages.take_out(hash, height) {
            None => self.disk.delete(Column::Bodies, *hash.as_bytes()),
            Some((first, true)) => self.disk.delete(Column::BodyPages, rows::body_page_key(first)),
            Some((_, false)) => {}
        }
    }

    /// The rows in which these bodies lie, each with those of them that lie there.
    pub(crate) fn body_rows(
        &self,
        hashes: impl IntoIterator<Item = BlockHash>,
    ) -> Vec<(Query, Vec<BlockHash>)> {
        let mut together: Vec<(Place, Vec<BlockHash>)> = Vec::new();
        for hash in hashes {
            let place = self.place_of_body(&hash);
            match together.iter_mut().find(|(known, _)| *known == place) {
                Some((_, there)) => there.push(hash),
                None => together.push((place, vec![hash])),
            }
        }
        let row = |(place, there)| match place {
            Place::Row(hash) => (Query::get(Column::Bodies, *hash.as_bytes()), there),
            Place::Page(first) => (Query::get(Column::BodyPages, rows::body_page_key(first)), there),
        };
        together.into_iter().map(row).collect()
    }

    /// The row that a body lies in, if it is there.
    pub(crate) fn place_of_body(&self, hash: &BlockHash) -> Place {
        let height = self.chain.header(hash).map(Header::height);
        let page = height.and_then(|height| self.body_pages.page_with(hash, height));
        page.map_or(Place::Row(*hash), Place::Page)
    }

    /// The blocks of a chain from a height on whose bodies are there and not at hand, as far as so many rows hold them.
    pub(crate) fn bodies_ahead(
        &self,
        first: Height,
        rows: u32,
        hash_at: impl Fn(Height) -> Option<BlockHash>,
    ) -> Vec<BlockHash> {
        let mut places = BTreeSet::new();
        let heights = (first.value()..=Height::MAX.value()).map(Height::new);
        let there = heights.map_while(hash_at).take_while(|hash| self.chain.has_body(hash));
        let near = there.take_while(|hash| {
            places.insert(self.place_of_body(hash));
            places.len() <= rows as usize
        });
        near.filter(|hash| self.blocks.block(hash).is_none()).collect()
    }

    /// Adds the bodies that have come to the open batch.
    pub(crate) fn write_bodies(&mut self) {
        let mut fresh = std::mem::take(&mut self.body_pages.fresh);
        self.body_pages.fresh_bytes = 0;
        fresh.sort_by_key(|fresh| fresh.height);
        let mut page = Vec::new();
        for fresh in fresh {
            if !self.belongs_in_body_page(&fresh) {
                self.write_body(fresh);
                continue;
            }
            if !has_room(&page, &fresh) {
                self.write_body_page(std::mem::take(&mut page));
            }
            if page.is_empty() && self.body_pages.pages.contains_key(&fresh.height) {
                // Another branch has a page of that name.
                self.write_body(fresh);
            } else {
                page.push(fresh);
            }
        }
        self.write_body_page(page);
    }

    /// Whether hardly anything changes any more where this block stands.
    fn belongs_in_body_page(&self, fresh: &Fresh) -> bool {
        let end = self.chain.best_header().height.value();
        end.saturating_sub(fresh.height.value()) > NEAR
            && self.chain.best_hash_at(fresh.height) == Some(fresh.hash)
    }

    /// Writes bodies into a page; one alone gets a row of its own.
    fn write_body_page(&mut self, mut bodies: Vec<Fresh>) {
        if bodies.len() < 2 {
            return bodies.pop().into_iter().for_each(|fresh| self.write_body(fresh));
        }
        let (first, mut page) = (bodies[0].height, Vec::new());
        for Fresh { hash, body, .. } in &bodies {
            rows::write_in_body_page(hash, body, &mut page);
        }
        self.disk.put(Column::BodyPages, rows::body_page_key(first), page);
        self.body_pages.pages.insert(first, bodies.iter().map(|fresh| fresh.hash).collect());
    }

    fn write_body(&mut self, Fresh { hash, body, .. }: Fresh) {
        self.disk.put(Column::Bodies, *hash.as_bytes(), body);
    }
}

/// Whether a page takes one more body.
fn has_room(page: &[Fresh], next: &Fresh) -> bool {
    let bytes: usize = page.iter().map(|fresh| fresh.body.len()).sum();
    page.first().is_none_or(|first| {
        next.height.value() - first.height.value() < PAGE_SPAN && bytes + next.body.len() <= PAGE_BYTES
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> BlockHash {
        BlockHash::from_bytes([n; 32])
    }

    fn height(height: u32) -> Height {
        Height::new(height)
    }

    #[test]
    fn a_body_is_found_by_its_hash_in_whichever_page_it_lies() {
        let mut pages = BodyPages::default();
        // Pages of two branches and of several batches lie across each other.
        for (n, at, first) in [(1, 10, 10), (2, 11, 11), (3, 12, 10), (4, 12, 11), (5, 72, 10), (6, 80, 80)] {
            pages.restore(hash(n), height(at), u8::try_from(at - first).expect("a small span"));
        }
        for (n, at, below) in [(1, 10, 0), (2, 11, 0), (3, 12, 2), (4, 12, 1), (5, 72, 62), (6, 80, 0)] {
            assert_eq!(pages.below(&hash(n), height(at)), Some(below), "body {n}");
        }
        assert_eq!(pages.below(&hash(7), height(12)), None, "it has a row of its own");
        pages.restore(hash(8), height(3), 4);
        assert_eq!(pages.below(&hash(8), height(3)), None, "no page begins below the genesis");
    }

    #[test]
    fn a_page_goes_with_its_last_body() {
        let mut pages = BodyPages::default();
        pages.restore(hash(1), height(5), 0);
        pages.restore(hash(2), height(7), 2);
        assert_eq!(pages.take_out(&hash(1), height(5)), Some((height(5), false)));
        assert_eq!(pages.take_out(&hash(1), height(5)), None);
        assert_eq!(pages.below(&hash(2), height(7)), Some(2), "the name stays with those that are left");
        assert_eq!(pages.take_out(&hash(2), height(7)), Some((height(5), true)));
        assert!(pages.pages.is_empty());
    }

    #[test]
    fn gaps_have_every_key_but_those_of_pages() {
        let mut pages = BodyPages::default();
        let is_in_gap =
            |pages: &BodyPages, key: &[u8]| pages.gaps().iter().any(|gap| gap.contains(&key.to_vec()));
        assert!(is_in_gap(&pages, &[0xff; 4]));
        pages.restore(hash(1), height(5), 0);
        pages.restore(hash(2), height(6), 0);
        for of_page in [5, 6] {
            assert!(!is_in_gap(&pages, &rows::body_page_key(height(of_page))));
        }
        for stray in [&[][..], &[0; 4], &[0, 0, 0, 4], &[0, 0, 0, 5, 0], &[0, 0, 0, 7], &[0xff; 4]] {
            assert!(is_in_gap(&pages, stray), "{stray:?}");
        }
    }

    #[test]
    fn a_page_has_room_for_so_many_heights_and_bytes() {
        let fresh = |at, bytes| Fresh { height: height(at), hash: hash(1), body: vec![0; bytes] };
        assert!(has_room(&[], &fresh(9, 2 * PAGE_BYTES)), "what is alone may be of any size");
        let page = [fresh(9, 10), fresh(20, 10)];
        assert!(has_room(&page, &fresh(8 + PAGE_SPAN, PAGE_BYTES - 20)));
        assert!(!has_room(&page, &fresh(9 + PAGE_SPAN, 1)));
        assert!(!has_room(&page, &fresh(21, PAGE_BYTES - 19)));
    }
}
