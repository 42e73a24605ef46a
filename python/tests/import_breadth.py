"""What the JAX importer is tried on: functions of jax.numpy, jax.nn, jax.lax, jax.random, jax.scipy, jax.numpy.fft and jax.numpy.linalg.

``CASES`` has each with a maker of arguments. Elementwise functions are tried on NaN, infinities, zeros, denormal and huge numbers and on empty
arrays too. ``python python/tests/import_breadth.py --table docs/importing-jax.md`` tries all of them and writes the table.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hotcell
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

special = jax.scipy.special
try:
    from jax import enable_x64
except ImportError:
    # As old versions of jax have it.
    from jax.experimental import enable_x64
Arguments = Callable[[np.random.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """A function with what it is tried on.

    Attributes:
        area: The module that it is of.
        name: Its name there, and what is particular about the call.
        function: The function.
        arguments: Makes arguments.
        elementwise: Whether it is tried on special numbers and on empty arrays as well.
        tolerance: The relative tolerance where the dtype's own does not fit.
    """

    area: str
    name: str
    function: Callable[..., Any]
    arguments: Arguments
    elementwise: bool = False
    tolerance: float | None = None


CASES: list[Case] = []


def _add(area: str, name: str, function: Callable[..., Any], arguments: Arguments, **how: Any) -> None:
    CASES.append(Case(area, name, function, arguments, **how))


def floats(*shapes: tuple[int, ...]) -> Arguments:
    """Normal numbers."""
    return lambda rng: tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)


def positive(*shapes: tuple[int, ...]) -> Arguments:
    return lambda rng: tuple((np.abs(rng.standard_normal(shape)) + 0.1).astype(np.float32) for shape in shapes)


def unit(*shapes: tuple[int, ...]) -> Arguments:
    return lambda rng: tuple(rng.uniform(-0.95, 0.95, shape).astype(np.float32) for shape in shapes)


def fraction(*shapes: tuple[int, ...]) -> Arguments:
    return lambda rng: tuple(rng.uniform(0.05, 0.95, shape).astype(np.float32) for shape in shapes)


def whole(low: int, high: int, *shapes: tuple[int, ...]) -> Arguments:
    return lambda rng: tuple(rng.integers(low, high, shape).astype(np.int32) for shape in shapes)


def complexes(*shapes: tuple[int, ...]) -> Arguments:
    return lambda rng: tuple((rng.standard_normal(s) + 1j * rng.standard_normal(s)).astype(np.complex64) for s in shapes)


def flags(*shapes: tuple[int, ...]) -> Arguments:
    return lambda rng: tuple(rng.integers(0, 2, shape).astype(bool) for shape in shapes)


def each(*makers: Arguments) -> Arguments:
    return lambda rng: tuple(one for maker in makers for one in maker(rng))


def seeds(rng: np.random.Generator) -> tuple[Any, ...]:
    return (rng.integers(0, 1000, (2,)).astype(np.int32),)


A, B = (6, 10), (4, 6, 8)
_by_name = functools.partial(lambda area, module, names, arguments, **how: [_add(area, n, getattr(module, n), arguments, **how) for n in names.split()])

# jax.numpy: elementwise
_by_name("jnp", jnp, "add subtract multiply divide maximum minimum fmax fmin arctan2 hypot logaddexp logaddexp2 copysign greater greater_equal less "
         "less_equal equal not_equal fmod remainder floor_divide heaviside nextafter divmod isclose", floats(A, A), elementwise=True)  # fmt: skip
_by_name("jnp", jnp, "power float_power", positive(A, A), elementwise=True)
_by_name("jnp", jnp, "abs fabs exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh floor ceil round rint trunc sign square negative "
         "positive reciprocal isnan isfinite isinf isposinf isneginf cbrt sinc degrees radians nan_to_num signbit i0 frexp modf real imag conj "
         "iscomplex isreal", floats(A), elementwise=True)  # fmt: skip
_by_name("jnp", jnp, "sqrt log log2 log10 log1p", positive(A), elementwise=True)
_by_name("jnp", jnp, "arcsin arccos arctanh", unit(A), elementwise=True)
_add("jnp", "arccosh", jnp.arccosh, lambda rng: (positive(A)(rng)[0] + 1,), elementwise=True)
_add("jnp", "ldexp", jnp.ldexp, each(floats(A), whole(-4, 5, A)))
_by_name("jnp", jnp, "bitwise_and bitwise_or bitwise_xor gcd lcm left_shift right_shift", whole(0, 20, A, A))
_by_name("jnp", jnp, "bitwise_not invert bitwise_count", whole(-1000, 1000, A))
_by_name("jnp", jnp, "logical_and logical_or logical_xor", flags(A, A))
_add("jnp", "logical_not", jnp.logical_not, flags(A))
for _name, _fn in {
    "add (int)": jnp.add, "floor_divide (int)": jnp.floor_divide, "remainder (int)": jnp.remainder, "power (int)": lambda a, b: a ** jnp.abs(b),
    "divide (int)": jnp.divide, "sign (int)": lambda a, b: jnp.sign(a) * jnp.abs(b), "maximum (int)": jnp.maximum, "clip (int)": lambda a, b: jnp.clip(a, -3, b),
}.items():  # fmt: skip
    _add("jnp", _name, _fn, whole(-9, 10, A, A))
_add("jnp", "clip", lambda a: jnp.clip(a, -0.5, 0.7), floats(A), elementwise=True)
_add("jnp", "where", lambda a, b: jnp.where(a > b, a, b), floats(A, A), elementwise=True)
_add("jnp", "select", lambda a: jnp.select([a < -1, a > 1], [a - 1, a + 1], 0.0), floats(A), elementwise=True)
_add("jnp", "piecewise", lambda a: jnp.piecewise(a, [a < 0, a >= 1], [lambda x: -x, lambda x: x * x, 1.0]), floats(A), elementwise=True)
for _name, _fn in {
    "add (complex)": lambda a, b: a + b, "multiply (complex)": lambda a, b: a * b, "divide (complex)": lambda a, b: a / b, "power (complex)": jnp.power,
}.items():  # fmt: skip
    _add("jnp", _name, _fn, complexes(A, A))
for _name in ["abs", "exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "angle", "conj", "square", "reciprocal", "sign", "expm1", "log1p"]:
    _add("jnp", f"{_name} (complex)", getattr(jnp, _name), complexes(A))
for _dtype in ("bfloat16", "float16"):
    _add("jnp", f"multiply and add ({_dtype})", lambda a, b, d=_dtype: (a.astype(d) * b.astype(d) + a.astype(d)).astype(np.float32), floats(A, A), tolerance=3e-2)
    _add("jnp", f"exp ({_dtype})", lambda a, d=_dtype: jnp.exp(a.astype(d)), floats(A))
    _add("jnp", f"sum ({_dtype})", lambda a, d=_dtype: a.astype(d).sum(1), floats(A))
    _add("jnp", f"matmul ({_dtype})", lambda a, b, d=_dtype: a.astype(d) @ b.astype(d), floats((6, 10), (10, 7)))
    _add("jnp", f"sort ({_dtype})", lambda a, d=_dtype: jnp.sort(a.astype(d)), floats(A))
_add("jnp", "astype", lambda a: a.astype(jnp.int32).astype(jnp.uint8).astype(jnp.float32), positive(A))
for _dtype in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "bool"):
    _add("jnp", f"astype ({_dtype})", lambda a, d=_dtype: a.astype(d), lambda rng: (rng.standard_normal(A).astype(np.float32) * 50,))
_add("jnp", "view", lambda a: a.view(jnp.int32), floats(A))

# jax.numpy: reductions
for _name in ["sum", "mean", "std", "var", "max", "min", "prod", "argmax", "argmin", "any", "all", "ptp", "median", "cumsum", "cumprod", "nanmax", "nanmin", "nansum", "nanmean", "nanstd", "nanvar", "nanprod", "nanargmax", "nanargmin", "nanmedian", "count_nonzero", "nancumsum", "nancumprod", "average"]:  # fmt: skip
    _add("jnp", f"{_name} (axis)", lambda a, n=_name: getattr(jnp, n)(a, axis=1), floats(A))
for _name in ["sum", "mean", "max", "argmax", "prod", "std", "median", "all"]:
    _add("jnp", f"{_name} (all)", lambda a, n=_name: getattr(jnp, n)(a), floats(A))
    _add("jnp", f"{_name} (outer axis)", lambda a, n=_name: getattr(jnp, n)(a, axis=0), floats(A))
_add("jnp", "quantile", lambda a: jnp.quantile(a, 0.3, axis=1), floats(A))
_add("jnp", "percentile", lambda a: jnp.percentile(a, jnp.array([10.0, 60.0])), floats(A))
_add("jnp", "nanquantile", lambda a: jnp.nanquantile(a, 0.3, axis=1), floats(A))
_add("jnp", "cumsum (first axis)", lambda a: jnp.cumsum(a, axis=0), floats(A))
_add("jnp", "cumsum (int)", lambda a: jnp.cumsum(a), whole(-5, 6, (50,)))
_add("jnp", "trapezoid", jnp.trapezoid, floats(A))

# jax.numpy: shapes
for _name, _fn in {
    "ravel": jnp.ravel, "reshape": lambda a: a.reshape(5, 12), "transpose": lambda a: a.T, "swapaxes": lambda a: a[None].swapaxes(0, 2),
    "moveaxis": lambda a: jnp.moveaxis(a[None], 2, 0), "expand_dims": lambda a: jnp.expand_dims(a, 1), "squeeze": lambda a: jnp.squeeze(a[:, None]),
    "broadcast_to": lambda a: jnp.broadcast_to(a[:, None], (6, 3, 10)), "tile": lambda a: jnp.tile(a, (2, 3)), "repeat": lambda a: jnp.repeat(a, 3, axis=0),
    "roll": lambda a: jnp.roll(a, 3, axis=1), "flip": lambda a: jnp.flip(a, 1), "fliplr": jnp.fliplr, "flipud": jnp.flipud, "rot90": jnp.rot90,
    "concatenate": lambda a: jnp.concatenate([a, a * 2], 1), "stack": lambda a: jnp.stack([a, -a]), "vstack": lambda a: jnp.vstack([a, a[0]]),
    "hstack": lambda a: jnp.hstack([a, a]), "dstack": lambda a: jnp.dstack([a, a]), "column_stack": lambda a: jnp.column_stack([a[:, 0], a[:, 1]]),
    "split": lambda a: jnp.split(a, 2, axis=1), "array_split": lambda a: jnp.array_split(a, 3, axis=1), "hsplit": lambda a: jnp.hsplit(a, 2),
    "vsplit": lambda a: jnp.vsplit(a, 2), "tril": jnp.tril, "triu": jnp.triu, "diag": lambda a: jnp.diag(a[0]), "diagonal": jnp.diagonal,
    "diagflat": lambda a: jnp.diagflat(a[0]), "trace": jnp.trace, "eye": lambda a: a @ jnp.eye(10), "linspace": lambda a: a + jnp.linspace(0, 1, 10),
    "arange": lambda a: a + jnp.arange(10.0), "meshgrid": lambda a: jnp.meshgrid(a[0], a[:, 0]), "vander": lambda a: jnp.vander(a[0], 4),
    "append": lambda a: jnp.append(a, a[:2], axis=0), "insert": lambda a: jnp.insert(a, 1, 5.0, axis=1), "delete": lambda a: jnp.delete(a, 2, axis=1),
    "resize": lambda a: jnp.resize(a, (4, 7)), "block": lambda a: jnp.block([[a, a], [a, a]]), "logspace": lambda a: a * jnp.logspace(0, 2, 10),
    "geomspace": lambda a: a * jnp.geomspace(1, 100, 10), "tri": lambda a: a * jnp.tri(6, 10), "indices": lambda a: a * jnp.indices((6, 10))[0],
    "diff": jnp.diff, "ediff1d": jnp.ediff1d, "gradient": lambda a: jnp.gradient(a), "unwrap": jnp.unwrap, "fill_diagonal": lambda a: jnp.fill_diagonal(a, 0.0, inplace=False),
    "nonzero": lambda a: jnp.nonzero(a > 0, size=20), "argwhere": lambda a: jnp.argwhere(a > 0, size=20), "flatnonzero": lambda a: jnp.flatnonzero(a > 0, size=20),
    "compress": lambda a: jnp.compress(jnp.array([True, False, True]), a, axis=0, size=2), "extract": lambda a: jnp.extract(a > 0, a, size=20),
    "apply_along_axis": lambda a: jnp.apply_along_axis(lambda r: r.sum() * r, 1, a), "interp": lambda a: jnp.interp(a, jnp.linspace(-3, 3, 20), jnp.sin(jnp.linspace(-3, 3, 20))),
    "polyval": lambda a: jnp.polyval(jnp.array([1.0, 2.0, 3.0]), a), "histogram": lambda a: jnp.histogram(a, bins=10, range=(-3.0, 3.0))[0],
    "digitize": lambda a: jnp.digitize(a, jnp.linspace(-2, 2, 9)), "cov": jnp.cov, "corrcoef": jnp.corrcoef, "sort": jnp.sort, "argsort": jnp.argsort,
    "sort (first axis)": lambda a: jnp.sort(a, axis=0), "argsort (descending)": lambda a: jnp.argsort(a, descending=True), "partition": lambda a: jnp.partition(a, 3),
    "argpartition": lambda a: jnp.argpartition(a, 3), "lexsort": lambda a: jnp.lexsort((a[0], jnp.round(a[1]))),
}.items():  # fmt: skip
    _add("jnp", _name, _fn, floats(A))
for _mode in ("constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "mean", "maximum"):
    _add("jnp", f"pad ({_mode})", lambda a, m=_mode: jnp.pad(a, ((1, 2), (3, 4)), mode=m), floats(A))
for _name, _fn in {
    "take": lambda a, i: jnp.take(a, i, axis=0), "take (clip)": lambda a, i: jnp.take(a, i + 3, axis=0, mode="clip"), "take (fill)": lambda a, i: jnp.take(a, i + 3, axis=0, mode="fill"),
    "take (wrap)": lambda a, i: jnp.take(a, i + 3, axis=0, mode="wrap"), "index": lambda a, i: a[i, 2:5], "index (two)": lambda a, i: a[i, i], "index (negative)": lambda a, i: a[-i],
    "at.set": lambda a, i: a.at[i].set(1.0), "at.add": lambda a, i: a.at[i].add(1.0), "at.multiply": lambda a, i: a.at[i].multiply(2.0), "at.max": lambda a, i: a.at[i].max(1.0),
    "at.min": lambda a, i: a.at[i].min(0.1), "at.power": lambda a, i: jnp.abs(a).at[i].power(2.0), "at.apply": lambda a, i: a.at[i].apply(jnp.sin), "at.get": lambda a, i: a.at[i].get(mode="fill", fill_value=7.0),
    "at.set (drop)": lambda a, i: a.at[i + 4].set(1.0, mode="drop"), "at.add (two)": lambda a, i: a.at[i, i].add(1.0), "choose": lambda a, i: jnp.choose(i % 3, [a[0, :5], a[1, :5], a[2, :5]], mode="clip"),
    "dynamic index": lambda a, i: a[i[0]], "dynamic set": lambda a, i: a.at[i[0], 2].set(9.0), "bincount": lambda a, i: jnp.bincount(i, length=8), "unique": lambda a, i: jnp.unique(i, size=8),
    "isin": lambda a, i: jnp.isin(i, jnp.array([1, 3])), "setdiff1d": lambda a, i: jnp.setdiff1d(jnp.arange(6), i, size=6), "unravel_index": lambda a, i: jnp.unravel_index(i, (2, 3)),
    "ravel_multi_index": lambda a, i: jnp.ravel_multi_index((i, i), (6, 10), mode="clip"), "searchsorted (int)": lambda a, i: jnp.searchsorted(jnp.sort(i), jnp.arange(6)),
    "union1d": lambda a, i: jnp.union1d(i, jnp.arange(3), size=9),
}.items():  # fmt: skip
    _add("jnp", _name, _fn, each(floats(A), whole(0, 6, (5,))))
_add("jnp", "take_along_axis", lambda a: jnp.take_along_axis(a, jnp.argsort(a, 1), 1), floats(A))
_add("jnp", "put_along_axis", lambda a: jnp.put_along_axis(a, jnp.argmax(a, 1)[:, None], 0.0, 1, inplace=False), floats(A))
_add("jnp", "searchsorted", lambda a, b: jnp.searchsorted(jnp.sort(a), b), floats((33,), (33,)))
_add("jnp", "packbits", jnp.packbits, lambda rng: (rng.integers(0, 2, (40,)).astype(np.uint8),))
_add("jnp", "unpackbits", jnp.unpackbits, lambda rng: (rng.integers(0, 256, (9,)).astype(np.uint8),))
_add("jnp", "array_equal", jnp.array_equal, floats(A, A))

# jax.numpy: products
for _name, _fn, _made in (
    ("dot", jnp.dot, floats((33,), (33,))), ("vdot", jnp.vdot, floats((33,), (33,))), ("vdot (complex)", jnp.vdot, complexes((33,), (33,))),
    ("inner", jnp.inner, floats(A, A)), ("outer", jnp.outer, floats((7,), (9,))), ("matmul", jnp.matmul, floats((6, 10), (10, 7))),
    ("matmul (transposed)", lambda a, b: a @ b.T, floats((6, 10), (7, 10))), ("matmul (left transposed)", lambda a, b: a.T @ b, floats((10, 6), (10, 7))),
    ("matmul (vector)", jnp.matmul, floats((6, 10), (10,))), ("matmul (row)", jnp.matmul, floats((10,), (10, 6))), ("matmul (batched)", jnp.matmul, floats((4, 6, 8), (4, 8, 5))),
    ("matmul (complex)", jnp.matmul, complexes((6, 10), (10, 7))), ("matmul (int)", jnp.matmul, whole(-9, 10, (6, 10), (10, 7))), ("matmul (bool)", jnp.matmul, flags((6, 10), (10, 7))),
    ("matmul (large)", jnp.matmul, floats((130, 700), (700, 61))), ("einsum (batched)", lambda a, b: jnp.einsum("bij,bkj->bik", a, b), floats(B, B)),
    ("einsum (diagonal)", lambda a, b: jnp.einsum("ij,ij->i", a, b), floats(A, A)), ("einsum (three)", lambda a, b, c: jnp.einsum("ij,jk,kl->il", a, b, c), floats((3, 4), (4, 5), (5, 6))),
    ("tensordot", lambda a, b: jnp.tensordot(a, b, 2), floats((4, 6, 8), (6, 8, 3))), ("kron", jnp.kron, floats((2, 3), (3, 2))), ("cross", jnp.cross, floats((7, 3), (7, 3))),
    ("convolve", lambda a, b: jnp.convolve(a, b, mode="same"), floats((33,), (5,))), ("convolve (full)", jnp.convolve, floats((33,), (5,))), ("correlate", jnp.correlate, floats((33,), (5,))),
    ("vecdot", jnp.vecdot, floats(A, A)), ("matvec", jnp.matvec, floats(B, (4, 8))), ("polymul", jnp.polymul, floats((4,), (5,))), ("polyadd", jnp.polyadd, floats((4,), (5,))),
    ("polyder", jnp.polyder, floats((5,))), ("polyint", jnp.polyint, floats((5,))),
):  # fmt: skip
    _add("jnp", _name, _fn, _made)

# jax.numpy.linalg
M = (5, 5)


def _spd(a: Any) -> Any:
    return a @ a.mT + 5 * jnp.eye(a.shape[-1])


for _name, _fn, _made in (
    ("norm", jnp.linalg.norm, floats(A)), ("norm (axis)", lambda a: jnp.linalg.norm(a, axis=1), floats(A)), ("norm (1)", lambda a: jnp.linalg.norm(a, 1), floats(A)),
    ("vector_norm", lambda a: jnp.linalg.vector_norm(a, ord=3), floats(A)), ("matrix_norm", jnp.linalg.matrix_norm, floats(A)), ("det", jnp.linalg.det, floats(M)),
    ("det (complex)", jnp.linalg.det, complexes(M)), ("slogdet", jnp.linalg.slogdet, floats(M)), ("inv", jnp.linalg.inv, floats(M)), ("inv (batched)", jnp.linalg.inv, floats((3, 5, 5))),
    ("solve", jnp.linalg.solve, floats(M, (5,))), ("solve (matrix)", jnp.linalg.solve, floats(M, (5, 3))), ("cholesky", lambda a: jnp.linalg.cholesky(_spd(a)), floats(M)),
    ("cholesky (upper)", lambda a: jnp.linalg.cholesky(_spd(a), upper=True), floats(M)), ("cholesky (not positive)", lambda a: jnp.linalg.cholesky(a + a.T), floats(M)),
    ("qr", jnp.linalg.qr, floats((7, 5))), ("qr (complete)", lambda a: jnp.linalg.qr(a, mode="complete"), floats((7, 5))), ("matrix_power", lambda a: jnp.linalg.matrix_power(a, 3), floats(M)),
    ("multi_dot", lambda a, b, c: jnp.linalg.multi_dot([a, b, c]), floats((3, 4), (4, 5), (5, 6))), ("outer", jnp.linalg.outer, floats((7,), (9,))),
    ("tensorinv", lambda a: jnp.linalg.tensorinv(a.reshape(4, 6, 8, 3), ind=2), floats((24, 24))), ("tensorsolve", lambda a, b: jnp.linalg.tensorsolve(a.reshape(2, 3, 6), b.reshape(2, 3)), floats((6, 6), (6,))),
    ("svd", jnp.linalg.svd, floats(M)), ("svdvals", jnp.linalg.svdvals, floats(M)), ("eigh", lambda a: jnp.linalg.eigh(a + a.T), floats(M)), ("eigvalsh", lambda a: jnp.linalg.eigvalsh(a + a.T), floats(M)),
    ("eigvals", jnp.linalg.eigvals, floats(M)), ("pinv", jnp.linalg.pinv, floats((5, 3))), ("lstsq", lambda a, b: jnp.linalg.lstsq(a, b)[0], floats((7, 5), (7,))), ("matrix_rank", jnp.linalg.matrix_rank, floats(M)),
    ("cond", jnp.linalg.cond, floats(M)),
):  # fmt: skip
    _add("jnp.linalg", _name, _fn, _made, tolerance=2e-3)
for _name, _fn, _made in (
    ("solve_triangular", lambda a, b: jax.scipy.linalg.solve_triangular(a + 4 * jnp.eye(5), b, lower=True), floats(M, (5, 3))),
    ("solve_triangular (transposed)", lambda a, b: jax.scipy.linalg.solve_triangular(a + 4 * jnp.eye(5), b, trans=1), floats(M, (5, 3))),
    ("cho_solve", lambda a, b: jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(_spd(a)), b), floats(M, (5,))), ("lu", jax.scipy.linalg.lu, floats((5, 7))),
    ("lu_solve", lambda a, b: jax.scipy.linalg.lu_solve(jax.scipy.linalg.lu_factor(a), b), floats(M, (5,))), ("expm", lambda a: jax.scipy.linalg.expm(a * 0.3), floats(M)),
    ("block_diag", lambda a, b: jax.scipy.linalg.block_diag(a, b), floats((2, 3), (3, 2))), ("toeplitz", jax.scipy.linalg.toeplitz, floats((5,))),
):  # fmt: skip
    _add("jax.scipy.linalg", _name, _fn, _made, tolerance=2e-3)

# jax.numpy.fft
_by_name("jnp.fft", jnp.fft, "fft ifft fft2 ifft2 fftn ifftn irfft irfft2 irfftn hfft fftshift ifftshift", complexes(A))
_by_name("jnp.fft", jnp.fft, "rfft rfft2 rfftn ihfft", floats(A))
for _length in (1, 7, 16, 30, 97, 128, 1009):
    _add("jnp.fft", f"fft ({_length})", jnp.fft.fft, complexes((3, _length)))
_add("jnp.fft", "fft (first axis)", lambda a: jnp.fft.fft(a, axis=0), complexes(A))
_add("jnp.fft", "rfft (odd)", jnp.fft.rfft, floats((4, 15)))
_add("jnp.fft", "irfft (odd)", lambda a: jnp.fft.irfft(a, 15), complexes((4, 8)))
_add("jnp.fft", "fftfreq", lambda a: a * jnp.fft.fftfreq(10), floats(A))

# jax.nn
_by_name("jax.nn", nn, "relu relu6 silu sigmoid hard_sigmoid hard_silu hard_tanh softplus soft_sign leaky_relu elu selu celu log_sigmoid squareplus mish "
         "sparse_plus sparse_sigmoid gelu", floats(A), elementwise=True)  # fmt: skip
for _name, _fn in {
    "gelu (exact)": lambda a: nn.gelu(a, approximate=False), "softmax": nn.softmax, "log_softmax": nn.log_softmax, "logsumexp": lambda a: nn.logsumexp(a, axis=1),
    "standardize": nn.standardize, "glu": nn.glu, "softmax (where)": lambda a: nn.softmax(a, where=a > -5), "softmax (masked)": lambda a: nn.softmax(jnp.where(a > 0, a, -1e30)),
    "log1mexp": lambda a: nn.log1mexp(jnp.abs(a) + 0.1), "logmeanexp": lambda a: nn.logmeanexp(a, axis=1),
}.items():  # fmt: skip
    _add("jax.nn", _name, _fn, floats(A))
_add("jax.nn", "one_hot", lambda i: nn.one_hot(i, 7), whole(-1, 8, (5,)))
_add("jax.nn", "dot_product_attention", nn.dot_product_attention, floats((2, 8, 2, 4), (2, 8, 2, 4), (2, 8, 2, 4)))
_add("jax.nn", "dot_product_attention (causal)", lambda q, k, v: nn.dot_product_attention(q, k, v, is_causal=True), floats((2, 8, 2, 4), (2, 8, 2, 4), (2, 8, 2, 4)))

# jax.lax
_by_name("jax.lax", lax, "rsqrt lgamma digamma", positive(A), elementwise=True)
_by_name("jax.lax", lax, "erf erfc bessel_i0e bessel_i1e is_finite", floats(A), elementwise=True)
_by_name("jax.lax", lax, "population_count clz", whole(-1000, 1000, A))
_add("jax.lax", "erf_inv", lax.erf_inv, unit(A), elementwise=True)
_by_name("jax.lax", lax, "igamma igammac", positive(A, A))
_add("jax.lax", "betainc", lambda a: special.betainc(1.5, 2.5, a), fraction(A))
for _name, _fn in {
    "reduce_precision": lambda a: lax.reduce_precision(a, 5, 10), "bitcast_convert_type": lambda a: lax.bitcast_convert_type(a, jnp.uint8), "clamp": lambda a: lax.clamp(-0.5, a, 0.5),
    "integer_pow": lambda a: lax.integer_pow(a, 5), "rem": lambda a: lax.rem(a, 0.7), "round (away)": lambda a: lax.round(a * 2, lax.RoundingMethod.AWAY_FROM_ZERO),
    "round (even)": lambda a: lax.round(a * 2, lax.RoundingMethod.TO_NEAREST_EVEN), "dynamic_slice": lambda a: lax.dynamic_slice(a, (a[0, 0].astype(int) + 1, 8), (3, 4)),
    "dynamic_update_slice": lambda a: lax.dynamic_update_slice(a, a[:2, :3] * 2, (1, 9)), "rev": lambda a: lax.rev(a, (0, 1)), "pad (negative)": lambda a: lax.pad(a, 1.5, ((-1, 2, 0), (3, -2, 1))),
    "pad (interior)": lambda a: lax.pad(a, 0.0, ((0, 0, 2), (1, 1, 1))), "cummax": lambda a: lax.cummax(a, axis=1), "cummin (reverse)": lambda a: lax.cummin(a, axis=0, reverse=True),
    "cumlogsumexp": lambda a: lax.cumlogsumexp(a, axis=1), "cumprod (reverse)": lambda a: lax.cumprod(a, axis=1, reverse=True), "top_k": lambda a: lax.top_k(a, 3),
    "approx_max_k": lambda a: lax.approx_max_k(a, 3), "sort (two operands)": lambda a: lax.sort((jnp.round(a), a * 2), num_keys=1), "reduce": lambda a: lax.reduce(a, 0.0, lambda x, y: x + 2 * y * 0 + y, (1,)),
    "reduce (two)": lambda a: lax.reduce((a, a * a), (0.0, 0.0), lambda x, y: (x[0] + y[0], jnp.maximum(x[1], y[1])), (1,)), "reduce_max": lambda a: a.max(0),
    "cond": lambda a: lax.cond(a.sum() > 0, lambda q: q * 2, lambda q: q - 1, a), "switch": lambda a: lax.switch((a[0, 0] * 2).astype(int), [lambda q: q, lambda q: q * 2, lambda q: -q], a),
    "scan": lambda a: lax.scan(lambda c, q: (c + q, c * q), jnp.zeros(10), a), "scan (reverse)": lambda a: lax.scan(lambda c, q: (c + q, c * q), jnp.zeros(10), a, reverse=True),
    "scan (unrolled)": lambda a: lax.scan(lambda c, q: (c + q, c * q), jnp.zeros(10), a, unroll=3), "fori_loop": lambda a: lax.fori_loop(0, 5, lambda j, q: q * 0.5 + j, a),
    "fori_loop (swap)": lambda a: lax.fori_loop(0, 5, lambda j, q: (q[1], q[0] + 1), (a, a * 2)), "while_loop": lambda a: lax.while_loop(lambda q: q.sum() < 1e3, lambda q: q * q + 1, a),
    "while_loop (batched)": lambda a: jax.vmap(lambda r: lax.while_loop(lambda q: q.sum() < 1e3, lambda q: q * q + 1, r))(a), "map": lambda a: lax.map(lambda q: q.sum() * q, a),
    "associative_scan": lambda a: lax.associative_scan(jnp.add, a, axis=1), "associative_scan (max)": lambda a: lax.associative_scan(jnp.maximum, a, axis=0, reverse=True), "complex": lambda a: jnp.abs(lax.complex(a, a * 2)),
    "expand_dims": lambda a: lax.expand_dims(a, (0, 2)), "argmax": lambda a: lax.argmax(a, 1, jnp.int32), "broadcasted_iota": lambda a: a * lax.broadcasted_iota(jnp.float32, A, 1),
    "nested loops": lambda a: lax.fori_loop(0, 3, lambda i, q: lax.fori_loop(0, 4, lambda j, p: p.at[i, j].add(1.0), q), a), "scan (nested cond)": lambda a: lax.scan(lambda c, q: (lax.cond(q.sum() > 0, lambda z: z + q, lambda z: z - q, c), c), jnp.zeros(10), a),
    "select_n": lambda a: lax.select_n((a > 0).astype(jnp.int32) + (a > 1), a, a * 2, a * 3), "optimization_barrier": lambda a: lax.optimization_barrier(a) + 1, "slice (strided)": lambda a: a[1::2, ::3],
    "reduce_and": lambda a: lax.reduce_and(a > 0, (1,)), "reduce_xor": lambda a: lax.reduce_xor((a * 9).astype(jnp.int32), (1,)),
}.items():  # fmt: skip
    _add("jax.lax", _name, _fn, floats(A))
_add("jax.lax", "top_k (nan)", lambda a: lax.top_k(jnp.where(a > 1, jnp.nan, a), 3), floats(A))
_add("jax.lax", "top_k (int)", lambda a: lax.top_k(a, 4), whole(-5, 6, (3, 40)))
_add("jax.lax", "top_k (large)", lambda a: lax.top_k(a, 64), floats((3, 500)))
_CONV = functools.partial(_add, "jax.lax")
for _name, _fn, _made in (
    ("conv 1d", lambda a, k: lax.conv_general_dilated(a, k, (1,), "SAME"), floats((2, 3, 20), (4, 3, 5))), ("conv 2d (strided)", lambda a, k: lax.conv_general_dilated(a, k, (2, 2), "VALID"), floats((2, 3, 12, 12), (4, 3, 3, 3))),
    ("conv 2d (NHWC)", lambda a, k: lax.conv_general_dilated(a, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), floats((2, 9, 8, 3), (3, 3, 3, 5))),
    ("conv 2d (dilated)", lambda a, k: lax.conv_general_dilated(a, k, (1, 1), "SAME", rhs_dilation=(2, 2)), floats((1, 3, 12, 12), (4, 3, 3, 3))), ("conv_transpose", lambda a, k: lax.conv_transpose(a, k, (2, 2), "SAME"), floats((1, 6, 6, 3), (3, 3, 3, 4))),
    ("conv (groups)", lambda a, k: lax.conv_general_dilated(a, k, (1, 1), "SAME", feature_group_count=2), floats((1, 4, 8, 8), (6, 2, 3, 3))), ("conv (depthwise)", lambda a, k: lax.conv_general_dilated(a, k, (1, 1), "SAME", feature_group_count=3), floats((1, 3, 8, 8), (3, 1, 3, 3))),
    ("conv (batch groups)", lambda a, k: lax.conv_general_dilated(a, k, (1, 1), "SAME", batch_group_count=2), floats((4, 3, 8, 8), (6, 3, 3, 3))), ("conv 3d", lambda a, k: lax.conv_general_dilated(a, k, (1, 1, 1), "SAME"), floats((1, 2, 5, 6, 7), (3, 2, 3, 3, 3))),
    ("conv (complex)", lambda a, k: lax.conv_general_dilated(a, k, (1,), "SAME"), complexes((2, 3, 20), (4, 3, 5))), ("conv (gradient)", lambda a, k: jax.grad(lambda a, k: (lax.conv_general_dilated(a, k, (2, 2), "SAME") ** 2).sum(), (0, 1))(a, k), floats((2, 3, 8, 8), (4, 3, 3, 3))),
    ("reduce_window (average)", lambda a: lax.reduce_window(a, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4, floats((1, 8, 8, 3))), ("reduce_window (max)", lambda a: lax.reduce_window(a, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"), floats((1, 8, 8, 3))),
    ("reduce_window (dilated)", lambda a: lax.reduce_window(a, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME", window_dilation=(1, 2, 2, 1)), floats((1, 8, 8, 3))), ("select_and_scatter", lambda a: jax.grad(lambda q: lax.reduce_window(q, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID").sum())(a), floats((1, 8, 8, 3))),
    ("select_and_scatter (overlap)", lambda a: jax.grad(lambda q: (lax.reduce_window(q, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME") ** 2).sum())(a), floats((1, 8, 8, 3))), ("triangular_solve", lambda a, b: lax.linalg.triangular_solve(a + 4 * jnp.eye(5), b, lower=True), floats((5, 5), (3, 5))),
    ("linalg.lu", lambda a: lax.linalg.lu(a), floats(M)), ("linalg.householder_product", lambda a, t: lax.linalg.householder_product(a, t), floats((5, 3), (3,))), ("tridiagonal_solve", lambda a, b, c, d: lax.linalg.tridiagonal_solve(a, b + 5, c, d), floats((6,), (6,), (6,), (6, 2))),
    ("ragged_dot", lambda a, b: lax.ragged_dot(a, b, jnp.array([2, 4])), floats((6, 4), (2, 4, 3))),
):  # fmt: skip
    _CONV(_name, _fn, _made)
_add("jax.lax", "scatter_add (windows)", lambda a, i: lax.scatter_add(a, i[:, None], a[:5, :3], lax.ScatterDimensionNumbers((1,), (0,), (0,))), each(floats(A), whole(0, 6, (5,))))
_add("jax.lax", "gather (windows)", lambda a, i: lax.gather(a, jnp.stack([i, i], 1), lax.GatherDimensionNumbers((1, 2), (), (0, 1)), (2, 3)), each(floats(A), whole(0, 9, (5,))))
_add("jax.lax", "batched gather", lambda a, i: jax.vmap(lambda r, j: r[j])(a, jnp.broadcast_to(i, (6, 5))), each(floats(A), whole(0, 9, (5,))))
_add("jax.lax", "batched scatter", lambda a, i: jax.vmap(lambda r, j: r.at[j].add(1.0))(a, jnp.broadcast_to(i, (6, 5))), each(floats(A), whole(0, 9, (5,))))
_add("jax.lax", "batched dynamic_update_slice", lambda a, i: jax.vmap(lambda r, j: lax.dynamic_update_slice(r, jnp.ones(3), (j,)))(a[:5], i), each(floats(A), whole(0, 9, (5,))))

# jax.random
for _name, _fn in {
    "uniform": lambda k: jax.random.uniform(k, (50,)), "normal": lambda k: jax.random.normal(k, (50,)), "randint": lambda k: jax.random.randint(k, (50,), 0, 100), "permutation": lambda k: jax.random.permutation(k, 50),
    "choice": lambda k: jax.random.choice(k, 50, (10,)), "choice (no replacement)": lambda k: jax.random.choice(k, 50, (10,), replace=False), "categorical": lambda k: jax.random.categorical(k, jnp.zeros((20, 5))),
    "gamma": lambda k: jax.random.gamma(k, 2.0, (20,)), "beta": lambda k: jax.random.beta(k, 2.0, 3.0, (20,)), "bernoulli": lambda k: jax.random.bernoulli(k, 0.3, (50,)), "exponential": lambda k: jax.random.exponential(k, (50,)),
    "laplace": lambda k: jax.random.laplace(k, (50,)), "gumbel": lambda k: jax.random.gumbel(k, (50,)), "logistic": lambda k: jax.random.logistic(k, (50,)), "poisson": lambda k: jax.random.poisson(k, 3.0, (20,)),
    "truncated_normal": lambda k: jax.random.truncated_normal(k, -1.0, 2.0, (50,)), "dirichlet": lambda k: jax.random.dirichlet(k, jnp.ones(4), (5,)), "t": lambda k: jax.random.t(k, 3.0, (20,)), "cauchy": lambda k: jax.random.cauchy(k, (50,)),
    "bits": lambda k: jax.random.bits(k, (50,)), "split": lambda k: jax.random.key_data(jax.random.split(k, 4)), "fold_in": lambda k: jax.random.key_data(jax.random.fold_in(k, 3)), "rademacher": lambda k: jax.random.rademacher(k, (50,)),
    "maxwell": lambda k: jax.random.maxwell(k, (50,)), "weibull_min": lambda k: jax.random.weibull_min(k, 1.0, 2.0, (50,)), "orthogonal": lambda k: jax.random.orthogonal(k, 4), "ball": lambda k: jax.random.ball(k, 3, shape=(10,)),
    "binomial": lambda k: jax.random.binomial(k, 10.0, 0.3, (20,)), "geometric": lambda k: jax.random.geometric(k, 0.3, (50,)), "chisquare": lambda k: jax.random.chisquare(k, 3.0, (20,)), "f": lambda k: jax.random.f(k, 3.0, 4.0, (20,)),
    "pareto": lambda k: jax.random.pareto(k, 2.0, (50,)), "rayleigh": lambda k: jax.random.rayleigh(k, 2.0, (50,)), "wald": lambda k: jax.random.wald(k, 2.0, (50,)), "lognormal": lambda k: jax.random.lognormal(k, 0.5, (50,)),
    "triangular": lambda k: jax.random.triangular(k, 0.0, 0.3, 1.0, (50,)), "multivariate_normal": lambda k: jax.random.multivariate_normal(k, jnp.zeros(3), jnp.eye(3), (5,), method="cholesky"), "loggamma": lambda k: jax.random.loggamma(k, 2.0, (20,)),
    "generalized_normal": lambda k: jax.random.generalized_normal(k, 1.5, (20,)), "double_sided_maxwell": lambda k: jax.random.double_sided_maxwell(k, 0.0, 1.0, (20,)), "normal (complex)": lambda k: jax.random.normal(k, (20,), jnp.complex64),
    "uniform (float16)": lambda k: jax.random.uniform(k, (20,), jnp.float16),
}.items():  # fmt: skip
    _add("jax.random", _name, lambda seed, f=_fn: f(jax.random.key(seed[0])), seeds)

# jax.scipy.special and statistics
_by_name("jax.scipy.special", special, "erf erfc expit i0 i0e i1 i1e ndtr log_ndtr entr gamma", floats(A), elementwise=True)
_by_name("jax.scipy.special", special, "expi", floats(A))
_by_name("jax.scipy.special", special, "gammaln digamma factorial", positive(A), elementwise=True)
_by_name("jax.scipy.special", special, "exp1", positive(A))
_by_name("jax.scipy.special", special, "erfinv", unit(A), elementwise=True)
_by_name("jax.scipy.special", special, "logit ndtri spence", fraction(A), elementwise=True)
_by_name("jax.scipy.special", special, "xlogy xlog1py rel_entr kl_div betaln beta gammainc gammaincc poch", positive(A, A))
for _name, _fn in {
    "betainc": lambda a: special.betainc(1.5, 2.5, jnp.clip(a, 0.01, 0.99)), "polygamma": lambda a: special.polygamma(2, a), "zeta": lambda a: special.zeta(a + 1.5, 2.0), "multigammaln": lambda a: special.multigammaln(a + 3, 2),
    "expn": lambda a: special.expn(2, a), "logsumexp": lambda a: special.logsumexp(a, axis=1), "softmax": lambda a: special.softmax(a, axis=1), "log_softmax": lambda a: special.log_softmax(a, axis=1), "bessel_jn": lambda a: special.bessel_jn(a, v=3),
    "bernoulli": lambda a: special.bernoulli(6), "hyp1f1": lambda a: special.hyp1f1(1.5, 2.5, a), "sici": lambda a: special.sici(a),
}.items():  # fmt: skip
    if hasattr(special, _name):
        _add("jax.scipy.special", _name, _fn, positive(A), tolerance=1e-3)
for _name in ["norm", "cauchy", "laplace", "logistic"]:
    for _method in ["pdf", "cdf", "logpdf"]:
        _add("jax.scipy.stats", f"{_name}.{_method}", getattr(getattr(jax.scipy.stats, _name), _method), floats(A))
_add("jax.scipy.signal", "convolve2d", lambda a, b: jax.scipy.signal.convolve2d(a, b, mode="same"), floats(A, (3, 3)))
_add("jax.scipy.signal", "fftconvolve", lambda a, b: jax.scipy.signal.fftconvolve(a, b), floats((50,), (9,)))
_add("jax.scipy.ndimage", "map_coordinates", lambda a: jax.scipy.ndimage.map_coordinates(a, [jnp.linspace(0, 5, 7), jnp.linspace(0, 9, 7)], 1), floats(A))
_add("jax.image", "resize (bilinear)", lambda a: jax.image.resize(a, (12, 20), "bilinear"), floats(A))
_add("jax.image", "resize (nearest)", lambda a: jax.image.resize(a, (9, 5), "nearest"), floats(A))
_add("jax.ops", "segment_sum", lambda a, i: jax.ops.segment_sum(a[:5], i, 6), each(floats(A), whole(0, 6, (5,))))
_add("jax.ops", "segment_max", lambda a, i: jax.ops.segment_max(a[:5], i, 6), each(floats(A), whole(0, 6, (5,))))

# Transformations
for _name, _fn in {
    "vmap": lambda a: jax.vmap(jnp.dot)(a, a), "grad": lambda a: jax.grad(lambda q: jnp.sum(jnp.tanh(q) ** 2))(a), "hessian": lambda a: jax.hessian(lambda q: jnp.sum(jnp.sin(q) * q))(a[0]),
    "jacfwd": lambda a: jax.jacfwd(lambda q: jnp.cos(q) * q.sum())(a[0]), "jacrev": lambda a: jax.jacrev(lambda q: jnp.cos(q) * q.sum())(a[0]), "jvp": lambda a: jax.jvp(jnp.sin, (a,), (a,)), "vjp": lambda a: jax.vjp(jnp.sin, a)[1](a),
    "checkpoint": lambda a: jax.grad(lambda q: jax.checkpoint(lambda z: jnp.sin(z).sum())(q))(a), "grad of scan": lambda a: jax.grad(lambda q: lax.scan(lambda c, z: (jnp.tanh(c + z), c), jnp.zeros(10), q)[0].sum())(a),
    "grad of sort": lambda a: jax.grad(lambda q: (jnp.sort(q) * jnp.arange(10.0)).sum())(a), "custom_jvp": lambda a: jax.grad(lambda q: nn.softplus(q).sum())(a), "pure_callback": lambda a: jax.pure_callback(lambda q: q, jax.ShapeDtypeStruct(A, np.float32), a),
    "debug.print": lambda a: (jax.debug.print("{}", a[0, 0]), a)[1], "linearize": lambda a: jax.linearize(jnp.exp, a)[1](a),
}.items():  # fmt: skip
    _add("jax", _name, _fn, floats(A))

#: Special numbers that elementwise functions are tried on.
SPECIAL = np.array([
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.5, -2.5, np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30, -1e30, 1e-30, -1e-30, 100.0, -100.0, 1e4, -1e4, 88.7, -103.0,
    1.5, 16777216.0, -0.99999994, 0.9999999, 1.1754944e-38,
], np.float32)  # fmt: skip
#: Denormal numbers, which XLA takes for 0 and a kernel does not.
DENORMAL = np.array([1e-40, -1e-40, 1e-45, 3e-39], np.float32)


def special_arguments(case: Case) -> tuple[Any, ...]:
    """Arguments of the case's shapes with special numbers; of two arguments many pairs."""
    given = case.arguments(np.random.default_rng(1))
    made = []
    for at, one in enumerate(given):
        picked = np.resize(SPECIAL if at == 0 else np.roll(np.repeat(SPECIAL, 2), 7 * at), one.size)
        made.append(picked.reshape(one.shape).astype(one.dtype))
    return tuple(made)


