"""From Taichi kernels to the LLVM IR of an entry and its manifest record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hotcell.errors import ImportRefused
from . import runtime
from .arguments import Argument, Result, arguments_of, results_of
from .compile import Instance, tasks_of
from .driver import Parameter, Run, Step, driver
from .fields import Layout, Nodes, block_bytes, layout_of, named, nodes_of
from .half import without_half
from .kinds import Kind
from .refusals import refused, runtime_refused
from .retarget import Retargeted, retargeted, unknown
from .signature import arranged
from .usage import Usage, usage_of

__all__ = ["Built", "Call", "build"]

#: What random numbers begin with, and what of that callers usually leave out: Taichi's own state of its first thread.
SEEDS = (("seed", 0), ("seed_y", 362436069), ("seed_z", 521288629), ("seed_w", 88675123))
_MOST_ARRAYS = 32


class Call(NamedTuple):
    """A kernel in a program."""

    instance: Instance
    #: What its arguments are: a parameter's name, or a scalar's value.
    binding: Mapping[str, Any]


class Built(NamedTuple):
    """An entry."""

    #: What it runs, as it was compiled, and in what order.
    calls: list[Call]
    runs: tuple[Run, ...]
    name: str
    #: LLVM IR without ``target`` lines.
    ir: str
    parameters: list[Parameter]
    #: The named dimensions, in the order of the signature.
    dims: list[str]
    #: The manifest's record.
    record: dict[str, Any]
    #: The fields among the parameters.
    fields: dict[str, Layout]
    #: For each call, its arguments with the parameters that they come from.
    bound: list[list[tuple[Argument, Parameter | str]]]
    #: For each call, what it returns with the parameters where it goes.
    results: list[list[tuple[Result, Parameter]]]
    #: Whether it takes a seed.
    is_random: bool
    #: For each call, the functions of Taichi's runtime that its code calls.
    called: list[set[str]]


class _Code(NamedTuple):
    """A call's code."""

    call: Call
    tasks: list[Retargeted]
    usage: Usage
    arguments: list[Argument]

    @property
    def structure(self) -> str | None:
        return next((task.arguments for task in self.tasks if task.arguments is not None), None)


def build(
    calls: Sequence[Call],
    name: str,
    signature: str | None,
    fields: Mapping[str, Any] | None,
    doc: str = "",
    runs: Sequence[Run] | None = None,
) -> Built:
    """The entry that runs kernels one after the other.

    Args:
        calls: The kernels.
        name: The entry's name.
        signature: Shapes in the manifest's notation; ``None`` to have each array's extents named after it.
        fields: The fields by the names that they get; ``None`` for all that are used, by the author's names.
        doc: What the manifest says of it.
        runs: Their order. Default: each once.
    """
    runs = [Run(index, 1) for index in range(len(calls))] if runs is None else runs
    nodes = nodes_of()
    places = {number for number, node in nodes.by_id.items() if node.is_place()}
    codes = [_code(call, index, places) for index, call in enumerate(calls)]
    kernel = calls[0].instance.kernel
    used = _fields(codes, nodes, fields)
    bound, array_parameters = _bound(codes)
    results = _results(codes)
    is_random = any(name.startswith("rand_") for code in codes for task in code.tasks for name in task.called)
    seeds = [Parameter(name, "scalar", "u32", (), default) for name, default in SEEDS] if is_random else []
    roles = {name: _field_role(codes, layout) for name, layout in used.items()}
    field_parameters = [Parameter(name, roles[name], layout.kind.dtype, layout.shape) for name, layout in used.items()]
    result_parameters = [parameter for found in results for _, parameter in found]
    parameters = [*array_parameters, *field_parameters, *seeds, *result_parameters]
    _check_names(parameters, kernel)
    arranged_, text, dims = arranged(parameters, signature, kernel)
    final = {parameter.name: parameter for parameter in arranged_}
    bound = [[(argument, source if isinstance(source, str) else final[source.name]) for argument, source in found] for found in bound]
    blocks = _blocks(codes, used, nodes)
    steps = [
        Step([task.entry for task in code.tasks], _arguments_global(index), code.structure, bound[index], results[index])
        for index, code in enumerate(codes)
    ]
    together = _together(used, nodes, blocks)
    entry = driver(name, arranged_, dims, steps, runs, [(layout, final[name]) for name, layout in used.items()], blocks, seeds, together)
    ir = _module(codes, nodes, blocks, entry)
    record = {"name": name, "doc": doc, "signature": text, "parameters": [_record(parameter) for parameter in arranged_]}
    called = [{name for task in code.tasks for name in task.called} for code in codes]
    return Built([code.call for code in codes], tuple(runs), name, ir, arranged_, dims, record, used, bound, results, is_random, called)


