"""Attacks from inside a guarded process: on the machine, on other processes, and on the supervisor that reads its answers."""

from __future__ import annotations

import os
import resource
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotcell
from hotcell import _attacks

PROFILES = ["numpy", "jax", "taichi", "torch-cpu"]
#: What may end the process where it is refused.
ALONE = [attack.name for attack in _attacks.ATTACKS if attack.name.startswith(("i386-", "x32-"))]


def pid() -> int:
    return os.getpid()


# --- The machine, and other processes ---


class Attacked:
    """A guarded process with the module of attacks, which it is given by its file: it does not import the package."""

    def __init__(self, guarded: hotcell.Guarded) -> None:
        self.guarded = guarded
        self.load()

    def load(self) -> None:
        def load(path: str) -> None:
            import sys
            from importlib.util import module_from_spec, spec_from_file_location

            spec = spec_from_file_location("hotcell_attacks", path)
            module = sys.modules["hotcell_attacks"] = module_from_spec(spec)
            spec.loader.exec_module(module)

        self.guarded.call(load, _attacks.__file__)

    def attempt(self, names: list[str], scene: _attacks.Scene) -> dict[str, tuple[bool, str]]:
        def attempts(names: list[str], scene: tuple[Any, ...]) -> dict[str, tuple[bool, str]]:
            import sys

            module = sys.modules["hotcell_attacks"]
            return {name: tuple(module.attempt(name, module.Scene(*scene))) for name in names}

        return self.guarded.options(timeout=120, cpu_time=120).call(attempts, names, tuple(scene))


@pytest.fixture(scope="module")
def scene(cell: hotcell.Cell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_attacks.Scene]:
    """A secret, two sockets that somebody listens at, another process with a token, and another guarded one."""
    folder = tmp_path_factory.mktemp("outside")
    secret = folder / "secret.txt"
    secret.write_text("the secret")
    token = secrets.token_hex(16)
    name = f"hotcell-test-{os.getpid()}"
    abstract, port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    abstract.bind("\0" + name)
    abstract.listen()
    port.bind(("127.0.0.1", 0))
    port.listen()
    # It is told by its input: a command line could be read.
    program = "import sys; token = sys.stdin.readline().strip(); print('ready', flush=True); sys.stdin.readline()"
    other = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin and other.stdout
    other.stdin.write(token + "\n")
    other.stdin.flush()
    assert other.stdout.readline() == "ready\n"
    with hotcell.guarded(host=cell, profile="numpy") as guarded:

        def keep(token: str) -> int:
            sys.token = token  # type: ignore[attr-defined]
            return os.getpid()

        inner = guarded.call(keep, token)
        yield _attacks.Scene(
            supervisor=os.getpid(), secret=str(secret), abstract=name, port=port.getsockname()[1], others=[other.pid, inner],
            token=token,
        )  # fmt: skip
    other.kill()
    other.communicate()
    abstract.close()
    port.close()


def test_attacks_succeed_where_nothing_is_in_their_way(scene: _attacks.Scene) -> None:
    """Else nothing would be shown by their failing inside."""
    names = {attack.name for attack in _attacks.ATTACKS}
    assert len(names) == len(_attacks.ATTACKS) > 100 and {attack.name for attack in _attacks.in_order()} == names
    with pytest.raises(KeyError):
        _attacks.attempt("no-such-attack", scene)
    for name in ("read-secret", "read-secret-by-open", "see-secret", "tcp-socket", "read-others-environment"):
        assert _attacks.attempt(name, scene).succeeded, name


@pytest.fixture(params=PROFILES)
def attacked(request: pytest.FixtureRequest, cell: hotcell.Cell) -> Iterator[Attacked]:
    with hotcell.guarded(host=cell, profile=request.param) as guarded:
        yield Attacked(guarded)


def walled(guarded: hotcell.Guarded) -> None:
    """Where not all walls can be had, not all attacks are refused."""
    tier = guarded.run(pid).report["walls"]["tier"]
    if tier != "full":
        assert not os.environ.get("HOTCELL_REQUIRE_ALL_TESTS"), tier
        pytest.skip(f"the walls here are {tier}")


