//! The layers: spoken of, in force, and holding without the filter over them.

use crate::harness::{is_root, skip};
use crate::worker::{KINDS, LIMITS, Phase, answer, ask, command, raw, start};
use hotcell_model::layer::{Layer, LayerReport, Tier, WorkerKind};
use hotcell_model::probe::{Attempt, Attempted};
use hotcell_sandbox::cgroup::{CgroupLimits, Hierarchy};
use hotcell_sandbox::process::ExitKind;
use rustix::thread::CapabilitySet;
use std::fs;
use std::time::Duration;

pub(crate) fn every_layer_is_spoken_of() {
    for kind in KINDS {
        let (worker, mut layers) = start(kind, Phase::Locked);
        layers.push(LayerReport::absent(
            Layer::Cgroup,
            "the supervisor's to say",
            "",
        ));
        let spoken: Vec<_> = layers.iter().map(|report| report.layer).collect();
        for layer in Layer::ALL {
            let times = spoken.iter().filter(|spoken| **spoken == layer).count();
            assert_eq!(times, 1, "{kind:?}: {layer}");
        }
        for report in layers
            .iter()
            .filter(|report| !report.is_enforced() && report.layer != Layer::Cgroup)
        {
            skip(&format!(
                "{kind:?}: {} is absent: {:?}",
                report.layer, report.state
            ));
        }
        if layers
            .iter()
            .all(|report| report.is_enforced() || report.layer == Layer::Cgroup)
        {
            assert_eq!(Tier::of(&layers), Tier::Full);
        }
        drop(worker);
    }
}

pub(crate) fn reporting_filters_are_no_layers() {
    for kind in KINDS {
        let (_worker, layers) = start(kind, Phase::Locked);
        assert!(!is_enforced(&layers, Layer::LoadFilter) && !is_enforced(&layers, Layer::Filter));
        assert_eq!(Tier::of(&layers), Tier::Insecure);
    }
}

pub(crate) fn layers_are_in_force_as_seen_from_outside() {
    for kind in KINDS {
        let (worker, layers) = start(kind, Phase::Locked);
        let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).unwrap();
        let field = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("no {name}")).trim()
        };
        assert_eq!(field("NoNewPrivs"), "1");
        assert_eq!(field("Seccomp"), "2");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{kind:?}: {set}");
        }
        let stays_root = is_root() && !can_supervise_others();
        assert!(
            stays_root || field("Uid").split_whitespace().all(|user| user != "0"),
            "{kind:?} is root"
        );
        let filters: u32 = field("Seccomp_filters").parse().unwrap();
        assert_eq!(filters, if kind == WorkerKind::Runner { 4 } else { 2 });
        if is_enforced(&layers, Layer::Namespaces) {
            namespaces_differ(worker.pid(), kind);
        }
        descriptors_are_three(worker.pid());
    }
}

/// Whether this process may limit and kill processes of other users: then root's workers are not root's.
fn can_supervise_others() -> bool {
    let own = rustix::thread::capabilities(None).unwrap().effective;
    own.contains(CapabilitySet::KILL | CapabilitySet::SYS_RESOURCE)
}

pub(crate) fn is_enforced(layers: &[LayerReport], layer: Layer) -> bool {
    layers
        .iter()
        .any(|report| report.layer == layer && report.is_enforced())
}

fn namespaces_differ(pid: u32, kind: WorkerKind) {
    for namespace in ["user", "mnt", "net", "ipc", "uts", "cgroup"] {
        let own = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        match fs::read_link(format!("/proc/{pid}/ns/{namespace}")) {
            Ok(other) => assert_ne!(own, other, "{namespace}"),
            // Not even its own user may look at what is undumpable.
            Err(error) => assert!(!is_root(), "{namespace}: {error}"),
        }
    }
    if is_root() {
        let root = fs::read_dir(format!("/proc/{pid}/root/")).unwrap();
        let names = root.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let drivers = [
            "dev", "etc", "lib", "lib64", "nix", "opt", "proc", "run", "sys", "usr",
        ];
        let is_expected = |name: &str| kind == WorkerKind::Gpu && drivers.contains(&name);
        for name in names {
            assert!(
                is_expected(&name),
                "{kind:?}: /{name} is in its root directory"
            );
        }
    }
}

