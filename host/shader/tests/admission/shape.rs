//! What a shader may be made of, and what is kept of it.

use crate::{LIMITS, assert_refused, shader, try_admit};
use hotcell_model::gpu::GpuError;
use hotcell_shader::admission::{
    AdmissionLimits, BindingAccess, BindingUse, RefusalReason, RuntimeArray, admit,
};

#[test]
fn what_is_not_offered_is_refused() {
    let cases = [
        ("enable f16;", "let x = 1h;", "f16"),
        ("enable wgpu_ray_query;", "", "wgpu_ray_query"),
        ("enable wgpu_binding_array;", "", "wgpu_binding_array"),
        (
            "enable wgpu_cooperative_matrix;",
            "",
            "wgpu_cooperative_matrix",
        ),
        (
            "@group(0) @binding(0) var x: texture_2d<f32>;",
            "let y = textureDimensions(x);",
            "texture",
        ),
        (
            "@group(0) @binding(0) var x: texture_storage_2d<r32float, write>;",
            "let y = textureDimensions(x);",
            "texture",
        ),
        ("var<private> x: f64;", "x = 1;", "f64"),
        ("var<private> x: i64;", "x = 1;", "64"),
        (
            "@group(0) @binding(0) var<storage, read_write> x: atomic<u64>;",
            "let y = atomicLoad(&x);",
            "",
        ),
        (
            "@group(0) @binding(0) var<storage, read_write> x: atomic<f32>;",
            "let y = atomicLoad(&x);",
            "",
        ),
        (
            "@group(0) @binding(0) var<storage> x: binding_array<array<u32>, 2>;",
            "let y = x[0][0];",
            "",
        ),
        ("var<immediate> x: u32;", "let y = x;", ""),
        (
            "@group(0) @binding(0) var<storage> x: array<u32>;",
            "let y = x;",
            "",
        ),
    ];
    for (head, body, says) in cases {
        let wgsl = format!("{head}\n@compute @workgroup_size(1) fn main() {{ {body} }}");
        let message = try_admit(&wgsl).err().map(|refusal| refusal.to_string());
        assert!(
            message
                .as_ref()
                .is_some_and(|message| message.contains(says)),
            "{message:?}:\n{wgsl}"
        );
    }
    let named = [(
        "textureBarrier();",
        "textureBarrier()",
        "`textureBarrier` is not offered",
    )];
    for (body, at, says) in named {
        let wgsl = shader("", body);
        assert_refused(&wgsl, try_admit(&wgsl), Some(at), says);
    }
}

#[test]
fn the_subgroups_directive_is_taken_where_the_device_has_them() {
    let wgsl = format!(
        "enable subgroups;\n{}",
        shader("", "out[lid] = subgroupAdd(lid); let y = missing;")
    );
    let whole = wgsl.replace("let y = missing;", "");
    assert!(try_admit(&whole).is_ok());
    assert_refused(
        &wgsl,
        try_admit(&wgsl),
        Some("missing;"),
        "no definition in scope",
    );
    let without = AdmissionLimits {
        has_subgroups: false,
        ..LIMITS
    };
    let result = admit(&wgsl, "main", &[], &without);
    assert_refused(
        &wgsl,
        result,
        Some("subgroups;"),
        "`enable subgroups` on this device is not offered",
    );
}

#[test]
fn subgroups_are_offered_where_the_device_has_them() {
    let wgsl = shader("", "out[lid] = subgroupAdd(lid);");
    assert!(try_admit(&wgsl).is_ok());
    let without = AdmissionLimits {
        has_subgroups: false,
        ..LIMITS
    };
    assert!(admit(&wgsl, "main", &[], &without).is_err());
}

#[test]
fn errors_of_the_front_end_have_their_place() {
    let cases = [
        ("let x = ;", ";", "expected expression"),
        (
            "let größe = missing;",
            "missing",
            "no definition in scope for identifier",
        ),
        ("out[0] = 1.5;", "1.5", ""),
        ("var x: u32 = 1i;", "", ""),
    ];
    for (body, at, says) in cases {
        let wgsl = shader("", body);
        let result = try_admit(&wgsl);
        if at.is_empty() {
            assert!(result.is_err());
        } else if says.is_empty() {
            assert!(
                result.err().is_some_and(|refusal| refusal.line > 0),
                "{body}"
            );
        } else {
            let at = body.find(at).map(|found| &body[found..]);
            assert_refused(&wgsl, result, at, says);
        }
    }
}

