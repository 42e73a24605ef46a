//! `cargo xtask wheel`: the Python package, with all that goes into it besides its own Python.

use crate::install::{self, COMPLETIONS, PROGRAMS};
use crate::kernels;
use crate::licenses;
use crate::process::{command, root, run, target, without_own_package};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the package has its programs, from the root.
const PROGRAMS_PLACE: &str = "python/hotcell/_programs";
/// Where it has the kernels that it brings along.
const EXAMPLES_PLACE: &str = "python/hotcell/_examples";
/// Where it has the licences of all that is compiled in.
const LICENSES_PLACE: &str = "python/hotcell/_licenses";
/// What goes into the environment's own folders, laid out as there.
const DATA_PLACE: &str = "python/data";
/// The version of the C library after `2.` that Python's own library needs at least.
const LEAST_GLIBC: u32 = 34;

/// Build the Python package: the library, the workers, the command and example kernels in one wheel.
///
/// It needs maturin (`pip install maturin`) and `strip`.
#[derive(Args)]
pub(crate) struct WheelChore {
    /// Where to [default: target/wheels]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make a source distribution instead, of what git has
    #[arg(long)]
    sdist: bool,
    /// Only put in place what goes into a wheel: for those who build the package by its own backend
    #[arg(long, conflicts_with_all = ["sdist", "out"])]
    stage_only: bool,
}

impl WheelChore {
    pub(crate) fn run(self) -> Result<()> {
        if self.stage_only {
            return stage().map(drop);
        }
        let out = self.out.unwrap_or_else(|| target().join("wheels"));
        let (out, maturin) = (std::path::absolute(out)?, Path::new("maturin"));
        let made = match self.sdist {
            true => sdist(maturin, &out)?,
            false => build(maturin, &out)?,
        };
        println!("{}", made.display());
        Ok(())
    }
}

/// Builds the wheel into a directory.
pub(crate) fn build(maturin: &Path, out: &Path) -> Result<PathBuf> {
    let older = files_that_end(out, "whl")?;
    ensure!(
        older.is_empty(),
        "{} has an older wheel: remove it",
        out.display()
    );
    let glibc = stage()?;
    let mut command = command(maturin);
    without_own_package(&mut command);
    command
        .args(["build", "--release", "--locked", "--strip"])
        // maturin looks at the library alone, and the programs may need more.
        .args(["--compatibility", &format!("manylinux_2_{glibc}"), "--out"])
        .arg(out);
    run(&mut command).context("is maturin installed? pip install maturin")?;
    only(out, "whl")
}

/// Makes the source distribution.
pub(crate) fn sdist(maturin: &Path, out: &Path) -> Result<PathBuf> {
    let older = files_that_end(out, "gz")?;
    ensure!(
        older.is_empty(),
        "{} has an older source distribution: remove it",
        out.display()
    );
    let mut command = command(maturin);
    without_own_package(&mut command);
    run(command.args(["sdist", "--out"]).arg(out))
        .context("is maturin installed? pip install maturin")?;
    only(out, "gz")
}

fn only(folder: &Path, end: &str) -> Result<PathBuf> {
    let made = files_that_end(folder, end)?.pop();
    made.with_context(|| format!("maturin left no .{end} in {}", folder.display()))
}

fn files_that_end(folder: &Path, end: &str) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    let ends = |path: &PathBuf| path.extension().is_some_and(|is| is == end);
    Ok(paths.into_iter().filter(ends).collect())
}

/// Puts what a wheel has beside Python's own into its places. Says the highest version of the C library, after `2.`, that any of
/// its programs needs.
fn stage() -> Result<u32> {
    let built = install::build()?;
    let glibc = stage_programs(&built)?;
    let examples = cleared(EXAMPLES_PLACE)?;
    for name in kernels::names()? {
        kernels::build(&name)?;
        fs::copy(
            kernels::component(&name),
            examples.join(&name).with_extension("wasm"),
        )?;
    }
    let licenses = cleared(LICENSES_PLACE)?;
    fs::write(licenses.join("THIRD-PARTY.txt"), licenses::third_party()?)?;
    let data = cleared(DATA_PLACE)?.join("data");
    for (_, name) in COMPLETIONS {
        let place = data.join(name);
        fs::create_dir_all(place.parent().context("it is in a folder")?)?;
        fs::copy(built.join(name), place)?;
    }
    Ok(glibc)
}

/// An empty folder there, from the root.
pub(crate) fn cleared(place: impl AsRef<Path>) -> Result<PathBuf> {
    let place = root().join(place);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    Ok(place)
}

/// Puts the programs where the package has them, without what only debuggers read.
fn stage_programs(built: &Path) -> Result<u32> {
    let mut glibc = LEAST_GLIBC;
    let place = cleared(PROGRAMS_PLACE)?;
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
