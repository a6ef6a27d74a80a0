//! What a header must be, given the two below it and the time (rules B1 to B6).

use tabchain_primitives::{BlockHash, CompactTarget, HEADER_VERSION, Header, Height, Timestamp};

use crate::{difficulty::next_target, spec::ChainSpec};

/// Which rule a header breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Rule B1.
    #[error("the header's version is {found}, not {HEADER_VERSION}")]
    UnknownVersion {
        /// What the header says.
        found: u32,
    },
    /// Rule B2.
    #[error("the header's height {found} does not follow its parent's {parent}")]
    HeightDoesNotFollow {
        /// The parent's height.
        parent: Height,
        /// What the header says.
        found: Height,
    },
    /// Rule B3.
    #[error("the header's time is not after its parent's")]
    TimeNotAfterParent,
    /// Rule B4. The one error that time heals: the header is good so far, and is to be tried again then.
    #[error("the header is from too far ahead, until {at}")]
    TooEarly {
        /// When it is no longer too far ahead.
        at: Timestamp,
    },
    /// Rule B5.
    #[error("the header's target is {found}, not {expected}")]
    WrongTarget {
        /// What follows from the blocks below.
        expected: CompactTarget,
        /// What the header says.
        found: CompactTarget,
    },
    /// Rule B6.
    #[error("the header's hash is above its target")]
    NotEnoughWork,
}

impl HeaderError {
    /// The rule's name in `docs/protocol.md`.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::UnknownVersion { .. } => "B1",
            Self::HeightDoesNotFollow { .. } => "B2",
            Self::TimeNotAfterParent => "B3",
            Self::TooEarly { .. } => "B4",
            Self::WrongTarget { .. } => "B5",
            Self::NotEnoughWork => "B6",
        }
    }
}

/// Checks a header above `parent` by rules B1 to B6.
///
/// `grandparent` is the block below `parent`, needed where `parent` is above height 1. That `parent` is the block which
/// the header names is the caller's to see to.
pub fn check_header(
    spec: &ChainSpec,
    header: &Header,
    parent: &Header,
    grandparent: Option<&Header>,
    now: Timestamp,
) -> Result<(), HeaderError> {
    check_hashed_header(spec, header, &header.hash(), parent, grandparent, now)
}

/// [`check_header`] for who has hashed the header already.
///
/// The clock comes last, so that only what is otherwise good is held for later.
pub fn check_hashed_header(
    spec: &ChainSpec,
    header: &Header,
    hash: &BlockHash,
    parent: &Header,
    grandparent: Option<&Header>,
    now: Timestamp,
) -> Result<(), HeaderError> {
    version_is_known(header)?;
    height_follows_parent(header, parent)?;
    time_is_after_parent(header, parent)?;
    target_is_as_computed(header, next_target(spec, parent, grandparent))?;
    hash_meets_target(header, hash)?;
    time_is_not_ahead(spec, header, now)
}

/// Rule B1: the version is 1.
pub fn version_is_known(header: &Header) -> Result<(), HeaderError> {
    match header.version() {
        HEADER_VERSION => Ok(()),
        found => Err(HeaderError::UnknownVersion { found }),
    }
}

/// Rule B2: the height is the parent's plus one.
pub fn height_follows_parent(header: &Header, parent: &Header) -> Result<(), HeaderError> {
    let (parent, found) = (parent.height(), header.height());
    if parent.next() == Some(found) {
        Ok(())
    } else {
        Err(HeaderError::HeightDoesNotFollow { parent, found })
    }
}

/// Rule B3: the time is after the parent's.
pub fn time_is_after_parent(header: &Header, parent: &Header) -> Result<(), HeaderError> {
    if header.time() > parent.time() { Ok(()) } else { Err(HeaderError::TimeNotAfterParent) }
}

/// Rule B4: the time is at most the future limit after the node's clock.
pub fn time_is_not_ahead(spec: &ChainSpec, header: &Header, now: Timestamp) -> Result<(), HeaderError> {
    let at = Timestamp::from_millis(header.time().millis().saturating_sub(spec.future_limit_ms()));
    if at <= now { Ok(()) } else { Err(HeaderError::TooEarly { at }) }
}

/// Rule B5: the target is the one computed from the blocks below.
pub fn target_is_as_computed(header: &Header, expected: CompactTarget) -> Result<(), HeaderError> {
    let found = header.target();
    if found == expected { Ok(()) } else { Err(HeaderError::WrongTarget { expected, found }) }
}

/// Rule B6: the block hash, as a number, is at most the target.
pub fn hash_meets_target(header: &Header, hash: &BlockHash) -> Result<(), HeaderError> {
    let met = header.target().expand().is_ok_and(|target| target.is_met_by(hash));
    if met { Ok(()) } else { Err(HeaderError::NotEnoughWork) }
}
