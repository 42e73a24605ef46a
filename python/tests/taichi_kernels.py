# Without `from __future__ import annotations`, for Taichi reads annotations as they are.
"""Taichi kernels as people write them, for the tests of their import."""

import taichi as ti
import taichi.math as tm

array = ti.types.ndarray
Thing = ti.types.struct(a=ti.f32, b=tm.vec2, c=ti.i8)


@ti.kernel
def saxpy(a: ti.f32, x: array(ti.f32, ndim=1), y: array(ti.f32, ndim=1), out: array(ti.f32, ndim=1)):
    """Adds a scaled vector to another."""
    for i in range(out.shape[0]):
        out[i] = a * x[i] + y[i]


@ti.kernel
def total(x: array(ti.f32, ndim=2)) -> ti.f64:
    s = ti.cast(0.0, ti.f64)
    for i, j in x:
        s += x[i, j]
    return s


@ti.kernel
def turned(m: tm.mat2, x: array(tm.vec2, ndim=1)):
    for i in x:
        x[i] = m @ x[i]


@ti.kernel
def wide(
    a: array(ti.i8, ndim=1),
    b: array(ti.u16, ndim=1),
    c: array(ti.i64, ndim=1),
    d: array(ti.u64, ndim=1),
    e: array(ti.i16, ndim=1),
    s: ti.i8,
    t: ti.u64,
):
    for i in a:
        a[i] = ti.cast(a[i] * s + i, ti.i8)
        b[i] = ti.cast((b[i] + i * 1000) ^ s, ti.u16)
        c[i] = c[i] << 3
        d[i] = (d[i] + t) >> 1
        e[i] = ti.max(e[i], s)
        ti.atomic_min(c[0], i)
        ti.atomic_or(d[1], i)


@ti.kernel
def halves(x: array(ti.f16, ndim=1), s: ti.f16):
    for i in x:
        x[i] = x[i] * 2 + ti.sin(x[i]) * s + ti.round(x[i] * 5)


@ti.kernel
def doubles(x: array(ti.f64, ndim=1)):
    for i in x:
        x[i] = ti.sin(x[i]) * ti.exp(x[i]) + ti.atan2(x[i], 2.0)


@ti.kernel
def mathy(x: array(ti.f32, ndim=1)):
    for i in x:
        y = x[i]
        x[i] = ti.max(y, 0.5) + ti.floor(y * 3) + ti.sqrt(y) + ti.rsqrt(y + 1) + ti.tan(y) + ti.acos(y) + ti.log(y) + ti.pow(y, 2.5)


@ti.kernel
def largest(x: array(ti.f32, ndim=1), out: array(ti.f32, ndim=1)):
    for i in x:
        ti.atomic_max(out[0], x[i])


@ti.kernel
def counted(x: array(ti.i32, ndim=1), out: array(ti.i32, ndim=1)):
    for i in x:
        out[x[i]] += 1


@ti.kernel
def of_thing(thing: Thing) -> ti.f32:
    return thing.a + thing.b.x + thing.c


@ti.kernel
def changed(thing: Thing) -> Thing:
    return Thing(thing.a + 1, thing.b * 2, thing.c + 3)


@ti.kernel
def drawn(x: array(ti.f32, ndim=1), y: array(ti.f64, ndim=1)):
    for i in x:
        x[i] = ti.randn()
    for i in y:
        y[i] = ti.random(ti.f64) + ti.random(ti.i32)


@ti.kernel
def incremented(x: ti.template()):
    for i in x:
        x[i] += 1.0


@ti.real_func
def fibonacci(n: ti.i32) -> ti.i32:
    r = n
    if n >= 2:
        r = fibonacci(n - 1) + fibonacci(n - 2)
    return r


@ti.kernel
def fibonaccis(x: array(ti.i32, ndim=1)):
    for i in x:
        x[i] = fibonacci(i)


@ti.kernel
def printing(x: array(ti.f32, ndim=1)):
    for i in x:
        x[i] = 1
        print(x[i])


@ti.kernel
def demanding(n: ti.i32, x: array(ti.f32, ndim=1)):
    for i in x:
        assert n > 2, "n is too small"
        x[i] = n


@ti.kernel
def endless(x: array(ti.i32, ndim=1)):
    for i in x:
        while x[i] >= 0:
            x[i] = (x[i] + 1) % 7


@ti.kernel
def more(x: array(ti.f32, ndim=1), out: array(ti.f32, ndim=1)):
    for i in x:
        out[i] = x[i] + 1


@ti.data_oriented
class Waves:
    """A field and another, and what is done to them."""

    def __init__(self, n):
        self.n = n
        self.u = ti.field(ti.f32, n)
        self.v = ti.Vector.field(3, ti.f32, (4, 5))

    @ti.kernel
    def step(self, dt: ti.f32):
        for i in self.u:
            self.u[i] += dt * self.n
        for I in ti.grouped(self.v):
            self.v[I].y += self.v[I].x + 1


def julia_of(pixels, n):
    """The kernel that draws Julia's set in a field."""

    @ti.kernel
    def julia(t: ti.f32):
        for i, j in pixels:
            c = tm.vec2(-0.8, tm.cos(t) * 0.2)
            z = tm.vec2(i / n - 1, j / n - 0.5) * 2
            turns = 0
            while z.norm() < 20 and turns < 50:
                z = tm.vec2(z[0] ** 2 - z[1] ** 2, z[1] * z[0] * 2) + c
                turns += 1
            pixels[i, j] = 1 - turns * 0.02

    return julia


def kernels_of(*fields):
    """Kernels over a scalar field, a vector field and a loss."""
    x, v, loss = fields

    @ti.kernel
    def push(dt: ti.f32):
        for i in x:
            v[i] += dt * ti.Vector([1.0, 2.0])
            x[i] += dt * v[i].norm()

    @ti.kernel
    def cost():
        for i in x:
            y = x[i]
            for _ in range(5):
                y = ti.sin(y) * 1.5
            loss[None] += y * y

    return push, cost


def sparse_of():
    """A kernel over a sparse field, and the field."""
    field = ti.field(ti.f32)
    ti.root.pointer(ti.i, 4).dense(ti.i, 4).place(field)

    @ti.kernel
    def sparse():
        for i in field:
            field[i] += 1

    return sparse, field


def apart_of():
    """A vector field whose components lie apart, indexed by what is known when it runs."""
    ti.field(ti.f32, 5)
    apart = ti.Vector.field(3, ti.f32, shape=(6, 4), layout=ti.Layout.SOA)

    @ti.kernel
    def turned_on(n: ti.i32):
        for i, j in apart:
            for q in range(3):
                apart[i, j][q] += q + 10 * i + apart[i, j][(q + n) % 3]

    return turned_on, apart
