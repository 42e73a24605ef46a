// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// the barrier stands in the continuing block of a loop of divergent length
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    var i = 0u;
    loop {
        if i >= t { break; }
        out[t] += i;
        continuing {
            i++;
            workgroupBarrier();
        }
    }
}
