"""Processes: forks, spawns, threads, ends; nothing is left behind."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import hotcell
from conftest import TIER, a_daemon, kernel

X = np.arange(8, dtype="f4")


def _children(of: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == of:
                found.append(int(entry.name))
    return found


def _in_child(entry: hotcell.Entry) -> float:
    return float(entry(2, X, X)[1])


def _run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = f"import hotcell, numpy as np, sys, os, time, threading\nTIER = {TIER!r}\nX = np.arange(8, dtype='f4')\n" + textwrap.dedent(text)
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes_launch(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Children load what they are sent with a cell of their own, under the policy that is found.
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "hotcell"
    config.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy = config / "hotcell.toml"
    policy.write_text(f'schema = 1\ntier = "{TIER}"\n')
    policy.chmod(0o600)
    try:
        saxpy = hotcell.Cell(tier=TIER).load(kernel("saxpy")).saxpy
        assert _in_child(saxpy) == 3
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(_in_child, [saxpy] * 4) == [3.0] * 4
    finally:
        policy.unlink()


def test_a_cell_does_not_survive_a_fork_and_says_so() -> None:
    ran = _run(
        """
        cell = hotcell.Cell(tier=TIER)
        saxpy = cell.load(sys.argv[1]).saxpy
        saxpy(2, X, X)
        pid = os.fork()
        if pid == 0:
            try:
                saxpy(2, X, X)
            except RuntimeError as error:
                os._exit(7 if "before a fork" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        # The parent's workers are there as they were.
        assert saxpy(2, X, X)[1] == 3
        """,
        kernel("saxpy"),
    )
    assert ran.returncode == 0, ran.stderr


def test_what_was_loaded_before_a_fork_is_called_after_it() -> None:
    ran = _run(
        """
        import signal
        if TIER != "full":
            sys.exit()
        saxpy = hotcell.load(sys.argv[1]).saxpy
        lent = hotcell.empty(1 << 18, "f4")
        lent[:] = 1
        assert saxpy(2, X, X)[1] == 3

        def child():
            lent[:] = 5
            assert saxpy(2, lent, lent)[0] == 15
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            long = hotcell.load(sys.argv[2]).mandelbrot.options(fuel="100T", timeout=60.0, cpu_time=600.0)
            try:
                long(limit=1_000_000, h=2000, w=2000)
            except KeyboardInterrupt:
                os._exit(7)

        def forked():
            pid = os.fork()
            if pid == 0:
                try:
                    child()
                finally:
                    os._exit(8)
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        statuses = []
        forked()
        thread = threading.Thread(target=forked)
        thread.start()
        thread.join()
        assert statuses == [7, 7], statuses
        assert (lent == 1).all() and saxpy(2, lent, lent)[0] == 3
        """,
        kernel("saxpy"),
        kernel("mandelbrot"),
    )
    assert ran.returncode == 0, ran.stderr


def test_a_daemon_that_was_started_anew_is_asked_again(tmp_path: Path) -> None:
    policy, socket = tmp_path / "hotcell.toml", tmp_path / "hotcell.sock"
    policy.write_text(f'schema = 1\ntier = "{TIER}"\n')
    policy.chmod(0o600)

    def started() -> subprocess.Popen[bytes]:
        serve = [sys.executable, "-m", "hotcell", "serve", "--policy", str(policy), "--socket", str(socket)]
        running = subprocess.Popen(serve, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                hotcell.connect(socket)
                return running
            except ConnectionError:
                time.sleep(0.02)
        raise AssertionError("the daemon does not answer")

    first = started()
    saxpy = hotcell.connect(socket).load(kernel("saxpy")).saxpy
    assert saxpy(2, X, X)[1] == 3
    first.kill()
    first.wait()
    with pytest.raises(hotcell.InputOutputError, match="no daemon answers"):
        saxpy(2, X, X)
    second = started()
    try:
        assert saxpy(2, X, X)[1] == 3 and saxpy(2, X, X)[1] == 3
    finally:
        second.terminate()
        second.wait(30)


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(3)",
        "os._exit(3)",
        "os.kill(os.getpid(), 9)",
        "threading.Thread(target=lambda: long(blocks=1_000_000), daemon=True).start(); time.sleep(0.3); sys.exit(3)",
        "long.start(blocks=1_000_000); time.sleep(0.3); os.kill(os.getpid(), 15)",
        "raise RuntimeError('at the end')",
    ],
)
def test_ends_of_interpreters_leave_no_worker_and_do_not_hang(end: str) -> None:
    begun = time.monotonic()
    ran = _run(
        """
        cell = hotcell.Cell(tier=TIER)
        assert cell.load(sys.argv[1]).saxpy(2, X, X)[1] == 3
        long = cell.load(sys.argv[2]).hits.options(fuel="100T", timeout=600.0, cpu_time=600.0)
        workers = [int(e) for e in os.listdir("/proc") if e.isdigit() and os.path.exists(f"/proc/{e}/stat")
                   and open(f"/proc/{e}/stat").read().rpartition(")")[2].split()[1] == str(os.getpid())]
        print(*workers, flush=True)
        """
        + "\n"
        + " " * 8
        + end,
        kernel("saxpy"),
        kernel("monte_carlo"),
    )
    workers = [int(pid) for pid in ran.stdout.split()]
    assert workers, ran.stderr
    assert ran.returncode in (0, 1, 3, -9, -15), (ran.returncode, ran.stderr)
    assert time.monotonic() - begun < 60
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):
        assert time.monotonic() < deadline, "workers are left"
        time.sleep(0.01)


def test_a_thousand_calls_leave_everything_where_it_was(cell: hotcell.Cell) -> None:
    saxpy = cell.load(kernel("saxpy")).saxpy
    large = np.ones(1 << 16, "f4")

    def launches(count: int) -> None:
        for number in range(count):
            saxpy(number, X, X)
            if number % 10 == 0:
                saxpy(number, large, large)

    def had() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(_children(os.getpid()))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    launches(300)
    before, memory = had(), resident()
    launches(int(os.environ.get("HOTCELL_PYTHON_CALLS", "1000")))
    deadline = time.monotonic() + 10
    while any(now > then for now, then in zip(had(), before)):
        assert time.monotonic() < deadline, (before, had())
        time.sleep(0.05)
    assert resident() - memory < 32 << 20


def test_the_command_is_there() -> None:
    said = subprocess.run([sys.executable, "-m", "hotcell", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["hotcell", hotcell.__version__]
    program = Path(sys.executable).with_name("hotcell")
    if program.exists():
        again = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        assert again.stdout == said.stdout


def test_forks_beside_threads_that_lend_the_same_memory() -> None:
    ended = _run("""
        x = hotcell.empty(1 << 20, "u1")
        x[:] = 1
        # What a launch does first with an argument, and nothing else.
        lend = lambda: hotcell._native.picture("u8", x)
        lend()
        stop = threading.Event()
        def lends():
            while not stop.is_set():
                lend()
        threads = [threading.Thread(target=lends) for _ in range(2)]
        for thread in threads: thread.start()
        for _ in range(300):
            child = os.fork()
            if child == 0:
                lend()
                os._exit(0)
            begun = time.monotonic()
            while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
                if time.monotonic() > begun + 20:
                    os.kill(child, 9)
                    stop.set()
                    sys.exit("a child hangs")
                time.sleep(0.0005)
            assert status[1] == 0
        stop.set()
    """)
    assert ended.returncode == 0, ended.stderr


def test_a_daemon_that_dies_ends_its_launches_with_words(tmp_path: Path) -> None:
    with a_daemon(tmp_path) as (daemon, running):
        long = daemon.load(kernel("mandelbrot")).mandelbrot.options(timeout=60, fuel="100T")
        launch = long.start(limit=1_000_000, h=2000, w=2000)
        # Its runner is at work.
        deadline = time.monotonic() + 30
        while not any("hotcell-runner" in _name(child) for child in _children(running.pid)):
            assert time.monotonic() < deadline and not launch.done()
            time.sleep(0.01)
        running.kill()
        with pytest.raises(hotcell.InputOutputError, match="daemon|connection"):
            launch.result(timeout=30)
        with pytest.raises(hotcell.InputOutputError, match="hotcell.sock|closed the connection"):
            daemon.load(kernel("saxpy"))


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""
