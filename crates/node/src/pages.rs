//! Where headers lie on disk: one to a row near the tip, [`PAGE_HEIGHTS`](rows::PAGE_HEIGHTS) to a row below.
//!
//! What changes is noted, and written once, when the batch goes that it belongs to: a header that has come and whose
//! body follows in the same batch is one change. Once the best chain has gone [`NEAR`] blocks beyond a page, the headers of the best
//! chain at its heights move into it. A header stays where it lies, whatever becomes of its branch, until it is forgotten.
//!
//! Bounds: 32 bytes a header in a page, as many in a page as it has heights; and what changed since the last batch.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::{BlockHash, Height};
use tabchain_records::Column;

use crate::node::Node;
use crate::rows::{self, HeaderRow};

/// A page is begun when the best chain has gone so far beyond it that hardly anything changes there.
pub(crate) const NEAR: u32 = 128;

/// What is known of headers on disk.
#[derive(Debug, Default)]
pub(crate) struct HeaderPages {
    /// What each page on disk holds.
    pages: BTreeMap<u32, Vec<BlockHash>>,
    /// Pages below this one are begun.
    begun: u32,
    changed: BTreeMap<BlockHash, Changed>,
    /// Pages that hold something for nothing.
    torn: BTreeSet<u32>,
}

/// A header that has to be written.
#[derive(Clone, Copy, Debug)]
struct Changed {
    height: Height,
    /// It is not on disk yet.
    is_new: bool,
}

impl HeaderPages {
    /// Takes back a page of the last run: what it holds, and whether it held more that is of no use.
    pub(crate) fn restore(&mut self, page: u32, held: Vec<BlockHash>, torn: bool) {
        if torn {
            self.torn.insert(page);
        }
        if !held.is_empty() {
            self.begun = self.begun.max(page.saturating_add(1));
            self.pages.insert(page, held);
        }
    }

    /// A header has come, or something was learnt about its block.
    fn note(&mut self, hash: BlockHash, height: Height, is_new: bool) {
        self.changed.entry(hash).or_insert(Changed { height, is_new });
    }

    /// The bytes that will be written with the open batch, as if each header had a row of its own.
    pub(crate) fn promised(&self) -> usize {
        self.changed.len() * rows::HEADER_ROW_BYTES
    }

    fn holds(&self, page: u32, hash: &BlockHash) -> bool {
        self.pages.get(&page).is_some_and(|held| held.contains(hash))
    }

    fn has_room(&self, page: u32) -> bool {
        self.pages.get(&page).is_none_or(|held| held.len() < rows::PAGE_HEIGHTS as usize)
    }
}

impl Node {
    /// A header has come, or something was learnt about its block: it goes with the open batch.
    pub(crate) fn note_header(&mut self, hash: &BlockHash, is_new: bool) {
        let Some(height) = self.chain.header(hash).map(tabchain_primitives::Header::height) else { return };
        if self.disk.failure().is_none() {
            self.header_pages.note(*hash, height, is_new);
            self.promise();
        }
    }

    /// A header is forgotten: what there is of it on disk goes with the open batch.
    pub(crate) fn forget_header(&mut self, hash: &BlockHash, height: Height) {
        let page = rows::page_of(height);
        let changed = self.header_pages.changed.remove(hash);
        if self.header_pages.holds(page, hash) {
            self.header_pages.torn.insert(page);
        } else if changed.is_none_or(|changed| !changed.is_new) {
            self.disk.delete(Column::Headers, *hash.as_bytes());
        }
    }

    /// Adds what changed of headers to the open batch.
    pub(crate) fn write_headers(&mut self) {
        let changed = std::mem::take(&mut self.header_pages.changed);
        let mut pages = self.pages_to_fill();
        for &page in &pages {
            self.fill_page(page, &changed);
        }
        for (hash, Changed { height, is_new }) in changed {
            let page = rows::page_of(height);
            if self.header_pages.holds(page, &hash) {
                pages.insert(page);
            } else if self.belongs_in_page(page, &hash, height) {
                self.move_into_page(page, hash, is_new);
                pages.insert(page);
            } else if let Some(row) = self.header_row(&hash) {
                self.disk.put(Column::Headers, *hash.as_bytes(), row.value());
            }
        }
        for page in pages {
            self.write_page(page);
        }
    }

    /// The pages that the best chain has left behind since the last time, and those that have lost something.
    fn pages_to_fill(&mut self) -> BTreeSet<u32> {
        let near = self.chain.best_header().height.value().saturating_sub(NEAR);
        let (begun, behind) = (self.header_pages.begun, rows::page_of(Height::new(near)));
        self.header_pages.begun = begun.max(behind);
        let mut pages = std::mem::take(&mut self.header_pages.torn);
        pages.extend(begun..behind);
        pages
    }

    /// Forgets what a page holds for nothing, and moves the headers of the best chain at its heights into it.
    fn fill_page(&mut self, page: u32, changed: &BTreeMap<BlockHash, Changed>) {
        let chain = &self.chain;
        self.header_pages.pages.entry(page).or_default().retain(|hash| chain.contains(hash));
        let first = page * rows::PAGE_HEIGHTS;
        for height in (first..=first + (rows::PAGE_HEIGHTS - 1)).map(Height::new) {
            if let Some(hash) = self.chain.best_hash_at(height)
                && self.belongs_in_page(page, &hash, height)
            {
                let is_new = changed.get(&hash).is_some_and(|changed| changed.is_new);
                self.move_into_page(page, hash, is_new);
            }
        }
    }

    /// Whether a header goes into a page. The genesis is known from the spec.
    fn belongs_in_page(&self, page: u32, hash: &BlockHash, height: Height) -> bool {
        page < self.header_pages.begun
            && height > Height::GENESIS
            && self.chain.best_hash_at(height) == Some(*hash)
            && self.header_pages.has_room(page)
            && !self.header_pages.holds(page, hash)
    }

    fn move_into_page(&mut self, page: u32, hash: BlockHash, is_new: bool) {
        if !is_new {
            self.disk.delete(Column::Headers, *hash.as_bytes());
        }
        self.header_pages.pages.entry(page).or_default().push(hash);
    }

    /// Writes a page anew.
    fn write_page(&mut self, page: u32) {
        let Some(mut held) = self.header_pages.pages.remove(&page) else { return };
        held.sort_by_key(|hash| self.chain.header(hash).map(tabchain_primitives::Header::height));
        let mut value = Vec::new();
        for hash in &held {
            if let Some(row) = self.header_row(hash) {
                row.write_in_page(hash, &mut value);
            }
        }
        if held.is_empty() {
            return self.disk.delete(Column::HeaderPages, rows::page_key(page));
        }
        self.disk.put(Column::HeaderPages, rows::page_key(page), value);
        self.header_pages.pages.insert(page, held);
    }

    fn header_row(&self, hash: &BlockHash) -> Option<HeaderRow> {
        let (header, entry) = (*self.chain.header(hash)?, self.chain.entry(hash)?);
        let invalid = entry.status == tabchain_chain::Status::Invalid;
        let page_below = self.body_pages.below(hash, header.height()).filter(|_| entry.has_body);
        Some(HeaderRow { header, has_body: entry.has_body, page_below, invalid })
    }
}
