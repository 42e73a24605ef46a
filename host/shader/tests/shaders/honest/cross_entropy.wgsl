// entry: main, constants:
// mean cross entropy of a batch by a workgroup tree
@group(0) @binding(0) var<storage, read> logp: array<f32>;
@group(0) @binding(1) var<storage, read> label: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: f32;
@group(0) @binding(3) var<uniform> shape: vec2u;
var<workgroup> part: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_id) l: vec3u) {
    var acc = 0.0;
    for (var i = l.x; i < shape.x; i += 256u) { acc -= logp[i * shape.y + min(label[i], shape.y - 1u)]; }
    part[l.x] = acc;
    var s: u32 = 128u;
    loop {
        workgroupBarrier();
        if l.x < s { part[l.x] += part[l.x + s]; }
        continuing {
            s /= 2u;
            break if s == 0u;
        }
    }
    if l.x == 0u { loss = part[0] / f32(shape.x); }
}
