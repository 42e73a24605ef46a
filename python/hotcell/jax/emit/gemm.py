"""The matrix product, written once for each element type: C = A·B with any strides of A and B, packed, in tiles of registers.

Both factors are packed so that the innermost loop reads memory in order: A in panels of some rows, B in panels of two vectors' columns. What
does not fill a tile is padded with zeros in the panels and left out when the tile is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import SIDE_BY_SIDE, Ix, ModuleText, Routine
from ..types import LLVM, SIZE, is_float

#: Rows of a tile.
ROWS = 4
#: Turns of the innermost loop that are written out.
UNROLLED = 8
#: How much of the inner dimension is packed at a time.
DEPTH = 512
#: Elements of a 128-bit vector.
LANES = {"f32": 4, "i32": 4, "u32": 4, "f64": 2, "i64": 2, "u64": 2}

_PARAMETERS = (
    ("ptr noalias", "%a"), ("i32", "%a_row"), ("i32", "%a_inner"), ("ptr noalias", "%b"), ("i32", "%b_inner"), ("i32", "%b_column"),
    ("ptr noalias", "%c"), ("i32", "%m"), ("i32", "%n"), ("i32", "%k"), ("ptr noalias", "%pack_a"), ("ptr noalias", "%pack_b"),
)  # fmt: skip


def columns(dtype: str) -> int:
    """Columns of a tile."""
    return 2 * LANES[dtype]


def gemm(module: ModuleText, dtype: str) -> str:
    """The name of the product's function for an element type. ``pack_a`` has room for m rounded up to :data:`ROWS` times
    :data:`DEPTH` elements, ``pack_b`` for :func:`columns` times that; c's rows follow each other."""
    return module.define(f"gemm_{dtype}", lambda: _Gemm(module, dtype).text())


class _Gemm:
    def __init__(self, module: ModuleText, dtype: str) -> None:
        self.code = Routine(module, _PARAMETERS)
        self.module = module
        self.dtype = dtype
        self.kind = LLVM[dtype]
        self.vector = f"<{LANES[dtype]} x {self.kind}>"
        self.columns = columns(dtype)
        self.tile = _tile(module, dtype)

    def text(self) -> str:
        code = self.code

        def slab(start: Ix) -> None:
            left = code.sub("%k", start)
            depth = code.minimum(left, DEPTH)
            whole = code.mul(code.div(code.add(depth, UNROLLED - 1), UNROLLED), UNROLLED)
            first = code.value(f"icmp eq i32 {start}, 0")
            self.pack(("%a", "%a_row", "%a_inner"), "%m", ROWS, start, depth, whole, "%pack_a")
            self.loop_over(self.columns, "%n", lambda at, count: self.panel(at, count, start, depth, whole, first))

        code.loop("%k", slab, step=DEPTH)
        return code.text(f"gemm_{self.dtype}")

    def loop_over(self, width: int, total: Ix, body: object) -> None:
        """Over panels: ``body(first, how many)``."""
        code = self.code
        code.loop(total, lambda at: body(at, code.minimum(code.sub(total, at), width)), step=width)  # type: ignore[operator]

    def panel(self, column: Ix, count: Ix, start: Ix, depth: Ix, whole: Ix, first: str) -> None:
        code = self.code
        source = code.address("%b", code.mul(column, "%b_column"), self.dtype)
        self.pack((source, "%b_column", "%b_inner"), count, self.columns, start, depth, whole, "%pack_b")

        def rows(row: Ix, high: Ix) -> None:
            packed = code.address("%pack_a", code.mul(row, whole), self.dtype)
            into = code.address("%c", code.add(code.mul(row, "%n"), column), self.dtype)
            arguments = [("ptr", packed), ("ptr", "%pack_b"), ("ptr", into), ("i32", "%n"), ("i32", whole), ("i32", high), ("i32", count), ("i1", first)]
            code.do(f"call void @{self.tile}({', '.join(f'{kind} {value}' for kind, value in arguments)})")

        self.loop_over(ROWS, "%m", rows)

    def pack(self, source: tuple[str, str, str], count: Ix, width: int, start: Ix, depth: Ix, whole: Ix, into: str) -> None:
        """Panels of ``width`` lines, each line's elements as far apart as the panel is wide; the rest is zero."""
        code, dtype = self.code, self.dtype
        pointer, line_stride, inner_stride = source

        def panel(line: Ix, lines: Ix) -> None:
            base = code.address(into, code.mul(line, whole), dtype)
            begin = code.add(code.mul(line, line_stride), code.mul(start, inner_stride))
            from_ = code.address(pointer, begin, dtype)
            full = code.value(f"icmp eq i32 {lines}, {width}")

            def fast() -> list[str]:
                adjacent = code.value(f"icmp eq i32 {line_stride}, 1")
                code.branch(adjacent, lambda: self._rows(from_, base, depth, width, inner_stride), lambda: self._lines(from_, base, depth, width, line_stride, inner_stride), [])  # fmt: skip
                return []

            def slow() -> list[str]:
                code.fill_zero(base, code.mul(whole, width * SIZE[dtype]))

                def one(index: Ix) -> None:
                    def each(at: Ix) -> None:
                        value = code.load(from_, code.add(code.mul(index, line_stride), code.mul(at, inner_stride)), dtype)
                        code.store(value, base, code.add(code.mul(at, width), index), dtype)

                    code.loop(depth, each)

                code.side_by_side = 0
                code.loop(lines, one)
                code.side_by_side = SIDE_BY_SIDE
                return []

            code.branch(full, fast, slow, [])
            tail = code.mul(depth, width)
            code.fill_zero(code.address(base, tail, dtype), code.mul(code.sub(whole, depth), width * SIZE[dtype]))

        self.loop_over(width, count, panel)

    def _rows(self, source: str, base: str, depth: Ix, width: int, stride: Ix) -> list[str]:
        """Lines that are adjacent: vectors are copied."""
        code, dtype = self.code, self.dtype
        lanes = LANES[dtype]

        def one(at: Ix) -> None:
            row, into = code.mul(at, stride), code.mul(at, width)
            for offset in range(0, width, lanes):
                value = code.value(f"load {self.vector}, ptr {code.address(source, code.add(row, offset), dtype)}, align {SIZE[dtype]}")
                code.do(f"store {self.vector} {value}, ptr {code.address(base, code.add(into, offset), dtype)}, align {SIZE[dtype]}")

        code.loop(depth, one)
        return []

    def _lines(self, source: str, base: str, depth: Ix, width: int, line_stride: Ix, stride: Ix) -> list[str]:
        code, dtype = self.code, self.dtype
        code.side_by_side = 0

        def one(at: Ix) -> None:
            row, into = code.mul(at, stride), code.mul(at, width)
            for line in range(width):
                value = code.load(source, code.add(row, code.mul(line, line_stride)), dtype)
                code.store(value, base, code.add(into, line), dtype)

        code.loop(depth, one)
        code.side_by_side = SIDE_BY_SIDE
        return []


