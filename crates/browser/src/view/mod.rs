//! What the page sees: plain objects, written in the words of one chain.

mod ledger;
mod node;

use js_sys::Date;
use tabchain_primitives::{Address, AddressPrefix, Timestamp};

pub(crate) use self::ledger::{Transaction, WalletState};
pub(crate) use self::node::{NodeMining, Peer, Progress, SyncState, Workload};

/// Puts things into the words of a chain: addresses begin with its prefix.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pub(crate) prefix: AddressPrefix,
}

impl Words {
    pub(crate) fn address(self, address: &Address) -> String {
        address.to_bech32(self.prefix)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a Date holds 8.64e15 ms at most, and shows more as an invalid date"
)]
fn date(time: Timestamp) -> Date {
    Date::new(&(time.millis() as f64).into())
}
