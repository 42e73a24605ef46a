"""What goes into a guarded process: functions and arguments as pickles, and their arrays beside them."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import pickle
import sys
import threading
from types import CodeType
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from . import _arrays, _places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Which profile a library needs.
PROFILES = {"jax": "jax", "jaxlib": "jax", "taichi": "taichi", "torch": "torch-cpu"}
#: Buffers from here on are handed over apart from their pickle.
_APART = 16 << 10
#: The most text of source files that goes along with a function.
_SOURCE = 1 << 20
#: How far helpers of helpers are looked at for the libraries that they name.
_HELPERS = 3
#: The names of arguments by position.
_NUMBERS = tuple(map(str, range(16)))
#: What is pickled in the plain way: what it is made of is known everywhere.
_PLAIN = frozenset({np.ndarray, int, float, complex, bool, str, bytes, type(None), np.float64, np.float32, np.int64, np.int32})

#: Set while a function is pickled for a guarded process, in which it is called as it is.
_going = threading.local()
#: Held while modules are registered to go by value.
_lock = threading.Lock()


def _anew() -> None:
    """A fork's child has no thread that holds the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_anew)


def is_going() -> bool:
    """Whether this thread pickles something for a guarded process, in which what is guarded is called as it is."""
    return getattr(_going, "is_in", False)


def itself(function: Any) -> Any:
    """The function."""
    return function


class Sight:
    """What a guarded process sees of this one's files, and the functions that were pickled for it."""

    def __init__(self, granted: Sequence[str]) -> None:
        self._granted = granted
        self._seen: list[str] | None = None
        self._modules = 0
        self._unseen: list[Any] = []
        self.functions: dict[int, _Known] = {}

    def sees(self, file: str) -> bool:
        """Whether the process may read a file."""
        if self._seen is None:
            self._seen = [*_places.visible(), *self._granted]
        return any(file == path or file.startswith(path.rstrip("/") + "/") for path in self._seen)

    @contextlib.contextmanager
    def by_value(self) -> Iterator[None]:
        """Has what is from modules that the process does not see go by value, and what is guarded go as it is."""
        with _lock:
            registered = set(cloudpickle.list_registry_pickle_by_value())
            modules = [module for module in self.unseen() if module.__name__ not in registered]
            for module in modules:
                cloudpickle.register_pickle_by_value(module)
            _going.is_in = True
            try:
                yield
            finally:
                _going.is_in = False
                for module in modules:
                    cloudpickle.unregister_pickle_by_value(module)

    def unseen(self) -> list[Any]:
        """The packages and modules that were imported here from files that the process does not see."""
        if self._modules != len(sys.modules):
            self._modules = len(sys.modules)
            roots = {name: module for name, module in list(sys.modules.items()) if "." not in name and name != "__main__"}
            files = {name: getattr(module, "__file__", None) for name, module in roots.items()}
            self._unseen = [
                roots[name]
                for name, file in files.items()
                if isinstance(file, str) and getattr(roots[name], "__name__", None) == name and not self.sees(file)
            ]
        return self._unseen


