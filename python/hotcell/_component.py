"""Components and their entries: kernels that are called like functions."""

from __future__ import annotations

import inspect
import json
import keyword
import operator
import os
import re
import threading
from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _arrays, _cell, _native
from ._launch import Ended, Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: The components that were loaded last in this process, by their digests.
_known: dict[str, _native.Component] = {}
#: The most of them.
_MOST_KNOWN = 256


class Parameter(NamedTuple):
    """A parameter of an entry."""

    #: Its name.
    name: str
    #: ``input``, ``output``, ``inout`` or ``scalar``.
    role: str
    #: The element type by its name in manifests: ``f32``, ``bf16``, ``bool``.
    dtype: str
    #: The dimensions of an array, outermost first: names, and numbers where an extent is fixed. Of a scalar none.
    dims: tuple[str | int, ...]
    #: What a scalar is where the caller says nothing; ``None`` where the caller has to.
    default: Any = None


def load(source: str | os.PathLike[str] | bytes, *, host: _cell.Host | None = None) -> Component:
    """Load a kernel component.

    Args:
        source: A file's path, a component's bytes, or the digest of one that this process has loaded before.
        host: Who launches it. Default: the process's own cell, which is made when it is first needed.

    Returns:
        An object whose attributes are the component's entries.

    Raises:
        OSError: The file cannot be read.
        hotcell.InvalidComponent: It is no kernel component.
        hotcell.LimitReached: It is larger than components may be.
        hotcell.Denied: The policy refuses it.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        native = _native.Component(bytes(source))
    elif isinstance(source, str) and source in _known:
        native = _known[source]
    elif isinstance(source, str) and re.fullmatch(r"[0-9a-f]{64}", source) and not os.path.exists(source):
        raise KeyError(f"no component of the digest {source} was loaded in this process: load its file or bytes once")
    else:
        native = _native.Component.read(os.fspath(source))
    return Component(native, _cell.DEFAULT if host is None else host)


class Component:
    """A loaded component: its entries are its attributes, and its items where a name is taken.

    Where it has only one entry, the component can be called as that one.

    Attributes:
        name: Its name in its manifest.
        version: Its version there; empty if it says none.
        digest: BLAKE3 of its bytes, by which :func:`hotcell.load` finds it again.
        entries: Its entries by their names.
    """

    name: str
    version: str
    digest: str
    entries: Mapping[str, Entry]

    def __init__(self, native: _native.Component, host: _cell.Host) -> None:
        described = json.loads(host._describe(native))
        self._native = native
        self._host = host
        self.name = _plain(described["name"])
        self.version = _plain(described.get("version", ""))
        self.digest = native.digest
        self.entries = {record["name"]: Entry(self, _Kernel(record), {}) for record in described["kernels"]}
        _known.pop(self.digest, None)
        _known[self.digest] = native
        if len(_known) > _MOST_KNOWN:
            _known.pop(next(iter(_known)), None)

    def __getattr__(self, name: str) -> Entry:
        entries = self.__dict__.get("entries", {})
        if name in entries:
            entry: Entry = entries[name]
            return entry
        if name.startswith("__"):
            raise AttributeError(name)
        known = ", ".join(entries)
        raise AttributeError(f"{self.__dict__.get('name', 'the component')} has no entry `{name}`; it has: {known}")

    def __getitem__(self, name: str) -> Entry:
        if name not in self.entries:
            raise KeyError(f"{self.name} has no entry `{name}`; it has: {', '.join(self.entries)}")
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.entries]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the component's only entry."""
        if len(self.entries) != 1:
            raise TypeError(f"{self.name} has several entries: {', '.join(self.entries)}; call one of them")
        return next(iter(self.entries.values()))(*args, **kwargs)

    def __repr__(self) -> str:
        entries = ", ".join(entry._kernel.text for entry in self.entries.values())
        return f"<hotcell.Component {self.name} {self.version}: {entries}>"

    def __copy__(self) -> Component:
        return self

    def __deepcopy__(self, memo: Any) -> Component:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Never machine code: whoever unpickles it compiles it, under limits of their own.
        return _unpickled, (self._native.bytes,)


