"""From a JAX function, or a StableHLO module, to a loaded component."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import hotcell

from hotcell import _cell, _native
from hotcell._importing.compare import first_difference_of_all
from hotcell._importing.component import ImportedComponent
from hotcell._importing.finish import component_of
from hotcell.errors import ImportRefused
from hotcell._importing.target import object_of

from . import emit  # noqa: F401  (registers the operations)
from .export import Array, Exported, Names, exported, legal_name
from .fuse import simplify
from .module import Function, read
from .program import Program, function_text
from .split import check_split
from .types import BY_VALUE, Shape, TensorType, numpy_dtype

#: Recipes are followed by functions that call each other.
_RECURSION = 20_000
#: The name of an extent that is 0, which a signature cannot say as a number.
EMPTY = "empty"


class Imported(ImportedComponent):
    """A component that was imported.

    Attributes:
        inputs: The kernel's arguments in their order, each with its place among the leaves of the function's.
        outputs: Its results.
    """

    def __init__(self, native: Any, host: Any, inputs: Sequence[Array], outputs: Sequence[Array], out_tree: Any = None) -> None:
        super().__init__(native, host)
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.out_tree = out_tree


def kernel(
    fn: Callable[..., Any],
    *examples: Any,
    shapes: str | None = None,
    split: str | None = None,
    name: str | None = None,
    check: bool = True,
    tolerance: float | None = None,
    host: Any = None,
) -> Imported:
    """Import a JAX function as a kernel.

    Args:
        fn: A function of arrays, numbers and pytrees of them; it may be jitted. It is traced once.
        examples: Arguments like those that it is called with: their shapes and dtypes are the kernel's.
        shapes: A signature such as ``"(n,m),(m)->(n,m)"`` whose input side names the dimensions of the arrays among the arguments, so that
            one component serves all extents. Arguments of rank 0 are scalars and not in it. Default: the examples' shapes.
        split: A named dimension along which launches may be cut into chunks. It is refused unless it is the leading one of the arrays
            that have it and no operation mixes its elements.
        name: What the kernel and its component are called. Default: the function's name.
        check: Whether the component's results for the examples are compared with JAX's own.
        tolerance: The relative tolerance of that. Default: one for each dtype, 2e-4 for f32.
        host: Who launches it. Default: the process's own cell.

    Returns:
        The loaded component, with one entry. :meth:`Imported.save` writes it to a file.

    Raises:
        ImportRefused: Something is not supported, or a result differs.
    """
    made = exported(fn, examples, shapes=shapes)
    wanted = legal_name(name or str(getattr(fn, "__name__", "function")))
    component = compiled(made, wanted, (fn.__doc__ or "").strip(), split=split, host=host)
    if check:
        compare(component, fn, examples, tolerance)
    return component


def compiled(made: Exported, name: str, doc: str = "", *, split: str | None = None, host: Any = None) -> Imported:
    """An exported function as a loaded component."""
    function = read(made.module)
    for argument, array in zip(function.block.arguments, made.inputs, strict=True):
        argument.type = TensorType(argument.type.dtype, array.shape)
    component = component_bytes(function, made.inputs, made.outputs, made.dims, name, doc, split)
    native = _native.Component(component)
    return Imported(native, _cell.DEFAULT if host is None else host, made.inputs, made.outputs, made.out_tree)


def component_bytes(
    function: Function, inputs: Sequence[Array], outputs: Sequence[Array], dims: Sequence[str], name: str, doc: str = "", split: str | None = None
) -> bytes:
    """A function as a component."""
    if split is not None and split not in dims:
        raise ImportRefused(f"there is no named dimension {split} to cut along", advice="name it in shapes=")
    text = kernel_text(function, inputs, outputs, dims, name, split)
    parameters = [
        *({"name": one.name, "role": "scalar" if is_scalar(one) else "input", "dtype": one.dtype} for one in inputs),
        *({"name": one.name, "role": "output", "dtype": one.dtype} for one in outputs),
    ]
    record: dict[str, Any] = {
        "name": name,
        "doc": doc[:4000],
        "signature": f"{_side(one for one in inputs if not is_scalar(one))}->{_side(outputs)}",
        "parameters": parameters,
    }
    if split is not None:
        record["split"] = split
    return component_of(object_of(text, keep=[name]), [{"name": name, "version": "0.1.0"}, record])


def kernel_text(
    function: Function, inputs: Sequence[Array], outputs: Sequence[Array], dims: Sequence[str], name: str, split: str | None = None
) -> str:
    """The LLVM IR of a function.

    Raises:
        ImportRefused: Something is not supported, or launches cannot be cut along ``split``.
    """
    with _deep_recursion():
        simplify(function.block)
        empty = [EMPTY] if any(0 in one.shape for one in (*inputs, *outputs)) else []
        program = Program([*dims, *empty])
        parameters = [
            *((one.name, "scalar" if is_scalar(one) else "input", one.shape, one.dtype) for one in inputs),
            *((one.name, "output", one.shape, one.dtype) for one in outputs),
        ]
        text = function_text(program, function, name, parameters)
        if split is not None:
            check_split(function.block, program.shape_of, split)
        return text


def is_scalar(array: Array) -> bool:
    """Whether an argument goes by value."""
    return array.shape == () and array.dtype in BY_VALUE


def _side(arrays: Any) -> str:
    return ",".join("(" + ",".join(EMPTY if extent == 0 else str(extent) for extent in array.shape) + ")" for array in arrays)


@contextlib.contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def launch_arguments(component: Imported, leaves: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """What the entry is called with: arrays and scalars in their order, and extents that no array says."""
    given: list[Any] = []
    for one in component.inputs:
        leaf = leaves[one.position]
        array = np.asarray(leaf, dtype=numpy_dtype(one.dtype))
        given.append(array.item() if is_scalar(one) else array)
    extents = {}
    if any(0 in one.shape for one in component.outputs) and not any(0 in one.shape for one in component.inputs):
        extents[EMPTY] = 0
    return given, extents


def launched(component: Imported, leaves: Sequence[Any], **options: Any) -> list[np.ndarray[Any, Any]]:
    """The results for the leaves of a function's arguments, in order."""
    entry = next(iter(component.entries.values()))
    given, extents = launch_arguments(component, leaves)
    ended = (entry.options(**options) if options else entry).run(*given, **extents).check()
    return [np.asarray(ended.results[one.name]) for one in component.outputs]


