"""What the tests share: kernels, and both who launch them."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hotcell

KERNELS = Path(os.environ.get("HOTCELL_KERNELS", Path(__file__).parents[2] / "target/kernels"))
#: The tier that the tests ask for: where nothing may be skipped, the full one.
TIER = "full" if os.environ.get("HOTCELL_REQUIRE_ALL_TESTS") else "insecure"


def kernel(name: str) -> Path:
    path = KERNELS / f"{name}.wasm"
    assert path.is_file(), f"{path} is not there: cargo xtask kernels"
    return path


@pytest.fixture(scope="session", autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory):
    """Directories of the tests' own, and a policy for nobody."""
    base = tmp_path_factory.mktemp("places")
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ[name] = str(base / name.lower())
    os.environ["HOME"] = str(base)
    # Whoever runs tests in the background has interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield base


@pytest.fixture(scope="session")
def cell(_own_places: Path) -> hotcell.Cell:
    return hotcell.Cell(policy=False, tier=TIER, grants=["random", "clock"])


@contextmanager
def a_daemon(folder: Path) -> Iterator[tuple[hotcell.Daemon, subprocess.Popen[str]]]:
    """A daemon of the test's own, and its process."""
    policy, socket = folder / "hotcell.toml", folder / "hotcell.sock"
    policy.write_text(
        f'schema = 1\ntier = "{TIER}"\ngrants = ["log", "control", "random", "clock"]\n'
    )
    policy.chmod(0o600)
    running = subprocess.Popen(
        [sys.executable, "-m", "hotcell", "serve", "--policy", str(policy), "--socket", str(socket)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _connected(socket, running), running
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)


def _connected(socket: Path, running: subprocess.Popen[str]) -> hotcell.Daemon:
    begun = time.monotonic()
    while True:
        try:
            return hotcell.connect(socket)
        except ConnectionError:
            assert running.poll() is None, running.stderr and running.stderr.read()
            assert time.monotonic() - begun < 30, "the daemon does not answer"
            time.sleep(0.01)


@pytest.fixture(scope="session")
def daemon(_own_places: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[hotcell.Daemon]:
    with a_daemon(tmp_path_factory.mktemp("daemon")) as (daemon, _):
        yield daemon


@pytest.fixture(params=["cell", "daemon"])
def host(request: pytest.FixtureRequest) -> hotcell.Host:
    """Both who launch: what holds of one holds of the other."""
    return request.getfixturevalue(request.param)


def needed(module: str) -> None:
    """Have the test be skipped without a module; where nothing may be skipped, it fails, but for PyTorch, which is installed with the engines.

    The module is not loaded: a guarded process does that, and what others' modules warn of and start is not for the tests' own process.
    """
    if importlib.util.find_spec(module) is not None:
        return
    if os.environ.get("HOTCELL_REQUIRE_ALL_TESTS") and module != "torch":
        pytest.fail(f"{module} is not there: install python/requirements.txt")
    pytest.skip(f"{module} is not there")


def children(of: int | None = None) -> list[int]:
    """The processes whose parent a process is; of this one, unless told otherwise."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == (of or os.getpid()):
                found.append(int(entry.name))
    return found


def script(text: str, *arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a program of the test's own, in which ``cell`` makes a cell."""
    import textwrap

    begin = f"import hotcell, numpy as np, sys, os, time, threading, signal\ncell = lambda: hotcell.Cell(policy=False, tier={TIER!r})\n"
    program = [sys.executable, "-c", begin + textwrap.dedent(text), *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def g(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    """A guarded process of the test's own."""
    with hotcell.guarded(host=cell, profile="numpy") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def shared(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    """A guarded process that the module's tests share."""
    with hotcell.guarded(host=cell, profile="numpy", imports=["numpy"]) as guarded:
        yield guarded
