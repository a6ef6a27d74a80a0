//! Asking peers for headers: first what their chains weigh, then, of the heaviest, the headers themselves.
//!
//! An answer that is not full shows the end of a peer's chain. If that is all there is and it has more work than our best
//! chain, it is taken in at once. A chain of more than one answer is weighed to its end first, and nothing of it kept; the
//! heaviest that was weighed is then fetched again, from everybody who has it, and kept as it comes. What has less work
//! than our best chain is never kept, however long it is. Of one chain at a time the beginning is held meanwhile
//! ([`beginning`](crate::beginning)), so that no more than the rest of it must come twice.
//!
//! Bounds: chains being weighed in `tabchain_sync::headers`, of 36 bytes for 2,000 headers each; one more that was
//! weighed and waits, one that is being fetched (`tabchain_sync::branch`); one beginning. What is kept has been proven to
//! be worth it.

use tabchain_chain::{Inserted, Stretch, WeighError, Weighing};
use tabchain_primitives::{BlockHash, Header, Timestamp, Work};
use tabchain_sync::branch::{BranchDownload, Given, StretchPlan, WINDOW};
use tabchain_sync::headers::{Bar, Before};
use tabchain_sync::message::MAX_HEADERS;
use tabchain_sync::score::Fault;
use tabchain_sync::{PeerId, Request, TipClaim};

use crate::beginning::Beginning;
use crate::fetch::{Asked, PATIENCE_MS};
use crate::node::Node;

/// A peer that did not answer is asked for headers again after so long.
const RETRY_MS: u64 = 30_000;
/// The heaviest chain so far waits at most so long for peers that claim to have one much heavier.
const HOLD_MS: u64 = 60_000;

/// The heaviest chain that was weighed and is not here yet.
#[derive(Debug, Default)]
pub(crate) struct Heaviest {
    proven: Option<Proven>,
    branch: Option<BranchDownload>,
    /// Of a chain that is being weighed, or was.
    beginning: Beginning,
}

#[derive(Debug)]
struct Proven {
    weighing: Weighing,
    shown_by: PeerId,
    since: Timestamp,
}

impl Heaviest {
    /// The end of the chain that was weighed, if there is one.
    fn end(&self) -> Option<TipClaim> {
        let proven = self.proven.as_ref().map(|proven| claim_of(&proven.weighing));
        let branch = self.branch.as_ref().map(|branch| *branch.end());
        proven.into_iter().chain(branch).max_by_key(|claim| claim.work)
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let proven = self.proven.as_ref().map_or(0, |proven| proven.weighing.bytes());
        proven + self.branch.as_ref().map_or(0, BranchDownload::bytes) + self.beginning.bytes()
    }

    /// The most bytes held.
    pub(crate) const fn max_bytes() -> usize {
        2 * Weighing::max_bytes() + WINDOW * MAX_HEADERS * size_of::<Header>() + Beginning::max_bytes()
    }

    /// Whether headers are being fetched or waited for.
    pub(crate) const fn is_coming(&self) -> bool {
        self.proven.is_some() || self.branch.is_some()
    }
}

impl Node {
    /// Asks whoever claims a better chain, and for what is to be kept of the heaviest.
    pub(crate) fn ask_for_headers(&mut self) {
        if !self.disk.has_room() {
            return;
        }
        self.begin_branch();
        self.fetch_branch();
        if !self.needs_beginning() {
            self.heaviest.beginning = Beginning::default();
        }
        loop {
            let bar = self.bar();
            let chain = &self.chain;
            let next = self.headers.next(self.now, &bar, |hash| chain.contains(hash));
            let Some((peer, weighing)) = next else { return };
            let locator = match weighing {
                Some(weighing) => {
                    let from = chain.locator(weighing.from());
                    std::iter::once(*weighing.end()).chain(from).collect()
                }
                None => chain.locator(&chain.best_header().hash),
            };
            self.ask_headers_of(peer, locator, MAX_HEADERS, Asked::Headers);
        }
    }

    /// When a chain that was weighed has waited long enough, for others or for its headers.
    pub(crate) fn next_header_moment(&self) -> Option<Timestamp> {
        let held = self.heaviest.proven.as_ref().filter(|_| self.heaviest.branch.is_none());
        let held = held.map(|proven| proven.since.saturating_add(HOLD_MS));
        let deadline = self.heaviest.branch.as_ref().map(BranchDownload::deadline);
        let moments = [held, deadline, self.headers.next_try(self.now)].into_iter().flatten();
        moments.filter(|at| *at > self.now).min()
    }

    /// A peer left.
    pub(crate) fn header_peer_left(&mut self, peer: &PeerId) {
        self.headers.left(peer);
        if let Some(branch) = &mut self.heaviest.branch {
            branch.left(peer);
        }
    }

    pub(crate) fn no_headers(&mut self, peer: &PeerId) {
        self.headers.wait(peer, self.now.saturating_add(RETRY_MS));
    }

