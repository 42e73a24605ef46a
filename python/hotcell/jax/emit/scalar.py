"""One element of an elementwise operation on real numbers, with XLA's semantics on the CPU.

Half precision is computed in single and rounded to nearest even after each operation. Whole numbers wrap; what divides by zero, shifts too
far, or does not fit where it is converted to, gives what XLA gives.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import Code, literal
from ..types import LLVM, SIZE, bits, is_float, is_signed

#: Functions of the math library by StableHLO's names.
LIBRARY = {
    "exponential": "exp", "exponential_minus_one": "expm1", "log": "log", "log_plus_one": "log1p", "sine": "sin", "cosine": "cos",
    "tan": "tan", "tanh": "tanh", "power": "pow", "cbrt": "cbrt", "atan2": "atan2", "erf": "erf", "remainder": "rem",
    "logistic": "logistic", "erf_inv": "erf_inv", "erfc": "erfc", "lgamma": "lgamma", "digamma": "digamma", "sinh": "sinh", "cosh": "cosh",
    "asin": "asin", "acos": "acos", "atan": "atan", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "bessel_i1e": "bessel_i1e",
    "bessel_i0e": "bessel_i0e", "next_after": "next_after", "polygamma": "polygamma", "zeta": "zeta", "round_nearest_afz": "round_away",
}  # fmt: skip
#: About how many additions each costs.
COST = {
    "exponential": 12, "exponential_minus_one": 20, "log": 14, "log_plus_one": 20, "sine": 20, "cosine": 20, "tan": 25, "tanh": 18,
    "power": 40, "cbrt": 20, "atan2": 25, "erf": 20, "remainder": 20, "logistic": 16, "divide": 4, "sqrt": 4, "rsqrt": 8,
    "erf_inv": 40, "erfc": 40, "lgamma": 60, "digamma": 60, "sinh": 20, "cosh": 20, "asin": 20, "acos": 20, "atan": 20, "asinh": 25, "acosh": 25,
    "atanh": 25, "bessel_i0e": 40, "bessel_i1e": 40, "next_after": 6, "polygamma": 200, "zeta": 200,
}  # fmt: skip
_INTRINSICS = {
    "sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil", "round_nearest_even": "roundeven", "maximum": "maximum",
    "minimum": "minimum", "copysign": "copysign",
}  # fmt: skip
_FLOAT = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
_INTEGER = {"add": "add", "subtract": "sub", "multiply": "mul", "and": "and", "or": "or", "xor": "xor"}


def suffix(dtype: str) -> str:
    """What functions on the dtype's values end with."""
    return "f64" if dtype == "f64" else "f32"


def rounded(code: Code, value: str, dtype: str) -> str:
    """A value that the dtype has."""
    if dtype in ("f16", "bf16"):
        return code.call("float", f"hotcell.round_{dtype}", [("float", value)])
    return value


def intrinsic(code: Code, name: str, arguments: Sequence[str], dtype: str) -> str:
    """A function of LLVM on floats that is an instruction of WebAssembly."""
    kind = LLVM[dtype]
    return code.call(kind, f"llvm.{name}.{suffix(dtype)}", [(kind, one) for one in arguments])


def library(code: Code, name: str, arguments: Sequence[str], dtype: str) -> str:
    """A function of the math library."""
    kind = LLVM[dtype]
    return code.call(kind, f"hotcell.{name}.{suffix(dtype)}", [(kind, one) for one in arguments])


def apply(code: Code, name: str, arguments: Sequence[str], dtype: str) -> str | None:
    """The result of an operation whose operands and result are of one real type; ``None`` where it is not known."""
    if is_float(dtype):
        value = _float(code, name, arguments, dtype)
        return None if value is None else rounded(code, value, dtype) if name not in _EXACT else value
    return _bool(code, name, arguments) if dtype == "bool" else _integer(code, name, arguments, dtype)


#: Operations whose result needs no rounding.
_EXACT = frozenset({"abs", "negate", "maximum", "minimum", "sign", "floor", "ceil", "round_nearest_even", "round_nearest_afz"})


