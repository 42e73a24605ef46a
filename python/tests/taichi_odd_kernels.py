# Without `from __future__ import annotations`, for Taichi reads annotations as they are.
"""Taichi kernels for the corners of its language, each with the arguments that it is compared on."""

from typing import Any

import numpy as np
import taichi as ti
import taichi.math as tm

array = ti.types.ndarray
mat2, mat3, mat4 = (ti.types.matrix(n, n, ti.f32) for n in (2, 3, 4))
dvec3, vec5 = ti.types.vector(3, ti.f64), ti.types.vector(5, ti.f32)
random = np.random.default_rng(5)

#: By name: a kernel, and its arguments.
CASES: dict[str, tuple[Any, dict[str, Any]]] = {}


def case(**arguments: Any) -> Any:
    """Note a kernel with its arguments."""

    def noted(kernel: Any) -> Any:
        CASES[kernel.__name__] = (kernel, arguments)
        return kernel

    return noted


def floats(*shape: int, dtype: str = "f4") -> Any:
    return random.standard_normal(shape).astype(dtype)


def whole(dtype: str, *shape: int) -> Any:
    """Numbers over the whole range of a type."""
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


i32s = np.array([0, 1, -1, 7, -7, 100, -100, 2**31 - 1, 1 - 2**31, 12345, -54321, 3, -3, 2, -2, 64], "i4")
divisors = np.array([1, -1, 2, -2, 3, -3, 7, -7, 5, -5, 16, -16, 9, -9, 11, -11], "i4")


@case(a=i32s, b=divisors, o=np.zeros((8, 16), "i4"))
@ti.kernel
def arithmetic_i32(a: array(ti.i32, ndim=1), b: array(ti.i32, ndim=1), o: array(ti.i32, ndim=2)):
    for i in a:
        o[0, i], o[1, i] = a[i] // b[i], a[i] % b[i]
        o[2, i], o[3, i] = ti.raw_div(a[i], b[i]), ti.raw_mod(a[i], b[i])
        o[4, i], o[5, i] = a[i] >> (i % 31), a[i] << (i % 31)
        o[6, i], o[7, i] = ti.bit_shr(a[i], i % 31), ~a[i] ^ b[i]


@case(a=whole("i8", 16), b=divisors.astype("i8"), o=np.zeros((8, 16), "i8"))
@ti.kernel
def arithmetic_i64(a: array(ti.i64, ndim=1), b: array(ti.i64, ndim=1), o: array(ti.i64, ndim=2)):
    for i in a:
        o[0, i], o[1, i] = a[i] // b[i], a[i] % b[i]
        o[2, i], o[3, i] = ti.raw_div(a[i], b[i]), ti.raw_mod(a[i], b[i])
        o[4, i], o[5, i] = a[i] >> (i * 3), a[i] << (i * 3)
        o[6, i], o[7, i] = ti.bit_shr(a[i], i * 3), ti.abs(a[i]) + ti.max(a[i], b[i]) - ti.min(a[i], b[i])


@case(a=whole("u8", 16), b=np.arange(1, 17, dtype="u8"), o=np.zeros((6, 16), "u8"), f=np.zeros((2, 16), "f4"), g=np.zeros((2, 16)))
@ti.kernel
def arithmetic_u64(
    a: array(ti.u64, ndim=1), b: array(ti.u64, ndim=1), o: array(ti.u64, ndim=2), f: array(ti.f32, ndim=2), g: array(ti.f64, ndim=2)
):
    for i in a:
        o[0, i], o[1, i], o[2, i] = a[i] // b[i], a[i] % b[i], ti.min(a[i], b[i])
        o[3, i], o[4, i], o[5, i] = a[i] >> ti.u64(i * 4), a[i] << ti.u64(i * 4), b[i] - a[i]
        f[0, i], f[1, i] = ti.cast(a[i], ti.f32), a[i] / b[i]
        g[0, i], g[1, i] = ti.cast(a[i], ti.f64), ti.cast(ti.cast(a[i], ti.u32), ti.f64)


