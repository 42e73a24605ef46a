//! Shaders that are too much: each would take minutes, gigabytes or the stack if it were not bounded first.

use crate::{LIMITS, assert_refused, shader, try_admit};
use hotcell_model::gpu::GpuError;
use hotcell_model::limit::Limit;
use hotcell_shader::admission::{AdmissionLimits, RefusalReason, admit};

/// What is counted on the module as a whole.
const UNPLACED: [&str; 3] = [
    "computed loads and stores, words of private arrays and thirds of loops, with every call inlined",
    "parameters of a function",
    "bytes of private and local variables",
];

#[track_caller]
fn assert_too_many(wgsl: &str, what: &str) {
    let shown: String = wgsl.chars().take(2000).collect();
    match try_admit(wgsl) {
        Ok(_) => panic!("admitted:\n{shown}"),
        Err(refusal) => match refusal.reason {
            RefusalReason::TooMany {
                what: named,
                counted,
                maximum,
            } => {
                assert_eq!(named, what, "\n{shown}");
                assert!(counted > maximum);
                // What is counted on the text has its place there.
                assert_eq!(refusal.line > 0, !UNPLACED.contains(&what), "\n{shown}");
            }
            reason => panic!("{reason}, not {what:?}:\n{shown}"),
        },
    }
}

#[track_caller]
fn assert_admitted(wgsl: &str) {
    if let Err(refusal) = try_admit(wgsl) {
        panic!(
            "{refusal}:\n{}",
            wgsl.chars().take(2000).collect::<String>()
        );
    }
}

/// Declarations of which each is made from its number.
fn tower(levels: usize, declare: impl Fn(usize) -> String) -> String {
    (1..levels).map(declare).collect()
}

#[test]
fn text_over_the_limit_is_the_limits_breach() {
    let wgsl = " ".repeat(300 << 10);
    let refusal = try_admit(&wgsl).err();
    let error = refusal.map(GpuError::from);
    let expected = GpuError::Limit {
        limit: Limit::GpuShaderBytes,
        requested: 300 << 10,
        maximum: 256 << 10,
    };
    assert_eq!(error, Some(expected));
}

#[test]
fn depth_is_refused_before_it_is_parsed_and_named_for_what_it_is() {
    let brackets = [
        format!("out[0] = {}1u{};", "(".repeat(20_000), ")".repeat(20_000)),
        format!("out[0] = {}", "(".repeat(60_000)),
        format!("{}{}", "{".repeat(20_000), "}".repeat(20_000)),
        format!("out[0] = {}0{};", "out[".repeat(10_000), "]".repeat(10_000)),
        format!("{}{}", "if lid == 0u { ".repeat(300), "}".repeat(300)),
        format!(
            "let x = {}{}{};",
            "(1 + ".repeat(200),
            "1".to_owned() + &" * 2".repeat(220),
            ")".repeat(200)
        ),
        // What is behind the brackets is short, and so is what is in them.
        format!(
            "out[0] = lid + lid + {}lid + lid{};",
            "(".repeat(300),
            ")".repeat(300)
        ),
    ];
    let operators = [
        format!("out[0] = 1u{};", " + lid".repeat(20_000)),
        format!("out[0] = 1u{};", " + lid".repeat(300)),
        format!("out[0] = {}lid;", "~".repeat(50_000)),
        format!("let x = {}lid;", "*&".repeat(20_000)),
        format!("let b = {}true;", "!".repeat(50_000)),
        format!("let b = true{};", " && lid == 1u".repeat(10_000)),
        format!("let x = {}1;", "a<".repeat(30_000)),
        format!(
            "var x: {}u32{};",
            "array<".repeat(10_000),
            ", 1>".repeat(10_000)
        ),
        format!("out[0] = max(lid, (1u{}));", " + lid".repeat(300)),
    ];
    let elses = [2_000, 300].map(|count| {
        let links = "else if lid == 1u && out[0] == 2u { out[1] = 1u; } ".repeat(count);
        format!("if lid == 0u {{}} {links}")
    });
    let members = [format!("let v = vec2f(){};", ".xy".repeat(20_000))];
    let named = [
        (&brackets[..], "levels of brackets within one another"),
        (
            &operators,
            "operators in one expression, with the brackets around it",
        ),
        (&elses, "`else` in one chain, with the brackets around it"),
        (
            &members,
            "members and indices of one operand, with the brackets around it",
        ),
    ];
    for (cases, name) in named {
        for body in cases {
            assert_too_many(&shader("", body), name);
        }
    }
}

