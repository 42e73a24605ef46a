//! Changes to a component's bytes: pieces taken out and put in, with the sizes of whatever they stand in.
//!
//! All that is not named stays as it is, byte for byte. Where bytes came from is kept, so that positions in what was
//! made can be told in terms of what was there.

use std::ops::Range;
use wasm_encoder::Encode;

/// Changes, collected from front to back.
#[derive(Default)]
pub(crate) struct Edits {
    list: Vec<Edit>,
    /// What is put in, one after the other.
    added: Vec<u8>,
    containers: Vec<Container>,
    /// The containers that are open, the innermost last.
    open: Vec<usize>,
    code_sections: Vec<usize>,
}

/// Bytes in place of others.
struct Edit {
    from: usize,
    removed: usize,
    added: Range<usize>,
}

/// A section or a function: a size, and as many bytes.
struct Container {
    size: Range<usize>,
    bytes: usize,
    parent: Option<usize>,
    /// How much larger its contents get.
    growth: usize,
}

impl Edits {
    /// Enters a container: where its size stands, which its contents follow.
    pub(crate) fn enter(&mut self, size: Range<usize>, bytes: usize) {
        let parent = self.open.last().copied();
        self.open.push(self.containers.len());
        self.containers.push(Container {
            size,
            bytes,
            parent,
            growth: 0,
        });
    }

    /// Leaves the innermost container.
    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }

    /// Says where the contents of a code section begin.
    pub(crate) fn code_section(&mut self, begin: usize) {
        self.code_sections.push(begin);
    }

    /// Puts what `write` appends in the place of a range. It is never shorter; how much longer it is.
    pub(crate) fn replace<E>(
        &mut self,
        range: Range<usize>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let begin = self.added.len();
        write(&mut self.added)?;
        let added = begin..self.added.len();
        let growth = added.len().saturating_sub(range.len());
        if let Some(container) = self.open.last() {
            self.containers[*container].growth += growth;
        }
        self.list.push(Edit {
            from: range.start,
            removed: range.len(),
            added,
        });
        Ok(growth)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The changed bytes, and where they came from.
    pub(crate) fn apply(mut self, original: &[u8]) -> Result<(Vec<u8>, Moves), String> {
        self.resize();
        self.list.sort_by_key(|edit| edit.from);
        let mut bytes = Vec::with_capacity(original.len() + self.added.len());
        let (mut pieces, mut copied) = (Vec::new(), 0);
        for edit in &self.list {
            pieces.push(Piece::new(bytes.len(), copied)?);
            let kept = original.get(copied..edit.from);
            bytes.extend_from_slice(kept.ok_or("two changes of the same bytes")?);
            bytes.extend_from_slice(&self.added[edit.added.clone()]);
            copied = edit.from + edit.removed;
        }
        pieces.push(Piece::new(bytes.len(), copied)?);
        bytes.extend_from_slice(original.get(copied..).unwrap_or_default());
        let moves = Moves::new(pieces, &self.code_sections);
        Ok((bytes, moves))
    }

    /// Writes the sizes of the containers that grow, from the inside out.
    fn resize(&mut self) {
        for index in (0..self.containers.len()).rev() {
            let Container {
                ref size,
                bytes,
                parent,
                growth,
            } = self.containers[index];
            if growth == 0 {
                continue;
            }
            let (size, begin) = (size.clone(), self.added.len());
            encode_as_long((bytes + growth) as u64, size.len(), &mut self.added);
            let added = begin..self.added.len();
            if let Some(parent) = parent {
                self.containers[parent].growth += growth + added.len() - size.len();
            }
            self.list.push(Edit {
                from: size.start,
                removed: size.len(),
                added,
            });
        }
    }
}

/// Appends a number, in at least `len` bytes: one that was written longer than it had to be stays so.
pub(crate) fn encode_as_long(number: u64, len: usize, bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    number.encode(bytes);
    while bytes.len() - begin < len {
        if let Some(last) = bytes.last_mut() {
            *last |= 0x80;
        }
        bytes.push(0);
    }
}

