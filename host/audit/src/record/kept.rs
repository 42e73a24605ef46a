//! Parts of records that are mostly the same from one launch to the next: written once, and kept while they stay the same.

use crate::json;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::cell::RefCell;

/// What was written last, and of what.
pub(super) type Last<K> = RefCell<Option<(K, Box<RawValue>)>>;

/// Serializes what `written` makes of `key`, or again what it made of an equal one the last time.
pub(super) fn serialize<K, T, S>(
    last: &Last<K>,
    key: &K,
    written: impl FnOnce() -> T,
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    K: Clone + PartialEq,
    T: Serialize,
    S: Serializer,
{
    let mut last = last.borrow_mut();
    if let Some((of, text)) = &*last
        && of == key
    {
        return text.serialize(serializer);
    }
    let mut text = Vec::new();
    json::append(&mut text, &written()).map_err(S::Error::custom)?;
    let text = String::from_utf8(text).map_err(S::Error::custom)?;
    let text = RawValue::from_string(text).map_err(S::Error::custom)?;
    let (_, text) = last.insert((key.clone(), text));
    text.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_written_once_and_what_is_not_anew() {
        let last = Last::default();
        let mut lines = Vec::new();
        for (key, writes) in [(1, "a\n"), (1, "never"), (2, "b"), (1, "c")] {
            struct One<'a>(&'a Last<u32>, u32, &'a str);
            impl Serialize for One<'_> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    super::serialize(self.0, &self.1, || self.2, serializer)
                }
            }
            json::append(&mut lines, &One(&last, key, writes)).unwrap();
        }
        let text = String::from_utf8(lines).unwrap();
        assert_eq!(text, r#""a\\n""a\\n""b""c""#);
    }
}
