// entry: main, constants:
// rank structure of a bit vector
@group(0) @binding(0) var<storage, read> bits: array<u32>;
@group(0) @binding(1) var<storage, read_write> rank: array<u32>;
var<workgroup> acc: array<u32, 32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) t: u32) {
    acc[t] = countOneBits(bits[g.x]);
    workgroupBarrier();
    for (var i = 0u; i < firstTrailingBit(32u); i++) {
        let d = 1u << i;
        let other = select(0u, acc[max(t, d) - d], t >= d);
        workgroupBarrier();
        acc[t] += other;
        workgroupBarrier();
    }
    rank[g.x] = acc[t];
}