def _float(code: Code, name: str, a: Sequence[str], dtype: str) -> str | None:
    kind = LLVM[dtype]
    one, zero = literal(1.0, dtype), literal(0.0, dtype)
    if name in _FLOAT:
        return code.value(f"{_FLOAT[name]} {kind} {a[0]}, {a[1]}")
    if name in _INTRINSICS:
        return intrinsic(code, _INTRINSICS[name], a, dtype)
    if name in LIBRARY:
        return library(code, LIBRARY[name], a, dtype)
    if name == "negate":
        return code.value(f"fneg {kind} {a[0]}")
    if name == "rsqrt":
        return code.value(f"fdiv {kind} {one}, {intrinsic(code, 'sqrt', a, dtype)}")
    if name == "sign":
        signed = intrinsic(code, "copysign", [one, a[0]], dtype)
        moves = code.value(f"fcmp one {kind} {a[0]}, {zero}")
        return code.value(f"select i1 {moves}, {kind} {signed}, {kind} {a[0]}")
    return None


def _integer(code: Code, name: str, a: Sequence[str], dtype: str) -> str | None:
    kind, signed = LLVM[dtype], is_signed(dtype)
    if name in _INTEGER:
        return code.value(f"{_INTEGER[name]} {kind} {a[0]}, {a[1]}")
    if name in ("maximum", "minimum"):
        return code.call(kind, f"llvm.{'s' if signed else 'u'}{name[:3]}.{kind}", [(kind, a[0]), (kind, a[1])])
    if name in ("divide", "remainder"):
        return _divided(code, name, a, dtype)
    if name.startswith("shift_"):
        return _shifted(code, name, a, dtype)
    if name == "negate":
        return code.value(f"sub {kind} 0, {a[0]}")
    if name == "not":
        return code.value(f"xor {kind} {a[0]}, -1")
    if name == "abs":
        return code.call(kind, f"llvm.abs.{kind}", [(kind, a[0]), ("i1", "false")]) if signed else a[0]
    if name == "sign":
        positive = code.value(f"zext i1 {code.value(f'icmp ne {kind} {a[0]}, 0')} to {kind}")
        if not signed:
            return positive
        return code.value(f"or {kind} {positive}, {code.value(f'ashr {kind} {a[0]}, {bits(dtype) - 1}')}")
    if name == "popcnt":
        return code.call(kind, f"llvm.ctpop.{kind}", [(kind, a[0])])
    if name == "count_leading_zeros":
        return code.call(kind, f"llvm.ctlz.{kind}", [(kind, a[0]), ("i1", "false")])
    if name == "power":
        return _whole_power(code, a, dtype)
    return None


def _divided(code: Code, name: str, a: Sequence[str], dtype: str) -> str:
    """x / 0 is -1, x % 0 is x, and the least number by -1 wraps."""
    kind, signed = LLVM[dtype], is_signed(dtype)
    zero = code.value(f"icmp eq {kind} {a[1]}, 0")
    unsafe = zero
    if signed:
        least = code.value(f"icmp eq {kind} {a[0]}, {-(1 << (bits(dtype) - 1))}")
        minus = code.value(f"icmp eq {kind} {a[1]}, -1")
        unsafe = code.value(f"or i1 {zero}, {code.value(f'and i1 {least}, {minus}')}")
    divisor = code.value(f"select i1 {unsafe}, {kind} 1, {kind} {a[1]}")
    if name == "divide":
        quotient = code.value(f"{'s' if signed else 'u'}div {kind} {a[0]}, {divisor}")
        return code.value(f"select i1 {zero}, {kind} -1, {kind} {quotient}")
    rest = code.value(f"{'s' if signed else 'u'}rem {kind} {a[0]}, {divisor}")
    return code.value(f"select i1 {zero}, {kind} {a[0]}, {kind} {rest}")


