"""Taichi kernels for the GPU: what they give there is what Taichi gives on the processor."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
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
    import taichi_gpu_kernels

    return taichi_gpu_kernels


@pytest.fixture(scope="module")
def cpu_kernels(ti: Any) -> Any:
    import taichi_kernels

    return taichi_kernels


@pytest.fixture(scope="module")
def imported(ti: Any) -> Callable[..., hotcell.Component]:
    """Imports a kernel for both; without a device or a driver the test is one that this machine cannot do."""
    import hotcell.taichi

    def imported(*arguments: Any, targets: Any = ("cpu", "gpu"), **options: Any) -> hotcell.Component:
        try:
            component: hotcell.Component = hotcell.taichi.kernel(*arguments, targets=targets, **options)
        except ImportRefused as refusal:
            if re.search("no Vulkan driver|no GPU here", str(refusal)) and not os.environ.get("HOTCELL_REQUIRE_ALL_TESTS"):
                pytest.skip(str(refusal))
            raise
        return component

    return imported


@pytest.fixture(scope="module")
def cell() -> hotcell.Cell:
    return hotcell.Cell(policy=False, tier="unprivileged", grants=["gpu"])


def _refused(act: Callable[[], Any]) -> ImportRefused:
    with pytest.raises(ImportRefused) as raised:
        act()
    return raised.value


def test_both_forms_take_and_give_the_same(imported: Any, cpu_kernels: Any, cell: hotcell.Cell) -> None:
    component = imported(cpu_kernels.saxpy, "(n),(n)->(n)")
    assert sorted(component.entries) == ["saxpy", "saxpy_gpu"]
    x, y = np.linspace(0, 1, 100_003, dtype="f4"), np.ones(100_003, "f4")
    # The CPU's form runs where no GPU is granted.
    want = component.saxpy(2.0, x, y)
    got = cell.load(component.digest).saxpy_gpu(2.0, x, y)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    with pytest.raises(hotcell.Denied, match="gpu"):
        component.saxpy_gpu(2.0, x, y)


def test_one_form_alone_has_the_kernels_name(imported: Any, cpu_kernels: Any, cell: hotcell.Cell) -> None:
    component = imported(cpu_kernels.saxpy, "(n),(n)->(n)", targets=("gpu",))
    assert list(component.entries) == ["saxpy"]
    x = np.arange(5, dtype="f4")
    assert list(cell.load(component.digest).saxpy(2.0, x, x)) == [0, 3, 6, 9, 12]


@pytest.mark.parametrize("name", ["turned", "mathy", "largest", "counted"])
def test_gives_what_taichi_gives(imported: Any, cpu_kernels: Any, name: str) -> None:
    # The comparison is part of the import.
    assert f"{name}_gpu" in imported(getattr(cpu_kernels, name)).entries


@pytest.mark.parametrize("name", ["gemm", "attract", "added", "arranged", "both_signs", "measured"])
def test_gives_what_taichi_gives_too(imported: Any, k: Any, name: str) -> None:
    rng = np.random.default_rng(5)
    examples: dict[str, Any] = {
        "gemm": {"a": rng.random((33, 65)), "b": rng.random((65, 17)), "c": np.zeros((33, 17))},
        "attract": {"x": rng.random((70, 3)), "v": rng.random((70, 3)), "dt": 0.01},
        "added": {"x": rng.random(40_000)},
        "arranged": {"x": rng.random((7, 5, 3)), "n": 3, "k": 2, "on": True},
        "both_signs": {"x": rng.integers(-99, 99, 1000), "low": np.zeros(4), "high": np.zeros(2)},
        "measured": {"x": rng.integers(0, 1 << 30, (50, 40))},
    }
    of = examples[name]
    typed = {key: value.astype("i4" if value.dtype.kind == "i" else "f4") if isinstance(value, np.ndarray) else value for key, value in of.items()}
    if name == "both_signs":
        typed["low"], typed["high"] = np.zeros(4, "i4"), np.zeros(2, "u4")
    assert f"{name}_gpu" in imported(getattr(k, name), arguments=typed, tolerance=1e-3 if name == "added" else None).entries


def test_fields_are_buffers(imported: Any, cpu_kernels: Any, ti: Any, cell: hotcell.Cell) -> None:
    pixels = ti.field(ti.f32, shape=(640, 320))
    julia = cpu_kernels.julia_of(pixels, 320)
    component = imported(julia, "->(640,320)", fields={"image": pixels})
    julia(0.3)
    got = cell.load(component.digest).julia_gpu(t=0.3)
    assert got.shape == (640, 320) and np.mean(got != pixels.to_numpy()) < 1e-3


def test_words_of_one_tree_have_several_types(imported: Any, k: Any) -> None:
    mixed, fields = k.mixed_of()
    component = imported(mixed, fields=fields)
    assert [p.name for p in component.mixed_gpu._kernel.parameters] == ["f", "c", "u"]


def test_components_that_lie_apart_stay_together(imported: Any, cpu_kernels: Any) -> None:
    kernel, apart = cpu_kernels.apart_of()
    apart.from_numpy(np.random.default_rng(1).random((6, 4, 3), dtype="f4"))
    assert "turned_on_gpu" in imported(kernel, arguments={"n": 2}).entries


def test_gradients_that_taichi_gets_wrong_are_refused(imported: Any, cpu_kernels: Any, ti: Any) -> None:
    x, v = ti.field(ti.f32), ti.Vector.field(2, ti.f32)
    ti.root.dense(ti.i, 4).dense(ti.i, 8).place(x, v)
    loss = ti.field(ti.f32, ())
    ti.root.lazy_grad()
    x.from_numpy(np.linspace(0, 1, 32, dtype="f4"))
    push, cost = cpu_kernels.kernels_of(x, v, loss)
    assert "push_gpu" in imported(push).entries
    assert _refused(lambda: imported(cost.grad, name="cost")).operation == "gradient"


def test_gradients_in_blocks_of_their_own(imported: Any, k: Any) -> None:
    x, y, squares = k.derived_of()
    x.from_numpy(np.linspace(0, 1, 24, dtype="f4"))
    y.grad[None] = 1
    assert "derived_gpu" in imported(squares.grad, name="derived").entries


def test_mpm88(imported: Any, k: Any, cell: hotcell.Cell) -> None:
    begin, substep, fields = k.mpm88_of(1024, 64)
    begin()
    component = imported([(substep, 10)], name="frame", fields=fields)
    before = {name: field.to_numpy() for name, field in fields.items()}
    ended = cell.load(component.digest).frame_gpu.run(**before)
    ended.check()
    for _ in range(10):
        substep()
    for name in ("x", "v", "J"):
        np.testing.assert_allclose(ended.results[name], fields[name].to_numpy(), rtol=1e-3, atol=1e-4)
    # The caller's, and Taichi's own, are not touched by an import.
    assert not np.array_equal(before["x"], fields["x"].to_numpy())


def test_a_program_is_one_batch(imported: Any, k: Any, cell: hotcell.Cell) -> None:
    state, doubled, turned = k.program_of()
    state.from_numpy(np.random.default_rng(1).random((24, 8), dtype="f4"))
    component = imported([([doubled, (turned, 2)], 3), (turned, 1, {"by": 0.25})], name="played", arguments={"by": 0.1})
    report = cell.load(component.digest).played_gpu.run(state=state.to_numpy(), by=0.1).report
    assert report["usage"]["gpu"]["dispatches"] == 10


def test_templates_and_methods_of_objects_with_fields(imported: Any, k: Any, ti: Any) -> None:
    field = ti.field(ti.f32, shape=40)
    component = imported(k.shifted, arguments={"x": field})
    assert [p.name for p in component.shifted_gpu._kernel.parameters] == ["by", "x"]


def test_infinite_constants_are_said_otherwise(imported: Any, k: Any) -> None:
    assert "least_gpu" in imported(k.least).entries


def test_fuel_ends_a_loop(imported: Any, k: Any, cell: hotcell.Cell) -> None:
    component = imported(k.waiting, check=False, targets=("gpu",))
    entry = cell.load(component.digest).waiting
    assert list(entry(n=7, x=np.full(3, 7, np.int32))) == [7, 7, 7]
    with pytest.raises(hotcell.OutOfGpuFuel):
        # The loop goes through all numbers of 32 bits before it comes to 0.
        entry.options(gpu_fuel="2M")(n=0, x=np.ones(64, np.int32))


@pytest.mark.parametrize(("name", "words"), [("doubles", "f64"), ("halves", "f16"), ("wide", "i8"), ("total", "f64")])
def test_other_widths_are_refused_by_name(imported: Any, cpu_kernels: Any, name: str, words: str) -> None:
    refusal = _refused(lambda: imported(getattr(cpu_kernels, name)))
    assert refusal.dtype == words and "32 bits" in str(refusal)
    assert 'targets=("cpu",)' in refusal.advice and "taichi_kernels.py:" in refusal.source


def test_what_a_gpu_does_not_do_is_refused(imported: Any, k: Any, cpu_kernels: Any) -> None:
    refusal = _refused(lambda: imported(k.in_long))
    assert refusal.dtype == "i64" and "it computes with i64" in str(refusal)
    assert _refused(lambda: imported(cpu_kernels.drawn)).operation == "random"
    assert _refused(lambda: imported(cpu_kernels.demanding, arguments={"n": 100})).operation == "assert"
    aliased = _refused(lambda: imported([(cpu_kernels.saxpy, 1, {"out": "y"})]))
    assert "`y` and `out` are one array" in str(aliased)
    assert "the targets are" in str(_refused(lambda: imported(k.gemm, targets=("cpu", "cuda"))))


def test_without_a_driver_taichi_is_not_believed(imported: Any, k: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nonexistent.json")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nonexistent.json")
    import hotcell.taichi

    refusal = _refused(lambda: hotcell.taichi.kernel(k.gemm, targets=("gpu",)))
    assert "no Vulkan driver" in str(refusal) and "mesa-vulkan-drivers" in refusal.advice


def test_taichis_program_is_as_before(imported: Any, k: Any, ti: Any) -> None:
    state, doubled, turned = k.program_of()
    state.fill(0.5)
    imported(doubled, targets=("gpu",))
    assert ti.lang.impl.current_cfg().arch == ti.x64 and state[3, 4] == 0.5
    doubled()
    assert abs(state[3, 4] - 1.007) < 1e-6
