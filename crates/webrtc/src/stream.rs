//! One stream's life, without I/O: fed with frames from the other side and commands from this one, it says what to
//! send and what a reader or a writer may do.
//!
//! A stream has two halves that end on their own. Ours ends with [`Flag::Fin`] and counts as delivered with the other
//! side's [`Flag::FinAck`]; theirs ends the same way round. [`Flag::StopSending`] asks the other side to end its half,
//! [`Flag::Reset`] ends both at once. The data channel beneath is of no more use when both halves are done: [`StreamState::is_done`].

use crate::wire::frame::Flag;

/// Both halves of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamState {
    read: Read,
    write: Write,
}

/// Their half: what we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Open,
    /// We have asked them to stop and drop what still comes.
    Stopped,
    /// They have ended it.
    Finished,
    Reset,
}

/// Our half: what we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Open,
    /// FIN is sent, its acknowledgement hasn't come.
    Finishing {
        /// They have asked us to stop: a writer should hear of it.
        stopped: bool,
    },
    Finished {
        stopped: bool,
    },
    Reset,
}

/// What may be done with a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// Data may pass.
    Open,
    /// It ended in order.
    Ended,
    /// The other side doesn't want more of it.
    Stopped,
    /// The stream was reset.
    Reset,
}

impl StreamState {
    pub(crate) fn new() -> Self {
        Self { read: Read::Open, write: Write::Open }
    }

    /// Whether a reader may expect data, once it has read what is buffered.
    pub(crate) fn read_half(self) -> Half {
        match self.read {
            Read::Open => Half::Open,
            Read::Stopped | Read::Finished => Half::Ended,
            Read::Reset => Half::Reset,
        }
    }

    /// Whether a writer may write.
    pub(crate) fn write_half(self) -> Half {
        match self.write {
            Write::Open => Half::Open,
            Write::Finishing { stopped: false } | Write::Finished { stopped: false } => Half::Ended,
            Write::Finishing { stopped: true } | Write::Finished { stopped: true } => Half::Stopped,
            Write::Reset => Half::Reset,
        }
    }

    /// Whether data that comes in is to be kept.
    pub(crate) fn accepts_data(self) -> bool {
        self.read == Read::Open
    }

    /// Whether nothing more will pass in either direction.
    pub(crate) fn is_done(self) -> bool {
        matches!(self.read, Read::Finished | Read::Reset)
            && matches!(self.write, Write::Finished { .. } | Write::Reset)
    }

    /// Whether our half has ended and the other side hasn't said that it knows.
    pub(crate) fn awaits_ack(self) -> bool {
        matches!(self.write, Write::Finishing { .. })
    }

    /// Whether nothing more goes to the other side: all that it waits for, it has, or is about to be told.
    pub(crate) fn has_said_all(self) -> bool {
        matches!(self.read, Read::Finished | Read::Reset) && self.write != Write::Open
    }

    /// Whether both halves have ended, and neither by a reset.
    pub(crate) fn ended_in_order(self) -> bool {
        self.read == Read::Finished && matches!(self.write, Write::Finished { .. })
    }

    /// A flag has come; returns the one to answer with.
    #[must_use = "the answer is to be sent"]
    pub(crate) fn on_flag(&mut self, flag: Flag) -> Option<Flag> {
        match flag {
            Flag::Fin => {
                if matches!(self.read, Read::Open | Read::Stopped) {
                    self.read = Read::Finished;
                }
                (self.read == Read::Finished).then_some(Flag::FinAck)
            }
            Flag::FinAck => {
                if let Write::Finishing { stopped } = self.write {
                    self.write = Write::Finished { stopped };
                }
                None
            }
            Flag::StopSending => match self.write {
                Write::Open => {
                    self.write = Write::Finishing { stopped: true };
                    Some(Flag::Fin)
                }
                Write::Finishing { .. } => {
                    self.write = Write::Finishing { stopped: true };
                    None
                }
                Write::Finished { .. } | Write::Reset => None,
            },
            Flag::Reset => {
                self.on_lost();
                None
            }
        }
    }

    /// The channel beneath has closed: halves that haven't ended never will.
    pub(crate) fn on_lost(&mut self) {
        if self.read != Read::Finished {
            self.read = Read::Reset;
        }
        if !matches!(self.write, Write::Finished { .. }) {
            self.write = Write::Reset;
        }
    }

    /// This side has no more to write; returns the flag to send.
    #[must_use = "the flag is to be sent"]
    pub(crate) fn finish(&mut self) -> Option<Flag> {
        (self.write == Write::Open).then(|| {
            self.write = Write::Finishing { stopped: false };
            Flag::Fin
        })
    }

    /// This side lets the stream go; returns the flag to send. A half that was ended in order stays so.
    #[must_use = "the flag is to be sent"]
    pub(crate) fn abandon(&mut self) -> Option<Flag> {
        match (self.read, self.write) {
            (_, Write::Open) => self.reset(),
            (Read::Open, Write::Finishing { .. } | Write::Finished { .. }) => {
                self.read = Read::Stopped;
                Some(Flag::StopSending)
            }
            _ => None,
        }
    }

