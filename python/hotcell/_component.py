"""Components and their entries: kernels that are called like functions."""

from __future__ import annotations

import functools
import inspect
import json
import keyword
import os
import re
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _arrays, _cell, _native
from ._launch import Ended, Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ._profile import Profile

#: The components that were loaded last in this process, by their digests.
_known: dict[str, _native.Component] = {}
#: The most of them.
_MOST_KNOWN = 256
#: Where the wheel has kernels to try things with.
_EXAMPLES = Path(__file__).parent / "_examples"


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


def examples() -> list[str]:
    """The names of the kernels that the package brings along, for :func:`example`."""
    return sorted(path.stem for path in _EXAMPLES.glob("*.wasm"))


def example(name: str, *, host: _cell.Host | None = None) -> Component:
    """Load one of the kernels that the package brings along, to try things with: :func:`examples` has their names.

    Args:
        name: Its name, such as ``"saxpy"``, ``"gemm"`` or ``"julia"``.
        host: As for :func:`load`.

    Raises:
        KeyError: There is none of that name.
    """
    if name not in examples():
        raise KeyError(f"the package has no example `{name}`; it has: {', '.join(examples())}")
    return load(_EXAMPLES / f"{name}.wasm", host=host)


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


@functools.lru_cache(maxsize=None)
def _results_class(names: tuple[str, ...]) -> type:
    """The type of what a call with those results returns."""

    class Results(namedtuple("Results", names, rename=True)):  # type: ignore[misc]
        """The results of a launch, by their names."""

        __slots__ = ()

        def __reduce__(self) -> tuple[Any, ...]:
            return _results, (names, tuple(self))

    return Results


