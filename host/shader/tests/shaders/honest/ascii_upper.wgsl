// entry: main, constants:
// upper-cases ASCII letters four at a time with bit tricks
@group(0) @binding(0) var<storage, read_write> text: array<u32>;
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&text) { return; }
    let w = text[g.x];
    let heptets = w & 0x7f7f7f7fu;
    let above_z = heptets + 0x05050505u;
    let from_a = heptets + 0x1f1f1f1fu;
    let letters = (from_a & ~above_z & ~w & 0x80808080u) >> 2u;
    text[g.x] = w & ~letters;
}
