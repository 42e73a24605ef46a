//! What is admitted and what is not: tables of small shaders.

use hotcell_shader::admission::{AdmissionLimits, Admitted, ShaderRefusal, admit};

mod admission {
    mod language;
    mod part;
    mod shape;
    mod size;
    mod uniformity;
}

/// Limits that no shader here passes unless it is meant to.
const LIMITS: AdmissionLimits = AdmissionLimits {
    shader_bytes: 256 << 10,
    operations: 100_000,
    workgroup_bytes: 16 << 10,
    workgroup_invocations: 256,
    workgroup_size: [256, 256, 64],
    has_subgroups: true,
};

/// What every shader of the tables may use.
const PRELUDE: &str = "\
struct Params { n: u32, m: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> fixed: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;
var<workgroup> shared_words: array<u32, 64>;
var<workgroup> shared_word: u32;
var<private> own: u32;
";

fn try_admit(wgsl: &str) -> Result<Admitted, ShaderRefusal> {
    admit(wgsl, "main", &[], &LIMITS)
}

/// A shader with helpers before and a body of `main`, in which the usual built-in values have short names.
fn shader(helpers: &str, body: &str) -> String {
    format!(
        "{PRELUDE}{helpers}
@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) lid: u32,
  @builtin(global_invocation_id) gid: vec3u,
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_size) sub_size: u32,
  @builtin(subgroup_invocation_id) sub_lid: u32,
) {{
{body}
}}
"
    )
}

/// Asserts that a refusal says something, at the place of a piece of the text; without one, at none.
#[track_caller]
fn assert_refused(
    wgsl: &str,
    result: Result<Admitted, ShaderRefusal>,
    at: Option<&str>,
    says: &str,
) {
    let Err(refusal) = result else {
        panic!("admitted:\n{wgsl}");
    };
    assert!(
        refusal.reason.to_string().contains(says),
        "{refusal}, not {says:?}:\n{wgsl}"
    );
    let place = at.map_or((0, 0), |at| {
        let offset = wgsl
            .rfind(at)
            .unwrap_or_else(|| panic!("no {at:?} in:\n{wgsl}"));
        let mut place = (1, 1);
        for char in wgsl[..offset].chars() {
            place = match char {
                '\n' => (place.0 + 1, 1),
                _ => (place.0, place.1 + 1),
            };
        }
        place
    });
    assert_eq!((refusal.line, refusal.column), place, "{refusal}:\n{wgsl}");
}
