//! Honest guests that say odd things: nothing at all, too much, what is no text, numbers that make no sense.

use super::{Pair, sixteen};
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind::{self, Done, KernelError, Timeout, Trap};
use hotcell::{Array, Metering, Request};
use hotcell_tests::{Guest, honest_request};

/// Texts as they stand between the quotes of a data segment, and whether they are any.
const TEXTS: [(&str, bool); 12] = [
    ("", true),
    (" ", true),
    ("\\0a\\0d\\00", true),
    ("\\e2\\80\\ae\\e2\\80\\8b", true),
    ("\\5c\\5cn \\5cu{202e}", true),
    ("\\e3\\80\\80", true),
    ("\\1b[2J", true),
    ("gr\\c3\\bc\\c3\\9fe", true),
    ("\\ff\\fe", false),
    ("cut \\e2\\80", false),
    ("\\ed\\a0\\80", false),
    ("\\f4\\8f\\bf\\bf", true),
];

/// A guest that returns an error: its case, and two pairs of address and length.
fn returns(case: u8, words: [u32; 4]) -> String {
    let [first, first_len, second, second_len] = words;
    format!(
        "(i32.store8 (i32.const 16) (i32.const 1))
        (i32.store8 (i32.const 20) (i32.const {case}))
        (i32.store (i32.const 24) (i32.const {first})) (i32.store (i32.const 28) (i32.const {first_len}))
        (i32.store (i32.const 32) (i32.const {second})) (i32.store (i32.const 36) (i32.const {second_len}))"
    )
}

/// The bytes of a data segment's text.
fn len_of(text: &str) -> u32 {
    let escapes = text.matches('\\').count();
    u32::try_from(text.len() - 2 * escapes).expect("a short text")
}

fn guest(text: &str, body: &str) -> Guest {
    Guest::of(format!(
        "(data (i32.const 512) \"{text}\") (func $attack {body})"
    ))
}

#[test]
fn whatever_an_error_says_it_is_the_kernels() {
    let pair = Pair::new();
    for (text, is_text) in TEXTS {
        let len = len_of(text);
        for (case, words) in [
            (0, [512, len, 0, 0]),
            (1, [512, len, 512, len]),
            (1, [0, 0, 512, len]),
            (1, [512, len, 0, 0]),
            (2, [512, len, 0, 0]),
        ] {
            let component = guest(text, &returns(case, words)).component();
            let name = format!("an error {case} of \"{text}\"");
            let ended = pair.run(&name, &component, honest_request);
            let expected = if is_text { KernelError } else { Trap };
            assert_eq!(ended.outcome.kind, expected, "{name}: {:?}", ended.outcome);
        }
    }
}

#[test]
fn an_error_without_words_is_given_some_in_every_mode_and_chunk() {
    let pair = Pair::new();
    let component = guest("", &returns(2, [0, 0, 0, 0])).split().component();
    for metering in Metering::ALL {
        for threads in [1, 16] {
            let request = || sixteen(threads).metering(metering);
            let ended = pair.run("an error without words", &component, request);
            assert_eq!(ended.outcome.kind, KernelError);
            let message = &ended.outcome.message;
            let words = "the kernel returned an error without a message (in chunk ";
            assert!(message.starts_with(words), "{message}");
        }
    }
}

#[test]
fn an_error_of_the_greatest_length_is_cut_alike() {
    let pair = Pair::new();
    // Twice four KiB and more of what takes ten bytes each once it is escaped.
    let body = format!(
        "(drop (memory.grow (i32.const 2)))
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 65536)) {}",
        returns(1, [65536, 65536, 65536, 65536])
    );
    let ended = pair.run(
        "a long error",
        &guest("", &body).component(),
        honest_request,
    );
    assert!(ended.outcome.message.len() < 5000);
}

#[test]
fn whatever_a_panic_says_it_is_a_trap() {
    let pair = Pair::new();
    for (text, _) in TEXTS {
        let len = len_of(text);
        let body = format!("(call $explain (i32.const 512) (i32.const {len})) unreachable");
        let name = format!("a panic of \"{text}\"");
        let ended = pair.run(&name, &guest(text, &body).component(), honest_request);
        assert_eq!(ended.outcome.kind, Trap, "{name}");
    }
}

#[test]
fn whatever_is_logged_is_a_line() {
    let pair = Pair::new();
    for (text, is_text) in TEXTS {
        let len = len_of(text);
        let body = format!("(call $emit (i32.const 0) (i32.const 512) (i32.const {len}))");
        let component = guest(text, &body.repeat(3)).component();
        // Room for all of them, for a part of one, for none; for fewer lines than there are.
        for (bytes, lines) in [(1 << 16, 100), (4, 100), (1, 2), (0, 100), (100, 0)] {
            let request = || {
                let request = honest_request().limit(Limit::LogBytes, bytes);
                request.limit(Limit::LogLines, lines)
            };
            let name = format!("\"{text}\" in {bytes} bytes and {lines} lines");
            let ended = pair.run(&name, &component, request);
            let expected = if is_text { Done } else { Trap };
            assert_eq!(ended.outcome.kind, expected, "{name}: {:?}", ended.outcome);
        }
    }
}