def _tile(module: ModuleText, dtype: str) -> str:
    """The name of the function for one tile of C."""
    name = f"gemm_tile_{dtype}"
    return module.define(name, lambda: _tile_text(module, dtype, name))


def _tile_text(module: ModuleText, dtype: str, name: str) -> str:
    kind, lanes, size = LLVM[dtype], LANES[dtype], SIZE[dtype]
    vector, width = f"<{lanes} x {kind}>", columns(dtype)
    code = Routine(module, (
        ("ptr noalias", "%a"), ("ptr noalias", "%b"), ("ptr noalias", "%c"), ("i32", "%stride"), ("i32", "%depth"), ("i32", "%rows"),
        ("i32", "%columns"), ("i1", "%first"),
    ))  # fmt: skip
    prefix = "f" if is_float(dtype) else ""

    def kept(value: str, of: str) -> str:
        # WebAssembly's code generator would compute one sum after the other, each a chain: this holds it to the order that is written.
        return code.value(f'call {of} asm sideeffect "", "=r,0"({of} {value})')

    def turn(_: Ix, left: str, right: str, *sums: str) -> list[str]:
        grown: Sequence[str] = sums
        for inner in range(UNROLLED):
            columns_ = [code.value(f"load {vector}, ptr {code.address(right, inner * width + part * lanes, dtype)}, align {size}") for part in (0, 1)]
            following = []
            for line in range(ROWS):
                one = code.value(f"load {kind}, ptr {code.address(left, inner * ROWS + line, dtype)}, align {size}")
                single = code.value(f"insertelement {vector} poison, {kind} {one}, i32 0")
                many = code.value(f"shufflevector {vector} {single}, {vector} poison, <{lanes} x i32> zeroinitializer")
                for part in (0, 1):
                    times = code.value(f"{prefix}mul {vector} {many}, {columns_[part]}")
                    total = code.value(f"{prefix}add {vector} {grown[2 * line + part]}, {times}")
                    following.append(kept(total, vector))
            grown = following
        return [kept(code.address(left, UNROLLED * ROWS, dtype), "ptr"), kept(code.address(right, UNROLLED * width, dtype), "ptr"), *grown]

    carried = [("ptr", "%a"), ("ptr", "%b"), *[(vector, "zeroinitializer")] * (2 * ROWS)]
    sums = code.loop("%depth", turn, carried, step=UNROLLED)[2:]
    whole = code.both(code.value(f"icmp eq i32 %rows, {ROWS}"), code.value(f"icmp eq i32 %columns, {width}"))

    def full() -> list[str]:
        for line in range(ROWS):
            for part in (0, 1):
                at = code.address("%c", code.add(code.mul("%stride", line), part * lanes), dtype)
                old = code.value(f"load {vector}, ptr {at}, align {size}")
                old = code.value(f"select i1 %first, {vector} zeroinitializer, {vector} {old}")
                code.do(f"store {vector} {code.value(f'{prefix}add {vector} {old}, {sums[2 * line + part]}')}, ptr {at}, align {size}")
        return []

    def part_of_it() -> list[str]:
        spill = code.slot(f"[{ROWS * width} x {kind}]")
        for at, one in enumerate(sums):
            code.do(f"store {vector} {one}, ptr {code.address(spill, at * lanes, dtype)}, align {size}")

        def line(row: Ix) -> None:
            def element(column: Ix) -> None:
                value = code.load(spill, code.add(code.mul(row, width), column), dtype)
                place = code.add(code.mul(row, "%stride"), column)
                old = code.load("%c", place, dtype)
                old = code.value(f"select i1 %first, {kind} {'0.0' if prefix else '0'}, {kind} {old}")
                code.store(code.value(f"{prefix}add {kind} {old}, {value}"), "%c", place, dtype)

            code.loop("%columns", element)

        code.side_by_side = 0
        code.loop("%rows", line)
        return []

    code.branch(whole, full, part_of_it, [])
    return code.text(name)
