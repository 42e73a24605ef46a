"""The GPU's form of an entry: Taichi's shaders, and the code that has the device run them on a launch's arrays.

The entry takes what the CPU's form takes. Each array is a buffer, and each tree of fields is one, laid out as Taichi's program for Vulkan has it;
arguments are a buffer for each kernel. All kernels of a program are queued in its order, and nothing comes back before the last of them has run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from hotcell.errors import ImportRefused, InvalidComponent
from .._importing import gpu
from .arguments import Argument, Result
from .build import Built
from .driver import Lines, Parameter, copied, repeated, taken
from .fields import Copy
from .kinds import Kind
from .refusals import refused
from .spirv import SpirvError, unified
from .vulkan import VulkanKernel, VulkanProgram, VulkanRefused, VulkanTask, compiled

__all__ = ["GpuForm", "gpu_form", "shader_refused", "whole_module"]

#: The bytes that Taichi has for what a kernel's tasks leave for each other.
_TEMPORARY_BYTES = 1 << 20
#: The buffers that a shader of hotcell's may read and write, and how many of those are Taichi's own: temporaries and results.
_MOST_BUFFERS, _OWN_BUFFERS = 8, 2
#: Element types that are words.
_WORDS = ("f32", "i32", "u32")
_ADVICE = 'targets=("cpu",) compiles it for the processor'
_TYPE = re.compile(r"Type (\w+) not supported")


class GpuForm(NamedTuple):
    """What the GPU's form adds to a component."""

    name: str
    #: LLVM IR, as :attr:`Built.ir`.
    ir: str
    #: The manifest's record.
    record: dict[str, Any]
    #: Shaders by their names, as SPIR-V.
    shaders: dict[str, bytes]


def gpu_form(built: Built, name: str) -> GpuForm:
    """The GPU's form of an entry.

    Args:
        built: The CPU's.
        name: What it is called.

    Raises:
        ImportRefused: It uses what is not supported on a GPU, or there is no Vulkan driver to compile for.
    """
    _check(built)
    try:
        arrays = max(sum(argument.ndim is not None for argument, _ in bound) for bound in built.bound)
        program = compiled([call.instance for call in built.calls], built.fields, _MOST_BUFFERS - _OWN_BUFFERS - arrays)
    except VulkanRefused as error:
        raise _refused(error, built) from error
    kernels = []
    shaders: dict[str, bytes] = {}
    known: dict[bytes, str] = {}
    for index, kernel in enumerate(program.kernels):
        tasks = []
        for number, task in enumerate(kernel.tasks):
            try:
                spirv, buffers = unified(task.spirv, task.buffers)
            except SpirvError as error:
                raise refused(f"what Taichi compiles for a GPU is not supported: {error}", _kernel(built, index), advice=_ADVICE) from error
            count = sum(kind != "arguments" for kind, _ in buffers.values())
            if count > _MOST_BUFFERS:
                reason = f"a loop of it uses {count} arrays and trees of fields, and on a GPU it may use {_MOST_BUFFERS}"
                advice = f"put several arrays into one, or use fields, which are one together; or {_ADVICE}"
                raise refused(reason, _kernel(built, index), advice=advice)
            shader = known.setdefault(spirv, f"{name}.{index}.{number}")
            shaders[shader] = spirv
            tasks.append(_Shader(shader, buffers, task))
        kernels.append(tasks)
    ir = _Entry(built, name, program, kernels).text()
    doc = built.record["doc"]
    record = {**built.record, "name": name, "doc": doc, "wants": [gpu.CAPABILITY]}
    return GpuForm(name, ir, record, shaders)


def whole_module(cpu: str | None, form: GpuForm) -> str:
    """The LLVM IR of a component.

    Args:
        cpu: That of the CPU's form; ``None`` where it has none.
        form: The GPU's form.
    """
    return (cpu or "declare ptr @hotcell_alloc(i32, i32)\n") + gpu.library() + form.ir


