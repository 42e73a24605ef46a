"""A task's code, made independent of Taichi's runtime and of this machine.

What reaches into Taichi's memory becomes the module's own globals: the arguments and the temporaries. A root is nothing, for each of its
children is a block of its own, which the driver has. Everything else that the runtime does is called by name, and :mod:`.runtime` has
it; what it has not is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from . import runtime
from .compile import Task
from .opaque import opaque

__all__ = ["Retargeted", "retargeted", "unknown"]


class Retargeted(NamedTuple):
    """A task's code for any machine."""

    #: The function that runs it, which takes the context.
    entry: str
    #: Named types, by their names.
    types: dict[str, str]
    #: Everything else: functions and constants, each name with the task's prefix.
    body: str
    #: The functions of the runtime that it calls.
    called: set[str]
    #: The children of structural nodes that it looks up: ``(parent, child)``.
    children: set[tuple[int, int]]
    #: The type of the arguments' structure; ``None`` where it takes none.
    arguments: str | None
    #: How many bytes of temporaries it uses.
    temporary_bytes: int


_ATTRIBUTES = re.compile(r"^attributes #\d+ = .*$|^!.*$|^(?:source_filename|target) .*$|^declare .*$", re.MULTILINE)
_NUMBERED = re.compile(r" #\d+(?=[ ,\n]|$)")
_LOOP_NOTE = re.compile(r", !\S+ !\d+")
_TYPE = re.compile(r"^(%[-\w.$]+) = type (.*)$", re.MULTILINE)
_GLOBAL = re.compile(r"^@([-\w.$]+) = ", re.MULTILINE)
_DEFINED = re.compile(r"^define (?:internal )?.*?@([-\w.$]+)\(", re.MULTILINE)
_CALLED = re.compile(r"@([A-Za-z_][\w.$]*)")
#: Texts of assertions, and of the author's lines where Taichi is to check arithmetic: what looks like a name there is none.
_TEXT = re.compile(r'\bc"[^"]*"')
_KEPT = re.compile(r'\bc"(\d+)"')
_CHILD = re.compile(r"@get_ch_S(\d+)_to_S(\d+)")
_ROOT = re.compile(r"call ptr @LLVMRuntime_get_roots\(ptr [^,]+, i32 \d+\)")
_TEMPORARY = re.compile(r"call ptr @get_temporary_pointer\(ptr [^,]+, i64 (\d+)\)")
_CONTEXT_TYPE = "%struct.RuntimeContext"
#: From how many divisions by one number on its reciprocal is better.
_MANY_DIVISIONS = 2
#: The largest value that a temporary can be: a matrix of doubles.
_MOST_TEMPORARY_BYTES = 16384
_ATOMIC = re.compile(r"^  (%[\w.]+) = atomicrmw (?:volatile )?(\w+) ptr ([^,]+), (\w+) (\S+) seq_cst.*$")
_EXCHANGE = re.compile(r"^  (%[\w.]+) = cmpxchg (?:weak )?(?:volatile )?ptr ([^,]+), (\w+) (\S+), \w+ (\S+) seq_cst.*$")
_ARGUMENTS_AT = re.compile(rf"^  (%[\w.]+) = getelementptr {re.escape(_CONTEXT_TYPE)}, ptr (%[\w.]+), i32 0, i32 0$")
_CAST = re.compile(r"^  (%[\w.]+) = bitcast ptr (%[\w.]+) to ptr$")
_LOADED = re.compile(r"^  (%[\w.]+) = load ptr, ptr (%[\w.]+), align \d+$")
_ELEMENT = re.compile(r"^  %[\w.]+ = getelementptr (.+), ptr (%[\w.]+), i32 0")
_BACKWARDS = re.compile(r"@cpu_parallel_range_for\(ptr [^,]+, i32 [^,]+, i32 [^,]+, i32 [^,]+, i32 -1,")
_LOOP = re.compile(r"@cpu_parallel_range_for\((.*), i32 1, i32 (\d+), ptr null, (ptr @\S+), ptr null, (i64 \d+)\)")


