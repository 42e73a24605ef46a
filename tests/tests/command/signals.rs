//! Interrupts and kills: what is left when a command ends before its kernel does.

use super::{IN, with};
use hotcell_tests::{Command, Running, read_npy};
use std::time::{Duration, Instant};

/// Starts a spinning kernel and waits until it surely runs: its artifact is in the cache by then.
fn spinning(command: &Command, more: &str) -> Running {
    let running = command.start(&format!(
        "run endless_loop.wasm {IN} --metering fast {more}"
    ));
    let begin = Instant::now();
    while std::fs::read_dir(command.artifacts()).map_or(0, Iterator::count) == 0 {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "the kernel never got compiled"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(200));
    running
}

#[test]
fn an_interrupt_cancels_exits_18_and_reports() {
    for signal in ["INT", "TERM"] {
        let command = with(&["endless_loop"]);
        command.write("out.npy", "old");
        let running = spinning(&command, "--out out=@out.npy --report r.json --quiet");
        running.signal(signal);
        running.wait().exits(18).says(&["hotcell: cancelled"]);
        let report = command.report("r.json");
        assert_eq!(report["outcome"]["kind"], "cancelled");
        assert_eq!(report["outcome"]["blame"], "request");
        assert_eq!(report["results"], serde_json::json!([]));
        assert_eq!(std::fs::read(command.path("out.npy")).unwrap(), b"old");
    }
}

#[test]
fn an_interrupt_lets_a_kernel_that_polls_finish_its_thought() {
    let command = with(&["polls"]);
    let line =
        format!("run polls.wasm {IN} --out out=@out.npy --limit host_calls=1G --report r.json");
    let mut running = command.start(&line);
    running.until_says("at work");
    running.signal("INT");
    running.wait().exits(18).says(&["partial"]);
    assert_eq!(command.report("r.json")["outcome"]["partial"], true);
    assert_eq!(read_npy(command.path("out.npy")).len(), 4096);
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_output_or_the_whole_new_one() {
    let command = with(&["honest"]);
    let line = format!("run honest.wasm {IN} --out out=@out.npy --quiet --no-cache");
    let begin = Instant::now();
    command.run(&line).exits(0);
    let whole = begin.elapsed();
    let new = std::fs::read(command.path("out.npy")).unwrap();
    let (mut seen_old, mut killed) = (0, 0);
    for round in 0..24u32 {
        command.write("out.npy", "old");
        let mut running = command.start(&line);
        std::thread::sleep(whole * round / 20);
        killed += u32::from(running.is_running());
        if running.is_running() {
            running.signal("KILL");
        }
        running.wait();
        let found = std::fs::read(command.path("out.npy")).unwrap();
        assert!(
            found == b"old" || found == new,
            "round {round}: {} bytes",
            found.len()
        );
        seen_old += u32::from(found == b"old");
    }
    assert!(
        killed > 0 && seen_old > 0,
        "no kill came in time: {killed}, {seen_old}"
    );
}

#[test]
fn a_kill_while_compiling_leaves_a_cache_that_works() {
    let command = with(&["honest"]);
    let line = format!("run honest.wasm {IN} --quiet");
    for round in 0..8u32 {
        let running = command.start(&line);
        std::thread::sleep(Duration::from_millis(5 * u64::from(round)));
        let _ = std::process::Command::new("kill")
            .args(["-KILL", &running.id().to_string()])
            .stderr(std::process::Stdio::null())
            .status();
        running.wait();
    }
    command.run(&line).exits(0);
    let report = command.run(&format!("{line} --report -")).exits(0).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["timings"]["cache"], "hit");
}
