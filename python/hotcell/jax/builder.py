"""LLVM IR, written a function at a time.

Indices and extents are Python numbers where they are known and names of `i32` values where not; arithmetic on numbers is done here. Loops
carry values as phis. A memo keeps what was computed for an index, as far as that reaches: a loop's body, a branch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .types import IN_MEMORY, LLVM, PART, SIZE, Dim, Extent, Positive, Quotient, is_complex

#: An index or extent: a number, or the name of an i32.
Ix = int | str
#: A value of an element: the name of a value or a literal; of a complex number both parts.
Scalar = Any

#: Loops of at most this many turns are written out.
_WRITTEN_OUT = 4
#: Marks the end of a loop's branch, where the module puts its metadata; how many turns are done side by side follows.
LOOP_MARK = "!llvm.loop !HOTCELL."
#: Turns side by side, in vectors, of loops that are not told otherwise; 0 is a loop that stays as it is.
SIDE_BY_SIDE = 4
#: The same of loops of which LLVM shall not write several turns either: those that take little time, for what they cost to compile.
AS_WRITTEN = 9


def literal(value: Any, dtype: str) -> Scalar:
    """A number as LLVM writes it; of a complex number both parts."""
    if is_complex(dtype):
        return (literal(value.real, PART[dtype]), literal(value.imag, PART[dtype]))
    if dtype in ("f16", "bf16", "f32"):
        with np.errstate(all="ignore"):
            wide = float(np.float32(value))
        return f"0x{struct.unpack('<Q', struct.pack('<d', wide))[0]:016X}"
    if dtype == "f64":
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(value)))[0]:016X}"
    if dtype == "bool":
        return "true" if value else "false"
    width = SIZE[dtype] * 8
    whole = int(value) & ((1 << width) - 1)
    return str(whole - (1 << width) if whole >> (width - 1) else whole)


class Code:
    """A function that is being written."""

    def __init__(self, module: ModuleText) -> None:
        self.module = module
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"
        self.scopes: list[dict[Any, Any]] = [{}]
        self.stack_slots: list[str] = []
        self.side_by_side = SIDE_BY_SIDE

    # Statements

    def do(self, text: str) -> None:
        self.lines.append("  " + text)

    def value(self, text: str) -> str:
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def call(self, result: str, function: str, arguments: Sequence[tuple[str, str]]) -> str:
        """Calls a function of the module or of LLVM; ``arguments`` are types with values."""
        self.module.uses(function, result, [kind for kind, _ in arguments])
        text = f"call {result} @{function}({', '.join(f'{kind} {value}' for kind, value in arguments)})"
        if result == "void":
            self.do(text)
            return ""
        return self.value(text)

    def fresh_label(self) -> str:
        self.count += 1
        return f"b{self.count}"

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")
        self.block = name

    def slot(self, kind: str) -> str:
        """A place on the stack, which LLVM makes a register."""
        self.count += 1
        name = f"%s{self.count}"
        self.stack_slots.append(f"  {name} = alloca {kind}")
        return name

    # What was computed already

    def remembered(self, key: Any) -> Any:
        for scope in reversed(self.scopes):
            if key in scope:
                return scope[key]
        return None

    def remember(self, key: Any, value: Any) -> None:
        self.scopes[-1][key] = value

    # Arithmetic on indices

    def add(self, a: Ix, b: Ix) -> Ix:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0:
            return b
        if b == 0:
            return a
        return self.value(f"add nsw i32 {a}, {b}")

    def sub(self, a: Ix, b: Ix) -> Ix:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.value(f"sub nsw i32 {a}, {b}")

    def mul(self, a: Ix, b: Ix) -> Ix:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1:
            return b
        return a if b == 1 else self.value(f"mul nsw i32 {a}, {b}")

    def div(self, a: Ix, b: Ix) -> Ix:
        """The quotient of numbers that are not negative."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b if b else 0
        return a if b == 1 else self.value(f"udiv i32 {a}, {b}")

    def rem(self, a: Ix, b: Ix) -> Ix:
        if isinstance(a, int) and isinstance(b, int):
            return a % b if b else 0
        return 0 if b == 1 else self.value(f"urem i32 {a}, {b}")

    def minimum(self, a: Ix, b: Ix) -> Ix:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.call("i32", "llvm.smin.i32", [("i32", str(a)), ("i32", str(b))])

    def maximum(self, a: Ix, b: Ix) -> Ix:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.call("i32", "llvm.smax.i32", [("i32", str(a)), ("i32", str(b))])

    def less(self, a: Ix, b: Ix) -> str:
        """Whether a is less than b, both as signed numbers."""
        if isinstance(a, int) and isinstance(b, int):
            return "true" if a < b else "false"
        return self.value(f"icmp slt i32 {a}, {b}")

    def within(self, index: Ix, extent: Ix) -> str:
        """Whether an index lies in [0, extent)."""
        if isinstance(index, int) and isinstance(extent, int):
            return "true" if 0 <= index < extent else "false"
        return self.value(f"icmp ult i32 {index}, {extent}")

    def both(self, a: str, b: str) -> str:
        if a == "true" or b == "false":
            return b
        if b == "true" or a == "false":
            return a
        return self.value(f"and i1 {a}, {b}")

    def linear(self, index: Sequence[Ix], shape: Sequence[Ix]) -> Ix:
        total: Ix = 0
        for one, extent in zip(index, shape, strict=True):
            total = self.add(self.mul(total, extent), one)
        return total

    def unlinear(self, flat: Ix, shape: Sequence[Ix]) -> list[Ix]:
        index: list[Ix] = []
        for axis, extent in reversed(list(enumerate(shape))):
            if extent == 1:
                index.append(0)
            elif all(one == 1 for one in shape[:axis]):
                index.append(flat)
                flat = 0
            else:
                index.append(self.rem(flat, extent))
                flat = self.div(flat, extent)
        return index[::-1]

    # Control flow

    def loop(
        self,
        count: Ix,
        body: Callable[..., Any],
        carried: Sequence[tuple[str, str]] = (),
        *,
        start: Ix = 0,
        step: int = 1,
        written_out: int = _WRITTEN_OUT,
    ) -> list[str]:
        """A loop over [start, count); ``body(index, *values)`` gives the next carried values. Gives the last ones.

        ``carried`` are types with first values.
        """
        values = [value for _, value in carried]
        if isinstance(count, int) and isinstance(start, int) and (count - start + step - 1) // step <= written_out:
            for turn in range(start, count, step):
                values = list(body(turn, *values) or ())
            return values
        head, inside, end, before = self.fresh_label(), self.fresh_label(), self.fresh_label(), self.block
        self.do(f"br label %{head}")
        self.label(head)
        self.count += 1
        index = f"%i{self.count}"
        phis: list[str] = []
        for _ in carried:
            self.count += 1
            phis.append(f"%c{self.count}")
        place = len(self.lines)
        self.lines.append("")
        more = self.value(f"icmp slt i32 {index}, {count}")
        self.do(f"br i1 {more}, label %{inside}, label %{end}")
        self.label(inside)
        self.scopes.append({})
        nexts = list(body(index, *phis) or ())
        self.scopes.pop()
        following = self.value(f"add nuw nsw i32 {index}, {step}")
        latch = self.block
        self.do(f"br label %{head}, {LOOP_MARK}{self.side_by_side}")
        lines = [f"  {index} = phi i32 [ {start}, %{before} ], [ {following}, %{latch} ]"]
        for (kind, first), phi, following_value in zip(carried, phis, nexts, strict=True):
            lines.append(f"  {phi} = phi {kind} [ {first}, %{before} ], [ {following_value}, %{latch} ]")
        self.lines[place] = "\n".join(lines)
        self.label(end)
        return phis

    def nest(self, shape: Sequence[Ix], body: Callable[[list[Ix]], object], *, written_out: int = _WRITTEN_OUT) -> None:
        """Loops over all indices of a shape, the last one innermost."""
        if any(extent == 0 for extent in shape):
            return

        def level(prefix: list[Ix]) -> None:
            if len(prefix) == len(shape):
                body(prefix)
            else:
                self.loop(shape[len(prefix)], lambda index: level([*prefix, index]), written_out=written_out)

        level([])

    def when(self, condition: str, then: Callable[[], object]) -> None:
        """Does something if a condition holds."""
        if condition == "true":
            then()
            return
        if condition == "false":
            return
        self.branch(condition, lambda: (then(), [])[1], list, [])

    def branch(
        self, condition: str, then: Callable[[], Sequence[str]], other: Callable[[], Sequence[str]], kinds: Sequence[str]
    ) -> list[str]:
        """Values of one of two ways."""
        yes, no, end = self.fresh_label(), self.fresh_label(), self.fresh_label()
        self.do(f"br i1 {condition}, label %{yes}, label %{no}")
        ways = []
        for name, way in ((yes, then), (no, other)):
            self.label(name)
            self.scopes.append({})
            values = list(way())
            self.scopes.pop()
            ways.append((values, self.block))
            self.do(f"br label %{end}")
        self.label(end)
        return [
            self.value(f"phi {kind} " + ", ".join(f"[ {values[at]}, %{block} ]" for values, block in ways))
            for at, kind in enumerate(kinds)
        ]

    def while_(self, condition: Callable[..., str], body: Callable[..., Sequence[str]], carried: Sequence[tuple[str, str]]) -> list[str]:
        """A loop while a condition on the carried values holds; gives the last ones."""
        head, inside, end, before = self.fresh_label(), self.fresh_label(), self.fresh_label(), self.block
        self.do(f"br label %{head}")
        self.label(head)
        phis = []
        for _ in carried:
            self.count += 1
            phis.append(f"%c{self.count}")
        place = len(self.lines)
        self.lines.append("")
        self.scopes.append({})
        holds = condition(*phis)
        self.do(f"br i1 {holds}, label %{inside}, label %{end}")
        self.label(inside)
        self.scopes.append({})
        nexts = list(body(*phis))
        self.scopes.pop()
        self.scopes.pop()
        latch = self.block
        self.do(f"br label %{head}")
        self.lines[place] = "\n".join(
            f"  {phi} = phi {kind} [ {first}, %{before} ], [ {after}, %{latch} ]"
            for (kind, first), phi, after in zip(carried, phis, nexts, strict=True)
        )
        self.label(end)
        return phis

    # Memory

    def address(self, pointer: str, offset: Ix, dtype: str) -> str:
        if offset == 0:
            return pointer
        kind = f"[2 x {LLVM[PART[dtype]]}]" if is_complex(dtype) else IN_MEMORY.get(dtype, LLVM[dtype])
        return self.value(f"getelementptr inbounds nuw {kind}, ptr {pointer}, i32 {offset}")

    def load(self, pointer: str, offset: Ix, dtype: str) -> Scalar:
        at = self.address(pointer, offset, dtype)
        if is_complex(dtype):
            part = PART[dtype]
            kind = LLVM[part]
            second = self.value(f"getelementptr inbounds nuw {kind}, ptr {at}, i32 1")
            return (
                self.value(f"load {kind}, ptr {at}, align {SIZE[part]}"),
                self.value(f"load {kind}, ptr {second}, align {SIZE[part]}"),
            )
        raw = self.value(f"load {IN_MEMORY.get(dtype, LLVM[dtype])}, ptr {at}, align {SIZE[dtype]}")
        return self.from_memory(raw, dtype)

    def from_memory(self, raw: str, dtype: str) -> str:
        """A value from the bits that memory has of it."""
        if dtype == "bool":
            return self.value(f"icmp ne i8 {raw}, 0")
        if dtype == "bf16":
            wide = self.value(f"zext i16 {raw} to i32")
            return self.value(f"bitcast i32 {self.value(f'shl i32 {wide}, 16')} to float")
        if dtype == "f16":
            return self.call("float", "hotcell.from_f16", [("i16", raw)])
        return raw

    def to_memory(self, value: str, dtype: str) -> str:
        """The bits that memory has of a value."""
        if dtype == "bool":
            return self.value(f"zext i1 {value} to i8")
        if dtype == "bf16":
            bits = self.value(f"bitcast float {value} to i32")
            return self.value(f"trunc i32 {self.value(f'lshr i32 {bits}, 16')} to i16")
        if dtype == "f16":
            return self.call("i16", "hotcell.to_f16", [("float", value)])
        return value

    def store(self, value: Scalar, pointer: str, offset: Ix, dtype: str) -> None:
        at = self.address(pointer, offset, dtype)
        if is_complex(dtype):
            part = PART[dtype]
            kind = LLVM[part]
            second = self.value(f"getelementptr inbounds nuw {kind}, ptr {at}, i32 1")
            self.do(f"store {kind} {value[0]}, ptr {at}, align {SIZE[part]}")
            self.do(f"store {kind} {value[1]}, ptr {second}, align {SIZE[part]}")
            return
        raw = self.to_memory(value, dtype)
        self.do(f"store {IN_MEMORY.get(dtype, LLVM[dtype])} {raw}, ptr {at}, align {SIZE[dtype]}")

    def copy(self, to: str, source: str, bytes_: Ix) -> None:
        """Copies memory that does not overlap."""
        self.call("void", "llvm.memcpy.p0.p0.i32", [("ptr", to), ("ptr", source), ("i32", str(bytes_)), ("i1", "false")])

    def fill_zero(self, to: str, bytes_: Ix) -> None:
        self.call("void", "llvm.memset.p0.i32", [("ptr", to), ("i8", "0"), ("i32", str(bytes_)), ("i1", "false")])

    # Where the kinds of functions differ

    def pointer(self, buffer: Any) -> str:
        """The address of a buffer."""
        raise NotImplementedError

    def outer(self, value: Scalar, dtype: str) -> Scalar:
        """A value of the driver's."""
        raise NotImplementedError

    def extent(self, extent: Extent) -> Ix:
        """An extent as a number or a value."""
        raise NotImplementedError

    def extents(self, shape: Sequence[Extent]) -> list[Ix]:
        return [self.extent(extent) for extent in shape]


