// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// large arrays handed by value down a chain of calls
struct Big { words: array<u32, 16384> }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn a(b: Big) -> Big { var c = b; c.words[1] += 1u; return c; }
fn b(x: Big) -> Big { return a(a(x)); }
fn c(x: Big) -> Big { return b(b(x)); }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    var big: Big;
    big.words[t] = t;
    out[t] = c(big).words[1];
}