#[test]
fn a_line_larger_than_a_frame_is_one_line() {
    let pair = Pair::new();
    let body = "(drop (memory.grow (i32.const 32)))
        (memory.fill (i32.const 65536) (i32.const 0x79) (i32.const 1048576))
        (call $emit (i32.const 3) (i32.const 65536) (i32.const 1048576))
        (call $emit (i32.const 3) (i32.const 65536) (i32.const 16384))
        (call $emit (i32.const 3) (i32.const 65536) (i32.const 32768))";
    for bytes in [16 << 20, 1 << 20, 16 << 10, (16 << 10) - 1] {
        // Which of several chunks' lines is cut depends on which comes first.
        let request = || honest_request().limit(Limit::LogBytes, bytes).threads(1);
        let component = guest("", body).split().component();
        let ended = pair.run("a long line", &component, request);
        assert_eq!(ended.outcome.kind, Done);
    }
}

#[test]
fn whatever_is_said_of_progress_is_no_reason_for_anything() {
    let pair = Pair::new();
    for (done, total) in [(0, 0), (1, 0), (-1, 0), (0, -1), (-1, -1), (5, 3)] {
        let body = format!("(call $progress (i64.const {done}) (i64.const {total}))");
        let component = guest("", &body.repeat(40)).split().component();
        let ended = pair.run("progress", &component, || sixteen(16));
        assert_eq!(ended.outcome.kind, Done);
    }
}

#[test]
fn progress_of_chunks_that_run_again_is_no_flood() {
    let pair = Pair::new();
    // The first chunk takes more memory than two can have, and keeps it for a while. Meanwhile each of the others says
    // three times how far it is, wants as much, and has to run again: its calls are given back.
    let body = "(local $rounds i64)
        (local.set $rounds (i64.const 150000000))
        (if (i64.ne (global.get $start) (i64.const 0)) (then
          (call $speak) (call $speak) (call $speak)
          (local.set $rounds (i64.const 1))))
        (if (i32.eq (memory.grow (i32.const 160)) (i32.const -1)) (then unreachable))
        (call $wait (local.get $rounds)))
      (func $speak
        (call $progress (i64.const 1) (i64.const 2))
        (call $wait (i64.const 5000000)))
      (func $wait (param $rounds i64)
        (loop $again
          (local.set $rounds (i64.sub (local.get $rounds) (i64.const 1)))
          (br_if $again (i64.gt_s (local.get $rounds) (i64.const 0))))";
    let component = guest("", body).split().component();
    let request = || {
        let request = sixteen(2).limit(Limit::Memory, 16 << 20);
        request.limit(Limit::HostCalls, 4)
    };
    let ended = pair.run("progress again", &component, request);
    assert_eq!(
        ended.outcome.kind,
        OutcomeKind::Limit,
        "{:?}",
        ended.outcome
    );
}

#[test]
fn a_limit_that_is_met_exactly_or_passed_by_one_is_the_guests() {
    let pair = Pair::new();
    let honest = Guest::named("honest").component();
    for (limit, values) in [
        (Limit::HostCalls, [2, 3]),
        (Limit::BytesIn, [4095, 4096]),
        (Limit::Handles, [1, 2]),
        (Limit::Instances, [1, 16]),
        (Limit::Memory, [65536, 131_072]),
        (Limit::Memories, [0, 1]),
        (Limit::Fuel, [0, 100]),
        (Limit::LogBytes, [0, 1]),
    ] {
        for value in values {
            let name = format!("{limit} of {value}");
            pair.run(&name, &honest, || honest_request().limit(limit, value));
        }
    }
}

#[test]
fn an_empty_array_and_a_large_one_are_arrays() {
    let pair = Pair::new();
    for guest in [Guest::named("honest"), Guest::named("honest").split()] {
        let component = guest.component();
        for len in [0, 1, 40_000, 20 << 20] {
            let bytes = vec![3u8; len];
            let request = || {
                let x = Array::from_slice(&bytes, [len as u64]).expect("the shape fits");
                Request::new().input("x", x)
            };
            let ended = pair.run(&format!("{len} bytes"), &component, request);
            assert_eq!(ended.outcome.kind, Done);
        }
    }
}

#[test]
fn cpu_time_that_one_operation_spends_at_the_end_counts() {
    let pair = Pair::new();
    // 128 MiB, touched for the first time: more than a millisecond anywhere.
    let fill = "(if (i32.eq (memory.grow (i32.const 2048)) (i32.const -1)) (then unreachable))
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 134217728))";
    let request = || honest_request().limit(Limit::CpuTime, 1_000_000);
    let component = guest("", fill).component();
    let ended = pair.run("a fill at the end", &component, request);
    assert_eq!(ended.outcome.kind, Timeout, "{:?}", ended.outcome);
    assert_eq!(
        ended.outcome.breach().map(|breach| breach.limit),
        Some(Limit::CpuTime)
    );
    // Whatever it ends as, the time is not held against its runner.
    let component = guest("", &format!("{fill} unreachable")).component();
    let ended = pair.run("a fill and a trap", &component, request);
    assert!(matches!(ended.outcome.kind, Timeout | Trap));
}

#[test]
fn code_without_loops_hears_of_its_deadline_too() {
    let pair = Pair::new();
    // Four hundred times 32 MiB from the host, and no epoch check in between: some seconds.
    let read = "(global.set $heap (i32.const 65536))
        (call $read (global.get $in) (i64.const 0) (i32.const 33554432) (i32.const 40))";
    let component = guest("", &read.repeat(400)).component();
    let bytes = vec![1u8; 32 << 20];
    let request = || {
        let x = Array::from_slice(&bytes, [32 << 20]).expect("the shape fits");
        let request = Request::new().input("x", x);
        request.timeout(std::time::Duration::from_millis(300))
    };
    let ended = pair.run("reads without a loop", &component, request);
    assert_eq!(ended.outcome.kind, Timeout, "{:?}", ended.outcome);
}
