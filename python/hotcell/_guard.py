"""The guard: Python functions as they are, in a process of their own, with limits, least privilege and a record."""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import _cell, _native, _places
from ._launch import Ended, Launch
from ._pickled import PROFILES, Called, Sight, is_going, itself, profiles_of
from ._returned import decoded
from .errors import Error, HostFault, of_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    F = TypeVar("F", bound=Callable[..., Any])


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
                self.value = decoded(native)
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
            found = PROFILES.get(name.partition(".")[0])
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
        ended = GuardEnded(native.call(self._plan, self._process.called(function, args, kwargs)), native)
        _check(ended)
        return ended

    def start(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Launch:
        """As :meth:`call`, on a thread of its own.

        Returns:
            A :class:`concurrent.futures.Future` of the result, which can be awaited, and cancelled while it runs.
        """
        native = self._process.native(function)
        launch = GuardLaunch(_value, native)
        called = self._process.called(function, args, kwargs)
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
        if is_going():
            return itself, (self._function,)
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


def _anew() -> None:
    """A fork's child has no thread that holds the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_anew)


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
        self.sight = Sight([*self.read, *self.write])
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

    def called(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
        """A call of a function, for the native half."""
        if isinstance(function, GuardedFunction):
            function = function._function
        return Called.of(self.sight, function, args, kwargs)

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


def _plan(options: Mapping[str, Any]) -> _native.GuardPlan:
    """How functions are called under those limits."""
    apart = ("stop_grace", "on_log")
    limits = {name: value for name, value in options.items() if name not in apart}
    return _native.GuardPlan(limits, **{name: options[name] for name in apart if name in options})


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


__all__ = ["Error", "GuardEnded", "GuardLaunch", "Guarded", "GuardedFunction", "guard", "guarded"]
