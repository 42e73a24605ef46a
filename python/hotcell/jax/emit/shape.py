"""Operations that move elements: recipes that read their operand at another index, and those that write parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..builder import Code, Ix, Scalar, literal
from ..module import Op, Value
from ..program import Program, lowering
from ..tensor import Index, Tensor, read, read_at
from ..types import LLVM, PART, Extent, Shape, at_least_zero, floor_quotient, is_complex, is_float, product
from . import scalar


@lowering("constant")
def _constant(program: Program, op: Op) -> list[Tensor]:
    elements = op.attributes["value"]
    kind = op.results[0].type
    if elements.size == 0:
        return [Tensor(kind.shape, kind.dtype, buffer=program.new_buffer(kind.shape, kind.dtype))]
    flat = elements.reshape(-1)
    if elements.size == 1 or flat.tobytes() == np.full(flat.shape, flat[0], flat.dtype).tobytes():
        return [uniform(kind.shape, kind.dtype, literal(flat[0], kind.dtype))]
    return [Tensor(kind.shape, kind.dtype, buffer=program.constant(elements))]


def uniform(shape: Shape, dtype: str, value: Scalar) -> Tensor:
    """A tensor of equal elements; the value is a literal or the driver's."""
    if shape == ():
        return Tensor((), dtype, scalar=value)
    return Tensor(shape, dtype, recipe=lambda code, index: code.outer(value, dtype))


@lowering("iota")
def _iota(program: Program, op: Op) -> list[Tensor]:
    kind = op.results[0].type
    return [counting(kind.shape, kind.dtype, int(op.attributes["iota_dimension"]))]


def counting(shape: Shape, dtype: str, axis: int) -> Tensor:
    """A tensor of the indices along an axis."""

    def recipe(code: Code, index: Index) -> Scalar:
        at = index.flat(code) if len(shape) == 1 else index.multi(code)[axis]
        return number_of(code, at, dtype)

    return Tensor(shape, dtype, recipe=recipe, cost=1, by_place=len(shape) == 1)


def number_of(code: Code, index: Ix, dtype: str) -> Scalar:
    """An index as an element of a type."""
    if is_complex(dtype):
        return number_of(code, index, PART[dtype]), literal(0.0, PART[dtype])
    if isinstance(index, int):
        return literal(index, dtype)
    if is_float(dtype):
        return scalar.rounded(code, code.value(f"sitofp i32 {index} to {LLVM[dtype]}"), dtype)
    return scalar.convert(code, index, "i32", dtype)


@lowering("broadcast_in_dim")
def _broadcast(program: Program, op: Op) -> list[Tensor]:
    operand = program.operands(op)[0]
    return [broadcast(program, operand, op.results[0].type.shape, op.ints("broadcast_dimensions"))]


def broadcast(program: Program, operand: Tensor, shape: Shape, dimensions: Sequence[int]) -> Tensor:
    """A tensor with elements repeated; an operand that is dear to compute is stored before."""
    if operand.scalar is not None:
        return uniform(shape, operand.dtype, operand.scalar)
    if operand.buffer is not None and operand.shape == tuple(shape):
        return Tensor(shape, operand.dtype, buffer=operand.buffer)
    if operand.buffer is None and operand.cost > 3 and operand.size != product(shape):
        program.stored(operand)
    axes = list(dimensions)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    same_place = axes == sorted(axes) and all(shape[axis] == 1 for axis in kept) and operand.size == product(shape)
    is_one = operand.size == 1

    def recipe(code: Code, index: Index) -> Scalar:
        extents = code.extents(operand.shape)
        if is_one:
            return read(code, operand, Index(extents, multi=[0] * len(extents), flat=0))
        if same_place and index._multi is None:
            return read(code, operand, Index(extents, flat=index.flat(code)))
        multi = index.multi(code)
        return read(code, operand, Index(extents, multi=[0 if operand.shape[at] == 1 else multi[axis] for at, axis in enumerate(axes)]))

    return Tensor(
        shape, operand.dtype, recipe=recipe, sources=[(operand, same_place)], by_place=same_place or is_one, cost=0 if operand.is_cheap else 1
    )


@lowering("reshape")
def _reshape(program: Program, op: Op) -> list[Tensor]:
    return [reshaped(program.operands(op)[0], op.results[0].type.shape)]


