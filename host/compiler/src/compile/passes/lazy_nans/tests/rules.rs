//! Each rule on its own: where values are settled, and that the bits are those of Cranelift's canonicalisation.

use super::harness::{Harness, passed};
use std::sync::LazyLock;
use wasmparser::{Operator, Parser, Payload};

/// How often each function is tried, with other arguments each time.
const SEEDS: u64 = 10;

/// A function with parameters of each type and locals of each type, and memories and globals to look at.
fn module(results: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (type $pair (func (param f32 v128) (result v128 f32)))
            (type $number (func (param f32) (result f32)))
            (import "host" "see" (func $see (param f32 f64) (result f32)))
            (memory (export "memory") 1)
            (table (export "table") 2 funcref)
            (elem (i32.const 0) $half $half)
            (global $single (export "single") (mut f32) (f32.const 0))
            (global $vector (export "vector") (mut v128) (v128.const i64x2 0 0))
            (func $half (export "half") (param f32) (result f32)
                (f32.mul (local.get 0) (f32.const 0.5)))
            (func (export "f") (param $x f32) (param $y f32) (param $d f64) (param $e f64)
                (param $u v128) (param $v v128) (param $i i32) (result {results})
                (local $a f32) (local $b f32) (local $c f64) (local $w v128) (local $z v128)
                (local $n i32)
                {body}))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// How many settlements the pass has put into functions: comparisons for equality that were not there.
fn settlements(module: &[u8]) -> usize {
    let equal = |module: &[u8]| {
        let mut equal = 0;
        for payload in Parser::new(0).parse_all(module) {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else {
                continue;
            };
            let operators = body.get_operators_reader().unwrap().into_iter();
            equal += operators
                .filter(|operator| is_equality(operator.as_ref().unwrap()))
                .count();
        }
        equal
    };
    equal(&passed(module)) - equal(module)
}

fn is_equality(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::F32Eq | Operator::F64Eq | Operator::F32x4Eq | Operator::F64x2Eq
    )
}

/// Checks bits, and that so many values are settled besides the one of `$half`.
fn check(settled: usize, results: &str, body: &str) {
    let module = module(results, body);
    let made = settlements(&module) - 1;
    assert_eq!(made, settled, "settled in:\n{body}");
    static HARNESS: LazyLock<Harness> = LazyLock::new(Harness::new);
    for seed in 1..=SEEDS {
        HARNESS.compare(&module, seed).expect("it ends");
    }
}

#[test]
fn results_of_arithmetic_are_settled_once_at_the_end() {
    let sum = "(f32.sqrt (f32.div (f32.add (local.get $x) (local.get $y)) (local.get $y)))";
    check(1, "f32", sum);
    check(
        1,
        "f64",
        "(f64.floor (f64.min (local.get $d) (local.get $e)))",
    );
    check(
        1,
        "f64",
        "(f64.add (f64.promote_f32 (f32.ceil (local.get $x))) (local.get $d))",
    );
    check(
        1,
        "f32",
        "(f32.trunc (f32.demote_f64 (f64.nearest (local.get $d))))",
    );
    check(
        1,
        "v128",
        "(f32x4.max (f32x4.mul (local.get $u) (local.get $v)) (local.get $v))",
    );
    check(
        1,
        "v128",
        "(f64x2.sub (f64x2.sqrt (local.get $u)) (local.get $v))",
    );
}

#[test]
fn comparisons_conversions_and_drops_look_at_no_bits() {
    check(
        0,
        "i32",
        "(f32.lt (f32.add (local.get $x) (local.get $y)) (local.get $y))",
    );
    check(
        0,
        "i64",
        "(i64.trunc_sat_f64_s (f64.mul (local.get $d) (local.get $d)))",
    );
    check(
        0,
        "v128",
        "(f32x4.ne (f32x4.add (local.get $u) (local.get $v)) (local.get $v))",
    );
    check(
        0,
        "v128",
        "(i32x4.trunc_sat_f32x4_u (f32x4.sqrt (local.get $u)))",
    );
    check(0, "", "(drop (f32.add (local.get $x) (local.get $y)))");
}

#[test]
fn lanes_of_another_width_are_bits() {
    check(
        2,
        "v128",
        "(f64x2.add (f32x4.add (local.get $u) (local.get $v)) (local.get $v))",
    );
    check(
        1,
        "v128",
        "(f32x4.lt (f64x2.add (local.get $u) (local.get $v)) (local.get $v))",
    );
    check(
        1,
        "v128",
        "(f32x4.demote_f64x2_zero (f64x2.sqrt (local.get $u)))",
    );
    check(
        1,
        "v128",
        "(f64x2.promote_low_f32x4 (f32x4.sqrt (local.get $u)))",
    );
    check(
        2,
        "v128",
        "(f32x4.pmin (f64x2.sqrt (local.get $u)) (f32x4.sqrt (local.get $v)))",
    );
    check(
        1,
        "f64",
        "(f64x2.extract_lane 1 (f32x4.sqrt (local.get $u)))",
    );
}

