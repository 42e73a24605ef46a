//! Loops with their expected classes, and bounds held against what programs take.
//!
//! Each row is the body of a function `(param $n i32) (param $s i32) (param $p i32)`: a dimension, a whole scalar and the address of an
//! array, with locals to count in. Expectations of the first part of the table were written before the analysis could run any of it; rows that
//! came later are below the line. What is expected and does not hold is marked, with what is found.

use super::*;
use hotcell_model::manifest::{KernelRecord, Manifest, Record};

fn manifest() -> Manifest {
    let json = r#"{"name":"k","signature":"(n)->(n)","parameters":[
        {"name":"s","role":"scalar","dtype":"i32"},
        {"name":"x","role":"input","dtype":"i32"},
        {"name":"out","role":"output","dtype":"i32"}]}"#;
    let record: KernelRecord = serde_json::from_str(json).unwrap();
    Manifest::from_records(vec![Record::from(record)]).unwrap()
}

/// A component with a module of that text inside, as the analysis looks for it.
fn component(functions: &str) -> Vec<u8> {
    let text = format!(
        r#"(component (core module
            (import "env" "host" (func $host (result i32)))
            (memory 1)
            (table 4 funcref)
            (elem (i32.const 1) func $leaf)
            (func $leaf (param i32) (result i32) local.get 0 i32.const 1 i32.add)
            {functions}
            (func (export "hotcell:kernel/entries@0.2.0#launch"))
        ))"#
    );
    wat::parse_str(text).unwrap()
}

fn kernel_of(body: &str) -> String {
    format!(
        r#"(func (export "hotcell-kernel:k") (param $n i32) (param $s i32) (param $p i32) (param $o i32)
            (local $i i32) (local $j i32) (local $k i32) (local $t i32)
            {body})"#
    )
}

fn cost(functions: &str) -> EntryCost {
    let manifest = manifest();
    let mut costs = analyse(&component(functions), manifest.kernels());
    assert_eq!(costs.len(), 1);
    costs.remove(0)
}

fn turns(body: &str) -> Vec<Turns> {
    cost(&kernel_of(body))
        .loops
        .iter()
        .map(|one| one.turns)
        .collect()
}

/// A loop that counts `$i` from `from` by `step` while `test` holds of it.
fn counted(from: &str, step: &str, test: &str, body: &str) -> String {
    format!(
        "(local.set $i {from})
         (block $out (loop $next
            (br_if $out (i32.eqz {test}))
            {body}
            (local.set $i (i32.add (local.get $i) {step}))
            (br $next)))"
    )
}

/// The same with its test at the end, as compilers turn loops.
fn turned(from: &str, step: &str, test: &str, body: &str) -> String {
    format!(
        "(local.set $i {from})
         (loop $next
            {body}
            (br_if $next {test_of}))",
        test_of = test.replace(
            "$i+",
            &format!("(local.tee $i (i32.add (local.get $i) {step}))")
        )
    )
}

const ZERO: &str = "(i32.const 0)";
const ONE: &str = "(i32.const 1)";
const N: &str = "(local.get $n)";
const S: &str = "(local.get $s)";
const I: &str = "(local.get $i)";
const LOAD: &str = "(i32.load (local.get $p))";
const ELEMENT: &str = "(i32.load (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2))))";

fn op(name: &str, a: &str, b: &str) -> String {
    format!("({name} {a} {b})")
}