def profiles_of(function: Any, imports: Sequence[str] = (), known: Sequence[str] = (), depth: int = 0) -> tuple[str, ...]:
    """The profiles that a function needs, by the libraries that it names."""
    found = dict.fromkeys(known)
    roots = {name.partition(".")[0] for name in ([imports] if isinstance(imports, str) else imports)}
    seen = getattr(function, "__globals__", None) or vars(sys.modules.get(getattr(function, "__module__", ""), object))
    code = getattr(function, "__code__", None)
    # What wraps a function, as a compiler's decorator does, is of its library.
    roots.add(type(function).__module__.partition(".")[0])
    names = set(_names(code)) if code is not None else set(seen)
    for cell in getattr(function, "__closure__", None) or ():
        try:
            roots.add(type(cell.cell_contents).__module__.partition(".")[0])
            roots.add(getattr(cell.cell_contents, "__name__", "").partition(".")[0])
        except ValueError:
            continue
    for name in names:
        roots.add(name)
        value = seen.get(name)
        if isinstance(value, type(_names)) and value is not function and depth < _HELPERS:
            # What it calls goes along.
            found.update(dict.fromkeys(profiles_of(value, depth=depth + 1)))
        if value is not None:
            roots.add((getattr(value, "__name__", "") if isinstance(value, type(sys)) else type(value).__module__).partition(".")[0])
            module = getattr(value, "__module__", None)
            if isinstance(module, str):
                roots.add(module.partition(".")[0])
    found.update(dict.fromkeys(PROFILES[root] for root in sorted(roots) if root in PROFILES))
    return tuple(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _names(constant)


class Called:
    """A call for the native half, which reads its attributes."""

    def __init__(self, function: str, path: str | None, function_pickle: bytes, arguments_pickle: bytes) -> None:
        self.function, self.path = function, path
        self.function_pickle, self.arguments_pickle = function_pickle, arguments_pickle
        self.buffers: list[tuple[str, Any]] = []
        self.arrays: list[tuple[str, str, list[int]]] = []

    @classmethod
    def of(cls, sight: Sight, function: Any, args: Any, kwargs: Any) -> Called:
        known = sight.functions.get(id(function))
        if known is None or not known.is_as_it_was():
            if len(sight.functions) >= _FUNCTIONS:
                sight.functions.clear()
            known = sight.functions[id(function)] = _Known(sight, function)
        buffers: list[tuple[str, Any]] = []

        def apart(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _APART:
                return True
            owner: Any = memoryview(buffer).obj
            is_whole = isinstance(owner, np.ndarray) and owner.nbytes == raw.nbytes and owner.flags.c_contiguous
            if is_whole and owner.dtype.isnative:
                try:
                    buffers.append((_arrays.name_of(owner.dtype), owner))
                    return False
                except TypeError:
                    pass
            buffers.append(("u8", np.frombuffer(raw, "u1")))
            return False

        values = [*args, *kwargs.values()]
        is_plain = all(type(value) in _PLAIN and not (type(value) is np.ndarray and value.dtype.hasobject) for value in values)
        arguments = _dumps((args, kwargs), apart) if is_plain else _cloud(sight, (args, kwargs), apart)
        called = cls(known.name, known.path, known.pickled, arguments)
        called.buffers = buffers
        names = (*_NUMBERS[: len(args)], *map(str, range(len(_NUMBERS), len(args))), *kwargs)
        for name, value in zip(names, values):
            if isinstance(value, np.ndarray) and len(called.arrays) < 64:
                try:
                    called.arrays.append((name, _arrays.name_of(value.dtype), list(value.shape)))
                except TypeError:
                    continue
        return called


def _dumps(value: Any, apart: Any) -> bytes:
    return pickle.dumps(value, protocol=5, buffer_callback=apart)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles what cloudpickle does, and Taichi's functions: as what they were made of. Keeps in mind where functions are from."""

    def __init__(self, file: Any, apart: Any = None) -> None:
        super().__init__(file, protocol=5, buffer_callback=apart)
        self.files: dict[str, None] = {}

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, CodeType):
            # Where it is from is known: tracebacks say so, and compilers of other languages in Python look there.
            self.files[value.co_filename] = None
            kind, parts = self.dispatch_table[CodeType](value)[:2]
            return kind, tuple(value.co_filename if part == "<dynamic-code>" else part for part in parts)
        if isinstance(value, type(_dumps)):
            original = getattr(value, "__wrapped__", None)
            if original is not None and "taichi" in sys.modules:
                if getattr(value, "_is_wrapped_kernel", False) and not getattr(value, "_is_classkernel", False):
                    return _again_in_taichi, ("kernel", original)
                if getattr(value, "_is_taichi_function", False):
                    return _again_in_taichi, ("func", original)
        return super().reducer_override(value)


def _again_in_taichi(decorator: str, function: Any) -> Any:
    import taichi

    return getattr(taichi, decorator)(function)


# A guarded process does not import this module, which would import NumPy with it: what it needs of it goes by value.
_again_in_taichi.__module__ = "__main__"
itself.__module__ = "__main__"


def _cloud(sight: Sight, value: Any, apart: Any) -> bytes:
    stream = io.BytesIO()
    with sight.by_value():
        _Pickler(stream, apart).dump(value)
    return stream.getvalue()


def _name(function: Any) -> str:
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{module}.{name}" if module else str(name)


def _path(function: Any) -> str | None:
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return None if code is None else code.co_filename


class _Known:
    """A function as it was pickled, and what its pickle was made of."""

    __slots__ = ("function", "name", "path", "pickled", "parts")

    def __init__(self, sight: Sight, function: Any) -> None:
        # Kept, so that its number is its own.
        self.function = function
        self.name, self.path = _name(function), _path(function)
        self.parts = _parts(function)
        self.pickled = _pickled(sight, function)

    def is_as_it_was(self) -> bool:
        """Whether everything that the pickle was made of is the same, as far as that can be known."""
        parts = self.parts
        if parts is None:
            return False
        for place, name, value in parts:
            if (place.get(name) if type(place) is dict else getattr(place, name, None)) is not value:
                return False
        return True


def _pickled(sight: Sight, function: Any) -> bytes:
    """A function's pickle, with the sources that its libraries may want to read."""
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    try:
        with sight.by_value():
            pickler.dump(function)
    except Exception as error:
        raise TypeError(
            f"{_name(function)} cannot be passed to a guarded process, since something that it uses cannot be pickled "
            f"({type(error).__name__}: {str(error)[:200].strip()}): make that inside the function, or have the function in a "
            'module of its own whose folder is granted, grants=["read:/path"]'
        ) from error
    return pickle.dumps((stream.getvalue(), _sources(sight, function, pickler.files)), protocol=5)


#: What cannot be another without being another object.
_CONSTANT = frozenset({int, float, complex, bool, str, bytes, type(None), type(sys), type(len)})
#: The most that is looked at of what a function is made of.
_PARTS = 256
#: The most functions that are kept.
_FUNCTIONS = 256


def _parts(function: Any) -> list[tuple[Any, str, Any]] | None:
    """Where everything is that a function's pickle is made of, and what is there now: the same as long as it is the same object.
    ``None`` where the pickle is made of more, which may change."""
    parts: list[tuple[Any, str, Any]] = []
    left, seen = [function], set()
    while left:
        part = left.pop()
        if id(part) in seen or type(part) in _CONSTANT:
            continue
        seen.add(id(part))
        if type(part) is tuple:
            left.extend(part)
            continue
        if type(part) is not _FUNCTION or part.__dict__ or part.__kwdefaults__ or len(parts) > _PARTS:
            return None
        parts += [(part, "__code__", part.__code__), (part, "__defaults__", part.__defaults__)]
        left.extend(part.__defaults__ or ())
        for cell in part.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                return None
            parts.append((cell, "cell_contents", value))
            left.append(value)
        for name in _names(part.__code__):
            value = part.__globals__.get(name)
            parts.append((part.__globals__, name, value))
            left.append(value)
    return parts


_FUNCTION = type(_parts)


def _sources(sight: Sight, function: Any, files: Iterable[str]) -> dict[str, str]:
    """The source files that a function is from, and others that it uses, as far as a guarded process does not see them: compilers
    of other languages in Python read them."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    sources: dict[str, str] = {}
    left = _SOURCE
    for name in dict.fromkeys((_path(function), getattr(module, "__file__", None), *files)):
        if name and name not in sources and not sight.sees(name):
            text = "".join(linecache.getlines(name))
            if 0 < len(text) <= left:
                sources[name] = text
                left -= len(text)
    return sources


