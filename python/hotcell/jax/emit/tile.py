"""A tile of the matrix product, whose sums stay in registers: some rows by two vectors' columns.

The code is written for Cranelift. It computes what has no effects only where an effect asks for it, so that a loop whose turns are written out
in a straight line would load everything first and then add up one sum after the other, with most of it on the stack. Here each step of
the inner dimension ends with a branch that leaves the loop with all the sums, if it was the last: that asks for them. 16 registers hold a step:
eight sums, what was loaded of A and of B, one element of A in all lanes, and a product.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import AS_WRITTEN, Ix, ModuleText, Routine
from ..types import LLVM, SIZE, is_float

#: Rows of a tile.
ROWS = 4
#: Vectors in a row of a tile.
_VECTORS = 2
#: Steps that are written out: at each turn the code that meters it keeps the sums on the stack for a while.
_WRITTEN_OUT = 16
#: Elements of a 128-bit vector.
LANES = {"f32": 4, "i32": 4, "u32": 4, "f64": 2, "i64": 2, "u64": 2}

_PARAMETERS = (
    ("ptr noalias", "%a"), ("ptr noalias", "%b"), ("ptr noalias", "%c"), ("i32", "%stride"), ("i32", "%depth"), ("i32", "%rows"),
    ("i32", "%columns"), ("i1", "%first"),
)  # fmt: skip


def columns(dtype: str) -> int:
    """Columns of a tile."""
    return _VECTORS * LANES[dtype]


def tile(module: ModuleText, dtype: str) -> str:
    """The name of the function for one tile of C.

    It takes a panel of A and one of B with ``depth`` elements for each line, at least one; where in C the tile begins and how far apart C's
    rows are; how many rows and columns there really are; and whether C is written, where otherwise it is added to.
    """
    name = f"gemm_tile_{dtype}"
    return module.define(name, lambda: _Tile(module, dtype).text(name))


class _Tile:
    def __init__(self, module: ModuleText, dtype: str) -> None:
        self.code = Routine(module, _PARAMETERS)
        self.dtype = dtype
        self.kind, self.lanes, self.size = LLVM[dtype], LANES[dtype], SIZE[dtype]
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.width = columns(dtype)
        self.prefix = "f" if is_float(dtype) else ""

    def text(self, name: str) -> str:
        code = self.code
        sums = self.summed()
        is_whole = code.both(code.value(f"icmp eq i32 %rows, {ROWS}"), code.value(f"icmp eq i32 %columns, {self.width}"))
        code.branch(is_whole, lambda: self.store(sums), lambda: self.store_part(sums), [])
        return code.text(name)

    def summed(self) -> list[str]:
        """The sums of all products, row by row."""
        code = self.code
        left, right, rest = "%left", "%right", "%rest"
        phis = [f"%sum{at}" for at in range(ROWS * _VECTORS)]
        sums: list[str] = phis
        exits: list[tuple[str, list[str]]] = []
        code.do("br label %turn")
        code.label("turn")
        place = len(code.lines)
        code.lines.append("")
        for step in range(_WRITTEN_OUT):
            sums = self.step(left, right, step, sums)
            is_last_written = step == _WRITTEN_OUT - 1
            if is_last_written:
                left = self.kept(code.address(left, _WRITTEN_OUT * ROWS, self.dtype), "ptr")
                right = self.kept(code.address(right, _WRITTEN_OUT * self.width, self.dtype), "ptr")
            rest = code.value(f"sub i32 {rest}, 1")
            exits.append((code.block, sums))
            following = "turn" if is_last_written else f"step{step + 1}"
            code.do(f"br i1 {code.value(f'icmp eq i32 {rest}, 0')}, label %summed, label %{following}")
            if not is_last_written:
                code.label(following)
        carried = [("%left", "ptr", "%a", left), ("%right", "ptr", "%b", right), ("%rest", "i32", "%depth", rest)]
        carried += [(phi, self.vector, "zeroinitializer", one) for phi, one in zip(phis, sums, strict=True)]
        code.lines[place] = "\n".join(f"  {phi} = phi {kind} [ {first}, %entry ], [ {last}, %{code.block} ]" for phi, kind, first, last in carried)
        code.label("summed")
        return [code.value(f"phi {self.vector} " + ", ".join(f"[ {left[at]}, %{block} ]" for block, left in exits)) for at in range(len(phis))]

    def step(self, left: str, right: str, step: int, sums: Sequence[str]) -> list[str]:
        """The sums with the products of one step of the inner dimension."""
        code = self.code
        row_of_b = [self.load(right, step * self.width + part * self.lanes) for part in range(_VECTORS)]
        column_of_a = [self.load(left, step * ROWS + part) for part in range(0, ROWS, self.lanes)]
        following: list[str] = []
        for line in range(ROWS):
            mask = ", ".join([f"i32 {line % self.lanes}"] * self.lanes)
            one = code.value(f"shufflevector {self.vector} {column_of_a[line // self.lanes]}, {self.vector} poison, <{self.lanes} x i32> <{mask}>")
            for part in range(_VECTORS):
                product = code.value(f"{self.prefix}mul {self.vector} {one}, {row_of_b[part]}")
                following.append(self.kept(code.value(f"{self.prefix}add {self.vector} {sums[len(following)]}, {product}"), self.vector))
        return following

    def kept(self, value: str, kind: str) -> str:
        """The value, which LLVM may not compute elsewhere or otherwise."""
        return self.code.value(f'call {kind} asm sideeffect "", "=r,0"({kind} {value})')

    def load(self, pointer: str, offset: int) -> str:
        return self.code.value(f"load {self.vector}, ptr {self.code.address(pointer, offset, self.dtype)}, align {self.size}")

    def store(self, sums: Sequence[str]) -> list[str]:
        """A whole tile to C."""
        code = self.code
        for at, one in enumerate(sums):
            line, part = divmod(at, _VECTORS)
            place = code.address("%c", code.add(code.mul("%stride", line), part * self.lanes), self.dtype)
            old = code.value(f"load {self.vector}, ptr {place}, align {self.size}")
            old = code.value(f"select i1 %first, {self.vector} zeroinitializer, {self.vector} {old}")
            code.do(f"store {self.vector} {code.value(f'{self.prefix}add {self.vector} {old}, {one}')}, ptr {place}, align {self.size}")
        return []

    def store_part(self, sums: Sequence[str]) -> list[str]:
        """The rows and columns that there are, to C."""
        code, dtype = self.code, self.dtype
        spill = code.slot(f"[{ROWS * self.width} x {self.kind}]")
        for at, one in enumerate(sums):
            code.do(f"store {self.vector} {one}, ptr {code.address(spill, at * self.lanes, dtype)}, align {self.size}")

        def line(row: Ix) -> None:
            def element(column: Ix) -> None:
                value = code.load(spill, code.add(code.mul(row, self.width), column), dtype)
                place = code.add(code.mul(row, "%stride"), column)
                old = code.load("%c", place, dtype)
                old = code.value(f"select i1 %first, {self.kind} {'0.0' if self.prefix else '0'}, {self.kind} {old}")
                code.store(code.value(f"{self.prefix}add {self.kind} {old}, {value}"), "%c", place, dtype)

            code.loop("%columns", element)

        code.side_by_side = AS_WRITTEN
        code.loop("%rows", line)
        return []
