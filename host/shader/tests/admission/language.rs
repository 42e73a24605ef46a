//! Valid WGSL that the front end alone would refuse, and what is refused of it in words of ours. The table of the author's
//! guide (`docs/gpu.md`, *WGSL that is not accepted*) has a row for each.

use crate::{LIMITS, assert_refused, shader, try_admit};
use hotcell_shader::admission::{AdmissionLimits, admit};

#[track_caller]
fn assert_admitted(wgsl: &str) {
    try_admit(wgsl).unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}"));
}

#[test]
fn a_function_may_end_in_a_loop_that_only_return_leaves() {
    let bodies = [
        "loop { if out[a] > 3u { return a; } }",
        "while (true) { if out[a] == 0u { return 3u; } }",
        "while ALWAYS { if out[a] == 0u { return 3u; } }",
        "for (;;) { if out[a] == 0u { return 3u; } }",
        "for (var i = a; ; i++) { if out[i] == 0u { return i; } }",
        "loop { if out[a] == 0u { return 3u; } continuing { out[a] -= 1u; } }",
        "loop { for (var i = 0u; i < 4u; i++) { if out[i] == a { return i; } } }",
        "loop { switch out[a] { case 1u: { return 1u; } case 2u: { break; } default: { continue; } } }",
        "if a > 1u { loop { if out[a] == 0u { return 1u; } } } else { return 2u; }",
        "{ loop { return a; } }",
        "switch a { case 1u: { return 1u; } default: { loop { if out[0] == 1u { return 2u; } } } }",
        "loop { if out[a] == 0u { return 1u; } } out[0] = 1u;",
        "loop { if out[a] == 0u { return 1u; } } if out[0] == 1u { out[0] = 2u; }",
    ];
    for body in bodies {
        let helpers = format!("const ALWAYS = true; fn f(a: u32) -> u32 {{ {body} }}");
        assert_admitted(&shader(&helpers, "out[0] = f(lid);"));
    }
    let helpers = "struct Pair { a: u32, b: array<vec2f, 3> }
        fn f() -> Pair { loop { if out[0] == 1u { return Pair(); } } }";
    assert_admitted(&shader(helpers, "out[0] = f().a;"));
}

#[test]
fn a_function_that_may_end_without_a_value_is_refused_by_name() {
    let bodies = [
        "",
        "out[0] = a;",
        "if a > 1u { return 1u; }",
        "loop { if out[a] == 0u { break; } }",
        "loop { if out[a] == 0u { return 1u; } continuing { break if out[1] == 2u; } }",
        "while out[a] == 0u { return 1u; }",
        "while false { return 1u; }",
        "for (var i = 0u; i < 4u; i++) { return 1u; }",
        "switch a { case 1u: { return 1u; } default: {} }",
        "switch a { case 1u: { return 1u; } default: { if a > 2u { break; } return 2u; } }",
        "if a > 1u { loop { if out[a] == 0u { return 1u; } } }",
    ];
    for body in bodies {
        let helpers = format!("fn f(a: u32) -> u32 {{ {body} }}");
        let wgsl = shader(&helpers, "out[0] = f(lid);");
        let says = "`f` may come to its end without returning a value: let it end in `return`";
        assert_refused(&wgsl, try_admit(&wgsl), Some("fn f(a"), says);
    }
}

const SHARED: &str = "
struct Pair { a: u32, b: array<u32, 4> }
@group(0) @binding(3) var<storage, read_write> more: array<u32>;
@group(0) @binding(4) var<storage, read_write> tail: Tail;
struct Tail { n: u32, words: array<u32> }
var<workgroup> pair: Pair;
var<workgroup> words: array<u32, 64>;
var<workgroup> counter: atomic<u32>;
fn put(p: ptr<workgroup, array<u32, 64>>, i: u32) { (*p)[i] = 1u; }
fn put_pair(x: u32, p: ptr<workgroup, Pair>) { (*p).a = x; let b = &(*p).b; (*b)[x & 3u] = 1u; }
fn count(p: ptr<workgroup, atomic<u32>>) -> u32 { return atomicAdd(p, 1u); }
fn len(p: ptr<storage, array<u32>, read_write>) -> u32 { return arrayLength(p); }
fn len_of_tail(p: ptr<storage, Tail, read_write>) -> u32 { return arrayLength(&(*p).words); }
fn first(p: ptr<storage, array<u32>>, q: ptr<function, u32>) -> u32 { *q += 1u; return (*p)[0] + *q; }
fn scale(p: ptr<uniform, Params>) -> u32 { return (*p).n; }
fn all(p: ptr<workgroup, u32>) -> u32 { return workgroupUniformLoad(p); }
fn twice(p: ptr<workgroup, array<u32, 64>>, q: ptr<workgroup, array<u32, 64>>, i: u32) { put(p, i); put(q, i); put(p, i); }
";

