"""exp and what is made of it: exp2, expm1, logistic, sinh, cosh, tanh.

All reduce to x = k log(2) + r with |r| ≤ log(2)/2. r is kept as a rounded part and what that lacks, so that the result's own rounding
remains the greatest error.
"""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Value
from .pieces import (
    INFINITY,
    LN2_DIGITS,
    LOG2_E_DIGITS,
    Format,
    coefficients,
    fast_two_sum,
    flushed,
    format_of,
    halves,
    nearest_whole,
    parts,
    power_of_two,
    two_sum,
)
from .registry import function

#: The greatest number whose exp is finite, the least whose exp is normal, and the greatest whose sinh and cosh are finite.
OVERFLOW = {"f32": 88.72283172607422, "f64": 709.782712893384}
UNDERFLOW = {"f32": -87.33654022216797, "f64": -708.3964185322641}
HYPERBOLIC_OVERFLOW = {"f32": 89.41598510742188, "f64": 710.4758600739439}


@dataclass(frozen=True)
class Reduced:
    """x = k log(2) + r + low."""

    k: Value
    r: Value
    low: Value


def ln2_parts(form: Format) -> tuple[float, float]:
    """log(2) as a part whose product with any exponent is exact, and the rest."""
    high, low = parts(LN2_DIGITS, 11 if form.short == "f32" else 40)
    return high, form.constant(low)


def reduced(x: Value) -> Reduced:
    form = format_of(x)
    high, low = ln2_parts(form)
    whole, k = nearest_whole(x * form.constant(float(LOG2_E_DIGITS)))
    first = x - whole * high
    lacking = whole * low
    r = first - lacking
    return Reduced(k, r, (first - r) - lacking)


def less_one(b: Builder, parts_: Reduced) -> tuple[Value, Value]:
    """exp(r + low) - 1, as r and what is added to it."""
    r = parts_.r
    return r, parts_.low + r * r * b.horner(r, coefficients("exp", r))


def scaled(b: Builder, value: Value, k: Value) -> Value:
    """value 2^k for a value near 1 where the result is a normal number: its exponent is added to."""
    form = format_of(value)
    return b.of_bits(b.bits(value) + (k << form.mantissa))


def limited(x: Value, result: Value) -> Value:
    """What exp gives beyond its range, and of what is no number."""
    short = format_of(x).short
    result = x.gt(OVERFLOW[short]).select(INFINITY, result)
    return x.is_nan().select(x, flushed(x, result, UNDERFLOW[short]))


def exp_of_parts(b: Builder, high: Value, low: Value) -> Value:
    """exp(high + low) in f64, low being small beside high; as the others beyond the range, and 0 below the smallest normal number."""
    form = format_of(high)
    inside = ~b.abs(high).ge(800.0)
    kept = inside.select(high, 0.0)
    parts_ = reduced(kept)
    r, rest = less_one(b, parts_)
    low = inside.select(low, 0.0)
    value = 1.0 + (r + (rest + (low + low * (r + rest))))
    # In two steps, for 2^1024 is no number and 2^-1023 no normal one.
    half = parts_.k.ashr(1)
    result = (value * power_of_two(b, half)) * power_of_two(b, parts_.k - half)
    result = inside.select(result, INFINITY)
    return high.is_nan().select(high, flushed(high, result, UNDERFLOW[form.short]))


@function("exp", "e to the x.", f32=0.9, f64=0.9, flushes=True)
def exp(b: Builder, x: Value) -> Value:
    parts_ = reduced(x)
    r, rest = less_one(b, parts_)
    return limited(x, scaled(b, 1.0 + (r + rest), parts_.k))


@function("exp2", "2 to the x; exact for whole numbers.", f32=0.7, f64=0.8, flushes=True)
def exp2(b: Builder, x: Value) -> Value:
    form = format_of(x)
    whole, k = nearest_whole(x)
    r = x - whole
    # r log(2), the first term, in two parts: the greater is exact.
    factor, factor_low = (form.constant(part) for part in parts(LN2_DIGITS, 12 if form.short == "f32" else 26))
    high, low = halves(r)
    first, lacking = fast_two_sum(b.constant(1.0, x.type), high * factor)
    rest = low * factor + r * (factor_low + r * b.horner(r, coefficients("exp2", x)))
    result = scaled(b, first + (lacking + rest), k)
    result = x.ge(float(form.bias + 1)).select(INFINITY, result)
    return x.is_nan().select(x, flushed(x, result, 1.0 - form.bias))


