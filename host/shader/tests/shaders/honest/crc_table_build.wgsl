// entry: main, constants:
// builds a CRC table in workgroup memory, then uses it after a barrier
var<workgroup> table: array<u32, 256>;
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    var e = t;
    for (var k = 0; k < 8; k++) {
        if (e & 1u) == 1u { e = (e >> 1u) ^ 0x82f63b78u; } else { e >>= 1u; }
    }
    table[t] = e;
    workgroupBarrier();
    if g.x >= arrayLength(&data) { return; }
    var c = ~0u;
    var w = data[g.x];
    for (var k = 0; k < 4; k++) {
        c = (c >> 8u) ^ table[(c ^ w) & 0xffu];
        w >>= 8u;
    }
    out[g.x] = ~c;
}
