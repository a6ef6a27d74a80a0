//! One node's life, as the inputs it was given: enough to live it again, anywhere, step by step.
//!
//! A [`Recording`] has a byte form. Played back into a fresh node it must lead to the very same outputs; whether it does is told by
//! a hash over them. Commands that carry secrets are not recorded, and a node that was given one cannot be played back.

use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::{
    BatchId, Command, CommandId, Config, Input, JobId, Limits, LoadId, Message, Node, Output, PeerAddress,
    PeerId, PeerInfo,
};
use tabchain_primitives::Timestamp;
use tabchain_primitives::codec::{
    Decode, DecodeError, Encode, Reader, write_bytes, write_list, write_varint,
};
use tabchain_records::{MAX_KEY_BYTES, MAX_VALUE_BYTES, Rows, StoreError};

use crate::trace::Trace;

/// The most rows of an answer.
const MAX_ROWS: usize = 1 << 20;

/// What a node was opened with, what happened to it, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    pub(crate) seed: [u8; 32],
    pub(crate) identity: Option<PeerId>,
    /// Inputs with the node's clock, one after the other.
    pub(crate) inputs: Vec<u8>,
    pub(crate) count: u64,
    /// The hash of all outputs.
    pub(crate) outcome: [u8; 32],
}

/// Why a recording can't be played back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It is damaged, or holds what is never recorded.
    #[error("input {0} of the recording cannot be read: {1}")]
    Damaged(u64, DecodeError),
    /// The node did something else than it did then.
    #[error("the node did something else than when it was recorded")]
    Different,
}

/// A node that is being recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    recording: Recording,
    outputs: Trace,
    now: Timestamp,
}

impl Recording {
    /// How many inputs there are.
    pub fn inputs(&self) -> u64 {
        self.count
    }

    /// Lives the life again on this chain. Gives the number of outputs, which are the same as then.
    pub fn play(&self, spec: &Arc<ChainSpec>, limits: Limits) -> Result<u64, ReplayError> {
        let mut config = Config::new(Arc::clone(spec), self.seed);
        config.identity = self.identity;
        config.limits = limits;
        let mut node = Node::open(config);
        let mut trace = Trace::default();
        let mut now = Timestamp::ZERO;
        drain(&mut node, now, &mut trace);
        let mut reader = Reader::new(&self.inputs);
        for number in 0..self.count {
            let damaged = |error| ReplayError::Damaged(number, error);
            now = Timestamp::decode(&mut reader).map_err(damaged)?;
            let input = read_input(&mut reader).map_err(damaged)?;
            node.handle(now, input);
            drain(&mut node, now, &mut trace);
        }
        if trace.hash() == self.outcome { Ok(trace.outputs()) } else { Err(ReplayError::Different) }
    }
}

fn drain(node: &mut Node, now: Timestamp, trace: &mut Trace) {
    while let Some(output) = node.poll() {
        trace.note(now, 0, &output);
    }
}

impl Recorder {
    pub(crate) fn new(seed: [u8; 32], identity: Option<PeerId>) -> Self {
        let recording = Recording { seed, identity, ..Recording::default() };
        Self { recording, outputs: Trace::default(), now: Timestamp::ZERO }
    }

    pub(crate) fn input(&mut self, now: Timestamp, input: &Input) {
        self.now = now;
        let Recording { inputs, count, .. } = &mut self.recording;
        let before = inputs.len();
        now.encode(inputs);
        if write_input(inputs, input) {
            *count += 1;
        } else {
            inputs.truncate(before);
        }
    }

    pub(crate) fn output(&mut self, output: &Output) {
        self.outputs.note(self.now, 0, output);
    }

    pub(crate) fn finish(&self) -> Recording {
        Recording { outcome: self.outputs.hash(), ..self.recording.clone() }
    }
}

impl Encode for Recording {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.seed);
        out.push(u8::from(self.identity.is_some()));
        if let Some(identity) = &self.identity {
            identity.encode(out);
        }
        out.extend_from_slice(&self.outcome);
        write_varint(out, self.count);
        out.extend_from_slice(&self.inputs);
    }
}

impl Recording {
    /// Reads a recording; whether its inputs can be read shows when it is played.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let seed = reader.array()?;
        let identity = if reader.u8()? == 0 { None } else { Some(PeerId::decode(&mut reader)?) };
        let outcome = reader.array()?;
        let count = reader.varint()?;
        let inputs = bytes[bytes.len() - reader.remaining()..].to_vec();
        Ok(Self { seed, identity, inputs, count, outcome })
    }
}

