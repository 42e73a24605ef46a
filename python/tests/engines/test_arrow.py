"""Columns of Arrow and pandas."""

from __future__ import annotations

import numpy as np
import pytest

import hotcell
from engine import ANY_WARNING, example, loaded, needed

pytestmark = ANY_WARNING
X = np.arange(6, dtype="f4")


@pytest.fixture(scope="module")
def saxpy() -> hotcell.Entry:
    needed("pyarrow"), needed("pandas")
    return loaded("saxpy")


def test_arrays_of_arrow(saxpy: hotcell.Entry) -> None:
    pa = needed("pyarrow")
    from hotcell.engines.arrow import map_arrays

    x = pa.array(X)
    made = map_arrays(saxpy, x, pa.chunked_array([x[:2], x[2:]]), a=2.0)
    assert isinstance(made, pa.Array) and made.type == pa.float32() and made.to_pylist() == [0, 3, 6, 9, 12, 15]
    assert map_arrays(saxpy, x[1:3], pa.array([1, 2], pa.int16()), a=2.0).to_pylist() == [3, 6]
    assert map_arrays(saxpy, x[:0], x[:0], a=2.0).to_pylist() == []
    assert map_arrays(saxpy, pa.chunked_array([], pa.float32()), x[:0], a=2.0).to_pylist() == []


def test_nulls_are_refused_or_propagated(saxpy: hotcell.Entry) -> None:
    pa = needed("pyarrow")
    from hotcell.engines.arrow import map_arrays

    x, y = pa.array([1, None, 3, 4], pa.float32()), pa.array([1, 1, None, 1], pa.float32())
    with pytest.raises(hotcell.UsageError, match='`x` of `saxpy` has 1 nulls; .*nulls="propagate"'):
        map_arrays(saxpy, x, y, a=2.0)
    assert map_arrays(saxpy, x, y, a=2.0, nulls="propagate").to_pylist() == [3, None, None, 9]
    assert map_arrays(saxpy, x, np.ones(4, "f4"), a=2.0, nulls="propagate").to_pylist() == [3, None, 7, 9]
    nothing = pa.nulls(2, pa.float32())
    assert map_arrays(saxpy, nothing, nothing, a=2.0, nulls="propagate").to_pylist() == [None, None]
    with pytest.raises(ValueError, match="refuse"):
        map_arrays(saxpy, x, y, a=2.0, nulls="drop")


def test_series_keep_their_index(saxpy: hotcell.Entry) -> None:
    pd, pa = needed("pandas"), needed("pyarrow")
    from hotcell.engines.arrow import map_arrays

    frame = pd.DataFrame({"x": X, "y": X}, index=list("abcdef"))
    made = map_arrays(saxpy, frame["x"], frame["y"], a=2.0)
    assert isinstance(made, pd.Series) and made.dtype == np.dtype("f4") and made["f"] == 15 and made.name == "out"
    arrow = pd.Series([1, None, 3], dtype=pd.ArrowDtype(pa.float32()))
    made = map_arrays(saxpy, arrow, pd.Series([1, 1, None], dtype="Float32"), a=2.0, nulls="propagate")
    assert made.dtype == pd.ArrowDtype(pa.float32()) and list(made.isna()) == [False, True, True] and made[0] == 3
    with pytest.raises(hotcell.UsageError, match="one index"):
        map_arrays(saxpy, frame["x"], frame["y"].iloc[::-1], a=2.0)


def test_what_does_not_fit_is_said(saxpy: hotcell.Entry) -> None:
    from hotcell.engines.arrow import map_arrays

    with pytest.raises(TypeError, match="needs `a`"):
        map_arrays(saxpy, X, X)
    with pytest.raises(TypeError, match="has no argument `b`"):
        map_arrays(saxpy, X, X, a=1.0, b=2.0)
    with pytest.raises(TypeError, match="takes 2 columns"):
        map_arrays(saxpy, X, a=1.0)
    with pytest.raises(hotcell.UsageError, match="one length"):
        map_arrays(saxpy, X, X[:2], a=1.0)
    with pytest.raises(TypeError, match="float64 was given"):
        map_arrays(saxpy, X.astype("f8"), X, a=1.0)
    with pytest.raises(TypeError, match="not of the shape"):
        map_arrays(loaded("softmax"), X)
    with pytest.raises(TypeError, match="not of the shape"):
        map_arrays(loaded("mandelbrot"), h=2, w=2)
    with pytest.raises(hotcell.OutOfFuel, match="limit fuel"):
        map_arrays(saxpy.options(fuel=10), X, X, a=1.0)


def test_the_guides_example() -> None:
    pa, pd = needed("pyarrow"), needed("pandas")
    names = example("arrow", frame=pd.DataFrame({"x": X, "y": X}))
    assert isinstance(names["array"], pa.Array) and list(names["series"]) == [3 * x for x in X]
