"""One element of an elementwise operation on complex numbers, by its real and imaginary parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..builder import Code, literal
from ..types import LLVM
from .scalar import intrinsic, library

#: A complex number's parts.
Pair = tuple[str, str]


class Parts:
    """Arithmetic on the parts of complex numbers, which are of one type."""

    def __init__(self, code: Code, dtype: str) -> None:
        self.code = code
        self.dtype = dtype
        self.kind = LLVM[dtype]

    def number(self, value: float) -> str:
        return str(literal(value, self.dtype))

    def _two(self, operation: str, a: str, b: str) -> str:
        return self.code.value(f"{operation} {self.kind} {a}, {b}")

    def add(self, a: str, b: str) -> str:
        return self._two("fadd", a, b)

    def sub(self, a: str, b: str) -> str:
        return self._two("fsub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self._two("fmul", a, b)

    def div(self, a: str, b: str) -> str:
        return self._two("fdiv", a, b)

    def neg(self, a: str) -> str:
        return self.code.value(f"fneg {self.kind} {a}")

    def select(self, condition: str, a: str, b: str) -> str:
        return self.code.value(f"select i1 {condition}, {self.kind} {a}, {self.kind} {b}")

    def test(self, relation: str, a: str, b: str) -> str:
        return self.code.value(f"fcmp {relation} {self.kind} {a}, {b}")

    def call(self, name: str, *arguments: str) -> str:
        return library(self.code, name, arguments, self.dtype)

    def own(self, name: str, *arguments: str) -> str:
        return intrinsic(self.code, name, arguments, self.dtype)

    # Complex numbers

    def times(self, a: Pair, b: Pair) -> Pair:
        real = self.sub(self.mul(a[0], b[0]), self.mul(a[1], b[1]))
        return real, self.add(self.mul(a[0], b[1]), self.mul(a[1], b[0]))

    def over(self, a: Pair, b: Pair) -> Pair:
        """The quotient, scaled by the divisor's greater part so that nothing overflows."""
        size = self.own("maximum", self.own("fabs", b[0]), self.own("fabs", b[1]))
        usable = self.code.both(self.test("ogt", size, self.number(0.0)), self.test("olt", size, self.number(math.inf)))
        scale = self.select(usable, size, self.number(1.0))
        c, d = self.div(b[0], scale), self.div(b[1], scale)
        square = self.add(self.mul(c, c), self.mul(d, d))
        real = self.add(self.mul(a[0], c), self.mul(a[1], d))
        imaginary = self.sub(self.mul(a[1], c), self.mul(a[0], d))
        return self.div(self.div(real, square), scale), self.div(self.div(imaginary, square), scale)

    def size(self, a: Pair) -> str:
        """The absolute value, which overflows only where it has to."""
        x, y = self.own("fabs", a[0]), self.own("fabs", a[1])
        high, low = self.own("maximum", x, y), self.own("minimum", x, y)
        ratio = self.div(low, high)
        root = self.mul(high, self.own("sqrt", self.add(self.number(1.0), self.mul(ratio, ratio))))
        value = self.select(self.test("oeq", high, self.number(0.0)), high, root)
        equal = self.test("oeq", high, low)
        value = self.select(equal, self.mul(high, self.number(math.sqrt(2.0))), value)
        infinite = self.code.value(
            f"or i1 {self.test('oeq', x, self.number(math.inf))}, {self.test('oeq', y, self.number(math.inf))}"
        )
        return self.select(infinite, self.number(math.inf), value)

    def exp(self, a: Pair) -> Pair:
        grown = self.call("exp", a[0])
        flat = self.test("oeq", a[1], self.number(0.0))
        imaginary = self.mul(grown, self.call("sin", a[1]))
        return self.mul(grown, self.call("cos", a[1])), self.select(flat, a[1], imaginary)

    def log(self, a: Pair) -> Pair:
        return self.log_size(a), self.call("atan2", a[1], a[0])

    def log_size(self, a: Pair) -> str:
        """The logarithm of the absolute value, exact near 1 as well."""
        x, y = self.own("fabs", a[0]), self.own("fabs", a[1])
        high, low = self.own("maximum", x, y), self.own("minimum", x, y)
        one = self.number(1.0)
        near = self.code.both(self.test("ogt", high, self.number(0.5)), self.test("olt", high, self.number(2.0)))
        # |a|² - 1 = (h - 1)(h + 1) + l²
        excess = self.add(self.mul(self.sub(high, one), self.add(high, one)), self.mul(low, low))
        close = self.mul(self.number(0.5), self.call("log1p", excess))
        return self.select(near, close, self.call("log", self.size(a)))

    def sqrt(self, a: Pair) -> Pair:
        """By the half of the absolute value plus the real part's."""
        size = self.size(a)
        part = self.own("sqrt", self.mul(self.number(0.5), self.add(size, self.own("fabs", a[0]))))
        other = self.div(self.own("fabs", a[1]), self.mul(self.number(2.0), part))
        zero = self.test("oeq", size, self.number(0.0))
        part = self.select(zero, self.number(0.0), part)
        other = self.select(zero, self.number(0.0), other)
        right = self.test("oge", a[0], self.number(0.0))
        imaginary = self.select(right, other, part)
        return self.select(right, part, other), self.own("copysign", imaginary, a[1])

    def sine(self, a: Pair) -> Pair:
        sinh, cosh = self.hyperbolic(a[1])
        return self.mul(self.call("sin", a[0]), cosh), self.mul(self.call("cos", a[0]), sinh)

    def cosine(self, a: Pair) -> Pair:
        sinh, cosh = self.hyperbolic(a[1])
        return self.mul(self.call("cos", a[0]), cosh), self.neg(self.mul(self.call("sin", a[0]), sinh))

    def hyperbolic(self, x: str) -> Pair:
        """The hyperbolic sine and cosine of a real number."""
        grown = self.call("expm1", self.own("fabs", x))
        one, half = self.number(1.0), self.number(0.5)
        whole = self.add(grown, one)
        inverse = self.div(one, whole)
        # sinh = (e + e / (e + 1)) / 2 with e = exp(x) - 1
        fraction = self.select(self.test("oeq", whole, self.number(math.inf)), one, self.div(grown, whole))
        sinh = self.mul(half, self.add(grown, fraction))
        return self.own("copysign", sinh, x), self.mul(half, self.add(whole, inverse))

    def tanh(self, a: Pair) -> Pair:
        """With t = tan(y), s = sinh(x): (s·√(1+s²)(1+t²) + i·t) / (1 + s²(1+t²))."""
        limit = self.number(40.0 if self.dtype == "f64" else 20.0)
        x = self.own("copysign", self.own("minimum", self.own("fabs", a[0]), limit), a[0])
        t = self.call("tan", a[1])
        beta = self.add(self.number(1.0), self.mul(t, t))
        s, c = self.hyperbolic(x)
        bottom = self.add(self.number(1.0), self.mul(beta, self.mul(s, s)))
        return self.div(self.mul(beta, self.mul(s, c)), bottom), self.div(t, bottom)

    def power(self, a: Pair, b: Pair) -> Pair:
        """exp(b · log a), by size and angle; 0 to the power 0 is 1, and 0 to a positive one 0."""
        size, angle = self.size(a), self.call("atan2", a[1], a[0])
        log = self.log_size(a)
        grown = self.call("exp", self.sub(self.mul(b[0], log), self.mul(b[1], angle)))
        turned = self.add(self.mul(b[1], log), self.mul(b[0], angle))
        real, imaginary = self.mul(grown, self.call("cos", turned)), self.mul(grown, self.call("sin", turned))
        zero = self.test("oeq", size, self.number(0.0))
        nothing = self.code.both(self.test("oeq", b[0], self.number(0.0)), self.test("oeq", b[1], self.number(0.0)))
        of_zero = self.select(nothing, self.number(1.0), self.number(0.0))
        return self.select(zero, of_zero, real), self.select(zero, self.number(0.0), imaginary)