@case(a=whole("i1", 16), b=whole("u1", 16) | 1, c=whole("i2", 16), d=whole("u2", 16) | 1, o=np.zeros((9, 16), "i4"))
@ti.kernel
def arithmetic_small(
    a: array(ti.i8, ndim=1), b: array(ti.u8, ndim=1), c: array(ti.i16, ndim=1), d: array(ti.u16, ndim=1), o: array(ti.i32, ndim=2)
):
    for i in a:
        o[0, i], o[1, i], o[2, i] = a[i] + a[i], b[i] * b[i], c[i] - c[0]
        o[3, i], o[4, i], o[5, i] = a[i] // 3, b[i] % 7, c[i] % -5
        o[6, i], o[7, i], o[8, i] = a[i] >> (i % 7), d[i] // b[i], ti.cast(d[i] * 1000, ti.u16)
        a[i], b[i], c[i], d[i] = -a[i], ~b[i], ti.cast(c[i] << 3, ti.i16), d[i] + d[i]


halfway = np.array([0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0, -0.0, 3.7, -3.7, 1e8, -1e8, 0.49999997, 7.25, -7.25, 100], "f4")


@case(x=halfway, o=np.zeros((6, 16), "f4"), p=np.zeros((4, 16), "i4"), q=np.zeros((3, 16), "i8"))
@ti.kernel
def rounding(x: array(ti.f32, ndim=1), o: array(ti.f32, ndim=2), p: array(ti.i32, ndim=2), q: array(ti.i64, ndim=2)):
    for i in x:
        o[0, i], o[1, i], o[2, i] = ti.round(x[i]), ti.floor(x[i]), ti.ceil(x[i])
        o[3, i], o[4, i], o[5, i] = x[i] // 2.0, x[i] % 3.0, x[i] % -3.0
        p[0, i], p[1, i], p[2, i], p[3, i] = ti.round(x[i], ti.i32), ti.floor(x[i], ti.i32), ti.ceil(x[i], ti.i32), int(x[i])
        q[0, i], q[1, i], q[2, i] = ti.floor(x[i], ti.i64), ti.cast(x[i], ti.i64), ti.round(x[i], ti.i64)


nan, inf = np.nan, np.inf


@case(
    a=np.array([nan, 1, inf, -inf, 0, -0.0, nan, 2], "f4"),
    b=np.array([1, nan, 1, 1, -0.0, 0.0, nan, 3], "f4"),
    o=np.zeros((7, 8), "f4"),
    q=np.zeros((7, 8), "i4"),
)
@ti.kernel
def no_numbers(a: array(ti.f32, ndim=1), b: array(ti.f32, ndim=1), o: array(ti.f32, ndim=2), q: array(ti.i32, ndim=2)):
    for i in a:
        o[0, i], o[1, i], o[2, i] = ti.max(a[i], b[i]), ti.min(a[i], b[i]), a[i] + b[i]
        o[3, i], o[4, i], o[5, i] = a[i] * b[i], ti.select(a[i] > b[i], a[i], b[i]), ti.sqrt(a[i])
        o[6, i] = tm.clamp(a[i], -1.0, 1.0)
        q[0, i], q[1, i], q[2, i], q[3, i] = a[i] < b[i], a[i] <= b[i], a[i] == b[i], a[i] != b[i]
        q[4, i], q[5, i], q[6, i] = tm.isnan(a[i]), tm.isinf(a[i]), not (a[i] >= b[i])


@case(
    x=np.array([0.5, 2, -2, 3, -1.5, 1, 0.1, 10], "f4"),
    e=np.array([-2, -3, 3, 0, 2, -5, 4, -1], "i4"),
    o=np.zeros((8, 8), "f4"),
    q=np.zeros((4, 8), "i4"),
)
@ti.kernel
def powers(x: array(ti.f32, ndim=1), e: array(ti.i32, ndim=1), o: array(ti.f32, ndim=2), q: array(ti.i32, ndim=2)):
    for i in x:
        o[0, i], o[1, i], o[2, i], o[3, i] = x[i] ** e[i], x[i] ** -3, x[i] ** 2, ti.abs(x[i]) ** 0.5
        o[4, i], o[5, i], o[6, i], o[7, i] = ti.pow(ti.abs(x[i]), -1.5), x[i] ** 0, x[i] ** 7, 2.0 ** x[i]
        q[0, i], q[1, i], q[2, i], q[3, i] = e[i] ** 2, e[i] ** 5, 3 ** ti.abs(e[i]), ti.pow(e[i], ti.abs(e[i]))