#[test]
fn negations_and_copied_signs_are_bits_though_signs_that_are_cleared_are_not() {
    // Whoever stores x and −x sees two signs.
    check(
        2,
        "f32 f32",
        "(local.set $a (f32.add (local.get $x) (local.get $y)))
        (local.get $a) (f32.neg (local.get $a))",
    );
    check(
        2,
        "f32",
        "(f32.copysign (f32.sqrt (local.get $x)) (f32.sqrt (local.get $y)))",
    );
    check(1, "v128", "(f64x2.neg (f64x2.sqrt (local.get $u)))");
    check(1, "f32", "(f32.abs (f32.sqrt (local.get $x)))");
    check(1, "v128", "(f32x4.abs (f32x4.sqrt (local.get $u)))");
    check(1, "v128", "(f64x2.abs (f32x4.sqrt (local.get $u)))");
}

#[test]
fn what_is_not_a_result_of_arithmetic_keeps_its_payload() {
    check(0, "f32", "(f32.load (i32.const 64))");
    check(0, "f32", "(f32.abs (f32.reinterpret_i32 (local.get $i)))");
    check(0, "v128", "(f32x4.pmax (local.get $u) (local.get $v))");
    // One arm is settled, the other is not.
    check(
        1,
        "f32",
        "(select (f32.sqrt (local.get $x)) (local.get $y) (local.get $i))",
    );
    check(
        1,
        "v128",
        "(f32x4.replace_lane 0 (local.get $u) (f32.sqrt (local.get $x)))",
    );
    check(
        1,
        "f32",
        "(local.set $a (f32.sqrt (local.get $x)))
        (if (local.get $i) (then (local.set $a (f32.load (i32.const 64))))) (local.get $a)",
    );
}

#[test]
fn lanes_stay_lazy_where_they_are_moved_or_chosen() {
    check(
        1,
        "f32",
        "(select (f32.sqrt (local.get $x)) (f32.sqrt (local.get $y)) (local.get $i))",
    );
    check(
        1,
        "v128",
        "(select (result v128) (f32x4.sqrt (local.get $u)) (v128.const i32x4 0 0 0 1)
        (local.get $i))",
    );
    check(
        1,
        "f32",
        "(f32.add (f32x4.extract_lane 2 (f32x4.sqrt (local.get $u))) (local.get $x))",
    );
    check(
        1,
        "v128",
        "(f32x4.replace_lane 1 (f32x4.sqrt (local.get $u)) (f32.sqrt (local.get $x)))",
    );
    check(1, "v128", "(f64x2.splat (f64.sqrt (local.get $d)))");
    check(
        1,
        "v128",
        "(f32x4.pmin (f32x4.sqrt (local.get $u)) (f32x4.splat (f32.const 1)))",
    );
    let shuffle = |lanes: &str, operation: &str| {
        format!("(i8x16.shuffle {lanes} ({operation} (local.get $u)) ({operation} (local.get $v)))")
    };
    let narrow = "4 5 6 7 0 1 2 3 28 29 30 31 16 17 18 19";
    let wide = "8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23";
    let odd = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
    check(1, "v128", &shuffle(narrow, "f32x4.sqrt"));
    check(2, "v128", &shuffle(narrow, "f64x2.sqrt"));
    check(1, "v128", &shuffle(wide, "f64x2.sqrt"));
    check(1, "v128", &shuffle(wide, "f32x4.sqrt"));
    check(2, "v128", &shuffle(odd, "f32x4.sqrt"));
}

