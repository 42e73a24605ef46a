"""Taichi's SPIR-V, with one variable for each buffer.

Taichi reads and writes buffers as words, ``u32``, and has a second variable for a buffer whose signed integers it changes by atomic operations.
On a GPU of hotcell's what is written has one name, so that both become one variable here, and what was done by way of the other is
done with its bits.

Taichi puts a barrier for memory before each atomic operation on integers. It orders what one invocation does for others that look at
it, which in Taichi nothing may rely on: the turns of a loop run in any order. WGSL has no such barrier outside of control flow that all
invocations share, so that it is left out.

WGSL has no constants that are infinite, or no numbers: their bits are put into a variable, and are taken out of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

__all__ = ["SpirvError", "unified"]

Buffer = tuple[str, tuple[int, ...]]

_HEADER_WORDS = 5
_TYPE_INT, _TYPE_POINTER, _VARIABLE, _LOAD, _STORE, _ACCESS_CHAIN, _DECORATE = 21, 32, 59, 61, 62, 65, 71
_BITCAST, _MEMORY_BARRIER, _NAME = 124, 225, 5
_BINDING, _STORAGE_BUFFER, _FUNCTION_CLASS = 33, 12, 7
_TYPE_FLOAT, _CONSTANT, _FUNCTION, _LABEL, _EXTENDED, _RETURN = 22, 43, 54, 248, 12, 254
#: Operations whose operands from the fourth word on are all values: of composites, conversions, arithmetic, comparison, choice, and `phi`.
_OF_VALUES = {80, *range(109, 125), *range(126, 153), *range(156, 158), *range(164, 192), 245}
#: Atomic operations with the places of their values: result type, result, pointer, scope, semantics, and then these.
_ATOMICS = {227: (), 229: (6,), 230: (7, 8), 232: (), 233: (), 234: (6,), 235: (6,), 236: (6,), 237: (6,), 238: (6,), 239: (6,),
            240: (6,), 241: (6,), 242: (6,)}  # fmt: skip
_ATOMIC_STORE = 228
#: Those whose result depends on the sign.
_SIGNED, _UNSIGNED = (236, 238), (237, 239)


class SpirvError(Exception):
    """The module is not as Taichi's are."""


def unified(spirv: bytes, buffers: Mapping[int, Buffer]) -> tuple[bytes, dict[int, Buffer]]:
    """A module with one variable for each buffer, and what its bindings are then.

    Args:
        spirv: The module.
        buffers: What each binding is.

    Raises:
        SpirvError: The module is not as Taichi's are, or takes minima both of signed and of unsigned numbers in one buffer.
    """
    words = list(struct.unpack(f"<{len(spirv) // 4}I", spirv))
    module = _Module(words)
    module.hide_infinities()
    kept = dict(buffers)
    for buffer in dict.fromkeys(buffers.values()):
        bindings = [binding for binding, one in buffers.items() if one == buffer]
        if len(bindings) > 1:
            for binding in bindings[1:]:
                del kept[binding]
            module.join([module.variable_at(binding) for binding in bindings], bindings[0])
    return module.bytes(), kept