def reshaped(operand: Tensor, shape: Shape) -> Tensor:
    """The same elements in the same order in another shape."""
    if operand.scalar is not None:
        return uniform(shape, operand.dtype, operand.scalar)
    if operand.buffer is not None:
        return Tensor(shape, operand.dtype, buffer=operand.buffer)
    groups = _grouped(operand.shape, shape)

    def recipe(code: Code, index: Index) -> Scalar:
        extents = code.extents(operand.shape)
        if index._multi is None or groups is None:
            return read(code, operand, Index(extents, flat=index.flat(code)))
        multi: list[Ix] = []
        for sources, targets in groups:
            place = code.linear([index.multi(code)[axis] for axis in targets], [index.shape[axis] for axis in targets])
            multi += code.unlinear(place, [extents[axis] for axis in sources])
        return read(code, operand, Index(extents, multi=multi))

    return Tensor(shape, operand.dtype, recipe=recipe, sources=[(operand, True)])


def _grouped(source: Shape, target: Shape) -> list[tuple[list[int], list[int]]] | None:
    """Runs of dimensions of both shapes that have the same number of elements, as short as can be."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(source) or j < len(target):
        a, b = [], []
        left: Extent = 1
        right: Extent = 1
        if i < len(source):
            a, left, i = [i], source[i], i + 1
        if j < len(target):
            b, right, j = [j], target[j], j + 1
        while left != right:
            if not (isinstance(left, int) and isinstance(right, int)):
                return None
            if left < right and i < len(source):
                left, a, i = left * source[i], [*a, i], i + 1
            elif j < len(target):
                right, b, j = right * target[j], [*b, j], j + 1
            elif i < len(source):
                left, a, i = left * source[i], [*a, i], i + 1
            else:
                return None
        groups.append((a, b))
    return groups


@lowering("transpose")
def _transpose(program: Program, op: Op) -> list[Tensor]:
    return [transposed(program.operands(op)[0], op.ints("permutation"))]


def transposed(operand: Tensor, permutation: Sequence[int]) -> Tensor:
    """The tensor with its dimensions in another order."""
    order = list(permutation)
    shape = tuple(operand.shape[axis] for axis in order)
    if operand.buffer is not None and [axis for axis in order if operand.shape[axis] != 1] == [
        axis for axis in range(len(order)) if operand.shape[axis] != 1
    ]:
        return Tensor(shape, operand.dtype, buffer=operand.buffer)

    def recipe(code: Code, index: Index) -> Scalar:
        multi: list[Ix] = [0] * len(order)
        for axis, at in zip(order, index.multi(code), strict=True):
            multi[axis] = at
        return read_at(code, operand, multi)

    return Tensor(shape, operand.dtype, recipe=recipe, sources=[(operand, False)], by_place=False)


@lowering("slice")
def _slice(program: Program, op: Op) -> list[Tensor]:
    starts, strides = op.ints("start_indices"), op.ints("strides")
    return [sliced(program.operands(op)[0], starts, strides, op.results[0].type.shape)]


def sliced(operand: Tensor, starts: Sequence[Ix | Extent], strides: Sequence[int], shape: Shape) -> Tensor:
    """A part of a tensor; the indices at which it begins are numbers, extents, or the driver's values."""
    if operand.buffer is not None and operand.shape == tuple(shape):
        return Tensor(shape, operand.dtype, buffer=operand.buffer)

    def recipe(code: Code, index: Index) -> Scalar:
        multi = []
        for at, start, stride in zip(index.multi(code), starts, strides, strict=True):
            begin = code.outer(start, "i32") if isinstance(start, str) else code.extent(start)
            multi.append(code.add(code.mul(at, stride), begin))
        return read_at(code, operand, multi)

    return Tensor(shape, operand.dtype, recipe=recipe, sources=[(operand, False)], by_place=False)


@lowering("reverse")
def _reverse(program: Program, op: Op) -> list[Tensor]:
    operand = program.operands(op)[0]
    axes = op.ints("dimensions")

    def recipe(code: Code, index: Index) -> Scalar:
        multi = index.multi(code)
        for axis in axes:
            multi = [*multi[:axis], code.sub(code.sub(code.extent(operand.shape[axis]), 1), multi[axis]), *multi[axis + 1 :]]
        return read_at(code, operand, multi)

    return [Tensor(operand.shape, operand.dtype, recipe=recipe, sources=[(operand, False)], by_place=False)]


