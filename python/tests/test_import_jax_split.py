"""Cutting launches of imported kernels: where the dimension is proven to be independent, and nowhere else."""

from __future__ import annotations

import hotcell
import numpy as np
import pytest
from conftest import needed

needed("jax")
needed("llvmlite")

import hotcell.jax
import jax
import jax.numpy as jnp
from hotcell.jax import ImportRefused
from jax import lax

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def normed(x, g):
    return (x - x.mean(-1, keepdims=True)) * g


@pytest.mark.parametrize(
    ("function", "shapes", "examples"),
    [
        (normed, "(n,m),(m)->(n,m)", (floats(3, 5), floats(5))),
        (lambda a, b: jnp.tanh(a @ b), "(n,m),(m,k)->(n,k)", (floats(5, 7), floats(7, 9))),
        (lambda x: jnp.sort(x), "(n,m)->(n,m)", (floats(4, 9),)),
        (lambda x, y: jnp.einsum("bij,bkj->bik", x, y), "(n,i,j),(n,k,j)->(n,i,k)", (floats(2, 3, 4), floats(2, 5, 4))),
        (lambda x: lax.fori_loop(0, 4, lambda i, q: q * q + 1, x), "(n)->(n)", (floats(4) * 0.1,)),
    ],
)
def test_independent_dimensions_are_cut(cell, function, shapes, examples) -> None:
    kernel = hotcell.jax.kernel(function, *examples, shapes=shapes, split="n", name="cut", host=cell)
    many = [np.concatenate([one] * 500) if one.shape[0] == examples[0].shape[0] else one for one in examples]
    ended = kernel.cut.options(threads=2).run(*many).check()
    np.testing.assert_allclose(ended["out"], jax.jit(function)(*many), rtol=2e-4, atol=2e-5)
    whole = kernel.cut.options(split=False).run(*many).check()
    np.testing.assert_array_equal(ended["out"], whole["out"])


@pytest.mark.parametrize(
    ("function", "shapes", "examples"),
    [
        (lambda x: x - x.sum(0), "(n,m)->(n,m)", (floats(4, 5),)),
        (lambda x: jnp.sort(x), "(n)->(n)", (floats(9),)),
        (lambda x: x * jnp.arange(x.shape[0]), "(n)->(n)", (floats(9),)),
        (lambda x: x[::-1], "(n)->(n)", (floats(9),)),
        (lambda x: jnp.cumsum(x), "(n)->(n)", (floats(9),)),
        (lambda x: x * x.shape[0], "(n)->(n)", (floats(9),)),
        (lambda a, b: b @ a, "(n,m),(k,n)->(k,m)", (floats(5, 7), floats(9, 5))),
        (lambda x: x.sum(1), "(m,n)->(m)", (floats(4, 5),)),
    ],
)
def test_dimensions_that_are_mixed_are_not_cut(function, shapes, examples) -> None:
    with pytest.raises(ImportRefused, match="split"):
        hotcell.jax.kernel(function, *examples, shapes=shapes, split="n", check=False)