/// Writes an input down; false if it is of a kind that is not recorded.
fn write_input(out: &mut Vec<u8>, input: &Input) -> bool {
    match input {
        Input::Tick => out.push(0),
        Input::PeerUp(peer, info) => {
            out.push(1);
            peer.encode(out);
            info.encode(out);
        }
        Input::PeerDown(peer) => {
            out.push(2);
            peer.encode(out);
        }
        Input::Discovered(peer, addresses) => {
            out.push(3);
            peer.encode(out);
            write_list(out, addresses);
        }
        Input::Message(peer, message) => {
            out.push(4);
            peer.encode(out);
            message.encode(out);
        }
        Input::Loaded(id, rows) => {
            out.push(5);
            write_varint(out, id.0);
            write_varint(out, rows.0.len() as u64);
            for (key, value) in &rows.0 {
                write_bytes(out, key);
                write_bytes(out, value);
            }
        }
        Input::Committed(id) => {
            out.push(6);
            write_varint(out, id.0);
        }
        Input::CommitFailed(id, StoreError::QuotaExceeded) => {
            out.push(7);
            write_varint(out, id.0);
        }
        Input::Verified(id, verdict) => {
            out.push(8);
            write_varint(out, id.0);
            verdict.encode(out);
        }
        Input::Mined(id, nonce) => {
            out.push(9);
            write_varint(out, id.0);
            write_varint(out, *nonce);
        }
        Input::Woke => out.push(11),
        Input::Command(id, command) => return write_command(out, *id, command),
        Input::CommitFailed(..) | Input::LoadFailed(..) => return false,
    }
    true
}

fn write_command(out: &mut Vec<u8>, id: CommandId, command: &Command) -> bool {
    out.push(10);
    write_varint(out, id.0);
    match command {
        Command::Status => out.push(0),
        Command::StartMining { to } => {
            out.push(1);
            to.encode(out);
        }
        Command::StopMining => out.push(2),
        Command::SendTransaction(transaction) => {
            out.push(3);
            transaction.encode(out);
        }
        Command::Close => out.push(4),
        _ => return false,
    }
    true
}

fn read_input(r: &mut Reader<'_>) -> Result<Input, DecodeError> {
    Ok(match r.u8()? {
        0 => Input::Tick,
        1 => Input::PeerUp(PeerId::decode(r)?, PeerInfo::decode(r)?),
        2 => Input::PeerDown(PeerId::decode(r)?),
        3 => Input::Discovered(PeerId::decode(r)?, r.list::<PeerAddress>(0..=64)?),
        4 => Input::Message(PeerId::decode(r)?, Message::decode(r)?),
        5 => Input::Loaded(LoadId(r.varint()?), rows(r)?),
        6 => Input::Committed(BatchId(r.varint()?)),
        7 => Input::CommitFailed(BatchId(r.varint()?), StoreError::QuotaExceeded),
        8 => Input::Verified(JobId(r.varint()?), Decode::decode(r)?),
        9 => Input::Mined(JobId(r.varint()?), r.varint()?),
        10 => Input::Command(CommandId(r.varint()?), command(r)?),
        11 => Input::Woke,
        kind => return Err(DecodeError::UnknownKind { of: "input", kind }),
    })
}

fn command(r: &mut Reader<'_>) -> Result<Command, DecodeError> {
    Ok(match r.u8()? {
        0 => Command::Status,
        1 => Command::StartMining { to: Decode::decode(r)? },
        2 => Command::StopMining,
        3 => Command::SendTransaction(Box::new(Decode::decode(r)?)),
        4 => Command::Close,
        kind => return Err(DecodeError::UnknownKind { of: "command", kind }),
    })
}

fn rows(r: &mut Reader<'_>) -> Result<Rows, DecodeError> {
    let count = r.length(&(0..=MAX_ROWS))?;
    let row = |r: &mut Reader<'_>| {
        Ok((r.bytes(0..=MAX_KEY_BYTES)?.to_vec(), r.bytes(0..=MAX_VALUE_BYTES)?.to_vec()))
    };
    (0..count).map(|_| row(r)).collect::<Result<_, _>>().map(Rows)
}
