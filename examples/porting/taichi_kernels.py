"""The Taichi side of the porting guide: three kernels on fields, and calls that take and return NumPy arrays."""

import os

import numpy as np

os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")

import taichi as ti  # noqa: E402 (reads the variable)
import taichi.math as tm  # noqa: E402

ti.init(arch=ti.cpu, default_fp=ti.f32, default_ip=ti.i32, offline_cache=False, log_level=ti.ERROR)

JULIA_STEPS = 50


def saxpy(a, x, y):
    xs, ys, out = (ti.field(ti.f32, shape=len(x)) for _ in range(3))
    xs.from_numpy(x)
    ys.from_numpy(y)

    @ti.kernel
    def kernel(a: ti.f32):
        for i in out:
            out[i] = a * xs[i] + ys[i]

    kernel(a)
    return out.to_numpy()


def julia(start, step, t, h, w):
    pixels = ti.field(ti.f32, shape=(w, h))

    @ti.func
    def square(z):
        return tm.vec2(z[0] * z[0] - z[1] * z[1], 2.0 * z[0] * z[1])

    @ti.kernel
    def paint(time: ti.f32):
        for i, j in pixels:
            c = tm.vec2(-0.8, tm.cos(time) * 0.2)
            z = tm.vec2(i - 0.5 * w, j - 0.5 * h) * (2.0 / h)
            steps = 0
            while z.norm() < 20 and steps < JULIA_STEPS:
                z = square(z) + c
                steps += 1
            pixels[i, j] = 1.0 - steps / ti.cast(JULIA_STEPS, ti.f32)

    frames = []
    for frame in range(t):
        paint(start + step * frame)
        # Taichi's fields are (x, y) with y up; pictures are (row, column) with rows down.
        frames.append(pixels.to_numpy().T[::-1])
    return np.stack(frames)


def nbody(dt, softening, positions, velocities):
    n = len(positions)
    x, v = (ti.Vector.field(3, ti.f32, shape=n) for _ in range(2))
    x.from_numpy(positions)
    v.from_numpy(velocities)

    @ti.kernel
    def step(dt: ti.f32, softening: ti.f32):
        for i in x:
            a = tm.vec3(0.0)
            for j in range(n):
                d = x[j] - x[i]
                squared = d.norm_sqr() + softening
                a += d / (squared * ti.sqrt(squared))
            v[i] += dt * a
        for i in x:
            x[i] += dt * v[i]

    step(dt, softening)
    return x.to_numpy(), v.to_numpy()
