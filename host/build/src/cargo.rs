//! Cargo, as kernels are built with it: what the project is, and its core module.

use crate::flags::{self, NotUtf8, Passing, Remap, Target, Unroll};
use crate::repeat::{self, Repeat, Repeated};
use crate::target::Toolchain;
use serde::Deserialize;
use std::env;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use wasmparser::BinaryReaderError;

/// What the names of entries begin with, as the SDK's macro gives them.
const ENTRY: &str = "hotcell-kernel:";

/// What the author asks of cargo; the default is a release build with the package's own settings.
#[derive(Clone, Debug, Default)]
pub struct CargoOptions {
    /// What is compiled for.
    pub target: Target,
    /// Keep line tables, so that traps name file and line.
    pub debug: bool,
    /// How often loops are unrolled, whatever `[package.metadata.hotcell]` says.
    pub unroll: Option<Unroll>,
    /// How often a loop's body stands in it, whatever `[package.metadata.hotcell]` says.
    pub repeat: Option<Repeat>,
    /// The profile whose other settings apply.
    pub profile: Profile,
    /// Features to switch on, separated by commas.
    pub features: Option<String>,
    /// Do without the package's default features.
    pub no_default_features: bool,
    /// Fail where Cargo.lock would have to change.
    pub locked: bool,
    /// Do without the network.
    pub offline: bool,
}

/// What is done to a kernel's own loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loops {
    /// How often LLVM unrolls them.
    pub unroll: Unroll,
    /// How often a body stands in what it has left of them.
    pub repeat: Repeat,
}

/// The name of an optimised profile, which goes into a configuration key unquoted. The default is `release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile(String);

impl Default for Profile {
    fn default() -> Self {
        Self("release".to_owned())
    }
}

