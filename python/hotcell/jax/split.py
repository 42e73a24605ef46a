"""Whether a launch may be cut along a dimension: the proof that no operation mixes what belongs to different indices of it.

The dimension has to be the first of every array that has it, all the way through. What an operation does with the others is its own matter;
reducing, contracting, sorting, slicing, reversing, counting or looking up along it is not allowed, and neither is its extent as a number.
"""

from __future__ import annotations

from collections.abc import Callable

from hotcell.errors import ImportRefused

from .fuse import ELEMENTWISE
from .module import Block, Op, Value
from .types import Dim, Shape

#: Operands from this one on are shapes, and not elements.
_SHAPE_OPERANDS = {
    "dynamic_broadcast_in_dim": 1, "dynamic_reshape": 1, "dynamic_iota": 0, "real_dynamic_slice": 1, "dynamic_pad": 2, "dynamic_gather": 2,
    "dynamic_conv": 2, "dynamic_reduce_window": 2,
}  # fmt: skip


def check_split(block: Block, shape_of: Callable[[Value], Shape], split: str) -> None:
    """See that a function may be cut along a dimension.

    Args:
        block: The function.
        shape_of: The shape of each of its values.
        split: The dimension's name.

    Raises:
        ImportRefused: It may not, or that is not seen.
    """
    proof = _Proof(shape_of, split)
    for value in block.arguments:
        proof.leads(value)
    proof.block(block)
    for value in block.results:
        if not proof.leads(value):
            raise ImportRefused(f"a result does not begin with the dimension {split}", advice="leave split= out")
        proof.no_extent(value, None)


class _Proof:
    def __init__(self, shape_of: Callable[[Value], Shape], split: str) -> None:
        self.shape_of = shape_of
        self.split = split
        self.dim = Dim.named(split)
        #: Numbers that the extent went into.
        self.extents: set[Value] = set()

    def leads(self, value: Value) -> bool:
        """Whether a value begins with the dimension.

        Raises:
            ImportRefused: It has it elsewhere.
        """
        shape = self.shape_of(value)
        found = [axis for axis, extent in enumerate(shape) if isinstance(extent, Dim) and self.split in extent.names]
        if found and (found != [0] or shape[0] != self.dim):
            where = value.op.source if value.op else ""
            raise ImportRefused(f"an array has the dimension {self.split} not as its first", source=where, advice="leave split= out")
        return bool(found)

    def no_extent(self, value: Value, op: Op | None) -> None:
        if value in self.extents:
            reason = f"the extent of {self.split} is used as a number, which a chunk does not know"
            raise op.refused(reason, "leave split= out") if op else ImportRefused(reason, advice="leave split= out")

    def block(self, block: Block) -> None:
        for op in block.ops:
            for inner in op.blocks:
                if op.name in ("while", "case", "if"):
                    self.block(inner)
            self.op(op)

    def op(self, op: Op) -> None:
        if op.name == "get_dimension_size":
            if self.leads(op.operands[0]) and int(op.attributes["dimension"]) == 0:
                self.extents.update(op.results)
            return
        cut = _SHAPE_OPERANDS.get(op.name, len(op.operands))
        elements = op.operands[:cut]
        leading = [self.leads(value) for value in elements]
        made = [self.leads(value) for value in op.results]
        if any(leading) or any(made):
            for value in elements:
                self.no_extent(value, op)
            if not self.allowed(op, leading, made):
                raise op.refused(f"it mixes indices of the dimension {self.split}, so that launches cannot be cut along it", "leave split= out")
        elif any(value in self.extents for value in op.operands):
            self.extents.update(op.results)

    def allowed(self, op: Op, leading: list[bool], made: list[bool]) -> bool:
        name = op.name
        if name in ELEMENTWISE or name in ("while", "case", "if", "constant"):
            return True
        if name in ("reshape", "dynamic_reshape"):
            return leading[0] == made[0]
        if name in ("broadcast_in_dim", "dynamic_broadcast_in_dim"):
            return not leading[0] or op.ints("broadcast_dimensions")[0] == 0
        if name == "transpose":
            return op.ints("permutation")[0] == 0
        if name in ("iota", "dynamic_iota"):
            return int(op.attributes["iota_dimension"]) != 0
        if name in ("slice", "real_dynamic_slice"):
            return leading[0] == made[0]
        if name == "pad":
            return all(op.ints(key)[0] == 0 for key in ("edge_padding_low", "edge_padding_high", "interior_padding"))
        if name == "concatenate":
            return int(op.attributes["dimension"]) != 0
        if name == "reverse":
            return 0 not in op.ints("dimensions")
        if name == "reduce":
            return 0 not in op.ints("dimensions")
        if name == "reduce_window":
            padding = op.ints("padding", [0, 0])
            ones = [1]
            plain = all(op.ints(key, ones)[0] == 1 for key in ("window_strides", "base_dilations", "window_dilations"))
            return plain and op.ints("window_dimensions")[0] == 1 and padding[:2] == [0, 0]
        if name == "sort":
            return int(op.attributes["dimension"]) != 0
        if name == "top_k":
            return len(self.shape_of(op.operands[0])) > 1
        if name == "fft":
            return len(self.shape_of(op.operands[0])) > len(op.ints("fft_length"))
        if name == "dot_general":
            return self._product(op, leading)
        if name in ("gather", "dynamic_gather"):
            return leading[:2] == [False, True] and made[0]
        if name in ("convolution", "dynamic_conv"):
            return leading == [True, False] and str(op.attributes["dimension_numbers"]).startswith("[b,")
        return False

    def _product(self, op: Op, leading: list[bool]) -> bool:
        numbers = op.attributes["dot_dimension_numbers"]
        batch = [numbers.get(f"{side}_batching_dimensions", []) for side in ("lhs", "rhs")]
        inner = [numbers.get(f"{side}_contracting_dimensions", []) for side in ("lhs", "rhs")]
        if any(leads and 0 in axes for leads, axes in zip(leading, inner, strict=True)):
            return False
        if all(leading):
            return [axes[:1] for axes in batch] == [[0], [0]]
        # A left factor's own rows come first where there is no batch.
        return leading[0] and (not batch[0] or batch[0][0] == 0)
