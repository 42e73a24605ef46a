"""Optimised code with the vectoriser's gathers of vectors and matrices as loads of whole registers, taken apart by shuffles.

LLVM's cost model of WebAssembly knows groups of two and of four elements and no others, so that a loop over vectors of three loads each
element for itself. What is loaded here are the very same bytes: of a group of as many elements as a register has lanes one register for
each turn of the loop, and of vectors of three that lie one behind the other three registers for all turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["with_wide_loads"]

_FUNCTION = re.compile(r"^define .*?^\}", re.MULTILINE | re.DOTALL)
_DEFINED = re.compile(r"^  (%[-\w.$]+) = (.*)$")
_LOAD = re.compile(r"load (float|double|i32|i64), ptr (%[-\w.$]+), align \d+(?:, !.*)?$")
_INSERT = re.compile(r"insertelement <(\d+) x (?:float|double|i32|i64)> (poison|%[-\w.$]+), \w+ (%[-\w.$]+), i64 (\d+)$")
_MEMBER = re.compile(r"getelementptr (?:(?:inbounds|nuw|nusw) )*i8, ptr (%[-\w.$]+), i32 (-?\d+)$")
_LANE = re.compile(r"getelementptr (?:(?:inbounds|nuw|nusw) )*(i8|float|double|i32|i64), ptr (%[-\w.$]+), i32 (%[-\w.$]+)$")
_EXTRACT = re.compile(r"extractelement <\d+ x i32> (%[-\w.$]+), i64 (\d+)$")
_VALUE = r"(%[-\w.$]+|splat \(i32 -?\d+\)|zeroinitializer|<i32 [^>]*>)"
_BINARY = re.compile(rf"(add|sub|mul|shl|or disjoint)(?: nuw| nsw)* <\d+ x i32> {_VALUE}, {_VALUE}$")
_PHI = re.compile(rf"phi <\d+ x i32> \[ {_VALUE}, %[-\w.$]+ \], \[ {_VALUE}, %[-\w.$]+ \]$")
_BROADCAST = re.compile(r"shufflevector <\d+ x i32> [^,]+, <\d+ x i32> poison, <\d+ x i32> zeroinitializer$")
_TAKEN = re.compile(r"shufflevector <(\d+) x (float|double|i32|i64)> (%[-\w.$]+), <\1 x \2> poison, <\d+ x i32> (<[^>]*>)$")
_WIDE_LOAD = re.compile(r"load <\d+ x \w+>, ptr (%[-\w.$]+), align \d+(?:, !.*)?$")
#: What may write to memory, so that no load is moved across it.
_WRITES = re.compile(r"^  store |\b(?:call|invoke) (?!.*@llvm\.(?!mem|masked))|\b(?:atomicrmw|cmpxchg|fence)\b")
_BYTES = {"i8": 1, "float": 4, "i32": 4, "double": 8, "i64": 8}
_REGISTER_BYTES = 16

#: A register by its number, or one that was shuffled by its name.
_Source = int | str
_Order = tuple[int, ...]
#: How gathers are made of registers: those that are shuffled first, each with its name, and then one shuffle for each gather.
_Plan = tuple[tuple[tuple[str, _Source, _Source, _Order], ...], tuple[tuple[_Source, _Source, _Order], ...]]

#: Of three registers with vectors of three in them, the vectors of their members, by the lanes of a register.
_THREES: dict[int, _Plan] = {
    4: (
        (("xy", 1, 2, (2, 3, 5, 6)), ("yz", 0, 1, (1, 2, 4, 5))),
        ((0, "xy", (0, 3, 4, 6)), ("yz", "xy", (0, 2, 5, 7)), ("yz", 2, (1, 3, 4, 7))),
    ),
    2: ((), ((0, 1, (0, 3)), (0, 2, (1, 2)), (1, 2, (0, 3)))),
}
#: Of as many registers as they have lanes, with a group of elements in each, the vectors of their members: a transposition.
_SQUARE: dict[int, _Plan] = {
    4: (
        (("a", 0, 1, (0, 4, 1, 5)), ("b", 0, 1, (2, 6, 3, 7)), ("c", 2, 3, (0, 4, 1, 5)), ("d", 2, 3, (2, 6, 3, 7))),
        (("a", "c", (0, 1, 4, 5)), ("a", "c", (2, 3, 6, 7)), ("b", "d", (0, 1, 4, 5)), ("b", "d", (2, 3, 6, 7))),
    ),
    2: ((), ((0, 1, (0, 2)), (0, 1, (1, 3)))),
}


class _Gather(NamedTuple):
    """A vector of elements that are not next to each other."""

    name: str
    #: Where it is complete, and where it is loaded, as numbers of lines.
    line: int
    loads: tuple[int, ...]
    kind: str
    #: For each lane, the pointer that its address is counted from, and its distance from there in bytes.
    lanes: tuple[tuple[str, int], ...]

    @property
    def offset(self) -> int:
        return self.lanes[0][1]

    @property
    def fellows(self) -> tuple[object, ...]:
        """What it has in common with gathers of the elements that lie beside its own."""
        return (self.kind, *((root, offset - self.offset) for root, offset in self.lanes))


class _Wide(NamedTuple):
    """What takes the place of several gathers."""

    #: For each register, the pointer that its address is counted from, and its distance in bytes.
    registers: list[tuple[str, int]]
    shuffles: Sequence[tuple[str, _Source, _Source, _Order]]
    #: Each gather with the shuffle that gives it.
    made: list[tuple[_Gather, tuple[_Source, _Source, _Order]]]


def with_wide_loads(text: str) -> str:
    """The same module; what is no longer needed is left for others to remove.

    Args:
        text: A module that is optimised for WebAssembly.
    """
    return _FUNCTION.sub(lambda found: _rewritten(found.group()), text) 


def _rewritten(function: str) -> str:
    lines = function.split("\n")
    defined = {found[1]: (index, found[2]) for index, line in enumerate(lines) if (found := _DEFINED.match(line))}
    before: dict[int, list[str]] = {}
    for count, wide in enumerate(_groups(lines, defined)):
        first = min(min(gather.loads) for gather, _ in wide.made)
        last = max(max(gather.loads) for gather, _ in wide.made)
        roots = [defined[root][0] for root, _ in wide.registers if root in defined]
        if any(line > first for line in roots) or any(_WRITES.search(line) or line[:1] not in ("", " ") for line in lines[first:last]):
            continue
        begun, ended = _text(wide, f"%wide{count}")
        before.setdefault(first, []).extend(begun)
        for (gather, _), line in zip(wide.made, ended, strict=True):
            lines[gather.line] = line
    return "\n".join("\n".join([*before.get(index, ()), line]) for index, line in enumerate(lines))


def _groups(lines: Sequence[str], defined: Mapping[str, tuple[int, str]]) -> Iterator[_Wide]:
    together: dict[tuple[object, ...], dict[int, _Gather]] = {}
    for index, line in enumerate(lines):
        gather = _inserted(index, line, defined) or _strided(index, line, defined)
        if gather is not None:
            together.setdefault(gather.fellows, {}).setdefault(gather.offset, gather)
    for gathers in together.values():
        some = next(iter(gathers.values()))
        size, lanes = _BYTES[some.kind], len(some.lanes)
        first, last = min(gathers), max(gathers)
        if last - first == 2 * size and _distance_between(some.lanes, defined) == 3 * size:
            shuffles, ended = _THREES[lanes]
            registers = [(some.lanes[0][0], first + _REGISTER_BYTES * number) for number in range(3)]
            yield _Wide(registers, shuffles, [(gather, ended[(offset - first) // size]) for offset, gather in gathers.items()])
            continue
        shuffles, ended = _SQUARE[lanes]
        for begin in _registers(sorted(gathers), size, lanes):
            found = [(gathers.pop(begin + size * lane, None), made) for lane, made in enumerate(ended)]
            registers = [(root, begin + offset - some.offset) for root, offset in some.lanes]
            yield _Wide(registers, shuffles, [(gather, made) for gather, made in found if gather is not None])


def _registers(offsets: Sequence[int], size: int, lanes: int) -> Iterator[int]:
    """Where registers begin that hold neighbours, the last of a row where it ends with that."""
    rows: list[list[int]] = []
    for offset in offsets:
        if rows and rows[-1][-1] + size == offset:
            rows[-1].append(offset)
        else:
            rows.append([offset])
    for row in rows:
        yield from (row[index] for index in range(0, len(row) - lanes + 1, lanes))
        if len(row) > lanes and len(row) % lanes:
            yield row[-lanes]


def _inserted(index: int, line: str, defined: Mapping[str, tuple[int, str]]) -> _Gather | None:
    """The gather that a line completes, of which each lane was loaded for itself."""
    own = _DEFINED.match(line)
    inserted = _INSERT.match(own[2]) if own else None
    if own is None or inserted is None or int(inserted[4]) != int(inserted[1]) - 1:
        return None
    loads: list[tuple[int, str, str, int]] = []
    for lane in reversed(range(int(inserted[1]))):
        loaded = _loaded(inserted[3], defined) if inserted is not None and int(inserted[4]) == lane else None
        if inserted is None or loaded is None or (lane == 0) != (inserted[2] == "poison"):
            return None
        loads.insert(0, loaded)
        inserted = _INSERT.match(defined[inserted[2]][1]) if inserted[2] in defined else None
    kind = loads[0][1]
    if any(load[1] != kind for load in loads) or _BYTES[kind] * len(loads) != _REGISTER_BYTES:
        return None
    return _Gather(own[1], index, tuple(load[0] for load in loads), kind, tuple(load[2:] for load in loads))


def _strided(index: int, line: str, defined: Mapping[str, tuple[int, str]]) -> _Gather | None:
    """The gather that a line takes out of what is loaded together, in groups larger than two."""
    own = _DEFINED.match(line)
    taken = _TAKEN.match(own[2]) if own else None
    if own is None or taken is None:
        return None
    order = [int(number) for number in re.findall(r"i32 (\d+)", taken[4])]
    line_, loaded = defined.get(taken[3], (0, ""))
    load = _WIDE_LOAD.match(loaded)
    steps = {second - first for first, second in pairwise(order)}
    if load is None or len(steps) != 1 or min(steps) < 3 or _BYTES[taken[2]] * len(order) != _REGISTER_BYTES:
        return None
    return _Gather(own[1], index, (line_,), taken[2], tuple((load[1], number * _BYTES[taken[2]]) for number in order))


def _loaded(name: str, defined: Mapping[str, tuple[int, str]]) -> tuple[int, str, str, int] | None:
    """Where a value is loaded, its type, the pointer that its address is counted from, and the distance from there."""
    line, made = defined.get(name, (0, ""))
    load = _LOAD.match(made)
    if load is None:
        return None
    member = _MEMBER.match(defined.get(load[2], (0, ""))[1])
    return (line, load[1], load[2], 0) if member is None else (line, load[1], member[1], int(member[2]))


def _distance_between(lanes: Sequence[tuple[str, int]], defined: Mapping[str, tuple[int, str]]) -> int | None:
    """How many bytes on from each lane's pointer the next one's is; ``None`` where that is not known, or is not the same for all."""
    found: set[tuple[str, str, str]] = set()
    if len({offset for _, offset in lanes}) != 1:
        return None
    for lane, (pointer, _) in enumerate(lanes):
        made = _LANE.match(defined.get(pointer, (0, ""))[1])
        extracted = _EXTRACT.match(defined.get(made[3], (0, ""))[1]) if made else None
        if made is None or extracted is None or int(extracted[2]) != lane:
            return None
        found.add((made[1], made[2], extracted[1]))
    if len(found) != 1:
        return None
    element, _, indices = found.pop()
    distance = _distance(indices, defined, {})
    return None if distance is None else distance * _BYTES[element] % (1 << 32)


def _distance(value: str, defined: Mapping[str, tuple[int, str]], known: dict[str, int]) -> int | None:
    """By how much each lane of a vector of indices is larger than the one before; ``None`` where that is not known.

    Args:
        value: The vector.
        defined: The function's values.
        known: What is taken as given: of a value that a loop carries, what it begins with.
    """
    if value == "zeroinitializer" or value.startswith("splat"):
        return 0
    if value.startswith("<"):
        numbers = [int(number) for number in re.findall(r"i32 (-?\d+)", value)]
        steps = {second - first for first, second in pairwise(numbers)}
        return steps.pop() if len(steps) == 1 else None
    if value in known:
        return known[value]
    made = defined.get(value, (0, ""))[1]
    if _BROADCAST.match(made):
        return 0
    carried = _PHI.match(made)
    if carried is not None:
        begun = _distance(carried[1], defined, known)
        if begun is None or _distance(carried[2], defined, {**known, value: begun}) != begun:
            return None
        return begun
    binary = _BINARY.match(made)
    if binary is None:
        return None
    operation, first, second = binary.groups()
    one = _distance(first, defined, known)
    if operation in ("mul", "shl"):
        factor = _same(second)
        if one is None or factor is None:
            return None
        return one * factor if operation == "mul" else one << factor
    other = _distance(second, defined, known)
    if one is None or other is None:
        return None
    return one - other if operation == "sub" else one + other


def _same(constant: str) -> int | None:
    """What all lanes of a constant are, which LLVM before 20 writes one by one; ``None`` where they differ, or are less than 0."""
    numbers = set(re.findall(r"i32 (-?\d+)", constant))
    number = int(numbers.pop()) if len(numbers) == 1 else -1
    return number if number >= 0 else None


def _text(wide: _Wide, prefix: str) -> tuple[list[str], list[str]]:
    """The lines that load and shuffle, and those that complete the gathers."""
    kind, lanes = wide.made[0][0].kind, len(wide.made[0][0].lanes)
    vector = f"<{lanes} x {kind}>"

    def shuffle(name: str, first: _Source, second: _Source, order: _Order) -> str:
        indices = ", ".join(f"i32 {index}" for index in order)
        return f"  {name} = shufflevector {vector} {prefix}.{first}, {vector} {prefix}.{second}, <{lanes} x i32> <{indices}>"

    begun = []
    for number, (root, offset) in enumerate(wide.registers):
        begun.append(f"  {prefix}.at{number} = getelementptr i8, ptr {root}, i32 {offset}")
        begun.append(f"  {prefix}.{number} = load {vector}, ptr {prefix}.at{number}, align {_BYTES[kind]}")
    begun += [shuffle(f"{prefix}.{name}", first, second, order) for name, first, second, order in wide.shuffles]
    return begun, [shuffle(gather.name, *made) for gather, made in wide.made]
