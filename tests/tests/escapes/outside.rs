//! Locked workers as the operating system shows them from outside: nothing here rests on what they say.

use hotcell::layer::{Layer, Tier};
use hotcell_model::layer::WorkerKind;
use hotcell_tests::processes::{links, status_field};
use hotcell_tests::{Locked, skip};
use std::path::{Path, PathBuf};

const KINDS: [WorkerKind; 2] = [WorkerKind::Compiler, WorkerKind::Runner];

fn proc_of(worker: &Locked, name: &str) -> PathBuf {
    Path::new("/proc").join(worker.pid().to_string()).join(name)
}

/// A file of a worker's `/proc`; `None` where only root may look at what is undumpable.
fn read(worker: &Locked, name: &str) -> Option<String> {
    std::fs::read_to_string(proc_of(worker, name)).ok()
}

#[test]
fn the_operating_system_confirms_filter_privileges_and_capabilities() {
    for kind in KINDS {
        let worker = Locked::start(kind);
        let status = read(&worker, "status").expect("a status can be read");
        let field =
            |name| status_field(&status, name).unwrap_or_else(|| panic!("{name} in {status}"));
        assert_eq!(field("Seccomp"), "2", "{kind:?}");
        assert_eq!(field("NoNewPrivs"), "1", "{kind:?}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{kind:?}: {set}");
        }
        assert_eq!(field("CoreDumping"), "0");
        let threads = field("Threads");
        assert_eq!(
            threads == "1",
            kind == WorkerKind::Compiler,
            "{kind:?}: {threads} threads"
        );
    }
}

#[test]
fn every_thread_is_under_as_many_filters_as_the_kind_has() {
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let count = |status: &str| -> u32 {
        status_field(status, "Seccomp_filters").map_or(0, |count| count.parse().unwrap())
    };
    // Each filter is two programs: one answers with an error, one kills.
    for (kind, programs) in [(WorkerKind::Compiler, 2), (WorkerKind::Runner, 4)] {
        let worker = Locked::start(kind);
        for task in std::fs::read_dir(proc_of(&worker, "task")).unwrap() {
            let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            assert_eq!(status_field(&status, "Seccomp"), Some("2"), "{kind:?}");
            assert_eq!(count(&status) - count(&own), programs, "{kind:?}");
        }
    }
}

#[test]
fn no_memory_is_writable_and_executable_and_code_runs_from_the_sealed_artifact() {
    for kind in KINDS {
        let worker = Locked::start(kind);
        let Some(maps) = read(&worker, "maps").filter(|maps| !maps.is_empty()) else {
            return skip("only root sees what an undumpable process has mapped");
        };
        let mut text_of_artifact = 0;
        for line in maps.lines() {
            let protection = line
                .split_whitespace()
                .nth(1)
                .expect("a map has a protection");
            assert!(!protection.contains("wx"), "{kind:?}: {line}");
            // `vsyscall` is the operating system's own.
            let is_executable = protection.contains('x') && !line.ends_with("[vsyscall]");
            let is_artifact = line.contains("/memfd:hotcell");
            assert!(
                !(is_executable && line.split_whitespace().count() < 6),
                "anonymous code: {line}"
            );
            assert!(
                !is_artifact || !protection.contains('w'),
                "{kind:?}: {line}"
            );
            text_of_artifact += u32::from(is_artifact && protection == "r-xp");
        }
        assert_eq!(text_of_artifact > 0, kind == WorkerKind::Runner, "{maps}");
    }
}

#[test]
fn a_locked_worker_has_no_descriptor_but_its_channels_and_its_memory() {
    for kind in KINDS {
        let worker = Locked::start(kind);
        let links = links(&proc_of(&worker, "fd"));
        if links.is_empty() {
            return skip("only root sees what an undumpable process has open");
        }
        for (number, target) in &links {
            let target = target.to_string_lossy();
            let expected = match number {
                0 | 1 => target.starts_with("socket:["),
                2 => target == "/dev/null",
                _ => {
                    kind == WorkerKind::Runner
                        && (target.contains("memfd:") || target.ends_with("/pagemap"))
                }
            };
            assert!(expected, "{kind:?}: {number} is {target}: {links:?}");
        }
        assert!(kind == WorkerKind::Runner || links.len() == 3, "{links:?}");
    }
}

#[test]
fn a_locked_worker_has_no_environment_and_no_files() {
    for kind in KINDS {
        let worker = Locked::start(kind);
        let Some(environment) = read(&worker, "environ") else {
            return skip("only root sees an undumpable process's environment");
        };
        assert!(
            environment.bytes().all(|byte| byte == 0),
            "{kind:?}: {environment}"
        );
        let is_walled = |layer| {
            worker
                .layers
                .iter()
                .any(|said| said.layer == layer && said.is_enforced())
        };
        if !is_walled(Layer::Namespaces) {
            return skip("there are no namespaces here");
        }
        let root = std::fs::read_dir(proc_of(&worker, "root")).unwrap();
        assert_eq!(root.count(), 0, "{kind:?}: an empty root directory");
        for namespace in ["user", "mnt", "net", "ipc", "uts", "cgroup"] {
            let theirs = std::fs::read_link(proc_of(&worker, "ns").join(namespace)).unwrap();
            let ours = std::fs::read_link(Path::new("/proc/self/ns").join(namespace)).unwrap();
            assert_ne!(theirs, ours, "{kind:?}: {namespace}");
        }
    }
}

#[test]
fn a_locked_worker_reports_every_layer_once() {
    for kind in KINDS {
        let worker = Locked::start(kind);
        let mut spoken_of: Vec<Layer> = worker.layers.iter().map(|report| report.layer).collect();
        spoken_of.sort();
        // The cgroup is the supervisor's to make, and to report.
        let all = Layer::ALL
            .into_iter()
            .filter(|layer| *layer != Layer::Cgroup);
        assert_eq!(spoken_of, all.collect::<Vec<_>>(), "{kind:?}");
        if Tier::of(&worker.layers) < Tier::Full {
            skip(&format!(
                "this machine gives {kind:?} the tier {}",
                Tier::of(&worker.layers)
            ));
        }
    }
}
