"""Kernels over columns: arrays of one dimension, with nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _arrays
from ..errors import UsageError
from ._carried import check_given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._arrays import Array
    from .._component import Entry

#: Arrow's types by the dtypes of manifests. `bf16` and the complex ones are none of Arrow's.
_TYPES = {
    "bool": "bool_", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u8": "uint8", "u16": "uint16", "u32": "uint32",
    "u64": "uint64", "f16": "float16", "f32": "float32", "f64": "float64",
}  # fmt: skip


class Columns:
    """A kernel of the shape ``(n),…->(n)``, and what becomes of nulls.

    Args:
        entry: The kernel: every array and every result of it has the same one dimension.
        scalars: Its scalars.
        nulls: ``"refuse"``, or ``"propagate"``: rows with a null are not shown to the kernel, and null in its results.

    Raises:
        TypeError: The kernel has another shape, a scalar is unknown or missing.
        ValueError: ``nulls`` is neither.
    """

    def __init__(self, entry: Entry, scalars: Mapping[str, Any], nulls: str) -> None:
        if nulls not in ("refuse", "propagate"):
            raise ValueError(f'nulls is "refuse" or "propagate", not {nulls!r}')
        arrays = [p for p in entry.parameters if p.role != "scalar"]
        if not entry._kernel.inputs or len({p.dims for p in arrays}) != 1 or len(arrays[0].dims) != 1:
            raise TypeError(f"{entry._kernel.text} is not of the shape (n),...->(n), as kernels over columns are")
        check_given(entry, scalars)
        self.entry = entry
        self.inputs = [(p.name, p.dtype) for p in arrays if p.name in entry._kernel.inputs]
        self.outputs = [(p.name, p.dtype) for p in arrays if p.name in entry._kernel.outputs]
        self._scalars = dict(scalars)
        self._propagates = nulls == "propagate"

    def __call__(self, columns: Sequence[Any], entry: Entry | None = None) -> tuple[list[Array], Array | None]:
        """Launch it.

        Args:
            columns: A column for each array parameter, of shape (n): of NumPy, or of pyarrow in one chunk.
            entry: The entry in this process, where that is another.

        Returns:
            The results, and which rows are null; ``None`` if none is.

        Raises:
            hotcell.Error: The launch did not end well.
            hotcell.UsageError: There are nulls, and they are refused; columns of different lengths.
            TypeError: A column is not of the parameter's dtype.
        """
        if len(columns) != len(self.inputs):
            raise TypeError(f"{self.entry._kernel.text} takes {len(self.inputs)} columns, and {len(columns)} were given")
        rows = {len(column) for column in columns}
        if len(rows) > 1:
            raise UsageError(f"`{self.entry.__name__}` takes columns of one length, and was given {sorted(rows)}")
        null = self._nulls(columns)
        shown = columns if null is None else [_rows(column, ~null) for column in columns]
        names = [name for name, _ in self.inputs]
        results: Mapping[str, Array] = {}
        # Without a row there is nothing to ask the kernel.
        if len(shown[0]):
            results = (entry or self.entry).run(**dict(zip(names, shown)), **self._scalars).check().results
        return [self._spread(results.get(name), dtype, null) for name, dtype in self.outputs], null

    def _nulls(self, columns: Sequence[Any]) -> Array | None:
        null: Array | None = None
        for (name, _), column in zip(self.inputs, columns):
            count = getattr(column, "null_count", 0)
            if not count:
                continue
            if not self._propagates:
                raise UsageError(
                    f"`{name}` of `{self.entry.__name__}` has {count} nulls; fill them, drop them, or pass nulls=\"propagate\""
                )
            is_null = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
            null = is_null if null is None else null | is_null
        return null

    def _spread(self, result: Array | None, dtype: str, null: Array | None) -> Array:
        if null is None:
            return np.empty(0, _arrays.dtype_of(dtype)) if result is None else result
        spread = np.zeros(len(null), _arrays.dtype_of(dtype))
        if result is not None:
            spread[~null] = result
        return spread


def _rows(column: Any, keep: Array) -> Any:
    if isinstance(column, np.ndarray):
        return column[keep]
    import pyarrow

    return column.filter(pyarrow.array(keep))


def arrow_type(entry: str, name: str, dtype: str) -> Any:
    """Arrow's type of a parameter.

    Raises:
        TypeError: Arrow has none.
    """
    import pyarrow

    if dtype not in _TYPES:
        raise TypeError(f"`{name}` of `{entry}` is {dtype}, for which Arrow has no type")
    return getattr(pyarrow, _TYPES[dtype])()
