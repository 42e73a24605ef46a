//! Namespaces of the worker's own, and a root directory with nothing in it.

use super::view::{Trees, View};
use super::{LockStep, LockdownError};
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::process::{chdir, getegid, geteuid, pivot_root};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs;
use std::io;

const LAYER: Layer = Layer::Namespaces;
/// A directory that is there wherever the maps of identifiers could be written.
const MOUNT_POINT: &str = "/proc";

/// Enters fresh namespaces and leaves the file system behind, but for what the worker is to see: of that there may be
/// copies already, made where this process could reach more.
pub(super) fn enter(
    kind: WorkerKind,
    view: &View,
    copied: Option<Trees>,
) -> Result<LayerReport, LockdownError> {
    // Read before, since in a fresh user namespace nobody is mapped yet.
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let mut flags = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    if kind == WorkerKind::Compiler {
        // Only children would be in it; and since threads cannot be, none can start from here on.
        flags |= UnshareFlags::NEWPID;
    }
    // SAFETY: there is one thread, and no descriptor table is unshared.
    if let Err(error) = unsafe { unshare_unsafe(flags) } {
        return Ok(absent(&format!(
            "the kernel refuses them: {}",
            io::Error::from(error)
        )));
    }
    match map_identifiers(user, group) {
        // Where namespaces of unprivileged users come without capabilities, their maps cannot be written.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(absent("the kernel gives them no capabilities"));
        }
        mapped => mapped.step(LAYER, "map the user and group")?,
    }
    match mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    ) {
        // A security module may allow namespaces and refuse mounts in them.
        Err(Errno::PERM | Errno::ACCESS) => return Ok(absent("mounts are refused in them")),
        changed => changed.step(LAYER, "part from the mounts outside")?,
    }
    refuse_more();
    let entered = match view.is_empty() {
        true => empty_root(),
        false => copied.map_or_else(|| view.trees(), Ok).and_then(root_of),
    };
    match entered {
        Err(Errno::PERM | Errno::ACCESS) => return Ok(absent("mounts are refused in them")),
        entered => entered.step(LAYER, "enter a root directory of its own")?,
    }
    Ok(LayerReport::enforced(
        LAYER,
        match kind {
            WorkerKind::Compiler => {
                "user, mount, network, IPC, UTS, cgroup; a PID namespace \
             for children only, of which there can be none; empty root"
            }
            WorkerKind::Runner => {
                "user, mount, network, IPC, UTS, cgroup; no PID namespace, in which threads could not start; empty root"
            }
            WorkerKind::Gpu => {
                "user, mount, network, IPC, UTS, cgroup; no PID namespace, in which threads could not start; \
                 a read-only root with drivers' files and devices only"
            }
            WorkerKind::Guarded => {
                "user, mount, network, IPC, UTS, cgroup; no PID namespace, in which threads could not start; \
                 a read-only root with the interpreter's and libraries' files only, and a folder in memory"
            }
        },
    ))
}

/// Maps the process's own user and group to themselves, and nobody else.
fn map_identifiers(user: u32, group: u32) -> io::Result<()> {
    // Without it, an unprivileged process may not map its group.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// No namespaces inside this one. Where `/proc/sys` is read-only, only the filter refuses them.
fn refuse_more() {
    let _ = fs::write("/proc/sys/user/max_user_namespaces", "0");
}

/// Makes the root directory an empty, read-only one, and lets go of all others.
fn empty_root() -> rustix::io::Result<()> {
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(
        "none",
        MOUNT_POINT,
        "tmpfs",
        flags,
        c"size=4k,nr_inodes=1,mode=555",
    )?;
    chdir(MOUNT_POINT)?;
    // The old root comes to lie over the new one, from where it is taken off.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}

/// As [`empty_root`], with what the worker is to see in it: the same files at the same places, read-only but for a few.
fn root_of(mut trees: Trees) -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(
        "none",
        MOUNT_POINT,
        "tmpfs",
        flags,
        c"size=1m,nr_inodes=4096,mode=755",
    )?;
    chdir(MOUNT_POINT)?;
    trees.hang_up()?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    trees.close()
}

fn absent(why: &str) -> LayerReport {
    let remedy = "allow user namespaces: `user.max_user_namespaces`, `kernel.unprivileged_userns_clone`, \
                  `kernel.apparmor_restrict_unprivileged_userns` or the container's seccomp profile";
    LayerReport::absent(LAYER, why, remedy)
}