def test_no_attack_succeeds(attacked: Attacked, scene: _attacks.Scene) -> None:
    walled(attacked.guarded)
    names = [attack.name for attack in _attacks.in_order() if attack.name not in ALONE]
    results: dict[str, tuple[bool, str]] = {}
    groups = [names[at : at + 40] for at in range(0, len(names), 40)]
    while groups:
        group = groups.pop(0)
        try:
            results.update(attacked.attempt(group, scene))
        except (hotcell.Denied, hotcell.Trap, hotcell.HostFault, hotcell.Timeout, hotcell.LimitReached) as error:
            # One of them ends the process: that is a refusal if it does so alone.
            if len(group) == 1:
                results[group[0]] = (False, f"{type(error).__name__}: {error}")
            else:
                groups[:0] = [group[: len(group) // 2], group[len(group) // 2 :]]
            attacked.load()
    assert set(results) == set(names)
    succeeded = {name: detail for name, (succeeded, detail) in results.items() if succeeded}
    assert succeeded == {}
    # The rest of the world is as it was.
    assert Path(scene.secret).read_text() == "the secret" and all(os.path.exists(f"/proc/{other}") for other in scene.others)


@pytest.mark.parametrize("name", ALONE)
def test_calls_of_other_architectures_are_refused(attacked: Attacked, scene: _attacks.Scene, name: str) -> None:
    walled(attacked.guarded)
    try:
        succeeded, detail = attacked.attempt([name], scene)[name]
        assert not succeeded, detail
    except (hotcell.Denied, hotcell.Trap, hotcell.HostFault):
        pass
    assert attacked.guarded.call(pid) > 0


# --- The supervisor ---
#
# What a guarded process says is `FromGuarded` as postcard. Nothing that it says may do more than fail its own call.


def number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def piece(data: bytes) -> bytes:
    return number(len(data)) + data


NEEDS, JIT, ENDED = 2, 3, 4
RETURNED, RAISED = 0, 1


def end(call: int, text: bytes, arrays: list[tuple[int, list[int], int]] | None = None, value_bytes: int | None = None,
        behind: bytes = b"") -> bytes:  # fmt: skip
    """The frame that says that a call returned that text, with arrays behind it in the same memory."""
    said = b"".join(number(dtype) + number(len(shape)) + b"".join(map(number, shape)) + number(at) for dtype, shape, at in arrays or [])
    value = number(len(text) if value_bytes is None else value_bytes)
    return bytes([ENDED]) + number(call) + bytes([RETURNED, 1]) + piece(text + behind) + value + number(len(arrays or [])) + said


def raised(call: int, kind: int, words: bytes) -> bytes:
    return bytes([ENDED]) + number(call) + bytes([RAISED, kind]) + piece(words) + piece(words) + b"\0"


def send(*frames: bytes, descriptors: int = 0, then: str = "wait") -> Any:
    """Inside: say those frames in place of the answer, through the C library, as no socket can be made."""
    import ctypes
    import os
    import struct
    import time

    libc = ctypes.CDLL(None, use_errno=True)
    for frame in frames:
        content = ctypes.create_string_buffer(frame, len(frame))
        vector = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(content), len(frame)), 16)
        control, size = None, 0
        if descriptors:
            opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(descriptors)]
            raw = struct.pack("=Qii", 16 + 4 * descriptors, 1, 1) + struct.pack(f"={descriptors}i", *opened)
            raw += bytes(-len(raw) % 8)
            control, size = ctypes.create_string_buffer(raw, len(raw)), len(raw)
        message = struct.pack(
            "=QIIQQQQiI", 0, 0, 0, ctypes.addressof(vector), 1, ctypes.addressof(control) if control else 0, size, 0, 0
        )
        held = ctypes.create_string_buffer(message, len(message))
        if libc.sendmsg(3, held, 0) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if then == "wait":
        time.sleep(1000)
    if then == "exit":
        os._exit(0)
    return "the true answer"


