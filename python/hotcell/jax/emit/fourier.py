"""Fourier transforms of any length: Stockham's passes over the factors, and Bluestein's convolution where a prime is large.

Real and imaginary parts lie apart while a line is transformed, so that the innermost loops are along memory. Factors are computed at import in
double precision.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np

from ..builder import Code, Ix, ModuleText, Routine, literal
from ..module import Op
from ..program import Program, lowering
from ..tensor import Buffer, Tensor, read_at
from ..types import LLVM, PART, SIZE, numpy_dtype, product

#: Primes above this are not passes of their own.
_LARGEST_PRIME = 13
#: Parts of two lines: the numbers, and room for the passes.
Line = tuple[str, str, str, str]


def factors(length: int) -> list[int] | None:
    """The passes for a length, those of 4 first; ``None`` where a prime is too large."""
    found = []
    for radix in (4, 2, 3, 5, 7, 11, 13):
        while length % radix == 0:
            found.append(radix)
            length //= radix
    return found if length == 1 else None


def room(length: int) -> int:
    """The elements of each part of a line that a transform of a length needs."""
    return length if factors(length) is not None else _convolved(length)


def _convolved(length: int) -> int:
    return 1 << (2 * length - 2).bit_length()


def transform(module: ModuleText, length: int, part: str) -> str:
    """The name of a function of four arrays of parts that transforms the first two, forwards; the inverse is the same with the parts
    exchanged. The others are room."""
    name = f"fft_{length}_{part}"
    return module.define(name, lambda: _transform_text(module, length, part, name))


_LINE = (("ptr noalias", "%xr"), ("ptr noalias", "%xi"), ("ptr noalias", "%yr"), ("ptr noalias", "%yi"))


def _transform_text(module: ModuleText, length: int, part: str, name: str) -> str:
    code = Routine(module, _LINE)
    passes = factors(length)
    if passes is None:
        _bluestein(code, module, length, part)
        return code.text(name)
    x, y = ("%xr", "%xi"), ("%yr", "%yi")
    left, stride = length, 1
    for radix in passes:
        inner = left // radix
        turn = np.exp(-2j * np.pi * np.outer(np.arange(1, radix), np.arange(inner)) / left)
        tables = [_table(module, values, part) for values in (turn.real, turn.imag)]
        step = _pass(module, radix, part)
        arguments = [*x, *y, *tables]
        pointers = ", ".join(f"ptr {one}" for one in arguments)
        code.do(f"call void @{step}({pointers}, i32 {inner}, i32 {stride})")
        x, y, left, stride = y, x, inner, stride * radix
    if x[0] != "%xr":
        for into, source in zip(("%xr", "%xi"), x, strict=True):
            code.copy(into, source, length * SIZE[part])
    return code.text(name)


def _table(module: ModuleText, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], part: str) -> str:
    return module.constant(np.ascontiguousarray(values, numpy_dtype(part)).tobytes() or b"\0")


def _pass(module: ModuleText, radix: int, part: str) -> str:
    """The name of the function for one pass: y[q + s·(r·p + k)] is the k-th of the small transform of x[q + s·(p + m·j)], turned."""
    name = f"fft_pass_{radix}_{part}"
    return module.define(name, lambda: _pass_text(module, radix, part, name))


def _pass_text(module: ModuleText, radix: int, part: str, name: str) -> str:
    code = Routine(module, (*_LINE, ("ptr", "%wr"), ("ptr", "%wi"), ("i32", "%m"), ("i32", "%s")))

    def load(pointer: str, at: Ix) -> str:
        value: str = code.load(pointer, at, part)
        return value

    def butterfly(p: Ix, q: Ix, stride: Ix) -> None:
        whole = code.mul(stride, "%m")
        first = code.add(code.mul(stride, p), q)
        given = [(load("%xr", at), load("%xi", at)) for at in (code.add(first, code.mul(whole, j)) for j in range(radix))]
        made = _small(_Parts(code, part), given)
        into = code.add(code.mul(code.mul(stride, radix), p), q)
        for k, value in enumerate(made):
            if k:
                at = code.add(code.mul("%m", k - 1), p)
                value = _Parts(code, part).times(value, (load("%wr", at), load("%wi", at)))
            place = code.add(into, code.mul(stride, k))
            code.store(value[0], "%yr", place, part)
            code.store(value[1], "%yi", place, part)

    def first_pass() -> list[str]:
        code.loop("%m", lambda p: butterfly(p, 0, 1))
        return []

    def later_pass() -> list[str]:
        code.loop("%m", lambda p: code.loop("%s", lambda q: butterfly(p, q, "%s")))
        return []

    code.branch(code.value("icmp eq i32 %s, 1"), first_pass, later_pass, [])
    return code.text(name)


class _Parts:
    def __init__(self, code: Code, part: str) -> None:
        self.code = code
        self.kind = LLVM[part]
        self.part = part

    def two(self, operation: str, a: str, b: str) -> str:
        return self.code.value(f"{operation} {self.kind} {a}, {b}")

    def add(self, a: tuple[str, str], b: tuple[str, str]) -> tuple[str, str]:
        return self.two("fadd", a[0], b[0]), self.two("fadd", a[1], b[1])

    def sub(self, a: tuple[str, str], b: tuple[str, str]) -> tuple[str, str]:
        return self.two("fsub", a[0], b[0]), self.two("fsub", a[1], b[1])

    def times(self, a: tuple[str, str], b: tuple[str, str]) -> tuple[str, str]:
        real = self.two("fsub", self.two("fmul", a[0], b[0]), self.two("fmul", a[1], b[1]))
        return real, self.two("fadd", self.two("fmul", a[0], b[1]), self.two("fmul", a[1], b[0]))

    def scaled(self, a: tuple[str, str], by: float) -> tuple[str, str]:
        factor = literal(by, self.part)
        return self.two("fmul", a[0], factor), self.two("fmul", a[1], factor)

    def by_minus_i(self, a: tuple[str, str]) -> tuple[str, str]:
        return a[1], self.code.value(f"fneg {self.kind} {a[0]}")


def _small(p: _Parts, x: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The transform of a few numbers, written out."""
    if len(x) == 2:
        return [p.add(x[0], x[1]), p.sub(x[0], x[1])]
    if len(x) == 4:
        outer, inner = p.add(x[0], x[2]), p.add(x[1], x[3])
        difference, turned = p.sub(x[0], x[2]), p.by_minus_i(p.sub(x[1], x[3]))
        return [p.add(outer, inner), p.add(difference, turned), p.sub(outer, inner), p.sub(difference, turned)]
    # Pairs of an odd number: their sums go with cosines, their differences with sines.
    radix = len(x)
    half = (radix - 1) // 2
    sums = [p.add(x[j], x[radix - j]) for j in range(1, half + 1)]
    differences = [p.sub(x[j], x[radix - j]) for j in range(1, half + 1)]
    total = x[0]
    for one in sums:
        total = p.add(total, one)
    made = [total, *[total] * (radix - 1)]
    for k in range(1, half + 1):
        even = x[0]
        odd: tuple[str, str] | None = None
        for j in range(1, half + 1):
            turn = cmath.exp(-2j * math.pi * ((j * k) % radix) / radix)
            even = p.add(even, p.scaled(sums[j - 1], turn.real))
            # i·sin·d: the turn's imaginary part is -sin.
            step = p.by_minus_i(p.scaled(differences[j - 1], -turn.imag))
            odd = step if odd is None else p.add(odd, step)
        assert odd is not None
        made[k], made[radix - k] = p.add(even, odd), p.sub(even, odd)
    return made


