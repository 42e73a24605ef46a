"""Reductions: any body, several operands; sums of floats may be taken in another order, as XLA does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..builder import Code, Ix, Scalar
from ..module import Op, Value
from ..program import Program, lowering
from ..tensor import Index, Tensor, read, read_at
from ..types import LLVM, PART, Extent, is_complex, is_float
from . import scalar
from .elementwise import elements_of_block, single_operation

#: Combines what was gathered so far with elements.
Combine = Callable[[Code, Sequence[Scalar], Sequence[Scalar]], list[Scalar]]


def combining(program: Program, op: Op, dtypes: Sequence[str], at: int = 0) -> Combine:
    """What a body does."""
    name = single_operation(op, at)
    dtype = dtypes[0]
    if len(dtypes) == 1 and name in ("add", "multiply") and is_float(dtype):
        kind, operation = LLVM[dtype], {"add": "fadd", "multiply": "fmul"}[name]

        def reordered(code: Code, a: Sequence[Scalar], b: Sequence[Scalar]) -> list[Scalar]:
            return [scalar.rounded(code, code.value(f"{operation} reassoc {kind} {a[0]}, {b[0]}"), dtype)]

        return reordered

    def any_body(code: Code, a: Sequence[Scalar], b: Sequence[Scalar]) -> list[Scalar]:
        return elements_of_block(program, op, code, [*a, *b], [*dtypes, *dtypes], at)

    return any_body


def flattened(values: Sequence[Scalar]) -> list[str]:
    """Values with complex ones as their parts."""
    return [part for value in values for part in (value if isinstance(value, tuple) else (value,))]


def kinds_of(dtypes: Sequence[str]) -> list[str]:
    """The types of flattened values."""
    return [kind for dtype in dtypes for kind in ([LLVM[PART[dtype]]] * 2 if is_complex(dtype) else [LLVM[dtype]])]


def gathered(values: Sequence[str], dtypes: Sequence[str]) -> list[Scalar]:
    """Flattened values as they were."""
    rest = list(values)
    return [(rest.pop(0), rest.pop(0)) if is_complex(dtype) else rest.pop(0) for dtype in dtypes]


@lowering("reduce")
def _reduce(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    sources, firsts = operands[: len(operands) // 2], operands[len(operands) // 2 :]
    dtypes = [source.dtype for source in sources]
    wide = _accumulated(op, dtypes)
    combine = wide or combining(program, op, dtypes)
    return reduced(program, sources, firsts, op.ints("dimensions"), combine, op.results, is_wide=wide is not None)


def reduced(
    program: Program,
    sources: Sequence[Tensor],
    firsts: Sequence[Tensor],
    axes: Sequence[int],
    combine: Combine,
    values: Sequence[Value | None],
    *,
    is_wide: bool = False,
) -> list[Tensor]:
    """Tensors reduced along axes. ``is_wide`` says that sums of half precision are not rounded before the end."""
    shape = sources[0].shape
    dtypes = [source.dtype for source in sources]
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    result = tuple(shape[axis] for axis in kept)
    targets = [program.room(value, result, dtype, sources) for value, dtype in zip(values, dtypes, strict=True)]
    if not axes or (len(shape) - 1) in axes or not kept or _is_small(shape[-1]) or is_wide:
        _along_inner(program, sources, firsts, axes, kept, combine, targets, dtypes, is_wide)
    else:
        _along_outer(program, sources, firsts, axes, kept, combine, targets, dtypes)
    return [Tensor(result, dtype, buffer=target) for dtype, target in zip(dtypes, targets, strict=True)]


def _is_small(extent: Extent) -> bool:
    return isinstance(extent, int) and extent <= 4


def _accumulated(op: Op, dtypes: Sequence[str]) -> Combine | None:
    """Sums of half precision are kept in single until the end."""
    name = single_operation(op)
    if len(dtypes) == 1 and dtypes[0] in ("f16", "bf16") and name in ("add", "multiply"):
        operation = {"add": "fadd", "multiply": "fmul"}[name]
        return lambda code, a, b: [code.value(f"{operation} reassoc float {a[0]}, {b[0]}")]
    return None


def _index(count: int, kept: Sequence[int], outer: Sequence[Ix], axes: Sequence[int], inner: Sequence[Ix]) -> list[Ix]:
    index: list[Ix] = [0] * count
    for axis, at in zip([*kept, *axes], [*outer, *inner], strict=True):
        index[axis] = at
    return index


def _along_inner(
    program: Program,
    sources: Sequence[Tensor],
    firsts: Sequence[Tensor],
    axes: Sequence[int],
    kept: Sequence[int],
    combine: Combine,
    targets: Sequence[object],
    dtypes: Sequence[str],
    is_wide: bool,
) -> None:
    """For each result one value that grows in a register."""
    shape = sources[0].shape
    result = tuple(shape[axis] for axis in kept)
    kinds = kinds_of(dtypes)
    by_place = not kept and all(source.by_place for source in sources)

    def one(code: Code, index: Index) -> None:
        outer = index.multi(code)
        begin = flattened([code.outer(first.scalar, first.dtype) for first in firsts])

        def step(multi: Index, values: Sequence[str]) -> list[str]:
            elements = [read(code, source, multi) for source in sources]
            return flattened(combine(code, gathered(values, dtypes), elements))

        if by_place:
            extents = code.extents(shape)
            count = _count(code, extents)
            values = code.loop(
                count, lambda at, *carried: step(Index(extents, flat=at), carried), list(zip(kinds, begin, strict=True))
            )
        else:
            values = _nested(code, code.extents([shape[axis] for axis in axes]), kinds, begin,
                lambda inner, carried: step(Index(code.extents(shape), multi=_index(len(shape), kept, outer, axes, inner)), carried))  # fmt: skip
        for value, target, dtype in zip(gathered(values, dtypes), targets, dtypes, strict=True):
            stored = scalar.rounded(code, value, dtype) if is_wide else value
            code.store(stored, code.pointer(target), index.flat(code), dtype)

    size = 1 if not shape else sources[0].size
    program.each(result, one, size=size, cost=max(source.cost for source in sources))


def _count(code: Code, extents: Sequence[Ix]) -> Ix:
    total: Ix = 1
    for extent in extents:
        total = code.mul(total, extent)
    return total


def _nested(
    code: Code, extents: Sequence[Ix], kinds: Sequence[str], begin: Sequence[str], body: Callable[[list[Ix], Sequence[str]], list[str]]
) -> list[str]:
    """Loops within loops that carry values through all."""

    def level(prefix: list[Ix], values: Sequence[str]) -> list[str]:
        if len(prefix) == len(extents):
            return body(prefix, values)
        return code.loop(
            extents[len(prefix)], lambda at, *carried: level([*prefix, at], carried), list(zip(kinds, values, strict=True))
        )

    return level([], begin)


def _along_outer(
    program: Program,
    sources: Sequence[Tensor],
    firsts: Sequence[Tensor],
    axes: Sequence[int],
    kept: Sequence[int],
    combine: Combine,
    targets: Sequence[object],
    dtypes: Sequence[str],
) -> None:
    """The last dimension is kept: rows of results grow in memory, so that the innermost loop goes along memory."""
    shape = sources[0].shape
    result = tuple(shape[axis] for axis in kept)
    before = [axis for axis in kept if axis < min(axes)]
    after = [axis for axis in kept if axis > min(axes)]

    def fill(code: Code, index: Index) -> None:
        for first, target, dtype in zip(firsts, targets, dtypes, strict=True):
            code.store(code.outer(first.scalar, dtype), code.pointer(target), index.flat(code), dtype)

    program.each(result, fill, by_place=True)
    order = [*before, *axes, *after]

    def one(code: Code, index: Index) -> None:
        multi = _index(len(shape), order, index.multi(code), [], [])
        place = code.linear([multi[axis] for axis in kept], code.extents(result))
        grown = [code.load(code.pointer(target), place, dtype) for target, dtype in zip(targets, dtypes, strict=True)]
        values = combine(code, grown, [read_at(code, source, multi) for source in sources])
        for value, target, dtype in zip(values, targets, dtypes, strict=True):
            code.store(value, code.pointer(target), place, dtype)

    program.each(tuple(shape[axis] for axis in order), one, cost=max(source.cost for source in sources))
