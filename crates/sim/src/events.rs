//! What happens in a world, one event after the other: inputs to nodes, and what their outputs lead to.

use std::cmp::{Ordering, Reverse};

use tabchain_node::{BatchId, Event, Input, JobId, LoadId, Message, Node, Output, PeerId, PeerInfo};
use tabchain_primitives::{Encode, Timestamp};
use tabchain_records::{Batch, Query};

use crate::behaviour::{Behaviour, Deed, Scene};
use crate::chronicle::Purpose;
use crate::network::Fate;
use crate::place::Place;
use crate::sim::Sim;
use crate::watch::Watch;

/// A dial that comes to nothing is given up after so long.
pub(crate) const DIAL_FAILS_MS: u64 = 5_000;

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
    Up {
        other: Place,
        connection: u64,
        info: PeerInfo,
    },
    Deliver {
        from: Place,
        connection: u64,
        bytes: u32,
        message: Box<Message>,
    },
    /// A behaviour, known by its place in the list, says something of its own.
    Say {
        to: PeerId,
        message: Box<Message>,
    },
    /// A behaviour acts.
    Act(usize),
    /// A place leaves or comes back.
    Turn,
    /// A place looks who else is there.
    Look,
}

/// The life of what happens to a place whoever lives there.
const EVERY_LIFE: u64 = u64::MAX;