def _bluestein(code: Routine, module: ModuleText, length: int, part: str) -> None:
    """A transform as a convolution with a chirp, by transforms of a power of two."""
    size = _convolved(length)
    squares = (np.arange(length, dtype=np.int64) ** 2) % (2 * length)
    chirp = np.exp(-1j * np.pi * squares / length)
    kernel = np.zeros(size, complex)
    kernel[:length] = np.conj(chirp)
    kernel[size - length + 1 :] = np.conj(chirp[1:][::-1])
    response = np.fft.fft(kernel) / size
    turned = [_table(module, values, part) for values in (chirp.real, chirp.imag)]
    spectrum = [_table(module, values, part) for values in (response.real, response.imag)]
    p = _Parts(code, part)
    inner = transform(module, size, part)

    def multiply(count: int, table: Sequence[str]) -> None:
        def one(at: Ix) -> None:
            value = p.times((code.load("%xr", at, part), code.load("%xi", at, part)), (code.load(table[0], at, part), code.load(table[1], at, part)))
            code.store(value[0], "%xr", at, part)
            code.store(value[1], "%xi", at, part)

        code.loop(count, one)

    multiply(length, turned)
    for pointer in ("%xr", "%xi"):
        code.fill_zero(code.address(pointer, length, part), (size - length) * SIZE[part])
    code.do(f"call void @{inner}(ptr %xr, ptr %xi, ptr %yr, ptr %yi)")
    multiply(size, spectrum)
    code.do(f"call void @{inner}(ptr %xi, ptr %xr, ptr %yi, ptr %yr)")
    multiply(length, turned)


