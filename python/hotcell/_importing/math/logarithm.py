"""Logarithms, and the inverse hyperbolic functions that are made of them.

x = 2^k m with m between sqrt(1/2) and sqrt(2), f = m - 1, s = f / (2 + f); log(m) = f - (f²/2 - s (f²/2 + R(s²))), which is exact to the
last bits because f is. The form is that of K. C. Ng's log in fdlibm (1993); the coefficients are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Value
from .exponential import ln2_parts
from .pieces import (
    INFINITY,
    LOG2_E_DIGITS,
    LOG10_2_DIGITS,
    LOG10_E_DIGITS,
    NAN,
    coefficients,
    fast_two_sum,
    format_of,
    halves,
    parts,
)
from .registry import function


@dataclass(frozen=True)
class Split:
    """x = 2^k (1 + f), k as a float; `scale` is 2^-k, for x of at least 2^-bias and a little."""

    k: Value
    f: Value
    exponent: Value


def split(b: Builder, x: Value) -> Split:
    """Of a positive number; denormal ones included."""
    form = format_of(x)
    tiny = x.lt(form.least_normal)
    up = float(form.mantissa + 1)
    y = tiny.select(x * 2.0**up, x)
    bits = b.bits(y)
    # From sqrt(1/2) on to sqrt(2), exclusive, the exponent is 0.
    moved = bits - form.root_half
    exponent = moved.ashr(form.mantissa)
    mantissa = b.of_bits(bits - (exponent << form.mantissa))
    k = whole_float(b, exponent) - tiny.select(up, b.constant(0.0, x.type))
    return Split(k, mantissa - 1.0, exponent)


def whole_float(b: Builder, exponent: Value) -> Value:
    """A small integer as a float; by way of i32, of which WebAssembly converts vectors."""
    if exponent.type == "i32":
        return b.append("float", f"sitofp i32 {exponent.text} to float")
    narrow = b.append("i32", f"trunc i64 {exponent.text} to i32")
    return b.append("double", f"sitofp i32 {narrow.text} to double")


def tail(b: Builder, f: Value) -> tuple[Value, Value]:
    """h and t of log(1 + f) = f - (h - t)."""
    s = f / (2.0 + f)
    z = s * s
    h = 0.5 * f * f
    return h, s * (h + z * b.horner(z, coefficients("log", f)))


def limited(b: Builder, x: Value, result: Value) -> Value:
    """What a logarithm gives of 0, negative numbers, infinity and what is no number."""
    result = x.eq(0.0).select(-INFINITY, result)
    result = x.lt(0.0).select(NAN, result)
    return b.abs(x).lt(INFINITY).select(result, x.lt(0.0).select(NAN, x))


@function("log", "The natural logarithm.", f32=0.85, f64=0.9)
def log(b: Builder, x: Value) -> Value:
    high, low = ln2_parts(format_of(x))
    part = split(b, x)
    h, t = tail(b, part.f)
    return limited(b, x, part.k * high - ((h - (t + part.k * low)) - part.f))


def of_base(b: Builder, x: Value, whole: tuple[float, float], factor: str) -> Value:
    """k whole + log(1 + f) factor, the product in two parts."""
    form = format_of(x)
    bits = 12 if form.short == "f32" else 26
    factor_high, factor_low = (form.constant(part) for part in parts(factor, bits))
    part = split(b, x)
    h, t = tail(b, part.f)
    high, _ = halves(part.f - h)
    low = ((part.f - high) - h) + t
    product = high * factor_high
    rest = low * factor_high + (low + high) * factor_low + part.k * whole[1]
    total, lacking = fast_two_sum(part.k * whole[0], product)
    # Without a whole part the product is the greater one, and the sum is exact all the same.
    return limited(b, x, total + (lacking + rest))


@function("log2", "The logarithm to base 2; exact for powers of 2.", f32=0.85, f64=0.8)
def log2(b: Builder, x: Value) -> Value:
    return of_base(b, x, (1.0, 0.0), LOG2_E_DIGITS)


@function("log10", "The logarithm to base 10.", f32=0.75, f64=0.7)
def log10(b: Builder, x: Value) -> Value:
    form = format_of(x)
    high, low = parts(LOG10_2_DIGITS, 11 if form.short == "f32" else 40)
    return of_base(b, x, (high, form.constant(low)), LOG10_E_DIGITS)


@function("log1p", "The natural logarithm of 1 + x, without cancellation near 0.", f32=0.85, f64=0.9)
def log1p(b: Builder, x: Value) -> Value:
    form = format_of(x)
    high, low = ln2_parts(form)
    u = 1.0 + x
    lacking = x.gt(1.0).select(1.0 - (u - x), x - (u - 1.0))
    # Where 1 + x is x, nothing lacks; infinities give no difference.
    part = split(b, u)
    whole = part.k.eq(0.0)
    f = whole.select(x, part.f)
    correction = whole.select(0.0, x.lt(2.0 ** (form.mantissa + 2)).select(lacking / u, 0.0))
    h, t = tail(b, f)
    result = part.k * high - ((h - (t + (part.k * low + correction))) - f)
    result = b.abs(x).lt(2.0 ** -(form.mantissa + 3)).select(x, result)
    result = x.eq(-1.0).select(-INFINITY, result)
    result = x.lt(-1.0).select(NAN, result)
    return x.lt(INFINITY).select(result, x)


@function("asinh", "The inverse hyperbolic sine.", f32=0.55, f64=1.5)
def asinh(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    if format_of(x).short == "f32":
        y = b.widened(size)
        result = b.narrowed(b.call("wide_log", y + b.sqrt(y * y + 1.0)))
        result = size.lt(2.0**-9).select(size - size * (size * size) * (1 / 6), result)
    else:
        large = size.gt(2.0**54)
        y = large.select(1.0, size)
        square = y * y
        small = y + square / (1.0 + b.sqrt(square + 1.0))
        result = b.call("log1p", large.select(size, small)) + large.select(0.6931471805599453, b.constant(0.0, x.type))
    return b.copysign(result, x)


@function("acosh", "The inverse hyperbolic cosine.", f32=0.55, f64=1.4)
def acosh(b: Builder, x: Value) -> Value:
    if format_of(x).short == "f32":
        y = b.widened(x)
        result = b.narrowed(b.call("wide_log", y + b.sqrt((y - 1.0) * (y + 1.0))))
    else:
        large = x.gt(2.0**54)
        t = large.select(1.0, x) - 1.0
        small = t + b.sqrt(2.0 * t + t * t)
        result = b.call("log1p", large.select(x, small)) + large.select(0.6931471805599453, b.constant(0.0, x.type))
    return x.lt(1.0).select(NAN, result)


@function("atanh", "The inverse hyperbolic tangent.", f32=0.55, f64=1.6)
def atanh(b: Builder, x: Value) -> Value:
    size = b.abs(x)
    if format_of(x).short == "f32":
        y = b.widened(size)
        result = b.narrowed(0.5 * b.call("wide_log", (1.0 + y) / (1.0 - y)))
        result = size.lt(2.0**-9).select(size + size * (size * size) * (1 / 3), result)
    else:
        double = 2.0 * size
        result = 0.5 * b.call("log1p", size.lt(0.5).select(double + double * size / (1.0 - size), double / (1.0 - size)))
    return b.copysign(result, x)