def shader_refused(error: InvalidComponent, built: Built) -> Exception:
    """What becomes of a component that is refused: with the kernel's line, where that is for a shader.

    Args:
        error: What ``hotcell build`` says.
        built: The entry.
    """
    found = re.search(r"shader `[^`]*\.(\d+)\.\d+`", str(error))
    if found is None:
        return error
    words = str(error).removeprefix("kernel.o: ")
    return refused(f"what Taichi makes of it is not admitted to a GPU: {words}", _kernel(built, int(found[1])), advice=_ADVICE)


def _kernel(built: Built, index: int | None) -> Any:
    return built.calls[index or 0].instance.kernel


def _check(built: Built) -> None:
    """Refuse what cannot be on a GPU, or would be another thing there."""
    if built.is_random:
        reason = "random numbers on a GPU are drawn in an order that nobody can repeat"
        raise refused(reason, _kernel(built, 0), operation="random", call="random", advice=f"take them as an array; or {_ADVICE}")
    for index, called in enumerate(built.called):
        if any(name.startswith("taichi_assert") for name in called):
            raise refused("a kernel on a GPU cannot fail", _kernel(built, index), operation="assert", advice=f"drop the assert; or {_ADVICE}")
        if any(name.startswith("stack_") for name in called):
            reason = "it is the gradient of a loop that changes a variable, which Taichi gets wrong on a GPU: it keeps the last value alone"
            raise refused(reason, _kernel(built, index), operation="gradient", advice=_ADVICE)
    for index, bound in enumerate(built.bound):
        arrays: dict[str, Argument] = {}
        for argument, source in bound:
            if argument.kind.name not in (*_WORDS, "u1") or (argument.kind.name == "u1" and not argument.is_scalar):
                raise _of_type(argument.name, argument.kind, _kernel(built, index))
            if argument.ndim is not None and isinstance(source, Parameter):
                if source.name in arrays:
                    reason = f"`{arrays[source.name].name}` and `{argument.name}` are one array, `{source.name}`"
                    raise refused(reason, _kernel(built, index), advice="give them names of their own; a GPU writes by one name")
                arrays[source.name] = argument
        for result, _ in built.results[index]:
            if result.kind.name not in (*_WORDS, "u1"):
                raise _of_type(result.name, result.kind, _kernel(built, index))
    for name, layout in built.fields.items():
        if layout.kind.name not in _WORDS:
            raise _of_type(name, layout.kind, _kernel(built, 0))


def _of_type(name: str, kind: Kind, kernel: Any) -> ImportRefused:
    reason = f"`{name}` is of {kind.name}, and numbers on a GPU have 32 bits: f32, i32 and u32"
    return refused(reason, kernel, dtype=kind.name, advice=_ADVICE)


def _refused(error: VulkanRefused, built: Built) -> ImportRefused:
    kernel = _kernel(built, error.kernel)
    found = _TYPE.search(str(error))
    if found is not None:
        reason = f"it computes with {found[1]}, and numbers on a GPU have 32 bits: f32, i32 and u32"
        return refused(reason, kernel, dtype=found[1], advice=f"cast to one of these; or {_ADVICE}")
    words = " ".join(str(error).split())
    return refused(f"Taichi does not compile it for a GPU: {words[:300]}", kernel, advice=_ADVICE)


class _Shader(NamedTuple):
    """A task, its shader's name in the component, and what its bindings are."""

    name: str
    buffers: dict[int, tuple[str, tuple[int, ...]]]
    task: VulkanTask


