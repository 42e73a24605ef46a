// entry: main, constants:
// local alignment by anti-diagonals in one workgroup
const L = 64u;
var<workgroup> d0: array<i32, 65>;
var<workgroup> d1: array<i32, 65>;
@group(0) @binding(0) var<storage, read> a: array<u32, L>;
@group(0) @binding(1) var<storage, read> b: array<u32, L>;
@group(0) @binding(2) var<storage, read_write> score: atomic<i32>;
@compute @workgroup_size(L)
fn main(@builtin(local_invocation_index) t: u32) {
    var best = 0;
    for (var diagonal = 0u; diagonal < 2u * L - 1u; diagonal++) {
        var s = 0;
        let live = diagonal >= t && diagonal - t < L;
        if live {
            let same = select(-1, 2, a[t] == b[diagonal - t]);
            s = max(0, max(d0[t] + same, max(d1[t], d1[t + 1u]) - 1));
            best = max(best, s);
        }
        workgroupBarrier();
        d0[t + 1u] = d1[t + 1u];
        workgroupBarrier();
        if live { d1[t + 1u] = s; }
        workgroupBarrier();
    }
    atomicMax(&score, best);
}
