//! What peers do: they come, claim, tell, ask and answer, truly or not, and go.

use tabchain_chain::Prefix;
use tabchain_node::Input;
use tabchain_primitives::{BlockHash, Decode, Encode, U256, Work};
use tabchain_sync::{
    Body, Chunk, CompactBlock, ConnectionKind, Failure, Hello, Keeps, LinkMessage, Message, PROTOCOL_VERSION,
    PeerAddress, PeerInfo, Request, RequestId, Response, TipClaim,
};

use super::super::{
    bytes::Choices,
    decoders::body,
    world::{BLOCKS, LONG, SERVED, payments, spec},
};
use super::{World, peer, pick};

/// Whoever claims this block or a later one has the long chain.
const LONG_FROM: u8 = 250;

impl World {
    pub(super) fn greet(&mut self, who: u8) {
        let address = PeerAddress::new(format!("/memory/{who}")).expect("short");
        let kind =
            [ConnectionKind::Direct, ConnectionKind::Relayed, ConnectionKind::Native][usize::from(who % 3)];
        let info = PeerInfo { kind, outbound: who & 0x40 != 0, address: Some(address), introducer: None };
        self.give(Input::PeerUp(peer(who), info));
    }

    pub(super) fn claim(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, which, kind) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let tip = if which < LONG_FROM {
            self.boasters.remove(&peer(from));
            let (block, work) = pick(which);
            TipClaim { hash: block.hash(), height: block.header.height(), work: *work }
        } else {
            self.boasters.insert(peer(from));
            let end = LONG.last().expect("not empty");
            TipClaim { hash: end.hash(), height: end.height(), work: Work::new(U256::from(u64::MAX)) }
        };
        let said = match kind % 4 {
            0 => LinkMessage::Tip(tip),
            other => LinkMessage::Hello(Hello {
                version: PROTOCOL_VERSION,
                genesis: if other == 3 { BlockHash::ZERO } else { spec().genesis_hash() },
                session: other.into(),
                tip,
                keeps: Keeps::default(),
                time: self.now,
                agent: "fuzz".into(),
            }),
        };
        self.say(from, said);
        Some(())
    }

    pub(super) fn announce(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, which, damage) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let mut compact = CompactBlock::of(&pick(which).0, u64::from(damage));
        if damage & 1 == 1 {
            compact.header = compact.header.with_nonce(u64::from(damage));
        }
        if damage & 2 == 2 {
            compact.short_ids.pop();
        }
        self.say(from, LinkMessage::Block(Box::new(compact)));
        Some(())
    }

    /// The oldest question is answered as an honest peer would.
    pub(super) fn answer_truly(&mut self) {
        let Some((from, id, request)) = self.asked.pop_front() else { return };
        let known =
            |hash: &BlockHash| BLOCKS.all.iter().map(|(block, _)| block).find(|block| block.hash() == *hash);
        let main = BLOCKS.all[..BLOCKS.main].iter().map(|(block, _)| block.header);
        let response = match request {
            Request::Headers { locator, limit } if self.boasters.contains(&from) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let after = LONG.iter().position(|header| locator.contains(&header.hash()));
                let after = after.map_or(0, |at| at + 1);
                Response::Headers(LONG[after..].iter().take(limit).copied().collect())
            }
            Request::Headers { locator, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let after = main.clone().position(|header| locator.contains(&header.hash()));
                Response::Headers(main.skip(after.map_or(0, |at| at + 1)).take(limit).collect())
            }
            Request::Bodies(hashes) => {
                let bodies = hashes.iter().filter_map(known);
                Response::Bodies(
                    bodies.map(|block| Body { hash: block.hash(), bytes: body(block) }).collect(),
                )
            }
            Request::BlockTransactions { block, positions } => {
                let all = known(&block).map_or(&[][..], |block| &block.transactions);
                let wanted = positions.iter().filter_map(|at| all.get(usize::try_from(*at).ok()?));
                Response::BlockTransactions(wanted.cloned().collect())
            }
            Request::Transactions(ids) => {
                let held = (0..8).flat_map(payments);
                Response::Transactions(held.filter(|one| ids.contains(&one.unsigned().id())).collect())
            }
            Request::Snapshots => Response::Snapshots(vec![SERVED.tip().hash]),
            Request::StateChunks { block, first_bytes } if block == SERVED.tip().hash => {
                let chunk = |first_byte| SERVED.state_chunk(Prefix::byte(first_byte)).to_bytes();
                let chunk = |first_byte| Chunk { first_byte, bytes: chunk(first_byte) };
                Response::StateChunks(first_bytes.into_iter().map(chunk).collect())
            }
            Request::StateChunks { .. } => Response::StateChunks(Vec::new()),
        };
        self.give(Input::Message(from, Message::Response(id, response)));
    }

    pub(super) fn answer_anything(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let bytes = choices.run()?;
        if let (Ok(response), Some((from, id, _))) =
            (Response::from_bytes(bytes), self.asked.front().cloned())
        {
            self.asked.pop_front();
            self.give(Input::Message(from, Message::Response(id, response)));
        }
        Some(())
    }

    pub(super) fn refuse_answer(&mut self) {
        if let Some((from, id, _)) = self.asked.pop_front() {
            self.give(Input::Message(from, Message::RequestFailed(id, Failure::Timeout)));
        }
    }

    pub(super) fn say_anything(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, bytes) = (choices.byte()?, choices.run()?);
        if let Ok(message) = Message::from_bytes(bytes) {
            self.give(Input::Message(peer(from), message));
        }
        Some(())
    }

    pub(super) fn ask(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (from, kind, which) = (choices.byte()?, choices.byte()?, choices.byte()?);
        let block = &pick(which).0;
        let request = match kind % 6 {
            0 => Request::Headers { locator: vec![block.hash()], limit: u32::from(kind) },
            1 => Request::Bodies(vec![block.hash(); 1 + usize::from(kind / 4)]),
            2 => Request::BlockTransactions { block: block.hash(), positions: vec![0, u32::from(kind)] },
            3 => Request::Snapshots,
            4 => Request::StateChunks { block: block.hash(), first_bytes: vec![kind / 6, 255] },
            _ => Request::Transactions(block.transactions.iter().map(|one| one.unsigned().id()).collect()),
        };
        let id = RequestId(u64::from(which));
        self.give(Input::Message(peer(from), Message::Request(id, request)));
        Some(())
    }

    fn say(&mut self, from: u8, said: LinkMessage) {
        self.give(Input::Message(peer(from), Message::Link(said)));
    }

    pub(super) fn offer_transactions(&mut self, from: u8) {
        let ids = payments(u64::from(from % 8)).iter().map(|one| one.unsigned().id()).collect();
        self.say(from, LinkMessage::Transactions(ids));
    }

    pub(super) fn discover(&mut self, who: u8) {
        let address = PeerAddress::new(format!("/memory/{who}")).expect("short");
        self.give(Input::Discovered(peer(who), vec![address]));
    }

    /// Connections that the node wants closed, or that could not be opened, are gone.
    pub(super) fn hang_up(&mut self) {
        while let Some(peer) = self.gone.pop_front() {
            self.give(Input::PeerDown(peer));
        }
    }
}
