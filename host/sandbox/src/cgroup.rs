//! A control group for each worker, where the operator has delegated a hierarchy.
//!
//! A last line under limits that are enforced elsewhere too: its counters survive whatever the worker does, and
//! its bounds hold where the worker's own limits failed. Version 2 only.

use hotcell_model::layer::{Layer, LayerReport};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What names of workers' cgroups begin with; the supervisor's process id and a number follow.
const PREFIX: &str = "hotcell-";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A cgroup that workers' cgroups can be made in.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    directory: PathBuf,
}

/// The bounds of one worker's cgroup; those whose controller is missing are left out and named.
#[derive(Clone, Copy, Debug, Default)]
pub struct CgroupLimits {
    /// All memory, page cache and the operating system's own for the worker included.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

/// One worker's cgroup. Dropping it removes it.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
    report: LayerReport,
}

impl Hierarchy {
    /// The delegated cgroup of this process: its own, if it may make cgroups in it.
    ///
    /// # Errors
    /// There is none: the report says why, and what would bring one.
    pub fn delegated() -> Result<Self, LayerReport> {
        let directory =
            own_directory().ok_or_else(|| absent("no cgroup v2 hierarchy is mounted"))?;
        Self::at(directory)
    }

    /// A cgroup that the operator names. What supervisors that were killed have left in it is removed.
    ///
    /// # Errors
    /// As [`Self::delegated`].
    pub fn at(directory: PathBuf) -> Result<Self, LayerReport> {
        let is_writable = rustix::fs::access(&directory, rustix::fs::Access::WRITE_OK).is_ok();
        match is_writable && directory.join("cgroup.procs").exists() {
            true => {
                remove_leftovers(&directory);
                Ok(Self { directory })
            }
            false => Err(absent("no cgroup v2 hierarchy is delegated to this user")),
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a cgroup for one worker.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn create(&self, limits: &CgroupLimits) -> io::Result<Cgroup> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let directory = self.directory.join(name);
        fs::create_dir(&directory)?;
        let mut cgroup = Cgroup {
            directory,
            report: absent(""),
        };
        cgroup.report = cgroup.limit(limits)?;
        Ok(cgroup)
    }
}

impl Cgroup {
    fn limit(&self, limits: &CgroupLimits) -> io::Result<LayerReport> {
        let mut words = vec!["CPU time is counted".to_owned()];
        for (file, value) in [
            ("memory.max", limits.memory_bytes),
            ("pids.max", limits.tasks),
        ] {
            let path = self.directory.join(file);
            match value {
                Some(value) if path.exists() => {
                    fs::write(path, value.to_string())?;
                    words.push(format!("{file} {value}"));
                }
                Some(_) => words.push(format!("no {file}: its controller is not delegated")),
                None => {}
            }
        }
        Ok(LayerReport::enforced(Layer::Cgroup, words.join(", ")))
    }

    /// Puts a process in.
    ///
    /// # Errors
    /// The process is gone, or the operating system refuses.
    pub fn enter(&self, pid: u32) -> io::Result<()> {
        fs::write(self.directory.join("cgroup.procs"), pid.to_string())
    }

    /// Bounds all memory of its processes, where the controller is there. Unlike limits on a process, this one can
    /// be raised again.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let file = self.directory.join("memory.max");
        match file.exists() {
            true => fs::write(file, bytes.to_string()),
            false => Ok(()),
        }
    }

    /// The CPU time that its processes have used.
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(self.directory.join("cpu.stat")).ok()?;
        let usage = stat
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "))?;
        usage.parse().ok().map(Duration::from_micros)
    }

    /// The most memory that its processes have had in use, where the controller is there.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        fs::read_to_string(self.directory.join("memory.peak"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// What it enforces.
    pub fn report(&self) -> &LayerReport {
        &self.report
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It fails while a process is in it. The worker is dropped, and so reaped, before its cgroup.
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Removes workers' cgroups whose supervisor is gone, and with it the workers.
fn remove_leftovers(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let supervisor = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let is_number = supervisor.is_some_and(|pid| pid.parse::<u32>().is_ok());
        if is_number && supervisor.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // It fails while a process is in it, and then somebody else removes it later.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The directory of this process's cgroup in the version 2 hierarchy.
fn own_directory() -> Option<PathBuf> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = cgroups
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))?
        .to_owned();
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(Path::new(mount.split(' ').nth(4)?).join(own))
}

fn absent(why: &str) -> LayerReport {
    let remedy = "run under a service manager that delegates a cgroup (systemd: `Delegate=yes`)";
    LayerReport::absent(Layer::Cgroup, why, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with the files that a cgroup has.
    fn delegated(files: &[&str]) -> (tempfile::TempDir, Cgroup) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.procs"), "").unwrap();
        let hierarchy = Hierarchy::at(directory.path().to_owned()).unwrap();
        let cgroup = hierarchy.create(&CgroupLimits::default()).unwrap();
        for file in files {
            fs::write(cgroup.directory.join(file), "max").unwrap();
        }
        (directory, cgroup)
    }

    #[test]
    fn memory_is_bounded_where_the_controller_is_there_and_again_later() {
        let (_directory, cgroup) = delegated(&["memory.max"]);
        for bytes in [1 << 20, 1 << 30] {
            cgroup.limit_memory(bytes).unwrap();
            let written = fs::read_to_string(cgroup.directory.join("memory.max"));
            assert_eq!(written.unwrap(), bytes.to_string());
        }
        let (_directory, without) = delegated(&[]);
        without.limit_memory(5).unwrap();
        assert!(!without.directory.join("memory.max").exists());
    }
}
