//! Tests that count what their process has, and so have to have it for themselves.

use std::process::Command;

/// The variable that tells a test that it is alone; its value is the test's name.
const ALONE: &str = "HOTCELL_TEST_ALONE";

/// Makes the rest of the calling test run in a process of its own. Descriptors, memory and children can be
/// counted there, since no other test has any.
#[macro_export]
macro_rules! alone {
    ($name:ident) => {
        if !$crate::is_alone(module_path!(), stringify!($name)) {
            return;
        }
    };
}

/// Whether this process runs that test alone; if not, one is started that does, and must succeed.
///
/// # Panics
/// The test failed there.
#[track_caller]
pub fn is_alone(module_path: &str, name: &str) -> bool {
    // The harness's names begin below the crate.
    let module = module_path.split_once("::").map_or("", |(_, below)| below);
    let test = format!("{module}::{name}");
    if std::env::var_os(ALONE).is_some_and(|alone| alone == *test) {
        return true;
    }
    let program = std::env::current_exe().expect("a test knows its executable");
    let output = Command::new(program)
        .args(["--exact", &test, "--nocapture", "--test-threads", "1"])
        .env(ALONE, &test)
        .output()
        .expect("a test starts again");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(
        text.contains("1 passed"),
        "{test} in a process of its own:\n{text}"
    );
    assert!(output.status.success(), "{test}: {}\n{text}", output.status);
    // A skip there is a skip here.
    text.lines()
        .filter(|line| line.starts_with("SKIPPED"))
        .for_each(|line| eprintln!("{line}"));
    false
}