def _unpickled(component: bytes) -> Component:
    return load(component)


def _unpickled_entry(component: bytes, entry: str, options: dict[str, Any]) -> Entry:
    loaded = load(component)[entry]
    return loaded.options(**options) if options else loaded


class _Kernel:
    """What a manifest says of an entry, made ready for calls."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.name: str = record["name"]
        self.doc: str = _plain(record.get("doc", ""))
        self.gufunc: str = record["signature"]
        self.text = f"{self.name}{self.gufunc}"
        self.parameters = list(_parameters(self.gufunc, record["parameters"]))
        self.inputs = {p.name: p.dtype for p in self.parameters if p.role in ("input", "inout")}
        self.scalars = {p.name: p.dtype for p in self.parameters if p.role == "scalar"}
        self.outputs = [p.name for p in self.parameters if p.role in ("output", "inout")]
        fixed = {dim for p in self.parameters if p.name in self.inputs for dim in p.dims}
        free = [dim for p in self.parameters if p.name in self.outputs for dim in p.dims]
        self.dims = list(dict.fromkeys(dim for dim in free if isinstance(dim, str) and dim not in fixed))
        #: Every dimension may be given; those that no input fixes have to be.
        self.all_dims = set(self.dims) | {dim for dim in fixed if isinstance(dim, str)}
        self.positional = [
            p.name for p in self.parameters if p.name in self.inputs or (p.name in self.scalars and p.default is None)
        ]
        self.required = set(self.positional) | (set(self.dims) - set(self.positional))
        names = [*self.inputs, *self.scalars, *self.dims]
        self.takes_out = "out" not in names and bool(self.outputs)
        # `lambda` is a fine name in a manifest, and none in a call.
        self.aliases: dict[str, str] = {}
        for name in names:
            if keyword.iskeyword(name):
                spoken = f"{name}_"
                while spoken in names or spoken in self.aliases:
                    spoken += "_"
                self.aliases[spoken] = name
        self.many = namedtuple("Results", self.outputs, rename=True) if len(self.outputs) > 1 else None

    def signature(self) -> inspect.Signature:
        aliases = {name: alias for alias, name in self.aliases.items()}

        def spoken(name: str) -> str:
            return aliases.get(name, name)

        def annotation(parameter: Parameter) -> str:
            if parameter.role == "scalar":
                return parameter.dtype
            return f"{parameter.dtype}[{', '.join(map(str, parameter.dims))}]"

        by_name = {parameter.name: parameter for parameter in self.parameters}
        made = [
            inspect.Parameter(
                spoken(name), inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation(by_name[name])
            )
            for name in self.positional
        ]
        only = inspect.Parameter.KEYWORD_ONLY
        made += [
            inspect.Parameter(spoken(p.name), only, default=p.default, annotation=annotation(p))
            for p in self.parameters
            if p.role == "scalar" and p.default is not None
        ]
        made += [inspect.Parameter(spoken(dim), only, annotation="int") for dim in self.dims if dim not in by_name]
        if self.takes_out:
            made.append(inspect.Parameter("out", only, default=None))
        results = [annotation(by_name[name]) for name in self.outputs]
        returns = results[0] if len(results) == 1 else f"({', '.join(results)})" if results else None
        return inspect.Signature(made, return_annotation=returns)


def _parameters(signature: str, records: list[dict[str, Any]]) -> Iterator[Parameter]:
    """Parameters with their dimensions: arrays meet each side of the signature in order, and one that is read and written both."""
    read, written = (iter(re.findall(r"\(([^()]*)\)", side)) for side in signature.split("->"))
    for record in records:
        role = record["role"]
        sides = [next(read)] if role in ("input", "inout") else []
        sides += [next(written)] if role in ("output", "inout") else []
        names = sides[0].replace(" ", "").split(",") if sides else []
        dims = tuple(int(name) if name.isdigit() else name for name in names if name)
        yield Parameter(record["name"], role, record["dtype"], dims, _default(record))


def _plain(text: str) -> str:
    """A stranger's text without what a terminal would obey."""
    return "".join(one if one.isprintable() or one == "\n" else f"\\u{ord(one):04x}" for one in text)


