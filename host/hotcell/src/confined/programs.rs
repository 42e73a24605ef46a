//! Finding the worker programs, and refusing those that somebody else could have put there.
//!
//! Never by `PATH` and never by the environment: whoever can choose the program chooses what runs with this
//! user's rights before it locks itself.

use hotcell_model::layer::WorkerKind;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the programs are, from the directory of the current executable, in an installation.
const INSTALLED: &str = "../libexec/hotcell";

/// Why the worker programs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// They are not there.
    #[error(
        "no worker programs in {}: install hotcell whole, or build them with `cargo xtask workers` and name \
         their directory",
        list(looked_in)
    )]
    Missing {
        /// Where they were looked for.
        looked_in: Vec<PathBuf>,
    },
    /// One is there, and somebody else may have put it there.
    #[error("will not start {}: it {why}", path.display())]
    NotTrusted {
        /// The program or its directory.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
    /// The operating system says no.
    #[error("cannot look at {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(" or ")
}

/// The worker programs, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Programs {
    pub(crate) compiler: PathBuf,
    pub(crate) runner: PathBuf,
    pub(crate) gpu: PathBuf,
}

impl Programs {
    /// The programs in `directory`, or where an installation has them.
    ///
    /// `trusted` is a file of the running program, if one is named: who can write to it is trusted with the programs.
    pub(crate) fn find(
        directory: Option<&Path>,
        trusted: Option<&Path>,
    ) -> Result<Self, ProgramError> {
        let trust = Trust::of(trusted)?;
        let candidates = match directory {
            Some(directory) => vec![directory.to_owned()],
            None => beside_the_executable()?,
        };
        for directory in &candidates {
            let found = Self::in_directory(directory, &trust)?;
            if let Some(programs) = found {
                return Ok(programs);
            }
        }
        Err(ProgramError::Missing {
            looked_in: candidates,
        })
    }

    /// The programs in a directory; `None` if one is not there.
    fn in_directory(directory: &Path, trust: &Trust) -> Result<Option<Self>, ProgramError> {
        let directory = match directory.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            canonical => canonical.map_err(|source| ProgramError::Io {
                path: directory.to_owned(),
                source,
            })?,
        };
        let program = |kind: WorkerKind| directory.join(kind.program());
        let programs = Self {
            compiler: program(WorkerKind::Compiler),
            runner: program(WorkerKind::Runner),
            gpu: program(WorkerKind::Gpu),
        };
        for path in [&programs.compiler, &programs.runner, &programs.gpu] {
            match std::fs::symlink_metadata(path) {
                Ok(found) => trust.check_program(path, &found)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => {
                    let path = path.clone();
                    return Err(ProgramError::Io { path, source });
                }
            }
        }
        trust.check_directory(&directory)?;
        Ok(Some(programs))
    }
}

/// The directories of an installation, from the running program's own.
fn beside_the_executable() -> Result<Vec<PathBuf>, ProgramError> {
    let executable = std::env::current_exe().map_err(|source| ProgramError::Io {
        path: PathBuf::from("/proc/self/exe"),
        source,
    })?;
    let own = executable.parent().unwrap_or(Path::new("/"));
    Ok(vec![own.to_owned(), own.join(INSTALLED)])
}

/// Who may have put programs there.
struct Trust {
    /// Root, this user, and who owns the trusted file or its directory.
    users: Vec<u32>,
    /// Those that can write to the trusted file or its directory.
    groups: Vec<u32>,
}

impl Trust {
    fn of(trusted: Option<&Path>) -> Result<Self, ProgramError> {
        let mut trust = Self {
            users: vec![0, rustix::process::geteuid().as_raw()],
            groups: Vec::new(),
        };
        let places = trusted
            .into_iter()
            .flat_map(|file| [Some(file), file.parent()]);
        for place in places.flatten() {
            let found = std::fs::metadata(place).map_err(|source| ProgramError::Io {
                path: place.to_owned(),
                source,
            })?;
            trust.users.push(found.uid());
            if found.mode() & 0o020 != 0 {
                trust.groups.push(found.gid());
            }
        }
        Ok(trust)
    }

