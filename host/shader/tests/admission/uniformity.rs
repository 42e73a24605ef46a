//! Barriers and their kin: where they may stand.

use crate::{assert_refused, shader, try_admit};
use hotcell_shader::admission::FunctionId;

const BARRIER: &str = "workgroupBarrier()";

#[track_caller]
fn assert_uniform(cases: &[(&str, &str)]) {
    for (helpers, body) in cases {
        let wgsl = shader(helpers, body);
        if let Err(refusal) = try_admit(&wgsl) {
            panic!("{refusal}:\n{wgsl}");
        }
    }
}

/// Helpers, body, the place that is named, a piece of what is said.
#[track_caller]
fn assert_divergent(cases: &[(&str, &str, &str, &str)]) {
    for (helpers, body, at, says) in cases {
        let wgsl = shader(helpers, body);
        assert_refused(&wgsl, try_admit(&wgsl), Some(at), says);
    }
}

#[test]
fn barriers_in_uniform_flow_are_admitted() {
    assert_uniform(&[
        ("", "workgroupBarrier(); storageBarrier();"),
        ("", "if (wid.x == 0u) { workgroupBarrier(); }"),
        (
            "",
            "if (groups.x > params.n) { workgroupBarrier(); } else { storageBarrier(); }",
        ),
        ("", "if (fixed[wid.x] == 3u) { workgroupBarrier(); }"),
        ("", "if (arrayLength(&out) > 3u) { workgroupBarrier(); }"),
        (
            "override size = 4u;",
            "if (size > 3u) { workgroupBarrier(); }",
        ),
        ("", "if (sub_size > 16u) { workgroupBarrier(); }"),
        (
            "",
            "switch (params.n) { case 1u: { workgroupBarrier(); } case 2u, 3u: { storageBarrier(); } default: {} }",
        ),
        (
            "",
            "for (var i = 0u; i < params.n; i++) { workgroupBarrier(); }",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { if (lid == i) { out[i] = 1u; } workgroupBarrier(); }",
        ),
        (
            "",
            "for (var s = 32u; s > 0u; s >>= 1u) { if (lid < s) { shared_words[lid] += shared_words[lid + s]; } workgroupBarrier(); }",
        ),
        (
            "",
            "loop { workgroupBarrier(); if (params.n == 1u) { break; } continuing { storageBarrier(); break if params.m == 2u; } }",
        ),
        (
            "",
            "var i = 0u; while (i < params.n) { i++; if (i == params.m) { continue; } workgroupBarrier(); }",
        ),
        ("", "if (params.n == 0u) { return; } workgroupBarrier();"),
        (
            "",
            "let go = workgroupUniformLoad(&shared_word); if (go == 1u) { workgroupBarrier(); }",
        ),
    ]);
}

