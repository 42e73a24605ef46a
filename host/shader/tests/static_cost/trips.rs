//! How often loops turn. What each must be called was written down before the analysis was tried on any of them.

use crate::{cost_of, shader, trips};

/// A name, a body, and its loops in the order of the text.
type Row = (&'static str, &'static str, &'static [&'static str]);

const CONSTANT: &[Row] = &[
    (
        "a `for`",
        "for (var i = 0u; i < 16u; i++) { out[i] = i; }",
        &["16"],
    ),
    (
        "a stride",
        "for (var i = 3u; i < 256u; i += 64u) { out[i] = i; }",
        &["4"],
    ),
    (
        "downwards, signed",
        "for (var i = 10; i >= 0; i--) { out[i] = 1u; }",
        &["11"],
    ),
    (
        "from a negative number",
        "for (var d = -1; d <= 1; d++) { out[d + 1] = 1u; }",
        &["3"],
    ),
    (
        "a `while`",
        "var i = 0u; while i < 8u { out[i] = i; i += 2u; }",
        &["4"],
    ),
    (
        "a `loop` with its test first",
        "var i = 0u; loop { if i >= 5u { break; } out[i] = i; i++; }",
        &["5"],
    ),
    (
        "`break if`",
        "var i = 0u; loop { out[i] = i; continuing { i++; break if i >= 5u; } }",
        &["5"],
    ),
    (
        "its test last",
        "var i = 0u; loop { out[i] = i; i++; if i == 7u { break; } }",
        &["7"],
    ),
    (
        "its test in the middle",
        "var i = 0u; loop { out[i] = i; if i >= 9u { break; } i++; }",
        &["10"],
    ),
    (
        "halving",
        "for (var s = 32u; s > 0u; s >>= 1u) { out[s] = s; }",
        &["6"],
    ),
    (
        "dividing",
        "for (var s = 64u; s > 1u; s /= 2u) { out[s] = s; }",
        &["6"],
    ),
    (
        "doubling",
        "for (var w = 1u; w < 64u; w *= 2u) { out[w] = w; }",
        &["6"],
    ),
    (
        "shifting",
        "for (var w = 1u; w <= 64u; w <<= 1u) { out[w] = w; }",
        &["7"],
    ),
    (
        "many turns",
        "for (var i = 0u; i < 100000u; i++) { out[i] = i; }",
        &["100000"],
    ),
    (
        "a bound that is cut",
        "for (var i = 0u; i < min(rows[0], 64u); i++) { out[i] = i; }",
        &["<=64"],
    ),
    (
        "a bound of five bits",
        "for (var i = 0u; i < (rows[0] & 31u); i++) { out[i] = i; }",
        &["<=31"],
    ),
    (
        "a bound of two",
        "for (var i = 0u; i < select(4u, 8u, x[0] > 0.0); i++) { out[i] = i; }",
        &["<=8"],
    ),
    (
        "constants ahead of the counter",
        "for (var i = 1u; i + 1u < 9u; i++) { out[i] = i; }",
        &["7"],
    ),
    (
        "as many as lanes",
        "for (var i = 0u; i < lid; i++) { out[i] = i; }",
        &["<=63"],
    ),
    (
        "levels",
        "let levels = 32u - countLeadingZeros(rows[0]); for (var i = 0u; i < levels; i++) { out[i] = i; }",
        &["<=32"],
    ),
    (
        "bits of data",
        "var b = rows[0]; while b != 0u { out[b] = b; b >>= 1u; }",
        &["<=32"],
    ),
    (
        "escape in the condition",
        "var i = 0u; var z = 0.5; while i < 200u && z < 4.0 { z = z * z + 1.0; i++; }",
        &["<=200"],
    ),
];

