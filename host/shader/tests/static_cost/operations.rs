//! What a turn does, and where barriers and atomics stand.

use crate::{cost_of, shader};
use hotcell_shader::admission::{AdmissionLimits, FunctionId, admit};
use hotcell_shader::static_cost;

#[test]
fn kinds_of_operations_are_told_apart() {
    let turn = |body: &str| {
        let body = format!(
            "var f = x[0]; var n = rows[0]; for (var i = 0u; i < 9u; i++) {{ {body} }} out[n] = u32(f);"
        );
        cost_of(&shader(&body)).loops[0].turn
    };
    let nothing = turn("");
    let floating = turn("f = f * 2.0 + sin(f);");
    assert_eq!(floating.floating, nothing.floating + 1 + 1 + 8);
    assert_eq!(floating.integer, nothing.integer);
    let integer = turn("n = n * 3u / 7u;");
    assert_eq!(integer.integer, nothing.integer + 1 + 4);
    assert_eq!(integer.floating, nothing.floating);
    let memory = turn("out[i] = rows[i];");
    assert_eq!(
        (memory.floating, memory.integer),
        (nothing.floating, nothing.integer)
    );
    assert!(memory.memory >= nothing.memory + 4);
}

#[test]
fn the_kinds_are_together_what_admission_counts() {
    let bodies = [
        "out[lid] = u32(x[lid] * params.rate) + rows[gid.x];",
        "change_often(lid);",
        "workgroupBarrier(); tile[lid] = atomicAdd(&flag, 1u); storageBarrier();",
        "var v = vec4f(x[0]); v = v * 2.0; out[0] = u32(dot(v, v));",
        "if lid == 0u { out[0] = 1u; } else { out[1] = u32(exp(x[0])); }",
        "switch lid { case 0u: { out[0] = 1u; } case 1u, 2u: { out[1] = 2u; } default: { return; } }",
    ];
    for body in bodies {
        let helper = "fn change_often(n: u32) { var k = n; change(&k); out[k] = turned(k); }
            fn turned(n: u32) -> u32 { return n ^ 1u; }\n";
        let wgsl = helper.to_owned() + &shader(body);
        let admitted = admit(&wgsl, "main", &[], &AdmissionLimits::by_default()).unwrap();
        let cost = admitted.cost();
        let whole = cost.of_start() + cost.of_function(FunctionId::Entry);
        assert_eq!(static_cost(&admitted).outside.operations(), whole, "{body}");
    }
}

#[test]
fn barriers_and_atomics_are_in_their_loops() {
    let body = "
        workgroupBarrier();
        for (var i = 0u; i < params.n; i++) {
            both();
            for (var j = 0u; j < 4u; j++) { atomicAdd(&flag, 1u); atomicMax(&flag, j); }
            out[i] = workgroupUniformLoad(&tile[0]);
        }
        atomicOr(&flag, 2u);";
    let helper = "fn both() { workgroupBarrier(); atomicAdd(&flag, 1u); }\n";
    let cost = cost_of(&(helper.to_owned() + &shader(body)));
    let sites = |work: hotcell_model::shader::Work| (work.barriers, work.atomics);
    assert_eq!(sites(cost.outside), (1, 1));
    assert_eq!(sites(cost.loops[0].turn), (3, 1));
    assert_eq!(sites(cost.loops[1].turn), (0, 2));
    assert_eq!(
        cost.loops.iter().map(|one| one.depth).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(cost.workgroup_bytes, 256);
}

#[test]
fn control_is_uniform_where_all_turn_together() {
    let body = "
        for (var i = 0u; i < params.n; i++) { out[i] = i; }
        for (var i = 0u; i < lid; i++) { out[i] = i; }";
    let cost = cost_of(&shader(body));
    assert_eq!(
        cost.loops
            .iter()
            .map(|one| one.is_uniform)
            .collect::<Vec<_>>(),
        [true, false]
    );
    let first = cost.loops[0].line;
    assert_eq!(cost.loops[1].line, first + 1);
    assert_eq!(
        shader(body)
            .lines()
            .nth(first as usize - 1)
            .unwrap()
            .trim_start()
            .get(..3),
        Some("for")
    );
}

#[test]
fn a_loop_in_a_function_is_as_deep_as_where_it_is_called() {
    let body = "
        turn_so_often(4u);
        for (var i = 0u; i < params.n; i++) { turn_so_often(8u); }";
    let cost = cost_of(&shader(body));
    let of: Vec<_> = cost
        .loops
        .iter()
        .map(|one| (one.depth, crate::trips(one)))
        .collect();
    assert_eq!(of, [(1, "<=8".to_owned()), (0, "by params.n".to_owned())]);
}
