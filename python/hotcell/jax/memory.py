"""Where temporaries lie: one block for all whose size is known, in which memory is used again once nobody reads it.

A buffer lives from its first use to its last one, and through the whole of a loop that it is used in but was made before.
"""

from __future__ import annotations

from collections.abc import Sequence

from .builder import Driver
from .tensor import Buffer
from .types import Dim, Extent

#: Every buffer begins at a multiple of this.
ALIGNMENT = 64


def place(buffers: Sequence[Buffer], driver: Driver) -> list[str]:
    """The lines at the driver's entry that give each buffer its address."""
    used = [buffer for buffer in buffers if buffer.placed and buffer.first is not None]
    known = [buffer for buffer in used if isinstance(buffer.bytes, int)]
    offsets, total = _offsets(known)
    lines = []
    if total:
        lines.append(f"  %scratch = call ptr @hotcell_alloc(i32 {total}, i32 {ALIGNMENT})")
    for buffer, offset in zip(known, offsets, strict=True):
        lines.append(f"  {buffer.name} = getelementptr inbounds i8, ptr %scratch, i32 {offset}")
    for sharing in _shared([buffer for buffer in used if not isinstance(buffer.bytes, int)]):
        size = driver.extent(sharing[0].bytes)
        lines.append(f"  {sharing[0].name} = call ptr @hotcell_alloc(i32 {size}, i32 {ALIGNMENT})")
        lines += [f"  {other.name} = getelementptr inbounds i8, ptr {sharing[0].name}, i32 0" for other in sharing[1:]]
    return lines


def _offsets(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Offsets of buffers of known sizes, the largest placed first, each as low as its life allows."""
    placed: list[tuple[int, int, Buffer]] = []
    offsets: dict[Buffer, int] = {}
    for buffer in sorted(buffers, key=lambda one: (-int(one.bytes), one.first)):  # type: ignore[arg-type]
        size = -(-max(int(buffer.bytes), 1) // ALIGNMENT) * ALIGNMENT  # type: ignore[arg-type]
        offset = 0
        for begin, end, other in placed:
            if _meet(buffer, other) and begin < offset + size and offset < end:
                offset = max(offset, end)
        placed.append((offset, offset + size, buffer))
        placed.sort(key=lambda one: one[0])
        offsets[buffer] = offset
    return [offsets[buffer] for buffer in buffers], max((end for _, end, _ in placed), default=0)


def _shared(buffers: Sequence[Buffer]) -> list[list[Buffer]]:
    """Buffers of sizes that launches tell, in groups of the same size whose lives do not meet."""
    groups: dict[Extent, list[list[Buffer]]] = {}
    for buffer in sorted(buffers, key=lambda one: one.first or 0):
        assert isinstance(buffer.bytes, Dim)
        same = groups.setdefault(buffer.bytes, [])
        for group in same:
            if not _meet(group[-1], buffer):
                group.append(buffer)
                break
        else:
            same.append([buffer])
    return [group for same in groups.values() for group in same]


def _meet(one: Buffer, other: Buffer) -> bool:
    assert one.first is not None and other.first is not None
    return one.first <= other.last and other.first <= one.last