class Kernel(Code):
    """A function apart from the driver: what it needs of the driver becomes its parameters."""

    def __init__(self, module: ModuleText, driver: Driver) -> None:
        super().__init__(module)
        self.driver = driver
        self.parameters: list[tuple[str, str]] = []
        self.arguments: list[tuple[str, str]] = []
        self.known: dict[Any, str] = {}

    def _parameter(self, key: Any, kind: str, argument: str) -> str:
        if key not in self.known:
            name = f"%p{len(self.parameters)}"
            self.known[key] = name
            self.parameters.append((f"{kind} noalias" if kind == "ptr" else kind, name))
            self.arguments.append((kind, argument))
        return self.known[key]

    def pointer(self, buffer: Any) -> str:
        if buffer.constant:
            return self.driver.pointer(buffer)
        return self._parameter(buffer, "ptr", self.driver.pointer(buffer))

    def outer(self, value: Scalar, dtype: str) -> Scalar:
        if isinstance(value, tuple):
            return tuple(self.outer(one, PART[dtype]) for one in value)
        return value if not value.startswith("%") else self._parameter(value, LLVM[dtype], value)

    def extent(self, extent: Extent) -> Ix:
        if isinstance(extent, int):
            return extent
        value = self.driver.extent(extent)
        return value if isinstance(value, int) else self._parameter(value, "i32", value)

    def text(self) -> str:
        """Parameters and body, without a name."""
        parameters = ", ".join(f"{kind} {name}" for kind, name in self.parameters)
        body = "\n".join([*self.stack_slots, *self.lines])
        return f"({parameters}) noinline nounwind {{\nentry:\n{body}\n  ret void\n}}\n"


