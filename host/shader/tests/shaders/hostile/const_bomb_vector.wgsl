// entry: main, expect: refused, unchecked: none, workgroups: 1 1 1, fuel: 1000000
// constants that each hold the last one eight times
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
const A0 = array<u32, 8>(1, 2, 3, 4, 5, 6, 7, 8);
const A1 = array<array<u32, 8>, 8>(A0, A0, A0, A0, A0, A0, A0, A0);
const A2 = array<array<array<u32, 8>, 8>, 8>(A1, A1, A1, A1, A1, A1, A1, A1);
const A3 = array<array<array<array<u32, 8>, 8>, 8>, 8>(A2, A2, A2, A2, A2, A2, A2, A2);
const A4 = array<array<array<array<array<u32, 8>, 8>, 8>, 8>, 8>(A3, A3, A3, A3, A3, A3, A3, A3);
const A5 = array<array<array<array<array<array<u32, 8>, 8>, 8>, 8>, 8>, 8>(A4, A4, A4, A4, A4, A4, A4, A4);
const A6 = array<array<array<array<array<array<array<u32, 8>, 8>, 8>, 8>, 8>, 8>, 8>(A5, A5, A5, A5, A5, A5, A5, A5);
const A7 = array<array<array<array<array<array<array<array<u32, 8>, 8>, 8>, 8>, 8>, 8>, 8>, 8>(A6, A6, A6, A6, A6, A6, A6, A6);
const A8 = array<array<array<array<array<array<array<array<array<u32, 8>, 8>, 8>, 8>, 8>, 8>, 8>, 8>, 8>(A7, A7, A7, A7, A7, A7, A7, A7);
const A9 = array<array<array<array<array<array<array<array<array<array<u32, 8>, 8>, 8>, 8>, 8>, 8>, 8>, 8>, 8>, 8>(A8, A8, A8, A8, A8, A8, A8, A8);
@compute @workgroup_size(1)
fn main() { out[0] = A9[1][2][3][4][5][6][7][0][1][2]; }
