//! Inputs that answer nothing, in every phase of a node's life: they change nothing and never panic.

mod support;

use std::sync::Arc;

use tabchain_consensus::{ChainSpec, Verdict};
use tabchain_node::{
    BatchId, Command, CommandId, Config, Event, Input, JobId, LoadId, Message, Node, Output, Reply,
};
use tabchain_primitives::Timestamp;
use tabchain_records::{Rows, StoreError};
use tabchain_sync::{Failure, LinkMessage, RequestId, Response};

use support::{direct, peer};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn node() -> Node {
    Node::open(Config::new(Arc::new(ChainSpec::dev()), [1; 32]))
}

fn outputs(node: &mut Node) -> Vec<Output> {
    std::iter::from_fn(|| node.poll()).collect()
}

/// Answers everything that is asked of an empty store, until nothing more is asked.
fn serve(node: &mut Node) -> Vec<Output> {
    let mut all = Vec::new();
    loop {
        let new = outputs(node);
        if new.is_empty() {
            return all;
        }
        for output in &new {
            match output {
                Output::Load(id, _) => node.handle(NOW, Input::Loaded(*id, Rows::default())),
                Output::Commit(id, _) => node.handle(NOW, Input::Committed(*id)),
                _ => {}
            }
        }
        all.extend(new);
    }
}

fn strays() -> Vec<Input> {
    let peer = peer("stranger");
    vec![
        Input::Tick,
        Input::PeerDown(peer),
        Input::Message(peer, Message::Link(LinkMessage::GetPeers)),
        Input::Message(peer, Message::Response(RequestId(9), Response::Headers(Vec::new()))),
        Input::Message(peer, Message::RequestFailed(RequestId(9), Failure::Timeout)),
        Input::Loaded(LoadId(999), Rows(vec![(vec![1], vec![2])])),
        Input::LoadFailed(LoadId(999), StoreError::Closed),
        Input::Committed(BatchId(999)),
        Input::Verified(JobId(999), Verdict::Invalid { index: 7 }),
        Input::Mined(JobId(999), 5),
    ]
}

#[test]
fn while_opening() {
    let mut node = node();
    let asked = outputs(&mut node);
    assert!(
        asked.iter().all(|output| matches!(output, Output::Load(..))),
        "it asks its store and nobody else"
    );
    for stray in strays() {
        node.handle(NOW, stray);
    }
    assert!(outputs(&mut node).is_empty());
    for output in asked {
        let Output::Load(id, _) = output else { continue };
        node.handle(NOW, Input::Loaded(id, Rows::default()));
    }
    assert!(serve(&mut node).iter().any(|output| matches!(output, Output::Event(Event::Ready))));
}

#[test]
fn while_running() {
    let mut node = node();
    serve(&mut node);
    for stray in strays() {
        node.handle(NOW, stray);
        let said = outputs(&mut node);
        assert!(said.iter().all(|output| matches!(output, Output::WakeAt(_))), "{said:?}");
    }
}

#[test]
fn together() {
    let mut node = node();
    serve(&mut node);
    node.handle_all(NOW, strays());
    let said = outputs(&mut node);
    assert!(said.iter().all(|output| matches!(output, Output::WakeAt(_))), "{said:?}");
}

#[test]
fn what_comes_together_is_worked_through_in_its_order() {
    let mut node = node();
    let loaded = outputs(&mut node).into_iter().filter_map(|output| match output {
        Output::Load(id, _) => Some(Input::Loaded(id, Rows::default())),
        _ => None,
    });
    let calls = [7, 3, 5].map(|id| Input::Command(CommandId(id), Command::Status));
    node.handle_all(NOW, loaded.chain(calls));
    let said = serve(&mut node);
    let answered = said.iter().filter_map(|output| match output {
        Output::Reply(CommandId(id), Ok(Reply::Status(_))) => Some(*id),
        _ => None,
    });
    assert_eq!(answered.collect::<Vec<_>>(), [7, 3, 5]);
    let ready = said.iter().filter(|output| matches!(output, Output::Event(Event::Ready)));
    assert_eq!(ready.count(), 1, "what all of it leads to is done once");
}

#[test]
fn after_closing() {
    let mut node = node();
    serve(&mut node);
    node.handle(NOW, Input::Command(CommandId(1), Command::Close));
    let said = serve(&mut node);
    assert!(said.iter().any(|output| matches!(output, Output::Reply(CommandId(1), Ok(Reply::Done)))));
    for stray in strays() {
        node.handle(NOW, stray);
    }
    assert!(outputs(&mut node).is_empty());
    node.handle(NOW, Input::Command(CommandId(2), Command::Status));
    let code = outputs(&mut node).into_iter().find_map(|output| match output {
        Output::Reply(CommandId(2), Err(error)) => Some(error.code()),
        _ => None,
    });
    assert_eq!(code, Some("closed"));
}

#[test]
fn a_store_that_is_lost_while_opening_ends_the_node_in_so_many_words() {
    let mut node = node();
    let Some(Output::Load(id, _)) = node.poll() else { panic!("it asks its store first") };
    node.handle(NOW, Input::LoadFailed(id, StoreError::NewerSchema { found: 2, supported: 1 }));
    let fatal =
        |output: &Output| matches!(output, Output::Event(Event::Fatal(StoreError::NewerSchema { .. })));
    assert!(outputs(&mut node).iter().any(fatal));
}

#[test]
fn more_peers_than_there_is_room_for_are_sent_away() {
    let mut node = node();
    serve(&mut node);
    let mut turned_away = 0;
    for number in 0..100u8 {
        node.handle(NOW, Input::PeerUp(peer([number]), direct(false)));
        turned_away +=
            outputs(&mut node).iter().filter(|output| matches!(output, Output::Disconnect(..))).count();
    }
    // Eight places are for those whom the node chooses itself, one for who is only felt for.
    assert_eq!(turned_away, 100 - (32 - 8 - 1));
}