@case(m=floats(8, 3, 3), n=floats(8, 4, 4), d=np.zeros((2, 8), "f4"))
@ti.kernel
def inverses(m: array(mat3, ndim=1), n: array(mat4, ndim=1), d: array(ti.f32, ndim=2)):
    for i in m:
        d[0, i], d[1, i] = m[i].determinant() + m[i].trace() + m[i].norm(), n[i].determinant()
        m[i], n[i] = m[i].inverse(), n[i].inverse() @ n[i].transpose()


@case(m=floats(8, 3, 3), n=floats(8, 2, 2), r=np.zeros((8, 3, 3), "f4"), s=np.zeros((8, 3, 3), "f4"))
@ti.kernel
def decompositions(m: array(mat3, ndim=1), n: array(mat2, ndim=1), r: array(mat3, ndim=1), s: array(mat3, ndim=1)):
    for i in m:
        u, sigma, v = ti.svd(m[i])
        r[i], s[i] = u @ sigma @ v.transpose(), sigma
        turn, stretch = ti.polar_decompose(n[i])
        n[i] = turn * 2 + stretch


@case(m=np.float32(0.5) * (floats(8, 3, 3) + np.eye(3, dtype="f4") * 4), n=floats(8, 2, 2), s=np.zeros((8, 3), "f4"))
@ti.kernel
def eigenvalues(m: array(mat3, ndim=1), n: array(mat2, ndim=1), s: array(tm.vec3, ndim=1)):
    for i in m:
        values, _axes = ti.sym_eig(m[i] + m[i].transpose())
        both, _directions = ti.eig(n[i])
        s[i], n[i] = values, both


@case(a=floats(8, 3), b=floats(8, 3), o=np.zeros((8, 4), "f4"))
@ti.kernel
def vectors(a: array(tm.vec3, ndim=1), b: array(tm.vec3, ndim=1), o: array(tm.vec4, ndim=1)):
    for i in a:
        v = a[i]
        v.zx = v.xz
        v[1] += tm.dot(a[i], b[i])
        o[i] = tm.vec4(v.xy, tm.length(b[i]), tm.distance(a[i], b[i]))
        for k in range(3):
            o[i][k] += v[k] * k
        b[i] = tm.cross(v, b[i]) + tm.reflect(a[i], tm.normalize(b[i])) + tm.rotation3d(0.1, 0.2, 0.3)[:3, :3] @ a[i]


@case(x=whole("u4", 16), h=floats(16), o=np.zeros((4, 16), "i4"), g=np.zeros(16, "u8"))
@ti.kernel
def bits(x: array(ti.u32, ndim=1), h: array(ti.f32, ndim=1), o: array(ti.i32, ndim=2), g: array(ti.u64, ndim=1)):
    for i in x:
        o[0, i], o[1, i] = tm.popcnt(x[i]), tm.clz(ti.cast(x[i], ti.i32))
        o[2, i], o[3, i] = ti.bit_cast(h[i], ti.i32), ti.bit_cast(x[i], ti.i32)
        g[i] = ti.bit_cast(ti.cast(h[i], ti.f64), ti.u64)
        h[i] = ti.bit_cast((x[i] & ti.u32(0x007FFFFF)) | ti.u32(0x3F800000), ti.f32)


