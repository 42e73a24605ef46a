"""Reductions over windows: sums along an axis that were written as windows are recognised, and take one pass."""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import Code, Ix, Scalar
from ..module import Op
from ..program import Program, lowering
from ..tensor import Index, Tensor, read_at
from ..types import Extent, Shape
from .elementwise import elements_of_block
from .reduce import Combine, combining, flattened, gathered, kinds_of
from .shape import in_pairs, padded, windows


class Windows:
    """Windows over an array: for each axis their extent, how far apart they begin, how far apart an array's elements and a window's lie, and
    what is around the array."""

    def __init__(
        self, sizes: Sequence[Extent], strides: Sequence[int], dilations: Sequence[int], spread: Sequence[int], padding: Sequence[tuple[Extent, Extent]]
    ) -> None:
        self.sizes = list(sizes)
        self.strides, self.dilations, self.spread = list(strides), list(dilations), list(spread)
        self.padding = list(padding)

    @classmethod
    def of(cls, op: Op, rank: int) -> Windows:
        """As an operation's attributes have them."""
        ones = [1] * rank
        strides, dilations, spread = (op.ints(name, ones) for name in ("window_strides", "base_dilations", "window_dilations"))
        return cls(op.ints("window_dimensions"), strides, dilations, spread, in_pairs(op.attributes.get("padding"), rank))

    def scan(self, shape: Shape) -> tuple[int, bool] | None:
        """The axis, and whether it is from the end, where each window has all elements up to its own."""
        if any(one != 1 for one in (*self.strides, *self.dilations, *self.spread)):
            return None
        wide = [axis for axis, size in enumerate(self.sizes) if size != 1]
        if len(wide) != 1 or any(pair != (0, 0) for at, pair in enumerate(self.padding) if at != wide[0]):
            return None
        extent, pair = shape[wide[0]], self.padding[wide[0]]
        if self.sizes[wide[0]] != extent or pair not in ((extent - 1, 0), (0, extent - 1)):
            return None
        return wide[0], pair[0] == 0


@lowering("reduce_window")
def _reduce_window(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    sources, firsts = operands[: len(operands) // 2], operands[len(operands) // 2 :]
    return reduced_windows(program, op, sources, firsts, Windows.of(op, len(sources[0].shape)))


def reduced_windows(program: Program, op: Op, sources: list[Tensor], firsts: Sequence[Tensor], over: Windows) -> list[Tensor]:
    """The reduction of each window by the operation's block."""
    dtypes = [source.dtype for source in sources]
    combine = combining(program, op, dtypes)
    scan = over.scan(sources[0].shape)
    if scan is not None:
        return scanned(program, op, sources, firsts, combine, scan[0], backwards=scan[1])
    low, high = ([pair[side] for pair in over.padding] for side in (0, 1))
    between = [one - 1 for one in over.dilations]
    if any(one != 0 for one in (*low, *high, *between)):
        sources = [padded(program, one, first, low, high, between, None) for one, first in zip(sources, firsts, strict=True)]
    else:
        sources = [program.in_memory(one) if not one.is_cheap else one for one in sources]
    window, strides, spread = over.sizes, over.strides, over.spread
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
            return code.loop(code.extent(window[len(prefix)]), lambda at, *rest: level([*prefix, at], rest), carried)

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
    over = Windows.of(op, rank)
    operand = program.in_memory(operand)
    target = program.room(op.results[0], shape, dtype, [operand, source])
    program.write(Tensor(shape, dtype, recipe=lambda code, index: code.outer(first.scalar, dtype)), target)

    def one(code: Code, index: Index) -> None:
        multi = index.multi(code)
        kinds = kinds_of([dtype])

        def level(prefix: list[Ix], chosen: Sequence[str]) -> list[str]:
            if len(prefix) < rank:
                carried = list(zip(["i32", *kinds], chosen, strict=True))
                return code.loop(code.extent(over.sizes[len(prefix)]), lambda at, *rest: level([*prefix, at], rest), carried)
            place, inside = [], "true"
            for at, stride, inner, (low, _), extent in zip(multi, over.strides, prefix, over.padding, shape, strict=True):
                one_place = code.sub(code.add(code.mul(at, stride), inner), code.extent(low))
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
