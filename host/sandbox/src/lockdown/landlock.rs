//! Landlock: no file, no TCP port, no signal or abstract socket outside, as far as the kernel goes.

use super::view::{FOLDER, View};
use super::{LockStep, LockdownError};
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::io;

/// Files and TCP ports: with less than that it does not count as a layer.
const LEAST: ABI = ABI::V4;
/// From here on, signals and abstract sockets too.
const SCOPES: ABI = ABI::V6;

const REMEDY: &str =
    "Linux 6.7 or later, with `landlock` among its security modules (6.12 for signals)";

/// Handles every right that the kernel knows, and grants none but those of what the worker is to see.
pub(super) fn restrict(kind: WorkerKind, view: &View) -> Result<LayerReport, LockdownError> {
    const LAYER: Layer = Layer::Landlock;
    let abi = match kernel_abi() {
        Ok(abi) => ABI::from(abi),
        Err(error) => {
            return Ok(LayerReport::absent(
                LAYER,
                format!("no Landlock: {error}"),
                REMEDY,
            ));
        }
    };
    let status = enforce(abi, view)
        .map_err(io::Error::other)
        .step(LAYER, "enforce the ruleset")?;
    if status != RulesetStatus::FullyEnforced {
        return Err(io::Error::other("it was enforced in part")).step(LAYER, "enforce the ruleset");
    }
    let files = match kind {
        WorkerKind::Compiler | WorkerKind::Runner => "no file",
        WorkerKind::Gpu => "no file but drivers', to read, and devices",
        WorkerKind::Guarded => {
            "no file but the interpreter's, libraries' and those given, to read, and a folder of its own"
        }
    };
    Ok(if abi < LEAST {
        LayerReport::absent(LAYER, format!("ABI {abi} covers files only"), REMEDY)
    } else if abi < SCOPES {
        LayerReport::enforced(
            LAYER,
            format!("ABI {abi}: {files}, no TCP; signals are not covered"),
        )
    } else {
        LayerReport::enforced(
            LAYER,
            format!("ABI {abi}: {files}, no TCP, no signal or socket outside"),
        )
    })
}

fn enforce(abi: ABI, view: &View) -> Result<RulesetStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))?;
    if abi >= LEAST {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= SCOPES {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    let mut ruleset = ruleset.create()?.no_new_privs(false);
    if !view.is_empty() {
        let all = AccessFs::from_all(abi);
        // Code is mapped from what can be read; to execute a program is another right, that nobody has.
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let use_device = (read | AccessFs::WriteFile | AccessFs::IoctlDev) & all;
        let write = all
            & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        let folder = view.folder.map(|_| FOLDER);
        ruleset = ruleset
            .add_rules(path_beneath_rules(&view.read, read))?
            .add_rules(path_beneath_rules(&view.devices, use_device))?
            .add_rules(path_beneath_rules(&view.sinks, read | AccessFs::WriteFile))?
            .add_rules(path_beneath_rules(&view.write, write))?
            .add_rules(path_beneath_rules(folder, write))?;
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

/// What the kernel offers.
fn kernel_abi() -> io::Result<i32> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no attributes and answers with a number.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<()>(),
            0_usize,
            VERSION,
        )
    };
    match i32::try_from(abi) {
        Ok(abi @ 1..) => Ok(abi),
        _ => Err(io::Error::last_os_error()),
    }
}
