//! Bytes as choices: what is left to read of a fuzzer's input.

/// Choices, one after the other, until there are no more.
#[derive(Debug)]
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl<'a> Choices<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn two(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// As many bytes as the next two say, or all that are left.
    pub(super) fn run(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.two()?).min(self.0.len());
        let (run, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(run)
    }
}
