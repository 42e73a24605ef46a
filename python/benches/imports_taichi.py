"""Taichi kernels as Taichi runs them, with one thread, beside their components: milliseconds of a launch's body, the least of several in turns.

``python imports_taichi.py [kernel …]`` prints a row for each kernel, and the geometric mean of the ratios.
"""


import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import taichi as ti
import taichi.math as tm

import hotcell
import hotcell.taichi

REPEATS = 15
ti.init(arch=ti.cpu, cpu_max_num_threads=1, offline_cache=False, log_level=ti.ERROR)
array = ti.types.ndarray
N = 320
pixels = ti.field(ti.f32, shape=(2 * N, N))


@ti.kernel
def julia(t: ti.f32):
    for i, j in pixels:
        c = tm.vec2(-0.8, tm.cos(t) * 0.2)
        z = tm.vec2(i / N - 1, j / N - 0.5) * 2
        turns = 0
        while z.norm() < 20 and turns < 50:
            z = tm.vec2(z[0] ** 2 - z[1] ** 2, z[1] * z[0] * 2) + c
            turns += 1
        pixels[i, j] = 1 - turns * 0.02


@ti.kernel
def nbody(dt: ti.f32, x: array(dtype=tm.vec3, ndim=1), v: array(dtype=tm.vec3, ndim=1)):  # type: ignore[valid-type]
    for i in range(x.shape[0]):
        a = tm.vec3(0.0)
        for j in range(x.shape[0]):
            d = x[j] - x[i]
            q = d.norm_sqr() + 1e-3
            a += d / (q * ti.sqrt(q))
        v[i] += dt * a
    for i in range(x.shape[0]):
        x[i] += dt * v[i]


@ti.kernel
def gemm(a: array(ti.f32, ndim=2), b: array(ti.f32, ndim=2), c: array(ti.f32, ndim=2)):  # type: ignore[valid-type]
    for i, j in ti.ndrange(c.shape[0], c.shape[1]):
        s = 0.0
        for k in range(a.shape[1]):
            s += a[i, k] * b[k, j]
        c[i, j] = s


@ti.kernel
def histogram(x: array(ti.i32, ndim=1), out: array(ti.i32, ndim=1)):  # type: ignore[valid-type]
    for i in range(x.shape[0]):
        out[x[i]] += 1


PARTICLES, GRID = 8192, 128
DX, DT, BOUND, E = 1 / GRID, 2e-4, 3, 400
VOLUME = (DX * 0.5) ** 2
x, v = ti.Vector.field(2, ti.f32, PARTICLES), ti.Vector.field(2, ti.f32, PARTICLES)
C, J = ti.Matrix.field(2, 2, ti.f32, PARTICLES), ti.field(ti.f32, PARTICLES)
grid_v, grid_m = ti.Vector.field(2, ti.f32, (GRID, GRID)), ti.field(ti.f32, (GRID, GRID))


@ti.kernel
def mpm88():
    for i, j in grid_m:
        grid_v[i, j] = [0, 0]
        grid_m[i, j] = 0
    for p in x:
        scaled = x[p] / DX
        base = int(scaled - 0.5)
        fx = scaled - base
        w = [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]
        stress = -DT * 4 * E * VOLUME * (J[p] - 1) / DX**2
        affine = ti.Matrix([[stress, 0], [0, stress]]) + VOLUME * C[p]
        for i, j in ti.static(ti.ndrange(3, 3)):
            offset = ti.Vector([i, j])
            weight = w[i].x * w[j].y
            grid_v[base + offset] += weight * (VOLUME * v[p] + affine @ ((offset - fx) * DX))
            grid_m[base + offset] += weight * VOLUME
    for i, j in grid_m:
        if grid_m[i, j] > 0:
            grid_v[i, j] /= grid_m[i, j]
        grid_v[i, j].y -= DT * 9.8
        if i < BOUND and grid_v[i, j].x < 0:
            grid_v[i, j].x = 0
        if i > GRID - BOUND and grid_v[i, j].x > 0:
            grid_v[i, j].x = 0
        if j < BOUND and grid_v[i, j].y < 0:
            grid_v[i, j].y = 0
        if j > GRID - BOUND and grid_v[i, j].y > 0:
            grid_v[i, j].y = 0
    for p in x:
        scaled = x[p] / DX
        base = int(scaled - 0.5)
        fx = scaled - base
        w = [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]
        new_v, new_c = ti.Vector.zero(float, 2), ti.Matrix.zero(float, 2, 2)
        for i, j in ti.static(ti.ndrange(3, 3)):
            offset = ti.Vector([i, j])
            weight = w[i].x * w[j].y
            g_v = grid_v[base + offset]
            new_v += weight * g_v
            new_c += 4 * weight * g_v.outer_product((offset - fx) * DX) / DX**2
        v[p] = new_v
        x[p] += DT * v[p]
        J[p] *= 1 + DT * new_c.trace()
        C[p] = new_c


