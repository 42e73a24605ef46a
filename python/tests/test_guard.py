"""The guard: ways to call functions in a guarded process, what goes in, and what comes out."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import ctypes
import datetime
import enum
import functools
import math
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hotcell
from conftest import TIER, needed, script

FACTOR = 3


def double(x: object) -> object:
    return x * 2  # type: ignore[operator]


def pid() -> int:
    return os.getpid()


def same(x: object) -> object:
    return x


def helped(x: int) -> int:
    """Uses a function and a value of this module."""
    return double(x) + FACTOR  # type: ignore[operator]


def fails(words: str) -> None:
    raise LookupError(words)


class Model:
    """State and a method, of a module that no guarded process sees."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, x: float) -> float:
        return self.weight * x

    def apply(self, x: float) -> float:
        return self.weight * x


# --- Ways in ---


def test_a_function_is_guarded_by_a_call(cell: hotcell.Cell) -> None:
    guarded = hotcell.guard(double, host=cell)
    assert guarded(21) == 42 and guarded(x=2) == 4
    assert np.array_equal(guarded(np.arange(4)), [0, 2, 4, 6])
    assert guarded.__name__ == "double" and "guarded" in repr(guarded)
    assert hotcell.guard(pid, host=cell)() != os.getpid()


def test_a_function_is_guarded_by_a_decorator_with_options(cell: hotcell.Cell) -> None:
    @hotcell.guard(host=cell, timeout=5, memory="512MiB")
    def add(a: int, b: int = 1) -> int:
        """Adds."""
        return a + b

    assert add(1) == 2 and add(1, b=5) == 6 and add.__doc__ == "Adds."
    limits = add.run(1).report["limits"]
    assert limits["timeout_ns"]["value"] == 5_000_000_000 and limits["process_memory_bytes"]["value"] == 512 << 20
    assert add.options(timeout=2).run(1).report["limits"]["timeout_ns"]["value"] == 2_000_000_000


def test_a_function_is_guarded_by_a_plain_decorator() -> None:
    ran = script(f"""
        os.environ["XDG_CONFIG_HOME"] = sys.argv[1]
        @hotcell.guard
        def triple(x): return 3 * x, os.getpid()
        value, pid = triple(5)
        assert value == 15 and pid != os.getpid()
        @hotcell.guard
        def other(): return os.getpid()
        assert other() == pid, "those that are guarded alike share a process"
        """, own_configuration())
    assert ran.returncode == 0, ran.stderr


def own_configuration() -> Path:
    """A folder of configuration whose policy asks for the tests' tier."""
    folder = Path(os.environ["XDG_CONFIG_HOME"]).parent / "guard-configuration"
    policy = folder / "hotcell" / "hotcell.toml"
    policy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy.write_text(f'schema = 1\ntier = "{TIER}"\n')
    policy.chmod(0o600)
    return folder


def test_methods_are_guarded() -> None:
    ran = script("""
        host = cell()
        class Counter:
            def __init__(self, start): self.start = start
            @hotcell.guard(host=host)
            def plus(self, n): return self.start + n
            @staticmethod
            @hotcell.guard(host=host)
            def plain(n): return n + 1
        assert Counter(4).plus(3) == 7 and Counter.plus(Counter(4), n=3) == 7 and Counter.plain(1) == 2
        """)
    assert ran.returncode == 0, ran.stderr


def test_methods_of_a_module_that_the_process_does_not_see_are_guarded(cell: hotcell.Cell) -> None:
    class Guarded(Model):
        @hotcell.guard(host=cell)
        def guarded(self, x: float) -> float:
            return self.apply(x)

    assert Guarded(2.0).guarded(3.0) == 6.0


def test_recursive_functions_are_guarded_once(cell: hotcell.Cell) -> None:
    @hotcell.guard(host=cell)
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    assert factorial(30) == math.factorial(30)


def test_a_guarded_process_keeps_state_between_calls(cell: hotcell.Cell) -> None:
    def put(value: int) -> None:
        sys.kept = value  # type: ignore[attr-defined]

    def get() -> int | None:
        return getattr(sys, "kept", None)

    with hotcell.guarded(host=cell) as first, hotcell.guarded(host=cell) as second:
        first.call(put, 7)
        assert first.call(get) == 7 and first.options(timeout=3, memory="300MiB").call(get) == 7
        assert second.call(get) is None and first.call(pid) != second.call(pid)
        assert not hasattr(sys, "kept")
    with pytest.raises(hotcell.UsageError, match="closed"):
        first.call(get)


def test_globals_of_a_function_are_its_own_between_calls(g: hotcell.Guarded) -> None:
    def count(by: int) -> int:
        seen.append(by)
        return len(seen)

    seen: list[int] = []
    assert [g.call(count, 1) for _ in range(3)] == [1, 2, 3] and seen == []


