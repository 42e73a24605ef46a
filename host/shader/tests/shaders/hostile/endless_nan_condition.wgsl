// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// waits for an error that is not a number to become small
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1)
fn main() {
    var err = out[0] - 1.0;
    loop {
        err = sqrt(err) * err;
        out[1] += 1.0;
        if err > -1.0 && err < 1.0e-9 && err > 1.0e-8 { break; }
    }
}