@function("expm1", "e to the x, less 1, without cancellation near 0.", f32=1.2, f64=0.9)
def expm1(b: Builder, x: Value) -> Value:
    form = format_of(x)
    parts_ = reduced(x)
    r, rest = less_one(b, parts_)
    # 2^k (1 + r + rest) - 1, halved before and doubled after: 2^128 itself is no number.
    half = power_of_two(b, parts_.k - 1)
    first, lacking = fast_two_sum(half, b.constant(-0.5, x.type))
    first, more = fast_two_sum(first, half * r)
    result = 2.0 * (first + (lacking + more + half * rest))
    result = x.gt(OVERFLOW[form.short]).select(INFINITY, result)
    result = x.lt(-40.0).select(-1.0, result)
    result = b.abs(x).lt(2.0 ** -(form.mantissa + 3)).select(x, result)
    return x.is_nan().select(x, result)


@function("logistic", "1 / (1 + e to the -x), the sigmoid.", f32=0.7, f64=1.2, flushes=True)
def logistic(b: Builder, x: Value) -> Value:
    form = format_of(x)
    # Of x beyond the range in which the result is not 1 anyway, the range's end; a little beyond UNDERFLOW, where it becomes 0.
    low = UNDERFLOW[form.short]
    y = -(x.gt(50.0).select(50.0, x.lt(low - 1.0).select(low - 1.0, x)))
    parts_ = reduced(y)
    r, rest = less_one(b, parts_)
    # 1 + 2^k (1 + r + rest), and what its sums lack; halved, for 2^128 is no number.
    half = power_of_two(b, parts_.k - 1)
    if form.short == "f32":
        wide = b.widened(half)
        result = b.narrowed(0.5 / (wide + (wide * (b.widened(r) + b.widened(rest)) + 0.5)))
        return x.is_nan().select(x, flushed(x, result, low))
    first, first_low = two_sum(half, b.constant(0.5, x.type))
    second, second_low = two_sum(first, half * r)
    rest = second_low + (first_low + half * rest)
    total = second + rest
    lacking = (second - total) + rest
    quotient = 0.5 / total
    result = quotient - quotient * (lacking / total)
    return x.is_nan().select(x, flushed(x, result, low))


@dataclass(frozen=True)
class Hyperbolic:
    """Of |x|: a = 2^(k-3) and c = 2^(-k-3), so that e^|x| = 8a (1+r+p) and e^-|x| = 8c (1+q)."""

    a: Value
    c: Value
    r: Value
    p: Value
    q: Value

    def sum(self, negative: Value) -> Value:
        """4a (1+r+p) + 4 `negative`."""
        first, lacking = fast_two_sum(self.a, self.a * self.r)
        return 4.0 * (first + (lacking + (self.a * self.p + negative)))


def hyperbolic(b: Builder, x: Value) -> Hyperbolic:
    """x is not negative."""
    form = format_of(x)
    parts_ = reduced(x)
    r = parts_.r
    z = r * r
    odd_rest = parts_.low + r * z * b.horner(z, coefficients("sinh", x))
    even = z * b.horner(z, coefficients("cosh", x))
    k = parts_.k
    down = form.bias - 3 - k
    down = down.lt(0).select(0, down)
    return Hyperbolic(power_of_two(b, k - 3), b.of_bits(down << form.mantissa), r, even + odd_rest, (even - odd_rest) - r)


@function("sinh", "The hyperbolic sine.", f32=0.8, f64=0.7)
def sinh(b: Builder, x: Value) -> Value:
    form = format_of(x)
    size = b.abs(x)
    h = hyperbolic(b, size)
    large = h.sum(-h.c * (1.0 + h.q))
    z = x * x
    small = size + size * z * b.horner(z, coefficients("sinh_one", x))
    result = size.lt(1.0).select(small, large)
    result = size.gt(HYPERBOLIC_OVERFLOW[form.short]).select(INFINITY, result)
    return x.is_nan().select(x, b.copysign(result, x))


@function("cosh", "The hyperbolic cosine.", f32=1.0, f64=1.0)
def cosh(b: Builder, x: Value) -> Value:
    form = format_of(x)
    size = b.abs(x)
    h = hyperbolic(b, size)
    result = h.sum(h.c * (1.0 + h.q))
    result = size.gt(HYPERBOLIC_OVERFLOW[form.short]).select(INFINITY, result)
    return x.is_nan().select(x, result)


@function("tanh", "The hyperbolic tangent.", f32=1.1, f64=1.0)
def tanh(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    # From 20 on the result is 1 in both formats.
    y = 2.0 * size.gt(20.0).select(20.0, size)
    parts_ = reduced(y)
    r, rest = less_one(b, parts_)
    power = scaled(b, 1.0 + (r + rest), parts_.k)
    large = 1.0 - 2.0 / (power + 1.0)
    z = x * x
    small = size + size * z * b.horner(z, coefficients("tanh", x))
    result = size.lt(1.0).select(small, large)
    return x.is_nan().select(x, b.copysign(result, x))
