"""A function's operations, one after the other, to LLVM IR.

Elementwise operations, and those that only move indices, are recipes until somebody needs them in memory; what needs it, and what costs too
much to be computed twice, is written by a loop in a function of its own. Loops of the same text are one function.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from hotcell.errors import ImportRefused

from . import memory
from .builder import AS_WRITTEN, LOOP_MARK, Code, Driver, Ix, Kernel, ModuleText, literal
from .fuse import Uses
from .module import Block, Op, Value
from .support import declarations
from .tensor import Buffer, Index, Tensor, read, read_scalar
from .types import LLVM, PART, SIZE, Dim, Extent, Shape, is_complex, is_static

#: Lowers an operation: gives its results.
Lowering = Callable[["Program", Op], Sequence[Tensor]]
#: How each operation is lowered, by its name.
LOWERINGS: dict[str, Lowering] = {}

#: Elementwise values of at most this cost are computed again for each use.
_CHEAP = 5
#: The most recipes that are followed for one element.
_MOST_NODES = 250
#: Loops over at most this many elements stand in the driver itself.
_IN_DRIVER = 8
#: The number before the first loop's metadata: those up to it are what loops share.
_FIRST_LOOP = AS_WRITTEN + 1
#: The most bytes of constants that are data.
_MOST_CONSTANT_BYTES = 32 << 20


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Registers how operations are lowered."""

    def register(function: Lowering) -> Lowering:
        for name in names:
            LOWERINGS[name] = function
        return function

    return register


