"""Whether what a component gives is what the original gives.

Bits differ where sums are taken in another order and functions are rounded in another way, so that a tolerance for each dtype says what
is equal: relative to the element, and to what is usual in its array, for elements in which large numbers cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Relative tolerances by the bytes of a real element.
_BY_NAME = {"float64": 1e-9, "float32": 2e-4, "float16": 4e-3, "bfloat16": 3e-2, "complex64": 2e-4, "complex128": 1e-9}


def tolerance_of(dtype: np.dtype[Any]) -> float:
    """The relative tolerance for a dtype: 0 where elements have to be equal."""
    return _BY_NAME.get(dtype.name, 0.0)


def first_difference(got: Array, want: Array, *, name: str = "result", tolerance: float | None = None) -> str | None:
    """The first element that differs, in words; ``None`` where all are equal.

    Args:
        got: What the component gave.
        want: What the original gave, of the same shape and dtype.
        name: What the array is called in the words.
        tolerance: A relative tolerance in place of the dtype's own.
    """
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{name}: {got.dtype}{list(got.shape)} where the original has {want.dtype}{list(want.shape)}"
    rtol = tolerance_of(want.dtype) if tolerance is None or want.dtype.kind in "iub" else tolerance
    wrong = ~_equal(got, want, rtol)
    if not wrong.any():
        return None
    index = np.unravel_index(int(np.argmax(wrong)), want.shape)
    place = f"[{', '.join(str(int(i)) for i in index)}]" if want.shape else ""
    return f"{name}{place}: {got[index]} where the original has {want[index]}; {int(wrong.sum())} of {want.size} elements differ"


def first_difference_of_all(
    got: Sequence[Array], want: Sequence[Array], *, names: Sequence[str], tolerance: float | None = None
) -> str | None:
    """As :func:`first_difference`, for several arrays in their order."""
    for one, other, name in zip(got, want, names, strict=True):
        difference = first_difference(one, other, name=name, tolerance=tolerance)
        if difference is not None:
            return difference
    return None


def _equal(got: Array, want: Array, rtol: float) -> Array:
    if want.dtype.kind == "c":
        part = np.float32 if want.dtype.itemsize == 8 else np.float64
        scale = _usual(np.abs(want).astype(np.float64))
        return _close(got.real.astype(part), want.real.astype(part), rtol, scale) & _close(
            got.imag.astype(part), want.imag.astype(part), rtol, scale
        )
    if want.dtype.kind in "iub":
        return np.asarray(got == want)
    # bfloat16 is of kind "V".
    wide = want.astype(np.float64)
    return _close(got.astype(np.float64), wide, rtol, _usual(np.abs(wide)), np.finfo(np.float32).tiny if want.dtype.itemsize < 8 else 0.0)


def _usual(magnitudes: Array) -> float:
    finite = magnitudes[np.isfinite(magnitudes)]
    if not finite.size:
        return 0.0
    return max(float(np.median(finite)), 1e-3 * float(finite.max()))


def _close(got: Array, want: Array, rtol: float, scale: float, floor: float = 0.0) -> Array:
    with np.errstate(all="ignore"):
        near = np.abs(got.astype(np.float64) - want) <= rtol * (np.abs(want.astype(np.float64)) + scale) + floor
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        return np.asarray(same | (near & np.isfinite(want) & np.isfinite(got)))
