//! The node in its worker.

use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use js_sys::Function;
use serde::{Deserialize, Serialize};
use tabchain_consensus::{ChainSpec, Verdicts};
use tabchain_driver::{
    CheckOutcome, Checkers, CheckersLost, Driver, DriverEvent, Handle, Listener, Ports, Solution, SystemClock,
};
use tabchain_node::{
    Command, Config, Cursor, Event, JobId, PeerId, Reply, TransactionStatus, TransactionView,
};
use tabchain_primitives::codec::Decode;
use tabchain_store::IdbStore;
use tsify::Tsify;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessagePort;

use crate::error::{EdgeError, to_js};
use crate::news::News;
use crate::pipe::Pipe;
use crate::proof::{AccountProof, BlockProof};
use crate::request::{Request, random};
use crate::view::{Peer, Words, Workload};

/// How many of the swarm's events wait in this thread, and how many solutions and outcomes of checks.
const QUEUE: usize = 256;

/// What a node is opened with.
#[derive(Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostOptions {
    /// The chain: `dev` or `test`.
    pub network: String,
    /// The name of its database.
    pub name: String,
    /// The id of the swarm it is joined to.
    pub peer_id: String,
    /// How many checkers of signatures there are.
    pub checkers: u32,
    /// How to come to a chain that is far ahead; by snapshot, if left out.
    #[tsify(optional)]
    pub join: Option<Join>,
    /// Blocks between two snapshots that are kept for others; the usual, if left out.
    #[tsify(optional)]
    pub snapshot_blocks: Option<u32>,
    /// How many of the last blocks to keep in full; all, if left out.
    #[tsify(optional)]
    pub prune: Option<u32>,
}

/// How to come to a chain that is far ahead.
#[derive(Clone, Copy, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Join {
    Snapshot,
    Full,
}

/// Why checkers of signatures are of no more use.
#[derive(Clone, Copy, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Lost {
    NotStarted,
    Died,
    Silent,
}

/// A running node.
#[wasm_bindgen]
pub struct Host {
    words: Words,
    handle: Handle,
    solutions: Sender<Solution>,
    outcomes: Sender<CheckOutcome>,
    _pipe: Pipe,
}

#[wasm_bindgen]
impl Host {
    /// Opens the database as its only writer, and runs a node on it. Resolves once the node stands at a valid tip.
    ///
    /// `port` leads to the swarm; `listener` is told everything that happens.
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "HostOptions")] options: JsValue,
        port: MessagePort,
        #[wasm_bindgen(unchecked_param_type = "(news: News) => void")] listener: Function,
    ) -> Result<Host, JsValue> {
        Ok(Self::start(options, port, listener).await?)
    }

    /// Carries a request out.
    pub async fn call(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Request")] request: JsValue,
    ) -> Result<JsValue, JsValue> {
        // The future must not borrow this object: it may be freed while a call is under way.
        let (words, handle) = (self.words, self.handle.clone());
        Ok(carry_out(words, handle, request).await?)
    }

    /// A miner found this nonce for the job.
    pub fn solved(&self, job: u64, nonce: u64) {
        // A full queue holds solutions enough.
        self.solutions.try_send(Solution { job: JobId(job), nonce }).ok();
    }

    /// A checker carried an order out, and took so many milliseconds.
    pub fn checked(&self, number: u64, verdicts: &[u8], took: f64) {
        self.tell_outcome(match Verdicts::from_bytes(verdicts) {
            Ok(verdicts) => {
                let took = Duration::try_from_secs_f64(took / 1e3).unwrap_or_default();
                CheckOutcome::Checked { number, verdicts, took }
            }
            Err(_) => CheckOutcome::Lost(CheckersLost::Nonsense),
        });
    }

    /// The checkers are gone. What they were given is checked here.
    #[wasm_bindgen(js_name = lostCheckers)]
    pub fn lost_checkers(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Lost")] why: JsValue,
    ) -> Result<(), JsValue> {
        let why: Lost = serde_wasm_bindgen::from_value(why).map_err(EdgeError::from)?;
        self.tell_outcome(CheckOutcome::Lost(why.into()));
        Ok(())
    }

    /// How the time of this node went by since it was opened.
    #[wasm_bindgen(unchecked_return_type = "Workload")]
    pub fn workload(&self) -> JsValue {
        to_js(&Workload::from(self.handle.workload()))
    }

    async fn start(options: JsValue, port: MessagePort, listener: Function) -> Result<Self, EdgeError> {
        let options: HostOptions = serde_wasm_bindgen::from_value(options)?;
        let spec = ChainSpec::by_name(&options.network).ok_or(EdgeError::UnknownNetwork(options.network))?;
        let words = Words { prefix: spec.prefix() };
        let store = IdbStore::open_writer(&options.name).await?;
        let mut config = Config::new(Arc::new(spec), random()?);
        config.identity = Some(identity(&options.peer_id)?);
        config.limits.keep_bodies = options.prune;
        config.limits.snapshot_blocks = options.snapshot_blocks.unwrap_or(config.limits.snapshot_blocks);
        config.limits.join = match options.join {
            Some(Join::Full) => tabchain_node::Join::Full,
            Some(Join::Snapshot) | None => tabchain_node::Join::Snapshot,
        };

        let (net_commands, outgoing) = async_channel::bounded(tabchain_net::COMMANDS);
        let (incoming, net_events) = async_channel::bounded(QUEUE);
        let (mining_orders, orders) = async_channel::bounded(1);
        let (solutions, solved) = async_channel::bounded(QUEUE);
        let count = options.checkers as usize;
        let (check_orders, to_check) = async_channel::bounded(2 * count.max(1));
        let (outcomes, checked) = async_channel::bounded(QUEUE);
        let checkers = Some(Checkers { count, orders: check_orders, outcomes: checked });
        let ports = Ports { net_commands, net_events, mining_orders, solutions: solved, checkers };
        let pipe = Pipe::join(port, incoming, outgoing);
        let (driver, handle) = Driver::new(config, store.clone(), SystemClock, ports);

        let (events, opening) = (handle.events(), handle.events());
        let tell = move |news: News| {
            // What a listener throws is its own.
            listener.call1(&JsValue::NULL, &to_js(&news)).ok();
        };
        spawn_local(forward_events(events, tell.clone(), words));
        spawn_local(forward(orders, tell.clone()));
        spawn_local(forward(to_check, tell.clone()));
        spawn_local(async move {
            let ended = driver.run().await;
            store.close();
            tell(ended.into());
        });
        ready(opening).await?;
        Ok(Self { words, handle, solutions, outcomes, _pipe: pipe })
    }

    fn tell_outcome(&self, outcome: CheckOutcome) {
        // A full queue cannot be: an order has one outcome. A closed one is a node that has ended.
        self.outcomes.try_send(outcome).ok();
    }
}

