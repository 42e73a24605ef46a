// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// ray queries, which leave every bounds check
enable wgpu_ray_query;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var scene: acceleration_structure;
@compute @workgroup_size(1)
fn main() {
    var rq: ray_query;
    rayQueryInitialize(&rq, scene, RayDesc(0u, 0xffu, 0.0, 1.0, vec3f(0.0), vec3f(1.0)));
    while rayQueryProceed(&rq) { }
    out[0] = 1u;
}
