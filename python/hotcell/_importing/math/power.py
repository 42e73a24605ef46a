"""Powers and roots: pow, cbrt, sqrt, rsqrt, hypot."""

from __future__ import annotations

from .builder import Builder, Value
from .exponential import exp_of_parts, ln2_parts
from .logarithm import split
from .pieces import (
    INFINITY,
    LN2_DIGITS,
    LOG2_E_DIGITS,
    NAN,
    clamped,
    coefficients,
    fast_two_sum,
    format_of,
    nearest_whole,
    parts,
    two_product,
    two_sum,
)
from .registry import function
from .wide import narrowed_and_flushed


@function("sqrt", "The square root: the instruction.", f32=0.5, f64=0.5)
def sqrt(b: Builder, x: Value) -> Value:
    return b.sqrt(x)


@function("rsqrt", "1 over the square root.", f32=1.5, f64=1.6)
def rsqrt(b: Builder, x: Value) -> Value:
    return 1.0 / b.sqrt(x)


@function("cbrt", "The cube root, of negative numbers too.", f32=0.55, f64=0.8)
def cbrt(b: Builder, x: Value) -> Value:
    single = format_of(x).short == "f32"
    size = b.abs(b.widened(x))
    one = b.constant(1.0, "double")
    tiny, huge = size.lt(2.0**-900), size.gt(2.0**900)
    scaled = size * tiny.select(2.0**300, huge.select(2.0**-300, one))
    # A third of the exponent and of the mantissa's bits is right to 1/30, as in W. Kahan's cbrt; by way of floats, for WebAssembly does
    # not divide vectors of integers.
    leading = b.append("i32", f"trunc i64 {(b.bits(scaled) >> 32).text} to i32")
    third = b.append("double", f"sitofp i32 {leading.text} to double") * (1 / 3) + 715094163.0
    _, guess = nearest_whole(third)
    t = b.of_bits((guess & 0x7FFFFFFF) << 32)
    for _ in range(1 if single else 2):
        cube = t * t * t
        t = t * ((cube + 2.0 * scaled) / (2.0 * cube + scaled))
    if single:
        cube = t * t * t
        t = t + t * ((scaled - cube) / (2.0 * cube + scaled))
    else:
        # t with so few bits that its square is exact; then one step of Newton's.
        t = b.of_bits((b.bits(t) + (1 << 29)) & -(1 << 30))
        quotient = scaled / (t * t)
        t = t + t * ((quotient - t) / (2.0 * t + quotient))
    t = t * tiny.select(2.0**-100, huge.select(2.0**100, one))
    same = b.abs(x).lt(INFINITY) & x.ne(0.0)
    result = b.narrowed(t) if single else t
    return same.select(b.copysign(result, x), x)


@function("hypot", "The square root of x² + y², without overflow on the way.", arity=2, f32=0.55, f64=0.6)
def hypot(b: Builder, x: Value, y: Value) -> Value:
    a, c = b.abs(x), b.abs(y)
    infinite = a.eq(INFINITY) | c.eq(INFINITY)
    if format_of(x).short == "f32":
        wide_a, wide_c = b.widened(a), b.widened(c)
        result = b.narrowed(b.sqrt(wide_a * wide_a + wide_c * wide_c))
    else:
        swap = a.lt(c)
        greater, less = swap.select(c, a), swap.select(a, c)
        large, small = greater.gt(2.0**500), greater.lt(2.0**-400)
        one = b.constant(1.0, "double")
        scale = large.select(2.0**-600, small.select(2.0**600, one))
        back = large.select(2.0**600, small.select(2.0**-600, one))
        greater, less = greater * scale, less * scale
        square, square_low = two_product(greater, greater)
        other, other_low = two_product(less, less)
        total, lacking = fast_two_sum(square, other)
        lacking = lacking + (square_low + other_low)
        root = b.sqrt(total)
        # One step of Newton's from the root's own error.
        again, again_low = two_product(root, root)
        error = ((total - again) - again_low) + lacking
        result = (root + root.eq(0.0).select(0.0, error / (2.0 * root))) * back
    return infinite.select(INFINITY, result)