impl From<Lost> for CheckersLost {
    fn from(why: Lost) -> Self {
        match why {
            Lost::NotStarted => Self::NotStarted,
            Lost::Died => Self::Died,
            Lost::Silent => Self::Silent,
        }
    }
}

async fn forward<T: Into<News>>(items: Receiver<T>, tell: impl Fn(News)) {
    while let Ok(item) = items.recv().await {
        tell(item.into());
    }
}

async fn forward_events(events: Listener, tell: impl Fn(News), words: Words) {
    while let Some(event) = events.next().await {
        tell(words.news(&event));
    }
}

/// Waits until the node stands at a valid tip, or says that it never will.
async fn ready(events: Listener) -> Result<(), EdgeError> {
    while let Some(event) = events.next().await {
        match event {
            DriverEvent::Node(Event::Ready) => return Ok(()),
            DriverEvent::Node(Event::Fatal(error)) => return Err(error.into()),
            _ => {}
        }
    }
    Err(tabchain_node::CommandError::Closed.into())
}

async fn carry_out(words: Words, handle: Handle, request: JsValue) -> Result<JsValue, EdgeError> {
    let request: Request = serde_wasm_bindgen::from_value(request)?;
    let older_than = match &request {
        Request::TransactionsOf { before: Some(id), .. } => Some(id.parse()?),
        _ => None,
    };
    let mut command = words.command(request)?;
    if let (Command::TransactionsOf { before, .. }, Some(id)) = (&mut command, older_than) {
        *before = match handle.call(Command::Transaction(id)).await? {
            Reply::Transaction(Some(view)) => cursor(&view),
            _ => None,
        };
    }
    Ok(reply(words, handle.call(command).await?))
}

/// Where a transaction stands in the history of its addresses. Pending ones come first, so there is no place before them.
fn cursor(view: &TransactionView) -> Option<Cursor> {
    match view.status {
        TransactionStatus::Confirmed { height, position, .. } => Some(Cursor { height, position }),
        TransactionStatus::Pending | TransactionStatus::Dropped => None,
    }
}

fn reply(words: Words, reply: Reply) -> JsValue {
    match reply {
        Reply::Done => JsValue::UNDEFINED,
        Reply::Status(status) => to_js(&words.status(&status)),
        Reply::Peers(peers) => list(&peers, |peer| Peer::from(peer)),
        Reply::Block(block) => optional(block.map(|block| words.block(&block))),
        Reply::Blocks(blocks) => list(&blocks, |block| words.summary(block)),
        Reply::Transaction(view) => optional(view.map(|view| words.transaction(&view))),
        Reply::Transactions(views) => list(&views, |view| words.transaction(view)),
        Reply::Account(account) => to_js(&words.account(&account)),
        Reply::AccountProof(proven) => to_js(&AccountProof::from(*proven)),
        Reply::BlockProof(proven) => optional(proven.map(|proven| BlockProof::from(*proven))),
        Reply::Wallet(wallet) => to_js(&words.wallet(&wallet)),
        Reply::Phrase(phrase) => JsValue::from_str(&phrase),
        Reply::Backup(bytes) => js_sys::Uint8Array::from(bytes.as_slice()).into(),
    }
}

fn list<T, View: Serialize>(items: &[T], view: impl Fn(&T) -> View) -> JsValue {
    to_js(&items.iter().map(view).collect::<Vec<_>>())
}

fn optional<View: Serialize>(view: Option<View>) -> JsValue {
    view.map_or(JsValue::NULL, |view| to_js(&view))
}

fn identity(text: &str) -> Result<PeerId, EdgeError> {
    let peer: libp2p_identity::PeerId = text.parse().map_err(|_| EdgeError::PeerId)?;
    PeerId::new(&peer.to_bytes()).map_err(|_| EdgeError::PeerId)
}
