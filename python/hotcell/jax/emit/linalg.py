"""Factorisations and triangular systems of small and middling matrices, each matrix of a batch after the other.

What jaxlib asks of LAPACK on the CPU is recognised by the names of its calls; pivots and signs are LAPACK's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..builder import Code, Ix, Scalar, literal
from ..module import Op
from ..program import Program, lowering
from ..tensor import Buffer, Tensor
from ..types import Extent, is_complex, product
from .field import Field

#: A matrix in memory: its address, and the elements of a row.
Matrix = tuple[str, Ix]


class Matrices:
    """Elements of matrices of one type."""

    def __init__(self, code: Code, dtype: str) -> None:
        self.code = code
        self.dtype = dtype
        self.f = Field(code, dtype)

    def get(self, matrix: Matrix, row: Ix, column: Ix) -> Scalar:
        return self.code.load(matrix[0], self.code.add(self.code.mul(row, matrix[1]), column), self.dtype)

    def put(self, value: Scalar, matrix: Matrix, row: Ix, column: Ix) -> None:
        self.code.store(value, matrix[0], self.code.add(self.code.mul(row, matrix[1]), column), self.dtype)

    def summed(self, start: Ix, end: Ix, term: Callable[[Ix], Scalar]) -> Scalar:
        f = self.f
        ends = self.code.loop(
            end,
            lambda at, *carried: f.parts(f.sum(f.whole(carried), term(at))),
            list(zip(f.kinds(), f.parts(f.zero), strict=True)),
            start=start,
            written_out=0,
        )
        return f.whole(ends)


def _each(program: Program, batch: Extent, body: Callable[[Code, Ix], None]) -> None:
    with program.outlined() as code:
        code.loop(code.extent(batch), lambda at: body(code, at), written_out=1)


def _at(code: Code, buffer: Buffer, number: Ix, size: Extent, dtype: str) -> str:
    return code.address(code.pointer(buffer), code.mul(number, code.extent(size)), dtype)


def _info(program: Program, op: Op, at: int, batch: Sequence[Extent]) -> Buffer:
    return program.room(op.results[at], tuple(batch), "i32", [])


# Cholesky


@lowering("cholesky")
def _cholesky(program: Program, op: Op) -> list[Tensor]:
    lower = bool(op.attributes.get("lower", False))
    return [cholesky(program, op, lower, clears=True)[0]]


def cholesky(program: Program, op: Op, lower: bool, *, clears: bool) -> list[Tensor]:
    """L with L·Lᴴ = A, or U with Uᴴ·U = A; and for each matrix the number of the first minor that is not positive, or 0."""
    operand = program.operands(op)[0]
    *batch, n, _ = operand.shape
    dtype = operand.dtype
    target = program.changed(op.operands[0], op.results[0], [])
    failed = _info(program, op, 1, batch) if len(op.results) > 1 else program.new_buffer(tuple(batch), "i32")

    def one(code: Code, number: Ix) -> None:
        m = Matrices(code, dtype)
        f, extent = m.f, code.extent(n)
        a: Matrix = (_at(code, target, number, n * n, dtype), extent)

        def get(i: Ix, j: Ix) -> Scalar:
            return m.get(a, i, j) if lower else f.conj(m.get(a, j, i))

        def put(value: Scalar, i: Ix, j: Ix) -> None:
            m.put(value, a, i, j) if lower else m.put(f.conj(value), a, j, i)

        def row(i: Ix, bad: str) -> list[str]:
            def column(j: Ix) -> None:
                done = m.summed(0, j, lambda k: f.mul(get(i, k), f.conj(get(j, k))))
                put(f.div(f.sub(get(i, j), done), get(j, j)), i, j)

            code.loop(i, column, written_out=0)
            squares = m.summed(0, i, lambda k: f.of_real(f.square(get(i, k))))
            rest = f.real(f.sub(f.of_real(f.real(get(i, i))), squares))
            put(f.of_real(f.sqrt(rest)), i, i)
            positive = code.value(f"fcmp ogt {f.kind} {rest}, 0.0")
            is_first = code.value(f"icmp eq i32 {bad}, 0")
            now = code.value(f"select i1 {positive}, i32 0, i32 {code.add(i, 1)}")
            return [code.value(f"select i1 {is_first}, i32 {now}, i32 {bad}")]

        bad = code.loop(extent, row, [("i32", "0")], written_out=0)[0]
        code.store(bad, code.pointer(failed), number, "i32")
        if clears:
            def clear(i: Ix) -> None:
                code.loop(extent, lambda j: m.put(f.zero, a, i, j) if lower else m.put(f.zero, a, j, i), start=code.add(i, 1), written_out=0)

            code.loop(extent, clear, written_out=0)

    _each(program, product(batch), one)
    return [Tensor(operand.shape, dtype, buffer=target), Tensor(tuple(batch), "i32", buffer=failed)]


# Triangular systems


@lowering("triangular_solve")
def _triangular_solve(program: Program, op: Op) -> list[Tensor]:
    how = op.attributes
    kind = str(how.get("transpose_a", "NO_TRANSPOSE"))
    return [
        solved(
            program, op, left=bool(how["left_side"]), lower=bool(how["lower"]), unit=bool(how["unit_diagonal"]),
            transposes=kind != "NO_TRANSPOSE", conjugates=kind == "ADJOINT",
        )
    ]  # fmt: skip


def solved(program: Program, op: Op, *, left: bool, lower: bool, unit: bool, transposes: bool, conjugates: bool) -> Tensor:
    """X with op(A)·X = B, or X·op(A) = B."""
    matrix, right = (program.operands(op)[at] for at in (0, 1))
    *batch, rows, columns = right.shape
    dtype = right.dtype
    n = matrix.shape[-1]
    matrix = program.in_memory(matrix)
    target = program.changed(op.operands[1], op.results[0], [matrix])
    is_lower = lower != transposes

    def one(code: Code, number: Ix) -> None:
        m = Matrices(code, dtype)
        f, extent = m.f, code.extent(n)
        assert matrix.buffer is not None
        a: Matrix = (_at(code, matrix.buffer, number, n * n, dtype), extent)
        b: Matrix = (_at(code, target, number, rows * columns, dtype), code.extent(columns))

        def get(i: Ix, j: Ix) -> Scalar:
            value = m.get(a, j, i) if transposes else m.get(a, i, j)
            return f.conj(value) if conjugates else value

        def turned(step: Ix, forwards: bool) -> Ix:
            return step if forwards else code.sub(code.sub(extent, 1), step)

        def by_rows(step: Ix) -> None:
            i = turned(step, is_lower)

            def earlier(other: Ix) -> None:
                k = turned(other, is_lower)
                factor = get(i, k)
                code.loop(b[1], lambda j: m.put(f.sub(m.get(b, i, j), f.mul(factor, m.get(b, k, j))), b, i, j), written_out=0)

            code.loop(step, earlier, written_out=0)
            if not unit:
                diagonal = get(i, i)
                code.loop(b[1], lambda j: m.put(f.div(m.get(b, i, j), diagonal), b, i, j), written_out=0)

        def by_columns(row: Ix) -> None:
            def column(step: Ix) -> None:
                j = turned(step, not is_lower)
                value = m.get(b, row, j) if unit else f.div(m.get(b, row, j), get(j, j))
                m.put(value, b, row, j)

                def later(other: Ix) -> None:
                    k = turned(other, not is_lower)
                    m.put(f.sub(m.get(b, row, k), f.mul(value, get(j, k))), b, row, k)

                code.loop(extent, later, start=code.add(step, 1), written_out=0)

            code.loop(extent, column, written_out=0)

        if left:
            code.loop(extent, by_rows, written_out=0)
        else:
            code.loop(code.extent(rows), by_columns, written_out=0)

    if right.size != 0:
        _each(program, product(batch), one)
    return Tensor(right.shape, dtype, buffer=target)


# LU


def lu(program: Program, op: Op) -> list[Tensor]:
    """P·A = L·U with partial pivoting: both in one matrix, the pivots' rows counted from 1, and the first zero pivot."""
    operand = program.operands(op)[0]
    *batch, rows, columns = operand.shape
    dtype = operand.dtype
    assert isinstance(rows, int) and isinstance(columns, int)
    steps = min(rows, columns)
    target = program.changed(op.operands[0], op.results[0], [])
    pivots = program.room(op.results[1], (*batch, steps), "i32", [])
    failed = _info(program, op, 2, batch)

    def one(code: Code, number: Ix) -> None:
        m = Matrices(code, dtype)
        f = m.f
        a: Matrix = (_at(code, target, number, rows * columns, dtype), columns)
        chosen = _at(code, pivots, number, steps, "i32")

        def step(k: Ix, bad: str) -> list[str]:
            first = f.weight(m.get(a, k, k))

            def look(i: Ix, best: str, at: str) -> list[str]:
                weight = f.weight(m.get(a, i, k))
                more = code.value(f"fcmp ogt {f.kind} {weight}, {best}")
                return [code.value(f"select i1 {more}, {f.kind} {weight}, {f.kind} {best}"), code.value(f"select i1 {more}, i32 {i}, i32 {at}")]

            _, pivot = code.loop(rows, look, [(f.kind, first), ("i32", str(k))], start=code.add(k, 1), written_out=0)
            code.store(code.add(pivot, 1), chosen, k, "i32")

            def swap(j: Ix) -> None:
                x, y = m.get(a, k, j), m.get(a, pivot, j)
                m.put(y, a, k, j)
                m.put(x, a, pivot, j)

            code.when(code.value(f"icmp ne i32 {pivot}, {k}"), lambda: code.loop(columns, swap, written_out=0))
            diagonal = m.get(a, k, k)
            zero = code.value(f"fcmp oeq {f.kind} {f.weight(diagonal)}, 0.0")

            def row(i: Ix) -> None:
                factor = f.div(m.get(a, i, k), diagonal)
                m.put(factor, a, i, k)
                code.loop(columns, lambda j: m.put(f.sub(m.get(a, i, j), f.mul(factor, m.get(a, k, j))), a, i, j), start=code.add(k, 1), written_out=0)

            code.when(code.value(f"xor i1 {zero}, true"), lambda: code.loop(rows, row, start=code.add(k, 1), written_out=0))
            is_first = code.both(zero, code.value(f"icmp eq i32 {bad}, 0"))
            return [code.value(f"select i1 {is_first}, i32 {code.add(k, 1)}, i32 {bad}")]

        code.store(code.loop(steps, step, [("i32", "0")], written_out=0)[0], code.pointer(failed), number, "i32")

    _each(program, product(batch), one)
    return [
        Tensor(operand.shape, dtype, buffer=target),
        Tensor((*batch, steps), "i32", buffer=pivots),
        Tensor(tuple(batch), "i32", buffer=failed),
    ]


