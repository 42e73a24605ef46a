"""The logarithm of the gamma function, and that's derivative."""

from __future__ import annotations

from .builder import Builder, Value
from .pieces import INFINITY, NAN, coefficients, format_of
from .registry import function
from .trigonometry import Angle, cosine, sine

PI = 3.141592653589793
#: log(2π)/2 - 1/2.
STIRLING_CONSTANT = 0.4189385332046727


def _turned(b: Builder, size: Value) -> tuple[Value, Value, Value]:
    """sin and cos of π f, f between -1/2 and 1/2 the distance to the nearest whole number; and f."""
    f = size - b.intrinsic("roundeven", size)
    distance = b.abs(f)
    steep = distance.gt(0.25)
    r = PI * steep.select(0.5 - distance, distance)
    angle = Angle(b.constant(0, "i64"), r, b.constant(0.0, "double"))
    s, c = sine(b, angle), cosine(b, angle)
    return b.copysign(steep.select(c, s), f), steep.select(s, c), f


def _positive(b: Builder, a: Value) -> Value:
    """lgamma of a ≥ 0."""
    # By the recurrence to 2 + d with |d| ≤ 1/2; every difference is exact.
    below, middle = a.lt(0.5), a.lt(1.5)
    d = below.select(a, middle.select(a - 1.0, a - 2.0))
    up = below.select(a * (a + 1.0), a)
    down = b.constant(1.0, "double")
    for _ in range(6):
        far = d.gt(0.5)
        down = far.select(down * (d + 1.0), down)
        d = far.select(d - 1.0, d)
    large = a.ge(8.0)
    log = b.call("log", large.select(a, middle.select(up, down)))
    near = d * b.horner(d, coefficients("gamma", a)) + middle.select(-log, log)
    inverse = 1.0 / a
    series = inverse * b.horner(inverse * inverse, coefficients("stirling", a))
    return large.select((a - 0.5) * (log - 1.0) + (STIRLING_CONSTANT + series), near)


@function(
    "lgamma",
    "The logarithm of the gamma function's size; near its zeros at negative arguments f64's error is as of a result near 1.",
    f32=0.55,
    f64=5.0,
)
def lgamma(b: Builder, x: Value) -> Value:
    if format_of(x).short == "f32":
        # Near the zeros f32 needs all of f64's bits.
        return b.narrowed(b.call("lgamma", b.widened(x)))
    a = b.abs(x)
    result = _positive(b, a)
    # log(π / (a |sin πa|)) less it.
    s, _, _ = _turned(b, a)
    size = b.abs(s)
    reflected = b.call("log", PI / (a * size)) - result
    reflected = size.eq(0.0).select(INFINITY, reflected)
    # Near 0 both sides are one, and the product would be 0.
    result = x.lt(-(2.0**-60)).select(reflected, result)
    return a.eq(INFINITY).select(INFINITY, x.is_nan().select(x, result))


@function(
    "digamma",
    "The derivative of lgamma; no number at 0 and negative whole numbers; near its zeros f64's error is as of a result near 1.",
    f32=0.55,
    f64=16.0,
)
def digamma(b: Builder, x: Value) -> Value:
    if format_of(x).short == "f32":
        return b.narrowed(b.call("digamma", b.widened(x)))
    negative = x.lt(0.0)
    a = negative.select(1.0 - x, x)
    # 1/a + 1/(a+1) + … + 1/(a+7) as one fraction, where the series is not yet good.
    over, under = b.constant(1.0, "double"), a
    for step in range(1, 8):
        next_ = a + float(step)
        over, under = over * next_ + under, under * next_
    small = a.lt(8.0)
    shift = small.select(over / under, 0.0)
    large = small.select(a + 8.0, a)
    inverse = 1.0 / large
    z = inverse * inverse
    series = 0.5 * inverse + z * b.horner(z, coefficients("digamma", a))
    result = b.call("log", large) - (series + shift)
    s, c, f = _turned(b, x)
    result = negative.select(result - PI * c / s, result)
    result = (x.le(0.0) & f.eq(0.0)).select(NAN, result)
    return x.eq(-INFINITY).select(NAN, x.eq(INFINITY).select(INFINITY, result))
