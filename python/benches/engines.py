"""What two workers of an engine are worth, beside one and beside two bare processes; and what a task costs there.

Run it with the wheel and the engines installed and the kernels built: ``python python/benches/engines.py target/kernels [dask] [ray]``.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import hotcell

#: Odd, so that a median is one of them.
ROUNDS = 3
#: Launches of a turn, each the product of two matrices of this many rows and columns.
LAUNCHES, N = 12, 1280
#: Tasks that do next to nothing.
TASKS = 400


def gemm(kernels: Path) -> hotcell.Entry:
    return hotcell.load(kernels / "gemm.wasm").gemm.options(threads=1, digests=False)


def _bare(kernels: Path, launches: int, pipe: Any) -> None:
    kernel, a = gemm(kernels), np.ones((N, N), "f4")
    kernel(a, a)
    pipe.send("ready")
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        for _ in range(launches):
            kernel(a, a)
        pipe.send("done")


def bare(kernels: Path) -> tuple[Any, Any]:
    """The same launches in one process, and half of them in each of two."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    for launches in (LAUNCHES, LAUNCHES // 2, LAUNCHES // 2):
        ours, theirs = context.Pipe()
        context.Process(target=_bare, args=(kernels, launches, theirs), daemon=True).start()
        ours.recv()
        pipes.append(ours)

    def turn(of: list[Any]) -> None:
        for pipe in of:
            pipe.send(True)
        for pipe in of:
            pipe.recv()

    return (lambda: turn(pipes[:1])), (lambda: turn(pipes[1:]))


def dask(kernels: Path) -> tuple[Any, Any, Any]:
    import dask.array as da
    import distributed
    from hotcell.engines.dask import apply

    kernel, saxpy = gemm(kernels), hotcell.load(kernels / "saxpy.wasm").saxpy
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    client = distributed.Client(cluster)
    workers = list(client.scheduler_info()["workers"])
    b = np.ones((N, N), "f4")
    turns = itertools.count()

    def turn(of: list[str]) -> None:
        # Other values than before: Dask knows again what it has computed.
        rows = da.full((LAUNCHES * N, N), float(next(turns)), dtype="f4", chunks=(N, -1))
        made = apply(kernel, rows, b, along="m")
        distributed.wait(client.persist(made, workers=of))

    def tasks() -> None:
        x = da.full(16 * TASKS, float(next(turns)), dtype="f4", chunks=16)
        distributed.wait(client.persist(apply(saxpy, x, x, along="n", a=2.0), workers=workers[:1]))

    return (lambda: turn(workers[:1])), (lambda: turn(workers)), tasks


def ray(kernels: Path) -> tuple[Any, Any, Any]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from hotcell.engines.ray import MapBatches

    ray.init(num_cpus=4, object_store_memory=500 << 20, include_dashboard=False, log_to_driver=False, configure_logging=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.data.DataContext.get_current().print_on_execution_start = False
    ones = np.ones((N, N), "f4")

    class Timed(MapBatches):
        """Says when it was at work: an engine's actors take seconds to start, which are no matter of throughput."""

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            began = time.time()
            made = super().__call__(batch)
            rows = len(batch["data"])
            return {"began": np.full(rows, began)[:1], "ended": np.full(rows, time.time())[:1], "first": next(iter(made.values()))[:1, 0]}

    def run(size: int, blocks: list[np.ndarray], arguments: dict[str, Any], each: type) -> list[dict[str, Any]]:
        made = ray.data.from_numpy(blocks).map_batches(
            each,
            fn_constructor_args=arguments.pop("kernel"),
            fn_constructor_kwargs=arguments,
            batch_format="numpy",
            batch_size=None,
            zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(size=size),
        )
        return made.take_all()

    def turn(size: int) -> float:
        arguments = {
            "kernel": [gemm(kernels)], "inputs": {"a": "data"}, "scalars": {"b": ones}, "keep": False,
            "options": {"digests": False},
        }  # fmt: skip
        rows = run(size, [ones] * (LAUNCHES + 4 * size), arguments, Timed)
        # The first of each worker's batches compiled the kernel, and the last ones ran alone.
        ends = sorted(float(row["ended"]) for row in rows)
        first, last = 2 * size, len(ends) - 2 * size
        return (ends[last] - ends[first]) / (last - first) * LAUNCHES

    def tasks() -> None:
        arguments = {"kernel": [str(kernels / "saxpy.wasm")], "inputs": {"x": "data", "y": "data"}, "scalars": {"a": 2.0}}
        run(1, [np.ones(16, "f4")] * TASKS, arguments, MapBatches)

    return (lambda: turn(1)), (lambda: turn(2)), tasks


def seconds(turn: Any) -> float:
    begun = time.perf_counter()
    said = turn()
    return time.perf_counter() - begun if said is None else said


def compare(name: str, one: Any, two: Any) -> None:
    seconds(one), seconds(two)
    turns = [(seconds(one), seconds(two)) for _ in range(ROUNDS)]
    singles, doubles = ([turn[place] for turn in turns] for place in (0, 1))
    ratio = statistics.median(single / double for single, double in turns)
    print(
        f"{name:20} one {statistics.median(singles):6.2f} s   two {statistics.median(doubles):6.2f} s   two are worth"
        f" {ratio:.2f} of one ({', '.join(f'{single / double:.2f}' for single, double in turns)})",
        flush=True,
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    place = Path(sys.argv[1]).resolve()
    print(f"{LAUNCHES} products of {N} x {N} matrices a turn, median of {ROUNDS} turns")
    compare("two bare processes", *bare(place))
    for engine in (one for one in (dask, ray) if one.__name__ in (sys.argv[2:] or ["dask", "ray"])):
        one, two, tasks = engine(place)
        compare(engine.__name__, one, two)
        seconds(tasks)
        each = statistics.median(seconds(tasks) for _ in range(3)) / TASKS
        print(f"{engine.__name__:20} {each * 1e3:.2f} ms for each of {TASKS} tasks that do next to nothing", flush=True)
    x = np.ones(16, "f4")
    saxpy = hotcell.load(place / "saxpy.wasm").saxpy
    begun = time.perf_counter()
    for _ in range(1000):
        saxpy(2.0, x, x)
    print(f"{'called directly':20} {time.perf_counter() - begun:.2f} ms for each of 1000 calls of the same")