    /// This side gives both halves up; returns the flag to send.
    #[must_use = "the flag is to be sent"]
    pub(crate) fn reset(&mut self) -> Option<Flag> {
        if self.is_done() {
            return None;
        }
        *self = Self { read: Read::Reset, write: Write::Reset };
        Some(Flag::Reset)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Two ends and the flags that are on the way between them.
    struct Pair {
        ends: [StreamState; 2],
        toward: [VecDeque<Flag>; 2],
    }

    impl Pair {
        fn new() -> Self {
            Self { ends: [StreamState::new(); 2], toward: Default::default() }
        }

        fn at(&mut self, end: usize, command: impl FnOnce(&mut StreamState) -> Option<Flag>) {
            let sent = command(&mut self.ends[end]);
            self.toward[1 - end].extend(sent);
        }

        fn deliver(&mut self, end: usize) -> bool {
            let Some(flag) = self.toward[end].pop_front() else { return false };
            self.at(end, |state| state.on_flag(flag));
            true
        }

        fn settle(&mut self) {
            let mut steps = 0;
            while self.deliver(0) || self.deliver(1) {
                steps += 1;
                assert!(steps < 20, "flags answer flags for ever");
            }
        }
    }

    #[test]
    fn both_sides_finish_and_the_channel_is_done() {
        let mut pair = Pair::new();
        pair.at(0, StreamState::finish);
        assert!(pair.ends[0].awaits_ack());
        pair.settle();
        assert_eq!(pair.ends[0].write_half(), Half::Ended);
        assert!(!pair.ends[0].awaits_ack());
        assert_eq!(pair.ends[1].read_half(), Half::Ended);
        assert_eq!(pair.ends[1].write_half(), Half::Open, "the other half stays open");
        assert!(!pair.ends[0].is_done() && !pair.ends[1].is_done());
        pair.at(1, StreamState::finish);
        pair.settle();
        assert!(pair.ends.iter().all(|end| end.is_done()));
    }

    #[test]
    fn finishing_at_once_from_both_sides_is_done_too() {
        let mut pair = Pair::new();
        pair.at(0, StreamState::finish);
        pair.at(1, StreamState::finish);
        pair.settle();
        assert!(pair.ends.iter().all(|end| end.is_done()));
    }

    #[test]
    fn a_repeated_fin_is_acknowledged_again_and_changes_nothing() {
        let mut state = StreamState::new();
        assert_eq!(state.on_flag(Flag::Fin), Some(Flag::FinAck));
        let before = state;
        assert_eq!(state.on_flag(Flag::Fin), Some(Flag::FinAck));
        assert_eq!(state, before);
    }

    #[test]
    fn an_acknowledgement_of_nothing_changes_nothing() {
        let mut state = StreamState::new();
        assert_eq!(state.on_flag(Flag::FinAck), None);
        assert_eq!(state, StreamState::new());
    }

    #[test]
    fn stop_sending_is_no_end_of_reading() {
        let mut pair = Pair::new();
        pair.at(0, StreamState::finish);
        pair.settle();
        pair.at(0, StreamState::abandon);
        assert!(pair.deliver(1));
        assert_eq!(pair.ends[1].write_half(), Half::Stopped);
        assert_eq!(pair.ends[1].read_half(), Half::Ended);
        pair.settle();
        assert!(pair.ends.iter().all(|end| end.is_done()), "{:?}", pair.ends);

        let mut reader = StreamState::new();
        assert_eq!(reader.on_flag(Flag::StopSending), Some(Flag::Fin));
        assert_eq!(reader.read_half(), Half::Open, "they may still send");
        assert!(reader.accepts_data());
    }

    #[test]
    fn letting_go_of_an_unfinished_stream_resets_it_on_both_sides() {
        let mut pair = Pair::new();
        pair.at(0, StreamState::abandon);
        pair.settle();
        assert_eq!(pair.ends[1].read_half(), Half::Reset);
        assert_eq!(pair.ends[1].write_half(), Half::Reset);
        assert!(pair.ends.iter().all(|end| end.is_done()));
    }

    #[test]
    fn letting_go_after_the_end_says_nothing() {
        let mut pair = Pair::new();
        pair.at(0, StreamState::finish);
        pair.at(1, StreamState::finish);
        pair.settle();
        assert_eq!(pair.ends[0].abandon(), None);
    }

    #[test]
    fn a_reset_does_not_undo_what_was_read_to_its_end() {
        let mut state = StreamState::new();
        assert_eq!(state.on_flag(Flag::Fin), Some(Flag::FinAck));
        assert_eq!(state.on_flag(Flag::Reset), None);
        assert_eq!(state.read_half(), Half::Ended);
        assert_eq!(state.write_half(), Half::Reset);
        assert!(state.is_done());
    }

    #[test]
    fn a_lost_channel_ends_what_was_open() {
        let mut state = StreamState::new();
        assert_eq!(state.finish(), Some(Flag::Fin));
        state.on_lost();
        assert_eq!((state.read_half(), state.write_half()), (Half::Reset, Half::Reset));
        assert!(state.is_done());
    }

    /// Every sequence of a few commands on either side, with delivery in between or not, ends with both sides done
    /// once both have let go, and never answers for ever.
    #[test]
    fn every_short_story_ends() {
        let commands: [fn(&mut StreamState) -> Option<Flag>; 3] =
            [StreamState::finish, StreamState::abandon, StreamState::reset];
        let choices = commands.len() * 2 * 2;
        for story in 0..choices.pow(4) {
            let mut pair = Pair::new();
            let mut rest = story;
            for _ in 0..4 {
                let choice = rest % choices;
                rest /= choices;
                pair.at(choice & 1, commands[choice >> 2]);
                if choice & 2 == 0 {
                    pair.settle();
                }
            }
            pair.at(0, StreamState::abandon);
            pair.at(1, StreamState::abandon);
            pair.settle();
            assert!(pair.ends.iter().all(|end| end.is_done()), "story {story}: {:?}", pair.ends);
        }
    }
}
