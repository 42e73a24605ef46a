"""What functions the library has: name, arguments, formula, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .builder import IR_TYPE, Builder, Value

Formula = Callable[..., Value]


@dataclass(frozen=True)
class Function:
    """A function of the library.

    Attributes:
        name: As in `@hotcell.NAME.TYPE`.
        doc: What it gives, and what is particular.
        arity: How many arguments; all are of one type.
        formula: Writes the body: of a Builder and the arguments, the result.
        errors: Bounds of the error in ulp by type, of what python/benches/ulp.py measures; 0.5 is rounded correctly, 0 exact.
        result: The result's type in IR where it is not the arguments'.
        internal: Serves the others; not to be called from outside.
        branches: Has loops: is not inlined and does not become SIMD.
        flushes: Results below the smallest normal number are 0.
    """

    name: str
    doc: str
    arity: int
    formula: Formula
    errors: dict[str, float]
    result: str = ""
    internal: bool = False
    branches: bool = False
    flushes: bool = False


FUNCTIONS: dict[str, Function] = {}


def function(
    name: str,
    doc: str,
    *,
    arity: int = 1,
    f32: float = 0.0,
    f64: float = 0.0,
    result: str = "",
    internal: bool = False,
    branches: bool = False,
    flushes: bool = False,
) -> Callable[[Formula], Formula]:
    """Adds a formula to the library; `f32` and `f64` are its error bounds in ulp."""

    def added(formula: Formula) -> Formula:
        assert name not in FUNCTIONS, name
        FUNCTIONS[name] = Function(name, doc, arity, formula, {"f32": f32, "f64": f64}, result, internal, branches, flushes)
        return formula

    return added


def definition(name: str, type_: str) -> tuple[str, list[str]]:
    """The text of a function for a type, and the symbols that it calls."""
    one = FUNCTIONS[name]
    ir_type = IR_TYPE[type_]
    builder = Builder([ir_type] * one.arity)
    result = one.formula(builder, *(builder.argument(index) for index in range(one.arity)))
    arguments = ", ".join(f"{ir_type} %a{index}" for index in range(one.arity))
    inlined = "noinline" if one.branches else "alwaysinline"
    head = f"define internal {one.result or ir_type} @hotcell.{name}.{type_}({arguments}) {inlined} nounwind memory(none) {{\nentry:"
    return "\n".join([head, *builder.lines, f"  ret {result.type} {result.text}", "}", ""]), builder.called
