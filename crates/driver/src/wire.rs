//! Between the node's messages and the network's bytes.

use tabchain_net::{NetCommand, NetEvent};
use tabchain_node::{Input, Message, PeerId};
use tabchain_primitives::codec::{Decode, Encode};
use tabchain_sync::{Failure, LinkMessage, Request, RequestId, Response};

use crate::listener::DriverEvent;

/// What an event of the network comes to.
pub(crate) enum Incoming {
    /// Something for the node.
    Node(Input),
    /// Something for whoever listens.
    Tell(DriverEvent),
    /// The peer sent bytes that are no message: it is to be sent away.
    Malformed(PeerId),
}

pub(crate) fn command(peer: PeerId, message: &Message) -> NetCommand {
    match message {
        Message::Link(frame) => NetCommand::Link(peer, frame.to_bytes()),
        Message::Request(RequestId(id), request) => NetCommand::Request(peer, *id, request.to_bytes()),
        Message::Response(RequestId(id), response) => NetCommand::Respond(peer, *id, response.to_bytes()),
        Message::RequestFailed(RequestId(id), _) => NetCommand::Refuse(peer, *id),
    }
}

pub(crate) fn incoming(event: NetEvent) -> Incoming {
    let message = |peer, message| Incoming::Node(Input::Message(peer, message));
    match event {
        NetEvent::Up(peer, info) => Incoming::Node(Input::PeerUp(peer, info)),
        NetEvent::Down(peer) | NetEvent::DialFailed(peer) => Incoming::Node(Input::PeerDown(peer)),
        NetEvent::Link(peer, bytes) => match LinkMessage::from_bytes(&bytes) {
            Ok(frame) => message(peer, Message::Link(frame)),
            Err(_) => Incoming::Malformed(peer),
        },
        NetEvent::Request(peer, id, bytes) => match Request::from_bytes(&bytes) {
            Ok(request) => message(peer, Message::Request(RequestId(id), request)),
            Err(_) => Incoming::Malformed(peer),
        },
        NetEvent::Response(peer, id, bytes) => match Response::from_bytes(&bytes) {
            Ok(response) => message(peer, Message::Response(RequestId(id), response)),
            Err(_) => message(peer, Message::RequestFailed(RequestId(id), Failure::Malformed)),
        },
        NetEvent::RequestFailed(peer, id) => {
            message(peer, Message::RequestFailed(RequestId(id), Failure::Closed))
        }
        NetEvent::Discovered(peer, addresses) => Incoming::Node(Input::Discovered(peer, addresses)),
        NetEvent::Woke => Incoming::Node(Input::Woke),
        NetEvent::Listening(addresses) => Incoming::Tell(DriverEvent::Listening(addresses)),
        NetEvent::Relay { address, connected } => Incoming::Tell(DriverEvent::Relay { address, connected }),
    }
}

#[cfg(test)]
mod tests {
    use tabchain_primitives::TxId;

    use super::*;

    fn peer() -> PeerId {
        PeerId::new(&[1; 38]).expect("a short id")
    }

    #[test]
    fn garbage_on_the_link_or_as_a_question_sends_its_peer_away() {
        for event in [NetEvent::Link(peer(), vec![0xff]), NetEvent::Request(peer(), 1, vec![0xff])] {
            assert!(matches!(incoming(event), Incoming::Malformed(found) if found == peer()));
        }
    }

    #[test]
    fn garbage_as_an_answer_fails_its_request() {
        let event = NetEvent::Response(peer(), 7, vec![0xff]);
        let Incoming::Node(Input::Message(_, Message::RequestFailed(RequestId(7), Failure::Malformed))) =
            incoming(event)
        else {
            panic!("the node must hear of it")
        };
    }

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        let asked = Message::Request(RequestId(3), Request::Transactions(vec![TxId::from_bytes([4; 32])]));
        let NetCommand::Request(_, 3, bytes) = command(peer(), &asked) else { panic!("a request") };
        let Incoming::Node(Input::Message(_, heard)) = incoming(NetEvent::Request(peer(), 9, bytes)) else {
            panic!("a message")
        };
        assert_eq!(
            heard,
            Message::Request(RequestId(9), Request::Transactions(vec![TxId::from_bytes([4; 32])]))
        );
    }
}
