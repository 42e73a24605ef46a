//! The cap on memory, seen from outside: what the operating system says of the process.

use super::{IN, with};
use hotcell_tests::{Command, Running};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// The most memory that a process has had resident, in bytes; `None` where there is no `/proc`.
fn peak_bytes(running: &Running) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// The peak of a command that runs a guest which keeps what it has, once it does not rise any more.
fn settled_peak(command: &Command, guest: &str, memory: &str) -> Option<u64> {
    let line = format!("run {guest}.wasm {IN} --metering fast --memory {memory} --quiet");
    let running = command.start(&line);
    let (begin, mut last, mut steady) = (Instant::now(), 0, 0);
    while steady < 15 && begin.elapsed() < Duration::from_secs(8) {
        std::thread::sleep(Duration::from_millis(40));
        let peak = peak_bytes(&running)?;
        steady = if peak == last { steady + 1 } else { 0 };
        last = peak;
    }
    running.signal("KILL");
    running.wait();
    Some(last)
}

#[test]
fn memory_never_passes_its_cap_measured_from_outside() {
    let command = with(&["endless_loop", "fills_and_spins"]);
    for guest in ["endless_loop", "fills_and_spins"] {
        command
            .run(&format!("compile {guest}.wasm --metering fast"))
            .exits(0);
    }
    let Some(base) = settled_peak(&command, "endless_loop", "256MiB") else {
        return hotcell_tests::skip("no /proc/PID/status here");
    };
    for cap in [16, 64, 256] {
        let peak = settled_peak(&command, "fills_and_spins", &format!("{cap}MiB")).unwrap();
        let guest = peak.saturating_sub(base);
        assert!(
            guest <= (cap + 4) * MIB,
            "{guest} bytes over a cap of {cap} MiB"
        );
        assert!(
            guest >= (cap - 4) * MIB,
            "{guest} bytes: the cap of {cap} MiB was not used"
        );
    }
}
