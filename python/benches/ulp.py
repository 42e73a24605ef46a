"""Measures the errors of the importers' math library.

``python python/benches/ulp.py [--samples N] [--arguments all|most|some] [NAME …]``

The functions run natively: the same IR, by llvmlite's JIT, vectorised, without fused multiplications. Prints a Markdown table.

f32 functions of one argument are measured over ``all`` arguments, 2^32 of them; over ``most``: all between 2^-30 and 2^8 and every 17th
beyond, where a function is the argument, its first term or a limit (those of which that is not so, over all), and negative ones that mirror
positive ones every 1021st; or over ``some``, every 1021st. Those that are their f64 function, rounded, are always taken sparsely. The reference is the library's own f64 function, which is measured itself, as
f32 on samples is too: against mpmath. Functions of two arguments are measured on samples, marked †. It needs llvmlite, NumPy and mpmath.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np
from mpmath import mp, mpf

from hotcell._importing import math
from hotcell._importing.math.builder import IR_TYPE
from hotcell._importing.math.registry import Function

mp.dps = 40
ALL = 1 << 32
CHUNK = 1 << 20
#: Functions whose results are given, not rounded: compared with NumPy's in the tests.
EXACT = ("ceil", "floor", "is_finite", "next_after", "rem", "round_away", "round_even", "sign", "trunc")
#: Functions whose negative arguments are the positive ones' image, by a sign that is set last, or give what is no number.
MIRRORED = (
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bessel_i0e",
    "bessel_i1e",
    "cbrt",
    "cos",
    "cosh",
    "erf",
    "erf_inv",
    "log",
    "log10",
    "log2",
    "rsqrt",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
)
#: Functions whose f32 is their f64, rounded.
ROUNDED = ("digamma", "lgamma")
#: Functions that are not the argument, its first term or a limit far from 1.
EVERYWHERE = ("cbrt", "cos", "log", "log10", "log2", "rsqrt", "sin", "sqrt", "tan")
#: Of how many arguments one is taken, where not all are.
SPARSE = 1021
#: By `--arguments`: of how many one is taken near 1, and farther away.
STRIDES = {"all": (1, 1), "most": (1, 17), "some": (SPARSE, SPARSE)}
#: The bits of f32's 2^-30 and 2^8, which is near 1.
NEAR = ((127 - 30) << 23, (127 + 8) << 23)
Buffer = np.ndarray


def _target() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


class Native:
    """A module's text, optimised and loaded into this process."""

    def __init__(self, text: str) -> None:
        machine = _target()
        module = llvm.parse_assembly(text)
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        llvm.create_pass_builder(machine, options).getModulePassManager().run(module, llvm.create_pass_builder(machine, options))
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()

    def function(self, name: str, *types: object) -> Callable[..., None]:
        return ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))


def loop(function: Function, type_: str) -> str:
    """`void @NAME_TYPE(n, out, in …)`: the function of every element."""
    name, ir_type, result = function.name, IR_TYPE[type_], function.result or IR_TYPE[type_]
    inputs = "".join(f", ptr noalias %in{i}" for i in range(function.arity))
    loads = "".join(
        f"  %p{i} = getelementptr {ir_type}, ptr %in{i}, i64 %i\n  %x{i} = load {ir_type}, ptr %p{i}\n" for i in range(function.arity)
    )
    listed = ", ".join(f"{ir_type} %x{i}" for i in range(function.arity))
    stored, cast = ("i8", f"  %s = zext {result} %y to i8\n") if result == "i1" else (result, "")
    return f"""define void @{name}_{type_}(i64 %n, ptr noalias %out{inputs}) {{
entry:
  %any = icmp sgt i64 %n, 0
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{loads}  %y = call {result} @{math.call(name, type_)}({listed})
{cast}  %q = getelementptr {stored}, ptr %out, i64 %i
  store {stored} {"%s" if cast else "%y"}, ptr %q
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}
"""