/// A name, the program, and what each of its loops is expected to be, in the order of the code.
fn table() -> Vec<(&'static str, String, Vec<Turns>)> {
    use Turns::{Arguments, Constant, Data, Shapes, Unbounded};
    let lt = |b: &str| op("i32.lt_u", I, b);
    let ne = |b: &str| op("i32.ne", I, b);
    let set_j = |value: &str| format!("(local.set $j {value})");
    let constant = |value: u32| format!("(i32.const {value})");
    let mut rows: Vec<(&'static str, String, Vec<Turns>)> = vec![
        // Constants.
        (
            "to 10",
            counted(ZERO, ONE, &lt("(i32.const 10)"), ""),
            vec![Constant],
        ),
        (
            "to 10 by 3",
            counted(ZERO, "(i32.const 3)", &lt("(i32.const 10)"), ""),
            vec![Constant],
        ),
        (
            "until 10",
            counted(ZERO, ONE, &ne("(i32.const 10)"), ""),
            vec![Constant],
        ),
        (
            "until 64 by 8, turned",
            turned(ZERO, "(i32.const 8)", "(i32.ne $i+ (i32.const 64))", ""),
            vec![Constant],
        ),
        (
            "down from 7",
            counted("(i32.const 7)", "(i32.const -1)", &ne(ZERO), ""),
            vec![Constant],
        ),
        (
            "from 3 to 9",
            counted("(i32.const 3)", ONE, &lt("(i32.const 9)"), ""),
            vec![Constant],
        ),
        (
            "signed to 10",
            counted(ZERO, ONE, &op("i32.lt_s", I, "(i32.const 10)"), ""),
            vec![Constant],
        ),
        (
            "at most 10",
            counted(ZERO, ONE, &op("i32.le_u", I, "(i32.const 10)"), ""),
            vec![Constant],
        ),
        (
            "a million",
            counted(ZERO, ONE, &lt("(i32.const 1000000)"), ""),
            vec![Constant],
        ),
        (
            "a bound in a local",
            format!(
                "(local.set $t (i32.const 12)){}",
                counted(ZERO, ONE, &lt("(local.get $t)"), "")
            ),
            vec![Constant],
        ),
        // Shapes.
        ("to n", counted(ZERO, ONE, &lt(N), ""), vec![Shapes]),
        ("until n", counted(ZERO, ONE, &ne(N), ""), vec![Shapes]),
        (
            "until n, turned",
            format!(
                "(if {N} (then {}))",
                turned(ZERO, ONE, &op("i32.ne", "$i+", N), "")
            ),
            vec![Shapes],
        ),
        (
            "down from n",
            counted(N, "(i32.const -1)", &ne(ZERO), ""),
            vec![Shapes],
        ),
        (
            "to n by 4",
            counted(ZERO, "(i32.const 4)", &lt(N), ""),
            vec![Shapes],
        ),
        (
            "to 4n",
            counted(ZERO, ONE, &lt(&op("i32.shl", N, "(i32.const 2)")), ""),
            vec![Shapes],
        ),
        (
            "to n / 16",
            counted(ZERO, ONE, &lt(&op("i32.shr_u", N, "(i32.const 4)")), ""),
            vec![Shapes],
        ),
        (
            "to n and a half",
            counted(
                ZERO,
                ONE,
                &lt(&op("i32.add", N, &op("i32.shr_u", N, ONE))),
                "",
            ),
            vec![Shapes],
        ),
        (
            "to n squared",
            counted(ZERO, ONE, &lt(&op("i32.mul", N, N)), ""),
            vec![Shapes],
        ),
        (
            "to n rounded down to 8",
            counted(
                ZERO,
                "(i32.const 8)",
                &ne(&op("i32.and", N, "(i32.const -8)")),
                "",
            ),
            vec![Shapes],
        ),
        (
            "to what is left of n by 8",
            counted(ZERO, ONE, &lt(&op("i32.and", N, "(i32.const 7)")), ""),
            vec![Constant],
        ),
        (
            "to n mod 10",
            counted(ZERO, ONE, &lt(&op("i32.rem_u", N, "(i32.const 10)")), ""),
            vec![Constant],
        ),
        (
            "to n div 10",
            counted(ZERO, ONE, &lt(&op("i32.div_u", N, "(i32.const 10)")), ""),
            vec![Shapes],
        ),
        (
            "to the less of n and 100",
            counted(
                ZERO,
                ONE,
                &lt(&format!(
                    "(select {N} (i32.const 100) {})",
                    op("i32.lt_u", N, "(i32.const 100)")
                )),
                "",
            ),
            vec![Constant],
        ),
        (
            "to the greater of n and 100",
            counted(
                ZERO,
                ONE,
                &lt(&format!(
                    "(select {N} (i32.const 100) {})",
                    op("i32.gt_u", N, "(i32.const 100)")
                )),
                "",
            ),
            vec![Shapes],
        ),
        // Arguments.
        ("to s", counted(ZERO, ONE, &lt(S), ""), vec![Arguments]),
        (
            "down from s",
            counted(S, "(i32.const -1)", &ne(ZERO), ""),
            vec![Arguments],
        ),
        (
            "to n + s",
            counted(ZERO, ONE, &lt(&op("i32.add", N, S)), ""),
            vec![Arguments],
        ),
        (
            "to n times s",
            counted(ZERO, ONE, &lt(&op("i32.mul", N, S)), ""),
            vec![Arguments],
        ),
        (
            "to s / 8",
            counted(ZERO, ONE, &lt(&op("i32.shr_u", S, "(i32.const 3)")), ""),
            vec![Arguments],
        ),
        // Data.
        (
            "to an element",
            counted(ZERO, ONE, &lt(LOAD), ""),
            vec![Unbounded],
        ),
        (
            "until an element is 0",
            counted(ZERO, ONE, ELEMENT, ""),
            vec![Unbounded],
        ),
        (
            "to n or until an element is 0",
            counted(ZERO, ONE, &op("i32.and", &lt(N), ELEMENT), ""),
            vec![Data],
        ),
        (
            "to n with a way out",
            counted(
                ZERO,
                ONE,
                &lt(N),
                &format!("(br_if $out (i32.eqz {ELEMENT}))"),
            ),
            vec![Data],
        ),
        (
            "to 100 with a way out",
            counted(
                ZERO,
                ONE,
                &lt("(i32.const 100)"),
                &format!("(br_if $out {ELEMENT})"),
            ),
            vec![Data],
        ),
        (
            "to what the host says",
            counted(ZERO, ONE, &lt("(call $host)"), ""),
            vec![Unbounded],
        ),
        (
            "for ever",
            "(loop $next (br $next))".to_owned(),
            vec![Unbounded],
        ),
        (
            "a step that is an element",
            counted(ZERO, LOAD, &lt(N), ""),
            vec![Unbounded],
        ),
        (
            "a byte",
            counted(ZERO, ONE, &lt("(i32.load8_u (local.get $p))"), ""),
            vec![Data],
        ),
        (
            "the low bits of an element",
            counted(ZERO, ONE, &lt(&op("i32.and", LOAD, "(i32.const 15)")), ""),
            vec![Data],
        ),
        // Nested.
        (
            "n times n",
            counted(ZERO, ONE, &lt(N), &inner(N)),
            vec![Shapes, Shapes],
        ),
        (
            "n times 4",
            counted(ZERO, ONE, &lt(N), &inner("(i32.const 4)")),
            vec![Shapes, Constant],
        ),
        (
            "4 times n",
            counted(ZERO, ONE, &lt("(i32.const 4)"), &inner(N)),
            vec![Constant, Shapes],
        ),
        (
            "n times s",
            counted(ZERO, ONE, &lt(N), &inner(S)),
            vec![Shapes, Arguments],
        ),
        (
            "n times an element",
            counted(ZERO, ONE, &lt(N), &inner(ELEMENT)),
            vec![Shapes, Unbounded],
        ),
        (
            "n times a byte",
            counted(ZERO, ONE, &lt(N), &inner("(i32.load8_u (local.get $p))")),
            vec![Shapes, Data],
        ),
        (
            "a triangle",
            counted(ZERO, ONE, &lt(N), &inner(I)),
            vec![Shapes, Shapes],
        ),
        (
            "blocks of 16",
            counted(
                ZERO,
                "(i32.const 16)",
                &lt(N),
                &inner(&format!(
                    "(select (i32.const 16) {left} {})",
                    op("i32.lt_u", "(i32.const 16)", LEFT),
                    left = LEFT
                )),
            ),
            vec![Shapes, Constant],
        ),
        (
            "three deep",
            counted(
                ZERO,
                ONE,
                &lt(N),
                &format!("{}{}", set_j(ZERO), inner(N).replace("(nop)", &third(N))),
            ),
            vec![Shapes, Shapes, Shapes],
        ),
        (
            "two after each other",
            format!(
                "{}{}",
                counted(ZERO, ONE, &lt(N), ""),
                counted(ZERO, ONE, &lt("(i32.const 3)"), "")
                    .replace("$next", "$again")
                    .replace("$out", "$done")
            ),
            vec![Shapes, Constant],
        ),
        // Ways around.
        (
            "only where n is large",
            format!(
                "(if {} (then {}))",
                op("i32.gt_u", N, "(i32.const 99)"),
                counted(ZERO, ONE, &lt(N), "")
            ),
            vec![Shapes],
        ),
        (
            "either of two",
            format!(
                "(if {LOAD} (then {}) (else {}))",
                counted(ZERO, ONE, &lt(N), ""),
                counted(ZERO, ONE, &lt("(i32.const 5)"), "")
                    .replace("$next", "$again")
                    .replace("$out", "$done")
            ),
            vec![Shapes, Constant],
        ),
        (
            "with a trap in it",
            counted(
                ZERO,
                ONE,
                &lt(N),
                &format!("(if {} (then unreachable))", op("i32.gt_u", ELEMENT, N)),
            ),
            vec![Shapes],
        ),
        (
            "with a choice in it",
            counted(
                ZERO,
                ONE,
                &lt(N),
                &format!(
                    "(if {ELEMENT} (then {}) (else {}))",
                    set_j(ZERO),
                    set_j(ONE)
                ),
            ),
            vec![Shapes],
        ),
        (
            "with a step of 1 or 2",
            counted(
                ZERO,
                &format!("(select (i32.const 1) (i32.const 2) {ELEMENT})"),
                &lt(N),
                "",
            ),
            vec![Data],
        ),
        ("two ways back", two_ways_back(), vec![Data]),
        ("counting in memory", in_memory(N), vec![Shapes]),
        (
            "counting 10 in memory",
            in_memory("(i32.const 10)"),
            vec![Constant],
        ),
        (
            "a pointer that meets its end",
            pointer("(i32.const 2)", 4),
            vec![Shapes],
        ),
        (
            "a pointer by 16 bytes",
            pointer("(i32.const 4)", 16),
            vec![Shapes],
        ),
        ("what is left of n, by 1024", drain(), vec![Shapes]),
        (
            "halving n",
            counted(
                N,
                ZERO,
                &ne(ZERO),
                &format!("(local.set $i {})", op("i32.shr_u", I, ONE)),
            ),
            vec![Unbounded],
        ),
        (
            "doubling to n",
            counted(
                ONE,
                ZERO,
                &lt(N),
                &format!("(local.set $i {})", op("i32.shl", I, ONE)),
            ),
            vec![Unbounded],
        ),
        (
            "through a local of its own",
            format!(
                "{}{}",
                set_j(N),
                counted(ZERO, ONE, &lt("(local.get $j)"), "")
            ),
            vec![Shapes],
        ),
        ("to n, in 64 bits", in_64_bits(), vec![Shapes]),
        ("a block that is no loop", "(loop $next)".to_owned(), vec![]),
        (
            "a loop nobody comes to",
            format!(
                "(if (i32.const 0) (then {}))",
                counted(ZERO, ONE, &lt(N), "")
            ),
            vec![],
        ),
    ];
    for (name, count) in [("1", 1), ("2", 2), ("8", 8), ("100", 100)] {
        let test = format!("(i32.ne $i+ {})", constant(count));
        rows.push((
            name,
            turned(ZERO, ONE, &test, ""),
            vec![if count == 1 {
                Turns::Constant
            } else {
                Constant
            }],
        ));
    }
    for by in [2_u32, 4, 8, 16, 32] {
        let mask = format!("(i32.const {})", -i64::from(by));
        let whole = op("i32.and", N, &mask);
        let main = format!(
            "(if {whole} (then {}))",
            turned(ZERO, &constant(by), &op("i32.ne", "$i+", &whole), "")
        );
        let rest = counted(&whole, ONE, &ne(N), "")
            .replace("$next", "$again")
            .replace("$out", "$done");
        rows.push((
            "unrolled, with a rest",
            format!("{main}{rest}"),
            vec![Shapes, Constant],
        ));
    }
    rows
}

