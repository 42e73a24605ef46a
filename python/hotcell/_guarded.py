"""The inside of a guarded process: it walls itself in, imports, and then answers calls.

Loaded by its file before anything else is, and without the package: what the package imports starts threads, and walls go up
while there is one.
"""

from __future__ import annotations

import json
import linecache
import mmap
import os
import pickle
import sys
import traceback
from types import ModuleType
from typing import Any

#: What fits into the answer itself.
_INLINE = 32 << 10
#: Where arrays begin among results: aligned for every element, and for the processor's widest loads.
_ALIGNED = 64
#: The most arrays of a value.
_ARRAYS = 1024
#: The deepest nesting of a value.
_DEPTH = 100
#: The most functions that are kept, by their pickles.
_KEPT = 64
#: The most bytes of a value that is text: the supervisor reads it whole.
_TEXT = 64 << 20

#: What is said of an exception whose words say that there was no memory.
_NO_MEMORY = (
    "resource_exhausted",
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "memory allocation (",
)
_NOT_PERMITTED = ("operation not permitted", "permission denied")


_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)

#: What watches compilers, where that was asked for.
_jit: Any = None


class Unreturnable(TypeError):
    """A value that cannot leave a guarded process."""


def main(native: ModuleType, load: Any) -> None:
    """Be a guarded process. ``load`` imports a module by its name and file."""
    text, folder = native.guarded_begin()
    # What was inherited under these numbers are other files now.
    sys.stdin = open(0, closefd=False)
    sys.stdout, sys.stderr = (
        open(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False) for number in (1, 2)
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    setup = json.loads(text)
    try:
        prepare(setup, folder)
        watch_compilers(native, load, setup)
        for name in setup["imports"]:
            __import__(name)
    except BaseException as error:
        native.guarded_ready(f"{name_of(type(error))}: {error}")
        sys.exit(1)
    native.guarded_ready()
    if "program" in setup:
        serve_program(native, setup["program"], load, setup["package"])
    else:
        serve(native)


def prepare(setup: dict[str, Any], folder: str) -> None:
    """Set the environment and the paths."""
    os.chdir(folder)
    os.environ.clear()
    # Nothing here says who is on the machine, and libraries ask for a name to call a folder by.
    user = {"USER": "guarded", "LOGNAME": "guarded"}
    os.environ.update({"HOME": folder, "TMPDIR": folder, "XDG_CACHE_HOME": folder + "/.cache", **user})
    os.environ.update(setup["environment"])
    import site

    site.main()
    theirs = [path for path in setup["path"] if os.path.exists(path)]
    sys.path[:] = [*theirs, *(path for path in sys.path if path not in theirs)]


def watch_compilers(native: ModuleType, load: Any, setup: dict[str, Any]) -> None:
    """Have what compilers do told."""
    if not setup.get("watch"):
        return
    global _jit
    _jit = load("hotcell._jit", os.path.join(setup["package"], "_jit.py"))
    _jit.watch(lambda event: native.guarded_jit(json.dumps(event)))


def serve(native: ModuleType) -> None:
    """Answer calls until the supervisor is gone."""
    functions: dict[bytes, Any] = {}
    while True:
        try:
            call = native.guarded_receive()
        except KeyboardInterrupt:
            # It was meant for a call that ended meanwhile.
            continue
        if call is None:
            return
        answer(native, call[0], lambda call=call: called(native, functions, call))


def serve_program(native: ModuleType, program: dict[str, Any], load: Any, package: str) -> None:
    """Run a program once."""
    call = native.guarded_receive()
    if call is None:
        return
    if "attacks" in program:
        attacks = load("hotcell._attacks", os.path.join(package, "_attacks.py"))
        answer(native, call[0], lambda: attacked(native, call[0], program, attacks))
    else:
        answer(native, call[0], lambda: ran(native, call[0], program))


def attacked(native: ModuleType, number: int, program: dict[str, Any], attacks: Any) -> Any:
    """Try what must not work, and give what says what came of it."""
    scene = attacks.Scene(**program["attacks"])
    only, but = program.get("only"), program.get("but", ())
    rows = []
    for attack in attacks.in_order():
        if attack.name in only if only else attack.name not in but:
            print(attack.name, flush=True)
            result = attacks.attempt(attack.name, scene)
            rows.append([attack.name, attack.group, attack.what, result.succeeded, result.detail])
    return returned(native, number, rows)


def answer(native: ModuleType, number: int, act: Any) -> None:
    """Say how a call ended, whatever it does and whenever it is interrupted."""
    try:
        send = act()
    except BaseException as error:
        send = described(native, number, error)
    while True:
        try:
            flush()
            send()
            return
        except KeyboardInterrupt:
            continue


def flush() -> None:
    """Have what was written be in the log before the call's end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except KeyboardInterrupt:
            raise
        except Exception:
            pass


def called(native: ModuleType, functions: dict[bytes, Any], call: Any) -> Any:
    """Make a call, and give what says what it returned."""
    number, inline, descriptor, parcel_bytes, function_bytes, pickle_bytes, places = call
    try:
        parcel = memoryview(inline) if inline is not None else memoryview(mapped(descriptor, parcel_bytes))
        buffers = [
            memoryview(mapped(own, size))[:size] if own >= 0 else (writable(parcel, inline)[offset : offset + size])
            for own, offset, size in places
        ]
        key = bytes(parcel[:function_bytes])
        function = functions.get(key)
        if function is None:
            pickled, sources = pickle.loads(key)
            for name, source in sources.items():
                linecache.cache[name] = (len(source), None, source.splitlines(True), name)
            function = pickle.loads(pickled)
            if len(functions) >= _KEPT:
                functions.pop(next(iter(functions)))
            functions[key] = function
        args, kwargs = pickle.loads(parcel[function_bytes:pickle_bytes], buffers=buffers)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Unreadable(f"{name_of(type(error))}: {error}") from error
    if _jit is None:
        return returned(native, number, function(*args, **kwargs))
    _jit.look()
    try:
        # Arrays that are not ready yet are, once they are read.
        return returned(native, number, function(*args, **kwargs))
    finally:
        _jit.settle()


class Unreadable(Exception):
    """A call whose pickle cannot be read here."""


def mapped(descriptor: int, size: int) -> Any:
    """Map memory that was handed over, so that writes are this process's own."""
    try:
        if size == 0:
            return b""
        return mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(descriptor)


def writable(parcel: memoryview, inline: bytes | None) -> memoryview:
    """The parcel to be written to, as arrays that are passed are."""
    return parcel if inline is None else memoryview(bytearray(parcel))


def returned(native: ModuleType, number: int, value: Any) -> Any:
    """Put a value where the supervisor reads it."""
    arrays: list[Any] = []
    plain = _plain_array(value)
    if plain is not None:
        # What most calls return: an array as it is.
        text, arrays = b'["a",0]', [(plain, value)]
    else:
        text = _JSON.encode(encoded(value, arrays, 0)).encode()
    if len(text) > _TEXT:
        raise Unreturnable(f"a plain value of {len(text)} bytes cannot be returned, at most {_TEXT} can: return it as an array")
    places, end = [], len(text)
    for dtype, array in arrays:
        offset = -(-end // _ALIGNED) * _ALIGNED
        places.append((dtype, list(array.shape), offset))
        end = offset + array.nbytes
    if end <= _INLINE:
        inline = bytearray(end)
        inline[: len(text)] = text
        for (_, array), (_, _, offset) in zip(arrays, places):
            inline[offset : offset + array.nbytes] = array.tobytes()
        return lambda: native.guarded_returned(number, bytes(inline), len(text), places)
    descriptor = native.guarded_memory(number, end)
    if descriptor is None:
        raise Unreturnable(f"{end} bytes are more than a call may return")
    try:
        write(descriptor, memoryview(text), 0)
        for (_, array), (_, _, offset) in zip(arrays, places):
            if array.size:
                whole = array if array.flags.c_contiguous else array.copy()
                write(descriptor, memoryview(whole.reshape(-1).view("u1")), offset)
    finally:
        os.close(descriptor)
    return lambda: native.guarded_returned(number, None, len(text), places)


#: The names of dtypes that arrays were seen to have, in the machine's byte order.
_seen: dict[Any, str] = {}


def _plain_array(value: Any) -> str | None:
    """The name of an array's dtype, where it is NumPy's own and of numbers as the machine has them."""
    if type(value).__name__ != "ndarray" or value.__class__.__module__ != "numpy" or value.ndim > 8:
        return None
    dtype = value.dtype
    name = _seen.get(dtype)
    if name is None and dtype.isnative and dtype.kind in "biufc":
        name = _DTYPES.get(f"{dtype.kind}{dtype.itemsize}")
        if name is not None:
            _seen[dtype] = name
    return name


def write(descriptor: int, piece: memoryview, offset: int) -> None:
    """Write all of it there: faster than to map, since pages that are filled whole are not zeroed first."""
    done = 0
    while done < len(piece):
        done += os.pwrite(descriptor, piece[done:], offset + done)


def encoded(value: Any, arrays: list[Any], depth: int) -> Any:
    """What JSON has of a value; lists begin with what they stand for, and arrays are positions."""
    if value is None or isinstance(value, (bool, str)) and type(value) in (bool, str):
        return value
    if depth > _DEPTH:
        raise Unreturnable(f"a value that is nested more than {_DEPTH} deep cannot be returned")
    kind = type(value)
    if kind is int:
        return value if -(2**63) <= value < 2**63 else ["i", hex(value)]
    if kind is float:
        return value if value - value == 0 else ["f", str(value)]
    if kind is complex:
        return ["c", encoded(value.real, arrays, depth), encoded(value.imag, arrays, depth)]
    below = depth + 1
    if kind in (list, tuple):
        return ["l" if kind is list else "t", *[encoded(item, arrays, below) for item in value]]
    if kind is dict:
        return ["d", *[[encoded(key, arrays, below), encoded(item, arrays, below)] for key, item in value.items()]]
    if kind in (bytes, bytearray):
        import base64

        return ["b", base64.b64encode(value).decode()]
    if kind in (set, frozenset):
        return ["s" if kind is set else "z", *[encoded(item, arrays, below) for item in value]]
    found = None if isinstance(value, (str, bytes)) else as_array(value)
    if found is not None:
        dtype, array, is_scalar = found
        if len(arrays) >= _ARRAYS:
            raise Unreturnable(f"more than {_ARRAYS} arrays cannot leave a guarded process at once: stack them")
        arrays.append((dtype, array))
        return ["n" if is_scalar else "a", len(arrays) - 1]
    # What is a plain value and more than one goes as the plain one: named tuples, enumerations of numbers, ordered dictionaries.
    for plain, as_plain in _PLAIN:
        if isinstance(value, plain):
            return encoded(as_plain(value), arrays, depth)
    raise Unreturnable(
        f"a {name_of(kind)} cannot leave a guarded process: return arrays, numbers, text, bytes, and tuples, lists and "
        "dictionaries of these"
    )


#: What of a value of a class below a plain one is plain, whatever the class says of itself.
_PLAIN: tuple[tuple[type, Any], ...] = (
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
    (complex, lambda value: complex(value.real, value.imag)),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (list, lambda value: list(list.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)

#: The names of dtypes, by NumPy's kinds and sizes.
_DTYPES = {
    "b1": "bool", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64", "u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64",
    "f2": "f16", "f4": "f32", "f8": "f64", "c8": "complex64", "c16": "complex128",
}  # fmt: skip


def as_array(value: Any) -> tuple[str, Any, bool] | None:
    """A value as a NumPy array with its dtype's name, and whether it is a scalar of NumPy's; ``None`` if it is no array."""
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if root == "torch" and hasattr(value, "detach"):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        if str(value.dtype) == "torch.bfloat16":
            import torch

            return "bf16", value.view(torch.int16).numpy(), False
        value = value.numpy()
    elif hasattr(value, "to_numpy") and root == "taichi":
        value = value.to_numpy()
    elif not hasattr(kind, "__array__"):
        return None
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        raise Unreturnable("a masked array cannot leave a guarded process: return its data and its mask, or fill it")
    is_scalar = isinstance(value, np.generic)
    array = np.asarray(value)
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        return "bf16", array.view("u2"), False
    name = _DTYPES.get(f"{array.dtype.kind}{array.dtype.itemsize}")
    if name is None:
        raise Unreturnable(f"an array of {array.dtype} cannot leave a guarded process: return numbers")
    if array.ndim > 8:
        raise Unreturnable(f"an array of {array.ndim} dimensions cannot leave a guarded process: at most 8 are supported")
    return name, array.astype(array.dtype.newbyteorder("<"), copy=False), is_scalar


def ran(native: ModuleType, number: int, program: dict[str, Any]) -> Any:
    """Run a program as the main module, and give what says how it exited."""
    import runpy

    sys.argv[:] = program["argv"]
    code: Any = 0
    try:
        if "module" in program:
            runpy.run_module(program["module"], run_name="__main__", alter_sys=True)
        elif "code" in program:
            main = sys.modules["__main__"] = ModuleType("__main__")
            main.__dict__["__builtins__"] = __builtins__
            exec(compile(program["code"], "<string>", "exec"), main.__dict__)
        else:
            # Files beside it are found where it may read them.
            sys.path.insert(0, os.path.dirname(program["path"]))
            runpy.run_path(program["path"], run_name="__main__")
    except SystemExit as exit:
        code = exit.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        raise
    except Exception:
        traceback.print_exc()
        raise
    return returned(native, number, int(code or 0))


def described(native: ModuleType, number: int, error: BaseException) -> Any:
    """What says how a call failed."""
    while True:
        try:
            kind, requested = kind_of(error)
            words = f"{name_of(type(error))}: {error}" if kind not in ("unreadable", "unreturnable") else str(error)
            words += hint_of(error)
            trace = "".join(traceback.format_exception(type(error), error, own_part(error)))
            words, trace = plain_text(words), plain_text(trace)
            return lambda: native.guarded_raised(number, kind, words, trace, requested)
        except KeyboardInterrupt:
            continue
        except BaseException:
            name = plain_text(name_of(type(error)))
            return lambda: native.guarded_raised(number, "own", f"{name}, whose words cannot be read", "")


def plain_text(text: str) -> str:
    """Text that can be encoded: names of files may hold bytes that are none."""
    return text.encode("utf-8", "backslashreplace").decode()


def own_part(error: BaseException) -> Any:
    """The traceback without this file's frames at its beginning."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def kind_of(error: BaseException) -> tuple[str, int | None]:
    """What an exception is about, and how many bytes it asked for in vain if it says so."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None
    if isinstance(error, Unreadable):
        return "unreadable", None
    if isinstance(error, Unreturnable):
        return "unreturnable", None
    seen: BaseException | None = error
    for _ in range(16):
        if seen is None:
            break
        found = kind_of_one(seen)
        if found is not None:
            return found
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "own", None


def kind_of_one(error: BaseException) -> tuple[str, int | None] | None:
    """What one exception of a chain is about; ``None``: something of its own."""
    import errno

    if isinstance(error, MemoryError):
        shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)
        try:
            size = 1
            for extent in shape or ():
                size *= extent
            return "memory", min(size * dtype.itemsize, 2**63) if shape is not None and dtype is not None else None
        except Exception:
            return "memory", None
    if isinstance(error, OSError) and error.errno == errno.EAGAIN and error.filename is None:
        return "processes", None
    if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES):
        return "not-permitted", None
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "scratch", None
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "memory", None
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "threads", None
    words = str(error)[:10_000].lower()
    if any(one in words for one in _NO_MEMORY):
        import re

        requested = re.search(r"(\d+) b(?:ytes)?\b", words)
        return "memory", int(requested[1]) if requested and len(requested[1]) < 19 else None
    if "resource temporarily unavailable" in words:
        return "processes", None
    if any(one in words for one in _NOT_PERMITTED):
        return "not-permitted", None
    return None


#: What to do about a file that is not there.
_UNSEEN = "a guarded process sees the interpreter, its packages, and what it is granted"


def hint_of(error: BaseException) -> str:
    """What to do about an exception, where its words do not say so."""
    import errno

    path = getattr(error, "filename", None)
    if isinstance(error, OSError) and isinstance(path, str) and os.path.dirname(path) not in ("", "/"):
        if error.errno in (errno.ENOENT, errno.EACCES):
            return f' ({_UNSEEN}: grants=["read:{path}"])'
        if error.errno == errno.EROFS:
            return f' (what a guarded process may write to is its own folder, {os.environ.get("HOME")}, and what it is granted: '\
                   f'grants=["write:{os.path.dirname(path)}"])'
    if isinstance(error, ImportError) or isinstance(error, Unreadable) and isinstance(error.__cause__, ImportError):
        return f' ({_UNSEEN}: grants=["read:/path"] with the folder of that module)'
    return ""


def name_of(kind: type) -> str:
    """A class's name as Python prints it."""
    return kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