def sweep(function: Function) -> str:
    """`void @sweep(first, step, n, out)`: errors in ulp of the f32 function for n patterns of bits, the f64 function being right.

    An infinity is an error of 0 where the right result rounds to it, and so is what is no number where that is right.
    """
    name = function.name
    # Where small results are flushed, 0 is right.
    flush = "%flushed = and i1 %small, %zero" if function.flushes else "%flushed = and i1 false, %zero"
    return f"""define void @sweep(i32 %first, i32 %step, i64 %n, ptr noalias %out) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %i32 = trunc i64 %i to i32
  %offset = mul i32 %i32, %step
  %bits = add i32 %offset, %first
  %x = bitcast i32 %bits to float
  %wide = fpext float %x to double
  %y32 = call float @{math.call(name, "f32")}(float %x)
  %y = fpext float %y32 to double
  %r = call double @{math.call(name, "f64")}(double %wide)
  %rounded = fptrunc double %r to float
  %rounded64 = fpext float %rounded to double
  %r_bits = bitcast double %r to i64
  %r_exponent_bits = and i64 %r_bits, 9218868437227405312
  %r_power = bitcast i64 %r_exponent_bits to double
  %small = fcmp olt double %r_power, 0x3810000000000000
  %power = select i1 %small, double 0x3810000000000000, double %r_power
  %ulp = fmul double %power, 0x3E80000000000000
  %difference = fsub double %y, %r
  %size = call double @llvm.fabs.f64(double %difference)
  %error = fdiv double %size, %ulp
  %y_nan = fcmp uno double %y, %y
  %r_nan = fcmp uno double %r, %r
  %both_nan = and i1 %y_nan, %r_nan
  %same_value = fcmp oeq double %y, %rounded64
  %y_size = call double @llvm.fabs.f64(double %y)
  %y_infinite = fcmp oeq double %y_size, 0x7FF0000000000000
  %infinite = and i1 %same_value, %y_infinite
  %zero = fcmp oeq double %y, 0.0
  {flush}
  %good = or i1 %both_nan, %infinite
  %good2 = or i1 %good, %flushed
  %known = select i1 %good2, double 0.0, double %error
  %wrong = fcmp uno double %known, %known
  %final = select i1 %wrong, double 0x7FF0000000000000, double %known
  %sign_y = bitcast float %y32 to i32
  %sign_r = bitcast float %rounded to i32
  %signs = xor i32 %sign_y, %sign_r
  %differ = icmp slt i32 %signs, 0
  %exact = fcmp oeq double %r, 0.0
  %zeros = and i1 %zero, %exact
  %wrong_zero = and i1 %zeros, %differ
  %result = select i1 %wrong_zero, double 0x7FF0000000000000, double %final
  %e = fptrunc double %result to float
  %q = getelementptr float, ptr %out, i64 %i
  store float %e, ptr %q
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}
"""


@dataclass
class Worst:
    """The greatest error in ulp and where it is."""

    error: float
    where: tuple[float, ...]
    count: int


