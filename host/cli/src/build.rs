//! `hotcell build`: from a project, or a binary made without the SDK, to a kernel component.
//!
//! Source → core module (cargo) → component (wit-component) → checked → written whole. What would not
//! load is refused here, where its author can do something about it, and then nothing is written.

mod arguments;
mod measure;

use crate::collisions::Collisions;
use crate::exit::CommandError;
use anyhow::{Error, Result, anyhow};
use arguments::CargoArguments;
use hotcell_build::{
    CargoOptions, Checked, ComponentizeError, Loops, ManifestSource, Project, Repeat, Repeated,
    Repetition, Toolchain, Unroll, check, componentize_for, parse_manifest, with_shaders,
};
use hotcell_formats::open_regular;
use hotcell_manifest::{Kernel, Manifest};
use hotcell_model::outcome::OutcomeKind;
use measure::{Candidate, Launch};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The longest `kernel.toml` read: as much as a manifest's section may hold.
const MANIFEST_FILE_BYTES: u64 = 1 << 20;
/// The longest file of a shader read: SPIR-V is longer than the WGSL of it, which a component has at most 1 MiB of.
const SHADER_FILE_BYTES: u64 = 4 << 20;

/// Build a kernel component
///
/// Compiles the package in a folder for Wasm and makes a component of it, with the manifest that
/// `hotcell_guest::export!` left. Given a file, makes a component of a relocatable object, as `clang -c` leaves it, or of a core
/// module, or adds a manifest to a component, that was made by other means.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildCommand {
    /// The kernel's package; or an object, a core module or a component
    #[arg(value_name = "PROJECT_DIR|FILE", default_value = ".")]
    path: PathBuf,
    /// Where the component goes
    ///
    /// A project's goes to `target/kernels/NAME.wasm` in cargo's target folder, a file's to `NAME.wasm` in
    /// the working directory, named after the component.
    #[arg(long, short, value_name = "FILE.wasm")]
    out: Option<PathBuf>,
    /// The manifest of a component made without the SDK
    #[arg(long, value_name = "KERNEL.toml", help_heading = "Without the SDK")]
    manifest: Option<PathBuf>,
    /// Put the file's manifest in the place of the one that is there
    #[arg(long, requires = "manifest", help_heading = "Without the SDK")]
    replace: bool,
    /// A shader that the component is given, as WGSL or as SPIR-V; may be said several times
    ///
    /// A kernel asks for it by that name. WGSL is made of SPIR-V here, with buffers laid out as they are there; its entry
    /// points keep their names.
    #[arg(long = "shader", value_name = "NAME=FILE", value_parser = shader, help_heading = "Without the SDK")]
    shaders: Vec<(String, PathBuf)>,
    /// Measure which `--unroll` and `--repeat` pay for the launch behind `--`, given as to `hotcell run KERNEL`
    ///
    /// The kernel is built with several of both, and the bodies are timed in turns. What is found is said, as lines for
    /// Cargo.toml; what is built is what Cargo.toml and the options say.
    #[arg(long, help_heading = "Measuring")]
    measure: bool,
    /// The launch to measure, as `hotcell run` takes it: an entry, `--in NAME=@FILE`, `--dim NAME=N` and so on
    #[arg(
        last = true,
        requires = "measure",
        value_name = "LAUNCH",
        allow_hyphen_values = true,
        help_heading = "Measuring"
    )]
    launch: Vec<OsString>,
    #[command(flatten)]
    cargo: CargoArguments,
}

impl BuildCommand {
    /// Builds, checks, writes, and says in one line what was made.
    ///
    /// # Errors
    /// With the exit code: a path that cannot be read or written, source that does not compile, a
    /// component that would not load.
    pub(crate) fn execute(self) -> Result<()> {
        let found = fs::metadata(&self.path).map_err(|error| unusable(&self.path, error))?;
        self.check_out()?;
        if !found.is_dir() {
            if self.measure {
                let why = "--measure builds a project in several ways: name its folder";
                return Err(CommandError::of(OutcomeKind::Usage, anyhow!(why)));
            }
            let component = self.build_file()?;
            return self.finish(&component, None, "");
        }
        let launch = self.measure.then(|| Launch::prepare(&self.launch));
        let launch = launch.transpose()?;
        let source = self.source()?;
        let loops = source.project.loops(&source.options);
        let loops = loops.map_err(|error| refused(&self.path, error))?;
        let module = self.compile(&source, loops.unroll)?;
        let (component, done) = self.repeat(&source, module, loops.repeat)?;
        let usual_out = source.project.usual_out();
        self.finish(&component, Some(usual_out), &said(loops, done))?;
        match launch {
            Some(launch) => launch.measure(self.candidates(&source, loops)?),
            None => Ok(()),
        }
    }

