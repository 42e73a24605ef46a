// entry: main, constants: GENERATIONS=16
// life on bit rows, several generations with barriers between
override GENERATIONS: u32 = 4u;
var<workgroup> rows: array<u32, 64>;
@group(0) @binding(0) var<storage, read_write> board: array<u32>;
fn rotl(v: u32) -> u32 { return (v << 1u) | (v >> 31u); }
fn rotr(v: u32) -> u32 { return (v >> 1u) | (v << 31u); }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) y: u32, @builtin(workgroup_id) w: vec3u) {
    rows[y] = board[w.x * 64u + y];
    for (var g = 0u; g < GENERATIONS; g++) {
        workgroupBarrier();
        let up = rows[(y + 63u) & 63u];
        let mid = rows[y];
        let down = rows[(y + 1u) & 63u];
        var ones = 0u;
        var twos = 0u;
        var fours = 0u;
        var lines = array<u32, 8>(rotl(up), up, rotr(up), rotl(mid), rotr(mid), rotl(down), down, rotr(down));
        for (var k = 0; k < 8; k++) {
            let c1 = ones & lines[k];
            ones ^= lines[k];
            let c2 = twos & c1;
            twos ^= c1;
            fours |= c2;
        }
        workgroupBarrier();
        rows[y] = twos & ~fours & (ones | mid);
    }
    workgroupBarrier();
    board[w.x * 64u + y] = rows[y];
}
