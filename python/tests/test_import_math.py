"""The math library of imported kernels: errors, special values, that it vectorises for WebAssembly, that its text is reproducible.

The functions run natively, by llvmlite's JIT: what python/benches/ulp.py measures over all arguments is tested on samples here.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import needed

from hotcell._importing import math

INF, NAN = float("inf"), float("nan")
PI = np.pi
DTYPES: dict[str, type] = {"f32": np.float32, "f64": np.float64}
EXACT = {"ceil", "floor", "is_finite", "next_after", "rem", "round_away", "round_even", "sign", "trunc"}
#: What becomes SIMD in f32, so that a loop over it takes four elements at a time.
VECTORISED = sorted(set(math.NAMES) - {"lgamma", "polygamma", "rem", "zeta"})
FEATURES = "+simd128,+bulk-memory,+bulk-memory-opt,+sign-ext,+nontrapping-fptoint,+mutable-globals,+multivalue"
EVERY = [math.call(name, type_) for name in math.NAMES for type_ in DTYPES]

#: Of C's Annex F and what is sensible beyond it: arguments and results, of both types.
SPECIAL: dict[str, list[tuple[Any, ...]]] = {
    "acos": [(1, 0.0), (-1, PI), (0, PI / 2), (1.5, NAN), (INF, NAN)],
    "acosh": [(1, 0.0), (0.5, NAN), (-INF, NAN), (INF, INF)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1, PI / 2), (-1, -PI / 2), (-1.5, NAN)],
    "asinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "atan": [(0.0, 0.0), (-0.0, -0.0), (INF, PI / 2), (-INF, -PI / 2), (1, PI / 4)],
    "atan2": [
        *[
            (0.0, 1, 0.0),
            (-0.0, 1, -0.0),
            (0.0, -1, PI),
            (-0.0, -1, -PI),
            (0.0, 0.0, 0.0),
            (0.0, -0.0, PI),
            (-0.0, -0.0, -PI),
            (1, 0.0, PI / 2),
            (-1, -0.0, -PI / 2),
        ],
        *[
            (1, INF, 0.0),
            (-1, INF, -0.0),
            (1, -INF, PI),
            (INF, 1, PI / 2),
            (INF, INF, PI / 4),
            (INF, -INF, 3 * PI / 4),
            (-INF, -INF, -3 * PI / 4),
        ],
    ],
    "atanh": [(0.0, 0.0), (-0.0, -0.0), (1, INF), (-1, -INF), (1.5, NAN)],
    "bessel_i0e": [(0.0, 1.0), (INF, 0.0), (-INF, 0.0)],
    "bessel_i1e": [(0.0, 0.0), (-0.0, -0.0), (INF, 0.0), (-INF, -0.0)],
    "cbrt": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (-27, -3.0), (1000, 10.0)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (800, INF)],
    "digamma": [(0.0, NAN), (-1, NAN), (INF, INF), (-INF, NAN)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0)],
    "erf_inv": [(0.0, 0.0), (-0.0, -0.0), (1, INF), (-1, -INF), (1.5, NAN)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (40, 0.0)],
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (800, INF), (-800, 0.0)],
    "exp2": [(0.0, 1.0), (10, 1024.0), (-3, 0.125), (INF, INF), (-INF, 0.0), (1024, INF), (-1100, 0.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (800, INF)],
    "hypot": [(3, -4, 5.0), (INF, NAN, INF), (NAN, -INF, INF), (0.0, -0.0, 0.0), (1, NAN, NAN)],
    "lgamma": [(1, 0.0), (2, 0.0), (0.0, INF), (-1, INF), (INF, INF), (-INF, INF)],
    "log": [(1, 0.0), (0.0, -INF), (-0.0, -INF), (-1, NAN), (INF, INF), (-INF, NAN)],
    "log10": [(1, 0.0), (0.0, -INF), (-1, NAN), (INF, INF), (1000, 3.0)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1, -INF), (-2, NAN), (INF, INF)],
    "log2": [(1, 0.0), (0.0, -INF), (-1, NAN), (INF, INF), (1024, 10.0), (0.125, -3.0)],
    "logistic": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0), (800, 1.0), (-800, 0.0)],
    "polygamma": [(0, INF, INF), (1, 0.0, INF), (2, -1, NAN), (0.5, 1, NAN), (-1, 1, NAN)],
    "pow": [
        *[
            (0.0, -3, INF),
            (-0.0, -3, -INF),
            (-0.0, -2, INF),
            (0.0, -INF, INF),
            (-0.0, 3, -0.0),
            (-0.0, 2, 0.0),
            (0.0, 0.5, 0.0),
            (-1, INF, 1.0),
            (-1, -INF, 1.0),
        ],
        *[
            (1, NAN, 1.0),
            (NAN, 0.0, 1.0),
            (NAN, -0.0, 1.0),
            (-2, 0.5, NAN),
            (0.5, -INF, INF),
            (2, -INF, 0.0),
            (0.5, INF, 0.0),
            (2, INF, INF),
            (-INF, -3, -0.0),
        ],
        *[
            (-INF, -2, 0.0),
            (-INF, 3, -INF),
            (-INF, 2, INF),
            (INF, -1, 0.0),
            (INF, 1, INF),
            (-2, 3, -8.0),
            (-2, 2, 4.0),
            (10, 400, INF),
            (10, -400, 0.0),
            (-10, -401, -0.0),
        ],
    ],
    "rsqrt": [(4, 0.5), (0.0, INF), (-0.0, -INF), (-1, NAN), (INF, 0.0)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (-800, -INF)],
    "sqrt": [(0.0, 0.0), (-0.0, -0.0), (-1, NAN), (INF, INF)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (50, 1.0)],
    "zeta": [(1, 2, INF), (2, 0.0, INF), (3, -1, NAN), (0.5, 2, NAN), (2, INF, NAN)],
}
#: Arguments that are no numbers, and the result is one all the same.
FORGIVING = {"hypot", "is_finite", "pow", "zeta"}


@pytest.fixture(scope="module")
def ulp() -> ModuleType:
    """python/benches/ulp.py."""
    needed("llvmlite")
    needed("mpmath")
    path = Path(__file__).parents[1] / "benches/ulp.py"
    spec = importlib.util.spec_from_file_location("ulp", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules["ulp"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(ulp: ModuleType, names: list[str], types: tuple[str, ...] = ("f32", "f64")) -> str:
    loops = [ulp.loop(math.NAMES[name], type_) for name in names for type_ in types]
    return "".join(loops) + math.library(math.call(name, type_) for name in names for type_ in types)


@pytest.fixture(scope="module", autouse=True)
def _denormals() -> None:
    """Denormal numbers are numbers: ``ti.init``, in the same process for another test, has its thread flush them to zero from then on."""
    as_at_first = ctypes.c_void_p(-1)
    ctypes.CDLL("libm.so.6").fesetenv(as_at_first)
    assert np.float64(5e-324) * np.float64(1) != 0


@pytest.fixture(scope="module")
def native(ulp: ModuleType) -> Any:
    """All functions, in this process; that they verify is a part of it."""
    return ulp.Native(text(ulp, list(math.NAMES)))


@pytest.fixture(scope="module")
def optimised(ulp: ModuleType) -> tuple[str, str]:
    """Loops over what vectorises, for wasm32: IR and assembly."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("wasm32-unknown-unknown").create_target_machine(features=FEATURES, opt=3)
    module = llvm.parse_assembly(
        f'target triple = "wasm32-unknown-unknown"\ntarget datalayout = "{machine.target_data}"\n' + text(ulp, VECTORISED, ("f32",))
    )
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return str(module), machine.emit_assembly(module)


