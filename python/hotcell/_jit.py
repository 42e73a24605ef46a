"""Watches what JAX's and Taichi's compilers do in this process, and tells of each compilation.

Neither is imported here. :func:`watch` hooks into each once the watched program has imported it: at the end of the import,
or at the next :func:`look`. A warm call of what either compiled passes no hook: they lie where a compilation begins
and ends. No hook raises: what goes wrong in one is counted (:func:`errors`).

JAX: ``jax.monitoring``'s listeners, or a wrapper of ``dispatch.log_elapsed_time`` on versions whose listeners hear of ends
alone; the loggers of ``pxla`` and of the tracing cache, whose records are read here whether or not the program has them
printed. Taichi: where a kernel's source is read, and ``Program.create_kernel`` and ``compile_kernel``.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

Emit = Callable[[dict[str, Any]], None]

TEXT = 256
"""The most characters of any text in an event."""
SHAPES = 64
"""The most arguments in an event, and the most dimensions of one."""

_PHASES = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}
_USES_CACHE = "/jax/compilation_cache/compile_requests_use_cache"
_CACHE_HIT = "/jax/compilation_cache/cache_hits"

# Functions of JAX in whose course a trace is followed by its lowering, a lowering by its compilation; and in which not.
_RUNS = {
    "cache_miss", "_python_pjit_helper", "_run_python_pjit", "_pjit_call_impl", "_pjit_call_impl_python", "call_impl_cache_miss",
    "xla_pmap_impl", "xla_pmap_impl_lazy",
}  # fmt: skip
_LOWERS = {"lower", "jit_lower"}
_ONLY_TRACES = {"eval_shape", "jit_eval_shape", "make_jaxpr", "make_jaxpr_f"}

_ids = itertools.count(1)
_emit: Emit | None = None
_errors = 0
_lock = threading.RLock()
_waiting: set[str] = set()


def errors() -> int:
    """How many errors the hooks have swallowed."""
    return _errors


def _count() -> None:
    global _errors
    _errors += 1


def _quiet(hook: Callable[..., Any]) -> Callable[..., None]:
    """The hook, which raises nothing and returns nothing."""

    @functools.wraps(hook)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            hook(*args, **kwargs)
        except Exception:
            _count()

    return guarded


def _cut(text: object) -> str:
    return (text if type(text) is str else str(text))[:TEXT]


def _send(event: dict[str, Any]) -> None:
    emit = _emit
    if emit is not None:
        try:
            emit(event)
        except Exception:
            _count()


# --- Records ---


class _Record:
    """One compilation: what is known of it so far."""

    __slots__ = (
        "arguments", "begun", "cache", "failed", "follows", "function", "id", "phases", "plain", "since", "start", "system",
        "template", "why",
    )  # fmt: skip

    def __init__(self, system: str, function: str, start: int) -> None:
        self.id = 0
        self.system = system
        self.function = _cut(function)
        self.plain = _plain(function)
        self.start = start
        self.begun = False
        self.phases: list[list[Any]] = []
        self.arguments: list[dict[str, Any]] = []
        self.template = ""
        self.cache = "none"
        self.why = ""
        self.failed = False
        self.follows = False  # Another phase comes next, without the program's code in between.
        self.since = 0  # When a trace began whose end is not told.

    def begin(self) -> None:
        if not self.begun:
            self.begun = True
            self.id = next(_ids)
            _send({"event": "begin", "id": self.id, "system": self.system, "function": self.function})

    def end(self) -> None:
        self.begin()
        now = time.perf_counter_ns()
        self.untimed(now)
        _send({
            "event": "end",
            "id": self.id,
            "system": self.system,
            "function": self.function,
            "arguments": self.arguments,
            "template": self.template,
            "phases": self.phases,
            "total_ns": max(now - self.start, 0),
            "cache": self.cache,
            "why": self.why,
            "failed": self.failed,
        })  # fmt: skip

    def untimed(self, now: int) -> None:
        """Ends a trace whose end is not told."""
        if self.since:
            self.phases.append(["trace", max(now - self.since, 0)])
            self.since = 0


class _Phase:
    """A phase that is under way; the compilation that is between two phases inside it."""

    __slots__ = ("kind", "name", "pending", "raised", "record", "start")

    def __init__(self, kind: str, name: str, record: _Record | None, start: int, raised: BaseException | None) -> None:
        self.kind = kind
        self.name = name
        self.record = record
        self.start = start
        self.raised = raised
        self.pending: _Record | None = None


class _Thread(threading.local):
    """What the thread is compiling: the outermost is a phase of nothing, which never ends."""

    def __init__(self) -> None:
        self.stack: list[_Phase] = [_Phase("", "", None, 0, None)]
        self.taichi: _Record | None = None


_thread = _Thread()


def _shown(name: str) -> str:
    """The function's name, out of the name of what is lowered: ``f`` of ``jit(f)``."""
    found = re.match(r"(?:jit|pjit|pmap|xmap)\((.*)\)$", name, re.DOTALL)
    return found.group(1) if found else re.sub(r"^(?:jit|pmap)_(?=.)", "", name)


