"""Taichi's element types: how LLVM writes them, and what manifests call them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kind", "kind_of", "numpy_of"]


class Kind(NamedTuple):
    """An element type."""

    #: As Taichi writes it: ``f32``, ``u1``.
    name: str
    #: As LLVM's IR has it.
    llvm: str
    #: Bytes of an element.
    size: int
    #: As manifests name it where it is the element of an array.
    dtype: str
    #: As manifests name the scalar that carries it.
    scalar: str

    @property
    def numpy(self) -> np.dtype[Any]:
        return _NUMPY[self.dtype]


_NUMPY = {
    name: np.dtype(code)
    for name, code in {
        "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8",
        "f16": "f2", "f32": "f4", "f64": "f8", "bool": "?",
    }.items()
}  # fmt: skip

_KINDS = {
    kind.name: kind
    for kind in (
        Kind("u1", "i1", 1, "bool", "bool"),
        Kind("i8", "i8", 1, "i8", "i32"),
        Kind("u8", "i8", 1, "u8", "u32"),
        Kind("i16", "i16", 2, "i16", "i32"),
        Kind("u16", "i16", 2, "u16", "u32"),
        Kind("i32", "i32", 4, "i32", "i32"),
        Kind("u32", "i32", 4, "u32", "u32"),
        Kind("i64", "i64", 8, "i64", "i64"),
        Kind("u64", "i64", 8, "u64", "u64"),
        Kind("f16", "half", 2, "f16", "f32"),
        Kind("f32", "float", 4, "f32", "f32"),
        Kind("f64", "double", 8, "f64", "f64"),
    )
}


def kind_of(dtype: Any) -> Kind | None:
    """The kind of a Taichi data type; ``None`` for those that have no place in arrays, such as quantised ones.

    Args:
        dtype: A data type of Taichi's, or Python's ``int`` and ``float``, which stand for what ``ti.init`` says.
    """
    from taichi.lang.util import cook_dtype

    cooked = cook_dtype(dtype)
    return _KINDS.get(cooked.to_string())


def numpy_of(dtype: str) -> np.dtype[Any]:
    """NumPy's dtype of a manifest's."""
    return _NUMPY[dtype]
