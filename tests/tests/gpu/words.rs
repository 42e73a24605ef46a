//! Valid WGSL that is not accepted, or only to some extent: in true words, at its place, and the worker goes on.

use hotcell::outcome::{Blame, OutcomeKind};
use hotcell_tests::gpu::out;
use hotcell_tests::{assert_ended, gpu_arena};

const HEAD: &str = "@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
struct Pair { a: u32, b: u32 }
var<private> own: array<u32, 4>;
fn raise(p: ptr<function, u32>) { *p += 1u; }
fn raise_own(p: ptr<private, u32>) { *p += 1u; }
fn raise_b(p: ptr<function, Pair>) { raise(&(*p).b); }
@compute @workgroup_size(1) fn main() {
";

#[test]
fn a_pointer_to_a_part_of_a_variable_is_refused_at_its_place() {
    let arena = gpu_arena!();
    for (body, place) in [
        ("var a: array<u32, 4>; raise(&a[2]);", "9:"),
        ("var a: array<u32, 4>; raise(&a[x[0]]);", "9:"),
        ("var a: array<u32, 4>;\nlet p = &a[2];\nraise(p);", "10:10"),
        ("var s: Pair; raise(&s.b);", "9:"),
        ("var s: Pair; raise_b(&s);", "7:"),
        ("raise_own(&own[1]);", "9:12"),
    ] {
        let ended = arena.answer(&format!("{HEAD}{body} out[0] = x[0]; }}"), &[1; 16]);
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let message = &ended.outcome.message;
        assert!(
            message.contains(&format!("given.wgsl:{place}")),
            "{message}"
        );
        assert!(
            message.contains("a pointer to a part of a variable"),
            "{message}"
        );
    }
    let whole = "var w = 0u; raise(&w); let p = &w; raise(p); out[0] = w; out[1] = x[0];";
    let ended = arena.answer(&format!("{HEAD}{whole} }}"), &[1; 16]);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended)[..2], [2, 0x0101_0101]);
    arena.assert_serves();
}

#[test]
fn assertions_on_constants_are_checked_at_their_place() {
    let arena = gpu_arena!();
    let within = "const N = 4u; const_assert N < 8u; out[0] = N + x[0];";
    let ended = arena.answer(&format!("const_assert 1 < 2;\n{HEAD}{within} }}"), &[0; 16]);
    assert_ended(&ended, OutcomeKind::Done, None);
    assert_eq!(out(&ended)[0], 4);
    for (body, says) in [
        ("const_assert 4u > 8u;", "`const_assert` failure"),
        (
            "const_assert vec2(true);",
            "`const_assert` wants one `bool`",
        ),
    ] {
        let ended = arena.answer(&format!("{HEAD}{body} out[0] = x[0]; }}"), &[0; 16]);
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let message = &ended.outcome.message;
        assert!(message.contains("given.wgsl:9:"), "{message}");
        assert!(message.contains(says), "{message}");
    }
    arena.assert_serves();
}

#[test]
fn what_a_text_has_too_much_of_is_named_with_both_numbers() {
    let arena = gpu_arena!();
    for (body, says) in [
        (
            format!("out[0] = x[0]{};", " + x[1]".repeat(300)),
            "operators in one expression, with the brackets around it, at most 256 allowed",
        ),
        (
            format!(
                "if x[0] == 0u {{}} {}",
                "else if x[0] == 1u {} ".repeat(300)
            ),
            "`else` in one chain, with the brackets around it, at most 256 allowed",
        ),
        (
            format!("out[0] = {}x[0]{};", "(".repeat(300), ")".repeat(300)),
            "levels of brackets within one another, at most 256 allowed",
        ),
        (
            "out[0] += x[0];\n".repeat(4500),
            "4097 statements, at most 4096 allowed",
        ),
    ] {
        let ended = arena.answer(&format!("{HEAD}{body} }}"), &[0; 16]);
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let message = &ended.outcome.message;
        assert!(message.contains(says), "{message}");
        assert!(message.contains("given.wgsl:"), "{message}");
    }
}
