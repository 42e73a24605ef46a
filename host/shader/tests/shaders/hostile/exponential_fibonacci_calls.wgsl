// entry: main, expect: limit gpu_shader_operations, unchecked: any, workgroups: 1 1 1, fuel: 10000000000
// a tower of functions each calling the last twice, forty high
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn f0(x: u32) -> u32 { return x * 3u + out[x & 63u]; }
fn f1(x: u32) -> u32 { return f0(x) + f0(x + 1u); }
fn f2(x: u32) -> u32 { return f1(x) + f1(x + 2u); }
fn f3(x: u32) -> u32 { return f2(x) + f2(x + 3u); }
fn f4(x: u32) -> u32 { return f3(x) + f3(x + 4u); }
fn f5(x: u32) -> u32 { return f4(x) + f4(x + 5u); }
fn f6(x: u32) -> u32 { return f5(x) + f5(x + 6u); }
fn f7(x: u32) -> u32 { return f6(x) + f6(x + 7u); }
fn f8(x: u32) -> u32 { return f7(x) + f7(x + 8u); }
fn f9(x: u32) -> u32 { return f8(x) + f8(x + 9u); }
fn f10(x: u32) -> u32 { return f9(x) + f9(x + 10u); }
fn f11(x: u32) -> u32 { return f10(x) + f10(x + 11u); }
fn f12(x: u32) -> u32 { return f11(x) + f11(x + 12u); }
fn f13(x: u32) -> u32 { return f12(x) + f12(x + 13u); }
fn f14(x: u32) -> u32 { return f13(x) + f13(x + 14u); }
fn f15(x: u32) -> u32 { return f14(x) + f14(x + 15u); }
fn f16(x: u32) -> u32 { return f15(x) + f15(x + 16u); }
fn f17(x: u32) -> u32 { return f16(x) + f16(x + 17u); }
fn f18(x: u32) -> u32 { return f17(x) + f17(x + 18u); }
fn f19(x: u32) -> u32 { return f18(x) + f18(x + 19u); }
fn f20(x: u32) -> u32 { return f19(x) + f19(x + 20u); }
fn f21(x: u32) -> u32 { return f20(x) + f20(x + 21u); }
fn f22(x: u32) -> u32 { return f21(x) + f21(x + 22u); }
fn f23(x: u32) -> u32 { return f22(x) + f22(x + 23u); }
fn f24(x: u32) -> u32 { return f23(x) + f23(x + 24u); }
fn f25(x: u32) -> u32 { return f24(x) + f24(x + 25u); }
fn f26(x: u32) -> u32 { return f25(x) + f25(x + 26u); }
fn f27(x: u32) -> u32 { return f26(x) + f26(x + 27u); }
fn f28(x: u32) -> u32 { return f27(x) + f27(x + 28u); }
fn f29(x: u32) -> u32 { return f28(x) + f28(x + 29u); }
fn f30(x: u32) -> u32 { return f29(x) + f29(x + 30u); }
fn f31(x: u32) -> u32 { return f30(x) + f30(x + 31u); }
fn f32(x: u32) -> u32 { return f31(x) + f31(x + 32u); }
fn f33(x: u32) -> u32 { return f32(x) + f32(x + 33u); }
fn f34(x: u32) -> u32 { return f33(x) + f33(x + 34u); }
fn f35(x: u32) -> u32 { return f34(x) + f34(x + 35u); }
fn f36(x: u32) -> u32 { return f35(x) + f35(x + 36u); }
fn f37(x: u32) -> u32 { return f36(x) + f36(x + 37u); }
fn f38(x: u32) -> u32 { return f37(x) + f37(x + 38u); }
fn f39(x: u32) -> u32 { return f38(x) + f38(x + 39u); }
fn f40(x: u32) -> u32 { return f39(x) + f39(x + 40u); }
@compute @workgroup_size(1)
fn main() { out[0] = f40(out[0]); }