class Driver(Code):
    """The kernel's own function: straight code and control flow that calls the others."""

    def __init__(self, module: ModuleText, touched: Callable[[Any], None]) -> None:
        super().__init__(module)
        self.block = "body"
        self.touched = touched
        self.entry: list[str] = []
        self.extents_known: dict[Dim, str] = {}

    def pointer(self, buffer: Any) -> str:
        self.touched(buffer)
        return str(buffer.name)

    def outer(self, value: Scalar, dtype: str) -> Scalar:
        return value

    def extent(self, extent: Extent) -> Ix:
        if isinstance(extent, int):
            return extent
        if extent not in self.extents_known:
            total: Ix = 0
            for names, factor in extent.terms:
                term: Ix = factor
                for name in names:
                    term = self._at_entry("mul", term, self._factor(name))
                total = self._at_entry("add", total, term)
            self.extents_known[extent] = str(total)
        return self.extents_known[extent]

    def _factor(self, name: str) -> Ix:
        if isinstance(name, Quotient):
            return self._at_entry("udiv", self.extent(name.whole), name.part)
        if isinstance(name, Positive):
            self.module.uses("llvm.smax.i32", "i32", ["i32", "i32"])
            self.count += 1
            self.entry.append(f"  %e{self.count} = call i32 @llvm.smax.i32(i32 {self.extent(name.whole)}, i32 0)")
            return f"%e{self.count}"
        return f"%d.{name}"

    def _at_entry(self, operation: str, a: Ix, b: Ix) -> Ix:
        if (operation == "add" and a == 0) or (operation == "mul" and a == 1):
            return b
        self.count += 1
        name = f"%e{self.count}"
        self.entry.append(f"  {name} = {operation} i32 {a}, {b}")
        return name


