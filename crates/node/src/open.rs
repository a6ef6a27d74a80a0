//! Opening: from rows on disk to a chain at a valid tip.
//!
//! Headers, the state chunks of the last checkpoint, and what is remembered of peers and wallet are read; the chain is built
//! from them at the checkpoint. Blocks above it are then connected again by the ordinary steps, their bodies read from
//! the store, until the tip of the last run is reached. A row that can't be read is left out: what hangs on it is fetched from
//! peers again, and if the state is not what the checkpoint's header says, it is rebuilt from the genesis by the same steps.
//!
//! What else happens meanwhile waits in [`deferred`](crate::deferred), which has its bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tabchain_chain::{Chain, ChainBuilder, Replay, RestoreError};
use tabchain_primitives::codec::Decode;
use tabchain_primitives::{BlockHash, Header};
use tabchain_records::{Column, Query, Rows, StoreError};
use tabchain_sync::PeerId;
use tabchain_sync::book::GoodPeer;

use crate::body_pages::BodyPages;
use crate::deferred::Deferred;
use crate::node::{Node, Phase, Purpose};
use crate::pages::HeaderPages;
use crate::past::Past;
use crate::prune::Pruning;
use crate::rows::{self, HeaderPage, HeaderRow};
use crate::snapshots::{KEPT, Snapshots};
use crate::{Config, Event, LoadId, Warning};

const HEADER_ROWS: u32 = 4_096;
/// Pages asked for at a time: some ten megabytes.
const PAGE_ROWS: u32 = 256;
const STATE_CHUNKS: u32 = 256;
const META_ROWS: u32 = 16;
const PEER_ROWS: u32 = 512;

/// What has been read so far.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    outstanding: BTreeSet<LoadId>,
    /// Those that lie one to a row.
    headers: Vec<(BlockHash, HeaderRow)>,
    pages: Vec<HeaderPage>,
    /// Keys among the pages that are no page's.
    strays: Vec<Vec<u8>>,
    meta: BTreeMap<Vec<u8>, Vec<u8>>,
    chunks: Vec<(Vec<u8>, Vec<u8>)>,
    replayed: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) deferred: Deferred,
    damaged: bool,
    /// The state on disk is not to be used.
    rebuild: bool,
}

/// Which rows a question asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Meta,
    Headers,
    Pages,
    State,
    Past,
    Wallet,
    Peers,
}

impl Node {
    /// Begins to read what is on disk; with `rebuild` all but the state.
    pub(crate) fn begin_opening(&mut self, rebuild: bool) {
        self.phase = Phase::Opening(Box::new(Opening { rebuild, damaged: rebuild, ..Opening::default() }));
        self.opening_load(Part::Meta, Query::prefix(Column::Meta, b"", META_ROWS));
        self.opening_load(Part::Pages, Query::prefix(Column::HeaderPages, b"", PAGE_ROWS));
        self.opening_load(Part::Headers, Query::prefix(Column::Headers, b"", HEADER_ROWS));
        if !rebuild {
            self.opening_load(Part::State, Query::prefix(Column::State, b"", STATE_CHUNKS));
            let replayed = Query::prefix(Column::Snapshots, rows::REPLAY_PREFIX, STATE_CHUNKS);
            self.opening_load(Part::Past, replayed);
            self.opening_load(Part::Wallet, Query::prefix(Column::Wallet, b"", META_ROWS));
            self.opening_load(Part::Peers, Query::prefix(Column::Peers, b"", PEER_ROWS));
        }
    }

    pub(crate) fn opening_loaded(&mut self, id: LoadId, part: Part, rows: Rows) {
        match part {
            Part::Wallet => self.wallet.restore(&rows),
            Part::Peers => self.restore_peers(&rows),
            Part::Meta | Part::Headers | Part::Pages | Part::State | Part::Past => {}
        }
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.outstanding.remove(&id);
        match part {
            Part::Meta => opening.meta.extend(rows.0),
            Part::State => opening.chunks = rows.0,
            Part::Past => opening.replayed = rows.0,
            Part::Headers => {
                if let Some(next) = opening.take_headers(rows) {
                    self.opening_load(Part::Headers, Query::range(Column::Headers, next, None, HEADER_ROWS));
                }
            }
            Part::Pages => {
                if let Some(next) = opening.take_pages(rows) {
                    self.opening_load(Part::Pages, Query::range(Column::HeaderPages, next, None, PAGE_ROWS));
                }
            }
            Part::Wallet | Part::Peers => {}
        }
        self.finish_opening();
    }

