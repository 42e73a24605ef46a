//! How the compiler is called for a kernel.
//!
//! Speed: vectors of 128 bits, and loops unrolled by LLVM further than it does for Wasm by itself, which hides the price
//! of metering. Smallness: what is not the author's own is not unrolled, and the SDK's launch is compiled for size, since
//! a small kernel's component is mostly that. So there is no link-time optimisation, which knows one set of options for
//! all (docs/decisions/0027-guest-diet.md). Sameness: no path of the building machine reaches the
//! component, so that the same source gives the same bytes wherever it lies.

use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a kernel's core module is compiled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Nothing but the interfaces of kernels: no files, no output, no threads in the standard library.
    #[default]
    Bare,
    /// WASI 0.2: the standard library asks for what the capability `wasi` has.
    Wasi,
}

impl Target {
    /// The compiler's name for it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Bare => "wasm32-unknown-unknown",
            Self::Wasi => "wasm32-wasip2",
        }
    }

    /// What its linker has to be told: that of WASI would make the component, without what is known of kernels.
    pub(crate) fn link_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Bare => &[],
            Self::Wasi => &["-C", "link-arg=--skip-wit-component"],
        }
    }
}

/// Between the flags of `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";

/// How often loops are unrolled: from 1, which leaves them alone, to 64. The default is 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Unroll(u32);

impl Unroll {
    /// The count.
    pub fn count(self) -> u32 {
        self.0
    }
}

impl Default for Unroll {
    fn default() -> Self {
        Self(8)
    }
}

/// A count of [`Unroll`] that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unroll is {0}, from 1 to 64 are allowed")]
pub struct UnrollError(pub u32);

impl TryFrom<u32> for Unroll {
    type Error = UnrollError;

    fn try_from(count: u32) -> Result<Self, UnrollError> {
        match count {
            1..=64 => Ok(Self(count)),
            _ => Err(UnrollError(count)),
        }
    }
}

/// A folder's path that is not UTF-8, which cargo cannot pass on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: the path is not UTF-8", .0.display())]
pub struct NotUtf8(pub PathBuf);

/// The SDK's package.
pub(crate) const SDK: &str = "hotcell-guest";

/// The profile's settings, as values of cargo's `--config`; those of the SDK too, where the project has it.
pub(crate) fn profile_settings(profile: &str, has_debug_info: bool, has_sdk: bool) -> Vec<String> {
    // Names stay in either case: a trap tells the function it happened in.
    let (debug, strip) = match has_debug_info {
        true => ("\"line-tables-only\"", "\"none\""),
        false => ("false", "\"debuginfo\""),
    };
    let settings = [
        ("lto", "\"off\""),
        ("panic", "\"abort\""),
        ("codegen-units", "1"),
        ("opt-level", "3"),
        ("overflow-checks", "false"),
        ("debug", debug),
        ("strip", strip),
        // The macros' own code stays as it is, so that `--debug` does not compile it again.
        ("build-override.debug", "false"),
        ("build-override.strip", "\"none\""),
    ];
    // What of the SDK an inner loop calls is generic or `inline`, and so compiled with the author's crate.
    let of_sdk = has_sdk.then(|| format!("package.{SDK}.opt-level=\"z\""));
    let settings = settings.map(|(key, value)| format!("{key}={value}"));
    let settings = settings.into_iter().chain(of_sdk);
    settings
        .map(|setting| format!("profile.{profile}.{setting}"))
        .collect()
}

/// How many of LLVM's instructions a loop may grow to.
const UNROLLED_SIZE: u32 = 1024;
/// How often LLVM repeats a loop whose turns are not known beforehand.
const USUAL_COUNT: u32 = 8;

/// What stands after `--` for the kernel's own crate; nothing for a count of 1.
///
/// LLVM repeats a loop up to eight times where the result is small enough: a larger size for it is all that it takes. A
/// loop that became vectors it would leave alone, so several vectors a turn are asked for, and vectors for what is left
/// over. Loops of few turns are still unrolled as a whole: `-unroll-count=8` would leave nine turns at eight and one, at
/// twice the fuel. More than eight cannot be had without.
pub(crate) fn unroll_arguments(Unroll(count): Unroll) -> Vec<String> {
    let options = match count {
        1 => vec![],
        ..=USUAL_COUNT => vec![
            format!("-unroll-partial-threshold={UNROLLED_SIZE}"),
            // Of constant loops a count would limit how many turns are unrolled as well.
            format!(
                "-unroll-max-count={}",
                if count == USUAL_COUNT {
                    u32::MAX
                } else {
                    count
                }
            ),
            format!("-force-vector-interleave={}", interleaved(count)),
            "-epilogue-vectorization-force-VF=4".to_owned(),
        ],
        _ => vec![
            "-unroll-runtime=true".to_owned(),
            format!("-unroll-count={count}"),
        ],
    };
    let arguments = options.into_iter();
    arguments
        .flat_map(|option| ["-C".to_owned(), format!("llvm-args={option}")])
        .collect()
}