def _shifted(code: Code, name: str, a: Sequence[str], dtype: str) -> str:
    kind, width = LLVM[dtype], bits(dtype)
    operation = {"shift_left": "shl", "shift_right_logical": "lshr", "shift_right_arithmetic": "ashr"}[name]
    if not a[1].startswith("%"):
        amount = int(a[1])
        if 0 <= amount < width:
            return code.value(f"{operation} {kind} {a[0]}, {amount}")
    fits = code.value(f"icmp ult {kind} {a[1]}, {width}")
    if operation == "ashr":
        amount_ = code.value(f"select i1 {fits}, {kind} {a[1]}, {kind} {width - 1}")
        return code.value(f"ashr {kind} {a[0]}, {amount_}")
    safe = code.value(f"select i1 {fits}, {kind} {a[1]}, {kind} 0")
    shifted = code.value(f"{operation} {kind} {a[0]}, {safe}")
    return code.value(f"select i1 {fits}, {kind} {shifted}, {kind} 0")


def _whole_power(code: Code, a: Sequence[str], dtype: str) -> str:
    """By squaring; a negative exponent gives 1 for 1, ±1 for -1 and 0 for others."""
    kind = LLVM[dtype]

    def body(base: str, exponent: str, result: str) -> list[str]:
        odd = code.value(f"trunc {kind} {exponent} to i1")
        by = code.value(f"select i1 {odd}, {kind} {base}, {kind} 1")
        return [
            code.value(f"mul {kind} {base}, {base}"),
            code.value(f"lshr {kind} {exponent}, 1"),
            code.value(f"mul {kind} {result}, {by}"),
        ]

    def more(base: str, exponent: str, result: str) -> str:
        return code.value(f"icmp ne {kind} {exponent}, 0")

    positive = code.while_(more, body, [(kind, a[0]), (kind, a[1]), (kind, "1")])[2]
    if not is_signed(dtype):
        return positive
    negative = code.value(f"icmp slt {kind} {a[1]}, 0")
    is_one = code.value(f"icmp eq {kind} {a[0]}, 1")
    is_minus = code.value(f"icmp eq {kind} {a[0]}, -1")
    odd = code.value(f"trunc {kind} {a[1]} to i1")
    of_minus = code.value(f"select i1 {odd}, {kind} -1, {kind} 1")
    other = code.value(f"select i1 {is_minus}, {kind} {of_minus}, {kind} 0")
    inverse = code.value(f"select i1 {is_one}, {kind} 1, {kind} {other}")
    return code.value(f"select i1 {negative}, {kind} {inverse}, {kind} {positive}")


def _bool(code: Code, name: str, a: Sequence[str]) -> str | None:
    operations = {"add": "or", "or": "or", "maximum": "or", "and": "and", "multiply": "and", "minimum": "and", "xor": "xor"}
    if name in operations:
        return code.value(f"{operations[name]} i1 {a[0]}, {a[1]}")
    if name == "not":
        return code.value(f"xor i1 {a[0]}, true")
    return a[0] if name in ("abs", "sign") else None


def compare(code: Code, direction: str, a: str, b: str, dtype: str, total_order: bool = False) -> str:
    """Whether a relation holds; in the total order of floats -0 is below 0 and NaN beyond all."""
    names = {"EQ": "eq", "NE": "ne", "LT": "lt", "LE": "le", "GT": "gt", "GE": "ge"}
    relation = names[direction]
    if is_float(dtype) and total_order:
        kind = "i64" if dtype == "f64" else "i32"
        a, b = (_ordered(code, one, dtype) for one in (a, b))
        return code.value(f"icmp {relation if relation in ('eq', 'ne') else 's' + relation} {kind} {a}, {b}")
    if is_float(dtype):
        return code.value(f"fcmp {'une' if relation == 'ne' else 'o' + relation} {LLVM[dtype]} {a}, {b}")
    if relation not in ("eq", "ne"):
        relation = ("s" if is_signed(dtype) else "u") + relation
    return code.value(f"icmp {relation} {LLVM[dtype]} {a}, {b}")


def _ordered(code: Code, value: str, dtype: str) -> str:
    """A whole number in the total order of floats."""
    kind, width = ("i64", 64) if dtype == "f64" else ("i32", 32)
    raw = code.value(f"bitcast {LLVM[dtype]} {value} to {kind}")
    sign = code.value(f"ashr {kind} {raw}, {width - 1}")
    return code.value(f"xor {kind} {raw}, {code.value(f'lshr {kind} {sign}, 1')}")


