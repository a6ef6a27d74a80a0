//! What peers together can make a node hold: every part of it, with its bound, in one place.
//!
//! | Part | Bound |
//! |---|---|
//! | notes | what is remembered of peers and for them: the book, known ids and blocks, open questions |
//! | early | blocks from the future: [`MAX_EARLY`] frames |
//! | rebuilding | compact blocks being completed: [`MAX_REBUILDING_BYTES`] |
//! | serving | answers in the making: [`MAX_SERVING`] of a response's budget and one item above it |
//! | relayed | transactions whose signatures are out: [`MAX_RELAYED_BYTES`], and one answer |
//! | blocks | blocks whose signatures are out, and the answers that were asked for before there were too many |
//! | pool | the memory pool with its indexes: four times its bytes |
//! | headers | chains being weighed, and stretches of the heaviest that wait for their turn |
//!
//! What waits for the disk has its bound in `disk`, headers that are kept and states, which cost work, in `tabchain_chain`, and bytes on
//! their way to or from a peer in
//! the network layer. Figures are estimates of what is allocated: contents and tables, not the allocator's own.

use tabchain_chain::Weighing;
use tabchain_sync::bodies::{MAX_LACKS, MAX_OPEN};
use tabchain_sync::book::PeerBook;
use tabchain_sync::early::MAX_EARLY;
use tabchain_sync::headers::MAX_WEIGHED;
use tabchain_sync::message::{
    MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_LINK_BYTES, MAX_SNAPSHOTS, MAX_TRANSACTION_IDS, RESPONSE_BUDGET,
};
use tabchain_sync::requests::MAX_OPEN_PER_PEER;
use tabchain_sync::snapshot::{MAX_BATCHES, MAX_WITHDRAWN};
use tabchain_sync::transactions::TransactionRelay;

use crate::Config;
use crate::fetch::{Asked, MAX_REBUILDING_BYTES};
use crate::headers::Heaviest;
use crate::node::Node;
use crate::peers::{MAX_KNOWN_BLOCKS, Peer};
use crate::serve::{MAX_SERVING, Serving};
use crate::verify::{MAX_BLOCK_BYTES_OUT, MAX_RELAYED_BYTES};

/// A remembered hash stands in a set and in a queue.
const REMEMBERED: usize = 64;
/// Something decoded takes about twice its bytes.
const DECODED: usize = 2;
/// The memory pool's indexes come on top of its bytes.
const INDEXED: usize = 4;

/// Bytes held because of peers, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// What is remembered of peers and for them.
    pub notes: usize,
    /// Blocks from the future.
    pub early: usize,
    /// Compact blocks being completed.
    pub rebuilding: usize,
    /// Answers in the making.
    pub serving: usize,
    /// Transactions being verified.
    pub relayed: usize,
    /// Blocks being verified.
    pub blocks: usize,
    /// Pending transactions.
    pub pool: usize,
    /// Headers that are not kept, or not yet.
    pub headers: usize,
}

impl Holdings {
    /// The most that peers can make a node of this configuration hold, whatever they do.
    pub fn most(config: &Config) -> Self {
        let peers = config.limits.peers;
        let block = config.spec.max_block_bytes();
        // A question for headers names nothing, one for chunks a few bytes; all others name hashes.
        let naming = MAX_OPEN_PER_PEER - 1 - MAX_BATCHES;
        let questions =
            MAX_OPEN_PER_PEER * (size_of::<Asked>() + MAX_CHUNKS) + naming * MAX_TRANSACTION_IDS * REMEMBERED;
        let offers = MAX_SNAPSHOTS + MAX_WITHDRAWN;
        let noted = size_of::<Peer>() + (MAX_KNOWN_BLOCKS + MAX_LACKS + offers) * REMEMBERED + questions;
        Self {
            notes: PeerBook::max_bytes() + TransactionRelay::max_bytes(peers) + peers * noted,
            early: MAX_EARLY * MAX_LINK_BYTES * DECODED,
            rebuilding: MAX_REBUILDING_BYTES,
            serving: MAX_SERVING * (RESPONSE_BUDGET + block.max(MAX_CHUNK_BYTES)),
            relayed: (MAX_RELAYED_BYTES + RESPONSE_BUDGET) * DECODED,
            blocks: (MAX_BLOCK_BYTES_OUT + block + MAX_OPEN * (RESPONSE_BUDGET + block)) * DECODED,
            pool: tabchain_mempool::Limits::default().bytes * INDEXED,
            headers: (MAX_WEIGHED + 1) * Weighing::max_bytes() + Heaviest::max_bytes(),
        }
    }

    /// All together.
    pub fn total(&self) -> usize {
        self.parts().iter().sum()
    }

    /// Whether no part is above its bound.
    pub fn is_within(&self, most: &Self) -> bool {
        self.parts().iter().zip(most.parts()).all(|(held, most)| *held <= most)
    }

    fn parts(&self) -> [usize; 8] {
        [
            self.notes,
            self.early,
            self.rebuilding,
            self.serving,
            self.relayed,
            self.blocks,
            self.pool,
            self.headers,
        ]
    }
}

impl Node {
    /// What is held because of peers now.
    pub fn holdings(&self) -> Holdings {
        let rebuilding = self.requests.notes().map(|(_, asked)| asked.bytes());
        Holdings {
            notes: PeerBook::max_bytes() + self.relay.bytes() + self.peers.len() * size_of::<Peer>(),
            early: self.early.bytes() * DECODED,
            rebuilding: rebuilding.sum(),
            serving: self.serving.values().map(Serving::bytes).sum(),
            relayed: self.relayed_bytes() * DECODED,
            blocks: self.blocks_out.bytes * DECODED,
            pool: self.mempool.bytes() * INDEXED,
            headers: self.headers.so_far().map(Weighing::bytes).sum::<usize>() + self.heaviest.bytes(),
        }
    }
}
