"""Graphs of Taichi's own that can be imported: while :func:`recording` lasts, what builds them notes what is dispatched."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from hotcell.errors import ImportRefused
from .graph import Graph, GraphBuilder, Sequential

__all__ = ["compiled", "is_graph", "recording"]

#: The attribute of Taichi's graph with what was noted of it.
_NOTED = "_hotcell_builder"


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """While it lasts, the graphs that ``ti.graph.GraphBuilder`` compiles are such as :func:`hotcell.taichi.kernel` takes.

    They are Taichi's own and run as ever. ``ti.graph.GraphBuilder`` is another class for that time, derived from Taichi's, in the whole
    process; a program that has taken hold of Taichi's class before builds graphs that are not noted.

    Raises:
        ImportRefused: Taichi is not installed.
    """
    try:
        import taichi.graph as graphs
        from taichi.graph import _graph
    except ImportError as error:
        raise ImportRefused("Taichi is not installed", advice="pip install hotcell[taichi]") from error
    before = graphs.GraphBuilder, _graph.GraphBuilder
    graphs.GraphBuilder = _graph.GraphBuilder = _noting(before[1])
    try:
        yield
    finally:
        graphs.GraphBuilder, _graph.GraphBuilder = before


def is_graph(k: Any) -> bool:
    """Whether something is a graph that Taichi compiled."""
    from taichi.graph._graph import Graph as TaichiGraph

    return isinstance(k, TaichiGraph)


def compiled(graph: Any, **how: Any) -> Graph:
    """What :meth:`GraphBuilder.compile` makes of a graph of Taichi's.

    Args:
        graph: It was built in :func:`recording`.
        how: As for :meth:`GraphBuilder.compile`.
    """
    builder: GraphBuilder | None = getattr(graph, _NOTED, None)
    if builder is None:
        advice = "build it in `with hotcell.taichi.recording():`, or with hotcell.taichi.GraphBuilder"
        raise ImportRefused("Taichi does not say what is in a graph", advice=advice)
    return builder.compile(**how)


def _noting(original: Any) -> Any:
    """Taichi's builder, which notes what is dispatched too."""
    from taichi.graph._graph import Sequential as TaichiSequential

    class NotedSequential(TaichiSequential):  # type: ignore[misc]
        def __init__(self, own: Any, noted: Sequential) -> None:
            super().__init__(own)
            self.noted = noted

        def dispatch(self, kernel: Any, *arguments: Any) -> None:
            super().dispatch(kernel, *arguments)
            self.noted.dispatch(kernel, *arguments)

    class NotedBuilder(original):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.noted = GraphBuilder()

        def dispatch(self, kernel: Any, *arguments: Any) -> None:
            super().dispatch(kernel, *arguments)
            self.noted.dispatch(kernel, *arguments)

        def create_sequential(self) -> Any:
            return NotedSequential(super().create_sequential().seq_, self.noted.create_sequential())

        def append(self, node: Any) -> None:
            super().append(node)
            self.noted.append(node.noted)

        def compile(self) -> Any:
            graph = super().compile()
            setattr(graph, _NOTED, self.noted)
            return graph

    return NotedBuilder
