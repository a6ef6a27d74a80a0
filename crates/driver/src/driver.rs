//! The loop.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use futures::future::{Fuse, FusedFuture, pending};
use futures::{FutureExt, select_biased};
use futures_timer::Delay;
use tabchain_consensus::Verdict;
use tabchain_net::{NetCommand, NetEvent};
use tabchain_node::{
    Command, CommandError, CommandId, Config, Event, Input, JobId, Message, Node, Output, PeerId, Reply,
    Template,
};
use tabchain_primitives::Timestamp;
use tabchain_store::{Store, StoreError};
use tabchain_sync::Failure;

use crate::breath::Breath;
use crate::checks::{CheckOutcome, Checkers, Checks};
use crate::clock::Clock;
use crate::handle::{Answer, Handle};
use crate::listener::{DriverEvent, Listeners};
use crate::storage::Storage;
use crate::wire::{self, Incoming};
use crate::workload::{Meter, Occupation};

/// How many commands may wait for a busy network.
pub const OUTBOX: usize = 1_024;

/// How many bytes of answers may wait with them: beyond that a question is refused, and whoever asked goes elsewhere.
pub const OUTBOX_BYTES: usize = 16 * 1024 * 1024;

/// How many inputs that are ready, verdicts mostly, the node takes at once: about as many as it takes steps of blocks then.
const TOGETHER: usize = 64;

/// The longest sleep between two ticks.
const IDLE: Duration = Duration::from_secs(10);

/// What a miner is told.
#[derive(Clone, Debug)]
pub enum MiningOrder {
    /// Search a nonce for this template, and nothing else any more.
    Mine(JobId, Box<Template>),
    /// Rest.
    Stop,
}

/// A nonce that a miner has found.
#[derive(Clone, Copy, Debug)]
pub struct Solution {
    /// The job it was found for.
    pub job: JobId,
    /// The nonce.
    pub nonce: u64,
}

/// Where a driver's network, miner and checkers are.
pub struct Ports {
    /// Takes commands to the network.
    pub net_commands: Sender<NetCommand>,
    /// Gives the network's events.
    pub net_events: Receiver<NetEvent>,
    /// Takes orders to the miner. A full channel loses its oldest order: only the newest counts.
    pub mining_orders: Sender<MiningOrder>,
    /// Gives the miner's solutions.
    pub solutions: Receiver<Solution>,
    /// Check signatures; without them the driver's own thread does.
    pub checkers: Option<Checkers>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By [`Command::Close`], or because nobody held a [`Handle`] any more.
    Closed,
    /// The store cannot go on.
    Fatal(StoreError),
}

/// A node with everything around it.
pub struct Driver<S, C> {
    node: Node,
    clock: C,
    storage: Storage<S>,
    ports: Ports,
    calls: Receiver<(Command, Answer)>,
    listeners: Listeners,
    answers: HashMap<CommandId, Answer>,
    closing: Option<CommandId>,
    next_call: u64,
    outbox: VecDeque<NetCommand>,
    ready: VecDeque<Input>,
    checks: Checks,
    wake_at: Timestamp,
    ended: Option<Ended>,
    meter: Meter,
}

/// What comes first of all that is waited for.
enum Happening {
    Call(Option<(Command, Answer)>),
    Net(NetEvent),
    Node(Input),
    Checks(CheckOutcome),
    /// A command that had waited for the network is sent.
    Sent,
}

