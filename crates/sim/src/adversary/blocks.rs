//! Not giving, giving late, giving the wrong thing.

use tabchain_node::{Message, PeerId};
use tabchain_sync::Response;

use crate::behaviour::{Behaviour, Scene};

/// Announces and claims like anybody, and answers no question for bodies or transactions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Withholding;

impl Behaviour for Withholding {
    fn says(&mut self, _to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        match message {
            Message::Response(_, Response::Headers(_)) => Some(message),
            Message::Response(..) => None,
            other => Some(other),
        }
    }
}

/// Answers everything, so many milliseconds later.
#[derive(Clone, Copy, Debug)]
pub struct Stalling(pub u64);

impl Behaviour for Stalling {
    fn says(&mut self, to: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        if matches!(message, Message::Response(..)) {
            scene.say_after(self.0, to, message);
            return None;
        }
        Some(message)
    }
}

/// Gives bodies that hold a byte too many, so that they are not what their headers commit to.
#[derive(Clone, Copy, Debug, Default)]
pub struct WrongBodies;

impl Behaviour for WrongBodies {
    fn says(&mut self, _to: PeerId, mut message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        if let Message::Response(_, Response::Bodies(bodies)) = &mut message {
            for body in bodies {
                body.bytes.push(0);
            }
        }
        Some(message)
    }
}