@function("pow", "x to the y.", arity=2, f32=0.55, f64=1.0, flushes=True)
def pow_(b: Builder, x: Value, y: Value) -> Value:
    if format_of(x).short == "f32":
        size = b.abs(b.widened(x))
        log2 = b.call("wide_log", size) * float(LOG2_E_DIGITS)
        result = narrowed_and_flushed(b, b.call("wide_exp2", log2 * b.widened(y)))
    else:
        result = _double_power(b, b.abs(x), y)
    return _limited(b, x, y, result)


def _limited(b: Builder, x: Value, y: Value, result: Value) -> Value:
    """The special cases of C's Annex F for the result of |x|."""
    form = format_of(x)
    size, exponent = b.abs(x), b.abs(y)
    whole = b.intrinsic("trunc", y).eq(y)
    halved = 0.5 * y
    # Whole numbers of more bits than the mantissa has are even, and infinity is.
    odd = whole & b.intrinsic("trunc", halved).ne(halved) & exponent.lt(2.0 ** (form.mantissa + 1))
    up = y.gt(0.0)
    # 0, infinity and |x| to ±infinity: 0 or infinity.
    extreme = size.eq(0.0) | size.eq(INFINITY) | exponent.eq(INFINITY)
    grows = size.gt(1.0).select(up, ~up)
    limit = grows.select(INFINITY, b.constant(0.0, x.type))
    result = extreme.select(limit, result)
    # -1 to ±infinity is 1.
    result = size.eq(1.0).select(1.0, result)
    negative = b.bits(x).lt(0)
    result = (negative & odd).select(-result, result)
    result = (x.lt(0.0) & ~whole & x.ne(-INFINITY)).select(NAN, result)
    result = x.is_nan().select(x, y.is_nan().select(y, result))
    return (x.eq(1.0) | y.eq(0.0)).select(1.0, result)


def _double_log(b: Builder, x: Value) -> tuple[Value, Value]:
    """The natural logarithm of a positive number to some 68 bits, in two parts."""
    part = split(b, x)
    f = part.f
    # s = f / (2 + f) in two parts; 2 + f is f's mantissa's and one bit more.
    below, below_low = fast_two_sum(b.operand(2.0, "double"), f)
    s = f / below
    product, product_low = two_product(s, below)
    s_low = (((f - product) - product_low) - s * below_low) / below
    z, z_low = two_product(s, s)
    z_low = z_low + 2.0 * s * s_low
    # log(1 + f) = 2s (1 + z/3 + z² Q(z)), z/3 in two parts.
    series = z * b.horner(z, coefficients("pow_log", z))
    third, third_low = parts("0.33333333333333333333333333333333333333333333333333", 53)
    first, first_low = two_product(z, b.operand(third, "double"))
    first_low = first_low + (z_low * third + z * third_low) + z * series
    first, first_low = fast_two_sum(first, first_low)
    outer, outer_low = two_product(s, first)
    outer_low = outer_low + (s * first_low + s_low * first)
    total, total_low = fast_two_sum(s, outer)
    total_low = total_low + (outer_low + s_low)
    head, rest = ln2_parts(format_of(x))
    rest_low = parts(LN2_DIGITS, 40, 53)[2]
    high, low = two_sum(part.k * head, 2.0 * total)
    other, other_low = two_product(part.k, b.operand(rest, "double"))
    high, more = two_sum(high, other)
    return fast_two_sum(high, low + more + (2.0 * total_low + other_low + part.k * rest_low))


def _double_power(b: Builder, x: Value, y: Value) -> Value:
    log, log_low = _double_log(b, x)
    # Beyond this every result is infinite or 0, or 1; and parts of a greater number would be infinite.
    y = clamped(y, -(2.0**80), 2.0**80)
    high, low = two_product(log, y)
    return exp_of_parts(b, high, low + log_low * y)