class _Module:
    """A module as a list of instructions, each a list of words."""

    def __init__(self, words: list[int]) -> None:
        self._header = words[:_HEADER_WORDS]
        self._code = [one for one in _instructions(words) if one[0] & 0xFFFF != _MEMORY_BARRIER]

    def bytes(self) -> bytes:
        words = [*self._header, *(word for one in self._code for word in one)]
        return struct.pack(f"<{len(words)}I", *words)

    def variable_at(self, binding: int) -> int:
        for one in self._code:
            if one[0] & 0xFFFF == _DECORATE and one[2] == _BINDING and one[3] == binding:
                return one[1]
        raise SpirvError(f"nothing stands at binding {binding}")

    def hide_infinities(self) -> None:
        """Have constants that WGSL cannot write come out of variables."""
        floats = {one[1] for one in self._code if one[0] & 0xFFFF == _TYPE_FLOAT and one[2] == 32}
        infinite = {
            one[2]: (one[1], one[3])
            for one in self._code
            if one[0] & 0xFFFF == _CONSTANT and one[1] in floats and one[3] & 0x7F800000 == 0x7F800000
        }
        if not infinite:
            return
        word = next(one[1] for one in self._code if one[0] & 0xFFFF == _TYPE_INT and one[2:] == [32, 0])
        declared: list[list[int]] = []
        pointers = [one[1] for one in self._code if one[0] & 0xFFFF == _TYPE_POINTER and one[2:] == [_FUNCTION_CLASS, word]]
        pointer = pointers[0] if pointers else self._new()
        if not pointers:
            declared.append([4 << 16 | _TYPE_POINTER, pointer, _FUNCTION_CLASS, word])
        bits = {constant: self._new() for constant in infinite}
        declared += [[4 << 16 | _CONSTANT, word, bits[constant], value] for constant, (_, value) in infinite.items()]
        start = next(index for index, one in enumerate(self._code) if one[0] & 0xFFFF == _FUNCTION)
        gone = {(_CONSTANT, 2), (_NAME, 1)}
        before = [one for one in self._code[:start] if not any(one[0] & 0xFFFF == op and one[at] in infinite for op, at in gone)]
        code = before + declared
        known: dict[int, int] = {}
        waiting: list[list[int]] = []
        for one in self._code[start:]:
            operation = one[0] & 0xFFFF
            if operation == _FUNCTION:
                variables = {constant: self._new() for constant in infinite}
                known = {constant: self._new() for constant in infinite}
                code.append(one)
                continue
            if operation == _LABEL and variables:
                code.append(one)
                for constant, variable in variables.items():
                    loaded = self._new()
                    code.append([5 << 16 | _VARIABLE, pointer, variable, _FUNCTION_CLASS, bits[constant]])
                    waiting.append([4 << 16 | _LOAD, word, loaded, variable])
                    waiting.append([4 << 16 | _BITCAST, infinite[constant][0], known[constant], loaded])
                variables = {}
                continue
            if waiting and operation != _VARIABLE:
                code += waiting
                waiting = []
            first = {_EXTENDED: 5, _STORE: 2, _RETURN: 1}.get(operation, 3 if operation in _OF_VALUES else len(one))
            code.append([*one[:first], *(known.get(operand, operand) for operand in one[first:])])
        self._code = code

    def join(self, variables: list[int], binding: int) -> None:
        """Make one of several variables of one buffer, at a binding of theirs."""
        integers = {one[1]: bool(one[3]) for one in self._code if one[0] & 0xFFFF == _TYPE_INT and one[2] == 32}
        elements = {one[1]: one[3] for one in self._code if one[0] & 0xFFFF == _TYPE_POINTER and one[2] == _STORAGE_BUFFER}
        chains = [one for one in self._code if one[0] & 0xFFFF == _ACCESS_CHAIN and one[3] in variables]
        # What each variable's elements are, and whether something depends on that.
        of_variable = {one[3]: (one[1], elements[one[1]]) for one in chains}
        if any(element not in integers for _, element in of_variable.values()):
            raise SpirvError("a buffer has elements that are no integers")
        pointers = {one[2]: one[3] for one in chains}
        needed = {self._sign(one) for one in self._code if len(one) > 3 and one[3] in pointers} - {None}
        if len(needed) > 1:
            raise SpirvError("atomic minima or maxima of signed and of unsigned numbers in one buffer")
        wanted = needed.pop() if needed else False
        chosen = next((one for one in variables if one in of_variable and integers[of_variable[one][1]] == wanted), None)
        if chosen is None:
            raise SpirvError("a buffer has no variable of the type that is needed")
        self._rewrite(chosen, set(variables), binding, of_variable)

    @staticmethod
    def _sign(one: list[int]) -> bool | None:
        operation = one[0] & 0xFFFF
        return True if operation in _SIGNED else False if operation in _UNSIGNED else None

    def _rewrite(self, chosen: int, variables: set[int], binding: int, of_variable: Mapping[int, tuple[int, int]]) -> None:
        pointer, element = of_variable[chosen]
        others: dict[int, int] = {}
        made: list[list[int]] = []
        for one in self._code:
            operation = one[0] & 0xFFFF
            if operation in (_NAME, _DECORATE, _VARIABLE) and one[2 if operation == _VARIABLE else 1] in variables - {chosen}:
                continue
            if operation == _DECORATE and one[1] == chosen and one[2] == _BINDING:
                one = [*one[:3], binding]
            if operation == _ACCESS_CHAIN and one[3] in variables - {chosen}:
                others[one[2]] = of_variable[one[3]][1]
                one = [one[0], pointer, one[2], chosen, *one[4:]]
            if operation in (_LOAD, *_ATOMICS) and one[3] in others:
                made += self._by_bits(one, element, others[one[3]], _ATOMICS.get(operation, ()))
            elif operation in (_STORE, _ATOMIC_STORE) and one[1] in others:
                place = 2 if operation == _STORE else 4
                cast, value = self._cast(element, one[place])
                made += [cast, [*one[:place], value, *one[place + 1 :]]]
            else:
                made.append(one)
        self._code = made

    def _by_bits(self, one: list[int], element: int, other: int, values: tuple[int, ...]) -> list[list[int]]:
        """An instruction that gave, and took, values of another type than its pointer is of now."""
        casts, words = [], list(one)
        for place in values:
            cast, words[place] = self._cast(element, one[place])
            casts.append(cast)
        words[1], words[2] = element, self._new()
        return [*casts, words, [4 << 16 | _BITCAST, other, one[2], words[2]]]

    def _cast(self, to: int, value: int) -> tuple[list[int], int]:
        made = self._new()
        return [4 << 16 | _BITCAST, to, made, value], made

    def _new(self) -> int:
        self._header[3] += 1
        return self._header[3] - 1


def _instructions(words: list[int]) -> Iterator[list[int]]:
    at = _HEADER_WORDS
    while at < len(words):
        count = words[at] >> 16
        if not count or at + count > len(words):
            raise SpirvError("an instruction is cut short")
        yield words[at : at + count]
        at += count
