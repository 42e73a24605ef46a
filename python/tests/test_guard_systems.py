"""JAX, Taichi, PyTorch and NumPy in guarded processes: what their compilers and kernels do without an end, ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import hotcell
from conftest import needed

#: What may pass between a limit's moment and the end of its call on a machine that others use too, in seconds.
SLACK = 6.0
#: From being asked to stop to being killed.
GRACE = 0.2
#: For what is not to end by its deadline.
LONG = 120.0


def of(cell: hotcell.Cell, module: str, profile: str, **options: Any) -> hotcell.Guarded:
    needed(module)
    return hotcell.guarded(host=cell, imports=[module], profile=profile, timeout=LONG, stop_grace=GRACE, **options)


@pytest.fixture(scope="module")
def jax(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    with of(cell, "jax", "jax") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def taichi(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    # It reserves a gibibyte at its start.
    with of(cell, "taichi", "taichi", memory="3GiB") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def torch(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    with of(cell, "torch", "torch-cpu") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def numpy(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    with of(cell, "numpy", "numpy") as guarded:
        yield guarded


def late(guarded: hotcell.Guarded, function: Callable[[], Any], timeout: float = 2.0) -> hotcell.Timeout:
    """It ends at its deadline, and the next call works."""
    guarded.call(os.getpid)
    begun = time.monotonic()
    with pytest.raises(hotcell.Timeout) as raised:
        guarded.options(timeout=timeout).call(function)
    assert time.monotonic() - begun < timeout + GRACE + SLACK
    assert raised.value.breach[0] == "timeout_ns" and raised.value.breach[1] > raised.value.breach[2]
    assert guarded.call(len, [1, 2]) == 2
    return raised.value


def too_much(guarded: hotcell.Guarded, function: Callable[[], Any], memory: str = "500MiB") -> hotcell.MemoryLimit:
    """It ends with the limit on memory, and the next call works."""
    begun = time.monotonic()
    with pytest.raises(hotcell.MemoryLimit) as raised:
        guarded.options(memory=memory, timeout=30.0).call(function)
    assert time.monotonic() - begun < 30
    assert raised.value.breach[0] == "process_memory_bytes"
    assert guarded.call(len, [1, 2]) == 2
    return raised.value


def denied(guarded: hotcell.Guarded, function: Callable[[], Any]) -> hotcell.Denied:
    with pytest.raises(hotcell.Denied) as raised:
        guarded.call(function)
    assert guarded.call(len, [1, 2]) == 2
    return raised.value


# --- NumPy ---


def test_numpy_spins(numpy: hotcell.Guarded) -> None:
    def spins() -> Any:
        a = np.ones((20_000, 200))
        return np.einsum("ij,kj,lj->", a, a, a)

    late(numpy, spins)


def test_numpy_multiplies(numpy: hotcell.Guarded) -> None:
    def multiplies() -> Any:
        a = np.ones((3000, 3000))
        while True:
            a = (a @ a) / 3000

    late(numpy, multiplies)
    assert numpy.call(lambda: float((np.ones((500, 500)) @ np.ones((500, 500)))[0, 0])) == 500


def test_numpy_allocates(numpy: hotcell.Guarded) -> None:
    assert "GiB" in str(too_much(numpy, lambda: np.zeros(1 << 30)))
    too_much(numpy, lambda: np.ones(1 << 27).sum())


def socket() -> None:
    import socket

    socket.create_connection(("127.0.0.1", 80), timeout=1)


def test_numpy_opens_a_socket(numpy: hotcell.Guarded) -> None:
    assert "socket" in str(denied(numpy, socket))


# --- JAX ---


def test_jax_computes(jax: hotcell.Guarded) -> None:
    def computes(x: np.ndarray) -> Any:
        import jax
        import jax.numpy as jnp

        return jax.jit(lambda x: jnp.sin(x).sum())(x), jax.grad(lambda x: (x**2).sum())(x), jax.vmap(jnp.sum)(x[None])

    x = np.linspace(0, 1, 50, dtype="f4")
    total, gradient, mapped = jax.call(computes, x)
    assert np.allclose(total, np.sin(x).sum(), rtol=1e-4) and np.allclose(gradient, 2 * x) and mapped.shape == (1,)
    assert type(gradient) is np.ndarray and gradient.dtype == np.float32


def test_jax_compiles_for_ever(jax: hotcell.Guarded) -> None:
    def bomb() -> Any:
        import jax
        import jax.numpy as jnp

        @jax.jit
        def unrolled(x: Any) -> Any:
            for n in range(100_000):
                x = jnp.sin(x) * n + x
            return x

        return unrolled(jnp.ones(10))

    late(jax, bomb, 3.0)


def test_jaxs_compiler_is_at_work_for_ever(jax: hotcell.Guarded) -> None:
    def bomb() -> Any:
        import jax
        import jax.numpy as jnp

        def unrolled(x: Any) -> Any:
            return jax.lax.scan(lambda x, _: (jnp.sin(x) @ x, None), x, None, length=20_000, unroll=20_000)[0]

        return jax.jit(unrolled)(jnp.ones((8, 8)))

    jax.call(os.getpid)
    begun = time.monotonic()
    # XLA itself may overflow its stack before.
    with pytest.raises((hotcell.Timeout, hotcell.MemoryLimit, hotcell.Trap)):
        jax.options(timeout=4.0).call(bomb)
    assert time.monotonic() - begun < 4 + GRACE + SLACK and jax.call(len, [1, 2]) == 2


def test_jax_spins(jax: hotcell.Guarded) -> None:
    def spins() -> Any:
        import jax
        import jax.numpy as jnp

        return jax.jit(lambda x: jax.lax.while_loop(lambda x: x[0] >= 0, lambda x: x * 0.5 + 0.5, x))(jnp.ones(3))

    late(jax, spins)


def test_jax_allocates(jax: hotcell.Guarded) -> None:
    def allocates() -> Any:
        import jax.numpy as jnp

        return jnp.ones((1 << 20, 512)).sum()

    too_much(jax, allocates, "1GiB")


def test_jax_allocates_bit_by_bit(jax: hotcell.Guarded) -> None:
    def allocates() -> Any:
        import jax.numpy as jnp

        kept = []
        while True:
            kept.append((jnp.ones(8 << 20) * len(kept)).block_until_ready())

    too_much(jax, allocates, "700MiB")


def test_jaxs_callback_opens_a_socket(jax: hotcell.Guarded) -> None:
    def calls_back() -> Any:
        import jax
        import jax.numpy as jnp

        def connect(x: Any) -> Any:
            import socket

            socket.create_connection(("127.0.0.1", 80), timeout=1)
            return x

        spec = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.jit(lambda x: jax.pure_callback(connect, spec, x))(jnp.float32(1)).block_until_ready()

    denied(jax, calls_back)


# --- Taichi ---


def test_taichi_computes(taichi: hotcell.Guarded) -> None:
    def computes(count: int) -> Any:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)
        field = ti.field(ti.f32, count)

        @ti.kernel
        def fill():
            for n in field:
                field[n] = n * 2.0

        fill()
        return field

    result = taichi.call(computes, 100)
    assert type(result) is np.ndarray and np.allclose(result, 2 * np.arange(100))


def test_taichi_computes_within_the_default_limits(cell: hotcell.Cell) -> None:
    def computes() -> int:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)
        field = ti.field(ti.i32, 10)
        field.fill(3)
        return int(field[5])

    needed("taichi")
    with hotcell.guarded(host=cell, imports=["taichi"]) as guarded:
        assert guarded.call(computes) == 3


def test_taichi_without_its_memory_says_that_it_is_the_limit(cell: hotcell.Cell) -> None:
    def begins() -> None:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)

    needed("taichi")
    with hotcell.guarded(host=cell, imports=["taichi"], memory="300MiB") as guarded:
        too_much(guarded, begins, "300MiB")


def test_taichi_spins(taichi: hotcell.Guarded) -> None:
    def spins() -> Any:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)
        count = ti.field(ti.i32, ())

        @ti.kernel
        def endless():
            while count[None] >= 0:
                count[None] = 1

        endless()

    late(taichi, spins, 3.0)


def test_taichi_fills_memory(taichi: hotcell.Guarded) -> None:
    def fills() -> Any:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)
        values = ti.field(ti.f64)
        ti.root.pointer(ti.i, 1 << 16).dense(ti.i, 1 << 12).place(values)

        @ti.kernel
        def fill():
            for n in range(1 << 28):
                values[n] = 1.0

        fill()
        ti.sync()

    too_much(taichi, fills, "1700MiB")


def test_taichis_field_is_larger_than_its_limit(taichi: hotcell.Guarded) -> None:
    def allocates() -> Any:
        import taichi as ti

        ti.init(arch=ti.cpu, offline_cache=False, log_level=ti.ERROR)
        field = ti.field(ti.f64, 1 << 28)
        field.fill(1)
        ti.sync()

    too_much(taichi, allocates, "1700MiB")


def test_taichi_opens_a_socket(taichi: hotcell.Guarded) -> None:
    denied(taichi, socket)


# --- PyTorch ---


def test_torch_computes(torch: hotcell.Guarded) -> None:
    def computes(x: np.ndarray) -> Any:
        import torch

        t = torch.from_numpy(x).requires_grad_()
        (t**2).sum().backward()
        return t, t.grad, torch.tensor([True]), torch.ones(3, dtype=torch.float16), torch.tensor(2.5), torch.tensor([1j]).conj()

    x = np.arange(4, dtype="f4")
    there, gradient, truth, half, scalar, conjugate = torch.call(computes, x)
    assert np.array_equal(there, x) and np.array_equal(gradient, 2 * x) and truth.dtype == bool and half.dtype == np.float16
    assert float(scalar) == 2.5 and conjugate[0] == -1j


def test_torch_spins(torch: hotcell.Guarded) -> None:
    def spins() -> Any:
        import torch

        a = torch.ones(3000, 3000)
        while True:
            a = (a @ a) / 3000

    late(torch, spins)


def test_torchs_script_spins(torch: hotcell.Guarded) -> None:
    def spins() -> Any:
        import torch

        unit = torch.jit.CompilationUnit("def f(x: Tensor) -> Tensor:\n    while bool(x.sum() > 0):\n        x = x * 1.0\n    return x\n")
        return unit.f(torch.ones(3))

    late(torch, spins)


def test_torch_allocates(torch: hotcell.Guarded) -> None:
    def allocates() -> Any:
        import torch

        return torch.ones(1 << 29).sum()

    too_much(torch, allocates, "500MiB")


def test_torch_opens_a_socket(torch: hotcell.Guarded) -> None:
    denied(torch, socket)

    def store() -> Any:
        import torch.distributed as distributed

        distributed.TCPStore("127.0.0.1", 29999, 1, True)

    with pytest.raises(hotcell.Error):
        torch.options(timeout=10).call(store)
    assert torch.call(len, [1]) == 1