const SHAPE: &[Row] = &[
    (
        "an array's length",
        "for (var i = 0u; i < arrayLength(&x); i++) { out[i] = i; }",
        &["by arrayLength(&x)"],
    ),
    (
        "a uniform value",
        "for (var i = 0u; i < params.n; i++) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "its quotient",
        "let steps = (params.n + 63u) / 64u; for (var i = 0u; i < steps; i++) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "two values",
        "for (var i = 0u; i < params.n * params.m; i++) { out[i] = i; }",
        &["by params.n, params.m"],
    ),
    (
        "workgroups",
        "for (var i = 0u; i < groups.x; i++) { out[i] = i; }",
        &["by num_workgroups.x"],
    ),
    (
        "over the grid",
        "for (var i = gid.x; i < arrayLength(&x); i += groups.x * 64u) { out[i] = i; }",
        &["<=by arrayLength(&x), num_workgroups.x"],
    ),
    (
        "one in another",
        "for (var i = 0u; i < params.n; i++) { for (var j = 0u; j < 8u; j++) { out[i] = j; } }",
        &["by params.n", "8"],
    ),
    (
        "the upper triangle",
        "for (var i = 0u; i < params.n; i++) { for (var j = i + 1u; j < params.n; j++) { out[i] = j; } }",
        &["by params.n", "<=by params.n"],
    ),
    (
        "the lower triangle",
        "for (var i = 0u; i < params.n; i++) { for (var j = 0u; j < i; j++) { out[i] = j; } }",
        &["by params.n", "<=by params.n"],
    ),
    (
        "escape by `break`",
        "var z = 0.5; for (var i = 0u; i < params.n; i++) { z = z * z + 1.0; if z > 4.0 { break; } }",
        &["<=by params.n"],
    ),
    (
        "a stride that is never 0",
        "for (var i = 0u; i < params.n; i += max(params.m, 1u)) { out[i] = i; }",
        &["by params.n, params.m"],
    ),
    ("an argument", "turn_so_often(params.n);", &["by params.n"]),
    (
        "two calls",
        "turn_so_often(4u); turn_so_often(params.m);",
        &["<=by params.m"],
    ),
    (
        "a function's result",
        "for (var i = 0u; i < div_ceil(params.n, 64u); i++) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "a variable that is cut",
        "var k = params.n; if k > 64u { k = 64u; } for (var i = 0u; i < k; i++) { out[i] = i; }",
        &["<=by params.n"],
    ),
    (
        "until it is there",
        "for (var i = 0u; i != params.n; i++) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "downwards",
        "for (var i = params.n; i > 0u; i--) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "signed",
        "for (var i = 0; i < params.signed; i++) { out[i] = 1u; }",
        &["by params.signed"],
    ),
    (
        "converted",
        "for (var i = 0; i < i32(params.n); i++) { out[i] = 1u; }",
        &["by params.n"],
    ),
    (
        "an element",
        "for (var i = 0u; i < params.sizes[2].x; i++) { out[i] = i; }",
        &["by params.sizes"],
    ),
    (
        "doubling",
        "for (var w = 1u; w < params.n; w *= 2u) { out[w] = w; }",
        &["by params.n"],
    ),
    (
        "insertion",
        "for (var i = 1u; i < params.n; i++) { var j = i32(i) - 1; while j >= 0 && x[j] > x[j + 1] { j--; } }",
        &["by params.n", "<=by params.n"],
    ),
    (
        "a test ahead of the counter",
        "for (var i = 1u; i + 1u < params.n; i++) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "a counter used twice",
        "var i = 0u; while i < 4u { i++; } while i < params.n { i++; }",
        &["4", "<=by params.n"],
    ),
];