def convert(code: Code, value: str, source: str, target: str) -> str:
    """A value of another real type: floats to whole numbers saturate, and NaN is 0."""
    if source == target:
        return value
    if target == "bool":
        if is_float(source):
            return code.value(f"fcmp une {LLVM[source]} {value}, 0.0")
        return code.value(f"icmp ne {LLVM[source]} {value}, 0")
    if is_float(source) and is_float(target):
        return _between_floats(code, value, source, target)
    if is_float(source):
        sign = "s" if is_signed(target) else "u"
        kind = LLVM[target]
        return code.call(kind, f"llvm.fpto{sign}i.sat.{kind}.{suffix(source)}", [(LLVM[source], value)])
    if is_float(target):
        operation = "sitofp" if is_signed(source) else "uitofp"
        return rounded(code, code.value(f"{operation} {LLVM[source]} {value} to {LLVM[target]}"), target)
    if bits(source) == bits(target):
        return value
    if bits(source) > bits(target):
        return code.value(f"trunc {LLVM[source]} {value} to {LLVM[target]}")
    return code.value(f"{'sext' if is_signed(source) else 'zext'} {LLVM[source]} {value} to {LLVM[target]}")


def _between_floats(code: Code, value: str, source: str, target: str) -> str:
    if target == "f64":
        return code.value(f"fpext float {value} to double")
    if source == "f64":
        value = code.value(f"fptrunc double {value} to float")
    return rounded(code, value, target) if target in ("f16", "bf16") else value


def bitcast(code: Code, value: str, source: str, target: str) -> str:
    """The same bits as another type of the same size."""
    if is_float(source):
        if source in ("f16", "bf16"):
            value = code.to_memory(value, source)
        else:
            value = code.value(f"bitcast {LLVM[source]} {value} to i{SIZE[source] * 8}")
    if not is_float(target):
        return value
    if target in ("f16", "bf16"):
        return code.from_memory(value, target)
    return code.value(f"bitcast i{SIZE[target] * 8} {value} to {LLVM[target]}")


def reduce_precision(code: Code, value: str, dtype: str, exponent: int, mantissa: int) -> str:
    """A value with fewer bits of exponent and mantissa, rounded to nearest even."""
    if dtype == "f64":
        kind, wide, all_mantissa, all_exponent = "i64", 64, 52, 11
    else:
        kind, wide, all_mantissa, all_exponent = "i32", 32, 23, 8
    raw = code.value(f"bitcast {LLVM[dtype]} {value} to {kind}")
    sign = code.value(f"and {kind} {raw}, {-(1 << (wide - 1))}")
    cut = all_mantissa - mantissa
    if cut > 0:
        odd = code.value(f"and {kind} {code.value(f'lshr {kind} {raw}, {cut}')}, 1")
        biased = code.value(f"add {kind} {raw}, {code.value(f'add {kind} {odd}, {(1 << (cut - 1)) - 1}')}")
        raw = code.value(f"and {kind} {biased}, {-(1 << cut)}")
    if exponent < all_exponent:
        bias, reduced = (1 << (all_exponent - 1)) - 1, (1 << (exponent - 1)) - 1
        field = ((1 << all_exponent) - 1) << all_mantissa
        size = code.value(f"and {kind} {raw}, {field}")
        over = code.value(f"icmp ugt {kind} {size}, {(bias + reduced) << all_mantissa}")
        under = code.value(f"icmp ule {kind} {size}, {(bias - reduced) << all_mantissa}")
        infinite = code.value(f"or {kind} {sign}, {field}")
        raw = code.value(f"select i1 {over}, {kind} {infinite}, {kind} {raw}")
        raw = code.value(f"select i1 {under}, {kind} {sign}, {kind} {raw}")
    result = code.value(f"bitcast {kind} {raw} to {LLVM[dtype]}")
    is_nan = code.value(f"fcmp uno {LLVM[dtype]} {value}, 0.0")
    return code.value(f"select i1 {is_nan}, {LLVM[dtype]} {value}, {LLVM[dtype]} {result}")
