"""What the guard costs: a tiny call and a large one beside the same without it, and what 2000 calls leave behind.

    python python/benches/guard.py [--calls N]

Figures are medians of calls that alternate with what they are compared with. `docs/performance.md` has those of one machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import hotcell


def tiny(x: np.ndarray) -> np.ndarray:
    return x + 1


def twice(x: np.ndarray) -> np.ndarray:
    return x


def compared(one: Callable[[], object], other: Callable[[], object], count: int) -> tuple[list[float], list[float]]:
    """How long each took, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for took, call in zip(times, (one, other)):
            begun = time.perf_counter()
            call()
            took.append(time.perf_counter() - begun)
    return times


def held() -> tuple[int, int]:
    """Descriptors and children of this process."""
    own = str(os.getpid())
    children = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children += stat.rpartition(")")[2].split()[1] == own
    return len(os.listdir("/proc/self/fd")), children


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--calls", type=int, default=2000)
    calls = arguments.parse_args().calls
    with hotcell.guarded(imports=["numpy"], spare=False, timeout=60) as g:
        small = np.arange(16.0)
        for _ in range(50):
            g.call(tiny, small)
        before = held()
        guarded, bare = compared(lambda: g.call(tiny, small), lambda: tiny(small), calls)
        added = sorted(with_it - without for with_it, without in zip(guarded, bare))
        print(f"tiny call: {statistics.median(guarded) * 1e6:.1f} us guarded, {statistics.median(bare) * 1e6:.1f} us bare")
        print(f"added: median {statistics.median(added) * 1e6:.1f} us, 10 % below {added[len(added) // 10] * 1e6:.1f} us")
        after = held()
        print(f"after {calls} calls: descriptors {before[0]} -> {after[0]}, processes {before[1]} -> {after[1]}")
        large = np.ones(8 << 20)
        own = hotcell.empty(8 << 20)
        own[:] = 1
        for name, array in (("an array", large), ("hotcell.empty", own)):
            g.call(twice, array)
            with_it, copies = compared(lambda: g.call(twice, array), lambda: array.copy().copy(), 15)
            print(
                f"64 MiB in and out of {name}: {statistics.median(with_it) * 1e3:.1f} ms; two copies {statistics.median(copies) * 1e3:.1f} ms; "
                f"{statistics.median(copies) / statistics.median(with_it):.2f} of their pace"
            )


if __name__ == "__main__":
    main()
