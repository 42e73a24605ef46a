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

/// A word that follows another in a text.
fn word_after<'a>(text: &'a str, before: &str) -> &'a str {
    let after = text.split_once(before).map(|(_, after)| after);
    let word = after.and_then(|after| after.split_whitespace().next());
    word.unwrap_or_else(|| panic!("nothing follows `{before}` in {text}"))
}

#[test]
fn a_limit_that_is_reached_says_how_far_and_what_is_known_of_the_kernel() {
    let Some(command) = with_kernel("saxpy") else {
        return;
    };
    command.write("x.npy", npy("<f4", &[256 << 10], &vec![0; 1 << 20]));
    let run = |more: &str| {
        command.run(&format!(
            "run saxpy.wasm --quiet --in a=2 --in x=@x.npy --in y=@x.npy {more}"
        ))
    };
    run("--fuel 100k").exits(12).says(&[
        "at most 100k are allowed",
        "too much",
        "nothing has run",
        "`hotcell profile saxpy.wasm --sweep n=4096..262144` measures",
    ]);
    command.run(OF_SAXPY).exits(0);
    // The profile is of smaller arrays, and is drawn further.
    let refused = run("--fuel 100k").exits(12);
    let expects = "its profile saxpy.profile.json expects about ";
    let taken_up_to = "for n=262144 (it was taken up to n=64000, and is drawn further): ";
    refused.says(&[expects, taken_up_to, "with a margin of 50 %"]);
    let fits = word_after(&run("--fuel 100k").stderr, taken_up_to).to_owned();
    run(&format!("--fuel {fits}")).exits(0);
    let (small, stopped) = ("--memory 2MiB", 14);
    run(small)
        .exits(stopped)
        .says(&["memory_bytes", expects, " fits, with a margin"]);
    let fits = word_after(&run(small).stderr, taken_up_to).to_owned();
    run(&format!("--memory {fits}")).exits(0);
    // Of another component it says nothing, and what is no profile neither.
    let profile = command.report("saxpy.profile.json");
    let mut other = profile.clone();
    other["component"] = "00".repeat(32).into();
    command.write("saxpy.profile.json", other.to_string());
    run("--fuel 100k")
        .exits(12)
        .says(&["does not fit this launch: it was taken of another build"]);
    command.write("saxpy.profile.json", "{}");
    run("--fuel 100k")
        .exits(12)
        .says(&["its profile is of no use"]);
}

#[test]
fn what_is_expected_to_pass_its_limit_warns_before_it_runs() {
    let Some(command) = with_kernel("mandelbrot") else {
        return;
    };
    command
        .run("profile mandelbrot.wasm --sweep h=16..128 --dim w=128 --search 4 --honest 10 --repeats 1")
        .exits(0);
    let run = |more: &str| {
        command.run(&format!(
            "run mandelbrot.wasm --dim h=128 --dim w=128 --report r.json {more}"
        ))
    };
    let done = run("").exits(0);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    let report = command.report("r.json");
    assert_eq!(report.get("warnings"), None);
    let used = report["usage"]["fuel_used"].as_u64().unwrap();
    assert!(report["foretold"]["fuel_at_least"].as_u64().unwrap() < used / 4);
    let little = format!("--fuel {}", used / 4);
    let stopped = run(&little).exits(12);
    let says = "hotcell: warning: limit fuel: about ";
    let line = stopped.stderr.lines().next().unwrap();
    assert!(line.starts_with(says), "{}", stopped.stderr);
    assert!(line.contains("expected by the kernel's profile"), "{line}");
    let warning = command.report("r.json")["warnings"][0].clone();
    assert_eq!(
        (&warning["limit"], &warning["by"]),
        (&"fuel".into(), &"profile".into())
    );
    let expected = warning["expected"].as_u64().unwrap();
    assert!(
        (used / 2..used * 2).contains(&expected),
        "{expected} for {used}"
    );
    run(&format!("{little} --quiet"))
        .exits(12)
        .says(&["out-of-fuel"]);
    command
        .run("report r.json")
        .exits(0)
        .prints(&["warnings", "limit fuel: about"]);
}

