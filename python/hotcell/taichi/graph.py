"""`hotcell.taichi.GraphBuilder` in place of `ti.graph.GraphBuilder`: what is dispatched becomes one entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .api import imported, taichi_kernel
from .build import Built
from .check import seeds_of
from .decorator import CALLS_APART, array_of, content, put

if TYPE_CHECKING:
    from .._component import Component, Entry

__all__ = ["Graph", "GraphBuilder", "Sequential"]


class Sequential:
    """Kernels that run one after the other."""

    def __init__(self, examples: dict[str, Any]) -> None:
        self._steps: list[Any] = []
        self._examples = examples

    def dispatch(self, kernel: Any, *arguments: Any) -> None:
        """Add a kernel.

        Args:
            kernel: A ``@ti.kernel``.
            arguments: For each of its arguments a ``ti.graph.Arg``, whose name is the entry's parameter, or a value.
        """
        own, owner = taichi_kernel(kernel)
        declared = own.arguments[1:] if owner is not None else own.arguments
        binding: dict[str, Any] = {}
        for argument, given in zip(declared, arguments, strict=True):
            is_symbol = hasattr(given, "element_shape") and hasattr(given, "field_dim")
            binding[argument.name] = given.name if is_symbol else given
            if is_symbol and given.field_dim and getattr(argument.annotation, "dtype", "") is None:
                self._examples.setdefault(given.name, _example(given))
        self._steps.append((kernel, 1, binding))


class GraphBuilder(Sequential):
    """Collects kernels as ``ti.graph.GraphBuilder`` does."""

    def __init__(self) -> None:
        super().__init__({})
        self._last: Sequential | None = None

    def create_sequential(self) -> Sequential:
        """A part that can be appended, as often as wanted."""
        return Sequential(self._examples)

    def dispatch(self, kernel: Any, *arguments: Any) -> None:
        """As :meth:`Sequential.dispatch`."""
        super().dispatch(kernel, *arguments)
        self._last = None

    def append(self, node: Sequential) -> None:
        """Add a part: one that is appended several times in a row is a loop."""
        if self._last is node:
            steps, times = self._steps[-1]
            self._steps[-1] = (steps, times + 1)
        else:
            self._steps.append((node._steps, 1))
        self._last = node

    def compile(self, name: str = "graph", *, check: bool = False, arguments: Mapping[str, Any] | None = None, **how: Any) -> Graph:
        """The graph, as one entry of a component.

        Args:
            name: The entry's name.
            check: Whether it is run on example data and compared with Taichi's own result.
            arguments: Examples for that, by the names of the graph's ``ti.graph.Arg``.
            how: As for :func:`hotcell.taichi.kernel`.
        """
        examples = {**self._examples, **(arguments or {})}
        return Graph(*imported(list(self._steps), name=name, check=check, arguments=examples, **how))


class Graph:
    """A graph that runs in the cell: its component, whose entry can be called, and :meth:`run`, which is that of Taichi's graphs.

    What the component has, such as its entry by its name, the graph has too.

    Attributes:
        component: The component, with one entry.
    """

    component: Component

    def __init__(self, built: Built, component: Component) -> None:
        self.component = component
        self._built = built
        self._seed = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "component":
            raise AttributeError(name)
        return getattr(self.component, name)

    def run(self, arguments: Mapping[str, Any], **options: Any) -> None:
        """Run it, as Taichi's graph would: what it writes is written into the arguments, and into Taichi's fields.

        Args:
            arguments: Numbers, matrices, ``ti.ndarray`` or NumPy arrays by the names of the graph's ``ti.graph.Arg``.
            options: What it is run with, as for :meth:`hotcell.Entry.options`.

        Raises:
            TypeError: An argument is missing, or is none of the graph's.
            hotcell.Error: The launch did not end well; arrays are then as they were.
        """
        inputs: dict[str, Any] = {}
        targets: dict[str, Any] = {}
        taken = [parameter for parameter in self._built.parameters if parameter.default is None and not self._returns(parameter.name)]
        names = {parameter.name for parameter in taken} - self._built.fields.keys()
        missing, unknown = sorted(names - arguments.keys()), sorted(arguments.keys() - names)
        if missing or unknown:
            what = f"argument `{missing[0]}` is missing" if missing else f"argument `{unknown[0]}` is none"
            raise TypeError(f"the graph's {what}; it has: {', '.join(sorted(names))}")
        for name, role in [(parameter.name, parameter.role) for parameter in taken]:
            layout = self._built.fields.get(name)
            target = arguments[name] if layout is None else layout
            # An output is where results come alone.
            if role != "output":
                inputs[name] = target if role == "scalar" else array_of(target) if layout is None else content(layout)
            if role in ("inout", "output"):
                targets[name] = target
        if self._built.is_random:
            self._seed = (self._seed + CALLS_APART) % (1 << 32)
            inputs |= seeds_of((self._seed, 362436069, 521288629, 88675123))
        entry: Entry = self.component[self._built.name]
        ended = (entry.options(**options) if options else entry).run(**inputs)
        ended.check()
        for name, target in targets.items():
            put(ended.results[name], target)

    def _returns(self, name: str) -> bool:
        """Whether a parameter is what a kernel returns, which Taichi's graphs do not hand on."""
        return any(parameter.name == name for results in self._built.results for _, parameter in results)


def _example(symbol: Any) -> Any:
    """One of Taichi's arrays of a symbol's type, where the kernel's annotation does not say it."""
    from taichi.lang._ndarray import ScalarNdarray
    from taichi.lang.matrix import MatrixNdarray, VectorNdarray

    dtype, element, shape = symbol.dtype(), tuple(symbol.element_shape), (16,) * symbol.field_dim
    made = (
        ScalarNdarray(dtype, shape)
        if not element
        else VectorNdarray(*element, dtype=dtype, shape=shape)
        if len(element) == 1
        else MatrixNdarray(*element, dtype=dtype, shape=shape)
    )
    made.is_made_up = True
    return made