def _default(parameter: dict[str, Any]) -> Any:
    default = parameter.get("default")
    # A scalar is tagged with its type.
    return next(iter(default.values())) if isinstance(default, dict) else default


#: What `options` takes besides limits.
_HOW = frozenset({
    "metering", "grants", "seed", "threads", "split", "digests", "gpu_profile", "stop_grace", "tenant", "on_log", "progress",
})  # fmt: skip


#: The units that limits' names in reports end with.
_UNITS = ("_ns", "_bytes")


def _names(option: str) -> list[str]:
    """All names of an option."""
    return [option, *(option.removesuffix(unit) for unit in _UNITS if option.endswith(unit)), *(option + unit for unit in _UNITS)]


class Entry:
    """A kernel of a component, to be called like a function.

    Arrays are NumPy's, or anything that has the buffer protocol, ``__array_interface__``, DLPack or Arrow's C data interface and is
    in the processor's memory. They are read where they are: C order and the kernel's dtype need no copy by the caller's side, other
    orders are copied, and dtypes are converted only where nothing is lost. Results are NumPy arrays. One result is returned as it
    is, several as a named tuple.

    An array must not be written to while a launch has it.
    """

    def __init__(self, component: Component, kernel: _Kernel, options: dict[str, Any]) -> None:
        self._component = component
        self._kernel = kernel
        self._options = options
        self.__name__ = kernel.name
        self.__qualname__ = f"{component.name}.{kernel.name}"
        self.__doc__ = _documentation(kernel)
        how = {name: value for name, value in options.items() if name in _HOW}
        self._on_log: Callable[[str, str], object] | None = how.pop("on_log", None)
        self._progress = how.pop("progress", None)
        limits = {name: value for name, value in options.items() if name not in _HOW}
        host = component._host
        if host.is_remote:
            refused = [name for name in ("tenant", "stop_grace") if how.get(name) is not None]
            if refused:
                raise TypeError(f"`{refused[0]}` is the daemon's to say, and no option of what it launches")
        how.setdefault("tenant", host.tenant)
        self._plan = _native.Plan(kernel.name, limits, **how)

    @property
    def __signature__(self) -> inspect.Signature:
        return self._kernel.signature()

    @property
    def component(self) -> Component:
        """The component that it is of."""
        return self._component

    @property
    def signature(self) -> str:
        """Its dimensions in NumPy's notation for generalized functions: ``(n),(n)->(n)``."""
        return self._kernel.gufunc

    @property
    def parameters(self) -> list[Parameter]:
        """What it takes and gives, in the manifest's order."""
        return list(self._kernel.parameters)

    def options(self, **options: Any) -> Entry:
        """The same entry, launched in another way. Options that were set before stay.

        Limits by their names in reports, which may leave out their unit; texts with a unit, numbers of seconds for times, of bytes,
        or counts: ``timeout=0.2``, ``timeout="200ms"``, ``fuel="10G"``, ``memory="256MiB"``, ``host_calls=10_000``.

        Keyword Args:
            metering: ``"fast"``, ``"strict"`` (default) or ``"deterministic"``.
            grants: The capabilities that the kernel may have, of those that the host grants: ``["log", "control"]``. Default: all
                that the host grants and the kernel asks for.
            seed: The seed of the capability ``random``.
            threads: How many chunks may run at once. Default: one for each processor. Results do not depend on it.
            split: Whether a kernel that can be cut into chunks is. Default ``True``.
            digests: Whether the report has digests of the arrays. Default ``True``.
            gpu_profile: Whether the fuel of each GPU dispatch is counted. Default ``False``.
            stop_grace: How many seconds a kernel that is asked to stop has to give what it has. Default 0.1.
            tenant: Who is charged.
            on_log: Called with the level and the text of each line that the kernel logs.
            progress: Called with what is done and the total; or ``True``, for a bar by ``tqdm``.

        Raises:
            TypeError: There is no such option or limit.
            ValueError: A value is none.
        """
        units = [name for name in options if name.endswith(_UNITS) and name.removesuffix("_ns").removesuffix("_bytes") in options]
        if units:
            raise TypeError(f"`{units[0]}` is given twice, with its unit and without")
        # A limit has two names, and the one that is said last holds.
        said = {name for option in options for name in _names(option)}
        kept = {name: value for name, value in self._options.items() if name not in said}
        return Entry(self._component, self._kernel, {**kept, **options})

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        inputs, scalars, dims, out = self._bound(args, kwargs)
        return self._made(self._launched(inputs, scalars, dims), out)

    def run(self, /, *args: Any, **kwargs: Any) -> Ended:
        """Launch it, and give how that ended: results and report. What goes wrong is no exception: :meth:`Ended.check` raises it."""
        inputs, scalars, dims, out = self._bound(args, kwargs)
        ended = self._launched(inputs, scalars, dims)
        if out and ended.kind == "done":
            self._made(ended, out)
        return ended

    def start(self, /, *args: Any, **kwargs: Any) -> Launch:
        """Launch it on a thread of its own.

        Returns:
            A future of what a call returns. ``cancel`` asks the kernel to stop: one that polls for it has the stop grace to return
            what it has, and another is interrupted at once. It can be awaited.
        """
        inputs, scalars, dims, out = self._bound(args, kwargs)
        launch = Launch(lambda ended: self._made(ended, out))
        component = self._component
        started = _native.start(
            component._host._native,
            component._native,
            self._plan,
            inputs,
            scalars,
            dims,
            launch._done,
            self._on_log,
            self._progress_callback(),
        )
        return launch._begun(started)

    def _launched(self, inputs: list[Any], scalars: list[Any], dims: list[Any]) -> Ended:
        component = self._component
        native = _native.launch(
            component._host._native,
            component._native,
            self._plan,
            inputs,
            scalars,
            dims,
            threading.current_thread() is threading.main_thread(),
            self._on_log,
            self._progress_callback(),
        )
        return Ended(native)

    def _progress_callback(self) -> Callable[[int, int], object] | None:
        return _bar(self.__name__) if self._progress is True else (self._progress or None)

    def _made(self, ended: Ended, out: dict[str, Any] | None) -> Any:
        results = ended.check().results
        kernel = self._kernel
        for name, target in (out or {}).items():
            results[name] = _arrays.into(kernel.name, name, results[name], target)
        if kernel.many is None:
            return results[kernel.outputs[0]] if kernel.outputs else None
        return kernel.many(*(results[name] for name in kernel.outputs))

    def _targets(self, out: Any) -> dict[str, Any]:
        """Where results go, by their names; what could not go there is refused before anything is launched."""
        kernel = self._kernel
        if isinstance(out, dict):
            targets = out
        elif isinstance(out, tuple):
            if len(out) != len(kernel.outputs):
                raise TypeError(f"`{kernel.name}` has {len(kernel.outputs)} results, and out= has {len(out)}")
            targets = dict(zip(kernel.outputs, out))
        elif len(kernel.outputs) == 1:
            targets = {kernel.outputs[0]: out}
        else:
            raise TypeError(f"`{kernel.name}` has several results: out= is a tuple or a dictionary of {', '.join(kernel.outputs)}")
        targets = {name: target for name, target in targets.items() if target is not None}
        dtypes = {parameter.name: parameter.dtype for parameter in kernel.parameters}
        for name, target in targets.items():
            if name not in kernel.outputs:
                raise TypeError(f"`{kernel.name}` has no result `{name}`; it has: {', '.join(kernel.outputs)}")
            _arrays.check_target(kernel.name, name, dtypes[name], target)
        return targets

    def _bound(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Any], list[Any], list[Any], dict[str, Any]]:
        kernel = self._kernel
        if len(args) > len(kernel.positional):
            raise TypeError(f"{kernel.name}() takes {len(kernel.positional)} positional arguments, and {len(args)} were given")
        given = dict(zip(kernel.positional, args))
        out = kwargs.pop("out", None) if kernel.takes_out else None
        targets = {} if out is None else self._targets(out)
        for name, value in kwargs.items():
            name = kernel.aliases.get(name, name)
            if name in given:
                raise TypeError(f"{kernel.name}() got several values for the argument `{name}`")
            given[name] = value
        inputs: list[Any] = []
        scalars: list[Any] = []
        dims: list[Any] = []
        for name, value in given.items():
            if (dtype := kernel.inputs.get(name)) is not None:
                inputs.append(_arrays.handed(name, dtype, _arrays.given(kernel.name, name, dtype, value)))
            elif (dtype := kernel.scalars.get(name)) is not None:
                scalars.append((name, dtype, _scalar(value)))
            elif name in kernel.all_dims:
                dims.append((name, _extent(kernel.name, name, value)))
            elif name in kernel.outputs:
                # A result may be named, too.
                targets.update(self._targets({name: value}))
            else:
                raise TypeError(f"{kernel.name}() has no argument `{name}`; it is {kernel.name}{kernel.signature()}")
        missing = kernel.required - given.keys()
        if missing:
            wanted = [name for name in [*kernel.positional, *kernel.dims] if name in missing]
            raise TypeError(f"{kernel.name}() misses {', '.join(f'`{name}`' for name in wanted)}; it is {kernel.name}{kernel.signature()}")
        return inputs, scalars, dims, targets

    def __repr__(self) -> str:
        return f"<hotcell.Entry {self.__qualname__}{self._kernel.signature()}>"

    def __copy__(self) -> Entry:
        return self

    def __deepcopy__(self, memo: Any) -> Entry:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled_entry, (self._component._native.bytes, self._kernel.name, self._options)


