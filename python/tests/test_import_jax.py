"""JAX functions as kernels: what they give, what they are called, and what is refused."""

from __future__ import annotations

from pathlib import Path

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


#: The shape of a convolution's kernel.
KERNEL = (3, 3, 3, 4)


def convolved(image, kernel, stride, padding):
    return lax.conv_general_dilated(image, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pooled(image, how, stride, padding):
    return lax.reduce_window(image, -np.inf if how is lax.max else 0.0, how, (1, 2, 2, 1), (1, stride, stride, 1), padding)


def saxpy(a, x, y):
    """a times x, plus y."""
    return a * x + y


def test_a_function_becomes_a_kernel(cell: hotcell.Cell) -> None:
    x, y = floats(5), floats(5)
    kernel = hotcell.jax.kernel(saxpy, np.float32(2), x, y, host=cell)
    assert kernel.saxpy.signature == "(5),(5)->(5)"
    assert [parameter.name for parameter in kernel.saxpy.parameters] == ["a", "x", "y", "out"]
    assert "a times x" in (kernel.saxpy.__doc__ or "")
    np.testing.assert_allclose(kernel(2.0, x, y), 2 * x + y, rtol=1e-6)


def test_named_dimensions_serve_all_extents(cell: hotcell.Cell) -> None:
    kernel = hotcell.jax.kernel(saxpy, np.float32(2), floats(5), floats(5), shapes="(n),(n)->(n)", host=cell)
    for n in (0, 1, 7, 1000):
        x, y = floats(n), floats(n)
        np.testing.assert_allclose(kernel(3.0, x, y), 3 * x + y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "shapes", "sizes"),
    [
        (lambda a, b: a @ b, "(n,m),(m,k)->(n,k)", [((3, 4), (4, 5)), ((33, 70), (70, 9)), ((1, 1), (1, 1))]),
        (lambda a, b: jnp.tanh(jnp.sin(a) @ b @ b.T + 1).T, "(n,m),(m,k)->(m,n)", [((3, 4), (4, 5)), ((9, 2), (2, 0)), ((0, 3), (3, 2))]),
        (lambda x: jax.nn.softmax(x, -1), "(n,m)->(n,m)", [((2, 3),), ((64, 100),)]),
        (lambda x: lax.scan(lambda c, q: (c + q, c * q), jnp.zeros(x.shape[1]), x), "(n,m)->(m),(n,m)", [((4, 5),), ((1, 2),)]),
        (lambda x: jnp.cumsum(x), "(n)->(n)", [((9,),), ((1,),)]),
        (lambda x: jnp.sort(x), "(n)->(n)", [((9,),), ((1000,),)]),
        (lambda x: lax.cumlogsumexp(x, axis=1, reverse=True), "(n,m)->(n,m)", [((4, 5),), ((1, 2),)]),
        (lambda x: x[::2].sum(0) + x[1::3].sum(0), "(n,m)->(m)", [((3, 5),), ((8, 2),), ((1, 1),)]),
        (lambda x: x[: x.shape[0] // 2].sum() / (x.shape[0] % 3 + 1), "(n)->()", [((5,),), ((1,),), ((8,),)]),
        (lambda a, k: convolved(a, k, 1, "SAME"), "(n,h,w,3),(3,3,3,4)->(n,h,w,4)", [((2, 8, 9, 3), KERNEL), ((1, 3, 3, 3), KERNEL)]),
        (lambda a, k: convolved(a, k, 2, "SAME").mean((1, 2)), "(n,h,w,3),(3,3,3,4)->(n,4)", [((2, 9, 8, 3), KERNEL), ((1, 1, 1, 3), KERNEL)]),
        # Too small an image has no window.
        (lambda a, k: convolved(a, k, 3, "VALID").sum((1, 2)), "(n,h,w,3),(3,3,3,4)->(n,4)", [((2, 9, 8, 3), KERNEL), ((2, 9, 1, 3), KERNEL)]),
        (lambda x: pooled(x, lax.max, 2, "VALID"), "(n,8,9,3)->(n,4,4,3)", [((2, 8, 9, 3),), ((1, 8, 9, 3),)]),
        (lambda x: pooled(x, lax.max, 2, "SAME").mean((1, 2)), "(n,h,w,3)->(n,3)", [((2, 8, 9, 3),), ((1, 1, 2, 3),)]),
        (lambda x: pooled(x, lax.add, 1, "SAME"), "(n,h,w,3)->(n,h,w,3)", [((2, 8, 9, 3),), ((1, 1, 2, 3),)]),
        (
            lambda a, k: pooled(convolved(pooled(a, lax.max, 2, "VALID"), k, 2, "SAME"), lax.add, 2, "SAME").mean((1, 2)),
            "(n,h,w,3),(3,3,3,4)->(n,4)",
            [((2, 16, 17, 3), KERNEL), ((1, 32, 8, 3), KERNEL)],
        ),
        (lambda x: jax.grad(lambda x: (pooled(x, lax.max, 2, "VALID") ** 2).sum())(x), "(n,8,9,3)->(n,8,9,3)", [((2, 8, 9, 3),)]),
    ],
)
def test_named_dimensions_go_through_everything(cell, function, shapes, sizes) -> None:
    kernel = hotcell.jax.kernel(function, *(floats(*shape) for shape in sizes[0]), shapes=shapes, host=cell)
    for shapes_ in sizes:
        given = [floats(*shape) for shape in shapes_]
        got = kernel(*given)
        for one, want in zip(got if isinstance(got, tuple) else (got,), jax.tree.leaves(jax.jit(function)(*given)), strict=True):
            np.testing.assert_allclose(one, want, rtol=2e-4, atol=2e-5)


def test_pytrees_are_flattened_with_their_paths(cell: hotcell.Cell) -> None:
    def layer(weights, x):
        return {"y": x @ weights["w"] + weights["b"], "norm": (x * x).sum()}

    weights = {"w": floats(4, 3), "b": floats(3), "unused": floats(7)}
    kernel = hotcell.jax.kernel(layer, weights, floats(2, 4), host=cell)
    names = [parameter.name for parameter in kernel.layer.parameters]
    assert names == ["weights_b", "weights_w", "x", "norm", "y"]
    x = floats(2, 4)
    result = kernel.layer(weights_b=weights["b"], weights_w=weights["w"], x=x)
    np.testing.assert_allclose(result.y, x @ weights["w"] + weights["b"], rtol=1e-4, atol=1e-5)


def test_the_same_function_gives_the_same_bytes(cell: hotcell.Cell) -> None:
    def function(x):
        return jnp.tanh(x @ x.T).sum(0), jnp.sort(x, axis=0)

    x = floats(6, 5)
    first, second = (hotcell.jax.kernel(function, x, host=cell, check=False) for _ in range(2))
    assert first.bytes == second.bytes


def test_an_imported_kernel_is_saved_and_loaded(cell: hotcell.Cell, tmp_path: Path) -> None:
    kernel = hotcell.jax.kernel(saxpy, np.float32(2), floats(3), floats(3), name="axpy", host=cell)
    loaded = cell.load(kernel.save(tmp_path / "axpy.wasm"))
    np.testing.assert_allclose(loaded.axpy(1.0, np.ones(3, "f4"), np.ones(3, "f4")), 2)


def test_a_module_of_somebody_else_is_imported(cell: hotcell.Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """
    module {
      func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
        %0 = stablehlo.add %x, %y : tensor<4xf32>
        %1 = stablehlo.maximum %0, %x : tensor<4xf32>
        return %1 : tensor<4xf32>
      }
    }
    """
    kernel = hotcell.jax.import_mlir(text, name="larger", host=cell)
    x, y = floats(4), floats(4)
    np.testing.assert_array_equal(kernel(x, y), np.maximum(x + y, x))
    module = tmp_path / "larger.mlir"
    module.write_text(text)
    assert hotcell.jax.main([str(module)]) == 0
    assert cell.load(tmp_path / "larger.wasm").larger.signature == "(4),(4)->(4)"
    module.write_text("no module")
    assert hotcell.jax.main([str(module)]) == 16
    assert "this is no StableHLO module" in capsys.readouterr().err


def test_refusals_name_the_operation_the_line_and_what_to_do() -> None:
    def decomposed(a):
        return jnp.linalg.svd(a)[1]

    with pytest.raises(ImportRefused) as refused:
        hotcell.jax.kernel(decomposed, floats(3, 3))
    assert "gesdd" in refused.value.operation
    assert refused.value.dtype == "f32"
    assert refused.value.source.startswith("test_import_jax.py:")
    assert "compute it before" in str(refused.value)


@pytest.mark.parametrize(
    ("function", "shapes", "reason"),
    [
        (lambda a: jnp.concatenate([a, a]), "(n)->(2*n)", "derived"),
        (lambda a: a, "(n),(n)->(n)", "shapes has 2 arrays"),
        (lambda a: jax.pure_callback(lambda q: q, jax.ShapeDtypeStruct((4,), np.float32), a), None, "call back into Python|calls a library"),
        (lambda a: a + 1, "(a)->(a)", "called as an argument"),
    ],
)
def test_what_a_kernel_cannot_be_is_refused(function, shapes, reason) -> None:
    with pytest.raises(ImportRefused, match=reason):
        hotcell.jax.kernel(function, floats(4), shapes=shapes)


def test_a_difference_refuses_the_import(cell: hotcell.Cell) -> None:
    with pytest.raises(ImportRefused, match=r"out\[\d+, \d+\].*original"):
        hotcell.jax.kernel(lambda x: x @ x.T, floats(30, 300), tolerance=0.0, host=cell)


@pytest.mark.parametrize("metering", ["fast", "strict", "deterministic"])
def test_limits_and_records_hold_for_imported_kernels(cell: hotcell.Cell, metering: str) -> None:
    def forever(x):
        return lax.while_loop(lambda s: s[0] >= 0, lambda s: (s[0], s[1] * 0.5 + 1), (x[0], x))[1]

    kernel = hotcell.jax.kernel(forever, np.ones(8, "f4"), check=False, host=cell)
    with pytest.raises(hotcell.Timeout):
        kernel.forever.options(timeout=0.2, fuel="100T", metering=metering)(np.ones(8, "f4"))
    with pytest.raises(hotcell.OutOfFuel) as spent:
        kernel.forever.options(fuel="1M", metering="strict")(np.ones(8, "f4"))
    assert spent.value.report is not None
    assert spent.value.report["outcome"]["kind"] == "out-of-fuel"


def test_memory_limits_hold_for_imported_kernels(cell: hotcell.Cell) -> None:
    def wide(x):
        return jnp.sort(jnp.broadcast_to(x[:, None], (4096, 4096)), axis=0).sum()

    kernel = hotcell.jax.kernel(wide, floats(4096), check=False, host=cell)
    with pytest.raises((hotcell.MemoryLimit, hotcell.Trap)):
        kernel.wide.options(memory="16MiB")(floats(4096))


def test_a_carry_is_updated_in_place(cell: hotcell.Cell) -> None:
    def filled(x):
        return lax.fori_loop(0, 1000, lambda i, s: s.at[i].set(s[i - 1] + 1.0), x)

    x = np.zeros(100_000, "f4")
    kernel = hotcell.jax.kernel(filled, x, host=cell)
    report = kernel.filled.run(x).check().report
    # A copy for each turn would be 400 MB.
    assert report["timings"]["body_ns"] < 50e6


def test_temporaries_share_memory(cell: hotcell.Cell) -> None:
    def chained(x):
        for _ in range(40):
            x = jnp.cumsum(jnp.sin(x))
        return x

    x = floats(1 << 20)
    kernel = hotcell.jax.kernel(chained, x, check=False, host=cell)
    assert np.isfinite(kernel.chained.options(memory="64MiB")(x)).all()
