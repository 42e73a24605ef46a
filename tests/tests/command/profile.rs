//! Profiles, the limits and baselines that come of them, and the page.

use hotcell_tests::{Command, npy, skip};
use std::process::Stdio;

/// A place with a kernel of the repository in it; `None`, and a skip, where it was not built.
fn with_kernel(name: &str) -> Option<Command> {
    let Some(kernel) = Command::kernel(name) else {
        skip("the kernels were not built: cargo xtask kernels");
        return None;
    };
    let command = Command::new();
    let bytes = std::fs::read(kernel).expect("the kernel can be read");
    command.write(&format!("{name}.wasm"), bytes);
    Some(command)
}

const OF_SAXPY: &str = "profile saxpy.wasm --sweep n=1k..64k --search 12 --honest 40 --repeats 1";

#[test]
fn a_profile_says_what_a_kernel_costs_and_is_the_same_again() {
    let Some(command) = with_kernel("saxpy") else {
        return;
    };
    let first = command.run(OF_SAXPY);
    first.exits(0).prints(&[
        "fuel",
        "*n",
        "held-out sizes",
        "0 of 40 honest launches stopped",
    ]);
    let profile = command.report("saxpy.profile.json");
    assert_eq!(profile["entry"], "saxpy");
    let fuel = &profile["models"][0];
    assert_eq!(
        (&fuel["quantity"], &fuel["irregular"]),
        (&"fuel".into(), &serde_json::Value::Null)
    );
    assert!(
        fuel["held_out"]["max_percent"].as_f64().unwrap() < 2.0,
        "{fuel}"
    );
    command
        .run(&format!("{OF_SAXPY} --out again.json"))
        .exits(0);
    let again = command.report("again.json");
    let fuel_of = |profile: &serde_json::Value| -> Vec<u64> {
        let points = profile["points"].as_array().unwrap().iter();
        points
            .map(|point| point["sample"]["fuel"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(fuel_of(&profile), fuel_of(&again));
}

#[test]
fn what_cannot_be_profiled_says_what_to_do() {
    let Some(command) = with_kernel("spmv") else {
        return;
    };
    for (arguments, code, says) in [
        ("", 2, "--sweep r1=1k..1M"),
        ("--sweep r=1k..2k", 2, "--dim"),
        ("--sweep q=1k..2k", 2, "it has: "),
        (
            "--sweep r=16..64 --dim r1=r+1 --dim nnz=8*r --dim n=r --fill z=0..1",
            2,
            "it reads: ",
        ),
        (
            "--sweep r=16..64 --dim r1=r+1 --dim nnz=8*r --dim n=r --in offsets=@x.npy",
            2,
            "arrays are made here",
        ),
        (
            "--sweep r=16..64 --dim r1=r+1 --dim nnz=8*r --dim n=r",
            10,
            "--fill NAME=0..n",
        ),
        (
            "--sweep r=16..64 --metering fast",
            2,
            "leave --metering out",
        ),
    ] {
        command
            .run(&format!("profile spmv.wasm {arguments}"))
            .exits(code)
            .says(&[says]);
    }
    assert_eq!(command.listing(), ["spmv.wasm"]);
    let sound = "--fill offsets=ascending:0..=nnz --fill columns=uniform:0..n --search 8 --honest 10 --repeats 1";
    command
        .run(&format!(
            "profile spmv.wasm --sweep r=64..4k --dim r1=r+1 --dim nnz=8*r --dim n=r {sound}"
        ))
        .exits(0);
}

#[test]
fn suggested_limits_let_honest_work_go_on_and_stop_ten_times_as_much() {
    let Some(command) = with_kernel("jacobi_2d") else {
        return;
    };
    let zeros = vec![0; 4 * 128 * 128];
    command.write("a.npy", npy("<f4", &[128, 128], &zeros));
    command
        .run("profile jacobi_2d.wasm --sweep h=16..128 --sweep w=16..128 --in steps=20 --search 8 --honest 20 --repeats 1")
        .exits(0);
    let policy = command.run("policy suggest jacobi_2d.profile.json --ceilings");
    let policy = policy.exits(0).prints(&[
        "digest = ",
        "fuel = ",
        "memory_bytes = ",
        "Of 20 honest launches none",
    ]);
    command.write("hotcell.toml", &policy.stdout);
    command.run("policy check hotcell.toml").exits(0);
    let run = |steps: u32, more: &str| {
        command.run(&format!(
            "run jacobi_2d.wasm --policy hotcell.toml --in a=@a.npy --in b=@a.npy --in steps={steps} {more}"
        ))
    };
    run(20, "").exits(0);
    run(200, "").exits(12).says(&["fuel"]);
    // Nor is there any asking for more.
    run(200, "--fuel 100G")
        .exits(15)
        .says(&["above its ceiling"]);
}

#[test]
fn recorded_launches_are_taken_into_account() {
    let Some(command) = with_kernel("saxpy") else {
        return;
    };
    command.run(OF_SAXPY).exits(0);
    let before = command.run("policy suggest saxpy.profile.json --observe");
    before.exits(0).prints(&["mode = \"observe\""]);
    command.own_policy("schema = 1\n[limits]\nfuel = { value = \"10k\", mode = \"observe\" }\n");
    command.write("x.npy", npy("<f4", &[256 << 10], &vec![0; 1 << 20]));
    command
        .run("run saxpy.wasm --in a=2 --in x=@x.npy --in y=@x.npy")
        .exits(0);
    let after = command.run("policy suggest saxpy.profile.json --recorded");
    after
        .exits(0)
        .prints(&["recorded launches took up to", "only observed: fuel"]);
    command
        .run("policy suggest none.json")
        .exits(3)
        .says(&["none.json", "cannot be read"]);
    command
        .run("policy suggest x.npy")
        .exits(3)
        .says(&["is no profile"]);
}

#[test]
fn fuel_that_grew_beyond_a_baseline_fails_with_a_line_for_its_entry() {
    let Some(command) = with_kernel("sum") else {
        return;
    };
    command
        .run("bench sum.wasm --save base.json")
        .exits(0)
        .prints(&["2 entries saved"]);
    command
        .run("bench sum.wasm --baseline base.json")
        .exits(0)
        .prints(&[
            "sum.wasm sum: the same fuel at 2 points",
            "sum.wasm sum_stream: the same fuel",
        ]);
    // As if it had taken a tenth less when it was saved.
    let mut base = command.report("base.json");
    let fuel = &mut base["entries"][0]["points"][1]["fuel"];
    *fuel = (fuel.as_u64().unwrap() * 9 / 10).into();
    command.write("base.json", base.to_string());
    command
        .run("bench sum.wasm --baseline base.json")
        .exits(1)
        .prints(&[
            "sum.wasm sum: REGRESSED: fuel",
            "n=256",
            "sum.wasm sum_stream: the same fuel",
        ]);
    command
        .run("bench sum.wasm --baseline base.json --tolerance 12")
        .exits(0);
    command.write("base.json", "{}");
    command
        .run("bench sum.wasm --baseline base.json")
        .exits(3)
        .says(&["base.json"]);
}

#[test]
fn a_browser_shows_a_profile() {
    let Some(command) = with_kernel("dot") else {
        return;
    };
    command
        .run(
            "profile dot.wasm --sweep n=1k..64k --search 8 --honest 20 --repeats 1 --html dot.html",
        )
        .exits(0)
        .prints(&["dot.html"]);
    let Some(browser) = ["chromium", "chromium-browser"].into_iter().find(|name| {
        let found = std::process::Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.is_ok_and(|status| status.success())
    }) else {
        skip("there is no Chromium");
        return;
    };
    let own = tempfile::tempdir().unwrap();
    let shown = std::process::Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=2000",
        ])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", own.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", command.path("dot.html").display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&shown.stdout);
    assert!(
        dom.contains("Costs by size") && dom.contains("Limits that fit"),
        "{dom}"
    );
    assert_eq!(dom.matches("<svg class=\"plot\"").count(), 3, "{dom}");
    assert!(
        dom.matches("class=\"held\"").count() >= 3 && dom.contains("class=\"band\""),
        "{dom}"
    );
    // A policy of the page's own refuses whatever would be fetched or run, and would say so.
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(!said.contains("Content Security Policy"), "{said}");
}
