//! The cap on memory, seen from outside: what the operating system says of the process.

use super::{IN, with};
use hotcell_tests::{Command, Running, processes};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// The most memory that a process has had resident, in bytes; `None` where there is no `/proc`.
fn peak_bytes(pid: u32) -> Option<u64> {
    let kib = processes::status_number(&pid.to_string(), "VmHWM")?;
    Some(kib * 1024)
}

/// The most memory that the process with the guest has had: the command's own, or its runner's.
fn guests_peak_bytes(running: &Running, isolation: &str) -> Option<u64> {
    if isolation == "in-process" {
        return peak_bytes(running.id());
    }
    // One that ends while we look is a spare that was not needed.
    let runners = processes::workers_of(running.id(), "hotcell-runner");
    Some(
        runners
            .into_iter()
            .filter_map(peak_bytes)
            .max()
            .unwrap_or(0),
    )
}

/// The peak of a command that runs a guest which keeps what it has, once it does not rise any more.
fn settled_peak(command: &Command, guest: &str, memory: &str, isolation: &str) -> Option<u64> {
    let options = format!("--metering fast --memory {memory} --isolation {isolation} --quiet");
    let running = command.start(&format!("run {guest}.wasm {IN} {options}"));
    let (begin, mut last, mut steady) = (Instant::now(), 0, 0);
    while steady < 15 && begin.elapsed() < Duration::from_secs(8) {
        std::thread::sleep(Duration::from_millis(40));
        let peak = guests_peak_bytes(&running, isolation)?;
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
    for isolation in ["in-process", "confined"] {
        let Some(base) = settled_peak(&command, "endless_loop", "256MiB", isolation) else {
            return hotcell_tests::skip("no /proc/PID/status here");
        };
        for cap in [16, 64, 256] {
            let memory = format!("{cap}MiB");
            let peak = settled_peak(&command, "fills_and_spins", &memory, isolation).unwrap();
            let guest = peak.saturating_sub(base);
            assert!(
                guest <= (cap + 4) * MIB,
                "{isolation}: {guest} bytes over a cap of {cap} MiB"
            );
            assert!(
                guest >= (cap - 4) * MIB,
                "{isolation}: {guest} bytes: the cap of {cap} MiB was not used"
            );
        }
    }
}
