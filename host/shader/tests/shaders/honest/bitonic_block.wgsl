// entry: main, constants:
// sorts 256 keys wholly in workgroup memory, nested loops with a barrier
const N: u32 = 256u;
var<workgroup> keys: array<u32, N>;
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@compute @workgroup_size(N)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) w: vec3u) {
    keys[i] = data[w.x * N + i];
    workgroupBarrier();
    for (var k = 2u; k <= N; k <<= 1u) {
        for (var j = k >> 1u; j > 0u; j >>= 1u) {
            let l = i ^ j;
            if l > i {
                let x = keys[i];
                let y = keys[l];
                if ((i & k) == 0u) == (x > y) {
                    keys[i] = y;
                    keys[l] = x;
                }
            }
            workgroupBarrier();
        }
    }
    data[w.x * N + i] = keys[i];
}
