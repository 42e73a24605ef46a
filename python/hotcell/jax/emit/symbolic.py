"""Operations whose shapes are values: jax.export writes them for named dimensions. The values are followed back to the dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..builder import Ix
from ..module import Op, Value
from ..program import Program, lowering
from ..tensor import Tensor, read_at
from ..types import Dim, Extent, at_least_zero, divided, floor_quotient
from . import scalar
from .convolution import convolution
from .shape import broadcast, counting, in_pairs, padded, reshaped, sliced
from .window import Windows, reduced_windows

#: Operations on shapes that are followed.
_FOLLOWED = frozenset({
    "constant", "get_dimension_size", "convert", "reshape", "broadcast_in_dim", "concatenate", "slice", "add", "subtract", "multiply", "divide",
    "maximum", "minimum",
})  # fmt: skip
#: What names of numbers begin with that are no dimensions.
_UNKNOWN = "@"
#: What to do where a shape cannot be told.
_ADVICE = "give the shapes as numbers, without shapes="


def known_extents(program: Program, value: Value, op: Op, *, unknown: bool = False) -> list[Extent]:
    """The elements of a tensor of whole numbers as polynomials in the named dimensions.

    Args:
        program: What is written.
        value: The tensor.
        op: What asks.
        unknown: Whether numbers that depend on something else get names of their own, to be told apart.

    Raises:
        ImportRefused: They depend on something else.
    """
    source = value.op
    chosen = _chosen(program, source, op) if source is not None and source.name == "select" else None
    if chosen is not None:
        return chosen
    if source is None or source.name not in _FOLLOWED:
        if unknown and None not in value.type.shape:
            return [Dim.named(f"{_UNKNOWN}{id(value)}_{at}") for at in range(math.prod(value.type.shape))]
        raise op.refused(f"an extent depends on {source.name if source else 'the values of arrays'}", _ADVICE)
    name = source.name
    if name == "constant":
        return [int(one) for one in source.attributes["value"].reshape(-1)]
    if name == "get_dimension_size":
        return [program.tensor(source.operands[0]).shape[int(source.attributes["dimension"])]]
    if name in ("convert", "reshape", "broadcast_in_dim"):
        return known_extents(program, source.operands[0], op, unknown=unknown)
    parts = [known_extents(program, operand, op, unknown=unknown) for operand in source.operands]
    if name == "concatenate":
        return [one for part in parts for one in part]
    if name == "slice":
        starts, limits = source.ints("start_indices"), source.ints("limit_indices")
        return parts[0][starts[0] : limits[0]]
    return [_combined(name, a, b) for a, b in zip(*parts, strict=True)]


def _combined(name: str, a: Extent, b: Extent) -> Extent:
    if name == "add":
        return a + b
    if name == "subtract":
        return a - b
    if name == "maximum":
        return a + at_least_zero(b - a)
    if name == "minimum":
        return a - at_least_zero(a - b)
    return a * b if name == "multiply" else divided(a, b)


def _chosen(program: Program, select: Op, op: Op) -> list[Extent] | None:
    """What jax writes for ``//`` and ``%`` by a number: a choice between a quotient and one less, and a remainder and another; ``None``
    for other choices."""
    condition, yes, no = select.operands
    made, other = yes.op, no.op
    if condition.op is not None and condition.op.name == "compare":
        a, b = (known_extents(program, operand, op) for operand in condition.op.operands)
        if condition.op.attributes["comparison_direction"] == "EQ" and all(isinstance(one, int) for one in (*a, *b)):
            return known_extents(program, yes if a == b else no, op)
    if made is not None and other is not None and made.name in ("subtract", "add") and made.operands[0] is no:
        whole, part = (known_extents(program, operand, op)[0] for operand in other.operands)
        if isinstance(part, int) and part > 0:
            quotient = floor_quotient(whole, part)
            if (made.name, other.name) == ("subtract", "divide") and known_extents(program, made.operands[1], op) == [1]:
                return [quotient]
            if (made.name, other.name) == ("add", "remainder") and made.operands[1] is other.operands[1]:
                return [whole - quotient * part]
    return None


@lowering("get_dimension_size")
def _get_dimension_size(program: Program, op: Op) -> list[Tensor]:
    extent = program.operands(op)[0].shape[int(op.attributes["dimension"])]
    return [Tensor((), "i32", scalar=str(program.driver.extent(extent)))]


@lowering("dynamic_broadcast_in_dim")
def _dynamic_broadcast(program: Program, op: Op) -> list[Tensor]:
    shape = tuple(known_extents(program, op.operands[1], op))
    return [broadcast(program, program.operands(op)[0], shape, op.ints("broadcast_dimensions"))]


@lowering("dynamic_reshape")
def _dynamic_reshape(program: Program, op: Op) -> list[Tensor]:
    return [reshaped(program.operands(op)[0], tuple(known_extents(program, op.operands[1], op)))]


@lowering("dynamic_iota")
def _dynamic_iota(program: Program, op: Op) -> list[Tensor]:
    shape = tuple(known_extents(program, op.operands[0], op))
    return [counting(shape, op.results[0].type.dtype, int(op.attributes["iota_dimension"]))]


@lowering("real_dynamic_slice")
def _real_dynamic_slice(program: Program, op: Op) -> list[Tensor]:
    starts, limits, strides = (known_extents(program, operand, op, unknown=True) for operand in op.operands[1:])
    steps = _numbers(strides, op)
    shape = tuple(_slice_extent(start, limit, step) for start, limit, step in zip(starts, limits, steps, strict=True))
    if any(_is_unknown(extent) for extent in shape):
        raise op.refused("an extent depends on the values of arrays", _ADVICE)
    begins = program.operands(op)[1]
    places: list[Ix | Extent] = [
        _as_index(program, read_at(program.driver, begins, [at]), begins.dtype) if _is_unknown(start) else start
        for at, start in enumerate(starts)
    ]
    return [sliced(program.operands(op)[0], places, steps, shape)]


def _is_unknown(extent: Extent) -> bool:
    return isinstance(extent, Dim) and any(name.startswith(_UNKNOWN) for name in extent.names)


def _as_index(program: Program, value: str, dtype: str) -> str:
    return scalar.convert(program.driver, value, dtype, "i32")


@lowering("dynamic_reduce_window")
def _dynamic_reduce_window(program: Program, op: Op) -> list[Tensor]:
    source, first = program.operands(op)[:2]
    sizes, strides, dilations, spread, padding = (known_extents(program, operand, op) for operand in op.operands[2:])
    over = Windows(sizes, _numbers(strides, op), _numbers(dilations, op), _numbers(spread, op), in_pairs(padding, len(source.shape)))
    return reduced_windows(program, op, [source], [first], over)


def _slice_extent(start: Extent, limit: Extent, step: int) -> Extent:
    extent = limit - start
    return floor_quotient(extent + (step - 1), step)


@lowering("dynamic_pad")
def _dynamic_pad(program: Program, op: Op) -> list[Tensor]:
    operand, value = program.operands(op)[:2]
    low, high, interior = (known_extents(program, one, op) for one in op.operands[2:])
    return [padded(program, operand, value, low, high, _numbers(interior, op), op.results[0])]


@lowering("dynamic_conv")
def _dynamic_convolution(program: Program, op: Op) -> list[Tensor]:
    op.attributes["padding"] = known_extents(program, op.operands[2], op)
    op.operands = op.operands[:2]
    return list(convolution(program, op))


def _numbers(extents: Sequence[Extent], op: Op) -> list[int]:
    found = []
    for one in extents:
        if not isinstance(one, int):
            raise op.refused("an amount depends on a named dimension", _ADVICE)
        found.append(one)
    return found