def compare(component: Imported, fn: Callable[..., Any], examples: Sequence[Any], tolerance: float | None = None) -> None:
    """Compare what a component gives for examples with what JAX gives.

    Raises:
        ImportRefused: An element differs.
    """
    import jax

    want = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.jit(fn)(*examples))]
    leaves = jax.tree.leaves(examples)
    try:
        got = launched(component, leaves)
    except hotcell.LimitReached:
        got = launched(component, leaves, timeout=120, fuel="10T")
    difference = first_difference_of_all(got, want, names=[one.name for one in component.outputs], tolerance=tolerance)
    if difference is not None:
        raise ImportRefused(
            f"the component gives something else than jax for the examples: {difference}",
            advice="give examples that are well-conditioned, or tolerance=; else this is a fault of the importer",
        )


def import_mlir(module: str | bytes, *, name: str | None = None, host: Any = None) -> Imported:
    """Import a StableHLO module, whoever wrote it: text, bytecode or a portable artifact.

    Args:
        module: The module; its function ``main`` is the kernel.
        name: What the kernel is called. Default: ``main``.
        host: Who launches it. Default: the process's own cell.

    Raises:
        ImportRefused: Something is not supported.
    """
    component, inputs, outputs = mlir_component(module, name)
    return Imported(_native.Component(component), _cell.DEFAULT if host is None else host, inputs, outputs)


def mlir_component(module: str | bytes, name: str | None = None) -> tuple[bytes, list[Array], list[Array]]:
    """A StableHLO module as a component's bytes, with its arguments and results."""
    function = read(module)
    names = Names()

    def array(kind: TensorType, wanted: str, position: int) -> Array:
        shape: Shape = tuple(kind.shape)
        if None in shape:
            raise ImportRefused("the module's shapes are not numbers", advice="give it static shapes, or import the function with shapes=")
        return Array(names.fresh(wanted), shape, kind.dtype, position)

    inputs = [
        array(argument.type, given or f"arg{at}", at)
        for at, (argument, given) in enumerate(zip(function.block.arguments, function.argument_names, strict=True))
    ]
    results = function.block.results
    outputs = [array(value.type, "out" if len(results) == 1 else f"out{at}", at) for at, value in enumerate(results)]
    return component_bytes(function, inputs, outputs, [], legal_name(name or "main")), inputs, outputs