/// Why a name is no [`Profile`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The profile is not optimised.
    #[error("a kernel is built optimised")]
    NotOptimised,
    /// A name that a key cannot hold.
    #[error("letters, digits, `-` and `_` only")]
    NotPlain,
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match text {
            "dev" | "test" | "debug" | "" => Err(ProfileError::NotOptimised),
            _ if !text.chars().all(is_plain) => Err(ProfileError::NotPlain),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Why a folder is no kernel's project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The folder is not there.
    #[error(transparent)]
    Folder(io::Error),
    /// There is no cargo.
    #[error("cannot start cargo")]
    Start(#[source] io::Error),
    /// Cargo refuses it, and has said why.
    #[error("cargo cannot read the project in {}", .0.display())]
    Refused(PathBuf),
    /// Cargo describes it in other words than are known.
    #[error("cargo's description of the project cannot be read")]
    Description(#[source] serde_json::Error),
    /// It is a workspace without a package of its own.
    #[error("{} holds a workspace and no package: name a kernel's own folder", .0.display())]
    NoPackage(PathBuf),
}

/// Why a project has no core module.
#[derive(Debug, thiserror::Error)]
pub enum CargoError {
    /// The package's settings are not those that there are.
    #[error("Cargo.toml: [package.metadata.hotcell]")]
    Settings(#[source] serde_json::Error),
    /// A folder that cargo would have to name.
    #[error(transparent)]
    Folder(#[from] NotUtf8),
    /// There is no cargo.
    #[error("cannot start cargo")]
    Start(#[source] io::Error),
    /// Cargo was lost while it ran.
    #[error(transparent)]
    Cargo(io::Error),
    /// The compiler refuses it, and has said why.
    #[error("`{0}` does not compile")]
    Refused(String),
    /// What it compiles to cannot be read.
    #[error("the Wasm module of `{name}` cannot be read")]
    Unreadable {
        /// The package.
        name: String,
        /// The cause.
        #[source]
        source: BinaryReaderError,
    },
    /// It compiles to something else.
    #[error("cargo made no Wasm module of `{0}`")]
    NoModule(String),
    /// The module cannot be read.
    #[error("{}", module.display())]
    Module {
        /// The file.
        module: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A kernel's package, found.
#[derive(Debug)]
pub struct Project {
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
    unroll: Option<Unroll>,
    repeat: Option<Repeat>,
}

impl Project {
    /// Finds the package in `folder`, and everything that it is built from.
    ///
    /// # Errors
    /// If cargo cannot read the project, or the folder holds a workspace without a package.
    pub fn find(folder: &Path, options: &CargoOptions) -> Result<Self, ProjectError> {
        let folder = folder.canonicalize().map_err(ProjectError::Folder)?;
        let mut cargo = cargo(&folder);
        cargo.args([
            "metadata",
            "--format-version=1",
            "--filter-platform",
            options.target.triple(),
        ]);
        cargo.args(options.resolution());
        let output = cargo
            .stderr(Stdio::inherit())
            .output()
            .map_err(ProjectError::Start)?;
        if !output.status.success() {
            return Err(ProjectError::Refused(folder));
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).map_err(ProjectError::Description)?;
        let manifest = folder.join("Cargo.toml");
        let package = metadata
            .packages
            .iter()
            .find(|package| package.manifest_path == manifest)
            .cloned()
            .ok_or_else(|| ProjectError::NoPackage(folder.clone()))?;
        Ok(Self {
            folder,
            package,
            metadata,
        })
    }

    /// Where the component goes if nobody says: `kernels/NAME.wasm` in cargo's target folder.
    pub fn usual_out(&self) -> PathBuf {
        let kernels = self.metadata.target_directory.join("kernels");
        kernels.join(format!("{}.wasm", self.package.name))
    }

    /// Compiles the package and reads its core module.
    ///
    /// # Errors
    /// If the package does not compile, or is no library.
    pub fn compile(
        &self,
        options: &CargoOptions,
        toolchain: &Toolchain,
    ) -> Result<Vec<u8>, CargoError> {
        let module = self.run_rustc(self.rustc_command(options, toolchain)?)?;
        std::fs::read(&module).map_err(|source| CargoError::Module { module, source })
    }

    /// What is done to the package's loops: what the options say, else the package itself, else the default.
    ///
    /// # Errors
    /// If the package's settings are not those that there are.
    pub fn loops(&self, options: &CargoOptions) -> Result<Loops, CargoError> {
        let settings = match self.package.metadata.get("hotcell") {
            Some(table) => BuildSettings::deserialize(table).map_err(CargoError::Settings)?,
            None => BuildSettings::default(),
        };
        Ok(Loops {
            unroll: options.unroll.or(settings.unroll).unwrap_or_default(),
            repeat: options.repeat.or(settings.repeat).unwrap_or_default(),
        })
    }

    /// Repeats the loops of the package's own functions in a module that it was compiled to.
    ///
    /// # Errors
    /// If the module cannot be read.
    pub fn repeat(&self, module: Vec<u8>, count: Repeat) -> Result<Repeated, CargoError> {
        let name = &self.package.name;
        // As a segment of a mangled name is written, old form and new. Another's name that has it by chance does no harm.
        let segment = format!("{}{}", name.len(), name.replace('-', "_"));
        let is_own = |name: &str| name.starts_with(ENTRY) || name.contains(&segment);
        let unreadable = |source| CargoError::Unreadable {
            name: name.clone(),
            source,
        };
        repeat::repeat(module, count, is_own).map_err(unreadable)
    }

    fn rustc_command(
        &self,
        options: &CargoOptions,
        toolchain: &Toolchain,
    ) -> Result<Command, CargoError> {
        let mut cargo = cargo(&self.folder);
        cargo.args([
            "rustc",
            "--lib",
            "--crate-type",
            "cdylib",
            "--target",
            options.target.triple(),
        ]);
        cargo.args(["--profile", &options.profile.0]);
        cargo.arg("--message-format=json-render-diagnostics");
        cargo.args(options.resolution());
        let mut packages = self.metadata.packages.iter();
        let has_sdk = packages.any(|package| package.name == flags::SDK);
        for setting in flags::profile_settings(&options.profile.0, options.debug, has_sdk) {
            cargo.args(["--config", &setting]);
        }
        let rustflags = flags::rustflags(&self.remaps(toolchain)?);
        let (encoded, plain) = (
            env::var_os("CARGO_ENCODED_RUSTFLAGS"),
            env::var_os("RUSTFLAGS"),
        );
        match Passing::new(encoded, plain, &rustflags, options.target) {
            Passing::Environment(value) => cargo.env("CARGO_ENCODED_RUSTFLAGS", value),
            Passing::Config(value) => cargo.args(["--config", &value]),
        };
        let mut arguments = flags::unroll_arguments(self.loops(options)?.unroll);
        let linking = options.target.link_arguments().iter();
        arguments.extend(linking.map(|&argument| argument.to_owned()));
        if !arguments.is_empty() {
            cargo.arg("--").args(arguments);
        }
        Ok(cargo)
    }

    /// Runs cargo, whose diagnostics go to the terminal, and picks the module out of its messages.
    fn run_rustc(&self, mut cargo: Command) -> Result<PathBuf, CargoError> {
        let mut child = cargo
            .stdout(Stdio::piped())
            .spawn()
            .map_err(CargoError::Start)?;
        let messages = child.stdout.take().expect("the pipe was asked for");
        let mut module = None;
        for line in BufReader::new(messages).lines() {
            let line = line.map_err(CargoError::Cargo)?;
            module = self.module_of(&line).or(module);
        }
        let name = || self.package.name.clone();
        if !child.wait().map_err(CargoError::Cargo)?.success() {
            return Err(CargoError::Refused(name()));
        }
        module.ok_or_else(|| CargoError::NoModule(name()))
    }

    fn module_of(&self, line: &str) -> Option<PathBuf> {
        let message: Message = serde_json::from_str(line).ok()?;
        let is_ours = message.package_id.as_ref() == Some(&self.package.id);
        message
            .filenames
            .into_iter()
            .find(|file| is_ours && file.extension().is_some_and(|end| end == "wasm"))
    }

    /// Every folder whose name could end up in the component: the project's own paths become relative to
    /// it, a dependency's begin with its name and version.
    fn remaps(&self, toolchain: &Toolchain) -> Result<Vec<Remap>, NotUtf8> {
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
