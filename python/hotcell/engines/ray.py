"""Ray Data: kernels over batches of columns.

    >>> ds.map_batches(MapBatches, fn_constructor_args=["saxpy.wasm"], fn_constructor_kwargs={"scalars": {"a": 2.0}},
    ...                batch_format="numpy", compute=ray.data.ActorPoolStrategy(size=2))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ._carried import Carried

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._arrays import Array
    from ._carried import Source


class MapBatches:
    """A callable class for ``ray.data.Dataset.map_batches`` with ``batch_format="numpy"``: each batch is one launch.

    Give the class and its arguments, as ``fn_constructor_args`` and ``fn_constructor_kwargs``, for actors, or an object of it. Each
    worker process has one cell, which is made with its first batch. Batches are only read: ``zero_copy_batch=True`` is welcome.

    A batch is cut where Ray cuts it (``batch_size``), so rows must not depend on each other for results that do not depend on that.

    Args:
        kernel: A component's bytes, its path, the component or one of its entries.
        inputs: The column of each array parameter, by the parameter's name; those that are not named are columns of the same name.
            A column is an array of shape (rows, …), of the parameter's dtype or one that fits into it without loss.
        scalars: What is the same for every batch: scalars, extents of results, and arrays that are no columns.
        outputs: The column of each result, by the result's name; those that are not named are columns of the same name.
        options: As of :meth:`hotcell.Entry.options`. ``threads`` is 1 unless something else is said.
        entry: Which entry; needed where the component has several.
        keep: Whether the batch's other columns are kept beside the results. Default ``True``.

    Raises:
        OSError: The path cannot be read.
    """

    def __init__(
        self,
        kernel: Source,
        inputs: Mapping[str, str] | None = None,
        scalars: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        entry: str | None = None,
        keep: bool = True,
    ) -> None:
        self._carried = Carried(kernel, entry, options)
        self._inputs = dict(inputs or {})
        self._scalars = dict(scalars or {})
        self._outputs = dict(outputs or {})
        self._keep = keep
        self.__name__ = f"MapBatches({entry})" if entry else "MapBatches"

    def __call__(self, batch: dict[str, Array]) -> dict[str, Array]:
        """Launch the kernel on a batch.

        Args:
            batch: Columns by their names, of shape (rows, …). They may be read-only, and are not written to.

        Returns:
            The results' columns, after those of the batch if they are kept.

        Raises:
            hotcell.Error: The launch did not end well; the text says which limit it was.
            hotcell.UsageError: A column is missing, or a result has not as many rows as the columns that are kept.
            TypeError: A name is none of the kernel's, or a column is not of the parameter's dtype.
        """
        entry = self._carried.entry
        kernel = entry._kernel
        for name in self._outputs:
            if name not in kernel.outputs:
                raise TypeError(f"`{kernel.name}` has no result `{name}`; it has: {', '.join(kernel.outputs)}")
        columns = {name: self._inputs.get(name, name) for name in {**kernel.inputs, **self._inputs} if name not in self._scalars}
        missing = [column for column in columns.values() if column not in batch]
        if missing:
            raise UsageError(f"`{kernel.name}` reads the column `{missing[0]}`, and the batch has: {', '.join(batch)}")
        arrays = {name: batch[column] for name, column in columns.items()}
        results = entry.run(**arrays, **self._scalars).check().results
        made = {self._outputs.get(name, name): results[name] for name in kernel.outputs}
        if not self._keep:
            return made
        rows = len(next(iter(batch.values()))) if batch else None
        for column, array in made.items():
            if rows is not None and array.shape[:1] != (rows,):
                raise UsageError(f"the result `{column}` is {list(array.shape)}, and the batch has {rows} rows; pass keep=False")
        return {**batch, **made}