#[test]
fn one_entry_point_is_kept_with_what_it_reaches() {
    let wgsl = "
        @group(0) @binding(5) var<storage, read> a: array<vec4f>;
        @group(1) @binding(0) var<uniform> b: vec3f;
        @group(3) @binding(2) var<storage, read_write> c: array<atomic<u32>, 7>;
        @group(0) @binding(0) var<storage, read_write> unused: u32;
        fn helper() -> f32 { return a[1].x + b.x; }
        fn nobody() { unused = 1u; }
        @compute @workgroup_size(4, 2) fn main() { atomicStore(&c[1], u32(helper())); }
        @compute @workgroup_size(1) fn other() { unused = 2u; }
        @fragment fn paint() -> @location(0) vec4f { return vec4f(); }";
    let admitted = try_admit(wgsl).unwrap_or_else(|refusal| panic!("{refusal}"));
    let use_of = |group, slot, access, min_bytes| BindingUse {
        group,
        slot,
        access,
        min_bytes,
        array: None,
    };
    let array = RuntimeArray {
        offset_bytes: 0,
        stride_bytes: 16,
        is_measured: false,
    };
    let expected = [
        BindingUse {
            array: Some(array),
            ..use_of(0, 5, BindingAccess::ReadOnly, 16)
        },
        use_of(1, 0, BindingAccess::Uniform, 12),
        use_of(3, 2, BindingAccess::ReadWrite, 28),
    ];
    assert_eq!(admitted.bindings(), expected);
    assert_eq!(admitted.workgroup_size(), [4, 2, 1]);
    assert_eq!(admitted.module().entry_points.len(), 1);
    assert_eq!(admitted.module().functions.len(), 1);
    for (entry, says) in [
        ("paint", "not a compute shader"),
        ("gone", "no entry point is named `gone`"),
    ] {
        assert_refused(wgsl, admit(wgsl, entry, &[], &LIMITS), None, says);
    }
}

#[test]
fn groups_above_the_guests_are_refused() {
    let wgsl = "@group(4) @binding(0) var<storage, read_write> mine: u32;
        @compute @workgroup_size(1) fn main() { mine = 1u; }";
    let refusal = try_admit(wgsl).err();
    let expected = RefusalReason::NotOffered("group 4".to_owned());
    assert_eq!(refusal.map(|refusal| refusal.reason), Some(expected));
}

#[test]
fn override_constants_are_resolved_or_named() {
    let wgsl = "override size = 4u; override scale: f32; override flag = false; @id(7) override numbered = 1i;
        var<workgroup> tile: array<f32, size * 2u>;
        @compute @workgroup_size(size) fn main() { if (flag) { tile[0] = scale * f32(numbered); } }";
    let given = |constants: &[(&str, f64)]| {
        let constants: Vec<_> = constants
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        admit(wgsl, "main", &constants, &LIMITS)
    };
    let admitted = given(&[("scale", 1.5), ("size", 16.0), ("7", -3.0)]);
    let admitted = admitted.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(admitted.workgroup_size(), [16, 1, 1]);
    let cases: [(&[(&str, f64)], &str); 10] = [
        (&[("scale", 1.0), ("size", 0.0)], "workgroup_size override"),
        (&[], "override constant `scale` has no value"),
        (
            &[("scale", f64::NAN)],
            "override constant `scale` cannot be NaN",
        ),
        (
            &[("scale", f64::INFINITY)],
            "override constant `scale` cannot be inf",
        ),
        (&[("scale", 1e39)], "override constant `scale` cannot be"),
        (
            &[("scale", 1.0), ("size", -1.0)],
            "override constant `size` cannot be -1",
        ),
        (
            &[("scale", 1.0), ("7", 3e9)],
            "override constant `7` cannot be 3000000000",
        ),
        (
            &[("scale", 1.0), ("numbered", 3.0)],
            "no override constant is named `numbered`",
        ),
        (
            &[("scale", 1.0), ("scale", 2.0)],
            "override constant `scale` is given twice",
        ),
        (&[("scale", 1.0), ("size", 10_000.0)], "bytes"),
    ];
    for (constants, says) in cases {
        let result = given(constants).map(|_| ());
        let message = result
            .err()
            .map(|refusal| GpuError::from(refusal).to_string())
            .unwrap_or_default();
        assert!(
            message.contains(says) || says == "bytes" && !message.is_empty(),
            "{message}, not {says}"
        );
    }
}

#[test]
fn a_continue_must_not_skip_what_continuing_uses() {
    let skips = [
        "loop { if i >= 10u { break; } if out[0] != 0u { continue; } let y = i; out[1] = y; continuing { i = y + 1u; } }",
        "loop { if out[0] != 0u { continue; } let y = i + 1u; continuing { break if y > 9u; } }",
        "loop { switch out[0] { case 1u: { continue; } default: {} } let y = out[1]; if i > 9u { break; }
            continuing { if lid == 0u { i += y * 2u; } else { i++; } } }",
    ];
    for body in skips {
        let wgsl = shader("", &format!("var i = 0u; {body}"));
        let reason = try_admit(&wgsl).err().map(|refusal| refusal.reason);
        assert_eq!(reason, Some(RefusalReason::SkippedByContinue), "{wgsl}");
    }
    let keeps = [
        "loop { let y = i; if y >= 10u { break; } if out[0] != 0u { continue; } out[1] = y; continuing { i = y + 1u; } }",
        "loop { if i >= 10u { break; } loop { if out[0] != 0u { continue; } break; } let y = i; continuing { i = y + 1u; } }",
        "for (var j = 0u; j < 10u; j++) { if out[j] != 0u { continue; } let y = j; out[1] = y; }",
    ];
    for body in keeps {
        let wgsl = shader("", &format!("var i = 0u; {body}"));
        try_admit(&wgsl).unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}"));
    }
}