    pub(crate) fn no_stretch(&mut self, peer: &PeerId, number: usize) {
        self.no_headers(peer);
        if let Some(branch) = &mut self.heaviest.branch {
            branch.failed(peer, number);
        }
    }

    /// An answer that shows more of a peer's chain.
    pub(crate) fn headers_came(&mut self, peer: PeerId, headers: &[Header]) {
        let before = match self.headers.take(&peer) {
            Before::Nothing => None,
            Before::Weighed(weighing) => Some(weighing),
            Before::GivenUp => return,
        };
        let known = if before.is_none() { self.known_beginning(headers) } else { 0 };
        let (known, new) = headers.split_at(known);
        let from = known.last().map_or_else(|| new.first().map(Header::parent), |last| Some(last.hash()));
        let from = from.unwrap_or_else(|| self.chain.best_header().hash);
        let Some(mut weighing) = before.or_else(|| self.chain.weigh_from(&from)) else {
            return self.leads_nowhere(&peer, &from);
        };
        let elsewhere = new
            .first()
            .is_some_and(|first| first.parent() != *weighing.end() && self.chain.contains(&first.parent()));
        match weighing.add(&self.config.spec, new, self.clock.day()) {
            Ok(()) => {
                self.hold(&weighing, new);
                if headers.len() == MAX_HEADERS {
                    self.headers.goes_on(&peer, weighing, self.now);
                } else {
                    self.end_seen(peer, weighing, new);
                }
            }
            // What is from the future is not held against the sender, and what lies below it counts.
            Err(WeighError::TooEarly { at }) => {
                if weighing.work() > self.chain.best_header().work {
                    self.end_seen(peer, weighing, new);
                } else if weighing.stretches().len() > 1 {
                    self.headers.begin_anew(&peer, self.now);
                }
                self.headers.wait(&peer, self.clock.own_at(at));
            }
            // The peer has moved to another chain in the meantime.
            Err(WeighError::Detached) if elsewhere => self.headers.begin_anew(&peer, self.now),
            Err(WeighError::TooLong) => self.headers.begin_anew(&peer, self.now),
            Err(WeighError::Detached | WeighError::Rule(_)) => self.dishonest_headers(&peer),
        }
    }

    /// A stretch of the chain that was weighed, or something else.
    pub(crate) fn stretch_came(&mut self, peer: PeerId, number: usize, headers: Vec<Header>) {
        self.headers.helped(&peer);
        let Some(branch) = &mut self.heaviest.branch else { return };
        if branch.answered(peer, number, headers, self.now) == Given::Changed {
            self.blame(&peer, Fault::OtherHeaders);
        }
        self.keep_stretches();
    }

    /// Holds what was just weighed, if it is of the chain whose beginning is held, or of a first one.
    fn hold(&mut self, weighing: &Weighing, newest: &[Header]) {
        let begins = weighing.stretches().len() == 1;
        let is_short = newest.len() < MAX_HEADERS;
        if !begins || !is_short && !self.needs_beginning() {
            self.heaviest.beginning.add(weighing, newest);
        }
    }

    /// Whether the chain whose beginning is held may still turn out to be the heaviest.
    fn needs_beginning(&self) -> bool {
        let Heaviest { proven, beginning, .. } = &self.heaviest;
        let proven = proven.as_ref().map(|proven| &proven.weighing);
        self.headers.so_far().chain(proven).any(|weighing| beginning.is_of(weighing))
    }

    /// What a claim must be more than.
    fn bar(&self) -> Bar {
        let best = self.best_claim();
        self.heaviest.end().map_or_else(|| Bar::best(&best), |weighed| Bar::above(&best, &weighed))
    }

    /// How many of the first headers of an answer are here already.
    fn known_beginning(&self, headers: &[Header]) -> usize {
        headers.iter().take_while(|header| self.chain.contains(&header.hash())).count()
    }

    /// What a peer shows follows a block that is unknown, or invalid. Whoever joined above an invalid block may not know that yet.
    fn leads_nowhere(&mut self, peer: &PeerId, from: &BlockHash) {
        if self.chain.contains(from) {
            self.headers.seen(peer, Work::ZERO, false, self.now);
        } else {
            self.dishonest_headers(peer);
        }
    }

    fn dishonest_headers(&mut self, peer: &PeerId) {
        self.no_headers(peer);
        self.blame(peer, Fault::Dishonest);
    }

    /// The end of a peer's chain was seen: it is better than ours, or not.
    fn end_seen(&mut self, peer: PeerId, weighing: Weighing, last: &[Header]) {
        let work = weighing.work();
        let better = work > self.chain.best_header().work;
        if self.headers.seen(&peer, work, better, self.now) {
            self.blame(&peer, Fault::Noise);
        }
        if !better {
            return;
        }
        let all = match weighing.stretches() {
            [only] if self.heaviest.branch.is_none() => last.get(..only.count as usize),
            _ => None,
        };
        match all {
            Some(all) => self.keep_headers(&peer, weighing.from(), all),
            None => self.note_proven(peer, weighing),
        }
    }

