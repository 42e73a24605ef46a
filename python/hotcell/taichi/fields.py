"""Taichi's fields: which there are, what they are called, and where their elements lie.

Each child of a tree's root is a block of memory. A dense field's element lies in its block at a sum of strides: each dense node
contributes one for each of its axes. Copying a field is a nest of loops with a stride on each side, of which those that are next to each
other on both sides become one. A field that fills its block as an array would needs no copy: the array is the block.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

from .kinds import Kind, kind_of

__all__ = ["Copy", "Layout", "Loop", "Nodes", "block_bytes", "field_arrays", "layout_of", "named", "nodes_of"]


class Loop(NamedTuple):
    """A loop that copies: how often, and how many bytes on from one turn to the next."""

    extent: int
    array_stride: int
    block_stride: int


class Copy(NamedTuple):
    """A copy between an array and a block."""

    #: The node whose memory the block is.
    block: int
    #: Where it begins, in bytes.
    array: int
    offset: int
    #: Outermost first.
    loops: tuple[Loop, ...]
    #: The bytes that are next to each other on both sides.
    chunk: int


class Layout(NamedTuple):
    """A field as an array."""

    field: Any
    kind: Kind
    #: The array's extents: the field's, then those of a vector or a matrix.
    shape: tuple[int, ...]
    #: The nodes of its elements: one, or one for each component.
    places: tuple[int, ...]
    copies: tuple[Copy, ...]

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * self.kind.size

    def fills(self, block_bytes: int) -> bool:
        """Whether its array is a block of that many bytes as it is."""
        whole = Copy(self.copies[0].block, 0, 0, (), self.size_bytes)
        return self.copies == (whole,) and block_bytes == self.size_bytes


class Nodes(NamedTuple):
    """The structural nodes of the fields that are alive."""

    #: Taichi's nodes by their numbers.
    by_id: dict[int, Any]
    #: The field that an element's node belongs to.
    field_of: dict[int, Any]
    #: The number of the tree that a node is in.
    tree_of: dict[int, int]


def nodes_of() -> Nodes:
    """The nodes of all fields of the program that Taichi now has."""
    from taichi.lang.field import Field
    from taichi.lang.impl import get_runtime

    program = get_runtime().prog
    by_id: dict[int, Any] = {}
    tree_of: dict[int, int] = {}
    waiting = [(tree, program.get_snode_root(tree)) for tree in range(program.get_snode_tree_size())]
    while waiting:
        tree, node = waiting.pop()
        by_id[node.id], tree_of[node.id] = node, tree
        waiting += [(tree, node.get_ch(index)) for index in range(node.get_num_ch())]
    # Fields of an earlier program may be alive: what they say of their nodes is not to be asked.
    expressions = {node.get_expr().get_underlying_ptr_address(): node.id for node in by_id.values() if node.is_place()}
    field_of: dict[int, Any] = {}
    for field in [found for found in gc.get_objects() if isinstance(found, Field)]:
        members = getattr(field, "vars", None) or ()
        for member in members:
            place = expressions.get(member.ptr.get_underlying_ptr_address())
            if place is None:
                continue
            # A view of one component is a field too: the one with all components is meant.
            known = field_of.get(place)
            if known is None or len(known.vars) < len(members):
                field_of[place] = field
    return Nodes(by_id, field_of, tree_of)


def layout_of(field: Any) -> Layout | str:
    """A field as an array, or why it is none."""
    places = [member.ptr.snode() for member in field.vars]
    kind = kind_of(places[0].data_type())
    if kind is None:
        return f"a field of {places[0].data_type().to_string()}"
    shape, components = _shape(field)
    steps = [prod(shape[index + 1 :]) * kind.size for index in range(len(shape))]
    nests = []
    for index, place in enumerate(places):
        found = _nest(place, steps)
        if isinstance(found, str):
            return found
        block, offset, loops = found
        nests.append(Copy(block, index * kind.size, offset, tuple(loops), kind.size))
    if components > 1 and len(nests) > 1:
        nests = _joined(nests)
    return Layout(field, kind, shape, tuple(place.id for place in places), tuple(_simple(nest) for nest in nests))


def block_bytes(node: Any) -> int:
    """The bytes of a root's child."""
    kind = kind_of(node.data_type()) if node.is_place() else None
    return kind.size if kind is not None else prod(_totals(node).values()) * int(node.cell_size_bytes)


def _shape(field: Any) -> tuple[tuple[int, ...], int]:
    from taichi.lang.matrix import MatrixField

    outer = tuple(int(extent) for extent in field.shape)
    if not isinstance(field, MatrixField):
        return outer, 1
    inner = (field.n,) if getattr(field, "ndim", 2) == 1 else (field.n, field.m)
    return (*outer, *inner), prod(inner)