@lowering("fft")
def _fft(program: Program, op: Op) -> list[Tensor]:
    operand = program.operands(op)[0]
    kind = str(op.attributes["fft_type"])
    lengths = op.ints("fft_length")
    result = op.results[0].type
    if not operand.is_static:
        raise op.refused("the length of the transform has to be a number", "give the shapes as numbers")
    complex_type = result.dtype if kind != "IRFFT" else operand.dtype
    rank, count = len(operand.shape), len(lengths)
    axes = list(range(rank - count, rank))
    if product(result.shape) == 0:
        return [Tensor(result.shape, result.dtype, buffer=program.new_buffer(result.shape, result.dtype))]
    if kind in ("FFT", "IFFT"):
        target = program.changed(op.operands[0], op.results[0], [])
        made = Tensor(operand.shape, complex_type, buffer=target)
        for axis in axes:
            _along(program, made, made, axis, lengths[axis - axes[0]], kind == "IFFT")
        return [made]
    if kind == "RFFT":
        made = Tensor(result.shape, complex_type, buffer=program.room(op.results[0], result.shape, complex_type, [operand]))
        if lengths[-1] % 2:
            _along(program, operand, made, rank - 1, lengths[-1], False)
        else:
            _of_real(program, operand, made, lengths[-1])
        for axis in axes[:-1]:
            _along(program, made, made, axis, lengths[axis - axes[0]], False)
        return [made]
    source = operand
    if count > 1:
        source = Tensor(operand.shape, complex_type, buffer=program.changed(op.operands[0], op.results[0], []))
        for axis in axes[:-1]:
            _along(program, source, source, axis, lengths[axis - axes[0]], True)
    made = Tensor(result.shape, result.dtype, buffer=program.room(op.results[0], result.shape, result.dtype, [source]))
    if lengths[-1] % 2:
        _along(program, source, made, rank - 1, lengths[-1], True)
    else:
        _to_real(program, source, made, lengths[-1])
    return [made]


def _halves(program: Program, source: Tensor, length: int) -> tuple[str, list[Buffer], list[Buffer]]:
    """What transforms of an even number of real numbers need: that of half the length, a line with an element more, and turns."""
    part = PART.get(source.dtype, source.dtype)
    half = length // 2
    line = [program.new_buffer((max(room(half), half + 1),), part) for _ in range(4)]
    turns = np.exp(-2j * np.pi * np.arange(half + 1) / length)
    tables = [program.constant(np.ascontiguousarray(values, numpy_dtype(part))) for values in (turns.real, turns.imag)]
    return transform(program.module, half, part), line, tables


def _of_real(program: Program, source: Tensor, target: Tensor, length: int) -> None:
    """Transforms lines of an even number of real numbers: pairs of them are complex numbers of half the length."""
    part, half = source.dtype, length // 2
    name, line, tables = _halves(program, source, length)
    into = target.buffer
    assert into is not None
    with program.outlined() as code:
        parts, turns = [code.pointer(buffer) for buffer in line], [code.pointer(table) for table in tables]
        p = _Parts(code, part)

        def one(multi: list[Ix]) -> None:
            def take(at: Ix) -> None:
                first = code.mul(at, 2)
                code.store(read_at(code, source, [*multi, first]), parts[0], at, part)
                code.store(read_at(code, source, [*multi, code.add(first, 1)]), parts[1], at, part)

            code.loop(half, take, written_out=0)
            code.do(f"call void @{name}({', '.join(f'ptr {one}' for one in parts)})")
            for pointer in parts[:2]:
                code.store(code.load(pointer, 0, part), pointer, half, part)

            def give(at: Ix) -> None:
                a, b = ((code.load(parts[0], k, part), code.load(parts[1], k, part)) for k in (at, code.sub(half, at)))
                b = b[0], code.value(f"fneg {p.kind} {b[1]}")
                turn = code.load(turns[0], at, part), code.load(turns[1], at, part)
                value = p.scaled(p.add(p.add(a, b), p.times(p.by_minus_i(p.sub(a, b)), turn)), 0.5)
                code.store(value, code.pointer(into), code.linear([*multi, at], code.extents(target.shape)), target.dtype)

            code.loop(half + 1, give, written_out=0)

        code.nest(code.extents(source.shape[:-1]), one, written_out=1)


