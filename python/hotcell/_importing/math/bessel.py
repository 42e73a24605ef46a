"""Modified Bessel functions of the first kind, scaled by exp(-|x|): polynomials by x/4 - 1 up to 8, by 16/x - 1 from there."""

from __future__ import annotations

from .builder import Builder, Value
from .pieces import coefficients, format_of, wide_coefficients
from .registry import function


def _scaled(b: Builder, x: Value, order: int) -> Value:
    single = format_of(x).short == "f32"
    size = b.abs(b.widened(x))

    def polynomial(t: Value, name: str) -> Value:
        return b.horner(t, wide_coefficients(name)) if single else b.clenshaw(t, coefficients(name, size))

    low, near = polynomial(0.25 * size - 1.0, f"i{order}e_low"), size + 1.0
    low = size * low / (near * near) if order == 1 else low / near
    high = polynomial(16.0 / size - 1.0, f"i{order}e_high") / b.sqrt(size)
    result = size.le(8.0).select(low, high)
    return b.narrowed(result) if single else result


@function("bessel_i0e", "exp(-|x|) I0(x).", f32=0.55, f64=4.0)
def bessel_i0e(b: Builder, x: Value) -> Value:
    return _scaled(b, x, 0)


@function("bessel_i1e", "exp(-|x|) I1(x).", f32=0.55, f64=9.0)
def bessel_i1e(b: Builder, x: Value) -> Value:
    return b.copysign(_scaled(b, x, 1), x)
