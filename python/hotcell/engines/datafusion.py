"""DataFusion: kernels as scalar functions of SQL and data frames.

    >>> context.register_udf(udf(saxpy, a=2.0))
    >>> context.sql("select saxpy(x, y) from points")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._carried import Carried
from ._columns import Columns, arrow_type

if TYPE_CHECKING:
    from .._component import Entry


def udf(entry: Entry, name: str | None = None, nulls: str = "refuse", **scalars: Any) -> Any:
    """Make a scalar function of a kernel of the shape ``(n),…->(n)``.

    DataFusion calls it with a batch of rows at a time, each of which is a launch, and may do so side by side. Rows must not depend
    on each other, as batches are cut where the engine likes.

    Args:
        entry: The kernel, with one result. ``threads`` is 1 unless its options say otherwise.
        name: What queries call it. Default: the kernel's name.
        nulls: ``"refuse"``, which ends the query, or ``"propagate"``: rows with a null are not shown to the kernel, and its result
            is null there.
        **scalars: The kernel's scalars. Its arrays are the function's arguments, in the order of the signature, of the Arrow types
            of their dtypes, to which DataFusion converts what it can.

    Returns:
        A ``datafusion.ScalarUDF``.

    Raises:
        TypeError: The kernel has another shape or several results, a dtype is none of Arrow's, a scalar is unknown or missing.
        ValueError: ``nulls`` is neither.

    A query fails with an exception of DataFusion's, which has the text of the :class:`hotcell.Error`.
    """
    import datafusion
    import pyarrow

    columns = Columns(entry, scalars, nulls)
    if len(columns.outputs) != 1:
        raise TypeError(f"{entry._kernel.text} has {len(columns.outputs)} results, and a scalar function has one")
    takes = [arrow_type(entry.__name__, *column) for column in columns.inputs]
    gives = arrow_type(entry.__name__, *columns.outputs[0])
    carried = Carried(entry)

    def call(*arrays: Any) -> Any:
        results, null = columns(arrays, carried.entry)
        return pyarrow.array(results[0], type=gives, mask=null)

    # Of equal arguments equal results, as far as a query goes: what kernels draw of chance is not for columns.
    return datafusion.udf(call, takes, gives, "stable", name or entry.__name__)
