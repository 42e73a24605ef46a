//! `hotcell import`: a component of a kernel that was written for something else.
//!
//! The importers are Python, where authors have their kernels. This finds the interpreter and says what is missing.

use crate::exit::CommandError;
use crate::guard::{PYTHON, no_package};
use anyhow::{Result, anyhow};
use hotcell_model::outcome::OutcomeKind;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// The interpreter that this command was started by, where one did: the package's own script says so.
const STARTED_BY: &str = "HOTCELL_PYTHON";

/// Make a component of a StableHLO module
///
/// `jax.export` and other frontends write such modules, as text or as bytecode. Functions and kernels themselves are imported from Python: `hotcell.jax.kernel` and
/// `hotcell.taichi.kernel`. An object of C or Fortran is what `hotcell build` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportCommand {
    /// The module
    #[arg(value_name = "FILE.mlir")]
    path: PathBuf,
    /// Where the component goes [default: NAME.wasm in the working directory]
    #[arg(long, short, value_name = "FILE.wasm")]
    out: Option<PathBuf>,
    /// The component's and its kernel's name [default: the file's]
    #[arg(long)]
    name: Option<String>,
    /// The Python that has the package `hotcell[jax]` [default: the one that started this command, else python3]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<OsString>,
}

impl ImportCommand {
    /// Has Python import the module, and ends as that ends.
    ///
    /// # Errors
    /// With the exit code: a file that is not there, a Python without the package.
    pub(crate) fn execute(self) -> Result<u8> {
        if let Err(error) = std::fs::metadata(&self.path) {
            let error = anyhow!(error).context(self.path.display().to_string());
            return Err(CommandError::of(OutcomeKind::Io, error));
        }
        let python = self.python.or_else(|| std::env::var_os(STARTED_BY));
        let python = python.unwrap_or_else(|| PYTHON.into());
        let shown = python.to_string_lossy().into_owned();
        let usage = |error| CommandError::of(OutcomeKind::Usage, error);
        let find = "import sys, importlib.util as u; sys.exit(0 if u.find_spec('hotcell') else 3)";
        let found = Command::new(&python).args(["-c", find]).status();
        match found.map(|status| status.code()) {
            Ok(Some(0)) => {}
            Ok(Some(3)) => return Err(usage(no_package(&shown))),
            Ok(_) => return Err(usage(anyhow!("{shown} is no Python"))),
            Err(error) => {
                let error = anyhow!(error).context(format!("{shown} cannot be started"));
                return Err(usage(error));
            }
        }
        let mut import = Command::new(&python);
        import.args(["-m", "hotcell.jax"]).arg(&self.path);
        if let Some(out) = self.out {
            import.arg("--out").arg(out);
        }
        if let Some(name) = self.name {
            import.args(["--name", &name]);
        }
        let status = import.status()?;
        // One that was killed has no code.
        Ok(status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(OutcomeKind::HostFault.exit_code()))
    }
}