def retargeted(task: Task, prefix: str, arguments: str, temporaries: str) -> Retargeted:
    """A task's code for any machine.

    Args:
        task: As Taichi printed it.
        prefix: What goes before the names that it defines.
        arguments: The global that holds the structure of arguments.
        temporaries: The global that holds temporaries.
    """
    text = _ATTRIBUTES.sub("", opaque(task.text))
    texts = list(dict.fromkeys(_TEXT.findall(text)))
    numbers = {one: number for number, one in enumerate(texts)}
    text = _TEXT.sub(lambda found: f'c"{numbers[found.group()]}"', text)
    text = _LOOP_NOTE.sub("", _NUMBERED.sub("", text))
    types = dict(_TYPE.findall(text))
    text = _TYPE.sub("", text)
    for name in {*_GLOBAL.findall(text), *_DEFINED.findall(text)}:
        text = re.sub(rf"@{re.escape(name)}(?![-\w.$])", f"@{prefix}{name}", text)
    text, structure = _with_arguments(text, prefix + task.name, prefix + "function_body", arguments)
    text = _ROOT.sub("getelementptr i8, ptr null, i32 0", text)
    text = _BACKWARDS.sub("@cpu_parallel_range_for_backwards(ptr null, i32 0, i32 0, i32 0, i32 -1,", text)
    offsets = [int(offset) for offset in _TEMPORARY.findall(text)]
    text = _TEMPORARY.sub(rf"getelementptr i8, ptr @{temporaries}, i32 \1", text)
    text = _LOOP.sub(r"@cpu_parallel_range_for_flat(\1, i32 1, i32 \2, ptr null, \3, ptr null, \4)", text)
    text = "\n".join(_sequential(line) for line in text.split("\n") if line.strip())
    # Infinities are numbers here: what overflows is what it would be without fast arithmetic.
    text = _with_reciprocals(text.replace(" reassoc ninf nsz ", " reassoc nsz "))
    text = re.sub(r"@llvm\.(round|maxnum|minnum)\.(f16|f32|f64)\b", r"@hotcell.ti.\1.\2", text)
    text = _without_refinement(re.sub(r"^define void ", "define internal void ", text, flags=re.MULTILINE))
    for names, attribute in ((rf"{re.escape(prefix)}function_body[\w.]*", "alwaysinline"), (re.escape(prefix + task.name), "noinline")):
        text = re.sub(rf"^(define internal .*@{names}\(.*\)) {{$", rf"\1 {attribute} {{", text, flags=re.MULTILINE)
    own = set(_DEFINED.findall(text)) | set(_GLOBAL.findall(text))
    used = {name for name in _CALLED.findall(text) if name not in own and not name.startswith(("llvm.", arguments, temporaries))}
    children = {(int(parent), int(child)) for parent, child in _CHILD.findall(text)}
    called = {name for name in used if not name.startswith("get_ch_S")}
    size = max(offsets) + _MOST_TEMPORARY_BYTES if offsets else 0
    text = _KEPT.sub(lambda found: texts[int(found[1])], text)
    return Retargeted(prefix + task.name, types, text + "\n", called, children, structure, size)


def unknown(task: Retargeted) -> list[str]:
    """The functions that it calls and :mod:`.runtime` does not have."""
    return sorted(name for name in task.called if not runtime.is_known(name))


def _without_refinement(text: str) -> str:
    """Coordinates are refined for sparse loops alone: the function is named, and never called."""
    return re.sub(r"ptr (?:bitcast \(ptr )?@S\d+_refine_coordinates(?: to ptr\))?", "ptr null", text)