@case(x=np.array([3, 1, 4, 1, 5, 9, 2, 6], "i4"), o=np.zeros((7, 8), "i4"), c=np.array([0, 99, -99, 255, 0, 170, 50], "i4"), f=floats(5))
@ti.kernel
def atomics(x: array(ti.i32, ndim=1), o: array(ti.i32, ndim=2), c: array(ti.i32, ndim=1), f: array(ti.f32, ndim=1)):
    for i in x:
        o[0, i], o[1, i], o[2, i] = ti.atomic_add(c[0], x[i]), ti.atomic_min(c[1], x[i]), ti.atomic_max(c[2], x[i])
        o[3, i], o[4, i], o[5, i] = ti.atomic_and(c[3], x[i]), ti.atomic_or(c[4], x[i]), ti.atomic_xor(c[5], x[i])
        o[6, i] = ti.atomic_sub(c[6], x[i]) + int(ti.atomic_add(f[0], 0.5 * x[i])) + int(ti.atomic_mul(f[1], 1.5))
        ti.atomic_min(f[2], 1.0 * x[i])
        ti.atomic_max(f[3], 1.0 * x[i])


@case(a=whole("i1", 8), u=whole("u1", 8), w=whole("u8", 8), d=floats(8, dtype="f8"), h=floats(8, dtype="f2"))
@ti.kernel
def other_atomics(
    a: array(ti.i8, ndim=1), u: array(ti.u8, ndim=1), w: array(ti.u64, ndim=1), d: array(ti.f64, ndim=1), h: array(ti.f16, ndim=1)
):
    for i in range(8):
        ti.atomic_add(a[0], a[i])
        ti.atomic_add(u[0], u[i])
        ti.atomic_max(w[0], w[i])
        ti.atomic_min(d[0], d[i])
        ti.atomic_add(h[0], h[i])
        ti.atomic_max(h[1], h[i])


@case(x=np.arange(10, dtype="i4"), o=np.zeros((4, 10), "i4"))
@ti.kernel
def flow(x: array(ti.i32, ndim=1), o: array(ti.i32, ndim=2)):
    for i in x:
        n, steps = x[i], 0
        while True:
            if n <= 1:
                break
            steps += 1
            if n % 2 == 1:
                n = 3 * n + 1
                continue
            n //= 2
        o[0, i] = steps
        s = 0
        for j in range(i):
            if j == 3:
                continue
            for k in range(j):
                if k * j > 12:
                    break
                s += k * j
            if s > 200:
                break
        o[1, i] = s
        for j in ti.static(range(4)):
            if j < i:
                o[2, i] += j * j
        o[3, i] = 1 if 2 < i <= 5 or (i == 8 and x[i] != 0) else (-1 if not i else 0)


Pair = ti.types.struct(a=ti.i32, b=ti.f64)


@ti.real_func
def halved(n: ti.i32, y: ti.f64) -> Pair:
    if n <= 0:
        return Pair(0, y)
    p = halved(n - 1, y * 0.5)
    return Pair(p.a + n, p.b + 1.0)


@ti.func
def grown(n: ti.template(), m):
    n += 1
    return m if m > 3 else -m


@case(x=np.arange(10, dtype="f8"))
@ti.kernel
def functions(x: array(ti.f64, ndim=1)):
    for i in x:
        n = i
        p = halved(i, x[i])
        x[i] = p.a * 100 + p.b + grown(n, i) * 1000 + n


@case(a=-3, b=200, c=-30000, d=60000, e=2**40, f=2**63, g=1.5, h=True)
@ti.kernel
def scalars(a: ti.i8, b: ti.u8, c: ti.i16, d: ti.u16, e: ti.i64, f: ti.u64, g: ti.f16, h: ti.u1) -> (ti.f64, tm.vec3, ti.u8, ti.u1):
    return ti.f64(a) + b * 10 + c * 2 + d + ti.f64(e) + ti.f64(f), tm.vec3(g, a, h), ti.u8(a + 254), not h


