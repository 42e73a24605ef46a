"""sin, cos and tan, right for every argument.

An argument is reduced to k quarters of a turn and an angle of at most π/4. For f32 that is done in f64: x times 2/π without whole turns,
by products with parts of 2/π that are exact (after M. Payne and R. Hanek, "Radian reduction for trigonometric functions", 1983). Which
parts count, the argument's size says. For f64 the same is done in integers of 192 bits; the words of 2/π come from a table, the only one
of the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .builder import Builder, Value
from .pieces import F64, HALF_PI_DIGITS, coefficients, fast_two_sum, format_of, nearest_whole, parts, two_product, wide_coefficients
from .registry import function

TABLE_NAME = "@hotcell.two_over_pi"
#: Bits of a part of 2/π: products with f32's 24 are exact in f64.
PART_BITS = 29
#: How far arguments' sizes go in one band, as powers of two: narrower than a part, for then the third's last bit is small enough.
BAND_BITS = 27
#: The first word of the table is 0, for arguments that need no more than 2/π's first bits.
WORDS = 20


def _arctan_of_inverse(n: int, bits: int) -> int:
    """arctan(1/n) 2^bits."""
    term = (1 << bits) // n
    total, power, sign = term, 1, -1
    while term:
        term //= n * n
        power += 2
        total += sign * (term // power)
        sign = -sign
    return total


def _two_over_pi(bits: int) -> int:
    """floor(2/π 2^bits), by Machin's formula."""
    more = bits + 64
    pi = 4 * (4 * _arctan_of_inverse(5, more) - _arctan_of_inverse(239, more))
    return (2 << (bits + more)) // pi


def _table() -> str:
    bits = _two_over_pi(64 * WORDS)
    words = [0] + [(bits >> (64 * (WORDS - 1 - index))) & (2**64 - 1) for index in range(WORDS)]
    listed = ", ".join(f"i64 {word - (1 << 64) if word >> 63 else word}" for word in words)
    return f"{TABLE_NAME} = internal unnamed_addr constant [{WORDS + 1} x i64] [{listed}], align 16\n"


TABLE = _table()


def _turn_parts() -> list[tuple[float, float, float]]:
    """By the argument's size, 2/π without what gives whole turns: two parts of 29 bits, and one of 53."""
    many = 400
    bits = _two_over_pi(many)
    listed = []
    for band in range(4):
        first = band * BAND_BITS
        values = []
        for index in range(2):
            start = first + index * PART_BITS
            part = (bits >> (many - start - PART_BITS)) & ((1 << PART_BITS) - 1)
            values.append(float(Fraction(part, 1 << (start + PART_BITS))))
        start = first + 2 * PART_BITS
        values.append(float(Fraction(bits & ((1 << (many - start)) - 1), 1 << many)))
        listed.append((values[0], values[1], values[2]))
    return listed


TURN_PARTS = _turn_parts()


@dataclass(frozen=True)
class Angle:
    """k quarters of a turn, in the lowest bits of an integer, and r + low of at most π/4."""

    k: Value
    r: Value
    low: Value


def reduced_single(b: Builder, size: Value) -> tuple[Value, Value]:
    """Of |x| in f64, which was f32: k and the angle in f64, right to some 50 bits of f32's hardest."""
    first, second, third = (b.operand(part, "double") for part in TURN_PARTS[0])
    for band in range(1, 4):
        # From here on whatever the bits before give is whole turns.
        beyond = size.ge(2.0 ** (25 + band * BAND_BITS))
        first, second, third = (beyond.select(part, was) for part, was in zip(TURN_PARTS[band], (first, second, third)))
    product = size * first
    # Quarters, without whole turns; exact, as the next product is.
    quarters = product - 4.0 * b.intrinsic("roundeven", 0.25 * product)
    second = size * second
    third = size * third
    whole, k = nearest_whole((quarters + second) + third)
    angle = (((quarters - whole) + second) + third) * float(HALF_PI_DIGITS)
    return b.append("i32", f"trunc i64 {k.text} to i32"), angle


def reduced(b: Builder, size: Value) -> Angle:
    """Of |x|."""
    if format_of(size).short == "f32":
        k, angle = reduced_single(b, b.widened(size))
        r = b.narrowed(angle)
        return Angle(k, r, b.narrowed(angle - b.widened(r)))
    return reduced_double(b, size)