class Program:
    """A kernel that is being written.

    Attributes:
        driver: The kernel's own function.
        dims: The named dimensions, in order.
    """

    def __init__(self, dims: Sequence[str] = ()) -> None:
        self.module = ModuleText()
        self.driver = Driver(self.module, self._touch)
        self.dims = list(dims)
        self.buffers: list[Buffer] = []
        self.depth = 0
        self.remaining: dict[Value, int] = {}
        self.live: dict[Value, Tensor] = {}
        self.dying: set[Value] = set()
        self.targets: dict[Value, Buffer] = {}
        self.op: Op | None = None
        self._clock = 0
        self._environment: dict[Value, Tensor] = {}
        self._used_by_op: list[Value] = []

    # Blocks

    def lower(self, block: Block, arguments: Sequence[Tensor], targets: Sequence[Buffer | None] = ()) -> list[Tensor]:
        """Lowers a block's operations in the driver; results go to the targets where that does no harm."""
        uses = Uses(block)
        for value, tensor in zip(block.arguments, arguments, strict=True):
            self._define(value, tensor, uses)
        for value, target in zip(block.results, targets, strict=False):
            if target is not None and value not in self.targets:
                self.targets[value] = target
        for op in block.ops:
            self._lower_op(op, uses)
        results = [self._environment[value] for value in block.results]
        for value in block.results:
            self._release(value)
        return results

    def _lower_op(self, op: Op, uses: Uses) -> None:
        # Whatever an operation uses is alive all through it.
        self._clock += 1
        self.op = op
        lower = LOWERINGS.get(op.name)
        if lower is None:
            raise op.refused("the importer does not know this operation", "compute it before the kernel, or write it with others")
        self._used_by_op = uses.of_op[op]
        self.dying = {value for value in self._used_by_op if self.remaining.get(value) == self._used_by_op.count(value)}
        try:
            results = lower(self, op)
        except ImportRefused as refusal:
            if refusal.operation:
                raise
            raise op.refused(refusal.reason, refusal.advice) from refusal
        self.dying = set()
        for value in uses.of_op[op]:
            self._release(value)
        for value, tensor in zip(op.results, results, strict=True):
            self._define(value, tensor, uses)
            self._store_if_dear(value, tensor, uses)

    def _define(self, value: Value, tensor: Tensor, uses: Uses) -> None:
        tensor.depth = self.depth
        self._environment[value] = tensor
        count = uses.counts.get(value, 0)
        self.remaining[value] = count
        if count:
            self.live[value] = tensor
        if tensor.shape == () and tensor.scalar is None:
            tensor.scalar = read_scalar(self.driver, tensor)

    def _release(self, value: Value) -> None:
        if value in self.remaining:
            self.remaining[value] -= 1
            if self.remaining[value] <= 0:
                self.live.pop(value, None)

    def _store_if_dear(self, value: Value, tensor: Tensor, uses: Uses) -> None:
        if tensor.buffer is not None or tensor.scalar is not None:
            return
        count = uses.counts.get(value, 0)
        is_shared = count > 1 and tensor.cost > _CHEAP and not uses.ends_in_one_loop(value)
        if is_shared or tensor.nodes > _MOST_NODES:
            self.stored(tensor, value)

    def tensor(self, value: Value) -> Tensor:
        return self._environment[value]

    def shape_of(self, value: Value) -> Shape:
        """A value's shape as it was found out."""
        return self._environment[value].shape

    def operands(self, op: Op) -> list[Tensor]:
        return [self._environment[value] for value in op.operands]

    # Memory

    def _touch(self, buffer: Buffer) -> None:
        if buffer.first is None:
            buffer.first = self._clock
        buffer.last = self._clock

    @contextlib.contextmanager
    def nested(self) -> Iterator[None]:
        """Code that may be run several times or not at all: memory from outside stays alive through it."""
        self._clock += 1
        begin = self._clock
        self.depth += 1
        yield
        self.depth -= 1
        self._clock += 1
        for buffer in self.buffers:
            if buffer.first is not None and buffer.first < begin and buffer.last >= begin:
                buffer.last = self._clock

    def new_buffer(self, shape: Shape, dtype: str) -> Buffer:
        size: Extent = SIZE[dtype]
        for extent in shape:
            size = size * extent
        buffer = Buffer(f"%buf{len(self.buffers)}", size, depth=self.depth)
        self.buffers.append(buffer)
        return buffer

    def constant(self, elements: np.ndarray[Any, Any]) -> Buffer:
        """Read-only elements."""
        data = elements.tobytes()
        if len(data) > _MOST_CONSTANT_BYTES:
            raise ImportRefused(
                f"a constant has {len(data)} bytes, at most {_MOST_CONSTANT_BYTES} allowed", advice="make it an argument of the function"
            )
        return Buffer(self.module.constant(data or b"\0"), len(data), constant=True, placed=False)

    def room(self, value: Value | None, shape: Shape, dtype: str, reads: Sequence[Tensor] = ()) -> Buffer:
        """Memory for a result: where the caller wants it, unless somebody still reads what is there."""
        target = self.targets.get(value) if value is not None else None
        if target is not None and not any(target in tensor.reads() for tensor in reads) and self._is_free(target, value):
            return target
        return self.new_buffer(shape, dtype)

    def _is_free(self, buffer: Buffer, value: Value | None = None) -> bool:
        """Whether nobody reads the memory later on, but for those that the current operation is the last to use."""
        return not any(
            buffer in tensor.reads() for other, tensor in self.live.items() if other is not value and other not in self.dying
        )

    def stored(self, tensor: Tensor, value: Value | None = None, into: Buffer | None = None) -> Buffer:
        """The tensor in memory: where it is, or written to a place by a loop."""
        if tensor.buffer is not None and into in (None, tensor.buffer):
            return tensor.buffer
        target = into
        if target is None:
            wanted = self.targets.get(value) if value is not None else None
            is_safe = wanted is not None and wanted not in tensor.reads_elsewhere() and self._is_free(wanted, value)
            target = wanted if is_safe and wanted is not None else self.new_buffer(tensor.shape, tensor.dtype)
        if tensor.buffer is not None:
            size = self.driver.extent(tensor.size * SIZE[tensor.dtype])
            self.driver.copy(self.driver.pointer(target), self.driver.pointer(tensor.buffer), size)
            return target
        self.write(tensor, target)
        if tensor.depth == self.depth and tensor.scalar is None:
            tensor.stored_in(target)
        return target

    def in_memory(self, tensor: Tensor) -> Tensor:
        """The tensor in memory, as a tensor."""
        if tensor.buffer is not None:
            return tensor
        return Tensor(tensor.shape, tensor.dtype, buffer=self.stored(tensor))

    def write(self, tensor: Tensor, target: Buffer) -> None:
        """Writes all elements of a tensor."""

        def one(code: Code, index: Index) -> None:
            code.store(read(code, tensor, index), code.pointer(target), index.flat(code), tensor.dtype)

        self.each(tensor.shape, one, by_place=tensor.by_place or tensor.scalar is not None, cost=tensor.cost)

    def in_place(self, value: Value, others: Sequence[Tensor]) -> Buffer | None:
        """The memory of an operand that may be changed: nobody reads it after this operation. ``others`` are stored elsewhere first
        where they read it."""
        tensor = self.tensor(value)
        buffer = tensor.buffer
        if buffer is None or buffer.constant or value not in self.dying or buffer.depth != self.depth or not self._is_free(buffer):
            return None
        if self._used_by_op.count(value) != 1:
            return None
        for other in others:
            if other.buffer is buffer:
                return None
            if buffer in other.reads():
                self.stored(other)
        return buffer

    def changed(self, value: Value, result: Value, others: Sequence[Tensor]) -> Buffer:
        """Memory with an operand's elements that may be changed: the operand's own, or a copy."""
        buffer = self.in_place(value, others)
        if buffer is not None:
            return buffer
        tensor = self.tensor(value)
        target = self.room(result, tensor.shape, tensor.dtype, [*others, tensor])
        return self._copied(tensor, target)

    def _copied(self, tensor: Tensor, target: Buffer) -> Buffer:
        if tensor.buffer is not None:
            self.stored(tensor, into=target)
        else:
            self.write(tensor, target)
        return target

    # Loops

    @contextlib.contextmanager
    def outlined(self, size: Extent | None = None, cost: int = 0) -> Iterator[Code]:
        """Code in a function of its own; where it handles few elements, in the driver."""
        if isinstance(size, int) and size <= _IN_DRIVER:
            yield self.driver
            return
        kernel = Kernel(self.module, self.driver)
        kernel.side_by_side = 4 if cost < 8 else 2 if cost < 16 else 1
        yield kernel
        name = self.module.outlined(kernel.text())
        arguments = ", ".join(f"{kind} {value}" for kind, value in kernel.arguments)
        self.driver.do(f"call void @{name}({arguments})")

    def each(
        self, shape: Shape, body: Callable[[Code, Index], object], *, by_place: bool = False, size: Extent | None = None, cost: int = 0
    ) -> None:
        """Does something for each index of a shape.

        Args:
            shape: The shape.
            body: Writes what is done.
            by_place: Whether the place in C order is all that is needed of an index.
            size: How many elements are handled in all, where that is not the shape's number.
            cost: What an element costs: loops that do much in a turn are not done several times side by side.
        """
        count: Extent = 1
        for extent in shape:
            count = count * extent
        if count == 0:
            return
        with self.outlined(count if size is None else size, cost) as code:
            extents = code.extents(shape)
            written_out = _IN_DRIVER if code is self.driver else 4
            if by_place or len(shape) <= 1:
                code.loop(code.extent(count), lambda flat: body(code, Index(extents, flat=flat)), written_out=written_out)
            else:
                code.nest(extents, lambda multi: body(code, Index(extents, multi=multi)), written_out=written_out)

    # The whole text

    def text(self, name: str, parameters: Sequence[str]) -> str:
        """The module: the kernel's function, those that it calls, the math library's, and constants."""
        entry = memory.place(self.buffers, self.driver)
        driver = self.driver
        functions = "\n".join(self.module.functions.values())
        body = "\n".join([*driver.entry, *entry, *driver.stack_slots, "  br label %body", "body:", *driver.lines])
        main = f"define void @{name}({', '.join(parameters)}) nounwind {{\nentry:\n{body}\n  ret void\n}}\n"
        support = declarations(self.module.declared, set(self.module.functions))
        text = f"{support}\n{functions}\n{main}"
        kinds: list[str] = []

        def numbered(mark: re.Match[str]) -> str:
            kinds.append(mark.group(1))
            return f"!llvm.loop !{_FIRST_LOOP + len(kinds)}"

        text = re.sub(re.escape(LOOP_MARK) + r"(\d+)", numbered, text)
        # What is done in vectors is not written out more often: that takes LLVM long, and saves little.
        hints = {"0": "!0", str(AS_WRITTEN): f"!0, !{AS_WRITTEN}", **{str(count): f"!{count}, !{_FIRST_LOOP}" for count in range(1, AS_WRITTEN)}}
        loops = "".join(f"!{at} = distinct !{{!{at}, {hints[kind]}}}\n" for at, kind in enumerate(kinds, _FIRST_LOOP + 1))
        counts = "".join(f'!{count} = !{{!"llvm.loop.interleave.count", i32 {count}}}\n' for count in range(1, AS_WRITTEN))
        shared = (
            f'!0 = !{{!"llvm.loop.vectorize.enable", i1 false}}\n!{AS_WRITTEN} = !{{!"llvm.loop.unroll.disable"}}\n'
            f'!{_FIRST_LOOP} = !{{!"llvm.loop.vectorize.followup_vectorized", !{AS_WRITTEN}}}\n'
        )
        return f"{text}\n{shared}{counts}{loops}"


