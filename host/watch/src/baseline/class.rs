//! A class of things that cost alike, and its form in the store.

use crate::baseline::track::Track;
use crate::baseline::window::{VALUES, Value};

/// How many figures a class has.
pub(crate) const FIGURES: usize = 4;

/// What a class is found by: the first half of a BLAKE3 digest over all that it is about, so that nobody makes two alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) [u8; 16]);

impl Key {
    /// The key of what was hashed.
    pub(crate) fn of(hasher: &blake3::Hasher) -> Self {
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Self(key)
    }
}

/// A class of things that cost alike: what is usual of each figure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Class {
    /// The figures, in the order of whoever uses it.
    pub(crate) figures: [Track; FIGURES],
}

impl Class {
    /// Whether something was learned that is not in the store.
    pub(crate) fn is_fresh(&self) -> bool {
        self.figures.iter().any(|figure| figure.fresh() > 0)
    }

    /// From the values of each figure.
    pub(crate) fn of(values: &[Vec<Value>; FIGURES]) -> Self {
        Self {
            figures: std::array::from_fn(|at| Track::of(&values[at])),
        }
    }
}

/// Values as bytes: of each figure their number, then level and source of each, little endian.
pub(crate) fn encode(figures: &[Vec<Value>; FIGURES]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIGURES * (1 + VALUES * 8));
    for values in figures {
        let kept = values.len().min(VALUES);
        bytes.push(u8::try_from(kept).unwrap_or(0));
        for value in values.iter().take(kept) {
            bytes.extend(value.level.to_le_bytes());
            bytes.extend(value.source.to_le_bytes());
        }
    }
    bytes
}

/// Values from bytes; `None` if they are not what [`encode`] writes.
pub(crate) fn decode(bytes: &[u8]) -> Option<[Vec<Value>; FIGURES]> {
    let mut rest = bytes;
    let mut figures: [Vec<Value>; FIGURES] = Default::default();
    for values in &mut figures {
        let (count, behind) = rest.split_first()?;
        let count = usize::from(*count);
        if count > VALUES {
            return None;
        }
        let (own, behind) = behind.split_at_checked(count * 8)?;
        rest = behind;
        values.extend(
            own.as_chunks::<8>()
                .0
                .iter()
                .map(|[a, b, c, d, e, f, g, h]| Value {
                    level: i32::from_le_bytes([*a, *b, *c, *d]),
                    source: u32::from_le_bytes([*e, *f, *g, *h]),
                }),
        );
    }
    rest.is_empty().then_some(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_other_bytes_do_not() {
        let some = |count: i32| {
            let value = |level: i32| Value {
                level: -level,
                source: 7,
            };
            (0..count).map(value).collect::<Vec<_>>()
        };
        let figures = [some(3), some(0), some(63), some(1)];
        let bytes = encode(&figures);
        assert_eq!(decode(&bytes), Some(figures));
        assert_eq!(decode(&bytes[1..]), None);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&[255; 4096]), None);
        assert_eq!(decode(&[]), None);
    }
}
