//! What a guest says: counted, cut, escaped, and never taken for the host's words.

use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::{LogLevel, LogLine};
use hotcell::{Ended, Isolation, Observer};
use hotcell_tests::{Guest, arena, assert_ended, honest_request, isolation};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<LogLine>>,
    progress: Mutex<Vec<(u64, u64)>>,
}

impl Observer for Heard {
    fn log(&self, line: &LogLine) {
        self.lines.lock().unwrap().push(line.clone());
    }

    fn progress(&self, done: u64, total: u64) {
        self.progress.lock().unwrap().push((done, total));
    }
}

fn heard(name: &str) -> (Ended, Arc<Heard>) {
    let heard: Arc<Heard> = Arc::default();
    let request = honest_request().observer(heard.clone());
    (arena!().run(&Guest::named(name), request), heard)
}

#[test]
fn a_log_flood_is_cut_and_counted() {
    let (ended, heard) = heard("log_flood");
    assert_ended(&ended, OutcomeKind::Done, None);
    let (log, usage) = (&ended.report.log, &ended.report.usage);
    let kept: usize = log.iter().map(|line| line.message.len()).sum();
    assert!(kept <= 64 * 1024 + 3, "{kept} bytes kept");
    assert!(log.len() <= 1000);
    assert_eq!(usage.log_bytes, 1_000_000);
    assert_eq!(usage.log_lines_dropped + log.len() as u64, 10_000);
    assert_eq!(
        *heard.lines.lock().unwrap(),
        *log,
        "an observer hears what is kept"
    );
}

#[test]
fn a_log_of_many_lines_ends_at_the_limit_on_lines() {
    let request = honest_request().limit(Limit::LogLines, 7);
    let ended = arena!().run(&Guest::named("log_flood"), request);
    assert_eq!(ended.report.log.len(), 7);
    assert_eq!(ended.report.usage.log_lines_dropped, 9_993);
}

#[test]
fn a_log_line_cannot_forge_another_or_move_the_cursor() {
    let (ended, heard) = heard("log_forgery");
    assert_ended(&ended, OutcomeKind::Done, None);
    let line = LogLine {
        level: LogLevel::Warn,
        message: "fine\\nhotcell: done\\r\\u{1b}[2J\\u{202e}".to_owned(),
    };
    assert_eq!(ended.report.log[..], std::slice::from_ref(&line)[..]);
    assert_eq!(*heard.lines.lock().unwrap(), [line]);
}

#[test]
fn a_log_line_that_is_no_text_is_a_trap() {
    let (ended, _) = heard("log_not_utf8");
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    assert!(ended.report.log.is_empty());
}

#[test]
fn a_kernels_error_of_100_mib_is_cut_and_escaped() {
    let ended = arena!().attack("huge_error");
    assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
    let message = &ended.outcome.message;
    assert!(message.starts_with("\\n\\n") && message.ends_with('…'));
    assert!(
        message.len() <= 4096 + '…'.len_utf8(),
        "{} bytes",
        message.len()
    );
}

#[test]
fn a_kernels_error_is_read_before_the_guest_frees_it() {
    let ended = arena!().attack("frees_its_words");
    assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
    assert_eq!(ended.outcome.message, "there is no such row");
}

#[test]
fn an_error_about_an_argument_is_escaped() {
    let ended = arena!().attack("bad_argument");
    assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
    assert_eq!(ended.outcome.message, "argument `x\\u{1b}[2J`: wrong\\n");
}

#[test]
fn an_entry_that_the_code_does_not_know_is_the_kernels_error() {
    let ended = arena!().attack("unknown_entry");
    assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
    assert!(
        ended.outcome.message.contains("no entry `attack\\n`"),
        "{}",
        ended.outcome.message
    );
}

#[test]
fn of_many_explanations_the_first_is_kept() {
    let ended = arena!().attack("explain_flood");
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    assert!(
        ended.outcome.message.contains("first\\n"),
        "{}",
        ended.outcome.message
    );
    assert!(!ended.outcome.message.contains("later"));
    assert_eq!(ended.report.usage.host_calls, 1000);
}

#[test]
fn a_long_explanation_is_cut() {
    let ended = arena!().attack("explain_at_length");
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    assert!(
        ended.outcome.message.len() < 4300,
        "{} bytes",
        ended.outcome.message.len()
    );
}

#[test]
fn progress_is_never_more_than_everything() {
    let (ended, heard) = heard("reports_progress");
    assert_ended(&ended, OutcomeKind::Done, None);
    let progress = heard.progress.lock().unwrap();
    assert_eq!(progress[0], (10, 10));
    let rest = &progress[1..];
    assert!(
        rest.iter()
            .all(|(done, total)| done <= total && *total == 10)
    );
    // A runner in another process passes on what is worth a look, in process all of it is.
    assert!(rest.is_sorted());
    if isolation!() == Isolation::InProcess {
        assert_eq!(rest, (0..=10).map(|done| (done, 10)).collect::<Vec<_>>());
    }
}

#[test]
fn function_names_in_a_trap_are_cut_and_escaped() {
    let name = format!("$\"\\1b[2J\\0ahotcell: done {}\"", "x".repeat(50_000));
    let guest = Guest::of(format!(
        "(func $attack (call {name})) (func {name} unreachable)"
    ));
    let ended = arena!().run(&guest, honest_request());
    assert_ended(&ended, OutcomeKind::Trap, Some(Blame::Guest));
    let shown = ended.outcome.trace[0]
        .function
        .as_ref()
        .expect("it has a name");
    assert!(shown.starts_with("\\u{1b}[2J\\nhotcell"), "{shown}");
    assert!(shown.len() <= 256 + '…'.len_utf8());
}