#[test]
fn lanes_under_a_mask_stay_lazy_and_under_anything_else_they_are_bits() {
    let under =
        |operation: &str, mask: &str| format!("({operation} (f32x4.sqrt (local.get $u)) {mask})");
    let narrow = "(f32x4.lt (local.get $u) (local.get $v))";
    let wide = "(i64x2.eq (local.get $u) (local.get $v))";
    let short = "(i16x8.eq (local.get $u) (local.get $v))";
    let chosen = |mask: &str| {
        format!("(v128.bitselect (f64x2.sqrt (local.get $u)) (f64x2.sqrt (local.get $v)) {mask})")
    };
    // That it was settled shows in where, not in how often: an exclusive or would carry bits over.
    let bits = |value: &str| format!("(v128.xor {value} (local.get $v))");
    for mask in [narrow, wide, "(v128.const i32x4 -1 0 0 -1)"] {
        check(1, "v128", &bits(&under("v128.and", mask)));
        check(1, "v128", &bits(&under("v128.andnot", mask)));
    }
    let both = format!("(v128.or {narrow} (v128.not {wide}))");
    check(1, "v128", &under("v128.and", &both));
    check(1, "v128", &chosen(wide));
    check(2, "v128", &chosen(narrow));
    check(2, "v128", &chosen("(local.get $v)"));
    // None of these is a mask of whole lanes.
    for mask in [
        short,
        "(v128.const i32x4 0x7fffffff 0 0 0)",
        "(f32x4.abs (f32x4.eq (local.get $u) (local.get $v)))",
    ] {
        check(1, "v128", &under("v128.and", mask));
        check(
            2,
            "v128",
            &format!(
                "(v128.bitselect (f32x4.sqrt (local.get $u)) (f32x4.sqrt (local.get $v)) {mask})"
            ),
        );
    }
    check(1, "v128", &under("v128.or", narrow));
    // A mask can stand below: the value that is negated is the mask.
    check(
        2,
        "v128",
        "(v128.andnot (f32x4.lt (local.get $u) (local.get $v)) (f32x4.sqrt (f32x4.neg (f32x4.sqrt (local.get $u)))))",
    );
}

#[test]
fn whatever_sees_bits_has_its_operands_settled() {
    check(1, "", "(f32.store (i32.const 4) (f32.sqrt (local.get $x)))");
    check(
        1,
        "",
        "(v128.store32_lane 1 (i32.const 4) (f32x4.sqrt (local.get $u)))",
    );
    check(1, "", "(global.set $single (f32.sqrt (local.get $x)))");
    check(1, "", "(global.set $vector (f64x2.sqrt (local.get $u)))");
    check(1, "i32", "(i32.reinterpret_f32 (f32.sqrt (local.get $x)))");
    check(1, "i32", "(i32x4.bitmask (f32x4.sqrt (local.get $u)))");
    check(
        1,
        "i32",
        "(i32x4.extract_lane 2 (f32x4.sqrt (local.get $u)))",
    );
    check(
        2,
        "v128",
        "(i8x16.swizzle (f32x4.sqrt (local.get $u)) (f32x4.sqrt (local.get $v)))",
    );
    check(
        1,
        "v128",
        "(v128.load32_lane 1 (i32.const 4) (f32x4.sqrt (local.get $u)))",
    );
    check(
        2,
        "f32",
        "(call $see (f32.sqrt (local.get $x)) (f64.sqrt (local.get $d)))",
    );
    check(
        1,
        "f32",
        "(call_indirect (type $number) (f32.sqrt (local.get $x)) (i32.const 1))",
    );
    check(1, "f32", "(return (f32.sqrt (local.get $x)))");
}

#[test]
fn values_are_settled_before_they_go_into_blocks_and_out_of_them() {
    check(1, "f32", "(block (result f32) (f32.sqrt (local.get $x)))");
    check(
        2,
        "v128 f32",
        "(f32.sqrt (local.get $x)) (f32x4.sqrt (local.get $u))
        (if (type $pair) (local.get $i)
            (then (local.set $w) (local.set $a) (local.get $w) (local.get $a))
            (else (drop) (drop) (local.get $v) (local.get $y)))",
    );
    check(
        2,
        "v128 f32",
        "(f32.sqrt (local.get $x)) (f32x4.sqrt (local.get $u))
        (loop (type $pair) (local.set $w) (local.set $a)
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (local.get $a) (local.get $w)
            (br_if 0 (i32.lt_u (local.get $n) (i32.const 3)))
            (local.set $w) (local.set $a) (local.get $w) (local.get $a))",
    );
    check(
        1,
        "f32",
        "(block (result f32) (br_if 0 (f32.sqrt (local.get $x)) (local.get $i)))",
    );
    check(
        1,
        "f32",
        "(block (result f32) (block (result f32)
        (br_table 0 1 0 (f32.sqrt (local.get $x)) (local.get $i))))",
    );
    check(
        2,
        "f32",
        "(if (result f32) (local.get $i)
        (then (f32.sqrt (local.get $x))) (else (f32.sqrt (local.get $y))))",
    );
}

