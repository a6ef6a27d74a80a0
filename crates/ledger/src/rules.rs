//! Which rule it is that unreadable bytes break.

use tabchain_primitives::{DecodeError, Malformed};

/// The rule's name in `docs/protocol.md`.
pub const fn rule_of(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::NonMinimalVarint | DecodeError::VarintOverflow => "E1",
        // A kind that is not known, or an order that is not kept, is a bound of what may be written.
        DecodeError::UnexpectedEnd
        | DecodeError::Length { .. }
        | DecodeError::UnknownKind { .. }
        | DecodeError::NotCanonical(_) => "E2",
        DecodeError::TrailingBytes { .. } => "E3",
        DecodeError::NotUtf8 => "E4",
        DecodeError::UnknownVersion(_) => "T1",
        DecodeError::UnknownAction(_) => "T2",
        DecodeError::AmountTooLarge(_) => "T3",
        DecodeError::Malformed(malformed) => match malformed {
            Malformed::TotalTooLarge => "T3",
            Malformed::ZeroOutput => "T4",
            _ => "E2",
        },
    }
}
