"""``python -m hotcell``, and the command ``hotcell`` that pip puts on the path: the program that the wheel brings along."""

from __future__ import annotations

import os
import sys

from ._cell import PROGRAMS


def main() -> None:
    """Become the command."""
    program = PROGRAMS / "hotcell"
    if not program.is_file():
        sys.exit(f"hotcell: {program} is not there: this package was not installed from a wheel of its own")
    # What is imported is imported by Python, and this one has the package.
    os.environ["HOTCELL_PYTHON"] = sys.executable
    os.execv(program, ["hotcell", *sys.argv[1:]])


if __name__ == "__main__":
    main()