impl<S: Store + 'static, C: Clock> Driver<S, C> {
    /// Opens a node. It reads its store once [`Driver::run`] is polled.
    pub fn new(config: Config, store: S, clock: C, mut ports: Ports) -> (Self, Handle) {
        let meter = Meter::new();
        let (handle, calls, listeners) = Handle::new(meter.clone());
        let checks = Checks::new(config.seed, ports.checkers.take());
        let driver = Self {
            node: Node::open(config),
            wake_at: clock.now(),
            clock,
            storage: Storage::new(store),
            ports,
            calls,
            listeners,
            answers: HashMap::new(),
            closing: None,
            next_call: 0,
            outbox: VecDeque::new(),
            ready: VecDeque::new(),
            checks,
            ended: None,
            meter,
        };
        (driver, handle)
    }

    /// Runs the node to its end.
    pub async fn run(mut self) -> Ended {
        let mut breath = Breath::new();
        let mut timer = Delay::new(Duration::ZERO).fuse();
        self.carry_out();
        loop {
            if let Some(ended) = self.ended.take() {
                self.order(MiningOrder::Stop);
                return ended;
            }
            self.meter.turn_to(Occupation::Waiting);
            breath.take().await;
            let inputs = self.next_inputs(&mut timer).await;
            if inputs.is_empty() {
                continue;
            }
            let wake_before = self.wake_at;
            self.meter.turn_to(Occupation::Thinking);
            self.node.handle_all(self.clock.now(), inputs);
            self.carry_out();
            if self.wake_at != wake_before || timer.is_terminated() {
                timer = Delay::new(self.until_wake()).fuse();
            }
        }
    }

    /// Waits for whatever comes first, people before peers. Nothing: something happened that is not the node's business.
    async fn next_inputs(&mut self, timer: &mut Fuse<Delay>) -> Vec<Input> {
        self.flush_outbox();
        self.checks.send();
        if self.calls.is_empty() {
            if self.ready.is_empty() && self.checks.are_for_here() {
                self.check_signatures();
            }
            if !self.ready.is_empty() {
                return self.ready.drain(..self.ready.len().min(TOGETHER)).collect();
            }
        }
        self.next_input(timer).await.into_iter().collect()
    }

    async fn next_input(&mut self, mut timer: &mut Fuse<Delay>) -> Option<Input> {
        self.meter.turn_to(if self.storage.is_busy() { Occupation::Storing } else { Occupation::Waiting });
        let happening = select_biased! {
            call = self.calls.recv().fuse() => Happening::Call(call.ok()),
            solution = receive(&self.ports.solutions).fuse() =>
                Happening::Node(Input::Mined(solution.job, solution.nonce)),
            input = self.storage.next().fuse() => Happening::Node(input),
            outcome = self.checks.outcome().fuse() => Happening::Checks(outcome),
            event = receive(&self.ports.net_events).fuse() => Happening::Net(event),
            () = send_front(&self.ports.net_commands, &self.outbox).fuse() => Happening::Sent,
            () = timer => Happening::Node(Input::Tick),
        };
        self.meter.turn_to(Occupation::Translating);
        match happening {
            Happening::Call(call) => self.on_call(call),
            Happening::Net(event) => self.on_net_event(event),
            Happening::Node(input) => Some(input),
            Happening::Checks(outcome) => {
                self.on_outcome(outcome);
                None
            }
            Happening::Sent => {
                self.outbox.pop_front();
                None
            }
        }
    }

    /// `None`: nobody holds a handle any more, so nobody will ever ask.
    fn on_call(&mut self, call: Option<(Command, Answer)>) -> Option<Input> {
        let Some((command, answer)) = call else {
            self.ended = Some(Ended::Closed);
            return None;
        };
        let id = CommandId(self.next_call);
        self.next_call += 1;
        if matches!(command, Command::Close) {
            self.closing = Some(id);
        }
        self.answers.insert(id, answer);
        Some(Input::Command(id, command))
    }

    fn on_net_event(&mut self, event: NetEvent) -> Option<Input> {
        match wire::incoming(event) {
            Incoming::Node(input) => Some(input),
            Incoming::Tell(event) => {
                self.listeners.tell(&event);
                None
            }
            Incoming::Malformed(peer) => {
                tracing::debug!(?peer, "malformed message");
                self.tell_net(NetCommand::Disconnect(peer));
                None
            }
        }
    }

    /// Does what the node wants done.
    fn carry_out(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Send(peer, message) => self.send(peer, &message),
                Output::Dial(peer, addresses) => self.tell_net(NetCommand::Dial(peer, addresses)),
                Output::Disconnect(peer, reason) => {
                    tracing::debug!(?peer, %reason, "sent away");
                    self.tell_net(NetCommand::Disconnect(peer));
                }
                Output::Commit(id, batch) => {
                    self.meter.committed(batch.len(), batch.bytes());
                    self.storage.commit(id, batch);
                }
                Output::Load(id, query) => self.storage.load(id, query),
                Output::Verify(job, checks) => self.checks.add(job, checks),
                Output::Unverify(job) => self.checks.take_back(job),
                Output::Mine(job, template) => self.order(MiningOrder::Mine(job, Box::new(template))),
                Output::StopMining => self.order(MiningOrder::Stop),
                Output::Reply(id, reply) => self.reply(id, reply),
                Output::Event(event) => self.on_event(event),
                Output::WakeAt(at) => self.wake_at = at,
            }
        }
    }

    fn send(&mut self, peer: PeerId, message: &Message) {
        self.meter.turn_to(Occupation::Translating);
        let command = wire::command(peer, message);
        self.meter.turn_to(Occupation::Thinking);
        if let NetCommand::Request(peer, id, _) = &command
            && self.outbox.len() >= OUTBOX
        {
            let failed = Message::RequestFailed(tabchain_sync::RequestId(*id), Failure::Busy);
            self.ready.push_back(Input::Message(*peer, failed));
            return;
        }
        self.tell_net(command);
    }

    fn tell_net(&mut self, command: NetCommand) {
        let command = refused_if_too_much(command, &self.outbox);
        let droppable = matches!(command, NetCommand::Link(..));
        if self.outbox.len() < OUTBOX || !droppable {
            self.outbox.push_back(command);
        }
    }

    fn flush_outbox(&mut self) {
        while let Some(command) = self.outbox.pop_front() {
            // A closed channel is a network that ended; a node goes on alone.
            if let Err(TrySendError::Full(command)) = self.ports.net_commands.try_send(command) {
                return self.outbox.push_front(command);
            }
        }
    }

    /// Checks signatures here and now. The verdicts wait their turn, so that people's calls go first.
    fn check_signatures(&mut self) {
        self.meter.turn_to(Occupation::Checking);
        let (count, verdicts) = self.checks.check();
        self.judge(count, verdicts);
    }

    fn on_outcome(&mut self, outcome: CheckOutcome) {
        match outcome {
            CheckOutcome::Checked { number, verdicts, took } => {
                let (count, verdicts) = self.checks.checked(number, verdicts);
                self.meter.checked_elsewhere(took);
                self.judge(count, verdicts);
            }
            CheckOutcome::Lost(why) => self.checks.lose(why),
        }
    }

    fn judge(&mut self, count: usize, verdicts: Vec<(JobId, Verdict)>) {
        self.meter.checked(count);
        self.ready.extend(verdicts.into_iter().map(|(job, verdict)| Input::Verified(job, verdict)));
    }

    fn order(&self, order: MiningOrder) {
        // Without a miner there is nobody to tell.
        self.ports.mining_orders.force_send(order).ok();
    }

    fn reply(&mut self, id: CommandId, reply: Result<Reply, CommandError>) {
        if let Some(answer) = self.answers.remove(&id) {
            // Whoever asked may have stopped waiting.
            answer.send(reply).ok();
        }
        if self.closing == Some(id) {
            self.ended = Some(Ended::Closed);
        }
    }

    fn on_event(&mut self, event: Event) {
        if let Event::Fatal(error) = &event {
            self.ended = Some(Ended::Fatal(error.clone()));
        }
        self.listeners.tell(&DriverEvent::Node(event));
    }

    fn until_wake(&self) -> Duration {
        let (wake, now) = (self.wake_at.millis(), self.clock.now().millis());
        Duration::from_millis(wake.saturating_sub(now)).min(IDLE)
    }
}

