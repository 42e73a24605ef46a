//! `cargo xtask wheel` and `cargo xtask test-python`: the Python package, and its tests in an environment of their own.

use crate::install::{self, PROGRAMS};
use crate::process::{command, root, run, target, without_own_package};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the wheel's tests and its making need of others, with their versions.
const REQUIREMENTS: &str = "python/requirements.txt";
/// The engines that the package has adapters for.
const ENGINES: &str = "python/requirements-engines.txt";
/// Where the package has its programs, from the root.
const STAGED: &str = "python/hotcell/_programs";

/// Build the Python package: the library, the workers and the command in one wheel.
///
/// It needs maturin (`pip install maturin`) and `strip`.
#[derive(Args)]
pub(crate) struct WheelChore {
    /// Where to [default: target/wheels]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl WheelChore {
    pub(crate) fn run(self) -> Result<()> {
        let out = self.out.unwrap_or_else(|| target().join("wheels"));
        let wheel = build(Path::new("maturin"), &std::path::absolute(out)?)?;
        println!("{}", wheel.display());
        Ok(())
    }
}

/// Install the wheel into a fresh virtual environment, and run the package's tests there.
#[derive(Args)]
pub(crate) struct PythonTestChore {
    /// The tests of engines too, which are large: Ray, Dask, DataFusion
    #[arg(long)]
    engines: bool,
    /// Passed on to pytest: a filter, or -x
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl PythonTestChore {
    /// With the engines, and 10 000 launches where otherwise there are fewer.
    pub(crate) fn with_engines() -> Self {
        Self {
            engines: true,
            arguments: Vec::new(),
        }
    }

    pub(crate) fn run(self) -> Result<()> {
        let place = target().join("python");
        let environment = place.join("environment");
        let wheels = place.join("wheels");
        if wheels.exists() {
            fs::remove_dir_all(&wheels)?;
        }
        let program = |name: &str| environment.join("bin").join(name);
        run(command("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment))?;
        let pip = |arguments: &[&str]| {
            let mut pip = command(program("python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]);
            pip.args(arguments);
            pip
        };
        run(&mut pip(&["--requirement", REQUIREMENTS]))?;
        if self.engines {
            run(&mut pip(&["--requirement", ENGINES]))?;
        }
        let wheel = build(&program("maturin"), &wheels)?;
        run(pip(&["--no-deps"]).arg(&wheel))?;
        run(command(program("mypy"))
            .current_dir(root().join("python"))
            .args(["--config-file", "pyproject.toml"]))?;
        // The porting guide's own kernels, by the command that the wheel has.
        run(command(program("hotcell")).args(["build", "examples/porting/kernels"]))?;
        let mut tests = command(program("python"));
        tests
            .current_dir(root().join("python/tests"))
            .env("HOTCELL_KERNELS", target().join("kernels"))
            .env(
                "HOTCELL_PYTHON_CALLS",
                if self.engines { "10000" } else { "1000" },
            )
            .args(["-m", "pytest", "--config-file", "../pyproject.toml", "."]);
        if !self.engines {
            tests.arg("--ignore=engines");
        }
        run(tests.args(self.arguments))
    }
}

/// Builds the wheel into a directory.
fn build(maturin: &Path, out: &Path) -> Result<PathBuf> {
    let is_wheel = |path: &Path| path.extension().is_some_and(|end| end == "whl");
    if let Ok(entries) = fs::read_dir(out) {
        let paths = entries.map(|entry| Ok(entry?.path()));
        let older = paths.collect::<Result<Vec<_>>>()?;
        let older = older.iter().find(|path| is_wheel(path));
        ensure!(
            older.is_none(),
            "{} has an older wheel: remove it",
            out.display()
        );
    }
    let built = install::build()?;
    let glibc = stage(&built)?;
    let mut command = command(maturin);
    without_own_package(&mut command);
    command
        .args(["build", "--release", "--locked", "--strip"])
        // maturin looks at the library alone, and the programs may need more.
        .args(["--compatibility", &format!("manylinux_2_{glibc}")])
        .args(["--manifest-path", "python/Cargo.toml", "--out"])
        .arg(out);
    run(&mut command).context("is maturin installed? pip install maturin")?;
    let paths = fs::read_dir(out)?.map(|entry| Ok(entry?.path()));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    let wheel = paths.into_iter().find(|path| is_wheel(path));
    wheel.with_context(|| format!("maturin left no wheel in {}", out.display()))
}

/// The version of the C library after `2.` that Python's own library needs at least.
const LEAST_GLIBC: u32 = 34;

/// Puts the programs where the package has them, without what only debuggers read. Says the highest version of the C library,
/// after `2.`, that any of them needs.
fn stage(built: &Path) -> Result<u32> {
    let mut glibc = LEAST_GLIBC;
    let place = root().join(STAGED);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let workers = PROGRAMS.map(|name| built.join("libexec/hotcell").join(name));
    for program in std::iter::once(built.join("release/hotcell")).chain(workers) {
        let name = program.file_name().context("a program has a name")?;
        let staged = place.join(name);
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&staged).arg(&program);
        run(&mut strip)?;
        fs::set_permissions(&staged, Permissions::from_mode(0o755))?;
        glibc = glibc.max(glibc_of(&fs::read(&staged)?));
    }
    Ok(glibc)
}

/// The highest version of the C library, after `2.`, whose symbols a program names.
fn glibc_of(program: &[u8]) -> u32 {
    const NAME: &[u8] = b"GLIBC_2.";
    let minor = |at: usize| {
        let digits = program[at + NAME.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number: u32, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u32::from(digit - b'0'))
        })
    };
    let named = program.windows(NAME.len()).enumerate();
    let named = named.filter(|(_, bytes)| *bytes == NAME);
    named.map(|(at, _)| minor(at)).max().unwrap_or(0)
}
