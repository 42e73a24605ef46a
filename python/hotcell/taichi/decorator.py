"""`hotcell.taichi.kernel` in place of `ti.kernel`: calls run in the cell, and change their arrays in place as Taichi's do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from hotcell.errors import ImportRefused
from .build import Built, Call, build
from .check import seeds_of
from .compile import instance_of, taichi_runtime, untaped
from .driver import Parameter
from .fields import Layout
from .refusals import refused

if TYPE_CHECKING:
    from .._component import Entry

__all__ = ["CALLS_APART", "CelledKernel", "array_of", "content", "put"]

#: How random numbers go on from call to call: those of the next are others.
CALLS_APART = 0x9E3779B9


class CelledKernel:
    """A Taichi kernel whose calls run in the cell.

    It is compiled at the first call, and again for arrays of another dtype or number of dimensions, and for other templates, as Taichi
    does. Arrays are NumPy's or ``ti.ndarray``; what the kernel writes, it writes into them. Fields are read and written in Taichi's memory.

    Attributes:
        options: What launches are made with, as for :meth:`hotcell.Entry.options`.
    """

    def __init__(self, function: Callable[..., Any], *, check: bool = False, **options: Any) -> None:
        import taichi as ti

        self._own = ti.kernel(function)
        if self._own._is_classkernel:
            advice = "decorate it with @ti.kernel, and import it: hotcell.taichi.kernel(object.method)"
            raise ImportRefused(f"{function.__qualname__} is a method", advice=advice)
        self.options = options
        self._check = check
        self._entries: dict[Any, tuple[Built, Entry]] = {}
        self._seed = 0
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, as Taichi would.

        Raises:
            hotcell.ImportRefused: It uses what is not supported.
            hotcell.Error: The launch did not end well; arrays are then as they were.
        """
        with untaped():
            return self._called(args, kwargs)

    def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from taichi.lang.kernel_impl import _process_args

        kernel = self._own._primal
        arguments = _process_args(kernel, args, kwargs) if kwargs else args
        if len(arguments) != len(kernel.arguments):
            raise TypeError(f"{kernel.func.__name__}() takes {len(kernel.arguments)} arguments, and {len(arguments)} were given")
        built, entry = self._entry(kernel, arguments)
        inputs: dict[str, Any] = {}
        targets: dict[str, Any] = {}
        for argument, source in built.bound[0]:
            assert isinstance(source, Parameter)
            value = _part(kernel, arguments, argument.path)
            if argument.is_scalar:
                inputs[source.name] = value
                continue
            inputs[source.name] = array_of(value)
            if source.role == "inout":
                targets[source.name] = value
        for name, layout in built.fields.items():
            inputs[name] = content(layout)
            if _role(built, name) == "inout":
                targets[name] = layout
        if built.is_random:
            self._seed = (self._seed + CALLS_APART) % (1 << 32)
            inputs |= seeds_of((self._seed, 362436069, 521288629, 88675123))
        ended = entry.run(**inputs)
        ended.check()
        for name, target in targets.items():
            put(ended.results[name], target)
        return _returned(kernel, built, ended.results)

    def _entry(self, kernel: Any, arguments: tuple[Any, ...]) -> tuple[Built, Entry]:
        instance_id, _ = kernel.mapper.lookup(arguments)
        # A program of Taichi's that was begun anew has other fields.
        key = (id(taichi_runtime().prog), instance_id)
        if key not in self._entries:
            from . import api

            call = Call(instance_of(kernel, None, arguments), {})
            built = build([call], kernel.func.__name__, None, None, api._doc([call]))
            component = api._loaded(api.assembled(built))
            if self._check:
                from .check import checked

                names = [argument.name for argument in kernel.arguments]
                checked(built, built.calls, component[built.name], dict(zip(names, arguments, strict=True)), None)
            entry = component[built.name]
            self._entries[key] = built, entry.options(**self.options) if self.options else entry
        return self._entries[key]


def _role(built: Built, name: str) -> str:
    return next(parameter.role for parameter in built.parameters if parameter.name == name)


def _part(kernel: Any, arguments: tuple[Any, ...], path: tuple[int, ...]) -> Any:
    """The part of an argument that a parameter is."""
    from taichi.types.annotations import template

    runtime = [value for declared, value in zip(kernel.arguments, arguments, strict=True) if not isinstance(declared.annotation, template)]
    value = runtime[path[0]]
    for index in path[1:]:
        value = value[list(value.keys)[index]]
    return value


def array_of(value: Any) -> Any:
    """NumPy's array of what Taichi takes as one: its own, NumPy's, or another library's."""
    if isinstance(value, np.ndarray):
        return value
    return value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)


def content(layout: Layout) -> Any:
    """What a field has."""
    return layout.field.to_numpy().reshape(layout.shape)


def put(result: Any, target: Any) -> None:
    """Write a result where the author's kernel would: into an array, or into the field of a layout."""
    if hasattr(target, "field"):
        target.field.from_numpy(np.asarray(result).reshape(target.field.to_numpy().shape))
    elif hasattr(target, "from_numpy"):
        target.from_numpy(np.asarray(result))
    elif isinstance(target, np.ndarray):
        np.copyto(target, result)
    else:
        np.copyto(np.asarray(target), result)


def _returned(kernel: Any, built: Built, results: Any) -> Any:
    """What Taichi's call would return."""
    declared = kernel.return_type
    if not declared:
        return None
    values = iter([np.asarray(results[parameter.name]) for _, parameter in built.results[0]])
    returned = [_rebuilt(kernel, dtype, values) for dtype in declared]
    return returned[0] if len(returned) == 1 else returned


def _rebuilt(kernel: Any, dtype: Any, values: Any) -> Any:
    from taichi.lang.matrix import MatrixType
    from taichi.lang.struct import StructType

    if isinstance(dtype, StructType):
        return dtype(**{name: _rebuilt(kernel, inner, values) for name, inner in dtype.members.items()})
    value = next(values)
    if isinstance(dtype, MatrixType):
        return dtype(*value.reshape(-1).tolist())
    if value.ndim:
        raise refused("it returns what Taichi does not", kernel)
    return value.item()