# QR by Householder's reflections


def qr(program: Program, op: Op) -> list[Tensor]:
    """The reflections and R in one matrix, and the reflections' factors, as LAPACK's geqrf has them."""
    operand = program.operands(op)[0]
    *batch, rows, columns = operand.shape
    dtype = operand.dtype
    assert isinstance(rows, int) and isinstance(columns, int)
    steps = min(rows, columns)
    target = program.changed(op.operands[0], op.results[0], [])
    factors = program.room(op.results[1], (*batch, steps), dtype, [])

    def one(code: Code, number: Ix) -> None:
        m = Matrices(code, dtype)
        a: Matrix = (_at(code, target, number, rows * columns, dtype), columns)
        taus = _at(code, factors, number, steps, dtype)
        code.loop(steps, lambda k: code.store(_reflection(m, a, k, rows, columns), taus, k, dtype), written_out=0)

    _each(program, product(batch), one)
    return [Tensor(operand.shape, dtype, buffer=target), Tensor((*batch, steps), dtype, buffer=factors)]


def _reflection(m: Matrices, a: Matrix, k: Ix, rows: int, columns: int) -> Scalar:
    """Reflects a column so that only its first element is left, and the columns behind it; gives the reflection's factor."""
    code, f = m.code, m.f
    below = code.add(k, 1)
    tail = f.real(m.summed(below, rows, lambda i: f.of_real(f.square(m.get(a, i, k)))))
    alpha = m.get(a, k, k)
    imaginary = alpha[1] if is_complex(m.dtype) else literal(0, f.part)
    size = f.sqrt(code.value(f"fadd {f.kind} {f.square(alpha)}, {tail}"))
    signed = code.call(f.kind, f"llvm.copysign.{'f64' if f.kind == 'double' else 'f32'}", [(f.kind, size), (f.kind, f.real(alpha))])
    beta = code.value(f"fneg {f.kind} {signed}")
    flat = code.both(code.value(f"fcmp oeq {f.kind} {tail}, 0.0"), code.value(f"fcmp oeq {f.kind} {imaginary}, 0.0"))

    def reflect() -> list[str]:
        wide = f.of_real(beta)
        tau = f.div(f.sub(wide, alpha), wide)
        scale = f.div(f.one, f.sub(alpha, wide))
        code.loop(rows, lambda i: m.put(f.mul(m.get(a, i, k), scale), a, i, k), start=below, written_out=0)
        m.put(wide, a, k, k)

        def column(j: Ix) -> None:
            grown = m.summed(below, rows, lambda i: f.mul(f.conj(m.get(a, i, k)), m.get(a, i, j)))
            by = f.mul(f.conj(tau), f.add(m.get(a, k, j), grown))
            m.put(f.sub(m.get(a, k, j), by), a, k, j)
            code.loop(rows, lambda i: m.put(f.sub(m.get(a, i, j), f.mul(m.get(a, i, k), by)), a, i, j), start=below, written_out=0)

        code.loop(columns, column, start=below, written_out=0)
        return f.parts(tau)

    return f.whole(code.branch(flat, lambda: f.parts(f.zero), reflect, f.kinds()))


