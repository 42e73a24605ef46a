"""Optimised code whose loop invariants stay where they are: numbers that take long are computed before a loop, and not in it.

The compiler of WebAssembly computes what has no effects where it is first used, which for what LLVM has moved out of nested loops is within
the outer one. A number that was stored and loaded again as another type is one that it finds no origin of.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["with_invariants_kept"]

_FUNCTION = re.compile(r"^define .*?^\}", re.MULTILINE | re.DOTALL)
_LABEL = re.compile(r"^([-\w.$]+):")
_SUCCESSOR = re.compile(r"\blabel %([-\w.$]+)")
_DEFINED = re.compile(r"^  (%[-\w.$]+) = (.*)$")
_NAME = re.compile(r"%[-\w.$]+")
_ARITHMETIC = "add|sub|mul|[us]div|[us]rem|shl|[al]shr|and|or|xor|icmp|trunc|[sz]ext|bitcast|select"
_PURE = re.compile(rf"(?:f(?:add|sub|mul|div|neg|cmp|trunc|ext|ptrunc|pext|pto[us]i)|[us]itofp|{_ARITHMETIC}) |(?:tail )?call .*@llvm\.\w+\.[if]\d+\(")
#: What gives a number, by its type.
_NUMBER = re.compile(
    r"f(?:add|sub|mul|div|neg) (?:[a-z]+ )*?(float|double) |(?:tail )?call (?:[a-z]+ )*?(float|double) @|select (?:[a-z]+ )*?i1 \S+, (float|double) "
    r"|(?:fptrunc|fpext|[us]itofp|bitcast) [^<]* to (float|double)$"
)
_SLOW = re.compile(r"(?:fdiv|[us]div|[us]rem) |.*@llvm\.sqrt\.")
#: From how many instructions on a number is kept, of which a slow one counts as several.
_LEAST, _SLOW_COUNTS = 6, 4
#: Larger functions are left as they are.
_MOST_BLOCKS = 400
_BITS = {"float": "i32", "double": "i64"}
_PLACE = "@hotcell.ti.invariant"


class _Line(NamedTuple):
    """An instruction that defines a value."""

    number: int
    #: Whether it is in a loop.
    is_repeated: bool
    made: str


def with_invariants_kept(text: str) -> str:
    """The same module.

    Args:
        text: A module that is optimised for WebAssembly.
    """
    rewritten = _FUNCTION.sub(lambda found: _rewritten(found.group()), text)
    return rewritten if rewritten == text else f"{rewritten}\n{_PLACE} = internal global i64 0, align 8\n"


def _rewritten(function: str) -> str:
    lines = function.split("\n")
    repeated = _repeated(lines)
    if not any(repeated):
        return function
    defined = {
        found[1]: _Line(number, repeated[number], found[2]) for number, line in enumerate(lines) if (found := _DEFINED.match(line))
    }
    # Where loops use a number, themselves or as a vector that is made of it before them.
    users: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if (repeated[number] or "insertelement" in line) and " = phi " not in line:
            for name in _NAME.findall(line):
                users.setdefault(name, []).append(number)
    after: dict[int, str] = {}
    for name, (number, is_repeated, made) in defined.items():
        kind = _NUMBER.match(made)
        used = [user for user in users.get(name, ()) if user != number]
        if is_repeated or kind is None or not used or _cost(name, defined) < _LEAST:
            continue
        own, fresh = next(group for group in kind.groups() if group), f"%invariant{len(after)}"
        after[number] = "\n".join(
            (
                f"  store volatile {own} {name}, ptr {_PLACE}, align 8",
                f"  {fresh}.bits = load volatile {_BITS[own]}, ptr {_PLACE}, align 8",
                f"  {fresh} = bitcast {_BITS[own]} {fresh}.bits to {own}",
            )
        )
        for user in used:
            lines[user] = re.sub(rf"{re.escape(name)}(?![-\w.$])", fresh, lines[user])
    return "\n".join(f"{line}\n{after[number]}" if number in after else line for number, line in enumerate(lines))


def _repeated(lines: list[str]) -> list[bool]:
    """Of each line whether it is in a loop: whether its block can be reached from itself."""
    blocks: list[str] = []
    label = ""
    successors: dict[str, set[str]] = {label: set()}
    for line in lines:
        found = _LABEL.match(line)
        if found is not None:
            label = found[1]
            successors.setdefault(label, set())
        successors[label].update(_SUCCESSOR.findall(line))
        blocks.append(label)
    if len(successors) > _MOST_BLOCKS:
        return [False] * len(lines)
    looping = {block for block in successors if block in _reachable(block, successors)}
    return [block in looping for block in blocks]


def _reachable(block: str, successors: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(successors[block])
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += successors.get(one, ())
    return found


def _cost(name: str, defined: dict[str, _Line]) -> int:
    """How many instructions without effects a value takes, as far as they are not in loops."""
    cost = 0
    seen: set[str] = set()
    waiting = [name]
    while waiting and cost < _LEAST:
        one = defined.get(waiting.pop())
        if one is None or one.is_repeated or not _PURE.match(one.made):
            continue
        cost += _SLOW_COUNTS if _SLOW.match(one.made) else 1
        operands = set(_NAME.findall(one.made)) - seen
        seen |= operands
        waiting += operands
    return cost
