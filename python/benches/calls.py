"""What a call from Python costs beyond the same launch from Rust: one process, one cell, turns.

Run it with the wheel installed and the kernels built: ``python python/benches/calls.py target/kernels``.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np

import hotcell

#: Odd, so that a median is one of them.
ROUNDS = 15


def median_us(times_ns: list[int]) -> float:
    return statistics.median(times_ns) / 1000


def from_python(call, count: int) -> float:
    times = []
    for _ in range(count):
        begun = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - begun)
    return median_us(times)


def on_a_thread(work) -> float:
    made: list[float] = []
    thread = threading.Thread(target=lambda: made.append(work()))
    thread.start()
    thread.join()
    return made[0]


def compare(name: str, entry: hotcell.Entry, x: np.ndarray, y: np.ndarray, count: int) -> None:
    def rust() -> float:
        return median_us(entry._native.repeat(count, (2.0, x, y), {}))

    def python() -> float:
        return from_python(lambda: entry(2.0, x, y), count)

    rust(), python()
    rows = [(rust(), python(), on_a_thread(python)) for _ in range(ROUNDS)]
    medians = [statistics.median(column) for column in zip(*rows)]
    print(f"{name:34} Rust {medians[0]:10.1f} us   Python {medians[1]:10.1f} us   on another thread {medians[2]:10.1f} us")
    beyond = statistics.median(python - rust for rust, python, _ in rows)
    print(f"   beyond Rust, median of {ROUNDS} turns: {beyond:.1f} us; Rust to Python: {statistics.median(r / p for r, p, _ in rows):.2f}")


def pace() -> None:
    """Another thread's pace while a kernel runs, beside its pace alone."""
    mandelbrot = hotcell.load(KERNELS / "mandelbrot.wasm").mandelbrot.options(threads=1, fuel="100T", timeout=1.0)

    def counted(seconds: float) -> int:
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            count += 1
        return count

    def launch() -> None:
        try:
            mandelbrot(limit=1_000_000, h=2000, w=2000)
        except hotcell.Timeout:
            pass

    launch()
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone.append(counted(0.8))
        thread = threading.Thread(target=launch)
        thread.start()
        time.sleep(0.1)
        beside.append(counted(0.8))
        thread.join()
    print(f"another thread's pace beside a kernel: {statistics.median(beside) / statistics.median(alone):.2f} of its own")


if __name__ == "__main__":
    KERNELS = Path(sys.argv[1])
    saxpy = hotcell.load(KERNELS / "saxpy.wasm").saxpy
    small = np.arange(16, dtype="f4")
    compare("16 elements", saxpy, small, small, 2000)
    large = np.ones(16 << 20, dtype="f4")
    compare("64 MiB, twice in and once out", saxpy, large, large, 8)
    compare("the same without digests", saxpy.options(digests=False), large, large, 8)
    lent = hotcell.empty(16 << 20, "f4")
    lent[:] = 1
    compare("the same in hotcell.empty", saxpy.options(digests=False), lent, lent, 8)
    pace()
