//! The node itself: what it is made of, and the order in which one input is worked through.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;

use tabchain_chain::{Chain, Weighing};
use tabchain_mempool::Mempool;
use tabchain_primitives::{BlockHash, Height, Timestamp};
use tabchain_records::{Query, Rows, StoreError};
use tabchain_sync::bodies::BodyDownload;
use tabchain_sync::book::PeerBook;
use tabchain_sync::early::EarlyBlocks;
use tabchain_sync::headers::HeaderSync;
use tabchain_sync::held::HeldShares;
use tabchain_sync::requests::Requests;
use tabchain_sync::transactions::TransactionRelay;
use tabchain_sync::{PeerId, Rng};

use crate::adopt::Moved;
use crate::blocks::BlockCache;
use crate::body_pages::BodyPages;
use crate::clock::Clock;
use crate::dial::Dialling;
use crate::disk::Disk;
use crate::fetch::Asked;
use crate::headers::Heaviest;
use crate::index::Index;
use crate::join::Joining;
use crate::link::Told;
use crate::mining::Mining;
use crate::notice::Notices;
use crate::open::{Opening, Part};
use crate::pages::HeaderPages;
use crate::past::Past;
use crate::peers::Peer;
use crate::pending::Pending;
use crate::prune::Pruning;
use crate::query::{Lookup, QueryId};
use crate::serve::{Serving, ServingId};
use crate::snapshots::Snapshots;
use crate::store::Unwritten;
use crate::verify::{BlocksOut, Job};
use crate::wallet::WalletRoom;
use crate::withheld::Withheld;
use crate::{Command, CommandError, CommandId, Config, Event, Input, JobId, LoadId, Output, Reply};

/// A full node without a clock, a network or a disk of its own.
#[derive(Debug)]
pub struct Node {
    pub(crate) config: Config,
    pub(crate) phase: Phase,
    pub(crate) clock: Clock,
    /// The node's own time; the time of day is the clock's.
    pub(crate) now: Timestamp,
    pub(crate) rng: Rng,
    outputs: VecDeque<Output>,
    wake: Option<Timestamp>,

    pub(crate) chain: Chain,
    pub(crate) mempool: Mempool,
    pub(crate) blocks: BlockCache,
    pub(crate) index: Index,
    pub(crate) moved: Moved,
    pub(crate) pending: Pending,
    /// The steps of the last run are repeated, or there were none.
    pub(crate) ready: bool,
    pub(crate) tip_since: Timestamp,

    pub(crate) disk: Disk,
    pub(crate) header_pages: HeaderPages,
    pub(crate) body_pages: BodyPages,
    pub(crate) loads: BTreeMap<LoadId, Purpose>,
    next_load: u64,
    /// Blocks whose body or step back is being read.
    pub(crate) reading: BTreeSet<BlockHash>,
    pub(crate) unwritten: Unwritten,
    /// Heights whose steps back were passed without being written.
    pub(crate) no_undo: Option<RangeInclusive<Height>>,

    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Blocks among them.
    pub(crate) blocks_out: BlocksOut,
    next_job: u64,

    pub(crate) peers: BTreeMap<PeerId, Peer>,
    pub(crate) dialling: Dialling,
    /// Keeps others from knowing whose place is protected.
    pub(crate) place_salt: u64,
    pub(crate) book: PeerBook,
    pub(crate) requests: Requests<Asked>,
    pub(crate) headers: HeaderSync<Weighing>,
    pub(crate) heaviest: Heaviest,
    pub(crate) bodies: BodyDownload,
    pub(crate) withheld: Withheld,
    pub(crate) joining: Joining,
    /// What lies below the block that the node joined at, until it is checked.
    pub(crate) past: Option<Box<Past>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) pruning: Pruning,
    pub(crate) relay: TransactionRelay,
    pub(crate) held: HeldShares,
    pub(crate) early: EarlyBlocks,
    pub(crate) told: Told,
    pub(crate) serving: BTreeMap<ServingId, Serving>,
    pub(crate) next_serving: u64,

    pub(crate) queries: BTreeMap<QueryId, Lookup>,
    pub(crate) next_query: u64,
    pub(crate) mining: Mining,
    pub(crate) wallet: WalletRoom,
    pub(crate) notices: Notices,
}

#[derive(Debug)]
pub(crate) enum Phase {
    Opening(Box<Opening>),
    Running,
    /// Writing the last batch; then the command is answered.
    Closing,
    Closed,
}

/// What a question to the store is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    Open(Part),
    Bodies(Vec<BlockHash>),
    Undo(BlockHash),
    Past(Vec<BlockHash>),
    Serve(ServingId),
    Query(QueryId),
}