def _arguments_global(index: int) -> str:
    return f"hotcell.ti.k{index}.arguments"


def _code(call: Call, index: int, places: set[int]) -> _Code:
    kernel = call.instance.kernel
    instance, tasks = tasks_of(call.instance)
    call = call._replace(instance=instance)
    usage = Usage()
    found = []
    for number, task in enumerate(tasks):
        code = retargeted(task, f"k{index}.t{number}.", _arguments_global(index), f"hotcell.ti.k{index}.temporaries")
        missing = unknown(code)
        if missing:
            raise runtime_refused(missing[0], kernel)
        if "addrspace(3)" in code.body or "thread_local" in code.body:
            raise refused("memory that threads share is not supported", kernel, operation="block-local storage")
        usage_of(code.body, _arguments_global(index), places, usage)
        found.append(code)
    for origin in usage.read | usage.written:
        if origin[0] == "array" and origin[-1] == 2:
            raise refused("gradients of ndarrays are not supported", kernel, advice="use fields, whose gradients are fields")
    return _Code(call, found, usage, arguments_of(kernel, call.instance.arguments))


def _fields(codes: Sequence[_Code], nodes: Nodes, given: Mapping[str, Any] | None) -> dict[str, Layout]:
    """The fields that the kernels use, by their names as parameters."""
    wanted: dict[int, Any] = {}
    places = {origin[1] for code in codes for origin in code.usage.read | code.usage.written if origin[0] == "field"}
    for place in sorted(int(place) for place in places):
        field = nodes.field_of.get(place)
        if field is None:
            raise ImportRefused("a field that is used is gone", advice="keep the fields as long as the kernels that use them")
        wanted[id(field)] = field
    names: dict[int, str] = {}
    if given is not None:
        names = {id(nodes.field_of[field.vars[0].ptr.snode().id]): name for name, field in _flat(given)}
    found: dict[int, str] = {}
    for code in codes:
        instance = code.call.instance
        own = instance.kernel
        arguments = {argument.name: value for argument, value in zip(own.arguments, instance.arguments, strict=True)}
        owner = arguments.pop(own.arguments[0].name) if own.classkernel and own.arguments else None
        called = named(wanted, owner, own.func, arguments)
        found.update({key: name for key, name in called.items() if key not in found})
    kernel = codes[0].call.instance.kernel
    if given is not None:
        for key in wanted:
            if key not in names:
                called_ = found.get(key, "without a name")
                raise refused(f"it uses the field {called_}, which fields= does not have", kernel, advice=f"add {called_!r} to fields=")
    else:
        names = _unique({key: found.get(key, f"field_{index}") for index, key in enumerate(wanted)})
    order = [key for key in names if key in wanted] if given is not None else list(wanted)
    layouts: dict[str, Layout] = {}
    for key in order:
        layout = layout_of(wanted[key])
        if isinstance(layout, str):
            advice = "place it below dense SNodes, with a type of whole bytes"
            raise refused(f"`{names[key]}` is {layout}", kernel, operation="field", advice=advice)
        layouts[names[key]] = layout
    return layouts


