"""How launches end that do not end well: exceptions, limits, interrupts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import hotcell
from conftest import kernel

X = np.arange(8, dtype="f4")


@pytest.fixture
def long(host: hotcell.Host) -> hotcell.Entry:
    """A kernel that takes minutes."""
    mandelbrot = host.load(kernel("mandelbrot")).mandelbrot
    return mandelbrot.options(fuel="100T", timeout=60.0, cpu_time=600.0)


LONG = {"limit": 1_000_000, "h": 2000, "w": 2000}


def test_each_end_is_an_exception_that_fits_pythons(host: hotcell.Host, long: hotcell.Entry) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy
    fft = host.load(kernel("fft")).fft
    for call, kind, python, words in [
        (lambda: saxpy.options(fuel=10)(1, X, X), hotcell.OutOfFuel, hotcell.LimitReached, r"options\(fuel=…\)"),
        (lambda: long.options(timeout=0.05)(**LONG), hotcell.Timeout, TimeoutError, r"options\(timeout=…\)"),
        (lambda: saxpy.options(memory="64KiB")(1, X, X), hotcell.MemoryLimit, MemoryError, r"options\(memory=…\)"),
        (lambda: saxpy.options(bytes_in=3)(1, X, X), hotcell.LimitReached, hotcell.Error, r"options\(bytes_in=…\)"),
        (lambda: fft(np.zeros(3, "c8")), hotcell.KernelError, hotcell.Error, "power of two"),
        (lambda: saxpy.options(fuel="200T")(1, X, X), hotcell.Denied, PermissionError, "ceiling of 100T"),
        (lambda: host.load(b"nonsense"), hotcell.InvalidComponent, ValueError, "WebAssembly"),
    ]:
        with pytest.raises(kind, match=words) as raised:
            call()
        error = raised.value
        assert isinstance(error, python) and "--" not in str(error)
        assert error.ended.kind == error.kind or kind is hotcell.LimitReached
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error) and again.report == error.report
    with pytest.raises(hotcell.OutOfFuel) as raised:
        saxpy.options(fuel=10)(1, X, X)
    assert raised.value.breach[0] == "fuel" and raised.value.breach[2] == 10
    assert raised.value.report["outcome"]["kind"] == "out-of-fuel" and raised.value.results == {}
    # And the host goes on.
    assert saxpy(1, X, X)[1] == 2


def test_what_is_not_granted_is_denied_with_what_to_do(cell: hotcell.Cell) -> None:
    with pytest.raises(hotcell.Denied, match=r"""Cell\(grants=\["gpu"\]\) grants it""") as raised:
        cell.load(kernel("julia-gpu")).julia(t=1, h=8, w=8)
    assert isinstance(raised.value, PermissionError)


def test_a_kernel_that_polls_leaves_what_it_has(host: hotcell.Host) -> None:
    hits = host.load(kernel("monte_carlo")).hits.options(fuel="100T", cpu_time=600.0)
    with pytest.raises(hotcell.Timeout, match="results are partial") as raised:
        hits.options(timeout=1.5)(blocks=1_000_000)
    assert raised.value.ended.partial and raised.value.results["out"].shape == (1_000_000,)


def test_a_launch_can_be_waited_for_and_cancelled(host: hotcell.Host, long: hotcell.Entry) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy
    launches = [saxpy.start(a, X, X) for a in range(8)]
    assert all(isinstance(launch, concurrent.futures.Future) for launch in launches)
    done, _ = concurrent.futures.wait(launches, timeout=60)
    assert len(done) == 8 and launches[3].result()[1] == 4 and launches[3].ended.report["outcome"]["kind"] == "done"
    running = long.start(**LONG)
    with pytest.raises(concurrent.futures.TimeoutError):
        running.result(timeout=0.05)
    assert running.running() and running.cancel()
    begun = time.monotonic()
    with pytest.raises(concurrent.futures.CancelledError):
        running.result(timeout=60)
    assert time.monotonic() - begun < 5 and running.cancelled() and not running.cancel()
    failed = saxpy.options(fuel=10).start(1, X, X)
    assert isinstance(failed.exception(timeout=60), hotcell.OutOfFuel)


def test_launches_are_awaited(host: hotcell.Host, long: hotcell.Entry) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy

    async def several() -> list[np.ndarray]:
        results = await asyncio.gather(*(saxpy.start(a, X, X) for a in range(4)))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(long.start(**LONG), 0.1)
        task = asyncio.ensure_future(_awaited(long.start(**LONG)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return results

    assert asyncio.run(several())[3][1] == 4


async def _awaited(launch: hotcell.Launch) -> object:
    return await launch


def test_control_c_cancels_the_kernel(host: hotcell.Host, long: hotcell.Entry) -> None:
    # It is loaded, and compiled.
    with pytest.raises(hotcell.Timeout):
        long.options(timeout=0.02)(**LONG)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        long(**LONG)
    assert time.monotonic() - begun < 5


def test_what_a_handler_does_while_a_kernel_runs_happens(long: hotcell.Entry) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(hotcell.Timeout):
            long.options(timeout=0.4)(**LONG)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert heard == [signal.SIGALRM]


def test_other_threads_launch_and_go_on_meanwhile(host: hotcell.Host, long: hotcell.Entry) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1

    counter = threading.Thread(target=count)
    counter.start()
    with pytest.raises(hotcell.Timeout):
        long.options(timeout=0.3)(**LONG)
    stop.set()
    counter.join()
    assert counted > 1000
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda a: saxpy(a, X, X), range(16)))
    assert results[5][1] == 6


def test_progress_is_told_in_order(host: hotcell.Host) -> None:
    told: list[tuple[int, int]] = []
    mandelbrot = host.load(kernel("mandelbrot")).mandelbrot
    mandelbrot.options(progress=lambda done, total: told.append((done, total)))(h=64, w=64)
    assert told == sorted(told) and all(done <= total or total == 0 for done, total in told)


def test_a_handler_that_launches_while_a_kernel_runs_is_told_not_to(cell: hotcell.Cell, long: hotcell.Entry) -> None:
    saxpy = cell.load(kernel("saxpy")).saxpy
    before = signal.signal(signal.SIGALRM, lambda number, frame: saxpy(1, X, X))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(RuntimeError, match="handler cannot launch"):
            long(**LONG)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert saxpy(1, X, X)[1] == 2


def test_callbacks_launch(host: hotcell.Host) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy
    sums: list[float] = []
    julia = host.load(kernel("julia")).julia.options(threads=1, progress=lambda done, _: sums.append(float(saxpy(done, X, X)[1])))
    julia(t=3, h=16, w=16)
    assert sums


def test_random_interrupts_leave_nothing_behind(host: hotcell.Host, long: hotcell.Entry) -> None:
    saxpy = host.load(kernel("saxpy")).saxpy
    random = np.random.default_rng(1)
    interrupted = 0
    for _ in range(int(os.environ.get("HOTCELL_INTERRUPTS", "20"))):
        signal.setitimer(signal.ITIMER_REAL, float(random.uniform(0.001, 0.1)))
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            with pytest.raises((KeyboardInterrupt, hotcell.Timeout)):
                long.options(timeout=1.0)(**LONG)
            interrupted += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert interrupted and saxpy(1, X, X)[1] == 2
