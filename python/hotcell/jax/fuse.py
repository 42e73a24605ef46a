"""What a block's operations share: who uses a value, what nobody uses, what is computed twice, and what one loop can do.

An elementwise value that several operations use need not lie in memory if all of them end up in one loop, in which it is computed once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .module import Block, Op, Value

#: Operations of which an element needs the elements at the same index of operands of the same shape.
ELEMENTWISE = frozenset(["abs", "add", "and", "atan2", "cbrt", "ceil", "clamp", "compare", "complex", "convert", "cosine", "count_leading_zeros", "divide", "exponential", "exponential_minus_one", "floor", "imag", "is_finite", "log", "log_plus_one", "logistic", "maximum", "minimum", "multiply", "negate", "not", "or", "popcnt", "power", "real", "reduce_precision", "remainder", "round_nearest_afz", "round_nearest_even", "rsqrt", "select", "shift_left", "shift_right_arithmetic", "shift_right_logical", "sign", "sine", "sqrt", "subtract", "tan", "tanh", "xor", "erf", "erfc", "erf_inv", "lgamma", "digamma", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "bessel_i1e", "next_after", "polygamma", "zeta", "bitcast_convert", "optimization_barrier"])  # fmt: skip
#: Operations that do something besides giving values.
_HAVE_EFFECTS = frozenset({"custom_call"})


def captured(op: Op) -> list[Value]:
    """The values from outside that an operation's blocks use, once each."""
    inside: set[Value] = set()
    found: dict[Value, None] = {}

    def walk(block: Block) -> None:
        inside.update(block.arguments)
        for one in block.ops:
            for value in one.operands:
                if value not in inside:
                    found[value] = None
            for nested in one.blocks:
                walk(nested)
            inside.update(one.results)
        for value in block.results:
            if value not in inside:
                found[value] = None

    for block in op.blocks:
        walk(block)
    return list(found)


def simplify(block: Block, outer: dict[Any, list[Value]] | None = None) -> None:
    """Leaves out what is computed twice or for nobody, here and in nested blocks."""
    known: dict[Any, list[Value]] = dict(outer or {})
    same: dict[Value, Value] = {}
    kept: list[Op] = []
    for op in block.ops:
        _replace(op, same)
        key = _key(op)
        if key is not None and key in known:
            same.update(zip(op.results, known[key], strict=True))
            continue
        if key is not None:
            known[key] = op.results
        for nested in op.blocks:
            simplify(nested, known)
        kept.append(op)
    block.results = [same.get(value, value) for value in block.results]
    block.ops = _needed(kept, block.results)


def _replace(op: Op, same: dict[Value, Value]) -> None:
    if not same:
        return
    op.operands = [same.get(value, value) for value in op.operands]
    for block in op.blocks:
        for one in block.ops:
            _replace(one, same)
        block.results = [same.get(value, value) for value in block.results]


def _key(op: Op) -> Any:
    if op.blocks or op.name in _HAVE_EFFECTS:
        return None
    attributes = tuple((name, _hashable(value)) for name, value in sorted(op.attributes.items()))
    return (op.name, tuple(op.operands), attributes, tuple(result.type for result in op.results))


def _hashable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.tobytes(), value.shape, str(value.dtype))
    return repr(value)


def _needed(ops: list[Op], results: Iterable[Value]) -> list[Op]:
    wanted = set(results)
    kept = []
    for op in reversed(ops):
        if any(result in wanted for result in op.results) or not op.results:
            wanted.update(op.operands)
            wanted.update(captured(op))
            kept.append(op)
    return kept[::-1]


class Uses:
    """Who uses the values of a block, and in which loops elementwise values end up."""

    def __init__(self, block: Block) -> None:
        self.counts: dict[Value, int] = {}
        self.of_op: dict[Op, list[Value]] = {}
        users: dict[Value, list[Any]] = {}
        for op in block.ops:
            used = [*op.operands, *captured(op)]
            self.of_op[op] = used
            for value in used:
                self.counts[value] = self.counts.get(value, 0) + 1
                users.setdefault(value, []).append(op)
        for at, value in enumerate(block.results):
            self.counts[value] = self.counts.get(value, 0) + 1
            users.setdefault(value, []).append(("result", at))
        self.users = users
        self._ends: dict[Op, Any] = {}
        for op in reversed(block.ops):
            self._ends[op] = self._end(op)

    def _end(self, op: Op) -> Any:
        """The loop that an operation's elements are computed in if it is not stored; of several there is its own."""
        if op.name not in ELEMENTWISE or len(op.results) != 1:
            return op
        shape = op.results[0].type.shape
        ends = {self._end_of_use(user, shape) for user in self.users.get(op.results[0], [])}
        return ends.pop() if len(ends) == 1 else op

    def _end_of_use(self, user: Any, shape: tuple[Any, ...]) -> Any:
        if isinstance(user, tuple):
            return user
        if user.name in ELEMENTWISE and len(user.results) == 1 and user.results[0].type.shape == shape:
            return self._ends[user]
        return user

    def ends_in_one_loop(self, value: Value) -> bool:
        """Whether all that use an elementwise value do so in one loop, at the same index."""
        users = self.users.get(value, [])
        if any(not isinstance(user, tuple) and user.name not in ELEMENTWISE and user.name != "reduce" for user in users):
            return False
        return len({self._end_of_use(user, value.type.shape) for user in users}) <= 1