fn descriptors_are_three(pid: u32) {
    match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(entries) => assert_eq!(entries.count(), 3),
        Err(error) => assert!(!is_root(), "{error}"),
    }
}

/// The compile process has no filter before its lock, so that what is under it can be tested alone.
pub(crate) fn walls_hold_without_the_filter() {
    let worker = command(&["hotcell-compiler", "walled", "tries"])
        .spawn()
        .unwrap();
    let layers: Vec<LayerReport> = answer(&worker).unwrap();
    if !is_enforced(&layers, Layer::Namespaces) || !is_enforced(&layers, Layer::Landlock) {
        return skip("namespaces or Landlock are absent");
    }
    let tried: Vec<(String, Attempted)> = answer(&worker).unwrap();
    let expected: [(&str, &[i32]); 14] = [
        ("open a file", &[libc::ENOENT]),
        ("list the root", &[libc::EACCES]),
        ("leave the root", &[libc::EACCES]),
        ("create a file", &[libc::EACCES, libc::EROFS]),
        ("signal its parent", &[libc::EPERM]),
        ("trace its parent", &[libc::EPERM]),
        ("read its parent", &[libc::EPERM]),
        ("map writable code", &[libc::EACCES]),
        ("mount", &[libc::EPERM]),
        ("change the root", &[libc::EPERM]),
        ("raise a limit", &[libc::EPERM]),
        ("fork", &[libc::EAGAIN]),
        ("become another user", &[libc::EINVAL]),
        (
            "make a namespace",
            &[libc::EPERM, libc::ENOSPC, libc::EUSERS, libc::EAGAIN],
        ),
    ];
    assert_eq!(tried.len(), expected.len());
    for ((what, attempted), (expected, errors)) in tried.iter().zip(expected) {
        assert_eq!(what, expected);
        if what == "fork" && is_root() && !can_supervise_others() {
            // A worker that stays root's is under no limit of tasks. As nobody, the claim is held to this too.
            continue;
        }
        let is_refused = errors
            .iter()
            .any(|error| *attempted == Attempted::Refused(*error));
        assert!(is_refused, "{what}: {attempted:?}");
    }
}

/// What the worker tries, in itself: addresses are good there only.
pub(crate) fn tries() -> Vec<(String, Attempted)> {
    let text = |text: &'static std::ffi::CStr| text.as_ptr().addr() as u64;
    let here = libc::AT_FDCWD.cast_unsigned().into();
    let parent: u64 = std::os::unix::process::parent_id().into();
    let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let (seize, fork) = (libc::PTRACE_SEIZE.into(), libc::SIGCHLD as u64);
    let limit = libc::rlimit {
        rlim_cur: 1 << 20,
        rlim_max: 1 << 20,
    };
    let limit = std::ptr::from_ref(&limit).expose_provenance() as u64;
    let mut memory = [0_u64; 4];
    let piece = std::ptr::from_mut(&mut memory).expose_provenance() as u64;
    memory = [piece, 8, piece, 8];
    let calls: [(&str, i64, [u64; 6]); 14] = [
        (
            "open a file",
            libc::SYS_openat,
            [here, text(c"/etc/passwd"), 0, 0, 0, 0],
        ),
        (
            "list the root",
            libc::SYS_openat,
            [here, text(c"/"), 0, 0, 0, 0],
        ),
        (
            "leave the root",
            libc::SYS_openat,
            [here, text(c"/../.."), 0, 0, 0, 0],
        ),
        (
            "create a file",
            libc::SYS_openat,
            [here, text(c"/x"), 0o101, 0o600, 0, 0],
        ),
        ("signal its parent", libc::SYS_kill, [parent, 0, 0, 0, 0, 0]),
        (
            "trace its parent",
            libc::SYS_ptrace,
            [seize, parent, 0, 0, 0, 0],
        ),
        (
            "read its parent",
            libc::SYS_process_vm_readv,
            [parent, piece, 1, piece, 1, 0],
        ),
        (
            "map writable code",
            libc::SYS_mmap,
            [0, 4096, 7, anonymous, u64::MAX, 0],
        ),
        (
            "mount",
            libc::SYS_mount,
            [text(c"x"), text(c"/"), text(c"tmpfs"), 0, 0, 0],
        ),
        (
            "change the root",
            libc::SYS_chroot,
            [text(c"/"), 0, 0, 0, 0, 0],
        ),
        (
            "raise a limit",
            libc::SYS_setrlimit,
            [libc::RLIMIT_NOFILE.into(), limit, 0, 0, 0, 0],
        ),
        ("fork", libc::SYS_clone, [fork, 0, 0, 0, 0, 0]),
        ("become another user", libc::SYS_setuid, [1, 0, 0, 0, 0, 0]),
        (
            "make a namespace",
            libc::SYS_unshare,
            [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0],
        ),
    ];
    std::hint::black_box(&memory);
    let attempt = |(what, number, arguments): (&str, i64, _)| {
        let number = u32::try_from(number).unwrap();
        (what.to_owned(), raw(Attempt::Call { number, arguments }))
    };
    calls.into_iter().map(attempt).collect()
}