def test_other_limits_keep_the_process(g: hotcell.Guarded) -> None:
    first = g.call(pid)
    for limits in ({"timeout": 3}, {"memory": "300MiB"}, {"cpu_time": 5}, {"log_lines": 3}, {"bytes_out": 1000}):
        assert g.options(**limits).call(pid) == first, limits


def test_options_that_do_not_exist_are_told(cell: hotcell.Cell, g: hotcell.Guarded) -> None:
    with pytest.raises((TypeError, ValueError), match="memroy"):
        g.options(memroy=1)
    with pytest.raises((TypeError, ValueError), match="nonsense"):
        hotcell.guarded(host=cell, nonsense=1)
    with pytest.raises((TypeError, ValueError), match="profile"):
        hotcell.guarded(host=cell, profile="nonsense").call(pid)
    with pytest.raises(TypeError, match="grants|guard"):
        hotcell.guard(hotcell.guard(pid, host=cell), grants=["read:/usr"])


def test_a_run_has_a_report(cell: hotcell.Cell) -> None:
    with hotcell.guarded(host=cell, grants=["read:/usr"], imports=["numpy"]) as guarded:
        ended = guarded.run(double, np.arange(3.0))
        report = ended.report
        assert ended.kind == "done" and np.array_equal(ended.value, [0, 2, 4]) and ended.traceback == ""
        assert report["isolation"] == "guarded" and report["outcome"]["kind"] == "done"
        walls = {layer["layer"]: layer["state"] for layer in report["walls"]["guarded"]}
        assert {"filter", "landlock", "namespaces", "capabilities", "no-new-privileges", "undumpable"} <= walls.keys()
        if TIER == "full":
            assert all("enforced" in walls[name] for name in ("filter", "landlock", "no-new-privileges", "capabilities"))
        process = report["usage"]["process"]
        assert process["peak_resident_bytes"] > 0 and process["peak_threads"] >= 1 and process["refused_calls"] == 0
        assert report["arguments"] == [{"name": "0", "dtype": "f64", "shape": [3]}]
        assert report["results"] == [{"name": "0", "dtype": "f64", "shape": [3]}]
        assert report["component"]["entry"].endswith("double") and report["component"]["path"] == __file__
        assert report["limits"]["timeout_ns"] == {"value": 10_000_000_000, "source": "default"}
        assert "grants" in report and report.get("jit", []) == []
        again = pickle.loads(pickle.dumps(ended))
        assert type(again) is hotcell.GuardEnded and np.array_equal(again.value, ended.value) and again.report == report


def test_calls_are_futures(g: hotcell.Guarded) -> None:
    launches = [g.start(double, n) for n in range(6)]
    assert all(isinstance(launch, concurrent.futures.Future) for launch in launches)
    done, waiting = concurrent.futures.wait(launches, timeout=60)
    assert len(done) == 6 and not waiting and [launch.result() for launch in launches] == [0, 2, 4, 6, 8, 10]
    more = [g.start(double, n) for n in range(4)]
    assert sorted(launch.result() for launch in concurrent.futures.as_completed(more, timeout=60)) == [0, 2, 4, 6]
    failed = g.start(fails, "lost")
    error = failed.exception(timeout=60)
    assert isinstance(error, hotcell.KernelError) and "LookupError: lost" in str(error)
    assert failed.ended.report["isolation"] == "guarded"


def spin() -> None:
    while True:
        pass


def test_a_call_that_runs_and_one_that_waits_are_cancelled(g: hotcell.Guarded) -> None:
    begun = threading.Event()
    first = g.call(pid)

    def announced() -> None:
        print("begun")
        while True:
            pass

    running = g.options(on_log=lambda level, text: begun.set()).start(announced)
    assert begun.wait(30)
    waiting, last = g.start(double, 1), g.start(pid)
    assert running.running() and waiting.running() and waiting.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(timeout=30)
    assert not running.done() and running.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        running.result(timeout=30)
    assert running.cancelled() and not running.cancel()
    # It has obeyed, and so it stays.
    assert last.result(timeout=30) == first


def test_calls_run_in_the_order_in_which_they_were_started(g: hotcell.Guarded) -> None:
    def note(n: int) -> list[int]:
        order.append(n)
        return order

    order: list[int] = []
    assert g.call(note, -1) == [-1]
    launches = [g.start(note, n) for n in range(200)]
    concurrent.futures.wait(launches, timeout=60)
    assert max((launch.result() for launch in launches), key=len) == list(range(-1, 200))


def test_calls_are_awaited(g: hotcell.Guarded) -> None:
    async def several() -> list[object]:
        results = await asyncio.gather(*(g.start(double, n) for n in range(4)))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(g.start(spin), 0.2)
        return [*results, await g.start(double, 10)]

    assert asyncio.run(several()) == [0, 2, 4, 6, 20]