def reduced_double(b: Builder, size: Value) -> Angle:
    bits = b.bits(size)
    mantissa = (bits & ((1 << 52) - 1)) | (1 << 52)
    # x = mantissa 2^(exponent - 1075); of 2/π the bits before `start` give whole turns. Small x needs no more than the first
    # word, which is 0.
    exponent = bits >> 52
    start = exponent - (1075 - 62)
    start = start.lt(0).select(0, start)
    # What is no number reads no further than the table's end.
    start = start.gt(2046 - 1013).select(2046 - 1013, start)
    word, shift = start >> 6, start & 63
    words = [_loaded(b, word + index) for index in range(4)]
    window = [_joined(words[index], words[index + 1], shift) for index in range(3)]
    high, low = _product(b, mantissa, window)
    # The nearest quarter; what is left, with its sign, is the angle.
    k = (high + (1 << 61)) >> 62
    left = high - (k << 62)
    turned = left.ashr(63)
    # As a number without a sign, so that its leading bits give the rounded part.
    left_high, left_low = left ^ turned, low ^ turned
    # 2^-62 each; the top part has at most 32 bits, the next two 32 and 32.
    pieces = [left_high >> 32, left_high & 0xFFFFFFFF, left_low >> 32, left_low & 0xFFFFFFFF]
    scales = [2.0**-30, 2.0**-62, 2.0**-94, 2.0**-126]
    a, c, d, e = (_unsigned(b, piece) * scale for piece, scale in zip(pieces, scales))
    top, rest = fast_two_sum(a, c)
    top, rest = fast_two_sum(top, rest + (d + e))
    half_pi, half_pi_low = parts(HALF_PI_DIGITS, 53)
    product, product_low = two_product(top, b.operand(half_pi, "double"))
    r, r_low = fast_two_sum(product, product_low + (top * half_pi_low + rest * half_pi))
    sign = turned & F64.sign
    small = size.lt(0.78)
    # An infinity is given on as what is no number.
    r = small.select(size, b.of_bits(b.bits(r) ^ sign) + (size - size))
    return Angle(small.select(0, k), r, small.select(0.0, b.of_bits(b.bits(r_low) ^ sign)))


def _loaded(b: Builder, index: Value) -> Value:
    pointer = b.append("ptr", f"getelementptr inbounds i64, ptr {TABLE_NAME}, i64 {index.text}")
    return b.append("i64", f"load i64, ptr {pointer.text}, align 8")


def _joined(first: Value, second: Value, shift: Value) -> Value:
    """64 bits from `shift` on of two words."""
    return (first << shift) | ((second >> 1) >> (63 - shift))


def _product(b: Builder, m: Value, window: list[Value]) -> tuple[Value, Value]:
    """Bits 64 … 191 of m times 192 bits, but for what comes from the lowest."""
    low_32 = 0xFFFFFFFF
    m_high, m_low = m >> 32, m & low_32

    def full(word: Value) -> tuple[Value, Value]:
        """The 128 bits of m times a word."""
        high, low = word >> 32, word & low_32
        cross = m_low * high + ((m_low * low) >> 32)
        middle = m_high * low + (cross & low_32)
        return m_high * high + (cross >> 32) + (middle >> 32), m * word

    second_high, second_low = full(window[1])
    third_high, _ = full(window[2])
    low = second_low + third_high
    carry = low.ult(second_low).select(1, b.constant(0, "i64"))
    return m * window[0] + second_high + carry, low


def _unsigned(b: Builder, piece: Value) -> Value:
    """32 bits as a float: in the mantissa of 2^52."""
    return b.of_bits(piece | 0x4330000000000000) - 2.0**52


def sine(b: Builder, angle: Angle) -> Value:
    r, z = angle.r, angle.r * angle.r
    return r + (angle.low * (1.0 - 0.5 * z) + r * z * b.horner(z, coefficients("sin", r)))


def cosine(b: Builder, angle: Angle) -> Value:
    r, z = angle.r, angle.r * angle.r
    half = 0.5 * z
    first = 1.0 - half
    return first + (((1.0 - first) - half) + (z * z * b.horner(z, coefficients("cos", r)) - r * angle.low))


def _sign_of(b: Builder, k: Value) -> Value:
    """The sign bit where k's second bit is set."""
    return (k & 2) << (30 if k.type == "i32" else 62)


def _signed(b: Builder, value: Value, sign: Value) -> Value:
    return b.of_bits(b.bits(value) ^ sign)


@function("sin", "The sine of an angle in radians.", f32=0.85, f64=0.9)
def sin(b: Builder, x: Value) -> Value:
    angle = reduced(b, b.abs(x))
    odd = (angle.k & 1).ne(0)
    result = odd.select(cosine(b, angle), sine(b, angle))
    return _signed(b, result, _sign_of(b, angle.k) ^ (b.bits(x) & format_of(x).sign))


@function("cos", "The cosine of an angle in radians.", f32=0.85, f64=0.9)
def cos(b: Builder, x: Value) -> Value:
    angle = reduced(b, b.abs(x))
    odd = (angle.k & 1).ne(0)
    result = odd.select(sine(b, angle), cosine(b, angle))
    return _signed(b, result, _sign_of(b, angle.k + 1))


@function("tan", "The tangent of an angle in radians.", f32=0.55, f64=3.0)
def tan(b: Builder, x: Value) -> Value:
    if format_of(x).short == "f32":
        k, angle = reduced_single(b, b.widened(b.abs(x)))
        z = angle * angle
        sine_, cosine_ = (
            angle + angle * z * b.horner(z, wide_coefficients("sin")),
            1.0 - z * (0.5 - z * b.horner(z, wide_coefficients("cos"))),
        )
    else:
        both = reduced(b, b.abs(x))
        k, sine_, cosine_ = both.k, sine(b, both), cosine(b, both)
    odd = (k & 1).ne(0)
    result = odd.select(cosine_, sine_) / odd.select(-sine_, cosine_)
    if format_of(x).short == "f32":
        result = b.narrowed(result)
    return _signed(b, result, b.bits(x) & format_of(x).sign)
