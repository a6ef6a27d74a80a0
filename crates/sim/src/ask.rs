//! Questions to a world and to its nodes.

use tabchain_node::{Command, CommandError, CommandId, Event, Input, Limits, PeerId, Reason, Reply, Status};
use tabchain_primitives::{Address, BlockHash, Timestamp};

use crate::chronicle::Chronicle;
use crate::disk::Disk;
use crate::place::Place;
use crate::recording::{Recorder, Recording};
use crate::sim::Sim;
use crate::trace::Trace;

impl Sim {
    /// The chain that the world is about.
    pub fn spec(&self) -> &std::sync::Arc<tabchain_consensus::ChainSpec> {
        &self.world.spec
    }

    /// How much of everything each node takes on.
    pub fn limits(&self) -> Limits {
        self.world.limits
    }

    /// Where a node stood when it last said so, in this life or an earlier one.
    pub fn tip(&self, place: Place) -> Option<BlockHash> {
        self.places[place.0].tip
    }

    /// All places, whoever lives there.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.places.len()).map(Place)
    }

    /// A node's disk.
    pub fn disk(&mut self, place: Place) -> &mut Disk {
        &mut self.places[place.0].disk
    }

    /// A node's peer id.
    pub fn id(&self, place: Place) -> PeerId {
        self.places[place.0].id
    }

    /// The events a node has told so far, in all its lives.
    pub fn events(&self, place: Place) -> &[Event] {
        &self.places[place.0].events
    }

    /// The peers a node has sent away, and why.
    pub fn dismissed(&self, place: Place) -> &[(PeerId, Reason)] {
        &self.places[place.0].dismissed
    }

    /// Whom a place is connected to.
    pub fn neighbours(&self, place: Place) -> Vec<Place> {
        self.network.neighbours(place)
    }

    /// Bytes that one place has sent to another.
    pub fn bytes_sent(&self, from: Place, to: Place) -> u64 {
        self.network.bytes(from, to)
    }

    /// Since when the present life of a node lasts.
    pub fn open_since(&self, place: Place) -> Timestamp {
        self.places[place.0].since
    }

    /// The virtual clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What happened so far, as a hash.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The recording of the last life at the place that is recorded.
    pub fn recording(&self) -> Option<Recording> {
        let place = self.world.recorded?;
        self.places.get(place.0)?.recorder.as_ref().map(Recorder::finish)
    }

    /// What happened so far, in figures.
    pub fn chronicle(&self) -> &Chronicle {
        &self.chronicle
    }

    /// Gives a node a command and does not wait.
    pub fn tell(&mut self, place: Place, command: Command) -> CommandId {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        self.input(place, Input::Command(id, command));
        id
    }

    /// Gives a node a command and runs the world until it is answered.
    ///
    /// # Panics
    /// When there is no answer within a minute.
    pub fn call(&mut self, place: Place, command: Command) -> Result<Reply, CommandError> {
        let id = CommandId(self.next_command);
        self.awaited = Some(id);
        self.tell(place, command);
        let deadline = self.now.saturating_add(60_000);
        loop {
            if let Some(reply) = self.places[place.0].replies.remove(&id) {
                return reply;
            }
            assert!(self.now <= deadline && self.step(), "no answer within a minute");
        }
    }

    /// How a node is.
    ///
    /// # Panics
    /// When it is not open.
    pub fn status(&mut self, place: Place) -> Status {
        match self.call(place, Command::Status) {
            Ok(Reply::Status(status)) => *status,
            other => panic!("a running node tells its status, not {other:?}"),
        }
    }

    /// Lets a node mine for an address.
    ///
    /// # Panics
    /// When it is not open.
    pub fn start_mining(&mut self, place: Place, to: Address) {
        self.call(place, Command::StartMining { to }).expect("a running node mines when told");
    }

    /// Lets a node mine no more.
    ///
    /// # Panics
    /// When it is not open.
    pub fn stop_mining(&mut self, place: Place) {
        self.call(place, Command::StopMining).expect("a running node stops when told");
    }
}
