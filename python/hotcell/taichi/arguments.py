"""A kernel's arguments and results: what a call gives, and where Taichi's code looks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .kinds import Kind, kind_of
from .refusals import refused

__all__ = ["Argument", "Result", "arguments_of", "injected", "results_of", "template_names", "type_text"]


class Argument(NamedTuple):
    """A part of an argument: a scalar, an array, or the components of a vector or matrix."""

    #: Its name for callers.
    name: str
    #: Where it lies in the structure of arguments.
    path: tuple[int, ...]
    kind: Kind
    #: How many extents a caller's array has that Taichi's code is told of; ``None`` where it is no array of Taichi's.
    ndim: int | None
    #: The fixed extents: an element's, or all of a vector or matrix; ``None`` for a scalar.
    element: tuple[int, ...] | None

    @property
    def is_scalar(self) -> bool:
        return self.ndim is None and self.element is None


class Result(NamedTuple):
    """A part of what a kernel returns."""

    name: str
    path: tuple[int, ...]
    kind: Kind
    shape: tuple[int, ...]


def template_names(kernel: Any) -> list[str]:
    """The names of the arguments that are fixed when a kernel is compiled, but for ``self``."""
    from taichi.types.annotations import template

    named = [argument.name for argument in kernel.arguments if isinstance(argument.annotation, template)]
    return named[1:] if kernel.classkernel and named else named


def injected(kernel: Any, owner: Any, given: Mapping[str, Any]) -> list[Any]:
    """Arguments to compile a kernel for, without the owner: those that are given, and for others anything of their annotation.

    Args:
        kernel: Taichi's own ``Kernel``.
        owner: The object whose method it is; ``None`` for a function.
        given: Values by the arguments' names.
    """
    arguments = kernel.arguments[1:] if owner is not None else kernel.arguments
    unknown = sorted(given.keys() - {argument.name for argument in arguments})
    if unknown:
        names = ", ".join(argument.name for argument in arguments)
        raise refused(f"it has no argument `{unknown[0]}`; it has: {names}", kernel)
    return [given[argument.name] if argument.name in given else _anything(kernel, argument) for argument in arguments]


def _anything(kernel: Any, argument: Any) -> Any:
    from taichi.lang._ndarray import ScalarNdarray
    from taichi.lang.matrix import (
        Matrix,
        MatrixNdarray,
        MatrixType,
        VectorNdarray,
        VectorType,
    )
    from taichi.lang.struct import StructType
    from taichi.types.annotations import template
    from taichi.types.ndarray_type import NdarrayType

    annotation, name = argument.annotation, argument.name
    if isinstance(annotation, template):
        raise refused(f"`{name}` is a template", kernel, advice=f"say what it is: arguments={{{name!r}: …}}, or fields= for a field")
    if isinstance(annotation, NdarrayType):
        dtype, ndim = annotation.dtype, annotation.ndim
        if dtype is None or ndim is None or (isinstance(dtype, MatrixType) and dtype.dtype is None):
            advice = f"write ti.types.ndarray(dtype=…, ndim=…), or give an example: arguments={{{name!r}: …}}"
            raise refused(f"the annotation of `{name}` does not say its dtype and its dimensions", kernel, advice=advice)
        shape = (2,) * ndim
        if isinstance(dtype, VectorType):
            return VectorNdarray(dtype.n, dtype=dtype.dtype, shape=shape)
        if isinstance(dtype, MatrixType):
            return MatrixNdarray(dtype.n, dtype.m, dtype=dtype.dtype, shape=shape)
        return ScalarNdarray(dtype, shape)
    if isinstance(annotation, MatrixType):
        return Matrix([0] * (annotation.n * annotation.m), dt=annotation.dtype)
    if isinstance(annotation, StructType):
        return annotation()
    return 0


def arguments_of(kernel: Any, values: Sequence[Any]) -> list[Argument]:
    """The parts of a kernel's arguments, in their order.

    Args:
        kernel: Taichi's own ``Kernel``.
        values: What it was compiled for, with ``self`` where it is a method.
    """
    from taichi.types.annotations import template

    runtime = [
        (argument, value)
        for argument, value in zip(kernel.arguments, values, strict=True)
        if not isinstance(argument.annotation, template)
    ]
    found: list[Argument] = []
    for index, (argument, value) in enumerate(runtime):
        found += _parts(kernel, argument.name, argument.annotation, value, (index,))
    return found


def _parts(kernel: Any, name: str, annotation: Any, value: Any, path: tuple[int, ...]) -> Iterator[Argument]:
    from taichi.lang.matrix import MatrixType
    from taichi.lang.struct import StructType
    from taichi.types.ndarray_type import NdarrayType

    if isinstance(annotation, NdarrayType):
        yield _array(kernel, name, annotation, value, path)
    elif isinstance(annotation, MatrixType):
        yield Argument(name, path, _kind(kernel, name, annotation.dtype), None, _matrix_shape(annotation))
    elif isinstance(annotation, StructType):
        for index, (member, inner) in enumerate(annotation.members.items()):
            yield from _parts(kernel, f"{name}_{member}", inner, None, (*path, index))
    elif type(annotation).__name__ in ("ArgPackType", "TextureType", "RWTextureType", "sparse_matrix_builder"):
        kind = type(annotation).__name__.removesuffix("Type").lower().replace("_", " ")
        raise refused(f"`{name}` is a {kind}", kernel, operation=kind, advice="take an array instead")
    else:
        yield Argument(name, path, _kind(kernel, name, annotation), None, None)


def _array(kernel: Any, name: str, annotation: Any, value: Any, path: tuple[int, ...]) -> Argument:
    from taichi.lang._ndarray import Ndarray
    from taichi.lang.matrix import MatrixType

    dtype = annotation.dtype
    element = _matrix_shape(dtype) if isinstance(dtype, MatrixType) else ()
    if isinstance(value, Ndarray):
        element = tuple(value.element_shape)
        return Argument(name, path, _kind(kernel, name, value.dtype), len(value.shape), element)
    if not isinstance(value, np.ndarray):
        numpy = getattr(value, "numpy", None)
        value = np.asarray(numpy() if numpy is not None else value)
    kind = _kind(kernel, name, _taichi_dtype(value.dtype))
    return Argument(name, path, kind, value.ndim - len(element), element)


def _taichi_dtype(dtype: np.dtype[Any]) -> Any:
    from taichi.lang.util import to_taichi_type

    return to_taichi_type(dtype)


def _matrix_shape(annotation: Any) -> tuple[int, ...]:
    return (int(annotation.n),) if annotation.ndim == 1 else (int(annotation.n), int(annotation.m))


def _kind(kernel: Any, name: str, dtype: Any) -> Kind:
    kind = kind_of(dtype)
    if kind is None:
        raise refused(f"`{name}` has a type without a place in arrays", kernel, dtype=str(dtype))
    return kind


def results_of(kernel: Any) -> list[Result]:
    """The parts of what a kernel returns, in their order."""
    returned = kernel.return_type or ()
    if not isinstance(returned, list | tuple):
        returned = (returned,)
    names = ["result"] if len(returned) == 1 else [f"result_{index}" for index in range(len(returned))]
    found: list[Result] = []
    for index, (name, dtype) in enumerate(zip(names, returned, strict=True)):
        found += _result_parts(kernel, name, dtype, (index,))
    return found


def _result_parts(kernel: Any, name: str, dtype: Any, path: tuple[int, ...]) -> Iterator[Result]:
    from taichi.lang.matrix import MatrixType
    from taichi.lang.struct import StructType

    if isinstance(dtype, MatrixType):
        yield Result(name, path, _kind(kernel, name, dtype.dtype), _matrix_shape(dtype))
    elif isinstance(dtype, StructType):
        for index, (member, inner) in enumerate(dtype.members.items()):
            yield from _result_parts(kernel, f"{name}_{member}", inner, (*path, index))
    else:
        yield Result(name, path, _kind(kernel, name, dtype), ())


def type_text(results: Sequence[Result]) -> str:
    """The LLVM type of the structure that a kernel returns."""
    return _structure([(result.path, _leaf(result)) for result in results])


def _leaf(result: Result) -> str:
    count = 1
    for extent in result.shape:
        count *= extent
    return f"[{count} x {result.kind.llvm}]" if result.shape else result.kind.llvm


def _structure(leaves: list[tuple[tuple[int, ...], str]]) -> str:
    members: list[str] = []
    for index in sorted({path[0] for path, _ in leaves}):
        below = [(path[1:], leaf) for path, leaf in leaves if path[0] == index]
        members.append(below[0][1] if not below[0][0] else _structure(below))
    return f"{{ {', '.join(members)} }}"
