//! `cargo xtask test-python`: the Python package's tests, in an environment of their own, and what a newcomer does.

use crate::process::{command, root, run, target};
use crate::wheel::{self, cleared};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the wheel's tests and its making need of others, with their versions.
const REQUIREMENTS: &str = "python/requirements.txt";
/// What the files of importers' tests begin with.
const IMPORT_TESTS: &str = "test_import_";
/// The engines that the package has adapters for.
const ENGINES: &str = "python/requirements-engines.txt";
/// The oldest versions that importers take of what they import with.
const OLDEST: &str = "python/requirements-oldest.txt";
/// The user and group that own nothing: `nobody`.
const NOBODY: u32 = 65534;
/// A group that is given site-packages to write to, as distributions do with `staff`.
const STAFF: u32 = 50;
/// Where everybody's programs are: not everybody may use those that root has in a home of its own.
const EVERYBODYS: &str = "/usr/local/bin:/usr/bin:/bin";

/// Install the wheel into a fresh virtual environment, and run the package's tests there.
#[derive(Args)]
pub(crate) struct PythonTestChore {
    /// The tests of engines too, which are large: Ray, Dask, DataFusion; and more launches
    #[arg(long)]
    engines: bool,
    /// The importers' tests once more, with the oldest versions of JAX, Taichi and llvmlite that they take
    #[arg(long)]
    oldest: bool,
    /// Build a wheel from a source distribution too, from nothing, and run a kernel with it
    #[arg(long)]
    sdist: bool,
    /// The interpreter
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Passed on to pytest: a filter, or -x
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl PythonTestChore {
    /// With the engines, with the oldest that importers take, from a source distribution too, and 10 000 launches where otherwise there are fewer.
    pub(crate) fn thorough() -> Self {
        Self {
            engines: true,
            oldest: true,
            sdist: true,
            python: "python3".into(),
            arguments: Vec::new(),
        }
    }

    pub(crate) fn run(self) -> Result<()> {
        let place = target().join("python");
        let environment = Environment::fresh(&self.python, place.join("environment"))?;
        environment.install(&["--requirement", REQUIREMENTS])?;
        if self.engines {
            environment.install(&["--requirement", ENGINES])?;
        }
        let wheels = cleared(place.join("wheels"))?;
        let wheel = wheel::build(&environment.program("maturin"), &wheels)?;
        // What the name of the wheel promises of the C library holds for all programs in it.
        run(command(environment.program("auditwheel"))
            .arg("show")
            .arg(&wheel))?;
        environment.install(&["--no-deps", text(&wheel)?])?;
        run(command(environment.program("mypy"))
            .current_dir(root().join("python"))
            .args(["--config-file", "../pyproject.toml"]))?;
        // The porting guide's own kernels, by the command that the wheel has.
        run(command(environment.program("hotcell")).args(["build", "examples/porting/kernels"]))?;
        self.test(&environment)?;
        if self.oldest {
            let oldest = Environment::fresh(&self.python, place.join("oldest"))?;
            oldest.install(&["--requirement", OLDEST])?;
            oldest.install(&["--no-deps", text(&wheel)?])?;
            run(self.pytest(&oldest).args(import_tests()?))?;
        }
        newcomer(&wheel)?;
        shared_environment(&wheel)?;
        if self.sdist {
            let made = wheel::sdist(
                &environment.program("maturin"),
                &cleared(place.join("sdist"))?,
            )?;
            let from_sources = Environment::fresh(&self.python, place.join("from-sources"))?;
            from_sources.install(&[text(&made)?])?;
            run(command(from_sources.program("python")).args(["-c", README_COMMAND]))?;
        }
        Ok(())
    }

    fn test(&self, environment: &Environment) -> Result<()> {
        let mut tests = self.pytest(environment);
        tests.arg(".");
        if !self.engines {
            tests.arg("--ignore=engines");
        }
        if !self.arguments.is_empty() {
            return run(tests.args(&self.arguments));
        }
        // Importers load JAX and Taichi, whose threads are not for a process that forks.
        run(tests.arg(format!("--ignore-glob=*{IMPORT_TESTS}*")))?;
        let mut imports = self.pytest(environment);
        if self.engines {
            // All of Taichi's examples, and all of JAX's functions, where otherwise there are some.
            imports.env("HOTCELL_ALL_EXAMPLES", "1");
        }
        run(imports.args(import_tests()?))
    }

    fn pytest(&self, environment: &Environment) -> Command {
        let mut tests = command(environment.program("python"));
        let (calls, interrupts) = match self.engines {
            true => ("10000", "100"),
            false => ("1000", "20"),
        };
        tests
            .current_dir(root().join("python/tests"))
            .env("HOTCELL_KERNELS", target().join("kernels"))
            .env("HOTCELL_PYTHON_CALLS", calls)
            .env("HOTCELL_INTERRUPTS", interrupts)
            .args(["-m", "pytest", "--config-file", "../../pyproject.toml"]);
        tests
    }
}

/// The names of the importers' tests, in order.
fn import_tests() -> Result<Vec<OsString>> {
    let files = fs::read_dir(root().join("python/tests"))?;
    let mut files: Vec<_> = files
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<_>>()?;
    files.retain(|name| name.to_string_lossy().starts_with(IMPORT_TESTS));
    files.sort();
    Ok(files)
}

/// A virtual environment.
struct Environment(PathBuf);

impl Environment {
    fn fresh(python: &Path, place: PathBuf) -> Result<Self> {
        run(command(python).args(["-m", "venv", "--clear"]).arg(&place))?;
        Ok(Self(place))
    }

    fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    fn install(&self, what: &[&str]) -> Result<()> {
        let mut pip = command(self.program("python"));
        pip.args(["-m", "pip", "install", "--quiet"]);
        run(pip.arg("--disable-pip-version-check").args(what))
    }
}

/// What the README has a newcomer run second.
const README_COMMAND: &str =
    "import hotcell; print(hotcell.example(\"saxpy\")(2.0, [1, 2], [3, 4]))";

/// A function of Python's own, guarded.
const GUARD_COMMAND: &str =
    "import hotcell; assert hotcell.guard(lambda x: x + 1, timeout=5)(1) == 2";

/// The README's two commands, as they stand there, by a user who may do nothing, in an environment of that user's own.
fn newcomer(wheel: &Path) -> Result<()> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let mut blocks = readme.split("```sh\n").skip(1);
    let block = blocks.find(|block| block.starts_with("pip install target/wheels/*.whl\n"));
    let commands = block.and_then(|block| block.split("```").next());
    let commands = commands.context("README.md has no longer the commands of a newcomer")?;
    ensure!(
        commands.lines().count() == 2 && commands.contains(README_COMMAND),
        "the newcomer's commands in README.md are others than two: {commands}"
    );
    let home = tempfile::tempdir()?;
    let wheels = home.path().join("target/wheels");
    fs::create_dir_all(&wheels)?;
    fs::copy(wheel, wheels.join(wheel.file_name().context("a name")?))?;
    give(home.path())?;
    let script = format!(
        "set -e\npython3 -m venv venv\n. venv/bin/activate\n{commands}\npython -c '{GUARD_COMMAND}'"
    );
    run(as_nobody(home.path(), None).args(["sh", "-c", &script]))
}

/// An environment that root owns and a group may write to, used by who is not in the group and by who is.
fn shared_environment(wheel: &Path) -> Result<()> {
    if !is_root()? {
        return Ok(());
    }
    let home = tempfile::tempdir()?;
    fs::set_permissions(
        home.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let place = home.path().join("venv");
    let script = format!(
        "set -e\npython3 -m venv '{venv}'\n'{venv}/bin/pip' install --quiet '{wheel}'\n\
         site=$(echo '{venv}'/lib/python3*/site-packages)\nchgrp -R {STAFF} \"$site\"\nchmod -R g+w \"$site\"",
        venv = text(&place)?,
        wheel = text(wheel)?
    );
    run(Command::new("sh")
        .env("PATH", EVERYBODYS)
        .args(["-c", &script]))?;
    for group in [None, Some(STAFF)] {
        let own = tempfile::tempdir()?;
        give(own.path())?;
        for what in [README_COMMAND, GUARD_COMMAND] {
            let mut command = as_nobody(own.path(), group);
            run(command.arg(place.join("bin/python")).args(["-c", what]))?;
        }
    }
    Ok(())
}

/// Who becomes nobody where that is possible, in a home, and runs what is added.
fn as_nobody(home: &Path, group: Option<u32>) -> Command {
    let mut command = match is_root().unwrap_or(false) {
        true => {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid", &NOBODY.to_string()]);
            setpriv.args(["--regid", &NOBODY.to_string()]);
            match group {
                Some(group) => setpriv.args(["--groups", &group.to_string()]),
                None => setpriv.arg("--clear-groups"),
            };
            setpriv.args(["--bounding-set=-all", "--inh-caps=-all"]);
            setpriv
        }
        false => Command::new("env"),
    };
    command
        .current_dir(home)
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("PATH", EVERYBODYS)
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_CONFIG_HOME");
    command
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Gives a folder and what is in it to nobody, where that can be done.
fn give(folder: &Path) -> Result<()> {
    if !is_root()? {
        return Ok(());
    }
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => give(&path)?,
            false => chown(&path, Some(NOBODY), Some(NOBODY))?,
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}
