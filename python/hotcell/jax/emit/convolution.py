"""Convolutions: the windows of the padded input become rows of a matrix, and the rest is a product with the kernel's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..builder import Code, Ix, Scalar, literal
from ..module import Op
from ..program import Program, lowering
from ..tensor import Index, Tensor, read_at
from ..types import Extent, Shape, product
from .dot import product_of
from .shape import in_pairs, padded, reshaped, transposed, windows


def _axes(text: str) -> tuple[list[str], list[str], list[str]]:
    """The order of the dimensions of input, kernel and result."""
    match = re.fullmatch(r"\[(.*)\]x\[(.*)\]->\[(.*)\]", text)
    assert match, text
    first, second, third = ([part.strip() for part in group.split(",")] for group in match.groups())
    return first, second, third


@lowering("convolution")
def convolution(program: Program, op: Op) -> list[Tensor]:
    source, kernel = program.operands(op)
    in_axes, kernel_axes, out_axes = _axes(op.attributes["dimension_numbers"])
    spatial = len(in_axes) - 2
    ones = [1] * spatial
    strides, dilation, spread = (op.ints(name, ones) for name in ("window_strides", "lhs_dilation", "rhs_dilation"))
    padding = in_pairs(op.attributes.get("padding"), spatial)
    flipped = list(op.attributes.get("window_reversal", [False] * spatial))
    groups, batch_groups = int(op.attributes.get("feature_group_count", 1)), int(op.attributes.get("batch_group_count", 1))
    numbers = [str(axis) for axis in range(spatial)]
    # Batch, space, features; space, input features, output features.
    source = _padded_source(program, source, in_axes, padding, dilation)
    image = transposed(source, [in_axes.index(axis) for axis in ("b", *numbers, "f")])
    filters = transposed(kernel, [kernel_axes.index(axis) for axis in (*numbers, "i", "o")])
    result = _convolved(program, image, filters, strides, spread, flipped, groups, batch_groups, op)
    order = [(["b", *numbers, "f"]).index(axis) for axis in out_axes]
    return [transposed(result, order)]


def _padded_source(program: Program, source: Tensor, axes: Sequence[str], padding: Sequence[tuple[Extent, Extent]], dilation: Sequence[int]) -> Tensor:
    if all(pair == (0, 0) for pair in padding) and all(one == 1 for one in dilation):
        return program.in_memory(source) if not source.is_cheap else source
    low: list[Extent] = [0] * len(axes)
    high, between = list(low), [0] * len(axes)
    for at, axis in enumerate(axes):
        if axis.isdigit():
            low[at], high[at] = padding[int(axis)]
            between[at] = dilation[int(axis)] - 1
    zero = Tensor((), source.dtype, scalar=literal(0, source.dtype))
    return padded(program, source, zero, low, high, between, None)


def _convolved(
    program: Program,
    image: Tensor,
    filters: Tensor,
    strides: Sequence[int],
    spread: Sequence[int],
    flipped: Sequence[bool],
    groups: int,
    batch_groups: int,
    op: Op,
) -> Tensor:
    """Of an image [batch, space, features] and filters [space, in, out] the image [batch, space, out]."""
    batch, *space, _ = image.shape
    *window, inner, outer = filters.shape
    assert isinstance(batch, int) or batch_groups == 1
    result_space = [windows(extent, size, apart, stride, op) for extent, size, apart, stride in zip(space, window, spread, strides, strict=True)]
    count = max(groups, batch_groups)
    each = outer // count  # type: ignore[operator]
    per_batch: Extent = batch // batch_groups if isinstance(batch, int) else batch
    taps: Shape = (*window, inner)
    rank = len(window)

    def patches(code: Code, index: Index) -> Scalar:
        group, number, *rest = index.multi(code)
        at, tap, feature = rest[:rank], rest[rank : 2 * rank], rest[-1]
        place = [
            code.add(code.mul(one, stride), code.mul(inner_at, apart))
            for one, stride, inner_at, apart in zip(at, strides, tap, spread, strict=True)
        ]
        if batch_groups > 1:
            number = code.add(code.mul(group, code.extent(per_batch)), number)
        if groups > 1:
            feature = code.add(code.mul(group, code.extent(inner)), feature)
        return read_at(code, image, [number, *place, feature])

    shape: Shape = (count, per_batch, *result_space, *taps)
    rows = Tensor(shape, image.dtype, recipe=patches, sources=[(image, False)], by_place=False)

    def weights(code: Code, index: Index) -> Scalar:
        group, *rest = index.multi(code)
        *tap, feature, column = rest
        turned: list[Ix] = [
            code.sub(code.extent(size - 1), one) if flip else one for one, size, flip in zip(tap, window, flipped, strict=True)
        ]
        return read_at(code, filters, [*turned, feature, code.add(code.mul(group, each), column)])

    matrix = Tensor((count, *taps, each), filters.dtype, recipe=weights, sources=[(filters, False)], by_place=False)
    sums = list(range(2 + rank, 3 + 2 * rank))
    made = product_of(
        program, (rows, [0], list(range(1, 2 + rank)), sums), (matrix, [0], [2 + rank], list(range(1, 2 + rank))), op.results[0].type.dtype, None
    )
    # [group, batch, space, out of the group] to [batch, space, out]
    if count == 1:
        return reshaped(made, made.shape[1:])
    order = [*range(1, 2 + rank), 0, 2 + rank]
    whole: Shape = (per_batch, *result_space, product((count, each)))
    return reshaped(program.in_memory(transposed(made, order)), whole)
