//! `cargo xtask install`: the command, its workers and its documents below a prefix.
//!
//! All of it is copied to a place of its own below the prefix first, and tried there: the copy's `hotcell doctor` has to
//! find its workers and speak with them. Then file after file is renamed over the old one, the command last. What is
//! missing, of another build, or does not fit leaves the old installation as it was.

use crate::process::{cargo, root, run, target};
use crate::workers::build_all;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// The command, from the prefix. It looks for its workers in `../libexec/hotcell` from there.
const COMMAND: &str = "bin/hotcell";
/// The workers' directory, from the prefix; in cargo's target directory it has the same name.
const WORKERS: &str = "libexec/hotcell";
/// The confined programs.
pub(crate) const PROGRAMS: [&str; 3] = ["hotcell-compiler", "hotcell-runner", "hotcell-gpu"];
/// Where documents go, laid out as in the repository, so that their links lead somewhere.
const DOCUMENTS: &str = "share/doc/hotcell";
/// What of the repository a user reads.
const READ_BY_USERS: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "docs",
    "packaging",
];
/// What shells complete the command's words with, from the prefix, where each looks for such files; in cargo's target
/// directory they have the same names.
pub(crate) const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/hotcell"),
    ("zsh", "share/zsh/site-functions/_hotcell"),
    ("fish", "share/fish/vendor_completions.d/hotcell.fish"),
];
/// The names of all installed files, one a line, from the prefix: what an upgrade or a removal may take away.
const LIST: &str = "libexec/hotcell/files.txt";
/// Where the new files, and then the old ones, stand in between.
const STAGE: &str = ".hotcell-install";

/// Install the command with its workers and documents, or take an installation away.
///
/// PREFIX gets bin/hotcell, libexec/hotcell, share/doc/hotcell and completions for shells. A file that was there is replaced at once; one that
/// the last installation had and this one has not is removed.
#[derive(Args)]
pub(crate) struct InstallChore {
    /// Where to
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    prefix: PathBuf,
    /// Put before the prefix: for packages, which are put together elsewhere
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
    /// The workers alone, for a program that embeds the library
    #[arg(long)]
    workers_only: bool,
    /// Build nothing; take what is in DIR, laid out as target/ is
    #[arg(long, value_name = "DIR")]
    built: Option<PathBuf>,
    /// Do not try the programs, which may be for another machine
    #[arg(long)]
    untried: bool,
    /// Take the installation below the prefix away
    #[arg(long, conflicts_with_all = ["built", "untried", "workers_only"])]
    remove: bool,
}

impl InstallChore {
    pub(crate) fn run(self) -> Result<()> {
        let prefix = self.place()?;
        if self.remove {
            return remove(&prefix);
        }
        let built = match &self.built {
            Some(directory) => directory.clone(),
            None => build()?,
        };
        let files = files(&built, self.workers_only)?;
        make_directory(&prefix)?;
        let _lock = lock(&prefix)?;
        let before = listed(&prefix)?;
        ensure!(
            !(self.workers_only && before.contains(Path::new(COMMAND))),
            "{} has the command too: take it away with --remove before you put workers alone there",
            prefix.display()
        );
        let stage = Stage::begin(&prefix)?;
        // The command is tried even where it is not installed.
        stage.copy(&built.join("release/hotcell"), Path::new(COMMAND), 0o755)?;
        for file in &files {
            stage.copy(&file.source, &file.name, file.mode)?;
        }
        if !self.untried {
            stage.try_out()?;
        }
        let list = [Path::new(LIST)].into_iter();
        let names: Vec<&Path> = list
            .chain(files.iter().map(|file| file.name.as_path()))
            .collect();
        stage.write_list(&names)?;
        stage.put_in_place(&names)?;
        for name in before
            .iter()
            .filter(|name| !names.contains(&name.as_path()))
        {
            remove_file(&prefix, name)?;
        }
        println!("{}: {} files", prefix.display(), names.len());
        Ok(())
    }

    /// The prefix, below the directory that a package is put together in.
    fn place(&self) -> Result<PathBuf> {
        let prefix = std::path::absolute(&self.prefix)?;
        let Some(destdir) = &self.destdir else {
            return Ok(prefix);
        };
        Ok(std::path::absolute(destdir)?.join(prefix.strip_prefix("/")?))
    }
}

/// Builds the command and its workers, and no more of the workspace; with everything's features, so that nothing is
/// compiled twice by those who build the rest too.
pub(crate) fn build() -> Result<PathBuf> {
    let mut command = cargo();
    command
        .args(["build", "--release", "--locked", "--workspace"])
        .args(["--exclude", "xtask", "--bin", "hotcell"]);
    run(&mut command)?;
    build_all()?;
    complete()?;
    Ok(target())
}