#[test]
fn what_people_write_is_not_deep() {
    assert_admitted(&shader(
        "",
        &format!("out[0] = lid{};", " + out[lid] * out[lid + 1u]".repeat(100)),
    ));
    assert_admitted(&shader(
        "",
        &format!(
            "if (lid == 0u) {{}} {}",
            "else if (lid == 1u) { out[0] = 2u; } ".repeat(60)
        ),
    ));
    assert_admitted(&shader(
        "",
        &format!(
            "{}out[0] = 1u;{}",
            "if (lid > 0u) {".repeat(40),
            "}".repeat(40)
        ),
    ));
    assert_admitted(&shader("", &"out[lid] = out[lid] + 1u;\n".repeat(250)));
}

#[test]
fn the_deepest_that_is_admitted_fits_the_stack() {
    let both = "fn both() -> bool { out[0] = 1u; return true; }";
    let cases = [
        format!(
            "let b = lid == 1u; if b {{}} {}",
            "else if b { out[0] = 2u; } ".repeat(240)
        ),
        format!(
            "if lid == 0u {{}} {}",
            "else if lid == 1u && out[1] == 2u { out[0] = lid + 2u; } ".repeat(240)
        ),
        format!("let b = both(){};", " && both()".repeat(240)),
        format!(
            "{}let b = both(){};{}",
            "if (lid > 0u) {".repeat(65),
            " && both()".repeat(120),
            "}".repeat(65)
        ),
        format!(
            "{}let b = lid{};{}",
            "{ loop { break; ".repeat(50),
            " + lid".repeat(140),
            "}}".repeat(50)
        ),
        format!("out[0] = {}lid;", "~".repeat(240)),
        format!("out[0] = {}lid{};", "(lid + ".repeat(80), ")".repeat(80)),
        format!("let v = vec2f(){};", ".xy".repeat(240)),
    ];
    for body in cases {
        assert_admitted(&shader(both, &body));
    }
}

#[test]
fn counts_are_bounded() {
    assert_too_many(&shader("", &"out[lid]+=1u;".repeat(4097)), "statements");
    assert_too_many(
        &shader(&tower(1100, |i| format!("const c{i} = {i}u;")), ""),
        "declarations",
    );
    assert_too_many(&shader("", &"1 ".repeat(70_000)), "tokens");
    let parameters = tower(80, |i| format!("p{i}: u32, "));
    assert_too_many(
        &shader(
            &format!("fn f({parameters}) {{}}"),
            &format!("f({});", "1u, ".repeat(79)),
        ),
        "parameters of a function",
    );
}

#[test]
fn towers_of_constants_and_types_are_refused() {
    let doubling = tower(40, |i| {
        format!("const a{i} = array(a{}, a{});\n", i - 1, i - 1)
    });
    let structs = tower(40, |i| {
        format!("struct S{i} {{ a: S{}, b: S{} }}\n", i - 1, i - 1)
    });
    let arrays = tower(30, |i| format!("alias A{i} = array<A{}, 4>;\n", i - 1));
    let cases = [
        (
            "const m = mat4x4f();".to_owned(),
            format!("out[0] = u32((m{})[0][0]);", " * m".repeat(200)).repeat(60),
        ),
        (
            format!("const a0 = array(1, 2);\n{doubling}"),
            "let x = a39[0];".to_owned(),
        ),
        (
            format!("struct S0 {{ a: u32, b: u32 }}\n{structs}"),
            "let x = S39();".to_owned(),
        ),
        (
            format!("alias A0 = u32;\n{arrays}"),
            "let x = A29();".to_owned(),
        ),
        (
            "alias A = array<i32, 200000000>;".to_owned(),
            "const x = A() + A();".to_owned(),
        ),
        (
            String::new(),
            "const x = -array<i32, 200000000>();".to_owned(),
        ),
        (
            String::new(),
            "const_assert (-array<i32, 200000000>())[0] == 0;".to_owned(),
        ),
        (
            "const N = 10000u;".to_owned(),
            "const x = -array<i32, N * N>();".to_owned(),
        ),
        (
            "const N = 1u << 28u;".to_owned(),
            "const x = -array<i32, N>();".to_owned(),
        ),
        (
            String::new(),
            "const N = 100 * (3 + 99997); const x = all(array<bool, N>());".to_owned(),
        ),
        (
            "struct S { a: array<i32, 200000000> }".to_owned(),
            "const x = S() == S();".to_owned(),
        ),
        (
            "const N = 0x0fffffffu;".to_owned(),
            "const a = array<i32, N>(); const b = ~a;".to_owned(),
        ),
        (
            String::new(),
            format!(
                "let a = array({}); {}",
                "1, ".repeat(2000),
                "out[0] = u32(a[1]);".repeat(1000)
            ),
        ),
    ];
    for (helpers, body) in cases {
        assert_too_many(&shader(&helpers, &body), "parts of constants");
    }
}

