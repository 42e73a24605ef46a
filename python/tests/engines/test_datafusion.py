"""Kernels as scalar functions of DataFusion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hotcell
from engine import ANY_WARNING, causes, example, loaded, needed

pytestmark = ANY_WARNING


@pytest.fixture(scope="module")
def saxpy() -> hotcell.Entry:
    return loaded("saxpy")


@pytest.fixture
def context() -> Any:
    """Two partitions of points, with nulls in the table ``holes``."""
    datafusion, pa = needed("datafusion"), needed("pyarrow")
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(2))
    x = np.arange(20_000, dtype="f4")
    batch = pa.record_batch({"x": pa.array(x), "y": pa.array(x + 1)})
    context.register_record_batches("points", [[batch[:9_000]], [batch[9_000:]]])
    holes = pa.record_batch({"x": pa.array([1, None, 3], pa.float32()), "y": pa.array([1, 1, None], pa.float32())})
    context.register_record_batches("holes", [[holes]])
    return context


def _rows(frame: Any, column: str = "r") -> list[Any]:
    return [value for batch in frame.collect() for value in batch.column(batch.schema.get_field_index(column)).to_pylist()]


def test_a_query_calls_the_kernel(context: Any, saxpy: hotcell.Entry) -> None:
    from hotcell.engines.datafusion import udf

    context.register_udf(udf(saxpy, a=2.0))
    rows = _rows(context.sql("select x, saxpy(x, y) as r from points order by x"))
    assert rows == [3.0 * x + 1 for x in range(20_000)]
    assert _rows(context.sql("select saxpy(x, 1) as r from points where x < 3 order by x")) == [1, 3, 5]
    assert _rows(context.sql("select saxpy(x, y) as r from points where x < 0")) == []


def test_a_data_frame_calls_it_by_another_name(context: Any, saxpy: hotcell.Entry) -> None:
    from datafusion import col, lit
    from hotcell.engines.datafusion import udf

    scaled = udf(saxpy, name="scaled", a=0.5)
    assert scaled.name == "scaled"
    two = context.table("points").filter(col("x") < lit(2.0))
    assert sorted(_rows(two.select(scaled(col("y"), col("y")).alias("r")))) == [1.5, 3.0]


def test_nulls_end_the_query_or_are_null(context: Any, saxpy: hotcell.Entry) -> None:
    from hotcell.engines.datafusion import udf

    context.register_udf(udf(saxpy, a=2.0))
    context.register_udf(udf(saxpy, "saxpy_or_null", nulls="propagate", a=2.0))
    with pytest.raises(Exception, match='`x` of `saxpy` has 1 nulls; .*propagate'):
        context.sql("select saxpy(x, y) as r from holes").collect()
    assert _rows(context.sql("select saxpy_or_null(x, y) as r from holes")) == [3, None, None]


def test_a_limit_ends_its_query_and_no_other(context: Any, saxpy: hotcell.Entry) -> None:
    from hotcell.engines.datafusion import udf

    context.register_udf(udf(saxpy, a=2.0))
    context.register_udf(udf(saxpy.options(fuel=10), "starved", a=2.0))
    with pytest.raises(Exception) as raised:
        context.sql("select starved(x, y) from points").collect()
    assert "limit fuel" in causes(raised.value) and "at most 10 allowed" in causes(raised.value)
    assert len(_rows(context.sql("select saxpy(x, y) as r from points"))) == 20_000


def test_kernels_of_other_shapes_are_refused() -> None:
    needed("datafusion")
    from hotcell.engines.datafusion import udf

    for name in ("softmax", "mandelbrot"):
        with pytest.raises(TypeError, match="not of the shape"):
            udf(loaded(name))
    with pytest.raises(TypeError, match="needs `a`"):
        udf(loaded("saxpy"))


def test_the_guides_example() -> None:
    needed("datafusion")
    names = example("datafusion")
    assert _rows(names["scaled"], "z") == [2.0 * x + 1 for x in range(8)]
    assert len(_rows(names["context"].sql("select saxpy_or_null(x, null) as r from points"))) == 8