/// Has the command that was built write what shells complete its words with.
fn complete() -> Result<()> {
    for (shell, file) in COMPLETIONS {
        let mut command = Command::new(target().join("release/hotcell"));
        let written = command.args(["completions", shell]).output()?;
        ensure!(
            written.status.success(),
            "hotcell completions {shell} failed"
        );
        let file = target().join(file);
        make_directory(file.parent().context("it is in a folder")?)?;
        fs::write(file, written.stdout)?;
    }
    Ok(())
}

/// A file to install: where it is, its name from the prefix, its mode.
struct Installed {
    source: PathBuf,
    name: PathBuf,
    mode: u32,
}

/// All files in the order in which they are put in place: the command comes last, so that one that runs before finds
/// the workers of its own build for as long as can be.
fn files(built: &Path, workers_only: bool) -> Result<Vec<Installed>> {
    let mut files = Vec::new();
    if !workers_only {
        for part in READ_BY_USERS {
            documents(Path::new(part), &mut files)?;
        }
        // Whoever lays out other builds need not have them.
        let files_of = |(_, name): (&str, &str)| Installed {
            source: built.join(name),
            name: name.into(),
            mode: 0o644,
        };
        let completions = COMPLETIONS.map(files_of).into_iter();
        files.extend(completions.filter(|file| file.source.is_file()));
    }
    let mut program = |source: PathBuf, name: PathBuf| {
        let mode = 0o755;
        files.push(Installed { source, name, mode });
    };
    for name in PROGRAMS {
        let name = Path::new(WORKERS).join(name);
        program(built.join(&name), name);
    }
    if !workers_only {
        program(built.join("release/hotcell"), COMMAND.into());
    }
    for file in &files {
        ensure!(
            file.source.is_file(),
            "no {}: build everything with `cargo xtask workers`, or leave `--built` away; nothing was installed",
            file.source.display()
        );
    }
    Ok(files)
}

/// A document, or all that are in a folder.
fn documents(part: &Path, files: &mut Vec<Installed>) -> Result<()> {
    let source = root().join(part);
    if !source.is_dir() {
        files.push(Installed {
            source,
            name: Path::new(DOCUMENTS).join(part),
            mode: 0o644,
        });
        return Ok(());
    }
    let mut entries: Vec<_> = fs::read_dir(&source)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    entries
        .iter()
        .try_for_each(|entry| documents(&part.join(entry.file_name()), files))
}

/// One installation at a time: the lock is on the prefix itself, and leaves nothing behind.
fn lock(prefix: &Path) -> Result<File> {
    let directory = File::open(prefix).with_context(|| prefix.display().to_string())?;
    directory.try_lock().with_context(|| {
        format!(
            "another installation into {} is under way",
            prefix.display()
        )
    })?;
    Ok(directory)
}

/// The new files, before they are in place. Gone when it is dropped.
struct Stage {
    prefix: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.prefix.join(STAGE));
    }
}

