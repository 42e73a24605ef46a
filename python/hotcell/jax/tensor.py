"""Tensors while code is written: in memory, as a value of the driver, or as a recipe for one element that is followed where it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .builder import Code, Ix, Scalar
from .types import Extent, Shape, is_static, product


class Buffer:
    """Memory for elements: a part of the scratch block, a parameter, or a constant.

    Attributes:
        name: Its address in the driver.
        bytes: Its size.
        constant: Whether it is read-only data.
        placed: Whether the memory plan has to find it a place.
        depth: How deep in control flow it may be changed.
        first, last: The times between which it is used.
    """

    def __init__(self, name: str, bytes: Extent, *, constant: bool = False, placed: bool = True, depth: int = 0) -> None:
        self.name = name
        self.bytes = bytes
        self.constant = constant
        self.placed = placed
        self.depth = depth
        self.first: int | None = None
        self.last = 0


class Index:
    """An index of an element: its coordinates, or its place in C order; each is found from the other when it is asked for."""

    __slots__ = ("_flat", "_multi", "shape")

    def __init__(self, shape: Sequence[Ix], multi: Sequence[Ix] | None = None, flat: Ix | None = None) -> None:
        self.shape = list(shape)
        self._multi = None if multi is None else list(multi)
        self._flat = flat

    def multi(self, code: Code) -> list[Ix]:
        if self._multi is None:
            assert self._flat is not None
            key = ("multi", self._flat, *self.shape)
            found = code.remembered(key)
            if found is None:
                found = code.unlinear(self._flat, self.shape)
                code.remember(key, found)
            return list(found)
        return self._multi

    def flat(self, code: Code) -> Ix:
        if self._flat is None:
            assert self._multi is not None
            key = ("flat", *self._multi, *self.shape)
            found = code.remembered(key)
            if found is None:
                found = code.linear(self._multi, self.shape)
                code.remember(key, found)
            flat: Ix = found
            return flat
        return self._flat

    @property
    def key(self) -> tuple[Any, ...]:
        return ("m", *self._multi) if self._multi is not None else ("f", self._flat)


#: Gives the element at an index.
Recipe = Callable[[Code, Index], Scalar]


class Tensor:
    """A tensor.

    Attributes:
        buffer: Where it lies in memory, if it does.
        scalar: The driver's value of a tensor of rank 0, if there is one.
        recipe: How an element is computed, if it is.
        sources: The tensors that the recipe reads, each with whether at the same place in C order.
        cost: About how many operations an element takes.
        nodes: How many recipes are followed for an element.
        depth: How deep in control flow it was made.
    """

    __slots__ = ("buffer", "by_place", "cost", "depth", "dtype", "nodes", "recipe", "scalar", "shape", "sources")

    def __init__(
        self,
        shape: Shape,
        dtype: str,
        *,
        buffer: Buffer | None = None,
        scalar: Scalar | None = None,
        recipe: Recipe | None = None,
        sources: Sequence[tuple[Tensor, bool]] = (),
        cost: int = 0,
        by_place: bool = True,
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.buffer = buffer
        self.scalar = scalar
        self.recipe = recipe
        self.sources = tuple(sources)
        self.cost: int = cost + sum(source.cost for source, _ in sources if source.buffer is None)
        self.nodes: int = 1 + sum(source.nodes for source, _ in sources if source.buffer is None)
        #: Whether the recipe can follow a place in C order alone.
        self.by_place: bool = by_place and all(source.by_place or not same for source, same in sources)
        self.depth = 0

    @property
    def size(self) -> Extent:
        """The number of elements."""
        return product(self.shape)

    @property
    def is_static(self) -> bool:
        return is_static(self.shape)

    @property
    def is_cheap(self) -> bool:
        """Whether reading an element costs as little as from memory."""
        return self.buffer is not None or self.scalar is not None or self.cost <= 2

    def stored_in(self, buffer: Buffer) -> None:
        """From now on it lies in memory."""
        self.buffer = buffer
        self.recipe = None
        self.sources = ()
        self.cost = 0
        self.nodes = 1
        self.by_place = True

    def reads(self) -> set[Buffer]:
        """The memory that its elements are read from."""
        if self.buffer is not None:
            return {self.buffer}
        found: set[Buffer] = set()
        seen: set[int] = set()
        rest = list(self.sources)
        while rest:
            source, _ = rest.pop()
            if id(source) in seen:
                continue
            seen.add(id(source))
            if source.buffer is not None:
                found.add(source.buffer)
            else:
                rest.extend(source.sources)
        return found

    def reads_elsewhere(self) -> set[Buffer]:
        """The memory of which an element needs others than that at its own place."""
        found: set[Buffer] = set()
        for source, same in self.sources:
            found |= source.reads_elsewhere() if same else source.reads()
        return found


def read(code: Code, tensor: Tensor, index: Index) -> Scalar:
    """An element of a tensor."""
    if tensor.scalar is not None:
        return code.outer(tensor.scalar, tensor.dtype)
    key = (tensor, index.key)
    found = code.remembered(key)
    if found is None:
        if tensor.buffer is not None:
            found = code.load(code.pointer(tensor.buffer), index.flat(code), tensor.dtype)
        else:
            assert tensor.recipe is not None
            found = tensor.recipe(code, index)
        code.remember(key, found)
    return found


def read_at(code: Code, tensor: Tensor, multi: Sequence[Ix]) -> Scalar:
    """An element of a tensor by its coordinates."""
    return read(code, tensor, Index(code.extents(tensor.shape), multi=multi))


def read_scalar(code: Code, tensor: Tensor) -> Scalar:
    """The element of a tensor of rank 0."""
    return read(code, tensor, Index([], multi=[], flat=0))
