"""Half precision without a type for it: LLVM cannot make WebAssembly of vectors of `half`, and WebAssembly has no instructions for it.

Numbers are kept as their 16 bits. Each operation is one of `float`, rounded once: of sums, products, quotients and roots that is the
correctly rounded result, for a `float` has more than twice the digits.
"""

from __future__ import annotations

import re

__all__ = ["without_half"]

_LIBRARY = """
define internal float @hotcell.ti.widened(i16 %h) alwaysinline {
  %w = zext i16 %h to i32
  %m = and i32 %w, 32767
  %s = shl i32 %m, 13
  %f = bitcast i32 %s to float
  %g = fmul float %f, 0x46F0000000000000
  %b = bitcast float %g to i32
  %e = icmp uge i32 %m, 31744
  %i = or i32 %b, 2139095040
  %c = select i1 %e, i32 %i, i32 %b
  %n = and i32 %w, 32768
  %t = shl i32 %n, 16
  %o = or i32 %c, %t
  %r = bitcast i32 %o to float
  ret float %r
}
define internal i16 @hotcell.ti.halved(float %x) alwaysinline {
  %b = bitcast float %x to i32
  %n = and i32 %b, -2147483648
  %m = xor i32 %b, %n
  %f = bitcast i32 %m to float
  %odd = lshr i32 %m, 13
  %o = and i32 %odd, 1
  %a = add i32 %m, -939520001
  %c = add i32 %a, %o
  %normal = lshr i32 %c, 13
  %d = fadd float %f, 5.000000e-01
  %e = bitcast float %d to i32
  %small = sub i32 %e, 1056964608
  %is.small = icmp ult i32 %m, 947912704
  %p = select i1 %is.small, i32 %small, i32 %normal
  %is.nan = icmp ugt i32 %m, 2139095040
  %beyond = select i1 %is.nan, i32 32256, i32 31744
  %is.large = icmp uge i32 %m, 1199570944
  %q = select i1 %is.large, i32 %beyond, i32 %p
  %t = lshr i32 %n, 16
  %u = or i32 %q, %t
  %r = trunc i32 %u to i16
  ret i16 %r
}
"""

_VALUE = r"(?:[%@][\w.]+|0xH[0-9A-F]{4}|[-+.\w]+)"
_BINARY = re.compile(rf"^  (%[\w.]+) = (f(?:add|sub|mul|div|rem))((?: \w+)*) half ({_VALUE}), ({_VALUE})$")
_NEGATED = re.compile(rf"^  (%[\w.]+) = fneg(?: \w+)* half ({_VALUE})$")
_COMPARED = re.compile(rf"^  (%[\w.]+) = fcmp((?: \w+)*) half ({_VALUE}), ({_VALUE})$")
_WIDENED = re.compile(rf"^  (%[\w.]+) = fpext half ({_VALUE}) to (float|double)$")
_HALVED = re.compile(rf"^  (%[\w.]+) = fptrunc (float|double) ({_VALUE}) to half$")
_WHOLE = re.compile(rf"^  (%[\w.]+) = (fpto[su]i) half ({_VALUE}) to (\w+)$")
_BITS = re.compile(rf"^  (%[\w.]+) = bitcast (?:half|i16) ({_VALUE}) to (?:half|i16)$")
_CALLED = re.compile(r"^  (%[\w.]+) = (?:tail )?call((?: (?:reassoc|nsz|ninf|nnan))*) half @(llvm|hotcell\.ti)\.(\w+)\.f16\((.*)\)$")
_CONSTANT = re.compile(r"0xH([0-9A-F]{4})")


def without_half(text: str) -> str:
    """The same module with 16 bits in place of each `half`."""
    if not re.search(r"\bhalf\b", text):
        return text
    lines = "\n".join(_line(line) if "half" in line else line for line in text.split("\n"))
    lines = re.sub(r"\bhalf\b", "i16", _CONSTANT.sub(lambda found: str(int(found[1], 16)), lines))
    return lines + _LIBRARY


def _wide(name: str, value: str) -> str:
    return f"  {name} = call float @hotcell.ti.widened(i16 {value})"


def _narrow(name: str, value: str) -> str:
    return f"  {name} = call i16 @hotcell.ti.halved(float {value})"


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
)
