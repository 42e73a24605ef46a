//! Cargo, as `hotcell build` uses it: what the project is, and its core module.

use super::flags::{self, DEFAULT_UNROLL, Passing, Remap, TARGET};
use super::target::Toolchain;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the author asks of cargo.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cargo")]
pub(crate) struct CargoOptions {
    /// Keep line tables, so that traps name file and line
    ///
    /// Function names are kept in any case.
    #[arg(long)]
    debug: bool,
    /// How often loops are unrolled; 1 leaves them alone
    ///
    /// Unrolled loops hide what metering costs; too much of it makes code large. Without this it is
    /// `unroll` under `[package.metadata.hotcell]` in Cargo.toml, else 8.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    unroll: Option<u32>,
    /// The profile whose other settings apply
    #[arg(long, value_name = "NAME", default_value = "release", value_parser = profile_name)]
    profile: String,
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

/// Profile names go into a configuration key unquoted.
fn profile_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match text {
        "dev" | "test" | "debug" | "" => Err("a kernel is built optimised".to_owned()),
        _ if !text.chars().all(is_plain) => Err("letters, digits, `-` and `_` only".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A kernel's package, found.
#[derive(Debug)]
pub(crate) struct Project {
    folder: PathBuf,
    package: Package,
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    manifest_path: PathBuf,
    #[serde(default)]
    metadata: serde_json::Value,
}

/// `[package.metadata.hotcell]` in Cargo.toml.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildSettings {
    unroll: Option<u32>,
}

impl Project {
    /// Finds the package in `folder`, and everything that it is built from.
    ///
    /// # Errors
    /// If cargo cannot read the project, or the folder holds a workspace without a package.
    pub(crate) fn find(folder: &Path, options: &CargoOptions) -> Result<Self> {
        let folder = folder.canonicalize()?;
        let mut cargo = cargo(&folder);
        cargo.args([
            "metadata",
            "--format-version=1",
            "--filter-platform",
            TARGET,
        ]);
        cargo.args(options.resolution());
        let output = cargo
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        ensure!(
            output.status.success(),
            "cargo cannot read the project in {}",
            folder.display()
        );
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .context("cargo's description of the project cannot be read")?;
        let manifest = folder.join("Cargo.toml");
        let package = metadata
            .packages
            .iter()
            .find(|package| package.manifest_path == manifest)
            .cloned()
            .with_context(|| {
                let folder = folder.display();
                format!("{folder} holds a workspace and no package: name a kernel's own folder")
            })?;
        Ok(Self {
            folder,
            package,
            metadata,
        })
    }

    /// Where the component goes if nobody says: `kernels/NAME.wasm` in cargo's target folder.
    pub(crate) fn usual_out(&self) -> PathBuf {
        let kernels = self.metadata.target_directory.join("kernels");
        kernels.join(format!("{}.wasm", self.package.name))
    }

    /// Compiles the package and reads its core module.
    ///
    /// # Errors
    /// If the package does not compile, or is no library.
    pub(crate) fn compile(&self, options: &CargoOptions, toolchain: &Toolchain) -> Result<Vec<u8>> {
        let module = self.run_rustc(self.rustc_command(options, toolchain)?)?;
        std::fs::read(&module).with_context(|| module.display().to_string())
    }

    fn rustc_command(&self, options: &CargoOptions, toolchain: &Toolchain) -> Result<Command> {
        let mut cargo = cargo(&self.folder);
        cargo.args([
            "rustc",
            "--lib",
            "--crate-type",
            "cdylib",
            "--target",
            TARGET,
        ]);
        cargo.args(["--profile", &options.profile]);
        cargo.arg("--message-format=json-render-diagnostics");
        cargo.args(options.resolution());
        for setting in flags::profile_settings(&options.profile, options.debug) {
            cargo.args(["--config", &setting]);
        }
        let rustflags = flags::rustflags(&self.remaps(toolchain)?);
        let (encoded, plain) = (
            env::var_os("CARGO_ENCODED_RUSTFLAGS"),
            env::var_os("RUSTFLAGS"),
        );
        match Passing::new(encoded, plain, &rustflags) {
            Passing::Environment(value) => cargo.env("CARGO_ENCODED_RUSTFLAGS", value),
            Passing::Config(value) => cargo.args(["--config", &value]),
        };
        let arguments = flags::unroll_arguments(self.unroll(options)?);
        if !arguments.is_empty() {
            cargo.arg("--").args(arguments);
        }
        Ok(cargo)
    }

    /// Runs cargo, whose diagnostics go to the terminal, and picks the module out of its messages.
    fn run_rustc(&self, mut cargo: Command) -> Result<PathBuf> {
        let mut child = cargo
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cargo")?;
        let messages = child.stdout.take().expect("the pipe was asked for");
        let mut module = None;
        for line in BufReader::new(messages).lines() {
            module = self.module_of(&line?).or(module);
        }
        ensure!(
            child.wait()?.success(),
            "`{}` does not compile",
            self.package.name
        );
        module.ok_or_else(|| anyhow!("cargo made no Wasm module of `{}`", self.package.name))
    }

    fn module_of(&self, line: &str) -> Option<PathBuf> {
        let message: Message = serde_json::from_str(line).ok()?;
        let is_ours = message.package_id.as_ref() == Some(&self.package.id);
        message
            .filenames
            .into_iter()
            .find(|file| is_ours && file.extension().is_some_and(|end| end == "wasm"))
    }

    fn unroll(&self, options: &CargoOptions) -> Result<u32> {
        let settings = match self.package.metadata.get("hotcell") {
            Some(table) => BuildSettings::deserialize(table)
                .context("Cargo.toml: [package.metadata.hotcell]")?,
            None => BuildSettings::default(),
        };
        let wanted = options.unroll.or(settings.unroll);
        match wanted.unwrap_or(DEFAULT_UNROLL) {
            count if (1..=64).contains(&count) => Ok(count),
            count => bail!(
                "Cargo.toml: [package.metadata.hotcell]: unroll is {count}, from 1 to 64 are allowed"
            ),
        }
    }

    /// Every folder whose name could end up in the component: the project's own paths become relative to
    /// it, a dependency's begin with its name and version.
    fn remaps(&self, toolchain: &Toolchain) -> Result<Vec<Remap>> {
        let root = &self.metadata.workspace_root;
        let mut remaps = vec![Remap::new(&toolchain.sysroot, "rust")?];
        if let Some(hash) = &toolchain.source_of {
            remaps.push(Remap::new(&toolchain.source(), format!("/rustc/{hash}"))?);
        }
        remaps.push(Remap::new(root, "")?);
        for package in &self.metadata.packages {
            let folder = package.manifest_path.parent().unwrap_or(Path::new("/"));
            if !folder.starts_with(root) {
                let name = format!("{}-{}", package.name, package.version);
                remaps.push(Remap::new(folder, name)?);
            }
        }
        remaps.push(Remap::new(&self.metadata.target_directory, "target")?);
        Ok(remaps)
    }
}

/// One of cargo's messages; of all but those about artifacts the lists are empty.
#[derive(Deserialize)]
struct Message {
    package_id: Option<String>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

impl CargoOptions {
    /// What decides over the packages that are used.
    fn resolution(&self) -> Vec<&str> {
        let mut arguments = Vec::new();
        if let Some(features) = &self.features {
            arguments.extend(["--features", features]);
        }
        let switches = [
            (self.no_default_features, "--no-default-features"),
            (self.locked, "--locked"),
            (self.offline, "--offline"),
        ];
        arguments.extend(
            switches
                .iter()
                .filter(|(is_on, _)| *is_on)
                .map(|(_, name)| *name),
        );
        arguments
    }
}

/// Cargo in a folder. Run by cargo, this command uses that very cargo.
fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folder);
    cargo
}
