//! What the author asks of cargo, on the command line.

use clap::builder::TypedValueParser as _;
use hotcell_build::{CargoOptions, Profile, Repeat, Target, Unroll};

/// The arguments under the heading `Cargo`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cargo")]
pub(crate) struct CargoArguments {
    /// Compile for WASI, so that the standard library has files and an output
    ///
    /// The component then imports `wasi`, which has to be granted: it finds no more there than it was granted, and
    /// no directory without `files`.
    #[arg(long)]
    wasi: bool,
    /// Keep line tables, so that traps name file and line
    ///
    /// Function names are kept in any case.
    #[arg(long)]
    debug: bool,
    /// How often loops are unrolled; 1 leaves them alone
    ///
    /// Unrolled loops hide what metering costs; too much of it makes code large. Without this it is
    /// `unroll` under `[package.metadata.hotcell]` in Cargo.toml, else 8.
    #[arg(long, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=64).try_map(Unroll::try_from))]
    unroll: Option<Unroll>,
    /// How often the body of an innermost loop stands in it; 1 leaves them alone
    ///
    /// One check of metering stands for so many rounds then, whatever LLVM could do with the loop. Without this it
    /// is `repeat` under `[package.metadata.hotcell]` in Cargo.toml, else 1. With --debug loops stay as they are.
    #[arg(long, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=32).try_map(Repeat::try_from))]
    repeat: Option<Repeat>,
    /// The profile whose other settings apply
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: Profile,
    /// Features to switch on, separated by commas
    #[arg(long, value_name = "FEATURES")]
    features: Option<String>,
    /// Do without the package's default features
    #[arg(long)]
    no_default_features: bool,
    /// Fail where Cargo.lock would have to change
    #[arg(long)]
    locked: bool,
    /// Do without the network
    #[arg(long)]
    offline: bool,
}

impl From<CargoArguments> for CargoOptions {
    fn from(arguments: CargoArguments) -> Self {
        Self {
            target: match arguments.wasi {
                true => Target::Wasi,
                false => Target::Bare,
            },
            debug: arguments.debug,
            unroll: arguments.unroll,
            repeat: arguments.repeat,
            profile: arguments.profile,
            features: arguments.features,
            no_default_features: arguments.no_default_features,
            locked: arguments.locked,
            offline: arguments.offline,
        }
    }
}