@case(x=np.zeros((5, 6), "i4"), y=np.float32(3).reshape(()), e=np.zeros(0, "f4"), b=np.array([1, 0, 1], "?"))
@ti.kernel
def shapes(x: array(ti.i32, ndim=2), y: array(ti.f32, ndim=0), e: array(ti.f32, ndim=1), b: array(ti.u1, ndim=1)) -> ti.i32:
    for i, j in ti.ndrange((1, 4), (2, 6)):
        x[i, j] = i * 10 + j
    for I in ti.grouped(x):
        x[I] += I[0] * I[1]
    ti.loop_config(serialize=True)
    for i in range(4):
        x[i + 1, 0] += x[i, 0] + 1
    y[None] = y[None] * 2 + 1
    n = 0
    for i in e:
        n += 1
    for i in b:
        b[i] = not b[i] or b[0] ^ b[1]
    return n + e.shape[0]


@case(x=floats(1000), n=random.integers(-99, 99, 100).astype("i4"))
@ti.kernel
def reductions(x: array(ti.f32, ndim=1), n: array(ti.i32, ndim=1)) -> tm.vec4:
    s, most, least, count = 0.0, -1e9, 1e9, 0
    for i in x:
        s += x[i]
        ti.atomic_max(most, x[i])
        count += 1
    both = -1
    for i in n:
        ti.atomic_and(both, n[i])
        ti.atomic_min(least, 1.0 * n[i])
    n[0] = both
    return tm.vec4(s, most, least, count)


@case(h=floats(16, dtype="f2"), o=np.zeros((8, 16), "f2"), q=np.zeros((2, 16), "i4"))
@ti.kernel
def halves(h: array(ti.f16, ndim=1), o: array(ti.f16, ndim=2), q: array(ti.i32, ndim=2)):
    for i in h:
        o[0, i], o[1, i], o[2, i] = h[i] + h[0], ti.sqrt(ti.abs(h[i])), ti.max(h[i], h[1])
        o[3, i], o[4, i], o[5, i] = ti.select(h[i] > 0, h[i], ti.cast(1.0, ti.f16)), h[i] / h[2], ti.exp(h[i])
        o[6, i], o[7, i] = ti.cast(i * 1000, ti.f16), -ti.floor(h[i] * 4)
        q[0, i], q[1, i] = ti.cast(h[i] * 10, ti.i32), h[i] < h[1]


@case(x=np.zeros(8, "f4"), y=np.zeros(8), u=np.zeros(8, "u4"), w=np.zeros(8, "u8"), h=np.zeros(8, "f2"))
@ti.kernel
def drawn(
    x: array(ti.f32, ndim=1), y: array(ti.f64, ndim=1), u: array(ti.u32, ndim=1), w: array(ti.u64, ndim=1), h: array(ti.f16, ndim=1)
):
    for i in x:
        x[i], y[i], u[i], w[i], h[i] = ti.random(), ti.random(ti.f64), ti.random(ti.u32), ti.random(ti.u64), ti.random(ti.f16)
        x[i] += ti.randn() + ti.random(ti.i32)


@case(x=floats(8, dtype="f2"), m=floats(8, 3, 3))
@ti.kernel
def texts(x: array(ti.f16, ndim=1), m: array(mat3, ndim=1)):
    for i in x:
        assert x[i] < 100, 'half of it @0 @function_body 0xH1234 "c"\n\tä'
        x[i] += ti.cast((m[i] @ m[i]).trace(), ti.f16)


@case(x=floats(64, 3), y=floats(64, 4), m=floats(64, 3, 3), n=whole("i4", 64, 3), o=np.zeros(8, "f4"), p=np.zeros(8, "i4"))
@ti.kernel
def beside(
    x: array(tm.vec3, ndim=1),
    y: array(tm.vec4, ndim=1),
    m: array(mat3, ndim=1),
    n: array(tm.ivec3, ndim=1),
    o: array(ti.f32, ndim=1),
    p: array(ti.i32, ndim=1),
):
    """Loads vectors and matrices that lie one behind the other."""
    for i in o:
        s, t, w = 0.0, 0.0, 0
        for j in range(i, x.shape[0]):
            s += (x[j] - x[i]).norm()
        for j in range(y.shape[0]):
            t += tm.dot(y[j], y[i]) * y[j].w + m[j].determinant()
        for j in range(n.shape[0]):
            w += n[j].x * n[j].y - n[j].z * i
        o[i], p[i] = s + t, w