impl Sim {
    /// Does the next thing; false when nothing is left to do.
    pub(crate) fn step(&mut self) -> bool {
        let Some(Reverse(mut next)) = self.queue.pop() else { return false };
        self.pass_to(next.at);
        let home = &self.places[next.place.0];
        if next.life != home.life && next.life != EVERY_LIFE {
            return true;
        }
        if home.busy_until > self.now {
            next.at = home.busy_until;
            self.queue.push(Reverse(next));
            return true;
        }
        self.chronicle.happened();
        let Scheduled { at, place, what, .. } = next;
        match what {
            What::Input(input) => self.input(place, *input),
            What::Wake => self.wake(place, at),
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
                    let (id, limit) = (self.places[other.0].id, self.places[place.0].limits.peers);
                    self.input(place, Input::PeerUp(id, info));
                    self.insist(Watch::connected(place, self.network.neighbours(place).len(), limit));
                }
            }
            What::Deliver { from, connection, bytes, message } => {
                if self.network.connection(from, place) == Some(connection) {
                    self.deliver(place, from, bytes, *message);
                }
            }
            What::Say { to, message } => self.utter(place, to, *message),
            What::Act(which) => self.act(place, which),
            What::Turn => self.turn(place),
            What::Look => self.look(place),
        }
        true
    }

    pub(crate) fn input(&mut self, place: Place, input: Input) {
        let home = &mut self.places[place.0];
        let clock = home.clock(self.now);
        if let Some(recorder) = &mut home.recorder {
            recorder.input(clock, &input);
        }
        if let Some(node) = &mut home.node {
            node.handle(clock, input);
            let sound = self.watch.input(place, self.now);
            self.insist(sound);
            self.drain(place);
            let home = &self.places[place.0];
            self.watch.stands(place, home.node.as_ref().and_then(Node::tip), home.tip, self.now);
        }
    }

    /// Does what the node wants done. Connecting a block takes it time: what it says after that is said later.
    pub(crate) fn drain(&mut self, place: Place) {
        while let Some(output) = self.places[place.0].node.as_mut().and_then(Node::poll) {
            let bytes = self.trace.note(self.now, place.0, &output);
            if let Some(recorder) = &mut self.places[place.0].recorder {
                recorder.output(&output);
            }
            self.output(place, output, bytes);
        }
    }

    fn wake(&mut self, place: Place, at: Timestamp) {
        let home = &mut self.places[place.0];
        if home.wake.is_some_and(|wake| wake <= at) {
            home.wake = None;
            self.input(place, Input::Tick);
        }
    }

    fn output(&mut self, place: Place, output: Output, bytes: usize) {
        match output {
            Output::Send(peer, message) => self.send(place, peer, message, bytes),
            Output::Dial(peer, _) => self.dial(place, peer),
            Output::Disconnect(peer, reason) => {
                self.places[place.0].dismissed.push((peer, reason));
                if let Some(other) = self.place_of(&peer) {
                    if self.is_watched(place) && self.is_watched(other) {
                        self.insist(Watch::blamed(place, other, reason));
                    }
                    self.hang_up(place, other);
                }
            }
            Output::Commit(id, batch) => {
                self.watch.written(&batch, &mut self.verdicts);
                let at = self.places[place.0].disk.begin(self.now, self.world.disk_ms);
                self.schedule(at, place, What::Commit(id, batch));
            }
            Output::Load(id, query) => {
                let at = self.places[place.0].disk.begin(self.now, self.world.disk_ms);
                self.schedule(at, place, What::Load(id, query));
            }
            Output::Verify(id, checks) => {
                let cost = (checks.0.len() as u64).saturating_mul(self.world.signature_us);
                let verdict = self.verdicts.of(&checks);
                self.chronicle.checked(checks.0.len());
                let home = &mut self.places[place.0];
                let now = self.now.millis().saturating_mul(1_000);
                home.checking_until = home.checking_until.max(now).saturating_add(cost);
                let at = Timestamp::from_millis(home.checking_until / 1_000);
                self.schedule(at, place, What::Input(Box::new(Input::Verified(id, verdict))));
            }
            // Its checker has them in its hands, and goes on.
            Output::Unverify(_) => {}
            Output::Mine(job, template) => self.mine(place, job, template),
            Output::StopMining => self.places[place.0].mining = None,
            Output::Reply(id, reply) => {
                if self.awaited == Some(id) {
                    self.places[place.0].replies.insert(id, reply);
                }
            }
            Output::Event(event) => self.told(place, event),
            Output::WakeAt(at) => {
                let home = &mut self.places[place.0];
                let at = at.millis().saturating_add_signed(-home.ahead_ms);
                let at = Timestamp::from_millis(at).max(self.now);
                home.wake = Some(at);
                self.schedule(at, place, What::Wake);
            }
        }
    }

    /// A node told something of itself.
    fn told(&mut self, place: Place, event: Event) {
        if event == Event::Ready {
            let home = &mut self.places[place.0];
            home.tip = home.node.as_ref().and_then(Node::tip);
        }
        if let Event::Head { hash, adopted, reverted, .. } = &event {
            self.places[place.0].tip = Some(*hash);
            let transactions = self.chronicle.moved(place, self.now, adopted, reverted);
            if self.is_watched(place) {
                let sound = self.watch.moved(place, self.places[place.0].life, adopted, self.now);
                self.insist(sound);
            }
            let busy_ms = transactions * self.world.transaction_us / 1_000;
            self.places[place.0].busy_until = self.now.saturating_add(busy_ms);
        }
        if self.world.keeps_events {
            self.places[place.0].events.push(event);
        }
    }

    /// A node says something, as far as its behaviours let it.
    fn send(&mut self, from: Place, peer: PeerId, message: Message, bytes: usize) {
        if self.places[from.0].behaviours.is_empty() {
            return self.carry(from, peer, message, bytes);
        }
        let said = self.with_behaviours(from, |behaviours, scene| {
            behaviours.iter_mut().try_fold(message, |said, behaviour| behaviour.says(peer, said, scene))
        });
        if let Some(message) = said {
            self.utter(from, peer, message);
        }
    }

    fn utter(&mut self, from: Place, peer: PeerId, message: Message) {
        let bytes = message.to_bytes().len();
        self.carry(from, peer, message, bytes);
    }

    /// Brings a message to whom it is for. Its bytes are counted; that they can be read again is for other tests.
    fn carry(&mut self, from: Place, peer: PeerId, message: Message, bytes: usize) {
        let Some(to) = self.place_of(&peer) else { return };
        let Some(connection) = self.network.connection(from, to) else { return };
        // What a node is still busy with comes before what it says.
        let begin = self.now.max(self.places[from.0].busy_until);
        match self.network.send(&self.world.link, &mut self.rng, from, to, bytes, begin) {
            Fate::Arrives(at) => {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                let message = Box::new(message);
                self.schedule(at, to, What::Deliver { from, connection, bytes, message });
            }
            Fate::Breaks => self.hang_up(from, to),
        }
    }

    fn deliver(&mut self, place: Place, from: Place, bytes: u32, message: Message) {
        self.chronicle.arrived(place, Purpose::of(&message), bytes);
        let id = self.places[from.0].id;
        if self.places[place.0].behaviours.is_empty() {
            return self.input(place, Input::Message(id, message));
        }
        let heard = self.with_behaviours(place, |behaviours, scene| {
            behaviours.iter_mut().try_fold(message, |heard, behaviour| behaviour.hears(id, heard, scene))
        });
        if let Some(message) = heard {
            self.input(place, Input::Message(id, message));
        }
    }

    fn act(&mut self, place: Place, which: usize) {
        let every = self.with_behaviours(place, |behaviours, scene| {
            let behaviour = behaviours.get_mut(which)?;
            behaviour.acts(scene);
            behaviour.pace_ms()
        });
        if let Some(every) = every {
            self.schedule(self.now.saturating_add(every.max(1)), place, What::Act(which));
        }
    }

    /// Lets the behaviours of a place have their say, and does what they do.
    fn with_behaviours<T>(
        &mut self,
        place: Place,
        say: impl FnOnce(&mut [Box<dyn Behaviour>], &mut Scene<'_>) -> T,
    ) -> T {
        let mut behaviours = std::mem::take(&mut self.places[place.0].behaviours);
        let neighbours = self.network.neighbours(place);
        let peers: Vec<PeerId> = neighbours.into_iter().map(|place| self.places[place.0].id).collect();
        let mut deeds = Vec::new();
        let mut scene = Scene { now: self.now, peers: &peers, rng: &mut self.rng, deeds: &mut deeds };
        let said = say(&mut behaviours, &mut scene);
        self.places[place.0].behaviours = behaviours;
        for deed in deeds {
            self.commit_deed(place, deed);
        }
        said
    }

    fn commit_deed(&mut self, place: Place, deed: Deed) {
        match deed {
            Deed::Say { after_ms, to, message } => {
                let what = What::Say { to, message: Box::new(message) };
                self.schedule(self.now.saturating_add(after_ms), place, what);
            }
            Deed::HangUp(peer) => {
                if let Some(other) = self.place_of(&peer) {
                    self.hang_up(place, other);
                }
            }
        }
    }

    /// Closes a connection: the side that does so learns at once, the other a moment later.
    pub(crate) fn hang_up(&mut self, by: Place, other: Place) {
        if self.network.close(by, other) {
            let (by_id, other_id) = (self.places[by.0].id, self.places[other.0].id);
            self.after(by, 0, Input::PeerDown(other_id));
            self.after(other, self.way_ms(by, other), Input::PeerDown(by_id));
        }
    }

    pub(crate) fn way_ms(&self, a: Place, b: Place) -> u64 {
        self.world.link.way_ms(self.network.spot(a), self.network.spot(b))
    }

    pub(crate) fn after(&mut self, place: Place, millis: u64, input: Input) {
        self.schedule(self.now.saturating_add(millis), place, What::Input(Box::new(input)));
    }

    pub(crate) fn schedule(&mut self, at: Timestamp, place: Place, what: What) {
        self.schedule_in(self.places[place.0].life, at, place, what);
    }

    pub(crate) fn schedule_for_ever(&mut self, at: Timestamp, place: Place, what: What) {
        self.schedule_in(EVERY_LIFE, at, place, what);
    }

    fn schedule_in(&mut self, life: u64, at: Timestamp, place: Place, what: What) {
        self.scheduled += 1;
        self.queue.push(Reverse(Scheduled { at, order: self.scheduled, place, life, what }));
    }

    pub(crate) fn place_of(&self, peer: &PeerId) -> Option<Place> {
        self.residents.get(peer).copied()
    }
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
