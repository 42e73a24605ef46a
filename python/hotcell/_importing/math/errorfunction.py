"""The error function, its complement and its inverse."""

from __future__ import annotations

from .builder import Builder, Value
from .exponential import exp_of_parts
from .pieces import INFINITY, LOG2_E_DIGITS, NAN, coefficients, format_of, two_product, wide_coefficients
from .registry import function
from .wide import narrowed_and_flushed

#: The tail is a polynomial by (x - CENTRE) / (x + CENTRE), as in M. Shepherd and J. Laframboise, "Chebyshev approximation of
#: (1+2x) exp(x²) erfc x in 0 ≤ x < ∞" (1981).
CENTRE = 4.0
#: Where f32's erf is 1 to its last bit, and somewhat before; the polynomial's variable is less this.
SINGLE_END, SINGLE_CENTRE = 4.0, 2.25


@function("erf", "The error function.", f32=1.25, f64=1.1)
def erf(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    z = size * size
    small = size + size * b.horner(z, coefficients("erf", x))
    if format_of(x).short == "f32":
        y = size.gt(SINGLE_END).select(SINGLE_END, size)
        large = 1.0 - b.call("exp", -(y * b.horner(y - SINGLE_CENTRE, coefficients("erf_log", x))))
    else:
        large = 1.0 - tail(b, size.gt(30.0).select(30.0, size))
    return x.is_nan().select(x, b.copysign(size.lt(0.92).select(small, large), x))


def tail(b: Builder, x: Value) -> Value:
    """erfc(x) in f64 for x of at least 0.45, not beyond 30."""
    square, square_low = two_product(x, x)
    power = exp_of_parts(b, -square, -square_low)
    return power * (b.horner((x - CENTRE) / (x + CENTRE), coefficients("erfcx", x)) / (1.0 + 2.0 * x))


def wide_tail(b: Builder, x: Value) -> Value:
    """The same with f32's precision."""
    power = b.call("wide_exp2", x * x * -float(LOG2_E_DIGITS))
    return power * b.horner((x - CENTRE) / (x + CENTRE), wide_coefficients("erfcx")) / (1.0 + 2.0 * x)


@function("erfc", "1 less the error function, without cancellation.", f32=0.55, f64=4.0, flushes=True)
def erfc(b: Builder, x: Value) -> Value:
    single = format_of(x).short == "f32"
    y = b.widened(x)
    size = b.abs(y)
    size = size.gt(30.0).select(30.0, size)
    z = size * size
    series = coefficients("erf", x) if not single else coefficients("erf", b.constant(0.0, "float"))
    small = 1.0 - (y + y * b.horner(z, series))
    positive = wide_tail(b, size) if single else tail(b, size)
    large = y.lt(0.0).select(2.0 - positive, positive)
    result = size.lt(0.5).select(small, large)
    result = narrowed_and_flushed(b, result) if single else result.lt(format_of(x).least_normal).select(0.0, result)
    return x.is_nan().select(x, result)


@function("erf_inv", "The inverse of the error function.", f32=0.55, f64=3.0)
def erf_inv(b: Builder, x: Value) -> Value:
    single = format_of(x).short == "f32"
    y = b.abs(b.widened(x))
    # After M. Giles, "Approximating the erfinv function" (2010): polynomials by w = -log(1 - x²), near 1 by its root.
    if single:
        w = -b.call("wide_log", 1.0 - y * y)
        low = b.horner(w - 2.5, wide_coefficients("erf_inv_low"))
        high = b.horner(b.sqrt(w) - 3.0, wide_coefficients("erf_inv_high"))
        slope = w.lt(5.0).select(low, high)
    else:
        w = -b.call("log", (1.0 - y) * (1.0 + y))
        v = b.sqrt(w)
        low = b.horner(w - 3.125, coefficients("erf_inv_low", y))
        middle = b.horner(v - 3.25, coefficients("erf_inv_middle", y))
        high = b.horner(v - 5.0, coefficients("erf_inv_high", y))
        slope = w.lt(6.25).select(low, v.lt(4.0).select(middle, high))
    result = y * slope
    result = b.narrowed(result) if single else result
    size = b.abs(x)
    result = size.eq(1.0).select(INFINITY, size.gt(1.0).select(NAN, result))
    return x.is_nan().select(x, b.copysign(result, x))
