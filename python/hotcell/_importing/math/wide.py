"""f64 formulas of some 35 bits, for f32 functions that need more than f32 within; they are not called from outside."""

from __future__ import annotations

from .builder import Builder, Value
from .logarithm import limited, split
from .pieces import F64, LN2, clamped, nearest_whole, wide_coefficients
from .registry import function

WIDE = "For f32's formulas: f64 with some 35 bits."


@function("wide_log", WIDE, internal=True)
def wide_log(b: Builder, x: Value) -> Value:
    """The natural logarithm."""
    part = split(b, x)
    s = part.f / (2.0 + part.f)
    z = s * s
    return limited(b, x, part.k * LN2 + (2.0 * s + s * z * b.horner(z, wide_coefficients("log"))))


@function("wide_exp2", WIDE, internal=True)
def wide_exp2(b: Builder, x: Value) -> Value:
    """2 to the x, for x of f32's range and beyond; what lies below and above stays so when it becomes f32."""
    x = clamped(x, -300.0, 300.0)
    whole, k = nearest_whole(x)
    return b.of_bits(b.bits(b.horner(x - whole, wide_coefficients("exp2"))) + (k << F64.mantissa))


def narrowed_and_flushed(b: Builder, value: Value) -> Value:
    """As f32, 0 with its sign where that is below the smallest normal number."""
    small = b.abs(value).lt(2.0**-126 - 2.0**-150)
    return b.narrowed(small.select(b.copysign(b.constant(0.0, "double"), value), value))
