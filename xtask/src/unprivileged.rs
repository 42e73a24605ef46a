//! `cargo xtask test-unprivileged`: the tests of the walls again, as a user who may do nothing.

use crate::process::{cargo, command, run};
use crate::workers::build_host;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::PathBuf;

/// The user and group that own nothing: `nobody`.
const NOBODY: &str = "65534";

/// Run the tests of the walls as the user nobody; needs root to become that user.
#[derive(Args)]
pub(crate) struct UnprivilegedChore {
    /// Passed on to the tests: a filter, or --nocapture
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl UnprivilegedChore {
    /// Builds as the caller, and runs as nobody, in a home of its own.
    pub(crate) fn run(self) -> Result<()> {
        build_host()?;
        let home = std::env::temp_dir().join("hotcell-nobody");
        let home_text = home.display().to_string();
        run(command("install").args(["-d", "-m", "0700", "-o", NOBODY, "-g", NOBODY, &home_text]))?;
        let filters = match &self.arguments[..] {
            [] => vec!["escapes".to_owned(), "confined".to_owned()],
            given => given.to_vec(),
        };
        for (program, is_of_sandbox) in programs()? {
            let mut tests = command("setpriv");
            tests
                .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
                .args(["--bounding-set=-all", "--inh-caps=-all"])
                .arg(&program)
                .args(if is_of_sandbox { &[][..] } else { &filters })
                .env("HOME", &home)
                .env("TMPDIR", &home)
                // What only root can see of a process was tested as root; here it is a visible skip.
                .env_remove("HOTCELL_REQUIRE_ALL_TESTS")
                .env_remove("XDG_CACHE_HOME")
                .env_remove("XDG_STATE_HOME");
            run(&mut tests)?;
        }
        std::fs::remove_dir_all(&home).with_context(|| format!("cannot remove {home_text}"))
    }
}

/// The test programs that deal with workers, from what cargo says it has built; and whether all of their tests do,
/// as those of the sandbox.
fn programs() -> Result<Vec<(PathBuf, bool)>> {
    let mut build = cargo();
    build.args([
        "test",
        "--release",
        "--workspace",
        "--exclude",
        "xtask",
        "--locked",
    ]);
    build.args(["--no-run", "--message-format=json-render-diagnostics"]);
    build.stderr(std::process::Stdio::inherit());
    let output = build.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let mut programs = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let package = message["package_id"].as_str().unwrap_or_default();
        let is_of_sandbox = package.contains("hotcell-sandbox");
        let is_wanted = is_of_sandbox || package.contains("hotcell-tests");
        let is_test = message["profile"]["test"].as_bool().unwrap_or_default();
        if let (true, Some(program)) = (is_wanted && is_test, message["executable"].as_str()) {
            programs.push((PathBuf::from(program), is_of_sandbox));
        }
    }
    if programs.is_empty() {
        bail!("cargo names no test program of the walls");
    }
    Ok(programs)
}
