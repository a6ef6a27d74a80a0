//! What the stories about one node share: who comes to it, what a newcomer says first, and a store that is empty.
#![allow(dead_code, unreachable_pub, reason = "each story takes what it needs of it")]

use tabchain_node::{ConnectionKind, Input, Node, Output, PeerId, PeerInfo};
use tabchain_primitives::{BlockHash, Height, Timestamp, Work};
use tabchain_records::Rows;
use tabchain_sync::{Hello, Keeps, LinkMessage, PROTOCOL_VERSION, TipClaim};

/// The peer of this name.
pub fn peer(name: impl AsRef<[u8]>) -> PeerId {
    PeerId::new(name.as_ref()).expect("a short name")
}

/// A direct connection about which nothing else is known.
pub const fn direct(outbound: bool) -> PeerInfo {
    PeerInfo { kind: ConnectionKind::Direct, outbound, address: None, introducer: None }
}

/// The hello of a peer that stands at the genesis, in the session with this number.
pub fn hello(genesis: BlockHash, session: u64, now: Timestamp) -> LinkMessage {
    let tip = TipClaim { hash: genesis, height: Height::GENESIS, work: Work::ZERO };
    let (version, keeps, agent) = (PROTOCOL_VERSION, Keeps::default(), String::new());
    LinkMessage::Hello(Hello { version, genesis, session, tip, keeps, time: now, agent })
}

/// Does what the node wants done, until it wants nothing more: its store is empty and takes everything at once, and
/// whatever is not for the store is for `other`, which may have an answer.
pub fn settle(node: &mut Node, now: Timestamp, mut other: impl FnMut(Output) -> Option<Input>) {
    while let Some(output) = node.poll() {
        let answer = match output {
            Output::Load(id, _) => Some(Input::Loaded(id, Rows::default())),
            Output::Commit(id, _) => Some(Input::Committed(id)),
            output => other(output),
        };
        if let Some(answer) = answer {
            node.handle(now, answer);
        }
    }
}
