"""What imported JAX functions cost, beside JAX with one thread: the kernel's own time from the launch's report, and the import's.

Run it with the wheel and jax installed: ``python python/benches/imports.py [names]``. Both sides take the shortest of several turns in one
process, one after the other.
"""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import hotcell.jax
import jax
import jax.numpy as jnp
import numpy as np
from hotcell.jax.api import launch_arguments
from jax import lax

_RNG = np.random.default_rng(0)
#: Functions with their arguments, by their names.
SUITE: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
#: Turns of which the shortest counts.
TURNS = 7


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return _RNG.standard_normal(shape).astype(np.float32)


def measured(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        SUITE[function.__name__] = (function, arguments)
        return function

    return register


@measured(np.float32(2.5), floats(1 << 20), floats(1 << 20))
def saxpy(a, x, y):
    return a * x + y


@measured(floats(128, 256), floats(256, 256) * 0.06, floats(256), floats(256, 64) * 0.06, floats(64))
def mlp(x, w1, b1, w2, b2):
    return jax.nn.softmax(jnp.tanh(x @ w1 + b1) @ w2 + b2, axis=-1)


@measured(floats(256, 768), floats(768), floats(768))
def layernorm(x, g, b):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * g + b


@measured(np.float32(0.1), floats(64, 2048))
def scan_ema(alpha, x):
    def step(level, value):
        level = level + alpha * (value - level)
        return level, level

    return jax.vmap(lambda row: lax.scan(step, row[0], row)[1])(x)


@measured(floats(64), floats(64, 64) * 0.1)
def fori(x, w):
    return lax.fori_loop(0, 200, lambda i, s: jnp.tanh(w @ s + x), x)


@measured(floats(1024, 3), floats(1024, 3) * 0.1, np.abs(floats(1024)))
def nbody(x, v, m):
    apart = x[None, :, :] - x[:, None, :]
    inverse = lax.rsqrt((apart * apart).sum(-1) + 1e-3)
    v = v + 0.01 * (apart * (m[None, :] * inverse * inverse * inverse)[:, :, None]).sum(1)
    return x + 0.01 * v, v


@measured(floats(1, 64, 64, 8), floats(3, 3, 8, 16) * 0.2)
def conv2d(x, k):
    return jax.nn.relu(lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))


@measured(floats(64, 1024))
def fft(x):
    return jnp.abs(jnp.fft.rfft(x))


@measured(floats(65536))
def sort(x):
    return jnp.sort(x)


@measured(floats(64, 1024))
def top_k(x):
    return lax.top_k(x, 8)


@measured(floats(512, 512), floats(512, 512))
def matmul(a, b):
    return a @ b


@measured(floats(4, 128, 64), floats(4, 128, 64), floats(4, 128, 64))
def attention(q, k, v):
    scores = jnp.einsum("htd,hsd->hts", q, k) / 8.0
    scores = jnp.where(jnp.tril(jnp.ones((128, 128), bool)), scores, -1e30)
    return jnp.einsum("hts,hsd->htd", jax.nn.softmax(scores, -1), v)


@measured(floats(1000, 16), _RNG.integers(0, 1000, size=(4096,)).astype(np.int32))
def embed_gather(t, i):
    return t[i].sum(0)


@measured(_RNG.integers(0, 64, size=(100000,)).astype(np.int32))
def histogram(i):
    return jnp.zeros(64, jnp.float32).at[i].add(1.0)


@measured(floats(512, 512))
def cumsum(x):
    return jnp.cumsum(x, axis=1)


@measured(np.uint32(7))
def montecarlo(seed):
    points = jax.random.uniform(jax.random.key(seed), (200000, 2))
    return 4 * jnp.mean((points * points).sum(-1) < 1.0)


@measured(floats(64, 64))
def grad_mlp(w):
    return jax.grad(lambda w: jnp.sum(jnp.tanh(w @ w) ** 2))(w)


@measured()
def mandelbrot():
    y, x = jnp.mgrid[-1.2:1.2:256j, -2.0:0.6:384j]
    c = (x + 1j * y).astype(jnp.complex64)

    def body(i, state):
        z, n = state
        z = jnp.where(jnp.abs(z) < 2.0, z * z + c, z)
        return z, n + (jnp.abs(z) < 2.0)

    return lax.fori_loop(0, 50, body, (jnp.zeros_like(c), jnp.zeros(c.shape, jnp.int32)))[1]


@measured(floats(256, 256))
def jacobi(u):
    def body(i, u):
        return u.at[1:-1, 1:-1].set(0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]))

    return lax.fori_loop(0, 100, body, u)


@measured(np.eye(32, dtype=np.float32) * 4 + floats(32, 32) * 0.1, floats(32))
def solve(a, b):
    return jnp.linalg.solve(a, b)