def _results(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return _results_class(names)(*values)


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
        self.positional = [
            p.name for p in self.parameters if p.name in self.inputs or (p.name in self.scalars and p.default is None)
        ]
        self.required = {*self.positional, *self.dims}
        names = [*self.inputs, *self.scalars, *self.dims]
        self.takes_out = "out" not in names and bool(self.outputs)
        #: What of a call's keywords is for results, and stays in Python.
        self.results = {name for name in self.outputs if name not in self.inputs}
        if self.takes_out:
            self.results.add("out")
        # `lambda` is a fine name in a manifest, and none in a call.
        self.aliases: dict[str, str] = {}
        for name in names:
            if keyword.iskeyword(name):
                spoken = f"{name}_"
                while spoken in names or spoken in self.aliases:
                    spoken += "_"
                self.aliases[spoken] = name
        many = _results_class(tuple(self.outputs)) if len(self.outputs) > 1 else None
        self.many: Callable[..., Any] | None = many
        self.native = self._called(fixed)

    def _called(self, fixed: set[str | int]) -> _native.Kernel:
        """What reads its calls."""
        spoken = {name: alias for alias, name in self.aliases.items()}
        optional = [name for name in self.scalars if name not in self.positional]
        described = [
            (name, spoken.get(name, name), "array" if name in self.inputs else "scalar", dtype, name in self.positional)
            for name in [*self.positional, *optional]
            for dtype in [self.inputs.get(name) or self.scalars[name]]
        ]
        # Every dimension may be given; those that no input fixes have to be.
        may = [dim for dim in fixed if isinstance(dim, str) and dim not in self.dims]
        described += [
            (dim, spoken.get(dim, dim), "extent", "", dim in self.dims)
            for dim in [*self.dims, *may]
            if dim not in self.inputs and dim not in self.scalars
        ]
        return _native.Kernel(self.name, str(self.signature()), described, len(self.positional), self.outputs, self.many)

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
        progress = how.pop("progress", None)
        self._has_bar = progress is True
        if isinstance(how.get("grants"), str):
            how["grants"] = [how["grants"]]
        limits = {name: value for name, value in options.items() if name not in _HOW}
        host = component._host
        if host.is_remote:
            refused = [name for name in ("tenant", "stop_grace") if how.get(name) is not None]
            if refused:
                raise TypeError(f"`{refused[0]}` is the daemon's to say, and no option of what it launches")
        how.setdefault("tenant", host.tenant)
        self._plan = _native.Plan(kernel.name, limits, **how)
        self._native = self._launching(None if progress in (True, False) else progress)

    def _launching(self, on_progress: Callable[[int, int], object] | None) -> _native.Entry:
        component = self._component
        return _native.Entry(component._host, component._native, self._kernel.native, self._plan, self._on_log, on_progress)

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
        if self._has_bar or not self._kernel.results.isdisjoint(kwargs):
            return self._made(self.run(*args, **kwargs))
        return self._native.call(args, kwargs)

    def run(self, /, *args: Any, **kwargs: Any) -> Ended:
        """Launch it, and give how that ended: results and report. What goes wrong is no exception: :meth:`Ended.check` raises it."""
        targets = self._targets(kwargs)
        if self._has_bar:
            with _Bar(self.__name__) as bar:
                native = self._launching(bar).run(args, kwargs)
        else:
            native = self._native.run(args, kwargs)
        return self._put(Ended(native), targets)

    def start(self, /, *args: Any, **kwargs: Any) -> Launch:
        """Launch it on a thread of its own.

        Returns:
            A future of what a call returns. ``cancel`` asks the kernel to stop: one that polls for it has the stop grace to return
            what it has, and another is interrupted at once. It can be awaited.
        """
        targets = self._targets(kwargs)
        if not self._has_bar:
            launch = Launch(lambda ended: self._made(self._put(ended, targets)))
            return launch._begun(self._native.start(launch._done, args, kwargs))
        bar = _Bar(self.__name__)
        launch = Launch(lambda ended: self._made(self._put(ended, targets)))
        launch.add_done_callback(lambda _: bar.close())
        return launch._begun(self._launching(bar).start(launch._done, args, kwargs))

    def profile(
        self,
        sweep: Mapping[str, tuple[int, int] | Sequence[int]],
        *,
        dims: Mapping[str, int | str] | None = None,
        scalars: Mapping[str, bool | int | float] | None = None,
        fill: Mapping[str, str] | None = None,
        seed: int = 1,
        repeats: int = 3,
        search: int = 48,
        honest: int = 300,
    ) -> Profile:
        """Measure what it costs by the sizes of its arrays, which are made for it.

        Args:
            sweep: What goes through which sizes: a dimension, or a scalar that is a whole number. A pair is a range, of which about
                eight sizes are measured; a list is those sizes alone.
            dims: The extents of dimensions that are not swept: numbers, or functions of those that are (``"r+1"``).
            scalars: The scalars. One without a value and without a default is 1.
            fill: What arrays' elements are: between what (``"0..=1000"``), or how filled besides (``"ascending:0..=nnz"``).
            seed: The seed of what is random in the arrays.
            repeats: Launches of each size, of which the shortest is its time.
            search: Launches that look for arrays that cost more.
            honest: Launches of any size that no limit should stop.

        Returns:
            A :class:`hotcell.Profile`. What the entry's options say of limits and grants holds; it is metered as ``deterministic``,
            where fuel is exact, and runs on one thread.

        Raises:
            ValueError: What is given does not fit the entry.
            RuntimeError: No launch was done.
            TypeError: The entry is a daemon's, which measures for nobody.
        """
        from ._profile import taken

        how = {"dims": dims or {}, "scalars": scalars or {}, "fills": fill or {}}
        return taken(self, sweep, how, seed=seed, repeats=repeats, search=search, honest=honest)

    def _put(self, ended: Ended, targets: dict[str, Any]) -> Ended:
        """Puts results where the call wants them."""
        if ended.kind == "done":
            for name, target in targets.items():
                _arrays.check_shape(self._kernel.name, name, ended.results[name], target)
            for name, target in targets.items():
                np.copyto(target, ended.results[name])
                ended.results[name] = target
        return ended

    def _made(self, ended: Ended) -> Any:
        """What a call returns."""
        results = ended.check().results
        kernel = self._kernel
        if kernel.many is None:
            return results[kernel.outputs[0]] if kernel.outputs else None
        return kernel.many(*(results[name] for name in kernel.outputs))

    def _targets(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Takes out of a call's keywords where results go, by their names; what could not go there is refused before anything is
        launched."""
        kernel = self._kernel
        targets: dict[str, Any] = {}
        for key in kernel.results & kwargs.keys():
            given = kwargs.pop(key)
            targets.update(self._by_name(given) if key == "out" and kernel.takes_out else {key: given})
        targets = {name: target for name, target in targets.items() if target is not None}
        dtypes = {parameter.name: parameter.dtype for parameter in kernel.parameters}
        for name, target in targets.items():
            if name not in kernel.outputs:
                raise TypeError(f"`{kernel.name}` has no result `{name}`; it has: {', '.join(kernel.outputs)}")
            _arrays.check_target(kernel.name, name, dtypes[name], target)
        return targets

    def _by_name(self, out: Any) -> dict[str, Any]:
        """The targets that `out=` gives."""
        kernel = self._kernel
        if out is None:
            return {}
        if isinstance(out, dict):
            return out
        if isinstance(out, tuple):
            if len(out) != len(kernel.outputs):
                raise TypeError(f"`{kernel.name}` has {len(kernel.outputs)} results, and out= has {len(out)}")
            return dict(zip(kernel.outputs, out))
        if len(kernel.outputs) != 1:
            raise TypeError(f"`{kernel.name}` has several results: out= is a tuple or a dictionary of {', '.join(kernel.outputs)}")
        return {kernel.outputs[0]: out}

    def __repr__(self) -> str:
        return f"<hotcell.Entry {self.__qualname__}{self._kernel.signature()}>"

    def __copy__(self) -> Entry:
        return self

    def __deepcopy__(self, memo: Any) -> Entry:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled_entry, (self._component._native.bytes, self._kernel.name, self._options)


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


class _Bar:
    """A bar of tqdm's that shows a launch's progress."""

    def __init__(self, name: str) -> None:
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
        except ImportError as error:
            raise ImportError("progress=True needs the package tqdm: pip install hotcell[progress]") from error
        self._bar: Any = tqdm(desc=name)

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total or None
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
