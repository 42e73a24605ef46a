//! Text of a bounded length, put together without the machinery behind `format!`, which would be the largest part of a
//! small component.

use crate::bytes::copy;

/// As much text as there is room for. Words that do not fit are left out, each as a whole.
pub(crate) struct Words<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Words<'a> {
    /// Nothing yet, in this room.
    pub(crate) const fn new(room: &'a mut [u8]) -> Self {
        Self { room, len: 0 }
    }

    /// Adds a text, if all of it fits.
    #[inline(never)]
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        let end = self.len.saturating_add(text.len());
        if let Some(place) = self.room.get_mut(self.len..end) {
            copy(place, text.as_bytes());
            self.len = end;
        }
        self
    }

    /// Adds a number in digits.
    #[inline(never)]
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let (mut digits, mut rest) = (Digits::new(), number);
        loop {
            digits.put_before(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                return self.text(digits.as_str());
            }
        }
    }

    /// The text.
    pub(crate) fn into_str(self) -> &'a str {
        let bytes = self.room.get(..self.len).unwrap_or_default();
        // SAFETY: nothing but whole texts was added.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

/// Digits of a number, from the last to the first.
struct Digits {
    /// As many as the largest number has.
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    const fn new() -> Self {
        Self {
            bytes: [0; 20],
            start: 20,
        }
    }

    fn put_before(&mut self, digit: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.start) {
            *place = digit;
        }
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        // SAFETY: nothing but digits was put there.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_formatting_writes() {
        for number in [0, 7, 10, 99, 4_294_967_296, u64::MAX] {
            let mut room = [0; 20];
            let mut words = Words::new(&mut room);
            words.number(number);
            assert_eq!(words.into_str(), number.to_string());
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_as_a_whole() {
        let mut room = [0; 5];
        let mut words = Words::new(&mut room);
        words.text("ab").text("cäd").text("äd").text("x").number(1);
        assert_eq!(words.into_str(), "abäd");
    }
}
