//! What a shader may be made of, and what is kept of it.

use crate::{LIMITS, assert_refused, shader, try_admit};
use hotcell_gpu::admission::{AdmissionLimits, BindingAccess, BindingUse, RefusalReason, admit};
use hotcell_model::gpu::GpuError;

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
            "requires unrestricted_pointer_parameters;",
            "",
            "unrestricted_pointer_parameters",
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
    let named = [
        (
            "textureBarrier();",
            "textureBarrier()",
            "`textureBarrier` is not offered",
        ),
        (
            "const_assert 1 < 2;",
            "const_assert",
            "`const_assert` is not offered",
        ),
    ];
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
        Some("enable"),
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
    };
    let expected = [
        use_of(0, 5, BindingAccess::ReadOnly, 16),
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