    /// Checks a component, writes it, and says in one line what was made.
    fn finish(&self, component: &[u8], usual_out: Option<PathBuf>, loops: &str) -> Result<()> {
        let checked = check(component).map_err(|error| refused(&self.path, error))?;
        let out = match self.out.clone().or(usual_out) {
            Some(out) => out,
            None => named_after(&checked.manifest, &self.path)?,
        };
        write(&out, component).map_err(|error| unusable(&out, error))?;
        let summary = summary(&out, component.len(), &checked);
        crate::say::note(format_args!("{summary}{loops}"))
    }

    /// Refuses a place for the component that something else has, before anything is built.
    fn check_out(&self) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let mut collisions = Collisions::default();
        if let Some(manifest) = &self.manifest {
            collisions.reads("the manifest", manifest);
        }
        for (_, file) in &self.shaders {
            collisions.reads("a shader", file);
        }
        // The file itself may be replaced by a name that it is given by, and by no other.
        if *out != self.path {
            collisions.reads("what is read,", &self.path);
        }
        collisions.check_written("the component", out)?;
        match out.symlink_metadata() {
            Ok(found) if !found.is_file() => {
                let why = "a link, a directory or a device, which a component does not replace";
                Err(unusable(out, anyhow!(why)))
            }
            _ => Ok(()),
        }
    }

    /// The project in the folder, with what it is built by.
    fn source(&self) -> Result<Source> {
        if !self.shaders.is_empty() {
            let why = "--shader goes with an object, a core module or a component; a project's source names its shaders (`gpu::wgsl!`)";
            return Err(CommandError::of(OutcomeKind::Usage, anyhow!(why)));
        }
        if self.manifest.is_some() {
            let why =
                "--manifest goes with an object, a core module or a component, not with a folder";
            return Err(CommandError::of(OutcomeKind::Usage, anyhow!(why)));
        }
        let options = CargoOptions::from(self.cargo.clone());
        let toolchain = Toolchain::prepare(&self.path, options.target)
            .map_err(|error| CommandError::of(OutcomeKind::HostFault, error))?;
        let project = Project::find(&self.path, &options)
            .map_err(|error| CommandError::of(OutcomeKind::InvalidComponent, error))?;
        Ok(Source {
            project,
            options,
            toolchain,
        })
    }

    /// The core module of a project, unrolled so far.
    fn compile(&self, source: &Source, unroll: Unroll) -> Result<Vec<u8>> {
        let options = CargoOptions {
            unroll: Some(unroll),
            ..source.options.clone()
        };
        let module = source.project.compile(&options, &source.toolchain);
        module.map_err(|error| refused(&self.path, error))
    }

    /// The component of a project's core module, with its loops repeated.
    fn repeat(
        &self,
        source: &Source,
        module: Vec<u8>,
        count: Repeat,
    ) -> Result<(Vec<u8>, Repetition)> {
        let repeated = source.project.repeat(module, count);
        let Repeated { module, done } = repeated.map_err(|error| refused(&self.path, error))?;
        let component = componentize_for(source.options.target, &module, ManifestSource::Binary)
            .map_err(|error| not_made(&self.path, error))?;
        Ok((component, done))
    }

    /// The project built in all the ways that are tried.
    fn candidates(&self, source: &Source, package: Loops) -> Result<Vec<Candidate>> {
        let mut modules = BTreeMap::new();
        let mut candidates = Vec::new();
        for loops in measure::tried(package)? {
            let module = match modules.entry(loops.unroll.count()) {
                Entry::Occupied(compiled) => compiled.into_mut(),
                Entry::Vacant(free) => free.insert(self.compile(source, loops.unroll)?),
            };
            let (component, _) = self.repeat(source, module.clone(), loops.repeat)?;
            candidates.push(Candidate::new(loops, component));
        }
        Ok(candidates)
    }

    /// The component of a file made by other means.
    fn build_file(&self) -> Result<Vec<u8>> {
        let mut wasm = Vec::new();
        open_regular(&self.path)
            .and_then(|mut file| file.read_to_end(&mut wasm))
            .map_err(|error| unusable(&self.path, error))?;
        let manifest = self.manifest.as_deref().map(read_manifest).transpose()?;
        let source = match &manifest {
            None => ManifestSource::Binary,
            Some(manifest) if self.replace => ManifestSource::Replacement(manifest),
            Some(manifest) => ManifestSource::Given(manifest),
        };
        let target = CargoOptions::from(self.cargo.clone()).target;
        let component = componentize_for(target, &wasm, source);
        let component = component.map_err(|error| not_made(&self.path, error))?;
        if self.shaders.is_empty() {
            return Ok(component);
        }
        let read = |(name, path): &(String, PathBuf)| -> Result<_> {
            Ok((name.clone(), read_shader(path)?))
        };
        let shaders: Vec<_> = self.shaders.iter().map(read).collect::<Result<_>>()?;
        with_shaders(&component, &shaders).map_err(|error| refused(&self.path, error))
    }
}

