//! How counts stand in JSON: as a number up to 2⁵³, as a decimal string above, since readers that hold numbers as
//! doubles would round them. Between processes a count is a plain `u64`.
//!
//! For `#[serde(with = "exact")]`, and `exact::option` and `exact::map` for what holds counts.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest number that every reader of JSON holds exactly.
const LARGEST: u64 = 1 << 53;

/// A count on its way into or out of a text.
struct Exact(u64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() && self.0 > LARGEST {
            true => serializer.collect_str(&self.0),
            false => serializer.serialize_u64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(Visitor),
            false => u64::deserialize(deserializer).map(Self),
        }
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Exact;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a count, as a number or a decimal string")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Exact, E> {
        Ok(Exact(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Exact, E> {
        text.parse().map(Exact).map_err(E::custom)
    }
}

pub(crate) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    Exact(*value).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Exact::deserialize(deserializer).map(|exact| exact.0)
}

/// A count that may not be known.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Exact, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Exact).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        let exact = Option::<Exact>::deserialize(deserializer)?;
        Ok(exact.map(|exact| exact.0))
    }
}

/// Counts by name.
pub(crate) mod map {
    use super::{Deserialize, Deserializer, Exact, Serializer};
    use std::collections::BTreeMap;

    pub(crate) fn serialize<S: Serializer>(
        counts: &BTreeMap<String, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(counts.iter().map(|(name, count)| (name, Exact(*count))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, u64>, D::Error> {
        let counts = BTreeMap::<String, Exact>::deserialize(deserializer)?;
        Ok(counts
            .into_iter()
            .map(|(name, count)| (name, count.0))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Counted(#[serde(with = "super")] u64);

    #[test]
    fn large_counts_cross_json_exactly() {
        for (value, json) in [
            (1 << 53, "9007199254740992"),
            (u64::MAX, "\"18446744073709551615\""),
        ] {
            assert_eq!(serde_json::to_string(&Counted(value)).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<Counted>(json).unwrap(),
                Counted(value)
            );
        }
        assert!(serde_json::from_str::<Counted>("-1").is_err());
        assert!(serde_json::from_str::<Counted>("\"x\"").is_err());
    }

    #[test]
    fn a_count_crosses_a_process_boundary_as_a_plain_number() {
        let bytes = postcard::to_stdvec(&Counted(u64::MAX)).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(&u64::MAX).unwrap());
        assert_eq!(
            postcard::from_bytes::<Counted>(&bytes),
            Ok(Counted(u64::MAX))
        );
    }
}