@case(x=floats(64, 3, dtype="f8"), y=floats(64, 4), q=floats(64, 5), at=random.integers(0, 64, 50).astype("i4"), o=np.zeros(8))
@ti.kernel
def apart(x: array(dvec3, ndim=1), y: array(tm.vec4, ndim=1), q: array(vec5, ndim=1), at: array(ti.i32, ndim=1), o: array(ti.f64, ndim=1)):
    """Loads vectors by indices, and of doubles."""
    for i in o:
        s, t = ti.cast(0.0, ti.f64), 0.0
        for j in range(x.shape[0]):
            s += (x[j] - x[i]).norm_sqr()
        for j in range(at.shape[0]):
            t += (y[at[j]] * i).norm_sqr() + y[at[j]].w
        for j in range(at.shape[0]):
            t += q[at[j]].sum() * i + q[j].norm_sqr()
        o[i] = s + t


@ti.kernel
def far(x: array(ti.f32, ndim=1), far: array(ti.f32, ndim=1)):
    """Writes where arrays of sixteen elements have nothing."""
    for i in x:
        far[i * 4_000 % 64_000] = x[i]
        if i >= 2 and x.shape[0] == 16:
            far[i * 4_000_000] = x[i]


Particle = ti.types.struct(at=tm.vec3, speed=tm.vec3, mass=ti.f32, kind=ti.i8)


@ti.data_oriented
class Base:
    """A function that others override."""

    @ti.func
    def weighed(self, x):
        return x * self.factor


@ti.data_oriented
class Layouts(Base):
    """Fields of every layout, and a kernel over them."""

    def __init__(self):
        self.factor = 3
        self.shifted = ti.field(ti.i32, shape=(4, 5), offset=(-2, 3))
        self.columns, self.tiles = ti.field(ti.f32), ti.field(ti.f32)
        ti.root.dense(ti.j, 5).dense(ti.i, 4).place(self.columns)
        ti.root.dense(ti.ij, (2, 3)).dense(ti.ij, (4, 2)).place(self.tiles)
        self.turned = ti.field(ti.i32, shape=(3, 4), order="ji")
        self.apart = ti.Matrix.field(2, 3, ti.f32, shape=(4,), layout=ti.Layout.SOA)
        self.particles = Particle.field(shape=(7,))
        self.mixed = [ti.field(dtype) for dtype in (ti.i8, ti.f64, ti.i16, ti.f16, ti.u1)]
        ti.root.dense(ti.i, 6).place(*self.mixed)
        self.sum, self.count, self.listed = ti.Vector.field(3, ti.f32, ()), ti.field(ti.i32, ()), ti.field(ti.i32, 32)

    @ti.func
    def weighed(self, x):
        return x + self.factor

    @ti.kernel
    def step(self):
        for i, j in self.shifted:
            self.shifted[i, j] += i * 10 + j
        for i, j in self.columns:
            self.columns[i, j] += self.weighed(i * 10 + j)
        for i, j in self.tiles:
            self.tiles[i, j] += i * 100 + j
        for I in ti.grouped(self.turned):
            self.turned[I] = I[0] * 10 + I[1]
        for i in self.apart:
            for a, b in ti.static(ti.ndrange(2, 3)):
                self.apart[i][a, b] += i + a * 10 + b
        for i in self.particles:
            self.particles[i].at += tm.vec3(i)
            self.particles[i].mass = self.particles[i].at.sum()
            self.particles[i].kind = ti.cast(i * 60, ti.i8)
            self.sum[None] += self.particles[i].at * self.particles[i].mass
        for i in self.mixed[1]:
            self.mixed[0][i] += ti.i8(i)
            self.mixed[1][i] = i * 0.5
            self.mixed[2][i] -= ti.i16(i)
            self.mixed[3][i] += i
            self.mixed[4][i] = i > 2
        self.count[None] = 0
        for i in range(32):
            if i * 7 % 5 < 2:
                self.listed[ti.atomic_add(self.count[None], 1)] = i
