"""asin, acos, atan and atan2."""

from __future__ import annotations

from .builder import Builder, Value
from .pieces import HALF_PI_DIGITS, coefficients, fast_two_sum, format_of, halves, parts, wide_coefficients
from .registry import function


def _half_pi(x: Value) -> tuple[float, float]:
    high, low = parts(HALF_PI_DIGITS, 24 if format_of(x).short == "f32" else 53)
    return high, format_of(x).constant(low)


def _of_one(b: Builder, size: Value) -> tuple[Value, Value, Value]:
    """What asin and acos of |x| > 1/2 are made of, for z = (1-|x|) / 2: sqrt(z)'s leading half, what it lacks, asin(sqrt(z)) - sqrt(z)."""
    z = 0.5 - 0.5 * size
    root = b.sqrt(z)
    high, _ = halves(root)
    # The root of 0 lacks nothing; 0/0 is not wanted.
    low = (z - high * high) / z.eq(0.0).select(1.0, root + high)
    return high, low, root * z * b.horner(z, coefficients("asin", size))


@function("asin", "The inverse sine, in radians.", f32=0.85, f64=0.9)
def asin(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    half_pi, half_pi_low = _half_pi(x)
    square = size * size
    small = size + size * square * b.horner(square, coefficients("asin", x))
    high, low, rest = _of_one(b, size)
    # π/4 - 2 high is exact to few bits; what is small is added to it last.
    quarter = 0.5 * half_pi
    large = quarter - ((2.0 * rest - (half_pi_low - 2.0 * low)) - (quarter - 2.0 * high))
    return b.copysign(size.le(0.5).select(small, large), x)


@function("acos", "The inverse cosine, in radians.", f32=0.8, f64=0.9)
def acos(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    half_pi, half_pi_low = _half_pi(x)
    square = x * x
    middle = half_pi - (x - (half_pi_low - x * square * b.horner(square, coefficients("asin", x))))
    high, low, rest = _of_one(b, size)
    near_one = 2.0 * (high + (low + rest))
    near_minus_one = 2.0 * ((half_pi - high) - ((low + rest) - half_pi_low))
    return size.le(0.5).select(middle, x.gt(0.0).select(near_one, near_minus_one))


def _first_octant(b: Builder, a: Value, c: Value, polynomial: tuple[float, ...]) -> Value:
    """atan(a / c) for 0 ≤ a ≤ c, not both 0 nor infinite."""
    z = a / c
    square = z * z
    return z + z * square * b.horner(square, polynomial)


@function("atan", "The inverse tangent, in radians.", f32=1.3, f64=1.2)
def atan(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    half_pi, half_pi_low = _half_pi(x)
    steep = size.gt(1.0)
    z = steep.select(-1.0, size) / steep.select(size, 1.0)
    square = z * z
    rest = z * square * b.horner(square, coefficients("atan", x))
    zero = b.constant(0.0, x.type)
    first, lacking = fast_two_sum(steep.select(half_pi, zero), z)
    return b.copysign(first + (lacking + (rest + steep.select(half_pi_low, zero))), x)


@function("atan2", "The angle of the point (x, y) of the arguments y, x, in radians from -π to π.", arity=2, f32=0.55, f64=1.4)
def atan2(b: Builder, y: Value, x: Value) -> Value:
    single = format_of(x).short == "f32"
    wide_y, wide_x = b.widened(y), b.widened(x)
    a, c = b.abs(wide_y), b.abs(wide_x)
    steep = a.gt(c)
    greater, less = steep.select(a, c), steep.select(c, a)
    infinite = greater.eq(float("inf"))
    both = infinite.select(less.eq(float("inf")), b.constant(0, "i1"))
    none = greater.eq(0.0)
    less = both.select(1.0, infinite.select(0.0, less))
    greater = (infinite | none).select(1.0, greater)
    half_pi, half_pi_low = parts(HALF_PI_DIGITS, 53)
    angle = _first_octant(b, less, greater, wide_coefficients("atan") if single else coefficients("atan", wide_x))
    angle = steep.select(half_pi - (angle - half_pi_low), angle)
    left = b.bits(wide_x).lt(0)
    angle = left.select(2 * half_pi - (angle - 2 * half_pi_low), angle)
    angle = b.copysign(angle, wide_y)
    angle = wide_x.is_nan().select(wide_x, wide_y.is_nan().select(wide_y, angle))
    return b.narrowed(angle) if single else angle