def _nest(place: Any, steps: list[int]) -> tuple[int, int, list[Loop]] | str:
    """The block of a place's elements, where in it they begin, and the loops over them, outermost first."""
    axes = [axis for axis in place.get_physical_index_position() if axis >= 0]
    array_step = dict(zip(axes, steps, strict=False))
    loops: list[Loop] = []
    offset, node = 0, place
    while node.parent.parent is not None:
        offset += int(node.offset_bytes_in_parent_cell)
        node = node.parent
        if str(node.type) != "SNodeType.dense":
            return f"a field below a {str(node.type).rpartition('.')[2]} node"
        totals, above = _totals(node), _totals(node.parent)
        stride = int(node.cell_size_bytes)
        for axis in sorted(totals, reverse=True):
            extent = totals[axis] // above.get(axis, 1)
            loops.insert(0, Loop(extent, array_step.get(axis, 0), stride))
            stride *= extent
            array_step[axis] = array_step.get(axis, 0) * extent
    return node.id, offset, loops


def _totals(node: Any) -> dict[int, int]:
    """How many elements there are along each axis down to a node."""
    axes = [axis for axis in node.get_physical_index_position() if axis >= 0]
    return {axis: node.get_shape_along_axis(index) for index, axis in enumerate(axes)}


def _joined(nests: list[Copy]) -> list[Copy]:
    """Components that lie at equal distances become one more loop."""
    first = nests[0]
    distances = {later.offset - earlier.offset for earlier, later in pairwise(nests)}
    if len(distances) != 1 or any((nest.loops, nest.block) != (first.loops, first.block) for nest in nests):
        return nests
    return [first._replace(loops=(*first.loops, Loop(len(nests), first.chunk, distances.pop())))]


def _simple(copy: Copy) -> Copy:
    """The same copy with as few loops as there can be."""
    chunk = copy.chunk
    kept: list[Loop] = []
    for loop in sorted((loop for loop in copy.loops if loop.extent != 1), key=lambda loop: (loop.block_stride, loop.array_stride)):
        last = kept[-1] if kept else None
        if last is None and loop.block_stride == chunk == loop.array_stride:
            chunk *= loop.extent
        elif last is not None and loop[1:] == (last.array_stride * last.extent, last.block_stride * last.extent):
            kept[-1] = last._replace(extent=last.extent * loop.extent)
        else:
            kept.append(loop)
    return copy._replace(loops=tuple(reversed(kept)), chunk=chunk)


def field_arrays(places: Iterable[int], nodes: Nodes) -> list[Any]:
    """The fields that places belong to, each once."""
    found: dict[int, Any] = {}
    for place in places:
        field = nodes.field_of[place]
        found[id(field)] = field
    return list(found.values())


def named(wanted: Mapping[int, Any], owner: Any, function: Any, arguments: Mapping[str, Any]) -> dict[int, str]:
    """What the author calls fields: by ``id``, the names under which the kernel finds them.

    Args:
        wanted: The fields by their ``id``.
        owner: The object whose method the kernel is.
        function: The kernel's function.
        arguments: The arguments by their names.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    for name, found in _reachable(owner, function, arguments):
        if id(found) in wanted and id(found) not in names:
            unique, count = name, 2
            while unique in taken:
                unique, count = f"{name}_{count}", count + 1
            names[id(found)] = unique
            taken.add(unique)
    return names


def _reachable(owner: Any, function: Any, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    closure = getattr(function, "__closure__", None) or ()
    cells = zip(function.__code__.co_freevars, closure, strict=False)
    scopes: list[Mapping[str, Any]] = [arguments]
    if owner is not None:
        scopes.append(getattr(owner, "__dict__", {}))
    scopes.append({name: cell.cell_contents for name, cell in cells if _is_filled(cell)})
    scopes.append({name: value for name, value in function.__globals__.items() if not name.startswith("__")})
    for scope in scopes:
        for name, value in list(scope.items()):
            yield from _fields_of(name, value, 2)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _fields_of(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    from taichi.lang.field import Field
    from taichi.lang.struct import StructField

    if isinstance(value, StructField):
        for key in value.keys:
            yield from _fields_of(f"{name}_{key}", value.get_member_field(key), depth)
    elif isinstance(value, Field):
        yield name, value
        for suffix in ("grad", "dual"):
            other = getattr(value, suffix, None)
            if isinstance(other, Field):
                yield f"{name}_{suffix}", other
    elif depth and isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _fields_of(f"{name}_{index}", one, depth - 1)
    elif depth and isinstance(value, dict):
        for key, one in value.items():
            yield from _fields_of(f"{name}_{key}", one, depth - 1)
    elif depth and getattr(type(value), "_data_oriented", False):
        for key, one in value.__dict__.items():
            yield from _fields_of(f"{name}_{key}", one, depth - 1)
