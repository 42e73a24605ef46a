//! Runs claims one after the other, as root and again as nobody, with visible skips.

use std::os::unix::process::CommandExt;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A name, and what shows that it is so.
pub(crate) type Claim = (&'static str, fn());

const NOBODY: u32 = 65534;

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Says that something could not be tested here, and why.
pub(crate) fn skip(reason: &str) {
    let is_required =
        std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_some_and(|value| value == "1");
    assert!(!is_required, "a skip is a failure here: {reason}");
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    eprintln!("SKIPPED ({count}): {reason}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs the claims whose names contain one of the arguments; all, if there is none.
pub(crate) fn run_all(claims: &[Claim], arguments: &[String]) -> ExitCode {
    let wanted: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(*part));
    let chosen: Vec<_> = claims.iter().filter(|(name, _)| is_wanted(name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let user = if is_root() { "root" } else { "nobody" };
    let mut failed = 0;
    for (name, claim) in &chosen {
        let start = Instant::now();
        let verdict = if catch_unwind(claim).is_ok() {
            "ok"
        } else {
            "FAILED"
        };
        failed += usize::from(verdict != "ok");
        println!(
            "test {name} (as {user}) ... {verdict} in {:.1?}",
            start.elapsed()
        );
    }
    println!("{} claims as {user}, {failed} failed", chosen.len());
    if is_root() && !run_as_nobody(arguments) {
        failed += 1;
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_as_nobody(arguments: &[String]) -> bool {
    // A copy where nobody may read it: the build's folder need not be.
    let folder = std::env::temp_dir().join(format!("hotcell-lockdown-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("lockdown");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let status = Command::new(&program)
        .args(arguments)
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .status();
    std::fs::remove_dir_all(folder).unwrap();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            let reason = format!("cannot run as nobody: {error}");
            catch_unwind(|| skip(&reason)).is_ok()
        }
    }
}
