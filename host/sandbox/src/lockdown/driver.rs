//! What a GPU worker needs of the machine to load a driver: settings, files to read, devices.
//!
//! All of it is gone from reach once the final filter is on, which lets nothing be opened: what stays is what was
//! loaded by then, and the devices that are open.

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use rustix::thread::Gid;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The whole environment of a GPU worker: nothing is kept on disk, and no code is loaded that is not a driver.
pub(super) const ENVIRONMENT: [(&str, &str); 5] = [
    ("MESA_SHADER_CACHE_DISABLE", "true"),
    // The same, for Mesa before 20.3.
    ("MESA_GLSL_CACHE_DISABLE", "true"),
    ("__GL_SHADER_DISK_CACHE", "0"),
    // Layers that other software has installed for every program, and those that a variable would name.
    ("VK_LOADER_LAYERS_DISABLE", "~all~"),
    ("VK_LOADER_DEBUG", "none"),
];

/// What may be read: libraries, the loader's lists of drivers, what drivers ask about the machine.
pub(super) const READ: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/opt/amdgpu",
    "/nix/store",
    "/run/opengl-driver",
    "/etc/drirc",
    "/etc/glvnd",
    "/etc/ld.so.cache",
    "/etc/nvidia",
    "/etc/vulkan",
    "/proc/cpuinfo",
    "/proc/devices",
    "/proc/driver",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/self",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/sys/bus",
    "/sys/class/drm",
    "/sys/dev/char",
    "/sys/devices",
    "/sys/module",
];

/// What is mounted whole, since parts of it cannot be: Landlock tells the parts apart.
const WHOLE: [&str; 2] = ["/proc", "/sys"];

/// Where devices are.
const DEVICES: &str = "/dev";

/// The device files of the machine's GPUs.
pub(super) fn devices() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(DEVICES) else {
        return Vec::new();
    };
    let is_gpu = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name == "dri" || name.starts_with("nvidia"))
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| is_gpu(path)).collect()
}

/// The groups that devices are of: by them they are opened, wherever not everybody may.
pub(super) fn device_groups() -> Vec<Gid> {
    let render_nodes = std::fs::read_dir("/dev/dri")
        .into_iter()
        .flatten()
        .flatten();
    let nodes = render_nodes
        .map(|entry| entry.path())
        .filter(|path| is_render_node(path));
    let mut groups: Vec<u32> = nodes
        .chain(devices())
        .filter_map(|path| Some(path.metadata().ok()?.gid()))
        // Root's group may do more than use devices.
        .filter(|group| *group != 0)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().map(Gid::from_raw).collect()
}

/// Whether it is a device for computing and rendering only, and none that drives a screen.
fn is_render_node(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("renderD"))
}

/// A copy of a part of the file system, not yet anywhere.
pub(super) struct Tree {
    path: PathBuf,
    is_directory: bool,
    mount: OwnedFd,
}

/// Copies of what a driver is loaded from, as far as the machine has it.
pub(super) fn trees() -> rustix::io::Result<Vec<Tree>> {
    let in_whole = |path: &Path| WHOLE.iter().any(|whole| path.starts_with(whole));
    let single = READ
        .iter()
        .map(PathBuf::from)
        .filter(|path| !in_whole(path));
    let paths = single.chain(WHOLE.map(PathBuf::from)).chain(devices());
    let trees = paths.filter_map(|path| match Tree::copy_of(path) {
        Err(Errno::NOENT) => None,
        copied => Some(copied),
    });
    trees.collect()
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

    /// Puts it where it was, under the current directory.
    pub(super) fn hang_up(self) -> rustix::io::Result<()> {
        let place = self.path.strip_prefix("/").unwrap_or(&self.path);
        let mut folder = PathBuf::new();
        let mut parts = place.components().peekable();
        while let Some(part) = parts.next() {
            folder.push(part);
            if parts.peek().is_none() && !self.is_directory {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                drop(openat(CWD, &folder, flags, Mode::RUSR)?);
            } else if let Err(error) = mkdirat(CWD, &folder, Mode::RWXU | Mode::ROTH | Mode::XOTH)
                && error != Errno::EXIST
            {
                return Err(error);
            }
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.mount, "", CWD, place, flags)
    }
}

/// Makes every mount read-only, from the root on. Devices can be used all the same.
pub(super) fn make_read_only() -> rustix::io::Result<()> {
    const ROOT: &CStr = c"/";
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path and the attributes outlive the call, and the size is that of the attributes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            CWD.as_raw_fd(),
            ROOT.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::PERM)),
    }
}