def function_text(program: Program, function: Any, name: str, parameters: Sequence[tuple[str, str, Shape, str]]) -> str:
    """The IR of a whole function.

    Args:
        program: What it is written into.
        function: The function as it was read, with all shapes known.
        name: The kernel's name.
        parameters: In the manifest's order: each one's name, role, shape and dtype.
    """
    driver = program.driver
    texts, arguments, targets = [], [], []
    for at, (_, role, shape, dtype) in enumerate(parameters):
        symbol = f"%a{at}"
        if role == "scalar":
            kind = "i32" if dtype == "bool" else LLVM[dtype]
            texts.append(f"{kind} {symbol}")
            value = driver.value(f"trunc i32 {symbol} to i1") if dtype == "bool" else symbol
            arguments.append(Tensor((), dtype, scalar=value))
        else:
            texts.append(f"ptr noalias align 16 {symbol}")
            buffer = Buffer(symbol, 0, placed=False)
            if role == "input":
                arguments.append(Tensor(shape, dtype, buffer=buffer))
            else:
                targets.append(buffer)
    texts += [f"i32 %d.{dim}" for dim in program.dims]
    results = program.lower(function.block, arguments, targets)
    for tensor, target in zip(results, targets, strict=True):
        program.stored(tensor, into=target)
    return program.text(name, texts)


__all__ = [
    "LOWERINGS", "PART", "Dim", "Ix", "Program", "function_text", "is_complex", "is_static", "literal", "lowering",
]  # fmt: skip