@pytest.fixture
def hostile(cell: hotcell.Cell) -> Iterator[hotcell.Guarded]:
    with hotcell.guarded(host=cell, profile="numpy", timeout=5, stop_grace=0.1) as guarded:
        yield guarded


def refused(guarded: hotcell.Guarded, *frames: bytes, kind: type[hotcell.Error] = hotcell.HostFault, **options: Any) -> hotcell.Error:
    """The error that those frames are; the next call works, in a process of its own."""
    with pytest.raises(kind) as caught:
        guarded.call(send, *frames, **options)
    assert guarded.call(len, [1, 2, 3]) == 3
    return caught.value


def test_the_frames_are_what_the_tests_take_them_for(hostile: hotcell.Guarded) -> None:
    """Else all that is refused below might be so for another reason."""
    assert hostile.call(pid) > 0
    assert hostile.call(send, end(2, b'["t",1,"x"]')) == (1, "x")


@pytest.fixture
def answered(hostile: hotcell.Guarded) -> Callable[[bytes], Any]:
    """What comes of a value's text: the first call of a new process."""

    def answered(text: bytes, arrays: list[tuple[int, list[int], int]] | None = None, **options: Any) -> Any:
        with hotcell.guarded(host=hostile._process.host, profile="numpy", timeout=5) as fresh:
            return fresh.call(send, end(1, text, arrays, **options), then="exit")

    return answered


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\0"],
        [b"garbage"],
        [b"\xff" * 1000],
        [bytes(range(256)) * 100],
        [bytes([ENDED]) + b"\xff" * 9 + b"\x7f"],
        [end(1, b"1") + b"x"],
        [end(1, b"1")[:-1]],
        [b"hotcell worker failed: so it goes"],
        [b"\x00\x00"],
        [b"\x01\x00"],
        [end(2, b"1")],
        [end(0, b"1")],
        [end(2**64 - 1, b"1")],
        [bytes([NEEDS]) + number(2) + number(10)],
        [(bytes([NEEDS]) + number(1) + number(10)) * 1, bytes([NEEDS]) + number(1) + number(10)],
        [end(1, b"1", value_bytes=2)],
        [end(1, b"1", value_bytes=2**64 - 1)],
        [end(1, b"1", [(12, [1], 8)])],
        [end(1, b'["a",0]', [(12, [2**62], 64)])],
        [end(1, b'["a",0]', [(12, [2**32, 2**32], 64)])],
        [end(1, b'["a",0]', [(99, [1], 64)], behind=bytes(100))],
        [end(1, b'["a",0]', [(4, [1], 4)], behind=bytes(100))],
        [end(1, b'["a",0]', [(5, [1], 0)], behind=bytes(100))],
        [end(1, b'["a",0]', [(5, [1] * 65, 64)], behind=bytes(100))],
        [end(1, b"1", [(5, [0], 1)] * 1025)],
        [bytes([ENDED]) + number(1) + bytes([RETURNED, 0]) + number(1) + number(0)],
        [raised(1, 99, b"x")],
        [raised(1, 0, b"\xff\xfe")],
    ],
    ids=lambda frames: None,
)
def test_frames_that_are_none_are_a_fault(hostile: hotcell.Guarded, frames: list[bytes]) -> None:
    refused(hostile, *frames, kind=hotcell.Error if frames == [b""] else hotcell.HostFault)


def test_frames_that_are_too_long_are_a_fault(hostile: hotcell.Guarded) -> None:
    refused(hostile, end(1, b'"' + b"x" * 100_000 + b'"'))


