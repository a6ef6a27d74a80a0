//! A stage with one node on it, the real one, to which everybody else is played.

use tabchain_node::{ConnectionKind, Input, Message, Node, Output, PeerId, PeerInfo};
use tabchain_primitives::{BlockHash, Height, Timestamp, Work};
use tabchain_sync::{Hello, Keeps, LinkMessage, PROTOCOL_VERSION, TipClaim};

/// A stage with one node on it.
pub trait OneNode {
    /// The node.
    fn node(&mut self) -> &mut Node;

    /// What time it is.
    fn now(&self) -> Timestamp;

    /// The node wants something done; gives the answer, if there is one at once.
    fn done(&mut self, output: Output) -> Option<Input>;

    /// Something happens to the node, and all that follows from it at once.
    fn give(&mut self, input: Input) {
        let now = self.now();
        self.node().handle(now, input);
        self.drain();
    }

    /// Does what the node wants done, until it wants nothing more.
    fn drain(&mut self) {
        while let Some(output) = self.node().poll() {
            if let Some(answer) = self.done(output) {
                let now = self.now();
                self.node().handle(now, answer);
            }
        }
    }

    /// A peer comes by a direct connection, and says where it stands on the chain with this genesis.
    fn meet(&mut self, peer: PeerId, genesis: BlockHash, tip: TipClaim) {
        let (kind, outbound) = (ConnectionKind::Direct, false);
        self.give(Input::PeerUp(peer, PeerInfo { kind, outbound, address: None, introducer: None }));
        let (version, session, keeps) = (PROTOCOL_VERSION, 1, Keeps::default());
        let (time, agent) = (self.now(), "played".into());
        self.say(peer, LinkMessage::Hello(Hello { version, genesis, session, tip, keeps, time, agent }));
    }

    /// A peer says something.
    fn say(&mut self, peer: PeerId, words: LinkMessage) {
        self.give(Input::Message(peer, Message::Link(words)));
    }
}

/// What a peer claims that has nothing but the genesis.
pub const fn at_genesis(genesis: BlockHash) -> TipClaim {
    TipClaim { hash: genesis, height: Height::GENESIS, work: Work::ZERO }
}
