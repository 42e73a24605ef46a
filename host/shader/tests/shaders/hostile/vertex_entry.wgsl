// entry: main, expect: refused not a compute shader, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// an entry point of another stage
@vertex
fn main(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f { return vec4f(f32(i)); }
