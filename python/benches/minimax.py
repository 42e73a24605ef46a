"""Fits the polynomials of the importers' math library: minimax by Remez' exchange, coefficients rounded one after the other.

``python python/benches/minimax.py`` writes python/hotcell/_importing/math/coefficients.py anew; it needs mpmath and some minutes.
``python python/benches/minimax.py NAME …`` only prints those whose names begin so, with the error of each fit as a power of two.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 45
Real = Callable[[mpf], mpf]
WHERE = Path(__file__).parents[1] / "hotcell/_importing/math/coefficients.py"


def rounded(value: mpf, kind: str) -> mpf:
    if kind == "f32":
        # From mpf straight to 24 bits: by way of a double it would be rounded twice.
        with mp.workprec(24):
            return +value
    with mp.workprec(53):
        return +value


@dataclass
class Fit:
    """A polynomial of `count` coefficients for `target` on [low, high]: `weight` times the difference is as small as can be."""

    name: str
    kind: str
    target: Real
    low: object
    high: object
    count: int
    weight: Real
    #: Whether the coefficients are of Chebyshev's polynomials, where those of powers would be large and cancel.
    chebyshev: bool = False

    def grid(self) -> list[mpf]:
        """Points that lie closer together at the ends; not the ends themselves, where a formula may be 0/0."""
        low, high, many = mpf(self.low), mpf(self.high), max(200, 24 * self.count)
        angles = [mp.pi * (2 * i + 1) / (2 * many) for i in range(many)]
        return [(low + high) / 2 - (high - low) / 2 * mp.cos(angle) for angle in angles]

    def coefficients(self) -> tuple[list[mpf], mpf]:
        """The rounded coefficients and the greatest weighted error."""
        points = self.grid()
        weights = [self.weight(x) for x in points]
        left = [self.target(x) for x in points]
        if self.chebyshev:
            found = [rounded(c, self.kind) for c in of_chebyshev(remez(points, left, weights, 0, self.count))]
            return found, max(abs((y - clenshaw(found, x)) * w) for x, y, w in zip(points, left, weights))
        fixed: list[mpf] = []
        one_by_one = self.count if self.kind == "f32" else min(3, self.count - 1)
        while len(fixed) < self.count:
            found = remez(points, left, weights, len(fixed), self.count - len(fixed))
            take = found if len(fixed) >= one_by_one else found[:1]
            for coefficient in take:
                power, value = len(fixed), rounded(coefficient, self.kind)
                fixed.append(value)
                left = [y - value * x**power for x, y in zip(points, left)]
        return fixed, max(abs(y * w) for y, w in zip(left, weights))


def remez(points: list[mpf], values: list[mpf], weights: list[mpf], first: int, count: int) -> list[mpf]:
    """Coefficients of x^first … x^(first+count-1); of the steps the best, for with powers that vanish at 0 they need not settle."""
    many = len(points)
    chosen = [round((2 * i + 1) * many / (2 * (count + 1)) - 0.5) for i in range(count + 1)]
    if chosen[-1] >= many:
        chosen[-1] = many - 1
    best: list[mpf] = []
    least = mp.inf
    for _ in range(30):
        rows = mp.matrix(count + 1, count + 1)
        right = mp.matrix(count + 1, 1)
        for row, index in enumerate(chosen):
            x = points[index]
            for column in range(count):
                rows[row, column] = x ** (first + column) * weights[index]
            rows[row, count] = (-1) ** row
            right[row] = values[index] * weights[index]
        solved = mp.lu_solve(rows, right)
        found = [solved[i] for i in range(count)]
        level = abs(solved[count])
        errors = [w * (y - x**first * mp.polyval(found[::-1], x)) for x, y, w in zip(points, values, weights)]
        greatest = max(map(abs, errors))
        if greatest < least:
            best, least = found, greatest
        extremes = alternating(errors, count + 1)
        if extremes is None or extremes == chosen or greatest <= level * mpf("1.0005"):
            break
        chosen = extremes
    return best


def of_chebyshev(powers: list[mpf]) -> list[mpf]:
    """The same polynomial's coefficients of Chebyshev's polynomials: x T(k) = (T(k+1) + T(|k-1|)) / 2."""
    total = [mpf(0)] * len(powers)
    for coefficient in reversed(powers):
        shifted = [mpf(0)] * (len(powers) + 1)
        for k, value in enumerate(total):
            shifted[k + 1] += value / 2
            shifted[abs(k - 1)] += value / 2
        total = shifted[: len(powers)]
        total[0] += coefficient
    return total


def clenshaw(coefficients: list[mpf], x: mpf) -> mpf:
    after, last = mpf(0), mpf(0)
    for coefficient in reversed(coefficients[1:]):
        after, last = 2 * x * after - last + coefficient, after
    return x * after - last + coefficients[0]


def alternating(errors: list[mpf], count: int) -> list[int] | None:
    """Where the error is greatest in each stretch of one sign; `count` of them, the smallest at an end dropped."""
    best: list[int] = []
    for index, error in enumerate(errors):
        if error == 0:
            continue
        if best and (errors[best[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[best[-1]]):
                best[-1] = index
        else:
            best.append(index)
    while len(best) > count:
        best.pop(0 if abs(errors[best[0]]) < abs(errors[best[-1]]) else -1)
    return best if len(best) == count else None


def by_root(function: Real, order: int = 0) -> Real:
    """Of z the function of its root."""
    return lambda z: function(mp.sqrt(z)) / mp.sqrt(z) ** order


HALF_LN2 = mp.log(2) / 2 * mpf("1.0001")
QUARTER_PI = mp.pi / 4 * mpf("1.00001")


def atanh_tail(z: mpf) -> mpf:
    """(log((1+s)/(1-s)) - 2s) / s³ for z = s²."""
    if z < mpf("1e-8"):
        return mpf(2) / 3 + 2 * z / 5 + 2 * z * z / 7 + 2 * z**3 / 9 + 2 * z**4 / 11
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s**3


def odd_tail(function: Real) -> Real:
    """(f(x) - x) / x³ for z = x²."""

    def tail(z: mpf) -> mpf:
        with mp.workdps(90):
            x = mp.sqrt(z)
            return (function(x) - x) / x**3

    return tail


def odd_weight(function: Real) -> Real:
    return lambda z: mp.sqrt(z) ** 3 / function(mp.sqrt(z))


def precise(function: Real) -> Real:
    """With digits to lose."""

    def more(x: mpf) -> mpf:
        with mp.workdps(100):
            return function(x)

    return more


def erfcx(x: mpf) -> mpf:
    with mp.workdps(60):
        return mp.erfc(x) * mp.exp(x * x) if x < 60 else 1 / (x * mp.sqrt(mp.pi)) * (1 - 1 / (2 * x * x) + 3 / (4 * x**4))


ERFCX_CENTRE = 4


def erfcx_by_t(t: mpf) -> mpf:
    """(1 + 2x) erfcx(x), which goes from 1 to 2/sqrt(π), by t = (x-c)/(x+c)."""
    x = ERFCX_CENTRE * (1 + t) / (1 - t)
    return (1 + 2 * x) * erfcx(x)


def erfcx_weight(t: mpf) -> mpf:
    return 1 / erfcx_by_t(t)


def t_of(x: object) -> mpf:
    return (mpf(x) - ERFCX_CENTRE) / (mpf(x) + ERFCX_CENTRE)


ERF_CENTRE = mpf("2.25")


def erfc_log(u: mpf) -> mpf:
    """-log(erfc(x)) / x by u = x - centre."""
    x = u + ERF_CENTRE
    return -mp.log(mp.erfc(x)) / x


def erfc_log_weight(u: mpf) -> mpf:
    x = u + ERF_CENTRE
    return x * mp.erfc(x) / mp.erf(x)


def half_tail(z: mpf) -> mpf:
    """(atanh(s)/s - 1 - z/3) / z² for z = s²."""
    with mp.workdps(90):
        s = mp.sqrt(z)
        return (mp.atanh(s) / s - 1 - z / 3) / z**2


def stirling_tail(z: mpf) -> mpf:
    """x (lgamma(x) - ((x - 1/2) log(x) - x + log(2π)/2)) for z = 1/x²."""
    with mp.workdps(60):
        x = 1 / mp.sqrt(z)
        return x * (mp.loggamma(x) - ((x - mpf(1) / 2) * mp.log(x) - x + mp.log(2 * mp.pi) / 2))


def digamma_tail(z: mpf) -> mpf:
    """x² (log(x) - 1/(2x) - ψ(x)) for z = 1/x²."""
    with mp.workdps(60):
        x = 1 / mp.sqrt(z)
        return x * x * (mp.log(x) - 1 / (2 * x) - mp.digamma(x))


def erf_inv_slope(x: mpf) -> mpf:
    """erf_inv(x) / x."""
    return mp.erfinv(x) / x


def erf_inv_by_w(w: mpf) -> mpf:
    """erf_inv(x) / x where w = -log(1 - x²)."""
    with mp.workdps(80):
        if w < mpf("1e-12"):
            return mp.sqrt(mp.pi) / 2 * (1 + mp.pi / 12 * w)
        q = mp.exp(-w)
        x = mp.sqrt(1 - q)
        # 1 - x without cancellation.
        tail = q / (1 + x)
        guess = mp.sqrt(w) if w > 3 else mp.sqrt(mp.pi) / 2 * x
        y = mpf(guess)
        for _ in range(60):
            # Halley's step for erfc(y) = 1 - x.
            error = (mp.erfc(y) - tail) / (2 / mp.sqrt(mp.pi) * mp.exp(-y * y))
            step = error / (1 - y * error)
            y += step
            if abs(step) < mpf(10) ** -60 * abs(y):
                break
        return y / x


def bessel_low(order: int) -> Real:
    """(1+x) exp(-x) I0(x) or (1+x)² exp(-x) I1(x) / x, which vary little, by t = x/4 - 1, for x up to 8."""

    def scaled(t: mpf) -> mpf:
        x = 4 * (t + 1)
        return (1 + x) ** (1 + order) * mp.exp(-x) * mp.besseli(order, x) / x**order

    return scaled


def bessel_high(order: int) -> Real:
    """sqrt(x) exp(-x) I(x) by t = 16/x - 1, for x from 8."""

    def scaled(t: mpf) -> mpf:
        x = 16 / (t + 1)
        if x > 20000:
            mu, total, term = mpf(4 * order * order), mpf(1), mpf(1)
            for k in range(1, 12):
                term *= -(mu - (2 * k - 1) ** 2) / (k * 8 * x)
                total += term
            return total / mp.sqrt(2 * mp.pi)
        return mp.sqrt(x) * mp.exp(-x) * mp.besseli(order, x)

    return scaled


def one(_: mpf) -> mpf:
    return mpf(1)


def over(function: Real) -> Real:
    """The weight of a relative error."""
    return lambda x: 1 / function(x)


def both(name: str, counts: tuple[int, int], target: Real, low: object, high: object, weight: Real) -> list[Fit]:
    return [Fit(name, kind, target, low, high, count, weight) for kind, count in zip(("f32", "f64"), counts)]


def wide(name: str, count: int, target: Real, low: object, high: object, weight: Real) -> list[Fit]:
    """For f32 functions that go by way of f64."""
    return [Fit(f"wide_{name}", "f64", target, low, high, count, weight)]


def fits() -> list[Fit]:
    exp_tail = precise(lambda r: (mp.exp(r) - 1 - r) / r**2)
    exp_weight: Real = lambda r: r**2 / mp.exp(r)
    cosh_tail: Real = lambda z: odd_less(mp.cosh, z)
    log_high = mpf("0.0295")
    cos_tail = precise(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2)
    gamma_core: Real = lambda d: (mp.loggamma(2 + d) / d) if abs(d) > mpf("1e-20") else 1 - mp.euler
    erf_tail = precise(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1)
    erf_weight: Real = lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z))
    return [
        *both("exp", (5, 10), exp_tail, -HALF_LN2, HALF_LN2, exp_weight),
        *both("sinh", (3, 6), odd_tail(mp.sinh), 0, HALF_LN2**2, odd_weight(mp.sinh)),
        *both("cosh", (3, 6), cosh_tail, 0, HALF_LN2**2, lambda z: z),
        *both("exp2", (5, 10), precise(lambda r: (mpf(2) ** r - 1 - r * mp.log(2)) / r**2), "-0.5", "0.5", lambda r: r * r / mpf(2) ** r),
        *both("log", (4, 7), atanh_tail, 0, log_high, lambda z: z * mp.sqrt(z) / (2 * mp.atanh(mp.sqrt(z)))),
        *both("sin", (3, 6), odd_tail(mp.sin), 0, QUARTER_PI**2, odd_weight(mp.sin)),
        *both("cos", (3, 6), cos_tail, 0, QUARTER_PI**2, lambda z: z**2 / mp.cos(mp.sqrt(z))),
        *both("asin", (6, 14), odd_tail(mp.asin), 0, "0.2501", odd_weight(mp.asin)),
        *both("atan", (10, 21), odd_tail(mp.atan), 0, "1.0001", odd_weight(mp.atan)),
        *both("tanh", (8, 16), odd_tail(mp.tanh), 0, "1.0001", odd_weight(mp.tanh)),
        *both("sinh_one", (4, 8), odd_tail(mp.sinh), 0, "1.0001", odd_weight(mp.sinh)),
        *both("erf", (7, 13), erf_tail, 0, "0.86", erf_weight),
        Fit("erf_log", "f32", erfc_log, mpf("0.91") - ERF_CENTRE, mpf("4.001") - ERF_CENTRE, 8, erfc_log_weight),
        Fit("pow_log", "f64", half_tail, 0, log_high, 9, lambda z: z * z),
        Fit("erfcx", "f64", erfcx_by_t, t_of("0.45"), t_of("27.5"), 24, erfcx_weight),
        *wide("log", 5, atanh_tail, 0, log_high, lambda z: z * mp.sqrt(z) / (2 * mp.atanh(mp.sqrt(z)))),
        *wide("exp2", 8, lambda r: mpf(2) ** r, "-0.5", "0.5", lambda r: mpf(2) ** -r),
        *wide("sin", 4, odd_tail(mp.sin), 0, QUARTER_PI**2, odd_weight(mp.sin)),
        *wide("cos", 4, cos_tail, 0, QUARTER_PI**2, lambda z: z**2 / mp.cos(mp.sqrt(z))),
        *wide("atan", 12, odd_tail(mp.atan), 0, "1.0001", odd_weight(mp.atan)),
        *wide("erfcx", 11, erfcx_by_t, t_of("0.45"), t_of("10.2"), erfcx_weight),
        Fit("gamma", "f64", gamma_core, "-0.5001", "0.5001", 19, over(gamma_core)),
        Fit("stirling", "f64", stirling_tail, "1e-12", mpf(1) / 63, 7, one),
        Fit("digamma", "f64", digamma_tail, "1e-12", mpf(1) / 63, 8, one),
        *wide("erf_inv_low", 12, lambda u: erf_inv_by_w(u + mpf("2.5")), "-2.5", "2.51", over(lambda u: erf_inv_by_w(u + mpf("2.5")))),
        *wide("erf_inv_high", 12, erf_inv_by_v(3), mp.sqrt(5) - 3, "1.1", over(erf_inv_by_v(3))),
        Fit(
            "erf_inv_low",
            "f64",
            lambda u: erf_inv_by_w(u + mpf("3.125")),
            "-3.125",
            "3.126",
            25,
            over(lambda u: erf_inv_by_w(u + mpf("3.125"))),
        ),
        Fit("erf_inv_middle", "f64", erf_inv_by_v("3.25"), "-0.7501", "0.7501", 21, over(erf_inv_by_v("3.25"))),
        Fit("erf_inv_high", "f64", erf_inv_by_v("5"), "-1.0001", "1.1", 21, over(erf_inv_by_v("5"))),
        *[
            fit
            for order in (0, 1)
            for fit in (
                Fit(f"i{order}e_low", "f64", bessel_low(order), -1, "1", 32, over(bessel_low(order)), chebyshev=True),
                Fit(f"i{order}e_high", "f64", bessel_high(order), -1, "1", 27, over(bessel_high(order)), chebyshev=True),
                Fit(f"wide_i{order}e_low", "f64", bessel_low(order), -1, "1", 20, over(bessel_low(order))),
                Fit(f"wide_i{order}e_high", "f64", bessel_high(order), -1, "1.0001", 7, over(bessel_high(order))),
            )
        ],
    ]


def odd_less(function: Real, z: mpf) -> mpf:
    """(f(x) - 1) / x² for z = x²."""
    with mp.workdps(90):
        return (function(mp.sqrt(z)) - 1) / z


def erf_inv_by_v(centre: object) -> Real:
    """erf_inv(x) / x by u = sqrt(-log(1 - x²)) - centre."""
    return lambda u: erf_inv_by_w((u + mpf(centre)) ** 2)


def shortest(value: mpf, kind: str) -> str:
    if kind == "f64":
        return repr(float(value))
    number = float(value)
    for digits in range(6, 10):
        text = f"{number:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", number):
            return repr(float(text))
    return repr(number)


HEAD = '''"""Coefficients of the polynomials, lowest power first; `wide_` ones are of f64 for f32 functions that go by way of it.

Made by python/benches/minimax.py, which says what each approximates and where; not to be changed by hand.
"""

from __future__ import annotations

#: By name and type. The comment is the greatest weighted error of the fit, as a power of two.
COEFFICIENTS: dict[tuple[str, str], tuple[float, ...]] = {
'''


def main(wanted: list[str]) -> None:
    text = HEAD
    for fit in fits():
        if wanted and not any(fit.name.startswith(name) for name in wanted):
            continue
        coefficients, error = fit.coefficients()
        line = f"2^{float(mp.log(error, 2)):.1f}"
        print(f"{fit.name} {fit.kind} {fit.count}: {line}", file=sys.stderr, flush=True)
        listed = "".join(f"        {shortest(value, fit.kind)},\n" for value in coefficients)
        text += f'    # {line}\n    ("{fit.name}", "{fit.kind}"): (\n{listed}    ),\n'
    text += "}\n"
    if wanted:
        print(text)
    else:
        WHERE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
