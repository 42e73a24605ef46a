// entry: main, constants:
// edit distance of short words with one rolling row
@group(0) @binding(0) var<storage, read> words: array<array<u32, 16>>;
@group(0) @binding(1) var<storage, read> query: array<u32, 16>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&words) { return; }
    var row: array<u32, 17>;
    for (var j = 0u; j <= 16u; j++) { row[j] = j; }
    for (var i = 1u; i <= 16u; i++) {
        var diagonal = row[0];
        row[0] = i;
        for (var j = 1u; j <= 16u; j++) {
            let replaced = diagonal + select(1u, 0u, words[g.x][i - 1u] == query[j - 1u]);
            diagonal = row[j];
            row[j] = min(min(row[j] + 1u, row[j - 1u] + 1u), replaced);
        }
    }
    result[g.x] = row[16];
}
