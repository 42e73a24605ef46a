"""Reductions over windows: sums along an axis that were written as windows are recognised, and take one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..builder import Code, Ix, Scalar
from ..module import Op
from ..program import Program, lowering
from ..tensor import Index, Tensor, read_at
from ..types import Shape
from .elementwise import elements_of_block
from .reduce import Combine, combining, flattened, gathered, kinds_of
from .shape import padded, windows


def _attributes(op: Op, rank: int) -> tuple[list[int], list[int], list[int], list[int], np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    ones = [1] * rank
    padding = np.asarray(op.attributes.get("padding", np.zeros((rank, 2)))).reshape(rank, 2).astype(int)
    return (
        op.ints("window_dimensions"), op.ints("window_strides", ones), op.ints("base_dilations", ones), op.ints("window_dilations", ones), padding,
    )  # fmt: skip


@lowering("reduce_window")
def _reduce_window(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    sources, firsts = operands[: len(operands) // 2], operands[len(operands) // 2 :]
    shape = sources[0].shape
    window, strides, dilations, spread, padding = _attributes(op, len(shape))
    dtypes = [source.dtype for source in sources]
    combine = combining(program, op, dtypes)
    if strides == dilations == spread == [1] * len(shape):
        wide = [axis for axis in range(len(shape)) if window[axis] != 1]
        if len(wide) == 1 and not padding[[axis for axis in range(len(shape)) if axis not in wide]].any():
            axis = wide[0]
            extent = shape[axis]
            if window[axis] == extent and padding[axis].tolist() in ([extent - 1, 0], [0, extent - 1]):
                return scanned(program, op, sources, firsts, combine, axis, backwards=padding[axis][0] == 0)
    low, high, between = padding[:, 0].tolist(), padding[:, 1].tolist(), [one - 1 for one in dilations]
    if any(low) or any(high) or any(between):
        sources = [padded(program, one, first, low, high, between, None) for one, first in zip(sources, firsts, strict=True)]
    else:
        sources = [program.in_memory(one) if not one.is_cheap else one for one in sources]
    result = tuple(
        windows(extent, size, apart, stride, op)
        for extent, size, apart, stride in zip(sources[0].shape, window, spread, strides, strict=True)
    )
    targets = [program.room(value, result, dtype, sources) for value, dtype in zip(op.results, dtypes, strict=True)]

    def one(code: Code, index: Index) -> None:
        multi = index.multi(code)
        begin = flattened([code.outer(first.scalar, first.dtype) for first in firsts])

        def level(prefix: list[Ix], values: Sequence[str]) -> list[str]:
            if len(prefix) == len(window):
                place = [
                    code.add(code.mul(at, stride), code.mul(inner, apart))
                    for at, stride, inner, apart in zip(multi, strides, prefix, spread, strict=True)
                ]
                return flattened(combine(code, gathered(values, dtypes), [read_at(code, source, place) for source in sources]))
            carried = list(zip(kinds_of(dtypes), values, strict=True))
            return code.loop(window[len(prefix)], lambda at, *rest: level([*prefix, at], rest), carried)

        for value, target, dtype in zip(gathered(level([], begin), dtypes), targets, dtypes, strict=True):
            code.store(value, code.pointer(target), index.flat(code), dtype)

    program.each(result, one, size=None)
    return [Tensor(result, dtype, buffer=target) for dtype, target in zip(dtypes, targets, strict=True)]


def scanned(
    program: Program,
    op: Op,
    sources: Sequence[Tensor],
    firsts: Sequence[Tensor],
    combine: Combine,
    axis: int,
    *,
    backwards: bool,
) -> list[Tensor]:
    """For each element the reduction of all up to it, along an axis."""
    shape = sources[0].shape
    dtypes = [source.dtype for source in sources]
    targets = [program.room(value, shape, dtype, sources) for value, dtype in zip(op.results, dtypes, strict=True)]
    before, after = shape[:axis], shape[axis + 1 :]
    is_last = all(extent == 1 for extent in after)

    def place(code: Code, outer: Sequence[Ix], at: Ix, inner: Sequence[Ix]) -> list[Ix]:
        if backwards:
            at = code.sub(code.sub(code.extent(shape[axis]), 1), at)
        return [*outer, at, *inner]

    def store(code: Code, values: Sequence[Scalar], multi: Sequence[Ix]) -> None:
        for value, target, dtype in zip(values, targets, dtypes, strict=True):
            code.store(value, code.pointer(target), code.linear(multi, code.extents(shape)), dtype)

    def line(code: Code, outer: Sequence[Ix], inner: Sequence[Ix]) -> None:
        begin = flattened([code.outer(first.scalar, first.dtype) for first in firsts])

        def step(at: Ix, *grown: str) -> list[str]:
            multi = place(code, outer, at, inner)
            values = combine(code, gathered(grown, dtypes), [read_at(code, source, multi) for source in sources])
            store(code, values, multi)
            return flattened(values)

        code.loop(code.extent(shape[axis]), step, list(zip(kinds_of(dtypes), begin, strict=True)))

    if is_last:
        rows: Shape = (*before, *after)
        program.each(rows, lambda code, index: line(code, index.multi(code)[: len(before)], index.multi(code)[len(before) :]), size=sources[0].size)
        return [Tensor(shape, dtype, buffer=target) for dtype, target in zip(dtypes, targets, strict=True)]

    def element(code: Code, outer: list[Ix], at: Ix, inner: list[Ix]) -> None:
        multi = place(code, outer, at, inner)
        elements = [read_at(code, source, multi) for source in sources]
        earlier = place(code, outer, code.sub(at, 1), inner)
        grown = [code.load(code.pointer(target), code.linear(earlier, code.extents(shape)), dtype) for target, dtype in zip(targets, dtypes, strict=True)]
        store(code, combine(code, grown, elements), multi)

    def row(code: Code, outer: list[Ix]) -> None:
        def first(inner: list[Ix]) -> None:
            multi = place(code, outer, 0, inner)
            begin = [code.outer(one.scalar, one.dtype) for one in firsts]
            store(code, combine(code, begin, [read_at(code, source, multi) for source in sources]), multi)

        extents = code.extents(after)

        def begin_row() -> None:
            code.nest(extents, first)
            code.loop(code.extent(shape[axis]), lambda at: code.nest(extents, lambda inner: element(code, outer, at, inner)), start=1, written_out=0)

        code.when(code.less(0, code.extent(shape[axis])), begin_row)

    program.each(before, lambda code, index: row(code, index.multi(code)), size=sources[0].size)
    return [Tensor(shape, dtype, buffer=target) for dtype, target in zip(dtypes, targets, strict=True)]


@lowering("select_and_scatter")
def _select_and_scatter(program: Program, op: Op) -> list[Tensor]:
    operand, source, first = program.operands(op)
    shape, dtype = operand.shape, operand.dtype
    rank = len(shape)
    window, strides, _, _, padding = _attributes(op, rank)
    operand = program.in_memory(operand)
    target = program.room(op.results[0], shape, dtype, [operand, source])
    program.write(Tensor(shape, dtype, recipe=lambda code, index: code.outer(first.scalar, dtype)), target)

    def one(code: Code, index: Index) -> None:
        multi = index.multi(code)
        kinds = kinds_of([dtype])

        def level(prefix: list[Ix], chosen: Sequence[str]) -> list[str]:
            if len(prefix) < rank:
                carried = list(zip(["i32", *kinds], chosen, strict=True))
                return code.loop(window[len(prefix)], lambda at, *rest: level([*prefix, at], rest), carried)
            place, inside = [], "true"
            for at, stride, inner, low, extent in zip(multi, strides, prefix, padding[:, 0], shape, strict=True):
                one_place = code.sub(code.add(code.mul(at, stride), inner), int(low))
                inside = code.both(inside, code.within(one_place, code.extent(extent)))
                place.append(one_place)

            def look() -> list[str]:
                flat = code.linear(place, code.extents(shape))
                value = code.load(code.pointer(operand.buffer), flat, dtype)
                keeps = elements_of_block(program, op, code, [*gathered(chosen[1:], [dtype]), value], [dtype, dtype], 0)[0]
                is_first = code.value(f"icmp slt i32 {chosen[0]}, 0")
                stays = code.value(f"select i1 {is_first}, i1 false, i1 {keeps}")
                parts = zip(["i32", *kinds], chosen, [str(flat), *flattened([value])], strict=True)
                return [code.value(f"select i1 {stays}, {kind} {old}, {kind} {new}") for kind, old, new in parts]

            if inside == "true":
                return look()
            return code.branch(inside, look, lambda: list(chosen), ["i32", *kinds])

        nothing = flattened([code.outer(first.scalar, dtype)])
        chosen = level([], ["-1", *nothing])[0]

        def add() -> None:
            old = code.load(code.pointer(target), chosen, dtype)
            new = read_at(code, source, multi)
            code.store(elements_of_block(program, op, code, [old, new], [dtype, dtype], 1)[0], code.pointer(target), chosen, dtype)

        code.when(code.less(-1, chosen), add)

    program.each(source.shape, one)
    return [Tensor(shape, dtype, buffer=target)]
