"""Entries that go from process to process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .. import _native
from .._component import Component, Entry, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    Source = Entry | Component | str | os.PathLike[str] | bytes

#: Components that were loaded for engines, by process: one that was loaded before a fork is of no use after it.
_loaded: dict[tuple[int, bytes], Component] = {}


class Carried:
    """An entry as engines send it. Each process that it comes to loads it once, when it is first called there.

    Where it was made it is launched by the host that it was loaded with; elsewhere by the cell of the process.

    Args:
        source: An entry, a component, its bytes, or its path, which is read here.
        name: Which of the component's entries; needed where it has several.
        options: As of :meth:`hotcell.Entry.options`. ``threads`` is 1 unless something else is said.

    Raises:
        OSError: The file cannot be read.
        TypeError: The name is not that of the entry.
    """

    def __init__(self, source: Source, name: str | None = None, options: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._options = {"threads": 1, **(options or {})}
        self._entry: Entry | None = None
        self._process = os.getpid()
        if isinstance(source, Component):
            source = _of(source, name)
        if isinstance(source, Entry):
            if name not in (None, source.__name__):
                raise TypeError(f"the entry `{source.__name__}` was given, and the name `{name}`")
            self._options = {"threads": 1, **source._options, **(options or {})}
            self._entry = source.options(**self._options)
            self._name = source.__name__
            self._bytes = source.component._native.bytes
        elif isinstance(source, (bytes, bytearray, memoryview)):
            self._bytes = bytes(source)
        else:
            self._bytes = _native.Component.read(os.fspath(source)).bytes

    @property
    def entry(self) -> Entry:
        """The entry in this process."""
        process = os.getpid()
        if self._entry is None or self._process != process:
            key = process, self._bytes
            component = _loaded.get(key)
            if component is None:
                component = _loaded[key] = load(self._bytes)
            self._entry, self._process = _of(component, self._name).options(**self._options), process
        return self._entry

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self._bytes, self._name, self._options)


def _of(component: Component, name: str | None) -> Entry:
    if name is not None:
        return component[name]
    if len(component) != 1:
        raise TypeError(f"{component.name} has several entries: {', '.join(component)}; name one of them")
    return component[next(iter(component))]


def check_known(entry: Entry, given: Mapping[str, Any], *, allowed: set[str]) -> None:
    """Refuses names that are none of the entry's, before anything is sent.

    Raises:
        TypeError: A name is none of ``allowed``.
    """
    for name in given:
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise TypeError(f"`{entry.__name__}` has no argument `{name}` that is given by name here; there are: {known}")


def check_given(entry: Entry, scalars: Mapping[str, Any]) -> None:
    """Refuses scalars and extents of results that are unknown or missing.

    Raises:
        TypeError: One is.
    """
    kernel = entry._kernel
    check_known(entry, scalars, allowed={*kernel.scalars, *kernel.dims, *kernel.aliases})
    given = {kernel.aliases.get(name, name) for name in scalars}
    missing = [name for name in [*kernel.positional, *kernel.dims] if name in kernel.required - given - kernel.inputs.keys()]
    if missing:
        raise TypeError(f"{entry.__name__} needs {', '.join(f'`{name}`' for name in missing)}, by name")