/// The largest power of two up to a count from 2 on: LLVM interleaves by no other.
const fn interleaved(count: u32) -> u32 {
    1 << count.ilog2()
}

/// A folder of this machine, and the name it has in the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remap {
    /// The folder, absolute.
    pub(crate) from: String,
    /// What stands for it; empty for paths relative to the project.
    pub(crate) to: String,
}

impl Remap {
    /// Names a folder.
    ///
    /// # Errors
    /// If the folder's path is not UTF-8, which cargo cannot pass on.
    pub(crate) fn new(from: &Path, to: impl Into<String>) -> Result<Self, NotUtf8> {
        let from = from.to_str().ok_or_else(|| NotUtf8(from.to_owned()))?;
        Ok(Self {
            from: from.to_owned(),
            to: to.into(),
        })
    }
}

/// The flags for every crate of the component. Where several remaps match a path, the last one holds.
pub(crate) fn rustflags(remaps: &[Remap]) -> Vec<String> {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    flags.extend(
        remaps
            .iter()
            .map(|Remap { from, to }| format!("--remap-path-prefix={from}={to}")),
    );
    flags
}

/// How the flags reach cargo beside the user's own.
///
/// cargo takes flags from one place alone: the environment, else its configuration's table for the
/// target. What the user has in either stays in front of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// The value for `CARGO_ENCODED_RUSTFLAGS`.
    Environment(OsString),
    /// A value for `--config`; cargo appends it to what its files have for the target.
    Config(String),
}

impl Passing {
    /// Decides by the user's `CARGO_ENCODED_RUSTFLAGS` and `RUSTFLAGS`.
    pub(crate) fn new(
        encoded: Option<OsString>,
        plain: Option<OsString>,
        ours: &[String],
        target: Target,
    ) -> Self {
        let encoded = encoded.or_else(|| {
            let plain = plain?.into_string().ok()?;
            let flags: Vec<_> = plain.split_ascii_whitespace().collect();
            Some(flags.join(SEPARATOR).into())
        });
        match encoded {
            Some(mut flags) => {
                for flag in ours {
                    if !flags.is_empty() {
                        flags.push(SEPARATOR);
                    }
                    flags.push(flag);
                }
                Self::Environment(flags)
            }
            None => {
                let list = toml::Value::from(ours.to_vec());
                let target = target.triple();
                Self::Config(format!("target.{target}.rustflags={list}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_flags_stay_in_front() {
        let ours = ["-a".to_owned(), "-b=\"c d\"".to_owned()];
        let environment = |text: &str| Passing::Environment(text.into());
        let target = Target::Bare;
        let passing = |encoded, plain| Passing::new(encoded, plain, &ours, target);
        let encoded = passing(Some("-x\x1f-y z".into()), Some("-ignored".into()));
        assert_eq!(encoded, environment("-x\x1f-y z\x1f-a\x1f-b=\"c d\""));
        let plain = passing(None, Some(" -x  -y ".into()));
        assert_eq!(plain, environment("-x\x1f-y\x1f-a\x1f-b=\"c d\""));
        let empty = passing(Some("".into()), None);
        assert_eq!(empty, environment("-a\x1f-b=\"c d\""));
    }

    #[test]
    fn without_an_environment_the_flags_are_a_toml_list() {
        let ours = ["-a".to_owned(), "-b=\"c\\d\"".to_owned()];
        for target in [Target::Bare, Target::Wasi] {
            let Passing::Config(config) = Passing::new(None, None, &ours, target) else {
                panic!("there is no environment");
            };
            let table: toml::Table = config.parse().unwrap();
            let flags = &table["target"][target.triple()]["rustflags"];
            assert_eq!(flags, &toml::Value::from(ours.to_vec()));
        }
    }

    #[test]
    fn a_count_of_one_leaves_loops_alone_and_eight_forces_none() {
        assert!(unroll_arguments(Unroll(1)).is_empty());
        let options = |count| {
            let arguments = unroll_arguments(Unroll(count));
            let options = arguments.chunks(2).map(|pair| pair[1].clone());
            options.collect::<Vec<_>>().join(" ")
        };
        let eight = options(8);
        assert!(eight.contains("-force-vector-interleave=8") && !eight.contains("-unroll-count"));
        let six = options(6);
        assert!(six.contains("-unroll-max-count=6") && six.contains("-force-vector-interleave=4"));
        assert!(options(16).ends_with("llvm-args=-unroll-count=16"));
    }

    #[test]
    fn every_setting_is_toml_on_its_own() {
        for setting in profile_settings("release", true, true)
            .iter()
            .chain(&profile_settings("my-profile", false, false))
        {
            assert!(setting.parse::<toml::Table>().is_ok(), "{setting}");
        }
    }
}
