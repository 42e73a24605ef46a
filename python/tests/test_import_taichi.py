"""Taichi kernels as components: what they give is what Taichi gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import needed

import hotcell
from hotcell.errors import ImportRefused

#: Taichi warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def ti() -> Any:
    needed("taichi")
    needed("llvmlite")
    import taichi

    taichi.init(arch=taichi.cpu, cpu_max_num_threads=1, offline_cache=False, log_level=taichi.ERROR, random_seed=3)
    return taichi


@pytest.fixture(scope="module")
def k(ti: Any) -> Any:
    import taichi_kernels

    return taichi_kernels


@pytest.fixture
def imported(ti: Any) -> Any:
    import hotcell.taichi

    return hotcell.taichi.kernel


def test_arrays_and_scalars(imported: Any, k: Any) -> None:
    component = imported(k.saxpy, "(n),(n)->(n)")
    x, y = np.arange(5, dtype="f4"), np.ones(5, "f4")
    assert list(component.saxpy(2.0, x, y)) == [1, 3, 5, 7, 9]
    assert component.saxpy.__doc__.startswith("Adds a scaled vector to another.")


def test_what_is_only_written_is_read_too_unless_the_signature_says_otherwise(imported: Any, k: Any) -> None:
    entry = imported(k.saxpy).saxpy
    assert [(p.name, p.role) for p in entry._kernel.parameters] == [("a", "scalar"), ("x", "input"), ("y", "input"), ("out", "inout")]


@pytest.mark.parametrize(
    "name", ["total", "turned", "wide", "halves", "doubles", "mathy", "largest", "of_thing", "changed", "drawn", "fibonaccis"]
)
def test_gives_what_taichi_gives(imported: Any, k: Any, name: str) -> None:
    # The comparison is part of the import.
    assert name in imported(getattr(k, name)).entries


def test_examples_are_what_is_compared(imported: Any, k: Any) -> None:
    x = np.array([3, 1, 3, 0], np.int32)
    component = imported(k.counted, "(n),(m)->(m)", arguments={"x": x, "out": np.zeros(4, np.int32)})
    assert list(component(x=x, out=np.zeros(4, np.int32))) == [1, 1, 0, 2]


def test_fields_are_arrays(imported: Any, k: Any, ti: Any) -> None:
    pixels = ti.field(ti.f32, shape=(32, 16))
    julia = k.julia_of(pixels, 16)
    component = imported(julia, "->(32,16)", fields={"image": pixels})
    got = component.julia(t=0.3)
    julia(0.3)
    assert got.shape == (32, 16) and np.array_equal(got, pixels.to_numpy())
    assert [p.name for p in component.julia._kernel.parameters] == ["t", "image"]


def test_components_that_lie_apart_are_indexed(imported: Any, k: Any) -> None:
    kernel, apart = k.apart_of()
    apart.from_numpy(np.random.default_rng(1).random((6, 4, 3), dtype="f4"))
    assert "apart" in [p.name for p in imported(kernel, arguments={"n": 2}).turned_on._kernel.parameters]


@pytest.fixture
def fields(ti: Any) -> Iterator[tuple[Any, Any, Any]]:
    x, v = ti.field(ti.f32), ti.Vector.field(2, ti.f32)
    block = ti.root.dense(ti.i, 4).dense(ti.i, 8)
    block.place(x, v)
    loss = ti.field(ti.f32, ())
    ti.root.lazy_grad()
    x.from_numpy(np.linspace(0, 1, 32, dtype="f4"))
    yield x, v, loss


def test_layouts_grads_and_programs(imported: Any, k: Any, fields: Any) -> None:
    x, v, loss = fields
    push, cost = k.kernels_of(x, v, loss)
    component = imported([(push, 5), cost], name="fall", arguments={"dt": 0.125})
    got = component.fall(0.125, x.to_numpy(), v.to_numpy(), loss.to_numpy())
    for _ in range(5):
        push(0.125)
    cost()
    assert np.allclose(got.x, x.to_numpy(), rtol=1e-5) and np.allclose(got.v, v.to_numpy(), rtol=1e-5)
    assert np.allclose(got.loss, loss.to_numpy(), rtol=1e-4)
    assert "cost" in imported(cost.grad).entries


def test_a_step_says_what_its_arguments_are(imported: Any, k: Any, fields: Any) -> None:
    push, cost = k.kernels_of(*fields)
    component = imported([(push, 2, {"dt": 0.5}), (push, 1, {"dt": "last"}), cost], name="fall")
    assert [p.name for p in component.fall._kernel.parameters if p.role == "scalar"] == ["last"]


def test_steps_are_repeated_together(imported: Any, k: Any, fields: Any) -> None:
    x, v, loss = fields
    push, cost = k.kernels_of(x, v, loss)
    component = imported([([push, cost], 3), push], name="fall", arguments={"dt": 0.125})
    got = component.fall(0.125, x.to_numpy(), v.to_numpy(), loss.to_numpy())
    for _ in range(3):
        push(0.125)
        cost()
    push(0.125)
    assert np.allclose(got.x, x.to_numpy(), rtol=1e-5) and np.allclose(got.loss, loss.to_numpy(), rtol=1e-4)


def test_methods_find_their_fields(imported: Any, k: Any) -> None:
    waves = k.Waves(16)
    component = imported(waves.step)
    got = component.step(0.5, np.zeros(16, "f4"), np.ones((4, 5, 3), "f4"))
    assert np.all(got.u == 8) and np.all(got.v[..., 1] == 3)


def test_templates(imported: Any, k: Any, ti: Any) -> None:
    field = ti.field(ti.f32, 8)
    assert list(imported(k.incremented, fields={"x": field})(np.zeros(8, "f4"))) == [1] * 8
    with pytest.raises(ImportRefused, match="`x` is a template"):
        imported(k.incremented)


def test_random_numbers_come_of_the_seed(imported: Any, k: Any) -> None:
    entry = imported(k.drawn).drawn
    x, y = np.zeros(8, "f4"), np.zeros(8, "f8")
    one, same, other = entry(x, y, seed=1), entry(x, y, seed=1), entry(x, y, seed=2)
    assert np.array_equal(one.x, same.x) and not np.array_equal(one.x, other.x)


def test_an_assertion_is_the_kernels_error(imported: Any, k: Any) -> None:
    component = imported(k.demanding, arguments={"n": 5})
    assert list(component.demanding(3, np.zeros(2, "f4"))) == [3, 3]
    with pytest.raises(hotcell.KernelError, match="n is too small"):
        component.demanding(1, np.zeros(2, "f4"))


def test_limits_hold(imported: Any, k: Any) -> None:
    entry = imported(k.endless, check=False).endless
    with pytest.raises(hotcell.OutOfFuel):
        entry.options(fuel="10M")(np.zeros(4, "i4"))
    with pytest.raises(hotcell.Timeout):
        entry.options(timeout=0.2, fuel="100T")(np.zeros(4, "i4"))


def test_the_same_kernel_gives_the_same_bytes(imported: Any, k: Any) -> None:
    assert imported(k.mathy).digest == imported(k.mathy).digest


def _graph(ti: Any, k: Any, builder: Any) -> Any:
    """What a builder makes of three times ``b += by * a`` and then ``a[0] = max(b)``."""
    a, b = (ti.graph.Arg(ti.graph.ArgKind.NDARRAY, name, ti.f32, ndim=1) for name in ("a", "b"))
    by = ti.graph.Arg(ti.graph.ArgKind.SCALAR, "by", ti.f32)
    part = builder.create_sequential()
    part.dispatch(k.saxpy, by, a, b, b)
    for _ in range(3):
        builder.append(part)
    builder.dispatch(k.largest, b, a)
    return builder.compile()


def test_graphs(ti: Any, k: Any) -> None:
    import hotcell.taichi

    graph = _graph(ti, k, hotcell.taichi.GraphBuilder())
    got = graph.component.graph(2.0, np.ones(4, "f4"), np.zeros(4, "f4"))
    assert list(got.b) == [6] * 4 and list(got.a) == [6, 1, 1, 1]
    # Run as Taichi's graphs are, with Taichi's arrays or NumPy's.
    a, b = ti.ndarray(ti.f32, 4), np.zeros(4, "f4")
    a.fill(1)
    graph.run({"by": 2.0, "a": a, "b": b})
    assert list(b) == [6] * 4 and list(a.to_numpy()) == [6, 1, 1, 1]
    with pytest.raises(TypeError, match="`by` is missing"):
        graph.run({"a": a, "b": b})
    with pytest.raises(TypeError, match="`c` is none"):
        graph.run({"by": 2.0, "a": a, "b": b, "c": b})


def test_graphs_change_fields(ti: Any, k: Any, fields: Any) -> None:
    import hotcell.taichi

    x, v, loss = fields
    push, cost = k.kernels_of(x, v, loss)
    builder = hotcell.taichi.GraphBuilder()
    builder.dispatch(push, ti.graph.Arg(ti.graph.ArgKind.SCALAR, "dt", ti.f32))
    builder.dispatch(cost)
    before = {field: field.to_numpy() for field in fields}
    push(0.5)
    cost()
    want = [field.to_numpy() for field in fields]
    for field, content in before.items():
        field.from_numpy(content)
    builder.compile().run({"dt": 0.5})
    assert all(np.allclose(field.to_numpy(), one, rtol=1e-4) for field, one in zip(fields, want, strict=True))


def test_graphs_of_taichis_own_are_imported_where_they_were_recorded(ti: Any, k: Any) -> None:
    import hotcell.taichi

    original = ti.graph.GraphBuilder
    with hotcell.taichi.recording():
        graph = _graph(ti, k, ti.graph.GraphBuilder())
    assert ti.graph.GraphBuilder is original
    got = hotcell.taichi.kernel(graph).graph(2.0, np.ones(4, "f4"), np.zeros(4, "f4"))
    a, b = ti.ndarray(ti.f32, 4), ti.ndarray(ti.f32, 4)
    a.fill(1)
    b.fill(0)
    graph.run({"by": 2.0, "a": a, "b": b})
    assert np.array_equal(got.a, a.to_numpy()) and np.array_equal(got.b, b.to_numpy())
    with pytest.raises(ImportRefused, match="recording"):
        hotcell.taichi.kernel(_graph(ti, k, ti.graph.GraphBuilder()))
