"""Taichi kernels as components: `hotcell.taichi.kernel`, and `hotcell.taichi.GraphBuilder` for several.

The author's side: Taichi and llvmlite are needed where kernels are imported, and not where they run.
"""

from __future__ import annotations

from .api import kernel
from .graph import GraphBuilder

__all__ = ["GraphBuilder", "kernel"]
