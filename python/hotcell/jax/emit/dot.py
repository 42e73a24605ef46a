"""dot_general: by the packed matrix product, by reductions where a factor is a vector, and element by element for other types."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..builder import Code, Ix, Scalar, literal
from ..module import Op, Value
from ..program import Program, lowering
from ..tensor import Index, Tensor, read_at
from ..types import LLVM, PART, Extent, Shape, is_complex, is_float, product
from . import complex as on_complex
from . import scalar
from .elementwise import mapped
from .gemm import gemm, packed_shapes
from .reduce import Combine, reduced
from .shape import transposed, uniform
from .tile import LANES

#: Products with fewer rows or columns than this are reductions.
_FEW = 2


@lowering("dot_general", "dot")
def _dot_general(program: Program, op: Op) -> list[Tensor]:
    left, right = program.operands(op)
    numbers = op.attributes.get("dot_dimension_numbers", {})
    if op.name == "dot":
        numbers = {"lhs_contracting_dimensions": [len(left.shape) - 1], "rhs_contracting_dimensions": [0]}
    sides = []
    for tensor, side in ((left, "lhs"), (right, "rhs")):
        batch, inner = numbers.get(f"{side}_batching_dimensions", []), numbers.get(f"{side}_contracting_dimensions", [])
        free = [axis for axis in range(len(tensor.shape)) if axis not in batch and axis not in inner]
        sides.append((tensor, batch, free, inner))
    return [product_of(program, sides[0], sides[1], op.results[0].type.dtype, op.results[0])]


#: A factor with its axes: of the batch, its own, and those that are summed over.
Side = tuple[Tensor, Sequence[int], Sequence[int], Sequence[int]]


def product_of(program: Program, left: Side, right: Side, dtype: str, value: Value | None) -> Tensor:
    """The product with the dimensions of the batch first, then those of the left and of the right factor."""
    kind = "f32" if dtype in ("f16", "bf16") else dtype
    a, b = (_of_type(side[0], kind) for side in (left, right))
    batch = [left[0].shape[axis] for axis in left[1]]
    rows = [left[0].shape[axis] for axis in left[2]]
    cols = [right[0].shape[axis] for axis in right[2]]
    inner = [left[0].shape[axis] for axis in left[3]]
    shape = (*batch, *rows, *cols)
    if product(shape) == 0 or product(inner) == 0:
        return uniform(shape, dtype, literal(0, dtype))
    sides = ((a, *left[1:]), (b, *right[1:]))
    sizes = (product(batch), product(rows), product(cols), product(inner))
    if _is_few(sizes[1]) or _is_few(sizes[2]) or kind not in LANES:
        made = _by_reduction(program, sides, shape, sizes, kind, value if kind == dtype else None)
    else:
        made = _by_gemm(program, sides, shape, sizes, kind, value if kind == dtype else None)
    if kind == dtype:
        return made
    return mapped([made], shape, dtype, lambda code, one: scalar.convert(code, one[0], kind, dtype))


def _of_type(tensor: Tensor, dtype: str) -> Tensor:
    if tensor.dtype == dtype:
        return tensor
    source = tensor.dtype
    if is_complex(dtype) or is_complex(source):
        from .elementwise import _converted

        return mapped([tensor], tensor.shape, dtype, lambda code, a: _converted(code, a[0], source, dtype))
    return mapped([tensor], tensor.shape, dtype, lambda code, a: scalar.convert(code, a[0], source, dtype))


def _is_few(extent: Extent) -> bool:
    return isinstance(extent, int) and extent < _FEW


# By reductions


def _by_reduction(
    program: Program, sides: Sequence[Side], shape: Shape, sizes: Sequence[Extent], dtype: str, value: Value | None
) -> Tensor:
    (a, a_batch, a_free, a_inner), (b, b_batch, b_free, b_inner) = sides
    a = program.in_memory(a) if not a.is_cheap else a
    b = program.in_memory(b) if not b.is_cheap else b
    columns_first = b_free and (not b_inner or max(b_free) > max(b_inner)) and _is_few(sizes[1])
    inner = [a.shape[axis] for axis in a_inner]
    count, summed = len(shape), len(inner)
    batch, rows = len(a_batch), len(a_free)
    # Where B's own dimension lies along memory, it is the innermost one.
    order = [*range(batch + rows), *range(count, count + summed), *range(batch + rows, count)] if columns_first else list(range(count + summed))
    whole = [*shape, *inner]
    terms = tuple(whole[axis] for axis in order)

    def recipe(code: Code, index: Index) -> Scalar:
        multi: list[Ix] = [0] * len(order)
        for axis, at in zip(order, index.multi(code), strict=True):
            multi[axis] = at
        x = read_at(code, a, _placed(a, (a_batch, multi[:batch]), (a_free, multi[batch : batch + rows]), (a_inner, multi[count:])))
        y = read_at(code, b, _placed(b, (b_batch, multi[:batch]), (b_free, multi[batch + rows : count]), (b_inner, multi[count:])))
        return _times(code, x, y, dtype)

    term = Tensor(terms, dtype, recipe=recipe, sources=[(a, False), (b, False)], cost=1, by_place=False)
    axes = [at for at, axis in enumerate(order) if axis >= count]
    zero = Tensor((), dtype, scalar=literal(0, dtype))
    made = reduced(program, [term], [zero], axes, _adding(dtype), [value])[0]
    return Tensor(shape, dtype, buffer=made.buffer)


def _placed(tensor: Tensor, *parts: tuple[Sequence[int], Sequence[Ix]]) -> list[Ix]:
    multi: list[Ix] = [0] * len(tensor.shape)
    for axes, values in parts:
        for axis, at in zip(axes, values, strict=True):
            multi[axis] = at
    return multi


def _times(code: Code, x: Scalar, y: Scalar, dtype: str) -> Scalar:
    if is_complex(dtype):
        return on_complex.apply(code, "multiply", [x, y], PART[dtype])
    return scalar.apply(code, "multiply", [x, y], dtype)


def _adding(dtype: str) -> Combine:
    if is_float(dtype):
        return lambda code, a, b: [code.value(f"fadd reassoc {LLVM[dtype]} {a[0]}, {b[0]}")]
    if is_complex(dtype):
        return lambda code, a, b: [on_complex.apply(code, "add", [a[0], b[0]], PART[dtype])]
    return lambda code, a, b: [scalar.apply(code, "add", [a[0], b[0]], dtype)]


# By the packed product


def _by_gemm(
    program: Program, sides: Sequence[Side], shape: Shape, sizes: Sequence[Extent], dtype: str, value: Value | None
) -> Tensor:
    batch, rows, cols, inner = sizes
    (a, a_batch, a_free, a_inner), (b, b_batch, b_free, b_inner) = sides
    a_tensor, a_strides = _strided(program, a, [a_batch, a_free, a_inner])
    b_tensor, b_strides = _strided(program, b, [b_batch, b_inner, b_free])
    target = program.room(value, shape, dtype, [a_tensor, b_tensor])
    pack_a, pack_b = (program.new_buffer(packed, dtype) for packed in packed_shapes(dtype, rows, inner))
    name = gemm(program.module, dtype)

    def one(code: Code, at: Ix) -> None:
        bases = [
            code.address(code.pointer(buffer), code.mul(at, code.extent(stride)), dtype)
            for buffer, stride in ((a_tensor.buffer, a_strides[0]), (b_tensor.buffer, b_strides[0]), (target, rows * cols))
        ]
        arguments = [
            ("ptr", bases[0]), ("i32", code.extent(a_strides[1])), ("i32", code.extent(a_strides[2])), ("ptr", bases[1]),
            ("i32", code.extent(b_strides[1])), ("i32", code.extent(b_strides[2])), ("ptr", bases[2]), ("i32", code.extent(rows)),
            ("i32", code.extent(cols)), ("i32", code.extent(inner)), ("ptr", code.pointer(pack_a)), ("ptr", code.pointer(pack_b)),
        ]  # fmt: skip
        code.do(f"call void @{name}({', '.join(f'{kind} {value}' for kind, value in arguments)})")

    if batch == 1:
        one(program.driver, 0)
    else:
        with program.outlined() as code:
            code.loop(code.extent(batch), lambda at: one(code, at), written_out=1)
    return Tensor(shape, dtype, buffer=target)


def _strided(program: Program, tensor: Tensor, groups: Sequence[Sequence[int]]) -> tuple[Tensor, list[Extent]]:
    """The tensor in memory with one stride for each group of axes; it is rearranged where its order does not allow that."""
    if tensor.buffer is None and [axis for axes in groups for axis in axes] == sorted(axis for axes in groups for axis in axes):
        tensor = program.in_memory(tensor)
    if tensor.buffer is not None:
        strides = _strides(tensor.shape)
        found = [_one_stride(tensor.shape, strides, axes) for axes in groups]
        if all(stride is not None for stride in found):
            return tensor, [stride for stride in found if stride is not None]
    order = [axis for axes in groups for axis in axes]
    arranged = tensor if order == list(range(len(order))) else transposed(tensor, order)
    sizes = [product(tensor.shape[axis] for axis in axes) for axes in groups]
    arranged = program.in_memory(arranged)
    return arranged, [sizes[1] * sizes[2], sizes[2], 1]


def _strides(shape: Shape) -> list[Extent]:
    strides: list[Extent] = []
    total: Extent = 1
    for extent in reversed(shape):
        strides.append(total)
        total = total * extent
    return strides[::-1]


def _one_stride(shape: Shape, strides: Sequence[Extent], axes: Sequence[int]) -> Extent | None:
    """The stride of axes that are walked as one; ``None`` where they cannot be."""
    real = [axis for axis in axes if shape[axis] != 1]
    for outer, inner in itertools.pairwise(real):
        if strides[outer] != shape[inner] * strides[inner]:
            return None
    return strides[real[-1]] if real else 0
