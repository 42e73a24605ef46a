// entry: main, constants:
// many ants on one board turning by the colour they find
struct Ant { x: u32, y: u32, heading: u32 }
@group(0) @binding(0) var<storage, read_write> ants: array<Ant>;
@group(0) @binding(1) var<storage, read_write> board: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> info: vec2u; // width, steps
@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&ants) { return; }
    var ant = ants[g.x];
    var left = info.y;
    while left != 0u {
        let was = atomicXor(&board[ant.y * info.x + ant.x], 1u);
        ant.heading = (ant.heading + select(3u, 1u, (was & 1u) == 0u)) & 3u;
        switch ant.heading {
            case 0u: { ant.y = (ant.y + info.x - 1u) % info.x; }
            case 1u: { ant.x = (ant.x + 1u) % info.x; }
            case 2u: { ant.y = (ant.y + 1u) % info.x; }
            default: { ant.x = (ant.x + info.x - 1u) % info.x; }
        }
        left -= 1u;
    }
    ants[g.x] = ant;
}
