"""Imported kernels are kernels: limits, cancelling and the audit log hold for those of both importers, and their bytes are always the same."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TIER, needed

import hotcell

#: Taichi warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore")
in_both_meterings = pytest.mark.parametrize("metering", ["strict", "deterministic"])
#: As many elements as take more memory than a small limit leaves.
MANY = 1 << 20


def of_jax() -> tuple[bytes, bytes]:
    """A kernel without an end, and one that adds 1 to many numbers."""
    needed("jax")
    needed("llvmlite")
    import hotcell.jax
    from jax import lax

    def endless(x):
        return lax.while_loop(lambda x: x[0] >= 0, lambda x: (x + 1) % 7, x)

    def more(x):
        return x + 1

    first = hotcell.jax.kernel(endless, np.zeros(4, "i4"), check=False, name="endless")
    return first.bytes, hotcell.jax.kernel(more, np.zeros(4, "f4"), shapes="(n)->(n)", check=False, name="more").bytes


def of_taichi() -> tuple[bytes, bytes]:
    """The same."""
    needed("taichi")
    needed("llvmlite")
    import hotcell.taichi
    import taichi

    taichi.init(arch=taichi.cpu, cpu_max_num_threads=1, offline_cache=False, log_level=taichi.ERROR)
    import taichi_kernels

    first = hotcell.taichi.kernel(taichi_kernels.endless, check=False)
    return first.bytes, hotcell.taichi.kernel(taichi_kernels.more, "(n)->(n)", check=False).bytes


@pytest.fixture(scope="module", params=[of_jax, of_taichi], ids=["jax", "taichi"])
def kernels(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    found: tuple[bytes, bytes] = request.param()
    return found


@pytest.fixture
def recorded(tmp_path: Path) -> hotcell.Cell:
    """A cell whose policy wants a record of everything."""
    policy = tmp_path / "hotcell.toml"
    policy.write_text(f'schema = 1\ntier = "{TIER}"\n[audit]\nmode = "required"\nsync = "record"\n')
    policy.chmod(0o600)
    return hotcell.Cell(policy=policy, tier=TIER)


def launches(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What the log has of the launch with that report."""
    logs = (Path(os.environ["XDG_STATE_HOME"]) / "hotcell" / "audit").glob("log-*/*.jsonl")
    records = [json.loads(line)["unmapped"]["hotcell"] for log in sorted(logs) for line in log.read_text().splitlines()]
    return [one for one in records if one.get("verb") == "launch" and one.get("run_id") == report["run_id"]]


@in_both_meterings
def test_how_a_launch_ends_is_an_exception_and_is_recorded(recorded: hotcell.Cell, kernels: tuple[bytes, bytes], metering: str) -> None:
    endless, more = (recorded.load(component) for component in kernels)
    endless, more = endless.endless.options(metering=metering), more.more.options(metering=metering)
    x, many = np.zeros(4, "i4"), np.zeros(MANY, "f4")
    for kind, call in [
        (hotcell.Timeout, lambda: endless.options(timeout=0.3, fuel="100T")(x)),
        (hotcell.OutOfFuel, lambda: endless.options(fuel="1M")(x)),
        (hotcell.MemoryLimit, lambda: more.options(memory="4MiB")(many)),
    ]:
        with pytest.raises(kind) as ended:
            call()
        begun, finished = launches(ended.value.report)
        assert (begun["phase"], finished["phase"]) == ("begin", "finish")
        assert finished["isolation"] == "confined" and finished["metering"] == metering
        assert finished["end"]["outcome"] == ended.value.report["outcome"]["kind"]
    # And the cell goes on.
    ended = more.run(many)
    assert ended.check().results["out"].min() == 1
    assert launches(ended.report)[1]["end"]["outcome"] == "done"


@in_both_meterings
def test_a_launch_is_cancelled(recorded: hotcell.Cell, kernels: tuple[bytes, bytes], metering: str) -> None:
    endless = recorded.load(kernels[0]).endless.options(metering=metering, fuel="100T", timeout=60)
    running = endless.start(np.zeros(4, "i4"))
    with pytest.raises(concurrent.futures.TimeoutError):
        running.result(timeout=0.3)
    begun = time.monotonic()
    assert running.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        running.result(timeout=60)
    assert running.cancelled() and time.monotonic() - begun < 30
    assert launches(running.ended.report)[1]["end"]["outcome"] == "cancelled"


#: Imports by both, in a process of their own; prints the components' digests.
PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from test_import_limits import digests
print(*digests())
"""


def digests() -> list[str]:
    """Of components that have constants, several functions, sorts, and pytrees in them; for named dimensions and with a transform, too."""
    import hotcell.jax
    import hotcell.taichi
    import jax.numpy as jnp

    of_taichi()
    import taichi_kernels

    def layered(weights, x):
        y = jnp.tanh(x @ weights["w"] + weights["b"])
        return {"sorted": jnp.sort(y, axis=0), "mean": y.mean(), "scaled": jnp.exp(y) * weights["w"].sum()}

    weights = {"w": np.ones((5, 7), "f4"), "b": np.ones(7, "f4")}
    made = [
        hotcell.jax.kernel(lambda w, x: (layered(w, x), jnp.fft.rfft(x)), weights, np.ones((6, 5), "f4"), check=False),
        hotcell.jax.kernel(layered, weights, np.ones((6, 5), "f4"), shapes="(k),(m,k),(n,m)->(n,k)", check=False),
        *(hotcell.taichi.kernel(getattr(taichi_kernels, name), check=False) for name in ("mathy", "wide", "drawn")),
    ]
    return [one.digest for one in made]


def test_bytes_are_the_same_in_every_process() -> None:
    for module in ("jax", "taichi", "llvmlite"):
        needed(module)
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)]
    printed = []
    for seed in ("1", "2"):
        ran = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        printed.append(ran.stdout.splitlines()[-1].split())
    assert printed[0] == printed[1] and len(set(printed[0])) == 5