impl Node {
    /// Opens a node. It asks for what is on disk at once: drain its outputs.
    pub fn open(config: Config) -> Self {
        let mut node = Self {
            phase: Phase::Closed,
            clock: Clock::default(),
            now: Timestamp::ZERO,
            rng: Rng::new(config.seed),
            outputs: VecDeque::new(),
            wake: None,
            chain: Chain::with_limits(Arc::clone(&config.spec), config.limits.chain),
            mempool: Mempool::new(tabchain_mempool::Limits::default()),
            blocks: BlockCache::new(config.limits.block_bytes),
            index: Index::default(),
            moved: Moved::default(),
            pending: Pending::default(),
            ready: false,
            tip_since: Timestamp::ZERO,
            disk: Disk::default(),
            header_pages: HeaderPages::default(),
            body_pages: BodyPages::default(),
            loads: BTreeMap::new(),
            next_load: 0,
            reading: BTreeSet::new(),
            unwritten: Unwritten::default(),
            no_undo: None,
            jobs: BTreeMap::new(),
            blocks_out: BlocksOut::default(),
            next_job: 0,
            peers: BTreeMap::new(),
            dialling: Dialling::default(),
            place_salt: 0,
            book: PeerBook::default(),
            requests: Requests::default(),
            headers: HeaderSync::default(),
            heaviest: Heaviest::default(),
            bodies: BodyDownload::default(),
            withheld: Withheld::default(),
            joining: Joining::default(),
            past: None,
            snapshots: Snapshots::default(),
            pruning: Pruning::default(),
            relay: TransactionRelay::default(),
            held: HeldShares::default(),
            early: EarlyBlocks::default(),
            told: Told::default(),
            serving: BTreeMap::new(),
            next_serving: 0,
            queries: BTreeMap::new(),
            next_query: 0,
            mining: Mining::default(),
            wallet: WalletRoom::default(),
            notices: Notices::default(),
            config,
        };
        node.place_salt = node.rng.draw();
        node.begin_opening(false);
        node
    }

