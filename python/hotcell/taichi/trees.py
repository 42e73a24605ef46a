"""Fields placed anew: what of a Taichi program is in its fields, taken down before it ends, and built again in the one that follows it.

The Python objects of fields stay what they are, so that kernels, and objects that have fields, need not know: what is exchanged is what they
have of Taichi's. What has anything but dense nodes and elements of whole bytes below a root is left out, for nothing that uses it is imported.

A tree becomes one buffer. What is used of it is parted from what is not, which then goes to no device; and if there are few of them, the
nodes below a root become trees of their own, whose memory is then often just a field's array.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from .kinds import kind_of

__all__ = ["Tree", "parted", "placed", "trees_of"]


class _Node(NamedTuple):
    """A dense node, or an element."""

    #: Taichi's number of the node that it is of.
    id: int
    #: A dense node's extents by its axes; ``None`` for an element.
    extents: dict[int, int] | None
    children: list[_Node]
    #: An element's type, the Python objects that stand for it, and where its indices begin.
    dtype: Any = None
    members: tuple[Any, ...] = ()
    offset: tuple[int, ...] = ()
    is_primal: bool = True


class Tree(NamedTuple):
    """A tree's children, and what is said of its fields besides."""

    children: list[_Node]
    #: The members of gradients and duals, by the ``id`` of the member that they are of.
    gradients: dict[int, tuple[Any, Any]]
    #: Its fields of matrices and vectors.
    matrices: list[Any]


def trees_of() -> list[Tree]:
    """The trees of all fields of the program that Taichi now has, but for what is left out."""
    from taichi.lang.field import Field
    from taichi.lang.impl import get_runtime
    from taichi.lang.matrix import MatrixField

    program = get_runtime().prog
    fields = [found for found in gc.get_objects() if isinstance(found, Field) and getattr(found, "vars", None)]
    trees = []
    for number in range(program.get_snode_tree_size()):
        root = program.get_snode_root(number)
        places: dict[int, Any] = {}
        _collect(root, places)
        mine: dict[int, list[Any]] = {}
        gradients: dict[int, tuple[Any, Any]] = {}
        matrices = []
        for field in fields:
            if field.vars[0].ptr.get_underlying_ptr_address() not in places:
                continue
            if isinstance(field, MatrixField):
                matrices.append(field)
            for index, member in enumerate(field.vars):
                known = mine.setdefault(member.ptr.get_underlying_ptr_address(), [])
                if not any(one is member for one in known):
                    known.append(member)
                if field.grad is not None or field.dual is not None:
                    others = (None if other is None else other.vars[index] for other in (field.grad, field.dual))
                    gradients[id(member)] = tuple(others)  # type: ignore[assignment]
        children = [_taken(root.get_ch(index), {}, mine) for index in range(root.get_num_ch())]
        kept = [child for child in children if child is not None]
        if kept:
            trees.append(_tree(kept, gradients, matrices))
    return trees


def _tree(children: list[_Node], gradients: dict[int, tuple[Any, Any]], matrices: Sequence[Any]) -> Tree:
    members = {id(member) for child in children for member in _members(child)}
    return Tree(children, gradients, [field for field in matrices if id(field.vars[0]) in members])


def _members(node: _Node) -> Iterator[Any]:
    yield from node.members
    for child in node.children:
        yield from _members(child)


def _collect(node: Any, into: dict[int, Any]) -> None:
    if node.is_place():
        into[node.get_expr().get_underlying_ptr_address()] = node
    for index in range(node.get_num_ch()):
        _collect(node.get_ch(index), into)