    fn check_program(&self, path: &Path, found: &Metadata) -> Result<(), ProgramError> {
        if !found.is_file() {
            return not_trusted(path, "is no regular file");
        }
        self.check_owner(path, found)
    }

    /// Who can write to the directory can replace a program after it was looked at.
    fn check_directory(&self, path: &Path) -> Result<(), ProgramError> {
        let found = std::fs::symlink_metadata(path).map_err(|source| ProgramError::Io {
            path: path.to_owned(),
            source,
        })?;
        self.check_owner(path, &found)
    }

    fn check_owner(&self, path: &Path, found: &Metadata) -> Result<(), ProgramError> {
        if !self.users.contains(&found.uid()) {
            return not_trusted(path, "belongs to another user; it must be root's or yours");
        }
        let by_a_stranger = found.mode() & 0o020 != 0 && !self.groups.contains(&found.gid());
        if by_a_stranger || found.mode() & 0o002 != 0 {
            return not_trusted(path, "can be written by others: chmod go-w");
        }
        Ok(())
    }
}

fn not_trusted(path: &Path, why: &'static str) -> Result<(), ProgramError> {
    let path = path.to_owned();
    Err(ProgramError::NotTrusted { path, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    fn install(directory: &Path) {
        for kind in [WorkerKind::Compiler, WorkerKind::Runner, WorkerKind::Gpu] {
            let path = directory.join(kind.program());
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn refused(directory: &Path) -> String {
        Programs::find(Some(directory), None)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn programs_are_found_whole_or_not_at_all() {
        let base = tempfile::tempdir().unwrap();
        let missing = refused(base.path());
        assert!(missing.contains("cargo xtask workers"), "{missing}");
        assert!(refused(&base.path().join("nowhere")).contains("nowhere"));
        install(base.path());
        let programs = Programs::find(Some(base.path()), None).unwrap();
        assert!(programs.compiler.ends_with("hotcell-compiler"));
        std::fs::remove_file(&programs.runner).unwrap();
        assert!(refused(base.path()).contains("no worker programs"));
    }

    #[test]
    fn programs_that_others_could_have_written_are_refused() {
        let base = tempfile::tempdir().unwrap();
        install(base.path());
        let runner = base.path().join("hotcell-runner");
        std::fs::set_permissions(&runner, Permissions::from_mode(0o775)).unwrap();
        assert!(refused(base.path()).contains("chmod go-w"));
        std::fs::set_permissions(&runner, Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(base.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(refused(base.path()).contains("chmod go-w"));
        std::fs::set_permissions(base.path(), Permissions::from_mode(0o700)).unwrap();
        std::fs::remove_file(&runner).unwrap();
        std::os::unix::fs::symlink("/bin/true", &runner).unwrap();
        assert!(refused(base.path()).contains("no regular file"));
    }

    #[test]
    fn who_can_write_to_this_program_is_trusted_with_the_workers_and_nobody_else_is() {
        let base = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        install(base.path());
        let (library, runner) = (
            base.path().join("library.so"),
            base.path().join("hotcell-runner"),
        );
        std::fs::write(&library, "").unwrap();
        let find = || Programs::find(Some(base.path()), Some(&library));
        mode(&runner, 0o775);
        mode(&library, 0o755);
        assert!(find().unwrap_err().to_string().contains("chmod go-w"));
        mode(&library, 0o775);
        find().unwrap();
        // Whoever can write to the directory can replace the library.
        mode(&library, 0o755);
        mode(base.path(), 0o775);
        find().unwrap();
        mode(&runner, 0o777);
        assert!(find().unwrap_err().to_string().contains("chmod go-w"));
    }
}