def shuffled_special(case: Case, seed: int) -> tuple[Any, ...]:
    """The same, in random order."""
    rng = np.random.default_rng(seed)
    return tuple(rng.choice(SPECIAL, one.shape).astype(one.dtype) for one in case.arguments(rng))


def denormal_arguments(case: Case) -> tuple[Any, ...]:
    rng = np.random.default_rng(2)
    return tuple(rng.choice(np.concatenate([DENORMAL, np.float32([1.0, 0.5])]), one.shape).astype(one.dtype) for one in case.arguments(rng))


@dataclass(frozen=True)
class Verdict:
    """What became of a case: ``right``, ``refused`` with a reason, or ``wrong`` with the difference."""

    kind: str
    text: str = ""


#: Imports a function for arguments: gives what calls it.
Importer = Callable[[Callable[..., Any], tuple[Any, ...]], Callable[[tuple[Any, ...]], list[np.ndarray[Any, Any]]]]


def component_importer(host: Any) -> Importer:
    """Imports to components that are launched by a host, and take no more and no less fuel than was foretold of them."""
    import hotcell.jax
    from hotcell.jax.api import Imported, launch_arguments

    def launched(component: Imported, given: tuple[Any, ...]) -> list[np.ndarray[Any, Any]]:
        values, extents = launch_arguments(component, jax.tree.leaves(given))
        entry = next(iter(component.entries.values())).options(timeout=60, metering="strict")
        ended = entry.run(*values, **extents).check()
        fuel, foretold = ended.report["usage"]["fuel_used"], ended.report["foretold"]
        least, most = foretold["fuel_at_least"], foretold["fuel_at_most"]
        assert least <= fuel and (most is None or fuel <= most), f"{component.name} took {fuel} units of fuel, {least} to {most} were foretold"
        return [np.asarray(ended.results[one.name]) for one in component.outputs]

    def importer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], list[np.ndarray[Any, Any]]]:
        component = hotcell.jax.kernel(function, *arguments, check=False, host=host)
        return lambda given: launched(component, given)

    return importer