    /// Takes one thing that happened at `now`. Everything that follows from it comes out of [`Node::poll`].
    ///
    /// `now` is the time of day. It may be less than it was: a clock that is put back, or forth, holds nothing up.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.handle_all(now, [input]);
    }

    /// Takes things that happened one after the other, of which `now` is the last moment. What the node does about where they
    /// lead, it does once and not after each.
    pub fn handle_all(&mut self, now: Timestamp, inputs: impl IntoIterator<Item = Input>) {
        self.set_clock(now);
        if self.wake.is_some_and(|at| at <= self.now) {
            self.wake = None;
        }
        for input in inputs {
            // A tick uses up the moment that was asked for, even if it comes before: by a clock that was put back, it may.
            if matches!(input, Input::Tick) {
                self.wake = None;
            }
            self.dispatch(input);
        }
        if matches!(self.phase, Phase::Running) {
            self.settle();
        }
        self.flush_if_due();
        self.set_wake();
    }

    fn set_clock(&mut self, now: Timestamp) {
        let back = self.clock.set(now);
        self.now = self.clock.own();
        if back > 0 {
            self.wake = None;
            self.peers_are_ahead(back);
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn dispatch(&mut self, input: Input) {
        match (&self.phase, input) {
            (Phase::Opening(_) | Phase::Running, Input::Loaded(id, rows)) => self.loaded(id, Ok(rows)),
            (Phase::Opening(_) | Phase::Running, Input::LoadFailed(id, error)) => self.loaded(id, Err(error)),
            (Phase::Closing | Phase::Closed, Input::Command(id, _)) => {
                self.reply(id, Err(CommandError::Closed));
            }
            (Phase::Opening(_), Input::Command(id, Command::Close)) => {
                self.phase = Phase::Closed;
                self.reply(id, Ok(Reply::Done));
            }
            (_, Input::Committed(id)) => self.committed(id),
            (_, Input::CommitFailed(id, error)) => self.commit_failed(id, error),
            (Phase::Opening(_), Input::Tick) | (Phase::Closing | Phase::Closed, _) => {}
            (Phase::Opening(_), input) => self.defer(input),
            (Phase::Running, input) => self.run(input),
        }
    }

    fn run(&mut self, input: Input) {
        match input {
            Input::PeerUp(peer, info) => self.peer_up(peer, info),
            Input::PeerDown(peer) => self.peer_down(&peer),
            Input::Discovered(peer, addresses) => self.discovered(peer, addresses),
            Input::Woke => self.book.hurry(self.now),
            Input::Message(peer, message) => self.message(peer, message),
            Input::Command(id, command) => self.command(id, command),
            Input::Verified(job, verdict) => self.verified(job, verdict),
            Input::Mined(job, nonce) => self.mined(job, nonce),
            Input::Tick
            | Input::Loaded(..)
            | Input::LoadFailed(..)
            | Input::Committed(_)
            | Input::CommitFailed(..) => {}
        }
    }

    /// Does all that the present state calls for. Doing it twice changes nothing.
    fn settle(&mut self) {
        self.expire_requests();
        self.retry_early_blocks();
        self.advance();
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.watch_bodies();
        self.ask_for_headers();
        self.join();
        self.check_past();
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.ask_for_bodies();
        self.ask_for_transactions();
        self.go_on_with_snapshot();
        self.prune();
        self.watch_peers();
        self.dial();
        self.tell_owed_tip();
        self.tell_transactions();
        self.store_pending();
        self.refresh_mining();
        self.notice();
    }

    fn loaded(&mut self, id: LoadId, answer: Result<Rows, StoreError>) {
        let Some(purpose) = self.loads.remove(&id) else { return };
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) if error.is_fatal() || matches!(purpose, Purpose::Open(_)) => {
                return self.fatal(error);
            }
            Err(_) => Rows::default(),
        };
        match purpose {
            Purpose::Open(part) => self.opening_loaded(id, part, rows),
            Purpose::Bodies(hashes) => self.bodies_loaded(&hashes, &rows),
            Purpose::Undo(hash) => self.undo_loaded(&hash, rows),
            Purpose::Past(hashes) => self.past_loaded(&hashes, &rows),
            Purpose::Serve(serving) => self.serving_loaded(serving, rows),
            Purpose::Query(query) => self.query_loaded(query, id, &rows),
        }
    }

    fn command(&mut self, id: CommandId, command: Command) {
        match command {
            Command::Status => {
                let status = Box::new(self.status());
                self.reply(id, Ok(Reply::Status(status)));
            }
            Command::Peers => {
                let peers = self.peers.keys().filter_map(|id| self.peer_status(id)).collect();
                self.reply(id, Ok(Reply::Peers(peers)));
            }
            Command::SendTransaction(transaction) => self.send_transaction(id, *transaction),
            Command::StartMining { to } => {
                self.start_mining(to);
                self.reply(id, Ok(Reply::Done));
            }
            Command::StopMining => {
                self.stop_mining();
                self.reply(id, Ok(Reply::Done));
            }
            Command::Close => self.close(id),
            Command::Block(_)
            | Command::BlockAt(_)
            | Command::LatestBlocks { .. }
            | Command::Transaction(_)
            | Command::TransactionsOf { .. }
            | Command::Account(_)
            | Command::AccountProof(_)
            | Command::BlockProof(_)
            | Command::Mempool { .. } => self.explore(id, &command),
            Command::WalletState
            | Command::WalletCreate { .. }
            | Command::WalletRestore { .. }
            | Command::WalletUnlock { .. }
            | Command::WalletLock
            | Command::WalletAddAccount { .. }
            | Command::WalletSend { .. }
            | Command::WalletAnchor { .. }
            | Command::WalletExport
            | Command::WalletImport { .. }
            | Command::WalletForget => self.wallet_command(id, command),
        }
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.emit(Output::Event(event));
    }

    pub(crate) fn reply(&mut self, id: CommandId, reply: Result<Reply, CommandError>) {
        self.emit(Output::Reply(id, reply));
    }

    pub(crate) fn load(&mut self, purpose: Purpose, query: Query) -> LoadId {
        let id = LoadId(self.next_load);
        self.next_load += 1;
        self.loads.insert(id, purpose);
        self.emit(Output::Load(id, query));
        id
    }

    pub(crate) fn new_job(&mut self) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        id
    }

    /// The store is of no more use.
    pub(crate) fn fatal(&mut self, error: StoreError) {
        self.phase = Phase::Closed;
        self.event(Event::Fatal(error));
    }

    fn set_wake(&mut self) {
        let wake = match self.phase {
            Phase::Running => self.next_moment(),
            Phase::Closing => self.disk.deadline(self.pace()),
            Phase::Opening(_) | Phase::Closed => None,
        };
        if let Some(at) = wake
            && self.wake != Some(at)
        {
            self.emit(Output::WakeAt(self.clock.day_at(at)));
        }
        self.wake = wake;
    }

    /// Whether there is work that was only put off to let other inputs in between.
    fn has_work_at_hand(&self) -> bool {
        self.past_may_go_on() || self.can_write_snapshot() || self.may_prune()
    }

    /// When something is due though nothing happens.
    fn next_moment(&self) -> Option<Timestamp> {
        [
            self.chain.next_step().filter(|_| self.may_step()).map(|_| self.now),
            self.has_work_at_hand().then_some(self.now),
            self.next_telling(),
            self.next_joining_moment(),
            self.requests.deadline(),
            self.early.next().map(|at| self.clock.own_at(at)),
            self.next_header_moment(),
            self.next_withheld_moment(),
            self.disk.deadline(self.pace()),
            self.next_peer_moment(),
            self.next_dial_moment(),
            self.next_relay_moment(),
            self.next_pending_moment(),
            self.next_mining_moment(),
            self.next_notice_moment(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
