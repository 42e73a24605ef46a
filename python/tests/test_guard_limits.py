"""Limits of guarded calls: each ends its call with its exception, and the next call works."""

from __future__ import annotations

import ctypes
import glob
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hotcell
from conftest import children, script

#: What may pass between a limit's moment and the end of its call on a machine that others use too, in seconds.
SLACK = 4.0


def pid() -> int:
    return os.getpid()


def spin() -> None:
    while True:
        pass


def spin_deaf() -> None:
    while True:
        try:
            while True:
                pass
        except KeyboardInterrupt:
            pass


def spin_in_c() -> None:
    """One call of NumPy that takes hours, in which Python looks at no signal."""
    a = np.ones((20_000, 200))
    np.einsum("ij,kj,lj->", a, a, a)


def wait_in_c() -> None:
    """Waits for a lock that it holds itself, which no signal ends, and holds the interpreter's."""
    libc, lock = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)


def allocate(size: int) -> int:
    return int(np.ones(size, "u1")[-1])


def hoard() -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * (8 << 20)))


def write_file(size: int) -> int:
    with open(os.path.join(os.environ["HOME"], "file"), "wb") as file:
        for _ in range(size >> 20):
            file.write(b"x" * (1 << 20))
    return size


def remove_file() -> None:
    os.unlink(os.path.join(os.environ["HOME"], "file"))


def start_threads(count: int) -> int:
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait, args=(20,), daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    return count


def fork() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1]


def ended(call: Callable[[], object], kind: type[hotcell.Error], within: float, limit: str = "") -> hotcell.Error:
    """The error that a call ends with, in time, with both numbers."""
    begun = time.monotonic()
    with pytest.raises(kind) as raised:
        call()
    took = time.monotonic() - begun
    assert took < within, f"{took} s"
    error = raised.value
    if limit:
        assert error.breach is not None and error.breach[0] == limit, error.breach
        assert error.breach[1] > error.breach[2] or limit in ("process_memory_bytes", "scratch_bytes"), error.breach
        assert error.breach[2] == error.report["limits"][limit]["value"]
        assert error.report["outcome"]["kind"] == error.ended.kind
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.breach == error.breach and str(again) == str(error)
    return error


def test_a_timeout_that_is_obeyed_keeps_the_process(g: hotcell.Guarded) -> None:
    first = g.call(pid)
    error = ended(lambda: g.options(timeout=0.3).call(spin), hotcell.Timeout, 0.4 + SLACK, "timeout_ns")
    assert isinstance(error, TimeoutError) and "options(timeout=" in str(error) and "in spin" in error.traceback
    assert g.call(pid) == first
    error = ended(lambda: g.options(timeout="200ms").call(time.sleep, 1000), hotcell.Timeout, 0.3 + SLACK, "timeout_ns")
    assert error.breach[2] == 200_000_000 and g.call(pid) == first


@pytest.mark.parametrize("function", [spin_deaf, spin_in_c, wait_in_c])
def test_what_does_not_stop_when_it_is_asked_to_is_killed(g: hotcell.Guarded, function: Callable[[], None]) -> None:
    first = g.call(pid)
    error = ended(lambda: g.options(timeout=0.3, stop_grace=0.1).call(function), hotcell.Timeout, 0.4 + SLACK, "timeout_ns")
    assert any("killed" in alert["message"] for alert in error.report.get("alerts", []))
    assert g.call(pid) != first and not os.path.exists(f"/proc/{first}")


def test_the_grace_is_what_it_is_set_to(g: hotcell.Guarded) -> None:
    def slow_to_stop() -> None:
        try:
            while True:
                pass
        except KeyboardInterrupt:
            until = time.monotonic() + 0.7
            while time.monotonic() < until:
                pass

    first = g.call(pid)
    ended(lambda: g.options(timeout=0.2, stop_grace=10.0).call(slow_to_stop), hotcell.Timeout, 0.9 + SLACK, "timeout_ns")
    assert g.call(pid) == first
    ended(lambda: g.options(timeout=0.2, stop_grace=0).call(slow_to_stop), hotcell.Timeout, 0.2 + SLACK, "timeout_ns")
    assert g.call(pid) != first


