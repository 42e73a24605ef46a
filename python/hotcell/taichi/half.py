"""Half precision without a type for it: LLVM cannot make WebAssembly of vectors of `half`."""

from __future__ import annotations

import re

from .._importing.half import NARROW, WIDEN

__all__ = ["without_half"]

_VALUE = r"(?:[%@][\w.]+|0xH[0-9A-F]{4}|[-+.\w]+)"
_BINARY = re.compile(rf"^  (%[\w.]+) = (f(?:add|sub|mul|div|rem))((?: \w+)*) half ({_VALUE}), ({_VALUE})$")
_NEGATED = re.compile(rf"^  (%[\w.]+) = fneg(?: \w+)* half ({_VALUE})$")
_COMPARED = re.compile(rf"^  (%[\w.]+) = fcmp((?: \w+)*) half ({_VALUE}), ({_VALUE})$")
_WIDENED = re.compile(rf"^  (%[\w.]+) = fpext half ({_VALUE}) to (float|double)$")
_HALVED = re.compile(rf"^  (%[\w.]+) = fptrunc (float|double) ({_VALUE}) to half$")
_WHOLE = re.compile(rf"^  (%[\w.]+) = (fpto[su]i) half ({_VALUE}) to (\w+)$")
_BITS = re.compile(rf"^  (%[\w.]+) = bitcast (?:half|i16) ({_VALUE}) to (?:half|i16)$")
_CALLED = re.compile(r"^  (%[\w.]+) = (?:tail )?call((?: (?:reassoc|nsz|ninf|nnan))*) half @(llvm|hotcell\.ti)\.(\w+)\.f16\((.*)\)$")
_FLAG = "(?:reassoc|nnan|ninf|nsz|arcp|contract|afn|fast)"
_CHOSEN = re.compile(rf"^  (%[\w.]+) = (select|phi|(?:tail )?call)(?: {_FLAG})+ ((?:i1 {_VALUE}, )?half .*)$")
#: The type, and no name that is the same word.
_HALF = re.compile(r"(?<![%@.$\w-])half\b")
_CONSTANT = re.compile(r"0xH([0-9A-F]{4})")


def without_half(text: str) -> str:
    """The same module with 16 bits in place of each `half`."""
    if not any(_HALF.search(line) for line in text.split("\n") if not _is_text(line)):
        return text
    lines = (line if _is_text(line) or not _HALF.search(line) else _typed(_line(line)) for line in text.split("\n"))
    return "\n".join(lines) + WIDEN + NARROW


def _is_text(line: str) -> bool:
    """Whether a line is that of a constant text, in which words are the author's."""
    return line.startswith("@") and ' c"' in line


def _typed(lines: str) -> str:
    return _HALF.sub("i16", _CONSTANT.sub(lambda found: str(int(found[1], 16)), lines))


def _wide(name: str, value: str) -> str:
    return f"  {name} = call float @hotcell.from_f16(i16 {value})"


def _narrow(name: str, value: str) -> str:
    return f"  {name} = call i16 @hotcell.to_f16(float {value})"


def _line(line: str) -> str:
    for pattern, made in _REWRITES:
        found = pattern.match(line)
        if found is not None:
            return made(*found.groups())
    return line


def _binary(name: str, operation: str, flags: str, a: str, b: str) -> str:
    fresh = f"%half{name[1:]}"
    operands = f"{_wide(fresh + '.a', a)}\n{_wide(fresh + '.b', b)}"
    return f"{operands}\n  {fresh}.r = {operation}{flags} float {fresh}.a, {fresh}.b\n{_narrow(name, fresh + '.r')}"


def _compared(name: str, predicate: str, a: str, b: str) -> str:
    fresh = f"%half{name[1:]}"
    return f"{_wide(fresh + '.a', a)}\n{_wide(fresh + '.b', b)}\n  {name} = fcmp{predicate} float {fresh}.a, {fresh}.b"


def _widened(name: str, value: str, to: str) -> str:
    if to == "float":
        return _wide(name, value)
    fresh = f"%half{name[1:]}.a"
    return f"{_wide(fresh, value)}\n  {name} = fpext float {fresh} to double"


def _halved(name: str, kind: str, value: str) -> str:
    if kind == "float":
        return _narrow(name, value)
    fresh = f"%half{name[1:]}.a"
    return f"  {fresh} = fptrunc double {value} to float\n{_narrow(name, fresh)}"


def _whole(name: str, operation: str, value: str, to: str) -> str:
    fresh = f"%half{name[1:]}.a"
    return f"{_wide(fresh, value)}\n  {name} = {operation} float {fresh} to {to}"


def _called(name: str, flags: str, family: str, function: str, operands: str) -> str:
    fresh = f"%half{name[1:]}"
    values = [operand.strip().rsplit(" ", 1)[1] for operand in operands.split(",")]
    widened = "\n".join(_wide(f"{fresh}.{index}", value) for index, value in enumerate(values))
    taken = ", ".join(f"float {fresh}.{index}" for index in range(len(values)))
    return f"{widened}\n  {fresh}.r = call{flags} float @{family}.{function}.f32({taken})\n{_narrow(name, fresh + '.r')}"


_REWRITES = (
    (_BINARY, _binary),
    (_NEGATED, lambda name, value: f"  {name} = xor i16 {value}, -32768"),
    (_COMPARED, _compared),
    (_WIDENED, _widened),
    (_HALVED, _halved),
    (_WHOLE, _whole),
    (_BITS, lambda name, value: f"  {name} = add i16 {value}, 0"),
    (_CALLED, _called),
    # How numbers may be rounded says nothing of 16 bits.
    (_CHOSEN, lambda name, operation, operands: f"  {name} = {operation} {operands}"),
)
