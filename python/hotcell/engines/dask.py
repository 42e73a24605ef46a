"""Dask: kernels over arrays in blocks, as generalized functions of the kernel's own signature.

    >>> from hotcell.engines.dask import apply
    >>> apply(softmax, x)                       # x: (…, n, h, r, c); a launch for each (n, h, r, c)
    >>> apply(saxpy, x, y, along="n", a=2.0)    # x, y: (n); a launch for each chunk of n
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _arrays
from ._carried import Carried, check_given

if TYPE_CHECKING:
    from .._arrays import Array
    from .._component import Entry


def apply(entry: Entry, *arrays: Any, along: str | None = None, **scalars: Any) -> Any:
    """Apply a kernel to Dask arrays, lazily, by ``dask.array.apply_gufunc``.

    The last dimensions of each array are those of its parameter, each in one chunk. Those before them are looped over, in chunks as
    they are, and broadcast; each step of the loop is a launch, so that they should be few and large.

    Args:
        entry: The kernel. Workers load it with cells of their own; its options go along. ``threads`` is 1 unless it says otherwise.
        *arrays: An array for each array parameter, in the order of the signature: of Dask, or what it makes one of. Of the
            parameter's dtype, or one that fits into it without loss.
        along: A dimension that may be in several chunks, each of which is a launch: a statement that the kernel computes each of
            its indices from the same index of the arrays that have it. It is the first dimension of every array that has it, and
            of every result; arrays then have no dimensions to loop over.
        **scalars: The kernel's scalars, and the extents of results that no array fixes.

    Returns:
        A Dask array of shape (loop…, dimensions of the result) with a ``meta`` of the result's dtype; of several results a named
        tuple of them.

    Raises:
        TypeError: An argument is unknown or missing, or a dtype does not fit.
        ValueError: The arrays do not fit the signature, a dimension of it is in several chunks, or the kernel takes no arrays.
        hotcell.Error: When it is computed: a launch did not end well.
    """
    import dask.array as da

    kernel = entry._kernel
    check_given(entry, scalars)
    if not kernel.inputs:
        raise ValueError(f"{kernel.text} takes no arrays: there are no blocks to apply it to")
    if len(arrays) != len(kernel.inputs):
        raise TypeError(f"{kernel.text} takes {len(kernel.inputs)} arrays, and {len(arrays)} were given")
    arrays = tuple(da.asarray(array) for array in arrays)
    signature = kernel.gufunc.replace(" ", "")
    if along is not None:
        signature = _without(signature, along)
    for parameter, array in zip((p for p in entry.parameters if p.name in kernel.inputs), arrays):
        _check(kernel.name, parameter.name, parameter.dtype, parameter.dims, array, along)
    dtypes = {parameter.name: _arrays.dtype_of(parameter.dtype) for parameter in entry.parameters}
    metas = tuple(np.empty(0, dtypes[name]) for name in kernel.outputs)
    sizes = {dim: int(dim) for dim in re.findall(r"\b\d+\b", signature)}
    sizes.update({dim: int(scalars[dim]) for dim in kernel.dims})
    applied = da.apply_gufunc(
        Block(Carried(entry), scalars, along is not None),
        signature,
        *arrays,
        meta=metas if len(metas) > 1 else metas[0],
        output_sizes=sizes,
    )
    return applied if kernel.many is None else kernel.many(*applied)


class Block:
    """A kernel as Dask calls it: with a block of each array, some dimensions of which may be looped over."""

    def __init__(self, carried: Carried, scalars: dict[str, Any], is_along: bool) -> None:
        self._carried = carried
        self._scalars = scalars
        self._is_along = is_along
        # Dask names its tasks after it, up to the first dash.
        self.__name__ = carried.entry.__name__.replace("-", "_")

    def __call__(self, *blocks: Array) -> Any:
        entry = self._carried.entry
        kernel = entry._kernel
        arrays = [p for p in entry.parameters if p.name in kernel.inputs]
        loops = [() if self._is_along else block.shape[: block.ndim - len(p.dims)] for p, block in zip(arrays, blocks)]
        loop = np.broadcast_shapes(*loops)
        if not loop:
            return entry(**dict(zip(kernel.inputs, blocks)), **self._scalars)
        whole = [np.broadcast_to(b, loop + b.shape[len(own) :]) for b, own in zip(blocks, loops)]
        made: list[Array] = []
        for index in np.ndindex(loop):
            results = entry.run(**{p.name: b[index] for p, b in zip(arrays, whole)}, **self._scalars).check().results
            if not made:
                made = [np.empty(loop + results[name].shape, results[name].dtype) for name in kernel.outputs]
            for into, name in zip(made, kernel.outputs):
                into[index] = results[name]
        if not made:
            made = self._nothing(entry, loop, {dim: n for p, b in zip(arrays, whole) for dim, n in zip(p.dims, b.shape[len(loop) :])})
        return made[0] if kernel.many is None else tuple(made)

    def _nothing(self, entry: Entry, loop: tuple[int, ...], extents: dict[str | int, int]) -> list[Array]:
        extents = {**extents, **{dim: self._scalars[dim] for dim in entry._kernel.dims}}
        results = {p.name: p for p in entry.parameters if p.name in entry._kernel.outputs}
        return [
            np.empty(loop + tuple(dim if isinstance(dim, int) else extents[dim] for dim in p.dims), _arrays.dtype_of(p.dtype))
            for p in (results[name] for name in entry._kernel.outputs)
        ]

    def __reduce__(self) -> tuple[Any, ...]:
        return _block, (self._carried, self._scalars, self._is_along, self.__name__)


def _block(carried: Carried, scalars: dict[str, Any], is_along: bool, name: str) -> Block:
    # Whoever unpickles it need not be who runs it, such as Dask's scheduler: nothing is loaded here.
    block = Block.__new__(Block)
    block._carried, block._scalars, block._is_along, block.__name__ = carried, scalars, is_along, name
    return block


def _without(signature: str, along: str) -> str:
    """The signature without a dimension, which is the first wherever it is."""
    read, written = signature.split("->")
    sides = [re.findall(r"\(([^()]*)\)", side) for side in (read, written)]
    has = [[dims.split(",") for dims in side] for side in sides]
    is_first = all(along not in dims or (dims[0] == along and dims.count(along) == 1) for side in has for dims in side)
    if not is_first or not any(along in dims for dims in has[0]) or not all(along in dims for dims in has[1]):
        raise ValueError(f"along={along!r} of {signature}: it has to be the first dimension wherever it is, and of every result")
    left = [",".join(f"({','.join(dim for dim in dims if dim != along)})" for dims in side) for side in has]
    return "->".join(left)


def _check(entry: str, name: str, dtype: str, dims: tuple[str | int, ...], array: Any, along: str | None) -> None:
    wanted = _arrays.dtype_of(dtype)
    if array.dtype != wanted and (wanted.kind == "V" or not np.can_cast(array.dtype, wanted, "safe")):
        raise TypeError(f"`{name}` of `{entry}` is an array of {wanted}, and {array.dtype} was given; pass {name}.astype({str(wanted)!r})")
    if array.ndim < len(dims) or (along is not None and array.ndim > len(dims)):
        raise ValueError(f"`{name}` of `{entry}` has the dimensions ({', '.join(map(str, dims))}), and {array.ndim} were given")
    for dim, extent in zip(dims, array.shape[array.ndim - len(dims) :]):
        if isinstance(dim, int) and dim != extent:
            raise ValueError(f"`{name}` of `{entry}` has the dimensions ({', '.join(map(str, dims))}), and {array.shape} was given")
