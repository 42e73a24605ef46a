"""Arrow and pandas: kernels over columns in this process.

    >>> map_arrays(saxpy, pa.array(x), pa.array(y), a=2.0)      # a pyarrow.Array
    >>> map_arrays(saxpy, frame["x"], frame["y"], a=2.0)        # a pandas.Series
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ._columns import Columns, arrow_type

if TYPE_CHECKING:
    from .._component import Entry


def map_arrays(entry: Entry, *arrays: Any, nulls: str = "refuse", **scalars: Any) -> Any:
    """Call a kernel of the shape ``(n),…->(n)`` with columns, in one launch.

    Args:
        entry: The kernel.
        *arrays: A column of length n for each array parameter: ``pyarrow.Array``, ``pyarrow.ChunkedArray``, whose chunks are
            joined, ``pandas.Series``, or NumPy's. Of the parameter's dtype, or one that fits into it without loss.
        nulls: ``"refuse"``, or ``"propagate"``: rows with a null are not shown to the kernel, and null in its results. ``NaN`` in
            NumPy's arrays, and in series over them, is a number.
        **scalars: The kernel's scalars.

    Returns:
        A ``pandas.Series`` if one was given, with its index and the result's name, over Arrow's memory if one of those given was
        not over NumPy's; else a ``pyarrow.Array``. Several results are a named tuple.

    Raises:
        hotcell.Error: The launch did not end well; the text says which limit it was.
        hotcell.UsageError: There are nulls, and they are refused; lengths or indices differ.
        TypeError: A column or the kernel is of another shape or dtype.
    """
    import pyarrow

    pandas = sys.modules.get("pandas")
    series = [array for array in arrays if pandas is not None and isinstance(array, pandas.Series)]
    for other in series[1:]:
        if not other.index.equals(series[0].index):
            raise UsageError(f"`{entry.__name__}` takes series of one index; align them first")
    columns = Columns(entry, scalars, nulls)
    arrow = [arrow_type(entry.__name__, name, dtype) for name, dtype in columns.outputs]
    results, null = columns([_column(array) for array in arrays])
    if not series:
        made = [pyarrow.array(result, type=kind, mask=null) for result, kind in zip(results, arrow)]
    else:
        assert pandas is not None
        is_numpy = null is None and all(isinstance(one.dtype, np.dtype) for one in series)
        made = [
            pandas.Series(
                result if is_numpy else pandas.arrays.ArrowExtensionArray(pyarrow.array(result, type=kind, mask=null)),
                index=series[0].index,
                name=name,
                copy=False,
            )
            for result, kind, (name, _) in zip(results, arrow, columns.outputs)
        ]
    many = entry._kernel.many
    return made[0] if many is None else many(*made)


def _column(array: Any) -> Any:
    """A column in one chunk: of NumPy where it is over its memory, else of pyarrow."""
    import pyarrow

    if isinstance(array, (np.ndarray, pyarrow.Array)):
        return array
    if isinstance(getattr(array, "dtype", None), np.dtype) and hasattr(array, "to_numpy"):
        return array.to_numpy()
    joined = array if isinstance(array, pyarrow.ChunkedArray) else pyarrow.array(array)
    if isinstance(joined, pyarrow.ChunkedArray):
        joined = joined.combine_chunks()
    return pyarrow.concat_arrays(joined.chunks) if isinstance(joined, pyarrow.ChunkedArray) else joined
