//! Weighing: how much work a chain of headers shows, before any of it is kept (section 8 of `docs/protocol.md`).
//!
//! Headers far below the tip cost little, so a long chain of them proves nothing until its end has been seen. A weighing
//! looks at all of them once, by the same rules B1 to B6 as those that are kept, and forgets each as soon as its child
//! has been looked at: the difficulty is relative, so a header, its parent and its grandparent are all that the rules need. What
//! stays is the hash at the end of each stretch. When the chain turns out to have more work than any other, its headers
//! are asked for again; a stretch that ends in the hash that was noted is the very one that was weighed.
//!
//! Bounds: 36 bytes a stretch, at most [`MAX_STRETCHES`] of them.

use tabchain_consensus::{ChainSpec, HeaderError, check_hashed_header};
use tabchain_primitives::{BlockHash, Header, Height, Target, Timestamp, Work};

use crate::chain::Chain;

/// The most stretches of one weighing: of 2,000 headers each, at one a minute, they are sixty years.
pub const MAX_STRETCHES: usize = 16_384;

/// A chain that leaves ours somewhere, as far as it was weighed.
#[derive(Clone, Debug)]
pub struct Weighing {
    from: BlockHash,
    below: Option<Header>,
    last: Header,
    hash: BlockHash,
    work: Work,
    stretches: Vec<Stretch>,
}

/// Headers that came together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The hash of the last of them.
    pub end: BlockHash,
    /// How many they are.
    pub count: u32,
}

/// Why headers can't be weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeighError {
    /// They don't follow what was weighed before, or each other.
    #[error("the headers don't follow each other")]
    Detached,
    /// Rule B4: from there on they are too far ahead. What is below counts.
    #[error("the headers are too far ahead from some point; they may come at {at}")]
    TooEarly {
        /// When they can be offered again.
        at: Timestamp,
    },
    /// There are more than can be weighed.
    #[error("more stretches than {MAX_STRETCHES}")]
    TooLong,
    /// One of them breaks a rule.
    #[error(transparent)]
    Rule(HeaderError),
}

impl Chain {
    /// Begins to weigh what follows a block; none if the block is unknown or invalid.
    pub fn weigh_from(&self, from: &BlockHash) -> Option<Weighing> {
        let index = self.tree.find(from).filter(|index| !self.tree.is_invalid(*index))?;
        let node = self.tree.node(index);
        Some(Weighing {
            from: *from,
            below: self.tree.parent(index).map(|parent| self.tree.node(parent).header),
            last: node.header,
            hash: *from,
            work: node.work,
            stretches: Vec::new(),
        })
    }
}

impl Weighing {
    /// Weighs headers that follow. Those before the one that stands in the way are weighed even so.
    pub fn add(&mut self, spec: &ChainSpec, headers: &[Header], now: Timestamp) -> Result<(), WeighError> {
        if self.stretches.len() >= MAX_STRETCHES {
            return Err(WeighError::TooLong);
        }
        let mut count = 0;
        let outcome = headers.iter().try_for_each(|header| {
            self.add_one(spec, header, now)?;
            count += 1;
            Ok(())
        });
        if count > 0 {
            self.stretches.push(Stretch { end: self.hash, count });
        }
        outcome
    }

    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.stretches.capacity() * size_of::<Stretch>()
    }

    /// The most bytes held.
    pub const fn max_bytes() -> usize {
        size_of::<Self>() + MAX_STRETCHES * size_of::<Stretch>()
    }

    /// The block of ours that the chain leaves from.
    pub const fn from(&self) -> &BlockHash {
        &self.from
    }

    /// The last header that was weighed.
    pub const fn end(&self) -> &BlockHash {
        &self.hash
    }

    /// The height of the last header that was weighed.
    pub const fn height(&self) -> Height {
        self.last.height()
    }

    /// The work of the chain up to there.
    pub const fn work(&self) -> Work {
        self.work
    }

    /// What was weighed, the lowest first.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    fn add_one(&mut self, spec: &ChainSpec, header: &Header, now: Timestamp) -> Result<(), WeighError> {
        if header.parent() != self.hash {
            return Err(WeighError::Detached);
        }
        let hash = header.hash();
        check_hashed_header(spec, header, &hash, &self.last, self.below.as_ref(), now).map_err(|error| {
            match error {
                HeaderError::TooEarly { at } => WeighError::TooEarly { at },
                error => WeighError::Rule(error),
            }
        })?;
        self.below = Some(self.last);
        self.last = *header;
        self.hash = hash;
        self.work += header.target().expand().map_or(Work::ZERO, Target::work);
        Ok(())
    }
}
