//! Every kernel's GPU form on lavapipe, through the real command and confined workers.
//!
//! Cases and inputs are those of the form for the CPU, and so is the check: a result may be as far from the native
//! twin's as that one may be from the reference.

use super::{hotcell, output_file, read, write_inputs};
use anyhow::{Context, Result, ensure};
use hotcell_cases::compare::compare;
use hotcell_cases::{Arguments, Case, Level, Twin};
use std::path::Path;

macro_rules! forms {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name)).unwrap_or_else(|error| panic!("{error:#}"));
        })*

        #[test]
        fn every_form_has_its_test() {
            let kernels = hotcell_cases::kernels().unwrap();
            let has_form = |name: &String| {
                hotcell_cases::root().join("kernels").join(name).join("gpu/Cargo.toml").exists()
            };
            let forms: Vec<_> = kernels.into_iter().filter(has_form).collect();
            assert_eq!(forms, [$(stringify!($name)),*]);
        }
    };
}

forms! {
    dot, edges, gemm, histogram, jacobi_2d, julia, mpm88, nbody, prefix_scan, saxpy, softmax, sum,
}

/// Entries that the form for the CPU has alone.
const CPU_ALONE: [(&str, &str); 1] = [("mpm88", "frames")];

/// Runs every case of a kernel's GPU form.
fn check(kernel: &str) -> Result<()> {
    if !hotcell_tests::gpu::has_lavapipe() {
        hotcell_tests::skip(
            "no software Vulkan device: install mesa-vulkan-drivers and libvulkan1",
        );
        return Ok(());
    }
    let twin = Twin::load(kernel, Level::Baseline)?;
    let folder = tempfile::tempdir()?;
    for case in Case::load(kernel)? {
        if CPU_ALONE.contains(&(kernel, &case.entry)) {
            continue;
        }
        let entry = twin.manifest().kernel(&case.entry).context("the entry")?;
        let given = case.arguments(kernel, entry)?;
        let mut wanted = given.clone();
        twin.run(&mut wanted)?;
        write_inputs(folder.path(), &given)?;
        run(kernel, folder.path(), &given)
            .and_then(|()| check_outputs(folder.path(), &case, &wanted))
            .with_context(|| format!("{kernel} on the GPU, case `{}`", case.name))?;
    }
    Ok(())
}

fn check_outputs(folder: &Path, case: &Case, wanted: &Arguments) -> Result<()> {
    let mut checked = 0;
    for output in wanted.outputs() {
        let path = output_file(folder, output);
        let got = read(&path, &output.ty)?;
        std::fs::remove_file(&path)?;
        let Some(tolerance) = case.reference_tolerance(&output.name) else {
            continue;
        };
        compare(&output.ty, &got, output.data.bytes(), tolerance)
            .with_context(|| format!("output `{}`", output.name))?;
        checked += 1;
    }
    ensure!(checked > 0, "nothing was checked");
    Ok(())
}

fn run(kernel: &str, folder: &Path, arguments: &Arguments) -> Result<()> {
    let mut command = hotcell(folder);
    command
        .arg("run")
        .arg(hotcell_cases::component(&format!("{kernel}-gpu")))
        .arg(arguments.kernel.name())
        .args(["--quiet", "--timeout", "120s", "--grant", "gpu"])
        .args(["--gpu-device", "software", "--tier", "unprivileged"])
        .args(["--limit", "gpu_time_ns=120s", "--limit", "gpu_fuel=5T"]);
    super::add_arguments(&mut command, folder, arguments);
    super::succeed(&mut command)
}
