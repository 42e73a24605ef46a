# Without `from __future__ import annotations`, for Taichi reads annotations as they are.
"""Kernels that are decorated with `hotcell.taichi.kernel`, for the tests of that."""

import taichi as ti
import taichi.math as tm

import hotcell.taichi

array = ti.types.ndarray


@hotcell.taichi.kernel
def pushed(a: ti.f32, x: array(ti.f32, ndim=1), y: array(ti.f32, ndim=1)):
    """Adds."""
    for i in x:
        y[i] += a * x[i]


@hotcell.taichi.kernel(check=True, fuel="1G")
def summed(x: array(tm.vec3, ndim=1)) -> tm.vec3:
    s = tm.vec3(0)
    for i in range(x.shape[0]):
        s += x[i]
    for i in x:
        x[i] = tm.vec3(i)
    return s


@hotcell.taichi.kernel
def any_array(x: array()):
    for i in x:
        x[i] += 1


@hotcell.taichi.kernel
def drawn(x: array(ti.f32, ndim=1)):
    for i in x:
        x[i] = ti.random()
