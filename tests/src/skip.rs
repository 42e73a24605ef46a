//! Visible skips.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The switch that makes a skip a failure: set where every test has to run.
const REQUIRE_ALL: &str = "HOTCELL_REQUIRE_ALL_TESTS";

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Says that a test could not run here, and why. The caller returns afterwards.
///
/// The line goes past the test harness's capture, so that it is seen although the test passes.
///
/// # Panics
/// If `HOTCELL_REQUIRE_ALL_TESTS` is `1`.
pub fn skip(reason: &str) {
    use std::io::Write;
    assert!(!is_forbidden(), "a skip is a failure here: {reason}");
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    // Nothing is lost where the error stream is closed but the line itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED ({count}): {reason}");
}

/// Whether every test has to run.
pub fn is_forbidden() -> bool {
    std::env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1")
}
