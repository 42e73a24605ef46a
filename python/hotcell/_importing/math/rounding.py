"""Rounding, remainders, and what looks at a number's bits."""

from __future__ import annotations

from .builder import Builder, Value
from .pieces import INFINITY, NAN, format_of
from .registry import function


@function("floor", "The greatest whole number that is not greater.")
def floor(b: Builder, x: Value) -> Value:
    return b.intrinsic("floor", x)


@function("ceil", "The least whole number that is not less.")
def ceil(b: Builder, x: Value) -> Value:
    return b.intrinsic("ceil", x)


@function("trunc", "The whole part.")
def trunc(b: Builder, x: Value) -> Value:
    return b.intrinsic("trunc", x)


@function("round_even", "The nearest whole number, of two the even one.")
def round_even(b: Builder, x: Value) -> Value:
    return b.intrinsic("roundeven", x)


@function("round_away", "The nearest whole number, of two the one farther from 0.")
def round_away(b: Builder, x: Value) -> Value:
    # The number before 1/2: with 1/2 itself the number before 1/2 would be rounded up.
    below_half = 0.5 - 2.0 ** -(format_of(x).mantissa + 2)
    return b.intrinsic("trunc", x + b.copysign(b.constant(below_half, x.type), x))


@function("sign", "-1 or 1 with the argument's sign; 0 of 0, with its sign.")
def sign(b: Builder, x: Value) -> Value:
    return b.abs(x).gt(0.0).select(b.copysign(b.constant(1.0, x.type), x), x)


@function("is_finite", "Whether it is a number and not infinite, as i1.", result="i1")
def is_finite(b: Builder, x: Value) -> Value:
    return b.abs(x).lt(INFINITY)


@function("next_after", "The next number from x towards y.", arity=2)
def next_after(b: Builder, x: Value, y: Value) -> Value:
    form = format_of(x)
    bits = b.bits(x)
    away = b.constant(1, form.integer)
    from_zero = b.of_bits((b.bits(y) & form.sign) | 1)
    grows = x.gt(0.0).select(x.lt(y), x.gt(y))
    moved = b.of_bits(bits + grows.select(away, -1))
    result = x.eq(y).select(y, x.eq(0.0).select(from_zero, moved))
    return x.is_nan().select(x, y.is_nan().select(y, result))


@function("rem", "C's fmod: x less y times the whole part of x / y, exactly; with x's sign. f64's has a loop.", arity=2)
def rem(b: Builder, x: Value, y: Value) -> Value:
    if format_of(x).short == "f32":
        result = _single(b, x, y)
    else:
        result = b.call("double_rem", b.abs(x), b.abs(y))
    result = b.copysign(result, x)
    a, c = b.abs(x), b.abs(y)
    result = (a.eq(INFINITY) | c.eq(0.0)).select(NAN, c.eq(INFINITY).select(x, result))
    return x.is_nan().select(x, y.is_nan().select(y, result))


def _single(b: Builder, x: Value, y: Value) -> Value:
    """By f64: whole multiples of y 2^(28 j) are exact, and so is what they leave."""
    rest, of = b.abs(b.widened(x)), b.abs(b.widened(y))
    inverse = 1.0 / of
    for step in range(9, -1, -1):
        # |x / y| is less than 2^278.
        times = b.intrinsic("roundeven", rest * (inverse * 2.0 ** (-28 * step)))
        rest = rest - times * (of * 2.0 ** (28 * step))
    return b.narrowed(rest.lt(0.0).select(rest + of, rest))


@function("double_rem", "rem of numbers without signs, by whole numbers.", arity=2, internal=True, branches=True)
def double_rem(b: Builder, x: Value, y: Value) -> Value:
    """A division of the mantissas, 11 bits a turn; for f64 only."""
    x_bits, y_bits = b.bits(x), b.bits(y)
    (x_mantissa, x_exponent), (y_mantissa, y_exponent) = _whole(x_bits), _whole(y_bits)
    # Whatever divides: 0 has been told apart by the caller.
    divisor = y_mantissa.eq(0).select(1, y_mantissa)
    difference = x_exponent - y_exponent
    first = b.append("i64", f"urem i64 {x_mantissa.text}, {divisor.text}")
    b.jump("turn")
    b.label("turn")
    rest = b.phi("i64", "rest", [(first, "entry"), (Value(b, "i64", "%left"), "body")])
    places = b.phi("i64", "places", [(difference, "entry"), (Value(b, "i64", "%less"), "body")])
    b.branch(places.gt(0) & rest.ne(0), "body", "end")
    b.label("body")
    step = places.lt(11).select(places, b.constant(11, "i64"))
    shifted = rest << step
    b.lines.append(f"  %left = urem i64 {shifted.text}, {divisor.text}")
    b.lines.append(f"  %less = sub i64 {places.text}, {step.text}")
    b.jump("turn")
    b.label("end")
    # Exact: the lowest bit is one of y's. In two steps, for the scale of denormal numbers is no normal one.
    number = b.append("double", f"uitofp i64 {rest.text} to double")
    scale = y_exponent - 1075
    half = scale.ashr(1)
    scaled = (number * b.of_bits((half + 1023) << 52)) * b.of_bits((scale - half + 1023) << 52)
    return x.lt(y).select(x, scaled)


def _whole(bits: Value) -> tuple[Value, Value]:
    """The mantissa as a whole number, and the exponent that goes with it."""
    exponent = (bits >> 52) & 2047
    fraction = bits & ((1 << 52) - 1)
    denormal = exponent.eq(0)
    return denormal.select(fraction, fraction | (1 << 52)), denormal.select(1, exponent)
