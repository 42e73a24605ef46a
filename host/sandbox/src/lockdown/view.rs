//! What a worker sees of the machine's files, at the same places: for most kinds nothing, for some what cannot be done without.

use super::driver;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount, move_mount, open_tree};
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What is mounted whole, since parts of it cannot be: Landlock tells the parts apart.
const WHOLE: [&str; 2] = ["/proc", "/sys"];

/// What a guarded process may read besides what it is given: libraries, the machine's processors and memory, zeros and random
/// bytes, the time of day. Nothing in `/etc` that says who is on the machine.
const GUARDED_READ: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/kernel/osrelease",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
];

/// Where a guarded process has a folder of its own.
pub(super) const FOLDER: &str = "/tmp";
const FOLDER_NAME: &CStr = c"/tmp";

/// What a guarded process is given of the machine's files.
#[derive(Clone, Debug, Default)]
pub struct Quarters {
    /// Files and directories that it may read.
    pub read: Vec<PathBuf>,
    /// Files and directories that it may write to as well.
    pub write: Vec<PathBuf>,
    /// The folder that is its own where it has no mounts of its own, to make one in memory.
    pub folder: PathBuf,
    /// The size of that in memory.
    pub scratch_bytes: u64,
}

/// What a worker sees of the machine's files.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// To be read, and mapped as code.
    pub(super) read: Vec<PathBuf>,
    /// Devices to be used.
    pub(super) devices: Vec<PathBuf>,
    /// To be written to as well.
    pub(super) write: Vec<PathBuf>,
    /// To be written to, though they are files of nobody else's concern.
    pub(super) sinks: Vec<PathBuf>,
    /// A folder in memory, of that size.
    pub(super) folder: Option<u64>,
}

impl View {
    /// A driver's.
    pub(super) fn of_driver() -> Self {
        Self {
            read: driver::READ.iter().map(PathBuf::from).collect(),
            devices: driver::devices(),
            ..Self::default()
        }
    }

    /// A guarded process's.
    pub(super) fn of(quarters: &Quarters) -> Self {
        let read = GUARDED_READ.iter().map(PathBuf::from);
        Self {
            read: read.chain(quarters.read.iter().cloned()).collect(),
            write: quarters.write.clone(),
            sinks: vec![PathBuf::from("/dev/null")],
            folder: Some(quarters.scratch_bytes),
            devices: Vec::new(),
        }
    }

    /// Whether there is nothing to see.
    pub(super) fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// Whether a user who owns nothing could reach all that may be read where no mount brings it there.
    pub(super) fn is_anybodys(&self) -> bool {
        use rustix::fs::{AtFlags, FileType, statat};
        let others = Mode::XOTH;
        self.read.iter().chain(&self.write).all(|path| {
            path.ancestors().skip(1).all(|folder| {
                let stat = statat(CWD, folder, AtFlags::empty());
                stat.is_ok_and(|stat| {
                    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
                        && Mode::from_raw_mode(stat.st_mode).contains(others)
                })
            }) || !path.exists()
        })
    }

    /// Copies of what there is to see, as far as the machine has it: first what may be read, then what may be written to.
    pub(super) fn trees(&self) -> rustix::io::Result<Trees> {
        let in_whole = |path: &Path| WHOLE.iter().any(|whole| path.starts_with(whole));
        let single = self.read.iter().filter(|path| !in_whole(path)).cloned();
        let read = single
            .chain(WHOLE.map(PathBuf::from))
            .chain(self.devices.iter().cloned());
        Ok(Trees {
            read: copies(outermost(read.collect()))?,
            write: copies(outermost(self.write.clone()))?,
            folder: self.folder,
        })
    }
}

/// Those of the paths that are in no other one.
fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    let all = paths.clone();
    paths.retain(|path| {
        !all.iter()
            .any(|other| other != path && path.starts_with(other))
    });
    paths
}

fn copies(paths: Vec<PathBuf>) -> rustix::io::Result<Vec<Tree>> {
    let trees = paths
        .into_iter()
        .filter_map(|path| match Tree::copy_of(path) {
            Err(Errno::NOENT) => None,
            copied => Some(copied),
        });
    trees.collect()
}

