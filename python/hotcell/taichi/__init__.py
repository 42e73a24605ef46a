"""Taichi kernels as components: `hotcell.taichi.kernel`, and `GraphBuilder` and `recording` for graphs of several.

The author's side: Taichi and llvmlite are needed where kernels are imported, and not where they run.
"""

from __future__ import annotations

from .api import kernel
from .graph import Graph, GraphBuilder
from .recording import recording

__all__ = ["Graph", "GraphBuilder", "kernel", "recording"]
