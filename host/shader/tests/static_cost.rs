//! What is said of loops before they run: a table of them, with what each must be called.

use hotcell_model::shader::{ShaderCost, ShaderLoop, Trips};
use hotcell_shader::admission::{AdmissionLimits, admit};
use hotcell_shader::static_cost;

mod static_cost {
    mod class;
    mod hostile;
    mod kernels;
    mod operations;
    mod trips;
}

/// What every shader of the tables may use.
const PRELUDE: &str = "\
struct Params { n: u32, m: u32, signed: i32, rate: f32, sizes: array<vec4<u32>, 4> }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read_write> flag: atomic<u32>;
var<workgroup> tile: array<u32, 64>;
fn turn_so_often(n: u32) { for (var i = 0u; i < n; i++) { out[i] = i; } }
fn div_ceil(a: u32, b: u32) -> u32 { return (a + b - 1u) / b; }
fn change(p: ptr<function, u32>) { *p += 1u; }
";

/// A shader with that body.
fn shader(body: &str) -> String {
    format!(
        "{PRELUDE}@compute @workgroup_size(64) fn main(
  @builtin(local_invocation_index) lid: u32,
  @builtin(global_invocation_id) gid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {{
{body}
}}
"
    )
}

/// The cost of the entry point `main` of a text.
#[track_caller]
fn cost_of(wgsl: &str) -> ShaderCost {
    let admitted = admit(wgsl, "main", &[], &AdmissionLimits::by_default());
    static_cost(&admitted.unwrap_or_else(|refusal| panic!("{refusal}:\n{wgsl}")))
}

/// `16`, `by params.n` or `unknown`, after `<=` where it may be less.
fn trips(one: &ShaderLoop) -> String {
    let least = if one.at_most { "<=" } else { "" };
    match &one.trips {
        Trips::Constant(turns) => format!("{least}{turns}"),
        Trips::Shape(of) => format!("{least}by {of}"),
        Trips::Unknown(_) => "unknown".to_owned(),
    }
}