def _with_arguments(text: str, entry: str, body: str, arguments: str) -> tuple[str, str | None]:
    """The text with the kernel's arguments in a global, and the type of their structure.

    Real functions have contexts of their own, and keep what reads them.
    """
    lines: list[str] = []
    kernels_own = False
    pointers: set[str] = set()
    structures: set[str] = set()
    structure: str | None = None
    for line in text.split("\n"):
        if line.startswith("define "):
            found = _DEFINED.match(line)
            assert found is not None
            kernels_own = found[1] == entry or re.fullmatch(rf"{re.escape(body)}(?:\.\d+)?", found[1]) is not None
            pointers, structures = set(), set()
        elif kernels_own and (at := _ARGUMENTS_AT.match(line)):
            pointers.add(at[1])
        elif kernels_own and (cast := _CAST.match(line)) and cast[2] in pointers:
            pointers.add(cast[1])
        elif kernels_own and (loaded := _LOADED.match(line)) and loaded[2] in pointers:
            structures.add(loaded[1])
            line = f"  {loaded[1]} = getelementptr i8, ptr @{arguments}, i32 0"
        elif kernels_own and (element := _ELEMENT.match(line)) and element[2] in structures:
            structure = element[1]
        lines.append(line)
    return "\n".join(lines), structure


_LABEL = re.compile(r"^[-\w.$]+:", re.MULTILINE)
_QUOTIENT = re.compile(r"^  (%[\w.]+) = fdiv reassoc nsz (float|double) (\S+), (\S+)$", re.MULTILINE)


def _with_reciprocals(text: str) -> str:
    """Divisions as fast arithmetic allows, and as Taichi's own code has them: several by one number are products with its reciprocal."""
    begins = [0, *(label.start() for label in _LABEL.finditer(text)), len(text)]
    return "".join(_block_with_reciprocals(text[begin:end]) for begin, end in pairwise(begins))


def _block_with_reciprocals(block: str) -> str:
    divisors = Counter(quotient[4] for quotient in _QUOTIENT.finditer(block))
    made: dict[str, str] = {}

    def rewritten(found: re.Match[str]) -> str:
        name, kind, dividend, divisor = found.groups()
        if divisors[divisor] < _MANY_DIVISIONS or not divisor.startswith("%"):
            return f"  {name} = fdiv reassoc nsz arcp {kind} {dividend}, {divisor}"
        begun = ""
        if divisor not in made:
            made[divisor] = f"%over{name[1:]}"
            begun = f"  {made[divisor]} = fdiv reassoc nsz {kind} 1.0, {divisor}\n"
        return f"{begun}  {name} = fmul reassoc nsz {kind} {dividend}, {made[divisor]}"

    return _QUOTIENT.sub(rewritten, block)


_PLAIN = {"add": "add", "sub": "sub", "and": "and", "or": "or", "xor": "xor", "fadd": "fadd", "fsub": "fsub"}
_CHOSEN = {"min": "slt", "max": "sgt", "umin": "ult", "umax": "ugt"}


def _sequential(line: str) -> str:
    """An atomic operation as a plain one: a kernel has one thread."""
    atomic = _ATOMIC.match(line)
    if atomic is not None:
        name, operation, at, kind, value = atomic.groups()
        fresh = f"%at{name[1:]}"
        read = f"  {name} = load {kind}, ptr {at}"
        if operation in _PLAIN:
            made = f"  {fresh}.new = {_PLAIN[operation]} {kind} {name}, {value}"
        elif operation in _CHOSEN:
            made = f"  {fresh}.is = icmp {_CHOSEN[operation]} {kind} {name}, {value}\n"
            made += f"  {fresh}.new = select i1 {fresh}.is, {kind} {name}, {kind} {value}"
        else:
            made = f"  {fresh}.new = select i1 true, {kind} {value}, {kind} {value}"
        return f"{read}\n{made}\n  store {kind} {fresh}.new, ptr {at}"
    exchange = _EXCHANGE.match(line)
    if exchange is not None:
        name, at, kind, old, new = exchange.groups()
        fresh = f"%at{name[1:]}"
        return f"""  {fresh}.was = load {kind}, ptr {at}
  {fresh}.same = icmp eq {kind} {fresh}.was, {old}
  {fresh}.new = select i1 {fresh}.same, {kind} {new}, {kind} {fresh}.was
  store {kind} {fresh}.new, ptr {at}
  {fresh}.pair = insertvalue {{ {kind}, i1 }} undef, {kind} {fresh}.was, 0
  {name} = insertvalue {{ {kind}, i1 }} {fresh}.pair, i1 {fresh}.same, 1"""
    return line
