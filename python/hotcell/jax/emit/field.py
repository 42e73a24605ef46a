"""Arithmetic on elements of a float or complex type, for algorithms that serve both."""

from __future__ import annotations

from ..builder import Code, Scalar, literal
from ..types import LLVM, PART, is_complex
from . import complex as on_complex
from . import scalar


class Field:
    """Numbers of one type in one function."""

    def __init__(self, code: Code, dtype: str) -> None:
        self.code = code
        self.dtype = dtype
        self.part = PART.get(dtype, dtype)
        self.kind = LLVM[self.part]
        self.zero: Scalar = literal(0, dtype)
        self.one: Scalar = literal(1, dtype)

    def _two(self, name: str, a: Scalar, b: Scalar) -> Scalar:
        if is_complex(self.dtype):
            return on_complex.apply(self.code, name, [a, b], self.part)
        return scalar.apply(self.code, name, [a, b], self.dtype)

    def add(self, a: Scalar, b: Scalar) -> Scalar:
        return self._two("add", a, b)

    def sub(self, a: Scalar, b: Scalar) -> Scalar:
        return self._two("subtract", a, b)

    def mul(self, a: Scalar, b: Scalar) -> Scalar:
        return self._two("multiply", a, b)

    def div(self, a: Scalar, b: Scalar) -> Scalar:
        return self._two("divide", a, b)

    def sum(self, a: Scalar, b: Scalar) -> Scalar:
        """A sum that may be taken in another order."""
        if is_complex(self.dtype):
            return self.add(a, b)
        return self.code.value(f"fadd reassoc {self.kind} {a}, {b}")

    def neg(self, a: Scalar) -> Scalar:
        if is_complex(self.dtype):
            return tuple(self.code.value(f"fneg {self.kind} {one}") for one in a)
        return self.code.value(f"fneg {self.kind} {a}")

    def conj(self, a: Scalar) -> Scalar:
        return (a[0], self.code.value(f"fneg {self.kind} {a[1]}")) if is_complex(self.dtype) else a

    def real(self, a: Scalar) -> str:
        value: str = a[0] if is_complex(self.dtype) else a
        return value

    def of_real(self, a: str) -> Scalar:
        return (a, literal(0, self.part)) if is_complex(self.dtype) else a

    def square(self, a: Scalar) -> str:
        """The square of the absolute value."""
        if not is_complex(self.dtype):
            return self.code.value(f"fmul {self.kind} {a}, {a}")
        x, y = (self.code.value(f"fmul {self.kind} {one}, {one}") for one in a)
        return self.code.value(f"fadd {self.kind} {x}, {y}")

    def weight(self, a: Scalar) -> str:
        """What LAPACK chooses pivots by: the absolute values of the parts, summed."""
        if not is_complex(self.dtype):
            return scalar.intrinsic(self.code, "fabs", [a], self.part)
        x, y = (scalar.intrinsic(self.code, "fabs", [one], self.part) for one in a)
        return self.code.value(f"fadd {self.kind} {x}, {y}")

    def sqrt(self, a: str) -> str:
        return scalar.intrinsic(self.code, "sqrt", [a], self.part)

    def kinds(self) -> list[str]:
        return [self.kind] * (2 if is_complex(self.dtype) else 1)

    def parts(self, a: Scalar) -> list[str]:
        return list(a) if is_complex(self.dtype) else [a]

    def whole(self, parts: tuple[str, ...] | list[str]) -> Scalar:
        return tuple(parts) if is_complex(self.dtype) else parts[0]
