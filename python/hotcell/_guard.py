"""The guard: Python functions as they are, in a process of their own, with limits, least privilege and a record."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import linecache
import math
import os
import pickle
import sys
import threading
import weakref
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar, overload

import cloudpickle
import numpy as np

from . import _arrays, _cell, _native, _places
from ._launch import Ended, Launch
from .errors import Error, HostFault, of_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    F = TypeVar("F", bound=Callable[..., Any])

#: Which profile a library needs.
_PROFILES = {"jax": "jax", "jaxlib": "jax", "taichi": "taichi", "torch": "torch-cpu"}

#: Buffers from here on are handed over apart from their pickle.
_APART = 16 << 10
#: The most text of source files that goes along with a function.
_SOURCE = 1 << 20
#: How far helpers of helpers are looked at for the libraries that they name.
_HELPERS = 3
#: The names of arguments by position.
_NUMBERS = tuple(map(str, range(16)))
#: The most keys of a value whose hashes are others' too.
_SAME_HASHES = 64
#: The deepest nesting of a value that came back.
_DEPTH = 200

#: What is pickled in the plain way: what it is made of is known everywhere.
_PLAIN = frozenset({np.ndarray, int, float, complex, bool, str, bytes, type(None), np.float64, np.float32, np.int64, np.int32})

#: Set while a function is pickled for a guarded process, in which it is called as it is.
_going = threading.local()


class GuardEnded(Ended):
    """How a guarded call ended: what it returned, and its report.

    Attributes:
        value: What the function returned; ``None`` where it did not.
        traceback: Where it raised, as Python printed that there; empty where it did not.
    """

    def __init__(self, native: _native.GuardReturn, process: _native.Guard) -> None:
        super().__init__(native.ended)
        self.traceback = native.traceback
        self.value = None
        if native.text is not None:
            try:
                self.value = _decoded(native)
            except HostFault:
                # Whoever sends what is no value is not asked again.
                process.renew()
                raise

    def __reduce__(self) -> tuple[Any, ...]:
        rebuilt, told = super().__reduce__()
        return _rebuilt, (rebuilt, told, self.value, self.traceback)


def _rebuilt(rebuilt: Any, told: Any, value: Any, traceback: str) -> Ended:
    ended: Ended = rebuilt(*told)
    ended.__class__ = GuardEnded
    ended.value, ended.traceback = value, traceback  # type: ignore[attr-defined]
    return ended


class GuardLaunch(Launch):
    """A guarded call that runs: a future of its result, which can also be awaited."""

    def __init__(self, make: Callable[[Ended], Any], process: _native.Guard) -> None:
        super().__init__(make)
        self._process = process

    def _read(self, native: Any) -> Ended:
        return GuardEnded(native, self._process)


class Guarded:
    """A guarded process: functions are called in it one after the other, and find what earlier ones have left.

    It is started when it is first needed, and anew after it was killed or has failed. :func:`guarded` makes one.

    Args:
        imports: Modules that it imports before it answers.
        profile: Which system calls it may make: ``"numpy"``, ``"jax"``, ``"taichi"``, ``"torch-cpu"``, or several. Default: what
            the imports need, and the function that is called first.
        grants: What it may reach besides the interpreter and its packages: ``"read:/path"`` and ``"write:/path"``, files or
            directories.
        environment: Variables for it; it has none of this process's but the language and the time zone.
        spare: Whether another process is kept ready, with the same imports, for when this one is killed. Default: where there are
            imports.
        threads: The most threads. Default 256.
        scratch: Files in the process's folder, which is in memory, in bytes or as ``"1GiB"``. Default 256 MiB.
        host: The cell whose policy, budgets and records hold. Default: the process's own.
        tenant: Who is charged. Default: whom the cell charges.
        **limits: As for :meth:`options`.
    """

    def __init__(
        self,
        *,
        imports: Sequence[str] = (),
        profile: str | Sequence[str] | None = None,
        grants: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        spare: bool | None = None,
        threads: int | None = None,
        scratch: int | str | None = None,
        host: _cell.Host | None = None,
        tenant: str | None = None,
        **limits: Any,
    ) -> None:
        host = _cell.DEFAULT if host is None else host
        if host.is_remote:
            raise TypeError("guarded calls run on a cell of this process, and not on a daemon")
        imports = (imports,) if isinstance(imports, str) else tuple(imports)
        grants = (grants,) if isinstance(grants, str) else tuple(grants)
        profiles = (profile,) if isinstance(profile, str) else tuple(profile or ())
        for name in imports:
            found = _PROFILES.get(name.partition(".")[0])
            if found is not None and profile is None:
                profiles = (*profiles, found)
        self._process = _Process(
            host,
            host.tenant if tenant is None else tenant,
            imports,
            profiles,
            profile is None,
            grants,
            dict(environment or {}),
            bool(imports) if spare is None else spare,
            threads,
            scratch,
        )
        self._options: dict[str, Any] = {}
        self._set(limits)

    def _set(self, limits: Mapping[str, Any]) -> Guarded:
        self._options = {**self._options, **limits}
        self._plan = _plan({**self._options, **self._process.own_limits()})
        return self

    def options(self, **limits: Any) -> Guarded:
        """The same process, with other limits for calls.

        Args:
            timeout: Wall-clock time of a call, in seconds or as ``"200ms"``. Default 10 s.
            memory: Private writable memory beyond what the process has when it is ready, in bytes or as ``"2GiB"``. Default 4 GiB.
            cpu_time: Processor time over all threads. Default 40 s.
            bytes_out: The most bytes of results. Default 16 GiB.
            log_lines: Lines of output that are kept. Default 1000; ``log_bytes``, 64 KiB.
            stop_grace: Seconds from being asked to stop to being killed. Default 0.1.
            on_log: Called with each line of output.

        Returns:
            An object for calls under those limits.
        """
        for name in ("threads", "scratch"):
            if name in limits:
                raise TypeError(f"{name} is the process's own: say it where that is made, guarded({name}=…) or guard(f, {name}=…)")
        other = object.__new__(type(self))
        other._process = self._process
        other._options = self._options
        return other._set(limits)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function in the process.

        The function and its arguments go in by pickle. What it returns comes back as arrays and plain values: NumPy arrays
        (also for JAX's, PyTorch's and Taichi's), numbers, text, bytes, and tuples, lists, sets and dictionaries of these.

        Raises:
            hotcell.Error: It did not return: a limit was reached, something is not permitted, or it raised. A
                :class:`hotcell.KernelError` has the exception's words, and its ``traceback``.
        """
        return self.run(function, *args, **kwargs).value

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> GuardEnded:
        """As :meth:`call`, and gives how the call ended, with its report.

        Raises:
            hotcell.Error: As :meth:`call`.
        """
        native = self._process.native(function)
        ended = GuardEnded(native.call(self._plan, _Called.of(self._process, function, args, kwargs)), native)
        _check(ended)
        return ended

    def start(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Launch:
        """As :meth:`call`, on a thread of its own.

        Returns:
            A :class:`concurrent.futures.Future` of the result, which can be awaited, and cancelled while it runs.
        """
        native = self._process.native(function)
        launch = GuardLaunch(_value, native)
        called = _Called.of(self._process, function, args, kwargs)
        return launch._begun(native.start(launch._done, self._plan, called))

    def warm(self) -> Guarded:
        """Start the process in the background, where there is none."""
        self._process.native(None).warm()
        return self

    def close(self) -> None:
        """End the process, once the call that runs has ended."""
        self._process.close()

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<hotcell.Guarded, profile {', '.join(self._process.profiles) or 'numpy'}>"


class GuardedFunction:
    """A function that is called in a guarded process: :func:`guard` makes it of one."""

    def __init__(self, function: Callable[..., Any], guarded: Guarded) -> None:
        self._function = function
        self._guarded = guarded
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it. As :meth:`Guarded.call`."""
        return self._guarded.call(self._function, *args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> GuardEnded:
        """Call it, and give how the call ended. As :meth:`Guarded.run`."""
        return self._guarded.run(self._function, *args, **kwargs)

    def start(self, *args: Any, **kwargs: Any) -> Launch:
        """Call it on a thread of its own. As :meth:`Guarded.start`."""
        return self._guarded.start(self._function, *args, **kwargs)

    def options(self, **limits: Any) -> GuardedFunction:
        """The same function under other limits. As :meth:`Guarded.options`; with other threads or scratch, in another process."""
        apart: dict[str, Any] = {name: limits.pop(name) for name in ("threads", "scratch") if name in limits}
        if not apart:
            return GuardedFunction(self._function, self._guarded.options(**limits))
        made_of: dict[str, Any] = {**self._guarded._process.made_of(), **apart}
        options: dict[str, Any] = {**self._guarded._options, **limits}
        return GuardedFunction(self._function, _shared(made_of).options(**options))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        if getattr(_going, "is_in", False):
            return _itself, (self._function,)
        # One that stands in its module under its own name is found there.
        name = getattr(self._function, "__qualname__", "")
        found: Any = sys.modules.get(getattr(self._function, "__module__", None) or "")
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self:
            return name
        return _again, (self._function, self._guarded._process.made_of(), self._guarded._options)

    def __repr__(self) -> str:
        return f"<guarded {self._function!r}>"


def _itself(function: Any) -> Any:
    return function


def _again(function: Any, made_of: dict[str, Any], options: dict[str, Any]) -> GuardedFunction:
    return GuardedFunction(function, _shared(made_of).options(**options))


@overload
def guard(function: F, /, **options: Any) -> F: ...
@overload
def guard(**options: Any) -> Callable[[F], F]: ...
def guard(function: Any = None, /, **options: Any) -> Any:
    """Have a function be called in a guarded process: ``guard(f, timeout=1)(x)``, or as a decorator.

    Functions of arrays and plain values run as they are, native code and compilers of JAX, Taichi and PyTorch included. All
    functions that were guarded in the same way share a process, which stays between calls, and is replaced after it was killed.

    Args:
        function: What is called.
        **options: Those of :class:`Guarded`, and limits as for :meth:`Guarded.options`.

    Returns:
        A :class:`GuardedFunction`, or what makes one of a function.
    """
    if function is None:
        return lambda function: guard(function, **options)
    if isinstance(function, GuardedFunction):
        return function.options(**options)
    made_of = {name: options.pop(name) for name in _MADE_OF if name in options}
    if "profile" not in made_of:
        made_of["profile"] = profiles_of(function, made_of.get("imports", ()))
    return GuardedFunction(function, _shared(made_of).options(**options))


#: What a process is made of, apart from limits.
_MADE_OF = ("imports", "profile", "grants", "environment", "spare", "threads", "scratch", "host", "tenant")


def guarded(**options: Any) -> Guarded:
    """Make a guarded process of one's own, as a context manager: ``with guarded(imports=["jax"]) as g: g.call(f, x)``.

    Args:
        **options: Those of :class:`Guarded`, and limits as for :meth:`Guarded.options`.
    """
    return Guarded(**options)


#: The processes that functions share, by what they are made of.
_all: dict[Any, Guarded] = {}
_lock = threading.Lock()


def _shared(made_of: dict[str, Any]) -> Guarded:
    """The process that is made of that."""
    key = tuple(sorted((name, _hashable(value)) for name, value in made_of.items()))
    with _lock:
        found = _all.get(key)
        if found is None:
            found = _all[key] = Guarded(**made_of)
        return found


def _hashable(value: Any) -> Any:
    if isinstance(value, _cell.Host):
        return id(value)
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


class _Process:
    """What a guarded process is made of, and its native half once there is one."""

    def __init__(
        self,
        host: _cell.Host,
        tenant: str | None,
        imports: tuple[str, ...],
        profiles: tuple[str, ...],
        is_open: bool,
        grants: tuple[str, ...],
        environment: dict[str, str],
        spare: bool,
        threads: int | None,
        scratch: int | str | None,
    ) -> None:
        self.host, self.tenant, self.imports, self.grants = host, tenant, imports, grants
        self.profiles = tuple(dict.fromkeys(profiles))
        self._is_open = is_open
        self.environment, self.spare = environment, spare
        self.threads, self.scratch = threads, scratch
        self._native: _native.Guard | None = None
        self._process = 0
        self._lock = threading.Lock()
        self.read, self.write = _granted(grants)
        self._seen: list[str] | None = None
        self.functions: dict[int, _Known] = {}
        self._modules = 0
        self._unseen: list[Any] = []
        _processes.add(self)

    def made_of(self) -> dict[str, Any]:
        """What another one like it is made of."""
        host = {} if self.host is _cell.DEFAULT else {"host": self.host}
        return {
            "imports": self.imports,
            "profile": self.profiles,
            "grants": self.grants,
            "environment": self.environment,
            "spare": self.spare,
            "threads": self.threads,
            "scratch": self.scratch,
            "tenant": self.tenant,
            **host,
        }

    def own_limits(self) -> dict[str, Any]:
        """Limits that are not a call's."""
        own = {"threads": self.threads, "scratch": self.scratch}
        return {name: value for name, value in own.items() if value is not None}

    def native(self, function: Any) -> _native.Guard:
        """The native half; a fork's child makes its own."""
        native = self._native
        if native is not None and self._process == os.getpid():
            return native
        with self._lock:
            if self._native is None or self._process != os.getpid():
                if self._is_open and function is not None:
                    self.profiles = profiles_of(function, self.imports, self.profiles)
                self._native = self._made()
                self._process = os.getpid()
            return self._native

    def _made(self) -> _native.Guard:
        if not sys.executable:
            raise HostFault("a guarded process needs an interpreter, and sys.executable is empty")
        return _native.Guard(
            self.host._native,
            sys.executable,
            _places.arguments(str(_native.__file__)),
            profiles=list(self.profiles),
            read=[*_places.visible(), *self.read],
            write=self.write,
            setup=json.dumps(self.setup()),
            tenant=self.tenant,
            spare=self.spare,
        )

    def setup(self) -> dict[str, Any]:
        """What the interpreter does behind its walls."""
        variables = {**_places.environment(self.profiles, self.threads), **self.environment}
        return _places.setup(list(self.imports), self.profiles, variables)

    def sees(self, file: str) -> bool:
        """Whether the process may read a file."""
        if self._seen is None:
            self._seen = [*_places.visible(), *self.read, *self.write]
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

    def close(self) -> None:
        if self._native is not None and self._process == os.getpid():
            self._native.close()


_processes: weakref.WeakSet[_Process] = weakref.WeakSet()


def close_all() -> None:
    """End every guarded process of this one: at its end."""
    for process in list(_processes):
        process.close()


def _granted(grants: Sequence[str]) -> tuple[list[str], list[str]]:
    read: list[str] = []
    write: list[str] = []
    for grant in grants:
        what, separator, path = grant.partition(":")
        if not separator or what not in ("read", "write") or not os.path.isabs(path):
            raise ValueError(f"grants are \"read:/path\" and \"write:/path\", with absolute paths; {grant!r} is neither")
        if not os.path.exists(path):
            raise FileNotFoundError(f"{grant!r} grants what is not there")
        if os.path.realpath(path) in ("/", "/tmp", "/proc", "/sys"):
            raise ValueError(f"{grant!r} grants more than one thing: name what is in it")
        (read if what == "read" else write).append(os.path.realpath(path))
    return read, write


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
    found.update(dict.fromkeys(_PROFILES[root] for root in sorted(roots) if root in _PROFILES))
    return tuple(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _names(constant)


def _plan(options: Mapping[str, Any]) -> _native.GuardPlan:
    """How functions are called under those limits."""
    apart = ("stop_grace", "on_log")
    limits = {name: value for name, value in options.items() if name not in apart}
    return _native.GuardPlan(limits, **{name: options[name] for name in apart if name in options})


class _Called:
    """A call for the native half, which reads its attributes."""

    def __init__(self, function: str, path: str | None, function_pickle: bytes, arguments_pickle: bytes) -> None:
        self.function, self.path = function, path
        self.function_pickle, self.arguments_pickle = function_pickle, arguments_pickle
        self.buffers: list[tuple[str, Any]] = []
        self.arrays: list[tuple[str, str, list[int]]] = []

    @classmethod
    def of(cls, process: _Process, function: Any, args: Any, kwargs: Any) -> _Called:
        if isinstance(function, GuardedFunction):
            function = function._function
        known = process.functions.get(id(function))
        if known is None or not known.is_as_it_was():
            if len(process.functions) >= _FUNCTIONS:
                process.functions.clear()
            known = process.functions[id(function)] = _Known(process, function)
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
        arguments = _dumps((args, kwargs), apart) if is_plain else _cloud(process, (args, kwargs), apart)
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
_itself.__module__ = "__main__"


def _cloud(process: _Process, value: Any, apart: Any) -> bytes:
    stream = io.BytesIO()
    with process.by_value():
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

    def __init__(self, process: _Process, function: Any) -> None:
        # Kept, so that its number is its own.
        self.function = function
        self.name, self.path = _name(function), _path(function)
        self.parts = _parts(function)
        self.pickled = _pickled(process, function)

    def is_as_it_was(self) -> bool:
        """Whether everything that the pickle was made of is the same, as far as that can be known."""
        parts = self.parts
        if parts is None:
            return False
        for place, name, value in parts:
            if (place.get(name) if type(place) is dict else getattr(place, name, None)) is not value:
                return False
        return True


def _pickled(process: _Process, function: Any) -> bytes:
    """A function's pickle, with the sources that its libraries may want to read."""
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    try:
        with process.by_value():
            pickler.dump(function)
    except Exception as error:
        raise TypeError(
            f"{_name(function)} cannot be passed to a guarded process, since something that it uses cannot be pickled "
            f"({type(error).__name__}: {str(error)[:200].strip()}): make that inside the function, or have the function in a "
            'module of its own whose folder is granted, grants=["read:/path"]'
        ) from error
    return pickle.dumps((stream.getvalue(), _sources(process, function, pickler.files)), protocol=5)


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


def _sources(process: _Process, function: Any, files: Iterable[str]) -> dict[str, str]:
    """The source files that a function is from, and others that it uses, as far as a guarded process does not see them: compilers
    of other languages in Python read them."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    sources: dict[str, str] = {}
    left = _SOURCE
    for name in dict.fromkeys((_path(function), getattr(module, "__file__", None), *files)):
        if name and name not in sources and not process.sees(name):
            text = "".join(linecache.getlines(name))
            if 0 < len(text) <= left:
                sources[name] = text
                left -= len(text)
    return sources


def _value(ended: Ended) -> Any:
    assert isinstance(ended, GuardEnded)
    _check(ended)
    return ended.value


def _check(ended: GuardEnded) -> None:
    if ended.kind == "done":
        return
    error = of_ended(ended)
    if ended.traceback and hasattr(error, "add_note"):
        error.add_note("In the guarded process:\n" + ended.traceback.rstrip())
    raise error


def _decoded(native: _native.GuardReturn) -> Any:
    """What a guarded process returned. Its text is read as data, whatever it is."""
    assert native.text is not None
    whole = None if native.memory is None else _arrays.of_memory(native.memory)
    arrays = []
    for dtype, shape, offset in native.arrays:
        of = _arrays.dtype_of(dtype)
        size = math.prod(shape) * of.itemsize
        assert whole is not None
        part = whole[offset : offset + size]
        if dtype == "bool" and size and part.max() > 1:
            # Every byte but zero and one is nobody's bool.
            part = (part != 0).view("u1")
        arrays.append(part.view(of).reshape(shape))
    try:
        return _value_of(json.loads(native.text), arrays, 0)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise HostFault(f"a guarded process returned what is no value: {type(error).__name__}") from None


def _value_of(value: Any, arrays: list[Any], depth: int) -> Any:
    if not isinstance(value, (list, dict)):
        return value
    if isinstance(value, dict) or not value or depth > _DEPTH:
        raise ValueError("no value")
    kind, rest = value[0], value[1:]
    if kind in ("a", "n"):
        (position,) = rest
        if type(position) is not int or position < 0:
            raise ValueError("no position")
        return arrays[position] if kind == "a" else arrays[position][()]
    if kind == "d":
        pairs = [(_value_of(key, arrays, depth + 1), _value_of(item, arrays, depth + 1)) for key, item in rest]
        _check_keys([key for key, _ in pairs])
        return dict(pairs)
    if kind in ("l", "t"):
        items = [_value_of(item, arrays, depth + 1) for item in rest]
        return items if kind == "l" else tuple(items)
    if kind in ("s", "z"):
        items = [_value_of(item, arrays, depth + 1) for item in rest]
        _check_keys(items)
        return set(items) if kind == "s" else frozenset(items)
    if kind == "c":
        real, imaginary = (float(_value_of(part, arrays, depth + 1)) for part in rest)
        return complex(real, imaginary)
    (text,) = rest
    if not isinstance(text, str):
        raise ValueError("no text")
    if kind == "i":
        return int(text, 16)
    if kind == "f":
        return {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[text]
    if kind == "b":
        return base64.b64decode(text, validate=True)
    raise ValueError("no value")


def _check_keys(keys: list[Any]) -> None:
    """Refuse keys of which many have the same hash: each would be compared with all before it."""
    if len(keys) - len({hash(key) for key in keys}) > _SAME_HASHES:
        raise ValueError("keys of the same hash")


__all__ = ["Error", "GuardEnded", "GuardLaunch", "Guarded", "GuardedFunction", "guard", "guarded"]