def _plain(name: str) -> str:
    """The function's name as the names of all its phases have it."""
    innermost = name.rstrip(")").rpartition("(")[2]
    return re.sub(r"\W", "_", re.sub(r"^(?:jit|pmap)_(?=.)", "", innermost)).strip("_")


# --- JAX ---


def _follows(kind: str) -> bool:
    """Whether the next phase follows at once on this one, by what function of JAX is being called."""
    frame = sys._getframe(1)
    for _ in range(64):
        up = frame.f_back
        if up is None:
            return False
        frame = up
        module = frame.f_globals.get("__name__", "")
        if not isinstance(module, str):
            return False
        if module.startswith("jax."):
            name = frame.f_code.co_name
            if name in _LOWERS:
                return kind == "trace"
            if name in _RUNS:
                # What is traced inside another trace is compiled as a part of that.
                return kind != "trace" or _untraced()
            if name in _ONLY_TRACES:
                return False
        elif module != __name__ and module not in ("contextlib", "functools", "logging"):
            return False
    return False


def _untraced() -> bool:
    clean = getattr(sys.modules.get("jax._src.core"), "trace_state_clean", None)
    return bool(clean()) if clean is not None else True


def _continued(outer: _Phase, kind: str, name: str) -> _Record | None:
    """The compilation that goes on with this phase; any other that was between two phases ends."""
    record = outer.pending
    if record is None:
        return None
    outer.pending = None
    if kind != "trace" and record.follows and record.plain == _plain(name):
        return record
    _close(record)
    return None


def _close(record: _Record) -> None:
    if record.begun or any(kind != "trace" for kind, _ in record.phases):
        record.end()


def _begin_phase(kind: str, name: str) -> None:
    stack = _thread.stack
    outer = stack[-1]
    now = time.perf_counter_ns()
    record = _continued(outer, kind, name)
    if record is None:
        record = _Record("jax", name if kind == "trace" else _shown(name), now)
        if kind == "compile":
            record.arguments = _lowered.get(record.plain, [])
    record.untimed(now)
    # A trace inside another phase is told of only once it is lowered by itself.
    if kind != "trace" or len(stack) == 1:
        record.begin()
    record.follows = kind != "compile" and _follows(kind)
    stack.append(_Phase(kind, name, record, now, sys.exc_info()[1]))


def _end_phase(kind: str, name: str, seconds: float | None, failed: bool | None) -> None:
    stack = _thread.stack
    now = time.perf_counter_ns()
    if not any(phase.kind == kind and phase.name == name for phase in stack):
        # Its beginning was not told.
        _begin_phase(kind, name)
        if seconds is not None:
            stack[-1].start = now - int(seconds * 1e9)
            record = stack[-1].record
            if record is not None and not record.phases:
                record.start = min(record.start, stack[-1].start)
    while True:
        phase = stack.pop()
        ours = phase.kind == kind and phase.name == name
        if phase.pending is not None:
            _close(phase.pending)
        record = phase.record
        if record is None:
            return
        record.phases.append([phase.kind, max(now - phase.start, 0)])
        if ours:
            break
        record.failed = True
        _close(record)
    if failed is None:
        raised = sys.exc_info()[1]
        failed = raised is not None and raised is not phase.raised
    if kind == "compile" and record.cache == "miss" and not _cache_configured():
        record.cache = "none"
    record.failed = record.failed or failed
    if failed or kind == "compile":
        _close(record)
    elif record.follows or not record.begun:
        record.follows = True
        stack[-1].pending = record
    else:
        _close(record)


