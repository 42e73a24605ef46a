// entry: main, constants:
// loop bound kept in a local struct filled from a uniform
struct Plan { tiles: u32, tail: u32 }
@group(0) @binding(0) var<uniform> length_of: u32;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
var<workgroup> s: array<u32, 64>;
fn plan(n: u32) -> Plan {
    var p: Plan;
    p.tiles = n / 64u;
    p.tail = n % 64u;
    if p.tail > 0u { p.tiles += 1u; }
    return p;
}
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    let p = plan(length_of);
    var acc = 0u;
    for (var k = 0u; k < p.tiles; k++) {
        s[t] = x[min(k * 64u + t, length_of - 1u)];
        workgroupBarrier();
        acc = acc * 31u + s[63u - t];
        workgroupBarrier();
    }
    y[g.x] = acc;
}