def _to_real(program: Program, source: Tensor, target: Tensor, length: int) -> None:
    """Transforms lines of half a spectrum back to an even number of real numbers."""
    part, half = target.dtype, length // 2
    name, line, tables = _halves(program, source, length)
    into = target.buffer
    assert into is not None
    with program.outlined() as code:
        parts, turns = [code.pointer(buffer) for buffer in line], [code.pointer(table) for table in tables]
        p = _Parts(code, part)

        def one(multi: list[Ix]) -> None:
            def take(at: Ix) -> None:
                a, b = (read_at(code, source, [*multi, k]) for k in (at, code.sub(half, at)))
                # The first and the last one of a spectrum of real numbers are real.
                inner = code.value(f"icmp ne i32 {at}, 0")
                a, b = ((x, code.value(f"select i1 {inner}, {p.kind} {y}, {p.kind} 0.0")) for x, y in (a, b))
                b = b[0], code.value(f"fneg {p.kind} {b[1]}")
                turn = code.load(turns[0], at, part), code.value(f"fneg {p.kind} {code.load(turns[1], at, part)}")
                odd = p.times(p.sub(a, b), turn)
                value = p.sub(p.add(a, b), p.by_minus_i(odd))
                code.store(value[0], parts[0], at, part)
                code.store(value[1], parts[1], at, part)

            code.loop(half, take, written_out=0)
            code.do(f"call void @{name}({', '.join(f'ptr {parts[at]}' for at in (1, 0, 3, 2))})")

            def give(at: Ix) -> None:
                for offset in (0, 1):
                    value = p.two("fmul", code.load(parts[offset], at, part), literal(1.0 / length, part))
                    place = code.linear([*multi, code.add(code.mul(at, 2), offset)], code.extents(target.shape))
                    code.store(value, code.pointer(into), place, part)

            code.loop(half, give, written_out=0)

        code.nest(code.extents(source.shape[:-1]), one, written_out=1)


def _along(program: Program, source: Tensor, target: Tensor, axis: int, length: int, inverse: bool) -> None:
    """Transforms all lines along an axis. Real sources and targets are those of transforms of real numbers."""
    part = PART.get(source.dtype, source.dtype)
    shape = source.shape
    others = [extent for at, extent in enumerate(shape) if at != axis]
    line: list[Buffer] = [program.new_buffer((room(length),), part) for _ in range(4)]
    name = transform(program.module, length, part)
    given, wanted = shape[axis], target.shape[axis]
    assert isinstance(given, int) and isinstance(wanted, int)
    assert target.buffer is not None
    into = target.buffer
    scale = literal(1.0 / length, part)

    with program.outlined() as code:
        parts = [code.pointer(buffer) for buffer in line]
        p = _Parts(code, part)

        def one(multi: list[Ix]) -> None:
            def place(at: Ix) -> list[Ix]:
                return [*multi[:axis], at, *multi[axis:]]

            def take(at: Ix) -> None:
                value = read_at(code, source, place(at))
                real, imaginary = value if isinstance(value, tuple) else (value, literal(0.0, part))
                code.store(real, parts[0], at, part)
                code.store(imaginary, parts[1], at, part)
                if given < length and source.dtype in PART:
                    # The other half of the spectrum of real numbers.
                    mirrored = code.sub(length, at)
                    inside = code.both(code.less(0, at), code.less(given - 1, mirrored))

                    def mirror() -> None:
                        code.store(real, parts[0], mirrored, part)
                        code.store(code.value(f"fneg {p.kind} {imaginary}"), parts[1], mirrored, part)

                    code.when(inside, mirror)

            code.loop(given, take, written_out=0)
            order = (1, 0, 3, 2) if inverse else (0, 1, 2, 3)
            code.do(f"call void @{name}({', '.join(f'ptr {parts[at]}' for at in order)})")

            def give(at: Ix) -> None:
                value = code.load(parts[0], at, part), code.load(parts[1], at, part)
                if inverse:
                    value = (p.two("fmul", value[0], scale), p.two("fmul", value[1], scale))
                where = code.linear(place(at), code.extents(target.shape))
                code.store(value if target.dtype in PART else value[0], code.pointer(into), where, target.dtype)

            code.loop(wanted, give, written_out=0)

        code.nest(code.extents(others), one, written_out=1)
