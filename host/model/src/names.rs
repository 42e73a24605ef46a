//! Enums whose variants have names: one table gives variants, names and order, and the names are the same in reports,
//! in files and on command lines.

/// A name that none of them has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no {what} ({known})")]
pub struct UnknownName {
    name: String,
    what: &'static str,
    known: String,
}

impl UnknownName {
    /// The longest part of a wrong name that is shown.
    const SHOWN_CHARS: usize = 64;

    /// That name, which is no such thing; the known ones are said with it.
    pub fn new(name: &str, what: &'static str, known: &[&'static str]) -> Self {
        Self {
            name: name.chars().take(Self::SHOWN_CHARS).collect(),
            what,
            known: known.join(", "),
        }
    }
}

/// Declares an enum with `ALL`, `name`, `Display` and `FromStr`; what it is called in an error follows its name. Whoever uses
/// it has `serde` among its dependencies.
#[macro_export]
macro_rules! named {
    (
        $(#[$attribute:meta])*
        pub enum $enum:ident, $what:literal {
            $($(#[$doc:meta])* $variant:ident = $name:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $enum {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl $enum {
            /// Every one, in order.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name in reports, in files and on command lines.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $enum {
            type Err = $crate::names::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.into_iter();
                all.find(|one| one.name() == name)
                    .ok_or_else(|| Self::Err::new(name, $what, &[$($name),+]))
            }
        }
    };
}

pub use named;

#[cfg(test)]
mod tests {
    use crate::grant::Capability;
    use crate::layer::{Layer, Tier};
    use crate::outcome::{Blame, OutcomeKind};
    use crate::profile::{Isolation, Metering};
    use serde::Serialize;
    use std::fmt::Display;

    #[test]
    fn names_are_those_of_the_json() {
        fn check<T: Display + Serialize>(all: impl IntoIterator<Item = T>) {
            for one in all {
                assert_eq!(serde_json::to_string(&one).unwrap(), format!("\"{one}\""));
            }
        }
        check(Blame::ALL);
        check(Capability::ALL);
        check(Isolation::ALL);
        check(Layer::ALL);
        check(Metering::ALL);
        check(OutcomeKind::ALL);
        check(Tier::ALL);
    }

    #[test]
    fn an_unknown_name_is_cut_and_the_known_ones_are_said() {
        let error = "slow".parse::<Metering>().unwrap_err();
        let says = "`slow` is no metering mode (fast, strict, deterministic)";
        assert_eq!(error.to_string(), says);
        let long = "x".repeat(1000).parse::<Tier>().unwrap_err();
        assert!(long.to_string().len() < 200);
    }
}
