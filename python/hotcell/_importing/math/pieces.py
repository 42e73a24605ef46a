"""Pieces that formulas share: parts of a number, exact sums and products."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import frexp, ldexp

from .builder import Builder, Number, Value, single
from .coefficients import COEFFICIENTS


@dataclass(frozen=True)
class Format:
    """A floating-point format: its names here and in the IR, widths in bits, and constants that depend on it."""

    short: str
    type: str
    integer: str
    width: int
    #: Bits of the mantissa that are stored.
    mantissa: int
    bias: int
    #: Added and taken away again, rounds to a whole number, which then lies in the lowest bits.
    magic: float
    least_normal: float

    @property
    def sign(self) -> int:
        return 1 << (self.width - 1)

    @property
    def root_half(self) -> int:
        """The bits of sqrt(1/2)."""
        return 0x3F3504F3 if self.short == "f32" else 0x3FE6A09E667F3BCD

    def constant(self, value: float) -> float:
        """The nearest number of the format."""
        return single(value) if self.short == "f32" else value


def _cut(value: float, bits: int) -> float:
    """The nearest number of so many bits."""
    mantissa, exponent = frexp(value)
    return ldexp(round(ldexp(mantissa, bits)), exponent - bits)


F32 = Format("f32", "float", "i32", 32, 23, 127, 12582912.0, 2.0**-126)
F64 = Format("f64", "double", "i64", 64, 52, 1023, 6755399441055744.0, 2.0**-1022)
FORMATS = {"float": F32, "double": F64}
LN2 = 0.6931471805599453
INFINITY = float("inf")
NAN = float("nan")


def format_of(value: Value) -> Format:
    return FORMATS[value.type]


def coefficients(name: str, value: Value) -> tuple[float, ...]:
    """The coefficients of a polynomial in a value, of its type."""
    return COEFFICIENTS[(name, format_of(value).short)]


def wide_coefficients(name: str) -> tuple[float, ...]:
    return COEFFICIENTS[(f"wide_{name}", "f64")]


def parts(value: str, *bits: int) -> list[float]:
    """A constant, given by its digits, as a sum: parts of so many bits each, and the rest as f64."""
    left, listed = Fraction(value), []
    for width in bits:
        part = _cut(float(left), width)
        listed.append(part)
        left -= Fraction(part)
    return [*listed, float(left)]


#: π/2 and log(2), 1/log(2), log10(2), 1/log(10) to 50 digits.
HALF_PI_DIGITS = "1.57079632679489661923132169163975144209858469968755"
LN2_DIGITS = "0.69314718055994530941723212145817656807550013436026"
LOG2_E_DIGITS = "1.44269504088896340735992468100189213742664595415299"
LOG10_2_DIGITS = "0.30102999566398119521373889472449302676818988146211"
LOG10_E_DIGITS = "0.43429448190325182765112891891660508229439700580367"


def two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """a + b exactly, as the rounded sum and what it lacks."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def fast_two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """a + b exactly where |a| ≥ |b|."""
    total = a + b
    return total, b - (total - a)


def halves(a: Value) -> tuple[Value, Value]:
    """A number as a sum of two with half as many bits each; products of such are exact."""
    form = format_of(a)
    mask = -(1 << (12 if form.short == "f32" else 27))
    high = a.builder.of_bits(a.builder.bits(a) & mask)
    return high, a - high


def two_product(a: Value, b: Value) -> tuple[Value, Value]:
    """a b exactly but for the last bit of the rest, as the rounded product and what it lacks."""
    a_high, a_low = halves(a)
    b_high, b_low = halves(b)
    total = a * b
    return total, ((a_high * b_high - total) + a_high * b_low + a_low * b_high) + a_low * b_low


def nearest_whole(x: Value) -> tuple[Value, Value]:
    """The nearest whole number, as a float and as an integer; for |x| below a quarter of the whole numbers that the format has."""
    form = format_of(x)
    shifted = x + form.magic
    return shifted - form.magic, x.builder.bits(shifted) - ((form.bias + form.mantissa) << form.mantissa | 1 << (form.mantissa - 1))


def power_of_two(b: Builder, exponent: Value) -> Value:
    """2^exponent for an exponent of a normal number; an exponent of -bias gives 0."""
    form = F32 if exponent.type == "i32" else F64
    return b.of_bits((exponent + form.bias) << form.mantissa)


def flushed(x: Value, result: Value, least: Number) -> Value:
    """0 where x lies below `least`."""
    return x.lt(least).select(0.0, result)


def clamped(x: Value, low: Number, high: Number) -> Value:
    """x within limits; what is no number stays so."""
    x = x.lt(low).select(float(low), x)
    return x.gt(high).select(float(high), x)