def _cache_configured() -> bool:
    config = getattr(sys.modules.get("jax"), "config", None)
    return bool(getattr(config, "jax_compilation_cache_dir", None))


@_quiet
def _on_scalar(event: str, value: float, **kwargs: Any) -> None:
    kind = _PHASES.get(event)
    if kind is not None:
        _begin_phase(kind, _name(kwargs))


@_quiet
def _on_duration(event: str, duration: float, **kwargs: Any) -> None:
    kind = _PHASES.get(event)
    if kind is not None:
        _end_phase(kind, _name(kwargs), duration, None)


@_quiet
def _on_event(event: str, **kwargs: Any) -> None:
    if event == _USES_CACHE or event == _CACHE_HIT:
        phase = _thread.stack[-1]
        if phase.kind == "compile" and phase.record is not None:
            phase.record.cache = "hit" if event == _CACHE_HIT else "miss"


def _name(kwargs: dict[str, Any]) -> str:
    return str(kwargs.get("fun_name", ""))


class _Elapsed:
    """JAX's context manager around a phase, with its beginning and its end told."""

    __slots__ = ("_inner", "_kind", "_name")

    def __init__(self, inner: Any, kind: str, name: str) -> None:
        self._inner = inner
        self._kind = kind
        self._name = name

    def __enter__(self) -> Any:
        entered = self._inner.__enter__()
        _quiet(_begin_phase)(self._kind, self._name)
        return entered

    def __exit__(self, *raised: Any) -> Any:
        try:
            return self._inner.__exit__(*raised)
        finally:
            _quiet(_end_phase)(self._kind, self._name, None, raised[0] is not None)