class _Entry:
    """The text of the function that an entry is."""

    def __init__(self, built: Built, name: str, program: VulkanProgram, kernels: Sequence[Sequence[_Shader]]) -> None:
        self._built, self._name, self._program, self._kernels = built, name, program, kernels
        self._lines = Lines()
        self._texts: list[str] = []
        #: The buffers of the parameters that are arrays of Taichi's, and their bytes.
        self._arrays: dict[str, tuple[str, str]] = {}
        #: The buffers of trees of fields, and the memory that they were made from.
        self._roots: dict[int, tuple[str, str]] = {}
        #: Shaders that were made pipelines.
        self._pipelines: dict[str, str] = {}
        self._temporaries = ""

    def text(self) -> str:
        lines = self._lines
        lines.do("call void @hotcell.gpu.open()")
        self._make_arrays()
        self._make_roots()
        if any(kind == "temporaries" for tasks in self._kernels for task in tasks for kind, _ in task.buffers.values()):
            self._temporaries = self._buffer(str(_TEMPORARY_BYTES))
        results = [self._buffer(str(kernel.result_bytes)) if kernel.result_bytes else "" for kernel in self._program.kernels]
        sets = [list(self._sets(index, results[index])) for index in range(len(self._kernels))]

        def call(index: int) -> None:
            for bound, groups in sets[index]:
                lines.do(f"call void @hotcell.gpu.dispatch(i32 {bound}, i32 {groups})")

        for run in self._built.runs:
            repeated(lines, run, call)
        self._hand_back(results)
        failure = lines.let("load ptr, ptr @hotcell.gpu.failure")
        lines.do(f"ret ptr {failure}")
        parameters = [f"{taken(parameter)} %p.{parameter.name}" for parameter in self._built.parameters]
        body = "\n".join(lines.lines)
        head = f"define ptr @{self._name}({', '.join([*parameters, *(f'i32 %d.{dim}' for dim in self._built.dims)])})"
        return "".join(self._texts) + f"{head} {{\nentry:\n{body}\n}}\n"

    def _buffer(self, size: str) -> str:
        return self._lines.let(f"call i32 @hotcell.gpu.buffer(i32 {size})")

    def _bytes(self, parameter: Parameter) -> str:
        """The bytes of a parameter's array."""
        size = str(4 * prod(dim for dim in parameter.dims if isinstance(dim, int)))
        for dim in parameter.dims:
            if isinstance(dim, str):
                size = self._lines.let(f"mul i32 {size}, %d.{dim}")
        return size

    def _make_arrays(self) -> None:
        for bound in self._built.bound:
            for argument, source in bound:
                if argument.ndim is None or not isinstance(source, Parameter) or source.name in self._arrays:
                    continue
                size = self._bytes(source)
                buffer = self._buffer(size)
                self._arrays[source.name] = buffer, size
                if source.role != "output":
                    self._lines.do(f"call void @hotcell.gpu.put(i32 {buffer}, ptr %p.{source.name}, i32 {size})")

    def _make_roots(self) -> None:
        used = {path[0] for tasks in self._kernels for task in tasks for kind, path in task.buffers.values() if kind == "root"}
        lines = self._lines
        for root in sorted(used):
            size = self._program.roots[root]
            here = list(self._fields_in(root))
            direct = [p for p, copies, _ in here if copies == (Copy(root, 0, 0, (), size),) and p.role != "output"]
            if direct:
                memory = f"%p.{direct[0].name}"
            else:
                memory = lines.let(f"call ptr @hotcell_alloc(i32 {max(size, 4)}, i32 16)")
                lines.do(f"call void @llvm.memset.p0.i32(ptr align 16 {memory}, i8 0, i32 {size}, i1 false)")
                for parameter, copies, _ in here:
                    if parameter.role != "output":
                        for copy in copies:
                            copied(lines, copy, f"%p.{parameter.name}", memory, 4, into_block=True)
            buffer = self._buffer(str(size))
            lines.do(f"call void @hotcell.gpu.put(i32 {buffer}, ptr {memory}, i32 {size})")
            self._roots[root] = buffer, memory

    def _fields_in(self, root: int) -> Iterator[tuple[Parameter, tuple[Copy, ...], str]]:
        """The fields in a tree: parameter, copies and name."""
        parameters = {parameter.name: parameter for parameter in self._built.parameters}
        for name, copies in self._program.fields.items():
            mine = tuple(copy for copy in copies if copy.block == root)
            if mine:
                yield parameters[name], mine, name

    def _sets(self, index: int, results: str) -> Iterator[tuple[str, str]]:
        """For each task of a kernel, its bind set and its workgroups."""
        lines = self._lines
        kernel = self._program.kernels[index]
        arguments = self._arguments(index, kernel)
        most = self._most_elements(index)
        for task in self._kernels[index]:
            made = self._pipeline(task.name)
            for slot, (kind, path) in sorted(task.buffers.items()):
                buffer = {"temporaries": self._temporaries, "arguments": arguments, "results": results}.get(kind)
                if kind == "root":
                    buffer = self._roots[path[0]][0]
                elif kind == "array":
                    buffer = self._array_at(index, path)
                lines.do(f"call void @hotcell.gpu.slot(i32 {slot}, i32 {buffer})")
            bound = lines.let(f"call i32 @hotcell.gpu.set(i32 {made})")
            yield bound, self._groups(task.task, most)

    def _pipeline(self, shader: str) -> str:
        if shader not in self._pipelines:
            constant = f"hotcell.gpu.name.{shader}"
            self._texts.append(f'@{constant} = internal constant [{len(shader)} x i8] c"{shader}"\n')
            self._pipelines[shader] = self._lines.let(f"call i32 @hotcell.gpu.kernel(ptr @{constant}, i32 {len(shader)})")
        return self._pipelines[shader]

    def _array_at(self, index: int, path: tuple[int, ...]) -> str:
        for argument, source in self._built.bound[index]:
            if argument.path == path and isinstance(source, Parameter):
                return self._arrays[source.name][0]
        raise ImportRefused("Taichi takes an array that is no argument", advice=_ADVICE)

    def _most_elements(self, index: int) -> str | None:
        """The words of the largest array of a kernel; ``None`` where it has none."""
        lines = self._lines
        sizes = [
            self._arrays[source.name][1]
            for argument, source in self._built.bound[index]
            if argument.ndim is not None and isinstance(source, Parameter)
        ]
        most = None
        for size in sizes:
            most = size if most is None else lines.let(f"call i32 @llvm.umax.i32(i32 {most}, i32 {size})")
        return None if most is None else lines.let(f"lshr i32 {most}, 2")

    def _groups(self, task: VulkanTask, most: str | None) -> str:
        """How many workgroups a task has: of a loop that an array may be the reason of, as many as there are elements for."""
        groups = -(-task.total // task.group)
        if not task.is_loop or most is None or groups == 1:
            return str(groups)
        lines = self._lines
        padded = lines.let(f"add i32 {most}, {task.group - 1}")
        wanted = lines.let(f"udiv i32 {padded}, {task.group}")
        some = lines.let(f"call i32 @llvm.umax.i32(i32 {wanted}, i32 1)")
        return lines.let(f"call i32 @llvm.umin.i32(i32 {some}, i32 {groups})")

    def _arguments(self, index: int, kernel: VulkanKernel) -> str:
        """The buffer of a kernel's arguments."""
        if not kernel.argument_bytes:
            return ""
        lines = self._lines
        memory = lines.let(f"call ptr @hotcell_alloc(i32 {kernel.argument_bytes}, i32 16)")
        lines.do(f"call void @llvm.memset.p0.i32(ptr align 16 {memory}, i8 0, i32 {kernel.argument_bytes}, i1 false)")
        for argument, source in self._built.bound[index]:
            for offset, llvm, value in self._stored(argument, source, kernel.arguments):
                at = lines.let(f"getelementptr i8, ptr {memory}, i32 {offset}")
                lines.do(f"store {llvm} {value}, ptr {at}")
        buffer = self._buffer(str(kernel.argument_bytes))
        lines.do(f"call void @hotcell.gpu.put(i32 {buffer}, ptr {memory}, i32 {kernel.argument_bytes})")
        return buffer

    def _stored(self, argument: Argument, source: Parameter | str, structure: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
        """What of an argument stands where in the structure of arguments: offset, type and value."""
        lines = self._lines
        start, type_ = _at(structure, argument.path)
        llvm = "i32" if argument.kind.name == "u1" else argument.kind.llvm
        if isinstance(source, str):
            yield start, llvm, {"true": "1", "false": "0"}.get(source, source)
        elif argument.is_scalar:
            value = f"%p.{source.name}"
            if argument.kind.name == "u1":
                value = lines.let(f"zext i1 {lines.let(f'icmp ne i32 {value}, 0')} to i32")
            yield start, llvm, value
        elif argument.ndim is None:
            assert argument.element is not None
            for number in range(prod(argument.element)):
                element = lines.let(f"getelementptr {llvm}, ptr %p.{source.name}, i32 {number}")
                yield start + _component(type_, number), llvm, lines.let(f"load {llvm}, ptr {element}")
        else:
            for axis in range(argument.ndim):
                dim = source.dims[axis]
                offset, _ = _at(type_, (0, axis))
                yield start + offset, "i32", f"%d.{dim}" if isinstance(dim, str) else str(dim)

    def _hand_back(self, results: Sequence[str]) -> None:
        lines = self._lines
        for parameter in self._built.parameters:
            if parameter.name in self._arrays and parameter.role in ("inout", "output"):
                buffer, size = self._arrays[parameter.name]
                lines.do(f"call void @hotcell.gpu.get(i32 {buffer}, ptr %p.{parameter.name}, i32 {size})")
        for root, (buffer, memory) in self._roots.items():
            written = [(parameter, copies) for parameter, copies, _ in self._fields_in(root) if parameter.role in ("inout", "output")]
            if not written:
                continue
            lines.do(f"call void @hotcell.gpu.get(i32 {buffer}, ptr {memory}, i32 {self._program.roots[root]})")
            for parameter, copies in written:
                if memory != f"%p.{parameter.name}":
                    for copy in copies:
                        copied(lines, copy, f"%p.{parameter.name}", memory, 4, into_block=False)
        for kernel, found, buffer in zip(self._program.kernels, self._built.results, results, strict=True):
            if found:
                memory = lines.let(f"call ptr @hotcell_alloc(i32 {kernel.result_bytes}, i32 16)")
                lines.do(f"call void @llvm.memset.p0.i32(ptr align 16 {memory}, i8 0, i32 {kernel.result_bytes}, i1 false)")
                lines.do(f"call void @hotcell.gpu.get(i32 {buffer}, ptr {memory}, i32 {kernel.result_bytes})")
                for result, parameter in found:
                    self._result(result, parameter, kernel.results, memory)
        # A program that gives nothing back but what it has not written would not have been run.
        lines.do("call void @hotcell.gpu.flush()")

    def _result(self, result: Result, parameter: Parameter, structure: Mapping[str, Any], memory: str) -> None:
        lines = self._lines
        start, type_ = _at(structure, result.path)
        is_bool = result.kind.name == "u1"
        llvm, kept = ("i32", "i8") if is_bool else (result.kind.llvm, result.kind.llvm)
        for number in range(prod(result.shape)):
            offset = start + (_component(type_, number) if result.shape else 0)
            value = lines.let(f"load {llvm}, ptr {lines.let(f'getelementptr i8, ptr {memory}, i32 {offset}')}")
            if is_bool:
                value = lines.let(f"zext i1 {lines.let(f'icmp ne i32 {value}, 0')} to i8")
            to = lines.let(f"getelementptr {kept}, ptr %p.{parameter.name}, i32 {number}")
            lines.do(f"store {kept} {value}, ptr {to}")


#: How Taichi's types are numbered where it describes them.
_STRUCTURE, _TENSOR = 3, 2


def _at(type_: Mapping[str, Any], path: Sequence[int]) -> tuple[int, Mapping[str, Any]]:
    """Where a part of a structure lies, in bytes, and its type."""
    offset = 0
    for index in path:
        assert type_["type_kind"] == _STRUCTURE
        element = type_["content"]["elements_"][index]
        offset += int(element["offset"])
        type_ = element["type"]
    return offset, type_


def _component(type_: Mapping[str, Any], number: int) -> int:
    """Where a component of a vector or matrix lies."""
    if type_["type_kind"] == _STRUCTURE:
        return int(type_["content"]["elements_"][number]["offset"])
    assert type_["type_kind"] == _TENSOR
    return 4 * number