def applied(ulp: ModuleType, native: Any, name: str, type_: str, *arguments: Any) -> np.ndarray:
    values = [np.atleast_1d(np.asarray(argument, DTYPES[type_])) for argument in arguments]
    return ulp.apply(native, math.NAMES[name], type_, *values)


def same(found: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Where both are equal with their signs, or neither is a number."""
    return (np.isnan(found) & np.isnan(right)) | ((found == right) & (np.signbit(found) == np.signbit(right)))


def numbers(type_: str) -> np.ndarray:
    """Special numbers and others, of all sizes."""
    info, rng = np.finfo(DTYPES[type_]), np.random.default_rng(3)
    special = [
        0.0,
        info.smallest_subnormal,
        info.tiny,
        info.eps,
        0.5,
        1,
        1.5,
        2.5,
        0.5 - info.epsneg / 2,
        2.0**info.nmant - 0.5,
        2.0**info.nmant + 1,
        info.max,
        INF,
    ]
    others = np.concatenate([rng.uniform(0, 100, 50), np.exp(rng.uniform(np.log(info.tiny), np.log(info.max), 50))])
    sizes = np.concatenate([special, others]).astype(DTYPES[type_])
    return np.concatenate([sizes, -sizes, [NAN]]).astype(DTYPES[type_])


@pytest.mark.parametrize("type_", DTYPES)
@pytest.mark.parametrize("name", sorted(set(math.NAMES) - EXACT))
def test_errors_are_within_their_bounds(ulp: ModuleType, native: Any, name: str, type_: str) -> None:
    function = math.NAMES[name]
    worst = ulp.over_samples(function, type_, 400, seed=7, native=native)
    assert worst.count > 100
    assert worst.error <= function.errors[type_], worst


@pytest.mark.parametrize("type_", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_are_as_in_annex_f(ulp: ModuleType, native: Any, name: str, type_: str) -> None:
    *arguments, right = (np.asarray(column, DTYPES[type_]) for column in zip(*SPECIAL[name]))
    found = applied(ulp, native, name, type_, *arguments)
    # Multiples of π are rounded by the type.
    good = same(found, right) | (np.isclose(found, right, rtol=1e-6, atol=0) & np.isfinite(right) & (right != 0))
    assert good.all(), [(row, found[index]) for index, row in enumerate(SPECIAL[name]) if not good[index]]


@pytest.mark.parametrize("type_", DTYPES)
def test_what_is_no_number_stays_so(ulp: ModuleType, native: Any, type_: str) -> None:
    for name, function in math.NAMES.items():
        if name not in FORGIVING:
            for place in range(function.arity):
                arguments = [NAN if index == place else 1.5 for index in range(function.arity)]
                assert np.isnan(applied(ulp, native, name, type_, *arguments)).all(), (name, place)


@pytest.mark.parametrize("type_", DTYPES)
def test_rounding_and_the_like_are_exact(ulp: ModuleType, native: Any, type_: str) -> None:
    x = numbers(type_)

    def away(x: np.ndarray) -> np.ndarray:
        return np.copysign(np.floor(np.abs(x.astype(np.longdouble)) + 0.5), x).astype(x.dtype)

    of_one = {"ceil": np.ceil, "floor": np.floor, "is_finite": np.isfinite, "round_away": away, "round_even": np.rint, "trunc": np.trunc}
    with np.errstate(all="ignore"):
        for name, right in of_one.items():
            assert same(applied(ulp, native, name, type_, x).astype(float), right(x).astype(float)).all(), name
        assert same(applied(ulp, native, "sign", type_, x), np.copysign(np.sign(x), x)).all()
        first, second = (grid.ravel() for grid in np.meshgrid(x, x))
        assert same(applied(ulp, native, "rem", type_, first, second), np.fmod(first, second)).all()
        assert same(applied(ulp, native, "next_after", type_, first, second), np.nextafter(first, second)).all()


@pytest.mark.parametrize("type_", DTYPES)
def test_powers_and_logarithms_are_exact_where_that_is_expected(ulp: ModuleType, native: Any, type_: str) -> None:
    whole = np.arange(-100.0, 101.0)
    assert (applied(ulp, native, "exp2", type_, whole) == 2.0**whole).all()
    assert (applied(ulp, native, "log2", type_, 2.0**whole) == whole).all()
    assert (applied(ulp, native, "pow", type_, np.full(201, 2.0), whole) == 2.0**whole).all()
    base, exponent = (grid.ravel() for grid in np.meshgrid(np.arange(1.0, 10), np.arange(0.0, 7)))
    assert (applied(ulp, native, "pow", type_, base, exponent) == base**exponent).all()
    assert (applied(ulp, native, "cbrt", type_, whole**3) == whole).all()


@pytest.mark.parametrize("type_", DTYPES)
@pytest.mark.parametrize("name", ["cos", "sin", "tan"])
def test_angles_are_reduced_whatever_their_size(ulp: ModuleType, native: Any, name: str, type_: str) -> None:
    # The arguments of f64 and f32 that lie closest to a multiple of π/2, by J.-M. Muller's "Elementary Functions".
    hard = {"f32": 16367173 * 2.0**72, "f64": 6381956970095103 * 2.0**797}[type_]
    x = np.asarray([hard, hard / 2, np.finfo(DTYPES[type_]).max, 1e22, *np.arange(1, 40) * PI / 2], DTYPES[type_])
    for argument, found in zip(x, applied(ulp, native, name, type_, x)):
        error = ulp.error_of(math.NAMES[name], type_, float(found), (float(argument),))
        assert error <= math.NAMES[name].errors[type_], float(argument)


@pytest.mark.parametrize("type_", DTYPES)
def test_small_results_are_flushed_and_small_arguments_are_not(ulp: ModuleType, native: Any, type_: str) -> None:
    info = np.finfo(DTYPES[type_])
    edge = float(np.log(info.tiny))
    x = np.linspace(edge * 1.06, edge * 0.99, 5000)
    found = [applied(ulp, native, name, type_, x) for name in ("exp", "logistic")]
    found += [
        applied(ulp, native, "exp2", type_, x / np.log(2)),
        applied(ulp, native, "pow", type_, np.full(len(x), np.e), x),
        applied(ulp, native, "erfc", type_, np.sqrt(-0.96 * x)),
    ]
    for results in found:
        assert ((results == 0) | (results >= info.tiny)).all() and (results == 0).any() and (results > 0).any()
    tiny = np.asarray([info.smallest_subnormal, info.tiny / 4], DTYPES[type_])
    for name in ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1", "log1p"):
        assert (applied(ulp, native, name, type_, tiny) == tiny).all(), name
    assert np.isfinite(applied(ulp, native, "log", type_, tiny)).all()


def test_the_text_is_the_same_for_the_same_names() -> None:
    assert math.library(EVERY) == math.library(reversed(EVERY)) == math.library(EVERY + EVERY)
    defined = re.findall(r"^define .*?@(\S+)\(", math.library(EVERY), re.MULTILINE)
    assert len(defined) == len(set(defined)) and set(EVERY) <= set(defined)
    assert math.library([]) == ""


def test_only_what_is_called_is_given() -> None:
    text = math.library(["hotcell.acosh.f32"])
    assert re.findall(r"^define .*?@(\S+)\(", text, re.MULTILINE) == ["hotcell.acosh.f32", "hotcell.wide_log.f64"]
    assert "two_over_pi" not in text and "two_over_pi" in math.library(["hotcell.sin.f64"])


@pytest.mark.parametrize("symbol", ["hotcell.exp.f16", "hotcell.sine.f32", "hotcell.wide_log.f64", "exp"])
def test_what_is_not_there_is_named(symbol: str) -> None:
    with pytest.raises(KeyError, match="the math library has no"):
        math.library([symbol])


def test_nothing_else_is_called() -> None:
    called = set(re.findall(r"call \S+ @([\w.]+)\(", math.library(EVERY)))
    intrinsics = {name for name in called if not name.startswith("hotcell.")}
    assert intrinsics <= {
        f"llvm.{name}.{type_}" for name in ("fabs", "sqrt", "copysign", "floor", "ceil", "trunc", "roundeven") for type_ in DTYPES
    }


def test_for_wasm_no_symbol_is_left_undefined(optimised: tuple[str, str]) -> None:
    declared = set(re.findall(r"^\s*\.functype\s+(\S+)", optimised[1], re.MULTILINE))
    assert declared == {f"{name}_f32" for name in VECTORISED}


@pytest.mark.parametrize("name", VECTORISED)
def test_loops_become_simd_for_wasm(optimised: tuple[str, str], name: str) -> None:
    body = re.search(rf"^define .*?@{name}_f32\(.*?^}}", optimised[0], re.MULTILINE | re.DOTALL)
    assert body is not None and "load <4 x float>" in body[0]