def apply(code: Code, name: str, arguments: Sequence[Pair], dtype: str) -> Pair | None:
    """The result of an operation on complex numbers that gives one; ``dtype`` is that of the parts."""
    p = Parts(code, dtype)
    a = arguments[0]
    one: Pair = (p.number(1.0), p.number(0.0))
    if name in ("add", "subtract"):
        step = p.add if name == "add" else p.sub
        return step(a[0], arguments[1][0]), step(a[1], arguments[1][1])
    if name == "multiply":
        return p.times(a, arguments[1])
    if name == "divide":
        return p.over(a, arguments[1])
    if name == "power":
        return p.power(a, arguments[1])
    if name == "negate":
        return p.neg(a[0]), p.neg(a[1])
    if name in ("exponential", "log", "sqrt", "sine", "cosine", "tanh"):
        function = {"exponential": p.exp, "log": p.log, "sqrt": p.sqrt, "sine": p.sine, "cosine": p.cosine, "tanh": p.tanh}[name]
        return function(a)
    if name == "rsqrt":
        return p.over(one, p.sqrt(a))
    if name == "tan":
        turned = p.tanh((p.neg(a[1]), a[0]))
        return turned[1], p.neg(turned[0])
    if name == "logistic":
        grown = p.exp((p.neg(a[0]), p.neg(a[1])))
        return p.over(one, (p.add(grown[0], one[0]), grown[1]))
    if name == "log_plus_one":
        return p.log((p.add(a[0], one[0]), a[1]))
    if name == "exponential_minus_one":
        return _exp_minus_one(p, a)
    if name == "sign":
        size = p.size(a)
        zero = p.test("oeq", size, p.number(0.0))
        scaled = p.div(a[0], size), p.div(a[1], size)
        return p.select(zero, a[0], scaled[0]), p.select(zero, a[1], scaled[1])
    return None


def _exp_minus_one(p: Parts, a: Pair) -> Pair:
    """expm1(x)·cos y - 2 sin²(y/2), and eˣ sin y."""
    grown, half = p.call("expm1", a[0]), p.call("sin", p.mul(p.number(0.5), a[1]))
    real = p.sub(p.mul(grown, p.call("cos", a[1])), p.mul(p.number(2.0), p.mul(half, half)))
    return real, p.mul(p.add(grown, p.number(1.0)), p.call("sin", a[1]))