def _taken(node: Any, above: dict[int, int], members: dict[int, list[Any]]) -> _Node | None:
    """A node as it is to be built again; ``None`` if it is of a kind that is left out."""
    if node.is_place():
        if kind_of(node.data_type()) is None:
            return None
        mine = tuple(members.get(node.get_expr().get_underlying_ptr_address(), ()))
        return _Node(node.id, None, [], node.data_type(), mine, tuple(node.offset), node.is_primal())
    if str(node.type) != "SNodeType.dense":
        return None
    axes = [axis for axis in node.get_physical_index_position() if axis >= 0]
    totals = {axis: node.get_shape_along_axis(index) for index, axis in enumerate(axes)}
    extents = {axis: total // above.get(axis, 1) for axis, total in totals.items() if axis not in above or total != above[axis]}
    children = [_taken(node.get_ch(index), totals, members) for index in range(node.get_num_ch())]
    kept = [child for child in children if child is not None]
    return _Node(node.id, extents, kept) if len(kept) == len(children) else None


def parted(trees: Sequence[Tree], used: Collection[int], most: int) -> list[Tree]:
    """The same nodes, those that are used in trees without the others.

    Args:
        trees: As the program has them.
        used: The numbers of the nodes below roots that are used.
        most: How many trees there may be of those; where more are needed each tree stays together, but for what is not used.
    """
    groups = [_groups(tree) for tree in trees]
    wanted = [[group for group in found if any(child.id in used for child in group)] for found in groups]
    if sum(map(len, wanted)) > most:
        wanted = [[[child for group in found for child in group]] if found else [] for found in wanted]
    made = []
    for tree, found in zip(trees, wanted, strict=True):
        taken = {child.id for group in found for child in group}
        rest = [child for child in tree.children if child.id not in taken]
        made += [_tree(children, tree.gradients, tree.matrices) for children in (*found, rest) if children]
    return made


def _groups(tree: Tree) -> list[list[_Node]]:
    """Nodes below a root that have to stay together: a vector's components may be at a distance that is counted on."""
    groups = [[child] for child in tree.children]
    for field in tree.matrices:
        mine = {id(member) for member in field.vars}
        touched = [group for group in groups if any(id(member) in mine for child in group for member in _members(child))]
        groups = [group for group in groups if group not in touched] + [[child for group in touched for child in group]]
    return groups


def placed(trees: Sequence[Tree]) -> list[Any]:
    """Build trees in the program that Taichi has now.

    Returns:
        Taichi's root of each.
    """
    import taichi as ti
    from taichi._lib import core
    from taichi.lang.impl import get_runtime

    runtime = get_runtime()
    roots = []
    # A gradient may be in another tree than what it is of.
    for tree in trees:
        _renew(tree)
    for tree in trees:
        builder = ti.FieldsBuilder()
        builder.empty = False
        for child in tree.children:
            _build(child, builder.root.ptr)
        for field in tree.matrices:
            field.ptr = core.expr_matrix_field([member.ptr for member in field.vars], [field.n, field.m][: field.ndim])
            runtime.matrix_fields.append(field)
        builder.finalize(raise_warning=False)
        roots.append(builder.root.ptr)
    return roots


def _renew(tree: Tree) -> None:
    """New expressions for the members of a tree's fields."""
    from taichi.lang import impl

    waiting = list(tree.children)
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if node.extents is not None or not node.is_primal or not node.members:
            continue
        primal, gradient, dual = impl.create_field_member(node.dtype, "", False, False)
        for member in node.members:
            member.ptr = primal.ptr
            for other, made in zip(tree.gradients.get(id(member), (None, None)), (gradient, dual), strict=True):
                if other is not None and made is not None:
                    other.ptr = made.ptr


def _build(node: _Node, parent: Any) -> None:
    from taichi._lib import core

    if node.extents is None:
        member = node.members[0] if node.members else _nobodys(node.dtype)
        parent.place(member.ptr, node.offset, -1)
        return
    axes = [core.Axis(axis) for axis in node.extents]
    made = parent.dense(axes, list(node.extents.values()), core.DebugInfo(""))
    for child in node.children:
        _build(child, made)


def _nobodys(dtype: Any) -> Any:
    """An element that no Python object stands for any more."""
    from taichi.lang import impl

    return impl.create_field_member(dtype, "", False, False)[0]