const UNKNOWN: &[Row] = &[
    (
        "a bound in storage",
        "for (var i = 0u; i < rows[0]; i++) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "a sparse row",
        "for (var i = rows[gid.x]; i < rows[gid.x + 1u]; i++) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "a bound in workgroup memory",
        "for (var i = 0u; i < tile[0]; i++) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "convergence",
        "var e = 1.0; while e > 0.001 { e = e * x[0]; }",
        &["unknown"],
    ),
    (
        "3n + 1",
        "var c = rows[0]; while c != 1u { c = select(c / 2u, 3u * c + 1u, (c & 1u) == 1u); }",
        &["unknown"],
    ),
    (
        "binary search",
        "var lo = 0u; var hi = params.n; while lo < hi { let m = (lo + hi) / 2u; if rows[m] < gid.x { lo = m + 1u; } else { hi = m; } }",
        &["unknown"],
    ),
    (
        "the greatest common divisor",
        "var a = params.n; var b = params.m; while b != 0u { let t = a % b; a = b; b = t; }",
        &["unknown"],
    ),
    (
        "waiting",
        "loop { if atomicLoad(&flag) == 1u { break; } }",
        &["unknown"],
    ),
    (
        "a stride that may be 0",
        "for (var i = 0u; i < params.n; i += params.m) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "a counter that is also changed",
        "for (var i = 0u; i < 10u; i++) { if x[i] > 0.0 { i -= 1u; } }",
        &["unknown"],
    ),
    (
        "a step that may be skipped",
        "var i = 0u; while i < 10u { if x[i] > 0.0 { continue; } i++; }",
        &["unknown"],
    ),
    (
        "nothing but `return`",
        "loop { if x[0] > 1.0 { return; } }",
        &["unknown"],
    ),
    (
        "bits that are set",
        "var b = rows[0]; while b != 0u { b &= b - 1u; }",
        &["unknown"],
    ),
    (
        "a counter that is given away",
        "var i = 0u; while i < 10u { change(&i); }",
        &["unknown"],
    ),
    (
        "away from its bound",
        "for (var i = 1u; i > 0u; i += 2u) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "past its bound",
        "for (var i = 0u; i != 5u; i += 2u) { out[i] = i; }",
        &["unknown"],
    ),
];

#[track_caller]
fn check(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (name, body, expected) in rows {
        let found: Vec<String> = cost_of(&shader(body)).loops.iter().map(trips).collect();
        if found != *expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_loop_between_constants_turns_a_constant_number_of_times() {
    check(CONSTANT);
}

#[test]
fn a_loop_whose_end_is_known_before_the_dispatch_is_bounded_by_shapes() {
    check(SHAPE);
}

#[test]
fn a_loop_whose_end_depends_on_data_is_unknown() {
    check(UNKNOWN);
}

/// What was thought of once the rows above held: loops that are run again with what they left, and steps over a bound.
const AGAIN: &[Row] = &[
    (
        "met once",
        "var i = 0u; for (var k = 0u; k < 3u; k++) { loop { i++; if i == 5u { break; } } }",
        &["3", "unknown"],
    ),
    (
        "doubled to 0",
        "var w = 1u; for (var k = 0u; k < 99u; k++) { loop { w *= 2u; if w >= 64u { break; } } }",
        &["99", "unknown"],
    ),
    (
        "past 0",
        "var i = 9u; for (var k = 0u; k < 3u; k++) { loop { i--; if i <= 2u { break; } } }",
        &["3", "unknown"],
    ),
    (
        "grown beyond its bound",
        "var i = 0u; for (var k = 0u; k < params.n; k++) { loop { for (var j = 0u; j < i; j++) { out[j] = i; } i++; if i >= 4u { break; } } }",
        &["by params.n", "unknown", "unknown"],
    ),
    (
        "run once",
        "var i = 0u; for (var k = 0u; k < 3u; k++) { while i < 5u { i++; } }",
        &["3", "<=5"],
    ),
    (
        "met once, tested first",
        "var i = 0u; for (var k = 0u; k < 3u; k++) { while i != 5u { i++; } }",
        &["3", "<=5"],
    ),
    (
        "over 0 by some lanes",
        "for (var i = lid; i > 0u; i -= 2u) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "over 0 for odd shapes",
        "for (var i = params.n; i > 0u; i -= 2u) { out[i] = i; }",
        &["unknown"],
    ),
    (
        "by twos as far as there are two",
        "for (var i = params.n; i >= 2u; i -= 2u) { out[i] = i; }",
        &["by params.n"],
    ),
    (
        "by twos between constants",
        "for (var i = 64u; i > 0u; i -= 2u) { out[i] = i; }",
        &["32"],
    ),
];

#[test]
fn a_loop_that_begins_where_it_ended_or_steps_over_its_end_is_not_taken_for_less() {
    check(AGAIN);
}
