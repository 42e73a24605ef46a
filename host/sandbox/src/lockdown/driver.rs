//! What a GPU worker needs of the machine to load a driver: settings, files to read, devices.
//!
//! All of it is gone from reach once the final filter is on, which lets nothing be opened: what stays is what was
//! loaded by then, and the devices that are open.

use rustix::thread::Gid;
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
