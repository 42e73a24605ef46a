"""The math functions of imported kernels, as LLVM IR.

`library` gives the text of what a module calls; `call` the symbol to call. A function is `@hotcell.NAME.TYPE` of scalars, `float` or
`double`, internal and always inlined. It has no branches, calls nothing outside, and reads no memory but a table of f64's trigonometry, so
that LLVM's vectoriser makes SIMD of any loop that it is inlined to. Functions with `branches` have loops and stay scalar.

What holds of all: IEEE 754's and C's Annex F's results for NaN, infinities, zeros with their signs and domain errors, but that no
exceptions are raised; denormal arguments are numbers; results of functions that `flushes` is true of are 0 below the smallest normal
number, for WebAssembly has no mode that flushes them and whatever computes with them is many times slower. There is no fused
multiplication: the same bits on every target.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import bessel, errorfunction, exponential, gamma, inverse, logarithm, power, rounding, trigonometry, wide, zeta
from .registry import FUNCTIONS, Function, definition

__all__ = ["NAMES", "Function", "call", "library"]

_FORMULAS = (bessel, errorfunction, exponential, gamma, inverse, logarithm, power, rounding, trigonometry, wide, zeta)
#: Every function that a kernel can call: what it gives, its arity, its greatest errors in ulp.
NAMES: dict[str, Function] = {name: FUNCTIONS[name] for name in sorted(FUNCTIONS) if not FUNCTIONS[name].internal}


def call(name: str, type_: str) -> str:
    """The symbol of a function.

    Args:
        name: One of `NAMES`.
        type_: `f32` or `f64`.

    Returns:
        The symbol without its `@`, as `library` takes it.

    Raises:
        KeyError: There is no such function.
    """
    if name not in NAMES or type_ not in ("f32", "f64"):
        raise KeyError(f"the math library has no {name} of {type_}: hotcell._importing.math.NAMES has all, for f32 and f64")
    return f"hotcell.{name}.{type_}"


def library(needed: Iterable[str]) -> str:
    """The text of functions and of all that they call, each once, in a fixed order.

    Args:
        needed: Symbols, as `call` gives them. Others, such as an object's own, are an error.

    Returns:
        Definitions in LLVM IR, to be appended to a module's text. The same symbols in any order give the same text.

    Raises:
        KeyError: There is no such function.
    """
    texts: dict[str, str] = {}
    open_ = [call(*_parted(symbol)) for symbol in needed]
    while open_:
        symbol = open_.pop()
        if symbol not in texts:
            texts[symbol], called = definition(*_parted(symbol))
            open_ += called
    tables = [trigonometry.TABLE] if any(trigonometry.TABLE_NAME in text for text in texts.values()) else []
    return "\n".join(tables + [texts[symbol] for symbol in sorted(texts)])


def _parted(symbol: str) -> tuple[str, str]:
    name, _, type_ = symbol.removeprefix("hotcell.").rpartition(".")
    return name, type_
