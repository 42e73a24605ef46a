"""The entry that a component has: it hands a call's arrays and scalars to Taichi's code, runs the tasks, and hands back what they left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from .arguments import Argument, Result, type_text
from .fields import Copy, Layout
from .kinds import Kind

__all__ = ["Lines", "Parameter", "Run", "Step", "copied", "driver", "repeated", "taken"]

#: Multiplicative inverse of what Taichi multiplies a seed with, so that a state has a seed.
SEED_FACTOR = 123456789 * 1000000007 % (1 << 32)


class Parameter(NamedTuple):
    """A parameter of the entry, as its manifest has it."""

    name: str
    #: ``scalar``, ``input``, ``inout`` or ``output``.
    role: str
    dtype: str
    #: An array's extents: names, and numbers where they are fixed.
    dims: tuple[str | int, ...] = ()
    #: What a scalar is where a caller says nothing.
    default: int | None = None


class Step(NamedTuple):
    """A kernel that an entry runs."""

    #: Its tasks' functions, in order.
    entries: Sequence[str]
    #: The global of its structure of arguments, and that structure's type; ``None`` where its code reads none.
    arguments: str
    structure: str | None
    #: Its arguments, each with the parameter that it comes from, or the text of a constant.
    bound: Sequence[tuple[Argument, Parameter | str]]
    results: Sequence[tuple[Result, Parameter]]


class Run(NamedTuple):
    """A part of a program: a step by its number, or several parts in their order, and how often."""

    what: int | tuple[Run, ...]
    times: int


_SCALAR = {"bool": "i32", "i32": "i32", "u32": "i32", "i64": "i64", "u64": "i64", "f32": "float", "f64": "double"}


class Lines:
    """Instructions of one function, with fresh names."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def name(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def let(self, made: str) -> str:
        name = f"%{self.name()}"
        self.lines.append(f"  {name} = {made}")
        return name

    def do(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")


def driver(
    name: str,
    parameters: Sequence[Parameter],
    dims: Sequence[str],
    steps: Sequence[Step],
    runs: Sequence[Run],
    fields: Sequence[tuple[Layout, Parameter]],
    blocks: dict[int, int],
    seeds: Sequence[Parameter],
    places: Mapping[int, tuple[int, int]],
) -> str:
    """The text of the entry.

    Args:
        name: Its name.
        parameters: All that it takes, in the manifest's order.
        dims: The named dimensions, in the order of the signature.
        steps: The kernels that it runs.
        runs: In what order.
        fields: The fields that are parameters.
        blocks: The blocks of memory that fields lie in, with their bytes.
        seeds: The scalars that the random numbers begin with; empty where there are none.
        places: Blocks that are parts of others: which, and from which byte on.
    """
    lines = Lines()
    _begin(lines, seeds)
    direct = {layout.copies[0].block: parameter for layout, parameter in fields if layout.fills(blocks[layout.copies[0].block])}
    for block, size in sorted(blocks.items()):
        if block in places:
            continue
        if block in direct:
            lines.do(f"store ptr %p.{direct[block].name}, ptr @hotcell.ti.block.{block}")
        else:
            at = lines.let(f"call ptr @hotcell_alloc(i32 {max(size, 1)}, i32 64)")
            lines.do(f"call void @llvm.memset.p0.i32(ptr align 16 {at}, i8 0, i32 {size}, i1 false)")
            lines.do(f"store ptr {at}, ptr @hotcell.ti.block.{block}")
    for block, (whole, offset) in sorted(places.items()):
        start = lines.let(f"load ptr, ptr @hotcell.ti.block.{whole}")
        at = lines.let(f"getelementptr i8, ptr {start}, i32 {offset}")
        lines.do(f"store ptr {at}, ptr @hotcell.ti.block.{block}")
    staged = [(layout, parameter) for layout, parameter in fields if layout.copies[0].block not in direct]
    for layout, parameter in staged:
        if parameter.role != "output":
            _copy(lines, layout, parameter, into_block=True)
    contexts = [_prepared(lines, step) for step in steps]
    for run in runs:
        _run(lines, run, steps, contexts)
    for step, (_, buffer) in zip(steps, contexts, strict=True):
        _hand_back(lines, step, buffer)
    for layout, parameter in staged:
        if parameter.role != "input":
            _copy(lines, layout, parameter, into_block=False)
    failure = lines.let("load ptr, ptr @hotcell.ti.failure")
    lines.do(f"ret ptr {failure}")
    heads = [f"{taken(parameter)} %p.{parameter.name}" for parameter in parameters] + [f"i32 %d.{dim}" for dim in dims]
    body = "\n".join(lines.lines)
    globals = "".join(f"@hotcell.ti.block.{block} = internal global ptr null\n" for block in sorted(blocks))
    return f"{globals}declare ptr @hotcell_alloc(i32, i32)\ndefine ptr @{name}({', '.join(heads)}) {{\nentry:\n{body}\n}}\n"


def taken(parameter: Parameter) -> str:
    """The LLVM type that an entry takes a parameter as."""
    return _SCALAR[parameter.dtype] if parameter.role == "scalar" else "ptr"


def _begin(lines: Lines, seeds: Sequence[Parameter]) -> None:
    lines.do("store ptr null, ptr @hotcell.ti.failure")
    for index, parameter in enumerate(seeds):
        value = f"%p.{parameter.name}"
        if index == 0:
            value = lines.let(f"mul i32 {value}, {SEED_FACTOR}")
        at = lines.let(f"getelementptr [4 x i32], ptr @hotcell.ti.random, i32 0, i32 {index}")
        lines.do(f"store i32 {value}, ptr {at}")


def _prepared(lines: Lines, step: Step) -> tuple[str, str]:
    """A step's arguments where its code reads them, its context, and where its results come."""
    if step.structure is not None:
        for argument, source in step.bound:
            _store(lines, step, argument, source)
    context = lines.let("alloca %hotcell.context, align 16")
    lines.do(f"store %hotcell.context zeroinitializer, ptr {context}")
    if not step.results:
        return context, "null"
    size = sum(max(8, prod(result.shape) * result.kind.size + 8) for result, _ in step.results)
    buffer = lines.let(f"call ptr @hotcell_alloc(i32 {size}, i32 16)")
    at = lines.let(f"getelementptr %hotcell.context, ptr {context}, i32 0, i32 3")
    lines.do(f"store ptr {buffer}, ptr {at}")
    return context, buffer


def _run(lines: Lines, run: Run, steps: Sequence[Step], contexts: Sequence[tuple[str, str]]) -> None:
    def call(step: int) -> None:
        for entry in steps[step].entries:
            lines.do(f"call void @{entry}(ptr {contexts[step][0]})")

    repeated(lines, run, call)


def repeated(lines: Lines, run: Run, call: Callable[[int], None]) -> None:
    """Write what runs a part of a program.

    Args:
        lines: The function that does it.
        run: The part.
        call: Writes what runs a step, by its number.
    """
    label = lines.name()
    if run.times > 1:
        lines.do(f"br label %{label}.before")
        lines.label(f"{label}.before")
        lines.do(f"br label %{label}")
        lines.label(label)
        lines.do(f"%{label}.i = phi i32 [ 0, %{label}.before ], [ %{label}.next, %{label}.last ]")
    if isinstance(run.what, int):
        call(run.what)
    else:
        for inner in run.what:
            repeated(lines, inner, call)
    if run.times > 1:
        lines.do(f"br label %{label}.last")
        lines.label(f"{label}.last")
        lines.do(f"%{label}.next = add nuw i32 %{label}.i, 1")
        lines.do(f"%{label}.more = icmp ult i32 %{label}.next, {run.times}")
        lines.do(f"br i1 %{label}.more, label %{label}, label %{label}.after")
        lines.label(f"{label}.after")


def _store(lines: Lines, step: Step, argument: Argument, source: Parameter | str) -> None:
    """Put an argument where Taichi's code reads it."""

    def at(*more: int) -> str:
        path = ", ".join(f"i32 {index}" for index in (*argument.path, *more))
        return lines.let(f"getelementptr {step.structure}, ptr @{step.arguments}, i32 0, {path}")

    if isinstance(source, str):
        lines.do(f"store {argument.kind.llvm} {source}, ptr {at()}")
    elif argument.is_scalar:
        lines.do(f"store {argument.kind.llvm} {_narrowed(lines, argument.kind, f'%p.{source.name}')}, ptr {at()}")
    elif argument.ndim is None:
        assert argument.element is not None
        for index in range(prod(argument.element)):
            element = lines.let(f"getelementptr {argument.kind.llvm}, ptr %p.{source.name}, i32 {index}")
            value = lines.let(f"load {argument.kind.llvm}, ptr {element}")
            lines.do(f"store {argument.kind.llvm} {value}, ptr {at(index)}")
    else:
        for index in range(argument.ndim):
            dim = source.dims[index]
            lines.do(f"store i32 {f'%d.{dim}' if isinstance(dim, str) else dim}, ptr {at(0, index)}")
        lines.do(f"store ptr %p.{source.name}, ptr {at(1)}")


def _narrowed(lines: Lines, kind: Kind, value: str) -> str:
    """A scalar as Taichi's code has it, of what callers can give."""
    given = _SCALAR[kind.scalar]
    if kind.name == "u1":
        return lines.let(f"icmp ne i32 {value}, 0")
    if given == kind.llvm:
        return value
    return lines.let(f"{'fptrunc' if kind.llvm == 'half' else 'trunc'} {given} {value} to {kind.llvm}")


def _hand_back(lines: Lines, step: Step, buffer: str) -> None:
    if not step.results:
        return
    structure = type_text([result for result, _ in step.results])
    for result, parameter in step.results:
        path = ", ".join(f"i32 {index}" for index in result.path)
        for index in range(prod(result.shape)):
            inner = f", i32 {index}" if result.shape else ""
            at = lines.let(f"getelementptr {structure}, ptr {buffer}, i32 0, {path}{inner}")
            value = lines.let(f"load {result.kind.llvm}, ptr {at}")
            if result.kind.name == "u1":
                value = lines.let(f"zext i1 {value} to i8")
            to = lines.let(f"getelementptr {'i8' if result.kind.name == 'u1' else result.kind.llvm}, ptr %p.{parameter.name}, i32 {index}")
            lines.do(f"store {'i8' if result.kind.name == 'u1' else result.kind.llvm} {value}, ptr {to}")


def _copy(lines: Lines, layout: Layout, parameter: Parameter, *, into_block: bool) -> None:
    for copy in layout.copies:
        block = lines.let(f"load ptr, ptr @hotcell.ti.block.{copy.block}")
        copied(lines, copy, f"%p.{parameter.name}", block, layout.kind.size, into_block=into_block)


def copied(lines: Lines, copy: Copy, array: str, block: str, align: int, *, into_block: bool) -> None:
    """Copy between an array and a block.

    Args:
        lines: The function that does it.
        copy: Which elements.
        array: Where the array begins.
        block: Where the block begins.
        align: The bytes of an element.
        into_block: Whether from the array into the block, or back.
    """
    first = lines.let(f"getelementptr i8, ptr {array}, i32 {copy.array}")
    place = lines.let(f"getelementptr i8, ptr {block}, i32 {copy.offset}")
    _nest(lines, copy, first, place, 0, align, into_block)


def _nest(lines: Lines, copy: Copy, array: str, place: str, depth: int, align: int, into_block: bool) -> None:
    if depth == len(copy.loops):
        to, source = (place, array) if into_block else (array, place)
        if copy.chunk == align:
            value = lines.let(f"load i{8 * align}, ptr {source}, align {align}")
            lines.do(f"store i{8 * align} {value}, ptr {to}, align {align}")
        else:
            lines.do(f"call void @llvm.memcpy.p0.p0.i32(ptr align {align} {to}, ptr align {align} {source}, i32 {copy.chunk}, i1 false)")
        return
    loop, label = copy.loops[depth], lines.name()
    lines.do(f"br label %{label}.before")
    lines.label(f"{label}.before")
    lines.do(f"br label %{label}")
    lines.label(label)
    lines.do(f"%{label}.i = phi i32 [ 0, %{label}.before ], [ %{label}.next, %{label}.last ]")
    a = lines.let(f"mul i32 %{label}.i, {loop.array_stride}")
    b = lines.let(f"mul i32 %{label}.i, {loop.block_stride}")
    inner_array = lines.let(f"getelementptr i8, ptr {array}, i32 {a}")
    inner_place = lines.let(f"getelementptr i8, ptr {place}, i32 {b}")
    _nest(lines, copy, inner_array, inner_place, depth + 1, align, into_block)
    lines.do(f"br label %{label}.last")
    lines.label(f"{label}.last")
    lines.do(f"%{label}.next = add nuw i32 %{label}.i, 1")
    lines.do(f"%{label}.more = icmp ult i32 %{label}.next, {loop.extent}")
    lines.do(f"br i1 %{label}.more, label %{label}, label %{label}.after")
    lines.label(f"{label}.after")
