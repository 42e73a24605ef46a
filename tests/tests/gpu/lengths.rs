//! Arrays on the device are as long as the launch's, to the byte, or are refused with both numbers.

use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{Array, Request};
use hotcell_tests::gpu::out;
use hotcell_tests::{assert_ended, gpu_arena};

/// The least of the elements, their product, and how many there are.
const REDUCE: &str = "
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1) fn main() {
    out[0] = x[0];
    out[1] = 1u;
    for (var i = 0u; i < arrayLength(&x); i++) {
        out[0] = min(out[0], x[i]);
        out[1] *= x[i];
    }
    out[2] = arrayLength(&x);
    out[3] = arrayLength(&out);
}";

fn words(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_shader_counts_the_elements_that_there_are() {
    let arena = gpu_arena!();
    for n in [1, 2, 3, 4, 5, 7, 8, 9] {
        let ended = arena.answer(REDUCE, &words(3..3 + n));
        assert_ended(&ended, OutcomeKind::Done, None);
        let product = (3..3 + n).product();
        assert_eq!(out(&ended)[..4], [3, product, n, 8], "{n} elements");
    }
}

#[test]
fn bytes_come_packed_in_words_that_end_in_zeros() {
    let arena = gpu_arena!();
    for (len, expected) in [(4, [u32::MAX, 1]), (5, [0xff, 2]), (7, [0x00ff_ffff, 2])] {
        let ended = arena.answer(
            "@group(0) @binding(0) var<storage, read> x: array<u32>;
            @group(0) @binding(1) var<storage, read_write> out: array<u32>;
            @compute @workgroup_size(1) fn main() {
                out[0] = x[arrayLength(&x) - 1u];
                out[1] = arrayLength(&x);
            }",
            &vec![0xff; len],
        );
        assert_ended(&ended, OutcomeKind::Done, None);
        assert_eq!(out(&ended)[..2], expected, "{len} bytes");
    }
}

#[test]
fn what_a_device_cannot_count_is_refused_with_both_numbers() {
    let arena = gpu_arena!();
    let of_pairs = REDUCE
        .replace("x: array<u32>", "x: array<vec2u>")
        .replace("x[0]", "x[0].x")
        .replace("x[i]", "x[i].x");
    for (wgsl, held, says) in [
        (REDUCE, words([]), "has 0 bytes, at least 4 must be bound"),
        (
            &of_pairs,
            words(1..=3),
            "has 12 bytes, and 4 at its end are no whole element of 8",
        ),
        (
            &of_pairs,
            words([1]),
            "has 4 bytes, at least 8 must be bound",
        ),
    ] {
        let ended = arena.answer(wgsl, &held);
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let message = &ended.outcome.message;
        assert!(message.contains(says), "{message}");
    }
    let ended = arena.answer(&of_pairs, &words(1..=4));
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended)[..3], [1, 3, 2]);
}

#[test]
fn an_empty_array_may_be_bound_where_nobody_counts_it() {
    let ended = gpu_arena!().answer(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1) fn main() { out[0] = x[0] + 7u; }",
        &[],
    );
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended)[0], 7);
}

#[test]
fn bytes_of_any_number_go_through_the_guests_memory() {
    let arena = gpu_arena!();
    for n in [0_u8, 1, 3, 4, 5, 9, 255] {
        let held: Vec<u8> = (0..n).map(|i| i + 1).collect();
        let x = Array::from_slice(&held, [held.len() as u64]).unwrap();
        let ended = arena.run(Request::new().entry("carry").input("x", x));
        assert_ended(&ended, OutcomeKind::Done, None);
        let back: Vec<u8> = ended.array("out").unwrap().to_vec().unwrap();
        assert_eq!(back, held);
    }
}