    fn opening_load(&mut self, part: Part, query: Query) {
        let id = self.load(Purpose::Open(part), query);
        if let Phase::Opening(opening) = &mut self.phase {
            opening.outstanding.insert(id);
        }
    }

    fn finish_opening(&mut self) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        if !opening.outstanding.is_empty() {
            return;
        }
        let mut opening = std::mem::take(&mut **opening);
        let genesis = self.config.spec.genesis_hash();
        let stored = opening.hash(rows::CHAIN);
        if stored.is_some_and(|stored| stored != genesis) {
            self.fatal(StoreError::Corrupt("the store belongs to another chain"));
            return;
        }
        self.chain = opening.chain(&self.config);
        self.restore_pages(&opening);
        self.restore_body_pages(&opening);
        self.pending.restore(opening.meta.get(rows::OWN_PENDING), opening.meta.get(rows::PENDING));
        self.index.clear();
        self.past = None;
        self.snapshots = Snapshots::default();
        self.pruning = Pruning::default();
        if opening.rebuild {
            // Chunks from another life must not mix with those of the next checkpoint.
            self.disk.clear(Column::State);
            self.disk.clear(Column::Index);
            self.disk.clear(Column::Snapshots);
            self.disk.put(Column::Meta, rows::CHECKPOINT, genesis.as_bytes().to_vec());
            self.disk.put(Column::Meta, rows::SNAPSHOTS, rows::hashes(&[]));
            self.disk.put(Column::Meta, rows::PAST, genesis.as_bytes().to_vec());
        } else {
            self.restore_snapshots(&opening);
            self.restore_past(&opening);
        }
        if stored.is_none() {
            self.disk.put(Column::Meta, rows::CHAIN, genesis.as_bytes().to_vec());
        }
        if opening.damaged {
            self.event(Event::Warning(Warning::Rebuilding));
        }
        self.phase = Phase::Running;
        self.tip_since = self.now;
        for input in opening.deferred.into_inputs() {
            self.dispatch(input);
        }
    }

    /// Takes back which header lies in which page. What is of no use there goes when the page is written next.
    fn restore_pages(&mut self, opening: &Opening) {
        self.header_pages = HeaderPages::default();
        for key in &opening.strays {
            self.disk.delete(Column::HeaderPages, key.as_slice());
        }
        for HeaderPage { number, headers, whole } in &opening.pages {
            let held = headers.iter().map(|(hash, _)| *hash).filter(|hash| self.chain.contains(hash));
            let held: Vec<_> = held.collect();
            let torn = !whole || held.len() < headers.len();
            self.header_pages.restore(*number, held, torn);
        }
    }

    /// Takes back which body lies in which page. After damage there may be pages that nobody knows of.
    fn restore_body_pages(&mut self, opening: &Opening) {
        self.body_pages = BodyPages::default();
        let headers = opening.pages.iter().flat_map(|page| &page.headers).chain(&opening.headers);
        for (hash, row) in headers.filter(|(hash, _)| self.chain.contains(hash)) {
            if let Some(below) = row.page_below {
                self.body_pages.restore(*hash, row.header.height(), below);
            }
        }
        if opening.damaged {
            for gap in self.body_pages.gaps() {
                self.disk.delete_range(Column::BodyPages, gap);
            }
        }
    }

    /// Takes back which states are kept for others.
    fn restore_snapshots(&mut self, opening: &Opening) {
        let kept = opening.meta.get(rows::SNAPSHOTS).and_then(|row| rows::read_hashes(row, KEPT));
        let kept = kept.unwrap_or_default().into_iter();
        let known = kept.filter_map(|hash| Some((self.chain.header(&hash)?.height(), hash)));
        self.snapshots.restore(known.collect());
    }

    /// Takes back what is left to be checked of the past. When that can't be told, all of it is checked again.
    fn restore_past(&mut self, opening: &Opening) {
        let (genesis, checkpoint) = (self.config.spec.genesis_hash(), self.chain.tip());
        let anchor = opening.hash(rows::PAST).or((checkpoint.hash != genesis).then_some(checkpoint.hash));
        let anchor = anchor.unwrap_or(genesis);
        let height = self.chain.header(&anchor).filter(|_| self.chain.is_active(&anchor)).map(Header::height);
        let anchor = height.map_or((checkpoint.height, checkpoint.hash), |height| (height, anchor));
        if opening.hash(rows::PAST) != Some(anchor.1) {
            self.disk.put(Column::Meta, rows::PAST, anchor.1.as_bytes().to_vec());
        }
        if anchor.1 == genesis {
            return;
        }
        let chunks = opening.replayed.iter().filter_map(|(key, row)| Some((*key.get(1)?, &row[..])));
        let replayed = opening.hash(rows::REPLAYED);
        let replay = replayed.and_then(|at| Replay::restore(&self.chain, &at, chunks).ok());
        let replay = replay.unwrap_or_else(|| {
            // Rows that lead nowhere must not mix with those to come.
            self.disk.delete_range(Column::Snapshots, rows::replay_range());
            Replay::genesis(&self.config.spec)
        });
        let written = replay.height();
        self.past = Some(Box::new(Past::new(replay, anchor, written)));
    }

    fn restore_peers(&mut self, rows: &Rows) {
        for (key, value) in &rows.0 {
            match (PeerId::new(key), GoodPeer::from_bytes(value)) {
                (Ok(id), Ok(good)) => self.book.remember(id, good),
                _ => self.disk.delete(Column::Peers, key.as_slice()),
            }
        }
        self.erase_forgotten();
    }
}