#[test]
fn an_operator_comes_from_observed_limits_to_ones_that_stop_what_runs_away() {
    let Some(command) = with_kernel("jacobi_2d") else {
        return;
    };
    command.own_policy("schema = 1\n[limits]\nfuel = { value = \"1M\", mode = \"observe\" }\n");
    for extent in [32, 64, 128] {
        let zeros = vec![0; 4 * extent * extent];
        let shape = [extent as u64, extent as u64];
        command.write(&format!("{extent}.npy"), npy("<f4", &shape, &zeros));
    }
    let run = |extent: u32, steps: u32, more: &str| {
        command.run(&format!(
            "run jacobi_2d.wasm --in a=@{extent}.npy --in b=@{extent}.npy --in steps={steps} --report r.json {more}"
        ))
    };
    // What is observed stops nobody, and is in the record.
    for extent in [32, 64, 128] {
        run(extent, 20, "").exits(0);
    }
    assert_eq!(command.report("r.json")["observed"][0]["limit"], "fuel");
    run(128, 200, "").exits(0);
    command
        .run("profile jacobi_2d.wasm --sweep h=16..128 --sweep w=16..128 --in steps=20 --search 8 --honest 30 --repeats 1")
        .exits(0);
    let suggested = command.run("policy suggest jacobi_2d.profile.json --recorded --margin 50");
    let suggested = suggested.exits(0).prints(&[
        "50 % above the most that was seen",
        "Of 30 honest launches none would have been stopped: at most 10.00 % are",
        "took more, up to",
        "only observed: fuel",
    ]);
    command.write("suggested.toml", &suggested.stdout);
    command.run("policy check suggested.toml").exits(0);
    let policy = "--policy suggested.toml";
    for extent in [32, 64, 128] {
        run(extent, 20, policy).exits(0);
        assert_eq!(command.report("r.json").get("observed"), None);
    }
    // Ten times its work; the profile that lies there is not of such a launch.
    run(128, 200, policy).exits(12).says(&[
        "jacobi_2d.profile.json does not fit this launch: it was taken with steps=20, and this launch has steps=200",
    ]);
    let limits = command.report("r.json")["limits"]["fuel"].clone();
    assert_eq!(limits["source"], "profile", "{limits}");
}

#[test]
fn a_profile_tells_what_a_gpu_did() {
    let Some(command) = with_kernel("saxpy-gpu") else {
        return;
    };
    if !hotcell_tests::gpu::has_lavapipe() {
        skip("no software Vulkan device: install mesa-vulkan-drivers and libvulkan1");
        return;
    }
    command
        .run("profile saxpy-gpu.wasm --grant gpu --gpu-device software --tier unprivileged --sweep n=4k..64k --search 2 --honest 4 --repeats 1 --html p.html")
        .exits(0)
        .prints(&["gpu     busy ", " dispatches, GPU fuel ", "llvmpipe", " at most"]);
    let profile = command.report("saxpy-gpu.profile.json");
    assert_eq!(profile["metering"], "strict");
    let gpu = &profile["gpu"];
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let (busy, wall) = (number(&gpu["busy_ns"]), number(&gpu["wall_ns"]));
    assert!(busy > 0 && busy <= wall, "{gpu}");
    let kernels = gpu["kernels"].as_array().unwrap();
    let dispatches: u64 = kernels
        .iter()
        .map(|kernel| number(&kernel["dispatches"]))
        .sum();
    assert_eq!(dispatches, number(&gpu["dispatches"]));
    for kernel in kernels {
        assert!(
            number(&kernel["time_ns"]) >= number(&kernel["longest_ns"]),
            "{kernel}"
        );
        assert!(
            number(&kernel["longest_ns"]) > 0 && number(&kernel["fuel_static"]) > 0,
            "{kernel}"
        );
    }
    let page = std::fs::read_to_string(command.path("p.html")).unwrap();
    assert!(page.contains("On the GPU") && page.contains("llvmpipe"));
}
