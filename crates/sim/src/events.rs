//! What happens in a world, one event after the other: inputs to nodes, and what their outputs lead to.

use std::cmp::{Ordering, Reverse};

use tabchain_consensus::verify_each;
use tabchain_node::{
    BatchId, Input, JobId, LoadId, Message, Node, Output, PeerAddress, PeerId, PeerInfo, Template,
};
use tabchain_primitives::{Decode, Encode, Header, Timestamp};
use tabchain_records::{Batch, Query};

use crate::sim::{Place, Sim};

/// Something that will happen at a place, if the same node still lives there.
pub(crate) struct Scheduled {
    pub(crate) at: Timestamp,
    order: u64,
    place: Place,
    life: u64,
    what: What,
}

pub(crate) enum What {
    Input(Box<Input>),
    Wake,
    Solve(JobId),
    Commit(BatchId, Batch),
    Load(LoadId, Query),
    Up { other: Place, connection: u64, info: PeerInfo },
    Deliver { from: Place, connection: u64, bytes: Vec<u8> },
}

impl Sim {
    /// Does the next thing; false when nothing is left to do.
    pub(crate) fn step(&mut self) -> bool {
        let Some(Reverse(next)) = self.queue.pop() else { return false };
        self.now = self.now.max(next.at);
        let Scheduled { place, life, what, .. } = next;
        if self.places[place.0].life != life {
            return true;
        }
        match what {
            What::Input(input) => self.input(place, *input),
            What::Wake => {
                let home = &mut self.places[place.0];
                if home.wake == Some(next.at) {
                    home.wake = None;
                    self.input(place, Input::Tick);
                }
            }
            What::Solve(job) => self.solve(place, job),
            What::Commit(id, batch) => {
                let done = self.places[place.0].disk.commit(batch);
                let input =
                    done.map_or_else(|error| Input::CommitFailed(id, error), |()| Input::Committed(id));
                self.input(place, input);
            }
            What::Load(id, query) => {
                let rows = self.places[place.0].disk.load(&query);
                self.input(place, Input::Loaded(id, rows));
            }
            What::Up { other, connection, info } => {
                if self.network.connection(other, place) == Some(connection) {
                    let id = self.places[other.0].id;
                    self.input(place, Input::PeerUp(id, info));
                }
            }
            What::Deliver { from, connection, bytes } => {
                if self.network.connection(from, place) == Some(connection) {
                    let id = self.places[from.0].id;
                    let message = Message::from_bytes(&bytes).expect("what was encoded can be decoded");
                    self.input(place, Input::Message(id, message));
                }
            }
        }
        true
    }

    pub(crate) fn input(&mut self, place: Place, input: Input) {
        let home = &mut self.places[place.0];
        let now = self.now.millis().saturating_add_signed(home.ahead_ms);
        if let Some(node) = &mut home.node {
            node.handle(Timestamp::from_millis(now), input);
            self.drain(place);
        }
    }

    pub(crate) fn drain(&mut self, place: Place) {
        while let Some(output) = self.places[place.0].node.as_mut().and_then(Node::poll) {
            self.trace.note(self.now, place.0, &output);
            self.output(place, output);
        }
    }

    fn output(&mut self, place: Place, output: Output) {
        match output {
            Output::Send(peer, message) => self.send(place, peer, message),
            Output::Dial(peer, _) => match self.place_of(&peer) {
                Some(to) => self.connect(place, to),
                None => self.after(place, 5_000, Input::PeerDown(peer)),
            },
            Output::Disconnect(peer, reason) => {
                self.places[place.0].dismissed.push((peer, reason));
                if let Some(other) = self.place_of(&peer) {
                    self.hang_up(place, other);
                }
            }
            Output::Commit(id, batch) => {
                let at = self.places[place.0].disk.begin(self.now, self.world.disk_ms);
                self.schedule(at, place, What::Commit(id, batch));
            }
            Output::Load(id, query) => {
                let at = self.places[place.0].disk.begin(self.now, self.world.disk_ms);
                self.schedule(at, place, What::Load(id, query));
            }
            Output::Verify(id, checks) => {
                let millis = (checks.0.len() as u64).saturating_mul(self.world.signature_us) / 1000;
                self.after(place, millis, Input::Verified(id, verify_each(&checks)));
            }
            Output::Mine(job, template) => self.mine(place, job, template),
            Output::StopMining => self.places[place.0].mining = None,
            Output::Reply(id, reply) => {
                self.places[place.0].replies.insert(id, reply);
            }
            Output::Event(event) => self.places[place.0].events.push(event),
            Output::WakeAt(at) => {
                let home = &mut self.places[place.0];
                let at =
                    Timestamp::from_millis(at.millis().saturating_add_signed(-home.ahead_ms)).max(self.now);
                home.wake = Some(at);
                self.schedule(at, place, What::Wake);
            }
        }
    }

    fn send(&mut self, from: Place, peer: PeerId, message: Message) {
        let Some(to) = self.place_of(&peer) else { return };
        let said = match &mut self.places[from.0].tongue {
            Some(tongue) => tongue(peer, message),
            None => Some(message),
        };
        let (Some(message), Some(connection)) = (said, self.network.connection(from, to)) else { return };
        let bytes = message.to_bytes();
        let at = self.network.arrival(self.world.link, from, to, bytes.len(), self.now);
        self.schedule(at, to, What::Deliver { from, connection, bytes });
    }

    /// Closes a connection: the side that does so learns at once, the other a moment later.
    pub(crate) fn hang_up(&mut self, by: Place, other: Place) {
        if self.network.close(by, other) {
            let (by_id, other_id) = (self.places[by.0].id, self.places[other.0].id);
            self.after(by, 0, Input::PeerDown(other_id));
            self.after(other, self.world.link.latency_ms, Input::PeerDown(by_id));
        }
    }

    /// Draws when the miner will be lucky. The wait has no memory, so a new template may draw anew.
    fn mine(&mut self, place: Place, job: JobId, template: Template) {
        let work: f64 = template.target.work().value().to_string().parse().expect("a whole number");
        let home = &mut self.places[place.0];
        let mean_ms = work * 1000.0 / home.hash_rate;
        home.mining = Some((job, template));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wait = (-(1.0 - self.rng.unit()).ln() * mean_ms).ceil() as u64;
        self.schedule(self.now.saturating_add(wait), place, What::Solve(job));
    }

    fn solve(&mut self, place: Place, job: JobId) {
        let Some((current, template)) = &self.places[place.0].mining else { return };
        if *current != job {
            return;
        }
        let header = Header::from_bytes(&template.header).expect("a node hands out its own headers");
        let target = template.target;
        let mut nonce = self.rng.draw();
        while !target.is_met_by(&header.with_nonce(nonce).hash()) {
            nonce = nonce.wrapping_add(1);
        }
        self.places[place.0].mining = None;
        self.input(place, Input::Mined(job, nonce));
    }

    pub(crate) fn after(&mut self, place: Place, millis: u64, input: Input) {
        self.schedule(self.now.saturating_add(millis), place, What::Input(Box::new(input)));
    }

    pub(crate) fn schedule(&mut self, at: Timestamp, place: Place, what: What) {
        let life = self.places[place.0].life;
        self.scheduled += 1;
        self.queue.push(Reverse(Scheduled { at, order: self.scheduled, place, life, what }));
    }

    fn place_of(&self, peer: &PeerId) -> Option<Place> {
        self.places.iter().position(|home| home.id == *peer).map(Place)
    }
}

pub(crate) fn address(place: Place) -> PeerAddress {
    PeerAddress::new(format!("/sim/{}", place.0)).expect("a short text")
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
