"""Control flow: loops whose carries are changed in place, and branches."""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import Scalar
from ..fuse import captured
from ..module import Op
from ..program import Program, lowering
from ..tensor import Buffer, Tensor
from .reduce import flattened, gathered, kinds_of


def settle(program: Program, op: Op) -> None:
    """Stores what an operation's blocks read from outside, so that it is computed once."""
    for value in captured(op):
        tensor = program.tensor(value)
        if tensor.buffer is None and tensor.scalar is None and (tensor.sources or tensor.cost > 2):
            program.stored(tensor, value)


@lowering("while")
def _while(program: Program, op: Op) -> list[Tensor]:
    condition, body = op.blocks
    settle(program, op)
    firsts = program.operands(op)
    is_same = [value is argument for value, argument in zip(body.results, body.arguments, strict=True)]
    carried = _carries(program, op, is_same)
    scalars = [at for at, first in enumerate(firsts) if first.shape == ()]
    dtypes = [firsts[at].dtype for at in scalars]

    def tensors(values: Sequence[str]) -> list[Tensor]:
        given = dict(zip(scalars, gathered(values, dtypes), strict=True))
        made = []
        for at, first in enumerate(firsts):
            buffer = carried[at]
            if at in given:
                made.append(Tensor((), first.dtype, scalar=given[at]))
            else:
                made.append(first if buffer is None else Tensor(first.shape, first.dtype, buffer=buffer))
        return made

    def holds(*values: str) -> str:
        return str(program.lower(condition, _copies(tensors(values)))[0].scalar)

    def turn(*values: str) -> list[str]:
        results = program.lower(body, _copies(tensors(values)), carried)
        _put_back(program, [(results[at], buffer) for at, buffer in enumerate(carried) if buffer is not None])
        return flattened([results[at].scalar for at in scalars])

    begin = flattened([firsts[at].scalar for at in scalars])
    for buffer in carried:
        if buffer is not None:
            buffer.depth = program.depth + 1
    with program.nested():
        ends = program.driver.while_(holds, turn, list(zip(kinds_of(dtypes), begin, strict=True)))
    for buffer in carried:
        if buffer is not None:
            buffer.depth = program.depth
    return _copies(tensors(ends))


def _copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same tensors, apart from those outside: what happens to one in a block is the block's own."""
    made = []
    for one in tensors:
        copy = Tensor(one.shape, one.dtype, buffer=one.buffer, scalar=one.scalar, recipe=one.recipe, sources=one.sources)
        copy.cost, copy.nodes, copy.by_place = one.cost, one.nodes, one.by_place
        made.append(copy)
    return made


def _carries(program: Program, op: Op, is_same: Sequence[bool]) -> list[Buffer | None]:
    """For each carry the memory that it is kept in; none for numbers, and for what no turn changes."""
    buffers: list[Buffer | None] = []
    firsts = program.operands(op)
    for at, (value, first) in enumerate(zip(op.operands, firsts, strict=True)):
        if first.shape == ():
            buffers.append(None)
        elif is_same[at]:
            if first.buffer is None and first.sources:
                program.stored(first, value)
            buffers.append(None)
        else:
            buffer = program.in_place(value, [other for other in firsts if other is not first])
            if buffer is None or buffer in buffers:
                buffer = program.room(op.results[at], first.shape, first.dtype, firsts)
                if buffer in buffers:
                    buffer = program.new_buffer(first.shape, first.dtype)
                program._copied(first, buffer)
            else:
                # From here on the memory is the loop's.
                program.live.pop(value, None)
            buffers.append(buffer)
    return buffers


def _put_back(program: Program, pending: list[tuple[Tensor, Buffer]]) -> None:
    """Puts what a turn gives into the carries' memory, in an order in which nothing is overwritten that is still read."""
    pending = [(tensor, buffer) for tensor, buffer in pending if tensor.buffer is not buffer]
    while pending:
        for at, (tensor, buffer) in enumerate(pending):
            others = [other for number, (other, _) in enumerate(pending) if number != at]
            if buffer not in tensor.reads_elsewhere() and not any(buffer in other.reads() for other in others):
                if tensor.buffer is not None:
                    program.stored(tensor, into=buffer)
                else:
                    program.write(tensor, buffer)
                pending.pop(at)
                break
        else:
            # They read each other's memory: one of them goes elsewhere first.
            wanted = {buffer for _, buffer in pending}
            at = next(number for number, (tensor, _) in enumerate(pending) if tensor.reads() & wanted)
            tensor, buffer = pending[at]
            copy = program.new_buffer(tensor.shape, tensor.dtype)
            program._copied(tensor, copy)
            pending[at] = (Tensor(tensor.shape, tensor.dtype, buffer=copy), buffer)


@lowering("if", "case")
def _case(program: Program, op: Op) -> list[Tensor]:
    settle(program, op)
    driver = program.driver
    index = program.operands(op)[0]
    seen = [program.tensor(value) for value in captured(op)]
    last = len(op.blocks) - 1
    buffers: dict[int, Buffer] = {}
    shapes: list[tuple[object, ...]] = []
    scalars = [at for at, result in enumerate(op.results) if result.type.shape == ()]
    dtypes = [op.results[at].type.dtype for at in scalars]

    def way(number: int) -> list[str]:
        targets = [buffers.get(at) for at in range(len(op.results))]
        with program.nested():
            results = program.lower(op.blocks[number], [], targets)
            if not shapes:
                shapes.extend(result.shape for result in results)
            for at, result in enumerate(results):
                if at in scalars:
                    continue
                if at not in buffers:
                    buffers[at] = program.room(op.results[at], result.shape, result.dtype, seen)
                if result.buffer is not buffers[at]:
                    program._copied(result, buffers[at])
        return flattened([results[at].scalar for at in scalars])

    for at, result in enumerate(op.results):
        if at not in scalars and None not in result.type.shape:
            buffers[at] = program.room(result, result.type.shape, result.type.dtype, seen)

    def chain(number: int) -> list[str]:
        if number == last:
            return way(number)
        return driver.branch(_is_chosen(program, str(index.scalar), number, op), lambda: way(number), lambda: chain(number + 1), kinds_of(dtypes))

    values: dict[int, Scalar] = dict(zip(scalars, gathered(chain(0), dtypes), strict=True))
    return [
        Tensor((), op.results[at].type.dtype, scalar=values[at])
        if at in values
        else Tensor(shapes[at], op.results[at].type.dtype, buffer=buffers[at])  # type: ignore[arg-type]
        for at in range(len(op.results))
    ]


def _is_chosen(program: Program, index: str, number: int, op: Op) -> str:
    """Whether the branch of a number is taken: an index that is none takes the last one."""
    if op.name == "if":
        return index
    return program.driver.value(f"icmp eq i32 {index}, {number}")
