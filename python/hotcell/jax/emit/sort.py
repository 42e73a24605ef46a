"""Sorts: stable merges with any comparison, of several operands together; and the k greatest by a heap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..builder import Code, Ix, Scalar
from ..module import Op
from ..program import Program, lowering
from ..tensor import Buffer, Tensor, read_at
from ..types import LLVM, PART, SIZE, is_complex, is_float, is_signed
from .elementwise import elements_of_block
from .scalar import _ordered
from .shape import transposed

#: Runs of this length are sorted by insertion.
_RUN = 8
#: Whether the first elements come before the second ones.
Before = Callable[[Sequence[Scalar], Sequence[Scalar]], str]


@lowering("sort")
def _sort(program: Program, op: Op) -> list[Tensor]:
    operands = program.operands(op)
    rank = len(operands[0].shape)
    axis = int(op.attributes.get("dimension", -1)) % rank
    order = [*(at for at in range(rank) if at != axis), axis]
    is_last = axis == rank - 1
    rows = [one if is_last else transposed(one, order) for one in operands]
    works: list[Buffer] = []
    for at, (row, operand) in enumerate(zip(rows, operands, strict=True)):
        if is_last:
            works.append(program.changed(op.operands[at], op.results[at], [other for other in operands if other is not operand]))
        else:
            target = program.new_buffer(row.shape, row.dtype)
            works.append(program._copied(row, target))
    shape = rows[0].shape
    dtypes = [one.dtype for one in operands]
    temporaries = [program.new_buffer((shape[-1],), dtype) for dtype in dtypes]
    size = operands[0].size
    if size != 0:
        with program.outlined() as code:
            code.side_by_side = 0

            def before(a: Sequence[Scalar], b: Sequence[Scalar]) -> str:
                pairs = [one for pair in zip(a, b, strict=True) for one in pair]
                kinds = [dtype for dtype in dtypes for _ in (0, 1)]
                value: str = elements_of_block(program, op, code, pairs, kinds)[0]
                return value

            count = code.extent(shape[-1])
            sorter = _Sorter(code, dtypes, count, before)
            spare = [code.pointer(buffer) for buffer in temporaries]
            rows_count: Ix = 1
            for extent in shape[:-1]:
                rows_count = code.mul(rows_count, code.extent(extent))

            def row_at(row: Ix) -> None:
                places = [code.address(code.pointer(work), code.mul(row, count), dtype) for work, dtype in zip(works, dtypes, strict=True)]
                sorter.row(places, spare)

            code.loop(rows_count, row_at, written_out=1)
    made = [Tensor(shape, dtype, buffer=work) for dtype, work in zip(dtypes, works, strict=True)]
    if is_last:
        return made
    back = [order.index(at) for at in range(rank)]
    return [transposed(one, back) for one in made]


class _Sorter:
    """Sorts one row after the other."""

    def __init__(self, code: Code, dtypes: Sequence[str], count: Ix, before: Before) -> None:
        self.code = code
        self.dtypes = list(dtypes)
        self.count = count
        self.before = before

    def load(self, places: Sequence[str], at: Ix) -> list[Scalar]:
        return [self.code.load(place, at, dtype) for place, dtype in zip(places, self.dtypes, strict=True)]

    def store(self, values: Sequence[Scalar], places: Sequence[str], at: Ix) -> None:
        for value, place, dtype in zip(values, places, self.dtypes, strict=True):
            self.code.store(value, place, at, dtype)

    def row(self, places: Sequence[str], spare: Sequence[str]) -> None:
        self.code.loop(self.count, lambda start: self._insert(places, start), step=_RUN, written_out=1)
        self._merge_all(places, spare)

    def _insert(self, places: Sequence[str], start: Ix) -> None:
        """Sorts a run by insertion."""
        code = self.code
        end = code.minimum(code.add(start, _RUN), self.count)

        def one(at: Ix) -> None:
            values = self.load(places, at)

            def goes_on(to: str) -> str:
                left = code.maximum(code.sub(to, 1), start)
                earlier = self.load(places, left)
                return code.both(code.less(start, to), self.before(values, earlier))

            def shift(to: str) -> list[str]:
                left = code.sub(to, 1)
                self.store(self.load(places, left), places, to)
                return [str(left)]

            to = code.while_(goes_on, shift, [("i32", str(at))])[0]
            self.store(values, places, to)

        code.loop(end, one, start=code.add(start, 1), written_out=1)

    def _merge_all(self, places: Sequence[str], spare: Sequence[str]) -> None:
        code = self.code
        number = len(self.dtypes)

        def goes_on(width: str, *_: str) -> str:
            return code.less(width, self.count)

        def once(width: str, *pointers: str) -> list[str]:
            source, target = pointers[:number], pointers[number:]
            double = code.mul(width, 2)

            def pair(low: str) -> list[str]:
                self._merge(source, target, low, code.minimum(code.add(low, width), self.count), code.minimum(code.add(low, double), self.count))
                return [str(code.add(low, double))]

            code.while_(lambda low: code.less(low, self.count), pair, [("i32", "0")])
            return [str(double), *target, *source]

        carried = [("i32", str(_RUN)), *(("ptr", one) for one in (*places, *spare))]
        ends = code.while_(goes_on, once, carried)[1 : 1 + number]
        elsewhere = code.value(f"icmp ne ptr {ends[0]}, {places[0]}")

        def copy_back() -> None:
            for end, place, dtype in zip(ends, places, self.dtypes, strict=True):
                code.copy(place, end, code.mul(self.count, SIZE[dtype]))

        code.when(elsewhere, copy_back)

    def _merge(self, source: Sequence[str], target: Sequence[str], low: Ix, middle: Ix, high: Ix) -> None:
        code = self.code
        # Runs that are in order already are copied.
        first = self.load(source, code.minimum(middle, code.sub(high, 1)))
        last = self.load(source, code.sub(middle, 1))
        mixed = self.before(first, last)
        limit = code.value(f"select i1 {mixed}, i32 {high}, i32 {middle}")

        def goes_on(i: str, j: str, k: str) -> str:
            return code.both(code.less(i, middle), code.less(j, limit))

        def one(i: str, j: str, k: str) -> list[str]:
            a, b = self.load(source, i), self.load(source, j)
            takes_b = self.before(b, a)
            self.store([_either(code, takes_b, y, x, dtype) for x, y, dtype in zip(a, b, self.dtypes, strict=True)], target, k)
            step = code.value(f"zext i1 {takes_b} to i32")
            return [str(code.add(i, code.sub(1, step))), str(code.add(j, step)), str(code.add(k, 1))]

        i, j, k = code.while_(goes_on, one, [("i32", str(low)), ("i32", str(middle)), ("i32", str(low))])
        left = code.sub(middle, i)
        for place, into, dtype in zip(source, target, self.dtypes, strict=True):
            code.copy(code.address(into, k, dtype), code.address(place, i, dtype), code.mul(left, SIZE[dtype]))
            rest = code.mul(code.sub(high, j), SIZE[dtype])
            code.copy(code.address(into, code.add(k, left), dtype), code.address(place, j, dtype), rest)


def _either(code: Code, condition: str, yes: Scalar, no: Scalar, dtype: str) -> Scalar:
    if is_complex(dtype):
        return tuple(_either(code, condition, y, n, PART[dtype]) for y, n in zip(yes, no, strict=True))
    return code.value(f"select i1 {condition}, {LLVM[dtype]} {yes}, {LLVM[dtype]} {no}")


@lowering("top_k")
def _top_k(program: Program, op: Op) -> list[Tensor]:
    operand = program.operands(op)[0]
    count = int(op.attributes["k"])
    shape = (*operand.shape[:-1], count)
    dtype = operand.dtype
    if is_complex(dtype):
        raise op.refused("complex numbers have no order", "take the absolute value before")
    values = program.room(op.results[0], shape, dtype, [operand])
    places = program.room(op.results[1], shape, "i32", [operand])
    if operand.size != 0 and count:
        with program.outlined() as code:
            code.side_by_side = 0
            heap = _Heap(code, dtype, count)
            rows = code.extents(operand.shape[:-1])

            def row(multi: list[Ix]) -> None:
                base = code.mul(code.linear(multi, rows), count)
                heap.begin(code.address(code.pointer(values), base, dtype), code.address(code.pointer(places), base, "i32"))
                for start, end, body in ((0, count, heap.fill), (count, code.extent(operand.shape[-1]), heap.offer)):
                    code.loop(end, lambda at, body=body: body(read_at(code, operand, [*multi, at]), at), start=start, written_out=0)
                heap.sort()

            code.nest(rows, row, written_out=1)
    return [Tensor(shape, dtype, buffer=values), Tensor(shape, "i32", buffer=places)]


class _Heap:
    """The k greatest so far, the least of them at the root; of equal ones the later is the lesser."""

    def __init__(self, code: Code, dtype: str, count: int) -> None:
        self.code = code
        self.dtype = dtype
        self.count = count
        self.values = self.places = ""

    def begin(self, values: str, places: str) -> None:
        self.values, self.places = values, places

    def _key(self, value: str) -> str:
        return _ordered(self.code, value, self.dtype) if is_float(self.dtype) else value

    def _less(self, a: str, b: str) -> str:
        code, dtype = self.code, self.dtype
        if is_float(dtype):
            return code.value(f"icmp slt {'i64' if dtype == 'f64' else 'i32'} {self._key(a)}, {self._key(b)}")
        return code.value(f"icmp {'s' if is_signed(dtype) else 'u'}lt {LLVM[dtype]} {a}, {b}")

    def _below(self, a: tuple[str, str], b: tuple[str, str]) -> str:
        """Whether one element is to leave before another."""
        code = self.code
        less, more = self._less(a[0], b[0]), self._less(b[0], a[0])
        later = code.value(f"icmp sgt i32 {a[1]}, {b[1]}")
        tied = code.value(f"select i1 {more}, i1 false, i1 {later}")
        return code.value(f"select i1 {less}, i1 true, i1 {tied}")

    def _get(self, at: Ix) -> tuple[str, str]:
        return self.code.load(self.values, at, self.dtype), self.code.load(self.places, at, "i32")

    def _put(self, one: tuple[str, str], at: Ix) -> None:
        self.code.store(one[0], self.values, at, self.dtype)
        self.code.store(one[1], self.places, at, "i32")

    def fill(self, value: str, at: Ix) -> None:
        """Puts one of the first k in."""
        code = self.code
        one = (value, str(at))

        def goes_up(to: str) -> str:
            parent = code.value(f"lshr i32 {code.maximum(code.sub(to, 1), 0)}, 1")
            return code.both(code.less(0, to), self._below(one, self._get(parent)))

        def up(to: str) -> list[str]:
            parent = code.value(f"lshr i32 {code.sub(to, 1)}, 1")
            self._put(self._get(parent), to)
            return [parent]

        self._put(one, code.while_(goes_up, up, [("i32", str(at))])[0])

    def offer(self, value: str, at: Ix) -> None:
        """Puts a later one in if it is greater than the root."""
        code = self.code
        root = code.load(self.values, 0, self.dtype)
        code.when(self._less(root, value), lambda: self._sink((value, str(at)), self.count))

    def _sink(self, one: tuple[str, str], end: Ix) -> None:
        """Puts an element where the root was, and down to its place."""
        code = self.code

        def child(at: str) -> str:
            first = code.add(code.mul(at, 2), 1)
            second = code.minimum(code.add(first, 1), code.sub(end, 1))
            first = code.minimum(first, code.sub(end, 1))
            lower = self._below(self._get(second), self._get(first))
            return code.value(f"select i1 {lower}, i32 {second}, i32 {first}")

        def goes_down(at: str) -> str:
            inside = code.less(code.add(code.mul(at, 2), 1), end)
            return code.both(inside, self._below(self._get(child(at)), one))

        def down(at: str) -> list[str]:
            to = child(at)
            self._put(self._get(to), at)
            return [to]

        self._put(one, code.while_(goes_down, down, [("i32", "0")])[0])

    def sort(self) -> None:
        """Takes the least out one after the other, to the end."""
        code = self.code

        def one(turn: Ix) -> None:
            last = code.sub(self.count - 1, turn)
            moved, root = self._get(last), self._get(0)
            self._put(root, last)
            self._sink(moved, last)

        code.loop(self.count - 1, one, written_out=0)