/// Bytes that were copied as they are: where they begin now, and where they did.
#[derive(Clone, Copy)]
struct Piece {
    now: u32,
    was: u32,
}

impl Piece {
    fn new(now: usize, was: usize) -> Result<Self, String> {
        let number = |place| u32::try_from(place).ok().filter(|place| *place < u32::MAX);
        let both = number(now).zip(number(was));
        let (now, was) = both.ok_or("it would be larger than 4 GiB")?;
        Ok(Self { now, was })
    }
}

/// Where the bytes of a changed component came from.
pub(crate) struct Moves {
    pieces: Vec<Piece>,
    /// Where the code sections begin.
    code: Vec<Piece>,
}

impl Moves {
    fn new(pieces: Vec<Piece>, code_sections: &[usize]) -> Self {
        let begin = |was: &usize| {
            let was = u32::try_from(*was).unwrap_or(u32::MAX);
            let piece = pieces[pieces.partition_point(|piece| piece.was <= was) - 1];
            let now = piece.now + (was - piece.was);
            Piece { now, was }
        };
        let code = code_sections.iter().map(begin).collect();
        Self { pieces, code }
    }

    /// The place of an instruction, as far from the beginning of its code section as it was before the changes.
    ///
    /// Debug information counts from there. What was put in counts as the instruction behind it.
    pub(crate) fn told(&self, now: u32) -> u32 {
        let section = self.code.partition_point(|piece| piece.now <= now);
        let Some(section) = section.checked_sub(1).map(|at| self.code[at]) else {
            return now;
        };
        let next = self.pieces.partition_point(|piece| piece.now <= now);
        let Some(piece) = next.checked_sub(1).map(|at| self.pieces[at]) else {
            return now;
        };
        let was = piece.was.saturating_add(now - piece.now);
        let was = match self.pieces.get(next) {
            Some(next) => was.min(next.was),
            None => was,
        };
        section.now.saturating_add(was.saturating_sub(section.was))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn add(edits: &mut Edits, range: Range<usize>, bytes: &[u8]) {
        let write = |added: &mut Vec<u8>| {
            added.extend_from_slice(bytes);
            Ok::<_, Infallible>(())
        };
        edits.replace(range, write).unwrap();
    }

    #[test]
    fn sizes_of_all_containers_around_a_change_grow() {
        // An outer container of 5 bytes with an inner one of 2, whose size is written with two bytes.
        let original = [9, 5, 1, 0x82, 0, 7, 8, 9];
        let mut edits = Edits::default();
        edits.enter(1..2, 5);
        edits.enter(3..5, 2);
        add(&mut edits, 6..6, &[1; 128]);
        edits.leave();
        edits.leave();
        let (bytes, _) = edits.apply(&original).unwrap();
        assert_eq!(bytes[..7], [9, 0x85, 1, 1, 0x82, 1, 7]);
        assert_eq!(bytes[bytes.len() - 2..], [8, 9]);
        assert_eq!(bytes.len(), original.len() + 128 + 1);
    }

    #[test]
    fn a_size_that_is_written_too_long_stays_as_long() {
        let original = [0x81, 0x80, 0, 7];
        let mut edits = Edits::default();
        edits.enter(0..3, 1);
        add(&mut edits, 4..4, &[1]);
        let (bytes, _) = edits.apply(&original).unwrap();
        assert_eq!(bytes, [0x82, 0x80, 0, 7, 1]);
    }

    #[test]
    fn places_are_told_from_the_beginning_of_the_code_as_it_was() {
        let original = [1, 3, 10, 11, 12];
        let mut edits = Edits::default();
        edits.enter(1..2, 3);
        edits.code_section(2);
        add(&mut edits, 3..3, &[99, 98]);
        let (bytes, moves) = edits.apply(&original).unwrap();
        assert_eq!(bytes, [1, 5, 10, 99, 98, 11, 12]);
        let told: Vec<u32> = (2..7).map(|now| moves.told(now)).collect();
        assert_eq!(told, [2, 3, 3, 3, 4]);
    }
}
