"""Calls to libraries by name: those of LAPACK that jaxlib makes on the CPU, and what only carries information."""

from __future__ import annotations

import re
from typing import Any

from ..module import Op
from ..program import Program, lowering
from ..tensor import Tensor
from . import linalg
from .shape import uniform

#: Targets that give their operands as they are.
_TRANSPARENT = frozenset({"Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "annotate_device_placement", "LayoutConstraint"})
#: What LAPACK has and the importer has not.
_MISSING = {
    "syevd": "eigenvalues of symmetric matrices", "heevd": "eigenvalues of Hermitian matrices", "gesdd": "singular values",
    "gesvd": "singular values", "geev": "eigenvalues", "gees": "the Schur form", "gehrd": "the Hessenberg form",
    "sytrd": "tridiagonal forms", "hetrd": "tridiagonal forms", "gtsv": "tridiagonal systems", "geqp3": "QR with pivots",
}  # fmt: skip


@lowering("custom_call")
def _custom_call(program: Program, op: Op) -> list[Tensor]:
    target = str(op.attributes.get("call_target_name", ""))
    how = op.attributes.get("mhlo.backend_config") or {}
    routine = re.fullmatch(r"lapack_[sdcz](\w+?)(?:_ffi)?", target)
    if routine:
        return _lapack(program, op, routine.group(1), how if isinstance(how, dict) else {})
    if target in _TRANSPARENT:
        return program.operands(op)
    if target == "shape_assertion":
        return []
    if target == "lu_pivots_to_permutation":
        raise op.refused("the permutation of pivots is a call to a library", "export the function for the CPU")
    op.name = f"custom_call @{target}"
    raise op.refused("it calls a library that a kernel has not", "use a function of jax.numpy that is not a call to a library, or compute it before")


def _lapack(program: Program, op: Op, name: str, how: dict[str, Any]) -> list[Tensor]:
    def letter(key: str) -> str:
        return chr(int(how[key])) if key in how else ""

    if name == "potrf":
        return linalg.cholesky(program, op, letter("uplo") == "L", clears=False)
    if name == "trsm":
        transposes = letter("trans_x")
        solution = linalg.solved(
            program, op, left=letter("side") == "L", lower=letter("uplo") == "L", unit=letter("diag") == "U",
            transposes=transposes in "TC", conjugates=transposes == "C",
        )  # fmt: skip
        return [solution, *(uniform(one.type.shape, one.type.dtype, "0") for one in op.results[1:])]
    if name == "getrf":
        return linalg.lu(program, op)
    if name == "geqrf":
        return linalg.qr(program, op)
    if name in ("orgqr", "ungqr"):
        return linalg.reflections_product(program, op)
    op.name = f"LAPACK's {name}"
    raise op.refused(f"{_MISSING.get(name, 'the routine')} cannot be computed in a kernel yet", "compute it before and pass the result")
