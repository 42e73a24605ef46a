// entry: main, constants:
// a switch by lane, every case falls out to a common barrier
var<workgroup> box: array<i32, 32>;
@group(0) @binding(0) var<storage, read_write> d: array<i32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    switch t & 3u {
        case 0u: { box[t] = d[g.x] * 2; }
        case 1u: {
            if d[g.x] < 0 { box[t] = 0; break; }
            box[t] = d[g.x];
        }
        default: { box[t] = -d[g.x]; }
    }
    workgroupBarrier();
    d[g.x] = box[31u - t];
}