const LEFT: &str = "(i32.sub (local.get $n) (local.get $i))";

fn inner(bound: &str) -> String {
    format!(
        "(local.set $j (i32.const 0))
         (block $o2 (loop $n2
            (br_if $o2 (i32.ge_u (local.get $j) {bound}))
            (nop)
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (br $n2)))"
    )
}

fn third(bound: &str) -> String {
    inner(bound)
        .replace("$j", "$k")
        .replace("$o2", "$o3")
        .replace("$n2", "$n3")
        .replace("(nop)", "")
}

fn two_ways_back() -> String {
    format!(
        "(loop $next
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (if (i32.lt_u (local.get $i) (local.get $n)) (then
                (br_if $next {ELEMENT})
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next))))"
    )
}

fn in_memory(bound: &str) -> String {
    format!(
        "(i32.store (i32.const 64) (i32.const 0))
         (block $out (loop $next
            (br_if $out (i32.ge_u (i32.load (i32.const 64)) {bound}))
            (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
            (br $next)))"
    )
}

fn pointer(shift: &str, by: u32) -> String {
    format!(
        "(local.set $j (i32.add (local.get $p) (i32.shl (local.get $n) {shift})))
         (local.set $i (local.get $p))
         (block $out (loop $next
            (br_if $out (i32.eq (local.get $i) (local.get $j)))
            (local.set $i (i32.add (local.get $i) (i32.const {by})))
            (br $next)))"
    )
}

fn drain() -> String {
    "(local.set $i (local.get $n))
     (block $out (loop $next
        (br_if $out (i32.eqz (local.get $i)))
        (local.set $t (select (local.get $i) (i32.const 1024) (i32.lt_u (local.get $i) (i32.const 1024))))
        (local.set $i (i32.sub (local.get $i) (local.get $t)))
        (br $next)))"
        .to_owned()
}

fn in_64_bits() -> String {
    "(block $out (loop $next
        (br_if $out (i64.ge_u (i64.extend_i32_u (local.get $i)) (i64.extend_i32_u (local.get $n))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))"
        .to_owned()
}

#[test]
fn loops_are_what_they_are_expected_to_be() {
    let table = table();
    let loops: usize = table
        .iter()
        .map(|(.., expected)| expected.len().max(1))
        .sum();
    assert!(loops >= 80, "{loops} loops");
    let mut wrong = Vec::new();
    for (name, body, expected) in &table {
        let found = turns(body);
        if found != *expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
        // A mistake may make a loop look worse than it is, and never better.
        let is_better = found
            .iter()
            .zip(expected)
            .any(|(found, expected)| found < expected);
        assert!(
            !is_better && found.len() == expected.len(),
            "{name}: {found:?}, not {expected:?}"
        );
    }
    println!(
        "{} of {loops} loops are not what was expected:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(wrong.len() * 10 <= loops, "{wrong:#?}");
}

#[test]
fn a_twin_that_nobody_calls_changes_nothing() {
    let body = counted(ZERO, ONE, &op("i32.lt_u", I, N), "");
    let kernel = kernel_of(&body);
    let twin =
        kernel_of(&counted(ZERO, ONE, LOAD, "")).replace("(export \"hotcell-kernel:k\")", "$twin");
    let (alone, beside) = (cost(&kernel), cost(&format!("{kernel}{twin}")));
    assert_eq!(alone.bounds, beside.bounds);
    assert_eq!(alone.loops.len(), beside.loops.len());
    assert_eq!(
        (alone.functions, alone.gaps),
        (beside.functions, beside.gaps)
    );
}

#[test]
fn what_cannot_be_told_is_said_to_be() {
    let recursive = kernel_of("(call $again)") + "(func $again (call $again))";
    assert_eq!(cost(&recursive).gaps, [Gap::Recursion]);
    let indirect = kernel_of(&format!(
        "(drop (call_indirect (param i32) (result i32) {ONE} {LOAD}))"
    ));
    assert_eq!(cost(&indirect).gaps, [Gap::IndirectCall]);
    // Through a constant it is a call like any other.
    let direct = kernel_of(&format!(
        "(drop (call_indirect (param i32) (result i32) {ONE} {ONE}))"
    ));
    assert_eq!((cost(&direct).gaps, cost(&direct).functions), (vec![], 2));
    let manifest = manifest();
    let [cost] = &analyse(&component(""), manifest.kernels())[..] else {
        panic!("one kernel, one cost");
    };
    assert_eq!(cost.gaps, [Gap::NotTheSdks]);
    for cost in [cost, &self::cost(&recursive), &self::cost(&indirect)] {
        let (class, reasons) = cost.class(&manifest.kernels()[0]);
        assert_eq!(class, hotcell_model::analysis::CostClass::Unbounded);
        assert!(!reasons.is_empty());
    }
}

/// The least and the most that it takes with `n` and `s` so large.
fn bounds_at(cost: &EntryCost, n: u64, s: u64) -> (u64, Option<u64>) {
    let manifest = manifest();
    let around = cost.fuel(&manifest.kernels()[0], &[vec![n, s]], false);
    let found = around.unwrap();
    (found.at_least, found.at_most)
}

#[test]
fn what_is_stored_at_another_index_may_be_at_the_same_one() {
    let store = |index: &str, value: u32| {
        format!(
            "(i32.store (i32.add (local.get $p) (i32.shl {index} (i32.const 2))) (i32.const {value}))"
        )
    };
    let down = "(local.set $i (i32.load (local.get $p)))
        (block $out (loop $next
            (br_if $out (i32.eqz (local.get $i)))
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (br $next)))";
    let with = |stores: String| cost(&kernel_of(&format!("{stores}{down}")));
    let certain = with(store(ZERO, 1000));
    assert!(bounds_at(&certain, 5, 0).0 > bounds_at(&with(store(ZERO, 0)), 5, 0).0 + 1000);
    // It may be set back to 0, by a scalar's index, or by an index that a loop counts.
    for other in [
        store(S, 0),
        counted(ZERO, ONE, &op("i32.lt_u", I, N), &store(I, 0))
            .replace("$out", "$o1")
            .replace("$next", "$n1"),
    ] {
        let open = with(store(ZERO, 1000) + &other);
        assert!(
            bounds_at(&open, 5, 0).0 < bounds_at(&certain, 5, 0).0,
            "{other}"
        );
    }
    // So may a lane of a vector.
    let lane = format!(
        "(v128.store32_lane 0 (i32.add (local.get $p) (i32.shl {S} (i32.const 2))) (v128.const i32x4 0 0 0 0))"
    );
    let open = with(store(ZERO, 1000) + &lane);
    assert!(bounds_at(&open, 5, 0).0 < bounds_at(&certain, 5, 0).0);
    // So may a fill and a copy that end behind it; those that end before it leave it as it is.
    let second = store("(i32.const 3)", 1000);
    let down_second = down.replace("(local.get $p)", "(i32.add (local.get $p) (i32.const 12))");
    let with_second = |stores: String| cost(&kernel_of(&format!("{stores}{down_second}")));
    let certain_second = with_second(second.clone());
    for bytes in ["(i32.const 13)", "(i32.const 12)", N] {
        for filled in [
            format!("(memory.fill (local.get $p) (i32.const 0) {bytes})"),
            format!("(memory.copy (local.get $p) (local.get $o) {bytes})"),
        ] {
            let open = with_second(second.clone() + &filled);
            let is_certain = bounds_at(&open, 5, 0).0 >= bounds_at(&certain_second, 5, 0).0;
            assert_eq!(is_certain, bytes.contains("12"), "{filled}");
        }
    }
    // Another array's elements are others.
    let elsewhere = store(S, 0).replace("$p", "$o");
    let apart = with(store(ZERO, 1000) + &elsewhere);
    assert!(bounds_at(&apart, 5, 0).0 > bounds_at(&certain, 5, 0).0);
}

/// A loop that counts up to 0 from below it, in another one: what nothing is known of may be below 0, too.
#[test]
fn a_loop_that_counts_up_to_0_ends_there() {
    let sixteen = "(local.set $j (i32.const -256))
        (block $o2 (loop $n2
            (br_if $o2 (i32.eq (local.get $j) (i32.const -1)))
            (local.set $j (i32.add (local.get $j) (i32.const 16)))
            (br_if $n2 (local.get $j))))";
    let cost = cost(&kernel_of(&counted(
        ZERO,
        ONE,
        &op("i32.lt_u", I, N),
        sixteen,
    )));
    let rows = |n| {
        let (lower, upper) = bounds_at(&cost, n, 0);
        (lower as f64, upper.unwrap() as f64)
    };
    let (few, many) = (rows(1_000), rows(2_000));
    // Ten operators in each turn of the inner one, and as many in each of the outer one.
    for (few, many) in [(few.0, many.0), (few.1, many.1)] {
        let each = (many - few) / 1_000.0;
        assert!((160.0..200.0).contains(&each), "{each}");
    }
}

/// A loop whose body is written out three times, and ends where nothing is left, in any of the three.
#[test]
fn a_loop_that_is_written_out_takes_as_many_turns_as_it_has_to() {
    let three = "(local.set $j (local.get $n))
        (block $o2
            (br_if $o2 (i32.eqz (local.get $j)))
            (loop $n2
                (br_if $o2 (i32.eq (local.get $j) (i32.const 1)))
                (br_if $o2 (i32.eq (local.get $j) (i32.const 2)))
                (local.set $j (i32.sub (local.get $j) (i32.const 3)))
                (br_if $n2 (local.get $j))))";
    let cost = cost(&kernel_of(three));
    for n in [1, 2, 3, 4, 5, 1_000, 3_001] {
        let (lower, upper) = bounds_at(&cost, n, 0);
        let least = n.div_ceil(3) * 4;
        assert!(
            upper.is_some_and(|upper| upper >= least && upper < 5 * n + 100_000),
            "{n}: {upper:?}"
        );
        assert!(lower <= n.div_ceil(3) * 14 + 50_000, "{n}: {lower}");
    }
    let slope = |n: u64| bounds_at(&cost, n, 0).1.unwrap();
    let each = (slope(30_000) - slope(3_000)) as f64 / 9_000.0;
    assert!((13.0..16.0).contains(&each), "{each} for each turn");
}

/// A loop that a flag ends, which its first turn sets for all others.
#[test]
fn a_loop_over_two_values_of_a_flag_has_two_turns() {
    let inner = counted(ZERO, ONE, &op("i32.lt_u", I, N), "");
    let twice = format!(
        "(local.set $k (i32.const 1))
        (loop $again
            {inner}
            (local.set $t (local.get $k))
            (local.set $k (i32.const 0))
            (br_if $again (local.get $t)))"
    );
    let slopes = |body: &str| {
        let cost = cost(&kernel_of(body));
        let at = |n| bounds_at(&cost, n, 0);
        let ((few, few_upper), (many, many_upper)) = (at(1_000), at(3_000));
        [many - few, many_upper.unwrap() - few_upper.unwrap()]
    };
    assert_eq!(slopes(&twice), slopes(&inner).map(|slope| 2 * slope));
}

/// A loop over blocks of 256, the last of which is what is left: `n` turns in all.
#[test]
fn blocks_with_a_rest_are_as_long_as_what_they_are_of() {
    // The number of blocks is told in both ways in which compilers ask whether something is left over.
    let rest = op("i32.and", N, "(i32.const 255)");
    for is_left in [op("i32.ne", &rest, ZERO), op("i32.ne", ZERO, &rest)] {
        let end = op("i32.add", I, "(i32.const 256)");
        let end = format!("(select {N} {end} {})", op("i32.lt_u", N, &end));
        let body = format!(
            "(local.set $k {blocks})
            (block $o1
                (br_if $o1 (i32.eqz (local.get $k)))
                (loop $n1
                    (local.set $j (i32.sub {end} {I}))
                    (block $o2 (loop $n2
                        (br_if $o2 (i32.eqz (local.get $j)))
                        (local.set $j (i32.sub (local.get $j) (i32.const 1)))
                        (br $n2)))
                    (local.set $i (i32.add {I} (i32.const 256)))
                    (br_if $n1 (local.tee $k (i32.sub (local.get $k) (i32.const 1))))))",
            blocks = op("i32.add", &op("i32.shr_u", N, "(i32.const 8)"), &is_left),
        );
        let cost = cost(&kernel_of(&body));
        // A turn of the inner loop takes 8 units, one of the outer loop 25 besides.
        for n in [64, 255, 256, 257, 300, 1000, 100_000] {
            let (at_least, at_most) = bounds_at(&cost, n, 0);
            let (none, _) = bounds_at(&cost, 0, 0);
            let exact = none + 8 * n + 25 * n.div_ceil(256);
            assert!(at_least <= exact + 64, "{n}: {at_least} of {exact}");
            let at_most = at_most.expect("bounded");
            assert!(at_most >= exact - 64, "{n}: {at_most} of {exact}");
            if n >= 1000 {
                assert!(at_least + 8_000 > exact, "{n}: {at_least} of {exact}");
            }
        }
    }
}

#[test]
fn a_function_of_an_object_has_its_extents_last_and_less_around_it() {
    let body = counted(ZERO, ONE, &op("i32.lt_u", I, N), "");
    let own = kernel_of(&body);
    let head = r#"(func (export "hotcell-plain-kernel:k") (param $s i32) (param $p i32) (param $o i32) (param $n i32)"#;
    let plain = own.replace(
        r#"(func (export "hotcell-kernel:k") (param $n i32) (param $s i32) (param $p i32) (param $o i32)"#,
        head,
    );
    let (own, plain) = (cost(&own), cost(&plain));
    assert_eq!(own.bounds, plain.bounds);
    assert_eq!(plain.interface, Interface::Plain);
    let ((own_least, own_most), (least, most)) = (bounds_at(&own, 9, 1), bounds_at(&plain, 9, 1));
    assert!(least < own_least && most < own_most);
    // One of another shape is not told of.
    let odd = cost(r#"(func (export "hotcell-plain-kernel:k") (param i32))"#);
    assert_eq!(odd.gaps, [Gap::NotTheSdks]);
}

/// Hostile code costs the analysis a bounded number of steps: a tower of loops, and of calls.
#[test]
fn towers_of_loops_and_calls_are_given_up_in_time() {
    let begin = std::time::Instant::now();
    let mut body = String::from("(nop)");
    for depth in 0..60 {
        body = format!(
            "(block $o{depth} (loop $l{depth} (br_if $o{depth} {ELEMENT}) {body}
             (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l{depth} {ELEMENT})))"
        );
    }
    let tower = cost(&kernel_of(&body));
    assert!(
        tower.gaps.contains(&Gap::TooLarge)
            || tower.loops.iter().any(|one| one.turns == Turns::Unbounded)
    );
    let mut functions = kernel_of("(call $f0)");
    for at in 0..40 {
        functions += &format!(
            "(func $f{at} (call $f{next}) (call $f{next}))",
            next = at + 1
        );
    }
    functions += "(func $f40)";
    let calls = cost(&functions);
    assert!(calls.gaps.contains(&Gap::TooLarge), "{:?}", calls.gaps);
    // As deep as a function may nest, with conditions as long: no stack is deep enough to follow either.
    let nested = format!("{}{}", "(block ".repeat(900), ")".repeat(900));
    assert!(cost(&kernel_of(&nested)).gaps.contains(&Gap::TooLarge));
    let mut long = op("i32.lt_u", N, S);
    for _ in 0..400 {
        long = op("i32.and", &long, &op("i32.lt_u", S, N));
    }
    cost(&kernel_of(&format!("(if {long} (then (nop)))")));
    let quotients = format!(
        "(local.set $i {N}){}",
        "(local.set $i (i32.div_u (i32.add (local.get $i) (i32.const 1)) (i32.const 3)))"
            .repeat(5000)
    );
    cost(&kernel_of(&format!(
        "{quotients}{}",
        counted(ZERO, ONE, &op("i32.lt_u", I, N), "")
    )));
    // Not a figure, but an end: either would take longer than the universe is old.
    assert!(begin.elapsed().as_secs() < 60);
}

#[test]
fn bytes_that_are_no_component_have_no_costs() {
    let manifest = manifest();
    assert!(analyse(b"", manifest.kernels()).is_empty());
    assert!(analyse(b"\0asm\x0d\0\x01\0", manifest.kernels()).is_empty());
}