def _flat(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Fields by their names, those of structures one by one."""
    from taichi.lang.struct import StructField

    flat: list[tuple[str, Any]] = []
    for name, field in given.items():
        if isinstance(field, StructField):
            flat += _flat({f"{name}_{key}": field.get_member_field(key) for key in field.keys})
        else:
            flat.append((name, field))
    return flat


def _unique(names: Mapping[int, str]) -> dict[int, str]:
    taken: set[str] = set()
    unique: dict[int, str] = {}
    for key, name in names.items():
        plain = re.sub(r"\W", "_", name)[:60]
        chosen, count = plain, 2
        while chosen in taken:
            chosen, count = f"{plain}_{count}", count + 1
        taken.add(chosen)
        unique[key] = chosen
    return unique


def _field_role(codes: Sequence[_Code], layout: Layout) -> str:
    """What becomes of a field: one that is only written is ``written``, for nobody says that all of it is."""
    used = [(("field", place) in code.usage.read, ("field", place) in code.usage.written) for code in codes for place in layout.places]
    if not any(written for _, written in used):
        return "input"
    all_written = all(any(("field", place) in code.usage.written for code in codes) for place in layout.places)
    return "written" if all_written and not any(read for read, _ in used) else "inout"


def _bound(codes: Sequence[_Code]) -> tuple[list[list[tuple[Argument, Parameter | str]]], list[Parameter]]:
    """The arguments with where they come from, and the parameters that this makes: those of one name are one."""
    parameters: dict[str, Parameter] = {}
    bound: list[list[tuple[Argument, Parameter | str]]] = []
    for code in codes:
        found: list[tuple[Argument, Parameter | str]] = []
        for argument in code.arguments:
            source = code.call.binding.get(argument.name, argument.name)
            if not isinstance(source, str):
                found.append((argument, _constant(argument.kind, source)))
                continue
            parameter = _parameter(code, argument, source)
            known = parameters.get(source)
            if known is not None:
                parameter = _merged(known, parameter, code)
            parameters[source] = parameter
            found.append((argument, parameter))
        bound.append(found)
    return bound, list(parameters.values())


def _parameter(code: _Code, argument: Argument, name: str) -> Parameter:
    if argument.is_scalar:
        return Parameter(name, "scalar", argument.kind.scalar)
    element = argument.element or ()
    if argument.ndim is None:
        return Parameter(name, "input", argument.kind.dtype, element)
    is_written = ("array", *argument.path, 1) in code.usage.written
    is_read = ("array", *argument.path, 1) in code.usage.read
    dims = tuple(f"{name}_{index}" for index in range(argument.ndim))
    # One that is only written may be an output, where the author says so.
    role = "inout" if is_written and is_read else "written" if is_written else "input"
    return Parameter(name, role, argument.kind.dtype, (*dims, *element))


def _merged(first: Parameter, second: Parameter, code: _Code) -> Parameter:
    if (first.dtype, first.dims, first.role == "scalar") != (second.dtype, second.dims, second.role == "scalar"):
        advice = "say with what name each kernel's argument goes: (kernel, count, {argument: name})"
        raise refused(f"`{first.name}` is of another type than in an earlier kernel", code.call.instance.kernel, advice=advice)
    if first.role == second.role:
        return first
    return first._replace(role="inout")


def _constant(kind: Kind, value: Any) -> str:
    import struct

    if kind.llvm in ("float", "double", "half"):
        rounded = struct.unpack("f", struct.pack("f", value))[0] if kind.llvm == "float" else float(value)
        if kind.llvm == "half":
            return f"0xH{struct.unpack('H', struct.pack('e', value))[0]:04X}"
        return f"0x{struct.unpack('Q', struct.pack('d', rounded))[0]:016X}"
    if kind.name == "u1":
        return "true" if value else "false"
    return str(int(value))


def _results(codes: Sequence[_Code]) -> list[list[tuple[Result, Parameter]]]:
    found = []
    several = sum(bool(code.call.instance.kernel.return_type) for code in codes) > 1
    for index, code in enumerate(codes):
        results = results_of(code.call.instance.kernel)
        prefix = f"k{index}_" if several else ""
        found.append([(result, Parameter(f"{prefix}{result.name}", "output", result.kind.dtype, result.shape)) for result in results])
    return found


def _check_names(parameters: Sequence[Parameter], kernel: Any) -> None:
    taken: set[str] = set()
    for parameter in parameters:
        if parameter.name in taken:
            advice = "give the field another name: fields={…}"
            raise refused(f"two parameters are called `{parameter.name}`", kernel, advice=advice)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", parameter.name):
            raise refused(f"`{parameter.name}` is no name for a parameter", kernel, advice="use ASCII letters, digits and `_`")
        if any(isinstance(dim, int) and dim < 1 for dim in parameter.dims):
            raise refused(f"`{parameter.name}` is empty", kernel, advice="fields have at least one element")
        taken.add(parameter.name)
    if not any(parameter.role in ("inout", "output", "written") for parameter in parameters):
        raise refused("it writes nothing and returns nothing", kernel, advice="write to an array or a field")
    sides = sum({"inout": 2, "written": 2, "scalar": 0}.get(parameter.role, 1) for parameter in parameters)
    if sides > _MOST_ARRAYS:
        advice = "put several fields into one, as vectors"
        raise refused(f"it has {sides} arrays, inputs and outputs counted apart, and {_MOST_ARRAYS} are allowed", kernel, advice=advice)


def _blocks(codes: Sequence[_Code], used: Mapping[str, Layout], nodes: Nodes) -> dict[int, int]:
    """The blocks of memory that the code reaches, with their bytes."""
    blocks = {copy.block for layout in used.values() for copy in layout.copies}
    for code in codes:
        for task in code.tasks:
            for parent, child in task.children:
                if nodes.by_id[parent].parent is None:
                    blocks.add(child)
    return {block: block_bytes(nodes.by_id[block]) for block in blocks}


def _together(used: Mapping[str, Layout], nodes: Nodes, blocks: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Blocks that lie as far from each other as in Taichi's root, for a vector whose components are in several is indexed across them.

    Args:
        used: The fields.
        nodes: Taichi's nodes.
        blocks: The blocks with their bytes: the first of those that lie together gets the bytes of all.

    Returns:
        For each of the others the first, and how far it is on.
    """
    places: dict[int, tuple[int, int]] = {}
    roots: dict[int, set[int]] = {}
    for layout in used.values():
        mine = {copy.block for copy in layout.copies}
        if len(mine) > 1:
            for block in mine:
                roots.setdefault(nodes.by_id[block].parent.id, set()).add(block)
    for together in roots.values():
        offsets = {block: int(nodes.by_id[block].offset_bytes_in_parent_cell) for block in together}
        first = min(together, key=lambda block: offsets[block])
        ends = [offsets[block] - offsets[first] + blocks[block] for block in together]
        blocks[first] = max(ends)
        places |= {block: (first, offsets[block] - offsets[first]) for block in together if block != first}
    return places


def _module(codes: Sequence[_Code], nodes: Nodes, blocks: Mapping[int, int], entry: str) -> str:
    types: dict[str, str] = {}
    parts: list[str] = []
    called: set[str] = set()
    children: set[tuple[int, int]] = set()
    for index, code in enumerate(codes):
        structure = code.structure
        if structure is not None:
            parts.append(f"@{_arguments_global(index)} = internal global {structure} zeroinitializer, align 16\n")
        else:
            parts.append(f"@{_arguments_global(index)} = internal global i64 0\n")
        size = max((task.temporary_bytes for task in code.tasks), default=0)
        parts.append(f"@hotcell.ti.k{index}.temporaries = internal global [{max(size, 1)} x i8] zeroinitializer, align 16\n")
        for number, task in enumerate(code.tasks):
            parts.append(_with_types(task, f"k{index}.t{number}", types))
            called |= task.called
            children |= task.children
    library, math = runtime.library(called)
    for parent, child in sorted(children):
        parts.append(_child(nodes, parent, child, blocks))
    definitions = "".join(f"{name} = type {body}\n" for name, body in types.items())
    return without_half("".join([runtime.HEADER, definitions, *parts, library, entry])) + _math(math)


def _with_types(task: Retargeted, prefix: str, types: dict[str, str]) -> str:
    """A task's code, its types renamed where another of the name is different."""
    body = task.body
    renamed = {}
    for name, text in task.types.items():
        if types.setdefault(name, text) != text:
            renamed[name] = f"%{prefix}.{name[1:]}"
    if renamed:
        swap = re.compile("|".join(rf"{re.escape(name)}(?![-\w.$])" for name in sorted(renamed, key=len, reverse=True)))
        body = swap.sub(lambda found: renamed[found.group()], body)
        for name, new in renamed.items():
            types[new] = swap.sub(lambda found: renamed[found.group()], task.types[name])
    return body


def _child(nodes: Nodes, parent: int, child: int, blocks: Mapping[int, int]) -> str:
    """The function that finds a node's child."""
    node = nodes.by_id[child]
    if child in blocks:
        body = f"%r = load ptr, ptr @hotcell.ti.block.{child}"
    else:
        body = f"%r = getelementptr i8, ptr %p, i32 {int(node.offset_bytes_in_parent_cell)}"
    return f"define internal ptr @get_ch_S{parent}_to_S{child}(ptr %p) alwaysinline {{\n  {body}\n  ret ptr %r\n}}\n"


def _math(needed: set[str]) -> str:
    from .._importing.math import library

    return library(f"hotcell.{name}" for name in sorted(needed)) if needed else ""


def _record(parameter: Parameter) -> dict[str, Any]:
    record: dict[str, Any] = {"name": parameter.name, "role": parameter.role, "dtype": parameter.dtype}
    if parameter.default is not None:
        record["default"] = {parameter.dtype: parameter.default}
    return record


