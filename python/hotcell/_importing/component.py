"""What importers give: a component that is loaded and can be saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hotcell

__all__ = ["ImportedComponent"]


class ImportedComponent(hotcell.Component):
    """A component that was imported: there is no file of it until it is saved."""

    @property
    def bytes(self) -> bytes:
        """The component as it is written to a file."""
        return bytes(self._native.bytes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the component to a file, for :func:`hotcell.load` and for ``hotcell run``."""
        target = Path(path)
        target.write_bytes(self.bytes)
        return target

    def __reduce__(self) -> tuple[Any, ...]:
        return hotcell.load, (self.bytes,)