@lowering("concatenate")
def _concatenate(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    axis = int(op.attributes["dimension"])
    extent: Extent = 0
    for one in operands:
        extent = extent + one.shape[axis]
    shape = (*operands[0].shape[:axis], extent, *operands[0].shape[axis + 1 :])
    dtype = operands[0].dtype
    target = program.room(op.results[0], shape, dtype, operands)
    begin: Extent = 0
    for one in operands:
        place_at(program, one, target, shape, [begin if at == axis else 0 for at in range(len(shape))])
        begin = begin + one.shape[axis]
    return [Tensor(shape, dtype, buffer=target)]


def place_at(program: Program, part: Tensor, target: object, shape: Shape, starts: Sequence[Extent], steps: Sequence[int] = ()) -> None:
    """Writes a tensor into a part of memory of a shape."""
    steps = list(steps) or [1] * len(shape)

    def one(code: Code, index: Index) -> None:
        multi = [
            code.add(code.mul(at, step), code.extent(start)) for at, step, start in zip(index.multi(code), steps, starts, strict=True)
        ]
        place = code.linear(multi, code.extents(shape))
        code.store(read(code, part, index), code.pointer(target), place, part.dtype)

    program.each(part.shape, one)


@lowering("pad")
def _pad(program: Program, op: Op) -> list[Tensor]:
    operand, value = program.operands(op)
    low, high, interior = (op.ints(name) for name in ("edge_padding_low", "edge_padding_high", "interior_padding"))
    return [padded(program, operand, value, low, high, interior, op.results[0])]


def padded(
    program: Program,
    operand: Tensor,
    value: Tensor,
    low: Sequence[Extent],
    high: Sequence[Extent],
    interior: Sequence[int],
    result: Value | None,
) -> Tensor:
    """A tensor with a value around its elements and between them; where the padding is negative, elements are left out."""
    shape: Shape = tuple(
        before + after + (extent if not between else (extent - 1) * (between + 1) + 1 if extent != 0 else 0)
        for extent, before, after, between in zip(operand.shape, low, high, interior, strict=True)
    )
    target = program.room(result, shape, operand.dtype, [operand])
    is_around = all(at_least_zero(one) == one for one in (*low, *high))
    if product(shape) != operand.size or not is_around:
        program.write(uniform(shape, operand.dtype, value.scalar), target)
    if is_around:
        place_at(program, operand, target, shape, low, [between + 1 for between in interior])
        return Tensor(shape, operand.dtype, buffer=target)

    def one(code: Code, index: Index) -> None:
        multi, inside = [], "true"
        for at, before, between, extent in zip(index.multi(code), low, interior, shape, strict=True):
            place = code.add(code.mul(at, between + 1), code.extent(before))
            inside = code.both(inside, code.within(place, code.extent(extent)))
            multi.append(place)

        def write() -> None:
            code.store(read(code, operand, index), code.pointer(target), code.linear(multi, code.extents(shape)), operand.dtype)

        code.when(inside, write)

    program.each(operand.shape, one)
    return Tensor(shape, operand.dtype, buffer=target)


def in_pairs(amounts: Any, count: int) -> list[tuple[Extent, Extent]]:
    """Paddings before and after for each axis, of an attribute's numbers or of extents; none where there is no attribute."""
    if amounts is None:
        return [(0, 0)] * count
    flat: list[Extent] = amounts if isinstance(amounts, list) else np.asarray(amounts).reshape(-1).tolist()
    return list(zip(flat[::2], flat[1::2], strict=True))


def windows(extent: Extent, size: Extent, apart: int, stride: int, op: Op) -> Extent:
    """How many windows there are along an axis."""
    if not isinstance(size, int):
        raise op.refused("a window has the extent of a named dimension", "give the shapes as numbers")
    return at_least_zero(floor_quotient(extent - (size - 1) * apart - 1, stride) + 1)


@lowering("dynamic_slice")
def _dynamic_slice(program: Program, op: Op) -> list[Tensor]:
    operand, *starts = program.operands(op)
    shape = tuple(op.ints("slice_sizes"))
    return [sliced(operand, clamped_starts(program, starts, operand.shape, shape), [1] * len(shape), shape)]


def clamped_starts(program: Program, starts: Sequence[Tensor], whole: Shape, part: Shape) -> list[Ix]:
    """Where a part begins, moved so that it lies within the whole: values of the driver."""
    driver = program.driver
    found: list[Ix] = []
    for start, extent, size in zip(starts, whole, part, strict=True):
        most = driver.extent(extent - size)
        if most == 0:
            found.append(0)
            continue
        found.append(clamped(driver, str(start.scalar), start.dtype, most))
    return found


def clamped(code: Code, value: str, dtype: str, most: Ix) -> Ix:
    """An index of any whole type as an i32 in [0, most]."""
    kind = LLVM[dtype]
    if not value.startswith("%") and isinstance(most, int):
        return min(max(int(value), 0), most)
    if dtype in ("i64", "u64"):
        wide = code.value(f"sext i32 {most} to i64")
        low = value if dtype == "u64" else code.call("i64", "llvm.smax.i64", [("i64", value), ("i64", "0")])
        return code.value(f"trunc i64 {code.call('i64', 'llvm.umin.i64', [('i64', low), ('i64', wide)])} to i32")
    if kind != "i32":
        value = code.value(f"{'sext' if dtype[0] == 'i' else 'zext'} {kind} {value} to i32")
    low = value if dtype[0] == "u" else str(code.maximum(value, 0))
    return code.call("i32", "llvm.umin.i32", [("i32", low), ("i32", str(most))])