def test_processor_time_is_limited_over_all_threads(g: hotcell.Guarded) -> None:
    def spin_twice() -> None:
        threading.Thread(target=spin, daemon=True).start()
        spin()

    for function in (spin, spin_twice):
        error = ended(lambda: g.options(cpu_time=0.3).call(function), hotcell.LimitReached, 1 + SLACK, "cpu_time_ns")
        assert "options(cpu_time=" in str(error)
    # What sleeps takes none.
    with hotcell.guarded(host=g._process.host, profile="numpy", cpu_time=0.5) as other:
        other.call(time.sleep, 0.7)


def test_memory_is_limited_and_both_numbers_are_told(g: hotcell.Guarded) -> None:
    limited = g.options(memory="200MiB")
    first = limited.call(pid)
    assert limited.call(allocate, 100 << 20) == 1
    error = ended(lambda: limited.call(allocate, 300 << 20), hotcell.MemoryLimit, 1 + SLACK, "process_memory_bytes")
    assert isinstance(error, MemoryError) and error.breach[1] >= 300 << 20 and error.breach[2] == 200 << 20
    ended(lambda: limited.call(lambda: "x" * (1 << 40)), hotcell.MemoryLimit, 1 + SLACK, "process_memory_bytes")
    assert limited.call(pid) == first and limited.call(allocate, 100 << 20) == 1
    # The next call has another limit, and so more.
    assert g.options(memory="600MiB").call(allocate, 300 << 20) == 1


def test_memory_that_calls_have_left_does_not_count_for_later_ones(g: hotcell.Guarded) -> None:
    limited = g.options(memory="200MiB")
    for _ in range(8):
        ended(lambda: limited.call(hoard), hotcell.MemoryLimit, 3 + SLACK, "process_memory_bytes")
        assert limited.call(allocate, 100 << 20) == 1


def test_words_name_the_options_as_they_are(g: hotcell.Guarded) -> None:
    error = ended(lambda: g.options(memory="200MiB").call(allocate, 300 << 20), hotcell.MemoryLimit, 1 + SLACK)
    assert "options(memory=" in str(error) and "kernel" not in str(error)