    fn note_proven(&mut self, shown_by: PeerId, weighing: Weighing) {
        if self.heaviest.end().is_none_or(|heaviest| heaviest.work < weighing.work()) {
            self.heaviest.proven = Some(Proven { weighing, shown_by, since: self.now });
        }
    }

    /// Begins to fetch what was weighed, unless somebody claims to have much more, or what is being fetched is about as
    /// much.
    fn begin_branch(&mut self) {
        let Some(proven) = &self.heaviest.proven else { return };
        let (best, end) = (self.best_claim(), claim_of(&proven.weighing));
        if end.work <= best.work {
            self.heaviest.proven = None;
            return;
        }
        let fetching = self.heaviest.branch.as_ref().map(|branch| Bar::above(&best, branch.end()));
        if fetching.is_some_and(|bar| end.work <= bar.work) {
            return;
        }
        let rivalled =
            self.headers.is_rivalled(self.now, &Bar::above(&best, &end), |hash| self.chain.contains(hash));
        if rivalled && self.now.since(proven.since) < HOLD_MS {
            return;
        }
        self.end_branch();
        let Some(Proven { weighing, shown_by, .. }) = self.heaviest.proven.take() else { return };
        let Some(from) = self.chain.header(weighing.from()).copied() else { return };
        let stretches = weighing.stretches().iter().map(|&Stretch { end, count }| (end, count)).collect();
        let mut branch = BranchDownload::new(*weighing.from(), stretches, end, shown_by, self.now);
        let is_held = self.heaviest.beginning.is_of(&weighing);
        let held = if is_held { std::mem::take(&mut self.heaviest.beginning) } else { Beginning::default() };
        branch.skip(held.len());
        self.heaviest.branch = Some(branch);
        self.chain.expect_branch(weighing.from());
        if !self.insert_headers(held.headers_after(*weighing.from(), from.height())) {
            return self.give_up_branch();
        }
        self.keep_stretches();
    }

    /// Asks for stretches of the chain that is being fetched.
    fn fetch_branch(&mut self) {
        let Some(branch) = &mut self.heaviest.branch else { return };
        if branch.deadline() <= self.now {
            return self.give_up_branch();
        }
        let mut plans = Vec::new();
        for peer in self.headers.helpers(self.now, branch.end(), branch.shown_by()) {
            let Some(plan) = branch.plan(peer) else { continue };
            self.headers.helps(&peer);
            plans.push((peer, plan));
        }
        let from = *branch.from();
        for (peer, StretchPlan { number, after, count }) in plans {
            let locator = std::iter::once(after).chain(self.chain.locator(&from)).collect();
            self.ask_headers_of(peer, locator, count as usize, Asked::Stretch(number));
        }
    }

    /// Takes in the stretches whose turn it is.
    fn keep_stretches(&mut self) {
        while let Some(headers) = self.heaviest.branch.as_mut().and_then(BranchDownload::take) {
            if !self.insert_headers(with_hashes(&headers)) {
                return self.give_up_branch();
            }
        }
        if self.heaviest.branch.as_ref().is_some_and(BranchDownload::is_done) {
            self.end_branch();
        }
    }

    /// Nobody gives what was weighed, or it is not worth it any more.
    fn give_up_branch(&mut self) {
        if let Some(branch) = &self.heaviest.branch {
            self.headers.begin_anew(branch.shown_by(), self.now);
        }
        self.end_branch();
    }

    fn end_branch(&mut self) {
        if self.heaviest.branch.take().is_some() {
            self.chain.end_branch();
            self.delete_evicted();
        }
    }

    /// Takes in headers of one answer that make a better chain than ours.
    fn keep_headers(&mut self, peer: &PeerId, from: &BlockHash, headers: &[Header]) {
        self.chain.expect_branch(from);
        self.insert_headers(with_hashes(headers));
        self.chain.end_branch();
        self.delete_evicted();
        self.note_first_with_block(peer);
    }

    fn insert_headers(&mut self, mut headers: impl Iterator<Item = (BlockHash, Header)>) -> bool {
        headers.all(|(hash, header)| {
            let inserted = self.insert_header(header, &hash);
            matches!(inserted, Ok(Inserted::New | Inserted::Known))
        })
    }

    fn ask_headers_of(&mut self, peer: PeerId, locator: Vec<BlockHash>, limit: usize, note: Asked) {
        let limit = u32::try_from(limit).expect("a small number");
        self.ask(peer, Request::Headers { locator, limit }, note, PATIENCE_MS);
    }
}

fn with_hashes(headers: &[Header]) -> impl Iterator<Item = (BlockHash, Header)> {
    headers.iter().map(|header| (header.hash(), *header))
}

fn claim_of(weighing: &Weighing) -> TipClaim {
    TipClaim { hash: *weighing.end(), height: weighing.height(), work: weighing.work() }
}
