"""The matrix product, written once for each element type: C = A·B with any strides of A and B.

Both factors are packed so that the tiles read memory in order: A in panels of a tile's rows, B in panels of its columns. So much of A is
packed at a time as the second-level cache holds, and one panel of B, which the first-level cache holds. What does not fill a tile is zero
in the panels and left out when the tile is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import AS_WRITTEN, Ix, ModuleText, Routine
from ..types import SIZE, Extent
from .pack import pack
from .tile import ROWS, columns, tile

#: How much of the inner dimension is packed at a time.
DEPTH = 256
#: How many rows of A are packed at a time: those of f32 take 128 KiB.
HEIGHT = 128

_PARAMETERS = (
    ("ptr noalias", "%a"), ("i32", "%a_row"), ("i32", "%a_inner"), ("ptr noalias", "%b"), ("i32", "%b_inner"), ("i32", "%b_column"),
    ("ptr noalias", "%c"), ("i32", "%m"), ("i32", "%n"), ("i32", "%k"), ("ptr noalias", "%pack_a"), ("ptr noalias", "%pack_b"),
)  # fmt: skip


def packed_shapes(dtype: str, rows: Extent, inner: Extent) -> tuple[tuple[int, int], tuple[int, int]]:
    """The shapes of the memory that the product packs A and B to."""
    depth = min(DEPTH, inner) if isinstance(inner, int) else DEPTH
    height = min(HEIGHT, -(-rows // ROWS) * ROWS) if isinstance(rows, int) else HEIGHT
    return (height, depth), (columns(dtype), depth)


def gemm(module: ModuleText, dtype: str) -> str:
    """The name of the product's function for an element type that vectors have. Strides are in elements; c's rows follow each other."""
    return module.define(f"gemm_{dtype}", lambda: _text(module, dtype))


def _text(module: ModuleText, dtype: str) -> str:
    code, width = Routine(module, _PARAMETERS), columns(dtype)
    code.side_by_side = AS_WRITTEN
    pack_rows, pack_columns, one_tile = pack(module, dtype, ROWS), pack(module, dtype, width), tile(module, dtype)

    def packed(function: str, source: str, strides: tuple[str, str], first: Sequence[Ix], lines: Ix, depth: Ix, into: str) -> None:
        begin = code.address(source, code.add(code.mul(first[0], strides[0]), code.mul(first[1], strides[1])), dtype)
        _call(code, function, [("ptr", begin), *(("i32", one) for one in (*strides, lines, depth)), ("ptr", into)])

    def slab(start: Ix) -> None:
        depth = code.minimum(code.sub("%k", start), DEPTH)
        is_first = code.value(f"icmp eq i32 {start}, 0")

        def block(top: Ix) -> None:
            height = code.minimum(code.sub("%m", top), HEIGHT)
            packed(pack_rows, "%a", ("%a_row", "%a_inner"), (top, start), height, depth, "%pack_a")

            def panel(column: Ix) -> None:
                count = code.minimum(code.sub("%n", column), width)
                packed(pack_columns, "%b", ("%b_column", "%b_inner"), (column, start), count, depth, "%pack_b")

                def rows(row: Ix) -> None:
                    left = code.address("%pack_a", code.mul(row, depth), dtype)
                    into = code.address("%c", code.add(code.mul(code.add(top, row), "%n"), column), dtype)
                    high = code.minimum(code.sub(height, row), ROWS)
                    sizes: list[tuple[str, Ix]] = [("i32", "%n"), ("i32", depth), ("i32", high), ("i32", count), ("i1", is_first)]
                    _call(code, one_tile, [("ptr", left), ("ptr", "%pack_b"), ("ptr", into), *sizes])

                code.loop(height, rows, step=ROWS)

            code.loop("%n", panel, step=width)

        code.loop("%m", block, step=HEIGHT)

    # Without an inner dimension all sums are of nothing.
    code.when(code.less("%k", 1), lambda: code.fill_zero("%c", code.mul(code.mul("%m", "%n"), SIZE[dtype])))
    code.loop("%k", slab, step=DEPTH)
    return code.text(f"gemm_{dtype}")


def _call(code: Routine, function: str, arguments: Sequence[tuple[str, Ix]]) -> None:
    code.do(f"call void @{function}({', '.join(f'{kind} {value}' for kind, value in arguments)})")
