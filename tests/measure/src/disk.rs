//! What lies on a node's disk once it has taken the whole chain in: found out by having the very node do it.
//!
//! The node is given one peer that answers its questions from the file. Its signatures are taken for checked here: whoever
//! loads the rows stands for a node that did check them, and the tab that is measured checks them all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tabchain_bench::peer::Peer;
use tabchain_consensus::{ChainSpec, Verdict};
use tabchain_node::{Command, CommandId, Config, Event, Input, Message, Node, Output, Reason};
use tabchain_primitives::{Header, Timestamp};
use tabchain_records::{Batch, Column, Query};
use tabchain_store::MemoryStore;

use crate::blocks;

const CLOSE: CommandId = CommandId(1);

/// A node, what it stores in, and what it is going to hear.
struct World {
    node: Node,
    store: MemoryStore,
    peer: Peer,
    now: Timestamp,
    wake: Option<Timestamp>,
    coming: VecDeque<Input>,
    closed: bool,
}

/// Writes the rows that a node keeps of a file of blocks, and the facts about it as JSON.
pub(crate) fn write(chain: &Path, rows: &Path, facts: &Path) -> Result<()> {
    let chain = blocks::read(chain)?;
    let (blocks, transactions) =
        (chain.len(), chain.iter().map(|block| block.transactions.len()).sum::<usize>());
    let tip = chain.last().context("a chain without blocks")?.clone();
    let peer = Peer::new(chain.iter());
    drop(chain);
    let bytes = peer.bytes();
    let mut world = World::new(peer);
    world.take_all(&tip.header)?;
    let (count, stored) = dump(&world.store, rows)?;
    let hash = tip.hash();
    let text = format!(
        "{{ \"blocks\": {blocks}, \"transactions\": {transactions}, \"bytes\": {bytes}, \"rows\": {count}, \
         \"stored\": {stored}, \"tip\": \"{hash}\" }}\n"
    );
    std::fs::write(facts, text).context("writing the facts")
}

impl World {
    fn new(peer: Peer) -> Self {
        Self {
            node: Node::open(Config::new(Arc::new(ChainSpec::dev()), [5; 32])),
            store: MemoryStore::new(),
            now: peer.present(),
            peer,
            wake: None,
            coming: VecDeque::new(),
            closed: false,
        }
    }

    /// Has the node fetch everything up to this header, and close.
    fn take_all(&mut self, tip: &Header) -> Result<()> {
        self.carry_out(tip)?;
        self.coming.extend(self.peer.arrives(&ChainSpec::dev(), self.peer.blocks(), self.now));
        while !self.closed {
            let input = self.coming.pop_front().or_else(|| self.sleep()).context("the node is stuck")?;
            self.node.handle(self.now, input);
            self.carry_out(tip)?;
        }
        Ok(())
    }

    /// Nothing is going on: the time comes for which the node wanted to be woken.
    fn sleep(&mut self) -> Option<Input> {
        self.now = self.now.max(self.wake.take()?);
        Some(Input::Tick)
    }

    fn carry_out(&mut self, tip: &Header) -> Result<()> {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Commit(id, batch) => {
                    self.store.commit_now(batch)?;
                    self.coming.push_back(Input::Committed(id));
                }
                Output::Load(id, query) => {
                    let rows = self.store.load_now(&query)?;
                    self.coming.push_back(Input::Loaded(id, rows));
                }
                Output::Verify(job, _) => self.coming.push_back(Input::Verified(job, Verdict::AllValid)),
                Output::Send(to, Message::Request(id, request)) => {
                    let answer = Message::Response(id, self.peer.answer(request, self.peer.blocks()));
                    self.coming.push_back(Input::Message(to, answer));
                }
                Output::Event(Event::Head { hash, .. }) if hash == tip.hash() => {
                    self.coming.push_back(Input::Command(CLOSE, Command::Close));
                }
                Output::Event(Event::Fatal(error)) => return Err(error.into()),
                Output::Disconnect(_, reason) if !matches!(reason, Reason::Closing) => {
                    bail!("the node sent its peer away: {reason}")
                }
                Output::Reply(CLOSE, reply) => {
                    reply?;
                    self.closed = true;
                }
                Output::WakeAt(at) => self.wake = Some(at),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes every row: its column as a byte, then key and value, each after its length. Gives how many, and their bytes.
fn dump(store: &MemoryStore, file: &Path) -> Result<(usize, usize)> {
    let mut out = BufWriter::new(File::create(file).context("creating the file of rows")?);
    let (mut count, mut bytes) = (0, 0);
    for column in Column::ALL {
        for (key, value) in store.load_now(&Query::prefix(column, b"", u32::MAX))?.0 {
            out.write_all(&[u8::try_from(column.index())?])?;
            for part in [key, value] {
                out.write_all(&u32::try_from(part.len())?.to_le_bytes())?;
                out.write_all(&part)?;
                bytes += part.len();
            }
            count += 1;
        }
    }
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok((count, bytes))
}

/// Has a node open on a file of rows, and says how long it takes to stand at its tip. No store is faster than memory, so this is
/// what the node itself does.
pub(crate) fn open(rows: &Path) -> Result<()> {
    let store = load(rows)?;
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        let mut node = Node::open(Config::new(Arc::new(ChainSpec::dev()), [6; 32]));
        let (mut now, mut wake, mut coming) = (Timestamp::from_millis(u64::MAX / 4), None, VecDeque::new());
        let mut ready = false;
        while !ready {
            while let Some(output) = node.poll() {
                match output {
                    Output::Load(id, query) => coming.push_back(Input::Loaded(id, store.load_now(&query)?)),
                    Output::Commit(id, _) => coming.push_back(Input::Committed(id)),
                    Output::Event(Event::Ready) => ready = true,
                    Output::WakeAt(at) => wake = Some(at),
                    _ => {}
                }
            }
            let input = coming.pop_front().or_else(|| {
                now = now.max(wake.take()?);
                Some(Input::Tick)
            });
            if !ready {
                node.handle(now, input.context("the node is stuck")?);
            }
        }
        println!("{} ms", begun.elapsed().as_millis());
    }
    Ok(())
}

/// Reads what [`dump`] wrote.
fn load(file: &Path) -> Result<MemoryStore> {
    let bytes = std::fs::read(file).context("reading the file of rows")?;
    let store = MemoryStore::new();
    let mut batch = Batch::default();
    let mut left = &bytes[..];
    while let Some((&column, rest)) = left.split_first() {
        let (key, rest) = part(rest).context("a row is cut short")?;
        let (value, rest) = part(rest).context("a row is cut short")?;
        let column = *Column::ALL.get(usize::from(column)).context("no such column")?;
        batch.put(column, key, value.to_vec());
        left = rest;
    }
    store.commit_now(batch)?;
    Ok(store)
}

/// A part after its length, and what follows.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mined_chain_becomes_the_rows_of_a_node_at_its_tip() {
        let folder = std::env::temp_dir().join(format!("tabchain-measure-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let [chain, rows, facts] = ["chain", "rows", "facts"].map(|name| folder.join(name));
        blocks::mine(44, 300, &chain).expect("a short chain");
        write(&chain, &rows, &facts).expect("a node takes it in");
        let told = std::fs::read_to_string(&facts).expect("the facts");
        let tip = blocks::read(&chain).expect("the blocks").last().expect("44 of them").hash();
        assert!(told.contains("\"blocks\": 44") && told.contains(&tip.to_string()), "{told}");
        std::fs::remove_dir_all(&folder).expect("our own folder");
    }
}