#[test]
fn operands_below_others_are_settled_in_their_place() {
    check(
        1,
        "f32 i32 v128",
        "(f32.sqrt (local.get $x)) (local.get $i) (local.get $u)",
    );
    check(
        3,
        "f32 f64 v128",
        "(f32.sqrt (local.get $x)) (f64.sqrt (local.get $d)) (f32x4.sqrt (local.get $u))",
    );
    check(
        2,
        "f32 i32 f32 f32",
        "(f32.sqrt (local.get $x)) (local.get $i) (f32.sqrt (local.get $y)) (local.get $y)",
    );
    check(
        1,
        "f32 funcref",
        "(f32.sqrt (local.get $x)) (ref.func $half)",
    );
}

#[test]
fn code_that_is_never_reached_is_left_alone() {
    check(
        0,
        "f32",
        "(f32.sqrt (local.get $x)) (unreachable) (f32.add) (f32.neg)",
    );
    check(
        1,
        "f32",
        "(block (br 0) (f32.sqrt) (local.set $a) (select) (drop))
        (f32.sqrt (local.get $a))",
    );
    check(
        2,
        "f32",
        "(block (result f32) (br 0 (f32.sqrt (local.get $x))) (f32.neg)) (f32.sqrt)",
    );
}

#[test]
fn a_local_is_lazy_from_loop_to_loop_and_settled_where_another_variable_of_it_is() {
    // A sum, whose bits are looked at once behind the loop; then the same local for something that is stored.
    let body = "(loop $more
            (local.set $a (f32.add (local.get $a) (f32.load (local.get $n))))
            (local.set $n (i32.add (local.get $n) (i32.const 4)))
            (br_if $more (i32.lt_u (local.get $n) (i32.const 64))))
        (local.set $b (f32.mul (local.get $a) (local.get $x)))
        (local.set $a (f32.load (i32.const 128)))
        (local.set $n (i32.const 0))
        (loop $again
            (f32.store (local.get $n) (local.get $a))
            (local.set $n (i32.add (local.get $n) (i32.const 4)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 16))))
        (local.get $b)";
    check(1, "f32", body);
    // A parameter has bits of its own, and so has whatever meets it.
    check(
        1,
        "f32",
        "(if (local.get $i) (then (local.set $x (f32.sqrt (local.get $y))))) (local.get $x)",
    );
    // What is zero at first can be lazy later.
    check(
        1,
        "f32",
        "(if (local.get $i) (then (local.set $a (f32.sqrt (local.get $y))))) (local.get $a)",
    );
}

#[test]
fn what_only_looks_canonical_is_not_settled_with_what_is_lazy() {
    // Each of these can be a NaN with bits of its own, and meets a lazy value: that one is settled, and this one stays.
    for value in [
        "(v128.andnot (f32x4.lt (local.get $u) (local.get $v)) (v128.const i32x4 0 0 0 0))",
        "(v128.not (v128.const i32x4 0 0 0 0))",
        "(v128.and (i32x4.eq (local.get $u) (local.get $v)) (v128.const i32x4 -1 -1 -1 -1))",
        "(v128.or (f32x4.lt (local.get $u) (local.get $v)) (v128.const i32x4 0 0 0 0))",
        "(f32x4.abs (f32x4.lt (local.get $u) (local.get $v)))",
        "(v128.bitselect (v128.const i32x4 0 0 0 0) (v128.const i32x4 0x7fc00000 0 0 0)
            (v128.const i32x4 0x00400000 0 0 0))",
        "(v128.const i64x2 0x3ff00000ffffffff 0x3ff0000000000000)",
        "(f64x2.convert_low_i32x4_s (local.get $v))",
        "(f64x2.promote_low_f32x4 (local.get $v))",
        "(f32x4.splat (f32.reinterpret_i32 (local.get $i)))",
        "(i32x4.add (f32x4.convert_i32x4_s (local.get $u)) (local.get $v))",
        "(v128.load32_splat (i32.const 16))",
    ] {
        let settled = 1 + usize::from(value.contains("promote"));
        let body = |one: &str, other: &str| format!("(select {one} {other} (local.get $i))");
        let lazy = "(f32x4.sqrt (local.get $u))";
        check(settled, "v128", &body(value, lazy));
        check(settled, "v128", &body(lazy, value));
    }
    // Of these settling changes nothing, so that it waits for both.
    for value in [
        "(v128.and (f32x4.convert_i32x4_s (local.get $u)) (i32x4.eq (local.get $u) (local.get $v)))",
        "(f32x4.abs (f32x4.convert_i32x4_u (local.get $v)))",
        "(v128.const i32x4 0x7fc00000 0 0x3f800000 0)",
    ] {
        let body = format!("(select {value} (f32x4.sqrt (local.get $u)) (local.get $i))");
        check(1, "v128", &format!("(v128.xor (local.get $v) {body})"));
    }
}
