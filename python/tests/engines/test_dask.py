"""Kernels over arrays of Dask, on a cluster of two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hotcell
from engine import ANY_WARNING, causes, example, loaded, needed, policy_of_this_machine, softmax_of

pytestmark = ANY_WARNING
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = needed("distributed")
    with policy_of_this_machine():
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            with distributed.Client(cluster) as client:
                yield client


@pytest.fixture(scope="module")
def saxpy() -> hotcell.Entry:
    return loaded("saxpy")


@pytest.fixture(scope="module")
def softmax() -> hotcell.Entry:
    return loaded("softmax")


def test_chunks_along_a_dimension_are_launches_on_both_workers(client: Any, saxpy: hotcell.Entry) -> None:
    da = needed("dask.array")
    from hotcell.engines.dask import apply

    x, y = (RNG.random(40_000).astype("f4") for _ in range(2))
    made = apply(saxpy, da.from_array(x, chunks=5_000), da.from_array(y, chunks=5_000), along="n", a=2.0)
    assert made.dtype == np.dtype("f4") and made._meta.dtype == np.dtype("f4") and made.chunks == ((5_000,) * 8,)
    made = client.persist(made)
    np.testing.assert_allclose(made.compute(), 2 * x + y, rtol=1e-6)
    assert len({worker for workers in client.who_has(made).values() for worker in workers}) == 2


def test_dimensions_before_the_kernels_are_looped_over(client: Any, saxpy: hotcell.Entry, softmax: hotcell.Entry) -> None:
    da = needed("dask.array")
    from hotcell.engines.dask import apply

    x = RNG.random((6, 4, 2, 3, 5)).astype("f4")
    blocks = da.from_array(x, chunks=(2, -1, -1, -1, -1))
    whole = apply(softmax, blocks)
    assert whole.shape == x.shape and whole.chunks[0] == (2, 2, 2)
    np.testing.assert_allclose(whole.compute(), softmax_of(x), rtol=1e-5)
    # A vector for each row, and one that is broadcast.
    rows, one = RNG.random((4, 7)).astype("f4"), RNG.random(7).astype("f4")
    made = apply(saxpy, da.from_array(rows, chunks=(2, -1)), one, a=-1.0)
    np.testing.assert_allclose(made.compute(), one - rows, rtol=1e-6)
    assert apply(saxpy, da.zeros((0, 7), dtype="f4"), one, a=1.0).compute().shape == (0, 7)


def test_several_results_and_extents_by_name(client: Any) -> None:
    da = needed("dask.array")
    from hotcell.engines.dask import apply

    histogram = loaded("histogram")
    data = RNG.random((2, 100)).astype("f4")
    made = apply(histogram, da.from_array(data, chunks=(1, -1)), da.from_array(data, chunks=(1, -1)), bins=4)
    assert made.mean.shape == made.counts.shape == (2, 4) and made.counts.dtype == np.dtype("u4")
    assert list(made.counts.sum(axis=1).compute()) == [100, 100]
    # The 3 of the signature is a number; all bodies act on each of those that move.
    positions, velocities = RNG.random((5, 8, 3)).astype("f4"), np.zeros((8, 3), "f4")
    moved = apply(loaded("nbody"), da.from_array(positions, chunks=(2, -1, -1)), velocities, dt=0.0)
    np.testing.assert_allclose(moved.new_positions.compute(), positions, rtol=1e-6)


def test_a_limit_is_an_error_of_its_task_and_other_tasks_are_right(client: Any, saxpy: hotcell.Entry) -> None:
    da = needed("dask.array")
    from hotcell.engines.dask import apply

    x = da.from_array(RNG.random(4_000).astype("f4"), chunks=1_000)
    starved = client.compute(apply(saxpy.options(fuel=10), x, x, along="n", a=1.0))
    fine = client.compute(apply(saxpy, x, x, along="n", a=1.0))
    with pytest.raises(hotcell.OutOfFuel, match="limit fuel: .* at most 10 allowed") as raised:
        starved.result()
    assert raised.value.breach == ("fuel", raised.value.breach[1], 10)
    assert raised.value.report["outcome"]["kind"] == "out-of-fuel"
    np.testing.assert_allclose(fine.result(), 2 * x.compute(), rtol=1e-6)
    # What is refused by a worker's policy says so, too.
    with pytest.raises(hotcell.Error) as refused:
        apply(saxpy.options(timeout=1e6), x, x, along="n", a=1.0).compute()
    assert "deadline" in causes(refused.value) or "timeout" in causes(refused.value)


def test_what_does_not_fit_is_said_before_anything_runs(saxpy: hotcell.Entry, softmax: hotcell.Entry) -> None:
    da = needed("dask.array")
    from hotcell.engines.dask import apply

    x = da.zeros(4, dtype="f4", chunks=2)
    with pytest.raises(ValueError, match="consists of multiple chunks"):
        apply(saxpy, x, x, a=1.0)
    with pytest.raises(TypeError, match="needs `a`"):
        apply(saxpy, x, x)
    with pytest.raises(TypeError, match="has no argument `b`"):
        apply(saxpy, x, x, a=1.0, b=1.0)
    with pytest.raises(TypeError, match="takes 2 arrays"):
        apply(saxpy, x, a=1.0)
    with pytest.raises(TypeError, match="float64 was given"):
        apply(saxpy, x, x.astype("f8"), a=1.0, along="n")
    with pytest.raises(ValueError, match="along='c'"):
        apply(softmax, da.zeros((1, 1, 1, 2), dtype="f4"), along="c")
    with pytest.raises(ValueError, match="dimensions"):
        apply(softmax, x)
    with pytest.raises(ValueError, match="takes no arrays"):
        apply(loaded("mandelbrot"), h=4, w=4)


def test_the_guides_example(client: Any) -> None:
    names = example("dask")
    assert (names["z"].compute() == 3).all() and (names["w"].compute() == 3).all() and names["w"].shape == (100, 7)