#[test]
fn functions_are_given_pointers_into_what_others_see() {
    let bodies = [
        "put(&words, lid); put(&shared_words, lid); out[lid] = words[lid];",
        "let p = &words; put(p, lid);",
        "put_pair(lid, &pair); out[lid] = pair.b[1];",
        "out[lid] = count(&counter) + count(&counter);",
        "out[lid] = len(&out) + len(&more) + len_of_tail(&tail);",
        "var x = 1u; out[lid] = first(&fixed, &x);",
        "out[lid] = scale(&params);",
        "out[lid] = all(&shared_word);",
        "twice(&words, &shared_words, lid); twice(&shared_words, &words, lid); twice(&words, &words, lid);",
        "if lid > 3u { loop { put(&words, lid); break; } } else { switch lid { case 1u: { put(&words, 1u); } default: {} } }",
    ];
    for body in bodies {
        assert_admitted(&shader(SHARED, body));
    }
    let admitted = try_admit(&shader(SHARED, bodies[8])).unwrap();
    let named = |name: &str| {
        let functions = admitted.module().functions.iter();
        let named = functions.filter(|(_, function)| function.name.as_deref() == Some(name));
        named.count()
    };
    assert_eq!((named("put"), named("twice"), named("len")), (2, 3, 0));
}

#[test]
fn what_a_function_asks_of_a_pointer_is_asked_of_the_variable() {
    let body = "out[lid] = len(&more); out[0] += first_of(&fixed);";
    let helpers =
        format!("{SHARED} fn first_of(p: ptr<storage, array<u32>>) -> u32 {{ return (*p)[0]; }}");
    let admitted = try_admit(&shader(&helpers, body)).unwrap();
    let measured: Vec<_> = admitted
        .bindings()
        .iter()
        .filter(|binding| binding.array.is_some_and(|array| array.is_measured))
        .map(|binding| binding.slot)
        .collect();
    assert_eq!(measured, [3]);
    let helpers = format!(
        "{SHARED} fn wait(p: ptr<workgroup, array<u32, 64>>) {{ if (*p)[0] > 1u {{ workgroupBarrier(); }} }}"
    );
    let wgsl = shader(&helpers, "wait(&words);");
    assert_refused(
        &wgsl,
        try_admit(&wgsl),
        Some("workgroupBarrier();"),
        "`workgroupBarrier` must only be reached by all",
    );
}

#[test]
fn pointers_into_what_others_see_are_of_the_type_and_to_the_whole() {
    let part = "is given a pointer to a part of a variable";
    let other = "is given a pointer of another type than its parameter's";
    let cases = [
        ("out[0] = all(&shared_words[1]);", "shared_words[1]", part),
        ("out[0] = all(&pair.a);", "pair.a", part),
        (
            "let p = &shared_words[lid]; out[0] = all(p);",
            "shared_words[lid]",
            part,
        ),
        ("var x = 1u; out[0] = first(&out, &x);", "out, &x", other),
        ("put(&pair, 1u);", "pair, 1u", other),
        ("var x: array<u32, 64>; put(&x, 1u);", "put(&x", other),
    ];
    for (body, at, says) in cases {
        let wgsl = shader(SHARED, body);
        assert_refused(&wgsl, try_admit(&wgsl), Some(at), says);
    }
}

#[test]
fn functions_that_would_be_written_out_without_end_are_refused() {
    // Each level is wanted for every order of its pointers.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let variables: String = names
        .iter()
        .map(|name| format!("var<workgroup> {name}: u32;\n"))
        .collect();
    let parameters = names
        .map(|name| format!("p{name}: ptr<workgroup, u32>"))
        .join(", ");
    let mut helpers = format!("{variables} fn f0({parameters}) {{ *pa = 1u; }}\n");
    for level in 1..40 {
        let below = level - 1;
        helpers += &format!(
            "fn f{level}({parameters}) {{ f{below}(pb, pa, pc, pd, pe, pf, pg, ph, pi); f{below}(pb, pc, pd, pe, pf, pg, ph, pi, pa); }}\n"
        );
    }
    let given = names.map(|name| format!("&{name}")).join(", ");
    let wgsl = shader(&helpers, &format!("f39({given});"));
    let says = "expressions of functions, once for each variable that their pointers lead to, at most 262144 allowed";
    assert_refused(&wgsl, try_admit(&wgsl), None, says);
}