def _extent(entry: str, name: str, value: Any) -> int:
    try:
        extent = operator.index(value)
    except TypeError:
        extent = -1
    if extent < 0:
        raise TypeError(f"`{name}` of `{entry}` is the extent of a dimension, a whole number from 0, and {value!r} was given")
    return extent


def _scalar(value: Any) -> Any:
    """A number of Python's: NumPy's own, and arrays of one, become one."""
    if isinstance(value, (bool, int, float)):
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def _documentation(kernel: _Kernel) -> str:
    lines = [kernel.doc.strip() or f"The kernel {kernel.name}.", "", "Args:"]
    for parameter in kernel.parameters:
        if parameter.role == "output":
            continue
        shape = "scalar" if parameter.role == "scalar" else f"({', '.join(map(str, parameter.dims))})"
        default = "" if parameter.default is None else f", by default {parameter.default}"
        lines.append(f"    {parameter.name}: {parameter.dtype}, {shape}{default}")
    lines += [f"    {dim}: the extent of a dimension that no input fixes" for dim in kernel.dims if dim not in kernel.scalars]
    lines += ["", "Returns:"]
    lines += [
        f"    {parameter.name}: {parameter.dtype}, ({', '.join(map(str, parameter.dims))})"
        for parameter in kernel.parameters
        if parameter.name in kernel.outputs
    ]
    return "\n".join(lines)


def _bar(name: str) -> Callable[[int, int], object]:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError("progress=True needs the package tqdm: pip install hotcell[progress]") from error
    bar = tqdm(desc=name)

    def show(done: int, total: int) -> None:
        bar.total = total or None
        bar.n = done
        bar.refresh()
        if total and done >= total:
            bar.close()

    return show