def test_memory_that_no_heap_has_is_limited_too(g: hotcell.Guarded) -> None:
    def mapped() -> int:
        import mmap

        memory = mmap.mmap(-1, 600 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for offset in range(0, 600 << 20, 4096):
            memory[offset] = 1
        return len(memory)

    limited = g.options(memory="200MiB", timeout=30)
    ended(lambda: limited.call(mapped), hotcell.MemoryLimit, 10 + SLACK)
    assert limited.call(allocate, 1 << 20) == 1


@pytest.mark.parametrize("way", ["mapped", "memfd"])
def test_shared_memory_counts(g: hotcell.Guarded, way: str) -> None:
    def takes(way: str) -> int:
        import mmap

        if way == "mapped":
            memory = mmap.mmap(-1, 600 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
            for offset in range(0, 600 << 20, 4096):
                memory[offset] = 1
            return len(memory)
        file = os.memfd_create("x")
        for _ in range(600):
            os.write(file, bytes(1 << 20))
        return 600

    ended(lambda: g.options(memory="200MiB", timeout=30).call(takes, way), hotcell.Error, 10 + SLACK)
    assert g.call(pid) > 0


def test_threads_are_limited(cell: hotcell.Cell) -> None:
    with hotcell.guarded(host=cell, profile="numpy", threads=8) as few:
        assert few.call(start_threads, 4) == 4
        error = ended(lambda: few.call(start_threads, 20), hotcell.LimitReached, 3 + SLACK, "threads")
        assert error.breach[2] == 8 and "threads=" in str(error)
        assert few.call(start_threads, 4) == 4


def test_threads_and_files_are_the_processs_own_and_are_said_where_it_is_made(g: hotcell.Guarded, cell: hotcell.Cell) -> None:
    for own in ({"threads": 200}, {"scratch": "100MiB"}):
        with pytest.raises(TypeError, match="process's own"):
            g.options(**own)
    function = hotcell.guard(pid, host=cell, profile="numpy")
    assert function() == function.options(timeout=5)() != function.options(threads=200)()


def test_one_thread_is_enough_for_python_and_numpy(cell: hotcell.Cell) -> None:
    with hotcell.guarded(host=cell, profile="numpy", imports=["numpy"], threads=1) as guarded:
        assert guarded.call(lambda: float((np.ones((300, 300)) @ np.ones((300, 300))).sum())) == 300.0**3


def test_the_bytes_of_results_are_limited(g: hotcell.Guarded) -> None:
    first = g.call(pid)
    limited = g.options(bytes_out=100_000)
    assert limited.call(np.zeros, 1000).shape == (1000,)
    error = ended(lambda: limited.call(np.zeros, 1 << 20), hotcell.LimitReached, 1 + SLACK, "bytes_out")
    assert error.breach[1] >= 8 << 20 and error.breach[2] == 100_000 and "options(bytes_out=" in str(error)
    ended(lambda: limited.call(lambda: "x" * 200_000), hotcell.LimitReached, 1 + SLACK, "bytes_out")
    assert g.call(pid) == first


def test_small_results_are_limited_too(g: hotcell.Guarded) -> None:
    ended(lambda: g.options(bytes_out=100).call(lambda: "x" * 10_000), hotcell.LimitReached, 1 + SLACK, "bytes_out")


def test_the_bytes_of_arguments_are_limited(g: hotcell.Guarded) -> None:
    first = g.call(pid)
    limited = g.options(bytes_in=100_000)
    ended(lambda: limited.call(np.sum, np.zeros(1 << 20)), hotcell.LimitReached, 1 + SLACK, "bytes_in")
    assert limited.call(np.sum, np.ones(10)) == 10 and g.call(pid) == first


def test_lines_beyond_the_limit_are_dropped_and_counted(g: hotcell.Guarded) -> None:
    def prints(count: int, text: str) -> None:
        for n in range(count):
            print(n, text)

    ran = g.options(log_lines=10).run(prints, 5000, "x")
    assert len(ran.report["log"]) <= 11 and ran.report["usage"]["log_lines_dropped"] >= 4990
    assert ran.report["log"][3]["message"] == "3 x"
    ran = g.options(log_bytes=1000).run(prints, 5000, "x" * 50)
    assert sum(len(line["message"]) for line in ran.report["log"]) < 2000 and ran.report["usage"]["log_lines_dropped"] > 0
    assert g.run(prints, 3, "x").report["usage"]["log_lines_dropped"] == 0


def test_a_flood_of_lines_does_not_hold_up_the_deadline(g: hotcell.Guarded) -> None:
    def floods() -> None:
        piece = b"y\n" * 30_000
        while True:
            os.write(1, piece)

    def floods_without_lines() -> None:
        while True:
            os.write(1, b"y" * 60_000)

    for function in (floods, floods_without_lines):
        ended(lambda: g.options(timeout=0.5).call(function), hotcell.Timeout, 0.6 + SLACK, "timeout_ns")
        assert g.call(pid) > 0


def test_files_in_the_folder_are_limited(cell: hotcell.Cell) -> None:
    with hotcell.guarded(host=cell, profile="numpy", scratch="20MiB") as guarded:
        assert guarded.call(write_file, 10 << 20) == 10 << 20
        with pytest.raises(hotcell.Error, match="space|scratch"):
            guarded.call(write_file, 30 << 20)
        guarded.call(remove_file)
        assert guarded.call(write_file, 10 << 20) == 10 << 20


def test_a_full_folder_is_the_limit_that_it_is(cell: hotcell.Cell) -> None:
    with hotcell.guarded(host=cell, profile="numpy", scratch="20MiB") as guarded:
        error = ended(lambda: guarded.call(write_file, 30 << 20), hotcell.LimitReached, 3 + SLACK, "scratch_bytes")
        assert "scratch=" in str(error)


def test_processes_are_refused(g: hotcell.Guarded) -> None:
    first = g.call(pid)

    def runs() -> int:
        import subprocess

        return subprocess.run(["/bin/true"]).returncode

    error = ended(lambda: g.call(fork), hotcell.Error, 1 + SLACK)
    assert isinstance(error, (hotcell.LimitReached, hotcell.Denied))
    ended(lambda: g.call(runs), hotcell.Error, 1 + SLACK)
    assert g.call(pid) == first


def test_a_process_limit_is_told_with_both_numbers(g: hotcell.Guarded) -> None:
    ended(lambda: g.call(fork), hotcell.LimitReached, 1 + SLACK, "processes")


def test_network_is_denied(g: hotcell.Guarded) -> None:
    def connects() -> None:
        import socket

        socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    error = ended(lambda: g.call(connects), hotcell.Denied, 1 + SLACK)
    assert isinstance(error, PermissionError) and "socket" in str(error)
    assert error.report["usage"]["process"]["refused_calls"] >= 1 and g.call(pid) > 0


def test_a_limit_above_the_ceiling_is_denied(g: hotcell.Guarded) -> None:
    with pytest.raises(hotcell.Denied, match="ceiling|at most"):
        g.options(timeout="90m").call(pid)


def test_an_interrupt_between_two_calls_does_not_swallow_the_second(g: hotcell.Guarded) -> None:
    def interrupted_later() -> None:
        import _thread

        # As a signal that comes just before the process waits for the next call: nothing wakes it.
        threading.Timer(0.1, _thread.interrupt_main).start()

    g.call(interrupted_later)
    time.sleep(0.5)
    assert g.options(timeout=3).call(len, [1, 2]) == 2


# It happens in about one of a hundred rounds.
def test_an_interrupt_that_comes_late_meets_nobody(g: hotcell.Guarded) -> None:
    """Calls that end about when their deadline passes."""
    first = g.call(pid)
    for n in range(200):
        try:
            g.options(timeout=0.02).call(time.sleep, 0.0185 + n % 30 / 20_000)
        except hotcell.Timeout:
            pass
        assert g.options(timeout=3).call(len, [1, 2]) == 2
    assert g.call(pid) == first


def test_imports_that_take_for_ever_end(cell: hotcell.Cell, tmp_path: Path) -> None:
    (tmp_path / "endless_module.py").write_text("import os\nos._exit(5)\n")
    with hotcell.guarded(host=cell, profile="numpy", imports=["endless_module"], grants=[f"read:{tmp_path}"]) as guarded:
        sys.path.insert(0, str(tmp_path))
        try:
            with pytest.raises(hotcell.Error):
                guarded.call(pid)
        finally:
            sys.path.remove(str(tmp_path))


def test_control_c_ends_a_call_and_leaves_no_process() -> None:
    for function in ("spin", "deaf", "wait"):
        ran = script(f"""
            signal.signal(signal.SIGINT, signal.default_int_handler)
            def spin():
                print("begun")
                while True: pass
            def wait():
                print("begun")
                time.sleep(1000)
            def deaf():
                while True:
                    try:
                        print("begun")
                        while True: pass
                    except KeyboardInterrupt: pass
            g = hotcell.guarded(host=cell(), profile="numpy")
            first = g.call(os.getpid)
            heard = []
            def begun(level, text):
                if not heard:
                    heard.append(text)
                    os.kill(os.getpid(), signal.SIGINT)
            at = time.monotonic()
            try:
                g.options(timeout=60, cpu_time=60, on_log=begun).call({function})
            except KeyboardInterrupt:
                pass
            else:
                sys.exit("no interrupt")
            assert time.monotonic() - at < 10
            now = g.call(os.getpid)
            assert (now == first) == ({function!r} != "deaf"), (now, first)
            print(now)
            heard.clear()
            g.options(timeout=60, on_log=begun).call(spin)
            """)
        assert ran.returncode in (1, -2, 130) and "KeyboardInterrupt" in ran.stderr, ran.stderr
        process = int(ran.stdout.split()[0])
        gone(lambda: not os.path.exists(f"/proc/{process}"))


def gone(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.01)


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "os._exit(3)", "os.kill(os.getpid(), 9)", "g.start(spin); sys.exit(3)"])
def test_ends_of_interpreters_leave_no_guarded_process(end: str) -> None:
    ran = script(f"""
        def spin():
            while True: pass
        g = hotcell.guarded(host=cell(), profile="numpy", imports=["decimal"])
        print(g.call(os.getpid), os.getpid(), flush=True)
        {end}
        """)
    process, parent = map(int, ran.stdout.split())
    assert ran.returncode in (0, 3, -9), ran.stderr
    gone(lambda: not os.path.exists(f"/proc/{process}") and not children(parent))


