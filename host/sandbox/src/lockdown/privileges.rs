//! Privileges: none, and no way to get any.

use super::{LockStep, LockdownError, driver};
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, Gid, Uid, capabilities,
    clear_ambient_capability_set, set_capabilities, set_capabilities_secure_bits,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};
use std::io;

/// The user and group that own nothing.
const NOBODY: u32 = 65534;

/// What the supervisor needs to change users and then to limit and kill a worker of another user. The worker
/// has inherited its capabilities.
const SUPERVISES_OTHERS: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SYS_RESOURCE);

/// Becomes a user that owns nothing, if this is root and the supervisor keeps its power over the worker.
/// Capabilities stay, for namespaces to be made with, and a GPU worker is in the groups that devices are of.
pub(super) fn leave_root(kind: WorkerKind) -> Result<(), LockdownError> {
    const LAYER: Layer = Layer::Capabilities;
    let sets = capabilities(None).step(LAYER, "read the capabilities")?;
    if !geteuid().is_root() || !sets.permitted.contains(SUPERVISES_OTHERS) {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_keep_capabilities(true).step(LAYER, "keep them for a moment")?;
    let groups = match kind {
        WorkerKind::Compiler | WorkerKind::Runner | WorkerKind::Guarded => Vec::new(),
        WorkerKind::Gpu => driver::device_groups(),
    };
    match set_thread_groups(&groups) {
        // Root of a user namespace that has given up changing groups, as one whose root has no rights outside has to:
        // nobody else is mapped there either, so that there is nobody to become.
        Err(Errno::PERM) => {
            return set_keep_capabilities(false).step(LAYER, "keep them no longer");
        }
        left => left.step(LAYER, "leave every group")?,
    }
    match set_thread_res_gid(group, group, group) {
        // In a container without that group.
        Err(Errno::INVAL) => return Ok(()),
        changed => changed.step(LAYER, "change the group")?,
    }
    match set_thread_res_uid(user, user, user) {
        Err(Errno::INVAL) => return Ok(()),
        changed => changed.step(LAYER, "change the user")?,
    }
    set_capabilities(
        None,
        CapabilitySets {
            effective: sets.permitted,
            ..sets
        },
    )
    .step(LAYER, "raise them again")?;
    // The change made `/proc/self` root's, where the namespace's maps are written.
    set_dumpable_behavior(DumpableBehavior::Dumpable).step(LAYER, "get `/proc/self` back")
}

/// Puts the capabilities down, does something, and takes them up again.
pub(super) fn without<T>(action: impl FnOnce() -> T) -> Result<T, LockdownError> {
    const LAYER: Layer = Layer::Capabilities;
    let sets = capabilities(None).step(LAYER, "read the capabilities")?;
    let down = CapabilitySets {
        effective: CapabilitySet::empty(),
        ..sets
    };
    set_capabilities(None, down).step(LAYER, "put the capabilities down")?;
    let done = action();
    set_capabilities(None, sets).step(LAYER, "take the capabilities up")?;
    Ok(done)
}

/// No program can raise privileges: what a filter without privileges rests on.
pub(super) fn refuse_new() -> Result<LayerReport, LockdownError> {
    const LAYER: Layer = Layer::NoNewPrivileges;
    set_no_new_privs(true).step(LAYER, "refuse new privileges")?;
    Ok(LayerReport::enforced(LAYER, "for ever"))
}

/// Empties every set of capabilities, and locks the rules by which they could fill again.
pub(super) fn drop_capabilities() -> Result<LayerReport, LockdownError> {
    const LAYER: Layer = Layer::Capabilities;
    clear_ambient_capability_set().step(LAYER, "clear the ambient set")?;
    let is_privileged = capabilities(None)
        .step(LAYER, "read the sets")?
        .effective
        .contains(CapabilitySet::SETPCAP);
    if is_privileged {
        let locked = CapabilitiesSecureBits::from_bits_retain(LOCKED_BITS);
        set_capabilities_secure_bits(locked).step(LAYER, "lock the secure bits")?;
        empty_bounding_set().step(LAYER, "empty the bounding set")?;
    }
    let none = CapabilitySet::empty();
    let empty = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_capabilities(None, empty).step(LAYER, "empty the sets")?;
    let words = match is_privileged {
        true => "every set empty, secure bits locked",
        // Dropping from it would take a privilege, as filling the others from it would.
        false => "every set empty but the bounding one, which gives nothing without new privileges",
    };
    Ok(LayerReport::enforced(
        LAYER,
        format!("{words}; user {}", geteuid().as_raw()),
    ))
}

/// Root is no special user, changes of user keep no capability, none becomes ambient; all of it locked.
const LOCKED_BITS: u32 = {
    let bits =
        libc::SECBIT_NOROOT | libc::SECBIT_NO_SETUID_FIXUP | libc::SECBIT_NO_CAP_AMBIENT_RAISE;
    let locks = libc::SECBIT_NOROOT_LOCKED
        | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
        | libc::SECBIT_KEEP_CAPS_LOCKED
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    (bits | locks).cast_unsigned()
};

fn empty_bounding_set() -> io::Result<()> {
    // Until the kernel knows no further one: it may have more than were known when this was built.
    for capability in 0..=63 {
        // SAFETY: the call takes numbers only.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::EINVAL) {
                Ok(())
            } else {
                Err(error)
            };
        }
    }
    Ok(())
}

/// No core dump, no tracing by processes of the same user, and `/proc/self` is root's.
pub(super) fn make_undumpable() -> Result<LayerReport, LockdownError> {
    const LAYER: Layer = Layer::Undumpable;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).step(LAYER, "become undumpable")?;
    Ok(LayerReport::enforced(LAYER, "no core dump, no tracing"))
}
