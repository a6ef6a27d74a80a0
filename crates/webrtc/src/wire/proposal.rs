//! What the opener of a stream says first: by libp2p's multistream-select, its header and one protocol, a line each.

use super::proto::split_prefixed;

/// The longest protocol name with its line feed; multistream-select allows 1,024 bytes a line.
const MAX_LINE: usize = 1_024;

const HEADER: &[u8] = b"/multistream/1.0.0\n";

/// Whether this proposes a protocol and says nothing more. Whoever hears it twice has only been asked twice.
pub(crate) fn is_proposal(bytes: &[u8]) -> bool {
    let Some((HEADER, rest)) = line(bytes) else { return false };
    line(rest).is_some_and(|(protocol, rest)| protocol.ends_with(b"\n") && rest.is_empty())
}

/// Splits a line off the front.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, used) = split_prefixed(bytes, MAX_LINE).ok()??;
    Some((line, &bytes[used..]))
}

#[cfg(test)]
mod tests {
    use super::is_proposal;

    #[test]
    fn a_header_and_one_protocol_are_a_proposal() {
        assert!(is_proposal(b"\x13/multistream/1.0.0\n\x08/echo/1\n"));
    }

    #[test]
    fn less_or_more_or_something_else_is_none() {
        for bytes in [
            &b""[..],
            b"\x13/multistream/1.0.0\n",
            b"\x13/multistream/1.0.0\n\x08/echo/",
            b"\x13/multistream/1.0.0\n\x08/echo/1\nhello",
            b"\x13/multistream/1.0.0\n\x08/echo/1\n\x06hello\n",
            b"\x08/echo/1\n\x08/echo/1\n",
            b"\x13/multistream/1.0.0\n\x07/echo/1",
            b"\x05hello",
        ] {
            assert!(!is_proposal(bytes), "{bytes:?}");
        }
    }
}
