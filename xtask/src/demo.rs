//! `cargo xtask demo`: the main job on real input, with something to look at afterwards.
//!
//! The command runs as a user would type it, in `demo/`, and every command line is printed.

use crate::kernels::{GPU_FORM, build_all, component};
use crate::process::{hotcell, root, run};
use crate::workers::build_host;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// One launch of the demo: what it shows, the kernel, and the rest of the command line.
struct Show {
    what: &'static str,
    kernel: &'static str,
    arguments: &'static [&'static str],
    /// Whether the launch is meant to be stopped.
    is_stopped: bool,
}

const SHOWS: &[Show] = &[
    Show {
        what: "an animation, frames computed as chunks on all cores",
        kernel: "julia",
        arguments: &[
            "--dim",
            "t=100",
            "--dim",
            "h=320",
            "--dim",
            "w=640",
            "--out",
            "frames=@julia.apng",
        ],
        is_stopped: false,
    },
    Show {
        what: "one frame of it as a picture",
        kernel: "julia",
        arguments: &[
            "--dim",
            "t=1",
            "--dim",
            "h=1080",
            "--dim",
            "w=1920",
            "--out",
            "frames=@julia-{:04}.png",
        ],
        is_stopped: false,
    },
    Show {
        what: "edges of that picture: PNG in, PNG out",
        kernel: "edges",
        arguments: &[
            "--in",
            "image=@julia-0000.png",
            "--out",
            "out=@edges.png",
            "--report",
            "edges.json",
        ],
        is_stopped: false,
    },
    Show {
        what: "a simulation of 8192 particles, as an animation",
        kernel: "mpm88",
        arguments: &[
            "frames",
            "--dim",
            "t=60",
            "--dim",
            "h=256",
            "--dim",
            "w=256",
            "--out",
            "out=@mpm88.apng",
        ],
        is_stopped: false,
    },
    Show {
        what: "counts as an array",
        kernel: "mandelbrot",
        arguments: &[
            "--dim",
            "h=125",
            "--dim",
            "w=125",
            "--out",
            "counts=@mandelbrot.npy",
        ],
        is_stopped: false,
    },
    Show {
        what: "10 million samples, the same bytes and fuel on every machine",
        kernel: "monte_carlo",
        arguments: &[
            "hits",
            "--dim",
            "blocks=200",
            "--metering",
            "deterministic",
            "--out",
            "out=@hits.npy",
            "--report",
            "hits.json",
        ],
        is_stopped: false,
    },
    Show {
        what: "the same again, from its report",
        kernel: "",
        arguments: &["rerun", "hits.json"],
        is_stopped: false,
    },
    Show {
        what: "pi from those samples",
        kernel: "monte_carlo",
        arguments: &["estimate", "--in", "hits=@hits.npy", "--out", "out=@pi.npy"],
        is_stopped: false,
    },
    Show {
        what: "a kernel that runs out of fuel, and says so",
        kernel: "monte_carlo",
        arguments: &["hits", "--dim", "blocks=200", "--fuel", "1M"],
        is_stopped: true,
    },
];

/// Builds host and kernels, runs kernels, and leaves pictures, arrays and reports in `demo/`.
pub(crate) fn demo() -> Result<()> {
    build_host()?;
    build_all()?;
    let folder = root().join("demo");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for show in SHOWS {
        println!("\n# {}", show.what);
        let result = run(&mut command_line(show, &folder));
        anyhow::ensure!(
            result.is_err() == show.is_stopped,
            "{}: {result:?}",
            show.what
        );
    }
    side_by_side(&folder)?;
    println!(
        "\nLook at demo/julia.apng, demo/mpm88.apng (in a browser), demo/edges.png and the reports beside them."
    );
    Ok(())
}

/// Kernels that are run on the CPU and on the GPU, with what both get.
const PAIRS: &[(&str, &[&str])] = &[
    (
        "julia",
        &["--dim", "t=20", "--dim", "h=320", "--dim", "w=640"],
    ),
    ("edges", &["--in", "image=@julia-0000.png"]),
];

/// The outcome's exit code where there is no device.
const NO_GPU: i32 = 17;

/// Runs kernels in both forms, one after the other; says so where there is no device.
fn side_by_side(folder: &Path) -> Result<()> {
    println!("\n# the same kernels on the CPU and on the GPU; the lines say what each took");
    for (kernel, arguments) in PAIRS {
        let mut on_cpu = Command::new(hotcell());
        run(on_cpu
            .current_dir(folder)
            .arg("run")
            .arg(component(kernel))
            .args(*arguments))?;
        let mut on_gpu = Command::new(hotcell());
        on_gpu
            .current_dir(folder)
            .arg("run")
            .arg(component(&format!("{kernel}{GPU_FORM}")))
            .args(*arguments)
            // Mesa's software device has no higher tier.
            .args(["--grant", "gpu", "--tier", "unprivileged"]);
        println!("$ {on_gpu:?}");
        let status = on_gpu.status().context("cannot run hotcell")?;
        if status.code() == Some(NO_GPU) {
            println!(
                "No GPU was shown: this machine has no Vulkan device; the line above says why."
            );
            return Ok(());
        }
        anyhow::ensure!(status.success(), "{kernel} on the GPU: {status}");
    }
    Ok(())
}

fn command_line(show: &Show, folder: &Path) -> Command {
    let mut command = Command::new(hotcell());
    command.current_dir(folder);
    if !show.kernel.is_empty() {
        command.arg("run").arg(component(show.kernel));
    }
    command.args(show.arguments);
    command
}
