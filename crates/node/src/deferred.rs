//! What happens while the node opens, kept for when it is open.
//!
//! Whose connection came or went is never lost, nor is a verdict: a peer that nobody noted would be heard by nobody for as long as
//! it stays, one that nobody missed would keep its place, and a block whose verdict is lost would wait for it for ever. Of what
//! peers say so much is kept of each that one which talks without end costs no other a word.
//!
//! Bounds: of each connection that there is, its coming and [`MAX_OF_PEER`] messages; a going for each peer that the node knew
//! before; a verdict for each job; of all else, commands mostly, [`MAX_OTHER`].

use std::collections::VecDeque;

use tabchain_sync::{Failure, Message, PeerId};

use crate::node::{Node, Phase};
use crate::{CommandError, Input, Output};

/// The most messages of one peer that wait.
const MAX_OF_PEER: usize = 8;
/// The most inputs that wait and are no peer's.
const MAX_OTHER: usize = 512;

/// Inputs that wait, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Deferred {
    inputs: VecDeque<Input>,
}

/// Whose an input is, and what it says of the peer.
enum Of {
    Coming(PeerId),
    Going(PeerId),
    Message(PeerId),
    Verdict,
    Other,
}

fn of(input: &Input) -> Of {
    match input {
        Input::PeerUp(peer, _) => Of::Coming(*peer),
        Input::PeerDown(peer) => Of::Going(*peer),
        Input::Message(peer, _) => Of::Message(*peer),
        Input::Verified(..) => Of::Verdict,
        _ => Of::Other,
    }
}

impl Deferred {
    /// Everything that waits, in its order.
    pub(crate) fn into_inputs(self) -> impl Iterator<Item = Input> {
        self.inputs.into_iter()
    }

    fn push(&mut self, input: Input) {
        self.inputs.push_back(input);
    }

    /// Forgets what a connection brought that is no more.
    fn forget(&mut self, peer: &PeerId) {
        self.inputs.retain(|input| match of(input) {
            Of::Coming(of) | Of::Going(of) | Of::Message(of) => of != *peer,
            Of::Verdict | Of::Other => true,
        });
    }

    /// Whether a connection to this peer has come, and not gone.
    fn has_come(&self, peer: &PeerId) -> bool {
        self.inputs.iter().any(|input| matches!(input, Input::PeerUp(came, _) if came == peer))
    }

    fn messages(&self, peer: &PeerId) -> usize {
        self.inputs.iter().filter(|input| matches!(of(input), Of::Message(from) if from == *peer)).count()
    }

    fn has_room(&self) -> bool {
        self.inputs.iter().filter(|input| matches!(of(input), Of::Other)).count() < MAX_OTHER
    }
}

impl Node {
    /// Keeps an input for when the node is open. Of too many, commands and questions are refused, and what else is said is lost, as
    /// if it had never been.
    pub(crate) fn defer(&mut self, input: Input) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let deferred = &mut opening.deferred;
        match of(&input) {
            Of::Coming(peer) => {
                deferred.forget(&peer);
                deferred.push(input);
            }
            Of::Going(peer) => {
                deferred.forget(&peer);
                if self.peers.contains_key(&peer) || self.dialling.contains(&peer) {
                    deferred.push(input);
                }
            }
            Of::Message(peer) => {
                let is_here = self.peers.contains_key(&peer) || deferred.has_come(&peer);
                if is_here && deferred.messages(&peer) < MAX_OF_PEER {
                    deferred.push(input);
                } else if is_here {
                    self.refuse(&input);
                }
            }
            Of::Verdict if matches!(&input, Input::Verified(job, _) if self.jobs.contains_key(job)) => {
                deferred.push(input);
            }
            Of::Other if deferred.has_room() => deferred.push(input),
            Of::Verdict | Of::Other => self.refuse(&input),
        }
    }

    /// There is no room for this one: whoever waits for an answer is told so.
    fn refuse(&mut self, input: &Input) {
        match input {
            Input::Command(id, _) => self.reply(*id, Err(CommandError::Starting)),
            Input::Message(peer, Message::Request(id, _)) => {
                self.emit(Output::Send(*peer, Message::RequestFailed(*id, Failure::Busy)));
            }
            _ => {}
        }
    }
}