pub(crate) fn limits_can_be_lowered_from_outside() {
    for kind in KINDS {
        let (worker, _) = start(kind, Phase::Locked);
        worker
            .limit_memory(LIMITS.data_bytes / 2, Some(1 << 40))
            .unwrap();
        worker.limit_cpu_seconds(7).unwrap();
        let limits = fs::read_to_string(format!("/proc/{}/limits", worker.pid()));
        match limits {
            Ok(limits) => {
                let data = (LIMITS.data_bytes / 2).to_string();
                assert!(
                    limits
                        .lines()
                        .any(|line| line.starts_with("Max data") && line.contains(&data))
                );
                assert!(
                    limits
                        .lines()
                        .any(|line| line.starts_with("Max core") && line.contains(" 0 "))
                );
            }
            Err(error) => assert!(!is_root(), "{error}"),
        }
    }
}

pub(crate) fn figures_are_measured_from_outside() {
    let (worker, _) = start(WorkerKind::Runner, Phase::Locked);
    let before = worker.cpu_time().unwrap();
    assert!(before > Duration::ZERO);
    let now = worker.resident_bytes().unwrap();
    assert!((1 << 16..64 << 20).contains(&now), "{now} bytes");
    assert!(worker.peak_resident_bytes().unwrap() > 1 << 16);
    worker.kill();
    let exit = worker.wait().unwrap();
    assert_eq!(exit.status, ExitKind::Signal(libc::SIGKILL));
    assert!(exit.cpu > Duration::ZERO && exit.peak_resident_bytes > 1 << 16);
}

pub(crate) fn a_cgroup_counts_cpu_time() {
    let hierarchy = match Hierarchy::delegated() {
        Ok(hierarchy) => hierarchy,
        Err(report) => {
            assert!(!report.is_enforced());
            // An unprivileged user rarely has one: the same claim runs as root.
            if is_root() {
                skip(&format!("{:?}", report.state));
            }
            return;
        }
    };
    let limits = CgroupLimits {
        memory_bytes: Some(1 << 30),
        tasks: Some(64),
    };
    let cgroup = hierarchy.create(&limits).unwrap();
    let leftover = hierarchy
        .directory()
        .join(format!("hotcell-{}-0", u32::MAX));
    fs::create_dir(&leftover).unwrap();
    Hierarchy::at(hierarchy.directory().to_owned()).unwrap();
    assert!(!leftover.exists(), "what a dead supervisor left is removed");
    assert!(cgroup.report().is_enforced());
    let (worker, _) = start(WorkerKind::Compiler, Phase::Locked);
    cgroup.enter(worker.pid()).unwrap();
    let own = fs::read_to_string(format!("/proc/{}/cgroup", worker.pid())).unwrap();
    assert!(own.contains("hotcell-"), "{own}");
    drop(ask(
        worker,
        Attempt::Call {
            number: 39,
            arguments: [0; 6],
        },
    ));
    assert!(cgroup.cpu_time().unwrap() > Duration::ZERO);
}

pub(crate) fn inheritance_is_gone() {
    let (worker, layers) = start(WorkerKind::Compiler, Phase::Born);
    assert!(layers.is_empty());
    let environment = fs::read(format!("/proc/{}/environ", worker.pid()));
    assert!(environment.is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0)));
    descriptors_are_three(worker.pid());
}

pub(crate) fn more_than_one_thread_is_an_error() {
    let worker = command(&["hotcell-compiler", "born", "threads"])
        .spawn()
        .unwrap();
    assert_eq!(worker.wait().unwrap().status, ExitKind::Code(3));
}