def over_f32(function: Function, step: int, far: int) -> Worst:
    """Over f32 of a function of one argument, every `step`th near 1, every `far`th farther away, of a mirrored half every SPARSE'th unless all
    are wanted."""
    name = function.name
    is_whole = (step, far) == STRIDES["all"]
    if name in ROUNDED:
        step = far = SPARSE
    if name in EVERYWHERE:
        far = step
    # Bits of sizes: 0, NEAR's two ends, and what is no number included.
    stretches = [(0, NEAR[0], far), (NEAR[0], NEAR[1], step), (NEAR[1], ALL // 2, far)]
    mirrored = [(ALL // 2 + begin, ALL // 2 + end, SPARSE if name in MIRRORED and not is_whole else stride) for begin, end, stride in stretches]
    native = Native(sweep(function) + math.library([math.call(name, "f32"), math.call(name, "f64")]))
    run = native.function("sweep", ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int64, ctypes.c_void_p)
    errors = np.empty(CHUNK, np.float32)
    worst = Worst(-1.0, (), 0)
    for first, end, stride in stretches + mirrored:
        many = -(-(end - first) // stride)
        for begin in range(0, many, CHUNK):
            count = min(CHUNK, many - begin)
            worst.count += count
            run(first + begin * stride, stride, count, errors.ctypes.data)
            index = int(np.argmax(errors[:count]))
            if errors[index] > worst.error:
                bits = np.uint32(first + (begin + index) * stride)
                worst = Worst(float(errors[index]), (float(bits.view(np.float32)),), worst.count)
    return worst


def evaluated(function: Function, type_: str, *arguments: Buffer) -> Buffer:
    """The function of every element, natively."""
    native = Native(loop(function, type_) + math.library([math.call(function.name, type_)]))
    return apply(native, function, type_, *arguments)


def apply(native: Native, function: Function, type_: str, *arguments: Buffer) -> Buffer:
    out = np.empty(len(arguments[0]), np.uint8 if function.result else arguments[0].dtype)
    run = native.function(f"{function.name}_{type_}", ctypes.c_int64, *[ctypes.c_void_p] * (1 + len(arguments)))
    contiguous = [np.ascontiguousarray(argument) for argument in arguments]
    run(len(out), out.ctypes.data, *(argument.ctypes.data for argument in contiguous))
    return out


def _logistic(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x))


def _i0e(x: mpf) -> mpf:
    return mp.exp(-abs(x)) * mp.besseli(0, x)


def _i1e(x: mpf) -> mpf:
    return mp.exp(-abs(x)) * mp.besseli(1, x)


def _erf_inv(x: mpf) -> mpf:
    """mpmath's own loses digits near 1: a step of Newton's with more."""
    with mp.workdps(60):
        y = mp.erfinv(x)
        for _ in range(3):
            y -= (mp.erf(y) - x) / (2 / mp.sqrt(mp.pi) * mp.exp(-y * y))
        return y


def _lgamma(x: mpf) -> mpf:
    with mp.workdps(60):
        return mp.log(abs(mp.gamma(x))) if x < 0 else mp.loggamma(x)


def _pow(x: mpf, y: mpf) -> mpf:
    if x < 0:
        return (-1) ** int(y) * mp.power(-x, y)
    return mp.power(x, y)


def _zeta(s: mpf, q: mpf) -> mpf:
    return mp.zeta(s, q)


def _polygamma(n: mpf, x: mpf) -> mpf:
    return mp.polygamma(int(n), x)


#: What is right, by mpmath.
RIGHT: dict[str, Callable[..., mpf]] = {
    "exp": mp.exp,
    "exp2": lambda x: mp.power(2, x),
    "expm1": mp.expm1,
    "log": mp.log,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": mp.log1p,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "pow": _pow,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "sqrt": mp.sqrt,
    "rsqrt": lambda x: 1 / mp.sqrt(x),
    "logistic": _logistic,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erf_inv": _erf_inv,
    "lgamma": _lgamma,
    "digamma": mp.digamma,
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "bessel_i0e": _i0e,
    "bessel_i1e": _i1e,
    "zeta": _zeta,
    "polygamma": _polygamma,
}

#: Ranges that samples come from, by argument: ("log", low, high) of sizes with either sign, ("log+", …) positive, ("flat", …),
#: ("whole", …), and ("one", …) of distances from 1.
Range = tuple[str, float, float]
HUGE = 1.7e308
ANY: list[tuple[Range, ...]] = [(("log", 1e-300, 1e300),)]
RANGES: dict[str, list[tuple[Range, ...]]] = {
    "exp": [(("flat", -708, 709.7),), (("log", 1e-20, 700),)],
    "exp2": [(("flat", -1022, 1023.9),), (("log", 1e-20, 1000),)],
    "expm1": [(("flat", -40, 709.7),), (("log", 1e-20, 40),)],
    "log": [(("log+", 1e-308, HUGE),), (("flat", 0.5, 2),)],
    "log2": [(("log+", 1e-308, HUGE),), (("flat", 0.5, 2),)],
    "log10": [(("log+", 1e-308, HUGE),), (("flat", 0.5, 2),)],
    "log1p": [(("log+", 1e-20, HUGE),), (("flat", -1, 2),)],
    "sin": [(("flat", -10, 10),), (("log", 1e-10, HUGE),)],
    "cos": [(("flat", -10, 10),), (("log", 1e-10, HUGE),)],
    "tan": [(("flat", -10, 10),), (("log", 1e-10, HUGE),)],
    "asin": [(("flat", -1, 1),), (("log", 1e-10, 1),)],
    "acos": [(("flat", -1, 1),), (("log", 1e-10, 1),)],
    "atan": [(("flat", -5, 5),), (("log", 1e-10, 1e20),)],
    "atan2": [(("flat", -5, 5), ("flat", -5, 5)), (("log", 1e-100, 1e100), ("log", 1e-100, 1e100))],
    "sinh": [(("flat", -5, 5),), (("log", 1e-10, 710),)],
    "cosh": [(("flat", -5, 5),), (("log", 1e-10, 710),)],
    "tanh": [(("flat", -5, 5),), (("log", 1e-10, 20),)],
    "asinh": [(("flat", -5, 5),), (("log", 1e-10, HUGE),)],
    "acosh": [(("flat", 1, 5),), (("log+", 1, HUGE),)],
    "atanh": [(("flat", -1, 1),), (("log", 1e-10, 1),)],
    "pow": [
        (("log+", 1e-3, 1e3), ("flat", -100, 100)),
        (("flat", 0.9, 1.1), ("flat", -5000, 5000)),
        (("log+", 1e-300, 1e300), ("flat", -2, 2)),
        (("flat", -9, 0), ("whole", -200, 200)),
    ],
    "cbrt": [(("log", 1e-308, HUGE),)],
    "sqrt": [(("log+", 1e-308, HUGE),)],
    "rsqrt": [(("log+", 1e-308, HUGE),)],
    "logistic": [(("flat", -40, 40),), (("flat", -708, 40),), (("log", 1e-10, 40),)],
    "erf": [(("flat", -6, 6),), (("log", 1e-20, 6),)],
    "erfc": [(("flat", -6, 26.5),), (("log", 1e-20, 26.5),)],
    "erf_inv": [(("flat", -1, 1),), (("log", 1e-20, 1),), (("one", 1e-16, 0.1),)],
    "lgamma": [(("flat", 0, 10),), (("log+", 1e-20, 1e300),), (("flat", -20, 0),)],
    "digamma": [(("flat", 0, 10),), (("log+", 1e-20, 1e300),), (("flat", -20, 0),)],
    "hypot": [(("flat", -5, 5), ("flat", -5, 5)), (("log", 1e-300, 1e300), ("log", 1e-300, 1e300))],
    "bessel_i0e": [(("flat", -20, 20),), (("log", 1e-20, 1e6),)],
    "bessel_i1e": [(("flat", -20, 20),), (("log", 1e-20, 1e6),)],
    "zeta": [(("flat", 1.1, 20), ("flat", 0.1, 30)), (("flat", 1.01, 5), ("log+", 1e-2, 1e5))],
    "polygamma": [(("whole", 1, 8), ("flat", 0.1, 30)), (("whole", 1, 8), ("log+", 1e-2, 1e5))],
}
#: Functions with zeros that f64 gives only to an absolute error: there the ulp is that of 1 at least.
ABSOLUTE = ("digamma", "lgamma")


def drawn(rng: np.random.Generator, range_: Range, count: int, dtype: type) -> Buffer:
    kind, low, high = range_
    if dtype is np.float32 and kind.startswith("log"):
        low, high = max(low, 1e-37), min(high, 3e38)
    if kind == "whole":
        values = rng.integers(int(low), int(high), count).astype(np.float64)
    elif kind == "flat":
        values = rng.uniform(low, high, count)
    elif kind == "one":
        values = 1 - np.exp(rng.uniform(np.log(low), np.log(high), count))
    else:
        values = np.exp(rng.uniform(np.log(low), np.log(high), count))
        if kind == "log":
            values *= rng.choice([-1.0, 1.0], count)
    return values.astype(dtype)


def ulp_of(right: mpf, dtype: type) -> mpf:
    least, bits = (-126, 23) if dtype is np.float32 else (-1022, 52)
    exponent = max(int(mp.floor(mp.log(abs(right), 2))), least) if right else least
    return mpf(2) ** (exponent - bits)


def over_samples(function: Function, type_: str, count: int, seed: int = 1, native: Native | None = None) -> Worst:
    """Over samples, against mpmath; of a module that has the function's loop, where one is given."""
    dtype = np.float32 if type_ == "f32" else np.float64
    rng = np.random.default_rng(seed)
    native = native or Native(loop(function, type_) + math.library([math.call(function.name, type_)]))
    worst, done, ranges = Worst(-1.0, (), 0), 0, RANGES[function.name]
    for ranges_ in ranges:
        arguments = [drawn(rng, range_, count // len(ranges), dtype) for range_ in ranges_]
        results = apply(native, function, type_, *arguments)
        for row in zip(results, *arguments):
            result, values = float(row[0]), tuple(float(value) for value in row[1:])
            error = error_of(function, type_, result, values)
            done += error is not None
            if error is not None and not error <= worst.error:
                worst = Worst(error, values, 0)
    worst.count = done
    return worst


def error_of(function: Function, type_: str, result: float, values: tuple[float, ...]) -> float | None:
    """In ulp; None where the right result is no number, infinite, or to be flushed."""
    dtype = np.float32 if type_ == "f32" else np.float64
    try:
        right = mp.mpmathify(RIGHT[function.name](*map(mpf, values)))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    greatest, least = (mpf(float(getattr(np.finfo(dtype), name))) for name in ("max", "tiny"))
    if isinstance(right, mp.mpc) or not mp.isfinite(right) or abs(right) > greatest:
        return None
    if abs(right) < least and result == 0 and function.flushes:
        return 0.0
    unit = ulp_of(right, dtype)
    if function.name in ABSOLUTE and type_ == "f64":
        unit = max(unit, ulp_of(mpf(1), dtype))
    if not np.isfinite(result):
        return float("inf")
    return float(abs(mpf(result) - right) / unit)


def row(function: Function, step: int, far: int, samples: int) -> str:
    remark = function.doc.replace("|", "\\|") + (" Flushes." if function.flushes else "") + (" Has a loop." if function.branches else "")
    if function.name in EXACT:
        return f"| `{function.name}` | exact | | exact | | {remark} |"
    single = over_samples(function, "f32", samples if function.arity == 2 else samples // 10)
    if function.arity == 1:
        # Both: what f32 and f64 have in common is not seen by the one.
        single = max(over_f32(function, step, far), single, key=lambda worst: worst.error)
    double = over_samples(function, "f64", samples)
    mark = "" if function.arity == 1 else " †"
    single_at, double_at = (", ".join(f"{value:.9g}" for value in worst.where) for worst in (single, double))
    return f"| `{function.name}` | {single.error:.3f}{mark} | {single_at} | {double.error:.2f} | {double_at} | {remark} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions; all, unless some are given")
    parser.add_argument("--samples", type=int, default=10_000, help="samples of f64 and of functions of two arguments")
    parser.add_argument("--arguments", choices=STRIDES, default="some", help="which of f32, as said above")
    given = parser.parse_args()
    print("| function | f32 | at | f64 | at | |\n|---|---|---|---|---|---|", flush=True)
    for name in given.names or math.NAMES:
        begun = time.monotonic()
        print(row(math.NAMES[name], *STRIDES[given.arguments], given.samples), flush=True)
        print(f"{name}: {time.monotonic() - begun:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
