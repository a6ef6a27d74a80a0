//! A node that cannot connect what it has fetched fetches no further than a window, and holds that against nobody.

use std::sync::Arc;

use tabchain_chain::Chain;
use tabchain_chain::testing::{Key, extend, spec};
use tabchain_node::{
    Command, CommandId, Config, Input, Join, LoadId, Message, Node, Output, PeerId, Reply, Status,
};
use tabchain_primitives::{Block, Timestamp};
use tabchain_records::Query;
use tabchain_sim::Disk;
use tabchain_sync::bodies::MAX_WINDOW;
use tabchain_sync::{Body, Request, Response, TipClaim};
use tabchain_tests::one_node::OneNode;

/// More blocks than a window holds, and more than one answer.
const BLOCKS: usize = MAX_WINDOW + 300;

/// A node with one peer that gives whatever it is asked for, and a disk that keeps what it is given.
struct Stage {
    node: Node,
    now: Timestamp,
    chain: Vec<Block>,
    disk: Disk,
    /// While the disk does not answer: what it was asked.
    held: Option<Vec<(LoadId, Query)>>,
    /// How many bodies it was given.
    given: usize,
    status: Option<Status>,
}

impl Stage {
    fn answer(&mut self, request: &Request) -> Response {
        match request {
            Request::Headers { locator, limit } => {
                let known =
                    locator.iter().find_map(|hash| self.chain.iter().position(|block| block.hash() == *hash));
                let after = self.chain.iter().skip(known.map_or(0, |place| place + 1));
                Response::Headers(after.take(*limit as usize).map(|block| block.header).collect())
            }
            // A body without transactions is an empty list.
            Request::Bodies(hashes) => {
                self.given += hashes.len();
                Response::Bodies(hashes.iter().map(|hash| Body { hash: *hash, bytes: vec![0] }).collect())
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now.saturating_add(1_000);
            self.give(Input::Tick);
        }
    }

    fn status(&mut self) -> Status {
        self.give(Input::Command(CommandId(1), Command::Status));
        self.status.take().expect("it says so")
    }
}

impl OneNode for Stage {
    fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn done(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Load(id, query) => match &mut self.held {
                Some(held) => held.push((id, query)),
                None => return Some(Input::Loaded(id, self.disk.load(&query))),
            },
            Output::Commit(id, batch) => {
                self.disk.commit(batch).expect("it has room");
                return Some(Input::Committed(id));
            }
            Output::Send(peer, Message::Request(id, request)) => {
                return Some(Input::Message(peer, Message::Response(id, self.answer(&request))));
            }
            Output::Disconnect(_, why) => panic!("nobody did wrong: {why}"),
            Output::Reply(_, Ok(Reply::Status(status))) => self.status = Some(*status),
            _ => {}
        }
        None
    }
}

#[test]
fn a_node_that_waits_for_its_disk_runs_ahead_no_further_and_holds_that_against_no_branch() {
    let mut chain = Chain::new(spec());
    let blocks: Vec<_> = (0..BLOCKS).map(|_| extend(&mut chain, Key::new(1).address(), &[]).0).collect();
    let (tip, now) = (chain.tip(), chain.tip().header.time().saturating_add(60_000));
    let mut config = Config::new(Arc::clone(&spec()), [7; 32]);
    config.limits.join = Join::Full;
    // Less than one answer brings, so it has to read what it fetched.
    config.limits.block_bytes = 48 * 1024;
    let node = Node::open(config);
    let mut stage =
        Stage { node, now, chain: blocks, disk: Disk::default(), held: None, given: 0, status: None };
    stage.give(Input::Tick);
    stage.held = Some(Vec::new());

    let peer = PeerId::new(b"peer").expect("a short name");
    let claim = TipClaim { hash: tip.hash, height: tip.height, work: tip.work };
    stage.meet(peer, spec().genesis_hash(), claim);

    // Twice as long as a branch is believed whose bodies do not come.
    stage.wait(60);
    assert!(stage.held.as_ref().is_some_and(|held| !held.is_empty()), "it waits for its disk");
    assert_eq!(stage.given, MAX_WINDOW, "not one more was asked for");
    assert_eq!(stage.status().best_height, tip.height);
    for (id, query) in stage.held.take().into_iter().flatten() {
        let rows = stage.disk.load(&query);
        stage.give(Input::Loaded(id, rows));
    }
    stage.wait(100);
    assert_eq!(stage.status().tip, tip.hash);
}
