"""`hotcell.taichi.kernel` in place of `ti.kernel`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from test_import_taichi import ti  # noqa: F401

#: Taichi warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def celled(ti: Any) -> Any:  # noqa: F811
    import taichi_celled_kernels

    return taichi_celled_kernels


def test_arrays_change_in_place(celled: Any) -> None:
    x, y = np.arange(4, dtype="f4"), np.ones(4, "f4")
    celled.pushed(2.0, x, y)
    celled.pushed(a=1.0, x=x, y=y)
    assert list(y) == [1, 4, 7, 10] and celled.pushed.__doc__ == "Adds." and celled.pushed.__name__ == "pushed"


def test_taichis_arrays_and_vectors(celled: Any, ti: Any) -> None:  # noqa: F811
    x = ti.Vector.ndarray(3, ti.f32, 4)
    x.fill(2)
    assert list(celled.summed(x)) == [8, 8, 8]
    assert np.array_equal(x.to_numpy(), np.repeat(np.arange(4, dtype="f4")[:, None], 3, 1))


def test_other_arrays_make_another_entry(celled: Any) -> None:
    one, other = np.zeros(3, "i4"), np.zeros((2,), "f8")
    celled.any_array(one)
    celled.any_array(other)
    assert list(one) == [1, 1, 1] and list(other) == [1, 1] and len(celled.any_array._entries) == 2


def test_random_numbers_go_on(celled: Any) -> None:
    one, other = np.zeros(4, "f4"), np.zeros(4, "f4")
    celled.drawn(one)
    celled.drawn(other)
    assert 0 <= one.min() and one.max() < 1 and not np.array_equal(one, other)


def test_wrong_calls_are_type_errors(celled: Any) -> None:
    with pytest.raises(TypeError, match="3 arguments"):
        celled.pushed(1.0)
