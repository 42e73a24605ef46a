"""Element types and shapes as the compiler sees them.

Element types have the manifest's names. A dimension is a number, or a :class:`Dim`: a polynomial in the signature's named dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotcell.errors import ImportRefused

#: MLIR's element types by the manifest's names.
FROM_MLIR = {
    "i1": "bool", "i8": "i8", "i16": "i16", "i32": "i32", "i64": "i64", "ui8": "u8", "ui16": "u16", "ui32": "u32", "ui64": "u64",
    "f16": "f16", "bf16": "bf16", "f32": "f32", "f64": "f64", "complex<f32>": "complex64", "complex<f64>": "complex128",
}  # fmt: skip
#: Bytes of an element in memory.
SIZE = {
    "bool": 1, "i8": 1, "u8": 1, "i16": 2, "u16": 2, "f16": 2, "bf16": 2, "i32": 4, "u32": 4, "f32": 4,
    "i64": 8, "u64": 8, "f64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip
#: What a value of the type is in LLVM; half precision is computed with as `float` that is rounded after each operation.
LLVM = {
    "bool": "i1", "i8": "i8", "u8": "i8", "i16": "i16", "u16": "i16", "f16": "float", "bf16": "float", "i32": "i32", "u32": "i32",
    "f32": "float", "i64": "i64", "u64": "i64", "f64": "double",
}  # fmt: skip
#: The same in memory, where it is another.
IN_MEMORY = {"bool": "i8", "f16": "i16", "bf16": "i16"}
#: The dtype of the parts of a complex number.
PART = {"complex64": "f32", "complex128": "f64"}
#: The scalars that a kernel takes by value.
BY_VALUE = ("bool", "i32", "u32", "i64", "u64", "f32", "f64")


def is_float(dtype: str) -> bool:
    return dtype in ("f16", "bf16", "f32", "f64")


def is_complex(dtype: str) -> bool:
    return dtype in PART


def is_signed(dtype: str) -> bool:
    return dtype in ("i8", "i16", "i32", "i64")


def bits(dtype: str) -> int:
    """The bits of a value of an integer type."""
    return 1 if dtype == "bool" else SIZE[dtype] * 8


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """NumPy's dtype of the name; bfloat16 is that of ``ml_dtypes``, which jax brings along."""
    if dtype == "bf16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    if dtype.startswith("complex") or dtype == "bool":
        return np.dtype(dtype)
    return np.dtype({"i": "int", "u": "uint", "f": "float"}[dtype[0]] + dtype[1:])


def dtype_name(dtype: Any) -> str:
    """The manifest's name of a NumPy dtype.

    Raises:
        ImportRefused: There is none.
    """
    name = str(np.dtype(dtype))
    names = {str(numpy_dtype(known)): known for known in SIZE}
    if name not in names:
        raise ImportRefused("the element type is not one of a kernel's", dtype=name, advice="convert it before")
    return names[name]


class Quotient(str):
    """A factor of a term: the whole part of a polynomial over a number. Two of the same text are the same."""

    whole: Dim
    part: int

    def __new__(cls, whole: Dim, part: int) -> Quotient:
        made = super().__new__(cls, f"(({whole})//{part})")
        made.whole, made.part = whole, part
        return made


class Positive(str):
    """A factor of a term: a polynomial, or 0 where that is less."""

    whole: Dim

    def __new__(cls, whole: Dim) -> Positive:
        made = super().__new__(cls, f"max(0, {whole})")
        made.whole = whole
        return made


