"""Elementwise operations: recipes that read their operands at the same index."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..builder import Code, Scalar, literal
from ..module import Op
from ..program import Program, lowering
from ..tensor import Index, Tensor, read
from ..types import LLVM, PART, SIZE, Shape, is_complex, product
from . import complex as on_complex
from . import scalar

#: An operation on elements.
OnElements = Callable[[Code, Sequence[Scalar]], Scalar]


def mapped(operands: Sequence[Tensor], shape: Shape, dtype: str, function: OnElements, cost: int = 1) -> Tensor:
    """A tensor whose elements are a function of those of others at the same index; operands of rank 0 are the same everywhere."""

    def recipe(code: Code, index: Index) -> Scalar:
        values = [read(code, one, index if one.shape or not shape else Index([], multi=[], flat=0)) for one in operands]
        return function(code, values)

    return Tensor(shape, dtype, recipe=recipe, sources=[(one, True) for one in operands], cost=cost)


def known_shape(op: Op, operands: Sequence[Tensor]) -> Shape:
    """The shape of an elementwise operation: that of the operand with the most dimensions, as it is known."""
    return max((one.shape for one in operands), key=len)


def on_elements(op: Op, dtypes: Sequence[str]) -> OnElements | None:
    """What an operation does with elements of its operands' types; ``None`` where it is not elementwise."""
    name, attributes = op.name, op.attributes
    result = op.results[0].type.dtype
    first = dtypes[0] if dtypes else result
    if name == "convert":
        return lambda code, a: _converted(code, a[0], first, result)
    if name == "compare":
        return _comparing(op, first)
    if name == "select":
        return lambda code, a: _selected(code, a[0], a[1], a[2], result)
    if name == "clamp":
        return lambda code, a: _apply(code, "minimum", [_apply(code, "maximum", [a[0], a[1]], result, op), a[2]], result, op)
    if name in ("real", "imag"):
        return lambda code, a: (a[0][name == "imag"] if is_complex(first) else a[0] if name == "real" else literal(0.0, first))
    if name == "complex":
        return lambda code, a: (a[0], a[1])
    if name == "abs" and is_complex(first):
        return lambda code, a: on_complex.Parts(code, PART[first]).size(a[0])
    if name == "is_finite":
        return lambda code, a: code.value(
            f"fcmp olt {LLVM[first]} {scalar.intrinsic(code, 'fabs', [a[0]], first)}, {literal(float('inf'), first)}"
        )
    if name == "reduce_precision":
        bits = int(attributes["exponent_bits"]), int(attributes["mantissa_bits"])
        return lambda code, a: scalar.reduce_precision(code, a[0], first, *bits)
    if name == "bitcast_convert" and not is_complex(first) and not is_complex(result):
        return lambda code, a: scalar.bitcast(code, a[0], first, result)
    if name == "optimization_barrier" and len(dtypes) == 1:
        return lambda code, a: a[0]
    return lambda code, a: _apply(code, name, a, result, op)


def _apply(code: Code, name: str, arguments: Sequence[Scalar], dtype: str, op: Op) -> Scalar:
    if is_complex(dtype):
        value: Scalar = on_complex.apply(code, name, arguments, PART[dtype])
    else:
        value = scalar.apply(code, name, arguments, dtype)
    if value is None:
        raise op.refused("the operation is not supported on this type", "convert before it, or write it with other operations")
    return value


def _converted(code: Code, value: Scalar, source: str, target: str) -> Scalar:
    if is_complex(source) and is_complex(target):
        return tuple(scalar.convert(code, part, PART[source], PART[target]) for part in value)
    if is_complex(target):
        return scalar.convert(code, value, source, PART[target]), literal(0.0, PART[target])
    if is_complex(source):
        return scalar.convert(code, value[0], PART[source], target)
    return scalar.convert(code, value, source, target)


def _comparing(op: Op, dtype: str) -> OnElements:
    direction = str(op.attributes["comparison_direction"])
    total_order = op.attributes.get("compare_type") == "TOTALORDER"
    if not is_complex(dtype):
        return lambda code, a: scalar.compare(code, direction, a[0], a[1], dtype, total_order)
    if direction not in ("EQ", "NE"):
        raise op.refused("complex numbers have no order", "compare real and imaginary parts")

    def both(code: Code, a: Sequence[Scalar]) -> Scalar:
        parts = [scalar.compare(code, direction, x, y, PART[dtype]) for x, y in zip(a[0], a[1], strict=True)]
        return code.value(f"{'and' if direction == 'EQ' else 'or'} i1 {parts[0]}, {parts[1]}")

    return both


