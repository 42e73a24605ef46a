"""``hotcell import module.mlir``, and ``python -m hotcell.jax``: a StableHLO module to a component."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hotcell.errors import ImportRefused

from .api import mlir_component


#: The command's exit codes for what is no component, and for files that cannot be read or written.
REFUSED, UNREADABLE = 16, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Import a StableHLO file; gives the exit code, as the command has them."""
    parser = argparse.ArgumentParser(prog="hotcell import", description="Import a StableHLO module as a kernel component.")
    parser.add_argument("module", type=Path, help="StableHLO as text, bytecode or a portable artifact")
    parser.add_argument("-o", "--out", type=Path, help="the component's file; default: the module's name with .wasm")
    parser.add_argument("--name", help="what the kernel is called; default: the file's name")
    chosen = parser.parse_args(argv)
    target = chosen.out or chosen.module.with_suffix(".wasm")
    try:
        data = chosen.module.read_bytes()
        component, _, _ = mlir_component(data if data[:2] == b"ML" else data.decode(), chosen.name or chosen.module.stem)
        target.write_bytes(component)
    except ImportRefused as refusal:
        print(f"hotcell: {chosen.module}: {refusal}", file=sys.stderr)
        return REFUSED
    except (OSError, UnicodeDecodeError) as error:
        print(f"hotcell: {chosen.module}: {error}", file=sys.stderr)
        return UNREADABLE
    print(target)
    return 0