/// Copies of parts of the file system, not yet anywhere.
pub(super) struct Trees {
    read: Vec<Tree>,
    write: Vec<Tree>,
    folder: Option<u64>,
}

impl Trees {
    /// Puts what may be read where it was, under the current directory, and makes places for the rest.
    pub(super) fn hang_up(&mut self) -> rustix::io::Result<()> {
        // Before the rest, some of which may be in a folder of that name.
        if let Some(bytes) = self.folder {
            let place = Path::new(FOLDER);
            make_folders(place)?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            let options = format!("size={bytes},nr_inodes=65536,mode=700");
            let options = CString::new(options).map_err(|_| Errno::INVAL)?;
            let place = place.strip_prefix("/").unwrap_or(place);
            mount("none", place, "tmpfs", flags, &*options)?;
        }
        for tree in &self.write {
            // Where it is within what may be read, its place is there already.
            if !self
                .read
                .iter()
                .any(|read| tree.path.starts_with(&read.path))
            {
                tree.make_place()?;
            }
        }
        for tree in self.read.drain(..) {
            tree.make_place()?;
            tree.hang_up()?;
        }
        Ok(())
    }

    /// Makes every mount read-only, from the root on, and puts what may be written to over it. Devices can be used all the same.
    pub(super) fn close(self) -> rustix::io::Result<()> {
        let closed = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
        set_attributes(c"/", closed, 0, libc::AT_RECURSIVE)?;
        for tree in self.write {
            tree.hang_up()?;
        }
        match self.folder {
            // That mount alone, and none that is in it.
            Some(_) => set_attributes(FOLDER_NAME, 0, libc::MOUNT_ATTR_RDONLY, 0),
            None => Ok(()),
        }
    }
}

/// A copy of a part of the file system, not yet anywhere.
struct Tree {
    path: PathBuf,
    is_directory: bool,
    mount: OwnedFd,
}

impl Tree {
    fn copy_of(path: PathBuf) -> rustix::io::Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let mount = open_tree(CWD, &path, flags)?;
        let is_directory = path.is_dir();
        Ok(Self {
            path,
            is_directory,
            mount,
        })
    }

    /// Its place under the current directory.
    fn place(&self) -> &Path {
        self.path.strip_prefix("/").unwrap_or(&self.path)
    }

    fn make_place(&self) -> rustix::io::Result<()> {
        if self.is_directory {
            return make_folders(&self.path);
        }
        if let Some(folder) = self.path.parent() {
            make_folders(folder)?;
        }
        let flags = OFlags::CREATE | OFlags::CLOEXEC;
        drop(openat(CWD, self.place(), flags, Mode::RUSR)?);
        Ok(())
    }

    /// Puts it where it was, under the current directory.
    fn hang_up(&self) -> rustix::io::Result<()> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.mount, "", CWD, self.place(), flags)
    }
}

/// Makes a directory, and those that it is in, under the current one.
fn make_folders(path: &Path) -> rustix::io::Result<()> {
    let mut folder = PathBuf::new();
    for part in path.strip_prefix("/").unwrap_or(path).components() {
        folder.push(part);
        match mkdirat(CWD, &folder, Mode::RWXU | Mode::ROTH | Mode::XOTH) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn set_attributes(place: &CStr, set: u64, clear: u64, flags: i32) -> rustix::io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: clear,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path and the attributes outlive the call, and the size is that of the attributes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            CWD.as_raw_fd(),
            place.as_ptr(),
            flags,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::PERM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_another_is_mounted_with_it() {
        let paths = ["/usr/lib", "/usr", "/usrlocal", "/a/b", "/a/b/c", "/a/b"];
        let outer = outermost(paths.map(PathBuf::from).to_vec());
        assert_eq!(outer, ["/a/b", "/usr", "/usrlocal"].map(PathBuf::from));
    }

    #[test]
    fn most_workers_see_nothing_and_a_guarded_one_none_of_who_is_here() {
        assert!(View::default().is_empty());
        let guarded = View::of(&Quarters::default());
        assert!(!guarded.is_empty());
        for forbidden in [
            "/etc",
            "/etc/passwd",
            "/home",
            "/root",
            "/proc",
            "/sys",
            "/dev",
        ] {
            assert!(!guarded.read.iter().any(|path| path == Path::new(forbidden)));
        }
    }
}
