//! WASI and files: a kernel of ordinary Rust finds what it was granted, and nothing else.

use crate::files::{Files, WantFiles as _, run, script, told};
use hotcell::grant::Capability;
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{DirectoryAccess, Metering};
use hotcell_tests::{assert_breached, assert_ended, isolation};
use std::time::{Duration, Instant};

#[test]
fn without_anything_granted_it_is_refused_with_what_would_grant_it() {
    let ended = run(isolation!(), &[], script("begin"));
    assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Operator));
    assert_eq!(ended.outcome.causes.len(), 1, "{:?}", ended.outcome.causes);
    let words = &ended.outcome.message;
    assert!(
        words.contains("wasi:") && words.contains("is not granted"),
        "{words}"
    );
}

#[test]
fn it_begins_with_nothing() {
    let files = Files::new(DirectoryAccess::Write);
    let request = script("begin\ninput\ntime\nread /data/file\nlist /\nread file\nthread");
    let ended = run(
        isolation!(),
        &[files.given()],
        request.want(Capability::Wasi),
    );
    // `files` was not asked for.
    assert_eq!(
        told(&ended),
        "0 arguments, 0 variables, Some(\"/\")\n0 bytes\nday 0\nNotFound\nNotFound\nNotFound\nUnsupported\n"
    );
    assert_eq!(ended.report.usage.files, None);
}

#[test]
fn what_it_prints_becomes_lines_of_its_log() {
    let request = script("print hello\ncomplain unfinished").want(Capability::Wasi);
    let ended = run(isolation!(), &[], request);
    let lines: Vec<_> = ended.report.log.iter().collect();
    let lines: Vec<_> = lines
        .iter()
        .map(|line| format!("{:?} {}", line.level, line.message))
        .collect();
    assert_eq!(lines, ["Info hello", "Warn unfinished"]);
}

#[test]
fn a_log_that_is_not_granted_hears_nothing() {
    let request = script("print hello").wants([Capability::Wasi]);
    let ended = run(isolation!(), &[], request);
    assert_eq!(told(&ended), "done\n");
    assert!(ended.report.log.is_empty());
}

#[test]
fn to_exit_ends_the_launch_and_is_no_result() {
    for code in [0, 3] {
        let request = script(&format!("exit {code}")).want(Capability::Wasi);
        let ended = run(isolation!(), &[], request);
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let words = &ended.outcome.message;
        assert!(words.contains("exited with code"), "{words}");
    }
}

#[test]
fn without_a_clock_sleeping_takes_no_time_and_moves_the_clock() {
    let begun = Instant::now();
    let request = script("sleep 3600000").want(Capability::Wasi);
    let ended = run(isolation!(), &[], request);
    assert_eq!(told(&ended), "3600000 ms\n");
    assert!(begun.elapsed() < Duration::from_secs(600));
}

#[test]
fn with_a_clock_a_sleep_is_one_and_ends_at_the_deadline() {
    let request = script("sleep 60000")
        .want(Capability::Wasi)
        .want(Capability::Clock)
        .timeout(Duration::from_millis(200));
    let ended = run(isolation!(), &[], request);
    assert_breached(&ended, Limit::Timeout, 200_000_000);
}

#[test]
fn without_random_bytes_hashes_are_those_of_the_seed() {
    let hash = |seed: Option<u64>, random: bool| {
        let mut request = script("hash").want(Capability::Wasi);
        if let Some(seed) = seed {
            request = request.seed(seed);
        }
        if random {
            request = request.want(Capability::Random);
        }
        told(&run(isolation!(), &[], request))
    };
    assert_eq!(hash(None, false), hash(None, false));
    assert_eq!(hash(Some(1), false), hash(Some(1), false));
    assert_ne!(hash(Some(1), false), hash(Some(2), false));
    assert_ne!(hash(None, true), hash(None, true));
    assert_ne!(hash(Some(1), true), hash(Some(1), false));
}

