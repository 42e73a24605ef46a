"""Hurwitz' zeta function, and the derivatives of digamma by it. These have a loop: they are not inlined and stay scalar."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial

from .builder import Builder, Value
from .pieces import INFINITY, NAN, format_of
from .registry import function

#: From here on, and after as many terms at least, Euler's and Maclaurin's formula is good.
START = 10
#: The most negative q: every whole number to START costs a term.
LEAST = -10_000.0
TERMS = 12


def _bernoulli(count: int) -> list[Fraction]:
    numbers = [Fraction(1)]
    for n in range(1, count):
        numbers.append(-sum((comb(n + 1, k) * numbers[k] for k in range(n)), Fraction(0)) / (n + 1))
    return numbers


#: B(2j) / (2j)!
COEFFICIENTS = [float(number / factorial(2 * j)) for j, number in enumerate(_bernoulli(2 * TERMS + 1)[::2])][1:]


@function(
    "zeta",
    "Hurwitz' zeta function of s and q, the sum of (q+k) to the -s; no number below s = 1, below q = -10000, of infinities.",
    arity=2,
    f32=0.55,
    f64=9.0,
    branches=True,
)
def zeta(b: Builder, s: Value, q: Value) -> Value:
    if format_of(s).short == "f32":
        return b.narrowed(b.call("zeta", b.widened(s), b.widened(q)))
    whole = b.intrinsic("floor", q).eq(q)
    good = s.gt(1.0) & s.lt(INFINITY) & q.ge(LEAST) & q.lt(INFINITY)
    first = good.select(q, 1.0)
    b.jump("turn")
    b.label("turn")
    a = b.phi("double", "a", [(first, "entry"), (Value(b, "double", "%more"), "body")])
    total = b.phi("double", "total", [(0.0, "entry"), (Value(b, "double", "%with"), "body")])
    count = b.phi("i32", "count", [(0, "entry"), (Value(b, "i32", "%counted"), "body")])
    b.branch(a.lt(float(START)) | count.lt(START), "body", "end")
    b.label("body")
    term = b.call("pow", a, -s)
    b.lines.append(f"  %with = fadd double {total.text}, {term.text}")
    b.lines.append(f"  %counted = add i32 {count.text}, 1")
    b.lines.append(f"  %more = fadd double {a.text}, {b.operand(1.0, 'double').text}")
    b.jump("turn")
    b.label("end")
    power = b.call("pow", a, -s)
    inverse = 1.0 / a
    tail = power * (a / (s - 1.0)) + 0.5 * power
    factor, step, series = s, power * inverse, b.constant(0.0, "double")
    for j, coefficient in enumerate(COEFFICIENTS):
        series = series + coefficient * (factor * step)
        factor, step = factor * ((s + (2.0 * j + 1.0)) * (s + (2.0 * j + 2.0))), step * (inverse * inverse)
    result = total + (tail + series)
    # Of a large s the series is not good, and may be no number; there the first terms are all.
    result = power.le(total * 2.0**-60).select(total, result)
    # Poles and what is beyond the definition are as in XLA: an even s has infinities on both sides of a pole.
    result = (good & ~(q.lt(0.0) & b.intrinsic("floor", s).ne(s))).select(result, NAN)
    even = b.intrinsic("floor", 0.5 * s).eq(0.5 * s) & b.abs(s).lt(INFINITY)
    result = (whole & q.le(0.0)).select(even.select(INFINITY, b.constant(NAN, "double")), result)
    result = q.is_nan().select(q, result)
    return s.eq(1.0).select(INFINITY, s.is_nan().select(s, result))


@function(
    "polygamma",
    "The derivative of digamma of an order, which is a whole number; of order 0 digamma itself.",
    arity=2,
    f32=0.55,
    f64=24.0,
    branches=True,
)
def polygamma(b: Builder, order: Value, x: Value) -> Value:
    if format_of(x).short == "f32":
        return b.narrowed(b.call("polygamma", b.widened(order), b.widened(x)))
    more = order + 1.0
    size = b.call("exp", b.call("lgamma", more)) * b.call("zeta", more, x)
    odd = b.intrinsic("floor", 0.5 * order).ne(0.5 * order)
    result = order.eq(0.0).select(b.call("digamma", x), odd.select(size, -size))
    meant = order.ge(0.0) & b.intrinsic("floor", order).eq(order)
    return x.is_nan().select(x, order.is_nan().select(order, meant.select(result, NAN)))