#[test]
fn constants_that_people_write_are_no_towers() {
    let table = format!("const TABLE = array<u32, 256>({});", "7u, ".repeat(256));
    let uses = "out[lid] = TABLE[lid & 255u];\n".repeat(100);
    assert_admitted(&shader(&table, &uses));
    assert_admitted(&shader(
        "const N = 16u; const M = N * N + 1u; alias Tile = array<f32, N>;",
        "var t = Tile(); t[1] = 2.0; var u = array<u32, M>(); u[0] = 1u;",
    ));
    assert_admitted(&shader(
        "struct State { a: array<u32, 64>, b: vec4f }",
        "var s = State(); s.a[lid] = 1u; let t = State(array<u32, 64>(), vec4f()); out[0] = t.a[1];",
    ));
    let chain = tower(400, |i| format!("const c{i} = c{} + 1u;\n", i - 1));
    assert_admitted(&shader(
        &format!("const c0 = 1u;\n{chain}"),
        "out[0] = c399;",
    ));
    let powers = tower(60, |i| format!("let x{i} = x{} * x{};\n", i - 1, i - 1));
    assert_admitted(&shader(
        "",
        &format!("let x0 = lid;\n{powers} out[0] = x59;"),
    ));
}

#[test]
fn a_tower_of_calls_is_the_operations_breach() {
    let calls = tower(100, |i| {
        format!("fn f{i}() {{ f{}(); f{}(); }}\n", i - 1, i - 1)
    });
    let helpers = format!("fn f0() {{ out[0] = 1u; }}\n{calls}");
    let refusal = try_admit(&shader(&helpers, "f99();")).err();
    match refusal.map(GpuError::from) {
        Some(GpuError::Limit {
            limit,
            requested,
            maximum,
        }) => {
            assert_eq!(
                (limit, maximum),
                (Limit::GpuShaderOperations, LIMITS.operations)
            );
            assert_eq!(requested, u64::MAX);
        }
        other => panic!("{other:?}"),
    }
    let straight = tower(100, |i| format!("fn f{i}() {{ f{}(); }}\n", i - 1));
    assert_admitted(&shader(
        &format!("fn f0() {{ out[0] = 1u; }}\n{straight}"),
        "f99();",
    ));
}

#[test]
fn operations_are_counted_once_for_each_call_and_loop() {
    let operations = |helpers: &str, body: &str| {
        let wgsl = shader(helpers, body);
        try_admit(&wgsl)
            .unwrap_or_else(|refusal| panic!("{refusal}"))
            .cost()
            .operations()
    };
    let empty = operations("", "");
    let once = operations("", "out[lid] = sub_lid;") - empty;
    assert!(once > 0);
    assert_eq!(
        operations("", "out[lid] = sub_lid; out[lid] = sub_lid;") - empty,
        2 * once
    );
    let helper = "fn f(a: u32, b: u32) { out[a] = b; }";
    let call = operations(helper, "f(lid, sub_lid);") - empty;
    assert!(call > once);
    assert_eq!(
        operations(helper, "f(lid, sub_lid); f(lid, sub_lid);") - empty,
        2 * call
    );
    let short = operations("", "for (var i = 0u; i < 2u; i++) { out[lid] = sub_lid; }");
    let long = operations("", "for (var i = 0u; i < 9u; i++) { out[lid] = sub_lid; }");
    assert_eq!(short, long);
    assert!(operations("", "var a: array<u32, 500>; a[lid] = 1u;") >= empty + 500);
    assert!(
        operations("", "out[0] = u32(sin(f32(lid)));")
            > operations("", "out[0] = u32(abs(f32(lid)));")
    );
}

