//! A class of things that cost alike, and its form in the store.

use crate::baseline::track::{FAR_VALUES, Known, Track};
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
        self.figures.iter().any(Track::is_fresh)
    }

    /// From what is known of each figure.
    pub(crate) fn of(known: &[Known; FIGURES]) -> Self {
        Self {
            figures: std::array::from_fn(|at| Track::of(&known[at])),
        }
    }
}

/// What is known as bytes: of each figure the number of values, then level and source of each, little endian; the same of those that
/// were far off.
pub(crate) fn encode(figures: &[Known; FIGURES]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIGURES * (2 + VALUES * 8));
    for known in figures {
        encode_values(&known.values, VALUES, &mut bytes);
        encode_values(&known.far, FAR_VALUES, &mut bytes);
    }
    bytes
}

fn encode_values(values: &[Value], most: usize, bytes: &mut Vec<u8>) {
    let kept = values.len().min(most);
    bytes.push(u8::try_from(kept).unwrap_or(0));
    for value in values.iter().take(kept) {
        bytes.extend(value.level.to_le_bytes());
        bytes.extend(value.source.to_le_bytes());
    }
}

/// What is known from bytes; `None` if they are not what [`encode`] writes.
pub(crate) fn decode(bytes: &[u8]) -> Option<[Known; FIGURES]> {
    let mut rest = bytes;
    let mut figures: [Known; FIGURES] = Default::default();
    for known in &mut figures {
        known.values = decode_values(&mut rest, VALUES)?;
        known.far = decode_values(&mut rest, FAR_VALUES)?;
    }
    rest.is_empty().then_some(figures)
}

fn decode_values(rest: &mut &[u8], most: usize) -> Option<Vec<Value>> {
    let (count, behind) = rest.split_first()?;
    let count = usize::from(*count);
    if count > most {
        return None;
    }
    let (own, behind) = behind.split_at_checked(count * 8)?;
    *rest = behind;
    let value = |[a, b, c, d, e, f, g, h]: &[u8; 8]| Value {
        level: i32::from_le_bytes([*a, *b, *c, *d]),
        source: u32::from_le_bytes([*e, *f, *g, *h]),
    };
    Some(own.as_chunks::<8>().0.iter().map(value).collect())
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
        let known = |values: i32, far: i32| Known {
            values: some(values),
            far: some(far),
        };
        let figures = [known(3, 0), known(0, 0), known(63, 240), known(1, 5)];
        let bytes = encode(&figures);
        assert_eq!(decode(&bytes), Some(figures));
        assert_eq!(decode(&bytes[1..]), None);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&[255; 4096]), None);
        assert_eq!(decode(&[]), None);
    }
}