/// An answer that would make too much wait becomes a refusal.
fn refused_if_too_much(command: NetCommand, outbox: &VecDeque<NetCommand>) -> NetCommand {
    let answer = |command: &NetCommand| match command {
        NetCommand::Respond(_, _, body) => body.len(),
        _ => 0,
    };
    match command {
        NetCommand::Respond(peer, id, body)
            if outbox.len() >= OUTBOX
                || outbox.iter().map(answer).sum::<usize>() + body.len() > OUTBOX_BYTES =>
        {
            NetCommand::Refuse(peer, id)
        }
        command => command,
    }
}

/// The next item; never once the other side is gone.
async fn receive<T>(receiver: &Receiver<T>) -> T {
    match receiver.recv().await {
        Ok(item) => item,
        Err(_) => pending().await,
    }
}

/// Sends the oldest command that waits. Dropped before it is done, it has sent nothing.
async fn send_front(commands: &Sender<NetCommand>, outbox: &VecDeque<NetCommand>) {
    match outbox.front() {
        Some(command) => drop(commands.send(command.clone()).await),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_wait_up_to_so_many_bytes_and_then_questions_are_refused() {
        let peer = PeerId::new(&[1; 38]).expect("a short id");
        let mut outbox = VecDeque::new();
        for id in 0..40 {
            let answer = NetCommand::Respond(peer, id, vec![0; 1024 * 1024]);
            outbox.push_back(refused_if_too_much(answer, &outbox));
        }
        let refused = outbox.iter().filter(|command| matches!(command, NetCommand::Refuse(..))).count();
        assert_eq!(refused, 40 - 16);
        let frame = NetCommand::Link(peer, vec![0; 1_000]);
        assert_eq!(refused_if_too_much(frame.clone(), &outbox), frame, "frames have a bound of their own");
    }
}
