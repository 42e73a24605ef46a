//! Who asked for something, as far as somebody vouches for it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a caller is called for whom nobody vouches.
const UNAUTHENTICATED: &str = "unauthenticated";

/// Who asked: `unauthenticated` or `uid:1000` in text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub enum Caller {
    /// Nobody vouches for the caller: the tenant is a label that the caller chose.
    #[default]
    Unauthenticated,
    /// A user of this machine, for whom its operating system vouches.
    Uid(u32),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.pad(UNAUTHENTICATED),
            Self::Uid(number) => f.pad(&format!("uid:{number}")),
        }
    }
}

/// A text that names no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a caller is `unauthenticated` or `uid:NUMBER`")]
pub struct NotACaller;

impl FromStr for Caller {
    type Err = NotACaller;

    fn from_str(text: &str) -> Result<Self, NotACaller> {
        if text == UNAUTHENTICATED {
            return Ok(Self::Unauthenticated);
        }
        let number = text.strip_prefix("uid:").ok_or(NotACaller)?;
        number.parse().map(Self::Uid).map_err(|_| NotACaller)
    }
}

impl TryFrom<String> for Caller {
    type Error = NotACaller;

    fn try_from(text: String) -> Result<Self, NotACaller> {
        text.parse()
    }
}

impl From<Caller> for String {
    fn from(caller: Caller) -> Self {
        caller.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_read_as_they_are_written() {
        for caller in [
            Caller::Unauthenticated,
            Caller::Uid(0),
            Caller::Uid(u32::MAX),
        ] {
            assert_eq!(caller.to_string().parse(), Ok(caller));
        }
        for text in ["", "uid:", "uid:-1", "uid:alice", "alice"] {
            assert_eq!(text.parse::<Caller>(), Err(NotACaller), "{text}");
        }
    }
}