#[test]
fn deterministic_metering_has_wasi_and_no_files() {
    let files = Files::new(DirectoryAccess::Read);
    let request = || {
        script("hash\nsleep 5\ntime\nread /data/file")
            .want(Capability::Wasi)
            .want(Capability::Files)
            .want(Capability::Clock)
            .want(Capability::Random)
            .metering(Metering::Deterministic)
    };
    let ended = [0; 2].map(|_| run(isolation!(), &[files.given()], request()));
    assert_eq!(told(&ended[0]), told(&ended[1]));
    assert!(told(&ended[0]).ends_with("5 ms\nday 0\nNotFound\n"));
    let fuel = ended.map(|ended| ended.report.usage.fuel_used);
    assert_eq!(fuel[0], fuel[1]);
}

#[test]
fn a_directory_is_read_and_not_written_unless_said() {
    let files = Files::new(DirectoryAccess::Read);
    let request = script(
        "read /data/file\nlist /data\nstat /data/file\nwrite /data/new x\nappend /data/file x\nremove /data/file\n\
         mkdir /data/new\nrename /data/file /data/new\nread /data/../secret\nread /data/link\nread /etc/passwd",
    );
    let ended = run(isolation!(), &[files.given()], request.want_files());
    let refused = "ReadOnlyFilesystem\n".repeat(5);
    let told = told(&ended);
    let (found, rest) = told.split_at(told.find("ReadOnly").expect("it is refused"));
    assert_eq!(found, "inside\nfile,link\nfalse 6\n");
    let rest = rest.strip_prefix(&refused).expect("all of it is refused");
    assert!(!rest.contains("secret"), "{rest}");
    assert_eq!(rest.lines().count(), 3, "{rest}");
    files.assert_untouched();
    let usage = ended.report.usage.files.expect("it had files");
    assert!(usage.opens > 0 && usage.bytes_read >= 6 && usage.bytes_written == 0);
}

#[test]
fn a_directory_that_may_be_written_is() {
    let files = Files::new(DirectoryAccess::Write);
    let request = script(
        "write /data/a 123\nappend /data/a 456\nat /data/a 1 XX\nread /data/a\nmkdir /data/d\nrename /data/a /data/d/b\n\
         list /data/d\nlink /data/d/b /data/c\nwrite /data/link x\nremove /data/d/b\nrmdir /data/d\nlist /data",
    );
    let ended = run(isolation!(), &[files.given()], request.want_files());
    assert_eq!(
        told(&ended),
        "done\ndone\ndone\n1XX456\ndone\ndone\nb\nPermissionDenied\nPermissionDenied\ndone\ndone\nfile,link\n"
    );
    files.assert_untouched();
    assert_eq!(ended.report.usage.files.unwrap().bytes_written, 8);
}

#[test]
fn every_limit_on_files_ends_the_launch() {
    for (limit, value, line) in [
        (Limit::FileOpens, 7, "open /data/file 20"),
        (Limit::FileHandles, 7, "keep /data/file 20"),
        (Limit::FileBytes, 10_000, "fill /data/new 65536"),
        (Limit::FileBytesWritten, 10_000, "fill /data/new 65536"),
        (
            Limit::FileBytesWritten,
            10_000,
            "at /data/file 1000000000000 x",
        ),
    ] {
        let files = Files::new(DirectoryAccess::Write);
        let request = script(line).want_files().limit(limit, value);
        let ended = run(isolation!(), &[files.given()], request);
        assert_breached(&ended, limit, value);
        assert_eq!(ended.outcome.kind, OutcomeKind::Limit);
        assert!(
            ended
                .outcome
                .message
                .starts_with(&format!("limit {limit}: "))
        );
        files.assert_outside_untouched();
    }
}

#[test]
fn files_without_end_end_at_the_timeout() {
    let files = Files::new(DirectoryAccess::Read);
    let request = script("spin")
        .want_files()
        .limit(Limit::HostCalls, Limit::HostCalls.ceiling())
        .limit(Limit::Fuel, Limit::Fuel.ceiling())
        .timeout(Duration::from_millis(300));
    let ended = run(isolation!(), &[files.given()], request);
    assert_breached(&ended, Limit::Timeout, 300_000_000);
}

#[test]
fn a_directory_that_is_not_there_is_the_operators_fault() {
    let files = Files::new(DirectoryAccess::Read);
    let given = files.given();
    files.remove();
    let ended = run(isolation!(), &[given], script("begin").want_files());
    assert_ended(&ended, OutcomeKind::Io, Some(Blame::Operator));
    let words = &ended.outcome.message;
    assert!(
        words.contains("`/data`") && words.contains("No such file"),
        "{words}"
    );
}