def _selected(code: Code, condition: str, yes: Scalar, no: Scalar, dtype: str) -> Scalar:
    if is_complex(dtype):
        return tuple(_selected(code, condition, y, n, PART[dtype]) for y, n in zip(yes, no, strict=True))
    return code.value(f"select i1 {condition}, {LLVM[dtype]} {yes}, {LLVM[dtype]} {no}")


_NAMES = ["abs", "add", "and", "atan2", "cbrt", "ceil", "clamp", "compare", "complex", "convert", "cosine", "count_leading_zeros", "divide", "exponential", "exponential_minus_one", "floor", "imag", "is_finite", "log", "log_plus_one", "logistic", "maximum", "minimum", "multiply", "negate", "not", "or", "popcnt", "power", "real", "reduce_precision", "remainder", "round_nearest_afz", "round_nearest_even", "rsqrt", "select", "shift_left", "shift_right_arithmetic", "shift_right_logical", "sign", "sine", "sqrt", "subtract", "tan", "tanh", "xor", "erf", "erfc", "erf_inv", "lgamma", "digamma", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "bessel_i1e", "next_after", "polygamma", "zeta"]


@lowering(*_NAMES)
def _elementwise(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    function = on_elements(op, [operand.dtype for operand in operands])
    assert function is not None
    cost = scalar.COST.get(op.name, 1)
    if is_complex(op.results[0].type.dtype) or is_complex(operands[0].dtype):
        cost = 4 * cost + (40 if op.name in ("abs", "divide", "sqrt", "sign", "log") else 0)
    if op.name in ("convert", "real", "imag", "complex", "compare", "select"):
        cost = 1
    return [mapped(operands, known_shape(op, operands), op.results[0].type.dtype, function, cost)]


@lowering("optimization_barrier")
def _barrier(program: Program, op: Op) -> list[Tensor]:
    return [_passed(operand) for operand in program.operands(op)]


def _passed(operand: Tensor) -> Tensor:
    return mapped([operand], operand.shape, operand.dtype, lambda code, a: a[0], 0)


@lowering("bitcast_convert")
def _bitcast(program: Program, op: Op) -> list[Tensor]:
    operand = program.operands(op)[0]
    target = op.results[0].type.dtype
    source = operand.dtype
    if SIZE[source] == SIZE[target] and not is_complex(source) and not is_complex(target) and "bool" not in (source, target):
        function = on_elements(op, [source])
        assert function is not None
        return [mapped([operand], operand.shape, target, function)]
    # Numbers are little-endian: the same bytes in memory are the elements of another size.
    if SIZE[source] > SIZE[target]:
        shape: Shape = (*operand.shape, SIZE[source] // SIZE[target])
    elif SIZE[source] < SIZE[target]:
        shape = operand.shape[:-1]
    else:
        shape = operand.shape
    if product(shape) == 0:
        return [Tensor(shape, target, buffer=program.new_buffer(shape, target))]
    buffer = program.new_buffer(operand.shape, source) if operand.scalar is not None else program.stored(operand)
    if operand.scalar is not None:
        program.write(operand, buffer)
    return [Tensor(shape, target, buffer=buffer)]


def elements_of_block(program: Program, op: Op, code: Code, arguments: Sequence[Scalar], dtypes: Sequence[str], at: int = 0) -> list[Scalar]:
    """Follows a block that takes and gives elements, such as a reduction's body or a comparison."""
    block = op.blocks[at]
    known: dict[object, Scalar] = dict(zip(block.arguments, arguments, strict=True))

    def value_of(value: object) -> Scalar:
        if value not in known:
            tensor = program.tensor(value)  # type: ignore[arg-type]
            known[value] = read(code, tensor, Index([], multi=[], flat=0))
        return known[value]

    for one in block.ops:
        if one.name == "constant":
            known[one.results[0]] = literal(one.attributes["value"].reshape(-1)[0], one.results[0].type.dtype)
            continue
        if one.name in ("broadcast_in_dim", "reshape"):
            known[one.results[0]] = value_of(one.operands[0])
            continue
        if one.name not in _NAMES and one.name not in ("bitcast_convert", "optimization_barrier"):
            raise one.refused(f"the operation cannot stand in the body of {op.name}", "use a simpler function there")
        function = on_elements(one, [operand.type.dtype for operand in one.operands])
        assert function is not None
        known[one.results[0]] = function(code, [value_of(operand) for operand in one.operands])
    return [value_of(result) for result in block.results]


def single_operation(op: Op, at: int = 0) -> str | None:
    """The name of the one operation that a block does with its two arguments, such as ``add``."""
    block = op.blocks[at]
    is_one = len(block.ops) == 1 and len(block.arguments) == 2 and set(block.ops[0].operands) == set(block.arguments)
    return block.ops[0].name if is_one and block.results == block.ops[0].results else None


