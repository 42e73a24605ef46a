"""`hotcell.taichi.GraphBuilder` in place of `ti.graph.GraphBuilder`: what is dispatched becomes one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .api import kernel as imported
from .api import taichi_kernel

if TYPE_CHECKING:
    from .._component import Component

__all__ = ["GraphBuilder", "Sequential"]


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

    def compile(self, name: str = "graph", **how: Any) -> Component:
        """The component whose entry runs the graph.

        Args:
            name: The entry's name.
            how: As for :func:`hotcell.taichi.kernel`.
        """
        arguments = {**self._examples, **how.pop("arguments", {})}
        component: Component = imported(list(self._steps), name=name, arguments=arguments, **how)
        return component


def _example(symbol: Any) -> np.ndarray[Any, Any]:
    """An array of a symbol's type, where the kernel's annotation does not say it."""
    from taichi.lang.util import to_numpy_type

    return np.zeros((16,) * symbol.field_dim + tuple(symbol.element_shape), to_numpy_type(symbol.dtype()))