def judged(case: Case, importer: Importer) -> Verdict:
    """Tries a case on everything."""
    from hotcell.jax import ImportRefused

    arguments = case.arguments(np.random.default_rng(0))
    try:
        run = importer(case.function, arguments)
    except ImportRefused as refusal:
        return Verdict("refused", str(refusal))
    for label, given in _inputs(case, arguments):
        difference = _difference(case, run(given), given, may_be_exact=label in ("denormal", "special"))
        if difference is not None:
            return Verdict("wrong", f"on {label} inputs: {difference}")
    if case.elementwise:
        empty = tuple(one[:0] for one in arguments)
        try:
            got = importer(case.function, empty)(empty)
        except ImportRefused as refusal:
            return Verdict("wrong", f"refused empty arrays: {refusal}")
        difference = _difference(case, got, empty)
        if difference is not None:
            return Verdict("wrong", f"on empty arrays: {difference}")
    return Verdict("right")


def _inputs(case: Case, arguments: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    yield "random", arguments
    yield "other random", case.arguments(np.random.default_rng(7))
    if case.elementwise:
        yield "special", special_arguments(case)
        for seed in (3, 4, 5):
            yield "special", shuffled_special(case, seed)
        yield "denormal", denormal_arguments(case)


def _difference(case: Case, got: list[np.ndarray[Any, Any]], given: tuple[Any, ...], *, may_be_exact: bool = False) -> str | None:
    from hotcell._importing.compare import first_difference

    want = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.jit(case.function)(*given))]
    if may_be_exact:
        exact = _exact(case, given)
        # XLA takes denormal numbers for 0 in some places, on the way to a result too: what is exact is right as well.
        want = [np.where(_near(one, fine), one, other).astype(other.dtype) for one, fine, other in zip(got, exact, want, strict=True)]
    for at, (one, other) in enumerate(zip(got, want, strict=True)):
        difference = first_difference(one, other, name=f"result {at}", tolerance=case.tolerance)
        if difference is not None:
            return difference
    return None


