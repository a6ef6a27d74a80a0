//! Signature checks for a plain worker: three functions over numbers and bytes, so that no glue code is needed.
//!
//! The worker makes room for an order, writes its bytes there, has it checked, and reads the verdicts where it is told. What
//! the bytes mean is [`CheckOrder`]'s and [`Verdicts`]' business; everything that decides is in `consensus`, the very code
//! that a node checks with itself.
//!
//! Why it is a wasm of its own and not the node's: a worker whose script is kept at hand as a blob can import nothing, so
//! it cannot have the node's bindings; and this one is compiled for speed throughout, the node's mostly for size.
//!
//! Bounds: one order at a time, of at most [`MAX_BYTES`]; room for more is refused.
//!
//! [`Verdicts`]: tabchain_consensus::Verdicts
#![expect(unsafe_code, reason = "exporting a symbol by name is the only unsafe thing here")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use tabchain_consensus::CheckOrder;
use tabchain_primitives::{Decode, Encode};

/// The most bytes of an order.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

struct Slot {
    order: Vec<u8>,
    verdicts: Vec<u8>,
}

static SLOT: Mutex<Slot> = Mutex::new(Slot { order: Vec::new(), verdicts: Vec::new() });

/// Makes room for the bytes of the next order, and says where; null when it is too large.
#[unsafe(no_mangle)]
pub extern "C" fn checker_room(bytes: usize) -> *mut u8 {
    if bytes > MAX_BYTES {
        return std::ptr::null_mut();
    }
    let mut slot = slot();
    slot.order.clear();
    slot.order.resize(bytes, 0);
    slot.order.as_mut_ptr()
}

/// Checks the order that was written; gives how many bytes the verdicts have, none if the bytes are no order.
#[unsafe(no_mangle)]
pub extern "C" fn checker_check() -> usize {
    let mut slot = slot();
    slot.verdicts =
        CheckOrder::from_bytes(&slot.order).map(|order| order.check().to_bytes()).unwrap_or_default();
    slot.verdicts.len()
}

/// Where the verdicts of the last order are.
#[unsafe(no_mangle)]
pub extern "C" fn checker_verdicts() -> *const u8 {
    slot().verdicts.as_ptr()
}

fn slot() -> MutexGuard<'static, Slot> {
    // A worker has one thread.
    SLOT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tabchain_consensus::{SignatureCheck, SignatureChecks, Verdicts};
    use tabchain_primitives::{PublicKey, Signature, SigningDigest};

    use super::*;

    /// Zeros are a key of small order and a signature of it, which ZIP-215 takes; with another `s` they are not.
    fn check(valid: bool) -> SignatureCheck {
        let mut signature = [0; 64];
        signature[32] = u8::from(!valid);
        let (key, digest) = (PublicKey::from_bytes([0; 32]), SigningDigest::from_bytes([0; 32]));
        SignatureCheck { key, digest, signature: Signature::from_bytes(signature) }
    }

    fn write(bytes: &[u8]) {
        assert!(!checker_room(bytes.len()).is_null());
        slot().order.copy_from_slice(bytes);
    }

    #[test]
    fn the_exported_functions_check_like_an_order() {
        let lists =
            vec![SignatureChecks(vec![check(true); 3]), SignatureChecks(vec![check(true), check(false)])];
        let order = CheckOrder { seed: [1; 32], lists };
        write(&order.to_bytes());
        assert_eq!(checker_check(), order.check().to_bytes().len());
        assert_eq!(Verdicts::from_bytes(&slot().verdicts), Ok(order.check()));

        write(b"no order");
        assert_eq!(checker_check(), 0);
        assert!(checker_room(MAX_BYTES + 1).is_null());
    }
}
