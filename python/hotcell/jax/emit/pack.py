"""Packing for the matrix product: lines of a matrix side by side, in panels of a tile's width."""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import AS_WRITTEN, Ix, ModuleText, Routine
from ..types import LLVM, SIZE
from .tile import LANES

#: Elements of adjacent lines that are copied in a turn.
_WRITTEN_OUT = 4
_PARAMETERS = (
    ("ptr noalias", "%from"), ("i32", "%line_stride"), ("i32", "%inner_stride"), ("i32", "%lines"), ("i32", "%depth"), ("ptr noalias", "%into"),
)  # fmt: skip


def pack(module: ModuleText, dtype: str, width: int) -> str:
    """The name of a function that packs ``lines`` lines of ``depth`` elements. A panel has ``width`` lines, the first elements of all of
    them, then the second ones; in the last panel lines that there are not are zero. Strides are in elements."""
    name = f"gemm_pack_{dtype}_{width}"
    return module.define(name, lambda: _Pack(module, dtype, width).text(name))


class _Pack:
    def __init__(self, module: ModuleText, dtype: str, width: int) -> None:
        self.code = Routine(module, _PARAMETERS)
        self.code.side_by_side = AS_WRITTEN
        self.dtype = dtype
        self.width = width
        self.lanes = LANES[dtype]
        self.vector = f"<{self.lanes} x {LLVM[dtype]}>"

    def text(self, name: str) -> str:
        code = self.code
        are_adjacent = code.value("icmp eq i32 %line_stride, 1")
        are_in_order = code.value("icmp eq i32 %inner_stride, 1")

        def panel(line: Ix) -> None:
            source = code.address("%from", code.mul(line, "%line_stride"), self.dtype)
            into = code.address("%into", code.mul(line, "%depth"), self.dtype)
            left = code.sub("%lines", line)

            def full() -> list[str]:
                return code.branch(are_adjacent, lambda: self.copied(source, into), lambda: self.other(are_in_order, source, into), [])

            code.branch(code.less(left, self.width), lambda: self.part(source, into, left), full, [])

        code.loop("%lines", panel, step=self.width)
        return code.text(name)

    def other(self, are_in_order: str, source: str, into: str) -> list[str]:
        return self.code.branch(are_in_order, lambda: self.turned(source, into), lambda: self.elements(source, into, 0), [])

    def copied(self, source: str, into: str) -> list[str]:
        """Adjacent lines: whole vectors."""
        code = self.code

        def one(at: Ix) -> None:
            row, to = code.mul(at, "%inner_stride"), code.mul(at, self.width)
            for offset in range(0, self.width, self.lanes):
                self.store(self.load(source, code.add(row, offset)), into, code.add(to, offset))

        def several(at: Ix) -> None:
            for more in range(_WRITTEN_OUT):
                one(code.add(at, more))

        even = code.mul(code.div("%depth", _WRITTEN_OUT), _WRITTEN_OUT)
        code.loop(even, several, step=_WRITTEN_OUT)
        code.loop("%depth", one, start=even)
        return []

    def turned(self, source: str, into: str) -> list[str]:
        """Lines along memory: as many elements of as many lines as a vector has, rows for columns."""
        code, lanes = self.code, self.lanes
        even = code.mul(code.div("%depth", lanes), lanes)

        def square(at: Ix) -> None:
            to = code.mul(at, self.width)
            for first in range(0, self.width, lanes):
                rows = [self.load(source, code.add(code.mul("%line_stride", first + line), at)) for line in range(lanes)]
                for index, column in enumerate(self.transposed(rows)):
                    self.store(column, into, code.add(to, index * self.width + first))

        code.loop(even, square, step=lanes)
        return self.elements(source, into, even)

    def elements(self, source: str, into: str, start: Ix) -> list[str]:
        """Any lines, from an element on, one element after the other."""
        code = self.code

        def one(at: Ix) -> None:
            row, to = code.mul(at, "%inner_stride"), code.mul(at, self.width)
            for line in range(self.width):
                value = code.load(source, code.add(row, code.mul("%line_stride", line)), self.dtype)
                code.store(value, into, code.add(to, line), self.dtype)

        code.loop("%depth", one, start=start)
        return []

    def part(self, source: str, into: str, lines: Ix) -> list[str]:
        """Fewer lines than the panel has room for."""
        code = self.code
        code.fill_zero(into, code.mul("%depth", self.width * SIZE[self.dtype]))

        def line(index: Ix) -> None:
            def one(at: Ix) -> None:
                value = code.load(source, code.add(code.mul(index, "%line_stride"), code.mul(at, "%inner_stride")), self.dtype)
                code.store(value, into, code.add(code.mul(at, self.width), index), self.dtype)

            code.loop("%depth", one)

        code.loop(lines, line)
        return []

    def transposed(self, rows: Sequence[str]) -> list[str]:
        """The columns of a square of vectors: pairs of elements are put together, and then fours."""
        lanes = self.lanes
        if lanes == 2:
            return [self.shuffled(rows[0], rows[1], [0, 2]), self.shuffled(rows[0], rows[1], [1, 3])]
        a, b, c, d = rows
        low = [self.shuffled(a, b, [0, 4, 1, 5]), self.shuffled(c, d, [0, 4, 1, 5])]
        high = [self.shuffled(a, b, [2, 6, 3, 7]), self.shuffled(c, d, [2, 6, 3, 7])]
        return [self.shuffled(pair[0], pair[1], mask) for pair in (low, high) for mask in ([0, 1, 4, 5], [2, 3, 6, 7])]

    def shuffled(self, a: str, b: str, lanes: Sequence[int]) -> str:
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.code.value(f"shufflevector {self.vector} {a}, {self.vector} {b}, <{len(lanes)} x i32> <{mask}>")

    def load(self, pointer: str, offset: Ix) -> str:
        return self.code.value(f"load {self.vector}, ptr {self.code.address(pointer, offset, self.dtype)}, align {SIZE[self.dtype]}")

    def store(self, value: str, pointer: str, offset: Ix) -> None:
        self.code.do(f"store {self.vector} {value}, ptr {self.code.address(pointer, offset, self.dtype)}, align {SIZE[self.dtype]}")