def test_threads_share_a_process_and_each_has_its_own_result(g: hotcell.Guarded) -> None:
    def work(n: int) -> tuple[int, int, np.ndarray]:
        return n, os.getpid(), np.full(5000, n)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: g.call(work, n), range(40)))
    assert [n for n, _, _ in results] == list(range(40)) and len({process for _, process, _ in results}) == 1
    assert all((array == n).all() for n, _, array in results)


def _called_with(function: object, x: object) -> object:
    return function(x)  # type: ignore[operator]


def _plain_module(folder: Path) -> Path:
    (folder / "guarded_module.py").write_text(
        "import os, hotcell\n\n@hotcell.guard(timeout=7)\ndef double(x):\n    return 2 * x, os.getpid()\n\n"
        "def call(function, x):\n    return function(x), function._guarded._options, os.getpid()\n"
    )
    return folder


def test_guarded_functions_go_to_other_processes(tmp_path: Path) -> None:
    _plain_module(tmp_path)
    ran = script("""
        os.environ["XDG_CONFIG_HOME"] = sys.argv[1]
        sys.path.insert(0, sys.argv[2])
        os.environ["PYTHONPATH"] = sys.argv[2] + ":" + os.environ.get("PYTHONPATH", "")
        import multiprocessing, pickle, hotcell
        def plain(x): return x
        if __name__ == "__main__":
            import math
            guarded = hotcell.guard(math.sqrt, timeout=7)
            assert guarded(4.0) == 2.0
            again = pickle.loads(pickle.dumps(guarded))
            assert again(9.0) == 3.0 and again._guarded._options == {"timeout": 7}
            from guarded_module import call
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                value, options, process = pool.apply(call, (guarded, 16.0))
                assert value == 4.0 and options == {"timeout": 7} and process != os.getpid()
        """, own_configuration(), tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_decorated_functions_go_to_other_processes(tmp_path: Path) -> None:
    _plain_module(tmp_path)
    ran = script("""
        os.environ["XDG_CONFIG_HOME"] = sys.argv[1]
        sys.path.insert(0, sys.argv[2])
        os.environ["PYTHONPATH"] = sys.argv[2] + ":" + os.environ.get("PYTHONPATH", "")
        import multiprocessing
        from guarded_module import call, double
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                (value, guarded), options, process = pool.apply(call, (double, 4))
                assert value == 8 and guarded not in (process, os.getpid()) and options == {"timeout": 7}
        """, own_configuration(), tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forks_child_calls_in_a_process_of_its_own() -> None:
    ran = script("""
        os.environ["XDG_CONFIG_HOME"] = sys.argv[1]
        @hotcell.guard
        def who(x): return os.getpid(), os.getppid(), x
        mine, _, _ = who(1)
        child = os.fork()
        if child == 0:
            code = 8
            try:
                theirs, _, array = who(np.arange(10000))
                code = 7 if theirs != mine and array[-1] == 9999 else 9
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert who(1)[0] == mine
        """, own_configuration())
    assert ran.returncode == 0, ran.stderr


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_calls_does_not_hang() -> None:
    ran = script("""
        os.environ["XDG_CONFIG_HOME"] = sys.argv[1]
        @hotcell.guard
        def who(): return os.getpid()
        @hotcell.guard
        def busy():
            print("begun")
            time.sleep(3)
            return os.getpid()
        who()
        begun = threading.Event()
        launch = busy.options(on_log=lambda level, text: begun.set()).start()
        assert begun.wait(30)
        child = os.fork()
        if child == 0:
            code = 8
            try:
                code = 7 if who() != os.getpid() else 9
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert launch.result(30) == who()
        """, own_configuration())
    assert ran.returncode == 0, ran.stderr


# --- What functions may be ---


def test_lambdas_closures_and_functions_by_value(g: hotcell.Guarded) -> None:
    offset = 5
    assert g.call(lambda x: x + offset, 1) == 6
    assert g.call(helped, 4) == 11
    assert g.call(functools.partial(pow, 2), 5) == 32
    assert g.call(math.hypot, 3.0, 4.0) == 5.0 and g.call(len, [1, 2]) == 2
    assert g.call(Model(2.0), 4.0) == 8.0
    assert g.call(Model(2.0).apply, 4.0) == 8.0
    assert g.call(np.linalg.norm, np.array([3.0, 4.0])) == 5.0


def test_partial_functions_of_a_module_that_the_process_does_not_see(g: hotcell.Guarded) -> None:
    assert g.call(functools.partial(helped, 4)) == 11


def test_functions_as_arguments_of_a_module_that_the_process_does_not_see(g: hotcell.Guarded) -> None:
    def mapped(function: object, values: list[int]) -> list[int]:
        return [function(value) for value in values]  # type: ignore[operator]

    assert g.call(mapped, lambda x: x + 1, [1, 2]) == [2, 3]
    assert g.call(mapped, helped, [1, 2]) == [5, 7]


def test_objects_as_arguments_of_a_module_that_the_process_does_not_see(g: hotcell.Guarded) -> None:
    assert g.call(lambda model, x: model.apply(x), Model(3.0), 2.0) == 6.0


def test_a_closure_is_what_it_is_when_it_is_called(g: hotcell.Guarded) -> None:
    factor = 2

    def times(x: int) -> int:
        return factor * x

    assert g.call(times, 10) == 20
    factor = 3
    assert times(10) == 30 and g.call(times, 10) == 30


def test_an_object_is_what_it_is_when_it_is_called(g: hotcell.Guarded) -> None:
    model = Model(2.0)
    assert g.call(model, 10.0) == 20.0
    model.weight = 3.0
    assert model(10.0) == 30.0 and g.call(model, 10.0) == 30.0


class Equal:
    """All of them are equal."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    def __hash__(self) -> int:
        return 1

    def __call__(self) -> int:
        return self.n


def test_equal_functions_are_not_the_same(g: hotcell.Guarded) -> None:
    first, second = Equal(1), Equal(2)
    assert g.call(first) == 1 and g.call(second) == 2


def test_a_function_of_a_module_that_is_granted_is_imported(cell: hotcell.Cell, tmp_path: Path) -> None:
    (tmp_path / "seen_module.py").write_text("import threading\nLOCK = threading.Lock()\n\ndef f(x):\n    with LOCK:\n        return x + 1, __file__\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import seen_module  # type: ignore[import-not-found]

        with hotcell.guarded(host=cell, grants=[f"read:{tmp_path}"]) as guarded:
            assert guarded.call(seen_module.f, 1) == (2, str(tmp_path / "seen_module.py"))
        # By value it cannot go.
        with hotcell.guarded(host=cell) as guarded, pytest.raises(TypeError, match=r'grants=\["read:'):
            guarded.call(seen_module.f, 1)
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["seen_module"]


def test_a_module_that_only_the_function_uses_is_told_of(cell: hotcell.Cell, tmp_path: Path) -> None:
    (tmp_path / "used_module.py").write_text("def f(x):\n    return x + 1\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import used_module  # type: ignore[import-not-found]

        def uses(x: int) -> int:
            return used_module.f(x)

        def imports(x: int) -> int:
            import used_module

            return used_module.f(x)

        with hotcell.guarded(host=cell) as guarded:
            # What it names goes along, and what it imports itself has to be there.
            assert guarded.call(uses, 1) == 2
            with pytest.raises(hotcell.Error, match=r"used_module.*grants=\["):
                guarded.call(imports, 1)
        with hotcell.guarded(host=cell, grants=[f"read:{tmp_path}"]) as guarded:
            assert guarded.call(uses, 1) == 2
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["used_module"]


def test_what_cannot_be_pickled_is_told(g: hotcell.Guarded) -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot be pickled|cannot pickle"):
        g.call(lambda: lock)
    with pytest.raises(TypeError, match="pickle"):
        g.call(same, lock)
    assert g.call(same, 1) == 1


# --- Exceptions and logs ---


def test_exceptions_have_the_traceback_and_notes(g: hotcell.Guarded) -> None:
    def outer(x: int) -> None:
        def inner() -> None:
            error = ValueError(f"no {x} here")
            error.add_note("a note of its own")
            raise error

        inner()

    with pytest.raises(hotcell.KernelError, match="ValueError: no 3 here") as raised:
        g.call(outer, 3)
    error = raised.value
    assert "in inner" in error.traceback and "raise error" in error.traceback and __file__ in error.traceback
    assert "a note of its own" in error.traceback and "_guarded.py" not in error.traceback
    assert any("In the guarded process:" in note and "in inner" in note for note in error.__notes__)
    assert error.report["outcome"]["kind"] == "kernel-error" and error.breach is None and error.results == {}
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and again.traceback == error.traceback


class Strange(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_exceptions_of_any_kind_end_the_call_and_not_the_process(g: hotcell.Guarded) -> None:
    first = g.call(pid)

    def raises(kind: str) -> None:
        if kind == "exit":
            sys.exit(3)
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "generator":
            raise GeneratorExit
        if kind == "strange":
            raise Strange
        if kind == "group":
            raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
        if kind == "control":
            raise ValueError("a \0 and \x1b[2J")
        if kind == "long":
            raise ValueError("x" * 10_000_000)
        if kind == "deep":
            def deeper(n: int) -> None:
                deeper(n + 1)
            deeper(0)
        if kind == "chained":
            try:
                raise ValueError("first")
            except ValueError as error:
                raise TypeError("second") from error

    for kind, words in [
        ("exit", "SystemExit: 3"),
        ("interrupt", "KeyboardInterrupt"),
        ("generator", "GeneratorExit"),
        ("strange", "Strange"),
        ("group", "several"),
        ("control", "ValueError"),
        ("long", "xxx"),
        ("deep", "RecursionError"),
        ("chained", "TypeError: second"),
    ]:
        with pytest.raises(hotcell.KernelError, match=words) as raised:
            g.call(raises, kind)
        assert "\x1b" not in str(raised.value) and len(str(raised.value)) < 100_000
        assert g.call(pid) == first, kind
    assert "first" in raised.value.traceback


def test_exceptions_whose_words_are_no_utf8_end_the_call_and_not_the_process(g: hotcell.Guarded) -> None:
    first = g.call(pid)

    def raises() -> None:
        raise FileNotFoundError(os.fsdecode(b"/tmp/\xff"))

    with pytest.raises(hotcell.KernelError, match="FileNotFoundError"):
        g.call(raises)
    assert g.call(pid) == first


def test_a_process_that_exits_is_replaced(g: hotcell.Guarded) -> None:
    first = g.call(pid)
    for code in (0, 3):
        with pytest.raises(hotcell.Error, match="exit|ended|died|code"):
            g.call(os._exit, code)
        assert g.call(pid) != first
        first = g.call(pid)
    with pytest.raises(hotcell.Trap):
        g.call(ctypes.string_at, 0)
    assert g.call(pid) != first


def test_what_is_printed_is_the_log(g: hotcell.Guarded) -> None:
    def prints() -> None:
        print("from Python ☃")
        print("an error", file=sys.stderr)
        libc = ctypes.CDLL(None)
        libc.printf(b"from C %d\n", 7)
        libc.fflush(None)
        os.write(1, b"raw\xff\n")
        os.write(2, b"without an end")

    heard: list[tuple[str, str]] = []
    log = g.options(on_log=lambda level, text: heard.append((level, text))).run(prints).report["log"]
    texts = [line["message"] for line in log]
    assert "from Python ☃" in texts and "an error" in texts and "from C 7" in texts and "without an end" in texts
    assert any(text.startswith("raw") for text in texts) and [text for _, text in heard] == texts
    assert not g.run(same, 1).report.get("log")


def test_what_c_has_buffered_is_in_the_log_of_its_own_call(g: hotcell.Guarded) -> None:
    def buffered() -> None:
        ctypes.CDLL(None).printf(b"from C\n")

    assert [line["message"] for line in g.run(buffered).report["log"]] == ["from C"]


def test_a_callback_for_log_lines_that_raises_or_calls_does_no_harm(g: hotcell.Guarded) -> None:
    def prints() -> int:
        print("one")
        return 1

    def raises(level: str, text: str) -> None:
        raise ValueError("in the callback")

    try:
        assert g.options(on_log=raises).call(prints) == 1
    except ValueError as error:
        assert "in the callback" in str(error)
    assert g.call(prints) == 1


# --- Values ---

TEXTS = ["", "plain", "ÄÖ☃𝄞", "\0", "a\0b", "\ud800", "x\udfff\udc80y", '"\\\n\r\t\x1b', "[1, 2]", "x" * 100_000]
PLAIN = [
    None, True, False, 0, 1, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400, -(10**5000),
    0.0, -0.0, 1e308, 5e-324, 0.1, float("inf"), float("-inf"), 1 + 2j, complex("nan"), complex(-0.0, float("inf")),
    *TEXTS, b"", b"\0\xff", bytes(range(256)) * 500, (), (1,), [], [[]], [1, "a", None], {}, {"a": 1}, {1: 2, None: 3, (1, 2): [4]},
    {1.5: "x", b"k": {}, True: ()}, set(), {1, 2, "x"}, frozenset({1}), [("d", 1), ["a", 0], {"a": ["n", 0]}],
    {"a": [(1, {2: {3.0}})] * 3}, [[[[[[[[1]]]]]]]], list(range(20_000)),
]  # fmt: skip


def equal(a: object, b: object) -> bool:
    return repr(a) == repr(b) if not isinstance(a, (set, frozenset)) else a == b


@pytest.mark.parametrize("value", PLAIN, ids=map(str, range(len(PLAIN))))
def test_plain_values_come_back_as_they_were(shared: hotcell.Guarded, value: object) -> None:
    sys.set_int_max_str_digits(0)
    back = shared.call(same, value)
    assert type(back) is type(value) and equal(back, value)


def test_nan_comes_back(shared: hotcell.Guarded) -> None:
    assert math.isnan(shared.call(same, float("nan")))
    back = shared.call(same, {"a": [float("nan"), np.float32("nan")]})
    assert math.isnan(back["a"][0]) and math.isnan(back["a"][1]) and type(back["a"][1]) is np.float32


def test_a_negative_zero_comes_back(shared: hotcell.Guarded) -> None:
    assert math.copysign(1, shared.call(same, -0.0)) == -1
    assert math.copysign(1, shared.call(same, complex(-0.0, 1)).real) == -1


@pytest.mark.parametrize("value", [{frozenset({1})}, {frozenset({1, 2}): "a"}, {(frozenset({1}), 2)}])
def test_frozen_sets_within_sets_and_as_keys_come_back(shared: hotcell.Guarded, value: object) -> None:
    assert shared.call(same, value) == value


class Color(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    TWO = 2


class Point(collections.namedtuple("Point", "x y")):
    pass


def test_what_is_plain_and_more_goes_as_the_plain_one(shared: hotcell.Guarded) -> None:
    def values() -> list[object]:
        return [collections.OrderedDict(a=1), collections.defaultdict(list, b=[2]), collections.Counter("aa"), bytearray(b"x")]

    assert shared.call(values) == [{"a": 1}, {"b": [2]}, {"a": 2}, b"x"]
    assert shared.call(lambda: Number.TWO) == 2 and shared.call(lambda: Point(1, 2)) == (1, 2)


def test_enumerations_of_text_are_their_text(shared: hotcell.Guarded) -> None:
    assert shared.call(lambda: Color.RED) == "red"


def test_numpys_text_is_text(shared: hotcell.Guarded) -> None:
    assert shared.call(lambda: np.str_("abc")) == "abc" and shared.call(lambda: np.bytes_(b"abc")) == b"abc"


DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (50, 70), (300, 400)])
def test_arrays_of_every_dtype_and_shape_go_there_and_back(shared: hotcell.Guarded, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.asarray(np.random.default_rng(1).random(shape) * 100, dtype)
    back = shared.call(same, array)
    assert type(back) is np.ndarray and back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)
    back[...] = 1
    scalar = shared.call(same, np.dtype(dtype).type(1))
    assert type(scalar) is np.dtype(dtype).type and scalar == 1


def test_arrays_of_every_order_go_there_and_back(shared: hotcell.Guarded) -> None:
    base = np.arange(60_000, dtype="f8").reshape(200, 300)
    read_only = base.copy()
    read_only.flags.writeable = False
    for array in (base[::2, ::3], base.T, base[::-1], np.asfortranarray(base), read_only, base[:, :1], np.broadcast_to(base[0], (50, 300))):
        back, total = shared.call(lambda x: (x, float(x.sum())), array)
        assert np.array_equal(back, array) and total == float(array.sum()) and back.dtype.isnative and back.flags.writeable


@pytest.mark.parametrize("dtype", [">f8", ">u2", ">i4", ">c16"])
@pytest.mark.parametrize(
    "count", [3, 30_000]
)
def test_arrays_of_the_other_byte_order_go_there_and_back(shared: hotcell.Guarded, dtype: str, count: int) -> None:
    array = np.arange(count).astype(dtype)
    for given in (array, array[::2]):
        back, total = shared.call(lambda x: (x, complex(x.sum())), given)
        assert np.array_equal(back, given) and total == given.sum() and back.dtype.isnative
    made = shared.call(lambda n: np.arange(n).astype(">f4"), count)
    assert np.array_equal(made, np.arange(count, dtype="f4"))


def test_bfloat16_goes_there_and_back(shared: hotcell.Guarded) -> None:
    needed("ml_dtypes")
    import ml_dtypes

    array = np.arange(5000).astype(ml_dtypes.bfloat16)
    back = shared.call(same, array)
    assert back.dtype == array.dtype and np.array_equal(back, array)


def test_several_large_arrays_go_there_and_back(shared: hotcell.Guarded) -> None:
    arrays = {f"a{n}": np.full(1 << 20, n, "f4") for n in range(8)}
    back = shared.call(lambda **given: {"sum": sum(a.sum() for a in given.values()), "all": list(given.values())}, **arrays)
    assert back["sum"] == sum(range(8)) * (1 << 20) and all(np.array_equal(b, a) for b, a in zip(back["all"], arrays.values()))
    back["all"][0][0] = 9
    assert back["all"][1][0] == 1 and arrays["a0"][0] == 0


def test_an_array_of_hotcells_goes_in_without_a_copy_and_is_left_alone(shared: hotcell.Guarded) -> None:
    array = hotcell.empty((512, 1024), "f4")
    array[:] = 2

    def changes(x: np.ndarray) -> float:
        x += 1
        return float(x.sum())

    for _ in range(2):
        assert shared.call(changes, array) == 3 * 512 * 1024 and (array == 2).all()
    array[:] = 5
    assert shared.call(changes, array) == 6 * 512 * 1024 and (array == 5).all()
    part = array[100:200]
    assert shared.call(changes, part) == 6 * 100 * 1024 and shared.call(changes, array[:, ::2]) == 6 * 512 * 512


def test_arguments_are_left_alone_and_can_be_written_to(shared: hotcell.Guarded) -> None:
    def changes(x: np.ndarray) -> np.ndarray:
        x[0] = 7
        return x

    for size in (3, 100_000):
        array = np.zeros(size)
        assert shared.call(changes, array)[0] == 7 and array[0] == 0


def test_the_same_array_twice_is_the_same_array_inside(shared: hotcell.Guarded) -> None:
    array = np.zeros(100_000)
    assert shared.call(lambda x, y: x is y, array, array)


def test_more_buffers_than_descriptors_go_in_and_out(shared: hotcell.Guarded) -> None:
    arrays = [np.full(5000, n) for n in range(300)]
    back = shared.call(same, arrays)
    assert len(back) == 300 and all((array == n).all() for n, array in enumerate(back))
    lent = [hotcell.empty(8192, "f4") for _ in range(260)]
    assert len(shared.call(same, lent)) == 260


def test_more_arrays_than_can_be_returned_are_a_clear_error(shared: hotcell.Guarded) -> None:
    with pytest.raises(hotcell.UsageError, match="1024|array"):
        shared.call(lambda: [np.zeros(2)] * 1100)
    assert shared.call(same, 1) == 1


def cycle() -> list[object]:
    around: list[object] = []
    around.append(around)
    return around


def deep(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object, "object cannot leave"),
        (lambda: lambda: 1, "function cannot leave"),
        (lambda: np.array([object()]), "array of object"),
        (lambda: np.array(["a", "b"]), "array of <U1"),
        (lambda: np.array(["2020-01-01"], "M8[D]"), "datetime64"),
        (lambda: np.zeros(2, [("a", "i4")]), "array of"),
        (lambda: np.zeros((1,) * 9), "9 dimensions"),
        (lambda: np.longdouble(1), "array of|longdouble"),
        (cycle, "nested"),
        (lambda: deep(150), "nested"),
        (lambda: deep(50_000), "nested"),
        (lambda: datetime.date(2020, 1, 1), "date cannot leave"),
        (lambda: (n for n in range(3)), "generator cannot leave"),
        (lambda: Model(1.0), "Model cannot leave"),
        (lambda: "x" * (65 << 20), "return it as an array"),
        (lambda: {"a": [1, {"b": object()}]}, "object cannot leave"),
    ],
)
def test_what_cannot_be_returned_is_a_clear_error(shared: hotcell.Guarded, value: object, words: str) -> None:
    first = shared.call(pid)
    with pytest.raises(hotcell.UsageError, match=words):
        shared.call(value)
    assert shared.call(pid) == first


def test_masks_are_not_dropped_in_silence(shared: hotcell.Guarded) -> None:
    def masked() -> object:
        return np.ma.masked_array([1.0, 2.0], mask=[False, True])

    with pytest.raises(hotcell.UsageError, match="mask"):
        shared.call(masked)


# --- What the process sees ---


def test_what_is_granted_can_be_read_and_written_to(cell: hotcell.Cell, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir(), target.mkdir()
    (source / "in.txt").write_text("given")
    one = tmp_path / "one.txt"
    one.write_text("one")

    def read(path: str) -> str:
        with open(path) as file:
            return file.read()

    def write(path: str) -> int:
        with open(path, "w") as file:
            return file.write("written")

    with hotcell.guarded(host=cell, grants=[f"read:{source}", f"read:{one}"]) as guarded:
        assert guarded.call(read, str(source / "in.txt")) == "given" and guarded.call(read, str(one)) == "one"
        for path in (source / "new", one, source / "in.txt"):
            with pytest.raises(hotcell.Error, match="write:|permitted|ermission"):
                guarded.call(write, str(path))
        assert one.read_text() == "one" and not (source / "new").exists()
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    with hotcell.guarded(host=cell) as guarded:
        for path in (secret, Path("/etc/shadow"), Path("/proc/1/environ")):
            with pytest.raises(hotcell.Error, match=r'grants=\["read:|permitted'):
                guarded.call(read, str(path))
    for grant in ("read:relative", "execute:/usr", "/usr", "read:"):
        with pytest.raises(ValueError, match="absolute"):
            hotcell.guarded(host=cell, grants=[grant])
    with pytest.raises(FileNotFoundError, match="not there"):
        hotcell.guarded(host=cell, grants=["read:/nowhere/at/all"])


@pytest.mark.parametrize(
    "beside",
    [
        # Where temporary folders are below /tmp.
        [],
        ["read:{base}"],
    ],
    ids=["alone", "below-a-folder-to-read"],
)
def test_what_is_granted_for_writing_is_written_to(cell: hotcell.Cell, tmp_path: Path, beside: list[str]) -> None:
    target, one = tmp_path / "target", tmp_path / "one.txt"
    target.mkdir()
    one.write_text("one")

    def write(path: str) -> str:
        with open(path, "w") as file:
            file.write("written")
        with open(path) as file:
            return file.read()

    grants = [f"write:{target}", f"write:{one}", *(grant.format(base=tmp_path) for grant in beside)]
    with hotcell.guarded(host=cell, grants=grants) as guarded:
        for path in (target / "out.txt", one):
            assert guarded.call(write, str(path)) == "written" and path.read_text() == "written"
        try:
            # The folder's own, where the granted ones lie in one of that name.
            guarded.call(write, str(tmp_path / "other.txt"))
        except hotcell.Error:
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.txt", "target"]


def test_the_environment_is_its_own(cell: hotcell.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTCELL_TEST_SECRET", "secret")

    def environment() -> dict[str, str]:
        return dict(os.environ)

    with hotcell.guarded(host=cell, environment={"MINE": "1"}) as guarded:
        found = guarded.call(environment)
        assert found["MINE"] == "1" and "HOTCELL_TEST_SECRET" not in found and "PATH" not in found
        assert found["HOME"] == found["TMPDIR"] != os.environ["HOME"]

        def raw() -> bytes:
            with open("/proc/self/environ", "rb") as file:
                return file.read()

        try:
            assert b"secret" not in guarded.call(raw)
        except hotcell.Error:
            pass


def test_imports_that_fail_are_told_and_leave_nothing(cell: hotcell.Cell) -> None:
    for imports, words in [(["no_such_module_at_all"], "no_such_module_at_all"), (["numpy", "also.none"], "also")]:
        with hotcell.guarded(host=cell, imports=imports) as guarded:
            for _ in range(2):
                with pytest.raises(hotcell.UsageError, match=words):
                    guarded.call(pid)


def test_imports_are_there_before_the_first_call(cell: hotcell.Cell) -> None:
    with hotcell.guarded(host=cell, imports="decimal") as guarded:
        guarded.warm()
        assert guarded.call(lambda: "decimal" in __import__("sys").modules) is True


def test_profiles_are_inferred_and_named(cell: hotcell.Cell) -> None:
    def plain(x: int) -> int:
        return x

    def of_jax(x: int) -> int:
        import jax

        return jax.numpy.asarray(x)

    def of_both(x: int) -> int:
        import taichi
        import torch

        return (taichi, torch, x)  # type: ignore[return-value]

    from hotcell._guard import profiles_of

    assert profiles_of(plain) == () and profiles_of(of_jax) == ("jax",)
    assert set(profiles_of(of_both)) == {"taichi", "torch-cpu"} and profiles_of(plain, ["torch.nn"]) == ("torch-cpu",)
    assert profiles_of(lambda: of_jax(1)) in ((), ("jax",))
    assert "jax" in repr(hotcell.guarded(host=cell, profile=["jax", "taichi"]))
    with hotcell.guarded(host=cell, profile="torch-cpu") as guarded:
        assert guarded.call(plain, 1) == 1


def test_the_folder_is_its_own_and_in_memory(cell: hotcell.Cell) -> None:
    def writes() -> tuple[str, str, str]:
        import tempfile

        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("x" * 1000)
        with open(os.path.join(os.path.expanduser("~"), "kept"), "w") as file:
            file.write("kept")
        return file.name, os.getcwd(), tempfile.gettempdir()

    with hotcell.guarded(host=cell) as guarded:
        name, folder, temporary = guarded.call(writes)
        assert name == os.path.join(folder, "kept") and temporary == folder
        assert guarded.call(lambda: open("kept").read()) == "kept"
        if TIER == "full":
            assert not os.path.exists(name)
    assert not os.path.exists(name)


def test_a_guarded_function_within_a_guarded_process_is_called_as_it_is(cell: hotcell.Cell) -> None:
    @hotcell.guard(host=cell)
    def inner() -> int:
        return os.getpid()

    @hotcell.guard(host=cell)
    def outer() -> bool:
        return inner() == os.getpid()

    assert outer() is True


def test_a_daemon_has_no_guarded_calls(daemon: hotcell.Daemon) -> None:
    with pytest.raises(TypeError, match="daemon"):
        hotcell.guarded(host=daemon)


def test_an_unpickler_never_reads_what_came_from_the_process() -> None:
    """Only the inside reads pickles, which are the caller's own: what comes back is JSON and arrays."""
    import ast

    package = Path(hotcell.__file__).parent
    for name in ("_guard.py", "_pickled.py", "_returned.py", "_launch.py", "_arrays.py", "_cell.py"):
        for node in ast.walk(ast.parse((package / name).read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("loads", "load", "Unpickler") or getattr(node.value, "id", "") == "json" or (
                    name == "_cell.py" and node.attr == "load"
                ), (name, node.lineno)
            if isinstance(node, ast.Name):
                assert node.id not in ("eval", "exec", "compile", "Unpickler"), (name, node.lineno)


@pytest.fixture(autouse=True)
def _no_digits() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    yield
    sys.set_int_max_str_digits(before)



def test_packages_may_lie_in_a_folder_of_the_path(tmp_path: Path) -> None:
    # As `pip install --target` has it: no site-packages, and so nothing that a guarded process sees by itself.
    import cloudpickle

    for package in (hotcell, cloudpickle):
        shutil.copytree(Path(package.__file__).parent, tmp_path / package.__name__)
    code = "import hotcell; print(hotcell.__file__, hotcell.guard(lambda x: x + 1, timeout=30)(1))"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(tmp_path)}, text=True, capture_output=True, timeout=60
    )
    assert run.stdout == f"{tmp_path / 'hotcell' / '__init__.py'} 2\n", run.stderr
