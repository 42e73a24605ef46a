//! Pointers that functions are given: to whole variables, not to parts of them.

use crate::{assert_refused, shader, try_admit};

const HELPERS: &str = "
struct Pair { a: u32, b: array<u32, 4>, m: mat2x2f }
var<private> own_words: array<u32, 4>;
var<private> own_pair: Pair;
var<workgroup> counters: array<atomic<u32>, 4>;
fn raise(p: ptr<function, u32>) { *p += 1u; }
fn raise_own(p: ptr<private, u32>) { *p += 1u; }
fn put(p: ptr<function, vec2f>) { *p = vec2f(1.0, 5.0); }
fn fill(p: ptr<function, array<u32, 4>>) { (*p)[1] = 1u; }
fn both(x: u32, p: ptr<function, u32>) -> u32 { *p += x; return *p; }
";

#[test]
fn a_pointer_to_a_part_is_refused_at_its_place() {
    let locals = "var a: array<u32, 4>; var s: Pair; var m: mat2x2f; var t: array<Pair, 2>;";
    let cases = [
        ("raise(&a[2]);", "a[2]"),
        ("raise(&a[lid]);", "a[lid]"),
        ("raise(&(a[lid & 3u]));", "a[lid"),
        ("raise(&s.a);", "s.a"),
        ("raise(&s.b[1]);", "s.b[1]"),
        ("fill(&s.b);", "s.b"),
        ("fill(&t[1].b);", "t[1]"),
        ("put(&m[1]);", "m[1]"),
        ("put(&s.m[lid]);", "s.m"),
        ("let p = &a[2]; raise(p);", "a[2]"),
        ("let p = &s; raise(&(*p).a);", "(*p).a"),
        ("let p = &a; let q = &(*p)[1]; raise(q);", "(*p)[1]"),
        ("raise_own(&own_words[1]);", "own_words[1]"),
        ("raise_own(&own_pair.b[lid]);", "own_pair"),
        ("if lid > 1u { loop { raise(&a[1]); break; } }", "a[1]"),
        (
            "switch lid { case 1u: { raise(&a[1]); } default: {} }",
            "a[1]",
        ),
        (
            "loop { if lid > 1u { break; } continuing { raise(&a[1]); } }",
            "a[1]",
        ),
        ("let x = both(1u, &a[3]) + 1u;", "a[3]"),
        ("a[0] = both(both(1u, &a[1]), &a[2]);", "a[1]"),
        ("var w = 0u; raise(&w); raise(&a[1]);", "a[1]"),
    ];
    for (body, at) in cases {
        let body = format!("{locals} {body}");
        let wgsl = shader(HELPERS, &body);
        let Err(refusal) = try_admit(&wgsl) else {
            panic!("admitted:\n{wgsl}");
        };
        let says = "is given a pointer to a part of a variable";
        assert!(refusal.to_string().contains(says), "{refusal}:\n{wgsl}");
        let line = wgsl.lines().nth(refusal.line as usize - 1).unwrap_or("");
        let from: String = line.chars().skip(refusal.column as usize - 1).collect();
        assert!(
            from.starts_with(at),
            "{refusal}, which is {from}, not {at}:\n{wgsl}"
        );
    }
}

#[test]
fn a_part_of_what_a_function_was_given_is_a_part() {
    let helpers = format!(
        "{HELPERS} fn inner(s: ptr<function, Pair>) {{ raise(&(*s).a); }}
        fn outer(s: ptr<function, Pair>) {{ inner(s); }}"
    );
    let wgsl = shader(&helpers, "var s: Pair; outer(&s);");
    let says = "`raise` is given a pointer to a part of a variable";
    assert_refused(&wgsl, try_admit(&wgsl), Some("(*s).a"), says);
}

#[test]
fn whole_variables_go_on_and_so_do_parts_that_no_function_is_given() {
    let helpers =
        format!("{HELPERS} fn hand_on(p: ptr<function, u32>) {{ raise(p); raise(&*p); }}");
    let bodies = [
        "var w = 0u; raise(&w); hand_on(&w); let p = &w; raise(p);",
        "var a: array<u32, 4>; fill(&a); let p = &a; fill(p); out[0] = a[1];",
        "var v: vec2f; put(&v);",
        "raise_own(&own);",
        "atomicAdd(&counters[lid & 3u], 1u); let x = atomicLoad(&counters[1]);",
        "var a: array<u32, 4>; let p = &a[2]; *p += 1u; *(&a[1]) = 2u; out[0] = *p;",
        "let n = workgroupUniformLoad(&shared_words[1]); out[0] = n;",
        "out[0] = arrayLength(&fixed);",
    ];
    for body in bodies {
        let wgsl = shader(&helpers, body);
        try_admit(&wgsl).unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}"));
    }
}

#[test]
fn a_call_that_nothing_reaches_is_not_looked_at() {
    let helpers = format!("{HELPERS} fn nobody() {{ var a: array<u32, 4>; raise(&a[1]); }}");
    try_admit(&shader(&helpers, "out[0] = 1u;")).unwrap_or_else(|refusal| panic!("{refusal}"));
}
