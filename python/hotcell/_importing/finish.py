"""A relocatable object and what its manifest says, to a component: by ``hotcell build``, which the wheel brings along.

What reads WebAssembly is in programs of its own and not in this process, here as everywhere.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hotcell._cell import PROGRAMS
from hotcell.errors import HostFault, InvalidComponent

#: The command's exit code for what makes no component.
_INVALID = 16


def component_of(object: bytes, records: Sequence[Mapping[str, Any]], shaders: Mapping[str, bytes] | None = None) -> bytes:
    """Finish an object to a component, without a linker.

    Args:
        object: A relocatable wasm32 object that defines a function for each kernel.
        records: The manifest's records: the component's, then one for each kernel.
        shaders: Shaders by the names by which kernels ask for them, as WGSL or SPIR-V.

    Returns:
        The component's bytes.

    Raises:
        hotcell.InvalidComponent: The object or the manifest is not what it should be; the text names the symbol or the field.
        hotcell.HostFault: The command failed, or is not there.
    """
    component, *kernels = records
    with tempfile.TemporaryDirectory(prefix="hotcell-import-") as folder:
        place = Path(folder)
        (place / "kernel.o").write_bytes(object)
        (place / "kernel.toml").write_text(manifest_text(component, kernels))
        more = []
        for number, (name, shader) in enumerate((shaders or {}).items()):
            (place / f"{number}.shader").write_bytes(shader)
            more += ["--shader", f"{name}={number}.shader"]
        command = [str(PROGRAMS / "hotcell"), "build", "kernel.o", "--manifest", "kernel.toml", "--out", "kernel.wasm", *more]
        try:
            made = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise HostFault(f"{command[0]} cannot be started: {error}; the package is installed from a wheel") from error
        if made.returncode == 0:
            return (place / "kernel.wasm").read_bytes()
        why = made.stderr.strip().removeprefix("error: ")
        raise (InvalidComponent if made.returncode == _INVALID else HostFault)(why)


def manifest_text(component: Mapping[str, Any], kernels: Sequence[Mapping[str, Any]]) -> str:
    """The manifest as a file for ``hotcell build``."""
    lines = ["[component]", *(_line(key, value) for key, value in component.items())]
    for kernel in kernels:
        lines += ["", "[[kernel]]"]
        lines += [_line(key, value) for key, value in kernel.items()]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    return f"{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    """A value as TOML has it; a default, which records give with its type, by itself."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # TOML's strings are JSON's, but that it does not join surrogates.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int() | float():
            return repr(value)
        case Mapping():
            pairs = ((key, next(iter(part.values())) if key == "default" else part) for key, part in value.items())
            return "{ " + ", ".join(_line(key, part) for key, part in pairs) + " }"
        case _:
            return "[" + ", ".join(_toml(part) for part in value) + "]"