/// A shader's name and its file, as `--shader` takes them.
fn shader(argument: &str) -> Result<(String, PathBuf), &'static str> {
    match argument.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.into()))
        }
        _ => Err("write it as NAME=FILE, such as step.wgsl=step.spv"),
    }
}

/// Reads a shader's file.
fn read_shader(path: &Path) -> Result<Vec<u8>> {
    let io = |error| unusable(path, error);
    let mut bytes = Vec::new();
    open_regular(path)
        .map_err(io)?
        .take(SHADER_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > SHADER_FILE_BYTES {
        let why = anyhow!("longer than the {SHADER_FILE_BYTES} bytes allowed");
        return Err(refused(path, why));
    }
    Ok(bytes)
}

/// A project, and what it is built by.
struct Source {
    project: Project,
    options: CargoOptions,
    toolchain: Toolchain,
}

/// What was done to a project's loops, where something was asked for.
fn said(loops: Loops, done: Repetition) -> String {
    match done {
        Repetition::Loops(_) if loops.repeat == Repeat::default() => String::new(),
        Repetition::Loops(1) => format!(", 1 loop repeated {}×", loops.repeat.count()),
        Repetition::Loops(count) => {
            format!(", {count} loops repeated {}×", loops.repeat.count())
        }
        Repetition::Placed => ", no loops repeated: line tables would be wrong".to_owned(),
    }
}

/// Reads `kernel.toml`.
fn read_manifest(path: &Path) -> Result<Manifest> {
    let io = |error| unusable(path, error);
    let mut text = String::new();
    open_regular(path)
        .map_err(io)?
        .take(MANIFEST_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(io)?;
    if text.len() as u64 > MANIFEST_FILE_BYTES {
        let why = anyhow!("longer than the {MANIFEST_FILE_BYTES} bytes allowed");
        return Err(refused(path, why));
    }
    parse_manifest(&path.display().to_string(), &text)
        .map_err(|error| CommandError::of(OutcomeKind::InvalidComponent, error))
}

/// `NAME.wasm` in the working directory, which must not be the very file that was read.
fn named_after(manifest: &Manifest, input: &Path) -> Result<PathBuf> {
    let name = &manifest.component().name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        let why = anyhow!("the component's name `{name}` is no file name: say --out FILE.wasm");
        return Err(CommandError::of(OutcomeKind::Usage, why));
    }
    let out = PathBuf::from(format!("{name}.wasm"));
    if out
        .canonicalize()
        .is_ok_and(|out| input.canonicalize().is_ok_and(|input| input == out))
    {
        let why = anyhow!(
            "{} would replace what was read: say --out FILE.wasm",
            out.display()
        );
        return Err(CommandError::of(OutcomeKind::Usage, why));
    }
    Ok(out)
}

/// Writes a file whole or not at all, with the permissions that any new file gets.
fn write(out: &Path, component: &[u8]) -> std::io::Result<()> {
    let folder = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(component)?;
    file.persist(out)?;
    Ok(())
}

/// `saxpy.wasm: 20.7 KiB, saxpy (n),(n)->(n), imports arrays, failure`.
fn summary(out: &Path, size: usize, checked: &Checked) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let out = out.strip_prefix(here).unwrap_or(out).display();
    let entry = |kernel: &Kernel| format!("{} {}", kernel.name(), kernel.record().signature);
    let kernels: Vec<_> = checked.manifest.kernels().iter().map(entry).collect();
    let imports: Vec<_> = checked.imports.iter().map(|name| short(name)).collect();
    let (kernels, imports) = (kernels.join("; "), imports.join(", "));
    format!("{out}: {}, {kernels}, imports {imports}", kibibytes(size))
}

/// An interface's name without package and version.
fn short(interface: &str) -> &str {
    let name = interface.rsplit('/').next().unwrap_or(interface);
    name.split('@').next().unwrap_or(name)
}

fn kibibytes(bytes: usize) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1024);
    format!("{}.{} KiB", tenths / 10, tenths % 10)
}

fn unusable(path: &Path, error: impl Into<Error>) -> Error {
    CommandError::of(
        OutcomeKind::Io,
        error.into().context(path.display().to_string()),
    )
}

fn refused(path: &Path, error: impl Into<Error>) -> Error {
    CommandError::of(
        OutcomeKind::InvalidComponent,
        error.into().context(path.display().to_string()),
    )
}

/// Why no component was made, with the options that help.
fn not_made(path: &Path, error: ComponentizeError) -> Error {
    let option = match error {
        ComponentizeError::NoManifest => " with --manifest KERNEL.toml",
        ComponentizeError::HasManifest => "; --replace puts the file's in its place",
        _ => return refused(path, error),
    };
    refused(path, anyhow!("{error}{option}"))
}

#[cfg(test)]
mod tests;