#[test]
fn directives_are_taken_where_they_may_stand_and_are_offered() {
    let taken = [
        "enable subgroups;",
        "enable subgroups, subgroups;",
        "enable subgroups,;",
        "enable subgroups; requires pointer_composite_access; enable subgroups;",
        "requires unrestricted_pointer_parameters;",
        "requires packed_4x8_integer_dot_product, pointer_composite_access, subgroup_id;",
        "diagnostic(off, derivative_uniformity); enable subgroups;",
    ];
    for directives in taken {
        assert_admitted(&format!(
            "{directives} {}",
            shader("", "out[0] = dot4U8Packed(lid, 7u);")
        ));
    }
    let refused = [
        (
            "enable f16;",
            "f16",
            "`enable f16` is not offered to kernels",
        ),
        ("enable subgroups, f16;", "f16", "`enable f16` is not"),
        (
            "enable wgpu_ray_query;",
            "wgpu",
            "`enable wgpu_ray_query` is not",
        ),
        (
            "requires readonly_and_readwrite_storage_textures;",
            "readonly",
            "`requires readonly_and_readwrite_storage_textures` is not",
        ),
        (
            "requires anything;",
            "anything",
            "`requires anything` is not",
        ),
    ];
    for (directives, at, says) in refused {
        let wgsl = format!("{directives} @compute @workgroup_size(1) fn main() {{}}");
        assert_refused(&wgsl, try_admit(&wgsl), Some(at), says);
    }
    for broken in ["enable;", "enable 5;", "requires a b;", "enable subgroups"] {
        let wgsl = format!("{broken} @compute @workgroup_size(1) fn main() {{}}");
        assert!(try_admit(&wgsl).is_err(), "{wgsl}");
    }
}

#[test]
fn late_directives_are_refused_where_they_stand() {
    for (head, body, at) in [
        ("", "out[0] = 1u; enable subgroups; out[0] = 2u;", "enable"),
        ("", "if lid > 1u { enable subgroups; }", "enable"),
        ("", "requires pointer_composite_access;", "requires"),
        ("var<private> x: u32; enable subgroups;", "", "enable"),
        ("fn f() {} requires subgroup_id;", "", "requires"),
        (
            "const_assert true; diagnostic(off, derivative_uniformity);",
            "",
            "diagnostic",
        ),
    ] {
        let wgsl = shader(head, body);
        let says = format!("`{at}` stands before all declarations: move it to the beginning");
        assert_refused(&wgsl, try_admit(&wgsl), Some(at), &says);
    }
}

#[test]
fn diagnostics_may_be_filtered_wherever_wgsl_lets_them() {
    let helpers = "@diagnostic(warning, derivative_uniformity) fn f() {}";
    for body in [
        "@diagnostic(off, derivative_uniformity) if lid > 1u { out[0] = 1u; }",
        "@diagnostic(off, subgroup_uniformity) loop { break; }",
        "if lid > 1u @diagnostic(info, mine.own) { out[0] = 1u; }",
        "@diagnostic(off, derivative_uniformity) switch lid @diagnostic(off, subgroup_uniformity) { default: {} }",
    ] {
        assert_admitted(&shader(helpers, body));
    }
    let wgsl = shader("", "@diagnostic(off, mine == 1u) if lid > 1u {}");
    assert!(try_admit(&wgsl).is_err());
}

#[test]
fn what_a_device_lacks_is_not_offered_on_it() {
    let without = AdmissionLimits {
        has_subgroups: false,
        ..LIMITS
    };
    for (directive, at) in [
        ("enable subgroups;", "subgroups"),
        ("requires subgroup_id;", "subgroup_id"),
    ] {
        let wgsl = format!("{directive} @compute @workgroup_size(1) fn main() {{}}");
        let says = "on this device is not offered";
        assert_refused(&wgsl, admit(&wgsl, "main", &[], &without), Some(at), says);
    }
}
