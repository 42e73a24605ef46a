# Without `from __future__ import annotations`, for Taichi reads annotations as they are.
"""A Taichi kernel that draws random numbers, to learn in what state they are."""

import taichi as ti


@ti.kernel  # type: ignore[untyped-decorator, unused-ignore]
def draw(out: ti.types.ndarray(dtype=ti.u32, ndim=1)):  # type: ignore[no-untyped-def, valid-type, unused-ignore]
    """Draw four numbers one after the other."""
    out[0] = ti.random(ti.u32)
    out[1] = ti.random(ti.u32)
    out[2] = ti.random(ti.u32)
    out[3] = ti.random(ti.u32)
