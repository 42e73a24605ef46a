//! Who a launch is charged to.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A tenant: the unit of isolation. No pool, artifact or budget is shared between two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

impl Default for Tenant {
    /// `local`: whoever runs the command.
    fn default() -> Self {
        Self("local".to_owned())
    }
}

impl Tenant {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A name that cannot be a tenant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tenant's name is 1 to 64 ASCII letters, digits, `-`, `_` or `.`, and begins with a letter or digit"
)]
pub struct NotATenant;

impl FromStr for Tenant {
    type Err = NotATenant;

    fn from_str(name: &str) -> Result<Self, NotATenant> {
        let first = name.bytes().next().ok_or(NotATenant)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.len() > 64 || !first.is_ascii_alphanumeric() || !name.bytes().all(allowed) {
            return Err(NotATenant);
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for Tenant {
    type Error = NotATenant;

    fn try_from(name: String) -> Result<Self, NotATenant> {
        name.parse()
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_paths_or_forgeries_are_refused() {
        assert!("team-a.2".parse::<Tenant>().is_ok());
        for name in ["", "..", ".hidden", "a/b", "a\nb", "-x", &"a".repeat(65)] {
            assert!(name.parse::<Tenant>().is_err(), "{name}");
        }
    }
}