def _exact(case: Case, given: tuple[Any, ...]) -> list[np.ndarray[Any, Any]]:
    with enable_x64(True):
        wide = tuple(one.astype(np.float64) for one in given)
        return [np.asarray(leaf) for leaf in jax.tree.leaves(jax.jit(case.function)(*wide))]


def _near(one: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        narrow = exact.astype(np.float32) if exact.dtype.kind == "f" else exact
        if narrow.dtype.kind not in "fiub" or one.dtype.kind not in "fiub":
            return np.zeros(one.shape, bool)
        a, b = one.astype(np.float64), narrow.astype(np.float64)
        return (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 1e-3 * np.abs(b) + 1e-37)


def table(verdicts: list[tuple[Case, Verdict]]) -> str:
    """The table as Markdown."""
    counts = {kind: sum(verdict.kind == kind for _, verdict in verdicts) for kind in ("right", "refused", "wrong")}
    lines = [
        f"{len(verdicts)} functions, each on random arguments, elementwise ones on NaN, infinite, huge and denormal numbers and on empty arrays too, and",
        f"compared with JAX: {counts['right']} right, {counts['refused']} refused, {counts['wrong']} wrong. A test holds it to that, and",
        "`python python/tests/import_breadth.py --table docs/importing-jax.md` writes it anew.",
        "",
    ]
    for area in dict.fromkeys(case.area for case, _ in verdicts):
        inside = [(case, verdict) for case, verdict in verdicts if case.area == area]
        right = ", ".join(f"`{case.name}`" for case, verdict in inside if verdict.kind == "right")
        lines += [f"**{area}**: {right}." if right else f"**{area}**", ""]
        others = [(case, verdict) for case, verdict in inside if verdict.kind != "right"]
        if others:
            lines += ["| not taken | why |", "|---|---|"]
            lines += [f"| `{case.name}` | {verdict.kind}: {verdict.text} |" for case, verdict in others]
            lines.append("")
    return "\n".join(lines)


#: What the table stands between.
_BEGIN, _END = "<!-- table -->", "<!-- /table -->"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, help="where the table goes")
    parser.add_argument("names", nargs="*", help="only the cases whose name contains one of these")
    parser.add_argument("--tier", default="full", help="how little the walls may be")
    chosen = parser.parse_args(argv)
    importer = component_importer(hotcell.Cell(policy=False, tier=chosen.tier))
    verdicts = []
    for case in CASES:
        if chosen.names and not any(name in f"{case.area}.{case.name}" for name in chosen.names):
            continue
        verdict = judged(case, importer)
        verdicts.append((case, verdict))
        if verdict.kind != "right":
            print(f"{case.area}.{case.name}: {verdict.kind} {verdict.text}", flush=True)
    print({kind: sum(verdict.kind == kind for _, verdict in verdicts) for kind in ("right", "refused", "wrong")})
    if chosen.table:
        before, _, rest = chosen.table.read_text().partition(_BEGIN)
        chosen.table.write_text(f"{before}{_BEGIN}\n{table(verdicts)}{_END}{rest.partition(_END)[2]}")
    return any(verdict.kind == "wrong" for _, verdict in verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