@measured(floats(100, 3), floats(4096, 3))
def kmeans_assign(c, x):
    return jnp.argmin(((x[:, None, :] - c[None]) ** 2).sum(-1), 1)


@measured(floats(1 << 16))
def mathy(x):
    return (
        jnp.sin(x) * jnp.exp(-x * x) + jnp.log1p(jnp.abs(x)) * jax.scipy.special.erf(x) + jnp.power(jnp.abs(x) + 1, 0.3)
        + jnp.arctan2(x, 1 + x * x) + jnp.sqrt(jnp.abs(x)) + jnp.logaddexp(x, 0.0)
    )  # fmt: skip


@measured(np.float32(20.0))
def newton_while(a):
    return lax.while_loop(lambda s: jnp.abs(s * s - a) > 1e-4, lambda s: 0.5 * (s + a / s), a)


def _transformer(layers: int = 6, tokens: int = 64, width: int = 128, heads: int = 4) -> tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]:
    def normed(x):
        mean = x.mean(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5)

    def block(x, wq, wo, w1, w2):
        q, k, v = (a.reshape(tokens, heads, width // heads).transpose(1, 0, 2) for a in jnp.split(normed(x) @ wq, 3, -1))
        scores = jnp.einsum("htd,hsd->hts", q, k) / np.sqrt(width // heads)
        scores = jnp.where(jnp.tril(jnp.ones((tokens, tokens), bool)), scores, -1e30)
        x = x + (jax.nn.softmax(scores, -1) @ v).transpose(1, 0, 2).reshape(tokens, width) @ wo
        return x + jax.nn.gelu(normed(x) @ w1) @ w2

    def unrolled(token, table, wq, wo, w1, w2):
        x = table[token]
        for at in range(layers):
            x = block(x, wq[at], wo[at], w1[at], w2[at])
        return normed(x) @ table.T

    def scanned(token, table, *weights):
        return normed(lax.scan(lambda x, w: (block(x, *w), None), table[token], weights)[0]) @ table.T

    small = lambda *shape: floats(*shape) * 0.1
    arguments = (
        _RNG.integers(0, 256, (tokens,)).astype(np.int32), small(256, width), small(layers, width, 3 * width), small(layers, width, width),
        small(layers, width, 4 * width), small(layers, 4 * width, width),
    )  # fmt: skip
    return unrolled, scanned, arguments


_UNROLLED, _SCANNED, _ARGUMENTS = _transformer()
#: What is measured besides, and not part of the mean.
BEYOND = {"transformer, unrolled": (_UNROLLED, _ARGUMENTS), "transformer, scanned": (_SCANNED, _ARGUMENTS)}


def shortest_of_jax(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Milliseconds."""
    jitted = jax.jit(function)
    given = [jnp.asarray(one) for one in arguments]
    jax.block_until_ready(jitted(*given))
    times = []
    for _ in range(3 * TURNS):
        begun = time.perf_counter_ns()
        jax.block_until_ready(jitted(*given))
        times.append(time.perf_counter_ns() - begun)
    return min(times) / 1e6


def shortest_of_kernel(component: hotcell.jax.Imported, arguments: tuple[Any, ...], metering: str) -> float:
    """Milliseconds that the kernel itself took."""
    given, extents = launch_arguments(component, jax.tree.leaves(arguments))
    entry = next(iter(component.entries.values())).options(metering=metering, threads=1, timeout=60, fuel="10T")
    return min(entry.run(*given, **extents).check().report["timings"]["body_ns"] for _ in range(TURNS)) / 1e6


def main(names: list[str]) -> None:
    host = hotcell.Cell(policy=False, tier=os.environ.get("HOTCELL_TIER", "full"))
    print(f"{'':24} {'jax ms':>9} {'strict ms':>9} {'fast ms':>9} {'ratio':>6} {'import s':>8} {'bytes':>8}")
    ratios = []
    for name, (function, arguments) in {**SUITE, **BEYOND}.items():
        if names and not any(one in name for one in names):
            continue
        begun = time.perf_counter()
        component = hotcell.jax.kernel(function, *arguments, check=False, host=host)
        took = time.perf_counter() - begun
        original = shortest_of_jax(function, arguments)
        strict, fast = (shortest_of_kernel(component, arguments, metering) for metering in ("strict", "fast"))
        ratio = min(strict, fast) / original
        if name in SUITE:
            ratios.append(ratio)
        print(f"{name:24} {original:9.3f} {strict:9.3f} {fast:9.3f} {ratio:6.2f} {took:8.2f} {len(component.bytes):8}", flush=True)
    if ratios:
        print(f"geometric mean of {len(ratios)} ratios: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
