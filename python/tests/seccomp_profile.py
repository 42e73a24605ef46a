"""Loads a container's seccomp profile into a process, as a container's runtime does: from its JSON to a filter of the kernel's."""

from __future__ import annotations

import ctypes
import json
import struct
import sys
from typing import Any

_ARCHITECTURE = 0xC000003E
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _AND, _JEQ, _JGT, _JGE, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x35, 0x06


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def _condition(argument: dict[str, Any]) -> list[tuple[int, Any, Any, int]]:
    """Instructions that go on where a condition holds, and else jump to ``"no"``."""
    place = 16 + 8 * argument["index"]
    low, high = place, place + 4
    value = argument["value"]
    below, above = value & 0xFFFFFFFF, value >> 32
    match argument["op"]:
        case "SCMP_CMP_EQ":
            return [(_LOAD, 0, 0, high), (_JEQ, 0, "no", above), (_LOAD, 0, 0, low), (_JEQ, 0, "no", below)]
        case "SCMP_CMP_MASKED_EQ":
            wanted = argument["valueTwo"]
            return [(_LOAD, 0, 0, low), (_AND, 0, 0, below), (_JEQ, 0, "no", wanted & 0xFFFFFFFF)]
        case "SCMP_CMP_LE":
            return [(_LOAD, 0, 0, high), (_JGT, "no", 0, above), (_LOAD, 0, 0, low), (_JGT, "no", 0, below)]
        case "SCMP_CMP_GE":
            return [(_LOAD, 0, 0, high), (_JGT, 2, 0, above), (_LOAD, 0, 0, low), (_JGE, 0, "no", below)]
    raise ValueError(argument["op"])


def assembled(profile: dict[str, Any], numbers: dict[str, int]) -> list[tuple[int, int, int, int]]:
    """The filter's instructions; ``numbers`` are those of the calls by their names."""
    program: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, 4), (_JEQ, 1, 0, _ARCHITECTURE), (_RETURN, 0, 0, _ERRNO | 38)]
    for call in profile["syscalls"]:
        action = _ALLOW if call["action"] == "SCMP_ACT_ALLOW" else _ERRNO | call["errnoRet"]
        for name in call["names"]:
            tests = [test for argument in call.get("args", ()) for test in _condition(argument)]
            block: list[tuple[int, Any, Any, int]] = [(_LOAD, 0, 0, 0), (_JEQ, 0, "no", numbers[name]), *tests, (_RETURN, 0, 0, action)]
            for at, (code, then, otherwise, value) in enumerate(block):
                out = len(block) - at - 1
                program.append((code, out if then == "no" else then, out if otherwise == "no" else otherwise, value))
    return [*program, (_RETURN, 0, 0, _ERRNO | profile["defaultErrnoRet"])]


def install(program: list[tuple[int, int, int, int]]) -> None:
    """Put it on this process."""
    instructions = (_Instruction * len(program))(*program)
    libc = ctypes.CDLL(None, use_errno=True)
    described = _Program(len(program), instructions)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(described), 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def numbers_of_calls() -> dict[str, int]:
    """The numbers of system calls by their names, as the attacks and the C library's headers have them."""
    found = {}
    for path in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        try:
            with open(path) as header:
                for line in header:
                    parts = line.split()
                    if len(parts) == 3 and parts[0] == "#define" and parts[1].startswith("__NR_"):
                        found[parts[1][5:]] = int(parts[2])
        except FileNotFoundError:
            continue
    return found


if __name__ == "__main__":
    # Loads a profile and becomes a program under it.
    import os

    with open(sys.argv[1]) as file:
        read = json.load(file)
    assert struct.calcsize("P") == 8
    install(assembled(read, numbers_of_calls()))
    os.execv(sys.argv[2], sys.argv[2:])
