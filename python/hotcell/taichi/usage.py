"""What a kernel reads and writes: which fields and arrays, found by following pointers through its code.

A pointer that goes where it cannot be followed counts as read and written.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["Usage", "usage_of"]

#: A place of a field by its node, ``("field", 4)``, or an argument by its path: ``("argument", 0, 1)``.
Origin = tuple[str | int, ...]

_DEFINED = re.compile(r"^  (%[-\w.$]+) = (.*)$")
_CHILD = re.compile(r"call ptr @get_ch_S\d+_to_S(\d+)\(")
_INDICES = re.compile(r", i32 (\d+)(?=,|$)")
_LOAD = re.compile(r"load (.+), ptr (%[-\w.$]+)")
_STORE = re.compile(r"^  store (.+?) (\S+), ptr (%[-\w.$]+)")
_NAME = re.compile(r"%[-\w.$]+")


class Usage:
    """What is read and what is written, as origins."""

    def __init__(self) -> None:
        self.read: set[Origin] = set()
        self.written: set[Origin] = set()

    def both(self, origin: Origin) -> None:
        self.read.add(origin)
        self.written.add(origin)

    def role(self, origin: Origin) -> str | None:
        """``input``, ``output`` or ``inout``; ``None`` where it is not used at all."""
        if origin in self.written:
            return "inout" if origin in self.read else "output"
        return "input" if origin in self.read else None


def usage_of(text: str, arguments: str, places: Collection[int], into: Usage) -> None:
    """Note what a task uses.

    Args:
        text: Its retargeted code.
        arguments: The global that holds the structure of arguments.
        places: The nodes that hold elements.
        into: Where it is noted.
    """
    base = f"getelementptr i8, ptr @{arguments}, i32 0"
    known: dict[str, Origin] = {}
    for line in text.split("\n"):
        if line.startswith("define "):
            known = {}
        elif line.startswith("  "):
            _instruction(line, base, places, known, into)


def _instruction(line: str, base: str, places: Collection[int], known: dict[str, Origin], into: Usage) -> None:
    defined = _DEFINED.match(line)
    if defined is not None:
        name, made = defined.groups()
        if made == base:
            known[name] = ("argument",)
            return
        child = _CHILD.match(made)
        if child is not None:
            if int(child[1]) in places:
                known[name] = ("field", int(child[1]))
            return
        if _followed(name, made, known):
            return
        loaded = _LOAD.match(made)
        if loaded is not None:
            origin = known.get(loaded[2])
            if origin is None:
                return
            if origin[0] != "argument":
                into.read.add(origin)
            elif loaded[1] == "ptr":
                known[name] = ("array", *origin[1:])
            return
        _escaped(made, known, into)
        return
    stored = _STORE.match(line)
    if stored is not None:
        origin = known.get(stored[3])
        if origin is not None and origin[0] != "argument":
            into.written.add(origin)
        _escaped(stored[2], known, into)
        return
    _escaped(line, known, into)


def _followed(name: str, made: str, known: dict[str, Origin]) -> bool:
    """Follow what makes a pointer of another: whether it was that."""
    if made.startswith("add "):
        origins = {known[part] for part in _NAME.findall(made) if part in known}
        if len(origins) == 1:
            known[name] = origins.pop()
            return True
        return False
    if not made.startswith(("bitcast ptr", "ptrtoint ptr", "inttoptr i64", "getelementptr ")):
        return False
    parts = made.split("ptr ", 1) if not made.startswith("inttoptr") else made.split("i64 ", 1)
    if made.startswith("getelementptr "):
        parts = made.rsplit(", ptr ", 1)
    origin = known.get(_first(parts[1]))
    if origin is not None:
        path = tuple(int(index) for index in _INDICES.findall(made)[1:]) if origin[0] == "argument" else ()
        known[name] = (*origin, *path)
    return True


def _first(text: str) -> str:
    found = _NAME.match(text)
    return "" if found is None else found.group()


def _escaped(text: str, known: dict[str, Origin], into: Usage) -> None:
    for part in _NAME.findall(text):
        origin = known.get(part)
        if origin is not None and origin[0] != "argument":
            into.both(origin)