#[test]
fn a_run_time_array_is_known_with_its_beginning_its_stride_and_whether_its_length_is_asked_for() {
    let cases = [
        ("array<u32>", "x[1]", "arrayLength(&x)", (0, 4), 4),
        (
            "array<vec3f>",
            "u32(x[1].x)",
            "arrayLength(&x)",
            (0, 16),
            16,
        ),
        (
            "array<array<u32, 3>>",
            "x[1][0]",
            "arrayLength(&x)",
            (0, 12),
            12,
        ),
        ("Tail", "x.tail[1]", "arrayLength(&x.tail)", (8, 4), 12),
        ("Pairs", "x.tail[1].y", "arrayLength(&x.tail)", (8, 8), 16),
    ];
    for (ty, element, length, (offset_bytes, stride_bytes), min_bytes) in cases {
        for (value, is_measured) in [(element, false), (length, true)] {
            let wgsl = format!(
                "struct Tail {{ a: u32, b: u32, tail: array<u32> }}
                struct Pairs {{ a: u32, tail: array<vec2u> }}
                @group(0) @binding(0) var<storage> x: {ty};
                @group(0) @binding(1) var<storage, read_write> out: u32;
                @compute @workgroup_size(1) fn main() {{ out = {value}; }}"
            );
            let admitted = try_admit(&wgsl).unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}"));
            let array = RuntimeArray {
                offset_bytes,
                stride_bytes,
                is_measured,
            };
            let bindings = admitted.bindings();
            assert_eq!(bindings[0].array, Some(array), "{wgsl}");
            assert_eq!(bindings[0].min_bytes, min_bytes, "{wgsl}");
            assert_eq!(bindings[1].array, None, "{wgsl}");
        }
    }
}

#[test]
fn assertions_on_constants_are_checked() {
    let holds = [
        ("", "const_assert 1 < 2;"),
        ("const_assert(true);", ""),
        (
            "const N = 4u; const_assert N % 2u == 0u;",
            "const_assert N < 8u && N > 1u;",
        ),
        (
            "const IS = bool();",
            "const_assert IS == false; const M = 3; const_assert M == 3;",
        ),
        (
            "const_assert u32(2.0) == 2u;",
            "if lid == 0u { const_assert max(1, 2) == 2; }",
        ),
    ];
    for (helpers, body) in holds {
        let wgsl = shader(helpers, body);
        try_admit(&wgsl).unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}"));
    }
    let fails = [
        ("", "const_assert 1 > 2;", "1 > 2", "`const_assert` failure"),
        (
            "const N = 4u;",
            "const_assert N > 8u;",
            "N > 8u",
            "`const_assert` failure",
        ),
        ("", "const_assert 4;", "4;", "bool"),
        (
            "",
            "const_assert missing > 2u;",
            "missing",
            "no definition in scope",
        ),
        ("", "const_assert;", ";", "expected expression"),
        (
            "",
            "const_assert 1 < 2; const_assert vec2(true, false); const_assert 2 < 3;",
            "const_assert vec2",
            "`const_assert` wants one `bool` that is known from constants alone",
        ),
        (
            "",
            "const_assert vec2(true); const_assert vec3(true);",
            "const_assert vec2",
            "`const_assert` wants one `bool`",
        ),
    ];
    for (helpers, body, at, says) in fails {
        let wgsl = shader(helpers, body);
        let at = body.find(at).map(|found| &body[found..]);
        assert_refused(&wgsl, try_admit(&wgsl), at, says);
        // Outside functions too.
        let wgsl = format!("{helpers} {body}\n@compute @workgroup_size(1) fn main() {{}}");
        assert_refused(&wgsl, try_admit(&wgsl), at, says);
    }
    for (helpers, body) in [
        ("override size = 4u;", "const_assert size > 1u;"),
        ("override size = 4u; const_assert size > 1u;", ""),
        ("", "let x = 1u; const_assert x == 1u;"),
        ("", "const_assert lid == 1u;"),
        ("fn f() -> bool { return true; }", "const_assert f();"),
    ] {
        let wgsl = shader(helpers, body);
        let refusal = try_admit(&wgsl)
            .err()
            .unwrap_or_else(|| panic!("admitted:\n{wgsl}"));
        assert!(refusal.line > 0, "{refusal}:\n{wgsl}");
        assert_ne!(refusal.reason, RefusalReason::FrontEnd, "{wgsl}");
    }
}