class ModuleText:
    """The module's text: functions, constants, and what is declared."""

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self.by_body: dict[str, str] = {}
        self.constants: dict[bytes, str] = {}
        self.declared: dict[str, tuple[str, list[str]]] = {}

    def uses(self, name: str, result: str, kinds: list[str]) -> None:
        """Notes that a function is called; those of LLVM, and of the math library, are declared or defined at the end."""
        if name not in self.declared:
            self.declared[name] = (result, kinds)

    def outlined(self, text: str) -> str:
        """The name of a function with this body, which is written once."""
        if text not in self.by_body:
            name = f"part{len(self.by_body)}"
            self.by_body[text] = name
            self.functions[name] = f"define internal void @{name}{text}"
        return self.by_body[text]

    def define(self, name: str, text: Callable[[], str]) -> str:
        """A function by its name, written when it is first asked for."""
        if name not in self.functions:
            self.functions[name] = ""
            self.functions[name] = text()
        return name

    def constant(self, data: bytes) -> str:
        """The address of read-only bytes."""
        if data not in self.constants:
            name = f"@data{len(self.constants)}"
            escaped = "".join(f"\\{byte:02X}" for byte in data)
            self.constants[data] = name
            self.functions[name] = f'{name} = internal unnamed_addr constant [{len(data)} x i8] c"{escaped}", align 16\n'
        return self.constants[data]


class Routine(Code):
    """A function of the compiler's own with parameters that are told, such as the matrix product."""

    def __init__(self, module: ModuleText, parameters: Sequence[tuple[str, str]]) -> None:
        super().__init__(module)
        self.parameters = list(parameters)

    def outer(self, value: Scalar, dtype: str) -> Scalar:
        assert not str(value).startswith("%"), "a routine has no values of the driver"
        return value

    def extent(self, extent: Extent) -> Ix:
        assert isinstance(extent, int)
        return extent

    def text(self, name: str) -> str:
        parameters = ", ".join(f"{kind} {parameter}" for kind, parameter in self.parameters)
        body = "\n".join([*self.stack_slots, *self.lines])
        return f"define internal void @{name}({parameters}) noinline nounwind {{\nentry:\n{body}\n  ret void\n}}\n"