@pytest.mark.parametrize("count", [1, 200])
def test_descriptors_are_not_taken(hostile: hotcell.Guarded, count: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    hostile.call(pid)
    for _ in range(3):
        with pytest.raises(hotcell.Error):
            hostile.call(send, b"\x03", descriptors=count)
    with pytest.raises(hotcell.Error):
        hostile.call(send, end(1, b"1"), descriptors=count)
    hostile.call(pid)
    hostile.close()
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before:
        assert time.monotonic() < deadline, (before, os.listdir("/proc/self/fd"))
        time.sleep(0.01)


def test_an_end_and_another_one_spoil_no_more_than_the_next_call(hostile: hotcell.Guarded) -> None:
    # The first is taken, and the process is gone. What comes behind it is not taken for the answer to what is asked next.
    for forged in (end(1, b'"forged"'), end(2, b'"forged"'), raised(2, 0, b"forged"), b"garbage"):
        with hotcell.guarded(host=hostile._process.host, profile="numpy", timeout=5) as fresh:
            assert fresh.call(send, end(1, b'"first"'), forged, then="exit") == "first"
            try:
                # It may be answered by what the first has left, where that was not seen before it.
                assert fresh.call(len, [1, 2]) in (2, "forged")
            except hotcell.Error:
                pass
            try:
                assert fresh.call(len, [1, 2]) == 2
            except hotcell.Error:
                assert fresh.call(len, [1, 2]) == 2


def test_a_process_whose_value_was_none_is_replaced(hostile: hotcell.Guarded) -> None:
    with pytest.raises(hotcell.HostFault):
        hostile.call(send, end(1, b"nonsense"))
    assert hostile.call(len, [1, 2]) == 2


def test_what_a_call_leaves_behind_may_spoil_the_next_and_no_more_than_one_after_it(hostile: hotcell.Guarded) -> None:
    def later() -> int:
        import threading

        threading.Timer(0.3, send, (end(2, b'"forged"'),), {"then": "return"}).start()
        return 1

    assert hostile.call(later) == 1
    # The second is answered by what the first has left, as it may be. The third finds that the second was answered twice.
    assert hostile.call(time.sleep, 1) == "forged"
    try:
        assert hostile.call(len, [1, 2]) == 2
    except hotcell.HostFault:
        pass
    assert hostile.call(len, [1, 2]) == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nothing",
        b"\xff\xfe",
        b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
        b"cposix\nsystem\n(S'id'\ntR.",
        b"{}",
        b'{"a": 1}',
        b"[]",
        b'["q", 1]',
        b'["a"]',
        b'["a", 0]',
        b'["a", -1]',
        b'["a", 0.5]',
        b'["a", true]',
        b'["a", "0"]',
        b'["n", 0]',
        b'["i", 5]',
        b'["i", "0xq"]',
        b'["i", ""]',
        b'["f", "1.0"]',
        b'["f", ["l"]]',
        b'["b", "!!!"]',
        b'["b", "\xc3\xa4"]',
        b'["c", 1]',
        b'["c", 1, 2, 3]',
        b'["c", ["l"], 1]',
        b'["d", 1]',
        b'["d", [1]]',
        b'["d", [1, 2, 3]]',
        b'["d", [["l"], 1]]',
        b'["s", ["l"]]',
        b'["l", {}]',
        b"[[1]]",
        b"[null]",
        b"[" * 20_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'["l",' * 8_000 + b"1" + b"]" * 8_000,
        b"1" * 50_000,
        b"-",
        b'"\\ud8"',
        b"1 2",
    ],
    ids=lambda text: None,
)
def test_texts_that_are_no_value_are_a_fault(answered: Callable[..., Any], text: bytes) -> None:
    with pytest.raises(hotcell.HostFault):
        answered(text)


def test_numbers_that_are_too_large_for_what_they_are_in_are_a_fault(answered: Callable[..., Any]) -> None:
    with pytest.raises(hotcell.HostFault):
        answered(b'["c",' + b"1" * 4000 + b",0]")


def test_an_array_of_nothing_in_nothing_is_a_fault(answered: Callable[..., Any]) -> None:
    with pytest.raises(hotcell.HostFault):
        answered(b"", [(5, [0], 0)])


def test_plain_values_are_plain_whatever_they_are(answered: Callable[..., Any]) -> None:
    for text in (b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b'["i","-0x' + b"f" * 5000 + b'"]', b'["i", "1_0"]', b"1" * 4000):
        assert type(answered(text)) in (int, float, str)


