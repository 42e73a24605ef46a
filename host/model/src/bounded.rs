//! Lists whose length is looked at before an entry of them is read.
//!
//! An entry may take one byte of a frame and a hundred of the reader's memory. A list that says it has more entries
//! than it may have is refused while nothing has been allocated for it, and one that lies about how many it has gets
//! no more than what it brings.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// How many entries are made room for before one was read.
const AT_ONCE: usize = 64;

/// Reads a list of at most `MOST` entries.
///
/// # Errors
/// It has more, or an entry is none.
pub(crate) fn list<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(Entries::<T, MOST>(PhantomData))
}

struct Entries<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Entries<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        let claimed = entries.size_hint().unwrap_or(0);
        if claimed > MOST {
            return Err(A::Error::invalid_length(claimed, &self));
        }
        let mut list = Vec::with_capacity(claimed.min(AT_ONCE));
        while let Some(entry) = entries.next_element()? {
            if list.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            list.push(entry);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{decode_long, encode_long};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Three(#[serde(deserialize_with = "list::<_, _, 3>")] Vec<String>);

    fn read(entries: usize) -> Option<usize> {
        let mut bytes = Vec::new();
        encode_long(&vec!["x"; entries], &mut bytes).unwrap();
        decode_long::<Three>(&bytes).ok().map(|list| list.0.len())
    }

    #[test]
    fn a_list_has_as_many_entries_as_it_may_have() {
        for entries in 0..=3 {
            assert_eq!(read(entries), Some(entries));
        }
        assert_eq!(read(4), None);
        // Also where nothing says beforehand how many there are.
        assert!(serde_json::from_str::<Three>(r#"["a", "b", "c"]"#).is_ok());
        assert!(serde_json::from_str::<Three>(r#"["a", "b", "c", "d"]"#).is_err());
    }

    /// An entry that must not be read.
    #[derive(Debug)]
    struct Never;

    impl<'de> Deserialize<'de> for Never {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("an entry of a list that is too long was read")
        }
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is never made")]
    struct Nothing(#[serde(deserialize_with = "list::<_, _, 3>")] Vec<Never>);

    #[test]
    fn a_list_that_is_too_long_is_refused_before_its_first_entry() {
        let mut bytes = Vec::new();
        encode_long(&[0u8; 4], &mut bytes).unwrap();
        assert!(decode_long::<Nothing>(&bytes).is_err());
    }
}