# It depends on how far a process has come that is started as the next one.
def test_ends_of_interpreters_leave_no_folder(tmp_path: Path) -> None:
    for end in ("", "g.close()", "sys.exit(3)"):
        script(f"""
            os.environ["TMPDIR"] = sys.argv[1]
            g = hotcell.guarded(host=cell(), profile="numpy", imports=["decimal"])
            g.call(os.getpid)
            {end}
            """, tmp_path)
        gone(lambda: not glob.glob(f"{tmp_path}/hotcell-guard-*"))


def test_calls_and_kills_leave_everything_where_it_was(cell: hotcell.Cell) -> None:
    folders = os.path.join(tempfile.gettempdir(), "hotcell-guard-*")
    large = np.ones(1 << 16, "f4")

    def had() -> dict[str, int]:
        return {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "children": len(children()),
            "threads": len(os.listdir("/proc/self/task")),
            "folders": len(glob.glob(folders)),
        }

    def calls(guarded: hotcell.Guarded, count: int, kills: int) -> None:
        for n in range(count):
            guarded.call(len, [n])
            if n % 10 == 0:
                guarded.call(np.add, large, large)
        for _ in range(kills):
            with pytest.raises(hotcell.Timeout):
                guarded.options(timeout=0.05, stop_grace=0.02).call(spin_deaf)

    before_all = had()
    with hotcell.guarded(host=cell, profile="numpy") as guarded:
        calls(guarded, 20, 2)
        guarded.call(pid)
        gone(lambda: had()["children"] <= before_all["children"] + 1)
        before = had()
        calls(guarded, 300, 30)
        guarded.call(pid)
        deadline = time.monotonic() + 10
        while any(now > then for now, then in zip(had().values(), before.values())):
            assert time.monotonic() < deadline, (before, had())
            time.sleep(0.05)
    deadline = time.monotonic() + 10
    while any(had()[name] > before_all[name] for name in ("children", "folders")):
        assert time.monotonic() < deadline, (before_all, had())
        time.sleep(0.05)


def test_a_process_that_somebody_else_kills_is_replaced(g: hotcell.Guarded) -> None:
    begun = threading.Event()

    def announces() -> None:
        print("begun")
        while True:
            pass

    first = g.call(pid)
    launch = g.options(on_log=lambda level, text: begun.set()).start(announces)
    assert begun.wait(30)
    os.kill(first, signal.SIGKILL)
    assert isinstance(launch.exception(timeout=30), hotcell.Error)
    second = g.call(pid)
    assert second != first
    # Also between two calls.
    os.kill(second, signal.SIGKILL)
    gone(lambda: not os.path.exists(f"/proc/{second}") or "Z" in Path(f"/proc/{second}/stat").read_text().rpartition(")")[2][:3])
    assert g.call(pid) not in (first, second)


def test_a_stopped_process_is_killed_at_the_deadline(g: hotcell.Guarded) -> None:
    first = g.call(pid)
    os.kill(first, signal.SIGSTOP)
    ended(lambda: g.options(timeout=0.3).call(pid), hotcell.Timeout, 0.4 + SLACK, "timeout_ns")
    assert g.call(pid) != first

