"""Rewrites LLVM IR text with typed pointers, as LLVM 15 prints it, to opaque pointers, which is all that LLVM 17 and later read.

Only types change: every pointer type becomes ``ptr``. The pointee types that instructions need stand apart in the text already
(``load float, float* %p``), so nothing is lost.
"""

from __future__ import annotations

import re

__all__ = ["opaque"]

_NAME = r'%(?:"[^"]*"|[-\w.$]+)'
_BASE = re.compile(rf"(?:void|half|bfloat|float|double|x86_fp80|fp128|label|metadata|ptr|i\d+)\b|{_NAME}")
_COUNT = re.compile(r"\d+ x ")
_ADDRESS_SPACE = re.compile(r" ?addrspace\(\d+\)")
#: What is passed over whole: text, names of globals and labels, words, numbers.
_OTHER = re.compile(r'c?"(?:[^"\\]|\\.)*"|[@!#](?:"[^"]*"|[-\w.$]+)|[A-Za-z_][\w.$]*|-?\d[\w.+-]*|\s+|.', re.DOTALL)
_COMMENT = re.compile(r"\s+; preds.*$|^;.*$", re.MULTILINE)
#: The mangled names of intrinsics carry pointees too.
_MANGLED = re.compile(r"(@llvm\.[\w.]*?)\.p0[a-z0-9]+")


def opaque(text: str) -> str:
    """The same module with opaque pointers.

    Args:
        text: A module's text with typed pointers.
    """
    lines = [_line(line) if "*" in line else line for line in _COMMENT.sub("", text).split("\n")]
    rewritten = "\n".join(lines)
    while True:
        shorter = _MANGLED.sub(r"\1.ptr", rewritten)
        if shorter == rewritten:
            return rewritten.replace(".ptr", ".p0")
        rewritten = shorter


def _line(line: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(line):
        found = _type(line, at)
        if found is None:
            other = _OTHER.match(line, at)
            assert other is not None
            out.append(other.group())
            at = other.end()
        else:
            at, rewritten = found
            out.append(rewritten)
    return "".join(out)


def _type(text: str, at: int) -> tuple[int, str] | None:
    """The type that stands at a place: where it ends, and itself rewritten; ``None`` where none stands."""
    base = _BASE.match(text, at)
    if base is not None:
        found: tuple[int, str] | None = (base.end(), base.group())
    elif text.startswith("<{", at):
        found = _members(text, at + 2, "}>", "<{")
    elif text.startswith(("[", "<"), at):
        found = _sequence(text, at)
    elif text.startswith("{", at):
        found = _members(text, at + 1, "}", "{")
    else:
        found = None
    return None if found is None else _suffixed(text, *found)


def _sequence(text: str, at: int) -> tuple[int, str] | None:
    """``[4 x T]`` or ``<4 x T>``."""
    count = _COUNT.match(text, at + 1)
    element = None if count is None else _type(text, count.end())
    closing = "]" if text[at] == "[" else ">"
    if count is None or element is None or not text.startswith(closing, element[0]):
        return None
    return element[0] + 1, f"{text[at]}{count.group()}{element[1]}{closing}"


def _members(text: str, at: int, closing: str, opening: str) -> tuple[int, str] | None:
    """The members of a structure or the parameters of a function type, from behind what opens them."""
    members: list[str] = []
    at = _space(text, at)
    while not text.startswith(closing, at):
        if text.startswith("...", at):
            found: tuple[int, str] | None = (at + 3, "...")
        else:
            found = _type(text, at)
        if found is None:
            return None
        members.append(found[1])
        at = _space(text, found[0])
        if text.startswith(",", at):
            at = _space(text, at + 1)
        elif not text.startswith(closing, at):
            return None
    inner = ", ".join(members)
    if opening in ("{", "<{") and members:
        inner = f" {inner} "
    return at + len(closing), f"{opening}{inner}{closing}"


def _suffixed(text: str, at: int, rewritten: str) -> tuple[int, str]:
    """A type with the stars and parameters that follow it."""
    while True:
        space = _ADDRESS_SPACE.match(text, at)
        star = at if space is None else space.end()
        if text.startswith("*", star):
            at, rewritten = star + 1, "ptr"
            continue
        if text.startswith(" (", at):
            parameters = _members(text, at + 2, ")", "(")
            if parameters is not None:
                at, rewritten = parameters[0], f"{rewritten} {parameters[1]}"
                continue
        return at, rewritten


def _space(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at
