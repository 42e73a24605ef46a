// entry: main, constants:
// barrier behind constant conditions that the compiler folds
const USE_SHARED = true;
const ROUNDS = 3u;
override EXTRA: bool = false;
var<workgroup> s: array<u32, 16>;
@group(0) @binding(0) var<storage, read_write> d: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_id) l: vec3u) {
    s[l.x] = d[l.x];
    if USE_SHARED { workgroupBarrier(); }
    for (var r = 0u; r < ROUNDS; r++) {
        let v = s[(l.x + 1u) & 15u];
        workgroupBarrier();
        s[l.x] = v;
        workgroupBarrier();
    }
    if EXTRA {
        workgroupBarrier();
        s[l.x] += 1u;
    }
    d[l.x] = s[l.x];
}