def _fall() -> None:
    random = np.random.default_rng(0)
    x.from_numpy((random.random((PARTICLES, 2)) * 0.4 + 0.2).astype(np.float32))
    v.from_numpy(np.tile(np.float32([0, -1]), (PARTICLES, 1)))
    J.fill(1)


def _cases() -> dict[str, tuple[Any, Callable[[], None], dict[str, Any], str | None]]:
    """By name: the kernel, what it begins with, its arguments, its signature."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).astype(np.float32)

    nothing = dict
    return {
        "julia 640×320": (julia, nothing, {"t": 0.3}, "->(640,320)"),
        "mpm88 substep, 8192 particles": (mpm88, _fall, {}, None),
        "n-body 2048": (nbody, nothing, {"dt": 0.01, "x": normal(2048, 3), "v": normal(2048, 3)}, None),
        "gemm 256": (gemm, nothing, {"a": normal(256, 256), "b": normal(256, 256), "c": normal(256, 256)}, "(m,k),(k,n)->(m,n)"),
        "histogram 1M": (
            histogram, nothing, {"x": random.integers(0, 256, 1 << 20).astype(np.int32), "out": np.zeros(256, np.int32)}, "(n),(m)->(m)",
        ),
    }  # fmt: skip


def _taichi(kernel: Any, begin: Callable[[], None], arguments: dict[str, Any]) -> Callable[[], float]:
    copies = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments.values()]

    def launch() -> float:
        begin()
        begun = time.perf_counter()
        kernel(*copies)
        ti.sync()
        return time.perf_counter() - begun

    return launch


def _component(kernel: Any, begin: Callable[[], None], arguments: dict[str, Any], signature: str | None) -> Callable[[], float]:
    begin()
    entry = next(iter(hotcell.taichi.kernel(kernel, signature, arguments=arguments).entries.values()))
    begin()
    fields = {"x": x, "v": v, "C": C, "J": J, "grid_v": grid_v, "grid_m": grid_m}
    inputs = dict(arguments) or {name: field.to_numpy() for name, field in fields.items()}
    if "->(m,n)" in (signature or ""):
        inputs.pop("c")
    launches = entry.options(threads=1, timeout=60, fuel="1T", digests=False)

    def launch() -> float:
        ended = launches.run(**inputs)
        ended.check()
        return float(ended.report["timings"]["body_ns"]) * 1e-9

    return launch


def _least(launches: list[Callable[[], float]]) -> list[float]:
    """Milliseconds of each, in turns, so that what else the machine does disturbs all of them alike."""
    for launch in launches:
        launch()
    return [min(times) * 1e3 for times in zip(*([launch() for launch in launches] for _ in range(REPEATS)), strict=True)]


def main() -> None:
    chosen = sys.argv[1:]
    ratios = []
    print("| ms | Taichi, 1 thread | component | ratio |\n|---|---|---|---|")
    for name, (kernel, begin, arguments, signature) in _cases().items():
        if chosen and not any(name.startswith(one) for one in chosen):
            continue
        theirs, ours = _least([_taichi(kernel, begin, arguments), _component(kernel, begin, arguments, signature)])
        ratios.append(ours / theirs)
        print(f"| {name} | {theirs:.2f} | {ours:.2f} | {ours / theirs:.2f} |", flush=True)
    print(f"| geometric mean | | | {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f} |")


if __name__ == "__main__":
    main()