def reflections_product(program: Program, op: Op) -> list[Tensor]:
    """Q of the reflections, as LAPACK's orgqr gives it."""
    operand, given = program.operands(op)
    *batch, rows, columns = operand.shape
    dtype = operand.dtype
    steps = given.shape[-1]
    assert isinstance(rows, int) and isinstance(columns, int) and isinstance(steps, int)
    given = program.in_memory(given)
    target = program.changed(op.operands[0], op.results[0], [given])

    def one(code: Code, number: Ix) -> None:
        m = Matrices(code, dtype)
        f = m.f
        a: Matrix = (_at(code, target, number, rows * columns, dtype), columns)
        assert given.buffer is not None
        taus = _at(code, given.buffer, number, steps, dtype)

        def beyond(j: Ix) -> None:
            code.loop(rows, lambda i: m.put(f.zero, a, i, j), written_out=0)
            m.put(f.one, a, j, j)

        code.loop(columns, beyond, start=steps, written_out=0)

        def step(turn: Ix) -> None:
            k = code.sub(steps - 1, turn)
            tau = code.load(taus, k, dtype)
            below = code.add(k, 1)

            def column(j: Ix) -> None:
                grown = m.summed(below, rows, lambda i: f.mul(f.conj(m.get(a, i, k)), m.get(a, i, j)))
                by = f.mul(tau, f.add(m.get(a, k, j), grown))
                m.put(f.sub(m.get(a, k, j), by), a, k, j)
                code.loop(rows, lambda i: m.put(f.sub(m.get(a, i, j), f.mul(m.get(a, i, k), by)), a, i, j), start=below, written_out=0)

            code.loop(columns, column, start=below, written_out=0)
            code.loop(rows, lambda i: m.put(f.neg(f.mul(m.get(a, i, k), tau)), a, i, k), start=below, written_out=0)
            m.put(f.sub(f.one, tau), a, k, k)
            code.loop(k, lambda i: m.put(f.zero, a, i, k), written_out=0)

        code.loop(steps, step, written_out=0)

    _each(program, product(batch), one)
    return [Tensor(operand.shape, dtype, buffer=target)]