impl Opening {
    /// Takes headers in that lie one to a row; gives where the next ones begin, if there may be some.
    fn take_headers(&mut self, rows: Rows) -> Option<Vec<u8>> {
        let next = next_after(&rows, HEADER_ROWS);
        for (key, value) in rows.0 {
            match HeaderRow::read(&key, &value) {
                Some(row) => self.headers.push(row),
                None => self.damaged = true,
            }
        }
        next
    }

    /// Takes pages of headers in; gives where the next ones begin, if there may be some.
    fn take_pages(&mut self, rows: Rows) -> Option<Vec<u8>> {
        let next = next_after(&rows, PAGE_ROWS);
        for (key, value) in rows.0 {
            let page = HeaderPage::read(&key, &value);
            self.damaged |= page.as_ref().is_none_or(|page| !page.whole);
            match page {
                Some(page) => self.pages.push(page),
                None => self.strays.push(key),
            }
        }
        next
    }

    fn hash(&self, key: &[u8]) -> Option<BlockHash> {
        rows::read_hash(self.meta.get(key)?)
    }

    /// The chain at the checkpoint, or at the genesis if the state can't be trusted.
    fn chain(&mut self, config: &Config) -> Chain {
        let (spec, limits) = (&config.spec, config.limits.chain);
        let checkpoint = self.hash(rows::CHECKPOINT).filter(|hash| *hash != spec.genesis_hash());
        if let Some(checkpoint) = checkpoint.filter(|_| !self.rebuild) {
            if let Ok(chain) = self.build(config, Some(&checkpoint)) {
                return chain;
            }
            (self.rebuild, self.damaged) = (true, true);
        }
        self.build(config, None).unwrap_or_else(|_| Chain::with_limits(Arc::clone(spec), limits))
    }

    fn build(&self, config: &Config, checkpoint: Option<&BlockHash>) -> Result<Chain, RestoreError> {
        let mut builder = ChainBuilder::with_limits(Arc::clone(&config.spec), config.limits.chain);
        for (hash, row) in self.headers_in_order() {
            if !builder.header(row.header, *hash) {
                // Its parent's row was damaged: it is fetched again.
                continue;
            }
            if row.has_body {
                builder.body(hash);
            }
            if row.invalid {
                builder.invalid(hash);
            }
        }
        if checkpoint.is_some() {
            for (key, chunk) in &self.chunks {
                if let [prefix] = key[..] {
                    builder.chunk(prefix, chunk)?;
                }
            }
        }
        builder.build(checkpoint.unwrap_or(&config.spec.genesis_hash()))
    }

    /// The headers by height, the last active chain first at each, because the first seen wins a tie.
    fn headers_in_order(&self) -> Vec<&(BlockHash, HeaderRow)> {
        let paged = self.pages.iter().flat_map(|page| &page.headers);
        let mut headers: Vec<_> = paged.chain(&self.headers).collect();
        // Those of pages stand in order already, and a stable sort sees that.
        headers.sort_by_key(|(_, row)| row.header.height());
        let mut next = self.hash(rows::TIP);
        for same_height in
            headers.chunk_by_mut(|(_, one), (_, other)| one.header.height() == other.header.height()).rev()
        {
            if let Some(active) = same_height.iter().position(|(hash, _)| Some(*hash) == next) {
                same_height[..=active].rotate_right(1);
                next = Some(same_height[0].1.header.parent());
            }
        }
        headers
    }
}

/// Where the next rows begin after an answer that was as long as it may be.
fn next_after(rows: &Rows, most: u32) -> Option<Vec<u8>> {
    let last = rows.0.last().filter(|_| rows.0.len() == most as usize);
    last.map(|(key, _)| [&key[..], &[0]].concat())
}
