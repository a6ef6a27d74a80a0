//! Why a store said no.

use crate::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// Why a load or a commit failed. After an error nothing of the batch is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A key is longer than [`MAX_KEY_BYTES`].
    #[error("key of {0} bytes is longer than {max}", max = MAX_KEY_BYTES)]
    KeyTooLong(usize),
    /// A value is larger than [`MAX_VALUE_BYTES`].
    #[error("value of {0} bytes is larger than {max}", max = MAX_VALUE_BYTES)]
    ValueTooLarge(usize),
    /// The browser or the disk has no more room for us.
    #[error("storage is full")]
    QuotaExceeded,
    /// The data was written by a newer version of this software; it was left untouched.
    #[error("data has schema {found}, this version understands up to {supported}; update to open it")]
    NewerSchema {
        /// The schema found on disk.
        found: u64,
        /// The newest schema this build understands.
        supported: u64,
    },
    /// The store was closed, by us, by an upgrade in another tab, or by the browser.
    #[error("store is closed")]
    Closed,
    /// Another writer has taken over; this handle must never write again.
    #[error("another writer has taken over the store")]
    Fenced,
    /// The handle was opened for reading.
    #[error("store was opened for reading only")]
    ReadOnly,
    /// Somebody else holds the store and does not let go.
    #[error("store is in use elsewhere")]
    InUse,
    /// There is no storage here, or we may not use it: a private window, or storage switched off.
    #[error("storage is not available here")]
    Unavailable,
    /// What is on disk cannot be read as a store of ours.
    #[error("stored data is corrupt: {0}")]
    Corrupt(&'static str),
    /// The backend failed in a way we have no name for.
    #[error("storage backend failed: {0}")]
    Backend(String),
}

impl StoreError {
    /// Whether the handle is of no more use: opening anew, or stopping, is all that helps.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::KeyTooLong(_) | Self::ValueTooLarge(_) | Self::QuotaExceeded | Self::ReadOnly => false,
            Self::NewerSchema { .. }
            | Self::Closed
            | Self::Fenced
            | Self::InUse
            | Self::Unavailable
            | Self::Corrupt(_)
            | Self::Backend(_) => true,
        }
    }
}
