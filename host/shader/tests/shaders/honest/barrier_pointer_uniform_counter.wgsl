// entry: main, constants:
// a loop counter advanced through a pointer parameter, still uniform
var<workgroup> tile: array<u32, 64>;
@group(0) @binding(0) var<storage, read_write> d: array<u32>;
fn advance(i: ptr<function, u32>) { *i = *i + 8u; }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    tile[t] = d[g.x];
    workgroupBarrier();
    var offset = 8u;
    while offset < 64u {
        let v = tile[(t + offset) & 63u];
        workgroupBarrier();
        tile[t] ^= v;
        workgroupBarrier();
        advance(&offset);
    }
    d[g.x] = tile[t];
}