#[test]
fn what_a_driver_has_to_compile_is_bounded() {
    let leaf = "fn f0(a: u32) -> u32 { var s = a; loop { if s == out[s] { break; } s = s * 3u; } return s; }\n";
    let tower = |floors: u32| {
        let helpers = (1..=floors).fold(leaf.to_owned(), |text, i| {
            let below = i - 1;
            text + &format!(
                "fn f{i}(a: u32) -> u32 {{ return f{below}(a) + f{below}(a ^ {i}u); }}\n"
            )
        });
        shader(&helpers, &format!("out[0] = f{floors}(lid);"))
    };
    let stores = |count: usize| shader("", &"out[lid] = 1u;\n".repeat(count));
    let array = |words: u32| shader("", &format!("var a: array<u32, {words}>; a[lid] = 1u;"));
    let own_array = |words: u32| {
        shader(
            &format!("var<private> a: array<vec4f, {words}>;"),
            "a[lid].x = 1.0;",
        )
    };
    let fours = |count: usize| {
        shader(
            "var<workgroup> a: array<vec4u, 64>;",
            &"out[0] += a[lid].x; a[lid] = vec4u();\n".repeat(count),
        )
    };
    for wgsl in [
        tower(7),
        stores(600),
        array(599),
        own_array(149),
        fours(120),
    ] {
        assert_admitted(&wgsl);
    }
    for wgsl in [
        tower(8),
        stores(601),
        array(600),
        own_array(150),
        fours(121),
    ] {
        assert_too_many(
            &wgsl,
            "computed loads and stores, words of private arrays and thirds of loops, with every call inlined",
        );
    }
    // Nothing of it: straight code, branches, places that are known, shared memory.
    let shared = "var<workgroup> w: array<u32, 4000>;";
    let code = "x = x * 3u + lid; if x > 7u { out[1] = x; } w[2] = x;\n".repeat(500);
    assert_admitted(&shader(shared, &format!("var x = lid; {code}")));
}

#[test]
fn memory_is_bounded() {
    assert_too_many(
        &shader(
            "",
            "var a: array<u32, 9000>; a[lid] = 1u; var b: array<u32, 9000>; b[lid] = 1u;",
        ),
        "bytes of private and local variables",
    );
    assert_too_many(
        &shader("var<private> a: array<u32, 17000>;", "a[lid] = 1u;"),
        "bytes of private and local variables",
    );
    let wgsl = shader("var<workgroup> a: array<u32, 5000>;", "a[lid] = 1u;");
    let refusal = try_admit(&wgsl).err();
    let expected = RefusalReason::Limit {
        limit: Limit::GpuWorkgroupBytes,
        requested: 20_000,
        maximum: 16 << 10,
    };
    assert_eq!(refusal.map(|refusal| refusal.reason), Some(expected));
}

#[test]
fn workgroups_are_bounded_on_each_axis_and_in_all() {
    let limits = AdmissionLimits {
        workgroup_size: [64, 32, 2],
        workgroup_invocations: 256,
        ..LIMITS
    };
    let cases = [
        ("64, 4, 1", None),
        (
            "65",
            Some("65 invocations along x in a workgroup, at most 64 allowed"),
        ),
        (
            "1, 33",
            Some("33 invocations along y in a workgroup, at most 32 allowed"),
        ),
        (
            "1, 1, 3",
            Some("3 invocations along z in a workgroup, at most 2 allowed"),
        ),
        (
            "64, 5",
            Some("320 invocations in a workgroup, at most 256 allowed"),
        ),
    ];
    for (size, expected) in cases {
        let wgsl = format!("@compute @workgroup_size({size}) fn main() {{}}");
        let result = admit(&wgsl, "main", &[], &limits);
        match expected {
            None => assert!(result.is_ok(), "{size}"),
            Some(says) => assert_refused(&wgsl, result, None, says),
        }
    }
}

#[test]
fn a_tower_of_calls_on_both_sides_of_a_branch_is_as_large_as_a_driver_makes_it() {
    let level = |n: u32| {
        let below = n - 1;
        format!(
            "fn f{n}(x: u32) -> u32 {{ var r = 0u; if x > 7u {{ r = f{below}(x); }} else {{ r = f{below}(x + 1u); }} return r; }}\n"
        )
    };
    let tower: String = (1..40).map(level).collect();
    let wgsl = shader(
        &format!("fn f0(x: u32) -> u32 {{ return x * 3u; }}\n{tower}"),
        "out[0] = f39(lid);",
    );
    let error = try_admit(&wgsl).err().map(GpuError::from);
    assert!(
        matches!(
            error,
            Some(GpuError::Limit {
                limit: Limit::GpuShaderOperations,
                ..
            })
        ),
        "{error:?}"
    );
}