impl Stage {
    fn begin(prefix: &Path) -> Result<Self> {
        let directory = prefix.join(STAGE);
        // One that was killed may have left its own.
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| directory.display().to_string());
            }
            _ => {}
        }
        let stage = Self {
            prefix: prefix.to_owned(),
            new: directory.join("new"),
            old: directory.join("old"),
        };
        make_directory(&stage.new)?;
        make_directory(&stage.old)?;
        Ok(stage)
    }

    /// Copies a file whole, onto the disk.
    fn copy(&self, source: &Path, name: &Path, mode: u32) -> Result<()> {
        let place = self.new.join(name);
        make_directory(place.parent().unwrap_or(&self.new))?;
        fs::copy(source, &place)
            .and_then(|_| fs::set_permissions(&place, Permissions::from_mode(mode)))
            .and_then(|()| File::open(&place)?.sync_all())
            .with_context(|| format!("cannot copy {} to {}", source.display(), place.display()))
    }

    fn write_list(&self, names: &[&Path]) -> Result<()> {
        let text: String = names
            .iter()
            .map(|name| format!("{}\n", name.display()))
            .collect();
        let place = self.new.join(LIST);
        fs::write(&place, text).with_context(|| place.display().to_string())
    }

    /// Has the copied command speak with the copied workers. A machine without walls is no reason to refuse; programs
    /// of two builds, or a worker that does not start, are.
    fn try_out(&self) -> Result<()> {
        let command = self.new.join(COMMAND);
        let tried = Command::new(&command)
            .args(["doctor", "--json"])
            .output()
            .with_context(|| format!("cannot run {}", command.display()))?;
        let Ok(found) = serde_json::from_slice::<serde_json::Value>(&tried.stdout) else {
            bail!(
                "the programs do not work together, or not on this machine (`--untried` does not ask); nothing was \
                 installed: {}",
                String::from_utf8_lossy(&tried.stderr).trim()
            );
        };
        let build = found["workers"][0]["build"].as_str().unwrap_or_default();
        self.check_build(build)?;
        let tier = found["tier"].as_str().unwrap_or("unknown");
        println!("build {build}; the walls on this machine are of tier {tier}");
        Ok(())
    }

    /// The GPU worker says nothing before it has a device, which may not be here; so its build id is looked for in the
    /// file. It has to be found in the command too: else the check is blind.
    fn check_build(&self, build: &str) -> Result<()> {
        let id = u128::from_str_radix(build, 16).context("doctor names no build")?;
        for name in [Path::new(COMMAND), &Path::new(WORKERS).join("hotcell-gpu")] {
            let bytes = fs::read(self.new.join(name))?;
            let has_id = bytes.windows(16).any(|window| window == id.to_be_bytes());
            ensure!(
                has_id,
                "{} is not of build {build}, as the others are; nothing was installed",
                name.display()
            );
        }
        Ok(())
    }

    /// Renames every file into its place; after a failure all is as it was.
    fn put_in_place(&self, names: &[&Path]) -> Result<()> {
        for (done, name) in names.iter().enumerate() {
            if let Err(error) = self.put(name) {
                names[..done].iter().for_each(|name| self.put_back(name));
                return Err(error.context("nothing was installed"));
            }
        }
        Ok(())
    }

    /// The old file, if there is one, gets a second name in the stage, and the new one takes its place at once.
    fn put(&self, name: &Path) -> Result<()> {
        let (new, place, old) = (
            self.new.join(name),
            self.prefix.join(name),
            self.old.join(name),
        );
        let words = || format!("cannot replace {}", place.display());
        make_directory(place.parent().unwrap_or(&self.prefix))?;
        make_directory(old.parent().unwrap_or(&self.old))?;
        if place.symlink_metadata().is_ok() {
            fs::hard_link(&place, &old).with_context(words)?;
        }
        fs::rename(new, &place).with_context(words)
    }

    fn put_back(&self, name: &Path) {
        let (place, old) = (self.prefix.join(name), self.old.join(name));
        let result = match old.symlink_metadata() {
            Ok(_) => fs::rename(old, &place),
            Err(_) => fs::remove_file(&place),
        };
        if let Err(error) = result {
            eprintln!("xtask: cannot put {} back: {error}", place.display());
        }
    }
}

/// Makes a directory with its parents; those that it makes are open to nobody for writing, whatever the umask.
fn make_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
        .with_context(|| path.display().to_string())
}

/// What the list of the installation below the prefix names. A line that leads out of the prefix is an error.
fn listed(prefix: &Path) -> Result<BTreeSet<PathBuf>> {
    let list = prefix.join(LIST);
    let text = match fs::read_to_string(&list) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        text => text.with_context(|| list.display().to_string())?,
    };
    let names: BTreeSet<PathBuf> = text.lines().map(PathBuf::from).collect();
    let stays_inside = |name: &PathBuf| {
        let mut parts = name.components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    match names.iter().find(|name| !stays_inside(name)) {
        Some(name) => bail!("{} names {}", list.display(), name.display()),
        None => Ok(names),
    }
}

/// Takes away what was installed, and no file besides.
fn remove(prefix: &Path) -> Result<()> {
    let names = listed(prefix)?;
    ensure!(
        !names.is_empty(),
        "nothing of hotcell's is installed in {}: there is no {LIST}",
        prefix.display()
    );
    let _lock = lock(prefix)?;
    // The list goes last: a removal that was cut short can be tried again.
    let (list, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| *name == Path::new(LIST));
    for name in others.into_iter().chain(list) {
        remove_file(prefix, name)?;
    }
    println!("{}: {} files removed", prefix.display(), names.len());
    Ok(())
}

/// Removes a file, and the directories of hotcell's own that it leaves empty.
fn remove_file(prefix: &Path, name: &Path) -> Result<()> {
    match fs::remove_file(prefix.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| prefix.join(name).display().to_string());
        }
        _ => {}
    }
    for folder in name.ancestors().skip(1) {
        let is_own = folder.starts_with(WORKERS) || folder.starts_with(DOCUMENTS);
        if !is_own || fs::remove_dir(prefix.join(folder)).is_err() {
            break;
        }
    }
    Ok(())
}
