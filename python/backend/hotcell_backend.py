"""How `pip` builds the package from sources: the programs and what else goes with them, by the workspace's own chore; then maturin.

It needs Rust by rustup, a C compiler and the static C library, as `README.md` says.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

from maturin import *  # noqa: F403  (a source distribution, its metadata, what has to be there: as maturin has it)
import maturin


def _stage() -> None:
    # Whoever packages for others has staged it already.
    if not os.environ.get("HOTCELL_STAGED"):
        subprocess.run(["cargo", "xtask", "wheel", "--stage-only"], check=True)


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    _stage()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    _stage()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)
