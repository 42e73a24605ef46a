"""Updates of parts: in place where nobody reads what was there."""

from __future__ import annotations

from ..builder import Code
from ..module import Op
from ..program import Program, lowering
from ..tensor import Index, Tensor, read
from .shape import clamped_starts


@lowering("dynamic_update_slice")
def _dynamic_update_slice(program: Program, op: Op) -> list[Tensor]:
    operand, update, *starts = program.operands(op)
    places = clamped_starts(program, starts, operand.shape, update.shape)
    if update.shape == operand.shape and update.buffer is not None:
        return [Tensor(operand.shape, operand.dtype, buffer=update.buffer)]
    others = [] if update.scalar is not None else [update]
    target = program.changed(op.operands[0], op.results[0], others)

    def one(code: Code, index: Index) -> None:
        multi = [
            code.add(at, code.outer(place, "i32") if isinstance(place, str) else place)
            for at, place in zip(index.multi(code), places, strict=True)
        ]
        code.store(read(code, update, index), code.pointer(target), code.linear(multi, code.extents(operand.shape)), operand.dtype)

    program.each(update.shape, one)
    return [Tensor(operand.shape, operand.dtype, buffer=target)]
