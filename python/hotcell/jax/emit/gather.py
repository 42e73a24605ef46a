"""Gather and scatter, with indices out of bounds as XLA has them: clamped when read, left out when written."""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import Code, Ix, Scalar
from ..module import Op
from ..program import Program, lowering
from ..tensor import Index, Tensor, read, read_at
from ..types import LLVM, Extent, product
from .elementwise import elements_of_block
from .shape import clamped
from .symbolic import known_extents


@lowering("gather", "dynamic_gather")
def _gather(program: Program, op: Op) -> list[Tensor]:
    operand, indices = program.operands(op)[:2]
    numbers = op.attributes["dimension_numbers"]
    sizes: list[Extent] = list(op.ints("slice_sizes"))
    if op.name == "dynamic_gather":
        sizes = known_extents(program, op.operands[2], op)
    offsets = numbers.get("offset_dims", [])
    collapsed = [*numbers.get("collapsed_slice_dims", []), *numbers.get("operand_batching_dims", [])]
    vector = numbers.get("index_vector_dim", 0)
    batch_shape = [extent for axis, extent in enumerate(indices.shape) if axis != vector]
    kept = [axis for axis in range(len(operand.shape)) if axis not in collapsed]
    rank = len(batch_shape) + len(offsets)
    rest = iter(batch_shape)
    taken = dict(zip(offsets, kept, strict=True))
    shape = tuple(sizes[taken[axis]] if axis in taken else next(rest) for axis in range(rank))
    if operand.buffer is None and not operand.is_cheap and not _is_fewer(shape, operand):
        program.stored(operand)
    if indices.buffer is None and indices.cost > 4 and product(shape) != product(batch_shape):
        program.stored(indices)

    def recipe(code: Code, index: Index) -> Scalar:
        multi = index.multi(code)
        batch = [multi[axis] for axis in range(rank) if axis not in taken]
        place: list[Ix] = [0] * len(operand.shape)
        for axis, into in taken.items():
            place[into] = multi[axis]
        for number, axis in enumerate(numbers.get("start_index_map", [])):
            most = code.sub(code.extent(operand.shape[axis]), code.extent(sizes[axis]))
            if most != 0:
                start = read_at(code, indices, _with(batch, vector, number, indices))
                place[axis] = code.add(place[axis], clamped(code, start, indices.dtype, most))
        for axis, of in zip(numbers.get("operand_batching_dims", []), numbers.get("start_indices_batching_dims", []), strict=True):
            place[axis] = batch[of if of < vector else of - 1]
        return read_at(code, operand, place)

    return [Tensor(shape, operand.dtype, recipe=recipe, sources=[(operand, False), (indices, False)], cost=4, by_place=False)]


def _is_fewer(shape: Sequence[Extent], operand: Tensor) -> bool:
    few, many = product(shape), operand.size
    return isinstance(few, int) and isinstance(many, int) and few <= many


def _with(batch: Sequence[Ix], vector: int, number: int, indices: Tensor) -> list[Ix]:
    """The index of a component of an index vector."""
    if vector == len(indices.shape):
        return list(batch)
    return [*batch[:vector], number, *batch[vector:]]


@lowering("scatter")
def _scatter(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    count = len(op.results)
    sources, indices, updates = operands[:count], operands[count], operands[count + 1 :]
    numbers = op.attributes["scatter_dimension_numbers"]
    windows = numbers.get("update_window_dims", [])
    inserted = [*numbers.get("inserted_window_dims", []), *numbers.get("input_batching_dims", [])]
    vector = numbers.get("index_vector_dim", 0)
    shape = sources[0].shape
    kept = [axis for axis in range(len(shape)) if axis not in inserted]
    outer = [axis for axis in range(len(updates[0].shape)) if axis not in windows]
    mapped = numbers.get("scatter_dims_to_operand_dims", [])
    batching = list(zip(numbers.get("input_batching_dims", []), numbers.get("scatter_indices_batching_dims", []), strict=True))
    window_of = dict(zip(kept, windows, strict=True))
    if indices.buffer is None and indices.cost > 4 and windows:
        program.stored(indices)
    others = [one for one in (indices, *updates) if one.scalar is None]
    targets = [program.changed(op.operands[at], op.results[at], others) for at in range(count)]
    dtypes = [source.dtype for source in sources]
    extents = updates[0].shape

    def one(code: Code, index: Index) -> None:
        # The update's dimensions are walked with those of the scatter outside.
        multi: list[Ix] = [0] * len(extents)
        for axis, at in zip([*outer, *windows], index.multi(code), strict=True):
            multi[axis] = at
        batch = [multi[axis] for axis in outer]
        place: list[Ix] = [0] * len(shape)
        for into, axis in window_of.items():
            place[into] = multi[axis]
        inside = "true"
        for number, axis in enumerate(mapped):
            size = code.extent(extents[window_of[axis]]) if axis in window_of else 1
            most = code.sub(code.extent(shape[axis]), size)
            start = read_at(code, indices, _with(batch, vector, number, indices))
            fits, begin = _checked(code, start, indices.dtype, most)
            inside = code.both(inside, fits)
            place[axis] = code.add(place[axis], begin)
        for axis, of in batching:
            place[axis] = batch[of if of < vector else of - 1]

        def write() -> None:
            at = code.linear(place, code.extents(shape))
            old = [code.load(code.pointer(target), at, dtype) for target, dtype in zip(targets, dtypes, strict=True)]
            new = [read(code, update, Index(code.extents(extents), multi=multi)) for update in updates]
            values = elements_of_block(program, op, code, [*old, *new], [*dtypes, *dtypes])
            for value, target, dtype in zip(values, targets, dtypes, strict=True):
                code.store(value, code.pointer(target), at, dtype)

        code.when(inside, write)

    if all(extent != 0 for extent in shape):
        program.each(tuple(extents[axis] for axis in [*outer, *windows]), one)
    return [Tensor(shape, dtype, buffer=target) for dtype, target in zip(dtypes, targets, strict=True)]


def _checked(code: Code, start: str, dtype: str, most: Ix) -> tuple[str, Ix]:
    """Whether an index lies in [0, most], and the index as an i32."""
    if not start.startswith("%") and isinstance(most, int):
        return ("true" if 0 <= int(start) <= most else "false"), int(start)
    kind = LLVM[dtype]
    if dtype in ("i64", "u64"):
        wide = code.value(f"sext i32 {most} to i64")
        fits = code.value(f"icmp ule i64 {start}, {wide}")
        if isinstance(most, int) and most < 0:
            fits = "false"
        return fits, code.value(f"trunc i64 {start} to i32")
    if kind != "i32":
        start = code.value(f"{'sext' if dtype[0] == 'i' else 'zext'} {kind} {start} to i32")
    if isinstance(most, int):
        return (code.value(f"icmp ule i32 {start}, {most}") if most >= 0 else "false"), start
    return code.both(code.less(-1, most), code.value(f"icmp ule i32 {start}, {most}")), start