#[test]
fn barriers_in_divergent_flow_are_refused_where_they_stand() {
    let sources = [
        "lid",
        "gid.x",
        "sub_lid",
        "out[0]",
        "fixed[lid]",
        "shared_word",
        "own",
        "shared_words[1]",
    ];
    for source in sources {
        let wgsl = shader(
            "",
            &format!("if ({source} == 1u) {{ workgroupBarrier(); }}"),
        );
        assert_refused(
            &wgsl,
            try_admit(&wgsl),
            Some(BARRIER),
            "`workgroupBarrier` must only be reached",
        );
    }
    assert_divergent(&[
        (
            "",
            "if (lid < 3u) { storageBarrier(); }",
            "storageBarrier()",
            "`storageBarrier`",
        ),
        (
            "",
            "if (lid < 3u) { } else { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "switch (lid) { case 1u: { workgroupBarrier(); } default: {} }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "for (var i = 0u; i < lid; i++) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "loop { if (params.n == 1u) { break; } continuing { workgroupBarrier(); break if lid == 2u; } }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "if (lid < 3u) { let go = workgroupUniformLoad(&shared_word); }",
            "workgroupUniformLoad(&",
            "`workgroupUniformLoad`",
        ),
        (
            "",
            "let go = workgroupUniformLoad(&shared_words[lid]);",
            "workgroupUniformLoad(&",
            "the argument of",
        ),
        (
            "var<workgroup> a: atomic<u32>;",
            "if (atomicAdd(&a, 1u) == 0u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "if (params.n == 1u || lid == 0u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
    ]);
}

#[test]
fn flow_meets_again_after_branches_that_end() {
    assert_uniform(&[
        ("", "if (lid < 3u) { out[lid] = 1u; } workgroupBarrier();"),
        (
            "",
            "for (var i = 0u; i < lid; i++) { out[i] = 1u; } workgroupBarrier();",
        ),
        (
            "",
            "loop { if (lid == 1u) { break; } if (own == 1u) { break; } } workgroupBarrier();",
        ),
        (
            "",
            "switch (lid) { case 1u: { if (own == 1u) { break; } out[0] = 1u; } default: { out[1] = 1u; } } workgroupBarrier();",
        ),
        (
            "",
            "if (lid < 3u) { for (var i = 0u; i < 9u; i++) { if (own == i) { break; } } } workgroupBarrier();",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { workgroupBarrier(); for (var j = 0u; j < lid; j++) { if (own == j) { continue; } out[j] = 1u; } }",
        ),
    ]);
}

#[test]
fn early_exits_of_some_make_what_follows_divergent() {
    assert_divergent(&[
        (
            "",
            "if (lid < 3u) { return; } workgroupBarrier();",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "if (lid < 3u) { return; } else { out[0] = 1u; } workgroupBarrier();",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { if (lid == i) { break; } workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { workgroupBarrier(); if (lid == i) { break; } }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { workgroupBarrier(); if (lid == i) { continue; } out[0] = i; }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "loop { if (lid == 1u) { continue; } out[0] = 1u; continuing { workgroupBarrier(); break if params.n == 1u; } }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { if (lid == i) { return; } } workgroupBarrier();",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "loop { if (lid == 1u) { return; } } workgroupBarrier();",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "loop { loop { if (lid == 1u) { return; } if (params.n == 1u) { break; } } workgroupBarrier(); if (params.m == 1u) { break; } }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "switch (params.n) { case 1u: { if (lid == 1u) { break; } workgroupBarrier(); } default: {} }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "loop { switch (params.n) { case 1u: { if (lid == 1u) { continue; } } default: {} } workgroupBarrier(); if (params.m == 1u) { break; } }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "switch (lid) { case 1u: { return; } default: {} } workgroupBarrier();",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "loop { workgroupBarrier(); if (params.n == 1u) { switch (lid) { case 1u: { return; } default: {} } } if (params.m == 1u) { break; } }",
            BARRIER,
            "`workgroupBarrier`",
        ),
    ]);
}

#[test]
fn locals_carry_what_was_stored_and_where() {
    assert_uniform(&[
        (
            "",
            "var x = lid; x = params.n; if (x == 1u) { workgroupBarrier(); }",
        ),
        (
            "",
            "var x = 1u; if (params.n == 1u) { x = 2u; } if (x == 1u) { workgroupBarrier(); }",
        ),
        (
            "",
            "var x = 1u; var y = 0u; if (lid == 1u) { y = 2u; } if (x == 1u) { workgroupBarrier(); }",
        ),
        (
            "",
            "for (var i = 0u; i < params.n; i++) { var y = lid; if (y == 2u) { y = 3u; } out[y] = i; workgroupBarrier(); }",
        ),
        (
            "",
            "var a: array<u32, 4>; a[1] = params.n; if (a[params.m] == 1u) { workgroupBarrier(); }",
        ),
        (
            "",
            "var x = 0u; let p = &x; *p = params.n; if (*p == 1u) { workgroupBarrier(); }",
        ),
        (
            "",
            "var x = 0u; if (lid == 1u) { x = 1u; } x = 3u; if (x == 3u) { workgroupBarrier(); }",
        ),
    ]);
    assert_divergent(&[
        (
            "",
            "var x = 1u; if (lid == 1u) { x = 2u; } if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 1u; if (lid == 1u) { x = 2u; } else { x = 3u; } if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 1u; switch (lid) { case 0u: { x = 2u; } default: { x = 3u; } } if (x == 2u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 1u; switch (lid) { case 0u: { x = 2u; break; } default: {} } if (x == 2u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 0u; for (var i = 0u; i < lid; i++) { x++; } if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 0u; loop { x++; if (lid == x) { break; } } if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 0u; var y = 0u; for (var i = 0u; i < 4u; i++) { if (x == 1u) { workgroupBarrier(); } x = y; y = lid; }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 0u; loop { if (params.n == 1u) { x = lid; break; } x = 0u; if (params.m == 1u) { break; } } if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var a: array<u32, 4>; a[lid] = 1u; if (a[0] == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var a: array<u32, 4>; a[1] = lid; a[1] = 2u; if (a[1] == 2u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var a: array<u32, 4>; if (a[lid] == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "var x = 0u; let p = &x; *p = lid; if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "own = 1u; if (own == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "",
            "for (var i = 0u; i < 4u; i++) { if (lid == 1u) { i++; } workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
    ]);
}

#[test]
fn calls_bring_what_their_arguments_and_flow_bring() {
    let sync = "fn sync() { workgroupBarrier(); }";
    let sync_if = "fn sync_if(c: u32) { if (c == 1u) { workgroupBarrier(); } }";
    let deep = "fn inner() { workgroupBarrier(); } fn outer(c: u32) { if (c == 1u) { inner(); } }";
    let pick = "fn pick(c: u32, a: u32, b: u32) -> u32 { if (c == 1u) { return a; } return b; }";
    let leave = "fn leave(c: u32) { if (c == 1u) { return; } out[0] = 1u; }";
    let put = "fn put(p: ptr<function, u32>, v: u32) { *p = v; }";
    let swap =
        "fn swap(p: ptr<function, u32>, q: ptr<function, u32>) { let t = *p; *p = *q; *q = t; }";
    let test = "fn test(p: ptr<function, u32>) { if (*p == 1u) { workgroupBarrier(); } }";
    let bump = "fn bump() { own += 1u; }";
    assert_uniform(&[
        (sync, "sync();"),
        (sync_if, "sync_if(params.n);"),
        (deep, "outer(wid.x);"),
        (
            pick,
            "if (pick(params.n, 1u, 2u) == 1u) { workgroupBarrier(); } out[0] = pick(lid, 1u, 2u);",
        ),
        (leave, "leave(lid); workgroupBarrier();"),
        (
            put,
            "var x = lid; put(&x, lid); var y = 0u; put(&y, 1u); if (y == 1u) { workgroupBarrier(); }",
        ),
        (test, "var x = params.n; test(&x);"),
        (
            swap,
            "var x = params.n; var y = 2u; swap(&x, &y); if (x == 1u) { workgroupBarrier(); }",
        ),
        (bump, "bump(); workgroupBarrier();"),
    ]);
    assert_divergent(&[
        (
            sync,
            "if (lid == 1u) { sync(); }",
            "sync();",
            "`workgroupBarrier` in `sync`, to which this call leads, must",
        ),
        (sync_if, "sync_if(lid);", "sync_if(lid)", "in `sync_if`"),
        (deep, "outer(lid);", "outer(lid)", "in `inner`"),
        (
            pick,
            "if (pick(lid, 1u, 2u) == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            pick,
            "if (pick(1u, lid, 2u) == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            put,
            "var x = 0u; put(&x, lid); if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            put,
            "var x = 0u; if (lid == 1u) { put(&x, 1u); } if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (test, "var x = lid; test(&x);", "test(&x)", "in `test`"),
        (
            swap,
            "var x = params.n; var y = lid; swap(&x, &y); if (x == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            swap,
            "var x = params.n; swap(&x, &x);",
            "swap(&x",
            "two arguments of `swap` point into the same variable",
        ),
        (
            bump,
            "bump(); if (own == 1u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
        (
            "fn both() -> bool { workgroupBarrier(); return true; }",
            "if (lid == 1u && both()) { out[0] = 1u; }",
            "both())",
            "in `both`",
        ),
        (
            "fn stay(c: u32) { if (c == 1u) { return; } workgroupBarrier(); }",
            "stay(lid);",
            "stay(lid)",
            "in `stay`",
        ),
    ]);
}

#[test]
fn private_variables_differ_through_pointers_too() {
    let mine = "fn mine(p: ptr<private, u32>) -> u32 { return *p; }";
    let body = "if (mine(&own) == 1u) { workgroupBarrier(); }";
    assert_divergent(&[(mine, body, BARRIER, "`workgroupBarrier`")]);
}

#[test]
fn places_survive_the_resolving_of_overrides() {
    let helpers = "override limit = 3u; var<workgroup> tile: array<u32, limit>;";
    let body = "tile[0] = limit; if (lid < limit + 1u) { workgroupBarrier(); }";
    assert_divergent(&[(helpers, body, BARRIER, "`workgroupBarrier`")]);
}

#[test]
fn a_functions_own_divergence_is_named_in_it() {
    let helper = "fn take() { if (out[1] == 1u) { storageBarrier(); } }";
    assert_divergent(&[(
        helper,
        "take();",
        "storageBarrier()",
        "`storageBarrier` must",
    )]);
}

#[test]
fn subgroup_operations_ask_the_same_as_barriers() {
    assert_uniform(&[
        ("", "out[lid] = subgroupAdd(lid);"),
        (
            "",
            "if (params.n == 1u) { out[lid] = subgroupShuffleXor(lid, 1u); }",
        ),
        (
            "",
            "for (var s = sub_size / 2u; s > 0u; s >>= 1u) { out[lid] += subgroupShuffleDown(lid, s); }",
        ),
        (
            "",
            "let x = subgroupMax(lid); if (x > 3u) { out[lid] = x; } workgroupBarrier();",
        ),
    ]);
    assert_divergent(&[
        (
            "",
            "if (lid < 3u) { out[lid] = subgroupAdd(1u); }",
            "subgroupAdd(1u)",
            "`subgroupAdd`",
        ),
        (
            "",
            "if (lid < 3u) { out[lid] = subgroupBroadcastFirst(lid); }",
            "subgroupBroadcastFirst(",
            "`subgroupBroadcastFirst`",
        ),
        (
            "",
            "if (lid < 3u) { out[0] = subgroupBallot(true).x; }",
            "subgroupBallot(",
            "`subgroupBallot`",
        ),
        (
            "",
            "if (subgroupAdd(1u) == 3u) { workgroupBarrier(); }",
            BARRIER,
            "`workgroupBarrier`",
        ),
    ]);
}

#[test]
fn members_of_a_structure_of_built_in_values_are_told_apart() {
    let body = |member: &str| {
        format!(
            "struct In {{ @builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lid: u32 }}
            @compute @workgroup_size(64) fn main(in: In) {{ if (in.{member} == 1u) {{ workgroupBarrier(); }} }}"
        )
    };
    let same = body("wid.x");
    assert!(try_admit(&same).is_ok());
    let different = body("lid");
    assert_refused(
        &different,
        try_admit(&different),
        Some(BARRIER),
        "`workgroupBarrier`",
    );
}

#[test]
fn loops_are_uniform_only_if_entry_and_every_exit_are() {
    let cases: [(&str, &[bool]); 8] = [
        (
            "for (var i = 0u; i < params.n; i++) { out[lid] = i; }",
            &[true],
        ),
        ("for (var i = 0u; i < lid; i++) { out[lid] = i; }", &[false]),
        (
            "for (var i = 0u; i < 4u; i++) { if (lid == i) { break; } }",
            &[false],
        ),
        (
            "for (var i = 0u; i < 4u; i++) { if (lid == i) { return; } }",
            &[false],
        ),
        (
            "for (var i = 0u; i < 4u; i++) { for (var j = 0u; j < lid; j++) { out[j] = 1u; } }",
            &[true, false],
        ),
        (
            "if (lid == 1u) { for (var i = 0u; i < 4u; i++) { out[i] = 1u; } }",
            &[false],
        ),
        (
            "loop { continuing { break if lid == 1u; } } loop { if (params.n == 1u) { break; } }",
            &[false, true],
        ),
        (
            "for (var i = 0u; i < 4u; i++) { switch (lid) { case 1u: { break; } default: {} } }",
            &[true],
        ),
    ];
    for (body, expected) in cases {
        let wgsl = shader("", body);
        let admitted = try_admit(&wgsl).unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}"));
        let uniformity = admitted.uniformity();
        for (number, expected) in expected.iter().enumerate() {
            let is_uniform = uniformity.loop_is_uniform(FunctionId::Entry, number);
            assert_eq!(is_uniform, *expected, "loop {number} of {body}");
        }
        assert!(!uniformity.loop_is_uniform(FunctionId::Entry, expected.len()));
    }
}

#[test]
fn one_divergent_call_path_is_enough() {
    let helpers = "fn fill(n: u32) { for (var i = 0u; i < n; i++) { out[i] = 1u; } }
        fn through(n: u32) { fill(n); }";
    let is_uniform = |body: &str| {
        let admitted =
            try_admit(&shader(helpers, body)).unwrap_or_else(|refusal| panic!("{refusal}"));
        let (handle, _) = admitted
            .module()
            .functions
            .iter()
            .find(|(_, function)| function.name.as_deref() == Some("fill"))
            .unwrap_or_else(|| panic!("no function"));
        let id = FunctionId::Function(handle);
        let uniformity = admitted.uniformity();
        (
            uniformity.function_is_uniform(id),
            uniformity.loop_is_uniform(id, 0),
        )
    };
    assert_eq!(
        is_uniform("fill(params.n); through(params.m);"),
        (true, true)
    );
    assert_eq!(is_uniform("fill(params.n); through(lid);"), (true, false));
    assert_eq!(
        is_uniform("fill(3u); if (lid == 1u) { through(3u); }"),
        (false, false)
    );
}
