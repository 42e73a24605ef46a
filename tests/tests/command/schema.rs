//! Real reports against `docs/report.schema.json`: every key is in it, and every key in it can occur.

use super::{IN, with};
use hotcell_tests::schema::Walk;
use hotcell_tests::{Command, checkout, npy, processes, skip};
use serde_json::Value;
use std::time::Duration;

fn schema() -> Value {
    let text = std::fs::read_to_string(checkout().join("docs/report.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn real_reports_and_the_schema_agree() {
    let command = with(&[
        "honest",
        "divides_by_zero",
        "endless_loop",
        "log_forgery",
        "memory_in_one_step",
    ]);
    let schema = schema();
    let mut walk = Walk::new(&schema);
    for line in [
        format!("run honest.wasm {IN} --seed 7"),
        format!("run honest.wasm {IN} --metering fast"),
        format!("run divides_by_zero.wasm {IN}"),
        format!("run endless_loop.wasm {IN} --fuel 1M"),
        format!("run memory_in_one_step.wasm {IN}"),
        format!("run log_forgery.wasm {IN}"),
        "run honest.wasm".to_owned(),
        "run nosuch.wasm".to_owned(),
    ] {
        command.run(&format!("{line} --report r.json"));
        let report = command.report("r.json");
        walk.check(&schema, &report, "")
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let Some(probe) = Command::kernel("gpu-probe") else {
        return skip("target/kernels/gpu-probe.wasm is not there: `cargo xtask kernels` builds it");
    };
    let probe = probe.display();
    let dispatches = "--gpu-device nothing --gpu-profile --limit gpu_dispatches=2500";
    command.run(&format!(
        "run {probe} misuse --in what=4 --dim n=4 --grant gpu --grant gpu-text {dispatches} --report r.json"
    ));
    walk.check(&schema, &command.report("r.json"), "").unwrap();
    walk.check(&schema, &report_with_a_warning(&command), "")
        .unwrap();
    command.write("p.toml", super::policy::OBSERVING);
    command.run(&format!(
        "run honest.wasm {IN} --policy p.toml --report r.json"
    ));
    walk.check(&schema, &command.report("r.json"), "").unwrap();
    for refused in [
        "run honest.wasm --tenant nobody",
        "run honest.wasm --metering fast",
    ] {
        command.write("q.toml", super::policy::STRICT_FOR_ONE);
        command.run(&format!("{refused} {IN} --policy q.toml --report r.json"));
        walk.check(&schema, &command.report("r.json"), "").unwrap();
    }
    let report = report_of_a_stopped_runner(&command);
    walk.check(&schema, &report, "").unwrap();
    // Only Python has compilers of its own: `python/tests` look at such reports.
    let of_kernels = schema["properties"].as_object().unwrap().keys();
    for key in of_kernels.filter(|key| *key != "jit") {
        assert!(
            walk.seen.contains(&format!(".{key}")),
            "no report has `{key}`: {:?}",
            walk.seen
        );
    }
    for group in ["outcome", "usage", "timings"] {
        for (key, _) in schema["$defs"][group]["properties"].as_object().unwrap() {
            assert!(
                walk.seen.contains(&format!(".{group}.{key}")),
                "no report has {group}.{key}"
            );
        }
    }
}

/// The report of a launch whose limit is between what its code takes at least and at most.
fn report_with_a_warning(command: &Command) -> Value {
    let saxpy = Command::kernel("saxpy").expect("where one kernel was built, all were");
    let run = |more: &str| {
        let saxpy = saxpy.display();
        command.write("floats.npy", npy("<f4", &[4096], &[0; 4 * 4096]));
        let inputs = "--in a=2 --in x=@floats.npy --in y=@floats.npy --report r.json";
        command.run(&format!("run {saxpy} {inputs} {more}"));
        command.report("r.json")
    };
    let foretold = run("")["foretold"].clone();
    let bound = |name: &str| foretold[name].as_u64().unwrap();
    let between = (bound("fuel_at_least") + bound("fuel_at_most")) / 2;
    let report = run(&format!("--fuel {between}"));
    assert_eq!(report["warnings"][0]["by"], "code", "{report}");
    report
}

/// The report of a launch whose runner had to be killed.
fn report_of_a_stopped_runner(command: &Command) -> Value {
    let line = format!("run endless_loop.wasm {IN} --metering fast --timeout 2s --report r.json");
    let running = command.start(&line);
    let (mut stopped, pid) = (Vec::new(), running.id());
    let found = processes::eventually(Duration::from_secs(20), || {
        stopped = processes::workers_of(pid, "hotcell-runner");
        // The one with the guest; a spare has hardly run.
        let is_busy = |pid: &u32| processes::cpu_time(*pid) > Duration::from_millis(100);
        stopped.retain(is_busy);
        !stopped.is_empty()
    });
    assert!(found, "no runner is busy");
    processes::signal(stopped[0], processes::Signal::STOP);
    running.wait();
    command.report_with_alerts("r.json")
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    let schema = schema();
    let command = with(&["honest"]);
    command
        .run(&format!("run honest.wasm {IN} --report r.json --quiet"))
        .exits(0);
    let honest = command.report("r.json");
    let refuses = |change: &dyn Fn(&mut Value)| {
        let mut report = honest.clone();
        change(&mut report);
        let mut walk = Walk::new(&schema);
        walk.check(&schema, &report, "").is_err()
    };
    assert!(!refuses(&|_| ()));
    assert!(refuses(&|report| report["extra"] = 1.into()));
    assert!(refuses(&|report| report["outcome"]["kind"] = "fine".into()));
    assert!(refuses(&|report| report["usage"]["wall_ns"] = (-1.5).into()));
    assert!(refuses(&|report| {
        report.as_object_mut().unwrap().remove("usage");
    }));
}
