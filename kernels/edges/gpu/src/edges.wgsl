// Edges of 16 × 16 pixels to a workgroup. A pixel is four bytes; sums are kept as two words of two
// 16-bit numbers each, red beside blue and green beside alpha, which none of them overflows.

struct Shape {
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> image: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;

const TILE = 16u;
const LANES = 256u;
// Pixels along one side of what is blurred, and of what the blur reads.
const BLURRED = 18u;
const READ = 22u;
const LOW = 0x00ff00ffu;

var<workgroup> pixels: array<u32, 484>;
// Pixels blurred down the columns: 18 rows of 22.
var<workgroup> columns: array<vec2<u32>, 396>;
var<workgroup> blurred: array<u32, 324>;

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // The place of the tile's first pixel, of those blurred and of those read.
    let tile = vec2<i32>(group.xy * TILE);
    read_pixels(tile - 3, lane);
    workgroupBarrier();
    blur_columns(tile, lane);
    workgroupBarrier();
    blur_rows(tile, lane);
    workgroupBarrier();
    let place = group.xy * TILE + local.xy;
    if place.x < shape.width && place.y < shape.height {
        let alpha = pixels[(local.y + 3u) * READ + local.x + 3u] & 0xff000000u;
        found[place.y * shape.width + place.x] = gradient(local.xy) | alpha;
    }
}

// The nearest place that is in the picture.
fn inside(place: vec2<i32>) -> vec2<i32> {
    let last = vec2<i32>(i32(shape.width), i32(shape.height)) - 1;
    return clamp(place, vec2<i32>(), last);
}

fn read_pixels(corner: vec2<i32>, lane: u32) {
    for (var step = 0u; step < 2u; step++) {
        let i = step * LANES + lane;
        if i < READ * READ {
            let place = inside(corner + vec2<i32>(vec2<u32>(i % READ, i / READ)));
            pixels[i] = image[u32(place.y) * shape.width + u32(place.x)];
        }
    }
}

// Beyond the border the gradient reads the nearest blurred pixel. So a row or column of these stands
// for the nearest one in the picture, whose neighbours are all among the pixels read.
fn blur_columns(tile: vec2<i32>, lane: u32) {
    for (var step = 0u; step < 2u; step++) {
        let i = step * LANES + lane;
        if i < BLURRED * READ {
            let y = inside(vec2<i32>(0, tile.y - 1 + i32(i / READ))).y;
            let first = u32(y - tile.y + 1) * READ + i % READ;
            columns[i] = binomial(
                split(pixels[first]),
                split(pixels[first + READ]),
                split(pixels[first + 2u * READ]),
                split(pixels[first + 3u * READ]),
                split(pixels[first + 4u * READ]),
            );
        }
    }
}

fn blur_rows(tile: vec2<i32>, lane: u32) {
    for (var step = 0u; step < 2u; step++) {
        let i = step * LANES + lane;
        if i < BLURRED * BLURRED {
            let x = inside(vec2<i32>(tile.x - 1 + i32(i % BLURRED), 0)).x;
            let first = (i / BLURRED) * READ + u32(x - tile.x + 1);
            let sum = binomial(
                columns[first],
                columns[first + 1u],
                columns[first + 2u],
                columns[first + 3u],
                columns[first + 4u],
            );
            // The weights add up to 256: with half of it added, the upper byte is the rounded quotient.
            let mean = ((sum + 0x00800080u) >> vec2<u32>(8u)) & vec2<u32>(LOW);
            blurred[i] = mean.x | (mean.y << 8u);
        }
    }
}

// Red beside blue, green beside alpha.
fn split(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel & LOW, (pixel >> 8u) & LOW);
}

fn binomial(a: vec2<u32>, b: vec2<u32>, c: vec2<u32>, d: vec2<u32>, e: vec2<u32>) -> vec2<u32> {
    return a + e + 4u * (b + d) + 6u * c;
}

// |gx| + |gy| at most 255, for red, green and blue.
fn gradient(local: vec2<u32>) -> u32 {
    let above = local.y * BLURRED + local.x;
    let here = above + BLURRED;
    let below = here + BLURRED;
    let a = colour(above);
    let c = colour(above + 2u);
    let g = colour(below);
    let i = colour(below + 2u);
    let gx = c - a + 2 * (colour(here + 2u) - colour(here)) + i - g;
    let gy = g - a + 2 * (colour(below + 1u) - colour(above + 1u)) + i - c;
    let magnitude = vec3<u32>(min(abs(gx) + abs(gy), vec3<i32>(255)));
    return magnitude.x | (magnitude.y << 8u) | (magnitude.z << 16u);
}

fn colour(i: u32) -> vec3<i32> {
    let pixel = blurred[i];
    return vec3<i32>(vec3<u32>(pixel & 255u, (pixel >> 8u) & 255u, (pixel >> 16u) & 255u));
}
