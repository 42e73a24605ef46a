"""Kernels over batches of Ray Data, on a cluster of two worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hotcell
from conftest import kernel
from engine import ANY_WARNING, causes, example, loaded, needed, policy_of_this_machine, softmax_of
from hotcell.engines.ray import MapBatches

pytestmark = ANY_WARNING
#: Both parameters of saxpy read the column that Ray makes of an array.
BOTH = {"x": "data", "y": "data"}


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    needed("ray.data")
    ray = needed("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with policy_of_this_machine():
        ray.init(num_cpus=2, object_store_memory=200 << 20, include_dashboard=False, log_to_driver=False, configure_logging=False)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        try:
            yield ray
        finally:
            ray.shutdown()


def _two(ray: Any) -> dict[str, Any]:
    return {"batch_format": "numpy", "compute": ray.data.ActorPoolStrategy(size=2)}


def _columns(dataset: Any) -> dict[str, np.ndarray]:
    batches = [batch for batch in dataset.iter_batches(batch_format="numpy", batch_size=None) if batch]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def test_two_workers_map_batches_that_they_only_read(ray: Any) -> None:
    class ReadOnly(MapBatches):
        """Says, too, what batches are like, and where they are."""

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            made = super().__call__(batch)
            rows = len(batch["data"])
            return {**made, "writable": np.full(rows, batch["data"].flags.writeable), "process": np.full(rows, os.getpid())}

    x = np.arange(4_000, dtype="f4")
    dataset = ray.data.from_numpy([x[start : start + 500] for start in range(0, 4_000, 500)])
    mapped = dataset.map_batches(
        ReadOnly,
        fn_constructor_args=[kernel("saxpy").read_bytes()],
        fn_constructor_kwargs={"inputs": BOTH, "scalars": {"a": 2.0}, "outputs": {"out": "z"}},
        batch_size=None,
        zero_copy_batch=True,
        **_two(ray),
    )
    made = _columns(mapped)
    order = np.argsort(made["data"])
    np.testing.assert_array_equal(made["z"][order], 3 * x)
    assert not made["writable"].any()
    assert 1 <= len(set(made["process"])) <= 2 and os.getpid() not in made["process"]


def test_arrays_as_columns_and_an_entry_as_the_kernel(ray: Any) -> None:
    x = np.random.default_rng(1).random((64, 2, 3, 5)).astype("f4")
    dataset = ray.data.from_numpy(x).map_batches(
        MapBatches,
        fn_constructor_args=[loaded("softmax")],
        fn_constructor_kwargs={"inputs": {"x": "data"}, "keep": False},
        batch_size=16,
        **_two(ray),
    )
    made = _columns(dataset)
    assert list(made) == ["out"]
    np.testing.assert_allclose(np.sort(made["out"], axis=0), np.sort(softmax_of(x), axis=0), rtol=1e-5)


def test_an_object_is_a_function_of_tasks(ray: Any) -> None:
    dataset = ray.data.from_numpy(np.ones(10, "f4"))
    double = MapBatches(str(kernel("saxpy")), inputs=BOTH, scalars={"a": 1.0})
    assert (_columns(dataset.map_batches(double, batch_format="numpy"))["out"] == 2).all()


def test_a_limit_is_an_error_that_names_it(ray: Any) -> None:
    dataset = ray.data.from_numpy(np.ones(10, "f4")).map_batches(
        MapBatches,
        fn_constructor_args=[kernel("saxpy").read_bytes()],
        fn_constructor_kwargs={"inputs": BOTH, "scalars": {"a": 2.0}, "options": {"fuel": 10}},
        **_two(ray),
    )
    with pytest.raises(Exception) as raised:
        dataset.materialize()
    assert "limit fuel" in causes(raised.value) and "at most 10 allowed" in causes(raised.value), causes(raised.value)


def test_a_task_that_fails_leaves_the_others_right(ray: Any) -> None:
    saxpy = loaded("saxpy")
    small, large = np.ones(100, "f4"), np.ones(100_000, "f4")
    enough = saxpy.run(2.0, small, small).report["usage"]["fuel_used"] * 10
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = 1
    try:
        dataset = ray.data.from_numpy([small, large, 2 * small, 3 * small]).map_batches(
            MapBatches,
            fn_constructor_args=[saxpy.options(fuel=enough)],
            fn_constructor_kwargs={"inputs": BOTH, "scalars": {"a": 2.0}},
            batch_size=None,
            **_two(ray),
        )
        made = _columns(dataset)
    finally:
        context.max_errored_blocks = 0
    assert sorted(made["out"]) == [3] * 100 + [6] * 100 + [9] * 100


def test_errors_come_back_as_what_they_are(ray: Any) -> None:
    entry = loaded("saxpy").options(fuel=10)
    x = np.ones(10, "f4")

    @ray.remote
    def call() -> Any:
        return entry(2.0, x, x)

    with pytest.raises(hotcell.OutOfFuel, match="limit fuel"):
        ray.get(call.remote())


def test_what_does_not_fit_is_said() -> None:
    maps = MapBatches(loaded("saxpy"), scalars={"a": 1.0})
    x = np.ones(3, "f4")
    with pytest.raises(hotcell.UsageError, match="reads the column `y`, and the batch has: x"):
        maps({"x": x})
    with pytest.raises(TypeError, match="float64 was given"):
        maps({"x": x, "y": x.astype("f8")})
    with pytest.raises(TypeError, match="no result `z`"):
        MapBatches(loaded("saxpy"), scalars={"a": 1.0}, outputs={"z": "z"})({"x": x, "y": x})
    with pytest.raises(hotcell.UsageError, match="pass keep=False"):
        MapBatches(loaded("mandelbrot"), scalars={"h": 2, "w": 2})({"x": x})
    assert MapBatches(loaded("mandelbrot"), scalars={"h": 2, "w": 2}, keep=False)({"x": x})["counts"].shape == (2, 2)
    with pytest.raises(TypeError, match="the name `other`"):
        MapBatches(loaded("saxpy"), entry="other")


def test_the_guides_example(ray: Any) -> None:
    made = _columns(example("ray")["scaled"])
    np.testing.assert_array_equal(made["z"], 3 * made["data"])
