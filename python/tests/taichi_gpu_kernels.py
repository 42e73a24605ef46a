# Without `from __future__ import annotations`, for Taichi reads annotations as they are.
"""Taichi kernels that are imported for the GPU too."""

import taichi as ti
import taichi.math as tm

array = ti.types.ndarray
Body = ti.types.struct(weight=ti.f32, at=tm.vec3)


@ti.kernel
def gemm(a: array(ti.f32, ndim=2), b: array(ti.f32, ndim=2), c: array(ti.f32, ndim=2)):
    """Multiplies two matrices."""
    for i, j in ti.ndrange(c.shape[0], c.shape[1]):
        s = 0.0
        for k in range(a.shape[1]):
            s += a[i, k] * b[k, j]
        c[i, j] = s


@ti.kernel
def attract(dt: ti.f32, x: array(tm.vec3, ndim=1), v: array(tm.vec3, ndim=1)):
    """Advances bodies that attract each other: two loops, the second of which sees what the first has done."""
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
def added(x: array(ti.f32, ndim=1)) -> ti.f32:
    s = 0.0
    for i in x:
        s += x[i]
    return s


@ti.kernel
def measured(x: array(ti.i32, ndim=2)) -> (ti.i32, ti.f32, tm.ivec2):
    most = 0
    for i, j in x:
        ti.atomic_max(most, x[i, j])
    return most, 0.5 * most, tm.ivec2(x.shape[0], x.shape[1])


@ti.kernel
def both_signs(x: array(ti.i32, ndim=1), low: array(ti.i32, ndim=1), high: array(ti.u32, ndim=1)):
    for i in x:
        low[0] += x[i]
        ti.atomic_min(low[1], x[i])
        ti.atomic_max(low[2], x[i])
        ti.atomic_or(low[3], x[i])
        ti.atomic_max(high[0], ti.cast(x[i], ti.u32))
        ti.atomic_xor(high[1], ti.cast(x[i], ti.u32))


@ti.kernel
def arranged(v: tm.vec3, m: tm.mat2, n: ti.i32, body: Body, on: ti.u1, k: ti.u32, x: array(tm.vec3, ndim=2)):
    """Takes arguments of every kind."""
    for i, j in x:
        x[i, j] += v * m[0, 1] * n + body.weight * body.at + m[1, 0]
        if on:
            x[i, j] *= ti.cast(k, ti.f32)


@ti.kernel
def shifted(x: ti.template(), by: ti.f32):
    for i in ti.grouped(x):
        x[i] += by


@ti.kernel
def least(x: array(ti.f32, ndim=1), y: array(ti.f32, ndim=1)):
    """The least of four neighbours, from infinity on."""
    for i in range(y.shape[0]):
        m = tm.inf
        for j in range(4):
            m = ti.min(m, x[(i + j) % x.shape[0]])
        y[i] = m if m < 0.4 else -tm.inf


@ti.kernel
def waiting(n: ti.i32, x: array(ti.i32, ndim=1)):
    """A loop whose end nobody can tell."""
    for i in x:
        k = x[i]
        while k != n:
            k = k * 1103515245 + 12345
            if k == 0:
                k = 1
        x[i] = k


@ti.kernel
def in_long(x: array(ti.f32, ndim=1)):
    for i in x:
        x[i] = ti.cast(ti.cast(x[i], ti.i64) * 3, ti.f32)


def mixed_of():
    """A kernel over fields of three types in one tree, with atomic operations on each."""
    f, c, u = ti.field(ti.f32), ti.field(ti.i32), ti.field(ti.u32)
    ti.root.dense(ti.i, 16).place(f, c, u)

    @ti.kernel
    def mixed():
        for i in f:
            c[i] += 2 * i
            ti.atomic_add(f[0], 0.5 * i)
            ti.atomic_min(c[3], -i)
            ti.atomic_add(u[5], ti.cast(i, ti.u32))
            ti.atomic_max(f[7], ti.cast(i, ti.f32))

    return mixed, {"f": f, "c": c, "u": u}