def _elapsed(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def log_elapsed_time(fmt: Any, fun_name: Any, event: Any = None) -> Any:
        inner = original(fmt, fun_name, event)
        kind = _PHASES.get(event) if isinstance(event, str) else None
        return inner if kind is None else _Elapsed(inner, kind, str(fun_name))

    return log_elapsed_time


_lowered: dict[str, list[dict[str, Any]]] = {}


def _read_compiling(record: logging.LogRecord) -> None:
    """``Compiling NAME with global shapes and types AVALS``, which comes before the lowering."""
    args = record.args
    if not isinstance(args, tuple) or not isinstance(record.msg, str) or not record.msg.startswith("Compiling "):
        return
    avals = next((arg for arg in args[1:] if isinstance(arg, (list, tuple)) and all(hasattr(x, "dtype") for x in arg)), ())
    name = str(args[0])
    outer = _thread.stack[-1]
    compiled = _continued(outer, "lower", name)
    now = time.perf_counter_ns()
    if compiled is None:
        compiled = _Record("jax", _shown(name), now)
    compiled.untimed(now)
    compiled.begin()
    compiled.follows = True
    outer.pending = compiled
    names = _argument_names(len(avals))
    compiled.arguments = [
        {"name": _cut(label), "dtype": _cut(_short(aval.dtype)), "shape": _shape(getattr(aval, "shape", ()))}
        for label, aval in itertools.islice(zip(names, avals), SHAPES)
    ]
    _lowered.pop(compiled.plain, None)
    _lowered[compiled.plain] = compiled.arguments
    if len(_lowered) > SHAPES:
        _lowered.pop(next(iter(_lowered)), None)


def _argument_names(count: int) -> list[str]:
    """The names of what is lowered now, as far as the function that lowers has them."""
    frame = sys._getframe(1)
    for _ in range(16):
        up = frame.f_back
        if up is None:
            break
        frame = up
        if frame.f_globals.get("__name__") == "jax._src.interpreters.pxla":
            jaxpr = getattr(frame.f_locals.get("closed_jaxpr"), "jaxpr", None)
            info = getattr(jaxpr, "_debug_info", None) or getattr(jaxpr, "debug_info", None)
            names = getattr(info, "arg_names", None)
            if names is not None and len(names) <= count:
                # Constants come before the arguments.
                return [""] * (count - len(names)) + [name if isinstance(name, str) else "" for name in names]
    return [""] * count


_SHORT = (("float", "f"), ("uint", "u"), ("int", "i"), ("bfloat", "bf"))


def _short(dtype: object) -> str:
    """``f32`` for ``float32``."""
    name = str(getattr(dtype, "name", None) or dtype).removeprefix("torch.")
    for long, short in _SHORT:
        if name.startswith(long):
            return short + name[len(long) :]
    return name


def _shape(shape: Any) -> list[int]:
    """The dimensions; -1 for one that is not a number."""
    return [int(size) if hasattr(size, "__index__") else -1 for size in itertools.islice(shape, SHAPES)]


def _read_miss(record: logging.LogRecord) -> None:
    """``TRACING CACHE MISS at ...``: why a function is traced."""
    words = record.getMessage()
    if not words.startswith("TRACING CACHE MISS"):
        return
    named = re.search(r"^  (?:for|never seen function:\n   ) (\S+)", words, re.MULTILINE)
    name = named.group(1) if named else ""
    stack = _thread.stack
    for compiled in (stack[-1].record, stack[-1].pending):
        if compiled is not None and not compiled.why and compiled.plain == _plain(name):
            compiled.why = _words(words)
            return
    if _explained_first and len(stack) == 1 and stack[0].pending is None and name and _dispatched():
        # A trace that no listener hears of, as under jax.grad.
        compiled = _Record("jax", name, time.perf_counter_ns())
        compiled.why = _words(words)
        compiled.since = compiled.start
        compiled.follows = True
        stack[0].pending = compiled
        compiled.begin()


def _words(words: str) -> str:
    """The explanation without the folders of the files that it names."""
    return _cut(re.sub(r"(?<=\s)/[^\s:]*/", "", words))


def _dispatched() -> bool:
    """Whether a function made by jax.jit is being called."""
    frame = sys._getframe(1)
    for _ in range(32):
        up = frame.f_back
        if up is None:
            return False
        frame = up
        if frame.f_code.co_name in _RUNS and str(frame.f_globals.get("__name__", "")).startswith("jax."):
            return True
    return False


def _tap(name: str, read: Callable[[logging.LogRecord], None], explains: bool) -> None:
    """Reads what a logger of JAX is given, and lets through what would have come through without that.

    The logger's level, handlers and filters stay the program's: its own ``isEnabledFor`` and ``handle`` are overlaid.
    """
    logger: Any = logging.getLogger(name)
    kind = type(logger)
    read = _quiet(read)

    def is_enabled_for(level: int) -> bool:
        return True

    def handle(record: logging.LogRecord) -> None:
        read(record)
        if kind.isEnabledFor(logger, record.levelno) and not (explains and _unasked(record)):
            kind.handle(logger, record)

    logger.isEnabledFor = is_enabled_for
    logger.handle = handle


def _unasked(record: logging.LogRecord) -> bool:
    """Whether the record explains a miss that the program did not ask JAX to explain."""
    if _explain is None or not isinstance(record.msg, str) or not record.msg.startswith("TRACING CACHE MISS"):
        return False
    return not _explain._original.value


_explain: _Explain | None = None
_explained_first = False


class _Explain:
    """JAX's flag ``explain_cache_misses`` to its tracing caches, which it tells to explain; the flag itself to all others."""

    def __init__(self, flag: Any) -> None:
        self._original = flag

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._original(*args, **kwargs)

    @property
    def value(self) -> Any:
        if sys._getframe(1).f_globals.get("__name__") in ("jax._src.util", "jax._src.linear_util"):
            return True
        return self._original.value


def _hook_explanations() -> None:
    """Has the tracing cache explain its misses, where an error of the explanation can be kept from the program."""
    global _explain, _explained_first
    config: Any = sys.modules.get("jax._src.config")
    flag = getattr(config, "explain_cache_misses", None)
    if flag is None or not hasattr(flag, "value"):
        return
    pjit = sys.modules.get("jax._src.pjit")
    cached: Any = getattr(pjit, "_create_pjit_jaxpr", None)
    code = getattr(cached, "__code__", None)
    tracing: Any = sys.modules.get("jax._src.interpreters.partial_eval")
    if code is not None and "explain" in code.co_freevars:
        # To 0.7: the explanation comes after the trace.
        cell = cached.__closure__[code.co_freevars.index("explain")]
        if cell.cell_contents is not None:
            cell.cell_contents = _quiet(cell.cell_contents)
            # Or this file would be the place that the explanations name.
            source: Any = sys.modules.get("jax._src.source_info_util")
            if hasattr(source, "register_exclusion"):
                source.register_exclusion(__file__)
            _tap("jax._src.pjit", _read_miss, explains=True)
            _explain = _Explain(flag)
    elif hasattr(tracing, "explain") and hasattr(tracing, "diff_tracing_cache_keys"):
        # The explanation comes before the trace.
        differ = tracing.diff_tracing_cache_keys

        @functools.wraps(differ)
        def diff_tracing_cache_keys(*args: Any, **kwargs: Any) -> Any:
            try:
                return differ(*args, **kwargs)
            except Exception:
                _count()
                return 4, 0, "cache miss explanation unavailable"

        tracing.diff_tracing_cache_keys = diff_tracing_cache_keys
        _tap("jax._src.interpreters.partial_eval", _read_miss, explains=True)
        _explain = _Explain(flag)
        _explained_first = True
    if _explain is not None:
        config.explain_cache_misses = _explain


_listening: list[tuple[str, str, Callable[..., None]]] = []
_listed: list[tuple[str, Any]] = []  # JAX's own lists of its listeners: clear_event_listeners puts others in their places.
_monitored: Any = None


def _listen(register: str, listed: str, listener: Callable[..., None]) -> None:
    getattr(_monitored, register)(listener)
    _listening.append((register, listed, listener))
    if hasattr(_monitored, listed):
        _listed.append((listed, getattr(_monitored, listed)))


def _hook_jax() -> None:
    global _monitored
    _monitored = sys.modules.get("jax._src.monitoring") or sys.modules.get("jax.monitoring")
    dispatch: Any = sys.modules.get("jax._src.dispatch")
    durations = ("register_event_duration_secs_listener", "_event_duration_secs_listeners", _on_duration)
    if hasattr(_monitored, "register_scalar_listener") and hasattr(dispatch, "record_scalar"):
        _quiet(_listen)("register_scalar_listener", "_scalar_listeners", _on_scalar)
        _quiet(_listen)(*durations)
    elif hasattr(dispatch, "log_elapsed_time"):
        dispatch.log_elapsed_time = _elapsed(dispatch.log_elapsed_time)
    else:
        _quiet(_listen)(*durations)
    _quiet(_listen)("register_event_listener", "_event_listeners", _on_event)
    _quiet(_tap)("jax._src.interpreters.pxla", _read_compiling, explains=False)
    _quiet(_hook_explanations)()


@_quiet
def _listen_again() -> None:
    """Registers again the listeners that ``clear_event_listeners`` took away."""
    again, _listening[:], _listed[:] = list(_listening), [], []
    for register, listed, listener in again:
        if listener in getattr(_monitored, listed, ()):
            _listening.append((register, listed, listener))
            _listed.append((listed, getattr(_monitored, listed)))
        else:
            _quiet(_listen)(register, listed, listener)


# --- Taichi ---

_materialized: dict[int, tuple[Any, _Record]] = {}
_indexed: Callable[[], Any] | None = None


def _hook_taichi() -> None:
    """Hooks in where a kernel is first read, made and compiled, and not where a warm one passes."""
    lang: Any = sys.modules.get("taichi.lang.kernel_impl")
    program: Any = getattr(getattr(lang, "_ti_core", None), "Program", None)
    if not (hasattr(lang, "Kernel") and hasattr(lang, "_get_tree_and_ctx") and hasattr(program, "create_kernel")):
        return
    kernel_type, read, create = lang.Kernel, lang._get_tree_and_ctx, program.create_kernel
    compile_kernel: Any = getattr(program, "compile_kernel", None)

    @functools.wraps(read)
    def watched_read(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(self, kernel_type):
            return read(self, *args, **kwargs)
        _quiet(_begin_kernel)(self, kwargs.get("args"), compile_kernel is not None)
        failed = True
        try:
            value = read(self, *args, **kwargs)
            failed = False
            return value
        finally:
            if failed:
                _quiet(_end_frontend)(None, True)

    @functools.wraps(create)
    def watched_create(self: Any, *args: Any, **kwargs: Any) -> Any:
        kernel = None
        try:
            kernel = create(self, *args, **kwargs)
            return kernel
        finally:
            _quiet(_end_frontend)(kernel, kernel is None)
            if _materialized and compile_kernel is not None:
                program.compile_kernel = watched_compile

    def watched_compile(self: Any, *args: Any, **kwargs: Any) -> Any:
        _, record = _materialized.pop(id(args[-1]) if args else 0, (None, None))
        if not _materialized:
            program.compile_kernel = compile_kernel
        if record is None:
            return compile_kernel(self, *args, **kwargs)
        _quiet(_Record.begin)(record)
        before = _bytes_read()
        start = time.perf_counter_ns()
        failed = True
        try:
            value = compile_kernel(self, *args, **kwargs)
            failed = False
            return value
        finally:
            _quiet(_end_kernel)(record, self, start, before, failed)

    lang._get_tree_and_ctx = watched_read
    program.create_kernel = watched_create


def _launched() -> bool:
    """Whether the kernel is being called, and so is launched next: it is also made ready for graphs and for other machines."""
    frame = sys._getframe(1)
    for _ in range(8):
        up = frame.f_back
        if up is None:
            return False
        frame = up
        if frame.f_code.co_name == "__call__" and frame.f_globals.get("__name__") == "taichi.lang.kernel_impl":
            return True
    return False


def _begin_kernel(kernel: Any, args: Any, compiles: bool) -> None:
    _settle_taichi()
    name = str(getattr(kernel.func, "__name__", ""))
    mode = str(getattr(kernel.autodiff_mode, "name", "NONE"))
    record = _Record("taichi", name if mode == "NONE" else f"{name} ({mode.lower()})", time.perf_counter_ns())
    before = len(kernel.compiled_kernels)
    record.why = f"compiled for {before} other sets of template arguments before" if before else "not compiled before"
    record.follows = compiles and _launched()
    record.begin()
    _thread.taichi = record
    _describe(record, kernel, args)


def _describe(record: _Record, kernel: Any, args: Any) -> None:
    words = []
    for argument, value in itertools.islice(zip(kernel.arguments, args or ()), SHAPES):
        name = _cut(argument.name)
        if type(argument.annotation).__name__ == "Template":
            words.append(f"{name}={_template(value)}")
        else:
            dtype, shape = _kernel_argument(argument.annotation, value)
            record.arguments.append({"name": name, "dtype": _cut(dtype), "shape": shape})
    record.template = _cut(", ".join(words))


def _kernel_argument(annotation: Any, value: Any) -> tuple[str, list[int]]:
    if type(annotation).__name__ == "DataType":
        return str(annotation), []
    if type(annotation).__name__ in ("VectorType", "MatrixType"):
        return _short(annotation.dtype), _shape(annotation.get_shape())
    if type(value).__module__.partition(".")[0] in ("numpy", "taichi", "torch"):
        return _short(getattr(value, "dtype", "")), _shape(getattr(value, "shape", ()))
    return type(value).__name__, []


def _template(value: Any) -> str:
    """A template argument in words, without running the program's code."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return repr(value)[:TEXT]
    if kind.__module__.partition(".")[0] == "taichi" and hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{kind.__name__} {_short(value.dtype)}{_shape(value.shape)}"
    return str(kind.__name__)


def _end_frontend(kernel: Any, failed: bool) -> None:
    record = _thread.taichi
    if record is None or record.phases:
        return
    record.phases.append(["trace", time.perf_counter_ns() - record.start])
    record.failed = failed
    if kernel is not None and record.follows:
        _materialized[id(kernel)] = (kernel, record)
        return
    _settle_taichi()
    if kernel is not None and len(_materialized) < 1024:
        # It's compiled at its first launch, if ever.
        later = _Record("taichi", record.function, record.start)
        later.arguments, later.template, later.why = record.arguments, record.template, record.why
        later.since = -1
        _materialized[id(kernel)] = (kernel, later)


def _end_kernel(record: _Record, program: Any, start: int, read: int, failed: bool) -> None:
    now = time.perf_counter_ns()
    if record.since:
        record.since, record.start = 0, start
    record.phases.append(["compile", now - start])
    record.failed = failed
    if _thread.taichi is record:
        _thread.taichi = None
    try:
        if read >= 0 and not failed and program.config().offline_cache:
            # A kernel out of the offline cache is read from a file; the compiler reads none.
            read = _bytes_read() - read - _index_size(program)
            record.cache = "hit" if read > 256 else "miss"
    finally:
        record.end()


def _index_size(program: Any) -> int:
    """The size of the offline cache's index, which the program reads when it compiles for the first time; 0 after that."""
    global _indexed
    if _indexed is not None and _indexed() is program:
        return 0
    _indexed = weakref.ref(program)
    try:
        return os.stat(os.path.join(program.config().offline_cache_file_path, "ticache.tcb")).st_size
    except OSError:
        return 0


def _bytes_read() -> int:
    """How many bytes this thread has read so far; -1 where the system does not tell."""
    try:
        file = os.open("/proc/thread-self/io", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(file, 64).split(b"\n")[0].removeprefix(b"rchar: "))
        finally:
            os.close(file)
    except Exception:
        return -1


def _settle_taichi() -> None:
    """Ends the compilation that this thread began and has left."""
    record = _thread.taichi
    if record is not None:
        _thread.taichi = None
        for key in [key for key, (_, waiting) in list(_materialized.items()) if waiting is record]:
            _materialized.pop(key, None)
        record.end()


# --- Hooking in ---

_HOOKS: dict[str, Callable[[], None]] = {"jax": _hook_jax, "taichi": _hook_taichi}


def _hook(name: str) -> None:
    with _lock:
        if name not in _waiting:
            return
        _waiting.discard(name)
        _quiet(_HOOKS[name])()
        if not _waiting and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)


class _Finder:
    """Finds nothing itself: has the module that another finder finds hooked into once it has been executed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _waiting:
            return None
        try:
            for finder in list(sys.meta_path):
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find is not None and finder is not self else None
                if spec is not None:
                    self._follow(name, spec.loader)
                    return spec
        except Exception:
            _count()
        return None

    @_quiet
    def _follow(self, name: str, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            loader.__dict__.pop("exec_module", None)
            execute(module)
            if getattr(module, "__name__", "") == name:
                _quiet(_hook)(name)

        loader.exec_module = exec_module


_finder = _Finder()


def look() -> None:
    """Hooks into what has been imported meanwhile without its having been seen. For before and after each call."""
    if _waiting:
        for name in tuple(_waiting):
            module = sys.modules.get(name)
            if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
                _quiet(_hook)(name)
    for listed, listeners in _listed:
        if getattr(_monitored, listed, listeners) is not listeners:
            _listen_again()
            break


@_quiet
def settle() -> None:
    """Ends what this thread began to compile and has left, as when an error came between two phases. For after each call."""
    stack = _thread.stack
    if len(stack) > 1 or stack[0].pending is not None:
        while len(stack) > 1:
            phase = stack.pop()
            for record in (phase.pending, phase.record):
                if record is not None:
                    record.failed = True
                    _close(record)
        if stack[0].pending is not None:
            record, stack[0].pending = stack[0].pending, None
            _close(record)
    if _thread.taichi is not None:
        _settle_taichi()


def watch(emit: Emit) -> None:
    """Tells ``emit`` of each compilation from now on, from whatever thread compiles: its beginning, then its end.

    A second call changes only who is told.
    """
    global _emit
    with _lock:
        first = _emit is None
        _emit = emit
        if first:
            _waiting.update(_HOOKS)
            finders: list[Any] = sys.meta_path
            finders.insert(0, _finder)
    look()