def test_truths_are_true_or_false(answered: Callable[..., Any]) -> None:
    try:
        array = answered(b'["a",0]', [(0, [64], 64)], behind=bytes(57) + bytes(range(64)))
    except hotcell.HostFault:
        return
    assert set(array.view("u1").tolist()) <= {0, 1}


def test_many_values_of_one_hash_do_not_hold_up_the_supervisor(hostile: hotcell.Guarded) -> None:
    """Sets and dictionaries of numbers that all have the same hash take time by the square of their number."""

    def forge(count: int) -> int:
        inside = sys.modules["hotcell._guarded"]
        plain = inside.encoded
        inside.encoded = lambda value, arrays, depth: ["s", *[plain(n * (2**61 - 1), arrays, depth) for n in range(count)]]
        return 1

    begun = time.monotonic()
    try:
        hostile.call(forge, 20_000)
    except hotcell.Error:
        pass
    assert time.monotonic() - begun < 2


def test_texts_that_are_longer_than_a_text_may_be_are_refused(hostile: hotcell.Guarded) -> None:
    """The inside says no to them, which is its own word: the supervisor would have to, too."""

    def forge() -> str:
        import sys

        sys.modules["hotcell._guarded"]._TEXT = 1 << 40
        return "x" * (80 << 20)

    with pytest.raises(hotcell.Error):
        hostile.call(forge)


def test_words_are_cleaned_and_short(answered: Callable[..., Any], hostile: hotcell.Guarded) -> None:
    with pytest.raises(hotcell.KernelError) as caught:
        hostile.call(send, raised(1, 0, "\x1b[2J \r\n \u202e end".encode()), then="exit")
    assert not any(sign in str(caught.value) + caught.value.traceback for sign in ("\x1b", "\r", "\u202e"))
    with pytest.raises(hotcell.Error) as caught:
        hostile.call(send, raised(1, 0, b"x" * 40_000), then="exit")
    assert len(str(caught.value)) < 10_000 and len(caught.value.traceback) < 20_000
    for kind in range(9):
        with hotcell.guarded(host=hostile._process.host, profile="numpy", timeout=5) as fresh, pytest.raises(hotcell.Error):
            fresh.call(send, raised(1, kind, b""), then="exit")


def test_results_that_stay_mapped_are_refused(hostile: hotcell.Guarded) -> None:
    def keeps() -> Any:
        import ctypes
        import mmap
        import sys

        inside = sys.modules["hotcell._guarded"]
        write = inside.write

        def keep(descriptor: int, piece: Any, offset: int) -> None:
            write(descriptor, piece, offset)
            if not hasattr(sys, "mapped"):
                libc = ctypes.CDLL(None, use_errno=True)
                libc.mmap.restype = ctypes.c_void_p
                sys.mapped = libc.mmap(None, ctypes.c_size_t(1 << 20), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, descriptor,
                                       ctypes.c_long(0))  # fmt: skip

        inside.write = keep
        import numpy

        return numpy.zeros(1 << 20)

    with pytest.raises(hotcell.HostFault, match="mapped"):
        hostile.call(keeps)
    assert hostile.call(len, [1]) == 1


def test_results_are_not_written_to_after_the_end(hostile: hotcell.Guarded) -> None:
    """A descriptor of them that the process has kept is good for reading alone."""

    def keeps() -> Any:
        import os
        import sys

        inside = sys.modules["hotcell._guarded"]
        write = inside.write

        def keep(descriptor: int, piece: Any, offset: int) -> None:
            write(descriptor, piece, offset)
            sys.kept = os.dup(descriptor)

        inside.write = keep
        import numpy

        return numpy.zeros(1 << 18)

    def writes() -> int:
        import os
        import sys

        try:
            return os.pwrite(sys.kept, b"\xff" * 4096, 1 << 20)
        except OSError:
            return -1

    def shrinks() -> int:
        import os
        import sys

        try:
            os.ftruncate(sys.kept, 0)
            return 0
        except OSError:
            return -1

    zeros = hostile.call(keeps)
    assert hostile.call(writes) == -1 and hostile.call(shrinks) == -1 and not zeros.any()


