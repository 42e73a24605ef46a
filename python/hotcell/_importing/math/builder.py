"""Writes LLVM IR of one function by operations on values.

Whoever gives a function's formula does so in Python with `Value`s: `x * 2.0 + y` appends two instructions to the
`Builder`'s body. There are no fast-math flags and no fused multiplications, so every target gives the same bits.
A constant is written to its last bit.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Number: TypeAlias = "int | float"
Operand: TypeAlias = "Value | int | float"

#: The integer of a floating-point type's width.
INTEGER = {"float": "i32", "double": "i64"}
#: The IR's name of a type that the library's symbols name.
IR_TYPE = {"f32": "float", "f64": "double"}
SHORT = {"float": "f32", "double": "f64"}


def single(value: float) -> float:
    """The nearest float32, as Python's float."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def literal(value: Number, type_: str) -> str:
    """A constant in the IR's text, exact to its last bit."""
    if type_ in INTEGER:
        number = single(float(value)) if type_ == "float" else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    assert isinstance(value, int), (value, type_)
    if type_ == "i1":
        return "true" if value else "false"
    width = int(type_[1:])
    value &= (1 << width) - 1
    return str(value - (1 << width) if value >> (width - 1) else value)


@dataclass(frozen=True)
class Value:
    """A value of the function that is being written: its type, and its name or constant in the IR."""

    builder: Builder
    type: str
    text: str

    @property
    def is_float(self) -> bool:
        return self.type in INTEGER

    def _binary(self, floating: str, integer: str, other: Operand, swapped: bool = False) -> Value:
        return self.builder.binary(floating if self.is_float else integer, self, other, swapped)

    def __add__(self, other: Operand) -> Value:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: Operand) -> Value:
        return self._binary("fadd", "add", other, swapped=True)

    def __sub__(self, other: Operand) -> Value:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self._binary("fsub", "sub", other, swapped=True)

    def __mul__(self, other: Operand) -> Value:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: Operand) -> Value:
        return self._binary("fmul", "mul", other, swapped=True)

    def __truediv__(self, other: Operand) -> Value:
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self._binary("fdiv", "sdiv", other, swapped=True)

    def __and__(self, other: Operand) -> Value:
        return self.builder.binary("and", self, other)

    def __or__(self, other: Operand) -> Value:
        return self.builder.binary("or", self, other)

    def __xor__(self, other: Operand) -> Value:
        return self.builder.binary("xor", self, other)

    def __lshift__(self, other: Operand) -> Value:
        return self.builder.binary("shl", self, other)

    def __rshift__(self, other: Operand) -> Value:
        """A logical shift: bits that come in are 0."""
        return self.builder.binary("lshr", self, other)

    def ashr(self, other: Operand) -> Value:
        """An arithmetic shift: bits that come in are the sign's."""
        return self.builder.binary("ashr", self, other)

    def __neg__(self) -> Value:
        if self.is_float:
            return self.builder.append(self.type, f"fneg {self.type} {self.text}")
        return 0 - self

    def __invert__(self) -> Value:
        return self ^ (1 if self.type == "i1" else -1)

    def _compare(self, floating: str, integer: str, other: Operand) -> Value:
        operation = f"fcmp {floating}" if self.is_float else f"icmp {integer}"
        right = self.builder.operand(other, self.type)
        return self.builder.append("i1", f"{operation} {self.type} {self.text}, {right.text}")

    def lt(self, other: Operand) -> Value:
        return self._compare("olt", "slt", other)

    def le(self, other: Operand) -> Value:
        return self._compare("ole", "sle", other)

    def gt(self, other: Operand) -> Value:
        return self._compare("ogt", "sgt", other)

    def ge(self, other: Operand) -> Value:
        return self._compare("oge", "sge", other)

    def eq(self, other: Operand) -> Value:
        return self._compare("oeq", "eq", other)

    def ne(self, other: Operand) -> Value:
        return self._compare("une", "ne", other)

    def ult(self, other: Operand) -> Value:
        """Of integers: less, as numbers without a sign."""
        return self._compare("", "ult", other)

    def is_nan(self) -> Value:
        return self._compare("uno", "", self)

    def select(self, then: Operand, otherwise: Operand) -> Value:
        """`then` where this condition holds, else `otherwise`; at least one of them is a Value."""
        return self.builder.select(self, then, otherwise)