class Dim:
    """A polynomial in named dimensions with whole coefficients, never a plain number: arithmetic gives numbers where it can.

    A factor of a term is the name of a dimension, a :class:`Quotient` or a :class:`Positive`; none is ever negative.
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[tuple[str, ...], int]) -> None:
        self.terms = tuple(sorted((names, factor) for names, factor in terms.items() if factor))

    @staticmethod
    def named(name: str) -> Dim:
        return Dim({(name,): 1})

    @property
    def name(self) -> str | None:
        """Its name where it is one named dimension."""
        match self.terms:
            case (((str() as name,), 1),) if not isinstance(name, (Quotient, Positive)):
                return name
        return None

    @property
    def names(self) -> set[str]:
        """The named dimensions that it depends on."""
        found: set[str] = set()
        for factors, _ in self.terms:
            for one in factors:
                found.update(one.whole.names if isinstance(one, (Quotient, Positive)) else [one])
        return found

    def __add__(self, other: Extent) -> Extent:
        return _made([*self.terms, *_terms(other)])

    def __mul__(self, other: Extent) -> Extent:
        return _made(
            (tuple(sorted(a + b)), x * y) for a, x in self.terms for b, y in _terms(other)
        )  # fmt: skip

    __radd__ = __add__
    __rmul__ = __mul__

    def __sub__(self, other: Extent) -> Extent:
        return self + other * -1

    def __rsub__(self, other: Extent) -> Extent:
        return self * -1 + other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __repr__(self) -> str:
        parts = ["*".join([*([str(f)] if f != 1 or not names else []), *names]) for names, f in self.terms]
        return " + ".join(parts)


#: An extent: a number, or a polynomial in named ones.
Extent = int | Dim
Shape = tuple[Extent, ...]


def _terms(extent: Extent) -> Iterable[tuple[tuple[str, ...], int]]:
    return extent.terms if isinstance(extent, Dim) else ((((), extent)),)


def _made(terms: Iterable[tuple[tuple[str, ...], int]]) -> Extent:
    total: dict[tuple[str, ...], int] = {}
    for names, factor in terms:
        total[names] = total.get(names, 0) + factor
    left = {names: factor for names, factor in total.items() if factor}
    if not left:
        return 0
    if set(left) == {()}:
        return left[()]
    return Dim(left)


def product(extents: Iterable[Extent]) -> Extent:
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def divided(whole: Extent, part: Extent) -> Extent:
    """The exact quotient.

    Raises:
        ImportRefused: It is none that the compiler sees.
    """
    if whole == part:
        return 1
    if isinstance(whole, int) and isinstance(part, int) and part and whole % part == 0:
        return whole // part
    divisor = list(_terms(part))
    if len(divisor) == 1 and divisor[0][1]:
        by, factor = divisor[0]
        quotient = []
        for names, amount in _terms(whole):
            left = list(names)
            for name in by:
                if name not in left:
                    break
                left.remove(name)
            else:
                if amount % factor == 0:
                    quotient.append((tuple(left), amount // factor))
                    continue
            break
        else:
            return _made(quotient)
    raise ImportRefused(f"{whole} / {part} is no extent that the compiler can tell", advice="give the shapes as numbers")


def floor_quotient(whole: Extent, part: int) -> Extent:
    """The whole part of an extent over a number that is greater than 0, rounded down."""
    if isinstance(whole, int):
        return whole // part
    outside = _made((names, factor // part) for names, factor in whole.terms)
    rest = _made((names, factor % part) for names, factor in whole.terms)
    return outside + (rest // part if isinstance(rest, int) else Dim({(Quotient(rest, part),): 1}))


def at_least_zero(extent: Extent) -> Extent:
    """The extent, or 0 where that is less."""
    if isinstance(extent, int):
        return max(extent, 0)
    return extent if _is_never_negative(extent) else Dim({(Positive(extent),): 1})


def _is_never_negative(extent: Extent) -> bool:
    """Whether that is seen. What is taken away is a quotient: it is at most what is divided, over the number."""
    if isinstance(extent, int):
        return extent >= 0
    for names, factor in extent.terms:
        if factor < 0:
            at = next((at for at, name in enumerate(names) if isinstance(name, Quotient)), None)
            if at is None:
                return False
            quotient = names[at]
            assert isinstance(quotient, Quotient)
            others = Dim({(*names[:at], *names[at + 1 :]): factor}) if len(names) > 1 else factor
            return _is_never_negative((extent + Dim({names: -factor})) * quotient.part + others * quotient.whole)
    return True


def is_static(shape: Iterable[Extent]) -> bool:
    return all(isinstance(extent, int) for extent in shape)


@dataclass(frozen=True)
class TensorType:
    """An element type and a shape, in which unknown extents are ``None`` until they are found out."""

    dtype: str
    shape: tuple[Any, ...]