def test_inputs_are_not_written_to(hostile: hotcell.Guarded) -> None:
    given = hotcell.empty(1 << 18, "f8")

    def writes(x: np.ndarray) -> int:
        import os

        written = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                if int(name) > 3:
                    written += os.pwrite(int(name), b"\xff" * 4096, 0)
            except OSError:
                continue
        x[:] = 1
        return written

    try:
        hostile.call(writes, given)
    except hotcell.Error:
        pass
    assert not given.any()


@pytest.mark.parametrize("way", ["close", "shutdown", "replace"])
def test_a_channel_that_is_closed_is_a_fault(hostile: hotcell.Guarded, way: str) -> None:
    def closes(way: str) -> None:
        import ctypes
        import os
        import time

        if way == "close":
            os.close(3)
        elif way == "shutdown":
            ctypes.CDLL(None).shutdown(3, 2)
        else:
            os.dup2(os.open("/dev/null", os.O_RDWR), 3)
        if way != "shutdown":
            return
        time.sleep(1000)

    with pytest.raises(hotcell.Error):
        hostile.call(closes, way)
    assert hostile.call(len, [1]) == 1


def test_memory_that_is_wished_for_is_what_may_be_had(hostile: hotcell.Guarded) -> None:
    for size in (1 << 50, 2**64 - 1):
        with pytest.raises(hotcell.LimitReached) as caught:
            hostile.call(send, bytes([NEEDS]) + number(1) + number(size))
        assert caught.value.breach[0] == "bytes_out" and hostile.call(pid) > 0
        hostile.close()
        return


def test_a_flood_of_frames_does_not_hold_up_the_deadline(hostile: hotcell.Guarded) -> None:
    def floods(frame: bytes) -> None:
        import ctypes

        libc = ctypes.CDLL(None)
        while True:
            libc.send(3, frame, len(frame), 0)

    begun = bytes([JIT, 0]) + number(1) + b"\0" + piece(b"f")
    at = time.monotonic()
    with pytest.raises(hotcell.Error):
        hostile.options(timeout=1).call(floods, begun)
    assert time.monotonic() - at < 8 and hostile.call(len, [1]) == 1


def test_lies_about_compilers_are_words_and_no_more(hostile: hotcell.Guarded) -> None:
    words = "\x1b[2J<script>\n".encode()
    begun = bytes([JIT, 0]) + number(2**63) + b"\0" + piece(words)
    ran = hostile.run(send, begun, end(1, b"1"))
    assert ran.value == 1
    for seen in ran.report.get("jit", []):
        assert "\x1b" not in seen["function"] and "\n" not in seen["function"]


def test_what_it_says_at_its_start_is_checked_too(cell: hotcell.Cell, tmp_path: Path) -> None:
    """A module that is imported before the first call speaks in its process's name."""
    for n, frame in enumerate([b"garbage", end(1, b'"forged"'), b"\x01\x01" + piece(b"\x1b[2J no"), b"\x00\x00"]):
        name = f"speaks_early_{n}"
        (tmp_path / f"{name}.py").write_text(
            f"import ctypes\nframe = {frame!r}\nctypes.CDLL(None).send(3, frame, len(frame), 0)\n"
        )
        sys.path.insert(0, str(tmp_path))
        try:
            with hotcell.guarded(host=cell, profile="numpy", imports=[name], grants=[f"read:{tmp_path}"]) as guarded:
                with pytest.raises(hotcell.Error) as caught:
                    guarded.call(len, [1, 2])
                assert "\x1b" not in str(caught.value)
        finally:
            sys.path.remove(str(tmp_path))


def test_the_supervisor_takes_no_more_than_the_process_may_return(hostile: hotcell.Guarded) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for size in (1 << 40,):
        with pytest.raises(hotcell.Error):
            hostile.options(bytes_out="1MiB").call(send, bytes([NEEDS]) + number(1) + number(size), end(1, b"1"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000