@dataclass
class Builder:
    """The body of one function, and the names of the library's functions that it calls."""

    arguments: Sequence[str]
    lines: list[str] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    count: int = 0

    def argument(self, index: int) -> Value:
        return Value(self, self.arguments[index], f"%a{index}")

    def name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def append(self, type_: str, instruction: str) -> Value:
        name = self.name()
        self.lines.append(f"  {name} = {instruction}")
        return Value(self, type_, name)

    def constant(self, value: Number, type_: str) -> Value:
        return Value(self, type_, literal(value, type_))

    def operand(self, value: Operand, type_: str) -> Value:
        if isinstance(value, Value):
            assert value.type == type_, (value.type, type_)
            return value
        return self.constant(value, type_)

    def binary(self, operation: str, left: Value, right: Operand, swapped: bool = False) -> Value:
        other = self.operand(right, left.type)
        first, second = (other, left) if swapped else (left, other)
        return self.append(left.type, f"{operation} {left.type} {first.text}, {second.text}")

    def select(self, condition: Value, then: Operand, otherwise: Operand) -> Value:
        type_ = next(value.type for value in (then, otherwise) if isinstance(value, Value))
        left, right = self.operand(then, type_), self.operand(otherwise, type_)
        return self.append(type_, f"select i1 {condition.text}, {type_} {left.text}, {type_} {right.text}")

    def cast(self, operation: str, value: Value, to: str) -> Value:
        return value if value.type == to else self.append(to, f"{operation} {value.type} {value.text} to {to}")

    def bits(self, value: Value) -> Value:
        """A float's bits as an integer."""
        return self.cast("bitcast", value, INTEGER[value.type])

    def of_bits(self, value: Value) -> Value:
        """The float that an integer's bits are."""
        return self.cast("bitcast", value, "float" if value.type == "i32" else "double")

    def widened(self, value: Value) -> Value:
        """As double."""
        return self.cast("fpext", value, "double")

    def narrowed(self, value: Value) -> Value:
        """As float, rounded to nearest."""
        return self.cast("fptrunc", value, "float")

    def intrinsic(self, name: str, *values: Value) -> Value:
        """One of LLVM's, of which WebAssembly has an instruction or a short form; the reader declares it by itself."""
        type_ = values[0].type
        listed = ", ".join(f"{value.type} {value.text}" for value in values)
        return self.append(type_, f"call {type_} @llvm.{name}.{SHORT[type_]}({listed})")

    def abs(self, value: Value) -> Value:
        return self.intrinsic("fabs", value)

    def sqrt(self, value: Value) -> Value:
        return self.intrinsic("sqrt", value)

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        return self.intrinsic("copysign", magnitude, sign)

    def call(self, name: str, *values: Value, type_: str = "") -> Value:
        """A function of the library, of the values' own type, and of a result of that type unless another is given."""
        symbol = f"hotcell.{name}.{SHORT[values[0].type]}"
        if symbol not in self.called:
            self.called.append(symbol)
        listed = ", ".join(f"{value.type} {value.text}" for value in values)
        result = type_ or values[0].type
        return self.append(result, f"call {result} @{symbol}({listed})")

    def horner(self, x: Value, coefficients: Sequence[float]) -> Value:
        """c[0] + c[1] x + c[2] x² + …"""
        total: Operand = coefficients[-1]
        for coefficient in reversed(coefficients[:-1]):
            total = x * total + coefficient
        return self.operand(total, x.type)

    def clenshaw(self, x: Value, coefficients: Sequence[float]) -> Value:
        """c[0] + c[1] T1(x) + c[2] T2(x) + …, Chebyshev's polynomials."""
        double = 2.0 * x
        after, last = self.constant(coefficients[-1], x.type), self.constant(0.0, x.type)
        for coefficient in reversed(coefficients[1:-1]):
            after, last = double * after + (coefficient - last), after
        return x * after + (coefficients[0] - last)

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")

    def jump(self, to: str) -> None:
        self.lines.append(f"  br label %{to}")

    def branch(self, condition: Value, then: str, otherwise: str) -> None:
        self.lines.append(f"  br i1 {condition.text}, label %{then}, label %{otherwise}")

    def phi(self, type_: str, name: str, incoming: Sequence[tuple[Operand, str]]) -> Value:
        """A value by where the control comes from; `name` may be used before, for what goes around a loop."""
        listed = ", ".join(f"[ {self.operand(value, type_).text}, %{block} ]" for value, block in incoming)
        self.lines.append(f"  %{name} = phi {type_} {listed}")
        return Value(self, type_, f"%{name}")
