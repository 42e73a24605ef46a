"""``hotcell.jax.jit`` in place of ``jax.jit``."""

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

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def test_it_gives_what_jax_gives(cell: hotcell.Cell) -> None:
    @hotcell.jax.jit(host=cell)
    def layer(weights, x, *, scale=1.0):
        return {"y": jnp.tanh(x @ weights["w"]) * scale, "shape": x.sum()}

    weights, x = {"w": floats(4, 3)}, floats(2, 4)
    result = layer(weights, x, scale=2.0)
    assert isinstance(result["y"], jax.Array)
    np.testing.assert_allclose(result["y"], np.tanh(x @ weights["w"]) * 2, rtol=1e-4)


def test_it_is_imported_anew_for_new_shapes_and_once_for_the_same(cell: hotcell.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    from hotcell.jax import drop_in

    imports = []
    compiled = drop_in.compiled
    monkeypatch.setattr(drop_in, "compiled", lambda made, *rest, **how: imports.append(made) or compiled(made, *rest, **how))
    double = hotcell.jax.jit(lambda x: x * 2, host=cell)
    for shape, dtype in (((3,), "f4"), ((3,), "f4"), ((4,), "f4"), ((3,), "i4"), ((0,), "f4")):
        x = np.ones(shape, dtype)
        np.testing.assert_array_equal(double(x), x * 2)
    assert len(imports) == 4


def test_static_arguments_are_values_for_tracing(cell: hotcell.Cell) -> None:
    power = hotcell.jax.jit(lambda x, n: x**n, static_argnums=1, host=cell)
    np.testing.assert_allclose(power(np.float32([1, 2, 3]), 3), [1, 8, 27])
    np.testing.assert_allclose(power(np.float32([1, 2, 3]), 2), [1, 4, 9])


def test_it_stands_in_other_jax_programs(cell: hotcell.Cell) -> None:
    inner = hotcell.jax.jit(lambda x: jnp.sin(x) * x, host=cell)
    x = floats(5)
    outer = jax.jit(lambda x: inner(x * 2).sum())
    np.testing.assert_allclose(outer(x), (np.sin(2 * x) * 2 * x).sum(), rtol=1e-4)
    np.testing.assert_allclose(jax.vmap(inner)(floats(3, 5)).shape, (3, 5))


def test_its_gradient_is_imported(cell: hotcell.Cell) -> None:
    def energy(x, k):
        return (jnp.sin(x) * x).sum() * k

    x, k = floats(5), np.int32(3)
    got = jax.grad(hotcell.jax.jit(energy, host=cell))(x, k)
    np.testing.assert_allclose(got, jax.grad(energy)(x, k), rtol=1e-4, atol=1e-5)


def test_limits_are_options_of_every_launch(cell: hotcell.Cell) -> None:
    loop = hotcell.jax.jit(lambda x: jax.lax.while_loop(lambda s: s[0] > 0, lambda s: s * 1.0, x), host=cell, check=False, fuel="1M")
    with pytest.raises(hotcell.OutOfFuel):
        loop(np.ones(4, "f4"))