def mpm88_of(particles, cells):
    """Taichi's own mpm88: a substep over six fields."""
    dx, dt, elasticity, gravity, bound = 1 / cells, 2e-4, 400, 9.8, 3
    volume = mass = (dx * 0.5) ** 2
    x, v = ti.Vector.field(2, ti.f32, particles), ti.Vector.field(2, ti.f32, particles)
    C, J = ti.Matrix.field(2, 2, ti.f32, particles), ti.field(ti.f32, particles)
    grid_v, grid_m = ti.Vector.field(2, ti.f32, (cells, cells)), ti.field(ti.f32, (cells, cells))

    @ti.kernel
    def begin():
        for i in range(particles):
            x[i] = [0.3 + 0.013 * (i % 32), 0.2 + 0.011 * (i // 32)]
            v[i] = [0.1 * (i % 3), -1]
            J[i] = 1

    @ti.kernel
    def substep():
        for i, j in grid_m:
            grid_v[i, j] = [0, 0]
            grid_m[i, j] = 0
        for p in x:
            Xp = x[p] / dx
            base = int(Xp - 0.5)
            fx = Xp - base
            w = [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]
            stress = -dt * 4 * elasticity * volume * (J[p] - 1) / dx**2
            affine = ti.Matrix([[stress, 0], [0, stress]]) + mass * C[p]
            for i, j in ti.static(ti.ndrange(3, 3)):
                offset = ti.Vector([i, j])
                dpos = (offset - fx) * dx
                weight = w[i].x * w[j].y
                grid_v[base + offset] += weight * (mass * v[p] + affine @ dpos)
                grid_m[base + offset] += weight * mass
        for i, j in grid_m:
            if grid_m[i, j] > 0:
                grid_v[i, j] /= grid_m[i, j]
            grid_v[i, j].y -= dt * gravity
            if i < bound and grid_v[i, j].x < 0:
                grid_v[i, j].x = 0
            if i > cells - bound and grid_v[i, j].x > 0:
                grid_v[i, j].x = 0
            if j < bound and grid_v[i, j].y < 0:
                grid_v[i, j].y = 0
            if j > cells - bound and grid_v[i, j].y > 0:
                grid_v[i, j].y = 0
        for p in x:
            Xp = x[p] / dx
            base = int(Xp - 0.5)
            fx = Xp - base
            w = [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]
            new_v = ti.Vector.zero(ti.f32, 2)
            new_C = ti.Matrix.zero(ti.f32, 2, 2)
            for i, j in ti.static(ti.ndrange(3, 3)):
                offset = ti.Vector([i, j])
                dpos = (offset - fx) * dx
                weight = w[i].x * w[j].y
                g_v = grid_v[base + offset]
                new_v += weight * g_v
                new_C += 4 * weight * g_v.outer_product(dpos) / dx**2
            v[p] = new_v
            x[p] += dt * v[p]
            J[p] *= 1 + dt * new_C.trace()
            C[p] = new_C

    fields = {"x": x, "v": v, "C": C, "J": J, "grid_v": grid_v, "grid_m": grid_m}
    return begin, substep, fields


def program_of():
    """Two kernels that share a field."""
    state = ti.field(ti.f32, shape=(24, 8))

    @ti.kernel
    def doubled():
        for i, j in state:
            state[i, j] = 2 * state[i, j] + 0.001 * (i + j)

    @ti.kernel
    def turned(by: ti.f32):
        for i, j in state:
            state[i, j] = ti.sin(state[i, j] + by)

    return state, doubled, turned


def derived_of():
    """A kernel whose gradient is a kernel too, over fields with gradients in blocks of their own."""
    x, y = ti.field(ti.f32, 24, needs_grad=True, needs_dual=True), ti.field(ti.f32, (), needs_grad=True, needs_dual=True)

    @ti.kernel
    def squares():
        for i in x:
            y[None] += x[i] ** 2

    return x, y, squares
